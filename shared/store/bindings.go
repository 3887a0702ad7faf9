package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Bindings say what is managed as what through which connection: users as
// accounts, and objects of other kinds. A binding counts only while its epoch is
// the connection's. What must be seen by whoever writes to it (epoch, versions,
// mark) stands beside its body.
type Bindings struct{ db *db }

// Names of a binding's numbers and strings.
const (
	numApplied     = "applied"
	numUrgent      = "urgent"
	numMarked      = "marked" // Unix milliseconds of the mark; 0: no mark
	numRecheck     = "recheck"
	numDigest      = "digest"
	numBlocked     = "blocked"
	numShown       = "passwordShown"
	numUserVersion = "wanted" // of the user, or object; shared name with the connection's flag, another item
	strConnection  = "connection"
	strAccount     = "account"
)

// accountsOf is what a binding adds to the number of those by which something is in the
// tenant.
func accountsOf(b *directory.Binding) int64 {
	if b.Holds() {
		return 1
	}
	return 0
}

func accountSince(id directory.AccountID, now time.Time) time.Time {
	if id == "" {
		return time.Time{}
	}
	return now
}

func bindingItem(b *directory.Binding) table.Item {
	return table.Item{
		Key:     bindingKey(b.Ref(), b.ConnectionID),
		Index1:  bindingPlace(b.ConnectionID, b.Epoch, b.Ref()),
		Version: b.Version,
		Numbers: map[string]int64{numEpoch: b.Epoch, numUserVersion: b.Wanted, numApplied: b.Applied, numMarked: 0, numUrgent: 0},
		Strings: map[string]string{strConnection: string(b.ConnectionID), strAccount: string(b.AccountID), strStatus: string(b.Status)},
		Body:    encodeBinding(b),
	}
}

// markedItem is that of a new binding: it has everything yet to be written.
func markedItem(b *directory.Binding, at time.Time) table.Item {
	item := bindingItem(b)
	item.Index2 = markPlace(b.ConnectionID, b.Epoch, b.Ref(), false, at)
	item.Numbers[numMarked] = at.UnixMilli()
	return item
}

func decodeBinding(it table.Item) (directory.Binding, error) {
	b := directory.Binding{Agreed: -1}
	if err := decodeBody(it, &b); err != nil {
		return b, err
	}
	b.Version, b.Epoch = it.Version, it.Numbers[numEpoch]
	b.Wanted, b.Applied = it.Numbers[numUserVersion], it.Numbers[numApplied]
	if b.Agreed < 0 { // of a version that took what was applied for it
		b.Agreed = b.Applied
	}
	b.Recheck, b.Digest = it.Numbers[numRecheck] != 0, it.Numbers[numDigest]
	b.Marked = it.Index2 != (table.Key{})
	if b.Status == directory.BindingInSync && b.Dirty() {
		b.Status = directory.BindingPending
	}
	return b, nil
}

// ofConnection is the condition that a binding is still of a connection's epoch.
func ofConnection(c directory.ConnectionID, epoch int64) []table.Test {
	return []table.Test{table.NumberIs(numEpoch, table.Equal, epoch), table.StringIs(strConnection, string(c))}
}

// Binding returns a user's binding, of whatever connection and epoch.
// ErrNotFound.
func (s *Bindings) Binding(ctx context.Context, u directory.UserID) (directory.Binding, error) {
	it, err := s.db.table.Get(ctx, userBindingKey(u))
	if err != nil {
		return directory.Binding{}, fail("binding of "+string(u), err)
	}
	return decodeBinding(it)
}

// BindingsOf reads the bindings of a connection, of whatever epoch, that there are
// of some objects, strongly consistent. A user's account may be bound through
// another connection: that binding is returned as well.
func (s *Bindings) BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error) {
	out := make(map[directory.Ref]directory.Binding, len(refs))
	for it, err := range s.db.each(ctx, bindingKeys(c, refs)) {
		if err != nil {
			return nil, fail("bindings", err)
		}
		b, err := decodeBinding(it)
		if err != nil {
			return nil, err
		}
		out[b.Ref()] = b
	}
	return out, nil
}

func bindingKeys(c directory.ConnectionID, refs []directory.Ref) []table.Key {
	keys := make([]table.Key, len(refs))
	for i, r := range refs {
		keys[i] = bindingKey(r, c)
	}
	return keys
}

// Subject is a user and the binding that its partition holds, if any.
type Subject struct {
	User    *directory.User
	Binding *directory.Binding
	// Mark is that of the binding, while it has one whose time has come.
	Mark *Mark

	profile, binding table.Item // as read
}

