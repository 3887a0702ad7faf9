package store

import (
	"context"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Act is an audit event as a walk comes upon it: with its place, and whether it is as it
// was written.
type Act struct {
	directory.AuditEvent
	Place string
	State SealState
}

// KeptSince is since when what was done is still on record.
func (s *Audit) KeptSince() time.Time { return s.db.now().Add(-s.db.retention) }

// ActsOfHour reads a page of the acts of an hour (since 1970) from a time on, behind a
// place, oldest first. next is the place to go on behind; "" says that this was the last
// page. It is strongly consistent: whatever was written before is in it.
func (s *Audit) ActsOfHour(ctx context.Context, hour int64, since time.Time, after string, limit int) (acts []Act, next string, err error) {
	q := table.Query{Partition: actsPartition(hour), After: max(after, place(since, "")[:placeTime]), Limit: limit}
	items, next, err := s.placesBehind(ctx, q)
	if err != nil {
		return nil, "", err
	}
	acts, err = s.acts(ctx, items)
	return acts, next, err
}

// ActsOn reads a page of the acts that concern a user or a group, likewise.
func (s *Audit) ActsOn(ctx context.Context, of directory.Ref, since time.Time, after string, limit int) (acts []Act, next string, err error) {
	q := table.Query{Partition: objectActivity(of.Concerns()), After: max(after, place(since, "")[:placeTime]), Limit: limit}
	places, next, err := s.placesBehind(ctx, q)
	if err != nil {
		return nil, "", err
	}
	var hints []table.Item
	for _, it := range places {
		if _, ref, _ := strings.Cut(it.Sort, "#"); strings.HasPrefix(ref, actRef) {
			hints = append(hints, it)
		}
	}
	items, err := s.hinted(ctx, hints)
	if err != nil {
		return nil, "", err
	}
	acts, err = s.acts(ctx, items)
	return acts, next, err
}

// placesBehind is one page of a query, and the place to go on behind.
func (s *Audit) placesBehind(ctx context.Context, q table.Query) (items []table.Item, next string, err error) {
	page, err := s.db.table.Query(ctx, q)
	for err == nil && len(page.Items) == 0 && page.Next != "" {
		q.Cursor = page.Next
		page, err = s.db.table.Query(ctx, q)
	}
	if err == nil && page.Next != "" {
		next = page.Items[len(page.Items)-1].Sort
	}
	return page.Items, next, fail("acts", err)
}

func (s *Audit) acts(ctx context.Context, items []table.Item) ([]Act, error) {
	list := make([]Act, 0, len(items))
	for _, it := range items {
		if s.db.expired(it) {
			continue
		}
		a := Act{Place: it.Sort}
		if err := decode(it, &a.AuditEvent); err != nil {
			return nil, err
		}
		var err error
		if a.State, err = s.db.itemState(ctx, &it); err != nil {
			return nil, err
		}
		if place(a.At, actRef+a.ID) != a.Place {
			a.State = SealBroken
		}
		list = append(list, a)
	}
	return list, nil
}

// placeTime is how many characters of a place are its time.
const placeTime = 13
