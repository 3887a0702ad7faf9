package reconcile

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"bindery/shared/directory"
)

// initialPassword is the password of a new account. By default it is random
// and nobody ever knows it. With the setting temporary-password it is derived
// from the user and the connection's epoch under a key of the vault, so that it
// can be shown once to an admin without having been stored anywhere.
func (w *worker) initialPassword(ctx context.Context, c *directory.Change) (directory.Secret, bool, error) {
	if w.conn.Settings.Defaulted().InitialAccess != "temporary-password" || w.PasswordKey == nil {
		return complexPassword(rand.Text() + rand.Text()), false, nil
	}
	p, err := w.TemporaryPassword(ctx, &w.conn, c.UserID)
	return p, true, err
}

// TemporaryPassword returns the password that an account created for a user
// through a connection's present epoch starts with.
func (e *Engine) TemporaryPassword(ctx context.Context, c *directory.Connection, u directory.UserID) (directory.Secret, error) {
	key, err := e.PasswordKey(ctx)
	if err != nil {
		return directory.Secret{}, err
	}
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte("temporary-password\x00" + string(c.ID) + "\x00" + string(c.Tenant.ID) + "\x00" + string(u)))
	return complexPassword(base64.RawURLEncoding.EncodeToString(mac.Sum(nil))[:20]), nil
}

// complexPassword adds what Microsoft's rule of three classes out of four asks
// for, whatever the text holds.
func complexPassword(text string) directory.Secret { return directory.NewSecret("aZ7-" + text) }
