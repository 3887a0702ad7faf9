package store

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"
	"bindery/shared/table"
)

// A lease has a small item of its own beside that of the connection, so that what
// is written several times in a slice costs little. The link that the reading of the
// tenant goes on from, which is long, has another one, since it is written only when
// something was read. All three are read in one query.
//
// # What mirrors what
//
// Epoch and version of the connection stand on the lease's item too: whoever
// changes the connection writes both items in one transaction (mirror, EndEpoch).
// So one conditional write of the lease's item, a renewal, is still the strongly
// consistent look at lease, epoch and version at once.
//
// # The form before
//
// Versions before this one had the lease on the connection's item, and while a new
// one is deployed both work for minutes. Therefore:
//
//   - The first who takes the lease in this form moves it in one transaction: it
//     raises the fence of the connection's item, which no holder of that form
//     survives, and leaves that item's lease as held until movedAway, so that no
//     older version takes it. A holder of the older form that is alive is
//     respected: it is marked as wanted there, and nothing moves.
//   - The lease's item remembers the fence that it left on the connection's. It
//     counts only while that is still there: an older version that ended the epoch,
//     or took the lease after somebody rolled back and gave it free
//     (infra/OPERATIONS.md), has raised it. Then the connection's item says how
//     things stand, and the lease moves once more.
//   - An older version that edits the settings leaves the mirrored version behind:
//     who takes the lease next brings it up to date.
//   - What an older version changes under a lease of this form shows in no write of
//     the lease's item. So a renewal in the first mixedTime also reads the
//     connection's item, right after its write.
//
// # A version that does not know of runs on the lease
//
// The version before this one has the lease on this item and does not look for runs
// there (lease_run.go). Whoever takes the lease and does notes its fence as the known
// one. Where that is not the fence as read, somebody else was the holder meanwhile: in
// a deployment, or before somebody rolled forward again (overtake).

// Numbers of a lease's item, besides those of the lease itself.
const (
	numConnVersion = "connVersion" // the connection's
	numConnFence   = "connFence"   // that of the connection's item, as this form left it
	numMoved       = "movedAt"     // when the lease came to this item, Unix milliseconds
)

// movedAway is until when the lease on a connection's item is held once it is kept
// on an item of its own: the year 2200. An older version that waits for its end
// computes with the time until then, which a time.Duration holds.
const movedAway = 7258118400000

// mixedTime is how long an older version may still be at work after a lease came to
// its own item: a deployment, with what was under way at its end.
const mixedTime = time.Hour

// connectionState is a connection's item and those of its lease and link, as read.
type connectionState struct {
	conn, lease, link table.Item
	own               bool // there is an item of the lease
}

// tornReads is how often items that do not fit are read once more. A reader between a
// transaction's two finds them fitting soon; in a table that somebody has repaired or
// put together they stay so until somebody takes the lease, which brings them
// together. Whoever goes on with them writes only what is as it was read.
const tornReads = 5

// connectionState reads these items in one query, strongly consistent.
func (d *db) connectionState(ctx context.Context, id directory.ConnectionID) (connectionState, error) {
	for try := 0; ; try++ {
		var st connectionState
		found := false
		for it, err := range d.list(ctx, table.Query{Partition: connectionKey(id).Partition, Prefix: connectionKey(id).Sort}) {
			switch {
			case err != nil:
				return st, fail("connection "+string(id), err)
			case it.Key == connectionKey(id):
				st.conn, found = it, true
			case it.Key == leaseKey(id):
				st.lease, st.own = it, true
			case it.Key == readLinkKey(id):
				st.link = it
			}
		}
		if !found {
			return st, fail("connection "+string(id), table.ErrNotFound)
		}
		// A query reads item by item: this one was between a transaction's two.
		torn := st.own && (st.lease.Numbers[numConnFence] > st.conn.Numbers[numFence] || st.lease.Numbers[numConnVersion] > st.conn.Version)
		if !torn || try == tornReads {
			return st, nil
		}
		if err := clock.Sleep(ctx, clock.Backoff(try, time.Millisecond, 20*time.Millisecond)); err != nil {
			return st, err
		}
	}
}

// inForce reports whether the lease's item says how the lease stands; else it is
// the connection's, as in the form before.
func (st *connectionState) inForce() bool {
	return st.own && st.lease.Numbers[numConnFence] == st.conn.Numbers[numFence] && st.lease.Numbers[numEpoch] == st.conn.Numbers[numEpoch]
}

// holding is the item that says how the lease stands.
func (st *connectionState) holding() table.Item {
	if st.inForce() {
		return st.lease
	}
	return st.conn
}

// until is when the lease ends, Unix milliseconds; 0 when it was given back.
func (st *connectionState) until() int64 {
	until := st.holding().Numbers[numLeaseUntil]
	if until >= movedAway {
		return 0 // it was moved to an item that is not there any more
	}
	return until
}

