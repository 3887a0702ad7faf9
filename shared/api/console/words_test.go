package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

var verbs = regexp.MustCompile(`%[a-z%]`)

// Every text is there in both languages, speaks of as many things in each, and is used.
func TestWords(t *testing.T) {
	t.Parallel()
	used := map[string]int{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				used[id.Name]++
			}
			return true
		})
		if !strings.HasPrefix(e.Name(), "words") {
			continue
		}
		seen := map[string]string{}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			name := spec.Names[0].Name
			var texts [][]string
			ast.Inspect(spec, func(n ast.Node) bool {
				lit, ok := n.(*ast.CompositeLit)
				if kind, is := lit2(lit, ok); is && kind == "text" {
					var pair []string
					for _, el := range lit.Elts {
						s, err := strconv.Unquote(el.(*ast.BasicLit).Value)
						if err != nil {
							t.Error(err)
						}
						pair = append(pair, s)
					}
					texts = append(texts, pair)
				}
				return true
			})
			for _, pair := range texts {
				if len(pair) != int(tongues) || pair[english] == "" || pair[german] == "" {
					t.Errorf("%s is not there in every language: %q", name, pair)
					continue
				}
				if a, b := len(verbs.FindAllString(pair[english], -1)), len(verbs.FindAllString(pair[german], -1)); a != b {
					t.Errorf("%s speaks of %d things in English and of %d in German", name, a, b)
				}
				for _, s := range pair {
					if strings.TrimSpace(s) != s && name != "textEnvironment" || strings.Contains(s, "  ") {
						t.Errorf("%s has odd white space: %q", name, s)
					}
				}
			}
			if len(texts) == 1 {
				both := strings.Join(texts[0], "|")
				if old, twice := seen[both]; twice && strings.HasPrefix(name, "text") && len(both) > 40 {
					t.Errorf("%s and %s are one text", old, name)
				}
				seen[both] = name
			}
			return true
		})
	}
	for name, n := range used {
		if (strings.HasPrefix(name, "text") || strings.HasPrefix(name, "count")) && len(name) > 6 && n < 2 && name[4] >= 'A' && name[4] <= 'Z' {
			t.Errorf("%s is used nowhere", name)
		}
	}
}

func lit2(lit *ast.CompositeLit, ok bool) (string, bool) {
	if !ok || lit == nil {
		return "", false
	}
	id, is := lit.Type.(*ast.Ident)
	if !is {
		return "", false
	}
	return id.Name, true
}

// No text for people stands outside of words.go and words_findings.go: what writes text onto a page is given
// none as it is, but for signs and names that are the same everywhere.
func TestNoOtherWords(t *testing.T) {
	t.Parallel()
	same := map[string]bool{"Bindery": true, " Microsoft: ": true, " request-id ": true, "request-id ": true, "English": true, "Deutsch": true}
	letters := regexp.MustCompile(`\pL`)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || strings.HasPrefix(e.Name(), "words") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch fun := call.Fun.(type) {
			case *ast.SelectorExpr:
				if x, is := fun.X.(*ast.Ident); is {
					name = x.Name + "." + fun.Sel.Name
				}
			case *ast.Ident:
				name = fun.Name
			}
			switch name {
			case "g.Text", "g.Textf", "g.Raw", "g.Rawf", "h.Alt", "h.Title", "h.Placeholder", "data":
			case "h.Aria":
				if first, is := call.Args[0].(*ast.BasicLit); !is || first.Value != `"label"` {
					return true
				}
			default:
				return true
			}
			if name == "g.Raw" || name == "g.Rawf" {
				t.Errorf("%s: markup is put onto a page as it is", fset.Position(n.Pos()))
			}
			for _, arg := range call.Args {
				ast.Inspect(arg, func(n ast.Node) bool {
					if inner, is := n.(*ast.CallExpr); is && inner != call {
						return false
					}
					lit, is := n.(*ast.BasicLit)
					if !is || lit.Kind != token.STRING {
						return true
					}
					s, _ := strconv.Unquote(lit.Value)
					if letters.MatchString(s) && !same[s] && !(name == "h.Aria" && s == "label") {
						t.Errorf("%s: %q stands outside of words.go", fset.Position(lit.Pos()), s)
					}
					return true
				})
			}
			return true
		})
	}
}

// Every effect of the vocabulary has words of its own.
func TestEffectWords(t *testing.T) {
	t.Parallel()
	seen := map[text]directory.Effect{}
	for _, row := range directory.Effects {
		w := words(row.Effect)
		if w.many == countOther {
			t.Errorf("%s has no words", row.Effect)
		}
		if other, twice := seen[w.name]; twice {
			t.Errorf("%s and %s have the same words", row.Effect, other)
		}
		seen[w.name] = row.Effect
	}
	if w := words("newer"); w.name[german] != "newer" || w.many != countOther {
		t.Errorf("an effect that is not known: %v", w)
	}
}

