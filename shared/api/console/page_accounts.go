package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// candidate is an account of a tenant with its verdict.
type candidate struct {
	ID                directory.AccountID        `json:"id"`
	UserPrincipalName string                     `json:"userPrincipalName"`
	DisplayName       string                     `json:"displayName"`
	Enabled           bool                       `json:"enabled"`
	Verdict           string                     `json:"verdict"`
	Detail            string                     `json:"detail"`
	UserID            directory.UserID           `json:"userId"`
	Warnings          []directory.Warning        `json:"warnings"`
	Writes            []directory.PropertyChange `json:"writes"`
	BoundAs           string                     `json:"boundAs"`
}

// verdictWord is what an account is to the directory.
func verdictWord(s string) (tone, text) {
	switch s {
	case "new":
		return toneInfo, textVerdictNew
	case "in-directory":
		return tonePlain, textVerdictIn
	case "bound":
		return toneGood, textVerdictBound
	case "external":
		return toneWarn, textVerdictExternal
	}
	return toneWarn, textVerdictExcluded
}

// accountsPage lists the accounts of a tenant, to import them.
func accountsPage(v *visit) (answer, error) {
	id, q := v.id(), v.r.URL.Query()
	filter, err := parameter(q, "filter")
	if err != nil {
		return nil, err
	}
	cons := ask[connection](v, apiPath("connections", id))
	list := ask[page[candidate]](v, query(apiPath("connections", id, "accounts"), "limit", "50", "filter", filter, "next", q.Get("next")))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	at := here("connections", id)
	var picks []g.Node
	for _, f := range []struct {
		value string
		name  text
	}{{"", textAllAccounts}, {"new", textVerdictNew}, {"in-directory", textVerdictIn}, {"bound", textVerdictBound}, {"excluded", textVerdictExcluded}} {
		picks = append(picks, h.Li(link(query(at+"/accounts", "filter", f.value), h.Class("chip"), g.If(filter == f.value, h.Aria("current", "true")), v.say(f.name))))
	}
	body := partly(v, list, func(p page[candidate]) g.Node { return v.accountList(at, p) })
	return v.ofConnection(&c, "/accounts", h.P(h.Class("faint"), v.say(textAccountsLead)),
		h.Ul(h.Class("chips"), v.label(textFilter), g.Group(picks)),
		h.Form(h.Method("get"), h.Action(at+"/accounts"), h.Class("row search"), h.Role("search"), h.Input(h.Type("search"), h.Name("filter"), h.Value(filter), v.label(textSearchAccounts), h.MaxLength("100")), h.Button(h.Type("submit"), v.say(textSearch))),
		h.Div(h.Class("row"), v.linkButton(scopeWrite, at+"/import", textImportAll, ""), v.linkButton(scopeWrite, at+"/import?bind=1", textImportBindAll, "")),
		body, v.asCall("GET", query(apiPath("connections", id, "accounts"), "filter", filter))), nil
}

// accountList is a page of accounts, in a form that imports those that are ticked.
func (v *visit) accountList(at string, p page[candidate]) g.Node {
	if len(p.Items) == 0 {
		if p.Next != "" {
			return v.empty(textNothingYetSearchOn, h.P(link(v.with("next", p.Next), h.Class("button"), v.say(textSearchOn))))
		}
		return v.empty(textNoAccounts)
	}
	may := v.s.has(scopeWrite)
	choose, account, verdict, writes := column{head: textChoose}, column{head: textAccount}, column{head: textVerdict}, column{head: textFirstWrites}
	columns := []column{choose, account, verdict, writes}
	if !may {
		columns = columns[1:]
	}
	var rows []g.Node
	for _, a := range p.Items {
		t, word := verdictWord(a.Verdict)
		box := dash()
		if a.Verdict == "new" || a.Verdict == "in-directory" {
			box = h.Label(h.Class("tick"), h.Input(h.Type("checkbox"), h.Name("c"), h.Value(string(a.ID)), v.label(textChooseThis, clean(a.UserPrincipalName))))
		}
		name := g.Node(data(a.UserPrincipalName))
		if a.UserID != "" {
			name = link(here("users", string(a.UserID)), name)
		}
		rows = append(rows, h.Tr(g.If(may, v.cell(choose, box)),
			v.cell(account, h.Span(h.Class("who"), name), h.Small(data(a.DisplayName)), g.If(!a.Enabled, h.Small(v.say(textIsBlocked)))),
			v.cell(verdict, v.badge(t, word), g.If(a.Detail != "", h.Small(v.sentence(a.Detail))), g.Group(g.Map(a.Warnings, func(w directory.Warning) g.Node { return h.Small(code(w.Field), g.Text(" "), v.sentence(w.Detail)) }))),
			v.cell(writes, v.firstWrites(&a))))
	}
	table := v.table(textAccounts, columns, rows)
	if !may {
		return h.Div(table, v.pager(p.Next))
	}
	return h.Div(h.Form(h.Method("post"), h.Action(at+"/import"), h.Data("select", ""), h.Data("busy", ""),
		h.Div(h.Class("bar"), h.Label(h.Class("tick all"), h.Input(h.Type("checkbox"), h.Data("all", "")), v.say(textAllOfPage)), h.Span(h.Class("chosen"), h.Data("count", ""), h.Data("elsewhere", "0")),
			h.Button(h.Type("submit"), v.say(textImport)), h.Button(h.Type("submit"), h.Class("primary"), h.Name("bind"), h.Value("1"), v.say(textImportBind))),
		table), v.pager(p.Next))
}

