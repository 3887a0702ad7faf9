package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

const otherUPN = "users@contoso.example" // another admin of the same tenant

// edit writes to the table past the service, as somebody who has the table only.
func (w *world) edit(id directory.ConnectionID, change func(*directory.Connection)) directory.Connection {
	w.Helper()
	c, err := w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, id, func(c *directory.Connection) error { change(c); return nil })
	w.check(err)
	return c
}

// actsAs is whose token a service gives for a record: "" for none.
func (w *world) actsAs(s *Service, c *directory.Connection) string {
	w.Helper()
	token, err := w.token(s, c)
	if err != nil {
		return ""
	}
	me, err := plainGraph{w.http, fixedToken{directory.NewSecret(token)}}.Me(w.Context())
	w.check(err)
	return me.UserPrincipalName()
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*TokenError](err); ok {
		return e.Problem.Code
	}
	return fmt.Sprint(err)
}

// A sign-in of another account than the one in effect changes nothing until it is
// confirmed by tenant and account; then it is the only one.
func TestAnotherIdentityWaits(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	grantAll(w)
	warm := w.process()
	if got := w.actsAs(warm, &c); got != adminUPN {
		t.Fatalf("acts as %q", got)
	}
	old := c
	if p := w.authorize(c.ID, otherUPN); p.Code != "awaiting-confirmation" || !strings.Contains(p.HTML(), "alice") || !strings.Contains(p.HTML(), string(w.oid(otherUPN))) || !strings.Contains(p.HTML(), "bindery/approve") {
		t.Fatalf("page = %+v", p)
	}
	c = w.read(c.ID)
	if c.Status != directory.StatusActive || c.AuthorizedBy.UserPrincipalName != adminUPN || c.SignInID != old.SignInID || c.Waiting.AuthorizedBy.UserPrincipalName != otherUPN {
		t.Fatalf("after the sign-in: %+v", c)
	}
	for _, s := range []*Service{warm, w.process()} {
		if got := w.actsAs(s, &c); got != adminUPN {
			t.Errorf("while another waits it acts as %q", got)
		}
	}
	if _, err := w.Confirm(t.Context(), chief, c.ID, tenantID, w.oid(adminUPN)); !errors.Is(err, directory.ErrConflict) {
		t.Errorf("confirming the account in effect while another waits = %v", err)
	}
	n := len(w.queue.sync)
	in := c.Waiting
	c, err := w.Confirm(t.Context(), chief, c.ID, tenantID, in.AuthorizedBy.ObjectID)
	if err != nil || c.AuthorizedBy.UserPrincipalName != otherUPN || c.Epoch != 1 || c.Confirmation.By != "chief" || len(w.queue.sync) != n+1 {
		t.Fatalf("Confirm = %+v, %v", c, err)
	}
	for _, s := range []*Service{warm, w.process(), w.Service} {
		if got := w.actsAs(s, &c); got != otherUPN {
			t.Errorf("afterwards it acts as %q", got)
		}
	}
	_, list := w.auditEvents(c.ID)
	if last := list[len(list)-1]; last.Kind != "confirm-connection" || len(last.Properties) != 1 ||
		!strings.Contains(last.Properties[0].Before.String(), adminUPN) || !strings.Contains(last.Properties[0].After.String(), otherUPN+" ("+string(in.AuthorizedBy.ObjectID)+")") {
		t.Errorf("on record: %+v", last)
	}
	// Work that began before goes on with what it has, and gets nothing new.
	w.age(2 * time.Hour)
	if _, err := w.token(warm, &old); codeOf(err) != directory.CodeAuthorizationRenewed || !errors.Is(err, ErrTransient) {
		t.Errorf("a token for the record from before = %v", err)
	}
	if got := w.read(c.ID); got.Status != directory.StatusActive {
		t.Errorf("that made the connection %s", got.Status)
	}
	w.check(w.Expire(t.Context(), &c))
	if names := w.vault.Names(); len(names) != 1 || names[0] != secretName(c.ID, 1, c.SignInID) {
		t.Errorf("secrets %v", names)
	}
}

