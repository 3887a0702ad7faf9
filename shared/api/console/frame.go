package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

//go:embed assets
var assets embed.FS

// assetKinds are the files of assets, with their types.
func assetKind(name string) string {
	switch name {
	case "style.css":
		return "text/css; charset=utf-8"
	case "enhance.js":
		return "text/javascript; charset=utf-8"
	case "sign.svg":
		return "image/svg+xml"
	}
	return ""
}

// assetPath is where a file lies: by the hash of what it holds, so that it may be kept
// for ever.
func assetPath(name string) string {
	data, _ := assets.ReadFile("assets/" + name) // it is part of the program
	sum := sha256.Sum256(data)
	return "/console/assets/" + hex.EncodeToString(sum[:8]) + "/" + name
}

// serveAsset answers with a file, whatever version of it is asked for: a page that was
// made before a release finds its style.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	kind := assetKind(r.PathValue("name"))
	data, err := assets.ReadFile("assets/" + r.PathValue("name"))
	if kind == "" || err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	if r.URL.Path == assetPath(r.PathValue("name")) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(data) // the client is gone
}

// sections are the places of the navigation, in order, with their keys.
var sections = []struct {
	name text
	to   string
	key  string
}{
	{textHome, "/console", "h"},
	{textConnections, "/console/connections", "c"},
	{textUsers, "/console/users", "u"},
	{textGroups, "/console/groups", "r"},
	{textActivity, "/console/activity", "a"},
	{textSources, "/console/sources", "s"},
	{textJobs, "/console/jobs", "j"},
}

// The themes.
const (
	themeLight = "light"
	themeDark  = "dark"
)

func (v *visit) theme() string {
	return asked(v.c.cookie(v.r, themeCookie), "", themeLight, themeDark)
}

// densityCompact makes rows low.
const densityCompact = "compact"

func (v *visit) density() string {
	return asked(v.c.cookie(v.r, densityCookie), "", densityCompact)
}

// keys reports whether single keys do something.
func (v *visit) keys() bool { return v.c.cookie(v.r, keysCookie) != "off" }

// frame is a whole page around what a view shows.
func (v *visit) frame(p view) g.Node {
	var classes []string
	if theme := v.theme(); theme != "" {
		classes = append(classes, "theme-"+theme)
	}
	if v.density() == densityCompact {
		classes = append(classes, densityCompact)
	}
	class := strings.Join(classes, " ")
	title := p.title + " · Bindery"
	if v.c.cfg.Environment != "" {
		title += " (" + v.c.cfg.Environment + ")"
	}
	main := []g.Node{h.ID("main"), h.Class("page"), h.TabIndex("-1")}
	if p.poll > 0 {
		main = append(main, h.Data("poll", strconv.Itoa(p.poll)))
	}
	if v.s != nil && !p.bare {
		main = append(main, v.flashBox())
	}
	main = append(main, v.crumbs(p.crumbs),
		h.Header(h.Class("title"), h.H1(h.TabIndex("-1"), g.Text(clean(p.title))), g.Group(p.head)), g.Group(p.body),
		g.If(p.poll > 0, h.P(h.Class("unscripted"), link(v.address(), v.say(textLookAgain)))), v.asCalls())
	return h.Doctype(h.HTML(h.Lang(v.lang.String()), g.If(class != "", h.Class(class)),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(clean(title))),
			h.Link(h.Rel("icon"), h.Href(assetPath("sign.svg"))),
			h.Link(h.Rel("stylesheet"), h.Href(assetPath("style.css"))),
			h.Script(h.Src(assetPath("enhance.js")), h.Defer()),
		),
		h.Body(
			g.If(!v.keys(), h.Data("keys", "off")), h.Data("copied", v.lang.say(textCopied)), h.Data("working", v.lang.say(textWorking)), h.Data("chosen", v.lang.say(textChosen)), h.Data("chosenall", v.lang.say(textChosenAll)),
			h.A(h.Class("skip"), h.Href("#main"), v.say(textSkip)),
			v.header(p),
			h.Main(main...),
			v.footer(),
			g.Iff(v.s != nil, v.keyDialog),
			h.Div(h.ID("live"), h.Class("unseen"), h.Role("status"), h.Aria("live", "polite")),
		)))
}

