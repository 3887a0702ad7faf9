package store

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// A binding with a problem has a row of its own, by cause, so that a cause and
// its users are found without a look at every binding. The row is written in the
// transaction that writes the binding, whenever its problem changes.

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

// troubleWrites brings the row of a binding's problem up to date. old is the
// binding as stored, now what it becomes; nil: it is gone.
func (s *Store) troubleWrites(old, now *directory.Binding) []table.Write {
	var writes []table.Write
	was, is := problemCode(old), problemCode(now)
	if was == is && (was == "" || old.Status == now.Status && reflect.DeepEqual(old.Problem, now.Problem)) {
		return nil
	}
	if was != "" && was != is {
		key := troubleKey(old, was)
		writes = append(writes, table.Write{Delete: &key})
	}
	if is != "" {
		writes = append(writes, table.Write{Put: &table.Item{
			Key: troubleKey(now, is), Expires: s.Now().Add(s.retention()),
			Body: encode(Trouble{UserID: now.UserID, Status: now.Status, Problem: *now.Problem}),
		}})
	}
	return writes
}

func problemCode(b *directory.Binding) string {
	if b == nil || b.Problem == nil {
		return ""
	}
	return b.Problem.Code
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