func TestNumbersAndTimes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][2]string{0: {"0", "0"}, 999: {"999", "999"}, 1000: {"1,000", "1.000"}, 1234567: {"1,234,567", "1.234.567"}, -5000: {"−5,000", "−5.000"}} {
		if got := [2]string{english.number(n), german.number(n)}; got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	at := time.Date(2026, 3, 2, 9, 5, 0, 0, time.FixedZone("", 3600))
	if got := english.moment(at) + "|" + german.moment(at); got != "2 Mar 2026, 08:05 UTC|2. März 2026, 08:05 UTC" {
		t.Error(got)
	}
	for d, want := range map[time.Duration][2]string{
		time.Second: {"just now", "gerade eben"}, 30 * time.Second: {"30 seconds ago", "vor 30 Sekunden"}, time.Minute: {"1 minute ago", "vor 1 Minute"},
		3 * time.Hour: {"3 hours ago", "vor 3 Stunden"}, 72 * time.Hour: {"3 days ago", "vor 3 Tagen"},
	} {
		if got := [2]string{english.ago(at, at.Add(d)), german.ago(at, at.Add(d))}; got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// Every act that is on record has words.
func TestKindWords(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "../../directory/auditkind.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Audit") {
			return true
		}
		n++
		kind, _ := strconv.Unquote(lit.Value)
		if _, known := kindWord(directory.AuditKind(kind)); !known {
			t.Errorf("%s has no words", kind)
		}
		return true
	})
	if n < 40 {
		t.Errorf("only %d kinds were found", n)
	}
}

// Every attribute of a user that has a field has a name.
func TestAttributeWords(t *testing.T) {
	t.Parallel()
	for _, a := range directory.Attributes() {
		if _, known := attributeWord(a.Path); a.Path != "" && a.Path != "state" && !known {
			t.Errorf("%s has no name", a.Path)
		}
	}
}

var hole = regexp.MustCompile(`\{([a-zA-Z]+)\}`)

// Every finding has words in both languages, which speak of no value that it may lack, and of
// the same ones in each.
func TestFindingWords(t *testing.T) {
	t.Parallel()
	optional := regexp.MustCompile(`\[[^\[\]]*\]`)
	forms := map[findingForm]bool{}
	for _, form := range directory.FindingForms() {
		at := findingForm{form.Code, form.Variant}
		forms[at] = true
		w, there := findingSays[at]
		if !there {
			t.Errorf("%v has no words", at)
			continue
		}
		if (w.count == "") != (w.one == text{}) || w.count != "" && !slices.Contains(form.Values, w.count) {
			t.Errorf("%v counts by %q, and says of one %q", at, w.count, w.one)
		}
		for _, said := range []text{w.found, w.one, w.follows, w.next} {
			holes := [tongues][]string{}
			for l := range tongues {
				if (said[l] == "") != (said == text{}) || said[l] == "" && said != w.one {
					t.Errorf("%v says nothing in %s", at, l)
				}
				if left := optional.ReplaceAllString(said[l], ""); strings.ContainsAny(left, "[]") {
					t.Errorf("%v has a bracket too many: %s", at, said[l])
				} else {
					for _, m := range hole.FindAllStringSubmatch(left, -1) {
						if !slices.Contains(form.Values, m[1]) {
							t.Errorf("%v says {%s}, which is not always known: %s", at, m[1], said[l])
						}
					}
				}
				if left := hole.ReplaceAllString(said[l], ""); strings.ContainsAny(left, "{}") {
					t.Errorf("%v has a brace too many: %s", at, said[l])
				}
				for _, m := range hole.FindAllStringSubmatch(said[l], -1) {
					if !slices.Contains(form.Values, m[1]) && !slices.Contains(form.Known, m[1]) {
						t.Errorf("%v says {%s}, which no finding has", at, m[1])
					}
					holes[l] = append(holes[l], m[1])
				}
				slices.Sort(holes[l])
			}
			if !slices.Equal(holes[english], holes[german]) {
				t.Errorf("%v speaks of %v in English and of %v in German", at, holes[english], holes[german])
			}
		}
	}
	for at := range findingSays {
		if !forms[at] {
			t.Errorf("%v has words, and nobody finds it", at)
		}
	}
}

