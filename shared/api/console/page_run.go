package console

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// changesPerPage is how many changes a page shows.
const changesPerPage = 25

// runFilter is which changes of a run are looked at, as /v1 names the parameters.
type runFilter struct{ effect, property, department, domain, state, user string }

func (v *visit) runFilter() (runFilter, error) {
	p, err := parameters(v.values(), "effect", "property", "department", "domain", "state", "user")
	return runFilter{p["effect"], p["property"], p["department"], p["domain"], p["state"], p["user"]}, err
}

// longestParameter is how long a parameter of a filter may be.
const longestParameter = 200

// unfit is a parameter that nothing can be filtered by. Whoever sent it is told so: without
// it there would be a list, and an act, of more than was meant.
type unfit struct {
	name string
	long bool
}

func (e *unfit) Error() string { return "console: the parameter " + e.name + " filters by nothing" }

// filterable reports whether a text can be filtered by: it is short, and all of it is seen.
func filterable(s string) bool { return len(s) <= longestParameter && clean(s) == s }

// parameters are what somebody filters by, by their names; an *unfit when one of them
// cannot be filtered by.
func parameters(q url.Values, list ...string) (map[string]string, error) {
	p := map[string]string{}
	for _, name := range list {
		s := strings.TrimSpace(q.Get(name))
		if !filterable(s) {
			return nil, &unfit{name, len(s) > longestParameter}
		}
		p[name] = s
	}
	return p, nil
}

// parameter is one of parameters.
func parameter(q url.Values, name string) (string, error) {
	p, err := parameters(q, name)
	return p[name], err
}

func (f runFilter) any() bool { return f != runFilter{} }

// pairs are the parameters of a page of ours.
func (f runFilter) pairs() []string {
	return []string{"effect", f.effect, "property", f.property, "department", f.department, "domain", f.domain, "state", f.state, "user", f.user}
}

// of is the address at /v1 of a run's changes, or of their counts.
func (f runFilter) of(id, what string, more ...string) string {
	return query(apiPath("runs", id, what), append([]string{"effect", f.effect, "property", f.property, "department", f.department,
		"domain", f.domain, "state", f.state, "userId", f.user}, more...)...)
}

// at is an address of ours with the filter.
func (f runFilter) at(path string) string {
	return query(path, f.pairs()...)
}

// where is the filter as an approval takes it. It selects what the address of the changes
// lists: there a comma parts values, and so it does here.
func (f runFilter) where() map[string][]string {
	where := map[string][]string{}
	for name, value := range map[string]string{"effect": f.effect, "property": f.property, "department": f.department, "domain": f.domain, "userId": f.user} {
		if value != "" {
			where[name] = strings.Split(value, ",")
		}
	}
	return where
}

// runView is what the page of a run shows.
type runView struct {
	run     directory.Run
	con     connection
	changes page[directory.Change]
	filter  runFilter
	chosen  choice
	names   names
	// open is the place of the change that is compared with what is agreed, and with
	// what is at Microsoft now.
	open   place
	opened bool
}

