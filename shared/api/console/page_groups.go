package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// groupsPage lists the groups of the directory.
func groupsPage(v *visit) (answer, error) {
	q := v.r.URL.Query()
	by, err := parameters(q, "text", "source")
	if err != nil {
		return nil, err
	}
	text, source, deleted := by["text"], by["source"], ""
	if q.Get("deleted") == "true" {
		deleted, text, source = "true", "", ""
	}
	list, err := v.findGroups(q.Get("next"), "text", text, "source", source, "deleted", deleted)
	if err != nil {
		return nil, err
	}
	name, members, used, from, updated := column{head: textName}, column{head: textMembers, num: true}, column{head: textUsedBy, num: true}, column{head: textSource}, column{head: textUpdated}
	rows := g.Map(list.Items, func(x directory.Group) g.Node {
		return h.Tr(v.cell(name, link(here("groups", string(x.ID)), h.Class("who"), data(x.Name)), g.If(x.Description != "", h.Small(data(x.Description)))),
			v.cell(members, v.number(x.Members)), v.cell(used, v.number(len(x.UsedBy))), v.cell(from, v.say(sourceWord(x.Source))), v.cell(updated, v.ago(x.Updated)))
	})
	body := g.Node(h.Div(v.table(textGroups, []column{name, members, used, from, updated}, rows), v.pager(list.Next)))
	switch {
	case len(list.Items) > 0:
	case list.Next != "":
		body = v.empty(textNothingYetSearchOn, h.P(v.say(textSearchedInGroups)), h.P(link(v.with("next", list.Next), h.Class("button"), v.say(textSearchOn))))
	case deleted != "":
		body = v.empty(textNoDeletedGroups)
	case text+source != "" || q.Get("next") != "":
		body = v.empty(textNoGroupsMatch, h.P(v.say(textSearchedInGroups)), h.P(link("/console/groups", v.say(textShowAll))))
	default:
		body = v.empty(textNoGroups)
	}
	return view{title: v.lang.say(textGroups), section: "/console/groups", head: []g.Node{v.linkButton(scopeWrite, "/console/groups/new", textAddGroup, ""), v.linkButton(scopeWrite, "/console/users/load?of=groups", textLoadFile, "")}, body: []g.Node{
		h.Form(h.Method("get"), h.Action("/console/groups"), h.Class("row search"), h.Role("search"), h.Label(v.say(textSearch), h.Input(h.Type("search"), h.Name("text"), h.Value(text), h.MaxLength("100"))),
			v.choose("source", source, textSource, option{string(directory.SourceManual), textSourceManual}, option{string(directory.SourceSCIM), textSourceSCIM}, option{string(directory.SourceAD), textSourceAD}, option{string(directory.SourceM365), textSourceM365}),
			h.Button(h.Type("submit"), v.say(textShow)), link("/console/groups", v.say(textShowAll)), link("/console/groups?deleted=true", v.say(textDeletedGroups))),
		body, v.asCall("GET", query("/v1/groups", "text", text, "source", source, "deleted", deleted))}}, nil
}

// findGroups reads a page of groups; a search that has found none yet goes on, as findUsers.
func (v *visit) findGroups(next string, filter ...string) (page[directory.Group], error) {
	for try := range searchCalls {
		var list page[directory.Group]
		_, err := v.call(v.ctx, http.MethodGet, query("/v1/groups", append(filter, "limit", "50", "next", next)...), nil, &list)
		if p, ours := asProblem(err); ours && p.late && try > 0 {
			break
		}
		if err != nil || len(list.Items) > 0 || list.Next == "" {
			return list, err
		}
		next = list.Next
	}
	return page[directory.Group]{Next: next}, nil
}

// member is somebody, or a group, in a group.
type member struct {
	Type    directory.MemberType `json:"type"`
	ID      string               `json:"id"`
	Name    string               `json:"name"`
	Email   string               `json:"email"`
	Source  directory.Source     `json:"source"`
	Added   time.Time            `json:"added"`
	GroupID directory.GroupID    `json:"groupId"`
}

// groupPage shows a group: who is in it, or in which groups it is, and what connections do
// with it.
func groupPage(v *visit) (answer, error) {
	id, q := v.id(), v.r.URL.Query()
	shown := asked(q.Get("show"), "", "all", "above")
	if q.Get("nested") == "true" { // as addresses had it
		shown = "all"
	}
	path := query(apiPath("groups", id, "members"), "limit", "50", "next", q.Get("next"))
	switch shown {
	case "all":
		path = query(apiPath("groups", id, "members"), "limit", "50", "nested", "true", "next", q.Get("next"))
	case "above":
		path = query(apiPath("groups", id, "groups"), "limit", "50", "next", q.Get("next"))
	}
	groups := ask[directory.Group](v, apiPath("groups", id))
	var members later[page[member]]
	var above later[page[userGroup]]
	var uses later[page[groupUse]]
	var cons later[page[connection]]
	if shown == "above" {
		above = ask[page[userGroup]](v, path)
	} else {
		members = ask[page[member]](v, path)
	}
	if shown == "" { // what connections do stands on the first of the three
		uses, cons = ask[page[groupUse]](v, apiPath("groups", id, "uses")), ask[page[connection]](v, "/v1/connections?limit=100")
	}
	x, err := groups.get()
	if err != nil {
		return nil, err
	}
	at := here("groups", id)
	version := hidden("version", itoa(int(x.Version)))
	acts := g.Node(h.Div(h.Class("row"), v.linkButton(scopeWrite, at+"/edit", textEdit, "primary"), v.linkButton(scopeWrite, at+"/delete", textDeleteDots, "")))
	head := []g.Node{}
	if x.Deleted != nil {
		head = append(head, v.badge(toneBad, textUserDeleted))
		acts = h.Div(h.P(v.say(textGroupDeletedMeans), g.Text(" "), v.moment(*x.Deleted)), v.act(scopeWrite, at+"/restore", textRestore, "primary", version))
	}
	chip := func(to, name string, caption text) g.Node {
		return h.Li(link(to, h.Class("chip"), g.If(shown == name, h.Aria("current", "true")), v.say(caption)))
	}
	var list, used g.Node
	if shown == "above" {
		list = partly(v, above, func(p page[userGroup]) g.Node {
			if len(p.Items) == 0 && p.Next == "" {
				return v.empty(textInNoGroup)
			}
			return h.Div(h.Ul(g.Map(p.Items, v.inGroup)...), v.pager(p.Next))
		})
	} else {
		list = partly(v, members, func(p page[member]) g.Node { return v.groupMembers(&x, p, shown == "all") })
	}
	if shown == "" {
		known, _ := cons.get() // without them there are their IDs
		names := names{}
		for _, c := range known.Items {
			names[string(c.ID)] = c.Name
		}
		used = h.Section(h.H2(v.say(textUsedBy)), partly(v, uses, func(p page[groupUse]) g.Node {
			if len(p.Items) == 0 {
				return v.empty(textNotUsed)
			}
			con, does, state := column{head: textConnection}, column{head: textWhatItDoesWith}, column{head: textStatus}
			return v.table(textUsedBy, []column{con, does, state}, g.Map(p.Items, func(u groupUse) g.Node {
				return h.Tr(v.cell(con, link(here("connections", string(u.ConnectionID), "groups", id), h.Class("who"), names.show(string(u.ConnectionID)))), v.cell(does, v.useWords(&u)), v.cell(state, v.useState(&u)))
			}))
		}))
	}
	return view{title: x.Name, section: "/console/groups", crumbs: []crumb{{"/console/groups", v.say(textGroups)}}, head: head, body: []g.Node{
		h.Section(h.Class("status"), acts, facts(g.If(x.Description != "", v.fact(textDescription, data(x.Description))), v.fact(textMembers, v.number(x.Members)), v.fact(textSource, v.say(sourceWord(x.Source))), g.If(x.MailNickname != "", v.fact(textMailNickname, data(x.MailNickname))), v.fact(textUpdated, v.ago(x.Updated)), v.fact(textID, code(string(x.ID))))),
		used,
		h.Section(h.H2(v.say(textMembers)), h.Ul(h.Class("chips"), v.label(textFilter), chip(at, "", textDirectMembers), chip(at+"?show=all", "all", textAllInIt), chip(at+"?show=above", "above", textGroupsAbove)),
			list, g.If(shown == "", v.addMembersForm(&x))),
		h.P(link(query("/console/activity", "groupId", id), v.say(textHistory))),
		v.asCall("GET", path)}}, nil
}

