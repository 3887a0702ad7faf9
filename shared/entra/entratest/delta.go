package entratest

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deltaLife is how long a link of a delta query may be followed.
const deltaLife = 7 * 24 * time.Hour

// deltaPage is the usual number of items on a page.
const deltaPage = 200

// deltaToken is what a link of a delta query stands for: the parameters of the
// first call, the version up to which the client knows everything, and within a
// round the item that came last.
type deltaToken struct {
	Kind      string    `json:"k"`
	Tenant    string    `json:"t"`
	Since     int64     `json:"p"`           // version that the client has
	Names     []string  `json:"s,omitempty"` // selected properties
	Relations []string  `json:"r,omitempty"`
	IDs       []string  `json:"f,omitempty"` // filter
	Begun     bool      `json:"b,omitempty"` // within a round
	Until     int64     `json:"u,omitempty"` // version when the round began
	Version   int64     `json:"v,omitempty"` // of the last item
	ID        string    `json:"i,omitempty"`
	Made      time.Time `json:"m"`
	Loop      int       `json:"l,omitempty"` // see loopLocked
}

func (c *call) deltaUsers() (*reply, *graphError) {
	if !c.has(readUsers...) {
		return nil, denied()
	}
	return c.delta(kindUser, "users", "manager")
}

func (c *call) deltaGroups() (*reply, *graphError) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	return c.delta(kindGroup, "groups", "members")
}

// strikeHere counts this call for a fault. The mutex is held.
func (c *call) strikeHere(kind string) *Fault {
	f := c.s.strikeLocked(kind, circumstances{c.token.TenantID, c.token.AppID, c.method, c.rel, ""})
	if f != nil {
		c.fault = f.ID
	}
	return f
}

// delta answers one page of a round.
func (c *call) delta(kind, set string, relations ...string) (*reply, *graphError) {
	t, latest, e := c.deltaToken(kind, relations)
	if e != nil {
		return nil, e
	}
	if t.Begun || t.Since > 0 {
		if c.strikeHere("delta-gone") != nil {
			return nil, c.resync(set)
		}
		if c.strikeHere("delta-state-not-found") != nil || c.s.now().Sub(t.Made) > deltaLife {
			return nil, badGraph("syncStateNotFound", "Sync state generation is not found. Restart the synchronization without a token.")
		}
	}
	body := map[string]any{"@odata.context": c.context(set)}
	if latest {
		t.Since = c.s.version
		body["value"] = []any{}
		body["@odata.deltaLink"] = c.deltaLink(set, "$deltatoken", t)
		return &reply{status: http.StatusOK, body: body}, nil
	}
	if !t.Begun {
		t.Begun, t.Until = true, c.s.version
	}
	items, next, held := c.deltaItems(t)
	body["value"] = items
	if loop, made, yes := c.loopLocked(t.Loop, t.Made); yes {
		t.Loop, t.Made = loop, made
		body["@odata.nextLink"] = c.sealedLink(set, "$skiptoken", t)
	} else if next != nil {
		body["@odata.nextLink"] = c.deltaLink(set, "$skiptoken", *next)
	} else {
		done := deltaToken{Kind: t.Kind, Tenant: t.Tenant, Since: min(t.Until, held), Names: t.Names, Relations: t.Relations, IDs: t.IDs}
		body["@odata.deltaLink"] = c.deltaLink(set, "$deltatoken", done)
	}
	return &reply{status: http.StatusOK, body: body}, nil
}

// resync is what a tenant's move between data centres does to a token.
func (c *call) resync(set string) *graphError {
	return &graphError{
		status: http.StatusGone, code: "resyncRequired", message: "Resync required. Replace any local items with the server's version.",
		header: map[string]string{"Location": c.base + "/" + set + "/delta?$deltatoken="},
	}
}

func (c *call) deltaLink(set, option string, t deltaToken) string {
	t.Made = c.s.now()
	return c.sealedLink(set, option, t)
}

