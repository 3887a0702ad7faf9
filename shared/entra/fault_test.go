package entra

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

func TestReadFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	throttled := func(d time.Duration) func(error) bool {
		return func(err error) bool {
			t, ok := errors.AsType[*directory.ThrottledError](err)
			return ok && t.RetryAfter == d
		}
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	for name, row := range map[string]struct {
		fault entratest.Fault
		good  func(error) bool
	}{
		"429":              {entratest.Fault{Kind: "throttle", RetryAfter: "2.128"}, throttled(2128 * time.Millisecond)},
		"429 without wait": {entratest.Fault{Kind: "throttle"}, throttled(defaultWait)},
		"429 for a day":    {entratest.Fault{Kind: "throttle", RetryAfter: "86400"}, throttled(maxWait)},
		"503":              {entratest.Fault{Kind: "status", Status: 503}, is(directory.ErrUnavailable)},
		"503 with wait":    {entratest.Fault{Kind: "status", Status: 503, RetryAfter: "9"}, throttled(9 * time.Second)},
		"504":              {entratest.Fault{Kind: "status", Status: 504}, is(directory.ErrUnavailable)},
		"dropped":          {entratest.Fault{Kind: "drop"}, is(directory.ErrUnavailable)},
		"401 for good":     {entratest.Fault{Kind: "unauthorized"}, is(directory.ErrUnauthorized)},
		"403": {entratest.Fault{Kind: "status", Status: 403, Code: "Authorization_RequestDenied"}, func(err error) bool {
			p, ok := errors.AsType[*directory.Problem](err)
			return ok && p.Code == "rights-missing"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w.fault(row.fault)
			defer w.sim.ClearFaults()
			for what, read := range map[string]func() error{
				"List":         func() error { _, err := w.tenant.List(t.Context(), nil, ""); return err },
				"Delta":        func() error { _, err := w.tenant.Delta(t.Context(), nil, ""); return err },
				"Lookup":       func() error { _, err := w.tenant.Lookup(t.Context(), []string{plainID}, nil); return err },
				"Organization": func() error { _, err := w.tenant.Organization(t.Context()); return err },
				"RoleHolders":  func() error { _, err := w.tenant.RoleHolders(t.Context()); return err },
				"Groups":       func() error { _, err := w.tenant.Groups(t.Context(), []directory.TenantGroupID{staffID}); return err },
				"ListGroups":   func() error { _, err := w.tenant.ListGroups(t.Context(), directory.TenantGroupQuery{}, ""); return err },
				"Members":      func() error { _, err := w.tenant.Members(t.Context(), []directory.TenantGroupID{staffID}); return err },
				"MemberOf":     func() error { _, err := w.tenant.MemberOf(t.Context(), []directory.AccountID{plainID}); return err },
				"GroupDelta":   func() error { _, err := w.tenant.GroupDelta(t.Context(), nil, ""); return err },
				"ListManagers": func() error { _, err := w.tenant.ListManagers(t.Context(), ""); return err },
				"SKUs":         func() error { _, err := w.tenant.SKUs(t.Context()); return err },
				"Licences":     func() error { _, err := w.tenant.Licences(t.Context(), []directory.AccountID{plainID}); return err },
			} {
				before := len(w.sim.Requests())
				if err := read(); !row.good(err) {
					t.Errorf("%s = %v", what, err)
				} else if strings.Contains(err.Error(), "$select") || strings.Contains(err.Error(), "https://") {
					t.Errorf("%s's error has an address in it: %v", what, err)
				}
				sent := len(w.sim.Requests()) - before
				if most := 1; name != "401 for good" && sent > most {
					t.Errorf("%s was sent %d times", what, sent)
				}
			}
		})
	}
}

func TestRenewsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.tokens.current = "stale"
	w.tokens.fresh = func() string { return w.signIn(ourScopes) }
	if _, err := w.tenant.List(t.Context(), nil, ""); err != nil || w.tokens.renewed != 1 {
		t.Errorf("List with a stale token = %v after %d renewals", err, w.tokens.renewed)
	}
	w.tokens.current = "stale"
	if _, err := w.tenant.Organization(t.Context()); err != nil || w.tokens.renewed != 2 {
		t.Errorf("Organization with a stale token = %v after %d renewals", err, w.tokens.renewed)
	}
	w.tokens.current, w.tokens.fresh = "stale", func() string { return "stale too" }
	if _, err := w.tenant.List(t.Context(), nil, ""); !errors.Is(err, directory.ErrUnauthorized) || w.tokens.renewed != 3 {
		t.Errorf("List without a good token = %v after %d renewals", err, w.tokens.renewed)
	}
	own := errors.New("needs authorization")
	w.tokens.err = own
	if _, err := w.tenant.List(t.Context(), nil, ""); !errors.Is(err, own) {
		t.Errorf("List when there is no token = %v, want the source's error", err)
	}
	if _, err := w.tenant.Write(t.Context(), []directory.Write{creation("x")}); !errors.Is(err, own) || !errors.Is(err, directory.ErrNotSent) {
		t.Errorf("Write when there is no token = %v, want the source's error and ErrNotSent", err)
	}
}

func TestClaimsChallengeDoesNotPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.round = func(*http.Request) (*http.Response, error) {
		return answer(401, "", "WWW-Authenticate", `Bearer error=insufficient_claims, claims=unquoted`), nil
	}
	if _, err := w.tenant.List(t.Context(), nil, ""); !errors.Is(err, directory.ErrUnauthorized) {
		t.Errorf("List = %v, want ErrUnauthorized", err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for name, resp := range map[string]func() *http.Response{
		"HTML":             func() *http.Response { return answer(200, "<html>", "Content-Type", "text/html") },
		"nothing":          func() *http.Response { return answer(200, "") },
		"no content":       func() *http.Response { return answer(204, "") },
		"no value":         func() *http.Response { return answer(200, "{}") },
		"half a page":      func() *http.Response { return answer(200, `{"value":[{"id":"x"},{"id":`) },
		"an item without":  func() *http.Response { return answer(200, `{"value":[{"displayName":"x"}]}`) },
		"something behind": func() *http.Response { return answer(200, `{"value":[]} x`) },
		"a list":           func() *http.Response { return answer(200, `[]`) },
		"no gzip":          func() *http.Response { return answer(200, `{"value":[]}`, "Content-Encoding", "gzip") },
	} {
		w.round = func(*http.Request) (*http.Response, error) { return resp(), nil }
		if page, err := w.tenant.List(t.Context(), nil, ""); !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("List answered with %s = %+v, %v; want ErrUnavailable", name, page, err)
		}
		if _, err := w.tenant.Organization(t.Context()); !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("Organization answered with %s = %v; want ErrUnavailable", name, err)
		}
		if roles, err := w.tenant.MyRoles(t.Context()); name != "an item without" && !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("MyRoles answered with %s = %v, %v; want ErrUnavailable", name, roles, err)
		}
	}
	w.round = func(*http.Request) (*http.Response, error) { return answer(200, `{"value":[]}`), nil }
	if _, err := w.tenant.Delta(t.Context(), nil, ""); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Delta of a page without links = %v, want ErrUnavailable", err)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.round = func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding = %q", r.Header.Get("Accept-Encoding"))
		}
		resp, err := w.sim.Transport().RoundTrip(r)
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write(raw)
		z.Close()
		resp.Body = io.NopCloser(&packed)
		resp.Header.Set("Content-Encoding", "gzip")
		return resp, nil
	}
	if page, err := w.tenant.List(t.Context(), nil, ""); err != nil || len(page.Accounts) != 6 {
		t.Errorf("List, packed = %d, %v", len(page.Accounts), err)
	}
	if tenant, err := w.tenant.Organization(t.Context()); err != nil || tenant.ID != simTenant {
		t.Errorf("Organization, packed = %v, %v", tenant, err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"http://graph.example/v1.0", "graph.microsoft.com", "https://graph.microsoft.com", "https://graph.microsoft.com/",
		"ftp://localhost/v1.0", "https://a:b@graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0?x=1", ":", "https:///v1.0"} {
		if _, err := New(Config{BaseURL: base}); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("New(%q) = %v, want it refused", base, err)
		}
	}
	for _, base := range []string{"", "http://127.0.0.1:8365/v1.0", "http://localhost/v1.0/", "http://[::1]:1/v1.0"} {
		if _, err := New(Config{BaseURL: base}); err != nil {
			t.Errorf("New(%q) = %v", base, err)
		}
	}
}
