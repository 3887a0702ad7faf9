package storetest

import (
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// draft is a run that is not stored yet.
func (s *suite) draft(c *directory.Connection) store.RunRecord {
	return store.RunRecord{Run: directory.Run{ID: directory.NewRunID(s.Now()), ConnectionID: c.ID, Epoch: c.Epoch, Kind: directory.KindSync,
		State: directory.RunApplying, StartedAt: s.Now(), Counts: map[directory.Effect]int{directory.EffectUpdate: 1}}, Attempts: 1}
}

// wantOpen demands that runs are those that have not ended.
func (s *suite) wantOpen(c *directory.Connection, want ...directory.RunID) {
	s.Helper()
	open, err := s.Runs.OpenRuns(s.Context(), c.ID)
	s.must(err)
	if len(open) != len(want) {
		s.Fatalf("open runs: %v, want %v", open, want)
	}
	for i := range want {
		if open[i] != want[i] {
			s.Fatalf("open runs: %v, want %v", open, want)
		}
	}
}

// testDrafts: a run may come into the table with its plan, in one transaction.
func testDrafts(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	ann := s.user("ann@hq.example")
	plan := func() []directory.Change { return []directory.Change{{UserID: ann.ID, Effect: directory.EffectUpdate}} }
	lost := s.lease(&c)
	s.pass(2 * time.Minute)
	l := s.lease(&c)
	r := s.draft(&c)
	s.want(s.Runs.AppendChunk(ctx, &lost, &r, plan()), directory.ErrLeaseLost)
	if s.wantOpen(&c); r.Version != 0 || r.Chunks != 0 {
		s.Errorf("a run that was refused is at version %d with %d chunks", r.Version, r.Chunks)
	}
	again := r
	s.must(s.Runs.AppendChunk(ctx, &l, &r, plan()))
	s.want(s.Runs.AppendChunk(ctx, &l, &again, plan()), directory.ErrStale)
	s.wantOpen(&c, r.ID)
	read, err := s.Runs.Run(ctx, r.ID)
	if s.must(err); read.State != directory.RunApplying || read.Version != 1 || read.Chunks != 1 || read.Attempts != 1 {
		s.Errorf("the run is stored as %+v", read)
	}
	if listed, err := s.Runs.RunListed(ctx, r.ID); err != nil || !listed {
		s.Errorf("it is listed: %v, %v", listed, err)
	}
	changes, results, err := s.Runs.Chunk(ctx, r.ID, 0)
	if s.must(err); len(changes) != 1 || results != 0 || changes[0].ID == "" || changes[0].State != directory.ChangePlanned {
		s.Errorf("the plan is %+v with %d results", changes, results)
	}
	s.must(s.Runs.SaveRun(ctx, &l, &r)) // at the version that it has by now

	ended := s.draft(&c)
	ended.State, ended.EndedAt = directory.RunDone, s.Now()
	s.must(s.Runs.SaveRun(ctx, &l, &ended))
	s.wantOpen(&c, r.ID)
	if u, err := s.Chains.PendingLinkOf(ctx, c.ID, ended.ID); err != nil || u == nil || u.Facts != store.FactsSum(&ended.Run) {
		s.Errorf("the mark of a run that was stored when it had ended: %+v, %v", u, err)
	}
}

// testEndWithResults: a run may end in the transaction of its last results, unless
// somebody has decided about it meanwhile.
func testEndWithResults(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	ann := s.user("ann@hq.example")
	s.bind(&c, ann)
	l := s.lease(&c)
	journal := func(r *store.RunRecord, end bool) store.Journal {
		j := store.Journal{Run: r, Refs: []directory.Ref{directory.AccountOf(ann.ID)},
			Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}},
			Bindings: []store.BindingChange{{Ref: directory.AccountOf(ann.ID), Mutate: func(b *directory.Binding) bool {
				b.Applied, b.RunID = b.Wanted, r.ID
				return true
			}}}}
		if end {
			done := *r
			done.State, done.EndedAt = directory.RunDone, s.Now()
			j.End = &done
		}
		return j
	}
	planned := func() *store.RunRecord {
		s.pass(time.Second)
		r := s.draft(&c)
		s.must(s.Runs.AppendChunk(ctx, &l, &r, []directory.Change{{UserID: ann.ID, Effect: directory.EffectUpdate}}))
		return &r
	}

	r := planned()
	j := journal(r, true)
	s.must(s.Runs.Journal(ctx, &l, &c, j))
	s.wantOpen(&c)
	read, err := s.Runs.Run(ctx, r.ID)
	if s.must(err); read.State != directory.RunDone || read.Applied != 1 || read.Attempts != 0 || read.Version != j.End.Version {
		s.Errorf("the run has ended as %+v, at version %d in memory", read, j.End.Version)
	}
	if u, err := s.Chains.PendingLinkOf(ctx, c.ID, r.ID); err != nil || u == nil || u.Facts != store.FactsSum(&read.Run) {
		s.Errorf("the mark of its end: %+v, %v", u, err)
	}

	r = planned()
	cancelled, err := s.Runs.Run(ctx, r.ID)
	s.must(err)
	cancelled.State, cancelled.EndedAt = directory.RunCancelled, s.Now()
	s.must(s.Runs.DecideRun(ctx, by.AuditEvent(directory.AuditCancelRun), &cancelled))
	s.want(s.Runs.Journal(ctx, &l, &c, journal(r, true)), store.ErrRunMoved)
	if b, err := s.Bindings.Binding(ctx, ann.ID); err != nil || b.RunID == r.ID {
		s.Errorf("the refused journal changed the binding: %+v, %v", b, err)
	}
	s.must(s.Runs.Journal(ctx, &l, &c, journal(r, false)))
	if read, err = s.Runs.Run(ctx, r.ID); err != nil || read.State != directory.RunCancelled || read.Applied != 1 {
		s.Errorf("the cancelled run is %+v, %v", read, err)
	}

	r = planned()
	s.pass(2 * time.Minute)
	s.lease(&c)
	s.want(s.Runs.Journal(ctx, &l, &c, journal(r, true)), directory.ErrLeaseLost)
	s.wantOpen(&c, r.ID)
}