func (st *connectionState) fence() int64 {
	return max(st.conn.Numbers[numFence], st.lease.Numbers[numFence])
}

// connection decodes the connection, with what its last run came to.
func (st *connectionState) connection() (directory.Connection, error) {
	run := st.holding()
	good := run.Numbers[numLastGood]
	if st.inForce() {
		good = max(good, st.link.Numbers[numLastGood])
		if st.link.Numbers[numLastRun] > run.Numbers[numLastRun] {
			run = st.link // one that found nothing to do
		}
	}
	c, err := decodeConnection(st.conn, run)
	if c.LastRun != nil {
		c.LastRun.SucceededAt = fromMillis(good)
	}
	return c, err
}

// readLink is where the reading of the tenant stands, as JSON, and the version of its
// item.
func (st *connectionState) readLink() (link []byte, version int64, err error) {
	if st.inForce() {
		link, err = unpack(st.link.Body)
		return link, st.link.Version, err
	}
	return []byte(st.conn.Strings[strLink]), 0, nil
}

// pack makes a link short: it is written at each look at the tenant, and most of it
// is text of Microsoft's in few letters.
func pack(link []byte) []byte {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		_, err = w.Write(link)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		panic("store: " + err.Error()) // a buffer takes everything
	}
	return packed.Bytes()
}

func unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	return io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
}

// decodeLease reads the lease as it stands, whoever has it.
func (st *connectionState) decodeLease(id directory.ConnectionID, c *directory.Connection, now time.Time) (Lease, error) {
	it := st.holding()
	l := Lease{ConnectionID: id, Epoch: c.Epoch, Fence: st.fence(), Until: fromMillis(st.until()), Holder: it.Strings[strHolder], Version: c.Version, read: st}
	if st.inForce() {
		l.moved, l.connFence = fromMillis(it.Numbers[numMoved]), it.Numbers[numConnFence]
		l.NoneOpenAt, l.runsFrom = st.noneOpenAt(now), fromMillis(it.Numbers[numRunsFrom])
	}
	l.Run, l.today = directory.RunID(st.lease.Strings[strRun]), todayOf(&st.lease)
	l.Overtaken = l.Run != "" && !st.known()
	link, version, err := st.readLink()
	if err != nil {
		return l, fmt.Errorf("%w: connection %s: link: %w", ErrRecord, id, err)
	}
	l.linkVersion = version
	return l, l.fillIn(it, link)
}

// noneOpenAt is when it was found that no run is open: whoever gave the lease back
// last said so, or a look without it has found so since. Zero: that is not known.
func (st *connectionState) noneOpenAt(now time.Time) time.Time {
	at := st.lease.Numbers[numNoneOpen]
	if st.link.Numbers[numFence] == st.lease.Numbers[numFence] {
		at = max(at, st.link.Numbers[numNoneOpen])
	}
	if st.lease.Strings[strRun] != "" || st.lease.Numbers[numWanted] != 0 || !now.Before(fromMillis(at).Add(noneOpenFor)) {
		return time.Time{}
	}
	return fromMillis(at)
}

// newLeaseItem is the item of a connection's lease, which nobody holds yet.
func newLeaseItem(id directory.ConnectionID, now time.Time) table.Item {
	return table.Item{
		Key:     leaseKey(id),
		Numbers: map[string]int64{numFence: 0, numLeaseUntil: 0, numWanted: 0, numConnFence: 0, numMoved: millis(now)},
	}
}

// movedItem is the lease's item with what the connection's item had of it.
func (st *connectionState) movedItem(id directory.ConnectionID, now time.Time) table.Item {
	it := newLeaseItem(id, now)
	it.Version = st.lease.Version + 1
	it.Strings = map[string]string{}
	for _, name := range []string{numEpoch, numFullAt, numSettled, numDecided, numUsers, numUsersAt, numLastRun, numLastGood} {
		if n, there := st.conn.Numbers[name]; there {
			it.Numbers[name] = n
		}
	}
	for _, name := range []string{strPace, strSettled, strLastRun, strLastEnd} {
		if s, there := st.conn.Strings[name]; there {
			it.Strings[name] = s
		}
	}
	for name, n := range st.lease.Numbers {
		if name == numToday || strings.HasPrefix(name, todayPrefix) {
			it.Numbers[name] = n
		}
	}
	if run, there := st.lease.Strings[strRun]; there {
		it.Strings[strRun] = run
	}
	if until, known := st.lease.Numbers[numLiftedTo]; known {
		it.Numbers[numLiftedTo] = until
	}
	it.Numbers[numFence], it.Numbers[numConnVersion] = st.fence(), st.conn.Version
	return it
}

