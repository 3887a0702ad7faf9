package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// Who has an address is asked about several addresses in one filter: its clauses
// are joined by "or", as many as Graph takes (G 2.8). Each clause by itself is one
// that Graph is known to serve. That it serves them together for all properties is
// not documented for each tenant, so that a filter that is refused with 400 is asked
// again address by address, and the Tenant asks no other way from then on.

const (
	// mostClauses is how many clauses Graph takes in one filter, G 2.8.
	mostClauses = 15
	// mostURL bounds the length of a question. Only advanced queries are known to
	// have a bound, of 2,048 characters with everything in front.
	mostURL = 1900
)

// addressSearch is one way to search for accounts by addresses.
type addressSearch struct {
	// clauses are those of a filter for an address, which is quoted for OData.
	clauses func(quoted string) []string
	// single are the clauses when each address is asked about by itself.
	single func(quoted string) []string
	// named says that single does not tell whose userPrincipalName an address is:
	// that is read directly.
	named bool
	// holds says of an account that was found whether it has the address.
	holds func(a *directory.Account, address string) bool
}

var (
	byAddress = addressSearch{
		clauses: func(quoted string) []string {
			return append([]string{"userPrincipalName eq '" + quoted + "'"}, mailClauses(quoted)...)
		},
		single: mailClauses, named: true, holds: (*directory.Account).HasAddress,
	}
	byHome = addressSearch{clauses: homeClauses, single: homeClauses, holds: (*directory.Account).AtHome}
)

func mailClauses(quoted string) []string {
	return []string{"mail eq '" + quoted + "'", "proxyAddresses/any(p:p eq 'smtp:" + quoted + "')"}
}

func homeClauses(quoted string) []string {
	return append(mailClauses(quoted), "otherMails/any(m:m eq '"+quoted+"')", "startswith(userPrincipalName,'"+directory.ExternalName(quoted)+"')")
}

// Search finds, for each address, the accounts that have it as userPrincipalName,
// mail or proxy address, and answers each in its place. What is found is read from
// an index, which lags behind direct reads (G 9).
func (t *Tenant) Search(ctx context.Context, addresses []string, selected []string) ([]directory.Found, error) {
	return t.search(ctx, addresses, newSelection(selected, identities, directory.PropUserPrincipalName), &byAddress)
}

// Externals finds, for each address, the external accounts whose person has it at
// home, and answers each in its place.
func (t *Tenant) Externals(ctx context.Context, addresses []string, selected []string) ([]directory.Found, error) {
	return t.search(ctx, addresses, newSelection(selected, identities, directory.PropUserPrincipalName, directory.PropOtherMails), &byHome)
}

// question is one request of a search.
type question struct {
	url    string
	places []int // of the addresses that it is about
	direct bool  // it reads the account that the address is the name of
}

// search asks about all addresses; those of a filter that says nothing of any of
// them, by themselves.
func (t *Tenant) search(ctx context.Context, addresses []string, sel selection, by *addressSearch) ([]directory.Found, error) {
	found := make([]directory.Found, len(addresses))
	places := make([]int, 0, len(addresses))
	for i, address := range addresses {
		if strings.TrimSpace(address) == "" {
			found[i].Problem = unfit("An empty address cannot be searched for")
			continue
		}
		places = append(places, i)
	}
	if !t.singly.Load() {
		unanswered, err := t.ask(ctx, together(addresses, places, sel, by), addresses, sel, by, found)
		if err != nil || len(unanswered) == 0 {
			return found, err
		}
		places = unanswered
		for _, i := range places {
			found[i] = directory.Found{}
		}
	}
	_, err := t.ask(ctx, singly(addresses, places, sel, by), addresses, sel, by, found)
	return found, err
}

// together are questions about as many addresses each as one filter takes.
func together(addresses []string, places []int, sel selection, by *addressSearch) []question {
	var list []question
	var clauses []string
	for _, i := range places {
		more := by.clauses(quote(addresses[i]))
		one := append(slices.Clip(clauses), more...)
		if len(clauses) == 0 || len(one) > mostClauses || len(filterURL(one, sel)) > mostURL {
			list, one = append(list, question{}), more
		}
		clauses = one
		q := &list[len(list)-1]
		q.url, q.places = filterURL(clauses, sel), append(q.places, i)
	}
	return list
}

// singly are questions about one address each.
func singly(addresses []string, places []int, sel selection, by *addressSearch) []question {
	var list []question
	for _, i := range places {
		list = append(list, question{url: filterURL(by.single(quote(addresses[i])), sel), places: []int{i}})
		if name := directory.FoldAddress(addresses[i]); by.named && validRef(name) {
			list = append(list, question{url: "/users" + segment(name) + "?" + sel.query, places: []int{i}, direct: true})
		}
	}
	return list
}

