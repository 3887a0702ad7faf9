package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// Texts that no key of the table can hold as they are, where keys are made of texts: taken
// or refused, found again where they were taken, and never an error of ours.
func TestOddTextsInKeys(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]string{
		"NUL": "a\x00b", "only NUL": "\x00", "last rune": "a\U0010FFFF", "long": strings.Repeat("é", 3000), "longest": strings.Repeat("x", 60000),
		"tab": "a\tb", "blank": " ", "separator": "#", "delete": "\u007f", "mark": "\ufeff", "line": "a\u2028b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, provision.ClientEdit{})
			quoted, err := json.Marshal(odd)
			w.Must(err)
			text := string(quoted)
			send := func(method, path, body string) reply {
				t.Helper()
				r := w.send(method, path, body)
				if r.Code >= 500 {
					t.Errorf("%s %s %.120s: %d %.200s", method, path, body, r.Code, r.Body)
				}
				return r
			}
			found := func(path, attribute string) {
				t.Helper()
				ask, err := json.Marshal(map[string]any{"schemas": []string{schemaSearch}, "filter": attribute + " eq " + text})
				w.Must(err)
				if r := send("POST", path+"/.search", string(ask)); r.Code == 200 {
					if total, _ := results(r); total != "1" {
						t.Errorf("%s %s: %s found", path, attribute, total)
					}
				}
			}
			for i, body := range []string{
				`"userName":"a@x.example","externalId":` + text,
				`"userName":"b@x.example","emails":[{"value":"b@x.example","type":"work"},{"value":` + text + `,"type":"other"}]`,
				`"userName":"c@x.example","emails":[{"value":"c@x.example","type":"work"},{"value":"h@x.example","type":"home"},{"value":` + text + `,"type":"zzz"}]`,
				`"userName":` + text + `,"emails":[{"value":"d@x.example","type":"work"}]`,
				`"userName":"e@x.example","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":` + text + `}}`,
			} {
				r := send("POST", "/Users", `{"schemas":["`+schemaUser+`"],`+body+`}`)
				if r.Code == 201 && i == 0 {
					found("/Users", "externalId")
				}
				if r.Code == 201 {
					w.want(204, "DELETE", "/Users/"+r.body.text("id"), nil)
					send("POST", "/Users", `{"schemas":["`+schemaUser+`"],`+body+`}`)
				}
			}
			id := w.make("f@x.example", `,"externalId":"first"`)
			w.client, w.token = w.newClient(provision.ClientEdit{Name: ptr("B")}) // whose externalId is in no profile
			if r := send("PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"externalId","value":`+text+`}`)); r.Code == 200 && r.body.text("externalId") != "" {
				found("/Users", "externalId")
			}
			for _, body := range []string{`"displayName":"G","externalId":` + text, `"displayName":` + text, `"displayName":"H","members":[{"value":` + text + `}]`} {
				send("POST", "/Groups", `{"schemas":["`+schemaGroup+`"],`+body+`}`)
			}
			for path, attributes := range map[string][]string{"/Users": {"id", "userName", "emails.value"}, "/Groups": {"id", "externalId", "displayName", "members"}} {
				for _, a := range attributes {
					ask, err := json.Marshal(map[string]any{"schemas": []string{schemaSearch}, "filter": a + " eq " + text})
					w.Must(err)
					send("POST", path+"/.search", string(ask))
				}
			}
		})
	}
}
