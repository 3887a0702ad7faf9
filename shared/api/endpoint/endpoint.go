// Package endpoint joins the operations of an HTTP API to the functions that do
// them. An operation's input and its output are structs, whose fields and tags say
// what is read of a request, what is written of an answer, and what the OpenAPI
// description says of both:
//
//	type input struct {
//		ID    string `path:"id" maxLength:"64"`
//		Limit int    `query:"limit" minimum:"1" default:"100"`
//		Match string `header:"If-Match"`
//		RawBody []byte
//	}
//	type output struct {
//		Status int
//		ETag   string `header:"ETag"`
//		Body   Thing
//	}
//
// The library huma reads such structs as well, by its function Register. That one is
// generic: the compiler makes it anew for each pair of types, about 20 KB of code an
// operation, which made the function of the admins' API larger than all it does. Here
// the types are values (reflect.Type), looked at once, when an operation is added,
// and the code is there once. huma keeps what it has that is not generic: schemas
// from types, the registry and the description, the validation of a value against its
// schema, the adapter and the middlewares. Two instances of Register for all
// operations, with a Resolver that reads the request, would have needed the same
// reading and describing beside it, and a way around each thing that Register does by
// its types.
//
// There is what the API uses, and no more: texts, whole numbers, true or false and
// lists of texts (with commas) as parameters, texts as headers of an answer, and a
// body that is handed on as its bytes. Add refuses anything else, at the start of a
// process and so in every test.
package endpoint

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// Handler does an operation: in is a pointer to its input, out one to its output. A
// nil pointer is answered with the operation's status and nothing else.
type Handler func(ctx context.Context, in any) (out any, err error)

// Refuse answers a request that was not done: err is a *Refusal, or what the handler
// said, or why its output could not be encoded. Nothing has been written then.
type Refuse func(ctx huma.Context, err error)

// Add adds an operation to an API. op says what the types cannot: scope, summary,
// the schemas of a body, answers besides the usual one; the parameters and the usual
// answer are added to it. An error names a field that nothing can be read into or
// written from.
func Add(api huma.API, op *huma.Operation, in, out reflect.Type, do Handler, refuse Refuse) error {
	registry := api.OpenAPI().Components.Schemas
	reader, err := newReader(registry, op, in)
	if err != nil {
		return err
	}
	writer, err := newWriter(registry, op, out)
	if err != nil {
		return err
	}
	api.OpenAPI().AddOperation(op)
	api.Adapter().Handle(op, api.Middlewares().Handler(func(ctx huma.Context) {
		given, err := reader.read(ctx)
		var answer any
		if err == nil {
			answer, err = do(ctx.Context(), given)
		}
		if err == nil {
			err = writer.write(ctx, answer)
		}
		if err != nil {
			refuse(ctx, err)
		}
	}))
	return nil
}

// Refusal says why a request was not taken: its parameters (422), a body that is
// missing or broken off (400), or one that is too large (413).
type Refusal struct {
	Status int
	Detail string
	Faults []Fault
}

// Fault is a parameter that is not as it should be, and why.
type Fault struct{ Name, Detail string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return http.StatusText(r.Status) + ": " + r.Detail }

// fields lists the fields of a struct and of the structs that are embedded in it, as
// they stand in the source.
func fields(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Anonymous || !f.IsExported() })
}
