package entra

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

var someProperties = []string{"jobTitle", "department", "businessPhones", "otherMails", "mobilePhone", "extensionAttribute3", "extensionAttribute9"}

func TestIdentityOfTheTenant(t *testing.T) {
	w := newWorld(t, 0)
	tenant, err := w.tenant.Organization(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tenant.ID != simTenant || tenant.DisplayName != "Fabrikam" {
		t.Errorf("Organization = %s %q", tenant.ID, tenant.DisplayName)
	}
	kinds := map[string]string{}
	for _, d := range tenant.Domains {
		kinds[d.Name] = d.AuthenticationType
	}
	if kinds["fabrikam.example"] != "Managed" || kinds["fed.example"] != "Federated" || kinds["unproven.example"] != "" {
		t.Errorf("Organization's domains = %v, want the verified ones", kinds)
	}
	me, err := w.tenant.Me(t.Context())
	if err != nil || me.ID != adminID || me.UserPrincipalName() != "admin@fabrikam.example" || me.Properties["displayName"].String() != "Ada" {
		t.Errorf("Me = %s %v, %v", me.ID, me.Properties, err)
	}
	roles, err := w.tenant.MyRoles(t.Context())
	if err != nil || len(roles) != 2 || !slices.ContainsFunc(roles, func(r directory.Role) bool {
		return r.TemplateID == "62e90394-69f5-4237-9190-012177145e10" && r.DisplayName == "Global Administrator"
	}) {
		t.Errorf("MyRoles = %v, %v", roles, err)
	}
	if n := len(w.sim.Requests()); n != 4 {
		t.Errorf("a callback's reads took %d requests, want 4", n)
	}
	for _, r := range w.sim.Requests() {
		if r.ClientID == "" || r.Priority != "high" {
			t.Errorf("%s went with client-request-id %q and priority %q", r.Path, r.ClientID, r.Priority)
		}
	}
}

func TestRoleHolders(t *testing.T) {
	holders := func(w *world) []directory.AccountID {
		ids, err := w.tenant.RoleHolders(t.Context())
		if err != nil || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Fatalf("RoleHolders = %v, %v; want them sorted and once each", ids, err)
		}
		return ids
	}
	w := newWorld(t, 0, "GroupMember.Read.All")
	w.graph.adapter = unchecked(t, w)
	if got, want := holders(w), []directory.AccountID{adminID, memberID, ownerID}; !slices.Equal(got, want) {
		t.Errorf("RoleHolders = %v, want %v", got, want)
	}
	w = newWorld(t, 0)
	if got, want := holders(w), []directory.AccountID{adminID}; !slices.Equal(got, want) {
		t.Errorf("RoleHolders without the permission to read groups = %v, want %v", got, want)
	}
	if !strings.Contains(w.log.String(), "GroupMember.Read.All") {
		t.Error("that groups could not be read is not in the log")
	}
}

func TestListPages(t *testing.T) {
	w := newWorld(t, 2500)
	seen := map[directory.AccountID]directory.Account{}
	pages, link := 0, ""
	for {
		page, err := w.tenant.List(t.Context(), someProperties, link)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Accounts {
			seen[a.ID] = a
		}
		pages++
		if link = page.Next; link == "" {
			break
		}
	}
	if len(seen) != 2506 || pages != 3 {
		t.Errorf("List gave %d accounts on %d pages, want 2506 on 3", len(seen), pages)
	}
	checkPlain(t, seen[plainID])
	box := seen[boxID]
	if len(box.ProxyAddresses) != 2 || box.Properties["mail"].String() != "box@fabrikam.example" || !box.Properties["jobTitle"].IsNull() {
		t.Errorf("List's mailbox = %+v", box)
	}
	if _, ok := box.Properties["extensionAttribute9"]; !ok {
		t.Error("List left out a property that was asked for and is not there")
	}
	if !seen[syncedID].OnPremisesSync || seen[plainID].OnPremisesSync || seen[plainID].UserType != "Member" || seen[plainID].Created.IsZero() {
		t.Error("List lost a field that comes in any case")
	}
}

