package entratest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// listThings are the properties whose absence is an empty collection.
var listThings = []string{
	"assignedLicenses", "assignedPlans", "identities", "provisionedPlans", "onPremisesProvisioningErrors",
	"serviceProvisioningErrors", "licenseAssignmentStates",
}

// value is a property as Graph shows it.
func (t *tenant) value(o *object, name string) any {
	props, _ := table(o.Kind)
	switch name {
	case "id":
		return o.ID
	case "deletedDateTime":
		if !o.Deleted.IsZero() {
			return stamp(o.Deleted)
		}
		return nil
	case "passwordProfile":
		return nil // never shown
	case "identities":
		if o.Props[name] == nil {
			return []any{map[string]any{"signInType": "userPrincipalName", "issuer": t.initialDomain(), "issuerAssignedId": o.text("userPrincipalName")}}
		}
	case "onPremisesExtensionAttributes":
		all := map[string]any{}
		given, _ := o.Props[name].(map[string]any)
		for _, a := range extensionAttributes {
			all[a] = given[a]
		}
		return all
	}
	v := o.Props[name]
	if v == nil && (props[name].kind == aList || slices.Contains(listThings, name)) {
		return []any{}
	}
	return v
}

func (t *tenant) initialDomain() string {
	for _, d := range t.domains {
		if d.IsInitial {
			return d.Name
		}
	}
	return ""
}

// show is an object with the selected properties.
func (t *tenant) show(o *object, names []string) map[string]any {
	out := make(map[string]any, len(names)+1)
	for _, n := range names {
		out[n] = t.value(o, n)
	}
	return out
}

