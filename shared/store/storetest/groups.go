package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

func (s *suite) group(name string) directory.Group {
	s.Helper()
	g := directory.Group{ID: directory.NewGroupID(s.Now()), Source: directory.SourceManual, GroupProfile: directory.GroupProfile{Name: name}}
	s.must(s.Groups.CreateGroups(s.Context(), quiet, &g))
	return g
}

// change edits the members of a group as it is now.
func (s *suite) change(g directory.GroupID, add, remove []directory.MemberRef) error {
	s.Helper()
	for {
		now, err := s.Groups.Group(s.Context(), g)
		s.must(err)
		change := store.MemberChange{Remove: remove}
		for _, m := range add {
			change.Add = append(change.Add, directory.Membership{Member: m, Added: s.Now()})
		}
		_, err = s.Groups.ChangeMembers(s.Context(), quiet, &now, change)
		if !errors.Is(err, directory.ErrStale) {
			return err
		}
	}
}

func (s *suite) members(g directory.GroupID, q store.MembersQuery) []directory.MemberRef {
	s.Helper()
	var all []directory.MemberRef
	for q.Group = g; ; {
		list, next, err := s.Groups.Members(s.Context(), q)
		s.must(err)
		for i := range list {
			all = append(all, list[i].Member)
		}
		if q.After = next; next == (directory.MemberRef{}) {
			return all
		}
	}
}

func testGroups(s *suite) {
	ctx := s.Context()
	sales := s.group("Sales")
	made := s.atOnce(4, directory.ErrConflict, func(int) error {
		g := directory.Group{ID: directory.NewGroupID(s.Now()), GroupProfile: directory.GroupProfile{Name: "IT  staff"}}
		return s.Groups.CreateGroups(ctx, quiet, &g)
	})
	if made != 1 {
		s.Errorf("%d groups got one name", made)
	}
	twin := directory.Group{ID: directory.NewGroupID(s.Now()), GroupProfile: directory.GroupProfile{Name: "sALES"}}
	err := s.Groups.CreateGroups(ctx, quiet, &twin)
	if taken, ok := errors.AsType[*store.GroupNameTaken](err); !ok || taken.Owner != sales.ID {
		s.Errorf("a taken name: %v", err)
	}

	renamed := sales
	renamed.Name = "Sales EMEA"
	renamed.EditedBy("ada", s.Now())
	_, err = s.Groups.UpdateGroup(ctx, quiet, &sales, &renamed)
	if s.must(err); renamed.Version != 2 {
		s.Errorf("version %d after an edit", renamed.Version)
	}
	late := sales
	late.Description = "late"
	_, err = s.Groups.UpdateGroup(ctx, quiet, &sales, &late)
	s.want(err, directory.ErrStale)
	s.must(s.Groups.CreateGroups(ctx, quiet, &twin))
	back := renamed
	back.Name = "SALES"
	_, err = s.Groups.UpdateGroup(ctx, quiet, &renamed, &back)
	if taken, ok := errors.AsType[*store.GroupNameTaken](err); !ok || taken.Owner != twin.ID {
		s.Errorf("renamed to a taken name: %v", err)
	}
	read, err := s.Groups.Group(ctx, sales.ID)
	if s.must(err); read.Name != "Sales EMEA" || len(read.Editors) != 1 || read.Editors[0].By != "ada" {
		s.Errorf("read %+v", read)
	}
	owners, err := s.Groups.GroupIDsByName(ctx, []string{"sales", "SALES emea", "nobody's"})
	if s.must(err); len(owners) != 2 || owners["sales"] != twin.ID || owners["sales emea"] != sales.ID {
		s.Errorf("by name: %v", owners)
	}

	gone, now := renamed, s.Now()
	gone.Deleted = &now
	_, err = s.Groups.UpdateGroup(ctx, quiet, &renamed, &gone)
	s.must(err)
	s.group("Sales EMEA") // free again
	restored := gone
	restored.Deleted = nil
	_, err = s.Groups.UpdateGroup(ctx, quiet, &gone, &restored)
	s.want(err, directory.ErrConflict)

	var living, deleted int
	count := func(keep func(*directory.Group) bool, n *int) {
		for cursor := ""; ; {
			page, err := s.Groups.ListGroups(ctx, cursor, 1, keep)
			s.must(err)
			*n += len(page.Groups)
			if cursor = page.Next; cursor == "" {
				return
			}
		}
	}
	count(nil, &living)
	count(func(g *directory.Group) bool { return g.Deleted != nil }, &deleted)
	if living != 3 || deleted != 1 {
		s.Errorf("%d living and %d deleted groups are listed", living, deleted)
	}
	s.pass(store.TombstoneLife)
	_, err = s.Groups.Group(ctx, gone.ID)
	s.want(err, directory.ErrNotFound)
}

