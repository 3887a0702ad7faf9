package console

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// stateWord is a user's state.
func stateWord(s directory.UserState) (tone, text) {
	switch s {
	case directory.StateActive:
		return toneGood, textUserActive
	case directory.StateSuspended:
		return toneWarn, textUserSuspended
	}
	return tonePlain, textUserStaged
}

// sourceWord is who brings a user, or an attribute.
func sourceWord(s directory.Source) text {
	switch s {
	case directory.SourceSCIM:
		return textSourceSCIM
	case directory.SourceAD:
		return textSourceAD
	case directory.SourceM365:
		return textSourceM365
	}
	return textSourceManual
}

// choose is a list to choose a filter's value of.
func (v *visit) choose(name, now string, caption text, options ...option) g.Node {
	list := []g.Node{h.Option(h.Value(""), v.say(textAny))}
	for _, o := range options {
		list = append(list, h.Option(h.Value(o.value), g.If(o.value == now, h.Selected()), v.say(o.name)))
	}
	return h.Label(v.say(caption), h.Select(h.Name(name), g.Group(list)))
}

type option struct {
	value string
	name  text
}

// userFilter is which users are looked at, as /v1 names the parameters.
type userFilter struct{ text, state, source, deleted string }

// userFilter reads the filter off the address, or off a form that brings it.
func (v *visit) userFilter() (userFilter, error) {
	q := v.values()
	if q.Get("deleted") == "true" {
		return userFilter{deleted: "true"}, nil
	}
	p, err := parameters(q, "text", "state", "source")
	return userFilter{p["text"], p["state"], p["source"], ""}, err
}

// values are what the address says, and of a form what stands in it as well.
func (v *visit) values() url.Values {
	if v.r.Form != nil {
		return v.r.Form
	}
	return v.r.URL.Query()
}

func (f userFilter) any() bool { return f != userFilter{} }

// of is the address of a page of these users at /v1.
func (f userFilter) of(more ...string) string {
	return query("/v1/users", append(f.pairs(), more...)...)
}

func (f userFilter) pairs() []string {
	return []string{"text", f.text, "state", f.state, "source", f.source, "deleted", f.deleted}
}

// fields hand the filter on in a form.
func (f userFilter) fields() (list []g.Node) {
	pairs := f.pairs()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, hidden(pairs[i], pairs[i+1]))
		}
	}
	return list
}

const (
	// usersPerPage is how many users a page shows.
	usersPerPage = 50
	// usersPerLook is the limit of the calls by which a search goes on: /v1 looks at the more
	// users the higher it is. Where the first page had nobody, few are found among them.
	usersPerLook = 200
	// searchCalls is how often a search goes on by itself while it finds nobody: a call of
	// /v1 looks at a bounded number of users. With what stands in the frame these are the
	// four calls that a page may take, and its share of a CPU: 3,600 users.
	searchCalls = 3
)

// findUsers reads a page of users. Where a search has found nobody yet, it goes on; what
// it comes to when it must stop has a next.
func (v *visit) findUsers(f userFilter, next string) (page[listedUser], error) {
	limit := usersPerPage
	for range searchCalls {
		var list page[listedUser]
		_, err := v.call(v.ctx, http.MethodGet, f.of("include", "binding", "limit", itoa(limit), "next", next), nil, &list)
		if p, ours := asProblem(err); ours && p.late && next != v.r.URL.Query().Get("next") {
			break // what was looked at need not be looked at again
		}
		if err != nil || len(list.Items) > 0 || list.Next == "" {
			return list, err
		}
		next, limit = list.Next, usersPerLook
	}
	return page[listedUser]{Next: next}, nil
}

// usersPage lists the users of the directory, to look at and to choose of.
func usersPage(v *visit) (answer, error) {
	q := v.r.URL.Query()
	f, err := v.userFilter()
	if err != nil {
		return nil, err
	}
	chosen, ok := v.picked()
	if !ok {
		return v.refusal(http.StatusBadRequest, textTooManyPicked, v.lang.number(mostPicked)), nil
	}
	if onward := q.Get("go"); q.Has("c") || onward != "" { // a page of ticks was left: they go into the address
		from, next, _ := cut(onward)
		return redirect{v.with("c", "", "go", "", "whom", "", "from", from, "next", next, "s", chosen.String())}, nil
	}
	type count struct {
		Users int `json:"users"`
	}
	var all later[count]
	if !f.any() {
		all = ask[count](v, "/v1/users:count")
	}
	list, err := v.findUsers(f, q.Get("next"))
	if err != nil {
		return nil, err
	}
	search := h.Form(h.Method("get"), h.Action("/console/users"), h.Class("row search"), h.Role("search"), g.If(len(chosen) > 0, hidden("s", chosen.String())),
		h.Label(v.say(textSearch), h.Input(h.Type("search"), h.Name("text"), h.Value(f.text), h.MaxLength("100"))),
		v.choose("state", f.state, textStatus, option{string(directory.StateActive), textUserActive}, option{string(directory.StateSuspended), textUserSuspended}, option{string(directory.StateStaged), textUserStaged}),
		v.choose("source", f.source, textSource, option{string(directory.SourceManual), textSourceManual}, option{string(directory.SourceSCIM), textSourceSCIM}, option{string(directory.SourceAD), textSourceAD}, option{string(directory.SourceM365), textSourceM365}),
		h.Button(h.Type("submit"), v.say(textShow)), link("/console/users", v.say(textShowAll)), link("/console/users?deleted=true", v.say(textDeletedUsers)))
	from := max(1, number0(q.Get("from")))
	body := g.Node(nil)
	switch {
	case len(list.Items) > 0:
		rows := v.say(textRows, v.lang.number(from), v.lang.number(from+len(list.Items)-1))
		if !f.any() {
			if n, err := all.get(); err == nil && n.Users >= from+len(list.Items)-1 {
				rows = v.say(textRowsOf, v.lang.number(from), v.lang.number(from+len(list.Items)-1), v.lang.number(n.Users))
			}
		}
		body = v.userList(f, list, chosen, from, h.P(h.Class("faint rows"), rows))
	case list.Next != "":
		body = v.empty(textNothingYetSearchOn, h.P(v.say(textSearchedIn)), h.P(link(v.with("next", list.Next), h.Class("button"), v.say(textSearchOn))))
	case q.Get("next") != "":
		body = v.empty(textNoMoreUsers, h.P(link(v.with("next", "", "from", ""), h.Class("button"), v.say(textFirstPage))))
	case f.deleted != "":
		body = v.empty(textNoDeletedUsers)
	case f.any():
		body = v.empty(textNoUsersMatch, h.P(v.say(textSearchedIn)), h.P(link("/console/users", v.say(textShowAll))))
	default:
		body = v.empty(textNoUsers, h.P(link("/console/connections", v.say(textConnections)), g.Text(" · "), link("/console/users/load", v.say(textLoadFile))))
	}
	return view{title: v.lang.say(textUsers), section: "/console/users", head: []g.Node{v.linkButton(scopeWrite, "/console/users/new", textAddUser, ""), v.linkButton(scopeWrite, "/console/users/load", textLoadFile, "")}, body: []g.Node{search, body, v.asCall("GET", f.of("include", "binding"))}}, nil
}

