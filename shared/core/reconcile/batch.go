package reconcile

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// batch is what a flight has of a chunk: changes on their way, each of another
// object. What is known of them is journalled as it comes.
type batch struct {
	f        *flight
	a        *applier
	k        *chunk
	s        *session
	picked   []int
	send     []int                // indexes of changes that go out
	results  map[int]store.Result // to be journalled
	outcomes map[int]directory.Outcome
	unknown  []int                 // changes of which the answers do not tell whether they took effect
	later    map[int]time.Duration // of changes that wait for another object: when they are planned again
	unsure   []int                 // changes that Microsoft did not decide about, without asking to wait
	stuck    error                 // nothing of the batch comes through, again and again
	wait     time.Duration
	whole    bool               // the wait is for the tenant's quota
	lost     *directory.Problem // Microsoft refuses the connection as a whole
}

// newBatch is a batch of picked changes, before anything has been done with them.
func newBatch(f *flight, p pick) *batch {
	return &batch{f: f, a: f.a, k: p.k, s: f.s, picked: p.places, results: map[int]store.Result{}, outcomes: map[int]directory.Outcome{}}
}

func (b *batch) result(i int, state directory.ChangeState, p *directory.Problem) {
	r := store.Result{Index: i, State: state, Error: p, At: b.s.now().UTC()}
	if p != nil {
		r.RequestID = p.RequestID
	}
	b.results[i] = r
}

// made is the result of a change that has taken effect, on an object that it may
// have made.
func (b *batch) made(i int, object directory.AccountID, requestID string) {
	b.results[i] = store.Result{Index: i, State: directory.ChangeApplied, At: b.s.now().UTC(), AccountID: object, RequestID: requestID}
}

// changes are those of places in the chunk.
func (b *batch) changes(places []int) []*directory.Change {
	list := make([]*directory.Change, len(places))
	for n, i := range places {
		list[n] = &b.k.changes[i]
	}
	return list
}

// check is the lowest place before a write: it refuses what must not be sent,
// whatever has planned it, drops what has been overtaken, and returns what may go
// as far as the engine knows.
func (b *batch) check() []int {
	var may []int
	for _, i := range b.picked {
		c := &b.k.changes[i]
		bound := b.f.records[c.Ref()]
		if b.takesAgain(c, bound) {
			may = append(may, i)
			continue
		}
		if p := b.movedOn(c, bound); p != nil {
			b.result(i, directory.ChangeOutdated, p)
			continue
		}
		if b.dependsOnFailed(i) {
			b.result(i, directory.ChangeRefused, &directory.Problem{Code: directory.CodeEarlierChangeFailed, Message: "An earlier change of this " + noun(c) + " failed."})
			continue
		}
		if row := c.Effect.Row(); row.Ends && row.Remembers { // nothing is to be sent
			b.result(i, directory.ChangeApplied, nil)
			continue
		}
		may = append(may, i)
	}
	return may
}

// confirmed takes in what the kind says of a change that may go.
func (b *batch) confirmed(i int, v Verdict) {
	switch {
	case v.Unsure != nil:
		b.outcomes[i] = *v.Unsure
		b.unsure = append(b.unsure, i)
		b.delay(time.Second)
	case v.Later > 0:
		b.waits(i, v)
	case v.Wait > 0:
		b.delay(v.Wait)
	case v.Find:
		b.unknown = append(b.unknown, i)
	case v.State == "":
		b.send = append(b.send, i)
	case v.State == directory.ChangeApplied:
		b.made(i, v.Object, "")
	default:
		b.result(i, v.State, v.Problem)
	}
}

// unit is what goes in one request of the tenant.
type unit struct {
	places []int
	costs  int  // how many writes the tenant's quota counts for it
	apart  bool // nothing else goes in its request
}

// units are what is to be sent, as the kind puts it together. What has been refused
// as one of several goes alone.
func (b *batch) units() []unit {
	var units []unit
	if combiner, combines := b.f.of.(Combiner); combines {
		for _, part := range combiner.Combine(b.changes(b.send)) {
			var together, alone []int
			for _, n := range part {
				i := b.send[n]
				if b.a.alone[b.k.changes[i].ID] {
					alone = append(alone, i)
				} else {
					together = append(together, i)
				}
			}
			if len(together) == 0 { // one at a time: they were to go in one request
				together = alone[:1]
			}
			e := b.k.changes[together[0]].Effect
			units = append(units, unit{together, combiner.Weigh(e, len(together)), len(together) > 1 && combiner.InTurn(e)})
		}
		return units
	}
	for _, i := range b.send {
		units = append(units, unit{[]int{i}, 1, false})
	}
	return units
}