// inGroup is a group in which somebody, or a group, is, with the way there.
func (v *visit) inGroup(x userGroup) g.Node {
	var path []string
	for _, step := range x.Path {
		path = append(path, step.Name)
	}
	return h.Li(link(here("groups", string(x.GroupID)), data(x.Name)), g.If(!x.Direct, h.Small(g.Text(" "), v.say(textThrough), g.Text(" "), data(strings.Join(path, " › ")))))
}

// groupMembers is a page of members, in a form that takes the ticked ones out.
func (v *visit) groupMembers(x *directory.Group, p page[member], nested bool) g.Node {
	if len(p.Items) == 0 && p.Next == "" {
		return v.empty(textNoMembersYet)
	}
	may := v.s.has(scopeWrite) && !nested && x.Deleted == nil
	choose, who, by, added := column{head: textChoose}, column{head: textWho}, column{head: textSource}, column{head: textAdded}
	columns := []column{choose, who, by, added}
	if !may {
		columns = columns[1:]
	}
	names := names{}
	if nested {
		var through []directory.GroupID
		for _, m := range p.Items {
			through = append(through, m.GroupID)
		}
		names = v.namesOf(nil, through)
	}
	rows := g.Map(p.Items, func(m member) g.Node {
		to := here("users", m.ID)
		if m.Type == directory.MemberGroup {
			to = here("groups", m.ID)
		}
		box := dash()
		if m.Source == "" || m.Source == directory.SourceManual {
			box = h.Label(h.Class("tick"), h.Input(h.Type("checkbox"), h.Name("c"), h.Value(string(m.Type)+" "+m.ID), v.label(textChooseThis, clean(m.Name))))
		}
		var through g.Node
		if nested && m.GroupID != "" && m.GroupID != x.ID {
			through = h.Small(v.say(textThrough), g.Text(" "), link(here("groups", string(m.GroupID)), names.show(string(m.GroupID))))
		}
		return h.Tr(g.If(may, v.cell(choose, box)), v.cell(who, link(to, h.Class("who"), data(orID(m.Name, m.ID))), g.If(m.Email != "", h.Small(data(m.Email))), g.If(m.Type == directory.MemberGroup, h.Small(v.say(textAGroup))), through),
			v.cell(by, v.say(sourceWord(m.Source))), v.cell(added, v.ago(m.Added)))
	})
	table := v.table(textMembers, columns, rows)
	if !may {
		return h.Div(table, v.pager(p.Next))
	}
	return h.Div(h.Form(h.Method("post"), h.Action(here("groups", string(x.ID), "remove")), h.Data("select", ""), h.Data("busy", ""), hidden("version", itoa(int(x.MembersVersion))),
		h.Div(h.Class("bar"), h.Label(h.Class("tick all"), h.Input(h.Type("checkbox"), h.Data("all", "")), v.say(textAllOfPage)), h.Span(h.Class("chosen"), h.Data("count", ""), h.Data("elsewhere", "0")), h.Button(h.Type("submit"), v.say(textTakeOut))),
		table), v.pager(p.Next))
}

// addMembersForm makes users and groups members.
func (v *visit) addMembersForm(x *directory.Group) g.Node {
	if x.Deleted != nil {
		return nil
	}
	if !v.s.has(scopeWrite) {
		return v.lacking(scopeWrite, textAddMembers)
	}
	return h.Form(h.Method("post"), h.Action(here("groups", string(x.ID), "add")), h.Class("stack"), h.Data("busy", ""), h.H3(v.say(textAddMembers)),
		h.Label(v.say(textUsersByID), h.Textarea(h.Name("users"), h.Rows("2"), h.MaxLength("40000"))), h.Label(v.say(textGroupsByID), h.Textarea(h.Name("groups"), h.Rows("1"), h.MaxLength("40000"))),
		h.Div(h.Button(h.Type("submit"), v.say(textAddMembers))))
}

// membersNamed are the members that a form names or has ticked, as /v1 takes them; a refusal
// names whom nobody knows.
func (v *visit) membersNamed() (body map[string][]string, refused answer, err error) {
	f, body := v.r.PostForm, map[string][]string{}
	users, unknown, err := v.userIDs(listed(strings.Join(f["users"], ",")))
	if err != nil {
		return nil, nil, err
	}
	if len(unknown) > 0 {
		return nil, v.refusal(http.StatusUnprocessableEntity, textNobodyHasAddress, clean(strings.Join(unknown, ", "))), nil
	}
	groups, unknown, err := v.groupIDs(namesIn(strings.Join(f["groups"], ",")))
	if err != nil {
		return nil, nil, err
	}
	if len(unknown) > 0 {
		return nil, v.refusal(http.StatusUnprocessableEntity, textNoGroupHasName, clean(strings.Join(unknown, ", "))), nil
	}
	for _, one := range f["c"] {
		kind, id, ok := cut(one)
		switch {
		case ok && kind == string(directory.MemberGroup):
			groups = append(groups, id)
		case ok:
			users = append(users, id)
		}
	}
	for name, ids := range map[string][]string{"userIds": users, "groupIds": groups} {
		if len(ids) > 0 {
			body[name] = ids
		}
	}
	return body, nil, nil
}

// editMembers adds members to a group, or takes them out; what is refused is told by name.
func editMembers(method string, told number) func(v *visit) (answer, error) {
	return func(v *visit) (answer, error) {
		body, refused, err := v.membersNamed()
		if err != nil || refused != nil {
			return refused, err
		}
		at := here("groups", v.id())
		if len(body) == 0 {
			return v.done(at, v.lang.say(textNameMembers)), nil
		}
		var out struct {
			Done    []directory.MemberRef   `json:"done"`
			Refused []directory.RefusedItem `json:"refused"`
		}
		if _, err := v.call(v.ctx, method, apiPath("groups", v.id(), "members"), body, &out, ifMatch(v.r.PostForm.Get("version"))...); err != nil {
			if is(err, http.StatusPreconditionFailed) {
				return v.stale(at), nil
			}
			return nil, err
		}
		if len(out.Refused) == 0 {
			return v.done(at, v.lang.count(told, len(out.Done))), nil
		}
		what, why := column{head: textWhat}, column{head: textWhy}
		return view{title: v.lang.count(told, len(out.Done)), section: "/console/groups", body: []g.Node{h.H2(v.count(countRefused, len(out.Refused))),
			v.table(textRefusedItems, []column{what, why}, g.Map(out.Refused, func(r directory.RefusedItem) g.Node {
				return h.Tr(v.cell(what, v.refusedName(r)), v.cell(why, v.sentence(r.Detail), h.Small(code(r.Code))))
			})), h.P(link(at, h.Class("button primary"), v.say(textBack)))}}, nil
	}
}

// mostLookedUp is how many addresses one form may have.
const mostLookedUp = 100

