package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

const (
	// tokenEndsSoon is how long before its end a token is told of: the last but one notice.
	tokenEndsSoon = 30 * 24 * time.Hour
	// requestsCounted is of how many requests the overview of a client tells.
	requestsCounted = 200
	// requestsShown is how many of them stand there.
	requestsShown = 10
)

// sourceState is whether a client's requests are taken, as a word.
func sourceState(c *scimClient) (tone, text, text) {
	switch {
	case c.Paused:
		return toneWarn, textPaused, textSourcePausedMeans
	case c.Tokens.Alive == 0 && c.OAuthClientID == "":
		return toneWarn, textNoTokenAlive, textNoTokens
	}
	return toneGood, textTakesRequests, textTakesRequestsMeans
}

func (v *visit) sourceBadge(c *scimClient) g.Node {
	t, word, _ := sourceState(c)
	return v.badge(t, word)
}

func strictWord(strict bool) text {
	if strict {
		return textStrict
	}
	return textTolerant
}

func ownWord(own bool) text {
	if own {
		return textSeesOwn
	}
	return textSeesAll
}

// scimClients lists the clients that push, for the page of all sources.
func (v *visit) scimClients(p page[scimClient]) g.Node {
	if len(p.Items) == 0 {
		return v.empty(textNoProviders)
	}
	name, status, last, mode, tokens := column{head: textName}, column{head: textStatus}, column{head: textLastRequest}, column{head: textMode}, column{head: textTokens}
	return h.Div(v.table(textProviders, []column{name, status, last, mode, tokens}, g.Map(p.Items, func(c scimClient) g.Node {
		return h.Tr(v.cell(name, link(here("sources", string(c.ID)), h.Class("who"), data(c.Name)), h.Small(v.providerName(c.Provider))), v.cell(status, v.sourceBadge(&c)),
			v.cell(last, v.lastRequest(&c)), v.cell(mode, v.say(strictWord(c.Strict)), h.Small(v.say(ownWord(c.OwnOnly)))), v.cell(tokens, v.tokensOf(&c)))
	})), v.pager(p.Next))
}

// lastRequest is when a client asked last, and what came of it.
func (v *visit) lastRequest(c *scimClient) g.Node {
	r := c.LastRequest
	switch {
	case r == nil && c.LastSeen.IsZero():
		return v.say(textNoRequestYet)
	case r == nil:
		return v.say(textNoRequestLately)
	}
	return g.Group([]g.Node{v.ago(r.At), h.Small(code(r.Method), g.Text(" "), v.answeredWith(r))})
}

// answeredWith is the status of an answer.
func (v *visit) answeredWith(r *directory.ScimRequest) g.Node {
	t := toneGood
	if r.Refused() {
		t = toneBad
	}
	return h.Span(h.Class("badge "+string(t)), g.Text(itoa(r.Status)))
}

// tokensOf says in the list how long a client is let in.
func (v *visit) tokensOf(c *scimClient) g.Node {
	switch left := c.Tokens.Expires.Sub(v.now()); {
	case c.byJWT():
		return v.say(textJWT)
	case c.Tokens.Alive == 0:
		return v.badge(toneWarn, textNoTokenAlive)
	case left < tokenEndsSoon:
		return g.Group([]g.Node{v.badge(toneWarn, textTokenEndsSoon), h.Small(v.moment(c.Tokens.Expires))})
	}
	return g.Group([]g.Node{v.count(countTokensAlive, c.Tokens.Alive), h.Small(v.say(textUntil), g.Text(" "), v.moment(c.Tokens.Expires))})
}

// sourceTabs are the pages of a client, by the ends of their addresses.
var sourceTabs = []struct {
	to   string
	name text
}{{"", textOverview}, {"/requests", textRequests}, {"/setup", textSetUp}, {"/settings", textSettings}, {"/take-back", textTakeBackTab}, {"/delete", textDeleteSource}}

