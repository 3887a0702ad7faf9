package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// earlier stores a user as versions did that folded addresses less.
func earlier(t *testing.T, s *Store, email, name string) directory.User {
	t.Helper()
	u := directory.User{ID: directory.NewUserID(s.Users.db.now())}
	u.Email, u.UserName, u.State, u.Version = email, name, directory.StateActive, 1
	item := profileItem(&u, s.Users.db.now())
	item.Expires = s.Users.db.now().AddDate(99, 0, 0)
	fold := func(v string) string { return strings.ToLower(strings.TrimSpace(v)) }
	must(t, s.Users.db.table.Write(t.Context(), table.Write{Put: &item}, userCountWrite(u.ID, 1),
		table.Write{Put: ownerItem(table.Key{Partition: "E#" + fold(email), Sort: "email"}, u.ID)},
		table.Write{Put: ownerItem(table.Key{Partition: "N#" + fold(name), Sort: "userName"}, u.ID)}))
	return u
}

// renewAll goes through all users.
func renewAll(t *testing.T, s *Store) []directory.UserID {
	t.Helper()
	if since, err := s.Users.AddressFormsSince(t.Context()); err != nil || since.IsZero() {
		t.Errorf("addresses of earlier versions are not looked for: %v, %v", since, err)
	}
	var ids []directory.UserID
	for cursor := ""; ; {
		twins, next, err := s.Users.RenewAddressForms(t.Context(), cursor)
		must(t, err)
		for _, u := range twins {
			ids = append(ids, u.ID)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if since, err := s.Users.AddressFormsSince(t.Context()); err != nil || !since.IsZero() {
		t.Errorf("looked for after the end: %v, %v", since, err)
	}
	return ids
}

func wantTaken(t *testing.T, err error, owner directory.UserID) {
	t.Helper()
	if taken, ok := errors.AsType[*AddressTaken](err); !ok || taken.Owner != owner {
		t.Errorf("%v, want taken by %s", err, owner)
	}
}

// What people see as the address of somebody is nobody else's.
func TestAddressesThatLookTheSameAreUnique(t *testing.T) {
	s, _ := newStore(t)
	ann := newUser(t, s, "ann.zw@corp.example")
	for i, email := range []string{"ann.zw\u200b@corp.example", "\u202aAnn.zw@corp.example", "ann.zw\uff20corp.example", "ann.zw@corp。example"} {
		twin := directory.User{ID: directory.NewUserID(s.Users.db.now())}
		twin.Email, twin.UserName = email, string(rune('a'+i))
		wantTaken(t, s.Users.CreateUsers(t.Context(), directory.AuditEvent{}, &twin), ann.ID)
		owners, err := s.Users.UserIDsByEmail(t.Context(), []string{email})
		if err != nil || owners["ann.zw@corp.example"] != ann.ID {
			t.Errorf("%+q: %v, %v", email, owners, err)
		}
	}
}

// An address that an earlier version took is found, and is nobody else's.
func TestAddressesOfEarlierVersions(t *testing.T) {
	for _, old := range []string{"jo@Bücher.example", "jo\u200b@corp.example", "ｊｏ@corp.example", "jo@corp.example\u202c"} {
		s, _ := newStore(t)
		ctx := t.Context()
		jo := earlier(t, s, old, old)
		if id, err := userIDByEmail(ctx, s, old); err != nil || id != jo.ID {
			t.Errorf("%+q: found %q, %v", old, id, err)
		}
		twin := directory.User{ID: directory.NewUserID(s.Users.db.now())}
		twin.Email, twin.UserName = old, "another"
		wantTaken(t, s.Users.CreateUsers(ctx, directory.AuditEvent{}, &twin), jo.ID)
		twin.Email, twin.UserName = "other@corp.example", old
		wantTaken(t, s.Users.CreateUsers(ctx, directory.AuditEvent{}, &twin), jo.ID)

		if twins := renewAll(t, s); len(twins) > 0 {
			t.Fatal(twins)
		}
		want := directory.FoldAddress(old)
		if id, err := userIDByEmail(ctx, s, want); err != nil || id != jo.ID {
			t.Errorf("%+q: found %q by its present form, %v", old, id, err)
		}
		twin.Email = want
		wantTaken(t, s.Users.CreateUsers(ctx, directory.AuditEvent{}, &twin), jo.ID)
		// Nothing stays behind once the user has gone.
		gone := jo
		at := s.Users.db.now()
		gone.Deleted = &at
		if _, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &jo, &gone); err != nil {
			t.Fatal(err)
		}
		twin.Email, twin.UserName = old, old
		must(t, s.Users.CreateUsers(ctx, directory.AuditEvent{}, &twin))
	}
}

// A user of an earlier version brings its address along when it is edited.
func TestEditBringsAddressToForm(t *testing.T) {
	s, _ := newStore(t)
	jo := earlier(t, s, "jo\u200b@corp.example", "jo")
	next := jo
	next.Email = "jo@corp.example"
	if _, err := s.Users.UpdateUser(t.Context(), directory.AuditEvent{}, &jo, &next); err != nil {
		t.Fatal(err)
	}
	items, err := s.Users.db.table.GetMany(t.Context(), takenKeys("jo\u200b@corp.example", emailKey))
	if err != nil || len(items) != 1 || items[0].Partition != "E#jo@corp.example" {
		t.Errorf("%v, %v", items, err)
	}
}

// Two users of earlier versions who are one by the present form: both can be
// edited, and taking access away waits for nothing.
func TestTwinsOfEarlierVersions(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	jo, twin := earlier(t, s, "jo@corp.example", "jo"), earlier(t, s, "jo\u200b@corp.example", "jo\u200b")
	if twins := renewAll(t, s); !slices.Equal(twins, []directory.UserID{twin.ID}) {
		t.Fatal(twins)
	}
	suspended := twin
	suspended.State = directory.StateSuspended
	if _, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &twin, &suspended); err != nil {
		t.Fatal(err)
	}
	tidied := suspended
	tidied.Email = "jo@corp.example"
	_, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &suspended, &tidied)
	wantTaken(t, err, jo.ID)
	at := s.Users.db.now()
	gone := suspended
	gone.Deleted = &at
	if _, err := s.Users.UpdateUser(ctx, directory.AuditEvent{}, &suspended, &gone); err != nil {
		t.Fatal(err)
	}
	if id, err := userIDByEmail(ctx, s, "jo\u200b@corp.example"); err != nil || id != jo.ID {
		t.Errorf("found %q, %v", id, err)
	}
	// The one that comes back is refused: its address is the other's now.
	_, err = s.Users.UpdateUser(ctx, directory.AuditEvent{}, &gone, &suspended)
	wantTaken(t, err, jo.ID)
}

