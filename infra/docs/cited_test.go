package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// eachLine calls each with every line of code, template and documents.
func eachLine(t *testing.T, each func(file string, number int, line string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == ".build" || d.Name() == ".local") {
			return filepath.SkipDir
		}
		switch filepath.Ext(name) {
		case ".go", ".md", ".yaml", ".yml", ".sh":
		default:
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(data), "\n") {
			each(filepath.ToSlash(rel), i+1, line)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// numbered returns what a document numbers, by the first group of a pattern.
func numbered(t *testing.T, name, pattern string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(file(t, name), -1) {
		if found[m[1]] {
			t.Errorf("%s has %s twice", name, m[1])
		}
		found[m[1]] = true
	}
	return found
}

// Each invariant and each fact about Microsoft that is cited by its number
// stands in the repository, and no comment points to a document that does not.
func TestCitedNumbersAreThere(t *testing.T) {
	t.Parallel()
	invariants := numbered(t, "shared/INVARIANTS.md", `(?m)^(\d+)\. \*\*`)
	facts := numbered(t, "shared/entra/GRAPH.md", `(?m)^##+ (GG? \d+(?:\.\d+)?) `)
	invariant := regexp.MustCompile(`\binvariants? (\d+)`)
	fact := regexp.MustCompile(`\b(GG? \d+(?:\.\d+)?)\b`)
	elsewhere := regexp.MustCompile(`(?i)\bcontract sheet\b|\b(design|style|graph|rivals|peers)\.md\b`)
	cited := 0
	eachLine(t, func(file string, number int, line string) {
		if !strings.Contains(line, "invariant") && !strings.Contains(line, "G ") && !strings.Contains(line, ".md") && !strings.Contains(line, "sheet") {
			return // the patterns are slow on a hundred thousand lines
		}
		for _, m := range invariant.FindAllStringSubmatch(line, -1) {
			cited++
			if !invariants[m[1]] {
				t.Errorf("%s:%d cites invariant %s, which shared/INVARIANTS.md does not have", file, number, m[1])
			}
		}
		for _, m := range fact.FindAllStringSubmatch(line, -1) {
			cited++
			if !facts[m[1]] {
				t.Errorf("%s:%d cites %s, which shared/entra/GRAPH.md does not have", file, number, m[1])
			}
		}
		if m := elsewhere.FindString(line); m != "" && m != "GRAPH.md" && file != "infra/docs/cited_test.go" {
			t.Errorf("%s:%d points to %s, which is not in the repository", file, number, m)
		}
	})
	if cited < 20 {
		t.Errorf("only %d citations were found", cited)
	}
}

// Each invariant names the tests that hold it, and they are there.
func TestInvariantsAreHeld(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{} // package.Test…
	folder, pkg := "", ""
	clause := regexp.MustCompile(`^package (\w+?)(?:_test)?$`)
	function := regexp.MustCompile(`^func (Test\w+)\(t \*testing\.T\)`)
	for line := range strings.Lines(goSources(t)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "== "); ok {
			folder = filepath.Base(filepath.Dir(name))
		}
		if m := clause.FindStringSubmatch(line); m != nil {
			pkg = m[1]
			if pkg == "main" {
				pkg = folder // a command is called by its folder
			}
		}
		if m := function.FindStringSubmatch(line); m != nil {
			tests[pkg+"."+m[1]] = true
		}
	}
	named := regexp.MustCompile("`(\\w+\\.Test\\w+)`")
	for _, entry := range regexp.MustCompile(`(?m)^\d+\. `).Split(file(t, "shared/INVARIANTS.md"), -1)[1:] {
		sentence, _, _ := strings.Cut(entry, "\n")
		found := named.FindAllStringSubmatch(entry, -1)
		if len(found) == 0 {
			t.Errorf("no test holds: %s", sentence)
		}
		for _, m := range found {
			if !tests[m[1]] {
				t.Errorf("%s is not there, and would hold: %s", m[1], sentence)
			}
		}
	}
}