func runPage(v *visit) (answer, error) {
	filter, err := v.runFilter()
	if err != nil {
		return nil, err
	}
	id := v.id()
	q := v.r.URL.Query()
	chosen, ok := v.chosen()
	if !ok {
		return v.refusal(http.StatusBadRequest, textTooManyChosen, v.lang.number(mostChosen)), nil
	}
	if q.Has("c") || q.Has("shown") { // a page of ticks was left: they go into the address
		return redirect{v.with("c", "", "shown", "", "s", chosen.String())}, nil
	}
	var run directory.Run
	var tag string
	again := v.seenTag() != "" // somebody looks again: often, and mostly nothing has changed
	if again {
		var same bool
		var err error
		if tag, same, err = v.seen(apiPath("runs", id), &run); err != nil {
			return nil, err
		} else if same {
			return unchanged{v.r.Header.Get("If-None-Match")}, nil
		}
	}
	runs := later[directory.Run]{}
	if !again {
		runs = ask[directory.Run](v, apiPath("runs", id))
	}
	changes := ask[page[directory.Change]](v, filter.of(id, "changes", "limit", strconv.Itoa(changesPerPage), "next", q.Get("next")))
	rv := runView{filter: filter, chosen: chosen}
	rv.open, rv.opened = parsePlace(q.Get("open"))
	if !again {
		var err error
		if run, tag, err = runs.tagged(); err != nil {
			return nil, err
		}
	}
	rv.run = run
	// Why a run is held, and what a what-if tries, is told by the connection's settings; of any other run its name is
	// enough, which comes with the others.
	var owner *later[connection]
	if run.State == directory.RunHeld || run.Settings != nil {
		asked := ask[connection](v, apiPath("connections", string(run.ConnectionID)))
		owner = &asked
	}
	left := v.askLeft(&run)
	var parted *later[parts]
	if total(run.Counts) > 0 && !rv.opened && left == nil { // who compares one change has seen where the others are
		asked := ask[parts](v, apiPath("runs", id, "parts"))
		parted = &asked
	}
	known := false // more of the connection than its name
	rv.con = connection{ID: run.ConnectionID, Name: string(run.ConnectionID)}
	list := partly(v, changes, func(p page[directory.Change]) g.Node {
		rv.changes = p
		refs := unnamed(&run, p.Items)
		if owner == nil {
			refs = append([]directory.Ref{{ID: string(run.ConnectionID)}}, refs...)
		}
		if left != nil {
			stays, _ := left.look()
			for i := range stays.Items {
				refs = append(refs, stays.Items[i].ref())
			}
		}
		rv.names = v.nameThem(refs).get()
		return v.changeList(&rv)
	})
	if owner == nil {
		rv.con.Name = rv.names.of(string(run.ConnectionID))
	} else if c, err := owner.get(); err == nil {
		rv.con, known = c, true
	}
	var departments g.Node
	if parted != nil {
		departments = partly(v, *parted, func(p parts) g.Node { return v.partLists(&rv, p) })
	}
	v.asCall("GET", apiPath("runs", id))
	v.asCall("GET", filter.of(id, "changes"))
	return view{
		title: v.runTitle(&run), section: "/console/connections", poll: pollOf(&run), tag: v.pageTag(tag),
		crumbs: []crumb{{"/console/connections", v.say(textConnections)}, {here("connections", string(rv.con.ID)), data(rv.con.Name)}, {here("connections", string(rv.con.ID), "runs"), v.say(textRuns)}},
		head:   []g.Node{v.runBadge(&run)},
		body: []g.Node{
			v.runSummary(&rv), v.tried(&rv, known), v.steps(&run), v.heldBox(&rv), v.runError(&run), v.decisions(&run),
			g.If(total(run.Counts) > 0, v.chips(run.Counts, filter.effect)), departments,
			h.Section(h.ID("changes"), h.H2(h.TabIndex("-1"), v.say(textChanges)), list), v.leftBox(&rv, left),
		},
	}, nil
}

// mostOnlyFor is how many of the users that a run is about its page names.
const mostOnlyFor = 5

// firstOf are the first of the users and objects that a run is about.
func firstOf(r *directory.Run) []directory.Ref {
	return r.Refs(0, min(mostOnlyFor, len(r.UserIDs)+len(r.Objects)))
}

// unnamed are the objects of a run and its changes that people know by another name than
// what the run has.
func unnamed(r *directory.Run, changes []directory.Change) []directory.Ref {
	refs := slices.Clone(firstOf(r))
	for i := range changes {
		if c := &changes[i]; c.UserPrincipalName == "" && c.ScopeName == "" {
			refs = append(refs, c.Ref())
		}
	}
	return refs
}

// pollOf is how soon the page of a run looks again.
func pollOf(r *directory.Run) int {
	if r.State.Ended() || r.State == directory.RunHeld {
		return 0
	}
	return 2000
}

// chosen are the changes that are ticked: those that the address brings, but for the
// ones on the page that was left, and those that are ticked on it.
func (v *visit) chosen() (choice, bool) {
	q := v.r.URL.Query()
	c, ok := parseChoice(q.Get("s"))
	if !ok {
		return nil, false
	}
	shown, ok := parseChoice(q.Get("shown"))
	if !ok {
		return nil, false
	}
	for p := range shown {
		delete(c, p)
	}
	for _, text := range q["c"] {
		p, ok := parsePlace(text)
		if !ok {
			return nil, false
		}
		c[p] = true
	}
	return c, len(c) <= mostChosen
}

// runTitle names a run by what it is and when it began.
func (v *visit) runTitle(r *directory.Run) string {
	kind := textRunOf
	switch {
	case r.Kind == directory.KindUndo && r.DryRun:
		kind = textUndoPlanOf
	case r.DryRun:
		kind = textPlanOf
	case r.Kind == directory.KindUndo:
		kind = textUndoOf
	case r.Kind == directory.KindRelease:
		kind = textReleaseOf
	}
	return v.lang.say(kind, v.lang.moment(r.StartedAt))
}