// firstWrites is what the first run would write to an account once it is bound.
func (v *visit) firstWrites(a *candidate) g.Node {
	if len(a.Writes) == 0 {
		return h.Span(h.Class("faint"), v.say(textNothingToWrite))
	}
	return h.Ul(h.Class("diffs"), g.Group(g.Map(a.Writes, func(p directory.PropertyChange) g.Node {
		return h.Li(h.Span(h.Class("prop"), v.property(p.Name)), g.Text(" "), v.before(p), g.Text(" → "), v.after(p))
	})))
}

// counted is how many accounts of a verdict are counted for the page before an import of all.
const counted = 500

// importPage says how many accounts an import of all is about, and what follows. An import that
// binds is about those whose user is in the directory already as well.
func importPage(v *visit) (answer, error) {
	id, bind := v.id(), v.r.FormValue("bind") == "1"
	of := func(verdict string) later[page[candidate]] {
		return ask[page[candidate]](v, query(apiPath("connections", id, "accounts"), "limit", itoa(counted), "filter", verdict))
	}
	cons, fresh, known := ask[connection](v, apiPath("connections", id)), of("new"), later[page[candidate]]{}
	if bind {
		known = of("in-directory")
	}
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	all, lists := accountCount{}, 1
	reach := []g.Node{partly(v, fresh, func(p page[candidate]) g.Node { return h.P(h.Strong(all.add(v, p, countNew, countNewAtLeast))) })}
	at, caption, act, least, follows, fields := here("connections", id), textImportAll, countImport, countImportAtLeast, []g.Node{h.P(v.say(textImportMakes))}, []g.Node{hidden("all", "1")}
	if bind {
		lists = 2
		reach = append(reach, partly(v, known, func(p page[candidate]) g.Node { return h.P(h.Strong(all.add(v, p, countKnown, countKnownAtLeast))) }))
		caption, act, least, follows, fields = textImportBindAll, countImportBind, countImportBindAtLeast, append(follows, v.bindFollows(&c)), append(fields, hidden("bind", "1"))
	}
	do := caption // without a number, where not all could be read
	switch read := all.lists == lists; {
	case read && all.n == 0:
		return v.ofConnection(&c, "/accounts", append([]g.Node{h.H2(v.say(caption))}, append(reach, h.P(link(at+"/accounts", h.Class("button"), v.say(textBack))))...)...), nil
	case read && all.more:
		do = least.of(all.n)
	case read:
		do = act.of(all.n)
	}
	return v.beforeAll(&c, "/accounts", caption, do, at+"/import", at+"/accounts", "primary", h.Div(reach...), append(follows, fields...)...), nil
}

// accountCount counts accounts over lists of them.
type accountCount struct {
	n, lists int
	more     bool // there are more than were counted
}

// add counts the accounts of a list in, and says how many it has.
func (x *accountCount) add(v *visit, p page[candidate], exact, least number) g.Node {
	x.n, x.lists, x.more = x.n+len(p.Items), x.lists+1, x.more || p.Next != ""
	if p.Next != "" {
		return v.count(least, len(p.Items))
	}
	return v.count(exact, len(p.Items))
}

// beforeAll is the page before an act on many: on how many, what follows, and the act itself.
// do is what its button says, with the number.
func (v *visit) beforeAll(c *connection, tab string, caption, do text, to, back, class string, reach g.Node, more ...g.Node) answer {
	return v.ofConnection(c, tab, h.H2(v.say(caption)), reach,
		h.Form(h.Method("post"), h.Action(to), h.Class("stack"), h.Data("busy", ""), g.Group(more), h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class(class), v.say(do)), link(back, h.Class("button"), v.say(textNotYet)))))
}

// bindFollows says what becomes of users that are bound, and when.
func (v *visit) bindFollows(c *connection) g.Node {
	if c.Settings.Mode == directory.ModeApprove {
		return g.Group([]g.Node{h.P(v.say(textBindMeans)), h.P(v.say(textBindHeld))})
	}
	return g.Group([]g.Node{h.P(v.say(textBindMeans)), v.box(toneWarn, v.say(textBindAtOnce), h.P(v.say(textBindAtOnceMore)))})
}

// importAccounts makes users of accounts: of those that are ticked, or of all.
func importAccounts(v *visit) (answer, error) {
	f := v.r.PostForm
	body := map[string]any{}
	if f.Get("all") == "1" {
		body["all"] = true
	} else {
		if len(f["c"]) == 0 {
			return v.done(here("connections", v.id(), "accounts"), v.lang.say(textTickFirst)), nil
		}
		body["accountIds"] = f["c"]
	}
	if f.Get("bind") == "1" {
		body["bind"] = true
	}
	return v.startJob(http.MethodPost, apiPath("connections", v.id(), "imports"), body)
}

// startJob asks for something that takes long, and leads to its progress.
func (v *visit) startJob(method, path string, body any) (answer, error) {
	var j job
	if _, err := v.call(v.ctx, method, path, body, &j); err != nil {
		return nil, err
	}
	return redirect{here("jobs", string(j.ID))}, nil
}

