package docs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

const root = "../.."

var update = flag.Bool("update", false, "draw flow.svg anew")

// documents are all of the repository's, by their paths.
func documents(t *testing.T) map[string]*Document {
	t.Helper()
	list, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*Document{}
	for i := range list {
		byPath[list[i].Path] = &list[i]
	}
	if len(byPath) < 20 {
		t.Fatalf("only %d documents were found", len(byPath))
	}
	return byPath
}

func blocksOf(t *testing.T, d *Document) []Block {
	t.Helper()
	blocks, err := d.Blocks()
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

// Each link leads to a file or folder that is there, and to a heading of it.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for name, d := range all {
		for _, l := range d.Links() {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(l.Path))); err != nil {
				t.Errorf("%s:%d: %s is not there", name, l.Line, l.Path)
				continue
			}
			if l.Anchor == "" {
				continue
			}
			if to := all[l.Path]; to == nil || !slices.Contains(to.Anchors(), l.Anchor) {
				t.Errorf("%s:%d: %s has no heading #%s", name, l.Line, l.Path, l.Anchor)
			}
		}
	}
}

var (
	pathInText = regexp.MustCompile(`^(?:\./)?((?:shared|infra|functions|events|\.github|\.ci)/[\w./-]*\w)$`)
	testInText = regexp.MustCompile(`\bTest\w+`)
)

// Each file, folder and test that a text names, as code, is there. The name of a
// test may be the beginning of several.
func TestNamedFilesAndTestsAreThere(t *testing.T) {
	t.Parallel()
	sources := goSources(t)
	for _, d := range documents(t) {
		for i, line := range d.Prose() {
			for _, span := range codeSpan.FindAllString(line, -1) {
				for _, word := range strings.Fields(strings.Trim(span, "`")) {
					m := pathInText.FindStringSubmatch(word)
					if m == nil {
						continue
					}
					if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
						t.Errorf("%s: %s is not there", d.Where(i+1), m[1])
					}
				}
				for _, test := range testInText.FindAllString(span, -1) {
					if !strings.Contains(sources, "\nfunc "+test) {
						t.Errorf("%s: there is no test %s", d.Where(i+1), test)
					}
				}
			}
		}
	}
}

