package console

import (
	"net/url"
	"strings"
	"time"

	"bindery/shared/directory"
)

// What /v1 shows that the vocabulary has no type for, as far as pages tell of it.

// connection is a connection as the API shows it.
type connection struct {
	ID             directory.ConnectionID     `json:"id"`
	Name           string                     `json:"name"`
	Status         directory.ConnectionStatus `json:"status"`
	ExpectedDomain string                     `json:"expectedDomain"`
	Tenant         *directory.Tenant          `json:"tenant"`
	AuthorizedBy   *directory.Administrator   `json:"authorizedBy"`
	RequestedBy    string                     `json:"requestedBy"`
	Waiting        *waitingSignIn             `json:"waiting"`
	RefusedSignIn  *directory.RefusedSignIn   `json:"refusedSignIn"`
	Lacking        []directory.Permission     `json:"lacking"`
	Settings       directory.Settings         `json:"settings"`
	Trouble        *directory.Problem         `json:"trouble"`
	LastRun        *directory.LastRun         `json:"lastRun"`
	AuthorizedAt   time.Time                  `json:"authorizedAt"`
	Created        time.Time                  `json:"created"`
	SettingsBy     string                     `json:"settingsBy"`
	Deactivation   *directory.Deactivation    `json:"deactivation"`
	Confirmation   *struct {
		By string    `json:"by"`
		At time.Time `json:"at"`
	} `json:"confirmation"`
	Proposals        []proposal `json:"proposals"`
	BoundCount       int        `json:"boundCount"`
	AuthorizationURL string     `json:"authorizationUrl"`
}

type waitingSignIn struct {
	Tenant       directory.Tenant        `json:"tenant"`
	AuthorizedBy directory.Administrator `json:"authorizedBy"`
	RequestedBy  string                  `json:"requestedBy"`
	At           time.Time               `json:"at"`
	Until        time.Time               `json:"until"`
}

// part is one department or domain of a run's changes.
type part struct {
	Name   string                   `json:"name"`
	Counts map[directory.Effect]int `json:"counts"`
}

func (p part) sum() (n int) {
	for _, k := range p.Counts {
		n += k
	}
	return n
}

type parts struct {
	Departments []part `json:"departments"`
	Domains     []part `json:"domains"`
}

// left is something that an undo leaves as it is.
type left struct {
	UserID   directory.UserID `json:"userId"`
	Object   directory.Ref    `json:"object"`
	Property string           `json:"property"`
	Code     string           `json:"code"`
	Message  string           `json:"message"`
	Wrote    directory.Value  `json:"wrote"`
	Found    directory.Value  `json:"found"`
}

// cause is a problem that some users of a connection have.
type cause struct {
	Code       string                          `json:"code"`
	Message    string                          `json:"message"`
	Next       string                          `json:"next"`
	Users      int                             `json:"users"`
	Holders    []string                        `json:"holders"`
	Examples   []directory.UserID              `json:"examples"`
	Objects    []directory.Ref                 `json:"objects"`
	FirstSince time.Time                       `json:"firstSince"`
	Kind       directory.ProblemKind           `json:"kind"`
	Statuses   map[directory.BindingStatus]int `json:"statuses"`
}

type causes struct {
	Items []cause `json:"items"`
	More  bool    `json:"more"`
}

// finding is something that the doctor found.
type finding struct {
	Code        string         `json:"code"`
	Variant     string         `json:"variant"`
	Values      map[string]any `json:"values"`
	Severity    string         `json:"severity"`
	Subject     string         `json:"subject"`
	Evidence    string         `json:"evidence"`
	Consequence string         `json:"consequence"`
	Next        string         `json:"next"`
	Users       int            `json:"users"`
	Groups      int            `json:"groups"`
}

type health struct {
	CheckedAt *time.Time        `json:"checkedAt"`
	Healthy   *bool             `json:"healthy"`
	Findings  []finding         `json:"findings"`
	Unread    map[string]string `json:"unread"`
}

