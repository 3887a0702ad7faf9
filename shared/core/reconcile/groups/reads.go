package groups

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// What reads cost of a tenant's quota (GG 1).
const (
	unitsOfGroup   = 1
	unitsOfMembers = 2
	// unitsOfMemberOf is for the groups that an account is in.
	unitsOfMemberOf = 1
	// perRequest is how many groups are asked about in one request.
	perRequest = 20
	// rollLife is how old the members of a group may be that a plan is made of: as long
	// as one slice may plan. What is sent is looked at once more by Microsoft, and what
	// an admin approves later by us.
	rollLife = 2 * time.Minute
	// mostRolled is how many members are kept in memory. A group of a hundred thousand
	// fits; read for every two hundred memberships it would cost the tenant's quota.
	mostRolled = 250_000
)

// folded is how object IDs are compared.
func folded(id directory.AccountID) directory.AccountID {
	return directory.AccountID(strings.ToLower(string(id)))
}

// roll is who the direct members of a tenant group are, all of them or a part.
type roll struct {
	members map[directory.AccountID]directory.TenantMemberType // by folded ID
	missing bool                                               // there is no such group, or not yet
	problem *directory.Problem                                 // why they are not known
	at      time.Time
	size    int  // how many members it has; of a part, at least
	part    bool // it says only of those that were asked about who is a member
}

// known reports whether it is known who the members are.
func (r *roll) known() bool { return r != nil && !r.missing && r.problem == nil }

func (r *roll) has(a directory.AccountID) bool {
	_, in := r.members[folded(a)]
	return in
}

// only is what the roll says of some members.
func (r *roll) only(of []directory.AccountID) *roll {
	if !r.known() {
		return r
	}
	few := &roll{members: make(map[directory.AccountID]directory.TenantMemberType, len(of)), at: r.at, size: r.size, part: true}
	for _, a := range of {
		if kind, in := r.members[folded(a)]; in {
			few.members[folded(a)] = kind
		}
	}
	return few
}

// seen is a tenant group as it was read directly.
type seen struct {
	group   *directory.TenantGroup // nil: it is not there
	deleted *directory.TenantGroup // it lies in the recycle bin
	problem *directory.Problem     // why it is not known whether it is there
	at      time.Time
}

// missing reports whether the group is not there, which was read.
func (s *seen) missing() bool { return s.group == nil && s.problem == nil }

// reads is what was read of a tenant in a slice. It is shared by both kinds.
type reads struct {
	tenant Tenant
	now    func() time.Time
	rolls  map[directory.TenantGroupID]*roll
	groups map[directory.TenantGroupID]seen
	rolled int
}

// readsOf is what was read in a slice by the API of a tenant, by either kind: a group is
// read once for itself and its memberships.
func readsOf(s reconcile.Slice, t Tenant) *reads {
	const name = "groups.reads"
	if r, ok := s.Shared(name).(*reads); ok && r.tenant == t {
		return r
	}
	r := newReads(t, s.Now)
	s.Share(name, r)
	return r
}

func newReads(t Tenant, now func() time.Time) *reads {
	return &reads{tenant: t, now: now, rolls: map[directory.TenantGroupID]*roll{}, groups: map[directory.TenantGroupID]seen{}}
}

// forget has all be read anew: what was read is no answer to what is asked next.
func (r *reads) forget() {
	clear(r.rolls)
	clear(r.groups)
	r.rolled = 0
}

