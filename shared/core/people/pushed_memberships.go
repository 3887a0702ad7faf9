package people

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"bindery/shared/directory"
)

// groupsAtOnce is of how many users it is read at the same time in which groups they are: each
// has that in a partition of its own.
const groupsAtOnce = 16

// GroupsOfUsers are the groups that a client sees in which each of some users is directly. A
// group is read once, of however many users it is.
func (s *Pushes) GroupsOfUsers(ctx context.Context, c *directory.ScimClient, users []directory.UserID) (map[directory.UserID][]PushedGroup, error) {
	ids := make([][]directory.GroupID, len(users))
	calls, within := errgroup.WithContext(ctx)
	calls.SetLimit(groupsAtOnce)
	for i, u := range users {
		calls.Go(func() (err error) {
			ids[i], err = s.GroupsOf(within, u)
			return err
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	all := slices.Concat(ids...)
	slices.Sort(all)
	list, err := s.groupsByID(ctx, c, slices.Compact(all))
	if err != nil {
		return nil, err
	}
	found := make(map[directory.GroupID]PushedGroup, len(list))
	for i := range list {
		found[list[i].Group.ID] = list[i]
	}
	of := make(map[directory.UserID][]PushedGroup, len(users))
	for i, u := range users {
		of[u] = inOrder(ids[i], found)
	}
	return of, nil
}
