package licences

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// smallPages is the kind, asked about few at a time.
type smallPages struct {
	*Kind
	page int
	most int // read for a page so far
}

func (k *smallPages) Open(s reconcile.Slice, tenant reconcile.Tenant) reconcile.Objects {
	o := k.Kind.Open(s, tenant).(*objects)
	counted := &countedReads{Tenant: o.tenant}
	o.tenant = counted
	return &smallObjects{o, k, counted}
}

type smallObjects struct {
	*objects
	k     *smallPages
	reads *countedReads
}

func (o *smallObjects) Decide(ctx context.Context, w reconcile.Work, refs []directory.Ref) (reconcile.Decided, error) {
	var out reconcile.Decided
	for page := range slices.Chunk(refs, o.k.page) {
		o.reads.n = 0
		d, err := o.objects.Decide(ctx, w, page)
		if err != nil {
			return out, err
		}
		o.k.most = max(o.k.most, o.reads.n)
		out.Changes = append(out.Changes, d.Changes...)
		out.Unwritten = append(out.Unwritten, d.Unwritten...)
		out.Editors = append(out.Editors, d.Editors...)
		out.Refused += d.Refused
	}
	return out, nil
}

type countedReads struct {
	Tenant
	n int
}

func (c *countedReads) Licences(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.AccountLicences], error) {
	c.n += len(ids)
	return c.Tenant.Licences(ctx, ids)
}

// TestParts: of many who compete no more are read for a page than may be, and the parts
// together give out no seat twice, and each that there is.
func TestParts(t *testing.T) {
	t.Parallel()
	small := &smallPages{page: 2}
	w := newWorld(t)
	var names []string
	for i := range 9 {
		names = append(names, fmt.Sprintf("u%d", i))
	}
	users := w.people(names...)
	w.wrap = func(k *Kind) reconcile.Kind {
		k.compete = 2
		small.Kind = k
		return small
	}
	w.start(w.open)
	for i, u := range users[:3] { // they give all the seats of a product back again
		w.license(u, w.rule(partE5))
		w.sync()
		w.wants(users[i], partE5)
	}
	w.pass(time.Hour)
	small.most = 0
	for i, part := range []string{"", "", "", partE3, partE3, partE3, partE3, partE5, partE5} {
		var rules []Rule
		if part != "" {
			rules = append(rules, w.rule(part))
		}
		w.license(users[i], rules...)
		w.pass(time.Second)
	}
	calls := len(w.sends())
	w.sync()
	w.pass(looksForSeat) // for whoever was asked about before a seat was free
	w.sync()
	if small.most == 0 || small.most > 4 {
		t.Errorf("%d were read for a page of 2", small.most)
	}
	has := map[string]int{}
	for _, u := range users {
		has[w.has(u)]++
	}
	if sent := w.sends()[calls:]; has[partE3] != 3 || has[partE5] != 2 || slices.ContainsFunc(sent, func(s string) bool { return s != "200" }) {
		t.Errorf("they have %v, sent %v", has, sent)
	}
}

// TestManyAreListed: of many accounts the licences are read from the listing of the
// tenant's; of few, and of those whom it does not show, one by one.
func TestManyAreListed(t *testing.T) {
	t.Parallel()
	// No time passes: in flights that take long fewer changes go, and more flights read anew.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.do(w.sim.SetLicence(simTenant, entratest.LicenceSpec{SKUPartNumber: partE3, Enabled: 1000}))
		var names []string
		for n := range worthListing + 20 {
			names = append(names, fmt.Sprintf("user%03d", n))
		}
		users := w.people(names...)
		read := func() (pages, single int) {
			for _, r := range w.sim.Requests() {
				switch rest, of := strings.CutPrefix(r.Path, "/users"); {
				case r.Method != http.MethodGet || !of || !strings.Contains(rest, "licenseAssignmentStates"):
				case strings.HasPrefix(rest, "?"):
					pages++
				default:
					single++
				}
			}
			return pages, single
		}
		for _, u := range users {
			w.license(u, w.rule(partE3))
		}
		w.sim.ResetRequests()
		w.sync()
		if pages, single := read(); pages != 1 || single != 0 {
			t.Errorf("%d accounts were read by %d pages and %d questions, want one page", len(users), pages, single)
		}
		for _, u := range users {
			w.wants(u, partE3)
		}
		w.pass(time.Hour)
		for _, u := range users[:5] {
			w.license(u)
		}
		w.sim.ResetRequests()
		w.sync()
		if pages, single := read(); pages != 0 || single != 5 {
			t.Errorf("five accounts were read by %d pages and %d questions, want five questions", pages, single)
		}
	})
}
