package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// A binding with a problem has a row of its own, by cause, so that a cause and
// its users are found without a look at every binding. The row is written in the
// transaction that writes the binding, whenever its problem changes. A finding
// that nobody may overlook has such a row too.

// ProblemRecord is a binding's problem.
type ProblemRecord struct {
	UserID  directory.UserID        `json:"userId"`
	Object  directory.Ref           `json:"object,omitzero"` // of another kind than accounts; see directory.Binding.Object
	Status  directory.BindingStatus `json:"status"`
	Problem directory.Problem       `json:"problem"`
}

// Ref names whose problem it is.
func (p *ProblemRecord) Ref() directory.Ref {
	b := directory.Binding{UserID: p.UserID, Object: p.Object}
	return b.Ref()
}

// problemWrites brings the rows of a binding's problems up to date. old is the
// binding as stored, now what it becomes; nil: it is gone.
func problemWrites(old, now *directory.Binding, expires time.Time) []table.Write {
	var writes []table.Write
	was, is := problemsOf(old), problemsOf(now)
	for i := range was {
		code := was[i].Problem.Code
		if !slices.ContainsFunc(is, func(p ProblemRecord) bool { return p.Problem.Code == code }) {
			key := problemKey(old, code)
			writes = append(writes, table.Write{Delete: &key})
		}
	}
	for i := range is {
		if !slices.ContainsFunc(was, func(p ProblemRecord) bool { return reflect.DeepEqual(p, is[i]) }) {
			writes = append(writes, table.Write{Put: &table.Item{
				Key: problemKey(now, is[i].Problem.Code), Expires: expires, Body: encode(is[i]),
			}})
		}
	}
	return writes
}

func problemsOf(b *directory.Binding) []ProblemRecord {
	if b == nil {
		return nil
	}
	var list []ProblemRecord
	for _, p := range b.OpenProblems() {
		list = append(list, ProblemRecord{UserID: b.UserID, Object: b.Object, Status: b.Status, Problem: p})
	}
	return list
}

// ListProblems lists the problems of a connection's bindings, by cause and then by
// user; code "" lists all causes.
func (s *Bindings) ListProblems(ctx context.Context, c directory.ConnectionID, epoch int64, code, cursor string, limit int) ([]ProblemRecord, string, error) {
	prefix := ""
	if code != "" {
		prefix = code + "#"
	}
	if strings.ContainsRune(code, '#') {
		return nil, "", nil
	}
	page, err := s.db.table.Query(ctx, table.Query{Partition: problemsPartition(c, epoch), Prefix: prefix, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", fail("problems of bindings", err)
	}
	list := make([]ProblemRecord, 0, len(page.Items))
	for _, it := range page.Items {
		var p ProblemRecord
		if err := decode(it, &p); err != nil {
			return nil, "", fmt.Errorf("problems of bindings: %w", err)
		}
		list = append(list, p)
	}
	return list, page.Next, nil
}
