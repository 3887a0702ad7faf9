package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// okta is a client that pushes, and what /v1 has of it.
func okta(now time.Time) scimClient {
	c := scimClient{BasePath: "/scim/scl_1/v2"}
	c.ID, c.Name, c.Provider, c.Version, c.Created, c.Updated = "scl_1", "Okta", directory.ProviderOkta, 3, now.Add(-90*24*time.Hour), now.Add(-time.Hour)
	c.LastSeen, c.Tokens.Alive, c.Tokens.Expires = now.Truncate(time.Hour), 2, now.Add(200*24*time.Hour)
	c.SilentDays, c.Findings = 7, []finding{{Code: directory.CodeScimTokenEnding, Severity: "critical", Subject: "sct_1", Values: map[string]any{"ends": "2026-12-07"}, Evidence: "The token that the client uses ends on 2026-12-07.", Consequence: "From then on whatever the client sends is refused with 401.", Next: "Make another token of the client."}}
	c.Mapping = []directory.ScimMapping{{Schema: "urn:acme:User", Attribute: "badge", Path: "customAttributes.badge"}}
	return c
}

func oktaRequests(now time.Time) page[directory.ScimRequest] {
	return page[directory.ScimRequest]{Items: []directory.ScimRequest{
		{At: now.Add(-2 * time.Second), TokenID: "sct_1", Method: "GET", Path: "/Users", Filter: []string{"userName"}, Status: 200, Milliseconds: 4},
		{At: now.Add(-time.Minute), TokenID: "sct_1", Method: "PATCH", Path: "/Users/usr_1", Status: 200, UserID: "usr_1", Changed: []string{"department", "state"}, Suspended: true, Notes: []string{"active was sent as text", "jobTitle: not taken, owned by ad"}, Milliseconds: 12},
		{At: now.Add(-time.Hour), TokenID: "sct_1", Method: "POST", Path: "/Groups", Status: 409, ScimType: "uniqueness", Detail: "Another group has the name.", Sent: "Sales", HolderID: "grp_1", Milliseconds: 3},
		{At: now.Add(-2 * time.Hour), TokenID: "sct_1", Method: "PATCH", Path: "/Groups/grp_1", Status: 200, GroupID: "grp_1", Changed: []string{"members"}},
		{At: now.Add(-3 * time.Hour), TokenID: "sct_1", Method: "DELETE", Path: "/Users/usr_9", Status: 204, UserID: "usr_9", Deleted: true},
		{At: now.Add(-4 * time.Hour), TokenID: "sct_1", Method: "PUT", Path: "/Users/usr_2", Status: 200, UserID: "usr_2", Changed: []string{"state"}},
	}}
}

// sources are what /v1 has of clients that push.
func sources(now time.Time) map[string]any {
	listed, idle, late := okta(now), okta(now), okta(now)
	listed.LastRequest = &oktaRequests(now).Items[1]
	idle.ID, idle.Name, idle.Provider, idle.Paused, idle.Strict, idle.OwnOnly = "scl_2", "HR", "", true, true, true
	late.ID, late.Name, late.Provider = "scl_3", "Entra", directory.ProviderEntra
	late.LastRequest, late.Tokens.Alive, late.Tokens.Expires = &oktaRequests(now).Items[2], 1, now.Add(9*24*time.Hour)
	answers := map[string]any{"GET /v1/scim-clients": page[scimClient]{Items: []scimClient{listed, idle, late}}}
	for _, c := range []scimClient{okta(now), idle, late} {
		at := "GET /v1/scim-clients/" + string(c.ID)
		answers[at] = c
		answers[at+"/tokens"] = page[directory.ScimToken]{Items: []directory.ScimToken{
			{ID: "sct_0", ClientID: c.ID, Created: now.Add(-400 * 24 * time.Hour), Expires: now.Add(-time.Hour), LastUsed: now.Add(-48 * time.Hour)},
			{ID: "sct_3", ClientID: c.ID, Created: now.Add(-40 * 24 * time.Hour), Expires: now.Add(40 * 24 * time.Hour), Revoked: new(now.Add(-time.Hour))},
			{ID: "sct_1", ClientID: c.ID, Created: now.Add(-30 * 24 * time.Hour), Expires: now.Add(9 * 24 * time.Hour), LastUsed: now.Truncate(time.Hour)},
			{ID: "sct_2", ClientID: c.ID, Created: now.Add(-time.Hour), Expires: now.Add(200 * 24 * time.Hour)}}}
		answers[at+"/requests"] = func(r *http.Request) any {
			all, only := oktaRequests(now), r.URL.Query().Get("only")
			kept := page[directory.ScimRequest]{}
			for _, one := range all.Items {
				for _, s := range requestSorts {
					if s.only == only && s.of(&one) {
						kept.Items = append(kept.Items, one)
					}
				}
			}
			if only == "" {
				return all
			}
			return kept
		}
	}
	return answers
}

