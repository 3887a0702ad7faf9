package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Config is what Clients stand on.
type Config struct {
	Records records
	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means silence
}

// records keeps clients; *store.ScimClients does.
type records interface {
	SaveScimClient(ctx context.Context, act directory.AuditEvent, c *directory.ScimClient) error
	ScimClient(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error)
	DeletedScimClient(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error)
	ListScimClients(ctx context.Context, after directory.ScimClientID, limit int) ([]directory.ScimClient, directory.ScimClientID, error)
	DeleteScimClient(ctx context.Context, act directory.AuditEvent, c *directory.ScimClient) error
	AddScimToken(ctx context.Context, act directory.AuditEvent, t *directory.ScimToken) error
	RevokeScimToken(ctx context.Context, act directory.AuditEvent, c directory.ScimClientID, id directory.ScimTokenID) (directory.ScimToken, error)
	ScimTokens(ctx context.Context, c directory.ScimClientID) ([]directory.ScimToken, error)
	ScimAccess(ctx context.Context, c directory.ScimClientID, t directory.ScimTokenID) (*directory.ScimClient, *directory.ScimToken, directory.ScimRate, error)
	TouchScimClient(ctx context.Context, c *directory.ScimClient) error
	TouchScimToken(ctx context.Context, t *directory.ScimToken) error
	NoteWrongToken(ctx context.Context, c directory.ScimClientID) error
	TallyScimRequest(ctx context.Context, c directory.ScimClientID, r *directory.ScimRequest) error
	LogScimRequest(ctx context.Context, c directory.ScimClientID, r *directory.ScimRequest, counted directory.ScimCount) error
	FindScimRequests(ctx context.Context, c directory.ScimClientID, keep func(*directory.ScimRequest) bool, cursor string, limit int) ([]directory.ScimRequest, string, error)
	ScimClientsOf(ctx context.Context, of directory.MemberRef) ([]directory.ScimClient, error)
	SaveScimMark(ctx context.Context, c directory.ScimClientID, question string, m directory.ScimMark, life time.Duration) error
	ScimMark(ctx context.Context, c directory.ScimClientID, question string, index int) (directory.ScimMark, error)
}

var _ records = (*store.ScimClients)(nil)

// Clients keeps the clients that push by SCIM. It may be used by many goroutines.
type Clients struct {
	records records
	now     func() time.Time
	log     *slog.Logger
	wrong   wrongTokens
}

