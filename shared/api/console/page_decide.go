package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// What somebody decides about a held run.
const (
	chooseAll    = "all"    // every change
	chooseTicked = "chosen" // those that were ticked
	chooseFilter = "filter" // those that a filter shows
)

// mostLooked is how many pages of 500 changes a decision looks through: what is beyond
// is decided by effects, or by all.
const mostLooked = 10

// wantsNumber is from how many blocks on a decision wants its number typed.
const wantsNumber = 50

// shownOf is how many of the chosen changes a decision shows by name.
const shownOf = 20

// errTooMany says that a run has more changes than one decision by names looks through.
var errTooMany = errors.New("console: more changes than are looked through")

// decision is what is about to be approved.
type decision struct {
	run    directory.Run
	what   string
	chosen choice
	filter runFilter

	counts   map[directory.Effect]int // of what is approved
	changes  []directory.Change       // the first of them
	ids      []directory.ChangeID     // nil: all
	lost     []directory.Change       // with something that cannot be taken back, the first of them
	lostSum  int
	complete bool // lost and lostSum are of everything
}

func (d *decision) number() int { return total(d.counts) }

// grave reports whether a decision cannot be taken back as a whole, or blocks many: then
// its number is typed.
func (d *decision) grave() bool {
	return d.lostSum > 0 || d.counts[directory.EffectBlock] >= wantsNumber || d.counts[directory.EffectDelete]+d.counts[directory.EffectGroupDelete] > 0
}

// wantsFresh reports whether who decides is to have signed in just now.
func (d *decision) wantsFresh() bool {
	return d.counts[directory.EffectDelete]+d.counts[directory.EffectGroupDelete] > 0 || d.lostSum > 0
}

// readDecision reads a decision off a request, with the changes that it is about.
func (v *visit) readDecision() (*decision, error) {
	d := &decision{what: asked(v.r.FormValue("what"), chooseTicked, chooseAll, chooseFilter), filter: v.runFilter(), counts: map[directory.Effect]int{}}
	var ok bool
	if v.r.Method == http.MethodGet {
		d.chosen, ok = v.chosen()
	} else {
		d.chosen, ok = parseChoice(v.r.PostForm.Get("s"))
	}
	if !ok {
		return nil, errTooMany
	}
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("runs", v.id()), nil, &d.run); err != nil {
		return nil, err
	}
	if d.run.State != directory.RunHeld {
		return d, nil
	}
	return d, v.gather(d)
}

// gather looks through a run's changes for those that a decision is about.
func (v *visit) gather(d *decision) error {
	filter := runFilter{}
	if d.what == chooseFilter {
		filter = d.filter
	}
	next, found := "", 0
	for looked := 0; ; looked++ {
		if looked == mostLooked {
			if d.what == chooseAll {
				d.counts = d.run.Counts
				return nil
			}
			return errTooMany
		}
		var p page[directory.Change]
		if _, err := v.call(v.ctx, http.MethodGet, filter.of(v.id(), "limit", "500", "next", next), nil, &p); err != nil {
			return err
		}
		for i := range p.Items {
			c := &p.Items[i]
			at, named := placeOf(d.run.ID, c.ID)
			if c.State != directory.ChangePlanned && c.State != "" || d.what == chooseTicked && (!named || !d.chosen[at]) {
				continue
			}
			found++
			d.add(c)
		}
		next = p.Next
		if next == "" || d.what == chooseTicked && found == len(d.chosen) {
			d.complete = true
			return nil
		}
	}
}

// add counts a change among those that are approved.
func (d *decision) add(c *directory.Change) {
	d.counts[c.Effect]++
	if d.what != chooseAll {
		d.ids = append(d.ids, c.ID)
	}
	if len(d.changes) < shownOf {
		d.changes = append(d.changes, *c)
	}
	if c.Effect == directory.EffectRevoke {
		return // each block has one, and all it costs is to sign in again: the page says so once
	}
	lost := c.Irreversible != ""
	for _, p := range c.Properties {
		lost = lost || p.Irreversible != ""
	}
	if lost {
		d.lostSum++
		if len(d.lost) < shownOf {
			d.lost = append(d.lost, *c)
		}
	}
}

