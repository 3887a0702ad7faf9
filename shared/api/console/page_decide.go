package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
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

// wantsNumber is how many blocks a decision may have without its number being typed.
const wantsNumber = 50

// shownOf is how many of the chosen changes a decision shows by name, and shownLost how
// many of those that cannot be taken back.
const (
	shownOf   = 20
	shownLost = 20
)

// openStates are those of changes that may still be decided about, as a filter of /v1.
const openStates = string(directory.ChangePlanned) + "," + string(directory.ChangeApproved)

// Decisions that cannot be made here: by more ticks than there may be, and of a part that
// /v1 could not count.
var (
	errTooMany   = errors.New("console: more changes than may be ticked")
	errUncounted = errors.New("console: more changes than are counted")
)

// decision is what is about to be approved.
type decision struct {
	run    directory.Run
	what   string
	chosen choice
	filter runFilter

	counts   map[directory.Effect]int                // of what is approved, as /v1 counts them
	selected map[directory.Effect]int                // with those that are dropped
	changes  map[directory.Effect][]directory.Change // the first of them
	ids      []directory.ChangeID                    // of those that were ticked
	lost     []directory.Change                      // with something that cannot be taken back, the first of them
	lostSum  int
	dropped  int // how many are chosen, and declined since they follow from others that are
	// looked is how many of the run's changes /v1 has looked at, where it has not at all: what
	// cannot be taken back among the others is not known.
	looked int
}

func (d *decision) number() int {
	if d.looked > 0 {
		return openOf(&d.run)
	}
	return total(d.counts)
}

// open is how many of the run's changes are still to be decided about.
func (d *decision) open() int { return max(d.number(), openOf(&d.run)) }

// openOf is how many of a held run's changes nothing has become of yet.
func openOf(r *directory.Run) int { return max(0, total(r.Counts)-r.Applied-r.Failed-r.Refused) }

// grave reports whether a decision cannot be taken back as a whole, or blocks many: then
// its number is typed. What was not looked at may be of that kind.
func (d *decision) grave() bool {
	return d.looked > 0 || d.lostSum > 0 || d.counts[directory.EffectBlock] > wantsNumber || d.counts[directory.EffectDelete]+d.counts[directory.EffectGroupDelete] > 0
}

// wantsFresh reports whether who decides is to have signed in just now.
func (d *decision) wantsFresh() bool {
	return d.looked > 0 || d.counts[directory.EffectDelete]+d.counts[directory.EffectGroupDelete] > 0 || d.lostSum > 0
}

// readDecision reads a decision off a request, with the changes that it is about.
func (v *visit) readDecision() (*decision, error) {
	what := asked(v.r.FormValue("what"), chooseTicked, chooseAll, chooseFilter)
	by, err := v.runFilter()
	if err != nil {
		return nil, err
	}
	d := &decision{what: what, filter: by, counts: map[directory.Effect]int{}, changes: map[directory.Effect][]directory.Change{}}
	var ok bool
	if v.r.Method == http.MethodGet {
		d.chosen, ok = v.chosen()
	} else {
		d.chosen, ok = parseChoice(v.r.PostForm.Get("s"))
	}
	if !ok {
		return nil, errTooMany
	}
	// What is open is decided about, whatever the list was narrowed down to by its state.
	d.filter.state = ""
	if d.what == chooseFilter && !d.filter.any() {
		d.what = chooseTicked // nothing was filtered by: that must not be everything
	}
	filter, named := runFilter{}, []string(nil)
	switch {
	case d.what == chooseFilter:
		filter = d.filter
	case d.what == chooseTicked:
		named = []string{"place", d.chosen.asked()}
	}
	filter.state = openStates
	runs := ask[directory.Run](v, apiPath("runs", v.id()))
	none := d.what == chooseTicked && len(d.chosen) == 0 // without a place, /v1 would tell of all
	var first later[page[directory.Change]]
	var counts later[selection]
	if !none {
		first = ask[page[directory.Change]](v, filter.of(v.id(), "changes", append(named, "limit", "500")...))
		counts = ask[selection](v, filter.of(v.id(), "counts", named...))
	}
	if d.run, err = runs.get(); err != nil || d.run.State != directory.RunHeld || none {
		return d, err
	}
	changes, err := first.get()
	if err != nil {
		return nil, err
	}
	n, err := counts.get()
	if err != nil {
		return nil, err
	}
	d.counted(n)
	if n.Partial && d.what != chooseAll {
		return nil, errUncounted
	} else if n.Partial {
		d.looked, d.counts, d.selected = max(n.Of, 1), d.run.Counts, d.run.Counts // of all that is open the run knows the number
	}
	if d.what == chooseTicked {
		d.ids = []directory.ChangeID{}
		return d, v.gather(d, changes, filter, named)
	}
	for i := range changes.Items {
		d.show(&changes.Items[i])
	}
	return d, nil
}

