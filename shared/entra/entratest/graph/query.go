package graph

import (
	"hash/fnv"
	"net/url"
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// usualTop and mostTop are how many items a page has without $top, and at most.
const (
	usualTop = 100
	mostTop  = 999
)

// mostChoices is how many clauses an "or" may join outside advanced queries.
const mostChoices = 15

// pageLife is how long a page's link may be followed.
const pageLife = time.Hour

// page is where in a listing a page begins, and how many items it has.
type page struct {
	top       int
	from      odata.PageToken
	hash      uint64 // of everything in the link but the token
	continued bool   // it is not the first one
}

// page reads $top and the token of a link; a page has at most most items.
func (c *call) page(most int) (page, *odata.Error) {
	top, e := c.options.Top(usualTop, most)
	if e != nil {
		return page{}, e
	}
	h := fnv.New64a()
	h.Write([]byte(c.t.ID + strings.Join(c.path.Names, "/") + c.options.Without("$skiptoken").Encode()))
	p := page{top: top, hash: h.Sum64()}
	text, continued := c.options["$skiptoken"]
	if !continued {
		return p, nil
	}
	if c.strike(faults.PageExpired) != nil {
		return page{}, expiredPage()
	}
	from, ok := odata.OpenPage(text)
	if !ok || from.Query != p.hash {
		return page{}, odata.Refuse("DirectoryPageTokenNotFoundException", "The specified page token value is invalid or was not made for this request.")
	}
	if c.now().Sub(from.Made) > pageLife {
		return page{}, expiredPage()
	}
	p.from = from
	p.continued = true
	return p, nil
}

func expiredPage() *odata.Error {
	return odata.Refuse("Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.")
}

// link is the request's own address with the token of another page.
func (c *call) link(token string) string {
	query := strings.ReplaceAll(c.options.Without("$skiptoken", "$deltatoken").Encode(), "%24", "$")
	if query != "" {
		query += "&"
	}
	path, _, _ := strings.Cut(c.rel, "?")
	return c.base + path + "?" + query + "$skiptoken=" + url.QueryEscape(token)
}

// query is what a listing of stored objects is asked for.
type query struct {
	page

	table  *state.Table
	filter *odata.Filter
	search odata.Search
	order  []odata.SortKey // nil: by id
	count  bool
}

// query reads the options of a listing.
func (c *call) query(table *state.Table) (query, *odata.Error) {
	q := query{table: table}
	if _, ok := c.options["$skip"]; ok {
		return q, odata.BadRequest("'$skip' is not supported by the service.")
	}
	advanced, e := q.parse(c)
	if e != nil {
		return q, e
	}
	wanted := c.options.Count()
	if advanced != "" && (!c.eventual() || !wanted) {
		return q, odata.NeedsAdvanced("Filter operator or clause '" + advanced + "'")
	}
	q.count = wanted && c.eventual()
	if q.filter != nil && q.filter.Choices() > mostChoices && !q.count {
		return q, odata.Unsupported("Too many child clauses specified in search filter expression containing 'OR' operators: %d. Max allowed: %d.", q.filter.Choices(), mostChoices)
	}
	q.page, e = c.page(mostTop)
	return q, e
}

// parse reads $filter, $search and $orderby. advanced names the first clause that is
// only served in an advanced query.
func (q *query) parse(c *call) (advanced string, e *odata.Error) {
	filter := strings.TrimSpace(c.options["$filter"])
	if filter != "" {
		if advanced, e = q.parseFilter(filter); e != nil {
			return "", e
		}
	}
	if text := c.options["$search"]; text != "" {
		if !c.eventual() {
			return "", odata.Unsupported("Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
		}
		if q.search, e = odata.ParseSearch(text, q.searchable); e != nil {
			return "", e
		}
	}
	if text := c.options["$orderby"]; text != "" {
		if q.order, e = odata.ParseOrder(text, q.sortable); e != nil {
			return "", e
		}
		if advanced == "" && (filter != "" || !q.simpleOrder()) {
			advanced = "$orderby with $filter"
		}
	}
	return advanced, nil
}

// parseFilter parses a filter and checks it against the table.
func (q *query) parseFilter(text string) (advanced string, e *odata.Error) {
	q.filter, e = odata.ParseFilter(text, func(path, op string, literal any) *odata.Error {
		if op == "ne" || op == "endswith" || op == "$count" || op == "eq" && literal == nil {
			advanced = op
		}
		return q.filterable(path, op, literal)
	})
	if e == nil && q.filter.Negated() {
		advanced = "not"
	}
	return advanced, e
}

// endsWith are the properties that may be compared by their end.
var endsWith = []string{"mail", "otherMails", "userPrincipalName", "proxyAddresses"}

// filterable refuses a comparison that the directory does not serve.
func (q *query) filterable(path, op string, literal any) *odata.Error {
	name, member, nested := strings.Cut(path, "/")
	known, p, ok := q.table.Property(name)
	switch {
	case !ok:
		return odata.Unsupported("Could not find a property named '%s' on type 'microsoft.graph.%s'.", name, q.table.Kind)
	case nested && p.Type != state.Thing && !slices.Contains(p.Members, member):
		return odata.Unsupported("Could not find a property named '%s' on the property '%s'.", member, known)
	case !p.Basic:
		return odata.Unsupported("Unsupported property filter clause operator for property '%s'.", known)
	case op == "gt" || op == "lt":
		return odata.Unsupported("Operator '%s' is not supported because the 'GreaterThan' and 'LessThan' operators are not supported for property '%s'.", op, known)
	case op == "endswith" && !slices.Contains(endsWith, known):
		return odata.Unsupported("Operator 'endsWith' is not supported for property '%s'.", known)
	case op != "$count" && literal != nil && !fits(p, literal):
		return badRequest("Invalid filter clause: A binary operator with incompatible types was detected for property '%s'.", known)
	}
	return nil
}

// fits tells whether a value in a filter is of the property's type.
func fits(p state.Property, literal any) bool {
	switch p.Type {
	case state.Bool:
		_, ok := literal.(bool)
		return ok
	case state.String, state.Strings:
		_, ok := literal.(string)
		return ok
	case state.Time:
		_, err := time.Parse(time.RFC3339, state.Text(literal))
		return err == nil
	}
	return true
}

func (q *query) searchable(name string) (string, bool) {
	known, p, ok := q.table.Property(name)
	return known, ok && (p.Type == state.String || p.Type == state.Strings)
}

func (q *query) sortable(name string) (string, *odata.Error) {
	known, p, ok := q.table.Property(name)
	if !ok || p.Type != state.String && p.Type != state.Time {
		return "", odata.Unsupported("Unsupported sort property '%s' for '%s'.", name, q.table.Kind)
	}
	return known, nil
}

// simpleOrder tells whether the order needs no advanced query.
func (q *query) simpleOrder() bool {
	return !slices.ContainsFunc(q.order, func(k odata.SortKey) bool {
		return k.Property != "displayName" && k.Property != "userPrincipalName"
	})
}

// names are the texts of a filter that is a choice of names, so that the index of
// names answers it; nil for any other.
func (q *query) names() []string {
	if q.filter == nil {
		return nil
	}
	var out []string
	for _, equal := range q.filter.Choice() {
		known, _, _ := q.table.Property(equal.Path)
		if !slices.Contains(q.table.Names, known) {
			return nil
		}
		out = append(out, equal.Value)
	}
	return out
}

// matches tells whether filter and search find an object.
func (q *query) matches(c *call, o *state.Object) bool {
	return (q.filter == nil || q.filter.Match(c.getter(q.table, o))) && (q.search == nil || q.search.Match(o.Values))
}

// getter returns what paths such as onPremisesExtensionAttributes/extensionAttribute1
// have in an object.
func (c *call) getter(table *state.Table, o *state.Object) odata.Getter {
	return func(path string) any {
		name, member, nested := strings.Cut(path, "/")
		known, _, _ := table.Property(name)
		v := c.value(o, known)
		if record, ok := v.(map[string]any); ok && nested {
			return record[member]
		}
		return v
	}
}
