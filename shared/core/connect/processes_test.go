package connect

import (
	"context"
	"errors"
	"testing"
	"time"

	"bindery/shared/directory"
)

// Another admin's authorisation counts in a process that is warm with the
// tokens of the former one: at once for what begins afterwards, and within a
// second for what is under way.
func TestAnotherAdminInEveryProcess(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	grantAll(w)
	warm := w.process()
	underWay := warm.Tokens(&c)
	if got := w.actsAs(warm, &c); got != adminUPN {
		t.Fatalf("acts as %q", got)
	}
	if _, err := underWay.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := w.authorize(c.ID, otherUPN); p.Code != "awaiting-confirmation" {
		t.Fatalf("page = %+v", p)
	}
	w.age(time.Minute)
	if _, err := underWay.Token(t.Context()); err != nil {
		t.Errorf("before the confirmation: %v", err)
	}
	c, err := w.confirm(w.Service, c.ID)
	w.check(err)
	if got := w.actsAs(warm, &c); got != otherUPN {
		t.Errorf("what begins afterwards acts as %q", got)
	}
	w.age(connectionFresh)
	w.resetRequests()
	for what, ask := range map[string]func() (directory.Secret, error){
		"Token": func() (directory.Secret, error) { return underWay.Token(t.Context()) },
		"Renew": func() (directory.Secret, error) { return underWay.Renew(t.Context(), directory.NewSecret("rejected")) },
	} {
		if token, err := ask(); codeOf(err) != directory.CodeAuthorizationRenewed || !errors.Is(err, ErrTransient) || !token.IsZero() {
			t.Errorf("%s of what was under way = %v", what, err)
		}
	}
	if w.tokenRequests() != 0 {
		t.Error("the former admin's token was refreshed")
	}
	if got := w.read(c.ID); got.Status != directory.StatusActive {
		t.Errorf("that made the connection %s", got.Status)
	}
}

// The same for a deactivation by another process, and when the table does not
// answer no token is given out.
func TestLetGoByAnotherProcess(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	warm := w.process()
	underWay := warm.Tokens(&c)
	if _, err := underWay.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := w.Deactivate(t.Context(), alice, c.ID)
	w.check(err)
	w.age(connectionFresh)
	if _, err := underWay.Token(t.Context()); !errors.Is(err, directory.ErrLeaseLost) {
		t.Errorf("Token = %v, want the connection let go", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if token, err := warm.Tokens(&c).Renew(gone, directory.Secret{}); err == nil || !token.IsZero() {
		t.Errorf("without an answer of the table: %v", err)
	}
}

// A client secret that Microsoft refuses is read anew by the next try.
func TestRotatedClientSecret(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	warm := w.process()
	remembered, stored := "the former one", clientSecret
	warm.cfg.ClientSecret = func(context.Context) (directory.Secret, error) {
		if remembered == "" {
			remembered = stored
		}
		return directory.NewSecret(remembered), nil
	}
	warm.cfg.ForgetClientSecret = func() { remembered = "" }
	w.age(2 * time.Hour)
	if _, err := w.token(warm, &c); !errors.Is(err, ErrConfiguration) {
		t.Fatalf("with the former secret: %v", err)
	}
	if _, err := w.token(warm, &c); err != nil {
		t.Errorf("the next try: %v", err)
	}
}