// userIDs are the IDs of users who are named by them, or by their e-mail addresses; unknown
// are addresses that nobody has, or that are more than one form may have.
func (v *visit) userIDs(list []string) (ids, unknown []string, err error) {
	isID := func(one string) bool { return !strings.Contains(one, "@") }
	return v.lookUp(list, isID, func(one string) (string, error) {
		var p page[directory.User]
		_, err := v.call(v.ctx, http.MethodGet, query("/v1/users", "email", one, "limit", "1"), nil, &p)
		if len(p.Items) == 0 {
			return "", err
		}
		return string(p.Items[0].ID), err
	})
}

// groupIDs are those of groups that are named by them, or by their names.
func (v *visit) groupIDs(list []string) (ids, unknown []string, err error) {
	isID := func(one string) bool { return strings.HasPrefix(one, "grp_") }
	return v.lookUp(list, isID, func(one string) (string, error) {
		var p page[directory.Group]
		_, err := v.call(v.ctx, http.MethodGet, query("/v1/groups", "name", one, "limit", "1"), nil, &p)
		if len(p.Items) == 0 {
			return "", err
		}
		return string(p.Items[0].ID), err
	})
}

// lookUp finds what each of a list is about that is no ID, some at a time; "" is nothing.
func (v *visit) lookUp(list []string, isID func(one string) bool, find func(one string) (string, error)) (ids, unknown []string, err error) {
	ids = make([]string, len(list))
	failed := make([]error, len(list))
	var group sync.WaitGroup
	slots, looked := make(chan struct{}, manyAtOnce), 0
	for i, one := range list {
		if isID(one) {
			ids[i] = one
			continue
		}
		if looked++; looked > mostLookedUp {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			ids[i], failed[i] = find(one)
		})
	}
	group.Wait()
	for i, id := range ids {
		if failed[i] != nil && !is(failed[i], http.StatusUnprocessableEntity) { // what is no address nobody has
			return nil, nil, failed[i]
		}
		if id == "" {
			unknown = append(unknown, list[i])
		}
	}
	return ids, unknown, nil
}

// namesIn splits a parameter that is a list of names.
func namesIn(value string) (list []string) {
	for one := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if one = strings.TrimSpace(one); one != "" {
			list = append(list, one)
		}
	}
	return list
}

func newGroupPage(v *visit) (answer, error) {
	return v.groupForm(nil, directory.GroupProfile{}, nil, nil), nil
}

func editGroupPage(v *visit) (answer, error) {
	var x directory.Group
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("groups", v.id()), nil, &x); err != nil {
		return nil, err
	}
	return v.groupForm(&x, x.GroupProfile, nil, nil), nil
}

// groupForm is a group's form; x is nil for a new one.
func (v *visit) groupForm(x *directory.Group, typed directory.GroupProfile, p *problem, other *otherEdit) answer {
	at, back, title, status := "/console/groups/new", "/console/groups", v.lang.say(textAddGroup), 0
	version := v.thisForm()
	if x != nil {
		at, back, title = here("groups", string(x.ID), "edit"), here("groups", string(x.ID)), v.lang.say(textEditTitle, clean(x.Name))
		version = hidden("version", itoa(int(x.Version)))
	}
	if p != nil {
		status = p.Status
	}
	field := func(name string, caption, help text, more ...g.Node) g.Node {
		var made g.Node
		if x != nil {
			made = hidden(madeOf+name, groupTexts(&x.GroupProfile)[name])
		}
		taken, choice := v.ofOther(other, name)
		return g.Group([]g.Node{v.field(name, caption, help, groupTexts(&typed)[name], p, more...), made, taken, choice})
	}
	return view{status: status, title: title, section: "/console/groups", crumbs: []crumb{{"/console/groups", v.say(textGroups)}}, body: []g.Node{v.refused(p), v.meanwhile(other),
		h.Form(h.Method("post"), h.Action(at), h.Class("stack"), h.Data("busy", ""), version,
			field("name", textName, textGroupNameHelp, h.Required()), field("description", textDescription, textDescriptionHelp), field("mailNickname", textMailNickname, textMailNicknameHelp),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSave)), link(back, h.Class("button"), v.say(textNotYet))))}}
}

// groupTexts are the fields of a group's form.
func groupTexts(p *directory.GroupProfile) map[string]string {
	return map[string]string{"name": p.Name, "description": p.Description, "mailNickname": p.MailNickname}
}

// typedGroup is what stands in the fields of a form; those that it does not have lack.
func (v *visit) typedGroup() map[string]string {
	typed := map[string]string{}
	for name := range groupTexts(&directory.GroupProfile{}) {
		if v.r.PostForm.Has(name) {
			typed[name] = typedText(v.r.PostForm.Get(name))
		}
	}
	return typed
}

func groupProfile(texts map[string]string) directory.GroupProfile {
	return directory.GroupProfile{Name: texts["name"], Description: texts["description"], MailNickname: texts["mailNickname"]}
}

// newGroup makes a group.
func newGroup(v *visit) (answer, error) {
	typed := v.typedGroup()
	body := map[string]any{}
	for name, value := range typed {
		if value != "" {
			body[name] = value
		}
	}
	var out struct {
		ID directory.GroupID `json:"id"`
	}
	if _, err := v.call(v.ctx, http.MethodPost, "/v1/groups", body, &out); err != nil {
		return v.mended(err, func(p *problem) answer { return v.groupForm(nil, groupProfile(typed), p, nil) })
	}
	return v.done(here("groups", string(out.ID)), v.lang.say(textGroupMade)), nil
}

// mended shows a form once more where /v1 has refused what stands in it.
func (v *visit) mended(err error, form func(p *problem) answer) (answer, error) {
	if p, ours := asProblem(err); ours && (p.Status == http.StatusUnprocessableEntity || p.Status == http.StatusBadRequest || p.Status == http.StatusConflict) {
		return form(p), nil
	}
	return nil, err
}

// editGroup saves a form onto the version that it was made of; when somebody else was faster
// both versions are brought together, as those of a user. What a form does not have it does
// not empty.
func editGroup(v *visit) (answer, error) {
	var x directory.Group
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("groups", v.id()), nil, &x); err != nil {
		return nil, err
	}
	typed := v.typedGroup()
	open := v.undecided(typed)
	switch {
	case v.r.PostForm.Get("version") != itoa(int(x.Version)) && !v.takingBack():
		return v.bothGroups(&x, typed), nil
	case len(open) > 0:
		page, _ := v.groupForm(&x, groupProfile(typed), nil, &otherEdit{theirs: open, newest: v.newestEdit("groupId", v.id(), directory.AuditEditGroup)}).(view)
		page.status = http.StatusPreconditionFailed
		return page, nil
	}
	body := map[string]any{}
	for name, value := range typed {
		if body[name] = value; value == "" {
			body[name] = nil
		}
	}
	header, err := v.call(v.ctx, http.MethodPatch, apiPath("groups", v.id()), body, nil, ifMatch(v.r.PostForm.Get("version"))...)
	switch {
	case err == nil:
		back := &wayBack{To: here("groups", v.id(), "edit"), Fields: []string{"name", x.Name, "description", x.Description, "mailNickname", x.MailNickname}}
		return v.undoable(here("groups", v.id()), v.lang.say(textSavedGroup), versionOf(header), back), nil
	case is(err, http.StatusPreconditionFailed) && v.takingBack():
		return v.tooLate(here("groups", v.id())), nil
	case is(err, http.StatusPreconditionFailed):
		if _, err := v.call(v.ctx, http.MethodGet, apiPath("groups", v.id()), nil, &x); err != nil {
			return nil, err
		}
		return v.bothGroups(&x, typed), nil
	}
	return v.mended(err, func(p *problem) answer { return v.groupForm(&x, groupProfile(typed), p, nil) })
}