// silent is a client that was set up just now: it has no token, and has asked for nothing.
func silent(*world) map[string]any {
	return map[string]any{"GET /v1/scim-clients/scl_1/requests": page[directory.ScimRequest]{}, "GET /v1/scim-clients/scl_1/tokens": page[directory.ScimToken]{}}
}

// suspending is a client that has suspended many, for which a run is held, and to whose
// address somebody came without its token.
func suspending(w *world) map[string]any {
	c := okta(w.now)
	c.Lately = directory.ScimTally{Since: w.now.Add(-24 * time.Hour), Suspended: 412, Deleted: 1}
	c.HeldRuns = append(c.HeldRuns, struct {
		RunID          directory.RunID        `json:"runId"`
		ConnectionID   directory.ConnectionID `json:"connectionId"`
		ConnectionName string                 `json:"connectionName"`
	}{"run_1", "con_1", "Contoso"})
	c.WrongToken = w.now.Add(-5 * time.Minute)
	return map[string]any{"GET /v1/scim-clients/scl_1": c}
}

// A client's page says whom it has suspended lately, and leads to the run that is held
// because of it; home names it with the decision.
func TestWrongScopeIsTold(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.tell(suspending(w))
	w.get("/console/sources/scl_1").has("412 users suspended", "1 user deleted", "by Okta in the last 24 hours", "/console/runs/run_1", "Held run of Contoso", "/console/sources/scl_1/take-back", "without a valid token", "/console/activity?effect=block&amp;since=2026-11-27T10%3A42%3A00Z")
	w.tell(silent(w))
	c := suspending(w)["GET /v1/scim-clients/scl_1"].(scimClient)
	c.LastRequest = &directory.ScimRequest{At: w.now.Add(-time.Minute)}
	w.tell(map[string]any{"GET /v1/scim-clients/scl_1": c})
	if a := w.get("/console/sources/scl_1"); strings.Contains(a.body, "without a valid token") {
		t.Error("a wrong token is told after a request that was answered")
	}
	w.tell(suspending(w))
	a := w.get("/console/sources/scl_1")
	if a.has("Waiting for the first request"); strings.Count(a.body, "without a valid token") != 1 {
		t.Error("the wrong token is told twice, or not")
	}
	w.tell(map[string]any{"GET /v1/attention": attention{Counts: map[string]int{"decide": 1}, Items: []needed{{Kind: "held-run", Urgency: "decide", ConnectionID: "con_1", ConnectionName: "Contoso", RunID: "run_1", Message: "Blocks 30 of 40.",
		Held: &directory.Held{Limits: []directory.Exceeded{{Effect: directory.EffectBlock, Period: directory.PeriodRun, Count: 30, Limit: 5}}, Facts: []directory.HeldFact{{Code: directory.HeldPushed, Name: "Okta", ScimClientID: "scl_1"}}}}}}})
	w.get("/console").has(`href="/console/sources/scl_1"`, "Okta")
}

