package admin

import (
	"fmt"
	"strings"
	"testing"
)

// Names come by one call, of what is deleted too, and what is not there is left out.
func TestNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.create("/v1/users", `{"email":"ann@corp.example","givenName":"Ann","familyName":"Example"}`)
	bo := w.create("/v1/users", `{"email":"bo@corp.example"}`)
	sales := w.create("/v1/groups", `{"name":"Sales"}`)
	w.want(204, "", "DELETE", "/v1/users/"+bo, "")
	w.want(204, "", "DELETE", "/v1/groups/"+sales, "")
	okta := w.create("/v1/scim-clients", `{"name":"Okta"}`)
	a := w.want(200, "", "GET", fmt.Sprintf("/v1/names?id=%s,%s,%s,%s,%s,usr_nobody,grp_none,con_none,scl_none", ann, bo, sales, w.conn.ID, okta), "")
	for _, want := range []string{`"` + okta + `":"Okta"`, `"` + ann + `":"Ann Example"`, `"` + bo + `":"bo@corp.example"`, `"` + sales + `":"Sales"`, `"` + string(w.conn.ID) + `":"` + w.conn.Name + `"`} {
		if !strings.Contains(a.raw, want) {
			t.Errorf("%s is not in %s", want, a.raw)
		}
	}
	if strings.Contains(a.raw, "nobody") || strings.Contains(a.raw, "none") {
		t.Errorf("names of what is not there: %s", a.raw)
	}
	for _, bad := range []string{"", "?id=", "?id=run_1", "?id=ann@corp.example", "?id=" + strings.Repeat("usr_1,", 100) + "usr_2", "?id=" + strings.Repeat("con_1,", 10) + "con_2", "?id=" + strings.Repeat("scl_1,", 10) + "scl_2"} {
		w.want(422, "invalid-parameter", "GET", "/v1/names"+bad, "")
	}
}