// quote folds an address and doubles its quotes, as OData wants it.
func quote(address string) string {
	return strings.ReplaceAll(directory.FoldAddress(address), "'", "''")
}

func filterURL(clauses []string, sel selection) string {
	return "/users?$filter=" + escapeQuery(strings.Join(clauses, " or ")) + "&" + sel.query
}

// ask sends questions and adds their answers to what is found. It returns the places
// of addresses that are to be asked about by themselves: the filter for several of
// them was refused, or has no answer that another try would give.
func (t *Tenant) ask(ctx context.Context, list []question, addresses []string, sel selection, by *addressSearch, found []directory.Found) (unanswered []int, err error) {
	requests := make([]batchItem, len(list))
	for n := range list {
		requests[n] = batchItem{Method: http.MethodGet, URL: list[n].url}
	}
	answers, err := t.readAll(ctx, requests)
	if err != nil {
		return nil, err
	}
	for n := range answers {
		q := &list[n]
		f, err := t.answered(ctx, &answers[n], q, sel)
		if err != nil {
			return nil, err
		}
		if f.Problem != nil && !f.Retry && !f.ConcernsAll() && len(q.places) > 1 {
			t.noteRefused(&answers[n], f.Problem)
			unanswered = append(unanswered, q.places...)
		}
		for _, i := range q.places {
			found[i] = joined(found[i], f, func(a *directory.Account) bool { return by.holds(a, addresses[i]) })
		}
	}
	return unanswered, nil
}

// noteRefused remembers that Graph does not serve a filter for several addresses.
func (t *Tenant) noteRefused(a *batchAnswer, p *directory.Problem) {
	if a.status == http.StatusBadRequest && !t.singly.Swap(true) {
		t.graph.log.Warn("a filter for several addresses was refused; they are asked about one by one", "code", p.Code, "requestId", p.RequestID)
	}
}

// answered is what one question found.
func (t *Tenant) answered(ctx context.Context, a *batchAnswer, q *question, sel selection) (directory.Found, error) {
	if !q.direct {
		return t.matches(ctx, a, sel)
	}
	f := t.found(a, sel)
	if f.Account != nil {
		f.Accounts, f.Account = []directory.Account{*f.Account}, nil
	}
	return f, nil
}

// joined adds what a question found to what others did about the same address. What
// is not known of one of them is not known.
func joined(have, more directory.Found, keep func(*directory.Account) bool) directory.Found {
	switch {
	case have.Err() != nil:
		return have
	case more.Err() != nil:
		return more
	}
	have.Accounts = kept(append(slices.Clip(have.Accounts), more.Accounts...), keep)
	return have
}

// matches reads the answer to one search, to its last page.
func (t *Tenant) matches(ctx context.Context, a *batchAnswer, sel selection) (directory.Found, error) {
	first, err := accountsFound(a, sel)
	if err != nil {
		return t.unread(a, a.classify(asked{act: actRead})), nil
	}
	all, err := collect(items(t.graph, "the accounts with an address", first, func(link *url.URL) (page[directory.Account], error) {
		next, err := t.page(ctx, "", link.String(), sel, nil, false)
		return accountPage(next), err
	}))
	switch {
	case isLoop(err):
		return loopedSearch(err), nil
	case err != nil:
		return directory.Found{}, unlinked(err)
	}
	return directory.Found{Accounts: all}, nil
}

// accountsFound reads the first page of a search. One that cannot be read is no
// answer.
func accountsFound(a *batchAnswer, sel selection) (page[directory.Account], error) {
	if a.status != http.StatusOK {
		return page[directory.Account]{}, errJSON
	}
	p, err := decodePage(a.body, sel, false)
	if err != nil {
		a.status = 0
		return page[directory.Account]{}, err
	}
	return accountPage(p), nil
}

func accountPage(p directory.AccountPage) page[directory.Account] {
	return page[directory.Account]{items: p.Accounts, ids: p.IDs(), next: p.Next}
}

// loopedSearch is the answer to a search whose pages turn in a circle: it says
// nothing about that address, and nothing about others.
func loopedSearch(err error) directory.Found {
	p, _ := errors.AsType[*directory.Problem](err)
	return directory.Found{Problem: p}
}

// unlinked is the error of a caller that has no link to drop.
func unlinked(err error) error {
	if errors.Is(err, directory.ErrResync) {
		return fmt.Errorf("%w: a link within a reading has expired", directory.ErrUnavailable)
	}
	return err
}

// kept are the accounts that are to be kept, each once.
func kept(accounts []directory.Account, keep func(*directory.Account) bool) []directory.Account {
	var out []directory.Account
	for i := range accounts {
		a := &accounts[i]
		if keep(a) && !slices.ContainsFunc(out, func(b directory.Account) bool { return b.ID == a.ID }) {
			out = append(out, *a)
		}
	}
	return out
}
