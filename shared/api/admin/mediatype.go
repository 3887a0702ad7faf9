package admin

import (
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"bindery/shared/directory"
)

// wrongType refuses a body that says it is of another type than the operation
// takes. A body that says nothing is read as what it should be; an operation
// that takes any bytes looks for itself.
func wrongType(ctx huma.Context) *Problem {
	body := ctx.Operation().RequestBody
	r, _ := humago.Unwrap(ctx)
	said := r.Header.Get("Content-Type")
	if body == nil || said == "" || r.ContentLength == 0 || body.Content[rawType] != nil {
		return nil
	}
	kind, params, err := mime.ParseMediaType(said)
	charset := strings.ToLower(params["charset"])
	if err == nil && body.Content[kind] != nil && (charset == "" || charset == "utf-8" || charset == "us-ascii") {
		return nil
	}
	return &Problem{Status: http.StatusUnsupportedMediaType, Code: directory.CodeUnsupportedMediaType, Detail: "The body's Content-Type is not one that is taken here.",
		NextStep: "Send " + strings.Join(slices.Sorted(maps.Keys(body.Content)), " or ") + ", in UTF-8."}
}