// groupsNow reads tenant groups; those that are not there are looked for in the recycle
// bin.
func (r *reads) groupsNow(ctx context.Context, w reconcile.Work, ids []directory.TenantGroupID) (map[directory.TenantGroupID]seen, error) {
	var ask []directory.TenantGroupID
	for _, id := range distinct(ids) {
		if s, known := r.groups[id]; !known || r.now().Sub(s.at) > rollLife {
			ask = append(ask, id)
		}
	}
	var missing []directory.TenantGroupID
	err := r.each(ctx, w, ask, r.tenant.Groups, func(id directory.TenantGroupID, g *directory.TenantGroup, p *directory.Problem) {
		r.groups[id] = seen{group: g, problem: p, at: r.now()}
		if g == nil && p == nil {
			missing = append(missing, id)
		}
	})
	if err != nil {
		return nil, err
	}
	err = r.each(ctx, w, missing, r.tenant.DeletedGroups, func(id directory.TenantGroupID, g *directory.TenantGroup, p *directory.Problem) {
		r.groups[id] = seen{deleted: g, problem: p, at: r.now()}
	})
	out := make(map[directory.TenantGroupID]seen, len(ids))
	for _, id := range ids {
		out[id] = r.groups[id]
	}
	return out, err
}

// unread is why a group, or its members, could not be read: nothing is ever taken for
// gone by that, and other groups are not kept waiting for it. An error is one that
// concerns all, such as a quota's or a lost authorisation's.
func unread[T any](r *directory.Read[T]) (*directory.Problem, error) {
	f := directory.Found{Problem: r.Problem, Retry: r.Retry, RetryAfter: r.RetryAfter, Scope: r.Scope}
	err := f.Err()
	if err == nil || f.ConcernsAll() {
		return nil, err
	}
	if f.Problem.Kind != directory.ProblemTransient {
		return ofGroups(f.Problem), nil
	}
	q := *f.Problem // by its code it is known from a write that Microsoft did not decide about
	q.Code, q.Kind, q.Next = directory.CodeGroupNotRead, "", "It is read again by itself."
	return &q, nil
}

// ofGroups is a problem that concerns what is done with groups alone: a right that is
// missing for them is no reason to give up the connection.
func ofGroups(p *directory.Problem) *directory.Problem {
	if p.Kind != directory.ProblemAuthorization || !p.InDoubt() {
		return p
	}
	q := *p
	q.Kind = directory.ProblemTenant
	return &q
}

// each asks about groups, some at a time.
func (r *reads) each(ctx context.Context, w reconcile.Work, ids []directory.TenantGroupID,
	ask func(context.Context, []directory.TenantGroupID) ([]directory.Read[directory.TenantGroup], error), take func(directory.TenantGroupID, *directory.TenantGroup, *directory.Problem),
) error {
	for part := range slices.Chunk(ids, perRequest) {
		var found []directory.Read[directory.TenantGroup]
		err := w.Read(ctx, unitsOfGroup*len(part), func(ctx context.Context) (err error) {
			found, err = ask(ctx, part)
			return err
		})
		if err != nil {
			return err
		}
		for n := range found {
			p, err := unread(&found[n])
			if err != nil {
				return err
			}
			take(part[n], found[n].Value, p)
		}
	}
	return nil
}

