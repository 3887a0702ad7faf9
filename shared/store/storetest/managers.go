package storetest

import (
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// exportsManagers has a connection write managers.
func (s *suite) exportsManagers(c *directory.Connection) {
	s.Helper()
	next, err := s.Connections.ModifyConnection(s.Context(), quiet, c.ID, func(c *directory.Connection) error {
		c.Settings.Manager.Export = true
		return nil
	})
	s.must(err)
	*c = next
}

// manages edits a user's manager.
func (s *suite) manages(u *directory.User, manager directory.UserID) {
	s.Helper()
	next := *u
	next.ManagerID = manager
	_, err := s.Users.UpdateUser(s.Context(), quiet, u, &next)
	s.must(err)
	*u = next
}

func (s *suite) manager(c *directory.Connection, u directory.User) directory.Binding {
	s.Helper()
	found, err := s.Bindings.BindingsOf(s.Context(), c.ID, []directory.Ref{directory.ManagerOf(u.ID)})
	s.must(err)
	return found[directory.ManagerOf(u.ID)]
}

func testManagerRecords(s *suite) {
	c := s.connection("hq")
	boss, ann, bob := s.user("boss@hq.example"), s.user("ann@hq.example"), s.user("bob@hq.example")
	s.bind(&c, boss, ann)
	s.manages(&ann, boss.ID)
	if b := s.manager(&c, ann); !b.Ref().IsZero() {
		s.Errorf("a connection that writes no managers has the record %+v", b)
	}
	s.exportsManagers(&c)
	s.manages(&ann, "")
	b := s.manager(&c, ann)
	if b.Wanted != ann.Version || !b.Marked || b.Epoch != c.Epoch || b.Applied != 0 {
		s.Errorf("after an edit the record is %+v", b)
	}
	s.pass(time.Second)
	s.manages(&ann, bob.ID)
	if b := s.manager(&c, ann); b.Wanted != ann.Version {
		s.Errorf("after another edit version %d is wanted, of %d", b.Wanted, ann.Version)
	}
	other := ann
	other.Department = "Sales"
	_, err := s.Users.UpdateUser(s.Context(), quiet, &ann, &other)
	if s.must(err); s.manager(&c, ann).Wanted != ann.Version {
		s.Error("the edit of a department marks the manager")
	}
	s.manages(&bob, boss.ID) // not bound
	if b := s.manager(&c, bob); !b.Ref().IsZero() {
		s.Errorf("who is not bound has the record %+v", b)
	}
	s.bind(&c, bob)
	if b := s.manager(&c, bob); b.Wanted != bob.Version || !b.Marked {
		s.Errorf("once bound the record is %+v", b)
	}
	if n, _, err := s.Counters.BoundObjects(s.Context(), directory.KindManager, c.ID, c.Epoch); err != nil || n != 2 {
		s.Errorf("%d records of managers are counted, %v", n, err)
	}

	list := []store.Selection{{Object: directory.ManagerOf(boss.ID), Version: 1}, {Object: directory.ManagerOf(bob.ID), Version: 99}}
	s.must(s.Bindings.BindMissing(s.Context(), &c, by.Subject, list))
	if s.manager(&c, boss).Wanted != 1 || s.manager(&c, bob).Wanted != bob.Version {
		s.Error("not just the missing record was made")
	}
	ended, _, err := s.Connections.DeactivateConnection(s.Context(), quiet, c.ID)
	s.must(err)
	s.want(s.Bindings.BindMissing(s.Context(), &c, by.Subject, []store.Selection{{Object: directory.ManagerOf("usr_x"), Version: 1}}), directory.ErrStale)
	again, err := s.Connections.ModifyConnection(s.Context(), quiet, ended.ID, func(c *directory.Connection) error {
		c.Status = directory.StatusActive
		return nil
	})
	s.must(err)
	s.must(s.Bindings.BindMissing(s.Context(), &again, by.Subject, list))
	if b := s.manager(&again, boss); b.Epoch != again.Epoch {
		s.Errorf("in the next epoch the record is %+v", b)
	}
}

func testLicencesMarked(s *suite) {
	c := s.connection("hq")
	ann := s.user("ann@hq.example")
	s.bind(&c, ann)
	ref := directory.LicenceOf(ann.ID)
	s.must(s.Bindings.BindMissing(s.Context(), &c, by.Subject, []store.Selection{{Object: ref, Version: 1}}))
	l := s.lease(&c)
	s.must(s.Runs.Journal(s.Context(), &l, &c, store.Journal{Bindings: []store.BindingChange{{Ref: ref, Mutate: func(b *directory.Binding) bool {
		b.Applied = 1
		return true
	}}}}))
	marked := func() bool {
		found, err := s.Bindings.BindingsOf(s.Context(), c.ID, []directory.Ref{ref})
		s.must(err)
		b := found[ref]
		return b.Marked && b.Recheck && b.Wanted == 1
	}
	next := ann
	next.Department = "Sales"
	_, err := s.Users.UpdateUser(s.Context(), quiet, &ann, &next)
	if s.must(err); marked() {
		s.Error("the edit of a department marks licences")
	}
	ann = next
	next.UsageLocation = "CH"
	_, err = s.Users.UpdateUser(s.Context(), quiet, &ann, &next)
	if s.must(err); !marked() {
		s.Error("the edit of a usageLocation does not mark licences")
	}
}

func testReports(s *suite) {
	boss, next := s.user("boss@hq.example"), s.user("next@hq.example")
	var want []directory.UserID
	for _, name := range []string{"a", "b", "c"} {
		u := s.user(name + "@hq.example")
		s.manages(&u, boss.ID)
		if name == "b" {
			s.manages(&u, next.ID)
			continue
		}
		want = append(want, u.ID)
	}
	var got []directory.UserID
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, next, err := s.Users.Reports(s.Context(), boss.ID, cursor, 1)
		s.must(err)
		cursor = next
		for _, u := range page {
			got = append(got, u.ID)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("the boss has the reports %v, want %v", got, want)
	}
	if list, _, err := s.Users.Reports(s.Context(), "", "", 10); err != nil || len(list) != 0 {
		s.Errorf("nobody has %v, %v", list, err)
	}
}

// testStaysBeside: what is kept of a user besides the account is looked at anew when the
// user is not let go after all, or deleted no more, since edits meanwhile were for nobody, and
// when a pause of the account ends.
func testStaysBeside(s *suite) {
	c := s.connection("hq")
	ann := s.user("ann@hq.example")
	s.bind(&c, ann)
	refs := []directory.Ref{directory.ManagerOf(ann.ID), directory.LicenceOf(ann.ID)}
	s.must(s.Bindings.BindMissing(s.Context(), &c, by.Subject, []store.Selection{{Object: refs[0], Version: 1}, {Object: refs[1], Version: 1}}))
	l := s.lease(&c)
	agree := func() {
		var list []store.BindingChange
		for _, ref := range refs {
			list = append(list, store.BindingChange{Ref: ref, Mutate: func(b *directory.Binding) bool {
				b.Applied, b.Recheck = b.Wanted, false
				b.Findings = append(b.Findings, directory.Problem{Code: "told"})
				return true
			}})
		}
		s.must(s.Runs.Journal(s.Context(), &l, &c, store.Journal{Bindings: list}))
	}
	looked := func() (n int) {
		found, err := s.Bindings.BindingsOf(s.Context(), c.ID, refs)
		s.must(err)
		for _, b := range found {
			if b.Marked && b.Recheck {
				n++
			}
		}
		return n
	}
	release := func(p directory.ReleasePolicy) {
		b, err := s.Bindings.Binding(s.Context(), ann.ID)
		s.must(err)
		b.Release = p
		s.must(s.Bindings.UpdateBinding(s.Context(), quiet, &b, true, false))
	}
	agree()
	release(directory.ReleaseBlock)
	agree()
	if n := looked(); n != 0 {
		s.Fatalf("%d records are looked at once agreed", n)
	}
	release("")
	if n := looked(); n != 2 {
		s.Errorf("of who is not let go after all, %d records are looked at", n)
	}
	for status, want := range map[directory.BindingStatus]int{directory.BindingPending: 2, directory.BindingPaused: 0} {
		for _, is := range []directory.BindingStatus{directory.BindingPaused, status} {
			agree()
			b, err := s.Bindings.Binding(s.Context(), ann.ID)
			s.must(err)
			b.Status = is
			s.must(s.Bindings.UpdateBinding(s.Context(), quiet, &b, true, false))
		}
		if n := looked(); n != want {
			s.Errorf("of whose account is %s after a pause, %d records are looked at, want %d", status, n, want)
		}
	}
	agree()
	gone, now := ann, s.now
	gone.Deleted = &now
	_, err := s.Users.UpdateUser(s.Context(), quiet, &ann, &gone)
	s.must(err)
	agree()
	back := gone
	back.Deleted = nil
	_, err = s.Users.UpdateUser(s.Context(), quiet, &gone, &back)
	s.must(err)
	if n := looked(); n != 2 {
		s.Errorf("of who is deleted no more, %d records are looked at", n)
	}
}
