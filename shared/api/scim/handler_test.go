package scim

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bindery/shared/api/claims"
	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
	"bindery/shared/store"
)

var bridge = directory.Caller{Subject: "bridge", Source: directory.SourceAD}

// Whoever is found is adopted by an edit; what comes back is what was.
func TestIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	manual, err := w.users.Create(t.Context(), ada, []byte(`{"email":"ann@x.example","department":"Sales"}`))
	w.Must(err)
	if total, list := results(w.want(200, "GET", `/Users?filter=userName+eq+"ANN@x.example"`, nil)); total != "1" || list[0].text("id") != string(manual.ID) {
		t.Fatalf("%s, %v", total, list)
	}
	w.want(409, "POST", "/Users", `{"userName":"ann@x.example"}`)
	r := w.want(200, "PATCH", "/Users/"+string(manual.ID), patchOf(`{"op":"add","path":"externalId","value":"A1"},{"op":"add","path":"title","value":"CTO"}`))
	if r.body.text("externalId") != "A1" || r.body.text("title") != "CTO" {
		t.Errorf("%s", r.Body)
	}
	if u := w.user(string(manual.ID)); u.Owners["jobTitle"] != directory.SourceSCIM || u.Owners["department"] != "" || u.ExternalID != "A1" || u.Source != directory.SourceManual {
		t.Errorf("%+v", u)
	}
	// An edit of what is the same writes nothing.
	before := w.user(string(manual.ID)).Version
	tag := r.Header().Get("ETag")
	if again := w.want(200, "PATCH", "/Users/"+string(manual.ID), patchOf(`{"op":"add","path":"title","value":"CTO"}`)); again.Header().Get("ETag") != tag || w.user(string(manual.ID)).Version != before {
		t.Errorf("the same again: %s, %s", again.Header().Get("ETag"), again.Body)
	}

	// Deleted, and back by the externalId within its days: the same user.
	w.want(204, "DELETE", "/Users/"+string(manual.ID), nil)
	w.want(404, "GET", "/Users/"+string(manual.ID), nil)
	if total, _ := results(w.want(200, "GET", `/Users?filter=externalId+eq+"A1"`, nil)); total != "0" {
		t.Errorf("a tombstone is found")
	}
	if r = w.want(201, "POST", "/Users", `{"userName":"ann.b@x.example","externalId":"A1"}`); r.body.text("id") != string(manual.ID) || r.body.get("active") != true {
		t.Errorf("%s", r.Body)
	}
	if u := w.user(string(manual.ID)); u.Deleted != nil || u.State != directory.StateActive || u.UserName != "ann.b@x.example" || u.Department != "Sales" || u.JobTitle != "" {
		t.Errorf("came back as %+v", u)
	}
	w.want(409, "POST", "/Users", `{"userName":"other@x.example","externalId":"A1"}`)
	if r := w.want(201, "POST", "/Users", `{"userName":"other@x.example","externalId":"a1"}`); r.body.text("id") == string(manual.ID) {
		t.Error("the letter case of an externalId counts")
	}

	// The same address without the externalId is somebody else, and so is everybody once
	// the days are over.
	w.want(204, "DELETE", "/Users/"+string(manual.ID), nil)
	if r := w.want(201, "POST", "/Users", `{"userName":"ann.b@x.example"}`); r.body.text("id") == string(manual.ID) {
		t.Error("a tombstone came back without its externalId")
	}
	w.want(409, "POST", "/Users", `{"userName":"ann.b@x.example","externalId":"A1"}`) // the address is taken
	w.Advance(store.TombstoneLife + time.Hour)
	if r := w.want(201, "POST", "/Users", `{"userName":"ann.c@x.example","externalId":"A1"}`); r.body.text("id") == string(manual.ID) {
		t.Error("a tombstone came back after its days")
	}
}

// A 409 never tells whose a value is.
func TestTakenTellsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann@x.example", `,"displayName":"Ann Secret"`)
	other := w.make("ben@x.example")
	for _, r := range []reply{
		w.want(409, "POST", "/Users", `{"userName":"Ann@x.example"}`),
		w.want(409, "PUT", "/Users/"+other, `{"userName":"ben@x.example","emails":[{"value":"ann@x.example"}]}`),
		w.want(409, "PATCH", "/Users/"+other, patchOf(`{"op":"replace","path":"userName","value":"ann@x.example"}`)),
	} {
		if strings.Contains(r.Body.String(), id) || strings.Contains(r.Body.String(), "Secret") || r.body.text("scimType") != typeUniqueness {
			t.Errorf("%s", r.Body)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann@x.example", `,"active":true,"title":"CTO","nickName":"A","emails":[{"type":"work","value":"ann.b@x.example"}]`)
	_, err := w.users.Patch(t.Context(), ada, directory.UserID(id), []byte(`{"department":"Sales","location":"B1"}`), 0)
	w.Must(err)
	_, err = w.users.SetState(t.Context(), ada, directory.UserID(id), directory.StateSuspended, 0)
	if err == nil {
		t.Error("a state that SCIM owns was changed by hand")
	}
	// What the client leaves out it clears where it has set it; what others have set stays.
	r := w.want(200, "PUT", "/Users/"+id, `{"userName":"ann@x.example"}`)
	if u := w.user(id); u.JobTitle != "" || u.Department != "Sales" || u.Email != "ann.b@x.example" || u.State != directory.StateActive {
		t.Errorf("%+v", u)
	}
	if strings.Contains(r.Body.String(), "nickName") || !strings.Contains(r.Body.String(), `"department":"Sales"`) || !strings.Contains(r.Body.String(), "ann.b@x.example") {
		t.Errorf("%s", r.Body)
	}
	// What was read, sent back, changes nothing and makes nothing the client's.
	version := w.user(id).Version
	w.want(200, "PUT", "/Users/"+id, w.want(200, "GET", "/Users/"+id, nil).Body.String())
	if u := w.user(id); u.Version != version || u.Owners["department"] != "" {
		t.Errorf("after a PUT of what was read: %+v", u)
	}
	w.want(200, "PUT", "/Users/"+id, `{"userName":"ann@x.example","active":"False"}`)
	if u := w.user(id); u.State != directory.StateSuspended {
		t.Errorf("state %s", u.State)
	}
	w.want(200, "PUT", "/Users/"+id, `{"userName":"ann@x.example"}`)
	if u := w.user(id); u.State != directory.StateSuspended {
		t.Errorf("a PUT without active made it %s", u.State)
	}
	w.want(400, "PUT", "/Users/"+id, `{"title":"x"}`)
	w.want(404, "PUT", "/Users/usr_nobody", `{"userName":"x@x.example"}`)
}

// An address may have lines, which come back as they were sent.
func TestAddressOfLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	const addresses = `"addresses":[{"formatted":"Main St 1\nUlm","type":"other"},{"streetAddress":"Main St 1\nSuite 4","type":"work"}]`
	id := w.make("a@x.example", ","+addresses)
	if u := w.user(id); u.Location != "Main St 1, Ulm" || u.WorkAddress.StreetAddress != "Main St 1, Suite 4" {
		t.Errorf("%+v", u.Profile)
	}
	tag := ""
	for range 2 {
		r := w.want(200, "PUT", "/Users/"+id, `{"userName":"a@x.example",`+addresses+`}`)
		if !strings.Contains(r.Body.String(), addresses) || tag != "" && r.Header().Get("ETag") != tag {
			t.Errorf("%s %s", r.Header().Get("ETag"), r.Body)
		}
		tag = r.Header().Get("ETag")
	}
}

// The e-mail address is no name: a PUT that forgets the name does not change it.
func TestNameIsRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann", `,"emails":[{"value":"ann@x.example"}]`)
	for method, path := range map[string]string{"POST": "/Users", "PUT": "/Users/" + id} {
		r := w.want(400, method, path, `{"emails":[{"value":"ann@x.example"}]}`)
		if r.body.text("scimType") != typeInvalidValue || !strings.Contains(r.body.text("detail"), "userName") {
			t.Errorf("%s: %s", method, r.Body)
		}
	}
	if u := w.user(id); u.UserName != "ann" || u.Version != 1 {
		t.Errorf("%+v", u)
	}
}

