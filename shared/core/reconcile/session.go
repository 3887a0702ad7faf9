package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"bindery/shared/core/quota"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// session is one invocation's hold of a connection: its lease, its time, and what
// stands on the lease. It knows nothing of what the hold is for.
type session struct {
	keep  keeper
	now   func() time.Time
	log   *slog.Logger
	lease store.Lease
	conn  directory.Connection
	until time.Time // when the invocation's time is over
	// secondLook is after what time marks are surely found that were made now.
	secondLook time.Duration
	end        store.RunEnd // what the release of the lease writes
	sum        Summary
	wrote      written
	// shield is who is protected in the tenant, once its API is open.
	shield *shield
	// shared is what kinds have in common, see Slice.Share.
	shared map[string]any
}

// written is what the last run of this slice has left on bindings with accounts.
type written struct {
	run      directory.RunID
	accounts map[directory.AccountID]int64 // by ID in lower case: the digest; 0: something is left to do
}

// maxWritten is of how many accounts a look after a run is made without the lease.
const maxWritten = 8

// note remembers how a run has left a binding.
func (w *written) note(run directory.RunID, b *directory.Binding) {
	if w.run != run {
		w.run, w.accounts = run, map[directory.AccountID]int64{}
	}
	digest := b.Digest
	if b.Dirty() { // edited meanwhile
		digest = 0
	}
	if len(w.accounts) <= maxWritten {
		w.accounts[directory.AccountID(strings.ToLower(string(b.AccountID)))] = digest
	}
}

// of is what a run of n changes has written, when that is all of it and nothing is
// left to do about any of them.
func (w *written) of(run directory.RunID, n int) store.Wrote {
	if w.run != run || len(w.accounts) != n || n > maxWritten {
		return store.Wrote{}
	}
	for _, digest := range w.accounts {
		if digest == 0 {
			return store.Wrote{}
		}
	}
	return store.Wrote{RunID: run, Accounts: w.accounts}
}

// keeper keeps the right to work on a connection.
type keeper interface {
	renew(ctx context.Context, l *store.Lease, ttl time.Duration) error
	// countAccounts records a first count of bindings with an account.
	countAccounts(ctx context.Context, l *store.Lease, a store.Accounts, all, gained int) error
}

// leaseKeeper is that of whoever has taken the lease.
type leaseKeeper struct {
	leases leaseStore
	counts countStore
}

func (k leaseKeeper) renew(ctx context.Context, l *store.Lease, ttl time.Duration) error {
	return k.leases.RenewLease(ctx, l, ttl)
}

func (k leaseKeeper) countAccounts(ctx context.Context, l *store.Lease, a store.Accounts, all, gained int) error {
	return k.counts.CountAccounts(ctx, l, a, all, gained)
}

// noLease is the keeper of whoever only explains: it has taken none, and leaves
// nothing behind.
type noLease struct{}

func (noLease) renew(context.Context, *store.Lease, time.Duration) error { return nil }

func (noLease) countAccounts(context.Context, *store.Lease, store.Accounts, int, int) error {
	return nil
}

// inTime ends the invocation when its time is over, and keeps the lease fresh.
func (s *session) inTime(ctx context.Context) error {
	if !s.now().Before(s.until) {
		return &errPause{after: 0, why: "the slice's time is over"}
	}
	if s.lease.Until.Sub(s.now()) < min(s.leaseTTL()-5*time.Second, LeaseTTL*2/3) {
		return s.renew(ctx)
	}
	return nil
}

// renew extends the lease. An invocation whose connection was changed meanwhile
// ends: the next one begins with its settings and its authorisation as they are
// now.
func (s *session) renew(ctx context.Context) error {
	return s.changed(s.keep.renew(ctx, &s.lease, s.leaseTTL()))
}

// changed ends the invocation whose renewal says that the connection was changed.
func (s *session) changed(err error) error {
	if errors.Is(err, store.ErrConnectionChanged) {
		return &errPause{after: 0, why: "the connection was changed"}
	}
	return err
}

func (s *session) leaseTTL() time.Duration {
	if s.lease.Pace.Brief {
		return briefLease
	}
	return LeaseTTL
}

// noteBrief finds out for how long the lease is wanted by whoever goes on after a while
// with a run that has so many writes left. In the middle of a load the tenant's bucket
// fills while a dead worker's lease runs out, and the next worker sends all the more, so
// that nothing is lost. At the end that is delay, and so it is where the bucket would run
// over meanwhile.
func (s *session) noteBrief(left int, after time.Duration) {
	s.lease.Pace.Brief = left <= lastWrites || s.quota().RunsOver(after+LeaseTTL)
}

// request bounds a request so that it ends before the lease does.
func (s *session) request(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, s.lease.Until.Add(-requestMargin))
}

// quota is what Microsoft lets us ask of the tenant. It stands on the lease.
func (s *session) quota() quota.Tenant { return quota.At(&s.lease.Pace.TenantQuota, s.now()) }

// units takes the resource units of a read, napping when they are used up. l
// serves leavers meanwhile.
func (s *session) units(ctx context.Context, l lane, n int) error {
	wait := s.quota().Spend(n)
	if wait > longestNap {
		return &errPause{after: wait, why: "the tenant's quota for reading is used up"}
	}
	return nap(ctx, l, wait)
}

// lacking says what of a plan can not be carried out, since the connection was not granted
// a permission that its settings, or those of a what-if, and its rules want.
func (s *session) lacking(r *store.RunRecord) []directory.Problem {
	conn := s.conn
	if r.Settings != nil {
		conn.Settings = *r.Settings
	}
	var list []directory.Problem
	for _, p := range conn.Lacking() {
		list = append(list, p.Problem())
	}
	return list
}

// settingsDigest changes when a full round is needed to see what settings or
// domains mean for users that nobody edits.
func (s *session) settingsDigest() string { return SettingsDigest(&s.conn) }

// recent is what of an account may be read older than we wrote it.
func (s *session) recent(b *directory.Binding) directory.Recent {
	return b.Recent(s.now().Add(-Grace))
}

// remapped reports whether a plan is made before all marks have been planned
// with the settings as they are.
func (s *session) remapped(r *store.RunRecord) bool {
	return r.Kind == directory.KindSync && !r.DryRun && s.lease.Settled != "" && s.lease.Settled != s.settingsDigest()
}

// noteAllPlanned remembers that all marks have been planned with the settings as
// they are, once a whole round has looked for what these mean.
func (s *session) noteAllPlanned() {
	if settings, all := s.allPlanned(); all {
		s.end.Settled, s.lease.Settled = settings, settings
	}
}

// allPlanned reports whether a whole round has looked for what the settings as they are
// mean, so that a run of marks that ends has planned all of them with these.
func (s *session) allPlanned() (settings string, all bool) {
	link := s.lease.Link
	return link.Settings, !link.Full && link.Settings == s.settingsDigest()
}

// noteUsers remembers how many users the directory had at some time. A shrunken one is not
// taken for the normal one until an admin has let a run go on that was held for it.
func (s *session) noteUsers(n int, at time.Time) {
	s.end.Users, s.lease.Users = n, n
	s.end.UsersAt, s.lease.UsersAt = at, at
}

// noteRun remembers how a run stands that has come to a halt.
func (s *session) noteRun(r *store.RunRecord) {
	s.end.RunID, s.end.State, s.end.At = r.ID, r.State, s.now()
}
