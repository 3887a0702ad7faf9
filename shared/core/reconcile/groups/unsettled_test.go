package groups_test

import (
	"slices"
	"testing"
	"time"

	"bindery/shared/core/reconcile/groups"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// account makes an account of the tenant that is nobody's.
func (w *world) account(name string, enabled bool) {
	w.Helper()
	_, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": name + "@" + simDomain, "displayName": name, "mailNickname": name, "accountEnabled": enabled})
	w.must(err)
}

// removed are the names of those whom any run has taken out of a group.
func (w *world) removed() (names []string) {
	w.Helper()
	for _, r := range w.allRuns() {
		for _, c := range w.changes(r) {
			if c.Effect == directory.EffectMemberRemove {
				names = append(names, c.UserPrincipalName)
			}
		}
	}
	return names
}

// TestAdoptedAreNoStrangers: whose account is in an exact group and becomes ours by the
// same run is no stranger there, whether the group is ours already or becomes so, and
// whether he was taken for one before.
func TestAdoptedAreNoStrangers(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"group adopted", "group exported", "a stranger before"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.account("old", true)
			w.account("stranger", true)
			members := []string{"old@" + simDomain, "stranger@" + simDomain}
			exact := func(e *groups.Export) { e.Exact = true }
			var sales directory.GroupID
			switch how {
			case "group adopted":
				id, err := w.sim.AddGroup(simTenant, "", entratest.GroupSpec{DisplayName: "Vertrieb", Members: members})
				w.must(err)
				sales = w.export("Sales", exact, func(e *groups.Export) { e.Adopt = directory.TenantGroupID(id) })
			default:
				sales = w.export("Sales", exact)
				w.sync()
				for _, m := range members {
					w.byHand(sales, m, true)
				}
				if how == "a stranger before" {
					w.settings(func(s *directory.Settings) { s.Protected = members })
					w.mark(directory.GroupRef(sales))
					w.sync()
					w.settings(func(s *directory.Settings) { s.Protected = nil })
				}
				w.mark(directory.GroupRef(sales))
			}
			u := w.user("old")
			w.bind(u)
			w.add(sales, u)
			for range 3 {
				w.sync()
				w.wait(time.Hour)
			}
			w.sync()
			w.wantMembers(sales, "old")
			if names := w.removed(); len(names) != 1 || slices.Contains(names, members[0]) {
				t.Errorf("removed are %v", names)
			}
		})
	}
}

// TestUnsettledKeepStrangers: while it is not decided whose account a member of ours has,
// nobody is taken out of an exact group, and the group says so.
func TestUnsettledKeepStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account("old", false) // a conflict: it is blocked
	w.account("stranger", true)
	sales := w.export("Sales", func(e *groups.Export) { e.Exact = true })
	w.sync()
	w.byHand(sales, "old@"+simDomain, true)
	w.byHand(sales, "stranger@"+simDomain, true)
	u := w.user("old")
	w.bind(u)
	refs := w.add(sales, u)
	w.mark(directory.GroupRef(sales))
	w.sync()
	w.wantMembers(sales, "old", "stranger")
	if f := w.record(directory.GroupRef(sales)).Findings; len(f) != 1 || f[0].Code != directory.CodeMemberWaits {
		t.Errorf("the group tells of %+v", f)
	}
	b, err := w.store.Bindings.Binding(t.Context(), u.ID)
	w.must(err)
	w.must(w.store.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
	w.release(directory.ReleaseRemove, refs...)
	for range 3 {
		w.sync()
		w.wait(time.Hour)
	}
	w.wantMembers(sales)
}
