package reconcile

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/quota"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// A flight is what is sent at once: up to as many requests side by side, of up to as
// many changes each, as the tenant's quota says (quota.Flow). All of its changes are
// of one kind, and no object occurs twice.
//
//	prepare   records, what has moved on, what the kind confirms: for all of them
//	send      intentions, quota, one renewal of the lease; then a goroutine for each
//	          request, which touches nothing but its own writes and answer
//	receive   answers as they come: sorted, and journalled while the lease is ours; with
//	          the last one the tenant's quota learns how the flight went
//	end       journals what is left, and notes what could not be journalled
//
// When nothing but journalling is left to do of a flight, and the next one is ready and
// nothing else is to be done first, that one leaves before: see applier.mayFollow. So at
// most two flights are not journalled, of which one is under way. The one behind is
// journalled right after the other has left, and before anything else is picked or
// leavers are served.
//
// Only the goroutine that runs the slice reads and writes what the engine knows. It
// prepares the next flight while it waits, and leaves nothing under way behind: the
// requests of a flight have been answered, whatever went wrong, before the next one
// leaves.
type flight struct {
	a       *applier
	s       *session
	t       *task
	objects Objects
	of      Batch     // what the kind does with it
	lane    *until    // for what the kind reads; shut from the sending on
	batches []*batch  // one for each chunk
	served  int       // runs of leavers that were done before it was prepared
	at      time.Time // since when its records are known
	records map[directory.Ref]*directory.Binding
	passed  [][]int // of each batch, what may go as far as the engine knows

	last     *flight // the one before, if it is answered but not journalled
	requests []*request
	answers  chan reply
	arrived  chan struct{} // an answer has come
	awaited  int           // requests that have not been answered
	worked   bool          // a result has come of it
	wrote    bool          // Microsoft has made one of its changes
	taken    int           // writes that the quota let through, as Microsoft counts them
	spared   int           // writes that Microsoft did not look at, counted likewise
	refused  *directory.ThrottledError
	measured []quota.Answer
	launched time.Time
	giveUp   context.CancelCauseFunc // ends the requests that have not been answered
	leased   bool                    // the lease is ours, as far as is known
	closed   bool                    // the table failed: nothing more is written
	err      error                   // what ends the slice
}

// request is what goes to Microsoft at once.
type request struct {
	b      *batch
	places []int
	writes []protect.Write
	costs  int // how many writes Microsoft counts for it
}

// reply is what became of a request.
type reply struct {
	request *request
	outs    []directory.Outcome
	err     error
	took    time.Duration
}

const (
	// preparedLife is how long a flight may wait that has been prepared.
	preparedLife = 5 * time.Second
	// leaverPatience is how long leavers wait for a flight that is on its way: many
	// times as long as flights are made to take (quota.Flow).
	leaverPatience = 10 * time.Second
)

// holds reports whether a flight can be sent as it was prepared: what was read for it
// is fresh, and no leavers were served since.
func (f *flight) holds() bool {
	return f != nil && f.t.lane.served() == f.served && f.s.now().Sub(f.at) < preparedLife
}

// refs are the objects that the flight touches.
func (f *flight) refs() map[directory.Ref]bool {
	all := map[directory.Ref]bool{}
	for _, b := range f.batches {
		for _, i := range b.picked {
			all[b.k.changes[i].Ref()] = true
		}
	}
	return all
}

