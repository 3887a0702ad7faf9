package reconcile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table/memory"
)

// Lamps of which the tenant tells what has changed: a log of names, two on a page.

type toldLamps struct {
	*lamps
	hall   *hall
	begun  bool
	rounds int // pages that were read
	// lost has links not be known, foreign has them lead away, and turning never end.
	lost, foreign, turning bool
	expanded               []string // cursors that Expand was called with
	expandPages            int
}

func (k *toldLamps) Open(s Slice, tenant Tenant) Objects {
	return &openTold{k.lamps.Open(s, tenant).(*openLamps), k}
}

type openTold struct {
	*openLamps
	k *toldLamps
}

func (o *openTold) Begins(context.Context, Work) (bool, error) { return o.k.begun, nil }

func (o *openTold) Round(ctx context.Context, w Work, link string) (RoundPage, error) {
	o.k.rounds++
	if _, err := o.read(ctx, w); err != nil {
		return RoundPage{}, err
	}
	from, page := 0, RoundPage{}
	switch {
	case link != "" && o.k.lost:
		o.k.lost = false
		return page, directory.ErrResync
	case link != "" && o.k.foreign:
		o.k.foreign = false
		return page, directory.ErrForeignLink
	case o.k.turning:
		return RoundPage{IDs: []directory.AccountID{"a"}, Next: "log:0"}, nil
	case link != "":
		fmt.Sscanf(link, "log:%d", &from)
	}
	o.k.hall.mu.Lock()
	defer o.k.hall.mu.Unlock()
	to := min(from+2, len(o.k.hall.writes))
	for _, line := range o.k.hall.writes[from:to] {
		name, _, _ := strings.Cut(line, " ")
		page.IDs = append(page.IDs, directory.AccountID(fmt.Sprint(name, from)))
		if b := o.k.hall.bulbs[name]; b != nil && b.Colour != o.k.colour[name] {
			page.Marks = append(page.Marks, directory.Ref{Kind: lampKind, ID: name})
		}
	}
	if to < len(o.k.hall.writes) {
		page.Next = fmt.Sprintf("log:%d", to)
	} else {
		page.DeltaLink = fmt.Sprintf("log:%d", to)
	}
	return page, nil
}

// Expand has so many pages as the test says.
func (o *openTold) Expand(_ context.Context, _ Work, cursor string) (next string, err error) {
	o.k.expanded = append(o.k.expanded, cursor)
	if len(o.k.expanded)%max(1, o.k.expandPages) != 0 {
		return fmt.Sprintf("page %d", len(o.k.expanded)), nil
	}
	return "", nil
}

// told has the tenant tell what changes.
func (w *lampWorld) told() *toldLamps {
	k := &toldLamps{lamps: w.lamps, hall: w.hall}
	c := w.engine.config
	c.Kinds = []Kind{k}
	w.engine = New(c)
	w.settings(func(s *directory.Settings) {
		many := 100
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectUpdateSensitive: {Count: &many}}
	})
	return k
}

// byHand has somebody paint a lamp of the tenant.
func (w *lampWorld) byHand(ref directory.Ref, colour string) {
	w.hall.mu.Lock()
	defer w.hall.mu.Unlock()
	w.hall.bulbs[ref.ID].Colour = colour
	w.hall.writes = append(w.hall.writes, ref.ID+" "+colour)
}

// scheduled has the schedule look, once its time has come.
func (w *lampWorld) scheduled() Summary {
	w.Helper()
	w.skew.Add(directory.DefaultInterval + time.Minute)
	w.port.token = signIn(w.T, w.sim)
	var sum Summary
	for range 20 {
		var err error
		sum, err = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID, Scheduled: true}, time.Time{})
		w.do(err)
		if sum.Again < 0 {
			return sum
		}
		w.skew.Add(sum.Again)
	}
	return sum
}

