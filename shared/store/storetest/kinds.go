package storetest

import (
	"fmt"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// lamp is an object of a kind that only this suite knows.
func lamp(n int) directory.Ref { return directory.Ref{Kind: "lamp", ID: fmt.Sprintf("l%02d", n)} }

func testKinds(s *suite) {
	ctx := s.Context()
	a, b := s.connection("a"), s.connection("b")
	ann := s.user("ann@a.example")
	s.bind(&a, ann)
	var list []store.Selection
	for i := range 10 {
		list = append(list, store.Selection{Object: lamp(i), Version: 1})
	}
	s.must(s.Bindings.Bind(ctx, quiet, &a, by.Subject, list))
	s.must(s.Bindings.Bind(ctx, quiet, &b, by.Subject, list[:3])) // through several connections, unlike a user
	s.want(s.Bindings.Bind(ctx, quiet, &a, by.Subject, list[:1]), directory.ErrStale)

	for kind, want := range map[directory.Kind]int{directory.KindAccount: 1, "lamp": 10, "": 10, "other": 0} {
		n := 0
		for cursor, first := "", true; first || cursor != ""; first = false {
			page, next, err := s.Bindings.ListBindings(ctx, kind, a.ID, 1, cursor, 4)
			s.must(err)
			cursor = next
			n += len(page)
		}
		if n != want {
			s.Errorf("%d bindings of the kind %q, want %d", n, kind, want)
		}
	}
	for prefix, want := range map[string]int{"": 10, "l0": 10, "l03": 1, "l1": 0} {
		n := 0
		for cursor, first := "", true; first || cursor != ""; first = false {
			page, next, err := s.Bindings.ListBindingsUnder(ctx, "lamp", prefix, a.ID, 1, cursor, 4)
			s.must(err)
			cursor = next
			n += len(page)
		}
		if n != want {
			s.Errorf("%d bindings of lamps whose IDs begin with %q, want %d", n, prefix, want)
		}
	}
	if n, err := s.Counters.BoundCount(ctx, a.ID, 1); err != nil || n != 1 {
		s.Errorf("%d users are counted, %v", n, err)
	}
	if n, with, err := s.Counters.BoundObjects(ctx, "lamp", a.ID, 1); err != nil || n != 10 || with != 0 {
		s.Errorf("%d lamps are counted, %d in the tenant, %v", n, with, err)
	}
	marked := map[directory.Ref]bool{}
	for cursor, first := "", true; first || cursor != ""; first = false {
		marks, next, err := s.Marks.ListMarks(ctx, a.ID, 1, cursor, 3)
		s.must(err)
		cursor = next
		for _, m := range marks {
			marked[m.Ref] = true
		}
	}
	if len(marked) != 11 || !marked[lamp(4)] || !marked[directory.AccountOf(ann.ID)] {
		s.Errorf("marked: %v", marked)
	}
}

func testKindJournal(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	s.must(s.Bindings.Bind(ctx, quiet, &c, by.Subject, []store.Selection{{Object: lamp(1), Version: 4}, {Object: lamp(2), Version: 1}}))
	l := s.lease(&c)
	r := s.run(&c)
	s.must(s.Runs.AppendChunk(ctx, &l, &r, []directory.Change{{Object: lamp(1), Effect: directory.EffectCreate}}))
	changes, _, err := s.Runs.Changes(ctx, &r, "", 10)
	if s.must(err); len(changes) != 1 || changes[0].Ref() != lamp(1) {
		s.Errorf("planned: %v", changes)
	}
	problem := directory.Problem{Code: "broken", Kind: directory.ProblemConflict, Since: s.Now()}
	lit := func(ref directory.Ref, claim directory.AccountID) store.BindingChange {
		return store.BindingChange{Ref: ref, Claim: claim, Mutate: func(b *directory.Binding) bool {
			b.AccountID, b.Applied, b.Problem = claim, b.Wanted, &problem
			b.Before = directory.Properties{"colour": directory.StringValue("red")}
			return true
		}}
	}
	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Run: &r, Refs: []directory.Ref{lamp(1)}, Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}},
		Bindings: []store.BindingChange{lit(lamp(1), "obj-1")}}))
	err = s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{lit(lamp(2), "OBJ-1")}})
	s.want(err, directory.ErrConflict) // one object of a tenant is one lamp's
	owners, err := s.Claims.ObjectOwners(ctx, "lamp", &c, []directory.AccountID{"obj-1", "obj-2"})
	if s.must(err); len(owners) != 1 || owners["obj-1"] != lamp(1) {
		s.Errorf("owners %v", owners)
	}
	accounts, err := s.Claims.AccountOwners(ctx, &c, []directory.AccountID{"obj-1"})
	if s.must(err); len(accounts) != 0 {
		s.Errorf("a lamp's object is an account of %v", accounts)
	}
	problems, _, err := s.Bindings.ListProblems(ctx, c.ID, 1, "broken", "", 10)
	if s.must(err); len(problems) != 1 || problems[0].Object != lamp(1) {
		s.Errorf("problems %v", problems)
	}
	activity, _, err := s.Audit.Activity(ctx, store.ActivityQuery{Object: lamp(1), Limit: 10})
	if s.must(err); len(activity) != 1 || activity[0].RunID != r.ID {
		s.Errorf("activity %v", activity)
	}

	s.must(s.Marks.MarkWanted(ctx, &c, lamp(1), 5, true))
	s.must(s.Marks.MarkWanted(ctx, &c, lamp(1), 5, true)) // known already
	urgent, _, err := s.Marks.UrgentMarks(ctx, c.ID, 1, "", 10)
	if s.must(err); len(urgent) != 0 { // nobody leaves: it is planned with all others
		s.Errorf("urgent %v", urgent)
	}
	marks, _, err := s.Marks.ListMarks(ctx, c.ID, 1, "", 10)
	if s.must(err); !slices.ContainsFunc(marks, func(m store.Mark) bool { return m.Ref == lamp(1) && !m.Urgent }) {
		s.Errorf("marks %v", marks)
	}
	s.must(s.Marks.MarkRecheck(ctx, &l, []directory.Ref{lamp(2)}, s.Now()))
	bound, err := s.Bindings.BindingsOf(ctx, c.ID, []directory.Ref{lamp(1), lamp(2), lamp(3)})
	if s.must(err); len(bound) != 2 || bound[lamp(1)].Wanted != 5 || !bound[lamp(2)].Recheck {
		s.Errorf("bindings %v", bound)
	}

	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{{Ref: lamp(1), Remove: true, Mutate: func(*directory.Binding) bool { return true }}}}))
	before, err := s.Bindings.BeforeImages(ctx, c.TenantID(), []directory.AccountID{"obj-1"}, []directory.Ref{lamp(1)})
	if s.must(err); before["obj-1"].Object != lamp(1) || len(before["obj-1"].Before) != 1 {
		s.Errorf("before-images %v", before)
	}
	if n, with, err := s.Counters.BoundObjects(ctx, "lamp", c.ID, 1); err != nil || n != 1 || with != 0 {
		s.Errorf("%d lamps are left, %d in the tenant, %v", n, with, err)
	}
	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{lit(lamp(2), "obj-1")}})) // free again
}