// job is a job as the API shows it, with a page of what it refused.
type job struct {
	directory.Job
	Total   *int                    `json:"total"`
	Refused []directory.RefusedItem `json:"refused"`
	Next    string                  `json:"next"`
}

// jobWord is where a job stands.
func jobWord(s directory.JobState) (tone, text) {
	switch s {
	case directory.JobQueued:
		return toneInfo, textJobQueued
	case directory.JobRunning:
		return toneInfo, textJobRunning
	case directory.JobFailed:
		return toneBad, textStateFailed
	}
	return toneGood, textStateDone
}

// jobKind is what a job does, as a word.
func jobKind(k directory.JobKind) text {
	switch k {
	case directory.JobImport:
		return textJobImport
	case directory.JobImportGroups:
		return textJobImportGroups
	case directory.JobBind:
		return textJobBind
	case directory.JobLoad:
		return textJobLoad
	case directory.JobCheck:
		return textJobCheck
	case directory.JobLoadGroups:
		return textJobLoadGroups
	case directory.JobCheckGroups:
		return textJobCheckGroups
	case directory.JobVerify:
		return textJobVerify
	case directory.JobLicences:
		return textJobLicences
	case directory.JobTakeBack:
		return textJobTakeBack
	case directory.JobCheckTakeBack:
		return textJobCheckTakeBack
	case directory.JobPhotos:
		return textJobPhotos
	case directory.JobAddresses:
		return textJobAddresses
	}
	return textJobOther
}

// jobCount is what a job counts by a name of /v1.
func jobCount(name string) (text, bool) {
	word, known := map[string]text{
		"created": textCountCreated, "updated": textCountUpdated, "edited": textCountUpdated, "unchanged": textCountUnchanged, "existing": textCountExisting,
		"excluded": textVerdictExcluded, "external": textVerdictExternal, "bound": textVerdictBound, "boundBefore": textCountBoundBefore, "alreadyBound": textCountBoundBefore,
		"boundByGroup": textCountByGroup, "renamedByBinding": textCountRenamed, "membersAdded": textCountMembersAdded, "membersRemoved": textCountMembersRemoved,
		"membersUnchanged": textCountMembersUnchanged, "managersSet": textCountManagersSet, "managersNotInDirectory": textCountManagersUnknown, "twins": textCountTwins,
		"stored": textCountPhotos, "none": textCountNoPhoto, "known": textCountPhotoKnown, "unusable": textCountPhotoUnusable, "gone": textCountPhotoGone,
		"seen": textCountSeen, "products": textCountProducts,
	}[name]
	return word, known
}

// jobPage shows how far a job is, and what it refused.
func jobPage(v *visit) (answer, error) {
	var j job
	if _, err := v.call(v.ctx, http.MethodGet, query(apiPath("jobs", v.id()), "next", v.r.URL.Query().Get("next")), nil, &j); err != nil {
		return nil, err
	}
	t, word := jobWord(j.State)
	poll := 0
	if j.Ended.IsZero() {
		poll = 2000
	}
	progress := g.Node(h.P(v.count(countDone, j.Done)))
	if j.Total != nil && *j.Total > 0 {
		progress = h.Div(h.P(v.say(textDoneOf, v.lang.number(j.Done), v.lang.number(*j.Total))), g.If(j.Ended.IsZero(), h.Progress(v.label(textProgress), h.Max(itoa(*j.Total)), h.Value(itoa(j.Done)))))
	}
	var counts []g.Node
	if j.Kind == directory.JobTakeBack || j.Kind == directory.JobCheckTakeBack {
		counts, _ = v.tookBack(&j)
	} else {
		for _, name := range sortedNames(j.Counts) {
			if word, known := jobCount(name); known {
				counts = append(counts, v.fact(word, v.number(j.Counts[name])))
				continue
			}
			counts = append(counts, v.factNamed(name, v.number(j.Counts[name])))
		}
	}
	var next []g.Node
	if j.ConnectionID != "" && !j.Ended.IsZero() {
		at := here("connections", string(j.ConnectionID))
		next = append(next, link(at+"/runs", h.Class("button primary"), v.say(textLookAtRuns)), link(at+"/members", h.Class("button"), v.say(textMembers)), link(at+"/accounts", h.Class("button"), v.say(textAccounts)))
	}
	if j.ScimClientID != "" {
		next = append(next, link(here("sources", string(j.ScimClientID)), h.Class("button"), v.say(textToTheSource)))
	}
	if j.Kind == directory.JobLoad && !j.Ended.IsZero() {
		next = append(next, link("/console/users", h.Class("button primary"), v.say(textToUsers)))
	}
	what, why := column{head: textWhat}, column{head: textWhy}
	rows := g.Map(j.Refused, func(r directory.RefusedItem) g.Node {
		return h.Tr(v.cell(what, v.refusedName(r)), v.cell(why, v.sentence(r.Detail), h.Small(code(r.Code))))
	})
	return view{title: v.lang.say(jobKind(j.Kind)), poll: poll, head: []g.Node{v.badge(t, word)}, body: []g.Node{
		h.Section(h.Class("status"), progress, facts(v.fact(textStarted, v.ago(j.Created)), g.If(!j.Ended.IsZero(), v.fact(textTook, g.Text(v.lang.length(j.Ended.Sub(j.Created).Round(time.Second))))), g.If(j.AskedBy != "", v.fact(textAskedBy, data(j.AskedBy))), g.Group(counts)),
			g.If(len(next) > 0, h.Div(h.Class("row"), g.Group(next)))),
		v.jobTrouble(&j), v.loadChecked(&j), v.fileRead(&j),
		g.Iff(j.RefusedCount > 0, func() g.Node {
			say := refusedWordsOf(j.Kind)
			return h.Section(h.H2(v.count(say.count, j.RefusedCount)), h.P(link(here("jobs", v.id(), "refused.csv"), h.Class("button"), v.say(say.file)), g.Text(" "), h.Span(h.Class("faint"), v.say(say.then))), v.table(say.table, []column{what, why}, rows), g.If(j.RefusedUnlisted > 0, h.P(v.count(say.unlisted, j.RefusedUnlisted))), v.pager(j.Next))
		}),
		g.If(len(j.Notes) > 0, h.Section(h.H2(v.say(textNotes)), h.Ul(g.Map(j.Notes, func(n directory.JobNote) g.Node {
			return h.Li(g.If(n.Line > 0, g.Group([]g.Node{v.say(textLine, v.lang.number(n.Line)), g.Text(" ")})), g.If(n.Name != "", g.Group([]g.Node{data(n.Name), g.Text(": ")})), v.sentence(n.Detail))
		})...), g.If(j.NotesCount > len(j.Notes), h.P(h.Class("faint"), v.say(textAndMore))))),
		v.asCall("GET", apiPath("jobs", v.id()))}}, nil
}

