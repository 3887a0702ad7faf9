package reconcile

import (
	"context"
	"errors"
	"hash/fnv"
	"strings"

	"bindery/shared/directory"
)

// A load of users without an account asks for each of them who has its address.
// Asking Microsoft one by one costs more of the quota for reading than a load
// may take, so that a large one lists the tenant's addresses once and asks only
// about those that occur there. What the listing does not show is planned as a
// creation, and confirmed by a direct read right before it is sent.

const (
	// askSingly is how many addresses a slice asks about one by one before it
	// lists the tenant.
	askSingly = 100
	// mostPages bounds the listing: of a tenant larger than that, addresses are
	// asked one by one after all.
	mostPages = 200
)

// addressBook is which addresses a tenant's accounts have, as far as a slice knows.
type addressBook struct {
	s      *session
	tenant Tenant
	asked  int
	listed bool
	large  bool                // the tenant has too many accounts to be listed, or its pages do not end
	taken  map[uint64]struct{} // hashes of addresses
}

// known drops the addresses of which a listing says that nobody has them; at
// goes along.
func (b *addressBook) known(ctx context.Context, l lane, addresses []string, at []int) ([]string, []int, error) {
	b.asked += len(addresses)
	if b.asked > askSingly && !b.listed && !b.large {
		if err := b.list(ctx, l); err != nil {
			return nil, nil, err
		}
	}
	if !b.listed {
		return addresses, at, nil
	}
	var some []string
	var where []int
	for n, a := range addresses {
		if _, taken := b.taken[addressHash(a)]; taken {
			some, where = append(some, a), append(where, at[n])
		}
	}
	return some, where, nil
}

// list reads the addresses of all accounts. A listing that does not come to
// its end is of no use.
func (b *addressBook) list(ctx context.Context, l lane) error {
	taken, link := map[uint64]struct{}{}, ""
	var progress directory.Paging
	for range mostPages {
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
			b.large = true // it cannot be listed; asking one by one always works
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
		link = page.Next
		if link == "" {
			b.taken, b.listed = taken, true
			return nil
		}
	}
	b.large = true
	return nil
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
	if !b.listed {
		return true
	}
	_, named := b.taken[addressHash(address)]
	_, invited := b.taken[addressHash(directory.ExternalName(address))]
	return named || invited
}

func addressHash(address string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(directory.FoldAddress(address)))
	return h.Sum64()
}
