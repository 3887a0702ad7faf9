package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Names of a binding's numbers and strings.
const (
	numApplied     = "applied"
	numUrgent      = "urgent"
	numMarked      = "marked" // Unix milliseconds of the mark; 0: no mark
	numRecheck     = "recheck"
	strConnection  = "connection"
	strAccount     = "account"
	numDigest      = "digest"
	numBlocked     = "blocked"
	laneUrgent     = "u"
	numUserVersion = "wanted" // shared name with the connection's flag, another item
)

// accountsOf is what a binding adds to the number of those with an account.
func accountsOf(b *directory.Binding) int64 {
	if b.AccountID == "" {
		return 0
	}
	return 1
}

func accountSince(id directory.AccountID, now time.Time) time.Time {
	if id == "" {
		return time.Time{}
	}
	return now
}

// dateAccount notes when a binding gets an account, or another one.
func (s *Store) dateAccount(old, b *directory.Binding) {
	if old.AccountID != b.AccountID {
		b.AccountSince = accountSince(b.AccountID, s.Now().UTC())
	}
}

func bindingItem(b *directory.Binding) table.Item {
	return table.Item{
		Key:     bindingKey(b.UserID),
		Index1:  table.Key{Partition: bindingsPartition(b.ConnectionID, b.Epoch, int(hashOf(string(b.UserID))%shards)), Sort: string(b.UserID)},
		Version: b.Version,
		Numbers: map[string]int64{numEpoch: b.Epoch, numUserVersion: b.Wanted, numApplied: b.Applied, numMarked: 0, numUrgent: 0},
		Strings: map[string]string{strConnection: string(b.ConnectionID), strAccount: string(b.AccountID), strStatus: string(b.Status)},
		Body:    encode(b),
	}
}

func decodeBinding(it table.Item) (directory.Binding, error) {
	b := directory.Binding{Agreed: -1}
	if err := decode(it, &b); err != nil {
		return b, err
	}
	b.Version, b.Epoch = it.Version, it.Numbers[numEpoch]
	b.Wanted, b.Applied = it.Numbers[numUserVersion], it.Numbers[numApplied]
	if b.Agreed < 0 { // of a version that took what was applied for it
		b.Agreed = b.Applied
	}
	b.Recheck, b.Digest = it.Numbers[numRecheck] != 0, it.Numbers[numDigest]
	if b.Status == directory.BindingInSync && b.Dirty() {
		b.Status = directory.BindingPending
	}
	return b, nil
}

func lane(u string, urgent bool) string {
	if urgent {
		return laneUrgent
	}
	return strconv.Itoa(int(hashOf(u) % markLanes))
}

func (s *Store) markKey(c directory.ConnectionID, epoch int64, u directory.UserID, urgent bool, at time.Time) (table.Key, int64) {
	now := at.UnixMilli()
	return table.Key{
		Partition: marksPartition(c, epoch, lane(string(u), urgent)),
		Sort:      fmt.Sprintf("%013d#%s", now, u),
	}, now
}

// markWrite says that version of the user must reach the account. It changes
// only numbers and the mark, and holds while the binding is of the same
// connection and epoch. A mark that is there already keeps its urgency; its
// time moves, so that a plan made before can be seen to be out of date.
func (s *Store) markWrite(b table.Item, version int64, urgent bool, at time.Time) table.Write {
	user := directory.UserID(b.Index1.Sort)
	up := &table.Update{Key: b.Key, SetNumbers: map[string]int64{numUserVersion: version}}
	urgent = urgent || b.Numbers[numUrgent] != 0
	key, now := s.markKey(directory.ConnectionID(b.Strings[strConnection]), b.Numbers[numEpoch], user, urgent, at)
	up.SetIndex2, up.SetNumbers[numMarked] = &key, now
	if urgent {
		up.SetNumbers[numUrgent] = 1
	}
	return table.Write{Update: up, If: table.When(
		table.NumberIs(numEpoch, table.Equal, b.Numbers[numEpoch]),
		table.StringIs(strConnection, b.Strings[strConnection]),
		table.NumberIs(numMarked, table.Equal, b.Numbers[numMarked]),
		table.NumberIs(numUrgent, table.Equal, b.Numbers[numUrgent]),
	)}
}

