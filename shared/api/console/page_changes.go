package console

import (
	"slices"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// changeList are a page of a run's changes, to look at and, of a held run, to choose of.
func (v *visit) changeList(rv *runView) g.Node {
	choosing := rv.run.State == directory.RunHeld && v.s.has(scopeApprove)
	if len(rv.changes.Items) == 0 {
		switch {
		case rv.filter.any() && rv.changes.Next == "":
			return h.Div(v.filterForm(rv), v.empty(textNoneMatch, h.P(link(here("runs", string(rv.run.ID)), v.say(textShowAll)))))
		case rv.run.State == directory.RunPlanning:
			return v.empty(textNotPlannedYet)
		case rv.changes.Next == "":
			return v.empty(textNoChanges)
		}
	}
	effect, account, what, why := column{head: textEffect}, column{head: textAccount}, column{head: textWhatChanges}, column{head: textWhy}
	state := column{head: textBecameOfIt}
	columns := []column{effect, account, what, why, state}
	// While nothing has been decided, every change stands where the others do.
	settled := slices.ContainsFunc(rv.changes.Items, func(c directory.Change) bool {
		return c.State != directory.ChangePlanned && c.State != "" || len(c.Findings) > 0
	})
	if !settled {
		columns = columns[:4]
	}
	if choosing {
		columns = append([]column{{head: textChoose}}, columns...)
	}
	shown := choice{}
	var rows []g.Node
	for i := range rv.changes.Items {
		c := &rv.changes.Items[i]
		p, ok := placeOf(rv.run.ID, c.ID)
		cells := []g.Node{v.cell(effect, v.effectBadge(c.Effect)), v.cell(account, v.changed(c, rv.names)), v.cell(what, v.diff(c), v.compare(rv, c, p, ok && choosing)), v.cell(why, v.cause(c))}
		if settled {
			cells = append(cells, v.cell(state, v.changeState(c)))
		}
		if choosing {
			box := g.Node(dash())
			if ok && (c.State == directory.ChangePlanned || c.State == "") {
				shown[p] = true
				box = h.Label(h.Class("tick"), h.Input(h.Type("checkbox"), h.Name("c"), h.Value(p.String()), g.If(rv.chosen[p], h.Checked()), v.label(textChooseThis, clean(nameOf(c)))))
			}
			cells = append([]g.Node{v.cell(columns[0], box)}, cells...)
		}
		rows = append(rows, h.Tr(g.Group(cells)))
		if rv.opened && ok && p == rv.open {
			rows = append(rows, h.Tr(h.Class("opened"), h.Td(h.ColSpan(strconv.Itoa(len(columns))), v.compared(rv, c))))
		}
	}
	table := v.table(textChanges, columns, rows)
	if !choosing {
		return h.Div(v.filterForm(rv), table, v.pager(rv.changes.Next))
	}
	return h.Div(v.filterForm(rv), v.chooser(rv, shown, table))
}

// chooser is the form around the changes of a held run: ticks survive its pages.
func (v *visit) chooser(rv *runView, shown choice, table g.Node) g.Node {
	at := here("runs", string(rv.run.ID))
	fields := []g.Node{hidden("s", rv.chosen.String()), hidden("shown", shown.String())}
	pairs := rv.filter.pairs()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fields = append(fields, hidden(pairs[i], pairs[i+1]))
		}
	}
	var elsewhere int
	for p := range rv.chosen {
		if !shown[p] {
			elsewhere++
		}
	}
	filtered := g.Node(nil)
	narrowed := rv.filter
	narrowed.state = "" // what is open is decided about
	if narrowed.any() {
		filtered = h.Button(h.Type("submit"), h.FormAction(at+"/approve"), h.Name("what"), h.Value("filter"), v.say(textApproveFiltered))
	}
	return h.Form(h.Method("get"), h.Action(at), h.Class("chooser"), h.Data("select", ""), g.Group(fields),
		h.Div(h.Class("bar"),
			h.Label(h.Class("tick all"), h.Input(h.Type("checkbox"), h.Data("all", "")), v.say(textAllOfPage)),
			h.Span(h.Class("chosen"), h.Data("count", ""), h.Data("elsewhere", v.lang.number(elsewhere)), g.If(len(rv.chosen) > 0, v.count(countChosen, len(rv.chosen)))),
			h.Button(h.Type("submit"), h.Class("primary"), h.FormAction(at+"/approve"), h.Name("what"), h.Value("chosen"), v.say(textApproveChosen)),
			filtered),
		table,
		h.Div(h.Class("pager"),
			g.If(v.r.URL.Query().Get("next") != "", h.Button(h.Type("submit"), h.Name("next"), h.Value(""), v.say(textFirstPage))),
			g.If(rv.changes.Next != "", h.Button(h.Type("submit"), h.Name("next"), h.Value(rv.changes.Next), v.say(textNextPage)))))
}

