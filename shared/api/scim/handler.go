package scim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/api/claims"
	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// Clients knows who pushes; *provision.Clients does.
type Clients interface {
	Authenticate(ctx context.Context, id directory.ScimClientID, token string, asMeant bool) (provision.Access, error)
	Admit(ctx context.Context, id directory.ScimClientID) (provision.Access, error)
	Log(ctx context.Context, c *directory.ScimClient, r *directory.ScimRequest, counted directory.ScimCount) (told bool)
	WrongToken(ctx context.Context, id directory.ScimClientID)
	Mark(ctx context.Context, id directory.ScimClientID, question string, m directory.ScimMark, life time.Duration) error
	MarkBelow(ctx context.Context, id directory.ScimClientID, question string, index int) (directory.ScimMark, error)
}

// Config is what the Handler stands on.
type Config struct {
	Pushes  *people.Pushes
	Clients Clients
	// PublicURL is where the paths begin, without a slash at its end.
	PublicURL string
	// Claims are those of the token of a request that a gateway has let in on one of the
	// paths for that (tokenRoot); nil when it has none.
	Claims func(ctx context.Context) claims.Claims
	// RequestID is that of the request of a context, as the log has it; may be nil.
	RequestID func(ctx context.Context) string
	// PerSecond is how many requests of one client are answered in a second, in the mean of
	// a directory.ScimWindow, by all processes together; 0 means PerSecond.
	PerSecond int
	Now       func() time.Time // nil means time.Now
	Log       *slog.Logger     // nil means silence
}

const (
	// Prefix begins every path: /scim/{client}/v2/….
	Prefix = "/scim/"
	root   = "/v2"
	// tokenRoot is in the place of root for those who bring a JWT, which the gateway
	// checks: it takes the scope bindery/source.scim.
	tokenRoot = "/oauth/v2"

	// MaxBody is how large a request's body may be, and maxDocument what is kept of it.
	MaxBody     = 1 << 20
	maxDocument = 64 << 10
	// maxAnswer is how large an answer may be, as weight counts: AWS Lambda's may have 6 MB.
	maxAnswer = 5_500_000

	// PerSecond is how many requests of one client are answered in a second, unless Config
	// says otherwise: eight times what Entra ID sends, which a server must never throttle
	// below, and more than a tool sends that waits for each answer. In the mean it takes no
	// more than half of the invocations that are kept for scim.
	PerSecond = 200
	// wrongPerMinute is how many wrong tokens come from one address to one process before it
	// is kept waiting. Strangers have nothing written into the table.
	wrongPerMinute = 20
	// Of a client that is refused by the limit, or paused, a process logs so many requests at
	// once and one a second: it may come as fast as it likes.
	refusedAtOnce = 30
)

// Handler answers the requests of clients. It may be used by many goroutines.
type Handler struct {
	Config
	counts  counts
	wrong   *limiter
	refused *limiter // who is, by the limit or a pause
	skipped skipped
}

// New returns a Handler.
func New(cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.PerSecond == 0 {
		cfg.PerSecond = PerSecond
	}
	return &Handler{Config: cfg, counts: counts{of: map[directory.ScimClientID]directory.ScimCount{}}, wrong: newLimiter(wrongPerMinute/60.0, wrongPerMinute), refused: newLimiter(1, refusedAtOnce), skipped: skipped{of: map[directory.ScimClientID]int{}}}
}

// call is one request on its way.
type call struct {
	*Handler
	client        directory.ScimClient
	by            directory.Caller
	base          string // of addresses in answers
	users, groups *resourceType
	mapping       []mapped
	notes         notes
	log           directory.ScimRequest
	counted       directory.ScimCount // to be told with the log
	kept          bool                // outside: by the limit, or by a pause
	request       *http.Request
	path          string // below the client's base address
	body          []byte
	// sent is the userName, or the displayName of a group, that the request has, and tried
	// what was last to be stored for it: should it be refused, the log says of whom it was, and
	// who has what is taken.
	sent  string
	tried struct {
		user  people.UserPush
		group people.GroupPush
	}
}

// answer is what a request is answered with: an object, or nothing.
type answer struct {
	status   int
	body     *object
	etag     string
	location string
}

// headOnly is an answer without its body.
type headOnly struct{ http.ResponseWriter }

func (headOnly) Write(data []byte) (int, error) { return len(data), nil }

