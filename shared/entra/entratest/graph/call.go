package graph

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// request is what a client sent, taken apart: an HTTP request or an item of a batch.
type request struct {
	method   string
	rel      string // path and query below the version, as sent
	path     odata.Path
	options  odata.Options
	header   http.Header
	body     []byte
	base     string // scheme, host and version of links
	id       string // request-id
	clientID string
	batch    string // request-id of the batch that it is an item of
	item     int
}

// caller is the account behind the bearer token.
type caller struct {
	token state.AccessToken
	t     *state.Tenant
	me    *state.Object
	roles []string // template ids
}

// call is one operation of Graph at work.
type call struct {
	request
	caller

	s     *Service
	tx    *state.Tx // while the operation is done
	lag   time.Duration
	fault string // id of the fault that struck

	contended bool // another call that changes licences is on its way in the tenant
}

// parse takes path and query apart.
func (c *call) parse(path, query string) (refused *odata.Error) {
	c.rel = path
	if query != "" {
		c.rel += "?" + query
	}
	if c.path, refused = odata.ParsePath(c.method, path, operations); refused != nil {
		return refused
	}
	c.options, refused = odata.ParseOptions(query)
	return refused
}

func (c *call) now() time.Time { return c.s.state.Now() }

// strike counts this call for the faults of a kind and returns the one that strikes.
func (c *call) strike(kind string) *faults.Fault {
	f := c.s.faults.Strike(kind, c.circumstances())
	if f != nil {
		c.fault = f.ID
	}
	return f
}

// circumstances are what faults are matched against.
func (c *call) circumstances() faults.Call {
	return faults.Call{Tenant: c.token.TenantID, App: c.token.AppID, Method: c.method, Path: c.rel}
}

// object decodes a strict JSON object from the body.
func (c *call) object() (map[string]any, *odata.Error) {
	kind, _, _ := strings.Cut(strings.ToLower(c.header.Get("Content-Type")), ";")
	if strings.TrimSpace(kind) != "application/json" {
		return nil, &odata.Error{Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType", Free: true,
			Message: "A request body needs the Content-Type application/json."}
	}
	var v map[string]any
	if err := json.Unmarshal(c.body, &v); err != nil || v == nil {
		return nil, odata.BadRequest("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return v, nil
}

// context is the @odata.context of an answer.
func (c *call) context(of string) string { return c.base + "/$metadata#" + of }

// eventual tells whether the client takes what lags, as advanced queries demand.
func (c *call) eventual() bool {
	return strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual")
}

// has tells whether the token carries one of the permissions.
// Directory.AccessAsUser.All stands for all that the account itself may do.
func (c *call) has(scopes ...string) bool {
	return slices.ContainsFunc(c.token.Scopes, func(granted string) bool {
		return granted == "Directory.AccessAsUser.All" || slices.Contains(scopes, granted)
	})
}

// holds tells whether the signed-in account has one of the roles.
func (c *call) holds(roles ...string) bool {
	return slices.ContainsFunc(c.roles, func(r string) bool { return slices.Contains(roles, r) })
}

// isMe tells whether a reference names the signed-in account.
func (c *call) isMe(ref string) bool {
	return strings.EqualFold(ref, c.me.ID) || strings.EqualFold(ref, c.me.Text("userPrincipalName"))
}

// mutation is one that this call makes.
func (c *call) mutation(kind string, o *state.Object) state.Mutation {
	m := state.MutationOf(kind, o)
	m.Method = c.method
	m.Path = c.rel
	m.Actor = c.me.ID
	m.ActorUPN = c.me.Text("userPrincipalName")
	m.AppID = c.token.AppID
	m.RequestID = c.id
	return m
}

// ref is the id in a path's second segment; of me it is the own one.
func (c *call) ref() string {
	if len(c.path.Raw) > 1 {
		return c.path.Raw[1]
	}
	return c.me.ID
}

// seen returns the object as this call sees it: with the lag of a replica.
func (c *call) seen(id string) *state.Object {
	o := c.t.Object(id)
	if o == nil || c.lag == 0 {
		return o
	}
	return o.At(c.now(), c.lag)
}

// lookup finds an active object of a kind, by id or, for users, by
// userPrincipalName.
func (c *call) lookup(kind, ref string) (*state.Object, *odata.Error) {
	o := c.seen(ref)
	if o == nil && kind == state.User && strings.Contains(ref, "@") {
		o = c.seenByName(ref)
	}
	if o == nil || o.Kind != kind || !o.Active() {
		return nil, notThere(ref)
	}
	return o, nil
}

// seenByName finds the account that has a userPrincipalName, or had it as long ago
// as the replica lags.
func (c *call) seenByName(upn string) *state.Object {
	if c.lag == 0 {
		return c.t.Find(upn)
	}
	for _, id := range c.t.IDs(state.User) {
		if o := c.seen(id); o != nil && o.Active() && strings.EqualFold(o.Text("userPrincipalName"), upn) {
			return o
		}
	}
	return nil
}

// target is lookup for a write: found as the replica sees it, and then the true
// state of it.
func (c *call) target(kind, ref string) (*state.Object, *odata.Error) {
	seen, e := c.lookup(kind, ref)
	if e != nil {
		return nil, e
	}
	o := c.t.Object(seen.ID)
	if !o.Active() {
		return nil, notThere(ref)
	}
	return o, nil
}

// commit makes a change durable and visible, and answers without a body.
func commit(ch *state.Change) (*reply, *odata.Error) {
	if err := ch.Commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}
