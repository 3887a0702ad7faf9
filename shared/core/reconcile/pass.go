package reconcile

import (
	"context"
	"errors"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// passTime bounds the one request that is sent without the lease.
const passTime = 30 * time.Second

// aheadPage is the first page of a round that was read before the lease was
// taken, and the link that it was read from.
type aheadPage struct {
	link string
	page directory.AccountPage
}

// pass does a scheduled run that finds nothing to do: one request to the tenant
// and one write to the table. It takes no lease, since nothing follows from what
// it reads: its only write holds if nobody has worked on the connection
// meanwhile. Whatever it finds that is not nothing it leaves to the slice, which
// goes on with the page that was read. It reports whether that was all.
func (w *worker) pass(ctx context.Context, id directory.ConnectionID) (bool, error) {
	if w.back != "" {
		return false, nil // what is not in the page says something too
	}
	l, c, err := w.Store.PeekLease(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		w.sum.Skipped = "there is no such connection"
		return true, nil
	}
	if err != nil || !l.Until.IsZero() || !c.Authorized() {
		return false, err
	}
	w.lease, w.conn = l, c
	if !w.nextPageDue(l.Link) || directory.FullReadDue(id, l.FullAt, w.now()) || w.lostDomainDue() {
		return false, nil
	}
	if busy, err := w.workStands(ctx); err != nil || busy {
		return false, err
	}
	if err := w.prepare(ctx); err != nil {
		return false, w.outside(ctx, err)
	}
	rctx, cancel := context.WithTimeout(ctx, passTime)
	defer cancel()
	page, err := w.tenant.Delta(rctx, w.managed, l.Link.Link)
	if errors.Is(err, directory.ErrResync) || errors.Is(err, directory.ErrForeignLink) {
		return false, nil // the slice meets it again, and has what it takes
	}
	if err != nil {
		return false, w.outside(ctx, err)
	}
	w.sum.Pages++
	if len(page.Accounts)+len(page.Removed) > 0 || page.Next != "" || page.DeltaLink == "" {
		w.ahead = &aheadPage{link: l.Link.Link, page: page}
		return false, nil
	}
	next, now := l.Link, w.now()
	next.Link, next.At, next.Since = page.DeltaLink, now.UTC(), now.UTC()
	w.madeWith(&next)
	err = w.Store.RecordNoOp(ctx, l, next, now)
	if errors.Is(err, directory.ErrLeaseLost) {
		return false, nil // somebody was faster; the slice looks what is left
	}
	return err == nil, err
}

// nextPageDue reports whether an incremental round from a link is due.
func (w *worker) nextPageDue(link store.ReadLink) bool {
	interval := time.Duration(w.conn.Settings.Defaulted().Interval)
	switch {
	case link.Link == "" || link.Full || w.outdated(link):
		return false
	case (w.wrote || w.lookComes()) && w.now().Sub(link.At) < 2*interval:
		// It is too early to see what became of it, and a wake-up for that is on its
		// way. But where every slice writes something the tenant is read all the same.
		return false
	}
	return w.back != "" || directory.ReadDue(interval, link.At, w.now())
}

// lookComes reports whether the look after a run that wrote is still to come, by
// this slice or another one's wake-up. A round in between would show an account
// that was written to before anybody looks what it does not show.
func (w *worker) lookComes() bool {
	return w.back == "" && w.now().Sub(w.lease.Pace.Wrote) < readBackAfter+lookLate
}

// workStands reports whether a run is open or a binding is marked.
func (w *worker) workStands(ctx context.Context) (bool, error) {
	ids, err := w.Store.OpenRuns(ctx, w.conn.ID)
	if err != nil || len(ids) > 0 {
		return true, err
	}
	marks, _, err := w.Store.UrgentMarks(ctx, w.conn.ID, w.lease.Epoch, "", 1)
	if err != nil || len(marks) > 0 {
		return true, err
	}
	marks, _, err = w.Store.ListMarks(ctx, w.conn.ID, w.lease.Epoch, "", 1)
	return len(marks) > 0, err
}
