package store

import (
	"context"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// BindingSummary is what a binding's item says without its body.
type BindingSummary struct {
	Ref       directory.Ref
	AccountID directory.AccountID
	// Settled says that the binding counts and nothing is marked; Digest is
	// then that of the managed values that were agreed, or 0.
	Settled bool
	Digest  int64
	Blocked bool // the block in force is ours
}

func summaryOf(it table.Item, l *Lease) BindingSummary {
	n := it.Numbers
	counts := n[numEpoch] == l.Epoch && it.Strings[strConnection] == string(l.ConnectionID)
	return BindingSummary{
		Ref: refOf(it.Key), AccountID: directory.AccountID(it.Strings[strAccount]),
		Settled: counts && n[numMarked] == 0 && n[numApplied] >= n[numUserVersion],
		Digest:  n[numDigest], Blocked: n[numBlocked] != 0,
	}
}

// BindingSummaries reads the summaries of bindings, strongly consistent, for those
// that there are.
func (s *Bindings) BindingSummaries(ctx context.Context, l *Lease, refs []directory.Ref) (map[directory.Ref]BindingSummary, error) {
	out := make(map[directory.Ref]BindingSummary, len(refs))
	for it, err := range s.db.each(ctx, bindingKeys(l.ConnectionID, refs)) {
		if err != nil {
			return nil, fail("binding summaries", err)
		}
		sum := summaryOf(it, l)
		out[sum.Ref] = sum
	}
	return out, nil
}

// ListBindingSummaries lists a kind's bindings in a stable order, as ListBindings
// does, without the bodies. weak asks for them as they were a moment ago, at half
// the price.
func (s *Bindings) ListBindingSummaries(ctx context.Context, kind directory.Kind, l *Lease, cursor string, limit int, weak bool) ([]BindingSummary, string, error) {
	var list []BindingSummary
	next, err := s.db.listBindings(ctx, kind, l.ConnectionID, l.Epoch, cursor, limit, weak, func(it table.Item) error {
		list = append(list, summaryOf(it, l))
		return nil
	})
	return list, next, err
}