// waits is the result of a change that needs another object, which is not there so
// far.
func (b *batch) waits(i int, v Verdict) {
	p := v.Problem
	if p == nil {
		p = &directory.Problem{Code: directory.CodeOutdated, Message: "The " + noun(&b.k.changes[i]) + " waits for another object.", Next: "It is planned again by itself."}
	}
	b.result(i, directory.ChangeOutdated, p)
	if b.later == nil {
		b.later = map[int]time.Duration{}
	}
	b.later[i] = v.Later
}

// takesAgain reports whether a change is the undo of a release, or of what ended
// with one: it makes an object ours again that has no binding.
func (b *batch) takesAgain(c *directory.Change, bound *directory.Binding) bool {
	return b.undo() && c.Effect.Row().Renews && bound == nil
}

func (b *batch) undo() bool { return b.k.t.run.Kind == directory.KindUndo }

// movedOn says why a change is not any more what its binding asks for. An undo is
// of bindings as they are: none that is being let go, and paused ones.
func (b *batch) movedOn(c *directory.Change, bound *directory.Binding) *directory.Problem {
	if bound == nil || bound.Epoch != b.s.lease.Epoch || bound.ConnectionID != b.s.conn.ID {
		return releasedMeanwhile()
	}
	release := c.Release
	if b.undo() {
		release = ""
	}
	if bound.Wanted != c.UserVersion || bound.Release != release {
		return &directory.Problem{Code: directory.CodeOutdated, Message: "The " + noun(c) + " was edited after this change was planned.", Next: "The next run plans it anew."}
	}
	// What a run of marks plans stays marked until it has come to a result. An older
	// version may have planned it anew, of a run on the lease that it did not know: see
	// runQueue.endOvertaken, which ends that as a whole when it can be told.
	if run := b.k.t.run; ofMarks(run) && bound.RunID != run.ID && bound.Applied >= c.UserVersion && !bound.Marked {
		return &directory.Problem{Code: directory.CodeOutdated, Message: "Another run has dealt with the " + noun(c) + " after this change was planned."}
	}
	if bound.Resting() && !b.undo() {
		return &directory.Problem{Code: directory.CodePaused, Message: "The binding was paused."}
	}
	return nil
}

// noun is what people call that which a change is of.
func noun(c *directory.Change) string {
	if c.Object.IsZero() {
		return "user"
	}
	return string(c.Object.Kind)
}

func releasedMeanwhile() *directory.Problem {
	return &directory.Problem{Code: directory.CodeReleased, Message: "The binding was released before this change was sent."}
}

func (b *batch) dependsOnFailed(i int) bool {
	c := &b.k.changes[i]
	for j := range i {
		e := &b.k.changes[j]
		if e.Ref() != c.Ref() || open(e) || e.State == directory.ChangeApplied {
			continue
		}
		switch {
		case e.Effect.Row().Opens, e.Effect == directory.EffectBlock && c.Effect == directory.EffectRevoke:
			return true
		case c.Effect.Row().Ends:
			return true // an object that is given up half restored would stay so
		}
	}
	return false
}

// sort decides what one answer means for its change.
func (b *batch) sort(i int, out directory.Outcome) {
	c := &b.k.changes[i]
	b.outcomes[i] = out
	switch {
	case out.Behind: // it stays open, and goes with the next flight
		b.notDone([]int{i})
	case out.Problem == nil && !out.Unknown && !out.Retry:
		b.made(i, out.AccountID, out.RequestID)
	case out.Unknown && c.Effect.Row().Once:
		b.noteUnknown([]int{i})
		b.unknown = append(b.unknown, i)
	case out.Unknown:
		b.unsure = append(b.unsure, i)
		b.delay(max(out.RetryAfter, time.Second))
	case out.Retry:
		if out.Status == http.StatusTooManyRequests {
			b.notDone([]int{i})
			return
		}
		b.unsure = append(b.unsure, i)
		b.delay(max(out.RetryAfter, time.Second))
	default:
		b.sortRefused(i, out)
	}
}

// sortRefused decides what a refusal means for its change.
func (b *batch) sortRefused(i int, out directory.Outcome) {
	switch v := b.f.of.Sort(&b.k.changes[i], out); {
	case v.Alone && !b.a.alone[b.k.changes[i].ID]:
		b.a.alone[b.k.changes[i].ID] = true // it stays open, and goes with one of the next flights
	case v.Later > 0:
		b.waits(i, v)
	case v.Find:
		b.unknown = append(b.unknown, i)
	case v.Wait > 0:
		b.delay(v.Wait)
	case v.Unsure != nil:
		b.again(i, v)
	case v.State == directory.ChangeApplied:
		b.made(i, v.Object, out.RequestID)
	case v.State != "":
		b.result(i, v.State, cmp.Or(v.Problem, out.Problem))
	case out.Problem.Code == directory.CodeAccountProtected:
		b.result(i, directory.ChangeRefused, out.Problem)
	case out.Problem.Kind == directory.ProblemAuthorization && !out.Problem.InDoubt():
		b.lost = out.Problem // it concerns the connection, not this change
	default:
		b.result(i, directory.ChangeFailed, out.Problem)
	}
}

