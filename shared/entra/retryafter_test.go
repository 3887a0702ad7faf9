package entra

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// TestThrottleScope holds that whole answers and items of a batch, read or
// written, say whose quota was used up.
func TestThrottleScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	const ids = "/Write/" + simApp + "/" + simTenant
	for text, want := range map[string]directory.ThrottleScope{
		"Tenant_Application" + ids: directory.ThrottledTenantApp,
		"Application" + ids:        directory.ThrottledApp,
		"Tenant" + ids:             directory.ThrottledTenant,
		"tenant_application":       directory.ThrottledTenantApp,
		"TenantApplication" + ids:  "",
		"":                         "",
	} {
		scope := func(err error) directory.ThrottleScope {
			e, ok := errors.AsType[*directory.ThrottledError](err)
			if !ok {
				t.Errorf("%q: the error is %v, want it throttled", text, err)
				return "none"
			}
			return e.Scope
		}
		w.round = func(*http.Request) (*http.Response, error) {
			return answer(429, graphError("TooManyRequests", "x", ""), "Retry-After", "2", "x-ms-throttle-scope", text), nil
		}
		_, err := w.tenant.List(t.Context(), nil, "")
		if got := scope(err); got != want {
			t.Errorf("List's scope of %q = %q, want %q", text, got, want)
		}
		_, err = w.tenant.Write(t.Context(), []directory.Write{creation("a")})
		if got := scope(err); got != want {
			t.Errorf("Write's scope of %q = %q, want %q", text, got, want)
		}
		item := fmt.Sprintf(`{"id":"1","status":429,"headers":{"Retry-After":"2","X-MS-Throttle-Scope":%q},"body":%s}`, text, graphError("TooManyRequests", "x", ""))
		w.round = func(*http.Request) (*http.Response, error) { return answer(200, `{"responses":[`+item+`]}`), nil }
		if o := w.write(creation("a")); o.Scope != want || !o.Retry {
			t.Errorf("an item's scope of %q = %q, want %q", text, o.Scope, want)
		}
		found, err := w.tenant.Lookup(t.Context(), []string{plainID}, nil)
		if err != nil || found[0].Scope != want || !found[0].Retry {
			t.Errorf("Lookup's scope of %q = %+v, %v", text, found, err)
		}
		found, err = w.tenant.Search(t.Context(), []string{"a@b.example"}, nil)
		if err != nil || found[0].Scope != want || !found[0].Retry {
			t.Errorf("Search's scope of %q = %+v, %v", text, found, err)
		}
		w.round = func(*http.Request) (*http.Response, error) {
			return answer(200, strings.NewReplacer("429", "503", "TooManyRequests", "ServiceUnavailable").Replace(`{"responses":[`+item+`]}`)), nil
		}
		if o := w.write(creation("a")); o.Scope != "" {
			t.Errorf("the scope of a 503 = %q, want none", o.Scope)
		}
	}
}
