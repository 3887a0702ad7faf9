package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// cut parts a text at its first space.
func cut(s string) (before, after string, found bool) { return strings.Cut(s, " ") }

// connectionState is a connection's status as a word.
func connectionState(s directory.ConnectionStatus) (tone, text, text) {
	switch s {
	case directory.StatusActive:
		return toneGood, textActive, textActiveMeans
	case directory.StatusNeedsAuthorization:
		return toneBad, textNeedsAuthorization, textNeedsAuthorizationMeans
	case directory.StatusAwaitingConfirmation:
		return toneWarn, textAwaits, textAwaitsMeans
	case directory.StatusDeactivated:
		return tonePlain, textDeactivated, textDeactivatedMeans
	}
	return toneInfo, textPending, textPendingMeans
}

func (v *visit) connectionBadge(c *connection) g.Node {
	t, word, _ := connectionState(c.Status)
	return v.badge(t, word)
}

// tenantOf names a connection's tenant and its main domain.
func tenantOf(c *connection) g.Node {
	t := c.Tenant
	if t == nil && c.Waiting != nil {
		t = &c.Waiting.Tenant
	}
	if t == nil {
		return dash()
	}
	domain := ""
	for _, d := range t.Domains {
		if d.IsDefault || domain == "" {
			domain = d.Name
		}
	}
	return g.Group([]g.Node{data(t.DisplayName), g.If(domain != "", h.Small(data(domain), g.If(len(t.Domains) > 1, g.Text(" +"+itoa(len(t.Domains)-1)))))})
}

// lastRun is what a connection remembers of its newest run.
func (v *visit) lastRun(c *connection) g.Node {
	r := c.LastRun
	if r == nil {
		return v.say(textNever)
	}
	t, word := runState(&directory.Run{State: r.State})
	when := v.ago(r.EndedAt)
	if r.ID != "" {
		when = link(here("runs", string(r.ID)), when)
	}
	return g.Group([]g.Node{v.badge(t, word), g.Text(" "), when})
}

// connectionTable lists connections.
func (v *visit) connectionTable(list []connection) g.Node {
	name, tenant, status := column{head: textName}, column{head: textTenant}, column{head: textStatus}
	mode, bound, last := column{head: textMode}, column{head: textBound, num: true}, column{head: textLastRun}
	var rows []g.Node
	for i := range list {
		c := &list[i]
		rows = append(rows, h.Tr(
			v.cell(name, link(here("connections", string(c.ID)), h.Class("who"), data(c.Name))), v.cell(tenant, tenantOf(c)), v.cell(status, v.connectionBadge(c)),
			v.cell(mode, v.say(modeWord(c.Settings.Mode))), v.cell(bound, v.number(c.BoundCount)), v.cell(last, v.lastRun(c))))
	}
	return v.table(textConnections, []column{name, tenant, status, mode, bound, last}, rows)
}

func modeWord(m directory.Mode) text {
	if m == directory.ModeApprove {
		return textModeApprove
	}
	return textModeAutomatic
}

func connectionsPage(v *visit) (answer, error) {
	var list page[connection]
	if _, err := v.call(v.ctx, http.MethodGet, query("/v1/connections", "limit", "50", "next", v.r.URL.Query().Get("next")), nil, &list); err != nil {
		return nil, err
	}
	body := []g.Node{v.connectionTable(list.Items), v.pager(list.Next)}
	if len(list.Items) == 0 {
		body = []g.Node{v.empty(textNoConnections, h.P(v.linkButton(scopeAdmin, "/console/connections/new", textAddConnection, "primary")))}
	}
	return view{title: v.lang.say(textConnections), section: "/console/connections", head: []g.Node{v.linkButton(scopeAdmin, "/console/connections/new", textAddConnection, "")}, body: append(body, v.asCall("GET", "/v1/connections"))}, nil
}

