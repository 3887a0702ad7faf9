package console

import (
	"net/http"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// What stands in for the address and the token in what is to be pasted.
const (
	theBase  = "{base}"
	theToken = "{token}"
)

// setup is how a client is set up at its identity provider. The names of fields and values
// are those that the provider's own pages have, in English.
type setup struct {
	provider directory.ScimProvider
	name     string
	open     []text // what to open there
	paste    []pasted
	then     []text
}

// pasted is a field of the provider's, and what goes into it.
type pasted struct{ field, value string }

// setups are those of the providers whose pages are known, and at the end that of any
// other one.
var setups = []setup{
	{directory.ProviderOkta, "Okta", setUpOktaOpen, []pasted{{"SCIM connector base URL", theBase}, {"Unique identifier field for users", "userName"}, {"Authentication Mode", "HTTP Header"}, {"Authorization", theToken}}, setUpOktaThen},
	{directory.ProviderEntra, "Microsoft Entra ID", setUpEntraOpen, []pasted{{"Tenant URL", theBase + "?aadOptscim062020"}, {"Secret Token", theToken}}, setUpEntraThen},
	{directory.ProviderOneLogin, "OneLogin", setUpOneLoginOpen, []pasted{{"SCIM Base URL", theBase}, {"SCIM Bearer Token", theToken}, {"SCIM JSON Template", oneLoginTemplate}}, setUpOneLoginThen},
	{directory.ProviderJumpCloud, "JumpCloud", setUpJumpCloudOpen, []pasted{{"Base URL", theBase}, {"Token Key", theToken}}, setUpJumpCloudThen},
	{directory.ProviderRippling, "Rippling", setUpRipplingOpen, []pasted{{"SCIM version", "2.0"}, {"Base URL", theBase}, {"Bearer token", theToken}}, setUpRipplingThen},
	{directory.ProviderAuthentik, "authentik", setUpAuthentikOpen, []pasted{{"URL", theBase}, {"Token", theToken}}, setUpAuthentikThen},
	{directory.ProviderPing, "PingOne, PingFederate", setUpPingOpen, []pasted{{"SCIM Base URL", theBase}, {"Authentication Method", "OAuth 2 Bearer Token"}, {"OAuth Access Token", theToken}, {"User Filter Expression", `userName Eq "%s"`}}, setUpPingThen},
	{"", "", setUpOtherOpen, []pasted{{"Base URL", theBase}, {"Bearer token", theToken}, {"Unique identifier", "userName"}}, setUpOtherThen},
}

// oneLoginTemplate are the users that OneLogin sends.
const oneLoginTemplate = `{
  "schemas": [
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
  ],
  "externalId": "{$user.id}",
  "userName": "{$parameters.scimusername}",
  "displayName": "{$user.display_name}",
  "name": {
    "givenName": "{$user.firstname}",
    "familyName": "{$user.lastname}"
  },
  "emails": [
    {"value": "{$user.email}", "type": "work", "primary": true}
  ],
  "title": "{$parameters.title}",
  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
    "department": "{$parameters.department}"
  }
}`

func setupOf(p directory.ScimProvider) setup {
	for _, s := range setups {
		if s.provider == p {
			return s
		}
	}
	return setups[len(setups)-1]
}

// providerName is what an identity provider is called.
func (v *visit) providerName(p directory.ScimProvider) g.Node {
	if s := setupOf(p); s.name != "" {
		return data(s.name)
	}
	return v.say(textOtherProvider)
}

// providerPick is the choice of a provider.
func (v *visit) providerPick(now directory.ScimProvider) g.Node {
	return h.FieldSet(h.Class("boxes"), h.Legend(v.say(textProvider)), g.Group(g.Map(setups, func(s setup) g.Node {
		return h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("provider"), h.Value(string(s.provider)), g.If(s.provider == setupOf(now).provider, h.Checked())), h.Span(v.providerName(s.provider)))
	})))
}

// sourceFields are the choices that are the same of a new client and of one that is there.
func (v *visit) sourceFields(typed *directory.ScimClient) g.Node {
	pick := func(name, value string, on bool, means text) g.Node {
		return h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name(name), h.Value(value), g.If(on, h.Checked())), h.Span(v.say(means)))
	}
	return g.Group([]g.Node{v.providerPick(typed.Provider),
		h.FieldSet(h.Legend(v.say(textMode)), pick("mode", "tolerant", !typed.Strict, textTolerantMeans), pick("mode", "strict", typed.Strict, textStrictMeans)),
		h.FieldSet(h.Legend(v.say(textSees)), pick("sees", "all", !typed.OwnOnly, textSeesAllMeans), pick("sees", "own", typed.OwnOnly, textSeesOwnMeans))})
}

