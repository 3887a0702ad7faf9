package reconcile

import (
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestAllGlobalAdministratorsLifted: when the protection of every enabled Global
// Administrator is lifted, all stay protected: one batch that blocks them would
// otherwise leave a tenant with nobody.
func TestAllGlobalAdministratorsLifted(t *testing.T) {
	for _, left := range []bool{false, true} {
		w := newWorld(t)
		tenant := w.ruled()
		users := w.people(4)
		var ids []directory.AccountID
		for _, u := range users[:3] {
			ids = append(ids, w.idOf(u))
		}
		w.patch(users[2].Email, map[string]any{"accountEnabled": left})
		tenant.holders = directory.Privileged{Holders: ids, GlobalAdministrators: ids}
		w.skew.Add(2 * time.Hour)
		w.port.token = signIn(t, w.sim)
		for _, id := range ids[:2] {
			w.do(w.store.Protection.PutProtectionOverride(t.Context(), directory.AuditEvent{}, &w.conn, &store.ProtectionOverride{AccountID: id, Until: w.now().Add(time.Hour), By: "boss"}))
		}
		for _, u := range users[:2] {
			w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
		}
		w.sync()
		for _, u := range users[:2] {
			if got := w.account(u.Email)["jobTitle"] == "Boss"; got != left {
				t.Errorf("with another enabled administrator who is not lifted %v: written %v", left, got)
			}
		}
	}
}
