package uses_test

import (
	"slices"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestForgottenScopes: a permission that rules wanted is asked for as long as a rule wants
// it, or something of one is left to be taken back, and not after that; a rule that comes
// again wants it again.
func TestForgottenScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	service := w.service()
	ann, group := w.addUser(), w.addGroup()
	u, err := w.s.Users.User(t.Context(), ann)
	w.must(err)
	w.must(w.s.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u}}))
	wants := func(when string, scopes ...string) {
		t.Helper()
		w.must(service.ForgetScopes(t.Context(), w.conn.ID))
		c, err := w.s.Connections.Connection(t.Context(), w.conn.ID)
		w.must(err)
		if got := slices.Sorted(slices.Values(c.RuleScopes)); !slices.Equal(got, scopes) {
			t.Errorf("%s rules want %q, want %q", when, got, scopes)
		}
	}
	wants("before there is a rule,")
	_, err = service.Put(t.Context(), boss, w.conn.ID, group, directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity}}, 0)
	w.must(err)
	wants("before it was expanded,", directory.ScopeGroups)
	w.exportStep(service, group, "expand")
	_, err = service.License(t.Context(), boss, w.conn.ID, ann, []directory.LicenceRule{{SKU: "SPE_E3"}}, 0)
	w.must(err)
	both := []string{directory.ScopeGroups, directory.ScopeLicences}
	wants("with both rules,", both...)
	_, err = service.License(t.Context(), boss, w.conn.ID, ann, nil, 0)
	w.must(err)
	w.exportStep(service, group, "end")
	w.expand(0)
	wants("while the group and the licence are still to be dealt with,", both...)
	w.exportStep(service, group, "gone")
	wants("without the group,", directory.ScopeLicences)
	w.journal(store.BindingChange{Ref: directory.LicenceOf(ann), Remove: true, Mutate: func(*directory.Binding) bool { return true }})
	wants("without anything,")
	_, err = service.License(t.Context(), boss, w.conn.ID, ann, []directory.LicenceRule{{SKU: "SPE_E3"}}, 0)
	w.must(err)
	wants("with a rule again,", directory.ScopeLicences)
	w.must(service.ForgetScopes(t.Context(), "con_none")) // deleted meanwhile
}

// TestForgottenWhileARuleCame: whoever forgot a permission while a rule was put that wants it
// died before looking once more; so did whoever put the rule. The next to forget asks for it.
func TestForgottenWhileARuleCame(t *testing.T) {
	t.Parallel()
	for name, left := range map[string][]string{"of all": nil, "of one": {directory.ScopeLicences}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			service := w.service()
			group := w.addGroup()
			_, err := service.Put(t.Context(), boss, w.conn.ID, group, directory.UseRules{
				Export:   &directory.ExportRule{Kind: directory.ExportSecurity},
				Licences: []directory.LicenceRule{{SKU: "SPE_E3"}}}, 0)
			w.must(err)
			_, err = w.s.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
				c.RuleScopes = left
				return nil
			})
			w.must(err)
			w.must(service.ForgetScopes(t.Context(), w.conn.ID))
			c, err := w.s.Connections.Connection(t.Context(), w.conn.ID)
			w.must(err)
			if got := slices.Sorted(slices.Values(c.RuleScopes)); !slices.Equal(got, []string{directory.ScopeGroups, directory.ScopeLicences}) {
				t.Errorf("rules want %q", got)
			}
		})
	}
}
