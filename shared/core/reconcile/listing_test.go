package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// lagging is a table whose weak queries of an index show it as it was before the
// last writes: those that are not older than lag.
type lagging struct {
	table.Table
	now     func() time.Time
	past    *memory.Table
	lag     time.Duration
	pending []pastWrite
	weak    int // queries of an index
	strong  int // reads of bindings and claims by their keys
}

type pastWrite struct {
	at   time.Time
	key  table.Key
	item *table.Item // nil: deleted
}

// Write implements table.Table.
func (l *lagging) Write(ctx context.Context, writes ...table.Write) error {
	if err := l.Table.Write(ctx, writes...); err != nil {
		return err
	}
	for i := range writes {
		w := pastWrite{at: l.now(), key: writes[i].Key()}
		it, err := l.Get(ctx, w.key)
		switch {
		case err == nil:
			w.item = &it
		case !errors.Is(err, table.ErrNotFound):
			return err
		}
		l.pending = append(l.pending, w)
	}
	return nil
}

// GetMany counts.
func (l *lagging) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	for _, k := range keys {
		if k.Sort == "binding" || k.Sort == "claim" {
			l.strong++
		}
	}
	return l.Table.GetMany(ctx, keys)
}

// Query implements table.Table.
func (l *lagging) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if q.Index == 0 || !q.Weak {
		return l.Table.Query(ctx, q)
	}
	l.weak++
	for len(l.pending) > 0 && !l.pending[0].at.After(l.now().Add(-l.lag)) {
		w := table.Write{Delete: &l.pending[0].key}
		if it := l.pending[0].item; it != nil {
			w = table.Write{Put: it}
		}
		if err := l.past.Write(ctx, w); err != nil {
			return table.Page{}, err
		}
		l.pending = l.pending[1:]
	}
	return l.past.Query(ctx, q)
}

// lagWorld is a world over a lagging table.
func lagWorld(t *testing.T) (*world, *lagging) {
	w := newWorld(t)
	l := &lagging{Table: w.table, now: w.now, past: memory.New(), lag: settleTime - time.Second}
	l.past.Now = w.now
	w.store = store.New(l, store.Options{Now: w.now})
	w.engine.config.Stores = StoresOf(w.store)
	return w, l
}

