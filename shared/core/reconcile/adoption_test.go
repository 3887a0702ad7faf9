package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// numbered adds an account that signs in by a number and has a mail address.
func (w *world) numbered(number, local string) directory.AccountID {
	w.Helper()
	id, err := w.sim.AddAccount(simTenant, map[string]any{
		"userPrincipalName": number + "@" + simDomain, "mail": local + "@" + simDomain, "proxyAddresses": []any{"SMTP:" + local + "@" + simDomain},
		"displayName": "Jo Doe", "givenName": "Jo", "surname": "Doe", "mailNickname": local,
	})
	w.do(err)
	return directory.AccountID(id)
}

// importedFrom notes on a user which account an import made it of.
func importedFrom(id directory.AccountID) func(*directory.User) {
	return func(u *directory.User) {
		u.ImportedFrom = &directory.AccountRef{TenantID: simTenant, AccountID: id}
		u.GivenName, u.FamilyName = "Jo", "Doe"
	}
}

func (w *world) named(id directory.AccountID) string {
	w.Helper()
	return fmt.Sprint(w.account(string(id))["userPrincipalName"])
}

// TestImportedKeepsItsAccount: a user who was imported is bound to the account
// that it was made of, under the name that this has, though its address is
// another; so it is after edits, a deactivation, a release and a deletion.
func TestImportedKeepsItsAccount(t *testing.T) {
	w := newWorld(t)
	id := w.numbered("55512345", "jo.doe")
	jo := w.user("jo.doe", importedFrom(id))
	in := func(when string) {
		t.Helper()
		w.sync()
		if b := w.binding(jo); b.AccountID != id || b.Status != directory.BindingInSync || w.named(id) != "55512345@"+simDomain {
			t.Fatalf("%s: the binding is %s with account %q (%s), %+v", when, b.Status, b.AccountID, w.named(id), b.Problem)
		}
	}
	bind := func() {
		t.Helper()
		u, err := w.store.Users.User(t.Context(), jo.ID)
		w.do(err)
		w.bind(u)
	}
	bind()
	in("bound")
	w.skew.Add(2 * Grace)
	jo = w.edit(jo, func(u *directory.User) { u.Email, u.JobTitle = "jo.smith@"+simDomain, "Boss" })
	in("with another address")
	if w.account(string(id))["jobTitle"] != "Boss" {
		t.Error("the account did not get the title")
	}

	// A deactivation, and the same selection again.
	w.deactivate()
	_, _, err := w.store.Bindings.Sweep(t.Context(), &w.conn, simTenant, 1)
	w.do(err)
	w.activate()
	bind()
	in("after a deactivation")

	// It vanishes and comes back, while the user is not bound.
	b := w.binding(jo)
	w.do(w.store.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
	w.do(w.sim.DeleteAccount(simTenant, string(id)))
	bind()
	w.sync()
	if b := w.binding(jo); b.Status != directory.BindingConflict || b.Problem.Code != "account-soft-deleted" || b.AccountID != "" {
		t.Errorf("deleted meanwhile: the binding is %s with %+v", b.Status, b.Problem)
	}
}

// TestAdoptedBeforeIsKnown: an account that an admin had adopted is found again
// after a deactivation, though nobody imported the user; one that an admin has
// released is looked for anew.
func TestAdoptedBeforeIsKnown(t *testing.T) {
	w := newWorld(t)
	id := w.numbered("55512345", "jo.doe")
	jo := w.user("jo.doe", func(u *directory.User) { u.GivenName, u.FamilyName = "Jo", "Doe" })
	w.bind(jo)
	w.sync()
	b := w.binding(jo)
	if b.Status != directory.BindingConflict || b.Problem.Code != "address-in-use" || len(b.Problem.Steps) != 1 || b.Problem.Steps[0].AccountID != id {
		t.Fatalf("the binding is %s with %+v", b.Status, b.Problem)
	}
	admins := w.runs()
	for name, account := range map[string]directory.AccountID{"nothing": "", "somebody else's": directory.AccountID(w.account("admin@" + simDomain)["id"].(string))} {
		if _, err := admins.Adopt(t.Context(), caller("boss"), &w.conn, jo.ID, account); refusalCode(err) != "account-not-offered" {
			t.Errorf("adopting %s = %v", name, err)
		}
	}
	if _, err := admins.Adopt(t.Context(), caller("boss"), &w.conn, jo.ID, id); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if b := w.binding(jo); b.Status != directory.BindingInSync || b.AccountID != id || b.Adopt != "" || w.named(id) != "55512345@"+simDomain {
		t.Fatalf("adopted: the binding is %s with %+v", b.Status, b.Problem)
	}
	w.deactivate()
	w.activate()
	stale := w.binding(jo)
	w.do(w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &jo, Stale: &stale}})) // before the sweep
	w.sync()
	if b := w.binding(jo); b.Status != directory.BindingInSync || b.AccountID != id {
		t.Errorf("bound again: the binding is %s with %q, %+v", b.Status, b.AccountID, b.Problem)
	}
	b = w.binding(jo)
	w.do(w.store.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
	w.bind(jo)
	w.sync()
	if b := w.binding(jo); b.Problem == nil || b.Problem.Code != "address-in-use" {
		t.Errorf("released and bound: the binding is %s with %q, %+v", b.Status, b.AccountID, b.Problem)
	}
}

