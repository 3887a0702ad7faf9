package storetest

import (
	"context"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

// Unknowing is a table as a version has it that knows nothing of runs on the lease: it
// finds none there, puts none there, and does not note that it looks for them.
func Unknowing(t store.Table) store.Table { return unknowing{t} }

type unknowing struct{ store.Table }

// The names on the lease's item that such a version does not know.
var (
	unknownNumbers = []string{"knownFence", "runsFrom"}
	unknownString  = "openRun"
)

func (u unknowing) Get(ctx context.Context, key table.Key) (table.Item, error) {
	it, err := u.Table.Get(ctx, key)
	return unknown(it), err
}

func (u unknowing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := u.Table.Query(ctx, q)
	page.Items = slices.Clone(page.Items)
	for i, it := range page.Items {
		page.Items[i] = unknown(it)
	}
	return page, err
}

func (u unknowing) Write(ctx context.Context, writes ...table.Write) error {
	writes = slices.Clone(writes)
	for i, w := range writes {
		if w.Update == nil {
			continue
		}
		update := *w.Update
		update.SetNumbers = maps.Clone(update.SetNumbers)
		for _, name := range unknownNumbers {
			delete(update.SetNumbers, name)
		}
		if _, takes := update.SetNumbers["leaseUntil"]; takes {
			delete(update.SetNumbers, "liftedTo")
		}
		writes[i].Update = &update
	}
	return u.Table.Write(ctx, writes...)
}

// unknown is an item without what is not known of it.
func unknown(it table.Item) table.Item {
	it.Numbers, it.Strings = maps.Clone(it.Numbers), maps.Clone(it.Strings)
	for _, name := range unknownNumbers {
		delete(it.Numbers, name)
	}
	delete(it.Strings, unknownString)
	return it
}

// testOvertaken: a run that stands on the lease is known as overtaken once an older
// version has had the lease, to everybody who takes it, until it is ended; and none
// comes there for an hour.
func testOvertaken(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	older := store.New(Unknowing(s.table), store.Options{Now: s.Now})
	plan := func() []directory.Change {
		return []directory.Change{{UserID: "usr_1", Effect: directory.EffectUpdate}}
	}
	begin := func(l *store.Lease) store.RunRecord {
		s.Helper()
		s.pass(time.Second)
		r := s.draft(&c)
		s.must(s.Runs.BeginRun(ctx, l, &r, plan(), time.Minute))
		return r
	}
	s.pass(30 * time.Hour)
	l := s.lease(&c)
	r := begin(&l)
	if l.Run != r.ID || l.Overtaken || s.Now().Before(l.LiftedTo) {
		s.Fatalf("the lease has %q, overtaken %v, lifts until %v", l.Run, l.Overtaken, l.LiftedTo)
	}
	s.pass(2 * time.Minute)
	if l = s.lease(&c); l.Run != r.ID || l.Overtaken {
		s.Errorf("after the holder died the lease has %q, overtaken %v", l.Run, l.Overtaken)
	}

	s.pass(2 * time.Minute)
	old, _, err := older.Leases.AcquireLease(ctx, c.ID, "older", time.Minute)
	s.must(err)
	s.must(older.Leases.ReleaseLease(ctx, &old, store.RunEnd{}, false))
	for range 2 { // the first dies at once
		s.pass(2 * time.Minute)
		l = s.lease(&c)
		if l.Run != r.ID || !l.Overtaken {
			s.Errorf("after an older version the lease has %q, overtaken %v", l.Run, l.Overtaken)
		}
		if !s.Now().Before(l.LiftedTo) {
			s.Errorf("lifts of an older version are looked at until %v", l.LiftedTo)
		}
	}
	r, err = s.Runs.Run(ctx, r.ID)
	s.must(err)
	r.State, r.EndedAt = directory.RunSuperseded, s.Now()
	s.must(s.Runs.SaveRun(ctx, &l, &r))
	if s.wantOpen(&c); l.Run != "" || l.Overtaken {
		s.Errorf("the lease has %q, overtaken %v", l.Run, l.Overtaken)
	}
	if next := begin(&l); l.Run != "" {
		s.Errorf("%s stands on the lease although an older version may come back", next.ID)
	}
	s.pass(2 * time.Minute)
	s.lease(&c) // whoever ended the run did not know how long that was to be noted
	s.pass(2 * time.Hour)
	l = s.lease(&c)
	if next := begin(&l); l.Run != next.ID {
		s.Errorf("an hour later the lease has %q, want %s", l.Run, next.ID)
	}
}

// testGivenBackOnce: a lease that was given back is not given back again, and nothing is
// written under it; what was known of open runs goes when somebody makes one.
func testGivenBackOnce(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	none := func(what string, want bool) {
		s.Helper()
		l, _, err := s.Leases.PeekLease(ctx, c.ID)
		if s.must(err); l.NoneOpen() != want {
			s.Errorf("%s: no run is open: %v, want %v", what, l.NoneOpen(), want)
		}
	}
	s.pass(2 * time.Hour)
	l := s.lease(&c)
	end := store.RunEnd{NoneOpen: s.Now()}
	s.must(s.Leases.ReleaseLease(ctx, &l, end, false))
	none("given back", true)
	r := s.run(&c)
	none("a run was made", false)
	// Its holder has not heard that it was given back.
	s.must(s.Leases.ReleaseLease(ctx, &l, end, false))
	none("given back again", false)
	s.must(s.Leases.ReleaseLease(ctx, &l, end, true))
	none("given back by force", false)
	s.want(s.Leases.RenewLease(ctx, &l, time.Minute), directory.ErrLeaseLost)
	late := s.draft(&c)
	s.want(s.Runs.SaveRun(ctx, &l, &late), directory.ErrLeaseLost)
	s.want(s.Runs.BeginRun(ctx, &l, &late, nil, time.Minute), directory.ErrLeaseLost)
	s.wantOpen(&c, r.ID)

	// A wake-up that was seen to leaves nothing behind that counts once the lease is
	// given back by force.
	l = s.lease(&c)
	_, _, err := s.Leases.AcquireLease(ctx, c.ID, "other", time.Minute)
	s.want(err, store.ErrLeaseHeld)
	s.want(s.Leases.ReleaseLease(ctx, &l, end, false), store.ErrWanted)
	s.must(s.Leases.ReleaseLease(ctx, &l, end, true))
	none("wanted, and given back by force", false)
}

// testCountedBetween: what a holder counts whose time is over, between the next one's
// look and his take, is not lost.
func testCountedBetween(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	s.pass(2 * time.Hour)
	l := s.lease(&c)
	begin := func(l *store.Lease) store.RunRecord {
		s.Helper()
		s.pass(time.Second)
		r := s.draft(&c)
		s.must(s.Runs.BeginRun(ctx, l, &r, []directory.Change{{UserID: "usr_1", Effect: directory.EffectUpdate}}, time.Minute))
		return r
	}
	end := func(l *store.Lease, r store.RunRecord) {
		s.Helper()
		done := r
		done.State, done.EndedAt = directory.RunDone, s.Now()
		s.must(s.Runs.Journal(ctx, l, &c, store.Journal{Run: &r, End: &done, Tally: map[string]int{"applied/update": 1},
			Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}}}))
	}
	r := begin(&l)
	s.pass(2 * time.Minute)
	peeked, _, err := s.Leases.PeekLease(ctx, c.ID)
	s.must(err)
	end(&l, r)
	next, _, err := s.Leases.TakeLease(ctx, &peeked, "next", time.Minute)
	if s.must(err); next.Run != "" {
		s.Errorf("the next holder finds %s, which has ended", next.Run)
	}
	end(&next, begin(&next))
	if got := s.daysSum(&c, time.Time{}); got != 2 {
		s.Errorf("two changes were counted as %d", got)
	}

	// What it counts outlives the connection.
	_, _, err = s.Connections.DeactivateConnection(ctx, quiet, c.ID)
	s.must(err)
	s.must(s.Connections.DeleteConnection(ctx, quiet, c.ID))
	if got := s.daysSum(&c, time.Time{}); got != 2 {
		s.Errorf("of a deleted connection %d changes are counted", got)
	}
}