// What another source owns stays, and is told; the state is refused.
func TestOwnedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	u, err := w.users.Create(t.Context(), bridge, []byte(`{"email":"ann@x.example","department":"Sales","state":"active"}`))
	w.Must(err)
	r := w.want(200, "PATCH", "/Users/"+string(u.ID), patchOf(`{"op":"replace","value":{"`+schemaEnterprise+`:department":"Law","title":"CTO"}}`))
	if !strings.Contains(r.Body.String(), `"department":"Sales"`) || !strings.Contains(r.Body.String(), `"title":"CTO"`) {
		t.Errorf("%s", r.Body)
	}
	if log := w.lastRequest(); !slices.Contains(log.Notes, "department: not taken, owned by ad") || !slices.Equal(log.Changed, []string{"jobTitle"}) || log.UserID != u.ID {
		t.Errorf("%+v", log)
	}
	w.want(403, "PATCH", "/Users/"+string(u.ID), patchOf(`{"op":"replace","path":"title","value":"x"},{"op":"replace","path":"active","value":false}`))
	w.want(403, "DELETE", "/Users/"+string(u.ID), nil)
	if got := w.user(string(u.ID)); got.State != directory.StateActive || got.Deleted != nil || got.JobTitle != "CTO" {
		t.Errorf("%+v", got)
	}
}

// What is no value of an attribute that a user does without is kept and not taken; a
// manager is taken once there is one.
func TestKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	boss := w.make("boss@x.example")
	w.want(204, "DELETE", "/Users/"+boss, nil)
	id := w.make("ann@x.example", `,"preferredLanguage":"rubbish!","`+schemaEnterprise+`":{"manager":"`+boss+`"}`)
	if u := w.user(id); u.PreferredLanguage != "" || u.ManagerID != "" {
		t.Errorf("%+v", u)
	}
	r := w.want(200, "GET", "/Users/"+id, nil)
	if r.body.text("preferredLanguage") != "rubbish!" || managerOf(r.body).text("value") != boss {
		t.Errorf("%s", r.Body)
	}
	_, err := w.users.Restore(t.Context(), directory.Caller{Subject: "x", Source: directory.SourceSCIM}, directory.UserID(boss), 0)
	w.Must(err)
	r = w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"title","value":"CTO"}`))
	if u := w.user(id); string(u.ManagerID) != boss || managerOf(r.body).text("displayName") != "boss@x.example" || !strings.HasSuffix(managerOf(r.body).text("$ref"), "/v2/Users/"+boss) {
		t.Errorf("%+v, %s", u, r.Body)
	}
	// In a circle it is left out, and everything else taken.
	w.want(200, "PATCH", "/Users/"+boss, patchOf(`{"op":"add","path":"manager","value":"`+id+`"},{"op":"add","path":"title","value":"Boss"}`))
	if u := w.user(boss); u.ManagerID != "" || u.JobTitle != "Boss" {
		t.Errorf("%+v", u)
	}
	for _, ops := range []string{`{"op":"replace","path":"emails[type eq \"work\"].value","value":"no address"}`, `{"op":"replace","path":"title","value":"` + strings.Repeat("x", 300) + `"}`,
		`{"op":"add","path":"nickName","value":"` + strings.Repeat("x", maxDocument) + `"}`} {
		if r := w.want(400, "PATCH", "/Users/"+id, patchOf(ops)); r.body.text("scimType") != typeInvalidValue {
			t.Errorf("%s", r.Body)
		}
	}
}

// Active can be unassigned, which changes no user, is told, and hides nobody from a filter. A
// strict client is shown nothing of it until it sends it again (RFC 7644, 3.5.2.2).
func TestActiveUnassigned(t *testing.T) {
	t.Parallel()
	for _, op := range []string{`{"op":"remove","path":"active"}`, `{"op":"replace","path":"active","value":null}`, `{"op":"replace","path":"active","value":""}`,
		`{"op":"replace","value":{"active":null}}`, `{"op":"add","path":"active","value":[]}`} {
		for _, strict := range []bool{false, true} {
			for _, active := range []bool{true, false} {
				w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
				id := w.make("ann@x.example", fmt.Sprintf(`,"active":%v,"emails":[{"value":"ann@x.example","type":"work"}]`, active))
				was := w.user(id)
				for range 2 {
					r := w.want(200, "PATCH", "/Users/"+id, patchOf(op))
					if u := w.user(id); u.State != was.State || u.Version != 1 {
						t.Errorf("%s: %s", op, u.State)
					}
					if strict == (r.body.index("active") >= 0) || !strict && r.body.get("active") != active {
						t.Errorf("strict %v: %s: %s", strict, op, r.Body)
					}
				}
				if notes := w.lastRequest().Notes; !strict && (len(notes) != 1 || !strings.Contains(notes[0], "stays as it is")) {
					t.Errorf("%s: %q", op, notes)
				}
				if total, _ := results(w.want(200, "GET", fmt.Sprintf("/Users?filter=active+eq+%v", active), nil)); !strict && total != "1" {
					t.Errorf("%s: %s found", op, total)
				}
				r := w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"active","value":false}`))
				if u := w.user(id); u.State != directory.StateSuspended || r.body.get("active") != false {
					t.Errorf("%s: %s", u.State, r.Body)
				}
			}
		}
	}
	// Who has not started yet is not suspended by it.
	w := newWorld(t, provision.ClientEdit{})
	u, err := w.users.Create(t.Context(), ada, []byte(`{"email":"new@x.example","state":"staged"}`))
	w.Must(err)
	w.want(200, "PATCH", "/Users/"+string(u.ID), patchOf(`{"op":"remove","path":"active"}`))
	if u := w.user(string(u.ID)); u.State != directory.StateStaged {
		t.Error(u.State)
	}
}

