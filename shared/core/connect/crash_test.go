package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/vault"
	"bindery/shared/table/memory"
)

// errCrash is a call that failed: before it took effect, or after.
var errCrash = errors.New("crash of the test")

// strike is one call of a process to the outside that goes wrong.
type strike struct {
	call  int
	after bool // it took effect all the same
	kill  bool // the process is dead from then on
}

func (s strike) String() string {
	return fmt.Sprintf("call %d, after %v, killed %v", s.call, s.after, s.kill)
}

// line is what the calls of a process go through: those to the table, the vault,
// Microsoft and the queue.
type line struct {
	mu     sync.Mutex
	strike strike
	n      int // calls so far
	struck string
	dead   bool
}

// before counts a call and says how it fails; hit is whether it is the one that
// goes wrong after it took effect.
func (l *line) before(what string) (hit bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return false, errCrash
	}
	if l.n++; l.n != l.strike.call {
		return false, nil
	}
	l.struck, l.dead = what, l.strike.kill
	if l.strike.after {
		return true, nil
	}
	return false, errCrash
}

// through makes a call.
func (l *line) through(what string, effect func() error) error {
	hit, err := l.before(what)
	if err != nil {
		return err
	}
	if err := effect(); err != nil || !hit {
		return err
	}
	return errCrash
}

// faulty has the calls of the processes that are made from then on go through l;
// nil: through nothing.
func (w *world) faulty(l *line) {
	w.table.Before, w.table.After, w.vault.Before, w.vault.After = nil, nil, nil, nil
	w.queue.through, w.sent.through = nil, nil
	if l == nil {
		return
	}
	// The hooks of the drivers come in two parts; calls come one after another.
	var hit bool
	before := func(what string) (err error) { hit, err = l.before(what); return err }
	after := func() error {
		if hit {
			hit = false
			return errCrash
		}
		return nil
	}
	w.table.Before = func(_ context.Context, c memory.Call) error { return before("table " + c.Method) }
	w.table.After = func(context.Context, memory.Call) error { return after() }
	w.vault.Before = func(_ context.Context, c vault.Call) error { return before("vault " + c.Method) }
	w.vault.After = func(context.Context, vault.Call) error { return after() }
	w.queue.through = l.through
	w.sent.through = func(r *http.Request, send func() error) error { return l.through("microsoft "+r.URL.Path, send) }
}

// passage is a part of a connection's life that may be cut off anywhere.
type passage struct {
	name string
	// before is what happened until then; it returns the connection.
	before func(w *world) directory.Connection
	// sign is who signs in, after which confirm is whether somebody confirms it.
	sign    string
	confirm bool
	// do is what happens instead of a sign-in.
	do func(w *world, s *Service, c *directory.Connection) error
	// then is the identity that must be in effect at last, after an admin has
	// tried again as long as there is something to do; "" for nobody.
	then string
}

func (w *world) bare() directory.Connection { c, _ := w.create("Contoso"); return c }

func (w *world) active() directory.Connection {
	c := w.connected("Contoso", adminUPN)
	grantAll(w)
	time.Sleep(2 * time.Minute)
	return c
}

func (w *world) with(wait string) directory.Connection {
	c := w.active()
	if p := w.authorize(c.ID, wait); p.Status != 200 {
		w.Fatalf("page = %+v", p)
	}
	time.Sleep(2 * time.Minute)
	return w.read(c.ID)
}

func (w *world) lostIt() directory.Connection {
	c := w.active()
	w.check(w.LoseAuthorization(w.Context(), &c, directory.Problem{Code: "grant-revoked", Message: "Gone."}))
	return w.read(c.ID)
}

