package scim

import (
	"fmt"
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
