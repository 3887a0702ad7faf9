package licensing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// The products of the tests. E3 and E5 have mail in common, Visio stands by itself.
const (
	e3    directory.SKUID = "e3"
	e5    directory.SKUID = "e5"
	visio directory.SKUID = "visio"

	mail  directory.ServicePlanID = "mail"
	teams directory.ServicePlanID = "teams"
	phone directory.ServicePlanID = "phone"
	draw  directory.ServicePlanID = "draw"
)

func sku(id directory.SKUID, seats, used int, plans ...directory.ServicePlanID) directory.LicenceSKU {
	s := directory.LicenceSKU{ID: id, PartNumber: strings.ToUpper(string(id)), Status: "Enabled", AppliesTo: "User", Consumed: used, Units: directory.LicenceUnits{Enabled: seats}}
	for _, p := range plans {
		s.Plans = append(s.Plans, directory.ServicePlan{ID: p, Name: string(p), AppliesTo: "User"})
	}
	return s
}

func tenant(free3, free5, freeVisio int) []directory.LicenceSKU {
	return []directory.LicenceSKU{sku(e3, 100, 100-free3, mail, teams), sku(e5, 100, 100-free5, mail, teams, phone), sku(visio, 10, 10-freeVisio, draw)}
}

func state(id directory.SKUID, group directory.TenantGroupID, off ...directory.ServicePlanID) directory.LicenceState {
	return directory.LicenceState{AssignedLicence: directory.AssignedLicence{SKU: id, DisabledPlans: off}, AssignedByGroup: group, State: "Active"}
}

// holder is somebody with an account that has some licences.
func holder(name string, wishes []Wish, given Ledger, states ...directory.LicenceState) Holder {
	return Holder{User: directory.UserID(name), Wishes: wishes, Held: &directory.AccountLicences{States: states}, Given: given, Location: "CH"}
}

func wish(id directory.SKUID, off ...directory.ServicePlanID) []Wish {
	return []Wish{{SKU: id, Disabled: off, By: "the group Staff"}}
}

// told is a plan in short: each call, who waits, what was found.
func told(p *Plan) string {
	var lines []string
	for _, m := range p.Moves {
		line := fmt.Sprintf("%s %s", m.User, m.Effect)
		for _, a := range m.Change.Add {
			line += fmt.Sprintf(" +%s%v", a.SKU, a.DisabledPlans)
		}
		for _, r := range m.Change.Remove {
			line += " -" + string(r)
		}
		for _, r := range m.Again {
			line += " again " + string(r)
		}
		lines = append(lines, line)
	}
	for _, w := range p.Waits {
		lines = append(lines, fmt.Sprintf("%s waits for %s %d/%d", w.User, w.SKU, w.Place, w.Of))
	}
	for _, f := range p.Findings {
		lines = append(lines, fmt.Sprintf("%s %s %s", f.User, f.SKU, f.Code))
	}
	for _, a := range p.Awaits {
		lines = append(lines, fmt.Sprintf("%s awaits %s", a.User, a.SKU))
	}
	for _, u := range slices.Sorted(maps.Keys(p.Ledgers)) {
		lines = append(lines, fmt.Sprintf("%s keeps %v", u, p.Ledgers[u]))
	}
	return strings.Join(lines, "; ")
}