// When Microsoft has ended the authorisation, a sign-in of the same account puts
// it back; one of another account does when it is confirmed.
func TestAnotherIdentityAfterTheLoss(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	grantAll(w)
	w.check(w.LoseAuthorization(t.Context(), &c, directory.Problem{Code: "grant-revoked", Message: "Gone."}))
	if p := w.authorize(c.ID, otherUPN); p.Code != "awaiting-confirmation" {
		t.Fatalf("page = %+v", p)
	}
	if c = w.read(c.ID); c.Status != directory.StatusNeedsAuthorization || c.Problem == nil || c.Waiting == nil {
		t.Errorf("while it waits: %+v", c)
	}
	if p := w.authorize(c.ID, adminUPN); p.Code != "renewed" {
		t.Fatalf("page = %+v", p)
	}
	c = w.read(c.ID)
	if c.Status != directory.StatusActive || w.actsAs(w.process(), &c) != adminUPN || c.Waiting == nil {
		t.Errorf("after the same account signed in: %+v", c)
	}
	c, err := w.confirm(w.Service, c.ID)
	if err != nil || w.actsAs(w.process(), &c) != otherUPN {
		t.Errorf("after the confirmation: %+v, %v", c, err)
	}
}

// What nobody confirmed within 24 hours is deleted; what was in effect stays.
func TestAnotherIdentityExpires(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	grantAll(w)
	if p := w.authorize(c.ID, otherUPN); p.Code != "awaiting-confirmation" {
		t.Fatalf("page = %+v", p)
	}
	first := w.read(c.ID).Waiting.ID
	w.age(time.Hour)
	if p := w.authorize(c.ID, otherUPN); p.Code != "awaiting-confirmation" {
		t.Fatalf("page = %+v", p)
	}
	c = w.read(c.ID)
	w.age(ConfirmWithin - time.Minute)
	w.check(w.Expire(t.Context(), &c))
	c = w.read(c.ID)
	if c.Waiting == nil || c.Waiting.ID == first || len(w.vault.Names()) != 2 {
		t.Fatalf("before its time: %+v, secrets %v", c.Waiting, w.vault.Names())
	}
	w.age(time.Minute)
	w.check(w.Expire(t.Context(), &c))
	c = w.read(c.ID)
	if c.Waiting != nil || c.Status != directory.StatusActive || c.Epoch != 1 || len(w.vault.Names()) != 1 || w.actsAs(w.process(), &c) != adminUPN {
		t.Errorf("after 24 hours: %+v, secrets %v", c, w.vault.Names())
	}
	if _, err := w.Confirm(t.Context(), chief, c.ID, tenantID, w.oid(otherUPN)); err == nil {
		t.Error("it was confirmed later")
	}
	kinds, list := w.auditEvents(c.ID)
	if last := list[len(list)-1]; kinds[len(kinds)-1] != "expire-authorization" || !strings.Contains(last.Detail, otherUPN) {
		t.Errorf("acts %v, %+v", kinds, last)
	}
	w.age(time.Minute)
	w.check(w.Expire(t.Context(), &c))
	if c = w.read(c.ID); len(c.Former) != 0 {
		t.Errorf("former: %v", c.Former)
	}
}

// Whoever can write to the table, and not to the secrets, cannot have Bindery
// show one identity and act as another, nor have it act as one that nobody
// confirmed.
func TestTheTableAloneMakesNoIdentity(t *testing.T) {
	for _, tc := range []struct {
		name   string
		forge  func(w *world, c *directory.Connection)
		code   string
		status directory.ConnectionStatus
	}{
		{"another account is shown", func(w *world, c *directory.Connection) { c.AuthorizedBy.ObjectID = w.oid(otherUPN) },
			"tokens-of-another-identity", directory.StatusNeedsAuthorization},
		{"another tenant is shown", func(_ *world, c *directory.Connection) { c.Tenant.ID = otherID },
			"tokens-of-another-identity", directory.StatusNeedsAuthorization},
		{"what waits is shown", func(_ *world, c *directory.Connection) {
			putInEffect(c, c.Waiting)
			c.Waiting = nil
		}, "tokens-unconfirmed", directory.StatusNeedsAuthorization},
		{"the tokens of what waits", func(_ *world, c *directory.Connection) { c.SignInID = c.Waiting.ID },
			"tokens-of-another-identity", directory.StatusNeedsAuthorization},
		{"no sign-in", func(_ *world, c *directory.Connection) { c.SignInID = "" },
			"tokens-missing", directory.StatusNeedsAuthorization},
		{"nobody is shown", func(_ *world, c *directory.Connection) { c.AuthorizedBy, c.SignInID = nil, "" },
			"not-authorized", directory.StatusActive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			c := w.connected("Contoso", adminUPN)
			grantAll(w)
			if p := w.authorize(c.ID, otherUPN); p.Code != "awaiting-confirmation" {
				t.Fatalf("page = %+v", p)
			}
			if w.actsAs(w.Service, &c) != adminUPN {
				t.Fatal("no token before")
			}
			w.age(2 * time.Minute)
			c = w.edit(c.ID, func(c *directory.Connection) { tc.forge(w, c) })
			w.resetRequests()
			for _, s := range []*Service{w.Service, w.process()} { // warm and cold
				if _, err := w.token(s, &c); codeOf(err) != tc.code || !errors.Is(err, ErrNeedsAuthorization) {
					t.Errorf("Token = %v, want %s", err, tc.code)
				}
				if _, err := s.TokensUsed(t.Context(), &c); codeOf(err) != tc.code && (tc.code != "not-authorized" || err == nil) {
					t.Errorf("TokensUsed = %v, want %s", err, tc.code)
				}
			}
			if got := w.read(c.ID); got.Status != tc.status || w.tokenRequests() != 0 {
				t.Errorf("status %s after %d requests, want %s", got.Status, w.tokenRequests(), tc.status)
			}
			// The way on: the admin signs in again, and somebody confirms.
			w.edit(c.ID, func(c *directory.Connection) {
				if c.Tenant.ID = tenantID; c.AuthorizedBy == nil {
					c.AuthorizedBy = &directory.Administrator{}
				}
			})
			p := w.authorize(c.ID, adminUPN)
			if p.Code == "awaiting-confirmation" {
				_, err := w.confirm(w.Service, c.ID)
				w.check(err)
			}
			if c = w.read(c.ID); w.actsAs(w.process(), &c) != adminUPN {
				t.Errorf("after a new authorisation (%s) it acts as %q", p.Code, w.actsAs(w.process(), &c))
			}
		})
	}
}

