package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Names of a connection's numbers and strings.
const (
	numEpoch      = "epoch"
	numFence      = "fence"
	numLeaseUntil = "leaseUntil" // Unix milliseconds
	numWanted     = "wanted"     // 1 when a wake-up found the lease held
	numLastRun    = "lastRunAt"  // Unix milliseconds
	numLastGood   = "lastGoodAt"
	numFullAt     = "fullAt" // when the last full reconcile ended
	strHolder     = "holder"
	strStatus     = "status"
	strLastRun    = "lastRun"
	strLastState  = "lastState"
	strLink       = "link" // a ReadLink as JSON
	strPace       = "pace" // a Pace as JSON
	strSettled    = "settled"
	numSettled    = "settledVersion"
	numDecided    = "decidedAt" // Unix milliseconds
	numUsers      = "users"     // living users when a run was last looked at by the guard
)

func (s *Store) connectionItem(c *directory.Connection) table.Item {
	return table.Item{
		Key:     connectionKey(c.ID),
		Index1:  table.Key{Partition: "connections", Sort: string(c.ID)},
		Version: c.Version,
		Numbers: map[string]int64{numEpoch: c.Epoch},
		Strings: map[string]string{strStatus: string(c.Status)},
		Body:    encode(c),
	}
}

func decodeConnection(it table.Item) (directory.Connection, error) {
	var c directory.Connection
	if err := decode(it, &c); err != nil {
		return c, err
	}
	c.Version, c.Epoch = it.Version, it.Numbers[numEpoch]
	nameWaiting(&c)
	c.LastRun = nil
	if at := it.Numbers[numLastRun]; at != 0 {
		c.LastRun = &directory.LastRun{
			ID: directory.RunID(it.Strings[strLastRun]), State: directory.RunState(it.Strings[strLastState]),
			EndedAt: fromMillis(at), SucceededAt: fromMillis(it.Numbers[numLastGood]),
		}
	}
	return c, nil
}

// nameWaiting brings the record of a version that showed a sign-in as the
// identity in effect before it was confirmed into the present form.
func nameWaiting(c *directory.Connection) {
	if c.Status != directory.StatusAwaitingConfirmation || c.Waiting != nil || c.Tenant == nil || c.AuthorizedBy == nil {
		return
	}
	c.Waiting = &directory.SignIn{Tenant: *c.Tenant, AuthorizedBy: *c.AuthorizedBy, Scopes: c.Scopes, RequestedBy: c.RequestedBy, At: c.AuthorizedAt}
	c.Tenant, c.AuthorizedBy, c.Scopes, c.AuthorizedAt = nil, nil, nil, time.Time{}
}

// CreateConnection stores a new connection at version 1.
func (s *Store) CreateConnection(ctx context.Context, c *directory.Connection) error {
	c.Version = 1
	c.ExportedSince = (&directory.Connection{}).ExportedSinceWith(c.Settings, s.Now().UTC())
	item := s.connectionItem(c)
	writes := []table.Write{{Put: &item, If: table.Condition{Absent: true}}}
	writes = append(writes, s.actWrites(ctx, "connection", subject{connection: c.ID, properties: settingsChanges(&directory.Connection{}, c), detail: safetyDetail(&directory.Connection{}, c)})...)
	return fail("create connection", s.Table.Write(ctx, writes...))
}

// Connection reads a connection, strongly consistent. ErrNotFound.
func (s *Store) Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error) {
	it, err := s.Table.Get(ctx, connectionKey(id))
	if err != nil {
		return directory.Connection{}, fail("connection "+string(id), err)
	}
	return decodeConnection(it)
}

// UpdateConnection stores c when the stored version is still c.Version, and
// raises c.Version. The epoch must not change here: Deactivate does that.
// ErrStale when somebody else was faster.
func (s *Store) UpdateConnection(ctx context.Context, c *directory.Connection) error {
	return s.updateConnection(ctx, c, nil)
}

// extra writes ride in the same transaction.
func (s *Store) updateConnection(ctx context.Context, c *directory.Connection, extra []table.Write) error {
	old := c.Version
	c.Version++
	c.Updated = s.Now().UTC()
	writes := append([]table.Write{{
		Update: &table.Update{
			Key: connectionKey(c.ID), AddVersion: 1, SetBody: encode(c),
			SetStrings: map[string]string{strStatus: string(c.Status)},
		},
		If: table.When(table.VersionIs(old), table.NumberIs(numEpoch, table.Equal, c.Epoch)),
	}}, extra...)
	err := s.Table.Write(ctx, writes...)
	if f, ok := failed(err); ok {
		c.Version = old
		if it, hit := f[0]; hit {
			if it == nil {
				return fail("update connection", table.ErrNotFound)
			}
			return fmt.Errorf("update connection: %w", directory.ErrStale)
		}
		return err
	}
	if err != nil {
		c.Version = old
	}
	return fail("update connection", err)
}