// The row of a request says what became of whom it was about: suspended is another thing
// than activated, and who was deleted is among what was changed. Of one that was refused it
// says whom it meant, and who stands in the way.
func TestWhatCameOfRequests(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	const at = "/console/sources/scl_1/requests"
	for name, tt := range map[string]struct {
		r         directory.ScimRequest
		says, not []string
	}{
		"suspended":       {directory.ScimRequest{Method: "PATCH", Status: 200, UserID: "usr_1", Changed: []string{"state"}, Suspended: true}, []string{"User suspended"}, []string{"Changed:", "activated"}},
		"activated":       {directory.ScimRequest{Method: "PATCH", Status: 200, UserID: "usr_1", Changed: []string{"department", "state"}}, []string{"User activated", "Changed: Department<"}, []string{"suspended"}},
		"edited":          {directory.ScimRequest{Method: "PUT", Status: 200, UserID: "usr_1", Changed: []string{"department"}}, []string{"Changed: Department<"}, []string{"activated"}},
		"made":            {directory.ScimRequest{Method: "POST", Status: 201, UserID: "usr_1", Changed: []string{"email", "state"}}, []string{"User made", "Changed:"}, []string{"activated"}},
		"deleted":         {directory.ScimRequest{Method: "DELETE", Status: 204, UserID: "usr_1", Deleted: true}, []string{"User deleted"}, []string{">–<"}},
		"a group deleted": {directory.ScimRequest{Method: "DELETE", Status: 204, GroupID: "grp_1"}, []string{"Group deleted"}, []string{">–<"}},
		"not deleted":     {directory.ScimRequest{Method: "DELETE", Status: 404}, []string{">–<"}, []string{"deleted"}},
		"taken":           {directory.ScimRequest{Method: "POST", Status: 409, Sent: "eve@corp.example", HolderID: "usr_2"}, []string{"eve@corp.example", "The value belongs to", `href="/console/users/usr_2"`}, []string{"made"}},
		"a name taken":    {directory.ScimRequest{Method: "PUT", Status: 409, GroupID: "grp_2", Sent: "Sales", HolderID: "grp_1"}, []string{"It sent", "Sales", `href="/console/groups/grp_1"`, `href="/console/groups/grp_2"`}, nil},
	} {
		tt.r.At, tt.r.Path = w.now, "/x"
		w.tell(map[string]any{"GET /v1/scim-clients/scl_1/requests": page[directory.ScimRequest]{Items: []directory.ScimRequest{tt.r}}})
		body := strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(w.get(at).body)
		_, body, _ = strings.Cut(body, "<tbody>")
		for _, s := range tt.says {
			if !strings.Contains(body, s) {
				t.Errorf("%s: not said: %s\n%s", name, s, body)
			}
		}
		for _, s := range tt.not {
			if strings.Contains(body, s) {
				t.Errorf("%s: said: %s\n%s", name, s, body)
			}
		}
	}
	w.tell(sources(w.now))
	w.get("/console/sources/scl_1").has("4 changed something")
	w.get(at + "?only=changed").has("User deleted")
}

// What a job counts is told in words while it waits as well, and what it waits for is no
// failure.
func TestTakeBackJobInWords(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	answers := counting(directory.JobRunning)(w)
	j := answers["GET /v1/jobs/job_2"].(job)
	j.Error = &directory.Problem{Code: "waiting", Message: "Requests under way are waited for."}
	w.tell(map[string]any{"GET /v1/jobs/job_2": j})
	a := w.get("/console/jobs/job_2")
	if a.has("Users put back", "What it waits for", `href="/console/sources/scl_1"`, "To the source"); strings.Contains(a.body, "Why it failed") || strings.Contains(a.body, "<code>edited</code>") {
		t.Error("the counts are no words, or it failed")
	}
	// What stays is no line of a file, which could be mended and sent again.
	for _, kind := range []directory.JobKind{directory.JobCheckTakeBack, directory.JobTakeBack, directory.JobBind, directory.JobLoad} {
		j.Kind = kind
		w.tell(map[string]any{"GET /v1/jobs/job_2": j})
		a := w.get("/console/jobs/job_2")
		if stays, lines := strings.Contains(a.body, "What stays, as CSV"), strings.Contains(a.body, "in your file"); stays != strings.Contains(string(kind), "take-back") || lines != (kind == directory.JobLoad) {
			t.Errorf("%s: stays: %v, lines: %v", kind, stays, lines)
		}
	}
	w.tell(counting(directory.JobDone)(w))
	w.get("/console/sources/scl_1/take-back?since=2026-11-28T08:00:00Z&job=job_2").has("2 stay as they are")
}