// A seal of another connection, epoch, tenant or account, or none, spares nobody
// the confirmation.
func TestOnlyTheConfirmedIdentityRenews(t *testing.T) {
	for name, forge := range map[string]func(w *world, c *directory.Connection){
		"another account": func(w *world, c *directory.Connection) { c.AuthorizedBy.ObjectID = w.oid(otherUPN) },
		"no seal": func(w *world, c *directory.Connection) {
			c.AuthorizedBy.ObjectID, c.Confirmation = w.oid(otherUPN), nil
		},
		"an empty seal": func(w *world, c *directory.Connection) {
			c.AuthorizedBy.ObjectID, c.Confirmation = w.oid(otherUPN), &directory.Confirmation{By: "chief"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.connected("Contoso", adminUPN)
			grantAll(w)
			w.edit(c.ID, func(c *directory.Connection) { forge(w, c) })
			if p := w.authorize(c.ID, otherUPN); p.Code != "awaiting-confirmation" {
				t.Errorf("page = %+v", p)
			}
			c = w.read(c.ID)
			if c.Waiting == nil || w.stored(&c).confirmed || w.actsAs(w.process(), &c) != "" {
				t.Errorf("the forged identity is in effect: %+v", c)
			}
		})
	}
}

// Tokens that lie under a sign-in's name and are another's are used by nobody,
// and confirmed by nobody.
func TestSecretsAreNotExchanged(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	grantAll(w)
	if p := w.authorize(c.ID, otherUPN); p.Status != 200 {
		t.Fatalf("page = %+v", p)
	}
	c = w.read(c.ID)
	mine, err := w.vault.Get(t.Context(), secretName(c.ID, 1, c.SignInID))
	w.check(err)
	w.check(w.vault.Put(t.Context(), secretName(c.ID, 1, c.Waiting.ID), mine))
	w.age(2 * time.Minute)
	_, err = w.confirm(w.Service, c.ID)
	if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != "tokens-of-another-identity" {
		t.Errorf("Confirm = %v", err)
	}
	if got := w.read(c.ID); got.AuthorizedBy.UserPrincipalName != adminUPN || w.actsAs(w.process(), &got) != adminUPN {
		t.Errorf("afterwards: %+v", got)
	}
}

// early is a connection as earlier versions stored it: one secret for the epoch,
// and no word in it of whose it is.
func (w *world) early(name, login string) directory.Connection {
	w.Helper()
	c := w.connected(name, login)
	secret, err := w.vault.Get(w.Context(), secretName(c.ID, 1, c.SignInID))
	w.check(err)
	var fields map[string]any
	w.check(json.Unmarshal([]byte(secret.Reveal()), &fields))
	for _, f := range []string{"signInId", "tenantId", "objectId", "confirmed"} {
		delete(fields, f)
	}
	raw, err := json.Marshal(fields)
	w.check(err)
	w.check(w.vault.Create(w.Context(), secretName(c.ID, 1, ""), directory.NewSecret(string(raw))))
	w.check(w.vault.Delete(w.Context(), secretName(c.ID, 1, c.SignInID)))
	return w.edit(c.ID, func(c *directory.Connection) { c.SignInID, c.Confirmation = "", nil })
}