// named reads tenant groups by their uniqueName.
func (r *reads) named(ctx context.Context, w reconcile.Work, names []string) ([]directory.Read[directory.TenantGroup], error) {
	var all []directory.Read[directory.TenantGroup]
	for part := range slices.Chunk(names, perRequest) {
		err := w.Read(ctx, unitsOfGroup*len(part), func(ctx context.Context) error {
			found, err := r.tenant.GroupsByUniqueName(ctx, part)
			all = append(all, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// question asks who is in a tenant group; with of, whether these accounts of users are.
type question struct {
	group directory.TenantGroupID
	of    []directory.AccountID
}

// fewAsked is of how many accounts a large group's members are not all read.
const fewAsked = 20

// rollsNow reads the members of tenant groups, each of them to its end, and hands them on
// one after the other, so that few large groups are in memory at once. Of a large group of
// which only a few accounts are asked about the roll may say of these alone.
func (r *reads) rollsNow(ctx context.Context, w reconcile.Work, questions []question, take func(directory.TenantGroupID, *roll) error) error {
	var ask []question
	for _, q := range questions {
		known := r.rolls[q.group]
		if known == nil || r.now().Sub(known.at) > rollLife {
			ask = append(ask, q)
			continue
		}
		if err := take(q.group, known); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(ask, perRequest) {
		at := r.now()
		ids := make([]directory.TenantGroupID, len(part))
		for n, q := range part {
			ids[n] = q.group
		}
		var first []directory.Read[directory.MemberPage]
		err := w.Read(ctx, unitsOfMembers*len(part), func(ctx context.Context) (err error) {
			first, err = r.tenant.Members(ctx, ids)
			return err
		})
		if err != nil {
			return err
		}
		for n, q := range part {
			one, err := r.whole(ctx, w, q, &first[n])
			if err != nil {
				return err
			}
			one.at = at
			if !one.part {
				r.keep(q.group, one)
			}
			if err := take(q.group, one); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole is the roll of a group of which the first page was read.
func (r *reads) whole(ctx context.Context, w reconcile.Work, q question, first *directory.Read[directory.MemberPage]) (*roll, error) {
	p, err := unread(first)
	if err != nil {
		return nil, err
	}
	page := first.Value
	if page == nil || p != nil {
		return &roll{missing: p == nil, problem: p}, nil
	}
	if page.Next != "" && len(q.of) > 0 && len(q.of) <= fewAsked {
		one, err := r.among(ctx, w, q)
		if err != nil {
			return nil, err
		}
		if one != nil {
			one.size = max(len(page.Members), len(one.members))
			return one, nil
		}
	}
	return r.roll(ctx, w, *page)
}

// among is which of some accounts are in a group, by what they are members of; nil: that
// does not say it of all of them.
func (r *reads) among(ctx context.Context, w reconcile.Work, q question) (*roll, error) {
	var found []directory.Read[directory.MemberPage]
	err := w.Read(ctx, unitsOfMemberOf*len(q.of), func(ctx context.Context) (err error) {
		found, err = r.tenant.MemberOf(ctx, q.of)
		return err
	})
	if err != nil {
		return nil, err
	}
	one := &roll{members: map[directory.AccountID]directory.TenantMemberType{}, part: true}
	for n, of := range q.of {
		if p, err := unread(&found[n]); err != nil || p != nil || found[n].Value == nil {
			return nil, err
		}
		page := found[n].Value
		switch in := slices.ContainsFunc(page.Members, func(m directory.TenantMember) bool {
			return folded(m.ID) == folded(directory.AccountID(q.group))
		}); {
		case in:
			one.members[folded(of)] = directory.TenantMemberUser
		case page.Next != "":
			return nil, nil
		}
	}
	return one, nil
}

// roll reads what follows upon the first page of a group's members.
func (r *reads) roll(ctx context.Context, w reconcile.Work, page directory.MemberPage) (*roll, error) {
	var all directory.MemberRoll
	for {
		if err := all.Add(&page); err != nil {
			return nil, err
		}
		members, complete := all.Members()
		if complete {
			one := &roll{members: make(map[directory.AccountID]directory.TenantMemberType, len(members)), size: len(members)}
			for _, m := range members {
				one.members[folded(m.ID)] = m.Type
			}
			return one, nil
		}
		link := all.Next()
		err := w.Read(ctx, unitsOfMembers, func(ctx context.Context) (err error) {
			page, err = r.tenant.MoreMembers(ctx, link)
			return err
		})
		if errors.Is(err, directory.ErrResync) || errors.Is(err, directory.ErrForeignLink) {
			return nil, errors.Join(directory.ErrUnavailable, err) // the next slice reads from the start
		}
		if p, ok := errors.AsType[*directory.Problem](err); ok && !directory.Transient(err) {
			if p, err := unread(&directory.Read[directory.MemberPage]{Problem: p}); err == nil {
				return &roll{problem: p}, nil
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// keep remembers a roll, in the place of others where there are too many.
func (r *reads) keep(id directory.TenantGroupID, one *roll) {
	if r.rolled+len(one.members) > mostRolled {
		clear(r.rolls)
		r.rolled = 0
	}
	r.rolls[id] = one
	r.rolled += len(one.members)
}

func distinct[T ~string](ids []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}