// pager leads through a list whose places the API hands out: to its beginning, and on.
func (v *visit) pager(next string) g.Node {
	now := v.r.URL.Query().Get("next")
	if now == "" && next == "" {
		return nil
	}
	return h.Nav(h.Class("pager"), v.label(textPages),
		g.If(now != "", link(v.with("next", ""), h.Class("button"), v.say(textFirstPage))),
		g.If(next != "", link(v.with("next", next), h.Class("button"), v.say(textNextPage))))
}

// filterForm narrows the changes of a run down.
func (v *visit) filterForm(rv *runView) g.Node {
	pick := func(name, now string, caption text, options []g.Node) g.Node {
		return h.Label(v.say(caption), h.Select(h.Name(name), h.Option(h.Value(""), v.say(textAny)), g.Group(options)))
	}
	var effects []g.Node
	for _, e := range graveFirst(rv.run.Counts) {
		effects = append(effects, h.Option(h.Value(string(e)), g.If(string(e) == rv.filter.effect, h.Selected()), v.say(words(e).name)))
	}
	var states []g.Node
	for _, s := range []directory.ChangeState{directory.ChangePlanned, directory.ChangeApproved, directory.ChangeDeclined, directory.ChangeApplied, directory.ChangeFailed, directory.ChangeOutdated, directory.ChangeRefused} {
		_, word := changeWord(s)
		states = append(states, h.Option(h.Value(string(s)), g.If(string(s) == rv.filter.state, h.Selected()), v.say(word)))
	}
	input := func(name, now string, caption text) g.Node {
		return h.Label(v.say(caption), h.Input(h.Type("text"), h.Name(name), h.Value(now), h.MaxLength("100"), h.AutoComplete("off")))
	}
	return h.Details(h.Class("filter"), g.If(rv.filter.any(), g.Attr("open")), h.Summary(v.say(textFilter)),
		h.Form(h.Method("get"), h.Action(here("runs", string(rv.run.ID))), h.Class("row"), h.Data("swap", "#changes"), g.If(len(rv.chosen) > 0, hidden("s", rv.chosen.String())),
			pick("effect", rv.filter.effect, textEffect, effects), pick("state", rv.filter.state, textBecameOfIt, states),
			input("property", rv.filter.property, textProperty), input("department", rv.filter.department, textDepartment),
			input("domain", rv.filter.domain, textDomain), input("user", rv.filter.user, textUserID),
			h.Button(h.Type("submit"), v.say(textShow)),
			g.If(rv.filter.any(), link(here("runs", string(rv.run.ID)), v.say(textShowAll)))))
}

// nameOf is what people call the object of a change.
func nameOf(c *directory.Change) string {
	switch {
	case c.UserPrincipalName != "":
		return c.UserPrincipalName
	case c.ScopeName != "":
		return c.ScopeName
	case c.UserID != "":
		return string(c.UserID)
	}
	return c.Object.ID
}

// changed names the object of a change.
func (v *visit) changed(c *directory.Change, known names) g.Node {
	name := data(nameOf(c))
	if c.UserPrincipalName == "" && c.ScopeName == "" {
		name = v.object(c.Ref(), known)
	}
	return g.Group([]g.Node{h.Span(h.Class("who"), name),
		g.If(c.ScopeName != "" && nameOf(c) != c.ScopeName, h.Small(data(c.ScopeName))),
		g.If(c.Department != "", h.Small(data(c.Department)))})
}

// fewProperties is how many properties a row shows before it is opened.
const fewProperties = 2

// mostLines is how many more properties a page has, of all its changes: fifty new accounts
// of twenty properties would be a quarter of a megabyte.
const mostLines = 40

// diff is what a change writes: before and after, property by property.
func (v *visit) diff(c *directory.Change) g.Node {
	return v.diffBy(c, func(p directory.PropertyChange) g.Node {
		return h.Li(h.Class("diff"), h.Span(h.Class("prop"), v.property(p.Name)), g.Text(" "), v.sides(p), v.cannotBack(p.Irreversible, nil))
	})
}

