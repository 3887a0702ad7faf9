package reconcile

import (
	"context"
	"errors"
	"strings"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// noOpTime bounds the one request that is sent without the lease.
const noOpTime = 30 * time.Second

// aheadPage is the first page of a round that was read before the lease was
// taken, and the link that it was read from.
type aheadPage struct {
	link string
	page directory.AccountPage
}

// noOp does a scheduled run that finds nothing to do, and the look after a run that
// finds everything as that run has left it: one request to the tenant
// and one write to the table. It takes no lease, since nothing follows from what
// it reads: its only write holds if nobody has moved the link meanwhile, and says no
// more than that what was there when it began has been looked at. Whatever it finds that is not nothing it leaves to the slice, which
// goes on with the page that was read. It reports whether that was all.
func (w *invocation) noOp(ctx context.Context, id directory.ConnectionID) (done bool, err error) {
	looked := w.s.now()
	l, c, err := w.config.Stores.Leases.PeekLease(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		w.s.sum.Skipped = "there is no such connection"
		return true, nil
	}
	if err != nil {
		return false, err
	}
	w.peeked = &l
	back := w.cadence.back
	if !l.Until.IsZero() || !c.Authorized() || back != "" && l.Wrote.RunID != back {
		return false, nil
	}
	w.s.lease, w.s.conn = l, c
	if w.wake.UserID != "" || !w.cadence.pageDue(l.Link) || directory.FullReadDue(id, l.FullAt, w.s.now()) || w.s.lostDomainDue() {
		return false, nil
	}
	if busy, err := w.workStands(ctx, back != "" && w.wake.Only); err != nil || busy {
		return false, err
	}
	tools, err := w.open(ctx)
	if err != nil {
		return false, w.outside(ctx, err)
	}
	rctx, cancel := context.WithTimeout(ctx, noOpTime)
	defer cancel()
	page, err := tools.rounds.tenant.Delta(rctx, tools.rounds.selected(), l.Link.Link)
	if errors.Is(err, directory.ErrResync) || errors.Is(err, directory.ErrForeignLink) {
		return false, nil // the slice meets it again, and has what it takes
	}
	if err != nil {
		return false, w.outside(ctx, err)
	}
	w.s.sum.Pages++
	if len(page.Removed) > 0 || page.Next != "" || page.DeltaLink == "" || !tools.rounds.asWritten(page.Accounts, back, &l.Wrote) {
		tools.rounds.ahead = &aheadPage{link: l.Link.Link, page: page}
		return false, nil
	}
	if now, later, err := tools.rounds.shown(rctx, &l.Link, page.Accounts); err != nil || len(now)+len(later) > 0 {
		tools.rounds.ahead = &aheadPage{link: l.Link.Link, page: page}
		return false, err
	}
	kinds, unchanged, err := tools.rounds.kindsUnchanged(rctx, &l.Link)
	if err != nil {
		return false, w.outside(ctx, err)
	}
	if !unchanged {
		tools.rounds.ahead = &aheadPage{link: l.Link.Link, page: page}
		return false, nil
	}
	// What somebody writes under a lease that was taken since has not been looked at.
	next := l.Link
	next.Kinds = kinds
	next.Link, next.At, next.Since = page.DeltaLink, looked.UTC(), looked.UTC()
	w.cadence.madeWith(&next)
	err = w.config.Stores.Rounds.RecordNoOp(ctx, l, next, looked)
	if errors.Is(err, directory.ErrLeaseLost) {
		return false, nil // somebody was faster; the slice looks what is left
	}
	w.cadence.read = true
	if err == nil && w.looksAgain() {
		w.s.sum.Again = w.config.SecondLook
		err = w.config.Send(ctx, directory.WakeUp{ConnectionID: id, Second: true}, w.s.sum.Again)
	}
	return err == nil, err
}

// asWritten reports whether the accounts of a page are the very ones that a run has
// written, each with the values that are agreed; without such a run, that there are
// none. Whoever edits one of them has sent a wake-up, and whoever takes the lease is
// seen by what noOp asks.
func (rd *rounds) asWritten(accounts []directory.Account, back directory.RunID, wrote *store.Wrote) bool {
	if back == "" {
		return len(accounts) == 0
	}
	shown := make(map[directory.AccountID]bool, len(accounts))
	for i := range accounts {
		a := &accounts[i]
		id := directory.AccountID(strings.ToLower(string(a.ID)))
		digest, known := wrote.Accounts[id]
		if !known || digest != rd.digester.Of(a.Properties) || plan.Foreign(a) != nil {
			return false
		}
		shown[id] = true
	}
	return len(shown) == len(wrote.Accounts) // what is not shown says something too
}

// workStands reports whether a run is open, a binding is marked, or a use of a group is
// due.
func (w *invocation) workStands(ctx context.Context, noMark bool) (bool, error) {
	st := &w.config.Stores
	if !w.s.lease.NoneOpen() {
		ids, err := st.OpenRuns.OpenRunsUnder(ctx, &w.s.lease)
		if err != nil || len(ids) > 0 {
			return true, err
		}
	}
	if noMark {
		return false, nil
	}
	if w.config.Uses != nil && w.s.conn.UsesGroups {
		if due, err := w.config.Uses.Due(ctx, &w.s.conn); err != nil || due {
			return true, err
		}
	}
	marks, _, err := st.Marks.UrgentMarks(ctx, w.s.conn.ID, w.s.lease.Epoch, "", 1)
	if err != nil || len(marks) > 0 {
		return true, err
	}
	marks, _, err = st.Marks.ListMarks(ctx, w.s.conn.ID, w.s.lease.Epoch, "", 1)
	return len(marks) > 0, err
}
