package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// planPage is how many objects are read and decided together, as long as their
// changes fit into one chunk.
const planPage = 200

// planner makes the plans of runs.
type planner struct {
	s        *session
	shield   *shield
	kinds    *kinds
	rounds   *rounds
	queue    *runQueue
	guard    *guard
	cadence  *cadence
	moves    moves
	send     Send
	runs     runStore
	chunks   chunkStore
	journal  journalStore
	marks    markStore
	bindings bindingStore
}

// plan reads what a run needs, decides every object of it, records the changes and
// puts them before the guard.
func (p *planner) plan(ctx context.Context, t *task) error {
	t.run.State = directory.RunPlanning
	t.run.Remapped = t.run.Remapped || p.s.remapped(t.run)
	t.run.Findings = p.s.lacking(t.run)
	decide := &runPlan{planner: p, s: p.s, t: t, page: cmp.Or(t.at.Page, planPage)}
	if t.run.Kind == directory.KindUndo {
		return decide.undo(ctx)
	}
	return decide.sync(ctx)
}

// submit puts a plan before the guard. A run that has nothing to write ends.
func (p *planner) submit(ctx context.Context, t *task) error {
	if err := p.shield.load(ctx); err != nil {
		return err
	}
	done, err := p.guard.check(ctx, t)
	if err != nil || !done {
		return err
	}
	p.queue.end(t.run)
	p.queue.noteEnd(t.run)
	if err := p.guard.record(ctx, t); err != nil {
		return err
	}
	return p.cadence.follow(ctx, t.run)
}

// runPlan is the plan of one run under way: it collects decisions into chunks.
type runPlan struct {
	planner *planner
	s       *session
	t       *task
	page    int    // how many objects to take next
	from    string // the place in the marks before the objects that are being decided
	halved  bool   // a page of chosen objects was too large for one chunk
}

// sync plans a run that brings objects to what the directory says.
func (p *runPlan) sync(ctx context.Context) error {
	r, at := p.t.run, p.t.at
	p.noteSettings()
	if !at.Read {
		read, err := p.planner.rounds.readForRun(ctx, p.t)
		if err != nil {
			return err
		}
		at.Read = true
		if read {
			r.Attempts = 0
			if err := p.planner.queue.save(ctx, r, at); err != nil {
				return err
			}
		}
	}
	for !at.Planned {
		if err := p.s.inTime(ctx); err != nil {
			return err
		}
		if err := p.t.lane.serve(ctx); err != nil {
			return err
		}
		refs, err := p.nextObjects(ctx)
		if err != nil {
			return err
		}
		if at.Page > 0 {
			at.Page = min(planPage, 2*at.Page) // saved with what is decided
		}
		if err := p.decide(ctx, refs); err != nil {
			return err
		}
		p.page = max(p.page, at.Page)
	}
	return p.planner.submit(ctx, p.t)
}

// tooSlow has fewer objects taken at a time, from where these began, when they
// could not be read before the slice was over: with a slow Microsoft the
// next slice would come no further.
func (p *runPlan) tooSlow(ctx context.Context, n int, err error) error {
	if _, over := pauseOf(err); !over || n < 2 || p.s.now().Before(p.s.until) {
		return err
	}
	p.t.at.Page = max(1, n/4)
	switch {
	case p.t.run.Kind == directory.KindUndo:
	case p.t.run.Chosen():
		p.t.at.Index, p.t.at.Planned = p.t.at.Index-n, false
	default:
		p.t.at.Marks, p.t.at.Planned = p.from, false
	}
	return errors.Join(p.planner.queue.save(ctx, p.t.run, p.t.at), err)
}

