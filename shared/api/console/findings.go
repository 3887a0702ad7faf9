package console

import (
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// said is what a page says of a finding.
type said struct{ found, follows, next g.Node }

// inOurWords says a finding in the language of the page, by its code and its values. It does
// not where the console has no words for it, or lacks a value that they speak of: of a newer
// version, or of a report that an earlier one has written. Then the API's own sentences stand.
func (v *visit) inOurWords(f findingForm, values map[string]any, subject string) (said, bool) {
	w, known := findingSays[f]
	if !known {
		return said{}, false
	}
	if n, is := wholeNumber(values[w.count]); is && n == 1 {
		w.found = w.one
	}
	s := filler{v: v, values: values, subject: subject, whole: true}
	out := said{g.Group(s.fill(v.lang.say(w.found))), g.Group(s.fill(v.lang.say(w.follows))), g.Group(s.fill(v.lang.say(w.next)))}
	return out, s.whole
}

// filler puts the values of a finding into words.
type filler struct {
	v       *visit
	values  map[string]any
	subject string
	whole   bool // no value was missing
}

// fill is words with their values, without the optional parts whose values are not known.
func (s *filler) fill(words string) (out []g.Node) {
	for words != "" {
		at := strings.IndexAny(words, "{[")
		if at < 0 {
			return append(out, g.Text(words))
		}
		out = append(out, g.If(at > 0, g.Text(words[:at])))
		end := strings.IndexByte(words[at:], "}]"[strings.IndexByte("{[", words[at])]) + at
		inside := words[at+1 : end]
		if words[at] == '[' {
			part := filler{v: s.v, values: s.values, subject: s.subject, whole: true}
			if nodes := part.fill(inside); part.whole {
				out = append(out, nodes...)
			}
		} else {
			out = append(out, s.value(inside))
		}
		words = words[end+1:]
	}
	return out
}

// value is one value as a page shows it.
func (s *filler) value(name string) g.Node {
	if n, is := wholeNumber(s.values[name]); is {
		return s.v.number(n)
	}
	is, _ := s.values[name].(string)
	if is == "" {
		s.whole = false
		return nil
	}
	switch name {
	case "since":
		if at, err := time.Parse(time.RFC3339, is); err == nil {
			return s.v.moment(at)
		}
	case "on", "ends":
		if at, err := time.Parse(time.DateOnly, is); err == nil {
			return h.Time(h.DateTime(is), g.Text(s.v.lang.day(at)))
		}
	case "why", "detail", "first", "signs":
		return s.v.sentence(is)
	case "scope", "status", "answer", "spf", "record":
		return code(is)
	}
	if is == s.subject {
		return h.Strong(data(is))
	}
	return data(is)
}

// wholeNumber is a value that is a number.
func wholeNumber(v any) (int, bool) {
	n, is := v.(float64)
	return int(n), is
}
