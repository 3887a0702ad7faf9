package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/domains"
	"github.com/microsoftgraph/msgraph-sdk-go/organization"

	"bindery/shared/directory"
)

// Organization reads the tenant's id, name and verified domains, by two requests.
func (t *Tenant) Organization(ctx context.Context) (directory.Tenant, error) {
	ctx, _, cancel := t.begin(ctx, priorityHigh)
	defer cancel()
	tenant, err := t.organization(ctx)
	if err == nil {
		tenant.Domains, err = t.domains(ctx)
	}
	if err != nil {
		return directory.Tenant{}, t.graph.explain(ctx, err, false)
	}
	return tenant, nil
}

// organization reads the one organization object.
func (t *Tenant) organization(ctx context.Context) (directory.Tenant, error) {
	config := &organization.OrganizationRequestBuilderGetRequestConfiguration{
		QueryParameters: &organization.OrganizationRequestBuilderGetQueryParameters{Select: []string{"id", "displayName"}},
	}
	answer, err := organization.NewOrganizationRequestBuilderInternal(map[string]string{}, t.graph.adapter).Get(ctx, config)
	if err != nil {
		return directory.Tenant{}, err
	}
	if answer == nil || len(answer.GetValue()) != 1 {
		return directory.Tenant{}, fmt.Errorf("%w: not one organization", errJSON)
	}
	o := answer.GetValue()[0]
	if text(o.GetId()) == "" {
		return directory.Tenant{}, fmt.Errorf("%w: an organization without id", errJSON)
	}
	return directory.Tenant{ID: directory.TenantID(*o.GetId()), DisplayName: text(o.GetDisplayName())}, nil
}

// domain is what is read of a domain. The SDK's model of it refers to any directory
// object, so to nearly all of Microsoft's models: 16 MB of the binary for five members.
type domain struct {
	ID                 string `json:"id"`
	AuthenticationType string `json:"authenticationType"`
	IsDefault          bool   `json:"isDefault"`
	IsInitial          bool   `json:"isInitial"`
	IsVerified         bool   `json:"isVerified"`
}

// domains reads the verified domains, page by page.
func (t *Tenant) domains(ctx context.Context) ([]directory.Domain, error) {
	builder := domains.NewDomainsRequestBuilderInternal(map[string]string{}, t.graph.adapter)
	first, err := t.domainPage(ctx, builder, &domains.DomainsRequestBuilderGetRequestConfiguration{
		QueryParameters: &domains.DomainsRequestBuilderGetQueryParameters{
			Select: []string{"id", "authenticationType", "isDefault", "isInitial", "isVerified"},
		},
	})
	if err != nil {
		return nil, err
	}
	var out []directory.Domain
	for d, err := range items(t.graph, "domains", first, func(link *url.URL) (page[domain], error) {
		return t.domainPage(ctx, builder.WithUrl(link.String()), nil)
	}) {
		if err != nil {
			return nil, err
		}
		if !d.IsVerified || d.ID == "" {
			continue
		}
		out = append(out, directory.Domain{
			Name: d.ID, AuthenticationType: d.AuthenticationType,
			IsDefault: d.IsDefault, IsInitial: d.IsInitial,
		})
	}
	return out, nil
}