// nextObjects returns the next objects to decide and moves the cursor behind them;
// the cursor is stored together with what was decided.
func (p *runPlan) nextObjects(ctx context.Context) ([]directory.Ref, error) {
	p.from = p.t.at.Marks
	if p.t.run.Chosen() {
		all := len(p.t.run.UserIDs) + len(p.t.run.Objects)
		end := min(p.t.at.Index+p.page, all)
		refs := p.t.run.Refs(p.t.at.Index, end)
		p.t.at.Index, p.t.at.Planned = end, end == all
		return refs, nil
	}
	if p.t.run.DryRun && (p.t.run.Full || p.t.run.Settings != nil || p.t.run.Release != "") {
		return p.everything(ctx)
	}
	if refs, next := p.planner.queue.takeHanded(p.t.run.ID); len(refs) > 0 && p.from == "" {
		p.t.at.Marks, p.t.at.Planned = next, next == ""
		return refs, nil
	}
	marks, next, err := p.planner.marks.ListMarks(ctx, p.s.conn.ID, p.s.lease.Epoch, p.t.at.Marks, p.page)
	if err != nil {
		return nil, err
	}
	p.t.at.Marks, p.t.at.Planned = next, next == ""
	return p.planner.queue.withoutSerial(ctx, refsOf(marks))
}

// everything goes through all bindings, one kind after the other, for a dry run
// that asks what would become of each of them.
func (p *runPlan) everything(ctx context.Context) ([]directory.Ref, error) {
	place := p.t.at.Marks
	kind, cursor := placeOf(place)
	list, next, err := p.planner.bindings.ListBindings(ctx, kind, p.s.conn.ID, p.s.lease.Epoch, cursor, p.page)
	if err != nil {
		return nil, err
	}
	refs := make([]directory.Ref, len(list))
	for i := range list {
		refs[i] = list[i].Ref()
	}
	if next != "" {
		p.t.at.Marks = placeIn(kind, next)
		return refs, nil
	}
	p.t.at.Marks, p.t.at.Planned = "", true
	if later := p.planner.kinds.after(kind); later != "" {
		p.t.at.Marks, p.t.at.Planned = placeIn(later, ""), false
	}
	return refs, nil
}

// The place in all bindings is that in those of a kind, after the kind's name. Of
// accounts, which are the first, it is the place alone, as of versions that knew
// no other kind.
const placeMark = "kind:"

func placeIn(kind directory.Kind, cursor string) string {
	if kind == directory.KindAccount {
		return cursor
	}
	return placeMark + string(kind) + ":" + cursor
}

func placeOf(place string) (kind directory.Kind, cursor string) {
	rest, other := strings.CutPrefix(place, placeMark)
	if !other {
		return directory.KindAccount, place
	}
	name, cursor, _ := strings.Cut(rest, ":")
	return directory.Kind(name), cursor
}

// decide plans objects and records the outcome: changes in chunks, and what needs
// no write on the binding at once.
func (p *runPlan) decide(ctx context.Context, refs []directory.Ref) error {
	page, err := p.decideEach(ctx, refs)
	if err != nil {
		return p.tooSlow(ctx, len(refs), err)
	}
	if page.tooLarge() && len(refs) > 1 && p.t.run.Chosen() {
		return p.decideHalves(ctx, refs)
	}
	if p.planner.queue.alone(p.t.run.ID) && !page.plain() {
		return errNotAlone
	}
	for _, by := range page.Editors {
		noteEditor(p.t.run, by)
	}
	p.t.run.PlanRefused += page.Refused
	p.s.sum.Refused += page.Refused
	if isDraft(p.t.run) && len(page.Unwritten) > 0 && !p.t.run.DryRun {
		// The bindings name the run.
		if err := p.planner.queue.saved(ctx, p.t.run); err != nil {
			return err
		}
	}
	if err := p.acknowledgeAll(ctx, page.Unwritten); err != nil {
		return err
	}
	if !p.t.run.DryRun {
		if page.Again > 0 {
			if err := p.planner.send(ctx, directory.WakeUp{ConnectionID: p.s.conn.ID}, page.Again); err != nil {
				return err
			}
		}
		p.planner.moves.wake(ctx, page.Looked)
	}
	p.s.sum.Planned += len(page.Changes)
	p.t.run.Attempts = 0
	if len(page.Changes) == 0 {
		return p.planner.queue.save(ctx, p.t.run, p.t.at)
	}
	parts := page.parts()
	if p.t.at.Planned && !p.halved && p.t.tally.chunks == p.t.run.Chunks {
		// The last part is stored with what the guard says of the plan, all of which
		// this slice has made.
		last := len(parts) - 1
		p.t.unstored, parts = parts[last], parts[:last]
	}
	for _, part := range parts {
		p.count(part)
		if err := p.append(ctx, part); err != nil {
			return err
		}
	}
	if p.t.unstored != nil {
		p.count(p.t.unstored)
		p.noteKinds(p.t.unstored)
		p.t.tally.add(p.t.unstored)
	}
	return nil
}

