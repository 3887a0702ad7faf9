package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

func testAddresses(s *suite) {
	ctx := s.Context()
	ann := s.user("ann@corp.example")
	made := s.atOnce(5, directory.ErrConflict, func(i int) error {
		twin := directory.User{ID: directory.NewUserID(s.Now())}
		twin.Email, twin.UserName, twin.State = "Bob@Corp.example", fmt.Sprintf("bob%d", i), directory.StateActive
		return s.Users.CreateUsers(ctx, quiet, &twin)
	})
	if made != 1 {
		s.Errorf("%d users got one address", made)
	}
	twin := directory.User{ID: directory.NewUserID(s.Now())}
	twin.Email, twin.UserName, twin.State = "ANN@corp.example", "other", directory.StateActive
	err := s.Users.CreateUsers(ctx, quiet, &twin)
	if taken, ok := errors.AsType[*store.AddressTaken](err); !ok || taken.Owner != ann.ID || taken.Field != "email" {
		s.Errorf("a taken address: %v", err)
	}

	moved := ann
	moved.Email, moved.UserName = "anna@corp.example", "anna@corp.example"
	_, err = s.Users.UpdateUser(ctx, quiet, &ann, &moved)
	s.must(err)
	late := ann
	_, err = s.Users.UpdateUser(ctx, quiet, &ann, &late)
	s.want(err, directory.ErrStale)
	owners, err := s.Users.UserIDsByEmail(ctx, []string{"ann@corp.example", "anna@corp.example"})
	if s.must(err); len(owners) != 1 || owners["anna@corp.example"] != ann.ID {
		s.Errorf("after the move: %v", owners)
	}

	gone, now := moved, s.Now()
	gone.Deleted = &now
	_, err = s.Users.UpdateUser(ctx, quiet, &moved, &gone)
	s.must(err)
	s.must(s.Users.CreateUsers(ctx, quiet, &twin))
	if n, err := s.Users.CountUsers(ctx); err != nil || n != 2 {
		s.Errorf("%d users, %v; want bob and the other one", n, err)
	}
}

