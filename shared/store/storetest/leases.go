package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

// older does to a connection what versions did that had the lease on the
// connection's item: the same writes under the same conditions.
type older struct {
	*suite
	table store.Table
	id    directory.ConnectionID
}

// olderConnection brings a new connection into their form.
func (s *suite) olderConnection(name string) (directory.Connection, older) {
	s.Helper()
	c := s.connection(name)
	o := older{s, s.table, c.ID}
	it := o.item()
	delete(it.Numbers, "leaseUntil")
	lease := o.leaseKey()
	s.must(s.table.Write(s.Context(), table.Write{Put: &it}, table.Write{Delete: &lease}))
	return c, o
}

func (o *older) key() table.Key { return table.Key{Partition: "C#" + string(o.id), Sort: "connection"} }

func (o *older) leaseKey() table.Key {
	return table.Key{Partition: "C#" + string(o.id), Sort: "connection#lease"}
}

func (o *older) item() table.Item {
	o.Helper()
	it, err := o.table.Get(o.Context(), o.key())
	o.must(err)
	return it
}

// same tests that a number is as read, or still missing.
func same(it table.Item, name string) table.Test {
	if n, there := it.Numbers[name]; there {
		return table.NumberIs(name, table.Equal, n)
	}
	return table.Test{Number: name, Op: table.IsMissing}
}

// outcome turns a refusal into an error of one's own.
func outcome(err, refused error) error {
	if _, is := errors.AsType[*table.ConditionError](err); is {
		return refused
	}
	return err
}

// acquire takes the lease as an older version does. It returns the fence.
func (o *older) acquire(ttl time.Duration) (int64, error) {
	it := o.item()
	fence, until, now := it.Numbers["fence"], it.Numbers["leaseUntil"], o.Now()
	if until > now.UnixMilli() {
		err := o.table.Write(o.Context(), table.Write{
			Update: &table.Update{Key: o.key(), SetNumbers: map[string]int64{"wanted": 1}},
			If:     table.When(table.NumberIs("fence", table.Equal, fence), table.NumberIs("leaseUntil", table.AtLeast, until)),
		})
		return 0, errors.Join(err, store.ErrLeaseHeld)
	}
	err := o.table.Write(o.Context(), table.Write{
		Update: &table.Update{Key: o.key(), SetStrings: map[string]string{"holder": "older"},
			SetNumbers: map[string]int64{"fence": fence + 1, "leaseUntil": now.Add(ttl).UnixMilli(), "wanted": 0}},
		If: table.When(table.NumberIs("epoch", table.Equal, it.Numbers["epoch"]), table.VersionIs(it.Version), same(it, "fence"), same(it, "leaseUntil")),
	})
	return fence + 1, outcome(err, store.ErrLeaseHeld)
}

// underLease writes as a holder of an older version does: a renewal, or what
// follows from a decision.
func (o *older) underLease(fence int64, u table.Update) error {
	u.Key = o.key()
	err := o.table.Write(o.Context(), table.Write{Update: &u, If: table.When(table.NumberIs("fence", table.Equal, fence), table.NumberIs("epoch", table.Equal, 1))})
	return outcome(err, directory.ErrLeaseLost)
}

func (o *older) renew(fence int64, ttl time.Duration) error {
	return o.underLease(fence, table.Update{SetNumbers: map[string]int64{"leaseUntil": o.Now().Add(ttl).UnixMilli()}})
}

// endEpoch deactivates as an older version does.
func (o *older) endEpoch() {
	o.Helper()
	it := o.item()
	o.must(o.table.Write(o.Context(), table.Write{
		Update: &table.Update{
			Key: o.key(), AddVersion: 1, SetNumbers: map[string]int64{"epoch": it.Numbers["epoch"] + 1}, AddNumbers: map[string]int64{"fence": 1},
			RemoveNumbers: []string{"leaseUntil", "wanted", "fullAt", "users"}, RemoveStrings: []string{"link", "holder", "settled"},
			SetStrings: map[string]string{"status": string(directory.StatusDeactivated)},
		},
		If: table.When(table.VersionIs(it.Version)),
	}))
}

