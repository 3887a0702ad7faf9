package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Leases are the rights to work on connections, with where the work stands. Each
// lies on an item beside that of the connection, which mirrors the connection's epoch
// and version, so that taking one, renewing it and looking whether the epoch has
// passed are one small write each (lease_item.go).
type Leases struct{ db *db }

// Names of the numbers and strings of a lease.
const (
	numFence      = "fence"
	numLeaseUntil = "leaseUntil"     // Unix milliseconds
	numWanted     = "wanted"         // 1 when a wake-up found the lease held
	numFullAt     = "fullAt"         // when the last full reconcile ended
	numSettled    = "settledVersion" // of the connection, when strSettled was noted
	numDecided    = "decidedAt"      // Unix milliseconds
	numUsers      = "users"          // when a run was last looked at by the guard
	numUsersAt    = "usersAt"        // Unix milliseconds: when these were counted
	numNoneOpen   = "noneOpenAt"     // when no run was open; missing while somebody has the lease
	numLiftedTo   = "liftedTo"       // Unix milliseconds: until when a protection may be lifted; missing: not known
	numKnownFence = "knownFence"     // the fence of the last holder whose version knows of runs on the lease
	numRunsFrom   = "runsFrom"       // Unix milliseconds: from when on runs may stand on the lease
	strHolder     = "holder"
	strLink       = "link" // a ReadLink as JSON, of the form before; now the body of an item
	strPace       = "pace" // a Pace as JSON
	strSettled    = "settled"
	strWrote      = "wrote" // a Wrote as JSON
)

// Lease is the right to work on a connection until Until. Fence rises with
// each holder; what a holder writes checks it.
type Lease struct {
	ConnectionID directory.ConnectionID
	Epoch        int64
	Fence        int64
	Until        time.Time
	Holder       string
	// Version is that of the connection as it was returned with the lease.
	Version int64
	// FullAt is when the last full reconcile ended.
	FullAt time.Time
	// Link is where the reading of the tenant stands.
	Link ReadLink
	// Pace is what is left of Microsoft's quotas. It rides on the lease's
	// renewals: only the lease holder writes to the tenant.
	Pace Pace
	// Settled stands for the settings that the last plan of all marks was made
	// with, SettledVersion is the connection's version by then; Users is how many
	// users there were when the guard last looked.
	Settled        string
	SettledVersion int64
	Users          int
	// UsersAt is when these were counted; zero: long ago.
	UsersAt time.Time
	// Decided is when the last run was begun that a former guard held and somebody
	// approved; see directory.Connection.FormerGuards.
	Decided time.Time
	// NoneOpenAt is when somebody found no run open; none was made without the lease
	// since, nor left open under it. Zero: that is not known.
	NoneOpenAt time.Time
	// LiftedTo is until when the protection of an account may be lifted.
	LiftedTo time.Time
	// Wrote is what the last holder's run wrote; zero: not known.
	Wrote Wrote
	// Run is one that has not ended and stands on the lease (see BeginRun); empty: none
	// does.
	Run directory.RunID
	// Overtaken says of Run that a version may have worked on the connection since which
	// does not know of it: it is not to be gone on with.
	Overtaken bool
	// Released says that it was given back with the end of a run (Journal.Release).
	Released bool

	// Left says that the holder before did not give it back, or that a wake-up was
	// told to it which nobody has seen to since.
	Left bool

	moved     time.Time        // when it came to its own item; zero: it did not
	connFence int64            // that was left on the connection's item then
	runsFrom  time.Time        // from when on runs may stand on it; zero: they may not
	read      *connectionState // what it was read from, by PeekLease

	linkVersion int64    // of the link's item, as read
	today       dayCount // what its item counts
}

// Wrote is what a small run has written: of each account that it wrote to, by its ID
// in lower case, the digest of the values that are agreed.
type Wrote struct {
	RunID    directory.RunID               `json:"run"`
	Accounts map[directory.AccountID]int64 `json:"of"`
	Fence    int64                         `json:"fence"` // of the lease under which it did
}

// NoneOpen reports whether no run was open when the lease was given back, and none was
// made without the lease since.
func (l *Lease) NoneOpen() bool { return !l.NoneOpenAt.IsZero() }

// noneOpenFor is how long it counts that no run was open. Whoever makes one marks
// the lease, so this bounds no more than what nobody has thought of.
const noneOpenFor = time.Hour

