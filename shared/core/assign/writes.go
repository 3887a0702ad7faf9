package assign

import (
	"context"
	"sort"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// writes notes on candidates what the first sync would write to their accounts
// once their users are bound: decided as that sync decides, from the same
// settings, and not held against guards, the state of the users or what else a
// sync finds out.
func (j *Judge) writes(ctx context.Context, list []Candidate, accounts []directory.Account) error {
	settings := j.conn.Settings.Defaulted()
	config := plan.Config{Mapper: j.mapper, Settings: settings}
	var known []directory.UserID
	for i := range list {
		if list[i].Verdict == VerdictInDirectory {
			known = append(known, list[i].UserID)
		}
	}
	users, err := j.users.UsersByID(ctx, known)
	if err != nil {
		return err
	}
	for i := range list {
		c := &list[i]
		var u directory.User
		switch c.Verdict {
		case VerdictInDirectory:
			u = users[c.UserID]
			if p := otherEmployee(&u, c.ID, c.EmployeeID); p != nil {
				c.Reason = p.Code
				c.Detail = "Its user cannot be bound to it by an import: " + p.Advice()
				c.BoundAs = ""
			}
		case VerdictNew:
			u.Profile = c.Profile
			u.State = settings.Import.State
		default:
			continue
		}
		if c.BoundAs == "" || !u.Enabled() {
			continue // who cannot be bound has nothing written; who is not active that, or a block only
		}
		c.Writes = firstWrites(config, &u, &accounts[i])
	}
	return nil
}

// firstWrites is what a sync writes to the account of a user that it has not
// synced yet, by name.
func firstWrites(config plan.Config, u *directory.User, a *directory.Account) []directory.PropertyChange {
	binding := directory.Binding{UserID: u.ID, AccountID: a.ID, Status: directory.BindingPending}
	decision := plan.Decide(config, plan.Subject{User: u, Binding: &binding, Account: a})
	var list []directory.PropertyChange
	for _, change := range decision.Changes {
		list = append(list, change.Properties...)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}
