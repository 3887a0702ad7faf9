package scim

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/provision"
	"bindery/shared/table"
)

// slow is a table each of whose answers takes a while.
type slow struct{ table.Table }

const slowBy = 5 * time.Millisecond

func (s slow) Query(ctx context.Context, q table.Query) (table.Page, error) {
	time.Sleep(slowBy)
	return s.Table.Query(ctx, q)
}

func (s slow) GetMany(ctx context.Context, k []table.Key) ([]table.Item, error) {
	time.Sleep(slowBy)
	return s.Table.GetMany(ctx, k)
}

// The groups of a page of users are read beside each other, and each of them once.
func TestGroupsOfAPage(t *testing.T) {
	t.Parallel()
	const n = 400
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PerSecond = 100_000
	var all []string
	for i := range n {
		all = append(all, w.make(fmt.Sprintf("u%d@x.example", i)))
	}
	crew, few := w.group("Crew", all...), w.group("Few", all[:3]...)
	ask := func(ctx context.Context, query string) reply {
		r := httptest.NewRequestWithContext(ctx, "GET", "https://b.example"+Prefix+string(w.client.ID)+root+"/Users?count=500&"+query, nil)
		r.Header.Set("Authorization", "Bearer "+w.token)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		o, err := readObject(rec.Body.Bytes())
		w.Must(err)
		return reply{rec, o}
	}
	w.over(slow{w.Table}, w.Now)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ask(t.Context(), "attributes=userName")
		without := time.Since(began)
		began = time.Now()
		_, list := results(ask(t.Context(), "attributes=userName,groups"))
		if with := time.Since(began) - without; with > slowBy*n/8 {
			t.Errorf("the groups take %v", with)
		}
		of := map[string]int{}
		for _, u := range list {
			for _, g := range elements(u.get("groups")) {
				of[g.text("value")+" "+g.text("display")]++
			}
		}
		if len(list) != n || of[crew+" Crew"] != n || of[few+" Few"] != 3 {
			t.Errorf("%d users, %v", len(list), of)
		}
	})
}

// A strict client hears of a member who is deleted as of one who never was.
func TestDeletedIsNoMember(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(true), OwnOnly: &own})
		id := w.make("u@x.example", `,"emails":[{"value":"u@x.example"}]`)
		g := w.group("G")
		w.want(204, "DELETE", "/Users/"+id, nil)
		w.want(400, "PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`))
	}
}
