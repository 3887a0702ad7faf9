package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// refusedForm is a form that is refused, and the fields that are to blame, by their IDs.
type refusedForm struct {
	state  directory.RunState
	path   string
	form   []string
	tell   map[string]any
	fields []string
	code   int
}

// page is the answer to the form, in a language.
func (f refusedForm) page(t *testing.T, lang string) answered {
	t.Helper()
	w := runWorld(t, f.state)
	w.tell(f.tell)
	form := url.Values{}
	for i := 0; i+1 < len(f.form); i += 2 {
		form.Add(f.form[i], f.form[i+1])
	}
	if strings.HasSuffix(f.path, "/settings") && strings.Contains(f.path, "/connections/") {
		seen := w.seen(settingsForm, slices.Clone(f.form))
		form = url.Values{}
		for i := 0; i+1 < len(seen); i += 2 {
			form.Add(seen[i], seen[i+1])
		}
	}
	return w.send(http.MethodPost, f.path, form, "Accept-Language", lang)
}

// faulty is what /v1 says of a form with faults, which stand as "field: detail".
func faulty(faults ...string) problem {
	p := problem{Status: http.StatusUnprocessableEntity, Code: "invalid-input", Detail: "It was not accepted.", NextStep: "Mend it, and send it again."}
	for _, f := range faults {
		field, detail, _ := strings.Cut(f, ": ")
		p.Errors = append(p.Errors, directory.FieldError{Field: field, Detail: detail})
	}
	return p
}

// refusedForms are forms of every kind, refused, by the names of their golden files.
func refusedForms() map[string]refusedForm {
	const use = "/console/connections/con_1/groups/grp_1"
	useVersion := []string{"version", "none"}
	return map[string]refusedForm{
		"refused-user": {directory.RunDone, "/console/users/usr_1/edit", []string{"version", "7", "email", "ann", "phones.work", "x", "jobTitle", "Head of Sales"},
			map[string]any{"PATCH /v1/users/usr_1": faulty("email: must be an address", "phones.work: must be a number", "customAttributes: has too many entries")}, []string{"in-email", "in-phones.work"}, 422},
		"refused-manager": {directory.RunDone, "/console/users/new", []string{"email", "bo@contoso.example", "managerId", "nobody@contoso.example"}, nil, []string{"in-managerId"}, 422},
		"refused-connection": {directory.RunDone, "/console/connections/new", []string{"name", "x", "expectedDomain", "contoso", "mode", "approve"},
			map[string]any{"POST /v1/connections": faulty("expectedDomain: must be a domain such as contoso.com")}, []string{"expectedDomain"}, 422},
		"refused-settings": {directory.RunDone, "/console/connections/con_1/settings", []string{"version", asSeen, "defaultDomain", "x", "protectGroups", "true", "list", "import.attributes", "import.attributes", "jobTitle"},
			map[string]any{"PATCH /v1/connections/con_1": faulty("settings.defaultDomain: must be a domain", "settings.import.attributes[0]: is not known", "settings.domainMap.contoso.example: maps to nothing")},
			[]string{"in-defaultDomain", "in-import.attributes", "in-domainMap"}, 422},
		"refused-guard": {directory.RunDone, "/console/connections/con_1/settings", []string{"version", asSeen, "part", "guard", "guard.block.count", "900"},
			map[string]any{"PATCH /v1/connections/con_1": faulty("settings.guard.block.count: would be looser than it is")}, []string{"in-guard.block.count"}, 422},
		"refused-properties": {directory.RunDone, "/console/connections/con_1/settings", []string{"version", asSeen, "part", "properties", "foreignChange.jobTitle", "report"},
			map[string]any{"PATCH /v1/connections/con_1": faulty("settings.foreignChange.jobTitle: is written by nobody")}, []string{"in-foreignChange.jobTitle"}, 422},
		"refused-group": {directory.RunDone, "/console/groups/new", []string{"name", "Sales", "mailNickname", "ä"},
			map[string]any{"POST /v1/groups": faulty("name: is that of another group", "mailNickname: must be ASCII")}, []string{"name", "mailNickname"}, 422},
		"refused-use": {directory.RunDone, use, append(slices.Clone(useVersion), "preview", "1", "sku", "SPE_E3", "via SPE_E3", "group", "export", "security", "adopt", "x"),
			map[string]any{"PUT /v1/connections/con_1/groups/grp_1": faulty("licences[0].via: only a group that is exported gives licences itself", "export.adopt: is no ID")}, []string{"via-0", "adopt"}, 422},
		"refused-priority": {directory.RunDone, use, append(slices.Clone(useVersion), "preview", "1", "sku", "SPE_E3", "priority SPE_E3", "first"), nil, []string{"priority-0"}, 422},
		"refused-source": {directory.RunDone, "/console/sources/scl_1/settings", []string{"version", "3", "name", " ", "silentDays", "99", "schema", "urn:x", "attribute", "shoe", "path", "email"},
			map[string]any{"PATCH /v1/scim-clients/scl_1": faulty("name: must have 1 to 100 characters", "silentDays: must be 0 to 90", "mapping[0].path: must be a custom attribute")}, []string{"name", "silentDays", "mapping-0-path"}, 422},
		"refused-move": {directory.RunDone, "/console/users/usr_1/move", []string{"to", "con_1", "email", "x", "preview", "1"},
			map[string]any{"POST /v1/users/usr_1/move": faulty("email: must be an address", "connectionId: is the one that has the user")}, []string{"email", "to"}, 422},
		"refused-end":     {directory.RunDone, "/console/connections/con_1/end", []string{"typed", "Fabrikam"}, nil, []string{"typed"}, 422},
		"refused-delete":  {directory.RunDone, "/console/sources/scl_1/delete", []string{"version", "3", "typed", "Entra"}, nil, []string{"typed"}, 422},
		"refused-approve": {directory.RunHeld, "/console/runs/run_1/approve", []string{"what", "all", "count", "16", "typed", "15"}, nil, []string{"typed"}, 422},
		"refused-plan":    {directory.RunHeld, "/console/runs/run_1/approve", []string{"what", "all", "count", "12", "typed", "12"}, nil, nil, 422},
		"refused-lift":    {directory.RunDone, "/console/connections/con_1/protection/a-1234", []string{"typed", "9999", "minutes", "20", "reason", "repair"}, nil, []string{"typed"}, 422},
		"refused-minutes": {directory.RunDone, "/console/connections/con_1/protection/a-1234", []string{"typed", "1234", "minutes", "0", "reason", "repair"},
			map[string]any{"POST /v1/connections/con_1/protection/a-1234/lift": faulty("minutes: must be 1 to 1440")}, []string{"minutes"}, 422},
		"refused-proposal": {directory.RunDone, "/console/connections/con_1/proposals/p-9/approve", []string{"typed", "x"},
			map[string]any{"GET /v1/connections/con_1/proposals/p-9": proposal{Proposal: directory.Proposal{ID: "p-9", Kind: directory.ProposalLift, By: "ben", Lift: &directory.ProposedLift{AccountID: "a-1234", Minutes: 30, Reason: "repair"}}}}, []string{"typed"}, 422},
	}
}

