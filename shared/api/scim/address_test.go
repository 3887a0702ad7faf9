package scim

import (
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// Whatever takes a user's own address away leaves it, be it an adopted user's: neither a
// private address nor the user name moves up. What is said to be the address becomes it.
func TestOwnAddressStays(t *testing.T) {
	t.Parallel()
	const work, home = `{"value":"ann@x.example","type":"work","primary":true}`, `{"value":"ann@home.example","type":"home"}`
	put := func(emails string) string {
		return `{"schemas":["` + schemaUser + `"],"userName":"ann@int.example","emails":[` + emails + `]}`
	}
	for _, tt := range []struct {
		name, method, body string
		email, second      string
		strict             string // the keyword; "" takes it
	}{
		{"remove work", "PATCH", patchOf(`{"op":"remove","path":"emails[type eq \"work\"]"}`), "ann@x.example", "ann@home.example", typeMutability},
		{"remove its value", "PATCH", patchOf(`{"op":"remove","path":"emails[type eq \"work\"].value"}`), "ann@x.example", "ann@home.example", typeMutability},
		{"empty work", "PATCH", patchOf(`{"op":"replace","path":"emails[type eq \"work\"].value","value":""}`), "ann@x.example", "ann@home.example", typeMutability},
		{"remove the primary", "PATCH", patchOf(`{"op":"remove","path":"emails[primary eq true]"}`), "ann@x.example", "ann@home.example", typeMutability},
		{"remove all", "PATCH", patchOf(`{"op":"remove","path":"emails"}`), "ann@x.example", "", typeMutability},
		{"empty all", "PATCH", patchOf(`{"op":"replace","value":{"emails":[]}}`), "ann@x.example", "", typeMutability},
		{"replace by the private", "PATCH", patchOf(`{"op":"replace","path":"emails","value":[` + home + `]}`), "ann@x.example", "ann@home.example", typeMutability},
		{"replace by a new private one", "PATCH", patchOf(`{"op":"replace","path":"emails","value":[{"value":"new@home.example","type":"home"}]}`), "ann@x.example", "new@home.example", typeMutability},
		{"replace by a new other one", "PATCH", patchOf(`{"op":"replace","value":{"emails":[{"value":"new@home.example","type":"other"}]}}`), "ann@x.example", "new@home.example", typeMutability},
		{"remove work and add a private one", "PATCH", patchOf(`{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"remove","path":"emails[type eq \"home\"]"},{"op":"add","path":"emails","value":[{"value":"new@home.example","type":"home"}]}`), "ann@x.example", "new@home.example", typeMutability},
		{"remove work and replace the private one", "PATCH", patchOf(`{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"replace","path":"emails[type eq \"home\"].value","value":"new@home.example"}`), "ann@x.example", "new@home.example", typeMutability},
		{"PUT of a new private one", "PUT", put(`{"value":"new@home.example","type":"home"}`), "ann@x.example", "new@home.example", typeInvalidValue},
		{"PUT of a new private one as primary", "PUT", put(`{"value":"new@home.example","type":"home","primary":true}`), "new@home.example", "", ""},
		{"PUT of the private", "PUT", put(home), "ann@x.example", "ann@home.example", typeInvalidValue},
		{"PUT without", "PUT", `{"schemas":["` + schemaUser + `"],"userName":"ann@int.example"}`, "ann@x.example", "", typeInvalidValue},
		{"another of work", "PATCH", patchOf(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"new@x.example"}`), "new@x.example", "ann@home.example", ""},
		{"the private is primary", "PATCH", patchOf(`{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`), "ann@home.example", "ann@x.example", ""},
		{"PUT of the private as primary", "PUT", put(`{"value":"ann@home.example","type":"home","primary":true}`), "ann@home.example", "", ""},
		{"PUT of a plain one", "PUT", put(`{"value":"new@x.example"}`), "new@x.example", "", ""},
	} {
		for name, own := range map[string]bool{"own": true, "adopted": false} {
			for mode, strict := range map[string]bool{"tolerant": false, "strict": true} {
				t.Run(tt.name+" "+name+" "+mode, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
					id, second := "", tt.second
					if own {
						id = w.want(201, "POST", "/Users", put(work+","+home)).body.text("id")
					} else {
						made, err := w.users.Create(t.Context(), ada, []byte(`{"email":"ann@x.example","userName":"ann@int.example","alternateEmail":"ann@home.example"}`))
						w.Must(err)
						id = string(made.User.ID)
						if strings.Contains(tt.body, `remove","path":"emails[type eq \"home`) && strict {
							return // it is shown as one of type other: there is nothing to remove
						}
						if tt.method == "PUT" && second == "" {
							second = "ann@home.example" // what the client has not set stays
						}
						if strings.Contains(tt.body, `type eq \"home`) {
							return // it is shown as one of type other
						}
					}
					if strict && tt.strict != "" {
						if r := w.want(400, tt.method, "/Users/"+id, tt.body); r.body.text("scimType") != tt.strict {
							t.Errorf("%s", r.Body)
						}
						return
					}
					r := w.want(200, tt.method, "/Users/"+id, tt.body)
					if u := w.user(id); u.Email != tt.email || u.AlternateEmail != second || u.UserName != "ann@int.example" {
						t.Errorf("%s, %q, %s, want %s, %q", u.Email, u.AlternateEmail, u.UserName, tt.email, second)
					}
					if !strings.Contains(r.Body.String(), tt.email) {
						t.Errorf("shown %s", r.Body)
					}
					if told := slices.ContainsFunc(w.lastRequest().Notes, func(s string) bool { return strings.HasPrefix(s, "emails would be without") }); told != (tt.strict != "") {
						t.Errorf("notes %q", w.lastRequest().Notes)
					}
					version := w.user(id).Version
					w.want(200, "PUT", "/Users/"+id, w.want(200, "GET", "/Users/"+id, nil).Body.String())
					if u := w.user(id); u.Version != version {
						t.Errorf("sent back it made %s of it, %q", u.Email, u.AlternateEmail)
					}
				})
			}
		}
	}
}

