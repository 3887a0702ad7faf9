package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// A binding with a problem has a row of its own, by cause, so that a cause and
// its users are found without a look at every binding. The row is written in the
// transaction that writes the binding, whenever its problem changes. A finding
// that nobody may overlook has such a row too.

// Trouble is a binding's problem.
type Trouble struct {
	UserID  directory.UserID        `json:"userId"`
	Status  directory.BindingStatus `json:"status"`
	Problem directory.Problem       `json:"problem"`
}

func troublePartition(c directory.ConnectionID, epoch int64) string {
	return "X#" + string(c) + "#" + itoa(epoch)
}

func troubleKey(b *directory.Binding, code string) table.Key {
	return table.Key{Partition: troublePartition(b.ConnectionID, b.Epoch), Sort: code + "#" + string(b.UserID)}
}

// troubleWrites brings the rows of a binding's problems up to date. old is the
// binding as stored, now what it becomes; nil: it is gone.
func (s *Store) troubleWrites(old, now *directory.Binding) []table.Write {
	var writes []table.Write
	was, is := troublesOf(old), troublesOf(now)
	for i := range was {
		if !slices.ContainsFunc(is, func(t Trouble) bool { return t.Problem.Code == was[i].Problem.Code }) {
			key := troubleKey(old, was[i].Problem.Code)
			writes = append(writes, table.Write{Delete: &key})
		}
	}
	for i := range is {
		if !slices.ContainsFunc(was, func(t Trouble) bool { return reflect.DeepEqual(t, is[i]) }) {
			writes = append(writes, table.Write{Put: &table.Item{
				Key: troubleKey(now, is[i].Problem.Code), Expires: s.Now().Add(s.retention()), Body: encode(is[i]),
			}})
		}
	}
	return writes
}

func troublesOf(b *directory.Binding) []Trouble {
	if b == nil {
		return nil
	}
	var list []Trouble
	for _, p := range b.Troubles() {
		list = append(list, Trouble{UserID: b.UserID, Status: b.Status, Problem: p})
	}
	return list
}

// Troubles lists the problems of a connection's bindings, by cause and then by
// user; code "" lists all causes.
func (s *Store) Troubles(ctx context.Context, c directory.ConnectionID, epoch int64, code, cursor string, limit int) ([]Trouble, string, error) {
	prefix := ""
	if code != "" {
		prefix = code + "#"
	}
	if strings.ContainsRune(code, '#') {
		return nil, "", nil
	}
	page, err := s.Table.Query(ctx, table.Query{Partition: troublePartition(c, epoch), Prefix: prefix, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", fail("problems of bindings", err)
	}
	list := make([]Trouble, 0, len(page.Items))
	for _, it := range page.Items {
		var t Trouble
		if err := decode(it, &t); err != nil {
			return nil, "", fmt.Errorf("problems of bindings: %w", err)
		}
		list = append(list, t)
	}
	return list, page.Next, nil
}
