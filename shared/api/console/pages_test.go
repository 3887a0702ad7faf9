package console

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	g "maragu.dev/gomponents"

	"bindery/shared/directory"
)

const runID = directory.RunID("run_1")

// contoso is a connection that works.
func contoso(now time.Time) connection {
	return connection{ID: "con_1", Name: "Contoso", Status: directory.StatusActive, BoundCount: 5012, Created: now.Add(-90 * 24 * time.Hour),
		Tenant:       &directory.Tenant{ID: "t-1", DisplayName: "Contoso Ltd", Domains: []directory.Domain{{Name: "contoso.example", IsDefault: true}}},
		AuthorizedBy: &directory.Administrator{ObjectID: "o-1", UserPrincipalName: "admin@contoso.example"},
		LastRun:      &directory.LastRun{ID: runID, State: directory.RunDone, EndedAt: now.Add(-4 * time.Minute)}}
}

// aRun is a run of fourteen blocks and two renames, in a state.
func aRun(now time.Time, state directory.RunState) directory.Run {
	r := directory.Run{ID: runID, ConnectionID: "con_1", Kind: directory.KindSync, State: state, Trigger: directory.TriggerEdit, StartedAt: now.Add(-10 * time.Minute),
		Counts: map[directory.Effect]int{directory.EffectBlock: 14, directory.EffectRename: 2, directory.EffectUpdateToEmpty: 1}}
	switch state {
	case directory.RunPlanning:
		r.Counts = nil
	case directory.RunHeld:
		r.Held = &directory.Held{All: true, Reasons: []string{"14 changes of the effect block are more than the 5 allowed."},
			Limits: []directory.Exceeded{{Effect: directory.EffectBlock, Period: directory.PeriodRun, Count: 14, Limit: 5, Worst: "department Engineering", WorstCount: 11}},
			Facts:  []directory.HeldFact{{Code: directory.HeldSourceShrank, Then: 212, Now: 198}}}
	case directory.RunApplying:
		r.Applied, r.Failed = 9, 1
	case directory.RunWaiting:
		r.Applied = 9
		r.Waiting = &directory.Waiting{Until: now.Add(5 * time.Minute), Why: "Microsoft asks for a pause."}
	case directory.RunDone:
		r.Applied, r.Failed, r.EndedAt, r.ApprovedBy = 15, 1, now.Add(-9*time.Minute), "ben"
	case directory.RunFailed:
		r.EndedAt = now.Add(-9 * time.Minute)
		r.Error = &directory.Problem{Code: "admin-role-lost", Message: "The admin who authorised has lost the role.", Next: "Give it back.", MicrosoftCode: "Authorization_RequestDenied", RequestID: "8f3c"}
	case directory.RunPlanned:
		r.DryRun, r.EndedAt = true, now.Add(-9*time.Minute)
	}
	return r
}

// itsChanges are the changes of aRun.
func itsChanges(state directory.ChangeState) page[directory.Change] {
	var p page[directory.Change]
	for i := range 14 {
		p.Items = append(p.Items, directory.Change{ID: directory.ChangeID(fmt.Sprintf("run_1.0.%d", i)), UserID: directory.UserID(fmt.Sprintf("usr_%d", i)), UserPrincipalName: fmt.Sprintf("user%d@contoso.example", i),
			Department: "Engineering", Effect: directory.EffectBlock, Reason: "blocked because the user is suspended in the directory", State: state,
			Properties: []directory.PropertyChange{{Name: "accountEnabled", Before: directory.BoolValue(true), After: directory.BoolValue(false)}}})
	}
	for i := range 2 {
		p.Items = append(p.Items, directory.Change{ID: directory.ChangeID(fmt.Sprintf("run_1.1.%d", i)), UserPrincipalName: fmt.Sprintf("zo%d@contoso.example", i), Effect: directory.EffectRename, State: state,
			Reason: "renamed because the address changed", Irreversible: "The old address stays as a proxy address.",
			Properties: []directory.PropertyChange{
				{Name: "userPrincipalName", Before: directory.StringValue("zo@contoso.example"), After: directory.StringValue("zoe@contoso.example")},
				{Name: "mail", Before: directory.StringValue("zo@contoso.example"), After: directory.StringValue("zoe@contoso.example")},
				{Name: "department", Before: directory.Null, After: directory.StringValue("Sales")}}})
	}
	return p
}

// selects reports whether a filter of /v1 selects a change: by its effect, and by its place.
func selects(q url.Values, c *directory.Change) bool {
	if want := q.Get("effect"); want != "" && want != string(c.Effect) {
		return false
	}
	if !q.Has("place") {
		return true
	}
	chosen, ok := parseChoice(strings.ReplaceAll(q.Get("place"), ",", "_"))
	p, named := placeOf(runID, c.ID)
	return ok && named && chosen[p]
}

// runWorld is a world with one run of a connection.
func runWorld(t *testing.T, state directory.RunState, scopes ...string) *world {
	t.Helper()
	w := signed(t, scopes...)
	changed := directory.ChangePlanned
	if state == directory.RunDone {
		changed = directory.ChangeApplied
	}
	all := itsChanges(changed)
	w.tell(map[string]any{
		"GET /v1/runs/run_1": aRun(w.now, state),
		"GET /v1/runs/run_1/changes": func(r *http.Request) any {
			got := page[directory.Change]{}
			q := r.URL.Query()
			for _, c := range all.Items {
				if selects(q, &c) {
					got.Items = append(got.Items, c)
				}
			}
			if q.Get("next") == "two" {
				got.Items = got.Items[8:]
			} else if q.Get("limit") == strconv.Itoa(changesPerPage) && len(got.Items) > 8 {
				got.Items, got.Next = got.Items[:8], "two"
			}
			return got
		},
		"GET /v1/runs/run_1/counts": func(r *http.Request) any {
			n := selection{Effects: map[directory.Effect]int{}, Irreversible: map[directory.Effect]int{}}
			for _, c := range all.Items {
				if selects(r.URL.Query(), &c) {
					n.Changes++
					n.Effects[c.Effect]++
					if c.Irreversible != "" {
						n.Irreversible[c.Effect]++
					}
				}
			}
			return n
		},
		"GET /v1/attention": func(r *http.Request) any { return needs(w.now, state) },
		"GET /v1/runs/run_1/parts": parts{
			Departments: []part{{"Engineering", map[directory.Effect]int{directory.EffectBlock: 11}}, {"", map[directory.Effect]int{directory.EffectBlock: 3, directory.EffectRename: 2}}},
			Domains:     []part{{"contoso.example", map[directory.Effect]int{directory.EffectBlock: 14}}}},
		"GET /v1/connections/con_1":          contoso(w.now),
		"GET /v1/connections/con_1/runs":     page[directory.Run]{Items: []directory.Run{aRun(w.now, state), aRun(w.now, directory.RunDone)}},
		"GET /v1/connections/con_1/problems": causes{Items: []cause{{Code: "paused-leaver", Message: "The account of a leaver stays enabled.", Next: "Resume it.", Users: 2}}},
		"GET /v1/connections/con_1/health":   health{CheckedAt: new(w.now.Add(-time.Hour)), Healthy: new(false), Findings: []finding{{Code: "domain-lost", Severity: "critical", Subject: "old.example", Evidence: "The tenant has lost the domain.", Consequence: "Nobody there is written.", Next: "Verify it again.", Values: map[string]any{"domain": "old.example", "on": "2026-03-01"}}}},
		"GET /v1/connections":                page[connection]{Items: []connection{contoso(w.now)}},
	})
	w.tell(people(w.now))
	w.tell(sources(w.now))
	w.tell(map[string]any{"GET /v1/me": map[string]any{"subject": "ada", "client": "console", "scopes": w.scopes}, "GET /v1/openapi.json": map[string]string{"openapi": "3.1.0"}})
	for i := range 14 { // whom the changes are about
		of := fmt.Sprintf("GET /v1/users/usr_%d", i)
		if _, there := w.answers[of]; !there {
			w.tell(map[string]any{of: ann(w.now), of + "/bindings": page[userBinding]{}, of + "/groups": page[userGroup]{}})
		}
		w.tell(map[string]any{of + "/explain": w.answers["GET /v1/users/usr_1/explain"]})
	}
	return w
}

// needs are what /v1 says needs somebody at the connection of runWorld.
func needs(now time.Time, state directory.RunState) attention {
	of := func(n needed) needed { n.ConnectionID, n.ConnectionName = "con_1", "Contoso"; return n }
	a := attention{Connections: 1, Counts: map[string]int{}}
	if state == directory.RunHeld {
		a.Items = append(a.Items, of(needed{Kind: "held-run", Urgency: urgencyDecide, RunID: runID, Since: now.Add(-10 * time.Minute), AskedBy: "ada",
			Message: "14 changes of the effect block are more than the 5 allowed.", Next: "Look at its changes.", Counts: aRun(now, state).Counts}))
	}
	a.Items = append(a.Items,
		of(needed{Kind: "finding", Urgency: urgencyBroken, Code: "domain-lost", Subject: "old.example", Values: map[string]any{"domain": "old.example", "on": "2026-03-01"}, Message: "The tenant has lost the domain. Nobody there is written.", Next: "Verify it again.", Since: now.Add(-time.Hour)}),
		of(needed{Kind: "problem", Urgency: urgencyBroken, Code: "paused-leaver", Message: "The account of a leaver stays enabled.", Next: "Resume it.", Since: now.Add(-time.Hour), Count: 2}))
	for _, n := range a.Items {
		a.Counts[n.Urgency]++
	}
	return a
}

// ann is a user whom Active Directory brings, but for the job title.
func ann(now time.Time) directory.User {
	u := directory.User{ID: "usr_1", Source: directory.SourceAD, Created: now.Add(-90 * 24 * time.Hour), Updated: now.Add(-time.Hour), Version: 7,
		Owners: map[string]directory.Source{"department": directory.SourceAD, "jobTitle": directory.SourceManual}}
	u.Email, u.UserName, u.GivenName, u.FamilyName, u.Department, u.JobTitle, u.State = "ann@contoso.example", "ann@contoso.example", "Ann", "Example", "Sales", "Head of Sales", directory.StateActive
	u.Phones.Work, u.ManagerID, u.CustomAttributes = "+49 30 1234", "usr_2", map[string]string{"badge": "7"}
	return u
}

// sales is a group that a connection uses.
func sales(now time.Time) directory.Group {
	x := directory.Group{ID: "grp_1", Source: directory.SourceManual, Created: now.Add(-time.Hour), Updated: now.Add(-time.Hour), Version: 3, MembersVersion: 4, Members: 2, UsedBy: []directory.ConnectionID{"con_1"}}
	x.Name, x.Description = "Sales", "Who sells"
	return x
}

// people are what /v1 has of users, accounts, members, jobs and what was done.
func people(now time.Time) map[string]any {
	deleted := ann(now)
	deleted.ID, deleted.Deleted = "usr_9", new(now.Add(-24*time.Hour))
	b := binding{UserID: "usr_1", ConnectionID: "con_1", UserPrincipalName: "ann@contoso.example", Status: directory.BindingFailed, LastWrite: now.Add(-time.Hour),
		Problem: &directory.Problem{Code: "address-in-use", Message: "Another object has the address.", Next: "Take it away there.", MicrosoftCode: "ObjectConflict"}}
	paused := binding{UserID: "usr_2", ConnectionID: "con_1", Status: directory.BindingPaused, Created: true}
	waits := binding{UserID: "usr_3", ConnectionID: "con_1", UserPrincipalName: "cy@contoso.example", Status: directory.BindingPending, ExpectedBy: now.Add(4 * time.Minute), Release: directory.ReleaseBlock}
	var e explanation
	e.Bound = true
	e.Summary = "The next run would write the job title."
	e.Address.Email, e.Address.Mapped, e.Address.DomainMap = "ann@contoso.example", "ann@m365.contoso.example", "contoso.example"
	e.Account.State, e.Account.UserPrincipalName, e.Account.MatchedBy = "bound", "ann@m365.contoso.example", "id"
	e.Protection.Protected, e.Protection.Reason = true, "holds a directory role"
	if err := json.Unmarshal([]byte(`[{"name":"jobTitle","rule":"by setting","desired":"Head of Sales","base":"Sales","observed":"Sales","outcome":"write","reason":"edited"},
		{"name":"mail","rule":"always","desired":"ann@contoso.example","base":"ann@contoso.example","observed":null,"outcome":"kept","note":"of the address"}]`), &e.Attributes); err != nil {
		panic(err)
	}
	e.Decision.Status = directory.BindingPending
	e.Decision.Changes = itsChanges(directory.ChangePlanned).Items[:1]
	e.Guard.Held = &directory.Held{Reasons: []string{"Every run waits."}}
	j := job{Job: directory.Job{ID: "job_1", Kind: directory.JobImport, ConnectionID: "con_1", State: directory.JobRunning, Done: 120, RefusedCount: 1, Counts: map[string]int{"created": 119}, AskedBy: "ada", Created: now.Add(-time.Minute),
		Notes: []directory.JobNote{{Name: "bo@contoso.example", Warning: directory.Warning{Code: "text-tidied", Detail: "White space was taken out."}}}},
		Total: new(200), Refused: []directory.RefusedItem{{Name: "guest@elsewhere.example", Code: "guest", Detail: "Guests are not imported."}}}
	did := page[entry]{Items: []entry{
		{ID: "a", At: now.Add(-time.Hour), Kind: "change", RunID: runID, UserID: "usr_1", UserPrincipalName: "ann@contoso.example", Effect: directory.EffectUpdate, State: directory.ChangeApplied, RequestID: "8f3c", By: "ada", ApprovedBy: "ben",
			Properties: []directory.PropertyChange{{Name: "department", Before: directory.StringValue("Sales"), After: directory.StringValue("Research")}}},
		{ID: "b", At: now.Add(-2 * time.Hour), Kind: "edit-user", UserID: "usr_1", By: "ada", Reason: "edited department", Source: directory.SourceSCIM, APIRequestID: "r-7", JobID: "job_1"},
		{ID: "c", At: now.Add(-3 * time.Hour), Kind: "add-members", GroupIDs: []directory.GroupID{"grp_1"}, ConnectionID: "con_1", By: "ada"}}}
	return map[string]any{
		"GET /v1/names": func(r *http.Request) any {
			list := names{}
			for id := range strings.SplitSeq(r.URL.Query().Get("id"), ",") {
				switch kind, rest, _ := strings.Cut(id, "_"); kind {
				case "usr":
					list[id] = "Ann " + rest
				case "grp":
					list[id] = map[string]string{"1": "Sales", "2": "EMEA"}[rest]
				case "con":
					list[id] = "Contoso"
				case "scl":
					list[id] = "Okta"
				}
			}
			return named{list}
		},
		"GET /v1/users": func(r *http.Request) any {
			switch q := r.URL.Query(); {
			case q.Get("id") != "":
				var p page[directory.User]
				for id := range strings.SplitSeq(q.Get("id"), ",") {
					u := ann(now)
					u.ID, u.DisplayName, u.Email = directory.UserID(id), "Ann "+strings.TrimPrefix(id, "usr_"), id+"@contoso.example"
					p.Items = append(p.Items, u)
				}
				return p
			case q.Get("email") != "":
				if q.Get("email") == "ann@contoso.example" {
					return page[directory.User]{Items: []directory.User{ann(now)}}
				}
				return page[directory.User]{}
			case q.Get("text") == "many":
				return crowd(now, q.Get("next"), 260)
			case q.Get("text") == "crowd":
				return crowd(now, q.Get("next"), 6000)
			case q.Get("deleted") == "true":
				return page[directory.User]{Items: []directory.User{deleted}}
			case q.Get("text") == "nobody":
				return page[directory.User]{}
			case q.Get("text") == "far":
				return page[directory.User]{Next: "on"}
			}
			u := listedUser{User: ann(now)}
			if r.URL.Query().Get("include") == "binding" {
				u.Binding = &boundTo{"con_1", "Contoso", directory.BindingInSync}
			}
			return page[listedUser]{Items: []listedUser{u}, Next: "on"}
		},
		"GET /v1/users:count": map[string]int{"users": 104217},
		"GET /v1/users/usr_1": ann(now), "GET /v1/users/usr_2": ann(now), "GET /v1/users/usr_3": ann(now), "GET /v1/users/usr_9": deleted,
		"GET /v1/users/usr_1/bindings": page[userBinding]{Items: []userBinding{{binding: b, ConnectionName: "Contoso"}}}, "GET /v1/users/usr_9/bindings": page[userBinding]{},
		"GET /v1/users/usr_2/bindings": page[userBinding]{}, "GET /v1/users/usr_3/bindings": page[userBinding]{},
		"GET /v1/users/usr_1/groups": page[userGroup]{Items: []userGroup{{GroupID: "grp_1", Name: "Sales", Direct: true}}}, "GET /v1/users/usr_9/groups": page[userGroup]{},
		"GET /v1/users/usr_2/groups": page[userGroup]{}, "GET /v1/users/usr_3/groups": page[userGroup]{},
		"GET /v1/users/usr_1/explain": e,
		"GET /v1/activity":            did,
		"GET /v1/activity/summary":    map[string]any{"items": []dayOf{{day{"2026-11-27", map[directory.Effect]map[directory.ChangeState]int{directory.EffectUpdate: {directory.ChangeApplied: 1200, directory.ChangeFailed: 3}}}, "con_1"}, {day{Day: "2026-11-28"}, "con_1"}}},
		"GET /v1/connections/con_1/audit": auditReport{Counts: map[string]int{"both": 1, "microsoft": 1}, Advice: []string{"Look at it."}, Items: []audited{
			{Match: "both", At: now, Entry: &did.Items[0], Events: []directory.DirectoryAudit{{Activity: "Update user", Result: "success", ByUser: &directory.UserIdentity{UserPrincipalName: "admin@contoso.example"}}}}, {Match: "microsoft", At: now, Events: []directory.DirectoryAudit{{Activity: "Delete user"}}}}},
		"GET /v1/connections/con_1/tenant-groups": page[tenantGroup]{Items: []tenantGroup{{ID: "t-1", DisplayName: "Sales", Kind: "security", Verdict: "same-name", Adoptable: true, Detail: "A group of the directory has its name.", GroupID: "grp_1", GroupName: "Sales"}, {ID: "t-2", DisplayName: "All", Kind: "security", Verdict: "dynamic", Detail: "Microsoft decides who is in it."}}},
		"GET /v1/groups": func(r *http.Request) any {
			if name := r.URL.Query().Get("name"); name != "" && name != "Sales" {
				return page[directory.Group]{}
			}
			return page[directory.Group]{Items: []directory.Group{sales(now)}}
		}, "GET /v1/groups/grp_1": sales(now), "GET /v1/groups/grp_2": sales(now), "GET /v1/groups/grp_2/members": page[member]{},
		"GET /v1/groups/grp_1/groups": page[userGroup]{Items: []userGroup{{GroupID: "grp_2", Name: "EMEA", Path: []struct {
			Name string `json:"name"`
		}{{"Sales"}, {"EMEA"}}}}}, "GET /v1/groups/grp_2/groups": page[userGroup]{},
		"GET /v1/groups/grp_1/uses": page[groupUse]{Items: []groupUse{{ConnectionID: "con_1", GroupID: "grp_1", Select: &directory.SelectRule{}}, {ConnectionID: "con_1", GroupID: "grp_1", Ending: true}}}, "GET /v1/groups/grp_2/uses": page[groupUse]{},
		"GET /v1/groups/grp_1/members": page[member]{Items: []member{{Type: directory.MemberGroup, ID: "grp_2", Name: "EMEA", Added: now.Add(-time.Hour)}, {Type: directory.MemberUser, ID: "usr_1", Name: "Ann Example", Email: "ann@contoso.example", Source: directory.SourceAD, GroupID: "grp_2"}}},
		"GET /v1/connections/con_1/groups": page[groupUse]{Items: []groupUse{{GroupID: "grp_1", Select: &directory.SelectRule{}, Export: &directory.ExportRule{Kind: directory.ExportSecurity, Members: directory.MembersExact}, Licences: []directory.LicenceRule{{SKU: "SPE_E3"}},
			Lacking: []directory.Permission{{Scope: "Group.ReadWrite.All", For: "exports", Without: "No group is exported."}}}, {GroupID: "grp_2", Ending: true}}},
		"GET /v1/connections/con_1/groups/grp_1": groupUse{GroupID: "grp_1", Select: &directory.SelectRule{}, Export: &directory.ExportRule{Kind: directory.ExportSecurity}},
		"GET /v1/connections/con_1/licences":     map[string]any{"products": []product{{Name: "Microsoft 365 E3", PartNumber: "SPE_E3", Assignable: true, Given: 7}}},
		"GET /v1/connections/con_1/protection": map[string]any{"accounts": []any{map[string]any{"accountId": "5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", "userPrincipalName": "root@contoso.example", "reason": "holds a role"},
			map[string]any{"accountId": "a-2", "reason": "named by the settings", "lifted": map[string]any{"until": now.Add(time.Hour), "by": "ben", "reason": "repair"}}}, "unread": "Groups with roles cannot be read."},
		"GET /v1/jobs":                                     page[job]{Items: []job{j}},
		"GET /v1/jobs/job_1":                               j,
		"GET /v1/connections/con_1/bindings":               page[binding]{Items: []binding{b, paused, waits}, Next: "on"},
		"GET /v1/connections/con_1/problems/paused-leaver": page[affected]{Items: []affected{{UserID: "usr_1", Status: directory.BindingPaused, Problem: directory.Problem{Code: "paused-leaver", Message: "Stays enabled."}}}},
		"GET /v1/connections/con_1/accounts": page[candidate]{Items: []candidate{
			{ID: "a-1", UserPrincipalName: "dee@contoso.example", DisplayName: "Dee", Enabled: true, Verdict: "new", Writes: []directory.PropertyChange{{Name: "department", Before: directory.Null, After: directory.StringValue("Sales")}}},
			{ID: "a-2", UserPrincipalName: "ann@contoso.example", Verdict: "bound", UserID: "usr_1"},
			{ID: "a-3", UserPrincipalName: "admin@contoso.example", Enabled: true, Verdict: "excluded", Detail: "The account is protected."}}},
	}
}

