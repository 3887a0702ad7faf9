package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bindery/shared/directory"
)

// groupSelect is what is read of a tenant group: all that says what kind it is (GG 2.4),
// so that none is ever taken for one that may be written. Properties that Exchange
// answers for are never asked for: without it the whole read would be refused.
const groupSelect = "$select=id,displayName,description,mailNickname,mail,uniqueName,groupTypes,securityEnabled,mailEnabled,membershipRule,visibility," +
	"onPremisesSyncEnabled,isAssignableToRole,isManagementRestricted,assignedLicenses,licenseProcessingState,createdDateTime,deletedDateTime"

// Groups reads tenant groups directly, by ID, and answers each in its place. Only a
// 404 of Graph itself makes an answer without a group: it is not there, or was made
// moments ago.
func (t *Tenant) Groups(ctx context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.TenantGroup], error) {
	return readEach(ctx, t, ids, decodeGroup, func(id directory.TenantGroupID) (string, bool) {
		return "/groups/" + url.PathEscape(string(id)) + "?" + groupSelect, validID(string(id))
	})
}

// GroupsByUniqueName reads tenant groups by their uniqueName, as Groups does by ID.
func (t *Tenant) GroupsByUniqueName(ctx context.Context, names []string) ([]directory.Read[directory.TenantGroup], error) {
	return readEach(ctx, t, names, decodeGroup, func(name string) (string, bool) {
		return uniquePath(name) + "?" + groupSelect, validUniqueName(name)
	})
}

// DeletedGroups reads soft-deleted tenant groups directly, by ID.
func (t *Tenant) DeletedGroups(ctx context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.TenantGroup], error) {
	return readEach(ctx, t, ids, decodeGroup, func(id directory.TenantGroupID) (string, bool) {
		return "/directory/deletedItems/" + url.PathEscape(string(id)) + "?" + groupSelect, validID(string(id))
	})
}

// ListGroups reads one page of the tenant's groups that a query asks for; link is the
// page's Next, or "" for the first one. Errors as those of List.
func (t *Tenant) ListGroups(ctx context.Context, q directory.TenantGroupQuery, link string) (directory.TenantGroupPage, error) {
	path := "/groups?$top=" + pageSize + "&" + groupSelect
	name := "'" + strings.ReplaceAll(q.Name, "'", "''") + "'"
	switch {
	case q.LicenceErrors: // GG 9.4; the property itself is never told
		path += "&$filter=" + escapeQuery("hasMembersWithLicenseErrors eq true")
	case q.Name != "" && q.Exact:
		path += "&$filter=" + escapeQuery("displayName eq "+name)
	case q.Name != "":
		path += "&$filter=" + escapeQuery("startswith(displayName,"+name+")")
	}
	return t.groupPage(ctx, path, link)
}

// ListDeletedGroups reads one page of the tenant's soft-deleted groups, as ListGroups.
func (t *Tenant) ListDeletedGroups(ctx context.Context, link string) (directory.TenantGroupPage, error) {
	return t.groupPage(ctx, "/directory/deletedItems/microsoft.graph.group?$top="+pageSize+"&"+groupSelect, link)
}

func (t *Tenant) groupPage(ctx context.Context, path, link string) (directory.TenantGroupPage, error) {
	p, err := readPage(ctx, t, path, link, decodeGroup)
	return directory.TenantGroupPage{Groups: p.items, Next: p.next}, err
}

// uniquePath is a group's path by its uniqueName, as OData writes a key.
func uniquePath(name string) string {
	return "/groups(uniqueName='" + url.PathEscape(strings.ReplaceAll(name, "'", "''")) + "')"
}

// mostUniqueName is how long a uniqueName may be. Microsoft states no length [K].
const mostUniqueName = 128

