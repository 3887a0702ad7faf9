package audit

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// A comparison as a file has each item, each event of an item, and why something is missing.
func TestComparisonInForms(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	event := func(id, activity string) directory.DirectoryAudit {
		return directory.DirectoryAudit{ID: id, At: at.Add(time.Minute), Activity: activity, Result: "success", ByUser: &directory.UserIdentity{UserPrincipalName: "=cmd|' /C calc'!A0", IPAddress: "192.0.2.7"},
			Targets: []directory.TargetResource{{UserPrincipalName: "ann@corp.example"}, {ID: "a-2"}}}
	}
	ours := Entry{ID: "run_1.0.0", Effect: directory.EffectUpdate, RunID: "run_1", UserID: "usr_1", Reason: "edited", Properties: []directory.PropertyChange{{Name: "department"}, {Name: "jobTitle"}}}
	r := AuditReport{Available: true, Until: at, Problem: &directory.Problem{Code: "throttled", Message: "The log was not read to the end.", Next: "Ask again."}, Items: []AuditItem{
		{Match: MatchBoth, At: at, Entry: &ours, Events: []directory.DirectoryAudit{event("e-1", "Update user"), event("e-2", "Update user")}},
		{Match: MatchOurs, At: at, Entry: &ours},
		{Match: MatchMicrosoft, At: at, Events: []directory.DirectoryAudit{event("e-3", "@Reset password")}},
	}}
	lines, err := csv.NewReader(strings.NewReader(string(r.CSV()))).ReadAll()
	if err != nil || len(lines) != 6 {
		t.Fatalf("%d lines, %v, want the names, what is missing, two events of one act, ours, theirs: %q", len(lines), err, lines)
	}
	cell := func(line int, column string) string {
		for i, name := range lines[0] {
			if name == column {
				return lines[line][i]
			}
		}
		t.Fatalf("no column %q", column)
		return ""
	}
	for _, c := range []struct {
		line         int
		column, want string
	}{
		{1, "match", "unread"}, {1, "reason", "The log was not read to the end. Ask again."}, {1, "eventAt", ""},
		{2, "match", "both"}, {2, "eventId", "e-1"}, {3, "eventId", "e-2"}, {3, "id", "run_1.0.0"}, {2, "properties", "department jobTitle"}, {2, "byUser", "'=cmd|' /C calc'!A0"},
		{4, "match", "ours"}, {4, "activity", ""}, {5, "match", "microsoft"}, {5, "effect", ""}, {5, "activity", "'@Reset password"}, {5, "targets", "ann@corp.example a-2"},
	} {
		if got := cell(c.line, c.column); got != c.want {
			t.Errorf("%s of line %d = %q, want %q", c.column, c.line, got, c.want)
		}
	}
	var matches []string
	for text := range strings.Lines(string(r.Lines())) {
		var line struct {
			Match   string
			Problem *directory.Problem
			Events  []directory.DirectoryAudit
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil || (line.Problem != nil) != (line.Match == "unread") {
			t.Errorf("%q: %v", text, err)
		}
		matches = append(matches, line.Match)
	}
	if got := strings.Join(matches, " "); got != "unread both ours microsoft" {
		t.Errorf("lines are %s", got)
	}
	if got := string((&AuditReport{Available: true}).Lines()); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
