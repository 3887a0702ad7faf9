package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// What one check looks at of groups and licences, at most.
const (
	mostUses       = 2_000
	mostRecords    = 20_000 // of memberships, and of licences
	mostGroupPages = 10     // of the tenant's groups
	mostFailing    = 20     // groups whose failing members are counted
	recordPage     = 500
)

// groupTenant is what a check reads of a tenant's groups and licences.
type groupTenant interface {
	ListGroups(ctx context.Context, q directory.TenantGroupQuery, link string) (directory.TenantGroupPage, error)
	LicenceErrors(ctx context.Context, group directory.TenantGroupID) ([]directory.AccountID, error)
	SKUs(ctx context.Context) ([]directory.LicenceSKU, error)
}

type groups interface {
	GroupsByID(ctx context.Context, ids []directory.GroupID) (map[directory.GroupID]directory.Group, error)
}

type uses interface {
	ListUses(ctx context.Context, c *directory.Connection, after directory.GroupID, limit int) ([]directory.GroupUse, directory.GroupID, error)
}

// groupCheck is the looking at groups and licences under way.
type groupCheck struct {
	*Doctor
	f       *Facts
	exports map[directory.GroupID]string     // names of the groups that are exported
	bound   map[directory.TenantGroupID]bool // the tenant groups of these
}

// groupsAndLicences looks at what the connection does with groups and licences: at the
// records first, which cost no request, and with t at the tenant besides.
func (d *Doctor) groupsAndLicences(ctx context.Context, f *Facts, t Tenant) error {
	c := f.Connection
	if !c.UsesGroups && !c.Wants(directory.ScopeLicences) {
		return nil
	}
	g := &groupCheck{Doctor: d, f: f, exports: map[directory.GroupID]string{}, bound: map[directory.TenantGroupID]bool{}}
	for _, look := range []func(context.Context) error{g.uses, g.groupRecords, g.memberRecords, g.licenceRecords} {
		if err := look(ctx); err != nil {
			return err
		}
	}
	if t == nil {
		return nil
	}
	if c.HasScope(directory.ScopeLicences) {
		g.products(ctx, t)
	}
	if c.HasScope(directory.ScopeGroups) && len(g.exports) > 0 {
		g.namesakes(ctx, t)
		g.licenceErrors(ctx, t)
	}
	return nil
}

// uses reads which groups are exported, and what is licensed.
func (g *groupCheck) uses(ctx context.Context) error {
	var exported []directory.GroupID
	after := directory.GroupID("")
	for n := 0; n < mostUses; {
		list, next, err := g.Stores.Uses.ListUses(ctx, g.f.Connection, after, recordPage)
		if err != nil {
			return err
		}
		for i := range list {
			if u := &list[i]; u.Export != nil && !u.Ending {
				exported = append(exported, u.GroupID)
			}
		}
		n += len(list)
		if after = next; after == "" {
			break
		}
	}
	g.f.Groups.More = after != ""
	for page := range slices.Chunk(exported, recordPage) {
		found, err := g.Stores.Groups.GroupsByID(ctx, page)
		if err != nil {
			return err
		}
		for id, one := range found {
			if one.Deleted == nil {
				g.exports[id] = one.Name
			}
		}
	}
	return nil
}

// each goes through the records of a kind, up to so many, page by page.
func (g *groupCheck) each(ctx context.Context, kind directory.Kind, most int, look func([]directory.Binding) error) error {
	cursor := ""
	for n := 0; n < most; {
		page, next, err := g.Stores.Bindings.ListBindings(ctx, kind, g.f.Connection.ID, g.f.Connection.Epoch, cursor, recordPage)
		if err != nil {
			return err
		}
		if err := look(page); err != nil {
			return err
		}
		n += len(page)
		if cursor = next; cursor == "" {
			return nil
		}
	}
	g.f.Groups.More = true
	return nil
}

// goneCodes are the problems of an export whose tenant group is not there.
var goneCodes = []string{directory.CodeGroupGone, directory.CodeGroupSoftDeleted, directory.CodeTenantGroupNotFound, directory.CodeDeletedGroupGone}

