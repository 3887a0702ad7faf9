package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"bindery/shared/api/endpoint"
	"bindery/shared/core/connect"
	"bindery/shared/core/people"
	"bindery/shared/directory"
)

const problemType = "application/problem+json"

// Problem is the answer to a request that was not done (RFC 9457).
type Problem struct {
	Title  string `json:"title" doc:"The status as words."`
	Status int    `json:"status"`
	Code   string `json:"code" doc:"What was wrong; stable."`
	Detail string `json:"detail" doc:"What was wrong, a sentence."`
	// NextStep says what to do about it.
	NextStep string                 `json:"nextStep,omitempty" doc:"What to do about it, a sentence."`
	Errors   []directory.FieldError `json:"errors,omitempty" doc:"Every wrong member or parameter."`
	// What Microsoft's support asks for, where Microsoft answered.
	MicrosoftCode string `json:"microsoftCode,omitempty" doc:"Microsoft's own code, where Microsoft answered."`
	RequestID     string `json:"requestId,omitempty" doc:"Of Microsoft's answer; its support asks for it."`
	Incident      string `json:"incident,omitempty" doc:"Under what Bindery's log says more, where the cause is on its side."`

	retry time.Duration
}

// Error makes a Problem an error that a handler can return.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// write answers with a problem.
func (a *API) write(w http.ResponseWriter, p *Problem) {
	p.Title = http.StatusText(p.Status)
	data, _ := endpoint.JSON(p) // texts and numbers: there is nothing in it that cannot be encoded
	w.Header().Set("Content-Type", problemType)
	if p.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.retry+time.Second-1)/time.Second)))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(data) // the client is gone
}

// refuse answers a request that reached its operation, and was not done.
func (a *API) refuse(ctx huma.Context, err error) {
	_, w := humago.Unwrap(ctx)
	a.write(w, a.problem(ctx.Context(), ctx.Operation().OperationID, err))
}

// statuses maps the vocabulary's sentinels to statuses, first match wins.
var statuses = []struct {
	kind   error
	status int
	code   string // for an error that brings none
	detail string
	next   string
}{
	{directory.ErrInvalid, http.StatusUnprocessableEntity, directory.CodeInvalid, "The request was not accepted.", ""},
	{directory.ErrNotFound, http.StatusNotFound, directory.CodeNotFound, "There is no such thing.", "Check the ID in the path."},
	{directory.ErrStale, http.StatusConflict, directory.CodeChangedMeanwhile, "Somebody else changed it at the same time.", "Read it again and repeat the request."},
	{directory.ErrForbidden, http.StatusForbidden, directory.CodeForbidden, "The request is not allowed.", ""},
	{directory.ErrTooLarge, http.StatusRequestEntityTooLarge, directory.CodeTooLarge, "The request is too large.", "Split it."},
	{directory.ErrBusy, http.StatusServiceUnavailable, directory.CodeBusy, "Others work on the same at this moment; nothing was changed.", "Try again."},
	{directory.ErrUnauthorized, http.StatusConflict, directory.CodeNeedsAuthorization, "Microsoft does not accept the connection's authorisation any more.", "Authorise the connection again."},
	{connect.ErrConfiguration, http.StatusInternalServerError, directory.CodeConfiguration, "Bindery's own configuration is at fault.", "Tell whoever runs it; the log says what is wrong."},
	{directory.ErrUnavailable, http.StatusBadGateway, directory.CodeMicrosoftUnavailable, "Microsoft Graph does not answer.", "Try again."},
	{directory.ErrConflict, http.StatusConflict, directory.CodeConflict, "The request does not fit what is stored now.", "Read it again."},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, directory.CodeTimeout, "The request took too long.", "Try again, or ask for less."},
}

// problem turns an error of the core into the answer.
func (a *API) problem(ctx context.Context, operation string, err error) *Problem {
	p := classify(err)
	if p.Status >= 500 {
		if p.MicrosoftCode == "" {
			p.Incident = directory.NewIncident()
		}
		a.Log.ErrorContext(ctx, "request failed", "operation", operation, "incident", p.Incident, "code", p.Code, "error", err)
	}
	return p
}

