package licences

import (
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// TestOrderOverAll: of very many who compete, the highest priority gets the seat although
// others are looked at first.
func TestOrderOverAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("u%d", i))
	}
	users := w.people(names...)
	small := &smallPages{page: 1}
	w.wrap = func(k *Kind) reconcile.Kind {
		k.compete = 1
		small.Kind = k
		return small
	}
	w.start(w.open)
	for i, u := range users {
		r := w.rule(partVisio)
		if i == 6 {
			r.Priority = 9
		}
		w.license(u, r)
		w.pass(time.Second)
	}
	w.sync()
	w.pass(looksForSeat)
	w.sync()
	for i, u := range users {
		if i == 6 {
			w.wants(u, "VISIOCLIENT")
			continue
		}
		w.wants(u, "", directory.CodeWaitingForSeat)
	}
	if n := len(w.sends()); n != 1 {
		t.Errorf("%d calls", n)
	}
}