// testGroupCount: groups that were there before anybody counted are counted once, whoever
// counts at once and whoever makes, deletes and restores groups meanwhile.
func testGroupCount(s *suite) {
	ctx := s.Context()
	set := func(g directory.Group, deleted bool) directory.Group {
		next := g
		if next.Deleted = nil; deleted {
			now := s.Now()
			next.Deleted = &now
		}
		_, err := s.Groups.UpdateGroup(ctx, quiet, &g, &next)
		s.must(err)
		return next
	}
	check := func(when string, want int, wantKnown bool) {
		s.Helper()
		n, known, err := s.Groups.CountGroups(ctx)
		if s.must(err); known != wantKnown || known && n != want {
			s.Errorf("%s: %d groups, known: %v; want %d, %v", when, n, known, want, wantKnown)
		}
	}
	tend := func(times int) {
		for range times {
			_, err := s.Groups.CountUncounted(ctx)
			s.must(err)
		}
	}
	var early []directory.Group
	for i := range 70 {
		early = append(early, s.group(fmt.Sprintf("Early %d", i)))
	}
	tend(2)
	check("right after the new version came", 0, false)
	early[0] = set(early[0], true) // not counted, and not missed
	s.pass(61 * time.Minute)
	for i := range 5 {
		late := s.group(fmt.Sprintf("Late %d", i))
		if i == 0 {
			set(set(set(late, true), false), true)
		}
	}
	early[1] = set(early[1], true)
	early[0] = set(early[0], false)
	tend(1)
	check("before the earlier ones are counted", 0, false)
	s.pass(time.Hour)
	tend(1) // of some
	early[2] = set(s.groupNow(early[2].ID), true)
	s.must(s.change(early[3].ID, []directory.MemberRef{directory.UserMember(s.user("a@corp.example").ID)}, nil)) // counted or not, it stays so
	ended := s.atOnce(4, directory.ErrStale, func(int) error {                                                   // several ticks
		for none := false; !none; {
			var err error
			if none, err = s.Groups.CountUncounted(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if ended != 4 {
		s.Errorf("%d of 4 ticks came to the end", ended)
	}
	check("when all are counted", 70-2+4, true)
	set(s.groupNow(early[2].ID), false)
	set(s.groupNow(early[3].ID), true)
	s.group("Last")
	tend(2)
	check("later", 70-2+4+1, true)
}

// groupNow is a group as it is stored.
func (s *suite) groupNow(id directory.GroupID) directory.Group {
	s.Helper()
	g, err := s.Groups.Group(s.Context(), id)
	s.must(err)
	return g
}

// testLongGroupName: folding makes a name longer than a key may be.
func testLongGroupName(s *suite) {
	name := strings.Repeat("\ufdfa", 256)
	g := s.group(name)
	ids, err := s.Groups.GroupIDsByName(s.Context(), []string{name})
	if s.must(err); ids[directory.FoldName(name)] != g.ID {
		s.Errorf("found %v", ids)
	}
	again := directory.Group{ID: "grp_again"}
	again.Name = name
	if err := s.Groups.CreateGroups(s.Context(), quiet, &again); !errors.Is(err, directory.ErrConflict) {
		s.Errorf("a second group of the name: %v", err)
	}
}

func testMembers(s *suite) {
	ctx := s.Context()
	all, sub := s.group("All"), s.group("Sub")
	var users []directory.MemberRef
	for i := range store.MaxMemberChange - 1 {
		users = append(users, directory.UserMember(s.user(fmt.Sprintf("u%d@corp.example", i)).ID))
	}
	s.must(s.change(all.ID, append(slices.Clone(users), directory.GroupMember(sub.ID)), nil))
	crowd := s.group("Crowd")
	var most store.MemberChange // groups take the most writes, and edits by hand one more
	for i := range store.MaxMemberChange {
		most.Add = append(most.Add, directory.Membership{Member: directory.GroupMember(s.group(fmt.Sprintf("Part %d", i)).ID), Added: s.Now()})
	}
	_, err := s.Groups.ChangeMembers(ctx, by.AuditEvent(directory.AuditAddMembers), &crowd, most)
	s.must(err)
	g, err := s.Groups.Group(ctx, all.ID)
	if s.must(err); g.Members != len(users)+1 || g.MembersVersion != 1 || g.Version != 1 {
		s.Errorf("%d members, version %d of them", g.Members, g.MembersVersion)
	}
	want := append(slices.Clone(users), directory.GroupMember(sub.ID))
	slices.SortFunc(want, directory.MemberRef.Compare)
	if got := s.members(all.ID, store.MembersQuery{Limit: 5}); !slices.Equal(got, want) {
		s.Errorf("members %v, want %v", got, want)
	}
	if got := s.members(all.ID, store.MembersQuery{Type: directory.MemberGroup}); len(got) != 1 || got[0].Group() != sub.ID {
		s.Errorf("groups in it: %v", got)
	}
	if got, _, err := s.Groups.GroupsOf(ctx, users[0], "", 0); err != nil || len(got) != 1 || got[0] != all.ID {
		s.Errorf("groups of a user: %v, %v", got, err)
	}
	if got, _, err := s.Groups.GroupsOf(ctx, directory.GroupMember(sub.ID), "", 0); err != nil || len(got) != 1 || got[0] != all.ID {
		s.Errorf("groups of a group: %v, %v", got, err)
	}
	among, err := s.Groups.MembershipsAmong(ctx, all.ID, []directory.MemberRef{users[0], directory.UserMember("usr_nobody")})
	if s.must(err); len(among) != 1 || !among[users[0]].Added.Equal(s.Now()) {
		s.Errorf("among: %v", among)
	}

	// Two who edit what they have read: the later one must read again.
	first, second := g, g
	_, err = s.Groups.ChangeMembers(ctx, quiet, &first, store.MemberChange{Remove: users[:1]})
	s.must(err)
	_, err = s.Groups.ChangeMembers(ctx, quiet, &second, store.MemberChange{Remove: users[:2]})
	s.want(err, directory.ErrStale)
	s.must(s.change(all.ID, nil, []directory.MemberRef{users[1], directory.GroupMember(sub.ID)}))
	g, err = s.Groups.Group(ctx, all.ID)
	if s.must(err); g.Members != len(users)-2 || g.MembersVersion != 3 {
		s.Errorf("%d members, version %d of them", g.Members, g.MembersVersion)
	}
	if got, _, err := s.Groups.GroupsOf(ctx, users[1], "", 0); err != nil || len(got) != 0 {
		s.Errorf("groups of one who left: %v, %v", got, err)
	}
	_, _, err = s.Groups.Members(ctx, store.MembersQuery{Group: all.ID, After: directory.UserMember(directory.UserID(make([]byte, 2000)))})
	s.want(err, directory.ErrInvalid)

	// Users in many groups.
	for i := range 30 {
		s.must(s.change(s.group(fmt.Sprintf("g%d", i)).ID, users[:1], nil))
	}
	of := 0
	for after := directory.GroupID(""); ; {
		list, next, err := s.Groups.GroupsOf(ctx, users[0], after, 7)
		s.must(err)
		of += len(list)
		if after = next; next == "" {
			break
		}
	}
	if of != 30 {
		s.Errorf("a user is in %d groups, want 30", of)
	}
}

// testNoCycle nests groups at random, from many goroutines: whatever order they come
// in, no group is in itself.
func testNoCycle(s *suite) {
	ctx := s.Context()
	groups := make([]directory.GroupID, 6)
	for i := range groups {
		groups[i] = s.group(fmt.Sprintf("g%d", i)).ID
	}
	var ring sync.WaitGroup
	cycles := make([]bool, len(groups))
	for i := range groups { // a ring of which one link must fail
		ring.Go(func() {
			err := s.change(groups[i], []directory.MemberRef{directory.GroupMember(groups[(i+1)%len(groups)])}, nil)
			if cycle, is := errors.AsType[*store.GroupCycle](err); is {
				cycles[i] = true
				if cycle.Groups[0] != groups[i] || cycle.Groups[1] != groups[(i+1)%len(groups)] || len(cycle.Groups) != len(groups) {
					s.Errorf("cycle %v of %v", cycle.Groups, groups)
				}
			} else if err != nil {
				s.Error(err)
			}
		})
	}
	ring.Wait()
	if n := len(slices.DeleteFunc(cycles, func(c bool) bool { return !c })); n != 1 {
		s.Errorf("%d of the links of a ring were refused", n)
	}
	self := s.change(groups[0], []directory.MemberRef{directory.GroupMember(groups[0])}, nil)
	if cycle, is := errors.AsType[*store.GroupCycle](self); !is || len(cycle.Groups) != 1 {
		s.Errorf("in itself: %v", self)
	}

	// A deleted group keeps its place, so that its return closes no circle.
	a, b := s.group("a"), s.group("b")
	s.must(s.change(a.ID, []directory.MemberRef{directory.GroupMember(b.ID)}, nil))
	a, err := s.Groups.Group(ctx, a.ID)
	s.must(err)
	gone, now := a, s.Now()
	gone.Deleted = &now
	_, err = s.Groups.UpdateGroup(ctx, quiet, &a, &gone)
	s.must(err)
	s.want(s.change(s.group("c").ID, []directory.MemberRef{directory.GroupMember(a.ID)}, nil), directory.ErrNotFound)
	s.want(s.change(s.group("d").ID, []directory.MemberRef{directory.GroupMember("grp_none")}, nil), directory.ErrNotFound)
	if err := s.change(b.ID, []directory.MemberRef{directory.GroupMember(a.ID)}, nil); err == nil {
		s.Error("a circle through a deleted group")
	}
}

func testUsedGroups(s *suite) {
	ctx := s.Context()
	hq := s.connection("hq")
	top, mid, low, other := s.group("top"), s.group("mid"), s.group("low"), s.group("other")
	s.must(s.change(top.ID, []directory.MemberRef{directory.GroupMember(mid.ID)}, nil))
	s.must(s.Groups.SetUsed(ctx, top.ID, hq.ID, true))
	s.must(s.Groups.SetUsed(ctx, top.ID, hq.ID, true))
	due := func() []store.DueUse {
		s.Helper()
		list, next, err := s.Groups.DueUses(ctx, hq.ID, "", 100)
		if s.must(err); next != "" {
			s.Errorf("more are due than there are uses: %v", list)
		}
		return list
	}
	read := due()
	if len(read) != 1 || read[0].GroupID != top.ID {
		s.Fatalf("due after the use began: %v", read)
	}
	s.must(s.Groups.EndDueUse(ctx, read[0]))

	// tell has everybody told, as the schedule does it.
	tell := func() (told []directory.ConnectionID) {
		s.Helper()
		changed, err := s.Groups.Changed(ctx, 10)
		s.must(err)
		for _, id := range changed {
			conns, err := s.Groups.TellUsers(ctx, id)
			s.must(err)
			told = append(told, conns...)
		}
		return told
	}
	tell() // that mid was nested
	for _, d := range due() {
		s.must(s.Groups.EndDueUse(ctx, d))
	}
	s.must(s.change(mid.ID, []directory.MemberRef{directory.GroupMember(low.ID)}, nil))
	ann := directory.UserMember(s.user("ann@hq.example").ID)
	s.must(s.change(low.ID, []directory.MemberRef{ann}, nil))
	s.must(s.change(other.ID, []directory.MemberRef{ann}, nil))
	if told := tell(); !slices.Equal(slices.Compact(told), []directory.ConnectionID{hq.ID}) {
		s.Errorf("told %v", told)
	}
	read = due()
	if len(read) != 1 || read[0].GroupID != top.ID {
		s.Fatalf("due after an edit two groups below: %v", read)
	}
	if again, err := s.Groups.Changed(ctx, 10); err != nil || len(again) != 0 {
		s.Errorf("still to be told: %v, %v", again, err)
	}

	read = s.dueByMembers(&hq, &top, &mid, &low, read, due, tell)

	// Whether a user is a member concerns those who use the group, other edits do not.
	user, err := s.Users.User(ctx, ann.User())
	s.must(err)
	for _, concerns := range []bool{false, true, true} {
		s.must(s.Groups.EndDueUse(ctx, read[0]))
		next, now := user, s.Now()
		switch {
		case !concerns:
			next.State = directory.StateSuspended
		case user.Deleted == nil:
			next.Deleted = &now
		default:
			next.Deleted = nil
		}
		_, err := s.Users.UpdateUser(ctx, quiet, &user, &next)
		s.must(err)
		tell()
		if due := due(); (len(due) == 1) != concerns {
			s.Errorf("due after the edit of a member, which concerns them %t: %v", concerns, due)
		} else if concerns {
			read = due
		}
		user = next
	}

	// An edit after what is due was read keeps it due.
	s.pass(time.Millisecond)
	g, err := s.Groups.Group(ctx, top.ID)
	s.must(err)
	next := g
	next.Description = "edited"
	told, err := s.Groups.UpdateGroup(ctx, quiet, &g, &next)
	if s.must(err); !told {
		s.Error("nobody is to be told of the edit of a used group")
	}
	tell()
	s.must(s.Groups.EndDueUse(ctx, read[0]))
	if left := due(); len(left) != 1 {
		s.Errorf("an edit was forgotten: %v", left)
	}

	// A used group stays as long as it is used.
	gone, now := next, s.Now()
	gone.Deleted = &now
	_, err = s.Groups.UpdateGroup(ctx, quiet, &next, &gone)
	s.must(err)
	s.pass(store.TombstoneLife + time.Hour)
	for none := false; !none; {
		none, err = s.Groups.PurgeMembers(ctx)
		s.must(err)
	}
	g, err = s.Groups.Group(ctx, top.ID)
	if s.must(err); g.Deleted == nil || g.Members != 1 {
		s.Errorf("a deleted group that is used: %+v", g)
	}
	s.must(s.Groups.SetUsed(ctx, top.ID, hq.ID, false))
	if left := due(); len(left) != 0 {
		s.Errorf("due of what is not used: %v", left)
	}
	s.pass(25 * time.Hour)
	for none := false; !none; {
		none, err = s.Groups.PurgeMembers(ctx)
		s.must(err)
	}
	if of, _, err := s.Groups.GroupsOf(ctx, directory.GroupMember(mid.ID), "", 0); err != nil || len(of) != 0 {
		s.Errorf("in a group that is gone: %v, %v", of, err)
	}
}

// dueByMembers: whoever is due knows of which users the edits were, all of them, and whether
// they may have been of anything.
func (s *suite) dueByMembers(hq *directory.Connection, top, mid, low *directory.Group, read []store.DueUse, due func() []store.DueUse, tell func() []directory.ConnectionID) []store.DueUse {
	s.Helper()
	ctx := s.Context()
	if !read[0].Whole {
		s.Errorf("due after a nesting: %+v", read[0])
	}
	s.must(s.Groups.EndDueUse(ctx, read[0]))
	bob, cat := directory.UserMember(s.user("bob@hq.example").ID), directory.UserMember(s.user("cat@hq.example").ID)
	s.must(s.change(low.ID, []directory.MemberRef{bob}, nil))
	s.must(s.change(low.ID, []directory.MemberRef{cat}, nil))
	tell()
	s.must(s.change(mid.ID, []directory.MemberRef{bob}, nil))
	tell()
	read = due()
	both := []directory.MemberRef{bob, cat}
	slices.SortFunc(both, directory.MemberRef.Compare)
	if len(read) != 1 || read[0].Whole || !slices.Equal(read[0].Members, both) {
		s.Errorf("due after edits of two users below: %+v", read)
	}
	s.must(s.change(low.ID, nil, []directory.MemberRef{bob, cat}))
	if moved, err := s.Groups.Unmoved(ctx, read[0], []directory.GroupID{top.ID, low.ID}); moved || err != nil {
		s.Errorf("nothing has moved although an edit waits to be told: %v", err)
	}
	tell()
	if moved, err := s.Groups.Unmoved(ctx, read[0], []directory.GroupID{top.ID, low.ID}); moved || err != nil {
		s.Errorf("nothing has moved although it is due by another edit: %v", err)
	}
	s.must(s.Groups.EndDueUse(ctx, read[0]))
	if read = due(); len(read) != 1 || read[0].Whole || !slices.Equal(read[0].Members, both) {
		s.Errorf("an edit was forgotten with those before it: %+v", read)
	}
	for range 12 {
		s.must(s.Groups.MakeDue(ctx, hq.ID, []directory.GroupID{top.ID}))
	}
	many := due()
	one, err := s.Groups.Gather(ctx, many[0])
	s.must(err)
	if unmoved, err := s.Groups.Unmoved(ctx, one, []directory.GroupID{top.ID}); !one.Whole || !unmoved || err != nil {
		s.Errorf("gathered %+v, %v", one, err)
	}
	return due()
}

// testMembersPurged: who can no longer be restored is no member; who can be, is again.
func testMembersPurged(s *suite) {
	ctx := s.Context()
	all, sub := s.group("All"), s.group("Sub")
	ann, bob := s.user("ann@corp.example"), s.user("bob@corp.example")
	refs := []directory.MemberRef{directory.UserMember(ann.ID), directory.UserMember(bob.ID)}
	for i := range 40 {
		refs = append(refs, directory.UserMember(directory.UserID(fmt.Sprintf("usr_%03d", i))))
	}
	for part := range slices.Chunk(refs, store.MaxMemberChange) {
		s.must(s.change(sub.ID, part, nil))
	}
	s.must(s.change(all.ID, append([]directory.MemberRef{directory.GroupMember(sub.ID)}, refs[:2]...), nil))
	purge := func() {
		s.Helper()
		for none := false; !none; {
			var err error
			none, err = s.Groups.PurgeMembers(ctx)
			s.must(err)
		}
	}
	remove := func(u directory.User) directory.User {
		s.Helper()
		gone, now := u, s.Now()
		gone.Deleted = &now
		_, err := s.Users.UpdateUser(ctx, quiet, &u, &gone)
		s.must(err)
		return gone
	}
	remove(ann)
	gone := remove(bob)
	bob = gone
	bob.Deleted = nil
	_, err := s.Users.UpdateUser(ctx, quiet, &gone, &bob)
	s.must(err)
	purge()
	if got := s.members(all.ID, store.MembersQuery{}); len(got) != 3 {
		s.Errorf("members while all can be restored: %v", got)
	}
	s.pass(store.TombstoneLife)
	purge()
	want := []directory.MemberRef{directory.GroupMember(sub.ID), directory.UserMember(bob.ID)}
	if got := s.members(all.ID, store.MembersQuery{}); !slices.Equal(got, want) {
		s.Errorf("members %v, want %v", got, want)
	}
	if of, _, err := s.Groups.GroupsOf(ctx, directory.UserMember(ann.ID), "", 0); err != nil || len(of) != 0 {
		s.Errorf("one who is gone is in %v, %v", of, err)
	}

	s1, err := s.Groups.Group(ctx, sub.ID)
	s.must(err)
	tomb, now := s1, s.Now()
	tomb.Deleted = &now
	_, err = s.Groups.UpdateGroup(ctx, quiet, &s1, &tomb)
	s.must(err)
	s.pass(store.TombstoneLife)
	purge()
	if got := s.members(sub.ID, store.MembersQuery{}); len(got) != 0 {
		s.Errorf("members of a group that is gone: %v", got)
	}
	g, err := s.Groups.Group(ctx, all.ID)
	if s.must(err); g.Members != 1 {
		s.Errorf("%d members are counted", g.Members)
	}
}

// testMembersVersion: each edit of the direct members, and whoever of them is deleted or comes
// back, gives them another version and time, and others' edits keep both.
func testMembersVersion(s *suite) {
	ctx := s.Context()
	s.pass(time.Hour)
	all, other, none := s.group("All"), s.group("Other"), s.group("None")
	ann, bob, sub := s.user("ann@corp.example"), s.user("bob@corp.example"), s.group("Sub")
	want := func(what string, version int64, at time.Time) {
		s.Helper()
		if g := s.groupNow(all.ID); g.MembersVersion != version || !g.MembersUpdated.Equal(at) {
			s.Errorf("%s: version %d of %s, want %d of %s", what, g.MembersVersion, g.MembersUpdated, version, at)
		}
	}
	tell := func(m directory.MemberRef) time.Time {
		s.Helper()
		s.pass(time.Minute)
		_, err := s.Groups.TellUsers(ctx, m)
		s.must(err)
		return s.Now()
	}
	want("a new group", 0, time.Time{})
	s.must(s.change(all.ID, []directory.MemberRef{directory.UserMember(ann.ID), directory.UserMember(bob.ID), directory.GroupMember(sub.ID)}, nil))
	s.must(s.change(other.ID, []directory.MemberRef{directory.UserMember(ann.ID), directory.GroupMember(all.ID)}, nil))
	added := s.Now()
	want("members were added", 1, added)
	s.pass(time.Minute)
	g := s.groupNow(all.ID)
	next := g
	next.Description = "edited"
	_, err := s.Groups.UpdateGroup(ctx, quiet, &g, &next)
	s.must(err)
	want("the group was edited", 1, added)

	now := s.Now()
	gone := ann
	gone.Deleted = &now
	_, err = s.Users.UpdateUser(ctx, quiet, &ann, &gone)
	s.must(err)
	at := tell(directory.UserMember(ann.ID))
	want("a member was deleted", 2, at)
	tell(directory.UserMember(ann.ID))
	want("and nobody else", 2, at)
	if g := s.groupNow(other.ID); g.MembersVersion != 2 {
		s.Errorf("another group of the one who was deleted: %d", g.MembersVersion)
	}
	back := gone
	back.Deleted = nil
	_, err = s.Users.UpdateUser(ctx, quiet, &gone, &back)
	s.must(err)
	at = tell(directory.UserMember(ann.ID))
	want("the member came back", 3, at)
	suspended := bob
	suspended.State, suspended.Email = directory.StateSuspended, "robert@corp.example"
	_, err = s.Users.UpdateUser(ctx, quiet, &bob, &suspended)
	s.must(err)
	tell(directory.UserMember(bob.ID))
	want("a member was suspended and renamed", 3, at)

	g = s.groupNow(sub.ID)
	next = g
	next.Deleted = &now
	_, err = s.Groups.UpdateGroup(ctx, quiet, &g, &next)
	s.must(err)
	at = tell(directory.GroupMember(sub.ID))
	want("a group in it was deleted", 4, at)
	g = s.groupNow(all.ID)
	next = g
	next.Description = "edited again"
	_, err = s.Groups.UpdateGroup(ctx, quiet, &g, &next)
	s.must(err)
	want("the group was edited again", 4, at)
	s.pass(time.Minute)
	s.must(s.change(all.ID, nil, []directory.MemberRef{directory.UserMember(bob.ID)}))
	want("a member was removed", 5, s.Now())
	made := s.group("Made")
	_, err = s.Groups.ChangeMembers(ctx, quiet, &made, store.MemberChange{Add: []directory.Membership{{Member: directory.UserMember(bob.ID)}}, Made: true})
	s.must(err)
	if g := s.groupNow(made.ID); g.MembersVersion != 1 || !g.MembersUpdated.IsZero() {
		s.Errorf("a group that was made with its members: %+v", g)
	}
	if g := s.groupNow(none.ID); g.MembersVersion != 0 || g.Edition != 1 {
		s.Errorf("a group of nobody: %+v", g)
	}
}

// testMembersAtOnce: whoever edits members at once with others, nothing is lost of it.
func testMembersAtOnce(s *suite) {
	all := s.group("All")
	var want []directory.MemberRef
	for i := range 40 {
		want = append(want, directory.UserMember(directory.UserID(fmt.Sprintf("usr_%02d", i))))
	}
	order := rand.Perm(len(want))
	s.atOnce(8, nil, func(n int) error {
		for _, i := range order[n*5 : n*5+5] {
			if err := s.change(all.ID, want[i:i+1], nil); err != nil {
				return err
			}
		}
		return nil
	})
	if got := s.members(all.ID, store.MembersQuery{}); !slices.Equal(got, want) {
		s.Errorf("members %v, want %v", got, want)
	}
	g, err := s.Groups.Group(s.Context(), all.ID)
	if s.must(err); g.Members != len(want) || g.MembersVersion != int64(len(want)) {
		s.Errorf("%d are counted, at version %d", g.Members, g.MembersVersion)
	}
}

// testManagers: of edits at once that would make a circle of managers, one is refused.
func testManagers(s *suite) {
	ctx := s.Context()
	users := make([]directory.User, 4)
	for i := range users {
		users[i] = s.user(fmt.Sprintf("u%d@corp.example", i))
	}
	manage := func(u, m directory.UserID) error {
		for {
			old, err := s.Users.User(ctx, u)
			if err != nil {
				return err
			}
			next := old
			next.ManagerID = m
			_, err = s.Users.UpdateUser(ctx, quiet, &old, &next)
			if !errors.Is(err, directory.ErrStale) {
				return err
			}
		}
	}
	n := s.atOnce(len(users), directory.ErrConflict, func(i int) error {
		err := manage(users[i].ID, users[(i+1)%len(users)].ID)
		if cycle, is := errors.AsType[*store.ManagerCycle](err); is && (len(cycle.Users) != len(users) || cycle.Users[0].ID != users[i].ID) {
			return fmt.Errorf("the circle %v", cycle.Users)
		}
		return err
	})
	if n != len(users)-1 {
		s.Errorf("%d links of a ring of %d were made", n, len(users))
	}

	// A manager who is deleted still counts, and is listed as such.
	boss, ann := s.user("boss@corp.example"), s.user("ann@corp.example")
	s.must(manage(boss.ID, ann.ID))
	old, err := s.Users.User(ctx, boss.ID)
	s.must(err)
	gone, now := old, s.Now()
	gone.Deleted = &now
	_, err = s.Users.UpdateUser(ctx, quiet, &old, &gone)
	s.must(err)
	s.want(manage(ann.ID, boss.ID), directory.ErrConflict)
	all := func(*directory.User) bool { return true }
	page, err := s.Users.ListDeletedUsers(ctx, "", 10, all)
	if s.must(err); len(page.Users) != 1 || page.Users[0].ID != boss.ID {
		s.Errorf("deleted: %v", page.Users)
	}
	s.pass(store.TombstoneLife)
	page, err = s.Users.ListDeletedUsers(ctx, "", 10, all)
	if s.must(err); len(page.Users) != 0 {
		s.Errorf("deleted long ago: %v", page.Users)
	}
	s.must(manage(ann.ID, boss.ID))
}
