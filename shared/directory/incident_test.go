package directory

import (
	"errors"
	"strings"
	"testing"
)

func TestNewIncident(t *testing.T) {
	if a, b := NewIncident(), NewIncident(); a == b || len(a) != 16 {
		t.Errorf("incidents %q and %q", a, b)
	}
}

func TestWakeUpOfWhatCannotBe(t *testing.T) {
	for _, body := range []string{`{"connectionId":"\u0000"}`, `{"jobId":"a b"}`, `{"jobId":"job_1","connectionId":"\u202e"}`, `{"connectionId":"` + strings.Repeat("x", 65) + `"}`} {
		if _, err := ParseWakeUp([]byte(body)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.80s = %v", body, err)
		}
	}
}
