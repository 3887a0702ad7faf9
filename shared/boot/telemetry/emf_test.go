package telemetry

import (
	"bytes"
	"math"
	"testing"
	"time"
)

// The shape that CloudWatch takes for an embedded metric.
func TestEMF(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := NewEMF(EMFConfig{Writer: &out, Namespace: "bindery/test", Now: func() time.Time { return time.UnixMilli(1795505400123) }})
	m.Emit(map[Metric]float64{RunsHeld: 1, Applied: 20}, map[string]string{"runId": "run_a", "who": "ada@corp.example"})
	const want = `{"ChangesApplied":20,"RunsHeld":1,"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"ChangesApplied","Unit":"Count"},{"Name":"RunsHeld","Unit":"Count"}],"Namespace":"bindery/test"}],"Timestamp":1795505400123},"runId":"run_a","who":"[address]"}` + "\n"
	if out.String() != want {
		t.Errorf("Emit wrote\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	m.Emit(nil, map[string]string{"runId": "run_a"})
	m.Emit(map[Metric]float64{Applied: math.NaN()}, nil)
	if out.Len() != 0 {
		t.Errorf("Emit wrote %q, want nothing", out.String())
	}
}
