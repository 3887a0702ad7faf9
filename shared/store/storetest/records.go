package storetest

import (
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

func testUsersFound(s *suite) {
	ctx := s.Context()
	from := directory.AccountRef{TenantID: "tenant-hq", AccountID: "acc-1", UserPrincipalName: "ann@hq.example"}
	ann := directory.User{ID: directory.NewUserID(s.Now()), Source: directory.SourceM365, ImportedFrom: &from}
	ann.Email, ann.UserName, ann.State = "ann@hq.example", "Ann", directory.StateActive
	s.must(s.Users.CreateUsers(ctx, quiet, &ann))
	bob := s.user("bob@hq.example")
	byID, err := s.Users.UsersByID(ctx, []directory.UserID{ann.ID, bob.ID, "usr_none"})
	if s.must(err); len(byID) != 2 || byID[bob.ID].Email != bob.Email {
		s.Errorf("by ID: %v", byID)
	}
	byName, err := s.Users.UserIDsByName(ctx, []string{"ANN", "nobody"})
	if s.must(err); len(byName) != 1 || byName["ann"] != ann.ID {
		s.Errorf("by name: %v", byName)
	}
	imported, err := s.Users.ImportedUsers(ctx, "tenant-hq", []directory.AccountID{"acc-1", "acc-2"})
	if s.must(err); len(imported) != 1 || imported["acc-1"].ID != ann.ID {
		s.Errorf("imported: %v", imported)
	}
	c := s.connection("hq")
	known, err := s.Bindings.KnownAccounts(ctx, &c, []*directory.User{&ann, &bob})
	if s.must(err); len(known) != 1 || known[ann.ID].AccountID != "acc-1" {
		s.Errorf("known accounts: %v", known)
	}

	gone, now := ann, s.Now()
	gone.Deleted = &now
	_, err = s.Users.UpdateUser(ctx, quiet, &ann, &gone)
	s.must(err)
	if imported, err = s.Users.ImportedUsers(ctx, "tenant-hq", []directory.AccountID{"acc-1"}); err != nil || len(imported) != 0 {
		s.Errorf("imported, and deleted since: %v, %v", imported, err)
	}
	s.must(s.Users.ExpireUser(ctx, &bob)) // lives: nothing happens
	s.must(s.Users.ExpireUser(ctx, &gone))
	if got, err := s.Users.User(ctx, ann.ID); err != nil || got.Deleted == nil {
		s.Errorf("a tombstone: %+v, %v", got, err)
	}
	s.pass(store.TombstoneLife + time.Second)
	_, err = s.Users.User(ctx, ann.ID)
	s.want(err, directory.ErrNotFound)
	_, err = s.Users.User(ctx, bob.ID)
	s.must(err)
}

func testAddressForms(s *suite) {
	ctx := s.Context()
	since, err := s.Users.AddressFormsSince(ctx)
	if s.must(err); !since.IsZero() {
		s.Errorf("a directory without users holds earlier forms since %s", since)
	}
	s.user("ann@corp.example")
	for cursor, first := "", true; first || cursor != ""; first = false {
		twins, next, err := s.Users.RenewAddressForms(ctx, cursor)
		if s.must(err); len(twins) != 0 {
			s.Errorf("twins %v", twins)
		}
		cursor = next
	}
	if since, err = s.Users.AddressFormsSince(ctx); err != nil || !since.IsZero() {
		s.Errorf("once renewed, since %s, %v", since, err)
	}
}

func testBindingsEdited(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	ann, bob := s.user("ann@hq.example"), s.user("bob@hq.example")
	s.bind(&c, ann)
	subjects, err := s.Bindings.Subjects(ctx, []directory.UserID{ann.ID, bob.ID, "usr_none"})
	if s.must(err); len(subjects) != 2 || subjects[ann.ID].Binding == nil || subjects[bob.ID].Binding != nil || subjects[bob.ID].User == nil {
		s.Errorf("subjects %+v", subjects)
	}
	b := *subjects[ann.ID].Binding
	stale := b
	b.Release = directory.ReleaseBlock
	s.must(s.Bindings.UpdateBinding(ctx, quiet, &b, true, true))
	urgent, _, err := s.Marks.UrgentMarks(ctx, c.ID, 1, "", 10)
	if s.must(err); len(urgent) != 1 {
		s.Errorf("urgent marks %v", urgent)
	}
	s.want(s.Bindings.UpdateBinding(ctx, quiet, &stale, false, false), directory.ErrStale)

	if n := s.atOnce(4, directory.ErrNotFound, func(int) error { return s.Bindings.TakePassword(ctx, quiet, &b) }); n != 1 {
		s.Errorf("a password is shown %d times", n)
	}
	late := b
	late.Version--
	s.want(s.Bindings.TakePassword(ctx, quiet, &late), directory.ErrNotFound)

	l := s.lease(&c)
	sums, next, err := s.Bindings.ListBindingSummaries(ctx, directory.KindAccount, &l, "", 10, false)
	for s.must(err); next != ""; s.must(err) {
		var more []store.BindingSummary
		more, next, err = s.Bindings.ListBindingSummaries(ctx, directory.KindAccount, &l, next, 10, false)
		sums = append(sums, more...)
	}
	if len(sums) != 1 || sums[0].Settled {
		s.Errorf("summaries %+v", sums)
	}
}

func testMoveLater(s *suite) {
	ctx := s.Context()
	from, to := s.connection("from"), s.connection("to")
	ann := s.user("ann@from.example")
	s.bind(&from, ann)
	b, err := s.Bindings.Binding(ctx, ann.ID)
	s.must(err)
	was := b
	b.Release, b.MoveTo = directory.ReleaseBlock, &directory.Move{ConnectionID: to.ID, By: by.Subject, At: s.Now()}
	moved := ann
	moved.Email = "ann@to.example"
	s.must(s.Bindings.MoveAfter(ctx, quiet, &ann, &moved, &b))
	s.want(s.Bindings.MoveAfter(ctx, quiet, &ann, &moved, &was), directory.ErrStale)
	waits, err := s.Bindings.Binding(ctx, ann.ID)
	if s.must(err); waits.ConnectionID != from.ID || waits.MoveTo == nil || waits.Wanted != moved.Version {
		s.Errorf("a binding that will move: %+v", waits)
	}
	owners, err := s.Users.UserIDsByEmail(ctx, []string{"ann@to.example"})
	if s.must(err); owners["ann@to.example"] != ann.ID {
		s.Errorf("the address came with the move: %v", owners)
	}
	stays, back := waits, moved
	stays.Release, stays.MoveTo, back.Email = "", nil, ann.Email
	s.must(s.Bindings.TakeMoveBack(ctx, quiet, &moved, &back, &stays))
	if waits, err = s.Bindings.Binding(ctx, ann.ID); err != nil || waits.MoveTo != nil || waits.Release != "" {
		s.Errorf("taken back: %+v, %v", waits, err)
	}
	if got, err := s.Users.User(ctx, ann.ID); err != nil || got.Email != ann.Email {
		s.Errorf("the user has %s again, %v", got.Email, err)
	}
}

func testMarksByAge(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	began := s.Now()
	s.pass(time.Second)
	refs := map[directory.Ref]bool{}
	for i := range 6 {
		u := s.user(fmt.Sprintf("u%d@hq.example", i))
		s.bind(&c, u)
		refs[directory.AccountOf(u.ID)] = true
	}
	n := 0
	for page, err := range s.Marks.MarkedSince(ctx, c.ID, 1, began) {
		s.must(err)
		for _, m := range page {
			if !refs[m.Ref] || !m.At.After(began) || m.Urgent {
				s.Errorf("a mark: %+v", m)
			}
			n++
		}
	}
	if n != len(refs) {
		s.Errorf("%d marks since the beginning, want %d", n, len(refs))
	}
	s.pass(time.Second)
	for page, err := range s.Marks.MarkedSince(ctx, c.ID, 1, s.Now()) {
		if s.must(err); len(page) > 0 {
			s.Errorf("marks of a time to come: %v", page)
		}
	}
	old, young := 0, 0
	for lane := range store.MarkLanes {
		if is, err := s.Marks.OldMark(ctx, &c, lane, time.Time{}, s.Now()); err != nil {
			s.Error(err)
		} else if is {
			old++
		}
		if is, err := s.Marks.OldMark(ctx, &c, lane, s.Now(), s.Now()); err != nil {
			s.Error(err)
		} else if is {
			young++
		}
	}
	if old == 0 || young != 0 {
		s.Errorf("%d lanes have an old mark, %d one of a time to come", old, young)
	}
	work, err := s.Schedule.OpenWork(ctx, &c, s.Now())
	if s.must(err); !work.Marked || work.MarkedAt.Before(began) || work.Runs != 0 || work.Leased {
		s.Errorf("open work %+v", work)
	}
}

func testConnectionsListed(s *suite) {
	ctx := s.Context()
	want := []directory.ConnectionID{s.connection("a").ID}
	for _, name := range []string{"b", "c"} {
		s.pass(time.Second)
		want = append(want, s.connection(name).ID)
	}
	var listed, scheduled []directory.ConnectionID
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, next, err := s.Connections.ListConnections(ctx, cursor, 2)
		s.must(err)
		for i := range page {
			listed = append(listed, page[i].ID)
		}
		cursor = next
	}
	for after, more := directory.ConnectionID(""), true; more; {
		var page []store.ScheduledConnection
		var err error
		page, more, err = s.Schedule.ScheduledConnections(ctx, after, 2)
		s.must(err)
		for i := range page {
			after = page[i].ID
			scheduled = append(scheduled, after)
		}
	}
	if fmt.Sprint(listed) != fmt.Sprint(want) || fmt.Sprint(scheduled) != fmt.Sprint(want) {
		s.Errorf("listed %v, scheduled %v, want %v", listed, scheduled, want)
	}
}

