package uses

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bindery/shared/core/assign"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// licenceEditor stores and reads the licences of single users.
type licenceEditor interface {
	UserLicencesAmong(ctx context.Context, c *directory.Connection, users []directory.UserID) (map[directory.UserID]directory.UserLicences, error)
	ListUserLicences(ctx context.Context, c *directory.Connection, cursor string, limit int) (list []directory.UserLicences, next string, err error)
	PutUserLicences(ctx context.Context, act directory.AuditEvent, c *directory.Connection, b *directory.Binding, u *directory.UserLicences) error
}

// bindingReader reads bindings of users, and of what else there are records of.
type bindingReader interface {
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
}

// Licensed is what one user is to have by rules of the user's own, and what has come of
// all rules for the user.
type Licensed struct {
	directory.UserLicences
	// Record is that of the user's licences; nil: nothing follows from any rule.
	Record *directory.Binding
	// Lacking are the permissions that the rules need and the connection was not granted.
	Lacking []directory.Permission
}

// Licences reads the rules of one user who is bound, or was when they were put. Errors: directory.ErrNotFound.
func (s *Service) Licences(ctx context.Context, id directory.ConnectionID, u directory.UserID) (Licensed, error) {
	c, err := s.connections.Connection(ctx, id)
	if err != nil {
		return Licensed{}, err
	}
	out, _, err := s.licensed(ctx, &c, u)
	return out, err
}

// licensed reads the rules of a user together with the binding that counts; nil: there is
// none, but there are rules from when there was.
func (s *Service) licensed(ctx context.Context, c *directory.Connection, u directory.UserID) (Licensed, *directory.Binding, error) {
	found, err := s.bindings.BindingsOf(ctx, c.ID, []directory.Ref{directory.AccountOf(u), directory.LicenceOf(u)})
	if err != nil {
		return Licensed{}, nil, err
	}
	rules, err := s.licences.UserLicencesAmong(ctx, c, []directory.UserID{u})
	if err != nil {
		return Licensed{}, nil, err
	}
	out := Licensed{UserLicences: rules[u]}
	var bound *directory.Binding
	if b, is := found[directory.AccountOf(u)]; is && b.ConnectionID == c.ID && b.Epoch == c.Epoch {
		bound = &b
	} else if out.Version == 0 {
		return Licensed{}, nil, notBound(c, u)
	}
	out.ConnectionID, out.UserID = c.ID, u
	if record, is := found[directory.LicenceOf(u)]; is && record.Epoch == c.Epoch {
		out.Record = &record
	}
	out.lack(c)
	return out, bound, nil
}

func notBound(c *directory.Connection, u directory.UserID) error {
	return directory.Refuse(directory.ErrNotFound, directory.CodeNotBound,
		fmt.Sprintf("The user %q is not bound through the connection \"%s\".", u, c.Name), "Bind the user first.")
}

// lack finds out what the rules need and the connection was not granted.
func (l *Licensed) lack(c *directory.Connection) {
	l.Lacking = nil
	if len(l.UserLicences.Licences) > 0 {
		l.Lacking = lackingOf(c, directory.ScopeLicences)
	}
}

// License says which licences one bound user is to have, whatever groups say; without
// rules, also of whoever is let go or was. version is that of the rules that the caller
// has read; 0: of whatever there is. What follows from it
// is made by the connection's next slice. Errors: directory.ErrNotFound, ErrStale, and
// refusals by ErrConflict; then nothing was changed.
func (s *Service) License(ctx context.Context, by directory.Caller, id directory.ConnectionID, u directory.UserID, rules []directory.LicenceRule, version int64) (Licensed, error) {
	for range maxTries {
		out, err := s.licenseOnce(ctx, by, id, u, rules, version)
		if errors.Is(err, directory.ErrStale) && !isRefusal(err) {
			continue
		}
		if err != nil {
			return Licensed{}, err
		}
		if err := s.wake(ctx, id); err != nil {
			s.log.Warn("wake-up not sent; the schedule makes up for it", "connectionId", id, "error", err)
		}
		return out, nil
	}
	return Licensed{}, fmt.Errorf("licences of a user: %w", directory.ErrBusy)
}

func (s *Service) licenseOnce(ctx context.Context, by directory.Caller, id directory.ConnectionID, u directory.UserID, rules []directory.LicenceRule, version int64) (Licensed, error) {
	c, err := assign.Working(ctx, s.connections, id)
	if err != nil {
		return Licensed{}, err
	}
	out, bound, err := s.licensed(ctx, &c, u)
	switch {
	case err != nil:
		return out, err
	case version != 0 && version != out.Version:
		return out, directory.Refuse(directory.ErrStale, directory.CodeVersionMismatch, "The user's licences have changed since they were read.", "Read them again and send their ETag.")
	case len(rules) > 0 && bound == nil:
		return out, notBound(&c, u)
	case len(rules) > 0 && bound.Release != "":
		return out, directory.Refuse(directory.ErrConflict, directory.CodeBindingReleased, "The binding is being released.", "")
	}
	var scopes []string
	if len(rules) > 0 {
		scopes = []string{directory.ScopeLicences}
	}
	if c, err = s.noteUse(ctx, &c, scopes...); err != nil {
		return out, err
	}
	out.Set(rules, by.Subject, s.now())
	out.lack(&c)
	act := by.AuditEvent(directory.AuditLicenseUser)
	if act.Detail = "No licence by a rule of the user's own."; len(rules) > 0 {
		act.Detail = "Licences " + strings.Join(out.Products(), ", ") + "."
	}
	if err := s.licences.PutUserLicences(ctx, act, &c, bound, &out.UserLicences); err != nil {
		return out, err
	}
	return out, s.keepScopes(ctx, id, scopes)
}
