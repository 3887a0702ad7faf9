package directory_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

var update = flag.Bool("update", false, "write the documents anew that are made of tables")

// Every text of a Profile is one row of the table, and its path is where JSON has
// it.
func TestAttributesCoverTheProfile(t *testing.T) {
	t.Parallel()
	want := textsOf(reflect.TypeFor[directory.Profile](), "")
	var got []string
	for _, a := range directory.Attributes() {
		if a.Path == "" {
			continue
		}
		got = append(got, a.Path)
		var p directory.Profile
		a.SetText(&p, "x")
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var members any
		if err := json.Unmarshal(raw, &members); err != nil {
			t.Fatal(err)
		}
		for name := range strings.SplitSeq(a.Path, ".") {
			object, _ := members.(map[string]any)
			members = object[name]
		}
		if members != "x" || a.Text(&p) != "x" {
			t.Errorf("the attribute %s is not where its path says: %s", a.Path, raw)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table has the attributes\n%q\nand a profile\n%q", got, want)
	}
}

// textsOf are the paths of the texts in a type, by their names in JSON.
func textsOf(typ reflect.Type, prefix string) []string {
	var paths []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch f.Type.Kind() {
		case reflect.String:
			paths = append(paths, prefix+name)
		case reflect.Struct:
			paths = append(paths, textsOf(f.Type, prefix+name+".")...)
		}
	}
	return paths
}

// The columns of a row fit each other.
func TestAttributeRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, a := range directory.Attributes() {
		name := a.Path + " " + a.Property
		if seen[a.Path] && a.Path != "" || seen["→"+a.Property] && a.Property != "" {
			t.Errorf("%s is there twice", name)
		}
		seen[a.Path], seen["→"+a.Property] = true, true
		exported := a.Export == directory.UseAlways || a.Export == directory.UseBySetting
		for fault, is := range map[string]bool{
			"has neither path nor property":           a.Path == "" && a.Property == "",
			"has no form":                             a.Form == "",
			"has no limit":                            a.Path != "" && a.MaxCharacters == 0,
			"has a property without its columns":      a.Property != "" && (a.Type == "" || a.Export == "" || a.Import == ""),
			"has columns without a property":          a.Property == "" && (a.Type != "" || a.Export != "" || a.Import != "" || a.MaxUnits != 0 || a.Clearable || a.Sensitive),
			"is said to be written, or is not":        directory.IsProperty(a.Property) != exported,
			"is an extension attribute, or is not":    directory.IsExtensionAttribute(a.Property) != (a.Custom != ""),
			"is found by its property as another one": a.Property != "" && !finds(directory.AttributeOf(a.Property))(a),
			"is found by its path as another one":     a.Path != "" && !finds(directory.AttributeAt(a.Path))(a),
		} {
			if is {
				t.Errorf("%s %s", name, fault)
			}
		}
	}
	if n := len(directory.OptionalProperties); n != 16 {
		t.Errorf("%d properties can be switched besides the extension attributes", n)
	}
	if got := directory.SensitiveProperties; !slices.Equal(got, []string{"otherMails", "businessPhones", "mobilePhone"}) {
		t.Errorf("the sensitive properties are %q", got)
	}
}

func finds(found *directory.Attribute, ok bool) func(*directory.Attribute) bool {
	return func(a *directory.Attribute) bool { return ok && found == a }
}

// README.md has the table of attributes, with each row.
func TestReadmeHasTheAttributes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("| attribute | property | written | imported | form | characters | notes |\n|---|---|---|---|---|---|---|\n")
	extensions := 0
	for _, a := range directory.Attributes() {
		if a.Custom != "" {
			extensions++
			if extensions > 1 {
				continue // they are alike
			}
		}
		b.WriteString(attributeLine(a))
	}
	if extensions != 15 {
		t.Errorf("there are %d extension attributes", extensions)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	begin, rest, begun := strings.Cut(string(readme), "<!-- attributes: go test ./shared/directory -update -->\n")
	_, end, ended := strings.Cut(rest, "<!-- end -->\n")
	if !begun || !ended {
		t.Fatal("README.md does not mark where the table of attributes stands")
	}
	compareDocument(t, "README.md", begin+"<!-- attributes: go test ./shared/directory -update -->\n"+b.String()+"<!-- end -->\n"+end)
}

func attributeLine(a *directory.Attribute) string {
	path, property, notes := quoted(a.Path), quoted(a.Property), []string{}
	if a.Custom != "" {
		path, property = "`customAttributes.…`", "`extensionAttribute1` to `extensionAttribute15`"
		notes = append(notes, "up to 100 texts; an extension attribute is fed by the one of its name, or the one that `attributes.….from` names")
	}
	if a.Note != "" {
		notes = append(notes, a.Note)
	}
	if a.Sensitive {
		notes = append(notes, "*sensitive*")
	}
	if a.Dispensable {
		notes = append(notes, "*dispensable*")
	}
	if a.Property != "" && a.Export != directory.UseNever && !a.Clearable {
		notes = append(notes, "*not cleared*")
	}
	limit := ""
	if a.MaxCharacters > 0 {
		limit = fmt.Sprint(a.MaxCharacters)
	}
	if a.MaxUnits > 0 && a.MaxUnits != a.MaxCharacters {
		limit = strings.TrimSpace(fmt.Sprintf("%s (%d)", limit, a.MaxUnits))
	}
	form := string(a.Form)
	if a.Type == directory.TypeList {
		form += ", in a list"
	}
	return "| " + strings.Join([]string{path, property, string(a.Export), string(a.Import), form, limit, strings.Join(notes, "; ")}, " | ") + " |\n"
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return "`" + name + "`"
}

// compareDocument holds a document against what it is made of, and writes it anew
// when asked to.
func compareDocument(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what it is made of; write it anew by: go test ./shared/directory -update", name)
	}
}
