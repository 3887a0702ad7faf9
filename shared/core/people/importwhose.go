package people

import (
	"context"
	"maps"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/directory"
)

// whose says whose accounts are: who is bound to one through the connection, or was
// imported from it, and of the rest, which is looked up, whoever has its address. Accounts
// that are nobody's are not in the answer.
func (s *Imports) whose(ctx context.Context, c *directory.Connection, open func(context.Context, *directory.Connection) (*assign.Judge, error), accounts []directory.AccountID) (map[directory.AccountID]directory.UserID, error) {
	known, err := s.owners.AccountOwners(ctx, c, accounts)
	if err != nil {
		return nil, err
	}
	imported, err := s.find.ImportedUsers(ctx, c.TenantID(), accounts)
	if err != nil {
		return nil, err
	}
	for id, u := range imported {
		if _, bound := known[id]; !bound {
			known[id] = u.ID
		}
	}
	var rest []string
	for _, id := range accounts {
		if _, is := known[id]; !is {
			rest = append(rest, string(id))
		}
	}
	if len(rest) == 0 {
		return known, nil
	}
	judge, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	found, err := judge.Lookup(ctx, rest)
	if err != nil {
		return nil, err
	}
	var there []directory.Account
	for i := range found {
		if found[i].Retry {
			return nil, &directory.ThrottledError{RetryAfter: max(found[i].RetryAfter, time.Second)}
		}
		if found[i].Account != nil {
			there = append(there, *found[i].Account)
		}
	}
	users, err := judge.Users(ctx, there)
	maps.Copy(known, users)
	return known, err
}