// bothGroups is a form that brings what was typed together with what the group is by now.
func (v *visit) bothGroups(x *directory.Group, typed map[string]string) answer {
	now := groupTexts(&x.GroupProfile)
	merged, other := v.broughtTogether(typed, now)
	for name := range now {
		if _, sent := merged[name]; !sent {
			merged[name] = now[name]
		}
	}
	other.newest = v.newestEdit("groupId", v.id(), directory.AuditEditGroup)
	page, _ := v.groupForm(x, groupProfile(merged), nil, other).(view)
	page.status = http.StatusPreconditionFailed
	return page
}

// deleteGroupPage says what deleting a group comes to.
func deleteGroupPage(v *visit) (answer, error) {
	var x directory.Group
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("groups", v.id()), nil, &x); err != nil {
		return nil, err
	}
	at := here("groups", v.id())
	return view{title: v.lang.say(textDeleteTitle, clean(x.Name)), section: "/console/groups", crumbs: []crumb{{"/console/groups", v.say(textGroups)}, {at, data(x.Name)}}, body: []g.Node{
		h.P(h.Class("lead"), v.count(countGroupDeleteMeans, x.Members)), h.P(v.say(textGroupDeleteUses)), h.P(v.say(textGroupDeleteBack)),
		h.Form(h.Method("post"), h.Action(at+"/delete"), h.Data("busy", ""), hidden("version", itoa(int(x.Version))), h.Div(h.Class("row decide"), h.Button(h.Type("submit"), h.Class("danger"), v.say(textDeleteGroup)), link(at, h.Class("button"), v.say(textNotYet))))}}, nil
}

// groupAct deletes or restores a group, at the version that was seen.
func groupAct(method, act string, told text) func(v *visit) (answer, error) {
	return func(v *visit) (answer, error) {
		path := apiPath("groups", v.id())
		if act != "" {
			path = apiPath("groups", v.id(), act)
		}
		if _, err := v.call(v.ctx, method, path, nil, nil, ifMatch(v.r.PostForm.Get("version"))...); err != nil {
			if is(err, http.StatusPreconditionFailed) {
				return v.stale(here("groups", v.id())), nil
			}
			return nil, err
		}
		return v.done(here("groups", v.id()), v.lang.say(told)), nil
	}
}

// groupUse is what a connection does with a group.
type groupUse struct {
	ConnectionID directory.ConnectionID  `json:"connectionId"`
	GroupID      directory.GroupID       `json:"groupId"`
	Select       *directory.SelectRule   `json:"select"`
	Export       *directory.ExportRule   `json:"export"`
	Licences     []directory.LicenceRule `json:"licences"`
	Ending       bool                    `json:"ending"`
	By           string                  `json:"by"`
	Problem      string                  `json:"problem"`
	Lacking      []directory.Permission  `json:"lacking"`
	Forecast     *forecast               `json:"forecast"`
	UpToDate     *struct {
		At      time.Time `json:"at"`
		Members int       `json:"members"`
		Refused int       `json:"refused"`
	} `json:"upToDate"`

	version string // of which it is; unused: there is no use yet
}

// unused is the version of a use that there is not.
const unused = "0"

// forecast is what is likely to follow from a use.
type forecast struct {
	Users          int    `json:"users"`
	Complete       bool   `json:"complete"`
	Bound          int    `json:"bound"`
	NotBindable    int    `json:"notBindable"`
	Released       int    `json:"released"`
	MembersAdded   int    `json:"membersAdded"`
	MembersRemoved int    `json:"membersRemoved"`
	TenantGroup    string `json:"tenantGroup"`
	Writes         int    `json:"writes"`
	Seconds        int    `json:"seconds"`
	Licences       []struct {
		Name    string `json:"name"`
		Needed  int    `json:"needed"`
		Free    *int   `json:"free"`
		Missing int    `json:"missing"`
	} `json:"licences"`
	Notes []string `json:"notes"`
}

// usesPage lists what a connection does with groups.
func usesPage(v *visit) (answer, error) {
	id := v.id()
	if chosen, err := parameter(v.r.URL.Query(), "group"); err != nil {
		return nil, err
	} else if chosen != "" {
		ids, unknown, err := v.groupIDs([]string{chosen})
		if err != nil {
			return nil, err
		}
		if len(unknown) > 0 {
			return v.done(here("connections", id, "groups"), v.lang.say(textNoGroupsMatch)), nil
		}
		return redirect{here("connections", id, "groups", ids[0])}, nil
	}
	cons := ask[connection](v, apiPath("connections", id))
	list := ask[page[groupUse]](v, query(apiPath("connections", id, "groups"), "limit", "50", "next", v.r.URL.Query().Get("next")))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	group, does, state := column{head: textGroup}, column{head: textWhatItDoesWith}, column{head: textStatus}
	at := here("connections", id, "groups")
	return v.ofConnection(&c, "/groups", h.P(h.Class("faint"), v.say(textUsesLead)),
		partly(v, list, func(p page[groupUse]) g.Node {
			if len(p.Items) == 0 && p.Next == "" {
				return v.empty(textNoUses, h.P(link("/console/groups", h.Class("button"), v.say(textGroups))))
			}
			var ids []directory.GroupID
			for _, u := range p.Items {
				ids = append(ids, u.GroupID)
			}
			names := v.namesOf(nil, ids)
			return h.Div(v.table(textGroups, []column{group, does, state}, g.Map(p.Items, func(u groupUse) g.Node {
				return h.Tr(v.cell(group, link(below(at, string(u.GroupID)), h.Class("who"), names.show(string(u.GroupID)))), v.cell(does, v.useWords(&u)), v.cell(state, v.useState(&u)))
			})), v.pager(p.Next))
		}),
		h.Form(h.Method("get"), h.Action(at), h.Class("row search"), h.Label(v.say(textGroupID), h.Input(h.Type("text"), h.Name("group"), h.MaxLength("256"), h.AutoComplete("off"))), h.Button(h.Type("submit"), v.say(textUseGroup))),
		h.P(link(here("connections", id, "tenant-groups"), v.say(textTenantGroups))),
		v.asCall("GET", apiPath("connections", id, "groups"))), nil
}

// useWords says what a use does.
func (v *visit) useWords(u *groupUse) g.Node {
	var list []g.Node
	if u.Select != nil {
		list = append(list, h.Li(v.say(textUseSelect)))
	}
	if u.Export != nil {
		kind := textUseSecurity
		if u.Export.Kind == directory.ExportMicrosoft365 {
			kind = textUseMicrosoft365
		}
		exact := g.Node(nil)
		if u.Export.Members == directory.MembersExact {
			exact = h.Small(v.say(textUseExact))
		}
		list = append(list, h.Li(v.say(kind), exact))
	}
	for _, l := range u.Licences {
		list = append(list, h.Li(v.say(textUseLicence), g.Text(" "), code(l.SKU), g.If(l.Via == directory.LicenceViaGroup, h.Small(v.say(textViaGroup)))))
	}
	return h.Ul(h.Class("bare"), g.Group(list))
}

// useState says how far a use has been brought.
func (v *visit) useState(u *groupUse) g.Node {
	nodes := []g.Node{}
	switch {
	case u.Ending:
		nodes = append(nodes, v.badge(tonePlain, textUseEnding))
	case u.Problem != "":
		nodes = append(nodes, v.badge(toneBad, textStateFailed), h.Small(v.sentence(u.Problem)))
	case len(u.Lacking) > 0:
		nodes = append(nodes, v.badge(toneWarn, textLackingShort))
	case u.UpToDate != nil:
		nodes = append(nodes, v.badge(toneGood, textUpToDate), h.Small(v.count(countUsersPlain, u.UpToDate.Members), g.Text(", "), v.ago(u.UpToDate.At)), g.If(u.UpToDate.Refused > 0, h.Small(v.count(countRefused, u.UpToDate.Refused))))
	default:
		nodes = append(nodes, v.badge(toneInfo, textBindingPending))
	}
	for _, p := range u.Lacking {
		nodes = append(nodes, h.Small(code(p.Scope), g.Text(" "), v.sentence(p.Without)))
	}
	return g.Group(nodes)
}