func refusalCode(err error) string {
	if r, ok := errors.AsType[*directory.Refusal](err); ok {
		return r.Code
	}
	return fmt.Sprint(err)
}

// TestTwoAccounts: when another account has the address of a user who was
// imported, an admin says which one is the person's.
func TestTwoAccounts(t *testing.T) {
	for _, first := range []bool{true, false} {
		w := newWorld(t)
		id := w.numbered("55512345", "old")
		other := w.numbered("jo.doe", "other")
		jo := w.user("jo.doe", importedFrom(id))
		w.bind(jo)
		w.sync()
		if b := w.binding(jo); b.Problem == nil || b.Problem.Code != "two-accounts" || b.AccountID != "" {
			t.Fatalf("the binding is %s with %+v", b.Status, b.Problem)
		}
		want := id
		if first {
			want = other
		}
		_, err := w.runs().Adopt(t.Context(), caller("boss"), &w.conn, jo.ID, want)
		w.do(err)
		w.sync()
		if b := w.binding(jo); b.AccountID != want || b.Status != directory.BindingInSync {
			t.Errorf("the binding is %s with %q, %+v", b.Status, b.AccountID, b.Problem)
		}
	}
}

// TestCrossedNames: of two accounts each has as sign-in name what the other has as
// mail address. Their users were imported, so that it is known whose is which.
func TestCrossedNames(t *testing.T) {
	for _, together := range []bool{false, true} {
		w := newWorld(t)
		crossed := func(name, mail string) directory.AccountID {
			id, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": name + "@" + simDomain, "mail": mail + "@" + simDomain, "proxyAddresses": []any{}, "surname": "Doe"})
			w.do(err)
			return directory.AccountID(id)
		}
		first, second := crossed("ann", "bea"), crossed("bea", "ann")
		users := []directory.User{w.user("bea", importedFrom(first)), w.user("ann", importedFrom(second))}
		for _, u := range users {
			if w.bind(u); !together {
				w.sync()
			}
		}
		w.sync()
		for n, want := range []directory.AccountID{first, second} {
			if b := w.binding(users[n]); b.AccountID != want || b.Status != directory.BindingInSync {
				t.Errorf("together %v: the binding of %s is %s with %q, %+v", together, users[n].Email, b.Status, b.AccountID, b.Problem)
			}
		}
		if w.named(first) != "ann@"+simDomain || w.named(second) != "bea@"+simDomain {
			t.Errorf("the accounts are named %s and %s", w.named(first), w.named(second))
		}
	}
}

// TestLinkedAccountOfAnother: the account that a user was imported from may be
// bound to somebody else by now, or lie in another tenant.
func TestLinkedAccountOfAnother(t *testing.T) {
	w := newWorld(t)
	id := w.numbered("55512345", "jo.doe")
	one, two := w.user("one", importedFrom(id)), w.user("two", importedFrom(id))
	three := w.user("three", func(u *directory.User) {
		u.ImportedFrom = &directory.AccountRef{TenantID: "another", AccountID: id}
	})
	w.bind(one)
	w.sync()
	w.bind(two, three)
	w.sync()
	if b := w.binding(two); b.Problem == nil || b.Problem.Code != "account-bound" || b.AccountID != "" {
		t.Errorf("the second user's binding is %s with %+v", b.Status, b.Problem)
	}
	if b := w.binding(three); b.Status != directory.BindingInSync || b.AccountID == id {
		t.Errorf("the user of another tenant has %s, %q, %+v", b.Status, b.AccountID, b.Problem)
	}
}