// prepare reads what sending picked changes needs, and decides which of them go. It
// writes nothing. past serves leavers meanwhile.
func (a *applier) prepare(ctx context.Context, t *task, picked []pick, past lane) (*flight, error) {
	kind := picked[0].k.changes[picked[0].places[0]].Ref().Kind
	objects := a.kinds.of(kind)
	if objects == nil {
		// Runs of such a kind are left alone, see runQueue.list; this one does not
		// say what it has.
		return nil, &errPause{after: leftFor, why: "changes of the kind " + string(kind) + " are left to a newer version"}
	}
	lane := &until{s: a.s, past: past}
	f := &flight{a: a, s: a.s, t: t, objects: objects, of: objects.Batch(a.s.work(t.run, lane)), lane: lane, served: t.lane.served(), leased: true}
	for _, p := range picked {
		if err := a.shield.freshFor(ctx, p.k.changes); err != nil {
			return nil, err
		}
		f.batches = append(f.batches, newBatch(f, p))
	}
	f.at = a.s.now()
	if err := f.readRecords(ctx); err != nil {
		return nil, err
	}
	if err := f.confirm(ctx); err != nil {
		return nil, err
	}
	if a.s.now().Sub(f.at) < preparedLife {
		return f, nil
	}
	_, err := f.readAgain(ctx)
	return f, err
}

// readRecords reads the bindings of picked changes.
func (f *flight) readRecords(ctx context.Context) (err error) {
	var refs []directory.Ref
	for _, b := range f.batches {
		for _, i := range b.picked {
			refs = append(refs, b.k.changes[i].Ref())
		}
	}
	f.records, err = f.of.Records(ctx, refs)
	return err
}

// readAgain reads the records again after something took long. The flight is as good
// as new when the same changes may go; otherwise it does not hold.
func (f *flight) readAgain(ctx context.Context) (same bool, err error) {
	at := f.s.now()
	if err := f.readRecords(ctx); err != nil {
		return false, err
	}
	same = slices.EqualFunc(f.check(), f.passed, slices.Equal)
	if same {
		f.at = at
	}
	return same, nil
}

// check returns the changes of each batch that may go as far as the engine knows.
func (f *flight) check() (passed [][]int) {
	for _, b := range f.batches {
		passed = append(passed, b.check())
	}
	return passed
}

// confirm asks the kind about changes that may go out as far as the engine knows.
func (f *flight) confirm(ctx context.Context) error {
	f.passed = f.check()
	var list []*directory.Change
	for n, b := range f.batches {
		list = append(list, b.changes(f.passed[n])...)
	}
	if len(list) == 0 {
		return nil
	}
	verdicts, err := f.of.Confirm(ctx, list)
	if err != nil {
		return err
	}
	for n, b := range f.batches {
		for _, i := range f.passed[n] {
			b.confirmed(i, verdicts[0])
			verdicts = verdicts[1:]
		}
	}
	return nil
}

// send sends the flight and brings last, the one before, to its end while it is on its
// way, if that is left to do (nil: it is not). It returns the next flight, if that could
// be prepared meanwhile, and how long to wait before it. behind is this one, if nothing
// but journalling is left to do of it: whoever sends the next one hands it over.
func (f *flight) send(ctx context.Context, ahead *window, last *flight) (next, behind *flight, wait pause, err error) {
	f.last = last
	f.parcel(f.a.flow(f.s.quota(), ahead.left))
	if sent, err := f.depart(ctx, ahead.left); err != nil || !sent {
		return nil, nil, wait, errors.Join(err, f.endLast(ctx))
	}
	end := f.launch(ctx)
	defer end()
	if err := f.endLast(ctx); err != nil {
		f.noteFailure(err)
	}
	next, err = f.meanwhile(ctx, ahead)
	if f.await(ctx, next != nil && err == nil) {
		return next, f, wait, nil
	}
	if failed := f.end(ctx); failed != nil {
		return nil, nil, wait, failed
	}
	if next == nil {
		ahead.left = max(1, ahead.left-f.decided())
	}
	if lost := f.lost(); lost != nil {
		return nil, nil, wait, lost
	}
	if err != nil {
		return nil, nil, wait, err
	}
	if f.refusedSome() {
		next = nil // it is to be narrower
	}
	return next, nil, f.pause(), f.stuck()
}

