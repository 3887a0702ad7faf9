package store

import (
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// ProblemCause is a cause with how many bindings, and records of other kinds, have it.
type ProblemCause struct {
	Code    string
	Kind    directory.ProblemKind
	Message string // of one of them
	Next    string
	Count   int
	More    bool      // there are more than were counted
	Since   time.Time // the oldest of those that were counted
}

const (
	// mostOfCause is how many of one cause ProblemCauses counts, and mostCauses how many
	// causes it tells.
	mostOfCause = 100
	mostCauses  = 50
)

// ProblemCauses tells which problems the bindings of a connection have, by code, with up
// to mostOfCause of each: rows lie by cause, and the rest of a cause that many have is
// passed over, whatever their number.
func (s *Bindings) ProblemCauses(ctx context.Context, c directory.ConnectionID, epoch int64) ([]ProblemCause, error) {
	var list []ProblemCause
	q := table.Query{Partition: problemsPartition(c, epoch), Limit: mostOfCause + 1, Weak: true}
	for {
		page, err := s.db.table.Query(ctx, q)
		if err != nil {
			return nil, fail("causes", err)
		}
		for _, it := range page.Items {
			var p ProblemRecord
			if err := decode(it, &p); err != nil {
				return nil, fail("causes", err)
			}
			n := len(list)
			if n == 0 || list[n-1].Code != p.Problem.Code {
				if n == mostCauses {
					return list, nil
				}
				list = append(list, ProblemCause{Code: p.Problem.Code, Kind: p.Problem.Kind, Message: p.Problem.Message, Next: p.Problem.Next, Since: p.Problem.Since})
				n++
			}
			of := &list[n-1]
			if of.Count == mostOfCause {
				of.More = true
				continue
			}
			of.Count++
			if p.Problem.Since.Before(of.Since) {
				of.Since = p.Problem.Since
			}
		}
		if page.Next == "" {
			return list, nil
		}
		q.Cursor, q.After = page.Next, ""
		if n := len(list); n > 0 && list[n-1].More {
			q.Cursor, q.After = "", behindCause(list[n-1].Code)
		}
	}
}

// behindCause is behind all rows of a cause, and before those of any other one: '$' comes
// right after the '#' that ends a cause in a row's key, and is in no code.
func behindCause(code string) string { return code + "$" }
