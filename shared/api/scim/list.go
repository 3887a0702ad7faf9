package scim

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bindery/shared/core/people"
)

const (
	schemaList   = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	schemaSearch = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

	defaultCount = 100
	maxCount     = 500
)

// question is what a listing asks for (RFC 7644, 3.4.2; RFC 9865).
type question struct {
	filter expr // nil: all
	// eq are those comparisons of the filter that must all hold and are of equality.
	eq       []compare
	names    []string // of the attributes that the filter is of, for the log
	start    int      // startIndex
	count    int
	cursor   string
	byCursor bool
	// place is that of the cursor, and leads what it was given out for (openCursor).
	place, leads string
	projection   projection
	// behind is how many of what a filter finds are before the page, and known how many there
	// are at least, by the page before.
	behind, known int
	// looked is how many users or groups were looked at for the filter; a large one counts as
	// several.
	looked int
	// key tells the question from others, whose pages are not its own.
	key string
}

// readQuery reads the parameters of a listing. Unknown ones mean nothing: Entra's flag
// (aadOptscim062020) is left in its address.
func (t *resourceType) readQuery(values url.Values, n *notes) (*question, error) {
	q := &question{start: 1, count: defaultCount}
	var err error
	if s := values.Get("filter"); s != "" {
		if q.filter, err = t.parseFilter(s, n); err != nil {
			return nil, err
		}
		q.eq, q.names = conjuncts(q.filter, nil), attributesOf(q.filter, nil)
		q.key = q.filter.String()
	}
	for name, to := range map[string]*int{"startIndex": &q.start, "count": &q.count} {
		s := strings.TrimSpace(values.Get(name))
		if s == "" {
			continue
		}
		if *to, err = strconv.Atoi(s); err != nil {
			keyword := typeInvalidValue
			if name == "count" && values.Has("cursor") {
				keyword = typeInvalidCount
			}
			return nil, badRequest(keyword, "The parameter %s must be a whole number. Send one, or leave it out.", name)
		}
	}
	if q.byCursor, q.cursor = values.Has("cursor"), values.Get("cursor"); q.byCursor {
		if q.count < 1 { // RFC 9865, 2 and 2.1
			if err := n.bend(typeInvalidCount, "count was less than 1 with a cursor: such a page can say how many there are, and not how to go on"); err != nil {
				return nil, err
			}
		}
		if q.start > 1 {
			if err := n.bend(typeInvalidValue, "startIndex was sent with a cursor, which alone says where the page begins"); err != nil {
				return nil, err
			}
			q.start = 1
		}
	}
	q.start = max(1, q.start)                // RFC 7644, 3.4.2.4: less than 1 is 1,
	q.count = min(max(0, q.count), maxCount) // and less than 0 is 0
	q.projection, err = t.project(values["attributes"], values["excludedAttributes"], n)
	return q, err
}

// readParameters reads a query. A plus is a blank as forms have it, but where a value has
// blanks that are written as %20: there it is a plus, as in RFC 3986, and as in the addresses
// ann+x@… that some clients leave as they are. A semicolon is one.
func readParameters(raw string) (url.Values, error) {
	values := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, text, _ := strings.Cut(pair, "=")
		read := url.QueryUnescape
		if strings.Contains(text, "%20") {
			read = url.PathUnescape
		}
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		if text, err = read(text); err != nil {
			return nil, err
		}
		values.Add(name, text)
	}
	return values, nil
}

// readSearch makes parameters of the body of a search (RFC 7644, 3.4.3).
func readSearch(body *object, n *notes) (url.Values, error) {
	list, _ := body.get("schemas").([]any)
	if !slices.ContainsFunc(list, func(s any) bool { return strings.EqualFold(plain(s), schemaSearch) }) {
		if err := n.bend(typeInvalidSyntax, "the schemas do not name %s", schemaSearch); err != nil {
			return nil, err
		}
	}
	values := url.Values{}
	for _, name := range []string{"filter", "startIndex", "count", "cursor", "attributes", "excludedAttributes"} {
		switch v := body.get(name).(type) {
		case nil:
			if body.index(name) >= 0 && name == "cursor" {
				values.Set(name, "")
			}
		case []any:
			for _, e := range v {
				values.Add(name, plain(e))
			}
		default:
			values.Set(name, plain(v))
		}
	}
	return values, nil
}

