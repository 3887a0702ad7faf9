package uses

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/reconcile/groups"
	"bindery/shared/core/reconcile/licences"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Source tells the kinds of the engine what follows from uses: how groups are exported,
// and whom they license.
type Source struct {
	groups   sourceGroups
	uses     sourceUses
	bindings sourceBindings
}

type sourceGroups interface {
	GroupsByID(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error)
	Nested(ctx context.Context, id directory.GroupID, keep func(directory.GroupID) bool) (all, kept []directory.GroupID, err error)
	AnyChanged(ctx context.Context, groups []directory.GroupID) (bool, error)
	DueUse(ctx context.Context, c directory.ConnectionID, g directory.GroupID) (bool, error)
}

type sourceUses interface {
	UsesAmong(ctx context.Context, c *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]directory.GroupUse, error)
	UseState(ctx context.Context, c *directory.Connection, g directory.GroupID) (store.UseState, error)
	ListUses(ctx context.Context, c *directory.Connection, after directory.GroupID, limit int) ([]directory.GroupUse, directory.GroupID, error)
	ListUserLicences(ctx context.Context, c *directory.Connection, cursor string, limit int) ([]directory.UserLicences, string, error)
	UseMembers(ctx context.Context, u *directory.GroupUse, after directory.MemberRef, limit int) ([]store.UseMember, directory.MemberRef, error)
	UserLicencesAmong(ctx context.Context, c *directory.Connection, users []directory.UserID) (map[directory.UserID]directory.UserLicences, error)
	LicensedBy(ctx context.Context, c *directory.Connection, u directory.UserID) (map[directory.GroupID]time.Time, error)
}

type sourceBindings interface {
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
}

// NewSource returns the Source over a store.
func NewSource(s *store.Store) *Source { return &Source{s.Groups, s.Uses, s.Bindings} }

