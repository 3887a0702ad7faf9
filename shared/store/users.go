package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Users are the users of the directory. A user's address and name are taken by
// items of their own, written in the transaction that writes the user: no two
// users have the same. An edit marks the user's binding in that transaction too.
type Users struct{ db *db }

// AddressTaken says that another user has an address or user name.
type AddressTaken struct {
	Field string // "email" or "userName"
	Value string
	Owner directory.UserID
}

func (e *AddressTaken) Error() string {
	return fmt.Sprintf("%s %q belongs to user %s", e.Field, e.Value, e.Owner)
}

// Unwrap makes it a conflict.
func (e *AddressTaken) Unwrap() error { return directory.ErrConflict }

func profileItem(u *directory.User, expires time.Time) table.Item {
	item := table.Item{
		Key:     profileKey(u.ID),
		Index1:  table.Key{Partition: usersPartition(shardOf(string(u.ID))), Sort: string(u.ID)},
		Index2:  reportsPlace(u.ManagerID, u.ID),
		Version: u.Version, Body: encode(u), Expires: expires,
	}
	if len(u.Editors) > 0 {
		item.Strings = map[string]string{strEditors: string(encode(u.Editors))}
	}
	return item
}

func decodeUser(it table.Item) (directory.User, error) {
	var u directory.User
	err := decode(it, &u)
	u.Version = it.Version
	if raw := it.Strings[strEditors]; raw != "" && err == nil {
		if err = json.Unmarshal([]byte(raw), &u.Editors); err != nil {
			err = fmt.Errorf("store: user %s: editors: %w", u.ID, err)
		}
	}
	return u, err
}

const (
	strEditors = "editors" // of a user: directory.Edit, as JSON
	strUser    = "user"    // whose an address, a name or a claim is
)

func ownerItem(key table.Key, u directory.UserID) *table.Item {
	return &table.Item{Key: key, Strings: map[string]string{strUser: string(u)}}
}

// takenBy says which unique value of a user a failed write found in use.
func takenBy(u *directory.User, slots map[int]string, f map[int]*table.Item) error {
	for _, i := range slices.Sorted(maps.Keys(slots)) {
		it, hit := f[i]
		if !hit || it == nil {
			continue
		}
		value := u.Email
		if slots[i] == "userName" {
			value = u.UserName
		}
		return &AddressTaken{Field: slots[i], Value: value, Owner: directory.UserID(it.Strings[strUser])}
	}
	return nil
}

// CreateUsers stores up to 30 new users at version 1 in one transaction, all or
// none; of imported ones no more than 19. *AddressTaken when an e-mail address or
// a user name is in use.
func (s *Users) CreateUsers(ctx context.Context, act directory.AuditEvent, users ...*directory.User) error {
	return s.createUsers(ctx, act, nil, users...)
}

// CreatePushed stores a new user, likewise, with the document that a client has pushed of
// it. *ExternalIDTaken when the client has another user of that externalId.
func (s *Users) CreatePushed(ctx context.Context, act directory.AuditEvent, u *directory.User, e *DocumentEdit) error {
	return s.createUsers(ctx, act, e, u)
}

