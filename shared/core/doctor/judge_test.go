package doctor

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
)

// What the whole stack finds is tested with it (TestPlantedFaults in
// infra/local); here are the edges that a tenant does not come to easily.

func facts() *Facts {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return &Facts{
		Now: now, TokensUsed: now, Unread: map[string]string{},
		Connection: &directory.Connection{
			ID: "con_1", Status: directory.StatusActive, AuthorizedAt: now,
			AuthorizedBy: &directory.Administrator{UserPrincipalName: "ada@corp.example", Roles: []string{"User Administrator"}},
		},
		Admin:   &AdminFacts{Found: true, Enabled: true, Roles: []directory.Role{{TemplateID: "FE930BE7-5e62-47db-91af-98c3a49a38b1", DisplayName: "User Administrator"}}},
		Domains: []DomainIs{{Name: "corp.example", Verified: true, AuthenticationType: "Managed"}},
	}
}

func codes(r Report) (out []string) {
	for _, f := range r.Findings {
		out = append(out, f.Code)
	}
	return out
}

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		plant func(f *Facts)
		want  []string
	}{
		"nothing":                        {func(*Facts) {}, nil},
		"the token lives, the admin not": {func(f *Facts) { f.Admin.Found = false }, []string{"admin-gone"}},
		"the token lives, blocked":       {func(f *Facts) { f.Admin.Enabled = false }, []string{"admin-disabled"}},
		"roles that could not be read":   {func(f *Facts) { f.Admin.Roles = nil; f.Unread["roles"] = "throttled" }, nil},
		"roles that are not there":       {func(f *Facts) { f.Admin.Roles = nil }, []string{"admin-role-lost"}},
		"an hour's waiting":              {func(f *Facts) { f.OldestMark = f.Now.Add(-time.Hour) }, nil},
		"more than an hour's":            {func(f *Facts) { f.OldestMark = f.Now.Add(-time.Hour - 1) }, []string{"changes-wait"}},
		"59 days unused":                 {func(f *Facts) { f.TokensUsed = f.Now.Add(-60*24*time.Hour + 1) }, nil},
		"60 days unused":                 {func(f *Facts) { f.TokensUsed = f.Now.Add(-60 * 24 * time.Hour) }, []string{"token-unused"}},
		"domains that were not read":     {func(f *Facts) { f.Domains = nil }, nil},
		"pages in a circle, now": {func(f *Facts) {
			(&Doctor{}).miss(context.Background(), f, "accounts", &directory.Problem{Code: directory.CodePagingLoop, Message: "Turns."})
		}, []string{directory.CodePagingLoop}},
		"pages in a circle, in the engine": {func(f *Facts) {
			f.ReadLoop = &directory.Problem{Code: directory.CodePagingLoop, Message: "Turns.", Attempts: 2}
		}, []string{directory.CodePagingLoop}},
		"a large load under way": {func(f *Facts) {
			f.SlowRun = &directory.Run{ID: "run_1", Applied: 9000, StartedAt: f.Now.Add(-2 * time.Hour)}
		}, []string{"run-slow"}},
	} {
		f := facts()
		test.plant(f)
		r := Judge(f)
		if got := codes(r); !slices.Equal(got, test.want) {
			t.Errorf("%s: found %v, want %v", name, got, test.want)
		}
		// What could not be looked at is not well for that.
		healthy, info := r.Healthy(), name == "a large load under way"
		switch well := len(test.want) == 0 || info; {
		case well && len(f.Unread) > 0:
			if healthy != nil {
				t.Errorf("%s: healthy is %t, want that it is not known", name, *healthy)
			}
		case healthy == nil || *healthy != well:
			t.Errorf("%s: healthy is %v, want %t", name, healthy, well)
		}
	}
}

// TestManyDomains: a report stays small, the largest come first, nobody is lost.
func TestManyDomains(t *testing.T) {
	f := facts()
	f.People.Outside = map[string][]Person{}
	for i := range 200 {
		for j := range 1 + i%7 {
			name := fmt.Sprintf("d%03d.example", i)
			f.People.Outside[name] = append(f.People.Outside[name], Person{UserID: directory.UserID(fmt.Sprint(i, j)), Name: "x@" + name})
		}
	}
	all := 0
	for _, p := range f.People.Outside {
		all += len(p)
	}
	r := Judge(f)
	found := 0
	for _, one := range r.Findings {
		found += one.Users
		if len(one.Examples) > mostExamples {
			t.Errorf("%d examples", len(one.Examples))
		}
	}
	if len(r.Findings) != mostOutside+1 || found != all {
		t.Errorf("%d findings of %d users, want %d of %d", len(r.Findings), found, mostOutside+1, all)
	}
	for range 5 {
		if again := Judge(f); !reflect.DeepEqual(again, r) {
			t.Fatal("the same facts give another report")
		}
	}
}