// readOnlyCodes are those of one that is never written to (directory.TenantGroup.ReadOnly).
var readOnlyCodes = []string{directory.CodeGroupRoleAssignable, directory.CodeGroupSynced, directory.CodeGroupDynamic, directory.CodeGroupMailEnabled, directory.CodeGroupRestricted}

func (g *groupCheck) groupRecords(ctx context.Context) error {
	return g.each(ctx, directory.KindGroup, mostUses, func(page []directory.Binding) error {
		for i := range page {
			b := &page[i]
			if b.AccountID != "" {
				g.bound[directory.TenantGroupID(strings.ToLower(string(b.AccountID)))] = true
			}
			id := directory.GroupID(b.Object.ID)
			name, exported := g.exports[id]
			if b.Problem == nil || !exported {
				continue
			}
			who := Person{GroupID: id, Name: name, Detail: b.Problem.Message, Code: b.Problem.Code}
			switch {
			case slices.Contains(goneCodes, b.Problem.Code):
				g.f.Groups.Gone = append(g.f.Groups.Gone, who)
			case slices.Contains(readOnlyCodes, b.Problem.Code):
				g.f.Groups.ReadOnly = append(g.f.Groups.ReadOnly, who)
			}
		}
		return nil
	})
}

func (g *groupCheck) memberRecords(ctx context.Context) error {
	if len(g.exports) == 0 {
		return nil
	}
	groupsOf := map[directory.UserID][]string{}
	err := g.each(ctx, directory.KindMember, mostRecords, func(page []directory.Binding) error {
		for i := range page {
			b := &page[i]
			group, user, is := b.Object.Member()
			if !is || b.Release != "" || !slices.ContainsFunc(b.Findings, func(p directory.Problem) bool { return p.Code == directory.CodeMemberNotBound }) {
				continue
			}
			if name, exported := g.exports[group]; exported {
				groupsOf[user] = append(groupsOf[user], name)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, user := range slices.Sorted(maps.Keys(groupsOf)) {
		g.f.Groups.NotBound = append(g.f.Groups.NotBound, Person{UserID: user, Detail: "member of " + listed(groupsOf[user])})
	}
	return g.name(ctx, g.f.Groups.NotBound)
}

// name fills in the names of those whom a finding names.
func (g *groupCheck) name(ctx context.Context, list []Person) error {
	list = list[:min(len(list), mostExamples)]
	ids := make([]directory.UserID, len(list))
	for i := range list {
		ids[i] = list[i].UserID
	}
	rows, err := g.Stores.Bindings.Subjects(ctx, ids)
	if err != nil {
		return err
	}
	for i := range list {
		if u := rows[list[i].UserID].User; u != nil {
			list[i].Name = u.Email
		}
	}
	return nil
}

// mostListed is how many names stand in a sentence.
const mostListed = 3

// listed is a list of names in a sentence.
func listed(names []string) string {
	slices.Sort(names)
	if n := len(names) - mostListed; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostListed], ", "), n)
	}
	return strings.Join(names, ", ")
}

// locationCodes are the problems of who gets no licence for the country.
var locationCodes = []string{directory.CodeLicenseUsageLocation, directory.CodeLicenseLocationProhibited}

func (g *groupCheck) licenceRecords(ctx context.Context) error {
	l := &g.f.Licences
	l.OnDisabled, l.Ours = map[directory.SKUID][]Person{}, map[directory.SKUID]int{}
	return g.each(ctx, directory.KindLicence, mostRecords, func(page []directory.Binding) error {
		ids := make([]directory.UserID, len(page))
		for i := range page {
			ids[i] = directory.UserID(page[i].Object.ID)
		}
		rows, err := g.Stores.Bindings.Subjects(ctx, ids)
		if err != nil {
			return err
		}
		for i := range page {
			g.licenceRecord(&page[i], rows[ids[i]])
		}
		return nil
	})
}

