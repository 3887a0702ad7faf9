package console

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// A setting is a row of the form of settings: its path in the settings of the API, what it
// is called and what it means, and what it may be. Without a value it is what its first
// option says, or off, or what the API has as default.
type setting struct {
	path    string
	name    text
	means   text
	options []option // a choice of these; none: a switch
	on      bool     // a switch that is on without a value
}

// settingSections are the settings that have a field, in order. Those that have none are
// edited by the API.
var settingSections = []struct {
	title text
	rows  []setting
}{
	{textSettingsRuns, []setting{
		{path: "mode", name: textMode, means: textModeMeans, options: []option{{"automatic", textModeAutomatic}, {"approve", textModeApprove}}},
		{path: "interval", name: textInterval, means: textIntervalMeans, options: []option{{"15m0s", text15m}, {"5m0s", text5m}, {"30m0s", text30m}, {"1h0m0s", text1h}, {"4h0m0s", text4h}, {"24h0m0s", text24h}}},
		{path: "fourEyes", name: textFourEyesName, means: textFourEyesMeans},
		{path: "foreignChange.default", name: textForeign, means: textForeignMeans, options: []option{{"revert", textForeignRevert}, {"report", textForeignReport}}},
	}},
	{textSettingsLeavers, []setting{
		{path: "onRelease", name: textOnRelease, means: textOnReleaseMeans, options: []option{{"keep", textKeep}, {"block", textEffectBlock}, {"restore", textRestoreValues}}},
		{path: "onDelete", name: textOnDelete, means: textOnDeleteMeans, options: []option{{"block", textEffectBlock}, {"delete", textEffectDelete}}},
		{path: "onSoftDeleted", name: textOnSoftDeleted, means: textOnSoftDeletedMeans, options: []option{{"report", textForeignReport}, {"restore", textEffectRestore}}},
	}},
	{textSettingsAccounts, []setting{
		{path: "initialAccess", name: textInitialAccess, means: textInitialAccessMeans, options: []option{{"none", textNoAccess}, {"temporary-password", textTemporaryPassword}}},
		{path: "adoptedUserPrincipalName", name: textAdoptedName, means: textAdoptedNameMeans, options: []option{{"keep", textKeep}, {"email", textFollowsEmail}}},
		{path: "updateMailNickname", name: textUpdateNickname, means: textUpdateNicknameMeans},
		{path: "manager.export", name: textManagerExport, means: textManagerExportMeans},
		{path: "manager.clear", name: textManagerClearName, means: textManagerClearMeans},
		{path: "protectGroups", name: textProtectGroups, means: textProtectGroupsMeans, on: true},
	}},
	{textSettingsImport, []setting{
		{path: "import.state", name: textImportState, means: textImportStateMeans, options: []option{{"active", textUserActive}, {"staged", textUserStaged}}},
		{path: "import.photos", name: textImportPhotos, means: textImportPhotosMeans},
	}},
}

// tree is a JSON object.
type tree = map[string]any

// at is the value at a path, as a form has it; "" when there is none.
func at(t tree, path string) string {
	var v any = t
	for step := range strings.SplitSeq(path, ".") {
		m, ok := v.(tree)
		if !ok {
			return ""
		}
		v = m[step]
	}
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// put sets the value at a path.
func put(t tree, path string, value any) {
	for {
		step, rest, more := strings.Cut(path, ".")
		if !more {
			t[step] = value
			return
		}
		inner, ok := t[step].(tree)
		if !ok {
			inner = tree{}
			t[step] = inner
		}
		t, path = inner, rest
	}
}

// exportable are the properties that are written by setting.
func exportable() (list []*directory.Attribute) {
	for _, a := range directory.Attributes() {
		if a.Property != "" && a.Export == directory.UseBySetting && !directory.IsExtensionAttribute(a.Property) {
			list = append(list, a)
		}
	}
	return list
}

// settingsOf is a connection with its settings as they are stored.
type settingsOf struct {
	connection
	Settings tree `json:"settings"`
}

func (v *visit) readSettings() (settingsOf, error) {
	var raw json.RawMessage
	var s settingsOf
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id()), nil, &raw); err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &s.connection); err != nil {
		return s, err
	}
	var of struct {
		Settings tree `json:"settings"`
	}
	err := json.Unmarshal(raw, &of)
	s.Settings = of.Settings
	return s, err
}

// settingsPage is the form of a connection's settings.
func settingsPage(v *visit) (answer, error) {
	s, err := v.readSettings()
	if err != nil {
		return nil, err
	}
	return v.settingsView(&s, func(path string) string { return at(s.Settings, path) }, nil), nil
}

