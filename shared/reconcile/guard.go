package reconcile

import (
	"context"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/plan"
	"bindery/shared/store"
)

// tallied is what a run's plan adds up to, chunk by chunk.
type tallied struct {
	run     directory.RunID
	chunks  int // how many of the first chunks are in it
	counts  plan.Tally
	touched int // users whose accounts are changed other than by being made or adopted
	// classes counts, for each chunk, the changes that may go in waves.
	classes  []map[directory.Effect]int
	remapped bool
}

func (t *tallied) add(changes []directory.Change) {
	classes := map[directory.Effect]int{}
	for i := range changes {
		if class, in := classOf(&changes[i], t.remapped); in {
			classes[class]++
		}
	}
	t.classes = append(t.classes, classes)
	t.chunks++
	sent := slices.DeleteFunc(slices.Clone(changes), func(c directory.Change) bool { return c.State == directory.ChangeRefused })
	t.counts.Add(sent)
	t.touched += plan.TouchedBy(sent)
}

// tally returns what a run's plan adds up to. Chunks that another slice has
// planned are read.
func (w *worker) tally(ctx context.Context, r *store.RunRecord) (*tallied, error) {
	if w.tallied.run != r.ID {
		w.tallied = tallied{run: r.ID, counts: plan.Tally{}, remapped: r.Remapped}
	}
	t := &w.tallied
	for t.chunks < r.Chunks {
		if err := w.inTime(ctx); err != nil {
			return nil, err
		}
		changes, _, err := w.Store.Chunk(ctx, r.ID, t.chunks)
		if err != nil {
			return nil, err
		}
		t.add(changes)
	}
	return t, nil
}

// Parts is a run's plan counted by department and domain, for people: of each
// no more than the largest.
type Parts struct {
	Departments []plan.Part `json:"departments"`
	Domains     []plan.Part `json:"domains"`
}

// mostParts is how many departments and domains Parts has.
const mostParts = 200

func partsOf(t plan.Tally) Parts {
	largest := func(d directory.Dimension) []plan.Part {
		list := t.By(d)
		sum := func(p plan.Part) (n int) {
			for _, k := range p.Counts {
				n += k
			}
			return n
		}
		slices.SortStableFunc(list, func(a, b plan.Part) int { return sum(b) - sum(a) })
		return list[:min(len(list), mostParts)]
	}
	return Parts{Departments: largest(directory.ByDepartment), Domains: largest(directory.ByDomain)}
}

// checkGuard looks at the very changes that will run, before the first of them.
func (w *worker) checkGuard(ctx context.Context, r *store.RunRecord, cur *cursor) error {
	total := 0
	for _, n := range r.Counts {
		total += n
	}
	var notes []store.Note
	t := &tallied{}
	if total > 0 {
		var err error
		if t, err = w.tally(ctx, r); err != nil {
			return err
		}
		notes = append(notes, store.Note{Name: store.NoteParts, Body: partsOf(t.counts)})
	}
	switch {
	case r.DryRun:
		r.State, r.EndedAt = directory.RunPlanned, w.now().UTC()
		return w.saveRun(ctx, r, cur, notes...)
	case total == 0:
		if err := w.overtaken(ctx, r); err != nil {
			return err
		}
		return w.endRun(ctx, r, cur)
	}
	held, err := w.guard(ctx, r, t)
	if err != nil {
		return err
	}
	if held != nil && r.Urgent {
		if merged, err := w.mergeHeld(ctx, r); err != nil || merged {
			return err
		}
	}
	if err := w.overtaken(ctx, r); err != nil {
		return err
	}
	r.State, r.Attempts = directory.RunApplying, 0
	if held != nil {
		r.Held = held
		if cur.Free = w.anyFree(r); !cur.Free {
			w.hold(r)
		}
		w.log().Warn("run held", "connectionId", w.conn.ID, "runId", r.ID, "reasons", len(held.Reasons))
	}
	return w.saveRun(ctx, r, cur, notes...)
}

// hold makes a run wait for an admin.
func (w *worker) hold(r *store.RunRecord) {
	r.State, r.Waiting = directory.RunHeld, nil
	w.end.RunID, w.end.State, w.end.At = r.ID, r.State, w.now()
}