// number0 reads a number of an address; 0 for what is none.
func number0(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1e9 {
		return 0
	}
	return n
}

// listedUser is a user in the list of all, with what it is bound by.
type listedUser struct {
	directory.User
	Binding *boundTo `json:"binding"`
}

// boundTo is what a user is bound by, in short.
type boundTo struct {
	ConnectionID   directory.ConnectionID  `json:"connectionId"`
	ConnectionName string                  `json:"connectionName"`
	Status         directory.BindingStatus `json:"status"`
}

// boundBy is the connection of a user, if there is one, and how it stands there.
func (v *visit) boundBy(u *listedUser) g.Node {
	if u.Binding == nil {
		return dash()
	}
	t, word := bindingWord(u.Binding.Status)
	return h.Span(h.Class("short"), link(here("connections", string(u.Binding.ConnectionID)), data(u.Binding.ConnectionName)), g.Text(" "), v.badge(t, word))
}

// userList is a page of users. Of them one chooses, to do something about them or to export
// them, and the choice survives the pages: it goes along in the address.
func (v *visit) userList(f userFilter, list page[listedUser], chosen picked, from int, rows g.Node) g.Node {
	choosing := f.deleted == ""
	name, userName, email, status, bound, source, updated := column{head: textName}, column{head: textUserName}, column{head: textEmail}, column{head: textStatus}, column{head: textConnection}, column{head: textSource}, column{head: textUpdated}
	columns := []column{name, userName, email, status, bound, source, updated}
	choose := column{head: textChoose}
	if choosing {
		columns = append([]column{choose}, columns...)
	}
	elsewhere := slices.Clone(chosen)
	trs := g.Map(list.Items, func(u listedUser) g.Node {
		t, word := stateWord(u.State)
		if u.Deleted != nil {
			t, word = toneBad, textUserDeleted
		}
		box := g.Node(dash())
		if pickable(u.ID) {
			ticked := slices.Contains(chosen, u.ID)
			elsewhere = slices.DeleteFunc(elsewhere, func(id directory.UserID) bool { return id == u.ID })
			box = h.Label(h.Class("tick"), h.Input(h.Type("checkbox"), h.Name("c"), h.Value(string(u.ID)), g.If(ticked, h.Checked()), v.label(textChooseThis, clean(u.Label()))))
		}
		return h.Tr(g.If(choosing, v.cell(choose, box)), v.cell(name, h.Span(h.Class("person"), v.initials(&u.User), h.Span(link(here("users", string(u.ID)), h.Class("who"), data(u.Label())), g.If(u.Department != "", h.Small(data(u.Department)))))),
			v.cell(userName, data(u.UserName)), v.cell(email, data(u.Email)), v.cell(status, v.badge(t, word)), v.cell(bound, v.boundBy(&u)), v.cell(source, h.Span(h.Class("short"), v.say(sourceWord(u.Source)))), v.cell(updated, v.ago(u.Updated)))
	})
	table := v.table(textUsers, columns, trs)
	on := from + len(list.Items)
	if !choosing {
		now := v.r.URL.Query().Get("next")
		return h.Div(rows, table, g.If(now != "" || list.Next != "", h.Nav(h.Class("pager"), v.label(textPages),
			g.If(now != "", link(v.with("next", "", "from", ""), h.Class("button"), v.say(textFirstPage))),
			g.If(list.Next != "", link(v.with("next", list.Next, "from", itoa(on)), h.Class("button"), v.say(textNextPage))))),
			v.filesOf("/console/users", f.pairs()))
	}
	do := func(act manyAct) g.Node {
		if !v.s.has(scopeWrite) {
			return h.Button(h.Type("button"), h.Disabled(), v.say(act.dots))
		}
		return h.Button(h.Type("submit"), h.FormAction("/console/users/many"), h.Name("do"), h.Value(act.name), v.say(act.dots))
	}
	keep := func(to string, form text) g.Node {
		return h.Button(h.Type("submit"), h.Class("quiet"), h.FormAction(to), v.say(form))
	}
	whole := textAllOfThem
	if f.any() {
		whole = textAllThatMatch
	}
	return h.Form(h.Method("get"), h.Action("/console/users"), h.Class("chooser"), h.Data("select", ""), g.If(len(elsewhere) > 0, hidden("s", elsewhere.String())), g.Group(f.fields()), hidden("from", itoa(from)), g.If(v.r.URL.Query().Get("next") != "", hidden("next", v.r.URL.Query().Get("next"))),
		h.Div(h.Class("bar"),
			h.Label(h.Class("tick all"), h.Input(h.Type("checkbox"), h.Data("all", "")), v.say(textAllOfPage)),
			h.Span(h.Class("chosen"), h.Span(h.Data("count", ""), h.Data("elsewhere", itoa(len(elsewhere))), g.If(len(chosen) > 0, v.count(countChosen, len(chosen)))),
				g.If(len(chosen) > 0, g.Group([]g.Node{g.Text(" "), link(v.with("s", ""), h.Data("clear", ""), v.say(textClear))}))),
			h.Label(h.Class("beside"), v.say(textWhom), h.Select(h.Name("whom"), h.Option(h.Value("chosen"), v.say(textTheChosen)), h.Option(h.Value("filter"), v.say(whole)))),
			h.Div(h.Class("acts"), g.Group(g.Map(manyActs, do)), g.If(!v.s.has(scopeWrite), h.Small(v.say(textNeeds), g.Text(" "), code(scopeWrite))), keep("/console/users.csv", textCSV), keep("/console/users.jsonl", textJSONLines))),
		rows, table,
		h.Div(h.Class("pager"),
			g.If(v.r.URL.Query().Get("next") != "", h.Button(h.Type("submit"), h.Name("go"), h.Value("1"), v.say(textFirstPage))),
			g.If(list.Next != "", h.Button(h.Type("submit"), h.Name("go"), h.Value(itoa(on)+" "+list.Next), v.say(textNextPage)))))
}

// userBinding is what a user is bound by.
type userBinding struct {
	binding
	ConnectionName string `json:"connectionName"`
	Beside         []struct {
		About   string                  `json:"about"`
		Status  directory.BindingStatus `json:"status"`
		Problem *directory.Problem      `json:"problem"`
	} `json:"beside"`
}

// shownUser is a user as it is read by itself.
type shownUser struct {
	directory.User
	ManagerName string `json:"managerName"`
	ManagerGone bool   `json:"managerGone"`
	// PushedBy are the clients of SCIM that have pushed the user.
	PushedBy []pusher `json:"pushedBy"`
}

// pusher is a client of SCIM by its name.
type pusher struct {
	ID   directory.ScimClientID `json:"id"`
	Name string                 `json:"name"`
}

// userGroup is a group in which a user is.
type userGroup struct {
	GroupID directory.GroupID `json:"id"`
	Name    string            `json:"name"`
	Direct  bool              `json:"direct"`
	Path    []struct {
		Name string `json:"name"`
	} `json:"path"`
}