// edit stores the connection's record once more as an older version does.
func (o *older) edit() {
	o.Helper()
	it := o.item()
	o.must(o.table.Write(o.Context(), table.Write{
		Update: &table.Update{Key: o.key(), AddVersion: 1}, If: table.When(table.VersionIs(it.Version), same(it, "epoch"))}))
}

// free gives the connection back to older versions, as OPERATIONS.md says for a
// roll-back.
func (o *older) free() {
	o.Helper()
	o.must(o.table.Write(o.Context(), table.Write{Update: &table.Update{Key: o.key(),
		SetNumbers: map[string]int64{"leaseUntil": 0}, AddNumbers: map[string]int64{"fence": 1}}}))
}

// testLeaseMoves takes the lease of a connection in the older form.
func testLeaseMoves(s *suite) {
	ctx := s.Context()
	c, o := s.olderConnection("hq")
	ended := s.Now().Add(-time.Hour)
	s.must(s.table.Write(ctx, table.Write{Update: &table.Update{Key: o.key(),
		SetNumbers: map[string]int64{"fence": 6, "leaseUntil": 0, "users": 7, "fullAt": ended.UnixMilli(), "lastRunAt": ended.UnixMilli(), "lastGoodAt": ended.UnixMilli()},
		SetStrings: map[string]string{"link": `{"link":"next","epoch":1}`, "settled": "digest", "lastRun": "run_1", "lastState": "done"}}}))
	before, got, err := s.Leases.PeekLease(ctx, c.ID)
	if s.must(err); before.Link.Link != "next" || before.Users != 7 || got.LastRun == nil || got.LastRun.ID != "run_1" {
		s.Errorf("in the older form: %+v of %+v", before, got)
	}

	// Whoever holds it in that form is respected, and told.
	fence, err := o.acquire(time.Minute)
	s.must(err)
	_, _, err = s.Leases.AcquireLease(ctx, c.ID, "newer", time.Minute)
	s.want(err, store.ErrLeaseHeld)
	if it := o.item(); it.Numbers["wanted"] != 1 {
		s.Error("the holder of the older form was not told")
	}
	s.want(s.Leases.RecordNoOp(ctx, before, store.ReadLink{Link: "x"}, s.Now()), directory.ErrLeaseLost) // nor is its link
	s.must(o.renew(fence, time.Minute))
	s.pass(2 * time.Minute) // it has died

	l, got, err := s.Leases.AcquireLease(ctx, c.ID, "newer", time.Minute)
	if s.must(err); l.Fence != fence+1 || l.Link.Link != "next" || l.Users != 7 || l.Settled != "digest" || !l.FullAt.Equal(ended) || got.LastRun == nil || got.LastRun.ID != "run_1" {
		s.Errorf("moved: %+v of %+v", l, got)
	}
	s.want(o.renew(fence, time.Minute), directory.ErrLeaseLost) // it was frozen
	_, err = o.acquire(time.Minute)
	s.want(err, store.ErrLeaseHeld)
	s.must(s.Leases.RenewLease(ctx, &l, time.Minute))
	s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{State: directory.RunDone, At: s.Now()}, true))
	_, err = o.acquire(time.Minute) // nor when nobody has it
	s.want(err, store.ErrLeaseHeld)
	if list, _, err := s.Connections.ListConnections(ctx, "", 0); err != nil || len(list) != 1 || !list[0].LastRun.EndedAt.Equal(s.Now()) {
		s.Errorf("listed as %+v, %v", list, err)
	}
	if list, _, err := s.Schedule.ScheduledConnections(ctx, "", 0); err != nil || len(list) != 1 || !list[0].LeaseUntil.IsZero() || list[0].Link.Link != "next" {
		s.Errorf("the schedule reads %+v, %v", list, err)
	}
}