func (v *visit) header(p view) g.Node {
	brand := h.A(h.Class("brand"), h.Href("/console"), h.Img(h.Src(assetPath("sign.svg")), h.Alt(""), h.Width("22"), h.Height("22")), g.Text("Bindery"))
	if v.s == nil || p.bare {
		return h.Header(h.Class("top"), brand, v.environment(), v.languages())
	}
	items := make([]g.Node, len(sections))
	for i, s := range sections {
		items[i] = h.Li(h.A(h.Href(s.to), h.Data("go", s.key), g.If(p.section == s.to, h.Aria("current", "page")), v.say(s.name)))
	}
	return h.Header(h.Class("top"), brand,
		h.Nav(v.label(textNavigation), h.Ul(items...)),
		h.Form(h.Method("get"), h.Action("/console/search"), h.Class("find"), h.Role("search"), v.label(textSearchAll),
			h.Input(h.Type("search"), h.Name("text"), v.label(textSearchAll), h.Placeholder(v.lang.say(textSearch)), h.MaxLength("200"), h.Value(v.searched()))),
		v.needsYou(), v.environment(),
		h.Details(h.Class("menu"), h.Summary(data(v.s.Name)),
			h.Div(
				h.P(link("/console/me", v.say(textMe))),
				v.languages(),
				v.themes(),
				h.Form(h.Method("post"), h.Action("/console/sign-out"), h.Button(h.Type("submit"), v.say(textSignOut))),
			)))
}

// environment makes visible which installation this is.
func (v *visit) environment() g.Node {
	name := v.c.cfg.Environment
	if name == "" {
		return nil
	}
	class := "environment"
	if strings.Contains(strings.ToLower(name), "prod") {
		class += " production"
	}
	return h.Span(h.Class(class), h.Span(h.Class("unseen"), v.say(textEnvironment)), data(name))
}

func (v *visit) languages() g.Node {
	var buttons []g.Node
	for l, name := range []string{"English", "Deutsch"} {
		buttons = append(buttons, h.Button(h.Type("submit"), h.Name("lang"), h.Value(tags[l]), h.Lang(tags[l]),
			h.Aria("pressed", strconv.FormatBool(tongue(l) == v.lang)), g.Text(name)))
	}
	return h.Form(h.Method("post"), h.Action("/console/preferences"), hidden("to", v.back()), h.Div(h.Class("choice"), v.label(textLanguage), h.Role("group"), g.Group(buttons)))
}

func (v *visit) themes() g.Node {
	var buttons []g.Node
	for _, t := range []struct {
		value string
		name  text
	}{{"", textThemeSystem}, {themeLight, textThemeLight}, {themeDark, textThemeDark}} {
		buttons = append(buttons, h.Button(h.Type("submit"), h.Name("theme"), h.Value("theme-"+t.value),
			h.Aria("pressed", strconv.FormatBool(t.value == v.theme())), v.say(t.name)))
	}
	return h.Form(h.Method("post"), h.Action("/console/preferences"), hidden("to", v.back()), h.Div(h.Class("choice"), v.label(textTheme), h.Role("group"), g.Group(buttons)))
}

func (v *visit) densities() g.Node {
	var buttons []g.Node
	for _, d := range []struct {
		value string
		name  text
	}{{"", textComfortable}, {densityCompact, textCompact}} {
		buttons = append(buttons, h.Button(h.Type("submit"), h.Name("density"), h.Value("density-"+d.value),
			h.Aria("pressed", strconv.FormatBool(d.value == v.density())), v.say(d.name)))
	}
	return h.Form(h.Method("post"), h.Action("/console/preferences"), hidden("to", v.back()), h.Div(h.Class("choice"), v.label(textDensity), h.Role("group"), g.Group(buttons)))
}

