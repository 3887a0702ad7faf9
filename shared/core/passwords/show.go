package passwords

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
)

// Config is what a Service stands on.
type Config struct {
	Connections Connections
	Bindings    Bindings
	// Key reads the key that the engine derives them with, as it is now: one that
	// is remembered from before a rotation would refuse what is right.
	Key func(ctx context.Context) (directory.Secret, error)
	Now func() time.Time // nil means time.Now
}

// Service shows the passwords that new accounts start with, each once.
type Service struct{ config Config }

// New returns a Service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{c}
}

// Connections reads connections.
type Connections interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
}

// Bindings reads bindings, and notes that a password was shown.
type Bindings interface {
	Binding(ctx context.Context, u directory.UserID) (directory.Binding, error)
	TakePassword(ctx context.Context, act directory.AuditEvent, b *directory.Binding) error
}

const resetPassword = "Reset the password at Microsoft."

// Show returns the temporary password of a user's new account and never again.
// It is refused, as a *directory.Refusal, when the account is not ours from its
// birth, when the setting is off or its hours are over, when it has been shown
// before, and when it cannot be known to be the right one.
//
// By fourEyes who asks is not the one who bound the user.
func (p *Service) Show(ctx context.Context, by directory.Caller, u directory.UserID) (directory.Secret, error) {
	for attempt := 0; ; attempt++ {
		secret, err := p.show(ctx, by, u)
		if !errors.Is(err, directory.ErrStale) || attempt == 4 {
			return secret, err
		}
	}
}

func (p *Service) show(ctx context.Context, by directory.Caller, u directory.UserID) (directory.Secret, error) {
	b, err := p.config.Bindings.Binding(ctx, u)
	if err != nil {
		return directory.Secret{}, err
	}
	c, err := p.config.Connections.Connection(ctx, b.ConnectionID)
	if err != nil {
		return directory.Secret{}, err
	}
	if b.Epoch != c.Epoch {
		return directory.Secret{}, directory.Refuse(directory.ErrNotFound, directory.CodeNotBound, "The user is not bound.", "")
	}
	if err := c.Settings.OtherEyes(by.Subject, b.SelectedBy); err != nil {
		return directory.Secret{}, err
	}
	if err := p.showable(&b, c.Settings.Defaulted()); err != nil {
		return directory.Secret{}, err
	}
	key, err := p.config.Key(ctx)
	if err != nil {
		return directory.Secret{}, err
	}
	d := Of(&c, b.Epoch, u)
	switch {
	case b.Password.Key != KeyVersion(key):
		return directory.Secret{}, refusePassword(directory.CodePasswordKeyGone,
			"The temporary password was made with a key that is not there any more, since the key was rotated.", resetPassword)
	case b.Password.Doubt:
		return directory.Secret{}, refusePassword(directory.CodePasswordUnknown,
			"Microsoft's answer to the creation was lost, and the key was rotated meanwhile: nobody knows with which of two passwords the account was made.", resetPassword)
	case !d.Sealed(key, b.Password, b.AccountID):
		return directory.Secret{}, refusePassword(directory.CodePasswordRecordChanged,
			"The record of the temporary password is not as Bindery wrote it: somebody has changed it in the table.",
			resetPassword+" Find out who can write to the table.")
	}
	err = p.config.Bindings.TakePassword(ctx, by.AuditEvent(directory.AuditShowPassword), &b)
	if errors.Is(err, directory.ErrNotFound) {
		return directory.Secret{}, refusePassword(directory.CodePasswordShown, "The temporary password has been shown before; it is shown once.", resetPassword)
	}
	if err != nil {
		return directory.Secret{}, err
	}
	return d.Password(key, b.Password), nil
}

// showable refuses what the record itself says.
func (p *Service) showable(b *directory.Binding, s directory.Settings) error {
	switch {
	case !b.TemporaryPassword || !Temporary(s):
		return refusePassword(directory.CodeNoTemporaryPassword, "The user's account was not created with a temporary password.",
			"Set initialAccess to temporary-password before the account is created, or reset the password at Microsoft.")
	case b.Password == nil:
		return refusePassword(directory.CodePasswordUnversioned,
			"The temporary password was made by an earlier version of Bindery, which did not note under which key: it may be a wrong one.", resetPassword)
	case !p.config.Now().Before(b.Password.At.Add(time.Duration(s.TemporaryPasswordHours) * time.Hour)):
		return refusePassword(directory.CodeTemporaryPasswordEnded,
			fmt.Sprintf("The temporary password could be shown for %d hours after the account was made (temporaryPasswordHours); they are over.", s.TemporaryPasswordHours),
			resetPassword)
	}
	return nil
}

func refusePassword(code, detail, next string) error {
	return directory.Refuse(directory.ErrConflict, code, detail, next)
}