// What a user or a group cannot be without is not emptied: by PUT and by PATCH, whatever says
// that there is no value.
func TestRequiredWithoutValue(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		id := w.make("ann@x.example", `,"emails":[{"value":"ann@x.example","type":"work"}]`)
		g := w.group("G", id)
		for _, none := range []string{`null`, `""`, `[]`} {
			for _, op := range []string{"add", "replace"} {
				for path, name := range map[string]string{"/Users/" + id: "userName", "/Groups/" + g: "displayName"} {
					for _, body := range []string{`{"op":"` + op + `","path":"` + name + `","value":` + none + `}`, `{"op":"` + op + `","value":{"` + name + `":` + none + `}}`} {
						if r := w.want(400, "PATCH", path, patchOf(body)); r.body.text("scimType") != typeMutability {
							t.Errorf("%s: %s", body, r.Body)
						}
					}
				}
			}
			w.want(400, "PUT", "/Users/"+id, `{"schemas":["`+schemaUser+`"],"userName":`+none+`,"emails":[{"value":"ann@x.example","type":"work"}]}`)
			w.want(400, "PUT", "/Groups/"+g, `{"schemas":["`+schemaGroup+`"],"displayName":`+none+`}`)
			for _, tt := range []struct{ method, body string }{
				{"PATCH", patchOf(`{"op":"replace","path":"emails","value":` + none + `}`)}, {"PATCH", patchOf(`{"op":"replace","path":"emails[type eq \"work\"].value","value":` + none + `}`)},
				{"PUT", `{"schemas":["` + schemaUser + `"],"userName":"ann@x.example","emails":` + none + `}`},
			} {
				status := 200
				if strict {
					status = 400
				}
				w.want(status, tt.method, "/Users/"+id, tt.body)
				if notes := w.lastRequest().Notes; !strict && (len(notes) == 0 || !strings.Contains(notes[0], "own address")) {
					t.Errorf("%s: %q", tt.body, notes)
				}
			}
		}
		r := w.want(200, "GET", "/Users/"+id, nil)
		if u := w.user(id); u.UserName != "ann@x.example" || u.Email != "ann@x.example" || r.body.text("userName") != "ann@x.example" || len(elements(r.body.get("emails"))) != 1 {
			t.Errorf("%+v, %s", u, r.Body)
		}
		if r := w.want(200, "GET", "/Groups/"+g, nil); r.body.text("displayName") != "G" || len(w.in(g)) != 1 {
			t.Errorf("%s", r.Body)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann@x.example")
	r := w.want(200, "GET", "/Users/"+id, nil)
	tag := r.Header().Get("ETag")
	if meta, _ := r.body.get("meta").(*object); meta.text("version") != tag || meta.text("location") != r.Header().Get("Location") || !strings.HasPrefix(tag, `W/"`) {
		t.Errorf("%s, %v", r.Body, r.Header())
	}
	w.want(304, "GET", "/Users/"+id, nil, "If-None-Match", tag)
	next := w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"nickName","value":"A"}`), "If-Match", `"x", `+tag).Header().Get("ETag")
	if next == tag {
		t.Error("what is kept of a user has no part in its version")
	}
	w.want(412, "PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"nickName","value":"B"}`), "If-Match", tag)
	w.want(412, "PUT", "/Users/"+id, `{"userName":"ann@x.example"}`, "If-Match", tag)
	w.want(412, "DELETE", "/Users/"+id, nil, "If-Match", tag)
	w.want(204, "DELETE", "/Users/"+id, nil, "If-Match", "*")
	g := w.group("Eng")
	tag = w.want(200, "GET", "/Groups/"+g, nil).Header().Get("ETag")
	w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"replace","path":"displayName","value":"E"}`), "If-Match", tag)
	w.want(412, "PATCH", "/Groups/"+g, patchOf(`{"op":"replace","path":"displayName","value":"F"}`), "If-Match", tag)
}

// paged reads a listing to its end, as a client does.
func (w *world) paged(query string, byCursor bool) (names []string, requests int) {
	w.Helper()
	cursor, start := "", 1
	for {
		path := fmt.Sprintf("/Users?count=7&startIndex=%d%s", start, query)
		if byCursor {
			path = "/Users?count=7&cursor=" + cursor + query
		}
		r := w.want(200, "GET", path, nil)
		requests++
		total, list := results(r)
		for _, o := range list {
			names = append(names, o.text("userName"))
		}
		start += len(list)
		if byCursor {
			if cursor = r.body.text("nextCursor"); cursor == "" {
				return names, requests
			}
		} else if fmt.Sprint(start-1) >= total && len(fmt.Sprint(start-1)) >= len(total) || len(list) == 0 {
			return names, requests
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{OwnOnly: &own})
		var want, odd []string
		for i := range 40 {
			name := fmt.Sprintf("u%02d@x.example", i)
			title := ""
			if want = append(want, name); i%4 == 1 {
				odd, title = append(odd, name), `,"title":"odd"`
			}
			w.make(name, title)
		}
		foreign, err := w.users.Create(t.Context(), ada, []byte(`{"email":"manual@x.example"}`))
		w.Must(err)
		if own {
			w.want(404, "GET", "/Users/"+string(foreign.ID), nil)
			w.want(404, "DELETE", "/Users/"+string(foreign.ID), nil)
		} else {
			want = append(want, "manual@x.example")
		}
		slices.Sort(want)
		for _, byCursor := range []bool{false, true} {
			got, _ := w.paged("", byCursor)
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("own %v, by cursor %v: %v", own, byCursor, got)
			}
			got, _ = w.paged("&filter=title+eq+%22odd%22", byCursor)
			if slices.Sort(got); !slices.Equal(got, odd) {
				t.Errorf("filtered, own %v, by cursor %v: %v, want %v", own, byCursor, got, odd)
			}
		}
		// Where nobody has come to by pages.
		first := w.want(200, "GET", "/Users?startIndex=31&count=100&attributes=userName", nil)
		if total, list := results(first); total != fmt.Sprint(len(want)) || len(list) != len(want)-30 {
			t.Errorf("own %v: of %s %d from the 31st on", own, total, len(list))
		}
		if _, list := results(w.want(200, "GET", "/Users?startIndex=1000", nil)); len(list) != 0 {
			t.Errorf("behind the end: %d", len(list))
		}
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	for i := range 3 {
		w.make(fmt.Sprintf("u%d@x.example", i))
	}
	cursor := w.want(200, "GET", "/Users?cursor&count=2", nil).body.text("nextCursor")
	for path, keyword := range map[string]string{
		"/Users?cursor=x!&count=2": typeInvalidCursor, "/Users?cursor=" + cursor + "&filter=title+pr": typeInvalidCursor, "/Groups?cursor=" + cursor: typeInvalidCursor,
		"/Users?cursor&count=x": typeInvalidCount, "/Users?count=x": typeInvalidValue, "/Users?startIndex=a": typeInvalidValue,
	} {
		if r := w.want(400, "GET", path, nil); r.body.text("scimType") != keyword {
			t.Errorf("%s: %s", path, r.Body)
		}
	}
	w.Advance(2 * time.Hour)
	if r := w.want(400, "GET", "/Users?count=2&cursor="+cursor, nil); r.body.text("scimType") != typeExpiredCursor {
		t.Errorf("%s", r.Body)
	}
}

// Whatever is wrong with a token, the answer is the same to the byte.
func TestUnauthorized(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	good, client := w.token, w.client
	other, foreign := w.newClient(provision.ClientEdit{Name: ptr("Entra")})
	tokens, err := w.clients.Tokens(t.Context(), client.ID)
	w.Must(err)
	_, secret, err := w.clients.NewToken(t.Context(), ada, client.ID, 1)
	w.Must(err)
	expired := secret.Reveal()
	w.want(200, "GET", "/Users", nil)
	w.Advance(25 * time.Hour)
	var bodies []string
	for _, token := range []string{"", "x", good + "x", foreign, expired} {
		w.token = token
		r := w.want(401, "GET", "/Users", nil)
		bodies = append(bodies, r.Body.String()+fmt.Sprint(r.Header()))
	}
	w.token = good
	w.want(200, "GET", "/Users", nil)
	w.client = other
	r := w.want(401, "GET", "/Users", nil)
	bodies = append(bodies, r.Body.String()+fmt.Sprint(r.Header()))
	w.client = client
	_, err = w.clients.RevokeToken(t.Context(), ada, client.ID, tokens[0].ID)
	w.Must(err)
	r = w.want(401, "GET", "/Users", nil)
	bodies = append(bodies, r.Body.String()+fmt.Sprint(r.Header()))
	if slices.Sort(bodies); len(slices.Compact(bodies)) != 1 {
		t.Errorf("answers differ: %q", bodies)
	}
	_, secret, err = w.clients.NewToken(t.Context(), ada, client.ID, 1)
	w.Must(err)
	for range wrongPerMinute {
		w.send("GET", "/Users", nil)
	}
	if r := w.want(429, "GET", "/Users", nil); r.Header().Get("Retry-After") == "" {
		t.Errorf("%v", r.Header())
	}
	w.token = secret.Reveal()
	w.want(200, "GET", "/Users", nil) // from the same address
}

// A gateway's claims open a client's own path for them, when they feed as SCIM and as
// nothing else; they open nothing of the other paths, nor these without them.
func TestClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{OAuthClientID: ptr("okta-app")})
	other, _ := w.newClient(provision.ClientEdit{Name: ptr("Other"), OAuthClientID: ptr("other-app")})
	closed, _ := w.newClient(provision.ClientEdit{Name: ptr("Closed")})
	var scope string
	app := "okta-app"
	w.handler.Claims = func(context.Context) claims.Claims {
		if scope == "" {
			return nil
		}
		return func(name string) (string, bool) {
			text := map[string]string{"scope": scope, "cid": app}[name]
			return text, text != ""
		}
	}
	get := func(path string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	id := w.make("ann@x.example")
	own := "/scim/" + string(w.client.ID)
	for _, tt := range []struct {
		scope, path string
		status      int
	}{
		{"bindery/source.scim", own + "/oauth/v2/Users/" + id, 200},
		{"bindery/read bindery/source.scim", own + "/oauth/v2/Users", 200},
		{"bindery/source.scim", own + "/v2/Users", 401},
		{"bindery/source.scim", "/scim/scl_nobody/oauth/v2/Users", 401},
		{"bindery/source.scim", own + "/oauth/Users", 404},
		{"bindery/source.scim bindery/source.ad", own + "/oauth/v2/Users", 401},
		{"bindery/Source.scim", own + "/oauth/v2/Users", 401},
		{"bindery/admin bindery/write", own + "/oauth/v2/Users", 401},
		{"bindery/source.scim", "/scim/" + string(other.ID) + "/oauth/v2/Users", 401},
		{"bindery/source.scim", "/scim/" + string(closed.ID) + "/oauth/v2/Users", 401},
		{"", own + "/oauth/v2/Users", 401},
	} {
		scope = tt.scope
		if status, body := get(tt.path); status != tt.status || status == 200 && !strings.Contains(body, "/oauth/v2/Users/"+id) {
			t.Errorf("%q at %s: %d %s", tt.scope, tt.path, status, body)
		}
	}
	for _, other := range []string{"", "other-app", "OKTA-APP"} {
		scope, app = "bindery/source.scim", other
		if status, body := get(own + "/oauth/v2/Users"); status != 401 {
			t.Errorf("the token of the app %q: %d %s", other, status, body)
		}
	}
}

// TestOneLimitForAll: several processes keep one limit together, but for what each has not
// told yet; a client that waits as long as it is told to is answered.
func TestOneLimitForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	handlers := make([]*Handler, 2)
	for i := range handlers { // each with a Clients of its own, over the one table
		handlers[i] = New(Config{Pushes: w.pushes, Clients: provision.New(provision.Config{Records: w.Store.ScimClients, Now: w.Now}), PublicURL: "https://b.example", PerSecond: 2, Now: w.Now})
	}
	const window = int(directory.ScimWindow / time.Second)
	limit, untold := 2*window, len(handlers)*(tellAfter-1)
	push := func(n int) (refused time.Duration) {
		w.handler = handlers[n%len(handlers)]
		r := w.send("GET", "/ServiceProviderConfig", nil)
		if r.Code != http.StatusTooManyRequests {
			return 0
		}
		seconds, err := strconv.Atoi(r.Header().Get("Retry-After"))
		if err != nil || seconds < 1 || seconds > 2*window {
			t.Fatalf("Retry-After %q", r.Header().Get("Retry-After"))
		}
		return time.Duration(seconds) * time.Second
	}
	w.Advance(w.Now().Truncate(directory.ScimWindow).Add(directory.ScimWindow).Sub(w.Now()))
	w.counted.calls.Store(0)
	answered, wait := 0, time.Duration(0)
	for n := 0; wait == 0 && n < 3*limit; n++ {
		if wait = push(n); wait == 0 {
			answered++
		}
	}
	if answered < limit || answered > limit+untold {
		t.Errorf("%d requests were answered at once, want %d to %d", answered, limit, limit+untold)
	}
	if calls := int(w.counted.calls.Load()); calls > 2*(answered+1)+2 { // one to read, one to log, and the hour in which the token and the client were used
		t.Errorf("%d requests took %d calls of the table", answered+1, calls)
	}
	for i := range 5 {
		w.Advance(wait)
		if again := push(i); again != 0 {
			t.Errorf("who waits %v, as told, is to wait %v more", wait, again)
		}
		for n := 0; ; n++ {
			if wait = push(n); wait != 0 {
				break
			}
		}
	}
	// One who never waits gets the limit in the mean, however long it goes on.
	answered = 0
	const windows = 20
	for n := range windows * window * 10 {
		w.Advance(99 * time.Millisecond)
		if push(n) == 0 {
			answered++
		}
	}
	if answered < (windows-1)*limit || answered > (windows+1)*limit+windows*untold {
		t.Errorf("%d requests were answered in %d windows of %d", answered, windows, limit)
	}
}

func TestPausedAndLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PerSecond = 3
	most := 3 * int(directory.ScimWindow/time.Second)
	for i := range 2 * most {
		r := w.send("GET", "/ServiceProviderConfig", nil)
		if r.Code == 429 {
			if i != most || r.Header().Get("Retry-After") == "" {
				t.Errorf("after %d: %v", i, r.Header())
			}
			break
		}
		w.Advance(-time.Millisecond) // all at once
		if i == 2*most-1 {
			t.Error("nothing was ever refused")
		}
	}
	w.Advance(time.Minute)
	_, err := w.clients.Edit(t.Context(), ada, w.client.ID, provision.ClientEdit{Paused: ptr(true)}, 0)
	w.Must(err)
	if r := w.want(503, "POST", "/Users", `{"userName":"ann@x.example"}`); r.Header().Get("Retry-After") != "3600" {
		t.Errorf("%v", r.Header())
	}
	if log := w.lastRequest(); log.Status != 503 || log.TokenID == "" {
		t.Errorf("%+v", log)
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{Strict: ptr(true)})
	user := func(more string) string {
		return `{"schemas":["` + schemaUser + `"],"userName":"s@x.example","emails":[{"value":"s@x.example"}]` + more + `}`
	}
	id := w.want(201, "POST", "/Users", user(`,"password":"x","groups":[]`)).body.text("id")
	g := w.group("Eng", id)
	for _, tt := range []struct{ method, path, body, keyword string }{
		{"POST", "/Users", `{"userName":"t@x.example"}`, typeInvalidSyntax},
		{"POST", "/Users", user(`,"x_custom":"1"`), typeInvalidSyntax},
		{"POST", "/Users", user(`,"active":"True"`), typeInvalidValue},
		{"PATCH", "/Users/" + id, patchOf(`{"op":"replace","path":"id","value":"9"}`), typeMutability},
		{"PATCH", "/Users/" + id, patchOf(`{"op":"replace","path":"urn:acme:User:badge","value":"9"}`), typeInvalidPath},
		{"PATCH", "/Users/" + id, patchOf(`{"op":"replace","path":"phoneNumbers[type eq \"work\"].value","value":"9"}`), typeNoTarget},
		{"PATCH", "/Users/" + id, patchOf(``), typeInvalidSyntax},
		{"PATCH", "/Users/" + id, `{"Operations":[{"op":"replace","path":"title","value":"9"}]}`, typeInvalidSyntax},
		{"PATCH", "/Groups/" + g, patchOf(`{"op":"add","path":"members","value":[{"value":"nobody"}]}`), typeInvalidValue},
		{"PATCH", "/Groups/" + g, patchOf(`{"op":"remove","path":"members[value eq \"nobody\"]"}`), typeNoTarget},
	} {
		if r := w.want(400, tt.method, tt.path, tt.body); r.body.text("scimType") != tt.keyword {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.body, r.Body, tt.keyword)
		}
	}
	want := "Nothing was changed, since this client is strict: active was sent as text. Send it as RFC 7643 and RFC 7644 have it, or have an admin of Bindery make the client tolerant. [invalid-value]"
	if r := w.want(400, "POST", "/Users", user(`,"active":"True"`)); r.body.text("detail") != want {
		t.Errorf("told as %q, want %q", r.body.text("detail"), want)
	}
	if u := w.user(id); u.Version != 1 || !slices.Equal(w.in(g), []string{id}) {
		t.Errorf("%+v", u)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	var ids []string
	for i := range 30 {
		ids = append(ids, w.make(fmt.Sprintf("u%02d@x.example", i)))
	}
	g := w.group("Eng", ids[:10]...)
	w.want(409, "POST", "/Groups", `{"displayName":"ENG"}`)
	r := w.want(200, "GET", "/Groups/"+g, nil)
	if list := elements(r.body.get("members")); len(list) != 10 || list[0].text("$ref") == "" {
		t.Errorf("%s", r.Body)
	}
	var values []string
	for _, id := range ids {
		values = append(values, `{"value":"`+id+`"}`)
	}
	// In whatever order, in several operations, with others who are not there.
	slices.Reverse(values)
	w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[`+strings.Join(values, ",")+`,{"value":"usr_x"},{"value":"grp_x","type":"Group"}]},{"op":"remove","path":"members[value eq \"`+ids[3]+`\"]"}`))
	if got := w.in(g); len(got) != 29 || slices.Contains(got, ids[3]) {
		t.Errorf("%d members", len(got))
	}
	if log := w.lastRequest(); len(log.Notes) < 2 || log.GroupID != directory.GroupID(g) || !slices.Equal(log.Changed, []string{"members"}) {
		t.Errorf("%+v", log)
	}
	w.want(200, "PUT", "/Groups/"+g, `{"displayName":"Engineering","externalId":"G1"}`)
	if got := w.in(g); len(got) != 29 {
		t.Errorf("a PUT without members left %d", len(got))
	}
	w.want(200, "PUT", "/Groups/"+g, `{"displayName":"Engineering","externalId":"G1","members":[`+values[0]+`]}`)
	if got := w.in(g); !slices.Equal(got, ids[29:]) {
		t.Errorf("%v", got)
	}
	other := w.group("Law", ids[29], ids[0])
	for filter, want := range map[string][]string{
		`displayName eq "engineering"`: {g}, `externalId eq "G1"`: {g}, `externalId eq "g1"`: nil, `members eq "` + ids[0] + `"`: {other},
		`id eq "` + g + `" and members eq "` + ids[29] + `"`: {g}, `id eq "` + g + `" and members.value eq "` + ids[0] + `"`: nil,
		`displayName sw "l"`: {other}, `not (members eq "` + ids[0] + `")`: {g},
	} {
		_, list := results(w.want(200, "GET", "/Groups?excludedAttributes=members&filter="+strings.NewReplacer(" ", "+", `"`, "%22").Replace(filter), nil))
		var got []string
		for _, o := range list {
			got = append(got, o.text("id"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
	w.want(400, "GET", "/Groups?filter=members+pr", nil)
	if r := w.want(200, "GET", "/Users/"+ids[29]+"?attributes=groups", nil); len(elements(r.body.get("groups"))) != 2 {
		t.Errorf("%s", r.Body)
	}
	w.want(204, "DELETE", "/Groups/"+g, nil)
	w.want(404, "GET", "/Groups/"+g, nil)
	if again := w.want(201, "POST", "/Groups", `{"displayName":"Engineering","externalId":"G1"}`); again.body.text("id") == g || len(w.in(again.body.text("id"))) != 0 {
		t.Errorf("%s", again.Body)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/" + schemaEnterprise} {
		w.want(200, "GET", path, nil)
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			if r := w.want(405, method, path, "{}"); r.Header().Get("Allow") != "GET" {
				t.Errorf("%s %s: %v", method, path, r.Header())
			}
		}
	}
	for _, path := range []string{"", "/", "/Nothing", "/Schemas/urn:x", "/ResourceTypes/Shoe", "/Users/nobody", "/Users/a/b", "/Groups/%00"} {
		w.want(404, "GET", path, nil)
	}
	w.want(405, "PUT", "/Users", "{}")
	w.want(405, "POST", "/Users/x", "{}")
	w.want(413, "POST", "/Users", `{"userName":"`+strings.Repeat("x", MaxBody)+`"}`)
	r := httptest.NewRecorder()
	w.handler.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), "GET", "/scim/"+string(w.client.ID)+"/v3/Users", nil))
	if r.Code != http.StatusNotFound {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

// A filter on what is no key finds the few among many, a page at a time, or says that it
// would have to look at too many; it never says that there is nobody.
func TestFiltersLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PerSecond = 1e9
	const users = 1700
	var last *directory.User
	for n := range users {
		u := &directory.User{ID: directory.NewUserID(w.Now()), Source: directory.SourceManual}
		u.Email = fmt.Sprintf("u%d@x.example", n)
		u.UserName, u.State = u.Email, directory.StateActive
		if last = u; n == users/2 {
			u.JobTitle = "CEO"
		}
		w.Must(w.Store.Users.CreateUsers(t.Context(), directory.AuditEvent{}, u))
	}
	r := w.send("GET", "/Users?count=1&filter=title+eq+%22CEO%22", nil)
	if total, _ := results(r); r.Code == 200 && total == "0" || r.Code == 400 && r.body.text("scimType") != typeTooMany {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	found, requests := w.paged("&filter=title+eq+%22CEO%22", true)
	if len(found) != 1 || requests > 4 {
		t.Errorf("by cursor %v, in %d requests", found, requests)
	}
	if total, list := results(w.want(200, "GET", "/Users?filter=id+eq+%22"+string(last.ID)+"%22+and+title+eq+%22CEO%22", nil)); total != "0" || len(list) != 0 {
		t.Errorf("of one who is found by ID and is no CEO: %s", total)
	}
}

// TestGroupTotal: how many groups there are is read from counters, once these have the
// groups of earlier versions, and costs the same however many there are.
func TestGroupTotal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.group("Early")
	groups := people.NewGroups(people.UsersConfig{Stores: people.StoresOf(w.Store), Wake: noWaker{}, Now: w.Now})
	total := func(when string, want, most int) {
		t.Helper()
		w.counted.items.Store(0)
		r := w.want(http.StatusOK, "GET", "/Groups?count=0", nil)
		if got := fmt.Sprint(r.body.get("totalResults")); got != fmt.Sprint(want) {
			t.Errorf("%s: %s groups, want %d", when, got, want)
		}
		if n := int(w.counted.items.Load()); n > most {
			t.Errorf("%s: %d records were read", when, n)
		}
	}
	total("before there are counters", 1, 50)
	for range 3 {
		w.Must(groups.Tend(w.Context()))
		w.Advance(time.Hour)
	}
	for i := range 30 {
		w.group(fmt.Sprintf("Late %d", i))
	}
	w.want(http.StatusNoContent, "DELETE", "/Groups/"+w.group("Gone"), nil)
	w.Must(groups.Tend(w.Context()))
	total("with counters", 31, 25)
}