// Whatever form is refused says so in a list on top, which has the focus and leads to each
// field that is to blame; the field is marked, and described by its fault.
func TestRefusedForms(t *testing.T) {
	t.Parallel()
	for name, f := range refusedForms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := f.page(t, "en")
			if a.code != f.code {
				t.Errorf("answered %d, want %d", a.code, f.code)
			}
			a.sound(name)
			a.golden(name)
			a.has(`<section id="faults" class="box bad" tabindex="-1" autofocus aria-labelledby="faults-title">`)
			var led []string
			for _, at := range a.nodes("a") {
				if id, is := strings.CutPrefix(at["href"], "#"); is && id != "main" {
					led = append(led, id)
				}
			}
			if !slices.Equal(led, f.fields) {
				t.Errorf("the list leads to %v, want %v", led, f.fields)
			}
			marked := map[string]bool{}
			for _, kind := range []string{"input", "select", "textarea", "fieldset"} {
				for _, at := range a.nodes(kind) {
					if at["aria-invalid"] == "true" {
						by := strings.Fields(at["aria-describedby"])
						id := strings.TrimSuffix(by[len(by)-1], "-fault") // of a group of boxes the list leads to the first
						if id == by[len(by)-1] || kind != "fieldset" && id != at["id"] {
							t.Errorf("%s is described by %q", at["id"], by)
						}
						marked[id] = true
					}
				}
			}
			if want := slices.Sorted(slices.Values(f.fields)); !slices.Equal(slices.Sorted(maps.Keys(marked)), want) {
				t.Errorf("marked are %v, want %v", marked, want)
			}
			other := f.page(t, "de")
			other.sound(name + " in German")
		})
	}
}