func (s *Store) bindingItem(ctx context.Context, u directory.UserID) (table.Item, bool, error) {
	it, err := s.Table.Get(ctx, bindingKey(u))
	if errors.Is(err, table.ErrNotFound) {
		return table.Item{}, false, nil
	}
	return it, err == nil, fail("binding", err)
}

// Binding returns a user's binding, of whatever connection and epoch.
// ErrNotFound.
func (s *Store) Binding(ctx context.Context, u directory.UserID) (directory.Binding, error) {
	it, err := s.Table.Get(ctx, bindingKey(u))
	if err != nil {
		return directory.Binding{}, fail("binding of "+string(u), err)
	}
	return decodeBinding(it)
}

// Subject is a user and the binding that its partition holds, if any.
type Subject struct {
	User    *directory.User
	Binding *directory.Binding
}

// Subjects reads users together with their bindings, strongly consistent. The
// map holds an entry for every ID that has a profile or a binding.
func (s *Store) Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]Subject, error) {
	out := make(map[directory.UserID]Subject, len(ids))
	for part := range slices.Chunk(ids, table.MaxGet/2) {
		keys := make([]table.Key, 0, 2*len(part))
		for _, id := range part {
			if id.Valid() { // no other can be there
				keys = append(keys, profileKey(id), bindingKey(id))
			}
		}
		if len(keys) == 0 {
			continue
		}
		items, err := s.Table.GetMany(ctx, keys)
		if err != nil {
			return nil, fail("subjects", err)
		}
		for _, it := range items {
			if it.Sort == "profile" {
				if s.expired(it) {
					continue
				}
				u, err := decodeUser(it)
				if err != nil {
					return nil, err
				}
				sub := out[u.ID]
				sub.User = &u
				out[u.ID] = sub
				continue
			}
			b, err := decodeBinding(it)
			if err != nil {
				return nil, err
			}
			sub := out[b.UserID]
			sub.Binding = &b
			out[b.UserID] = sub
		}
	}
	return out, nil
}

// BoundElsewhere says that a user has a binding that counts.
type BoundElsewhere struct {
	UserID       directory.UserID
	ConnectionID directory.ConnectionID
}

func (e *BoundElsewhere) Error() string {
	return fmt.Sprintf("user %s is bound through connection %s", e.UserID, e.ConnectionID)
}

// Unwrap makes it a conflict.
func (e *BoundElsewhere) Unwrap() error { return directory.ErrConflict }

// Selection is one user to be bound.
type Selection struct {
	User *directory.User
	// Stale is the row of an epoch that has passed, read before, which the
	// new binding replaces; nil when there was none.
	Stale *directory.Binding
	// AccountID binds to a known account at once (an import); the account is
	// claimed in the same transaction.
	AccountID         directory.AccountID
	UserPrincipalName string
}

// MaxBind is how many selections one Bind takes.
const MaxBind = 19