// entry is one thing that was done.
type entry struct {
	ID                string                     `json:"id"`
	At                time.Time                  `json:"at"`
	Kind              string                     `json:"kind"`
	ConnectionID      directory.ConnectionID     `json:"connectionId"`
	RunID             directory.RunID            `json:"runId"`
	JobID             directory.JobID            `json:"jobId"`
	UserID            directory.UserID           `json:"userId"`
	GroupIDs          []directory.GroupID        `json:"groupIds"`
	UserPrincipalName string                     `json:"userPrincipalName"`
	Effect            directory.Effect           `json:"effect"`
	State             directory.ChangeState      `json:"state"`
	Properties        []directory.PropertyChange `json:"properties"`
	Reason            string                     `json:"reason"`
	By                string                     `json:"by"`
	Source            directory.Source           `json:"source"`
	ApprovedBy        string                     `json:"approvedBy"`
	RequestID         string                     `json:"requestId"`
	APIRequestID      string                     `json:"apiRequestId"`
	Error             string                     `json:"error"`
}

// userPage shows a user: what is known of them, where they are bound, in which groups they
// are, and what was done.
func userPage(v *visit) (answer, error) {
	id := v.id()
	users := ask[shownUser](v, apiPath("users", id))
	bound := ask[page[userBinding]](v, apiPath("users", id, "bindings"))
	groups := ask[page[userGroup]](v, query(apiPath("users", id, "groups"), "limit", "50"))
	done := ask[page[entry]](v, query("/v1/activity", "userId", id, "limit", "20"))
	shown, err := users.get()
	if err != nil {
		return nil, err
	}
	u := shown.User
	t, word := stateWord(u.State)
	if u.Deleted != nil {
		t, word = toneBad, textUserDeleted
	}
	names := names{}
	if u.ManagerID != "" {
		names[string(u.ManagerID)] = shown.ManagerName
	}
	list, boundErr := bound.get()
	accounts := v.boundTo(&u, list.Items)
	if boundErr != nil {
		accounts = v.missing(boundErr)
	}
	for _, b := range list.Items {
		names[string(b.ConnectionID)] = b.ConnectionName
	}
	for _, c := range shown.PushedBy {
		names[string(c.ID)] = c.Name
	}
	return view{title: u.Label(), section: "/console/users", crumbs: []crumb{{"/console/users", v.say(textUsers)}}, head: []g.Node{v.badge(t, word), v.avatar(&u)}, body: []g.Node{
		h.Section(h.Class("status"), v.userActs(&u), v.profile(&shown, names)),
		h.Section(h.H2(v.say(textBoundTo)), accounts),
		h.Section(h.H2(v.say(textInGroups)), partly(v, groups, func(p page[userGroup]) g.Node {
			if len(p.Items) == 0 {
				return v.empty(textInNoGroup)
			}
			return h.Ul(g.Map(p.Items, v.inGroup)...)
		})),
		h.Section(h.H2(v.say(textHistory)), partly(v, done, func(p page[entry]) g.Node { return v.entries(p, false, names) }), h.P(link(query("/console/activity", "userId", id), v.say(textSeeAll)))),
		v.asCall("GET", apiPath("users", id))}}, nil
}

