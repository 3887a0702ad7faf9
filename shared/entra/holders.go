package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
	var requests []batchItem
	seen := map[string]bool{}
	for _, address := range addresses {
		folded := directory.FoldAddress(address)
		if !strings.Contains(folded, "@") || seen[folded] {
			continue
		}
		seen[folded] = true
		for k := range searched {
			asks = append(asks, question{address, k})
			requests = append(requests, holderItem(k, folded))
		}
	}
	answers, err := t.readAll(ctx, requests)
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
		out.Found = append(out.Found, found...)
		if !all && len(found) == 0 {
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

// holderObject is an object of any of the kinds.
type holderObject struct {
	ID                string   `json:"id"`
	DisplayName       string   `json:"displayName"`
	UserPrincipalName string   `json:"userPrincipalName"`
	Mail              string   `json:"mail"`
	ProxyAddresses    []string `json:"proxyAddresses"`
}

// decodeHolders reads a page of any of the kinds.
func decodeHolders(body []byte) (page[holderObject], error) {
	var answer struct {
		Value []holderObject `json:"value"`
		Next  string         `json:"@odata.nextLink"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Value == nil {
		return page[holderObject]{}, fmt.Errorf("%w: %w", directory.ErrUnavailable, errJSON)
	}
	p := page[holderObject]{items: answer.Value, next: answer.Next}
	for _, o := range p.items {
		p.ids = append(p.ids, o.ID)
	}
	return p, nil
}

// errEnough ends a search that has read as far as is reasonable.
var errEnough = errors.New("a search has too many pages")

// holdersOf reads the answer to one question, to its last page or as far as is
// reasonable: a short name is the end of many. all tells that it came to the end.
func (t *Tenant) holdersOf(ctx context.Context, a *batchAnswer, kind int, address string) (found []directory.Holder, all bool, err error) {
	first, err := holdersFound(a)
	if err != nil {
		return nil, false, t.unsearched(a)
	}
	pages := 1
	objects := items(t.graph, "the "+string(searched[kind].kind)+"s with an address", first, func(link *url.URL) (page[holderObject], error) {
		if pages == maxHolderPages {
			return page[holderObject]{}, errEnough
		}
		pages++
		body, err := t.get(ctx, request{url: link, header: eventual}, priorityLow, true)
		if err != nil {
			return page[holderObject]{}, unlinked(err)
		}
		return decodeHolders(body)
	})
	for o, err := range objects {
		switch {
		case errors.Is(err, errEnough):
			return found, false, nil
		case isLoop(err): // told as a kind that was not searched
			t.graph.log.Warn("a search for holders of an address does not end", "kind", string(searched[kind].kind), "error", err)
			return found, false, nil
		case err != nil:
			return nil, false, err
		}
		if h, holds := o.holder(searched[kind].kind, address); holds {
			found = append(found, h)
		}
	}
	return found, true, nil
}

// holdersFound reads the first page of a search. One that cannot be read is no
// answer.
func holdersFound(a *batchAnswer) (page[holderObject], error) {
	if a.status != http.StatusOK {
		return page[holderObject]{}, errJSON
	}
	p, err := decodeHolders(a.body)
	if err != nil {
		a.status = 0
	}
	return p, err
}

// unsearched is the error of a search that was not answered.
func (t *Tenant) unsearched(a *batchAnswer) error {
	v := a.classify(asked{act: actRead})
	if retry, wait := a.again(v, t.graph.now()); retry {
		return fmt.Errorf("%w: %w", &directory.ThrottledError{RetryAfter: max(wait, minWait), Scope: throttleScope(a.header)}, v.problem)
	}
	return v.problem
}

// holder is the object as a holder of the address; false when it has it not: an end
// of a name is not the name.
func (o *holderObject) holder(kind directory.HolderKind, address string) (directory.Holder, bool) {
	folded := directory.FoldAddress(address)
	is := func(s string) bool { return directory.FoldAddress(s) == folded }
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
		return directory.Holder{}, false
	}
	return h, true
}