// New returns Clients.
func New(cfg Config) *Clients {
	c := &Clients{records: cfg.Records, now: cfg.Now, log: cfg.Log}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// ClientEdit is what an admin says of a client; nil members stay as they are.
type ClientEdit struct {
	Name                   *string                  `json:"name,omitempty" maxLength:"100" doc:"What admins call it"`
	Provider               *directory.ScimProvider  `json:"provider,omitempty" maxLength:"20" doc:"Which identity provider it is: okta, entra, onelogin, jumpcloud, rippling, authentik or ping; empty for any other. The console shows how to set it up there."`
	Strict                 *bool                    `json:"strict,omitempty" doc:"Refuse what the RFCs of SCIM refuse, instead of taking it for what it means"`
	Paused                 *bool                    `json:"paused,omitempty" doc:"Answer every request with 503, so that nothing is changed until the client may go on"`
	OwnOnly                *bool                    `json:"ownOnly,omitempty" doc:"Show the client the users and groups that it has pushed, and no others"`
	CountryAsUsageLocation *bool                    `json:"countryAsUsageLocation,omitempty" doc:"Take the country of the work address as usage location where none is sent, if it is a code of two letters"`
	Mapping                *[]directory.ScimMapping `json:"mapping,omitempty" doc:"Attributes of the client's own schemas that feed custom attributes"`
	// OAuthClientID is directory.ScimClient's.
	OAuthClientID *string `json:"oauthClientId,omitempty" maxLength:"200" doc:"The app (client_id) of the API's issuer whose tokens with the scope bindery/source.scim push as this client, to /scim/{client}/oauth/v2; empty for none"`
	// SilentDays is directory.ScimClient's; a new client has those of its provider.
	SilentDays *int `json:"silentDays,omitempty" doc:"After how many days without a request, 0 to 90, the client is told to be silent; 0 for one that sends only when somebody joins, changes or leaves. Of a new one 7 for entra, jumpcloud, authentik and ping, 0 for all others"`
}

func (e *ClientEdit) apply(c *directory.ScimClient) error {
	if e.Name != nil {
		c.Name = directory.TidyText(*e.Name)
	}
	set(&c.Provider, e.Provider)
	set(&c.Strict, e.Strict)
	set(&c.Paused, e.Paused)
	set(&c.OwnOnly, e.OwnOnly)
	set(&c.OAuthClientID, e.OAuthClientID)
	set(&c.SilentDays, e.SilentDays)
	set(&c.CountryAsUsageLocation, e.CountryAsUsageLocation)
	if e.Mapping != nil {
		c.Mapping = slices.Clone(*e.Mapping)
	}
	return check(c)
}

func set[T any](to, v *T) {
	if v != nil {
		*to = *v
	}
}

const (
	maxSilentDays = 90

	maxMapping = 100
	// customPrefix begins the paths that a mapping may feed: all others are mapped
	// already.
	customPrefix = "customAttributes."
	// ownSchema is what a client's own schemas begin with.
	ownSchema = "urn:"
)

// silentDaysOf is after how many days a new client of an identity provider is told to be
// silent. Entra ID and authentik come by the clock; Okta, OneLogin and Rippling send only
// when something changes, which in a small house takes weeks, and so may any other one.
func silentDaysOf(p directory.ScimProvider) int {
	switch p {
	case directory.ProviderEntra, directory.ProviderAuthentik, directory.ProviderJumpCloud, directory.ProviderPing:
		return 7
	}
	return 0
}

func check(c *directory.ScimClient) error {
	var faults []directory.FieldError
	bad := func(field, detail string) {
		faults = append(faults, directory.FieldError{Field: field, Detail: detail})
	}
	if n := utf8.RuneCountInString(c.Name); n == 0 || n > 100 {
		bad("name", "must have 1 to 100 characters")
	}
	if strings.ContainsFunc(c.Name, unicode.IsControl) {
		bad("name", "holds a control character")
	}
	if c.OAuthClientID != "" && (!word(c.OAuthClientID, "._:/-@+|") || len(c.OAuthClientID) > 200) {
		bad("oauthClientId", "must be the ID of an app as its tokens name it: letters, digits and some of ._:/-@+|, at most 200")
	}
	if c.SilentDays < 0 || c.SilentDays > maxSilentDays {
		bad("silentDays", fmt.Sprintf("must be 0 to %d", maxSilentDays))
	}
	if c.Provider != "" && !slices.Contains(directory.ScimProviders, c.Provider) {
		bad("provider", fmt.Sprintf("must be empty or one of %v", directory.ScimProviders))
	}
	if len(c.Mapping) > maxMapping {
		bad("mapping", fmt.Sprintf("has %d entries; at most %d are allowed", len(c.Mapping), maxMapping))
	}
	for i, m := range c.Mapping {
		field := fmt.Sprintf("mapping[%d]", i)
		switch {
		case !word(m.Schema, ":._-") || !strings.HasPrefix(m.Schema, ownSchema) || len(m.Schema) > 200:
			bad(field+".schema", "must be a URN such as urn:ietf:params:scim:schemas:extension:acme:2.0:User")
		case strings.Contains(strings.ToLower(m.Schema), ":schemas:core:"):
			bad(field+".schema", "must be an extension: the core attributes are mapped already")
		case !word(m.Attribute, "_-") || len(m.Attribute) > 64:
			bad(field+".attribute", "must be letters and digits")
		case !strings.HasPrefix(m.Path, customPrefix) || !word(strings.TrimPrefix(m.Path, customPrefix), "._-") || len(m.Path) > 64+len(customPrefix):
			bad(field+".path", "must be a custom attribute such as customAttributes.badge")
		}
	}
	if faults == nil {
		return nil
	}
	return refuse(faults...)
}

func refuse(faults ...directory.FieldError) error {
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidScimClient, "The SCIM client was not accepted and nothing was changed.", "Correct the members named in errors.")
	r.Fields = faults
	return r
}

// word reports whether a text is letters of ASCII, digits and some others.
func word(s, others string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(others, r))
	})
}

// MaxClients is how many clients there may be: what each has pushed of a user is written
// when that one is deleted, in one transaction.
const MaxClients = 20