// ModifyConnection reads a connection, lets change edit it, and stores it,
// again when somebody else was faster. An error from change ends it unwritten.
func (s *Store) ModifyConnection(ctx context.Context, id directory.ConnectionID, change func(*directory.Connection) error) (directory.Connection, error) {
	for {
		c, err := s.Connection(ctx, id)
		if err != nil {
			return c, err
		}
		old := c
		if err := change(&c); err != nil {
			return c, err
		}
		c.ExportedSince = old.ExportedSinceWith(c.Settings, s.Now().UTC())
		act := s.actWrites(ctx, "connection", subject{connection: id, properties: settingsChanges(&old, &c), detail: safetyDetail(&old, &c)})
		if err := s.updateConnection(ctx, &c, act); !errors.Is(err, directory.ErrStale) {
			return c, err
		}
	}
}

// Connections lists connections in the order of their IDs. The listing is
// eventually consistent; each hit is current. limit 0 means a page.
func (s *Store) Connections(ctx context.Context, cursor string, limit int) ([]directory.Connection, string, error) {
	page, err := s.Table.Query(ctx, table.Query{Index: 1, Partition: "connections", Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", fail("list connections", err)
	}
	list := make([]directory.Connection, 0, len(page.Items))
	for _, it := range page.Items {
		c, err := decodeConnection(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, c)
	}
	return list, page.Next, nil
}

// errDeactivated ends a deactivation of what is deactivated already.
var errDeactivated = errors.New("store: deactivated already")

// DeactivateConnection raises the epoch and sets the status, in one conditional
// write however many bindings there are, and takes the lease away from whoever
// holds it. It returns the connection as it stands then, and whether this call
// did it (false: it was deactivated already).
func (s *Store) DeactivateConnection(ctx context.Context, id directory.ConnectionID) (directory.Connection, bool, error) {
	c, err := s.LetGo(ctx, id, func(was, next *directory.Connection) error {
		if was.Status == directory.StatusDeactivated {
			return errDeactivated
		}
		next.Status = directory.StatusDeactivated
		return nil
	})
	if errors.Is(err, errDeactivated) {
		return c, false, nil
	}
	return c, err == nil, err
}

// LetGo ends a connection's epoch in one conditional write. change sees what was
// read and edits what is to stand in the next epoch; an error from it ends it
// unwritten.
func (s *Store) LetGo(ctx context.Context, id directory.ConnectionID, change func(was, next *directory.Connection) error) (directory.Connection, error) {
	for {
		old, err := s.Connection(ctx, id)
		if err != nil {
			return old, err
		}
		c := old
		c.Updated = s.Now().UTC()
		c.LetGo(c.Updated)
		c.Version++
		if err := change(&old, &c); err != nil {
			return old, err
		}
		writes := []table.Write{{
			Update: &table.Update{
				Key: connectionKey(id), AddVersion: 1, SetBody: encode(&c),
				SetNumbers:    map[string]int64{numEpoch: c.Epoch},
				AddNumbers:    map[string]int64{numFence: 1},
				RemoveNumbers: []string{numLeaseUntil, numWanted, numFullAt, numUsers},
				RemoveStrings: []string{strLink, strHolder, strSettled},
				SetStrings:    map[string]string{strStatus: string(c.Status)},
			},
			If: table.When(table.VersionIs(old.Version)),
		}}
		writes = append(writes, s.actWrites(ctx, "connection", subject{connection: id, properties: settingsChanges(&old, &c)})...)
		err = s.Table.Write(ctx, writes...)
		if _, lost := failed(err); lost {
			continue
		}
		return c, fail("let connection go", err)
	}
}

// DeleteConnection removes a deactivated connection's record. ErrConflict when
// it is not deactivated (any more).
func (s *Store) DeleteConnection(ctx context.Context, id directory.ConnectionID) error {
	key := connectionKey(id)
	writes := []table.Write{{
		Delete: &key,
		If:     table.When(table.StringIs(strStatus, string(directory.StatusDeactivated))),
	}}
	err := s.Table.Write(ctx, append(writes, s.actWrites(ctx, "connection", subject{connection: id})...)...)
	if f, ok := failed(err); ok {
		if f[0] == nil {
			return nil
		}
		return fmt.Errorf("delete connection: %w", directory.ErrConflict)
	}
	return fail("delete connection", err)
}

// BoundCount returns how many users are bound through a connection's epoch.
func (s *Store) BoundCount(ctx context.Context, id directory.ConnectionID, epoch int64) (int, error) {
	it, err := s.Table.Get(ctx, boundKey(id, epoch))
	if errors.Is(err, table.ErrNotFound) {
		return 0, nil
	}
	return int(it.Numbers[numBound]), fail("bound count", err)
}

// Names of the numbers beside a connection. What bindings gained and lost of
// accounts is added up in the transactions that do it; base is what there was
// when the adding began, once it has been counted.
const (
	numBound        = "bound"
	numAccounts     = "accounts"
	numAccountsBase = "accountsBase"
)

// Accounts is how many bindings of a connection's epoch have an account.
type Accounts struct {
	N int
	// Counted is false until CountAccounts: N is then no more than what has
	// changed since the adding began, and may be negative.
	Counted bool
}

// BoundAccounts returns how many users are bound through a connection's epoch
// whose bindings have an account.
func (s *Store) BoundAccounts(ctx context.Context, id directory.ConnectionID, epoch int64) (Accounts, error) {
	it, err := s.Table.Get(ctx, boundKey(id, epoch))
	if errors.Is(err, table.ErrNotFound) {
		return Accounts{}, nil
	}
	base, counted := it.Numbers[numAccountsBase]
	return Accounts{N: int(it.Numbers[numAccounts] + base), Counted: counted}, fail("bound accounts", err)
}

// CountAccounts notes what a count of all bindings found, while a, read before
// it, still stands; otherwise it does nothing, and the next guard counts again.
// gained of them got their account within a day and were not counted by the hour
// then. ErrLeaseLost.
func (s *Store) CountAccounts(ctx context.Context, l *Lease, a Accounts, all, gained int) error {
	still := table.NumberIs(numAccounts, table.Equal, int64(a.N))
	missing := table.Test{Number: numAccountsBase, Op: table.IsMissing}
	w := table.Write{
		Update: &table.Update{Key: boundKey(l.ConnectionID, l.Epoch), SetNumbers: map[string]int64{numAccountsBase: int64(all - a.N)}},
		If:     table.When(still, missing),
	}
	if a.N == 0 { // an earlier version's item has no such number
		w.If.AnyOf = append(w.If.AnyOf, []table.Test{{Number: numAccounts, Op: table.IsMissing}, missing})
	}
	writes := []table.Write{l.check(), w}
	if gained > 0 {
		writes = append(writes, s.hourWrite(l.ConnectionID, 0, map[string]int64{numAccounts: int64(gained)}))
	}
	err := s.Table.Write(ctx, writes...)
	if f, refused := failed(err); refused {
		if _, lost := f[0]; lost {
			return fmt.Errorf("count accounts: %w", directory.ErrLeaseLost)
		}
		return nil
	}
	return fail("count accounts", err)
}

// addBound adds to the number of bound users, and of those of them whose binding
// has an account.
func addBound(id directory.ConnectionID, epoch, bound, accounts int64) table.Write {
	return table.Write{Update: &table.Update{
		Key: boundKey(id, epoch), AddNumbers: map[string]int64{numBound: bound, numAccounts: accounts},
	}}
}

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
	// living users there were when the guard last looked.
	Settled        string
	SettledVersion int64
	Users          int
	// Decided is when the last run was begun that a former guard held and somebody
	// approved; see directory.Connection.FormerGuards.
	Decided time.Time
}