func testConnectionNoted(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	verified := []directory.Domain{{Name: "hq.example"}, {Name: "new.example"}}
	next, err := s.Connections.NoteDomains(ctx, &c, verified)
	if s.must(err); next.Version != c.Version+1 {
		s.Errorf("noted at version %d", next.Version)
	}
	same, err := s.Connections.NoteDomains(ctx, &next, verified)
	if s.must(err); same.Version != next.Version {
		s.Errorf("the same domains make version %d of %d", same.Version, next.Version)
	}

	type report struct{ Findings int }
	var got report
	s.want(s.Connections.Health(ctx, c.ID, &got), directory.ErrNotFound)
	s.must(s.Connections.SaveHealth(ctx, c.ID, report{3}, s.Now()))
	if s.must(s.Connections.Health(ctx, c.ID, &got)); got.Findings != 3 {
		s.Errorf("health %+v", got)
	}
	at, err := s.Connections.CheckedAt(ctx, c.ID)
	if s.must(err); !at.Equal(s.Now()) {
		s.Errorf("checked at %s, want %s", at, s.Now())
	}

	let, err := s.Connections.EndEpoch(ctx, quiet, c.ID, func(was, next *directory.Connection) error {
		next.Status = directory.StatusNeedsAuthorization
		return nil
	})
	if s.must(err); let.Epoch != 2 || let.Status != directory.StatusNeedsAuthorization {
		s.Errorf("epoch %d, %s", let.Epoch, let.Status)
	}
	_, err = s.Connections.NoteDomains(ctx, &next, nil)
	s.want(err, directory.ErrStale)
	s.must(s.Claims.ClaimTenant(ctx, &let, "tenant-hq"))
	s.must(s.Claims.ReleaseTenant(ctx, &let, "tenant-hq"))
	other := s.connection("other")
	s.must(s.Claims.ClaimTenant(ctx, &other, "tenant-hq"))
}