// crowd is a page of up to 500 of so many users.
func crowd(now time.Time, next string, of int) page[directory.User] {
	var p page[directory.User]
	from, _ := strconv.Atoi(next)
	for i := from; i < of && i < from+500; i++ {
		u := ann(now)
		u.ID, u.Email, u.DisplayName = directory.UserID(fmt.Sprintf("usr_c%d", i)), fmt.Sprintf("c%d@contoso.example", i), fmt.Sprintf("Cy %d", i)
		switch i % 10 {
		case 0:
			u.State = directory.StateSuspended
		case 1:
			u.Owners = map[string]directory.Source{"state": directory.SourceAD}
		}
		p.Items = append(p.Items, u)
	}
	if from+500 < of {
		p.Next = strconv.Itoa(from + 500)
	}
	return p
}

// mostCalls is from how many answers of /v1 a page is made, what stands in its frame
// among them. The names of what has only an ID elsewhere may cost two more, one for users
// and one for groups.
const mostCalls = 4

// searching are the pages that go on by themselves where one call of /v1 looks at so many
// users: a search that has found nothing yet up to ten calls, and whom a filter means, before
// something is done with all of them.
var searching = map[string]bool{"users-search-on": true, "many-too-many": true}

// goldenPage is a page in one of its states: what /v1 tells for it, and its status.
type goldenPage struct {
	state directory.RunState
	path  string
	tell  func(w *world) map[string]any
	code  int
}

// world is one in which the page is as it is to be looked at.
func (p goldenPage) world(t *testing.T) *world {
	t.Helper()
	w := runWorld(t, p.state)
	if p.tell != nil {
		w.tell(p.tell(w))
	}
	return w
}

// goldenPages are all pages in all states, by the names of their golden files.
func goldenPages() map[string]goldenPage {
	const at = "/console/runs/run_1"
	return map[string]goldenPage{
		"home-first": {directory.RunDone, "/console", func(*world) map[string]any { return map[string]any{"GET /v1/connections": page[connection]{}} }, 200},
		"home-held":  {directory.RunHeld, "/console", nil, 200},
		"home-quiet": {directory.RunDone, "/console", quiet, 200},
		"home-late": {directory.RunDone, "/console", func(*world) map[string]any {
			return map[string]any{"GET /v1/attention": problem{Status: 503}, "GET /v1/activity/summary": problem{Status: 503}}
		}, 200},
		"problems-named": {directory.RunDone, "/console/connections/con_1/problems", namedProblems, 200},
		"home-more":      {directory.RunHeld, "/console", attentive, 200},
		"home-broken":    {directory.RunHeld, "/console?urgency=broken", attentive, 200},
		"home-waiting": {directory.RunHeld, "/console?urgency=waiting&next=two", func(*world) map[string]any {
			return map[string]any{"GET /v1/attention": attention{Connections: 25, Next: "three"}}
		}, 200},
		"home-asked":       {directory.RunDone, "/console", pending, 200},
		"home-to-import":   {directory.RunDone, "/console", toImport, 200},
		"home-to-confirm":  {directory.RunDone, "/console", toConfirm, 200},
		"connections":      {directory.RunDone, "/console/connections", nil, 200},
		"connections-none": {directory.RunDone, "/console/connections", func(*world) map[string]any { return map[string]any{"GET /v1/connections": page[connection]{}} }, 200},
		"connection":       {directory.RunHeld, "/console/connections/con_1", nil, 200},
		"connection-late": {directory.RunHeld, "/console/connections/con_1", func(*world) map[string]any {
			return map[string]any{"GET /v1/connections/con_1/problems": problem{Status: 504}}
		}, 200},
		"connection-domains": {directory.RunDone, "/console/connections/con_1", func(w *world) map[string]any {
			c := contoso(w.now)
			c.Settings.Mode, c.SettingsBy = directory.ModeApprove, "ben"
			c.Confirmation = &struct {
				By string    `json:"by"`
				At time.Time `json:"at"`
			}{"ben", w.now.Add(-time.Hour)}
			c.Tenant.Offered = []directory.Domain{{Name: "new.example"}}
			c.Tenant.Domains = append(c.Tenant.Domains, directory.Domain{Name: "old.example", LostSince: w.now.Add(-time.Hour)})
			return map[string]any{"GET /v1/connections/con_1": c, "GET /v1/connections/con_1/problems": causes{Items: []cause{{Code: "x", Message: "It fails.", Users: 3, Statuses: map[directory.BindingStatus]int{directory.BindingFailed: 2, directory.BindingConflict: 1}}}}}
		}, 200},
		"connection-ended": {directory.RunDone, "/console/connections/con_1", func(w *world) map[string]any {
			c := contoso(w.now)
			c.Status, c.Deactivation = directory.StatusDeactivated, &directory.Deactivation{By: "ben", At: w.now.Add(-time.Hour), Reason: "sold"}
			return map[string]any{"GET /v1/connections/con_1": c}
		}, 200},
		"connection-gone": {directory.RunHeld, "/console/connections/con_2", nil, 404},
		"runs":            {directory.RunHeld, "/console/connections/con_1/runs", nil, 200},
		"run-planning": {directory.RunPlanning, at, func(*world) map[string]any {
			return map[string]any{"GET /v1/runs/run_1/changes": page[directory.Change]{}}
		}, 200},
		"run-held":         {directory.RunHeld, at, nil, 200},
		"run-held-second":  {directory.RunHeld, at + "?s=0.1-2&next=two", nil, 200},
		"run-filtered":     {directory.RunHeld, at + "?effect=rename", nil, 200},
		"run-applying":     {directory.RunApplying, at, nil, 200},
		"run-waiting":      {directory.RunWaiting, at, nil, 200},
		"run-planned":      {directory.RunPlanned, at, nil, 200},
		"run-done":         {directory.RunDone, at, nil, 200},
		"run-failed":       {directory.RunFailed, at, nil, 200},
		"run-unplanned":    {directory.RunFailed, at, unplanned(directory.RunFailed), 200},
		"run-compared":     {directory.RunHeld, at + "?open=0.1", nil, 200},
		"run-plan-compare": {directory.RunPlanned, at + "?open=0.1&s=", nil, 200},
		"run-decided":      {directory.RunDone, at, decided, 200},
		"run-wave":         {directory.RunHeld, at, stoppedByWave, 200},
		"run-waves":        {directory.RunApplying, at, inWaves, 200},
		"approve-dropped":  {directory.RunHeld, at + "/approve?what=filter&effect=update", adopting, 200},
		"approve-vast":     {directory.RunHeld, at + "/approve?what=all", vast, 200},
		"approve-wave":     {directory.RunHeld, at + "/approve?what=all", stoppedByWave, 200},
		"decline-wave":     {directory.RunHeld, at + "/decline", stoppedByWave, 200},
		"run-limits":       {directory.RunHeld, at, limited, 200},
		"run-texts":        {directory.RunHeld, at, longTexts, 200},
		"run-only-for":     {directory.RunDone, at, onlyFor, 200},
		"run-plan-some":    {directory.RunPlanned, at, someOf, 200},
		"run-what-if":      {directory.RunPlanned, at, whatIf, 200},
		"undo-many": {directory.RunDone, at + "/undo", func(*world) map[string]any {
			list := itsChanges(directory.ChangeApplied)
			list.Items[1].UserPrincipalName, list.Next = "", "more"
			return map[string]any{"GET /v1/runs/run_1/changes": list}
		}, 200},
		"run-undo-plan":    {directory.RunPlanned, at, leaves, 200},
		"run-late":         {directory.RunHeld, at, func(*world) map[string]any { return map[string]any{"GET /v1/runs/run_1/parts": problem{Status: 503}} }, 200},
		"approve-three":    {directory.RunHeld, at + "/approve?what=chosen&s=0.0-2", nil, 200},
		"approve-all":      {directory.RunHeld, at + "/approve?what=all", nil, 200},
		"approve-filter":   {directory.RunHeld, at + "/approve?what=filter&effect=rename", nil, 200},
		"approve-many":     {directory.RunHeld, at + "/approve?what=filter&department=Engineering", manyChanges, 200},
		"approve-sessions": {directory.RunHeld, at + "/approve?what=filter&effect=block", withSessions, 200},
		"approve-none":     {directory.RunHeld, at + "/approve?what=chosen", nil, 200},
		"decline":          {directory.RunHeld, at + "/decline", nil, 200},
		"undo":             {directory.RunDone, at + "/undo", nil, 200},
		"me-late":          {directory.RunDone, "/console/me", func(*world) map[string]any { return map[string]any{"GET /v1/me": problem{Status: 503}} }, 200},
		"me":               {directory.RunDone, "/console/me", nil, 200},
		"connect":          {directory.RunDone, "/console/connections/new", nil, 200},
		"connect-pending":  {directory.RunDone, "/console/connections/con_1", pending, 200},
		"connect-confirm":  {directory.RunDone, "/console/connections/con_1", toConfirm, 200},
		"end":              {directory.RunDone, "/console/connections/con_1/end", nil, 200},
		"accounts":         {directory.RunDone, "/console/connections/con_1/accounts", nil, 200},
		"members":          {directory.RunDone, "/console/connections/con_1/members", nil, 200},
		"bind-all":         {directory.RunDone, "/console/connections/con_1/bind?whom=all", nil, 200},
		"bind-previous":    {directory.RunDone, "/console/connections/con_1/bind?whom=previous", nil, 200},
		"import-all":       {directory.RunDone, "/console/connections/con_1/import", nil, 200},
		"import-bind-all":  {directory.RunDone, "/console/connections/con_1/import?bind=1", nil, 200},
		"remove":           {directory.RunDone, "/console/connections/con_1/remove", nil, 200},
		"bind":             {directory.RunDone, "/console/connections/con_1/bind", nil, 200},
		"release":          {directory.RunDone, "/console/connections/con_1/members/usr_1/release", nil, 200},
		"problems":         {directory.RunDone, "/console/connections/con_1/problems", nil, 200},
		"problem":          {directory.RunDone, "/console/connections/con_1/problems/paused-leaver", nil, 200},
		"health":           {directory.RunDone, "/console/connections/con_1/health", nil, 200},
		"users":            {directory.RunDone, "/console/users", nil, 200},
		"users-picked":     {directory.RunDone, "/console/users?s=1.x7&from=51&next=on", nil, 200},
		"users-no-more":    {directory.RunDone, "/console/users?text=nobody&next=on", nil, 200},
		"many-suspend":     {directory.RunDone, "/console/users/many?do=suspend&s=1.x7", nil, 200},
		"many-activate":    {directory.RunDone, "/console/users/many?do=activate&s=1.x7", nil, 200},
		"many-bind":        {directory.RunDone, "/console/users/many?do=bind&s=1.x7", nil, 200},
		"many-none":        {directory.RunDone, "/console/users/many?do=suspend", nil, 200},
		"many-filter":      {directory.RunDone, "/console/users/many?do=suspend&whom=filter&text=many", nil, 200},
		"many-staged": {directory.RunDone, "/console/users/many?do=suspend&s=1.x7", func(w *world) map[string]any {
			staged := ann(w.now)
			staged.ID, staged.State = "usr_x7", directory.StateStaged
			return map[string]any{"GET /v1/users": page[directory.User]{Items: []directory.User{ann(w.now), staged}}}
		}, 200},
		"many-unfit":       {directory.RunDone, "/console/users/many?do=suspend&whom=filter&text=%E2%80%8EBob", nil, 400},
		"many-too-many":    {directory.RunDone, "/console/users/many?do=suspend&whom=filter&text=crowd", nil, 200},
		"users-none-match": {directory.RunDone, "/console/users?text=nobody", nil, 200},
		"users-search-on":  {directory.RunDone, "/console/users?text=far", nil, 200},
		"users-deleted":    {directory.RunDone, "/console/users?deleted=true", nil, 200},
		"user":             {directory.RunDone, "/console/users/usr_1", nil, 200},
		"user-deleted":     {directory.RunDone, "/console/users/usr_9", nil, 200},
		"user-edit":        {directory.RunDone, "/console/users/usr_1/edit", nil, 200},
		"user-new":         {directory.RunDone, "/console/users/new", nil, 200},
		"user-delete":      {directory.RunDone, "/console/users/usr_1/delete", nil, 200},
		"user-explain-not-bound": {directory.RunDone, "/console/users/usr_1/explain?connection=con_2", func(*world) map[string]any {
			return map[string]any{"GET /v1/users/usr_1/explain": explanation{Summary: "The user is bound through another connection."}}
		}, 200},
		"user-explain-manager": {directory.RunDone, "/console/users/usr_1/explain?connection=con_1&about=manager", nil, 200},
		"user-late": {directory.RunDone, "/console/users/usr_1", func(w *world) map[string]any {
			return map[string]any{"GET /v1/users/usr_1/bindings": problem{Status: 503}, "GET /v1/activity": problem{Status: 403, Code: "missing-scope"}, "GET /v1/users/usr_1": shownUser{User: ann(w.now), ManagerGone: true}}
		}, 200},
		"user-explain": {directory.RunDone, "/console/users/usr_1/explain?connection=con_1", nil, 200},
		"groups":       {directory.RunDone, "/console/groups", nil, 200},
		"group":        {directory.RunDone, "/console/groups/grp_1", nil, 200},
		"group-nested": {directory.RunDone, "/console/groups/grp_1?nested=true", nil, 200},
		"group-above":  {directory.RunDone, "/console/groups/grp_1?show=above", nil, 200},
		"group-late": {directory.RunDone, "/console/groups/grp_1", func(w *world) map[string]any {
			return map[string]any{"GET /v1/groups/grp_1/uses": problem{Status: 503}, "GET /v1/connections": problem{Status: 503}, "GET /v1/groups/grp_1/members": page[member]{}}
		}, 200},
		"groups-none": {directory.RunDone, "/console/groups?text=x&source=ad", func(w *world) map[string]any { return map[string]any{"GET /v1/groups": page[directory.Group]{}} }, 200},
		"licences-counted": {directory.RunDone, "/console/connections/con_1/licences", func(w *world) map[string]any {
			p := product{Name: "Microsoft 365 E3", PartNumber: "SPE_E3", Status: "Warning", Detail: "The subscription has run out.", Assignable: true, Given: 7, Counted: &directory.LicenceTally{Ours: 7, Others: 3, Inherited: 2, OursDisabled: 1, AllDisabled: 4}}
			p.Waiting.Users, p.Waiting.Line = 3, []waitsForOne{{"usr_1", "Ann Example", w.now.Add(-time.Hour)}, {UserID: "usr_2"}}
			return map[string]any{"GET /v1/connections/con_1/licences": map[string]any{"products": []product{p}, "counted": map[string]any{"asOf": w.now.Add(-time.Hour), "accounts": 5012}, "moreWaiting": true}}
		}, 200},
		"group-edit":   {directory.RunDone, "/console/groups/grp_1/edit", nil, 200},
		"group-delete": {directory.RunDone, "/console/groups/grp_1/delete", nil, 200},
		"uses":         {directory.RunDone, "/console/connections/con_1/groups", nil, 200},
		"use":          {directory.RunDone, "/console/connections/con_1/groups/grp_1", nil, 200},
		"use-end":      {directory.RunDone, "/console/connections/con_1/groups/grp_1/end", nil, 200},
		"use-none":     {directory.RunDone, "/console/connections/con_1/groups/grp_2", nil, 200},
		"licences":     {directory.RunDone, "/console/connections/con_1/licences", nil, 200},
		"protection":   {directory.RunDone, "/console/connections/con_1/protection", nil, 200},
		"lift":         {directory.RunDone, "/console/connections/con_1/protection/5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", nil, 200},
		"jobs":         {directory.RunDone, "/console/jobs", nil, 200},
		"job-checked": {directory.RunDone, "/console/jobs/job_1?upload=upl_1&of=users&unknown=ignore", func(w *world) map[string]any {
			return map[string]any{"GET /v1/jobs/job_1": job{Job: directory.Job{ID: "job_1", Kind: directory.JobCheck, State: directory.JobDone, Done: 3, RefusedCount: 12_001, RefusedUnlisted: 2001, Counts: map[string]int{"created": 2}, Created: w.now.Add(-time.Minute), Ended: w.now, NotesCount: 1,
				Notes: []directory.JobNote{{Line: 2, Name: "bo@contoso.example", Warning: directory.Warning{Code: "text-tidied", Detail: "White space was taken out."}}},
				File:  &directory.LoadedFile{Format: "csv", Encoding: "windows-1252", Separator: "	", HeaderLine: 1, Export: "Okta", Columns: []directory.FileColumn{{Name: "E-Mail", Attribute: "email"}, {Name: "Shoe size", Ignored: "no attribute has this name"}}}},
				Total: new(3), Refused: []directory.RefusedItem{{Line: 3, Name: "bad@", Code: "invalid", Detail: "email: must be an address"}}}}
		}, 200},
		"job":     {directory.RunDone, "/console/jobs/job_1", nil, 200},
		"sources": {directory.RunDone, "/console/sources", nil, 200},
		"sources-none": {directory.RunDone, "/console/sources", func(*world) map[string]any {
			return map[string]any{"GET /v1/jobs": page[job]{}, "GET /v1/activity": page[entry]{}, "GET /v1/users": page[directory.User]{}, "GET /v1/scim-clients": page[scimClient]{}}
		}, 200},
		"sources-late": {directory.RunDone, "/console/sources", func(*world) map[string]any {
			return map[string]any{"GET /v1/jobs": problem{Status: 503}, "GET /v1/activity": problem{Status: 403}, "GET /v1/users": page[directory.User]{Next: "on"}}
		}, 200},
		"source":        {directory.RunDone, "/console/sources/scl_1", nil, 200},
		"source-paused": {directory.RunDone, "/console/sources/scl_2", nil, 200},
		"source-silent": {directory.RunDone, "/console/sources/scl_1", silent, 200},
		"source-scope":  {directory.RunDone, "/console/sources/scl_1", suspending, 200},
		"source-late": {directory.RunDone, "/console/sources/scl_1", func(*world) map[string]any {
			return map[string]any{"GET /v1/scim-clients/scl_1/requests": problem{Status: 503}, "GET /v1/scim-clients/scl_1/tokens": problem{Status: 504}}
		}, 200},
		"source-gone":     {directory.RunDone, "/console/sources/scl_9", nil, 404},
		"source-new":      {directory.RunDone, "/console/sources/new", nil, 200},
		"source-requests": {directory.RunDone, "/console/sources/scl_1/requests", nil, 200},
		"source-refused":  {directory.RunDone, "/console/sources/scl_1/requests?only=refused", nil, 200},
		"source-none-refused": {directory.RunDone, "/console/sources/scl_1/requests?only=refused", func(*world) map[string]any {
			return map[string]any{"GET /v1/scim-clients/scl_1/requests": page[directory.ScimRequest]{Next: "on"}}
		}, 200},
		"source-setup":    {directory.RunDone, "/console/sources/scl_1/setup", nil, 200},
		"source-waits":    {directory.RunDone, "/console/sources/scl_1/setup", silent, 200},
		"source-check":    {directory.RunDone, "/console/sources/scl_1/check", silent, 200},
		"source-settings": {directory.RunDone, "/console/sources/scl_1/settings", nil, 200},
		"source-token":    {directory.RunDone, "/console/sources/scl_1/token", nil, 200},
		"source-revoke":   {directory.RunDone, "/console/sources/scl_1/tokens/sct_1/revoke", nil, 200},
		"source-ended":    {directory.RunDone, "/console/sources/scl_1/tokens/sct_0/revoke", nil, 200},
		"source-delete":   {directory.RunDone, "/console/sources/scl_1/delete", nil, 200},
		"source-back":     {directory.RunDone, "/console/sources/scl_1/take-back?since=2026-11-28", nil, 200},
		"source-counting": {directory.RunDone, "/console/sources/scl_1/take-back?since=2026-11-28T08:00:00Z&job=job_2", counting(directory.JobRunning), 200},
		"source-counted":  {directory.RunDone, "/console/sources/scl_1/take-back?since=2026-11-28T08:00:00Z&job=job_2", counting(directory.JobDone), 200},
		"source-not-back": {directory.RunDone, "/console/sources/scl_1/take-back?since=2026-11-28T08:00:00Z&job=job_1", nil, 404},
		"run-pushed":      {directory.RunHeld, at, pushedRun, 200},
		"user-pushed":     {directory.RunDone, "/console/users/usr_1", pushedUser, 200},
		"activity-of-one": {directory.RunDone, "/console/activity?userId=usr_1&effect=edit-user&connectionId=con_7&runId=run_1", nil, 200},
		"activity":        {directory.RunDone, "/console/activity", nil, 200},
		"settings":        {directory.RunDone, "/console/connections/con_1/settings", nil, 200},
		"load":            {directory.RunDone, "/console/users/load", nil, 200},
		"audit":           {directory.RunDone, "/console/connections/con_1/audit", nil, 200},
		"proposals":       {directory.RunDone, "/console/connections/con_1", proposals, 200},
		"proposal":        {directory.RunDone, "/console/connections/con_1/proposals/p-1", proposals, 200},
		"proposal-lift":   {directory.RunDone, "/console/connections/con_1/proposals/p-2", proposals, 200},
		"home-proposals":  {directory.RunDone, "/console", proposals, 200},
		"tenant-groups":   {directory.RunDone, "/console/connections/con_1/tenant-groups", nil, 200},
		"password":        {directory.RunDone, "/console/users/usr_1/password", nil, 200},
		"move":            {directory.RunDone, "/console/users/usr_1/move", nil, 200},
		"search":          {directory.RunDone, "/console/search?text=ann@contoso.example", nil, 200},
		"search-contoso":  {directory.RunDone, "/console/search?text=Contoso", nil, 200},
		"search-nobody":   {directory.RunDone, "/console/search?text=nobody", nil, 200},
		"search-empty":    {directory.RunDone, "/console/search", nil, 200},
		"search-too-long": {directory.RunDone, "/console/search?text=" + strings.Repeat("x", 201), nil, 400},
		"search-late": {directory.RunDone, "/console/search?text=ann", func(*world) map[string]any {
			return map[string]any{"GET /v1/users": problem{Status: 503}}
		}, 200},
		"settings-written": {directory.RunDone, "/console/connections/con_1/settings?part=properties", nil, 200},
		"settings-guard":   {directory.RunDone, "/console/connections/con_1/settings?part=guard", nil, 200},
		"refused": {directory.RunDone, "/console/connections", func(*world) map[string]any {
			return map[string]any{"GET /v1/connections": problem{Status: 500, Code: "internal", Detail: "It could not be answered.", NextStep: "Try again.", Incident: "inc-1"}}
		}, 500},
	}
}