// TestCountryAsUsageLocation: the country of the work address is the usage location of who
// is sent without one, if the client's setting says so and it is a code.
func TestCountryAsUsageLocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	address := func(country string) string {
		return fmt.Sprintf(`,"addresses":[{"type":"work","country":%q}]`, country)
	}
	early := w.make("early@x.example", address("CH"))
	if u := w.user(early); u.UsageLocation != "" || u.WorkAddress.Country != "CH" {
		t.Errorf("without the setting: %q, %q", u.UsageLocation, u.WorkAddress.Country)
	}
	_, err := w.clients.Edit(t.Context(), ada, w.client.ID, provision.ClientEdit{CountryAsUsageLocation: ptr(true)}, 0)
	w.Must(err)
	for country, want := range map[string]string{"de": "DE", "Germany": "", "XX": "", "": ""} {
		if got := w.user(w.make("u"+country+"@x.example", address(country))).UsageLocation; got != want {
			t.Errorf("with the country %q: %q, want %q", country, got, want)
		}
		told := slices.ContainsFunc(w.lastRequest().Notes, func(s string) bool { return strings.Contains(s, "no code of two letters") })
		if told != (country != "" && want == "") {
			t.Errorf("with the country %q: told: %v", country, told)
		}
	}
	both := w.make("both@x.example", address("FR"), fmt.Sprintf(`,"%s":{"usageLocation":"AT"}`, schemaBindery))
	if got := w.user(both).UsageLocation; got != "AT" {
		t.Errorf("beside one of its own: %q", got)
	}
	w.want(200, "PATCH", "/Users/"+early, patchOf(`{"op":"replace","value":{"title":"T"}}`))
	if got := w.user(early).UsageLocation; got != "CH" {
		t.Errorf("with the first push after the setting: %q", got)
	}
	w.want(200, "PATCH", "/Users/"+early, patchOf(`{"op":"replace","path":"addresses[type eq \"work\"].country","value":"IT"}`))
	if got := w.user(early).UsageLocation; got != "IT" {
		t.Errorf("who moves: %q", got)
	}
	_, err = w.users.Patch(t.Context(), ada, directory.UserID(both), []byte(`{"usageLocation":null}`), 0)
	if err == nil {
		t.Error("what the client owns was taken away by hand")
	}
	hand := w.make("hand@x.example")
	_, err = w.users.Patch(t.Context(), ada, directory.UserID(hand), []byte(`{"usageLocation":"NL"}`), 0)
	w.Must(err)
	w.want(200, "PATCH", "/Users/"+hand, patchOf(`{"op":"add","path":"addresses","value":[{"type":"work","country":"DE"}]}`))
	if got := w.user(hand).UsageLocation; got != "NL" {
		t.Errorf("who has one by hand: %q", got)
	}
	shown := w.want(200, "GET", "/Users/"+early, nil)
	w.want(200, "PUT", "/Users/"+early, shown.Body.String())
	if u := w.user(early); u.UsageLocation != "IT" || u.WorkAddress.Country != "IT" {
		t.Errorf("what was read and sent back: %q, %q", u.UsageLocation, u.WorkAddress.Country)
	}
}