// depart does what has to be done before the flight is sent; false: it does not hold
// any more.
func (f *flight) depart(ctx context.Context, left int) (sent bool, err error) {
	if len(f.requests) == 0 {
		return true, nil
	}
	if err := f.of.Intend(ctx, f.sent()); err != nil {
		return false, err
	}
	if taken, err := f.takeQuota(ctx, left); err != nil || !taken {
		return false, err
	}
	if err := f.a.watch(ctx, left); err != nil {
		return false, err
	}
	// From here to the sending nothing may come between: the renewal is the check of
	// epoch, lease and settings, and each request ends before the lease does.
	return true, f.renew(ctx)
}

// endLast brings the flight before to its end, if that is left to do.
func (f *flight) endLast(ctx context.Context) error {
	last := f.last
	f.last = nil
	if last == nil {
		return nil
	}
	return last.end(ctx)
}

// end journals what is left of the flight, and returns what ends the slice. What was
// sent and could not be journalled may have taken effect.
func (f *flight) end(ctx context.Context) error {
	f.journal(ctx)
	if f.err == nil {
		return nil
	}
	for _, r := range f.requests {
		r.b.noteUnknown(slices.DeleteFunc(r.places, func(i int) bool { return !open(&r.b.k.changes[i]) }))
	}
	return f.err
}

// clean reports whether nothing but journalling is left to do about the answers.
func (f *flight) clean() bool {
	return f.err == nil && !f.refusedSome() && !slices.ContainsFunc(f.batches, func(b *batch) bool { return !b.clean() })
}

// refusedSome reports whether Microsoft has refused requests for their number.
func (f *flight) refusedSome() bool {
	return slices.ContainsFunc(f.measured, func(a quota.Answer) bool { return a.Refused })
}

// parcel packs what goes out into requests. What there is no room for goes with a
// later flight.
func (f *flight) parcel(flow quota.Flow) {
	for _, b := range f.batches {
		confirmed, units := b.send, b.units()
		b.send = nil
		var shared *request // the last one that several units go in
		for _, unit := range units {
			r := shared
			if r == nil || unit.apart || len(r.places)+len(unit.places) > flow.Size {
				if len(f.requests) == flow.Width {
					break
				}
				r = &request{b: b}
				f.requests = append(f.requests, r)
			}
			if !unit.apart {
				shared = r
			}
			r.places, r.costs = append(r.places, unit.places...), r.costs+unit.costs
			b.send = append(b.send, unit.places...)
		}
		b.picked = slices.DeleteFunc(b.picked, func(i int) bool { return slices.Contains(confirmed, i) && !slices.Contains(b.send, i) })
	}
}

// costs is how many writes Microsoft counts for the flight.
func (f *flight) costs() (n int) {
	for _, r := range f.requests {
		n += r.costs
	}
	return n
}

// costsOf is how many writes Microsoft counts for so many changes at least, if they are
// such as the flight's.
func (f *flight) costsOf(changes int) int {
	if combiner, combines := f.of.(Combiner); combines {
		if sent := f.sent(); len(sent) > 0 {
			changes = changes * combiner.Weigh(sent[0].Effect, BatchSize) / BatchSize
		}
	}
	return max(f.costs(), changes)
}

// sent are the changes that go out.
func (f *flight) sent() []*directory.Change {
	var list []*directory.Change
	for _, r := range f.requests {
		list = append(list, r.b.changes(r.places)...)
	}
	return list
}

// renewal is one of the lease that came with the plan of a run.
type renewal struct {
	at    int64 // before it was begun, Unix nanoseconds; 0: there was none
	calls int64 // of the table that had been begun once it was done
}

// justRenewed is how long ago a renewal may have been begun that counts as right before
// the sending.
const justRenewed = 250 * time.Millisecond

// justBefore reports whether nothing has come between the renewal and now: no call of
// the table, which may have taken how long it pleased, and no time to speak of. That is
// told by the time of day, since the monotonic clock of a frozen machine may stand still.
func (r renewal) justBefore(now time.Time, calls int64) bool {
	age := time.Duration(now.UnixNano() - r.at)
	return r.at != 0 && r.calls == calls && age >= 0 && age < justRenewed
}