func (g *groupCheck) licenceRecord(b *directory.Binding, row store.Subject) {
	l := &g.f.Licences
	who := Person{UserID: directory.UserID(b.Object.ID)}
	if row.User != nil {
		who.Name = row.User.Email
	}
	for _, name := range slices.Sorted(maps.Keys(b.Base)) {
		sku, is := directory.LicenceOfProperty(name)
		if _, has := directory.LicencePlansOff(b.Base[name]); !is || !has {
			continue
		}
		if l.Ours[sku]++; row.User == nil || row.User.Deleted != nil || !row.User.Enabled() {
			l.OnDisabled[sku] = append(l.OnDisabled[sku], who)
		}
	}
	found := slices.Clone(b.Findings)
	if b.Problem != nil {
		found = append(found, *b.Problem)
	}
	if i := slices.IndexFunc(found, func(p directory.Problem) bool { return slices.Contains(locationCodes, p.Code) }); i >= 0 {
		who.Detail, who.Code = found[i].Message, found[i].Code
		l.NoLocation = append(l.NoLocation, who)
	}
	if b.Problem != nil && b.Problem.Code == directory.CodeWaitingForSeat {
		who.Detail, who.Code = b.Problem.Message, b.Problem.Code
		l.Waiting = append(l.Waiting, who)
	}
}

func (g *groupCheck) products(ctx context.Context, t Tenant) {
	list, err := t.SKUs(ctx)
	if err != nil {
		g.miss(ctx, g.f, "licences", err)
		return
	}
	g.f.Licences.Products = list
}

// namesakes looks for tenant groups that have the name of a group that is exported, and
// are not its export.
func (g *groupCheck) namesakes(ctx context.Context, t Tenant) {
	byName := make(map[string]directory.GroupID, len(g.exports))
	for id, name := range g.exports {
		byName[folded(name)] = id
	}
	own := func(uniqueName string) bool {
		return strings.HasPrefix(uniqueName, directory.UniqueNameOf(g.f.Connection.ID, ""))
	}
	g.pages(ctx, t, directory.TenantGroupQuery{}, mostGroupPages, func(found *directory.TenantGroup) {
		id, ours := byName[folded(found.DisplayName)]
		if !ours || g.bound[directory.TenantGroupID(strings.ToLower(string(found.ID)))] || own(found.UniqueName) {
			return
		}
		g.f.Groups.Namesakes = append(g.f.Groups.Namesakes, Person{GroupID: id, Name: g.exports[id],
			Detail: fmt.Sprintf("the tenant has the %s group %q, with the ID %s", strings.ReplaceAll(string(found.Kind()), "-", " "), found.DisplayName, found.ID)})
	})
}

// folded is a name as people see it.
func folded(name string) string { return strings.ToLower(directory.TidyText(name)) }

// pages goes through tenant groups.
func (g *groupCheck) pages(ctx context.Context, t Tenant, q directory.TenantGroupQuery, most int, look func(*directory.TenantGroup)) {
	link := ""
	var progress directory.Paging
	for range most {
		page, err := t.ListGroups(ctx, q, link)
		if err != nil {
			g.miss(ctx, g.f, "groups", err)
			return
		}
		ids := make([]string, len(page.Groups))
		for i := range page.Groups {
			ids[i] = string(page.Groups[i].ID)
		}
		fresh, loop := progress.Add("the tenant's groups", ids, page.Next)
		for _, i := range fresh {
			look(&page.Groups[i])
		}
		if loop != nil {
			g.miss(ctx, g.f, "groups", loop)
			return
		}
		if link = page.Next; link == "" {
			return
		}
	}
	g.f.Unread["some groups"] = "the tenant has more groups than one check looks at"
}

// licenceErrors looks for groups that could not license all of their members.
func (g *groupCheck) licenceErrors(ctx context.Context, t Tenant) {
	n := 0
	g.pages(ctx, t, directory.TenantGroupQuery{LicenceErrors: true}, 1, func(found *directory.TenantGroup) {
		if n++; n > mostFailing {
			g.f.Groups.More = true
			return
		}
		members, err := t.LicenceErrors(ctx, found.ID)
		if err != nil {
			g.miss(ctx, g.f, "members without their licences", err)
			return
		}
		if len(members) > 0 {
			g.f.Licences.Failing = append(g.f.Licences.Failing, FailingGroup{ID: found.ID, Name: found.DisplayName, Members: len(members)})
		}
	})
}
