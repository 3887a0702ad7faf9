package doctor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// everyFinding are facts that give every form of every finding.
func everyFinding() (list []Finding) {
	judge := func(plant func(f *Facts)) {
		f := facts()
		plant(f)
		list = append(list, Judge(f).Findings...)
	}
	for _, code := range []string{"", directory.CodeGrantRevoked, directory.CodeAdminDeleted, directory.CodeAdminDisabled, directory.CodeConsentRemoved} {
		judge(func(f *Facts) {
			f.Connection.Status, f.Admin = directory.StatusNeedsAuthorization, nil
			if code != "" {
				f.Connection.Problem = &directory.Problem{Code: code, Message: "It is so.", Next: "Do this."}
			}
		})
	}
	judge(func(f *Facts) { f.Admin.Found = false })
	judge(func(f *Facts) { f.Admin.Enabled = false })
	judge(func(f *Facts) { f.Admin.Roles = nil })
	judge(func(f *Facts) {
		f.Admin.Roles, f.Connection.AuthorizedBy.Roles = nil, nil
	})
	judge(func(f *Facts) {
		f.Connection.AuthorizedBy.Roles = append(f.Connection.AuthorizedBy.Roles, "Global Administrator")
	})
	judge(func(f *Facts) {
		f.TokensUsed, f.Needed = f.Now.Add(-70*24*time.Hour), []string{"User.Invite.All"}
		f.Connection.Scopes = []string{"User.ReadWrite.All"}
		f.Connection.Settings.AuditLog, f.Connection.Settings.Groups, f.Connection.Settings.Licences = true, true, true
		f.Loops, f.ReadLoop = []directory.Problem{{Message: "Turns."}}, &directory.Problem{Message: "Turns.", Attempts: 3, Since: f.Now, Next: "Do this."}
		f.Connection.AuthorizedAt = f.Now.Add(-900 * time.Hour)
	})
	judge(func(f *Facts) { f.OldestMark = f.Now.Add(-2 * time.Hour) })
	judge(func(f *Facts) {
		f.HeldRuns, f.SlowRun = 2, &directory.Run{ID: "run_1", StartedAt: f.Now.Add(-2 * time.Hour), Waiting: &directory.Waiting{Why: "Microsoft asked to wait (429)"}}
	})
	judge(func(f *Facts) {
		f.SlowRun = &directory.Run{ID: "run_1", StartedAt: f.Now.Add(-2 * time.Hour)}
	})

	judge(func(f *Facts) {
		f.Domains = []DomainIs{{Name: "corp.example", Verified: true, AuthenticationType: "Federated", Realm: directory.Realm{NameSpaceType: "Federated", AuthURL: "https://sso.godaddy.com/x"}}}
	})
	judge(func(f *Facts) {
		f.Domains = []DomainIs{{Name: "new.example"}, {Name: "other.example", Verified: true, AuthenticationType: "Federated"}}
		f.ClaimedElsewhere = map[string]string{"other.example": "Second"}
		f.Connection.Tenant = &directory.Tenant{Domains: []directory.Domain{{Name: "lost.example", LostSince: f.Now}}, Offered: []directory.Domain{{Name: "offered.example"}}}
	})
	judge(func(f *Facts) { f.Domains = []DomainIs{{Name: "corp.onmicrosoft.com", Verified: true}} })
	judge(func(f *Facts) {
		f.People.Outside = map[string][]Person{}
		for i := range mostOutside + 2 {
			f.People.Outside["d"+strconv.Itoa(i)+".example"] = []Person{{UserID: "usr_1", Name: "ann@corp.example"}}
		}
	})

	const asked = "corp-example.mail.protection.outlook.com"
	for _, dns := range []DNS{
		{Failed: map[string]string{"MX": "SERVFAIL"}},
		{MX: []string{"mail.global.frontbridge.com", "smtp.google.com"}, Autodiscover: "mail.elsewhere.example", TXT: []string{"v=spf1 -all"}},
		{MX: []string{asked, "smtp.google.com"}, TXT: []string{"v=spf1 -all", "v=spf1 +all"}},
		{MX: []string{"mx.elsewhere.example"}},
		{MX: []string{"another.mail.protection.outlook.com"}},
		{},
	} {
		for _, expected := range [][]Record{nil, {{Type: "MX", Label: "corp.example", Value: asked}}} {
			judge(func(f *Facts) {
				f.Domains[0].DNS, f.Domains[0].Email, f.Domains[0].Expected = &dns, true, expected
			})
		}
	}

	for _, some := range [][]Person{{{UserID: "usr_1", Name: "ann@corp.example", Detail: "It is so."}}, {{UserID: "usr_1"}}} {
		groups := []Person{{GroupID: "grp_1", Name: "Sales", Detail: some[0].Detail}}
		judge(func(f *Facts) {
			f.People = People{Synced: some, Blocked: some, Guests: some, External: some, Clashes: some, Refused: some, NotTaken: some, Kept: some, Twice: some, More: true}
			f.Groups = GroupFacts{Gone: groups, ReadOnly: groups, Namesakes: groups, NotBound: some, More: true}
			sku := func(id directory.SKUID, status string, enabled, warning, suspended int) directory.LicenceSKU {
				return directory.LicenceSKU{ID: id, PartNumber: "P" + string(id), AppliesTo: directory.AppliesToUser, Status: status, Units: directory.LicenceUnits{Enabled: enabled, Warning: warning, Suspended: suspended}}
			}
			f.Licences = LicenceFacts{NoLocation: some, Waiting: some, OnDisabled: map[directory.SKUID][]Person{"a": some}, Failing: []FailingGroup{{Name: "Sales", Members: 3}},
				Products: []directory.LicenceSKU{sku("a", directory.SKUEnabled, 9, 0, 0), sku("b", directory.SKUWarning, 0, 5, 0), sku("c", "Suspended", 0, 0, 4)}}
			if some[0].Name != "" {
				f.Licences.Ours = map[directory.SKUID]int{"a": 1, "b": 2, "c": 3}
			}
		})
	}

	now := facts().Now
	for _, f := range everyClient(now) {
		list = append(list, JudgeClient(f)...)
	}
	return list
}