// Exports returns those of some groups that the connection exports: living groups whose
// use has an export and is not ending.
func (s *Source) Exports(ctx context.Context, c *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]groups.Export, error) {
	used, err := s.uses.UsesAmong(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	found, err := s.groups.GroupsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	exports := make(map[directory.GroupID]groups.Export, len(ids))
	for id, u := range used {
		g, there := found[id]
		if u.Ending || u.Export == nil || !there || g.Deleted != nil {
			continue
		}
		e := u.Defaulted().Export
		x := groups.Export{
			Group: &g, Kind: directory.TenantGroupKind(e.Kind), Exact: e.Members == directory.MembersExact, Adopt: directory.TenantGroupID(e.Adopt),
			Welcome: e.WelcomeMail, By: editors(u.By, u.Editors),
		}
		if x.Exact { // nobody else asks
			if x.Expanded, err = s.expanded(ctx, c, id); err != nil {
				return nil, err
			}
		}
		exports[id] = x
	}
	return exports, nil
}

// expanded reports whether every member that the directory wants in a group has a record:
// its use was brought up to date, and nothing came since.
func (s *Source) expanded(ctx context.Context, c *directory.Connection, g directory.GroupID) (bool, error) {
	state, err := s.uses.UseState(ctx, c, g)
	if err != nil || state.At.IsZero() {
		return false, err
	}
	all, _, err := s.groups.Nested(ctx, g, nil)
	if errors.Is(err, store.ErrNested) {
		return false, nil // which its use tells of
	}
	if err != nil {
		return false, err
	}
	if changed, err := s.groups.AnyChanged(ctx, all); changed || err != nil {
		return false, err
	}
	due, err := s.groups.DueUse(ctx, c.ID, g)
	return !due, err
}

// editors are the subjects of those who changed rules lately.
func editors(by string, lately []directory.Edit) []string {
	list := []string{by}
	for _, e := range lately {
		if !slices.Contains(list, e.By) {
			list = append(list, e.By)
		}
	}
	return list
}

// Rules returns the rules by which users are to have licences, by user: of their own while
// they are bound and are not being let go, and of the uses of groups that they are members
// of.
func (s *Source) Rules(ctx context.Context, c *directory.Connection, users []directory.UserID) (map[directory.UserID][]licences.Rule, error) {
	by := make(map[directory.UserID]map[directory.GroupID]time.Time, len(users))
	var ids []directory.GroupID
	for _, u := range users {
		groups, err := s.uses.LicensedBy(ctx, c, u)
		if err != nil {
			return nil, err
		}
		by[u] = groups
		for g := range groups {
			ids = append(ids, g)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	used, err := s.uses.UsesAmong(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	found, err := s.groups.GroupsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	own, err := s.uses.UserLicencesAmong(ctx, c, users)
	if err != nil {
		return nil, err
	}
	stay, err := s.stay(ctx, c, slices.Collect(maps.Keys(own)))
	if err != nil {
		return nil, err
	}
	all := make(map[directory.UserID][]licences.Rule, len(users))
	for _, u := range users {
		mine := own[u]
		if !stay[u] {
			mine.Licences = nil
		}
		for i := range mine.Licences {
			r := &mine.Licences[i]
			all[u] = append(all[u], licences.Rule{SKU: r.SKU, DisabledPlans: r.DisabledPlans, Priority: r.Priority, Since: mine.SinceOf(r), By: "a rule of the user's own", Editors: editors(mine.By, mine.Editors)})
		}
		for _, g := range ids {
			since, member := by[u][g]
			use, is := used[g]
			if !member || !is || use.Ending || found[g].Deleted != nil {
				continue
			}
			for _, r := range use.Defaulted().Licences {
				rule := ruleOf(&r, found[g].Name, &use)
				rule.Since = since
				if r.Via == directory.LicenceViaGroup {
					rule.Group = g
				}
				all[u] = append(all[u], rule)
			}
		}
	}
	return all, nil
}

// stay are those of some users who are bound and are not being let go: rules of a user's
// own count for no other.
func (s *Source) stay(ctx context.Context, c *directory.Connection, users []directory.UserID) (map[directory.UserID]bool, error) {
	if len(users) == 0 {
		return nil, nil
	}
	found, err := s.bindings.BindingsOf(ctx, c.ID, directory.AccountsOf(users))
	if err != nil {
		return nil, err
	}
	stay := make(map[directory.UserID]bool, len(found))
	for ref, b := range found {
		stay[ref.User()] = b.ConnectionID == c.ID && b.Epoch == c.Epoch && b.Release == ""
	}
	return stay, nil
}

// Wishes hands on the rules of all users, use by use and then those of users' own.
func (s *Source) Wishes(ctx context.Context, c *directory.Connection, do func(directory.UserID, *licences.Rule)) error {
	for after := directory.GroupID(""); ; {
		list, next, err := s.uses.ListUses(ctx, c, after, 0)
		if err != nil {
			return err
		}
		for i := range list {
			if u := &list[i]; !u.Ending && len(u.Licences) > 0 {
				if err := s.wishesOf(ctx, u, do); err != nil {
					return err
				}
			}
		}
		if after = next; after == "" {
			return s.ownWishes(ctx, c, do)
		}
	}
}

// ownWishes hands on the rules of users' own.
func (s *Source) ownWishes(ctx context.Context, c *directory.Connection, do func(directory.UserID, *licences.Rule)) error {
	for cursor := ""; ; {
		list, next, err := s.uses.ListUserLicences(ctx, c, cursor, 0)
		if err != nil {
			return err
		}
		ids := make([]directory.UserID, len(list))
		for i := range list {
			ids[i] = list[i].UserID
		}
		stay, err := s.stay(ctx, c, ids)
		if err != nil {
			return err
		}
		for i := range list {
			if !stay[list[i].UserID] {
				continue
			}
			for n := range list[i].Licences {
				r := &list[i].Licences[n]
				do(list[i].UserID, &licences.Rule{SKU: r.SKU, Priority: r.Priority, Since: list[i].SinceOf(r)})
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

func (s *Source) wishesOf(ctx context.Context, u *directory.GroupUse, do func(directory.UserID, *licences.Rule)) error {
	for after := (directory.MemberRef{}); ; {
		list, next, err := s.uses.UseMembers(ctx, u, after, 0)
		if err != nil {
			return err
		}
		for i := range list {
			if !list[i].Parts.Has(store.UseLicensed) {
				continue
			}
			for _, r := range u.Licences {
				do(list[i].Member.User(), &licences.Rule{SKU: r.SKU, Priority: r.Priority, Since: list[i].Since})
			}
		}
		if after = next; after == (directory.MemberRef{}) {
			return nil
		}
	}
}

func ruleOf(r *directory.LicenceRule, group string, use *directory.GroupUse) licences.Rule {
	return licences.Rule{SKU: r.SKU, DisabledPlans: r.DisabledPlans, Priority: r.Priority, By: "the group " + group, Editors: editors(use.By, use.Editors)}
}

// GroupRules returns what exported groups are to give their members as groups, and what
// the connection gives the same members itself. A group that is not exported any more
// gives nothing.
func (s *Source) GroupRules(ctx context.Context, c *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]licences.GroupRules, error) {
	used, err := s.uses.UsesAmong(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	found, err := s.groups.GroupsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make(map[directory.GroupID]licences.GroupRules, len(ids))
	for id, u := range used {
		if u.Ending || u.Export == nil || found[id].Deleted != nil {
			continue
		}
		state, err := s.uses.UseState(ctx, c, id)
		if err != nil {
			return nil, err
		}
		due, err := s.groups.DueUse(ctx, c.ID, id)
		if err != nil {
			return nil, err
		}
		rules := licences.GroupRules{Expanded: !due && state.Version == u.Version}
		for _, r := range u.Defaulted().Licences {
			rule := ruleOf(&r, found[id].Name, &u)
			if rule.Since = u.Updated; r.Via == directory.LicenceViaGroup {
				rules.Gives = append(rules.Gives, rule)
			} else {
				rules.Directly = append(rules.Directly, rule)
			}
		}
		all[id] = rules
	}
	return all, nil
}

// licensedPage is how many members of a group are looked at together.
const licensedPage = 500

// LicensedMembers hands on the users whom the use of a group licenses, as far as it has
// been brought.
func (s *Source) LicensedMembers(ctx context.Context, c *directory.Connection, g directory.GroupID, do func([]directory.UserID) (more bool, err error)) error {
	used, err := s.uses.UsesAmong(ctx, c, []directory.GroupID{g})
	if err != nil {
		return err
	}
	use, is := used[g]
	for after := (directory.MemberRef{}); is; {
		list, next, err := s.uses.UseMembers(ctx, &use, after, licensedPage)
		if err != nil {
			return err
		}
		var users []directory.UserID
		for i := range list {
			if list[i].Parts.Has(store.UseLicensed) {
				users = append(users, list[i].Member.User())
			}
		}
		if more, err := do(users); err != nil || !more || next == (directory.MemberRef{}) {
			return err
		}
		after = next
	}
	return nil
}