// ServeHTTP answers a request. HEAD is GET but for the body (RFC 9110, 9.3.2).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w, r = headOnly{w}, r.Clone(r.Context())
		r.Method = http.MethodGet
	}
	began := h.Now()
	c, err := h.open(r)
	var a answer
	if err == nil {
		a, err = c.serve()
	}
	if err != nil {
		p := h.problem(r.Context(), err)
		if c != nil {
			c.outside(p, err)
		}
		h.refuse(w, p)
		a.status = p.Status
		if c != nil {
			c.log.ScimType, c.log.Detail = p.Type, logged(p.text())
			c.log.Sent, c.log.HolderID = logged(directory.TidyText(c.sent)), c.holder(r.Context(), err)
		}
	} else {
		h.write(w, a)
	}
	if c == nil {
		return
	}
	if c.kept && h.refused.wait(string(c.client.ID), began) > 0 {
		h.skipped.add(c.client.ID)
		h.counts.back(c.client.ID, c.counted)
		return
	}
	if c.kept {
		h.refused.take(string(c.client.ID), began)
		if n := h.skipped.take(c.client.ID); n > 0 {
			c.notes.tell("as many others were refused since, and are not logged: %d", n)
		}
	}
	c.log.Status, c.log.Notes, c.log.Milliseconds = a.status, c.notes.all(), h.Now().Sub(began).Milliseconds()
	if !h.Clients.Log(r.Context(), &c.client, &c.log, c.counted) {
		h.counts.back(c.client.ID, c.counted)
	}
}

// nameSent is the name by which people know whom a body, or the operations of a PATCH, are
// about: of a user the userName, of a group the displayName. "" when it has none.
func (t *resourceType) nameSent(body *object, ops []operation) string {
	name := "userName"
	if t.core.urn == schemaGroup {
		name = "displayName"
	}
	v := body.get(name)
	for _, op := range ops {
		if o, is := op.value.(*object); op.path == "" && is && o.index(name) >= 0 {
			v = o.get(name)
		} else if p, err := t.parsePath(op.path); err == nil && p.whole == nil && p.attr.name == name && op.op != "remove" {
			v = op.value
		}
	}
	if list, is := v.([]any); is && len(list) == 1 {
		v = list[0]
	}
	text, _ := v.(string)
	return text
}

// holder is the ID of the user, or the group, who has what a request was refused as taken,
// where the client sees them.
func (c *call) holder(ctx context.Context, err error) string {
	r, is := errors.AsType[*directory.Refusal](err)
	if !is {
		return ""
	}
	var user people.UserKey
	var group people.GroupKey
	switch r.Code {
	case directory.CodeEmailTaken:
		user.Email = c.tried.user.Edit["email"]
	case directory.CodeUserNameTaken:
		user.UserName = c.tried.user.Edit["userName"]
	case directory.CodeGroupNameTaken:
		group.Name = c.tried.group.Name
	case directory.CodeExternalIDTaken:
		user.ExternalID, group.ExternalID = c.tried.user.ExternalID, c.tried.group.ExternalID
	}
	if user != (people.UserKey{}) {
		if found, err := c.Pushes.Find(ctx, &c.client, user); err == nil && len(found) == 1 {
			return string(found[0].User.ID)
		}
	}
	if group != (people.GroupKey{}) {
		if found, err := c.Pushes.FindGroups(ctx, &c.client, group); err == nil && len(found) == 1 {
			return string(found[0].Group.ID)
		}
	}
	return "" // whom the client does not see, or who was let go of meanwhile
}

// open finds out whose a request is. What nobody is known for leaves no trace but in the
// metrics of whatever runs the handler.
func (h *Handler) open(r *http.Request) (*call, error) {
	id, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	rest, byClaims := strings.CutPrefix("/"+rest, tokenRoot)
	at := byClaims
	if !at {
		rest, at = strings.CutPrefix(rest, root)
	}
	if !strings.HasPrefix(r.URL.Path, Prefix) || !ok || !at || rest != "" && rest[0] != '/' {
		return nil, &Problem{Status: http.StatusNotFound, Detail: "There is nothing at this path: the base address is /scim/{client}/v2."}
	}
	if !directory.UserID(id).Valid() { // nobody can have such an ID
		return nil, h.noAccess(r, id)
	}
	if byClaims {
		return h.byClaims(r, id, rest)
	}
	token, bearers := bearerToken(r.Header.Get("Authorization"))
	access, err := h.Clients.Authenticate(r.Context(), directory.ScimClientID(id), token, bearers == 1)
	if errors.Is(err, provision.ErrNoAccess) {
		return nil, h.noAccess(r, id)
	}
	if err != nil {
		return nil, err
	}
	c, err := h.begin(r, &access, root, rest)
	switch bearers {
	case 0:
		c.notes.tell("the token was sent without the word Bearer")
	case 1:
	default:
		c.notes.tell("the token was sent with the word Bearer more than once")
	}
	return c, err
}

