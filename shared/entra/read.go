package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"bindery/shared/directory"
)

// pageSize is the most that Graph gives on a page of users.
const pageSize = "999"

// Me returns the account that authorised the connection.
func (t *Tenant) Me(ctx context.Context) (directory.Account, error) {
	sel := newSelection(nil, directory.PropDisplayName)
	u, err := t.graph.at("/me?" + sel.query)
	if err != nil {
		return directory.Account{}, err
	}
	body, err := t.get(ctx, request{url: u}, priorityHigh, false)
	if err != nil {
		return directory.Account{}, err
	}
	a, err := decodeAccount(body, sel)
	if err != nil {
		return directory.Account{}, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return a, nil
}

// get sends one read and explains its failure.
func (t *Tenant) get(ctx context.Context, r request, priority string, linked bool) ([]byte, error) {
	ctx, _, cancel := t.begin(ctx, priority)
	defer cancel()
	r.method = abs.GET
	body, err := t.graph.send(ctx, r)
	if err != nil {
		return nil, t.graph.explain(ctx, err, linked)
	}
	return body, nil
}

// List reads one page of the tenant's accounts; link is the page's Next, or ""
// for the first one. A page may be empty and have a Next; a service fault can
// begin the listing anew, so that callers count an account by its ID. The errors
// are ErrResync (begin anew, without the link), ErrForeignLink, ErrUnauthorized,
// ErrUnavailable and *ThrottledError of package directory, a *directory.Problem,
// or the token source's.
func (t *Tenant) List(ctx context.Context, selected []string, link string) (directory.AccountPage, error) {
	sel := newSelection(selected, identities)
	return t.page(ctx, "/users?$top="+pageSize+"&"+sel.query, link, sel, nil, false)
}

// Delta reads one page of a delta round: link "" begins with all accounts, Next
// goes on, and DeltaLink begins the next round. Items have only the properties
// that they were sent with, may come several times and in any order. Errors as
// those of List.
func (t *Tenant) Delta(ctx context.Context, selected []string, link string) (directory.AccountPage, error) {
	sel := newSelection(selected)
	// Preferences are not in the link: each page has to ask again.
	header := map[string]string{"Prefer": "odata.maxpagesize=" + pageSize}
	page, err := t.page(ctx, "/users/delta?"+sel.query, link, sel, header, true)
	if err == nil && page.Next == "" && page.DeltaLink == "" {
		return directory.AccountPage{}, fmt.Errorf("%w: a page of changes has no link to go on with", directory.ErrUnavailable)
	}
	return page, err
}

// page reads a link, or the path when there is none.
func (t *Tenant) page(ctx context.Context, path, link string, sel selection, header map[string]string, partial bool) (directory.AccountPage, error) {
	var none directory.AccountPage
	u, err := t.graph.at(path)
	if link != "" {
		u, err = t.graph.follow(link)
	}
	if err != nil {
		return none, err
	}
	body, err := t.get(ctx, request{url: u, header: header}, priorityLow, link != "")
	if err != nil {
		return none, err
	}
	page, err := decodePage(body, sel, partial)
	if err != nil {
		return none, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	// A link is refused when it comes in, before anybody keeps it.
	for _, next := range []string{page.Next, page.DeltaLink} {
		if next == "" {
			continue
		}
		if _, err := t.graph.follow(next); err != nil {
			return none, err
		}
	}
	return page, nil
}

// Lookup reads accounts directly, by ID or userPrincipalName, and answers each in
// its place. Only a 404 of Graph itself makes an empty Found.
func (t *Tenant) Lookup(ctx context.Context, refs []string, selected []string) ([]directory.Found, error) {
	sel := newSelection(selected, identities)
	return t.find(ctx, refs, sel, func(ref string) string { return "/users" + segment(ref) + "?" + sel.query })
}

// Deleted reads soft-deleted accounts directly, by ID. Their userPrincipalName is
// the one that restoring gives back.
func (t *Tenant) Deleted(ctx context.Context, ids []directory.AccountID, selected []string) ([]directory.Found, error) {
	sel := newSelection(selected, "deletedDateTime", identities)
	refs := make([]string, len(ids))
	for i, id := range ids {
		refs[i] = string(id)
	}
	found, err := t.find(ctx, refs, sel, func(ref string) string {
		return "/directory/deletedItems" + segment(ref) + "/microsoft.graph.user?" + sel.query
	})
	for _, f := range found {
		if f.Account != nil {
			restoreName(f.Account)
		}
	}
	return found, err
}

// restoreName takes off what a deleted account's name gets in front.
func restoreName(a *directory.Account) {
	if name := a.UserPrincipalName(); name != "" {
		a.Properties[directory.PropUserPrincipalName] = directory.StringValue(originalName(string(a.ID), name))
	}
}

// originalName is a deleted account's name without the dashless ID in front.
func originalName(id, name string) string {
	prefix := strings.ReplaceAll(id, "-", "")
	if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
		return name[len(prefix):]
	}
	return name
}

// segment appends a reference to a path. A name that begins with $ would be
// taken for an operator and is spelled as a key.
func segment(ref string) string {
	if strings.HasPrefix(ref, "$") {
		return "('" + url.PathEscape(strings.ReplaceAll(ref, "'", "''")) + "')"
	}
	return "/" + url.PathEscape(ref)
}

// validRef reports whether a reference is an ID or a userPrincipalName; anything
// else might be read as another path, the whole collection for one.
func validRef(ref string) bool {
	return validID(ref) || strings.Contains(ref, "@") && !strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == '/' || r == '\\' || r == 0x7f })
}