func TestSPF(t *testing.T) {
	for text, want := range map[string]bool{"v=spf1": true, "V=SPF1 -all": true, "v=spf1-all": false, "v=spf10 x": false, " v=spf1": false, "MS=ms1": false} {
		if got := isSPF(text); got != want {
			t.Errorf("isSPF(%q) = %t", text, got)
		}
	}
}

func TestMailHosts(t *testing.T) {
	for host, want := range map[string]mailHost{
		"corp-example.mail.protection.outlook.com.":  {provider: microsoft, own: true},
		"other.mail.protection.outlook.com":          {provider: microsoft},
		"corp-example.a-v1.mx.microsoft":             {provider: microsoft, own: true},
		"mail.global.frontbridge.com":                {provider: microsoft, generic: true},
		"mail.messaging.microsoft.com":               {provider: microsoft, generic: true},
		"mail.eo.outlook.com":                        {provider: microsoft, generic: true},
		"corp-example.mail.eo.outlook.com":           {provider: microsoft, own: true},
		"aspmx.l.google.com":                         {provider: "Google"},
		"alt1.gmr-smtp-in.l.googlemail.com":          {provider: "Google"},
		"mail.protection.outlook.com.evil.example":   {provider: "mail.protection.outlook.com.evil.example"},
		"notprotection.outlook.com.example":          {provider: "notprotection.outlook.com.example"},
		"corp-example.mail.protection.office365.us.": {provider: microsoft, own: true},
	} {
		if got := classMX(host, "corp.example", "corp-example.mail.protection.outlook.com"); got != want {
			t.Errorf("%s is %+v, want %+v", host, got, want)
		}
	}
}

// TestMailOfAHyphenatedDomain: Microsoft's label of such a domain does not follow
// from its name, and is the same in the form for DNSSEC and in the one of old.
func TestMailOfAHyphenatedDomain(t *testing.T) {
	for host, want := range map[string][]string{
		"northwind-eu0i.mail.protection.outlook.com": nil,
		"NorthWind-EU0i.p-v1.mx.microsoft.":          nil,
		"northwind-eu0i.mail.eo.outlook.com":         nil,
		"northwind-eu.p-v1.mx.microsoft":             {"mx-of-another-tenant"},
		"mail.eo.outlook.com":                        {"mx-generic"},
	} {
		f := facts()
		f.Domains = []DomainIs{{Name: "north-wind.eu", Verified: true, AuthenticationType: "Managed",
			Expected: []Record{{Type: "MX", Label: "north-wind.eu", Value: "northwind-eu0i.mail.protection.outlook.com"}},
			DNS:      &DNS{MX: []string{host}}}}
		if got := codes(Judge(f)); !slices.Equal(got, want) {
			t.Errorf("%s: found %v, want %v", host, got, want)
		}
	}
}

// TestMicrosoftInSPF: what may name Microsoft is not reported.
func TestMicrosoftInSPF(t *testing.T) {
	for name, test := range map[string]struct {
		dns  DNS
		want []string
	}{
		"itself":            {DNS{TXT: []string{"v=spf1 include:SPF.Protection.Outlook.com -all"}}, nil},
		"by another record": {DNS{TXT: []string{"v=spf1 include:_spf.corp.example -all"}, SPFIncludes: []string{"_spf.corp.example", "spf.protection.outlook.com"}}, nil},
		"by a macro":        {DNS{TXT: []string{"v=spf1 include:%{d}.spf.example -all"}, SPFIncludes: []string{"%{d}.spf.example"}}, nil},
		"of another cloud":  {DNS{TXT: []string{"v=spf1 include:spf.protection.office365.us -all"}}, nil},
		"not at all":        {DNS{TXT: []string{"v=spf1 include:_spf.corp.example -all"}, SPFIncludes: []string{"_spf.corp.example"}}, []string{"spf-without-microsoft"}},
		"not to be known": {DNS{TXT: []string{"v=spf1 include:_spf.corp.example -all"}, Failed: map[string]string{"SPF": "the name server answers SERVFAIL"}},
			[]string{"dns-failure"}},
	} {
		f := facts()
		test.dns.MX, test.dns.Autodiscover = []string{"corp-example.mail.protection.outlook.com"}, "autodiscover.outlook.com"
		f.Domains[0].Email, f.Domains[0].DNS = true, &test.dns
		if got := codes(Judge(f)); !slices.Equal(got, test.want) {
			t.Errorf("%s: found %v, want %v", name, got, test.want)
		}
	}
}
