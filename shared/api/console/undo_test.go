package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// What is done at once is taken back at the button of what it told: by the opposite act, onto
// the version that the act has made. What was changed meanwhile is left, and the page says so.
func TestUndo(t *testing.T) {
	t.Parallel()
	paused := func(w *world, since time.Time) binding {
		return binding{UserID: "usr_1", ConnectionID: "con_1", Status: directory.BindingPaused, Problem: &directory.Problem{Code: directory.CodePausedByAdmin, Since: since}}
	}
	of := func(b binding) map[string]any {
		return map[string]any{"GET /v1/users/usr_1/bindings": page[userBinding]{Items: []userBinding{{binding: b}}}}
	}
	active := binding{UserID: "usr_1", ConnectionID: "con_1", Status: directory.BindingPending}
	edited := func(w *world) directory.User {
		u := ann(w.now)
		u.Version, u.JobTitle = 8, "Engineer"
		return u
	}
	for name, tt := range map[string]struct {
		act  string
		form []string
		// says is what /v1 answers to the act, and what there is when it is taken back.
		says, then func(w *world) map[string]any
		back       string // where the button leads to
		call       string // of /v1, and the version that it is of
		version    bool
		moved      func(w *world) map[string]any // what there is when somebody was faster
	}{
		"suspend": {"/console/users/usr_1/suspend", []string{"version", "7"}, func(w *world) map[string]any { return map[string]any{"POST /v1/users/usr_1/suspend": ann(w.now)} }, nil,
			"/console/users/usr_1/activate", "POST /v1/users/usr_1/activate", true, nil},
		"activate": {"/console/users/usr_1/activate", []string{"version", "7", "was", "suspended"}, func(w *world) map[string]any { return map[string]any{"POST /v1/users/usr_1/activate": ann(w.now)} }, nil,
			"/console/users/usr_1/suspend", "POST /v1/users/usr_1/suspend", true, nil},
		"pause": {"/console/connections/con_1/members/usr_1/pause", []string{"to", "/console/users/usr_1"},
			func(w *world) map[string]any {
				return map[string]any{"POST /v1/connections/con_1/bindings/usr_1/pause": paused(w, w.now)}
			}, func(w *world) map[string]any { return of(paused(w, w.now)) },
			"/console/connections/con_1/members/usr_1/resume", "POST /v1/connections/con_1/bindings/usr_1/resume", false, func(w *world) map[string]any { return of(paused(w, w.now.Add(time.Millisecond))) }},
		"resume": {"/console/connections/con_1/members/usr_1/resume", []string{"was", directory.CodePausedByAdmin},
			func(w *world) map[string]any {
				return map[string]any{"POST /v1/connections/con_1/bindings/usr_1/resume": active}
			}, func(w *world) map[string]any { return of(active) },
			"/console/connections/con_1/members/usr_1/pause", "POST /v1/connections/con_1/bindings/usr_1/pause", false, func(w *world) map[string]any { return of(paused(w, w.now)) }},
		"released": {"/console/connections/con_1/members/usr_1/resume", []string{"was", directory.CodePausedByAdmin},
			func(w *world) map[string]any {
				return map[string]any{"POST /v1/connections/con_1/bindings/usr_1/resume": active}
			}, func(w *world) map[string]any { return of(active) },
			"/console/connections/con_1/members/usr_1/pause", "POST /v1/connections/con_1/bindings/usr_1/pause", false, func(*world) map[string]any {
				return map[string]any{"GET /v1/users/usr_1/bindings": page[userBinding]{}}
			}},
		"pause source": {"/console/sources/scl_1/pause", []string{"version", "3"}, func(w *world) map[string]any {
			return map[string]any{"PATCH /v1/scim-clients/scl_1": directory.ScimClient{Paused: true}}
		}, nil,
			"/console/sources/scl_1/resume", `PATCH /v1/scim-clients/scl_1 {"paused":false}`, true, nil},
		"edit group": {"/console/groups/grp_1/edit", []string{"version", "3", "name", "Sellers", "description", ""}, func(w *world) map[string]any { return map[string]any{"PATCH /v1/groups/grp_1": sales(w.now)} }, nil,
			"/console/groups/grp_1/edit", `PATCH /v1/groups/grp_1 {"description":"Who sells","mailNickname":null,"name":"Sales"}`, true, nil},
		"edit user": {"/console/users/usr_1/edit", []string{"version", "7", "jobTitle", "Engineer", "phones.work", "", "department", "Sales", "managerId", ""},
			func(w *world) map[string]any {
				return map[string]any{"PATCH /v1/users/usr_1": func(*http.Request) any { return edited(w) }}
			},
			func(w *world) map[string]any {
				u := edited(w)
				u.Phones.Work, u.ManagerID = "", ""
				return map[string]any{"GET /v1/users/usr_1": u}
			},
			"/console/users/usr_1/edit", `PATCH /v1/users/usr_1 {"jobTitle":"Head of Sales","managerId":"usr_2","phones":{"work":"+49 30 1234"}}`, true,
			func(w *world) map[string]any {
				u := edited(w)
				u.Version = 9
				return map[string]any{"GET /v1/users/usr_1": u}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, late := range []bool{false, true} {
				w := runWorld(t, directory.RunDone)
				w.tell(tt.says(w))
				made := ""
				w.c.api.Transport = hooked{w.c.api.Transport, func(r *http.Request, res *http.Response) {
					if r.Method == http.MethodPatch && strings.HasPrefix(r.URL.Path, "/v1/users/") {
						res.Header.Set("ETag", `"8"`) // as /v1 names versions of users
					}
					if r.Method != http.MethodGet && made == "" {
						made = res.Header.Get("ETag")
					}
				}}
				a := w.post(tt.act, tt.form...)
				shown := w.get(a.to)
				shown.sound(name)
				shown.has("Undo")
				if name == "suspend" && !late {
					shown.golden("user-undo")
				}
				_, told, _ := strings.Cut(shown.body, `<div class="flash"`)
				shown.body, _, _ = strings.Cut(told, "</div>")
				fields := shown.filled(tt.back)
				if !fields.Has(undoing) {
					t.Fatalf("no button leads to %s: %s", tt.back, shown.body)
				}
				if strings.Contains(w.get(a.to).body, ">Undo<") {
					t.Error("the button stays")
				}
				w.told()
				if tt.then != nil {
					w.tell(tt.then(w))
				}
				method, path, _ := strings.Cut(strings.SplitN(tt.call, " {", 2)[0], " ")
				var onto string
				w.tell(map[string]any{method + " " + path: func(r *http.Request) any {
					onto = r.Header.Get("If-Match")
					if late {
						return problem{Status: http.StatusPreconditionFailed, Code: "version-mismatch"}
					}
					return map[string]any{}
				}})
				if late && tt.moved != nil {
					w.tell(tt.moved(w))
				}
				back := w.send(http.MethodPost, tt.back, fields)
				calls := w.told()
				if late {
					back.sound(name + ", late")
					if name == "suspend" {
						back.golden("undo-too-late")
					}
					back.has("It can no longer be undone", "Nothing was done")
					if back.code != http.StatusPreconditionFailed || tt.moved != nil && len(calls) > 0 {
						t.Errorf("late: %d, %v", back.code, calls)
					}
					continue
				}
				if !slices.Equal(calls, []string{tt.call}) || tt.version && onto != made {
					t.Errorf("told %v onto %s, want %s onto %s", calls, onto, tt.call, made)
				}
				shown = w.get(back.to)
				shown.has("Undone.")
				if strings.Contains(shown.body, ">Undo<") {
					t.Error("what takes back can be taken back")
				}
			}
		})
	}
}