// usePage is what a connection does with one group: as it is, and a form to say otherwise,
// which shows what would follow before it is done.
func usePage(v *visit) (answer, error) {
	id, group := v.id(), v.r.PathValue("group")
	cons, groups := ask[connection](v, apiPath("connections", id)), ask[directory.Group](v, apiPath("groups", group))
	uses, list := ask[groupUse](v, apiPath("connections", id, "groups", group)), v.askProducts(id)
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	x, err := groups.get()
	if err != nil {
		return nil, err
	}
	u, tag, err := uses.tagged()
	if err != nil && !is(err, http.StatusNotFound) {
		return nil, err
	}
	used := err == nil
	u.version = unused
	if used {
		u.version = strings.Trim(tag, `"`)
	}
	return v.useView(&c, &x, &u, list, used, nil, nil), nil
}

// useNow is a use as it is stored; one of the version unused when there is none.
func (v *visit) useNow() (groupUse, error) {
	var u groupUse
	header, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id(), "groups", v.r.PathValue("group")), nil, &u)
	if is(err, http.StatusNotFound) {
		return groupUse{version: unused}, nil
	}
	u.version = strings.Trim(header.Get("ETag"), `"`)
	return u, err
}

// useView is the page of a use. Its form has what u says; with a forecast it is the page
// before saving; with what somebody else has made of the use meanwhile, it shows that too.
func (v *visit) useView(c *connection, x *directory.Group, u *groupUse, list later[products], used bool, p *problem, theirs *groupUse) answer {
	at := here("connections", string(c.ID), "groups", string(x.ID))
	pick := func(name, value string, now bool, caption text) g.Node {
		return h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name(name), h.Value(value), g.If(now, h.Checked())), h.Span(v.say(caption)))
	}
	var e directory.ExportRule
	if u.Export != nil {
		e = *u.Export
	}
	e.Members, e.Nested, e.OnRelease = cmp.Or(e.Members, directory.MembersAdd), cmp.Or(e.Nested, directory.NestedFlatten), cmp.Or(e.OnRelease, directory.ExportKeep)
	released := ""
	if u.Select != nil {
		released = string(u.Select.OnRelease)
	}
	fields := []g.Node{
		h.FieldSet(h.Legend(v.say(textMembersHere)), h.Label(h.Class("pick"), h.Input(h.Type("checkbox"), h.Name("select"), h.Value("1"), g.If(u.Select != nil, h.Checked())), h.Span(v.say(textSelectMeans))),
			h.Label(v.say(textWhoLeaves), h.Select(h.Name("released"), v.choices([]option{{"", textAsTheSettingsSay}, {"keep", textReleasedKept}, {"block", textReleasedBlocked}, {"restore", textReleasedRestored}}, released)))),
		h.FieldSet(h.Legend(v.say(textExport)), pick("export", "", e.Kind == "", textExportNone), pick("export", string(directory.ExportSecurity), e.Kind == directory.ExportSecurity, textUseSecurity), pick("export", string(directory.ExportMicrosoft365), e.Kind == directory.ExportMicrosoft365, textUseMicrosoft365),
			h.Label(h.Class("pick"), h.Input(h.Type("checkbox"), h.Name("welcome"), h.Value("1"), g.If(e.WelcomeMail, h.Checked())), h.Span(v.say(textWelcomeMail)))),
		v.fieldOf("adopt", "export.adopt", textAdoptGroup, textAdoptGroupHelp, string(e.Adopt), p),
		h.P(link(here("connections", string(c.ID), "tenant-groups"), v.say(textTenantGroups))),
		h.FieldSet(h.Legend(v.say(textMembersThere)), pick("members", string(directory.MembersAdd), e.Members == directory.MembersAdd, textMembersAdd), pick("members", string(directory.MembersExact), e.Members == directory.MembersExact, textMembersExact)),
		h.FieldSet(h.Legend(v.say(textGroupsInIt)), pick("nested", string(directory.NestedFlatten), e.Nested == directory.NestedFlatten, textNestedFlatten), pick("nested", string(directory.NestedKeep), e.Nested == directory.NestedKeep, textNestedKeep)),
		h.FieldSet(h.Legend(v.say(textWhenItEnds)), pick("ends", string(directory.ExportKeep), e.OnRelease == directory.ExportKeep, textEndsKeep), pick("ends", string(directory.ExportEmpty), e.OnRelease == directory.ExportEmpty, textEndsEmpty), pick("ends", string(directory.ExportRestore), e.OnRelease == directory.ExportRestore, textEndsRestore), pick("ends", string(directory.ExportDelete), e.OnRelease == directory.ExportDelete, textEndsDelete)),
		v.licenceFields(u.Licences, list, p),
	}
	status := 0
	if p != nil {
		status = p.Status
	}
	buttons := h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), h.Name("preview"), h.Value("1"), v.say(textTryFirst)))
	if u.Forecast != nil {
		buttons = h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSave)), h.Button(h.Type("submit"), h.Name("preview"), h.Value("1"), v.say(textTryAgain)), link(at, h.Class("button"), v.say(textNotYet)))
	}
	form := g.Node(h.Form(h.Method("post"), h.Action(at), h.Class("stack use"), h.Data("busy", ""), h.Data("ask", ""), v.thisForm(), hidden("version", u.version), g.Group(fields), buttons))
	if !v.s.has(scopeAdmin) {
		form = v.lacking(scopeAdmin, textSave)
	}
	var end g.Node
	if used && !u.Ending {
		end = h.Section(h.H2(v.say(textEndUse)), h.P(v.say(textEndUseMeans)), v.linkButton(scopeAdmin, at+"/end", textEndUseDots, "danger"))
	}
	page := v.ofConnection(c, "/groups", h.H2(v.say(textUseOf), g.Text(" "), link(here("groups", string(x.ID)), data(x.Name))), v.refused(p),
		g.Iff(theirs != nil, func() g.Node {
			now := v.useWords(theirs)
			if theirs.version == unused {
				now = h.P(v.say(textNoUseNow))
			}
			return v.box(toneWarn, v.say(textChangedMeanwhile), h.P(v.say(textBothUses)), now, h.P(link(at, h.Class("button"), v.say(textLookAgain))))
		}),
		g.If(used, h.Div(v.useWords(u), h.P(v.useState(u)))), v.forecastBox(u.Forecast), form, end, v.asCall("GET", apiPath("connections", string(c.ID), "groups", string(x.ID))))
	page.status = status
	if theirs != nil {
		page.status = http.StatusPreconditionFailed
	}
	return page
}