// The page of all sources tells the newest edit by hand, of whatever kind, however much
// sources have pushed since; all of them are one filter of the activity.
func TestLastEditByHand(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	edits := map[string]any{"GET /v1/activity": func(r *http.Request) any {
		all := page[entry]{Items: []entry{{At: w.now.Add(-time.Minute), Kind: "delete-user", UserID: "usr_1", By: "ben"}}}
		if r.URL.Query().Get("byHand") != "true" {
			all.Items = append(slices.Repeat([]entry{{At: w.now, Kind: "edit-user", UserID: "usr_2", By: "scl_1", Source: directory.SourceSCIM}}, 50), all.Items...)
		}
		return all
	}}
	w.tell(edits)
	w.get("/console/sources").has("Last edit by hand", "user deleted", "ben", `href="/console/users/usr_1"`, `href="/console/activity?byHand=true"`)
	w.tell(map[string]any{"GET /v1/activity": page[entry]{Items: []entry{{At: w.now, Kind: "add-members", UserID: "usr_1", GroupIDs: []directory.GroupID{"grp_1"}, By: "ben"}}}})
	w.get("/console/sources").has(`href="/console/groups/grp_1"`)
	w.tell(edits)
	a := w.get("/console/activity?byHand=true")
	if a.has(`name="byHand" value="true" checked`, "/console/activity.csv?byHand=true"); strings.Contains(a.body, "usr_2") {
		t.Error("what a source has pushed is among what was done by hand")
	}
	w.get("/console/activity?byHand=x").has("usr_2")
}

// Days that are no whole number are refused before anything is called, in the language of the
// page, and what was typed stays.
func TestSilentDaysNoNumber(t *testing.T) {
	t.Parallel()
	for typed, says := range map[string]string{"": "„“ ist keine Zahl.", "einige": "„einige“ ist keine Zahl.", "1,5": "„1,5“ ist keine ganze Zahl.", "1.5": "„1.5“ ist keine ganze Zahl."} {
		w := runWorld(t, directory.RunDone)
		a := w.send(http.MethodPost, "/console/sources/scl_1/settings", url.Values{"version": {"3"}, "name": {"Anders"}, "silentDays": {typed}}, "Accept-Language", "de")
		a.has(says, `value="Anders"`, `value="`+typed+`"`)
		if calls := w.told(); a.code != http.StatusUnprocessableEntity || slices.ContainsFunc(calls, func(c string) bool { return !strings.HasPrefix(c, "GET ") }) {
			t.Errorf("%q: %d, called %v", typed, a.code, calls)
		}
		if a := w.post("/console/sources/scl_1/settings", "version", "2", "name", "Anders", "silentDays", typed); a.code != http.StatusPreconditionFailed {
			t.Errorf("%q onto what has changed: %d", typed, a.code)
		}
	}
}

// In the history a state is the user's, and what became whose is told in words.
func TestActsInWords(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	say := func(s string) directory.Value { return directory.StringValue(s) }
	w.tell(map[string]any{"GET /v1/activity": page[entry]{Items: []entry{
		{At: w.now, Kind: "edit-user", UserID: "usr_1", By: "scl_1", Source: directory.SourceSCIM, Properties: []directory.PropertyChange{{Name: "state", Before: say("active"), After: say("suspended")}, {Name: "owners", After: say(`{"state":"scim"}`)}}},
		{At: w.now, Kind: "change", UserID: "usr_1", Effect: directory.EffectUpdate, State: directory.ChangeApplied, Properties: []directory.PropertyChange{{Name: "state", Before: say("Saxony"), After: say("Bavaria")}}}}}})
	a := w.get("/console/activity")
	a.has("Status", "suspended", "Belongs to", "Status: SCIM", "State or province", "Bavaria")
	if n := strings.Count(a.body, "State or province"); n != 1 {
		t.Errorf("%d states or provinces", n)
	}
}

