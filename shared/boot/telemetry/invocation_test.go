package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

func decode(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	return m
}

func TestInvocation(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	clock := func() time.Time { now = now.Add(250 * time.Millisecond); return now }
	ctx, i := Begin(context.Background(), Config{
		Log: NewLogger(&out, slog.LevelInfo), Metrics: NewEMF(EMFConfig{Writer: &out, Namespace: "bindery/test", Now: clock}), Now: clock,
	})
	if InvocationOf(ctx) != i {
		t.Fatal("InvocationOf(ctx) is not what Begin made")
	}
	i.Set("connectionId", "con_a")
	i.Set("connectionId", "con_b")
	i.Set("users", 3)
	i.Count(Applied, 2)
	i.Count(Applied, 3)
	i.Count(Failed, 0)
	i.End(ctx, nil)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one of log and one of metrics: %s", len(lines), out.String())
	}
	log := decode(t, lines[0])
	if log["connectionId"] != "con_b" || log["users"] != 3.0 || log["durationMs"] != 250.0 || log["level"] != "INFO" || log["msg"] != "invocation" {
		t.Errorf("line = %v", log)
	}
	if counts, _ := log["counts"].(map[string]any); counts["ChangesApplied"] != 5.0 || counts["ChangesFailed"] != 0.0 {
		t.Errorf("counts = %v", log["counts"])
	}
	emf := decode(t, lines[1])
	if emf["ChangesApplied"] != 5.0 || emf["connectionId"] != "con_b" {
		t.Errorf("metrics = %v", emf)
	}
}

func TestInvocationErrors(t *testing.T) {
	t.Parallel()
	refusal := directory.Refuse(directory.ErrConflict, "address-taken", "Ada Lindqvist has that address.", "Choose another.")
	problem := &directory.Problem{Code: "rights-missing", Message: "Ada may not.", MicrosoftCode: "Authorization_RequestDenied", RequestID: "req-1"}
	tests := []struct {
		name string
		err  error
		want map[string]any
	}{
		{"plain", errors.New("read links: table: busy"), map[string]any{"error": "read links: table: busy"}},
		{"refusal", fmt.Errorf("bind: %w", refusal), map[string]any{"error": "refused", "code": "address-taken"}},
		{"problem", problem, map[string]any{"error": "problem", "code": "rights-missing", "microsoftCode": "Authorization_RequestDenied", "microsoftRequestId": "req-1"}},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		ctx, i := Begin(context.Background(), Config{Log: NewLogger(&out, slog.LevelInfo)})
		i.End(ctx, tt.err)
		line := decode(t, out.String())
		for key, want := range tt.want {
			if line[key] != want {
				t.Errorf("%s: %s = %v, want %v", tt.name, key, line[key], want)
			}
		}
		if line["level"] != "ERROR" || strings.Contains(out.String(), "Ada") {
			t.Errorf("%s: %s", tt.name, out.String())
		}
	}
}

func TestInvocationNil(t *testing.T) {
	t.Parallel()
	i := InvocationOf(context.Background())
	i.Set("a", 1)
	i.Count(Applied, 1)
	i.End(context.Background(), nil)
	if i.Counts() != nil {
		t.Error("nothing has counts")
	}
}