// renew renews the lease for what is sent next, unless the plan was stored with a
// renewal right before. What the flight takes of the tenant's quota is durable with its
// results then: a death forgets no more of it than few changes.
func (f *flight) renew(ctx context.Context) error {
	with := f.t.renewed
	f.t.renewed = renewal{}
	if with.justBefore(f.s.now(), f.a.calls.Calls()) {
		return nil
	}
	return f.s.renew(ctx)
}

// takeQuota takes the flight's writes out of the quotas. It naps for a moment if need
// be, and ends the slice when it is longer. When the flight does not hold any more, as
// after leavers were served in a nap, it takes nothing.
func (f *flight) takeQuota(ctx context.Context, left int) (taken bool, err error) {
	if stands, err := f.stands(ctx); err != nil || !stands {
		return false, err
	}
	n := f.costs()
	left = f.costsOf(left)
	for {
		wait, err := f.s.quota().Take(ctx, f.a.quota, n, quota.Work{Left: left, Leaver: f.t.run.Urgent})
		if err != nil || wait == 0 {
			return err == nil, err
		}
		if wait > longestNap {
			f.s.noteBrief(left, wait)
			return false, &errPause{after: wait, why: "the write quota is used up"}
		}
		if err := f.endLast(ctx); err != nil { // in a nap leavers are served
			return false, err
		}
		if err := nap(ctx, f.t.lane, wait); err != nil {
			return false, err
		}
		if !f.holds() {
			return false, nil
		}
	}
}

// stands reports whether a flight still holds whose intentions have been noted. When
// that took long its records are read again, once: prepared anew it would meet the
// same slow table.
func (f *flight) stands(ctx context.Context) (bool, error) {
	if f.holds() || f.t.lane.served() != f.served {
		return f.holds(), nil
	}
	for n, b := range f.batches {
		f.passed[n] = slices.DeleteFunc(f.passed[n], func(i int) bool { return !slices.Contains(b.picked, i) })
	}
	return f.readAgain(ctx)
}

// decided counts the flight's changes that have come to a result.
func (f *flight) decided() (n int) {
	for _, b := range f.batches {
		for _, i := range b.picked {
			if !open(&b.k.changes[i]) {
				n++
			}
		}
	}
	return n
}

// launch sends the requests. end is to be called when all have been answered.
func (f *flight) launch(ctx context.Context) (end func()) {
	f.lane.shut = true
	f.answers, f.arrived = make(chan reply, len(f.requests)), make(chan struct{}, len(f.requests))
	f.awaited = len(f.requests)
	for _, r := range f.requests {
		for _, i := range r.places {
			w := f.of.Write(&r.b.k.changes[i])
			w.Alone = f.a.alone[r.b.k.changes[i].ID]
			r.writes = append(r.writes, w)
		}
		f.s.sum.Sent += len(r.writes)
	}
	bounded, cancel := f.s.request(ctx)
	rctx, giveUp := context.WithCancelCause(bounded)
	f.launched, f.giveUp = f.s.now(), giveUp
	gate := protect.NewGate(f.a.tenant, f.a.shield.now())
	for _, r := range f.requests {
		go func() {
			f.answers <- r.send(rctx, gate, f.s.now)
			f.arrived <- struct{}{}
		}()
	}
	return cancel
}

// send sends a request, unless the time of the lease is over: whoever was frozen
// until then has nothing to say any more. That is told by the time of day, since the
// monotonic clock of a frozen machine may stand still.
func (r *request) send(ctx context.Context, gate *protect.Gate, now func() time.Time) reply {
	began := now()
	if until, bounded := ctx.Deadline(); bounded && !began.Round(0).Before(until) {
		return reply{request: r, err: errors.Join(directory.ErrNotSent, directory.ErrUnavailable, context.DeadlineExceeded)}
	}
	outs, err := gate.Write(ctx, r.writes)
	return reply{request: r, outs: outs, err: err, took: now().Sub(began)}
}