// Again is the subject as it was read, in memory of its own.
func (s Subject) Again() (Subject, error) {
	var errs [2]error
	if s.User != nil {
		var u directory.User
		u, errs[0] = decodeUser(s.profile)
		s.User = &u
	}
	if s.Binding != nil {
		var b directory.Binding
		b, errs[1] = decodeBinding(s.binding)
		s.Binding = &b
	}
	return s, errors.Join(errs[:]...)
}

// Subjects reads users together with their bindings, strongly consistent. The
// map holds an entry for every ID that has a profile or a binding.
func (s *Bindings) Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]Subject, error) {
	out := make(map[directory.UserID]Subject, len(ids))
	for it, err := range s.db.subjectItems(ctx, ids) {
		if err != nil {
			return nil, fail("subjects", err)
		}
		id := refOf(it.Key).User()
		sub := out[id]
		if err := sub.add(s.db, it); err != nil {
			return nil, err
		}
		if sub.User != nil || sub.Binding != nil {
			out[id] = sub
		}
	}
	return out, nil
}

// subjectItems reads what the partitions of users hold. One is read as a whole: both
// items together cost what one of them does.
func (d *db) subjectItems(ctx context.Context, ids []directory.UserID) iter.Seq2[table.Item, error] {
	keys := make([]table.Key, 0, 2*len(ids))
	for _, id := range ids {
		if id.Valid() { // no other can be there
			keys = append(keys, profileKey(id), userBindingKey(id))
		}
	}
	if len(keys) == 2 {
		return d.list(ctx, table.Query{Partition: keys[0].Partition})
	}
	return d.each(ctx, keys)
}

