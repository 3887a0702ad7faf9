package assign

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// groupBindings makes and edits bindings while a lease is the caller's.
type groupBindings interface {
	BindUnder(ctx context.Context, act directory.AuditEvent, l *store.Lease, c *directory.Connection, by string, list []store.Selection) error
	UpdateBindingUnder(ctx context.Context, act directory.AuditEvent, l *store.Lease, b *directory.Binding, mark, urgent bool) error
	Retract(ctx context.Context, act directory.AuditEvent, l *store.Lease, c *directory.Connection, b *directory.Binding) error
}

// Selected binds the members of groups whose use selects them, and lets them go again.
// It is for whoever works on the connection: all that it writes holds while the lease is
// the caller's.
type Selected struct {
	connections connections
	subjects    subjectReader
	bindings    groupBindings
	groups      groupReader
}

// groupReader reads groups; directory.ErrNotFound.
type groupReader interface {
	Group(ctx context.Context, id directory.GroupID) (directory.Group, error)
}

// NewSelected returns Selected.
func NewSelected(s *store.Store) *Selected {
	return &Selected{connections: s.Connections, subjects: s.Bindings, bindings: s.Bindings, groups: s.Groups}
}

// Bind has users be members of a connection by the use of a group: who is none becomes
// one, and who is one has one path more. It returns the codes of those who cannot be,
// see the verdicts of Bindings.Bind; it may be tried again. asked are the subjects of
// those whose edits it comes from. Errors:
// directory.ErrLeaseLost.
func (s *Selected) Bind(ctx context.Context, l *store.Lease, c *directory.Connection, use *directory.GroupUse, asked []string, users []directory.UserID) (refused map[directory.UserID]string, err error) {
	b := &binder{
		connections: s.connections, subjects: s.subjects, conn: *c, by: directory.Caller{Subject: use.By},
		mapper: mapping.New(c.Settings, c.Tenant.Domains), others: map[directory.ConnectionID]*directory.Connection{},
		byGroup: &byGroup{bindings: s.bindings, lease: l, use: use, asked: asked},
	}
	choices := make([]Choice, len(users))
	for i, u := range users {
		choices[i] = Choice{User: u}
	}
	if err := b.bind(ctx, choices); err != nil {
		return nil, err
	}
	refused = make(map[directory.UserID]string, len(b.out.Refused))
	for _, r := range b.out.Refused {
		refused[r.UserID] = r.Code
	}
	return refused, nil
}

// byGroup is how a binder binds by the use of a group.
type byGroup struct {
	bindings groupBindings
	lease    *store.Lease
	use      *directory.GroupUse
	asked    []string // subjects of those whose edits it comes from
	name     string   // of the group, where bindings end with it
}

func (g *byGroup) act(by directory.Caller, kind directory.AuditKind) directory.AuditEvent {
	act := by.AuditEvent(kind)
	act.GroupIDs = []directory.GroupID{g.use.GroupID}
	return act
}

// addPath gives a binding that counts one path more. ErrStale when it was written
// meanwhile.
func (g *byGroup) addPath(ctx context.Context, by directory.Caller, row *directory.Binding) error {
	wasLeaving := row.LeftGroup != ""
	row.AskedBy = g.asked
	if !row.AddPath(g.use.GroupID) {
		return nil
	}
	return g.bindings.UpdateBindingUnder(ctx, g.act(by, directory.AuditBind), g.lease, row, wasLeaving, false)
}

// Release ends the path of users by the use of a group. Whose last path that was is let
// go as the use, or the connection, says; it is the next run that does so, and the guard
// counts it. Errors: directory.ErrLeaseLost.
func (s *Selected) Release(ctx context.Context, l *store.Lease, c *directory.Connection, use *directory.GroupUse, asked []string, users []directory.UserID) error {
	group, err := s.groups.Group(ctx, use.GroupID)
	if err != nil && !errors.Is(err, directory.ErrNotFound) { // purged: the release says its ID
		return err
	}
	by := &byGroup{bindings: s.bindings, lease: l, use: use, asked: asked, name: group.Name}
	for range maxTries {
		left, err := s.releaseOnce(ctx, c, by, users)
		if err != nil || len(left) == 0 {
			return err
		}
		users = left
	}
	return fmt.Errorf("release by a group: %w", directory.ErrBusy)
}

// releaseOnce returns those whose bindings were written meanwhile.
func (s *Selected) releaseOnce(ctx context.Context, c *directory.Connection, g *byGroup, users []directory.UserID) (left []directory.UserID, err error) {
	subjects, err := s.subjects.Subjects(ctx, users)
	if err != nil {
		return nil, err
	}
	for _, id := range users {
		row := subjects[id].Binding
		if row == nil || row.ConnectionID != c.ID || row.Epoch != c.Epoch {
			continue
		}
		err := g.endPath(ctx, c, row)
		if errors.Is(err, directory.ErrStale) {
			left = append(left, id)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return left, nil
}

// endPath takes a path from a binding, and has it be let go when that was the last.
func (g *byGroup) endPath(ctx context.Context, c *directory.Connection, row *directory.Binding) error {
	changed, last := row.EndPath(g.use.GroupID)
	if !changed {
		return nil
	}
	by := directory.Caller{Subject: g.use.By}
	if !last || row.Release != "" { // somebody lets it go already
		return g.bindings.UpdateBindingUnder(ctx, g.act(by, directory.AuditBind), g.lease, row, false, false)
	}
	act := g.act(by, directory.AuditRelease)
	if row.AccountID == "" {
		// Nothing is let go but the selection itself.
		return g.bindings.Retract(ctx, act, g.lease, c, row)
	}
	policy := cmp.Or(g.use.OnRelease(), c.Settings.Defaulted().OnRelease)
	row.Release, row.ReleasedBy, row.LeftGroup, row.LeftGroupName, row.AskedBy = policy, g.use.By, g.use.GroupID, g.name, g.asked
	if row.Status != directory.BindingPaused { // an admin's pause is for an admin to end
		row.Status = directory.BindingPending
	}
	return g.bindings.UpdateBindingUnder(ctx, act, g.lease, row, true, policy == directory.ReleaseBlock)
}