// ErrLeaseHeld says that somebody else works on the connection. It has been
// told to look once more before it ends.
var ErrLeaseHeld = errors.New("store: lease held by another worker")

// ErrConnectionChanged says that the connection is not as it was when its lease
// was taken.
var ErrConnectionChanged = errors.New("store: the connection was changed since its lease was taken")

// AcquireLease takes the connection's lease for ttl, or marks it as wanted and
// returns ErrLeaseHeld with a lease that says no more than until when. The
// connection is returned as read in the same moment.
func (s *Leases) AcquireLease(ctx context.Context, id directory.ConnectionID, holder string, ttl time.Duration) (Lease, directory.Connection, error) {
	for {
		st, err := s.db.connectionState(ctx, id)
		if err != nil {
			return Lease{}, directory.Connection{}, fmt.Errorf("acquire lease: %w", err)
		}
		l, c, err := s.takeLease(ctx, &st, id, holder, ttl)
		if !refused(err) {
			return l, c, err
		}
	}
}

// TakeLease is AcquireLease for whoever has just looked at it by PeekLease: when
// nobody has written it since, it is one write.
func (s *Leases) TakeLease(ctx context.Context, peeked *Lease, holder string, ttl time.Duration) (Lease, directory.Connection, error) {
	if peeked.read != nil {
		l, c, err := s.takeLease(ctx, peeked.read, peeked.ConnectionID, holder, ttl)
		if !refused(err) {
			return l, c, err
		}
	}
	return s.AcquireLease(ctx, peeked.ConnectionID, holder, ttl)
}

// takeLease takes a lease as it was read, or marks it as wanted. A
// *table.ConditionError says that somebody has written it meanwhile.
func (s *Leases) takeLease(ctx context.Context, st *connectionState, id directory.ConnectionID, holder string, ttl time.Duration) (Lease, directory.Connection, error) {
	c, err := st.connection()
	if err != nil {
		return Lease{}, c, err
	}
	now := s.db.now()
	if until := st.until(); until > now.UnixMilli() {
		at := st.holding()
		err := s.db.table.Write(ctx, table.Write{
			Update: &table.Update{Key: at.Key, SetNumbers: map[string]int64{numWanted: 1}},
			If:     table.When(sameNumber(at, numFence), table.NumberIs(numLeaseUntil, table.AtLeast, until)),
		})
		switch {
		case refused(err): // it was given back meanwhile
			return Lease{}, c, err
		case err != nil:
			return Lease{}, c, fail("acquire lease", err)
		}
		return Lease{Until: fromMillis(until)}, c, ErrLeaseHeld
	}
	l, err := st.decodeLease(id, &c, now)
	if err != nil {
		return Lease{}, c, err
	}
	// When a holder that did not give it back, or one of an older version, changed
	// bindings last is not known.
	if until := st.until(); until != 0 {
		l.Pace.Noted = latest(l.Pace.Noted, fromMillis(until))
	}
	if !st.inForce() {
		l.Pace.Noted = now.UTC()
	}
	l.Left = st.until() != 0 || st.holding().Numbers[numWanted] != 0
	l.Fence, l.Until, l.Holder, l.read = l.Fence+1, now.Add(ttl), holder, nil
	err = s.db.table.Write(ctx, st.take(&l, now)...)
	if refused(err) {
		return Lease{}, c, err
	}
	return l, c, fail("acquire lease", err)
}

// sameNumber tests that a number of an item is as it was read, or still missing.
func sameNumber(it table.Item, name string) table.Test {
	if n, there := it.Numbers[name]; there {
		return table.NumberIs(name, table.Equal, n)
	}
	return table.Test{Number: name, Op: table.IsMissing}
}

// fillIn adds what the items say of reading and quotas.
func (l *Lease) fillIn(it table.Item, link []byte) error {
	l.FullAt = fromMillis(it.Numbers[numFullAt])
	l.Settled, l.SettledVersion = it.Strings[strSettled], it.Numbers[numSettled]
	l.Users, l.Decided = int(it.Numbers[numUsers]), fromMillis(it.Numbers[numDecided])
	l.UsersAt = fromMillis(it.Numbers[numUsersAt])
	l.LiftedTo = fromMillis(movedAway) // for ever, where that is not known
	if until, known := it.Numbers[numLiftedTo]; known {
		l.LiftedTo = fromMillis(until)
	}
	if len(link) > 0 {
		if err := json.Unmarshal(link, &l.Link); err != nil {
			return fmt.Errorf("store: connection %s: link: %w", l.ConnectionID, err)
		}
	}
	if l.Link.Epoch != l.Epoch {
		l.Link = ReadLink{}
	}
	if raw := it.Strings[strWrote]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &l.Wrote); err != nil || l.Wrote.Fence != l.Fence {
			l.Wrote = Wrote{} // somebody has worked since
		}
	}
	if raw := it.Strings[strPace]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &l.Pace); err != nil {
			return fmt.Errorf("store: connection %s: pace: %w", l.ConnectionID, err)
		}
	}
	return nil
}

