package scim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/core/provision"
	"bindery/shared/store"
	"bindery/shared/table"
)

// counted counts the calls of a table, and what they give back.
type counted struct {
	store.Table
	calls, items atomic.Int64
	once         atomic.Pointer[func()] // what happens before the next write, once
}

func (c *counted) Get(ctx context.Context, key table.Key) (table.Item, error) {
	c.calls.Add(1)
	c.items.Add(1)
	return c.Table.Get(ctx, key)
}

func (c *counted) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	c.calls.Add(1)
	c.items.Add(int64(len(keys)))
	return c.Table.GetMany(ctx, keys)
}

func (c *counted) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := c.Table.Query(ctx, q)
	c.calls.Add(1)
	c.items.Add(int64(len(page.Items)))
	return page, err
}

func (c *counted) Write(ctx context.Context, writes ...table.Write) error {
	c.calls.Add(1)
	if before := c.once.Swap(nil); before != nil {
		(*before)()
	}
	return c.Table.Write(ctx, writes...)
}

// TestCosts: what one request costs does not depend on how many users and groups there
// are. How long requests take it tells, and holds to nothing:
//
//	go test ./shared/api/scim -run TestCosts -v
func TestCosts(t *testing.T) {
	t.Parallel()
	small, large := costs(t, 60), costs(t, 600)
	for _, name := range slices.Sorted(maps.Keys(small)) {
		if small[name] != large[name] || small[name].calls > 15 {
			t.Errorf("%s costs %+v with few users and %+v with many", name, small[name], large[name])
		}
	}
}

type cost struct{ calls, items int64 }

// costs pushes people in the way Okta does: each is looked for and made, some are edited,
// groups are made and filled in portions. It returns what the last requests cost.
func costs(t *testing.T, users int) map[string]cost {
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PerSecond = 1e9
	of := map[string]cost{}
	took := map[string][]time.Duration{}
	send := func(name, method, path, body string) string {
		w.counted.calls.Store(0)
		w.counted.items.Store(0)
		began := time.Now()
		r := w.send(method, path, body)
		took[name] = append(took[name], time.Since(began))
		if r.Code >= 400 {
			t.Fatalf("%s %s: %d %s", method, path, r.Code, r.Body)
		}
		of[name] = cost{w.counted.calls.Load(), w.counted.items.Load()}
		return r.body.text("id")
	}
	ids := make([]string, users)
	for i := range ids {
		name := fmt.Sprintf("u%d@x.example", i)
		send("look-up of nobody", "GET", `/Users?filter=userName+eq+"`+name+`"&startIndex=1&count=100`, "")
		ids[i] = send("create", "POST", "/Users", fmt.Sprintf(`{"schemas":["%s"],"userName":"%s","externalId":"00u%d","active":true,"displayName":"U %d","emails":[{"primary":true,"value":"%s","type":"work"}],"locale":"en-US","groups":[],"password":"x"}`, schemaUser, name, i, i, name))
		send("look-up", "GET", `/Users?filter=userName+eq+"`+name+`"`, "")
		send("look-up by externalId", "GET", fmt.Sprintf(`/Users?filter=externalId+eq+"00u%d"`, i), "")
		send("look-up by e-mail", "GET", `/Users?filter=emails[type+eq+"work"].value+eq+"`+name+`"`, "")
		send("read", "GET", "/Users/"+ids[i], "")
		send("edit", "PATCH", "/Users/"+ids[i], patchOf(`{"op":"replace","value":{"title":"T"}}`))
	}
	for g := range users / 30 {
		id := send("group", "POST", "/Groups", fmt.Sprintf(`{"schemas":["%s"],"displayName":"G %d","members":[]}`, schemaGroup, g))
		send("look-up of a group", "GET", fmt.Sprintf(`/Groups?filter=displayName+eq+"G+%d"&excludedAttributes=members`, g), "")
		for m := range 10 {
			send("member", "PATCH", "/Groups/"+id, patchOf(fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"%s"}]}`, ids[m])))
		}
	}
	for name, times := range took {
		slices.Sort(times)
		t.Logf("%d users, %s: %v at the 99th percentile, %+v", users, name, times[len(times)*99/100], of[name])
	}
	return of
}
