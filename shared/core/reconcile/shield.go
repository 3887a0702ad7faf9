package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/core/protect"
	"bindery/shared/directory"
)

// shield is who is protected in the tenant, as far as the slice knows.
type shield struct {
	s        *session
	tenant   Tenant
	reader   *protect.Reader
	observe  *observer
	selected []string            // properties to read of accounts
	known    *protect.Protection // as read in this slice; nil before that
	begun    *rolesAhead         // a reading that was begun before it is needed; nil: there is none
}

// rolesTime is how long reading who is protected may take: where roles are held
// through groups, it asks for the members and owners of each.
const rolesTime = 90 * time.Second

// errRolesUnread says that it could not be read who is protected, right before
// something was to be sent.
var errRolesUnread = errors.New("who is protected cannot be read")

// rolesAhead is the question who holds roles, asked while something else is read. Its
// goroutine touches nothing but the answer.
type rolesAhead struct {
	cancel  context.CancelFunc
	done    chan struct{} // the answer is there
	holders directory.Privileged
	err     error
}

// aheadLife is how old an answer may be that was there before it was needed.
const aheadLife = 5 * time.Second

// ahead asks who holds roles, unless it is known, for load to have the answer sooner.
// What load is not asked for in between must not depend on who is protected. Whoever
// calls it calls drop.
func (h *shield) ahead(ctx context.Context) {
	if h.known != nil || h.begun != nil || h.reader.Remembers(&h.s.conn, directory.RolesLife) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rolesTime)
	a := &rolesAhead{cancel: cancel, done: make(chan struct{})}
	h.begun = a
	go func() {
		defer close(a.done)
		a.holders, a.err = h.tenant.RoleHolders(ctx)
		a.holders.At = h.s.now()
	}()
}

// drop ends what ahead has begun and nobody has asked for.
func (h *shield) drop() {
	if a := h.begun; a != nil {
		a.cancel()
		<-a.done
		h.begun = nil
	}
}

// RoleHolders reads for package protect. It keeps the lease fresh meanwhile.
func (h *shield) RoleHolders(ctx context.Context) (directory.Privileged, error) {
	if a := h.begun; a != nil {
		holders, err := longRead(ctx, h.s, rolesTime, a.answer)
		h.drop()
		if err != nil || h.s.now().Sub(holders.At) < aheadLife {
			return holders, err
		}
	}
	return longRead(ctx, h.s, rolesTime, h.tenant.RoleHolders)
}

// answer waits for the answer.
func (a *rolesAhead) answer(ctx context.Context) (directory.Privileged, error) {
	select {
	case <-a.done:
		return a.holders, a.err
	case <-ctx.Done():
		return directory.Privileged{}, ctx.Err()
	}
}

// Lookup reads for package protect.
func (h *shield) Lookup(ctx context.Context, refs []string) ([]directory.Found, error) {
	return h.observe.lookup(ctx, closed{h.s}, refs, h.selected)
}

// now is who is protected, as far as it has been read.
func (h *shield) now() *protect.Protection {
	if h.known == nil {
		return protect.Known(&h.s.conn, h.s.now)
	}
	return h.known
}

// load reads once a slice who is protected. It is asked for before anything is
// decided that may write. What Microsoft does not let us read is no error: the
// guard holds what would be written.
func (h *shield) load(ctx context.Context) error {
	if h.known != nil {
		return nil
	}
	return h.loadWithin(ctx, directory.RolesLife)
}

// loadWithin is load for who needs what was read at most age ago.
func (h *shield) loadWithin(ctx context.Context, age time.Duration) error {
	lifted := h.s.now().Before(h.s.lease.LiftedTo)
	p, err := h.reader.Read(ctx, &h.s.conn, h, age, lifted)
	if err == nil {
		h.known = p
	}
	return err
}

// freshFor reads again who is protected when changes that Microsoft guards by
// roles are still to be sent of a chunk, unless it was read a moment ago: an
// account's other changes may go first, and are refused as well then.
// errRolesUnread when Microsoft does not let us: then nothing may be sent.
func (h *shield) freshFor(ctx context.Context, changes []directory.Change) error {
	if !h.stale(changes) {
		return nil
	}
	if err := h.loadWithin(ctx, directory.RolesFresh); err != nil {
		return err
	}
	if h.now().Unread() != "" {
		h.reader.Forget(h.s.conn.ID)
		return errRolesUnread
	}
	return nil
}

// stale reports whether freshFor has to read.
func (h *shield) stale(changes []directory.Change) bool {
	return h.s.now().Sub(h.now().ReadAt()) > directory.RolesFresh &&
		slices.ContainsFunc(changes, func(c directory.Change) bool { return open(&c) && c.Effect.Row().ByRoles })
}

// config builds what deciding needs from settings. Who is protected is asked for
// when it is needed.
func (h *shield) config(s directory.Settings) plan.Config {
	s = s.Defaulted()
	return plan.Config{
		Mapper:   mapping.New(s, h.s.conn.Tenant.Domains),
		Settings: s, ExportedSince: h.s.conn.ExportedSince,
		Protected: func(id directory.AccountID, upn string) (string, bool) {
			return h.now().OfNamed(s.Protected, id, upn)
		},
	}
}