// PeekLease reads a connection, and where its work stands, without taking the
// lease. Until is zero when the last holder gave the lease back.
func (s *Leases) PeekLease(ctx context.Context, id directory.ConnectionID) (Lease, directory.Connection, error) {
	return s.db.peekLease(ctx, id)
}

func (d *db) peekLease(ctx context.Context, id directory.ConnectionID) (Lease, directory.Connection, error) {
	st, err := d.connectionState(ctx, id)
	if err != nil {
		return Lease{}, directory.Connection{}, err
	}
	c, err := st.connection()
	if err != nil {
		return Lease{}, c, err
	}
	l, err := st.decodeLease(id, &c, d.now())
	return l, c, err
}

// RecordNoOp records a run that found nothing to do, in one write of the link's item:
// the link that the next one starts from, when this one ended, and that no run was
// open. Nothing is to be
// read to have been looked at that came after l was read by PeekLease with a free
// lease: at is not later than that. It holds only while the link is as it was then, in
// the same epoch; ErrLeaseLost otherwise. Whoever takes the lease meanwhile reads from
// the link before, which shows no less, and what they write comes after at.
func (s *Leases) RecordNoOp(ctx context.Context, l Lease, link ReadLink, at time.Time) error {
	link.Epoch = l.Epoch
	u := &table.Update{
		Key: readLinkKey(l.ConnectionID), AddVersion: 1, SetBody: pack(encode(link)),
		SetNumbers: map[string]int64{numLastRun: millis(at), numLastGood: millis(at)},
		SetStrings: map[string]string{strLastRun: "", strLastEnd: string(directory.RunDone)},
	}
	if !l.NoneOpen() && !l.mixed(s.db.now()) { // the caller has looked
		u.SetNumbers[numNoneOpen], u.SetNumbers[numFence] = millis(at), l.Fence
	}
	err := s.db.table.Write(ctx, table.Write{Update: u, If: table.When(table.VersionIs(l.linkVersion))})
	if refused(err) {
		return fmt.Errorf("record no-op: %w", directory.ErrLeaseLost)
	}
	return fail("record no-op", err)
}

// BreakLease ends whatever lease a connection has. It is for a table that one
// process has to itself: when that process begins, every holder is dead.
func (s *Leases) BreakLease(ctx context.Context, id directory.ConnectionID) error {
	for {
		st, err := s.db.connectionState(ctx, id)
		if errors.Is(err, directory.ErrNotFound) {
			return nil
		}
		now := s.db.now().UnixMilli()
		if err != nil || st.until() < now {
			return err
		}
		at := st.holding()
		err = s.db.table.Write(ctx, table.Write{
			Update: &table.Update{Key: at.Key, SetNumbers: map[string]int64{numLeaseUntil: now - 1}},
			If:     table.When(sameNumber(at, numFence), table.NumberIs(numLeaseUntil, table.AtLeast, now)),
		})
		if !refused(err) {
			return fail("break lease", err)
		}
	}
}

// current is the condition that the lease is ours. One that was given back is not, also
// where nobody has taken it since: the holder may not have heard that it was.
func (l *Lease) current() table.Condition {
	return table.When(table.NumberIs(numFence, table.Equal, l.Fence), table.NumberIs(numEpoch, table.Equal, l.Epoch),
		table.NumberIs(numLeaseUntil, table.AtLeast, 1))
}

// unchanged is a write that holds while the lease is ours, for as long as besides the
// connection is as it was when the lease was taken.
func (l *Lease) unchanged(w table.Write) table.Write {
	w.If.AnyOf[0] = append(w.If.AnyOf[0], table.NumberIs(numConnVersion, table.Equal, l.Version))
	return w
}

func (l *Lease) check() table.Write {
	key := leaseKey(l.ConnectionID)
	return table.Write{Check: &key, If: l.current()}
}

