package provision

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/testworld"
)

var admin = directory.Caller{Subject: "ada"}

func ptr[T any](v T) *T { return &v }

func TestTokens(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	s := New(Config{Records: w.Store.ScimClients, Now: w.Now})
	ctx := t.Context()
	okta, err := s.Create(ctx, admin, ClientEdit{Name: ptr("Okta")})
	w.Must(err)
	entra, err := s.Create(ctx, admin, ClientEdit{Name: ptr("Entra")})
	w.Must(err)
	first, secret, err := s.NewToken(ctx, admin, okta.ID, 0)
	w.Must(err)
	token := secret.Reveal()
	if !strings.HasPrefix(token, "bsc_") || strings.Contains(fmt.Sprint(first, secret), token) {
		t.Errorf("the token is %q", token)
	}
	w.Advance(time.Second) // tokens are listed by their time
	_, secret, err = s.NewToken(ctx, admin, okta.ID, 7)
	w.Must(err)
	second := secret.Reveal()

	mistyped := token[:len(token)-1] + string("01"[b2i(token[len(token)-1] == '0')])
	forged, _ := newToken(first.ID) // the ID is known, the secret is not
	unknown, _ := newToken("sct_nobody")
	refused := map[string]struct {
		client directory.ScimClientID
		token  string
	}{
		"none": {okta.ID, ""}, "other": {okta.ID, "Bearer x"}, "mistyped": {okta.ID, mistyped}, "forged": {okta.ID, forged.Reveal()}, "unknown": {okta.ID, unknown.Reveal()},
		"another client's": {entra.ID, token}, "of nobody": {"scl_nobody", token}, "odd": {"scl\x00", token}, "long": {okta.ID, token + strings.Repeat("a", 300)},
	}
	for name, tt := range refused {
		if _, err := s.Authenticate(ctx, tt.client, tt.token, true); !errors.Is(err, ErrNoAccess) {
			t.Errorf("%s: %v", name, err)
		}
	}
	alive := func(token string, want bool) {
		t.Helper()
		got, err := s.Authenticate(ctx, okta.ID, token, true)
		c, id := got.Client, got.TokenID
		if want != (err == nil) || want && (c.ID != okta.ID || id == "") || !want && !errors.Is(err, ErrNoAccess) {
			t.Errorf("%v, %q, %v; want %v", c, id, err, want)
		}
	}
	alive(token, true)
	alive(second, true)
	w.Advance(7 * 24 * time.Hour)
	alive(token, true)
	alive(second, false)
	_, err = s.RevokeToken(ctx, admin, okta.ID, first.ID)
	w.Must(err)
	alive(token, false)
	if _, err := s.RevokeToken(ctx, admin, entra.ID, first.ID); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("another client's token was revoked: %v", err)
	}
	list, err := s.Tokens(ctx, okta.ID)
	if w.Must(err); len(list) != 2 || list[0].LastUsed.Before(list[0].Created) || list[0].Revoked == nil {
		t.Errorf("%+v", list)
	}

	for range MaxTokens {
		_, secret, err = s.NewToken(ctx, admin, okta.ID, 1)
		w.Must(err)
	}
	if _, _, err := s.NewToken(ctx, admin, okta.ID, 1); !errors.Is(err, directory.ErrConflict) {
		t.Errorf("a token too many: %v", err)
	}
	if _, _, err := s.NewToken(ctx, admin, okta.ID, 10000); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("a token for ever: %v", err)
	}
	alive(secret.Reveal(), true)
	w.Must(s.Delete(ctx, admin, okta.ID, 0))
	alive(secret.Reveal(), false)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestClients(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	s := New(Config{Records: w.Store.ScimClients, Now: w.Now})
	ctx := t.Context()
	for name, e := range map[string]ClientEdit{
		"without a name": {},
		"core":           {Name: ptr("x"), Mapping: &[]directory.ScimMapping{{Schema: "urn:ietf:params:scim:schemas:core:2.0:User", Attribute: "a", Path: "customAttributes.a"}}},
		"no URN":         {Name: ptr("x"), Mapping: &[]directory.ScimMapping{{Schema: "x y", Attribute: "a", Path: "customAttributes.a"}}},
		"other path":     {Name: ptr("x"), Mapping: &[]directory.ScimMapping{{Schema: "urn:x", Attribute: "a", Path: "email"}}},
	} {
		if _, err := s.Create(ctx, admin, e); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := s.Create(ctx, admin, ClientEdit{Name: ptr(" Okta "), Mapping: &[]directory.ScimMapping{{Schema: "urn:x", Attribute: "a", Path: "customAttributes.a"}}})
	if w.Must(err); c.Name != "Okta" || c.Strict || c.Version != 1 {
		t.Errorf("%+v", c)
	}
	c, err = s.Edit(ctx, admin, c.ID, ClientEdit{Paused: ptr(true)}, 1)
	if w.Must(err); !c.Paused || c.Name != "Okta" || len(c.Mapping) != 1 {
		t.Errorf("%+v", c)
	}
	if _, err := s.Edit(ctx, admin, c.ID, ClientEdit{Paused: ptr(false)}, 1); !errors.Is(err, directory.ErrStale) {
		t.Errorf("an edit of an older version: %v", err)
	}
	if err := s.Delete(ctx, admin, c.ID, 1); !errors.Is(err, directory.ErrStale) {
		t.Errorf("the end of an older version: %v", err)
	}
	if _, err := s.Get(ctx, "scl_nobody"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

// An app opens one client, and there are so many clients at most.
func TestOneClientOfAnApp(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	s := New(Config{Records: w.Store.ScimClients, Now: w.Now})
	ctx := t.Context()
	first, err := s.Create(ctx, admin, ClientEdit{Name: ptr("A"), OAuthClientID: ptr("app")})
	w.Must(err)
	taken := func(err error) {
		t.Helper()
		if r, is := errors.AsType[*directory.Refusal](err); !is || !errors.Is(err, directory.ErrConflict) || len(r.Fields) != 1 || r.Fields[0].Field != "oauthClientId" {
			t.Errorf("the app of another one: %v", err)
		}
	}
	_, err = s.Create(ctx, admin, ClientEdit{Name: ptr("B"), OAuthClientID: ptr("app")})
	taken(err)
	w.Advance(time.Second)
	second, err := s.Create(ctx, admin, ClientEdit{Name: ptr("B"), OAuthClientID: ptr("other")})
	w.Must(err)
	edit := func(id directory.ScimClientID, app string) error {
		_, err := s.Edit(ctx, admin, id, ClientEdit{OAuthClientID: &app}, 0)
		return err
	}
	taken(edit(second.ID, "app"))
	w.Must(edit(first.ID, "app")) // its own
	w.Must(edit(first.ID, "third"))
	w.Must(edit(second.ID, "app"))
	w.Must(s.Delete(ctx, admin, second.ID, 0))
	w.Must(edit(first.ID, "app"))
	for n := 1; n < MaxClients; n++ {
		w.Advance(time.Second)
		_, err := s.Create(ctx, admin, ClientEdit{Name: ptr(fmt.Sprint("C ", n))})
		w.Must(err)
	}
	if _, err := s.Create(ctx, admin, ClientEdit{Name: ptr("One too many")}); !errors.Is(err, directory.ErrConflict) {
		t.Errorf("one too many: %v", err)
	}
}