// refusedWords are what is said of what a job did not do.
type refusedWords struct {
	count, unlisted   number
	file, then, table text
}

// refusedWordsOf are those of a kind of job: lines of a file are mended and sent again, what a
// take-back leaves stays, and all else can be tried again.
func refusedWordsOf(k directory.JobKind) refusedWords {
	switch k {
	case directory.JobLoad, directory.JobCheck, directory.JobLoadGroups, directory.JobCheckGroups:
		return refusedWords{countRefused, countUnlisted, textRefusedFile, textRefusedMend, textRefusedItems}
	case directory.JobTakeBack, directory.JobCheckTakeBack:
		return refusedWords{countStays, countStaysUnlisted, textStaysFile, textStaysThen, textStays}
	}
	return refusedWords{countRefused, countUnlisted, textRefusedList, textRefusedThen, textRefusedItems}
}

// refusedAs is what something that a job refused is called.
func refusedAs(r directory.RefusedItem) string {
	return cmp.Or(r.Name, string(r.UserID), string(r.AccountID), string(r.GroupID))
}

// refusedName names what a job refused.
func (v *visit) refusedName(r directory.RefusedItem) g.Node {
	node := g.Node(data(refusedAs(r)))
	if r.UserID != "" {
		node = link(here("users", string(r.UserID)), node)
	}
	return g.Group([]g.Node{node, g.If(r.Line > 0, h.Small(v.say(textLine, v.lang.number(r.Line))))})
}

// jobTable are some jobs.
func (v *visit) jobTable(list []job) g.Node {
	when, what, state, progress := column{head: textWhen}, column{head: textWhat}, column{head: textStatus}, column{head: textProgress}
	rows := g.Map(list, func(j job) g.Node {
		t, word := jobWord(j.State)
		sum := v.count(countDone, j.Done)
		if j.Total != nil && *j.Total > 0 {
			sum = v.say(textDoneOf, v.lang.number(j.Done), v.lang.number(*j.Total))
		}
		return h.Tr(v.cell(when, link(here("jobs", string(j.ID)), h.Class("who"), v.ago(j.Created))), v.cell(what, v.say(jobKind(j.Kind))), v.cell(state, v.badge(t, word)), v.cell(progress, sum, g.If(j.RefusedCount > 0, h.Small(v.count(refusedWordsOf(j.Kind).count, j.RefusedCount)))))
	})
	return v.table(textJobs, []column{when, what, state, progress}, rows)
}

// jobsPage lists jobs, newest first.
func jobsPage(v *visit) (answer, error) {
	q := v.r.URL.Query()
	by, err := parameters(q, "kind", "state")
	if err != nil {
		return nil, err
	}
	kind, state := by["kind"], by["state"]
	at := query("/v1/jobs", "kind", kind, "state", state)
	var list page[job]
	if _, err := v.call(v.ctx, http.MethodGet, query("/v1/jobs", "kind", kind, "state", state, "limit", "50", "next", q.Get("next")), nil, &list); err != nil {
		return nil, err
	}
	var kinds []option
	for _, k := range []directory.JobKind{directory.JobImport, directory.JobImportGroups, directory.JobBind, directory.JobLoad, directory.JobCheck, directory.JobLoadGroups, directory.JobCheckGroups, directory.JobTakeBack, directory.JobCheckTakeBack, directory.JobLicences, directory.JobVerify, directory.JobPhotos, directory.JobAddresses} {
		kinds = append(kinds, option{string(k), jobKind(k)})
	}
	var states []option
	for _, s := range []directory.JobState{directory.JobQueued, directory.JobRunning, directory.JobDone, directory.JobFailed} {
		_, word := jobWord(s)
		states = append(states, option{string(s), word})
	}
	form := h.Form(h.Method("get"), h.Action("/console/jobs"), h.Class("row search"), v.choose("kind", kind, textKind, kinds...), v.choose("state", state, textStatus, states...), h.Button(h.Type("submit"), v.say(textShow)), link("/console/jobs", v.say(textShowAll)))
	body := g.Node(h.Div(v.jobTable(list.Items), v.pager(list.Next)))
	switch {
	case len(list.Items) == 0 && (kind+state != "" || list.Next != ""):
		body = h.Div(v.empty(textNoJobsMatch), v.pager(list.Next))
	case len(list.Items) == 0:
		body = v.empty(textNoJobs)
	}
	return view{title: v.lang.say(textJobs), section: "/console/jobs", body: []g.Node{form, body, v.asCall("GET", at)}}, nil
}