// Create makes a client. It has no token yet.
func (s *Clients) Create(ctx context.Context, by directory.Caller, e ClientEdit) (directory.ScimClient, error) {
	now := s.now().UTC()
	c := directory.ScimClient{ID: directory.NewScimClientID(now), Created: now}
	if e.Provider != nil {
		c.SilentDays = silentDaysOf(*e.Provider)
	}
	err := e.apply(&c)
	if err == nil {
		err = s.alone(ctx, &c)
	}
	if err != nil {
		return directory.ScimClient{}, err
	}
	list, _, err := s.records.ListScimClients(ctx, "", MaxClients)
	if err != nil {
		return directory.ScimClient{}, err
	}
	if len(list) >= MaxClients {
		return directory.ScimClient{}, directory.Refuse(directory.ErrConflict, directory.CodeInvalidScimClient, fmt.Sprintf("There are %d SCIM clients, and no more are possible.", MaxClients), "Delete one that is no longer used.")
	}
	return c, appTaken(s.records.SaveScimClient(ctx, by.AuditEvent(directory.AuditCreateScimClient), &c))
}

// mostNames is how many clients are looked at for one of the same name.
const mostNames = 500

// alone refuses a client whose name another one has: a held run, the activity and whoever
// types the name to take back or delete have nothing else to tell them apart by. Two that
// are made at the same moment are not seen; then they have their IDs.
func (s *Clients) alone(ctx context.Context, c *directory.ScimClient) error {
	list, _, err := s.records.ListScimClients(ctx, "", mostNames)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].ID != c.ID && strings.EqualFold(list[i].Name, c.Name) {
			return refuse(directory.FieldError{Field: "name", Detail: "is that of another SCIM client; choose one that tells them apart, as " + strconv.Quote(c.Name+" 2")})
		}
	}
	return nil
}

// maxTries bounds how often an edit is made again because others were faster.
const maxTries = 20

// Edit edits a client. version, when not 0, is the one that the caller saw.
func (s *Clients) Edit(ctx context.Context, by directory.Caller, id directory.ScimClientID, e ClientEdit, version int64) (directory.ScimClient, error) {
	for try := 0; ; try++ {
		c, err := s.Get(ctx, id)
		if err != nil {
			return c, err
		}
		if version != 0 && version != c.Version {
			return c, moved(c.Version, version)
		}
		was := c.Name
		if err := e.apply(&c); err != nil {
			return c, err
		}
		if c.Name != was {
			if err := s.alone(ctx, &c); err != nil {
				return c, err
			}
		}
		err = s.records.SaveScimClient(ctx, by.AuditEvent(directory.AuditEditScimClient), &c)
		if !errors.Is(err, directory.ErrStale) || try == maxTries {
			return c, appTaken(err)
		}
	}
}

// Pause pauses a client: it may change nothing until an admin lets it go on.
func (s *Clients) Pause(ctx context.Context, by directory.Caller, id directory.ScimClientID) (directory.ScimClient, error) {
	paused := true
	return s.Edit(ctx, by, id, ClientEdit{Paused: &paused}, 0)
}

func moved(is, seen int64) error {
	return directory.Refuse(directory.ErrStale, directory.CodeVersionMismatch, fmt.Sprintf("The SCIM client has version %d, not %d.", is, seen), "Read it again and repeat the edit.")
}

// Get reads a client.
func (s *Clients) Get(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error) {
	c, err := s.records.ScimClient(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		err = noClient(id)
	}
	return c, err
}

// Deleted reads a client that was deleted, as it was then.
func (s *Clients) Deleted(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error) {
	c, err := s.records.DeletedScimClient(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		err = noClient(id)
	}
	return c, err
}

// appTaken turns the store's answer about an app in use into one for people.
func appTaken(err error) error {
	t, is := errors.AsType[*store.ScimAppTaken](err)
	if !is {
		return err
	}
	r := directory.Refuse(directory.ErrConflict, directory.CodeInvalidScimClient, "The SCIM client was not accepted and nothing was changed.", "Name another app, or take it from that client first.")
	r.Fields = []directory.FieldError{{Field: "oauthClientId", Detail: fmt.Sprintf("is the app of the client %s: its tokens would open both", t.Owner)}}
	return r
}

func noClient(id directory.ScimClientID) error {
	return directory.Refuse(directory.ErrNotFound, directory.CodeScimClientNotFound, fmt.Sprintf("There is no SCIM client %q.", id), "")
}

// List lists the clients, oldest first.
func (s *Clients) List(ctx context.Context, after string, limit int) ([]directory.ScimClient, string, error) {
	list, next, err := s.records.ListScimClients(ctx, directory.ScimClientID(after), limit)
	return list, string(next), err
}

// Delete deletes a client and ends its tokens. What it has pushed stays in the directory.
func (s *Clients) Delete(ctx context.Context, by directory.Caller, id directory.ScimClientID, version int64) error {
	for try := 0; ; try++ {
		c, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		if version != 0 && version != c.Version {
			return moved(c.Version, version)
		}
		err = s.records.DeleteScimClient(ctx, by.AuditEvent(directory.AuditDeleteScimClient), &c)
		if !errors.Is(err, directory.ErrStale) || try == maxTries {
			return err
		}
	}
}

