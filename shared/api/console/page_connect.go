package console

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// linkCookie holds the link to an authorisation for its ten minutes, for the browser that
// asked for it: whoever has the link may sign in by it, once.
const (
	linkCookie = "bindery-link"
	linkFor    = 10 * time.Minute
)

// field is a text of a form, with its name, what it is for, and what p says of it: of the
// member of that name.
func (v *visit) field(name string, caption, help text, value string, p *problem, more ...g.Node) g.Node {
	return v.fieldOf(name, name, caption, help, value, p, more...)
}

// fieldOf is a field for a member that has another name than the field.
func (v *visit) fieldOf(name, member string, caption, help text, value string, p *problem, more ...g.Node) g.Node {
	f := p.at(name, v.say(caption), member+"*")
	input := append([]g.Node{h.ID(name), h.Name(name), h.Type("text"), h.Value(value), h.MaxLength("255"), h.AutoComplete("off"), f.mark(name + "-help")}, more...)
	return h.Div(h.Class("field"), h.Label(h.For(name), v.say(caption)), h.Input(input...), h.P(h.ID(name+"-help"), h.Class("faint"), v.say(help)), v.told(f))
}

// typeTheName is a field in which a name is to be typed, before what cannot be taken back.
func (v *visit) typeTheName(name string, p *problem) g.Node {
	f := p.at("typed", v.say(textTypeName), "typed")
	return g.Group([]g.Node{h.Label(h.For("typed"), v.say(textTypeName), g.Text(" "), data(name)),
		h.Input(h.ID("typed"), h.Name("typed"), h.Type("text"), h.AutoComplete("off"), h.Required(), f.mark("")), v.told(f)})
}

// newConnectionPage begins a connection: its name, and what keeps it from the wrong
// tenant.
func newConnectionPage(v *visit) (answer, error) { return v.newConnectionView(nil), nil }

func (v *visit) newConnectionView(p *problem) answer {
	status := 0
	if p != nil {
		status = p.Status
	}
	approve := v.r.Method == http.MethodGet || v.r.PostForm.Get("mode") == string(directory.ModeApprove)
	return view{status: status, title: v.lang.say(textAddConnection), section: "/console/connections", crumbs: []crumb{{"/console/connections", v.say(textConnections)}},
		body: []g.Node{
			v.refused(p),
			h.P(h.Class("lead"), v.say(textAddLead)), h.P(h.Class("faint"), v.say(textAddWarning)),
			h.Form(h.Method("post"), h.Action("/console/connections/new"), h.Class("stack"), h.Data("busy", ""), v.thisForm(),
				v.field("name", textName, textNameHelp, v.r.PostForm.Get("name"), p, h.Required()),
				v.field("expectedDomain", textExpectedDomain, textExpectedDomainHelp, v.r.PostForm.Get("expectedDomain"), p),
				h.FieldSet(h.Legend(v.say(textMode)),
					h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("mode"), h.Value(string(directory.ModeApprove)), g.If(approve, h.Checked())), h.Span(v.say(textModeApproveLong))),
					h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("mode"), h.Value(string(directory.ModeAutomatic)), g.If(!approve, h.Checked())), h.Span(v.say(textModeAutomaticLong)))),
				h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textAddConnection)), link("/console/connections", h.Class("button"), v.say(textNotYet))))}}
}

// newConnection makes a connection. Nothing can be read or written by it before an admin of
// the tenant has signed in.
func newConnection(v *visit) (answer, error) {
	f := v.r.PostForm
	body := map[string]any{"name": strings.TrimSpace(f.Get("name"))}
	if domain := strings.TrimSpace(f.Get("expectedDomain")); domain != "" {
		body["expectedDomain"] = domain
	}
	if f.Get("mode") == string(directory.ModeApprove) {
		body["settings"] = map[string]any{"mode": directory.ModeApprove}
	}
	var c connection
	if _, err := v.call(v.ctx, http.MethodPost, "/v1/connections", body, &c); err != nil {
		if p, ok := asProblem(err); ok && (p.Status == http.StatusUnprocessableEntity || p.Status == http.StatusBadRequest) {
			return v.newConnectionView(p), nil
		}
		return nil, err
	}
	v.keepLink(c.ID, c.AuthorizationURL)
	return v.done(here("connections", string(c.ID)), v.lang.say(textConnectionAdded)), nil
}

// authorize asks for a fresh link to authorise a connection by.
func authorize(v *visit) (answer, error) {
	var out struct {
		AuthorizationURL string `json:"authorizationUrl"`
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "authorize"), nil, &out); err != nil {
		return nil, err
	}
	v.keepLink(directory.ConnectionID(v.id()), out.AuthorizationURL)
	return redirect{here("connections", v.id())}, nil
}

// keepLink keeps the link to an authorisation. A link that leads elsewhere than to the
// first page of an authorisation at our own address is none.
func (v *visit) keepLink(id directory.ConnectionID, to string) {
	if !v.c.ours(to) {
		return
	}
	made := v.now().UTC().Format(time.RFC3339Nano)
	v.c.setCookie(v.w, linkCookie, base64.RawURLEncoding.EncodeToString([]byte(string(id)+" "+made+" "+to)), linkFor)
}

