package assign

import (
	"context"

	"bindery/shared/directory"
)

// listPages is how many pages of bindings one call looks at for those with a status.
const listPages = 8

// List lists the bindings of a connection, at most limit of them; with a status,
// those that have it. A page may be short, or empty, and have a next.
func (s *Bindings) List(ctx context.Context, c *directory.Connection, status directory.BindingStatus, cursor string, limit int) (found []directory.Binding, next string, err error) {
	next = cursor
	for range listPages {
		var page []directory.Binding
		page, next, err = s.selections.ListBindings(ctx, directory.KindAccount, c.ID, c.Epoch, next, limit-len(found))
		if err != nil {
			return nil, "", err
		}
		for _, b := range page {
			if status == "" || b.Status == status {
				found = append(found, b)
			}
		}
		if next == "" || len(found) >= limit {
			break
		}
	}
	return found, next, nil
}
