package licensing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bindery/shared/entra/entratest/skus"
	"bindery/shared/entra/entratest/state"
)

const tenantID = "22222222-aaaa-4bbb-8ccc-000000000001"

// scene is a tenant of some accounts, two of them groups' members from the beginning,
// and subscriptions with few seats.
type scene struct {
	*testing.T
	s      *state.Store
	users  []string
	groups []string
	skus   []string

	restored map[string]bool // accounts that came back without what they had by a group
}

func newScene(t *testing.T) *scene {
	t.Helper()
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := state.Open(state.Config{Now: func() time.Time { return begin }, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := &scene{T: t, s: s, restored: map[string]bool{}}
	var list []state.SKU
	for part, seats := range map[string]int{"STANDARDPACK": 3, "SPE_E3": 2, "MCOEV": 3, "EMS": 4} {
		sku := skus.Complete(state.SKU{SKUPartNumber: part, Enabled: seats})
		list = append(list, sku)
		c.skus = append(c.skus, sku.SKUID)
	}
	slices.Sort(c.skus)
	tx := s.Begin()
	defer tx.End()
	d := tx.Draft(state.Organization{ID: tenantID, Name: "Contoso", Domains: []state.Domain{{Name: "contoso.example", IsInitial: true}}, SKUs: list})
	for i := range 6 {
		o := tx.NewObject(state.User)
		o.Props["userPrincipalName"] = fmt.Sprintf("user%d@contoso.example", i)
		o.Props["usageLocation"] = "CH"
		d.Put(o)
		c.users = append(c.users, o.ID)
	}
	for range 2 {
		o := tx.NewObject(state.Group)
		o.Props["securityEnabled"] = true
		d.Put(o)
		d.Link(o, state.Members, c.users[0])
		d.Link(o, state.Members, c.users[1])
		c.groups = append(c.groups, o.ID)
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	return c
}

// act does one thing at random: a call on an account or a group, somebody who comes or
// goes, is deleted or restored, is reprocessed, or time that passes.
func (c *scene) act(r *rand.Rand) {
	c.Helper()
	tx := c.s.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	user := t.Object(c.users[r.IntN(len(c.users))])
	group := t.Object(c.groups[r.IntN(len(c.groups))])
	switch r.IntN(8) {
	case 0, 1:
		if rows, v := Direct(t, user, c.request(r, user), "CH", tx.Now()); v == nil && user.Active() {
			c.put(tx, t, user, Apply(t, user, rows, tx.Now()))
		}
	case 2:
		if licences, v := Group(t, group, c.request(r, group)); v == nil {
			next := group.Clone()
			next.Props["assignedLicenses"] = state.Licences(licences)
			c.put(tx, t, group, next)
		}
	case 3:
		ch := tx.Change(t)
		next := group.Clone()
		ch.Put(next, "members")
		ch.Link(next, state.Members, user.ID, !t.Linked(state.Members, group.ID, user.ID))
		c.must(ch.Commit())
	case 4:
		ch := tx.Change(t)
		next := user.Clone()
		next.Deleted = time.Time{}
		if user.Active() {
			next = user.SoftDeleted(tx.Now())
		} else {
			next.Props["userPrincipalName"] = user.FormerName()
			c.restored[user.ID] = true
		}
		ch.PutLifecycle(next)
		c.must(ch.Commit())
	case 5:
		if user.Active() {
			_, err := Reprocess(tx, t, user)
			c.must(err)
		}
	default:
		c.must(Settle(tx, t))
	}
}

// request is a random one: about what is there, or not.
func (c *scene) request(r *rand.Rand, o *state.Object) Request {
	sku := c.skus[r.IntN(len(c.skus))]
	other := c.skus[r.IntN(len(c.skus))]
	switch r.IntN(3) {
	case 0:
		return Request{Remove: []string{sku}}
	case 1:
		return Request{Add: []Wish{{SKUID: sku}}, Remove: []string{other}}
	}
	return Request{Add: []Wish{{SKUID: sku}, {SKUID: other}}}
}

func (c *scene) put(tx *state.Tx, t *state.Tenant, o, next *state.Object) {
	c.Helper()
	names, _, _ := state.Difference(o, next)
	ch := tx.Change(t)
	ch.Put(next, names...)
	c.must(ch.Commit())
}

func (c *scene) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// check finds what must never be.
func (c *scene) check() {
	c.Helper()
	tx := c.s.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	taken := map[string]int{}
	for _, id := range c.users {
		o := t.Object(id)
		rows := state.Assignments(o)
		union := state.Union(rows)
		if !o.Active() {
			continue
		}
		for skuID := range union {
			taken[skuID]++
		}
		if got := state.LicencesOf(o); !slices.Equal(slices.Sorted(keys(got)), slices.Sorted(keys(union))) {
			c.Fatalf("assignedLicenses are %v, the rows give %v", got, union)
		}
		if v, _ := excludes(t, nil, union); v != nil {
			c.Fatalf("an account has %v", v)
		}
		if v, _ := needs(t, nil, union); v != nil && !c.restored[id] {
			c.Fatalf("an account has %v", v)
		}
		for _, g := range c.groups {
			given, refused := 0, 0
			for _, a := range rows {
				switch {
				case a.Group != g:
				case a.State == state.AssignmentError:
					refused++
				case a.Error == "":
					given++
				}
			}
			if given > 0 && refused > 0 {
				c.Fatalf("a group gave %d of its licences and refused %d: %+v", given, refused, rows)
			}
		}
	}
	for _, s := range t.SKUs {
		if t.Consumed(s.SKUID) != taken[s.SKUID] || taken[s.SKUID] > s.Seats() {
			c.Fatalf("%s: %d seats of %d are taken, %d are counted", s.SKUPartNumber, taken[s.SKUID], s.Seats(), t.Consumed(s.SKUID))
		}
	}
}

func keys(m map[string][]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Whatever is done in whatever order: no more seats than there are, the count of them is
// right, no account has services that exclude each other or, unless it was deleted
// meanwhile, lack what they need, and a group gives all or none.
func TestRandomActs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			c := newScene(t)
			for range 200 {
				c.act(r)
				if r.IntN(3) == 0 {
					c.must(c.s.Advance(20 * time.Second))
				}
				c.check()
			}
		})
	}
}

// Work that is done leaves nothing to do: a second look changes nothing.
func TestSettledIsSettled(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 2))
		c := newScene(t)
		for range 60 {
			c.act(r)
		}
		c.must(c.s.Advance(time.Hour))
		settle := func() int {
			tx := c.s.Begin()
			defer tx.End()
			c.must(Settle(tx, tx.Tenant(tenantID)))
			return len(tx.Tenant(tenantID).Mutations())
		}
		if first, second := settle(), settle(); first != second {
			t.Errorf("seed %d: %d mutations, then %d", seed, first, second)
		}
	}
}