// ours reports whether an address is the first page of an authorisation here.
func (c *Console) ours(to string) bool {
	u, err := url.Parse(to)
	return err == nil && strings.HasPrefix(to, c.cfg.APIURL+"/oauth/start?") && u.Path == "/oauth/start"
}

// keptLink is the link of a connection that this browser has asked for; "" when there is
// none, or when somebody has signed in since: it was for one sign-in.
func (v *visit) keptLink(c *connection) string {
	raw, err := base64.RawURLEncoding.DecodeString(v.c.cookie(v.r, linkCookie))
	if err != nil {
		return ""
	}
	of, rest, _ := strings.Cut(string(raw), " ")
	at, to, _ := strings.Cut(rest, " ")
	made, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || of != string(c.ID) || !v.c.ours(to) || !v.now().Before(made.Add(linkFor)) || c.lastSignIn().After(made) {
		return ""
	}
	return to
}

// lastSignIn is when somebody last signed in for a connection.
func (c *connection) lastSignIn() time.Time {
	last := c.AuthorizedAt
	if c.Waiting != nil && c.Waiting.At.After(last) {
		last = c.Waiting.At
	}
	if c.RefusedSignIn != nil && c.RefusedSignIn.At.After(last) {
		last = c.RefusedSignIn.At
	}
	return last
}

// nextStep is what a connection needs before it works: a sign-in, or its confirmation. A link
// that was asked for is shown in any status.
func (v *visit) nextStep(c *connection) g.Node {
	boxes := []g.Node{v.refusedSignIn(c)}
	if c.Waiting != nil {
		boxes = append(boxes, v.confirmBox(c))
	}
	if v.keptLink(c) != "" || c.Waiting == nil && needsSignIn(c.Status) {
		boxes = append(boxes, v.authorizeBox(c))
	}
	return g.Group(boxes)
}

// refusalOfInterest is how long a refused sign-in is told of a connection that works.
const refusalOfInterest = 24 * time.Hour

// refusedSignIn tells that a sign-in came to nothing, and why: the page that said so was in
// the browser of whoever signed in. A link that was made since is for another attempt.
func (v *visit) refusedSignIn(c *connection) g.Node {
	r := c.RefusedSignIn
	if r == nil || v.keptLink(c) != "" || !needsSignIn(c.Status) && v.now().Sub(r.At) > refusalOfInterest {
		return nil
	}
	return v.box(toneBad, v.say(textSignInRefused), h.P(v.sentence(r.Message)), g.If(r.Next != "", h.P(h.Strong(v.say(textWhatNow)), g.Text(" "), v.sentence(r.Next))),
		h.P(h.Class("faint"), v.ago(r.At), g.Text(" · "), code(r.Code)))
}

// needsSignIn reports whether a connection does nothing before somebody signs in.
func needsSignIn(s directory.ConnectionStatus) bool {
	return s == directory.StatusPending || s == directory.StatusNeedsAuthorization || s == directory.StatusDeactivated
}

// authorizeAgain is the button by which a connection that works is authorised again: for the
// same tenant, be it by another account or for more permissions.
func (v *visit) authorizeAgain(c *connection, class string) g.Node {
	return v.act(scopeAdmin, here("connections", string(c.ID), "authorize"), textAuthorizeAgain, class)
}

// authorizeBox leads to Microsoft: by a link to follow, or to send to whoever may.
func (v *visit) authorizeBox(c *connection) g.Node {
	at := here("connections", string(c.ID), "authorize")
	to := v.keptLink(c)
	if to == "" {
		caption := textAuthorize
		if c.Status != directory.StatusPending {
			caption = textAuthorizeAgain
		}
		return v.box(toneInfo, v.say(textNextAuthorize), h.P(v.say(textAuthorizeWho)), v.act(scopeAdmin, at, caption, "primary"))
	}
	return v.box(toneInfo, v.say(textNextAuthorize), h.P(v.say(textLinkHow)),
		h.P(h.Class("row"), h.A(h.Href(to), h.Class("button primary"), h.Target("_blank"), h.Rel("noopener"), v.say(textToMicrosoft)),
			h.Button(h.Type("button"), h.Class("scripted-only"), h.Data("copy", to), v.say(textCopyLink))),
		h.Details(h.Summary(v.say(textShowLink)), h.Pre(h.Code(g.Text(to)))),
		h.P(h.Class("faint"), v.say(textLinkLasts)), v.act(scopeAdmin, at, textNewLink, "quiet"))
}