// runState is a run's state as a word.
func runState(r *directory.Run) (tone, text) {
	switch r.State {
	case directory.RunPlanning:
		return toneInfo, textStatePlanning
	case directory.RunHeld:
		return toneWarn, textStateHeld
	case directory.RunApplying:
		return toneInfo, textStateApplying
	case directory.RunWaiting:
		return toneInfo, textStateWaiting
	case directory.RunPlanned:
		return tonePlain, textStatePlanned
	case directory.RunFailed:
		return toneBad, textStateFailed
	case directory.RunCancelled:
		return tonePlain, textStateCancelled
	case directory.RunSuperseded:
		return tonePlain, textStateSuperseded
	}
	if r.Failed > 0 { // what was declined counts as refused, and is no fault
		return toneWarn, textStateDoneSome
	}
	return toneGood, textStateDone
}

func (v *visit) runBadge(r *directory.Run) g.Node {
	t, word := runState(r)
	return v.badge(t, word)
}

// runSummary answers first whether anything has been written, and says what the run is.
func (v *visit) runSummary(rv *runView) g.Node {
	r := &rv.run
	all := total(r.Counts)
	var line string
	switch {
	case r.State == directory.RunPlanning:
		line = v.lang.say(textNothingYetPlanning)
	case r.State == directory.RunHeld:
		line = v.writtenYet(r)
	case r.State == directory.RunApplying || r.State == directory.RunWaiting:
		line = v.lang.say(textWriting, v.lang.number(r.Applied), v.lang.number(goesOn(r)), v.lang.number(r.Failed))
	case r.State == directory.RunPlanned:
		line = v.lang.say(textPlanOnly)
	case all == 0:
		line = v.lang.say(nothingPlanned(r.State))
	case r.State == directory.RunDone || r.State == directory.RunFailed:
		line = v.lang.say(textEnded, v.lang.number(r.Applied), v.lang.number(r.Failed), v.lang.number(r.Refused))
	default:
		line = v.lang.say(textStopped, v.lang.number(r.Applied), v.lang.number(goesOn(r)))
	}
	class := "status"
	if r.DryRun {
		class += " dry"
	}
	var bar g.Node
	if (r.State == directory.RunApplying || r.State == directory.RunWaiting) && goesOn(r) > 0 {
		bar = h.Progress(v.label(textProgress), h.Max(strconv.Itoa(goesOn(r))), h.Value(strconv.Itoa(settled(r))))
	}
	var waiting g.Node
	if r.Waiting != nil {
		waiting = h.P(v.say(textWaits), g.Text(" "), v.sentence(r.Waiting.Why), g.Text(" "), g.If(!r.Waiting.Until.IsZero(), g.Group([]g.Node{v.say(textUntil), g.Text(" "), v.moment(r.Waiting.Until)})))
	}
	return h.Section(h.Class(class), h.P(h.Class("first"), g.Text(line)), bar, waiting,
		facts(
			v.fact(textConnection, link(here("connections", string(rv.con.ID)), data(rv.con.Name))),
			v.fact(textTrigger, v.trigger(r)),
			v.fact(textStarted, v.ago(r.StartedAt)),
			g.If(!r.EndedAt.IsZero(), v.fact(textTook, g.Text(v.lang.length(r.EndedAt.Sub(r.StartedAt))))),
			g.If(r.ApprovedBy != "", v.fact(textApprovedBy, data(r.ApprovedBy))),
			g.If(r.UndoOf != "", v.fact(textTakesBack, link(here("runs", string(r.UndoOf)), v.say(textTheRun)))),
			g.If(r.Chosen(), v.fact(textOnlyFor, v.onlyFor(rv))),
			g.If(len(r.EditedBy) > 0, v.fact(textEditedBy, v.editors(r))),
			v.fact(textWhatLedToIt, v.ledTo(r)),
			v.waves(r),
		),
		v.runActs(r, rv.filter))
}

// goesOn is how many of a run's changes are to be written: those that were let go on.
func goesOn(r *directory.Run) int {
	if r.Approved != nil {
		return min(*r.Approved, total(r.Counts))
	}
	return total(r.Counts)
}

