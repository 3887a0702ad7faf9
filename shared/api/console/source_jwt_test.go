package console

import (
	"strings"
	"testing"

	"bindery/shared/directory"
)

// Whoever sets a source up for the JWTs of an app is shown the address that takes them, and
// offered no token; one that has a token as well is shown both.
func TestSourceByJWT(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	c := okta(w.now)
	c.OAuthClientID, c.OAuthPath = "app", "/scim/scl_1/oauth/v2"
	w.tell(map[string]any{"GET /v1/scim-clients/scl_1": c})
	w.get("/console/sources/scl_1").has("/scim/scl_1/oauth/v2", "/scim/scl_1/v2", "/console/sources/scl_1/token")
	w.get("/console/sources/scl_1/setup").has("/scim/scl_1/v2")
	w.tell(silent(w))
	c.Tokens.Alive, c.Findings = 0, nil
	w.tell(map[string]any{"GET /v1/scim-clients/scl_1": c})
	for _, page := range []string{"", "/setup"} {
		a := w.get("/console/sources/scl_1" + page)
		a.has("/scim/scl_1/oauth/v2", "by client credentials")
		for _, not := range []string{"/scim/scl_1/v2", "/console/sources/scl_1/token"} {
			if strings.Contains(a.body, not) {
				t.Errorf("%q: %s is offered", page, not)
			}
		}
	}
}