var passages = []passage{
	{name: "the first sign-in", before: (*world).bare, sign: adminUPN, confirm: true, then: adminUPN},
	{name: "the same account again", before: (*world).active, sign: adminUPN, then: adminUPN},
	{name: "the same account after the loss", before: (*world).lostIt, sign: adminUPN, then: adminUPN},
	{name: "another account", before: (*world).active, sign: otherUPN, confirm: true, then: otherUPN},
	{name: "another account after the loss", before: (*world).lostIt, sign: otherUPN, confirm: true, then: otherUPN},
	{name: "the same account while another waits", before: func(w *world) directory.Connection { return w.with(otherUPN) }, sign: adminUPN, then: adminUPN},
	{name: "another account once more", before: func(w *world) directory.Connection { return w.with(otherUPN) }, sign: otherUPN, confirm: true, then: otherUPN},
	{name: "after a deactivation", before: func(w *world) directory.Connection {
		c := w.active()
		_, err := w.Deactivate(w.Context(), alice, c.ID)
		w.check(err)
		return w.read(c.ID)
	}, sign: adminUPN, confirm: true, then: adminUPN},
	{name: "an earlier version's account again", before: func(w *world) directory.Connection {
		c := w.early("Contoso", adminUPN)
		time.Sleep(2 * time.Minute)
		return c
	}, sign: adminUPN, confirm: true, then: adminUPN},
	{name: "a refresh", before: (*world).active, do: refresh, then: adminUPN},
	{name: "an earlier version's refresh", before: func(w *world) directory.Connection { return w.early("Contoso", adminUPN) }, do: refresh, then: adminUPN},
	{name: "nobody confirms the first", before: func(w *world) directory.Connection {
		c := w.bare()
		if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
			w.Fatalf("page = %+v", p)
		}
		time.Sleep(ConfirmWithin)
		return w.read(c.ID)
	}, do: expire, then: ""},
	{name: "nobody confirms another", before: func(w *world) directory.Connection {
		c := w.with(otherUPN)
		time.Sleep(ConfirmWithin)
		return c
	}, do: expire, then: adminUPN},
	{name: "former secrets are cleared away", before: func(w *world) directory.Connection {
		c := w.active()
		if p := w.authorize(c.ID, adminUPN); p.Code != "renewed" {
			w.Fatalf("page = %+v", p)
		}
		time.Sleep(2 * time.Minute)
		return w.read(c.ID)
	}, do: expire, then: adminUPN},
	{name: "a deactivation while another waits", before: func(w *world) directory.Connection { return w.with(otherUPN) },
		do: func(w *world, s *Service, c *directory.Connection) error {
			_, err := s.Deactivate(w.Context(), alice, c.ID)
			return err
		}, then: ""},
}

func refresh(w *world, s *Service, c *directory.Connection) error {
	time.Sleep(2 * time.Hour)
	_, err := w.token(s, c)
	return err
}

func expire(w *world, s *Service, c *directory.Connection) error {
	now, err := s.stores.Connections.Connection(w.Context(), c.ID)
	if err != nil {
		return err
	}
	return s.Expire(w.Context(), &now)
}

// run does the passage with a process whose calls go through l, up to the call
// that kills it.
func (p *passage) run(w *world, s *Service, c *directory.Connection, l *line) {
	if p.do != nil {
		w.faulty(l)
		_ = p.do(w, s, c)
		w.faulty(nil)
		return
	}
	u, err := w.Authorize(w.Context(), alice, c.ID)
	w.check(err)
	q := w.browse(u, p.sign, "accept")
	oid := w.oid(p.sign)
	w.faulty(l)
	page := w.keep(s.Callback(w.Context(), q, w.cookies()))
	if p.confirm && page.Status == 200 {
		_, _ = s.Confirm(w.Context(), chief, c.ID, tenantID, oid)
	}
	w.faulty(nil)
	if now := w.read(c.ID); page.Code == "awaiting-confirmation" && now.Waiting == nil && !(p.confirm && now.InEffect()) {
		w.Errorf("the page says that it waits, and the record %+v", now)
	}
}

