package assign

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

func TestBindVerdicts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	other := w.Connection("Branch", "branch.example")
	good := w.user(`{"email":"good@corp.example"}`)
	suspended := w.user(`{"email":"s@corp.example","state":"suspended"}`)
	staged := w.user(`{"email":"st@corp.example","state":"staged"}`)
	foreign := w.user(`{"email":"f@else.example"}`)
	elsewhere := w.user(`{"email":"b@branch.example"}`)
	gone := w.user(`{"email":"g@corp.example"}`)
	w.remove(gone.ID)
	if b, err := w.Bind(ctx, admin, other.ID, []directory.UserID{elsewhere.ID}); err != nil || len(b.Bound) != 1 {
		t.Fatalf("Bind = %+v, %v", b, err)
	}
	// elsewhere's address would also do here.
	w.settings(func(s *directory.Settings) { s.DomainMap = map[string]string{"branch.example": "corp.example"} })
	for range 2 { // the second time, nothing changes
		b, err := w.Bind(ctx, admin, w.conn.ID, []directory.UserID{good.ID, good.ID, suspended.ID, staged.ID, foreign.ID, elsewhere.ID, gone.ID, "usr_none"})
		w.must(err)
		if len(b.Bound) != 2 || b.DryRun == nil {
			t.Errorf("Bound = %v, dry run %v; want 2 users and a dry run", b.Bound, b.DryRun)
		}
		want := map[directory.UserID]string{staged.ID: "user-not-active", foreign.ID: "domain-not-claimed", elsewhere.ID: "bound-elsewhere",
			gone.ID: "user-deleted", "usr_none": "user-not-found"}
		if len(b.Refused) != len(want) {
			t.Errorf("Refused = %+v", b.Refused)
		}
		for _, r := range b.Refused {
			if want[r.UserID] != r.Code {
				t.Errorf("%s refused as %s (%s), want %s", r.UserID, r.Code, r.Detail, want[r.UserID])
			}
			if r.Code == "domain-not-claimed" && !strings.Contains(r.Detail, "corp.example") {
				t.Errorf("the refusal does not list the domains: %s", r.Detail)
			}
			if r.Code == "bound-elsewhere" && (!strings.Contains(r.Detail, "Branch") || !strings.Contains(r.Detail, string(other.ID))) {
				t.Errorf("the refusal does not name the other connection: %s", r.Detail)
			}
		}
	}
	if n, err := w.store.Counters.BoundCount(ctx, w.conn.ID, w.conn.Epoch); n != 2 || err != nil {
		t.Errorf("BoundCount = %d, %v, want 2", n, err)
	}
	if last := w.runsAsked[len(w.runsAsked)-1]; !last.DryRun || len(last.UserIDs) != 2 || last.By != admin {
		t.Errorf("the dry run is %+v", last)
	}
}

func TestBindBounds(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{0, MaxBindUsers + 1} {
		if _, err := w.Bind(t.Context(), admin, w.conn.ID, make([]directory.UserID, n)); codeOf(err) != "invalid-user-ids" {
			t.Errorf("Bind of %d users = %v", n, err)
		}
	}
	ids := w.people(60)
	b, err := w.Bind(t.Context(), admin, w.conn.ID, ids)
	if err != nil || len(b.Bound) != 60 {
		t.Errorf("Bind of 60 = %d, %v", len(b.Bound), err)
	}
	c := w.Connection("Off", "off.example")
	if _, _, err := w.store.Connections.DeactivateConnection(t.Context(), directory.AuditEvent{}, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Bind(t.Context(), admin, c.ID, ids); codeOf(err) != "connection-not-active" {
		t.Errorf("Bind through a deactivated connection = %v", err)
	}
	if _, err := w.Bind(t.Context(), admin, "con_none", ids); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("Bind through no connection = %v", err)
	}
}