// keyList are the keys, and what each does.
func (v *visit) keyList() g.Node {
	row := func(does text, keys ...string) g.Node {
		var list []g.Node
		for _, k := range keys {
			list = append(list, h.Kbd(g.Text(k)), g.Text(" "))
		}
		return h.Div(h.Dt(list...), h.Dd(v.say(does)))
	}
	list := []g.Node{row(textKeySearch, "/"), row(textKeyRows, "j", "k"), row(textKeyOpen, v.lang.say(textKeyEnter)), row(textKeySelect, "x"), row(textKeyClear, "Esc"), row(textKeyDecide, "a", "d"), row(textKeyHelp, "?")}
	for _, s := range sections {
		list = append(list, row(s.name, "g", s.key))
	}
	return h.Dl(h.Class("keys"), g.Group(list))
}

// keyDialog is the help on keys, over whatever page is open. The same stands on the page of
// who is signed in, where the link leads without script.
func (v *visit) keyDialog() g.Node {
	return h.Dialog(h.ID("key-help"), h.Aria("labelledby", "key-help-title"), h.H2(h.ID("key-help-title"), v.say(textKeysTitle)), v.keyList(),
		h.P(h.Class("row"), h.Button(h.Type("button"), h.Data("close", ""), v.say(textClose)), link("/console/me#keys", v.say(textKeysSwitch))))
}

// back is where a preference leads back to: this page, unless it came of a form, or of the
// issuer.
func (v *visit) back() string {
	if v.r.Method == http.MethodPost || v.r.URL.Path == "/console/callback" || !local(v.address()) {
		return "/console"
	}
	return v.address()
}

// searched is what the search of the frame was asked for, while its page is shown.
func (v *visit) searched() string {
	if v.route.path != "/console/search" {
		return ""
	}
	return clean(v.r.URL.Query().Get("text"))
}

// footer names the version and the request, so that whoever asks for help and whoever reads the log speak
// of the same one.
func (v *visit) footer() g.Node {
	name := "Bindery"
	if v.s != nil { // strangers need not know
		name += " " + directory.Version
	}
	items := []g.Node{g.Text(name)}
	if v.c.cfg.RequestID != nil {
		if id := v.c.cfg.RequestID(v.ctx); id != "" {
			items = append(items, g.Text(" · "), v.say(textRequestID), g.Text(" "), code(id))
		}
	}
	if v.s != nil {
		items = append(items, g.Text(" · "), link("/console/me#keys", h.Class("keyhelp"), h.Data("dialog", "key-help"), v.say(textKeys)))
	}
	return h.Footer(h.Class("foot"), h.P(items...))
}

// flashBox tells what the act before this page did, with the way back.
func (v *visit) flashBox() g.Node {
	f := v.flashed()
	if f == nil {
		return nil
	}
	return h.Div(h.Class("flash"), h.Role("status"), h.P(data(f.Text), g.If(f.Link != "", g.Group([]g.Node{g.Text(" "), link(f.Link, data(f.Word))}))), v.undoForm(f.Undo))
}

func (v *visit) crumbs(list []crumb) g.Node {
	if len(list) == 0 {
		return nil
	}
	var items []g.Node
	for _, c := range list {
		items = append(items, h.Li(link(c.to, c.name)))
	}
	return h.Nav(h.Class("crumbs"), v.label(textWhere), h.Ol(items...))
}

// setPreferences keeps how somebody wants to see the console, in cookies of theirs.
func setPreferences(v *visit) (answer, error) {
	const year = 365 * 24 * 60 * 60 * 1e9
	if l := v.r.PostForm.Get("lang"); l == tags[english] || l == tags[german] {
		v.c.setCookie(v.w, langCookie, l, year)
	}
	switch t := v.r.PostForm.Get("theme"); t {
	case "theme-":
		v.c.dropCookie(v.w, themeCookie)
	case "theme-" + themeLight, "theme-" + themeDark:
		v.c.setCookie(v.w, themeCookie, strings.TrimPrefix(t, "theme-"), year)
	}
	switch v.r.PostForm.Get("density") {
	case "density-":
		v.c.dropCookie(v.w, densityCookie)
	case "density-" + densityCompact:
		v.c.setCookie(v.w, densityCookie, densityCompact, year)
	}
	switch v.r.PostForm.Get("keys") {
	case "on":
		v.c.dropCookie(v.w, keysCookie)
	case "off":
		v.c.setCookie(v.w, keysCookie, "off", year)
	}
	to := v.r.PostForm.Get("to")
	if !local(to) {
		to = "/console"
	}
	return redirect{to}, nil
}
