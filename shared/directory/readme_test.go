package directory

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	keyCell  = regexp.MustCompile("(?m)^\\| (`[^|]+) \\| ")
	keySpan  = regexp.MustCompile("`([^`]+)`")
	anyOfKey = regexp.MustCompile(`<[a-z]+>|extensionAttribute<n>`)
)

// keysTold are the keys in the first column of the tables below a heading of a
// document, in the form of keysOf: attributes.<property>.clear is attributes.*.clear.
func keysTold(t *testing.T, name, heading string) []string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(raw), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", name, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var keys []string
	for _, cell := range keyCell.FindAllStringSubmatch(text, -1) {
		names, _, _ := strings.Cut(cell[1], " of ") // of which properties
		for _, s := range keySpan.FindAllStringSubmatch(names, -1) {
			key := s[1]
			if end, ok := strings.CutPrefix(key, "."); ok { // of the same as the one before
				last := keys[len(keys)-1]
				key = last[:strings.LastIndex(last, ".")+1] + end
			}
			keys = append(keys, strings.ReplaceAll(anyOfKey.ReplaceAllString(key, "*"), "extensionAttribute*", "*"))
		}
	}
	return keys
}

// TestReadmeTellsEverySetting: who sets a connection finds each key, and none
// that there is not.
func TestReadmeTellsEverySetting(t *testing.T) {
	told := keysTold(t, "README.md", "## Settings of a connection")
	keys := keysOf(reflect.TypeFor[Settings](), "")
	for _, key := range keys {
		if !slices.ContainsFunc(told, func(s string) bool { return covers(s, key) }) {
			t.Errorf("README.md does not tell settings.%s", key)
		}
	}
	for _, key := range told {
		key = strings.Replace(key, "foreignChange.default", "foreignChange.*", 1)
		if !slices.Contains(keys, key) && !slices.Contains(keys, key+".*") {
			t.Errorf("README.md tells settings.%s, which there is not", key)
		}
	}
}

// TestReadmeTellsWhatLoosens: the table of what needs a decision has each key
// whose edits are judged, and no other.
func TestReadmeTellsWhatLoosens(t *testing.T) {
	const name = "../api/admin/README.md"
	told := keysTold(t, name, "## What loosens")
	used := map[string]bool{}
	for _, row := range settingsSafety {
		for _, key := range row.keys {
			i := slices.IndexFunc(told, func(s string) bool { return covers(s, key) })
			if (i >= 0) != (row.judge != nil) {
				t.Errorf("%s tells of settings.%s: %v, and its edits are judged: %v", name, key, i >= 0, row.judge != nil)
			}
			if i >= 0 {
				used[told[i]] = true
			}
		}
	}
	for _, key := range told {
		if !used[key] {
			t.Errorf("%s says that settings.%s may loosen, and nobody judges it", name, key)
		}
	}
}

// covers reports whether a key of a table stands for one of the settings: it is
// that one, or what that one is a member of.
func covers(told, key string) bool { return told == key || strings.HasPrefix(key, told+".") }

// TestReadmeTellsEveryFinding: the table of what the doctor finds has each of the
// registry's findings.
func TestReadmeTellsEveryFinding(t *testing.T) {
	const name = "../core/doctor/README.md"
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if !slices.ContainsFunc(FindingForms(), func(form FindingForm) bool { return form.Code == f.Code }) {
			t.Errorf("FindingForms has no form of %s", f.Code)
		}
		if !strings.Contains(string(raw), "`"+f.Code+"`") {
			t.Errorf("%s does not tell the finding %s", name, f.Code)
		}
	}
}