// A finding is said in the page's language, by its values; where one is missing that the words
// speak of, or the code is not known, it is left to the API's sentences.
func TestFindingIsSaid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		form    findingForm
		values  map[string]any
		subject string
		want    [tongues]string // "" where the console does not say it
	}{
		"one": {findingForm{directory.CodeRunHeld, ""}, map[string]any{"runs": 1.0}, "", [tongues]string{"1 run is held for a decision.", "1 Lauf wartet auf eine Entscheidung."}},
		"many": {findingForm{directory.CodeAddressClash, ""}, map[string]any{"users": 1200.0, "example": "ann@corp.example", "detail": "A group has it"}, "",
			[tongues]string{`1,200 users&#39; addresses are somebody else&#39;s in the tenant, for example <bdi>ann@corp.example</bdi> (<bdi>A group has it</bdi>).`,
				`Die Adressen von 1.200 Benutzern hat im Mandanten jemand anders, zum Beispiel <bdi>ann@corp.example</bdi> (<bdi lang="en">A group has it</bdi>).`}},
		"without what may be unknown": {findingForm{directory.CodeAddressClash, ""}, map[string]any{"users": 2.0}, "",
			[tongues]string{`2 users&#39; addresses are somebody else&#39;s in the tenant.`, `Die Adressen von 2 Benutzern hat im Mandanten jemand anders.`}},
		"a day, and whom it concerns": {findingForm{directory.CodeDomainLost, ""}, map[string]any{"domain": "<b>", "on": "2026-03-02"}, "<b>",
			[tongues]string{`The domain <strong><bdi>&lt;b&gt;</bdi></strong> is not a verified one of the tenant any more; it was found so on <time datetime="2026-03-02">2 Mar 2026</time>.`,
				`Die Domäne <strong><bdi>&lt;b&gt;</bdi></strong> ist keine bestätigte des Mandanten mehr; festgestellt am <time datetime="2026-03-02">2. März 2026</time>.`}},
		"one request": {findingForm{directory.CodeScimRequestsRefused, ""}, map[string]any{"refused": 1.0, "requests": 5.0, "often": 1.0, "answer": "409", "passing": 1.0}, "",
			[tongues]string{`1 request, of 5 in the last 24 hours, was refused. The reason: <code>409</code> Not counted, as they pass by themselves or asked for somebody who is not there: 1.`,
				`1 Anfrage, von 5 der letzten 24 Stunden, wurde abgelehnt. Der Grund: <code>409</code> Nicht mitgezählt, weil von selbst erledigt oder auf der Suche nach jemandem, den es nicht gibt: 1.`}},
		"one of the newest requests": {findingForm{directory.CodeScimRequestsRefused, directory.VariantNewest}, map[string]any{"refused": 1.0, "requests": 500.0, "often": 1.0, "answer": "409"}, "",
			[tongues]string{`1 request, of the newest 500, was refused. The reason: <code>409</code>`, `1 Anfrage, von den neuesten 500, wurde abgelehnt. Der Grund: <code>409</code>`}},
		"requests": {findingForm{directory.CodeScimRequestsRefused, ""}, map[string]any{"refused": 2.0, "requests": 5.0, "often": 1.0, "answer": "409"}, "",
			[tongues]string{`2 of 5 requests of the last 24 hours were refused. The commonest reason (1 of them): <code>409</code>`, `2 von 5 Anfragen der letzten 24 Stunden wurden abgelehnt. Der häufigste Grund (1 davon): <code>409</code>`}},
		"one further domain": {findingForm{directory.CodeUsersOutsideDomains, directory.VariantOthers}, map[string]any{"domains": 1.0, "users": 3.0}, "",
			[tongues]string{`1 further domain of addresses is not the tenant&#39;s. Users with an address in it: 3.`, `1 weitere Domäne von Adressen gehört nicht dem Mandanten. Benutzer mit einer Adresse darin: 3.`}},
		"further domains": {findingForm{directory.CodeUsersOutsideDomains, directory.VariantOthers}, map[string]any{"domains": 2.0, "users": 1.0}, "",
			[tongues]string{`2 further domains of addresses are not the tenant&#39;s. Users with an address in one of them: 1.`, `2 weitere Domänen von Adressen gehören nicht dem Mandanten. Benutzer mit einer Adresse in einer davon: 1.`}},
		"of an earlier version":                 {findingForm{directory.CodeDomainLost, ""}, nil, "", [tongues]string{}},
		"a value that is no text and no number": {findingForm{directory.CodeDomainLost, ""}, map[string]any{"domain": true, "on": "2026-03-02"}, "", [tongues]string{}},
		"of a newer one":                        {findingForm{"newer", ""}, map[string]any{}, "", [tongues]string{}},
	} {
		for l := range tongues {
			v := &visit{lang: l}
			s, ours := v.inOurWords(test.form, test.values, test.subject)
			got := ""
			if ours {
				var b strings.Builder
				if err := s.found.Render(&b); err != nil {
					t.Fatal(err)
				}
				got = b.String()
			}
			if got != test.want[l] {
				t.Errorf("%s, in %s: %s\nwant %s", name, l, got, test.want[l])
			}
		}
	}
}
