package reconcile

import (
	"context"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
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

// openTally is what a run still has to send: what has been applied of it is in
// the guard's history.
func (w *worker) openTally(ctx context.Context, r *store.RunRecord) (*tallied, error) {
	t := &tallied{run: r.ID, counts: plan.Tally{}, remapped: r.Remapped}
	for chunk := range r.Chunks {
		if err := w.inTime(ctx); err != nil {
			return nil, err
		}
		changes, _, err := w.Store.Chunk(ctx, r.ID, chunk)
		if err != nil {
			return nil, err
		}
		t.add(slices.DeleteFunc(changes, func(c directory.Change) bool { return !open(&c) }))
	}
	return t, nil
}

// checkGuard looks at the very changes that will run, before the first of them.
func (w *worker) checkGuard(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	total := 0
	for _, n := range r.Counts {
		total += n
	}
	var notes []store.Note
	var err error
	t := &tallied{}
	if total > 0 {
		if t, err = w.tally(ctx, r); err != nil {
			return err
		}
		notes = append(notes, store.Note{Name: store.NoteParts, Body: runs.PartsOf(t.counts)})
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
	if cur.Waited {
		if t, err = w.openTally(ctx, r); err != nil {
			return err
		}
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
	if !cur.Waited { // by now it is not the newest plan any more
		if err := w.overtaken(ctx, r); err != nil {
			return err
		}
	}
	r.State, r.Attempts = directory.RunApplying, 0
	if held != nil {
		r.Held = held
		if cur.Exempt = w.anyExempt(r); !cur.Exempt {
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

// anyExempt reports whether a held run may have changes that go all the same. Of
// an undo nothing does: its blocks are of accounts that a run made, and it waits
// for nobody who has left.
func (w *worker) anyExempt(r *store.RunRecord) bool {
	if r.Kind == directory.KindUndo {
		return false
	}
	for e, n := range r.Counts {
		if n > 0 && plan.Exempt(r.Held, &directory.Change{Effect: e}) {
			return true
		}
	}
	return false
}

// resumeUnread puts a run before the guard again that was held since it could not
// be read who is protected, once it can: with the settings, the mode and the
// history of now, without what of it has gone already. Each call takes one run,
// so that what it applies counts for the next. What an admin approved goes on as
// approved. Whoever is protected is refused when the change is sent.
func (w *worker) resumeUnread(ctx context.Context) error {
	open, err := w.openRuns(ctx)
	if err != nil {
		return err
	}
	for i := range open {
		r := &open[i]
		if r.State != directory.RunHeld || !heldUnread(r.Held) {
			continue
		}
		if err := w.prepare(ctx); err != nil {
			return w.outside(ctx, err)
		}
		if err := w.loadProtection(ctx); err != nil {
			return w.outside(ctx, err)
		}
		if w.shield().Unread() != "" {
			return nil
		}
		cur, err := runs.ProgressOf(r)
		if err != nil {
			return err
		}
		cur.Recheck()
		if r.State = directory.RunApplying; r.ApprovedBy == "" {
			r.State, r.Held = directory.RunPlanning, nil
		}
		r.Cursor = cur.Encode()
		return w.Store.SaveRun(ctx, &w.lease, r)
	}
	return nil
}

// heldUnread reports whether a run is held since it is not known who is
// protected, perhaps besides other reasons.
func heldUnread(h *directory.Held) bool {
	return h != nil && h.Wave == nil &&
		slices.ContainsFunc(h.Facts, func(f directory.HeldFact) bool { return f.Code == directory.HeldRolesUnreadable })
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
	limits := w.conn.Settings.Guard
	f := plan.Facts{
		Former:      w.conn.FormerGuards(w.now(), w.lease.Decided),
		Run:         t.counts,
		Unprotected: w.shield().Unread(),
		Approve:     w.conn.Settings.Mode == directory.ModeApprove,
	}
	if r.Remapped {
		f.Settings = &plan.Touched{Users: t.touched}
	}
	users, err := w.Store.CountUsers(ctx)
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
	if limited || r.Remapped {
		now := w.now()
		hours, err := w.Store.AppliedSince(ctx, w.conn.ID, now.Add(-plan.Week))
		if err != nil {
			return nil, err
		}
		if f.Bound.All, err = w.boundAccounts(ctx, hours); err != nil {
			return nil, err
		}
		pending, touched, err := w.pending(ctx, r)
		if err != nil {
			return nil, err
		}
		if f.Settings != nil {
			f.Settings.Before = touched + w.remappedBefore(hours)
		}
		pending.Merge(hours[plan.Hour(now)])
		hours[plan.Hour(now)] = pending
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
		all := f.Bound.All
		if f.Bound, err = w.boundByPart(ctx); err != nil {
			return nil, err
		}
		f.Bound.All = all
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

// numRemapped begins the name of the number, beside what else an hour counts, of
// users to whom was written before all marks had been planned with settings that
// the rest of the name stands for.
const numRemapped = "remapped#"

// remappedBefore is how many users those are of the last week, for the settings
// as they are.
func (w *worker) remappedBefore(hours map[int64]map[string]int64) int {
	n, name := int64(0), numRemapped+w.settingsDigest()
	for _, counts := range hours {
		n += counts[name]
	}
	return int(n)
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

// boundAccounts is how many bound users an allowance's share is of: those whose
// binding has had its account for a day. Whoever may bind users could raise every
// allowance otherwise just before using it, at no cost by users without an
// account. What has been lost of late is not among them either.
func (w *worker) boundAccounts(ctx context.Context, hours map[int64]map[string]int64) (int, error) {
	a, err := w.Store.BoundAccounts(ctx, w.conn.ID, w.lease.Epoch)
	if err != nil {
		return 0, err
	}
	young := store.GainedSince(hours, plan.Hour(w.now().Add(-plan.Day)))
	if !a.Counted {
		// The connection is new, or an earlier version did not count: once all
		// bindings are looked at.
		all, late := 0, 0
		err := w.eachBinding(ctx, func(list []directory.Binding) error {
			for i := range list {
				switch {
				case list[i].AccountID == "":
				case w.settledAccount(&list[i]):
					all++
				default:
					all, late = all+1, late+1
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		if !w.looks { // whoever only looks has no lease, and leaves the count to who works
			if err := w.Store.CountAccounts(ctx, &w.lease, a, all, max(0, late-young)); err != nil {
				return 0, err
			}
		}
		a.N, young = all, max(young, late)
	}
	return max(0, a.N-young), nil
}

// settledAccount reports whether a binding has had its account for a day. Where
// that was not noted the binding's own age counts.
func (w *worker) settledAccount(b *directory.Binding) bool {
	since := b.AccountSince
	if since.IsZero() {
		since = b.SelectedAt
	}
	return b.AccountID != "" && !since.After(w.now().Add(-plan.Day))
}

// eachBinding calls do with the connection's bindings, a few hundred at a time.
func (w *worker) eachBinding(ctx context.Context, do func([]directory.Binding) error) error {
	for cursor := ""; ; {
		if err := w.inTime(ctx); err != nil {
			return err
		}
		list, next, err := w.Store.ListBindings(ctx, directory.KindAccount, w.conn.ID, w.lease.Epoch, cursor, 500)
		if err != nil {
			return err
		}
		if err := do(list); err != nil {
			return err
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// boundByPart counts the bound users of each department and domain that an
// allowance's share is of; see boundAccounts.
func (w *worker) boundByPart(ctx context.Context) (plan.Bound, error) {
	var b plan.Bound
	err := w.eachBinding(ctx, func(list []directory.Binding) error {
		ids := make([]directory.UserID, len(list))
		for i := range list {
			ids[i] = list[i].UserID
		}
		rows, err := w.Store.Subjects(ctx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			row := rows[id]
			if row.User != nil && row.Binding != nil && row.Binding.Epoch == w.lease.Epoch && row.Binding.ConnectionID == w.conn.ID &&
				w.settledAccount(row.Binding) {
				b.Add(row.User, row.Binding.UserPrincipalName)
			}
		}
		return nil
	})
	return b, err
}