// noPicture is the picture of whoever has none: an empty one, which lets the initials
// under it be seen where a browser would draw a torn sign of an error.
var noPicture = picture{"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`}

// photo hands on a user's picture: from our own address, as the policy of content wants it.
func photo(v *visit) (answer, error) {
	var body string
	header, err := v.call(v.ctx, http.MethodGet, apiPath("users", v.id(), "photo"), nil, &body, "Accept", "image/*")
	if is(err, http.StatusNotFound) {
		return noPicture, nil
	}
	if err != nil {
		return nil, err
	}
	kind := header.Get("Content-Type")
	if kind != "image/jpeg" && kind != "image/png" { // what the API keeps
		return noPicture, nil
	}
	return picture{kind, body}, nil
}

// initialsOf are the first letters of a user's name.
func initialsOf(u *directory.User) string {
	var letters []rune
	for _, word := range strings.Fields(clean(u.Label())) {
		r, _ := utf8.DecodeRuneInString(word)
		if len(letters) < 2 && unicode.IsLetter(r) {
			letters = append(letters, unicode.ToUpper(r))
		}
	}
	return string(letters)
}

// avatar is a user's picture, over the first letters of their name.
func (v *visit) avatar(u *directory.User) g.Node {
	return h.Span(h.Class("avatar"), h.Aria("hidden", "true"), g.Text(initialsOf(u)), h.Img(h.Src(here("users", string(u.ID), "photo")), h.Alt(""), h.Width("44"), h.Height("44")))
}

// initials stand for a picture in a list: fifty pictures would be fifty calls of /v1.
func (v *visit) initials(u *directory.User) g.Node {
	return h.Span(h.Class("avatar small"), h.Aria("hidden", "true"), g.Text(initialsOf(u)))
}

// userActs are what can be done about a user. Each says what follows.
func (v *visit) userActs(u *directory.User) g.Node {
	at := here("users", string(u.ID))
	version := hidden("version", itoa(int(u.Version)))
	if u.Deleted != nil {
		return h.Div(h.P(v.say(textDeletedMeans), g.Text(" "), v.moment(*u.Deleted)), v.act(scopeWrite, at+"/restore", textRestore, "primary", version))
	}
	list := []g.Node{v.linkButton(scopeWrite, at+"/edit", textEdit, "primary")}
	if u.State == directory.StateActive {
		list = append(list, v.act(scopeWrite, at+"/suspend", textSuspend, "", version))
	} else {
		list = append(list, v.act(scopeWrite, at+"/activate", textActivate, "", version, hidden("was", string(u.State))))
	}
	list = append(list, v.linkButton(scopeWrite, at+"/move", textMoveDots, ""), v.linkButton(scopeApprove, at+"/password", textPasswordDots, ""), v.linkButton(scopeWrite, at+"/delete", textDeleteDots, ""))
	means := textSuspendMeans
	if u.State != directory.StateActive {
		means = textActivateMeans
	}
	return h.Div(h.Div(h.Class("row"), g.Group(list)), h.P(h.Class("faint"), v.say(means)))
}

// profile is what is known of a user, with whose each value is.
func (v *visit) profile(u *shownUser, names names) g.Node {
	var pairs []g.Node
	for _, a := range directory.Attributes() {
		if a.Path == "" || a.Path == "state" || a.Text(&u.Profile) == "" {
			continue
		}
		value := g.Node(data(a.Text(&u.Profile)))
		if a.Form == directory.FormID {
			value = link(here("users", a.Text(&u.Profile)), names.show(a.Text(&u.Profile)))
		}
		gone := a.Form == directory.FormID && u.ManagerGone
		pairs = append(pairs, h.Div(h.Dt(v.attribute(a.Path)), h.Dd(value, g.If(gone, h.Small(h.Class("fault"), v.say(textManagerGone))), v.ownedBy(u, u.Owners[a.Path]))))
	}
	for _, name := range sortedNames(u.CustomAttributes) {
		pairs = append(pairs, v.factNamed(name, data(u.CustomAttributes[name]), v.ownedBy(u, u.Owners["customAttributes."+name])))
	}
	pairs = append(pairs, v.fact(textSource, v.say(sourceWord(u.Source))), g.Iff(len(u.PushedBy) > 0, func() g.Node {
		return v.fact(textPushedBy, dotted(g.Map(u.PushedBy, func(c pusher) g.Node { return link(here("sources", string(c.ID)), data(c.Name)) })))
	}), v.fact(textCreated, v.moment(u.Created)), v.fact(textUpdated, v.ago(u.Updated)), v.fact(textID, code(string(u.ID))))
	return h.Dl(h.Class("facts grid"), g.Group(pairs))
}

// ownedBy says that another source brings a value, and that it is edited there.
func (v *visit) ownedBy(u *shownUser, s directory.Source) g.Node {
	switch {
	case s == "" || s == directory.SourceManual:
		return nil
	case s == directory.SourceSCIM && len(u.PushedBy) == 1: // of several it is not known which
		return h.Small(v.say(textEditThere, clean(u.PushedBy[0].Name)))
	}
	return h.Small(v.say(textEditThere, v.lang.say(sourceWord(s))))
}

// attribute is what people call an attribute; of one without a word, its name.
func (v *visit) attribute(path string) g.Node {
	if word, ok := attributeWord(path); ok {
		return v.say(word)
	}
	return code(path)
}

// boundTo shows where a user is bound, and leads to why things are as they are.
func (v *visit) boundTo(u *directory.User, list []userBinding) g.Node {
	if len(list) == 0 {
		return v.empty(textNotBound)
	}
	return h.Div(g.Map(list, func(b userBinding) g.Node {
		at := here("connections", string(b.ConnectionID))
		why := func(about string) string {
			return query(here("users", string(u.ID), "explain"), "connection", string(b.ConnectionID), "about", about)
		}
		var beside []g.Node
		for _, x := range b.Beside {
			t, word := bindingWord(x.Status)
			beside = append(beside, h.Li(v.say(aboutWord(x.About)), g.Text(" "), v.badge(t, word), g.Text(" "), link(why(x.About), v.say(textExplain)), g.Iff(x.Problem != nil, func() g.Node { return v.trouble(x.Problem) })))
		}
		return h.Div(h.Class("item"), h.Div(h.P(link(at, h.Class("who"), data(b.ConnectionName)), g.Text(" · "), data(b.UserPrincipalName)), v.bindingState(&b.binding), g.If(len(beside) > 0, h.Ul(h.Class("bare"), g.Group(beside))),
			g.If(!b.LastWrite.IsZero(), h.P(h.Class("faint"), v.say(textLastWritten), g.Text(" "), v.ago(b.LastWrite)))),
			link(why(""), h.Class("button"), v.say(textExplain)), v.bindingActs(at, &b.binding))
	})...)
}

// aboutWord is what of a user is kept at Microsoft.
func aboutWord(about string) text {
	switch about {
	case "manager":
		return textManagerThere
	case "licences":
		return textLicences
	}
	return textAccount
}

// explanation is why a user's account is as it is, and what the next run would do.
type explanation struct {
	Bound   bool   `json:"bound"`
	Summary string `json:"summary"`
	Address struct {
		Email     string             `json:"email"`
		Mapped    string             `json:"mapped"`
		DomainMap string             `json:"domainMap"`
		Problem   *directory.Problem `json:"problem"`
	} `json:"address"`
	Account struct {
		ID                directory.AccountID `json:"id"`
		UserPrincipalName string              `json:"userPrincipalName"`
		State             string              `json:"state"`
		MatchedBy         string              `json:"matchedBy"`
		Guest             bool                `json:"guest"`
		External          bool                `json:"external"`
		OnPremisesSync    bool                `json:"onPremisesSync"`
		Fresh             bool                `json:"fresh"`
	} `json:"account"`
	Protection struct {
		Protected bool   `json:"protected"`
		Reason    string `json:"reason"`
	} `json:"protection"`
	Attributes []explainedAttribute `json:"attributes"`
	Decision   struct {
		Status   directory.BindingStatus `json:"status"`
		Problem  *directory.Problem      `json:"problem"`
		Findings []directory.Problem     `json:"findings"`
		Changes  []directory.Change      `json:"changes"`
	} `json:"decision"`
	Guard struct {
		Mode string          `json:"mode"`
		Held *directory.Held `json:"held"`
	} `json:"guard"`
}

// explainedAttribute is a property of an account: wanted, last agreed, and found there.
type explainedAttribute struct {
	Name     string             `json:"name"`
	Rule     string             `json:"rule"`
	Desired  directory.Value    `json:"desired"`
	Base     directory.Value    `json:"base"`
	Observed directory.Value    `json:"observed"`
	Outcome  string             `json:"outcome"`
	Note     string             `json:"note"`
	Reason   string             `json:"reason"`
	Problem  *directory.Problem `json:"problem"`
}

// outcomeWord is what becomes of a property.
func outcomeWord(s string) (tone, text) {
	switch s {
	case "equal":
		return toneGood, textOutcomeEqual
	case "write":
		return toneInfo, textOutcomeWrite
	case "report":
		return toneWarn, textOutcomeReport
	case "refused":
		return toneBad, textChangeRefused
	case "kept":
		return tonePlain, textOutcomeKept
	case "left":
		return tonePlain, textOutcomeLeft
	}
	return tonePlain, textUnknown
}

// accountWord is what was found at Microsoft.
func accountWord(s string) (tone, text) {
	switch s {
	case "bound":
		return toneGood, textAccountBound
	case "adoptable":
		return toneGood, textAccountAdoptable
	case "absent":
		return toneInfo, textAccountAbsent
	case "missing":
		return toneWarn, textAccountMissing
	case "deleted":
		return toneWarn, textAccountDeleted
	case "contested":
		return toneBad, textAccountContested
	}
	return tonePlain, textUnknown
}

// explainPage goes through the decision about a user in four steps: who it is, what they
// would be called, which account that is, and what the next run would do.
func explainPage(v *visit) (answer, error) {
	id := v.id()
	con, err := parameter(v.r.URL.Query(), "connection")
	if err != nil {
		return nil, err
	}
	if con == "" { // the page of the user says where there is something to explain
		return redirect{here("users", id)}, nil
	}
	about := asked(v.r.URL.Query().Get("about"), "", "manager", "licences")
	at := query(apiPath("users", id, "explain"), "connectionId", con, "about", about)
	users, explained := ask[directory.User](v, apiPath("users", id)), ask[explanation](v, at)
	u, err := users.get()
	if err != nil {
		return nil, err
	}
	e, err := explained.get()
	if err != nil {
		return nil, err
	}
	title := v.lang.say(textExplainTitle, clean(u.Label()))
	crumbs := []crumb{{"/console/users", v.say(textUsers)}, {here("users", id), data(u.Label())}}
	if !e.Bound {
		return view{title: title, section: "/console/users", crumbs: crumbs, body: []g.Node{h.P(h.Class("lead"), v.sentence(e.Summary)), h.P(link(here("users", id), h.Class("button"), v.say(textBack))), v.asCall("GET", at)}}, nil
	}
	step := func(t tone, title text, more ...g.Node) g.Node {
		return h.Li(h.Class("step "+string(t)), h.H2(v.say(title)), g.Group(more))
	}
	inDirectory, word := stateWord(u.State)
	if u.Deleted != nil {
		inDirectory, word = toneWarn, textUserDeleted
	}
	steps := []g.Node{step(inDirectory, textStepInDirectory, h.P(v.badge(inDirectory, word), g.Text(" "), data(u.Email), g.Text(" · "), v.say(sourceWord(u.Source))))}
	if about == "" {
		mapped := toneGood
		if e.Address.Problem != nil {
			mapped = toneBad
		}
		found, foundWord := accountWord(e.Account.State)
		tone := found
		if e.Account.OnPremisesSync || e.Protection.Protected {
			tone = toneWarn
		}
		steps = append(steps,
			step(mapped, textStepAddress, h.P(data(e.Address.Email), g.Text(" → "), h.Strong(data(e.Address.Mapped)), g.If(e.Address.DomainMap != "", h.Small(v.say(textByDomainMap), g.Text(" "), code(e.Address.DomainMap)))), g.Iff(e.Address.Problem != nil, func() g.Node { return v.trouble(e.Address.Problem) })),
			step(tone, textStepAccount, h.P(v.badge(found, foundWord), g.Text(" "), data(e.Account.UserPrincipalName), g.If(e.Account.MatchedBy != "", h.Small(v.say(textMatchedBy), g.Text(" "), data(e.Account.MatchedBy)))),
				g.If(e.Account.Fresh, h.P(h.Class("faint"), v.say(textMayBeOlder))), g.If(e.Account.OnPremisesSync, h.P(v.say(textSyncedThere))), g.If(e.Account.Guest || e.Account.External, h.P(v.say(textSignsInElsewhere))),
				h.P(g.If(e.Protection.Protected, g.Group([]g.Node{h.Strong(v.say(textStepProtection)), g.Text(" "), v.sentence(e.Protection.Reason)})), g.If(!e.Protection.Protected, v.say(textNotProtected)))))
	}
	decided := toneGood
	switch {
	case e.Decision.Problem != nil:
		decided = toneBad
	case e.Guard.Held != nil:
		decided = toneWarn
	}
	steps = append(steps, step(decided, textStepNext, v.decisionOf(&e)))
	prop, wanted, agreed, observed, becomes := column{head: textProperty}, column{head: textWanted}, column{head: textAgreed}, column{head: textAtMicrosoft}, column{head: textBecomes}
	var rows []g.Node
	for _, a := range e.Attributes {
		t, word := outcomeWord(a.Outcome)
		rows = append(rows, h.Tr(v.cell(prop, code(a.Name), h.Small(v.sentence(a.Rule))), v.cell(wanted, v.value(a.Desired), g.If(a.Note != "", h.Small(v.sentence(a.Note)))), v.cell(agreed, v.value(a.Base)), v.cell(observed, v.value(a.Observed)),
			v.cell(becomes, v.badge(t, word), g.If(a.Reason != "", h.Small(v.sentence(a.Reason))), g.Iff(a.Problem != nil, func() g.Node { return v.trouble(a.Problem) }))))
	}
	return view{title: title, section: "/console/users", crumbs: crumbs, body: []g.Node{
		h.P(h.Class("lead"), v.sentence(e.Summary)), g.If(about != "", h.P(h.Class("faint"), v.say(aboutWord(about)))),
		h.Ol(h.Class("explain"), g.Group(steps)),
		g.If(len(rows) > 0, h.Section(h.H2(v.say(textValues)), v.table(textValues, []column{prop, wanted, agreed, observed, becomes}, rows))), v.asCall("GET", at)}}, nil
}

// decisionOf is what the next run would do.
func (v *visit) decisionOf(e *explanation) g.Node {
	t, word := bindingWord(e.Decision.Status)
	nodes := []g.Node{h.P(v.badge(t, word))}
	if e.Decision.Problem != nil {
		nodes = append(nodes, v.trouble(e.Decision.Problem))
	}
	for i := range e.Decision.Changes {
		c := &e.Decision.Changes[i]
		nodes = append(nodes, h.Div(h.Class("line"), v.effectBadge(c.Effect), g.Text(" "), v.sentence(c.Reason), v.diff(c)))
	}
	if len(e.Decision.Changes) == 0 && e.Decision.Problem == nil {
		nodes = append(nodes, h.P(v.say(textNothingToWrite)))
	}
	if e.Guard.Held != nil {
		nodes = append(nodes, h.P(h.Strong(v.say(textWouldBeHeld))), h.Ul(g.Map(e.Guard.Held.Reasons, func(s string) g.Node { return h.Li(v.sentence(s)) })...))
	}
	return g.Group(nodes)
}

// setState suspends, activates or restores a user, at the version that was seen; back is the
// act that takes it back, "" for none. Who was staged before has no way back to that.
func setState(act, back string, told text) func(v *visit) (answer, error) {
	return func(v *visit) (answer, error) {
		at := here("users", v.id())
		header, err := v.call(v.ctx, http.MethodPost, apiPath("users", v.id(), act), nil, nil, ifMatch(v.r.PostForm.Get("version"))...)
		switch {
		case is(err, http.StatusPreconditionFailed) && v.takingBack():
			return v.tooLate(at), nil
		case is(err, http.StatusPreconditionFailed):
			return v.stale(at), nil
		case err != nil:
			return nil, err
		case back == "" || v.r.PostForm.Get("was") == string(directory.StateStaged):
			return v.done(at, v.lang.say(told)), nil
		}
		return v.undoable(at, v.lang.say(told), versionOf(header), &wayBack{To: at + "/" + back}), nil
	}
}

// ifMatch is the header by which an edit is of one version only.
func ifMatch(version string) []string {
	if version == "" {
		return nil
	}
	return []string{"If-Match", `"` + version + `"`}
}

// stale is the page of an edit onto what somebody has changed since it was seen.
func (v *visit) stale(at string) answer {
	return view{status: http.StatusPreconditionFailed, title: v.lang.say(textNotDone), body: []g.Node{
		v.box(toneWarn, v.say(textChangedMeanwhile), h.P(v.say(textChangedMeanwhileMore)), h.P(link(at, h.Class("button primary"), v.say(textLookAgain)))), v.whatWasSent()}}
}

// editUserPage is the form of a user.
func editUserPage(v *visit) (answer, error) {
	var u directory.User
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("users", v.id()), nil, &u); err != nil {
		return nil, err
	}
	return v.userForm(&u, u.Profile, nil, nil), nil
}

