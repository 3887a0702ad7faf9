package entra

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

var someProperties = []string{"jobTitle", "department", "businessPhones", "otherMails", "mobilePhone", "extensionAttribute3", "extensionAttribute9"}

func TestIdentityOfTheTenant(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	holders := func(w *world, globals ...directory.AccountID) []directory.AccountID {
		p, err := w.tenant.RoleHolders(t.Context())
		ids := p.Holders
		if err != nil || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Fatalf("RoleHolders = %v, %v; want them sorted and once each", ids, err)
		}
		if !slices.Equal(p.GlobalAdministrators, globals) {
			t.Errorf("Global Administrators are %v, want %v", p.GlobalAdministrators, globals)
		}
		return ids
	}
	w := newWorld(t, 0, "GroupMember.Read.All")
	w.graph.adapter = unchecked(t, w)
	if got, want := holders(w, adminID, memberID), []directory.AccountID{adminID, memberID, ownerID}; !slices.Equal(got, want) {
		t.Errorf("RoleHolders = %v, want %v", got, want)
	}
	w = newWorld(t, 0)
	if got, want := holders(w, adminID), []directory.AccountID{adminID}; !slices.Equal(got, want) {
		t.Errorf("RoleHolders without the permission to read groups = %v, want %v", got, want)
	}
	if !strings.Contains(w.log.String(), "GroupMember.Read.All") {
		t.Error("that groups could not be read is not in the log")
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	if out := w.write(directory.Write{Effect: directory.EffectRestore, AccountID: boxID}); out.Problem != nil || out.AccountID != boxID || out.UserPrincipalName != "box@fabrikam.example" {
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
	t.Parallel()
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

// TestDeltaShowsLicences: an account's licences are read where they were told, and that it
// has none is something else than that they were not.
func TestDeltaShowsLicences(t *testing.T) {
	t.Parallel()
	page, err := decodePage([]byte(`{"value":[{"id":"a","assignedLicenses":[{"skuId":"s","disabledPlans":["p","q"]},{"disabledPlans":[],"skuId":"u","x":{}}]},
		{"id":"b","assignedLicenses":[]},{"id":"c"},{"id":"d","assignedLicenses":null}]}`), newSelection([]string{directory.PropAssignedLicences}), true)
	if err != nil || len(page.Accounts) != 4 {
		t.Fatalf("decodePage = %+v, %v", page, err)
	}
	if l := page.Accounts[0].Licences; len(l) != 2 || l[0].SKU != "s" || !slices.Equal(l[0].DisabledPlans, []directory.ServicePlanID{"p", "q"}) || l[1].SKU != "u" || len(page.Accounts[0].Properties) != 0 {
		t.Errorf("the first has %+v and %v", l, page.Accounts[0].Properties)
	}
	if page.Accounts[1].Licences == nil || page.Accounts[2].Licences != nil || page.Accounts[3].Licences != nil {
		t.Errorf("none: %v, not told: %v, null: %v", page.Accounts[1].Licences, page.Accounts[2].Licences, page.Accounts[3].Licences)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

func TestDeleted(t *testing.T) {
	t.Parallel()
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

func TestExternals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	yan, err := w.sim.AddExternal(simTenant, entratest.ExternalSpec{Mail: "yan.o'neil@sister.example", UserType: "Member"})
	if err != nil {
		t.Fatal(err)
	}
	// An own account with the address as a private one is nobody from outside.
	if err := w.sim.EditAccount(simTenant, plainID, map[string]any{"otherMails": []any{"private@sister.example"}}); err != nil {
		t.Fatal(err)
	}
	addresses := []string{"Yan.O'Neil@sister.example", "private@sister.example", "nobody@sister.example", ""}
	for _, edit := range []map[string]any{{}, {"mail": nil, "proxyAddresses": []any{}}, {"otherMails": []any{}}} {
		if err := w.sim.EditAccount(simTenant, yan, edit); err != nil {
			t.Fatal(err)
		}
		got, err := w.tenant.Externals(t.Context(), addresses, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got[0].Accounts) != 1 || string(got[0].Accounts[0].ID) != yan || len(got[1].Accounts) != 0 || len(got[2].Accounts) != 0 || got[3].Problem == nil {
			t.Errorf("after %v: Externals = %+v", edit, got)
		}
	}
	// What a direct read and a list say of it; a delta round does without identities.
	found, err := w.tenant.Lookup(t.Context(), []string{yan, plainID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := found[0].Account; a.CreationType != "Invitation" || a.ExternalUserState != "Accepted" || len(a.Identities) != 2 || a.Identities[0].SignInType != "federated" || !a.External() {
		t.Errorf("an external member is read as %+v", a)
	}
	if a := found[1].Account; a.External() || len(a.Identities) != 1 {
		t.Errorf("an account of the tenant's own is read as %+v", a)
	}
}

// TestManagerOfChanges: a page of changes tells who is the manager by now, or that nobody is.
func TestManagerOfChanges(t *testing.T) {
	t.Parallel()
	const a, b = "33333333-aaaa-4bbb-8ccc-00000000000a", "33333333-aaaa-4bbb-8ccc-00000000000b"
	page, err := decodePage([]byte(`{"value":[
		{"id":"1","manager@delta":[{"@odata.type":"#microsoft.graph.user","id":"`+a+`"}]},
		{"id":"2","manager@delta":[{"id":"`+a+`","@removed":{"reason":"deleted"}}]},
		{"id":"3","manager@delta":[{"id":"`+a+`","@removed":{"reason":"deleted"}},{"id":"`+b+`"}]},
		{"id":"4","manager@delta":[]},
		{"id":"5","displayName":"x"}]}`), newSelection([]string{"displayName", "manager"}), true)
	if err != nil || len(page.Accounts) != 5 {
		t.Fatalf("decodePage = %+v, %v", page, err)
	}
	for i, want := range []directory.AccountID{a, "", b, ""} {
		if got := page.Accounts[i].Manager; got == nil || *got != want {
			t.Errorf("%s: the manager is %v, want %q", page.Accounts[i].ID, got, want)
		}
	}
	if got := page.Accounts[4]; got.Manager != nil || len(got.Properties) != 1 {
		t.Errorf("of whom nothing is told: %+v", got)
	}
}