// domainPage reads one page of domains: the SDK makes the request and sends it, the
// body is read here.
func (t *Tenant) domainPage(ctx context.Context, builder *domains.DomainsRequestBuilder, config *domains.DomainsRequestBuilderGetRequestConfiguration) (page[domain], error) {
	info, err := builder.ToGetRequestInformation(ctx, config)
	if err != nil {
		return page[domain]{}, err
	}
	body, err := t.graph.sendInfo(ctx, info)
	if err != nil {
		return page[domain]{}, err
	}
	var answer struct {
		Value []domain `json:"value"`
		Next  string   `json:"@odata.nextLink"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return page[domain]{}, fmt.Errorf("%w: no domains", errJSON)
	}
	p := page[domain]{items: answer.Value, next: answer.Next}
	for _, d := range p.items {
		p.ids = append(p.ids, d.ID)
	}
	return p, nil
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// MyRoles reads the directory roles of the account that authorised the
// connection, those that come through groups too.
func (t *Tenant) MyRoles(ctx context.Context) ([]directory.Role, error) {
	type role struct {
		TemplateID  string `json:"roleTemplateId"`
		DisplayName string `json:"displayName"`
	}
	// The cast is an advanced query, which the header and $count switch on.
	all, err := readList[role](ctx, t, "the administrator's roles", "/me/transitiveMemberOf/microsoft.graph.directoryRole?$count=true&$select=id,displayName,roleTemplateId", priorityHigh)
	if err != nil {
		return nil, err
	}
	roles := make([]directory.Role, 0, len(all))
	for _, r := range all {
		if r.TemplateID != "" {
			roles = append(roles, directory.Role(r))
		}
	}
	return roles, nil
}

// principal is who has a role: a user, a group or an application.
type principal struct {
	Type string `json:"@odata.type"`
	ID   string `json:"id"`
}

// RoleHolders lists, in order and each once, the accounts that hold a directory
// role, by themselves or through a group, and the members and owners of groups
// that can be given roles. Reading groups needs a permission of its own
// (GroupMember.Read.All); without it the accounts behind groups are left out,
// which is logged, and Microsoft's own rules still protect them.
func (t *Tenant) RoleHolders(ctx context.Context) (directory.Privileged, error) {
	type assignment struct {
		RoleDefinitionID string     `json:"roleDefinitionId"`
		PrincipalID      string     `json:"principalId"`
		Principal        *principal `json:"principal"`
	}
	firsts, err := t.firstPages(ctx, "/roleManagement/directory/roleAssignments?$expand=principal",
		"/groups?$filter="+escapeQuery("isAssignableToRole eq true")+"&$select=id&$top="+pageSize)
	if err != nil {
		return directory.Privileged{}, err
	}
	assignments, err := listFrom[assignment](ctx, t, "role assignments", firsts[0], priorityLow)
	if err != nil {
		return directory.Privileged{}, err
	}
	var out directory.Privileged
	groups := map[string]bool{} // whether its members are Global Administrators
	for _, a := range assignments {
		global := strings.EqualFold(a.RoleDefinitionID, globalAdministrator)
		switch {
		case a.Principal != nil && strings.HasSuffix(strings.ToLower(a.Principal.Type), ".group"):
			groups[a.PrincipalID] = groups[a.PrincipalID] || global
		case a.PrincipalID != "":
			// An application among them does no harm: no account has its id.
			out.Holders = append(out.Holders, directory.AccountID(a.PrincipalID))
			if global {
				out.GlobalAdministrators = append(out.GlobalAdministrators, directory.AccountID(a.PrincipalID))
			}
		}
	}
	held := len(groups)
	err = t.behindGroups(ctx, firsts[1], groups, &out)
	if p, ok := errors.AsType[*directory.Problem](err); ok && p.MicrosoftStatus == http.StatusForbidden {
		level := slog.LevelInfo // nobody is known to be left out
		if held > 0 {
			level = slog.LevelWarn
			out.Unread = "some directory roles are held through groups, whose members the connection may not read; authorise it again, without protectGroups set to false, so that Microsoft asks for GroupMember.Read.All"
		}
		t.graph.log.Log(ctx, level, "the members of role-assignable groups cannot be read without GroupMember.Read.All", "groups", held, "requestId", p.RequestID)
		err = nil
	}
	if err != nil {
		return directory.Privileged{}, err
	}
	out.Holders = sortedOnce(out.Holders)
	out.GlobalAdministrators = sortedOnce(out.GlobalAdministrators)
	return out, nil
}

// globalAdministrator is the id of that role's template and definition, G 1.4.
const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

func sortedOnce(ids []directory.AccountID) []directory.AccountID {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// behindGroups adds the members and owners of the groups and of all others that
// can be given roles, of which the first page is there. Members of a group that is marked are Global
// Administrators; its owners are not, they only choose who is.
func (t *Tenant) behindGroups(ctx context.Context, first firstPage, groups map[string]bool, out *directory.Privileged) error {
	assignable, err := listFrom[principal](ctx, t, "groups that can be given roles", first, priorityLow)
	if err != nil {
		return err
	}
	for _, g := range assignable {
		if !groups[g.ID] {
			groups[g.ID] = false
		}
	}
	for id, global := range groups {
		if !validID(id) {
			continue
		}
		for _, of := range []string{"transitiveMembers", "owners"} {
			list, err := readList[principal](ctx, t, "the "+of+" of a group", "/groups/"+url.PathEscape(id)+"/"+of+"?$select=id&$top="+pageSize, priorityLow)
			if p, ok := errors.AsType[*directory.Problem](err); ok && p.Code == directory.CodeAccountNotFound {
				continue // deleted since it was listed
			}
			if err != nil {
				return err
			}
			for _, m := range list {
				out.Holders = append(out.Holders, directory.AccountID(m.ID))
				if global && of == "transitiveMembers" {
					out.GlobalAdministrators = append(out.GlobalAdministrators, directory.AccountID(m.ID))
				}
			}
		}
	}
	return nil
}

// readList reads a collection to its last page, each item once. what is what its
// items are. An item may be of a kind whose members are all optional, so that
// nothing of it is checked here.
func readList[T any](ctx context.Context, t *Tenant, what, path, priority string) ([]T, error) {
	u, err := t.graph.at(path)
	if err != nil {
		return nil, err
	}
	first, err := t.listPage(ctx, u, priority, false)
	return listFrom[T](ctx, t, what, firstPage{first, err}, priority)
}

// firstPage is the first page of a collection, or why it could not be read.
type firstPage struct {
	page page[json.RawMessage]
	err  error
}

// firstPages reads the first pages of several collections in one request.
func (t *Tenant) firstPages(ctx context.Context, paths ...string) ([]firstPage, error) {
	requests := make([]batchItem, len(paths))
	for n, path := range paths {
		requests[n] = batchItem{Method: http.MethodGet, URL: path, Headers: maps.Clone(eventual)}
	}
	answers, err := t.readAll(ctx, requests)
	if err != nil {
		return nil, err
	}
	firsts := make([]firstPage, len(paths))
	for n := range answers {
		a := &answers[n]
		switch {
		case a.status == 0:
			firsts[n].err = fmt.Errorf("%w: a batch without an answer", directory.ErrUnavailable)
		case a.status >= 300:
			firsts[n].err = t.graph.explainRefusal(&refusal{status: a.status, header: a.header, body: a.body}, asked{act: actRead}, false)
		default:
			firsts[n].page, firsts[n].err = decodeList(a.body)
		}
	}
	return firsts, nil
}

// listFrom is readList after the first page.
func listFrom[T any](ctx context.Context, t *Tenant, what string, first firstPage, priority string) ([]T, error) {
	if first.err != nil {
		return nil, first.err
	}
	var all []T
	for raw, err := range items(t.graph, what, first.page, func(link *url.URL) (page[json.RawMessage], error) {
		return t.listPage(ctx, link, priority, true)
	}) {
		if err != nil {
			return nil, unlooped(err)
		}
		var item T
		if json.Unmarshal(raw, &item) != nil {
			return nil, fmt.Errorf("%w: %w", directory.ErrUnavailable, errJSON)
		}
		all = append(all, item)
	}
	return all, nil
}

// listPage reads a page of a collection. Headers are not in a link: each page needs
// them.
func (t *Tenant) listPage(ctx context.Context, u *url.URL, priority string, linked bool) (page[json.RawMessage], error) {
	body, err := t.get(ctx, request{url: u, header: eventual}, priority, linked)
	if err != nil {
		return page[json.RawMessage]{}, unlinked(err)
	}
	return decodeList(body)
}

func decodeList(body []byte) (page[json.RawMessage], error) {
	var answer struct {
		Value []json.RawMessage `json:"value"`
		Next  string            `json:"@odata.nextLink"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Value == nil {
		return page[json.RawMessage]{}, fmt.Errorf("%w: %w", directory.ErrUnavailable, errJSON)
	}
	return page[json.RawMessage]{items: answer.Value, ids: idsOf(answer.Value), next: answer.Next}, nil
}

// idsOf are the IDs of items; an item without one stands for itself.
func idsOf(items []json.RawMessage) []string {
	ids := make([]string, len(items))
	for i, raw := range items {
		var item struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(raw, &item) != nil || item.ID == "" {
			item.ID = string(raw)
		}
		ids[i] = item.ID
	}
	return ids
}

// unlooped is the error of a reading that was given up: of one whose pages turn in a
// circle nothing is of use, and it may be tried again.
func unlooped(err error) error {
	if isLoop(err) {
		return looping(err)
	}
	return err
}

// isLoop tells whether pages turned in a circle.
func isLoop(err error) bool {
	p, ok := errors.AsType[*directory.Problem](err)
	return ok && p.Code == directory.CodePagingLoop
}

// looping is the error of a reading whose pages turn in a circle: nothing of it
// is of use, and it may be tried again.
func looping(err error) error { return fmt.Errorf("%w: %w", directory.ErrUnavailable, err) }