// add takes in one of a subject's items.
func (s *Subject) add(d *db, it table.Item) error {
	switch it.Sort {
	case profileKey("").Sort:
		if d.expired(it) {
			return nil
		}
		u, err := decodeUser(it)
		s.User, s.profile = &u, it
		return err
	case userBindingKey("").Sort:
		b, err := decodeBinding(it)
		s.Binding, s.binding = &b, it
		if marked := it.Numbers[numMarked]; marked != 0 && marked <= d.now().UnixMilli() {
			s.Mark = &Mark{Ref: b.Ref(), At: fromMillis(marked), Urgent: it.Numbers[numUrgent] != 0}
		}
		return err
	}
	return nil
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

// Selection is what is to be bound: a user, to an account, or an object of another
// kind.
type Selection struct {
	User *directory.User
	// Object is what is bound when it is no user's account, and Version the one
	// that must reach the tenant.
	Object  directory.Ref
	Version int64
	// Stale is the row of an epoch that has passed, read before, which the
	// new binding replaces; nil when there was none.
	Stale *directory.Binding
	// AccountID binds to a known account at once (an import); the account is
	// claimed in the same transaction.
	AccountID         directory.AccountID
	UserPrincipalName string
	// Group is the group whose use selects the user; "" when somebody does. AskedBy are
	// the subjects of those whose edits that comes from.
	Group   directory.GroupID
	AskedBy []string
}

// binding is the one that a selection makes.
func (sel *Selection) binding(c *directory.Connection, by string, now time.Time) directory.Binding {
	b := directory.Binding{
		Object: sel.Object, ConnectionID: c.ID, Epoch: c.Epoch, TenantID: c.TenantID(),
		AccountID: sel.AccountID, AccountSince: accountSince(sel.AccountID, now), UserPrincipalName: sel.UserPrincipalName,
		Status: directory.BindingPending, Wanted: sel.Version, SelectedBy: by, SelectedAt: now, Version: 1,
	}
	if sel.User != nil {
		b.UserID, b.Wanted = sel.User.ID, sel.User.Version
	}
	if sel.Group != "" {
		b.Groups, b.Indirect, b.AskedBy = []directory.GroupID{sel.Group}, true, sel.AskedBy
	}
	return b
}

// MaxBind is how many selections one Bind takes.
const MaxBind = 19

// Bind selects users, or objects of another kind (all of one), as members of a
// connection, all or none, while its epoch and status are as in c and each user's
// version is as read. ErrStale when something moved: read again and repeat, one by
// one if need be.
func (s *Bindings) Bind(ctx context.Context, act directory.AuditEvent, c *directory.Connection, by string, list []Selection) error {
	return s.bind(ctx, act, nil, c, by, list)
}

// BindUnder is Bind while the lease is ours. ErrLeaseLost when it is not.
func (s *Bindings) BindUnder(ctx context.Context, act directory.AuditEvent, l *Lease, c *directory.Connection, by string, list []Selection) error {
	return s.bind(ctx, act, l, c, by, list)
}

func (s *Bindings) bind(ctx context.Context, act directory.AuditEvent, l *Lease, c *directory.Connection, by string, list []Selection) error {
	if len(list) == 0 {
		return nil
	}
	var kind directory.Kind
	var users []directory.UserID
	accounts := int64(0)
	now := s.db.now().UTC()
	writes := []table.Write{checkTarget(c), {}}
	for i := range list {
		sel := &list[i]
		b := sel.binding(c, by, now)
		kind = b.Ref().Kind
		accounts += accountsOf(&b)
		item := markedItem(&b, now)
		put := table.Write{Put: &item, If: table.Condition{Absent: true}}
		if sel.Stale != nil {
			put.If = table.When(ofConnection(sel.Stale.ConnectionID, sel.Stale.Epoch)...)
			if sel.Stale.Release == "" {
				writes = append(writes, formerWrite("", sel.Stale, now))
			}
		}
		writes = append(writes, put)
		if sel.User != nil {
			users = append(users, sel.User.ID)
			profile := profileKey(sel.User.ID)
			writes = append(writes, table.Write{Check: &profile, If: table.When(table.VersionIs(sel.User.Version))})
		}
		if sel.AccountID != "" {
			w, err := s.db.claimAccount(ctx, c, sel.AccountID, b.Ref())
			if err != nil {
				return err
			}
			writes = append(writes, w)
		}
	}
	writes[1] = addBound(c.ID, c.Epoch, kind, int64(len(list)), accounts)
	if accounts > 0 && kind == directory.KindAccount {
		writes = append(writes, hourWrite(c.ID, 0, map[string]int64{numAccounts: accounts}, now))
	}
	writes = append(writes, s.db.record(act, subject{connection: c.ID, users: users})...)
	if l != nil {
		writes = append([]table.Write{l.check()}, writes...)
	}
	err := staleOrLost("bind", l, s.db.table.Write(ctx, writes...))
	if managers := managersOf(c, list); err == nil && len(managers) > 0 {
		// What fails of it is made once the users have their accounts.
		_ = s.BindMissing(ctx, c, by, managers)
	}
	return err
}

// staleOrLost is the error of a transaction that held while records were as read, and,
// with a lease, while that is ours: its check is the first write then.
func staleOrLost(what string, l *Lease, err error) error {
	if f, ok := failed(err); ok {
		if _, lost := f[0]; lost && l != nil {
			return fmt.Errorf("%s: %w", what, directory.ErrLeaseLost)
		}
		return fmt.Errorf("%s: %w", what, directory.ErrStale)
	}
	return fail(what, err)
}

// checkTarget holds while what can be bound through a connection can be.
func checkTarget(c *directory.Connection) table.Write {
	key := connectionKey(c.ID)
	return table.Write{Check: &key, If: table.When(table.NumberIs(numEpoch, table.Equal, c.Epoch), table.StringIs(strStatus, string(c.Status)))}
}

// Retract removes a binding that counts, without any write to its account: the
// user is no longer a member. The binding must be at the version read. With a
// lease, only while it is ours.
func (s *Bindings) Retract(ctx context.Context, act directory.AuditEvent, l *Lease, c *directory.Connection, b *directory.Binding) error {
	var writes []table.Write
	if l != nil {
		writes = append(writes, l.check())
	}
	writes = append(writes, addBound(b.ConnectionID, b.Epoch, b.Ref().Kind, -1, -accountsOf(b)))
	key := bindingKey(b.Ref(), b.ConnectionID)
	writes = append(writes, table.Write{Delete: &key, If: table.When(table.VersionIs(b.Version), table.NumberIs(numEpoch, table.Equal, b.Epoch))}, forget(b))
	if b.AccountID != "" {
		claim := claimKey(c.TenantID(), b.Ref().Kind, b.AccountID)
		ours := table.Condition{Absent: true, AnyOf: [][]table.Test{{table.StringIs(strUser, refName(b.Ref()))}}}
		writes = append(writes, table.Write{Delete: &claim, If: ours})
		writes = append(writes, beforeImageWrite(c, c.TenantID(), b, s.db.now())...)
	}
	writes = append(writes, forgetDeletedGroup(c.TenantID(), b)...)
	licences, err := s.db.looksAtLicences(ctx, b)
	if err != nil {
		return err
	}
	freed, err := s.db.freed(ctx, b)
	if err != nil {
		return err
	}
	writes = append(append(writes, licences...), freed...)
	writes = append(writes, problemWrites(b, nil, s.db.expiry())...)
	writes = append(writes, s.db.record(act, bindingSubject(b))...)
	return staleOrLost("retract binding", l, s.db.table.Write(ctx, writes...))
}

// UpdateBinding stores what an admin did to a binding (a release, a pause, a
// retry), at the version read, and marks it as dirty when mark is set.
func (s *Bindings) UpdateBinding(ctx context.Context, act directory.AuditEvent, b *directory.Binding, mark, urgent bool) error {
	return s.updateBinding(ctx, act, nil, b, mark, urgent)
}

// UpdateBindingUnder is UpdateBinding while the lease is ours. ErrLeaseLost when it is
// not.
func (s *Bindings) UpdateBindingUnder(ctx context.Context, act directory.AuditEvent, l *Lease, b *directory.Binding, mark, urgent bool) error {
	return s.updateBinding(ctx, act, l, b, mark, urgent)
}

func (s *Bindings) updateBinding(ctx context.Context, act directory.AuditEvent, l *Lease, b *directory.Binding, mark, urgent bool) error {
	it, bound, err := s.db.find(ctx, bindingKey(b.Ref(), b.ConnectionID))
	if err != nil {
		return fail("update binding", err)
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
		Update: &table.Update{Key: it.Key, AddVersion: 1, SetBody: encodeBinding(b), SetStrings: map[string]string{strStatus: string(b.Status)}},
		If:     table.When(table.VersionIs(it.Version), table.NumberIs(numEpoch, table.Equal, b.Epoch)),
	}
	if mark {
		m := markWrite(it, it.Numbers[numUserVersion], urgent, s.db.now())
		w.Update.SetIndex2, w.Update.SetNumbers = m.Update.SetIndex2, m.Update.SetNumbers
		w.If.AnyOf[0] = append(w.If.AnyOf[0], m.If.AnyOf[0]...)
	}
	beside, err := s.db.releasedBeside(ctx, &old, b)
	if err != nil {
		b.Version--
		return err
	}
	writes := append(append([]table.Write{w}, beside...), problemWrites(&old, b, s.db.expiry())...)
	writes = append(writes, s.db.record(act, bindingSubject(b))...)
	if l != nil {
		writes = append([]table.Write{l.check()}, writes...)
	}
	err = staleOrLost("update binding", l, s.db.table.Write(ctx, writes...))
	if err != nil {
		b.Version--
	}
	return err
}

// TakePassword notes that the temporary password of a binding's account is
// being shown. ErrNotFound when that was done before, ErrStale when the binding
// is not as read.
func (s *Bindings) TakePassword(ctx context.Context, act directory.AuditEvent, b *directory.Binding) error {
	asRead := append(ofConnection(b.ConnectionID, b.Epoch), table.VersionIs(b.Version), table.Test{Number: numShown, Op: table.IsMissing})
	writes := []table.Write{{
		Update: &table.Update{Key: userBindingKey(b.UserID), SetNumbers: map[string]int64{numShown: 1}},
		If:     table.When(asRead...),
	}}
	err := s.db.table.Write(ctx, append(writes, s.db.record(act, bindingSubject(b))...)...)
	if items, refused := failed(err); refused {
		if it := items[0]; it != nil && it.Numbers[numShown] != 0 {
			return fail("take password", table.ErrNotFound)
		}
		return fmt.Errorf("take password: %w", directory.ErrStale)
	}
	return fail("take password", err)
}

// ListBindings lists the bindings of a kind of a connection's epoch in a stable
// order; with the kind "" those of all kinds but accounts. The listing is
// eventually consistent, each hit is current.
func (s *Bindings) ListBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error) {
	var list []directory.Binding
	next, err := s.db.listBindings(ctx, kind, c, epoch, cursor, limit, false, func(it table.Item) error {
		b, err := decodeBinding(it)
		list = append(list, b)
		return err
	})
	return list, next, err
}

