package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// picked are the users whom somebody has ticked. They go along in addresses, as their IDs
// without what all begin with, so that a page with them can be sent, come back to, and
// signed in for.
type picked []directory.UserID

const (
	// mostPicked is how many users may be ticked one by one: so many one call of /v1 tells
	// the names of, and their IDs fit into an address, and once more into the Referer of
	// the next one, in the 10,240 bytes that API Gateway takes. More go by a filter.
	mostPicked = 100
	// mostMany is how many users of a filter one act takes.
	mostMany = 5_000
	// mostBound is how many users one call of /v1 binds.
	mostBound = 500
	// gatherCalls is how often /v1 is asked for the users of a filter.
	gatherCalls = 60
	// manyAtOnce is how many calls of an act about many are under way at a time.
	manyAtOnce = 8
	// namesShown is how many names the page before an act shows.
	namesShown = 20
)

const userPrefix = "usr_"

// pickable reports whether an ID can go along in a choice. All that Bindery makes can.
func pickable(id directory.UserID) bool {
	rest, ok := strings.CutPrefix(string(id), userPrefix)
	return ok && rest != "" && len(rest) <= 60 && strings.Trim(rest, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func (p picked) String() string {
	list := make([]string, len(p))
	for i, id := range p {
		list[i] = strings.TrimPrefix(string(id), userPrefix)
	}
	return strings.Join(list, ".")
}

// add puts a user into a choice; false for what is no user's ID.
func (p *picked) add(id directory.UserID) bool {
	if !pickable(id) {
		return false
	}
	if !slices.Contains(*p, id) {
		*p = append(*p, id)
	}
	return true
}

// parsePicked reads what String writes. false when a text is none, or chooses more than may
// be ticked.
func parsePicked(text string) (picked, bool) {
	var p picked
	if text == "" {
		return nil, true
	}
	for one := range strings.SplitSeq(text, ".") {
		if !p.add(directory.UserID(userPrefix+one)) || len(p) > mostPicked {
			return nil, false
		}
	}
	return p, true
}

// picked are the users that are ticked: those that the address brings, and those that are
// ticked on the page that was left.
func (v *visit) picked() (picked, bool) {
	q := v.values()
	p, ok := parsePicked(q.Get("s"))
	if !ok {
		return nil, false
	}
	for _, one := range q["c"] {
		if !p.add(directory.UserID(one)) {
			return nil, false
		}
	}
	return p, len(p) <= mostPicked
}

// manyAct is something that is done about many users at once.
type manyAct struct {
	name  string
	state directory.UserState // what it makes of them; "" for binding
	dots  text                // leads to its page
	asks  number              // the page's title
	does  number              // its button
	told  number
	left  number // those who are so already
	means text
	back  string // what takes it back
}

var manyActs = []manyAct{
	{name: "suspend", state: directory.StateSuspended, dots: textSuspendDots, asks: countSuspendAsk, does: countSuspendDo, told: countSuspended, left: countSuspendedAlready, means: textManySuspendMeans, back: "activate"},
	{name: "activate", state: directory.StateActive, dots: textActivateDots, asks: countActivateAsk, does: countActivateDo, told: countActivated, left: countActiveAlready, means: textManyActivateMeans, back: "suspend"},
	{name: "bind", dots: textBindDots, asks: countBindAsk, does: countBindDo, told: countBound, means: textBindMeans},
}

// many is an act about many users, and who they are.
type many struct {
	act    manyAct
	whom   string // the ticked ones, or those of a filter
	filter userFilter
	chosen picked
	users  []directory.User // whom the act is about
	left   int              // who are so already
	staged int              // who have not begun: they are not suspended
	owned  map[string]int   // whose state another source says
	more   bool             // there are more than one act takes
}

// loadMany reads whom an act is about.
func (v *visit) loadMany() (m many, refused answer, err error) {
	q := v.values()
	filter, err := v.userFilter()
	if err != nil {
		return m, nil, err
	}
	name := asked(q.Get("do"), manyActs[0].name, manyActs[1].name, manyActs[2].name)
	m = many{act: manyActs[slices.IndexFunc(manyActs, func(a manyAct) bool { return a.name == name })], whom: asked(q.Get("whom"), "chosen", "filter"), filter: filter, owned: map[string]int{}}
	var ok bool
	if m.chosen, ok = v.picked(); !ok {
		return m, v.refusal(http.StatusBadRequest, textTooManyPicked, v.lang.number(mostPicked)), nil
	}
	var all []directory.User
	switch {
	case m.whom == "filter":
		all, m.more, err = v.gatherUsers(m.filter)
	case len(m.chosen) > 0:
		ids := make([]string, len(m.chosen))
		for i, id := range m.chosen {
			ids[i] = string(id)
		}
		var list page[directory.User]
		_, err = v.call(v.ctx, http.MethodGet, query("/v1/users", "id", strings.Join(ids, ","), "limit", itoa(mostPicked)), nil, &list)
		all = list.Items
	}
	for _, u := range all {
		owner := u.Owners["state"]
		switch {
		case u.Deleted != nil:
		case m.act.state == "":
			m.users = append(m.users, u)
		case u.State == m.act.state:
			m.left++
		case owner != "" && owner != directory.SourceManual:
			m.owned[string(owner)]++
		case m.act.state == directory.StateSuspended && u.State == directory.StateStaged: // activating them again would let them begin
			m.staged++
		default:
			m.users = append(m.users, u)
		}
	}
	return m, nil, err
}

// gatherUsers reads all users of a filter; more says that there are more than one act takes,
// or than can be looked for in the time of a page.
func (v *visit) gatherUsers(f userFilter) (all []directory.User, more bool, err error) {
	next := ""
	for range gatherCalls {
		var list page[directory.User]
		_, err := v.call(v.ctx, http.MethodGet, f.of("limit", "500", "next", next), nil, &list)
		if p, ours := asProblem(err); ours && p.late && next != "" {
			return all, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		if all = append(all, list.Items...); len(all) > mostMany {
			return all[:mostMany], true, nil
		}
		if next = list.Next; next == "" {
			return all, false, nil
		}
	}
	return all, true, nil
}

// most is how many users the act takes.
func (m *many) most() int {
	if m.act.state == "" {
		return mostBound
	}
	return mostMany
}

// digest is of what would be done, and about whom: by it the act knows that it is about the
// very users who were shown. A number is not enough: of a filter, one may have come for
// another.
func (m *many) digest() string {
	ids := make([]string, len(m.users))
	for i := range m.users {
		ids[i] = string(m.users[i].ID)
	}
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(m.act.name + "\n" + strings.Join(ids, "\n")))
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

// fields hand on whom the act is about.
func (m *many) fields() g.Node {
	list := append(m.filter.fields(), hidden("do", m.act.name), hidden("whom", m.whom), hidden("these", m.digest()))
	if m.whom == "chosen" {
		list = append(list, hidden("s", m.chosen.String()))
	}
	return g.Group(list)
}

// list is the page that the act was asked for on.
func (m *many) list() string {
	return query("/console/users", append(m.filter.pairs(), "s", m.chosen.String())...)
}

// manyPage says what an act about many users comes to: how many, who, what follows at
// Microsoft.
func manyPage(v *visit) (answer, error) {
	if q := v.r.URL.Query(); q.Has("c") {
		chosen, ok := v.picked()
		if !ok {
			return v.refusal(http.StatusBadRequest, textTooManyPicked, v.lang.number(mostPicked)), nil
		}
		return redirect{v.with("c", "", "go", "", "from", "", "next", "", "s", chosen.String())}, nil
	}
	m, refused, err := v.loadMany()
	if err != nil || refused != nil {
		return refused, err
	}
	return v.manyView(&m, 0, nil)
}

func (v *visit) manyView(m *many, status int, why g.Node) (answer, error) {
	cons := ask[page[connection]](v, "/v1/connections?limit=100")
	n := len(m.users)
	var out []g.Node // who is left out
	if m.left > 0 {
		out = append(out, h.P(v.count(m.act.left, m.left)))
	}
	if m.staged > 0 {
		out = append(out, h.P(v.count(countStagedLeft, m.staged)))
	}
	for _, source := range sortedNames(m.owned) {
		out = append(out, h.P(v.count(countOwnedBy, m.owned[source], v.lang.say(sourceWord(directory.Source(source))))))
	}
	body := []g.Node{why}
	switch {
	case m.whom == "chosen" && len(m.chosen) == 0:
		body = append(body, v.empty(textNobodyPicked, h.P(link(m.list(), h.Class("button primary"), v.say(textBack)))))
	case m.more || n > m.most():
		body = append(body, v.box(toneWarn, v.say(textTooMany), h.P(v.say(textTooManyMore, v.lang.number(m.most()))), h.P(link(m.list(), h.Class("button primary"), v.say(textBack)))))
	case n == 0:
		body = append(body, v.empty(textNobodyToChange, g.Group(out), h.P(link(m.list(), h.Class("button primary"), v.say(textBack)))))
	default:
		follows := partly(v, cons, func(p page[connection]) g.Node { return v.followsAt(m, p.Items) })
		names := g.Map(m.users[:min(n, namesShown)], func(u directory.User) g.Node {
			return h.Li(link(here("users", string(u.ID)), data(u.Label())), h.Small(g.Text(" "), data(u.Email)))
		})
		job := m.act.state != "" && n > mostPicked
		body = append(body, h.P(h.Class("lead"), v.say(textNothingDoneYet)), g.Group(out),
			v.box(toneInfo, v.say(textWhatFollows), h.P(v.say(m.act.means)), g.If(m.act.state != "", follows)),
			h.Section(h.H2(v.say(textWho)), h.Ul(h.Class("names"), g.Group(names)), g.If(n > namesShown, h.P(h.Class("faint"), v.count(countMoreUsers, n-namesShown)))),
			g.If(job, h.P(v.say(textManyJob))),
			h.Form(h.Method("post"), h.Action("/console/users/many"), h.Class("decide"), h.Data("busy", ""), m.fields(), g.If(m.act.state == "", follows),
				h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.count(m.act.does, n)), link(m.list(), h.Class("button"), v.say(textNotYet)))))
	}
	return view{status: status, title: v.lang.count(m.act.asks, n), section: "/console/users", crumbs: []crumb{{m.list(), v.say(textUsers)}}, body: body}, nil
}

// followsAt says of each connection when it writes what the act comes to. For binding it is
// the question through which one.
func (v *visit) followsAt(m *many, list []connection) g.Node {
	var nodes []g.Node
	for _, c := range list {
		if c.Status != directory.StatusActive {
			continue
		}
		when := v.say(textWritesWithin, v.lang.lengthDative(timeOf(c.Settings.Defaulted().Interval)))
		if c.Settings.Mode == directory.ModeApprove {
			when = v.say(textWaitsForApproval)
		}
		name := h.Span(h.Strong(data(c.Name)), g.Text(" · "), when)
		if m.act.state == "" {
			nodes = append(nodes, h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("connection"), h.Value(string(c.ID)), h.Required(), g.If(len(nodes) == 0, h.Checked())), name))
		} else {
			nodes = append(nodes, h.Li(name))
		}
	}
	switch {
	case len(nodes) == 0:
		return h.P(v.say(textNoActiveConnection))
	case m.act.state == "":
		return h.FieldSet(h.Legend(v.say(textThroughWhich)), g.Group(nodes))
	}
	return h.Ul(nodes...)
}

