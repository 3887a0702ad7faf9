package storetest

import (
	"fmt"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// use stores that a connection exports and licenses a group.
func (s *suite) use(c *directory.Connection, id directory.GroupID) directory.GroupUse {
	s.Helper()
	g, err := s.Groups.Group(s.Context(), id)
	s.must(err)
	u := directory.GroupUse{ConnectionID: c.ID, GroupID: id, By: by.Subject, Created: s.Now(), Updated: s.Now(),
		UseRules: directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity}}}
	s.must(s.Uses.PutUse(s.Context(), quiet, c, &g, &u))
	return u
}

func testUses(s *suite) {
	ctx := s.Context()
	a, b := s.connection("a"), s.connection("b")
	staff, sales := s.group("Staff"), s.group("Sales")
	u := s.use(&a, staff.ID)
	s.use(&b, staff.ID)
	if u.Version != 1 || u.Epoch != a.Epoch {
		s.Errorf("stored: %+v", u)
	}
	read, err := s.Uses.Use(ctx, &a, staff.ID)
	s.must(err)
	if read.Export == nil || read.Export.Kind != directory.ExportSecurity || read.Version != 1 {
		s.Errorf("read: %+v", read)
	}
	_, err = s.Uses.Use(ctx, &a, sales.ID)
	s.want(err, directory.ErrNotFound)

	// The group knows who uses it, and the use is due.
	g, err := s.Groups.Group(ctx, staff.ID)
	s.must(err)
	if !g.IsUsedBy(a.ID) || !g.IsUsedBy(b.ID) {
		s.Errorf("used by %v", g.UsedBy)
	}
	due, _, err := s.Groups.DueUses(ctx, a.ID, "", 10)
	if s.must(err); len(due) != 1 || due[0].GroupID != staff.ID {
		s.Errorf("due: %v", due)
	}

	// Of two who edit one is refused, and so is whoever read the group before an edit of it.
	next := read
	next.Select = &directory.SelectRule{}
	s.must(s.Uses.PutUse(ctx, quiet, &a, &g, &next))
	s.want(s.Uses.PutUse(ctx, quiet, &a, &g, &read), directory.ErrStale)
	g, err = s.Groups.Group(ctx, staff.ID)
	s.must(err)
	s.want(s.Uses.PutUse(ctx, quiet, &a, &g, &read), directory.ErrStale)

	for _, name := range []string{"w", "x", "y"} {
		s.use(&a, s.group(name).ID)
	}
	var listed []directory.GroupID
	for after, first := directory.GroupID(""), true; first || after != ""; first = false {
		page, more, err := s.Uses.ListUses(ctx, &a, after, 2)
		s.must(err)
		for i := range page {
			listed = append(listed, page[i].GroupID)
		}
		after = more
	}
	if len(listed) != 4 || !slices.IsSorted(listed) {
		s.Errorf("listed: %v", listed)
	}

	// It ends under the lease, as read.
	l := s.lease(&a)
	g, err = s.Groups.Group(ctx, staff.ID)
	s.must(err)
	s.want(s.Uses.DropUse(ctx, &l, &g, &read), directory.ErrStale)
	s.must(s.Uses.DropUse(ctx, &l, &g, &next))
	g, err = s.Groups.Group(ctx, staff.ID)
	if s.must(err); g.IsUsedBy(a.ID) || !g.IsUsedBy(b.ID) {
		s.Errorf("used by %v after the end of a use", g.UsedBy)
	}
	_, err = s.Uses.Use(ctx, &a, staff.ID)
	s.want(err, directory.ErrNotFound)
}

