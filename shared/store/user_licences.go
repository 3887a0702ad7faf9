package store

import (
	"context"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Which licences single users are to have (directory.UserLicences) stands beside what the
// connection does with groups, and counts and goes as that does.

// userLicencesRecord is such a record as it is stored.
type userLicencesRecord struct {
	directory.UserLicences
	Editors []directory.Edit `json:"editors,omitempty"`
}

func decodeUserLicences(it table.Item) (directory.UserLicences, error) {
	var r userLicencesRecord
	err := decode(it, &r)
	u := r.UserLicences
	u.Editors, u.Version, u.Epoch = r.Editors, it.Version, it.Numbers[numEpoch]
	return u, err
}

// UserLicencesAmong reads which licences some users are to have by rules of their own.
// Who has none is not in the answer.
func (s *Uses) UserLicencesAmong(ctx context.Context, c *directory.Connection, users []directory.UserID) (map[directory.UserID]directory.UserLicences, error) {
	keys := make([]table.Key, len(users))
	for i, u := range users {
		keys[i] = userLicencesKey(c.ID, u)
	}
	out := map[directory.UserID]directory.UserLicences{}
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("licences of users", err)
		}
		u, err := decodeUserLicences(it)
		if err != nil {
			return nil, err
		}
		if u.Epoch == c.Epoch {
			out[u.UserID] = u
		}
	}
	return out, nil
}

// ListUserLicences lists such records of a connection, by user, from a cursor on; next is
// "" at the end.
func (s *Uses) ListUserLicences(ctx context.Context, c *directory.Connection, cursor string, limit int) (list []directory.UserLicences, next string, err error) {
	page, err := s.db.table.Query(ctx, table.Query{Partition: userLicencesKey(c.ID, "").Partition, Prefix: userLicencesPrefix, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", fail("licences of users", err)
	}
	for _, it := range page.Items {
		u, err := decodeUserLicences(it)
		if err != nil {
			return nil, "", err
		}
		if u.Epoch == c.Epoch {
			list = append(list, u)
		}
	}
	return list, page.Next, nil
}

// PutUserLicences stores which licences a user is to have, over the version that was
// read (0: there was none that counts), while the connection's epoch and status are as in c
// and the binding b as read; nil: rules are taken away of whoever is not bound, or no
// longer. What the user's licences have to be looked at for is marked by
// that. ErrStale when something moved.
func (s *Uses) PutUserLicences(ctx context.Context, act directory.AuditEvent, c *directory.Connection, b *directory.Binding, u *directory.UserLicences) error {
	ref, key := directory.LicenceOf(u.UserID), userLicencesKey(c.ID, u.UserID)
	it, found, err := s.db.find(ctx, key)
	if err != nil {
		return fail("licences of a user", err)
	}
	counts := found && it.Numbers[numEpoch] == c.Epoch
	if counts != (u.Version > 0) || counts && it.Version != u.Version {
		return fmt.Errorf("licences of a user: %w", directory.ErrStale)
	}
	record, there, err := s.db.find(ctx, bindingKey(ref, c.ID))
	if err != nil {
		return fail("licences of a user", err)
	}
	next := *u
	next.ConnectionID, next.Epoch, next.Version = c.ID, c.Epoch, it.Version+1
	put := table.Write{If: unchanged(it.Version), Put: &table.Item{
		Key: key, Version: next.Version, Numbers: map[string]int64{numEpoch: c.Epoch}, Body: encode(userLicencesRecord{next, next.Editors}),
	}}
	a := advance{db: s.db, conn: c, use: &directory.GroupUse{By: u.By}, asked: []string{u.By}, now: s.db.now().UTC(), made: map[directory.Kind]int64{}}
	a.writes = []table.Write{checkTarget(c), put}
	account := directory.AccountID("")
	if b != nil {
		bound := bindingKey(b.Ref(), c.ID)
		a.writes = append(a.writes, table.Write{Check: &bound, If: table.When(table.VersionIs(b.Version), table.NumberIs(numEpoch, table.Equal, c.Epoch))})
		account = b.AccountID
	}
	if err := a.record(UseRecord{Ref: ref, Look: true, Only: len(u.Licences) == 0}, record, there); err != nil {
		return err
	}
	for kind, n := range a.made {
		a.writes = append(a.writes, addBound(c.ID, c.Epoch, kind, n, 0))
	}
	a.writes = append(a.writes, s.db.record(act, subject{connection: c.ID, users: []directory.UserID{u.UserID}, account: account})...)
	err = s.db.table.Write(ctx, a.writes...)
	if refused(err) {
		return fmt.Errorf("licences of a user: %w", directory.ErrStale)
	}
	if err == nil {
		*u = next
	}
	return fail("licences of a user", err)
}

// sweepUserLicences takes those of epochs that have passed away.
func (s *Uses) sweepUserLicences(ctx context.Context, c *directory.Connection) (more bool, err error) {
	page, err := s.db.table.Query(ctx, table.Query{Partition: userLicencesKey(c.ID, "").Partition, Prefix: userLicencesPrefix, Limit: sweptUses})
	if err != nil {
		return true, fail("sweep licences of users", err)
	}
	for _, it := range page.Items {
		if c.Epoch != 0 && it.Numbers[numEpoch] >= c.Epoch {
			continue
		}
		more = more || page.Next != ""
		key := it.Key
		if err := s.db.table.Write(ctx, table.Write{Delete: &key, If: table.When(table.VersionIs(it.Version))}); err != nil && !refused(err) {
			return true, fail("sweep licences of users", err)
		}
	}
	return more, nil
}