// Each page in each state is as it was looked at, in English; and sound in both languages.
func TestGoldenPages(t *testing.T) {
	t.Parallel()
	for name, tt := range goldenPages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tt.world(t)
			w.read()
			a := w.get(tt.path)
			if a.code != tt.code {
				t.Errorf("answered %d, want %d", a.code, tt.code)
			}
			if reads := w.read(); !searching[name] && len(reads) > mostCalls {
				t.Errorf("the page costs %d calls: %v", len(reads), reads)
			}
			a.sound(name)
			a.golden(name)
			other := w.send(http.MethodGet, tt.path, nil, "Accept-Language", "de-DE,de;q=0.9")
			other.sound(name + " in German")
			if !strings.Contains(other.body, `<html lang="de">`) {
				t.Error("not in German")
			}
			if len(w.told()) > 0 {
				t.Errorf("looking at a page calls %v", w.told())
			}
		})
	}
}

// What the doctor found is told in the page's language wherever it is told.
func TestFindingsInGerman(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.tell(sources(w.now))
	for path, says := range map[string][]string{
		"/console":                          {"Die Domäne <strong>", "festgestellt am <time", "Bestätigen Sie die Domäne im Mandanten erneut."},
		"/console/connections/con_1":        {"Die Domäne <strong>", "festgestellt am <time", "Bestätigen Sie die Domäne im Mandanten erneut."},
		"/console/connections/con_1/health": {"Die Domäne <strong>", "festgestellt am <time", "Bestätigen Sie die Domäne im Mandanten erneut."},
		"/console/sources/scl_1":            {"läuft am <time", "Erstellen Sie ein weiteres Token"},
	} {
		page := w.send(http.MethodGet, path, nil, "Accept-Language", "de")
		for _, s := range says {
			if !strings.Contains(page.body, s) {
				t.Errorf("%s does not say %q", path, s)
			}
		}
		for _, s := range []string{"The tenant has lost the domain", "The token that the client uses"} {
			if strings.Contains(page.body, s) {
				t.Errorf("%s says %q", path, s)
			}
		}
	}
}

func proposals(w *world) map[string]any {
	c := contoso(w.now)
	c.Settings.FourEyes = true
	c.Proposals = []proposal{
		{directory.Proposal{ID: "p-1", Kind: directory.ProposalSettings, By: "ben", At: w.now.Add(-time.Hour), Expires: w.now.Add(71 * time.Hour), Loosens: []string{"guard.block", "onDelete"},
			Settings: &directory.Settings{FourEyes: true, OnDelete: "delete", Guard: map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: new(500)}}}}, false},
		{directory.Proposal{ID: "p-2", Kind: directory.ProposalLift, By: "ada", At: w.now.Add(-time.Hour), Expires: w.now.Add(71 * time.Hour), Lift: &directory.ProposedLift{AccountID: "a-1", Minutes: 30, Reason: "repair"}}, false},
		{directory.Proposal{ID: "p-3", Kind: directory.ProposalSettings, By: "ben", At: w.now, Expires: w.now.Add(time.Hour), Loosens: []string{"mode"}}, true}}
	proposed := needed{Kind: "proposal", Urgency: urgencyDecide, ConnectionID: "con_1", ConnectionName: "Contoso", AskedBy: "ben", Message: "ben proposes to loosen guard.block, onDelete.", Since: w.now.Add(-time.Hour), Until: w.now.Add(71 * time.Hour)}
	bens := c.Proposals[1]
	bens.By = "ben"
	return map[string]any{"GET /v1/connections/con_1": c, "GET /v1/connections": page[connection]{Items: []connection{c}},
		"GET /v1/connections/con_1/proposals/p-1": c.Proposals[0], "GET /v1/connections/con_1/proposals/p-2": bens,
		"GET /v1/attention": attention{Items: []needed{proposed}, Counts: map[string]int{urgencyDecide: 1}, Connections: 1}}
}

// decided is a run that somebody asked for and others decided about, with their reasons.
func decided(w *world) map[string]any {
	r := aRun(w.now, directory.RunDone)
	r.AskedBy, r.Reason, r.Trigger = "cy", "Reorganisation of EMEA", directory.TriggerAdmin
	r.EditedBy = []string{"ada", "dee"}
	r.Decisions = []directory.RunDecision{{Kind: directory.AuditApproveRun, By: "ben", At: w.now.Add(-20 * time.Minute), Reason: "HR confirmed the fourteen"}, {Kind: directory.AuditCancelRun, By: "ada", At: w.now.Add(-9 * time.Minute)}}
	return map[string]any{"GET /v1/runs/run_1": r}
}

// unplanned is a run that has ended without a plan.
func unplanned(state directory.RunState) func(w *world) map[string]any {
	return func(w *world) map[string]any {
		r := aRun(w.now, state)
		r.Counts, r.Applied, r.Failed, r.EndedAt = map[directory.Effect]int{}, 0, 0, w.now
		return map[string]any{"GET /v1/runs/run_1": r, "GET /v1/runs/run_1/changes": page[directory.Change]{}}
	}
}

// adopting is a run whose updates follow from adoptions.
func adopting(w *world) map[string]any {
	r := aRun(w.now, directory.RunHeld)
	r.Counts = map[directory.Effect]int{directory.EffectAdopt: 3, directory.EffectUpdate: 5}
	return map[string]any{"GET /v1/runs/run_1": r, "POST /v1/runs/run_1/approve": nil,
		"GET /v1/runs/run_1/changes": func(r *http.Request) any {
			p := page[directory.Change]{}
			for i, e := range []directory.Effect{directory.EffectAdopt, directory.EffectUpdate, directory.EffectAdopt, directory.EffectUpdate, directory.EffectAdopt, directory.EffectUpdate, directory.EffectUpdate, directory.EffectUpdate} {
				c := directory.Change{ID: directory.ChangeID(fmt.Sprintf("run_1.0.%d", i)), UserPrincipalName: fmt.Sprintf("user%d@contoso.example", i), Effect: e, State: directory.ChangePlanned}
				if selects(r.URL.Query(), &c) {
					p.Items = append(p.Items, c)
				}
			}
			return p
		},
		"GET /v1/runs/run_1/counts": func(r *http.Request) any {
			switch q := r.URL.Query(); {
			case q.Get("effect") == "update":
				return selection{Of: 8, Changes: 5, Effects: map[directory.Effect]int{directory.EffectUpdate: 5}, Irreversible: map[directory.Effect]int{directory.EffectUpdate: 1},
					Written: &written{Changes: 2, Effects: map[directory.Effect]int{directory.EffectUpdate: 2}}}
			case q.Get("place") == "0.1":
				return selection{Of: 8, Changes: 1, Effects: map[directory.Effect]int{directory.EffectUpdate: 1}, Written: &written{}}
			}
			return selection{Of: 8, Changes: 8, Effects: map[directory.Effect]int{directory.EffectAdopt: 3, directory.EffectUpdate: 5}, Written: &written{Changes: 8, Effects: map[directory.Effect]int{directory.EffectAdopt: 3, directory.EffectUpdate: 5}}}
		}}
}

// The button says how many changes are written: what follows from a declined one is not.
func TestApproveWhatIsWritten(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	w.tell(adopting(w))
	const at = "/console/runs/run_1/approve"
	w.get(at+"?what=filter&effect=update").has("Approve 2 of 8", "Update 2 accounts", "3 of those chosen are not written", "6 others are declined", "also what is not written")
	w.get(at + "?what=all").has("Approve 8 of 8")
	w.get(at+"?what=chosen&s=0.1").has("Nothing is chosen", "1 of those chosen is not written")
	if a := w.post(at, "what", "chosen", "s", "0.1", "count", "1"); a.code != http.StatusOK || len(w.told()) > 0 {
		t.Errorf("approved an update without its adoption: %d", a.code)
	}
	if a := w.post(at, "what", "filter", "effect", "update", "count", "5"); a.code != http.StatusUnprocessableEntity || len(w.told()) > 0 {
		t.Errorf("approved more than is written: %d", a.code)
	}
	a := w.post(at, "what", "filter", "effect", "update", "count", "2")
	if !slices.Equal(w.told(), []string{`POST /v1/runs/run_1/approve {"where":{"effect":["update"]}}`}) {
		t.Errorf("not approved: %d", a.code)
	}
	w.get(a.to).has("2 changes approved. 6 declined.")
}

// vast is a run of which /v1 has counted a part.
func vast(w *world) map[string]any {
	r := aRun(w.now, directory.RunHeld)
	r.Counts = map[directory.Effect]int{directory.EffectUpdate: 100_000, directory.EffectRename: 20_000}
	return map[string]any{"GET /v1/runs/run_1": r, "POST /v1/runs/run_1/approve": nil,
		"GET /v1/runs/run_1/counts": selection{Of: 100_000, Changes: 100_000, Effects: map[directory.Effect]int{directory.EffectUpdate: 100_000}, Partial: true}}
}

// What /v1 has not looked at may be what cannot be taken back: all of such a run is approved
// by its number and a fresh sign-in, and a part of it not here.
func TestApproveVast(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	w.tell(vast(w))
	for _, form := range [][]string{{"what", "all", "count", "120000"}, {"what", "all", "count", "100000", "typed", "100000"}, {"what", "filter", "effect", "update", "count", "100000", "typed", "100000"}} {
		if a := w.post("/console/runs/run_1/approve", form...); a.code != http.StatusUnprocessableEntity || len(w.told()) > 0 {
			t.Errorf("%v: %d", form, a.code)
		}
	}
	w.get("/console/runs/run_1/approve?what=filter&effect=update").has("is not known how many")
	w.pass(freshFor + time.Second)
	if a := w.get("/console/runs/run_1/approve?what=all"); len(a.filled("/console/runs/run_1/approve")) > 0 || !strings.Contains(a.body, `name="fresh"`) {
		t.Error("no fresh sign-in is asked for")
	}
	if w.post("/console/runs/run_1/approve", "what", "all", "count", "120000", "typed", "120000"); len(w.told()) > 0 {
		t.Error("approved by who signed in long ago")
	}
	w.pass(-freshFor)
	if w.post("/console/runs/run_1/approve", "what", "all", "count", "120000", "typed", "120,000"); !slices.Equal(w.told(), []string{"POST /v1/runs/run_1/approve"}) {
		t.Error("not approved")
	}
	// Of a run that a wave has stopped, what was written is not approved again.
	r := vast(w)["GET /v1/runs/run_1"].(directory.Run)
	r.Applied = 5
	w.tell(map[string]any{"GET /v1/runs/run_1": r})
	w.get("/console/runs/run_1/approve?what=all").has("Approve 119,995 of 119,995", "Write all 119,995 open changes")
}

