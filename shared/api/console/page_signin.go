package console

import (
	"net/http"
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// signInPage says where this is and leads on to the issuer.
func signInPage(v *visit) (answer, error) {
	to := target(v.r.FormValue("to"))
	if v.s != nil {
		return redirect{to}, nil
	}
	var why g.Node
	if v.r.FormValue("ended") == "1" {
		why = h.P(h.Class("box warn"), v.say(textEndedMore))
	}
	return view{bare: true, title: v.lang.say(textSignIn), body: []g.Node{
		h.Div(h.Class("narrow"), why, h.P(v.say(textWhatIsThis)),
			h.P(link(query("/console/login", "to", to), h.Class("button primary large"), v.say(textContinueWith, clean(v.c.issuerHost())))),
			h.P(h.Class("faint"), v.say(textSignInNote)))}}, nil
}

// signInFailed is the page of a sign-in that came to nothing. detail is a code or the
// scopes of a token; it is shown as it is.
func (v *visit) signInFailed(why text, detail string) (answer, error) {
	return view{status: http.StatusForbidden, bare: true, title: v.lang.say(textNotSignedIn), body: []g.Node{
		h.Div(h.Class("narrow"), v.box(toneBad, v.say(textNotSignedIn), h.P(v.say(why)), g.If(detail != "", h.P(code(detail)))),
			h.P(link("/console/login", h.Class("button primary"), v.say(textTryAgain))))}}, nil
}

// signedOutPage says that the session has ended, and where the issuer's own ends.
func signedOutPage(v *visit, away string) answer {
	var there g.Node
	if away != "" {
		there = h.P(h.A(h.Href(away), h.Rel("noreferrer"), v.say(textSignOutThere, clean(v.c.issuerHost()))))
	}
	return view{bare: true, title: v.lang.say(textSignedOut), body: []g.Node{
		h.Div(h.Class("narrow"), h.P(v.say(textSignedOutMore)), there, h.P(link("/console/sign-in", v.say(textSignInAgain))))}}
}

// mePage shows who is signed in, what the token may do, and how the console looks.
func mePage(v *visit) (answer, error) {
	scopes := []struct {
		scope string
		may   text
	}{{scopeRead, textMayRead}, {scopeWrite, textMayWrite}, {scopeAdmin, textMayAdmin}, {scopeApprove, textMayApprove}}
	// What the API says counts; the token tells it as long as the API does not.
	var me struct {
		Subject string   `json:"subject"`
		Client  string   `json:"client"`
		Scopes  []string `json:"scopes"`
	}
	_, err := v.call(v.ctx, http.MethodGet, "/v1/me", nil, &me)
	if is(err, http.StatusUnauthorized) {
		return nil, err
	}
	var rows []g.Node
	may, has := column{head: textScope}, column{head: textHave}
	does := column{head: textWhatItDoes}
	for _, s := range scopes {
		state := v.badge(tonePlain, textNo)
		switch {
		case err == nil && slices.Contains(me.Scopes, s.scope), err != nil && !v.s.Opaque && v.s.has(s.scope):
			state = v.badge(toneGood, textYes)
		case err != nil && v.s.Opaque:
			state = v.badge(tonePlain, textUnknown)
		}
		rows = append(rows, h.Tr(v.cell(may, code(s.scope)), v.cell(has, state), v.cell(does, v.say(s.may))))
	}
	keys, keysWord := "off", textKeysOff
	if !v.keys() {
		keys, keysWord = "on", textKeysOn
	}
	return view{title: v.lang.say(textMe), body: []g.Node{
		facts(
			v.fact(textName, data(v.s.Name)), v.fact(textSubject, code(v.s.Subject)), g.If(me.Client != "", v.fact(textClient, code(me.Client))),
			v.fact(textSignedInAt, v.moment(v.s.SignedIn)), v.fact(textSessionSince, v.moment(v.s.Created)), v.fact(textSessionUntil, v.moment(v.s.Created.Add(longest))),
		),
		h.H2(v.say(textWhatMayI)),
		v.table(textWhatMayI, []column{may, has, does}, rows),
		h.P(h.Class("faint"), v.say(textScopesNote)),
		h.H2(v.say(textPreferences)),
		h.Div(h.Class("row"), v.languages(), v.themes(), v.densities()),
		h.H2(h.ID("keys"), v.say(textKeysTitle)), v.keyList(),
		h.Form(h.Method("post"), h.Action("/console/preferences"), hidden("to", "/console/me"), h.Button(h.Type("submit"), h.Name("keys"), h.Value(keys), v.say(keysWord))),
		h.H2(v.say(textTheAPI)), h.P(v.say(textDescribed), g.Text(" "), link("/console/openapi.json", v.say(textDescribedFile))),
		v.asCall("GET", "/v1/me"),
	}}, nil
}

// describedFile is the description of the API, as the API gives it.
func describedFile(v *visit) (answer, error) {
	var body string
	if _, err := v.call(v.ctx, http.MethodGet, "/v1/openapi.json", nil, &body); err != nil {
		return nil, err
	}
	return file{"application/json", "openapi.json", body}, nil
}