// listBindings hands on the items of what ListBindings lists.
func (d *db) listBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int, weak bool, take func(table.Item) error) (next string, err error) {
	if kind == directory.KindAccount {
		return d.listShards(ctx, cursor, limit, func(shard int) table.Query {
			return table.Query{Index: 1, Partition: bindingsPartition(c, epoch, shard), Weak: weak}
		}, take)
	}
	q := table.Query{Index: 1, Partition: objectsPartition(c, epoch), Cursor: cursor, Limit: limit, Weak: weak}
	if kind != "" {
		q.Prefix = string(kind) + "#"
	}
	page, err := d.table.Query(ctx, q)
	if err != nil {
		return "", fail("list", err)
	}
	for _, it := range page.Items {
		if err := take(it); err != nil {
			return "", err
		}
	}
	return page.Next, nil
}

// ListBindingsUnder lists, as ListBindings does, the bindings of a kind other than
// accounts whose IDs begin with a text.
func (s *Bindings) ListBindingsUnder(ctx context.Context, kind directory.Kind, prefix string, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error) {
	page, err := s.db.table.Query(ctx, table.Query{Index: 1, Partition: objectsPartition(c, epoch), Prefix: string(kind) + "#" + prefix, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", fail("list", err)
	}
	list := make([]directory.Binding, len(page.Items))
	for i, it := range page.Items {
		if list[i], err = decodeBinding(it); err != nil {
			return nil, "", err
		}
	}
	return list, page.Next, nil
}