// settled is of how many of these it is known what became of them. Of a run of which a part was
// approved, what was declined is among those that count as refused, and is none of these.
func settled(r *directory.Run) int {
	if r.Approved != nil {
		return min(r.Applied+r.Failed, goesOn(r))
	}
	return r.Applied + r.Failed + r.Refused
}

// nothingPlanned says of a run that has ended without a plan why it wrote nothing: only one
// that is done has found everything as it should be.
func nothingPlanned(s directory.RunState) text {
	switch s {
	case directory.RunFailed:
		return textFailedPlanning
	case directory.RunCancelled:
		return textCancelledPlanning
	case directory.RunSuperseded:
		return textSupersededPlanning
	}
	return textNothingToDo
}

// onlyFor names the first of the users and objects that a run is about.
func (v *visit) onlyFor(rv *runView) g.Node {
	refs := firstOf(&rv.run)
	list := g.Map(refs, func(r directory.Ref) g.Node { return v.object(r, rv.names) })
	if more := len(rv.run.UserIDs) + len(rv.run.Objects) - len(refs); more > 0 {
		list = append(list, v.count(countMoreParts, more))
	}
	return dotted(list)
}

// object names an object of ours, with a link to what it is about.
func (v *visit) object(r directory.Ref, known names) g.Node {
	if g1, u, ok := r.Member(); ok {
		return g.Group([]g.Node{v.object(directory.AccountOf(u), known), g.Text(" → "), v.object(directory.GroupRef(g1), known)})
	}
	if g1, member, ok := r.Nested(); ok {
		return g.Group([]g.Node{v.object(directory.GroupRef(member), known), g.Text(" → "), v.object(directory.GroupRef(g1), known)})
	}
	switch {
	case strings.HasPrefix(r.ID, "usr_"):
		return link(here("users", r.ID), data(known.of(r.ID)))
	case strings.HasPrefix(r.ID, "grp_"):
		return link(here("groups", r.ID), data(known.of(r.ID)))
	}
	return data(known.of(r.ID))
}

// ledTo leads to what is on record of why there is a run: the edits and loads of whom it
// is about, where that is one; else of everybody up to its beginning.
func (v *visit) ledTo(r *directory.Run) g.Node {
	by := []string{"until", r.StartedAt.UTC().Add(time.Second).Format(time.RFC3339)}
	if len(r.UserIDs) == 1 && len(r.Objects) == 0 {
		by = append(by, "userId", string(r.UserIDs[0]))
	}
	return link(query("/console/activity", by...), v.say(textInActivity))
}

// decisions tells who decided about a run, when, and why.
func (v *visit) decisions(r *directory.Run) g.Node {
	if len(r.Decisions) == 0 && r.Reason == "" {
		return nil
	}
	list := []g.Node{}
	if r.Reason != "" {
		list = append(list, h.Li(h.Class("line"), v.say(textAskedBecause), g.Text(" "), data(r.AskedBy), g.Text(": "), h.Q(data(r.Reason))))
	}
	for _, d := range r.Decisions {
		act := g.Node(code(string(d.Kind)))
		if word, known := kindWord(d.Kind); known {
			act = v.say(word)
		}
		list = append(list, h.Li(h.Class("line"), h.Strong(act), g.Text(" · "), data(d.By), g.Text(" · "), v.ago(d.At), g.If(d.Reason != "", g.Group([]g.Node{g.Text(": "), h.Q(data(d.Reason))}))))
	}
	return h.Section(h.H2(v.say(textDecisions)), h.Ul(h.Class("bare"), g.Group(list)))
}

// trigger says who or what asked for a run.
func (v *visit) trigger(r *directory.Run) g.Node {
	var t text
	switch r.Trigger {
	case directory.TriggerSchedule:
		t = textBySchedule
	case directory.TriggerEdit:
		t = textByEdit
	case directory.TriggerBinding:
		t = textByBinding
	default:
		t = textByAdmin
	}
	return g.Group([]g.Node{v.say(t), g.If(r.AskedBy != "", g.Group([]g.Node{g.Text(" · "), data(r.AskedBy)}))})
}

