package uses_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/testworld"
)

// TestNotesOfTheFormBefore: an edit of which an older version left the note is told, and
// followed, and keeps nothing waiting after that.
func TestNotesOfTheFormBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 7)
	all, nested := w.addGroup(), w.addGroup()
	leaver, joiner, stays := w.addUser(), w.addUser(), w.addUser()
	w.setUse(all, directory.UseRules{Select: &directory.SelectRule{}})
	w.setMember(all, directory.GroupMember(nested), true)
	w.setMember(all, directory.UserMember(leaver), true)
	w.setMember(all, directory.UserMember(stays), true)
	w.expand(0)
	write := func(writes ...table.Write) {
		t.Helper()
		w.must(w.cut.Table.Write(t.Context(), writes...))
	}
	before := func(partition, name string) table.Write {
		return table.Write{Put: &table.Item{Key: table.Key{Partition: partition, Sort: name},
			Numbers: map[string]int64{"at": w.clock.Now().UnixMilli()}, Strings: map[string]string{"stamp": name + w.clock.Now().String()}}}
	}
	w.setMember(nested, directory.UserMember(joiner), true)
	changed, due := "GROUPS#changed", "GD#"+string(w.conn.ID)
	for _, partition := range []string{changed, due} { // the older version noted it
		page, err := w.cut.Table.Query(t.Context(), table.Query{Partition: partition})
		w.must(err)
		for i := range page.Items {
			write(table.Write{Delete: &page.Items[i].Key})
		}
	}
	bound := func(u directory.UserID) bool {
		b, err := w.s.Bindings.Binding(t.Context(), u)
		return err == nil && b.Release == ""
	}

	write(before(changed, "group#"+string(nested)))
	w.setMember(all, directory.UserMember(leaver), false)
	w.tell(all)
	w.must(w.expandOnce(ignore))
	if bound(leaver) || !bound(joiner) || !bound(stays) {
		t.Errorf("after an old note of an edit who left is bound: %v, who came: %v, who stays: %v", bound(leaver), bound(joiner), bound(stays))
	}

	late := w.addUser()
	write(before(due, string(all)))
	list, _, err := w.s.Groups.DueUses(t.Context(), w.conn.ID, "", 5)
	w.must(err)
	if len(list) != 1 || !list[0].Whole || !list[0].Edited {
		t.Fatalf("due by an old note: %+v", list)
	}
	w.clock.Advance(time.Second)
	write(before(due, string(all))) // the older version is still there, and edits once more
	w.must(w.s.Groups.EndDueUse(t.Context(), list[0]))
	w.setMember(all, directory.UserMember(late), true)
	w.tell(all)
	for _, partition := range []string{changed, due} { // nobody but the old note knows of it
		page, err := w.cut.Table.Query(t.Context(), table.Query{Partition: partition})
		w.must(err)
		for i := range page.Items {
			if page.Items[i].Sort != string(all) {
				write(table.Write{Delete: &page.Items[i].Key})
			}
		}
	}
	w.must(w.expandOnce(ignore))
	if !bound(late) {
		t.Error("who came by an edit of which there was an old note is not bound")
	}
	left, err := w.s.Groups.Changed(t.Context(), 10)
	w.must(err)
	list, _, err = w.s.Groups.DueUses(t.Context(), w.conn.ID, "", 5)
	if w.must(err); !slices.Equal(left, nil) || len(list) > 0 {
		t.Errorf("there are still to tell %v, due %+v", left, list)
	}
}

// TestCutOffWhole: a comparison that goes through all members only since many were edited,
// and is cut off, is one of all when it is taken up again: its steps counted nobody.
func TestCutOffWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 7)
	g := w.addGroup()
	for range 39 {
		w.addUser()
	}
	for _, u := range w.users[:10] {
		w.moveAddress(u) // out of the domain
	}
	w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}})
	for _, u := range w.users[:25] {
		w.setMember(g, directory.UserMember(u), true)
	}
	w.expand(0)
	for _, u := range w.users[:10] { // and into it
		w.moveAddress(u)
		_, err := w.s.Groups.TellUsers(t.Context(), directory.UserMember(u))
		w.must(err)
	}
	due, _, err := w.s.Groups.DueUses(t.Context(), w.conn.ID, "", 1)
	w.must(err)
	w.must(w.s.Groups.EndDueUse(t.Context(), due[0])) // as if the domain had come: no edit of theirs
	group, err := w.s.Groups.Group(t.Context(), g)
	w.must(err)
	var join store.MemberChange
	for _, u := range w.users[25:] {
		join.Add = append(join.Add, directory.Membership{Group: g, Member: directory.UserMember(u), Added: w.clock.Now()})
	}
	_, err = w.s.Groups.ChangeMembers(t.Context(), directory.AuditEvent{}, &group, join)
	w.must(err)
	w.tell(g)
	parts := 0
	err = w.expandOnce(func(context.Context) error {
		if parts++; parts == 3 {
			return errCut
		}
		return nil
	})
	if !errors.Is(err, errCut) {
		t.Fatalf("the expansion ended with %v", err)
	}
	w.expand(0)
	if state, err := w.s.Uses.UseState(t.Context(), &w.conn, g); err != nil || state.Members != 39 || state.Refused != 0 {
		t.Errorf("the use counts %d members, %d refused, %v; want 39, 0", state.Members, state.Refused, err)
	}
}

