package reconcile

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"bindery/shared/directory"
)

// initialPassword is the password of a new account. By default it is random
// and nobody ever knows it. With the setting temporary-password it is derived
// from the user and the connection's epoch under a key of the vault, so that it
// can be shown once to an admin without having been stored anywhere.
func (w *worker) initialPassword(ctx context.Context, c *directory.Change) (directory.Secret, bool, error) {
	if !temporary(w.conn.Settings) || w.PasswordKey == nil {
		return complexPassword(rand.Text() + rand.Text()), false, nil
	}
	key, err := w.PasswordKey(ctx)
	if err != nil {
		return directory.Secret{}, false, err
	}
	return temporaryPassword(key, &w.conn, c.UserID), true, nil
}

// Passwords shows the passwords that new accounts start with, each once.
type Passwords struct {
	Store PasswordStore
	// Key returns the key that the engine derives them with.
	Key func(ctx context.Context) (directory.Secret, error)
}

// PasswordStore is what Passwords needs of package store.
type PasswordStore interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	Binding(ctx context.Context, u directory.UserID) (directory.Binding, error)
	TakePassword(ctx context.Context, b *directory.Binding) error
}

// Show returns the temporary password of a user's new account and never again.
// It is refused when the account is not ours from its birth, when the setting
// is off, and when it has been shown before.
func (p *Passwords) Show(ctx context.Context, u directory.UserID) (directory.Secret, error) {
	b, err := p.Store.Binding(ctx, u)
	if err != nil {
		return directory.Secret{}, err
	}
	c, err := p.Store.Connection(ctx, b.ConnectionID)
	if err != nil {
		return directory.Secret{}, err
	}
	switch {
	case b.Epoch != c.Epoch:
		return directory.Secret{}, directory.Refuse(directory.ErrNotFound, "not-bound", "The user is not bound.", "")
	case !b.TemporaryPassword || !temporary(c.Settings):
		return directory.Secret{}, directory.Refuse(directory.ErrConflict, "no-temporary-password",
			"The user's account was not created with a temporary password.",
			"Set initialAccess to temporary-password before the account is created, or reset the password at Microsoft.")
	}
	key, err := p.Key(ctx)
	if err != nil {
		return directory.Secret{}, err
	}
	err = p.Store.TakePassword(ctx, &b)
	if errors.Is(err, directory.ErrNotFound) {
		return directory.Secret{}, directory.Refuse(directory.ErrConflict, "password-shown",
			"The temporary password has been shown before; it is shown once.", "Reset the password at Microsoft.")
	}
	return temporaryPassword(key, &c, u), err
}

// temporary reports whether new accounts get a password that is shown once.
func temporary(s directory.Settings) bool { return s.Defaulted().InitialAccess == "temporary-password" }

// temporaryPassword is derived, so that it need not be stored to be shown.
func temporaryPassword(key directory.Secret, c *directory.Connection, u directory.UserID) directory.Secret {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte("temporary-password\x00" + string(c.ID) + "\x00" + string(c.Tenant.ID) + "\x00" + string(u)))
	return complexPassword(base64.RawURLEncoding.EncodeToString(mac.Sum(nil))[:20])
}

// complexPassword adds what Microsoft's rule of three classes out of four asks
// for, whatever the text holds.
func complexPassword(text string) directory.Secret { return directory.NewSecret("aZ7-" + text) }
