package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"bindery/shared/directory"
)

// What is not as an operation's description says does not reach its handler:
//
//	the path and the query as a whole   plain, in UTF-8, each parameter once   serve, strange
//	path, query, header                 type, length, pattern, enum            package endpoint, by the description
//	a parameter of the query without    whether it may be: endpoint takes it   strange, by the description
//	a value                             for one that is not given
//	a body of JSON                      UTF-8, one object, each name once,     checkBody, by the description
//	                                    type, length, pattern, enum
//
// Profiles, settings and a few members whose refusals have codes of their own are
// read by the core's strict readers (operation.core), which say better what is wrong
// than a schema can; fuzz_test.go holds them to the description as well.

// textFault says why a text from outside is none: a phrase that follows upon the
// name of the parameter; "" when it is one. lines allows tabs and line breaks.
func textFault(s string, lines bool) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	for _, c := range s {
		switch {
		case lines && (c == '\t' || c == '\n' || c == '\r'):
		case unicode.IsControl(c):
			return "has control characters"
		case directory.NoCharacter(c):
			return noCharacters
		}
	}
	return ""
}

const noCharacters = "has code points that Unicode keeps from being characters"

// plainPath reports whether a path is one that a route can be found for as it
// stands. The router would send others elsewhere, by an answer that nothing describes.
func plainPath(p string) bool {
	return strings.HasPrefix(p, "/") && (path.Clean(p) == p || path.Clean(p)+"/" == p)
}