// TestFurtherAddresses: who has an e-mail address beside the first is found by it, or the
// question is refused; nobody is never said of somebody who is there.
func TestFurtherAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	eq := func(of, address string) string {
		return "/Users?filter=" + url.QueryEscape(of+` eq "`+address+`"`)
	}
	finds := func(of, address string, want ...string) {
		t.Helper()
		total, list := results(w.want(200, "GET", eq(of, address), nil))
		var ids []string
		for _, o := range list {
			ids = append(ids, o.text("id"))
		}
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) || total != fmt.Sprint(len(want)) {
			t.Errorf("%s eq %s finds %v (%s), want %v", of, address, ids, total, want)
		}
	}
	const work, other = `emails[type eq "work"].value`, `emails[type eq "other"].value`
	emails := func(more string) string {
		return `,"emails":[{"value":"a@x.example","type":"work","primary":true},` + more + `]`
	}
	a := w.make("a", emails(`{"value":"Second@x.example","type":"other"},{"value":"third@x.example","type":"home"}`))
	b := w.make("b@x.example", `,"emails":[{"value":"b@x.example","type":"work"},{"value":"second@x.example","type":"other"}]`)
	c := w.make("c@x.example", `,"emails":[{"value":"c@home.example","type":"home","primary":true},{"value":"c@x.example","type":"work"}]`)
	for _, of := range []string{"emails.value", "emails", other} {
		finds(of, "SECOND@x.example", a, b)
	}
	finds("emails.value", "third@x.example", a)
	finds(work, "third@x.example")
	finds(work, "c@x.example", c)
	finds("emails.value", "c@home.example", c)
	finds("emails.value", "nobody@x.example")
	w.want(200, "PUT", "/Users/"+a, `{"schemas":["`+schemaUser+`"],"userName":"a"`+emails(`{"value":"third@x.example","type":"other"}`)+`}`)
	finds("emails.value", "second@x.example", b)
	finds(other, "third@x.example", a)
	w.want(204, "DELETE", "/Users/"+b, nil)
	finds("emails.value", "second@x.example")

	d := w.make("d@x.example")
	_, err := w.users.Patch(t.Context(), ada, directory.UserID(d), []byte(`{"alternateEmail":"hand@x.example"}`), 0)
	w.Must(err)
	finds("emails.value", "hand@x.example", d)
	finds(other, "hand@x.example", d)
	finds(work, "hand@x.example")
	finds(`userName eq "a" or emails.value`, "hand@x.example", a, d)
	for i := range mostLookedThrough {
		u := directory.User{ID: directory.NewUserID(w.Now()), Profile: directory.Profile{State: directory.StateActive, Email: fmt.Sprintf("many%d@x.example", i), UserName: fmt.Sprintf("many%d", i)}}
		w.Must(w.Store.Users.CreateUsers(t.Context(), directory.AuditEvent{}, &u))
	}
	w.counted.items.Store(0)
	asked := []string{"emails.value", "emails", other, `emails[type eq "home"].value`, `emails[type ne "work"].value`, `active eq true and emails.value`, `userName eq "hand@x.example" or emails.value`}
	for _, of := range asked {
		finds(of, "hand@x.example")
		if notes := w.lastRequest().Notes; len(notes) != 1 || !strings.Contains(notes[0], "were not looked at") {
			t.Errorf("the log tells %q", notes)
		}
	}
	if n := w.counted.items.Load(); n > 100*int64(len(asked)) {
		t.Errorf("for %d answers %d records were read", len(asked), n)
	}
	finds(`userName eq "d@x.example" or externalId eq "none" or emails.value`, "third@x.example", a, d)
	finds(`userName eq "d@x.example" or id`, d, d)
	finds(work, "hand@x.example")
	finds(`emails[primary eq "True"].value`, "hand@x.example")
	finds(`emails[type eq "work" and primary eq true].value`, "hand@x.example")
	finds("emails.value", "d@x.example", d)
	finds("emails.value", "third@x.example", a)
}

