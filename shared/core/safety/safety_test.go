package safety

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/testworld"
)

var (
	ann  = directory.Caller{Subject: "ann", Approve: true}
	ben  = directory.Caller{Subject: "ben", Approve: true}
	carl = directory.Caller{Subject: "carl"}
)

// world is the service over a directory in memory.
type world struct {
	*testworld.World
	*Service
	t     *testing.T
	store *store.Store
	conn  directory.ConnectionID
}

func newWorld(t *testing.T, settings directory.Settings) *world {
	t.Helper()
	records := testworld.New(t)
	w := &world{World: records, t: t, store: records.Store}
	w.Service = &Service{Store: w.store.Connections, Lifts: &protect.Overrides{Store: w.store.Protection, Now: records.Now}, Now: records.Now}
	w.conn = w.Connected(directory.Connection{Name: "HQ", Settings: settings, AuthorizedBy: &directory.Administrator{ObjectID: "admin-account"}}).ID
	return w
}

func to(s directory.Settings) Edit {
	return Edit{Settings: func(directory.Settings) (directory.Settings, error) { return s, nil }}
}

func (w *world) settings() directory.Settings {
	w.t.Helper()
	c, err := w.store.Connections.Connection(w.t.Context(), w.conn)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Settings
}

func (w *world) propose(s directory.Settings, by directory.Caller) *directory.Proposal {
	w.t.Helper()
	done, err := w.Edit(w.t.Context(), by, w.conn, to(s))
	if err != nil || done.Proposal == nil || done.Changed {
		w.t.Fatalf("Edit = %+v, %v, want a proposal", done, err)
	}
	return done.Proposal
}

// wantRefusal fails the test when err is not a refusal of the code.
func wantRefusal(t *testing.T, err error, code string) {
	t.Helper()
	if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != code || r.Next == "" {
		t.Errorf("%v, want the refusal %s", err, code)
	}
}

// Two edits at once, of which each alone would be let pass, do not loosen
// together: each is compared with the settings that it is written over.
func TestEditsAtOnce(t *testing.T) {
	for range 50 {
		w := newWorld(t, directory.Settings{})
		approve := func(s directory.Settings) (directory.Settings, error) { // tightens, or nothing
			s.Mode = directory.ModeApprove
			return s, nil
		}
		automatic := func(s directory.Settings) (directory.Settings, error) { // nothing, or loosens
			s.Mode = directory.ModeAutomatic
			return s, nil
		}
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, f := range []func(directory.Settings) (directory.Settings, error){approve, automatic} {
			wg.Go(func() { _, errs[i] = w.Edit(t.Context(), carl, w.conn, Edit{Settings: f}) })
		}
		wg.Wait()
		if errs[0] != nil || w.settings().Mode != directory.ModeApprove {
			t.Fatalf("mode %q after %v: a caller who may not decide has loosened it", w.settings().Mode, errs)
		}
	}
}

func TestApprovalsAtOnce(t *testing.T) {
	for range 20 {
		w := newWorld(t, directory.Settings{FourEyes: true, Mode: directory.ModeApprove})
		p := w.propose(directory.Settings{FourEyes: true}, ann)
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() {
				if i == 3 {
					errs[i] = w.Decline(t.Context(), ben, w.conn, p.ID)
					return
				}
				_, errs[i] = w.Approve(t.Context(), ben, w.conn, p.ID)
			})
		}
		wg.Wait()
		well := 0
		for _, err := range errs {
			if err == nil {
				well++
			} else {
				wantRefusal(t, err, "no-such-proposal")
			}
		}
		declined := errs[3] == nil
		if well != 1 || declined != (w.settings().Mode == directory.ModeApprove) {
			t.Fatalf("%d of the decisions counted (%v), and the settings are %+v", well, errs, w.settings())
		}
	}
}

func TestProposalsEnd(t *testing.T) {
	w := newWorld(t, directory.Settings{FourEyes: true, Mode: directory.ModeApprove})
	loose := directory.Settings{FourEyes: true}
	p := w.propose(loose, ann)
	w.Advance(proposalLife - time.Second)
	if _, open, err := w.Proposals(t.Context(), w.conn); err != nil || len(open) != 1 || w.propose(loose, ann).ID != p.ID {
		t.Errorf("before its end: %v, %v", open, err)
	}
	w.Advance(time.Second)
	if _, open, err := w.Proposals(t.Context(), w.conn); err != nil || len(open) != 0 {
		t.Errorf("after its end: %v, %v", open, err)
	}
	_, err := w.Approve(t.Context(), ben, w.conn, p.ID)
	wantRefusal(t, err, "proposal-expired")
	wantRefusal(t, w.Decline(t.Context(), ben, w.conn, p.ID), "proposal-expired")
	next := w.propose(loose, ben) // another takes its place
	if next.ID == p.ID || w.settings().Mode != directory.ModeApprove {
		t.Errorf("proposed again: %+v", next)
	}
	// A deactivated connection has none: whoever authorises it again starts clean.
	if _, _, err := w.store.Connections.DeactivateConnection(t.Context(), directory.AuditEvent{}, w.conn); err != nil {
		t.Fatal(err)
	}
	_, err = w.Approve(t.Context(), ann, w.conn, next.ID)
	wantRefusal(t, err, "no-such-proposal")
}

func TestApprovalBySubjectOnly(t *testing.T) {
	w := newWorld(t, directory.Settings{FourEyes: true, Mode: directory.ModeApprove})
	p := w.propose(directory.Settings{FourEyes: true}, ann)
	for _, by := range []directory.Caller{ann, {Subject: "ann"}, {Approve: true}} {
		_, err := w.Approve(t.Context(), by, w.conn, p.ID)
		wantRefusal(t, err, "four-eyes")
	}
	done, err := w.Approve(t.Context(), ben, w.conn, p.ID)
	if err != nil || done.Connection.Settings.Mode == directory.ModeApprove || done.Connection.SettingsBy != "ann" || len(done.Connection.Proposals) != 0 {
		t.Errorf("Approve = %+v, %v", done, err)
	}
}