// validID reports whether an ID has the form of an object's.
func validID(id string) bool {
	return len(id) == 36 && strings.Count(id, "-") == 4 && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F')
	})
}

// unfit is the problem of a request that cannot be made.
func unfit(what string) *directory.Problem {
	return &directory.Problem{Code: directory.CodeRequestInvalid, Message: what + ".", Next: "Report this; nothing was sent."}
}

// find reads objects in batches.
func (t *Tenant) find(ctx context.Context, refs []string, sel selection, path func(ref string) string) ([]directory.Found, error) {
	found := make([]directory.Found, len(refs))
	items := make([]batchItem, 0, len(refs))
	places := make([]int, 0, len(refs)) // of the items in found
	for i, ref := range refs {
		if !validRef(ref) {
			found[i].Problem = unfit("An account can be looked up by its id or userPrincipalName only")
			continue
		}
		items = append(items, batchItem{Method: http.MethodGet, URL: path(ref)})
		places = append(places, i)
	}
	answers, err := t.readAll(ctx, items)
	if err != nil {
		return nil, err
	}
	for n := range answers {
		found[places[n]] = t.found(&answers[n], sel)
	}
	return found, nil
}

// readAll sends any number of reads, batch by batch.
func (t *Tenant) readAll(ctx context.Context, items []batchItem) ([]batchAnswer, error) {
	answers := make([]batchAnswer, 0, len(items))
	for part := range slices.Chunk(items, batchSize) {
		some, err := t.readBatch(ctx, part)
		if err != nil {
			return nil, err
		}
		answers = append(answers, some...)
	}
	return answers, nil
}

func (t *Tenant) readBatch(ctx context.Context, items []batchItem) ([]batchAnswer, error) {
	ctx, call, cancel := t.begin(ctx, priorityLow)
	defer cancel()
	answers, err := t.batch(ctx, call, items)
	if err != nil {
		return nil, t.graph.explain(ctx, err, false)
	}
	return answers, nil
}

// found says what one answer means.
func (t *Tenant) found(a *batchAnswer, sel selection) directory.Found {
	if a.status >= 200 && a.status < 300 {
		account, err := decodeAccount(a.body, sel)
		if err == nil {
			return directory.Found{Account: &account}
		}
		a.status = 0 // an answer that cannot be read is none
	}
	v := a.classify(asked{act: actRead})
	if v.missing {
		return directory.Found{}
	}
	return t.unread(a, v)
}

// unread is an answer that says nothing about an account.
func (t *Tenant) unread(a *batchAnswer, v verdict) directory.Found {
	f := directory.Found{Problem: v.problem}
	f.Retry, f.RetryAfter = a.again(v, t.graph.now())
	if v.throttled {
		f.Scope = throttleScope(a.header)
	}
	return f
}