// TestProxyAddresses: Entra sends each proxy address as one of type other. All are kept and
// shown; by the first ones the user is found, which the log tells of.
func TestProxyAddresses(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		const n = 2 * people.MostAddresses
		var list []any
		for i := range n + 1 {
			list = append(list, obj("value", fmt.Sprintf("ann%d@x.example", i), "type", map[bool]string{true: "work", false: "other"}[i == 0]))
		}
		body := obj("schemas", []any{schemaUser}, "userName", "ann", "emails", list)
		told := func() {
			t.Helper()
			if notes := w.lastRequest().Notes; len(notes) != 1 || notes[0] != fmt.Sprintf("of %d e-mail addresses beside the first all are kept, and the user is found by %d of them", n, people.MostAddresses) {
				t.Errorf("notes %q", notes)
			}
		}
		id := w.want(201, "POST", "/Users", body).body.text("id")
		told()
		w.want(200, "PUT", "/Users/"+id, body)
		told()
		r := w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"emails[value eq \"ann3@x.example\"].value","value":"new@x.example"}`))
		told()
		if shown := elements(r.body.get("emails")); len(shown) != n+1 || shown[3].text("value") != "new@x.example" {
			t.Errorf("%d are shown: %s", len(shown), r.Body)
		}
		for address, found := range map[string]int{"ann0": 1, "ann1": 1, "new": 1, "ann3": 0, fmt.Sprintf("ann%d", people.MostAddresses): 1} {
			if total, _ := results(w.want(200, "GET", "/Users?filter="+url.QueryEscape(`emails.value eq "`+address+`@x.example"`), nil)); total != fmt.Sprint(found) {
				t.Errorf("%s finds %s", address, total)
			}
		}
	}
}

// A starter who is staged is shown as not active; a client that says so, rather than sends
// back what it reads, has them suspended, and nobody's starters of the day are they then.
func TestStagedIsSuspendedBySayingSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	u, err := w.users.Create(t.Context(), ada, []byte(`{"email":"ann@x.example","state":"staged"}`))
	w.Must(err)
	id := string(u.User.ID)
	state := func(want directory.UserState) {
		t.Helper()
		if now := w.user(id); now.State != want {
			t.Errorf("the state is %s, want %s", now.State, want)
		}
	}
	w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"title","value":"Cook"}`))
	w.want(200, "PUT", "/Users/"+id, `{"userName":"ann@x.example","active":false}`)
	state(directory.StateStaged)
	w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","value":{"active":false}}`))
	state(directory.StateSuspended)
	if owner := w.user(id).Owners["state"]; owner != directory.SourceSCIM {
		t.Errorf("the state is owned by %q", owner)
	}
}