// hooked lets a test see answers of /v1.
type hooked struct {
	http.RoundTripper
	see func(r *http.Request, res *http.Response)
}

func (h hooked) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		h.see(r, res)
	}
	return res, err
}

// Who was staged has no way back to that, nor has a pause that the undo of a run has made; and what does not fit into a cookie has none either.
func TestNoUndo(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.tell(map[string]any{"POST /v1/users/usr_1/activate": ann(w.now), "POST /v1/users/usr_1/suspend": nil, "PATCH /v1/users/usr_1": ann(w.now),
		"POST /v1/connections/con_1/bindings/usr_1/resume": binding{UserID: "usr_1", ConnectionID: "con_1", Status: directory.BindingPending}, "POST /v1/connections/con_1/bindings/usr_2/resume": binding{UserID: "usr_2", ConnectionID: "con_1", Status: directory.BindingPending}, "GET /v1/users/usr_1": func(*http.Request) any {
			u := ann(w.now)
			u.JobTitle = strings.Repeat("long ", 500)
			return u
		}})
	for path, form := range map[string][]string{
		"/console/users/usr_1/activate":                   {"version", "7", "was", "staged"},
		"/console/users/usr_1/suspend":                    {"version", "7"}, // of which /v1 names no version
		"/console/users/usr_1/edit":                       {"version", "7", "jobTitle", "short"},
		"/console/connections/con_1/members/usr_1/resume": {"was", directory.CodeUndone},
		"/console/connections/con_1/members/usr_2/resume": nil, // which does not say of what pause
	} {
		a := w.post(path, form...)
		if a.code != http.StatusSeeOther || strings.Contains(w.get(a.to).body, ">Undo<") {
			t.Errorf("%s: %d, or there is a way back", path, a.code)
		}
	}
}