func (s *Users) createUsers(ctx context.Context, act directory.AuditEvent, pushed *DocumentEdit, users ...*directory.User) error {
	if err := s.db.takenEarlier(ctx, users...); err != nil {
		return err
	}
	var writes []table.Write
	slots := map[int]map[int]string{}
	absent := table.Condition{Absent: true}
	for i, u := range users {
		u.Version = 1
		item := profileItem(u, time.Time{})
		slots[i] = map[int]string{len(writes) + 1: "email", len(writes) + 2: "userName"}
		writes = append(writes, table.Write{Put: &item, If: absent},
			table.Write{Put: ownerItem(emailKey(directory.FoldAddress(u.Email)), u.ID), If: absent},
			table.Write{Put: ownerItem(userNameKey(directory.FoldAddress(u.UserName)), u.ID), If: absent})
		if from := u.ImportedFrom; from != nil {
			writes = append(writes, table.Write{Put: ownerItem(importedKey(from.TenantID, from.AccountID), u.ID)})
		}
	}
	if len(users) > 0 {
		writes = append(writes, userCountWrite(users[0].ID, int64(len(users))))
	}
	external := -1
	if pushed != nil {
		docs, at, err := s.db.documentWrites(ctx, pushed, users[0].Updated, true, false, true)
		if err != nil {
			return err
		}
		if at >= 0 {
			external = len(writes) + at
		}
		writes = append(writes, docs...)
	}
	writes = append(writes, s.db.record(act, usersSubject(users...))...)
	err := s.db.table.Write(ctx, writes...)
	if f, ok := failed(err); ok {
		if err := externalTaken(f, external); err != nil {
			return err
		}
		for i, u := range users {
			if err := takenBy(u, slots[i], f); err != nil {
				return err
			}
		}
		if pushed != nil { // whoever had the externalId has come back, or is gone, at this moment
			return fmt.Errorf("create users: %w", directory.ErrStale)
		}
		return fmt.Errorf("create users: %w", directory.ErrConflict)
	}
	return fail("create users", err)
}

// User reads a user, tombstones included. ErrNotFound.
func (s *Users) User(ctx context.Context, id directory.UserID) (directory.User, error) {
	return s.db.user(ctx, id)
}

func (d *db) user(ctx context.Context, id directory.UserID) (directory.User, error) {
	it, err := d.table.Get(ctx, profileKey(id))
	if err != nil {
		return directory.User{}, fail("user "+string(id), err)
	}
	if d.expired(it) {
		return directory.User{}, fail("user "+string(id), table.ErrNotFound)
	}
	return decodeUser(it)
}

// UsersByID reads the users that exist among ids, in no order.
func (s *Users) UsersByID(ctx context.Context, ids []directory.UserID) (map[directory.UserID]directory.User, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = profileKey(id)
	}
	users := make(map[directory.UserID]directory.User, len(ids))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("users", err)
		}
		if s.db.expired(it) {
			continue
		}
		u, err := decodeUser(it)
		if err != nil {
			return nil, err
		}
		users[u.ID] = u
	}
	return users, nil
}

// ImportedUsers returns the living users that imports made of accounts, by
// account.
func (s *Users) ImportedUsers(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID) (map[directory.AccountID]directory.User, error) {
	accountOf := make(map[table.Key]directory.AccountID, len(accounts))
	for _, a := range accounts {
		accountOf[importedKey(tenant, a)] = a
	}
	of := map[directory.UserID]directory.AccountID{}
	for it, err := range s.db.each(ctx, slices.Collect(maps.Keys(accountOf))) {
		if err != nil {
			return nil, fail("imported users", err)
		}
		of[directory.UserID(it.Strings[strUser])] = accountOf[it.Key]
	}
	users, err := s.UsersByID(ctx, slices.Collect(maps.Keys(of)))
	if err != nil {
		return nil, err
	}
	out := make(map[directory.AccountID]directory.User, len(users))
	for id, u := range users {
		if u.Deleted == nil && u.ImportedFrom != nil {
			out[of[id]] = u
		}
	}
	return out, nil
}

// UserIDsByEmail returns who has which address, by folded address.
func (s *Users) UserIDsByEmail(ctx context.Context, addresses []string) (map[string]directory.UserID, error) {
	return s.ownersOf(ctx, addresses, emailKey)
}

// UserIDsByName returns who has which user name, by folded name.
func (s *Users) UserIDsByName(ctx context.Context, names []string) (map[string]directory.UserID, error) {
	return s.ownersOf(ctx, names, userNameKey)
}

