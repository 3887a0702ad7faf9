package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// largestExport is how large a file is that one answer brings: what Lambda hands on.
const largestExport = 4_000_000

// The forms of exports, as /v1 takes them in Accept.
const (
	asCSV   = "text/csv"
	asLines = "application/x-ndjson"
)

// export is a list of /v1 that is handed on as a file.
type export struct {
	at   string // of the list, with its filters and how many items a call brings
	kind string
	name string // of the file, before its ending
	// calls is how many calls of /v1 one file takes at most; 0: as many as its size lets.
	calls   int
	section string
	self    string // its address, with the filters
	back    string // the page that shows the list
}

func (e *export) file(part string) string {
	if e.kind == asCSV {
		return e.name + part + ".csv"
	}
	return e.name + part + ".jsonl"
}

// part is the address of a part; with upto, of its file.
func (e *export) part(n int, after, upto string) string {
	more := strings.TrimPrefix(query("", "part", itoa(n), "after", after, "upto", upto), "?")
	if strings.Contains(e.self, "?") {
		return e.self + "&" + more
	}
	return e.self + "?" + more
}

// toTheEnd stands for the end of a list, where its last part ends; no next of /v1 is so short.
const toTheEnd = "end"

// exported is a list of /v1 in another form than JSON: a file, if one takes all of it. If not,
// it is a page that leads from part to part, since a file that has only some of a list looks
// whole. The address says where a part begins (after) and, of the part as a file, where it
// ends (upto). The end was found when the page was made: when the file does not come to it
// any more, it would have a gap to the next one, or twice the same, and there is none.
func (v *visit) exported(e export) (answer, error) {
	q := v.r.URL.Query()
	part, after, upto := number0(q.Get("part")), q.Get("after"), q.Get("upto")
	body, end, err := v.readPart(&e, after, upto)
	if err != nil {
		return nil, err
	}
	switch {
	case upto == "" && part == 0 && end == toTheEnd:
		return file{e.kind + "; charset=utf-8", e.file(""), body}, nil
	case upto == "":
		return v.partView(&e, max(1, part), after, end, body), nil
	case upto != end:
		return view{status: http.StatusConflict, title: v.lang.say(textNotDone), section: e.section, body: []g.Node{v.box(toneWarn, v.say(textRefused), h.P(v.say(textPartChanged)),
			h.P(link(e.part(max(1, part), after, ""), h.Class("button primary"), v.say(textTryAgain))))}}, nil
	case end == toTheEnd:
		return file{e.kind + "; charset=utf-8", e.file("-part-" + itoa(part) + "-last"), body}, nil
	}
	return file{e.kind + "; charset=utf-8", e.file("-part-" + itoa(part)), body}, nil
}

// readPart reads a list from a place on: up to another one, or else as much as one file takes.
// end is where that ends.
func (v *visit) readPart(e *export, after, upto string) (body, end string, err error) {
	var all strings.Builder
	began := v.now()
	for calls := 1; ; calls++ {
		at := e.at
		if after != "" {
			at += "&" + url.Values{"next": {after}}.Encode()
		}
		var text string
		header, err := v.call(v.ctx, http.MethodGet, at, nil, &text, "Accept", e.kind)
		if p, ours := asProblem(err); ours && p.late && calls > 1 && upto == "" {
			return all.String(), after, nil // the next part goes on here
		}
		if err != nil {
			return "", "", err
		}
		if all.Len() > 0 {
			if e.kind == asCSV { // each page has its header row
				_, text, _ = strings.Cut(text, "\n")
			}
			if all.Len()+len(text) > largestExport {
				return all.String(), after, nil
			}
		}
		all.WriteString(text)
		if after = nextOf(header.Get("Link")); after == "" {
			return all.String(), toTheEnd, nil
		}
		if after == upto || calls == e.calls || upto == "" && v.now().Sub(began) > pageTime {
			return all.String(), after, nil
		}
	}
}

// nextOf is where the next page begins, of a header Link; "" when there is none.
func nextOf(link string) string {
	to, _, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	u, err := url.Parse(to)
	if !ok || err != nil {
		return ""
	}
	return u.Query().Get("next")
}

// partView is the page of one part: how much it is, the file, and whether there is more.
func (v *visit) partView(e *export, part int, after, end, body string) answer {
	rows := rowsOf(e.kind, body)
	more := h.P(v.say(textLastPart))
	if end != toTheEnd {
		more = h.Div(h.P(v.say(textMoreParts)), h.P(link(e.part(part+1, end, ""), h.Class("button"), v.say(textNextPart))))
	}
	return view{title: v.lang.say(textInParts, e.file("")), section: e.section, crumbs: []crumb{{e.back, v.say(textBack)}}, body: []g.Node{
		h.P(h.Class("lead"), v.say(textInPartsMeans)),
		v.box(toneInfo, v.say(textPart, v.lang.number(part)), h.P(v.count(countRows, rows, v.lang.number((len(body)+999)/1000))),
			h.P(link(e.part(part, after, end), h.Class("button primary"), v.say(textKeepPart, v.lang.number(part)))), more),
		v.asCall("GET", e.at)}}
}

