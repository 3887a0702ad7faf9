package console

import (
	"net/http"
	"slices"

	"bindery/shared/directory"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// bothEdits brings together what two have made of one form's fields at once, by the names of
// the fields: typed is what stands in the form that is sent, was what the form was made of,
// now what there is by now. A field that was not touched takes what it is now. What both have
// changed, each into something else, stays as it was typed and is among theirs, with what it
// is now; so is what differs in a form that does not tell what it was made of.
func bothEdits(typed, was, now map[string]string) (merged, theirs map[string]string) {
	merged, theirs = map[string]string{}, map[string]string{}
	for name, value := range typed {
		old, known := was[name]
		merged[name] = value
		switch {
		case value == now[name]:
		case known && value == old:
			merged[name] = now[name]
		case !known || now[name] != old:
			theirs[name] = now[name]
		}
	}
	return merged, theirs
}

// madeOf is before the names of the fields that tell what a form was made of.
const madeOf = "was."

// otherEdit is what somebody else has made of something while a form of it was open.
type otherEdit struct {
	// theirs is, by field, what it is by now where both have changed it; taken what stood in
	// the form where the other one alone has.
	theirs, taken map[string]string
	newest        *entry // the newest edit; nil when it is not known
}

// broughtTogether are the fields of the form that is sent, by what stands in them, and what
// they are by now: what the form is to have, and what somebody else has made of it.
func (v *visit) broughtTogether(stands, now map[string]string) (merged map[string]string, other *otherEdit) {
	was := map[string]string{}
	for name := range stands {
		if v.r.PostForm.Has(madeOf + name) {
			was[name] = typedText(v.r.PostForm.Get(madeOf + name))
		}
	}
	other = &otherEdit{taken: map[string]string{}}
	merged, other.theirs = bothEdits(stands, was, now)
	for name, value := range merged {
		if value != stands[name] {
			other.taken[name] = stands[name]
		}
	}
	return merged, other
}

// undecided are the fields that both have changed and of which a form does not say what
// counts; what is to be theirs is taken over.
func (v *visit) undecided(stands map[string]string) map[string]string {
	open := map[string]string{}
	for name, value := range stands {
		if !slices.Contains(v.r.PostForm["both"], name) {
			continue
		}
		now := typedText(v.r.PostForm.Get(madeOf + name))
		switch v.r.PostForm.Get("take." + name) {
		case "theirs":
			stands[name] = now
		case "mine":
		default:
			if value != now {
				open[name] = now
			}
		}
	}
	return open
}

// newestEdit is the newest entry of a kind about somebody or something in our directory; nil
// where that cannot be told.
func (v *visit) newestEdit(parameter, id string, kind directory.AuditKind) *entry {
	var list page[entry]
	if _, err := v.call(v.ctx, http.MethodGet, query("/v1/activity", parameter, id, "effect", string(kind), "limit", "1"), nil, &list); err != nil || len(list.Items) == 0 {
		return nil
	}
	return &list.Items[0]
}

// meanwhile tells of another edit, above the form.
func (v *visit) meanwhile(other *otherEdit) g.Node {
	if other == nil {
		return nil
	}
	return v.box(toneWarn, v.say(textChangedMeanwhile), v.byOther(other.newest), h.P(v.say(textBothVersions)))
}

// ofOther is what another edit has made of a field: what was taken over stands in the help of
// the field, what both have changed is to be chosen of.
func (v *visit) ofOther(other *otherEdit, name string) (help, choice g.Node) {
	if other == nil {
		return nil, nil
	}
	if was, changed := other.taken[name]; changed {
		help = h.Strong(v.say(textTakenOver), g.Text(" "), v.value(directory.StringValue(was)))
	}
	if now, changed := other.theirs[name]; changed {
		choice = v.chosenOf(name, now)
	}
	return help, choice
}

// chosenOf is what is to be chosen of a field that both have changed.
func (v *visit) chosenOf(name, theirs string) g.Node {
	pick := func(value string, caption text, more ...g.Node) g.Node {
		return h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("take."+name), h.Value(value), h.Required()), h.Span(v.say(caption), g.Group(more)))
	}
	return h.FieldSet(h.Legend(h.Class("fault"), v.say(textBothChanged)), hidden("both", name), pick("mine", textTakeMine), pick("theirs", textTakeTheirs, g.Text(" "), v.value(directory.StringValue(theirs))))
}

// byOther is who was faster, and when.
func (v *visit) byOther(e *entry) g.Node {
	if e == nil {
		return nil
	}
	if e.By == v.s.Subject {
		return h.P(v.say(textLastEditYours), g.Text(" "), v.ago(e.At))
	}
	return h.P(v.say(textLastEditBy), g.Text(" "), v.actor(e.By, names{}), g.Text(" · "), v.ago(e.At))
}
