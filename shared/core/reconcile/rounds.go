package reconcile

import (
	"context"
	"encoding/binary"
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

// rounds reads the tenant in rounds.
type rounds struct {
	s         *session
	tenant    Tenant
	cfg       plan.Config
	managed   []string
	digester  mapping.Digester
	cadence   *cadence
	domains   *domainReader
	bindings  bindingStore
	accounts  accountStore
	standings standingStore
	marks     markStore
	pages     roundStore
	seen      seenStore
	runs      runStore
	chunks    chunkStore
	journal   journalStore
	uses      Uses // nil: there are none
	kinds     *kinds
	ahead     *aheadPage // the first page of a round, read before the lease was taken

	listing    *listing // of the bindings, for a full round; nil: they are read page by page
	unlisted   bool     // there was no time for one
	journalled *sinceListed
}

// round is one round under way, of whatever page it is.
type round struct {
	link store.ReadLink
	seen map[uint64]struct{} // hashes of the accounts that a full round has shown
	// reported are the accounts that the round which shows what became of a run has
	// shown; nil in others.
	reported map[directory.AccountID]bool
}

// readForRun brings the marks up to date for runs that ask for it: an admin's
// "sync now" and a full reconcile. Other runs work from the marks there are.
func (rd *rounds) readForRun(ctx context.Context, t *task) (read bool, err error) {
	r := t.run
	if !readsRound(r) {
		return false, nil
	}
	link := rd.s.lease.Link
	if r.Full && link.Demand != r.ID {
		link = store.ReadLink{Demand: r.ID, Since: link.Since}
	} else if r.Full && !link.Full && link.Link != "" {
		return true, nil // this run's full round has been read
	}
	rd.cadence.read = true
	return true, rd.readRound(ctx, t.lane, link)
}

// readsRound reports whether a run asks for the marks to be brought up to date.
func readsRound(r *store.RunRecord) bool {
	chosen := r.Chosen() || r.DryRun && (r.Full || r.Settings != nil || r.Release != "")
	return !chosen && (r.Full || r.Trigger == directory.TriggerAdmin)
}

// readRound reads until the end of the round that link is in. Every page is
// durable in its effect (marks) before the link moves on.
func (rd *rounds) readRound(ctx context.Context, l lane, link store.ReadLink) error {
	if link.Link == "" && link.Sweep == "" || rd.cadence.outdated(link) {
		link = store.ReadLink{Settings: rd.s.settingsDigest(), Full: true, Pass: directory.NewRunID(rd.s.now()), Demand: link.Demand, Since: link.Since, Loop: link.Loop,
			Paging: directory.Paging{Restarts: link.Paging.Restarts}}
	}
	rd.cadence.madeWith(&link)
	r := &round{link: link, seen: map[uint64]struct{}{}}
	since := link.Since
	// A round that another slice has begun showed that one some of the accounts.
	if rd.cadence.back != "" && !link.Full && !since.IsZero() && link.At.Equal(since) {
		r.reported = map[directory.AccountID]bool{}
	}
	if link.Full {
		for part, err := range rd.seen.Seen(ctx, link.Pass) {
			if err != nil {
				return err
			}
			readSeen(r.seen, part)
		}
	}
	for r.link.Sweep == "" {
		if err := l.attend(ctx); err != nil {
			return err
		}
		if r.link.Full && r.link.Pages == 0 || rd.s.lostDomainDue() {
			if err := rd.domains.readForRound(ctx, l, r.link.Demand); err != nil {
				return err
			}
		}
		if r.link.Full {
			if err := rd.list(ctx, l); err != nil {
				return err
			}
		}
		done, err := rd.readPage(ctx, l, r)
		if err != nil {
			return err
		}
		if done && r.reported != nil && !r.link.Full {
			if err := rd.noteUnreported(ctx, r, since); err != nil {
				return err
			}
		}
		if r.link.Sweep == "start" && rd.usesGroups() {
			if err := rd.uses.Anew(ctx, &rd.s.conn); err != nil {
				return err
			}
		}
		if err := rd.pages.SaveLink(ctx, &rd.s.lease, r.link); err != nil {
			return err
		}
		if done {
			break
		}
	}
	if !r.link.Full {
		return rd.readKinds(ctx, l)
	}
	if r.link.Sweep == "start" {
		if err := rd.expandKinds(ctx, l); err != nil {
			return err
		}
	}
	if err := rd.sweepUnseen(ctx, l, r); err != nil {
		return err
	}
	return rd.readKinds(ctx, l)
}

// usesGroups reports whether the connection does something with groups.
func (rd *rounds) usesGroups() bool { return rd.uses != nil && rd.s.conn.UsesGroups }

// readPage reads one page and marks what differs. done says that it was the last.
func (rd *rounds) readPage(ctx context.Context, l lane, r *round) (done bool, err error) {
	link := &r.link
	page, err := rd.nextPage(ctx, l, link.Link)
	if errors.Is(err, directory.ErrForeignLink) {
		// Not followed (invariant 12); the next slice reads from the start.
		if loop := link.Paging.Restart(whatOf(link), "a link led away from Microsoft Graph"); loop != nil {
			return false, rd.abandon(ctx, link, loop)
		}
		*link = store.ReadLink{Settings: link.Settings, Demand: link.Demand, Since: link.Since, Loop: link.Loop, Paging: link.Paging}
		return false, errors.Join(directory.ErrUnavailable, err, rd.pages.SaveLink(ctx, &rd.s.lease, *link))
	}
	if errors.Is(err, directory.ErrResync) {
		rd.s.log.Info("reading from the start", "connectionId", rd.s.conn.ID, "cause", err)
		if loop := link.Paging.Restart(whatOf(link), "a link was not known any more"); loop != nil {
			return false, rd.abandon(ctx, link, loop)
		}
		*link = store.ReadLink{Settings: link.Settings, Full: true, Pass: directory.NewRunID(rd.s.now()), Demand: link.Demand, At: rd.s.now().UTC(), Since: link.Since, Loop: link.Loop,
			Paging: link.Paging}
		clear(r.seen)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := rd.comesForward(ctx, link, &page); err != nil {
		return false, err
	}
	if err := rd.comparePage(ctx, r, &page); err != nil {
		return false, err
	}
	link.At = rd.s.now().UTC()
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
func (rd *rounds) nextPage(ctx context.Context, l lane, link string) (directory.AccountPage, error) {
	ahead := rd.ahead
	rd.ahead = nil
	if ahead != nil && ahead.link == link {
		return ahead.page, nil
	}
	if err := rd.s.units(ctx, l, 2); err != nil {
		return directory.AccountPage{}, err
	}
	page, err := awaited(ctx, rd.s, l, func(ctx context.Context) (directory.AccountPage, error) {
		return rd.tenant.Delta(ctx, rd.selected(), link)
	})
	if err == nil {
		rd.s.sum.Pages++
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
func (rd *rounds) comesForward(ctx context.Context, link *store.ReadLink, page *directory.AccountPage) error {
	if _, err := link.Paging.Add(whatOf(link), page.IDs(), page.Next); err != nil {
		return rd.abandon(ctx, link, err)
	}
	return nil
}

// abandon gives a round up that turns in a circle: the next one begins from the
// start, after a rest that grows.
func (rd *rounds) abandon(ctx context.Context, link *store.ReadLink, err error) error {
	p, loops := directory.PagingLoop(err)
	if !loops {
		return err
	}
	p.Since, p.Attempts = rd.s.now().UTC(), 1
	if before := link.Loop; before != nil {
		p.Since, p.Attempts = before.Since, before.Attempts+1
	}
	rd.s.log.Error("the tenant's pages do not come to an end", "connectionId", rd.s.conn.ID, "pages", link.Paging.Pages, "rounds", p.Attempts)
	*link = store.ReadLink{Settings: link.Settings, Version: link.Version, Loop: p, Rest: rd.s.now().Add(backoff(p.Attempts)).UTC(), At: rd.s.now().UTC()}
	return errors.Join(p, rd.pages.SaveLink(ctx, &rd.s.lease, *link))
}

// comparePage marks the bindings whose accounts are not as last agreed.
func (rd *rounds) comparePage(ctx context.Context, r *round, page *directory.AccountPage) error {
	link := &r.link
	ids := make([]directory.AccountID, 0, len(page.Accounts)+len(page.Removed))
	for i := range page.Accounts {
		ids = append(ids, page.Accounts[i].ID)
		if r.reported != nil {
			r.reported[page.Accounts[i].ID] = true
		}
	}
	for _, gone := range page.Removed {
		ids = append(ids, gone.ID)
	}
	owners, err := rd.owners(ctx, link, ids)
	if err != nil || len(owners) == 0 {
		return err
	}
	if err := rd.markShown(ctx, page.Accounts, owners); err != nil {
		return err
	}
	subs, err := rd.suspects(ctx, link.Full, page, owners)
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
		if !suspect || !isOf(sub.Binding, a.ID) || !rd.differs(link.Full, sub, a) && !rd.bornWithout(link, sub.Binding, a) {
			continue
		}
		look, until := rd.lookAt(link, sub.Binding, a)
		switch {
		case len(look.seen) > 0:
			first = append(first, look)
		case until.After(rd.s.now()):
			// Perhaps this read is older than our last write.
			later, graceEnd = append(later, user), laterOf(graceEnd, until)
		default:
			now = append(now, user)
		}
	}
	for _, gone := range page.Removed {
		if user, bound := owners[gone.ID]; bound {
			now = append(now, user)
		}
	}
	if err := rd.marks.MarkRecheck(ctx, &rd.s.lease, directory.AccountsOf(now), rd.s.now()); err != nil {
		return err
	}
	if err := rd.marks.MarkRecheck(ctx, &rd.s.lease, directory.AccountsOf(later), graceEnd); err != nil {
		return err
	}
	if err := rd.noteLooks(ctx, first); err != nil {
		return err
	}
	if len(fresh) == 0 {
		return nil
	}
	readSeen(r.seen, fresh)
	return rd.seen.SaveSeen(ctx, link.Pass, link.Pages, fresh)
}

// suspects reads the users and bindings behind the accounts of a page, except
// where the account's values are the very ones on which nothing was left to do,
// and it can still be ours.
func (rd *rounds) suspects(ctx context.Context, full bool, page *directory.AccountPage, owners map[directory.AccountID]directory.UserID) (map[directory.UserID]store.Subject, error) {
	digests, err := rd.digests(ctx, full, owners)
	if err != nil {
		return nil, err
	}
	var suspects []directory.UserID
	for i := range page.Accounts {
		a := &page.Accounts[i]
		user, bound := owners[a.ID]
		if !bound {
			continue
		}
		// The digest is of values; whose account it is stands beside them.
		if digest := digests[a.ID]; plan.Foreign(a) != nil || digest == 0 || digest != rd.digester.Of(a.Properties) {
			suspects = append(suspects, user)
		}
	}
	return rd.bindings.Subjects(ctx, suspects)
}

// isOf reports whether a binding is to an account. In a listing it may have been.
func isOf(b *directory.Binding, id directory.AccountID) bool {
	return b != nil && strings.EqualFold(string(b.AccountID), string(id))
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
func (rd *rounds) differs(full bool, sub store.Subject, a *directory.Account) bool {
	b := sub.Binding
	if b == nil || b.Epoch != rd.s.lease.Epoch {
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
	for _, name := range rd.managed {
		whole.Properties[name] = a.Properties[name]
	}
	d := plan.Decide(rd.cfg, plan.Subject{User: sub.User, Binding: b, Account: &whole})
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
func (rd *rounds) sweepUnseen(ctx context.Context, l lane, r *round) error {
	link := &r.link
	for link.Sweep != "" {
		if err := l.attend(ctx); err != nil {
			return err
		}
		unseen, blocked, next, err := rd.unseenPage(ctx, r, strings.TrimPrefix(link.Sweep, "start"))
		if err != nil {
			return err
		}
		for _, user := range blocked {
			if err := rd.retractIfGone(ctx, user); err != nil {
				return err
			}
		}
		if err := rd.marks.MarkRecheck(ctx, &rd.s.lease, directory.AccountsOf(unseen), rd.s.now()); err != nil {
			return err
		}
		link.Sweep = next
		if next == "" {
			link.Full, link.Pass, link.Pages = false, "", 0
		}
		if err := rd.pages.SaveLink(ctx, &rd.s.lease, *link); err != nil {
			return err
		}
	}
	rd.s.end.State, rd.s.end.At, rd.s.end.Full = directory.RunDone, rd.s.now(), true
	rd.s.lease.FullAt = rd.s.now()
	return nil
}

// retractIfGone lets go of the binding of a deleted user whose tombstone has
// expired.
func (rd *rounds) retractIfGone(ctx context.Context, id directory.UserID) error {
	subs, err := rd.bindings.Subjects(ctx, []directory.UserID{id})
	if err != nil || subs[id].User != nil || subs[id].Binding == nil {
		return err
	}
	err = rd.bindings.Retract(ctx, directory.AuditEvent{}, &rd.s.lease, &rd.s.conn, subs[id].Binding)
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