// ofSource are the title and the pages above of a page of one client.
func (v *visit) ofSource(c *scimClient, tab string, body ...g.Node) view {
	at, title := here("sources", string(c.ID)), c.Name
	crumbs := []crumb{{"/console/sources", v.say(textSources)}}
	var items []g.Node
	for _, t := range sourceTabs {
		if t.to == tab && tab != "" {
			title = v.lang.say(textOfConnection, c.Name, v.lang.say(t.name))
		}
		items = append(items, h.Li(link(at+t.to, g.If(t.to == tab, h.Aria("current", "page")), v.say(t.name))))
	}
	if tab != "" {
		crumbs = append(crumbs, crumb{at, data(c.Name)})
	}
	return view{title: title, section: "/console/sources", crumbs: crumbs, head: []g.Node{v.sourceBadge(c)},
		body: append([]g.Node{h.Nav(h.Class("tabs"), v.label(textSourceTabs), h.Ul(items...))}, body...)}
}

// baseURL is where a client pushes to: by an app's JWT, at another address than by a token.
func (v *visit) baseURL(c *scimClient, byJWT bool) string {
	path := c.BasePath
	if byJWT {
		path = c.OAuthPath
	}
	return cleanTo(v.c.cfg.PublicURL+path, longestCall)
}

// byJWT reports whether a client pushes by the JWT of an app, and by no token of its own.
func (c *scimClient) byJWT() bool { return c.OAuthPath != "" && c.Tokens.Alive == 0 }

// copied is a value with a button to copy it by.
func (v *visit) copied(value string) g.Node {
	return g.Group([]g.Node{h.Code(g.Text(cleanTo(value, longestCall))), g.Text(" "), h.Button(h.Type("button"), h.Class("small scripted-only"), h.Data("copy", value), v.say(textCopy))})
}

// sourcePage is how it stands with one client: its tokens, and what it asked for lately.
func sourcePage(v *visit) (answer, error) {
	id := v.id()
	clients := ask[scimClient](v, apiPath("scim-clients", id))
	listed := ask[page[directory.ScimToken]](v, apiPath("scim-clients", id, "tokens"))
	requests := ask[page[directory.ScimRequest]](v, query(apiPath("scim-clients", id, "requests"), "limit", itoa(requestsCounted)))
	c, err := clients.get()
	if err != nil {
		return nil, err
	}
	at := here("sources", id)
	_, _, means := sourceState(&c)
	pause := v.act(scopeAdmin, at+"/pause", textPauseSource, "", hidden("version", itoa(int(c.Version))))
	if c.Paused {
		pause = v.act(scopeAdmin, at+"/resume", textResume, "primary", hidden("version", itoa(int(c.Version))))
	}
	first := v.wrongToken(&c)
	if p, err := requests.look(); err == nil && len(p.Items) == 0 {
		first = v.firstRequest(&c, "", nil)
	}
	return v.ofSource(&c, "",
		h.Section(h.Class("status"), h.P(h.Class("first"), v.say(means)),
			facts(v.fact(textBaseURL, v.copied(v.baseURL(&c, c.byJWT()))), g.Iff(c.OAuthPath != "" && !c.byJWT(), func() g.Node { return v.fact(textJWTURL, v.copied(v.baseURL(&c, true))) }), v.fact(textProvider, v.providerName(c.Provider)), v.fact(textMode, v.say(strictWord(c.Strict))), v.fact(textSees, v.say(ownWord(c.OwnOnly))),
				v.fact(textCreated, v.moment(c.Created)), v.fact(textUpdated, v.ago(c.Updated)), v.fact(textID, code(string(c.ID)))),
			h.Div(h.Class("row"), pause, link(query("/console/users", "source", string(directory.SourceSCIM)), h.Class("button quiet"), v.say(textLookAtThem)))),
		v.sourceLately(&c), first,
		g.Iff(len(c.Findings) > 0, func() g.Node { return h.Section(h.H2(v.say(textHealth)), v.findingList(c.Findings)) }),
		h.Section(h.H2(v.say(textTokens)), partly(v, listed, func(p page[directory.ScimToken]) g.Node { return v.tokenTable(&c, p.Items) }), g.If(!c.byJWT(), h.Div(h.Class("row"), v.linkButton(scopeAdmin, at+"/token", textIssueToken, "")))),
		h.Section(h.H2(v.say(textRequests)), partly(v, requests, func(p page[directory.ScimRequest]) g.Node { return v.lately(at, p) })),
		v.asCall("GET", apiPath("scim-clients", id))), nil
}