// shownIsActing holds every process to what the record shows: it acts as that
// account, or says for the moment that it cannot. It turns no connection to
// needs-authorization that did not need it before.
func (w *world) shownIsActing(when string, id directory.ConnectionID, all ...*Service) {
	w.Helper()
	c := w.read(id)
	for i, s := range all {
		token, err := w.token(s, &c)
		switch {
		case err != nil && c.Status == directory.StatusActive && !errors.Is(err, ErrTransient):
			w.Errorf("%s: process %d has no token: %v", when, i, err)
		case err == nil && !c.InEffect():
			w.Errorf("%s: process %d acts for a connection that is %s", when, i, c.Status)
		case err == nil:
			me, err := plainGraph{w.http, fixedToken{directory.NewSecret(token)}}.Me(w.Context())
			if err != nil || me.UserPrincipalName() != c.AuthorizedBy.UserPrincipalName {
				w.Errorf("%s: process %d acts as %s, and the record shows %s (%v)", when, i, me.UserPrincipalName(), c.AuthorizedBy.UserPrincipalName, err)
			}
		}
	}
	if now := w.read(id); now.Status != c.Status {
		w.Errorf("%s: to ask for a token made the connection %s", when, now.Status)
	}
}

// tended is what the schedule and the sweep do in the minutes after.
func (w *world) tended(id directory.ConnectionID) {
	w.Helper()
	for range 2 {
		time.Sleep(time.Minute)
		c := w.read(id)
		w.check(w.process().Expire(w.Context(), &c))
		w.check(w.process().SweepSecrets(w.Context(), id))
	}
}

// noOrphans: the secrets are those that the record has in use, each one's there,
// and none is listed any more.
func (w *world) noOrphans(when string, id directory.ConnectionID) {
	w.Helper()
	c := w.read(id)
	want := []string{}
	if c.InEffect() {
		want = append(want, secretName(id, c.Epoch, c.SignInID))
	}
	if c.Waiting != nil {
		want = append(want, secretName(id, c.Epoch, c.Waiting.ID))
	}
	slices.Sort(want)
	if got := w.vault.Names(); !slices.Equal(got, want) || len(c.Former) > 0 {
		w.Errorf("%s: secrets %v, want %v; former %v", when, got, want, c.Former)
	}
}

// goOn is an admin who tries again until what he wanted is so.
func (p *passage) goOn(w *world, id directory.ConnectionID, was directory.SignInID) {
	w.Helper()
	if p.do != nil {
		c := w.read(id)
		w.check(p.do(w, w.process(), &c))
		return
	}
	for range 3 {
		c := w.read(id)
		switch {
		case c.Status == directory.StatusActive && c.AuthorizedBy.UserPrincipalName == p.then && c.SignInID != was:
			return
		case c.Waiting != nil && c.Waiting.AuthorizedBy.UserPrincipalName == p.then:
			_, err := w.confirm(w.process(), id)
			if errors.Is(err, directory.ErrBusy) { // the dead one's lease
				time.Sleep(confirmLease)
				_, err = w.confirm(w.process(), id)
			}
			if err != nil {
				w.Errorf("Confirm on the way on = %v", err)
			}
		default:
			if page := w.authorize(id, p.sign); page.Status != 200 {
				w.Errorf("a new sign-in on the way on = %+v", page)
			}
		}
	}
	c := w.read(id)
	w.Errorf("no way on: %+v", c)
}

// TestCrashes cuts off the storing, confirming, renewing, refreshing and ending
// of authorisations at every call to the outside. Whatever was cut off: the record
// shows the identity whose tokens are used, in this process and in others that
// were there before; an admin has a way on to what he wanted; and when the
// schedule has come by, no secret is left that is of no use.
func TestCrashes(t *testing.T) {
	// Microsoft's signing key takes longer to make than a case: it is made once.
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { newWorldIn(t, dir).connected("To make the key", adminUPN) })
	for i := range passages {
		p := &passages[i]
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cases := 0
			for call, more := 1, true; more; call++ {
				for _, s := range []strike{{call, false, true}, {call, true, true}, {call, false, false}, {call, true, false}} {
					more = crash(t, p, s, dir) != ""
					if cases++; !more {
						break
					}
				}
			}
			if cases < 8 {
				t.Errorf("only %d cases", cases)
			}
			t.Logf("%d cases", cases)
		})
	}
}

