package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Connections are the authorised links to tenants. Beside the item of a
// connection stands that of its lease, which mirrors its epoch and version.
type Connections struct{ db *db }

// Names of a connection's numbers and strings; those of its last run stand with its
// lease.
const (
	numEpoch    = "epoch"
	numLastRun  = "lastRunAt" // Unix milliseconds
	numLastGood = "lastGoodAt"
	strStatus   = "status"
	strLastRun  = "lastRun"
	strLastEnd  = "lastState"
)

// numChecked is when a connection was last checked, Unix milliseconds. It stands
// on the connection's item, so that a listing has it.
const numChecked = "checkedAt"

func connectionItem(c *directory.Connection) table.Item {
	return table.Item{
		Key:     connectionKey(c.ID),
		Index1:  table.Key{Partition: connectionsAt, Sort: string(c.ID)},
		Version: c.Version,
		Numbers: map[string]int64{numEpoch: c.Epoch, numLeaseUntil: movedAway},
		Strings: map[string]string{strStatus: string(c.Status)},
		Body:    encode(c),
	}
}

// decodeConnection reads a connection, and of its last run all but when one succeeded.
// lease is the item that says how its lease stands.
func decodeConnection(it, lease table.Item) (directory.Connection, error) {
	var c directory.Connection
	if err := decode(it, &c); err != nil {
		return c, err
	}
	c.Version, c.Epoch = it.Version, it.Numbers[numEpoch]
	nameWaiting(&c)
	c.LastRun = nil
	if at := lease.Numbers[numLastRun]; at != 0 {
		c.LastRun = &directory.LastRun{
			ID: directory.RunID(lease.Strings[strLastRun]), State: directory.RunState(lease.Strings[strLastEnd]),
			EndedAt: fromMillis(at),
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
func (s *Connections) CreateConnection(ctx context.Context, act directory.AuditEvent, c *directory.Connection) error {
	var none directory.Connection
	c.Version = 1
	c.ExportedSince = none.ExportedSinceWith(c.Settings, s.db.now().UTC())
	now := s.db.now()
	item, lease := connectionItem(c), newLeaseItem(c.ID, now)
	lease.Numbers[numEpoch], lease.Numbers[numConnVersion], lease.Numbers[numLiftedTo] = c.Epoch, c.Version, 0
	lease.Numbers[numKnownFence], lease.Numbers[numRunsFrom] = 0, millis(now.Add(mixedTime))
	writes := []table.Write{{Put: &item, If: table.Condition{Absent: true}}, {Put: &lease}, countFromNone(c)}
	writes = append(writes, s.db.record(act, connectionSubject(&none, c))...)
	return fail("create connection", s.db.table.Write(ctx, writes...))
}

// Connection reads a connection, strongly consistent. ErrNotFound.
func (s *Connections) Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error) {
	return s.db.connection(ctx, id)
}

func (d *db) connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error) {
	st, err := d.connectionState(ctx, id)
	if err != nil {
		return directory.Connection{}, err
	}
	return st.connection()
}

// ModifyConnection reads a connection, lets change edit it, and stores it,
// again when somebody else was faster. An error from change ends it unwritten. The
// epoch must not change here: EndEpoch does that.
func (s *Connections) ModifyConnection(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID, change func(*directory.Connection) error) (directory.Connection, error) {
	for {
		st, err := s.db.connectionState(ctx, id)
		if err != nil {
			return directory.Connection{}, err
		}
		c, err := st.connection()
		if err != nil {
			return c, err
		}
		old := c
		if err := change(&c); err != nil {
			return c, err
		}
		now := s.db.now().UTC()
		c.ExportedSince = old.ExportedSinceWith(c.Settings, now)
		c.Updated = now
		c.Version = old.Version + 1
		writes := []table.Write{{
			Update: &table.Update{
				Key: connectionKey(id), AddVersion: 1, SetBody: encode(&c), SetStrings: map[string]string{strStatus: string(c.Status)},
			},
			If: table.When(table.VersionIs(old.Version), table.NumberIs(numEpoch, table.Equal, old.Epoch)),
		}, st.mirror(id, c.Version)}
		writes = append(writes, s.db.record(act, connectionSubject(&old, &c))...)
		err = s.db.table.Write(ctx, writes...)
		if !refused(err) {
			return c, fail("modify connection", err)
		}
	}
}

// ListConnections lists connections in the order of their IDs. The listing is
// eventually consistent; each hit is current. limit 0 means a page.
func (s *Connections) ListConnections(ctx context.Context, cursor string, limit int) ([]directory.Connection, string, error) {
	page, err := s.db.table.Query(ctx, table.Query{Index: 1, Partition: connectionsAt, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", fail("list connections", err)
	}
	states, err := s.db.withLeases(ctx, page.Items)
	if err != nil {
		return nil, "", err
	}
	list := make([]directory.Connection, 0, len(states))
	for i := range states {
		c, err := states[i].connection()
		if err != nil {
			return nil, "", err
		}
		list = append(list, c)
	}
	return list, page.Next, nil
}

// withLeases reads the items of the leases and links that belong to the items of
// connections, strongly consistent.
func (d *db) withLeases(ctx context.Context, conns []table.Item) ([]connectionState, error) {
	states := make([]connectionState, len(conns))
	keys := make([]table.Key, 0, 2*len(conns))
	at := make(map[string]int, len(conns))
	for i, it := range conns {
		states[i].conn = it
		id := directory.ConnectionID(it.Index1.Sort)
		keys = append(keys, leaseKey(id), readLinkKey(id))
		at[it.Partition] = i
	}
	for it, err := range d.each(ctx, keys) {
		if err != nil {
			return nil, fail("leases", err)
		}
		st := &states[at[it.Partition]]
		if it.Sort == leaseKey("").Sort {
			st.lease, st.own = it, true
		} else {
			st.link = it
		}
	}
	return states, nil
}

// errDeactivated ends a deactivation of what is deactivated already.
var errDeactivated = errors.New("store: deactivated already")

// DeactivateConnection raises the epoch and sets the status, in one transaction
// of two items however many bindings there are, and takes the lease away from whoever
// holds it. It returns the connection as it stands then, and whether this call
// did it (false: it was deactivated already).
func (s *Connections) DeactivateConnection(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID) (directory.Connection, bool, error) {
	c, err := s.EndEpoch(ctx, act, id, func(was, next *directory.Connection) error {
		if was.Status == directory.StatusDeactivated {
			return errDeactivated
		}
		next.Status = directory.StatusDeactivated
		next.Deactivation = &directory.Deactivation{By: act.By, At: next.Updated, Reason: act.Reason}
		return nil
	})
	if errors.Is(err, errDeactivated) {
		return c, false, nil
	}
	return c, err == nil, err
}

// EndEpoch ends a connection's epoch in one transaction of the same size, however
// many bindings there are, which takes the lease away from whoever holds it, in
// whichever form. change sees what was
// read and edits what is to stand in the next epoch; an error from it ends it
// unwritten.
func (s *Connections) EndEpoch(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID, change func(was, next *directory.Connection) error) (directory.Connection, error) {
	for {
		st, err := s.db.connectionState(ctx, id)
		if err != nil {
			return directory.Connection{}, err
		}
		old, err := st.connection()
		if err != nil {
			return old, err
		}
		c := old
		c.Updated = s.db.now().UTC()
		c.EndEpoch(c.Updated)
		c.Version++
		if err := change(&old, &c); err != nil {
			return old, err
		}
		u := &table.Update{
			Key: connectionKey(id), AddVersion: 1, SetBody: encode(&c),
			SetNumbers: map[string]int64{numEpoch: c.Epoch}, SetStrings: map[string]string{strStatus: string(c.Status)},
		}
		fence := st.conn.Numbers[numFence] + 1
		moveAway(u, fence)
		u.RemoveNumbers = append(u.RemoveNumbers, numUsers, numUsersAt, numSettled, numDecided)
		u.RemoveStrings = append(u.RemoveStrings, strSettled)
		writes := []table.Write{
			{Update: u, If: table.When(table.VersionIs(old.Version), sameNumber(st.conn, numFence))},
			countFromNone(&c),
		}
		writes = append(writes, st.endEpoch(&c, fence, s.db.now())...)
		writes = append(writes, s.db.record(act, subject{connection: id, properties: settingsChanges(&old, &c)})...)
		err = s.db.table.Write(ctx, writes...)
		if !refused(err) {
			return c, fail("let connection go", err)
		}
	}
}

// DeleteConnection removes a deactivated connection's record. What its days came to
// stays. ErrConflict when it is not deactivated (any more).
func (s *Connections) DeleteConnection(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID) error {
	key, lease, link, licences := connectionKey(id), leaseKey(id), readLinkKey(id), licenceCountKey(id)
	it, _, err := s.db.find(ctx, lease) // whoever has the lease of a deactivated connection counts nothing on it
	if err != nil {
		return fail("delete connection", err)
	}
	writes := []table.Write{{
		Delete: &key,
		If:     table.When(table.StringIs(strStatus, string(directory.StatusDeactivated))),
	}, {Delete: &lease}, {Delete: &link}, {Delete: &licences}}
	if counted := todayOf(&it); counted.day != 0 {
		writes = append(writes, counted.write(id, s.db.retention))
	}
	err = s.db.table.Write(ctx, append(writes, s.db.record(act, subject{connection: id})...)...)
	if f, ok := failed(err); ok {
		if f[0] == nil {
			return nil
		}
		return fmt.Errorf("delete connection: %w", directory.ErrConflict)
	}
	return fail("delete connection", err)
}

// NoteDomains brings a connection's record to what the verified domains of its
// tenant are now, and returns it; the record is written only when they differ. It
// speaks of the authorisation that it was read with: ErrStale when that is not in
// force any more.
func (s *Connections) NoteDomains(ctx context.Context, read *directory.Connection, verified []directory.Domain) (directory.Connection, error) {
	c, err := s.ModifyConnection(ctx, directory.AuditEvent{}, read.ID, func(c *directory.Connection) error {
		if c.Tenant == nil || c.Authorization() != read.Authorization() {
			return fmt.Errorf("note domains: %w", directory.ErrStale)
		}
		next, changed := c.Tenant.WithDomains(verified, s.db.now())
		if !changed {
			return errSame
		}
		c.Tenant = &next
		return nil
	})
	if errors.Is(err, errSame) {
		err = nil
	}
	return c, err
}

// errSame ends a change that would change nothing.
var errSame = errors.New("store: nothing changes")

// SaveHealth stores what a check of a connection came to, of whatever form, and
// when it was made; that on the connection as well, where a listing finds it.
func (s *Connections) SaveHealth(ctx context.Context, c directory.ConnectionID, report any, at time.Time) error {
	err := s.db.table.Write(ctx, table.Write{Put: &table.Item{
		Key: healthKey(c), Numbers: map[string]int64{numChecked: millis(at)}, Body: encode(report), Expires: at.Add(s.db.retention),
	}})
	if err != nil {
		return fail("save health", err)
	}
	err = s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: connectionKey(c), SetNumbers: map[string]int64{numChecked: millis(at)}},
		If:     table.Condition{Present: true},
	})
	if refused(err) {
		return nil // deleted meanwhile
	}
	return fail("save health", err)
}

// Health reads the last check of a connection into report. ErrNotFound.
func (s *Connections) Health(ctx context.Context, c directory.ConnectionID, report any) error {
	it, err := s.db.table.Get(ctx, healthKey(c))
	if err != nil {
		return fail("health", err)
	}
	return decode(it, report)
}

// CheckedAt returns when a connection was last checked; zero when it never was.
func (s *Connections) CheckedAt(ctx context.Context, c directory.ConnectionID) (time.Time, error) {
	it, _, err := s.db.find(ctx, healthKey(c))
	return fromMillis(it.Numbers[numChecked]), fail("health", err)
}
