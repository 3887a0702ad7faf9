// Package safety changes what keeps a connection safe: its settings, and the
// protection of accounts.
//
//	edit ─> compare with the settings as they are ─┬─ nothing looser ───────────────> done
//	                                               ├─ looser, caller may not decide ─> refused, key by key
//	                                               ├─ looser, caller may decide ─────> done
//	                                               └─ … and the settings want four eyes
//	                                                        └─> proposal ─┬─ somebody else approves ─> done
//	                                                                      └─ declined, expired, or the
//	                                                                         settings moved ─────────> void
//
// Whether an edit loosens, directory.SafetyOf says; the comparison and the write
// are one transaction, so that two edits at once cannot loosen together what
// neither would alone.
//
// A proposal lies on the connection it is about, and is approved as a whole or
// not at all. It is about the settings that it was made from: when these have
// changed meanwhile, what would come of it is not what anybody has seen, and it
// is void. There is one about settings at a time, and one about the protection
// of each account; whoever asks again for the same is told of the first.
//
// Four eyes are as good as the issuer's subjects: who has two of them is two
// people to Bindery. And they are a setting of one connection: whoever may make
// connections can make another one without.
package safety

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Store is what the service needs of package store.
type Store interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	// ModifyConnection lets change edit a connection and stores it, again when
	// somebody else was faster.
	ModifyConnection(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID, change func(*directory.Connection) error) (directory.Connection, error)
}

// Overrides lifts the protection of accounts; *protect.Overrides does.
type Overrides interface {
	Check(c *directory.Connection, id directory.AccountID, d time.Duration) error
	// Lift is refused with ErrStale when the connection is not as in c any more.
	Lift(ctx context.Context, by directory.Caller, audit directory.AuditKind, c *directory.Connection, id directory.AccountID, d time.Duration, reason, askedBy string) (store.ProtectionOverride, error)
}

// Service edits connections and lifts protections.
type Service struct {
	Store Store
	Lifts Overrides
	Now   func() time.Time // nil means time.Now
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// Edit is what of a connection is to be changed; nil members stay.
type Edit struct {
	Name *string
	// Settings makes the new settings of those that are there.
	Settings func(directory.Settings) (directory.Settings, error)
	// Base is the mark of the settings that the edit was made of (directory.SettingsMark);
	// empty: the edit goes onto whatever is there.
	Base string
}

// Edited is what came of an edit.
type Edited struct {
	Connection directory.Connection
	// Changed says that the settings are other ones now.
	Changed bool
	// Proposal is what waits for somebody else; nil when the edit is done.
	Proposal *directory.Proposal
}

// Edit changes a connection's name and settings. What loosens safety needs a
// caller who may decide, and under fourEyes waits for another one as a proposal:
// then nothing of the edit is done yet. Errors: ErrNotFound, and refusals by
// ErrInvalid, ErrForbidden and ErrConflict, and by ErrStale when the settings are not
// those of the edit's Base any more; then nothing was changed.
func (s *Service) Edit(ctx context.Context, by directory.Caller, id directory.ConnectionID, e Edit) (Edited, error) {
	var out Edited
	var err error
	out.Connection, err = s.Store.ModifyConnection(ctx, by.AuditEvent(directory.AuditEditConnection), id, func(c *directory.Connection) error {
		out.Changed, out.Proposal = false, nil
		if e.Base != "" && e.Base != directory.SettingsMark(c.Settings) {
			return directory.Refuse(directory.ErrStale, directory.CodeVersionMismatch, "The settings have changed since they were read; nothing was changed.",
				"Read the connection again, and send the ETag of that answer.")
		}
		if e.Name != nil {
			name, err := connectionName(*e.Name)
			if err != nil {
				return err
			}
			c.Name = name
		}
		if e.Settings == nil {
			return nil
		}
		next, err := e.Settings(c.Settings)
		if err != nil {
			return err
		}
		if err := mayLoosen(c.Settings, next, by); err != nil {
			return err
		}
		if loosens := directory.SafetyOf(c.Settings, next).Loosened; len(loosens) > 0 && c.Settings.FourEyes {
			if e.Name != nil {
				return directory.Refuse(directory.ErrInvalid, directory.CodeNameApart, "Settings that become looser wait for somebody else (fourEyes), and a name does not; nothing was changed.",
					"Edit the name in a request of its own.")
			}
			out.Proposal, err = s.propose(c, directory.Proposal{
				Kind: directory.ProposalSettings, By: by.Subject, Settings: &next, Loosens: loosens, Base: directory.SettingsMark(c.Settings),
			})
			return err
		}
		if directory.SettingsMark(c.Settings) != directory.SettingsMark(next) {
			out.Changed = true
			c.Set(next, by.Subject, s.now())
		}
		return nil
	})
	return out, err
}

// New refuses settings of a new connection that are looser than those of one
// without any, when the caller may not decide.
func New(settings directory.Settings, by directory.Caller) error {
	return mayLoosen(directory.Settings{}, settings, by)
}

// mayLoosen refuses, key by key, what would loosen safety, when the caller may
// not decide about it.
func mayLoosen(old, next directory.Settings, by directory.Caller) error {
	keys := directory.SafetyOf(old, next).Loosened
	if len(keys) == 0 || by.Approve {
		return nil
	}
	r := directory.Refuse(directory.ErrForbidden, directory.CodeNeedsApprove,
		"This makes safety weaker ("+strings.Join(keys, ", ")+"), which needs the scope bindery/approve; nothing was changed.",
		"Use a token with that scope, besides bindery/admin, or leave these settings out.")
	for _, key := range keys {
		r.Fields = append(r.Fields, directory.FieldError{Field: "settings." + key, Detail: "would be looser than it is"})
	}
	return r
}

func connectionName(name string) (string, error) {
	name = directory.TidyText(name)
	if name == "" || utf8.RuneCountInString(name) > 200 || strings.ContainsFunc(name, unicode.IsControl) {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidConnection, "The connection was not changed.", "Correct the members named in errors.")
		r.Fields = []directory.FieldError{{Field: "name", Detail: "must have 1 to 200 characters, none of them a control character"}}
		return "", r
	}
	return name, nil
}