// TestBindRace edits and binds the same users from two sides at once.
func TestBindRace(t *testing.T) {
	w := newWorld(t)
	other := w.Connection("Branch", "corp.example")
	ids := w.people(30)
	var wg sync.WaitGroup
	results := make([]Bound, 2)
	for i, c := range []directory.ConnectionID{w.conn.ID, other.ID} {
		wg.Go(func() {
			var err error
			if results[i], err = w.Bind(t.Context(), admin, c, ids); err != nil {
				t.Errorf("Bind: %v", err)
			}
		})
	}
	wg.Go(func() {
		for _, id := range ids {
			if err := w.edit(id, func(u *directory.User) { u.Department = "x" }); err != nil {
				t.Errorf("edit: %v", err)
			}
		}
	})
	wg.Wait()
	if n := len(results[0].Bound) + len(results[1].Bound); n != 30 {
		t.Errorf("%d users bound by two racing connections, want each of 30 once", n)
	}
	for _, r := range append(results[0].Refused, results[1].Refused...) {
		if r.Code != "bound-elsewhere" {
			t.Errorf("refused as %s: %s", r.Code, r.Detail)
		}
	}
	sum := 0
	for _, c := range []directory.Connection{w.conn, other} {
		n, err := w.store.Counters.BoundCount(t.Context(), c.ID, 1)
		w.must(err)
		sum += n
	}
	if sum != 30 {
		t.Errorf("the counters say %d, want 30", sum)
	}
}

func TestBindOverStaleRows(t *testing.T) {
	w := newWorld(t)
	other := w.Connection("Branch", "corp.example")
	ids := w.people(25)
	_, err := w.Bind(t.Context(), admin, w.conn.ID, ids)
	w.must(err)
	w.again() // not swept
	b, err := w.Bind(t.Context(), admin, w.conn.ID, ids[:10])
	if err != nil || len(b.Bound) != 10 {
		t.Fatalf("Bind over stale rows = %d, %v", len(b.Bound), err)
	}
	b, err = w.Bind(t.Context(), admin, other.ID, ids)
	if err != nil || len(b.Bound) != 15 || codes(b.Refused)["bound-elsewhere"] != 10 {
		t.Errorf("Bind of another connection = %d bound, %v refused, %v", len(b.Bound), codes(b.Refused), err)
	}
}

// TestBindDeactivatedMeanwhile lets the connection go in the middle of a call.
func TestBindDeactivatedMeanwhile(t *testing.T) {
	w := newWorld(t)
	ids := w.people(40)
	writes := 0
	w.Table.Before = func(ctx context.Context, c memory.Call) error {
		if c.Method != "Write" {
			return nil
		}
		if writes++; writes == 2 {
			w.Table.Before = nil
			_, _, err := w.store.Connections.DeactivateConnection(ctx, directory.AuditEvent{}, w.conn.ID)
			return err
		}
		return nil
	}
	_, err := w.Bind(t.Context(), admin, w.conn.ID, ids)
	if c := codeOf(err); c != "connection-not-active" && c != "connection-changed" {
		t.Errorf("Bind = %v", err)
	}
	if n, err := w.store.Counters.BoundCount(t.Context(), w.conn.ID, 2); n != 0 || err != nil {
		t.Errorf("BoundCount of the new epoch = %d, %v", n, err)
	}
}

