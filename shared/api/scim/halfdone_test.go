package scim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
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

// throttled is a table that takes so many writes of members and refuses the others.
type throttled struct {
	table.Table
	members int
}

func (t *throttled) Write(ctx context.Context, writes ...table.Write) error {
	if slices.ContainsFunc(writes, func(w table.Write) bool { return w.Put != nil && strings.HasPrefix(w.Put.Partition, "UG#") }) {
		if t.members--; t.members < 0 {
			return fmt.Errorf("throttled: %w", directory.ErrBusy)
		}
	}
	return t.Table.Write(ctx, writes...)
}

// A group whose members are cut off on their way says so, and the same request finishes it:
// by its externalId, or by its name where it has none. Who sends something else under the
// name is refused.
func TestHalfDoneGroups(t *testing.T) {
	t.Parallel()
	for _, external := range []string{"", `,"externalId":"G1"`} {
		for cut := range 3 {
			t.Run(fmt.Sprintf("%d%s", cut, external), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, provision.ClientEdit{})
				var ids, values []string
				for i := range 60 {
					ids = append(ids, w.make(fmt.Sprintf("u%d@x.example", i)))
					values = append(values, `{"value":"`+ids[i]+`"}`)
				}
				slices.Sort(ids)
				down := &throttled{w.Table, cut}
				w.over(down, w.Now)
				body := func(members []string) string {
					return `{"displayName":"Crew"` + external + `,"members":[` + strings.Join(members, ",") + `]}`
				}
				r := w.want(503, "POST", "/Groups", body(values))
				if detail := r.body.text("detail"); strings.Contains(detail, "Nothing was changed") || !strings.Contains(detail, "send the same request again") || r.Header().Get("Retry-After") == "" {
					t.Errorf("cut off: %s", detail)
				}
				w.want(409, "POST", "/Groups", `{"displayName":"Crew","externalId":"another"}`)
				again := w.want(503, "POST", "/Groups", body(values))
				if detail := again.body.text("detail"); !strings.Contains(detail, "Nothing was changed") {
					t.Errorf("cut off again, at once: %s", detail)
				}
				down.members = 1000
				r = w.want(201, "POST", "/Groups", body(values))
				if got := w.in(r.body.text("id")); !slices.Equal(got, ids) {
					t.Errorf("%d members, want %d", len(got), len(ids))
				}
				w.want(409, "POST", "/Groups", body(values)) // it is finished
				total, _ := results(w.want(200, "GET", "/Groups", nil))
				if total != "1" {
					t.Errorf("%s groups", total)
				}

				// An edit that is cut off behind the name.
				down.members = 0
				patch := patchOf(`{"op":"replace","path":"displayName","value":"Mob"},{"op":"add","path":"members","value":[{"value":"` + w.make("new@x.example") + `"}]}`)
				id := r.body.text("id")
				r = w.want(503, "PATCH", "/Groups/"+id, patch)
				if detail := r.body.text("detail"); strings.Contains(detail, "Nothing was changed") {
					t.Errorf("an edit that is cut off: %s", detail)
				}
				down.members = 1000
				w.want(200, "PATCH", "/Groups/"+id, patch)
				if got := w.in(id); len(got) != 61 {
					t.Errorf("%d members", len(got))
				}
			})
		}
	}
}

// What finishes a group has the members that it names, and no others.
func TestHalfDoneGroupOfOtherMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	var values []string
	for i := range 30 {
		values = append(values, `{"value":"`+w.make(fmt.Sprintf("u%d@x.example", i))+`"}`)
	}
	down := &throttled{w.Table, 1}
	w.over(down, w.Now)
	post := func(status int, members string) reply {
		return w.want(status, "POST", "/Groups", `{"displayName":"Crew"`+members+`}`)
	}
	post(503, `,"members":[`+strings.Join(values, ",")+`]`)
	down.members = 1000
	r := post(201, `,"members":[`+strings.Join(values[10:], ",")+`]`)
	if got := w.in(r.body.text("id")); len(got) != 20 {
		t.Errorf("%d members, want 20", len(got))
	}
	if notes := w.lastRequest().Notes; !strings.Contains(strings.Join(notes, " "), "cut off") {
		t.Errorf("told: %v", notes)
	}
}

// Of a request that names a version the same one is refused once a part of it is done: its
// error says to read that part first, and what then is sent does the rest.
func TestHalfDoneWithVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	var values []string
	for i := range 60 {
		values = append(values, `{"value":"`+w.make(fmt.Sprintf("u%d@x.example", i))+`"}`)
	}
	path := "/Groups/" + w.group("Crew")
	down := &throttled{w.Table, 1}
	w.over(down, w.Now)
	body := patchOf(`{"op":"add","path":"members","value":[` + strings.Join(values, ",") + `]}`)
	tag := func() string { return w.want(200, "GET", path, nil).Header().Get("ETag") }
	first := tag()
	r := w.want(503, "PATCH", path, body, "If-Match", first)
	if detail := r.body.text("detail"); strings.Contains(detail, "the same request") || !strings.Contains(detail, "read the group again") {
		t.Errorf("%s", detail)
	}
	down.members = 1000
	w.want(412, "PATCH", path, body, "If-Match", first)
	w.want(200, "PATCH", path, body, "If-Match", tag())
	if n := len(w.in(strings.TrimPrefix(path, "/Groups/"))); n != 60 {
		t.Errorf("%d members", n)
	}
}
