package console

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// What home shows at once: so many connections, what needs somebody at so many, and so many
// things of each urgency. Who wants all of one urgency has them on a page of their own, of
// fewer connections at a time.
const (
	homeShows   = "20"
	homeAsks    = "100"
	homeItems   = 12
	urgencyAsks = "25"
)

// timeOf is a duration of the settings.
func timeOf(d directory.Duration) time.Duration { return time.Duration(d) }

// dayOf is what was done on one day through one connection.
type dayOf struct {
	day
	ConnectionID directory.ConnectionID `json:"connectionId"`
}

// homeView is what home shows, as /v1 answers.
type homeView struct {
	Connections page[connection]
	Needs       attention
	Days        []dayOf
	// Late: what needs somebody was not told; DaysLate: what was written was not.
	Late, DaysLate bool

	bound int // of the connections
}

// tag is the ETag of what /v1 has answered: not of the page, on which how long ago things
// were changes by itself, in the browser.
func (x *homeView) tag() string {
	data, err := json.Marshal(x)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
}

// homePage is an inbox: what needs a decision, what is broken, what will break; and the
// connections, with what was written these thirty days.
func homePage(v *visit) (answer, error) {
	next := v.r.URL.Query().Get("next")
	if only := asked(v.r.URL.Query().Get("urgency"), "", urgencyDecide, urgencyBroken, urgencySoon, urgencyWaiting); only != "" {
		return v.urgencyPage(only, next)
	}
	acts := v.c.marks.asking()
	needs := ask[attention](v, query("/v1/attention", "limit", homeAsks, "next", next))
	cons := ask[page[connection]](v, query("/v1/connections", "limit", homeShows))
	days := ask[page[dayOf]](v, query("/v1/activity/summary", "by", "connection"))
	var x homeView
	var err error
	if x.Connections, err = cons.get(); err != nil {
		return nil, err
	}
	v.mark = nil // the page says more
	if x.Needs, err = needs.get(); err != nil {
		x.Late = true
	} else if next == "" {
		v.c.marks.keep(v.s.row(), x.Needs.mark(v.now()), acts)
	}
	sums, err := days.get()
	x.Days, x.DaysLate = sums.Items, err != nil
	for i := range x.Connections.Items {
		x.bound += x.Connections.Items[i].BoundCount
	}
	list := x.Connections.Items
	body := []g.Node{v.firstSteps(list, x.bound)}
	switch {
	case x.Late:
		body = append(body, h.P(h.Class("late"), v.say(textLate), g.Text(" "), link(v.address(), v.say(textTryAgain))))
	case len(x.Needs.Items) > 0:
		body = append(body, v.inboxes(&x))
	case x.bound > 0 || next != "":
		body = append(body, v.quiet(&x))
	}
	if x.Needs.Next != "" {
		body = append(body, h.P(v.count(countLookedAt, x.Needs.Connections), g.Text(" "), link(v.with("next", x.Needs.Next), v.say(textNextConnections))))
	}
	if len(list) > 0 {
		body = append(body, h.Section(h.H2(v.say(textConnections)), v.homeTable(&x), g.If(x.Connections.Next != "", h.P(link("/console/connections", v.say(textSeeAll))))))
	}
	title, poll := v.lang.say(textHome), 30_000
	switch n := x.Needs.Counts[urgencyDecide]; {
	case len(list) == 0:
		title, poll = v.lang.say(textWelcome), 0
	case n > 0:
		title = v.lang.count(countNeedYou, n)
	}
	return view{title: title, section: "/console", poll: poll, tag: v.pageTag(x.tag()), body: body}, nil
}

// quiet says that nothing waits, by when, and how many are bound. It does not say that they
// are in sync: of a run that is done changes may have been declined, and a binding may be
// paused, or not be written to; /v1 has no count of those that are as they should be.
func (v *visit) quiet(x *homeView) g.Node {
	var last time.Time
	for i := range x.Connections.Items {
		c := &x.Connections.Items[i]
		if c.LastRun == nil {
			continue
		}
		if c.LastRun.EndedAt.After(last) {
			last = c.LastRun.EndedAt
		}
	}
	more := []g.Node{h.Strong(v.say(textNothingNeedsYou))}
	if !last.IsZero() {
		more = append(more, g.Text(" "), v.say(textLastRun), g.Text(" "), v.ago(last), g.Text("."))
	}
	if x.bound > 0 && x.Connections.Next == "" {
		more = append(more, g.Text(" "), v.count(countAllBound, x.bound))
	}
	return h.Div(h.Class("empty good"), h.P(more...))
}