// anyFree reports whether a held run may have changes that go all the same. Of
// an undo nothing does: its blocks are of accounts that a run made, and it waits
// for nobody who has left.
func (w *worker) anyFree(r *store.RunRecord) bool {
	if r.Kind == directory.KindUndo {
		return false
	}
	for e, n := range r.Counts {
		if n > 0 && plan.Free(r.Held, &directory.Change{Effect: e}) {
			return true
		}
	}
	return false
}

// freeUnread lets runs go on that were held for no other reason than that it
// could not be read who is protected, once it can; of a run that the guard had
// held before, what went through all the same. Whoever is protected is refused
// when the change is sent.
func (w *worker) freeUnread(ctx context.Context) error {
	open, err := w.openRuns(ctx)
	if err != nil {
		return err
	}
	for i := range open {
		r := &open[i]
		if r.State != directory.RunHeld || r.Held == nil || r.Held.Wave != nil ||
			len(r.Held.Facts) == 0 || r.Held.Facts[0].Code != directory.HeldRolesUnreadable {
			continue
		}
		cur, err := decodeCursor(r)
		if err != nil {
			return err
		}
		if !cur.Free && len(r.Held.Limits)+len(r.Held.Facts) > 1 {
			continue
		}
		if err := w.prepare(ctx); err != nil {
			return w.outside(ctx, err)
		}
		if err := w.loadProtection(ctx); err != nil {
			return w.outside(ctx, err)
		}
		if w.protection.unread != "" {
			return nil
		}
		r.State, cur.Waited, cur.Ready = directory.RunApplying, true, 0
		r.Cursor = cur.encode()
		if cur.Free {
			r.Held.All, r.Held.Facts, r.Held.Reasons = false, r.Held.Facts[1:], r.Held.Reasons[1:]
		} else {
			r.Held = nil
		}
		if err := w.Store.SaveRun(ctx, &w.lease, r); err != nil {
			return err
		}
	}
	return nil
}