func TestRelease(t *testing.T) {
	for _, test := range []struct {
		name    string
		then    directory.ReleasePolicy
		setting directory.ReleasePolicy
		account bool
		run     bool
	}{
		{"keep", directory.ReleaseKeep, "", true, false},
		{"default", "", "", true, false},
		{"setting", "", directory.ReleaseBlock, true, true},
		{"block", directory.ReleaseBlock, "", true, true},
		{"restore", directory.ReleaseRestore, "", true, true},
		{"block without account", directory.ReleaseBlock, "", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			w.settings(func(s *directory.Settings) { s.OnRelease = test.setting })
			id := w.people(1)[0]
			u, err := w.store.Users.User(ctx, id)
			w.must(err)
			sel := store.Selection{User: &u}
			if test.account {
				sel.AccountID = "acc-1"
			}
			w.must(w.store.Bindings.Bind(ctx, directory.AuditEvent{}, &w.conn, "admin", []store.Selection{sel}))
			run, err := w.Release(ctx, admin, w.conn.ID, id, test.then)
			if err != nil || (run != nil) != test.run {
				t.Fatalf("Release = %v, %v, want a run: %t", run, err, test.run)
			}
			b, err := w.store.Bindings.Binding(ctx, id)
			if !test.run {
				if !errors.Is(err, directory.ErrNotFound) {
					t.Errorf("Binding after the release = %+v, %v", b, err)
				}
				if _, err := w.Release(ctx, admin, w.conn.ID, id, test.then); codeOf(err) != "not-bound" {
					t.Errorf("second Release = %v, want not-bound", err)
				}
				return
			}
			if err != nil || b.Release == "" || !b.Dirty() || w.runsAsked[len(w.runsAsked)-1].Kind != directory.KindRelease {
				t.Errorf("Binding = %+v, %v; run %+v", b, err, w.runsAsked)
			}
			marks, _, err := w.store.Marks.ListMarks(ctx, w.conn.ID, w.conn.Epoch, "", 10)
			urgent, _, urgentErr := w.store.Marks.UrgentMarks(ctx, w.conn.ID, w.conn.Epoch, "", 10)
			if err != nil || urgentErr != nil || len(marks)+len(urgent) != 1 {
				t.Errorf("Marks = %v, %v; UrgentMarks = %v, %v", marks, err, urgent, urgentErr)
			}
			if again, err := w.Release(ctx, admin, w.conn.ID, id, test.then); err != nil || again == nil {
				t.Errorf("Release once more = %v, %v", again, err)
			}
			res, err := w.Bind(ctx, admin, w.conn.ID, []directory.UserID{id})
			if err != nil || codes(res.Refused)["being-released"] != 1 {
				t.Errorf("Bind while being released = %+v, %v", res, err)
			}
		})
	}
	w := newWorld(t)
	if _, err := w.Release(t.Context(), admin, w.conn.ID, "usr_none", "burn"); codeOf(err) != "invalid-parameter" {
		t.Errorf("Release with a bad policy = %v", err)
	}
	ids := w.people(1)
	_, err := w.Bind(t.Context(), admin, w.conn.ID, ids)
	w.must(err)
	w.again()
	if _, err := w.Release(t.Context(), admin, w.conn.ID, ids[0], ""); codeOf(err) != "not-bound" {
		t.Errorf("Release of a passed epoch = %v", err)
	}
}

func TestBindAll(t *testing.T) {
	w := newWorld(t)
	w.people(250)
	w.user(`{"email":"x@else.example"}`)
	w.user(`{"email":"y@corp.example","state":"staged"}`)
	j, err := w.StartBind(t.Context(), admin, w.conn.ID, Selection{All: true})
	w.must(err)
	done := w.run(j.ID)
	if done.State != directory.JobDone || done.Counts["bound"] != 250 || done.Done != 251 || done.Total != 251 || done.RefusedCount != 1 {
		t.Errorf("job = %+v", done.Job)
	}
	if got := codes(w.refusals(j.ID)); got["domain-not-claimed"] != 1 {
		t.Errorf("refused = %v", got)
	}
	second, err := w.StartBind(t.Context(), admin, w.conn.ID, Selection{All: true})
	w.must(err)
	if done := w.run(second.ID); done.Counts["bound"] != 0 || done.Counts["alreadyBound"] != 250 {
		t.Errorf("second job = %+v", done.Job)
	}
	for _, sel := range []Selection{{}, {All: true, Previous: true}} {
		if _, err := w.StartBind(t.Context(), admin, w.conn.ID, sel); codeOf(err) != "invalid-body" {
			t.Errorf("StartBind(%+v) = %v", sel, err)
		}
	}
}