// runActs are what can be done about a run as a whole.
func (v *visit) runActs(r *directory.Run, filter runFilter) g.Node {
	at := here("runs", string(r.ID))
	var list []g.Node
	switch {
	case r.State == directory.RunPlanned && r.Kind == directory.KindUndo && total(r.Counts) > 0:
		list = append(list, v.act(scopeWrite, here("runs", string(r.UndoOf), "undo"), countPutBack.of(total(r.Counts)), "primary", v.undoAsk(r.UserIDs, r.Objects, r.Properties)...))
	case r.State == directory.RunPlanned && r.Settings == nil && r.Release == "" && r.Kind == directory.KindSync && len(r.UserIDs)+len(r.Objects) <= mostChosen:
		list = append(list, v.act(scopeWrite, here("connections", string(r.ConnectionID), "sync"), textRunItNow, "primary", v.undoAsk(r.UserIDs, r.Objects, nil)...))
	case (r.State == directory.RunDone || r.State == directory.RunFailed || r.State == directory.RunCancelled) && r.Applied > 0 && !r.DryRun:
		list = append(list, v.linkButton(scopeWrite, at+"/undo", textTakeBack, ""))
	case r.State == directory.RunPlanning || r.State == directory.RunApplying || r.State == directory.RunWaiting:
		list = append(list, v.act(scopeWrite, at+"/cancel", textCancel, ""))
	}
	if total(r.Counts) > 0 {
		list = append(list, link(filter.at(at+"/changes.csv"), h.Class("button quiet"), v.say(textCSV)))
	}
	return h.Div(h.Class("row"), g.Group(list))
}

// runError is why a run failed, and what its plan lacks.
func (v *visit) runError(r *directory.Run) g.Node {
	var list []g.Node
	if r.Error != nil {
		list = append(list, v.box(toneBad, v.say(textWhyFailed), v.trouble(r.Error)))
	}
	for i := range r.Findings {
		list = append(list, v.box(toneWarn, v.say(textPlanLacks), v.trouble(&r.Findings[i])))
	}
	return g.Group(list)
}

// trouble is a problem of the vocabulary: cause, next step, codes.
func (v *visit) trouble(p *directory.Problem) g.Node {
	return h.Div(h.P(v.sentence(p.Message)), g.If(p.Next != "", h.P(h.Strong(v.say(textWhatNow)), g.Text(" "), v.sentence(p.Next))),
		h.P(h.Class("faint"), code(p.Code), g.If(p.Property != "", g.Group([]g.Node{g.Text(" "), code(p.Property)})),
			g.If(p.MicrosoftCode != "", g.Group([]g.Node{g.Text(" Microsoft: "), code(p.MicrosoftCode)})),
			g.If(p.RequestID != "", g.Group([]g.Node{g.Text(" request-id "), code(p.RequestID)})),
			g.If(p.Incident != "", g.Group([]g.Node{g.Text(" "), v.say(textIncident), g.Text(" "), code(p.Incident)}))))
}

// heldBox says why a run is held, and leads to the decision.
func (v *visit) heldBox(rv *runView) g.Node {
	r := &rv.run
	if r.State != directory.RunHeld || r.Held == nil {
		return nil
	}
	var reasons []g.Node
	for _, e := range r.Held.Limits {
		reasons = append(reasons, h.Li(v.exceeded(e), v.whyLimit(&rv.con, e)))
	}
	for _, f := range r.Held.Facts {
		reasons = append(reasons, h.Li(v.heldFact(f), v.pusherActs(r, f)))
	}
	if w := r.Held.Wave; w != nil {
		reasons = append(reasons, h.Li(v.say(textWaveFailed, v.lang.number(w.Wave), v.lang.number(w.Sent), v.lang.number(w.Failed), v.lang.number(w.Mismatched))))
	}
	if len(reasons) == 0 {
		for _, s := range r.Held.Reasons {
			reasons = append(reasons, h.Li(v.sentence(s)))
		}
	}
	passes := textHeldSomePasses
	switch {
	case r.Held.All && r.Applied > 0:
		passes = textHeldRest
	case r.Held.All:
		passes = textHeldAll
	}
	at, all := here("runs", string(r.ID)), openOf(r)
	return h.Section(h.Class("box warn held"), h.H2(v.say(textWhyHeld)), h.Ul(reasons...), h.P(h.Class("faint"), v.say(passes)),
		g.If(v.mayNot(rv), h.P(h.Strong(v.say(textFourEyes)))),
		h.Details(h.Summary(v.say(textInWordsOfAPI)), h.Ul(g.Map(r.Held.Reasons, func(s string) g.Node { return h.Li(v.sentence(s)) })...)),
		h.Div(h.Class("row"),
			v.linkButton(scopeApprove, at+"/approve?what=all", textApproveAll, "primary", g.Text(" ("+v.lang.number(all)+")"), h.Data("key", "a")),
			v.linkButton(scopeApprove, at+"/decline", textDeclineAll, "", h.Data("key", "d"))))
}

