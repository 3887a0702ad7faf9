package console

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
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
	kind    settingKind
	options []option // of a choice and of ticks
	on      bool     // a switch that is on without a value
	def     string   // what the API takes without a value, as a field shows it
}

// A settingKind is how a setting is filled in.
type settingKind int

const (
	aSwitch settingKind = iota
	aChoice             // one of the options
	aText
	aNumber   // a whole one
	aShare    // a number of which 1 is all
	someLines // a list, one a line
	somePairs // names and values, a pair a line: name = value
	someTicks // a list of some of the options
)

// settingSections are the settings that have a field of their own, in order. What is written
// and what the guard lets pass are tables: see exportFields and guardFields.
var settingSections = []struct {
	title text
	rows  []setting
}{
	{textSettingsRuns, []setting{
		{path: "mode", kind: aChoice, name: textMode, means: textModeMeans, options: []option{{"automatic", textModeAutomatic}, {"approve", textModeApprove}}},
		{path: "interval", kind: aChoice, name: textInterval, means: textIntervalMeans, options: []option{{"15m0s", text15m}, {"5m0s", text5m}, {"30m0s", text30m}, {"1h0m0s", text1h}, {"4h0m0s", text4h}, {"24h0m0s", text24h}}},
		{path: "fourEyes", name: textFourEyesName, means: textFourEyesMeans},
		{path: "foreignChange.default", kind: aChoice, name: textForeign, means: textForeignMeans, options: []option{{"revert", textForeignRevert}, {"report", textForeignReport}}},
		{path: "foreignChange.groups", kind: aChoice, name: textForeignGroups, means: textForeignGroupsMeans, options: foreignChoices},
		{path: "foreignChange.members", kind: aChoice, name: textForeignMembers, means: textForeignMembersMeans, options: foreignChoices},
		{path: "foreignChange.manager", kind: aChoice, name: textForeignManager, means: textForeignManagerMeans, options: foreignChoices},
		{path: "foreignChange.licences", kind: aChoice, name: textForeignLicences, means: textForeignLicencesMeans, options: foreignChoices},
	}},
	{textSettingsLeavers, []setting{
		{path: "onRelease", kind: aChoice, name: textOnRelease, means: textOnReleaseMeans, options: []option{{"keep", textKeep}, {"block", textEffectBlock}, {"restore", textRestoreValues}}},
		{path: "onDelete", kind: aChoice, name: textOnDelete, means: textOnDeleteMeans, options: []option{{"block", textEffectBlock}, {"delete", textEffectDelete}}},
		{path: "onSoftDeleted", kind: aChoice, name: textOnSoftDeleted, means: textOnSoftDeletedMeans, options: []option{{"report", textForeignReport}, {"restore", textEffectRestore}}},
		{path: "keepBeforeDays", kind: aNumber, name: textKeepBefore, means: textKeepBeforeMeans, def: strconv.Itoa(directory.DefaultKeepBefore)},
	}},
	{textSettingsAccounts, []setting{
		{path: "initialAccess", kind: aChoice, name: textInitialAccess, means: textInitialAccessMeans, options: []option{{"none", textNoAccess}, {"temporary-password", textTemporaryPassword}}},
		{path: "temporaryPasswordHours", kind: aNumber, name: textPasswordHours, means: textPasswordHoursMeans, def: strconv.Itoa(directory.DefaultTemporaryPassword)},
		{path: "adoptedUserPrincipalName", kind: aChoice, name: textAdoptedName, means: textAdoptedNameMeans, options: []option{{"keep", textKeep}, {"email", textFollowsEmail}}},
		{path: "updateMailNickname", name: textUpdateNickname, means: textUpdateNicknameMeans},
		{path: "manager.export", name: textManagerExport, means: textManagerExportMeans},
		{path: "manager.clear", name: textManagerClearName, means: textManagerClearMeans},
		{path: "defaultUsageLocation", kind: aText, name: textDefaultLocation, means: textDefaultLocationMeans},
	}},
	{textSettingsDomains, []setting{
		{path: "domainMap", kind: somePairs, name: textDomainMap, means: textDomainMapMeans},
		{path: "defaultDomain", kind: aText, name: textDefaultDomain, means: textDefaultDomainMeans},
	}},
	{textSettingsProtection, []setting{
		{path: "protected", kind: someLines, name: textProtectedList, means: textProtectedListMeans},
		{path: "protectGroups", name: textProtectGroups, means: textProtectGroupsMeans, on: true},
	}},
	{textSettingsImport, []setting{
		{path: "import.state", kind: aChoice, name: textImportState, means: textImportStateMeans, options: []option{{"active", textUserActive}, {"staged", textUserStaged}}},
		{path: "import.photos", name: textImportPhotos, means: textImportPhotosMeans},
		{path: "import.attributes", kind: someTicks, name: textImportAttributes, means: textImportAttributesMeans, options: importable()},
	}},
	{textSettingsPermissions, []setting{
		{path: "groups", name: textAskGroups, means: textAskGroupsMeans},
		{path: "licences", name: textAskLicences, means: textAskLicencesMeans},
		{path: "auditLog", name: textAskAuditLog, means: textAskAuditLogMeans},
		{path: "allowGoDaddy", name: textAllowGoDaddy, means: textAllowGoDaddyMeans},
	}},
	{textSettingsBreaker, []setting{
		{path: "breaker.over", kind: aNumber, name: textBreakerOver, means: textBreakerOverMeans, def: "100"},
		{path: "breaker.failures", kind: aShare, name: textBreakerFailures, means: textBreakerFailuresMeans, def: "0.2"},
		{path: "breaker.mismatches", kind: aShare, name: textBreakerMismatches, means: textBreakerMismatchesMeans, def: "0.05"},
	}},
}