// A change that was ticked is found by its place, however far behind in the run: of that
// /v1 is asked once.
func TestApproveALateChange(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	r := aRun(w.now, directory.RunHeld)
	r.Counts = map[directory.Effect]int{directory.EffectUpdate: 20000}
	late := func(r *http.Request) (list []directory.Change) {
		for i := range 20000 {
			c := directory.Change{ID: directory.ChangeID(fmt.Sprintf("run_1.%d.%d", i/500, i%500)), UserPrincipalName: fmt.Sprintf("user%d@contoso.example", i), Effect: directory.EffectUpdate, State: directory.ChangePlanned}
			if selects(r.URL.Query(), &c) {
				list = append(list, c)
			}
		}
		return list
	}
	w.tell(map[string]any{"GET /v1/runs/run_1": r, "POST /v1/runs/run_1/approve": nil,
		"GET /v1/runs/run_1/changes": func(r *http.Request) any {
			list := late(r)
			return page[directory.Change]{Items: list[:min(500, len(list))]}
		},
		"GET /v1/runs/run_1/counts": func(r *http.Request) any {
			n := len(late(r))
			return selection{Changes: n, Effects: map[directory.Effect]int{directory.EffectUpdate: n}}
		}})
	w.read()
	w.get("/console/runs/run_1/approve?what=chosen&s=12.3_39.498-499").has("Approve 3 of 20,000", "user6003@contoso.example")
	if reads := w.read(); len(reads) > mostCalls {
		t.Errorf("%d calls: %v", len(reads), reads)
	}
	w.post("/console/runs/run_1/approve", "what", "chosen", "s", "12.3_39.498-499", "count", "3")
	if told := w.told(); !slices.Equal(told, []string{`POST /v1/runs/run_1/approve {"changeIds":["run_1.12.3","run_1.39.498","run_1.39.499"]}`}) {
		t.Errorf("told %v", told)
	}
}

// A choice is asked for at /v1 place by place.
func TestChoiceAsked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "0.3": "0.3", "0.3-9.14_1.2": "0.3-9,0.14,1.2"} {
		if c, ok := parseChoice(text); !ok || c.asked() != want {
			t.Errorf("%q is asked for as %q, want %q", text, c.asked(), want)
		}
	}
}

// What has been ticked and is listed no more is not sent as nothing, which would be all.
func TestApproveNothingIsNotAll(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	w.tell(map[string]any{"GET /v1/runs/run_1/changes": page[directory.Change]{}, "POST /v1/runs/run_1/approve": nil})
	w.post("/console/runs/run_1/approve", "what", "chosen", "s", "0.0", "count", "1")
	for _, told := range w.told() {
		if !strings.Contains(told, `"changeIds":[]`) {
			t.Errorf("told %s", told)
		}
	}
}

// Only a run that is done has found everything as the directory says.
func TestNothingPlanned(t *testing.T) {
	t.Parallel()
	for state, want := range map[directory.RunState]text{directory.RunDone: textNothingToDo, directory.RunFailed: textFailedPlanning,
		directory.RunCancelled: textCancelledPlanning, directory.RunSuperseded: textSupersededPlanning} {
		w := runWorld(t, state)
		w.tell(unplanned(state)(w))
		page := w.get("/console/runs/run_1")
		page.has(want[english])
		if said := strings.Contains(page.body, "as the directory says"); said != (state == directory.RunDone) {
			t.Errorf("%s says that everything was as the directory says: %v", state, said)
		}
	}
}

// inWaves is a run whose blocks go in waves, and whose renames are in their last one.
func inWaves(w *world) map[string]any {
	r := aRun(w.now, directory.RunApplying)
	r.Counts = map[directory.Effect]int{directory.EffectBlock: 1400, directory.EffectRename: 200}
	r.Waves = []directory.RunWave{{Class: directory.EffectRename, Wave: 4, Waves: 4, Allowed: 200, Changes: 200}, {Class: directory.EffectBlock, Wave: 2, Waves: 4, Allowed: 15, Changes: 1400, LookAt: w.now.Add(30 * time.Second)}}
	return map[string]any{"GET /v1/runs/run_1": r}
}

// stoppedByWave is a run that was held after its second wave.
func stoppedByWave(w *world) map[string]any {
	r := aRun(w.now, directory.RunHeld)
	r.Applied, r.Failed = 8, 2
	r.Held = &directory.Held{All: true, Reasons: []string{"stopped after wave 2 of the changes of the kind block"}, Wave: &directory.WaveOutcome{Class: directory.EffectBlock, Wave: 2, Sent: 5, Failed: 2}}
	return map[string]any{"GET /v1/runs/run_1": r, "GET /v1/runs/run_1/counts": func(r *http.Request) any {
		if r.URL.Query().Get("state") != openStates {
			return selection{Changes: 16, Effects: map[directory.Effect]int{directory.EffectBlock: 14, directory.EffectRename: 2}}
		}
		return selection{Changes: 6, Effects: map[directory.Effect]int{directory.EffectBlock: 4, directory.EffectRename: 2}}
	}}
}

// Of a run that a wave has stopped no page says that nothing has been written, or counts
// what has been for something to decide about.
func TestDecideAfterAWave(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	w.tell(stoppedByWave(w))
	for _, at := range []string{"/console/runs/run_1", "/console/runs/run_1/approve?what=all", "/console/runs/run_1/decline"} {
		page := w.get(at)
		page.has("8 of 16 are written")
		if strings.Contains(page.body, "Nothing has been written yet") || strings.Contains(page.body, "Nothing of this run is written") {
			t.Errorf("%s says that nothing was written", at)
		}
	}
	w.get("/console/runs/run_1/approve?what=all").has("Block 4 accounts", "Approve 6 of 6")
	w.get("/console/runs/run_1/decline").has("Decline all 6 changes?", "<strong>4</strong>")
}

// limited is a run held by limits of every origin: a share of now, a share of another day, a
// number, and that of a department.
func limited(w *world) map[string]any {
	c, r := contoso(w.now), aRun(w.now, directory.RunHeld)
	c.BoundCount = 212
	c.Settings.Guard = map[directory.Effect]directory.Limit{directory.EffectBlock: {Share: new(0.05)}, directory.EffectRename: {Count: new(1)}, directory.EffectDelete: {Share: new(0.1)}}
	r.Held.Limits = []directory.Exceeded{
		{Effect: directory.EffectBlock, Period: directory.PeriodRun, Count: 14, Limit: 10},
		{Effect: directory.EffectRename, Period: directory.PeriodRun, Count: 2, Limit: 1},
		{Effect: directory.EffectDelete, Period: directory.PeriodDay, Count: 30, Limit: 29},
		{Effect: directory.EffectBlock, Period: directory.PeriodRun, Slice: "department Sales", Count: 3, Limit: 1}}
	return map[string]any{"GET /v1/runs/run_1": r, "GET /v1/connections/con_1": c}
}

// longTexts is a run that changes long texts, a list, and a department with a comma.
func longTexts(*world) map[string]any {
	c := itsChanges(directory.ChangePlanned).Items[0]
	c.Effect, c.Department = directory.EffectUpdate, "Sales, EMEA"
	c.Properties = []directory.PropertyChange{
		{Name: "jobTitle", Before: directory.StringValue("Head of Sales, EMEA and Northern Africa"), After: directory.StringValue("Head of Marketing, EMEA and Northern Africa")},
		{Name: "streetAddress", Before: directory.StringValue("12 Long Street, Rear Building"), After: directory.StringValue("Somewhere else altogether, far away")},
		{Name: "otherMails", Before: directory.ListValue("a@x.example"), After: directory.ListValue("a@x.example", "b@x.example")}}
	return map[string]any{"GET /v1/runs/run_1/changes": page[directory.Change]{Items: []directory.Change{c}},
		"GET /v1/runs/run_1/parts": parts{Departments: []part{{"Sales, EMEA", map[directory.Effect]int{directory.EffectUpdate: 1}}, {"Works", map[directory.Effect]int{directory.EffectUpdate: 1}}}}}
}

// onlyFor is a run about some users and a membership, and with a change of an account that
// has no name yet.
func onlyFor(w *world) map[string]any {
	r := aRun(w.now, directory.RunDone)
	r.UserIDs = []directory.UserID{"usr_1", "usr_7"}
	r.Objects = []directory.Ref{directory.MemberOf("grp_1", "usr_1"), directory.GroupRef("grp_1"), {Kind: "lamp", ID: "l"}, {Kind: "lamp", ID: "m"}}
	r.Counts = map[directory.Effect]int{directory.EffectMemberAdd: 1}
	change := directory.Change{ID: "run_1.0.0", Object: directory.MemberOf("grp_1", "usr_1"), Effect: directory.EffectMemberAdd, State: directory.ChangeApplied, Reason: "is a member in the directory"}
	return map[string]any{"GET /v1/runs/run_1": r, "GET /v1/runs/run_1/changes": page[directory.Change]{Items: []directory.Change{change}}, "GET /v1/runs/run_1/parts": parts{}}
}

// someOf is a plan of some users and a group.
func someOf(w *world) map[string]any {
	r := aRun(w.now, directory.RunPlanned)
	r.UserIDs, r.Objects = []directory.UserID{"usr_1"}, []directory.Ref{directory.GroupRef("grp_1")}
	return map[string]any{"GET /v1/runs/run_1": r}
}

// leaves is the plan of an undo that leaves something as it is.
func leaves(w *world) map[string]any {
	r := aRun(w.now, directory.RunPlanned)
	r.Kind, r.UndoOf, r.Left = directory.KindUndo, "run_0", 2
	return map[string]any{"GET /v1/runs/run_1": r, "GET /v1/runs/run_1/parts": parts{}, "GET /v1/runs/run_1/left": page[left]{Items: []left{
		{UserID: "usr_1", Property: "department", Code: "changed-since", Message: "Somebody has changed it since.", Wrote: directory.StringValue("Sales"), Found: directory.StringValue("Works")},
		{Object: directory.GroupRef("grp_1"), Code: "gone", Message: "It is gone."}}}}
}

// withSessions is a run in which each block has the end of its sessions beside it.
func withSessions(w *world) map[string]any {
	r := aRun(w.now, directory.RunHeld)
	r.Counts[directory.EffectRevoke] = 14
	return map[string]any{"GET /v1/runs/run_1": r}
}

// manyChanges is a run with more of an effect than a decision lists.
func manyChanges(*world) map[string]any {
	list := page[directory.Change]{}
	for i := range 120 {
		c := itsChanges(directory.ChangePlanned).Items[0]
		c.ID, c.UserPrincipalName = directory.ChangeID(fmt.Sprintf("run_1.0.%d", i)), fmt.Sprintf("user%d@contoso.example", i)
		list.Items = append(list.Items, c)
	}
	list.Items = append(list.Items, itsChanges(directory.ChangePlanned).Items[14])
	return map[string]any{"GET /v1/runs/run_1/changes": list,
		"GET /v1/runs/run_1/counts": selection{Changes: 122, Effects: map[directory.Effect]int{directory.EffectBlock: 120, directory.EffectRename: 2}, Irreversible: map[directory.Effect]int{directory.EffectRename: 2, directory.EffectRevoke: 120}}}
}

// namedProblems are causes with some of those who have them.
func namedProblems(*world) map[string]any {
	return map[string]any{"GET /v1/connections/con_1/problems": causes{Items: []cause{
		{Code: "paused-leaver", Message: "The account of a leaver stays enabled.", Users: 12, Examples: []directory.UserID{"usr_1", "usr_7", "usr_8", "usr_9"}},
		{Code: "group-gone", Message: "The tenant group is gone.", Users: 1, Objects: []directory.Ref{directory.GroupRef("grp_1")}}}}}
}

// attentive is a /v1 where everything that may need somebody does.
func attentive(w *world) map[string]any {
	a := needs(w.now, directory.RunHeld)
	for _, n := range []needed{
		{Kind: "proposal", Urgency: urgencyDecide, Message: "ben proposes to loosen mode.", AskedBy: "ben", Until: w.now.Add(time.Hour)},
		{Kind: "needs-authorization", Urgency: urgencyBroken, Code: "token-revoked", Message: "The token was revoked."},
		{Kind: "run-failed", Urgency: urgencyBroken, RunID: runID, Message: "The last run has failed.", Since: w.now.Add(-time.Hour)},
		{Kind: "overdue", Urgency: urgencyBroken, Message: "No run has ended well for longer than twice the interval."},
		{Kind: "problem", Urgency: urgencyBroken, Code: "address-in-use", Message: "Another object has the address.", Count: 100, More: true},
		{Kind: "lacking-permission", Urgency: urgencySoon, Subject: "Group.ReadWrite.All", Message: "No group is exported.", Code: "scope-missing"},
		{Kind: "finding", Urgency: urgencySoon, Code: "token-old", Message: "The token ends on 4 December.", Next: "Authorise again."},
		{Kind: "problem", Urgency: urgencyWaiting, Code: "waiting-for-seat", Message: "No seat is free.", Count: 1},
	} {
		n.ConnectionID, n.ConnectionName = "con_1", "Contoso"
		a.Items = append(a.Items, n)
		a.Counts[n.Urgency]++
	}
	a.Next = "more"
	return map[string]any{"GET /v1/attention": a}
}

// toImport is a /v1 with a connection that is authorised, and nobody bound.
func toImport(w *world) map[string]any {
	c := contoso(w.now)
	c.BoundCount, c.LastRun = 0, nil
	return map[string]any{"GET /v1/connections": page[connection]{Items: []connection{c}}, "GET /v1/attention": attention{Connections: 1}}
}

func quiet(w *world) map[string]any {
	return map[string]any{"GET /v1/attention": attention{Connections: 1},
		"GET /v1/connections/con_1/problems": causes{}, "GET /v1/connections/con_1/health": health{CheckedAt: new(w.now), Healthy: new(true)}}
}

func toConfirm(w *world) map[string]any {
	c := contoso(w.now)
	c.Tenant.Domains = append(c.Tenant.Domains, directory.Domain{Name: "contoso.onmicrosoft.example", IsInitial: true})
	c.Status, c.Waiting = directory.StatusAwaitingConfirmation, &waitingSignIn{Tenant: *c.Tenant, AuthorizedBy: *c.AuthorizedBy, RequestedBy: "ben", Until: w.now.Add(21 * time.Hour)}
	c.Tenant = nil
	confirmation := needed{Kind: "confirmation", Urgency: urgencyDecide, ConnectionID: "con_1", ConnectionName: "Contoso", Subject: "admin@contoso.example", AskedBy: "ben", Message: "Somebody has signed in.", Since: w.now.Add(-3 * time.Hour), Until: w.now.Add(21 * time.Hour)}
	return map[string]any{"GET /v1/connections": page[connection]{Items: []connection{c}}, "GET /v1/connections/con_1": c,
		"GET /v1/attention": attention{Items: []needed{confirmation}, Counts: map[string]int{urgencyDecide: 1}, Connections: 1}}
}

func pending(w *world) map[string]any {
	c := connection{ID: "con_1", Name: "Contoso", Status: directory.StatusPending}
	return map[string]any{"GET /v1/connections/con_1": c, "GET /v1/connections": page[connection]{Items: []connection{c}}, "GET /v1/attention": attention{Connections: 1},
		"GET /v1/connections/con_1/runs": page[directory.Run]{}, "GET /v1/connections/con_1/problems": causes{}, "GET /v1/connections/con_1/health": health{}}
}

// Ticks survive the pages of a run, taking one off too, and lead to a decision about
// just them.
func TestTicks(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	a := w.get("/console/runs/run_1?s=0.1-3_1.0&shown=0.0-3&c=0.0&c=0.2&next=two")
	if a.to != "/console/runs/run_1?next=two&s=0.0.2_1.0" {
		t.Errorf("led to %q", a.to)
	}
	a = w.get("/console/runs/run_1/approve?what=chosen&s=1.0&shown=0.0-3&c=0.0&c=0.2")
	if a.to != "/console/runs/run_1/approve?s=0.0.2_1.0&what=chosen" {
		t.Errorf("led to %q", a.to)
	}
	for _, bad := range []string{"s=x", "s=0.0-600", "s=0", "c=0.x", "c=-1.2", "shown=0..1", "s=0.5-3"} {
		if a := w.get("/console/runs/run_1?" + bad); a.code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, a.code)
		}
	}
}

func FuzzChoice(f *testing.F) {
	for _, s := range []string{"", "0.3-9.14_1.2", "0.0", "7.1.2.3", "x", "0.1-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parseChoice(s)
		if !ok {
			return
		}
		again, ok := parseChoice(c.String())
		if !ok || len(again) != len(c) || len(c) > mostChosen {
			t.Fatalf("%q is %v, and again %v", s, c, again)
		}
		for p := range c {
			if !again[p] {
				t.Fatalf("%q loses %v", s, p)
			}
		}
	})
}

// What is approved is what was seen: all, the ticked ones, or those of a filter. What
// cannot be taken back wants its number, and somebody who has just signed in.
func TestApprove(t *testing.T) {
	t.Parallel()
	const ids = `POST /v1/runs/run_1/approve {"changeIds":["run_1.0.0","run_1.0.1"]}`
	const renames = `POST /v1/runs/run_1/approve {"where":{"effect":["rename"]}}`
	for name, tt := range map[string]struct {
		form  []string
		later time.Duration
		calls string // "": nothing is called
		says  string
	}{
		"two":                     {[]string{"what", "chosen", "s", "0.0-1", "count", "2"}, 0, ids, ""},
		"two, an hour later":      {[]string{"what", "chosen", "s", "0.0-1", "count", "2"}, 50 * time.Minute, ids, ""},
		"two, with a reason":      {[]string{"what", "chosen", "s", "0.0-1", "count", "2", "reason", " asked Ben "}, 0, `POST /v1/runs/run_1/approve {"changeIds":["run_1.0.0","run_1.0.1"],"reason":"asked Ben"}`, ""},
		"none":                    {[]string{"what", "chosen", "s", "", "count", "0"}, 0, "", "Nothing is chosen"},
		"others than seen":        {[]string{"what", "chosen", "s", "0.0-1", "count", "3"}, 0, "", "The plan is another one"},
		"no count":                {[]string{"what", "chosen", "s", "0.0-1"}, 0, "", "The plan is another one"},
		"all, number typed":       {[]string{"what", "all", "count", "16", "typed", "16"}, 0, "POST /v1/runs/run_1/approve", ""},
		"all, with a space":       {[]string{"what", "all", "count", "16", "typed", " 16"}, 0, "POST /v1/runs/run_1/approve", ""},
		"all, not typed":          {[]string{"what", "all", "count", "16"}, 0, "", "Type the number 16"},
		"all, words":              {[]string{"what", "all", "count", "16", "typed", "yes"}, 0, "", "Type the number 16"},
		"all, signed in long ago": {[]string{"what", "all", "count", "16", "typed", "16"}, 10 * time.Minute, "", "sign-in of the last five minutes"},
		"a filter":                {[]string{"what", "filter", "effect", "rename", "count", "2", "typed", "2"}, 0, renames, ""},
		"a filter of nothing":     {[]string{"what", "filter", "state", "planned", "count", "16", "typed", "16"}, 0, "", "Nothing is chosen"},
		"a filter, with a reason": {[]string{"what", "filter", "effect", "block", "department", "Sales,Works", "state", "planned", "count", "14", "reason", "left"}, 0, `POST /v1/runs/run_1/approve {"where":{"department":["Sales","Works"],"effect":["block"]},"reason":"left"}`, ""},
		"a choice that is none":   {[]string{"what", "chosen", "s", "zzz", "count", "1"}, 0, "", "At most 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunHeld)
			w.tell(map[string]any{"POST /v1/runs/run_1/approve": aRun(w.now, directory.RunApplying)})
			w.pass(tt.later)
			a := w.post("/console/runs/run_1/approve", tt.form...)
			if got := strings.Join(w.told(), "; "); got != tt.calls {
				t.Errorf("calls %q, want %q", got, tt.calls)
			}
			if tt.calls != "" {
				if a.to != "/console/runs/run_1" {
					t.Errorf("%d to %q", a.code, a.to)
				}
				w.get(a.to).has(`<div class="flash"`, "approved.")
				return
			}
			a.sound(name)
			a.has(tt.says)
		})
	}
}