// A source decides about the state that it has said; that it has made a user alone decides
// nothing.
func TestWhoDecidesAboutTheState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	bridge := directory.Caller{Subject: "bridge", Source: directory.SourceAD}
	for body, status := range map[string]int{
		`{"email":"ann@x.example","department":"Works"}`:                  200,
		`{"email":"ben@x.example","department":"Works","state":"active"}`: 403,
	} {
		u, err := w.users.Create(t.Context(), bridge, []byte(body))
		w.Must(err)
		w.want(status, "PATCH", "/Users/"+string(u.User.ID), patchOf(`{"op":"replace","path":"active","value":false}`))
		if status == 200 {
			status = 204
		}
		w.want(status, "DELETE", "/Users/"+string(u.User.ID), nil)
	}
}

// Nobody leaves a group but whom an operation names, or everybody by a remove without a
// value; whom a filter names is replaced by whom the value names.
func TestWhoLeaves(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		op      string
		want    string
		refused string // to a strict client
	}{
		"remove none":                   {`{"op":"remove","path":"members","value":[]}`, "AB", ""},
		"remove null":                   {`{"op":"remove","path":"members","value":null}`, "AB", ""},
		"remove an empty text":          {`{"op":"remove","path":"members","value":""}`, "AB", ""},
		"remove an address":             {`{"op":"remove","path":"members","value":[{"value":"ann@x.example"}]}`, "AB", typeNoTarget},
		"remove a list of null":         {`{"op":"remove","path":"members","value":[null]}`, "AB", ""},
		"remove a list of empty texts":  {`{"op":"remove","path":"members","value":[""]}`, "AB", ""},
		"remove those":                  {`{"op":"remove","path":"members","value":[{"value":"A"}]}`, "B", ""},
		"remove all":                    {`{"op":"remove","path":"members"}`, "", ""},
		"remove by a filter":            {`{"op":"remove","path":"members[value eq \"A\"]","value":null}`, "B", ""},
		"remove by two":                 {`{"op":"remove","path":"members[value eq \"A\" or value eq \"B\"]"}`, "", ""},
		"remove by value and type":      {`{"op":"remove","path":"members[value eq \"A\" and type eq \"User\"]"}`, "B", ""},
		"remove by another type":        {`{"op":"remove","path":"members[value eq \"A\" and type eq \"Group\"]"}`, "AB", ""},
		"remove the type of one":        {`{"op":"remove","path":"members[value eq \"A\"].type"}`, "AB", typeMutability},
		"remove the type of all":        {`{"op":"remove","path":"members.type"}`, "AB", typeMutability},
		"remove the value of all":       {`{"op":"remove","path":"members.value"}`, "AB", typeMutability},
		"remove the value of one":       {`{"op":"remove","path":"members[value eq \"A\"].value"}`, "B", typeMutability},
		"replace one":                   {`{"op":"replace","path":"members[value eq \"A\"]","value":{"value":"D"}}`, "BD", ""},
		"replace one by a list":         {`{"op":"replace","path":"members[value eq \"A\"]","value":[{"value":"D"},{"value":"C"}]}`, "BCD", ""},
		"replace one by a text":         {`{"op":"replace","path":"members[value eq \"A\"]","value":"D"}`, "BD", typeInvalidValue},
		"replace the value of one":      {`{"op":"replace","path":"members[value eq \"A\"].value","value":"D"}`, "BD", typeMutability},
		"replace the type of one":       {`{"op":"replace","path":"members[value eq \"A\"].type","value":"User"}`, "AB", typeMutability},
		"replace one by itself":         {`{"op":"replace","path":"members[value eq \"A\"]","value":{"value":"A","type":"User"}}`, "AB", ""},
		"replace one by nothing":        {`{"op":"replace","path":"members[value eq \"A\"]","value":null}`, "B", ""},
		"replace all by type":           {`{"op":"replace","path":"members[type eq \"User\"]","value":{"value":"D"}}`, "D", ""},
		"replace one who is not in":     {`{"op":"replace","path":"members[value eq \"C\"]","value":{"value":"D"}}`, "ABD", typeNoTarget},
		"replace none of another type":  {`{"op":"replace","path":"members[type eq \"Group\"]","value":{"value":"D"}}`, "ABD", typeNoTarget},
		"replace the list":              {`{"op":"replace","path":"members","value":[{"value":"D"}]}`, "D", ""},
		"replace the list by none":      {`{"op":"replace","path":"members","value":[]}`, "", ""},
		"add one by a filter":           {`{"op":"add","path":"members[value eq \"D\"]"}`, "ABD", ""},
		"add none":                      {`{"op":"add","path":"members","value":[]}`, "AB", ""},
		"remove all, then put one back": {`{"op":"remove","path":"members"},{"op":"add","path":"members","value":[{"value":"A"}]}`, "A", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, strict := range []bool{false, true} {
				w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
				ids := map[string]string{}
				op := tt.op
				for _, l := range []string{"A", "B", "C", "D"} {
					ids[l] = w.make(l+"@x.example", `,"emails":[{"value":"`+l+`@x.example","type":"work"}]`)
					op = strings.ReplaceAll(op, `"`+l+`"`, `"`+ids[l]+`"`)
					op = strings.ReplaceAll(op, `"`+l+`\`, `"`+ids[l]+`\`)
				}
				g := w.group("G", ids["A"], ids["B"])
				want, status := tt.want, 200
				if strict && tt.refused != "" {
					want, status = "AB", 400
				}
				r := w.want(status, "PATCH", "/Groups/"+g, patchOf(op))
				if status == 400 && r.body.text("scimType") != tt.refused {
					t.Errorf("%s, want %s", r.Body, tt.refused)
				}
				got := ""
				for _, l := range []string{"A", "B", "C", "D"} {
					if slices.Contains(w.in(g), ids[l]) {
						got += l
					}
				}
				if got != want {
					t.Errorf("strict %v: %s, want %s: %s", strict, got, want, r.Body)
				}
			}
		})
	}
}