// connectionTabs are the pages of one connection.
func (v *visit) connectionTabs(c *connection, now string) g.Node {
	at := here("connections", string(c.ID))
	var items []g.Node
	for _, tab := range connectionTabs {
		items = append(items, h.Li(link(at+tab.to, g.If(tab.to == now, h.Aria("current", "page")), v.say(tab.name))))
	}
	return h.Nav(h.Class("tabs"), v.label(textTabs), h.Ul(items...))
}

// connectionTabs are the pages of a connection, by the ends of their addresses.
var connectionTabs = []struct {
	to   string
	name text
}{{"", textOverview}, {"/accounts", textAccounts}, {"/members", textMembers}, {"/groups", textGroups}, {"/licences", textLicences}, {"/runs", textRuns}, {"/problems", textProblems}, {"/settings", textSettings}, {"/protection", textProtection}, {"/health", textHealth}, {"/audit", textAudit}, {"/end", textEnd}}

// needPermissions are the pages on which permissions that are lacking matter.
var needPermissions = []string{"", "/groups", "/licences", "/settings", "/health", "/audit"}

// ofConnection are the title and the pages above of a page of one connection.
func (v *visit) ofConnection(c *connection, tab string, body ...g.Node) view {
	title, crumbs := c.Name, []crumb{{"/console/connections", v.say(textConnections)}}
	for _, t := range connectionTabs {
		if t.to == tab && tab != "" {
			title = v.lang.say(textOfConnection, c.Name, v.lang.say(t.name))
			crumbs = append(crumbs, crumb{here("connections", string(c.ID)), data(c.Name)})
		}
	}
	return view{title: title, section: "/console/connections", crumbs: crumbs,
		head: []g.Node{v.connectionBadge(c)}, body: append([]g.Node{v.connectionTabs(c, tab), g.If(slices.Contains(needPermissions, tab), v.lackingBox(c))}, body...)}
}

// recentRuns is how many runs the overview shows, among so many it looks for a held one:
// plans may have been made since.
const (
	recentRuns     = 5
	recentRunsRead = "50"
)

// connectionPage is the overview of a connection.
func connectionPage(v *visit) (answer, error) {
	id := v.id()
	cons := ask[connection](v, apiPath("connections", id))
	runs := ask[page[directory.Run]](v, query(apiPath("connections", id, "runs"), "limit", recentRunsRead))
	problems := ask[causes](v, apiPath("connections", id, "problems"))
	checked := ask[health](v, apiPath("connections", id, "health"))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	_, _, means := connectionState(c.Status)
	held, poll := g.Node(nil), 0
	recent := partly(v, runs, func(p page[directory.Run]) g.Node {
		for i := range p.Items {
			if c.Status != directory.StatusDeactivated && p.Items[i].State == directory.RunHeld { // of an ended one nothing is decided
				held = v.heldBanner(&p.Items[i])
				break
			}
		}
		for i := range p.Items {
			poll = max(poll, pollOf(&p.Items[i]))
			if c.LastRun != nil && p.Items[i].ID == c.LastRun.ID { // which says how it was when it was noted
				c.LastRun.State = p.Items[i].State
			}
		}
		if len(p.Items) == 0 {
			return v.empty(textNoRuns)
		}
		return h.Div(v.runTable(p.Items[:min(len(p.Items), recentRuns)]), h.P(link(here("connections", id, "runs"), v.say(textAllRuns))))
	})
	page := v.ofConnection(&c, "",
		h.Section(h.Class("status"), h.P(h.Class("first"), v.say(means)), g.If(c.Status == directory.StatusActive && c.Settings.Mode == directory.ModeApprove, h.P(v.say(textWritesNothingUnapproved))), g.Iff(c.Deactivation != nil, func() g.Node {
			return v.byWhom(textDeactivatedBy, c.Deactivation.By, c.Deactivation.At, c.Deactivation.Reason)
		}), g.Iff(c.Trouble != nil, func() g.Node { return v.trouble(c.Trouble) }),
			facts(
				v.fact(textTenant, tenantOf(&c)),
				g.Iff(c.AuthorizedBy != nil, func() g.Node { return v.fact(textAuthorizedBy, data(c.AuthorizedBy.UserPrincipalName)) }),
				v.fact(textMode, v.say(modeWord(c.Settings.Mode))), v.fact(textBound, v.number(c.BoundCount)), v.fact(textLastRun, v.lastRun(&c)),
				v.fact(textEvery, g.Text(v.lang.length(timeOf(c.Settings.Defaulted().Interval)))), v.nextRun(&c),
				g.If(c.SettingsBy != "", v.fact(textSettingsBy, data(c.SettingsBy))), g.Iff(c.Confirmation != nil, func() g.Node {
					return v.fact(textConfirmedBy, data(c.Confirmation.By), h.Small(v.ago(c.Confirmation.At)))
				}),
			),
			g.If(!needsSignIn(c.Status), h.Div(h.Class("row"),
				g.If(c.Status == directory.StatusActive, g.Group([]g.Node{
					v.act(scopeWrite, here("connections", id, "sync"), textSyncNow, "primary"),
					v.act(scopeWrite, here("connections", id, "sync"), textPlanNow, "", hidden("dry", "1"))})),
				v.authorizeAgain(&c, "")))),
		v.nextStep(&c), v.proposalBoxes(&c), held, v.domainBox(&c),
		h.Section(h.H2(v.say(textLatestRuns)), recent),
		h.Section(h.H2(v.say(textProblems)), partly(v, problems, func(x causes) g.Node { return h.Div(v.statusChips(&c, x), v.causeList(x)) })),
		h.Section(h.H2(v.say(textHealth)), partly(v, checked, v.findings)),
		v.asCall("GET", apiPath("connections", id)))
	if v.keptLink(&c) != "" {
		poll = max(poll, 3000) // until somebody has signed in
	}
	page.poll = poll
	return page, nil
}