// bearerToken is the token of a header Authorization, and how often the word Bearer stands
// before it: once (RFC 6750, 2.1), but where an admin has entered the word in a field to which
// the identity provider adds it, or has left it out where nobody does.
func bearerToken(header string) (token string, bearers int) {
	words := strings.Fields(header)
	for len(words) > bearers && strings.EqualFold(words[bearers], "Bearer") {
		bearers++
	}
	return strings.Join(words[bearers:], " "), bearers
}

// byClaims is open for a request whose token the gateway has checked. It opens the paths of
// the client that names the token's app as its own.
func (h *Handler) byClaims(r *http.Request, id, rest string) (*call, error) {
	var claim claims.Claims
	if h.Claims != nil {
		claim = h.Claims(r.Context())
	}
	if claim == nil || !onlyScim(claims.ScopesOf(claim)) {
		return nil, h.noAccess(r, id)
	}
	access, err := h.Clients.Admit(r.Context(), directory.ScimClientID(id))
	if errors.Is(err, provision.ErrNoAccess) {
		return nil, h.noAccess(r, id)
	}
	if err != nil {
		return nil, err
	}
	if app := access.Client.OAuthClientID; app == "" || app != claims.ClientOf(claim) {
		return nil, h.noAccess(r, id) // the scope alone would open every client's paths
	}
	return h.begin(r, &access, tokenRoot, rest)
}

// onlyScim reports whether a token feeds the directory as SCIM, and as nothing else: one
// that speaks for two sources speaks for none.
func onlyScim(scopes []string) bool {
	sources := 0
	for _, s := range scopes {
		if strings.HasPrefix(strings.ToLower(s), "bindery/source.") {
			sources++
		}
	}
	return sources == 1 && slices.Contains(scopes, "bindery/source.scim")
}

// begin is a request of a client that is known.
func (h *Handler) begin(r *http.Request, access *provision.Access, root, rest string) (*call, error) {
	client := access.Client
	c := &call{
		Handler: h, client: client, request: r, path: rest, base: h.PublicURL + Prefix + string(client.ID) + root,
		by:    directory.Caller{Subject: string(client.ID), Client: client.Name, Source: directory.SourceSCIM},
		users: newUserType(client.Mapping), groups: newGroupType(), mapping: mappingWith(&client),
		notes: notes{strict: client.Strict},
		log:   directory.ScimRequest{At: h.Now().UTC(), TokenID: access.TokenID, Method: r.Method, Path: shortened(masked(or(rest, "/")))},
	}
	if h.RequestID != nil {
		c.by.RequestID = h.RequestID(r.Context())
	}
	var wait time.Duration
	if c.counted, wait = h.counts.take(client.ID, access.Rate, int64(h.PerSecond)*int64(directory.ScimWindow/time.Second), h.Now()); wait > 0 {
		c.kept = true
		return c, tooMany(wait)
	}
	if client.Paused {
		c.kept = true
		return c, &Problem{Status: http.StatusServiceUnavailable, RetryAfter: 3600, Code: directory.CodePaused, Detail: "An admin has paused this client. Nothing was changed; try again later."}
	}
	body, err := readBody(r)
	c.body = body
	return c, err
}

// noAccess refuses a request without a token of the client. Whoever has one is never kept
// waiting for the sake of others who have not: identity providers share their addresses.
// Wrong ones are counted by address alone: the client that a path names is a stranger's to
// make up.
func (h *Handler) noAccess(r *http.Request, client string) *Problem {
	from := network(r.RemoteAddr)
	if wait := h.wrong.wait(from, h.Now()); wait > 0 {
		return tooMany(wait)
	}
	id, is := directory.ScimClientOf(client)
	if !is || masked(client) != client {
		id = "" // whatever stands in its place, be it the token
	}
	h.Log.WarnContext(r.Context(), "a SCIM request without a valid token", "scimClientId", id)
	h.wrong.take(from, h.Now())
	if id != "" {
		h.Clients.WrongToken(r.Context(), id)
	}
	return &Problem{Status: http.StatusUnauthorized, Detail: "The request has no valid token of this client. Send one in the header Authorization: Bearer <token>."}
}