// newSourcePage begins a client: which provider, its name, and how it is dealt with.
func newSourcePage(v *visit) (answer, error) {
	return v.newSourceView(&directory.ScimClient{Provider: directory.ProviderOkta}, nil), nil
}

func (v *visit) newSourceView(typed *directory.ScimClient, p *problem) answer {
	page := view{title: v.lang.say(textAddSource), section: "/console/sources", crumbs: []crumb{{"/console/sources", v.say(textSources)}}, body: []g.Node{
		v.refused(p), h.P(h.Class("lead"), v.say(textAddSourceLead)),
		h.Form(h.Method("post"), h.Action("/console/sources/new"), h.Class("stack"), h.Data("busy", ""), v.thisForm(),
			v.field("name", textName, textNewSourceNameHelp, typed.Name, p), v.sourceFields(typed),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textAddSource)), link("/console/sources", h.Class("button"), v.say(textNotYet)))),
		v.asCall(http.MethodPost, "/v1/scim-clients")}}
	if p != nil {
		page.status = p.Status
	}
	return page
}

// newSource makes a client, and leads to its first token: before that nobody can push.
func newSource(v *visit) (answer, error) {
	typed := v.typedSource()
	edit := sourceEdit{Name: typed.Name, Provider: typed.Provider, Strict: typed.Strict, OwnOnly: typed.OwnOnly}
	if edit.Name == "" {
		if edit.Name = setupOf(typed.Provider).name; edit.Name == "" {
			edit.Name = v.lang.say(textSourceSCIM)
		}
	}
	var c scimClient
	if _, err := v.call(v.ctx, http.MethodPost, "/v1/scim-clients", edit, &c); err != nil {
		if p, ours := asProblem(err); ours && (p.Status == http.StatusUnprocessableEntity || p.Status == http.StatusBadRequest) {
			return v.newSourceView(&typed, p), nil
		}
		return nil, err
	}
	return v.done(here("sources", string(c.ID), "token"), v.lang.say(textSourceMade)), nil
}

// setUp are the steps at a client's provider, with what to paste. Of a token that is not
// shown any more it says where another one comes from.
func (v *visit) setUp(c *scimClient, token directory.Secret) g.Node {
	s := setupOf(c.Provider)
	steps := func(list []text) g.Node {
		return g.Group(g.Map(list, func(t text) g.Node { return h.Li(v.say(t)) }))
	}
	secret := token.Reveal()
	byJWT := secret == "" && c.byJWT()
	field, value := column{head: textFieldThere}, column{head: textValueHere}
	rows := g.Map(s.paste, func(p pasted) g.Node {
		shown := v.copied(strings.ReplaceAll(p.value, theBase, v.baseURL(c, byJWT)))
		switch {
		case p.value == theToken && byJWT:
			shown = v.say(textByJWT)
		case p.value == theToken && secret == "":
			shown = g.Group([]g.Node{v.say(textTokenGone), g.Text(" "), g.If(v.s.has(scopeAdmin), link(here("sources", string(c.ID), "token"), v.say(textIssueToken)))})
		case p.value == theToken:
			shown = v.copied(secret)
		case strings.Contains(p.value, "\n"):
			shown = g.Group([]g.Node{h.Pre(h.Code(g.Text(p.value))), h.Button(h.Type("button"), h.Class("small scripted-only"), h.Data("copy", p.value), v.say(textCopy))})
		}
		return h.Tr(v.cell(field, h.Strong(data(p.field))), v.cell(value, shown))
	})
	return h.Section(h.H2(v.say(textSetUpAt), g.Text(" "), v.providerName(c.Provider)), h.Ol(steps(s.open), h.Li(v.say(textPasteThese))), v.table(textPasteThese, []column{field, value}, rows), h.Ol(g.Attr("start", strconv.Itoa(len(s.open)+2)), steps(s.then)))
}

// setUpPage are the steps at a client's provider.
func setUpPage(v *visit) (answer, error) {
	clients := ask[scimClient](v, apiPath("scim-clients", v.id()))
	requests := ask[page[directory.ScimRequest]](v, query(apiPath("scim-clients", v.id(), "requests"), "limit", "50"))
	c, err := clients.get()
	if err != nil {
		return nil, err
	}
	return v.ofSource(&c, "/setup", v.setUp(&c, directory.Secret{}), partly(v, requests, func(p page[directory.ScimRequest]) g.Node { return v.firstRequest(&c, "", p.Items) })), nil
}

