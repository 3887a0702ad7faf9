// Package safety changes what keeps a connection safe: its settings, and the
// protection of accounts.
//
//	edit ─> compare with the settings as they are ─┬─ nothing looser ───────────────────────────> done
//	                                               ├─ looser, caller may not decide ────────────> refused, key by key
//	                                               └─ looser, caller may decide ─────────────────> done
//
// Whether an edit loosens, directory.SafetyOf says; the comparison and the write
// are one transaction, so that two edits at once cannot loosen together what
// neither would alone.
package safety

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bindery/shared/directory"
)

// Caller is who asks, as the API's token says.
type Caller struct {
	Subject string
	Approve bool // has the scope bindery/approve
}

// Store is what the service needs of package store.
type Store interface {
	// ModifyConnection lets change edit a connection and stores it, again when
	// somebody else was faster.
	ModifyConnection(ctx context.Context, id directory.ConnectionID, change func(*directory.Connection) error) (directory.Connection, error)
}

// Service edits connections.
type Service struct {
	Store Store
	Now   func() time.Time // nil means time.Now
}

// Edit is what of a connection is to be changed; nil members stay.
type Edit struct {
	Name *string
	// Settings makes the new settings of those that are there.
	Settings func(directory.Settings) (directory.Settings, error)
}

// Edited is what came of an edit.
type Edited struct {
	Connection directory.Connection
	// Changed says that the settings are other ones now.
	Changed bool
}

// Edit changes a connection's name and settings. What loosens safety needs a
// caller who may decide. Errors: ErrNotFound, and refusals by ErrInvalid and
// ErrForbidden; then nothing was changed.
func (s *Service) Edit(ctx context.Context, id directory.ConnectionID, e Edit, by Caller) (Edited, error) {
	var out Edited
	var err error
	out.Connection, err = s.Store.ModifyConnection(ctx, id, func(c *directory.Connection) error {
		out.Changed = false
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
		out.Changed = !directory.SameSettings(c.Settings, next)
		c.Settings = next
		return nil
	})
	return out, err
}

// New refuses settings of a new connection that are looser than those of one
// without any, when the caller may not decide.
func New(settings directory.Settings, by Caller) error {
	return mayLoosen(directory.Settings{}, settings, by)
}

// mayLoosen refuses, key by key, what would loosen safety, when the caller may
// not decide about it.
func mayLoosen(old, next directory.Settings, by Caller) error {
	keys := directory.SafetyOf(old, next).Loosened
	if len(keys) == 0 || by.Approve {
		return nil
	}
	r := directory.Refuse(directory.ErrForbidden, "needs-approve",
		"This makes safety weaker ("+strings.Join(keys, ", ")+"), which needs the scope bindery/approve; nothing was changed.",
		"Use a token with that scope, besides bindery/admin, or leave these settings out.")
	for _, key := range keys {
		r.Fields = append(r.Fields, directory.FieldError{Field: "settings." + key, Detail: "would be looser than it is"})
	}
	return r
}

func connectionName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 200 || strings.ContainsFunc(name, unicode.IsControl) {
		r := directory.Refuse(directory.ErrInvalid, "invalid-connection", "The connection was not changed.", "Correct the members named in errors.")
		r.Fields = []directory.FieldError{{Field: "name", Detail: "must have 1 to 200 characters, none of them a control character"}}
		return "", r
	}
	return name, nil
}
