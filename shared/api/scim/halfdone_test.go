package scim

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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

// A group that was cut off is gone on with by the very request that made it, for an hour, and
// while nobody else has edited it: another request of the name is refused, takes over nothing
// and takes nobody out.
func TestHalfDoneGroupOfOthers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		between func(w *world, group, admins string)
		others  bool // the second request names other members
		want    int
	}{
		"the same":           {func(*world, string, string) {}, false, 201},
		"other members":      {func(*world, string, string) {}, true, 409},
		"the same, too late": {func(w *world, _, _ string) { w.Advance(2 * time.Hour) }, false, 409},
		"edited by another": {func(w *world, group, admins string) {
			groups := people.NewGroups(people.UsersConfig{Stores: people.StoresOf(w.Store), Wake: noWaker{}, Now: w.Now})
			_, err := groups.AddMembers(w.Context(), ada, directory.GroupID(group), []directory.MemberRef{directory.UserMember(directory.UserID(admins))}, 0)
			w.Must(err)
		}, false, 409},
		"edited by the client": {func(w *world, group, _ string) {
			w.want(200, "PATCH", "/Groups/"+group, patchOf(`{"op":"replace","path":"displayName","value":"crew"}`))
		}, false, 409},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, provision.ClientEdit{})
			var values []string
			for i := range 30 {
				values = append(values, `{"value":"`+w.make(fmt.Sprintf("u%d@x.example", i))+`"}`)
			}
			admins := w.make("adm@x.example")
			down := &throttled{w.Table, 1}
			w.over(down, w.Now)
			body := func(members []string) string {
				return `{"displayName":"Crew","members":[` + strings.Join(members, ",") + `]}`
			}
			w.want(503, "POST", "/Groups", body(values))
			down.members = 1000
			_, list := results(w.want(200, "GET", "/Groups", nil))
			group := list[0].text("id")
			tc.between(w, group, admins)
			in := len(w.in(group))
			if tc.others {
				values = values[20:]
			}
			w.want(tc.want, "POST", "/Groups", body(values))
			if tc.want == 201 {
				in = len(values)
				if notes := w.lastRequest().Notes; !strings.Contains(strings.Join(notes, " "), "cut off") {
					t.Errorf("told: %v", notes)
				}
			}
			if got := len(w.in(group)); got != in {
				t.Errorf("%d members, want %d", got, in)
			}
		})
	}
}

// unlucky is a table that fails its n-th write, after doing it or without, and all behind it.
type unlucky struct {
	table.Table
	n    int
	done bool
	dead bool
}

func (u *unlucky) Write(ctx context.Context, writes ...table.Write) error {
	if u.n--; u.n == 0 && u.done {
		if err := u.Table.Write(ctx, writes...); err != nil {
			return err
		}
	}
	if u.dead = u.dead || u.n == 0; u.dead {
		return fmt.Errorf("away: %w", directory.ErrBusy)
	}
	return u.Table.Write(ctx, writes...)
}

// A POST of a group that is cut off at any of its writes is finished by the same POST: at
// none is the client told to repeat what is refused then.
func TestGroupCutOffAnywhere(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		for n := 1; ; n++ {
			w := newWorld(t, provision.ClientEdit{})
			var values []string
			for i := range 60 {
				values = append(values, `{"value":"`+w.make(fmt.Sprintf("u%d@x.example", i))+`"}`)
			}
			body := `{"displayName":"Crew","externalId":"g1","members":[` + strings.Join(values, ",") + `]}`
			away := &unlucky{Table: w.Table, n: n, done: done}
			w.over(away, w.Now)
			r := w.send("POST", "/Groups", body)
			hit := away.dead
			away.n, away.dead = 0, false
			if r.Code != 201 {
				r = w.send("POST", "/Groups", body)
			}
			if r.Code != 201 { // that the request is no longer at work could not be noted, and its time has to pass
				wait, err := strconv.Atoi(r.Header().Get("Retry-After"))
				w.Must(err)
				w.Advance(time.Duration(wait) * time.Second)
				r = w.want(201, "POST", "/Groups", body)
			}
			if got := len(w.in(r.body.text("id"))); got != 60 {
				t.Errorf("write %d, done %t: %d members", n, done, got)
			}
			if !hit {
				break
			}
		}
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