// compact is the address of the page of a decision.
func (d *decision) compact(act string) string {
	pairs := []string{"what", d.what}
	switch d.what {
	case chooseTicked:
		pairs = append(pairs, "s", d.chosen.String())
	case chooseFilter:
		pairs = append(pairs, d.filter.pairs()...)
	}
	return query(here("runs", string(d.run.ID), act), pairs...)
}

// approvePage shows what is about to be approved, and what that declines.
func approvePage(v *visit) (answer, error) {
	d, err := v.readDecision()
	if errors.Is(err, errTooMany) {
		return v.refusal(http.StatusUnprocessableEntity, textTooManyChosen, v.lang.number(mostChosen)), nil
	}
	if err != nil {
		return nil, err
	}
	if d.run.State != directory.RunHeld {
		return v.done(here("runs", v.id()), v.lang.say(textNotHeldAnyMore)), nil
	}
	if q := v.r.URL.Query(); q.Has("c") || q.Has("shown") {
		return redirect{d.compact("approve")}, nil
	}
	return v.approveView(d, nil), nil
}

// approveView is the page of a decision; fault says what was wrong with what was sent.
func (v *visit) approveView(d *decision, fault g.Node) answer {
	at, n, all := here("runs", string(d.run.ID)), d.number(), total(d.run.Counts)
	crumbs := []crumb{{"/console/connections", v.say(textConnections)}, {at, g.Text(v.runTitle(&d.run))}}
	if n == 0 {
		return view{title: v.lang.say(textNothingChosen), section: "/console/connections", crumbs: crumbs,
			body: []g.Node{v.empty(textNothingChosenMore, h.P(link(at, v.say(textBack))))}}
	}
	caption := v.inWords(d.counts)
	var lost g.Node
	if d.lostSum > 0 {
		lost = v.box(toneBad, v.count(countLost, d.lostSum), g.Map(d.lost, func(c directory.Change) g.Node {
			return h.Div(h.Class("line"), v.effectBadge(c.Effect), g.Text(" "), h.Strong(data(nameOf(&c))), v.lostReasons(&c))
		}), g.If(d.lostSum > len(d.lost), h.P(v.count(countMoreChanges, d.lostSum-len(d.lost)))))
	}
	var sessions g.Node
	if d.counts[directory.EffectRevoke] > 0 {
		sessions = h.P(h.Class("faint"), v.say(textSessionsStayEnded))
	}
	var rest g.Node
	if n < all {
		rest = h.P(v.count(countDeclinedThen, all-n))
	}
	form := []g.Node{h.Method("post"), h.Action(at + "/approve"), h.Data("busy", ""), h.Class("decide"),
		hidden("what", d.what), hidden("s", d.chosen.String()), hidden("count", strconv.Itoa(n))}
	pairs := d.filter.pairs()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			form = append(form, hidden(pairs[i], pairs[i+1]))
		}
	}
	status := 0
	if fault != nil {
		status = http.StatusUnprocessableEntity
	}
	if d.wantsFresh() && !v.s.fresh(v.now()) {
		form = []g.Node{h.Class("decide"), h.Method("get"), h.Action("/console/login"), hidden("fresh", "1"), hidden("to", target(d.compact("approve"))),
			h.P(v.say(textWantsFreshMore)), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSignInAgain))}
	} else {
		if d.grave() {
			form = append(form, h.Label(h.For("typed"), v.say(textTypeNumber, v.lang.number(n))),
				h.Input(h.ID("typed"), h.Name("typed"), h.Type("text"), g.Attr("inputmode", "numeric"), h.AutoComplete("off"), h.Required(), h.Class("short"), g.If(fault != nil, h.Aria("describedby", "fault")), g.If(fault != nil, h.Aria("invalid", "true"))))
		}
		form = append(form, v.reasonField(), h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), h.Data("key", "a"), g.Text(caption)), link(at, h.Class("button"), v.say(textNotYet))))
	}
	return view{status: status, title: v.lang.say(textApproveTitle, v.lang.number(n), v.lang.number(all)), section: "/console/connections", crumbs: crumbs,
		body: []g.Node{
			g.If(fault != nil, h.P(h.ID("fault"), h.Class("box bad"), h.Role("alert"), fault)),
			h.P(h.Class("first"), v.say(textNothingYetHeld)), h.P(h.Class("lead"), g.Text(caption+".")), lost, rest, sessions, h.P(h.Class("faint"), v.say(textMovedMeanwhile)),
			h.Form(form...),
			h.Section(h.H2(v.say(textThese)), h.Ul(h.Class("bare"), g.Map(d.changes, func(c directory.Change) g.Node {
				return h.Li(h.Class("line"), v.effectBadge(c.Effect), g.Text(" "), h.Strong(data(nameOf(&c))), v.diff(&c))
			})), g.If(n > len(d.changes), h.P(v.count(countMoreChanges, n-len(d.changes)), g.Text(" "), link(query(at, d.filter.pairs()...), v.say(textSeeAll)))))}}
}