// TestAccountOfAnImportedUserIsNotTaken: an account that a user was imported from
// waits for that user, although another one has its sign-in name as address and is
// bound first; an admin may say otherwise.
func TestAccountOfAnImportedUserIsNotTaken(t *testing.T) {
	for _, adopted := range []bool{false, true} {
		w := newWorld(t)
		id := w.numbered("55512345", "jo.doe")
		jo := w.user("jo.doe", importedFrom(id))
		other := w.user("55512345")
		w.bind(other)
		w.sync()
		b := w.binding(other)
		if b.AccountID != "" || b.Problem == nil || b.Problem.Code != "account-of-another-user" || b.Problem.Holder != string(jo.ID) || w.account(string(id))["givenName"] != "Jo" {
			t.Fatalf("the other's binding is %s with account %q, %+v", b.Status, b.AccountID, b.Problem)
		}
		// So it is told of one who has another address of the account.
		w.do(w.sim.EditAccount(simTenant, string(id), map[string]any{"proxyAddresses": []any{"SMTP:jo.doe@" + simDomain, "smtp:jd@" + simDomain}}))
		alias := w.user("jd")
		w.bind(alias)
		w.sync()
		if b := w.binding(alias); b.Problem == nil || b.Problem.Code != "address-in-use" || !strings.Contains(b.Problem.Message, string(jo.ID)) {
			t.Errorf("the binding by an alias is %s with %+v", b.Status, b.Problem)
		}
		if adopted {
			_, err := w.runs().Adopt(t.Context(), caller("boss"), &w.conn, other.ID, id)
			w.do(err)
			w.sync()
			if b := w.binding(other); b.AccountID != id || b.Status != directory.BindingInSync {
				t.Errorf("adopted: the other's binding is %s with account %q, %+v", b.Status, b.AccountID, b.Problem)
			}
			continue
		}
		w.bind(jo)
		w.sync()
		if b := w.binding(jo); b.AccountID != id || b.Status != directory.BindingInSync {
			t.Errorf("the binding is %s with account %q, %+v", b.Status, b.AccountID, b.Problem)
		}
		if b := w.binding(other); b.AccountID != "" {
			t.Errorf("the other has the account %q", b.AccountID)
		}
	}
}

// TestOwnNameIsShown: when somebody at Microsoft gives an account with a name of its
// own another one, the binding shows that one.
func TestOwnNameIsShown(t *testing.T) {
	w := newWorld(t)
	id := w.numbered("55512345", "jo.doe")
	jo := w.user("jo.doe", importedFrom(id))
	w.bind(jo)
	w.sync()
	w.skew.Add(2 * Grace)
	for _, name := range []string{"777@" + simDomain, "888@" + simDomain} {
		w.do(w.sim.EditAccount(simTenant, string(id), map[string]any{"userPrincipalName": name}))
		w.skew.Add(directory.DefaultInterval + time.Minute)
		w.sync()
		if b := w.binding(jo); b.UserPrincipalName != name || b.Status != directory.BindingInSync || w.named(id) != name {
			t.Errorf("the binding of %s is %s, and shows %s", w.named(id), b.Status, b.UserPrincipalName)
		}
	}
}

// TestAccountMadeAgain: the account of an imported user was deleted and made again,
// under another sign-in name: an admin may take the new one at once.
func TestAccountMadeAgain(t *testing.T) {
	w := newWorld(t)
	old := w.numbered("55512345", "jo.doe")
	jo := w.user("jo.doe", importedFrom(old))
	w.do(w.sim.DeleteAccount(simTenant, string(old)))
	again := w.numbered("55512346", "jo.doe")
	w.bind(jo)
	w.sync()
	b := w.binding(jo)
	if b.Problem == nil || b.Problem.Code != "account-soft-deleted" || len(b.Problem.Steps) != 1 || b.Problem.Steps[0].AccountID != again {
		t.Fatalf("the binding is %s with %+v", b.Status, b.Problem)
	}
	_, err := w.runs().Adopt(t.Context(), caller("boss"), &w.conn, jo.ID, again)
	w.do(err)
	w.sync()
	if b := w.binding(jo); b.AccountID != again || b.Status != directory.BindingInSync || w.named(again) != "55512346@"+simDomain {
		t.Errorf("the binding is %s with %q, %+v", b.Status, b.AccountID, b.Problem)
	}
}

