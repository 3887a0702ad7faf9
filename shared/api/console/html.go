package console

import (
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// The one place in which a text becomes part of a page. Texts of ours are of the type
// text; what others wrote goes through data.

// say is a text of ours.
func (v *visit) say(t text, with ...any) g.Node { return g.Text(v.lang.say(t, with...)) }

// count is a text of ours about a number.
func (v *visit) count(t number, n int, with ...any) g.Node {
	return g.Text(v.lang.count(t, n, with...))
}

// number is a number.
func (v *visit) number(n int) g.Node { return g.Text(v.lang.number(n)) }

// longestData is how much of a text of others a page shows.
const longestData = 200

// longestSentence is how much of a sentence of the API a page shows.
const longestSentence = 400

// clean is a text of others without what would act on the text around it or be
// unseen, and not longer than a page bears.
func clean(s string) string { return cleanTo(s, longestData) }

func cleanTo(s string, longest int) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "�")
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0xFEFF:
			return '�'
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest]) + "…"
	}
	return s
}

// data is what others wrote: a name, an address, a value. It is set apart from ours, so
// that a name written from right to left does not turn what stands around it.
func data(s string) g.Node { return g.El("bdi", g.Text(clean(s))) }

// sentence is a sentence of the API, which speaks English.
func (v *visit) sentence(s string) g.Node {
	said := g.Text(cleanTo(s, longestSentence))
	if v.lang == english {
		return g.El("bdi", said)
	}
	return g.El("bdi", h.Lang("en"), said)
}

// code is a name that programs use.
func code(s string) g.Node { return h.Code(g.Text(clean(s))) }

// label names an element for those who hear the page.
func (v *visit) label(t text, with ...any) g.Node { return h.Aria("label", v.lang.say(t, with...)) }

// longestLink is how long an address of ours may be: with 500 changes ticked one by one.
const longestLink = 4000

// link leads to a path of this console; any other address is dropped.
func link(to string, children ...g.Node) g.Node {
	if len(to) > longestLink || !local(to) && !strings.HasPrefix(to, "#") && !strings.HasPrefix(to, "?") {
		return h.Span(children...)
	}
	return h.A(append([]g.Node{h.Href(to)}, children...)...)
}

// moment is a time; the script shows it in the reader's zone.
func (v *visit) moment(t time.Time) g.Node {
	if t.IsZero() {
		return g.Text("–")
	}
	return h.Time(h.DateTime(t.UTC().Format(time.RFC3339)), g.Text(v.lang.moment(t)))
}

// ago is a time by how long it is past.
func (v *visit) ago(t time.Time) g.Node {
	if t.IsZero() {
		return g.Text("–")
	}
	return h.Time(h.DateTime(t.UTC().Format(time.RFC3339)), h.Data("ago", ""), h.Title(v.lang.moment(t)), g.Text(v.lang.ago(t, v.now())))
}

// A tone is how grave a state is. It is shown by colour and by a sign, beside its word.
type tone string

const (
	toneGood  tone = "good"
	toneWarn  tone = "warn"
	toneBad   tone = "bad"
	toneInfo  tone = "info"
	tonePlain tone = "plain"
)

// badge is a state: a sign, a colour, a word.
func (v *visit) badge(t tone, word text) g.Node {
	return h.Span(h.Class("badge "+string(t)), v.say(word))
}

// box is a part of a page that is set apart, with a heading of its own.
func (v *visit) box(t tone, title g.Node, children ...g.Node) g.Node {
	return h.Section(append([]g.Node{h.Class("box " + string(t)), h.H2(title)}, children...)...)
}

// hidden is a member of a form that nobody sees.
func hidden(name, value string) g.Node {
	return h.Input(h.Type("hidden"), h.Name(name), h.Value(value))
}