// counted takes the numbers of /v1 over: of what would be written, which is what the
// button says.
func (d *decision) counted(n selection) {
	w := n.approved()
	d.selected, d.counts, d.dropped = n.Effects, w.Effects, max(0, n.Changes-w.Changes)
	for e, k := range w.Irreversible {
		if !renewed(e) {
			d.lostSum += k
		}
	}
}

// renewed reports whether what an effect takes for good costs no more than to sign in
// again: each block ends sessions, and the page says so once.
func renewed(e directory.Effect) bool { return e == directory.EffectRevoke }

// gather takes the ticked changes that are still open. They are on one page of /v1, unless
// they stand so far from each other that it looks through too much for one.
func (v *visit) gather(d *decision, p page[directory.Change], filter runFilter, named []string) error {
	for {
		for i := range p.Items {
			d.ids = append(d.ids, p.Items[i].ID)
			d.show(&p.Items[i])
		}
		if p.Next == "" {
			return nil
		}
		next := p.Next
		p = page[directory.Change]{}
		if _, err := v.call(v.ctx, http.MethodGet, filter.of(v.id(), "changes", append(slices.Clip(named), "limit", "500", "next", next)...), nil, &p); err != nil {
			return err
		}
	}
}

// lost reports whether something of a change cannot be taken back.
func lost(c *directory.Change) bool {
	return !renewed(c.Effect) && (c.Irreversible != "" || slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool { return p.Irreversible != "" }))
}

// show keeps a change to be shown by its name, with its effect.
func (d *decision) show(c *directory.Change) {
	if list := d.changes[c.Effect]; len(list) < shownOf {
		d.changes[c.Effect] = append(list, *c)
	}
	if lost(c) && len(d.lost) < shownLost {
		d.lost = append(d.lost, *c)
	}
}