// binding is a membership as the API shows it.
type binding struct {
	UserID            directory.UserID        `json:"userId"`
	ConnectionID      directory.ConnectionID  `json:"connectionId"`
	UserPrincipalName string                  `json:"userPrincipalName"`
	Status            directory.BindingStatus `json:"status"`
	Problem           *directory.Problem      `json:"problem"`
	Findings          []directory.Problem     `json:"findings"`
	Created           bool                    `json:"created"`
	Blocked           bool                    `json:"blocked"`
	Release           directory.ReleasePolicy `json:"release"`
	LastWrite         time.Time               `json:"lastWrite"`
	ExpectedBy        time.Time               `json:"expectedBy"`
	RunID             directory.RunID         `json:"runId"`
	SelectedAt        time.Time               `json:"selectedAt"`
}

// bindingWord is where a binding stands.
func bindingWord(s directory.BindingStatus) (tone, text) {
	switch s {
	case directory.BindingInSync:
		return toneGood, textInSync
	case directory.BindingPending:
		return toneInfo, textBindingPending
	case directory.BindingConflict:
		return toneBad, textConflict
	case directory.BindingRefused:
		return toneWarn, textBindingRefused
	case directory.BindingReadOnly:
		return tonePlain, textReadOnly
	case directory.BindingPaused:
		return toneWarn, textPaused
	}
	return toneBad, textStateFailed
}

// statuses are those of bindings, in the order in which they matter.
var statuses = []directory.BindingStatus{directory.BindingFailed, directory.BindingConflict, directory.BindingRefused, directory.BindingPaused, directory.BindingPending, directory.BindingReadOnly, directory.BindingInSync}

// membersPage lists who is bound through a connection.
func membersPage(v *visit) (answer, error) {
	id, q := v.id(), v.r.URL.Query()
	status := q.Get("status")
	var picks []g.Node
	known := false
	at := here("connections", id)
	picks = append(picks, h.Li(link(at+"/members", h.Class("chip"), g.If(status == "", h.Aria("current", "true")), v.say(textAllMembers))))
	for _, s := range statuses {
		t, word := bindingWord(s)
		known = known || status == string(s)
		picks = append(picks, h.Li(link(query(at+"/members", "status", string(s)), h.Class("chip "+string(t)), g.If(status == string(s), h.Aria("current", "true")), v.say(word))))
	}
	if !known {
		status = ""
	}
	cons := ask[connection](v, apiPath("connections", id))
	list := ask[page[binding]](v, query(apiPath("connections", id, "bindings"), "limit", "30", "status", status, "next", q.Get("next")))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	return v.ofConnection(&c, "/members", h.Ul(h.Class("chips"), v.label(textFilter), g.Group(picks)),
		h.Div(h.Class("row"), v.linkButton(scopeWrite, at+"/bind", textBindUsers, "primary")),
		partly(v, list, func(p page[binding]) g.Node { return v.memberList(at, p) }), v.asCall("GET", query(apiPath("connections", id, "bindings"), "status", status))), nil
}

// memberList is a page of bindings with what can be done about each.
func (v *visit) memberList(at string, p page[binding]) g.Node {
	if len(p.Items) == 0 {
		if p.Next != "" {
			return v.empty(textNothingYetSearchOn, h.P(link(v.with("next", p.Next), h.Class("button"), v.say(textSearchOn))))
		}
		return v.empty(textNoMembers)
	}
	who, account, status, last, acts := column{head: textUser}, column{head: textAccount}, column{head: textStatus}, column{head: textLastWritten}, column{head: textActs}
	var ids []directory.UserID
	for i := range p.Items {
		ids = append(ids, p.Items[i].UserID)
	}
	names := v.namesOf(ids, nil)
	var rows []g.Node
	for i := range p.Items {
		b := &p.Items[i]
		rows = append(rows, h.Tr(
			v.cell(who, link(here("users", string(b.UserID)), h.Class("who"), data(names.of(string(b.UserID))))),
			v.cell(account, data(b.UserPrincipalName), g.If(b.Created, h.Small(v.say(textMadeByUs)))),
			v.cell(status, v.bindingState(b)), v.cell(last, v.ago(b.LastWrite)), v.cell(acts, v.bindingActs(at, b))))
	}
	return h.Div(v.table(textMembers, []column{who, account, status, last, acts}, rows), v.pager(p.Next))
}