const (
	// MaxTokens is how many tokens of a client may be alive.
	MaxTokens = 5
	// DefaultTokenDays is how long a token lives unless its maker says otherwise.
	DefaultTokenDays = 365
	maxTokenDays     = 730
)

// NewToken makes a token of a client, which is alive for some days; 0 means
// DefaultTokenDays. The token itself is nowhere but in the answer.
func (s *Clients) NewToken(ctx context.Context, by directory.Caller, id directory.ScimClientID, days int) (directory.ScimToken, directory.Secret, error) {
	if days == 0 {
		days = DefaultTokenDays
	}
	if days < 1 || days > maxTokenDays {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidScimClient, "The token was not made.", "Correct the members named in errors.")
		r.Fields = []directory.FieldError{{Field: "days", Detail: fmt.Sprintf("must be 1 to %d", maxTokenDays)}}
		return directory.ScimToken{}, directory.Secret{}, r
	}
	tokens, err := s.Tokens(ctx, id)
	if err != nil {
		return directory.ScimToken{}, directory.Secret{}, err
	}
	now := s.now().UTC()
	alive := slices.DeleteFunc(tokens, func(t directory.ScimToken) bool { return !t.Alive(now) })
	if len(alive) >= MaxTokens {
		return directory.ScimToken{}, directory.Secret{}, directory.Refuse(directory.ErrConflict, directory.CodeTooManyScimTokens,
			fmt.Sprintf("The client has %d tokens that are alive.", len(alive)), "Revoke one that is no longer used.")
	}
	t := directory.ScimToken{ID: directory.NewScimTokenID(now), ClientID: id, Created: now, Expires: now.AddDate(0, 0, days)}
	secret, hash := newToken(t.ID)
	t.Hash = hash
	err = s.records.AddScimToken(ctx, by.AuditEvent(directory.AuditCreateScimToken), &t)
	if errors.Is(err, directory.ErrNotFound) {
		err = noClient(id)
	}
	if err != nil {
		return directory.ScimToken{}, directory.Secret{}, err
	}
	return t, secret, nil
}

// Tokens are those of a client, also those that have ended, oldest first.
func (s *Clients) Tokens(ctx context.Context, id directory.ScimClientID) ([]directory.ScimToken, error) {
	if _, err := s.Get(ctx, id); err != nil {
		return nil, err
	}
	list, err := s.records.ScimTokens(ctx, id)
	for i := range list { // to the hour, which may have begun before there was the token
		if t := &list[i]; !t.LastUsed.IsZero() && t.LastUsed.Before(t.Created) {
			t.LastUsed = t.Created
		}
	}
	return list, err
}

// RevokeToken ends a token at once.
func (s *Clients) RevokeToken(ctx context.Context, by directory.Caller, c directory.ScimClientID, id directory.ScimTokenID) (directory.ScimToken, error) {
	t, err := s.records.RevokeScimToken(ctx, by.AuditEvent(directory.AuditRevokeScimToken), c, id)
	if errors.Is(err, directory.ErrNotFound) {
		err = directory.Refuse(directory.ErrNotFound, directory.CodeScimTokenNotFound, fmt.Sprintf("The client has no token %q.", id), "")
	}
	return t, err
}

// Which requests of a client are listed, besides all.
const (
	OnlyRefused = "refused" // answered with an error
	OnlyNoted   = "noted"   // bent to what they mean, or not taken as a whole
	OnlyChanged = "changed" // changed or deleted a user or a group
)

// Requests lists the requests of a client, the newest first: all, or with only those of
// one sort. Of a sort that is rare a page may be empty, and yet have a next.
func (s *Clients) Requests(ctx context.Context, id directory.ScimClientID, only, cursor string, limit int) ([]directory.ScimRequest, string, error) {
	if _, err := s.Get(ctx, id); err != nil {
		return nil, "", err
	}
	var keep func(r *directory.ScimRequest) bool
	switch only {
	case OnlyRefused:
		keep = (*directory.ScimRequest).Refused
	case OnlyNoted:
		keep = func(r *directory.ScimRequest) bool { return len(r.Notes) > 0 }
	case OnlyChanged:
		keep = (*directory.ScimRequest).Changes
	}
	return s.records.FindScimRequests(ctx, id, keep, cursor, limit)
}

