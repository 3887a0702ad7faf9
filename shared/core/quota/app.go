package quota

import (
	"context"
	"time"

	"bindery/shared/directory"
)

// Microsoft's documented quota of an app over all tenants (G 5).
const (
	appWrites = 35000.0
	appRefill = 35000.0 / 300 // a second
)

const (
	// smallReserve is what the loads of all tenants leave in the app's bucket
	// for those who need only a few writes, and what these may take at once;
	// smallRefill is how fast that fills again, a second.
	smallReserve = 600
	smallRefill  = 15.0
	// smallPortion is how many writes somebody who needs few takes at once while the
	// reserve for such is hardly used: the next ones of the tenant are then paid for.
	smallPortion = 10
	// portion is how many writes a load takes out of the app's bucket at a time.
	portion = 300
	// portionLife is how long a portion that nobody used is good for: what is
	// kept longer would come on top of a bucket that has filled again.
	portionLife = 2 * time.Minute
	// longestLine bounds how long a place in line is left unlooked at.
	longestLine = 5 * time.Minute
)

// appWindow is the time in which a window of the app's writes is counted. Where it is,
// there is no line and are no portions: a load takes what it is about to send, when
// the window has room for it, since what is kept would count from when it is sent.
//
// A refusal tells that the window is full, whoever else has used it, and all wait for
// it. When not even half of it was given out, it is none: it is a bucket again, and
// empty. A leaver for whom a full window has no room tries once in a window, as in the
// tenant's own.
const appWindow = 5 * time.Minute

// App is the app's quota, which all workers share.
type App interface {
	// AppQuota returns it as it is.
	AppQuota(ctx context.Context) (directory.AppQuota, error)
	// ChangeAppQuota lets change edit it and keeps that, again when another worker
	// was faster; false from change ends it unchanged.
	ChangeAppQuota(ctx context.Context, change func(*directory.AppQuota) bool) error
}

// portion makes sure that n writes of the app's quota are ours, and returns how
// long to wait for them.
//
// Loads stand in line: each takes the next portion of all that Microsoft will
// ever allow and may use it once the supply has come past it, with a reserve
// left over. Those who need only a few writes pay out of that reserve and do
// not stand in line, nor do they touch the place that their tenant's load has in it.
// While the reserve is nearly full they take some more at once, so that edits one after
// the other do not each look at the quota of all.
// A worker that dies with a portion loses it, which wastes a little and harms nobody.
func (t Tenant) portion(ctx context.Context, app App, n int, w Work) (time.Duration, error) {
	if t.q.Portion > 0 && !t.q.PortionEnd.IsZero() && t.q.PortionEnd.Before(t.now) {
		t.q.Ticket, t.q.Portion, t.q.PortionEnd = 0, 0, time.Time{}
	}
	if t.q.Portion >= float64(n) && !t.q.PortionEnd.IsZero() {
		t.q.Portion -= float64(n)
		return 0, nil
	}
	paid, wait, err := t.waitInLine(ctx, app, n, w)
	if err != nil || paid || wait > 0 {
		return min(wait, longestLine), err
	}
	t.q.Portion -= float64(n)
	if t.q.PortionEnd.IsZero() {
		t.q.PortionEnd = t.now.Add(portionLife)
	}
	return 0, nil
}

// waitInLine looks how long our place in line still has to wait, and takes one
// when there is none that is good for n writes. It reports whether these are paid for
// without it.
func (t Tenant) waitInLine(ctx context.Context, app App, n int, w Work) (paid bool, wait time.Duration, err error) {
	if t.q.Portion < float64(n) || w.small() {
		return t.takePortion(ctx, app, n, w)
	}
	q, err := app.AppQuota(ctx)
	if err != nil {
		return false, 0, err
	}
	if appCounts(&q, t.now) == directory.CountsWindow {
		t.q.Ticket, t.q.Portion = 0, 0 // there is no line any more
		return t.takePortion(ctx, app, n, w)
	}
	refillApp(&q, t.now)
	return false, inLine(&q, t.q.Ticket), nil
}