func orID(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

// word is where a binding stands. An account of which changes were declined is not as the
// directory says, though nothing is left to be written.
func (b *binding) word() (tone, text) {
	if b.Status == directory.BindingInSync && slices.ContainsFunc(b.Findings, func(p directory.Problem) bool { return p.Code == directory.CodeDeclined }) {
		return toneWarn, textNotAllAgreed
	}
	return bindingWord(b.Status)
}

// bindingState says where a binding stands, and why.
func (v *visit) bindingState(b *binding) g.Node {
	t, word := b.word()
	nodes := []g.Node{v.badge(t, word)}
	if b.Release != "" {
		nodes = append(nodes, g.Text(" "), v.badge(tonePlain, textBeingReleased))
	}
	if b.Problem != nil {
		nodes = append(nodes, h.Details(h.Summary(v.sentence(b.Problem.Message)), v.trouble(b.Problem)))
	}
	for i := range b.Findings {
		nodes = append(nodes, h.Details(h.Summary(v.sentence(b.Findings[i].Message)), v.trouble(&b.Findings[i])))
	}
	if b.Status == directory.BindingPending && !b.ExpectedBy.IsZero() {
		nodes = append(nodes, h.Small(v.say(textExpectedBy), g.Text(" "), v.moment(b.ExpectedBy)))
	}
	return g.Group(nodes)
}

// bindingActs are what can be done about one binding: at once, or on a page of its own.
func (v *visit) bindingActs(at string, b *binding) g.Node {
	if !v.s.has(scopeWrite) {
		return dash()
	}
	of := below(at, "members", string(b.UserID))
	var list []g.Node
	switch b.Status {
	case directory.BindingPaused:
		was := "" // why it is paused
		if b.Problem != nil {
			was = b.Problem.Code
		}
		list = append(list, v.act(scopeWrite, of+"/resume", textResume, "small", hidden("was", was)))
	case directory.BindingInSync, directory.BindingPending:
		list = append(list, v.act(scopeWrite, of+"/pause", textPause, "small"))
	case directory.BindingFailed, directory.BindingRefused, directory.BindingConflict:
		list = append(list, v.act(scopeWrite, of+"/retry", textRetry, "small"), v.act(scopeWrite, of+"/pause", textPause, "small"))
	}
	return h.Div(h.Class("acts"), g.Group(list), link(of+"/release", h.Class("button small"), v.say(textReleaseDots)))
}

// bindingAct is an act about one binding that can be taken back at once, by the act back; ""
// for none. A pause that nobody made by hand, but the undo of a run, has no way back once it has
// ended: another pause would be one by hand.
func bindingAct(act, back string, told text) func(v *visit) (answer, error) {
	return func(v *visit) (answer, error) {
		user := v.r.PathValue("user")
		to := here("connections", v.id(), "members")
		if from := v.r.PostForm.Get("to"); local(from) {
			to = from
		}
		if v.takingBack() {
			if moved, err := v.bindingMoved(user); err != nil || moved {
				return v.tooLate(to), err
			}
		}
		var b binding
		if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "bindings", user, act), nil, &b); err != nil {
			return nil, err
		}
		if back == "" || act == "resume" && !v.takingBack() && v.r.PostForm.Get("was") != directory.CodePausedByAdmin {
			return v.done(to, v.lang.say(told)), nil
		}
		return v.undoable(to, v.lang.say(told), bindingVersion(&b), &wayBack{To: below(here("connections", v.id()), "members", user, back), Fields: []string{"to", to}}), nil
	}
}

// bindPage asks whom to bind: everybody, or those who were bound before.
func bindPage(v *visit) (answer, error) {
	var c connection
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id()), nil, &c); err != nil {
		return nil, err
	}
	at := here("connections", v.id(), "bind")
	switch v.r.FormValue("whom") {
	case "all":
		var n struct {
			Users int `json:"users"`
		}
		if _, err := v.call(v.ctx, http.MethodGet, "/v1/users:count", nil, &n); err != nil {
			return nil, err
		}
		return v.beforeAll(&c, "/members", textBindAll, countBindUpTo.of(max(0, n.Users-c.BoundCount)), at, at, "primary", h.P(h.Strong(v.count(countUsersInAll, n.Users)), g.Text(" "), v.count(countMembersNow, c.BoundCount)), v.bindFollows(&c), hidden("all", "1")), nil
	case "previous":
		return v.beforeAll(&c, "/members", textBindPrevious, textBindPrevious, at, at, "primary", h.P(v.say(textPreviousReach), g.Text(" "), v.count(countMembersNow, c.BoundCount)), v.bindFollows(&c), hidden("previous", "1")), nil
	}
	automatic := c.Settings.Mode != directory.ModeApprove
	return v.ofConnection(&c, "/members", h.H2(v.say(textBindUsers)), h.P(h.Class("lead"), v.say(textBindMeans)),
		g.If(automatic, v.box(toneWarn, v.say(textBindAtOnce), h.P(v.say(textBindAtOnceMore)))), g.If(!automatic, h.P(v.say(textBindHeld))),
		h.Form(h.Method("post"), h.Action(at), h.Class("stack"), h.Data("busy", ""), h.Label(v.say(textTheseUsers), h.Textarea(h.Name("users"), h.Rows("4"), h.MaxLength("40000"))),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textBindThese)))),
		h.Div(h.Class("row"), v.linkButton(scopeWrite, at+"?whom=all", textBindAll, ""), v.linkButton(scopeWrite, at+"?whom=previous", textBindPrevious, ""))), nil
}