func (s *Users) ownersOf(ctx context.Context, values []string, key func(string) table.Key) (map[string]directory.UserID, error) {
	keys := make(map[table.Key]string, len(values))
	for _, v := range values {
		f := directory.FoldAddress(v)
		if f == "" {
			continue
		}
		for _, k := range takenKeys(v, key) {
			if k.Check() == nil { // nobody can have an address that no key holds
				keys[k] = f
			}
		}
	}
	owners := make(map[string]directory.UserID, len(keys))
	for it, err := range s.db.each(ctx, slices.Collect(maps.Keys(keys))) {
		if err != nil {
			return nil, fail("users by address", err)
		}
		f := keys[it.Key]
		if _, known := owners[f]; !known || it.Key == key(f) { // the present form counts before earlier ones
			owners[f] = directory.UserID(it.Strings[strUser])
		}
	}
	return owners, nil
}

// TombstoneLife is how long a deleted user can be restored once nothing is
// left to be done for it.
const TombstoneLife = 30 * 24 * time.Hour

// UpdateUser stores u, read at u.Version, and raises the version. In the same
// transaction it moves the unique address and name, and, when the user has a
// binding, marks that as dirty: urgent when the edit takes the user's access
// away. When it changes whether the user counts as a member of groups, or can be bound,
// it leaves a note for those who use them (Groups.TellUsers). old is the user as read. It returns the connection that has work now,
// or "". ErrStale when somebody else was faster, also with a manager above the user;
// *AddressTaken, *ManagerCycle.
func (s *Users) UpdateUser(ctx context.Context, act directory.AuditEvent, old, u *directory.User) (directory.ConnectionID, error) {
	return s.updateFound(ctx, act, old, u, nil)
}

// updateFound is UpdateUser, with what a client has pushed, or nil.
func (s *Users) updateFound(ctx context.Context, act directory.AuditEvent, old, u *directory.User, pushed *DocumentEdit) (directory.ConnectionID, error) {
	for {
		b, bound, err := s.db.find(ctx, userBindingKey(u.ID))
		if err != nil {
			return "", fail("binding", err)
		}
		conn, err := s.db.updateUser(ctx, act, old, u, b, bound, pushed)
		if errors.Is(err, errBindingMoved) {
			continue
		}
		return conn, err
	}
}

// UserToEdit reads a user, tombstones included, with the binding, for UpdateRead.
// ErrNotFound.
func (s *Users) UserToEdit(ctx context.Context, id directory.UserID) (Subject, error) {
	var sub Subject
	for it, err := range s.db.subjectItems(ctx, []directory.UserID{id}) {
		if err != nil {
			return sub, fail("user "+string(id), err)
		}
		if err := sub.add(s.db, it); err != nil {
			return sub, err
		}
	}
	if sub.User == nil {
		return sub, fail("user "+string(id), table.ErrNotFound)
	}
	return sub, nil
}

// UpdateRead is UpdateUser for whoever has read both together: while the binding is as it
// was, it is not read again.
func (s *Users) UpdateRead(ctx context.Context, act directory.AuditEvent, old *Subject, u *directory.User) (directory.ConnectionID, error) {
	return s.UpdatePushed(ctx, act, old, u, nil)
}

// UpdatePushed is UpdateRead with the document that a client has pushed of the user.
// ErrStale when that has changed since it was read, too; *ExternalIDTaken.
func (s *Users) UpdatePushed(ctx context.Context, act directory.AuditEvent, old *Subject, u *directory.User, pushed *DocumentEdit) (directory.ConnectionID, error) {
	conn, err := s.db.updateUser(ctx, act, old.User, u, old.binding, old.Binding != nil, pushed)
	if errors.Is(err, errBindingMoved) {
		return s.updateFound(ctx, act, old.User, u, pushed)
	}
	return conn, err
}

var errBindingMoved = errors.New("store: binding changed meanwhile")