func testAccountsCounted(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	s.bind(&c, s.user("ann@hq.example"))
	l := s.lease(&c)
	a, err := s.Counters.BoundAccounts(ctx, c.ID, 1)
	if s.must(err); !a.Counted || a.N != 0 {
		s.Errorf("a new epoch is counted from none on: %+v", a)
	}
	s.must(s.table.Write(ctx, table.Write{Update: &table.Update{ // as an earlier version left it
		Key: table.Key{Partition: "C#" + string(c.ID), Sort: "bound#1"}, RemoveNumbers: []string{"accountsBase"}}}))
	if a, err = s.Counters.BoundAccounts(ctx, c.ID, 1); err != nil || a.Counted {
		s.Errorf("counted before anybody did: %+v, %v", a, err)
	}
	s.must(s.Counters.CountAccounts(ctx, &l, a, 5, 2))
	s.must(s.Counters.CountAccounts(ctx, &l, a, 9, 0)) // counted already: nothing happens
	if a, err = s.Counters.BoundAccounts(ctx, c.ID, 1); err != nil || !a.Counted || a.N != 5 {
		s.Errorf("counted: %+v, %v", a, err)
	}
	s.pass(2 * time.Minute)
	s.lease(&c)
	s.want(s.Counters.CountAccounts(ctx, &l, a, 5, 0), directory.ErrLeaseLost)
	s.must(s.Leases.BreakLease(ctx, c.ID))
	s.lease(&c) // free at once
	next, err := s.Connections.EndEpoch(ctx, quiet, c.ID, func(_, _ *directory.Connection) error { return nil })
	s.must(err)
	if a, err = s.Counters.BoundAccounts(ctx, c.ID, next.Epoch); err != nil || !a.Counted || a.N != 0 {
		s.Errorf("the next epoch is counted from none on: %+v, %v", a, err)
	}
}