func TestLiftsWaitByAccount(t *testing.T) {
	w := newWorld(t, directory.Settings{FourEyes: true})
	one, err := w.Lift(t.Context(), ann, w.conn, "a", 10, "why")
	if err != nil || one.Proposal == nil {
		t.Fatalf("Lift = %+v, %v", one, err)
	}
	if two, err := w.Lift(t.Context(), ben, w.conn, "b", 10, ""); err != nil || two.Proposal == nil {
		t.Errorf("of another account: %+v, %v", two, err)
	}
	_, err = w.Lift(t.Context(), ann, w.conn, "a", 20, "why")
	wantRefusal(t, err, "proposal-pending")
	_, err = w.Lift(t.Context(), ann, w.conn, "admin-account", 10, "")
	wantRefusal(t, err, "cannot-be-lifted")
	_, err = w.Lift(t.Context(), ann, w.conn, "c", 100000, "")
	wantRefusal(t, err, "invalid-lift")
	for i := range maxProposals - 2 {
		if _, err := w.Lift(t.Context(), ann, w.conn, directory.AccountID("x"+strings.Repeat("i", i)), 10, ""); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.Lift(t.Context(), ann, w.conn, "y", 10, "")
	wantRefusal(t, err, "too-many-proposals")
	if l, err := w.store.Protection.ProtectionOverrides(t.Context(), w.conn); err != nil || len(l) != 0 {
		t.Errorf("lifted without a decision: %v, %v", l, err)
	}
	// The minutes count from the approval.
	w.Advance(time.Hour)
	done, err := w.Approve(t.Context(), ben, w.conn, one.Proposal.ID)
	if err != nil || done.Lift == nil || !done.Lift.Until.Equal(w.Now().Add(10*time.Minute)) {
		t.Errorf("Approve = %+v, %v", done, err)
	}
}

// failing is a lifter whose store fails.
type failing struct{ Overrides }

func (failing) Lift(context.Context, directory.Caller, directory.AuditKind, *directory.Connection, directory.AccountID, time.Duration, string, string) (store.ProtectionOverride, error) {
	return store.ProtectionOverride{}, directory.ErrBusy
}

// A process that ends between a decision and the lift has lifted nothing, and
// nobody can use the decision twice.
func TestApprovalThatFailsLiftsNothing(t *testing.T) {
	w := newWorld(t, directory.Settings{FourEyes: true})
	one, err := w.Lift(t.Context(), ann, w.conn, "a", 10, "")
	if err != nil {
		t.Fatal(err)
	}
	w.Lifts = failing{w.Lifts}
	if _, err := w.Approve(t.Context(), ben, w.conn, one.Proposal.ID); !errors.Is(err, directory.ErrBusy) {
		t.Errorf("Approve = %v", err)
	}
	_, err = w.Approve(t.Context(), ben, w.conn, one.Proposal.ID)
	wantRefusal(t, err, "no-such-proposal")
}

// tightening is a lifter at whose every lift somebody switches four eyes on first.
type tightening struct {
	Overrides
	w *world
}

func (l tightening) Lift(ctx context.Context, by directory.Caller, audit directory.AuditKind, c *directory.Connection, id directory.AccountID, d time.Duration, reason, askedBy string) (store.ProtectionOverride, error) {
	if _, err := l.w.Edit(ctx, carl, c.ID, to(directory.Settings{FourEyes: true})); err != nil {
		return store.ProtectionOverride{}, err
	}
	return l.Overrides.Lift(ctx, by, audit, c, id, d, reason, askedBy)
}

// Four eyes that are switched on between the look at the settings and the lift
// count; and an edit between an approval and its lift does not lose it.
func TestLiftIsHeldByTheSettingsAsTheyAre(t *testing.T) {
	w := newWorld(t, directory.Settings{})
	plain := w.Lifts
	w.Lifts = tightening{plain, w}
	out, err := w.Lift(t.Context(), ann, w.conn, "a", 10, "why")
	if err != nil || out.Proposal == nil {
		t.Fatalf("Lift = %+v, %v, want a proposal", out, err)
	}
	if l, err := w.store.Protection.ProtectionOverrides(t.Context(), w.conn); err != nil || len(l) != 0 {
		t.Errorf("lifted by one alone: %v, %v", l, err)
	}
	w.Lifts = &edited{Overrides: plain, w: w}
	done, err := w.Approve(t.Context(), ben, w.conn, out.Proposal.ID)
	if err != nil || done.Lift == nil {
		t.Errorf("Approve = %+v, %v", done, err)
	}
	if l, err := w.store.Protection.ProtectionOverrides(t.Context(), w.conn); err != nil || len(l) != 1 {
		t.Errorf("approved, and lifted are %v, %v", l, err)
	}
}

// edited is a lifter before whose first lift somebody edits the connection.
type edited struct {
	Overrides
	w    *world
	once sync.Once
}

func (l *edited) Lift(ctx context.Context, by directory.Caller, audit directory.AuditKind, c *directory.Connection, id directory.AccountID, d time.Duration, reason, askedBy string) (store.ProtectionOverride, error) {
	l.once.Do(func() {
		name := "Other"
		if _, err := l.w.Edit(ctx, carl, c.ID, Edit{Name: &name}); err != nil {
			l.w.t.Error(err)
		}
	})
	return l.Overrides.Lift(ctx, by, audit, c, id, d, reason, askedBy)
}
