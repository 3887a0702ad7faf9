package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// guard puts plans before the guard of package plan: it gathers what that looks
// at.
type guard struct {
	s        *session
	queue    *runQueue
	shield   *shield
	chunks   chunkStore
	runs     runStore
	counts   countStore
	users    userStore
	clients  scimClientStore
	bindings bindingStore
	calls    callCounter
}

// check looks at the very changes that will run, before the first of them, and
// has the run applied, held, or ended as a dry run. done says that there is
// nothing to write.
func (g *guard) check(ctx context.Context, t *task) (done bool, err error) {
	r := t.run
	total := 0
	for _, n := range r.Counts {
		total += n
	}
	var notes []store.Note
	if total > 0 {
		if err := t.tally.complete(ctx, g.s, g.chunks); err != nil {
			return false, err
		}
		notes = append(notes, store.Note{Name: store.NoteParts, Body: runs.PartsOf(t.tally.ofAccounts())})
	}
	if r.DryRun {
		r.State, r.EndedAt = directory.RunPlanned, g.s.now().UTC()
		return false, g.record(ctx, t, notes...)
	}
	if total == 0 {
		return true, g.queue.supersedeCovered(ctx, r)
	}
	looked := t.tally
	if t.at.Waited {
		if looked, err = g.openTally(ctx, r); err != nil {
			return false, err
		}
	}
	held, err := g.look(ctx, r, looked)
	if err != nil {
		return false, err
	}
	if held != nil && g.queue.alone(r.ID) {
		return false, errNotAlone
	}
	if err := g.namePushers(ctx, r, held); err != nil {
		return false, err
	}
	if held != nil { // it may become part of another run, and is kept as it was planned
		if err := g.record(ctx, t); err != nil {
			return false, err
		}
	} else if t.unstored != nil && t.tally.changes <= fewChanges {
		notes = nil // few changes are counted when somebody asks, see runs.Service
	}
	if held != nil && r.Urgent {
		if merged, err := g.queue.mergeHeld(ctx, r); err != nil || merged {
			return false, err
		}
	}
	if !t.at.Waited { // by now it is not the newest plan any more
		if err := g.queue.supersedeCovered(ctx, r); err != nil {
			return false, err
		}
	}
	r.State, r.Attempts = directory.RunApplying, 0
	if held != nil {
		r.Held = held
		t.at.Exempt = exempt(r)
		if !t.at.Exempt {
			g.queue.hold(r)
		}
		g.s.log.Warn("run held", "connectionId", g.s.conn.ID, "runId", r.ID, "reasons", len(held.Reasons))
	}
	if r.State == directory.RunApplying {
		t.at.Clean = false // what is sent from here on is known from its results only
	}
	return false, g.record(ctx, t, notes...)
}

// namePushers tells, of a run that is held, which clients of SCIM have made edits that it
// comes from: a wrong scope there suspends hundreds, and the client is what to stop.
func (g *guard) namePushers(ctx context.Context, r *store.RunRecord, held *directory.Held) error {
	if held == nil {
		return nil
	}
	for _, by := range r.EditedBy {
		id, is := directory.ScimClientOf(by)
		if !is {
			continue
		}
		c, err := g.clients.ScimClient(ctx, id)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		name := cmp.Or(c.Name, by) // one that was deleted meanwhile
		held.Facts = append(held.Facts, directory.HeldFact{Code: directory.HeldPushed, Name: name, ScimClientID: id})
		held.Reasons = append(held.Reasons, fmt.Sprintf("the SCIM client %q has made edits that the run comes from; PATCH /v1/scim-clients/%[2]s with paused true stops it, and POST /v1/scim-clients/%[2]s/take-back puts back what it has changed", name, by))
	}
	return nil
}

// record stores a run with what there is of its plan that is not stored yet.
func (g *guard) record(ctx context.Context, t *task, notes ...store.Note) error {
	if t.unstored == nil {
		return g.queue.submit(ctx, t.run, t.at, notes...)
	}
	t.run.Cursor = t.at.Encode()
	g.s.sum.State = t.run.State
	at := g.s.now()
	if err := g.store(ctx, t, notes); err != nil {
		return err
	}
	g.queue.known.noteStored(t.run)
	t.keep(t.run.Chunks-1, t.unstored)
	t.unstored, t.storedAt = nil, g.s.now()
	if g.s.lease.Run == t.run.ID {
		t.renewed = renewal{at.UnixNano(), g.calls.Calls()}
	}
	return nil
}

