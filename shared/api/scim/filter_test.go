package scim

import (
	"errors"
	"fmt"
	"testing"

	"bindery/shared/core/provision"
)

var users = newUserType(nil)

// document reads a document of a test.
func document(t testing.TB, s string) *object {
	t.Helper()
	o, err := readObject([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return o
}

const ann = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Ann@x.example","profileUrl":"https://x.example/A","externalId":"A1","title":"CTO","active":true,"name":{"familyName":"Bee"},
	"emails":[{"value":"ann@x.example","type":"work","primary":true},{"value":"p@x.example","type":"home"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"7","manager":{"value":"usr_2"}},
	"meta":{"lastModified":"2026-11-29T12:00:00Z","location":"https://b.example/Users/usr_A"}}`

// The forms are those of section 5 of the reference, and of RFC 7644, 3.4.2.2.
var filters = []struct {
	filter string
	holds  bool
}{
	{`userName eq "ann@x.example"`, true},
	{`userName  eq  "ann@x.example"`, true},
	{`username Eq "ANN@X.EXAMPLE"`, true},
	{`userName eq ann@x.example`, true},
	{`userName eq 'ann@x.example'`, true},
	{`userName ne "ann@x.example"`, false},
	{`userName sw "ann" and userName ew ".example" and userName co "@x"`, true},
	{`externalId eq "A1"`, true},
	{`externalId eq "a1"`, false},
	{`externalId eq A1`, true},
	{`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ann@x.example"`, true},
	{`emails[type eq "work"].value eq "ann@x.example"`, true},
	{`emails[type eq "home"].value eq "ann@x.example"`, false},
	{`emails[type eq "WORK" and primary eq true]`, true},
	{`emails[type eq "work"] and title eq "x"`, false},
	{`emails[primary eq "True"].value eq "ann@x.example"`, true},
	{`emails eq "p@x.example"`, true},
	{`emails.value eq "p@x.example"`, true},
	{`emails.type eq "other"`, false},
	{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "7"`, true},
	{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.employeeNumber eq 7`, true},
	{`employeeNumber eq "8"`, false},
	{`manager eq "usr_2"`, true},
	{`manager.value eq "usr_2" and userName pr`, true},
	{`nickName pr or title pr`, true},
	{`nickName eq null`, true},
	{`title eq ""`, false},
	{`not (active eq false)`, true},
	{`(userName sw "a" or title pr) and not (active eq false)`, true},
	{`userName eq "x" or userName eq "y" and title pr`, false},
	{`active eq True`, true},
	{`meta.lastModified gt "2026-11-29T12:00:00+01:00"`, true},
	{`meta.lastModified lt "2026-11-29T12:00:00Z"`, false},
	{`title ge "CTO" and title le "CTO" and not(title gt "CTO")`, true},
	{`displayName eq "O\"Neill"`, false},
	{`meta.lastModified gt "2026-11-29"`, true},
	{`meta.lastModified le "2026-11-29t12:00:00"`, true},
	{`meta.lastModified sw "2026-11-29T12"`, true},
	{`title sw ""`, true},
	{`nickName co ""`, false},
	{`name eq null`, false},
	{`active ne "False"`, true},
	{`profileUrl eq "https://x.example/A"`, true},
	{`profileUrl eq "https://X.example/A"`, false}, // as /Schemas says: caseExact
	{`profileUrl co "/a"`, false},
	{`profileUrl sw "https://x"`, true},
	{`meta.location eq "https://b.example/Users/usr_a"`, false},
	{`schemas eq "urn:ietf:params:scim:schemas:core:2.0:User"`, true},
}

func TestFilter(t *testing.T) {
	t.Parallel()
	doc := document(t, ann)
	for _, tt := range filters {
		e, err := users.parseFilter(tt.filter, &notes{strict: true})
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		if e.holds(doc) != tt.holds {
			t.Errorf("%s (%s) is %v", tt.filter, e, !tt.holds)
		}
		again, err := users.parseFilter(e.String(), &notes{strict: true})
		if err != nil || again.String() != e.String() {
			t.Errorf("%s, printed: %s, read again: %v, %v", tt.filter, e, again, err)
		}
	}
}

// A value behind pr is ignored for a client that is not strict: WSO2's tests send one.
func TestValueBehindPresent(t *testing.T) {
	t.Parallel()
	doc := document(t, ann)
	for filter, holds := range map[string]bool{`userName pr loginUser1`: true, `nickName pr "x" or title pr 'y'`: true, `nickName pr x and title pr`: false, `emails[type pr "work" and value co "ann"]`: true, `(nickName pr 7)`: false} {
		n := &notes{}
		e, err := users.parseFilter(filter, n)
		if err != nil || e.holds(doc) != holds || len(n.list) == 0 {
			t.Errorf("%s: %v, %v, %q", filter, e, err, n.list)
		}
		if _, err := users.parseFilter(filter, &notes{strict: true}); err == nil {
			t.Errorf("%s was taken of a strict client", filter)
		}
	}
	for _, filter := range []string{`userName pr x y`, `userName pr eq "x"`, `userName pr "x`, `userName pr (title pr)`} {
		if e, err := users.parseFilter(filter, &notes{}); err == nil {
			t.Errorf("%s was taken as %s", filter, e)
		}
	}
}

func TestFilterRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "userName", "userName eq", `userName eq "`, `userName is "x"`, `shoeSize eq "7"`, `email eq "x"`, `userName eq "x" and`, `(userName pr`,
		`userName eq "x" y`, `emails[type eq "work"`, `emails[shoe eq "x"]`, `userName[type eq "x"]`, `emails[emails[type pr]]`, `not userName pr or`, `userName.x eq "y"`,
		`urn:acme:User:badge eq "x"`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User eq "x"`, `userName eq )`, `userName eq "\q"`,
		`active eq "perhaps"`, `active ne 1`, `active co "tru"`, `active gt false`, `name eq "a"`, `addresses co "a"`, `meta eq "a"`, `emails[primary eq "yes"]`,
		`meta.created lt "rubbish"`, `meta.lastModified eq 5`, `meta.created gt null`, `userName co null`, `not (active eq "perhaps")`} {
		_, err := users.parseFilter(s, &notes{strict: true})
		p, is := errors.AsType[*Problem](err)
		if !is || p.Status != 400 || p.Type != typeInvalidFilter {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, tt := range filters {
		f.Add(tt.filter)
	}
	doc := document(f, ann)
	f.Fuzz(func(t *testing.T, s string) {
		e, err := users.parseFilter(s, &notes{strict: true})
		if err != nil {
			return
		}
		printed := e.String()
		again, err := users.parseFilter(printed, &notes{strict: true})
		if len(printed) > maxFilter {
			return
		}
		if err != nil {
			t.Fatalf("%q, printed %q: %v", s, printed, err)
		}
		if again.holds(doc) != e.holds(doc) || again.String() != printed {
			t.Fatalf("%q, printed %q, read again %q", s, printed, again)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{"active", "/displayName", "Name.GivenName", `emails[type eq "work"].value`, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department", `manager[value eq "x"]`, `members[value eq "x"]`} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := users.parsePath(s)
		if err != nil {
			return
		}
		again, err := users.parsePath(p.String())
		if len(p.String()) <= maxFilter && (err != nil || again.String() != p.String()) {
			t.Fatalf("%q, printed %q, read again %q: %v", s, p, again, err)
		}
	})
}

// Whatever is shown of a manager is found by a filter, and nobody is by what is not shown: of
// one who is not there, or whom the client does not see.
func TestFiltersOfManagers(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{OwnOnly: &own})
		by := func(id string) string {
			return fmt.Sprintf(`,"%s":{"manager":{"value":"%s"}}`, schemaEnterprise, id)
		}
		alpha := w.make("alpha@x.example", `,"displayName":"Alpha"`)
		foreign, err := w.users.Create(t.Context(), ada, []byte(`{"email":"manual@x.example","displayName":"Manual"}`))
		w.Must(err)
		w.make("one@x.example", by(alpha))
		w.make("two@x.example", by(alpha))
		w.make("early@x.example", by("nobody"))
		w.make("out@x.example", by(string(foreign.ID)))
		ref := "https://b.example" + Prefix + string(w.client.ID) + root + "/Users/" + alpha
		for filter, want := range map[string][2]string{ // who sees all, and who only its own
			`manager.displayName eq "alpha"`: {"2", "2"}, `manager.displayName eq "Beta"`: {"0", "0"}, `manager.displayName sw "al"`: {"2", "2"},
			schemaEnterprise + `:manager.displayName pr`: {"3", "2"}, `manager.$ref pr`: {"3", "2"}, `manager.$ref eq "` + ref + `"`: {"2", "2"},
			`manager[value eq "` + alpha + `" and displayName eq "Alpha"]`: {"2", "2"}, `manager.displayName eq "Manual"`: {"1", "0"},
			`userName eq "one@x.example" and manager.displayName eq "Alpha"`: {"1", "1"}, `userName eq "one@x.example" and manager.displayName eq "Beta"`: {"0", "0"},
			`not (manager.displayName pr)`: {"3", "3"}, `manager.value eq "` + alpha + `"`: {"2", "2"}, `manager pr`: {"4", "4"},
		} {
			which := map[bool]int{true: 1}[own]
			if total, _ := results(w.want(200, "GET", "/Users?filter="+esc(filter), nil)); total != want[which] {
				t.Errorf("own only %v, %s: %s, want %s", own, filter, total, want[which])
			}
		}
		w.counted.calls.Store(0)
		w.want(200, "GET", "/Users?attributes=userName&filter="+esc(`manager.displayName eq "Alpha"`), nil)
		named := w.counted.calls.Load()
		w.counted.calls.Store(0)
		w.want(200, "GET", "/Users?attributes=userName&filter="+esc(`manager.value eq "`+alpha+`"`), nil)
		if plain := w.counted.calls.Load(); named-plain != 3 {
			t.Errorf("own only %v: %d calls beside %d, want three: one for each manager", own, named, plain)
		}
		w.want(204, "DELETE", "/Users/"+alpha, nil)
		for filter, want := range map[string]string{`manager.displayName eq "Alpha"`: "0", `manager.$ref eq "` + ref + `"`: "0", `manager.value eq "` + alpha + `"`: "2"} {
			total, list := results(w.want(200, "GET", "/Users?filter="+esc(filter), nil))
			if total != want {
				t.Errorf("own only %v, deleted, %s: %s, want %s", own, filter, total, want)
			}
			for _, o := range list {
				if m := managerOf(o); m.get("$ref") != nil || m.get("displayName") != nil {
					t.Errorf("own only %v: a manager who is deleted is shown as %s", own, printed(w, m))
				}
			}
		}
	}
}