// A filter in brackets asks for what one with a dot does, and finds it by the same look.
func TestFiltersInBrackets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	ann := w.make("ann@x.example", `,"emails":[{"value":"ann@x.example","type":"work"},{"value":"ann@home.example","type":"home"}]`)
	ben := w.make("ben@x.example")
	for i := range 5 {
		w.group(fmt.Sprintf("G%d", i), ben)
	}
	w.group("A", ann, ben)
	w.group("B", ann)
	cost := func(query string, want int) int64 {
		t.Helper()
		before := w.counted.calls.Load()
		total, list := results(w.want(200, "GET", query, nil))
		if total != fmt.Sprint(want) || len(list) != want {
			t.Errorf("%s: %s, %d, want %d", query, total, len(list), want)
		}
		return w.counted.calls.Load() - before
	}
	for filter, want := range map[string]int{
		`members[value eq "$A"]`:                                         2,
		`members[value eq "$A" and type eq "User"]`:                      2,
		`members[type eq "user" and value eq "$A"]`:                      2,
		`members[type eq "User"].value eq "$A"`:                          2,
		`members[value eq "$A"].type eq "User"`:                          2,
		`members[value eq "$A"] and displayName eq "B"`:                  1,
		`members[value eq "$A" and type eq "Group"]`:                     0,
		`members[value eq "$A"].type eq "Group"`:                         0,
		`members[value eq "nobody"]`:                                     0,
		`members[value eq "$A"] and not (displayName eq "A")`:            1,
		`members[value eq "$A"] and members[value eq "$B"]`:              1,
		`members[value eq "$A"] and not (members[value eq "$B"])`:        1,
		`members[value eq "$A" or value eq "$B"] and displayName eq "A"`: 1,
	} {
		cost("/Groups?filter="+esc(strings.NewReplacer("$A", ann, "$B", ben).Replace(filter)), want)
	}
	if dot, brackets := cost("/Groups?filter="+esc(`members.value eq "`+ann+`"`), 2), cost("/Groups?filter="+esc(`members[value eq "`+ann+`"]`), 2); brackets != dot {
		t.Errorf("%d calls in brackets, %d with a dot", brackets, dot)
	}
	if dot, brackets := cost("/Users?filter="+esc(`emails.value eq "ann@x.example"`), 1), cost("/Users?filter="+esc(`emails[value eq "ANN@x.example" and type eq "work"]`), 1); brackets != dot {
		t.Errorf("%d calls in brackets, %d with a dot", brackets, dot)
	}
	for filter, want := range map[string]int{
		`emails[value eq "ANN@x.example"]`:                                      1,
		`emails[value eq "ann@x.example" and type eq "work"]`:                   1,
		`emails[type eq "work" and value eq "ann@x.example"]`:                   1,
		`emails[value eq "ann@x.example"].type eq "work"`:                       1,
		`emails[value eq "ann@x.example" and type eq "home"]`:                   0,
		`emails[value eq "ann@home.example"]`:                                   1,
		`emails[value eq "ann@home.example" and type eq "home"] and title pr`:   0,
		`emails[value eq "ann@x.example"] or emails[value eq "ben@x.example"]`:  2,
		`emails[value eq "ann@x.example" or value eq "ben@x.example"]`:          2,
		`not (emails[value eq "ann@x.example"])`:                                1,
		`emails[value eq "ann@x.example"].type ne "work"`:                       1,
		`emails[value eq "nobody@x.example" or not (value eq "ann@x.example")]`: 2,
	} {
		cost("/Users?filter="+esc(filter), want)
	}
	for _, filter := range []string{`members[type eq "User"]`, `members[value co "a"]`, `members[not (value eq "a")]`, `members[value eq "a" or type eq "User"]`} {
		if r := w.want(400, "GET", "/Groups?filter="+esc(filter), nil); r.body.text("scimType") != typeInvalidFilter {
			t.Errorf("%s: %s", filter, r.Body)
		}
	}
}

// That a group has nobody any more is told, by whatever operation, and only if it is so.
func TestEmptiedIsTold(t *testing.T) {
	t.Parallel()
	for op, want := range map[string]bool{
		`{"op":"remove","path":"members"}`:                   true,
		`{"op":"replace","path":"members","value":[]}`:       true,
		`{"op":"replace","path":"members","value":null}`:     true,
		`{"op":"remove","path":"members[type eq \"User\"]"}`: true,
		// By PUT: null and an empty list are one (RFC 7643, 2.5).
		`"members":[]`:   true,
		`"members":null`: true,
		`{"op":"remove","path":"members","value":[{"value":"grp_06eavhmtg800003c23qc563vj8","type":"Group"}]}`: false,
		`{"op":"remove","path":"members","value":[]}`:                                                          false,
		`{"op":"remove","path":"members[value eq \"usr_nobody\"]"}`:                                            false,
	} {
		for _, owned := range []bool{false, true} {
			w := newWorld(t, provision.ClientEdit{})
			id := w.make("ann@x.example")
			g := w.group("G")
			by := directory.Caller{Subject: "ad", Source: directory.SourceSCIM}
			if owned {
				by.Source = directory.SourceAD
			}
			_, _, err := w.pushes.ChangeMembers(t.Context(), by, directory.GroupID(g), []directory.UserID{directory.UserID(id)}, nil, nil)
			w.Must(err)
			if member, is := strings.CutPrefix(op, `"members"`); is {
				w.want(200, "PUT", "/Groups/"+g, `{"schemas":["`+schemaGroup+`"],"displayName":"G","members"`+member+`}`)
			} else {
				w.want(200, "PATCH", "/Groups/"+g, patchOf(op))
			}
			notes := strings.Join(w.lastRequest().Notes, "; ")
			if emptied := len(w.in(g)) == 0; emptied != (want && !owned) || strings.Contains(notes, "all 1 members were taken out") != emptied {
				t.Errorf("%s, owned %v: emptied %v: %s", op, owned, emptied, notes)
			}
		}
	}
}

// What feeds nothing, or is no value at all, is read back as it was sent: whatever the user
// has, and with each further edit. What another source owns is shown as that has it.
func TestReadBackAsSent(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		id := w.make("ann@x.example", `,"emails":[{"value":"ann@x.example","type":"work"},{"value":"ann@home.example","type":"other"}],"preferredLanguage":"de-DE","`+schemaBindery+`":{"usageLocation":"DE"}`)
		was := w.user(id)
		sent := map[string]string{
			"preferredLanguage": "en-us,en;q=0.5", schemaBindery + ":usageLocation": "Absurdistan", `emails[type eq \"other\"].value`: "no address",
			"locale": "en_us rubbish", "timezone": "Mars", "nickName": " A ", "profileUrl": "x y", "name.honorificPrefix": "Dr.",
		}
		check := func(what string, r reply) {
			t.Helper()
			for path, text := range sent {
				path, _ = strings.CutPrefix(strings.ReplaceAll(path, `\`, ""), schemaUser+":")
				at, err := newUserType(nil).parsePath(path)
				w.Must(err)
				if got := at.values(r.body); len(got) != 1 || got[0] != text {
					t.Errorf("%s: %s is %v, want %q: %s", what, path, got, text, r.Body)
				}
			}
			if u := w.user(id); u.PreferredLanguage != was.PreferredLanguage || u.UsageLocation != was.UsageLocation || u.AlternateEmail != was.AlternateEmail {
				t.Errorf("%s: %+v", what, u.Profile)
			}
		}
		for path, text := range sent {
			w.want(200, "PATCH", "/Users/"+id, patchOf(fmt.Sprintf(`{"op":"replace","path":"%s","value":"%s"}`, path, text)))
			if notes := strings.Join(w.lastRequest().Notes, " "); path == "preferredLanguage" && !strings.Contains(notes, "preferredLanguage") {
				t.Errorf("%s: %s", path, notes)
			}
		}
		check("read", w.want(200, "GET", "/Users/"+id, nil))
		check("edited", w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"title","value":"CTO"}`)))
		r := w.want(200, "GET", "/Users/"+id, nil)
		check("put back", w.want(200, "PUT", "/Users/"+id, r.Body.String()))
		version := w.want(200, "GET", "/Users/"+id, nil).Header().Get("ETag")
		if again := w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"preferredLanguage","value":"en-us,en;q=0.5"}`)).Header().Get("ETag"); again != version {
			t.Errorf("sent again it is another version: %s, %s", again, version)
		}
		// A value is taken, and so is that there is none.
		w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"preferredLanguage","value":"fr-FR"},{"op":"remove","path":"`+schemaBindery+`:usageLocation"}`))
		if u := w.user(id); u.PreferredLanguage != "fr-FR" || u.UsageLocation != "" {
			t.Errorf("%+v", u.Profile)
		}
	}
	w := newWorld(t, provision.ClientEdit{})
	u, err := w.users.Create(t.Context(), directory.Caller{Subject: "ad", Source: directory.SourceAD}, []byte(`{"email":"ad@x.example","preferredLanguage":"de-DE"}`))
	w.Must(err)
	r := w.want(200, "PATCH", "/Users/"+string(u.ID), patchOf(`{"op":"replace","path":"preferredLanguage","value":"en-us,en;q=0.5"}`))
	if got := r.body.text("preferredLanguage"); got != "de-DE" {
		t.Errorf("what AD owns is shown as %s", got)
	}
}
