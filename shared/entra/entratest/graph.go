package entratest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is one operation of Graph that is asked for: a request, or an item of a
// batch.
type call struct {
	s        *Server
	ctx      context.Context
	method   string
	rel      string            // path and query below the version, as sent
	names    []string          // path segments: words in lower case, casts and actions in one spelling
	raw      []string          // the same segments as sent, for ids and names
	q        map[string]string // query options, keys in lower case
	header   http.Header
	body     []byte
	base     string // scheme, host and version of links
	id       string // request-id
	clientID string
	batch    string // request-id of the batch that it is an item of
	item     int

	token  accessToken
	t      *tenant
	me     *object
	roles  []string
	lag    time.Duration
	fault  string // that struck
	maxTop int    // of this listing; 0: the usual 999
}

// reply is an answer; without body and raw it has none.
type reply struct {
	status  int
	header  http.Header
	body    any
	raw     []byte // text or bytes instead of JSON
	kind    string // content type of raw
	units   float64
	writes  int
	dropped bool
	refused bool // by the quota
}

// maxBody bounds a request's body, packed and unpacked; Microsoft's is 4 MB.
const maxBody = 4 << 20

// serveGraph answers one HTTP request to Graph.
func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request) {
	escaped := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	version, path, _ := strings.Cut(escaped, "/")
	c := &call{
		s: s, ctx: r.Context(), method: r.Method, header: r.Header, base: s.base(r) + "/" + strings.ToLower(version),
		id: s.newID(), clientID: r.Header.Get("client-request-id"),
	}
	body, err := readBody(r)
	var e *graphError
	if err != nil {
		e = &graphError{status: http.StatusBadRequest, code: "BadRequest", message: err.Error()}
	} else {
		c.body = body
		e = c.parse("/"+path, r.URL.RawQuery)
	}
	out := s.run(c, e)
	if out.dropped {
		panic(http.ErrAbortHandler)
	}
	c.send(w, out)
}

// readBody reads a body, which may be packed with gzip.
func readBody(r *http.Request) ([]byte, error) {
	var in io.Reader = http.MaxBytesReader(nil, r.Body, maxBody)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, errors.New("the request body is not gzip as its Content-Encoding says")
		}
		in = io.LimitReader(z, maxBody+1)
	default:
		return nil, errors.New("the Content-Encoding is not supported")
	}
	body, err := io.ReadAll(in)
	if err != nil || len(body) > maxBody {
		return nil, errors.New("the request body cannot be read or is too large")
	}
	return body, nil
}

// parse takes path and query apart.
func (c *call) parse(path, query string) *graphError {
	c.rel = path
	if query != "" {
		c.rel += "?" + query
	}
	if err := c.parsePath(path); err != nil {
		return err
	}
	c.q = map[string]string{}
	values, err := url.ParseQuery(query)
	if err != nil {
		return request400("The query of the request is malformed.")
	}
	for key, list := range values {
		key = strings.ToLower(key)
		if _, twice := c.q[key]; twice || len(list) > 1 && strings.HasPrefix(key, "$") {
			return badGraph("BadRequest", "Query option '%s' was specified more than once, but it must be specified at most once.", key)
		}
		c.q[key] = list[0]
	}
	for key := range c.q {
		if strings.HasPrefix(key, "$") && !knownOptions[key] {
			return badGraph("BadRequest", "The query parameter '%s' is not supported.", key)
		}
	}
	return nil
}

// knownOptions are OData's query options.
var knownOptions = map[string]bool{
	"$select": true, "$top": true, "$filter": true, "$search": true, "$orderby": true, "$count": true,
	"$expand": true, "$skiptoken": true, "$deltatoken": true, "$skip": true, "$format": true, "$id": true,
}

// operations may have the namespace in front and, when functions, () behind.
var operations = map[string]bool{
	"delta": true, "restore": true, "assignlicense": true, "revokesigninsessions": true, "getbyids": true,
	"getmembergroups": true, "checkmembergroups": true,
}