// settingsView is the form with the values that now tells.
func (v *visit) settingsView(s *settingsOf, now func(path string) string, p *problem) answer {
	var sections []g.Node
	for _, section := range settingSections {
		var rows []g.Node
		for _, row := range section.rows {
			rows = append(rows, v.settingField(row, now(row.path), faultOf(p, "settings."+row.path)))
		}
		sections = append(sections, h.Section(h.H2(v.say(section.title)), h.Div(h.Class("fields"), g.Group(rows))))
	}
	sections = append(sections, v.exportFields(now), v.guardFields(now, p))
	buttons := g.Node(h.Div(h.Class("row decide"), h.Button(h.Type("submit"), h.Name("preview"), h.Value("1"), h.Class("primary"), v.say(textTryFirst)), h.Button(h.Type("submit"), v.say(textSave)), link(here("connections", string(s.ID)), h.Class("button"), v.say(textNotYet))))
	if !v.s.has(scopeAdmin) {
		buttons = v.lacking(scopeAdmin, textSave)
	}
	page := v.ofConnection(&s.connection, "/settings", g.Iff(p != nil, func() g.Node { return v.problem(p) }), h.P(h.Class("faint"), v.say(textSettingsLead)),
		h.Form(h.Method("post"), h.Action(here("connections", string(s.ID), "settings")), h.Data("busy", ""), g.Group(sections), buttons), v.asCall("PATCH", apiPath("connections", string(s.ID))))
	if p != nil {
		page.status = p.Status
	}
	return page
}

// settingField is one setting: a choice, or a switch; with what it means.
func (v *visit) settingField(row setting, now, fault string) g.Node {
	help := h.P(h.ID("help-"+row.path), h.Class("faint"), v.say(row.means), g.If(fault != "", h.Span(h.Class("fault"), g.Text(" "), v.sentence(fault))))
	if row.options == nil {
		on := now == "true" || now == "" && row.on
		return h.Div(h.Class("field setting"), h.Label(h.Class("pick"), h.Input(h.Type("checkbox"), h.Name(row.path), h.Value("true"), g.If(on, h.Checked()), h.Aria("describedby", "help-"+row.path)), h.Strong(v.say(row.name))), help)
	}
	var list []g.Node
	known := false
	for i, o := range row.options {
		is := o.value == now || now == "" && i == 0
		known = known || is
		list = append(list, h.Option(h.Value(o.value), g.If(is, h.Selected()), v.say(o.name)))
	}
	if !known { // set by the API to what the form does not offer: it stays so
		list = append(list, h.Option(h.Value(now), h.Selected(), g.Text(clean(now))))
	}
	return h.Div(h.Class("field setting"), h.Label(h.For("in-"+row.path), v.say(row.name)), h.Select(h.ID("in-"+row.path), h.Name(row.path), h.Aria("describedby", "help-"+row.path), g.Group(list)), help)
}

// exportFields say which properties are written besides those that always are.
func (v *visit) exportFields(now func(string) string) g.Node {
	prop, export, empty := column{head: textProperty}, column{head: textExported}, column{head: textEmptied}
	tick := func(path string, caption text, of string) g.Node {
		return h.Label(h.Class("tick"), h.Input(h.Type("checkbox"), h.Name(path), h.Value("true"), g.If(now(path) == "true", h.Checked()), v.label(caption, of)))
	}
	rows := g.Map(exportable(), func(a *directory.Attribute) g.Node {
		clear := dash()
		if a.Clearable {
			clear = tick("attributes."+a.Property+".clear", textEmptyThis, a.Property)
		}
		return h.Tr(v.cell(prop, v.attribute(a.Path), h.Small(code(a.Property)), g.If(a.Sensitive, h.Small(v.say(textSensitive)))), v.cell(export, tick("attributes."+a.Property+".export", textExportThis, a.Property)), v.cell(empty, clear))
	})
	return h.Section(h.H2(v.say(textSettingsExport)), h.P(h.Class("faint"), v.say(textExportMeans)), v.table(textSettingsExport, []column{prop, export, empty}, rows))
}