// takePortion takes writes at once, which are then paid for, or the next place in line,
// unless ours is good for them.
func (t Tenant) takePortion(ctx context.Context, app App, n int, w Work) (paid bool, wait time.Duration, err error) {
	var got, ticket, more float64
	err = app.ChangeAppQuota(ctx, func(q *directory.AppQuota) bool {
		refillApp(q, t.now)
		paid, got, more = false, 0, 0
		if appCounts(q, t.now) == directory.CountsWindow {
			wait = takeOfAppWindow(q, t.now, n, w)
			paid = wait == 0
			return paid
		}
		if w.small() && (q.Small >= float64(n) || w.Leaver) {
			if n < smallPortion && q.Small >= smallReserve*3/4 && t.q.Portion == 0 && t.q.Ticket == 0 {
				more = float64(smallPortion - n)
			}
			taken := float64(n) + more
			q.Supply -= taken
			q.Small = max(0, q.Small-taken)
			paid, wait = true, 0
			noteOfApp(q, t.now, t.now, int(taken))
			return true
		}
		if t.q.Portion >= float64(n) {
			wait = inLine(q, t.q.Ticket)
			return false
		}
		// No more than is left to do: what is promised and not used is lost.
		got = min(portion, max(float64(n), float64(w.Left))-t.q.Portion)
		q.Promised += got
		ticket, wait = q.Promised, inLine(q, q.Promised)
		noteOfApp(q, t.now, t.now.Add(wait), int(got))
		return true
	})
	if err == nil && paid && more > 0 {
		t.q.Portion, t.q.PortionEnd = more, t.now.Add(portionLife)
	}
	if err != nil || got == 0 {
		return paid, wait, err
	}
	// What is left of the last portion is older than this one, and as good.
	t.q.Portion += got
	t.q.Ticket, t.q.PortionEnd = max(t.q.Ticket, ticket), time.Time{}
	return false, wait, nil
}

// takeOfAppWindow takes writes of a window that has room for them, or says how long
// that takes.
func takeOfAppWindow(q *directory.AppQuota, now time.Time, n int, w Work) time.Duration {
	s := parseSent(q.Sent, appWindow+late, now)
	limit := int(appWrites) - smallReserve
	switch {
	case w.Leaver:
		limit = int(appWrites)
	case w.small():
		limit = int(appWrites) - smallReserve/2
	}
	wait := s.wait(now, n, limit)
	if w.Leaver && now.Sub(time.Unix(q.CountsAt, 0)) > appWindow {
		wait = 0 // nobody was refused for as long
	}
	if wait == 0 {
		noteOfApp(q, now, now, n)
	}
	return wait
}

// refusedOfAppWindow reports whether a refusal is that of a window, and learns from it.
func refusedOfAppWindow(q *directory.AppQuota, now time.Time) bool {
	s := parseSent(q.Sent, appWindow+late, now)
	given := float64(s.within(appWindow, now))
	if appCounts(q, now) == directory.CountsWindow {
		if given < appWrites/2 {
			q.Counts, q.CountsAt = directory.CountsUnknown, now.Unix()
			return false
		}
	} else if given < nearlyFull*appWrites || q.Supply-q.Promised < smallReserve/2 {
		return false
	}
	q.Counts, q.CountsAt = directory.CountsWindow, now.Unix()
	s.fill(now, appWrites)
	q.Sent = s.String()
	return true
}

// noteOfApp notes writes that are given out to be sent at a moment.
func noteOfApp(q *directory.AppQuota, now, at time.Time, n int) {
	s := parseSent(q.Sent, appWindow+late, now)
	s.add(at, n)
	q.Sent = s.String()
}

// appCounts is how the app's quota is known to be counted.
func appCounts(q *directory.AppQuota, now time.Time) directory.Counting {
	if now.Sub(time.Unix(q.CountsAt, 0)) > windowKnown {
		return directory.CountsUnknown
	}
	return q.Counts
}

// inLine is how long a place in line has to wait.
func inLine(q *directory.AppQuota, ticket float64) time.Duration {
	missing := ticket + smallReserve - q.Supply
	if missing <= 0 {
		return 0
	}
	return seconds(missing / (appRefill * under))
}

// refillApp brings the app's quota up to now. The zero quota is full.
func refillApp(q *directory.AppQuota, now time.Time) {
	if q.At.IsZero() {
		q.Supply, q.Small, q.At = q.Promised+appWrites, smallReserve, now
	}
	since := now.Sub(q.At).Seconds()
	if since <= 0 {
		return
	}
	q.Supply = min(q.Promised+appWrites, q.Supply+since*appRefill*under)
	q.Small = min(smallReserve, q.Small+since*smallRefill)
	q.At = now
}
