package graph

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"bindery/shared/clock"
	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
)

// batch is POST /$batch. Items run one by one in the order of the request, each
// with its own gates; the answers come in any order.
func (s *Service) batch(ctx context.Context, c *call) *reply {
	if c.method != http.MethodPost {
		return c.fail(odata.NoSuchPath(c.method, "$batch"))
	}
	if _, e := c.object(); e != nil {
		return c.fail(e)
	}
	items, e := odata.ParseBatch(c.body)
	if e != nil {
		return c.fail(e)
	}
	if f := c.strike(faults.DearBatch); f != nil && clock.Sleep(ctx, time.Duration(len(items)-1)*f.Duration()) != nil {
		return &reply{dropped: true}
	}
	status := map[string]int{} // by lower-case id
	var answers []map[string]any
	dropped := false
	var sequence order
	for i, it := range items {
		sub, refused := c.step(i+1, it)
		sub.contended = sequence.add(it, refused == nil && sub.changesLicences())
		if dependsOnFailed(it, status) {
			refused = failedDependency()
		}
		out := s.run(ctx, sub, refused)
		status[strings.ToLower(it.ID)] = out.status
		dropped = dropped || out.dropped
		answers = append(answers, batchAnswer(it.ID, out))
		if ctx.Err() != nil {
			return &reply{dropped: true}
		}
	}
	s.state.Random.Shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
	return &reply{status: http.StatusOK, body: map[string]any{"responses": answers}, dropped: dropped}
}

// step makes a call of an item. It has the token of the batch, and of its headers
// only its priority.
func (c *call) step(n int, it odata.Item) (*call, *odata.Error) {
	sub := &call{s: c.s, request: request{method: it.Method, base: c.base, header: http.Header{}, id: c.s.state.Random.ID(), batch: c.id, item: n}}
	for _, name := range []string{"Authorization", "x-ms-throttle-priority"} {
		sub.header.Set(name, c.header.Get(name))
	}
	for k, v := range it.Headers {
		sub.header.Set(k, v)
	}
	sub.clientID = sub.header.Get("client-request-id")
	sub.rel = "/" + strings.TrimPrefix(it.URL, "/")
	return sub, sub.prepare(it)
}

// prepare checks an item's address and body.
func (c *call) prepare(it odata.Item) *odata.Error {
	path, query, e := it.Address()
	if e != nil {
		return e
	}
	if e := c.parse(path, query); e != nil {
		return e
	}
	if c.path.Names[0] == "$batch" {
		return odata.BadRequest("A batch cannot contain another batch.")
	}
	if it.Body != nil && c.header.Get("Content-Type") == "" {
		return odata.BadRequest("Write request id : %s does not contain Content-Type header or body.", it.ID)
	}
	c.body = it.Body
	return nil
}

func dependsOnFailed(it odata.Item, status map[string]int) bool {
	for _, on := range it.DependsOn {
		if status[strings.ToLower(on)] >= 400 {
			return true
		}
	}
	return false
}

func failedDependency() *odata.Error {
	return &odata.Error{Status: http.StatusFailedDependency, Code: "FailedDependency", Free: true,
		Message: "The request depends on another one of the batch, which failed."}
}

// batchAnswer is an answer as the batch carries it.
func batchAnswer(id string, out *reply) map[string]any {
	headers := map[string]string{}
	for k := range out.header {
		headers[odata.ItemHeader(k)] = out.header.Get(k)
	}
	answer := map[string]any{"id": id, "status": out.status, "headers": headers}
	switch {
	case out.raw != nil:
		answer["body"] = base64.StdEncoding.EncodeToString(out.raw)
	case out.body != nil:
		answer["body"] = out.body
	}
	return answer
}
