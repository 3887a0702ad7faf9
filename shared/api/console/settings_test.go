package console

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"bindery/shared/directory"
)

// everySetting has a value for each key that settings know, other than without one.
func everySetting() directory.Settings {
	limit := directory.Limit{Count: new(3), Share: new(0.5), Count24h: new(4), Share24h: new(0.25), Count7d: new(50), Share7d: new(0.75), By: []directory.Dimension{directory.ByDomain}}
	scoped := limit
	scoped.CountGroup, scoped.ShareGroup = new(7), new(0.1)
	return directory.Settings{
		Attributes:    map[string]directory.AttributeRule{"department": {Export: true, Clear: true}, "extensionAttribute3": {Export: true, From: "badge"}},
		DomainMap:     map[string]string{"here.example": "there.example", "old.example": "new.example"},
		DefaultDomain: "rest.example", Interval: directory.Duration(7 * time.Minute), Mode: directory.ModeApprove,
		ForeignChange: map[string]directory.ForeignPolicy{"default": "report", "department": "revert", "groups": "report", "members": "revert", "manager": "report", "licences": "report"},
		OnRelease:     "restore", OnDelete: "delete", OnSoftDeleted: "restore", InitialAccess: "temporary-password",
		AdoptedUserPrincipalName: directory.AdoptedNameEmail, TemporaryPasswordHours: 5,
		Import:    directory.ImportSettings{Attributes: []string{"jobTitle", "department"}, State: directory.StateStaged, Photos: true},
		Guard:     map[directory.Effect]directory.Limit{directory.EffectBlock: limit, directory.EffectMemberRemove: scoped},
		Breaker:   directory.BreakerSettings{Over: new(10), Failures: new(0.3), Mismatches: new(0.01)},
		Protected: []string{"boss@corp.example", "root@corp.example"}, ProtectGroups: new(false), AuditLog: true, AllowGoDaddy: true, UpdateMailNickname: true,
		Manager: directory.ManagerSettings{Export: true, Clear: true}, Groups: true, Licences: true, DefaultUsageLocation: "CH", KeepBeforeDays: 12, FourEyes: true,
	}
}

func withSettings(t *testing.T, s directory.Settings) *world {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	w := runWorld(t, directory.RunDone)
	c := contoso(w.now)
	c.Settings = s
	w.tell(map[string]any{"GET /v1/connections/con_1": c})
	return w
}

// filled is what a browser sends of the form that goes to an address.
func (a answered) filled(action string) url.Values {
	a.Helper()
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		a.Fatal(err)
	}
	values := url.Values{}
	var walk func(n *html.Node, within bool)
	walk = func(n *html.Node, within bool) {
		attr := map[string]string{}
		for _, at := range n.Attr {
			attr[at.Key] = at.Val
		}
		_, checked := attr["checked"]
		switch within = within || n.Data == "form" && attr["action"] == action; {
		case !within || attr["name"] == "":
		case n.Data == "textarea" && n.FirstChild != nil:
			values.Add(attr["name"], n.FirstChild.Data)
		case n.Data == "textarea":
			values.Add(attr["name"], "")
		case n.Data == "select":
			chosen, first := "", true
			for o := range n.ChildNodes() {
				value, is := "", first
				for _, at := range o.Attr {
					switch at.Key {
					case "value":
						value = at.Val
					case "selected":
						is = true
					}
				}
				if is {
					chosen = value
				}
				first = false
			}
			values.Add(attr["name"], chosen)
		case n.Data == "input" && (attr["type"] == "checkbox" || attr["type"] == "radio"):
			if checked {
				values.Add(attr["name"], attr["value"])
			}
		case n.Data == "input":
			values.Add(attr["name"], attr["value"])
		}
		for c := range n.ChildNodes() {
			walk(c, within)
		}
	}
	walk(doc, false)
	return values
}

const settingsForm = "/console/connections/con_1/settings"

var settingsParts = []string{partGeneral, partProperties, partGuard}

// Whoever saves the form of settings as it stands changes nothing, whatever is set.
func TestSettingsAsTheyStand(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]directory.Settings{"none": {}, "every": everySetting()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := withSettings(t, s)
			for _, part := range settingsParts {
				form := w.get(settingsForm + "?part=" + part).filled(settingsForm)
				if len(form) < 20 {
					t.Fatalf("the form %s has %d fields", part, len(form))
				}
				if a := w.send(http.MethodPost, settingsForm, form); a.code != http.StatusSeeOther || len(w.told()) != 0 {
					t.Errorf("%s: answered %d, called %v", part, a.code, w.told())
				}
			}
		})
	}
}

