package entratest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// maxBatch is how many items a batch may have.
const maxBatch = 20

// batchItem is one item as it is sent.
type batchItem struct {
	ID        *string           `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// batch is POST /$batch. Items run one by one in the order of the request, each
// with its own gates; the answers come in any order.
func (s *Server) batch(c *call) *reply {
	if c.method != http.MethodPost {
		return c.fail(noSuchPath(c.method, "$batch"))
	}
	items, e := c.batchItems()
	if e != nil {
		return c.fail(e)
	}
	status := map[string]int{}
	var answers []map[string]any
	dropped := false
	for i, it := range items {
		a, gone := s.batchAnswer(c, i+1, it, status)
		dropped = dropped || gone
		answers = append(answers, a)
		if c.ctx.Err() != nil {
			return &reply{dropped: true}
		}
	}
	s.shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
	return &reply{status: http.StatusOK, body: map[string]any{"responses": answers}, dropped: dropped}
}

// batchItems reads and checks the envelope.
func (c *call) batchItems() ([]batchItem, *graphError) {
	if _, e := c.object(); e != nil {
		return nil, e
	}
	var in struct {
		Requests []batchItem `json:"requests"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil || len(in.Requests) == 0 {
		return nil, badGraph("BadRequest", "Invalid batch payload format.")
	}
	if len(in.Requests) > maxBatch {
		return nil, badGraph("BadRequest", "Number of batch request steps exceeds the maximum value of %d.", maxBatch)
	}
	var seen []string
	for _, it := range in.Requests {
		if it.ID == nil || *it.ID == "" {
			return nil, badGraph("BadRequest", "Every batch request step needs an id.")
		}
		id := strings.ToLower(*it.ID)
		if slices.Contains(seen, id) {
			return nil, badGraph("BadRequest", "Request Id %s has to be unique in a batch.", *it.ID)
		}
		for _, on := range it.DependsOn {
			if !slices.Contains(seen, strings.ToLower(on)) {
				return nil, badGraph("BadRequest", "The dependsOn of request %s names '%s', which is not an earlier request of the batch.", *it.ID, on)
			}
		}
		seen = append(seen, id)
		if it.Method == "" || it.URL == "" {
			return nil, badGraph("BadRequest", "Request %s needs a method and a url.", *it.ID)
		}
	}
	return in.Requests, nil
}

// batchAnswer runs one item.
func (s *Server) batchAnswer(c *call, n int, it batchItem, status map[string]int) (answer map[string]any, dropped bool) {
	sub := &call{
		s: s, ctx: c.ctx, method: strings.ToUpper(it.Method), base: c.base, header: http.Header{},
		id: s.newID(), batch: c.id, item: n,
	}
	sub.header.Set("Authorization", c.header.Get("Authorization"))
	for _, h := range []string{"x-ms-throttle-priority"} {
		sub.header.Set(h, c.header.Get(h))
	}
	for k, v := range it.Headers {
		sub.header.Set(k, v)
	}
	sub.clientID = sub.header.Get("client-request-id")
	sub.rel = "/" + strings.TrimPrefix(it.URL, "/")
	e := sub.prepare(it)
	for _, on := range it.DependsOn {
		if status[strings.ToLower(on)] >= 400 {
			e = &graphError{status: http.StatusFailedDependency, code: "FailedDependency",
				message: "The request depends on another one of the batch, which failed.", free: true}
		}
	}
	out := s.run(sub, e)
	status[strings.ToLower(*it.ID)] = out.status
	if out.dropped {
		return nil, true
	}
	headers := map[string]string{}
	for k := range out.header {
		headers[itemHeader(k)] = out.header.Get(k)
	}
	answer = map[string]any{"id": *it.ID, "status": out.status, "headers": headers}
	switch {
	case out.raw != nil:
		answer["body"] = base64.StdEncoding.EncodeToString(out.raw)
	case out.body != nil:
		answer["body"] = out.body
	}
	return answer, false
}

// itemHeader spells a header as Microsoft does in a batch.
func itemHeader(name string) string {
	if strings.HasPrefix(strings.ToLower(name), "x-ms-") || strings.HasSuffix(strings.ToLower(name), "request-id") {
		return strings.ToLower(name)
	}
	if name == "Odata-Version" {
		return "OData-Version"
	}
	return name
}

// prepare checks one item's address and body.
func (c *call) prepare(it batchItem) *graphError {
	path, query, _ := strings.Cut(it.URL, "?")
	if strings.Contains(path, "://") {
		return badGraph("BadRequest", "The url of a batch request step must be relative.")
	}
	if e := c.parse("/"+strings.TrimPrefix(path, "/"), query); e != nil {
		return e
	}
	if c.names[0] == "$batch" {
		return badGraph("BadRequest", "A batch cannot contain another batch.")
	}
	if len(it.Body) == 0 || string(it.Body) == "null" {
		return nil
	}
	kind := strings.ToLower(c.header.Get("Content-Type"))
	if kind == "" {
		return badGraph("BadRequest", "Write request id : %s does not contain Content-Type header or body.", *it.ID)
	}
	c.body = it.Body
	return nil
}
