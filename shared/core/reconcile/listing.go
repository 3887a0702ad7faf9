package reconcile

import (
	"cmp"
	"context"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// A full round compares every account of the tenant with what is bound. Reading for
// each page of the tenant whose its accounts are, and then these bindings, and all
// bindings once more for those that no page had, cost three reads of a binding. So
// the bindings are listed once, ahead of the round, by a weak read (half a unit for
// each), and what must be known of them is kept in memory: some sixty bytes each.
//
// A listing is older than the truth, by a moment or by as long as the round takes.
// That must cost no more than a needless look:
//
//   - A binding that an edit or an admin changes is marked by that very write, and
//     what is marked needs no mark. So is one that is new.
//   - A binding that is changed without a mark is changed by a journal, and so by
//     whoever has the lease. What this slice has journalled since the listing began is
//     read directly (sinceListed); and nothing is listed within settleTime of a
//     journal, of this slice or of an earlier one, which the lease remembers
//     (Pace.Noted). Until then the round reads as if there were no listing.
//   - What differs is in any case read directly before it is marked: whose account it
//     is, and what was agreed.

// settleTime is after which time a weak read shows what was written. DynamoDB's are
// behind by less than a second, as a rule.
const settleTime = time.Minute

// listingPage is how many bindings are listed at a time.
const listingPage = 500

// listing is a connection's bindings of accounts as they were a moment ago.
type listing struct {
	list      []listedBinding // in the order of the store's listing
	ids       []byte          // the users' IDs, one after the other
	byAccount []uint32        // places in list, by the hash of the account
	pages     []listedPage
}

// listedBinding is what a round needs of a binding.
type listedBinding struct {
	account uint64 // accountHash; noAccount: none
	digest  int64  // of the values that were agreed, where nothing is marked; else 0
	id      uint32 // where the user's ID begins in ids; it ends where the next one begins
	blocked bool   // the block in force is ours
}

// noAccount stands for the account of a binding without one.
const noAccount = 0

// listedPage is a page of the store's listing.
type listedPage struct {
	first  int    // place in list
	cursor string // of the page
}

func (l *listing) add(sum *store.BindingSummary) {
	b := listedBinding{id: uint32(len(l.ids)), blocked: sum.Blocked, account: noAccount}
	if sum.AccountID != "" {
		b.account = accountHash(sum.AccountID)
	}
	if sum.Settled {
		b.digest = sum.Digest
	}
	l.ids = append(l.ids, sum.Ref.User()...)
	l.list = append(l.list, b)
}

// sort makes the listing ready to be asked.
func (l *listing) sort() {
	l.byAccount = make([]uint32, len(l.list))
	for i := range l.byAccount {
		l.byAccount[i] = uint32(i)
	}
	slices.SortFunc(l.byAccount, func(a, b uint32) int { return cmp.Compare(l.list[a].account, l.list[b].account) })
}

func (l *listing) user(i int) directory.UserID {
	end := len(l.ids)
	if i+1 < len(l.list) {
		end = int(l.list[i+1].id)
	}
	return directory.UserID(l.ids[l.list[i].id:end])
}

// find returns the places of the bindings whose account has a hash: none, one, or,
// of two IDs with the same hash, several.
func (l *listing) find(hash uint64) []uint32 {
	from, _ := slices.BinarySearchFunc(l.byAccount, hash, func(i uint32, h uint64) int { return cmp.Compare(l.list[i].account, h) })
	to := from
	for to < len(l.byAccount) && l.list[l.byAccount[to]].account == hash {
		to++
	}
	return l.byAccount[from:to]
}

// page returns the places of a page of the listing, and the cursor of the next one;
// found is false when the cursor is not one of this listing.
func (l *listing) page(cursor string) (from, to int, next string, found bool) {
	i := slices.IndexFunc(l.pages, func(p listedPage) bool { return p.cursor == cursor })
	if i < 0 {
		return 0, 0, "", false
	}
	from, to = l.pages[i].first, len(l.list)
	if i+1 < len(l.pages) {
		to, next = l.pages[i+1].first, l.pages[i+1].cursor
	}
	return from, to, next, true
}

// settled reports whether a weak read shows all that was journalled.
func (rd *rounds) settled() bool {
	return !rd.s.now().Before(rd.s.lease.Pace.Noted.Add(settleTime))
}

// list lists the bindings, where that is of use. A slice that had no time for it
// would come no further with the next one either: it goes on without.
func (rd *rounds) list(ctx context.Context, l lane) error {
	if rd.listing != nil || rd.unlisted || !rd.settled() {
		return nil
	}
	rd.journalled.forget()
	until := rd.s.now().Add(rd.s.until.Sub(rd.s.now()) / 2)
	fresh := &listing{}
	for cursor := ""; ; {
		if err := l.attend(ctx); err != nil {
			return err
		}
		if rd.s.now().After(until) {
			rd.unlisted = true
			return nil
		}
		sums, next, err := rd.standings.ListBindingSummaries(ctx, directory.KindAccount, &rd.s.lease, cursor, listingPage, true)
		if err != nil {
			return err
		}
		fresh.pages = append(fresh.pages, listedPage{len(fresh.list), cursor})
		for i := range sums {
			fresh.add(&sums[i])
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	fresh.sort()
	rd.listing = fresh
	return nil
}

// owners returns whose the accounts of a page are.
func (rd *rounds) owners(ctx context.Context, link *store.ReadLink, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error) {
	if rd.listing == nil || !link.Full {
		return rd.accounts.AccountOwners(ctx, &rd.s.conn, ids)
	}
	owners := map[directory.AccountID]directory.UserID{}
	var ask []directory.AccountID
	for _, id := range ids {
		hash := accountHash(id)
		listed := rd.listing.find(hash)
		switch {
		case rd.journalled.accounts[hash], len(listed) > 1:
			ask = append(ask, id)
		case len(listed) == 1:
			owners[id] = rd.listing.user(int(listed[0]))
		}
	}
	if len(ask) == 0 {
		return owners, nil
	}
	asked, err := rd.accounts.AccountOwners(ctx, &rd.s.conn, ask)
	for id, user := range asked {
		owners[id] = user
	}
	return owners, err
}

// digests returns, for the accounts of a page with their owners, the digests of the
// values that were agreed; 0, or none, for what is to be read directly.
func (rd *rounds) digests(ctx context.Context, full bool, owners map[directory.AccountID]directory.UserID) (map[directory.AccountID]int64, error) {
	digests := make(map[directory.AccountID]int64, len(owners))
	if full && rd.listing != nil {
		for id, user := range owners {
			listed := rd.listing.find(accountHash(id))
			if len(listed) == 1 && !rd.journalled.users[user] {
				digests[id] = rd.listing.list[listed[0]].digest
			}
		}
		return digests, nil
	}
	users := make([]directory.UserID, 0, len(owners))
	for _, u := range owners {
		users = append(users, u)
	}
	summaries, err := rd.standings.BindingSummaries(ctx, &rd.s.lease, directory.AccountsOf(users))
	if err != nil {
		return nil, err
	}
	for id, user := range owners {
		if sum := summaries[directory.AccountOf(user)]; sum.Settled {
			digests[id] = sum.Digest
		}
	}
	return digests, nil
}

// unseenPage lists the bindings of a page of the sweep whose accounts were not seen,
// and those of them whose block is ours.
func (rd *rounds) unseenPage(ctx context.Context, r *round, cursor string) (unseen, blocked []directory.UserID, next string, err error) {
	note := func(user directory.UserID, account uint64, isBlocked bool) {
		_, seen := r.seen[account]
		if account == noAccount || !seen || rd.journalled.claims[user] {
			unseen = append(unseen, user)
		}
		if isBlocked {
			blocked = append(blocked, user)
		}
	}
	if rd.listing != nil {
		if from, to, next, found := rd.listing.page(cursor); found {
			for i := from; i < to; i++ {
				b := &rd.listing.list[i]
				note(rd.listing.user(i), b.account, b.blocked)
			}
			return unseen, blocked, next, nil
		}
	}
	sums, next, err := rd.standings.ListBindingSummaries(ctx, directory.KindAccount, &rd.s.lease, cursor, listingPage, rd.settled())
	for i := range sums {
		account := uint64(noAccount)
		if sums[i].AccountID != "" {
			account = accountHash(sums[i].AccountID)
		}
		note(sums[i].Ref.User(), account, sums[i].Blocked)
	}
	return unseen, blocked, next, err
}

// sinceListed is what of bindings a slice has changed since its listing was begun.
type sinceListed struct {
	s        *session
	users    map[directory.UserID]bool
	claims   map[directory.UserID]bool // those that got an account
	accounts map[uint64]bool           // hashes of these
}

func (j *sinceListed) forget() {
	j.users, j.claims, j.accounts = map[directory.UserID]bool{}, map[directory.UserID]bool{}, map[uint64]bool{}
}

func (j *sinceListed) note(list []store.BindingChange) {
	if len(list) == 0 {
		return
	}
	j.s.lease.Pace.Noted = j.s.now().UTC().Truncate(time.Second).Add(time.Second) // it is short in the lease's record
	for i := range list {
		user := list[i].Ref.User()
		if user == "" || j.users == nil {
			continue
		}
		j.users[user] = true
		if list[i].Claim != "" {
			j.claims[user], j.accounts[accountHash(list[i].Claim)] = true, true
		}
	}
}

// notedJournal is a journal of which it is known what it changes.
type notedJournal struct {
	journalStore
	journalled *sinceListed
	read       *justRead
	dependents *dependents
}

// Journal notes the bindings before they are changed: it may be that the answer is
// lost.
func (n notedJournal) Journal(ctx context.Context, l *store.Lease, c *directory.Connection, j store.Journal) error {
	n.journalled.note(j.Bindings)
	j.Read = n.read.forget()
	j.Bindings = n.dependents.watch(j.Bindings)
	err := n.journalStore.Journal(ctx, l, c, j)
	if err == nil {
		n.dependents.written()
	}
	return err
}
