package endpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// writer makes answers of outputs.
type writer struct {
	usual   int // the status, where the output has none
	headers []header
	status  []int // where the field Status is; nil: there is none
	body    []int // where the field Body is; nil: there is none
}

type header struct {
	name  string
	index []int
}

const jsonType = "application/json"

// newWriter describes an operation's usual answer by the fields of its output.
func newWriter(registry huma.Registry, op *huma.Operation, output reflect.Type) (*writer, error) {
	w := &writer{}
	var body *reflect.StructField
	var headers []reflect.StructField
	for _, f := range fields(output) {
		switch name := f.Tag.Get("header"); {
		case f.Name == "Status" && f.Type.Kind() == reflect.Int:
			w.status = f.Index
		case f.Name == "Body":
			w.body, body = f.Index, &f
		case name != "" && f.Type.Kind() == reflect.String:
			w.headers, headers = append(w.headers, header{name, f.Index}), append(headers, f)
		default:
			return nil, fmt.Errorf("operation %s: its output has the field %s, which is no Status, no Body and no header", op.OperationID, f.Name)
		}
	}
	if op.DefaultStatus == 0 && body == nil {
		op.DefaultStatus = http.StatusNoContent
	} else if op.DefaultStatus == 0 {
		op.DefaultStatus = http.StatusOK
	}
	w.usual = op.DefaultStatus
	answer := usualAnswer(op)
	for i, f := range headers {
		answer.Headers[w.headers[i].name] = &huma.Header{Schema: huma.SchemaFromField(registry, f, "")}
	}
	if body != nil {
		describeBody(answer, huma.SchemaFromField(registry, *body, op.OperationID+"Response"))
	}
	return w, nil
}

// usualAnswer is where an operation's usual answer is described; what is said of it
// already stays.
func usualAnswer(op *huma.Operation) *huma.Response {
	status := strconv.Itoa(op.DefaultStatus)
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	if op.Responses[status] == nil {
		op.Responses[status] = &huma.Response{}
	}
	answer := op.Responses[status]
	if answer.Description == "" {
		answer.Description = http.StatusText(op.DefaultStatus)
	}
	if answer.Headers == nil {
		answer.Headers = map[string]*huma.Header{}
	}
	return answer
}

func describeBody(answer *huma.Response, schema *huma.Schema) {
	if len(answer.Content) == 0 {
		answer.Content = map[string]*huma.MediaType{jsonType: {Schema: schema}}
	}
}

// write answers with an output. An error says that it could not be encoded, and that
// nothing was written; that the client is gone is none.
func (w *writer) write(ctx huma.Context, output any) error {
	v := reflect.ValueOf(output)
	if v.IsNil() {
		ctx.SetStatus(w.usual)
		return nil
	}
	v = v.Elem()
	status := w.usual
	if w.status != nil {
		status = int(v.FieldByIndex(w.status).Int())
	}
	data, encoded, err := w.encode(v, status)
	if err != nil {
		return err
	}
	if encoded {
		ctx.SetHeader("Content-Type", jsonType)
	}
	for _, h := range w.headers {
		if text := v.FieldByIndex(h.index).String(); text != "" {
			ctx.SetHeader(h.name, text)
		}
	}
	ctx.SetStatus(status)
	if len(data) > 0 {
		_, _ = ctx.BodyWriter().Write(data) // the client is gone
	}
	return nil
}

// encode is an output's body as it is sent: bytes as they are, anything else as JSON.
func (w *writer) encode(output reflect.Value, status int) (data []byte, encoded bool, err error) {
	if w.body == nil {
		return nil, false, nil
	}
	body := output.FieldByIndex(w.body).Interface()
	if data, ok := body.([]byte); ok {
		return data, false, nil
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return nil, false, nil
	}
	data, err = JSON(body)
	return data, true, err
}

// JSON is a value as answers have it.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return b.Bytes(), nil
}