// testLeaseMixed has both versions at work at once.
func testLeaseMixed(s *suite) {
	ctx := s.Context()
	c, o := s.olderConnection("hq")
	l := s.lease(&c)

	// Settings that an older version has changed end the slice, and are read then.
	o.edit()
	s.want(s.Leases.RenewLease(ctx, &l, time.Minute), store.ErrConnectionChanged)
	s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{}, false))
	l, got, err := s.Leases.AcquireLease(ctx, c.ID, "newer", time.Minute)
	if s.must(err); got.Version != 2 || l.Version != 2 {
		s.Errorf("acquired version %d as %d", got.Version, l.Version)
	}
	s.must(s.Leases.RenewLease(ctx, &l, time.Minute))

	// A wake-up that reaches an older version is not lost; where it looks again when the
	// lease has run out, it computes with a time far ahead.
	_, err = o.acquire(time.Minute)
	s.want(err, store.ErrLeaseHeld)
	if wait := time.UnixMilli(o.item().Numbers["leaseUntil"]).Sub(s.Now()) + time.Second; wait < time.Hour {
		s.Errorf("the older version looks again in %s", wait)
	}
	s.must(s.Leases.RenewLease(ctx, &l, time.Minute))
	s.want(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{}, false), store.ErrWanted)
	s.must(s.Leases.RenewLease(ctx, &l, time.Minute))
	s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{}, false))
	l = s.lease(&c)

	// What it deactivates gets no request any more.
	o.endEpoch()
	s.want(s.Leases.RenewLease(ctx, &l, time.Minute), directory.ErrLeaseLost)
	peek, got, err := s.Leases.PeekLease(ctx, c.ID)
	if s.must(err); got.Epoch != 2 || got.Status != directory.StatusActive && got.Status != directory.StatusDeactivated || peek.Link.Link != "" || !peek.Until.IsZero() {
		s.Errorf("after an older version's deactivation: %+v of %+v", peek, got)
	}
	next := s.lease(&c)
	if next.Epoch != 2 || next.Fence <= l.Fence {
		s.Errorf("the next lease %+v, after %+v", next, l)
	}
	s.want(s.Leases.RenewLease(ctx, &l, time.Minute), directory.ErrLeaseLost)
	s.must(s.Leases.RenewLease(ctx, &next, time.Minute))

	// A new connection is as one that was moved.
	c2 := s.connection("branch")
	o2 := older{s, s.table, c2.ID}
	_, err = o2.acquire(time.Minute)
	s.want(err, store.ErrLeaseHeld)
	l2 := s.lease(&c2)
	o2.endEpoch()
	s.want(s.Leases.RenewLease(ctx, &l2, time.Minute), directory.ErrLeaseLost)

	// Long after the deployment nobody looks for older versions any more.
	l = s.lease(&c2)
	s.pass(25 * time.Hour)
	l = s.lease(&c2)
	reads := s.counted(func(st *store.Store) { s.must(st.Leases.RenewLease(ctx, &l, time.Minute)) })
	if reads != 0 {
		s.Errorf("a renewal reads %d times", reads)
	}
}

