package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sentinels for outcomes that callers branch on. A *Refusal wraps the one that
// fits, so errors.Is works through it.
var (
	ErrNotFound   = errors.New("not found")
	ErrInvalid    = errors.New("invalid")
	ErrConflict   = errors.New("conflict")               // with what is stored now
	ErrStale      = errors.New("version is not current") // If-Match failed
	ErrForbidden  = errors.New("forbidden")
	ErrTooLarge   = errors.New("too large")
	ErrBusy       = errors.New("busy, try again") // nothing was written
	ErrLeaseLost  = errors.New("lease lost")      // somebody else works on this connection, or its epoch has passed
	ErrUnverified = errors.New("outcome unknown") // a request may or may not have taken effect
	ErrNewer      = errors.New("written by a newer version of Bindery")
)

// Refusal is an error for people: what was wrong and what to do, with a stable
// code. Kind is one of the sentinels above.
type Refusal struct {
	Kind   error
	Code   string // kebab-case, stable
	Detail string // a sentence: what was wrong
	Next   string // a sentence: what to do
	Fields []FieldError
}

// FieldError names one wrong member of a request's body.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

func (r *Refusal) Error() string {
	var b strings.Builder
	b.WriteString(r.Detail)
	for _, f := range r.Fields {
		fmt.Fprintf(&b, " %s: %s.", f.Field, f.Detail)
	}
	if r.Next != "" {
		b.WriteString(" " + r.Next)
	}
	return b.String()
}

// Unwrap returns the sentinel.
func (r *Refusal) Unwrap() error { return r.Kind }

// Refuse makes a Refusal.
func Refuse(kind error, code, detail, next string) *Refusal {
	return &Refusal{Kind: kind, Code: code, Detail: detail, Next: next}
}

// Problem is a failure that is kept: on a change, a binding, a connection or a
// refused line of a job. Code is ours and stable; the Microsoft* members keep
// the original.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"` // the cause, a sentence
	// Kind says what mends it; "" when that is not known.
	Kind ProblemKind `json:"kind,omitempty"`
	// Property is the one that the problem is about, by Graph's name, when the
	// rest of the account has nothing to do with it; "" when it concerns the
	// whole account.
	Property string `json:"property,omitempty"`
	Next     string `json:"next,omitempty"` // what to do, a sentence
	// Steps are the calls of Bindery's API that Next may come to.
	Steps []Step `json:"steps,omitempty"`
	// Incident is under what the log says more, where the cause is Bindery's own.
	Incident  string `json:"incident,omitempty"`
	RequestID string `json:"requestId,omitempty"`
	// CorrelationID is the identity platform's, which Microsoft's support asks for
	// beside its trace id (RequestID).
	CorrelationID string `json:"correlationId,omitempty"`
	// MicrosoftCode is the error code of Graph or the identity platform
	// ("Request_BadRequest", "AADSTS50173"), MicrosoftStatus its HTTP status.
	MicrosoftCode    string `json:"microsoftCode,omitempty"`
	MicrosoftMessage string `json:"microsoftMessage,omitempty"`
	MicrosoftStatus  int    `json:"microsoftStatus,omitempty"`
	// Holder names the object that has the contested address or licence, and
	// HolderKind says what it is, where that is known.
	Holder     string     `json:"holder,omitempty"`
	HolderKind HolderKind `json:"holderKind,omitempty"`
	// Place is the place in a line, from 1, of who waits for something.
	Place int `json:"place,omitempty"`
	// By is who did at Microsoft what the problem is about, where that is known.
	By       *Actor    `json:"by,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Attempts int       `json:"attempts,omitempty"`
}

// ProblemKind says what mends a problem.
type ProblemKind string

// The kinds of problems.
const (
	ProblemTransient     ProblemKind = "transient"     // passes by itself; worth trying again
	ProblemData          ProblemKind = "data"          // the user's data must be corrected
	ProblemConflict      ProblemKind = "conflict"      // another object has the value; an admin decides
	ProblemReadOnly      ProblemKind = "read-only"     // the account, or this value of it, is mastered elsewhere
	ProblemTenant        ProblemKind = "tenant"        // an admin at Microsoft: rights, licences, quota, domains
	ProblemAuthorization ProblemKind = "authorization" // the connection must be authorised again
	ProblemDefect        ProblemKind = "defect"        // a fault of Bindery; trying again is of no use
)

// Step is one thing to do about a problem. Call is the method and path of
// Bindery's API that does it, with {connectionId} and {userId} to be filled in.
type Step struct {
	Text string `json:"text"`
	Call string `json:"call,omitempty"`
	// AccountID is the account that the call's body names.
	AccountID AccountID `json:"accountId,omitempty"`
}

// For is the problem of a user at a connection: the calls of its steps name them. Of
// nil it is nil; of a problem of nobody in particular u is "".
func (p *Problem) For(c ConnectionID, u UserID) *Problem {
	if p == nil {
		return nil
	}
	of := *p
	of.Steps = StepsFor(p.Steps, c, u)
	return &of
}

// StepsFor are steps whose calls name a connection and, unless it is "", a user.
func StepsFor(steps []Step, c ConnectionID, u UserID) []Step {
	if len(steps) == 0 {
		return nil
	}
	of := slices.Clone(steps)
	for i := range of {
		of[i].Call = strings.ReplaceAll(of[i].Call, "{connectionId}", string(c))
		if u != "" {
			of[i].Call = strings.ReplaceAll(of[i].Call, "{userId}", string(u))
		}
	}
	return of
}

// Error makes a Problem usable as an error.
func (p *Problem) Error() string {
	if p.MicrosoftCode != "" {
		return p.Code + ": " + p.Message + " (" + p.MicrosoftCode + ")"
	}
	return p.Code + ": " + p.Message
}