func checkPlain(t *testing.T, a directory.Account) {
	t.Helper()
	for name, want := range map[string]directory.Value{
		"jobTitle": directory.StringValue("Clerk"), "businessPhones": directory.ListValue("+41 44 000 00 00"),
		"otherMails": directory.ListValue("plain@home.example"), "extensionAttribute3": directory.StringValue("b-17"),
		"extensionAttribute9": directory.Null, "accountEnabled": directory.BoolValue(true),
	} {
		if got, ok := a.Properties[name]; !ok || !got.Equal(want) {
			t.Errorf("the account's %s = %q, %v; want %q", name, got, ok, want)
		}
	}
	if _, ok := a.Properties["extensionAttribute4"]; ok {
		t.Error("the account has a property that nobody asked for")
	}
}

// round reads a delta round to its end.
func (w *world) deltaRound(link string) (map[directory.AccountID]directory.Account, []directory.RemovedAccount, string) {
	w.Helper()
	accounts, removed := map[directory.AccountID]directory.Account{}, []directory.RemovedAccount(nil)
	for range 50 {
		page, err := w.tenant.Delta(w.Context(), someProperties, link)
		if err != nil {
			w.Fatal(err)
		}
		for _, a := range page.Accounts {
			if old, ok := accounts[a.ID]; ok {
				for k, v := range old.Properties {
					if _, ok := a.Properties[k]; !ok {
						a.Properties[k] = v
					}
				}
			}
			accounts[a.ID] = a
		}
		removed = append(removed, page.Removed...)
		if page.DeltaLink != "" {
			return accounts, removed, page.DeltaLink
		}
		link = page.Next
	}
	w.Fatal("the round does not end")
	return nil, nil, ""
}

func TestDeltaLifeCycle(t *testing.T) {
	w := newWorld(t, 1200)
	w.fault(entratest.Fault{Kind: "delta-split", Times: 1})
	w.fault(entratest.Fault{Kind: "delta-duplicate", Times: 2})
	w.fault(entratest.Fault{Kind: "delta-empty-page", Nth: 2, Times: 1})
	accounts, _, link := w.deltaRound("")
	if len(accounts) != 1206 {
		t.Errorf("the first round has %d accounts, want 1206", len(accounts))
	}
	checkPlainPartial(t, accounts[plainID])

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.sim.EditAccount(simTenant, plainID, map[string]any{"jobTitle": nil, "department": "Research"}))
	must(w.sim.DeleteAccount(simTenant, boxID))
	accounts, removed, link := w.deltaRound(link)
	a := accounts[plainID]
	if v, ok := a.Properties["jobTitle"]; !ok || !v.IsNull() {
		t.Errorf("a cleared property reads %q, %v; want null", v, ok)
	}
	if len(accounts) != 1 || a.Properties["department"].String() != "Research" {
		t.Errorf("the second round has %d accounts, department %q", len(accounts), a.Properties["department"])
	}
	if !slices.Contains(removed, directory.RemovedAccount{ID: boxID}) {
		t.Errorf("the second round's removed = %v, want %s, not for good", removed, boxID)
	}
	if out := w.write(directory.AccountWrite{Effect: directory.EffectRestore, AccountID: boxID}); out.Problem != nil || out.AccountID != boxID || out.UserPrincipalName != "box@fabrikam.example" {
		t.Errorf("Write(restore) = %+v", out)
	}
	if accounts, _, _ = w.deltaRound(link); accounts[boxID].Properties["mail"].String() != "box@fabrikam.example" {
		t.Errorf("a restored account reads %v", accounts[boxID].Properties)
	}
}

func checkPlainPartial(t *testing.T, a directory.Account) {
	t.Helper()
	if a.Properties["jobTitle"].String() != "Clerk" || a.Properties["extensionAttribute3"].String() != "b-17" {
		t.Errorf("a delta item's properties = %v", a.Properties)
	}
}