// validUniqueName reports whether a uniqueName has the form of ours: what else may
// stand in a key is not stated.
func validUniqueName(name string) bool {
	return name != "" && len(name) <= mostUniqueName && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// readEach reads objects by references of one form, in batches, and answers each in
// its place. path is the path of one; false: it is no reference.
func readEach[R, T any](ctx context.Context, t *Tenant, refs []R, decode func([]byte) (T, error), path func(R) (string, bool)) ([]directory.Read[T], error) {
	found := make([]directory.Read[T], len(refs))
	items := make([]batchItem, 0, len(refs))
	places := make([]int, 0, len(refs)) // of the items in found
	for i, ref := range refs {
		url, ok := path(ref)
		if !ok {
			found[i].Problem = unfit("An object can be read by its id only")
			continue
		}
		items, places = append(items, batchItem{Method: http.MethodGet, URL: url}), append(places, i)
	}
	answers, err := t.readAll(ctx, items)
	if err != nil {
		return nil, err
	}
	for n := range answers {
		found[places[n]] = readOf(t, &answers[n], decode)
	}
	return found, nil
}

// readOf says what one answer means.
func readOf[T any](t *Tenant, a *batchAnswer, decode func([]byte) (T, error)) directory.Read[T] {
	if a.status >= 200 && a.status < 300 {
		value, err := decode(a.body)
		if err == nil {
			return directory.Read[T]{Value: &value}
		}
		a.status = 0 // an answer that cannot be read is none
	}
	v := a.classify(asked{act: actRead})
	if v.missing {
		return directory.Read[T]{}
	}
	f := t.unread(a, v)
	return directory.Read[T]{Problem: f.Problem, Retry: f.Retry, RetryAfter: f.RetryAfter, Scope: f.Scope}
}

// readPage reads one page of a collection: a link, or the path when there is none.
// The link onward is refused when it comes in, before anybody keeps it.
func readPage[T any](ctx context.Context, t *Tenant, path, link string, decode func([]byte) (T, error)) (page[T], error) {
	var none page[T]
	u, err := t.graph.at(path)
	if link != "" {
		u, err = t.graph.follow(link)
	}
	if err != nil {
		return none, err
	}
	body, err := t.get(ctx, request{url: u}, priorityLow, link != "")
	if err != nil {
		return none, err
	}
	raw, err := decodeList(body)
	if err != nil {
		return none, err
	}
	p := page[T]{items: make([]T, len(raw.items)), ids: raw.ids, next: raw.next}
	for i := range raw.items {
		if p.items[i], err = decode(raw.items[i]); err != nil {
			return none, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
		}
	}
	if p.next != "" {
		if _, err := t.graph.follow(p.next); err != nil {
			return none, err
		}
	}
	return p, nil
}

// decodeGroup reads one group. One that does not say whether mail or access go by it
// was told in part only, and is no answer.
func decodeGroup(body []byte) (directory.TenantGroup, error) {
	var g struct {
		ID                     string                  `json:"id"`
		DisplayName            *string                 `json:"displayName"`
		Description            *string                 `json:"description"`
		MailNickname           *string                 `json:"mailNickname"`
		Mail                   *string                 `json:"mail"`
		UniqueName             *string                 `json:"uniqueName"`
		GroupTypes             []string                `json:"groupTypes"`
		SecurityEnabled        *bool                   `json:"securityEnabled"`
		MailEnabled            *bool                   `json:"mailEnabled"`
		MembershipRule         *string                 `json:"membershipRule"`
		Visibility             *string                 `json:"visibility"`
		OnPremisesSyncEnabled  *bool                   `json:"onPremisesSyncEnabled"`
		IsAssignableToRole     *bool                   `json:"isAssignableToRole"`
		IsManagementRestricted *bool                   `json:"isManagementRestricted"`
		AssignedLicenses       []assignedLicence       `json:"assignedLicenses"`
		LicenseProcessingState *struct{ State string } `json:"licenseProcessingState"`
		CreatedDateTime        *time.Time              `json:"createdDateTime"`
		DeletedDateTime        *time.Time              `json:"deletedDateTime"`
	}
	if json.Unmarshal(body, &g) != nil || !validID(g.ID) || g.SecurityEnabled == nil || g.MailEnabled == nil {
		return directory.TenantGroup{}, fmt.Errorf("%w: a group", errJSON)
	}
	out := directory.TenantGroup{
		ID: directory.TenantGroupID(g.ID), DisplayName: text(g.DisplayName), Description: text(g.Description), MailNickname: text(g.MailNickname),
		Mail: text(g.Mail), UniqueName: text(g.UniqueName), GroupTypes: g.GroupTypes, Security: *g.SecurityEnabled, MailEnabled: *g.MailEnabled,
		MembershipRule: text(g.MembershipRule), Visibility: text(g.Visibility), OnPremisesSync: yes(g.OnPremisesSyncEnabled),
		RoleAssignable: yes(g.IsAssignableToRole), Restricted: yes(g.IsManagementRestricted), Licences: licencesOf(g.AssignedLicenses), Deleted: utc(g.DeletedDateTime),
	}
	if g.LicenseProcessingState != nil {
		out.LicenceProcessing = g.LicenseProcessingState.State
	}
	if at := utc(g.CreatedDateTime); at != nil {
		out.Created = *at
	}
	return out, nil
}

func yes(b *bool) bool { return b != nil && *b }

func utc(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	at := t.UTC()
	return &at
}