// Standing is how it stands with a client that is there.
type Standing struct {
	// LastRequest is the newest of the last days; nil when there was none.
	LastRequest *directory.ScimRequest
	// Alive is how many tokens open something, Expires when the last of them ends.
	Alive   int
	Expires time.Time
}

// Standing says how it stands with a client.
func (s *Clients) Standing(ctx context.Context, id directory.ScimClientID) (Standing, error) {
	var now Standing
	requests, _, err := s.records.FindScimRequests(ctx, id, nil, "", 1)
	if err != nil {
		return now, err
	}
	if len(requests) > 0 {
		now.LastRequest = &requests[0]
	}
	tokens, err := s.records.ScimTokens(ctx, id)
	for i := range tokens {
		if t := &tokens[i]; t.Alive(s.now()) {
			now.Alive++
			if t.Expires.After(now.Expires) {
				now.Expires = t.Expires
			}
		}
	}
	return now, err
}

// Of are the clients that have pushed a user or a group, in the order of their IDs.
func (s *Clients) Of(ctx context.Context, of directory.MemberRef) ([]directory.ScimClient, error) {
	return s.records.ScimClientsOf(ctx, of)
}

// ErrNoAccess says that a token opens nothing, whatever the reason: it is none, or wrong,
// or of another client, or has ended.
var ErrNoAccess = errors.New("no access")

// Access is whose a request is.
type Access struct {
	Client  directory.ScimClient
	TokenID directory.ScimTokenID // "": it came with a token of the API's issuer
	Rate    directory.ScimRate
}

// Admit says whose a request is that came with a token which a gateway has checked, by the
// client that its path names. ErrNoAccess: there is none.
func (s *Clients) Admit(ctx context.Context, id directory.ScimClientID) (Access, error) {
	c, _, rate, err := s.records.ScimAccess(ctx, id, "")
	if err == nil && c == nil {
		err = ErrNoAccess
	}
	if err != nil {
		return Access{}, err
	}
	return Access{*c, "", rate}, nil
}

// Authenticate says whose a request is by the client that its path names and the token
// that it brings. asMeant says that it came with the word Bearer once, without which a strict
// client has no access. ErrNoAccess; no use of the token is noted then.
func (s *Clients) Authenticate(ctx context.Context, id directory.ScimClientID, token string, asMeant bool) (Access, error) {
	name, secret, ok := readToken(token)
	if !ok {
		return Access{}, ErrNoAccess
	}
	c, t, rate, err := s.records.ScimAccess(ctx, id, name)
	if err != nil {
		return Access{}, err
	}
	if t == nil {
		t = &directory.ScimToken{Hash: hashOf("")}
	}
	if fits := opens(secret, t.Hash); !fits || c == nil || !t.Alive(s.now()) || c.Strict && !asMeant {
		return Access{}, ErrNoAccess
	}
	if err := s.records.TouchScimToken(ctx, t); err != nil {
		s.log.Warn("the use of a token was not noted", "scimClientId", id, "scimTokenId", t.ID, "error", err)
	}
	return Access{*c, t.ID, rate}, nil
}

// Log keeps what a request of a client was, and that there was one, and counts requests of
// the client, if there are any to count. A request that was answered is not held up by that.
// told is false where these were not counted.
func (s *Clients) Log(ctx context.Context, c *directory.ScimClient, r *directory.ScimRequest, counted directory.ScimCount) (told bool) {
	err := s.records.LogScimRequest(ctx, c.ID, r, counted)
	told = err == nil
	if err != nil && counted.Requests > 0 { // others count at the same moment: the log matters more
		err = s.records.LogScimRequest(ctx, c.ID, r, directory.ScimCount{})
	}
	if r.Suspended || r.Deleted {
		err = errors.Join(err, s.records.TallyScimRequest(ctx, c.ID, r))
	}
	if err := errors.Join(err, s.records.TouchScimClient(ctx, c)); err != nil {
		s.log.Warn("a request was not logged", "scimClientId", c.ID, "error", err)
	}
	return told
}

// Mark notes where a listing stands when it comes to an index; see store.ScimClients.
func (s *Clients) Mark(ctx context.Context, id directory.ScimClientID, question string, m directory.ScimMark, life time.Duration) error {
	return s.records.SaveScimMark(ctx, id, question, m, life)
}

// MarkBelow finds the mark nearest below an index.
func (s *Clients) MarkBelow(ctx context.Context, id directory.ScimClientID, question string, index int) (directory.ScimMark, error) {
	return s.records.ScimMark(ctx, id, question, index)
}