func TestDeltaItemsAreNotFilled(t *testing.T) {
	page, err := decodePage([]byte(`{"value":[{"id":"x","jobTitle":null,"department":"D"},
		{"id":"y","@removed":{"reason":"deleted"}},{"id":"z","@removed":{"reason":"changed"}},
		{"id":"e","onPremisesExtensionAttributes":null}]}`), newSelection(someProperties), true)
	if err != nil || len(page.Accounts) != 2 {
		t.Fatalf("decodePage = %+v, %v", page, err)
	}
	if got := page.Accounts[0].Properties.Names(); !slices.Equal(got, []string{"department", "jobTitle"}) {
		t.Errorf("the item has %v, want only what it was sent with", got)
	}
	if got := page.Accounts[1].Properties.Names(); !slices.Equal(got, []string{"extensionAttribute3", "extensionAttribute9"}) {
		t.Errorf("null for all extension attributes reads %v", got)
	}
	if want := []directory.RemovedAccount{{ID: "y", Permanent: true}, {ID: "z"}}; !slices.Equal(page.Removed, want) {
		t.Errorf("removed = %v, want %v", page.Removed, want)
	}
}

func TestDeadLinks(t *testing.T) {
	gone := func(code string, status int) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return answer(status, `{"error":{"code":"`+code+`","message":"m"}}`, "Location", simBase+"/v1.0/users/delta?$deltatoken="), nil
		}
	}
	w := newWorld(t, 300)
	_, _, link := w.deltaRound("")
	for name, set := range map[string]func(){
		"410":                   func() { w.fault(entratest.Fault{Kind: "delta-gone", Times: 1}) },
		"state not found":       func() { w.fault(entratest.Fault{Kind: "delta-state-not-found", Times: 1}) },
		"410 without a body":    func() { w.round = func(*http.Request) (*http.Response, error) { return answer(410, ""), nil } },
		"resyncRequired":        func() { w.round = gone("resyncRequired", 400) },
		"another case":          func() { w.round = gone("SYNCSTATENOTFOUND", 404) },
		"expired page":          func() { w.round = gone("Directory_ExpiredPageToken", 400) },
		"unknown page":          func() { w.round = gone("DirectoryPageTokenNotFoundException", 400) },
		"token of another kind": func() { link = simBase + "/v1.0/users/delta?$deltatoken=nonsense" },
	} {
		t.Run(name, func(t *testing.T) {
			set()
			defer func() { w.round = nil; w.sim.ClearFaults() }()
			if _, err := w.tenant.Delta(t.Context(), someProperties, link); !errors.Is(err, directory.ErrResync) {
				t.Errorf("Delta = %v, want ErrResync", err)
			}
		})
	}
	w.round = gone("syncStateNotFound", 410)
	if _, err := w.tenant.Delta(t.Context(), someProperties, ""); !errors.Is(err, directory.ErrUnavailable) || errors.Is(err, directory.ErrResync) {
		t.Errorf("Delta without a link = %v, want ErrUnavailable: there is no link to drop", err)
	}
	w.round = nil
	page, err := w.tenant.List(t.Context(), nil, simBase+"/v1.0/users?$top=100")
	if err != nil || page.Next == "" {
		t.Fatal(err)
	}
	w.fault(entratest.Fault{Kind: "page-expired", Times: 1})
	if _, err := w.tenant.List(t.Context(), nil, page.Next); !errors.Is(err, directory.ErrResync) {
		t.Errorf("List of an expired page = %v, want ErrResync", err)
	}
	w.sim.Advance(8 * 24 * time.Hour)
	w.tokens.current = w.tokens.fresh()
	if _, err := w.tenant.List(t.Context(), nil, page.Next); !errors.Is(err, directory.ErrResync) {
		t.Errorf("List of an old page = %v, want ErrResync", err)
	}
}

