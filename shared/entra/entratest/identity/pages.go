package identity

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"sort"
	"strings"

	"bindery/shared/entra/entratest/state"
)

// htmlPage is a whole HTML page without a script. Chromium applies form-action to
// the redirect that follows a form too, so the application's origin is allowed.
func htmlPage(w http.ResponseWriter, status int, title, body, redirectURI string) {
	target := ""
	if u, err := url.Parse(redirectURI); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		target = " " + u.Scheme + "://" + u.Host
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"+target)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>%[1]s</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
input[name=login]{font:inherit;width:100%%;padding:.4rem;box-sizing:border-box}button{font:inherit;padding:.4rem 1.2rem;margin:1rem .5rem 0 0}
.error{color:#a4262c}.note{color:#555;font-size:.9rem}</style></head>
<body><h1>%[1]s</h1>
%[2]s
<p class="note">This is a simulated Microsoft 365. Nothing here reaches Microsoft.</p>
</body></html>
`, html.EscapeString(title), body)
}

// htmlForm wraps inputs into a form of a flow.
func htmlForm(action string, f *flow, inner string) string {
	return fmt.Sprintf(`<form method="post" action="%s"><input type="hidden" name="flow" value="%s">%s</form>`,
		html.EscapeString(action), html.EscapeString(f.ID), inner)
}

// formTarget is the address of a form: the authority of the flow, as at Microsoft.
func formTarget(f *flow, what string) string { return "/" + url.PathEscape(f.Segment) + "/" + what }

func (s *Platform) loginPage(w http.ResponseWriter, r *http.Request, f *flow, problem string) {
	var b strings.Builder
	if app, ok := s.application(f.AppID); ok {
		fmt.Fprintf(&b, "<p>to continue to <b>%s</b></p>\n", html.EscapeString(app.Title()))
	}
	if problem != "" {
		fmt.Fprintf(&b, "<p class=\"error\" id=\"error\" role=\"alert\">%s</p>\n", html.EscapeString(problem))
	}
	b.WriteString(htmlForm(formTarget(f, "login"), f, fmt.Sprintf(`<p><label for="login">userPrincipalName</label>
<input id="login" name="login" type="text" autocomplete="username" autofocus required value="%s"></p>
<p class="note">The simulator asks for no password.%s</p>
<button type="submit" id="next" name="next" value="next">Next</button>`, html.EscapeString(f.LoginHint), s.whoMay(f))))
	htmlPage(w, http.StatusOK, "Sign in", b.String(), f.RedirectURI)
}

func (s *Platform) consentPage(w http.ResponseWriter, r *http.Request, f *flow, p principal, app state.App, scopes []string) {
	var b strings.Builder
	fmt.Fprintf(&b, "<p id=\"account\">%s</p>\n<p><b id=\"app\">%s</b> asks for access in <b id=\"tenant\">%s</b>:</p>\n<ul id=\"permissions\">\n",
		html.EscapeString(p.UPN), html.EscapeString(app.Title()), html.EscapeString(p.TenantName))
	for _, line := range describeScopes(scopes, f.Scope.OIDC) {
		fmt.Fprintf(&b, "<li>%s</li>\n", html.EscapeString(line))
	}
	b.WriteString("</ul>\n")
	inner := ""
	switch {
	case f.AdminConsent:
		b.WriteString("<p>Accepting gives this access to the application for all users of the organization.</p>\n")
	case p.Consents:
		inner = `<p><label><input type="checkbox" id="on_behalf" name="on_behalf" value="true"> Consent on behalf of your organization</label></p>`
	}
	inner += `<button type="submit" id="accept" name="accept" value="accept">Accept</button>` +
		`<button type="submit" id="cancel" name="cancel" value="cancel">Cancel</button>`
	b.WriteString(htmlForm(formTarget(f, "consent"), f, inner))
	htmlPage(w, http.StatusOK, "Permissions requested", b.String(), f.RedirectURI)
}

// describeScopes puts scopes into words, in a fixed order.
func describeScopes(graph, oidc []string) []string {
	var out []string
	for _, s := range graph {
		out = append(out, graphPermissions[s].words+" ("+s+")")
	}
	sort.Strings(out)
	for _, s := range oidc {
		out = append(out, oidcScopes[s]+" ("+s+")")
	}
	return out
}

// approvalPage tells a user who may not consent that an administrator must.
func (s *Platform) approvalPage(w http.ResponseWriter, r *http.Request, f *flow, p principal, app state.App) {
	e := aadsts(90094, p.TenantName, app.Title(), p.TenantName)
	body := fmt.Sprintf("<p><b>%s</b> needs permission to access resources in <b>%s</b> that only an administrator can grant.</p>\n<p id=\"error\" class=\"error\">AADSTS90094: %s</p>\n",
		html.EscapeString(app.Title()), html.EscapeString(p.TenantName), html.EscapeString(e.Text))
	body += htmlForm(formTarget(f, "consent"), f, `<button type="submit" id="cancel" name="cancel" value="approval">Return to the application without granting consent</button>`)
	htmlPage(w, http.StatusOK, "Need admin approval", body, f.RedirectURI)
}

// errorPage shows what cannot go back to the application.
func (s *Platform) errorPage(w http.ResponseWriter, r *http.Request, e *stsError) {
	body := fmt.Sprintf("<p>Sorry, but we're having trouble signing you in.</p>\n<p id=\"error\" class=\"error\">AADSTS%d: %s</p>\n<p class=\"note\">Correlation ID: %s<br>Timestamp: %s</p>",
		e.Code, html.EscapeString(e.Text), html.EscapeString(correlationID(s, r)), stsTime(s.state.Now()))
	htmlPage(w, http.StatusBadRequest, "Sign in", body, "")
}

// redirectError goes back to the application with a refusal.
func (s *Platform) redirectError(w http.ResponseWriter, r *http.Request, f *flow, e *stsError) {
	v := s.callbackError(r, e, f.State)
	if f.AdminConsent { // documented: present in refusals, too
		v.Set("admin_consent", "True")
	}
	s.redirect(w, r, f, v)
}

// redirect goes back to the application in the response mode it asked for.
func (s *Platform) redirect(w http.ResponseWriter, r *http.Request, f *flow, v url.Values) {
	if f.ResponseMode == "form_post" {
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		var b strings.Builder
		fmt.Fprintf(&b, `<form method="post" action="%s">`, html.EscapeString(f.RedirectURI))
		for _, k := range keys {
			fmt.Fprintf(&b, `<input type="hidden" name="%s" value="%s">`, html.EscapeString(k), html.EscapeString(v.Get(k)))
		}
		b.WriteString(`<button type="submit" id="continue">Continue</button></form>`)
		htmlPage(w, http.StatusOK, "Working…", b.String(), f.RedirectURI)
		return
	}
	u, err := url.Parse(f.RedirectURI)
	if err != nil {
		s.errorPage(w, r, aadsts(50011, f.RedirectURI, f.AppID))
		return
	}
	if f.ResponseMode == "fragment" {
		w.Header().Set("Location", f.RedirectURI+"#"+v.Encode())
	} else {
		q := u.Query()
		for k, vs := range v {
			q[k] = vs
		}
		u.RawQuery = q.Encode()
		w.Header().Set("Location", u.String())
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusFound)
}