// pushedRun is a run that is held for what a client has pushed.
func pushedRun(w *world) map[string]any {
	r := aRun(w.now, directory.RunHeld)
	r.EditedBy = []string{"scl_1", "ben"}
	r.Held.Facts = append(r.Held.Facts, directory.HeldFact{Code: directory.HeldPushed, Name: "Okta", ScimClientID: "scl_1"}, directory.HeldFact{Code: directory.HeldPushed, Name: "Before"})
	return map[string]any{"GET /v1/runs/run_1": r}
}

// pushedUser is a user whom a client has pushed.
func pushedUser(w *world) map[string]any {
	u := shownUser{User: ann(w.now), PushedBy: []pusher{{"scl_1", "Okta"}}}
	u.Source, u.Owners = directory.SourceSCIM, map[string]directory.Source{"department": directory.SourceSCIM}
	return map[string]any{"GET /v1/users/usr_1": u, "GET /v1/activity": page[entry]{Items: []entry{{At: w.now, Kind: "edit-user", UserID: "usr_1", By: "scl_1", Source: directory.SourceSCIM}}}}
}

// counting is a job that counts what a take-back would come to.
func counting(state directory.JobState) func(w *world) map[string]any {
	return func(w *world) map[string]any {
		j := job{Job: directory.Job{ID: "job_2", Kind: directory.JobCheckTakeBack, ScimClientID: "scl_1", State: state, AskedBy: "ada", Created: w.now.Add(-time.Minute), Counts: map[string]int{"edited": 412, "restored": 3, "kept": 2}, RefusedCount: 2},
			Refused: []directory.RefusedItem{{UserID: "usr_1", Name: "ann@contoso.example", Code: "changed-since", Detail: "department was changed since by ben."}}}
		if state == directory.JobDone {
			j.Ended = w.now
		}
		return map[string]any{"GET /v1/jobs/job_2": j}
	}
}

// A take-back needs the scope write beside admin, a fresh sign-in, and counts before it.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	const at = "/console/sources/scl_1/take-back"
	w := runWorld(t, directory.RunDone, scopeRead, scopeAdmin)
	w.get(at).has("bindery/write")
	for _, path := range []string{at, at + "/now"} {
		if a := w.post(path, "since", "2026-11-28", "typed", "Okta"); a.code != http.StatusForbidden || len(w.told()) != 0 {
			t.Errorf("%s without write: %d", path, a.code)
		}
	}
	w = runWorld(t, directory.RunDone)
	w.tell(counting(directory.JobDone)(w))
	w.tell(map[string]any{"POST /v1/scim-clients/scl_1/take-back": problem{Status: 422, Code: "invalid-since", Detail: "It lies ahead."}})
	if a := w.post(at, "since", "2027-11-28T08:00", "job", "job_2"); a.code != 422 || !strings.Contains(a.body, "It lies ahead.") || !strings.Contains(a.body, `value="2027-11-28T08:00"`) {
		t.Errorf("a time ahead: %d", a.code)
	}
	w.told()
	if a := w.post(at+"/now", "since", "2026-11-28T08:00:00Z", "job", "job_2", "typed", "x"); a.code != 422 || !strings.Contains(a.body, "That is not the name") {
		t.Errorf("untyped: %d", a.code)
	}
	w.pass(30 * time.Minute)
	if a := w.post(at+"/now", "since", "2026-11-28T08:00:00Z", "typed", "Okta"); a.code != http.StatusForbidden || len(w.told()) != 0 {
		t.Errorf("of long ago: %d", a.code)
	}
	w.get(at+"?since=2026-11-28T08:00:00Z&job=job_2").has(`action="/console/login"`, "412")
}