func (c *call) parsePath(path string) *graphError {
	for _, seg := range strings.Split(strings.Trim(path, "/"), "/") {
		text, err := url.PathUnescape(seg)
		if err != nil || text == "" {
			return noSuchPath(c.method, seg)
		}
		if name, key, ok := strings.Cut(text, "("); ok && strings.HasSuffix(key, ")") && isWord(name) {
			c.segment(name)
			if key = strings.TrimSuffix(key, ")"); key == "" {
				continue
			}
			if field, value, named := strings.Cut(key, "="); named {
				text = "(" + strings.ToLower(strings.TrimSpace(field)) + ")" + unquote(strings.TrimSpace(value))
			} else {
				text = unquote(key)
			}
			c.names, c.raw = append(c.names, strings.ToLower(text)), append(c.raw, text)
			continue
		}
		c.segment(text)
	}
	return nil
}

func (c *call) segment(text string) {
	name := strings.ToLower(text)
	short := strings.TrimPrefix(strings.TrimPrefix(name, "microsoft."), "graph.")
	switch {
	case short != name && operations[short]:
		name = short
	case short != name:
		name = "microsoft.graph." + short
	}
	c.names, c.raw = append(c.names, name), append(c.raw, text)
}

func isWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '.' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) < 0
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return strings.ReplaceAll(s[1:len(s)-1], "''", "'")
	}
	return s
}

// run takes a call through all gates and notes it. e is what parsing found.
func (s *Server) run(c *call, e *graphError) *reply {
	at := s.now()
	note := Request{
		Time: at, Method: c.method, Path: c.rel, RequestID: c.id, ClientID: c.clientID,
		Item: c.item, Batch: c.batch, Priority: c.header.Get("x-ms-throttle-priority"),
	}
	position := s.reserve(note)
	var out *reply
	if ae := s.authenticate(c); ae != nil {
		out = c.fail(ae)
	} else if e != nil {
		out = c.fail(e)
	} else {
		out = s.gates(c)
	}
	c.finish(out)
	note.Tenant, note.App, note.User, note.Fault = c.token.TenantID, c.token.AppID, c.token.UserOID, c.fault
	note.Status, note.ResourceUnits, note.Writes = out.status, out.units, out.writes
	note.Throttled, note.Dropped = out.refused, out.dropped
	s.settle(position, note)
	return out
}

// gates are those behind authentication.
func (s *Server) gates(c *call) *reply {
	at := circumstances{c.token.TenantID, c.token.AppID, c.method, c.rel, ""}
	strike := func(kind string) *Fault {
		f := s.strike(kind, at)
		if f != nil {
			c.fault = f.ID
		}
		return f
	}
	if strike("unauthorized") != nil {
		return c.fail(unauthorized("Access token has expired or is not yet valid."))
	}
	slow, drop, status := strike("slow"), strike("drop"), strike("status")
	if slow != nil && !slow.after() && !c.sleep(slow.duration()) || drop != nil && !drop.after() {
		return &reply{dropped: true}
	}
	if status != nil && !status.after() {
		return c.fail(status.error())
	}
	if f := strike("throttle"); f != nil {
		return c.throttled(&refusal{scope: "Tenant_Application/ReadWrite/" + c.token.AppID + "/" + c.token.TenantID,
			information: "CPULimitExceeded"}, f.RetryAfter)
	}
	if f := strike("lag"); f != nil {
		c.lag = f.duration()
	}
	var out *reply
	if len(c.names) == 1 && c.names[0] == "$batch" {
		out = s.batch(c)
	} else {
		out = s.perform(c)
	}
	if slow != nil && slow.after() && !c.sleep(slow.duration()) || drop != nil && drop.after() {
		out.dropped = true
	}
	if status != nil && status.after() && out.status < 300 {
		failed := c.fail(status.error())
		failed.units, failed.writes, failed.dropped = out.units, out.writes, out.dropped
		return failed
	}
	return out
}