func testUserList(s *suite) {
	const n = 60
	want := map[directory.UserID]bool{}
	for i := range n {
		want[s.user(fmt.Sprintf("u%d@corp.example", i)).ID] = true
	}
	seen := map[directory.UserID]bool{}
	for cursor := ""; ; {
		page, err := s.Users.ListUsers(s.Context(), cursor, 7, nil)
		s.must(err)
		if len(page.Users) > 7 {
			s.Fatalf("a page of %d users", len(page.Users))
		}
		for i := range page.Users {
			if seen[page.Users[i].ID] {
				s.Errorf("%s is listed twice", page.Users[i].ID)
			}
			seen[page.Users[i].ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(seen) != len(want) {
		s.Errorf("%d users are listed, want %d", len(seen), n)
	}
	_, err := s.Users.ListUsers(s.Context(), "99:x", 7, nil)
	s.want(err, directory.ErrInvalid)
}

func testEditsMark(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	ann, bob := s.user("ann@hq.example"), s.user("bob@hq.example")
	s.bind(&c, ann, bob)
	marks, _, err := s.Marks.ListMarks(ctx, c.ID, c.Epoch, "", 10)
	if s.must(err); len(marks) != 2 {
		s.Errorf("marks after binding: %v", marks)
	}
	s.pass(time.Second)
	off := ann
	off.State = directory.StateSuspended
	conn, err := s.Users.UpdateUser(ctx, quiet, &ann, &off)
	if s.must(err); conn != c.ID {
		s.Errorf("the edit has work for %q", conn)
	}
	urgent, _, err := s.Marks.UrgentMarks(ctx, c.ID, c.Epoch, "", 10)
	if s.must(err); len(urgent) != 1 || urgent[0].Ref != directory.AccountOf(ann.ID) {
		s.Errorf("urgent marks: %v", urgent)
	}
	b, err := s.Bindings.Binding(ctx, ann.ID)
	if s.must(err); b.Wanted != off.Version || !b.Dirty() {
		s.Errorf("binding %+v", b)
	}
	l := s.lease(&c)
	sums, err := s.Bindings.BindingSummaries(ctx, &l, directory.AccountsOf([]directory.UserID{ann.ID, bob.ID}))
	if s.must(err); len(sums) != 2 || sums[directory.AccountOf(bob.ID)].Settled {
		s.Errorf("summaries %v", sums)
	}
}

func testOneBinding(s *suite) {
	ctx := s.Context()
	a, b := s.connection("a"), s.connection("b")
	ann := s.user("ann@a.example")
	conns := []*directory.Connection{&a, &b, &a, &b}
	if n := s.atOnce(len(conns), directory.ErrStale, func(i int) error {
		return s.Bindings.Bind(ctx, quiet, conns[i], by.Subject, []store.Selection{{User: &ann}})
	}); n != 1 {
		s.Errorf("%d bindings of one user", n)
	}
	bound, err := s.Bindings.Binding(ctx, ann.ID)
	s.must(err)
	n, err := s.Counters.BoundCount(ctx, bound.ConnectionID, 1)
	if s.must(err); n != 1 {
		s.Errorf("%d are counted", n)
	}
	conn := a
	if bound.ConnectionID == b.ID {
		conn = b
	}
	bound.Version++
	s.want(s.Bindings.Retract(ctx, quiet, nil, &conn, &bound), directory.ErrStale)
	bound.Version--
	s.must(s.Bindings.Retract(ctx, quiet, nil, &conn, &bound))
	_, err = s.Bindings.Binding(ctx, ann.ID)
	s.want(err, directory.ErrNotFound)
}

func testMove(s *suite) {
	ctx := s.Context()
	from, to := s.connection("from"), s.connection("to")
	ann := s.user("ann@from.example")
	s.bind(&from, ann)
	b, err := s.Bindings.Binding(ctx, ann.ID)
	s.must(err)
	moved := ann
	moved.Email = "ann@to.example"
	s.must(s.Bindings.MoveNow(ctx, quiet, &from, &to, &ann, &moved, &b, by.Subject))
	next, err := s.Bindings.Binding(ctx, ann.ID)
	if s.must(err); next.ConnectionID != to.ID || next.MovedFrom != from.ID || next.Wanted != moved.Version {
		s.Errorf("moved to %+v", next)
	}
	for id, want := range map[directory.ConnectionID]int{from.ID: 0, to.ID: 1} {
		if n, err := s.Counters.BoundCount(ctx, id, 1); err != nil || n != want {
			s.Errorf("%d are bound through %s, %v; want %d", n, id, err, want)
		}
	}
	s.want(s.Bindings.MoveNow(ctx, quiet, &from, &to, &ann, &moved, &b, by.Subject), directory.ErrStale)
}

func testSweep(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	var users []directory.User
	for i := range 30 {
		users = append(users, s.user(fmt.Sprintf("u%d@hq.example", i)))
	}
	for part := range slices.Chunk(users, store.MaxBind) {
		s.bind(&c, part...)
	}
	lamp := directory.Ref{Kind: "lamp", ID: "l1"}
	s.must(s.Bindings.Bind(ctx, quiet, &c, by.Subject, []store.Selection{{Object: lamp, Version: 1}}))
	gone, did, err := s.Connections.DeactivateConnection(ctx, quiet, c.ID)
	if s.must(err); !did || gone.Epoch != 2 {
		s.Fatalf("deactivated: %v, epoch %d", did, gone.Epoch)
	}
	moved := 0
	for more := true; more; {
		var n int
		n, more, err = s.Bindings.Sweep(ctx, &gone, c.TenantID(), 1)
		s.must(err)
		moved += n
	}
	if moved != 31 {
		s.Errorf("%d bindings are swept, want 31", moved)
	}
	former, _, err := s.Bindings.Former(ctx, c.ID, "", 100)
	if s.must(err); len(former) != 30 {
		s.Errorf("%d users are former, want 30", len(former))
	}
	left, err := s.Bindings.BindingsOf(ctx, c.ID, []directory.Ref{lamp, directory.AccountOf(users[0].ID)})
	if s.must(err); len(left) != 0 {
		s.Errorf("left: %v", left)
	}
}

// testOlderRecords reads what versions wrote that knew no kind but accounts.
func testOlderRecords(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	s.must(s.table.Write(ctx,
		table.Write{Put: &table.Item{
			Key:    table.Key{Partition: "U#usr_old", Sort: "binding"},
			Index1: table.Key{Partition: "B#" + string(c.ID) + "#1#a", Sort: "usr_old"},
			Index2: table.Key{Partition: "M#" + string(c.ID) + "#1#u", Sort: fmt.Sprintf("%013d#usr_old", s.Now().UnixMilli())}, Version: 3,
			Numbers: map[string]int64{"epoch": 1, "wanted": 2, "applied": 1, "marked": s.Now().UnixMilli(), "urgent": 1},
			Strings: map[string]string{"connection": string(c.ID), "account": "acc-1", "status": "pending"},
			Body:    []byte(`{"userId":"usr_old","connectionId":"` + string(c.ID) + `","epoch":1,"accountId":"acc-1","status":"pending","wanted":2,"applied":1,"selectedAt":"2026-01-01T00:00:00Z","version":3}`),
		}},
		table.Write{Put: &table.Item{
			Key: table.Key{Partition: "A#tenant-hq#acc-1", Sort: "before"}, Expires: s.Now().Add(time.Hour),
			Body: []byte(`{"userId":"usr_old","accountId":"acc-1","created":true}`),
		}},
		table.Write{Put: &table.Item{
			Key:  table.Key{Partition: "X#" + string(c.ID) + "#1", Sort: "taken#usr_old"},
			Body: []byte(`{"userId":"usr_old","status":"conflict","problem":{"code":"taken"}}`),
		}}))
	ref := directory.AccountOf("usr_old")
	b, err := s.Bindings.Binding(ctx, "usr_old")
	if s.must(err); b.Ref() != ref || b.Agreed != 1 || b.Version != 3 {
		s.Errorf("binding %+v", b)
	}
	marks, _, err := s.Marks.UrgentMarks(ctx, c.ID, 1, "", 10)
	if s.must(err); len(marks) != 1 || marks[0].Ref != ref {
		s.Errorf("marks %v", marks)
	}
	before, err := s.Bindings.BeforeImages(ctx, "tenant-hq", []directory.AccountID{"acc-1"}, []directory.Ref{ref})
	if s.must(err); !before["acc-1"].Created {
		s.Errorf("before-images %v", before)
	}
	problems, _, err := s.Bindings.ListProblems(ctx, c.ID, 1, "taken", "", 10)
	if s.must(err); len(problems) != 1 || problems[0].UserID != "usr_old" || !problems[0].Object.IsZero() {
		s.Errorf("problems %v", problems)
	}
	l := s.lease(&c)
	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{{Ref: ref, Mutate: func(b *directory.Binding) bool {
		b.Applied, b.Status = b.Wanted, directory.BindingInSync
		return true
	}}}}))
	sums, err := s.Bindings.BindingSummaries(ctx, &l, []directory.Ref{ref})
	if s.must(err); !sums[ref].Settled || sums[ref].AccountID != "acc-1" {
		s.Errorf("summary %+v", sums[ref])
	}
}
