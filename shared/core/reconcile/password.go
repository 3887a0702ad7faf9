package reconcile

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// The password of a new account is random by default, and nobody ever knows it.
// With the setting temporary-password it is derived under a key of the vault, so
// that it can be shown once without having been stored anywhere:
//
//	before the creation is sent   the binding gets an InitialPassword: for which
//	                              change, under which version of the key
//	sent, and sent again          the same password, whichever process sends it;
//	                              also when a later run plans the creation anew
//	                              because the answer was lost
//	refused by Microsoft          it is forgotten: the next try has another one
//	created, or found created     the record is sealed for the account and its time
//	shown                         once, within temporaryPasswordHours, while the
//	                              key is that of the record and the seal fits
//
// When the key was rotated before the answer came, nobody knows which of two
// passwords the account has: the record says so, and neither is shown.

// derivation is what a password, or the seal of its record, is derived from.
type derivation struct {
	connection directory.ConnectionID
	tenant     directory.TenantID
	epoch      int64
	user       directory.UserID
}

func derivationOf(c *directory.Connection, epoch int64, u directory.UserID) derivation {
	d := derivation{connection: c.ID, epoch: epoch, user: u}
	if c.Tenant != nil {
		d.tenant = c.Tenant.ID
	}
	return d
}

func (d derivation) mac(key directory.Secret, use string, more ...string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	for _, s := range append([]string{use, string(d.connection), string(d.tenant), strconv.FormatInt(d.epoch, 10), string(d.user)}, more...) {
		fmt.Fprintf(mac, "%d:%s", len(s), s)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// password is the one that a record is of.
func (d derivation) password(key directory.Secret, p *directory.InitialPassword) directory.Secret {
	return complexPassword(d.mac(key, "temporary password", string(p.ChangeID))[:20])
}

// seal is what only who has the key can write: it holds a record to its user,
// epoch and account. account is empty until there is one.
func (d derivation) seal(key directory.Secret, p *directory.InitialPassword, account directory.AccountID) string {
	return d.mac(key, "record of a temporary password", string(p.ChangeID), p.Key, strconv.FormatInt(p.At.UnixMilli(), 10), strconv.FormatBool(p.Doubt), string(account))[:22]
}

// sealed reports whether a record is as it was written for an account.
func (d derivation) sealed(key directory.Secret, p *directory.InitialPassword, account directory.AccountID) bool {
	return hmac.Equal([]byte(p.Seal), []byte(d.seal(key, p, account)))
}

// keyVersion tells keys apart, and says nothing about them.
func keyVersion(key directory.Secret) string {
	return derivation{}.mac(key, "version of the key of temporary passwords")[:12]
}

// complexPassword adds what Microsoft's rule of three classes out of four asks
// for, whatever the text holds.
func complexPassword(text string) directory.Secret { return directory.NewSecret("aZ7-" + text) }

// temporary reports whether new accounts get a password that is shown once.
func temporary(s directory.Settings) bool { return s.Defaulted().InitialAccess == "temporary-password" }

// readPasswordKey reads the key when creations of the batch need it, before
// anything is decided about them.
func (b *sending) readPasswordKey(ctx context.Context, batch []int) (err error) {
	for _, i := range batch {
		if b.changes[i].Effect != directory.EffectCreate || b.PasswordKey == nil {
			continue
		}
		if row := b.rows[b.changes[i].UserID]; temporary(b.conn.Settings) || row.Binding != nil && row.Binding.Password != nil {
			b.passwordKey, err = b.PasswordKey(ctx)
			return err
		}
	}
	return nil
}

// intendPasswords stores on the bindings which passwords the creations are about
// to be sent with.
func (b *sending) intendPasswords(ctx context.Context) error {
	if !temporary(b.conn.Settings) || b.passwordKey.IsZero() {
		return nil
	}
	var list []store.BindingChange
	for _, i := range b.send {
		c := &b.changes[i]
		if c.Effect != directory.EffectCreate {
			continue
		}
		bound := b.rows[c.UserID].Binding
		old := bound.Password
		if b.known(bound) && (!old.Doubt || old.ChangeID == c.ID) {
			continue
		}
		p := &directory.InitialPassword{ChangeID: c.ID, Key: keyVersion(b.passwordKey), At: b.now().UTC().Truncate(time.Millisecond), Doubt: old != nil}
		p.Seal = derivationOf(&b.conn, b.lease.Epoch, c.UserID).seal(b.passwordKey, p, "")
		bound.Password = p
		list = append(list, store.BindingChange{Ref: c.Ref(), Mutate: func(bd *directory.Binding) bool {
			bd.Password = p
			return true
		}})
	}
	return inParts(list, func(part []store.BindingChange) error {
		return b.Store.Journal(ctx, &b.lease, &b.conn, store.Journal{Bindings: part})
	})
}

// known reports whether a binding has the record of a password for a creation,
// written by us and under the key that there is.
func (b *sending) known(bound *directory.Binding) bool {
	p := bound.Password
	return p != nil && !b.passwordKey.IsZero() && p.Key == keyVersion(b.passwordKey) && derivationOf(&b.conn, b.lease.Epoch, bound.UserID).sealed(b.passwordKey, p, "")
}

// initialPassword is the password that a creation is sent with: the recorded one,
// even when the setting was switched off since, for it may have been sent before.
func (b *sending) initialPassword(c *directory.Change) (p directory.Secret, forceChange bool) {
	bound := b.rows[c.UserID].Binding
	if !b.known(bound) {
		return complexPassword(rand.Text() + rand.Text()), false
	}
	return derivationOf(&b.conn, b.lease.Epoch, c.UserID).password(b.passwordKey, bound.Password), true
}

// usedPassword is the record of the password of an account that a creation made,
// or was found to have made; nil when it is a random one.
func (b *sending) usedPassword(i int, account directory.AccountID) *directory.InitialPassword {
	bound := b.rows[b.changes[i].UserID].Binding
	if bound == nil || bound.Password == nil {
		return nil
	}
	p := *bound.Password
	out, sent := b.outcomes[i]
	answered := sent && out.Problem == nil && !out.Unknown && !out.Retry
	if !b.known(bound) {
		if answered {
			return nil // it was sent with a random one
		}
		p.Doubt, p.Seal = true, "" // under a key that is gone, or not ours: it is refused when it is to be shown
		return &p
	}
	p.Doubt = p.Doubt && !answered
	p.At = b.now().UTC().Truncate(time.Millisecond)
	p.Seal = derivationOf(&b.conn, b.lease.Epoch, bound.UserID).seal(b.passwordKey, &p, account)
	return &p
}

// refusedPassword reports whether Microsoft has answered that it made no account
// with the password of a creation.
func (b *sending) refusedPassword(i int) bool {
	out, sent := b.outcomes[i]
	return sent && out.Problem != nil && !out.Unknown && !out.Retry
}

// Passwords shows the passwords that new accounts start with, each once.
type Passwords struct {
	Store PasswordStore
	// Key reads the key that the engine derives them with, as it is now: one that
	// is remembered from before a rotation would refuse what is right.
	Key func(ctx context.Context) (directory.Secret, error)
	Now func() time.Time // nil means time.Now
}

// PasswordStore is what Passwords needs of package store.
type PasswordStore interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	Binding(ctx context.Context, u directory.UserID) (directory.Binding, error)
	TakePassword(ctx context.Context, act directory.Act, b *directory.Binding) error
}

const resetPassword = "Reset the password at Microsoft."

// Show returns the temporary password of a user's new account and never again.
// It is refused, as a *directory.Refusal, when the account is not ours from its
// birth, when the setting is off or its hours are over, when it has been shown
// before, and when it cannot be known to be the right one.
//
// by is who asks: by fourEyes not the one who bound the user.
func (p *Passwords) Show(ctx context.Context, u directory.UserID, by directory.Caller) (directory.Secret, error) {
	for attempt := 0; ; attempt++ {
		secret, err := p.show(ctx, u, by)
		if !errors.Is(err, directory.ErrStale) || attempt == 4 {
			return secret, err
		}
	}
}

func (p *Passwords) show(ctx context.Context, u directory.UserID, by directory.Caller) (directory.Secret, error) {
	b, err := p.Store.Binding(ctx, u)
	if err != nil {
		return directory.Secret{}, err
	}
	c, err := p.Store.Connection(ctx, b.ConnectionID)
	if err != nil {
		return directory.Secret{}, err
	}
	if b.Epoch != c.Epoch {
		return directory.Secret{}, directory.Refuse(directory.ErrNotFound, "not-bound", "The user is not bound.", "")
	}
	if err := c.Settings.OtherEyes(by.Subject, b.SelectedBy); err != nil {
		return directory.Secret{}, err
	}
	if err := p.showable(&b, c.Settings.Defaulted()); err != nil {
		return directory.Secret{}, err
	}
	key, err := p.Key(ctx)
	if err != nil {
		return directory.Secret{}, err
	}
	d := derivationOf(&c, b.Epoch, u)
	switch {
	case b.Password.Key != keyVersion(key):
		return directory.Secret{}, refusePassword("password-key-gone",
			"The temporary password was made with a key that is not there any more, since the key was rotated.", resetPassword)
	case b.Password.Doubt:
		return directory.Secret{}, refusePassword("password-unknown",
			"Microsoft's answer to the creation was lost, and the key was rotated meanwhile: nobody knows with which of two passwords the account was made.", resetPassword)
	case !d.sealed(key, b.Password, b.AccountID):
		return directory.Secret{}, refusePassword("password-record-changed",
			"The record of the temporary password is not as Bindery wrote it: somebody has changed it in the table.",
			resetPassword+" Find out who can write to the table.")
	}
	err = p.Store.TakePassword(ctx, by.Act(directory.AuditShowPassword), &b)
	if errors.Is(err, directory.ErrNotFound) {
		return directory.Secret{}, refusePassword("password-shown", "The temporary password has been shown before; it is shown once.", resetPassword)
	}
	if err != nil {
		return directory.Secret{}, err
	}
	return d.password(key, b.Password), nil
}

// showable refuses what the record itself says.
func (p *Passwords) showable(b *directory.Binding, s directory.Settings) error {
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	switch {
	case !b.TemporaryPassword || !temporary(s):
		return refusePassword("no-temporary-password", "The user's account was not created with a temporary password.",
			"Set initialAccess to temporary-password before the account is created, or reset the password at Microsoft.")
	case b.Password == nil:
		return refusePassword("password-unversioned",
			"The temporary password was made by an earlier version of Bindery, which did not note under which key: it may be a wrong one.", resetPassword)
	case !now().Before(b.Password.At.Add(time.Duration(s.TemporaryPasswordHours) * time.Hour)):
		return refusePassword("temporary-password-ended",
			fmt.Sprintf("The temporary password could be shown for %d hours after the account was made (temporaryPasswordHours); they are over.", s.TemporaryPasswordHours),
			resetPassword)
	}
	return nil
}

func refusePassword(code, detail, next string) error {
	return directory.Refuse(directory.ErrConflict, code, detail, next)
}
