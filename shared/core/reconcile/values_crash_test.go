package reconcile

import (
	"context"
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// valuesWorld is a tenant that keeps another department of one user, refuses that
// of a second and takes the third's, and a mailNickname that somebody has.
func valuesWorld(t *testing.T) (*world, []directory.User) {
	w := newWorld(t, existing("kept", map[string]any{"department": "Old"}), existing("refused", nil), existing("plain", nil))
	users := []directory.User{w.user("kept", func(u *directory.User) { u.Department = "Old" }), w.user("refused"), w.user("plain")}
	w.bind(users...)
	w.sync()
	w.skew.Add(2 * directory.DefaultInterval)
	w.sync()
	w.fault(entratest.Fault{Kind: "kept-otherwise", Property: "department", Value: "SALES", User: users[0].Email})
	w.fault(entratest.Fault{Kind: "value-refused", Property: "department", User: users[1].Email})
	w.fault(entratest.Fault{Kind: "value-refused", Property: "mailNickname", Code: "ObjectConflict", Value: "made"})
	w.fault(entratest.Fault{Kind: "value-refused", Property: "department", User: "made@" + simDomain})
	for i := range users {
		users[i] = w.edit(users[i], func(u *directory.User) { u.Department, u.JobTitle = "Sales", "Head" })
	}
	made := w.user("made", func(u *directory.User) { u.Department, u.JobTitle = "Sales", "Head" })
	w.bind(made)
	return w, append(users, made)
}

// valuesStory plays slices, and looks at the tenant after each run, until nothing
// is left to do.
func (w *world) valuesStory(k *trouble) {
	w.Helper()
	var back directory.RunID
	w.engine.config.Send = func(_ context.Context, wake directory.WakeUp, _ time.Duration) error {
		if w.send != nil {
			if err := w.send(); err != nil {
				return err
			}
		}
		if wake.ReadBack != "" {
			back = wake.ReadBack
		}
		return nil
	}
	wake := directory.WakeUp{ConnectionID: w.conn.ID}
	for range 40 {
		sum, err := w.engine.Slice(w.Context(), wake, time.Time{})
		if k != nil && k.dead() {
			return
		}
		if err != nil {
			w.skew.Add(LeaseTTL + time.Second) // the message comes again
			continue
		}
		wake.ReadBack = ""
		switch {
		case sum.Again >= 0:
			w.skew.Add(sum.Again + time.Second)
		case back != "":
			wake.ReadBack, back = back, ""
			w.skew.Add(readBackAfter)
		default:
			return
		}
	}
	w.Fatal("the story does not come to its end")
}

func (w *world) verifyValues(what string, users []directory.User) {
	w.Helper()
	for i, want := range []struct {
		status     directory.BindingStatus
		department any
		nickname   string
	}{
		{directory.BindingInSync, "SALES", "kept"}, {directory.BindingRefused, nil, "refused"},
		{directory.BindingInSync, "Sales", "plain"}, {directory.BindingRefused, nil, "made2"},
	} {
		a, b := w.account(users[i].Email), w.binding(users[i])
		if a["department"] != want.department || a["jobTitle"] != "Head" || a["mailNickname"] != want.nickname {
			w.Errorf("%s: the account %s has %v, %v, %v", what, users[i].Email, a["department"], a["jobTitle"], a["mailNickname"])
		}
		if b.Status != want.status || b.Dirty() || (len(b.Refused) == 1) != (want.status == directory.BindingRefused) {
			w.Errorf("%s: the binding of %s is %s, dirty %v, %+v, refused %v", what, users[i].Email, b.Status, b.Dirty(), b.Problem, b.Refused)
		}
	}
	if k := w.binding(users[0]).Kept["department"]; k.Kept.String() != "SALES" {
		w.Errorf("%s: kept is %+v", what, k)
	}
	if b := w.binding(users[3]); !b.Created || b.Kept["mailNickname"].Code != directory.CodeSuffixed {
		w.Errorf("%s: the new binding is created %v, kept %v", what, b.Created, b.Kept)
	}
	created, changed := map[string]int{}, map[string]int{}
	for _, m := range w.sim.Mutations(simTenant) {
		switch m.Kind {
		case "create":
			created[m.UPN]++
		case "update":
			for name, v := range m.After {
				changed[fmt.Sprintf("%s %s=%v", m.TargetID, name, v)]++
			}
		}
	}
	for upn, n := range created {
		if n != 1 {
			w.Errorf("%s: %s was created %d times", what, upn, n)
		}
	}
	for c, n := range changed {
		if n > 1 {
			w.Errorf("%s: %s took effect %d times", what, c, n)
		}
	}
}

// TestCrashOfValues lets every trouble befall each call of a story in which
// Microsoft keeps, refuses and takes single values, and demands the same end.
func TestCrashOfValues(t *testing.T) {
	play := func(t *testing.T, at int, kind string) (calls int) {
		w, users := valuesWorld(t)
		k := &trouble{at: at, kind: kind}
		k.install(w)
		w.valuesStory(k)
		k.remove(w)
		if k.dead() {
			w.skew.Add(LeaseTTL + time.Second)
			w.engine = New(Config{Stores: StoresOf(store.New(w.table, store.Options{Now: w.now})), Now: w.now, SecondLook: -1, Open: w.engine.config.Open, PasswordKey: w.engine.config.PasswordKey})
		}
		w.valuesStory(nil)
		w.skew.Add(Grace)
		w.valuesStory(nil)
		// A look that was lost is made up for by the next full reconcile, which takes
		// the value for somebody else's and writes it once more.
		for i := range 2 {
			if _, kept := w.binding(users[0]).Kept["department"]; kept && i > 0 {
				break
			}
			w.skew.Add(2 * Grace)
			_, err := w.runs().Start(t.Context(), caller("admin"), &w.conn, runs.Request{Full: true})
			w.do(err)
			w.valuesStory(nil)
			w.skew.Add(Grace)
			w.valuesStory(nil)
		}
		w.verifyValues(fmt.Sprintf("%s call %d", kind, at), users)
		return k.n
	}
	n := play(t, 0, "")
	if t.Failed() {
		return
	}
	if n < 60 {
		t.Errorf("the story has %d calls to the outside, want at least 60", n)
	}
	cases := 0
	for _, kind := range []string{killBefore, killAfter, failBefore, failAfter, throttle} {
		cases += (n + crashStride - 1) / crashStride
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for at := 1; at <= n && !t.Failed(); at += crashStride {
				play(t, at, kind)
			}
		})
	}
	fmt.Printf("%d crash cases of single values\n", cases)
}