// forecastBox says what is likely to follow.
func (v *visit) forecastBox(f *forecast) g.Node {
	if f == nil {
		return nil
	}
	pairs := []g.Node{v.fact(textUsersInIt, v.number(f.Users)), v.fact(textWouldBeBound, v.number(f.Bound))}
	for _, one := range []struct {
		name text
		n    int
	}{{textCannotBeBound, f.NotBindable}, {textWouldBeReleased, f.Released}, {textMembersToAdd, f.MembersAdded}, {textMembersToRemove, f.MembersRemoved}, {textWrites, f.Writes}} {
		if one.n > 0 {
			pairs = append(pairs, v.fact(one.name, v.number(one.n)))
		}
	}
	if f.Seconds > 0 {
		pairs = append(pairs, v.fact(textTakesAtLeast, g.Text(v.lang.length(time.Duration(f.Seconds)*time.Second))))
	}
	for _, l := range f.Licences {
		free := g.Node(v.say(textUnknown))
		if l.Free != nil {
			free = v.number(*l.Free)
		}
		pairs = append(pairs, v.factNamed(l.Name, v.number(l.Needed), g.Text(" / "), free, g.If(l.Missing > 0, h.Small(v.count(countWaitForSeat, l.Missing)))))
	}
	return v.box(toneInfo, v.say(textForecast), h.P(v.say(textForecastMeans)), facts(pairs...), g.If(f.TenantGroup != "", h.P(v.sentence(f.TenantGroup))), g.If(!f.Complete, h.P(h.Strong(v.say(textIncomplete)))),
		h.Ul(g.Map(f.Notes, func(s string) g.Node { return h.Li(v.sentence(s)) })...))
}

// products are those of a tenant.
type products struct {
	Products []product `json:"products"`
	Counted  *struct {
		AsOf     time.Time `json:"asOf"`
		Accounts int       `json:"accounts"`
	} `json:"counted"`
	MoreWaiting bool `json:"moreWaiting"`
}

func (v *visit) askProducts(connection string) later[products] {
	return ask[products](v, apiPath("connections", connection, "licences"))
}

// licenceFields are the licences that a use gives: each product of the tenant, and what the
// use names besides.
func (v *visit) licenceFields(rules []directory.LicenceRule, list later[products], p *problem) g.Node {
	have, err := list.get()
	give, product, free, via, left, first := column{head: textGive}, column{head: textProduct}, column{head: textFree, num: true}, column{head: textVia}, column{head: textServicesLeft}, column{head: textPriority}
	var rows []g.Node
	row := func(rule directory.LicenceRule, on bool, name string, seats g.Node) {
		priority := ""
		if rule.Priority != 0 {
			priority = strconv.Itoa(rule.Priority)
		}
		if p != nil { // also what is no number stays
			priority = v.r.PostForm.Get("priority " + rule.SKU)
		}
		// What /v1 says of a rule it says of its place among those that were sent.
		n, at := len(rows), fmt.Sprintf("licences[%d]", slices.IndexFunc(rules, func(r directory.LicenceRule) bool { return r.SKU == rule.SKU }))
		of := func(field string, caption text, members ...string) fault {
			return p.at(field+"-"+itoa(n), v.say(caption, rule.SKU), members...)
		}
		given, through, without, rank := of("sku", textGiveThis, at, at+".sku"), of("via", textViaOf, at+".via"), of("left", textServicesLeftOf, at+".disabledPlans*"), of("priority", textPriorityOf, at+".priority")
		rows = append(rows, h.Tr(v.cell(give, h.Label(h.Class("tick"), h.Input(h.ID(given.id), h.Type("checkbox"), h.Name("sku"), h.Value(rule.SKU), g.If(on, h.Checked()), v.label(textGiveThis, rule.SKU), given.mark(""))), v.told(given)),
			v.cell(product, h.Span(h.Class("who"), data(name)), h.Small(code(rule.SKU))), v.cell(free, seats),
			v.cell(via, h.Select(h.ID(through.id), h.Name("via "+rule.SKU), v.label(textViaOf, rule.SKU), through.mark(""), v.choices([]option{{"", textViaUser}, {string(directory.LicenceViaGroup), textViaGroup}}, strings.TrimPrefix(string(rule.Via), string(directory.LicenceViaUser)))), v.told(through)),
			v.cell(left, h.Input(h.ID(without.id), h.Type("text"), h.Name("left "+rule.SKU), h.Value(strings.Join(rule.DisabledPlans, ", ")), h.AutoComplete("off"), v.label(textServicesLeftOf, rule.SKU), without.mark("")), v.told(without)),
			v.cell(first, h.Input(h.ID(rank.id), h.Type("text"), g.Attr("inputmode", "numeric"), h.Class("limit"), h.Name("priority "+rule.SKU), h.Value(priority), h.AutoComplete("off"), v.label(textPriorityOf, rule.SKU), rank.mark("")), v.told(rank))))
	}
	named := map[string]bool{}
	for i := range have.Products {
		p := &have.Products[i]
		rule, given := directory.LicenceRule{SKU: p.PartNumber}, false
		for _, r := range rules {
			if r.SKU == p.PartNumber || r.SKU == string(p.SKU) {
				rule, given = r, true
				named[r.SKU] = true
			}
		}
		if given || p.Assignable {
			row(rule, given, p.Name, v.number(p.Seats.Free))
		}
	}
	for _, r := range rules {
		if !named[r.SKU] {
			row(r, true, r.SKU, dash())
		}
	}
	var parts []g.Node
	if len(rows) > 0 {
		parts = append(parts, v.table(textLicencesOf, []column{give, product, free, via, left, first}, rows))
	}
	if err != nil {
		parts = append(parts, h.P(h.Class("faint"), v.say(textProductsUnread)), v.fieldOf("skus", "licences", textMoreLicences, textLicencesOfHelp, "", p))
	}
	if len(parts) == 0 {
		parts = append(parts, h.P(h.Class("faint"), v.say(textNoProducts)))
	}
	return h.Div(append([]g.Node{h.H3(v.say(textLicencesOf)), h.P(h.Class("faint"), v.say(textLicenceRulesMean))}, parts...)...)
}

// licenceRules are those of a form, with what is wrong with priorities that are no number.
func (v *visit) licenceRules(f url.Values) (list []directory.LicenceRule, faults []directory.FieldError) {
	for _, sku := range f["sku"] {
		rule := directory.LicenceRule{SKU: sku, DisabledPlans: listed(f.Get("left " + sku)), Via: directory.LicenceVia(asked(f.Get("via "+sku), "", string(directory.LicenceViaGroup)))}
		if priority := strings.TrimSpace(f.Get("priority " + sku)); priority != "" {
			var err error
			if rule.Priority, err = v.lang.readWhole(priority); err != nil {
				faults = append(faults, directory.FieldError{Field: fmt.Sprintf("licences[%d].priority", len(list)), Detail: v.lang.noNumber(err, priority)})
			}
		}
		list = append(list, rule)
	}
	for _, sku := range listed(f.Get("skus")) {
		list = append(list, directory.LicenceRule{SKU: sku})
	}
	return list, faults
}