// lostReasons says what of a change cannot be taken back.
func (v *visit) lostReasons(c *directory.Change) g.Node {
	var list []g.Node
	if c.Irreversible != "" {
		list = append(list, h.P(v.sentence(c.Irreversible)))
	}
	for _, p := range c.Properties {
		if p.Irreversible != "" {
			list = append(list, h.P(code(p.Name), g.Text(" "), v.sentence(p.Irreversible)))
		}
	}
	return g.Group(list)
}

// approval is the body of an approval.
type approval struct {
	ChangeIDs []directory.ChangeID `json:"changeIds,omitempty"`
	Reason    string               `json:"reason,omitempty"`
}

// reasonField asks why something is decided; nobody need say.
func (v *visit) reasonField() g.Node {
	return v.field("reason", textWhyOptional, textWhyOptionalHelp, v.r.PostForm.Get("reason"), "")
}

// reason is why somebody decides as they do; "" when they do not say.
func (v *visit) reason() string { return strings.TrimSpace(v.r.PostForm.Get("reason")) }

// approve decides as the page before it showed. When something else would be approved than
// was seen, nothing is, and the page is shown anew.
func approve(v *visit) (answer, error) {
	d, err := v.readDecision()
	if errors.Is(err, errTooMany) {
		return v.refusal(http.StatusUnprocessableEntity, textTooManyChosen, v.lang.number(mostChosen)), nil
	}
	if err != nil {
		return nil, err
	}
	n, all := d.number(), total(d.run.Counts)
	switch {
	case d.run.State != directory.RunHeld:
		return v.done(here("runs", v.id()), v.lang.say(textNotHeldAnyMore)), nil
	case n == 0:
		return v.approveView(d, nil), nil
	case strconv.Itoa(n) != v.r.PostForm.Get("count"):
		return v.approveView(d, v.say(textPlanMoved)), nil
	case d.wantsFresh() && !v.s.fresh(v.now()):
		return v.approveView(d, v.say(textWantsFresh)), nil
	case d.grave() && digits(v.r.PostForm.Get("typed")) != strconv.Itoa(n):
		return v.approveView(d, v.say(textTypedWrong, v.lang.number(n))), nil
	}
	var body any
	if d.what != chooseAll || v.reason() != "" {
		body = approval{d.ids, v.reason()}
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("runs", v.id(), "approve"), body, nil); err != nil {
		return nil, err
	}
	told := v.lang.count(countApproved, n)
	if n < all {
		told += " " + v.lang.count(countDeclined, all-n)
	}
	return v.done(here("runs", v.id()), told), nil
}

// digits are the digits of what somebody typed: "1,240" and "1.240" are one number.
func digits(s string) string {
	var b []byte
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			b = append(b, c)
		case c != ',' && c != '.' && c != ' ':
			return ""
		}
	}
	return string(b)
}

// declinePage asks once more before a whole run is declined.
func declinePage(v *visit) (answer, error) {
	var run directory.Run
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("runs", v.id()), nil, &run); err != nil {
		return nil, err
	}
	at := here("runs", v.id())
	if run.State != directory.RunHeld {
		return v.done(at, v.lang.say(textNotHeldAnyMore)), nil
	}
	n := total(run.Counts)
	return view{title: v.lang.count(countDeclineTitle, n), section: "/console/connections",
		crumbs: []crumb{{"/console/connections", v.say(textConnections)}, {at, g.Text(v.runTitle(&run))}},
		body: []g.Node{h.P(h.Class("lead"), v.say(textDeclineWhat)), h.P(v.say(textDeclineThen)), v.chipsPlain(run.Counts),
			h.Form(h.Method("post"), h.Action(at+"/decline"), h.Data("busy", ""), h.Class("decide"), v.reasonField(), h.Div(h.Class("row"),
				h.Button(h.Type("submit"), h.Class("primary"), h.Data("key", "d"), v.count(countDeclineDo, n)), link(at, h.Class("button"), v.say(textNotYet))))}}, nil
}