// movedLink brings the link of the connection's item to its own.
func (st *connectionState) movedLink(id directory.ConnectionID) table.Write {
	key := readLinkKey(id)
	link, there := st.conn.Strings[strLink]
	if !there {
		return table.Write{Delete: &key}
	}
	return table.Write{Put: &table.Item{Key: key, Version: st.link.Version + 1, Body: pack([]byte(link))}}
}

// asRead is the condition that nobody has written the lease's item since.
func (st *connectionState) asRead() table.Condition {
	if !st.own {
		return table.Condition{Absent: true}
	}
	return table.When(sameNumber(st.lease, numFence), sameNumber(st.lease, numConnFence), sameNumber(st.lease, numLeaseUntil), table.VersionIs(st.lease.Version))
}

// moveAway makes the connection's item unusable to a version that has the lease
// there, at a fence. What its guard compares with stays, for the case that somebody
// rolls back: a source that has shrunk meanwhile is to be seen.
func moveAway(u *table.Update, fence int64) {
	if u.SetNumbers == nil {
		u.SetNumbers = map[string]int64{}
	}
	u.SetNumbers[numFence], u.SetNumbers[numLeaseUntil] = fence, movedAway
	u.RemoveNumbers = []string{numWanted, numFullAt}
	u.RemoveStrings = []string{strLink, strHolder, strPace}
}

// take are the writes that make a lease l of what was read. An unchanged lease time
// says that the holder did not renew it since.
func (st *connectionState) take(l *Lease, now time.Time) []table.Write {
	id, asRead := l.ConnectionID, st.asRead()
	if !st.inForce() {
		fence := st.conn.Numbers[numFence] + 1
		u := &table.Update{Key: connectionKey(id)}
		moveAway(u, fence)
		it := st.movedItem(id, now)
		it.Numbers[numFence], it.Numbers[numConnFence], it.Numbers[numLeaseUntil] = l.Fence, fence, l.Until.UnixMilli()
		it.Strings[strHolder] = l.Holder
		l.moved, l.connFence = fromMillis(it.Numbers[numMoved]), fence
		return []table.Write{
			{Update: u, If: table.When(table.NumberIs(numEpoch, table.Equal, l.Epoch), table.VersionIs(st.conn.Version),
				sameNumber(st.conn, numFence), sameNumber(st.conn, numLeaseUntil))},
			{Put: &it, If: asRead},
			st.movedLink(id),
		}
	}
	l.moved, l.connFence = fromMillis(st.lease.Numbers[numMoved]), st.lease.Numbers[numConnFence]
	own := st.known() // before the fence of l
	asRead.AnyOf[0] = append(asRead.AnyOf[0], sameNumber(st.lease, numEpoch), sameNumber(st.lease, numConnVersion), sameNumber(st.lease, numWanted))
	w := table.Write{
		Update: &table.Update{
			Key:           leaseKey(id),
			SetNumbers:    map[string]int64{numFence: l.Fence, numLeaseUntil: l.Until.UnixMilli(), numWanted: 0},
			SetStrings:    map[string]string{strHolder: l.Holder},
			RemoveNumbers: []string{numNoneOpen},
		},
		If: asRead,
	}
	if !own {
		l.overtake(st, w.Update, now)
	}
	if !l.Overtaken {
		w.Update.SetNumbers[numKnownFence] = l.Fence
	}
	if st.lease.Numbers[numConnVersion] == st.conn.Version {
		return []table.Write{w}
	}
	w.Update.SetNumbers[numConnVersion] = st.conn.Version
	key := connectionKey(id)
	return []table.Write{w, {Check: &key, If: table.When(table.VersionIs(st.conn.Version), sameNumber(st.conn, numFence))}}
}

// mirror is what goes with a change of the connection that leaves its epoch as it
// is, to a version. Where there is no item of the lease yet it makes a stub: a mere
// check that there is none would need a right that the callback does not have.
func (st *connectionState) mirror(id directory.ConnectionID, version int64) table.Write {
	u := &table.Update{Key: leaseKey(id), SetNumbers: map[string]int64{numConnVersion: version}}
	return table.Write{Update: u, If: table.Condition{Present: st.own, Absent: !st.own}}
}

// endEpoch is what goes with the end of a connection's epoch: whoever has the lease
// loses it. next is the connection in its next epoch, connFence the fence that is
// left on its item. A renewal at the same time is no reason to try again.
func (st *connectionState) endEpoch(next *directory.Connection, connFence int64, now time.Time) []table.Write {
	link := readLinkKey(next.ID)
	return []table.Write{st.endLease(next, connFence, now), {Delete: &link}}
}