func newUserPage(v *visit) (answer, error) {
	return v.userForm(nil, directory.Profile{}, nil, nil), nil
}

// userForm is a user's form: u is the user as it is, nil for a new one; typed is what
// stands in the fields, other what somebody else has changed meanwhile, nil for nothing. A form
// brings along what it was made of.
func (v *visit) userForm(u *directory.User, typed directory.Profile, p *problem, other *otherEdit) answer {
	at, title, status := "/console/users/new", v.lang.say(textAddUser), 0
	crumbs := []crumb{{"/console/users", v.say(textUsers)}}
	if u != nil {
		at, title = here("users", string(u.ID), "edit"), v.lang.say(textEditTitle, clean(u.Label()))
		crumbs = append(crumbs, crumb{here("users", string(u.ID)), data(u.Label())})
	}
	if p != nil {
		status = p.Status
	}
	var fields []g.Node
	for _, a := range directory.Attributes() {
		if a.Path == "" || a.Path == "state" || u == nil && a.Path == "userName" {
			continue
		}
		owned := u != nil && u.Owners[a.Path] != "" && u.Owners[a.Path] != directory.SourceManual
		help := []g.Node{h.ID("help-" + a.Path), h.Class("faint")}
		if owned {
			help = append(help, v.say(textEditThere, v.lang.say(sourceWord(u.Owners[a.Path]))))
		}
		taken, both := v.ofOther(other, a.Path)
		help = append(help, taken)
		var made g.Node
		if u != nil {
			made = hidden(madeOf+a.Path, a.Text(&u.Profile))
		}
		f := p.at("in-"+a.Path, v.attribute(a.Path), a.Path+"*")
		field := []g.Node{h.ID(f.id), h.Name(a.Path), f.mark("help-" + a.Path), g.If(owned, h.ReadOnly())}
		input := append(slices.Clone(field), h.Value(a.Text(&typed)), h.AutoComplete("off"), g.If(a.Path == "email", h.Required()))
		if a.MaxCharacters > 0 {
			input = append(input, h.MaxLength(itoa(a.MaxCharacters)))
		}
		box := h.Input(append(input, h.Type("text"))...)
		if a.Form == directory.FormLines {
			box = h.Textarea(append(field, h.Rows("2"), g.Text(a.Text(&typed)))...)
		}
		fields = append(fields, h.Div(h.Class("field"), h.Label(h.For("in-"+a.Path), v.attribute(a.Path)), box, made, h.P(help...), both, v.told(f)))
	}
	back := "/console/users"
	version := v.thisForm()
	if u != nil {
		back, version = here("users", string(u.ID)), hidden("version", itoa(int(u.Version)))
	}
	return view{status: status, title: title, section: "/console/users", crumbs: crumbs, body: []g.Node{
		v.refused(p), v.meanwhile(other),
		h.Form(h.Method("post"), h.Action(at), h.Data("busy", ""), version, h.Div(h.Class("fields"), g.Group(fields)),
			h.Div(h.Class("row decide"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSave)), link(back, h.Class("button"), v.say(textNotYet))))}}
}

