package console

import (
	"net/http"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// mostLookedInto is how many connections home looks into; of the others it shows the
// status.
const mostLookedInto = 20

// timeOf is a duration of the settings.
func timeOf(d directory.Duration) time.Duration { return time.Duration(d) }

// looked is what home reads of one connection.
type looked struct {
	con      connection
	runs     later[page[directory.Run]]
	problems later[causes]
	health   later[health]
}

// homePage is an inbox: what needs a decision, what is broken, what will break.
func homePage(v *visit) (answer, error) {
	var list page[connection]
	if _, err := v.call(v.ctx, http.MethodGet, "/v1/connections?limit=100", nil, &list); err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return v.firstSteps(), nil
	}
	var asks []looked
	for i := range list.Items[:min(len(list.Items), mostLookedInto)] {
		c := list.Items[i]
		id := string(c.ID)
		asks = append(asks, looked{c, ask[page[directory.Run]](v, query(apiPath("connections", id, "runs"), "limit", recentRuns)),
			ask[causes](v, apiPath("connections", id, "problems")), ask[health](v, apiPath("connections", id, "health"))})
	}
	var decide, broken, soon []g.Node
	bound, poll := 0, 0
	for i := range list.Items {
		c := &list.Items[i]
		bound += c.BoundCount
		decide = append(decide, v.toConfirm(c)...)
		for range c.Proposals {
			decide = append(decide, v.item(toneWarn, here("connections", string(c.ID)), c, h.P(h.Strong(v.say(textProposal)))))
		}
		if c.Status == directory.StatusNeedsAuthorization {
			broken = append(broken, v.item(toneBad, here("connections", string(c.ID)), c, v.say(textNeedsAuthorizationMeans)))
		}
	}
	for i := range asks {
		a := &asks[i]
		runs, err := a.runs.get()
		if err != nil {
			broken = append(broken, v.item(toneWarn, here("connections", string(a.con.ID)), &a.con, v.say(textLate)))
		}
		for j := range runs.Items {
			r := &runs.Items[j]
			poll = max(poll, pollOf(r)*5)
			switch r.State {
			case directory.RunHeld:
				decide = append(decide, v.heldItem(&a.con, r))
			case directory.RunFailed:
				if j == 0 { // a later one has mended it
					broken = append(broken, v.item(toneBad, here("runs", string(r.ID)), &a.con, v.say(textRunFailed), g.Text(" "), v.ago(r.StartedAt)))
				}
			}
		}
		broken = append(broken, v.brokenOf(a)...)
		soon = append(soon, v.soonOf(a)...)
	}
	inbox := g.Node(v.empty(textNothingNeedsYou, h.P(v.count(countInCare, bound))))
	if len(decide)+len(broken)+len(soon) > 0 {
		inbox = g.Group([]g.Node{v.inbox(textDecide, textNothingToDecide, decide), v.inbox(textBroken, textNothingBroken, broken), v.inbox(textWillBreak, text{}, soon)})
	}
	title := v.lang.say(textHome)
	if n := len(decide); n > 0 {
		title = v.lang.count(countNeedYou, n)
	}
	return view{title: title, section: "/console", poll: max(poll, 30_000), body: []g.Node{inbox,
		h.Section(h.H2(v.say(textConnections)), v.connectionTable(list.Items), g.If(list.Next != "", h.P(link("/console/connections", v.say(textSeeAll)))))}}, nil
}

// inbox is one part of home; an empty one without a text is left out.
func (v *visit) inbox(title, none text, items []g.Node) g.Node {
	if len(items) == 0 {
		if none[v.lang] == "" {
			return nil
		}
		return h.Section(h.H2(v.say(title)), h.P(h.Class("faint"), v.say(none)))
	}
	return h.Section(h.H2(v.say(title)), h.Ul(h.Class("inbox"), g.Group(items)))
}

// item is one thing of the inbox: which connection, what, and where to look.
func (v *visit) item(t tone, to string, c *connection, what ...g.Node) g.Node {
	return h.Li(h.Class("item "+string(t)), h.Div(h.P(h.Class("of"), data(c.Name)), h.Div(what...)), link(to, h.Class("button"), v.say(textLook), h.Span(h.Class("unseen"), g.Text(" "), data(c.Name))))
}

// heldItem is a run that waits for a decision.
func (v *visit) heldItem(c *connection, r *directory.Run) g.Node {
	why := []g.Node{h.P(h.Strong(g.Text(v.inWords(r.Counts) + ".")))}
	if r.Held != nil && len(r.Held.Limits) > 0 {
		why = append(why, h.P(v.exceeded(r.Held.Limits[0])))
	} else if r.Held != nil && len(r.Held.Facts) > 0 {
		why = append(why, h.P(v.heldFact(r.Held.Facts[0])))
	}
	why = append(why, h.P(h.Class("faint"), v.say(textHeldSince), g.Text(" "), v.ago(r.StartedAt)))
	return v.item(toneWarn, here("runs", string(r.ID)), c, why...)
}

// toConfirm is a sign-in at a tenant that waits to be confirmed.
func (v *visit) toConfirm(c *connection) []g.Node {
	if c.Waiting == nil {
		return nil
	}
	w := c.Waiting
	return []g.Node{v.item(toneWarn, here("connections", string(c.ID)), c,
		h.P(h.Strong(v.say(textToConfirm)), g.Text(" "), data(w.Tenant.DisplayName), g.Text(" · "), data(w.AuthorizedBy.UserPrincipalName)),
		h.P(h.Class("faint"), v.say(textDeletedAt), g.Text(" "), v.moment(w.Until)))}
}

// brokenOf are the causes that keep users of a connection from being in sync.
func (v *visit) brokenOf(a *looked) (items []g.Node) {
	list, err := a.problems.get()
	if err != nil {
		return nil // the runs of the same connection say so
	}
	for i, p := range list.Items {
		if i == 3 {
			break
		}
		t := toneWarn
		if p.Code == directory.CodePausedLeaver {
			t = toneBad
		}
		items = append(items, v.item(t, here("connections", string(a.con.ID)), &a.con, h.P(h.Strong(v.count(countUsers, p.Users)), g.Text(" "), v.sentence(p.Message))))
	}
	return items
}

// soonOf is what the doctor warns of.
func (v *visit) soonOf(a *looked) (items []g.Node) {
	x, err := a.health.get()
	if err != nil {
		return nil
	}
	for _, f := range x.Findings {
		t, _ := severityTone(f.Severity)
		if t == toneInfo || len(items) == 3 {
			continue
		}
		items = append(items, v.item(t, here("connections", string(a.con.ID)), &a.con, h.P(g.If(f.Subject != "", h.Strong(data(f.Subject), g.Text(" "))), v.sentence(f.Evidence)), h.P(h.Class("faint"), v.sentence(f.Consequence))))
	}
	return items
}

// firstSteps is home before there is a connection.
func (v *visit) firstSteps() answer {
	step := func(title, more text) g.Node { return h.Li(h.H2(v.say(title)), h.P(v.say(more))) }
	return view{title: v.lang.say(textWelcome), section: "/console", body: []g.Node{
		h.P(h.Class("lead"), v.say(textWelcomeMore)),
		h.Ol(h.Class("first-steps"), step(textStepConnect, textStepConnectMore), step(textStepImport, textStepImportMore), step(textStepBind, textStepBindMore)),
		h.P(v.linkButton(scopeAdmin, "/console/connections/new", textAddConnection, "primary large"))}}
}