// daysSum is how many changes the days up to a time (zero: all) have.
func (s *suite) daysSum(c *directory.Connection, until time.Time) (n int) {
	s.Helper()
	days, err := s.Audit.Days(s.Context(), c.ID, time.Time{}, until)
	s.must(err)
	for _, d := range days {
		for _, states := range d.Counts {
			for _, k := range states {
				n += k
			}
		}
	}
	return n
}

// testDaysWhileCountsMove: counts that go from the lease to their day while the days are
// read are told once.
func testDaysWhileCountsMove(s *suite) {
	ctx := s.Context()
	between := &betweenReads{Table: s.table}
	s.Store = store.New(between, store.Options{Now: s.Now})
	c := s.connection("hq")
	var l store.Lease
	take := func() {
		var err error
		l, _, err = s.Leases.AcquireLease(ctx, c.ID, "suite", 72*time.Hour)
		s.must(err)
	}
	begin := func() store.RunRecord {
		r := s.draft(&c)
		s.must(s.Runs.BeginRun(ctx, &l, &r, []directory.Change{{UserID: "usr_1", Effect: directory.EffectUpdate}}, 72*time.Hour))
		if l.Run != r.ID {
			s.Fatalf("the lease has %q, want %s", l.Run, r.ID)
		}
		return r
	}
	end := func(r store.RunRecord, release func() *store.RunEnd) {
		done := r
		done.State, done.EndedAt = directory.RunDone, s.Now()
		s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Run: &r, End: &done, Release: release, Tally: map[string]int{"applied/update": 1},
			Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}}}))
		if l.Released != (release != nil) {
			s.Errorf("given back: %v", l.Released)
		}
	}
	take()
	s.pass(2 * time.Hour) // no older version is at work any more
	for _, release := range []func() *store.RunEnd{nil, func() *store.RunEnd { return &store.RunEnd{} }} {
		for _, before := range []bool{true, false} {
			end(begin(), nil)
			until := s.Now().Truncate(24*time.Hour).AddDate(0, 0, 1)
			want := s.daysSum(&c, until)
			s.pass(24 * time.Hour)
			r := begin()
			between.prefix, between.before, between.do = "day#", before, func() { end(r, release) }
			if got := s.daysSum(&c, until); got != want || between.do != nil {
				s.Errorf("counts that moved while the days were read (before: %v, with the lease given back: %v) are told as %d, want %d", before, release != nil, got, want)
			}
			if release == nil {
				s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{}, false))
			}
			take()
		}
	}
}

// betweenReads does something once before or after a query.
type betweenReads struct {
	store.Table
	prefix string
	before bool
	do     func()
}

func (b *betweenReads) Query(ctx context.Context, q table.Query) (table.Page, error) {
	do := b.do
	if do == nil || q.Prefix != b.prefix {
		return b.Table.Query(ctx, q)
	}
	b.do = nil
	if b.before {
		do()
		return b.Table.Query(ctx, q)
	}
	page, err := b.Table.Query(ctx, q)
	do()
	return page, err
}
