package reconcile

import (
	"context"
	"crypto/rand"
	"time"

	"bindery/shared/core/passwords"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// The passwords of new accounts are package passwords' matter; here stands when a
// creation needs one, and what its answer means for the record.

// readPasswordKey reads the key when creations of the batch need it, before
// anything is decided about them.
func (b *accountBatch) readPasswordKey(ctx context.Context, changes []*directory.Change) (err error) {
	for _, c := range changes {
		if c.Effect != directory.EffectCreate || b.a.passwordKey == nil {
			continue
		}
		if row := b.rows[c.UserID]; passwords.Temporary(b.s.conn.Settings) || row.Binding != nil && row.Binding.Password != nil {
			b.passwordKey, err = b.a.passwordKey(ctx)
			return err
		}
	}
	return nil
}

// Intend stores on the bindings which passwords the creations are about to be sent
// with.
func (b *accountBatch) Intend(ctx context.Context, changes []*directory.Change) error {
	if !passwords.Temporary(b.s.conn.Settings) || b.passwordKey.IsZero() {
		return nil
	}
	var list []store.BindingChange
	for _, c := range changes {
		if c.Effect != directory.EffectCreate {
			continue
		}
		bound := b.rows[c.UserID].Binding
		old := bound.Password
		if b.known(bound) && (!old.Doubt || old.ChangeID == c.ID) {
			continue
		}
		p := &directory.InitialPassword{ChangeID: c.ID, Key: passwords.KeyVersion(b.passwordKey), At: b.s.now().UTC().Truncate(time.Millisecond), Doubt: old != nil}
		p.Seal = passwords.Of(&b.s.conn, b.s.lease.Epoch, c.UserID).Seal(b.passwordKey, p, "")
		bound.Password = p
		list = append(list, store.BindingChange{Ref: c.Ref(), Mutate: func(bd *directory.Binding) bool {
			bd.Password = p
			return true
		}})
	}
	return inParts(list, func(part []store.BindingChange) error {
		return b.a.journal.Journal(ctx, &b.s.lease, &b.s.conn, store.Journal{Bindings: part})
	})
}

// known reports whether a binding has the record of a password for a creation,
// written by us and under the key that there is.
func (b *accountBatch) known(bound *directory.Binding) bool {
	p := bound.Password
	return p != nil && !b.passwordKey.IsZero() && p.Key == passwords.KeyVersion(b.passwordKey) && passwords.Of(&b.s.conn, b.s.lease.Epoch, bound.UserID).Sealed(b.passwordKey, p, "")
}

// initialPassword is the password that a creation is sent with: the recorded one,
// even when the setting was switched off since, for it may have been sent before.
func (b *accountBatch) initialPassword(c *directory.Change) (p directory.Secret, forceChange bool) {
	bound := b.rows[c.UserID].Binding
	if !b.known(bound) {
		return passwords.Complex(rand.Text() + rand.Text()), false
	}
	return passwords.Of(&b.s.conn, b.s.lease.Epoch, c.UserID).Password(b.passwordKey, bound.Password), true
}

// usedPassword is the record of the password of an account that a creation made,
// or was found to have made; nil when it is a random one.
func (b *accountBatch) usedPassword(f *Fate) *directory.InitialPassword {
	bound := b.rows[f.Change.UserID].Binding
	if bound == nil || bound.Password == nil {
		return nil
	}
	p := *bound.Password
	out := f.Outcome
	answered := out != nil && out.Problem == nil && !out.Unknown && !out.Retry
	if !b.known(bound) {
		if answered {
			return nil // it was sent with a random one
		}
		p.Doubt, p.Seal = true, "" // under a key that is gone, or not ours: it is refused when it is to be shown
		return &p
	}
	p.Doubt = p.Doubt && !answered
	p.At = b.s.now().UTC().Truncate(time.Millisecond)
	p.Seal = passwords.Of(&b.s.conn, b.s.lease.Epoch, bound.UserID).Seal(b.passwordKey, &p, f.Claim)
	return &p
}

// refusedPassword reports whether Microsoft has answered that it made no account
// with the password of a creation.
func refusedPassword(f *Fate) bool {
	out := f.Outcome
	return out != nil && out.Problem != nil && !out.Unknown && !out.Retry
}