// byWhom says who did something, when, and why if they said so.
func (v *visit) byWhom(what text, by string, at time.Time, reason string) g.Node {
	return h.P(v.say(what), g.Text(" "), data(by), g.Text(" · "), v.moment(at), g.If(reason != "", g.Group([]g.Node{g.Text(" · "), data(reason)})))
}

// nextRun is when the schedule makes the next run at the latest; an edit makes one sooner.
func (v *visit) nextRun(c *connection) g.Node {
	if c.Status != directory.StatusActive || c.LastRun == nil || c.LastRun.EndedAt.IsZero() {
		return nil
	}
	return v.fact(textNextRun, v.moment(c.LastRun.EndedAt.Add(timeOf(c.Settings.Defaulted().Interval))))
}

// statusChips are how many members of a connection stand where, of those who have a problem.
func (v *visit) statusChips(c *connection, x causes) g.Node {
	sums := map[string]int{}
	for _, cause := range x.Items {
		for status, n := range cause.Statuses {
			sums[string(status)] += n
		}
	}
	if len(sums) == 0 {
		return nil
	}
	return h.Ul(h.Class("chips"), v.label(textMembers), g.Group(g.Map(sortedNames(sums), func(status string) g.Node {
		t, word := bindingWord(directory.BindingStatus(status))
		return h.Li(link(query(here("connections", string(c.ID), "members"), "status", status), h.Class("chip "+string(t)), h.Strong(v.number(sums[status])), g.Text(" "), v.say(word)))
	})))
}