// selection reads $select. extra are names that stand for relations.
func (c *call) selection(kind string, extra ...string) (names, relations []string, e *graphError) {
	text, ok := c.q["$select"]
	if !ok || strings.TrimSpace(text) == "" {
		return standardSet(kind), nil, nil
	}
	_, resource := table(kind)
	for _, n := range strings.Split(text, ",") {
		n = strings.TrimSpace(n)
		if slices.Contains(extra, n) {
			relations = append(relations, n)
			continue
		}
		name, p, ok := propertyName(kind, n)
		if !ok {
			return nil, nil, request400("Could not find a property named '%s' on type 'microsoft.graph.%s'.", n, strings.ToLower(resource))
		}
		if p.single && len(c.names) == 1 && c.names[0] != "me" {
			return nil, nil, badGraph("Request_UnsupportedQuery", "The property '%s' can only be read for one object at a time.", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, relations, nil
}

// contextOf names a set and its selection for @odata.context.
func (c *call) contextOf(set string, single bool) string {
	if sel := strings.TrimSpace(c.q["$select"]); sel != "" {
		set += "(" + strings.ReplaceAll(sel, " ", "") + ")"
	}
	if single {
		set += "/$entity"
	}
	return c.context(set)
}

func (c *call) getUser() (*reply, *graphError) {
	scopes := readUsers
	if strings.EqualFold(c.ref(), c.me.ID) || strings.EqualFold(c.ref(), c.me.text("userPrincipalName")) {
		scopes = readSelf
	}
	if !c.has(scopes...) {
		return nil, denied()
	}
	o, e := c.lookup(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	return c.one(o, "users")
}

// one answers with one object.
func (c *call) one(o *object, set string) (*reply, *graphError) {
	names, _, e := c.selection(o.Kind)
	if e != nil {
		return nil, e
	}
	body := c.t.show(o, names)
	if e := c.expand(o, body); e != nil {
		return nil, e
	}
	body["@odata.context"] = c.contextOf(set, true)
	return &reply{status: http.StatusOK, body: body}, nil
}

// expand adds the manager when $expand asks for it; nothing else can be.
func (c *call) expand(o *object, body map[string]any) *graphError {
	text := strings.TrimSpace(c.q["$expand"])
	if text == "" {
		return nil
	}
	name, inner, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	if !strings.EqualFold(name, "manager") || o.Kind != kindUser {
		return badGraph("BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '%s'.", name)
	}
	m := c.seen(o.Manager)
	if o.Manager == "" || m == nil || !m.active() {
		return nil
	}
	names := standardSet(kindUser)
	if inner != "" {
		option, list, _ := strings.Cut(inner, "=")
		if !strings.EqualFold(option, "$select") {
			return badGraph("BadRequest", "Parsing OData Select and Expand failed.")
		}
		names = nil
		for _, n := range strings.Split(list, ",") {
			known, _, ok := propertyName(kindUser, strings.TrimSpace(n))
			if !ok {
				return request400("Could not find a property named '%s' on type 'microsoft.graph.user'.", n)
			}
			names = append(names, known)
		}
	}
	out := c.t.show(m, names)
	out["@odata.type"] = "#microsoft.graph.user"
	body["manager"] = out
	return nil
}

func (c *call) listUsers() (*reply, *graphError) {
	if !c.has(readUsers...) {
		return nil, denied()
	}
	return c.listing(kindUser, "users", c.t.ids, func(o *object) bool { return o.active() })
}

func (c *call) listGroups() (*reply, *graphError) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	return c.listing(kindGroup, "groups", c.t.groupsSorted(), func(o *object) bool { return o.active() })
}

func (t *tenant) groupsSorted() []string { return slices.Sorted(slices.Values(t.groupIDs)) }

func (c *call) countUsers() (*reply, *graphError) {
	if !c.has(readUsers...) {
		return nil, denied()
	}
	if !c.eventual() {
		return nil, needsAdvanced("$count")
	}
	q, e := c.query(kindUser)
	if e != nil {
		return nil, e
	}
	n := len(c.matching(kindUser, c.t.ids, func(o *object) bool { return o.active() }, q))
	return &reply{status: http.StatusOK, raw: []byte(strconv.Itoa(n)), kind: "text/plain"}, nil
}

func (c *call) eventual() bool {
	return strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual")
}

// pageToken says where a listing goes on.
type pageToken struct {
	After string    `json:"a,omitempty"` // id, in the natural order
	Skip  int       `json:"s,omitempty"` // objects, in any other
	Made  time.Time `json:"m"`
	Query uint64    `json:"q"` // hash of everything else in the link
}

// pageLife is how long a page's link may be followed.
const pageLife = time.Hour

// seal makes an opaque token of a value; open reads it.
func seal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return "RFNwdAIAAQAAAB" + base64.RawURLEncoding.EncodeToString(raw)
}

func unseal(text string, v any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, "RFNwdAIAAQAAAB"))
	return err == nil && json.Unmarshal(raw, v) == nil
}

// listQuery is what a listing is asked for.
type listQuery struct {
	top    int
	keep   func(o *object) bool // filter and search; nil: all
	order  func(a, b *object) int
	count  bool
	hash   uint64
	from   pageToken
	paging bool
}