// network is from where a request comes: an address of IPv4, or of IPv6 the 64 bits that one
// household has.
func network(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

func tooMany(wait time.Duration) *Problem {
	return &Problem{Status: http.StatusTooManyRequests, RetryAfter: int(wait/time.Second) + 1, Detail: "There were too many requests. Nothing was changed; try again later."}
}

func readBody(r *http.Request) ([]byte, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") { // RFC 9110, 15.5.16
		return nil, &Problem{Status: http.StatusUnsupportedMediaType, Detail: "The body is compressed, which is not taken here. Send it as it is, without Content-Encoding."}
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil {
		return nil, badRequest(typeInvalidSyntax, "The body could not be read to its end. Send the request again.")
	}
	if len(data) > MaxBody {
		return nil, &Problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body has more than %d bytes. Send less at once: fewer operations, or fewer members.", MaxBody)}
	}
	return data, nil
}

// serve finds the operation of a path.
func (c *call) serve() (answer, error) {
	path := strings.Trim(c.path, "/")
	kind, id, single := strings.Cut(path, "/")
	query, err := readParameters(c.request.URL.RawQuery)
	if err != nil {
		return answer{}, badRequest(typeInvalidSyntax, "The query cannot be read. Write a percent sign as %%25.")
	}
	types := []*resourceType{c.users, c.groups}
	switch strings.ToLower(kind) {
	case "users":
		return c.resource(c.users, userCall{c}, id, single, query)
	case "groups":
		return c.resource(c.groups, groupCall{c}, id, single, query)
	case "bulk", "me", ".search":
		return answer{}, &Problem{Status: http.StatusNotImplemented, Detail: "/" + kind + " is not offered; see /ServiceProviderConfig."}
	}
	found, ok := discover(c.base, path, types)
	if !ok {
		return answer{}, &Problem{Status: http.StatusNotFound, Detail: "There is nothing at this path. /ResourceTypes lists what there is."}
	}
	if c.request.Method != http.MethodGet {
		return answer{}, notAllowed("GET")
	}
	if query.Has("filter") { // RFC 7644, 4: so that nobody takes the answer for a filtered one
		if c.notes.strict {
			return answer{}, &Problem{Status: http.StatusForbidden, Detail: "What is served cannot be filtered. Ask for all, or for one by its id."}
		}
		c.notes.tell("the filter was ignored: what is served cannot be filtered")
	}
	return answer{status: http.StatusOK, body: found}, nil
}

func notAllowed(methods string) *Problem {
	return &Problem{Status: http.StatusMethodNotAllowed, Allow: methods, Detail: "This path takes " + methods + ". Send one of these."}
}

// resources are users, or groups.
type resources interface {
	list(ctx context.Context, q *question) (page, error)
	create(ctx context.Context, body *object) (resource, error)
	read(ctx context.Context, id string) (resource, error)
	replace(ctx context.Context, id string, body *object, fits fits) (resource, error)
	patch(ctx context.Context, id string, ops []operation, fits fits) (resource, error)
	remove(ctx context.Context, id string, fits fits) error
	// shown is the resource as it is answered, with what a projection asks for besides.
	shown(ctx context.Context, r resource, p *projection) (*object, error)
}

// resource is a user or a group as it was read or left.
type resource interface {
	id() string
	tag() string
}

// fits refuses an edit of another version than the client has seen (If-Match).
type fits func(tag string) error

// resource serves a path of a kind of resources: the list, a search or one of them.
func (c *call) resource(t *resourceType, of resources, id string, single bool, query url.Values) (answer, error) {
	ctx, method := c.request.Context(), c.request.Method
	if strings.EqualFold(id, ".search") {
		if method != http.MethodPost {
			return answer{}, notAllowed("POST")
		}
		body, err := c.object()
		if err == nil {
			query, err = readSearch(body, &c.notes)
		}
		if err != nil {
			return answer{}, err
		}
		return c.list(t, of, query)
	}
	if !single {
		switch method {
		case http.MethodGet:
			return c.list(t, of, query)
		case http.MethodPost:
			body, err := c.object()
			if err != nil {
				return answer{}, err
			}
			c.sent = t.nameSent(body, nil)
			r, err := of.create(ctx, body)
			return c.show(t, of, query, http.StatusCreated, r, err)
		}
		return answer{}, notAllowed("GET, POST")
	}
	switch method {
	case http.MethodGet:
		r, err := of.read(ctx, id)
		if err == nil && c.request.Header.Get("If-None-Match") != "" && oneOf(c.request.Header.Get("If-None-Match"), r.tag()) {
			return answer{status: http.StatusNotModified, etag: r.tag()}, nil
		}
		return c.show(t, of, query, http.StatusOK, r, err)
	case http.MethodPut:
		body, err := c.object()
		if err != nil {
			return answer{}, err
		}
		c.sent = t.nameSent(body, nil)
		r, err := of.replace(ctx, id, body, c.ifMatch)
		return c.show(t, of, query, http.StatusOK, r, err)
	case http.MethodPatch:
		body, err := c.object()
		if err != nil {
			return answer{}, err
		}
		ops, err := readOperations(body, &c.notes)
		if err != nil {
			return answer{}, err
		}
		if ops, err = t.ofItself(withoutID(ops, id), &c.notes); err != nil {
			return answer{}, err
		}
		r, err := of.patch(ctx, id, ops, c.ifMatch)
		if g, is := r.(*pushedGroup); err == nil && is && g.Group.Members > maxAnswered && !query.Has("attributes") && !query.Has("excludedAttributes") {
			return answer{status: http.StatusNoContent, etag: r.tag()}, nil
		}
		return c.show(t, of, query, http.StatusOK, r, err)
	case http.MethodDelete:
		return answer{status: http.StatusNoContent}, of.remove(ctx, id, c.ifMatch)
	}
	return answer{}, notAllowed("GET, PUT, PATCH, DELETE")
}

// show answers with a resource.
func (c *call) show(t *resourceType, of resources, query url.Values, status int, r resource, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	p, err := t.project(query["attributes"], query["excludedAttributes"], &c.notes)
	if err != nil {
		return answer{}, err
	}
	o, err := of.shown(c.request.Context(), r, &p)
	if err != nil {
		return answer{}, err
	}
	return answer{status, p.of(t, o), r.tag(), c.base + t.endpoint + "/" + o.text("id")}, nil
}

// list answers with what a question finds.
func (c *call) list(t *resourceType, of resources, query url.Values) (answer, error) {
	q, err := t.readQuery(query, &c.notes)
	if err != nil {
		return answer{}, err
	}
	c.log.Filter = q.names
	p, err := of.list(c.request.Context(), q)
	if err != nil {
		return answer{}, err
	}
	size := 0
	for i, r := range p.resources {
		r = q.projection.of(t, r)
		if size += weight(r); i > 0 && size > maxAnswer {
			p.resources = p.resources[:i]
			break
		}
		p.resources[i] = r
	}
	if n := len(p.resources); 0 < n && n < p.found {
		if err := c.endEarly(q, &p); err != nil {
			return answer{}, err
		}
	}
	return answer{status: http.StatusOK, body: q.body(p)}, nil
}

// endEarly ends a page behind the resources that it has, fewer than were found, as it may
// (RFC 7644, 3.4.2.4): the client reads on behind them.
func (c *call) endEarly(q *question, p *page) error {
	last := p.resources[len(p.resources)-1].text("id")
	switch {
	case q.byCursor:
		var err error
		p.next, err = c.seal(p.of, q, people.CursorBehind(last), len(p.resources), p.total)
		return err
	case p.keyed:
		return nil
	}
	return c.mark(c.request.Context(), q, p, len(p.resources), people.CursorBehind(last))
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// object is the request's body as an object.
func (c *call) object() (*object, error) {
	o, err := readObject(bytes.TrimPrefix(c.body, byteOrderMark)) // RFC 8259, 8.1
	if err != nil {
		return nil, noObject(err)
	}
	return o, nil
}

// noObject is why a body was not read.
func noObject(err error) *Problem {
	switch {
	case errors.Is(err, errManyMembers):
		return badRequest(typeTooMany, "An object of the body has more than %d members. Send fewer attributes at once.", maxMembers)
	case errors.Is(err, errManyValues):
		return badRequest(typeTooMany, "The body has more than %d values. Send fewer at once.", maxBodyValues)
	}
	return badRequest(typeInvalidSyntax, "The body is no JSON object: %v. Send one.", err)
}

// ifMatch refuses an edit of another version than the client names, or of one that it says
// must not be there (RFC 9110, 13.1.2).
func (c *call) ifMatch(tag string) error {
	if none := c.request.Header.Get("If-None-Match"); none != "" && oneOf(none, tag) {
		return &Problem{Status: http.StatusPreconditionFailed, Detail: "The header If-None-Match asks for the request to be done only where this version is not there, and it is. Nothing was changed: leave the header out."}
	}
	if match := c.request.Header.Get("If-Match"); match != "" && !oneOf(match, tag) {
		return changedSince()
	}
	return nil
}

func changedSince() *Problem {
	return &Problem{Status: http.StatusPreconditionFailed, Detail: "What the request is about has changed since it was read. Read it again and repeat the request."}
}

// oneOf compares versions as weak ones: a list of them, or *.
func oneOf(list, tag string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool {
		s = strings.TrimSpace(s)
		return s == "*" || strings.TrimPrefix(s, "W/") == strings.TrimPrefix(tag, "W/")
	})
}

func tagOf(versions ...int64) string {
	var b strings.Builder
	for i, v := range versions {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.FormatInt(v, 10))
	}
	return `W/"` + b.String() + `"`
}