func testUsesAdvance(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	staff := s.group("Staff")
	u := s.use(&c, staff.ID)
	ann, bob := s.user("ann@a.example"), s.user("bob@a.example")
	l := s.lease(&c)
	record := func(user directory.UserID) directory.Ref {
		return directory.Ref{Kind: "lamp", ID: string(staff.ID) + "." + string(user)}
	}
	both := store.UseExported | store.UseLicensed
	step := func(user directory.UserID, parts store.UsePart, release directory.ReleasePolicy) store.UseStep {
		return store.UseStep{Now: store.UseMember{Member: directory.UserMember(user), Parts: parts, Since: s.Now()}, Was: both,
			Records: []store.UseRecord{{Ref: record(user), Release: release}}}
	}
	s.must(s.Uses.Advance(ctx, &l, &c, &u, nil, []store.UseStep{step(ann.ID, both, ""), step(bob.ID, store.UseExported, "")}))
	s.must(s.Uses.Advance(ctx, &l, &c, &u, nil, []store.UseStep{step(ann.ID, both, "")})) // again

	members, next, err := s.Uses.UseMembers(ctx, &u, directory.MemberRef{}, 10)
	if s.must(err); len(members) != 2 || next != (directory.MemberRef{}) || !members[0].Parts.Has(store.UseExported) {
		s.Errorf("members: %v, next %v", members, next)
	}
	licensed, err := s.Uses.LicensedBy(ctx, &c, ann.ID)
	if s.must(err); len(licensed) != 1 || licensed[staff.ID].IsZero() {
		s.Errorf("licensed by %v", licensed)
	}
	if licensed, err = s.Uses.LicensedBy(ctx, &c, bob.ID); err != nil || len(licensed) != 0 {
		s.Errorf("licensed by %v, %v", licensed, err)
	}
	n, _, err := s.Counters.BoundObjects(ctx, "lamp", c.ID, c.Epoch)
	if s.must(err); n != 2 {
		s.Errorf("%d records are counted", n)
	}
	records := func() map[directory.Ref]directory.Binding {
		found, err := s.Bindings.BindingsOf(ctx, c.ID, []directory.Ref{record(ann.ID), record(bob.ID)})
		s.must(err)
		return found
	}
	if is := records()[record(ann.ID)]; is.Wanted != 1 || !is.Marked || is.Release != "" {
		s.Errorf("record: %+v", is)
	}

	// Who leaves is let go, and who comes back is wanted again.
	s.must(s.Uses.Advance(ctx, &l, &c, &u, nil, []store.UseStep{step(ann.ID, 0, "restore")}))
	if is := records()[record(ann.ID)]; is.Wanted != 2 || is.Release != "restore" || !is.Marked {
		s.Errorf("record let go: %+v", is)
	}
	if members, _, err = s.Uses.UseMembers(ctx, &u, directory.MemberRef{}, 10); err != nil || len(members) != 1 {
		s.Errorf("members: %v, %v", members, err)
	}
	if licensed, err = s.Uses.LicensedBy(ctx, &c, ann.ID); err != nil || len(licensed) != 0 {
		s.Errorf("licensed by %v, %v", licensed, err)
	}
	s.must(s.Uses.Advance(ctx, &l, &c, &u, nil, []store.UseStep{step(ann.ID, both, "")}))
	if is := records()[record(ann.ID)]; is.Wanted != 3 || is.Release != "" {
		s.Errorf("record wanted again: %+v", is)
	}
	// Letting go what is not there is no mistake, and makes nothing.
	none := step("usr_none", 0, "restore")
	s.must(s.Uses.Advance(ctx, &l, &c, &u, nil, []store.UseStep{none}))
	if _, there := records()[none.Records[0].Ref]; there {
		s.Errorf("a record was made to be let go")
	}

	// Whoever lost the lease writes nothing.
	s.must(s.Leases.BreakLease(ctx, c.ID))
	other := s.lease(&c)
	s.want(s.Uses.Advance(ctx, &l, &c, &u, nil, []store.UseStep{step(ann.ID, 0, "restore")}), directory.ErrLeaseLost)
	if is := records()[record(ann.ID)]; is.Release != "" {
		s.Errorf("who lost the lease let go: %+v", is)
	}
	state := store.UseState{At: s.Now(), Members: 2, Refused: 1}
	s.want(s.Uses.NoteExpanded(ctx, &l, &u, state), directory.ErrLeaseLost)
	s.must(s.Uses.NoteExpanded(ctx, &other, &u, state))
	if is, err := s.Uses.UseState(ctx, &c, staff.ID); err != nil || !is.At.Equal(state.At) || is.Members != 2 || is.Refused != 1 || is.Version != u.Version {
		s.Errorf("state: %+v, %v", is, err)
	}
	if again, err := s.Uses.Use(ctx, &c, staff.ID); err != nil || again.Version != u.Version {
		s.Errorf("the version moved: %+v, %v", again, err)
	}
}