// saveUse says what a connection does with a group, or only shows what would follow: in place
// of the use that the form was made of, and of no other.
func saveUse(v *visit) (answer, error) {
	f, id, group := v.r.PostForm, v.id(), v.r.PathValue("group")
	u := groupUse{version: f.Get("version")}
	body := map[string]any{}
	if f.Get("select") == "1" {
		u.Select = &directory.SelectRule{OnRelease: directory.ReleasePolicy(f.Get("released"))}
		body["select"] = u.Select
	}
	if kind := asked(f.Get("export"), "", string(directory.ExportSecurity), string(directory.ExportMicrosoft365)); kind != "" {
		u.Export = &directory.ExportRule{Kind: directory.ExportKind(kind), Adopt: directory.AccountID(strings.TrimSpace(f.Get("adopt"))), Members: directory.MemberPolicy(asked(f.Get("members"), string(directory.MembersAdd), string(directory.MembersExact))),
			Nested:      directory.NestedPolicy(asked(f.Get("nested"), string(directory.NestedFlatten), string(directory.NestedKeep))),
			OnRelease:   directory.ExportRelease(asked(f.Get("ends"), string(directory.ExportKeep), string(directory.ExportEmpty), string(directory.ExportRestore), string(directory.ExportDelete))),
			WelcomeMail: f.Get("welcome") == "1"}
		body["export"] = u.Export
	}
	var faults []directory.FieldError
	u.Licences, faults = v.licenceRules(f)
	if len(u.Licences) > 0 {
		body["licences"] = u.Licences
	}
	preview := f.Get("preview") == "1"
	path := apiPath("connections", id, "groups", group)
	if preview {
		path += "?dryRun=true"
	}
	var out groupUse
	var err error
	stale, condition := u.version == "", ifMatch(u.version) // a form that does not say of what it was made may be of anything
	if u.version == unused {
		condition = nil
		if !preview {
			now, err := v.useNow()
			if err != nil {
				return nil, err
			}
			stale = now.version != unused
		}
	}
	switch {
	case stale:
		err = &problem{Status: http.StatusPreconditionFailed}
	case len(faults) > 0:
		err = atFault(faults...)
	default:
		_, err = v.call(v.ctx, http.MethodPut, path, body, &out, condition...)
	}
	p, ours := asProblem(err)
	var theirs *groupUse
	switch {
	case err == nil && !preview:
		return v.done(here("connections", id, "groups", group), v.lang.say(textUseSaved)), nil
	case ours && p.Status == http.StatusPreconditionFailed:
		now, err := v.useNow()
		if err != nil {
			return nil, err
		}
		theirs, u.version, p = &now, now.version, nil
	case err != nil && !(ours && p.Status >= 400 && p.Status < 500 && p.Status != http.StatusUnauthorized && p.Status != http.StatusNotFound):
		return nil, err
	}
	var c connection
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("connections", id), nil, &c); err != nil {
		return nil, err
	}
	var x directory.Group
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("groups", group), nil, &x); err != nil {
		return nil, err
	}
	u.Forecast = out.Forecast
	return v.useView(&c, &x, &u, v.askProducts(id), false, p, theirs), nil
}

// endUsePage says what ending a use comes to, for how many.
func endUsePage(v *visit) (answer, error) {
	id, group := v.id(), v.r.PathValue("group")
	cons, groups, uses := ask[connection](v, apiPath("connections", id)), ask[directory.Group](v, apiPath("groups", group)), ask[groupUse](v, apiPath("connections", id, "groups", group))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	x, err := groups.get()
	if err != nil {
		return nil, err
	}
	u, tag, err := uses.tagged()
	if err != nil {
		return nil, err
	}
	at := here("connections", id, "groups", group)
	var follows []g.Node
	if u.Select != nil {
		then := textAsTheSettingsSay
		for policy, word := range map[directory.ReleasePolicy]text{directory.ReleaseKeep: textReleasedKept, directory.ReleaseBlock: textReleasedBlocked, directory.ReleaseRestore: textReleasedRestored} {
			if u.Select.OnRelease == policy {
				then = word
			}
		}
		follows = append(follows, h.Li(v.say(textEndReleases), g.Text(" "), v.say(then)))
	}
	if u.Export != nil {
		then := textEndsKeep
		for policy, word := range map[directory.ExportRelease]text{directory.ExportEmpty: textEndsEmpty, directory.ExportRestore: textEndsRestore, directory.ExportDelete: textEndsDelete} {
			if u.Export.OnRelease == policy {
				then = word
			}
		}
		follows = append(follows, h.Li(v.say(textWhenItEnds), g.Text(" "), v.say(then)))
	}
	if len(u.Licences) > 0 {
		follows = append(follows, h.Li(v.count(countLicencesTaken, len(u.Licences))))
	}
	reach := h.P(v.say(textReachUnknown))
	if u.UpToDate != nil {
		reach = h.P(h.Strong(v.count(countReached, u.UpToDate.Members)), g.Text(" "), v.ago(u.UpToDate.At))
	}
	return v.ofConnection(&c, "/groups", h.H2(v.say(textEndUse), g.Text(" "), link(here("groups", string(x.ID)), data(x.Name))), v.useWords(&u), reach, h.Ul(follows...),
		h.Form(h.Method("post"), h.Action(at+"/end"), h.Class("decide"), h.Data("busy", ""), v.thisForm(), hidden("version", strings.Trim(tag, `"`)), h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("danger"), v.say(textEndUse)), link(at, h.Class("button"), v.say(textNotYet)))),
		v.asCall("DELETE", apiPath("connections", id, "groups", group))), nil
}

// endUse ends what a connection does with a group, as it was seen.
func endUse(v *visit) (answer, error) {
	at, version := below(here("connections", v.id(), "groups"), v.r.PathValue("group")), v.r.PostForm.Get("version")
	if version == "" {
		return redirect{at + "/end"}, nil
	}
	_, err := v.call(v.ctx, http.MethodDelete, apiPath("connections", v.id(), "groups", v.r.PathValue("group")), nil, nil, ifMatch(version)...)
	if is(err, http.StatusPreconditionFailed) {
		return v.stale(at), nil
	}
	if err != nil {
		return nil, err
	}
	return v.done(here("connections", v.id(), "groups"), v.lang.say(textUseEnded)), nil
}

// product is a product of the tenant's, with its seats.
type product struct {
	SKU        directory.SKUID `json:"skuId"`
	Name       string          `json:"name"`
	PartNumber string          `json:"skuPartNumber"`
	Status     string          `json:"capabilityStatus"`
	Detail     string          `json:"detail"`
	Assignable bool            `json:"assignable"`
	Seats      struct {
		Enabled int `json:"enabled"`
		Used    int `json:"used"`
		Free    int `json:"free"`
	} `json:"seats"`
	Given   int `json:"given"`
	Waiting struct {
		Users int           `json:"users"`
		Line  []waitsForOne `json:"line"`
	} `json:"waiting"`
	Counted *directory.LicenceTally `json:"counted"`
}

// waitsForOne is somebody who waits for a seat, in their order.
type waitsForOne struct {
	UserID directory.UserID `json:"userId"`
	Name   string           `json:"name"`
	Since  time.Time        `json:"since"`
}

// licencesPage shows the products of a tenant: seats, what Bindery gave, who waits, and,
// where somebody had them counted, from where the others have it.
func licencesPage(v *visit) (answer, error) {
	id := v.id()
	cons, list := ask[connection](v, apiPath("connections", id)), v.askProducts(id)
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	name, seats, used, free, given, waiting := column{head: textProduct}, column{head: textSeats, num: true}, column{head: textUsed, num: true}, column{head: textFree, num: true}, column{head: textGivenByUs, num: true}, column{head: textWaiting, num: true}
	others, inherited, blocked := column{head: textByOthers, num: true}, column{head: textByGroups, num: true}, column{head: textOnBlocked, num: true}
	return v.ofConnection(&c, "/licences", partly(v, list, func(x products) g.Node {
		if len(x.Products) == 0 {
			return v.empty(textNoProducts)
		}
		columns := []column{name, seats, used, free, given, waiting}
		if x.Counted != nil {
			columns = append(columns, others, inherited, blocked)
		}
		var lines []g.Node
		table := v.table(textLicences, columns, g.Map(x.Products, func(p product) g.Node {
			if len(p.Waiting.Line) > 0 {
				lines = append(lines, h.Section(h.H3(v.say(textWaitFor, clean(p.Name))), h.Ol(h.Class("names"), g.Group(g.Map(p.Waiting.Line, func(w waitsForOne) g.Node {
					return h.Li(link(here("users", string(w.UserID)), data(orID(w.Name, string(w.UserID)))), g.If(!w.Since.IsZero(), h.Small(g.Text(" "), v.say(textSince), g.Text(" "), v.moment(w.Since))))
				}))), g.If(p.Waiting.Users > len(p.Waiting.Line), h.P(link(here("connections", id, "problems", directory.CodeWaitingForSeat), v.say(textSeeAll))))))
			}
			tally := directory.LicenceTally{}
			if p.Counted != nil {
				tally = *p.Counted
			}
			return h.Tr(v.cell(name, h.Span(h.Class("who"), data(p.Name)), h.Small(code(p.PartNumber)), g.If(p.Detail != "" && (!p.Assignable || p.Status != "Enabled"), h.Small(v.sentence(p.Detail)))), v.cell(seats, v.number(p.Seats.Enabled)), v.cell(used, v.number(p.Seats.Used)), v.cell(free, v.number(p.Seats.Free)), v.cell(given, v.number(p.Given)), v.cell(waiting, v.number(p.Waiting.Users)),
				g.If(x.Counted != nil, g.Group([]g.Node{v.cell(others, v.number(tally.Others)), v.cell(inherited, v.number(tally.Inherited)), v.cell(blocked, v.number(tally.AllDisabled), g.If(tally.OursDisabled > 0, h.Small(v.count(countOurs, tally.OursDisabled))))})))
		}))
		counted := h.P(h.Class("faint"), v.say(textNotCounted))
		if x.Counted != nil {
			counted = h.P(h.Class("faint"), v.count(countAccountsCounted, x.Counted.Accounts), g.Text(" "), v.ago(x.Counted.AsOf))
		}
		return h.Div(table, counted, g.If(x.MoreWaiting, h.P(v.say(textMoreWaiting))), g.Group(lines))
	}), v.act(scopeWrite, here("connections", id, "licences", "count"), textCountLicences, ""), v.asCall("GET", apiPath("connections", id, "licences"))), nil
}