// conjuncts are the comparisons for equality without which a filter cannot hold: those within
// brackets as well, as of the attribute before them.
func conjuncts(e expr, list []compare) []compare {
	switch e := e.(type) {
	case both:
		return conjuncts(e.b, conjuncts(e.a, list))
	case compare:
		none := e.value == nil || e.value == ""
		if e.op == "eq" && !none {
			list = append(list, e)
		}
		if e.of.where == nil || e.op == "ne" || none && e.op != "pr" {
			return list
		}
		for _, c := range conjuncts(e.of.where, nil) {
			list = append(list, compare{target{extension: e.of.extension, attr: e.of.attr, where: e.of.where, sub: c.of.attr}, "eq", c.value})
		}
	}
	return list
}

// alternatives are the filters of which one must hold.
func alternatives(e expr, list []expr) []expr {
	if e, is := e.(either); is {
		return alternatives(e.b, alternatives(e.a, list))
	}
	return append(list, e)
}

func attributesOf(e expr, list []string) []string {
	switch e := e.(type) {
	case both:
		return attributesOf(e.b, attributesOf(e.a, list))
	case either:
		return attributesOf(e.b, attributesOf(e.a, list))
	case not:
		return attributesOf(e.of, list)
	case compare:
		return append(list, target{extension: e.of.extension, attr: e.of.attr, sub: e.of.sub}.String()) // the values in brackets are not kept
	}
	return list
}

// wanted is the text that an attribute must equal by the filter; ok is false where it
// says nothing of that attribute. An element's filter is not looked at: whoever finds
// somebody by this looks whether the filter holds.
func (q *question) wanted(extension, attr, sub string) (text string, ok bool) {
	for _, c := range q.eq {
		if c.of.extension == extension && c.of.attr.name == attr && (c.of.leaf().name == sub || sub == "" && c.of.sub == nil) {
			return plain(c.value), true
		}
	}
	return "", false
}

// onlyFirst reports whether the filter asks for an e-mail address of work, or the primary
// one: what others have set of a user beside the first address is shown as neither.
func (q *question) onlyFirst() bool {
	return slices.ContainsFunc(q.eq, func(c compare) bool { return c.of.attr.name == "emails" && firstAlone(c.of.where) })
}

func firstAlone(where expr) bool {
	switch e := where.(type) {
	case both:
		return firstAlone(e.a) || firstAlone(e.b)
	case compare:
		name := e.of.leaf().name
		return e.op == "eq" && (name == "type" && strings.EqualFold(plain(e.value), "work") || name == "primary" && strings.EqualFold(plain(e.value), "true"))
	}
	return false
}

// page is what a listing found.
type page struct {
	resources []*object
	found     int    // how many the page was to have: where it has fewer, there is more
	of        string // what was walked through
	keyed     bool   // found by keys, which are asked anew for each page
	total     int
	next      string // cursor; "" at the end, and of a listing by startIndex
}

// byKeys is the kind of a listing of some kind that keys answer, in cursors.
func byKeys(kind string) string { return "keyed " + kind }

// keyedPage is the page of those whom keys have found, in the order in which all are listed: who
// pages by cursor goes on behind the last one, whoever has come or gone since, also where keys
// do not answer any more.
func (c *call) keyedPage(kind string, q *question, list []resource) ([]resource, page, error) {
	p := page{of: byKeys(kind), keyed: true, total: len(list)}
	place := func(r resource) string { return people.CursorBehind(r.id()) }
	slices.SortFunc(list, func(a, b resource) int { return people.CompareCursors(place(a), place(b)) })
	if q.byCursor {
		list = slices.DeleteFunc(list, func(r resource) bool { return people.CompareCursors(place(r), q.place) <= 0 })
	} else {
		list = list[min(q.start-1, len(list)):]
	}
	more := len(list) > q.count
	list = list[:min(len(list), q.count)]
	if p.found = len(list); !more || !q.byCursor || p.found == 0 {
		return list, p, nil
	}
	var err error
	p.next, err = c.seal(p.of, q, place(list[len(list)-1]), p.found, p.total)
	return list, p, err
}

// body is the page as it is answered.
func (q *question) body(p page) *object {
	o := &object{}
	o.set("schemas", []any{schemaList})
	o.set("totalResults", p.total)
	o.set("itemsPerPage", len(p.resources))
	if !q.byCursor {
		o.set("startIndex", q.start)
	} else if p.next != "" {
		o.set("nextCursor", p.next)
	}
	list := make([]any, len(p.resources)) // [] when there is none: clients do not read null
	for i, r := range p.resources {
		list[i] = r
	}
	o.set("Resources", list)
	return o
}
