package reconcile

import (
	"context"
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/people"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

const elsewhere = "elsewhere.example"

// otherConnection is an active connection to a tenant with another domain.
func (w *world) otherConnection() directory.Connection {
	w.Helper()
	c := directory.Connection{
		ID: directory.NewConnectionID(w.now()), Name: "Elsewhere", Status: directory.StatusActive, Epoch: 3,
		Tenant: &directory.Tenant{ID: "22222222-aaaa-4bbb-8ccc-000000000002", Domains: []directory.Domain{{Name: elsewhere, AuthenticationType: "Managed", IsDefault: true}}},
	}
	w.do(w.store.Connections.CreateConnection(w.Context(), directory.AuditEvent{}, &c))
	return c
}

func (w *world) moves() *assign.Moves {
	users := people.NewUsers(people.UsersConfig{Stores: people.StoresOf(w.store), Wake: noWaker{}, Now: w.now})
	return assign.NewMoves(assign.MovesConfig{Stores: assign.StoresOf(w.store), Users: users, Runs: starter{w.runs()}, Wake: noWaker{}, Now: w.now})
}

// noWaker loses every wake-up.
type noWaker struct{}

func (noWaker) Wake(context.Context, directory.ConnectionID, time.Duration) error { return nil }

func (noWaker) WakeEdited(context.Context, directory.ConnectionID, directory.UserID) error {
	return nil
}

// starter starts the runs of moves.
type starter struct{ runs *runs.Service }

func (s starter) Start(ctx context.Context, c *directory.Connection, r assign.RunRequest) (directory.Run, error) {
	return s.runs.Start(ctx, r.By, c, runs.Request{Kind: r.Kind, DryRun: r.DryRun, UserIDs: r.UserIDs, Trigger: r.Trigger})
}

// bounds counts the bound users of connections by the row and by the counter.
func (w *world) bounds(list ...directory.Connection) string {
	w.Helper()
	out := ""
	for _, c := range list {
		n, err := w.store.Counters.BoundCount(w.Context(), c.ID, c.Epoch)
		w.do(err)
		rows, _, err := w.store.Bindings.ListBindings(w.Context(), directory.KindAccount, c.ID, c.Epoch, "", 100)
		w.do(err)
		out += fmt.Sprintf("%d/%d ", n, len(rows))
	}
	return out
}

// TestMove: a user goes to another connection with a new address, in every way;
// the old account is dealt with first, the history stays, and nobody is ever in
// two connections or in none.
func TestMove(t *testing.T) {
	for _, then := range []directory.ReleasePolicy{directory.ReleaseKeep, directory.ReleaseBlock, directory.ReleaseRestore} {
		t.Run(string(then), func(t *testing.T) {
			w := newWorld(t, existing("ann", map[string]any{"department": "Before"}))
			to := w.otherConnection()
			ann, ben := w.user("ann", func(u *directory.User) { u.Department = "Ours" }), w.user("ben")
			w.bind(ann, ben)
			w.sync()
			by := directory.Caller{Subject: "ada"}
			req := assign.MoveRequest{To: to.ID, Then: then, Email: "ann@" + elsewhere}
			if _, err := w.moves().Move(t.Context(), by, ann.ID, assign.MoveRequest{To: to.ID, Then: then}); err == nil {
				t.Fatal("a user moved to a connection that has not claimed the user's domain")
			}
			before := len(w.sim.Mutations(simTenant))
			out, err := w.moves().Move(t.Context(), by, ann.ID, req)
			if err != nil || out.Done != (then == directory.ReleaseKeep) {
				t.Fatalf("Move = %+v, %v", out, err)
			}
			w.sync()
			b := w.binding(ann)
			u, err := w.store.Users.User(t.Context(), ann.ID)
			if err != nil || b.ConnectionID != to.ID || b.Epoch != 3 || b.MovedFrom != w.conn.ID || b.AccountID != "" || b.Status != directory.BindingPending ||
				b.Wanted != u.Version || u.Email != "ann@"+elsewhere || b.SelectedBy != "ada" {
				t.Fatalf("the binding is %+v, the user %s at version %d, %v", b, u.Email, u.Version, err)
			}
			a := w.account("ann@" + simDomain)
			switch writes := len(w.sim.Mutations(simTenant)) - before; then {
			case directory.ReleaseKeep:
				if writes != 0 || a["department"] != "Ours" {
					t.Errorf("keep wrote %d times", writes)
				}
			case directory.ReleaseBlock:
				if a["accountEnabled"] != false {
					t.Error("the old account is enabled")
				}
			case directory.ReleaseRestore:
				if a["department"] != "Before" {
					t.Errorf("the old account's department is %v", a["department"])
				}
			}
			if got := w.bounds(w.conn, to); got != "1/1 1/1 " {
				t.Errorf("bound are %s", got)
			}
			former, _, err := w.store.Bindings.Former(t.Context(), w.conn.ID, "", 10)
			if err != nil || len(former) != 1 || former[0].UserID != ann.ID || former[0].AccountID == "" {
				t.Errorf("former members are %+v, %v", former, err)
			}
			marks, _, err := w.store.Marks.ListMarks(t.Context(), to.ID, to.Epoch, "", 10)
			if err != nil || len(marks) != 1 {
				t.Errorf("%d marks of the new connection, %v", len(marks), err)
			}
			if owners, err := w.store.Claims.AccountOwners(t.Context(), &w.conn, []directory.AccountID{directory.AccountID(a["id"].(string))}); err != nil || len(owners) != 0 {
				t.Errorf("the old account is still claimed: %v, %v", owners, err)
			}
		})
	}
}

// TestMoveCutOff kills the mover and the engine at each of their calls to the
// table: after every one of them the user is bound through exactly one connection,
// and in the end through the new one.
func TestMoveCutOff(t *testing.T) {
	for _, then := range []directory.ReleasePolicy{directory.ReleaseKeep, directory.ReleaseBlock} {
		for at := 1; ; at += crashStride {
			finished := false
			for _, kind := range []string{killBefore, killAfter} {
				w := newWorld(t)
				to := w.otherConnection()
				ann := w.user("ann")
				w.bind(ann)
				w.sync()
				req := assign.MoveRequest{To: to.ID, Then: then, Email: "ann@" + elsewhere}
				k := &trouble{at: at, kind: kind}
				k.install(w)
				_, err := w.moves().Move(t.Context(), directory.Caller{Subject: "ada"}, ann.ID, req)
				for range 5 {
					_, _ = w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
				}
				k.remove(w)
				finished = k.n < at
				if got := w.bounds(w.conn, to); got != "1/1 0/0 " && got != "0/0 1/1 " {
					t.Fatalf("%s %s call %d: bound are %s", then, kind, at, got)
				}
				if err != nil {
					// Whoever asked asks again; "bound there" says that it was done.
					_, _ = w.moves().Move(t.Context(), directory.Caller{Subject: "ada"}, ann.ID, req)
				}
				w.skew.Add(LeaseTTL + time.Second)
				w.sync()
				w.skew.Add(LeaseTTL + time.Second)
				w.sync()
				if got := w.bounds(w.conn, to); got != "0/0 1/1 " || w.binding(ann).ConnectionID != to.ID {
					t.Fatalf("%s %s call %d of %d: in the end bound are %s", then, kind, at, k.n, got)
				}
			}
			if finished {
				break
			}
		}
	}
}

// TestMoveToAConnectionThatIsLetGo: the target is deactivated before the release
// is done: the user stays where it is, and is told so; a move can be taken back.
func TestMoveToAConnectionThatIsLetGo(t *testing.T) {
	w := newWorld(t)
	to := w.otherConnection()
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	by := directory.Caller{Subject: "ada"}
	move := func() {
		t.Helper()
		if _, err := w.moves().Move(t.Context(), by, ann.ID, assign.MoveRequest{To: to.ID, Then: directory.ReleaseBlock, Email: "ann@" + elsewhere}); err != nil {
			t.Fatal(err)
		}
	}
	move()
	if _, err := w.moves().Move(t.Context(), by, ann.ID, assign.MoveRequest{To: w.conn.ID, Email: ann.Email}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if b := w.binding(ann); b.ConnectionID != w.conn.ID || b.MoveTo != nil || b.Release != "" {
		t.Fatalf("a move that was taken back left %+v", b)
	}
	if u, err := w.store.Users.User(t.Context(), ann.ID); err != nil || u.Email != ann.Email || w.binding(ann).Status != directory.BindingInSync {
		t.Fatalf("a move that was taken back with the old address left %s %s, %v", u.Email, w.binding(ann).Status, err)
	}
	move()
	if _, _, err := w.store.Connections.DeactivateConnection(t.Context(), directory.AuditEvent{}, to.ID); err != nil {
		t.Fatal(err)
	}
	w.sync()
	b := w.binding(ann)
	if b.ConnectionID != w.conn.ID || b.Release != "" || b.MoveTo != nil {
		t.Fatalf("the binding is %+v", b)
	}
	if got := w.bounds(w.conn); got != "1/1 " {
		t.Errorf("bound are %s", got)
	}
}
