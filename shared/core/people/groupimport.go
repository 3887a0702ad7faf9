package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// An import of groups goes twice through the groups that were named. First it makes groups
// of them, so that then, when their members are read, groups in groups are there. Each
// step may be done again: what it made is found by the tenant group's ID, and who is a
// member stays one.
//
// Whose group it is: one that the connection exports as the tenant group, else one that an
// import made of it. A group of the same name is another one, and refused. Attributes
// are brought up to date as long as nobody has edited the group since the last import;
// an export says what its tenant group is called, and not the other way round. An import
// adds members and takes none away, as a load does not.

// Windows of one step.
const (
	groupWindow  = 20  // groups that are made
	memberWindow = 200 // members that are looked at
	// mostAbsent is how many members that nobody of the directory is are listed; of more
	// it is counted only.
	mostAbsent = 1000
)

// groupImportPlace is the place of an import of groups: among the named ones, and in the
// members of one.
type groupImportPlace struct {
	Members          bool       `json:"members,omitempty"` // the second time
	At               jobs.Place `json:"at"`
	assign.ListPlace            // in the members of the group there
	Absent           int        `json:"absent,omitempty"` // members that are listed
}

// ImportGroups is the kind of jobs that make groups of those of a tenant.
func (s *Imports) ImportGroups(*jobs.Job) jobs.Worker { return &groupImporter{imports: s} }

// groupImporter is one slice of an import of groups.
type groupImporter struct {
	imports *Imports
	named   jobs.List[directory.TenantGroupID]
	judge   *assign.Judge
	page    *directory.MemberPage // of the group and link that the place is at
	link    string
	of      directory.TenantGroupID
}

// groupImportStep is what a step works with.
type groupImportStep struct {
	job    *jobs.Job
	conn   *directory.Connection
	tenant assign.GroupTenant
	act    directory.AuditEvent
}

// Step makes the next groups, or adds the next members of one.
func (w *groupImporter) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	var in importInput
	var at groupImportPlace
	if err := j.ReadInput(&in); err != nil {
		return jobs.Result{}, err
	}
	if err := j.ReadPlace(&at); err != nil {
		return jobs.Result{}, err
	}
	c, err := assign.WorkingSince(ctx, w.imports.connections, j.ConnectionID, in.Epoch)
	if err != nil {
		return jobs.Result{}, err
	}
	tenant, err := w.imports.tenantGroups.Tenant(ctx, &c)
	if err != nil {
		return jobs.Result{}, err
	}
	st := &groupImportStep{job: j, conn: &c, tenant: tenant, act: j.AuditEvent(directory.AuditImport)}
	if !at.Members {
		return w.make(ctx, st, at)
	}
	return w.members(ctx, st, at)
}

// make makes groups of the next tenant groups, or edits those that are there.
func (w *groupImporter) make(ctx context.Context, st *groupImportStep, at groupImportPlace) (jobs.Result, error) {
	ids, behind, err := w.named.Window(ctx, st.job, at.At, groupWindow)
	if err != nil {
		return jobs.Result{}, err
	}
	if len(ids) == 0 {
		return jobs.Result{}, st.job.SetPlace(groupImportPlace{Members: true})
	}
	found, err := st.tenant.Groups(ctx, ids)
	if err != nil {
		return jobs.Result{}, err
	}
	if wait := retryOf(found); wait > 0 {
		return jobs.Result{}, &directory.ThrottledError{RetryAfter: wait}
	}
	ours, err := w.ours(ctx, st.conn, ids)
	if err != nil {
		return jobs.Result{}, err
	}
	var refused []directory.RefusedItem
	for i, id := range ids {
		item := directory.RefusedItem{AccountID: directory.AccountID(id), Code: directory.CodeTenantGroupNotFound, Detail: "There is no such group in the tenant."}
		switch g := found[i].Value; {
		case found[i].Problem != nil:
			item.Code, item.Detail = found[i].Problem.Code, found[i].Problem.Advice()
		case g != nil:
			err := w.one(ctx, st, g, ours[id])
			if err == nil {
				continue
			}
			r, is := errors.AsType[*directory.Refusal](err)
			if !is {
				return jobs.Result{}, err
			}
			item.Name, item.Code, item.Detail = g.DisplayName, r.Code, faultText(r)
		}
		refused = append(refused, item)
	}
	st.job.Done += len(ids)
	at.At = behind
	return jobs.Result{Refused: jobs.Short(refused)}, st.job.SetPlace(at)
}