func TestForeignLinks(t *testing.T) {
	w := newWorld(t, 0)
	for _, link := range []string{
		"https://evil.example/v1.0/users?$skiptoken=x", "http://m365.example/v1.0/users", "https://m365.example:8443/v1.0/users",
		"https://m365.example/beta/users", "https://m365.example/v1.0", "https://m365.example/v1.0evil/users",
		"https://u:p@m365.example/v1.0/users", "https://m365.example/v1.0/../beta/users", "https://m365.example/v1.0/%2e%2e/beta/users",
		"//evil.example/v1.0/users", "/v1.0/users", "users", "https://m365.example.evil.example/v1.0/users", "%", "https://m365.example@evil.example/v1.0/users",
		"javascript:alert(1)", "https:m365.example/v1.0/users",
	} {
		w.round = func(r *http.Request) (*http.Response, error) {
			t.Errorf("the link %q was followed to %s", link, r.URL.Host)
			return answer(500, ""), nil
		}
		if _, err := w.tenant.List(t.Context(), nil, link); !errors.Is(err, directory.ErrForeignLink) {
			t.Errorf("List(%q) = %v, want ErrForeignLink", link, err)
		}
		for _, member := range []string{"@odata.nextLink", "@odata.deltaLink"} {
			w.round = func(*http.Request) (*http.Response, error) {
				return answer(200, `{"value":[],"`+member+`":"`+link+`"}`), nil
			}
			if _, err := w.tenant.Delta(t.Context(), nil, ""); !errors.Is(err, directory.ErrForeignLink) {
				t.Errorf("Delta with %s %q = %v, want ErrForeignLink", member, link, err)
			}
		}
	}
	for _, to := range []string{"https://evil.example/v1.0/users", "https://m365.example/v1.0/users2"} {
		hosts := []string{}
		w.round = func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			return answer(307, "", "Location", to), nil
		}
		_, err := w.tenant.List(t.Context(), nil, "")
		if want := strings.Contains(to, "evil"); len(hosts) != 1 || errors.Is(err, directory.ErrForeignLink) != want || err == nil {
			t.Errorf("a redirect to %s: %v after %v", to, err, hosts)
		}
	}
	w.round = nil
	if _, err := w.tenant.List(t.Context(), nil, "https://M365.example:443/v1.0/users?$top=5"); err != nil {
		t.Errorf("List of our own host in another spelling = %v", err)
	}
}