// sourceLately is what a client has done to people in the last 24 hours, and which runs are
// held because of it: what a wrong scope at the provider looks like from here.
func (v *visit) sourceLately(c *scimClient) g.Node {
	if c.Lately.Suspended+c.Lately.Deleted+len(c.HeldRuns) == 0 {
		return nil
	}
	var did []g.Node
	if n := c.Lately.Suspended; n > 0 {
		did = append(did, v.count(countSuspendedLately, n))
	}
	if n := c.Lately.Deleted; n > 0 {
		did = append(did, v.count(countDeletedLately, n))
	}
	at, tone, then := here("sources", string(c.ID)), toneInfo, textSourceHoldsNone
	acts := []g.Node{link(at+"/take-back", h.Class("button"), v.say(textTakeBackDots))}
	more := []g.Node(nil)
	if len(c.HeldRuns) > 0 {
		tone, then = toneWarn, textSourceHolds
		more = append(more, h.P(v.say(textIfWrongScope)))
		for _, r := range c.HeldRuns {
			acts = append(acts, link(here("runs", string(r.RunID)), h.Class("button"), v.say(textHeldRunOf, clean(r.ConnectionName))))
		}
	}
	acts = append(acts, link(query("/console/activity", "effect", string(directory.EffectBlock), "since", c.Lately.Since.UTC().Format(time.RFC3339)), h.Class("button quiet"), v.say(textBlockedSince)))
	return v.box(tone, v.say(textSourceLately), g.If(len(did) > 0, h.P(h.Strong(dotted(did)), g.Text(" "), v.say(textByInLastDay, clean(c.Name)))), h.P(v.say(then)), g.Group(more), h.Div(h.Class("row"), g.Group(acts)))
}

// wrongShown is how long it is told that somebody came without a valid token.
const wrongShown = 24 * time.Hour

// wrongToken says when somebody last came to a client's address without a valid token, if
// that was lately and no request with one has come since.
func (v *visit) wrongToken(c *scimClient) g.Node {
	since := c.LastRequest != nil && c.LastRequest.At.After(c.WrongToken.Add(time.Minute)) // it is noted to the minute
	if c.WrongToken.IsZero() || since || v.now().Sub(c.WrongToken) > wrongShown {
		return nil
	}
	return h.P(h.Class("faint"), v.say(textWrongToken), g.Text(" "), v.ago(c.WrongToken), g.Text(". "), v.say(textWrongTokenMore))
}

// tokenTable lists the tokens of a client, the newest first.
func (v *visit) tokenTable(c *scimClient, list []directory.ScimToken) g.Node {
	switch {
	case len(list) == 0 && c.byJWT():
		return v.empty(textByJWT)
	case len(list) == 0:
		return v.empty(textNoTokens)
	}
	slices.Reverse(list)
	id, status, created, ends, used, acts := column{head: textToken}, column{head: textStatus}, column{head: textCreated}, column{head: textTokenEnds}, column{head: textLastUsed}, column{head: textActs}
	return v.table(textTokens, []column{id, status, created, ends, used, acts}, g.Map(list, func(t directory.ScimToken) g.Node {
		revoke := dash()
		if t.Alive(v.now()) {
			revoke = v.linkButton(scopeAdmin, below(here("sources", string(c.ID)), "tokens", string(t.ID), "revoke"), textRevokeDots, "small")
		}
		return h.Tr(v.cell(id, code(string(t.ID))), v.cell(status, v.tokenState(&t)), v.cell(created, v.moment(t.Created)), v.cell(ends, v.moment(t.Expires)), v.cell(used, v.lastUsed(&t)), v.cell(acts, revoke))
	}))
}

