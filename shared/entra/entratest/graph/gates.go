package graph

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bindery/shared/clock"
	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// run takes a call through all gates and notes it. refused is what parsing found.
func (s *Service) run(ctx context.Context, c *call, refused *odata.Error) *reply {
	note := Request{
		Time: c.now(), Method: c.method, Path: c.rel, RequestID: c.id, ClientID: c.clientID,
		Item: c.item, Batch: c.batch, Priority: c.header.Get("x-ms-throttle-priority"),
	}
	position := s.requests.reserve(note)
	if e := s.authenticate(c); e != nil {
		refused = e
	}
	var out *reply
	if refused != nil {
		out = c.fail(refused)
	} else {
		leave := s.enter(c)
		out = s.gates(ctx, c)
		leave()
	}
	c.finish(out)
	note.Tenant = c.token.TenantID
	note.App = c.token.AppID
	note.User = c.token.UserOID
	note.Fault = c.fault
	note.Status = out.status
	note.ResourceUnits = out.units
	note.Writes = out.writes
	note.Throttled = out.refused
	note.Dropped = out.dropped
	s.requests.complete(position, note)
	return out
}

// gates are those behind authentication: the faults that strike before the operation,
// the operation, and the faults that strike after it took effect.
func (s *Service) gates(ctx context.Context, c *call) *reply {
	if c.strike(faults.Unauthorized) != nil {
		return c.fail(unauthorized("Access token has expired or is not yet valid."))
	}
	slow := c.strike(faults.Slow)
	drop := c.strike(faults.Drop)
	status := c.strike(faults.Status)
	if slow != nil && !slow.After() && clock.Sleep(ctx, slow.Duration()) != nil {
		return &reply{dropped: true}
	}
	if drop != nil && !drop.After() {
		return &reply{dropped: true}
	}
	if status != nil && !status.After() {
		return c.fail(statusError(status))
	}
	if f := c.strike(faults.Throttle); f != nil {
		scope := "Tenant_Application/ReadWrite/" + c.token.AppID + "/" + c.token.TenantID
		return c.throttled(&faults.Refusal{Scope: scope, Information: "CPULimitExceeded"}, f.RetryAfter)
	}
	if f := c.strike(faults.Lag); f != nil {
		c.lag = f.Duration()
	}
	var out *reply
	if len(c.path.Names) == 1 && c.path.Names[0] == "$batch" {
		out = s.batch(ctx, c)
	} else {
		out = s.perform(c)
	}
	if slow != nil && slow.After() && clock.Sleep(ctx, slow.Duration()) != nil {
		out.dropped = true
	}
	if drop != nil && drop.After() {
		out.dropped = true
	}
	if status != nil && status.After() && out.status < 300 {
		failed := c.fail(statusError(status))
		failed.units = out.units
		failed.writes = out.writes
		failed.dropped = out.dropped
		return failed
	}
	return out
}

// statusError is the refusal that a fault of kind status stands for.
func statusError(f *faults.Fault) *odata.Error {
	e := &odata.Error{Status: f.Status, Code: f.Code, Message: f.Message, Header: map[string]string{}}
	if e.Code == "" {
		e.Code = map[int]string{500: "InternalServerError", 502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout"}[f.Status]
	}
	if e.Code == "" {
		e.Code = "UnknownError"
	}
	if e.Message == "" {
		e.Message = "The service is temporarily unavailable. Please try again later."
	}
	if f.RetryAfter != "" {
		e.Header["Retry-After"] = f.RetryAfter
	}
	return e
}

// perform charges a call and does it, while nobody else reads or changes the state.
func (s *Service) perform(c *call) *reply {
	c.tx = s.state.Begin()
	defer func() {
		c.tx.End()
		c.tx = nil
	}()
	payer := faults.Payer{Tenant: c.t.ID, Users: len(c.t.IDs(state.User)), App: c.token.AppID}
	cost := faults.Price(c.method, c.path.Names, c.options).WithLinks(c.boundLinks())
	used, refused := s.limits.Charge(c.now(), payer, cost)
	if refused != nil {
		out := c.throttled(refused, strconv.Itoa(max(1, int(refused.Wait/time.Second))))
		out.units = cost.Units
		out.writes = cost.Writes
		return out
	}
	if err := licensing.Settle(c.tx, c.t); err != nil {
		return c.fail(failed(err))
	}
	out, e := c.dispatch()
	if e != nil {
		out = c.fail(e)
	}
	out.units = cost.Units
	out.writes = cost.Writes
	if e != nil && e.Free && !cost.Photo {
		s.limits.Refund(payer, cost.Units)
		out.units = 0
	}
	if out.header == nil {
		out.header = http.Header{}
	}
	if !cost.Audit && !cost.Photo {
		out.header.Set("x-ms-resource-unit", strconv.FormatFloat(out.units, 'f', -1, 64))
	}
	if used > 0.8 {
		out.header.Set("x-ms-throttle-limit-percentage", strconv.FormatFloat(used, 'f', 2, 64))
	}
	return out
}

// authenticate finds the account behind the bearer token.
func (s *Service) authenticate(c *call) *odata.Error {
	scheme, bearer, _ := strings.Cut(c.header.Get("Authorization"), " ")
	bearer = strings.TrimSpace(bearer)
	if !strings.EqualFold(scheme, "Bearer") || bearer == "" {
		return unauthorized("Access token is empty.")
	}
	tx := s.state.Begin()
	defer tx.End()
	token, ok := tx.AccessToken(bearer)
	if !ok {
		return unauthorized("Access token validation failure.")
	}
	c.token = token
	if !c.now().Before(token.Expires) {
		return unauthorized("Lifetime validation failed, the token is expired.")
	}
	c.t = tx.Tenant(token.TenantID)
	if c.t != nil {
		c.me = c.t.Object(token.UserOID)
	}
	if c.me == nil || !c.me.Active() || !c.me.Flag("accountEnabled") {
		return unauthorized("Access token validation failure.")
	}
	c.roles = c.t.RolesOf(c.me.ID)
	return c.checkTenantSegment()
}

// checkTenantSegment takes a tenant in front of the path off: clients of the old
// Azure AD Graph still send it.
func (c *call) checkTenantSegment() *odata.Error {
	names := c.path.Names
	if len(names) < 2 || names[0] != "myorganization" && !state.IsGUID(names[0]) {
		return nil
	}
	if names[0] != "myorganization" && names[0] != c.t.ID {
		return denied()
	}
	c.path = odata.Path{Names: names[1:], Raw: c.path.Raw[1:]}
	return nil
}

// throttled is a 429; retryAfter is the header, or empty for none.
func (c *call) throttled(r *faults.Refusal, retryAfter string) *reply {
	out := &reply{status: http.StatusTooManyRequests, refused: true, header: http.Header{}}
	out.header.Set("x-ms-throttle-scope", r.Scope)
	out.header.Set("x-ms-throttle-information", r.Information)
	if retryAfter != "" {
		out.header.Set("Retry-After", retryAfter)
	}
	out.body = map[string]any{"error": map[string]any{
		"code": "TooManyRequests", "message": "Please retry again later.",
		"innerError": map[string]any{
			"code": "429", "date": c.now().Format("2006-01-02T15:04:05"), "message": "Please retry after", "request-id": c.id, "status": "429",
		},
	}}
	return out
}