// everyClient are facts of clients that give every form of their findings.
func everyClient(now time.Time) (list []*ClientFacts) {
	day := 24 * time.Hour
	client := func(change func(f *ClientFacts)) {
		f := &ClientFacts{Now: now, Client: directory.ScimClient{Created: now.Add(-90 * day), LastSeen: now, SilentDays: 7}}
		change(f)
		list = append(list, f)
	}
	for _, seen := range []time.Time{{}, now.Add(-30 * day)} {
		client(func(f *ClientFacts) { f.Client.LastSeen, f.Client.Paused = seen, true })
		client(func(f *ClientFacts) {
			f.Client.LastSeen, f.Tokens = seen, []directory.ScimToken{{ID: "sct_1", Expires: now.Add(-day)}}
		})
	}
	ending := directory.ScimToken{ID: "sct_1", LastUsed: now, Expires: now.Add(day)}
	client(func(f *ClientFacts) { f.Tokens = []directory.ScimToken{ending} })
	client(func(f *ClientFacts) {
		f.Tokens = []directory.ScimToken{ending, {ID: "sct_2", Expires: now.Add(300 * day)}}
	})
	for _, more := range []bool{false, true} {
		client(func(f *ClientFacts) {
			f.More, f.Requests = more, []directory.ScimRequest{{At: now, Method: "POST", Status: 400, ScimType: "invalidValue", Detail: "It is so."}, {At: now, Method: "GET", Status: 429}}
		})
		client(func(f *ClientFacts) {
			f.More, f.Requests = more, []directory.ScimRequest{{At: now, Method: "POST", Status: 409}}
		})
	}
	return list
}

// Each finding has the values that its form has, and there is no form that nobody finds: so
// that whoever says a finding in words of their own can rely on them.
func TestFindingForms(t *testing.T) {
	t.Parallel()
	type form struct{ code, variant string }
	forms := map[form]directory.FindingForm{}
	for _, f := range directory.FindingForms() {
		at := form{f.Code, f.Variant}
		if _, twice := forms[at]; twice {
			t.Errorf("%v is there twice", at)
		}
		forms[at] = f
	}
	met := map[form]map[string]bool{}
	for _, f := range everyFinding() {
		at := form{f.Code, f.Variant}
		is, there := forms[at]
		if !there {
			t.Errorf("%v has no form: %s", at, f.Evidence)
			continue
		}
		if met[at] == nil {
			met[at] = map[string]bool{}
		}
		for name, v := range f.Values {
			met[at][name] = true
			switch v.(type) {
			case string, int:
			default:
				t.Errorf("%v: %s is a %T", at, name, v)
			}
			if !slices.Contains(is.Values, name) && !slices.Contains(is.Known, name) {
				t.Errorf("%v tells %s, which its form does not", at, name)
			}
		}
		for _, name := range is.Values {
			if f.Values[name] == nil {
				t.Errorf("%v does not tell %s: %v", at, name, f.Values)
			}
		}
	}
	for at, is := range forms {
		if met[at] == nil {
			t.Errorf("nobody finds %v", at)
			continue
		}
		for _, name := range is.Known {
			if !met[at][name] {
				t.Errorf("%v never tells %s", at, name)
			}
		}
	}
}

// Every code by which a rule names a finding has a form.
func TestEveryFindingHasAForm(t *testing.T) {
	t.Parallel()
	forms := map[string]bool{}
	for _, f := range directory.FindingForms() {
		forms[f.Code] = true
	}
	texts := map[string]string{}
	inspect := func(path string, look func(ast.Node) bool) {
		t.Helper()
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, look)
	}
	inspect("../../directory/codes.go", func(n ast.Node) bool {
		if spec, is := n.(*ast.ValueSpec); is && len(spec.Values) == 1 {
			if lit, is := spec.Values[0].(*ast.BasicLit); is {
				texts[spec.Names[0].Name], _ = strconv.Unquote(lit.Value)
			}
		}
		return true
	})
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	// Codes of problems by which findings are found, and no findings themselves.
	looked := map[string]bool{"CodeAdminDeleted": true, "CodeAdminConsentRequired": true, "CodeAppRemoved": true, "CodeAppDisabled": true, "CodeAppRefused": true}
	n := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || strings.HasPrefix(e.Name(), "gather") {
			continue
		}
		inspect(e.Name(), func(node ast.Node) bool {
			at, is := node.(*ast.SelectorExpr)
			if !is || !strings.HasPrefix(at.Sel.Name, "Code") || at.Sel.Name == "Code" || looked[at.Sel.Name] {
				return true
			}
			if n++; !forms[texts[at.Sel.Name]] {
				t.Errorf("%s names %s, of which FindingForms has no form", e.Name(), at.Sel.Name)
			}
			return true
		})
	}
	if n < 50 {
		t.Errorf("only %d codes were found", n)
	}
}