// testRunOnTheLease: a small run stands on the lease until it ends, or until something
// else than its plan is stored of it.
func testRunOnTheLease(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	ann := s.user("ann@hq.example")
	s.bind(&c, ann)
	plan := func() []directory.Change { return []directory.Change{{UserID: ann.ID, Effect: directory.EffectUpdate}} }
	lost := s.lease(&c)
	early := s.draft(&c)
	s.must(s.Runs.BeginRun(ctx, &lost, &early, plan(), time.Minute))
	if s.wantOpen(&c, early.ID); lost.Run != "" {
		s.Errorf("while an older version may be at work the lease has %q", lost.Run)
	}
	early.State, early.EndedAt = directory.RunDone, s.Now()
	s.must(s.Runs.SaveRun(ctx, &lost, &early))
	s.pass(2 * time.Hour) // none is any more
	l := s.lease(&c)
	begun := func() store.RunRecord {
		s.Helper()
		s.pass(time.Second)
		r := s.draft(&c)
		s.must(s.Runs.BeginRun(ctx, &l, &r, plan(), time.Minute))
		return r
	}

	r := s.draft(&c)
	s.want(s.Runs.BeginRun(ctx, &lost, &r, plan(), time.Minute), directory.ErrLeaseLost)
	if s.wantOpen(&c); r.Version != 0 || r.Chunks != 0 || lost.Run != "" {
		s.Errorf("a run that was refused is at version %d with %d chunks", r.Version, r.Chunks)
	}
	r = begun()
	s.wantOpen(&c, r.ID)
	if l.Run != r.ID || !l.Until.Equal(s.Now().Add(time.Minute)) {
		s.Errorf("the lease has %q, until %v", l.Run, l.Until)
	}
	if changes, _, err := s.Runs.Chunk(ctx, r.ID, 0); err != nil || len(changes) != 1 || r.Version != 1 {
		s.Errorf("the run is at version %d with the plan %v, %v", r.Version, changes, err)
	}

	// Another one finds no place on the lease.
	s.pass(time.Second)
	second := s.draft(&c)
	s.must(s.Runs.BeginRun(ctx, &l, &second, plan(), time.Minute))
	s.wantOpen(&c, r.ID, second.ID)
	if l.Run != r.ID {
		s.Errorf("the lease has %q", l.Run)
	}

	// Whoever takes the lease after the holder died finds it, also after one who died
	// without a word, and moves it to the list.
	for range 2 {
		s.pass(2 * time.Minute)
		l = s.lease(&c)
	}
	if under, err := s.Runs.OpenRunsUnder(ctx, &l); err != nil || len(under) != 2 || under[0] != r.ID || l.NoneOpen() {
		s.Errorf("the next holder finds %v, %v", under, err)
	}
	r, err := s.Runs.Run(ctx, r.ID)
	s.must(err)
	s.must(s.Runs.SaveRun(ctx, &l, &r))
	if s.wantOpen(&c, r.ID, second.ID); l.Run != "" {
		s.Errorf("the lease has %q", l.Run)
	}

	// It leaves with its last results.
	ended := begun()
	done := ended
	done.State, done.EndedAt = directory.RunDone, s.Now()
	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Run: &ended, End: &done, Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}}}))
	if s.wantOpen(&c, r.ID, second.ID); l.Run != "" {
		s.Errorf("the lease has %q", l.Run)
	}

	// One that an admin ended is taken off it by whoever has the lease.
	cancelled := begun()
	cancelled.State, cancelled.EndedAt = directory.RunCancelled, s.Now()
	s.must(s.Runs.DecideRun(ctx, by.AuditEvent(directory.AuditCancelRun), &cancelled))
	s.wantOpen(&c, r.ID, second.ID, cancelled.ID)
	s.must(s.Runs.CloseRun(ctx, &l, cancelled.ID))
	s.wantOpen(&c, r.ID, second.ID)

	// The renewal refuses what was changed meanwhile.
	c, err = s.Connections.ModifyConnection(ctx, quiet, c.ID, func(c *directory.Connection) error { c.Name = "head office"; return nil })
	s.must(err)
	late := s.draft(&c)
	s.want(s.Runs.BeginRun(ctx, &l, &late, plan(), time.Minute), store.ErrConnectionChanged)
	s.wantOpen(&c, r.ID, second.ID)
}