// domainBox offers the domains that a tenant has verified since it was authorised, and tells
// those that it has lost.
func (v *visit) domainBox(c *connection) g.Node {
	if c.Tenant == nil {
		return nil
	}
	at := here("connections", string(c.ID), "domains")
	var items []g.Node
	for _, d := range c.Tenant.Offered {
		items = append(items, h.Div(h.Class("row"), h.Strong(data(d.Name)), v.say(textDomainOffered), v.act(scopeApprove, at, textClaimDomain, "small", hidden("claim", d.Name))))
	}
	for _, d := range c.Tenant.Domains {
		if !d.LostSince.IsZero() {
			items = append(items, h.Div(h.Class("row"), h.Strong(data(d.Name)), v.say(textDomainLost), v.ago(d.LostSince), v.act(scopeApprove, at, textGiveUpDomain, "small", hidden("release", d.Name))))
		}
	}
	if len(items) == 0 {
		return nil
	}
	return v.box(toneWarn, v.say(textDomains), h.P(h.Class("faint"), v.say(textDomainsMean)), g.Group(items))
}

// editDomains claims a domain for a connection, or gives one up that the tenant has lost.
func editDomains(v *visit) (answer, error) {
	f, path := v.r.PostForm, apiPath("connections", v.id(), "domains")
	var err error
	if d := f.Get("release"); d != "" {
		_, err = v.call(v.ctx, http.MethodDelete, apiPath("connections", v.id(), "domains", d), nil, nil)
	} else {
		_, err = v.call(v.ctx, http.MethodPost, path, map[string][]string{"domains": {f.Get("claim")}}, nil)
	}
	if err != nil {
		return nil, err
	}
	return v.done(here("connections", v.id()), v.lang.say(textSavedDomains)), nil
}

// heldBanner leads to a run that waits for a decision.
func (v *visit) heldBanner(r *directory.Run) g.Node {
	return h.Section(h.Class("box warn"), h.H2(v.say(textRunWaits)), h.P(g.Text(v.inWords(r.Counts)+"."), g.Text(" "), v.ago(r.StartedAt)),
		h.P(link(here("runs", string(r.ID)), h.Class("button primary"), v.say(textLook))))
}

// lackingBox says which permissions Microsoft was not asked for, or did not give, and asks
// for them.
func (v *visit) lackingBox(c *connection) g.Node {
	if len(c.Lacking) == 0 {
		return nil
	}
	return v.box(toneWarn, v.say(textLacking), h.Ul(g.Map(c.Lacking, func(p directory.Permission) g.Node {
		return h.Li(code(p.Scope), g.Text(" "), v.sentence(p.For))
	})), h.P(v.say(textLackingHow)), v.authorizeAgain(c, "primary"))
}

// causeList are the problems of a connection by cause.
func (v *visit) causeList(list causes) g.Node {
	if len(list.Items) == 0 {
		return v.empty(textNoProblems)
	}
	return h.Ul(h.Class("bare"), g.Map(list.Items, func(p cause) g.Node {
		return h.Li(h.Class("line"), h.Strong(v.count(countUsers, p.Users)), g.Text(" "), v.sentence(p.Message), g.Text(" "), code(p.Code),
			g.If(p.Next != "", h.P(v.sentence(p.Next))), g.If(!p.FirstSince.IsZero(), h.P(h.Class("faint"), v.say(textSince), g.Text(" "), v.moment(p.FirstSince))))
	}), g.If(list.More, h.Li(h.Class("faint"), v.say(textAndMore))))
}

// severityTone is how grave the doctor thinks a finding is.
func severityTone(s string) (tone, text) {
	switch s {
	case "critical":
		return toneBad, textCritical
	case "warning":
		return toneWarn, textWarning
	}
	return toneInfo, textNote
}

// findings are what the doctor found.
func (v *visit) findings(x health) g.Node {
	if x.CheckedAt == nil {
		return v.empty(textNotChecked)
	}
	head := h.P(h.Class("faint"), v.say(textChecked), g.Text(" "), v.ago(*x.CheckedAt))
	if len(x.Findings) == 0 && x.Healthy != nil && *x.Healthy {
		return h.Div(head, v.empty(textHealthy))
	}
	return h.Div(head, v.findingList(x.Findings), g.If(x.Healthy == nil, h.P(v.say(textNotAllRead))))
}