func testUsesSwept(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	staff, sales := s.group("Staff"), s.group("Sales")
	u := s.use(&c, staff.ID)
	s.use(&c, sales.ID)
	l := s.lease(&c)
	for n := range 3 {
		var steps []store.UseStep
		for i := range store.MaxUseSteps {
			id := directory.UserID(fmt.Sprintf("usr_%d%02d", n, i))
			steps = append(steps, store.UseStep{Now: store.UseMember{Member: directory.UserMember(id), Parts: store.UseLicensed, Since: s.Now()}})
		}
		s.must(s.Uses.Advance(ctx, &l, &c, &u, nil, steps))
	}
	c.Epoch++ // as after a deactivation
	_, err := s.Uses.Use(ctx, &c, staff.ID)
	s.want(err, directory.ErrNotFound)
	for more := true; more; {
		more, err = s.Uses.SweepUses(ctx, &c)
		s.must(err)
	}
	g, err := s.Groups.Group(ctx, staff.ID)
	if s.must(err); len(g.UsedBy) != 0 {
		s.Errorf("used by %v", g.UsedBy)
	}
	left, _, err := s.Uses.UseMembers(ctx, &u, directory.MemberRef{}, 10)
	if s.must(err); len(left) != 0 {
		s.Errorf("left: %v", left)
	}
	due, _, err := s.Groups.DueUses(ctx, c.ID, "", 10)
	if s.must(err); len(due) != 0 {
		s.Errorf("due: %v", due)
	}
}

func testNestedMembers(s *suite) {
	ctx := s.Context()
	top, mid, low := s.group("Top"), s.group("Mid"), s.group("Low")
	ann, bob, cat := s.user("ann@a.example"), s.user("bob@a.example"), s.user("cat@a.example")
	s.must(s.change(top.ID, []directory.MemberRef{directory.GroupMember(mid.ID), directory.UserMember(bob.ID)}, nil))
	s.must(s.change(mid.ID, []directory.MemberRef{directory.GroupMember(low.ID), directory.UserMember(ann.ID), directory.UserMember(bob.ID)}, nil))
	s.must(s.change(low.ID, []directory.MemberRef{directory.UserMember(cat.ID), directory.UserMember(ann.ID)}, nil))
	all, kept, err := s.Groups.Nested(ctx, top.ID, nil)
	if s.must(err); len(all) != 3 || all[0] != top.ID || len(kept) != 0 {
		s.Errorf("nested: %v, kept %v", all, kept)
	}
	some, kept, err := s.Groups.Nested(ctx, top.ID, func(g directory.GroupID) bool { return g == mid.ID })
	if s.must(err); len(some) != 1 || len(kept) != 1 || kept[0] != mid.ID {
		s.Errorf("nested: %v, kept %v", some, kept)
	}
	var users []directory.UserID
	for u, err := range s.Groups.NestedUsers(ctx, all, "") {
		s.must(err)
		users = append(users, u)
	}
	want := []directory.UserID{ann.ID, bob.ID, cat.ID}
	slices.Sort(want)
	if !slices.Equal(users, want) {
		s.Errorf("users: %v, want %v", users, want)
	}
	users = nil
	for u, err := range s.Groups.NestedUsers(ctx, all, want[0]) {
		s.must(err)
		users = append(users, u)
	}
	if !slices.Equal(users, want[1:]) {
		s.Errorf("users after %s: %v", want[0], users)
	}
}