// TestOwnNameIsGivenBack: an account whose renaming was undone has its own name again,
// and keeps it once the settings say so.
func TestOwnNameIsGivenBack(t *testing.T) {
	w := newWorld(t)
	id := w.numbered("55512345", "jo.doe")
	jo := w.user("jo.doe", importedFrom(id))
	w.bind(jo)
	w.sync()
	for _, leads := range []directory.AdoptedName{directory.AdoptedNameKeep, directory.AdoptedNameEmail} {
		w.skew.Add(2 * Grace)
		w.settings(func(s *directory.Settings) { s.AdoptedUserPrincipalName = directory.AdoptedNameEmail })
		w.sync()
		if w.named(id) != "jo.doe@"+simDomain {
			t.Fatalf("the account is named %s", w.named(id))
		}
		w.skew.Add(time.Minute)
		run, _ := w.lastRun()
		_, err := w.runs().Undo(t.Context(), caller("boss"), &w.conn, run, runs.UndoRequest{})
		w.do(err)
		w.sync()
		if w.named(id) != "55512345@"+simDomain {
			t.Fatalf("after the undo, the account is named %s", w.named(id))
		}
		w.settings(func(s *directory.Settings) { s.AdoptedUserPrincipalName = leads })
		_, err = w.runs().Resume(t.Context(), caller("boss"), &w.conn, jo.ID)
		w.do(err)
		w.skew.Add(2 * Grace)
		w.sync()
		want := map[directory.AdoptedName]string{directory.AdoptedNameKeep: "55512345@" + simDomain, directory.AdoptedNameEmail: "jo.doe@" + simDomain}[leads]
		if b := w.binding(jo); w.named(id) != want || b.UserPrincipalName != want || b.Status != directory.BindingInSync {
			t.Errorf("%s: the account is named %s; the binding of %s is %s, %+v", leads, w.named(id), b.UserPrincipalName, b.Status, b.Problem)
		}
	}
}

// TestFirstRenamesAreGuarded: when the address leads, the renames of a first
// binding count for the guard, by whatever way the users were bound.
func TestFirstRenamesAreGuarded(t *testing.T) {
	for _, way := range []string{"import", "later", "keep"} {
		w := newWorld(t)
		if way != "keep" {
			w.settings(func(s *directory.Settings) { s.AdoptedUserPrincipalName = directory.AdoptedNameEmail })
		}
		for n := range 25 {
			local := fmt.Sprint("jo", n)
			id := w.numbered(fmt.Sprint(55512300+n), local)
			u := w.user(local, importedFrom(id))
			sel := store.Selection{User: &u}
			if way == "import" {
				sel.AccountID, sel.UserPrincipalName = id, fmt.Sprint(55512300+n, "@", simDomain)
			}
			w.do(w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{sel}))
		}
		w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		run, _ := w.lastRun()
		renamed := 0
		for _, m := range w.sim.Mutations(simTenant) {
			if m.AppID != "" && m.After["userPrincipalName"] != nil {
				renamed++
			}
		}
		if held := run.State == directory.RunHeld; renamed > 0 || held != (way != "keep") {
			t.Errorf("%s: the run is %s, %d accounts are renamed; %+v", way, run.State, renamed, run.Held)
		}
	}
}

// TestAdoptionOfAStubbornAccount: an account with a sign-in name and an alias of its
// own, of which Microsoft refuses one value and keeps another one otherwise, comes to
// rest all the same: the next run plans nothing, and a full one neither.
func TestAdoptionOfAStubbornAccount(t *testing.T) {
	w := newWorld(t)
	id := w.numbered("55512345", "jo.doe")
	w.patch(string(id), map[string]any{"mailNickname": "jd"})
	jo := w.user("jo.doe", importedFrom(id), func(u *directory.User) { u.Department, u.JobTitle, u.Email = "Sales", "Head", "jo.smith@"+simDomain })
	w.fault(entratest.Fault{Kind: "value-refused", Property: "department", User: string(id)})
	w.fault(entratest.Fault{Kind: "kept-otherwise", Property: "jobTitle", Value: "HEAD"})
	w.bind(jo)
	w.sync()
	w.lookBack()
	for _, full := range []bool{false, true, false} {
		w.skew.Add(2 * directory.DefaultInterval)
		w.port.token = signIn(t, w.sim)
		written := len(w.sim.Mutations(simTenant))
		if full {
			w.fullRun()
			if r, changes := w.lastRun(); !r.Full || len(changes) > 0 || r.State != directory.RunDone {
				t.Errorf("the full run is %s with %+v", r.State, changes)
			}
		}
		w.sync()
		if n := len(w.sim.Mutations(simTenant)); n != written {
			t.Errorf("%d writes reached an account that is as agreed", n-written)
		}
		b := w.binding(jo)
		if b.Status != directory.BindingRefused || b.Problem.Property != "department" || b.Kept["jobTitle"].Kept.String() != "HEAD" || b.Dirty() {
			t.Errorf("the binding is %s, %+v, kept %v, dirty %v", b.Status, b.Problem, b.Kept, b.Dirty())
		}
		if a := w.account(string(id)); w.named(id) != "55512345@"+simDomain || a["mailNickname"] != "jd" || a["jobTitle"] != "HEAD" {
			t.Errorf("the account is %v", a)
		}
	}
}