// typedText is a field as it was typed, by whichever browser.
func typedText(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
}

// typedProfile is what stands in the fields of a form.
func (v *visit) typedProfile() directory.Profile {
	var p directory.Profile
	for _, a := range directory.Attributes() {
		if a.Path != "" && v.r.PostForm.Has(a.Path) {
			a.SetText(&p, typedText(v.r.PostForm.Get(a.Path)))
		}
	}
	return p
}

// nameManager makes an ID of the address by which somebody named a manager.
func (v *visit) nameManager(typed *directory.Profile) (*problem, error) {
	ids, unknown, err := v.userIDs(listed(string(typed.ManagerID)))
	switch {
	case err != nil:
		return nil, err
	case len(unknown) > 0:
		return v.unfitFor("managerId", textNobodyIsManager), nil
	case len(ids) == 1:
		typed.ManagerID = directory.UserID(ids[0])
	}
	return nil, nil
}

// patchOf is the merge patch that brings a profile to what was typed: what differs, an
// emptied value as null.
func (v *visit) patchOf(old, typed *directory.Profile) map[string]any {
	patch := map[string]any{}
	for _, a := range directory.Attributes() {
		if a.Path == "" || !v.r.PostForm.Has(a.Path) || a.Text(old) == a.Text(typed) {
			continue
		}
		var value any = a.Text(typed)
		if value == "" {
			value = nil
		}
		parent, child, nested := strings.Cut(a.Path, ".")
		if !nested {
			patch[a.Path] = value
			continue
		}
		inner, _ := patch[parent].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
			patch[parent] = inner
		}
		inner[child] = value
	}
	return patch
}

// editUser saves a form onto the version that it was made of. When somebody else was
// faster, both versions are shown: what they alone have changed is taken over, and of what
// both have is chosen.
func editUser(v *visit) (answer, error) {
	var u directory.User
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("users", v.id()), nil, &u); err != nil {
		return nil, err
	}
	typed := v.typedProfile()
	p, err := v.nameManager(&typed)
	if err != nil {
		return nil, err
	}
	stands := v.textsOf(&typed)
	open := v.undecided(stands)
	setTexts(&typed, stands)
	patch := v.patchOf(&u.Profile, &typed)
	switch {
	case p == nil && len(patch) == 0:
		return v.done(here("users", v.id()), v.lang.say(textNothingChanged)), nil
	case v.takingBack() && v.r.PostForm.Get("version") != itoa(int(u.Version)):
		return v.tooLate(here("users", v.id())), nil
	case v.r.PostForm.Get("version") != itoa(int(u.Version)): // before any fault: the form that tells of it is of the version of now
		return v.bothVersions(&u, typed, p), nil
	case len(open) > 0:
		page, _ := v.userForm(&u, typed, p, &otherEdit{theirs: open, newest: v.newestEdit("userId", string(u.ID), directory.AuditEditUser)}).(view)
		page.status = http.StatusPreconditionFailed
		return page, nil
	case p != nil:
		return v.userForm(&u, typed, p, nil), nil
	}
	header, err := v.call(v.ctx, http.MethodPatch, apiPath("users", v.id()), patch, nil, ifMatch(itoa(int(u.Version)))...)
	switch {
	case err == nil:
		back := &wayBack{To: here("users", v.id(), "edit")}
		for _, a := range directory.Attributes() {
			if a.Path != "" && v.r.PostForm.Has(a.Path) && a.Text(&u.Profile) != a.Text(&typed) {
				back.Fields = append(back.Fields, a.Path, a.Text(&u.Profile))
			}
		}
		return v.undoable(here("users", v.id()), v.lang.say(textSaved), versionOf(header), back), nil
	case is(err, http.StatusPreconditionFailed) && v.takingBack():
		return v.tooLate(here("users", v.id())), nil
	case is(err, http.StatusPreconditionFailed):
		if _, err := v.call(v.ctx, http.MethodGet, apiPath("users", v.id()), nil, &u); err != nil {
			return nil, err
		}
		return v.bothVersions(&u, typed, nil), nil
	}
	return v.mended(err, func(p *problem) answer { return v.userForm(&u, typed, p, nil) })
}

// bothVersions is a form that brings what was typed together with what the user is by now; p
// is what else is wrong with what was typed.
func (v *visit) bothVersions(u *directory.User, typed directory.Profile, p *problem) answer {
	merged, other := v.broughtTogether(v.textsOf(&typed), v.textsOf(&u.Profile))
	other.newest = v.newestEdit("userId", string(u.ID), directory.AuditEditUser)
	setTexts(&typed, merged)
	page, _ := v.userForm(u, typed, p, other).(view)
	page.status = http.StatusPreconditionFailed
	return page
}