// chipsPlain are counts by effect that lead nowhere.
func (v *visit) chipsPlain(counts map[directory.Effect]int) g.Node {
	return h.Ul(h.Class("chips"), v.label(textByEffect), g.Group(g.Map(graveFirst(counts), func(e directory.Effect) g.Node {
		w := words(e)
		return h.Li(h.Span(h.Class("chip "+string(w.tone)), h.Strong(v.number(counts[e])), g.Text(" "), v.say(w.name)))
	})))
}

func decline(v *visit) (answer, error) {
	var body any
	if v.reason() != "" {
		body = approval{Reason: v.reason()}
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("runs", v.id(), "decline"), body, nil); err != nil {
		return nil, err
	}
	return v.done(here("runs", v.id()), v.lang.say(textDeclinedAll)), nil
}

// undoBody is the body of an undo.
type undoBody struct {
	DryRun     bool               `json:"dryRun,omitempty"`
	UserIDs    []directory.UserID `json:"userIds,omitempty"`
	Objects    []directory.Ref    `json:"objects,omitempty"`
	Properties []string           `json:"properties,omitempty"`
}

// undoAsk are the members of a form that takes back what concerns some users, objects
// and properties.
func (v *visit) undoAsk(users []directory.UserID, objects []directory.Ref, properties []string) []g.Node {
	var list []g.Node
	for _, u := range users {
		list = append(list, hidden("users", string(u)))
	}
	for _, o := range objects {
		list = append(list, hidden("objects", string(o.Kind)+" "+o.ID))
	}
	for _, p := range properties {
		list = append(list, hidden("properties", p))
	}
	return list
}

// undoPage asks what of a run is to be taken back, and shows that before it is done.
func undoPage(v *visit) (answer, error) {
	var run directory.Run
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("runs", v.id()), nil, &run); err != nil {
		return nil, err
	}
	at := here("runs", v.id())
	return view{title: v.lang.say(textUndoTitle), section: "/console/connections",
		crumbs: []crumb{{"/console/connections", v.say(textConnections)}, {at, g.Text(v.runTitle(&run))}},
		body: []g.Node{h.P(h.Class("lead"), v.count(countWritten, run.Applied)), v.chipsPlain(run.Counts), h.P(v.say(textUndoHow)), h.P(h.Class("faint"), v.say(textUndoPauses)),
			h.Form(h.Method("post"), h.Action(at+"/undo"), h.Class("stack"), h.Data("busy", ""), hidden("preview", "1"),
				h.Label(v.say(textUndoUsers), h.Textarea(h.Name("users"), h.Rows("3"), h.MaxLength("20000"))),
				h.Label(v.say(textUndoProperties), h.Input(h.Type("text"), h.Name("properties"), h.MaxLength("1000"), h.AutoComplete("off"))),
				h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textUndoPreview)), link(at, h.Class("button"), v.say(textNotYet))))}}, nil
}

// undo plans what is taken back, or takes it back.
func undo(v *visit) (answer, error) {
	f := v.r.PostForm
	body := undoBody{DryRun: f.Get("preview") == "1"}
	for _, u := range f["users"] {
		for _, id := range listed(u) {
			body.UserIDs = append(body.UserIDs, directory.UserID(id))
		}
	}
	for _, p := range f["properties"] {
		body.Properties = append(body.Properties, listed(p)...)
	}
	for _, o := range f["objects"] {
		if kind, id, ok := cut(o); ok {
			body.Objects = append(body.Objects, directory.Ref{Kind: directory.Kind(kind), ID: id})
		}
	}
	var run directory.Run
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("runs", v.id(), "undo"), body, &run); err != nil {
		return nil, err
	}
	if body.DryRun {
		return redirect{here("runs", string(run.ID))}, nil
	}
	return v.done(here("runs", string(run.ID)), v.lang.say(textUndoBegun)), nil
}
