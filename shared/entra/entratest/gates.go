package entratest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

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
	if e != nil && e.free && !what.photo {
		s.refund(c.t, c.token.AppID, what.units)
		out.units = 0
	}
	if out.header == nil {
		out.header = http.Header{}
	}
	if !what.audit && !what.photo {
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