// confirmBox asks whether the right tenant and the right account signed in. What is
// confirmed is what is shown: both go along.
func (v *visit) confirmBox(c *connection) g.Node {
	w := c.Waiting
	var domains []g.Node
	for _, d := range w.Tenant.Domains {
		domains = append(domains, h.Li(data(d.Name)))
	}
	who := w.AuthorizedBy
	name := who.UserPrincipalName
	form := v.act(scopeApprove, here("connections", string(c.ID), "confirm"), textConfirmThis, "primary", hidden("tenantId", string(w.Tenant.ID)), hidden("objectId", string(who.ObjectID)))
	var other g.Node
	if c.Tenant == nil {
		other = h.P(v.say(textNotRight), g.Text(" "), link(here("connections", string(c.ID), "end"), v.say(textEndIt)))
	}
	return v.box(toneWarn, v.say(textIsItRight),
		facts(v.fact(textTenant, h.Strong(data(w.Tenant.DisplayName)), h.Small(code(string(w.Tenant.ID)))),
			v.fact(textDomains, h.Ul(h.Class("bare"), g.Group(domains))),
			v.fact(textAccountSignedIn, h.Strong(data(name)), h.Small(data(who.DisplayName)), h.Small(code(string(who.ObjectID)))),
			g.If(len(who.Roles) > 0, v.fact(textRoles, data(strings.Join(who.Roles, ", ")))),
			v.fact(textAskedBy, data(w.RequestedBy)), v.fact(textUndecided, v.moment(w.Until))),
		h.P(v.say(textConfirmWhy)), g.If(c.Settings.FourEyes && w.RequestedBy == v.s.Subject, h.P(h.Strong(v.say(textFourEyesConfirm)))), form, other)
}

// confirm lets a sign-in take effect.
func confirm(v *visit) (answer, error) {
	body := map[string]string{"tenantId": v.r.PostForm.Get("tenantId"), "objectId": v.r.PostForm.Get("objectId")}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "confirm"), body, nil); err != nil {
		return nil, err
	}
	v.c.dropCookie(v.w, linkCookie)
	return v.done(here("connections", v.id(), "accounts"), v.lang.say(textConfirmed)), nil
}

// endPage says what ending a connection does, and has its name typed.
func endPage(v *visit) (answer, error) { return v.endView(nil) }

func (v *visit) endView(p *problem) (answer, error) {
	var c connection
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id()), nil, &c); err != nil {
		return nil, err
	}
	at := here("connections", string(c.ID))
	if c.Status == directory.StatusDeactivated {
		return v.ofConnection(&c, "/end", h.P(h.Class("lead"), v.say(textDeactivatedMeans)), h.P(v.say(textRemoveMeans)),
			v.linkButton(scopeAdmin, at+"/remove", textRemove, "danger")), nil
	}
	form := g.Node(h.Form(h.Class("decide"), h.Method("get"), h.Action("/console/login"), hidden("fresh", "1"), hidden("to", at+"/end"), h.P(v.say(textWantsFreshMore)), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSignInAgain))))
	if !v.s.has(scopeAdmin) {
		form = v.lacking(scopeAdmin, textDeactivate)
	} else if v.s.fresh(v.now()) {
		form = h.Form(h.Class("decide"), h.Method("post"), h.Action(at+"/end"), h.Data("busy", ""), v.typeTheName(c.Name, p),
			h.Label(h.For("reason"), v.say(textEndReason)), h.Input(h.ID("reason"), h.Name("reason"), h.Type("text"), h.MaxLength("1000"), h.AutoComplete("off"), h.Value(v.r.PostForm.Get("reason"))),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("danger"), v.say(textDeactivate)), link(at, h.Class("button"), v.say(textNotYet))))
	}
	page := v.ofConnection(&c, "/end", v.refused(p), h.P(h.Class("lead"), v.count(countEndLead, c.BoundCount)),
		h.Ul(h.Li(v.say(textEndAccounts)), h.Li(v.say(textEndBindings)), h.Li(v.say(textEndTokens)), h.Li(v.say(textEndHistory)), h.Li(v.say(textEndAgain))), form)
	if p != nil {
		page.status = p.Status
	}
	return page, nil
}

// end lets a connection go, once its name was typed.
func end(v *visit) (answer, error) {
	var c connection
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id()), nil, &c); err != nil {
		return nil, err
	}
	if strings.TrimSpace(v.r.PostForm.Get("typed")) != c.Name {
		return v.endView(v.unfitFor("typed", textTypedNameWrong))
	}
	var out struct {
		Released int `json:"released"`
	}
	var body any
	if reason := strings.TrimSpace(v.r.PostForm.Get("reason")); reason != "" {
		body = map[string]string{"reason": reason}
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "deactivate"), body, &out); err != nil {
		return nil, err
	}
	return v.done(here("connections", v.id()), v.lang.count(countEnded, out.Released)), nil
}

// removePage says what taking a connection off the list comes to.
func removePage(v *visit) (answer, error) {
	var c connection
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id()), nil, &c); err != nil {
		return nil, err
	}
	at := here("connections", string(c.ID))
	return v.beforeAll(&c, "/end", textRemove, textRemove, at+"/remove", at+"/end", "danger", h.P(h.Strong(v.count(countMembersNow, c.BoundCount))), h.P(v.say(textRemoveFollows))), nil
}

// remove takes a connection that was let go off the list.
func remove(v *visit) (answer, error) {
	if _, err := v.call(v.ctx, http.MethodDelete, apiPath("connections", v.id()), nil, nil); err != nil {
		return nil, err
	}
	return v.done("/console/connections", v.lang.say(textRemoved)), nil
}