// Bind selects users as members of a connection, all or none, while its epoch
// and status are as in c and each user's version is as read. ErrStale when
// something moved: read again and repeat, one by one if need be.
func (s *Store) Bind(ctx context.Context, c *directory.Connection, by string, list []Selection) error {
	if len(list) == 0 {
		return nil
	}
	key := connectionKey(c.ID)
	writes := []table.Write{
		{Check: &key, If: table.When(table.NumberIs(numEpoch, table.Equal, c.Epoch), table.StringIs(strStatus, string(c.Status)))},
		{},
	}
	now := s.Now().UTC()
	for _, sel := range list {
		b := directory.Binding{
			UserID: sel.User.ID, ConnectionID: c.ID, Epoch: c.Epoch, TenantID: c.TenantID(), AccountID: sel.AccountID, AccountSince: accountSince(sel.AccountID, now),
			UserPrincipalName: sel.UserPrincipalName, Status: directory.BindingPending,
			Wanted: sel.User.Version, SelectedBy: by, SelectedAt: now, Version: 1,
		}
		item := bindingItem(&b)
		item.Index2, item.Numbers[numMarked] = s.markKey(c.ID, c.Epoch, b.UserID, false, now)
		profile := profileKey(sel.User.ID)
		put := table.Write{Put: &item, If: table.Condition{Absent: true}}
		if sel.Stale != nil {
			put.If = table.When(table.NumberIs(numEpoch, table.Equal, sel.Stale.Epoch),
				table.StringIs(strConnection, string(sel.Stale.ConnectionID)))
			if sel.Stale.Release == "" {
				writes = append(writes, s.formerWrite("", sel.Stale))
			}
		}
		writes = append(writes, put, table.Write{Check: &profile, If: table.When(table.VersionIs(sel.User.Version))})
		if sel.AccountID != "" {
			w, err := s.accountClaim(ctx, c, sel.AccountID, sel.User.ID)
			if err != nil {
				return err
			}
			writes = append(writes, w)
		}
	}
	users := make([]directory.UserID, len(list))
	accounts := int64(0)
	for i, sel := range list {
		if users[i] = sel.User.ID; sel.AccountID != "" {
			accounts++
		}
	}
	writes[1] = addBound(c.ID, c.Epoch, int64(len(list)), accounts)
	if accounts > 0 {
		writes = append(writes, s.hourWrite(c.ID, 0, map[string]int64{numAccounts: accounts}))
	}
	writes = append(writes, s.actWrites(ctx, "binding", subject{connection: c.ID, users: users})...)
	err := s.Table.Write(ctx, writes...)
	if _, ok := failed(err); ok {
		return fmt.Errorf("bind: %w", directory.ErrStale)
	}
	return fail("bind", err)
}

// formerWrite keeps whom a binding was of. tenant is that of an older record,
// which does not say it; "" when it is not known.
func (s *Store) formerWrite(tenant directory.TenantID, b *directory.Binding) table.Write {
	return table.Write{Put: &table.Item{
		Key: formerKey(b.ConnectionID, b.UserID),
		Body: encode(directory.Former{
			ConnectionID: b.ConnectionID, TenantID: cmp.Or(b.TenantID, tenant), UserID: b.UserID, AccountID: b.AccountID,
			UserPrincipalName: b.UserPrincipalName, Epoch: b.Epoch, At: s.Now().UTC(),
		}),
	}}
}

// Former lists whom a connection had selected in epochs that have passed and
// whose rows have been swept.
func (s *Store) Former(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]directory.Former, string, error) {
	var list []directory.Former
	next, err := s.walkShards(ctx, cursor, limit, func(shard int) table.Query {
		return table.Query{Partition: "F#" + string(c) + "#" + strconv.FormatInt(int64(shard), 16)}
	}, func(it table.Item) string { return it.Sort }, func(it table.Item) error {
		var f directory.Former
		if err := decode(it, &f); err != nil {
			return err
		}
		list = append(list, f)
		return nil
	})
	return list, next, err
}

// KnownAccounts returns which accounts of a connection's tenant users are known to have
// without being bound to them: the one of their last binding through the
// connection that nobody ended, else the one that an import made them of.
func (s *Store) KnownAccounts(ctx context.Context, c *directory.Connection, users []*directory.User) (map[directory.UserID]directory.AccountRef, error) {
	tenant := c.TenantID()
	links := map[directory.UserID]directory.AccountRef{}
	keys := make([]table.Key, 0, len(users))
	for _, u := range users {
		if from := u.ImportedFrom; from != nil && from.TenantID == tenant {
			links[u.ID] = *from
		}
		keys = append(keys, formerKey(c.ID, u.ID))
	}
	for part := range slices.Chunk(keys, table.MaxGet) {
		items, err := s.Table.GetMany(ctx, part)
		if err != nil {
			return nil, fail("known accounts", err)
		}
		for _, it := range items {
			var f directory.Former
			if err := decode(it, &f); err != nil {
				return nil, err
			}
			if f.AccountID != "" && f.TenantID == tenant {
				links[f.UserID] = directory.AccountRef{TenantID: tenant, AccountID: f.AccountID, UserPrincipalName: f.UserPrincipalName}
			}
		}
	}
	return links, nil
}