// testDaysOnTheLease: what runs on the lease come to is counted there, and goes to its
// day when a run of another day has ended.
func testDaysOnTheLease(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	s.pass(2 * time.Hour)
	l := s.lease(&c)
	ended := func(names ...string) {
		s.Helper()
		r := s.draft(&c)
		s.must(s.Runs.BeginRun(ctx, &l, &r, []directory.Change{{UserID: "usr_1", Effect: directory.EffectUpdate}}, time.Minute))
		done := r
		done.State, done.EndedAt = directory.RunDone, s.Now()
		tally := map[string]int{}
		for _, name := range names {
			tally[name]++
		}
		s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Run: &r, End: &done, Tally: tally, Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}}}))
	}
	days := func(since time.Time, want ...string) {
		s.Helper()
		list, err := s.Audit.Days(ctx, c.ID, since, time.Time{})
		s.must(err)
		var got []string
		for _, d := range list {
			n := 0
			for _, states := range d.Counts {
				for _, k := range states {
					n += k
				}
			}
			got = append(got, fmt.Sprint(d.Day, " ", n))
		}
		if !slices.Equal(got, want) {
			s.Errorf("days %v, want %v", got, want)
		}
	}
	first := s.Now()
	day := func() string { return s.Now().UTC().Format(time.DateOnly) }
	one := day()
	ended("applied/update")
	ended("applied/update")
	days(time.Time{}, one+" 2")
	s.pass(2 * time.Minute)
	l = s.lease(&c) // the next holder goes on from there
	ended("failed/update")
	days(time.Time{}, one+" 3")

	s.pass(24 * time.Hour)
	l = s.lease(&c)
	ended("applied/update")
	two := day()
	days(time.Time{}, one+" 3", two+" 1")
	days(first.AddDate(0, 0, 1), two+" 1")
	ended("a/1", "a/2", "a/3", "a/4", "a/5")
	days(time.Time{}, one+" 3", two+" 6")
	ended("applied/update")
	days(time.Time{}, one+" 3", two+" 7")
	// What other runs come to is added to the day itself.
	r := s.run(&c)
	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Run: &r, Tally: map[string]int{"applied/update": 1}, Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}}}))
	days(time.Time{}, one+" 3", two+" 8")
}