// A name in brackets behind a file, as code, is declared there: readers search for it.
func TestNamesAreDeclaredInTheirFiles(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile("`([\\w./-]+\\.go)` \\((`\\w+`(?:, `\\w+`)*)\\)")
	found := 0
	for _, d := range documents(t) {
		for i, line := range d.Prose() {
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				source := file(t, m[1])
				for name := range strings.SplitSeq(strings.ReplaceAll(m[2], "`", ""), ", ") {
					found++
					if !regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|type |var |const |\t)` + name + `\b`).MatchString(source) {
						t.Errorf("%s: %s declares no %s", d.Where(i+1), m[1], name)
					}
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d names were found", found)
	}
}

// What a block of commands names is there, also where the block is not run: its
// syntax, files, packages and tests, and the outputs of the stack that it reads.
func TestCommandsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	sources := goSources(t)
	template := file(t, "template.yaml")
	output := regexp.MustCompile(`\$([A-Z]\w*[a-z]\w*)`)
	notRun := 0
	for _, d := range documents(t) {
		for _, b := range blocksOf(t, d) {
			if b.Language != "sh" {
				continue
			}
			if b.NotRun != "" {
				notRun++
			}
			parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(b.Text), b.Document)
			if err != nil {
				t.Errorf("%s: %v", b.Where(), err)
				continue
			}
			syntax.Walk(parsed, func(n syntax.Node) bool {
				word, ok := n.(*syntax.Word)
				if !ok {
					return true
				}
				text := word.Lit()
				if m := pathInText.FindStringSubmatch(text); m != nil {
					if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
						t.Errorf("%s: %s is not there", b.Where(), m[1])
					}
				}
				for _, test := range testInText.FindAllString(text, -1) {
					if !strings.Contains(sources, "\nfunc "+test) {
						t.Errorf("%s: there is no test %s", b.Where(), test)
					}
				}
				return true
			})
			for _, m := range output.FindAllStringSubmatch(b.Text, -1) {
				if !regexp.MustCompile(`(?m)^  ` + m[1] + `:$`).MatchString(template) {
					t.Errorf("%s: $%s is neither an output nor a parameter of the stack", b.Where(), m[1])
				}
			}
		}
	}
	if notRun < 5 {
		t.Errorf("only %d blocks are not run: does this test still look at them?", notRun)
	}
}

// From the README every document is one click away; those of one folder of
// records, by the list of that folder.
func TestEachDocumentIsOneClickAway(t *testing.T) {
	t.Parallel()
	all := documents(t)
	near := map[string]bool{"README.md": true, ".github/PULL_REQUEST_TEMPLATE.md": true} // GitHub shows that one
	for _, l := range all["README.md"].Links() {
		near[l.Path] = true
	}
	for _, l := range all["shared/decisions/README.md"].Links() {
		if path.Dir(l.Path) == "shared/decisions" {
			near[l.Path] = true
		}
	}
	for name := range all {
		if !near[name] {
			t.Errorf("the README does not lead to %s", name)
		}
	}
	for name, d := range all {
		if !strings.HasPrefix(d.lines[0], "# ") && name != ".github/PULL_REQUEST_TEMPLATE.md" {
			t.Errorf("%s does not begin with what it is about", name)
		}
	}
	if n := len(all["README.md"].lines); n > 170 {
		t.Errorf("README.md has %d lines: it is the face, the rest belongs to the folders", n)
	}
}

// languages are those that a block may have. One without is text.
var languages = []string{"sh", "http", "json", "go", "", ByHand}

var looksLikeCommand = regexp.MustCompile(`^(\$ )?(make|curl|go|git|aws|az|sam|export|infra/|\.ci/|[A-Z_]+=)\b?`)

// A block of commands says that it is one, so that it is run, or says why not.
func TestBlocksHaveALanguage(t *testing.T) {
	t.Parallel()
	for _, d := range documents(t) {
		for _, b := range blocksOf(t, d) {
			if !slices.Contains(languages, b.Language) {
				t.Errorf("%s: nobody knows the language %q", b.Where(), b.Language)
			}
			if b.Language == "sh" {
				continue
			}
			if b.NotRun != "" || b.Answers != nil || b.Says != nil && b.Language != ByHand {
				t.Errorf("%s: a mark of a command at a block of %q", b.Where(), b.Language)
			}
			if b.Language == "" && looksLikeCommand.MatchString(b.Text) {
				t.Errorf("%s: commands, and not marked sh", b.Where())
			}
		}
	}
}

var (
	calledMake   = regexp.MustCompile("(?m)(?:^|[`\\s(])make((?: +[A-Za-z][-A-Za-z0-9]*(?:=[^\\s`]*)?)+)")
	targetOfMake = regexp.MustCompile(`(?m)^([a-z][-a-z0-9]*):`)
)

// What documents call by make is a target, and each variable that they give is
// one that the Makefile, or the stack that it deploys, takes.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	makefile := file(t, "Makefile")
	template := file(t, "template.yaml")
	targets := map[string]bool{}
	for _, m := range targetOfMake.FindAllStringSubmatch(makefile, -1) {
		targets[m[1]] = true
	}
	sources := goSources(t)
	called := 0
	for name, d := range documents(t) {
		texts := []string{}
		for _, line := range d.Prose() {
			texts = append(texts, codeSpan.FindAllString(line, -1)...)
		}
		for _, b := range blocksOf(t, d) {
			if b.Language == "sh" {
				texts = append(texts, strings.Split(b.Text, "\n")...)
			}
		}
		for _, text := range texts {
			text, _, _ = strings.Cut(text, " #")
			m := calledMake.FindStringSubmatch(text)
			if m == nil || strings.HasPrefix(strings.TrimSpace(text), "#") {
				continue
			}
			called++
			for _, word := range strings.Fields(m[1]) {
				variable, _, given := strings.Cut(word, "=")
				switch {
				case !given && !targets[word]:
					t.Errorf("%s: `make %s`: there is no such target", name, word)
				case given && !strings.Contains(makefile, "$("+variable) && !strings.Contains(makefile, variable+"=") &&
					!regexp.MustCompile(`(?m)^  `+variable+`:$`).MatchString(template) && !strings.Contains(sources, `"`+variable+`"`):
					t.Errorf("%s: make takes no %s", name, variable)
				}
			}
		}
	}
	if called < 20 {
		t.Errorf("only %d calls of make were found", called)
	}
}

// The flags of commands that are not run are those of the Makefile.
func TestBuildFlagsAreTheMakefiles(t *testing.T) {
	t.Parallel()
	var want []string
	for _, name := range []string{"CGO_ENABLED", "GOFLAGS"} {
		m := regexp.MustCompile(`(?m)^export ` + name + `\s*:=\s*(.+)$`).FindStringSubmatch(file(t, "Makefile"))
		if m == nil {
			t.Fatalf("the Makefile exports no %s", name)
		}
		value := m[1]
		if strings.Contains(value, " ") {
			value = `"` + value + `"`
		}
		want = append(want, name+"="+value)
	}
	if line := "export " + strings.Join(want, " "); !strings.Contains(file(t, ".github/CONTRIBUTING.md"), line+"\n") {
		t.Errorf("CONTRIBUTING.md does not say\n%s", line)
	}
	limit := regexp.MustCompile(`(?m)^MAX_MB\s*:=\s*(\d+)$`).FindStringSubmatch(file(t, "Makefile"))
	if limit == nil || !strings.Contains(file(t, ".github/CONTRIBUTING.md"), "a binary over "+limit[1]+" MB") {
		t.Errorf("CONTRIBUTING.md names another limit of binaries than the Makefile's %q", limit)
	}
}

// What GitHub is told is so: the workflow runs what everybody runs, with the Go that
// go.mod asks for, and owners would be asked about folders that are there.
func TestWorkflowAndOwners(t *testing.T) {
	t.Parallel()
	workflow := file(t, ".github/workflows/ci.yml")
	if !strings.Contains(workflow, "- run: .ci/run\n") {
		t.Error("the workflow does not run .ci/run")
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(file(t, "go.mod"))[1]
	if !strings.Contains(workflow, "container: golang:"+version+"\n") {
		t.Errorf("the workflow has another Go than go.mod's %s", version)
	}
	for _, name := range []string{"README.md", ".github/CONTRIBUTING.md"} {
		if !strings.Contains(file(t, name), "Go "+version+" or newer") {
			t.Errorf("%s asks for another Go than go.mod's %s", name, version)
		}
	}
	owned := regexp.MustCompile(`(?m)(?:^|[ #])/([\w./-]+)`).FindAllStringSubmatch(file(t, ".github/CODEOWNERS"), -1)
	if len(owned) < 5 {
		t.Errorf("CODEOWNERS names %d places", len(owned))
	}
	for _, m := range owned {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
			t.Errorf("CODEOWNERS: /%s is not there", m[1])
		}
	}
}

// Each package of shared is told in its README, and no other.
func TestPackagesAreTold(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\|").FindAllStringSubmatch(file(t, "shared/README.md"), -1) {
		if told[m[1]] {
			t.Errorf("shared/README.md tells of %s twice", m[1])
		}
		told[m[1]] = true
	}
	packages := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root, "shared"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			rel, relErr := filepath.Rel(filepath.Join(root, "shared"), filepath.Dir(name))
			packages[filepath.ToSlash(rel)] = true
			return relErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range packages {
		if !told[name] && !told[path.Dir(name)] {
			t.Errorf("shared/README.md does not tell what %s does", name)
		}
	}
	for name := range told {
		if !packages[name] {
			t.Errorf("shared/README.md tells of %s, which is not there", name)
		}
	}
}

// Each folder of infra, functions and the simulator is told in the README beside it.
func TestFoldersAreTold(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"infra", "functions", "shared/entra/entratest"} {
		told := map[string]bool{}
		for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \|`).FindAllStringSubmatch(file(t, parent+"/README.md"), -1) {
			for _, name := range regexp.MustCompile("`([a-z0-9-]+)`").FindAllStringSubmatch(row[1], -1) {
				told[name[1]] = true
			}
		}
		entries, err := os.ReadDir(filepath.Join(root, parent))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() && e.Name() != "testdata" && !told[e.Name()] {
				t.Errorf("%s/README.md does not tell what %s is", parent, e.Name())
			}
		}
	}
}

// A word of a document that is marked as code stands in the code, the template or
// the Makefile: a setting, a member, a code, a name of a metric or of a variable.
func TestWordsMarkedAsCodeAreInTheCode(t *testing.T) {
	t.Parallel()
	// What only documents name: parts of examples, and options of the aws CLI.
	examples := []string{"ann2", "inc_8q2vk0m4xz7c", "put-secret-value", "secret-string", "TABLE-restored"}
	word := regexp.MustCompile(`[A-Za-z][\w-]*\w`)
	inCode := map[string]bool{}
	eachLine(t, func(file string, _ int, line string) {
		if path.Ext(file) == ".md" || file == "infra/docs/documents_test.go" {
			return
		}
		for _, w := range word.FindAllString(line, -1) {
			inCode[w] = true
			for part := range strings.SplitSeq(w, "-") {
				inCode[part] = true
			}
		}
	})
	for _, w := range word.FindAllString(file(t, "Makefile")+file(t, ".ci/run")+file(t, "go.mod"), -1) {
		inCode[w] = true
	}
	looked := 0
	for _, d := range documents(t) {
		for i, line := range d.Prose() {
			for _, span := range codeSpan.FindAllString(line, -1) {
				if pathInText.MatchString(strings.Trim(span, "`")) {
					continue // TestNamedFilesAndTestsAreThere
				}
				for _, w := range word.FindAllString(span, -1) {
					looked++
					if len(w) > 3 && !inCode[w] && !slices.Contains(examples, w) && !testInText.MatchString(w) {
						t.Errorf("%s: %s, of %s, is nowhere in the code", d.Where(i+1), w, span)
					}
				}
			}
		}
	}
	if looked < 2000 {
		t.Errorf("only %d words were looked at", looked)
	}
}

// The picture is what its source draws; it stands by itself, and names what there is.
func TestPicture(t *testing.T) {
	t.Parallel()
	const name = "infra/docs/flow.svg"
	drawn := Picture()
	if *update {
		if err := os.WriteFile(filepath.Join(root, name), []byte(drawn), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if file(t, name) != drawn {
		t.Errorf("%s is not what picture.go draws: go test ./infra/docs -update", name)
	}
	texts := map[string]bool{}
	for tokens := xml.NewDecoder(strings.NewReader(drawn)); ; {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			texts[string(bytes.TrimSpace(text))] = true
		}
	}
	functions, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions {
		if f.IsDir() && !texts[f.Name()] {
			t.Errorf("the picture lacks the function %s", f.Name())
		}
	}
	if !strings.Contains(drawn, "prefers-color-scheme: dark") {
		t.Error("the picture has no dark form")
	}
	for _, outside := range []string{"@import", "@font-face", "href", "<image", "url(h"} {
		if strings.Contains(drawn, outside) {
			t.Errorf("the picture needs something from outside: %s", outside)
		}
	}
}

func file(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// goSources is the text of every Go file, one after another, each behind a line
// with its name.
func goSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, top := range []string{"functions", "shared", "infra", "events"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(name) != ".go" {
				return err
			}
			data, err := os.ReadFile(name)
			fmt.Fprintf(&all, "\n== %s\n%s", filepath.ToSlash(name), data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// The query for an incident names keys that the log has.
func TestQueriesNameKeysOfTheLog(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`(?m)^fields (.+)$`).FindStringSubmatch(file(t, "infra/OPERATIONS.md"))
	if m == nil {
		t.Fatal("OPERATIONS.md has no query")
	}
	sources := goSources(t)
	for key := range strings.SplitSeq(m[1], ", ") {
		if !strings.HasPrefix(key, "@") && key != "msg" && !strings.Contains(sources, `"`+key+`", `) {
			t.Errorf("the query of OPERATIONS.md names %s, which nobody logs", key)
		}
	}
}