// doMany does what manyPage showed, if it is about those who were shown.
func doMany(v *visit) (answer, error) {
	m, refused, err := v.loadMany()
	if err != nil || refused != nil {
		return refused, err
	}
	n := len(m.users)
	if n == 0 || m.more || n > m.most() || v.r.PostForm.Get("these") != m.digest() {
		return v.manyView(&m, http.StatusConflict, v.box(toneWarn, v.say(textOtherNumber), h.P(v.say(textOtherNumberMore))))
	}
	switch {
	case m.act.state == "":
		return v.bindThem(v.r.PostForm.Get("connection"), m.users)
	case n > mostPicked:
		return v.stateByJob(&m)
	}
	return v.stateOneByOne(&m), nil
}

// stateByJob has a job give users their state: by a file of theirs, a line each. A line with
// an ID is about that user or nobody, whoever has got the address until the job comes to it.
func (v *visit) stateByJob(m *many) (answer, error) {
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	for _, u := range m.users {
		line := map[string]string{"id": string(u.ID), "email": u.Email, "state": string(m.act.state)}
		if err := out.Encode(line); err != nil {
			return nil, err
		}
	}
	var j job
	if _, err := v.call(v.ctx, http.MethodPost, "/v1/users:load", raw(lines.Bytes()), &j, "Content-Type", "application/x-ndjson"); err != nil {
		return nil, err
	}
	return redirect{here("jobs", string(j.ID))}, nil
}

