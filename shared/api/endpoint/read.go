package endpoint

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// reader makes inputs of requests.
type reader struct {
	registry huma.Registry
	op       *huma.Operation
	input    reflect.Type
	params   []param
	queries  map[string]bool // the names that a query may have
	body     []int           // where the field RawBody is; nil: there is no body
}

// param is a parameter of an operation.
type param struct {
	in, name string
	index    []int // of its field
	required bool
	fallback string // what a parameter that is not given is read as; "" for its zero
	schema   *huma.Schema
}

// newReader describes an operation's parameters by the fields of its input.
func newReader(registry huma.Registry, op *huma.Operation, input reflect.Type) (*reader, error) {
	r := &reader{registry: registry, op: op, input: input, queries: map[string]bool{}}
	for _, f := range fields(input) {
		if f.Name == "RawBody" {
			r.body = f.Index
			continue
		}
		p := param{index: f.Index}
		for _, in := range []string{"path", "query", "header"} {
			if name := f.Tag.Get(in); name != "" {
				p.in, p.name = in, name
			}
		}
		if p.name == "" {
			continue
		}
		if _, err := parse(reflect.New(f.Type).Elem(), ""); errors.Is(err, errKind) {
			return nil, fmt.Errorf("operation %s: parameter %s: %w", op.OperationID, p.name, err)
		}
		p.required = p.in == "path" || f.Tag.Get("required") == "true"
		p.fallback = f.Tag.Get("default")
		p.schema = huma.SchemaFromField(registry, f, "")
		r.params = append(r.params, p)
		if p.in == "query" {
			r.queries[p.name] = true
		}
		if f.Tag.Get("hidden") != "true" {
			op.Parameters = append(op.Parameters, p.described())
		}
	}
	if described := op.RequestBody != nil; described != (r.body != nil) {
		return nil, fmt.Errorf("operation %s: a body is described: %t; its input has a field RawBody: %t", op.OperationID, described, r.body != nil)
	}
	return r, nil
}

// described is what the description says of a parameter.
func (p *param) described() *huma.Param {
	d := &huma.Param{Name: p.name, In: p.in, Description: p.schema.Description, Required: p.required, Schema: p.schema}
	if p.in == "query" {
		d.Explode = new(bool) // a list is one value, with commas
	}
	return d
}

// read makes an input of a request; a *Refusal when it is not as described. The body
// is read even when parameters are at fault: one that is missing or too large is told
// first, and with them.
func (r *reader) read(ctx huma.Context) (any, error) {
	input := reflect.New(r.input)
	if faults := r.unknown(ctx); faults != nil {
		return nil, refusal(faults)
	}
	faults := r.readParams(ctx, input.Elem())
	if r.body != nil {
		body, err := r.readBody(ctx, faults)
		if err != nil {
			return nil, err
		}
		input.Elem().FieldByIndex(r.body).SetBytes(body)
	}
	if faults != nil {
		return nil, refusal(faults)
	}
	return input.Interface(), nil
}

func refusal(faults []Fault) *Refusal {
	return &Refusal{http.StatusUnprocessableEntity, "The request was not accepted and nothing was changed.", faults}
}

// unknown names what of a query the operation does not take. What is not well-formed, or
// there twice, is refused as well: a parameter that was passed over in silence could have
// been the one that says "only check".
func (r *reader) unknown(ctx huma.Context) (faults []Fault) {
	u := ctx.URL()
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return []Fault{{"query", "is not well-formed: " + err.Error()}}
	}
	for name, values := range query {
		switch {
		case !r.queries[name]:
			faults = append(faults, Fault{name, "unknown query parameter"})
		case len(values) > 1:
			faults = append(faults, Fault{name, "is there more than once"})
		}
	}
	return faults
}

// readParams reads the parameters into an input, and says which are at fault.
func (r *reader) readParams(ctx huma.Context, input reflect.Value) (faults []Fault) {
	for i := range r.params {
		p := &r.params[i]
		text := p.text(ctx)
		if text == "" && p.required {
			faults = append(faults, Fault{p.name, "required " + p.in + " parameter is missing"})
		}
		if text == "" {
			continue
		}
		v, err := parse(input.FieldByIndex(p.index), text)
		if err != nil {
			faults = append(faults, Fault{p.name, err.Error()})
			continue
		}
		at, res := huma.NewPathBuffer(nil, 0), huma.ValidateResult{}
		at.Push(p.name)
		huma.Validate(r.registry, p.schema, at, huma.ModeWriteToServer, v, &res)
		for _, e := range res.Errors {
			f := Fault{p.name, e.Error()}
			if d, ok := errors.AsType[*huma.ErrorDetail](e); ok {
				f = Fault{d.Location, d.Message} // which element of a list
			}
			faults = append(faults, f)
		}
	}
	return faults
}

// text is a parameter's value in a request, or else its default.
func (p *param) text(ctx huma.Context) (text string) {
	switch p.in {
	case "path":
		text = ctx.Param(p.name)
	case "query":
		text = ctx.Query(p.name)
	case "header":
		text = ctx.Header(p.name)
	}
	if text == "" {
		return p.fallback
	}
	return text
}

// errKind is of a field that no parameter can be read into.
var errKind = errors.New("it is of a kind that parameters do not have here")

// parse reads a text into a field, and returns the value as Validate takes it.
func parse(f reflect.Value, text string) (any, error) {
	switch {
	case f.Kind() == reflect.String:
		f.SetString(text)
		return text, nil
	case f.CanInt():
		n, err := strconv.ParseInt(text, 10, f.Type().Bits())
		if err != nil {
			return nil, errors.New("invalid integer")
		}
		f.SetInt(n)
		return n, nil
	case f.Kind() == reflect.Bool:
		yes, err := strconv.ParseBool(text)
		if err != nil {
			return nil, errors.New("invalid boolean")
		}
		f.SetBool(yes)
		return yes, nil
	case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String:
		texts := strings.Split(text, ",")
		list := reflect.MakeSlice(f.Type(), len(texts), len(texts))
		for i, text := range texts {
			list.Index(i).SetString(text)
		}
		f.Set(list)
		return texts, nil
	}
	return nil, errKind
}

// readBody reads the body of a request, of which faults are known already.
func (r *reader) readBody(ctx huma.Context, faults []Fault) ([]byte, error) {
	// A file may take longer than a server gives a request; its size is bounded.
	_ = ctx.SetReadDeadline(time.Time{}) // not every server has one
	body, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), r.op.MaxBodyBytes+1))
	switch {
	case int64(len(body)) > r.op.MaxBodyBytes:
		return nil, &Refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("The body has more than %d bytes.", r.op.MaxBodyBytes), nil}
	case err != nil:
		return nil, &Refusal{http.StatusBadRequest, "The body broke off before its end.", faults}
	case len(body) == 0 && r.op.RequestBody.Required:
		return nil, &Refusal{http.StatusBadRequest, "The request needs a body.", faults}
	}
	return body, nil
}