// testDeletedWithExport: which tenant group we deleted with the end of an export is known
// as long as Microsoft keeps it, also of one of whose creation nobody heard; and of no other
// end, no group that was there before us and none that others deleted.
func testDeletedWithExport(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	l := s.lease(&c)
	var refs []directory.Ref
	for _, tt := range []struct {
		policy      directory.ReleasePolicy
		made, heard bool
		deletedByUs bool
	}{
		{directory.ReleaseDelete, true, true, true},
		{directory.ReleaseDelete, false, true, true},
		{directory.ReleaseEmpty, true, true, true},
		{directory.ReleaseDelete, true, true, false},
		{directory.ReleaseDelete, false, false, true},
	} {
		ref := directory.GroupRef(directory.GroupID(fmt.Sprintf("grp_%d", len(refs))))
		refs = append(refs, ref)
		s.must(s.Bindings.Bind(ctx, quiet, &c, by.Subject, []store.Selection{{Object: ref, Version: 1}}))
		id := directory.AccountID("tenant-" + ref.ID)
		got := store.BindingChange{Ref: ref, Claim: id, Mutate: func(b *directory.Binding) bool {
			b.AccountID, b.Created, b.Release = id, tt.made, tt.policy
			return true
		}}
		if !tt.heard {
			got.Claim, id = "", ""
		}
		s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{got}}))
		end := store.BindingChange{Ref: ref, Remove: true, Mutate: func(*directory.Binding) bool { return true }}
		if tt.deletedByUs {
			end.Deleted = directory.AccountID("tenant-" + ref.ID)
		}
		s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{end}}))
	}
	deleted, err := s.Bindings.DeletedWithExport(ctx, c.TenantID(), refs)
	if s.must(err); len(deleted) != 2 || deleted[refs[0]] != "tenant-grp_0" || deleted[refs[4]] != "tenant-grp_4" {
		s.Errorf("deleted: %v", deleted)
	}
	if deleted, err = s.Bindings.DeletedWithExport(ctx, "another", refs); err != nil || len(deleted) != 0 {
		s.Errorf("in another tenant: %v, %v", deleted, err)
	}
	s.deletedAgain(&c, &l, refs[0], refs[4])
}