// testLeaseRolledBack gives a connection back to an older version, and takes it
// once more.
func testLeaseRolledBack(s *suite) {
	ctx := s.Context()
	c, o := s.olderConnection("hq")
	s.must(s.table.Write(ctx, table.Write{Update: &table.Update{Key: o.key(),
		SetNumbers: map[string]int64{"users": 7, "settledVersion": 1}, SetStrings: map[string]string{"settled": "digest"}}}))
	l := s.lease(&c)
	s.must(s.Leases.SaveLink(ctx, &l, store.ReadLink{Link: "newer"}))
	s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{}, true))
	s.pass(48 * time.Hour)
	free := func() { // and forward again at once, when it was not needed
		o.free()
		again := s.lease(&c)
		s.want(s.Leases.RenewLease(ctx, &l, time.Minute), directory.ErrLeaseLost)
		if _, err := o.acquire(time.Minute); !errors.Is(err, store.ErrLeaseHeld) {
			s.Errorf("an older version that is still at work takes the lease too: %v", err)
		}
		reads := s.counted(func(st *store.Store) { s.must(st.Leases.RenewLease(ctx, &again, time.Minute)) })
		if reads != 1 {
			s.Errorf("a renewal after going forward reads %d times", reads)
		}
		s.must(s.Leases.SaveLink(ctx, &again, store.ReadLink{Link: "newer"}))
		s.must(s.Leases.ReleaseLease(ctx, &again, store.RunEnd{}, true))
	}
	free()
	o.free()
	fence, err := o.acquire(time.Minute)
	s.must(err)
	if it := o.item(); it.Numbers["users"] != 7 || it.Strings["settled"] != "digest" {
		s.Errorf("the older version's guard has nothing to compare with: %+v", it)
	}
	s.must(o.underLease(fence, table.Update{SetStrings: map[string]string{"link": `{"link":"older","epoch":1}`}}))
	_, _, err = s.Leases.AcquireLease(ctx, c.ID, "newer", time.Minute)
	s.want(err, store.ErrLeaseHeld)
	s.must(o.underLease(fence, table.Update{SetNumbers: map[string]int64{"leaseUntil": 0}}))
	again := s.lease(&c)
	if again.Fence <= fence || again.Link.Link != "older" {
		s.Errorf("after the roll-back: %+v, want a fence above %d and the older version's link", again, fence)
	}
	s.want(o.renew(fence, time.Minute), directory.ErrLeaseLost)
	s.want(s.Leases.RenewLease(ctx, &l, time.Minute), directory.ErrLeaseLost)
	s.must(s.Leases.RenewLease(ctx, &again, time.Minute))
}

// testNoneOpen says when nobody needs to list the open runs.
func testNoneOpen(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	known := func() bool {
		s.Helper()
		l, _, err := s.Leases.PeekLease(ctx, c.ID)
		s.must(err)
		return l.NoneOpen()
	}
	end := func(l *store.Lease, at time.Time) {
		s.Helper()
		s.must(s.Leases.ReleaseLease(ctx, l, store.RunEnd{NoneOpen: at}, false))
	}
	l := s.lease(&c)
	end(&l, s.Now())
	if known() {
		s.Error("an older version may make a run unseen")
	}
	s.pass(2 * time.Hour)
	l = s.lease(&c)
	if end(&l, time.Time{}); known() {
		s.Error("known although the holder did not look")
	}
	l = s.lease(&c)
	if end(&l, s.Now()); !known() {
		s.Error("not known right after the holder has said so")
	}
	l = s.lease(&c)
	if !l.NoneOpen() || known() {
		s.Error("the next holder is not told, or a holder that may die leaves it behind")
	}
	end(&l, s.Now())
	r := s.run(&c) // by an admin
	if known() {
		s.Error("a run is open")
	}
	l = s.lease(&c)
	if l.NoneOpen() {
		s.Error("a run is open, and the holder not told")
	}
	r2 := r
	r2.ID = directory.NewRunID(s.Now().Add(time.Second))
	s.must(s.Runs.CreateRun(ctx, quiet, &r2))
	s.want(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{NoneOpen: s.Now()}, false), store.ErrWanted)
	s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{NoneOpen: s.Now()}, true))
	if known() {
		s.Error("a run came while the lease was held")
	}
	l = s.lease(&c)
	s.must(s.Runs.SaveRun(ctx, &l, &store.RunRecord{Run: directory.Run{ID: directory.NewRunID(s.Now().Add(2 * time.Second)), ConnectionID: c.ID, Epoch: 1}}))
	end(&l, s.Now()) // the holder's own runs are its own to know
	l = s.lease(&c)
	s.must(s.Leases.SaveLink(ctx, &l, store.ReadLink{Link: "next"}))
	end(&l, time.Time{})
	peek, _, err := s.Leases.PeekLease(ctx, c.ID)
	s.must(err)
	s.must(s.Leases.RecordNoOp(ctx, peek, store.ReadLink{Link: "later"}, s.Now()))
	if !known() {
		s.Error("not known after a look without the lease")
	}
	s.pass(50 * time.Minute)
	if peek, _, err = s.Leases.PeekLease(ctx, c.ID); err != nil || !peek.NoneOpen() {
		s.Errorf("not known any more: %v", err)
	}
	s.must(s.Leases.RecordNoOp(ctx, peek, store.ReadLink{Link: "more"}, s.Now()))
	if s.pass(20 * time.Minute); known() {
		s.Error("known for longer than an hour since somebody looked")
	}
	frozen := s.lease(&c)
	s.pass(2 * time.Minute)
	s.lease(&c)
	s.want(s.Runs.SaveRun(ctx, &frozen, &store.RunRecord{Run: directory.Run{ID: directory.NewRunID(s.Now()), ConnectionID: c.ID, Epoch: 1}}), directory.ErrLeaseLost)
}

