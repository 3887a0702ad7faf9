package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// attended is a lane that counts how often leavers are looked for, and does something
// each time.
type attended struct {
	lane
	n  int
	do func(n int) error
}

func (a *attended) attend(context.Context) error {
	a.n++
	return a.do(a.n)
}

// TestDependentsByParts: what depends on thousands of objects is asked for some of them at
// a time, and leavers are looked for in between. What a run of leavers stirs meanwhile is
// asked for once, and what fails holds nothing up.
func TestDependentsByParts(t *testing.T) {
	t.Parallel()
	asked := map[directory.Ref]int{}
	d := &dependents{s: &session{log: slog.New(slog.DiscardHandler), conn: directory.Connection{ID: "con_a"}, lease: store.Lease{}}}
	parts := 0
	d.of = func(_ context.Context, _ *directory.Connection, refs []directory.Ref) ([]directory.Ref, error) {
		if parts++; len(refs) > stirredPart {
			t.Errorf("asked for %d objects together", len(refs))
		}
		for _, ref := range refs {
			asked[ref]++
		}
		if parts == 1 {
			return nil, errors.New("not to be found out")
		}
		return nil, nil
	}
	const n = 3*stirredPart + 1
	for i := range n {
		d.stirred = append(d.stirred, directory.MemberOf("grp_a", directory.UserID(fmt.Sprint("usr_", i))))
	}
	l := &attended{}
	l.do = func(n int) error {
		if n != 3 {
			return nil
		}
		d.stirred = append(d.stirred, directory.GroupRef("grp_b")) // by a run of leavers, which asks for all that waits
		return d.stir(t.Context(), &attended{do: func(int) error { return nil }})
	}
	if err := d.stir(t.Context(), l); err != nil || l.n != 3 {
		t.Errorf("leavers were looked for %d times, %v", l.n, err)
	}
	for ref, times := range asked {
		if times != 1 {
			t.Errorf("%v was asked for %d times", ref, times)
		}
	}
	if len(asked) != n+1 {
		t.Errorf("%d of %d objects were asked for", len(asked), n+1)
	}
}