// inboxes are what needs somebody, the most urgent first.
func (v *visit) inboxes(x *homeView) g.Node {
	by := map[string][]g.Node{}
	items := slices.Clone(x.Needs.Items)
	// Somebody who has left, and may still sign in, is the worst that can be broken.
	slices.SortStableFunc(items, func(a, b needed) int {
		leaver := func(n needed) int {
			if n.Code == directory.CodePausedLeaver {
				return 0
			}
			return 1
		}
		return cmp.Compare(leaver(a), leaver(b))
	})
	for i := range items {
		by[items[i].Urgency] = append(by[items[i].Urgency], v.needed(&items[i], x.Connections.Items))
	}
	parts := []g.Node{v.inbox(urgencyDecide, textNothingToDecide, by[urgencyDecide]), v.inbox(urgencyBroken, textNothingBroken, by[urgencyBroken]), v.inbox(urgencySoon, text{}, by[urgencySoon])}
	if waiting := by[urgencyWaiting]; len(waiting) > 0 {
		parts = append(parts, h.Details(h.Class("waiting"), h.Summary(v.count(countWaiting, len(waiting))), v.fewOf(urgencyWaiting, waiting)))
	}
	return g.Group(parts)
}

// urgencyWord is what a part of home is called.
func urgencyWord(urgency string) text {
	switch urgency {
	case urgencyDecide:
		return textDecide
	case urgencyBroken:
		return textBroken
	case urgencySoon:
		return textWillBreak
	}
	return textPasses
}

// inbox is one part of home; an empty one without a text is left out.
func (v *visit) inbox(urgency string, none text, items []g.Node) g.Node {
	title := h.H2(v.say(urgencyWord(urgency)))
	if len(items) == 0 {
		if none[v.lang] == "" {
			return nil
		}
		return h.Section(title, h.P(h.Class("faint"), v.say(none)))
	}
	return h.Section(title, v.fewOf(urgency, items))
}

// fewOf are the first things of an urgency, with the way to all of them.
func (v *visit) fewOf(urgency string, items []g.Node) g.Node {
	few := h.Ul(h.Class("inbox"), g.Group(items[:min(len(items), homeItems)]))
	if len(items) <= homeItems {
		return few
	}
	return g.Group([]g.Node{few, h.P(v.count(countMoreChanges, len(items)-homeItems), g.Text(" "), link(query("/console", "urgency", urgency), v.say(textSeeAll)))})
}

// urgencyPage is all that needs somebody in one way.
func (v *visit) urgencyPage(urgency, next string) (answer, error) {
	var needs attention
	if _, err := v.call(v.ctx, http.MethodGet, query("/v1/attention", "urgency", urgency, "limit", urgencyAsks, "next", next), nil, &needs); err != nil {
		return nil, err
	}
	body := []g.Node{v.empty(textNothingNeedsYou)}
	if len(needs.Items) > 0 {
		body = []g.Node{h.Ul(h.Class("inbox"), g.Map(needs.Items, func(n needed) g.Node { return v.needed(&n, nil) }))}
	}
	return view{title: v.lang.say(urgencyWord(urgency)), section: "/console", crumbs: []crumb{{"/console", v.say(textHome)}}, body: append(body, v.pager(needs.Next))}, nil
}

// heldBecause says in one sentence why a run is held: the limit that it exceeds, before what
// holds every run. said is the API's sentence, where there is no word of ours.
func (v *visit) heldBecause(held *directory.Held, said g.Node) g.Node {
	switch {
	case held == nil:
	case len(held.Limits) > 0:
		return v.exceeded(held.Limits[0])
	case len(held.Facts) > 0:
		return v.heldFact(held.Facts[0])
	}
	return said
}

// pushers names the clients whose pushes a held run comes from, beside why it is held.
func (v *visit) pushers(held *directory.Held) g.Node {
	if held == nil {
		return nil
	}
	var list []g.Node
	for i, f := range held.Facts {
		if f.Code == directory.HeldPushed && (i > 0 || len(held.Limits) > 0) { // else it is said already
			list = append(list, h.P(v.heldFact(f)))
		}
	}
	return g.Group(list)
}