// count counts changes that are added to the plan.
func (p *runPlan) count(changes []directory.Change) {
	for i := range changes {
		if c := &changes[i]; open(c) {
			p.t.run.Counts[c.Effect]++
		}
	}
}

// decided is what was decided about a page of objects.
type decided struct {
	Decided
	sizes []int // of the changes' JSON
}

// decideEach has each kind decide about its objects. What is of a kind that only a
// newer version knows is left to it.
func (p *runPlan) decideEach(ctx context.Context, refs []directory.Ref) (*decided, error) {
	page := &decided{}
	names, parts := byKind(refs, func(r *directory.Ref) directory.Ref { return *r })
	for _, name := range accountsLast(names) {
		objects := p.planner.kinds.of(name)
		if objects == nil {
			page.leave(parts[name])
			continue
		}
		if name != directory.KindAccount { // accounts are read first
			if err := p.planner.shield.load(ctx); err != nil {
				return nil, err
			}
		}
		d, err := objects.Decide(ctx, p.s.workOn(p.t), parts[name])
		if err != nil {
			return nil, err
		}
		page.add(d)
	}
	return page, nil
}

// accountsLast puts accounts behind all other kinds. Leavers, who are served while
// another kind reads, change accounts, and nothing else that was read.
func accountsLast(names []directory.Kind) []directory.Kind {
	isAccount := func(name directory.Kind) bool { return name == directory.KindAccount }
	last := slices.DeleteFunc(slices.Clone(names), isAccount)
	if slices.ContainsFunc(names, isAccount) {
		last = append(last, directory.KindAccount)
	}
	return last
}

func (d *decided) add(more Decided) {
	d.Changes = append(d.Changes, more.Changes...)
	d.Unwritten = append(d.Unwritten, more.Unwritten...)
	d.Looked = append(d.Looked, more.Looked...)
	d.Editors = append(d.Editors, more.Editors...)
	d.Refused += more.Refused
	d.Again = max(d.Again, more.Again)
	for i := range more.Changes {
		d.sizes = append(d.sizes, store.SizeOf(&more.Changes[i]))
	}
}

// leftFor is after which time objects are looked at again that are left to a newer
// version: while it is deployed, both have slices.
const leftFor = time.Minute

func (d *decided) leave(refs []directory.Ref) {
	for _, ref := range refs {
		d.Unwritten = append(d.Unwritten, store.BindingChange{Ref: ref, Later: leftFor, Leave: true})
	}
}

func (d *decided) tooLarge() bool { return len(d.parts()) > 1 }

// parts are the changes as they go into chunks: an object's stay together. Since a
// request does not reach past a chunk, one is cut where whole requests end, if it can be.
func (d *decided) parts() [][]directory.Change {
	last := map[directory.Ref]int{}
	for i := range d.Changes {
		last[d.Changes[i].Ref()] = i
	}
	var parts [][]directory.Change
	begin, size := 0, 0 // of the part
	whole, even := 0, 0 // where it may be cut: before the present object, and where whole requests end
	until := -1         // the last change of the present object
	for i := range d.Changes {
		if i > until {
			whole = i
			if (i-begin)%BatchSize == 0 {
				even = i
			}
		}
		until = max(until, last[d.Changes[i].Ref()])
		size += d.sizes[i]
		for whole > begin && (size > store.MaxChunkBytes || i+1-begin > store.ChunkSize) {
			cut := whole
			if even > begin {
				cut = even
			}
			parts = append(parts, d.Changes[begin:cut:cut])
			for _, n := range d.sizes[begin:cut] {
				size -= n
			}
			begin = cut
		}
	}
	return append(parts, d.Changes[begin:])
}