// findingList lists findings, each with what follows and what to do.
func (v *visit) findingList(list []finding) g.Node {
	return h.Ul(h.Class("bare"), g.Group(g.Map(list, func(f finding) g.Node {
		t, word := severityTone(f.Severity)
		if s, ours := v.inOurWords(findingForm{f.Code, f.Variant}, f.Values, f.Subject); ours {
			return h.Li(h.Class("line"), v.badge(t, word), g.Text(" "), s.found, h.P(s.follows), h.P(h.Strong(v.say(textWhatNow)), g.Text(" "), s.next))
		}
		return h.Li(h.Class("line"), v.badge(t, word), g.Text(" "), g.If(f.Subject != "", h.Strong(data(f.Subject), g.Text(" "))), v.sentence(f.Evidence),
			h.P(v.sentence(f.Consequence)), g.If(f.Next != "", h.P(h.Strong(v.say(textWhatNow)), g.Text(" "), v.sentence(f.Next))))
	})))
}

// runTable lists runs, newest first.
func (v *visit) runTable(list []directory.Run) g.Node {
	when, what, by, state := column{head: textWhen}, column{head: textWhat}, column{head: textTrigger}, column{head: textStatus}
	counts := column{head: textChanges}
	var rows []g.Node
	for i := range list {
		r := &list[i]
		sum := g.Node(h.Span(h.Class("faint"), v.say(textNothingToWrite)))
		if total(r.Counts) > 0 {
			sum = g.Text(v.inWords(r.Counts))
			if r.State.Ended() && !r.DryRun && r.Applied != total(r.Counts) { // they are what was planned
				sum = g.Group([]g.Node{sum, h.Small(v.say(textWrittenOf, v.lang.number(r.Applied), v.lang.number(total(r.Counts))))})
			}
		}
		rows = append(rows, h.Tr(v.cell(when, link(here("runs", string(r.ID)), h.Class("who"), v.ago(r.StartedAt))), v.cell(what, v.say(runKind(r))),
			v.cell(by, v.trigger(r)), v.cell(state, v.runBadge(r)), v.cell(counts, sum)))
	}
	return v.table(textRuns, []column{when, what, by, state, counts}, rows)
}

// runKind is what a run is, in a word.
func runKind(r *directory.Run) text {
	switch {
	case r.Kind == directory.KindUndo && r.DryRun:
		return textKindUndoPlan
	case r.DryRun:
		return textKindPlan
	case r.Kind == directory.KindUndo:
		return textKindUndo
	case r.Kind == directory.KindRelease:
		return textKindRelease
	}
	return textKindSync
}

func runsPage(v *visit) (answer, error) {
	id := v.id()
	cons := ask[connection](v, apiPath("connections", id))
	at := query(apiPath("connections", id, "runs"), "limit", "50", "next", v.r.URL.Query().Get("next"))
	runs := ask[page[directory.Run]](v, at)
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	list, err := runs.get()
	if err != nil {
		return nil, err
	}
	body := []g.Node{v.runTable(list.Items), v.pager(list.Next)}
	if len(list.Items) == 0 {
		body = []g.Node{v.empty(textNoRuns)}
	}
	return v.ofConnection(&c, "/runs", append(body, v.asCall("GET", apiPath("connections", id, "runs")))...), nil
}

// newRun is the body of a run.
type newRun struct {
	DryRun bool `json:"dryRun,omitempty"`
	Full   bool `json:"full,omitempty"`
	// UserIDs and Objects are whom and what alone it is about.
	UserIDs []directory.UserID `json:"userIds,omitempty"`
	Objects []directory.Ref    `json:"objects,omitempty"`
}

// syncNow starts a run, or a plan.
func syncNow(v *visit) (answer, error) {
	body := newRun{DryRun: v.r.PostForm.Get("dry") == "1"}
	body.Full = body.DryRun
	body.UserIDs, body.Objects = formRefs(v.r.PostForm)
	var run directory.Run
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "runs"), body, &run); err != nil {
		return nil, err
	}
	return redirect{here("runs", string(run.ID))}, nil
}