// needed is one thing of the inbox: which connection, what, since when, and where to look.
func (v *visit) needed(n *needed, list []connection) g.Node {
	at, name := here("connections", string(n.ConnectionID)), cmp.Or(n.ConnectionName, n.ScimClientName)
	to, t := at, toneWarn
	switch n.Urgency {
	case urgencyBroken:
		t = toneBad
	case urgencyWaiting:
		t = tonePlain
	}
	said := v.sentence(capital(n.Message))
	what := []g.Node{h.P(said)}
	switch n.Kind {
	case "held-run":
		to = here("runs", string(n.RunID))
		what = []g.Node{h.P(h.Strong(g.Text(v.inWords(n.Counts) + "."))), h.P(v.heldBecause(n.Held, said)), v.pushers(n.Held)}
	case "confirmation":
		what = []g.Node{h.P(h.Strong(v.say(textToConfirm))), h.P(v.whoSignedIn(n, list))}
	case "proposal":
		what = []g.Node{h.P(h.Strong(v.say(textProposal))), h.P(said)}
	case directory.CodeNeedsAuthorization:
		what = []g.Node{h.P(h.Strong(v.say(textNeedsAuthorizationMeans)))}
	case "run-failed":
		to = here("runs", string(n.RunID))
		what = []g.Node{h.P(h.Strong(v.say(textRunFailed)))}
	case "problem":
		to = below(at, "problems", n.Code)
		affected := countAffected
		if n.More {
			affected = countMoreAffected
		}
		what = []g.Node{h.P(h.Strong(v.count(affected, n.Count)), g.Text(" "), said), g.If(n.Next != "", h.P(v.sentence(n.Next)))}
	case "finding":
		to = at + "/health"
		if n.ScimClientID != "" {
			to = here("sources", string(n.ScimClientID))
		}
		if s, ours := v.inOurWords(findingForm{n.Code, n.Variant}, n.Values, n.Subject); ours {
			what = []g.Node{h.P(s.found, g.Text(" "), s.follows), h.P(s.next)}
			break
		}
		what = []g.Node{h.P(g.If(n.Subject != "", h.Strong(data(n.Subject), g.Text(" "))), said), g.If(n.Next != "", h.P(v.sentence(n.Next)))}
	case "lacking-permission":
		what = []g.Node{h.P(h.Strong(v.say(textLacking)), g.Text(" "), code(n.Subject)), h.P(said)}
	}
	when := []g.Node{}
	if n.Code != "" {
		when = append(when, code(n.Code))
	}
	if !n.Since.IsZero() {
		when = append(when, v.ago(n.Since))
	}
	if n.AskedBy != "" {
		when = append(when, g.Group([]g.Node{v.say(textAskedBy), g.Text(" "), data(n.AskedBy)}))
	}
	if !n.Until.IsZero() {
		ends := textUntil
		if n.Kind == "confirmation" {
			ends = textDeletedAt
		}
		when = append(when, g.Group([]g.Node{v.say(ends), g.Text(" "), v.moment(n.Until)}))
	}
	return h.Li(h.Class("item "+string(t)),
		h.Div(h.P(h.Class("of"), data(name)), g.Group(what), g.If(len(when) > 0, h.P(h.Class("faint"), dotted(when)))),
		link(to, h.Class("button"), v.say(textLook), h.Span(h.Class("unseen"), g.Text(" "), data(name))))
}

// dotted puts dots between things.
func dotted(list []g.Node) g.Node {
	var all []g.Node
	for i, n := range list {
		if i > 0 {
			all = append(all, g.Text(" · "))
		}
		all = append(all, n)
	}
	return g.Group(all)
}

// whoSignedIn names the tenant and the account that wait to be confirmed.
func (v *visit) whoSignedIn(n *needed, list []connection) g.Node {
	for i := range list {
		if w := list[i].Waiting; list[i].ID == n.ConnectionID && w != nil {
			return g.Group([]g.Node{data(w.Tenant.DisplayName), g.Text(" · "), data(w.AuthorizedBy.UserPrincipalName)})
		}
	}
	return data(n.Subject)
}

// homeTable lists connections as they stand: status, how many are bound, how many have a
// problem, the last run, and what was written these thirty days.
func (v *visit) homeTable(x *homeView) g.Node {
	name, status, bound := column{head: textName}, column{head: textStatus}, column{head: textBound, num: true}
	problems, last, month := column{head: textProblems}, column{head: textLastRun}, column{head: textThirtyDays}
	affected, more := map[directory.ConnectionID]int{}, map[directory.ConnectionID]bool{}
	for i := range x.Needs.Items {
		if n := &x.Needs.Items[i]; n.Kind == "problem" {
			affected[n.ConnectionID] += n.Count
			more[n.ConnectionID] = more[n.ConnectionID] || n.More
		}
	}
	written := map[directory.ConnectionID][]day{}
	for _, d := range x.Days {
		written[d.ConnectionID] = append(written[d.ConnectionID], d.day)
	}
	var rows []g.Node
	for i := range x.Connections.Items {
		c := &x.Connections.Items[i]
		at := here("connections", string(c.ID))
		having := g.Node(dash())
		switch n := affected[c.ID]; {
		case x.Late || c.BoundCount == 0:
		case n == 0:
			having = v.say(textNoneAffected)
		case more[c.ID]:
			having = link(at+"/problems", v.count(countMoreHave, n))
		default:
			having = link(at+"/problems", v.number(n))
		}
		chart := g.Node(dash())
		if !x.DaysLate {
			chart = v.sparkline(written[c.ID])
		}
		rows = append(rows, h.Tr(
			v.cell(name, link(at, h.Class("who"), data(c.Name))), v.cell(status, v.connectionBadge(c)), v.cell(bound, v.number(c.BoundCount)),
			v.cell(problems, having), v.cell(last, v.lastRun(c)), v.cell(month, chart)))
	}
	return v.table(textConnections, []column{name, status, bound, problems, last, month}, rows)
}

