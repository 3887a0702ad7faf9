package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// typedForms are forms with something that somebody has typed, and the act of /v1 that they ask for.
var typedForms = map[string]struct {
	path, act string
	form      []string
	typed     []string
}{
	"connection": {"/console/connections/new", "POST /v1/connections", []string{"name", "Fabrikam of 1871", "expectedDomain", "fabrikam.example", "mode", "approve"}, []string{"Fabrikam of 1871", "fabrikam.example"}},
	"user":       {"/console/users/new", "POST /v1/users", []string{"email", "dee@contoso.example", "jobTitle", "Keeper of keys"}, []string{"dee@contoso.example", "Keeper of keys"}},
	"edit":       {"/console/users/usr_1/edit", "PATCH /v1/users/usr_1", []string{"version", "7", "was.jobTitle", "Keeper", "jobTitle", "Keeper of keys"}, []string{"Keeper of keys"}},
	"group":      {"/console/groups/new", "POST /v1/groups", []string{"name", "Keepers"}, []string{"Keepers"}},
	"edit group": {"/console/groups/grp_1/edit", "PATCH /v1/groups/grp_1", []string{"name", "Keepers", "version", "3"}, []string{"Keepers"}},
	"source":     {"/console/sources/new", "POST /v1/scim-clients", []string{"name", "HR of Fabrikam", "provider", "okta"}, []string{"HR of Fabrikam"}},
	"decline":    {"/console/runs/run_1/decline", "POST /v1/runs/run_1/decline", []string{"reason", "they are on leave"}, []string{"they are on leave"}},
	"deactivate": {"/console/connections/con_1/end", "POST /v1/connections/con_1/deactivate", []string{"typed", "Contoso", "reason", "sold to Fabrikam"}, []string{"sold to Fabrikam"}},
	"lift":       {"/console/connections/con_1/protection/a-1", "POST /v1/connections/con_1/protection/a-1/lift", []string{"minutes", "45", "reason", "repair of the mailbox", "typed", "a-1"}, []string{"45", "repair of the mailbox"}},
	"bind":       {"/console/connections/con_1/bind", "POST /v1/connections/con_1/bindings", []string{"users", "usr_1\r\nusr_2, usr_3"}, []string{"usr_1\r\nusr_2, usr_3"}},
}

// values are those of the fields of a page, seen or not, that a form of the page sends.
func (a answered) values(action string) (list []string) {
	a.Helper()
	for _, values := range a.filled(action) {
		list = append(list, values...)
	}
	return list
}

// Whatever /v1 says to a form, what was typed is on the page, in a form that sends it to the
// same place.
func TestTypedIsKept(t *testing.T) {
	t.Parallel()
	for name, tt := range typedForms {
		for _, status := range []int{400, 403, 404, 409, 412, 422, 429, 500, 503} {
			w := runWorld(t, directory.RunHeld)
			w.tell(map[string]any{tt.act: problem{Status: status, Code: "no", Detail: "It was not done."}})
			a := w.post(tt.path, tt.form...)
			a.sound(name)
			if strings.Contains(a.body, "<code>version</code>") || strings.Contains(a.body, "<code>"+madeOf) {
				t.Errorf("%s, %d: what the form was made of is shown to be mended", name, status)
			}
			got := a.values(tt.path)
			for _, typed := range tt.typed {
				typed = strings.ReplaceAll(typed, "\r\n", "\n")
				if status == http.StatusPreconditionFailed && strings.Contains(a.body, ">"+typed+"<") {
					continue // it cannot be sent onto what somebody else has made of it
				}
				if !slices.ContainsFunc(got, func(v string) bool { return strings.ReplaceAll(strings.TrimPrefix(v, "\n"), "\r\n", "\n") == typed }) {
					t.Errorf("%s, %d: %q is lost; %v stays", name, status, typed, got)
				}
			}
		}
	}
}

// A session that ends while somebody types takes nothing of it away: signed in anew, they send
// the same from the page that told of it.
func TestTypedOutlivesSession(t *testing.T) {
	t.Parallel()
	for name, tt := range typedForms {
		w := runWorld(t, directory.RunHeld)
		w.pass(3 * time.Hour)
		a := w.post(tt.path, tt.form...)
		a.sound(name)
		if told := w.told(); a.code != http.StatusUnauthorized || len(told) > 0 {
			t.Errorf("%s: %d, called %v", name, a.code, told)
		}
		form := a.filled(tt.path)
		w.signIn("/console")
		w.tell(map[string]any{tt.act: nil})
		w.send(http.MethodPost, tt.path, form)
		if told := w.told(); len(told) != 1 || !strings.HasPrefix(told[0], tt.act) {
			t.Errorf("%s: sent again, %v was called", name, told)
		}
	}
}

// What an act told is for the page that it leads to: a look of the script's own, be it of that
// page or of another tab, neither takes it nor shows it.
func TestLookLeavesFlash(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunApplying)
	w.tell(map[string]any{"POST /v1/runs/run_1/cancel": aRun(w.now, directory.RunApplying)})
	to := w.send(http.MethodPost, "/console/runs/run_1/cancel", url.Values{}).to
	const told = `class="flash"`
	for _, page := range []string{"/console", "/console/connections/con_1", to} {
		if a := w.send(http.MethodGet, page, nil, lookHeader, "1"); a.code != http.StatusOK || strings.Contains(a.body, told) {
			t.Errorf("a look at %s: %d, with the message", page, a.code)
		}
	}
	w.get(to).has(told)
	if a := w.get(to); strings.Contains(a.body, told) {
		t.Error("the message is told twice")
	}
}

// A page says no more than is known: of an act without an answer not that it was not done, of a
// page that did not come not that something was. What the host answers for the API when that is
// busy has no words; the page has them, with the time.
func TestFailuresSayWhatIsKnown(t *testing.T) {
	t.Parallel()
	const act, at = "POST /v1/runs/run_1/cancel", "/console/runs/run_1/cancel"
	w := runWorld(t, directory.RunApplying)
	w.tell(map[string]any{act: problem{Status: 409, Detail: "It has ended."}})
	w.post(at).has("<h1", "That was not done")
	w.tell(map[string]any{act: problem{Status: 429}})
	w.post(at).has("That was not done", "The service is busy", "5 seconds")
	w.tell(map[string]any{"GET /v1/users/usr_1": problem{Status: 503}})
	a := w.get("/console/users/usr_1")
	a.sound("a page that did not come")
	a.has("This page did not come", "The service is busy", `href="/console/users/usr_1"`, "Try again")
	if strings.Contains(a.body, "That was not done") {
		t.Error("a page is no act")
	}
	w = runWorld(t, directory.RunApplying) // its own, since the pages before may still be asking
	w.c.api = &http.Client{Transport: failing{}}
	a = w.post(at)
	a.has("it may have been done", "It is not known whether it was done")
	if strings.Contains(a.body, "That was not done") {
		t.Error("an act without an answer is said not to be done")
	}
}