func classify(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if r, ok := errors.AsType[*endpoint.Refusal](err); ok {
		return ofRequest(r)
	}
	if t, ok := errors.AsType[*directory.ThrottledError](err); ok {
		return &Problem{Status: http.StatusServiceUnavailable, Code: directory.CodeThrottled, Detail: "Microsoft asks for a pause.",
			NextStep: "Try again after it.", retry: max(t.RetryAfter, time.Second)}
	}
	p := &Problem{Status: http.StatusInternalServerError, Code: directory.CodeInternal, Detail: "The request could not be answered.",
		NextStep: "Try again; if it stays so, the log says why, under the incident."}
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			*p = Problem{Status: s.status, Code: s.code, Detail: s.detail, NextStep: s.next}
			if s.status == http.StatusServiceUnavailable {
				p.retry = time.Second
			}
			break
		}
	}
	if t, ok := errors.AsType[*connect.TokenError](err); ok {
		p.Code, p.Detail, p.NextStep = t.Problem.Code, t.Problem.Message, t.Problem.Next
		p.MicrosoftCode, p.RequestID = t.Problem.MicrosoftCode, t.Problem.RequestID
	} else if r, ok := errors.AsType[*directory.Refusal](err); ok {
		p.Code, p.Detail, p.NextStep, p.Errors = r.Code, r.Detail, r.Next, r.Fields
		switch {
		case r.Code == directory.CodeInvalidBody:
			p.Status = http.StatusBadRequest
		case errors.Is(r.Kind, directory.ErrStale):
			p.Status = http.StatusPreconditionFailed
		}
	} else if f, ok := errors.AsType[*directory.Problem](err); ok && p.Status >= 500 {
		*p = Problem{Status: http.StatusBadGateway, Code: f.Code, Detail: f.Message, NextStep: f.Next, MicrosoftCode: f.MicrosoftCode, RequestID: f.RequestID}
	}
	return p
}

func tooLarge() *Problem {
	return &Problem{Status: http.StatusRequestEntityTooLarge, Code: directory.CodeBodyTooLarge,
		Detail:   fmt.Sprintf("The body has more than %d bytes.", MaxBody),
		NextStep: "Name accounts in several imports. For users: " + people.UploadInstead}
}

// bodyFault turns an error of reading a body into a refusal that names the member.
func bodyFault(err error) error {
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody, "The body was not accepted and nothing was changed.", "See "+specPath+".")
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && typ.Field != "" {
		r.Fields = []directory.FieldError{{Field: typ.Field, Detail: "must not be " + article(typ.Value)}}
		return r
	}
	if m, ok := errors.AsType[*memberFault](err); ok && m.member != "" {
		r.Fields = []directory.FieldError{{Field: m.member, Detail: m.why}}
		return r
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if name, ok := strings.CutPrefix(text, "unknown field "); ok {
		if plain, err := strconv.Unquote(name); err == nil {
			name = plain
		}
		r.Fields = []directory.FieldError{{Field: name, Detail: notAMember}}
		return r
	}
	r.Detail = "The body cannot be read: " + text + "."
	return r
}

func article(what string) string {
	what, _, _ = strings.Cut(what, " ")
	if what == "array" || what == "object" {
		return "an " + what
	}
	return "a " + what
}

// ofRequest is the problem of a request that is not as its operation is described.
func ofRequest(r *endpoint.Refusal) *Problem {
	if r.Status == http.StatusRequestEntityTooLarge {
		return tooLarge()
	}
	p := &Problem{Status: r.Status, Code: directory.CodeInvalidParameter, Detail: r.Detail, NextStep: "See " + specPath + "."}
	if r.Status == http.StatusBadRequest {
		p.Code = directory.CodeInvalidBody
	}
	for _, f := range r.Faults {
		p.Errors = append(p.Errors, directory.FieldError{Field: f.Name, Detail: f.Detail})
	}
	sort.Slice(p.Errors, func(i, j int) bool { return p.Errors[i].Field < p.Errors[j].Field })
	return p
}
