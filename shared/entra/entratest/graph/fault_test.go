package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/inprocess"
	"bindery/shared/entra/entratest/state"
)

// bubble is when a synctest bubble begins.
var bubble = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	body := `{"requests":[
		{"id":"1","method":"PATCH","url":"/users/` + plainID + `","headers":{"Content-Type":"application/json"},"body":{"city":"Bern"}},
		{"id":"2","method":"GET","url":"users/` + plainID + `?$select=city","headers":{"client-request-id":"mine"}},
		{"id":"3","method":"GET","url":"/users/nobody@fabrikam.example"},
		{"id":"4","method":"GET","url":"/me","dependsOn":["3"]},
		{"id":"5","method":"POST","url":"/users","body":{"displayName":"x"}},
		{"id":"6","method":"POST","url":"/$batch","headers":{"Content-Type":"application/json"},"body":{"requests":[]}},
		{"id":"7","method":"GET","url":"/users/$count","headers":{"ConsistencyLevel":"eventual"}}]}`
	got := l.want(200, "POST", "/$batch", body)
	answers := map[string]map[string]any{}
	var order []string
	for _, v := range listOf(got.body["responses"]) {
		m := v.(map[string]any)
		answers[state.Text(m["id"])] = m
		order = append(order, state.Text(m["id"]))
	}
	for id, want := range map[string]float64{"1": 204, "2": 200, "3": 404, "4": 424, "5": 400, "6": 400, "7": 200} {
		if answers[id]["status"] != want {
			t.Errorf("item %s = %v, want %v", id, answers[id], want)
		}
	}
	if _, has := answers["1"]["body"]; has {
		t.Error("an answer of 204 has a body")
	}
	headers := answers["2"]["headers"].(map[string]any)
	if headers["client-request-id"] != "mine" || headers["x-ms-resource-unit"] != "1" || headers["request-id"] == nil {
		t.Errorf("item headers = %v", headers)
	}
	if slices.IsSorted(order) {
		t.Errorf("answers came in the order of the requests: %v", order)
	}
	var seen []string
	for _, r := range l.s.Requests() {
		seen = append(seen, fmt.Sprintf("%d:%d", r.Item, r.Status))
	}
	if want := []string{"0:200", "1:204", "2:200", "3:404", "4:424", "5:400", "6:400", "7:200"}; !slices.Equal(seen, want) {
		t.Errorf("requests = %v, want %v", seen, want)
	}
}

func TestBatchIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	many := func(n int) string {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf(`{"id":"%d","method":"GET","url":"/me"}`, i))
		}
		return `{"requests":[` + strings.Join(items, ",") + `]}`
	}
	l.want(200, "POST", "/$batch", many(20))
	for name, body := range map[string]string{
		"21 items":    many(21),
		"none":        `{"requests":[]}`,
		"no JSON":     `{`,
		"same id":     `{"requests":[{"id":"a","method":"GET","url":"/me"},{"id":"A","method":"GET","url":"/me"}]}`,
		"no id":       `{"requests":[{"method":"GET","url":"/me"}]}`,
		"no url":      `{"requests":[{"id":"1","method":"GET"}]}`,
		"depends on?": `{"requests":[{"id":"1","method":"GET","url":"/me","dependsOn":["2"]}]}`,
	} {
		if got := l.unchecked().do("POST", "/$batch", body); got.status != 400 {
			t.Errorf("%s: %d, want 400", name, got.status)
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quota := faults.Quota{AppTenantWrites: faults.Rate{Capacity: 10, Per: 10 * time.Second}}
		l := newLab(t, labOptions{Quota: quota})
		patch := func(n int) result { return l.do("PATCH", "/users/"+plainID, fmt.Sprintf(`{"city":"c%d"}`, n)) }
		for i := range 10 {
			if got := patch(i); got.status != 204 {
				t.Fatalf("write %d = %d", i, got.status)
			} else if share := got.header.Get("x-ms-throttle-limit-percentage"); (share != "") != (i >= 8) {
				t.Errorf("write %d: x-ms-throttle-limit-percentage = %q", i, share)
			}
		}
		got := patch(10)
		if got.code() != "429 TooManyRequests" || got.message() != "Please retry again later." || got.header.Get("Retry-After") != "1" ||
			got.header.Get("x-ms-throttle-scope") != "Tenant_Application/Write/"+labApp+"/"+labTenant || got.header.Get("x-ms-throttle-information") != "WriteLimitExceeded" {
			t.Fatalf("over the limit: %s %v", got.raw, got.header)
		}
		l.want(200, "GET", "/me", "") // reads have buckets of their own
		time.Sleep(500 * time.Millisecond)
		if got := patch(11); got.status != 429 {
			t.Errorf("too early: %d", got.status)
		}
		time.Sleep(500 * time.Millisecond)
		if got := patch(12); got.status != 429 { // asking too early has cost what there was
			t.Errorf("a second after the first refusal: %d", got.status)
		}
		time.Sleep(time.Second)
		if got := patch(13); got.status != 204 {
			t.Errorf("a second after the last refusal: %d", got.status)
		}
		last := l.s.Requests()
		if r := last[len(last)-2]; !r.Throttled || r.Status != 429 || r.Writes != 1 {
			t.Errorf("the log says %+v", r)
		}
	})
}

func TestThrottleInBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{Now: func() time.Time { return bubble }, Quota: faults.Quota{TenantWrites: faults.Rate{Capacity: 2, Per: time.Minute}}})
	var items []string
	for i := range 3 {
		items = append(items, fmt.Sprintf(`{"id":"%d","method":"PATCH","url":"/users/%s","headers":{"Content-Type":"application/json"},"body":{"city":"c%d"}}`, i, plainID, i))
	}
	got := l.want(200, "POST", "/$batch", `{"requests":[`+strings.Join(items, ",")+`]}`)
	statuses := map[float64]int{}
	for _, v := range listOf(got.body["responses"]) {
		m := v.(map[string]any)
		statuses[m["status"].(float64)]++
		if m["status"] == 429.0 && m["headers"].(map[string]any)["Retry-After"] != "30" {
			t.Errorf("headers of the refused item = %v", m["headers"])
		}
	}
	if statuses[204] != 2 || statuses[429] != 1 {
		t.Errorf("statuses = %v", statuses)
	}
}

func TestPrice(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, path string
		want         string
	}{
		{"GET", "/users", "2"}, {"GET", "/users?$select=id", "1"}, {"GET", "/users?$select=id&$top=5", "1"}, {"GET", "/users?$top=5", "1"},
		{"GET", "/users/" + plainID, "1"}, {"GET", "/users/" + plainID + "?$expand=manager", "2"}, {"GET", "/me/memberOf", "2"},
		{"GET", "/groups/" + groupID + "/members", "3"}, {"GET", "/groups/" + groupID + "/members?$select=id", "2"}, {"GET", "/subscribedSkus", "3"},
		{"GET", "/oauth2PermissionGrants", "2"}, {"GET", "/organization", "1"}, {"POST", "/me/revokeSignInSessions", "1"}, {"GET", "/users/delta", "1"},
	}
	l := newLab(t, labOptions{})
	for _, tt := range tests {
		if got := l.want(200, tt.method, tt.path, "").header.Get("x-ms-resource-unit"); got != tt.want {
			t.Errorf("%s %s costs %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestFaultsBeforeAndAfter(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	body := func(n int) string { return newUser(fmt.Sprintf("u%d@fabrikam.example", n)) }
	exists := func(n int) bool { _, ok := l.s.Account(labTenant, fmt.Sprintf("u%d@fabrikam.example", n)); return ok }
	for i, f := range []faults.Fault{
		{Kind: "status", Status: 503, RetryAfter: "2.128"}, {Kind: "status", Status: 504, When: "after"},
		{Kind: "drop"}, {Kind: "drop", When: "after"},
	} {
		f.Method, f.Path, f.Times = "POST", "^/users", 1
		l.setFault(f)
		got, err := l.try(context.Background(), "POST", "/users", body(i))
		if f.Kind == "drop" && !errors.Is(err, inprocess.ErrDropped) || f.Kind == "status" && got.status != f.Status {
			t.Errorf("fault %+v: %d, %v", f, got.status, err)
		}
		if f.RetryAfter != "" && got.header.Get("Retry-After") != f.RetryAfter {
			t.Errorf("Retry-After = %q", got.header.Get("Retry-After"))
		}
		if exists(i) != (f.When == "after") {
			t.Errorf("fault %+v: the account is there: %v", f, exists(i))
		}
		l.want(201, "POST", "/users", newUser(fmt.Sprintf("v%d@fabrikam.example", i)))
	}
	l.setFault(faults.Fault{Kind: "throttle", Times: 1})
	if got := l.want(429, "GET", "/me", ""); got.header.Get("Retry-After") != "" {
		t.Errorf("Retry-After = %q, want none", got.header.Get("Retry-After"))
	}
	l.setFault(faults.Fault{Kind: "unauthorized", Nth: 2, Times: 1})
	l.want(200, "GET", "/me", "")
	l.want(401, "GET", "/me", "")
	l.want(200, "GET", "/me", "")
	l.setFault(faults.Fault{Kind: "proxy-conflict", Times: 1})
	if got := l.do("PATCH", "/users/"+plainID, `{"usageLocation":"CH"}`); got.code() != "400 Request_BadRequest ObjectConflict/proxyAddresses ConflictingObjects/proxyAddresses" {
		t.Errorf("proxy-conflict = %s", got.code())
	}
	l.setFault(faults.Fault{Kind: "race-create", Account: map[string]any{"displayName": "Stranger"}, Times: 1})
	if got := l.do("POST", "/users", newUser("race@fabrikam.example")); got.code() != "400 Request_BadRequest ObjectConflict/userPrincipalName" {
		t.Errorf("race-create = %s", got.code())
	}
	if l.raw("race@fabrikam.example")["displayName"] != "Stranger" {
		t.Error("the stranger's account is not there")
	}
	l.setFault(faults.Fault{Kind: "page-empty", Times: 1})
	first := l.want(200, "GET", "/users?$top=999", "")
	if len(first.ids()) != 0 || len(l.want(200, "GET", state.Text(first.body["@odata.nextLink"]), "").ids()) == 0 {
		t.Errorf("page-empty = %s", first.raw)
	}
	l.s.faults.Clear()
	if len(l.s.faults.List()) != 0 {
		t.Error("faults are left")
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, labOptions{})
		l.setFault(faults.Fault{Kind: "slow", Seconds: 30, When: "after", Method: "PATCH", Times: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		if _, err := l.try(ctx, "PATCH", "/users/"+plainID, `{"city":"Bern"}`); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("slow: %v", err)
		}
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if l.raw(plainID)["city"] != "Bern" {
			t.Error("the write did not take effect")
		}
	})
}

// The first item of a batch is free, and so are calls that are in none.
func TestDearBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, labOptions{})
		l.setFault(faults.Fault{Kind: "dear-batch", Seconds: 0.04})
		for n, want := range map[int]time.Duration{0: 0, 1: 0, 2: 40 * time.Millisecond, 20: 760 * time.Millisecond} {
			begun := time.Now()
			if n == 0 {
				l.want(200, "GET", "/me", "")
			} else {
				items := make([]string, n)
				for i := range items {
					items[i] = fmt.Sprintf(`{"id":"%d","method":"GET","url":"/me"}`, i)
				}
				l.want(200, "POST", "/$batch", `{"requests":[`+strings.Join(items, ",")+`]}`)
			}
			if took := time.Since(begun); took != want {
				t.Errorf("%d items in a batch took %v, want %v", n, took, want)
			}
		}
	})
}

func TestLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, labOptions{})
		time.Sleep(time.Hour)
		_, link := l.round("/users/delta?$select=city")
		l.setFault(faults.Fault{Kind: "lag", Seconds: 20})
		id := l.create("late@fabrikam.example")
		l.want(404, "GET", "/users/"+id, "")
		l.want(404, "PATCH", "/users/"+id, `{"city":"x"}`)
		l.want(204, "PATCH", "/users/"+plainID, `{"city":"Bern"}`)
		if got := l.want(200, "GET", "/users/"+plainID+"?$select=city", ""); got.body["city"] != nil {
			t.Errorf("the replica knows already: %v", got.body["city"])
		}
		if got := l.do("POST", "/users", newUser("late@fabrikam.example")); got.status != 400 {
			t.Errorf("uniqueness does not lag, but: %d", got.status)
		}
		if l.raw(plainID)["city"] != "Bern" {
			t.Error("the raw state lags")
		}
		items, link := l.round(link)
		if len(items) != 0 {
			t.Errorf("delta shows %v too early", items)
		}
		time.Sleep(21 * time.Second)
		l.want(200, "GET", "/users/"+id, "")
		if items, _ := l.round(link); items[plainID]["city"] != "Bern" || items[id] == nil {
			t.Errorf("delta lost the changes: %v", items)
		}
	})
}

func TestSetFaultIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	for _, f := range []faults.Fault{
		{Kind: "rain"}, {Kind: "status"}, {Kind: "lag"}, {Kind: "slow", Seconds: 1e6}, {Kind: "dear-batch"}, {Kind: "token"},
		{Kind: "drop", When: "during"}, {Kind: "drop", Path: "("}, {Kind: "drop", Nth: -1},
	} {
		if id, err := l.s.faults.Add(f); err == nil {
			raw, _ := json.Marshal(f)
			t.Errorf("SetFault(%s) = %s, want an error", raw, id)
		}
	}
}