// A PATCH that replaces the list itself, one address for the only one, gives the user that
// one and shows that one alone, whatever the two were said to be (RFC 7644, 3.5.2.3). With
// another beside it, by a PUT, or by adding and removing, a private one does not move up.
func TestOneAddressForTheOnlyOne(t *testing.T) {
	t.Parallel()
	const own, second, fresh = "ann@x.example", "ann@home.example", "new@home.example"
	kinds := []string{"", `,"type":"work"`, `,"type":"home"`, `,"type":"other"`}
	primaries := []string{"", `,"primary":true`, `,"primary":false`}
	for _, strict := range []bool{false, true} {
		for _, had := range kinds {
			for _, wasPrimary := range primaries {
				w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
				for _, kind := range kinds {
					for _, primary := range primaries {
						was, is := `{"value":"`+own+`"`+had+wasPrimary+`}`, `[{"value":"`+fresh+`"`+kind+primary+`}]`
						for _, op := range []string{`{"op":"replace","path":"emails","value":` + is + `}`, `{"op":"replace","value":{"emails":` + is + `}}`} {
							id := w.want(201, "POST", "/Users", `{"schemas":["`+schemaUser+`"],"userName":"ann","emails":[`+was+`]}`).body.text("id")
							r := w.want(200, "PATCH", "/Users/"+id, patchOf(op))
							if u := w.user(id); u.Email != fresh || u.AlternateEmail != "" || len(elements(r.body.get("emails"))) != 1 || strings.Contains(r.Body.String(), own) {
								t.Errorf("%s by %s: %s, %q, %s", was, is, u.Email, u.AlternateEmail, r.Body)
							}
							version := w.user(id).Version
							if w.want(200, "PUT", "/Users/"+id, r.Body.String()); w.user(id).Version != version {
								t.Errorf("%s by %s: sent back it made %s", was, is, w.user(id).Email)
							}
							w.want(204, "DELETE", "/Users/"+id, nil)
						}
					}
				}
			}
		}
	}
	w := newWorld(t, provision.ClientEdit{})
	const private = `{"value":"` + fresh + `","type":"home"}`
	for _, tt := range []struct{ method, body string }{
		{"PUT", `{"schemas":["` + schemaUser + `"],"userName":"ann","emails":[` + private + `]}`},
		{"PATCH", patchOf(`{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"add","path":"emails","value":[` + private + `]}`)},
		{"PATCH", patchOf(`{"op":"add","path":"emails","value":[` + private + `]}`)},
		{"PATCH", patchOf(`{"op":"replace","path":"emails","value":[` + private + `,{"value":"` + second + `","type":"other"}]}`)},
	} {
		id := w.want(201, "POST", "/Users", `{"schemas":["`+schemaUser+`"],"userName":"ann","emails":[{"value":"`+own+`","type":"work"}]}`).body.text("id")
		if w.want(200, tt.method, "/Users/"+id, tt.body); w.user(id).Email != own {
			t.Errorf("%s made %s of it", tt.body, w.user(id).Email)
		}
		w.want(204, "DELETE", "/Users/"+id, nil)
	}
}

// An own address that stays is listed once, also where it was left in the list as something
// else.
func TestOwnAddressIsListedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann@x.example", `,"emails":[{"value":"ann@x.example","type":"work","primary":true}]`)
	w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"emails","value":[{"value":"o@x.example","type":"other","primary":true}]}`))
	r := w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"emails[type eq \"other\"].primary","value":false}`))
	if n := strings.Count(r.Body.String(), "o@x.example"); n != 1 || w.user(id).Email != "o@x.example" {
		t.Errorf("%s is the address, listed in %s", w.user(id).Email, r.Body)
	}
}