// TestMovedAndLetGo: whom an admin moved to another connection while a group selects them
// is bound by the group once that one lets them go, whatever else was edited with it.
func TestMovedAndLetGo(t *testing.T) {
	t.Parallel()
	for _, with := range []string{"nothing else", "edits of all", "edits of many"} {
		t.Run(with, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 7)
			to := (&testworld.World{T: t, Store: w.s, Clock: w.clock}).Connection("Other", "corp.example")
			g, u, stays := w.addGroup(), w.addUser(), w.addUser()
			w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}})
			w.setMember(g, directory.UserMember(u), true)
			w.setMember(g, directory.UserMember(stays), true)
			w.expand(0)
			user, err := w.s.Users.User(t.Context(), u)
			w.must(err)
			b, err := w.s.Bindings.Binding(t.Context(), u)
			w.must(err)
			w.must(w.s.Bindings.MoveNow(t.Context(), directory.AuditEvent{}, &w.conn, &to, &user, &user, &b, "admin"))
			w.expand(0)
			b, err = w.s.Bindings.Binding(t.Context(), u)
			if w.must(err); b.ConnectionID != to.ID {
				t.Fatalf("who was moved is bound by %s", b.ConnectionID)
			}
			w.must(w.s.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &to, &b))
			switch with {
			case "edits of all":
				w.must(w.s.Groups.MakeDue(t.Context(), w.conn.ID, w.groups))
			case "edits of many":
				for range 30 {
					w.setMember(g, directory.UserMember(w.addUser()), true)
				}
			}
			w.expand(0)
			if b, err := w.s.Bindings.Binding(t.Context(), u); err != nil || b.ConnectionID != w.conn.ID || !slices.Equal(b.Groups, w.groups) {
				t.Errorf("who was let go is bound as %+v, %v", b, err)
			}
			if state, err := w.s.Uses.UseState(t.Context(), &w.conn, g); err != nil || state.Refused != 0 || state.Members != len(w.users) {
				t.Errorf("the use counts %+v, %v", state, err)
			}
		})
	}
}

// TestNotesOfUsers: a binding that ends leaves a note only where a use of a group may bind
// the user; and whoever asks whether groups were edited reads no notes of users.
func TestNotesOfUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 7)
	idle, used, below := w.addGroup(), w.addGroup(), w.addGroup()
	w.setUse(used, directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity}})
	w.setMember(used, directory.GroupMember(below), true)
	alone, in, under := w.addUser(), w.addUser(), w.addUser()
	w.setMember(idle, directory.UserMember(alone), true)
	w.setMember(used, directory.UserMember(in), true)
	w.setMember(below, directory.UserMember(under), true)
	w.expand(0)
	for _, u := range []directory.UserID{alone, in, under} {
		user, err := w.s.Users.User(t.Context(), u)
		w.must(err)
		w.must(w.s.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &user}}))
		b, err := w.s.Bindings.Binding(t.Context(), u)
		w.must(err)
		w.must(w.s.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &w.conn, &b))
	}
	changed, err := w.s.Groups.Changed(t.Context(), 10)
	w.must(err)
	if want := []directory.MemberRef{directory.UserMember(in), directory.UserMember(under)}; !slices.Equal(changed, want) {
		t.Errorf("there are notes of %v, want %v", changed, want)
	}
	for n := range 500 {
		w.must(w.cut.Table.Write(t.Context(), table.Write{Put: &table.Item{Key: table.Key{Partition: "GROUPS#changed", Sort: fmt.Sprintf("user#usr_x%03d#1", n)}, Numbers: map[string]int64{"at": 1}}}))
	}
	calls := &calls{Table: w.cut.Table}
	s := store.New(calls, store.Options{Now: w.clock.Now})
	if changed, err := s.Groups.AnyChanged(t.Context(), w.groups); changed || err != nil || calls.n.Load() != 1 {
		t.Errorf("groups were edited: %v, %v, read with %d calls, want one", changed, err, calls.n.Load())
	}
}

// TestLaterNoteExpires: the note by which a use is due again by itself goes by itself, where
// nobody works on the connection any more.
func TestLaterNoteExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 7)
	g, u := w.addGroup(), w.addUser()
	w.moveAddress(u) // out of the domain
	w.setMember(g, directory.UserMember(u), true)
	w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}})
	w.expand(0)
	page, err := w.cut.Table.Query(t.Context(), table.Query{Partition: "GD#" + string(w.conn.ID)})
	w.must(err)
	if len(page.Items) != 1 {
		t.Fatalf("notes are %+v", page.Items)
	}
	if is, want := page.Items[0].Expires, w.clock.Now().Add(31*24*time.Hour); is.IsZero() || is.After(want) {
		t.Errorf("the note expires at %s, want %s at most", is, want)
	}
}