func (c *call) sealedLink(set, option string, t deltaToken) string {
	return c.base + "/" + set + "/delta?" + option + "=" + url.QueryEscape(seal(t))
}

var idsRE = regexp.MustCompile(`(?i)^\s*id\s+eq\s+'?([0-9a-f-]{36})'?\s*(?:or\s+|$)`)

// deltaToken reads the token of a call, or makes that of a first one.
func (c *call) deltaToken(kind string, relations []string) (t deltaToken, latest bool, e *graphError) {
	for _, option := range []string{"$top", "$orderby", "$expand", "$search", "$count", "$skip"} {
		if _, ok := c.q[option]; ok {
			return t, false, badGraph("Request_UnsupportedQuery", "The query option '%s' is not supported for delta queries of this resource.", option)
		}
	}
	token := c.q["$skiptoken"] + c.q["$deltatoken"]
	latest = strings.EqualFold(c.q["$deltatoken"], "latest")
	if token != "" && !latest {
		if !unseal(token, &t) || t.Kind != kind || t.Tenant != c.t.id {
			return t, false, badGraph("BadRequest", "Badly formed token.")
		}
		return t, false, nil
	}
	t.Kind, t.Tenant = kind, c.t.id
	if t.Names, t.Relations, e = c.selection(kind, relations...); e != nil {
		return t, false, e
	}
	for rest := c.q["$filter"]; strings.TrimSpace(rest) != ""; {
		m := idsRE.FindStringSubmatch(rest)
		if m == nil {
			return t, false, badGraph("Request_UnsupportedQuery", "Only filters of the form id eq '{id}' joined by or are supported for delta queries.")
		}
		t.IDs = append(t.IDs, strings.ToLower(m[1]))
		rest = rest[len(m[0]):]
	}
	if len(t.IDs) > 50 {
		return t, false, badGraph("Request_UnsupportedQuery", "The filter of a delta query can name 50 ids at most.")
	}
	return t, latest, nil
}

// pageSize is the client's wish in Prefer, or the usual one.
func (c *call) pageSize() int {
	for _, p := range strings.Split(c.header.Get("Prefer"), ",") {
		if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "odata.maxpagesize="); ok {
			if n, err := strconv.Atoi(v); err == nil && n > 0 {
				return min(n, 999)
			}
		}
	}
	return deltaPage
}

// deltaItems are the items of one page; next is nil on the last. held is the
// version before the oldest change that a lagging replica does not show yet.
func (c *call) deltaItems(t deltaToken) (items []any, next *deltaToken, held int64) {
	held = c.s.version
	now := c.s.now()
	var list []*object
	for _, id := range c.t.ids {
		o := c.t.objects[id]
		if o.Kind != t.Kind || t.IDs != nil && !slices.Contains(t.IDs, id) {
			continue
		}
		if seen := o.at(now, c.lag); seen != o {
			held = min(held, o.Version-1)
			if o = seen; o == nil {
				continue
			}
		}
		if c.shows(o, t) && (o.Version > t.Version || o.Version == t.Version && o.ID > t.ID) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b *object) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), strings.Compare(a.ID, b.ID))
	})
	if c.strikeHere("delta-empty-page") != nil {
		again := t
		return []any{}, &again, held
	}
	if n := c.pageSize(); len(list) > n {
		list = list[:n]
		more := t
		more.Version, more.ID = list[n-1].Version, list[n-1].ID
		next = &more
	}
	items = []any{}
	for _, o := range list {
		items = append(items, c.deltaItem(o, t))
	}
	return c.disturb(items, list, t), next, held
}

// shows tells whether an object belongs to a round.
func (c *call) shows(o *object, t deltaToken) bool {
	if t.Since == 0 {
		return o.active()
	}
	if o.StateVersion > t.Since {
		return true
	}
	if !o.active() {
		return false
	}
	return slices.ContainsFunc(append(slices.Clone(t.Names), t.Relations...), func(n string) bool { return o.Touched[n] > t.Since })
}

