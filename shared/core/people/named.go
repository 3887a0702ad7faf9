package people

import (
	"context"

	"bindery/shared/directory"
)

// ByID are the users of some IDs, in the order of these: living ones, and deleted ones as
// long as they can be restored. Those that are not there are left out.
func (s *Users) ByID(ctx context.Context, ids []directory.UserID) ([]directory.User, error) {
	found, err := s.read.UsersByID(ctx, ids)
	return inOrder(ids, found), err
}

// Count is how many living users there are.
func (s *Users) Count(ctx context.Context) (int, error) { return s.read.CountUsers(ctx) }

// ByID are the groups of some IDs, likewise.
func (s *Groups) ByID(ctx context.Context, ids []directory.GroupID) ([]directory.Group, error) {
	found, err := s.groups.GroupsByID(ctx, ids)
	return inOrder(ids, found), err
}

// inOrder are those of some IDs that were found, each once.
func inOrder[ID comparable, T any](ids []ID, found map[ID]T) []T {
	list := make([]T, 0, len(found))
	seen := make(map[ID]bool, len(found))
	for _, id := range ids {
		if v, there := found[id]; there && !seen[id] {
			list, seen[id] = append(list, v), true
		}
	}
	return list
}