// query reads the options of a listing.
func (c *call) query(kind string) (listQuery, *graphError) {
	q := listQuery{top: 100}
	advanced := ""
	if text, ok := c.q["$top"]; ok {
		n, err := strconv.Atoi(text)
		if most := cmp.Or(c.maxTop, 999); err != nil || n < 1 || n > most {
			return q, request400("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", text, most)
		}
		q.top = n
	}
	if _, ok := c.q["$skip"]; ok {
		return q, badGraph("BadRequest", "'$skip' is not supported by the service.")
	}
	filter := strings.TrimSpace(c.q["$filter"])
	if filter != "" {
		f, e := c.parseFilter(kind, filter)
		if e != nil {
			return q, e
		}
		q.keep = f.keep
		advanced = f.advanced
	}
	if text := c.q["$search"]; text != "" {
		if !c.eventual() {
			return q, badGraph("Request_UnsupportedQuery", "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
		}
		search, e := parseSearch(kind, text)
		if e != nil {
			return q, e
		}
		inner := q.keep
		q.keep = func(o *object) bool { return (inner == nil || inner(o)) && search(o) }
	}
	if text := c.q["$orderby"]; text != "" {
		order, simple, e := parseOrder(kind, text)
		if e != nil {
			return q, e
		}
		q.order = order
		if advanced == "" && (filter != "" || !simple) {
			advanced = "$orderby with $filter"
		}
	}
	wants := strings.EqualFold(c.q["$count"], "true")
	if advanced != "" && (!c.eventual() || !wants) {
		return q, needsAdvanced("Filter operator or clause '" + advanced + "'")
	}
	q.count = wants && c.eventual()
	return q, c.continuation(&q, advanced)
}

// continuation reads the page token.
func (c *call) continuation(q *listQuery, advanced string) *graphError {
	rest := url.Values{}
	for k, v := range c.q {
		if k != "$skiptoken" {
			rest.Set(k, v)
		}
	}
	h := fnv.New64a()
	h.Write([]byte(c.t.id + strings.Join(c.names, "/") + rest.Encode()))
	q.hash = h.Sum64()
	text, ok := c.q["$skiptoken"]
	if !ok {
		return nil
	}
	at := circumstances{c.token.TenantID, c.token.AppID, c.method, c.rel, ""}
	if f := c.s.strikeLocked("page-expired", at); f != nil {
		c.fault = f.ID
		return expiredPage()
	}
	if !unseal(text, &q.from) || q.from.Query != q.hash {
		return badGraph("DirectoryPageTokenNotFoundException", "The specified page token value is invalid or was not made for this request.")
	}
	if c.s.now().Sub(q.from.Made) > pageLife {
		return expiredPage()
	}
	q.paging = true
	return nil
}

func expiredPage() *graphError {
	return badGraph("Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.")
}

// matching returns the objects of a listing.
func (c *call) matching(kind string, ids []string, include func(*object) bool, q listQuery) []*object {
	now := c.s.now()
	var out []*object
	for _, id := range ids {
		o := c.t.objects[id].at(now, c.lag)
		if o != nil && o.Kind == kind && include(o) && (q.keep == nil || q.keep(o)) {
			out = append(out, o)
		}
	}
	if q.order != nil {
		slices.SortStableFunc(out, q.order)
	}
	return out
}

// listing answers one page of objects.
func (c *call) listing(kind, set string, ids []string, include func(*object) bool) (*reply, *graphError) {
	names, _, e := c.selection(kind)
	if e != nil {
		return nil, e
	}
	q, e := c.query(kind)
	if e != nil {
		return nil, e
	}
	page, next, total := c.cut(kind, ids, include, q)
	items := make([]any, 0, len(page))
	for _, o := range page {
		item := c.t.show(o, names)
		if e := c.expand(o, item); e != nil {
			return nil, e
		}
		items = append(items, item)
	}
	body := map[string]any{"@odata.context": c.contextOf(set, false), "value": items}
	if q.count && !q.paging {
		body["@odata.count"] = total
	}
	if f := c.s.strikeLocked("page-empty", circumstances{c.token.TenantID, c.token.AppID, c.method, c.rel, ""}); f != nil {
		c.fault = f.ID
		body["value"] = []any{}
		next = &pageToken{After: q.from.After, Skip: q.from.Skip} // this page once more
	}
	if next != nil {
		next.Made, next.Query = c.s.now(), q.hash
		body["@odata.nextLink"] = c.link("$skiptoken", seal(next))
	}
	return &reply{status: http.StatusOK, body: body}, nil
}

// cut takes one page; next is nil after the last.
func (c *call) cut(kind string, ids []string, include func(*object) bool, q listQuery) (page []*object, next *pageToken, total int) {
	if q.count && !q.paging {
		total = len(c.matching(kind, ids, include, q))
	}
	if q.order == nil {
		from := 0
		if q.from.After != "" {
			from = sort.SearchStrings(ids, q.from.After+"\x00")
		}
		now := c.s.now()
		for _, id := range ids[from:] {
			o := c.t.objects[id].at(now, c.lag)
			if o == nil || o.Kind != kind || !include(o) || q.keep != nil && !q.keep(o) {
				continue
			}
			if len(page) == q.top {
				return page, &pageToken{After: page[len(page)-1].ID}, total
			}
			page = append(page, o)
		}
		return page, nil, total
	}
	all := c.matching(kind, ids, include, q)
	from := min(q.from.Skip, len(all))
	to := min(from+q.top, len(all))
	if to < len(all) {
		next = &pageToken{Skip: to}
	}
	return all[from:to], next, total
}

// link is the request's own address with another continuation.
func (c *call) link(option, token string) string {
	v := url.Values{}
	for k, value := range c.q {
		if k != "$skiptoken" && k != "$deltatoken" {
			v.Set(k, value)
		}
	}
	query := v.Encode()
	if query != "" {
		query += "&"
	}
	path, _, _ := strings.Cut(c.rel, "?")
	query = strings.ReplaceAll(query, "%24", "$")
	return c.base + path + "?" + query + option + "=" + url.QueryEscape(token)
}

// parseOrder reads $orderby; simple ones need no advanced query.
func parseOrder(kind, text string) (order func(a, b *object) int, simple bool, e *graphError) {
	type key struct {
		name string
		desc bool
	}
	var keys []key
	simple = true
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 || len(words) == 2 && !strings.EqualFold(words[1], "asc") && !strings.EqualFold(words[1], "desc") {
			return nil, false, badGraph("BadRequest", "Syntax error in $orderby '%s'.", text)
		}
		name, p, ok := propertyName(kind, words[0])
		if !ok || p.kind != aText && p.kind != aTime {
			return nil, false, badGraph("Request_UnsupportedQuery", "Unsupported sort property '%s' for '%s'.", words[0], kind)
		}
		simple = simple && slices.Contains([]string{"displayName", "userPrincipalName"}, name)
		keys = append(keys, key{name, len(words) == 2 && strings.EqualFold(words[1], "desc")})
	}
	sortText := func(o *object, name string) string {
		switch name {
		case "id":
			return o.ID
		case "deletedDateTime":
			return stamp(o.Deleted)
		}
		return strings.ToLower(o.text(name))
	}
	return func(a, b *object) int {
		for _, k := range keys {
			if n := strings.Compare(sortText(a, k.name), sortText(b, k.name)); n != 0 {
				if k.desc {
					return -n
				}
				return n
			}
		}
		return 0
	}, simple, nil
}

