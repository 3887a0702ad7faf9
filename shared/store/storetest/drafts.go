package storetest

import (
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