// countLicences counts who of the tenant has which product.
func countLicences(v *visit) (answer, error) {
	return v.startJob(http.MethodPost, apiPath("connections", v.id(), "licences", "count"), nil)
}

// protected is an account that is never written to.
type protected struct {
	AccountID         string `json:"accountId"`
	UserPrincipalName string `json:"userPrincipalName"`
	Reason            string `json:"reason"`
	Lifted            *struct {
		Until  time.Time `json:"until"`
		By     string    `json:"by"`
		Reason string    `json:"reason"`
	} `json:"lifted"`
}

type protection struct {
	Accounts []protected `json:"accounts"`
	Unread   string      `json:"unread"`
}

// protectionPage lists who is never written to, and lets one be, for a time.
func protectionPage(v *visit) (answer, error) {
	id := v.id()
	cons, list := ask[connection](v, apiPath("connections", id)), ask[protection](v, apiPath("connections", id, "protection"))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	account, why, lifted := column{head: textAccount}, column{head: textWhy}, column{head: textLift}
	at := here("connections", id, "protection")
	return v.ofConnection(&c, "/protection", h.P(h.Class("faint"), v.say(textProtectionLead)), partly(v, list, func(p protection) g.Node {
		rows := g.Map(p.Accounts, func(a protected) g.Node {
			state := v.linkButton(scopeApprove, below(at, a.AccountID), textLiftDots, "small")
			if a.Lifted != nil {
				state = h.Div(v.badge(toneWarn, textLifted), h.Small(v.say(textUntil), g.Text(" "), v.moment(a.Lifted.Until)), h.Small(data(a.Lifted.By), g.Text(" "), data(a.Lifted.Reason)), v.act(scopeApprove, below(at, a.AccountID, "end"), textProtectAgain, "small"))
			}
			return h.Tr(v.cell(account, v.protectedName(&a)), v.cell(why, v.sentence(a.Reason)), v.cell(lifted, state))
		})
		return h.Div(g.If(p.Unread != "", v.box(toneWarn, v.say(textUnread), h.P(v.sentence(p.Unread)))), v.table(textProtection, []column{account, why, lifted}, rows))
	}), v.asCall("GET", apiPath("connections", id, "protection"))), nil
}

// protectedName names a protected account: by what people know it by, where that was read.
func (v *visit) protectedName(a *protected) g.Node {
	if a.UserPrincipalName == "" {
		return code(a.AccountID)
	}
	return g.Group([]g.Node{h.Span(h.Class("who"), data(a.UserPrincipalName)), h.Small(code(a.AccountID))})
}

// liftPage asks for how long, and why, an account may be written to.
func liftPage(v *visit) (answer, error) { return v.liftView(nil) }

func (v *visit) liftView(p *problem) (answer, error) {
	var c connection
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id()), nil, &c); err != nil {
		return nil, err
	}
	account := v.r.PathValue("account")
	at := here("connections", v.id(), "protection")
	form := g.Node(h.Form(h.Class("decide"), h.Method("get"), h.Action("/console/login"), hidden("fresh", "1"), hidden("to", below(at, account)), h.P(v.say(textWantsFreshMore)), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSignInAgain))))
	if v.s.fresh(v.now()) {
		minutes := p.at("minutes", v.say(textMinutesLabel), "minutes")
		form = h.Form(h.Method("post"), h.Action(below(at, account)), h.Class("stack"), h.Data("busy", ""), h.Label(h.For("minutes"), v.say(textMinutesLabel)),
			h.Input(h.ID("minutes"), h.Name("minutes"), h.Type("text"), g.Attr("inputmode", "numeric"), h.AutoComplete("off"), h.MaxLength("12"), h.Value(cmp.Or(v.r.PostForm.Get("minutes"), "30")), h.Required(), h.Class("short"), minutes.mark("")), v.told(minutes),
			v.field("reason", textReason, textReasonHelp, v.r.PostForm.Get("reason"), p, h.Required()), v.field("typed", textTypeAccount, textTypeAccountHelp, "", p, h.Required()), h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("danger"), v.say(textLift)), link(at, h.Class("button"), v.say(textNotYet))))
	}
	page := v.ofConnection(&c, "/protection", v.refused(p), h.H2(v.say(textLift)), h.P(code(account)), h.P(h.Class("lead"), v.say(textLiftMeans)), form)
	if p != nil {
		page.status = p.Status
	}
	return page, nil
}

// typedOfAccount is how much of an account's ID is typed before it may be written to.
const typedOfAccount = 4

// typedOf reports whether the last of an account's ID was typed, to say that it is this account
// that is meant.
func typedOf(account, typed string) bool {
	typed = strings.TrimSpace(typed)
	return typed != "" && strings.HasSuffix(account, typed) && len(typed) >= min(typedOfAccount, len(account))
}

// lift lets a protected account be written to, for a time.
func lift(v *visit) (answer, error) {
	if !typedOf(v.r.PathValue("account"), v.r.PostForm.Get("typed")) {
		return v.liftView(v.unfitFor("typed", textTypedAccountWrong))
	}
	typed := v.r.PostForm.Get("minutes")
	minutes, err := v.lang.readWhole(typed)
	if err != nil {
		return v.liftView(atFault(directory.FieldError{Field: "minutes", Detail: v.lang.noNumber(err, typed)}))
	}
	body := map[string]any{"minutes": minutes, "reason": strings.TrimSpace(v.r.PostForm.Get("reason"))}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "protection", v.r.PathValue("account"), "lift"), body, nil); err != nil {
		if p, ours := asProblem(err); ours && len(p.Errors) > 0 {
			return v.liftView(p)
		}
		return nil, err
	}
	return v.done(here("connections", v.id(), "protection"), v.lang.say(textLiftedNow)), nil
}

func endLift(v *visit) (answer, error) {
	if _, err := v.call(v.ctx, http.MethodDelete, apiPath("connections", v.id(), "protection", v.r.PathValue("account"), "lift"), nil, nil); err != nil {
		return nil, err
	}
	return v.done(here("connections", v.id(), "protection"), v.lang.say(textProtectedNow)), nil
}