// firstRequest tells whether the requests of a client arrive, of one of its tokens where
// that is named. While none does, or what does is refused, it looks again: it is the page
// checkPage as well, so that what stands around it stays.
func (v *visit) firstRequest(c *scimClient, token directory.ScimTokenID, list []directory.ScimRequest) g.Node {
	r, at := arrived(token, list), query(here("sources", string(c.ID), "check"), "token", string(token))
	tone, title := toneInfo, textWaitsForFirst
	body := []g.Node{h.P(v.say(textWaitsForFirstMore)), v.wrongToken(c)}
	if r != nil {
		tone, title = toneGood, textRequestsArrive
		body = []g.Node{h.P(v.say(textReceived), g.Text(" "), code(r.Method+" "+r.Path), g.Text(" "), v.ago(r.At), g.Text(", "), v.say(textAnsweredWith), g.Text(" "), v.answeredWith(r))}
		if r.Refused() {
			tone, title = toneBad, textRequestsRefused
			body = append(body, g.If(r.Detail != "", h.P(v.sentence(r.Detail))))
		}
		body = append(body, h.P(link(here("sources", string(c.ID), "requests"), v.say(textAllRequests))))
	}
	waits := r == nil || r.Refused()
	return h.Section(h.ID("check"), h.Class("box "+string(tone)), g.If(waits, h.Data("poll", strconv.Itoa(pollFirst))), g.If(waits, h.Data("from", at)), h.H2(v.say(title)), g.Group(body),
		// in a tab of its own: what is on this page may be shown once
		g.If(waits && v.r.URL.Path != here("sources", string(c.ID), "check"), h.P(h.Class("unscripted"), h.A(h.Href(at), h.Target("_blank"), h.Rel("noopener"), v.say(textLookAgain)))))
}

// pollFirst is after how many milliseconds the first request is looked for again.
const pollFirst = 2000

// arrived is the newest request of a client, by one of its tokens where that is named; one
// that was answered goes before those that were refused.
func arrived(token directory.ScimTokenID, list []directory.ScimRequest) *directory.ScimRequest {
	var first *directory.ScimRequest
	for i := range list {
		r := &list[i]
		switch {
		case token != "" && r.TokenID != token:
		case !r.Refused():
			return r
		case first == nil:
			first = r
		}
	}
	return first
}

// checkPage is firstRequest by itself, to be looked at again.
func checkPage(v *visit) (answer, error) {
	token, err := parameter(v.r.URL.Query(), "token")
	if err != nil {
		return nil, err
	}
	clients := ask[scimClient](v, apiPath("scim-clients", v.id()))
	requests := ask[page[directory.ScimRequest]](v, query(apiPath("scim-clients", v.id(), "requests"), "limit", "50"))
	c, err := clients.get()
	if err != nil {
		return nil, err
	}
	list, err := requests.get()
	if err != nil {
		return nil, err
	}
	page := v.ofSource(&c, "/setup", v.firstRequest(&c, directory.ScimTokenID(token), list.Items))
	if r := arrived(directory.ScimTokenID(token), list.Items); r == nil || r.Refused() {
		page.poll = pollFirst
	}
	return page, nil
}

// tokenDays are how long a token may live, the first by default.
var tokenDays = []string{"365", "90", "180", "730"}

// tokensOfSource are the source that the address names, and its tokens, oldest first.
func (v *visit) tokensOfSource() (c scimClient, tokens []directory.ScimToken, err error) {
	clients := ask[scimClient](v, apiPath("scim-clients", v.id()))
	listed := ask[page[directory.ScimToken]](v, apiPath("scim-clients", v.id(), "tokens"))
	if c, err = clients.get(); err != nil {
		return c, nil, err
	}
	list, err := listed.get()
	return c, list.Items, err
}

// tokenPage says what making a token comes to.
func tokenPage(v *visit) (answer, error) {
	c, tokens, err := v.tokensOfSource()
	if err != nil {
		return nil, err
	}
	at := here("sources", v.id())
	form := v.signInFirst(at + "/token")
	if v.s.fresh(v.now()) {
		form = h.Form(h.Class("stack"), h.Method("post"), h.Action(at+"/token"), h.Data("busy", ""), hidden("after", newestToken(tokens)),
			h.Label(v.say(textTokenLives), h.Select(h.Name("days"), g.Group(g.Map(tokenDays, func(n string) g.Node {
				days, _ := strconv.Atoi(n)
				return h.Option(h.Value(n), v.count(textDays, days))
			})))),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textMakeToken)), link(at, h.Class("button"), v.say(textNotYet))))
	}
	page := v.ofSource(&c, "", h.P(h.Class("lead"), v.say(textTokenLead)), g.If(len(tokens) > 0, h.P(v.say(textTokenRotate))), form, v.asCall(http.MethodPost, apiPath("scim-clients", v.id(), "tokens")))
	page.title = v.lang.say(textOfConnection, c.Name, v.lang.say(textIssueToken))
	return page, nil
}