// lastUsed is when a token was used last, which is kept to the hour.
func (v *visit) lastUsed(t *directory.ScimToken) g.Node {
	switch {
	case t.LastUsed.IsZero():
		return v.say(textNever)
	case v.now().Sub(t.LastUsed) < time.Hour:
		return v.say(textWithinHour)
	}
	return v.ago(t.LastUsed)
}

func (v *visit) tokenState(t *directory.ScimToken) g.Node {
	switch now := v.now(); {
	case t.Revoked != nil:
		return g.Group([]g.Node{v.badge(tonePlain, textRevoked), h.Small(v.ago(*t.Revoked))})
	case !t.Alive(now):
		return v.badge(tonePlain, textTokenEnded)
	case t.Expires.Sub(now) < tokenEndsSoon:
		return v.badge(toneWarn, textTokenEndsSoon)
	}
	return v.badge(toneGood, textTokenAlive)
}

// requestSort is a sort of requests that /v1 tells apart.
type requestSort struct {
	only  string
	name  text
	count number
	tone  tone
	of    func(r *directory.ScimRequest) bool
}

var requestSorts = []requestSort{
	{"refused", textOnlyRefused, countRequestsRefused, toneBad, (*directory.ScimRequest).Refused},
	{"noted", textOnlyNoted, countRequestsNoted, toneWarn, func(r *directory.ScimRequest) bool { return len(r.Notes) > 0 }},
	{"changed", textOnlyChanged, countRequestsChanged, toneInfo, (*directory.ScimRequest).Changes},
}

// lately counts the newest requests of a client by their sorts, and shows the first of them.
func (v *visit) lately(at string, p page[directory.ScimRequest]) g.Node {
	if len(p.Items) == 0 {
		return v.empty(textNoRequests)
	}
	told := v.count(countRequestsAll, len(p.Items))
	if p.Next != "" {
		told = v.count(countRequestsOf, len(p.Items))
	}
	chips := g.Map(requestSorts, func(s requestSort) g.Node {
		n := 0
		for i := range p.Items {
			if s.of(&p.Items[i]) {
				n++
			}
		}
		class := s.tone
		if n == 0 {
			class = tonePlain
		}
		return h.Li(link(query(at+"/requests", "only", s.only), h.Class("chip "+string(class)), v.count(s.count, n)))
	})
	return h.Div(h.P(told, g.Text(" "), v.say(textSince), g.Text(" "), v.moment(p.Items[len(p.Items)-1].At)), h.Ul(h.Class("chips"), v.label(textRequests), g.Group(chips)),
		v.requestTable(p.Items[:min(len(p.Items), requestsShown)]), h.P(link(at+"/requests", v.say(textAllRequests))))
}

// requestTable lists requests, the newest first, each with whom it was about.
func (v *visit) requestTable(list []directory.ScimRequest) g.Node {
	var about []directory.Ref
	for i := range list {
		for _, id := range []string{string(list[i].UserID), string(list[i].GroupID), list[i].HolderID} {
			about = append(about, directory.Ref{ID: id})
		}
	}
	names := v.nameThem(about).get()
	when, what, answer, whom, came := column{head: textWhen}, column{head: textRequest}, column{head: textAnswer}, column{head: textWhom}, column{head: textCameOfIt}
	return v.table(textRequests, []column{when, what, answer, whom, came}, g.Map(list, func(r directory.ScimRequest) g.Node {
		return h.Tr(v.cell(when, v.ago(r.At)), v.cell(what, h.Span(h.Class("asked"), code(r.Method+" "+r.Path)), g.If(len(r.Filter) > 0, h.Small(v.say(textFilteredBy), g.Text(" "), code(strings.Join(r.Filter, ", ")))), h.Small(v.count(countMilliseconds, int(r.Milliseconds)))),
			v.cell(answer, v.answeredWith(&r), g.If(r.ScimType != "", h.Small(code(r.ScimType))), g.If(r.Detail != "", h.Small(v.sentence(r.Detail)))), v.cell(whom, v.requestOf(&r, names)...), v.cell(came, v.cameOf(&r)...))
	}))
}