// Every key of settings has a field.
func TestEverySettingHasAField(t *testing.T) {
	t.Parallel()
	s := everySetting()
	of := reflect.ValueOf(s)
	for i := range of.NumField() {
		if of.Field(i).IsZero() {
			t.Errorf("this test has no value for %s", of.Type().Field(i).Name)
		}
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var all tree
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	form, w := url.Values{}, withSettings(t, s)
	for _, part := range settingsParts {
		maps.Copy(form, w.get(settingsForm+"?part="+part).filled(settingsForm))
	}
	var look func(at string, v any)
	look = func(at string, v any) {
		if m, inner := v.(tree); inner && at != "domainMap" {
			for name, v := range m {
				look(strings.TrimPrefix(at+"."+name, "."), v)
			}
			return
		}
		if off, isSwitch := v.(bool); !form.Has(at) && (!isSwitch || off) {
			t.Errorf("%s has no field", at)
		}
	}
	look("", all)
}

// fieldOf is the part in which a field is.
func fieldOf(name string) string {
	switch {
	case strings.HasPrefix(name, "guard."):
		return partGuard
	case strings.HasPrefix(name, "attributes."), name == "foreignChange.department", name == "foreignChange.jobTitle":
		return partProperties
	}
	return partGeneral
}

// What is changed in the form, and that alone, is what is changed.
func TestSettingsChanged(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		of   directory.Settings
		set  map[string][]string // nil: not sent, as a box without its tick
		want string              // the settings of the merge patch
	}{
		"a domain":         {everySetting(), map[string][]string{"domainMap": {" here.example= else.example \r\n\r\nthird.example = fourth.example\r\n"}}, `{"domainMap":{"here.example":"else.example","old.example":null,"third.example":"fourth.example"}}`},
		"a bad domain":     {directory.Settings{}, map[string][]string{"domainMap": {"here.example"}}, `{"domainMap":{"here.example":""}}`},
		"a list":           {everySetting(), map[string][]string{"protected": {"root@corp.example\r\n"}}, `{"protected":["root@corp.example"]}`},
		"a list in order":  {everySetting(), map[string][]string{"protected": {"root@corp.example\r\nboss@corp.example"}}, ``},
		"no list":          {everySetting(), map[string][]string{"protected": {""}}, `{"protected":null}`},
		"ticks":            {everySetting(), map[string][]string{"import.attributes": {"department"}}, `{"import":{"attributes":["department"]}}`},
		"no ticks":         {everySetting(), map[string][]string{"import.attributes": nil}, `{"import":{"attributes":null}}`},
		"by":               {everySetting(), map[string][]string{"guard.block.by": {"department", "domain"}, "guard.rename.by": {"domain"}}, `{"guard":{"block":{"by":["department","domain"]},"rename":{"by":["domain"]}}}`},
		"a week":           {directory.Settings{}, map[string][]string{"guard.delete.count7d": {"9"}, "guard.delete.share24h": {"0,5"}}, `{"guard":{"delete":{"count7d":9,"share24h":0.5}}}`},
		"no number":        {everySetting(), map[string][]string{"breaker.over": {""}}, `{"breaker":{"over":null}}`},
		"thousands":        {directory.Settings{}, map[string][]string{"guard.block.count": {"1,000"}, "guard.rename.count": {"1 200"}}, `{"guard":{"block":{"count":1000},"rename":{"count":1200}}}`},
		"as it was":        {everySetting(), map[string][]string{"guard.block.share": {"0,50"}, "guard.block.count": {" 3"}}, ``},
		"as the rest":      {everySetting(), map[string][]string{"foreignChange.department": {""}, "foreignChange.jobTitle": {"report"}}, `{"foreignChange":{"department":null,"jobTitle":"report"}}`},
		"no text":          {everySetting(), map[string][]string{"defaultDomain": {" "}}, `{"defaultDomain":null}`},
		"no source":        {everySetting(), map[string][]string{"attributes.extensionAttribute3.from": {""}}, `{"attributes":{"extensionAttribute3":{"from":null}}}`},
		"a switch goes on": {directory.Settings{}, map[string][]string{"auditLog": {"true"}, "protectGroups": nil}, `{"auditLog":true,"protectGroups":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := withSettings(t, tt.of)
			for _, part := range settingsParts {
				form := w.get(settingsForm + "?part=" + part).filled(settingsForm)
				for name, values := range tt.set {
					if fieldOf(name) == part {
						form[name] = values
					}
				}
				w.send(http.MethodPost, settingsForm, form)
			}
			want := []string{`PATCH /v1/connections/con_1 {"settings":` + tt.want + `}`}
			if tt.want == "" {
				want = nil
			}
			if got := w.told(); !slices.Equal(got, want) {
				t.Errorf("called %v, want %v", got, want)
			}
		})
	}
}

// A number that is none, or that can be read in two ways, changes nothing: the form comes back
// with it, in the page's language, and with all else that was typed.
func TestSettingsNoNumber(t *testing.T) {
	t.Parallel()
	for lang, tt := range map[string]struct{ typed, says string }{"en": {"1.000", "“1.000” can be read"}, "de": {"1,000", "„1,000“ kann Tausend"}} {
		for _, preview := range []string{"", "1"} {
			w := withSettings(t, directory.Settings{})
			form := w.get(settingsForm + "?part=guard").filled(settingsForm)
			form.Set("preview", preview)
			form.Set("guard.block.count", tt.typed)
			form.Set("guard.block.share", "0,25")
			form.Set("guard.rename.count24h", "2.50")
			form.Set("guard.delete.share", "NaN")
			a := w.send(http.MethodPost, settingsForm, form, "Accept-Language", lang)
			a.sound(lang)
			if told := w.told(); a.code != http.StatusUnprocessableEntity || len(told) != 0 {
				t.Errorf("%s: %d, called %v", lang, a.code, told)
			}
			a.has(tt.says, `value="`+tt.typed+`"`, `value="0,25"`, `value="2.50"`, `value="NaN"`, `href="#in-guard.block.count"`, `href="#in-guard.rename.count24h"`, `href="#in-guard.delete.share"`)
		}
	}
	w := withSettings(t, directory.Settings{})
	form := w.get(settingsForm).filled(settingsForm)
	form.Set("keepBeforeDays", "many")
	form.Set("breaker.failures", "Inf")
	a := w.send(http.MethodPost, settingsForm, form)
	if told := w.told(); a.code != http.StatusUnprocessableEntity || len(told) != 0 {
		t.Errorf("%d, called %v", a.code, told)
	}
	a.has("“many” is not a number.", "“Inf” is not a number.", `value="many"`)
	de := withSettings(t, directory.Settings{})
	form = de.get(settingsForm + "?part=guard").filled(settingsForm)
	form.Set("guard.block.count", "1.000")
	de.send(http.MethodPost, settingsForm, form, "Accept-Language", "de")
	if got := de.told(); len(got) != 1 || !strings.HasSuffix(got[0], `{"settings":{"guard":{"block":{"count":1000}}}}`) {
		t.Errorf("1.000 on a German page: called %v", got)
	}
}

// The other fields for numbers read them the same way, and keep what is none.
func TestOtherNumbers(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	const lift = "/console/connections/con_1/protection/a-1"
	for _, typed := range []string{"1.440", "0.5", "ten"} {
		a := w.post(lift, "minutes", typed, "reason", "repair of the mailbox", "typed", "a-1")
		if told := w.told(); a.code != http.StatusUnprocessableEntity || len(told) != 0 {
			t.Errorf("a lift for %q minutes: %d, called %v", typed, a.code, told)
		}
		a.has(`value="`+typed+`"`, `value="repair of the mailbox"`, `href="#minutes"`)
	}
	w.tell(map[string]any{"POST /v1/connections/con_1/protection/a-1/lift": nil})
	w.post(lift, "minutes", "1,440", "reason", "repair", "typed", "a-1")
	if got := w.told(); len(got) != 1 || !strings.HasSuffix(got[0], `{"minutes":1440,"reason":"repair"}`) {
		t.Errorf("called %v", got)
	}
	const use = "/console/connections/con_1/groups/grp_1"
	a := w.post(use, "version", "none", "preview", "1", "sku", "SPE_E3", "priority SPE_E3", "1.000")
	if told := w.told(); a.code != http.StatusUnprocessableEntity || len(told) != 0 {
		t.Errorf("a priority: %d, called %v", a.code, told)
	}
	a.has(`value="1.000"`)
}

// An old form does not take back what somebody else has saved meanwhile: both are shown, also
// when the other was faster by a moment. What is of other parts does not matter.
func TestSettingsOfTwo(t *testing.T) {
	t.Parallel()
	old := directory.Settings{Guard: map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: new(500)}}}
	bens := directory.Settings{Mode: directory.ModeApprove, FourEyes: true, Protected: []string{"boss@corp.example"}, Guard: map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: new(5)}}}
	now := func(w *world, s directory.Settings) {
		c := contoso(w.now)
		c.Settings = s
		w.tell(map[string]any{"GET /v1/connections/con_1": c})
	}
	for part, tt := range map[string]struct {
		name, value, saved string
		shows              []string
	}{
		partGeneral: {"interval", "1h0m0s", `{"fourEyes":false,"interval":"1h0m0s","mode":"automatic","protected":null}`, []string{"boss@corp.example", "approve", `value="1h0m0s" selected`}},
		partGuard:   {"guard.rename.count", "7", `{"guard":{"block":{"count":500},"rename":{"count":7}}}`, []string{`value="500"`, `<bdi>5</bdi>`}},
	} {
		for _, preview := range []string{"", "1"} {
			w := withSettings(t, old)
			form := w.get(settingsForm + "?part=" + part).filled(settingsForm)
			form.Set(tt.name, tt.value)
			form.Set("preview", preview)
			now(w, bens)
			a := w.send(http.MethodPost, settingsForm, form)
			a.sound(part)
			if told := w.told(); a.code != http.StatusPreconditionFailed || len(told) != 0 {
				t.Errorf("%s: %d, called %v", part, a.code, told)
			}
			a.has(append(tt.shows, "Somebody changed it meanwhile")...)
			again := a.filled(settingsForm)
			w.tell(map[string]any{"PATCH /v1/connections/con_1": contoso(w.now)})
			w.send(http.MethodPost, settingsForm, again) // who has seen both may
			if got, want := w.told(), []string{`PATCH /v1/connections/con_1 {"settings":` + tt.saved + `}`}; !slices.Equal(got, want) {
				t.Errorf("%s, again: called %v, want %v", part, got, want)
			}
		}
	}
	w := withSettings(t, old)
	form := w.get(settingsForm + "?part=properties").filled(settingsForm)
	form.Set("attributes.department.export", "true")
	now(w, bens)
	w.tell(map[string]any{"PATCH /v1/connections/con_1": func(r *http.Request) any {
		if r.Header.Get("If-Match") == "" {
			t.Error("the settings are saved without their version")
		}
		return problem{Status: http.StatusPreconditionFailed, Code: directory.CodeVersionMismatch}
	}})
	a := w.send(http.MethodPost, settingsForm, form)
	if told := w.told(); a.code != http.StatusPreconditionFailed || len(told) != 1 {
		t.Errorf("another part: %d, called %v", a.code, told)
	}
	a.has("Somebody changed it meanwhile", "attributes.department.export")
}

// What a form does not have, it does not change: an old one, or one that came in part, switches
// nothing off.
func TestSettingsFormInPart(t *testing.T) {
	t.Parallel()
	w := withSettings(t, everySetting())
	for _, part := range settingsParts {
		for _, preview := range []string{"", "1"} {
			w.tell(map[string]any{"POST /v1/connections/con_1/runs": aRun(w.now, directory.RunPlanning)})
			w.post(settingsForm, "part", part, "version", w.get(settingsForm+"?part="+part).filled(settingsForm).Get("version"), "preview", preview)
			for _, call := range w.told() {
				if preview == "" || !strings.Contains(call, `"settings":{}`) {
					t.Errorf("%s: called %s", part, call)
				}
			}
		}
	}
}

// Whoever saves what a connection does with a group as it stands changes nothing of it.
func TestUseAsItStands(t *testing.T) {
	t.Parallel()
	const at = "/console/connections/con_1/groups/grp_1"
	for name, products := range map[string]any{
		"products": products{Products: []product{{SKU: "06ebc4ee", PartNumber: "SPE_E5", Assignable: true}, {SKU: "05e9a617", PartNumber: "SPE_E3", Name: "Microsoft 365 E3", Assignable: true}}},
		"unread":   problem{Status: 409, Code: "scope-missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunDone)
			w.tell(map[string]any{"GET /v1/connections/con_1/licences": products, "PUT /v1/connections/con_1/groups/grp_1": groupUse{},
				"GET /v1/connections/con_1/groups/grp_1": groupUse{GroupID: "grp_1", Select: &directory.SelectRule{OnRelease: directory.ReleaseBlock},
					Export: &directory.ExportRule{Kind: directory.ExportMicrosoft365, Members: directory.MembersExact, Nested: directory.NestedKeep, Adopt: "t-1", OnRelease: directory.ExportRestore, WelcomeMail: true},
					Licences: []directory.LicenceRule{
						{SKU: "05e9a617", DisabledPlans: []string{"SWAY", "YAMMER_ENTERPRISE"}, Via: directory.LicenceViaGroup, Priority: 5}, {SKU: "GONE"}}}})
			w.send(http.MethodPost, at, w.get(at).filled(at))
			want := `PUT /v1/connections/con_1/groups/grp_1 {"export":{"kind":"microsoft365","members":"exact","nested":"keep","adopt":"t-1","onRelease":"restore","welcomeMail":true},` +
				`"licences":[{"sku":"05e9a617","disabledPlans":["SWAY","YAMMER_ENTERPRISE"],"via":"group","priority":5},{"sku":"GONE"}],"select":{"onRelease":"block"}}`
			if got := w.told(); !slices.Equal(got, []string{want}) {
				t.Errorf("called %v, want %s", got, want)
			}
		})
	}
}

// A priority that is no number is refused before anything is called, and what was typed
// stays.
func TestPriorityNoNumber(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	a := w.post("/console/connections/con_1/groups/grp_1", "select", "1", "sku", "SPE_E3", "priority SPE_E3", "first", "version", "7", "left SPE_E3", "SWAY")
	a.sound("use")
	if a.code != http.StatusUnprocessableEntity || len(w.told()) > 0 {
		t.Errorf("%d, called %v", a.code, w.told())
	}
	a.has("“first” is not a number.", `value="first"`, `value="SWAY"`, `value="SPE_E3" checked`)
}

// A form of a use goes onto the use that it was made of, and ends no other one: what somebody
// else has made of it is shown beside what was typed.
func TestUseOfTwo(t *testing.T) {
	t.Parallel()
	const at, put = "/console/connections/con_1/groups/grp_1", "PUT /v1/connections/con_1/groups/grp_1"
	bens := groupUse{GroupID: "grp_1", Licences: []directory.LicenceRule{{SKU: "SPE_E9"}}}
	// The API, which holds an If-Match to what there is.
	tell := func(w *world, now *groupUse) {
		held := func(r *http.Request) any {
			if tag := r.Header.Get("If-Match"); tag != "" && (now == nil || tag != `"`+strings.Trim(w.get(at).filled(at).Get("version"), `"`)+`"`) {
				return problem{Status: http.StatusPreconditionFailed}
			}
			return groupUse{}
		}
		var read any = problem{Status: http.StatusNotFound}
		if now != nil {
			read = *now
		}
		w.tell(map[string]any{"GET /v1/connections/con_1/groups/grp_1": read, put: held, "DELETE /v1/connections/con_1/groups/grp_1": held})
	}
	first := groupUse{GroupID: "grp_1", Select: &directory.SelectRule{}}
	for name, tt := range map[string]struct {
		was, is *groupUse
		version string // of the form, when it is another one than that of its page
		saved   bool
	}{
		"as it was":      {&first, &first, "", true},
		"none":           {nil, nil, "", true},
		"changed":        {&first, &bens, "", false},
		"ended":          {&first, nil, "", false},
		"made meanwhile": {nil, &bens, "", false},
		"an old form":    {&first, &first, "none", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunDone)
			tell(w, tt.was)
			form := w.get(at).filled(at)
			form.Set("export", "security")
			if tt.version != "" {
				form.Del("version")
			}
			tell(w, tt.is)
			a := w.send(http.MethodPost, at, form)
			if saved := a.code == http.StatusSeeOther; saved != tt.saved || !saved && a.code != http.StatusPreconditionFailed {
				t.Fatalf("answered %d, called %v", a.code, w.told())
			}
			if tt.saved {
				return
			}
			a.sound(name)
			a.has("Somebody changed it meanwhile", `value="security" checked`)
			if tt.is == &bens {
				a.has("SPE_E9")
			}
			w.told()
			if b := w.send(http.MethodPost, at, a.filled(at)); b.code != http.StatusSeeOther { // who has seen both may
				t.Errorf("again: %d", b.code)
			}
		})
	}
	w := runWorld(t, directory.RunDone)
	tell(w, &first)
	page := w.get(at + "/end")
	page.sound("end")
	form := page.filled(at + "/end")
	tell(w, &bens)
	if a := w.send(http.MethodPost, at+"/end", form); a.code != http.StatusPreconditionFailed {
		t.Errorf("another one was ended: %d", a.code)
	}
}