// claimWrites appends to writes those that give a user's names up, or take others.
// slots say which of the writes claim what field.
func (d *db) claimWrites(ctx context.Context, old, next *directory.User, writes []table.Write) (all []table.Write, slots map[int]string, err error) {
	slots = map[int]string{}
	for _, taken := range []struct {
		field, from, to string
		key             func(string) table.Key
	}{{"email", old.Email, next.Email, emailKey}, {"userName", old.UserName, next.UserName, userNameKey}} {
		var h holding
		if old.Deleted == nil {
			var err error
			if h, err = d.holding(ctx, taken.from, taken.key, next.ID); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case next.Deleted != nil:
			for _, k := range h.held {
				writes = append(writes, table.Write{Delete: &k})
			}
			continue
		case h.other != "" && taken.from == taken.to:
			continue // as an earlier version left it; what else is edited, a block too, must not wait for that
		}
		moved := moveClaim(next.ID, h.held, taken.key(directory.FoldAddress(taken.to)))
		if len(moved) > 0 {
			slots[len(writes)] = taken.field
		}
		writes = append(writes, moved...)
	}
	return writes, slots, nil
}

// updateUser stores a user, with what a client has pushed of it, or nil. instead replaces
// the mark on the binding, and must begin with the write of its row.
func (d *db) updateUser(ctx context.Context, act directory.AuditEvent, old, u *directory.User, b table.Item, bound bool, pushed *DocumentEdit, instead ...table.Write) (directory.ConnectionID, error) {
	next := *u
	next.Version = old.Version + 1
	next.Updated = d.now().UTC()
	var expires time.Time
	if next.Deleted != nil && !bound {
		expires = next.Deleted.Add(TombstoneLife)
	}
	item := profileItem(&next, expires)
	writes := []table.Write{{Put: &item, If: table.When(table.VersionIs(old.Version))}}
	if next.Deleted == nil && (old.Deleted != nil || old.Email != next.Email || old.UserName != next.UserName) {
		if err := d.takenEarlier(ctx, &next); err != nil {
			return "", err
		}
	}
	writes, slots, err := d.claimWrites(ctx, old, &next, writes)
	if err != nil {
		return "", err
	}
	mark := len(writes)
	var conn directory.ConnectionID
	if len(instead) > 0 {
		conn = directory.ConnectionID(b.Strings[strConnection])
		writes = append(writes, instead...)
	} else if bound {
		conn = directory.ConnectionID(b.Strings[strConnection])
		writes = append(writes, markWrite(b, next.Version, old.Enabled() && !next.Enabled(), d.now()))
	} else {
		k := userBindingKey(u.ID)
		writes = append(writes, table.Write{Check: &k, If: table.Condition{Absent: true}})
	}
	objects, err := d.editedBeside(ctx, act, old, &next, conn)
	if err != nil {
		return "", err
	}
	beside := len(writes)
	writes = append(writes, objects...)
	switch {
	case old.Deleted == nil && next.Deleted != nil:
		picture := photoKey(u.ID)
		writes = append(writes, userCountWrite(u.ID, -1), table.Write{Delete: &picture}, purgeWrite(directory.UserMember(u.ID), next.Deleted.Add(TombstoneLife)))
	case old.Deleted != nil && next.Deleted == nil:
		writes = append(writes, userCountWrite(u.ID, 1))
	}
	others, err := d.othersWrites(ctx, old, &next)
	if err != nil {
		return "", err
	}
	writes = append(writes, others...)
	docs, external, err := d.documentsBeside(ctx, directory.UserMember(u.ID), next.Updated, old.Deleted == nil, next.Deleted == nil, pushed)
	if err != nil {
		return "", err
	}
	if external >= 0 {
		external += len(writes)
	}
	writes = append(writes, docs...)
	edited := usersSubject(&next)
	edited.connection, edited.properties = conn, userChanges(old, &next)
	writes = append(writes, d.record(act, edited)...)
	err = d.table.Write(ctx, writes...)
	if f, ok := failed(err); ok {
		if err := externalTaken(f, external); err != nil {
			return "", err
		}
		return "", editRefused(&next, f, slots, mark, beside, len(objects))
	}
	if err != nil {
		return "", fail("update user", err)
	}
	*u = next
	return conn, nil
}