// requestOf is whom a request was about: the user or the group that it named or made, the
// name that it sent where it was refused, and who has the value that it was refused for.
func (v *visit) requestOf(r *directory.ScimRequest, names names) []g.Node {
	var of []g.Node
	for _, id := range []string{string(r.UserID), string(r.GroupID)} {
		if id != "" {
			of = append(of, v.pushedOne(id, names))
		}
	}
	switch {
	case r.Sent != "" && len(of) == 0:
		of = append(of, data(r.Sent))
	case r.Sent != "":
		of = append(of, h.Small(v.say(textItSent), g.Text(" "), data(r.Sent)))
	}
	if r.HolderID != "" {
		of = append(of, h.Small(v.say(textHolder), g.Text(" "), v.pushedOne(r.HolderID, names)))
	}
	if len(of) == 0 {
		return []g.Node{dash()}
	}
	return of
}

// pushedOne leads to a user or a group by its ID.
func (v *visit) pushedOne(id string, names names) g.Node {
	of := "users"
	if strings.HasPrefix(id, "grp_") {
		of = "groups"
	}
	return link(here(of, id), names.show(id))
}

// cameOf is what came of a request: what became of whom it was about, what it changed of
// them, and how it was bent.
func (v *visit) cameOf(r *directory.ScimRequest) []g.Node {
	var came []g.Node
	changed := slices.Clone(r.Changed)
	if became, told := cameOf(r); told {
		came = append(came, h.Div(h.Strong(v.say(became))))
		changed = slices.DeleteFunc(changed, func(path string) bool { return path == "state" && r.Method != http.MethodPost }) // which this says
	}
	if len(changed) > 0 {
		came = append(came, h.Div(v.say(textItChanged), g.Text(" "), dotted(g.Map(changed, v.changedAttribute))))
	}
	for _, note := range r.Notes {
		came = append(came, h.Small(v.sentence(note)))
	}
	if len(came) == 0 {
		return []g.Node{dash()}
	}
	return came
}

// cameOf is what became of the user or the group whom a request was about, if that is more
// than that something of them was changed.
func cameOf(r *directory.ScimRequest) (text, bool) {
	of := func(user, group text) (text, bool) {
		if r.GroupID != "" {
			return group, true
		}
		return user, r.UserID != ""
	}
	switch {
	case r.Refused():
		return text{}, false
	case r.Method == http.MethodDelete:
		return of(textCameUserDeleted, textCameGroupDeleted)
	case r.Method == http.MethodPost:
		return of(textCameUserThere, textCameGroupThere)
	case r.Suspended:
		return textCameSuspended, true
	}
	return textCameActivated, r.UserID != "" && slices.Contains(r.Changed, "state")
}

// changedAttribute is what people call an attribute of a user or a group.
func (v *visit) changedAttribute(path string) g.Node {
	switch path {
	case "state":
		return v.say(textStatus)
	case "name":
		return v.say(textName)
	case "members":
		return v.say(textMembers)
	case ownersChanged:
		return v.say(textBelongsTo)
	case "phones":
		return v.say(textPhones)
	case "workAddress":
		return v.say(textWorkAddress)
	case "customAttributes":
		return v.say(textCustomAttributes)
	case "description":
		return v.say(textDescription)
	}
	return v.attribute(path)
}

