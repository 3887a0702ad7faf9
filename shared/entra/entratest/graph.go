package entratest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one operation of Graph that is asked for: a request, or an item of a
// batch.
type call struct {
	s        *Server
	ctx      context.Context
	method   string
	rel      string            // path and query below the version, as sent
	names    []string          // path segments: words in lower case, casts and actions in one spelling
	raw      []string          // the same segments as sent, for ids and names
	q        map[string]string // query options, keys in lower case
	header   http.Header
	body     []byte
	base     string // scheme, host and version of links
	id       string // request-id
	clientID string
	batch    string // request-id of the batch that it is an item of
	item     int

	token  accessToken
	t      *tenant
	me     *object
	roles  []string
	lag    time.Duration
	fault  string // that struck
	maxTop int    // of this listing; 0: the usual 999
}

// maxBody bounds a request's body, packed and unpacked; Microsoft's is 4 MB.
const maxBody = 4 << 20

// serveGraph answers one HTTP request to Graph.
func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request) {
	escaped := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	version, path, _ := strings.Cut(escaped, "/")
	c := &call{
		s: s, ctx: r.Context(), method: r.Method, header: r.Header, base: s.base(r) + "/" + strings.ToLower(version),
		id: s.newID(), clientID: r.Header.Get("client-request-id"),
	}
	body, err := readBody(r)
	var e *graphError
	if err != nil {
		e = &graphError{status: http.StatusBadRequest, code: "BadRequest", message: err.Error()}
	} else {
		c.body = body
		e = c.parse("/"+path, r.URL.RawQuery)
	}
	out := s.run(c, e)
	if out.dropped {
		panic(http.ErrAbortHandler)
	}
	c.send(w, out)
}

// readBody reads a body, which may be packed with gzip.
func readBody(r *http.Request) ([]byte, error) {
	var in io.Reader = http.MaxBytesReader(nil, r.Body, maxBody)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, errors.New("the request body is not gzip as its Content-Encoding says")
		}
		in = io.LimitReader(z, maxBody+1)
	default:
		return nil, errors.New("the Content-Encoding is not supported")
	}
	body, err := io.ReadAll(in)
	if err != nil || len(body) > maxBody {
		return nil, errors.New("the request body cannot be read or is too large")
	}
	return body, nil
}

// parse takes path and query apart.
func (c *call) parse(path, query string) *graphError {
	c.rel = path
	if query != "" {
		c.rel += "?" + query
	}
	if err := c.parsePath(path); err != nil {
		return err
	}
	c.q = map[string]string{}
	values, err := url.ParseQuery(query)
	if err != nil {
		return request400("The query of the request is malformed.")
	}
	for key, list := range values {
		key = strings.ToLower(key)
		if _, twice := c.q[key]; twice || len(list) > 1 && strings.HasPrefix(key, "$") {
			return badGraph("BadRequest", "Query option '%s' was specified more than once, but it must be specified at most once.", key)
		}
		c.q[key] = list[0]
	}
	for key := range c.q {
		if strings.HasPrefix(key, "$") && !knownOptions[key] {
			return badGraph("BadRequest", "The query parameter '%s' is not supported.", key)
		}
	}
	return nil
}

// knownOptions are OData's query options.
var knownOptions = map[string]bool{
	"$select": true, "$top": true, "$filter": true, "$search": true, "$orderby": true, "$count": true,
	"$expand": true, "$skiptoken": true, "$deltatoken": true, "$skip": true, "$format": true, "$id": true,
}

// operations may have the namespace in front and, when functions, () behind.
var operations = map[string]bool{
	"delta": true, "restore": true, "assignlicense": true, "revokesigninsessions": true, "getbyids": true,
	"getmembergroups": true, "checkmembergroups": true,
}

func (c *call) parsePath(path string) *graphError {
	for _, seg := range strings.Split(strings.Trim(path, "/"), "/") {
		text, err := url.PathUnescape(seg)
		if err != nil || text == "" {
			return noSuchPath(c.method, seg)
		}
		if name, key, ok := strings.Cut(text, "("); ok && strings.HasSuffix(key, ")") && isWord(name) {
			c.segment(name)
			if key = strings.TrimSuffix(key, ")"); key == "" {
				continue
			}
			if field, value, named := strings.Cut(key, "="); named {
				text = "(" + strings.ToLower(strings.TrimSpace(field)) + ")" + unquote(strings.TrimSpace(value))
			} else {
				text = unquote(key)
			}
			c.names, c.raw = append(c.names, strings.ToLower(text)), append(c.raw, text)
			continue
		}
		c.segment(text)
	}
	return nil
}

func (c *call) segment(text string) {
	name := strings.ToLower(text)
	short := strings.TrimPrefix(strings.TrimPrefix(name, "microsoft."), "graph.")
	switch {
	case short != name && operations[short]:
		name = short
	case short != name:
		name = "microsoft.graph." + short
	}
	c.names, c.raw = append(c.names, name), append(c.raw, text)
}

func isWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '.' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) < 0
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return strings.ReplaceAll(s[1:len(s)-1], "''", "'")
	}
	return s
}

// object decodes a strict JSON object from the body.
func (c *call) object() (map[string]any, *graphError) {
	kind, _, _ := strings.Cut(strings.ToLower(c.header.Get("Content-Type")), ";")
	if strings.TrimSpace(kind) != "application/json" {
		return nil, &graphError{status: http.StatusUnsupportedMediaType, code: "UnsupportedMediaType", free: true,
			message: "A request body needs the Content-Type application/json."}
	}
	var v map[string]any
	if err := json.Unmarshal(c.body, &v); err != nil || v == nil {
		return nil, badGraph("BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return v, nil
}

// context is the @odata.context of an answer.
func (c *call) context(of string) string { return c.base + "/$metadata#" + of }

// has tells whether the token carries one of the permissions.
// Directory.AccessAsUser.All stands for all that the account itself may do.
func (c *call) has(scopes ...string) bool {
	for _, granted := range c.token.Scopes {
		if granted == "Directory.AccessAsUser.All" {
			return true
		}
		for _, s := range scopes {
			if granted == s {
				return true
			}
		}
	}
	return false
}

// holds tells whether the signed-in account has one of the roles.
func (c *call) holds(roles ...string) bool {
	for _, r := range c.roles {
		for _, want := range roles {
			if r == want {
				return true
			}
		}
	}
	return false
}

// mutation is one that this call makes.
func (c *call) mutation(kind string, o *object) Mutation {
	return Mutation{
		Kind: kind, Target: o.Kind, TargetID: o.ID, Name: o.text("displayName"), UPN: o.text("userPrincipalName"),
		Method: c.method, Path: c.rel, Actor: c.me.ID, ActorUPN: c.me.text("userPrincipalName"),
		AppID: c.token.AppID, RequestID: c.id,
	}
}