// store stores a run with the last chunk of its plan.
func (g *guard) store(ctx context.Context, t *task, notes []store.Note) error {
	if !isDraft(t.run) || !passing(t.run) {
		return g.s.changed(ifDecided(g.chunks.AppendChunk(ctx, &g.s.lease, t.run, t.unstored, notes...)))
	}
	g.s.lease.Pace.Brief = true // no more than fewChanges
	return g.s.changed(g.chunks.BeginRun(ctx, &g.s.lease, t.run, t.unstored, g.s.leaseTTL(), notes...))
}

// passing reports whether a run is over in a moment, and could be planned anew if
// nobody knew of it: what it has written by then is found as it is wanted.
func passing(r *store.RunRecord) bool {
	n := r.Counts[directory.EffectUpdate]
	for _, k := range r.Counts {
		n -= k
	}
	return r.State == directory.RunApplying && n == 0 && r.Counts[directory.EffectUpdate] <= fewChanges &&
		ofMarks(r) && len(r.Kinds) == 0
}

// look says why a run must be held that has what a tally counts, or nil.
func (g *guard) look(ctx context.Context, r *store.RunRecord, t *tally) (*directory.Held, error) {
	limits := g.s.conn.Settings.Guard
	f := plan.Facts{
		Former:      g.s.conn.FormerGuards(g.s.now(), g.s.lease.Decided),
		Run:         t.counts,
		Unprotected: g.shield.now().Unread(),
		Approve:     g.s.conn.Settings.Mode == directory.ModeApprove,
	}
	if r.Remapped {
		f.Settings = &plan.Touched{Users: t.touched}
	}
	users, err := g.countUsers(ctx, t)
	if err != nil {
		return nil, err
	}
	if takesAccess(t) {
		f.Source = &plan.Source{Then: g.s.lease.Users, Now: users.n}
	}
	limited, byPart := plan.Limited(limits, t.counts), plan.ByPart(limits, t.counts)
	for _, former := range f.Former {
		limited = limited || plan.Limited(former.Limits, t.counts)
		byPart = byPart || plan.ByPart(former.Limits, t.counts)
	}
	if limited || r.Remapped {
		if err := g.addHistory(ctx, r, &f); err != nil {
			return nil, err
		}
	}
	if byPart {
		all := f.Bound.All
		if f.Bound, err = g.boundByPart(ctx); err != nil {
			return nil, err
		}
		f.Bound.All = all
	}
	held := plan.Guard(limits, f)
	switch {
	case f.Source == nil: // nobody has looked at whether it shrank
		g.s.noteUsers(max(g.s.lease.Users, users.n), users.at)
	case shrunkenSource(held) == nil:
		g.s.noteUsers(users.n, users.at)
	}
	return held, nil
}

// takesAccess reports whether a plan blocks or deletes accounts.
func takesAccess(t *tally) bool {
	people := t.ofAccounts()
	return people.Total(directory.EffectBlock)+people.Total(directory.EffectDelete) > 0
}

const (
	// usersKnown is for how long a count of the users may be taken for how many
	// there are, by plans of at most fewChanges that take nobody's access.
	usersKnown = 10 * time.Minute
	// fewChanges are a plan that is cheaper to read than to note what it adds up to.
	fewChanges = 10
)

// userCount is how many users the directory had at some time.
type userCount struct {
	n  int
	at time.Time
}

// countUsers returns how many users there are. Whether the directory has shrunk is
// asked of plans that take access only, and for them it is counted each time. Other
// plans count to remember how large it was: that number may be ten minutes old. So
// users who have come and gone within ten minutes may count as never having been
// there, as do those who come and go between two plans; a load, whose plans are
// larger, is counted with each of them, and the shares that limits allow do not
// depend on this number.
func (g *guard) countUsers(ctx context.Context, t *tally) (userCount, error) {
	known := userCount{g.s.lease.Users, g.s.lease.UsersAt}
	now := g.s.now()
	age := now.Sub(known.at)
	if known.n > 0 && age >= 0 && age < usersKnown && t.changes <= fewChanges && !takesAccess(t) {
		return known, nil
	}
	n, err := g.users.CountUsers(ctx)
	return userCount{n, now}, err
}

