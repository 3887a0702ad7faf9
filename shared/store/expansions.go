package store

import (
	"context"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Expansion is how far records of a kind have been made of what the directory and the
// settings say: whoever has the connection's lease goes on from there.
type Expansion struct {
	Epoch int64 `json:"epoch"`
	// Of stands for the settings that it is made of.
	Of string `json:"of"`
	// Cursor is where it goes on; "": it has come to its end.
	Cursor string `json:"cursor,omitempty"`
	// At is when it was begun.
	At time.Time `json:"at"`
}

// expansionKey is where it stands how far records of a kind have been made.
func expansionKey(id directory.ConnectionID, kind directory.Kind) table.Key {
	return table.Key{Partition: "C#" + string(id), Sort: "expansion#" + string(kind)}
}

// expanded are the kinds whose records are made so.
var expanded = []directory.Kind{directory.KindManager, directory.KindLicence}

// Expansion reads how far records of a kind have been made; the zero one: never.
func (s *Leases) Expansion(ctx context.Context, id directory.ConnectionID, kind directory.Kind) (Expansion, error) {
	var e Expansion
	it, there, err := s.db.find(ctx, expansionKey(id, kind))
	if err != nil || !there {
		return e, fail("expansion", err)
	}
	return e, decode(it, &e)
}

// SaveExpansion notes it, while the lease is ours.
func (s *Leases) SaveExpansion(ctx context.Context, l *Lease, kind directory.Kind, e Expansion) error {
	item := table.Item{Key: expansionKey(l.ConnectionID, kind), Body: encode(e)}
	err := s.db.table.Write(ctx, l.check(), table.Write{Put: &item})
	if refused(err) {
		return fmt.Errorf("expansion: %w", directory.ErrLeaseLost)
	}
	return fail("expansion", err)
}
