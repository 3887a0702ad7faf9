package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

func TestScrub(t *testing.T) {
	jwt := "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJncmFwaCJ9.c2lnbmF0dXJl-_"
	refresh := "0.AXkA" + strings.Repeat("AbC-_9", 20)
	tests := []struct{ in, want string }{
		{"", ""},
		{"run run_01kb0v7c4g waits until 2026-11-24T07:30:00Z", "run run_01kb0v7c4g waits until 2026-11-24T07:30:00Z"},
		{"state: applying, code: held", "state: applying, code: held"},
		{"user zoë.åberg+x@corp.example is taken", "user [address] is taken"},
		{"GET https://graph.microsoft.com/v1.0/users/a.b@contoso.onmicrosoft.com: 404", "GET https://graph.microsoft.com/v1.0/users/[address]: 404"},
		{"token " + jwt + " refused", "token [token] refused"},
		{"Authorization: Bearer abc.def-ghi", "Authorization: [token]"},
		{"grant " + refresh, "grant [token]"},
		{"POST grant_type=refresh_token&refresh_token=xyz&client_secret=q~8", "POST grant_type=refresh_token&refresh_token=[secret]&client_secret=[secret]"},
		{`{"refresh_token":"abc","password": "p w"}`, `{"refresh_token":"[secret]","password": "[secret] w"}`},
		{"/oauth/callback?code=AwABAAAAvPM1KaPlrEqdFSBzjqfTGA&state=c2FtcGxlLXN0YXRlLXRoYXQ", "/oauth/callback?code=[secret]&state=[secret]"},
	}
	for _, tt := range tests {
		if got := Scrub(tt.in); got != tt.want {
			t.Errorf("Scrub(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// Whatever is given to the logger, no secret and no address comes out.
func TestLoggerMasks(t *testing.T) {
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

func decode(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	return m
}

func TestInvocation(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	clock := func() time.Time { now = now.Add(250 * time.Millisecond); return now }
	ctx, i := Begin(context.Background(), NewLogger(&out, slog.LevelInfo), &Metrics{Writer: &out, Namespace: "bindery/test", Now: clock}, clock)
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
		ctx, i := Begin(context.Background(), NewLogger(&out, slog.LevelInfo), nil, nil)
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
	i := InvocationOf(context.Background())
	i.Set("a", 1)
	i.Count(Applied, 1)
	i.End(context.Background(), nil)
}

// The shape that CloudWatch takes for an embedded metric.
func TestMetrics(t *testing.T) {
	var out bytes.Buffer
	m := &Metrics{Writer: &out, Namespace: "bindery/test", Now: func() time.Time { return time.UnixMilli(1795505400123) }}
	m.Emit(map[Metric]float64{RunsHeld: 1, Applied: 20}, map[string]string{"runId": "run_a", "who": "ada@corp.example"})
	const want = `{"ChangesApplied":20,"RunsHeld":1,"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"ChangesApplied","Unit":"Count"},{"Name":"RunsHeld","Unit":"Count"}],"Namespace":"bindery/test"}],"Timestamp":1795505400123},"runId":"run_a","who":"[address]"}` + "\n"
	if out.String() != want {
		t.Errorf("Emit wrote\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	m.Emit(nil, map[string]string{"runId": "run_a"})
	m.Emit(map[Metric]float64{Applied: math.NaN()}, nil)
	(*Metrics)(nil).Emit(map[Metric]float64{Applied: 1}, nil)
	if out.Len() != 0 {
		t.Errorf("Emit wrote %q, want nothing", out.String())
	}
}