// Lifted is what came of a wish to lift a protection: the lift, or a proposal.
type Lifted struct {
	Lift     store.ProtectionOverride
	Proposal *directory.Proposal // nil when it is done
}

// Lift takes the protection of one account away for some minutes; under
// fourEyes it waits for somebody else. Errors as of Edit.
func (s *Service) Lift(ctx context.Context, by directory.Caller, id directory.ConnectionID, account directory.AccountID, minutes int, reason string) (Lifted, error) {
	for range maxTries {
		c, err := s.Store.Connection(ctx, id)
		if err != nil {
			return Lifted{}, err
		}
		if err := s.Lifts.Check(&c, account, forMinutes(minutes)); err != nil {
			return Lifted{}, err
		}
		if c.Settings.FourEyes {
			return s.proposeLift(ctx, by, id, account, minutes, reason)
		}
		l, err := s.Lifts.Lift(ctx, by, directory.AuditLiftProtection, &c, account, forMinutes(minutes), reason, "")
		if !errors.Is(err, directory.ErrStale) {
			return Lifted{Lift: l}, err
		}
	}
	return Lifted{}, fmt.Errorf("lift: %w", directory.ErrBusy)
}

// maxTries is how often a lift is tried while the connection changes.
const maxTries = 5

func (s *Service) proposeLift(ctx context.Context, by directory.Caller, id directory.ConnectionID, account directory.AccountID, minutes int, reason string) (out Lifted, err error) {
	_, err = s.Store.ModifyConnection(ctx, by.AuditEvent(directory.AuditLiftProtection), id, func(c *directory.Connection) (err error) {
		out.Proposal, err = s.propose(c, directory.Proposal{
			Kind: directory.ProposalLift, By: by.Subject, Lift: &directory.ProposedLift{AccountID: account, Minutes: minutes, Reason: reason},
		})
		return err
	})
	return out, err
}

func forMinutes(n int) time.Duration { return time.Duration(n) * time.Minute }
