package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bindery/infra/docs"
	"bindery/infra/stack"
)

func proseOf(t *testing.T, name string) []string {
	t.Helper()
	documents, err := docs.Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(documents, func(d docs.Document) bool { return d.Path == name })
	if i < 0 {
		t.Fatalf("%s is not there", name)
	}
	return documents[i].Prose()
}

// TestReadmeTellsTheVariables: each variable that the local stack reads stands in
// the README of infra with its default, and no other.
func TestReadmeTellsTheVariables(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]string{} // the default, where it is a number
	for _, m := range regexp.MustCompile(`(?:getenv|port|base)\("([A-Z0-9_]+)"(?:, (\d+))?\)`).FindAllStringSubmatch(string(source), -1) {
		read[m[1]] = m[2]
	}
	told := map[string]bool{}
	for _, line := range proseOf(t, "infra/README.md") {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		for _, m := range regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(cells[1], -1) {
			told[m[1]] = true
			number, ok := read[m[1]]
			if !ok || number != "" && strings.TrimSpace(cells[2]) != number {
				t.Errorf("infra/README.md tells of %s with the default %q; it is read: %v, and the default is %q", m[1], cells[2], ok, number)
			}
		}
	}
	for name := range read {
		if !told[name] {
			t.Errorf("infra/README.md does not tell of %s", name)
		}
	}
}

// TestReadmeTellsTheTokens: the tokens that the local stack writes stand in the
// API's README, each with what it may.
func TestReadmeTellsTheTokens(t *testing.T) {
	t.Parallel()
	text := strings.Join(proseOf(t, apiDocument), "\n")
	for name := range stack.TokenFiles {
		if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`.local/"+name+"`") {
			t.Errorf("%s does not tell of the token %s", apiDocument, name)
		}
	}
}