// undecidable is the page for a decision that cannot be made here.
func (v *visit) undecidable(err error) (answer, bool) {
	switch {
	case errors.Is(err, errTooMany):
		return v.refusal(http.StatusUnprocessableEntity, textTooManyChosen, v.lang.number(mostChosen)), true
	case errors.Is(err, errUncounted):
		return v.refusal(http.StatusUnprocessableEntity, textUncounted), true
	}
	return nil, false
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
	if refused, ok := v.undecidable(err); ok {
		return refused, nil
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

// approveView is the page of a decision; p says what was wrong with what was sent.
func (v *visit) approveView(d *decision, p *problem) answer {
	at, n, all := here("runs", string(d.run.ID)), d.number(), d.open()
	crumbs := []crumb{{"/console/connections", v.say(textConnections)}, {at, g.Text(v.runTitle(&d.run))}}
	var dropped g.Node
	these := textThese
	if d.dropped > 0 {
		these = textTheseChosen // whose names are listed; the numbers above are of what is written
		dropped = v.box(toneWarn, v.count(countDropped, d.dropped), h.P(v.say(textDroppedMore)))
	}
	if n == 0 {
		return view{title: v.lang.say(textNothingChosen), section: "/console/connections", crumbs: crumbs,
			body: []g.Node{dropped, v.empty(textNothingChosenMore, h.P(link(at, v.say(textBack))))}}
	}
	caption := v.inWords(d.counts)
	if total(d.counts) != n { // the run's own counts have what was written as well
		caption = v.lang.count(countWriteAll, n)
	}
	var unknown g.Node
	if d.looked > 0 {
		unknown = v.box(toneBad, v.say(textPartCounted, v.lang.number(d.looked), v.lang.number(n)), h.P(v.say(textPartCountedMore)))
	}
	var lost g.Node
	if d.lostSum > 0 {
		lost = v.box(toneBad, v.count(countLost, d.lostSum), g.Map(d.lost, func(c directory.Change) g.Node {
			return h.Div(h.Class("line"), v.effectBadge(c.Effect), g.Text(" "), h.Strong(data(nameOf(&c))), v.lostReasons(&c))
		}), g.If(d.lostSum > len(d.lost), h.P(v.count(countMoreChanges, d.lostSum-len(d.lost)))))
	}
	sessions := v.sessionsStayOpen(d)
	if d.counts[directory.EffectRevoke] > 0 && sessions == nil {
		sessions = h.P(h.Class("faint"), v.say(textSessionsStayEnded))
	}
	var rest g.Node
	if n < all {
		rest = h.P(v.count(countDeclinedThen, all-n), g.Text(" "), v.say(textFollowsDeclined))
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
	if p != nil {
		status = p.Status
	}
	if d.wantsFresh() && !v.s.fresh(v.now()) {
		form = []g.Node{h.Class("decide"), h.Method("get"), h.Action("/console/login"), hidden("fresh", "1"), hidden("to", target(d.compact("approve"))),
			h.P(v.say(textWantsFreshMore)), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSignInAgain))}
	} else {
		if d.grave() {
			f := p.at("typed", v.say(textTypeNumber, v.lang.number(n)), "typed")
			form = append(form, h.Label(h.For("typed"), v.say(textTypeNumber, v.lang.number(n))),
				h.Input(h.ID("typed"), h.Name("typed"), h.Type("text"), g.Attr("inputmode", "numeric"), h.AutoComplete("off"), h.Required(), h.Class("short"), f.mark("")), v.told(f))
		}
		form = append(form, v.reasonField(), h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), h.Data("key", "a"), g.Text(caption)), link(at, h.Class("button"), v.say(textNotYet))))
	}
	return view{status: status, title: v.lang.say(textApproveTitle, v.lang.number(n), v.lang.number(all)), section: "/console/connections", crumbs: crumbs,
		body: []g.Node{
			v.refused(p),
			h.P(h.Class("first"), g.Text(v.writtenYet(&d.run))), h.P(h.Class("lead"), g.Text(caption+".")), unknown, dropped, lost, rest, sessions, h.P(h.Class("faint"), v.say(textMovedMeanwhile)),
			h.Form(form...), h.Section(h.H2(v.say(these)), v.chosenByEffect(d))}}
}

// writtenYet says what of a held run has been written: of one that a wave has stopped,
// that is not nothing.
func (v *visit) writtenYet(r *directory.Run) string {
	if r.Applied == 0 {
		return v.lang.say(textNothingYetHeld)
	}
	return v.lang.say(textPartlyHeld, v.lang.number(r.Applied), v.lang.number(total(r.Counts)))
}

// sessionsStayOpen warns of blocks that are approved without the end of their sessions,
// which is a change of its own: whoever is signed in would stay so for a while. nil when
// there is nothing to warn of.
func (v *visit) sessionsStayOpen(d *decision) g.Node {
	open := min(d.counts[directory.EffectBlock], d.run.Counts[directory.EffectRevoke]) - d.counts[directory.EffectRevoke]
	if open <= 0 {
		return nil
	}
	with := d.filter
	with.effect += "," + string(directory.EffectRevoke)
	return v.box(toneWarn, v.count(countSessionsOpen, open), h.P(v.say(textSessionsOpen)),
		g.If(d.what == chooseFilter && d.filter.effect == string(directory.EffectBlock),
			h.P(link(query(here("runs", string(d.run.ID), "approve"), append(with.pairs(), "what", chooseFilter)...), v.say(textWithSessions)))))
}