// forget has a user's former binding through a connection lead to no account any
// more: somebody has ended the binding that came after it.
func forget(b *directory.Binding) table.Write {
	key := formerKey(b.ConnectionID, b.UserID)
	return table.Write{Delete: &key}
}

// Standing is what a binding's item says without its body.
type Standing struct {
	UserID    directory.UserID
	AccountID directory.AccountID
	// Settled says that the binding counts and nothing is marked; Digest is
	// then that of the managed values that were agreed, or 0.
	Settled bool
	Digest  int64
	Blocked bool // the block in force is ours
}

func standingOf(it table.Item, c directory.ConnectionID, epoch int64) Standing {
	n := it.Numbers
	return Standing{
		UserID: directory.UserID(strings.TrimPrefix(it.Partition, "U#")), AccountID: directory.AccountID(it.Strings[strAccount]),
		Settled: n[numEpoch] == epoch && it.Strings[strConnection] == string(c) && n[numMarked] == 0 && n[numApplied] >= n[numUserVersion],
		Digest:  n[numDigest], Blocked: n[numBlocked] != 0,
	}
}

// Standings reads how bindings stand, strongly consistent, for those that there are.
func (s *Store) Standings(ctx context.Context, l *Lease, ids []directory.UserID) (map[directory.UserID]Standing, error) {
	out := make(map[directory.UserID]Standing, len(ids))
	for part := range slices.Chunk(ids, table.MaxGet) {
		keys := make([]table.Key, len(part))
		for i, id := range part {
			keys[i] = bindingKey(id)
		}
		items, err := s.Table.GetMany(ctx, keys)
		if err != nil {
			return nil, fail("standings", err)
		}
		for _, it := range items {
			st := standingOf(it, l.ConnectionID, l.Epoch)
			out[st.UserID] = st
		}
	}
	return out, nil
}

// AllStandings is Bindings without the bodies.
func (s *Store) AllStandings(ctx context.Context, l *Lease, cursor string, limit int) ([]Standing, string, error) {
	var list []Standing
	next, err := s.walkShards(ctx, cursor, limit, func(shard int) table.Query {
		return table.Query{Index: 1, Partition: bindingsPartition(l.ConnectionID, l.Epoch, shard)}
	}, func(it table.Item) string { return it.Index1.Sort }, func(it table.Item) error {
		list = append(list, standingOf(it, l.ConnectionID, l.Epoch))
		return nil
	})
	return list, next, err
}

// Bindings lists the bindings of a connection's epoch in a stable order. The
// listing is eventually consistent, each hit is current.
func (s *Store) Bindings(ctx context.Context, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error) {
	var list []directory.Binding
	next, err := s.walkShards(ctx, cursor, limit, func(shard int) table.Query {
		return table.Query{Index: 1, Partition: bindingsPartition(c, epoch, shard)}
	}, func(it table.Item) string { return it.Index1.Sort }, func(it table.Item) error {
		b, err := decodeBinding(it)
		if err != nil {
			return err
		}
		list = append(list, b)
		return nil
	})
	return list, next, err
}

// Mark is a hint that a binding has something to be written.
type Mark struct {
	UserID directory.UserID
	At     time.Time
	Urgent bool
}

// UrgentMarks lists bindings whose block must not wait, oldest first, up to
// limit from a cursor; next is "" at the end.
func (s *Store) UrgentMarks(ctx context.Context, c directory.ConnectionID, epoch int64, cursor string, limit int) (list []Mark, next string, err error) {
	return s.marks(ctx, c, epoch, laneUrgent, cursor, limit)
}

// MarksAfter is the cursor of UrgentMarks that begins with marks after a time.
func MarksAfter(at time.Time) string { return fmt.Sprintf("%013d$", at.UnixMilli()) }

var lanes = []string{"0", "1", "2", "3"}

