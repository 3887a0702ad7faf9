package scim

import (
	"testing"
	"time"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/store"
	"bindery/shared/table"
)

// over has the handler push into the world's table as something else shows it, by a clock.
func (w *world) over(t table.Table, now func() time.Time) {
	s := store.New(t, store.Options{Now: now})
	w.handler.Pushes = people.NewPushes(people.UsersConfig{Stores: people.StoresOf(s), Wake: noWaker{}, Now: now})
}

// A new resource was last modified when it was created (RFC 7643, 3.1), whatever a clock
// does meanwhile.
func TestNewResourcesAreStampedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.over(w.Table, func() time.Time {
		w.Advance(time.Millisecond)
		return w.Now()
	})
	user := w.want(201, "POST", "/Users", `{"userName":"ann@x.example","externalId":"A1"}`)
	group := w.want(201, "POST", "/Groups", `{"displayName":"Eng","externalId":"G1","members":[{"value":"`+user.body.text("id")+`"}]}`)
	for _, r := range []reply{user, group, w.want(200, "GET", "/Groups/"+group.body.text("id"), nil)} {
		meta := r.body.get("meta").(*object)
		if created, modified := meta.text("created"), meta.text("lastModified"); created == "" || created != modified {
			t.Errorf("created %s, last modified %s", created, modified)
		}
	}
}
