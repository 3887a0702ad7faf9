package reconcile

import (
	"fmt"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

const sister = "sister.example"

// abroad makes somebody of another tenant a member of ours and returns the id.
func (w *world) abroad(local string) string {
	w.Helper()
	id, err := w.sim.AddExternal(simTenant, entratest.ExternalSpec{Mail: local + "@" + sister, DisplayName: "Yan Away", Surname: "Away", UserType: "Member"})
	w.do(err)
	return id
}

// TestExternalMemberHasNoTwin: a user who is in the tenant as an external member
// gets no account beside that one, whatever tells who the member is, and however
// many users are looked for.
func TestExternalMemberHasNoTwin(t *testing.T) {
	for name, edit := range map[string]map[string]any{
		"as invited":        {},
		"by name only":      {"mail": nil, "proxyAddresses": []any{}, "otherMails": []any{}},
		"by otherMails":     {"mail": nil, "proxyAddresses": []any{}, "userPrincipalName": "yan.away@" + simDomain},
		"renamed to ours":   {"userPrincipalName": "yan@" + simDomain},
		"without creation":  {"creationType": nil},
		"by creation only":  {"externalUserState": nil, "identities": nil, "userPrincipalName": "yan.away@" + simDomain}, // nobody tells the identities
		"without its state": {"externalUserState": nil, "userPrincipalName": "yan.away@" + simDomain},
	} {
		for _, others := range []int{0, askSingly + 1} {
			t.Run(fmt.Sprint(name, others), func(t *testing.T) {
				w := newWorld(t)
				w.settings(func(s *directory.Settings) { s.DefaultDomain = simDomain })
				id := w.abroad("yan")
				if len(edit) > 0 {
					w.do(w.sim.EditAccount(simTenant, id, edit))
				}
				before := w.writesTo(directory.AccountID(id))
				yan := w.user("yan", func(u *directory.User) { u.Email = "yan@" + sister })
				w.bind(yan)
				for n := range others {
					w.bind(w.user(fmt.Sprint("new", n), func(u *directory.User) { u.Email = fmt.Sprintf("new%d@%s", n, sister) }))
				}
				w.sync()
				b := w.binding(yan)
				if b.AccountID != "" || b.Status != directory.BindingConflict || b.Problem.Code != "external-member" && b.Problem.Code != "adopt-external" {
					t.Errorf("the binding is %s with account %q, %+v", b.Status, b.AccountID, b.Problem)
				}
				if _, twin := w.sim.Account(simTenant, "yan@"+simDomain); twin && name != "renamed to ours" {
					t.Error("the external member has a twin")
				}
				if n := w.writesTo(directory.AccountID(id)) - before; n != 0 {
					t.Errorf("%d writes reached the external member", n)
				}
			})
		}
	}
}

// TestExternalMemberBoundBefore: an account that an earlier version bound, or
// that has become an external member's since, is only read.
func TestExternalMemberBoundBefore(t *testing.T) {
	w := newWorld(t)
	users := w.people(2)
	id := w.idOf(users[0])
	w.skew.Add(2 * Grace)
	w.do(w.sim.InviteAccount(simTenant, users[0].Email, "somebody@"+sister))
	before := w.writesTo(id)
	w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
	w.sync()
	b := w.binding(users[0])
	if b.Status != directory.BindingReadOnly || b.Problem.Code != "account-external" || b.Problem.Next == "" || w.writesTo(id) != before {
		t.Errorf("the binding is %s with %+v; %d writes", b.Status, b.Problem, w.writesTo(id)-before)
	}
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
	if w.sync(); w.writesTo(id) != before {
		t.Error("an external member was blocked")
	}
	// Converted to an internal account, it is ours again.
	w.do(w.sim.ConvertToInternal(simTenant, string(id), users[0].Email))
	w.edit(users[0], func(u *directory.User) { u.State = directory.StateActive })
	w.skew.Add(2 * Grace)
	w.sync()
	if b := w.binding(users[0]); b.Status != directory.BindingInSync || w.account(users[0].Email)["jobTitle"] != "Boss" {
		t.Errorf("converted to an internal account, the binding is %s with %+v", b.Status, b.Problem)
	}
}

// TestNotOursAnyMore: an account that cannot be ours any more is told without
// anybody editing its user, by a full round as well as by an incremental one.
func TestNotOursAnyMore(t *testing.T) {
	for name, edit := range map[string]map[string]any{
		"account-external":   {"externalUserState": "Accepted"},
		"account-guest":      {"userType": "Guest"},
		"synced-on-premises": {"onPremisesSyncEnabled": true},
	} {
		for _, full := range []bool{true, false} {
			w := newWorld(t)
			users := w.people(2)
			w.skew.Add(2 * Grace)
			w.do(w.sim.EditAccount(simTenant, users[0].Email, edit))
			if full {
				w.skew.Add(2 * directory.FullReadEvery)
				w.port.token = signIn(t, w.sim)
			}
			w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
			w.skew.Add(20 * time.Minute)
			w.sync()
			if b := w.binding(users[0]); b.Status != directory.BindingReadOnly || b.Problem == nil || b.Problem.Code != name {
				t.Errorf("%s, full %v: the binding is %s with %+v", name, full, b.Status, b.Problem)
			}
			if b := w.binding(users[1]); b.Status != directory.BindingInSync {
				t.Errorf("%s: the other's binding is %s", name, b.Status)
			}
		}
	}
}

// TestOursAgain: that an account can be ours again is told by the tenant's changes,
// however long its binding had still to wait for a look of its own.
func TestOursAgain(t *testing.T) {
	for name, edits := range map[string][2]map[string]any{
		"guest":    {{"userType": "Guest"}, {"userType": "Member"}},
		"synced":   {{"onPremisesSyncEnabled": true}, {"onPremisesSyncEnabled": nil}},
		"external": {{"externalUserState": "Accepted"}, {"externalUserState": nil}},
	} {
		w := newWorld(t)
		users := w.people(1)
		w.skew.Add(2 * Grace)
		w.do(w.sim.EditAccount(simTenant, users[0].Email, edits[0]))
		for range 12 {
			w.skew.Add(2 * time.Hour)
			w.port.token = signIn(t, w.sim)
			w.sync()
		}
		w.edit(users[0], func(u *directory.User) { u.JobTitle = "Boss" })
		w.sync()
		if b := w.binding(users[0]); b.Status != directory.BindingReadOnly || b.Problem.Attempts < 4 {
			t.Fatalf("%s: the binding is %s with %+v", name, b.Status, b.Problem)
		}
		w.do(w.sim.EditAccount(simTenant, users[0].Email, edits[1]))
		w.skew.Add(directory.DefaultInterval + time.Minute)
		w.sync()
		if b := w.binding(users[0]); b.Status != directory.BindingInSync || w.account(users[0].Email)["jobTitle"] != "Boss" {
			t.Errorf("%s: a round later the binding is %s with %+v", name, b.Status, b.Problem)
		}
	}
}