// reading is an invocation that has the lease and reads.
func (w *world) reading() (*invocation, *rounds) {
	w.Helper()
	inv := w.engine.newInvocation(directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.do(inv.acquire(w.Context(), w.conn.ID))
	tools, err := inv.open(w.Context())
	w.do(err)
	return inv, tools.rounds
}

// readAll reads the tenant in a full round and returns who is marked then.
func (w *world) readAll(inv *invocation, rd *rounds, users []directory.User) map[directory.UserID]bool {
	w.Helper()
	w.do(rd.readRound(w.Context(), closed{inv.s}, store.ReadLink{}))
	return w.marked(users)
}

// TestListingMissesNothing: whatever happened before, and however old what is listed
// may be, a full round over a listing marks whatever one without it marks.
func TestListingMissesNothing(t *testing.T) {
	listed, found := 0, 0
	for seed := range uint64(6) {
		w, table := lagWorld(t)
		rng := rand.New(rand.NewPCG(seed, 13))
		var users []directory.User
		for i := range 6 {
			users = append(users, w.user(fmt.Sprintf("user%d", i)))
		}
		w.bind(users...)
		w.sync()
		for step := range 30 {
			did := w.befall(rng, users[rng.IntN(len(users))])
			w.port.token = signIn(t, w.sim)
			if rng.IntN(3) > 0 {
				w.sync()
			}
			w.skew.Add(time.Duration(rng.IntN(90)) * time.Second)
			if rng.IntN(2) == 0 {
				continue
			}
			table.lag = time.Duration(rng.Int64N(int64(settleTime)))
			inv, rd := w.reading()
			before := w.marked(users)
			marked := w.readAll(inv, rd, users)
			if rd.listing != nil {
				listed++
			}
			found += len(marked) - len(before)
			rd.listing, rd.unlisted = nil, true
			if more := w.readAll(inv, rd, users); !maps.Equal(more, marked) {
				t.Fatalf("seed %d, step %d (%s): a round without a listing marks %v, with one %v were marked", seed, step, did, more, marked)
			}
			_, err := inv.release(w.Context(), nil)
			w.do(err)
		}
	}
	if listed == 0 || found == 0 {
		t.Errorf("%d rounds had a listing, %d bindings were marked: the test shows nothing", listed, found)
	}
}

func (w *world) marked(users []directory.User) map[directory.UserID]bool {
	marked := map[directory.UserID]bool{}
	for _, u := range users {
		it, err := w.table.Get(w.Context(), table.Key{Partition: "U#" + string(u.ID), Sort: "binding"})
		if err == nil && it.Numbers["marked"] != 0 {
			marked[u.ID] = true
		}
	}
	return marked
}

// befall does something to a user or its account. Of titles there are two, so that
// values come back.
func (w *world) befall(rng *rand.Rand, u directory.User) string {
	title := []string{"Boss", "Clerk"}[rng.IntN(2)]
	b, err := w.store.Bindings.Binding(w.Context(), u.ID)
	bound := err == nil
	upn := u.Email
	_, there := w.sim.Account(simTenant, upn)
	switch n := rng.IntN(10); {
	case n < 3:
		w.edit(u, func(u *directory.User) { u.JobTitle = title })
		return "edit to " + title
	case n < 7 && there:
		w.patch(upn, map[string]any{"jobTitle": title})
		return "drift to " + title
	case n == 7 && bound && b.Release == "":
		b.Release, b.Status = directory.ReleaseKeep, directory.BindingPending
		w.do(w.store.Bindings.UpdateBinding(w.Context(), directory.AuditEvent{}, &b, true, false))
		return "release"
	case n == 8 && !bound:
		current, err := w.store.Users.User(w.Context(), u.ID)
		w.do(err)
		w.bind(current)
		return "bind"
	case n == 9 && there && rng.IntN(3) == 0:
		id := w.account(upn)["id"].(string)
		if status, _, _, err := w.port.do(w.Context(), "DELETE", "/users/"+id, nil); err != nil || status != 204 {
			w.Fatalf("DELETE = %d, %v", status, err)
		}
		return "delete the account"
	}
	return "nothing"
}

// agreed has a binding say that a title was agreed, as the journal of a run does.
func agreed(rd *rounds, u directory.User, title string) store.BindingChange {
	return store.BindingChange{Ref: directory.AccountOf(u.ID), Mutate: func(b *directory.Binding) bool {
		b.Base["jobTitle"] = directory.StringValue(title)
		b.Digest, b.Applied = rd.digester.Of(b.Base), b.Wanted
		return true
	}}
}

// TestListingOfJournalled: what is journalled after the bindings were listed, and
// what an earlier slice journalled a moment ago, is not taken from the listing.
func TestListingOfJournalled(t *testing.T) {
	for _, earlier := range []bool{false, true} {
		w, _ := lagWorld(t)
		u := w.user("ann", func(u *directory.User) { u.JobTitle = "Clerk" })
		w.bind(u)
		w.sync()
		w.skew.Add(2 * Grace)
		w.port.token = signIn(t, w.sim)
		w.sync()
		w.skew.Add(2 * settleTime)
		inv, rd := w.reading()
		if !earlier {
			w.do(rd.list(t.Context(), closed{inv.s}))
			if rd.listing == nil {
				t.Fatal("nothing is listed although all is settled")
			}
		}
		w.edit(u, func(u *directory.User) { u.JobTitle = "Boss" })
		w.do(rd.journal.Journal(t.Context(), &inv.s.lease, &inv.s.conn, store.Journal{Bindings: []store.BindingChange{agreed(rd, u, "Boss")}}))
		if earlier {
			_, err := inv.release(t.Context(), nil)
			w.do(err)
			w.skew.Add(settleTime / 2)
			inv, rd = w.reading()
		}
		if marked := w.readAll(inv, rd, []directory.User{u}); !marked[u.ID] {
			t.Errorf("journalled by an earlier slice %v: the account that is as before is not marked", earlier)
		}
	}
}

// TestListingTakesTheRoundsTime: a listing that takes half of a slice's time is given
// up, and the round goes on without.
func TestListingTakesTheRoundsTime(t *testing.T) {
	w, _ := lagWorld(t)
	users := w.people(3)
	w.skew.Add(2 * Grace)
	inv, rd := w.reading()
	inv.s.until = inv.s.now().Add(-time.Second)
	w.do(rd.list(t.Context(), openLane{}))
	if rd.listing != nil || !rd.unlisted {
		t.Errorf("listed %v, given up %v", rd.listing != nil, rd.unlisted)
	}
	inv.s.until = inv.s.now().Add(SliceTime)
	w.patch(users[0].Email, map[string]any{"jobTitle": "Boss"})
	if marked := w.readAll(inv, rd, users); len(marked) != 1 {
		t.Errorf("marked %v, want one", marked)
	}
}

// openLane lets everybody past and has all the time.
type openLane struct{ closed }

func (openLane) attend(context.Context) error { return nil }

// TestListingReadsOnce: with a listing, a round in which nothing has changed reads no
// binding and no claim by itself.
func TestListingReadsOnce(t *testing.T) {
	w, table := lagWorld(t)
	users := w.people(30)
	w.skew.Add(2 * Grace)
	w.port.token = signIn(t, w.sim)
	w.sync()
	w.skew.Add(2 * settleTime)
	inv, rd := w.reading()
	table.strong, table.weak = 0, 0
	if marked := w.readAll(inv, rd, users); len(marked) > 0 || table.strong > 0 || table.weak == 0 {
		t.Errorf("%d are marked, %d bindings and claims were read by themselves, %d weak queries", len(marked), table.strong, table.weak)
	}
}

// TestListing: every binding is found by its account, in the pages of the listing.
func TestListing(t *testing.T) {
	l := &listing{}
	want := map[directory.UserID]directory.AccountID{}
	cursors := []string{"", "1:a", "2:b"}
	for _, cursor := range cursors {
		l.pages = append(l.pages, listedPage{len(l.list), cursor})
		for range 7 {
			u, a := directory.NewUserID(time.Now()), directory.AccountID(fmt.Sprint("acc-", len(l.list)))
			if len(l.list)%5 == 0 {
				a = ""
			}
			want[u] = a
			l.add(&store.BindingSummary{Ref: directory.AccountOf(u), AccountID: a, Settled: true, Digest: 7})
		}
	}
	l.sort()
	for u, a := range want {
		if a == "" {
			continue
		}
		if at := l.find(accountHash(a)); len(at) != 1 || l.user(int(at[0])) != u {
			t.Errorf("%s is found at %v", a, at)
		}
	}
	if at := l.find(accountHash("nobody's")); len(at) != 0 {
		t.Errorf("nobody's account is found at %v", at)
	}
	var users []directory.UserID
	cursor := ""
	for {
		from, to, next, found := l.page(cursor)
		if !found {
			t.Fatalf("no page at %q", cursor)
		}
		for i := from; i < to; i++ {
			users = append(users, l.user(i))
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	slices.Sort(users)
	if !slices.Equal(users, slices.Sorted(maps.Keys(want))) {
		t.Errorf("the pages hold %d users, want %d", len(users), len(want))
	}
	if _, _, _, found := l.page("3:c"); found {
		t.Error("a page of another listing is found")
	}
}

// paged gives the tenant's accounts a few at a time.
type paged struct {
	Tenant
	size int
	all  directory.AccountPage
}

// Delta implements Tenant.
func (p *paged) Delta(ctx context.Context, selected []string, link string) (directory.AccountPage, error) {
	var from int
	if link == "" {
		var err error
		if p.all, err = p.Tenant.Delta(ctx, selected, link); err != nil {
			return directory.AccountPage{}, err
		}
		if p.all.Next != "" {
			return directory.AccountPage{}, errors.New("the tenant has more than one page")
		}
	} else if _, err := fmt.Sscanf(link, "from %d", &from); err != nil {
		return directory.AccountPage{}, err
	}
	to := min(from+p.size, len(p.all.Accounts))
	page := directory.AccountPage{Accounts: p.all.Accounts[from:to]}
	if to == len(p.all.Accounts) {
		page.Removed, page.DeltaLink = p.all.Removed, p.all.DeltaLink
	} else {
		page.Next = fmt.Sprintf("from %d", to)
	}
	return page, nil
}

// shortLane is that of a slice whose time is over after some looks at it.
type shortLane struct {
	closed
	looks int
}

func (l *shortLane) attend(context.Context) error {
	if l.looks--; l.looks < 0 {
		return &errPause{why: "the slice's time is over"}
	}
	return nil
}

// TestListingInParts: a round that several slices share marks what one slice would
// mark, also when some of them, as those of a version before, have no listing.
func TestListingInParts(t *testing.T) {
	for _, looks := range []int{2, 3, 5} {
		for _, mixed := range []bool{false, true} {
			w := newWorld(t)
			users := w.people(8)
			w.skew.Add(2 * Grace)
			w.port.token = signIn(t, w.sim)
			w.sync()
			w.skew.Add(2 * settleTime)
			id := w.account(users[2].Email)["id"].(string)
			if status, _, _, err := w.port.do(t.Context(), "DELETE", "/users/"+id, nil); err != nil || status != 204 {
				t.Fatalf("DELETE = %d, %v", status, err)
			}
			w.patch(users[6].Email, map[string]any{"jobTitle": "Boss"})
			tenant, link, slices := &paged{Tenant: w.port, size: 2}, store.ReadLink{}, 0
			for done := false; !done; slices++ {
				if slices > 50 {
					t.Fatal("the round does not end")
				}
				inv, rd := w.reading()
				rd.tenant, rd.unlisted = tenant, mixed && slices%2 == 1
				if slices > 0 {
					link = inv.s.lease.Link
				}
				err := rd.readRound(t.Context(), &shortLane{closed{inv.s}, looks}, link)
				if _, cut := pauseOf(err); err != nil && !cut {
					t.Fatal(err)
				}
				done = err == nil
				_, err = inv.release(t.Context(), nil)
				w.do(err)
			}
			want := map[directory.UserID]bool{users[2].ID: true, users[6].ID: true}
			if marked := w.marked(users); slices < 2 || !maps.Equal(marked, want) {
				t.Errorf("%d looks a slice, mixed %v: %v are marked after %d slices, want %v", looks, mixed, marked, slices, want)
			}
		}
	}
}