// textsOf is what a profile has in the fields of the form that is sent, by their names.
func (v *visit) textsOf(p *directory.Profile) map[string]string {
	texts := map[string]string{}
	for _, a := range directory.Attributes() {
		if a.Path != "" && v.r.PostForm.Has(a.Path) {
			texts[a.Path] = a.Text(p)
		}
	}
	return texts
}

func setTexts(p *directory.Profile, texts map[string]string) {
	for _, a := range directory.Attributes() {
		if value, has := texts[a.Path]; has {
			a.SetText(p, value)
		}
	}
}

// newUser makes a user.
func newUser(v *visit) (answer, error) {
	typed := v.typedProfile()
	if p, err := v.nameManager(&typed); p != nil || err != nil {
		return v.userForm(nil, typed, p, nil), err
	}
	body := v.patchOf(&directory.Profile{}, &typed)
	var u struct {
		ID directory.UserID `json:"id"`
	}
	if _, err := v.call(v.ctx, http.MethodPost, "/v1/users", body, &u); err != nil {
		if p, ok := asProblem(err); ok && p.Status < 500 && p.Status != http.StatusUnauthorized {
			return v.userForm(nil, typed, p, nil), nil
		}
		return nil, err
	}
	return v.done(here("users", string(u.ID)), v.lang.say(textUserMade)), nil
}

// deleteUserPage says what deleting a user comes to.
func deleteUserPage(v *visit) (answer, error) {
	var u directory.User
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("users", v.id()), nil, &u); err != nil {
		return nil, err
	}
	at := here("users", v.id())
	return view{title: v.lang.say(textDeleteTitle, clean(u.Label())), section: "/console/users", crumbs: []crumb{{"/console/users", v.say(textUsers)}, {at, data(u.Label())}}, body: []g.Node{
		h.P(h.Class("lead"), v.say(textDeleteMeans)), h.P(v.say(textDeleteBack)),
		h.Form(h.Method("post"), h.Action(at+"/delete"), h.Data("busy", ""), hidden("version", itoa(int(u.Version))), h.Div(h.Class("row decide"), h.Button(h.Type("submit"), h.Class("danger"), v.say(textDelete)), link(at, h.Class("button"), v.say(textNotYet))))}}, nil
}

func deleteUser(v *visit) (answer, error) {
	if _, err := v.call(v.ctx, http.MethodDelete, apiPath("users", v.id()), nil, nil, ifMatch(v.r.PostForm.Get("version"))...); err != nil {
		if is(err, http.StatusPreconditionFailed) {
			return v.stale(here("users", v.id())), nil
		}
		return nil, err
	}
	return v.done(here("users", v.id()), v.lang.say(textUserDeletedNow)), nil
}

// entries are what was done, newest first.
func (v *visit) entries(p page[entry], whose bool, names names) g.Node {
	if len(p.Items) == 0 {
		return v.empty(textNothingWasDone)
	}
	when, what, who, changed := column{head: textWhen}, column{head: textWhat}, column{head: textBy}, column{head: textWhatChanges}
	columns := []column{when, what, who, changed}
	rows := g.Map(p.Items, func(e entry) g.Node {
		act := g.Node(code(e.Kind))
		if word, known := kindWord(directory.AuditKind(e.Kind)); known {
			act = v.say(word)
		}
		if e.Effect != "" {
			t, word := changeWord(e.State)
			act = g.Group([]g.Node{v.effectBadge(e.Effect), g.Text(" "), v.badge(t, word)})
		}
		by := g.Node(dash())
		if e.By != "" {
			by = g.Group([]g.Node{v.actor(e.By, names), g.If(e.Source != "" && e.Source != directory.SourceManual, h.Small(v.say(sourceWord(e.Source))))})
		}
		var of g.Node
		if whose && e.UserID != "" {
			name := names.show(string(e.UserID))
			if names[string(e.UserID)] == "" && e.UserPrincipalName != "" {
				name = data(e.UserPrincipalName)
			}
			of = h.Small(link(here("users", string(e.UserID)), name))
		}
		of = g.Group([]g.Node{of, g.Group(g.Map(e.GroupIDs, func(id directory.GroupID) g.Node {
			return h.Small(link(here("groups", string(id)), names.show(string(id))))
		})),
			g.If(e.ConnectionID != "", h.Small(link(here("connections", string(e.ConnectionID)), names.show(string(e.ConnectionID)))))})
		return h.Tr(v.cell(when, v.moment(e.At), g.If(e.RunID != "", h.Small(link(here("runs", string(e.RunID)), v.say(textTheRunItself)))), g.If(e.JobID != "", h.Small(link(here("jobs", string(e.JobID)), v.say(textTheJobItself))))), v.cell(what, act, of),
			v.cell(who, by, g.If(e.ApprovedBy != "", h.Small(v.say(textApprovedBy), g.Text(" "), data(e.ApprovedBy)))),
			v.cell(changed, g.If(len(e.Properties) > 0, v.entryDiff(&e, names)), g.If(e.Reason != "", h.Small(v.sentence(e.Reason))), g.If(e.Error != "", h.P(h.Class("irreversible"), v.sentence(e.Error))), g.If(e.RequestID != "", h.Small(g.Text("request-id "), code(e.RequestID))), g.If(e.APIRequestID != "", h.Small(v.say(textRequestID), g.Text(" "), code(e.APIRequestID)))))
	})
	return v.table(textHistory, columns, rows)
}

// entryDiff is what a change, or an act, has changed.
func (v *visit) entryDiff(e *entry, names names) g.Node {
	c := &directory.Change{Properties: names.named(e.Properties)}
	if e.Effect != "" {
		return v.diff(c)
	}
	return v.diffBy(c, v.actLine)
}

// actLine is what an act has changed in our directory. Its names are ours: a state is the
// user's, and no state or province, as the property of Microsoft's that is called so.
func (v *visit) actLine(p directory.PropertyChange) g.Node {
	line := func(is g.Node) g.Node {
		return h.Li(h.Class("diff"), h.Span(h.Class("prop"), h.Title(clean(p.Name)), v.changedAttribute(p.Name)), g.Text(" "), is)
	}
	side := func(word func(s string) g.Node, x directory.Value) g.Node {
		if s, is := x.Text(); is && s != "" {
			return word(s)
		}
		return v.value(x)
	}
	var word func(s string) g.Node
	switch p.Name {
	case "state":
		word = func(s string) g.Node { _, is := stateWord(directory.UserState(s)); return v.say(is) }
	case ownersChanged:
		word = v.ownersIn
	default:
		return line(v.sides(p))
	}
	return line(g.Group([]g.Node{h.Del(side(word, p.Before)), g.Text(" → "), h.Ins(side(word, p.After))}))
}

// ownersChanged is under which name an act tells which attributes became whose, as a JSON
// object of sources by attribute.
const ownersChanged = "owners"

// ownersIn names attributes with the sources that own them.
func (v *visit) ownersIn(object string) g.Node {
	var owners map[string]directory.Source
	if json.Unmarshal([]byte(object), &owners) != nil {
		return data(object)
	}
	return dotted(g.Map(sortedNames(owners), func(path string) g.Node {
		return g.Group([]g.Node{v.changedAttribute(path), g.Text(": "), v.say(sourceWord(owners[path]))})
	}))
}