// othersWrites are those that an edit of a user needs for the sake of others: of those who
// use groups, and of the managers above.
func (d *db) othersWrites(ctx context.Context, old, next *directory.User) ([]table.Write, error) {
	var writes []table.Write
	if MembershipCounts(old, next) {
		user := directory.UserMember(next.ID)
		writes = append(writes, d.changedWrite(user, edits{members: []directory.MemberRef{user}, came: (old.Deleted == nil) != (next.Deleted == nil)}))
	}
	if next.ManagerID == old.ManagerID {
		return writes, nil
	}
	above, err := d.managerWrites(ctx, next)
	return append(writes, above...), err
}

// editRefused is the error of an edit of which some writes were refused. That of the
// user is the first one; slots are those of names, mark is that of the binding, and so
// many from beside on are those of records of other kinds.
func editRefused(u *directory.User, f map[int]*table.Item, slots map[int]string, mark, beside, objects int) error {
	if it, hit := f[0]; hit {
		if it == nil {
			return fail("update user", table.ErrNotFound)
		}
		return fmt.Errorf("update user: %w", directory.ErrStale)
	}
	if err := takenBy(u, slots, f); err != nil {
		return err
	}
	for i := range f {
		if i == mark || i >= beside && i < beside+objects {
			return errBindingMoved
		}
	}
	return fmt.Errorf("update user: %w", directory.ErrStale)
}

// ExpireUser lets a tombstone go TombstoneLife after its deletion; nothing is
// left to be done for it. A restored user is left alone.
func (s *Users) ExpireUser(ctx context.Context, u *directory.User) error {
	if u.Deleted == nil {
		return nil
	}
	at := s.db.now().Add(TombstoneLife)
	err := s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: profileKey(u.ID), SetExpires: &at},
		If:     table.When(table.VersionIs(u.Version)),
	})
	if refused(err) {
		return nil
	}
	return fail("expire user", err)
}

// UserPage is one page of a listing.
type UserPage struct {
	Users []directory.User
	Next  string
}

// ListUsers lists living users that keep accepts (nil: all), in a stable order,
// at most limit. A call looks at a bounded number of users: a page may hold
// fewer than limit, or none, and still have a Next.
func (s *Users) ListUsers(ctx context.Context, cursor string, limit int, keep func(*directory.User) bool) (UserPage, error) {
	return s.list(ctx, cursor, limit, func(u *directory.User) bool { return u.Deleted == nil && (keep == nil || keep(u)) })
}

// ListDeletedUsers lists deleted users that can be restored, likewise.
func (s *Users) ListDeletedUsers(ctx context.Context, cursor string, limit int, keep func(*directory.User) bool) (UserPage, error) {
	return s.list(ctx, cursor, limit, func(u *directory.User) bool { return u.Deleted != nil && keep(u) })
}

func (s *Users) list(ctx context.Context, cursor string, limit int, keep func(*directory.User) bool) (UserPage, error) {
	var out UserPage
	for range 8 {
		next, err := s.db.listShards(ctx, cursor, limit-len(out.Users), func(shard int) table.Query {
			return table.Query{Index: 1, Partition: usersPartition(shard)}
		}, func(it table.Item) error {
			u, err := decodeUser(it)
			if err == nil && !s.db.expired(it) && keep(&u) {
				out.Users = append(out.Users, u)
			}
			return err
		})
		if err != nil {
			return UserPage{}, err
		}
		cursor, out.Next = next, next
		if next == "" || len(out.Users) >= limit {
			break
		}
	}
	return out, nil
}