// deletedAgain has what is known of deletions be forgotten: of an export that has a tenant
// group again, and of one that ended without.
func (s *suite) deletedAgain(c *directory.Connection, l *store.Lease, restored, ended directory.Ref) {
	ctx := s.Context()
	steps := map[directory.Ref]store.BindingChange{
		restored: {Claim: "tenant-again", Mutate: func(b *directory.Binding) bool { b.AccountID = "tenant-again"; return true }},
		ended:    {Remove: true, Mutate: func(*directory.Binding) bool { return true }},
	}
	for ref, step := range steps {
		s.must(s.Bindings.Bind(ctx, quiet, c, by.Subject, []store.Selection{{Object: ref, Version: 1}}))
		step.Ref = ref
		s.must(s.Runs.Journal(ctx, l, c, store.Journal{Bindings: []store.BindingChange{step}}))
	}
	deleted, err := s.Bindings.DeletedWithExport(ctx, c.TenantID(), []directory.Ref{restored, ended})
	if s.must(err); len(deleted) != 0 {
		s.Errorf("still known as deleted: %v", deleted)
	}
}

// testKindShares: of kinds without objects of their own those records count that something
// is in the tenant by, from when it is until it is no more.
func testKindShares(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	l := s.lease(&c)
	yes, no := directory.BoolValue(true), directory.BoolValue(false)
	for _, tt := range []struct {
		ref   directory.Ref
		steps []directory.Properties
		want  []int
	}{
		{directory.MemberOf("grp_a", "usr_1"), []directory.Properties{{"sent": yes}, {directory.PropMember: yes}, {directory.PropMember: yes, "sent": yes}, {directory.PropMember: no}}, []int{0, 1, 1, 0}},
		{directory.ManagerOf("usr_1"), []directory.Properties{{directory.PropManager: directory.StringValue("a")}, {directory.PropManager: directory.StringValue("b")}, {directory.PropManager: directory.Null}}, []int{1, 1, 0}},
		{directory.LicenceOf("usr_1"), []directory.Properties{{"account": directory.StringValue("a"), "sent": yes}, {directory.LicenceProperty("e3"): yes}, {directory.LicenceProperty("e5"): yes}}, []int{0, 1, 1}},
	} {
		kind := tt.ref.Kind
		s.must(s.Bindings.Bind(ctx, quiet, &c, by.Subject, []store.Selection{{Object: tt.ref, Version: 1}}))
		for i, base := range tt.steps {
			s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{{Ref: tt.ref, Mutate: func(b *directory.Binding) bool {
				b.Base = base
				return true
			}}}}))
			if n, with, err := s.Counters.BoundObjects(ctx, kind, c.ID, 1); err != nil || n != 1 || with != tt.want[i] {
				s.Errorf("%s with %v: %d are counted, %d in the tenant, %v; want %d", kind, base, n, with, err, tt.want[i])
			}
		}
		s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{{Ref: tt.ref, Remove: true, Mutate: func(*directory.Binding) bool { return true }}}}))
		if n, with, err := s.Counters.BoundObjects(ctx, kind, c.ID, 1); err != nil || n != 0 || with != 0 {
			s.Errorf("%s: %d are left, %d in the tenant, %v", kind, n, with, err)
		}
	}
}