// requestsPage is the log of a client's requests, all or those of one sort.
func requestsPage(v *visit) (answer, error) {
	id, q := v.id(), v.r.URL.Query()
	only := asked(q.Get("only"), "", "refused", "noted", "changed")
	path := query(apiPath("scim-clients", id, "requests"), "only", only)
	clients := ask[scimClient](v, apiPath("scim-clients", id))
	requests := ask[page[directory.ScimRequest]](v, query(apiPath("scim-clients", id, "requests"), "only", only, "limit", "50", "next", q.Get("next")))
	c, err := clients.get()
	if err != nil {
		return nil, err
	}
	at := here("sources", id, "requests")
	picks := []g.Node{h.Li(link(at, g.If(only == "", h.Aria("current", "page")), v.say(textOnlyAll)))}
	for _, s := range requestSorts {
		picks = append(picks, h.Li(link(query(at, "only", s.only), g.If(only == s.only, h.Aria("current", "page")), v.say(s.name))))
	}
	return v.ofSource(&c, "/requests", h.P(h.Class("faint"), v.say(textRequestsLead)), h.Nav(h.Class("subtabs"), v.label(textFilter), h.Ul(picks...)),
		partly(v, requests, func(p page[directory.ScimRequest]) g.Node {
			switch {
			case len(p.Items) > 0:
				return h.Div(v.requestTable(p.Items), v.pager(p.Next))
			case p.Next != "":
				return v.empty(textNoneLookedAt, h.P(link(v.with("next", p.Next), h.Class("button"), v.say(textSearchOn))))
			case only != "":
				return v.empty(textNoneOfSort, h.P(link(at, v.say(textShowAll))))
			}
			return v.empty(textNoRequests)
		}), v.asCall("GET", path)), nil
}

// pauseSource has a client wait, or lets it go on. What is shown of a client elsewhere has
// no version: there it is paused whatever it is by now.
func pauseSource(paused bool, told text) func(v *visit) (answer, error) {
	return func(v *visit) (answer, error) {
		at := here("sources", v.id())
		header, err := v.call(v.ctx, http.MethodPatch, apiPath("scim-clients", v.id()), map[string]bool{"paused": paused}, nil, ifMatch(v.r.PostForm.Get("version"))...)
		switch {
		case is(err, http.StatusPreconditionFailed) && v.takingBack():
			return v.tooLate(at), nil
		case is(err, http.StatusPreconditionFailed):
			return v.stale(at), nil
		case err != nil:
			return nil, err
		}
		to := at
		if from := v.r.PostForm.Get("to"); local(from) {
			to = from
		}
		back := at + "/pause"
		if paused {
			back = at + "/resume"
		}
		return v.undoable(to, v.lang.say(told), versionOf(header), &wayBack{To: back, Fields: []string{"to", to}}), nil
	}
}

// moreMappings is how many empty lines the settings of a client have for what it maps.
const moreMappings = 3

// sourceSettingsPage has a field for each setting of a client.
func sourceSettingsPage(v *visit) (answer, error) {
	var c scimClient
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("scim-clients", v.id()), nil, &c); err != nil {
		return nil, err
	}
	return v.sourceSettings(&c, &c.ScimClient, nil), nil
}

// sourceSettings is the form of a client as it is, with what was typed, and what /v1 said
// of that.
func (v *visit) sourceSettings(c *scimClient, typed *directory.ScimClient, p *problem) answer {
	at := here("sources", string(c.ID), "settings")
	schema, attribute, path := column{head: textMapSchema}, column{head: textMapAttribute}, column{head: textMapPath}
	var rows []g.Node
	for i, m := range append(slices.Clone(typed.Mapping), make([]directory.ScimMapping, moreMappings)...) {
		input := func(c column, name, value string, more ...string) g.Node {
			f := p.at(fmt.Sprintf("mapping-%d-%s", i, name), v.say(c.head), append(more, fmt.Sprintf("mapping[%d].%s", i, name))...)
			return v.cell(c, h.Input(h.ID(f.id), h.Type("text"), h.Name(name), h.Value(value), h.MaxLength("200"), h.AutoComplete("off"), v.label(c.head), f.mark("")), v.told(f))
		}
		whole := []string{fmt.Sprintf("mapping[%d]", i)} // the first field stands for its line, that of the first line for all
		if i == 0 {
			whole = append(whole, "mapping")
		}
		rows = append(rows, h.Tr(input(schema, "schema", m.Schema, whole...), input(attribute, "attribute", m.Attribute), input(path, "path", m.Path)))
	}
	page := v.ofSource(c, "/settings", v.refused(p),
		h.Form(h.Method("post"), h.Action(at), h.Class("stack use"), h.Data("busy", ""), h.Data("ask", ""), hidden("version", itoa(int(c.Version))),
			v.field("name", textName, textSourceNameHelp, typed.Name, p, h.Required()), v.sourceFields(typed), v.sourceSettingFields(typed, p),
			h.FieldSet(h.Class("mapping"), h.Legend(v.say(textMapping)), h.P(h.Class("faint"), v.say(textMappingMeans)), v.table(textMapping, []column{schema, attribute, path}, rows)),
			h.Div(h.Class("row decide"), g.Iff(v.s.has(scopeAdmin), func() g.Node { return h.Button(h.Type("submit"), h.Class("primary"), v.say(textSave)) }), g.If(!v.s.has(scopeAdmin), v.lacking(scopeAdmin, textSave)))),
		v.asCall(http.MethodPatch, apiPath("scim-clients", string(c.ID))))
	if p != nil {
		page.status = p.Status
	}
	return page
}