// ErrLeaseHeld says that somebody else works on the connection. It has been
// told to look once more before it ends.
var ErrLeaseHeld = errors.New("store: lease held by another worker")

// ErrConnectionChanged says that the connection is not as it was when its lease
// was taken.
var ErrConnectionChanged = errors.New("store: the connection was changed since its lease was taken")

// AcquireLease takes the connection's lease for ttl, or marks it as wanted and
// returns ErrLeaseHeld with a lease that says no more than until when. The
// connection is returned as read in the same moment.
func (s *Store) AcquireLease(ctx context.Context, id directory.ConnectionID, holder string, ttl time.Duration) (Lease, directory.Connection, error) {
	for {
		it, err := s.Table.Get(ctx, connectionKey(id))
		if err != nil {
			return Lease{}, directory.Connection{}, fail("acquire lease", err)
		}
		c, err := decodeConnection(it)
		if err != nil {
			return Lease{}, c, err
		}
		now := s.Now()
		fence, until := it.Numbers[numFence], it.Numbers[numLeaseUntil]
		sameHolder := table.NumberIs(numFence, table.Equal, fence)
		if until > now.UnixMilli() {
			err := s.Table.Write(ctx, table.Write{
				Update: &table.Update{Key: connectionKey(id), SetNumbers: map[string]int64{numWanted: 1}},
				If:     table.When(sameHolder, table.NumberIs(numLeaseUntil, table.AtLeast, until)),
			})
			if _, changed := failed(err); changed {
				continue // it was given back meanwhile
			}
			if err != nil {
				return Lease{}, c, fail("acquire lease", err)
			}
			return Lease{Until: fromMillis(until)}, c, ErrLeaseHeld
		}
		l := Lease{
			ConnectionID: id, Epoch: c.Epoch, Fence: fence + 1, Until: now.Add(ttl), Holder: holder, Version: it.Version,
		}
		if err := l.standing(it); err != nil {
			return Lease{}, c, err
		}
		cond := []table.Test{table.NumberIs(numEpoch, table.Equal, c.Epoch), sameHolder, table.VersionIs(it.Version)}
		if fence == 0 {
			cond[1] = table.Test{Number: numFence, Op: table.IsMissing}
			if _, there := it.Numbers[numFence]; there {
				cond[1] = sameHolder
			}
		}
		// An unchanged lease time: the holder did not renew since the read.
		if _, there := it.Numbers[numLeaseUntil]; there {
			cond = append(cond, table.NumberIs(numLeaseUntil, table.Equal, until))
		} else {
			cond = append(cond, table.Test{Number: numLeaseUntil, Op: table.IsMissing})
		}
		err = s.Table.Write(ctx, table.Write{
			Update: &table.Update{
				Key:        connectionKey(id),
				SetNumbers: map[string]int64{numFence: l.Fence, numLeaseUntil: l.Until.UnixMilli(), numWanted: 0},
				SetStrings: map[string]string{strHolder: holder},
			},
			If: table.When(cond...),
		})
		if _, raced := failed(err); raced {
			continue
		}
		return l, c, fail("acquire lease", err)
	}
}