// bind binds users, and leads to what the first run will do.
func bind(v *visit) (answer, error) {
	f, path := v.r.PostForm, apiPath("connections", v.id(), "bindings")
	switch {
	case f.Get("all") == "1":
		return v.startJob(http.MethodPost, path, map[string]bool{"all": true})
	case f.Get("previous") == "1":
		return v.startJob(http.MethodPost, path, map[string]bool{"previous": true})
	}
	var users []string
	for _, u := range f["users"] {
		users = append(users, listed(u)...)
	}
	if len(users) == 0 {
		return v.done(here("connections", v.id(), "bind"), v.lang.say(textNameUsers)), nil
	}
	users, unknown, err := v.userIDs(users)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return v.refusal(http.StatusUnprocessableEntity, textNobodyBound, clean(strings.Join(unknown, ", "))), nil
	}
	return v.bindUsers(v.id(), users)
}

// bindUsers binds users through a connection: those who are refused are told by name, and
// the others' first run is shown.
func (v *visit) bindUsers(con string, users []string) (answer, error) {
	var out struct {
		Bound   []directory.UserID      `json:"bound"`
		Refused []directory.RefusedItem `json:"refused"`
		DryRun  *struct {
			ID string `json:"id"`
		} `json:"dryRun"`
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", con, "bindings"), map[string]any{"userIds": users}, &out); err != nil {
		return nil, err
	}
	if len(out.Refused) > 0 {
		what, why := column{head: textWhat}, column{head: textWhy}
		return view{title: v.lang.count(countBound, len(out.Bound)), section: "/console/connections", crumbs: []crumb{{here("connections", con, "members"), v.say(textMembers)}}, body: []g.Node{
			h.H2(v.count(countRefused, len(out.Refused))), v.table(textRefusedItems, []column{what, why}, g.Map(out.Refused, func(r directory.RefusedItem) g.Node {
				return h.Tr(v.cell(what, v.refusedName(r)), v.cell(why, v.sentence(r.Detail), h.Small(code(r.Code))))
			})), h.P(link(here("connections", con, "runs"), h.Class("button primary"), v.say(textLookAtRuns)))}}, nil
	}
	to := here("connections", con, "members")
	if out.DryRun != nil {
		to = here("runs", out.DryRun.ID)
	}
	return v.done(to, v.lang.count(countBound, len(out.Bound))), nil
}

// releasePage asks what becomes of an account that is let go, and shows it before.
func releasePage(v *visit) (answer, error) {
	user := v.r.PathValue("user")
	who := v.nameThem(directory.AccountsOf([]directory.UserID{directory.UserID(user)}))
	var c connection
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id()), nil, &c); err != nil {
		return nil, err
	}
	names := who.get()
	at := here("connections", v.id(), "members", user, "release")
	var picks []g.Node
	for _, p := range []struct {
		policy directory.ReleasePolicy
		means  text
	}{{directory.ReleaseKeep, textReleaseKeep}, {directory.ReleaseBlock, textReleaseBlock}, {directory.ReleaseRestore, textReleaseRestore}} {
		picks = append(picks, h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("then"), h.Value(string(p.policy)), g.If(c.Settings.Defaulted().OnRelease == p.policy, h.Checked())), h.Span(v.say(p.means))))
	}
	return v.ofConnection(&c, "/members", h.H2(v.say(textReleaseTitle)), h.P(link(here("users", user), names.show(user)), g.Text(" "), code(user)), h.P(h.Class("lead"), v.say(textReleaseMeans)),
		h.Form(h.Method("post"), h.Action(at), h.Class("stack"), h.Data("busy", ""), h.FieldSet(h.Legend(v.say(textReleaseThen)), g.Group(picks)),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), h.Name("preview"), h.Value("1"), v.say(textTryFirst)), h.Button(h.Type("submit"), v.say(textRelease)), link(here("connections", v.id(), "members"), h.Class("button"), v.say(textNotYet))))), nil
}

// release lets an account go, or plans that only.
func release(v *visit) (answer, error) {
	user, then := v.r.PathValue("user"), asked(v.r.PostForm.Get("then"), "", string(directory.ReleaseKeep), string(directory.ReleaseBlock), string(directory.ReleaseRestore))
	var run directory.Run
	if v.r.PostForm.Get("preview") == "1" {
		if then == "" {
			then = string(directory.ReleaseKeep)
		}
		if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "runs"), map[string]any{"dryRun": true, "userIds": []string{user}, "release": then}, &run); err != nil {
			return nil, err
		}
		return redirect{here("runs", string(run.ID))}, nil
	}
	if _, err := v.call(v.ctx, http.MethodDelete, query(apiPath("connections", v.id(), "bindings", user), "then", then), nil, &run); err != nil {
		return nil, err
	}
	to := here("connections", v.id(), "members")
	if run.ID != "" {
		to = here("runs", string(run.ID))
	}
	return v.done(to, v.lang.say(textReleased)), nil
}