// deltaItem is one object as a delta query shows it.
func (c *call) deltaItem(o *object, t deltaToken) map[string]any {
	switch {
	case o.Gone:
		return map[string]any{"id": o.ID, "@removed": map[string]any{"reason": "deleted"}}
	case !o.Deleted.IsZero():
		return map[string]any{"id": o.ID, "@removed": map[string]any{"reason": "changed"}}
	}
	minimal := strings.Contains(strings.ToLower(c.header.Get("Prefer")), "return=minimal") && o.StateVersion <= t.Since
	item := map[string]any{"id": o.ID}
	for _, n := range t.Names {
		if _, ever := o.Props[n]; ever && (!minimal || o.Touched[n] > t.Since) {
			item[n] = c.t.value(o, n)
		}
	}
	for _, r := range t.Relations {
		if list := relationDelta(o, r, t.Since); len(list) > 0 {
			item[r+"@delta"] = list
		}
	}
	return item
}

// relationDelta lists what came to and left a relation.
func relationDelta(o *object, relation string, since int64) []any {
	var out []any
	if relation == "manager" {
		switch {
		case o.Touched["manager"] <= since && o.StateVersion <= since:
		case o.Manager != "":
			out = append(out, map[string]any{"@odata.type": "#microsoft.graph.user", "id": o.Manager})
		case since > 0 && o.Touched["manager"] > since:
			out = append(out, map[string]any{"@odata.type": "#microsoft.graph.user", "id": o.FormerManager, "@removed": map[string]any{"reason": "deleted"}})
		}
		return out
	}
	ids := make([]string, 0, len(o.Members))
	for id := range o.Members {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		v := o.Members[id]
		switch {
		case v > since, v > 0 && o.StateVersion > since:
			out = append(out, map[string]any{"@odata.type": "#microsoft.graph.user", "id": id})
		case since > 0 && -v > since:
			out = append(out, map[string]any{"@odata.type": "#microsoft.graph.user", "id": id, "@removed": map[string]any{"reason": "deleted"}})
		}
	}
	return out
}

// disturb lets the faults at a page of a delta query: what Microsoft's documents
// say a client must bear.
func (c *call) disturb(items []any, list []*object, t deltaToken) []any {
	if c.strikeHere("delta-duplicate") != nil {
		items = append(items, items...)
	}
	if c.strikeHere("delta-replay") != nil {
		n := 0
		for _, id := range c.t.ids {
			o := c.t.objects[id]
			if n < 5 && o.Kind == t.Kind && o.active() && !slices.Contains(list, o) {
				items = append(items, c.deltaItem(o, t))
				n++
			}
		}
	}
	if c.strikeHere("delta-split") != nil {
		items = split(items)
	}
	if t.Since == 0 && c.strikeHere("delta-removed") != nil {
		gone := map[string]any{"id": c.s.newID(), "@removed": map[string]any{"reason": "deleted"}}
		for _, id := range c.t.ids {
			if o := c.t.objects[id]; o.Kind == t.Kind && !o.active() {
				gone = c.deltaItem(o, t)
			}
		}
		items = append([]any{gone}, items...)
	}
	if c.strikeHere("delta-shuffle") != nil {
		c.s.shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	}
	return items
}

// split spreads the properties of each item over two items of the same id.
func split(items []any) []any {
	var out []any
	for _, it := range items {
		m, _ := it.(map[string]any)
		if m["@removed"] != nil || len(m) < 3 {
			out = append(out, it)
			continue
		}
		halves := [2]map[string]any{{"id": m["id"]}, {"id": m["id"]}}
		names := []string{}
		for n := range m {
			names = append(names, n)
		}
		slices.Sort(names)
		for i, n := range names {
			halves[i%2][n] = m[n]
		}
		out = append(out, halves[0], halves[1])
	}
	return out
}