// mayNot reports whether four eyes keep this admin from approving.
func (v *visit) mayNot(rv *runView) bool {
	if !rv.con.Settings.FourEyes {
		return false
	}
	for _, by := range append([]string{rv.run.AskedBy}, rv.run.EditedBy...) {
		if by == v.s.Subject {
			return true
		}
	}
	return false
}

// exceeded says which limit of the guard a plan goes beyond.
func (v *visit) exceeded(e directory.Exceeded) g.Node {
	when := textInRun
	switch e.Period {
	case directory.PeriodDay:
		when = textInDay
	case directory.PeriodWeek:
		when = textInWeek
	}
	line := []g.Node{v.effectBadge(e.Effect), g.Text(" "), h.Strong(v.number(e.Count)), g.Text(" "), v.say(textMoreThan), g.Text(" "), h.Strong(v.number(e.Limit)), g.Text(" "), v.say(when)}
	if e.Slice != "" {
		line = append(line, g.Text(" – "), v.slice(e.Slice))
	}
	if e.Worst != "" {
		line = append(line, g.Text(" ("), v.say(textMostly), g.Text(" "), v.slice(e.Worst), g.Text(": "), v.number(e.WorstCount), g.Text(")"))
	}
	return g.Group(line)
}

// slice is a part of the users that a limit counts by itself, as the API names it: "department
// Sales".
func (v *visit) slice(s string) g.Node {
	switch dimension, of, _ := strings.Cut(s, " "); directory.Dimension(dimension) {
	case directory.ByDepartment:
		return g.Group([]g.Node{v.say(textOfDepartment), g.Text(" "), data(of)})
	case directory.ByDomain:
		return g.Group([]g.Node{v.say(textOfDomain), g.Text(" "), data(of)})
	}
	return data(s)
}

// whyLimit says where the limit of a guard comes from: "5 % of 212 bound accounts". The
// settings and the number are those of now; where they do not come to the limit that held
// the run, only the setting is named.
func (v *visit) whyLimit(c *connection, e directory.Exceeded) g.Node {
	set := link(here("connections", string(c.ID), "settings"), v.say(textSettings))
	allowed, limited := c.Settings.Guard[e.Effect].Allowances(e.Effect)[e.Period]
	why := g.Node(v.say(textLimitOfGuard))
	switch share := strconv.FormatFloat(math.Round(allowed.Share*1e6)/1e4, 'f', -1, 64); {
	case e.Slice != "" || e.Kind != "" || !limited:
	case e.Limit == allowed.Count && allowed.Share > 0:
		why = v.say(textLimitIsLarger, share)
	case e.Limit == allowed.Count:
		why = v.say(textLimitIsSet)
	case allowed.Share > 0 && e.Limit == int(math.Floor(allowed.Share*float64(c.BoundCount)+1e-9)):
		why = v.say(textLimitIsShareOf, share, v.lang.number(c.BoundCount))
	case allowed.Share > 0 && e.Limit > allowed.Count:
		why = v.say(textLimitIsShare, share)
	}
	return h.Small(h.Class("faint"), g.Text(" ("), v.say(textLimit), g.Text(" "), v.number(e.Limit), g.Text(", "), why, g.Text("; "), set, g.Text(")"))
}

// heldFact says which fact holds a run.
func (v *visit) heldFact(f directory.HeldFact) g.Node {
	switch f.Code {
	case directory.HeldApproveMode:
		return v.say(textHeldMode)
	case directory.HeldSourceEmpty:
		return v.say(textHeldEmpty)
	case directory.HeldSourceShrank:
		return v.say(textHeldShrank, v.lang.number(f.Then), v.lang.number(f.Now))
	case directory.HeldReadIncomplete:
		return v.say(textHeldIncomplete)
	case directory.HeldSettingsChanged:
		return v.say(textHeldSettings, v.lang.number(f.Now))
	case directory.HeldGuardLoosened:
		return v.say(textHeldLoosened)
	case directory.HeldRolesUnreadable:
		return v.say(textHeldRoles)
	case directory.HeldPushed:
		if f.ScimClientID == "" { // of a run that was held before that was kept
			return g.Group([]g.Node{v.say(textHeldPushedBy), g.Text(" "), data(f.Name)})
		}
		return g.Group([]g.Node{v.say(textHeldPushedBy), g.Text(" "), link(here("sources", string(f.ScimClientID)), data(f.Name))})
	}
	return code(f.Code)
}

