package demo

import (
	"strings"
	"testing"
	"time"

	"bindery/infra/stacktest"
)

// TestMainJobOnAWS does the demo's whole story over DynamoDB Local,
// ElasticMQ and moto: the drivers of the Lambda functions under the core that
// they run.
func TestMainJobOnAWS(t *testing.T) {
	e := stacktest.AWS(t)
	var out strings.Builder
	if err := newDemonstration(&out, 5*time.Minute).run(t.Context(), t.TempDir(), e.Drivers(e.Name)); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
}
