package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// Whatever is given to the logger, no secret and no address comes out.
func TestLoggerMasks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := NewLogger(&out, slog.LevelDebug)
	log.Info("user ada@corp.example", "address", "ada@corp.example", "error", fmt.Errorf("no ada@corp.example: %w", errors.New("Bearer abcdef")),
		"secret", directory.NewSecret("hunter2"), "list", []string{"ada@corp.example"}, "raw", []byte("ada@corp.example"), "group", slog.GroupValue(slog.String("in", "ada@corp.example")))
	for _, bad := range []string{"ada@", "abcdef", "hunter2"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("the log holds %q: %s", bad, out.String())
		}
	}
	log.Debug("fine")
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}