// append records a chunk together with the place that planning has come to.
func (p *runPlan) append(ctx context.Context, chunk []directory.Change, notes ...store.Note) error {
	p.t.run.Cursor = p.t.at.Encode()
	p.noteKinds(chunk)
	if err := p.s.changed(ifDecided(p.planner.chunks.AppendChunk(ctx, &p.s.lease, p.t.run, chunk, notes...))); err != nil {
		return err
	}
	p.planner.queue.known.noteStored(p.t.run)
	p.t.keep(p.t.run.Chunks-1, chunk)
	if p.t.tally.chunks == p.t.run.Chunks-1 {
		p.t.tally.add(chunk)
	}
	return nil
}

// noteKinds notes on the run of what kinds its changes are.
func (p *runPlan) noteKinds(changes []directory.Change) {
	for i := range changes {
		kind := changes[i].Ref().Kind
		if kind != directory.KindAccount && !slices.Contains(p.t.run.Kinds, kind) {
			p.t.run.Kinds = append(p.t.run.Kinds, kind)
		}
	}
}

// decideHalves plans a page of chosen objects, whose changes do not fit one chunk, in
// two parts: the cursor stops in between. That of marks need not, since a mark that a
// crash leaves out is planned by the next run.
func (p *runPlan) decideHalves(ctx context.Context, refs []directory.Ref) error {
	half := len(refs) / 2
	p.halved = true
	p.page = max(1, min(p.page, half))
	index, planned := p.t.at.Index, p.t.at.Planned
	p.t.at.Index, p.t.at.Planned = index-(len(refs)-half), false // see nextObjects
	if err := p.decide(ctx, refs[:half]); err != nil {
		return err
	}
	p.t.at.Index, p.t.at.Planned = index, planned
	return p.decide(ctx, refs[half:])
}

// acknowledgeAll records on bindings what planning found out without a write to the
// tenant. A dry run leaves no trace.
func (p *runPlan) acknowledgeAll(ctx context.Context, list []store.BindingChange) error {
	if p.t.run.DryRun {
		return nil
	}
	for part := range slices.Chunk(endedOnce(list), 30) {
		err := inParts(part, func(part []store.BindingChange) error {
			return p.planner.journal.Journal(ctx, &p.s.lease, &p.s.conn, store.Journal{Bindings: part})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// endedOnce leaves out what else was decided about records that go with another: nothing
// is written twice in one transaction.
func endedOnce(list []store.BindingChange) []store.BindingChange {
	ends := map[directory.Ref]int{}
	for i := range list {
		if list[i].Remove {
			ends[list[i].Ref] = i
		}
	}
	if len(ends) == 0 {
		return list
	}
	var out []store.BindingChange
	for i := range list {
		if at, goes := ends[list[i].Ref]; !goes || at == i {
			out = append(out, list[i])
		}
	}
	return out
}

// retried reports whether a binding in this state may mend without an edit of
// its user, so that it is looked at again by itself.
func retried(s directory.BindingStatus) bool {
	return s == directory.BindingConflict || s == directory.BindingFailed || s == directory.BindingReadOnly
}

func attemptsOf(b *directory.Binding) int {
	if b.Problem == nil {
		return 0
	}
	return b.Problem.Attempts
}

// backoff is how long a binding rests after so many failed tries: 5 minutes,
// doubling up to a day.
func backoff(attempts int) time.Duration {
	d := 5 * time.Minute
	for range attempts - 1 {
		if d *= 2; d >= 24*time.Hour {
			return 24 * time.Hour
		}
	}
	return d
}

// keepSince carries the time and the count of a problem that has not changed.
func keepSince(old, p *directory.Problem, now time.Time) *directory.Problem {
	if p == nil {
		return nil
	}
	q := *p
	q.Since, q.Attempts = now, 1
	if old != nil && old.Code == q.Code {
		q.Since, q.Attempts = old.Since, old.Attempts+1
	}
	return &q
}
