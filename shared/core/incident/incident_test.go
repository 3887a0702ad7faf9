package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// detail is what errors of AWS, of the network and of Microsoft hold.
const detail = "dynamodb: arn:aws:dynamodb:eu-central-1:123456789012:table/bindery: dial tcp 10.0.0.2:443: jo@corp.example"

func TestProblemOf(t *testing.T) {
	microsoft := &directory.Problem{Code: "graph", Message: "Microsoft refused.", MicrosoftCode: "Authorization_RequestDenied", RequestID: "r-1"}
	for _, test := range []struct {
		name string
		err  error
		want string // code
		ours bool
	}{
		{"unforeseen", errors.New(detail), "otherwise", true},
		{"of a sentinel", fmt.Errorf("%s: %w", detail, directory.ErrUnavailable), "otherwise", true},
		{"Microsoft's", fmt.Errorf("%s: %w", detail, microsoft), "graph", false},
		{"a refusal", fmt.Errorf("%s: %w", detail, directory.Refuse(directory.ErrConflict, "taken", "It is taken.", "Choose.")), "taken", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			log := slog.New(slog.NewJSONHandler(&out, nil))
			p := ProblemOf(t.Context(), log, slog.LevelWarn, "it failed", test.err, directory.Problem{Code: "otherwise", Message: "It failed."}, "runId", "run_1")
			shown, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if p.Code != test.want || (p.Incident != "") != test.ours || strings.Contains(string(shown), "arn:") || strings.Contains(string(shown), "@") {
				t.Errorf("shown: %s", shown)
			}
			var line map[string]any
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if text, _ := line["error"].(string); line["msg"] != "it failed" || line["runId"] != "run_1" || line["code"] != test.want || !strings.Contains(text, detail) {
				t.Errorf("logged: %v", line)
			}
			if line["incident"] != any(nil) && line["incident"] != p.Incident || test.ours && line["incident"] == nil {
				t.Errorf("logged incident %v, shown %q", line["incident"], p.Incident)
			}
			if test.ours && !strings.Contains(p.Sentence(), p.Incident) {
				t.Errorf("Sentence() = %q", p.Sentence())
			}
		})
	}
	if p := ProblemOf(t.Context(), nil, slog.LevelWarn, "x", errors.New("y"), directory.Problem{}); p.Incident == "" {
		t.Error("no incident without a log")
	}
}
