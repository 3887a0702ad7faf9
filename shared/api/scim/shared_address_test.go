package scim

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// A second address that very many share is looked up at a bounded cost, by however many
// alternatives: they are found by a cursor. Of few all are found.
func TestSharedAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PerSecond = 100_000
	push := func(n int, shared string) {
		for i := range n {
			name := fmt.Sprintf("u%d.%s", i, shared)
			w.make(name, `,"emails":[{"value":"`+name+`","type":"work","primary":true},{"value":"`+shared+`","type":"other"}]`)
		}
	}
	push(mostOfAddress+50, "info@x.example")
	push(mostOfAddress-100, "shop@x.example")
	ask := func(filter string) string { return "/Users?count=1&filter=" + url.QueryEscape(filter) }
	w.counted.items.Store(0)
	for _, filter := range []string{`emails.value eq "info@x.example"`, `emails.value eq "shop@x.example" or emails.value eq "SHOP@x.example"`} {
		if r := w.want(400, "GET", ask(filter), nil); r.body.text("scimType") != typeTooMany || strings.Contains(r.Body.String(), "x.example") {
			t.Errorf("%s: %s", filter, r.Body)
		}
	}
	if n := w.counted.items.Load(); n > 5*mostOfAddress {
		t.Errorf("%d records were read", n)
	}
	if total, list := results(w.want(200, "GET", strings.Replace(ask(`emails.value eq "shop@x.example"`), "count=1", "count=500", 1), nil)); total != fmt.Sprint(mostOfAddress-100) || len(list) != mostOfAddress-100 {
		t.Errorf("few: %s, %d", total, len(list))
	}
	found := 0
	for cursor := ""; ; {
		r := w.want(200, "GET", "/Users?count=500&cursor="+cursor+"&filter="+url.QueryEscape(`emails.value eq "info@x.example"`), nil)
		_, list := results(r)
		found += len(list)
		if cursor = r.body.text("nextCursor"); cursor == "" {
			break
		}
	}
	if found != mostOfAddress+50 {
		t.Errorf("by cursor %d are found", found)
	}
}

// A listing that keys have begun is gone on with through all users, where so many have come to
// share the address that keys do not answer any more: everybody comes once.
func TestSharedAddressGrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PerSecond = 100_000
	filter := url.QueryEscape(`emails[type eq "work" and value eq "info@x.example"]`)
	push := func(from, to int) {
		for i := from; i < to; i++ {
			name := fmt.Sprintf("u%d@x.example", i)
			w.make(name, `,"emails":[{"value":"`+name+`","type":"home","primary":true},{"value":"info@x.example","type":"work"}]`)
		}
	}
	push(0, 200)
	times := map[string]int{}
	page := func(cursor string) string {
		t.Helper()
		r := w.want(200, "GET", "/Users?count=100&cursor="+cursor+"&filter="+filter, nil)
		_, list := results(r)
		for _, u := range list {
			times[u.text("id")]++
		}
		return r.body.text("nextCursor")
	}
	cursor := page("")
	first := maps.Clone(times)
	if len(first) != 100 || cursor == "" {
		t.Fatalf("%d", len(first))
	}
	var before []string
	_, list := results(w.want(200, "GET", "/Users?count=500&filter="+filter, nil))
	for _, u := range list {
		before = append(before, u.text("id"))
	}
	push(200, mostOfAddress+1)
	for cursor != "" {
		cursor = page(cursor)
	}
	for _, id := range before {
		if times[id] != 1 {
			t.Errorf("%s comes %d times", id, times[id])
		}
	}
}
