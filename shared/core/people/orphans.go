package people

import (
	"context"
	"errors"
	"maps"

	"bindery/shared/directory"
)

// A client that is deleted leaves what it has pushed, and nobody is left who could edit it
// as its source. So what the source scim owns of a user or a group is anybody's, once all
// clients that have pushed it are deleted: an edit that is refused for the sake of that
// source takes from it what the edit names, and is made again. Until then it is shown as
// owned. Where nobody has pushed, the source has written by a token of the API, which may
// write again; where it has written beside a client, or after it, that is not known of each
// attribute, so that no more is taken from it than somebody wants to write.
//
// A file that is loaded takes nothing away: the function that reads strangers' files sees
// neither clients nor what they have pushed.

// orphans says what has lost all clients that have pushed it; *store.Documents does.
type orphans interface {
	Orphaned(ctx context.Context, of directory.MemberRef) (bool, error)
}

// released are the owners that a user or a group has without the source scim as one of what
// an edit names, when that was refused for the sake of an owner, and that source has no
// client left there.
func released(ctx context.Context, o orphans, of directory.MemberRef, owners map[string]directory.Source, refusal error) (left map[string]directory.Source, is bool, err error) {
	r, refused := errors.AsType[*directory.Refusal](refusal)
	if !refused || r.Code != directory.CodeOwnedElsewhere {
		return nil, false, nil
	}
	left = maps.Clone(owners)
	for _, f := range r.Fields {
		if left[f.Field] == directory.SourceSCIM {
			delete(left, f.Field)
		}
	}
	if len(left) == len(owners) {
		return nil, false, nil
	}
	if is, err = o.Orphaned(ctx, of); !is {
		return nil, false, err
	}
	if len(left) == 0 {
		left = nil
	}
	return left, true, nil
}

// retry makes an edit of a user again that was refused, as far as it may be made.
func (s *Users) retry(ctx context.Context, u *directory.User, refusal error, change func(*directory.User) (bool, error)) (bool, error) {
	left, is, err := released(ctx, s.orphans, directory.UserMember(u.ID), u.Owners, refusal)
	switch {
	case err != nil:
		return false, err
	case !is:
		return false, refusal
	}
	u.Owners = left
	return change(u)
}

// retry is that of a group.
func (s *Groups) retry(ctx context.Context, g *directory.Group, refusal error, change func(*directory.Group) (bool, error)) (bool, error) {
	left, is, err := released(ctx, s.orphans, directory.GroupMember(g.ID), g.Owners, refusal)
	switch {
	case err != nil:
		return false, err
	case !is:
		return false, refusal
	}
	g.Owners = left
	return change(g)
}

// release takes, of members who are to go, memberships of a group that the source scim owns from it, where it has no
// client left.
func (e *memberEdit) release(ctx context.Context, there map[directory.MemberRef]directory.Membership) error {
	var its []directory.MemberRef
	for m, is := range there {
		if is.Source == directory.SourceSCIM {
			its = append(its, m)
		}
	}
	if len(its) == 0 || e.source == directory.SourceSCIM {
		return nil
	}
	is, err := e.groups.orphans.Orphaned(ctx, directory.GroupMember(e.group.ID))
	for _, m := range its {
		if is {
			was := there[m]
			was.Source = ""
			there[m] = was
		}
	}
	return err
}