// Marks lists the other bindings with something to be written, up to limit from
// a cursor; next is "" at the end. Marks of a time to come are left out.
func (s *Store) Marks(ctx context.Context, c directory.ConnectionID, epoch int64, cursor string, limit int) (list []Mark, next string, err error) {
	at, after := 0, ""
	if cursor != "" {
		if at = slices.Index(lanes, cursor[:1]); at < 0 || len(cursor) < 2 {
			return nil, "", fmt.Errorf("marks: bad cursor: %w", directory.ErrInvalid)
		}
		after = cursor[2:]
	}
	for ; at < len(lanes); at, after = at+1, "" {
		marks, more, err := s.marks(ctx, c, epoch, lanes[at], after, limit-len(list))
		if err != nil {
			return nil, "", err
		}
		list = append(list, marks...)
		if more != "" {
			return list, lanes[at] + ":" + more, nil
		}
		if len(list) >= limit && at+1 < len(lanes) {
			return list, lanes[at+1] + ":", nil
		}
	}
	return list, "", nil
}

// MarkedSince lists the bindings that got a mark that is not urgent after a time,
// page by page, as long as each, which gets their users, asks for more.
func (s *Store) MarkedSince(ctx context.Context, c directory.ConnectionID, epoch int64, since time.Time, each func([]directory.UserID) (more bool, err error)) error {
	for _, lane := range lanes {
		for after := MarksAfter(since); after != ""; {
			marks, next, err := s.marks(ctx, c, epoch, lane, after, 100)
			if err != nil {
				return err
			}
			if after = next; len(marks) == 0 {
				continue
			}
			users := make([]directory.UserID, len(marks))
			for i := range marks {
				users[i] = marks[i].UserID
			}
			if more, err := each(users); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

func (s *Store) marks(ctx context.Context, c directory.ConnectionID, epoch int64, lane, after string, limit int) (list []Mark, more string, err error) {
	page, err := s.Table.Query(ctx, table.Query{Index: 2, Partition: marksPartition(c, epoch, lane), After: after, Limit: limit})
	if err != nil {
		return nil, "", fail("marks", err)
	}
	now := s.Now().UnixMilli()
	for _, it := range page.Items {
		if it.Numbers[numMarked] > now {
			return list, "", nil
		}
		list = append(list, Mark{
			UserID: directory.UserID(it.Index1.Sort), At: fromMillis(it.Numbers[numMarked]), Urgent: lane == laneUrgent,
		})
		more = it.Index2.Sort
	}
	if page.Next == "" {
		more = ""
	}
	return list, more, nil
}

// walkShards pages through 16 partitions one after the other. The cursor is
// "shard:sort key".
func (s *Store) walkShards(ctx context.Context, cursor string, limit int, query func(shard int) table.Query, at func(table.Item) string, take func(table.Item) error) (string, error) {
	shard, after, err := parseShardCursor(cursor)
	if err != nil {
		return "", err
	}
	taken, inner := 0, ""
	for shard < shards {
		q := query(shard)
		q.After, q.Cursor = after, inner
		if limit > 0 {
			q.Limit = limit - taken
		}
		page, err := s.Table.Query(ctx, q)
		if err != nil {
			return "", fail("list", err)
		}
		for _, it := range page.Items {
			if err := take(it); err != nil {
				return "", err
			}
			after = at(it)
			taken++
		}
		if inner = page.Next; inner == "" {
			shard, after = shard+1, ""
		}
		if limit > 0 && taken >= limit || limit == 0 && taken > 0 && inner == "" {
			break
		}
	}
	if shard >= shards {
		return "", nil
	}
	return fmt.Sprintf("%d:%s", shard, after), nil
}

// MarkRecheck asks for bindings to be read and compared, from a time on, while
// the lease is ours. Bindings that are not of this connection and epoch are
// left alone.
func (s *Store) MarkRecheck(ctx context.Context, l *Lease, ids []directory.UserID, at time.Time) error {
	for part := range slices.Chunk(ids, table.MaxWrites-1) { // the lease is checked too
		for {
			again, err := s.markRecheck(ctx, l, part, at)
			if err != nil {
				return err
			}
			if !again {
				break
			}
		}
	}
	return nil
}

func (s *Store) markRecheck(ctx context.Context, l *Lease, part []directory.UserID, at time.Time) (again bool, err error) {
	keys := make([]table.Key, len(part))
	for i, id := range part {
		keys[i] = bindingKey(id)
	}
	items, err := s.Table.GetMany(ctx, keys)
	if err != nil {
		return false, fail("mark", err)
	}
	writes := []table.Write{l.check()}
	for _, it := range items {
		if it.Numbers[numEpoch] != l.Epoch || it.Strings[strConnection] != string(l.ConnectionID) ||
			it.Numbers[numRecheck] != 0 && it.Numbers[numMarked] != 0 && it.Numbers[numMarked] <= at.UnixMilli() {
			continue
		}
		if it.Numbers[numMarked] != 0 && it.Numbers[numMarked] <= at.UnixMilli() && at.After(s.Now()) {
			continue // an edit came meanwhile, which does not wait until then
		}
		w := s.markWrite(it, it.Numbers[numUserVersion], false, at)
		w.Update.SetNumbers[numRecheck] = 1
		w.If.AnyOf[0] = append(w.If.AnyOf[0], table.NumberIs(numUserVersion, table.Equal, it.Numbers[numUserVersion]))
		writes = append(writes, w)
	}
	if len(writes) == 1 {
		return false, nil
	}
	err = s.Table.Write(ctx, writes...)
	f, moved := failed(err)
	if !moved {
		return false, fail("mark", err)
	}
	if _, lost := f[0]; lost {
		return false, fmt.Errorf("mark: %w", directory.ErrLeaseLost)
	}
	return true, nil
}

// Retract removes a binding that counts, without any write to its account: the
// user is no longer a member. The binding must be at the version read.
func (s *Store) Retract(ctx context.Context, l *Lease, c *directory.Connection, b *directory.Binding) error {
	writes := []table.Write{addBound(b.ConnectionID, b.Epoch, -1, -accountsOf(b))}
	var tenant directory.TenantID
	if c.Tenant != nil {
		tenant = c.Tenant.ID
	}
	if l != nil {
		writes = append(writes, l.check())
	}
	key := bindingKey(b.UserID)
	writes = append(writes, table.Write{Delete: &key, If: table.When(table.VersionIs(b.Version), table.NumberIs(numEpoch, table.Equal, b.Epoch))}, forget(b))
	if b.AccountID != "" {
		claim := accountClaimKey(tenant, b.AccountID)
		writes = append(writes, table.Write{Delete: &claim, If: table.Condition{
			Absent: true, AnyOf: [][]table.Test{{table.StringIs("user", string(b.UserID))}}}})
		writes = append(writes, s.beforeWrite(c, tenant, b)...)
	}
	writes = append(writes, s.troubleWrites(b, nil)...)
	writes = append(writes, s.actWrites(ctx, "binding", bindingSubject(b))...)
	err := s.Table.Write(ctx, writes...)
	if _, ok := failed(err); ok {
		return fmt.Errorf("retract binding: %w", directory.ErrStale)
	}
	return fail("retract binding", err)
}

// UpdateBinding stores what an admin did to a binding (a release, a pause, a
// retry), at the version read, and marks it as dirty when mark is set.
func (s *Store) UpdateBinding(ctx context.Context, b *directory.Binding, mark, urgent bool) error {
	it, bound, err := s.bindingItem(ctx, b.UserID)
	if err != nil {
		return err
	}
	if !bound || it.Version != b.Version || it.Numbers[numEpoch] != b.Epoch {
		return fmt.Errorf("update binding: %w", directory.ErrStale)
	}
	old, err := decodeBinding(it)
	if err != nil {
		return err
	}
	b.Version++
	w := table.Write{
		Update: &table.Update{Key: it.Key, AddVersion: 1, SetBody: encode(b), SetStrings: map[string]string{strStatus: string(b.Status)}},
		If:     table.When(table.VersionIs(it.Version), table.NumberIs(numEpoch, table.Equal, b.Epoch)),
	}
	if mark {
		m := s.markWrite(it, it.Numbers[numUserVersion], urgent, s.Now())
		w.Update.SetIndex2, w.Update.SetNumbers = m.Update.SetIndex2, m.Update.SetNumbers
		w.If.AnyOf[0] = append(w.If.AnyOf[0], m.If.AnyOf[0]...)
	}
	writes := append([]table.Write{w}, s.troubleWrites(&old, b)...)
	err = s.Table.Write(ctx, append(writes, s.actWrites(ctx, "binding", bindingSubject(b))...)...)
	if _, ok := failed(err); ok {
		b.Version--
		return fmt.Errorf("update binding: %w", directory.ErrStale)
	}
	return fail("update binding", err)
}

// TakePassword notes that the temporary password of a binding's account is
// being shown. ErrNotFound when that was done before, ErrStale when the binding
// is not as read.
func (s *Store) TakePassword(ctx context.Context, b *directory.Binding) error {
	writes := []table.Write{{
		Update: &table.Update{Key: bindingKey(b.UserID), SetNumbers: map[string]int64{"passwordShown": 1}},
		If: table.When(table.NumberIs(numEpoch, table.Equal, b.Epoch), table.StringIs(strConnection, string(b.ConnectionID)),
			table.VersionIs(b.Version), table.Test{Number: "passwordShown", Op: table.IsMissing}),
	}}
	err := s.Table.Write(ctx, append(writes, s.actWrites(ctx, "binding", bindingSubject(b))...)...)
	if items, refused := failed(err); refused {
		if it := items[0]; it != nil && it.Numbers["passwordShown"] != 0 {
			return fail("take password", table.ErrNotFound)
		}
		return fmt.Errorf("take password: %w", directory.ErrStale)
	}
	return fail("take password", err)
}

// Sweep moves rows of an epoch that has passed to former, up to a few hundred
// a call, and reports whether any may be left.
func (s *Store) Sweep(ctx context.Context, c *directory.Connection, tenant directory.TenantID, epoch int64) (moved int, more bool, err error) {
	list, next, err := s.Bindings(ctx, c.ID, epoch, "", 300)
	if err != nil {
		return 0, false, err
	}
	for part := range slices.Chunk(list, 24) {
		writes := make([]table.Write, 0, 4*len(part))
		for _, b := range part {
			key := bindingKey(b.UserID)
			if b.Release == "" { // an admin was letting the others go already
				writes = append(writes, s.formerWrite(tenant, &b))
			}
			writes = append(writes, table.Write{Delete: &key, If: table.Condition{Absent: true, AnyOf: [][]table.Test{
				{table.NumberIs(numEpoch, table.Equal, epoch), table.StringIs(strConnection, string(c.ID))}}}})
			if b.AccountID != "" {
				claim := accountClaimKey(tenant, b.AccountID)
				writes = append(writes, table.Write{Delete: &claim, If: table.Condition{Absent: true, AnyOf: [][]table.Test{
					{table.NumberIs(numEpoch, table.Equal, epoch)}}}})
				writes = append(writes, s.beforeWrite(c, tenant, &b)...)
			}
		}
		err := s.Table.Write(ctx, writes...)
		if _, raced := failed(err); raced {
			// One of them was bound again meanwhile: one by one.
			err = s.sweepSingly(ctx, c, tenant, part)
		}
		if err != nil {
			return moved, true, fail("sweep", err)
		}
		moved += len(part)
	}
	return moved, next != "" || len(list) > 0, nil
}

func (s *Store) sweepSingly(ctx context.Context, c *directory.Connection, tenant directory.TenantID, list []directory.Binding) error {
	for _, b := range list {
		key := bindingKey(b.UserID)
		writes := []table.Write{{Delete: &key, If: table.When(
			table.NumberIs(numEpoch, table.Equal, b.Epoch), table.StringIs(strConnection, string(b.ConnectionID)))}}
		if b.Release == "" {
			writes = append(writes, s.formerWrite(tenant, &b))
		}
		writes = append(writes, s.beforeWrite(c, tenant, &b)...)
		err := s.Table.Write(ctx, writes...)
		if _, moved := failed(err); moved {
			continue // bound again, which wrote the former row itself
		}
		if err != nil {
			return err
		}
		if b.AccountID == "" {
			continue
		}
		claim := accountClaimKey(tenant, b.AccountID)
		err = s.Table.Write(ctx, table.Write{Delete: &claim, If: table.When(table.NumberIs(numEpoch, table.Equal, b.Epoch))})
		if _, moved := failed(err); err != nil && !moved {
			return err
		}
	}
	return nil
}
