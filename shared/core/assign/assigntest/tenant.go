// Package assigntest has a tenant in memory, for tests of what reads the accounts of
// tenants.
package assigntest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"bindery/shared/directory"
)

// Tenant lists accounts in pages of Size; it is an assign.Tenant.
type Tenant struct {
	Accounts []directory.Account
	Holders  []directory.AccountID // of directory roles
	Size     int
	// Fail, when set, may fail a call of List or Lookup, by its number.
	Fail func(call int) error
	// Onward, when set, may give the page that was read from a link another link
	// onward, by the number of the call.
	Onward func(link, next string, call int) string

	mu    sync.Mutex
	calls int
}

// Account is a member of the tenant; more are further properties with their values.
func Account(id, upn string, more ...string) directory.Account {
	a := directory.Account{ID: directory.AccountID(id), UserType: "Member", Properties: directory.Properties{
		directory.PropUserPrincipalName: directory.StringValue(upn), directory.PropMail: directory.StringValue(upn),
		directory.PropDisplayName: directory.StringValue("Name " + id), directory.PropGivenName: directory.StringValue("Given"),
		directory.PropSurname: directory.StringValue("Sur" + id), directory.PropAccountEnabled: directory.BoolValue(true),
	}}
	for i := 0; i+1 < len(more); i += 2 {
		a.Properties[more[i]] = directory.StringValue(more[i+1])
	}
	return a
}

// Calls is how often List and Lookup were called.
func (t *Tenant) Calls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls
}

// call counts a call, and returns its number and the error that it is to have.
func (t *Tenant) call() (int, error) {
	t.mu.Lock()
	t.calls++
	n, fail := t.calls, t.Fail
	t.mu.Unlock()
	if fail == nil {
		return n, nil
	}
	return n, fail(n)
}

// List returns the page that a link leads to.
func (t *Tenant) List(_ context.Context, _ []string, link string) (directory.AccountPage, error) {
	n, err := t.call()
	if err != nil {
		return directory.AccountPage{}, err
	}
	from := 0
	if link != "" {
		if _, err := fmt.Sscanf(link, "https://graph.example/v1.0/users?$skiptoken=%d", &from); err != nil {
			return directory.AccountPage{}, directory.ErrForeignLink
		}
	}
	end := min(from+t.Size, len(t.Accounts))
	p := directory.AccountPage{Accounts: slices.Clone(t.Accounts[from:end])}
	if end < len(t.Accounts) {
		p.Next = fmt.Sprintf("https://graph.example/v1.0/users?$skiptoken=%d", end)
	}
	if t.Onward != nil {
		p.Next = t.Onward(link, p.Next, n)
	}
	return p, nil
}

// Lookup returns accounts by their IDs.
func (t *Tenant) Lookup(_ context.Context, refs []string, _ []string) ([]directory.Found, error) {
	if _, err := t.call(); err != nil {
		return nil, err
	}
	out := make([]directory.Found, len(refs))
	for i, ref := range refs {
		for _, a := range t.Accounts {
			if string(a.ID) == ref {
				out[i].Account = &a
			}
		}
	}
	return out, nil
}

// RoleHolders returns Holders.
func (t *Tenant) RoleHolders(context.Context) (directory.Privileged, error) {
	return directory.Privileged{Holders: t.Holders}, nil
}

// Circles are the ways in which the list of a tenant of 120 accounts, in pages of
// 50, turns in a circle.
var Circles = map[string]func(link, next string, call int) string{
	"the same link": func(link, next string, _ int) string {
		if link != "" {
			return link
		}
		return next
	},
	"a cycle of links": func(_, next string, _ int) string {
		if next == "" {
			return "https://graph.example/v1.0/users?$skiptoken=0"
		}
		return next
	},
	"ever new links": func(_, next string, call int) string {
		if next == "" {
			return fmt.Sprintf("https://graph.example/v1.0/users?$skiptoken=50&$count=%d", call)
		}
		return next
	},
}

// Many are n accounts of corp.example.
func Many(n int) []directory.Account {
	list := make([]directory.Account, n)
	for i := range n {
		list[i] = Account(fmt.Sprint("id-", i), fmt.Sprintf("p%d@corp.example", i))
	}
	return list
}

// Zoo is a tenant with one account of every kind, and the settings that make them so.
func Zoo() (*Tenant, func(*directory.Settings)) {
	guest := Account("guest", "guest@corp.example")
	guest.UserType = "Guest"
	external := Account("external", "yan_sister.example#EXT#@corp.example", directory.PropMail, "yan@sister.example")
	synced := Account("synced", "synced@corp.example")
	synced.OnPremisesSync = true
	blocked := Account("blocked", "blocked@corp.example")
	blocked.Properties[directory.PropAccountEnabled] = directory.BoolValue(false)
	nameless := Account("nameless", "nameless@corp.example")
	nameless.Properties[directory.PropSurname] = directory.Null
	t := &Tenant{Size: 50, Holders: []directory.AccountID{"ROLE"}, Accounts: []directory.Account{
		Account("new", "new@corp.example", "department", "Sales", "usageLocation", "DE"),
		Account("known", "Known@corp.example"), Account("mapped", "mapped@m365.example"),
		Account("bound", "bound@corp.example"), guest, external, synced, blocked, nameless,
		Account("role", "role@corp.example"), Account("listed", "listed@corp.example"),
	}}
	return t, func(s *directory.Settings) {
		s.Protected = []string{"LISTED@corp.example"}
		s.DomainMap = map[string]string{"sub.example": "m365.example"}
		s.Import.Attributes = []string{"department", "usageLocation"}
	}
}