// TestLampsAreReadInRounds: what the tenant tells of another kind becomes marks, page
// by page from where the last round ended, beside the accounts.
func TestLampsAreReadInRounds(t *testing.T) {
	w := newLampWorld(t)
	k := w.told()
	refs := w.hang(5, "red")
	w.scheduled()
	if k.rounds != 0 || w.shining("red") != 5 {
		t.Fatalf("%d rounds of what nobody has begun, %d are red", k.rounds, w.shining("red"))
	}
	k.begun = true
	w.scheduled()
	if k.rounds != 0 {
		t.Errorf("%d pages were read without need", k.rounds)
	}
	w.paint(refs[:1], "blue")
	w.sync() // a run of lamps is what begins it
	w.paint(refs[:1], "red")
	if k.rounds != 3 {
		t.Errorf("six changes were read by %d pages", k.rounds)
	}
	w.byHand(refs[3], "pink")
	w.scheduled()
	if w.shining("red") != 5 {
		t.Errorf("%d are red: what was painted by hand is not seen", w.shining("red"))
	}
	for range 3 { // its own writes are read, and nothing is left
		w.scheduled()
	}
	k.rounds = 0
	writes := 0
	w.table.Before = func(_ context.Context, c memory.Call) error {
		if c.Method == "Write" {
			writes++
		}
		return nil
	}
	w.scheduled()
	w.table.Before = nil
	if k.rounds != 1 || writes != 1 {
		t.Errorf("nothing changed: %d pages and %d writes of the table", k.rounds, writes)
	}
	lease, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	w.do(err)
	if lease.Link.Kinds[lampKind].Link == "" || lease.Link.Link == "" || !lease.Until.IsZero() {
		t.Errorf("the links are %+v", lease.Link)
	}
}

// TestLinksOfLamps: a link that is lost, or leads away, leads to a round from the start;
// one that turns in a circle rests; accounts are read all the same.
func TestLinksOfLamps(t *testing.T) {
	w := newLampWorld(t)
	k := w.told()
	k.begun = true
	refs := w.hang(5, "red")
	ann := w.user("ann")
	w.bind(ann)
	w.scheduled()
	w.scheduled()
	for what, trouble := range map[string]*bool{"lost": &k.lost, "foreign": &k.foreign} {
		*trouble = true
		w.byHand(refs[1], "pink")
		w.scheduled()
		w.scheduled()
		if *trouble || w.shining("red") != 5 {
			t.Errorf("%s: %d are red", what, w.shining("red"))
		}
	}
	k.turning = true
	w.byHand(refs[1], "pink")
	w.skew.Add(2 * Grace)
	w.port.token = signIn(t, w.sim)
	w.patch(ann.Email, map[string]any{"department": "Nowhere"})
	w.scheduled()
	w.scheduled()
	lease, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	w.do(err)
	link := lease.Link.Kinds[lampKind]
	if link.Loop == nil || link.Loop.Code != directory.CodePagingLoop || link.Rest.IsZero() {
		t.Fatalf("the link is %+v", link)
	}
	if w.account(ann.Email)["department"] == "Nowhere" {
		t.Error("accounts are not read beside a kind that turns in a circle")
	}
	k.turning = false
	w.skew.Add(24 * time.Hour)
	w.scheduled()
	w.scheduled()
	if w.shining("red") != 5 {
		t.Errorf("after its rest %d are red", w.shining("red"))
	}
}

// TestRecordsAreExpanded: missing records are looked for with each full round, page by
// page, from where it was cut off.
func TestRecordsAreExpanded(t *testing.T) {
	w := newLampWorld(t)
	k := w.told()
	k.expandPages = 3
	w.scheduled()
	if got := strings.Join(k.expanded, ","); got != ",page 1,page 2" {
		t.Errorf("expanded from %q", got)
	}
	k.expanded = nil
	w.scheduled()
	if len(k.expanded) != 0 {
		t.Error("expanded without a full round")
	}
	w.skew.Add(directory.FullReadEvery)
	w.scheduled()
	if len(k.expanded) != 3 {
		t.Errorf("the next full round expanded %q", k.expanded)
	}
}