func TestMake(t *testing.T) {
	t.Parallel()
	at := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	ours := Ledger{e3: nil}
	for _, tt := range []struct {
		name    string
		skus    []directory.LicenceSKU
		holders []Holder
		o       Options
		want    string
	}{
		{name: "given", holders: []Holder{holder("ann", wish(e3), nil)}, want: "ann licence-add +e3[]"},
		{name: "given without a service", holders: []Holder{holder("ann", wish(e3, teams), nil)}, want: "ann licence-add +e3[teams]"},
		{name: "nothing wished", holders: []Holder{holder("ann", nil, nil)}},
		{name: "no account yet", holders: []Holder{{User: "ann", Wishes: wish(e3), Location: "CH"}}, want: "ann licence-add +e3[]"},
		{name: "so already", holders: []Holder{holder("ann", wish(e3), ours, state(e3, ""))}},
		{name: "so by others", holders: []Holder{holder("ann", wish(e3), nil, state(e3, ""))}},
		{name: "by others, without a service", holders: []Holder{holder("ann", wish(e3), nil, state(e3, "", mail))}, want: "ann e3 license-held-otherwise"},
		{name: "by others, not wished", holders: []Holder{holder("ann", nil, nil, state(e3, ""))}},
		{name: "by a group", holders: []Holder{holder("ann", wish(e3), nil, state(e3, "g"))}},
		{name: "by a group that failed", holders: []Holder{holder("ann", wish(e3), nil, directory.LicenceState{AssignedLicence: directory.AssignedLicence{SKU: e3}, AssignedByGroup: "g", State: "Error"})},
			want: "ann licence-add +e3[]"},
		{name: "by a group, without a service, takes no seat", skus: tenant(0, 0, 0), holders: []Holder{holder("ann", wish(e3), nil, state(e3, "g", teams))}, want: "ann licence-add +e3[]"},
		{name: "taken away", holders: []Holder{holder("ann", nil, ours, state(e3, ""))}, want: "ann licence-remove -e3"},
		{name: "taken away by others before", holders: []Holder{holder("ann", nil, ours)}, want: "ann keeps map[]"},
		{name: "taken by others", holders: []Holder{holder("ann", wish(e3), ours)}, want: "ann licence-add +e3[]"},
		{name: "taken by others, reported", holders: []Holder{holder("ann", wish(e3), ours)}, o: Options{ReportForeign: true}, want: "ann e3 foreign-change"},
		{name: "swapped", skus: tenant(0, 1, 0), holders: []Holder{holder("ann", wish(e5), ours, state(e3, ""))}, want: "ann licence-swap +e5[] -e3"},
		{name: "swapped when there is a seat", skus: tenant(0, 0, 0), holders: []Holder{holder("ann", wish(e5), ours, state(e3, ""))}, want: "ann waits for e5 1/1"},
		{name: "a product apart goes at once", skus: tenant(0, 0, 0), holders: []Holder{holder("ann", wish(e5), Ledger{visio: nil}, state(visio, ""))},
			want: "ann licence-remove -visio; ann waits for e5 1/1"},
		{name: "services", holders: []Holder{holder("ann", wish(e3, teams), ours, state(e3, ""))}, want: "ann licence-plans +e3[teams]"},
		{name: "services switched by others", holders: []Holder{holder("ann", wish(e3), ours, state(e3, "", mail))}, want: "ann licence-plans +e3[]"},
		{name: "services switched by others, reported", holders: []Holder{holder("ann", wish(e3), ours, state(e3, "", mail))}, o: Options{ReportForeign: true}, want: "ann e3 foreign-change"},
		{name: "services as wished by others' hand", holders: []Holder{holder("ann", wish(e3, teams), ours, state(e3, "", teams))}, want: "ann keeps map[e3:[teams]]"},
		{name: "two wishes for one", holders: []Holder{holder("ann", append(wish(e3, teams), wish(e3, mail, teams)...), nil)}, want: "ann licence-add +e3[teams]"},
		{name: "several in one call", skus: tenant(1, 1, 1), holders: []Holder{holder("ann", append(wish(e5), wish(visio)...), ours, state(e3, ""))},
			want: "ann licence-swap +e5[] +visio[] -e3"},
		{name: "freed seats go on", skus: tenant(0, 0, 0), holders: []Holder{holder("ann", wish(e3), nil), holder("bob", nil, ours, state(e3, ""))},
			want: "bob licence-remove -e3; ann licence-add +e3[]"},
		{name: "a seat freed by a swap goes on", skus: tenant(0, 1, 0), holders: []Holder{holder("ann", wish(e3), nil), holder("bob", wish(e5), ours, state(e3, ""))},
			want: "bob licence-swap +e5[] -e3; ann licence-add +e3[]"},
		{name: "what a group gives frees no seat", skus: tenant(0, 0, 0), holders: []Holder{holder("ann", wish(e3), nil), holder("bob", nil, ours, state(e3, ""), state(e3, "g"))},
			want: "bob licence-remove -e3; ann waits for e3 1/1"},
		{name: "in line", skus: tenant(1, 0, 0), holders: []Holder{
			holder("ann", []Wish{{SKU: e3, Since: at(3)}}, nil), holder("bob", []Wish{{SKU: e3, Since: at(2)}}, nil), holder("cat", []Wish{{SKU: e3, Since: at(4), Priority: 5}}, nil)},
			want: "cat licence-add +e3[]; bob waits for e3 1/2; ann waits for e3 2/2"},
		{name: "nowhere to use it", holders: []Holder{{User: "ann", Wishes: wish(e3), Held: &directory.AccountLicences{}}}, want: "ann e3 license-usage-location"},
		{name: "not in the tenant", holders: []Holder{holder("ann", wish("e9"), nil)}, want: "ann e9 license-not-in-tenant"},
		{name: "a service that it has not", holders: []Holder{holder("ann", wish(e3, draw), nil)}, want: "ann licence-add +e3[]; ann e3 license-plan-unknown"},
		{name: "for the whole tenant", skus: []directory.LicenceSKU{{ID: e3, Status: "Enabled", AppliesTo: "Company", Units: directory.LicenceUnits{Enabled: 1}}},
			holders: []Holder{holder("ann", wish(e3), nil)}, want: "ann e3 license-not-assignable"},
		{name: "by a group to come", holders: []Holder{holder("ann", byGroup(e3), nil)}, want: "ann awaits e3"},
		{name: "by a group that is not made yet", holders: []Holder{holder("ann", []Wish{{SKU: e3, ByGroup: true}}, nil)}, want: "ann awaits e3"},
		{name: "by the group that is to give it", holders: []Holder{holder("ann", byGroup(e3), nil, state(e3, "g"))}},
		{name: "by another group", holders: []Holder{holder("ann", byGroup(e3), nil, state(e3, "h"))}, want: "ann awaits e3"},
		{name: "ours until the group gives it", holders: []Holder{holder("ann", byGroup(e3), ours, state(e3, ""))}, want: "ann awaits e3"},
		{name: "ours no more once the group gives it", holders: []Holder{holder("ann", byGroup(e3), ours, state(e3, ""), state(e3, "g"))}, want: "ann licence-remove -e3"},
		{name: "the group gives less than ours", holders: []Holder{holder("ann", byGroup(e3), ours, state(e3, ""), state(e3, "g", mail))}, want: "ann awaits e3"},
		{name: "ours taken by others, the group gives it", holders: []Holder{holder("ann", byGroup(e3), ours, state(e3, "g"))}, want: "ann keeps map[]"},
		{name: "of others, which the group gives too", holders: []Holder{holder("ann", byGroup(e3), nil, state(e3, ""), state(e3, "g"))}},
		{name: "another one of ours until the group's is there", holders: []Holder{holder("ann", byGroup(e5), ours, state(e3, ""))}, want: "ann awaits e5"},
		{name: "one that keeps the group's away goes", holders: []Holder{holder("ann", byGroup(e5), ours, state(e3, ""), failed(e5, "MutuallyExclusiveViolation"))},
			want: "ann licence-remove -e3; ann awaits e5"},
		{name: "a group takes seats first", skus: tenant(1, 0, 0), holders: []Holder{holder("ann", wish(e3), nil), holder("bob", byGroup(e3), nil)},
			want: "ann waits for e3 1/1; bob awaits e3"},
		{name: "a group without seats", skus: tenant(0, 0, 0), holders: []Holder{holder("ann", wish(e3), nil), holder("bob", byGroup(e3), nil)},
			want: "bob waits for e3 1/2; ann waits for e3 2/2; bob awaits e3"},
		{name: "a group's takes no second seat", skus: tenant(1, 0, 0), holders: []Holder{holder("ann", wish(e3), nil), holder("bob", byGroup(e3), ours, state(e3, ""))},
			want: "ann licence-add +e3[]; bob awaits e3"},
		{name: "asked again when there is a seat", skus: tenant(1, 0, 0), holders: []Holder{again(holder("ann", byGroup(e3), nil, failed(e3, "CountViolation")))},
			want: "ann licence-reprocess again e3; ann awaits e3"},
		{name: "asked again in line", skus: tenant(1, 0, 0), holders: []Holder{
			again(holder("ann", []Wish{{SKU: e3, ByGroup: true, Group: "g", Since: at(3)}}, nil, failed(e3, "CountViolation"))),
			again(holder("bob", []Wish{{SKU: e3, ByGroup: true, Group: "g", Since: at(2)}}, nil, failed(e3, "CountViolation")))},
			want: "bob licence-reprocess again e3; ann waits for e3 1/1; ann awaits e3; bob awaits e3"},
		{name: "not asked again so soon", holders: []Holder{holder("ann", byGroup(e3), nil, failed(e3, "CountViolation"))}, want: "ann awaits e3"},
		{name: "given directly before a group stops", skus: tenant(0, 0, 0), holders: []Holder{going(holder("ann", wish(e3), nil, state(e3, "g")))}, want: "ann licence-add +e3[]"},
		{name: "a group's that another one wants", holders: []Holder{holder("ann", append(byGroup(e3), wish(e3)...), nil, state(e3, "g"))}},
		{name: "a seat is left to who is before in line", skus: tenant(1, 0, 0), o: Options{Claims: []Claim{{User: "zoe", SKU: e3, Priority: 1}}},
			holders: []Holder{holder("ann", wish(e3), nil)}, want: "ann waits for e3 1/1"},
		{name: "and none to who is behind", skus: tenant(1, 0, 0), o: Options{Claims: []Claim{{User: "zoe", SKU: e3}}},
			holders: []Holder{holder("ann", []Wish{{SKU: e3, Priority: 1}}, nil)}, want: "ann licence-add +e3[]"},
		{name: "and none of another product", skus: tenant(1, 1, 0), o: Options{Claims: []Claim{{User: "zoe", SKU: e5, Priority: 1}}},
			holders: []Holder{holder("ann", wish(e3), nil)}, want: "ann licence-add +e3[]"},
		{name: "places with those who are not here", skus: tenant(0, 0, 0), o: Options{Claims: []Claim{{User: "zoe", SKU: e3, Priority: 1}, {User: "tim", SKU: e3}}},
			holders: []Holder{holder("ann", wish(e3), nil)}, want: "ann waits for e3 2/3"},
		{name: "kept", holders: []Holder{kept(holder("ann", nil, ours, state(e3, "")))}},
		{name: "of a group, which needs no seat", skus: tenant(0, 0, 0), o: Options{Groups: true}, holders: []Holder{holder("g", wish(e3), nil)}, want: "g licence-add +e3[]"},
		{name: "who leaves", holders: []Holder{{User: "ann", Held: &directory.AccountLicences{States: []directory.LicenceState{state(e3, "")}}, Given: ours, Fixed: true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			skus := tt.skus
			if skus == nil {
				skus = tenant(5, 5, 5)
			}
			p := Make(skus, tt.holders, tt.o)
			if got := told(&p); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// world is a tenant that does what it is told, as Microsoft does.
type world struct {
	skus    []directory.LicenceSKU
	holders []Holder
}

func (w *world) sku(id directory.SKUID) *directory.LicenceSKU {
	return &w.skus[slices.IndexFunc(w.skus, func(s directory.LicenceSKU) bool { return s.ID == id })]
}

func (h *Holder) holds(id directory.SKUID) bool {
	return slices.ContainsFunc(h.Held.States, func(s directory.LicenceState) bool { return s.SKU == id })
}

// do makes a call, and reports what Microsoft would refuse of it.
func (w *world) do(m *Move) error {
	h := &w.holders[slices.IndexFunc(w.holders, func(h Holder) bool { return h.User == m.User })]
	for _, id := range m.Change.Remove {
		n := len(h.Held.States)
		h.Held.States = slices.DeleteFunc(h.Held.States, func(s directory.LicenceState) bool { return s.SKU == id && s.AssignedByGroup == "" })
		if _, ours := h.Given[id]; len(h.Held.States) == n || !ours {
			return fmt.Errorf("%s is taken from %s, who does not have it of us", id, h.User)
		}
		delete(h.Given, id)
		if !h.holds(id) {
			w.sku(id).Consumed--
		}
	}
	for _, a := range m.Change.Add {
		if slices.Contains(m.Change.Remove, a.SKU) {
			return fmt.Errorf("%s is given and taken in one call", a.SKU)
		}
		had := h.holds(a.SKU)
		_, direct := h.Held.Direct(a.SKU)
		if _, ours := h.Given[a.SKU]; direct && !ours {
			return fmt.Errorf("%s is changed, which others gave to %s", a.SKU, h.User)
		}
		h.Held.States = slices.DeleteFunc(h.Held.States, func(s directory.LicenceState) bool { return s.SKU == a.SKU && s.AssignedByGroup == "" })
		h.Held.States = append(h.Held.States, state(a.SKU, "", a.DisabledPlans...))
		h.Given[a.SKU] = a.DisabledPlans
		if s := w.sku(a.SKU); !had {
			if s.Consumed++; s.Consumed > s.Units.Enabled {
				return fmt.Errorf("%s has no seat of %s left", h.User, a.SKU)
			}
		}
	}
	return nil
}

// clone is a copy with memory of its own.
func (w *world) clone() *world {
	c := &world{skus: slices.Clone(w.skus)}
	for _, h := range w.holders {
		h.Given = maps.Clone(h.Given)
		held := *h.Held
		held.States = slices.Clone(held.States)
		h.Held = &held
		c.holders = append(c.holders, h)
	}
	return c
}

func random(r *rand.Rand) *world {
	w := &world{skus: []directory.LicenceSKU{sku(e3, 0, 0, mail, teams), sku(e5, 0, 0, mail, teams, phone), sku(visio, 0, 0, draw)}}
	ids := []directory.SKUID{e3, e5, visio}
	plans := map[directory.SKUID][]directory.ServicePlanID{e3: {mail, teams}, e5: {mail, teams, phone}, visio: {draw}}
	some := func(id directory.SKUID) []directory.ServicePlanID {
		return slices.DeleteFunc(slices.Clone(plans[id]), func(directory.ServicePlanID) bool { return r.IntN(3) > 0 })
	}
	for i := range 2 + r.IntN(7) {
		h := holder(fmt.Sprintf("u%d", i), nil, Ledger{})
		for _, id := range ids {
			held := false
			if r.IntN(3) == 0 {
				h.Held.States = append(h.Held.States, state(id, "", some(id)...))
				held = true
			}
			if r.IntN(6) == 0 {
				h.Held.States = append(h.Held.States, state(id, "g", some(id)...))
				held = true
			}
			if held {
				w.sku(id).Consumed++
			}
			if r.IntN(2) == 0 {
				h.Given[id] = some(id)
			}
			if r.IntN(6) == 0 {
				h.Wishes = append(h.Wishes, Wish{SKU: id, ByGroup: true, Group: "g", Priority: r.IntN(3), Since: time.Unix(int64(r.IntN(4)), 0)})
			}
			for range r.IntN(3) {
				h.Wishes = append(h.Wishes, Wish{SKU: id, Disabled: some(id), Priority: r.IntN(3), Since: time.Unix(int64(r.IntN(4)), 0)})
			}
		}
		if r.IntN(8) == 0 {
			h.Location = ""
		}
		h.Fixed = r.IntN(8) == 0
		w.holders = append(w.holders, h)
	}
	for i := range w.skus {
		w.skus[i].Units.Enabled = max(0, w.skus[i].Consumed+r.IntN(5)-2) // some tenants have lost seats that are used
	}
	return w
}

// TestMakeHolds: at random, every call is one that Microsoft takes in the order of the
// plan, nothing of others is touched, nobody is passed by in a line, nobody is without
// in a swap, the numbers are right, and once all is done nothing is left to do.
func TestMakeHolds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6000) {
		r := rand.New(rand.NewPCG(seed, 2))
		w := random(r)
		before := w.clone()
		p := Make(w.skus, w.holders, Options{})
		shuffled := slices.Clone(w.holders)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if again := Make(w.skus, shuffled, Options{}); !reflect.DeepEqual(p, again) {
			t.Fatalf("seed %d: the order of holders matters: %s, then %s", seed, told(&p), told(&again))
		}
		for u, l := range p.Ledgers {
			i := slices.IndexFunc(w.holders, func(h Holder) bool { return h.User == u })
			w.holders[i].Given = maps.Clone(l)
		}
		for i := range p.Moves {
			if err := w.do(&p.Moves[i]); err != nil {
				t.Fatalf("seed %d: %s: %v", seed, told(&p), err)
			}
		}
		checkLine(t, seed, before, &p)
		checkSeats(t, seed, before, w, &p)
		if next := Make(w.skus, w.holders, Options{}); len(next.Moves) > 0 || len(next.Waits) != len(p.Waits) {
			t.Fatalf("seed %d: %s, and then %s", seed, told(&p), told(&next))
		}
	}
}

// checkLine holds that whoever waits has nobody behind who was served.
func checkLine(t *testing.T, seed uint64, w *world, p *Plan) {
	t.Helper()
	order := func(u directory.UserID, id directory.SKUID) (Wish, bool) {
		for _, h := range w.holders {
			if h.User == u {
				m, wished := directly(h.Wishes)[id]
				return m, wished
			}
		}
		return Wish{}, false
	}
	for _, wait := range p.Waits {
		mine, _ := order(wait.User, wait.SKU)
		for _, m := range p.Moves {
			for _, a := range m.Change.Add {
				if _, had := m.Before[a.SKU]; had || a.SKU != wait.SKU || w.holders[slices.IndexFunc(w.holders, func(h Holder) bool { return h.User == m.User })].holds(a.SKU) {
					continue
				}
				theirs, _ := order(m.User, a.SKU)
				if theirs.Priority < mine.Priority || theirs.Priority == mine.Priority && theirs.Since.After(mine.Since) {
					t.Fatalf("seed %d: %s: %s is served before %s", seed, told(p), m.User, wait.User)
				}
			}
			if m.User == wait.User {
				for _, id := range m.Change.Remove {
					if id != visio && wait.SKU != visio && id != wait.SKU {
						t.Fatalf("seed %d: %s: %s is without mail", seed, told(p), m.User)
					}
				}
			}
		}
	}
}

func checkSeats(t *testing.T, seed uint64, before, after *world, p *Plan) {
	t.Helper()
	for _, s := range p.Seats {
		was, is := before.sku(s.SKU), after.sku(s.SKU)
		if s.Used != was.Consumed || was.Consumed-s.Freed+s.Taken != is.Consumed || s.Free != was.Free() {
			t.Fatalf("seed %d: %s: %+v, but %d were used, and then %d", seed, told(p), s, was.Consumed, is.Consumed)
		}
		if s.Waiting > 0 && is.Free() > s.Coming {
			t.Fatalf("seed %d: %s: %d wait for %s, of which %d are free", seed, told(p), s.Waiting, s.SKU, is.Free())
		}
	}
}

// directly is what wishes come to that is given to the account itself.
func directly(wishes []Wish) map[directory.SKUID]Wish {
	all, _ := merged(wishes)
	return all
}

// byGroup is a wish that the tenant group "g" fulfils.
func byGroup(id directory.SKUID) []Wish {
	return []Wish{{SKU: id, ByGroup: true, Group: "g", By: "the group Staff"}}
}

// failed is what the group could not give.
func failed(id directory.SKUID, why string) directory.LicenceState {
	s := state(id, "G")
	s.State, s.Error = "Error", why
	return s
}

func again(h Holder) Holder {
	h.Again = map[directory.SKUID]bool{e3: true}
	return h
}

func going(h Holder) Holder {
	h.Going = map[directory.SKUID][]directory.TenantGroupID{e3: {"g"}}
	return h
}

func kept(h Holder) Holder {
	h.Kept = map[directory.SKUID]bool{e3: true}
	return h
}
