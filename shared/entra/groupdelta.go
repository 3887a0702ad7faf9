package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// MostGroupsOfDelta is how many groups one round of changes can be kept to (GG 7).
const MostGroupsOfDelta = 50

// deltaSelect is what a round of group changes tells of. That it tells of licences is not
// proved ([K]).
const deltaSelect = "displayName,description,mailNickname,members," + directory.PropAssignedLicences

// GroupDelta reads one page of a round of group changes with the members that came and
// went: link "" begins with all that there is, of the groups or, without any, of all
// groups of the tenant; Next goes on, and DeltaLink begins the next round, which is of
// the same groups. Its marks prove nothing. Errors as those of List: ErrResync says
// that the link is dead.
func (t *Tenant) GroupDelta(ctx context.Context, groups []directory.TenantGroupID, link string) (directory.TenantGroupDelta, error) {
	return t.groupDelta(ctx, groups, link, "")
}

// GroupDeltaFromNow is the first page of a round that tells of later changes only.
func (t *Tenant) GroupDeltaFromNow(ctx context.Context, groups []directory.TenantGroupID) (directory.TenantGroupDelta, error) {
	return t.groupDelta(ctx, groups, "", "&$deltatoken=latest")
}

// GroupDeltas reads a page of each of several rounds in as few requests as possible,
// by their links, and answers each in its place. A Problem with CodeSyncStateExpired
// or CodePageLinkExpired says that the link is dead.
func (t *Tenant) GroupDeltas(ctx context.Context, links []string) ([]directory.Read[directory.TenantGroupDelta], error) {
	found := make([]directory.Read[directory.TenantGroupDelta], len(links))
	items := make([]batchItem, len(links))
	for i, link := range links {
		u, err := t.graph.follow(link)
		if err != nil {
			return nil, err
		}
		items[i] = batchItem{Method: http.MethodGet, Headers: map[string]string{"Prefer": preferDelta},
			URL: strings.TrimPrefix(u.EscapedPath(), t.graph.base.EscapedPath()) + "?" + u.RawQuery}
	}
	answers, err := t.readAll(ctx, items)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		found[i] = readOf(t, &answers[i], t.decodeGroupDelta)
	}
	return found, nil
}

// preferDelta asks for properties that have changed only. Preferences are not in the
// link: each page has to ask again.
const preferDelta = "return=minimal"

func (t *Tenant) groupDelta(ctx context.Context, groups []directory.TenantGroupID, link, token string) (directory.TenantGroupDelta, error) {
	var none directory.TenantGroupDelta
	u, err := t.graph.at("/groups/delta?$select=" + deltaSelect + token)
	switch {
	case link != "":
		u, err = t.graph.follow(link)
	case len(groups) > 0:
		var filter string
		if filter, err = byIDs(groups); err == nil {
			u, err = t.graph.at("/groups/delta?$select=" + deltaSelect + "&$filter=" + escapeQuery(filter) + token)
		}
	}
	if err != nil {
		return none, err
	}
	body, err := t.get(ctx, request{url: u, header: map[string]string{"Prefer": preferDelta}}, priorityLow, link != "")
	if err != nil {
		return none, err
	}
	page, err := t.decodeGroupDelta(body)
	if err != nil && !errors.Is(err, directory.ErrForeignLink) {
		err = fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return page, err
}

// byIDs is a filter of some groups.
func byIDs(groups []directory.TenantGroupID) (string, error) {
	if len(groups) > MostGroupsOfDelta {
		return "", fmt.Errorf("%w: changes of %d groups at once, at most %d: %w", directory.ErrNotSent, len(groups), MostGroupsOfDelta, directory.ErrInvalid)
	}
	terms := make([]string, len(groups))
	for i, id := range groups {
		if !validID(string(id)) {
			return "", fmt.Errorf("%w: %q is not the ID of a group: %w", directory.ErrNotSent, clip(string(id), 64), directory.ErrInvalid)
		}
		terms[i] = "id eq '" + string(id) + "'"
	}
	return strings.Join(terms, " or "), nil
}

// decodeGroupDelta reads a page of group changes, and refuses one that ends the round
// without a link to go on with, or with one that leads elsewhere.
func (t *Tenant) decodeGroupDelta(body []byte) (directory.TenantGroupDelta, error) {
	page, err := decodeGroupDelta(body)
	if err != nil {
		return directory.TenantGroupDelta{}, err
	}
	if page.Next == "" && page.DeltaLink == "" {
		return directory.TenantGroupDelta{}, fmt.Errorf("%w: a page of changes has no link to go on with", errJSON)
	}
	for _, link := range []string{page.Next, page.DeltaLink} {
		if link == "" {
			continue
		}
		if _, err := t.graph.follow(link); err != nil {
			return directory.TenantGroupDelta{}, err
		}
	}
	return page, nil
}

func decodeGroupDelta(body []byte) (directory.TenantGroupDelta, error) {
	var page directory.TenantGroupDelta
	s := scanner{data: body}
	found := false
	s.object(func(key []byte) {
		switch string(key) {
		case "value":
			found = true
			s.array(func() { page.Marks = append(page.Marks, s.groupMark()) })
		case "@odata.nextLink":
			page.Next = s.optional()
		case "@odata.deltaLink":
			page.DeltaLink = s.optional()
		default:
			s.skip()
		}
	})
	if err := s.end(); err != nil {
		return directory.TenantGroupDelta{}, err
	}
	if !found {
		return directory.TenantGroupDelta{}, fmt.Errorf("%w: it has no value", errJSON)
	}
	return page, nil
}

// groupMark takes one item of a round of group changes.
func (s *scanner) groupMark() (m directory.TenantGroupMark) {
	s.object(func(key []byte) {
		switch name := string(key); {
		case name == "id":
			m.ID = directory.TenantGroupID(s.optional())
		case name == "@removed":
			m.Removed, m.Permanent = true, s.removal()
		case name == "members@delta":
			s.array(func() {
				who, removed := s.member()
				m.Members = append(m.Members, directory.MemberMark{TenantMember: who, Removed: removed})
			})
		case name == directory.PropAssignedLicences:
			m.Licences = s.licences()
		case !slices.Contains(key, '@'):
			m.Profile = true
			s.skip()
		default:
			s.skip()
		}
	})
	if !validID(string(m.ID)) {
		s.fail()
	}
	return m
}

// removal takes why an object is marked as removed: whether it is gone for good.
func (s *scanner) removal() (permanent bool) {
	if s.next() != '{' {
		s.skip()
		return false
	}
	return s.permanent()
}