// error is the refusal that a fault of kind status stands for.
func (f *Fault) error() *graphError {
	e := &graphError{status: f.Status, code: f.Code, message: f.Message, header: map[string]string{}}
	if e.code == "" {
		e.code = map[int]string{500: "InternalServerError", 502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout"}[f.Status]
	}
	if e.code == "" {
		e.code = "UnknownError"
	}
	if e.message == "" {
		e.message = "The service is temporarily unavailable. Please try again later."
	}
	if f.RetryAfter != "" {
		e.header["Retry-After"] = f.RetryAfter
	}
	return e
}

// sleep waits in the caller's time; false when the client went away first.
func (c *call) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// perform charges a call and does it, under the state's mutex.
func (s *Server) perform(c *call) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	what := price(c.method, c.names, c.q)
	used, refused := s.charge(c.t, c.token.AppID, what)
	if refused != nil {
		out := c.throttled(refused, strconv.Itoa(max(1, int(refused.wait/time.Second))))
		out.units, out.writes = what.units, what.writes
		return out
	}
	out, e := c.dispatch()
	if e != nil {
		out = c.fail(e)
	}
	out.units, out.writes = what.units, what.writes
	if e != nil && e.free {
		s.refund(c.t, c.token.AppID, what.units)
		out.units = 0
	}
	if out.header == nil {
		out.header = http.Header{}
	}
	if !what.audit {
		out.header.Set("x-ms-resource-unit", strconv.FormatFloat(out.units, 'f', -1, 64))
	}
	if used > 0.8 {
		out.header.Set("x-ms-throttle-limit-percentage", strconv.FormatFloat(used, 'f', 2, 64))
	}
	return out
}

