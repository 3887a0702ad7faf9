package reconcile

import (
	"context"
	"errors"
	"hash/fnv"
	"strings"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// A creation is preceded by the question who has its address: as userPrincipalName,
// as mail, or among the proxy addresses. See the package comment for which answer is
// good for what, and for how long.
//
// Up to askSingly addresses are asked about in filters, several in each. For more
// of them the tenant's addresses are listed once: a page of a listing tells of a
// thousand accounts. What it shows is asked about by a filter all the same.

const (
	// askSingly is how many addresses a slice asks about before it lists the tenant.
	askSingly = 100
	// mostPages bounds the listing: of a tenant larger than that, addresses are
	// asked about in filters after all.
	mostPages = 200
	// answersLife is how long an answer that nobody has an address is good for,
	// counted from before it was asked for.
	answersLife = 30 * time.Second
	// listingPays is how many creations a run has that is long enough to list the
	// tenant anew each time that the answers are too old, in relistPages at most.
	listingPays = 2000
	relistPages = 40
	// addressesEach and homesEach are how many addresses one question is about, as
	// a rule: package entra makes them fit.
	addressesEach = 5
	homesEach     = 3
)

// addressAnswers is what a slice has found out about addresses, and which creations
// may have taken effect unseen.
type addressAnswers struct {
	absent map[string]time.Time // since when it is known that nobody had an address, folded
	// sent are the creations that this slice has sent and not journalled, but those
	// that Microsoft has not looked at; given the addresses in all that it has sent.
	sent  sentCreations
	given map[string]bool
	// unseen are the runs of which a former slice may have sent creations whose
	// outcome is not journalled.
	unseen   map[directory.RunID]bool
	outcomes outcomes
}

type sentCreations map[directory.ChangeID]bool

func newAddressAnswers(o outcomes) addressAnswers {
	return addressAnswers{absent: map[string]time.Time{}, sent: sentCreations{}, given: map[string]bool{}, unseen: map[directory.RunID]bool{}, outcomes: o}
}

// resume takes over a run. What former slices have sent of it is known when the last one
// of them that sent anything ended in order.
func (a *addressAnswers) resume(r *store.RunRecord, at *runs.Progress) {
	if _, known := a.unseen[r.ID]; known {
		return
	}
	if r.State == directory.RunPlanning && r.Chunks == 0 {
		at.Clean = true
	}
	a.unseen[r.ID] = !at.Clean
}

// leavesClean reports whether nothing of a run is unseen when this slice ends its work
// on it: of whatever it sent the outcome is journalled, or noted as unknown, and so it
// is of all before. What a former slice may have sent stays unseen until the run ends.
// A run that this slice has not come to is as it was.
func (a *addressAnswers) leavesClean(run directory.RunID, was bool) bool {
	unseen, resumed := a.unseen[run]
	if !resumed {
		return was
	}
	for id := range a.sent {
		if _, noted := a.outcomes[id]; !noted {
			return false
		}
	}
	return !unseen
}

// maySent reports whether a creation may have been sent already, or another one of
// its address, so that only a direct read tells whether it has taken effect.
func (a *addressAnswers) maySent(run directory.RunID, c *directory.Change) bool {
	_, unknown := a.outcomes[c.ID]
	return unknown || a.given[directory.FoldAddress(addressOf(c))] || a.unseen[run]
}

// noteAbsent notes that nobody has an address, by an answer that was asked for then.
func (a *addressAnswers) noteAbsent(address string, at time.Time) {
	a.absent[directory.FoldAddress(address)] = at
}

// noteSent forgets what was known of the address that a change gives which is sent: an
// account may have it from now on.
func (a *addressAnswers) noteSent(c *directory.Change) {
	if c.Effect == directory.EffectCreate {
		a.sent[c.ID] = true
	}
	if address := directory.FoldAddress(addressOf(c)); address != "" {
		delete(a.absent, address)
		a.given[address] = true
	}
}

// justAbsent reports whether nobody had an address a moment ago.
func (o *observer) justAbsent(address string) bool {
	at, known := o.answers.absent[directory.FoldAddress(address)]
	return known && o.s.now().Sub(at) < answersLife
}

// addressQuestion is the question who has an address.
type addressQuestion struct {
	address string
	// direct has the account that has it as userPrincipalName read directly: an
	// index may not show it yet.
	direct bool
}

// unlisted drops the addresses of which a listing says that nobody has them; at goes
// along.
func (o *observer) unlisted(ctx context.Context, l lane, list []addressQuestion, at []int) ([]addressQuestion, []int, error) {
	b := o.addresses
	b.asked += len(list)
	if b.asked > askSingly && !b.listed && !b.large {
		if err := b.list(ctx, l, mostPages); err != nil {
			return nil, nil, err
		}
	}
	if b.listed {
		list, at = o.dropNotShown(list, at)
	}
	return list, at, nil
}

// dropUnlisted drops the addresses of which a listing that is still good says that
// nobody has them; at goes along.
func (o *observer) dropUnlisted(list []addressQuestion, at []int) ([]addressQuestion, []int) {
	if !o.addresses.listed || o.s.now().Sub(o.addresses.at) >= answersLife {
		return list, at
	}
	return o.dropNotShown(list, at)
}

func (o *observer) dropNotShown(list []addressQuestion, at []int) (some []addressQuestion, where []int) {
	for n, q := range list {
		if q.direct || o.addresses.shows(q.address) {
			some, where = append(some, q), append(where, at[n])
			continue
		}
		o.answers.noteAbsent(q.address, o.addresses.at)
	}
	return some, where
}

// listAgain lists the tenant anew for a run of so many creations, where that costs
// less than asking about each address.
func (o *observer) listAgain(ctx context.Context, l lane, creations int) error {
	b := o.addresses
	if creations < listingPays || b.large || b.dear || b.listed && o.s.now().Sub(b.at) < answersLife {
		return nil
	}
	return b.list(ctx, l, relistPages)
}

// addressHolders finds out which accounts have addresses: one as userPrincipalName,
// and others as mail or proxy address. An index says who that may be; whoever it is
// is read directly before anything is decided about him.
func (o *observer) addressHolders(ctx context.Context, l lane, list []addressQuestion, selected []string) ([]directory.Found, error) {
	addresses := make([]string, len(list))
	for n, q := range list {
		addresses[n] = q.address
	}
	asked := o.s.now()
	found, err := o.inPieces(ctx, l, addresses, addressesEach, func(ctx context.Context, addresses []string) ([]directory.Found, error) {
		return o.tenant.Search(ctx, addresses, nil)
	})
	if err != nil {
		return nil, err
	}
	read, err := o.readHolders(ctx, l, list, found, selected)
	if err != nil {
		return nil, err
	}
	for n, q := range list {
		found[n] = read.holdersOf(q, found[n])
		if found[n].Err() == nil && found[n].Account == nil && len(found[n].Accounts) == 0 {
			o.answers.noteAbsent(q.address, asked)
		}
	}
	return found, nil
}

// accountsRead are accounts as they were read directly, by what they were asked for by.
type accountsRead map[string]directory.Found

// readHolders reads the accounts that a search has found, and those of the names
// that are to be read directly.
func (o *observer) readHolders(ctx context.Context, l lane, list []addressQuestion, found []directory.Found, selected []string) (accountsRead, error) {
	read := accountsRead{}
	var refs []string
	ask := func(ref string) {
		if _, twice := read[ref]; !twice {
			read[ref], refs = directory.Found{}, append(refs, ref)
		}
	}
	for n := range list {
		if found[n].Err() != nil {
			continue
		}
		if list[n].direct {
			ask(list[n].address)
		}
		for i := range found[n].Accounts {
			ask(string(found[n].Accounts[i].ID))
		}
	}
	if len(refs) == 0 {
		return read, nil
	}
	answers, err := o.lookup(ctx, l, refs, selected)
	if err != nil {
		return nil, err
	}
	for n, ref := range refs {
		read[ref] = answers[n]
	}
	return read, nil
}

// holdersOf is who has an address, of those whom a search has found. Of who cannot
// be read it is not known.
func (read accountsRead) holdersOf(q addressQuestion, found directory.Found) directory.Found {
	if found.Err() != nil {
		return found
	}
	var refs []string
	if q.direct {
		refs = append(refs, q.address)
	}
	for i := range found.Accounts {
		refs = append(refs, string(found.Accounts[i].ID))
	}
	var out directory.Found
	known := map[directory.AccountID]bool{}
	for _, ref := range refs {
		f := read[ref]
		switch a := f.Account; {
		case f.Err() != nil:
			return f
		case a == nil || known[a.ID] || !a.HasAddress(q.address):
			// Gone since the index was made, or not any more who has it.
		case directory.FoldAddress(a.UserPrincipalName()) == directory.FoldAddress(q.address):
			known[a.ID] = true
			out.Account = a
		default:
			known[a.ID] = true
			out.Accounts = append(out.Accounts, *a)
		}
	}
	return out
}

// addressBook is which addresses a tenant's accounts have, as far as a slice knows.
type addressBook struct {
	s      *session
	tenant Tenant
	asked  int
	listed bool
	at     time.Time           // when the listing began
	large  bool                // the tenant has too many accounts to be listed, or its pages do not end
	dear   bool                // it has too many to be listed again and again
	taken  map[uint64]struct{} // hashes of addresses
}

// shows reports whether the listing shows an address.
func (b *addressBook) shows(address string) bool {
	_, taken := b.taken[addressHash(address)]
	return taken
}

// list reads the addresses of all accounts, in so many pages at most. A listing that
// does not come to its end is of no use.
func (b *addressBook) list(ctx context.Context, l lane, most int) error {
	taken, link, began := map[uint64]struct{}{}, "", b.s.now()
	var progress directory.Paging
	for range most {
		if err := l.attend(ctx); err != nil {
			return err
		}
		if err := b.s.units(ctx, l, 2); err != nil {
			return err
		}
		page, err := awaited(ctx, b.s, l, func(ctx context.Context) (directory.AccountPage, error) {
			return b.tenant.List(ctx, []string{directory.PropUserPrincipalName, directory.PropOtherMails}, link)
		})
		if errors.Is(err, directory.ErrResync) {
			b.large = true // it cannot be listed; filters always work
			return nil
		}
		if err != nil {
			return err
		}
		b.s.sum.Pages++
		if _, err := progress.Add("the tenant's accounts", page.IDs(), page.Next); err != nil {
			b.s.log.Error("the tenant's pages do not come to an end", "connectionId", b.s.conn.ID, "pages", progress.Pages)
			b.large = true
			return nil
		}
		addAddresses(taken, &page)
		link = page.Next
		if link == "" {
			b.taken, b.listed, b.at = taken, true, began
			// An answer that takes long is too old when it has come.
			b.dear = b.s.now().Sub(began) > answersLife/2
			return nil
		}
	}
	b.dear, b.large = true, most == mostPages
	return nil
}

// addAddresses adds the addresses of a page's accounts.
func addAddresses(taken map[uint64]struct{}, page *directory.AccountPage) {
	for i := range page.Accounts {
		a := &page.Accounts[i]
		taken[addressHash(a.UserPrincipalName())] = struct{}{}
		taken[addressHash(a.Properties[directory.PropMail].String())] = struct{}{}
		for _, proxy := range a.ProxyAddresses {
			if _, address, ok := strings.Cut(proxy, ":"); ok { // "smtp:" or "SMTP:"
				taken[addressHash(address)] = struct{}{}
			}
		}
		if a.External() {
			for _, name := range homeNames(a) {
				taken[addressHash(name)] = struct{}{}
			}
		}
	}
}

// homeNames are what tells an external account's person besides mail and proxy
// addresses; its userPrincipalName without the domain at its end.
func homeNames(a *directory.Account) []string {
	names, _ := a.Properties[directory.PropOtherMails].List()
	for _, i := range a.Identities {
		names = append(names, i.IssuerAssignedID)
	}
	upn := a.UserPrincipalName()
	return append(names, upn[:strings.LastIndexByte(upn, '@')+1])
}

// mayBeExternal reports whether an external account may be that of the person
// with an address at home, as far as a listing says.
func (b *addressBook) mayBeExternal(address string) bool {
	return !b.listed || b.shows(address) || b.shows(directory.ExternalName(address))
}

func addressHash(address string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(directory.FoldAddress(address)))
	return h.Sum64()
}