// sourceSettingFields are the settings that a client is not asked about when it begins.
func (v *visit) sourceSettingFields(typed *directory.ScimClient, p *problem) g.Node {
	days := itoa(typed.SilentDays)
	if p != nil { // also what is no number stays
		days = v.r.PostForm.Get("silentDays")
	}
	return g.Group([]g.Node{
		h.FieldSet(h.Legend(v.say(textUsageLocation)), h.Label(h.Class("pick"), h.Input(h.Type("checkbox"), h.Name("country"), h.Value("1"), g.If(typed.CountryAsUsageLocation, h.Checked())), h.Span(v.say(textCountryAsUsage)))),
		v.field("silentDays", textSilentDays, textSilentDaysHelp, days, p, g.Attr("inputmode", "numeric"), h.Required()),
		v.field("oauthClientId", textOAuthClientID, textOAuthClientIDHelp, typed.OAuthClientID, p)})
}

// typedSource is what stands in the fields of a client's form; the days of silence are read by
// themselves, since not each form asks for them.
func (v *visit) typedSource() directory.ScimClient {
	f := v.r.PostForm
	c := directory.ScimClient{Name: strings.TrimSpace(f.Get("name")), Provider: directory.ScimProvider(f.Get("provider")), Strict: f.Get("mode") == "strict", OwnOnly: f.Get("sees") == "own", CountryAsUsageLocation: f.Get("country") != "", OAuthClientID: strings.TrimSpace(f.Get("oauthClientId")), Mapping: []directory.ScimMapping{}}
	at := func(list []string, i int) string {
		if i >= len(list) {
			return ""
		}
		return strings.TrimSpace(list[i])
	}
	for i := range f["schema"] {
		if m := (directory.ScimMapping{Schema: at(f["schema"], i), Attribute: at(f["attribute"], i), Path: at(f["path"], i)}); m != (directory.ScimMapping{}) {
			c.Mapping = append(c.Mapping, m)
		}
	}
	return c
}

// sourceEdit is what /v1 is told of a client: of a new one the first members.
type sourceEdit struct {
	Name     string                 `json:"name"`
	Provider directory.ScimProvider `json:"provider"`
	Strict   bool                   `json:"strict"`
	OwnOnly  bool                   `json:"ownOnly"`
	*sourceSettings
}

type sourceSettings struct {
	CountryAsUsageLocation bool                    `json:"countryAsUsageLocation"`
	SilentDays             int                     `json:"silentDays"`
	OAuthClientID          string                  `json:"oauthClientId"`
	Mapping                []directory.ScimMapping `json:"mapping"`
}