func (st *connectionState) endLease(next *directory.Connection, connFence int64, now time.Time) table.Write {
	set := map[string]int64{numEpoch: next.Epoch, numConnVersion: next.Version, numConnFence: connFence, numLeaseUntil: 0, numWanted: 0}
	if st.inForce() {
		return table.Write{
			Update: &table.Update{
				Key: leaseKey(next.ID), AddVersion: 1, AddNumbers: map[string]int64{numFence: 1}, SetNumbers: set,
				RemoveNumbers: []string{numFullAt, numUsers, numUsersAt, numNoneOpen}, RemoveStrings: []string{strHolder, strSettled, strWrote},
			},
			If: table.When(sameNumber(st.lease, numConnFence)),
		}
	}
	it := st.movedItem(next.ID, now)
	maps.Copy(it.Numbers, set)
	it.Numbers[numFence]++
	for _, name := range []string{numFullAt, numUsers, numUsersAt} {
		delete(it.Numbers, name)
	}
	delete(it.Strings, strSettled)
	return table.Write{Put: &it, If: st.asRead()}
}

// liftedFor is how long after a lift a connection's lifts are looked at: longer than
// any lasts.
const liftedFor = 25 * time.Hour

// lifted notes on the lease that a protection of the connection's has been lifted. It
// only ever rises, so that whatever order lifts come in none is overlooked.
func lifted(id directory.ConnectionID, now time.Time) table.Write {
	return table.Write{Update: &table.Update{Key: leaseKey(id), SetNumbers: map[string]int64{numLiftedTo: millis(now.Add(liftedFor))}}}
}

// known reports whether the last holder was of a version that knows of runs on the
// lease, or of none since the lease was last taken by such a one.
func (st *connectionState) known() bool {
	fence, noted := st.lease.Numbers[numKnownFence]
	return noted && st.inForce() && fence == st.lease.Numbers[numFence]
}

// overtake notes, as a lease is taken, that the holder before may have been of an older
// version, which may be at work again before long. That version may have lifted
// protections without a word of it here; and it does not know of runs on the lease:
// none is to stand there until none can be at work any more, and the one that does
// stays known as overtaken, by the fence that is not noted, until somebody has ended it.
func (l *Lease) overtake(st *connectionState, u *table.Update, now time.Time) {
	lifted := now.Add(liftedFor)
	if until, noted := st.lease.Numbers[numLiftedTo]; noted {
		lifted = latest(lifted, fromMillis(until))
	}
	l.LiftedTo, l.runsFrom = lifted, now.Add(mixedTime)
	u.SetNumbers[numLiftedTo], u.SetNumbers[numRunsFrom] = millis(l.LiftedTo), millis(l.runsFrom)
}

// mayHaveRun reports whether a run may stand on the lease: only when every version that
// may take it, in the time that the run is open, knows to look for it there.
func (l *Lease) mayHaveRun(now time.Time) bool {
	return !l.runsFrom.IsZero() && !now.Before(l.runsFrom) && !l.mixed(now)
}

// mixed reports whether an older version may still be at work on the connection.
func (l *Lease) mixed(now time.Time) bool {
	return !l.moved.IsZero() && now.Before(l.moved.Add(mixedTime))
}

// wanted tells whoever has, or next takes, the lease of a connection that there is
// more to do. Where there is no item of the lease yet it makes a stub, which counts
// for nothing else.
func wanted(id directory.ConnectionID) table.Write {
	return table.Write{Update: &table.Update{Key: leaseKey(id), SetNumbers: map[string]int64{numWanted: 1}, RemoveNumbers: []string{numNoneOpen}}}
}

// underOlder looks whether a version with the lease on the connection's item has
// changed the connection under the lease, in the time in which one may still work.
func (s *Leases) underOlder(ctx context.Context, l *Lease) error {
	if !l.mixed(s.db.now()) {
		return nil
	}
	it, found, err := s.db.find(ctx, connectionKey(l.ConnectionID))
	switch {
	case err != nil:
		return fail("renew lease", err)
	case !found, it.Numbers[numFence] != l.connFence, it.Numbers[numEpoch] != l.Epoch:
		return fmt.Errorf("renew lease: %w", directory.ErrLeaseLost)
	case it.Version != l.Version:
		return ErrConnectionChanged
	case it.Numbers[numWanted] != 0:
		return s.wantedByOlder(ctx, l)
	}
	return nil
}

// wantedByOlder brings the mark of a wake-up that an older version was told of, which
// it leaves on the connection's item, to where the holder of the lease looks for it.
func (s *Leases) wantedByOlder(ctx context.Context, l *Lease) error {
	err := s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: leaseKey(l.ConnectionID), SetNumbers: map[string]int64{numWanted: 1}},
		If:     l.current(),
	}, table.Write{
		Update: &table.Update{Key: connectionKey(l.ConnectionID), RemoveNumbers: []string{numWanted}},
		If:     table.When(table.NumberIs(numFence, table.Equal, l.connFence)),
	})
	if refused(err) {
		return fmt.Errorf("renew lease: %w", directory.ErrLeaseLost)
	}
	return fail("renew lease", err)
}