// The urgencies of what needs somebody, the most urgent first.
const (
	urgencyDecide  = "decide"
	urgencyBroken  = "broken"
	urgencySoon    = "soon"
	urgencyWaiting = "waiting"
)

// attention is what needs somebody, over some connections.
type attention struct {
	Items       []needed       `json:"items"`
	Counts      map[string]int `json:"counts"`
	Connections int            `json:"connections"`
	Next        string         `json:"next"`
}

// needed is one thing that needs somebody.
type needed struct {
	Kind           string                   `json:"kind"`
	Urgency        string                   `json:"urgency"`
	ConnectionID   directory.ConnectionID   `json:"connectionId"`
	ConnectionName string                   `json:"connectionName"`
	ScimClientID   directory.ScimClientID   `json:"scimClientId"`
	ScimClientName string                   `json:"scimClientName"`
	Message        string                   `json:"message"`
	Next           string                   `json:"next"`
	Since          time.Time                `json:"since,omitzero"`
	Until          time.Time                `json:"until,omitzero"`
	RunID          directory.RunID          `json:"runId"`
	Code           string                   `json:"code"`
	Variant        string                   `json:"variant"`
	Values         map[string]any           `json:"values"`
	Subject        string                   `json:"subject"`
	AskedBy        string                   `json:"askedBy"`
	Count          int                      `json:"count"`
	More           bool                     `json:"more"`
	Counts         map[directory.Effect]int `json:"counts"`
	Held           *directory.Held          `json:"held"`
}

// selection is how many of a run's changes a filter selects.
type selection struct {
	Changes      int                      `json:"changes"`
	Of           int                      `json:"of"`
	Effects      map[directory.Effect]int `json:"effects"`
	Irreversible map[directory.Effect]int `json:"irreversible"`
	Partial      bool                     `json:"partial"` // the run has more than were looked at
	Written      *written                 `json:"written"` // of a held run
}

// written is what an approval of the selected changes would write: of those that are open,
// without what follows from a declined one.
type written struct {
	Changes      int                      `json:"changes"`
	Effects      map[directory.Effect]int `json:"effects"`
	Irreversible map[directory.Effect]int `json:"irreversible"`
}

// approved is what an approval would write. Of a /v1 that does not say so yet, and of a run
// that is not held any more, it is what is selected: the decision itself leaves out the rest.
func (n *selection) approved() written {
	if n.Written != nil {
		return *n.Written
	}
	return written{n.Changes, n.Effects, n.Irreversible}
}

// scimClient is a client that pushes by SCIM; in the list of all it has how it stands with
// it as well.
type scimClient struct {
	directory.ScimClient
	BasePath    string                 `json:"basePath"`
	OAuthPath   string                 `json:"oauthBasePath"`
	Findings    []finding              `json:"findings"`
	LastRequest *directory.ScimRequest `json:"lastRequest"`
	Tokens      struct {
		Alive   int       `json:"alive"`
		Expires time.Time `json:"expires"`
	} `json:"tokens"`
	Lately   directory.ScimTally `json:"lately"`
	HeldRuns []struct {
		RunID          directory.RunID        `json:"runId"`
		ConnectionID   directory.ConnectionID `json:"connectionId"`
		ConnectionName string                 `json:"connectionName"`
	} `json:"heldRuns"`
}

// The addresses of /v1. An ID from an address of ours is escaped: it came from outside.

func apiPath(segments ...string) string {
	var b strings.Builder
	b.WriteString("/v1")
	for _, s := range segments {
		b.WriteString("/" + segment(s))
	}
	return b.String()
}

// segment is a part of a path that is nothing else, whatever it is made of.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// query appends parameters, empty ones left out.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Add(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// below is a path of the console below another one.
func below(at string, segments ...string) string {
	return at + strings.TrimPrefix(apiPath(segments...), "/v1")
}

// here is a path of the console.
func here(segments ...string) string {
	return "/console" + strings.TrimPrefix(apiPath(segments...), "/v1")
}