// Who comes back is not given a private address either.
func TestOwnAddressOfARehire(t *testing.T) {
	t.Parallel()
	post := func(emails string) string {
		return `{"schemas":["` + schemaUser + `"],"userName":"ann@int.example","externalId":"7","emails":[` + emails + `]}`
	}
	for emails, want := range map[string]string{
		`{"value":"new@home.example","type":"home"}`:                "ann@x.example",
		`{"value":"new@x.example","type":"work"}`:                   "new@x.example",
		`{"value":"new@home.example","type":"home","primary":true}`: "new@home.example",
	} {
		w := newWorld(t, provision.ClientEdit{})
		id := w.want(201, "POST", "/Users", post(`{"value":"ann@x.example","type":"work"}`)).body.text("id")
		w.want(204, "DELETE", "/Users/"+id, nil)
		if back := w.want(201, "POST", "/Users", post(emails)).body.text("id"); back != id || w.user(id).Email != want {
			t.Errorf("%s: %s, with %s", emails, back, w.user(id).Email)
		}
	}
}

// An address that was never sent is the user name, and follows it as long as it is one.
func TestAddressFollowsTheName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann@x.example")
	w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"userName","value":"new@x.example"}`))
	if u := w.user(id); u.Email != "new@x.example" {
		t.Errorf("%s", u.Email)
	}
	w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"emails","value":[{"value":"p@home.example","type":"home"}]}`))
	if u := w.user(id); u.Email != "new@x.example" || u.AlternateEmail != "p@home.example" {
		t.Errorf("%s, %s", u.Email, u.AlternateEmail)
	}
	id = w.make("ben@x.example")
	w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"userName","value":"ben"}`))
	if u := w.user(id); u.Email != "ben@x.example" || u.UserName != "ben" {
		t.Errorf("%s, %s", u.Email, u.UserName)
	}
	w.client, w.token = w.newClient(provision.ClientEdit{Name: ptr("Strict"), Strict: ptr(true)})
	if r := w.want(400, "POST", "/Users", `{"schemas":["`+schemaUser+`"],"userName":"cat@x.example"}`); r.body.text("scimType") != typeInvalidValue {
		t.Errorf("%s", r.Body)
	}
}

// Who has not started is shown as not active: a PATCH that says so suspends all the same,
// and what was read and is sent back does not.
func TestDeactivatesStaged(t *testing.T) {
	t.Parallel()
	for ops, want := range map[string]directory.UserState{
		`{"op":"replace","path":"active","value":false}`:                                               directory.StateSuspended,
		`{"op":"replace","value":{"active":"False"}}`:                                                  directory.StateSuspended,
		`{"op":"replace","path":"active","value":true}`:                                                directory.StateActive,
		`{"op":"replace","path":"title","value":"x"}`:                                                  directory.StateStaged,
		`{"op":"replace","path":"active","value":false},{"op":"replace","path":"active","value":true}`: directory.StateActive,
	} {
		w := newWorld(t, provision.ClientEdit{})
		u, err := w.users.Create(t.Context(), ada, []byte(`{"email":"ann@x.example","state":"staged"}`))
		w.Must(err)
		id := string(u.User.ID)
		w.want(200, "PUT", "/Users/"+id, w.want(200, "GET", "/Users/"+id, nil).Body.String())
		if u := w.user(id); u.State != directory.StateStaged {
			t.Fatalf("sent back: %s", u.State)
		}
		if notes := w.lastRequest().Notes; len(notes) != 1 || !strings.HasPrefix(notes[0], "active: the user has not started yet") {
			t.Errorf("sent back: %q", notes)
		}
		w.want(200, "PATCH", "/Users/"+id, patchOf(ops))
		if u := w.user(id); u.State != want || want != directory.StateStaged && u.Owners["state"] != directory.SourceSCIM {
			t.Errorf("%s: %s of %q", ops, u.State, u.Owners["state"])
		}
	}
}

// A filter that chooses the user's own address replaces it, wherever it stands and in whatever
// form the new one is sent.
func TestOwnAddressReplaced(t *testing.T) {
	t.Parallel()
	const own, home = `{"value":"ann@x.example","type":"work","primary":true}`, `{"value":"ann@home.example","type":"home"}`
	for _, emails := range []string{own + "," + home, home + "," + own, own} {
		for _, op := range []string{
			`{"op":"replace","path":"emails[value eq \"ann@x.example\"]","value":{"value":"new@x.example"}}`,
			`{"op":"replace","path":"emails[value eq \"ann@x.example\"]","value":{"value":"new@x.example","type":"work"}}`,
			`{"op":"replace","path":"emails[value eq \"ann@x.example\"].value","value":"new@x.example"}`,
			`{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"new@x.example"}}`,
			`{"op":"replace","path":"emails[primary eq true]","value":{"value":"new@x.example","type":"other"}}`,
		} {
			for _, strict := range []bool{false, true} {
				w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
				id := w.want(201, "POST", "/Users", `{"schemas":["`+schemaUser+`"],"userName":"ann","emails":[`+emails+`]}`).body.text("id")
				r := w.want(200, "PATCH", "/Users/"+id, patchOf(op))
				if u := w.user(id); u.Email != "new@x.example" || strings.Contains(r.Body.String(), "ann@x.example") || strings.Contains(emails, home) != strings.Contains(r.Body.String(), "ann@home.example") {
					t.Errorf("%s of %s: %s, %s", op, emails, u.Email, r.Body)
				}
				if notes := w.lastRequest().Notes; len(notes) != 0 {
					t.Errorf("%s: %q", op, notes)
				}
			}
		}
	}
}