// meanwhile does what can be done while answers are awaited: what is known without
// them is journalled, and the next flight is prepared, if nothing of it depends on
// this one. An error is one that ends the slice; what fails otherwise of preparing is
// done again when it is due.
func (f *flight) meanwhile(ctx context.Context, ahead *window) (*flight, error) {
	f.journal(ctx)
	if f.awaited == 0 || f.err != nil {
		return nil, nil
	}
	picked, err := ahead.pick(ctx, f)
	if err != nil || len(picked) == 0 || !f.a.readsSoon(picked) {
		return nil, nil
	}
	past := &besides{f: f, past: f.t.lane}
	next, err := f.a.prepare(ctx, f.t, picked, past)
	if past.err != nil {
		return nil, past.err
	}
	if err != nil || f.err != nil {
		return nil, nil
	}
	next.lane.past = f.t.lane
	left, err := f.a.left(ctx, f.t)
	for _, c := range f.sent() {
		if open(c) {
			left-- // its result is to come
		}
	}
	ahead.left = max(1, left)
	return next, err
}

// readsSoon reports whether nothing has to be waited for to prepare picked changes:
// the tenant's quota has room for asking about them, and it is known who is protected.
func (a *applier) readsSoon(picked []pick) bool {
	n := 0
	for _, p := range picked {
		if a.shield.stale(p.k.changes) {
			return false
		}
		n += len(p.places)
	}
	a.s.quota() // brings it up to now
	return a.s.lease.Pace.Units > float64(3*n)
}

// besides is the lane past the preparing of a flight while another one is on its way:
// whatever is awaited, answers are taken in as they come. Once all are, leavers are
// served, since nothing is half done any more.
type besides struct {
	f    *flight
	past lane
	err  error // of serving leavers
}

func (b *besides) open() bool { return b.f.awaited > 0 || b.past.open() }

func (b *besides) news() <-chan struct{} { return b.f.arrived }

func (b *besides) wanted(ctx context.Context) bool { return b.past.wanted(ctx) }

func (b *besides) attend(ctx context.Context) error {
	for b.f.awaited > 0 {
		select {
		case r := <-b.f.answers:
			b.f.collect(ctx, r)
			b.f.note(ctx)
			continue
		default:
		}
		return b.f.mind(ctx)
	}
	if b.f.err != nil {
		return b.f.err // nothing is begun any more
	}
	b.err = b.past.attend(ctx)
	return b.err
}

func (b *besides) serve(ctx context.Context) error { return b.attend(ctx) }

func (b *besides) came(ctx context.Context, since time.Time) (bool, error) {
	return b.past.came(ctx, since)
}

func (b *besides) served() int { return b.past.served() }

func (b *besides) servedSince(ids []directory.UserID, count int) []directory.UserID {
	return b.past.servedSince(ids, count)
}

// await takes in the answers that are still to come, and keeps the lease fresh
// meanwhile, for what is done with them. Where another flight may follow it leaves the
// last answers to be journalled when that one is on its way, if nothing else is left to
// do about them: left says so.
func (f *flight) await(ctx context.Context, followed bool) (left bool) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for f.awaited > 0 {
		select {
		case a := <-f.answers:
			f.collect(ctx, a)
			if f.awaited == 0 && followed && f.clean() {
				return true
			}
			f.note(ctx)
		case <-tick.C:
			// What fails of it is met again by the next step: the answers come first.
			_ = f.mind(ctx)
		}
	}
	return false
}

