package store

import (
	"cmp"
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// SignIns are what an authorisation needs: the states that requests to Microsoft
// carry, each good for one answer, and the right to refresh a connection's tokens.
type SignIns struct{ db *db }

// PutState stores what stands behind a state, by the state's hash.
func (s *SignIns) PutState(ctx context.Context, act directory.AuditEvent, hash string, st directory.OAuthState) error {
	writes := []table.Write{{
		Put: &table.Item{Key: stateKey(hash), Body: encode(st), Expires: st.Expires.Add(24 * time.Hour)},
		If:  table.Condition{Absent: true},
	}}
	writes = append(writes, s.db.record(act, subject{connection: st.ConnectionID})...)
	return fail("put state", s.db.table.Write(ctx, writes...))
}

// State reads what stands behind a state without using it up. ErrNotFound when
// it is unknown, used, or not sealed by us: what it says of who asked is recorded
// and shown. An expired one is returned, with its time.
func (s *SignIns) State(ctx context.Context, hash string) (directory.OAuthState, error) {
	it, err := s.db.table.Get(ctx, stateKey(hash))
	if err != nil {
		return directory.OAuthState{}, fail("state", err)
	}
	if seal, err := s.db.itemState(ctx, &it); err != nil || seal != SealGood {
		return directory.OAuthState{}, fail("state", cmp.Or(err, table.ErrNotFound))
	}
	var st directory.OAuthState
	return st, decode(it, &st)
}

// TakeState uses a state up: of all callers one gets it, the others and later
// ones get ErrNotFound.
func (s *SignIns) TakeState(ctx context.Context, hash string) (directory.OAuthState, error) {
	st, err := s.State(ctx, hash)
	if err != nil {
		return st, err
	}
	key := stateKey(hash)
	err = s.db.table.Write(ctx, table.Write{Delete: &key, If: table.Condition{Present: true}})
	if refused(err) {
		return directory.OAuthState{}, fail("state", table.ErrNotFound)
	}
	return st, fail("take state", err)
}

// TokenLease takes the right to refresh a connection's tokens for ttl. It
// returns false while somebody else has it.
func (s *SignIns) TokenLease(ctx context.Context, id directory.ConnectionID, epoch int64, holder string, ttl time.Duration) (bool, error) {
	now := s.db.now()
	key := tokenLeaseKey(id, epoch)
	err := s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: key,
			SetNumbers: map[string]int64{numLeaseUntil: now.Add(ttl).UnixMilli()}, SetStrings: map[string]string{strHolder: holder}},
		If: table.Condition{Absent: true, AnyOf: [][]table.Test{
			{table.NumberIs(numLeaseUntil, table.AtMost, now.UnixMilli())}, {table.StringIs(strHolder, holder)}}},
	})
	if refused(err) {
		return false, nil
	}
	return err == nil, fail("token lease", err)
}

// ReleaseTokenLease gives the right back, if it is still ours.
func (s *SignIns) ReleaseTokenLease(ctx context.Context, id directory.ConnectionID, epoch int64, holder string) error {
	key := tokenLeaseKey(id, epoch)
	err := s.db.table.Write(ctx, table.Write{Delete: &key, If: table.When(table.StringIs(strHolder, holder))})
	if refused(err) {
		return nil
	}
	return fail("release token lease", err)
}