// The button that resumes a binding says of what pause it is: that of an admin has a way back.
func TestResumeSaysOfWhat(t *testing.T) {
	t.Parallel()
	for _, code := range []string{directory.CodePausedByAdmin, directory.CodeUndone} {
		w := runWorld(t, directory.RunDone)
		w.tell(map[string]any{"GET /v1/connections/con_1/bindings": page[binding]{Items: []binding{{UserID: "usr_1", ConnectionID: "con_1", Status: directory.BindingPaused, Problem: &directory.Problem{Code: code}}}},
			"POST /v1/connections/con_1/bindings/usr_1/resume": binding{UserID: "usr_1", ConnectionID: "con_1", Status: directory.BindingPending}})
		const to = "/console/connections/con_1/members/usr_1/resume"
		a := w.send(http.MethodPost, to, w.get("/console/connections/con_1/members").filled(to))
		if a.code != http.StatusSeeOther {
			t.Fatalf("%s: %d", code, a.code)
		}
		if got := strings.Contains(w.get(a.to).body, ">Undo<"); got != (code == directory.CodePausedByAdmin) {
			t.Errorf("after %s: a way back %v", code, got)
		}
	}
}

// What was told comes by a cookie. Its button leads to acts alone that take others back.
func TestUndoLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	for to, want := range map[string]bool{
		"/console/users/usr_1/activate": true, "/console/users/usr_1/delete": false, "/console/connections/con_1/end": false, "/console/users//activate": false,
		"https://evil.example/console/users/usr_1/activate": false, "/console/users/usr_1/activate?x=y": false, "/console/users/../activate": false, "/console/runs/run_1/approve": false, "": false,
	} {
		raw, err := json.Marshal(flash{Text: "Done.", Undo: &wayBack{To: to, Fields: []string{"version", "7", "odd"}}})
		if err != nil {
			t.Fatal(err)
		}
		w.jar["__Host-"+flashCookie] = base64.RawURLEncoding.EncodeToString(raw)
		a := w.get("/console/me")
		a.has("Done.")
		if got := strings.Contains(a.body, ">Undo<"); got != want {
			t.Errorf("%q: a button %v, want %v", to, got, want)
		}
	}
	reader := signed(t, scopeRead)
	raw, _ := json.Marshal(flash{Text: "Done.", Undo: &wayBack{To: "/console/users/usr_1/activate"}})
	reader.jar["__Host-"+flashCookie] = base64.RawURLEncoding.EncodeToString(raw)
	if a := reader.get("/console/me"); strings.Contains(a.body, ">Undo<") {
		t.Error("who may not write has a button")
	}
}
