package uses

import (
	"context"
	"errors"
	"slices"

	"bindery/shared/directory"
)

// recordCounter counts the records of a kind.
type recordCounter interface {
	BoundObjects(ctx context.Context, kind directory.Kind, id directory.ConnectionID, epoch int64) (bound, inTenant int, err error)
}

// kindsOf are the kinds of records that are written by the permissions that rules want.
var kindsOf = map[string][]directory.Kind{
	directory.ScopeGroups:   {directory.KindGroup, directory.KindMember},
	directory.ScopeLicences: {directory.KindLicence, directory.KindGroupLicence},
}

// ForgetScopes has a connection not ask any more for the permissions of rules that are gone:
// no rule wants them, and nothing that follows from one is left to be taken back. A rule
// that is put meanwhile keeps its permission: whoever puts one notes it once more after
// that, and here it is looked for once more after the forgetting. Whoever dies between the
// two leaves that to the next call, which notes what is wanted and was forgotten.
func (s *Service) ForgetScopes(ctx context.Context, id directory.ConnectionID) error {
	c, err := s.connections.Connection(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	if err != nil || !c.UsesGroups { // there was never a rule
		return err
	}
	needed, err := s.neededScopes(ctx, &c)
	if err != nil {
		return err
	}
	if c, err = s.noteNeeded(ctx, &c, needed); err != nil || !c.Forget(needed) {
		return err
	}
	c, err = s.connections.ModifyConnection(ctx, directory.AuditEvent{}, id, func(now *directory.Connection) error {
		if now.Epoch == c.Epoch {
			now.Forget(needed)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if needed, err = s.neededScopes(ctx, &c); err == nil {
		_, err = s.noteNeeded(ctx, &c, needed)
	}
	return err
}

// noteNeeded notes the permissions that rules want, where there are any. The connection is
// as it was read, or as it is then.
func (s *Service) noteNeeded(ctx context.Context, c *directory.Connection, needed []string) (directory.Connection, error) {
	if len(needed) == 0 {
		return *c, nil
	}
	return s.noteUse(ctx, c, needed...)
}

// neededScopes are the permissions that rules of a connection want, or what has followed
// from rules.
func (s *Service) neededScopes(ctx context.Context, c *directory.Connection) ([]string, error) {
	var needed []string
	for scope, kinds := range kindsOf {
		for _, kind := range kinds {
			n, _, err := s.counters.BoundObjects(ctx, kind, c.ID, c.Epoch)
			if err != nil {
				return nil, err
			}
			if n > 0 {
				needed = append(needed, scope)
			}
		}
	}
	for after := directory.GroupID(""); ; {
		list, next, err := s.uses.ListUses(ctx, c, after, 0)
		if err != nil {
			return nil, err
		}
		for i := range list {
			needed = append(needed, list[i].Scopes()...)
		}
		if after = next; after == "" {
			break
		}
	}
	for cursor := ""; ; {
		list, next, err := s.licences.ListUserLicences(ctx, c, cursor, 0)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(u directory.UserLicences) bool { return len(u.Licences) > 0 }) {
			needed = append(needed, directory.ScopeLicences)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	slices.Sort(needed)
	return slices.Compact(needed), nil
}
