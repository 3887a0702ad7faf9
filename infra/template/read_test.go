package template

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "template.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tmpl, err := Read(write("Resources:\n  A:\n    Type: X\n    Properties:\n      Arn: !GetAtt B.Arn\n      Name: !Sub \"${C}-d\"\n      List: [!Ref E, 2, true]\n      If: !If [F, !Ref G, !Sub h]\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := tmpl.Of("X")["A"]
	for _, tt := range []struct {
		path []any
		want any
	}{
		{[]any{"Arn", "Fn::GetAtt", 0}, "B"},
		{[]any{"Arn", "Fn::GetAtt", 1}, "Arn"},
		{[]any{"Name", "Fn::Sub"}, "${C}-d"},
		{[]any{"List", 0, "Ref"}, "E"},
		{[]any{"List", 1}, 2},
		{[]any{"List", 2}, true},
		{[]any{"List", 3}, nil},
		{[]any{"If", "Fn::If", 1, "Ref"}, "G"},
		{[]any{"nothing", "at", "all"}, nil},
	} {
		if got := At(a, tt.path...); got != tt.want {
			t.Errorf("At(%v) = %v, want %v", tt.path, got, tt.want)
		}
	}
	for text, want := range map[string]string{
		"- a":               "is not a mapping",
		"a: 1\na: 2":        "twice",
		"a: &x {}\nb: *x":   "no aliases",
		"a: [":              "yaml",
		"Resources: !Bad\n": "",
	} {
		_, err := Read(write(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Read(%q) = %v, want an error with %q", text, err, want)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(err) {
		t.Errorf("Read(no file) = %v", err)
	}
}