// RenewLease extends the lease by ttl from now, before a batch, and notes what
// is left of the quotas. It is at once the strongly consistent check of epoch
// and lease: ErrLeaseLost means that nothing may be sent any more. After
// ErrConnectionChanged the lease is still held, and not renewed: what is known of
// the connection (its settings, who authorised it) does not count any more.
func (s *Leases) RenewLease(ctx context.Context, l *Lease, ttl time.Duration) error {
	until := s.db.now().Add(ttl)
	err := s.db.table.Write(ctx, l.renewal(until))
	if items, refused := failed(err); refused {
		if l.isCurrent(items[0]) {
			return ErrConnectionChanged
		}
		return fmt.Errorf("renew lease: %w", directory.ErrLeaseLost)
	}
	if err != nil {
		return fail("renew lease", err)
	}
	if err := s.underOlder(ctx, l); err != nil {
		return err
	}
	l.Until = until
	return nil
}

// renewal extends the lease, while it is ours and its connection is as it was.
func (l *Lease) renewal(until time.Time) table.Write {
	return l.unchanged(table.Write{
		Update: &table.Update{
			Key:        leaseKey(l.ConnectionID),
			SetNumbers: map[string]int64{numLeaseUntil: until.UnixMilli()},
			SetStrings: l.pace(),
		},
		If: l.current(),
	})
}

// pace is the item's string that holds the quotas; none while they are full.
func (l *Lease) pace() map[string]string {
	if l.Pace == (Pace{}) {
		return nil
	}
	return map[string]string{strPace: string(encode(l.Pace))}
}

// RunEnd is what the release of a lease writes besides: the fields that a
// connection remembers of its last run. The zero RunEnd writes nothing.
type RunEnd struct {
	RunID directory.RunID // empty for a run that found nothing to do
	State directory.RunState
	At    time.Time
	Full  bool // a full reconcile ended well
	// Settled, Users and Decided are remembered when they are set; see Lease.
	Settled string
	Users   int
	UsersAt time.Time
	Decided time.Time
	// NoneOpen is when the open runs were last listed, when none is; zero: one is.
	NoneOpen time.Time
	Wrote    Wrote
}

// ErrWanted says that a wake-up came while the lease was held: the lease is
// still ours, and there may be more to do.
var ErrWanted = errors.New("store: lease wanted by a wake-up")

// ReleaseLease gives the lease back, unless a wake-up came meanwhile: then the
// mark is cleared, the lease stays and ErrWanted is returned. force gives it
// back in any case (the caller queues a wake-up of its own). A lost lease, or one that
// has been given back, is no error.
func (s *Leases) ReleaseLease(ctx context.Context, l *Lease, end RunEnd, force bool) error {
	err := s.db.table.Write(ctx, l.release(end, force, s.db.now()))
	f, wanted := failed(err)
	if !wanted {
		return fail("release lease", err)
	}
	if !l.isCurrent(f[0]) {
		return nil
	}
	err = s.db.table.Write(ctx, table.Write{
		// Who made a run without the lease has marked it: with the mark goes what was
		// known of open runs.
		Update: &table.Update{Key: leaseKey(l.ConnectionID), SetNumbers: map[string]int64{numWanted: 0}, RemoveNumbers: []string{numNoneOpen}},
		If:     l.current(),
	})
	if refused(err) {
		return nil
	}
	if err != nil {
		return fail("release lease", err)
	}
	return ErrWanted
}

// release is the write that gives the lease back. By itself it may be repeated when its
// answer was lost: it adds nothing.
func (l *Lease) release(end RunEnd, force bool, now time.Time) table.Write {
	u := &table.Update{
		Key:           leaseKey(l.ConnectionID),
		SetNumbers:    map[string]int64{numLeaseUntil: 0},
		SetStrings:    l.pace(),
		RemoveStrings: []string{strHolder},
	}
	if u.SetStrings == nil {
		u.SetStrings = map[string]string{}
	}
	if !end.NoneOpen.IsZero() && !force && !l.mixed(now) {
		u.SetNumbers[numNoneOpen] = millis(end.NoneOpen)
	} else {
		u.RemoveNumbers = append(u.RemoveNumbers, numNoneOpen)
	}
	if end.Wrote.RunID != "" {
		end.Wrote.Fence = l.Fence
		u.SetStrings[strWrote] = string(encode(end.Wrote))
	} else {
		u.RemoveStrings = append(u.RemoveStrings, strWrote)
	}
	if end.Settled != "" {
		u.SetStrings[strSettled], u.SetNumbers[numSettled] = end.Settled, l.Version
	}
	if !end.Decided.IsZero() {
		u.SetNumbers[numDecided] = millis(end.Decided)
	}
	if end.Users > 0 {
		u.SetNumbers[numUsers], u.SetNumbers[numUsersAt] = int64(end.Users), millis(end.UsersAt)
	}
	if end.State != "" {
		u.SetNumbers[numLastRun] = millis(end.At)
		u.SetStrings[strLastRun], u.SetStrings[strLastEnd] = string(end.RunID), string(end.State)
		if end.State == directory.RunDone {
			u.SetNumbers[numLastGood] = millis(end.At)
		}
		if end.Full {
			u.SetNumbers[numFullAt] = millis(end.At)
		}
	}
	cond := l.current()
	if !force {
		cond.AnyOf[0] = append(cond.AnyOf[0], table.NumberIs(numWanted, table.Equal, 0))
	}
	return table.Write{Update: u, If: cond}
}