// authenticate finds the account behind the bearer token.
func (s *Server) authenticate(c *call) *graphError {
	scheme, bearer, _ := strings.Cut(c.header.Get("Authorization"), " ")
	if bearer = strings.TrimSpace(bearer); !strings.EqualFold(scheme, "Bearer") || bearer == "" {
		return unauthorized("Access token is empty.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	token, ok := s.tokens[bearer]
	if !ok {
		return unauthorized("Access token validation failure.")
	}
	c.token = token
	if !s.now().Before(token.Expires) {
		return unauthorized("Lifetime validation failed, the token is expired.")
	}
	c.t = s.tenants[token.TenantID]
	if c.t != nil {
		c.me = c.t.objects[token.UserOID]
	}
	if c.me == nil || !c.me.active() || !c.me.flag("accountEnabled") {
		return unauthorized("Access token validation failure.")
	}
	c.roles = c.t.rolesOf(c.me.ID)
	return c.checkTenantSegment()
}

// checkTenantSegment takes a tenant in front of the path off: clients of the old
// Azure AD Graph still send it.
func (c *call) checkTenantSegment() *graphError {
	if len(c.names) < 2 || c.names[0] != "myorganization" && !isGUID(c.names[0]) {
		return nil
	}
	if c.names[0] != "myorganization" && c.names[0] != c.t.id {
		return denied()
	}
	c.names, c.raw = c.names[1:], c.raw[1:]
	return nil
}

// throttled is a 429; retryAfter is the header, or empty for none.
func (c *call) throttled(r *refusal, retryAfter string) *reply {
	date := c.s.now().Format("2006-01-02T15:04:05")
	out := &reply{status: http.StatusTooManyRequests, refused: true, header: http.Header{}}
	out.header.Set("x-ms-throttle-scope", r.scope)
	out.header.Set("x-ms-throttle-information", r.information)
	if retryAfter != "" {
		out.header.Set("Retry-After", retryAfter)
	}
	out.body = map[string]any{"error": map[string]any{
		"code": "TooManyRequests", "message": "Please retry again later.",
		"innerError": map[string]any{
			"code": "429", "date": date, "message": "Please retry after", "request-id": c.id, "status": "429",
		},
	}}
	return out
}

// fail is the reply that a refusal makes.
func (c *call) fail(e *graphError) *reply {
	inner := map[string]any{"date": c.s.now().Format("2006-01-02T15:04:05"), "request-id": c.id, "client-request-id": c.id}
	if c.clientID != "" {
		inner["client-request-id"] = c.clientID
	}
	body := map[string]any{"code": e.code, "message": e.message, "innerError": inner}
	if len(e.details) > 0 {
		body["details"] = e.details
	}
	out := &reply{status: e.status, body: map[string]any{"error": body}, header: http.Header{}}
	for k, v := range e.header {
		out.header.Set(k, v)
	}
	return out
}

// finish adds the headers that every answer has.
func (c *call) finish(out *reply) {
	if out.header == nil {
		out.header = http.Header{}
	}
	h := out.header
	h.Set("request-id", c.id)
	h.Set("client-request-id", c.id)
	if c.clientID != "" {
		h.Set("client-request-id", c.clientID)
	}
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"001","RoleInstance":"AM4PEPF00000001"}}`)
	h.Set("Cache-Control", "no-cache")
	switch {
	case out.raw != nil:
		h.Set("Content-Type", out.kind)
	case out.body != nil && c.batch != "":
		h.Set("Content-Type", "application/json")
	case out.body != nil:
		h.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	}
	if out.body != nil && out.status < 300 {
		h.Set("OData-Version", "4.0")
	}
}

// send writes an answer to the client.
func (c *call) send(w http.ResponseWriter, out *reply) {
	var body []byte
	switch {
	case out.raw != nil:
		body = out.raw
	case out.body != nil:
		var err error
		if body, err = json.Marshal(out.body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	h := w.Header()
	maps.Copy(h, out.header)
	h.Set("Date", c.s.now().Format(http.TimeFormat))
	h.Set("Strict-Transport-Security", "max-age=31536000")
	if body != nil {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.status)
	if c.method != http.MethodHead {
		w.Write(body)
	}
}

// object decodes a strict JSON object from the body.
func (c *call) object() (map[string]any, *graphError) {
	kind, _, _ := strings.Cut(strings.ToLower(c.header.Get("Content-Type")), ";")
	if strings.TrimSpace(kind) != "application/json" {
		return nil, &graphError{status: http.StatusUnsupportedMediaType, code: "UnsupportedMediaType", free: true,
			message: "A request body needs the Content-Type application/json."}
	}
	var v map[string]any
	if err := json.Unmarshal(c.body, &v); err != nil || v == nil {
		return nil, badGraph("BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return v, nil
}

// context is the @odata.context of an answer.
func (c *call) context(of string) string { return c.base + "/$metadata#" + of }

// has tells whether the token carries one of the permissions.
// Directory.AccessAsUser.All stands for all that the account itself may do.
func (c *call) has(scopes ...string) bool {
	for _, granted := range c.token.Scopes {
		if granted == "Directory.AccessAsUser.All" {
			return true
		}
		for _, s := range scopes {
			if granted == s {
				return true
			}
		}
	}
	return false
}

// holds tells whether the signed-in account has one of the roles.
func (c *call) holds(roles ...string) bool {
	for _, r := range c.roles {
		for _, want := range roles {
			if r == want {
				return true
			}
		}
	}
	return false
}

// mutation is one that this call makes.
func (c *call) mutation(kind string, o *object) Mutation {
	return Mutation{
		Kind: kind, Target: o.Kind, TargetID: o.ID, Name: o.text("displayName"), UPN: o.text("userPrincipalName"),
		Method: c.method, Path: c.rel, Actor: c.me.ID, ActorUPN: c.me.text("userPrincipalName"),
		AppID: c.token.AppID, RequestID: c.id,
	}
}

// failed is the answer when the simulator itself cannot go on.
func failed(err error) *graphError {
	return &graphError{status: http.StatusInternalServerError, code: "InternalServerError", message: fmt.Sprintf("the simulator: %v", err)}
}
