package reconcile

import (
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// A run that is held for what an identity provider has pushed names the client.
func TestHeldRunNamesTheClient(t *testing.T) {
	w := newWorld(t)
	users := w.people(30)
	w.sync()
	okta := directory.ScimClient{ID: directory.NewScimClientID(w.now()), Name: "Okta"}
	w.do(w.store.ScimClients.SaveScimClient(t.Context(), directory.AuditEvent{}, &okta))
	for i := range users[:20] {
		w.edit(users[i], func(u *directory.User) {
			u.EditedBy([]string{string(okta.ID), "ann"}[i%2], w.now())
			u.State = directory.StateSuspended
		})
	}
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Held == nil {
		t.Fatalf("run is %s", run.State)
	}
	named := slices.ContainsFunc(run.Held.Facts, func(f directory.HeldFact) bool {
		return f.Code == directory.HeldPushed && f.Name == "Okta" && f.ScimClientID != ""
	})
	if told := strings.Join(run.Held.Reasons, "\n"); !named || strings.Count(told, "/"+string(okta.ID)+"/take-back ") != 1 {
		t.Errorf("held for %+v, %s", run.Held.Facts, told)
	}
}