// mind keeps the lease fresh while answers are awaited. Where requests hang and leavers
// have come since, they are given up, and the slice ends: nobody knows what became of
// them, as when a connection breaks, and the next slice serves the leavers first.
// Without leavers they have until the lease ends, since not to know costs minutes.
func (f *flight) mind(ctx context.Context) error {
	if f.s.now().Sub(f.launched) >= leaverPatience {
		// What fails here is asked again a second later.
		if came, err := f.t.lane.came(ctx, f.launched); err == nil && came {
			f.fail(&errPause{after: 0, why: "leavers wait, and requests hang"})
			f.giveUp(errors.New("given up, since leavers wait"))
		}
	}
	return f.s.inTime(ctx)
}

// together is how long after an answer another one counts as having come with it.
const together = 2 * time.Millisecond

// collect sorts an answer, and those that come with it. With the last one the tenant's
// quota is told of a flight that went well.
func (f *flight) collect(ctx context.Context, a reply) {
	f.take(a)
	late := time.NewTimer(together)
	defer late.Stop()
	for waits := true; waits && f.awaited > 0; {
		select {
		case a := <-f.answers:
			f.take(a)
		case <-late.C:
			waits = false
		}
	}
	// What was accepted is known before the journal, which may give the lease back.
	if f.awaited == 0 && f.refused == nil {
		f.learn(ctx)
	}
}

// note journals what was collected. How long Microsoft asks to wait is told after that,
// before anything else is sent.
func (f *flight) note(ctx context.Context) {
	f.journal(ctx)
	if f.awaited == 0 && f.refused != nil {
		f.learn(ctx)
	}
}

// take sorts an answer.
func (f *flight) take(a reply) {
	f.awaited--
	r := a.request
	if t, ok := errors.AsType[*directory.ThrottledError](a.err); ok {
		f.measured = append(f.measured, quota.Answer{Writes: len(r.places), Took: a.took, Refused: true})
		if !errors.Is(a.err, directory.ErrUnavailable) {
			r.b.notDone(r.places)
		}
		f.throttled(r.b, t.RetryAfter, t.Scope)
		return
	}
	if errors.Is(a.err, directory.ErrUnauthorized) || errors.Is(a.err, directory.ErrNotSent) {
		r.b.recall(r.places)
		f.fail(a.err)
		return
	}
	if a.err != nil || len(a.outs) != len(r.writes) {
		// Nothing is known: equal updates can be sent again, creations are
		// looked up first.
		f.measured = append(f.measured, quota.Answer{Writes: len(r.places), Took: a.took, Refused: true})
		r.b.noteUnknown(r.places)
		f.fail(errors.Join(directory.ErrUnavailable, a.err))
		return
	}
	for n, i := range r.places {
		r.b.sort(i, a.outs[n])
	}
	m := measure(&a)
	f.taken += m.accepted * r.costs / len(r.places)
	f.spared += m.behind * r.costs / len(r.places)
	if m.refused != nil {
		f.throttled(r.b, m.refused.RetryAfter, m.refused.Scope)
	}
	if m.asked {
		f.measured = append(f.measured, m.Answer)
	}
}

// measurement is what an answer tells of the tenant's quota.
type measurement struct {
	quota.Answer
	asked    bool // Microsoft has said something about one of the changes
	accepted int  // changes that no quota refused
	behind   int  // changes that Microsoft did not look at, see directory.Outcome
	refused  *directory.Outcome
}

// measure counts what the answer to a request tells of the tenant's quota. What was not
// looked at is no part of it.
func measure(a *reply) measurement {
	m := measurement{Answer: quota.Answer{Took: a.took}}
	failed := 0
	for n := range a.outs {
		out := &a.outs[n]
		switch {
		case out.Behind:
			m.behind++
			continue
		case out.Status == 0:
			continue // Microsoft was not asked, or has not said
		}
		m.asked = true
		if out.Status != http.StatusTooManyRequests {
			m.accepted++
		} else if m.refused == nil || out.RetryAfter > m.refused.RetryAfter {
			m.refused = out
		}
		if out.Status == http.StatusServiceUnavailable {
			failed++
		}
	}
	m.Writes = len(a.outs) - m.behind
	// At a single account Microsoft may fail for that account's sake.
	m.Refused = m.refused != nil || failed > 1 && failed == m.Writes
	return m
}