// retryOf is how long to wait before some objects are read again; 0: all were read.
func retryOf[T any](found []directory.Read[T]) time.Duration {
	wait := time.Duration(0)
	for i := range found {
		if found[i].Retry {
			wait = max(wait, found[i].RetryAfter, time.Second)
		}
	}
	return wait
}

// ourGroup is a group of ours that a tenant group is already.
type ourGroup struct {
	directory.Group
	exported bool // as it
}

// ours says which groups of ours some tenant groups are: those that are exported as them,
// else those that imports made of them.
func (w *groupImporter) ours(ctx context.Context, c *directory.Connection, ids []directory.TenantGroupID) (map[directory.TenantGroupID]ourGroup, error) {
	objects := make([]directory.AccountID, len(ids))
	for i, id := range ids {
		objects[i] = directory.AccountID(id)
	}
	exports, err := w.imports.owners.ObjectOwners(ctx, directory.KindGroup, c, objects)
	if err != nil {
		return nil, err
	}
	imported, err := w.imports.groups.groups.ImportedGroups(ctx, c.TenantID(), ids)
	if err != nil {
		return nil, err
	}
	var known []directory.GroupID
	for _, ref := range exports {
		known = append(known, directory.GroupID(ref.ID))
	}
	groups, err := w.imports.groups.groups.GroupsByID(ctx, known)
	if err != nil {
		return nil, err
	}
	ours := map[directory.TenantGroupID]ourGroup{}
	for id, g := range imported {
		ours[id] = ourGroup{g, false}
	}
	for id, ref := range exports {
		if g, there := groups[directory.GroupID(ref.ID)]; there && g.Deleted == nil {
			ours[directory.TenantGroupID(id)] = ourGroup{g, true}
		}
	}
	return ours, nil
}

// one makes a group of a tenant group, or brings the one up to date that is there.
func (w *groupImporter) one(ctx context.Context, st *groupImportStep, g *directory.TenantGroup, is ourGroup) error {
	e, err := w.edit(st, g)
	if err != nil {
		return err
	}
	groups := w.imports.groups
	switch {
	case is.exported:
		st.job.Count("existing", 1)
		return nil
	case is.ID == "":
		next, err := groups.compose(e, directory.SourceM365)
		if err != nil {
			return err
		}
		next.ImportedFrom = &directory.ImportedGroup{TenantID: st.conn.TenantID(), GroupID: g.ID, Version: 1}
		next.EditedBy(st.job.By(), groups.now())
		if err := groups.groups.CreateGroups(ctx, st.act, &next); err != nil {
			return groupTaken(err)
		}
		st.job.Count("created", 1)
		return nil
	}
	return w.update(ctx, st, is.Group, e)
}

// update brings a group up to date that nobody has edited since the last import.
func (w *groupImporter) update(ctx context.Context, st *groupImportStep, old directory.Group, e edit) error {
	groups := w.imports.groups
	for range maxTries {
		if from := old.ImportedFrom; from == nil || from.Version != old.Version {
			st.job.Count("edited", 1)
			return nil
		}
		next := old
		changed, err := e.applyGroup(&next, directory.SourceM365)
		if err != nil {
			return err
		}
		if !changed {
			st.job.Count("unchanged", 1)
			return nil
		}
		from := *old.ImportedFrom
		from.Version = old.Version + 1
		next.ImportedFrom = &from
		next.EditedBy(st.job.By(), groups.now())
		told, err := groups.groups.UpdateGroup(ctx, st.act, &old, &next)
		if errors.Is(err, directory.ErrStale) {
			if old, err = groups.living(ctx, old.ID); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return groupTaken(err)
		}
		groups.tell(ctx, next.ID, told)
		st.job.Count("updated", 1)
		return nil
	}
	return fmt.Errorf("group %s is being edited all the time: %w", old.ID, directory.ErrBusy)
}