// saveSource saves the settings of a client, onto the version that was seen.
func saveSource(v *visit) (answer, error) {
	typed, at := v.typedSource(), here("sources", v.id())
	version := v.r.PostForm.Get("version")
	if version == "" { // not of the form
		return redirect{at + "/settings"}, nil
	}
	var err error
	days := v.r.PostForm.Get("silentDays")
	if typed.SilentDays, err = v.lang.readWhole(days); err != nil {
		err = atFault(directory.FieldError{Field: "silentDays", Detail: v.lang.noNumber(err, days)})
	} else {
		_, err = v.call(v.ctx, http.MethodPatch, apiPath("scim-clients", v.id()), sourceEdit{typed.Name, typed.Provider, typed.Strict, typed.OwnOnly, &sourceSettings{typed.CountryAsUsageLocation, typed.SilentDays, typed.OAuthClientID, typed.Mapping}}, nil, ifMatch(version)...)
	}
	p, ours := asProblem(err)
	switch {
	case err == nil:
		return v.done(at, v.lang.say(textSourceSaved)), nil
	case is(err, http.StatusPreconditionFailed):
		return v.stale(at + "/settings"), nil
	case ours && (p.Status == http.StatusUnprocessableEntity || p.Status == http.StatusBadRequest):
		var c scimClient
		if _, err := v.call(v.ctx, http.MethodGet, apiPath("scim-clients", v.id()), nil, &c); err != nil {
			return nil, err
		}
		if itoa(int(c.Version)) != version { // which the form would be of from now on
			return v.stale(at + "/settings"), nil
		}
		return v.sourceSettings(&c, &typed, p), nil
	}
	return nil, err
}

// signInFirst leads to a fresh sign-in, and back to a page on which something is decided.
func (v *visit) signInFirst(to string) g.Node {
	return h.Form(h.Class("decide"), h.Method("get"), h.Action("/console/login"), hidden("fresh", "1"), hidden("to", to), h.P(v.say(textWantsFreshMore)), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSignInAgain)))
}

// deleteSourcePage says what deleting a client comes to, and has its name typed.
func deleteSourcePage(v *visit) (answer, error) { return v.deleteSourceView(nil) }

func (v *visit) deleteSourceView(p *problem) (answer, error) {
	var c scimClient
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("scim-clients", v.id()), nil, &c); err != nil {
		return nil, err
	}
	at := here("sources", v.id())
	form := v.signInFirst(at + "/delete")
	if !v.s.has(scopeAdmin) {
		form = v.lacking(scopeAdmin, textDeleteSource)
	} else if v.s.fresh(v.now()) {
		form = h.Form(h.Class("decide"), h.Method("post"), h.Action(at+"/delete"), h.Data("busy", ""), hidden("version", itoa(int(c.Version))), v.typeTheName(c.Name, p),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("danger"), v.say(textDeleteSource)), link(at, h.Class("button"), v.say(textNotYet))))
	}
	page := v.ofSource(&c, "/delete", v.refused(p), h.P(h.Class("lead"), v.say(textDeleteSourceLead)), h.Ul(h.Li(v.say(textDeleteSourceTokens)), h.Li(v.say(textDeleteSourceUsers)), h.Li(v.say(textDeleteSourceOwned)), h.Li(v.say(textDeleteSourceBack, string(c.ID))), h.Li(v.say(textDeleteSourceAgain))), form, v.asCall(http.MethodDelete, apiPath("scim-clients", v.id())))
	if p != nil {
		page.status = p.Status
	}
	return page, nil
}

// deleteSource deletes a client, once its name was typed.
func deleteSource(v *visit) (answer, error) {
	var c scimClient
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("scim-clients", v.id()), nil, &c); err != nil {
		return nil, err
	}
	if strings.TrimSpace(v.r.PostForm.Get("typed")) != c.Name {
		return v.deleteSourceView(v.unfitFor("typed", textTypedNameWrong))
	}
	if _, err := v.call(v.ctx, http.MethodDelete, apiPath("scim-clients", v.id()), nil, nil, ifMatch(v.r.PostForm.Get("version"))...); err != nil {
		if is(err, http.StatusPreconditionFailed) {
			return v.stale(here("sources", v.id(), "delete")), nil
		}
		return nil, err
	}
	return v.done("/console/sources", v.lang.say(textSourceDeleted, string(c.ID))), nil
}
