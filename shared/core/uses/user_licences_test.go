package uses_test

import (
	"context"
	"testing"
	"time"

	"bindery/shared/core/reconcile/licences"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestUserLicences: the rules of one user are among those that the user falls under, with
// the age that each product's wish has, and count in their epoch only.
func TestUserLicences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	_, err := w.s.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Settings.Licences = true
		return nil
	})
	w.must(err)
	ann, group := w.addUser(), w.addGroup()
	w.setMember(group, directory.UserMember(ann), true)
	w.setUse(group, directory.UseRules{Licences: []directory.LicenceRule{{SKU: "VISIOCLIENT", Priority: 3}}})
	u, err := w.s.Users.User(t.Context(), ann)
	w.must(err)
	w.must(w.s.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u}}))
	w.expand(0)
	woken := 0
	service := uses.New(uses.Config{Store: w.s, Now: w.clock.Now, Wake: func(context.Context, directory.ConnectionID) error { woken++; return nil }})
	put := func(version int64, rules ...directory.LicenceRule) error {
		_, err := service.License(t.Context(), directory.Caller{Subject: "boss"}, w.conn.ID, ann, rules, version)
		return err
	}
	first := w.clock.Now()
	w.must(put(0, directory.LicenceRule{SKU: "SPE_E3", DisabledPlans: []string{"SWAY"}}))
	w.clock.Advance(time.Hour)
	w.must(put(1, directory.LicenceRule{SKU: "spe_e3"}, directory.LicenceRule{SKU: "EMS", Priority: 7}))
	if err := put(1); err == nil {
		t.Error("an old version was taken")
	}
	rules, err := uses.NewSource(w.s).Rules(t.Context(), &w.conn, []directory.UserID{ann})
	w.must(err)
	got := map[string]time.Time{}
	for _, r := range rules[ann] {
		got[r.SKU] = r.Since
		if r.SKU != "VISIOCLIENT" && (r.By != "a rule of the user's own" || r.Editors[0] != "boss" || r.Group != "") {
			t.Errorf("the rule %+v", r)
		}
	}
	if len(got) != 3 || !got["spe_e3"].Equal(first) || !got["EMS"].Equal(first.Add(time.Hour)) || woken != 2 {
		t.Errorf("the rules are %+v, woken %d times", got, woken)
	}
	later := w.conn
	later.Epoch++
	if rules, err := uses.NewSource(w.s).Rules(t.Context(), &later, []directory.UserID{ann}); err != nil || len(rules[ann]) != 0 {
		t.Errorf("in another epoch: %+v, %v", rules, err)
	}
	for more := true; more; {
		more, err = w.s.Uses.SweepUses(t.Context(), &later)
		w.must(err)
	}
	if left, err := w.s.Uses.UserLicencesAmong(t.Context(), &w.conn, []directory.UserID{ann}); err != nil || len(left) != 0 {
		t.Errorf("after the sweep %+v are left, %v", left, err)
	}
}

// TestUserLicencesEnd: the rules of one user count while the user is bound and is not being
// let go; then the licences are looked at, the rules can be taken away, and none can be
// put.
func TestUserLicencesEnd(t *testing.T) {
	t.Parallel()
	for _, then := range []directory.ReleasePolicy{directory.ReleaseKeep, directory.ReleaseBlock, ""} {
		w := newWorld(t, 1)
		ann := w.addUser()
		u, err := w.s.Users.User(t.Context(), ann)
		w.must(err)
		service, source := w.service(), uses.NewSource(w.s)
		w.must(w.s.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u}}))
		put := func(rules ...directory.LicenceRule) error {
			_, err := service.License(t.Context(), boss, w.conn.ID, ann, rules, 0)
			return err
		}
		counts := func() bool {
			t.Helper()
			rules, err := source.Rules(t.Context(), &w.conn, []directory.UserID{ann})
			w.must(err)
			wished := 0
			w.must(source.Wishes(t.Context(), &w.conn, func(directory.UserID, *licences.Rule) { wished++ }))
			if wished != len(rules[ann]) {
				t.Errorf("then %q: %d wishes of the rules %+v", then, wished, rules[ann])
			}
			return wished > 0
		}
		looked := func() bool {
			t.Helper()
			found, err := w.s.Bindings.BindingsOf(t.Context(), w.conn.ID, []directory.Ref{directory.LicenceOf(ann)})
			w.must(err)
			return found[directory.LicenceOf(ann)].Recheck
		}
		w.must(put(directory.LicenceRule{SKU: "SPE_E3"}))
		if !counts() || looked() {
			t.Fatal("the rule of a bound user does not count, or the record was marked twice")
		}
		b, err := w.s.Bindings.Binding(t.Context(), ann)
		w.must(err)
		if b.Release = then; then == "" {
			w.must(w.s.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
		} else {
			w.must(w.s.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, false))
		}
		if counts() || !looked() {
			t.Errorf("then %q: the rule counts %v, the licences are looked at %v", then, counts(), looked())
		}
		if err := put(directory.LicenceRule{SKU: "EMS"}); err == nil {
			t.Errorf("then %q: a rule was put", then)
		}
		if read, err := service.Licences(t.Context(), w.conn.ID, ann); err != nil || len(read.UserLicences.Licences) != 1 {
			t.Errorf("then %q: read %+v, %v", then, read, err)
		}
		if err := put(); err != nil {
			t.Errorf("then %q: the rules cannot be taken away: %v", then, err)
		}
		left, err := w.s.Uses.UserLicencesAmong(t.Context(), &w.conn, []directory.UserID{ann})
		w.must(err)
		if len(left[ann].Licences) != 0 {
			t.Errorf("then %q: %+v are left", then, left)
		}
	}
}