// ReadLink is where the reading of a tenant stands.
type ReadLink struct {
	// Link is the next page of a round under way, or the delta link that
	// starts the next round; "" for a round from the start.
	Link string `json:"link,omitempty"`
	// Settings is a digest of the settings and domains that the round was made
	// with; other ones make another full round necessary.
	Settings string `json:"settings,omitempty"`
	// Version is that of the connection which they were read from; 0: not known.
	Version int64 `json:"version,omitempty"`
	// Full is set while a full round is under way; Pass names it, Pages counts
	// its pages, and Sweep is its place in the listing of bindings once every
	// account has been read ("start" at first).
	Full  bool            `json:"full,omitempty"`
	Pass  directory.RunID `json:"pass,omitempty"`
	Pages int             `json:"pages,omitempty"`
	Sweep string          `json:"sweep,omitempty"`
	// Demand is the run that asked for a full round; answered when equal.
	Demand directory.RunID `json:"demand,omitempty"`
	Epoch  int64           `json:"epoch"`
	At     time.Time       `json:"at"` // of the last page
	// Since is when the last round ended: what was written after it has not been
	// looked at since. Zero in a link of a version that did not note it.
	Since time.Time `json:"since,omitzero"`
	// Paging proves that the round under way comes forward.
	Paging directory.Paging `json:"paging,omitzero"`
	// Loop is why the last rounds did not come to their end, and how many in a
	// row; until Rest the schedule begins none.
	Loop *directory.Problem `json:"loop,omitempty"`
	Rest time.Time          `json:"rest,omitzero"`
	// Kinds is where the reading of other kinds than accounts stands (SaveKindLink).
	Kinds map[directory.Kind]KindLink `json:"kinds,omitempty"`
}

// KindLink is where the reading of one kind of objects stands.
type KindLink struct {
	// Link is the next page of a round under way, or what starts the next one; "": that
	// is from the start.
	Link   string             `json:"link,omitempty"`
	At     time.Time          `json:"at,omitzero"` // of the last page
	Paging directory.Paging   `json:"paging,omitzero"`
	Loop   *directory.Problem `json:"loop,omitempty"`
	Rest   time.Time          `json:"rest,omitzero"`
	// Expand is the place in the making of missing records, while that is under way.
	Expand string `json:"expand,omitempty"`
}

// SaveKindLink stores where the reading of a kind stands, while the lease is ours.
func (s *Leases) SaveKindLink(ctx context.Context, l *Lease, kind directory.Kind, k KindLink) error {
	r := l.Link
	r.Kinds = maps.Clone(r.Kinds)
	if r.Kinds == nil {
		r.Kinds = map[directory.Kind]KindLink{}
	}
	r.Kinds[kind] = k
	return s.saveLink(ctx, l, r)
}

// SaveLink stores where the reading of accounts stands, while the lease is ours.
func (s *Leases) SaveLink(ctx context.Context, l *Lease, r ReadLink) error {
	r.Kinds = l.Link.Kinds
	return s.saveLink(ctx, l, r)
}

func (s *Leases) saveLink(ctx context.Context, l *Lease, r ReadLink) error {
	r.Epoch = l.Epoch
	err := s.db.table.Write(ctx, l.check(), table.Write{
		Update: &table.Update{Key: readLinkKey(l.ConnectionID), AddVersion: 1, SetBody: pack(encode(r))},
	})
	if refused(err) {
		return fmt.Errorf("save link: %w", directory.ErrLeaseLost)
	}
	if err != nil {
		return fail("save link", err)
	}
	l.Link = r
	return nil
}