// A group that an earlier version has stored has a version of its members and no time of it,
// until they are edited.
func TestGroupsOfEarlierVersions(t *testing.T) {
	s, _ := newStore(t)
	ctx := t.Context()
	ann := newUser(t, s, "ann@corp.example")
	g := directory.Group{ID: directory.NewGroupID(s.Users.db.now()), GroupProfile: directory.GroupProfile{Name: "All"}}
	must(t, s.Groups.CreateGroups(ctx, directory.AuditEvent{}, &g))
	item := groupItem(&g)
	item.Body = []byte(`{"id":"` + string(g.ID) + `","name":"All","source":"manual","created":"2026-01-02T03:04:05Z","updated":"2026-01-02T03:04:05Z","version":1,"membersVersion":7,"members":2}`)
	must(t, s.Groups.db.table.Write(ctx, table.Write{Put: item}))
	read, err := s.Groups.Group(ctx, g.ID)
	if must(t, err); read.MembersVersion != 7 || !read.MembersUpdated.IsZero() || read.Members != 2 {
		t.Errorf("read as %+v", read)
	}
	_, err = s.Groups.ChangeMembers(ctx, directory.AuditEvent{}, &read, MemberChange{Add: []directory.Membership{{Member: directory.UserMember(ann.ID)}}})
	must(t, err)
	read, err = s.Groups.Group(ctx, g.ID)
	if must(t, err); read.MembersVersion != 8 || !read.MembersUpdated.Equal(s.Users.db.now()) {
		t.Errorf("after an edit %+v", read)
	}
}