// throttled waits after a 429 as Microsoft asks.
func (f *flight) throttled(b *batch, after time.Duration, scope directory.ThrottleScope) {
	after = max(after, time.Second)
	b.delay(after)
	b.whole = true
	if f.refused == nil || after > f.refused.RetryAfter {
		f.refused = &directory.ThrottledError{RetryAfter: after, Scope: scope}
	}
}

// fail notes what ends the slice once all is answered. That the lease or the
// authorisation is lost is said whatever else went wrong.
func (f *flight) fail(err error) {
	if f.err == nil || errors.Is(err, directory.ErrLeaseLost) || errors.Is(err, directory.ErrUnauthorized) {
		f.err = errors.Join(f.err, err)
	}
}

// journal finds out what the answers so far do not tell, and makes durable what is
// known. Without the lease it only tells what was in flight; when the table fails,
// nothing more is written in this slice.
func (f *flight) journal(ctx context.Context) {
	for _, b := range f.batches {
		if f.leased && !f.closed {
			b.findOutcomes(ctx)
		}
		b.noteWell()
	}
	for _, b := range f.batches {
		if f.closed {
			return
		}
		if f.awaited == 0 && f.leased {
			b.attributeRefusals(ctx)
			b.abandon()
		}
		if err := b.journal(ctx); err != nil {
			f.noteFailure(err)
		}
	}
}

// noteFailure notes that something could not be written: without the lease what is in
// flight is only told, and when the table fails nothing more is written.
func (f *flight) noteFailure(err error) {
	f.fail(err)
	lost := errors.Is(err, directory.ErrLeaseLost)
	f.leased, f.closed = f.leased && !lost, f.closed || !lost
}

// learn tells the tenant's quota how all of the requests went.
func (f *flight) learn(ctx context.Context) {
	q := f.s.quota()
	q.Spared(f.spared)
	q.Accepted(f.taken)
	if f.refused != nil {
		if err := q.Refused(ctx, f.a.quota, f.refused.RetryAfter, f.refused.Scope); err != nil {
			f.fail(err)
		}
	}
	q.Answered(f.measured)
}

// lost is why Microsoft refuses the connection as a whole; nil: it does not.
func (f *flight) lost() error {
	for _, b := range f.batches {
		if b.lost != nil {
			return b.lost
		}
	}
	return nil
}

// stuck is why nothing of the flight comes through, again and again.
func (f *flight) stuck() error {
	for _, b := range f.batches {
		if b.stuck != nil {
			return b.stuck
		}
	}
	return nil
}

// pause is how long to wait before the next flight.
func (f *flight) pause() pause {
	p := pause{single: true}
	for _, b := range f.batches {
		p.d = max(p.d, b.wait)
		p.single = p.single && !b.whole
	}
	return p
}

// watch sends a wake-up against our own death, once in a slice of a long run: a
// message whose function died comes back much later. While it finds the lease
// held it comes again at the lease's end.
func (a *applier) watch(ctx context.Context, left int) error {
	if left <= BatchSize || a.watched {
		return nil
	}
	a.watched = true
	return a.send(ctx, directory.WakeUp{ConnectionID: a.s.conn.ID, Watch: true}, a.s.leaseTTL()+time.Second)
}

// journalLost records what was in flight when the epoch passed.
func (k *chunk) journalLost(ctx context.Context, j store.Journal, lost error) error {
	c, err := k.a.connections.Connection(ctx, k.s.conn.ID)
	if err == nil && c.Epoch != k.s.lease.Epoch {
		err = k.a.journal.JournalLate(ctx, j)
	}
	return errors.Join(lost, err)
}
