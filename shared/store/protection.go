package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Protection has what an admin decided, and what was found out, about accounts
// that are never written.
type Protection struct{ db *db }

// ProtectionOverride takes the protection of one account away until a time.
type ProtectionOverride struct {
	AccountID directory.AccountID `json:"accountId"`
	Until     time.Time           `json:"until"`
	By        string              `json:"by"` // subject of the admin who decided
	// AskedBy is who proposed it, when that was somebody else.
	AskedBy string    `json:"askedBy,omitempty"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
}

// PutProtectionOverride stores an override, over an earlier one of the same account, while the
// connection is as in c: its settings say who may decide that. Its row goes some
// time after it has expired. The lease says that there is one: who has it not, need not
// look. ErrStale when the connection has changed.
func (s *Protection) PutProtectionOverride(ctx context.Context, act directory.AuditEvent, c *directory.Connection, l *ProtectionOverride) error {
	key := connectionKey(c.ID)
	writes := []table.Write{
		{Check: &key, If: table.When(table.VersionIs(c.Version), table.NumberIs(numEpoch, table.Equal, c.Epoch))},
		{Put: &table.Item{Key: overrideKey(c.ID, l.AccountID), Body: encode(l), Expires: l.Until.Add(time.Hour)}},
		lifted(c.ID, s.db.now()),
	}
	sub := subject{connection: c.ID, account: l.AccountID, detail: strings.TrimSpace("Until " + l.Until.UTC().Format(time.RFC3339) + ". " + l.Reason)}
	err := s.db.table.Write(ctx, append(writes, s.db.record(act, sub)...)...)
	if f, ok := failed(err); ok {
		if _, moved := f[0]; moved {
			return fmt.Errorf("lift protection: %w", directory.ErrStale)
		}
	}
	return fail("lift protection", err)
}

// DeleteProtectionOverride ends an override. ErrNotFound when there is none.
func (s *Protection) DeleteProtectionOverride(ctx context.Context, act directory.AuditEvent, c directory.ConnectionID, a directory.AccountID) error {
	key := overrideKey(c, a)
	writes := []table.Write{{Delete: &key, If: table.Condition{Present: true}}}
	err := s.db.table.Write(ctx, append(writes, s.db.record(act, subject{connection: c, account: a})...)...)
	if refused(err) {
		return fail("lift of protection", table.ErrNotFound)
	}
	return fail("lift of protection", err)
}

// ProtectionOverrides returns the overrides of a connection that hold now.
func (s *Protection) ProtectionOverrides(ctx context.Context, c directory.ConnectionID) ([]ProtectionOverride, error) {
	var list []ProtectionOverride
	for it, err := range s.db.list(ctx, table.Query{Partition: "C#" + string(c), Prefix: "lift#"}) {
		if err != nil {
			return nil, fail("lifts of protection", err)
		}
		var l ProtectionOverride
		if err := decode(it, &l); err != nil {
			return nil, err
		}
		if l.Until.After(s.db.now()) {
			list = append(list, l)
		}
	}
	return list, nil
}

// Named returns which accounts the names of settings.protected stood for when
// they were last found, by folded name: an account stays protected when somebody
// renames it.
func (s *Protection) Named(ctx context.Context, c directory.ConnectionID) (map[string]directory.AccountID, error) {
	names := map[string]directory.AccountID{}
	it, found, err := s.db.find(ctx, namedKey(c))
	if err != nil {
		return nil, fail("protected names", err)
	}
	if !found {
		return names, nil
	}
	return names, decode(it, &names)
}

// SaveNamed stores what Named returns.
func (s *Protection) SaveNamed(ctx context.Context, c directory.ConnectionID, names map[string]directory.AccountID) error {
	return fail("protected names", s.db.table.Write(ctx, table.Write{Put: &table.Item{Key: namedKey(c), Body: encode(names)}}))
}