// chosenByEffect lists what was chosen, what takes away first: of each effect
// the first by name, and a link to the rest.
func (v *visit) chosenByEffect(d *decision) g.Node {
	effects := graveFirst(d.selected)
	most := max(shownOf/max(len(effects), 1), 5)
	return g.Group(g.Map(effects, func(e directory.Effect) g.Node {
		list := d.changes[e]
		list = list[:min(len(list), most)]
		rest := d.selected[e] - len(list)
		all := runFilter{effect: string(e)}
		if d.what == chooseFilter {
			all = d.filter
			all.effect = string(e)
		}
		to := query(here("runs", string(d.run.ID)), all.pairs()...)
		if d.what == chooseTicked {
			to = query(here("runs", string(d.run.ID)), "effect", string(e), "s", d.chosen.String())
		}
		return h.Div(h.Class("of-effect"), h.H3(v.effectBadge(e), g.Text(" "), v.number(d.selected[e])),
			h.Ul(h.Class("bare"), g.Map(list, func(c directory.Change) g.Node {
				return h.Li(h.Class("line"), h.Strong(data(nameOf(&c))), h.Div(v.diff(&c)))
			})), g.If(rest > 0, h.P(v.count(countMoreChanges, rest), g.Text(" "), link(to, v.say(textSeeAll)))))
	}))
}

// lostReasons says what of a change cannot be taken back.
func (v *visit) lostReasons(c *directory.Change) g.Node {
	var list []g.Node
	if c.Irreversible != "" {
		list = append(list, h.P(v.sentence(c.Irreversible)))
	}
	for _, p := range c.Properties {
		if p.Irreversible != "" {
			list = append(list, h.P(v.property(p.Name), g.Text(" "), v.sentence(p.Irreversible)))
		}
	}
	return g.Group(list)
}

// approval is the body of an approval. A list that is empty is sent, for /v1 to refuse it:
// without one, all of the run would be approved.
type approval struct {
	ChangeIDs []directory.ChangeID `json:"changeIds,omitzero"`
	Where     map[string][]string  `json:"where,omitzero"`
	Reason    string               `json:"reason,omitempty"`
}

// approval is what a decision is sent as: nothing for all of the run, the ticked changes by
// their IDs, and those of a filter by the filter, which is decided at /v1 change by change.
func (d *decision) approval(reason string) any {
	switch {
	case d.what == chooseTicked:
		return approval{ChangeIDs: d.ids, Reason: reason}
	case d.what == chooseFilter:
		return approval{Where: d.filter.where(), Reason: reason}
	case reason != "":
		return approval{Reason: reason}
	}
	return nil
}

// reasonField asks why something is decided; nobody need say.
func (v *visit) reasonField() g.Node {
	return v.field("reason", textWhyOptional, textWhyOptionalHelp, v.r.PostForm.Get("reason"), nil)
}

// reason is why somebody decides as they do; "" when they do not say.
func (v *visit) reason() string { return strings.TrimSpace(v.r.PostForm.Get("reason")) }

