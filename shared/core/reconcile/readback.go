package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// A run that wrote is followed by a look at the tenant: one more round from the
// link that there is, which the next run would have read anyway. What this first
// look does not show as written is noted on the binding (PropertyWrites.Seen):
// the copy that was read may be an old one, or Microsoft keeps another value, or
// nothing. A direct read at the end of Grace tells (plan.Judge). Where the first
// look came too early, since the tenant's reads are older than that, and another
// value altogether is there then, nobody can tell it from somebody's change: it is
// written once more, and the second look tells. A value that the
// first look shows as written and a later one does not is somebody else's change;
// so is one that differs when nobody has looked within Grace.

// readBackAfter is how long after a run the tenant is looked at.
const readBackAfter = 30 * time.Second

// lookLate is how late the wake-up for it may come.
const lookLate = 15 * time.Second

// glimpse is what the first look at an account after our write showed instead of
// what was written.
type glimpse struct {
	user  directory.UserID
	seen  directory.Properties
	after time.Time     // it concerns what was written after that
	wait  time.Duration // until a direct read tells
}

// lookAt compares what a round showed of an account with what was agreed. The
// glimpse holds what differs and was written by us since the round before. until
// is when reads are no older than our writes any more, if all that differs was
// written by us lately; else zero.
func (rd *rounds) lookAt(link *store.ReadLink, b *directory.Binding, a *directory.Account) (look glimpse, until time.Time) {
	var whole []string
	if link.Full || newborn(link, b) {
		whole = rd.managed
	}
	changed := changedValues(b, a, whole)
	if b.Applied < b.Wanted {
		return look, time.Time{}
	}
	look = glimpse{user: b.UserID, seen: directory.Properties{}, after: link.Since}
	for name, observed := range changed {
		at := lastWritten(b, name)
		if !at.Add(Grace).After(rd.s.now()) {
			return glimpse{}, time.Time{} // that was somebody else, or comes too late to tell
		}
		if !link.Since.IsZero() && at.After(link.Since) && name != directory.PropAccountEnabled {
			look.seen[name] = observed
		}
		until = laterOf(until, at.Add(Grace))
	}
	look.wait = max(atOnce, until.Sub(rd.s.now()))
	return look, until
}

// newborn reports whether a round is the first to show an account that we created,
// and wrote nothing to since: what it does not show of it is not there.
func newborn(link *store.ReadLink, b *directory.Binding) bool {
	return b.Created && len(b.Writes) == 0 && !link.Since.IsZero() && b.LastWrite.After(link.Since)
}

// bornWithout reports whether a new account lacks a value that it was created with.
func (rd *rounds) bornWithout(link *store.ReadLink, b *directory.Binding, a *directory.Account) bool {
	return b != nil && b.Epoch == rd.s.lease.Epoch && !b.Dirty() && newborn(link, b) && len(changedValues(b, a, rd.managed)) > 0
}

// noteUnreported finds what a run wrote of which a whole round has shown nothing:
// a write that changes nothing is in no round. since is when the round before
// ended.
func (rd *rounds) noteUnreported(ctx context.Context, shown *round, since time.Time) error {
	r, err := rd.runs.Run(ctx, rd.cadence.back)
	if errors.Is(err, directory.ErrNotFound) || err == nil && (r.ConnectionID != rd.s.conn.ID || r.Epoch != rd.s.lease.Epoch || r.Kind == directory.KindUndo) {
		return nil
	}
	if err != nil || !updates(&r) {
		return err
	}
	for n := range r.Chunks {
		if err := rd.s.inTime(ctx); err != nil {
			return err
		}
		changes, _, err := rd.chunks.Chunk(ctx, r.ID, n)
		if err != nil {
			return err
		}
		if err := rd.noteLooks(ctx, rd.unreported(shown, changes, since)); err != nil {
			return err
		}
	}
	return nil
}

// updates reports whether a run wrote to accounts that were there before. A new
// account is in the next round in any case.
func updates(r *store.RunRecord) bool {
	return r.Counts[directory.EffectUpdate]+r.Counts[directory.EffectUpdateSensitive]+r.Counts[directory.EffectRename] > 0
}

// unreported are the written values of accounts that the round has not shown: they
// may be as before.
func (rd *rounds) unreported(shown *round, changes []directory.Change, since time.Time) []glimpse {
	var list []glimpse
	for i := range changes {
		c := &changes[i]
		if !c.Object.IsZero() {
			continue // rounds show accounts only
		}
		if c.State != directory.ChangeApplied || !c.At.After(since) || shown.reported[c.AccountID] ||
			c.Effect != directory.EffectUpdate && c.Effect != directory.EffectUpdateSensitive && c.Effect != directory.EffectRename {
			continue
		}
		if !c.At.Add(Grace).After(rd.s.now()) {
			continue // too late to tell
		}
		g := glimpse{user: c.UserID, seen: directory.Properties{}, after: since, wait: max(atOnce, c.At.Add(Grace).Sub(rd.s.now()))}
		for _, p := range c.Properties {
			g.seen[p.Name] = p.Before
		}
		if at := slices.IndexFunc(list, func(l glimpse) bool { return l.user == c.UserID }); at >= 0 {
			maps.Copy(list[at].seen, g.seen)
			list[at].wait = max(list[at].wait, g.wait)
			continue
		}
		list = append(list, g)
	}
	return list
}

// noteLooks notes on bindings what first looks showed, and has the accounts read
// directly when that tells. A binding that was edited or marked meanwhile is
// looked at anyway.
func (rd *rounds) noteLooks(ctx context.Context, list []glimpse) error {
	changes := make([]store.BindingChange, 0, len(list))
	for _, g := range list {
		changes = append(changes, store.BindingChange{Ref: directory.AccountOf(g.user), Later: g.wait, Mutate: g.note})
	}
	for part := range slices.Chunk(changes, 30) {
		err := inParts(part, func(part []store.BindingChange) error {
			return rd.journal.Journal(ctx, &rd.s.lease, &rd.s.conn, store.Journal{Bindings: part})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// note writes a glimpse to the writes that it is about.
func (g *glimpse) note(b *directory.Binding) bool {
	if b.Dirty() || b.Resting() {
		return false
	}
	if len(b.Writes) == 0 {
		b.Writes = []directory.PropertyWrites{{At: b.LastWrite}}
	}
	noted := false
	for name, v := range g.seen {
		w := b.Written(name)
		if w == nil || !w.At.After(g.after) {
			continue
		}
		if w.Seen == nil {
			w.Seen = directory.Properties{}
		}
		w.Seen[name], noted = v, true
	}
	b.Digest = 0
	return noted
}