// Ticks survive the pages of the users' list, taking one off too, and lead to an act about
// just them.
func TestPicked(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	for path, want := range map[string]string{
		"/console/users?s=x7&c=usr_1&c=usr_x8&from=1&go=51+on&text=a": "/console/users?from=51&next=on&s=x7.1.x8&text=a",
		"/console/users?s=x7&from=51&next=on&go=1":                    "/console/users?from=1&s=x7",
		"/console/users?c=usr_1&whom=chosen":                          "/console/users?s=1",
		"/console/users/many?do=bind&whom=chosen&s=x7&c=usr_1&next=a": "/console/users/many?do=bind&s=x7.1&whom=chosen",
	} {
		if a := w.get(path); a.to != want {
			t.Errorf("%s led to %d %q, want %q", path, a.code, a.to, want)
		}
	}
	for _, bad := range []string{"s=X", "s=.", "s=a..b", "c=con_1", "c=usr_../x", "c=usr_", "s=" + strings.Repeat("a.", 61) + strings.Repeat("a", 61), "s=" + strings.Join(strings.Fields(strings.Repeat("a ", 2)), ".") + "." + manyIDs(101)} {
		for _, path := range []string{"/console/users?", "/console/users/many?"} {
			if a := w.get(path + bad); a.code != http.StatusBadRequest {
				t.Errorf("%s%s: %d", path, bad, a.code)
			}
		}
	}
	if p, ok := parsePicked(manyIDs(mostPicked)); !ok || p.String() != manyIDs(mostPicked) {
		t.Errorf("%d users: %v", mostPicked, ok)
	}
	// With all that may be ticked, an address and the Referer of the next stay below what
	// API Gateway takes.
	if long := 2 * len(w.get("/console/users?c=usr_1&s="+manyIDs(mostPicked-1)).to); long > 7000 {
		t.Errorf("%d bytes", long)
	}
}

// manyIDs are as many IDs as users have, of their length.
func manyIDs(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%026d", i)
	}
	return strings.Join(list, ".")
}

func FuzzPicked(f *testing.F) {
	for _, s := range []string{"", "1.x7", "a", ".", "A", "a.a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parsePicked(s)
		if !ok {
			return
		}
		again, ok := parsePicked(p.String())
		if !ok || !slices.Equal(p, again) || len(p) > mostPicked || slices.ContainsFunc(p, func(id directory.UserID) bool { return !pickable(id) }) {
			t.Fatalf("%q is %v, and again %v", s, p, again)
		}
	})
}

// What is done about many users is what was shown: about the same, and nobody of whom another
// source says the state.
func TestMany(t *testing.T) {
	t.Parallel()
	const two = "POST /v1/users/usr_1/suspend; POST /v1/users/usr_x7/suspend"
	for name, tt := range map[string]struct {
		page  string
		with  []string // instead of what the page's form has, or beside it
		calls string   // "": nothing is called
		to    string
		says  string
	}{
		"suspend two":       {"do=suspend&s=1.x7", nil, two, "/console/users", "2 users are suspended."},
		"from a filter":     {"do=suspend&s=1.x7&state=active", nil, two, "/console/users?state=active", "Take it back"},
		"another than seen": {"do=suspend&s=1.x7", []string{"s", "1.x8"}, "", "", "about other users by now"},
		"one more":          {"do=suspend&s=1.x7", []string{"s", "1.x7.x8"}, "", "", "about other users by now"},
		"another act":       {"do=suspend&s=1.x7", []string{"do", "bind", "connection", "con_1"}, "", "", "about other users by now"},
		"not seen":          {"do=suspend&s=1.x7", []string{"these", ""}, "", "", "about other users by now"},
		"active already":    {"", []string{"do", "activate", "s", "1.x7"}, "", "", "2 more are active already"},
		"nobody":            {"", []string{"do", "suspend"}, "", "", "Nobody is ticked"},
		"no choice":         {"", []string{"do", "suspend", "s", "../1"}, "", "", "At most 100"},
		"too many":          {"", []string{"do", "suspend", "whom", "filter", "text", "crowd"}, "", "", "At most 5,000"},
		"bind":              {"do=bind&s=1.x7", []string{"connection", "con_1"}, `POST /v1/connections/con_1/bindings {"userIds":["usr_1","usr_x7"]}`, "/console/connections/con_1/members", "users are bound"},
		"bind too many":     {"", []string{"do", "bind", "whom", "filter", "text", "crowd"}, "", "", "At most 500"},
		"bind by a filter":  {"do=bind&whom=filter&text=many", nil, "POST /v1/connections/con_1/bindings", "/console/connections/con_1/members", ""},
		"suspend by filter": {"do=suspend&whom=filter&text=many", nil, "POST /v1/users:load", "/console/jobs/job_1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunDone)
			w.tell(map[string]any{"POST /v1/users/usr_1/suspend": nil, "POST /v1/users/usr_x7/suspend": nil, "POST /v1/users:load": job{Job: directory.Job{ID: "job_1"}},
				"POST /v1/connections/con_1/bindings": map[string]any{"bound": []string{"usr_1", "usr_x7"}}})
			form := url.Values{}
			if tt.page != "" {
				form = w.get("/console/users/many?" + tt.page).filled("/console/users/many")
			}
			for i := 0; i+1 < len(tt.with); i += 2 {
				form.Set(tt.with[i], tt.with[i+1])
			}
			a := w.send(http.MethodPost, "/console/users/many", form)
			told := w.told()
			slices.Sort(told)
			got := strings.Join(told, "; ")
			if whole := strings.Contains(tt.calls, "{") || strings.Contains(tt.calls, ";"); whole && got != tt.calls || !whole && !strings.HasPrefix(got, tt.calls) || tt.calls == "" && got != "" {
				t.Errorf("calls %.300q, want %q", got, tt.calls)
			}
			if a.to != tt.to {
				t.Errorf("%d to %q, want %q", a.code, a.to, tt.to)
			}
			if tt.to != "" {
				a = w.get(tt.to)
			}
			a.sound(name)
			a.has(tt.says)
			if name == "suspend by filter" {
				if n := strings.Count(got, `"state":"suspended"`); n != 208 || !strings.Contains(got, `{"email":"c2@contoso.example","id":"usr_c2","state":"suspended"}`) || strings.Contains(got, "c0@") || strings.Contains(got, "c1@") {
					t.Errorf("%d lines: %.300s", n, got)
				}
			}
		})
	}
	// Who is refused is named, and who may have been done too; the others are done.
	w := runWorld(t, directory.RunDone)
	w.tell(map[string]any{"POST /v1/users/usr_1/suspend": nil, "POST /v1/users/usr_2/suspend": problem{Status: 409, Code: "owned-elsewhere", Detail: "AD owns it."}, "POST /v1/users/usr_3/suspend": problem{Status: 504, Code: "late"}})
	a := w.send(http.MethodPost, "/console/users/many", w.get("/console/users/many?do=suspend&s=1.2.3").filled("/console/users/many"))
	a.sound("refused")
	a.has("1 user is suspended", "2 refused", "AD owns it.", "owned-elsewhere", "Ann 2", "Ann 3")
}

// Who is staged is not suspended with others, since whoever takes that back activates them;
// and where staged users were activated, nothing is offered that would suspend them.
func TestManyStaged(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	states := map[string]directory.UserState{"usr_1": directory.StateActive, "usr_s": directory.StateStaged, "usr_2": directory.StateSuspended}
	w.tell(map[string]any{"POST /v1/users/usr_1/suspend": nil, "POST /v1/users/usr_s/suspend": nil, "POST /v1/users/usr_s/activate": nil, "POST /v1/users/usr_2/activate": nil, "GET /v1/users": func(r *http.Request) any {
		var p page[directory.User]
		for id := range strings.SplitSeq(r.URL.Query().Get("id"), ",") {
			u := ann(w.now)
			u.ID, u.State, u.Owners = directory.UserID(id), states[id], nil
			p.Items = append(p.Items, u)
		}
		return p
	}})
	const at = "/console/users/many"
	for _, tt := range []struct {
		do, s, says string
		calls       []string
		back        bool
	}{
		{"suspend", "1.s", "1 more is staged", []string{"POST /v1/users/usr_1/suspend"}, true},
		{"activate", "2", "Activate 1 user", []string{"POST /v1/users/usr_2/activate"}, true},
		{"activate", "2.s", "Activate 2 users", []string{"POST /v1/users/usr_2/activate", "POST /v1/users/usr_s/activate"}, false},
	} {
		a := w.get(at + "?do=" + tt.do + "&s=" + tt.s)
		a.has(tt.says)
		a = w.send(http.MethodPost, at, a.filled(at))
		calls := w.told()
		if slices.Sort(calls); !slices.Equal(calls, tt.calls) {
			t.Errorf("%s %s: %v", tt.do, tt.s, calls)
		}
		if back := strings.Contains(w.get(a.to).body, "Take it back"); back != tt.back {
			t.Errorf("%s %s can be taken back: %v", tt.do, tt.s, back)
		}
	}
	a := w.get(at + "?do=suspend&s=s")
	a.sound("only staged")
	a.has("1 more is staged")
}

// As many of a filter, but another than was shown: nothing is done, and who it is by now is
// shown.
func TestManyOthers(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	who := directory.UserID("usr_a")
	w.tell(map[string]any{"POST /v1/users/usr_a/suspend": nil, "POST /v1/users/usr_ceo/suspend": nil, "GET /v1/users": func(*http.Request) any {
		u := ann(w.now)
		u.ID, u.DisplayName, u.Owners = who, string(who), nil
		return page[directory.User]{Items: []directory.User{u}}
	}})
	form := w.get("/console/users/many?do=suspend&whom=filter&text=x").filled("/console/users/many")
	who = "usr_ceo"
	a := w.send(http.MethodPost, "/console/users/many", form)
	a.has("about other users by now", "usr_ceo")
	if calls := w.told(); a.code != http.StatusConflict || len(calls) > 0 {
		t.Errorf("%d, %v", a.code, calls)
	}
	a = w.send(http.MethodPost, "/console/users/many", a.filled("/console/users/many"))
	if calls := w.told(); a.code != http.StatusSeeOther || !slices.Equal(calls, []string{"POST /v1/users/usr_ceo/suspend"}) {
		t.Errorf("%d, %v", a.code, calls)
	}
}

// How somebody wants to see the console is kept by their browser, and shown as chosen.
func TestPreferences(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	for _, tt := range []struct{ name, value, cookie, page string }{
		{"density", "density-compact", "__Host-bindery-density", `class="compact"`},
		{"theme", "theme-dark", "__Host-bindery-theme", `class="theme-dark compact"`},
		{"keys", "off", "__Host-bindery-keys", `data-keys="off"`},
		{"lang", "de", "__Host-bindery-lang", `lang="de"`},
	} {
		if a := w.post("/console/preferences", tt.name, tt.value, "to", "/console/me"); a.to != "/console/me" || w.jar[tt.cookie] == "" {
			t.Errorf("%s: %q, %v", tt.name, a.to, w.jar)
		}
		w.get("/console/me").has(tt.page)
	}
	for _, bad := range []string{"density-x", "x"} {
		w.post("/console/preferences", "density", bad)
	}
	w.post("/console/preferences", "density", "density-")
	if w.jar["__Host-bindery-density"] != "" || strings.Contains(w.get("/console/me").body, "compact\"") && strings.Contains(w.get("/console/me").body, `class="theme-dark compact"`) {
		t.Error("the rows stay compact")
	}
	if a := w.get("/console/openapi.json"); a.code != 200 || !strings.Contains(a.header.Get("Content-Disposition"), "openapi.json") {
		t.Errorf("the description: %d", a.code)
	}
}

// A search that finds nobody goes on by itself, a few times, and then says so.
func TestSearchOn(t *testing.T) {
	t.Parallel()
	for _, found := range []int{0, searchCalls - 1, searchCalls} {
		w := runWorld(t, directory.RunDone)
		n := 0
		w.tell(map[string]any{"GET /v1/users": func(*http.Request) any {
			if n++; n == found {
				return page[directory.User]{Items: []directory.User{ann(w.now)}}
			}
			return page[directory.User]{Next: fmt.Sprint("after-", n)}
		}})
		a := w.get("/console/users?text=x")
		if n != max(found, searchCalls*min(1, 1-min(1, found))) {
			t.Errorf("found at %d: %d calls", found, n)
		}
		if want := found > 0; strings.Contains(a.body, "ann@contoso.example") != want || strings.Contains(a.body, fmt.Sprint("next=after-", searchCalls)) == want {
			t.Errorf("found at %d: %.2000s", found, a.body)
		}
	}
}

// The foot of a page says which Bindery it is, to who is signed in.
func TestVersionInTheFrame(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.get("/console/me").has("<p>Bindery " + directory.Version + " · Request <code>req-1</code>")
	if strings.Contains(newWorld(t).get("/console/sign-in").body, "Bindery "+directory.Version) {
		t.Error("strangers are told the version")
	}
}

// A run that somebody has decided about meanwhile is not decided about again.
func TestNotHeldAnyMore(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	for _, a := range []answered{w.get("/console/runs/run_1/approve?what=all"), w.post("/console/runs/run_1/approve", "what", "all", "count", "16", "typed", "16"), w.get("/console/runs/run_1/decline")} {
		if a.to != "/console/runs/run_1" || len(w.told()) > 0 {
			t.Errorf("%d to %q", a.code, a.to)
		}
	}
}