// A token is shown in the answer to the form that asks for it, and nowhere else: in no
// address, no cookie, no log, and not by sending the form again.
func TestTokenIsShownOnce(t *testing.T) {
	t.Parallel()
	const at, token = "/console/sources/scl_1", "bsc_sct_9_TopSecretOfTheToken"
	w := runWorld(t, directory.RunDone)
	made, fresh := false, okta(w.now)
	fresh.Tokens.Alive, fresh.Tokens.Expires = 0, time.Time{}
	w.tell(map[string]any{
		"GET /v1/scim-clients/scl_1": fresh,
		"GET /v1/scim-clients/scl_1/tokens": func(*http.Request) any {
			if made {
				return page[directory.ScimToken]{Items: []directory.ScimToken{{ID: "sct_9", Expires: w.now.Add(time.Hour)}}}
			}
			return page[directory.ScimToken]{}
		},
		"POST /v1/scim-clients/scl_1/tokens": func(*http.Request) any {
			made = true
			return map[string]any{"id": "sct_9", "clientId": "scl_1", "expires": w.now.Add(90 * 24 * time.Hour), "token": token}
		}})
	form := w.get(at + "/token").filled(at + "/token")
	form.Set("days", "90")
	a := w.send(http.MethodPost, at+"/token", form)
	if got := strings.Join(w.told(), "; "); a.code != http.StatusOK || got != `POST /v1/scim-clients/scl_1/tokens {"days":90}` {
		t.Fatalf("%d, %s", a.code, got)
	}
	if strings.Contains(a.body, "no token") {
		t.Error("the page that shows a token says that there is none")
	}
	a.has(token, "takes requests", "SCIM connector base URL", publicURL+"/scim/scl_1/v2", `data-from="/console/sources/scl_1/check?token=sct_9"`, "Waiting for the first request")
	a.sound("the token's page")
	if a.header.Get("Cache-Control") != "no-store" || strings.Contains(strings.Join(a.header.Values("Set-Cookie"), " "), "flash") || a.to != "" {
		t.Errorf("%v", a.header)
	}
	again := w.send(http.MethodPost, at+"/token", form)
	if calls := w.told(); again.code != http.StatusConflict || len(calls) > 0 {
		t.Errorf("sent again: %d, %v", again.code, calls)
	}
	for _, path := range []string{at, at + "/token", at + "/setup", at + "/check?token=sct_9", "/console/sources"} {
		if page := w.get(path); strings.Contains(page.body, "TopSecret") || page.code != http.StatusOK {
			t.Errorf("%s shows the token, or is not there: %d", path, page.code)
		}
	}
	for name, value := range w.jar {
		if strings.Contains(value, "TopSecret") || strings.Contains(name, "flash") {
			t.Errorf("the cookie %s has %q", name, value)
		}
	}
	if strings.Contains(w.log.String(), "TopSecret") || strings.Contains(again.body, "TopSecret") {
		t.Error("the token is in the log, or on a second page")
	}
}

// What cannot be taken back of a client wants a fresh sign-in, and says how.
func TestSourcesWantFresh(t *testing.T) {
	t.Parallel()
	const at = "/console/sources/scl_1"
	w := runWorld(t, directory.RunDone)
	w.pass(30 * time.Minute)
	for _, path := range []string{at + "/token", at + "/tokens/sct_2/revoke", at + "/delete"} {
		if a := w.post(path, "typed", "Okta", "after", "sct_2"); a.code != http.StatusForbidden || len(w.told()) != 0 {
			t.Errorf("%s: %d", path, a.code)
		}
		w.get(path).has(`action="/console/login"`, `name="to" value="`+path+`"`)
	}
}

// The last token that is alive is revoked by whoever types the name of its client.
func TestRevokeLast(t *testing.T) {
	t.Parallel()
	const at = "/console/sources/scl_1/tokens/sct_1/revoke"
	w := runWorld(t, directory.RunDone)
	w.tell(map[string]any{"DELETE /v1/scim-clients/scl_1/tokens/sct_1": nil, "GET /v1/scim-clients/scl_1/tokens": page[directory.ScimToken]{Items: []directory.ScimToken{{ID: "sct_0", Expires: w.now.Add(-time.Hour)}, {ID: "sct_1", Expires: w.now.Add(time.Hour)}}}})
	w.get(at).has(`name="typed"`, "the last one")
	if a := w.post(at, "typed", "okta"); a.code != http.StatusUnprocessableEntity || len(w.told()) != 0 {
		t.Errorf("untyped: %d", a.code)
	}
	if a := w.post(at, "typed", "Okta"); a.code != http.StatusSeeOther || len(w.told()) != 1 {
		t.Errorf("typed: %d", a.code)
	}
	if a := w.get("/console/sources/scl_1/tokens/sct_7/revoke"); a.code != http.StatusNotFound {
		t.Errorf("a token that is not there: %d", a.code)
	}
}