// approve decides as the page before it showed. When something else would be approved than
// was seen, nothing is, and the page is shown anew.
func approve(v *visit) (answer, error) {
	d, err := v.readDecision()
	if refused, ok := v.undecidable(err); ok {
		return refused, nil
	}
	if err != nil {
		return nil, err
	}
	n, all := d.number(), d.open()
	switch {
	case d.run.State != directory.RunHeld:
		return v.done(here("runs", v.id()), v.lang.say(textNotHeldAnyMore)), nil
	case n == 0:
		return v.approveView(d, nil), nil
	case strconv.Itoa(n) != v.r.PostForm.Get("count"):
		return v.approveView(d, v.unfitFor("", textPlanMoved)), nil
	case d.wantsFresh() && !v.s.fresh(v.now()):
		return v.approveView(d, v.unfitFor("", textWantsFresh)), nil
	case d.grave() && digits(v.r.PostForm.Get("typed")) != strconv.Itoa(n):
		return v.approveView(d, v.unfitFor("typed", textTypedWrong, v.lang.number(n))), nil
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("runs", v.id(), "approve"), d.approval(v.reason()), nil); err != nil {
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
	n := openOf(&run)
	what, left := v.lang.say(textDeclineWhat), v.chipsPlain(run.Counts)
	if run.Applied+run.Failed+run.Refused > 0 { // the run's own counts have what was written as well
		what = v.lang.say(textDeclineRest, v.lang.number(run.Applied), v.lang.number(total(run.Counts)))
		left = partly(v, ask[selection](v, runFilter{state: openStates}.of(v.id(), "counts")), func(n selection) g.Node { return v.chipsPlain(n.Effects) })
	}
	return view{title: v.lang.count(countDeclineTitle, n), section: "/console/connections",
		crumbs: []crumb{{"/console/connections", v.say(textConnections)}, {at, g.Text(v.runTitle(&run))}},
		body: []g.Node{h.P(h.Class("lead"), g.Text(what)), h.P(v.say(textDeclineThen)), left,
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

// formRefs are the users and objects that a form names.
func formRefs(f url.Values) (users []directory.UserID, objects []directory.Ref) {
	for _, u := range f["users"] {
		for _, id := range listed(u) {
			users = append(users, directory.UserID(id))
		}
	}
	for _, o := range f["objects"] {
		if kind, id, ok := cut(o); ok {
			objects = append(objects, directory.Ref{Kind: directory.Kind(kind), ID: id})
		}
	}
	return users, objects
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
	applied := runFilter{state: string(directory.ChangeApplied)}
	written := ask[page[directory.Change]](v, applied.of(v.id(), "changes", "limit", mostToTick))
	counts := ask[selection](v, applied.of(v.id(), "counts"))
	return view{title: v.lang.say(textUndoTitle), section: "/console/connections",
		crumbs: []crumb{{"/console/connections", v.say(textConnections)}, {at, g.Text(v.runTitle(&run))}},
		body: []g.Node{h.P(h.Class("lead"), v.count(countWritten, run.Applied)), partly(v, counts, func(n selection) g.Node { return v.chipsPlain(n.Effects) }), h.P(v.say(textUndoHow)), h.P(h.Class("faint"), v.say(textUndoPauses)),
			h.Form(h.Method("post"), h.Action(at+"/undo"), h.Class("stack"), h.Data("busy", ""), hidden("preview", "1"),
				partly(v, written, v.undoPicks),
				h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textUndoPreview)), link(at, h.Class("button"), v.say(textNotYet))))}}, nil
}

// mostToTick is how many changes the page of an undo offers to tick off by name.
const mostToTick = "100"

// undoPicks are whom and what of a run can be taken back by itself: by names where they are
// few, else by IDs as well. Nothing ticked is everything.
func (v *visit) undoPicks(p page[directory.Change]) g.Node {
	var users []directory.UserID
	of, properties := map[directory.UserID]string{}, map[string]bool{}
	for i := range p.Items {
		c := &p.Items[i]
		if _, seen := of[c.UserID]; c.UserID != "" && !seen {
			users = append(users, c.UserID)
		}
		of[c.UserID] = orID(of[c.UserID], c.UserPrincipalName)
		for _, x := range c.Properties {
			properties[x.Name] = true
		}
	}
	known := v.nameThem(directory.AccountsOf(slices.DeleteFunc(slices.Clone(users), func(u directory.UserID) bool { return of[u] != "" }))).get()
	tick := func(name, value string, caption g.Node) g.Node {
		return h.Label(h.Class("pick"), h.Input(h.Type("checkbox"), h.Name(name), h.Value(value)), h.Span(caption))
	}
	more := p.Next != "" || len(users) == 0
	return g.Group([]g.Node{
		g.If(len(users) > 0, h.FieldSet(h.Legend(v.say(textUndoWhom)), h.Div(h.Class("fields"), g.Group(g.Map(users, func(u directory.UserID) g.Node {
			return tick("users", string(u), data(orID(of[u], known.of(string(u)))))
		}))))),
		g.If(more, h.Label(v.say(textUndoUsers), h.Textarea(h.Name("users"), h.Rows("3"), h.MaxLength("20000")))),
		g.If(len(properties) > 0, h.FieldSet(h.Legend(v.say(textUndoWhat)), h.Div(h.Class("fields"), g.Group(g.Map(sortedNames(properties), func(name string) g.Node {
			return tick("properties", name, code(name))
		}))))),
		g.If(more, h.Label(v.say(textUndoProperties), h.Input(h.Type("text"), h.Name("properties"), h.MaxLength("1000"), h.AutoComplete("off")))),
	})
}

// undo plans what is taken back, or takes it back.
func undo(v *visit) (answer, error) {
	f := v.r.PostForm
	body := undoBody{DryRun: f.Get("preview") == "1"}
	body.UserIDs, body.Objects = formRefs(f)
	for _, p := range f["properties"] {
		body.Properties = append(body.Properties, listed(p)...)
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