// Acts call what they say, and lead on.
func TestActs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path  string
		form  []string
		calls string
		to    string
	}{
		"decline":       {"/console/runs/run_1/decline", nil, "POST /v1/runs/run_1/decline", "/console/runs/run_1"},
		"cancel":        {"/console/runs/run_1/cancel", nil, "POST /v1/runs/run_1/cancel", "/console/runs/run_1"},
		"sync now":      {"/console/connections/con_1/sync", nil, "POST /v1/connections/con_1/runs {}", "/console/runs/run_1"},
		"sync some":     {"/console/connections/con_1/sync", []string{"users", "usr_1", "users", "usr_2", "objects", "group grp_1"}, `POST /v1/connections/con_1/runs {"userIds":["usr_1","usr_2"],"objects":[{"kind":"group","id":"grp_1"}]}`, "/console/runs/run_1"},
		"plan only":     {"/console/connections/con_1/sync", []string{"dry", "1"}, `POST /v1/connections/con_1/runs {"dryRun":true,"full":true}`, "/console/runs/run_1"},
		"undo":          {"/console/runs/run_1/undo", nil, "POST /v1/runs/run_1/undo {}", "/console/runs/run_1"},
		"undo a part":   {"/console/runs/run_1/undo", []string{"preview", "1", "users", "usr_1, usr_2", "properties", "mail"}, `POST /v1/runs/run_1/undo {"dryRun":true,"userIds":["usr_1","usr_2"],"properties":["mail"]}`, "/console/runs/run_1"},
		"confirm":       {"/console/connections/con_1/confirm", []string{"tenantId", "t-1", "objectId", "o-1"}, `POST /v1/connections/con_1/confirm {"objectId":"o-1","tenantId":"t-1"}`, "/console/connections/con_1/accounts"},
		"import all":    {"/console/connections/con_1/import", []string{"all", "1"}, `POST /v1/connections/con_1/imports {"all":true}`, "/console/jobs/job_1"},
		"import two":    {"/console/connections/con_1/import", []string{"c", "a-1", "c", "a-2", "bind", "1"}, `POST /v1/connections/con_1/imports {"accountIds":["a-1","a-2"],"bind":true}`, "/console/jobs/job_1"},
		"import none":   {"/console/connections/con_1/import", nil, "", "/console/connections/con_1/accounts"},
		"bind all":      {"/console/connections/con_1/bind", []string{"all", "1"}, `POST /v1/connections/con_1/bindings {"all":true}`, "/console/jobs/job_1"},
		"bind none":     {"/console/connections/con_1/bind", nil, "", "/console/connections/con_1/bind"},
		"pause":         {"/console/connections/con_1/members/usr_1/pause", nil, "POST /v1/connections/con_1/bindings/usr_1/pause", "/console/connections/con_1/members"},
		"resume, back":  {"/console/connections/con_1/members/usr_1/resume", []string{"to", "/console/users/usr_1"}, "POST /v1/connections/con_1/bindings/usr_1/resume", "/console/users/usr_1"},
		"resume, away":  {"/console/connections/con_1/members/usr_1/resume", []string{"to", "https://evil.example/console"}, "POST /v1/connections/con_1/bindings/usr_1/resume", "/console/connections/con_1/members"},
		"release":       {"/console/connections/con_1/members/usr_1/release", []string{"then", "block"}, "DELETE /v1/connections/con_1/bindings/usr_1", "/console/runs/run_1"},
		"try a release": {"/console/connections/con_1/members/usr_1/release", []string{"then", "restore", "preview", "1"}, `POST /v1/connections/con_1/runs {"dryRun":true,"release":"restore","userIds":["usr_1"]}`, "/console/runs/run_1"},
		"retry all":     {"/console/connections/con_1/problems/paused-leaver/retry", nil, "POST /v1/connections/con_1/problems/paused-leaver/retry", "/console/runs/run_1"},
		"look again":    {"/console/connections/con_1/health", nil, "POST /v1/connections/con_1/health", "/console/connections/con_1/health"},
		"end":           {"/console/connections/con_1/end", []string{"typed", "Contoso"}, "POST /v1/connections/con_1/deactivate", "/console/connections/con_1"},
		"end another":   {"/console/connections/con_1/end", []string{"typed", "contoso"}, "", ""},
		"remove":        {"/console/connections/con_1/remove", nil, "DELETE /v1/connections/con_1", "/console/connections"},
		"suspend":       {"/console/users/usr_1/suspend", []string{"version", "7"}, "POST /v1/users/usr_1/suspend", "/console/users/usr_1"},
		"delete":        {"/console/users/usr_1/delete", []string{"version", "7"}, "DELETE /v1/users/usr_1", "/console/users/usr_1"},
		"edit":          {"/console/users/usr_1/edit", []string{"version", "7", "jobTitle", "", "department", "Sales", "phones.work", "+49 30 99"}, `PATCH /v1/users/usr_1 {"jobTitle":null,"phones":{"work":"+49 30 99"}}`, "/console/users/usr_1"},
		"edit nothing":  {"/console/users/usr_1/edit", []string{"version", "7", "department", "Sales"}, "", "/console/users/usr_1"},
		"edit, stale":   {"/console/users/usr_1/edit", []string{"version", "6", "department", "Research"}, "", ""},
		"new user":      {"/console/users/new", []string{"email", "dee@contoso.example", "givenName", "Dee"}, `POST /v1/users {"email":"dee@contoso.example","givenName":"Dee"}`, "/console/users/usr_1"},
		"verify":        {"/console/activity/verify", nil, "POST /v1/activity:verify {}", "/console/jobs/job_1"},
		"add members":   {"/console/groups/grp_1/add", []string{"users", "usr_1 usr_2", "groups", "grp_2"}, `POST /v1/groups/grp_1/members {"groupIds":["grp_2"],"userIds":["usr_1","usr_2"]}`, "/console/groups/grp_1"},
		"take out":      {"/console/groups/grp_1/remove", []string{"c", "user usr_1", "c", "group grp_2", "version", "4"}, `DELETE /v1/groups/grp_1/members {"groupIds":["grp_2"],"userIds":["usr_1"]}`, "/console/groups/grp_1"},
		"new group":     {"/console/groups/new", []string{"name", "Sales", "description", ""}, `POST /v1/groups {"name":"Sales"}`, "/console/groups/grp_1"},
		"edit group":    {"/console/groups/grp_1/edit", []string{"name", "Sales", "version", "3"}, `PATCH /v1/groups/grp_1 {"name":"Sales"}`, "/console/groups/grp_1"},
		"delete group":  {"/console/groups/grp_1/delete", []string{"version", "3"}, "DELETE /v1/groups/grp_1", "/console/groups/grp_1"},
		"use":           {"/console/connections/con_1/groups/grp_1", []string{"version", asSeen, "select", "1", "export", "security", "members", "exact", "ends", "empty", "skus", "SPE_E3, SPE_E5"}, `PUT /v1/connections/con_1/groups/grp_1 {"export":{"kind":"security","members":"exact","nested":"flatten","onRelease":"empty"},"licences":[{"sku":"SPE_E3"},{"sku":"SPE_E5"}],"select":{}}`, "/console/connections/con_1/groups/grp_1"},
		"try a use":     {"/console/connections/con_1/groups/grp_1", []string{"version", asSeen, "select", "1", "preview", "1"}, `PUT /v1/connections/con_1/groups/grp_1 {"select":{}}`, ""},
		"end unseen":    {"/console/connections/con_1/groups/grp_1/end", nil, "", "/console/connections/con_1/groups/grp_1/end"},
		"end use":       {"/console/connections/con_1/groups/grp_1/end", []string{"version", asSeen}, "DELETE /v1/connections/con_1/groups/grp_1", "/console/connections/con_1/groups"},
		"count":         {"/console/connections/con_1/licences/count", nil, "POST /v1/connections/con_1/licences/count", "/console/jobs/job_1"},
		"lift":          {"/console/connections/con_1/protection/a-1", []string{"minutes", "30", "reason", "repair", "typed", "a-1"}, `POST /v1/connections/con_1/protection/a-1/lift {"minutes":30,"reason":"repair"}`, "/console/connections/con_1/protection"},
		"claim":         {"/console/connections/con_1/domains", []string{"claim", "new.example"}, `POST /v1/connections/con_1/domains {"domains":["new.example"]}`, "/console/connections/con_1"},
		"give up":       {"/console/connections/con_1/domains", []string{"release", "old.example"}, "DELETE /v1/connections/con_1/domains/old.example", "/console/connections/con_1"},
		"end, and why":  {"/console/connections/con_1/end", []string{"typed", "Contoso", "reason", " sold "}, `POST /v1/connections/con_1/deactivate {"reason":"sold"}`, "/console/connections/con_1"},
		"lift, untyped": {"/console/connections/con_1/protection/a-1", []string{"minutes", "30", "reason", "repair"}, "", ""},
		"lift, another": {"/console/connections/con_1/protection/a-1", []string{"minutes", "30", "reason", "repair", "typed", "a-2"}, "", ""},
		"lift, a part":  {"/console/connections/con_1/protection/a-1", []string{"minutes", "30", "reason", "repair", "typed", "1"}, "", ""},
		"by address":    {"/console/groups/grp_1/add", []string{"version", "4", "users", "ann@contoso.example, usr_7"}, `POST /v1/groups/grp_1/members {"userIds":["usr_1","usr_7"]}`, "/console/groups/grp_1"},
		"bind, address": {"/console/connections/con_1/bind", []string{"users", "ann@contoso.example"}, `POST /v1/connections/con_1/bindings {"userIds":["usr_1"]}`, "/console/connections/con_1/members"},
		"group by name": {"/console/groups/grp_1/add", []string{"groups", "Sales, grp_7"}, `POST /v1/groups/grp_1/members {"groupIds":["grp_1","grp_7"]}`, "/console/groups/grp_1"},
		"no such group": {"/console/groups/grp_1/add", []string{"groups", "Nobody here"}, "", ""},
		"manager":       {"/console/users/usr_2/edit", []string{"version", "7", "managerId", "ann@contoso.example"}, `PATCH /v1/users/usr_2 {"managerId":"usr_1"}`, "/console/users/usr_2"},
		"no manager":    {"/console/users/usr_2/edit", []string{"version", "7", "managerId", "no@contoso.example"}, "", ""},
		"no address":    {"/console/groups/grp_1/add", []string{"users", "ann@contoso.example, no@contoso.example"}, "", ""},
		"bind, nobody":  {"/console/connections/con_1/bind", []string{"users", "no@contoso.example"}, "", ""},
		"end a lift":    {"/console/connections/con_1/protection/a-1/end", nil, "DELETE /v1/connections/con_1/protection/a-1/lift", "/console/connections/con_1/protection"},
		"settings":      {"/console/connections/con_1/settings", []string{"version", asSeen, "mode", "approve", "interval", "15m0s", "onDelete", "block", "protectGroups", "true", "keepBeforeDays", ""}, `PATCH /v1/connections/con_1 {"settings":{"mode":"approve"}}`, "/console/connections/con_1/settings"},
		"properties":    {"/console/connections/con_1/settings", []string{"version", asSeen, "part", "properties", "switch", "attributes.jobTitle.export", "attributes.jobTitle.export", "true"}, `PATCH /v1/connections/con_1 {"settings":{"attributes":{"jobTitle":{"export":true}}}}`, "/console/connections/con_1/settings?part=properties"},
		"guard":         {"/console/connections/con_1/settings", []string{"version", asSeen, "part", "guard", "guard.block.count", "9", "guard.block.share", "0,2", "guard.rename.count", ""}, `PATCH /v1/connections/con_1 {"settings":{"guard":{"block":{"count":9,"share":0.2}}}}`, "/console/connections/con_1/settings?part=guard"},
		"no settings":   {"/console/connections/con_1/settings", []string{"mode", "automatic", "protectGroups", "true"}, "", "/console/connections/con_1/settings"},
		"try settings":  {"/console/connections/con_1/settings", []string{"version", asSeen, "preview", "1", "mode", "approve", "protectGroups", "true"}, `POST /v1/connections/con_1/runs {"dryRun":true,"full":true,"settings":{"mode":"approve"}}`, "/console/runs/run_1"},
		"approve it":    {"/console/connections/con_1/proposals/p-1/approve", nil, "POST /v1/connections/con_1/proposals/p-1/approve", "/console/connections/con_1"},
		"approve lift":  {"/console/connections/con_1/proposals/p-2/approve", []string{"typed", "a-1"}, "POST /v1/connections/con_1/proposals/p-2/approve", "/console/connections/con_1"},
		"lift, no word": {"/console/connections/con_1/proposals/p-2/approve", nil, "", ""},
		"decline it":    {"/console/connections/con_1/proposals/p-1/decline", nil, "POST /v1/connections/con_1/proposals/p-1/decline", "/console/connections/con_1"},
		"password":      {"/console/users/usr_1/password", nil, "POST /v1/users/usr_1/temporary-password", ""},
		"try a move":    {"/console/users/usr_1/move", []string{"to", "con_2", "then", "keep", "preview", "1"}, `POST /v1/users/usr_1/move {"connectionId":"con_2","dryRun":true,"then":"keep"}`, ""},
		"move":          {"/console/users/usr_1/move", []string{"to", "con_2", "email", "ann@daughter.example"}, `POST /v1/users/usr_1/move {"connectionId":"con_2","email":"ann@daughter.example","then":"block"}`, "/console/users/usr_1"},
		"new source":    {"/console/sources/new", []string{"provider", "entra", "sees", "own"}, `POST /v1/scim-clients {"name":"Microsoft Entra ID","provider":"entra","strict":false,"ownOnly":true}`, "/console/sources/scl_1/token"},
		"source, named": {"/console/sources/new", []string{"name", " HR ", "provider", "", "mode", "strict"}, `POST /v1/scim-clients {"name":"HR","provider":"","strict":true,"ownOnly":false}`, "/console/sources/scl_1/token"},
		"pause source":  {"/console/sources/scl_1/pause", []string{"version", "3"}, `PATCH /v1/scim-clients/scl_1 {"paused":true}`, "/console/sources/scl_1"},
		"pause, back":   {"/console/sources/scl_1/pause", []string{"to", "/console/runs/run_1"}, `PATCH /v1/scim-clients/scl_1 {"paused":true}`, "/console/runs/run_1"},
		"pause, away":   {"/console/sources/scl_1/pause", []string{"to", "//evil.example"}, `PATCH /v1/scim-clients/scl_1 {"paused":true}`, "/console/sources/scl_1"},
		"resume source": {"/console/sources/scl_1/resume", []string{"version", "3"}, `PATCH /v1/scim-clients/scl_1 {"paused":false}`, "/console/sources/scl_1"},
		"source saved": {"/console/sources/scl_1/settings", []string{"version", "3", "name", "Okta", "provider", "okta", "mode", "strict", "sees", "all", "country", "1", "silentDays", " 30", "oauthClientId", "app-1 ", "schema", "urn:x", "attribute", "badge", "path", "customAttributes.badge", "schema", "", "attribute", " ", "path", "", "schema", "urn:y", "attribute", "shoe", "path", "customAttributes.shoe"},
			`PATCH /v1/scim-clients/scl_1 {"name":"Okta","provider":"okta","strict":true,"ownOnly":false,"countryAsUsageLocation":true,"silentDays":30,"oauthClientId":"app-1","mapping":[{"schema":"urn:x","attribute":"badge","path":"customAttributes.badge"},{"schema":"urn:y","attribute":"shoe","path":"customAttributes.shoe"}]}`, "/console/sources/scl_1"},
		"source unseen":  {"/console/sources/scl_1/settings", []string{"name", "Okta"}, "", "/console/sources/scl_1/settings"},
		"revoke one":     {"/console/sources/scl_1/tokens/sct_1/revoke", nil, "DELETE /v1/scim-clients/scl_1/tokens/sct_1", "/console/sources/scl_1"},
		"delete source":  {"/console/sources/scl_1/delete", []string{"typed", "Okta", "version", "3"}, "DELETE /v1/scim-clients/scl_1", "/console/sources"},
		"delete untyped": {"/console/sources/scl_1/delete", []string{"typed", "okta", "version", "3"}, "", ""},
		"count back":     {"/console/sources/scl_1/take-back", []string{"since", "2026-11-28T08:00"}, `POST /v1/scim-clients/scl_1/take-back {"since":"2026-11-28T08:00:00Z","dryRun":true}`, "/console/sources/scl_1/take-back?job=job_1&since=2026-11-28T08%3A00%3A00Z"},
		"count no time":  {"/console/sources/scl_1/take-back", []string{"since", "yesterday"}, "", ""},
		"take back":      {"/console/sources/scl_1/take-back/now", []string{"since", "2026-11-28T08:00:00.25Z", "typed", "Okta"}, `POST /v1/scim-clients/scl_1/take-back {"since":"2026-11-28T08:00:00.25Z","pause":true}`, "/console/jobs/job_1"},
		"back, untyped":  {"/console/sources/scl_1/take-back/now", []string{"since", "2026-11-28T08:00:00Z", "typed", "okta"}, "", ""},
		"undo object":    {"/console/runs/run_1/undo", []string{"objects", "group grp_1"}, `POST /v1/runs/run_1/undo {"objects":[{"kind":"group","id":"grp_1"}]}`, "/console/runs/run_1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunHeld)
			r := aRun(w.now, directory.RunPlanning)
			j := job{Job: directory.Job{ID: "job_1"}}
			w.tell(map[string]any{"POST /v1/connections/con_1/confirm": nil, "POST /v1/connections/con_1/imports": j, "POST /v1/connections/con_1/bindings": j, "POST /v1/connections/con_1/bindings/usr_1/pause": nil,
				"POST /v1/connections/con_1/bindings/usr_1/resume": nil, "DELETE /v1/connections/con_1/bindings/usr_1": r, "POST /v1/connections/con_1/problems/paused-leaver/retry": map[string]any{"runs": []any{map[string]any{"id": runID}}},
				"POST /v1/connections/con_1/health": nil, "POST /v1/connections/con_1/deactivate": map[string]any{"released": 3}, "DELETE /v1/connections/con_1": nil, "POST /v1/users/usr_1/suspend": nil, "DELETE /v1/users/usr_1": nil,
				"PATCH /v1/connections/con_1": contoso(w.now), "PATCH /v1/users/usr_1": ann(w.now), "POST /v1/users": ann(w.now), "POST /v1/activity:verify": j,
				"POST /v1/groups/grp_1/members": map[string]any{"done": []directory.MemberRef{directory.UserMember("usr_1")}}, "DELETE /v1/groups/grp_1/members": map[string]any{}, "POST /v1/groups": sales(w.now), "PATCH /v1/groups/grp_1": sales(w.now), "DELETE /v1/groups/grp_1": nil,
				"PUT /v1/connections/con_1/groups/grp_1": groupUse{Forecast: &forecast{Users: 3, Bound: 2}}, "DELETE /v1/connections/con_1/groups/grp_1": nil, "POST /v1/connections/con_1/licences/count": j,
				"POST /v1/connections/con_1/proposals/p-1/approve": nil, "POST /v1/connections/con_1/proposals/p-1/decline": nil, "POST /v1/users/usr_1/temporary-password": map[string]string{"password": "Kite-Lamp-42"}, "POST /v1/users/usr_1/move": movePreview{Release: itsChanges(directory.ChangePlanned).Items[:1]},
				"POST /v1/connections/con_1/protection/a-1/lift": nil, "DELETE /v1/connections/con_1/protection/a-1/lift": nil, "POST /v1/connections/con_1/domains": nil, "PATCH /v1/users/usr_2": nil, "DELETE /v1/connections/con_1/domains/old.example": nil})
			w.tell(map[string]any{"POST /v1/scim-clients": okta(w.now), "POST /v1/scim-clients/scl_1/take-back": j, "PATCH /v1/scim-clients/scl_1": okta(w.now), "DELETE /v1/scim-clients/scl_1": nil, "DELETE /v1/scim-clients/scl_1/tokens/sct_1": nil})
			of := proposals(w)
			w.tell(map[string]any{"GET /v1/connections/con_1/proposals/p-1": of["GET /v1/connections/con_1/proposals/p-1"], "GET /v1/connections/con_1/proposals/p-2": of["GET /v1/connections/con_1/proposals/p-2"], "POST /v1/connections/con_1/proposals/p-2/approve": nil})
			w.tell(map[string]any{"POST /v1/runs/run_1/decline": r, "POST /v1/runs/run_1/cancel": r, "POST /v1/runs/run_1/undo": r, "POST /v1/connections/con_1/runs": r})
			a := w.post(tt.path, w.seen(tt.path, tt.form)...)
			if got := strings.Join(w.told(), "; "); got != tt.calls || a.to != tt.to {
				t.Errorf("calls %q, want %q; %d to %q", got, tt.calls, a.code, a.to)
			}
		})
	}
}

// A lift is not approved by a sign-in of long ago, and the page of it says how.
func TestProposedLiftWantsFresh(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.tell(proposals(w))
	w.tell(map[string]any{"POST /v1/connections/con_1/proposals/p-2/approve": nil, "POST /v1/connections/con_1/proposals/p-1/approve": nil})
	w.pass(30 * time.Minute)
	const at = "/console/connections/con_1/proposals/p-2"
	if a := w.post(at+"/approve", "typed", "a-1"); a.code != http.StatusForbidden || len(w.told()) != 0 {
		t.Errorf("a lift: %d", a.code)
	}
	w.get(at).has(`action="/console/login"`, `name="to" value="`+at+`"`)
	if a := w.post("/console/connections/con_1/proposals/p-1/approve"); a.code != http.StatusSeeOther || len(w.told()) != 1 {
		t.Errorf("settings: %d", a.code)
	}
}

// No page of a list acts on all at once: a page with the number and what follows comes before.
func TestPagesBeforeAll(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	c := contoso(w.now)
	c.Status = directory.StatusDeactivated
	const at = "/console/connections/con_1"
	for list, tt := range map[string]struct {
		next, form string
		says       []string
	}{
		"/accounts": {"/import", "/import", []string{"accounts are new"}},
		"/bind":     {"/bind?whom=all", "/bind", []string{"104,217", "5,012", "within seconds"}},
		"/end":      {"/remove", "/remove", []string{"5,012"}},
	} {
		if list == "/end" {
			w.tell(map[string]any{"GET /v1/connections/con_1": c})
		}
		a := w.get(at + list)
		a.has(`href="` + at + tt.next + `"`)
		for _, f := range a.nodes("input") {
			if f["name"] == "all" || f["name"] == "previous" {
				t.Errorf("%s acts on all at once", list)
			}
		}
		if list == "/end" && strings.Contains(a.body, `action="`+at+`/remove"`) {
			t.Errorf("%s removes at once", list)
		}
		before := w.get(at + tt.next)
		before.has(append(tt.says, `action="`+at+tt.form+`"`)...)
	}
}