// maxTries is how often a change is sent that Microsoft never decides about.
const maxTries = 5

// abandon ends what has been tried often enough, so that one account at which
// Microsoft fails does not keep all others waiting: it rests, and a later run
// tries it again. When Microsoft answers nothing else either, the run ends by
// the rule of attempts.
func (b *batch) abandon() {
	for _, i := range b.unsure {
		id, out := b.k.changes[i].ID, b.outcomes[i]
		d := b.a.outcomes[id]
		if d.Since.IsZero() {
			d.Since = b.s.now().UTC()
		}
		d.Tries, d.Works = d.Tries+1, d.Works || b.f.worked
		b.a.outcomes[id] = d
		if d.Tries < maxTries {
			continue
		}
		p := undecided(out)
		switch {
		case d.Works:
			b.result(i, directory.ChangeFailed, p)
		case out.RetryAfter == 0:
			b.stuck = errors.Join(directory.ErrUnavailable, p)
		}
	}
	b.unsure = nil
}

// clean reports whether nothing but journalling is left to do about the answers.
func (b *batch) clean() bool {
	return len(b.unknown) == 0 && len(b.unsure) == 0 && len(b.doubtful()) == 0 && b.wait == 0 && b.lost == nil && b.stuck == nil
}

// undecided is the problem with a change that Microsoft never decided about.
func undecided(out directory.Outcome) *directory.Problem {
	if out.Problem != nil {
		return out.Problem
	}
	return &directory.Problem{Code: directory.CodeOutcomeUnknown, Kind: directory.ProblemTransient, Message: "Microsoft did not say whether it made the change.",
		Next: "It is tried again by itself.", RequestID: out.RequestID, MicrosoftStatus: out.Status}
}

func (b *batch) delay(d time.Duration) { b.wait = max(b.wait, d) }

// noteUnknown notes creations whose outcome is unknown, so that this slice never
// sends them again without a look.
func (b *batch) noteUnknown(list []int) {
	for _, i := range list {
		c := &b.k.changes[i]
		if _, known := b.a.outcomes[c.ID]; c.Effect.Row().Once && !known {
			b.a.outcomes[c.ID] = runs.UnknownOutcome{Since: b.s.now().UTC()}
		}
	}
}

// recall tells the kind of changes that Microsoft has not looked at.
func (b *batch) recall(list []int) {
	if r, can := b.f.of.(Recaller); can {
		r.Recall(b.changes(list))
	}
}

// notDone notes that Microsoft has not looked at changes that were sent.
func (b *batch) notDone(list []int) {
	b.recall(list)
	for _, i := range list {
		delete(b.a.sent, b.k.changes[i].ID)
	}
}

// stillHidden reports whether an account that should be there may not be
// visible yet. It starts the clock on the first call.
func (b *batch) stillHidden(c *directory.Change) bool {
	d, known := b.a.outcomes[c.ID]
	if !known {
		d = runs.UnknownOutcome{Since: b.s.now().UTC()}
		b.a.outcomes[c.ID] = d
	}
	return b.s.now().Sub(d.Since) < 2*Grace
}

// again has a change sent again of which the kind says that it did not take effect,
// so often as one that Microsoft does not decide about. Microsoft has answered, so
// that in the end the change fails, not the run.
func (b *batch) again(i int, v Verdict) {
	if v.Unsure != nil {
		b.outcomes[i] = *v.Unsure
	}
	id := b.k.changes[i].ID
	d := b.a.outcomes[id]
	d.Works = true
	b.a.outcomes[id] = d
	b.unsure = append(b.unsure, i)
	b.delay(time.Second)
}

// findOutcomes has the kind find out what became of changes of which the answers
// do not tell. What it cannot find out stays open: the answers that are known are
// journalled.
func (b *batch) findOutcomes(ctx context.Context) {
	if len(b.unknown) == 0 {
		return
	}
	unknown := b.unknown
	b.unknown = nil
	list := make([]Unanswered, len(unknown))
	for n, i := range unknown {
		list[n] = Unanswered{&b.k.changes[i], b.outcomes[i]}
	}
	verdicts, err := b.f.of.Find(ctx, list)
	if err != nil {
		b.delay(5 * time.Second)
		return
	}
	for n, i := range unknown {
		c := &b.k.changes[i]
		switch v := verdicts[n]; {
		case v.Later > 0:
			b.waits(i, v)
		case v.Wait > 0:
			b.delay(v.Wait)
		case v.State == directory.ChangeApplied:
			b.made(i, v.Object, "")
		case v.State != "":
			b.result(i, v.State, v.Problem)
		case v.Hidden && b.stillHidden(c):
			b.delay(10 * time.Second)
		case !v.Hidden:
			b.again(i, v)
		default:
			b.result(i, directory.ChangeFailed, undecided(b.outcomes[i]))
		}
	}
}