// addHistory adds what was applied of late, what is about to be, and of how many
// bound users a limit's share is.
func (g *guard) addHistory(ctx context.Context, r *store.RunRecord, f *plan.Facts) error {
	now := g.s.now()
	hours, err := g.counts.AppliedSince(ctx, g.s.conn.ID, now.Add(-plan.Week))
	if err != nil {
		return err
	}
	if f.Bound.All, err = g.boundAccounts(ctx, hours); err != nil {
		return err
	}
	if f.Others, err = g.boundObjects(ctx, f.Run, hours); err != nil {
		return err
	}
	pending, touched, err := g.pending(ctx, r, f.Run)
	if err != nil {
		return err
	}
	if f.Settings != nil {
		f.Settings.Before = touched + g.remappedBefore(hours)
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
	return nil
}

// pending counts what other runs are still to send that the guard has let go, or
// of runs for leavers may: for the guard it is as good as done. What an admin
// approved counts for nobody. touched is how many users those are that are the
// first since the settings changed. Runs that have none of the effects that are
// looked at are left out: nothing is held for what else is done, and somebody who
// leaves does not wait until all chunks of a load are read.
func (g *guard) pending(ctx context.Context, but *store.RunRecord, looked plan.Tally) (sum plan.Counter, touched int, err error) {
	others, err := g.queue.list(ctx)
	if err != nil {
		return nil, 0, err
	}
	t := plan.Tally{}
	for i := range others {
		r := &others[i]
		at, err := runs.ProgressOf(r)
		if err != nil {
			return nil, 0, err
		}
		if r.ID == but.ID || r.ApprovedBy != "" || r.State == directory.RunHeld ||
			at.StateBehind(r.State) != directory.RunApplying && !(r.Urgent && but.Urgent) {
			continue
		}
		if !but.Remapped {
			apart, err := g.apart(ctx, r, looked)
			if err != nil {
				return nil, 0, err
			}
			if apart {
				continue
			}
		}
		for chunk := range r.Chunks {
			if err := g.s.inTime(ctx); err != nil {
				return nil, 0, err
			}
			changes, _, err := g.chunks.Chunk(ctx, r.ID, chunk)
			if err != nil {
				return nil, 0, err
			}
			changes = slices.DeleteFunc(changes, func(c directory.Change) bool {
				return !open(&c) || at.Exempt && !plan.Exempt(r.Held, &c)
			})
			t.Add(changes)
			if r.Remapped {
				touched += plan.TouchedBy(changes)
			}
		}
	}
	return t.Counter(), touched, nil
}

// apart reports whether a planned run has none of the guarded effects of another
// one's tally, by what was noted when the guard looked at it: that counts whatever
// it may still have to send.
func (g *guard) apart(ctx context.Context, r *store.RunRecord, looked plan.Tally) (bool, error) {
	if len(r.Kinds) > 0 {
		// Only accounts were counted. What else there is counts as what it is, but for
		// emptied values.
		for _, e := range directory.GuardedEffects {
			if looked.Total(e) > 0 && (r.Counts[e] > 0 || e == directory.EffectUpdateToEmpty) {
				return false, nil
			}
		}
	}
	var parts runs.Parts
	err := g.runs.Note(ctx, r.ID, store.NoteParts, &parts)
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil // the guard has not looked at it yet
	}
	if err != nil {
		return false, err
	}
	counts, whole := parts.Effects()
	for _, e := range directory.GuardedEffects {
		if counts[e] > 0 && looked.Total(e) > 0 {
			return false, nil
		}
	}
	return whole, nil
}

// numRemapped begins the name of the number, beside what else an hour counts, of
// users to whom was written before all marks had been planned with settings that
// the rest of the name stands for.
const numRemapped = "remapped#"