// standing fills in what the connection's item says of reading and quotas.
func (l *Lease) standing(it table.Item) error {
	l.FullAt = fromMillis(it.Numbers[numFullAt])
	l.Settled, l.SettledVersion = it.Strings[strSettled], it.Numbers[numSettled]
	l.Users, l.Decided = int(it.Numbers[numUsers]), fromMillis(it.Numbers[numDecided])
	if raw := it.Strings[strLink]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &l.Link); err != nil {
			return fmt.Errorf("store: connection %s: link: %w", l.ConnectionID, err)
		}
	}
	if l.Link.Epoch != l.Epoch {
		l.Link = ReadLink{}
	}
	if raw := it.Strings[strPace]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &l.Pace); err != nil {
			return fmt.Errorf("store: connection %s: pace: %w", l.ConnectionID, err)
		}
	}
	return nil
}

// Stand reads a connection, and where its work stands, without taking the
// lease. Until is zero when the last holder gave the lease back.
func (s *Store) Stand(ctx context.Context, id directory.ConnectionID) (Lease, directory.Connection, error) {
	it, err := s.Table.Get(ctx, connectionKey(id))
	if err != nil {
		return Lease{}, directory.Connection{}, fail("connection "+string(id), err)
	}
	c, err := decodeConnection(it)
	if err != nil {
		return Lease{}, c, err
	}
	l := Lease{ConnectionID: id, Epoch: c.Epoch, Fence: it.Numbers[numFence], Until: fromMillis(it.Numbers[numLeaseUntil])}
	return l, c, l.standing(it)
}

// Pass records a run that found nothing to do, in one write: the link that the
// next one starts from and when this one ended. It holds only while nobody has
// worked on the connection since l was read by Stand with a free lease;
// ErrLeaseLost otherwise.
func (s *Store) Pass(ctx context.Context, l Lease, link ReadLink, at time.Time) error {
	link.Epoch = l.Epoch
	err := s.Table.Write(ctx, table.Write{
		Update: &table.Update{
			Key:        connectionKey(l.ConnectionID),
			SetNumbers: map[string]int64{numLastRun: millis(at), numLastGood: millis(at)},
			SetStrings: map[string]string{strLink: string(encode(link)), strLastRun: "", strLastState: string(directory.RunDone)},
		},
		If: table.When(table.NumberIs(numFence, table.Equal, l.Fence), table.NumberIs(numEpoch, table.Equal, l.Epoch),
			table.NumberIs(numLeaseUntil, table.Equal, 0)),
	})
	if _, lost := failed(err); lost {
		return fmt.Errorf("pass: %w", directory.ErrLeaseLost)
	}
	return fail("pass", err)
}