func TestLookup(t *testing.T) {
	w := newWorld(t, 60)
	page, err := w.tenant.List(t.Context(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 19, 20, 21, 41} {
		w.sim.ResetRequests()
		refs := make([]string, n)
		for i := range refs {
			refs[i] = string(page.Accounts[i].ID)
			if i%2 == 1 {
				refs[i] = strings.ToUpper(page.Accounts[i].UserPrincipalName())
			}
		}
		if n > 2 {
			refs[2] = nobodyID
		}
		found, err := w.tenant.Lookup(t.Context(), refs, someProperties)
		if err != nil || len(found) != n {
			t.Fatalf("Lookup of %d = %d, %v", n, len(found), err)
		}
		for i, f := range found {
			if i == 2 {
				if f.Account != nil || f.Problem != nil || f.Retry {
					t.Errorf("Lookup of nobody = %+v", f)
				}
			} else if f.Account == nil || f.Account.ID != page.Accounts[i].ID {
				t.Errorf("Lookup's answer %d of %d is not in its place: %+v", i, n, f)
			}
		}
		batches := 0
		for _, r := range w.sim.Requests() {
			if strings.HasSuffix(r.Path, "$batch") {
				batches++
			}
		}
		if want := (n + 19) / 20; batches != want {
			t.Errorf("Lookup of %d took %d batches, want %d", n, batches, want)
		}
	}
	found, err := w.tenant.Lookup(t.Context(), []string{plainID, "box@fabrikam.example"}, someProperties)
	if err != nil {
		t.Fatal(err)
	}
	checkPlain(t, *found[0].Account)
	if found[1].Account == nil || found[1].Account.ID != boxID {
		t.Errorf("Lookup by name = %+v", found[1])
	}
}

func TestLookupOfOddNames(t *testing.T) {
	w := newWorld(t, 0)
	if got, want := segment("$d'x@fabrikam.example"), "('$d%27%27x@fabrikam.example')"; got != want {
		t.Errorf("segment = %s, want %s", got, want)
	}
	odd := []string{"o'brien@fabrikam.example", "a#b@fabrikam.example"}
	for _, name := range odd {
		if _, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": name, "displayName": "Odd"}); err != nil {
			t.Fatal(err)
		}
		found, err := w.tenant.Lookup(t.Context(), []string{name}, nil)
		if err != nil || found[0].Account == nil || found[0].Account.UserPrincipalName() != name {
			t.Errorf("Lookup(%s) = %+v, %v", name, found, err)
		}
	}
	before := len(w.sim.Requests())
	refs := []string{"", "delta", "me", "$count", "../users", "a/b@c", "x y@z", nobodyID + "/manager", "?@x y"}
	found, err := w.tenant.Lookup(t.Context(), refs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range found {
		if f.Problem == nil || f.Problem.Code != "request-invalid" {
			t.Errorf("Lookup(%q) = %+v, want it refused", refs[i], f)
		}
	}
	if len(w.sim.Requests()) != before {
		t.Error("a reference that is none was sent")
	}
}

func TestOnlyGraphsOwn404IsGone(t *testing.T) {
	w := newWorld(t, 0)
	for name, item := range map[string]string{
		"a gateway's 404":  `{"id":"1","status":404,"body":"PGh0bWw+"}`,
		"an empty 404":     `{"id":"1","status":404}`,
		"another 404":      `{"id":"1","status":404,"body":{"error":{"code":"BadRequest","message":"Resource not found for the segment 'x'."}}}`,
		"no answer":        `{"id":"7","status":200,"body":{}}`,
		"a 200 of nothing": `{"id":"1","status":200,"body":null}`,
		"another object":   `{"id":"1","status":200,"body":{"value":[]}}`,
		"a fault":          `{"id":"1","status":500,"body":{"error":{"code":"x"}}}`,
		"throttling":       `{"id":"1","status":429,"headers":{"Retry-After":"2.128"}}`,
	} {
		w.round = func(*http.Request) (*http.Response, error) { return answer(200, `{"responses":[`+item+`]}`), nil }
		found, err := w.tenant.Lookup(t.Context(), []string{plainID}, nil)
		if err != nil || found[0].Account != nil || found[0].Problem == nil || !found[0].Retry {
			t.Errorf("Lookup answered by %s = %+v, %v; want a problem to try again", name, found, err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	w.round = nil
	if _, err := w.tenant.Lookup(cancelled, []string{plainID}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Lookup after cancelling = %v", err)
	}
}

func TestSearch(t *testing.T) {
	w := newWorld(t, 0)
	if err := w.sim.EditAccount(simTenant, plainID, map[string]any{"mail": "shared@fabrikam.example"}); err != nil {
		t.Fatal(err)
	}
	addresses := []string{"BOX@fabrikam.example", "o'box@fabrikam.example", "nobody@fabrikam.example", "shared@fabrikam.example", " ", "box"}
	got, problems, err := w.tenant.Search(t.Context(), addresses, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{boxID, boxID, "", plainID, "", ""}
	for i := range addresses {
		ids := ""
		for _, a := range got[i] {
			ids += string(a.ID)
		}
		if ids != want[i] || (problems[i] != nil) != (strings.TrimSpace(addresses[i]) == "") {
			t.Errorf("Search(%q) = %q, %v; want %q", addresses[i], ids, problems[i], want[i])
		}
	}
	w.fault(entratest.Fault{Kind: "page-empty", Times: 1, Path: "/users"})
	if got, _, err = w.tenant.Search(t.Context(), addresses[:1], nil); err != nil || len(got[0]) != 1 {
		t.Errorf("Search over an empty page = %v, %v; want the account on the next", got, err)
	}
	w.fault(entratest.Fault{Kind: "throttle", Path: "^/users", RetryAfter: "7", Times: 1})
	_, _, err = w.tenant.Search(t.Context(), addresses[:2], nil)
	if throttled, ok := errors.AsType[*directory.ThrottledError](err); !ok || throttled.RetryAfter != 7*time.Second {
		t.Errorf("Search when throttled = %v", err)
	}
}

func TestDeleted(t *testing.T) {
	w := newWorld(t, 0)
	if err := w.sim.DeleteAccount(simTenant, boxID); err != nil {
		t.Fatal(err)
	}
	w.graph.adapter = unchecked(t, w)
	found, err := w.tenant.Deleted(t.Context(), []directory.AccountID{boxID, plainID}, someProperties)
	if err != nil {
		t.Fatal(err)
	}
	a := found[0].Account
	if a == nil || a.ID != boxID || a.UserPrincipalName() != "box@fabrikam.example" || a.Deleted == nil {
		t.Errorf("Deleted = %+v", found[0])
	}
	if found[1].Account != nil || found[1].Problem != nil {
		t.Errorf("Deleted of a living account = %+v, want nothing", found[1])
	}
}

func TestReadFaults(t *testing.T) {
	w := newWorld(t, 0)
	throttled := func(d time.Duration) func(error) bool {
		return func(err error) bool {
			t, ok := errors.AsType[*directory.ThrottledError](err)
			return ok && t.RetryAfter == d
		}
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	for name, row := range map[string]struct {
		fault entratest.Fault
		good  func(error) bool
	}{
		"429":              {entratest.Fault{Kind: "throttle", RetryAfter: "2.128"}, throttled(2128 * time.Millisecond)},
		"429 without wait": {entratest.Fault{Kind: "throttle"}, throttled(defaultWait)},
		"429 for a day":    {entratest.Fault{Kind: "throttle", RetryAfter: "86400"}, throttled(maxWait)},
		"503":              {entratest.Fault{Kind: "status", Status: 503}, is(directory.ErrUnavailable)},
		"503 with wait":    {entratest.Fault{Kind: "status", Status: 503, RetryAfter: "9"}, throttled(9 * time.Second)},
		"504":              {entratest.Fault{Kind: "status", Status: 504}, is(directory.ErrUnavailable)},
		"dropped":          {entratest.Fault{Kind: "drop"}, is(directory.ErrUnavailable)},
		"401 for good":     {entratest.Fault{Kind: "unauthorized"}, is(directory.ErrUnauthorized)},
		"403": {entratest.Fault{Kind: "status", Status: 403, Code: "Authorization_RequestDenied"}, func(err error) bool {
			p, ok := errors.AsType[*directory.Problem](err)
			return ok && p.Code == "rights-missing"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w.fault(row.fault)
			defer w.sim.ClearFaults()
			for what, read := range map[string]func() error{
				"List":         func() error { _, err := w.tenant.List(t.Context(), nil, ""); return err },
				"Delta":        func() error { _, err := w.tenant.Delta(t.Context(), nil, ""); return err },
				"Lookup":       func() error { _, err := w.tenant.Lookup(t.Context(), []string{plainID}, nil); return err },
				"Organization": func() error { _, err := w.tenant.Organization(t.Context()); return err },
				"RoleHolders":  func() error { _, err := w.tenant.RoleHolders(t.Context()); return err },
			} {
				before := len(w.sim.Requests())
				if err := read(); !row.good(err) {
					t.Errorf("%s = %v", what, err)
				} else if strings.Contains(err.Error(), "$select") || strings.Contains(err.Error(), "https://") {
					t.Errorf("%s's error has an address in it: %v", what, err)
				}
				sent := len(w.sim.Requests()) - before
				if most := 1; name != "401 for good" && sent > most {
					t.Errorf("%s was sent %d times", what, sent)
				}
			}
		})
	}
}

func TestRenewsOnce(t *testing.T) {
	w := newWorld(t, 0)
	w.tokens.current = "stale"
	w.tokens.fresh = func() string { return w.signIn(ourScopes) }
	if _, err := w.tenant.List(t.Context(), nil, ""); err != nil || w.tokens.renewed != 1 {
		t.Errorf("List with a stale token = %v after %d renewals", err, w.tokens.renewed)
	}
	w.tokens.current = "stale"
	if _, err := w.tenant.Organization(t.Context()); err != nil || w.tokens.renewed != 2 {
		t.Errorf("Organization with a stale token = %v after %d renewals", err, w.tokens.renewed)
	}
	w.tokens.current, w.tokens.fresh = "stale", func() string { return "stale too" }
	if _, err := w.tenant.List(t.Context(), nil, ""); !errors.Is(err, directory.ErrUnauthorized) || w.tokens.renewed != 3 {
		t.Errorf("List without a good token = %v after %d renewals", err, w.tokens.renewed)
	}
	own := errors.New("needs authorization")
	w.tokens.err = own
	if _, err := w.tenant.List(t.Context(), nil, ""); !errors.Is(err, own) {
		t.Errorf("List when there is no token = %v, want the source's error", err)
	}
	if _, err := w.tenant.Write(t.Context(), []directory.AccountWrite{creation("x")}); !errors.Is(err, own) || !errors.Is(err, directory.ErrNotSent) {
		t.Errorf("Write when there is no token = %v, want the source's error and ErrNotSent", err)
	}
}

func TestClaimsChallengeDoesNotPanic(t *testing.T) {
	w := newWorld(t, 0)
	w.round = func(*http.Request) (*http.Response, error) {
		return answer(401, "", "WWW-Authenticate", `Bearer error=insufficient_claims, claims=unquoted`), nil
	}
	if _, err := w.tenant.List(t.Context(), nil, ""); !errors.Is(err, directory.ErrUnauthorized) {
		t.Errorf("List = %v, want ErrUnauthorized", err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	w := newWorld(t, 0)
	for name, resp := range map[string]func() *http.Response{
		"HTML":             func() *http.Response { return answer(200, "<html>", "Content-Type", "text/html") },
		"nothing":          func() *http.Response { return answer(200, "") },
		"no content":       func() *http.Response { return answer(204, "") },
		"no value":         func() *http.Response { return answer(200, "{}") },
		"half a page":      func() *http.Response { return answer(200, `{"value":[{"id":"x"},{"id":`) },
		"an item without":  func() *http.Response { return answer(200, `{"value":[{"displayName":"x"}]}`) },
		"something behind": func() *http.Response { return answer(200, `{"value":[]} x`) },
		"a list":           func() *http.Response { return answer(200, `[]`) },
		"no gzip":          func() *http.Response { return answer(200, `{"value":[]}`, "Content-Encoding", "gzip") },
	} {
		w.round = func(*http.Request) (*http.Response, error) { return resp(), nil }
		if page, err := w.tenant.List(t.Context(), nil, ""); !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("List answered with %s = %+v, %v; want ErrUnavailable", name, page, err)
		}
		if _, err := w.tenant.Organization(t.Context()); !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("Organization answered with %s = %v; want ErrUnavailable", name, err)
		}
		if roles, err := w.tenant.MyRoles(t.Context()); name != "an item without" && !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("MyRoles answered with %s = %v, %v; want ErrUnavailable", name, roles, err)
		}
	}
	w.round = func(*http.Request) (*http.Response, error) { return answer(200, `{"value":[]}`), nil }
	if _, err := w.tenant.Delta(t.Context(), nil, ""); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Delta of a page without links = %v, want ErrUnavailable", err)
	}
}

func TestGzip(t *testing.T) {
	w := newWorld(t, 0)
	w.round = func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding = %q", r.Header.Get("Accept-Encoding"))
		}
		resp, err := w.sim.Transport().RoundTrip(r)
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write(raw)
		z.Close()
		resp.Body = io.NopCloser(&packed)
		resp.Header.Set("Content-Encoding", "gzip")
		return resp, nil
	}
	if page, err := w.tenant.List(t.Context(), nil, ""); err != nil || len(page.Accounts) != 6 {
		t.Errorf("List, packed = %d, %v", len(page.Accounts), err)
	}
	if tenant, err := w.tenant.Organization(t.Context()); err != nil || tenant.ID != simTenant {
		t.Errorf("Organization, packed = %v, %v", tenant, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, base := range []string{"http://graph.example/v1.0", "graph.microsoft.com", "https://graph.microsoft.com", "https://graph.microsoft.com/",
		"ftp://localhost/v1.0", "https://a:b@graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0?x=1", ":", "https:///v1.0"} {
		if _, err := New(Config{BaseURL: base}); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("New(%q) = %v, want it refused", base, err)
		}
	}
	for _, base := range []string{"", "http://127.0.0.1:8365/v1.0", "http://localhost/v1.0/", "http://[::1]:1/v1.0"} {
		if _, err := New(Config{BaseURL: base}); err != nil {
			t.Errorf("New(%q) = %v", base, err)
		}
	}
}