// strange refuses a request whose query or headers are no text, or ambiguous, or
// whose query names parameters without the value that they need.
func strange(ctx huma.Context, registry huma.Registry) *Problem {
	r, _ := humago.Unwrap(ctx)
	var faults []directory.FieldError
	refuse := func(name, why string) {
		faults = append(faults, directory.FieldError{Field: shown(name), Detail: why})
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		refuse("query", "is not well formed: each name and value is to be percent-encoded")
	}
	for name, values := range query {
		if why := textFault(name, false); why != "" {
			refuse(name, why)
		}
		if len(values) > 1 {
			refuse(name, "is given more than once")
		}
		for _, v := range values {
			if why := textFault(v, false); why != "" {
				refuse(name, why)
			}
		}
	}
	for _, p := range ctx.Operation().Parameters {
		if p.In == "query" {
			if v := query[p.Name]; len(v) == 1 && v[0] == "" && !mayBeEmpty(registry, p.Schema) {
				refuse(p.Name, "has no value: give it one, or leave it out")
			}
			continue
		}
		v := ctx.Param(p.Name)
		if p.In == "header" {
			v = ctx.Header(p.Name)
		}
		if why := textFault(v, false); why != "" {
			refuse(p.Name, why)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	sort.Slice(faults, func(i, j int) bool { return faults[i].Field < faults[j].Field })
	return &Problem{Status: http.StatusUnprocessableEntity, Code: directory.CodeInvalidParameter, Detail: "The request was not accepted and nothing was changed.",
		NextStep: "Correct the parameters named in errors.", Errors: faults}
}

// mayBeEmpty reports whether an empty text is a value of a parameter, or of a list
// one of its elements.
func mayBeEmpty(registry huma.Registry, s *huma.Schema) bool {
	s = resolve(registry, s)
	if s.Type == huma.TypeArray {
		s = resolve(registry, s.Items)
	}
	var res huma.ValidateResult
	huma.Validate(registry, s, huma.NewPathBuffer([]byte{}, 0), huma.ModeWriteToServer, "", &res)
	return len(res.Errors) == 0
}

// shown is a name from outside as an answer may repeat it.
func shown(name string) string {
	if len(name) > 100 {
		name = name[:100] + "…"
	}
	return strings.Trim(strconv.Quote(name), `"`)
}

// bodyCheck is what a body of JSON is held against: its description, but for the
// members that the core reads by itself.
type bodyCheck struct {
	registry huma.Registry
	schema   *huma.Schema // nil when the core reads all of it
	core     []string
	nullable map[string]bool // of the members that the core reads
}

func newBodyCheck(registry huma.Registry, schema *huma.Schema, core []string) *bodyCheck {
	if slices.Contains(core, allMembers) {
		return &bodyCheck{}
	}
	s := *resolve(registry, schema)
	s.Properties = maps.Clone(s.Properties)
	s.Required = slices.DeleteFunc(slices.Clone(s.Required), func(name string) bool { return slices.Contains(core, name) })
	nullable := map[string]bool{}
	for _, name := range core {
		if member := s.Properties[name]; member != nil {
			nullable[name] = resolve(registry, member).Nullable
		}
		delete(s.Properties, name)
	}
	s.PrecomputeMessages()
	return &bodyCheck{registry, &s, core, nullable}
}

// check refuses a body that is not as it should be.
func (c *bodyCheck) check(body []byte) error {
	v, err := readJSON(body)
	if err != nil {
		return bodyFault(err)
	}
	members, ok := v.(map[string]any)
	if !ok {
		return bodyFault(errors.New("it must be one JSON object"))
	}
	if c.schema == nil {
		return nil
	}
	for _, name := range c.core {
		if v, given := members[name]; given && v == nil && !c.nullable[name] {
			return bodyFault(&memberFault{name, notNull})
		}
		delete(members, name)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		// huma takes a name in another case for the same, as encoding/json does.
		if c.schema.Properties[name] == nil {
			return bodyFault(&memberFault{shown(name), notAMember})
		}
	}
	if f := textsFault("", members); f != nil {
		return bodyFault(f)
	}
	if at := c.strayNull("", c.schema, members); at != "" {
		return bodyFault(&memberFault{at, notNull})
	}
	var res huma.ValidateResult
	huma.Validate(c.registry, c.schema, huma.NewPathBuffer([]byte{}, 0), huma.ModeWriteToServer, v, &res)
	if len(res.Errors) == 0 {
		return nil
	}
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody, "The body was not accepted and nothing was changed.", "See "+specPath+".")
	for _, e := range res.Errors {
		f := directory.FieldError{Field: "body", Detail: e.Error()}
		if d, ok := errors.AsType[*huma.ErrorDetail](e); ok {
			f.Detail = strings.Replace(d.Message, "expected ", "must be ", 1)
			if d.Location != "" {
				f.Field = shown(d.Location)
			}
			if d.Message == "unexpected property" {
				f.Detail = notAMember
			}
		}
		r.Fields = append(r.Fields, f)
	}
	sort.SliceStable(r.Fields, func(i, j int) bool { return r.Fields[i].Field < r.Fields[j].Field })
	return r
}

// strayNull names the first member, in the order of names, that is null although its
// description has no null; "" when there is none. huma takes null for a member that
// is not there, whatever the description says.
func (c *bodyCheck) strayNull(at string, s *huma.Schema, v any) string {
	s = resolve(c.registry, s)
	switch v := v.(type) {
	case nil:
		if at != "" && s.Type != "" && !s.Nullable {
			return at
		}
	case []any:
		for i := range v {
			if s.Items == nil {
				break
			}
			if stray := c.strayNull(fmt.Sprintf("%s[%d]", at, i), s.Items, v[i]); stray != "" {
				return stray
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			member, described := s.Properties[name]
			if !described {
				member, described = s.AdditionalProperties.(*huma.Schema)
			}
			if !described {
				continue // refused, or of a kind that says nothing of its members
			}
			if stray := c.strayNull(strings.TrimPrefix(at+"."+shown(name), "."), member, v[name]); stray != "" {
				return stray
			}
		}
	}
	return ""
}

const (
	notAMember = "is not a member of this body"
	notNull    = "must not be null: leave it out"
)

// allMembers is the name that stands for every member of a body.
const allMembers = "*"

func resolve(registry huma.Registry, s *huma.Schema) *huma.Schema {
	for s.Ref != "" {
		s = registry.SchemaFromRef(s.Ref)
	}
	return s
}

// maxDepth is how deep a body may be nested.
const maxDepth = 32

// readJSON reads one JSON value whose texts are texts and whose objects name each
// member once. encoding/json would put U+FFFD in place of what is no UTF-8 or half
// of a surrogate pair, and keep the last of several members of one name: data
// would be changed, or read otherwise than by somebody before us.
func readJSON(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("it is not valid UTF-8")
	}
	if halfSurrogate(body) {
		return nil, errors.New(`it has half of a surrogate pair (\ud800 to \udfff)`)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	v, err := readValue(dec, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it must be one JSON object")
	}
	return v, nil
}

func readValue(dec *json.Decoder, at string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d levels", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("unexpected end of JSON input")
		}
		return nil, err
	}
	if text, ok := token.(string); ok && strings.ContainsFunc(text, directory.NoCharacter) {
		return nil, &memberFault{at, noCharacters}
	}
	switch token {
	case json.Delim('['):
		return readList(dec, at, depth)
	case json.Delim('{'):
		return readObject(dec, at, depth)
	}
	return token, nil
}