// pusherActs lead from a run to what the client whose pushes it comes from has asked for,
// and pause it: a wrong scope there goes on until somebody does.
func (v *visit) pusherActs(r *directory.Run, f directory.HeldFact) g.Node {
	if f.ScimClientID == "" {
		return nil
	}
	at := here("sources", string(f.ScimClientID))
	return h.Div(h.Class("row"), link(query(at+"/requests", "only", "changed"), h.Class("button"), v.say(textItsRequests)), v.act(scopeAdmin, at+"/pause", textPauseSource, "", hidden("to", here("runs", string(r.ID)))), link(at+"/take-back", h.Class("button"), v.say(textTakeBackDots)))
}

// editors names who has edited what a run comes from, the first of them.
func (v *visit) editors(r *directory.Run) g.Node {
	names := map[directory.ScimClientID]string{}
	if r.Held != nil {
		for _, f := range r.Held.Facts {
			names[f.ScimClientID] = f.Name
		}
	}
	var list []g.Node
	for _, by := range r.EditedBy[:min(len(r.EditedBy), mostOnlyFor)] {
		one := data(by)
		if id, is := directory.ScimClientOf(by); is {
			one = link(here("sources", by), data(orID(names[id], by)))
		}
		list = append(list, one)
	}
	return dotted(list)
}

// steps shows where a run stands on its way.
func (v *visit) steps(r *directory.Run) g.Node {
	if r.DryRun {
		return nil
	}
	at := 3
	switch r.State {
	case directory.RunPlanning:
		at = 0
	case directory.RunHeld:
		at = 1
	case directory.RunApplying, directory.RunWaiting:
		at = 2
	}
	last := textStateDone
	if r.State == directory.RunFailed || r.State == directory.RunCancelled || r.State == directory.RunSuperseded {
		_, last = runState(r)
	}
	var items []g.Node
	for i, word := range []text{textStepPlan, textStepDecide, textStepWrite, last} {
		class := "todo"
		switch {
		case i < at:
			class = "past"
		case i == at:
			class = "now"
		}
		if i == 1 && at != 1 {
			if r.ApprovedBy == "" {
				continue // nobody had to decide
			}
		}
		items = append(items, h.Li(h.Class(class), g.If(i == at, h.Aria("current", "step")), v.say(word), g.If(i == at, v.howFar(r))))
	}
	return h.Ol(h.Class("steps"), v.label(textSteps), g.Group(items))
}

// howFar says of the step where a run stands how far that is.
func (v *visit) howFar(r *directory.Run) g.Node {
	var more string
	switch all := goesOn(r); {
	case r.State == directory.RunHeld && r.Held != nil && r.Held.Wave != nil:
		more = v.lang.say(textAfterWave, v.lang.number(r.Held.Wave.Wave))
	case (r.State == directory.RunApplying || r.State == directory.RunWaiting) && all > 0:
		more = v.lang.say(textSoMany, v.lang.number(settled(r)), v.lang.number(all))
		if i := slices.IndexFunc(r.Waves, func(w directory.RunWave) bool { return w.Wave < w.Waves }); i >= 0 { // the one that is waited for
			more = v.waveOf(&r.Waves[i]) + "; " + more
		} else if len(r.Waves) > 0 {
			more = v.waveOf(&r.Waves[0]) + "; " + more
		}
	default:
		return nil
	}
	return g.Group([]g.Node{g.Text(" ("), g.Text(more), g.Text(")")})
}

// waveOf is the wave that may be sent.
func (v *visit) waveOf(w *directory.RunWave) string {
	return v.lang.say(textWaveOf, v.lang.number(w.Wave), v.lang.number(w.Waves))
}

// waves say of each kind that goes in waves how far it has come, and what is waited for.
func (v *visit) waves(r *directory.Run) g.Node {
	if len(r.Waves) == 0 {
		return nil
	}
	return v.fact(textWaves, g.Group(g.Map(r.Waves, func(w directory.RunWave) g.Node {
		more := g.Node(v.say(textWaveLast))
		if !w.LookAt.IsZero() {
			more = g.Group([]g.Node{v.say(textWaveLook), g.Text(" "), v.moment(w.LookAt)})
		}
		return h.Div(v.effectBadge(w.Class), g.Text(" "+v.waveOf(&w)+", "+v.lang.say(textWaveUpTo, v.lang.number(w.Allowed), v.lang.number(w.Changes))), h.Small(more))
	})))
}