// The page before an import of all says the number of what the import does: an import that
// binds takes those whose user is in the directory as well. Where there is more than was
// counted, and where a number did not come, it does not say one that is too small.
func TestNumberBeforeImport(t *testing.T) {
	t.Parallel()
	const at = "/console/connections/con_1/import"
	some := func(n int, next string) page[candidate] {
		return page[candidate]{Items: make([]candidate, n), Next: next}
	}
	for name, tt := range map[string]struct {
		path       string
		fresh, old any
		says       []string
		button     string
	}{
		"bind":          {at + "?bind=1", some(0, ""), some(171, ""), []string{"0 accounts are new.", "171 accounts have users in the directory"}, "Import and bind 171 accounts"},
		"bind both":     {at + "?bind=1", some(3, ""), some(1, ""), []string{"3 accounts are new.", "1 account has a user in the directory"}, "Import and bind 4 accounts"},
		"bind many":     {at + "?bind=1", some(500, "more"), some(1, ""), []string{"500 accounts at least are new."}, "Import and bind all, at least 501 accounts"},
		"bind, late":    {at + "?bind=1", some(3, ""), problem{Status: 503}, []string{"3 accounts are new.", "Try again"}, "Import all and bind them"},
		"bind nobody":   {at + "?bind=1", some(0, ""), some(0, ""), []string{"0 accounts are new."}, ""},
		"import":        {at, some(3, ""), some(171, ""), []string{"3 accounts are new."}, "Import 3 accounts"},
		"import nobody": {at, some(0, ""), some(171, ""), []string{"0 accounts are new."}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunDone)
			w.tell(map[string]any{"GET /v1/connections/con_1/accounts": func(r *http.Request) any {
				if r.URL.Query().Get("filter") == "in-directory" {
					return tt.old
				}
				return tt.fresh
			}})
			a := w.get(tt.path)
			a.sound(name)
			a.has(tt.says...)
			if tt.button == "" {
				if strings.Contains(a.body, `action="`+at+`"`) {
					t.Error("there is a button for nothing")
				}
				return
			}
			a.has(">" + tt.button + "</button>")
		})
	}
}

// asSeen is the version in the form of a page, by seen.
const asSeen = "as seen"

// seen is a form with the version that is in the form of its page.
func (w *world) seen(path string, form []string) []string {
	form = slices.Clone(form)
	if at := slices.Index(form, asSeen); at >= 0 {
		if part := slices.Index(form, "part"); part >= 0 {
			path += "?part=" + form[part+1]
		}
		action, _, _ := strings.Cut(path, "?")
		form[at] = w.get(path).filled(action).Get("version")
	}
	return form
}

// A refusal of the API is shown with its cause, its next step and its code.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	w.tell(map[string]any{"POST /v1/runs/run_1/decline": problem{Status: 403, Code: "four-eyes", Detail: "You asked for it.", NextStep: "Ask somebody else.", Errors: []directory.FieldError{{Field: "mode", Detail: "loosens"}}}})
	a := w.send(http.MethodPost, "/console/runs/run_1/decline", url.Values{}, "Referer", publicURL+"/console/runs/run_1/decline")
	a.sound("refused")
	a.has("four-eyes", "You asked for it.", "Ask somebody else.", "loosens", "req-1", `href="/console/runs/run_1/decline"`)
	if a.code != 403 {
		t.Errorf("%d", a.code)
	}
}

// Names that somebody wrote to break out of a page, or to mislead about it, do neither.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	fields := regexp.MustCompile(`(?s)<textarea.*?</textarea>| value="[^"]*"`)
	for i, name := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`, `</title><h1>x</h1>`,
		"\u202Eevil\u202C", "a\x00b\x1b[31m", strings.Repeat("ä", 10_000), "../../v1/connections", "\xff\xfe", "{{.}}", "&lt;b&gt;", "مرحبا", "x\r\nSet-Cookie: a=b",
	} {
		w := runWorld(t, directory.RunHeld)
		c, r := contoso(w.now), aRun(w.now, directory.RunHeld)
		c.Name, c.Tenant.DisplayName, c.AuthorizedBy.UserPrincipalName = name, name, name
		r.AskedBy, r.ApprovedBy, r.Held.Reasons = name, name, []string{name}
		r.Held.Limits[0].Slice, r.Held.Limits[0].Worst = name, name
		r.Reason, r.EditedBy, r.UserIDs = name, []string{name}, []directory.UserID{directory.UserID(name), "usr_1"}
		r.Decisions = []directory.RunDecision{{Kind: directory.AuditKind(name), By: name, At: w.now, Reason: name}}
		n := attention{Counts: map[string]int{urgencyDecide: 1}, Next: name}
		for _, kind := range []string{"held-run", "confirmation", "proposal", "needs-authorization", "run-failed", "overdue", "problem", "finding", "lacking-permission", name} {
			for _, urgency := range []string{urgencyDecide, urgencyWaiting, name} {
				n.Items = append(n.Items, needed{Kind: kind, Urgency: urgency, ConnectionID: directory.ConnectionID(name), ConnectionName: name, Message: name, Next: name, RunID: directory.RunID(name), Code: name, Subject: name, AskedBy: name, Count: 1, Counts: map[directory.Effect]int{directory.Effect(name): 1}})
			}
		}
		list := itsChanges(directory.ChangePlanned)
		for j := range list.Items {
			x := &list.Items[j]
			x.UserPrincipalName, x.Department, x.Reason, x.Irreversible, x.ScopeName = name, name, name, name, name
			x.Error = &directory.Problem{Code: name, Message: name, Next: name, MicrosoftCode: name, RequestID: name}
			x.Properties = []directory.PropertyChange{{Name: name, Before: directory.StringValue(name), After: directory.ListValue(name, name), Irreversible: name},
				{Name: "jobTitle", Before: directory.StringValue("a text that is long enough " + name), After: directory.StringValue("a text that is long enough, too " + name)}}
		}
		list.Items[0].UserPrincipalName, list.Items[0].ScopeName, list.Items[0].UserID = "", "", directory.UserID(name)
		var e explanation
		e.Attributes = []explainedAttribute{{Name: name, Rule: name, Desired: directory.StringValue(name), Base: directory.StringValue("x"), Observed: directory.StringValue("y"), Note: name, Reason: name}}
		w.tell(map[string]any{"GET /v1/attention": n, "GET /v1/users/usr_1/explain": e, "GET /v1/runs/run_1": r, "GET /v1/runs/run_1/changes": list, "GET /v1/connections/con_1": c, "GET /v1/connections": page[connection]{Items: []connection{c}},
			"GET /v1/connections/con_1/runs":     page[directory.Run]{Items: []directory.Run{r}},
			"GET /v1/runs/run_1/parts":           parts{Departments: []part{{name, map[directory.Effect]int{directory.EffectBlock: 1}}, {"x", nil}}},
			"GET /v1/connections/con_1/problems": causes{Items: []cause{{Code: name, Message: name, Next: name, Users: 1}}},
			"GET /v1/connections/con_1/health": health{CheckedAt: &w.now, Findings: []finding{{Code: name, Severity: name, Subject: name, Evidence: name, Consequence: name, Next: name},
				{Code: directory.CodeDomainClaimedElsewhere, Subject: name, Values: map[string]any{"domain": name, "connection": name}}}}})
		u, b := ann(w.now), binding{UserID: "usr_1", ConnectionID: "con_1", UserPrincipalName: name, Status: directory.BindingFailed, Problem: &directory.Problem{Code: name, Message: name, Next: name}}
		u.DisplayName, u.Email, u.Department, u.CustomAttributes = name, name, name, map[string]string{"x": name}
		x := sales(w.now)
		x.Name, x.Description = name, name
		w.tell(map[string]any{"GET /v1/users": page[listedUser]{Items: []listedUser{{u, &boundTo{"con_1", name, directory.BindingFailed}}}}, "GET /v1/users/usr_1": u, "GET /v1/users/usr_1/bindings": page[userBinding]{Items: []userBinding{{binding: b, ConnectionName: name}}}, "GET /v1/connections/con_1/bindings": page[binding]{Items: []binding{b}},
			"GET /v1/groups": page[directory.Group]{Items: []directory.Group{x}}, "GET /v1/groups/grp_1": x, "GET /v1/groups/grp_1/members": page[member]{Items: []member{{Type: directory.MemberUser, ID: "usr_1", Name: name, Email: name}}},
			"GET /v1/connections/con_1/accounts":   page[candidate]{Items: []candidate{{ID: directory.AccountID(name), UserPrincipalName: name, DisplayName: name, Verdict: name, Detail: name}}},
			"GET /v1/activity":                     page[entry]{Items: []entry{{At: w.now, Kind: name, UserID: directory.UserID(name), By: name, Reason: name, Error: name, RequestID: name, RunID: directory.RunID(name)}}},
			"GET /v1/connections/con_1/protection": map[string]any{"accounts": []any{map[string]any{"accountId": name, "reason": name}}}})
		source := okta(w.now)
		source.Name, source.BasePath, source.Provider, source.Mapping = name, name, directory.ScimProvider(name), []directory.ScimMapping{{Schema: name, Attribute: name, Path: name}}
		pushed := directory.ScimRequest{At: w.now, TokenID: directory.ScimTokenID(name), Method: name, Path: name, Filter: []string{name}, Status: 400, ScimType: name, Detail: name, UserID: directory.UserID(name), GroupID: directory.GroupID(name), Sent: name, HolderID: name, Changed: []string{name}, Notes: []string{name}}
		source.LastRequest = &pushed
		w.tell(counting(directory.JobDone)(w))
		r.Held.Facts = append(r.Held.Facts, directory.HeldFact{Code: directory.HeldPushed, Name: name, ScimClientID: directory.ScimClientID("scl_" + name)}, directory.HeldFact{Code: directory.HeldPushed, Name: name})
		r.EditedBy = append(r.EditedBy, "scl_"+name)
		w.tell(map[string]any{"GET /v1/scim-clients": page[scimClient]{Items: []scimClient{source}, Next: name}, "GET /v1/scim-clients/scl_1": source, "GET /v1/scim-clients/scl_1/requests": page[directory.ScimRequest]{Items: []directory.ScimRequest{pushed}, Next: name},
			"GET /v1/scim-clients/scl_1/tokens": page[directory.ScimToken]{Items: []directory.ScimToken{{ID: "sct_1", Expires: w.now.Add(time.Hour)}, {ID: directory.ScimTokenID(name), Expires: w.now.Add(time.Hour)}}}, "GET /v1/runs/run_1": r,
			"GET /v1/users/usr_1": shownUser{User: u, PushedBy: []pusher{{directory.ScimClientID(name), name}}}})
		c.Settings.DomainMap, c.Settings.Protected, c.Settings.DefaultDomain = map[string]string{name: name}, []string{name}, name
		w.tell(map[string]any{"GET /v1/connections/con_1": c, "GET /v1/names": named{names{"usr_1": name, "grp_1": name, "con_1": name}}})
		for _, path := range append(everyPage(), "/console/users?s=1.x7", "/console/users/many?do=suspend&s=1", "/console/users/many?do=bind&whom=filter",
			"/console/groups/grp_1?show=above", "/console/groups/grp_1?show=all", "/console/sources/scl_1/check?token=x", "/console/sources/scl_1/take-back?since=2026-11-28&job=job_2", "/console/sources/scl_1/requests?only=refused", "/console/runs/run_1?open=0.1", "/console/runs/run_1/approve?what=all", "/console/runs/run_1/approve?what=filter&effect=block", "/console/connections/con_1/problems/"+url.PathEscape("x"+name),
			"/console/runs/run_1?department="+url.QueryEscape(string([]rune(name)[:min(len([]rune(name)), 100)]))+"&next="+url.QueryEscape(name[:min(len(name), 100)])) {
			a := w.get(path)
			where := fmt.Sprintf("name %d, %.60s", i, path)
			a.sound(where)
			for _, n := range a.nodes("a") {
				if !local(n["href"]) && !strings.HasPrefix(n["href"], "#") {
					t.Errorf("%s: a link to %q", where, n["href"])
				}
			}
			foreign := slices.ContainsFunc(a.nodes("img"), func(n map[string]string) bool { return !strings.HasPrefix(n["src"], "/console/") })
			if foreign || len(a.nodes("img")) > 2 || len(a.nodes("script")) != 1 {
				t.Errorf("%s: markup of others is on the page", where)
			}
			// A field that is edited, or ticked, has what is there, to the letter.
			shown := fields.ReplaceAllString(a.body, "")
			if strings.ContainsAny(shown, "\u202E\x00\x1b") {
				t.Errorf("%s: characters that act on the text around them", where)
			}
			if len(a.body) > 200_000 {
				t.Errorf("%s: %d bytes", where, len(a.body))
			}
		}
	}
}

// everyPage are all pages of the table of routes, of the things that runWorld knows.
func everyPage() (list []string) {
	things := map[string]string{"connections": "con_1", "runs": "run_1", "users": "usr_1", "groups": "grp_1", "jobs": "job_1", "members": "usr_1", "sources": "scl_1", "tokens": "sct_1", "problems": "paused-leaver", "protection": "5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", "proposals": "p-1"}
	for _, r := range routes {
		last := r.path[strings.LastIndex(r.path, "/")+1:]
		if r.method != http.MethodGet || r.open || strings.Contains(last, ".") || last == "photo" {
			continue
		}
		parts := strings.Split(strings.TrimSuffix(r.path, "/{$}"), "/")
		for i, p := range parts {
			if strings.HasPrefix(p, "{") {
				parts[i] = things[parts[i-1]]
			}
		}
		path := strings.Join(parts, "/")
		switch last {
		case "explain":
			path += "?connection=con_1"
		case "search":
			path += "?text=ann"
		}
		list = append(list, path)
	}
	return list
}

// The largest page that admins meet stays small: changes of a run of 5,000, of few
// properties, and of all that a new account has.
func TestPageSize(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	list := page[directory.Change]{Next: "more"}
	for i := range changesPerPage {
		c := itsChanges(directory.ChangePlanned).Items[i%16]
		c.ID = directory.ChangeID(fmt.Sprintf("run_1.0.%d", i))
		list.Items = append(list.Items, c)
	}
	for _, properties := range []int{3, 24} {
		for i := range list.Items {
			c := &list.Items[i]
			c.UserID, c.Properties = directory.UserID(fmt.Sprintf("usr_%d", i)), nil
			for n := range properties {
				c.Properties = append(c.Properties, directory.PropertyChange{Name: fmt.Sprintf("extensionAttribute%d", n), Before: directory.Null, After: directory.StringValue("of an ordinary length")})
			}
		}
		w.tell(map[string]any{"GET /v1/runs/run_1/changes": list})
		a := w.get("/console/runs/run_1")
		if len(a.body) > largestPage {
			t.Errorf("a page of %d changes of %d properties has %d bytes", len(list.Items), properties, len(a.body))
		}
		if properties > fewProperties {
			a.has(`<details><summary>`) // the first ones stand there whole
		}
		if all := properties*len(list.Items) > mostLines+fewProperties*len(list.Items); all {
			a.has(`href="/console/runs/run_1?user=usr_24"`) // and of the last ones it says where they do
		}
	}
	// A hundred connections, each with all that can be wrong; a decision about many.
	var cons page[connection]
	var days page[dayOf]
	needs := attention{Counts: map[string]int{}, Next: "more"}
	some, _ := attentive(w)["GET /v1/attention"].(attention)
	for i := range 100 {
		c := contoso(w.now)
		c.ID, c.Name = directory.ConnectionID(fmt.Sprintf("con_06h2geyd847fjgxc49hrv%03d", i)), fmt.Sprintf("Subsidiary number %d", i)
		if i < 20 {
			cons.Items = append(cons.Items, c)
		}
		for n := range sparkDays {
			days.Items = append(days.Items, dayOf{day{w.now.AddDate(0, 0, -n).Format(time.DateOnly), map[directory.Effect]map[directory.ChangeState]int{directory.EffectUpdate: {directory.ChangeApplied: 7 * n, directory.ChangeFailed: n}}}, c.ID})
		}
		for _, n := range some.Items {
			n.ConnectionID, n.ConnectionName = c.ID, c.Name
			needs.Items = append(needs.Items, n)
			needs.Counts[n.Urgency]++
		}
	}
	cons.Next = "more"
	w.tell(map[string]any{"GET /v1/connections": cons, "GET /v1/attention": needs, "GET /v1/activity/summary": days})
	if a := w.get("/console"); len(a.body) > largestPage || strings.Count(a.body, `class="item `) != 4*homeItems {
		t.Errorf("home has %d bytes, %d things", len(a.body), strings.Count(a.body, `class="item `))
	}
	w.tell(manyChanges(w))
	if a := w.get("/console/runs/run_1/approve?what=all"); len(a.body) > largestPage {
		t.Errorf("a decision has %d bytes", len(a.body))
	}
}

// largestPage is how many bytes a page has at most.
const largestPage = 60_000

// The crawler goes to every address that pages lead to, from home on, and each answers.
func TestCrawl(t *testing.T) {
	t.Parallel()
	for _, state := range []directory.RunState{directory.RunHeld, directory.RunDone, directory.RunPlanned, directory.RunApplying} {
		w := runWorld(t, state)
		todo, seen := []string{"/console"}, map[string]bool{}
		for len(todo) > 0 {
			path, _, _ := strings.Cut(todo[0], "#")
			todo = todo[1:]
			if seen[path] || len(seen) > 400 {
				continue
			}
			seen[path] = true
			a := w.get(path)
			for a.code == http.StatusSeeOther && local(a.to) {
				a = w.get(a.to)
			}
			if a.code >= 400 {
				t.Errorf("%s: %d", path, a.code)
				continue
			}
			if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
				continue
			}
			a.sound(path)
			for _, n := range a.nodes("a") {
				if to := n["href"]; local(to) && !strings.HasPrefix(to, "/console/login") {
					todo = append(todo, to)
				}
			}
			for _, n := range a.nodes("form") {
				if n["method"] == "get" {
					todo = append(todo, n["action"])
					continue
				}
				found := false
				for _, rt := range routes {
					if rt.method == http.MethodPost && matches(rt.path, n["action"]) {
						found = true
					}
				}
				if !found {
					t.Errorf("%s: a form goes to %s, where nothing is", path, n["action"])
				}
			}
		}
		if len(seen) < 12 {
			t.Errorf("the crawler saw only %d pages", len(seen))
		}
	}
}

// matches reports whether a path is one of a pattern's.
func matches(pattern, path string) bool {
	a, b := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], "{") {
			return false
		}
	}
	return true
}

