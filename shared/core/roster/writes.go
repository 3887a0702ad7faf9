package roster

import (
	"cmp"
	"context"
	"slices"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// writes notes on candidates what the first sync would write to their accounts
// once their users are bound: decided as that sync decides, from the same
// settings, and not held against guards, the state of the users or what else a
// sync finds out.
func (j *judge) writes(ctx context.Context, list []Candidate, accounts []directory.Account) error {
	settings := j.conn.Settings.Defaulted()
	config := plan.Config{Mapper: j.mapper, Settings: settings}
	var known []directory.UserID
	for i := range list {
		if list[i].Verdict == VerdictInDirectory {
			known = append(known, list[i].UserID)
		}
	}
	users, err := j.Store.UsersByID(ctx, known)
	if err != nil {
		return err
	}
	for i := range list {
		c := &list[i]
		var u directory.User
		switch c.Verdict {
		case VerdictInDirectory:
			u = users[c.UserID]
			if p := otherEmployee(&u, c.ID, c.employee); p != nil {
				c.Reason, c.Detail, c.BoundAs = p.Code, "Its user cannot be bound to it by an import: "+sentence(p), ""
			}
		case VerdictNew:
			u.Profile = c.profile
			u.State = settings.Import.State
		}
		if c.Verdict != VerdictInDirectory && c.Verdict != VerdictNew || c.BoundAs == "" || !u.Enabled() {
			continue // who cannot be bound has nothing written; who is not active that, or a block only
		}
		binding := directory.Binding{UserID: u.ID, AccountID: c.ID, Status: directory.BindingPending}
		d := plan.Decide(config, plan.Subject{User: &u, Binding: &binding, Account: &accounts[i]})
		for _, change := range d.Changes {
			c.Writes = append(c.Writes, change.Properties...)
		}
		slices.SortFunc(c.Writes, func(a, b directory.PropertyChange) int { return cmp.Compare(a.Name, b.Name) })
	}
	return nil
}
