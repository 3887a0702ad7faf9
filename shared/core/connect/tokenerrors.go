package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"bindery/shared/directory"
)

// The three classes of token errors.
var (
	// ErrNeedsAuthorization: an admin of the tenant must authorise again.
	ErrNeedsAuthorization = errors.New("connect: the connection needs authorisation")
	// ErrConfiguration: our own app or code is at fault, or what the tenant has set
	// for the app; the tokens are good once that is mended.
	ErrConfiguration = errors.New("connect: the app's configuration is wrong")
	// ErrTransient: it may pass, by itself or by what the problem says; try again
	// later with the same tokens.
	ErrTransient = errors.New("connect: no token for now")
)

// errLoop is ErrTransient when it is seen for the first time, and
// ErrNeedsAuthorization when it is seen again some minutes later.
var errLoop = fmt.Errorf("client loop: %w", ErrTransient)

// TokenError says why there is no token. It is one of the three classes above;
// as ErrNeedsAuthorization it is a directory.ErrUnauthorized too, and as one of
// the others a directory.ErrUnavailable, so that work waits and is not lost.
type TokenError struct {
	Class   error
	Problem directory.Problem
}

func (e *TokenError) Error() string { return e.Problem.Error() }

// Explain is the problem for people.
func (e *TokenError) Explain() *directory.Problem { return &e.Problem }

// Unwrap returns the class and what it means to those who only want a token.
func (e *TokenError) Unwrap() []error {
	if errors.Is(e.Class, ErrNeedsAuthorization) {
		return []error{e.Class, directory.ErrUnauthorized}
	}
	return []error{e.Class, directory.ErrUnavailable}
}

// tokenAnswer is the body of a refusal.
type tokenAnswer struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	SubError    string `json:"suberror"`
	TraceID     string `json:"trace_id"`
	Correlation string `json:"correlation_id"`
}

// classify sorts a refusal of the token endpoint, at a sign-in or at a renewal. What
// cannot be understood is transient: only Microsoft's own word ends an authorisation.
// The secrets are those of the request, in case the answer repeats one.
func classify(at tokenStep, status int, body []byte, secrets ...directory.Secret) *TokenError {
	var a tokenAnswer
	if json.Unmarshal(body, &a) != nil {
		a = tokenAnswer{}
	}
	p := directory.Problem{
		Code: directory.CodeMicrosoftUnavailable, Kind: directory.ProblemTransient, Message: "Microsoft's identity platform gave no answer that can be understood.", Next: nextWait,
		MicrosoftStatus: status, MicrosoftCode: redact(a.Error, secrets), RequestID: redact(a.TraceID, secrets), CorrelationID: redact(a.Correlation, secrets),
		MicrosoftMessage: redact(firstSentences(a.Description), secrets),
	}
	if len(a.Codes) > 0 {
		p.MicrosoftCode = fmt.Sprintf("AADSTS%d", a.Codes[0])
	}
	switch {
	case status == http.StatusTooManyRequests || status >= 500:
		p.Message = "Microsoft's identity platform is not available for the moment."
		return &TokenError{ErrTransient, p}
	case a.Error == "" && len(a.Codes) == 0:
		return &TokenError{ErrTransient, p}
	}
	v := explain(at, refusal{a.Error, a.SubError, a.Codes})
	p.Code, p.Kind, p.Message, p.Next = v.code, v.kind(), v.message, v.next
	return &TokenError{v.class, p}
}

// firstSentences leaves out the identifiers at the end of a description.
func firstSentences(s string) string {
	for _, end := range []string{"\r", "\n", " Trace ID:"} {
		s, _, _ = strings.Cut(s, end)
	}
	if r := []rune(s); len(r) > 400 {
		s = string(r[:400]) + "…"
	}
	return s
}

func redact(s string, secrets []directory.Secret) string {
	for _, secret := range secrets {
		if !secret.IsZero() {
			s = strings.ReplaceAll(s, secret.Reveal(), secret.String())
		}
	}
	if len(s) > 2000 {
		s = s[:2000]
	}
	return strings.ToValidUTF8(s, "")
}

// tokenError sorts whatever golang.org/x/oauth2 returns. Its own texts may hold
// the answer's whole body and are never passed on.
func tokenError(at tokenStep, err error, secrets ...directory.Secret) *TokenError {
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.Response != nil {
		return classify(at, r.Response.StatusCode, r.Body, secrets...)
	}
	p := directory.Problem{Code: directory.CodeMicrosoftUnreachable, Kind: directory.ProblemTransient, Message: "Microsoft's identity platform cannot be reached, or broke off.", Next: nextWait}
	if errors.Is(err, context.DeadlineExceeded) {
		p.Message = "Microsoft's identity platform did not answer in time."
	}
	return &TokenError{ErrTransient, p}
}