// rowsOf is how many rows a file has, without that of the headings.
func rowsOf(kind, body string) int {
	if kind != asCSV {
		return strings.Count(body, "\n")
	}
	rows, quoted := -1, false
	for _, c := range []byte(body) {
		switch c {
		case '"':
			quoted = !quoted // one inside of a text is doubled
		case '\n':
			if !quoted {
				rows++
			}
		}
	}
	return max(0, rows)
}

// filesOf leads to a list as files: beside its page, under the same name.
func (v *visit) filesOf(page string, filter []string) g.Node {
	return h.P(h.Class("row"), link(query(page+".csv", filter...), h.Class("button quiet"), v.say(textCSV)), link(query(page+".jsonl", filter...), h.Class("button quiet"), v.say(textJSONLines)))
}

// activityFile exports what was done. It ends at a time that does not move: what is done
// meanwhile would shift the parts.
func activityFile(kind string) func(v *visit) (answer, error) {
	return func(v *visit) (answer, error) {
		by, err := v.activityFilter()
		if err != nil {
			return nil, err
		}
		end, err := time.Parse(time.DateOnly, by["until"])
		if err == nil {
			end = end.AddDate(0, 0, 1)
		} else {
			end, err = time.Parse(time.RFC3339, by["until"])
		}
		if by["until"] == "" || err == nil && end.After(v.now()) {
			by["until"] = v.now().UTC().Format(time.RFC3339Nano)
		}
		return v.exported(export{at: by.of("limit", "500"), kind: kind, name: "activity", section: "/console/activity", self: query(v.r.URL.EscapedPath(), by.pairs()...), back: query("/console/activity", by.pairs()...)})
	}
}

// changesCSV hands on the changes as the API writes them.
func changesCSV(v *visit) (answer, error) {
	filter, err := v.runFilter()
	if err != nil {
		return nil, err
	}
	return v.exported(export{at: filter.of(v.id(), "changes", "limit", "500"), kind: asCSV, name: "changes", self: filter.at(v.r.URL.EscapedPath()), back: filter.at(here("runs", v.id()))})
}

// auditFile exports what both logs say. Its end does not move either.
func auditFile(kind string) func(v *visit) (answer, error) {
	return func(v *visit) (answer, error) {
		until := v.r.URL.Query().Get("until")
		if _, err := time.Parse(time.RFC3339, until); err != nil {
			until = v.now().UTC().Format(time.RFC3339Nano)
		}
		return v.exported(export{at: query(apiPath("connections", v.id(), "audit"), "until", until, "limit", "500"), kind: kind, name: "audit", calls: 4,
			section: "/console/connections", self: query(v.r.URL.EscapedPath(), "until", until), back: here("connections", v.id(), "audit")})
	}
}

const (
	// usersPerCall and userCalls say how many users one file has: 10,000 by so many calls,
	// fewer where they are long.
	usersPerCall = 2_500
	userCalls    = 4
)

// usersFile exports the users that the page of users lists by its filter, or those that are
// ticked there.
func usersFile(kind string) func(v *visit) (answer, error) {
	return func(v *visit) (answer, error) {
		f, err := v.userFilter()
		if err != nil {
			return nil, err
		}
		chosen, ok := v.picked()
		if !ok {
			return v.refusal(http.StatusBadRequest, textTooManyPicked, v.lang.number(mostPicked)), nil
		}
		back := query("/console/users", append(f.pairs(), "s", chosen.String())...)
		switch whom := v.r.URL.Query().Get("whom"); {
		case whom == "chosen" && len(chosen) == 0:
			return v.done(back, v.lang.say(textNobodyPicked)), nil
		case whom == "chosen":
			return v.chosenFile(kind, chosen)
		}
		return v.exported(export{at: f.of("include", "binding", "limit", itoa(usersPerCall)), kind: kind, name: "users", calls: userCalls, section: "/console/users", self: query(v.r.URL.EscapedPath(), f.pairs()...), back: back})
	}
}

// chosenFile exports users who are ticked. Whoever is not there any more is not in it, and
// its name says so.
func (v *visit) chosenFile(kind string, chosen picked) (answer, error) {
	ids := make([]string, len(chosen))
	for i, id := range chosen {
		ids[i] = string(id)
	}
	e := export{at: query("/v1/users", "id", strings.Join(ids, ","), "include", "binding", "limit", itoa(mostPicked)), kind: kind, name: "users-chosen"}
	body, end, err := v.readPart(&e, "", toTheEnd)
	if err != nil {
		return nil, err
	}
	if end != toTheEnd {
		return nil, &problem{Status: http.StatusGatewayTimeout, late: true}
	}
	if n := rowsOf(kind, body); n < len(ids) {
		e.name += "-" + itoa(n) + "-of-" + itoa(len(ids))
	}
	return file{kind + "; charset=utf-8", e.file(""), body}, nil
}