// What earlier versions stored goes on working: Microsoft says at the next
// refresh whose tokens they are, and from then on that stands with them.
func TestTokensOfEarlierVersions(t *testing.T) {
	w := newWorld(t)
	c := w.early("Contoso", adminUPN)
	if w.actsAs(w.process(), &c) != adminUPN || w.stored(&c).identity != (identity{}) {
		t.Fatal("the tokens do not work as they are")
	}
	w.age(2 * time.Hour)
	if w.actsAs(w.process(), &c) != adminUPN {
		t.Fatal("the tokens are not refreshed")
	}
	if set := w.stored(&c); set.identity != (identity{tenantID, w.oid(adminUPN)}) || !set.confirmed {
		t.Errorf("after a refresh the secret says %+v", set.identity)
	}
	// From then on the record is held to it.
	forged := w.edit(c.ID, func(c *directory.Connection) { c.AuthorizedBy.ObjectID = w.oid(otherUPN) })
	if _, err := w.token(w.process(), &forged); codeOf(err) != "tokens-of-another-identity" {
		t.Errorf("Token for another identity = %v", err)
	}
	w.edit(c.ID, func(c *directory.Connection) { c.AuthorizedBy.ObjectID = w.oid(adminUPN) })
	// Nobody's confirmation is on record: the next sign-in asks for one, once.
	if p := w.authorize(c.ID, adminUPN); p.Code != "awaiting-confirmation" {
		t.Fatalf("page = %+v", p)
	}
	if _, err := w.confirm(w.Service, c.ID); err != nil {
		t.Fatal(err)
	}
	if p := w.authorize(c.ID, adminUPN); p.Code != "renewed" {
		t.Fatalf("page = %+v", p)
	}
	w.age(time.Minute)
	c = w.read(c.ID)
	w.check(w.Expire(t.Context(), &c))
	if n := w.vault.Names(); len(n) != 1 || n[0] != secretName(c.ID, 1, c.SignInID) || w.actsAs(w.process(), &c) != adminUPN {
		t.Errorf("secrets %v", n)
	}
}

// A record that shows another identity than the one that Microsoft names at the
// first refresh of an earlier version's tokens ends their use.
func TestTokensOfEarlierVersionsForged(t *testing.T) {
	w := newWorld(t)
	c := w.early("Contoso", adminUPN)
	w.age(2 * time.Hour)
	c = w.edit(c.ID, func(c *directory.Connection) { c.AuthorizedBy.ObjectID = w.oid(otherUPN) })
	if _, err := w.token(w.process(), &c); codeOf(err) != "tokens-of-another-identity" || w.read(c.ID).Status != directory.StatusNeedsAuthorization {
		t.Errorf("Token = %v, status %s", err, w.read(c.ID).Status)
	}
}

// A connection that waited for its confirmation when the version changed can
// still be confirmed, expires, and is deactivated without a trace.
func TestWaitingSinceAnEarlierVersion(t *testing.T) {
	for _, then := range []string{"confirm", "expire", "deactivate", "authorize"} {
		w := newWorld(t)
		c := w.early("Contoso", adminUPN)
		c = w.edit(c.ID, func(c *directory.Connection) { c.Status = directory.StatusAwaitingConfirmation })
		if c = w.read(c.ID); c.Waiting == nil || c.Waiting.AuthorizedBy.UserPrincipalName != adminUPN || c.Tenant != nil || w.actsAs(w.process(), &c) != "" {
			t.Fatalf("read as %+v", c)
		}
		switch then {
		case "confirm":
			got, err := w.confirm(w.Service, c.ID)
			if err != nil || got.Status != directory.StatusActive || w.actsAs(w.process(), &got) != adminUPN {
				t.Errorf("Confirm = %+v, %v", got, err)
			}
			continue
		case "expire":
			w.age(ConfirmWithin)
			w.check(w.Expire(t.Context(), &c))
			if got := w.read(c.ID); got.Status != directory.StatusPending {
				t.Errorf("after 24 hours it is %s", got.Status)
			}
		case "deactivate":
			_, err := w.Deactivate(t.Context(), alice, c.ID)
			w.check(err)
		case "authorize":
			if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
				t.Fatalf("page = %+v", p)
			}
			if got, err := w.confirm(w.Service, c.ID); err != nil || w.actsAs(w.process(), &got) != adminUPN || len(w.vault.Names()) != 1 {
				t.Errorf("Confirm = %v, secrets %v", err, w.vault.Names())
			}
			continue
		}
		if n := w.vault.Names(); len(n) != 0 {
			t.Errorf("%s: secrets %v", then, n)
		}
	}
}