// A setting that loosens, without the right to decide it, is refused; what was typed stays
// in the form, and the fields that are to blame say why.
func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.tell(map[string]any{"PATCH /v1/connections/con_1": problem{Status: 403, Code: "needs-approve", Detail: "It loosens.", Errors: []directory.FieldError{{Field: "settings.onDelete", Detail: "is looser"}, {Field: "settings.guard.block.count", Detail: "is looser"}}}})
	form := []string{"version", asSeen, "onDelete", "delete", "protectGroups", "true", "import.attributes", "jobTitle", "list", "import.attributes"}
	a := w.post(settingsForm, w.seen(settingsForm, form)...)
	a.sound("settings")
	if a.code != 403 {
		t.Errorf("%d", a.code)
	}
	a.has("needs-approve", `value="delete" selected`, "is looser", `name="import.attributes" value="jobTitle" checked`)
	a = w.post(settingsForm, w.seen(settingsForm, []string{"version", asSeen, "part", "guard", "guard.block.count", "900"})...)
	a.sound("guard")
	a.has("needs-approve", `value="900"`, "is looser")
}

// Two who edit one user at once: the second sees both versions, and decides.
func TestStaleUser(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.tell(map[string]any{"PATCH /v1/users/usr_1": problem{Status: 412, Code: "changed-meanwhile"}})
	for _, version := range []string{"6", "7"} { // seen before, and between the read and the write
		a := w.post("/console/users/usr_1/edit", "version", version, "department", "Research", "jobTitle", "Head of Sales")
		a.sound("stale")
		if a.code != 412 {
			t.Errorf("%d", a.code)
		}
		a.has("Somebody changed it meanwhile", `value="Research"`, "Both of you have changed this", "Sales", `name="version" value="7"`)
	}
	// What is wrong with a form takes nothing of that away: it does not become one of the
	// version of now without both being shown.
	w.tell(map[string]any{"GET /v1/users/usr_1": func(*http.Request) any {
		u := ann(w.now)
		u.Version, u.JobTitle = 8, "Ben's title"
		return u
	}})
	w.told()
	a := w.post("/console/users/usr_1/edit", "version", "7", "jobTitle", "Engineer", "managerId", "nobody@contoso.example")
	a.sound("stale and wrong")
	a.has("Somebody changed it meanwhile", "Ben&#39;s title", "No user has this e-mail address.", `name="version" value="8"`)
	if calls := w.told(); a.code != 412 || len(calls) > 0 {
		t.Errorf("%d, %v", a.code, calls)
	}
	for _, path := range []string{"/console/users/usr_1/suspend", "/console/users/usr_1/delete", "/console/groups/grp_1/delete"} {
		w.tell(map[string]any{"POST /v1/users/usr_1/suspend": problem{Status: 412}, "DELETE /v1/users/usr_1": problem{Status: 412}, "DELETE /v1/groups/grp_1": problem{Status: 412}})
		if a := w.post(path, "version", "6"); a.code != 412 || !strings.Contains(a.body, "Somebody changed it meanwhile") {
			t.Errorf("%s: %d", path, a.code)
		}
	}
}

// A link to an authorisation is shown to the browser that asked for it, and only if it is
// one of ours.
func TestAuthorizationLink(t *testing.T) {
	t.Parallel()
	const ours = publicURL + "/oauth/start?state=x"
	for to, want := range map[string]bool{ours: true, "https://evil.example/oauth/start?state=x": false, publicURL + "/oauth/start/../../x?a=b": false, "javascript:alert(1)": false, publicURL + ".evil.example/oauth/start?x": false} {
		w := runWorld(t, directory.RunDone)
		w.tell(pending(w))
		w.tell(map[string]any{"POST /v1/connections/con_1/authorize": map[string]string{"authorizationUrl": to}})
		if a := w.post("/console/connections/con_1/authorize"); a.to != "/console/connections/con_1" {
			t.Errorf("%d to %q", a.code, a.to)
		}
		a := w.get("/console/connections/con_1")
		a.sound(to)
		if got := strings.Contains(a.body, strings.ReplaceAll(ours, "&", "&amp;")); got != want {
			t.Errorf("%q is shown: %v", to, got)
		}
		if strings.Contains(a.body, "evil") || strings.Contains(a.body, "javascript:") {
			t.Errorf("%q is on the page", to)
		}
		delete(w.jar, "__Host-bindery-link")
		if a := w.get("/console/connections/con_1"); strings.Contains(a.body, ours) {
			t.Error("another browser sees the link")
		}
	}
}

// A file goes to the API as it is; one that is packed, and too large for a body, by an
// upload; and so does one that is only checked, so that it can be loaded after. What is too
// large, or none, loads nothing.
func TestLoad(t *testing.T) {
	t.Parallel()
	const file = "email\nann@contoso.example\n"
	large := strings.Repeat(file, 200_000)
	pack := func(s string) string {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		_, _ = io.WriteString(z, s)
		z.Close()
		return b.String()
	}
	uploads := fmt.Sprintf(`POST /v1/uploads {"bytes":%d}`, len(large))
	for name, tt := range map[string]struct {
		file  string
		parts []string
		calls []string // how each begins
		code  int
		to    string
	}{
		"users":           {file, []string{"of", "users"}, []string{"POST /v1/users:load email\nann@contoso.example"}, 303, "/console/jobs/job_1"},
		"packed":          {pack(file), []string{"of", "users"}, []string{"POST /v1/users:load email\nann@contoso.example"}, 303, "/console/jobs/job_1"},
		"groups":          {"name\nSales\n", []string{"of", "groups"}, []string{"POST /v1/groups:load name\nSales"}, 303, "/console/jobs/job_1"},
		"checked":         {"email\n", []string{"of", "users", "check", "1", "unknown", "ignore"}, []string{`POST /v1/uploads {"bytes":6}`, "PUT /uploads/upl_1 email", "POST /v1/users:load"}, 303, "/console/jobs/job_1?of=users&unknown=ignore&upload=upl_1"},
		"large":           {pack(large), []string{"of", "users"}, []string{uploads, "PUT /uploads/upl_1 email\nann@", "POST /v1/users:load"}, 303, "/console/jobs/job_1"},
		"large, checked":  {pack(large), []string{"of", "groups", "check", "1"}, []string{uploads, "PUT /uploads/upl_1 email\nann@", "POST /v1/groups:load"}, 303, "/console/jobs/job_1?of=groups&upload=upl_1"},
		"no file":         {"", []string{"of", "users"}, nil, 303, "/console/users/load"},
		"too large":       {strings.Repeat("x", maxFile+maxForm+1), nil, nil, 413, ""},
		"much worse":      {strings.Repeat("x", maxFile+2*maxForm), nil, nil, 413, ""},
		"a bomb":          {pack(strings.Repeat("\x00", maxUpload+1)), nil, nil, 413, ""},
		"damaged":         {pack(file)[:12], nil, nil, 400, ""},
		"damaged header":  {"\x1f\x8b\x00", nil, nil, 400, ""},
		"damaged, checks": {pack(large)[:2000], []string{"check", "1"}, nil, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunDone)
			w.tell(map[string]any{"POST /v1/users:load": job{Job: directory.Job{ID: "job_1"}}, "POST /v1/groups:load": job{Job: directory.Job{ID: "job_1"}}, "PUT /uploads/upl_1": nil,
				"POST /v1/uploads": map[string]any{"id": "upl_1", "method": "PUT", "url": publicURL + "/uploads/upl_1?signature=s", "headers": map[string]string{"If-None-Match": "*"}}})
			a := w.upload("/console/users/load", tt.file, tt.parts...)
			told := w.told()
			if len(told) != len(tt.calls) || a.code != tt.code || a.to != tt.to {
				t.Fatalf("%d to %q, %d calls: %.100q", a.code, a.to, len(told), told)
			}
			for i, want := range tt.calls {
				if !strings.HasPrefix(told[i], want) {
					t.Errorf("call %.100q, want %.100q", told[i], want)
				}
				if strings.HasPrefix(want, "PUT") && tt.file == pack(large) && strings.TrimPrefix(told[i], "PUT /uploads/upl_1 ") != strings.TrimSpace(large) {
					t.Errorf("%d bytes of another file", len(told[i]))
				}
			}
			if log := w.log.String(); strings.Contains(log, "signature") {
				t.Errorf("the signed address is in the log: %s", log)
			}
		})
	}
	w := signed(t, scopeRead)
	if a := w.upload("/console/users/load", "email\n"); a.code != http.StatusForbidden || len(w.told()) > 0 {
		t.Errorf("without the scope: %d", a.code)
	}
}

// What /v1, or the store of uploads, does not take is told where the file was chosen; the
// token goes to neither of them but /v1, and what was checked is loaded by its name.
func TestLoadRefused(t *testing.T) {
	t.Parallel()
	ok := map[string]any{"id": "upl_1", "method": "PUT", "url": publicURL + "/uploads/upl_1?signature=s"}
	w := runWorld(t, directory.RunDone)
	w.tell(map[string]any{"POST /v1/users:load": problem{Status: 422, Code: "invalid-file", Detail: "The file was not accepted.", Errors: []directory.FieldError{{Field: "column Emial", Detail: "is not known; email may be meant"}}}})
	a := w.upload("/console/users/load", "emial\n", "of", "users", "unknown", "ignore")
	a.sound("refused")
	a.has("is not known; email may be meant", `value="ignore" checked`, "invalid-file", `<a href="#file"><code>column Emial</code>`, `aria-describedby="load-fault file-fault" aria-invalid="true"`)
	if a.code != 422 {
		t.Errorf("%d", a.code)
	}
	for name, answer := range map[string]any{"refused": problem{Status: 403}, "away": problem{Status: 503}} {
		w.tell(map[string]any{"POST /v1/uploads": ok, "PUT /uploads/upl_1": answer})
		w.told()
		if a := w.upload("/console/users/load", "email\n", "check", "1"); a.code != 502 || len(w.told()) != 2 {
			t.Errorf("%s: %d", name, a.code)
		}
	}
	w.mu.Lock()
	if w.tokens[len(w.tokens)-1] != "" {
		t.Error("the token went along with the file")
	}
	w.mu.Unlock()
	w.tell(map[string]any{"POST /v1/groups:load": func(r *http.Request) any {
		if got := r.URL.RawQuery; got != "unknownColumns=ignore&upload=upl_1" {
			t.Errorf("asked with %q", got)
		}
		return job{Job: directory.Job{ID: "job_2"}}
	}})
	if a := w.post("/console/users/load", "upload", "upl_1", "of", "groups", "unknown", "ignore", "status", "true"); a.to != "/console/jobs/job_2" {
		t.Errorf("%d to %q", a.code, a.to)
	}
}

// The file of refused lines has them all, and nothing that a spreadsheet would compute.
func TestRefusedCSV(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	w.tell(map[string]any{"GET /v1/jobs/job_1": func(r *http.Request) any {
		j := job{Job: directory.Job{ID: "job_1"}, Refused: []directory.RefusedItem{{Line: 3, Name: "=cmd()", Code: "invalid", Detail: "email: \"x\", no address"}}, Next: "two"}
		if r.URL.Query().Get("next") == "two" {
			j.Refused, j.Next = []directory.RefusedItem{{AccountID: "a-1", Code: "guest", Detail: "Guests are not imported."}}, ""
		}
		return j
	}})
	a := w.get("/console/jobs/job_1/refused.csv")
	if want := "line,what,code,why\n3,'=cmd(),invalid,\"email: \"\"x\"\", no address\"\n,a-1,guest,Guests are not imported.\n"; a.body != want || a.code != 200 {
		t.Errorf("%d %q", a.code, a.body)
	}
}

// A picture comes from our own address, and nothing but a picture does.
func TestPhoto(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]picture{"image/jpeg": {"image/jpeg", "picture"}, "image/png": {"image/png", "picture"}, "image/svg+xml": noPicture, "text/html": noPicture} {
		w := runWorld(t, directory.RunDone)
		w.c.api.Transport = transport{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(rw, "picture")
		})}
		if a := w.get("/console/users/usr_1/photo"); a.code != http.StatusOK || a.body != want.body || a.header.Get("Content-Type") != want.kind {
			t.Errorf("%s: %d %s %q", kind, a.code, a.header.Get("Content-Type"), a.body)
		}
	}
	w := runWorld(t, directory.RunDone)
	if a := w.get("/console/users/usr_1/photo"); a.code != http.StatusOK || a.body != noPicture.body {
		t.Errorf("no picture: %d %q", a.code, a.body)
	}
}

// BenchmarkRunPage is what a page of 50 changes costs, without the API's part.
func BenchmarkRunPage(b *testing.B) {
	v := &visit{c: &Console{}, r: httptest.NewRequest(http.MethodGet, publicURL+"/console/runs/run_1", nil), s: &session{Scopes: allScopes}}
	v.c.cfg.Now = time.Now
	rv := runView{run: aRun(time.Now(), directory.RunHeld), changes: page[directory.Change]{Next: "more"}}
	for i := range changesPerPage {
		c := itsChanges(directory.ChangePlanned).Items[i%16]
		c.ID = directory.ChangeID(fmt.Sprintf("run_1.0.%d", i))
		rv.changes.Items = append(rv.changes.Items, c)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := v.frame(view{title: "run", body: []g.Node{v.runSummary(&rv), v.heldBox(&rv), v.changeList(&rv)}}).Render(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// Until a day means with it, on the page, in its files and on their next pages; a time is
// taken as it is, and stays in the form. A file ends now, where its day is not over: what is
// done meanwhile would shift its parts.
func TestActivityUntil(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	for until, want := range map[string]string{"2026-11-27": "2026-11-28", "2026-11-28": "2026-11-29", "2026-12-31": "2027-01-01", "2026-11-28T10:00:00Z": "2026-11-28T10%3A00%3A00Z", "x": "x"} {
		for _, path := range []string{"/console/activity", "/console/activity.csv", "/console/activity.jsonl"} {
			w.read()
			want := want
			if path != "/console/activity" && len(want) == len(time.DateOnly) && want > "2026-11-28" {
				want = url.QueryEscape(w.now.Format(time.RFC3339))
			}
			a := w.get(path + "?since=2026-11-28&until=" + url.QueryEscape(until))
			if !slices.ContainsFunc(w.read(), func(s string) bool {
				return strings.HasPrefix(s, "/v1/activity?") && strings.Contains(s, "since=2026-11-28&until="+want) && !strings.Contains(s, want+"T")
			}) {
				t.Errorf("%s until %s is not asked until %s", path, until, want)
			}
			if path == "/console/activity" {
				a.has(`name="until" value="`+until+`"`, "(UTC)", "/console/activity.csv?since=2026-11-28&amp;until="+url.QueryEscape(until))
				if day := strings.Contains(a.body, `type="date" name="until"`); day != (len(until) == len(time.DateOnly)) {
					t.Errorf("until %s is a field of a day: %v", until, day)
				}
			}
		}
	}
}

// A filter that is none is refused, and nothing is called: without it a list, and an act,
// would be of more than was meant.
func TestUnfitFilter(t *testing.T) {
	t.Parallel()
	unseen, long := "\u200eBob", strings.Repeat("Abteilung ", 21)
	for _, value := range []string{unseen, long, "a\nb"} {
		of := url.QueryEscape(value)
		w := runWorld(t, directory.RunHeld)
		w.read()
		for _, path := range []string{
			"/console/users?text=" + of, "/console/users/many?do=suspend&whom=filter&text=" + of, "/console/users/many?do=bind&whom=filter&state=" + of,
			"/console/runs/run_1?department=" + of, "/console/runs/run_1/approve?what=filter&effect=block&department=" + of, "/console/runs/run_1/approve?what=filter&user=" + of, "/console/runs/run_1/changes.csv?user=" + of,
			"/console/activity?userId=" + of, "/console/activity.csv?connectionId=" + of, "/console/groups?text=" + of, "/console/jobs?kind=" + of, "/console/users/usr_1/explain?connection=" + of,
			"/console/connections/con_1/accounts?filter=" + of, "/console/connections/con_1/groups?group=" + of, "/console/connections/con_1/tenant-groups?name=" + of, "/console/users/load?sheet=" + of,
		} {
			a := w.get(path)
			read := slices.DeleteFunc(w.read(), func(s string) bool { return strings.HasPrefix(s, "/v1/attention") }) // of the frame
			if a.code != http.StatusBadRequest || len(read) > 0 {
				t.Errorf("%s: %d, read %v", path, a.code, read)
			}
			a.sound(path)
			a.has("nothing was done")
		}
		for path, form := range map[string][]string{
			"/console/users/many":         {"do", "suspend", "whom", "filter", "text", value, "count", "1"},
			"/console/runs/run_1/approve": {"what", "filter", "effect", "block", "department", value, "count", "3"},
			"/console/users/load":         {"upload", "upl_1", "sheet", value},
		} {
			if a := w.post(path, form...); a.code != http.StatusBadRequest || len(w.told()) > 0 {
				t.Errorf("POST %s: %d", path, a.code)
			}
		}
	}
	// What a link of ours narrows down by stays narrowed down by.
	w := runWorld(t, directory.RunDone)
	w.get("/console/runs/run_1?user=usr_1").has("/console/runs/run_1/changes.csv?user=usr_1")
}

// A run of which a part was approved says its numbers of that part, and a list what was written
// of what was planned.
func TestPartlyApproved(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunApplying)
	r := aRun(w.now, directory.RunApplying)
	r.Counts, r.Applied, r.Failed, r.Refused, r.Approved = map[directory.Effect]int{directory.EffectAdopt: 173}, 1, 0, 170, new(3)
	w.tell(map[string]any{"GET /v1/runs/run_1": r})
	a := w.get("/console/runs/run_1")
	a.has("Writing: 1 of 3, 0 failed.", "(1 of 3)", `max="3" value="1"`)
	r.State, r.Applied, r.EndedAt = directory.RunDone, 3, w.now
	w.tell(map[string]any{"GET /v1/connections/con_1/runs": page[directory.Run]{Items: []directory.Run{r}}})
	w.get("/console/connections/con_1/runs").has("Adopt 173 accounts", "3 of 173 written")
}

// A member of whom changes were declined is not shown as in sync beside it.
func TestDeclinedIsNotInSync(t *testing.T) {
	t.Parallel()
	b := binding{Status: directory.BindingInSync}
	if _, word := b.word(); word != textInSync {
		t.Errorf("%v", word)
	}
	b.Findings = []directory.Problem{{Code: directory.CodeDeclined, Message: "An admin declined 1 of the changes of this user (adopt)."}}
	if tone, word := b.word(); word != textNotAllAgreed || tone == toneGood {
		t.Errorf("%v, %v", tone, word)
	}
}
