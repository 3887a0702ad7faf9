package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/directory"
)

// rolesTime is how long reading who is protected may take: where roles are held
// through groups, it asks for the members and owners of each.
const rolesTime = 90 * time.Second

// errRolesUnread says that it could not be read who is protected, right before
// something was to be sent.
var errRolesUnread = errors.New("who is protected cannot be read")

// roleReader is a slice's tenant, for reading who is protected in it.
type roleReader struct{ w *worker }

// RoleHolders keeps the lease fresh meanwhile.
func (g roleReader) RoleHolders(ctx context.Context) (directory.Privileged, error) {
	return longRead(ctx, g.w, rolesTime, g.w.tenant.RoleHolders)
}

func (g roleReader) Lookup(ctx context.Context, refs []string) ([]directory.Found, error) {
	return g.w.lookupEach(ctx, refs, g.w.cfg.Mapper.Selected())
}

// shield is who is protected, as far as the slice knows.
func (w *worker) shield() *protect.Protection {
	if w.protection == nil {
		return protect.Known(&w.conn, w.now)
	}
	return w.protection
}

// loadProtection reads once a slice who is protected. It is asked for before
// anything is planned that may write. What Microsoft does not let us read is no
// error: the guard holds what would be written.
func (w *worker) loadProtection(ctx context.Context) error {
	if w.protection != nil {
		return nil
	}
	return w.protectionWithin(ctx, directory.RolesLife)
}

// protectionWithin is loadProtection for who needs what was read at most age ago.
func (w *worker) protectionWithin(ctx context.Context, age time.Duration) error {
	p, err := w.protections().Read(ctx, &w.conn, roleReader{w}, age)
	if err == nil {
		w.protection = p
	}
	return err
}

// byRoles reports whether Microsoft guards what a change writes by the roles of
// its account: the state, the name, sensitive properties, and whether it exists.
func byRoles(c *directory.Change) bool {
	switch c.Effect {
	case directory.EffectBlock, directory.EffectUnblock, directory.EffectRevoke, directory.EffectDelete, directory.EffectRestore,
		directory.EffectRename, directory.EffectUpdateSensitive:
		return true
	}
	return false
}

// freshProtection reads again who is protected when changes of that kind are still
// to be sent in the batch's chunk, unless it was read a moment ago: an account's
// other changes may go first, and are refused as well then. errRolesUnread when
// Microsoft does not let us: then nothing of the batch may be sent.
func (b *sending) freshProtection(ctx context.Context) error {
	if b.now().Sub(b.shield().ReadAt()) <= directory.RolesFresh ||
		!slices.ContainsFunc(b.changes, func(c directory.Change) bool { return open(&c) && byRoles(&c) }) {
		return nil
	}
	if err := b.protectionWithin(ctx, directory.RolesFresh); err != nil {
		return err
	}
	if b.shield().Unread() != "" {
		b.protections().Forget(b.conn.ID)
		return errRolesUnread
	}
	return nil
}

// Protection reads who is protected in a connection's tenant, besides accounts
// that are synced from on-premises and guests, who are found when they are read.
func (e *Engine) Protection(ctx context.Context, c *directory.Connection) (*protect.Protection, error) {
	w, err := e.reader(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	if err := w.loadProtection(ctx); err != nil {
		return nil, err
	}
	return w.protection, nil
}
