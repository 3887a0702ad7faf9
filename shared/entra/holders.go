package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"bindery/shared/directory"
)

// searched are the kinds of objects that are searched for holders. A deleted
// account's name has its id in front, so that it is found by its end, which asks
// for Graph's advanced queries.
var searched = []struct {
	kind     directory.HolderKind
	path     string
	filter   string // %[1]s is the address, quoted for OData
	fields   string
	advanced bool
}{
	{directory.HolderUser, "/users", "userPrincipalName eq '%[1]s' or mail eq '%[1]s' or proxyAddresses/any(p:p eq 'smtp:%[1]s')",
		"id,displayName,userPrincipalName,mail,proxyAddresses", false},
	{directory.HolderGroup, "/groups", "mail eq '%[1]s' or proxyAddresses/any(p:p eq 'smtp:%[1]s')",
		"id,displayName,mail,proxyAddresses", false},
	{directory.HolderDeletedUser, "/directory/deletedItems/microsoft.graph.user", "endsWith(userPrincipalName,'%[1]s') or mail eq '%[1]s' or proxyAddresses/any(p:p eq 'smtp:%[1]s')",
		"id,displayName,userPrincipalName,mail,proxyAddresses", true},
}

// maxHolderPages bounds what one address is searched for in one kind.
const maxHolderPages = 10

// eventual asks for an advanced query; it is needed for each page.
var eventual = map[string]string{"ConsistencyLevel": "eventual"}

// Holders finds the users, groups and deleted users that have one of the
// addresses as their userPrincipalName, mail or proxy address; contacts cannot be
// searched. A kind that the connection may not read is left out and named. The
// errors are those of List.
func (t *Tenant) Holders(ctx context.Context, addresses []string) (directory.Holders, error) {
	type question struct {
		address string
		kind    int
	}
	var out directory.Holders
	var asks []question
	var items []batchItem
	seen := map[string]bool{}
	for _, address := range addresses {
		folded := directory.FoldAddress(address)
		if !strings.Contains(folded, "@") || seen[folded] {
			continue
		}
		seen[folded] = true
		for k := range searched {
			asks, items = append(asks, question{address, k}), append(items, holderItem(k, folded))
		}
	}
	answers, err := t.readAll(ctx, items)
	if err != nil {
		return out, err
	}
	for n := range answers {
		kind := searched[asks[n].kind].kind
		if slices.Contains(out.LeftOut, kind) {
			continue
		}
		found, all, err := t.holdersOf(ctx, &answers[n], asks[n].kind, asks[n].address)
		if p, ok := errors.AsType[*directory.Problem](err); ok && leftOut(p, kind) {
			out.LeftOut = append(out.LeftOut, kind)
			t.graph.log.Info("holders of an address were not searched among all kinds", "leftOut", string(kind), "code", p.Code, "requestId", p.RequestID)
			continue
		}
		if err != nil {
			return directory.Holders{}, err
		}
		if out.Found = append(out.Found, found...); !all && len(found) == 0 {
			out.LeftOut = append(out.LeftOut, kind)
		}
	}
	return out, nil
}

// leftOut reports whether a kind is passed over because of a problem: it may not
// be read, or the tenant cannot answer the advanced query.
func leftOut(p *directory.Problem, kind directory.HolderKind) bool {
	return p.MicrosoftStatus == http.StatusForbidden && p.Kind != directory.ProblemTransient ||
		kind == directory.HolderDeletedUser && p.MicrosoftStatus == http.StatusBadRequest
}

func holderItem(kind int, folded string) batchItem {
	s := &searched[kind]
	filter := fmt.Sprintf(s.filter, strings.ReplaceAll(folded, "'", "''"))
	item := batchItem{Method: http.MethodGet, URL: s.path + "?$filter=" + escapeQuery(filter) + "&$select=" + s.fields}
	if s.advanced {
		item.URL += "&$count=true"
		item.Headers = map[string]string{"ConsistencyLevel": "eventual"}
	}
	return item
}

// holderPage is a page of any of the kinds.
type holderPage struct {
	Value []struct {
		ID                string   `json:"id"`
		DisplayName       string   `json:"displayName"`
		UserPrincipalName string   `json:"userPrincipalName"`
		Mail              string   `json:"mail"`
		ProxyAddresses    []string `json:"proxyAddresses"`
	} `json:"value"`
	Next string `json:"@odata.nextLink"`
}

// holdersOf reads the answer to one question, to its last page or as far as is
// reasonable: a short name is the end of many.
func (t *Tenant) holdersOf(ctx context.Context, a *batchAnswer, kind int, address string) (found []directory.Holder, all bool, err error) {
	page := holderPage{}
	if a.status == http.StatusOK && (json.Unmarshal(a.body, &page) != nil || page.Value == nil) {
		a.status = 0
	}
	if a.status != http.StatusOK {
		v := a.classify(asked{act: actRead})
		if retry, wait := a.again(v, t.graph.now()); retry {
			return nil, false, fmt.Errorf("%w: %w", &directory.ThrottledError{RetryAfter: max(wait, minWait), Scope: throttleScope(a.header)}, v.problem)
		}
		return nil, false, v.problem
	}
	var progress directory.Paging
	for pages := 1; ; pages++ {
		found = page.holding(found, searched[kind].kind, address)
		if page.Next == "" || pages == maxHolderPages {
			return found, page.Next == "", nil
		}
		ids := make([]string, len(page.Value))
		for i := range page.Value {
			ids[i] = page.Value[i].ID
		}
		if _, err := progress.Add("the "+string(searched[kind].kind)+"s with an address", ids, page.Next); err != nil {
			t.graph.log.Warn("a search for holders of an address does not end", "kind", string(searched[kind].kind), "error", err)
			return found, false, nil // told as a kind that was not searched
		}
		u, err := t.graph.follow(page.Next)
		if err != nil {
			return nil, false, err
		}
		body, err := t.get(ctx, request{method: abs.GET, url: u, header: eventual}, priorityLow, true)
		if err != nil {
			return nil, false, unlinked(err)
		}
		page = holderPage{}
		if json.Unmarshal(body, &page) != nil || page.Value == nil {
			return nil, false, fmt.Errorf("%w: %w", directory.ErrUnavailable, errJSON)
		}
	}
}

// holding appends the objects of a page that have the address, each once: an end
// of a name is not the name.
func (p *holderPage) holding(out []directory.Holder, kind directory.HolderKind, address string) []directory.Holder {
	folded := directory.FoldAddress(address)
	is := func(s string) bool { return directory.FoldAddress(s) == folded }
	for _, o := range p.Value {
		name := o.UserPrincipalName
		if kind == directory.HolderDeletedUser {
			name = originalName(o.ID, name)
		}
		h := directory.Holder{Kind: kind, ID: o.ID, Name: o.DisplayName, UserPrincipalName: name, Address: address}
		switch {
		case is(name):
			h.Property = directory.PropUserPrincipalName
		case is(o.Mail):
			h.Property = "mail"
		case slices.ContainsFunc(o.ProxyAddresses, func(s string) bool { return directory.FoldAddress(s) == "smtp:"+folded }):
			h.Property = "proxyAddresses"
		default:
			continue
		}
		if !slices.ContainsFunc(out, func(x directory.Holder) bool { return x.ID == h.ID }) {
			out = append(out, h)
		}
	}
	return out
}