// edit is what a tenant group says of a group. What cannot be taken of it is left out and
// noted, but for the name.
func (w *groupImporter) edit(st *groupImportStep, g *directory.TenantGroup) (edit, error) {
	e := edit{}
	for path, text := range map[string]string{"name": g.DisplayName, "description": g.Description, "mailNickname": g.MailNickname, "externalId": string(g.ID)} {
		c := groupShape.clean(path, text)
		switch {
		case c.fault == "" && path == "mailNickname" && c.text != "" && !mailNickname().MatchString(c.text):
			c.fault = "has a character that a mail nickname cannot have"
		case c.fault == "":
			e[path] = c.text
			continue
		case path == "name":
			return nil, groupShape.invalid([]directory.FieldError{{Field: path, Detail: c.fault}})
		}
		st.job.Note(directory.JobNote{Name: g.DisplayName, Warning: directory.Warning{Field: path, Code: directory.WarnLeftOut, Detail: c.fault + "; it was left out, and the rest taken"}})
	}
	return e, nil
}

// members adds the next members of the group that the place is at.
func (w *groupImporter) members(ctx context.Context, st *groupImportStep, at groupImportPlace) (jobs.Result, error) {
	ids, behind, err := w.named.Window(ctx, st.job, at.At, 1)
	if err != nil {
		return jobs.Result{}, err
	}
	if len(ids) == 0 {
		st.job.Total = st.job.Done
		return jobs.Result{Ended: true}, nil
	}
	next := groupImportPlace{Members: true, At: behind, Absent: at.Absent}
	ours, err := w.ours(ctx, st.conn, ids)
	if err != nil {
		return jobs.Result{}, err
	}
	g, there := ours[ids[0]]
	if !there { // it was refused
		return jobs.Result{}, st.job.SetPlace(next)
	}
	page, err := w.open(ctx, st, ids[0], at.Link)
	if errors.Is(err, directory.ErrResync) && at.Link != "" {
		first, err := at.Restart()
		at.ListPlace = first
		return jobs.Result{}, errors.Join(err, st.job.SetPlace(at))
	}
	if p := ofOneGroup(err); p != nil {
		item := directory.RefusedItem{AccountID: directory.AccountID(ids[0]), GroupID: g.ID, Name: g.Name, Code: p.Code, Detail: p.Advice()}
		return jobs.Result{Refused: jobs.Short([]directory.RefusedItem{item})}, st.job.SetPlace(next)
	}
	if err != nil {
		return jobs.Result{}, err
	}
	if page == nil { // it was deleted meanwhile
		return jobs.Result{}, st.job.SetPlace(next)
	}
	from := min(at.Offset, len(page.Members))
	end := min(from+memberWindow, len(page.Members))
	refused, err := w.add(ctx, st, g.Group, page.Members[from:end], &at.Absent)
	if err != nil {
		return jobs.Result{}, err
	}
	next.Absent = at.Absent
	switch {
	case end < len(page.Members):
		next.At, next.ListPlace = at.At, at.ListPlace
		next.Offset = end
	case page.Next != "":
		next.At = at.At
		if next.ListPlace, err = at.Next("the members of a group", memberIDs(page.Members), page.Next); err != nil {
			return jobs.Result{}, err
		}
	}
	return jobs.Result{Refused: jobs.Short(refused), Next: memberTime}, st.job.SetPlace(next)
}

// ofOneGroup is the problem with the members of a tenant group that is that group's alone,
// and lasts: the import goes on with the others. nil: err is none.
func ofOneGroup(err error) *directory.Problem {
	p, is := errors.AsType[*directory.Problem](err)
	if !is || directory.Transient(err) || p.Kind == directory.ProblemTransient || (&directory.Found{Problem: p}).ConcernsAll() {
		return nil
	}
	return p
}

// memberTime is what a window of members may take, each looked up by itself.
const memberTime = 20 * time.Second

func memberIDs(members []directory.TenantMember) []string {
	ids := make([]string, len(members))
	for i := range members {
		ids[i] = string(members[i].ID)
	}
	return ids
}

// open reads a page of a tenant group's members, unless the slice has it already. nil:
// there is no such group.
func (w *groupImporter) open(ctx context.Context, st *groupImportStep, id directory.TenantGroupID, link string) (*directory.MemberPage, error) {
	if w.page != nil && w.of == id && w.link == link {
		return w.page, nil
	}
	var page directory.MemberPage
	var err error
	if link != "" {
		page, err = st.tenant.MoreMembers(ctx, link)
	} else {
		var found []directory.Read[directory.MemberPage]
		if found, err = st.tenant.Members(ctx, []directory.TenantGroupID{id}); err == nil {
			if err = found[0].Err(); err == nil && found[0].Value == nil {
				return nil, nil
			}
		}
		if err == nil {
			page = *found[0].Value
		}
	}
	if err != nil {
		return nil, err
	}
	w.page, w.of, w.link = &page, id, link
	return w.page, nil
}

