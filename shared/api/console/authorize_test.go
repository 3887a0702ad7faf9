package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// An active connection is authorised again from its own page, and from those that tell which
// permission is lacking: the link is shown until somebody has signed in by it.
func TestAuthorizeAgain(t *testing.T) {
	t.Parallel()
	const at, start = "/console/connections/con_1", publicURL + "/oauth/start?state=x"
	w := runWorld(t, directory.RunDone)
	c := contoso(w.now)
	c.AuthorizedAt = w.now.Add(-time.Hour)
	w.tell(map[string]any{"GET /v1/connections/con_1": func(*http.Request) any { return c }, "POST /v1/connections/con_1/authorize": map[string]string{"authorizationUrl": start}})
	again := `action="` + at + `/authorize"`
	if a := w.get(at); !strings.Contains(a.body, again) || !strings.Contains(a.body, "Authorise again") {
		t.Error("an active connection cannot be authorised again")
	}
	c.Lacking = []directory.Permission{{Scope: "Group.ReadWrite.All", For: "Groups are exported.", Without: "No group is exported."}}
	for _, tab := range []string{"", "/groups", "/licences", "/health", "/audit", "/settings"} {
		a := w.get(at + tab)
		a.sound(tab)
		_, box, _ := strings.Cut(a.body, "Permissions that are lacking")
		box, _, _ = strings.Cut(box, "</section>")
		if !strings.Contains(box, again) || !strings.Contains(box, "Group.ReadWrite.All") {
			t.Errorf("%q tells no permission with the button to ask for it", tab)
		}
	}
	a := w.get(at)
	a.golden("connection-lacking")
	w.post(at + "/authorize")
	if told := w.told(); len(told) != 1 || told[0] != "POST /v1/connections/con_1/authorize" {
		t.Errorf("told %v", told)
	}
	a = w.get(at)
	a.sound("with the link")
	a.golden("connection-again")
	a.has(`href="`+start+`"`, "data-poll=")
	w.pass(time.Minute)
	for name, came := range map[string]func(*connection){
		"in effect": func(c *connection) { c.AuthorizedAt = w.now },
		"waiting": func(c *connection) {
			c.Waiting = &waitingSignIn{Tenant: *c.Tenant, AuthorizedBy: *c.AuthorizedBy, At: w.now, Until: w.now.Add(24 * time.Hour)}
		},
	} {
		before := c
		came(&c)
		if a := w.get(at); strings.Contains(a.body, start) || strings.Contains(a.body, "data-poll=") {
			t.Errorf("%s: the used link is still shown", name)
		}
		c = before
	}
	// A sign-in that waits since before the link was made does not hide it.
	c.Waiting = &waitingSignIn{Tenant: *c.Tenant, AuthorizedBy: *c.AuthorizedBy, At: w.now.Add(-time.Hour), Until: w.now.Add(23 * time.Hour)}
	w.get(at).has(start, `action="`+at+`/confirm"`)
	c.Waiting = nil
	w.pass(linkFor)
	if a := w.get(at); strings.Contains(a.body, start) {
		t.Error("the link is shown beyond its ten minutes")
	}
}

// Whoever asked for an authorisation sees that it was refused, and why, beside the way to a new
// link; once there is one, or somebody has signed in, no longer.
func TestRefusedSignIn(t *testing.T) {
	t.Parallel()
	const at, start = "/console/connections/con_1", publicURL + "/oauth/start?state=x"
	w := runWorld(t, directory.RunDone)
	w.tell(pending(w))
	c := connection{ID: "con_1", Name: "Contoso", Status: directory.StatusPending}
	w.tell(map[string]any{"GET /v1/connections/con_1": func(*http.Request) any { return c }, "POST /v1/connections/con_1/authorize": map[string]string{"authorizationUrl": start}})
	w.post(at + "/authorize")
	w.get(at).has(start)
	w.pass(time.Minute)
	c.RefusedSignIn = &directory.RefusedSignIn{At: w.now, Code: "expected-domain", Message: "The connection was made for the domain other.example, which this tenant has not verified. Nothing was changed.", Next: "Sign in to the tenant that has other.example."}
	a := w.get(at)
	a.sound("refused")
	a.golden("connect-refused")
	a.has("The last sign-in was refused", "which this tenant has not verified", "Sign in to the tenant that has other.example.", "expected-domain", `action="`+at+`/authorize"`)
	if strings.Contains(a.body, start) {
		t.Error("the link that is used up is still shown")
	}
	w.pass(time.Minute)
	w.post(at + "/authorize")
	if a := w.get(at); strings.Contains(a.body, "The last sign-in was refused") || !strings.Contains(a.body, start) {
		t.Error("a new link does not take the refusal's place")
	}
	// Of a connection that works a refusal is told for a day.
	c = contoso(w.now)
	c.RefusedSignIn = &directory.RefusedSignIn{At: w.now.Add(-23 * time.Hour), Code: "declined", Message: "The consent page was cancelled."}
	delete(w.jar, "__Host-bindery-link")
	w.get(at).has("The consent page was cancelled.")
	c.RefusedSignIn.At = w.now.Add(-25 * time.Hour)
	if a := w.get(at); strings.Contains(a.body, "The consent page was cancelled.") {
		t.Error("an old refusal is told of a connection that works")
	}
}
