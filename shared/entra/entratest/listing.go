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
	Query uint64    `json:"q"`           // hash of everything else in the link
	Loop  int       `json:"l,omitempty"` // see loopLocked
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
	names  []string             // see filter
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
		q.keep, q.names = f.keep, f.names
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
	if set == "users" && len(q.names) > 0 && c.lag == 0 {
		ids = c.t.named(q.names)
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
	c.goOn(body, q, next)
	return &reply{status: http.StatusOK, body: body}, nil
}

// goOn gives a page the link to the next one, unless it is the last.
func (c *call) goOn(body map[string]any, q listQuery, next *pageToken) {
	if next != nil {
		next.Made, next.Query = c.s.now(), q.hash
	}
	if loop, made, yes := c.loopLocked(q.from.Loop, q.from.Made); yes {
		again := q.from
		again.Loop, again.Made, again.Query = loop, made, q.hash
		next = &again
	}
	if next != nil {
		body["@odata.nextLink"] = c.link("$skiptoken", seal(next))
	}
}

// loopLength is how many links a cycle of links has.
const loopLength = 3

// loopLocked tells whether the link onward of this page leads back to it, by a
// fault, and what distinguishes it: a number, and when it was made. Of kind
// page-loop-same it is always the same link, of page-loop-cycle one of three in
// turn, of page-loop-new a new one each time. The mutex is held.
func (c *call) loopLocked(before int, made time.Time) (int, time.Time, bool) {
	if made.IsZero() {
		made = c.s.now()
	}
	switch {
	case c.strikeHere("page-loop-same") != nil:
		return 1, made, true
	case c.strikeHere("page-loop-cycle") != nil:
		return before%loopLength + 1, made, true
	case c.strikeHere("page-loop-new") != nil:
		return before + 1, made, true
	}
	return 0, made, false
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