// testLeaseRepaired works with a lease whose item says more than the connection's,
// as after a restore or a repair by hand.
func testLeaseRepaired(s *suite) {
	ctx := s.Context()
	for _, name := range []string{"connFence", "connVersion"} {
		c := s.connection(name)
		o := older{s, s.table, c.ID}
		s.must(s.table.Write(ctx, table.Write{Update: &table.Update{Key: o.leaseKey(), SetNumbers: map[string]int64{name: 7}}}))
		if got, err := s.Connections.Connection(ctx, c.ID); err != nil || got.Version != c.Version {
			s.Errorf("%s: read as %+v, %v", name, got, err)
		}
		l := s.lease(&c)
		s.must(s.Leases.RenewLease(ctx, &l, time.Minute))
		lease, err := s.table.Get(ctx, o.leaseKey())
		if s.must(err); lease.Numbers["connFence"] != o.item().Numbers["fence"] || lease.Numbers["connVersion"] != o.item().Version {
			s.Errorf("%s: still apart: %+v of %+v", name, lease, o.item())
		}
		_, err = s.Connections.ModifyConnection(ctx, quiet, c.ID, func(*directory.Connection) error { return nil })
		s.must(err)
		s.want(s.Leases.RenewLease(ctx, &l, time.Minute), store.ErrConnectionChanged)
	}
}

// testLastSuccess has a run that fails after one that found nothing to do.
func testLastSuccess(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	l := s.lease(&c)
	s.must(s.Leases.SaveLink(ctx, &l, store.ReadLink{Link: "next"}))
	s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{State: directory.RunDone, At: s.Now()}, false))
	s.pass(time.Hour)
	peek, _, err := s.Leases.PeekLease(ctx, c.ID)
	s.must(err)
	good := s.Now()
	s.must(s.Leases.RecordNoOp(ctx, peek, store.ReadLink{Link: "later"}, good))
	s.pass(time.Hour)
	l = s.lease(&c)
	s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{State: directory.RunFailed, At: s.Now()}, false))
	got, err := s.Connections.Connection(ctx, c.ID)
	if s.must(err); got.LastRun.State != directory.RunFailed || !got.LastRun.EndedAt.Equal(s.Now()) || !got.LastRun.SucceededAt.Equal(good) {
		s.Errorf("the last run %+v, want a failed one, and the last success at %s", got.LastRun, good)
	}
}