// remappedBefore is how many users those are of the last week, for the settings
// as they are.
func (g *guard) remappedBefore(hours map[int64]map[string]int64) int {
	n, name := int64(0), numRemapped+g.s.settingsDigest()
	for _, counts := range hours {
		n += counts[name]
	}
	return int(n)
}

// loosened reports whether a run is held by the guard as it was before it was
// loosened.
func loosened(h *directory.Held) bool {
	return h != nil && slices.ContainsFunc(h.Facts, func(f directory.HeldFact) bool { return f.Code == directory.HeldGuardLoosened })
}

// shrunkenSource is the fact that a run is held for its source, if it is.
func shrunkenSource(h *directory.Held) *directory.HeldFact {
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
func (g *guard) boundAccounts(ctx context.Context, hours map[int64]map[string]int64) (int, error) {
	a, err := g.counts.BoundAccounts(ctx, g.s.conn.ID, g.s.lease.Epoch)
	if err != nil {
		return 0, err
	}
	young := store.GainedSince(hours, directory.KindAccount, plan.Hour(g.s.now().Add(-plan.Day)))
	if !a.Counted {
		// The connection is new, or an earlier version did not count: once all
		// bindings are looked at.
		all, late := 0, 0
		err := g.eachBinding(ctx, directory.KindAccount, func(list []directory.Binding) error {
			for i := range list {
				switch {
				case list[i].AccountID == "":
				case g.heldForADay(&list[i]):
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
		if err := g.s.keep.countAccounts(ctx, &g.s.lease, a, all, max(0, late-young)); err != nil {
			return 0, err
		}
		a.N, young = all, max(young, late)
	}
	return max(0, a.N-young), nil
}

// heldForADay reports whether a binding has had its account for a day. Where
// that was not noted the binding's own age counts.
func (g *guard) heldForADay(b *directory.Binding) bool {
	since := b.AccountSince
	if since.IsZero() {
		since = b.SelectedAt
	}
	return b.AccountID != "" && !since.After(g.s.now().Add(-plan.Day))
}

// boundObjects is what of other kinds than accounts an allowance's share is of: see
// boundAccounts.
func (g *guard) boundObjects(ctx context.Context, t plan.Tally, hours map[int64]map[string]int64) (map[directory.Kind]plan.Bound, error) {
	out := map[directory.Kind]plan.Bound{}
	for _, kind := range t.Kinds() {
		if kind == "" {
			continue
		}
		_, all, err := g.counts.BoundObjects(ctx, kind, g.s.conn.ID, g.s.lease.Epoch)
		if err != nil {
			return nil, err
		}
		young := store.GainedSince(hours, kind, plan.Hour(g.s.now().Add(-plan.Day)))
		out[kind] = plan.Bound{All: max(0, all-young)}
	}
	return out, nil
}

// eachBinding calls do with the connection's bindings of a kind, a few hundred at a
// time.
func (g *guard) eachBinding(ctx context.Context, kind directory.Kind, do func([]directory.Binding) error) error {
	for cursor := ""; ; {
		if err := g.s.inTime(ctx); err != nil {
			return err
		}
		list, next, err := g.bindings.ListBindings(ctx, kind, g.s.conn.ID, g.s.lease.Epoch, cursor, 500)
		if err != nil {
			return err
		}
		if err := do(list); err != nil {
			return err
		}
		cursor = next
		if cursor == "" {
			return nil
		}
	}
}

// boundByPart counts the bound users of each department and domain that an
// allowance's share is of; see boundAccounts.
func (g *guard) boundByPart(ctx context.Context) (plan.Bound, error) {
	var b plan.Bound
	err := g.eachBinding(ctx, directory.KindAccount, func(list []directory.Binding) error {
		ids := make([]directory.UserID, len(list))
		for i := range list {
			ids[i] = list[i].UserID
		}
		rows, err := g.bindings.Subjects(ctx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			row := rows[id]
			if row.User != nil && row.Binding != nil && row.Binding.Epoch == g.s.lease.Epoch && row.Binding.ConnectionID == g.s.conn.ID &&
				g.heldForADay(row.Binding) {
				b.Add(row.User, row.Binding.UserPrincipalName)
			}
		}
		return nil
	})
	return b, err
}
