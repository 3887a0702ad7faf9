package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Reading turns what the tenant reports into marks on bindings. It decides
// nothing else: every marked account is read directly before it is planned.
//
// A round is incremental (from the last delta link: only accounts that changed
// are compared with their base) or full (from the start: every bound account
// is put through the whole decision, and every binding whose account did not
// show up is marked as well).

// config builds what deciding needs from settings.
func (w *worker) config(s directory.Settings) plan.Config {
	s = s.Defaulted()
	return plan.Config{
		Mapper:   mapping.New(s, w.conn.Tenant.Domains),
		Settings: s, ExportedSince: w.conn.ExportedSince,
		Protected: func(id directory.AccountID, upn string) (string, bool) {
			return w.shield().OfNamed(s.Protected, id, upn)
		},
	}
}

// settingsDigest changes when a full round is needed to see what settings or
// domains mean for users that nobody edits.
func (w *worker) settingsDigest() string { return SettingsDigest(&w.conn) }

// SettingsDigest stands for what a connection's settings and domains make of a
// user: another one makes every account worth a look.
func SettingsDigest(c *directory.Connection) string {
	domains := []directory.Domain{}
	if c.Tenant != nil {
		domains = c.Tenant.Domains
	}
	raw, err := json.Marshal(struct {
		S directory.Settings
		D []directory.Domain
	}{c.Settings.Planned(), domains})
	if err != nil {
		panic("reconcile: settings: " + err.Error()) // our own type always marshals
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// outdated reports whether a full round is needed since the one that a link goes
// on from was made with other settings. When an admin has changed them that is so
// at once. When the connection is the same and another version of Bindery reads
// more, or something else, out of it, then it is so for all connections: each
// waits for its turn.
func (w *worker) outdated(link store.ReadLink) bool {
	if link.Settings == w.settingsDigest() {
		return false
	}
	return link.Version != w.conn.Version || directory.FullReadDue(w.conn.ID, time.Time{}, w.now())
}

// madeWith notes on a link the version of the connection that its settings are of.
func (w *worker) madeWith(link *store.ReadLink) {
	if link.Settings == w.settingsDigest() {
		link.Version = w.conn.Version
	}
}

// readDue reports whether the tenant is to be read now, and from where.
func (w *worker) readDue() (bool, store.ReadLink) {
	if w.read {
		return false, store.ReadLink{}
	}
	link := w.lease.Link
	switch {
	case link.Rest.After(w.now()) && !w.outdated(link):
		return false, link
	case link.Full, link.Link == "", w.outdated(link):
		return true, link
	case directory.FullReadDue(w.conn.ID, w.lease.FullAt, w.now()):
		return true, store.ReadLink{Settings: link.Settings, Since: link.Since, Loop: link.Loop}
	}
	return w.nextPageDue(link), link
}

// readRound reads until the end of the round that link is in. Every page is
// durable in its effect (marks) before the link moves on.
func (w *worker) readRound(ctx context.Context, link store.ReadLink) error {
	if link.Link == "" && link.Sweep == "" || w.outdated(link) {
		link = store.ReadLink{Settings: w.settingsDigest(), Full: true, Pass: directory.NewRunID(w.now()), Demand: link.Demand, Since: link.Since, Loop: link.Loop,
			Paging: directory.Paging{Restarts: link.Paging.Restarts}}
	}
	w.madeWith(&link)
	seen := map[uint64]struct{}{}
	since := link.Since
	// A round that another slice has begun showed that one some of the accounts.
	if w.reported = nil; w.back != "" && !link.Full && !since.IsZero() && link.At.Equal(since) {
		w.reported = map[directory.AccountID]bool{}
	}
	if link.Full {
		if err := w.Store.Seen(ctx, link.Pass, func(b []byte) { readSeen(seen, b) }); err != nil {
			return err
		}
	}
	for link.Sweep == "" {
		if err := w.attend(ctx); err != nil {
			return err
		}
		if link.Full && link.Pages == 0 || w.lostDomainDue() {
			if err := w.roundsDomains(ctx, link.Demand); err != nil {
				return err
			}
		}
		done, err := w.readPage(ctx, &link, seen)
		if err != nil {
			return err
		}
		if done && !link.Full {
			if err := w.noteUnreported(ctx, since); err != nil {
				return err
			}
		}
		if err := w.Store.SaveLink(ctx, &w.lease, link); err != nil {
			return err
		}
		if done {
			break
		}
	}
	if !link.Full {
		return nil
	}
	return w.sweepUnseen(ctx, &link, seen)
}

// readPage reads one page and marks what differs. done says that it was the last.
func (w *worker) readPage(ctx context.Context, link *store.ReadLink, seen map[uint64]struct{}) (done bool, err error) {
	page, err := w.nextPage(ctx, link.Link)
	if errors.Is(err, directory.ErrForeignLink) {
		// Not followed (invariant 12); the next slice reads from the start.
		if loop := link.Paging.Restart(whatOf(link), "a link led away from Microsoft Graph"); loop != nil {
			return false, w.giveUp(ctx, link, loop)
		}
		*link = store.ReadLink{Settings: link.Settings, Demand: link.Demand, Since: link.Since, Loop: link.Loop, Paging: link.Paging}
		return false, errors.Join(directory.ErrUnavailable, err, w.Store.SaveLink(ctx, &w.lease, *link))
	}
	if errors.Is(err, directory.ErrResync) {
		w.log().Info("reading from the start", "connectionId", w.conn.ID, "cause", err)
		if loop := link.Paging.Restart(whatOf(link), "a link was not known any more"); loop != nil {
			return false, w.giveUp(ctx, link, loop)
		}
		*link = store.ReadLink{Settings: link.Settings, Full: true, Pass: directory.NewRunID(w.now()), Demand: link.Demand, At: w.now().UTC(), Since: link.Since, Loop: link.Loop,
			Paging: link.Paging}
		clear(seen)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := w.comesForward(ctx, link, &page); err != nil {
		return false, err
	}
	if err := w.comparePage(ctx, link, &page, seen); err != nil {
		return false, err
	}
	link.At = w.now().UTC()
	link.Pages++
	switch {
	case page.Next != "":
		link.Link = page.Next
	case page.DeltaLink != "":
		link.Link, link.Since = page.DeltaLink, link.At
		link.Paging, link.Loop, link.Rest = directory.Paging{}, nil, time.Time{}
		if link.Full {
			link.Sweep = "start"
		}
		return true, nil
	default:
		// Neither link: the round cannot be said to be complete.
		return false, directory.ErrUnavailable
	}
	return false, nil
}

// nextPage reads a page, unless it was read before the lease was taken.
func (w *worker) nextPage(ctx context.Context, link string) (directory.AccountPage, error) {
	if a := w.ahead; a != nil {
		if w.ahead = nil; a.link == link {
			return a.page, nil
		}
	}
	if err := w.units(ctx, 2); err != nil {
		return directory.AccountPage{}, err
	}
	page, err := awaited(ctx, w, func(ctx context.Context) (directory.AccountPage, error) {
		return w.tenant.Delta(ctx, w.managed, link)
	})
	if err == nil {
		w.sum.Pages++
	}
	return page, err
}

// whatOf is what a round reads, in a sentence.
func whatOf(link *store.ReadLink) string {
	if link.Full {
		return "the tenant's accounts"
	}
	return "the tenant's changed accounts"
}

// comesForward proves that a round comes forward.
func (w *worker) comesForward(ctx context.Context, link *store.ReadLink, page *directory.AccountPage) error {
	if _, err := link.Paging.Add(whatOf(link), page.IDs(), page.Next); err != nil {
		return w.giveUp(ctx, link, err)
	}
	return nil
}

// giveUp gives a round up that turns in a circle: the next one begins from the
// start, after a rest that grows.
func (w *worker) giveUp(ctx context.Context, link *store.ReadLink, err error) error {
	p, loops := directory.PagingLoop(err)
	if !loops {
		return err
	}
	p.Since, p.Attempts = w.now().UTC(), 1
	if before := link.Loop; before != nil {
		p.Since, p.Attempts = before.Since, before.Attempts+1
	}
	w.log().Error("the tenant's pages do not come to an end", "connectionId", w.conn.ID, "pages", link.Paging.Pages, "rounds", p.Attempts)
	*link = store.ReadLink{Settings: link.Settings, Version: link.Version, Loop: p, Rest: w.now().Add(backoff(p.Attempts)).UTC(), At: w.now().UTC()}
	return errors.Join(p, w.Store.SaveLink(ctx, &w.lease, *link))
}

// units takes the resource units of a read, napping when they are used up.
func (w *worker) units(ctx context.Context, n int) error {
	wait := w.quota().Spend(n)
	if wait > longestNap {
		return &errPause{after: wait, why: "the tenant's quota for reading is used up"}
	}
	return w.nap(ctx, wait)
}

// comparePage marks the bindings whose accounts are not as last agreed.
func (w *worker) comparePage(ctx context.Context, link *store.ReadLink, page *directory.AccountPage, seen map[uint64]struct{}) error {
	ids := make([]directory.AccountID, 0, len(page.Accounts)+len(page.Removed))
	for i := range page.Accounts {
		ids = append(ids, page.Accounts[i].ID)
		if w.reported != nil {
			w.reported[page.Accounts[i].ID] = true
		}
	}
	for _, r := range page.Removed {
		ids = append(ids, r.ID)
	}
	owners, err := w.Store.AccountOwners(ctx, &w.conn, ids)
	if err != nil || len(owners) == 0 {
		return err
	}
	subs, err := w.suspects(ctx, page, owners)
	if err != nil {
		return err
	}
	var now, later []directory.UserID
	var first []glimpse
	var fresh []byte
	var graceEnd time.Time
	for i := range page.Accounts {
		a := &page.Accounts[i]
		user, bound := owners[a.ID]
		if !bound {
			continue
		}
		if link.Full {
			fresh = binary.LittleEndian.AppendUint64(fresh, accountHash(a.ID))
		}
		sub, suspect := subs[user]
		if !suspect || !w.differs(link.Full, sub, a) && !w.bornWithout(link, sub.Binding, a) {
			continue
		}
		look, until := w.lookAt(link, sub.Binding, a)
		switch {
		case len(look.seen) > 0:
			first = append(first, look)
		case until.After(w.now()):
			// Perhaps this read is older than our last write.
			later, graceEnd = append(later, user), laterOf(graceEnd, until)
		default:
			now = append(now, user)
		}
	}
	for _, r := range page.Removed {
		if user, bound := owners[r.ID]; bound {
			now = append(now, user)
		}
	}
	if err := w.Store.MarkRecheck(ctx, &w.lease, directory.AccountsOf(now), w.now()); err != nil {
		return err
	}
	if err := w.Store.MarkRecheck(ctx, &w.lease, directory.AccountsOf(later), graceEnd); err != nil {
		return err
	}
	if err := w.noteLooks(ctx, first); err != nil {
		return err
	}
	if len(fresh) == 0 {
		return nil
	}
	readSeen(seen, fresh)
	return w.Store.SaveSeen(ctx, link.Pass, link.Pages, fresh)
}

// suspects reads the users and bindings behind the accounts of a page, except
// where the account's values are the very ones on which nothing was left to do,
// and it can still be ours.
func (w *worker) suspects(ctx context.Context, page *directory.AccountPage, owners map[directory.AccountID]directory.UserID) (map[directory.UserID]store.Subject, error) {
	users := make([]directory.UserID, 0, len(owners))
	for _, u := range owners {
		users = append(users, u)
	}
	summaries, err := w.Store.BindingSummaries(ctx, &w.lease, directory.AccountsOf(users))
	if err != nil {
		return nil, err
	}
	suspects := users[:0]
	for i := range page.Accounts {
		a := &page.Accounts[i]
		user, bound := owners[a.ID]
		if !bound {
			continue
		}
		// The digest is of values; whose account it is stands beside them.
		if sum := summaries[directory.AccountOf(user)]; plan.Foreign(a) != nil || !sum.Settled || sum.Digest == 0 || sum.Digest != w.digester.Of(a.Properties) {
			suspects = append(suspects, user)
		}
	}
	return w.Store.Subjects(ctx, suspects)
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// differs reports whether an account that a round reported needs a look. An
// item of an incremental round may hold only some properties; in a full round a
// property that is not there has no value.
func (w *worker) differs(full bool, sub store.Subject, a *directory.Account) bool {
	b := sub.Binding
	if b == nil || b.Epoch != w.lease.Epoch {
		return false // not ours
	}
	if plan.IsForeign(b.Problem) && b.Applied >= b.Wanted && b.Release == "" && plan.Foreign(a) == nil && (full || tellsWhose(a)) {
		return true // it may be ours again, before the time at which it is looked at by itself
	}
	if b.Dirty() {
		return false // marked already
	}
	if !full {
		if plan.Foreign(a) != nil && b.Status != directory.BindingReadOnly {
			return true
		}
		if name, told := a.Properties[directory.PropUserPrincipalName]; told && b.Base[directory.PropUserPrincipalName].IsNull() && name.String() != b.UserPrincipalName {
			return true // a name of the account's own, which people are shown
		}
		for name, v := range a.Properties {
			if base, managed := b.Base[name]; managed && !mapping.Same(name, base, v) {
				return true
			}
		}
		return false
	}
	whole := *a
	whole.Properties = directory.Properties{}
	for _, name := range w.managed {
		whole.Properties[name] = a.Properties[name]
	}
	d := plan.Decide(w.cfg, plan.Subject{User: sub.User, Binding: b, Account: &whole})
	same := func(x, y directory.Problem) bool { return x.Code == y.Code && x.Message == y.Message }
	if p := d.Problem; p != nil && (p.Property == "" || b.Problem == nil || !same(*p, *b.Problem)) {
		return true // what concerns a property only stands until its value changes
	}
	return len(d.Changes) > 0 || d.Status != b.Status || !slices.EqualFunc(d.Findings, b.Findings, same)
}

// tellsWhose reports whether what a round told of an account may be that it can be
// ours again: a guest was made a member, or an external account converted, which
// gives it a name.
func tellsWhose(a *directory.Account) bool {
	_, named := a.Properties[directory.PropUserPrincipalName]
	return a.UserType != "" || named
}

// sweepUnseen marks the bindings whose accounts a full round did not show, and
// those that wait for something in the tenant.
func (w *worker) sweepUnseen(ctx context.Context, link *store.ReadLink, seen map[uint64]struct{}) error {
	for link.Sweep != "" {
		if err := w.attend(ctx); err != nil {
			return err
		}
		list, next, err := w.Store.ListBindingSummaries(ctx, directory.KindAccount, &w.lease, strings.TrimPrefix(link.Sweep, "start"), 500)
		if err != nil {
			return err
		}
		var ids []directory.UserID
		for i := range list {
			b := &list[i]
			if _, ok := seen[accountHash(b.AccountID)]; b.AccountID == "" || !ok {
				ids = append(ids, b.Ref.User())
			}
			if b.Blocked {
				if err := w.retractIfGone(ctx, b.Ref.User()); err != nil {
					return err
				}
			}
		}
		if err := w.Store.MarkRecheck(ctx, &w.lease, directory.AccountsOf(ids), w.now()); err != nil {
			return err
		}
		link.Sweep = next
		if next == "" {
			link.Full, link.Pass, link.Pages = false, "", 0
		}
		if err := w.Store.SaveLink(ctx, &w.lease, *link); err != nil {
			return err
		}
	}
	w.end.State, w.end.At, w.end.Full = directory.RunDone, w.now(), true
	w.lease.FullAt = w.now()
	return nil
}

// retractIfGone lets go of the binding of a deleted user whose tombstone has
// expired.
func (w *worker) retractIfGone(ctx context.Context, id directory.UserID) error {
	subs, err := w.Store.Subjects(ctx, []directory.UserID{id})
	if err != nil || subs[id].User != nil || subs[id].Binding == nil {
		return err
	}
	err = w.Store.Retract(ctx, directory.Act{}, &w.lease, &w.conn, subs[id].Binding)
	if errors.Is(err, directory.ErrStale) {
		return nil // it changed meanwhile: the next round looks again
	}
	return err
}

// accountHash is eight bytes of an account's ID: enough to tell accounts of one
// tenant apart (a false "seen" among 100,000 has a chance of 1 in 10^9 and costs
// one late look).
func accountHash(id directory.AccountID) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(string(id))))
	return h.Sum64()
}

func readSeen(seen map[uint64]struct{}, b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		seen[binary.LittleEndian.Uint64(b)] = struct{}{}
	}
}