// The check waits until something arrives that was answered, and ends then.
func TestFirstRequest(t *testing.T) {
	t.Parallel()
	const at = "/console/sources/scl_1/check"
	w := runWorld(t, directory.RunDone)
	request := func(token directory.ScimTokenID, status int) page[directory.ScimRequest] {
		return page[directory.ScimRequest]{Items: []directory.ScimRequest{{At: w.now.Add(-10 * time.Second), TokenID: token, Method: "GET", Path: "/Users", Status: status, Detail: "Not so."}}}
	}
	for name, tt := range map[string]struct {
		list  page[directory.ScimRequest]
		token string
		waits bool
		says  []string
	}{
		"nothing":         {page[directory.ScimRequest]{}, "", true, []string{"Waiting for the first request"}},
		"of another":      {request("sct_1", 200), "sct_2", true, []string{"Waiting for the first request"}},
		"refused":         {request("sct_2", 400), "sct_2", true, []string{"Not so.", "refused", "GET /Users"}},
		"answered":        {request("sct_2", 200), "sct_2", false, []string{"Received", "GET /Users", "10 seconds ago", ">200<"}},
		"of whatever one": {request("sct_1", 200), "", false, []string{"Received"}},
		"after a refusal": {page[directory.ScimRequest]{Items: append(request("sct_2", 400).Items, request("sct_2", 200).Items...)}, "sct_2", false, []string{">200<"}},
	} {
		w.tell(map[string]any{"GET /v1/scim-clients/scl_1/requests": tt.list})
		a := w.get(query(at, "token", tt.token))
		a.has(tt.says...)
		if waits := strings.Contains(a.body, "data-poll"); waits != tt.waits {
			t.Errorf("%s: looks again: %v", name, waits)
		}
	}
}

// Who may only look sees what there is, and at each button why it is not theirs.
func TestSourcesOfReaders(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld, scopeRead)
	w.tell(pushedRun(w))
	const at = "/console/sources/scl_1"
	for _, path := range []string{"/console/sources", at, at + "/settings", at + "/delete", "/console/runs/run_1"} {
		a := w.get(path)
		a.has("bindery/admin")
		for _, n := range a.nodes("form") {
			if strings.HasPrefix(n["action"], at) && n["action"] != at+"/settings" {
				t.Errorf("%s: a form to %s", path, n["action"])
			}
		}
	}
	for _, path := range []string{"/console/sources/new", at + "/token", at + "/tokens/sct_1/revoke"} {
		if a := w.get(path); a.code != http.StatusForbidden {
			t.Errorf("%s: %d", path, a.code)
		}
	}
	for _, path := range []string{"/console/sources/new", at + "/token", at + "/tokens/sct_1/revoke", at + "/delete", at + "/settings", at + "/pause", at + "/resume"} {
		if a := w.post(path, "version", "3"); a.code != http.StatusForbidden || len(w.told()) != 0 {
			t.Errorf("POST %s: %d", path, a.code)
		}
	}
}