// act is a form with one button, that does one thing. Whose token lacks the scope sees
// the button, and why it is not for them.
func (v *visit) act(scope, to string, caption text, class string, children ...g.Node) g.Node {
	if !v.s.has(scope) {
		return v.lacking(scope, caption)
	}
	return h.Form(h.Method("post"), h.Action(to), h.Data("busy", ""), g.Group(children),
		h.Button(h.Type("submit"), h.Class(class), v.say(caption)))
}

// lacking is a button that is there and cannot be pressed, with the reason.
func (v *visit) lacking(scope string, caption text) g.Node {
	return h.Span(h.Class("lacking"), h.Button(h.Type("button"), h.Disabled(), v.say(caption)),
		h.Small(v.say(textNeeds), g.Text(" "), code(scope)))
}

// linkButton is a link to a page on which something is decided.
func (v *visit) linkButton(scope, to string, caption text, class string, more ...g.Node) g.Node {
	if !v.s.has(scope) {
		return v.lacking(scope, caption)
	}
	return link(to, append([]g.Node{h.Class("button " + class), v.say(caption)}, more...)...)
}

// column is a column of a table: its heading, and whether it holds numbers.
type column struct {
	head text
	num  bool
}

// cell is a cell under a column; on a narrow screen it says which.
func (v *visit) cell(c column, children ...g.Node) g.Node {
	class := ""
	if c.num {
		class = "num"
	}
	return h.Td(g.If(class != "", h.Class(class)), h.Data("label", v.lang.say(c.head)), h.Div(children...))
}

// table is a table with a caption for those who hear it.
func (v *visit) table(caption text, columns []column, rows []g.Node) g.Node {
	heads := make([]g.Node, len(columns))
	for i, c := range columns {
		heads[i] = h.Th(h.Scope("col"), g.If(c.num, h.Class("num")), v.say(c.head))
	}
	return h.Div(h.Class("scroll"), h.Table(h.Class("cards"), h.Caption(h.Class("unseen"), v.say(caption)), h.THead(h.Tr(heads...)), h.TBody(rows...)))
}

// empty says what would be here, and what to do.
func (v *visit) empty(t text, more ...g.Node) g.Node {
	return h.Div(h.Class("empty"), h.P(v.say(t)), g.Group(more))
}

// dash stands for a value that is not there.
func dash() g.Node { return h.Span(h.Class("faint"), g.Text("–")) }

// facts is a list of names and values.
func facts(pairs ...g.Node) g.Node { return h.Dl(append([]g.Node{h.Class("facts")}, pairs...)...) }

func (v *visit) fact(name text, value ...g.Node) g.Node {
	return h.Div(h.Dt(v.say(name)), h.Dd(value...))
}

// asCall names the call of the API that a page is, or whose form it has. The end of the
// page shows it; a page that names none shows what it has read.
func (v *visit) asCall(method, path string) g.Node {
	v.calls.name(method, path)
	return nil
}

// longestCall is how long a call may be that is shown; the longest are names by their IDs.
const longestCall = 4000

// asCalls shows a page as calls of the API, to be typed into a shell: the token is the
// reader's own, and is not on the page.
func (v *visit) asCalls() g.Node {
	if v.s == nil {
		return nil
	}
	var list []g.Node
	for _, call := range v.calls.list() {
		method, path, _ := strings.Cut(call, " ")
		line := "curl -H \"Authorization: Bearer $TOKEN\" "
		if method != http.MethodGet {
			line += "-X " + method + " "
		}
		if method != http.MethodGet && method != http.MethodDelete {
			line += "-H 'Content-Type: application/json' -d @body.json "
		}
		// A path has no quotation mark in it: query and apiPath escape it.
		line += "'" + cleanTo(v.c.cfg.PublicURL+path, longestCall) + "'"
		list = append(list, h.Pre(h.Code(g.Text(line))))
	}
	if len(list) == 0 {
		return nil
	}
	return h.Details(h.Class("call"), h.Summary(v.say(textAsCall)), g.Group(list))
}