// overtaken ends held runs whose place a newer plan takes.
func (w *worker) overtaken(ctx context.Context, r *store.RunRecord) error {
	open, err := w.openRuns(ctx)
	if err != nil {
		return err
	}
	for i := range open {
		if h := &open[i]; h.ID != r.ID && h.State == directory.RunHeld && covers(r, h) {
			if err := w.supersede(ctx, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// covers reports whether a plan is about everybody whom an older one is about.
func covers(r, older *store.RunRecord) bool {
	named := len(r.UserIDs) == 0 || len(older.UserIDs) > 0 && !slices.ContainsFunc(older.UserIDs, func(id directory.UserID) bool {
		_, in := slices.BinarySearch(r.UserIDs, id)
		return !in
	})
	switch {
	case r.Kind == directory.KindUndo || older.Kind == directory.KindUndo:
		return named && r.UndoOf == older.UndoOf && slices.Equal(r.Properties, older.Properties)
	case ofMarks(r):
		return r.Full || ofMarks(older)
	}
	return named
}

// ofMarks reports whether a run plans for everybody who is marked.
func ofMarks(r *store.RunRecord) bool {
	return len(r.UserIDs) == 0 && r.Kind == directory.KindSync && !r.DryRun
}

// settle remembers that all marks have been planned with the settings as they
// are, once a whole round has looked for what these mean.
func (w *worker) settle() {
	if link := w.lease.Link; !link.Full && link.Settings == w.settingsDigest() {
		w.end.Settled, w.lease.Settled = link.Settings, link.Settings
	}
}

// remapped reports whether a plan is made before all marks have been planned
// with the settings as they are.
func (w *worker) remapped(r *store.RunRecord) bool {
	return r.Kind == directory.KindSync && !r.DryRun && w.lease.Settled != "" && w.lease.Settled != w.settingsDigest()
}

// guard gathers what the guard looks at, as far as the plan makes it matter.
func (w *worker) guard(ctx context.Context, r *store.RunRecord, t *tallied) (*directory.Held, error) {
	bound, err := w.Store.BoundCount(ctx, w.conn.ID, w.lease.Epoch)
	if err != nil {
		return nil, err
	}
	limits := w.conn.Settings.Guard
	f := plan.Facts{
		Former: w.conn.FormerGuards(w.now(), w.lease.Decided),
		Run:    t.counts, Bound: plan.Bound{All: bound},
		Unprotected: w.protection.unread,
		Approve:     w.conn.Settings.Mode == directory.ModeApprove,
	}
	if r.Remapped {
		f.Settings = &plan.Touched{Users: t.touched}
	}
	users, err := w.Store.LivingUsers(ctx)
	if err != nil {
		return nil, err
	}
	if t.counts.Total(directory.EffectBlock)+t.counts.Total(directory.EffectDelete) > 0 {
		f.Source = &plan.Source{Then: w.lease.Users, Now: users}
	}
	limited, byPart := plan.Limited(limits, t.counts), plan.ByPart(limits, t.counts)
	for _, former := range f.Former {
		limited = limited || plan.Limited(former.Limits, t.counts)
		byPart = byPart || plan.ByPart(former.Limits, t.counts)
	}
	if limited {
		now := w.now()
		hours, err := w.Store.AppliedSince(ctx, w.conn.ID, now.Add(-plan.Week))
		if err != nil {
			return nil, err
		}
		if r.Urgent {
			pending, err := w.pending(ctx, r.ID)
			if err != nil {
				return nil, err
			}
			pending.Merge(hours[plan.Hour(now)])
			hours[plan.Hour(now)] = pending
		}
		byHour := make(map[int64]plan.Counter, len(hours))
		f.Recent = plan.Counter{}
		for h, counts := range hours {
			byHour[h] = plan.Counter{}
			byHour[h].Merge(counts)
			if h >= plan.Hour(now.Add(-recently)) {
				f.Recent.Merge(counts)
			}
		}
		f.Day, f.Week = plan.Sums(byHour, now)
	}
	if byPart {
		if f.Bound, err = w.boundByPart(ctx); err != nil {
			return nil, err
		}
	}
	held := plan.Guard(limits, f)
	switch {
	case f.Source == nil: // nobody has looked at whether it shrank
		w.source(max(w.lease.Users, users))
	case doubted(held) == nil:
		w.source(users)
	}
	return held, nil
}

// source remembers how many users the directory has. A shrunken one is not
// taken for the normal one until an admin has let a run go on that was held for it.
func (w *worker) source(users int) { w.end.Users, w.lease.Users = users, users }

// loosened reports whether a run is held by the guard as it was before it was
// loosened.
func loosened(h *directory.Held) bool {
	return h != nil && slices.ContainsFunc(h.Facts, func(f directory.HeldFact) bool { return f.Code == directory.HeldGuardLoosened })
}

// doubted is the fact that a run is held for its source, if it is.
func doubted(h *directory.Held) *directory.HeldFact {
	if h == nil {
		return nil
	}
	i := slices.IndexFunc(h.Facts, func(f directory.HeldFact) bool {
		return f.Code == directory.HeldSourceShrank || f.Code == directory.HeldSourceEmpty
	})
	if i < 0 {
		return nil
	}
	return &h.Facts[i]
}

// recently is over how long several runs count as one: a bulk edit that
// trickles in makes many small runs.
const recently = time.Hour

// boundByPart counts the bound users of each department and domain.
func (w *worker) boundByPart(ctx context.Context) (plan.Bound, error) {
	var b plan.Bound
	cursor := ""
	for {
		if err := w.inTime(ctx); err != nil {
			return b, err
		}
		list, next, err := w.Store.Bindings(ctx, w.conn.ID, w.lease.Epoch, cursor, 500)
		if err != nil {
			return b, err
		}
		ids := make([]directory.UserID, len(list))
		for i := range list {
			ids[i] = list[i].UserID
		}
		rows, err := w.Store.Subjects(ctx, ids)
		if err != nil {
			return b, err
		}
		for _, id := range ids {
			row := rows[id]
			if row.User != nil && row.Binding != nil && row.Binding.Epoch == w.lease.Epoch && row.Binding.ConnectionID == w.conn.ID {
				b.Add(row.User, row.Binding.UserPrincipalName)
			}
		}
		if cursor = next; cursor == "" {
			return b, nil
		}
	}
}