// crash is one case, in a world whose simulator begins with the state in a
// folder; it returns which call was struck, "" when there is none of that number.
func crash(t *testing.T, p *passage, s strike, sim string) (struck string) {
	synctest.Test(t, func(t *testing.T) {
		own := t.TempDir()
		if err := os.CopyFS(own, os.DirFS(sim)); err != nil {
			t.Fatal(err)
		}
		w := newWorldIn(t, own)
		c := p.before(w)
		warm := w.process()
		_, _ = w.token(warm, &c)
		process, l := w.process(), &line{strike: s}
		p.run(w, process, &c, l)
		if struck = l.struck; struck == "" && s.call > 1 {
			return
		}
		when := fmt.Sprintf("%s (%s)", s, struck)
		others := []*Service{warm, w.process(), w.Service}
		if !s.kill {
			others = append(others, process)
		}
		w.shownIsActing(when+", at once", c.ID, others...)
		time.Sleep(15 * time.Second) // the lease of a dead process ends
		w.shownIsActing(when+", soon", c.ID, others...)
		if s.call%2 == 0 { // the schedule comes before the admin
			w.tended(c.ID)
			w.shownIsActing(when+", tended", c.ID, others...)
			w.noOrphans(when+", tended", c.ID)
		}
		p.goOn(w, c.ID, c.SignInID)
		w.tended(c.ID)
		w.shownIsActing(when+", at last", c.ID, append(others, w.process())...)
		w.noOrphans(when+", at last", c.ID)
		now := w.read(c.ID)
		shown := ""
		if now.InEffect() {
			shown = now.AuthorizedBy.UserPrincipalName
		}
		if shown != p.then || p.then != "" && now.Status != directory.StatusActive {
			t.Errorf("%s: at last %s and %q, want %q", when, now.Status, shown, p.then)
		}
		if _, err := w.Deactivate(w.Context(), alice, c.ID); err != nil {
			t.Errorf("%s: Deactivate = %v", when, err)
		}
		if now = w.read(c.ID); len(w.vault.Names()) != 0 {
			t.Errorf("%s: after a deactivation %v, former %v", when, w.vault.Names(), now.Former)
		}
		w.tended(c.ID)
		w.noOrphans(when+", deactivated", c.ID)
		if c := w.connected("Another", adminUPN); c.Status != directory.StatusActive {
			t.Errorf("%s: the tenant is not free", when)
		}
	})
	return struck
}

// A tenant that was claimed for a sign-in of which nothing came is free again when
// the schedule has come by, though the connection's epoch goes on.
func TestTheClaimOfACrash(t *testing.T) {
	for _, again := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c := w.bare()
			if again { // a connection that was deactivated and is authorised again
				c = w.active()
				_, err := w.Deactivate(t.Context(), alice, c.ID)
				w.check(err)
				w.tended(c.ID)
				c = w.read(c.ID)
			}
			u, err := w.Authorize(t.Context(), alice, c.ID)
			w.check(err)
			q := w.browse(u, adminUPN, "accept")
			w.vault.Before = func(context.Context, vault.Call) error { return errCrash }
			if p := w.call(q); p.Code != "not-stored" {
				t.Fatalf("page = %+v", p)
			}
			w.vault.Before = nil
			other, _ := w.create("Other")
			if p := w.authorize(other.ID, adminUPN); p.Code != "tenant-claimed" {
				t.Errorf("while it may still be stored = %+v", p)
			}
			w.tended(c.ID)
			if got := w.read(c.ID); got.Epoch != c.Epoch || got.Status != c.Status {
				t.Errorf("the connection is %s in epoch %d", got.Status, got.Epoch)
			}
			if p := w.authorize(other.ID, adminUPN); p.Code != "awaiting-confirmation" {
				t.Errorf("afterwards = %+v", p)
			}
		})
	}
}