// testLeaseMirrors edits and deactivates connections under their leases.
func testLeaseMirrors(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	for range 3 {
		l, got, err := s.Leases.AcquireLease(ctx, c.ID, "holder", time.Minute)
		s.must(err)
		s.must(s.Leases.RenewLease(ctx, &l, time.Minute))
		next, err := s.Connections.ModifyConnection(ctx, quiet, c.ID, func(c *directory.Connection) error { c.Name += "+"; return nil })
		s.must(err)
		s.want(s.Leases.RenewLease(ctx, &l, time.Minute), store.ErrConnectionChanged)
		s.must(s.Leases.SaveLink(ctx, &l, store.ReadLink{Link: "x"})) // it is held all the same
		s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{}, false))
		if next.Version != got.Version+1 {
			s.Errorf("version %d after %d", next.Version, got.Version)
		}
	}
	// A deactivation among renewals: none holds after it.
	l := s.lease(&c)
	n := s.atOnce(6, nil, func(i int) error {
		if i == 0 {
			_, _, err := s.Connections.DeactivateConnection(ctx, quiet, c.ID)
			return err
		}
		mine := l
		for {
			epoch, err := s.Connections.Connection(ctx, c.ID)
			if err != nil {
				return err
			}
			err = s.Leases.RenewLease(ctx, &mine, time.Minute)
			switch {
			case err == nil && epoch.Epoch > 1:
				return errors.New("renewed in an epoch that has passed")
			case errors.Is(err, directory.ErrLeaseLost):
				return nil
			case err != nil && !errors.Is(err, directory.ErrBusy):
				return err
			}
		}
	})
	if n != 6 {
		s.Errorf("%d of 6 came to their end", n)
	}
	after, _, err := s.Leases.PeekLease(ctx, c.ID)
	if s.must(err); !after.Until.IsZero() || after.Epoch != 2 || after.Fence <= l.Fence {
		s.Errorf("after the deactivation: %+v", after)
	}
}

// testLeaseCuts kills whoever moves a lease, changes or deactivates a connection at
// each call of the table, before and after what it does, in both forms.
func testLeaseCuts(s *suite) {
	ctx := s.Context()
	for _, form := range []string{"newer", "older", "newer, held", "older, held"} {
		for what, do := range map[string]func(st *store.Store, id directory.ConnectionID) error{
			"acquire": func(st *store.Store, id directory.ConnectionID) error {
				_, _, err := st.Leases.AcquireLease(ctx, id, "dies", time.Minute)
				return err
			},
			"modify": func(st *store.Store, id directory.ConnectionID) error {
				_, err := st.Connections.ModifyConnection(ctx, quiet, id, func(*directory.Connection) error { return nil })
				return err
			},
			"deactivate": func(st *store.Store, id directory.ConnectionID) error {
				_, _, err := st.Connections.DeactivateConnection(ctx, quiet, id)
				return err
			},
		} {
			for cut := 0; ; cut++ {
				name := fmt.Sprintf("%s of a connection in the form %s, cut at %d", what, form, cut)
				if done := s.cutLease(name, form, cut, what == "deactivate", do); done {
					break
				}
			}
		}
	}
}

// cutLease does one of these, and says whether it came to its end.
func (s *suite) cutLease(name, form string, cut int, ends bool, do func(st *store.Store, id directory.ConnectionID) error) (done bool) {
	ctx := s.Context()
	c, o := s.olderConnection("hq")
	var fence int64
	var frozen store.Lease
	switch form {
	case "newer":
		l := s.lease(&c)
		s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{}, true))
	case "newer, held":
		frozen = s.lease(&c)
	case "older, held":
		var err error
		fence, err = o.acquire(time.Minute)
		s.must(err)
	}
	t := &cutTable{Table: s.table, left: cut}
	err := do(store.New(t, store.Options{Now: s.clock.Now}), c.ID)
	died := errors.Is(err, errCut)
	if err != nil && !died && !errors.Is(err, store.ErrLeaseHeld) {
		s.Fatalf("%s: %v", name, err)
	}
	// Whoever comes after it finds a connection that works.
	if ends && died {
		s.must(do(s.Store, c.ID))
	}
	holders := 0
	if fence > 0 {
		if err := o.renew(fence, time.Minute); err == nil {
			holders++
		}
	}
	if frozen.Fence > 0 {
		if err := s.Leases.RenewLease(ctx, &frozen, time.Minute); err == nil || errors.Is(err, store.ErrConnectionChanged) {
			holders++
		}
	}
	if ends && holders > 0 {
		s.Errorf("%s: a holder outlives the deactivation", name)
	}
	s.pass(2 * time.Minute)
	l, got, err := s.Leases.AcquireLease(ctx, c.ID, "next", time.Minute)
	if s.must(err); got.Epoch != l.Epoch || ends != (got.Status == directory.StatusDeactivated) {
		s.Errorf("%s: then %+v of %+v", name, l, got)
	}
	s.must(s.Leases.RenewLease(ctx, &l, time.Minute))
	if fence > 0 {
		s.want(o.renew(fence, time.Minute), directory.ErrLeaseLost)
	}
	if frozen.Fence > 0 {
		s.want(s.Leases.RenewLease(ctx, &frozen, time.Minute), directory.ErrLeaseLost)
	}
	if _, err := o.acquire(time.Minute); !errors.Is(err, store.ErrLeaseHeld) {
		s.Errorf("%s: an older version takes the lease too: %v", name, err)
	}
	return !died
}