// What /v1 refuses of a client's settings is told, and what was typed stays.
func TestSourceRefused(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	p := problem{Status: 422, Code: "invalid-scim-client", Detail: "The SCIM client was not accepted.", Errors: []directory.FieldError{{Field: "name", Detail: "must have 1 to 100 characters"}, {Field: "mapping[0].path", Detail: "must be a custom attribute"}}}
	w.tell(map[string]any{"PATCH /v1/scim-clients/scl_1": p, "POST /v1/scim-clients": p})
	a := w.post("/console/sources/scl_1/settings", "version", "3", "name", " ", "mode", "strict", "silentDays", "30", "schema", "urn:x", "attribute", "shoe", "path", "email")
	a.sound("refused settings")
	a.has("must have 1 to 100 characters", "must be a custom attribute", `value="shoe"`)
	if a.code != 422 {
		t.Errorf("%d", a.code)
	}
	a = w.post("/console/sources/new", "name", "x", "provider", "ping", "sees", "own")
	a.sound("refused source")
	a.has("must have 1 to 100 characters", `value="ping" checked`)
	w.tell(map[string]any{"PATCH /v1/scim-clients/scl_1": problem{Status: 412, Code: "version-mismatch"}})
	for _, path := range []string{"/settings", "/pause"} {
		if a := w.post("/console/sources/scl_1"+path, "version", "2", "name", "x", "silentDays", "30"); a.code != 412 {
			t.Errorf("%s of what has changed: %d", path, a.code)
		}
	}
}

// Each provider has its steps, and its address and token among what is pasted.
func TestSetUps(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	for _, s := range setups {
		c := okta(w.now)
		c.Provider = s.provider
		w.tell(map[string]any{"GET /v1/scim-clients/scl_1": c})
		for _, lang := range tags {
			a := w.send(http.MethodGet, "/console/sources/scl_1/setup", nil, "Accept-Language", lang)
			a.sound("set-up of " + s.name)
			a.has(publicURL+"/scim/scl_1/v2", s.paste[0].field)
		}
		if len(s.open) == 0 || len(s.then) == 0 {
			t.Errorf("%q has no steps", s.name)
		}
	}
	for _, p := range directory.ScimProviders {
		if setupOf(p).provider != p {
			t.Errorf("%s has no set-up", p)
		}
	}
}

// TestSetUpsAreTold: the package's README has each provider's steps as the pages have them.
func TestSetUpsAreTold(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../scim/README.md", " -update -->\n", "<!-- end of set-ups -->"
	var b strings.Builder
	for _, s := range setups {
		fmt.Fprintf(&b, "\n#### %s\n\n", cmp.Or(s.name, "Any other one"))
		n := 0
		step := func(says text) {
			n++
			fmt.Fprintf(&b, "%d. %s\n", n, says[0])
		}
		for _, one := range s.open {
			step(one)
		}
		step(textPasteThese)
		for _, p := range s.paste {
			if strings.Contains(p.value, "\n") {
				fmt.Fprintf(&b, "   - %s:\n\n     ```json\n     %s\n     ```\n\n", p.field, strings.ReplaceAll(p.value, "\n", "\n     "))
				continue
			}
			fmt.Fprintf(&b, "   - %s: `%s`\n", p.field, p.value)
		}
		for _, one := range s.then {
			step(one)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	was, after, closed := strings.Cut(rest, end)
	want := b.String() + "\n"
	switch {
	case !ok || !closed:
		t.Fatalf("%s has no place for the set-ups", file)
	case was == want:
	case !*update:
		t.Errorf("%s tells other steps than the console; write them anew by -update", file)
	default:
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEverySourceSettingHasAField: what /v1 takes of a client, the page can set; pausing is
// a button of its own.
func TestEverySourceSettingHasAField(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	var sent map[string]any
	data, err := json.Marshal(sourceEdit{sourceSettings: &sourceSettings{}})
	if err == nil {
		err = json.Unmarshal(data, &sent)
	}
	if err != nil {
		t.Fatal(err)
	}
	page := w.get("/console/sources/scl_1/settings")
	fields := map[string]string{"strict": "mode", "ownOnly": "sees", "countryAsUsageLocation": "country", "mapping": "path"}
	for f := range reflect.TypeFor[provision.ClientEdit]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if _, is := sent[name]; !is && name != "paused" {
			t.Errorf("the console does not send %s", name)
		}
		if field := cmp.Or(fields[name], name); name != "paused" {
			page.has(`name="` + field + `"`)
		}
	}
}