// diffBy is diff with what a property and its values are called.
func (v *visit) diffBy(c *directory.Change, line func(p directory.PropertyChange) g.Node) g.Node {
	// What stays as it is is no difference: an adoption tells all that it takes over.
	differs := slices.DeleteFunc(slices.Clone(c.Properties), func(p directory.PropertyChange) bool { return p.Before.Equal(p.After) })
	switch {
	case c.Effect == directory.EffectRevoke:
		return h.Span(h.Class("faint"), v.sentence(c.Effect.Row().Irreversible))
	case len(differs) == 0:
		return v.cannotBack(c.Irreversible, h.Span(h.Class("faint"), v.say(textNoValues)))
	}
	few := h.Ul(h.Class("diffs"), g.Group(g.Map(differs[:min(fewProperties, len(differs))], line)))
	rest := g.Node(nil)
	if len(differs) > fewProperties {
		more := differs[fewProperties:]
		said := v.count(countMoreProperties, len(more))
		if v.lines += len(more); v.lines <= mostLines {
			rest = h.Details(h.Summary(said), h.Ul(h.Class("diffs"), g.Group(g.Map(more, line))))
		} else if run, _, ok := strings.Cut(string(c.ID), "."); ok && c.UserID != "" {
			rest = link(query(here("runs", run), "user", string(c.UserID)), said) // where they all are
		} else {
			rest = h.Span(h.Class("faint"), said)
		}
	}
	return g.Group([]g.Node{few, rest, v.cannotBack(c.Irreversible, nil)})
}

// property is a property of Microsoft's, or an attribute of ours, by the word that people have
// for it; its name is what shows when one rests on it.
func (v *visit) property(name string) g.Node {
	word, known := attributeWord(name)
	switch name {
	case directory.PropAccountEnabled:
		word, known = textPropSignIn, true
	case directory.PropUserPrincipalName:
		word, known = textPropSignInName, true
	default:
		if a, is := directory.AttributeOf(name); is && a.Custom == "" {
			if ours, ok := attributeWord(a.Path); ok {
				word, known = ours, true
			}
		}
	}
	if !known {
		return code(name)
	}
	return h.Span(h.Title(clean(name)), v.say(word))
}

// sides are what a property was and what it becomes; of a long text, what of it changes.
func (v *visit) sides(p directory.PropertyChange) g.Node {
	a, text1 := p.Before.Text()
	b, text2 := p.After.Text()
	if text1 && text2 && worthComparing(a, b) {
		if list := wordDiff(a, b); list != nil {
			return g.El("bdi", h.Class("words"), g.Group(g.Map(list, func(x piece) g.Node {
				said := g.Text(cleanTo(x.text, longestSentence))
				switch x.op {
				case removed:
					return h.Del(said)
				case added:
					return h.Ins(said)
				}
				return said
			})))
		}
	}
	return g.Group([]g.Node{v.before(p), g.Text(" → "), v.after(p)})
}

// cause is why a change is planned, and leads to the acts that it comes from.
func (v *visit) cause(c *directory.Change) g.Node {
	user := c.Ref().Concerns().User()
	if user == "" || c.Reason == "" {
		return v.sentence(c.Reason)
	}
	return link(query("/console/activity", "userId", string(user)), h.Class("cause"), v.sentence(c.Reason))
}

// compare leads to a change beside what is agreed, and what is at Microsoft now: while it
// is still to be written, and about an account.
func (v *visit) compare(rv *runView, c *directory.Change, p place, inForm bool) g.Node {
	undecided := c.State == directory.ChangePlanned || c.State == directory.ChangeApproved || c.State == ""
	if !undecided || c.UserID == "" || rv.run.Kind != directory.KindSync || len(c.Properties) == 0 || rv.opened && p == rv.open {
		return nil
	}
	name := v.label(textCompareThis, clean(nameOf(c)))
	if inForm { // the form has the ticks, and takes them along
		return h.Button(h.Type("submit"), h.Class("small quiet"), h.Name("open"), h.Value(p.String()), name, v.say(textCompare))
	}
	return link(v.with("open", p.String()), h.Class("button small quiet"), h.Data("swap", "#opened"), name, v.say(textCompare))
}

