package connect

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// auditEvents lists what was recorded of a connection, oldest first, by kind.
func (w *world) auditEvents(id directory.ConnectionID) (kinds []string, list []directory.AuditEvent) {
	w.Helper()
	records, _, err := w.store.Audit.Activity(w.Context(), store.ActivityQuery{Connection: id, Forward: true, Limit: 50})
	w.check(err)
	for _, r := range records {
		kinds, list = append(kinds, string(r.AuditEvent.Kind)), append(list, *r.AuditEvent)
	}
	return kinds, list
}

// The audit log's permission is asked for when a setting wants it, the tokens go
// on without it until then, and every sign-in is on record.
func TestTheAuditLogIsAskedForWhenWanted(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	if slices.Contains(c.Scopes, directory.ScopeAuditLog) {
		t.Errorf("scopes = %q, and nobody wants the audit log", c.Scopes)
	}
	if !slices.Contains(c.Scopes, directory.ScopeGroupMembers) || len(c.Lacking()) != 0 {
		t.Errorf("scopes = %q: who is in groups is asked for without any setting", c.Scopes)
	}
	c, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, c.ID, func(c *directory.Connection) error { c.Settings.AuditLog = true; return nil })
	w.check(err)
	w.age(2 * time.Hour) // the next token is refreshed: without the permission, and without trouble
	if _, err := w.token(w.Service, &c); err != nil || w.read(c.ID).Status != directory.StatusActive {
		t.Errorf("a refresh while the setting waits = %v, %s", err, w.read(c.ID).Status)
	}
	if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
		t.Fatalf("authorise again = %+v", p)
	}
	if c = w.read(c.ID); !slices.Contains(c.Scopes, directory.ScopeAuditLog) || c.Status != directory.StatusActive {
		t.Errorf("after authorising again: %s with %q", c.Status, c.Scopes)
	}
	kinds, list := w.auditEvents(c.ID)
	if want := []string{"create-connection", "sign-in", "confirm-connection", "authorize-connection", "sign-in"}; !slices.Equal(kinds, want) {
		t.Fatalf("audit events = %q, want %q", kinds, want)
	}
	for _, a := range list {
		if a.Kind != directory.AuditSignIn {
			continue
		}
		if a.By != directory.ByMicrosoft(adminUPN) || a.AccountID == "" || !strings.Contains(a.Detail, "asked for by alice") {
			t.Errorf("sign-in = %+v", a)
		}
	}
}

// A sign-in that came to nothing is on record, a lost authorisation and its
// cause as well; a link that is not ours leaves nothing.
func TestRefusedAndLostAreOnRecord(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	u, err := w.Authorize(t.Context(), alice, c.ID)
	w.check(err)
	w.depart(u)
	w.call(url.Values{"state": {w.query(u).Get("state")}, "error": {"access_denied"}})
	w.call(url.Values{"state": {"nobody-knows"}, "code": {"x"}})
	kinds, list := w.auditEvents(c.ID)
	if want := []string{"create-connection", "sign-in", "confirm-connection", "authorize-connection", "refuse-sign-in"}; !slices.Equal(kinds, want) || !strings.Contains(list[4].Detail, "refused (") {
		t.Fatalf("audit events = %+v", list)
	}
	w.age(91 * 24 * time.Hour)
	if _, err := w.token(w.Service, &c); err == nil {
		t.Fatal("the token lives")
	}
	kinds, list = w.auditEvents(c.ID)
	if len(kinds) != 6 || kinds[5] != "lose-authorization" || list[5].By != directory.BySystem || list[5].Detail == "" {
		t.Errorf("audit events = %+v", list)
	}
}