// add adds those of some members of a tenant group to a group that the directory has, and
// tells of the others.
func (w *groupImporter) add(ctx context.Context, st *groupImportStep, g directory.Group, members []directory.TenantMember, absent *int) ([]directory.RefusedItem, error) {
	known, err := w.inDirectory(ctx, st, members)
	if err != nil {
		return nil, err
	}
	var refs []directory.MemberRef
	var refused []directory.RefusedItem
	counts := map[string]int{}
	for _, m := range members {
		ref, is := known[m.ID]
		switch {
		case is:
			refs = append(refs, ref)
			continue
		case m.Type == directory.TenantMemberUser:
			counts["membersNotInDirectory"]++
		case m.Type == directory.TenantMemberGroup:
			counts["groupsNotImported"]++
		default:
			counts["membersOfOtherTypes"]++
			continue
		}
		if *absent < mostAbsent {
			*absent++
			refused = append(refused, notImported(g, m))
		}
	}
	e := &memberEdit{groups: w.imports.groups, act: st.act, by: st.job.By(), source: directory.SourceM365, group: g, asksWho: true, decide: toAdd}
	for part := range slices.Chunk(refs, store.MaxMemberChange) {
		if err := e.part(ctx, part); err != nil {
			if _, is := errors.AsType[*directory.Refusal](err); is { // the group was deleted meanwhile
				break
			}
			return nil, err
		}
	}
	w.imports.groups.tell(ctx, g.ID, e.told)
	counts["membersAdded"], counts["membersUnchanged"] = len(e.out.Done), len(e.out.Unchanged)
	for what, n := range counts {
		st.job.Count(what, n)
	}
	return append(refused, e.out.Refused...), nil
}

// notImported tells of a member that nobody of the directory is.
func notImported(g directory.Group, m directory.TenantMember) directory.RefusedItem {
	item := directory.RefusedItem{AccountID: m.ID, GroupID: g.ID, Name: g.Name, Code: directory.CodeMemberNotInDirectory,
		Detail: fmt.Sprintf("An account in the group \"%s\" is nobody's of the directory. Import the account, then import the group again.", g.Name)}
	if m.Type == directory.TenantMemberGroup {
		item.Detail = fmt.Sprintf("A group in the group \"%s\" is not in the directory. Import it as well.", g.Name)
	}
	return item
}

// inDirectory says who of the directory members of a tenant group are.
func (w *groupImporter) inDirectory(ctx context.Context, st *groupImportStep, members []directory.TenantMember) (map[directory.AccountID]directory.MemberRef, error) {
	known := map[directory.AccountID]directory.MemberRef{}
	var accounts []directory.AccountID
	var groups []directory.TenantGroupID
	for _, m := range members {
		switch m.Type {
		case directory.TenantMemberUser:
			accounts = append(accounts, m.ID)
		case directory.TenantMemberGroup:
			groups = append(groups, directory.TenantGroupID(m.ID))
		}
	}
	if len(groups) > 0 {
		ours, err := w.ours(ctx, st.conn, groups)
		if err != nil {
			return nil, err
		}
		for id, g := range ours {
			known[directory.AccountID(id)] = directory.GroupMember(g.ID)
		}
	}
	users, err := w.imports.whose(ctx, st.conn, w.opened, accounts)
	for id, u := range users {
		known[id] = directory.UserMember(u)
	}
	return known, err
}

// opened is the judge of the slice, which is not needed before somebody is looked up.
func (w *groupImporter) opened(ctx context.Context, c *directory.Connection) (judge *assign.Judge, err error) {
	if w.judge == nil {
		w.judge, err = w.imports.accounts.Judge(ctx, c)
	}
	return w.judge, err
}

// distinctGroups names each tenant group once.
func distinctGroups(named []directory.TenantGroupID) []directory.TenantGroupID {
	seen := map[string]bool{}
	var ids []directory.TenantGroupID
	for _, id := range named {
		folded := strings.ToLower(string(id))
		if !seen[folded] {
			seen[folded] = true
			ids = append(ids, directory.TenantGroupID(folded))
		}
	}
	return ids
}