// foreignChoices are what may be said of one thing apart from the rest.
var foreignChoices = []option{{"", textForeignDefault}, {"revert", textForeignRevert}, {"report", textForeignReport}}

// importable are the properties that an import brings by setting.
func importable() (list []option) {
	for _, a := range directory.Attributes() {
		if a.Property != "" && a.Import == directory.UseBySetting {
			word, ok := attributeWord(a.Path)
			if !ok {
				word = text{a.Property, a.Property}
			}
			list = append(list, option{a.Property, word})
		}
	}
	return list
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
	return fieldText(v)
}

// fieldText is a value of settings as a form has it; "" when there is none.
func fieldText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		lines := make([]string, len(v))
		for i := range v {
			lines[i], _ = v[i].(string) // settings have lists of texts only
		}
		return strings.Join(lines, "\n")
	case []string: // of a form
		return strings.Join(v, "\n")
	case tree:
		lines := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if of, is := v[name].(string); is {
				lines = append(lines, name+" = "+of)
			}
		}
		return strings.Join(lines, "\n")
	}
	return ""
}

// lines are the lines of a field that are not empty.
func lines(value string) (list []string) {
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// pairs are the lines of a field as names and values. A line without a value is a name
// without one: the API says what is wrong with it.
func pairs(value string) map[string]string {
	list := map[string]string{}
	for _, line := range lines(value) {
		name, of, _ := strings.Cut(line, "=")
		list[strings.TrimSpace(name)] = strings.TrimSpace(of)
	}
	return list
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

// exportable are the properties that are written, and those that are by setting.
func exportable(extension bool) (list []*directory.Attribute) {
	for _, a := range directory.Attributes() {
		if a.Property != "" && a.Export != directory.UseNever && directory.IsExtensionAttribute(a.Property) == extension {
			list = append(list, a)
		}
	}
	return list
}

// settingsOf is a connection with its settings as they are stored.
type settingsOf struct {
	connection
	Settings tree   `json:"settings"`
	tag      string // the ETag of the settings
}

func (v *visit) readSettings() (settingsOf, error) {
	var raw json.RawMessage
	var s settingsOf
	header, err := v.call(v.ctx, http.MethodGet, apiPath("connections", v.id()), nil, &raw)
	if err != nil {
		return s, err
	}
	s.tag = header.Get("ETag")
	if err := json.Unmarshal(raw, &s.connection); err != nil {
		return s, err
	}
	var of struct {
		Settings tree `json:"settings"`
	}
	err = json.Unmarshal(raw, &of)
	s.Settings = of.Settings
	return s, err
}

// settingChange is a value of settings that is one thing and is to be another; "": none.
type settingChange struct{ path, was, is string }

// settingChanges are the values in which settings differ. Of a merge patch as the next ones,
// whole is not set: what it does not have stays.
func settingChanges(old, next tree, whole bool) (list []settingChange) {
	names := map[string]bool{}
	for name := range next {
		names[name] = true
	}
	if whole {
		for name := range old {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, isTree := old[name].(tree)
		is, becomesTree := next[name].(tree)
		if isTree || becomesTree {
			if !becomesTree { // all of it goes
				is = tree{}
			}
			for _, c := range settingChanges(was, is, whole || !becomesTree) {
				list = append(list, settingChange{name + "." + c.path, c.was, c.is})
			}
			continue
		}
		if before, after := fieldText(old[name]), fieldText(next[name]); before != after {
			list = append(list, settingChange{name, before, after})
		}
	}
	return list
}

// changedSettings shows values of settings as they are, and as they are to be.
func (v *visit) changedSettings(list []settingChange, is, becomes text) g.Node {
	name, was, next := column{head: textSetting}, column{head: is}, column{head: becomes}
	value := func(s string) g.Node {
		if s == "" {
			return h.Span(h.Class("faint"), v.say(textNotSet))
		}
		return data(strings.ReplaceAll(s, "\n", ", "))
	}
	return v.table(textSettings, []column{name, was, next}, g.Map(list, func(c settingChange) g.Node {
		called := g.Node(nil)
		for _, section := range settingSections {
			for _, row := range section.rows {
				if row.path == c.path {
					called = h.Small(v.say(row.name))
				}
			}
		}
		return h.Tr(v.cell(name, code(c.path), called), v.cell(was, value(c.was)), v.cell(next, value(c.is)))
	}))
}

// The parts of the settings, each a form of its own: whoever sees a hundred and fifty fields
// at once sees none.
const (
	partGeneral    = "general"
	partProperties = "properties"
	partGuard      = "guard"
)

// part is which part of the settings is looked at, or sent.
func (v *visit) part() string {
	return asked(v.r.FormValue("part"), partGeneral, partProperties, partGuard)
}

// settingsAt is the address of a part of a connection's settings.
func settingsAt(id directory.ConnectionID, part string) string {
	if part == partGeneral {
		part = ""
	}
	return query(here("connections", string(id), "settings"), "part", part)
}

// settingsPage is a form of a connection's settings; of those that a plan has tried, to go on
// with them, where the address names it.
func settingsPage(v *visit) (answer, error) {
	s, err := v.readSettings()
	if err != nil {
		return nil, err
	}
	id := v.r.URL.Query().Get("tried")
	if id == "" {
		return v.settingsView(&s, s.now, nil), nil
	}
	var r directory.Run
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("runs", id), nil, &r); err != nil {
		return nil, err
	}
	if r.Settings == nil || r.ConnectionID != s.ID {
		return v.settingsView(&s, s.now, nil), nil
	}
	tried := treeOf(r.Settings)
	return v.settingsView(&s, func(path string) string { return at(tried, path) }, nil, v.box(toneInfo, v.say(textTried), h.P(v.say(textTriedInForm)))), nil
}

// now is a value of the settings as they are stored.
func (s *settingsOf) now(path string) string { return at(s.Settings, path) }

// partVersion stands for what the form of a part of the settings shows of them: a form that
// was made of others has another one. Other parts may change meanwhile.
func (v *visit) partVersion(s *settingsOf) string {
	shown := map[string]string{}
	v.partFields(func(path string) string {
		shown[path] = s.now(path)
		return shown[path]
	}, nil)
	raw, err := json.Marshal(shown)
	if err != nil {
		panic(err) // texts always marshal
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// partFields are the fields of the part of the settings that is looked at.
func (v *visit) partFields(now func(path string) string, p *problem) (sections []g.Node) {
	switch v.part() {
	case partProperties:
		sections = append(sections, v.exportFields(now, p))
	case partGuard:
		sections = append(sections, v.guardFields(now, p))
	default:
		for _, section := range settingSections {
			var rows []g.Node
			for _, row := range section.rows {
				rows = append(rows, v.settingField(row, now(row.path), p))
			}
			sections = append(sections, h.Section(h.H2(v.say(section.title)), h.Div(h.Class("fields"), g.Group(rows))))
		}
	}
	return sections
}

// settingsView is the form with the values that now tells.
func (v *visit) settingsView(s *settingsOf, now func(path string) string, p *problem, first ...g.Node) view {
	part := v.part()
	var parts []g.Node
	for _, o := range []option{{partGeneral, textSettingsGeneral}, {partProperties, textSettingsExport}, {partGuard, textSettingsGuard}} {
		parts = append(parts, h.Li(h.A(h.Href(settingsAt(s.ID, o.value)), g.If(o.value == part, h.Aria("current", "page")), v.say(o.name))))
	}
	buttons := g.Node(h.Div(h.Class("row decide"), h.Button(h.Type("submit"), h.Name("preview"), h.Value("1"), h.Class("primary"), v.say(textTryFirst)), h.Button(h.Type("submit"), v.say(textSave)), link(here("connections", string(s.ID)), h.Class("button"), v.say(textNotYet))))
	if !v.s.has(scopeAdmin) {
		buttons = v.lacking(scopeAdmin, textSave)
	}
	page := v.ofConnection(&s.connection, "/settings", h.Nav(h.Class("subtabs"), v.label(textSettingsParts), h.Ul(parts...)), v.refused(p), g.Group(first), h.P(h.Class("faint"), v.say(textSettingsLead)),
		h.Form(h.Method("post"), h.Action(here("connections", string(s.ID), "settings")), h.Data("busy", ""), h.Data("ask", ""), hidden("part", part), hidden("version", v.partVersion(s)), g.Group(v.partFields(now, p)), buttons), v.asCall("PATCH", apiPath("connections", string(s.ID))))
	if p != nil {
		page.status = p.Status
	}
	return page
}

// settingField is one setting, with what it means.
func (v *visit) settingField(row setting, now string, p *problem) g.Node {
	help := h.P(h.ID("help-"+row.path), h.Class("faint"), v.say(row.means), g.If(row.def != "", g.Group([]g.Node{g.Text(" "), v.say(textWithoutIs, row.def)})))
	f := p.at("in-"+row.path, v.say(row.name), "settings."+row.path+"*")
	more := g.Group([]g.Node{h.ID(f.id), f.mark("help-" + row.path)})
	label := h.Label(h.For("in-"+row.path), v.say(row.name))
	switch row.kind {
	case aSwitch:
		on := now == "true" || now == "" && row.on
		return h.Div(h.Class("field setting"), hidden("switch", row.path), h.Label(h.Class("pick"), h.Input(h.Type("checkbox"), h.Name(row.path), h.Value("true"), g.If(on, h.Checked()), more), h.Strong(v.say(row.name))), help, v.told(f))
	case aChoice:
		return h.Div(h.Class("field setting"), label, h.Select(h.Name(row.path), more, v.choices(row.options, now)), help, v.told(f))
	case someLines, somePairs:
		return h.Div(h.Class("field setting"), label, h.Textarea(h.Name(row.path), h.Rows("3"), h.AutoComplete("off"), g.Attr("spellcheck", "false"), more, g.Text("\n"+now)), help, v.told(f))
	case someTicks:
		chosen := lines(now)
		var boxes []g.Node
		for i, o := range row.options {
			boxes = append(boxes, h.Label(h.Class("pick"), h.Input(g.If(i == 0, h.ID(f.id)), h.Type("checkbox"), h.Name(row.path), h.Value(o.value), g.If(slices.Contains(chosen, o.value), h.Checked())), v.say(o.name)))
		}
		return h.FieldSet(h.Class("field setting wide"), f.mark("help-"+row.path), h.Legend(v.say(row.name)), help, v.told(f), hidden("list", row.path), h.Div(h.Class("boxes"), g.Group(boxes)))
	}
	mode := g.If(row.kind == aNumber || row.kind == aShare, g.Attr("inputmode", "decimal"))
	return h.Div(h.Class("field setting"), label, h.Input(h.Type("text"), mode, h.Name(row.path), h.Value(now), g.If(row.def != "", h.Placeholder(row.def)), h.AutoComplete("off"), g.Attr("spellcheck", "false"), h.MaxLength("253"), more), help, v.told(f))
}

// choices are the options of a choice; what the API was told and the form does not offer
// is offered too, so that it stays.
func (v *visit) choices(options []option, now string) g.Node {
	var list []g.Node
	known := false
	for i, o := range options {
		is := o.value == now || now == "" && i == 0
		known = known || is
		list = append(list, h.Option(h.Value(o.value), g.If(is, h.Selected()), v.say(o.name)))
	}
	if !known {
		list = append(list, h.Option(h.Value(now), h.Selected(), g.Text(clean(now))))
	}
	return g.Group(list)
}

// exportFields say which properties are written besides those that always are, and what
// is done when somebody at Microsoft changes one.
func (v *visit) exportFields(now func(string) string, p *problem) g.Node {
	prop, export, empty, foreign, from := column{head: textProperty}, column{head: textExported}, column{head: textEmptied}, column{head: textForeignShort}, column{head: textFromCustom}
	tick := func(path string, caption text, of string) g.Node {
		f := p.at("in-"+path, v.say(caption, of), "settings."+path)
		return g.Group([]g.Node{hidden("switch", path), h.Label(h.Class("tick"), h.Input(h.ID(f.id), h.Type("checkbox"), h.Name(path), h.Value("true"), g.If(now(path) == "true", h.Checked()), v.label(caption, of), f.mark(""))), v.told(f)})
	}
	row := func(a *directory.Attribute, extension bool) g.Node {
		written, clear, at := g.Node(v.say(textAlways)), dash(), "attributes."+a.Property
		if a.Export == directory.UseBySetting {
			written = tick(at+".export", textExportThis, a.Property)
			if a.Clearable {
				clear = tick(at+".clear", textEmptyThis, a.Property)
			}
		}
		cells := []g.Node{v.cell(prop, v.attribute(a.Path), h.Small(code(a.Property)), g.If(a.Sensitive, h.Small(v.say(textSensitive)))), v.cell(export, written), v.cell(empty, clear)}
		if extension {
			cells[0] = v.cell(prop, code(a.Property))
			f := p.at("in-"+at+".from", v.say(textFromCustomOf, a.Property), "settings."+at+".from")
			cells = append(cells, v.cell(from, h.Input(h.ID(f.id), h.Type("text"), h.Name(at+".from"), h.Value(now(at+".from")), h.Placeholder(a.Property), h.MaxLength("100"), h.AutoComplete("off"), v.label(textFromCustomOf, a.Property), f.mark("")), v.told(f)))
		}
		path := "foreignChange." + a.Property
		f := p.at("in-"+path, v.say(textForeignOf, a.Property), "settings."+path)
		return h.Tr(append(cells, v.cell(foreign, h.Select(h.ID(f.id), h.Name(path), v.label(textForeignOf, a.Property), f.mark(""), v.choices(foreignChoices, now(path))), v.told(f)))...)
	}
	usual, extra := []g.Node{}, []g.Node{}
	for _, a := range exportable(false) {
		usual = append(usual, row(a, false))
	}
	for _, a := range exportable(true) {
		extra = append(extra, row(a, true))
	}
	return h.Section(h.H2(v.say(textSettingsExport)), h.P(h.Class("faint"), v.say(textExportMeans)), v.table(textSettingsExport, []column{prop, export, empty, foreign}, usual),
		h.Details(h.Summary(v.say(textExtensions)), v.table(textExtensions, []column{prop, export, empty, from, foreign}, extra)))
}

// guardMembers are the limits of an effect: of one run, of a day, of a week.
var guardMembers = []struct {
	head         text
	count, share string
	ofCount      text
	ofShare      text
}{
	{textOneRun, ".count", ".share", textCountOf, textShareOf},
	{textOneDay, ".count24h", ".share24h", textCountOfDay, textShareOfDay},
	{textOneWeek, ".count7d", ".share7d", textCountOfWeek, textShareOfWeek},
}

// guardFields are the limits of the guard: what more than that is held.
func (v *visit) guardFields(now func(string) string, p *problem) g.Node {
	effect, parted, without := column{head: textEffect}, column{head: textEachPart}, column{head: textWithout}
	input := func(path string, hint, caption text, of string) g.Node {
		f := p.at("in-"+path, v.say(caption, of), "settings."+path)
		return g.Group([]g.Node{h.Input(h.ID(f.id), h.Type("text"), g.Attr("inputmode", "decimal"), h.Name(path), h.Value(now(path)), h.Placeholder(v.lang.say(hint)), h.Class("limit"), h.AutoComplete("off"), h.MaxLength("12"), v.label(caption, of), f.mark("")), v.told(f)})
	}
	columns := []column{effect}
	for _, m := range guardMembers {
		columns = append(columns, column{head: m.head})
	}
	columns = append(columns, parted, without)
	rows := g.Map(directory.GuardedEffects, func(e directory.Effect) g.Node {
		name, at := v.lang.say(words(e).name), "guard."+string(e)
		cells := []g.Node{v.cell(effect, v.effectBadge(e))}
		for _, m := range guardMembers {
			cells = append(cells, v.cell(column{head: m.head}, h.Div(h.Class("limits"), input(at+m.count, textCountLimit, m.ofCount, name), input(at+m.share, textShareLimit, m.ofShare, name))))
		}
		by := lines(now(at + ".by"))
		var boxes []g.Node
		for _, o := range []option{{string(directory.ByDepartment), textDepartment}, {string(directory.ByDomain), textDomain}} {
			boxes = append(boxes, h.Label(h.Class("pick"), h.Input(h.Type("checkbox"), h.Name(at+".by"), h.Value(o.value), g.If(slices.Contains(by, o.value), h.Checked())), v.say(o.name), h.Span(h.Class("unseen"), g.Text(" "+name))))
		}
		def := []g.Node{v.say(textNoLimit)}
		if d := e.Row().Default; d != nil {
			def = []g.Node{v.limit(d.Count, d.Share)}
		}
		if d := e.Row().Scoped; d != nil {
			cells[1] = v.cell(column{head: textOneRun}, h.Div(h.Class("limits"), input(at+".count", textCountLimit, textCountOf, name), input(at+".share", textShareLimit, textShareOf, name)),
				h.Small(v.say(textOneGroup)), h.Div(h.Class("limits"), input(at+".countGroup", textCountLimit, textCountOfGroup, name), input(at+".shareGroup", textShareLimit, textShareOfGroup, name)))
			def = append(def, h.Small(v.say(textOneGroup), g.Text(" "), v.limit(d.Count, d.Share)))
		}
		return h.Tr(append(cells, v.cell(parted, hidden("list", at+".by"), g.Group(boxes)), v.cell(without, def...))...)
	})
	return h.Section(h.H2(v.say(textSettingsGuard)), h.P(h.Class("faint"), v.say(textGuardMeans)), v.table(textSettingsGuard, columns, rows))
}

// limit is what is let pass.
func (v *visit) limit(count int, share float64) g.Node {
	return v.say(textLimitDefault, v.lang.number(count), strconv.FormatFloat(share*100, 'f', -1, 64))
}

// settingsPatch is the merge patch that brings settings to what a form says: what differs;
// what is as without a setting, and was not set, stays unset, and so does what the form
// does not have. With it comes what is wrong with numbers of the form, which the patch has not;
// nil when nothing is.
func (v *visit) settingsPatch(old tree) (tree, *problem) {
	patch := settingsPatch{lang: v.lang, old: old, form: v.r.PostForm, patch: tree{}}
	switch v.part() {
	case partProperties:
		patch.properties()
	case partGuard:
		patch.guard()
	default:
		for _, section := range settingSections {
			for _, row := range section.rows {
				patch.setting(row)
			}
		}
	}
	if len(patch.faults) > 0 {
		return patch.patch, atFault(patch.faults...)
	}
	return patch.patch, nil
}

// settingsPatch gathers what a form changes of old settings.
type settingsPatch struct {
	lang   tongue
	old    tree
	form   url.Values
	patch  tree
	faults []directory.FieldError
}

func (p *settingsPatch) properties() {
	for _, a := range slices.Concat(exportable(false), exportable(true)) {
		at := "attributes." + a.Property
		if a.Export == directory.UseBySetting {
			p.boolean(at+".export", false)
			if a.Clearable {
				p.boolean(at+".clear", false)
			}
		}
		p.field(at + ".from")
		p.field("foreignChange." + a.Property)
	}
}

func (p *settingsPatch) guard() {
	for _, e := range directory.GuardedEffects {
		at := "guard." + string(e)
		for _, m := range guardMembers {
			p.whole(at + m.count)
			p.share(at + m.share)
		}
		p.whole(at + ".countGroup")
		p.share(at + ".shareGroup")
		p.list(at+".by", p.form[at+".by"])
	}
}

func (p *settingsPatch) setting(row setting) {
	switch row.kind {
	case aSwitch:
		p.boolean(row.path, row.on)
	case aChoice:
		if now := p.form.Get(row.path); at(p.old, row.path) == "" && now == row.options[0].value {
			return
		}
		p.field(row.path)
	case aText:
		p.field(row.path)
	case aNumber:
		p.whole(row.path)
	case aShare:
		p.share(row.path)
	case someLines:
		if p.form.Has(row.path) {
			p.texts(row.path, lines(p.form.Get(row.path)))
		}
	case someTicks:
		p.list(row.path, p.form[row.path])
	case somePairs:
		p.pairs(row.path)
	}
}

// boolean is a switch that the form has. A browser does not send one that is off, so the form
// names it beside.
func (p *settingsPatch) boolean(path string, on bool) {
	if !slices.Contains(p.form["switch"], path) {
		return
	}
	was, now := at(p.old, path), p.form.Get(path) == "true"
	if (was == "true" || was == "" && on) != now {
		put(p.patch, path, now)
	}
}

// field is a text; an empty one is no setting.
func (p *settingsPatch) field(path string) {
	was, now := at(p.old, path), strings.TrimSpace(p.form.Get(path))
	switch {
	case !p.form.Has(path) || was == now:
	case now == "":
		put(p.patch, path, nil)
	default:
		put(p.patch, path, now)
	}
}

func (p *settingsPatch) whole(path string) {
	p.number(path, func(typed string) (float64, error) {
		n, err := p.lang.readWhole(typed)
		return float64(n), err
	})
}

func (p *settingsPatch) share(path string) { p.number(path, p.lang.readNumber) }

// number is a number, as read reads it; an empty field is no setting.
func (p *settingsPatch) number(path string, read func(typed string) (float64, error)) {
	was, now := at(p.old, path), strings.TrimSpace(p.form.Get(path))
	switch {
	case !p.form.Has(path) || was == now:
		return
	case now == "":
		put(p.patch, path, nil)
		return
	}
	n, err := read(now)
	switch {
	case err != nil:
		p.faults = append(p.faults, directory.FieldError{Field: "settings." + path, Detail: p.lang.noNumber(err, now)})
	case was != fieldText(n):
		put(p.patch, path, n)
	}
}

// list is what was ticked, of a list that the form has.
func (p *settingsPatch) list(path string, now []string) {
	if slices.Contains(p.form["list"], path) {
		p.texts(path, now)
	}
}

// texts is a list whose order means nothing.
func (p *settingsPatch) texts(path string, now []string) {
	was := lines(at(p.old, path))
	switch {
	case slices.Equal(slices.Sorted(slices.Values(was)), slices.Sorted(slices.Values(now))):
	case len(now) == 0:
		put(p.patch, path, nil)
	default:
		put(p.patch, path, now)
	}
}

func (p *settingsPatch) pairs(path string) {
	if !p.form.Has(path) {
		return
	}
	was, now, change := pairs(at(p.old, path)), pairs(p.form.Get(path)), tree{}
	for name, value := range now {
		if before, there := was[name]; !there || before != value {
			change[name] = value
		}
	}
	for name := range was {
		if _, stays := now[name]; !stays {
			change[name] = nil
		}
	}
	if len(change) > 0 {
		put(p.patch, path, change)
	}
}

// saveSettings saves a form of settings, or plans what they would do. A form that was made of
// other values than there are by now is shown with both: what it does not mean to change would
// take back what somebody else has.
func saveSettings(v *visit) (answer, error) {
	s, err := v.readSettings()
	if err != nil {
		return nil, err
	}
	f, preview := v.r.PostForm, v.r.PostForm.Get("preview") == "1"
	patch, faults := v.settingsPatch(s.Settings)
	back := settingsAt(s.ID, v.part())
	if len(patch) == 0 && faults == nil && !preview {
		return v.done(back, v.lang.say(textNothingChanged)), nil
	}
	if f.Get("version") != v.partVersion(&s) {
		return v.bothSettings(&s, patch), nil
	}
	if faults != nil {
		return v.settingsView(&s, v.typedSettings(&s), faults), nil
	}
	var run directory.Run
	var out struct {
		Expires time.Time `json:"expires"` // of a proposal
	}
	if preview {
		_, err = v.call(v.ctx, http.MethodPost, apiPath("connections", string(s.ID), "runs"), tree{"dryRun": true, "full": true, "settings": patch}, &run)
	} else {
		_, err = v.call(v.ctx, http.MethodPatch, apiPath("connections", string(s.ID)), tree{"settings": patch}, &out, "If-Match", s.tag)
	}
	p, ours := asProblem(err)
	switch {
	case ours && p.Status == http.StatusPreconditionFailed: // saved by somebody else in this moment
		if s, err = v.readSettings(); err != nil {
			return nil, err
		}
		patch, _ = v.settingsPatch(s.Settings)
		return v.bothSettings(&s, patch), nil
	case ours && p.Status < 500 && p.Status != http.StatusUnauthorized:
		return v.settingsView(&s, v.typedSettings(&s), p), nil
	case err != nil:
		return nil, err
	case preview:
		return redirect{here("runs", string(run.ID))}, nil
	case !out.Expires.IsZero():
		return v.done(back, v.lang.say(textProposed, v.lang.moment(out.Expires))), nil
	}
	return v.done(back, v.lang.say(textSettingsSaved)), nil
}

// typedSettings are the values of a form; of what it does not have, those that are stored.
func (v *visit) typedSettings(s *settingsOf) func(path string) string {
	f := v.r.PostForm
	return func(path string) string {
		switch {
		case f.Has(path):
			return strings.Join(f[path], "\n")
		case slices.Contains(f["switch"], path):
			return "false" // a switch that is off is not sent
		case slices.Contains(f["list"], path):
			return ""
		}
		return s.now(path)
	}
}

// bothSettings is a form with what was typed, and in what it differs from what is stored by
// now.
func (v *visit) bothSettings(s *settingsOf, patch tree) answer {
	page := v.settingsView(s, v.typedSettings(s), nil, v.box(toneWarn, v.say(textChangedMeanwhile), h.P(v.say(textBothSettings)),
		v.changedSettings(settingChanges(s.Settings, patch, false), textByNow, textInTheForm), h.P(link(settingsAt(s.ID, v.part()), h.Class("button"), v.say(textLookAgain)))))
	page.status = http.StatusPreconditionFailed
	return page
}