// guardFields are the limits of the guard: what more than that is held.
func (v *visit) guardFields(now func(string) string, p *problem) g.Node {
	effect, count, share, without := column{head: textEffect}, column{head: textCountLimit}, column{head: textShareLimit}, column{head: textWithout}
	input := func(path string, caption text, of string) g.Node {
		fault := faultOf(p, "settings."+path)
		return g.Group([]g.Node{h.Input(h.Type("text"), g.Attr("inputmode", "decimal"), h.Name(path), h.Value(now(path)), h.Class("short"), h.AutoComplete("off"), h.MaxLength("12"), v.label(caption, of), g.If(fault != "", h.Aria("invalid", "true"))), g.If(fault != "", h.Small(h.Class("fault"), v.sentence(fault)))})
	}
	rows := g.Map(directory.GuardedEffects, func(e directory.Effect) g.Node {
		def := g.Node(v.say(textNoLimit))
		if d := e.Row().Default; d != nil {
			def = v.say(textLimitDefault, v.lang.number(d.Count), strconv.FormatFloat(d.Share*100, 'f', -1, 64))
		}
		name := v.lang.say(words(e).name)
		return h.Tr(v.cell(effect, v.effectBadge(e)), v.cell(count, input("guard."+string(e)+".count", textCountOf, name)), v.cell(share, input("guard."+string(e)+".share", textShareOf, name)), v.cell(without, def))
	})
	return h.Section(h.H2(v.say(textSettingsGuard)), h.P(h.Class("faint"), v.say(textGuardMeans)), v.table(textSettingsGuard, []column{effect, count, share, without}, rows))
}

// settingsPatch is the merge patch that brings settings to what a form says: what differs;
// what is as without a setting, and was not set, stays unset.
func (v *visit) settingsPatch(old tree) tree {
	patch, f := tree{}, v.r.PostForm
	boolean := func(path string, on bool) {
		was := at(old, path)
		now := f.Get(path) == "true"
		if (was == "true" || was == "" && on) != now {
			put(patch, path, now)
		}
	}
	for _, section := range settingSections {
		for _, row := range section.rows {
			if row.options == nil {
				boolean(row.path, row.on)
				continue
			}
			was, now := at(old, row.path), f.Get(row.path)
			if now == "" || now == was || was == "" && now == row.options[0].value {
				continue
			}
			put(patch, row.path, now)
		}
	}
	for _, a := range exportable() {
		boolean("attributes."+a.Property+".export", false)
		if a.Clearable {
			boolean("attributes."+a.Property+".clear", false)
		}
	}
	for _, e := range directory.GuardedEffects {
		for _, member := range []string{".count", ".share"} {
			path := "guard." + string(e) + member
			was, now := at(old, path), strings.TrimSpace(strings.ReplaceAll(f.Get(path), ",", "."))
			switch n, err := strconv.ParseFloat(now, 64); {
			case was == now:
			case now == "":
				put(patch, path, nil)
			case err == nil:
				put(patch, path, n)
			default:
				put(patch, path, now) // the API says what is wrong with it
			}
		}
	}
	return patch
}

// saveSettings saves a form of settings, or plans what they would do.
func saveSettings(v *visit) (answer, error) {
	s, err := v.readSettings()
	if err != nil {
		return nil, err
	}
	patch := v.settingsPatch(s.Settings)
	back := here("connections", string(s.ID), "settings")
	typed := func(path string) string {
		if v.r.PostForm.Has(path) {
			return v.r.PostForm.Get(path)
		}
		return "false" // a switch that is off is not sent
	}
	if v.r.PostForm.Get("preview") == "1" {
		var run directory.Run
		_, err := v.call(v.ctx, http.MethodPost, apiPath("connections", string(s.ID), "runs"), tree{"dryRun": true, "full": true, "settings": patch}, &run)
		if p, ours := asProblem(err); ours && p.Status < 500 && p.Status != http.StatusUnauthorized {
			return v.settingsView(&s, typed, p), nil
		}
		if err != nil {
			return nil, err
		}
		return redirect{here("runs", string(run.ID))}, nil
	}
	if len(patch) == 0 {
		return v.done(back, v.lang.say(textNothingChanged)), nil
	}
	var out struct {
		Expires time.Time `json:"expires"` // of a proposal
	}
	_, err = v.call(v.ctx, http.MethodPatch, apiPath("connections", string(s.ID)), tree{"settings": patch}, &out)
	if p, ours := asProblem(err); ours && p.Status < 500 && p.Status != http.StatusUnauthorized {
		return v.settingsView(&s, typed, p), nil
	}
	if err != nil {
		return nil, err
	}
	if !out.Expires.IsZero() {
		return v.done(back, v.lang.say(textProposed, v.lang.moment(out.Expires))), nil
	}
	return v.done(back, v.lang.say(textSettingsSaved)), nil
}
