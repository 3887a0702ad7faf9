package entra

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// short spells holders as kind, name and property.
func short(h directory.Holders) string {
	var parts []string
	for _, one := range h.Found {
		parts = append(parts, string(one.Kind)+" "+one.Name+" "+one.Property)
	}
	for _, k := range h.LeftOut {
		parts = append(parts, "without "+string(k))
	}
	return strings.Join(parts, ", ")
}

func TestHolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30, "Group.Read.All")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	gone, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "ann@fabrikam.example", "displayName": "Ann", "mail": "ann.o'hara@fabrikam.example"})
	must(err)
	must(w.sim.DeleteAccount(simTenant, gone))
	joann, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "joann@fabrikam.example", "displayName": "Joann"})
	must(err)
	must(w.sim.DeleteAccount(simTenant, joann))
	for _, row := range []struct {
		addresses []string
		want      string
	}{
		{[]string{"BOX@fabrikam.example"}, "user Box userPrincipalName"},
		{[]string{"o'box@fabrikam.example"}, "user Box proxyAddresses"},
		{[]string{"ann@fabrikam.example"}, "deleted-user Ann userPrincipalName"},
		{[]string{"ann.o'hara@fabrikam.example"}, "deleted-user Ann mail"},
		{[]string{"All@fabrikam.example"}, "group Staff proxyAddresses"},
		{[]string{"nobody@fabrikam.example"}, ""},
		{[]string{"", " ", "box", "box@fabrikam.example", "Box@Fabrikam.example"}, "user Box userPrincipalName"},
		{[]string{"ann@fabrikam.example", "plain@fabrikam.example"}, "deleted-user Ann userPrincipalName, user Plain userPrincipalName"},
		{nil, ""},
	} {
		got, err := w.tenant.Holders(t.Context(), row.addresses)
		if err != nil || short(got) != row.want {
			t.Errorf("Holders(%q) = %q, %v; want %q", row.addresses, short(got), err, row.want)
		}
	}
	got, err := w.tenant.Holders(t.Context(), []string{"ann@fabrikam.example"})
	if err != nil || len(got.Found) != 1 || got.Found[0].ID != gone || got.Found[0].UserPrincipalName != "ann@fabrikam.example" || got.Found[0].Address != "ann@fabrikam.example" {
		t.Errorf("Holders of a deleted user's name = %+v, %v", got, err)
	}
	// More than one batch: 8 addresses are 24 questions.
	w.sim.ResetRequests()
	addresses := []string{"box@fabrikam.example"}
	for _, n := range strings.Fields("a b c d e f plain") {
		addresses = append(addresses, n+"@fabrikam.example")
	}
	if got, err = w.tenant.Holders(t.Context(), addresses); err != nil || short(got) != "user Box userPrincipalName, user Plain userPrincipalName" {
		t.Errorf("Holders of 8 addresses = %q, %v", short(got), err)
	}
}

func TestHoldersAmongGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "Group.Read.All")
	w.round = func(r *http.Request) (*http.Response, error) {
		return answer(200, `{"responses":[{"id":"3","status":200,"body":{"value":[]}},{"id":"1","status":200,"body":{"value":[]}},
			{"id":"2","status":200,"body":{"value":[
				{"id":"99999999-aaaa-4bbb-8ccc-000000000001","displayName":"Sales","mail":"other@fabrikam.example","proxyAddresses":["SMTP:other@fabrikam.example","smtp:Sales@fabrikam.example"]},
				{"id":"99999999-aaaa-4bbb-8ccc-000000000001","displayName":"Sales","mail":"sales@fabrikam.example"},
				{"id":"99999999-aaaa-4bbb-8ccc-000000000002","displayName":"Others","mail":null,"proxyAddresses":["sip:sales@fabrikam.example"]}]}}]}`), nil
	}
	got, err := w.tenant.Holders(t.Context(), []string{"sales@fabrikam.example"})
	if err != nil || short(got) != "group Sales proxyAddresses" {
		t.Errorf("Holders = %q, %v", short(got), err)
	}
}

func TestHoldersWithoutTheScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	got, err := w.tenant.Holders(t.Context(), []string{"box@fabrikam.example", "plain@fabrikam.example"})
	if err != nil || short(got) != "user Box userPrincipalName, user Plain userPrincipalName, without group" {
		t.Errorf("Holders without a scope for groups = %q, %v", short(got), err)
	}
	if !strings.Contains(w.log.String(), "leftOut=group") {
		t.Error("that groups could not be read is not in the log")
	}
}

func TestHoldersPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "Group.Read.All")
	pages := 0
	w.round = func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "$batch") {
			next := simBase + "/v1.0/directory/deletedItems/microsoft.graph.user?$skiptoken=x"
			return answer(200, `{"responses":[{"id":"1","status":200,"body":{"value":[]}},{"id":"2","status":200,"body":{"value":[]}},
				{"id":"3","status":200,"body":{"value":[],"@odata.nextLink":"`+next+`"}}]}`), nil
		}
		if pages++; r.Header.Get("ConsistencyLevel") != "eventual" {
			t.Error("a page of an advanced query was asked for without ConsistencyLevel")
		}
		return answer(200, `{"value":[{"id":"`+boxID+`","displayName":"Old","userPrincipalName":"`+strings.ReplaceAll(boxID, "-", "")+`ann@fabrikam.example"}]}`), nil
	}
	got, err := w.tenant.Holders(t.Context(), []string{"ann@fabrikam.example"})
	if err != nil || short(got) != "deleted-user Old userPrincipalName" || pages != 1 {
		t.Errorf("Holders over two pages = %q, %v after %d pages", short(got), err, pages)
	}
	endless := `{"value":[{"id":"` + plainID + `","userPrincipalName":"joann@fabrikam.example"}],"@odata.nextLink":"` + simBase + `/v1.0/users?$skiptoken=y"}`
	w.round = func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "$batch") {
			return answer(200, `{"responses":[{"id":"1","status":200,"body":`+endless+`},{"id":"2","status":200,"body":{"value":[]}},{"id":"3","status":200,"body":{"value":[]}}]}`), nil
		}
		return answer(200, endless), nil
	}
	if got, err := w.tenant.Holders(t.Context(), []string{"ann@fabrikam.example"}); err != nil || short(got) != "without user" {
		t.Errorf("Holders of an endless search = %q, %v; want it told", short(got), err)
	}
	w.round = func(r *http.Request) (*http.Response, error) {
		return answer(200, `{"responses":[{"id":"1","status":200,"body":{"value":[],"@odata.nextLink":"https://elsewhere.example/v1.0/users?x"}}]}`), nil
	}
	if _, err := w.tenant.Holders(t.Context(), []string{"ann@fabrikam.example"}); !errors.Is(err, directory.ErrForeignLink) {
		t.Errorf("Holders with a foreign link = %v", err)
	}
}

func TestHoldersFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "Group.Read.All")
	ask := func() (directory.Holders, error) {
		return w.tenant.Holders(t.Context(), []string{"box@fabrikam.example"})
	}
	w.fault(entratest.Fault{Kind: "throttle", Path: "^/groups", RetryAfter: "7", Times: 1})
	_, err := ask()
	if throttled, ok := errors.AsType[*directory.ThrottledError](err); !ok || throttled.RetryAfter != 7*time.Second {
		t.Errorf("Holders when throttled = %v", err)
	}
	w.fault(entratest.Fault{Kind: "status", Status: 400, Code: "Request_UnsupportedQuery", Path: "deletedItems", Times: 1})
	if got, err := ask(); err != nil || !slices.Equal(got.LeftOut, []directory.HolderKind{directory.HolderDeletedUser}) || len(got.Found) != 1 {
		t.Errorf("Holders when deleted users cannot be filtered = %q, %v", short(got), err)
	}
	w.fault(entratest.Fault{Kind: "status", Status: 400, Code: "Request_UnsupportedQuery", Path: "^/users", Times: 1})
	if got, err := ask(); err == nil {
		t.Errorf("Holders when users cannot be filtered = %q, want an error", short(got))
	}
	w.fault(entratest.Fault{Kind: "status", Status: 503, Path: "batch", Times: 1})
	if _, err := ask(); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Holders when the batch fails = %v", err)
	}
}