// The size of a sparkline, in units of its own: so many days, each so wide.
const (
	sparkDays   = 30
	sparkWide   = 4
	sparkHeight = 24
)

// sparkline draws what was written and what failed on each of the last days, today at the
// right; its name says both as numbers.
func (v *visit) sparkline(days []day) g.Node {
	at := map[string]day{}
	for _, d := range days {
		at[d.Day] = d
	}
	most, written, failed := 0, 0, 0
	var all [sparkDays][2]int
	for i := range all {
		d := at[v.now().UTC().AddDate(0, 0, i-sparkDays+1).Format(time.DateOnly)]
		w, f := d.sums()
		all[i] = [2]int{w, f}
		written, failed, most = written+w, failed+f, max(most, w+f)
	}
	if most == 0 {
		return h.Span(h.Class("faint"), v.say(textNothingWritten))
	}
	var good, bad strings.Builder
	bar := func(to *strings.Builder, i, from, high int) {
		if high > 0 {
			to.WriteString("M" + strconv.Itoa(i*sparkWide) + " " + strconv.Itoa(sparkHeight-from) + "v-" + strconv.Itoa(high) + "h3v" + strconv.Itoa(high))
		}
	}
	for i, d := range all {
		high := func(n int) int {
			if n == 0 {
				return 0
			}
			return max(1, n*sparkHeight/most)
		}
		w, f := high(d[0]), high(d[1])
		w = min(w, sparkHeight-f)
		bar(&good, i, 0, w)
		bar(&bad, i, w, f)
	}
	path := func(class, d string) g.Node {
		if d == "" {
			return nil
		}
		return g.El("path", h.Class(class), g.Attr("d", d))
	}
	return g.Group([]g.Node{
		h.SVG(h.Class("spark"), h.Role("img"), v.label(textSpark, v.lang.number(written), v.lang.number(failed)), g.Attr("viewBox", "0 0 "+strconv.Itoa(sparkDays*sparkWide)+" "+strconv.Itoa(sparkHeight)),
			path("written", good.String()), path("failed", bad.String())),
		h.Small(v.count(countWrittenShort, written))})
}

// firstSteps leads from nothing to the first plan: each step with how far it is. They are
// shown until somebody is bound.
func (v *visit) firstSteps(list []connection, bound int) g.Node {
	if bound > 0 {
		return nil
	}
	active, asked, imported := (*connection)(nil), (*connection)(nil), false
	for i := range list {
		switch c := &list[i]; c.Status {
		case directory.StatusActive, directory.StatusNeedsAuthorization:
			if active == nil {
				active = c
			}
		case directory.StatusPending, directory.StatusAwaitingConfirmation:
			if asked == nil {
				asked = c
			}
		}
	}
	if len(list) > 0 && active == nil && asked == nil {
		return nil // all were ended
	}
	if active != nil {
		users, err := ask[struct {
			Users int `json:"users"`
		}](v, "/v1/users:count").get()
		imported = err == nil && users.Users > 0
	}
	step := func(title, more text, done, now bool, act g.Node) g.Node {
		t, word := tonePlain, textStepLater
		switch {
		case done:
			t, word = toneGood, textStepDone
		case now:
			t, word = toneInfo, textStepNow
		}
		return h.Li(h.H2(v.say(title), g.Text(" "), v.badge(t, word)), h.P(v.say(more)), g.If(now && !done, act))
	}
	connect, bring, bind := v.linkButton(scopeAdmin, "/console/connections/new", textAddConnection, "primary"), g.Node(nil), g.Node(nil)
	if asked != nil {
		connect = link(here("connections", string(asked.ID)), h.Class("button primary"), v.say(textGoOn))
	}
	if active != nil {
		at := here("connections", string(active.ID))
		bring = link(at+"/accounts", h.Class("button primary"), v.say(textStepImport))
		bind = v.linkButton(scopeWrite, at+"/bind", textBindUsers, "primary")
	}
	return g.Group([]g.Node{
		g.If(len(list) == 0, h.P(h.Class("lead"), v.say(textWelcomeMore))),
		h.Ol(h.Class("first-steps"),
			step(textStepConnect, textStepConnectMore, active != nil, active == nil, connect),
			step(textStepImport, textStepImportMore, imported, active != nil, bring),
			step(textStepBind, textStepBindMore, false, imported, bind))})
}