// notDone is a user about whom an act came to nothing, and why.
type notDone struct {
	user *directory.User
	why  *problem
}

// stateOneByOne gives each user their state by a call of its own, some at a time. A page of
// what came to nothing names each.
func (v *visit) stateOneByOne(m *many) answer {
	failed := make([]*problem, len(m.users))
	var group sync.WaitGroup
	slots := make(chan struct{}, manyAtOnce)
	for i := range m.users {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			_, err := v.call(v.ctx, http.MethodPost, apiPath("users", string(m.users[i].ID), m.act.name), nil, nil)
			if p, ours := asProblem(err); ours {
				failed[i] = p
			} else if err != nil {
				failed[i] = &problem{late: true}
			}
		})
	}
	group.Wait()
	var list []notDone
	var done picked
	for i := range m.users {
		if failed[i] != nil {
			list = append(list, notDone{&m.users[i], failed[i]})
		} else {
			done.add(m.users[i].ID)
		}
	}
	told := v.lang.count(m.act.told, len(m.users)-len(list))
	if len(list) == 0 {
		back := query("/console/users/many", "do", m.act.back, "s", done.String())
		// What an act tells goes along in a cookie. Users who were staged are made active, and
		// nothing here makes them staged again.
		staged := slices.ContainsFunc(m.users, func(u directory.User) bool { return u.State == directory.StateStaged })
		if len(back) > 1500 || staged {
			return v.done(query("/console/users", m.filter.pairs()...), told)
		}
		return v.done(query("/console/users", m.filter.pairs()...), told, back, v.lang.say(textTakeItBack))
	}
	who, why := column{head: textWho}, column{head: textWhy}
	return view{title: told, section: "/console/users", crumbs: []crumb{{m.list(), v.say(textUsers)}}, body: []g.Node{
		h.H2(v.count(countRefused, len(list))), v.table(textRefusedItems, []column{who, why}, g.Map(list, func(x notDone) g.Node {
			reason := v.say(textNoAnswerMore)
			if !x.why.late {
				reason = v.sentence(x.why.Detail)
			}
			return h.Tr(v.cell(who, link(here("users", string(x.user.ID)), h.Class("who"), data(x.user.Label()))), v.cell(why, reason, g.If(x.why.Code != "", h.Small(code(x.why.Code)))))
		})), h.P(link(m.list(), h.Class("button primary"), v.say(textBack)))}}
}

// bindThem binds users through a connection.
func (v *visit) bindThem(con string, list []directory.User) (answer, error) {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = string(list[i].ID)
	}
	return v.bindUsers(con, ids)
}