// compared is a change in full: each property at Microsoft now, as it will be, and as it was
// last agreed, and why.
func (v *visit) compared(rv *runView, c *directory.Change) g.Node {
	at := query(apiPath("users", string(c.UserID), "explain"), "connectionId", string(rv.run.ConnectionID))
	body := partly(v, ask[explanation](v, at), func(e explanation) g.Node {
		prop, now, then, agreed, from := column{head: textProperty}, column{head: textAtMicrosoft}, column{head: textWillBe}, column{head: textAgreed}, column{head: textFromWhere}
		var rows []g.Node
		same := 0
		for _, p := range c.Properties { // what is no attribute of a user, as whether the account may sign in
			if !slices.ContainsFunc(e.Attributes, func(a explainedAttribute) bool { return a.Name == p.Name }) {
				rows = append(rows, h.Tr(v.cell(prop, v.property(p.Name)), v.cell(now, v.before(p)), v.cell(then, v.after(p)), v.cell(agreed, dash()), v.cell(from, v.sentence(c.Reason))))
			}
		}
		for _, a := range e.Attributes {
			planned := slices.IndexFunc(c.Properties, func(p directory.PropertyChange) bool { return p.Name == a.Name })
			theirs := !a.Observed.Equal(a.Base) && !a.Base.IsNull()
			if planned < 0 && a.Observed.Equal(a.Desired) {
				same++
				continue
			}
			will := g.Node(h.Span(h.Class("faint"), v.say(textStaysSo)))
			if planned >= 0 {
				will = v.after(c.Properties[planned])
			}
			found := g.Node(v.side(a.Name, a.Observed))
			if planned >= 0 {
				found = h.Del(v.side(a.Name, a.Observed))
			}
			rows = append(rows, h.Tr(v.cell(prop, code(a.Name)), v.cell(now, found, g.If(theirs, h.Small(v.badge(toneWarn, textChangedThere)))),
				v.cell(then, will), v.cell(agreed, v.side(a.Name, a.Base)), v.cell(from, v.sentence(a.Rule), g.If(a.Reason != "", h.Small(v.sentence(a.Reason))), g.If(a.Note != "", h.Small(v.sentence(a.Note))))))
		}
		if len(rows) == 0 {
			return h.P(v.say(textNoValues))
		}
		return h.Div(v.table(textCompare, []column{prop, now, then, agreed, from}, rows), g.If(same > 0, h.P(h.Class("faint"), v.count(countSame, same))))
	})
	return h.Div(h.ID("opened"), h.H3(h.TabIndex("-1"), v.say(textCompareThis, clean(nameOf(c)))), body,
		h.P(link(query(here("users", string(c.UserID), "explain"), "connection", string(rv.run.ConnectionID)), v.say(textExplainAll)), g.Text(" · "), link(v.with("open", ""), v.say(textClose))))
}

func (v *visit) before(p directory.PropertyChange) g.Node {
	return h.Del(v.side(p.Name, p.Before))
}

func (v *visit) after(p directory.PropertyChange) g.Node { return h.Ins(v.side(p.Name, p.After)) }

// side is one side of a property, in words where the value is a switch.
func (v *visit) side(name string, x directory.Value) g.Node {
	if yes, is := x.Bool(); is && name == "accountEnabled" {
		if yes {
			return v.say(textMaySignIn)
		}
		return v.say(textMayNotSignIn)
	}
	return v.value(x)
}

// cannotBack says what of a change cannot be taken back.
func (v *visit) cannotBack(why string, otherwise g.Node) g.Node {
	if why == "" {
		return otherwise
	}
	return g.Group([]g.Node{otherwise, h.P(h.Class("irreversible"), h.Strong(v.say(textIrreversible)), g.Text(" "), v.sentence(why))})
}

// changeWord is what became of a change as a word.
func changeWord(s directory.ChangeState) (tone, text) {
	switch s {
	case directory.ChangeApproved:
		return toneInfo, textChangeApproved
	case directory.ChangeDeclined:
		return tonePlain, textChangeDeclined
	case directory.ChangeApplied:
		return toneGood, textChangeApplied
	case directory.ChangeFailed:
		return toneBad, textChangeFailed
	case directory.ChangeOutdated:
		return tonePlain, textChangeOutdated
	case directory.ChangeRefused:
		return toneWarn, textChangeRefused
	}
	return tonePlain, textChangePlanned
}

// changeState says what became of a change, and why it came to nothing.
func (v *visit) changeState(c *directory.Change) g.Node {
	t, word := changeWord(c.State)
	nodes := []g.Node{v.badge(t, word)}
	if c.Error != nil {
		nodes = append(nodes, h.Details(h.Summary(v.say(textWhyFailed)), v.trouble(c.Error)))
	}
	for i := range c.Findings {
		nodes = append(nodes, h.Details(h.Summary(v.sentence(c.Findings[i].Message)), v.trouble(&c.Findings[i])))
	}
	if c.RequestID != "" {
		nodes = append(nodes, h.Small(h.Class("faint"), g.Text("request-id "), code(c.RequestID)))
	}
	return g.Group(nodes)
}