// parseSearch reads $search: "property:text" joined by AND and OR.
func parseSearch(kind, text string) (func(*object) bool, *graphError) {
	bad := badGraph("BadRequest", "Invalid $search clause '%s': expected \"property:value\" in double quotes.", text)
	var any [][]func(*object) bool
	clause := []func(*object) bool{}
	rest := strings.TrimSpace(text)
	for rest != "" {
		if rest[0] != '"' {
			return nil, bad
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return nil, bad
		}
		name, value, ok := strings.Cut(rest[1:1+end], ":")
		known, p, exists := propertyName(kind, strings.TrimSpace(name))
		if !ok || !exists || p.kind != aText && p.kind != aList {
			return nil, bad
		}
		value = strings.ToLower(strings.TrimSpace(value))
		clause = append(clause, func(o *object) bool { return searched(o, known, value) })
		rest = strings.TrimSpace(rest[end+2:])
		switch {
		case strings.HasPrefix(rest, "AND "):
			rest = strings.TrimSpace(rest[4:])
		case strings.HasPrefix(rest, "OR "):
			rest = strings.TrimSpace(rest[3:])
			any, clause = append(any, clause), nil
		case rest != "":
			return nil, bad
		}
	}
	any = append(any, clause)
	return func(o *object) bool {
		return slices.ContainsFunc(any, func(all []func(*object) bool) bool {
			return !slices.ContainsFunc(all, func(f func(*object) bool) bool { return !f(o) })
		})
	}, nil
}

// searched matches as $search does: a word of the property begins so.
func searched(o *object, name, value string) bool {
	for _, text := range append(o.list(name), o.text(name)) {
		text = strings.ToLower(text)
		if text != "" && strings.HasPrefix(text, value) {
			return true
		}
		for i, r := range text {
			if strings.ContainsRune(" -_@.'", r) && strings.HasPrefix(text[i+1:], value) {
				return true
			}
		}
	}
	return false
}
