package uses

import (
	"context"

	"bindery/shared/core/reconcile/licences"
	"bindery/shared/directory"
)

// Rules tell the kind of licences by which rules users are to have products.
func (s *Source) Rules(ctx context.Context, c *directory.Connection, users []directory.UserID) (map[directory.UserID][]licences.Rule, error) {
	found, err := s.LicencesOf(ctx, c, users)
	if err != nil {
		return nil, err
	}
	all := make(map[directory.UserID][]licences.Rule, len(found))
	for u, list := range found {
		for _, l := range list {
			all[u] = append(all[u], licences.Rule{
				SKU: l.SKU, DisabledPlans: l.DisabledPlans, Priority: l.Priority, Since: l.Since, By: "the group " + l.Name, Editors: l.By,
			})
		}
	}
	return all, nil
}
