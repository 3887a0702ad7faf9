package demo

import (
	"strings"
	"testing"
	"time"
)

// TestDemo runs the demo as make demo does, without a terminal.
func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := newDemonstration(&out, 2*time.Minute).run(t.Context(), t.TempDir(), nil); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), " passed, 0 failed\n") {
		t.Errorf("the demo says:\n%s", out.String())
	}
	checkPrinted(t, out.String())
}