// BreakLease ends whatever lease a connection has. It is for a table that one
// process has to itself: when that process begins, every holder is dead.
func (s *Store) BreakLease(ctx context.Context, id directory.ConnectionID) error {
	now := s.Now().UnixMilli()
	err := s.Table.Write(ctx, table.Write{
		Update: &table.Update{Key: connectionKey(id), SetNumbers: map[string]int64{numLeaseUntil: now - 1}},
		If:     table.When(table.NumberIs(numLeaseUntil, table.AtLeast, now)),
	})
	if _, none := failed(err); none {
		return nil
	}
	return fail("break lease", err)
}

func (l *Lease) current() table.Condition {
	return table.When(table.NumberIs(numFence, table.Equal, l.Fence), table.NumberIs(numEpoch, table.Equal, l.Epoch))
}

func (l *Lease) check() table.Write {
	key := connectionKey(l.ConnectionID)
	return table.Write{Check: &key, If: l.current()}
}

// RenewLease extends the lease by ttl from now, before a batch, and notes what
// is left of the quotas. It is at once the strongly consistent check of epoch
// and lease: ErrLeaseLost means that nothing may be sent any more. After
// ErrConnectionChanged the lease is still held, and not renewed: what is known of
// the connection (its settings, who authorised it) does not count any more.
func (s *Store) RenewLease(ctx context.Context, l *Lease, ttl time.Duration) error {
	until := s.Now().Add(ttl)
	err := s.Table.Write(ctx, table.Write{
		Update: &table.Update{
			Key:        connectionKey(l.ConnectionID),
			SetNumbers: map[string]int64{numLeaseUntil: until.UnixMilli()},
			SetStrings: l.pace(),
		},
		If: table.When(table.NumberIs(numFence, table.Equal, l.Fence), table.NumberIs(numEpoch, table.Equal, l.Epoch), table.VersionIs(l.Version)),
	})
	if items, refused := failed(err); refused {
		if it := items[0]; it != nil && it.Numbers[numFence] == l.Fence && it.Numbers[numEpoch] == l.Epoch {
			return ErrConnectionChanged
		}
		return fmt.Errorf("renew lease: %w", directory.ErrLeaseLost)
	}
	if err == nil {
		l.Until = until
	}
	return fail("renew lease", err)
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
	Decided time.Time
}

// ErrWanted says that a wake-up came while the lease was held: the lease is
// still ours, and there may be more to do.
var ErrWanted = errors.New("store: lease wanted by a wake-up")

// ReleaseLease gives the lease back, unless a wake-up came meanwhile: then the
// mark is cleared, the lease stays and ErrWanted is returned. force gives it
// back in any case (the caller queues a wake-up of its own). A lost lease is
// no error.
func (s *Store) ReleaseLease(ctx context.Context, l *Lease, end RunEnd, force bool) error {
	u := &table.Update{
		Key:           connectionKey(l.ConnectionID),
		SetNumbers:    map[string]int64{numLeaseUntil: 0},
		SetStrings:    l.pace(),
		RemoveStrings: []string{strHolder},
	}
	if u.SetStrings == nil {
		u.SetStrings = map[string]string{}
	}
	if end.Settled != "" {
		u.SetStrings[strSettled], u.SetNumbers[numSettled] = end.Settled, l.Version
	}
	if !end.Decided.IsZero() {
		u.SetNumbers[numDecided] = millis(end.Decided)
	}
	if end.Users > 0 {
		u.SetNumbers[numUsers] = int64(end.Users)
	}
	if end.State != "" {
		u.SetNumbers[numLastRun] = millis(end.At)
		u.SetStrings[strLastRun], u.SetStrings[strLastState] = string(end.RunID), string(end.State)
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
	err := s.Table.Write(ctx, table.Write{Update: u, If: cond})
	f, refused := failed(err)
	if !refused {
		return fail("release lease", err)
	}
	it := f[0]
	if it == nil || it.Numbers[numFence] != l.Fence || it.Numbers[numEpoch] != l.Epoch {
		return nil
	}
	err = s.Table.Write(ctx, table.Write{
		Update: &table.Update{Key: connectionKey(l.ConnectionID), SetNumbers: map[string]int64{numWanted: 0}},
		If:     l.current(),
	})
	if _, lost := failed(err); lost {
		return nil
	}
	if err != nil {
		return fail("release lease", err)
	}
	return ErrWanted
}