// partLists count a plan by department and by domain, each a link to its changes.
func (v *visit) partLists(rv *runView, p parts) g.Node {
	lists := []g.Node{}
	for _, dimension := range []struct {
		name  text
		query string
		now   string
		list  []part
	}{{textByDepartment, "department", rv.filter.department, p.Departments}, {textByDomain, "domain", rv.filter.domain, p.Domains}} {
		if len(dimension.list) < 2 {
			continue
		}
		most := 1
		for _, one := range dimension.list {
			most = max(most, one.sum())
		}
		var items []g.Node
		for i, one := range dimension.list {
			if i == 8 {
				items = append(items, h.Li(h.Class("faint"), v.count(countMoreParts, len(dimension.list)-i)))
				break
			}
			name := g.Node(v.say(textNone))
			if strings.Contains(one.Name, ",") || !filterable(one.Name) {
				name = data(one.Name) // in a filter a comma parts names
			} else if one.Name != "" {
				name = link(v.with(dimension.query, one.Name, "next", ""), h.Data("swap", "#changes"), data(one.Name))
			}
			items = append(items, h.Li(h.Span(h.Class("name"), name), h.Meter(h.Max(strconv.Itoa(most)), h.Value(strconv.Itoa(one.sum())), v.label(textShare)), h.Span(h.Class("num"), v.number(one.sum()))))
		}
		lists = append(lists, h.Div(h.H3(v.say(dimension.name)), h.Ul(h.Class("bars"), g.Group(items))))
	}
	if len(lists) == 0 {
		return nil
	}
	return h.Details(h.Class("parts"), g.If(rv.run.State == directory.RunHeld, g.Attr("open")), h.Summary(v.say(textWhereItIs)), h.Div(h.Class("columns"), g.Group(lists)))
}

// askLeft asks what an undo leaves as it is; nil when it leaves nothing.
func (v *visit) askLeft(r *directory.Run) *later[page[left]] {
	if r.Left == 0 {
		return nil
	}
	asked := ask[page[left]](v, apiPath("runs", string(r.ID), "left"))
	return &asked
}

// leftBox says what an undo leaves as it is.
func (v *visit) leftBox(rv *runView, asked *later[page[left]]) g.Node {
	if asked == nil {
		return nil
	}
	return partly(v, *asked, func(p page[left]) g.Node {
		what, why := column{head: textWhat}, column{head: textWhy}
		wrote, found := column{head: textWrote}, column{head: textFound}
		var rows []g.Node
		for i := range p.Items {
			l := &p.Items[i]
			rows = append(rows, h.Tr(v.cell(what, v.object(l.ref(), rv.names), g.Text(" "), g.If(l.Property != "", code(l.Property))), v.cell(wrote, v.leftValue(l, l.Wrote)), v.cell(found, v.leftValue(l, l.Found)), v.cell(why, v.sentence(l.Message))))
		}
		return h.Section(h.H2(v.say(textStays)), h.P(v.count(countLeft, rv.run.Left)), v.table(textStays, []column{what, wrote, found, why}, rows),
			g.If(p.Next != "", h.P(h.Class("faint"), v.say(textAndMore))))
	})
}

// leftValue is a value of a property that is left; what has no property has none.
func (v *visit) leftValue(l *left, x directory.Value) g.Node {
	if l.Property == "" {
		return dash()
	}
	return v.side(l.Property, x)
}

// ref is what is left.
func (l *left) ref() directory.Ref { return refOf(l.UserID, l.Object) }

// value is a value of an account.
func (v *visit) value(x directory.Value) g.Node {
	if x.IsNull() {
		return h.Span(h.Class("faint"), v.say(textEmptyValue))
	}
	if yes, is := x.Bool(); is {
		if yes {
			return v.say(textYes)
		}
		return v.say(textNo)
	}
	return data(x.String())
}

func cancelRun(v *visit) (answer, error) {
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("runs", v.id(), "cancel"), nil, nil); err != nil {
		return nil, err
	}
	return v.done(here("runs", v.id()), v.lang.say(textCancelled)), nil
}