// newestToken is the ID of the newest of a client's tokens, which come oldest first; "" when
// there is none.
func newestToken(list []directory.ScimToken) string {
	if len(list) == 0 {
		return ""
	}
	return string(list[len(list)-1].ID)
}

// issueToken makes a token and shows it, once: it is on no other page, in no address and in
// no log. The form names the newest token that was there: sent a second time, as by loading
// the page again, it makes none.
func issueToken(v *visit) (answer, error) {
	c, tokens, err := v.tokensOfSource()
	if err != nil {
		return nil, err
	}
	if v.r.PostForm.Get("after") != newestToken(tokens) {
		return v.refusal(http.StatusConflict, textTokenMadeSince), nil
	}
	days, _ := strconv.Atoi(asked(v.r.PostForm.Get("days"), tokenDays...))
	var out struct {
		directory.ScimToken
		Token string `json:"token"`
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("scim-clients", v.id(), "tokens"), map[string]int{"days": days}, &out); err != nil {
		return nil, err
	}
	token := directory.NewSecret(out.Token)
	if c.Tokens.Alive++; out.Expires.After(c.Tokens.Expires) { // it was read before there was this one
		c.Tokens.Expires = out.Expires
	}
	page := v.ofSource(&c, "", v.box(toneGood, v.say(textTokenShown), h.Pre(h.Code(g.Text(token.Reveal()))), h.P(h.Button(h.Type("button"), h.Class("scripted-only"), h.Data("copy", token.Reveal()), v.say(textCopy))), h.P(v.say(textTokenOnce), g.Text(" "), v.say(textUntil), g.Text(" "), v.moment(out.Expires))),
		v.setUp(&c, token), v.firstRequest(&c, out.ID, nil))
	page.title = v.lang.say(textOfConnection, c.Name, v.lang.say(textToken))
	return page, nil
}

// revokePage says what revoking a token comes to. The last one that is alive has the name of
// its client typed: from then on nobody pushes.
func revokePage(v *visit) (answer, error) { return v.revokeView(nil) }

// tokenAsked reads a client and the token that the address names, and says whether it is
// the last one alive.
func (v *visit) tokenAsked() (c scimClient, token directory.ScimToken, last bool, err error) {
	c, tokens, err := v.tokensOfSource()
	if err != nil {
		return c, token, false, err
	}
	others := 0
	for _, t := range tokens {
		if string(t.ID) == v.r.PathValue("token") {
			token = t
		} else if t.Alive(v.now()) {
			others++
		}
	}
	if token.ID == "" {
		return c, token, false, &problem{Status: http.StatusNotFound, Code: directory.CodeNotFound}
	}
	return c, token, others == 0, nil
}

func (v *visit) revokeView(p *problem) (answer, error) {
	c, t, last, err := v.tokenAsked()
	if err != nil {
		return nil, err
	}
	source := here("sources", v.id())
	at := below(source, "tokens", string(t.ID), "revoke")
	form := v.signInFirst(at)
	if !t.Alive(v.now()) {
		form = h.P(link(source, h.Class("button"), v.say(textBack)))
	} else if v.s.fresh(v.now()) {
		form = h.Form(h.Class("decide"), h.Method("post"), h.Action(at), h.Data("busy", ""), g.Iff(last, func() g.Node { return v.typeTheName(c.Name, p) }),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("danger"), v.say(textRevokeToken)), link(source, h.Class("button"), v.say(textNotYet))))
	}
	page := v.ofSource(&c, "", v.refused(p), facts(v.fact(textToken, code(string(t.ID))), v.fact(textStatus, v.tokenState(&t)), v.fact(textCreated, v.moment(t.Created)), v.fact(textTokenEnds, v.moment(t.Expires)), v.fact(textLastUsed, v.lastUsed(&t))),
		h.P(h.Class("lead"), v.say(textRevokeLead)), g.If(last, h.P(h.Strong(v.say(textRevokeLast)))), form, v.asCall(http.MethodDelete, apiPath("scim-clients", v.id(), "tokens", string(t.ID))))
	page.title = v.lang.say(textOfConnection, c.Name, v.lang.say(textRevokeToken))
	if p != nil {
		page.status = p.Status
	}
	return page, nil
}

// revokeToken ends a token.
func revokeToken(v *visit) (answer, error) {
	c, t, last, err := v.tokenAsked()
	if err != nil {
		return nil, err
	}
	if last && strings.TrimSpace(v.r.PostForm.Get("typed")) != c.Name {
		return v.revokeView(v.unfitFor("typed", textTypedNameWrong))
	}
	if _, err := v.call(v.ctx, http.MethodDelete, apiPath("scim-clients", v.id(), "tokens", string(t.ID)), nil, nil); err != nil {
		return nil, err
	}
	return v.done(here("sources", v.id()), v.lang.say(textTokenRevoked)), nil
}
