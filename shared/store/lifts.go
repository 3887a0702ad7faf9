package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Lift takes the protection of one account away until a time.
type Lift struct {
	AccountID directory.AccountID `json:"accountId"`
	Until     time.Time           `json:"until"`
	By        string              `json:"by"` // subject of the admin who decided
	// AskedBy is who proposed it, when that was somebody else.
	AskedBy string    `json:"askedBy,omitempty"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
}

func liftKey(c directory.ConnectionID, a directory.AccountID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "lift#" + strings.ToLower(string(a))}
}

// PutLift stores a lift, over an earlier one of the same account, while the
// connection is as in c: its settings say who may decide that. Its row goes some
// time after it has expired. ErrStale when the connection has changed.
func (s *Store) PutLift(ctx context.Context, c *directory.Connection, l *Lift) error {
	key := connectionKey(c.ID)
	writes := []table.Write{
		{Check: &key, If: table.When(table.VersionIs(c.Version), table.NumberIs(numEpoch, table.Equal, c.Epoch))},
		{Put: &table.Item{Key: liftKey(c.ID, l.AccountID), Body: encode(l), Expires: l.Until.Add(time.Hour)}},
	}
	sub := subject{connection: c.ID, account: l.AccountID, detail: strings.TrimSpace("Until " + l.Until.UTC().Format(time.RFC3339) + ". " + l.Reason)}
	err := s.Table.Write(ctx, append(writes, s.actWrites(ctx, "lift", sub)...)...)
	if f, ok := failed(err); ok {
		if _, moved := f[0]; moved {
			return fmt.Errorf("lift protection: %w", directory.ErrStale)
		}
	}
	return fail("lift protection", err)
}

// DeleteLift ends a lift. ErrNotFound when there is none.
func (s *Store) DeleteLift(ctx context.Context, c directory.ConnectionID, a directory.AccountID) error {
	key := liftKey(c, a)
	writes := []table.Write{{Delete: &key, If: table.Condition{Present: true}}}
	err := s.Table.Write(ctx, append(writes, s.actWrites(ctx, "lift", subject{connection: c, account: a})...)...)
	if _, none := failed(err); none {
		return fail("lift of protection", table.ErrNotFound)
	}
	return fail("lift of protection", err)
}

// Lifts returns the lifts of a connection that hold now.
func (s *Store) Lifts(ctx context.Context, c directory.ConnectionID) ([]Lift, error) {
	var list []Lift
	cursor := ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: "C#" + string(c), Prefix: "lift#", Cursor: cursor})
		if err != nil {
			return nil, fail("lifts of protection", err)
		}
		for _, it := range page.Items {
			var l Lift
			if err := decode(it, &l); err != nil {
				return nil, err
			}
			if l.Until.After(s.Now()) {
				list = append(list, l)
			}
		}
		if cursor = page.Next; cursor == "" {
			return list, nil
		}
	}
}

func namedKey(c directory.ConnectionID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "named"}
}

// Named returns which accounts the names of settings.protected stood for when
// they were last found, by folded name: an account stays protected when somebody
// renames it.
func (s *Store) Named(ctx context.Context, c directory.ConnectionID) (map[string]directory.AccountID, error) {
	it, err := s.Table.Get(ctx, namedKey(c))
	if errors.Is(err, table.ErrNotFound) {
		return map[string]directory.AccountID{}, nil
	}
	if err != nil {
		return nil, fail("protected names", err)
	}
	names := map[string]directory.AccountID{}
	return names, decode(it, &names)
}

// SaveNamed stores what Named returns.
func (s *Store) SaveNamed(ctx context.Context, c directory.ConnectionID, names map[string]directory.AccountID) error {
	return fail("protected names", s.Table.Write(ctx, table.Write{Put: &table.Item{Key: namedKey(c), Body: encode(names)}}))
}