var errCut = errors.New("the process was killed")

// cutTable kills its user at a call: odd ones after what it does, even ones before.
type cutTable struct {
	store.Table
	left int // half calls until then
}

func (t *cutTable) cut(do func() error) error {
	for half := range 2 {
		if t.left == 0 {
			t.left--
			return errCut
		}
		t.left--
		if half == 0 {
			if err := do(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *cutTable) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	err = t.cut(func() error { page, err = t.Table.Query(ctx, q); return err })
	return page, err
}

func (t *cutTable) Get(ctx context.Context, key table.Key) (it table.Item, err error) {
	err = t.cut(func() error { it, err = t.Table.Get(ctx, key); return err })
	return it, err
}

func (t *cutTable) Write(ctx context.Context, writes ...table.Write) error {
	return t.cut(func() error { return t.Table.Write(ctx, writes...) })
}

// counted returns how often a store reads meanwhile.
func (s *suite) counted(do func(st *store.Store)) int {
	t := &countedTable{Table: s.table}
	do(store.New(t, store.Options{Now: s.clock.Now}))
	return t.reads
}

type countedTable struct {
	store.Table
	reads int
}

func (t *countedTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	t.reads++
	return t.Table.Query(ctx, q)
}

func (t *countedTable) Get(ctx context.Context, key table.Key) (table.Item, error) {
	t.reads++
	return t.Table.Get(ctx, key)
}

func (t *countedTable) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	t.reads++
	return t.Table.GetMany(ctx, keys)
}

// testLeaseNoted tells when a holder of the lease last changed bindings.
func testLeaseNoted(s *suite) {
	ctx := s.Context()
	c, o := s.olderConnection("hq")
	take := func() store.Lease {
		s.Helper()
		l, _, err := s.Leases.AcquireLease(ctx, c.ID, "newer", time.Minute)
		s.must(err)
		return l
	}
	_, err := o.acquire(time.Minute)
	s.must(err)
	o.free()
	l := take()
	if !l.Pace.Noted.Equal(s.Now()) {
		s.Errorf("after an older version: noted at %s, want %s: nobody knows", l.Pace.Noted, s.Now())
	}
	noted := s.Now().Add(-time.Hour).UTC()
	l.Pace.Noted = noted
	s.must(s.Leases.ReleaseLease(ctx, &l, store.RunEnd{}, true))
	if l = take(); !l.Pace.Noted.Equal(noted) {
		s.Errorf("given back: noted at %s, want %s", l.Pace.Noted, noted)
	}
	until := l.Until
	s.pass(2 * time.Minute) // its holder has died
	if l = take(); !l.Pace.Noted.Equal(until) {
		s.Errorf("not given back: noted at %s, want %s, when that holder could write last", l.Pace.Noted, until)
	}
}