// actor is who did something: an admin, or a client that pushes.
func (v *visit) actor(by string, names names) g.Node {
	if _, is := directory.ScimClientOf(by); is {
		return link(here("sources", by), data(names.of(by)))
	}
	return data(by)
}

// activityFilter is which entries are looked at, as /v1 names the parameters.
type activityFilter map[string]string

var activityParameters = []string{"connectionId", "userId", "groupId", "runId", "effect", "byHand", "since", "until"}

func (v *visit) activityFilter() (activityFilter, error) {
	by, err := parameters(v.r.URL.Query(), activityParameters...)
	if err == nil {
		by["byHand"] = asked(by["byHand"], "", "true")
	}
	return by, err
}

// pairs are the parameters of a page of ours.
func (f activityFilter) pairs() (pairs []string) {
	for _, name := range activityParameters {
		pairs = append(pairs, name, f[name])
	}
	return pairs
}

// of is an address at /v1 of these entries. Until a day means with it: /v1 lists what was
// done before a time, and takes a day for its beginning.
func (f activityFilter) of(more ...string) string {
	asked := maps.Clone(f)
	if day, err := time.Parse(time.DateOnly, f["until"]); err == nil {
		asked["until"] = day.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	return query("/v1/activity", append(asked.pairs(), more...)...)
}

// activityPage is all that was done, with filters.
func activityPage(v *visit) (answer, error) {
	q := v.r.URL.Query()
	by, err := v.activityFilter()
	if err != nil {
		return nil, err
	}
	at, pairs := by.of(), by.pairs()
	type summary struct {
		Items []day `json:"items"`
	}
	// The days are those of a connection, or of all: under another filter, and on a later page,
	// they would not be of what is listed.
	charted := q.Get("next") == "" && query("", pairs...) == query("", "connectionId", by["connectionId"])
	var days later[summary]
	if charted {
		days = ask[summary](v, query("/v1/activity/summary", "connectionId", by["connectionId"]))
	}
	cons := ask[page[connection]](v, "/v1/connections?limit=100")
	list := ask[page[entry]](v, by.of("limit", "50", "next", q.Get("next")))
	known, _ := cons.get() // without them there are their IDs
	var chart g.Node
	if charted {
		chart = partly(v, days, func(x summary) g.Node { return v.dayChart(x.Items) })
	}
	return view{title: v.lang.say(textActivity), section: "/console/activity", body: []g.Node{
		chart, v.activityForm(by, known.Items),
		partly(v, list, func(p page[entry]) g.Node {
			var users []directory.UserID
			var groups []directory.GroupID
			var clients []directory.ScimClientID
			for _, e := range p.Items {
				if id, is := directory.ScimClientOf(e.By); is {
					clients = append(clients, id)
				}
				users, groups = append(users, e.UserID), append(groups, e.GroupIDs...)
				for _, c := range e.Properties {
					users = append(users, directory.UserID(managerIn(c, c.Before)), directory.UserID(managerIn(c, c.After)))
				}
			}
			names := v.namesOf(users, groups, clients...)
			for _, c := range known.Items {
				names[string(c.ID)] = c.Name
			}
			return h.Div(v.entries(p, true, names), v.pager(p.Next))
		}),
		v.filesOf("/console/activity", pairs),
		h.Section(h.H2(v.say(textProof)), h.P(v.say(textProofMeans)), v.act(scopeWrite, "/console/activity/verify", textVerify, "")), v.asCall("GET", at)}}, nil
}

// activityForm narrows the activity down.
func (v *visit) activityForm(by activityFilter, cons []connection) g.Node {
	now := func(name string) string { return by[name] }
	field := func(name string, caption text, kind string) g.Node {
		if _, err := time.Parse(time.DateOnly, now(name)); kind == "date" && now(name) != "" && err != nil {
			kind = "text" // a time, of a link: a field of a day would lose it
		}
		return h.Label(v.say(caption), h.Input(h.Type(kind), h.Name(name), h.Value(now(name)), h.MaxLength("100"), h.AutoComplete("off")))
	}
	of, there := []g.Node{h.Option(h.Value(""), v.say(textAny))}, now("connectionId") == ""
	for _, c := range cons {
		there = there || string(c.ID) == now("connectionId")
		of = append(of, h.Option(h.Value(string(c.ID)), g.If(string(c.ID) == now("connectionId"), h.Selected()), g.Text(clean(c.Name))))
	}
	if !there {
		of = append(of, h.Option(h.Value(now("connectionId")), h.Selected(), g.Text(clean(now("connectionId")))))
	}
	effects, there := []g.Node{h.Option(h.Value(""), v.say(textAny))}, now("effect") == ""
	for _, row := range directory.Effects {
		there = there || string(row.Effect) == now("effect")
		effects = append(effects, h.Option(h.Value(string(row.Effect)), g.If(string(row.Effect) == now("effect"), h.Selected()), v.say(words(row.Effect).name)))
	}
	if !there { // an act of admins
		name := g.Text(clean(now("effect")))
		if word, known := kindWord(directory.AuditKind(now("effect"))); known {
			name = v.say(word)
		}
		effects = append(effects, h.Option(h.Value(now("effect")), h.Selected(), name))
	}
	open, rest := false, []g.Node{}
	for _, name := range activityParameters {
		open = open || now(name) != ""
		if (name == "groupId" || name == "runId") && now(name) != "" {
			rest = append(rest, hidden(name, now(name)))
		}
	}
	return h.Details(h.Class("filter"), g.If(open, g.Attr("open")), h.Summary(v.say(textFilter)), h.Form(h.Method("get"), h.Action("/console/activity"), h.Class("row"), g.Group(rest),
		h.Label(v.say(textConnection), h.Select(h.Name("connectionId"), g.Group(of))), h.Label(v.say(textWhat), h.Select(h.Name("effect"), g.Group(effects))),
		field("userId", textUserID, "text"), field("since", textFrom, "date"), field("until", textTo, "date"),
		h.Label(h.Class("pick"), h.Input(h.Type("checkbox"), h.Name("byHand"), h.Value("true"), g.If(now("byHand") != "", h.Checked())), h.Span(v.say(textOnlyByHand))), h.Button(h.Type("submit"), v.say(textShow)), link("/console/activity", v.say(textShowAll))))
}

// managerIn is the user whom a value of a change names; "" for any other value.
func managerIn(c directory.PropertyChange, value directory.Value) string {
	if id, is := value.Text(); is && c.Name == "managerId" {
		return id
	}
	return ""
}

// named is a change with the names of whom its values name.
func (n names) named(list []directory.PropertyChange) []directory.PropertyChange {
	list = slices.Clone(list)
	for i := range list {
		for _, value := range []*directory.Value{&list[i].Before, &list[i].After} {
			if name := n[managerIn(list[i], *value)]; name != "" {
				*value = directory.StringValue(name)
			}
		}
	}
	return list
}

// verify proves that nothing of the history was changed.
func verify(v *visit) (answer, error) {
	return v.startJob(http.MethodPost, "/v1/activity:verify", json.RawMessage("{}"))
}