func TestBindPrevious(t *testing.T) {
	for _, sweep := range []string{"none", "part", "all"} {
		t.Run(sweep, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			ids := w.people(320)
			j, err := w.StartBind(ctx, admin, w.conn.ID, Selection{All: true})
			w.must(err)
			w.run(j.ID)
			_, err = w.Release(ctx, admin, w.conn.ID, ids[0], "")
			w.must(err)
			w.remove(ids[1])
			w.again()
			w.Advance(1e9)
			if sweep != "none" {
				for more := true; more; {
					_, more, err = w.store.Bindings.Sweep(ctx, &w.conn, w.conn.Tenant.ID, 1)
					w.must(err)
					if sweep == "part" {
						break
					}
				}
			}
			w.Advance(1e9)
			j, err = w.StartBind(ctx, admin, w.conn.ID, Selection{Previous: true})
			w.must(err)
			done := w.run(j.ID)
			if done.State != directory.JobDone || done.Counts["bound"] != 318 || done.Done != 319 || done.Total != 319 {
				t.Errorf("job = %+v", done.Job)
			}
			if got := codes(w.refusals(j.ID)); got["user-deleted"] != 1 || len(got) != 1 {
				t.Errorf("refused = %v", got)
			}
			if n, err := w.store.Counters.BoundCount(ctx, w.conn.ID, 2); n != 318 || err != nil {
				t.Errorf("BoundCount = %d, %v", n, err)
			}
			if _, err := w.store.Bindings.Binding(ctx, ids[0]); !errors.Is(err, directory.ErrNotFound) {
				t.Errorf("the released user was bound again: %v", err)
			}
		})
	}
	w := newWorld(t)
	j, err := w.StartBind(t.Context(), admin, w.conn.ID, Selection{Previous: true})
	w.must(err)
	if done := w.run(j.ID); done.State != directory.JobDone || done.Done != 0 {
		t.Errorf("previous of a new connection = %+v", done.Job)
	}
}

// TestBindPreviousByGroup: who was bound by groups alone is not bound by himself: he comes
// back by the use of one of them, or is told of; who was selected besides is bound.
func TestBindPreviousByGroup(t *testing.T) {
	for _, sweep := range []bool{false, true} {
		t.Run(fmt.Sprintf("swept %v", sweep), func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			ids := w.people(4)
			used, former := directory.NewGroupID(w.Now()), directory.NewGroupID(w.Now())
			paths := [][]directory.GroupID{{used, former}, {former}, {former}, nil}
			_, err := w.Bind(ctx, admin, w.conn.ID, ids)
			w.must(err)
			for i, id := range ids {
				b, err := w.store.Bindings.Binding(ctx, id)
				w.must(err)
				b.Groups, b.Indirect = paths[i], i < 2 // the third was selected besides
				w.must(w.store.Bindings.UpdateBinding(ctx, directory.AuditEvent{}, &b, false, false))
			}
			w.must(w.store.Bindings.Bind(ctx, directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{Object: directory.MemberOf(used, ids[0]), Version: 1}}))
			w.again()
			w.Advance(1e9)
			for more := sweep; more; {
				_, more, err = w.store.Bindings.Sweep(ctx, &w.conn, w.conn.Tenant.ID, 1)
				w.must(err)
			}
			w.selects(used)
			w.Advance(1e9)
			j, err := w.StartBind(ctx, admin, w.conn.ID, Selection{Previous: true})
			w.must(err)
			done := w.run(j.ID)
			if done.Counts["bound"] != 2 || done.Counts["boundByGroup"] != 1 || done.Done != 4 || done.Total != 4 {
				t.Errorf("job = %+v", done.Job)
			}
			if got := codes(w.refusals(j.ID)); got[directory.CodeGroupNotUsed] != 1 || len(got) != 1 {
				t.Errorf("refused = %v", got)
			}
			for i, id := range ids {
				b, err := w.store.Bindings.Binding(ctx, id)
				if bound := err == nil && b.Epoch == w.conn.Epoch; bound != (i >= 2) || bound && b.Indirect {
					t.Errorf("%d is bound: %v, %+v", i, bound, b)
				}
			}
		})
	}
}

// TestBindPreviousNewest: only the newest epoch with a selection counts.
func TestBindPreviousNewest(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ids := w.people(10)
	_, err := w.Bind(ctx, admin, w.conn.ID, ids)
	w.must(err)
	w.again()
	_, _, err = w.store.Bindings.Sweep(ctx, &w.conn, w.conn.Tenant.ID, 1)
	w.must(err)
	_, err = w.Bind(ctx, admin, w.conn.ID, ids[:3])
	w.must(err)
	w.again()
	_, _, err = w.store.Bindings.Sweep(ctx, &w.conn, w.conn.Tenant.ID, 2)
	w.must(err)
	w.again() // an epoch without a selection
	w.Advance(1e9)
	j, err := w.StartBind(ctx, admin, w.conn.ID, Selection{Previous: true})
	w.must(err)
	if done := w.run(j.ID); done.Counts["bound"] != 3 {
		t.Errorf("job = %+v, want the 3 of the second epoch", done.Job)
	}
}