// readList reads a list whose bracket has been read.
func readList(dec *json.Decoder, at string, depth int) ([]any, error) {
	list := []any{}
	for dec.More() {
		v, err := readValue(dec, fmt.Sprintf("%s[%d]", at, len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.Token()
	return list, err
}

// readObject reads an object whose brace has been read.
func readObject(dec *json.Decoder, at string, depth int) (map[string]any, error) {
	object := map[string]any{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		text, _ := name.(string) // the decoder gives nothing else for a name
		under := strings.TrimPrefix(at+"."+shown(text), ".")
		if strings.ContainsFunc(text, directory.NoCharacter) {
			return nil, &memberFault{under, noCharacters}
		}
		if _, twice := object[text]; twice {
			return nil, &memberFault{under, "is given twice"}
		}
		if object[text], err = readValue(dec, under, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return object, err
}

// textsFault finds a text within a value that is none; nil when all are.
func textsFault(at string, v any) error {
	switch v := v.(type) {
	case string:
		if why := textFault(v, true); why != "" {
			return &memberFault{at, why}
		}
	case []any:
		for i, e := range v {
			if f := textsFault(fmt.Sprintf("%s[%d]", at, i), e); f != nil {
				return f
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if f := textsFault(strings.TrimPrefix(at+"."+shown(name), "."), v[name]); f != nil {
				return f
			}
		}
	}
	return nil
}

// memberFault is a member of a body that is at fault, and why.
type memberFault struct{ member, why string }

func (f *memberFault) Error() string { return f.member + " " + f.why }

// halfSurrogate reports whether a JSON text escapes half of a surrogate pair.
func halfSurrogate(body []byte) bool {
	unit := func(at int) (uint64, bool) {
		if at+6 > len(body) || body[at] != '\\' || body[at+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(body[at+2:at+6]), 16, 16)
		return n, err == nil
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		n, ok := unit(i)
		switch {
		case !ok:
			i++ // another escape, of one character
		case n >= 0xDC00 && n <= 0xDFFF:
			return true
		case n >= 0xD800 && n <= 0xDBFF:
			if low, ok := unit(i + 6); !ok || low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 11
		default:
			i += 5
		}
	}
	return false
}

// idText is how IDs are described, in parameters, bodies and answers alike.
type idText string

// Schema is for huma.
func (idText) Schema(huma.Registry) *huma.Schema {
	most := 100
	s := &huma.Schema{Type: huma.TypeString, MaxLength: &most, Pattern: idPattern}
	s.PrecomputeMessages()
	return s
}

const idPattern = "^[!-~]*$"

// textPattern is what a text in a query is: without control characters. It is said
// to the letter in the tags of inputs, which cannot name a constant.
const textPattern = `^[^\x00-\x1F\x7F-\x9F]*$`

// Alternatives in a query: a list with commas, of as many as a line of a request has
// room for.
const (
	mostAlternatives = 100
	mostText         = 200
)

// boundLists has the description say how many alternatives a parameter may have,
// and what each may be. Tags say nothing of a list's elements.
func boundLists(_ *huma.OpenAPI, op *huma.Operation) {
	for _, p := range op.Parameters {
		if p.Schema.Type != huma.TypeArray {
			continue
		}
		items := *p.Schema.Items
		if items.MaxLength == nil {
			most := mostText
			items.MaxLength, items.Pattern = &most, textPattern
			items.PrecomputeMessages()
		}
		most := mostAlternatives
		p.Schema.Items, p.Schema.MaxItems = &items, &most
		p.Schema.PrecomputeMessages()
	}
}

// describeIDs has the description say what an ID may be, wherever one is.
func describeIDs(registry huma.Registry) {
	for _, t := range []reflect.Type{
		reflect.TypeFor[directory.UserID](), reflect.TypeFor[directory.GroupID](), reflect.TypeFor[directory.ConnectionID](), reflect.TypeFor[directory.RunID](),
		reflect.TypeFor[directory.ChangeID](), reflect.TypeFor[directory.JobID](), reflect.TypeFor[directory.SignInID](),
		reflect.TypeFor[directory.TenantID](), reflect.TypeFor[directory.AccountID](), reflect.TypeFor[directory.UploadID](),
	} {
		registry.RegisterTypeAlias(t, reflect.TypeFor[idText]())
	}
}
