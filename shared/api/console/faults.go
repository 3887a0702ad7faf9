package console

import (
	"io"
	"net/http"
	"slices"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// A form that was refused is shown again, with what was typed. What is wrong stands in a list
// on top, which takes the focus and leads to the fields, and at each field. Both know of each
// other by problem.at: a field that shows its faults is one that the list leads to.

// faultsID is the ID of the list of what is wrong with a form.
const faultsID = "faults"

// spot is a field of a page: where the list of faults leads to, and what people call it; nil
// where each fault has a name of its own.
type spot struct {
	id   string
	name g.Node
}

// fault is what is wrong with one field.
type fault struct {
	id    string // of the field
	said  []string
	local bool // in the language of the page: /v1 speaks English
}

// unfitFor is a fault that the console itself finds, in words of its own: with a field, or with
// none ("").
func (v *visit) unfitFor(member string, why text, with ...any) *problem {
	return atFault(directory.FieldError{Field: member, Detail: v.lang.say(why, with...)})
}

// atFault are faults that the console itself finds, said in the language of the page.
func atFault(faults ...directory.FieldError) *problem {
	return &problem{Status: http.StatusUnprocessableEntity, local: true, Errors: faults}
}

// at tells that a page has a field, by its ID, for members of what was sent, and gives what is
// wrong with it; "phones*" stands for phones and all that is in it, "*" for all
// that is wrong, each named by itself. Of a form that nobody has
// sent yet (nil) nothing is wrong.
func (p *problem) at(id string, name g.Node, members ...string) fault {
	f := fault{id: id}
	if p == nil {
		return f
	}
	f.local = p.local
	for i, e := range p.Errors {
		if !slices.ContainsFunc(members, func(m string) bool {
			whole, tree := strings.CutSuffix(m, "*")
			return m == "*" || e.Field == whole || tree && (strings.HasPrefix(e.Field, whole+".") || strings.HasPrefix(e.Field, whole+"["))
		}) {
			continue
		}
		if p.spots == nil {
			p.spots = map[int]spot{}
		}
		p.spots[i] = spot{id, name}
		said := e.Detail
		if name == nil {
			said = e.Field + ": " + said
		}
		f.said = append(f.said, said)
	}
	return f
}

// mark are the attributes of a field that has an ID: what describes it, besides help, and that
// it is at fault.
func (f fault) mark(help string) g.Node {
	describedBy := help
	if len(f.said) > 0 {
		describedBy = strings.TrimSpace(help + " " + f.id + "-fault")
	}
	return g.Group([]g.Node{g.If(describedBy != "", h.Aria("describedby", describedBy)), g.If(len(f.said) > 0, h.Aria("invalid", "true"))})
}

// told is what stands at a field that is at fault.
func (v *visit) told(f fault) g.Node {
	if len(f.said) == 0 {
		return nil
	}
	var said []g.Node
	for i, s := range f.said {
		if i > 0 {
			said = append(said, h.Br())
		}
		said = append(said, v.detail(s, f.local))
	}
	return h.Span(append([]g.Node{h.ID(f.id + "-fault"), h.Class("fault at")}, said...)...)
}

// detail is a sentence about a fault, of /v1 or of ours.
func (v *visit) detail(s string, local bool) g.Node {
	if local {
		return g.Text(cleanTo(s, longestSentence))
	}
	return v.sentence(s)
}

// faultLines are the lines of what is wrong, each of which leads to its field where the page
// has one.
func (v *visit) faultLines(p *problem) (lines []g.Node) {
	for i, e := range p.Errors {
		said := []g.Node{v.detail(e.Detail, p.local)}
		at, shown := p.spots[i]
		switch {
		case p.local: // which says itself what it is about
		case shown && at.name != nil:
			said = append([]g.Node{at.name, g.Text(": ")}, said...)
		default:
			said = append([]g.Node{code(e.Field), g.Text(" ")}, said...)
		}
		if shown {
			said = []g.Node{link("#"+at.id, said...)}
		}
		lines = append(lines, h.Li(said...))
	}
	return lines
}

// refused is what stands on top of a form that was refused; nothing of one that was not. It is
// made when the page is written: before that its fields are not known.
func (v *visit) refused(p *problem) g.Node {
	if p == nil {
		return nil
	}
	return g.NodeFunc(func(w io.Writer) error {
		return h.Section(h.ID(faultsID), h.Class("box "+string(toneBad)), h.TabIndex("-1"), h.AutoFocus(), h.Aria("labelledby", faultsID+"-title"),
			h.H2(h.ID(faultsID+"-title"), v.say(textNotDone)), v.reasons(p)).Render(w)
	})
}