func testProtection(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	lift := store.ProtectionOverride{AccountID: "acc-1", Until: s.Now().Add(time.Hour), By: by.Subject, At: s.Now()}
	liftedTo := func() time.Time {
		l, _, err := s.Leases.PeekLease(ctx, c.ID)
		s.must(err)
		return l.LiftedTo
	}
	if at := liftedTo(); at.After(s.Now()) {
		s.Errorf("of a new connection lifts are looked for until %s", at)
	}
	s.must(s.Protection.PutProtectionOverride(ctx, by.AuditEvent(directory.AuditLiftProtection), &c, &lift))
	stale := c
	stale.Version++
	s.want(s.Protection.PutProtectionOverride(ctx, quiet, &stale, &lift), directory.ErrStale)
	if at := liftedTo(); at.Before(s.Now().Add(24 * time.Hour)) {
		s.Errorf("lifts are looked for until %s; they may last a day", at)
	}
	list, err := s.Protection.ProtectionOverrides(ctx, c.ID)
	if s.must(err); len(list) != 1 || list[0].AccountID != "acc-1" || list[0].By != by.Subject {
		s.Errorf("overrides %+v", list)
	}
	s.must(s.Protection.DeleteProtectionOverride(ctx, quiet, c.ID, "acc-1"))
	s.want(s.Protection.DeleteProtectionOverride(ctx, quiet, c.ID, "acc-1"), directory.ErrNotFound)
	s.must(s.Protection.PutProtectionOverride(ctx, quiet, &c, &lift))
	s.pass(2 * time.Hour)
	if list, err = s.Protection.ProtectionOverrides(ctx, c.ID); err != nil || len(list) != 0 {
		s.Errorf("after its time: %+v, %v", list, err)
	}

	names, err := s.Protection.Named(ctx, c.ID)
	if s.must(err); len(names) != 0 {
		s.Errorf("names %v", names)
	}
	s.must(s.Protection.SaveNamed(ctx, c.ID, map[string]directory.AccountID{"chief@hq.example": "acc-1"}))
	if names, err = s.Protection.Named(ctx, c.ID); err != nil || names["chief@hq.example"] != "acc-1" {
		s.Errorf("names %v, %v", names, err)
	}
}

func testPhotos(s *suite) {
	ctx := s.Context()
	c, ann := s.connection("hq"), s.user("ann@hq.example")
	_, err := s.Photos.Photo(ctx, ann.ID)
	s.want(err, directory.ErrNotFound)
	p := directory.Photo{UserID: ann.ID, ConnectionID: c.ID, Digest: "d1", Data: []byte{1}}
	s.must(s.Photos.SavePhoto(ctx, 1, &p))
	s.want(s.Photos.SavePhoto(ctx, 2, &p), directory.ErrLeaseLost)
	got, err := s.Photos.Photo(ctx, ann.ID)
	if s.must(err); got.Digest != "d1" {
		s.Errorf("photo %+v", got)
	}
	gone, now := ann, s.Now()
	gone.Deleted = &now
	_, err = s.Users.UpdateUser(ctx, quiet, &ann, &gone)
	s.must(err)
	s.want(s.Photos.SavePhoto(ctx, 1, &p), directory.ErrNotFound)
	_, err = s.Photos.Photo(ctx, ann.ID)
	s.want(err, directory.ErrNotFound) // it went with the user

	due := []store.PhotoDue{{UserID: "usr_1", AccountID: "acc-1"}, {UserID: "usr_2", AccountID: "acc-2"}, {UserID: "usr_1", AccountID: "acc-1"}}
	s.must(s.Photos.AddPhotosDue(ctx, c.ID, 1, due))
	list, err := s.Photos.PhotosDue(ctx, c.ID, 1, 10)
	if s.must(err); len(list) != 2 || list[0] != due[0] {
		s.Errorf("due %v", list)
	}
	s.must(s.Photos.RemovePhotosDue(ctx, c.ID, 1, list[:1]))
	if list, err = s.Photos.PhotosDue(ctx, c.ID, 1, 10); err != nil || len(list) != 1 || list[0] != due[1] {
		s.Errorf("due after the removal: %v, %v", list, err)
	}
	plan := store.PhotoPlan{Epoch: 1, Day: 7}
	s.must(s.Photos.SavePhotoPlan(ctx, c.ID, &plan))
	if stored, err := s.Photos.PhotoPlan(ctx, c.ID); err != nil || stored.Day != 7 || stored.Version != plan.Version {
		s.Errorf("plan %+v, %v", stored, err)
	}
}