// problemsPage lists what keeps people from being in sync, by cause.
func problemsPage(v *visit) (answer, error) {
	id := v.id()
	cons, list := ask[connection](v, apiPath("connections", id)), ask[causes](v, apiPath("connections", id, "problems"))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	at := here("connections", id)
	return v.ofConnection(&c, "/problems", partly(v, list, func(p causes) g.Node {
		if len(p.Items) == 0 {
			return v.empty(textNoProblems)
		}
		var refs []directory.Ref
		for i := range p.Items {
			refs = append(refs, p.Items[i].some()...)
		}
		known := v.nameThem(refs).get()
		return h.Div(g.Map(p.Items, func(x cause) g.Node {
			some := x.some()
			return h.Section(h.Class("box warn"), h.H2(v.count(countUsers, x.Users), g.Text(" "), v.sentence(x.Message)),
				g.If(len(some) > 0, h.P(dotted(g.Map(some, func(r directory.Ref) g.Node { return v.object(r, known) })), g.If(x.Users > len(some), g.Group([]g.Node{g.Text(" "), v.count(countMoreParts, x.Users-len(some))})))), g.If(x.Next != "", h.P(h.Strong(v.say(textWhatNow)), g.Text(" "), v.sentence(x.Next))),
				g.If(len(x.Holders) > 0, h.P(v.say(textHeldBy), g.Text(" "), data(strings.Join(x.Holders, ", ")))),
				h.P(h.Class("faint"), code(x.Code), g.If(!x.FirstSince.IsZero(), g.Group([]g.Node{g.Text(" "), v.say(textSince), g.Text(" "), v.moment(x.FirstSince)}))),
				h.Div(h.Class("row"), link(below(at, "problems", x.Code), h.Class("button"), v.say(textWhoHasIt)), v.act(scopeWrite, below(at, "problems", x.Code, "retry"), textRetryAll, "")))
		})...)
	}), v.asCall("GET", apiPath("connections", id, "problems"))), nil
}

// fewExamples is how many of those who have a problem are named before its page is opened.
const fewExamples = 3

// some are a few of those who have a problem.
func (x *cause) some() []directory.Ref {
	refs := directory.AccountsOf(x.Examples)
	return append(refs, x.Objects...)[:min(fewExamples, len(refs)+len(x.Objects))]
}

// refOf is the account of a user, or another object.
func refOf(u directory.UserID, object directory.Ref) directory.Ref {
	if u != "" {
		return directory.AccountOf(u)
	}
	return object
}

// affected is somebody who has a problem.
type affected struct {
	UserID  directory.UserID        `json:"userId"`
	Object  directory.Ref           `json:"object"`
	Status  directory.BindingStatus `json:"status"`
	Problem directory.Problem       `json:"problem"`
}

// problemPage lists who has one cause.
func problemPage(v *visit) (answer, error) {
	id, cause := v.id(), v.r.PathValue("code")
	cons := ask[connection](v, apiPath("connections", id))
	list := ask[page[affected]](v, query(apiPath("connections", id, "problems", cause), "limit", "50", "next", v.r.URL.Query().Get("next")))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	who, status, why := column{head: textWho}, column{head: textStatus}, column{head: textWhy}
	at := here("connections", id)
	return v.ofConnection(&c, "/problems", h.H2(code(cause)), v.act(scopeWrite, below(at, "problems", cause, "retry"), textRetryAll, ""),
		partly(v, list, func(p page[affected]) g.Node {
			if len(p.Items) == 0 && p.Next == "" {
				return v.empty(textNobodyHasIt)
			}
			refs := make([]directory.Ref, len(p.Items))
			for i := range p.Items {
				refs[i] = refOf(p.Items[i].UserID, p.Items[i].Object)
			}
			known := v.nameThem(refs).get()
			return h.Div(v.table(textProblems, []column{who, status, why}, g.Map(p.Items, func(a affected) g.Node {
				t, word := bindingWord(a.Status)
				return h.Tr(v.cell(who, v.object(refOf(a.UserID, a.Object), known)), v.cell(status, v.badge(t, word)), v.cell(why, v.trouble(&a.Problem)))
			})), v.pager(p.Next))
		})), nil
}

// retryProblem plans everybody with a cause again.
func retryProblem(v *visit) (answer, error) {
	var out struct {
		Runs []struct {
			ID string `json:"id"`
		} `json:"runs"`
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "problems", v.r.PathValue("code"), "retry"), nil, &out); err != nil {
		return nil, err
	}
	if len(out.Runs) > 0 {
		return redirect{here("runs", out.Runs[0].ID)}, nil
	}
	return redirect{here("connections", v.id(), "runs")}, nil
}

// healthPage shows what the doctor found.
func healthPage(v *visit) (answer, error) {
	id := v.id()
	cons, checked := ask[connection](v, apiPath("connections", id)), ask[health](v, apiPath("connections", id, "health"))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	return v.ofConnection(&c, "/health", v.act(scopeWrite, here("connections", id, "health"), textLookAgain, ""), partly(v, checked, func(x health) g.Node {
		var unread []g.Node
		for _, name := range sortedNames(x.Unread) {
			unread = append(unread, h.Li(code(name), g.Text(" "), v.sentence(x.Unread[name])))
		}
		return h.Div(v.findings(x), g.If(len(unread) > 0, v.box(toneWarn, v.say(textUnread), h.Ul(unread...))))
	}), v.asCall("GET", apiPath("connections", id, "health"))), nil
}

// checkHealth has the doctor come.
func checkHealth(v *visit) (answer, error) {
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "health"), nil, nil); err != nil {
		return nil, err
	}
	return v.done(here("connections", v.id(), "health"), v.lang.say(textDoctorComes)), nil
}
