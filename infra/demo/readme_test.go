package demo

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// checkPrinted holds what the README says that the demo prints against what it
// printed: its chapters, and the names of its checks.
func checkPrinted(t *testing.T, out string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	chapters, checks := 0, 0
	for line := range strings.Lines(string(readme)) {
		line = strings.TrimRight(line, "\n")
		if regexp.MustCompile(`^[ 1-9]\d\. `).MatchString(line) {
			chapters++
			if !strings.Contains("\n"+out, "\n"+line+"\n") {
				t.Errorf("the README says that the demo has the chapter %q, and it has not", line)
			}
		}
		if row, ok := strings.CutPrefix(line, "│ "); ok {
			checks++
			what, _, _ := strings.Cut(row, "  ")
			if !strings.Contains(out, "│ "+strings.TrimRight(what, " │")) {
				t.Errorf("the README says that the demo checks %q, and it does not", what)
			}
		}
	}
	printed := len(regexp.MustCompile(`(?m)^[ 1-9]\d\. `).FindAllString(out, -1))
	if chapters != printed || checks < 20 {
		t.Errorf("the README has %d chapters of the demo's %d, and %d checks", chapters, printed, checks)
	}
	m := regexp.MustCompile(`(?m)^demo: \d+ passed, 0 failed$`).FindString(out)
	if m == "" || !strings.Contains(string(readme), "\n"+m+"\n") {
		t.Errorf("the demo ends with %q, and the README says something else", m)
	}
}
