package licences

import (
	"context"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// What others change of licences of ours is seen by the rounds of accounts, which show
// what each has when they are asked to: an idle run costs no request more for it. That
// Microsoft tells of such a change by itself is not proved ([K]; it is a property of the
// directory's own store, which all are told of, and Microsoft's documents name no
// exception); where it does not, the weekly full round shows it.

// Selects are what rounds of accounts are to show besides.
func (o *objects) Selects() []string {
	if !o.s.Connection().Wants(directory.ScopeLicences) {
		return nil
	}
	return []string{directory.PropAssignedLicences}
}

// Selects are none: of groups the rounds of groups tell.
func (o *groupObjects) Selects() []string { return nil }

// Shown are the licences of those who do not have any more what we gave, or of whom
// something may be other than it was when their record waits for something.
func (o *objects) Shown(ctx context.Context, accounts []directory.Account, owners map[directory.AccountID]directory.UserID) (now, later []directory.Ref, err error) {
	var refs []directory.Ref
	has := map[directory.Ref]*directory.Account{}
	for i := range accounts {
		a := &accounts[i]
		if u, ours := owners[a.ID]; ours && a.Licences != nil {
			ref := directory.LicenceOf(u)
			refs = append(refs, ref)
			has[ref] = a
		}
	}
	if len(refs) == 0 {
		return nil, nil, nil
	}
	records, err := o.records.of(ctx, refs)
	if err != nil {
		return nil, nil, err
	}
	for _, ref := range refs {
		b := records[ref]
		if b == nil || b.Marked && b.Recheck || b.Resting() {
			continue
		}
		asGiven := accountOf(b.Base) != has[ref].ID || directory.LicencesAsGiven(b.Base, has[ref].Licences)
		switch {
		case asGiven && (b.Problem == nil || b.Problem.Code == directory.CodeWaitingForSeat):
			// as it was agreed; and for a seat it is looked at with the whole line
		case !asGiven && o.s.Fresh(b).Any():
			later = append(later, ref)
		default:
			now = append(now, ref)
		}
	}
	return now, later, nil
}

// Attribution tells who at Microsoft changed licences of an account, or of a tenant group,
// since a time, as far as Microsoft's audit log says. A nil Actor: it does not. An error
// means that it is not found out.
type Attribution func(ctx context.Context, c *directory.Connection, of directory.AccountID, since time.Time) (*directory.Actor, error)

const (
	// mostAsked is of how many a slice asks who changed them: Microsoft answers few such
	// questions, and the answer is a comfort only.
	mostAsked = 20
	// askTime is how long one question may take.
	askTime = 5 * time.Second
	// logKept is how far back Microsoft's log goes at most.
	logKept = 30 * 24 * time.Hour
)

// whoChanged finds out who changed what we gave to some, as far as that can be said.
// Nothing waits for the answer.
func (o *objects) whoChanged(ctx context.Context, w reconcile.Work, list []*holding) error {
	if o.who == nil {
		return nil
	}
	for _, h := range list {
		if o.asked >= mostAsked {
			return nil
		}
		if h.holder.Fixed || h.held == nil || !h.foreign() {
			continue
		}
		o.asked++
		since := h.record.LastWrite
		if oldest := w.Now().Add(-logKept); since.Before(oldest) {
			since = oldest
		}
		err := w.Read(ctx, 0, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, askTime)
			defer cancel()
			actor, err := o.who(ctx, o.s.Connection(), h.accountID(), since)
			switch {
			case err != nil:
				o.asked = mostAsked // the others would hear the same
				o.s.Log().Debug("who changed licences was not found out", "connectionId", o.s.Connection().ID, "error", err)
			case actor != nil && !(actor.Admin && actor.At.Before(h.record.LastWrite.Add(reconcile.Grace))):
				h.by = actor
				h.holder.Who = actor.Name
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// foreign reports whether something that we gave, and that is still to be, is not any more
// as we gave it.
func (h *holding) foreign() bool {
	for _, w := range h.holder.Wishes {
		gave, ours := h.holder.Given[w.SKU]
		if !ours || w.ByGroup {
			continue
		}
		if s, direct := h.held.Direct(w.SKU); !direct || !s.Same(directory.AssignedLicence{SKU: w.SKU, DisabledPlans: gave}) {
			return true
		}
	}
	return false
}

// expandPage is how many records are marked at a time.
const expandPage = 200

// expand has all records looked at with each full round, a page at a time: what the rounds
// did not tell of is found then.
func (o *objects) expand(ctx context.Context, kind directory.Kind, cursor string) (next string, err error) {
	c := o.s.Connection()
	list, next, err := o.records.store.ListBindings(ctx, kind, c.ID, c.Epoch, cursor, expandPage)
	if err != nil {
		return "", err
	}
	var refs []directory.Ref
	for i := range list {
		if b := &list[i]; !b.Marked && len(ledger(b.Base, accountOf(b.Base))) > 0 {
			refs = append(refs, b.Ref())
		}
	}
	return next, o.records.store.MarkRecheck(ctx, o.s.Lease(), refs, o.s.Now())
}

// Expand has the licences of all groups looked at. Those of users the accounts' own full
// round shows.
func (o *groupObjects) Expand(ctx context.Context, _ reconcile.Work, cursor string) (next string, err error) {
	if !o.s.Connection().Wants(directory.ScopeLicences) {
		return "", nil
	}
	return o.expand(ctx, directory.KindGroupLicence, cursor)
}