const contentType = "application/scim+json; charset=utf-8"

func (h *Handler) write(w http.ResponseWriter, a answer) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if a.etag != "" {
		header.Set("ETag", a.etag)
	}
	if a.location != "" {
		header.Set("Location", a.location)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	var b bytes.Buffer
	if err := writeValue(&b, a.body); err != nil {
		h.Log.Error("an answer could not be written", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	header.Set("Content-Type", contentType)
	w.WriteHeader(a.status)
	_, _ = w.Write(b.Bytes()) // the client is gone
}

func (h *Handler) refuse(w http.ResponseWriter, p *Problem) {
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="bindery"`)
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Allow != "" {
		w.Header().Set("Allow", p.Allow)
	}
	h.write(w, answer{status: p.Status, body: p.body()})
}

// problem is an error as a client is told it. What nobody foresaw is told by the ID of an
// incident, under which the log has the rest.
func (h *Handler) problem(ctx context.Context, err error) *Problem {
	if p, is := errors.AsType[*Problem](err); is {
		return p
	}
	switch {
	case errors.Is(err, directory.ErrBusy), errors.Is(err, directory.ErrStale):
		h.Log.WarnContext(ctx, "a SCIM request was busy", "error", masked(err.Error()))
		return &Problem{Status: http.StatusServiceUnavailable, RetryAfter: 5, Detail: "Others edit the same at this moment. Nothing was changed; try again.", Cause: err}
	case errors.Is(err, directory.ErrTooLarge):
		return &Problem{Status: http.StatusBadRequest, Type: typeInvalidValue, Detail: "The values are too large together. Send fewer attributes, or shorter ones.", Cause: err}
	}
	r, is := errors.AsType[*directory.Refusal](err)
	if !is {
		incident := directory.NewIncident()
		h.Log.ErrorContext(ctx, "a SCIM request failed", "incident", incident, "error", masked(err.Error()))
		return &Problem{Status: http.StatusInternalServerError, Detail: "The request could not be answered, through no fault of its own. The log of Bindery says why, under " + incident + ".", Cause: err}
	}
	p := &Problem{Status: http.StatusBadRequest, Type: typeInvalidValue, Cause: err}
	switch {
	case r.Code == directory.CodeInvalidCursor: // a place that a client has made up
		return &Problem{Status: p.Status, Type: typeInvalidCursor, Detail: foreignCursor, Cause: err}
	case errors.Is(err, directory.ErrNotFound):
		p.Status, p.Type = http.StatusNotFound, ""
	case errors.Is(err, directory.ErrForbidden), r.Code == directory.CodeOwnedElsewhere: // which is no name taken: to look it up mends nothing
		p.Status, p.Type = http.StatusForbidden, ""
	case errors.Is(err, directory.ErrConflict):
		p.Status, p.Type = http.StatusConflict, typeUniqueness
	}
	text := r.Detail
	for _, f := range r.Fields {
		text += fmt.Sprintf(" %s %s.", scimName(f.Field), f.Detail)
		if f.Field == "email" {
			text += " Send emails, or a userName that is an address."
		}
	}
	if r.Next != "" && len(r.Fields) == 0 {
		text += " " + r.Next
	}
	p.Detail, p.Code = text, r.Code
	return p
}

// outside says to a client that sees only what it has pushed what it can do where a value is
// somebody else's: it cannot look them up.
func (c *call) outside(p *Problem, err error) {
	r, is := errors.AsType[*directory.Refusal](err)
	if is && c.client.OwnOnly && slices.Contains([]string{directory.CodeEmailTaken, directory.CodeUserNameTaken, directory.CodeGroupNameTaken}, r.Code) {
		p.Detail = r.Detail + " It may be outside of what this source sees: an admin of Bindery must look it up there, and let the source see it or change the value."
	}
}

// scimName is how a client calls an attribute of a user.
func scimName(path string) string {
	for i := range userMapping {
		if m := &userMapping[i]; m.path == path {
			s := m.from[0]
			if s.sub != "" {
				return s.attr + "." + s.sub
			}
			return s.attr
		}
	}
	switch path {
	case "state":
		return "active"
	case "name":
		return "displayName"
	}
	return path
}

// cursorText is a place in a listing as a client of cursors holds it.
type cursorText struct {
	Place    string `json:"p"`
	Question string `json:"q"`
	Until    int64  `json:"u"`
	// Behind is how many were answered before, and Total how many there are, of a filter.
	Behind int `json:"b,omitempty"`
	Total  int `json:"t,omitempty"`
}

// reading reads on in a listing from a place, up to a limit.
type reading func(cursor string, limit int) (list []resource, next string, err error)

// walk pages through a listing: by the client's cursor, or by numbers, for which it is
// remembered where they are. total says how many there are without a filter.
func (c *call) walk(ctx context.Context, kind string, q *question, some reading, total func() (int, error)) ([]resource, page, error) {
	p := page{of: kind}
	all := 0
	if q.filter == nil || !q.byCursor && q.start > 1 {
		var err error
		if all, err = total(); err != nil {
			return nil, p, err
		}
	}
	if q.filter == nil {
		if p.total = all; q.count == 0 {
			return nil, p, nil
		}
	}
	cursor := ""
	if q.count > 0 { // else nothing is asked for but how many there are
		var err error
		if cursor, err = c.placeOf(ctx, kind, q, all, some); err != nil {
			return nil, p, err
		}
	}
	if q.filter != nil && (!q.byCursor || cursor == "") {
		return c.filtered(ctx, kind, q, cursor, some)
	}
	var list []resource
	for range maxParts {
		var part []resource
		var err error
		part, cursor, err = some(cursor, q.count-len(list))
		if err != nil {
			return nil, p, err
		}
		if list = append(list, part...); cursor == "" || len(list) >= q.count || q.byCursor {
			break
		}
	}
	if q.filter != nil { // a further page by cursor
		if p.total = q.behind + len(list); cursor != "" {
			p.total = max(p.total+1, q.known)
		}
	}
	return list, p, c.goOn(ctx, q, &p, len(list), cursor)
}

// filtered is a page of those for whom a filter holds, with how many there are: behind the
// page the others are counted, as far as one request may look. Where that is not to the end
// the total is one more than was found, whatever number was asked for.
func (c *call) filtered(ctx context.Context, kind string, q *question, cursor string, some reading) ([]resource, page, error) {
	p := page{of: kind}
	var list []resource
	q.looked = 0
	found, end := 0, false
	for range maxLooks {
		part, next, err := some(cursor, lookedAtOnce)
		if err != nil {
			return nil, p, err
		}
		found += len(part)
		list = append(list, part[:min(len(part), q.count-len(list))]...)
		if cursor, end = next, next == ""; end || q.looked >= maxLooked {
			break
		}
	}
	if p.total = q.behind + found; !end {
		p.total++
	}
	switch {
	case q.count == 0 && (end || found > 0), end && found == len(list):
		return list, p, nil
	case found < max(1, q.count) && !q.byCursor:
		return nil, p, tooFar()
	case found > len(list), len(list) == q.count && len(list) > 0:
		cursor = people.CursorBehind(list[len(list)-1].id())
	}
	return list, p, c.goOn(ctx, q, &p, len(list), cursor)
}

// goOn remembers, or tells, where a page of so many goes on; nowhere by "".
func (c *call) goOn(ctx context.Context, q *question, p *page, n int, cursor string) (err error) {
	switch {
	case cursor == "":
		return nil
	case q.byCursor:
		p.next, err = c.seal(p.of, q, cursor, n, p.total)
		return err
	}
	return c.mark(ctx, q, p, n, cursor)
}

// mark remembers where a page of so many goes on.
func (c *call) mark(ctx context.Context, q *question, p *page, n int, cursor string) error {
	return c.Clients.Mark(ctx, c.client.ID, p.of+q.key, directory.ScimMark{Index: q.start + n, Cursor: cursor, Total: p.total}, cursorLife)
}

func tooFar() *Problem {
	return badRequest(typeTooMany, "The filter would have to look at more than one request may. Ask by userName, externalId, id or emails[type eq \"work\"].value with eq, or page by cursor.")
}

const (
	// maxParts is how many reads make one page of a listing without a filter.
	maxParts = 10
	// maxSkipped is how many are skipped on the way to a startIndex that nobody has come
	// to by pages.
	maxSkipped = 20_000
	// maxRecounted is up to which startIndex a page is looked for from the start though
	// another one has led to it, where others have come or gone since.
	maxRecounted = 1000
	// A request with a filter looks at maxLooked users, or groups, on the way to its page, and
	// at as many from there on; lookedAtOnce is how many are read at once, and maxLooks how
	// often.
	maxLooked    = 4000
	lookedAtOnce = 200
	maxLooks     = 25
)

// placeOf is where a question's page begins; how many of what it finds are before it is in
// the question: where it begins behind them all, that is all. total is how many there are
// without a filter.
//
// A page that another one has led to goes on behind that one, or before it: by its number
// alone whoever pages would miss somebody when one before them has gone. Where somebody has
// come it begins by its number, which is before that place, so that a page asked for by itself
// is that of the list as it is now (RFC 7644, 3.4.2.4).
func (c *call) placeOf(ctx context.Context, kind string, q *question, total int, some reading) (string, error) {
	if q.byCursor {
		return q.place, nil
	}
	if q.start == 1 {
		return "", nil
	}
	m, err := c.Clients.MarkBelow(ctx, c.client.ID, kind+q.key, q.start)
	if err != nil {
		return "", err
	}
	led := m.Index == q.start
	switch {
	case q.filter == nil && q.start > total && !led:
		return beyond, nil
	case q.start <= total && c.recounts(q, &m, total):
		place, err := c.skip(ctx, q, directory.ScimMark{}, some)
		if _, far := errors.AsType[*Problem](err); far && m.Index > 0 {
			break
		}
		if err == nil && led && (place == beyond || people.CompareCursors(m.Cursor, place) < 0) {
			place, q.behind = m.Cursor, q.start-1
		}
		return place, err
	case q.filter == nil && q.start-m.Index > maxSkipped:
		return "", badRequest(typeTooMany, "No page of this listing was asked for that ends before %d. Page from the start, or by cursor.", q.start)
	}
	q.looked = 0
	return c.skip(ctx, q, m, some)
}

// recounts reports whether the place of a page is found by its number from the start, and not
// by the mark of another page. A mark says where that number was then: somebody may have come
// since. Of few that is found out by counting them; of up to maxRecounted, where there are not
// as many as then. Whom a filter finds also changes with who is there already.
func (c *call) recounts(q *question, m *directory.ScimMark, total int) bool {
	if q.filter != nil {
		return total <= maxRecounted
	}
	return q.start <= defaultCount || q.start <= maxRecounted && m.Total != total
}

// skip is the place of a question's page by its number, counted from a mark on; the zero one
// is the start.
func (c *call) skip(ctx context.Context, q *question, from directory.ScimMark, some reading) (string, error) {
	at, cursor := max(1, from.Index), from.Cursor
	for n := 0; at < q.start; n++ {
		if q.filter != nil && (n == maxLooks || q.looked >= maxLooked) {
			return "", tooFar()
		}
		list, next, err := some(cursor, min(maxCount, q.start-at))
		if err != nil {
			return "", err
		}
		if at, cursor = at+len(list), next; next == "" {
			cursor = beyond
			break
		}
	}
	q.behind = at - 1
	return cursor, nil
}

const foreignCursor = "The cursor was not given out for this listing. Start it without one."

// beyond is the place behind all others.
const beyond = "end"

// seal makes a place in a listing, behind a page of so many, a cursor.
func (c *call) seal(kind string, q *question, cursor string, n, total int) (string, error) {
	t := cursorText{Place: cursor, Question: kind + q.key, Until: c.Now().Add(cursorLife).Unix()}
	if q.filter != nil {
		t.Behind, t.Total = q.behind+n, total
	}
	data, err := json.Marshal(t)
	return encoded(data), err
}

// openCursor reads the cursor of a question into it: one that was given out for the same
// question, as a listing of the kind or by keys. A listing that is walked through is gone on
// with as such, though keys may answer the question by now.
func (c *call) openCursor(kind string, q *question) error {
	if q.cursor == "" {
		return nil
	}
	var t cursorText
	data, err := decoded(q.cursor)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	switch t.Question {
	case kind + q.key:
		q.leads = kind
	case byKeys(kind) + q.key:
		q.leads = byKeys(kind)
	}
	switch {
	case err != nil || q.leads == "" || cmp.Or(t.Place, beyond) == beyond:
		return badRequest(typeInvalidCursor, foreignCursor)
	case c.Now().Unix() > t.Until:
		return badRequest(typeExpiredCursor, "The cursor is too old. Start the listing without one.")
	}
	q.place, q.behind, q.known = t.Place, max(0, t.Behind), max(0, t.Total)
	return nil
}
