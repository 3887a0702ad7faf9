package graph

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"

	"bindery/shared/entra/entratest/odata"
)

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

// fail is the reply that a refusal makes.
func (c *call) fail(e *odata.Error) *reply {
	out := &reply{status: e.Status, body: e.Body(c.now(), c.id, c.clientID), header: http.Header{}}
	for k, v := range e.Header {
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
	body := out.raw
	if body == nil && out.body != nil {
		var err error
		if body, err = json.Marshal(out.body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	h := w.Header()
	maps.Copy(h, out.header)
	h.Set("Date", c.now().Format(http.TimeFormat))
	h.Set("Strict-Transport-Security", "max-age=31536000")
	if body != nil {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.status)
	if c.method != http.MethodHead {
		w.Write(body)
	}
}
