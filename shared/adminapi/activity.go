package adminapi

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"bindery/shared/activity"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Activity reports what was done; *activity.Service does.
type Activity interface {
	List(ctx context.Context, q activity.Query, cursor string, limit int) ([]activity.Entry, string, error)
}

// acting has the store record, beside what an editing operation writes, that
// the caller did it. Operations that only read leave no trace.
func acting(ctx context.Context, op operation) context.Context {
	if op.method == http.MethodGet {
		return ctx
	}
	by := callerOf(ctx)
	source := by.Source
	if source == directory.SourceManual {
		source = ""
	}
	return store.Acting(ctx, directory.Act{Kind: kebab(op.id), By: by.Subject, Source: source})
}

// kebab writes editConnection as edit-connection.
func kebab(id string) string {
	var b strings.Builder
	for _, r := range id {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func (a *API) activity() {
	register(a, operation{id: "listActivity", method: http.MethodGet, path: "/v1/activity", scope: ScopeRead,
		summary: "List what was done, newest first: changes to accounts and acts of admins; JSON, CSV (text/csv) or JSON lines (application/x-ndjson) by Accept",
		also:    answers{200: schema[list[activity.Entry]](a)}}, a.listActivity)
}

// ActivityFilter says which entries are wanted.
type ActivityFilter struct {
	ConnectionID string `query:"connectionId" maxLength:"64" doc:"Only what concerns this connection"`
	UserID       string `query:"userId" maxLength:"64" doc:"Only what concerns this user"`
	RunID        string `query:"runId" maxLength:"64" doc:"Only what this run did"`
	Effect       string `query:"effect" maxLength:"64" doc:"Only changes with this effect (update, block, …), or acts of this kind (bind, edit-connection, sign-in, …)"`
	Since        string `query:"since" maxLength:"40" doc:"RFC 3339 time, or a date; only what was done then or later"`
	Until        string `query:"until" maxLength:"40" doc:"RFC 3339 time, or a date; only what was done before"`
}

func (f *ActivityFilter) query() (activity.Query, error) {
	q := activity.Query{
		ConnectionID: directory.ConnectionID(f.ConnectionID), UserID: directory.UserID(f.UserID), RunID: directory.RunID(f.RunID), Effect: f.Effect,
	}
	var err error
	if q.Since, err = timeParameter("since", f.Since); err != nil {
		return q, err
	}
	q.Until, err = timeParameter("until", f.Until)
	return q, err
}

// timeParameter reads a time or a date (in UTC); the zero time for none.
func timeParameter(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			return t.UTC(), nil
		}
	}
	r := directory.Refuse(directory.ErrInvalid, "invalid-parameter", "A parameter is not valid.", "Correct the parameters named in errors.")
	r.Fields = []directory.FieldError{{Field: name, Detail: "must be a time as 2026-03-01T09:00:00Z, or a date as 2026-03-01"}}
	return time.Time{}, r
}

// document is an answer in a form that the caller chose.
type document struct {
	ContentType string `header:"Content-Type"`
	Link        string `header:"Link"`
	Vary        string `header:"Vary"`
	Body        []byte
}

type activityInput struct {
	ActivityFilter
	Paging
	Accept string `header:"Accept" doc:"text/csv or application/x-ndjson for another form than JSON; the next page is then in the header Link"`
}

func (a *API) listActivity(ctx context.Context, _ Caller, in *activityInput) (*document, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	entries, next, err := a.Activity.List(ctx, q, in.Next, in.Limit)
	if err != nil {
		return nil, err
	}
	doc := &document{Vary: "Accept"}
	switch doc.ContentType = preferred(in.Accept); doc.ContentType {
	case csvType:
		doc.Body = activity.CSV(entries)
	case linesType:
		doc.Body = activity.Lines(entries)
	default:
		doc.Body, err = json.Marshal(page(entries, next).Body)
		return doc, err
	}
	if next != "" {
		doc.Link = "<" + in.nextPage(next) + `>; rel="next"`
	}
	return doc, nil
}

func (in *activityInput) nextPage(next string) string {
	v := url.Values{"limit": {strconv.Itoa(in.Limit)}, "next": {next}}
	for name, text := range map[string]string{"connectionId": in.ConnectionID, "userId": in.UserID, "runId": in.RunID,
		"effect": in.Effect, "since": in.Since, "until": in.Until} {
		if text != "" {
			v.Set(name, text)
		}
	}
	return "/v1/activity?" + v.Encode()
}

// The forms of a list.
const (
	jsonType  = "application/json"
	csvType   = "text/csv; charset=utf-8; header=present"
	linesType = "application/x-ndjson"
)

// preferred picks the form of an answer: the one with the highest quality that
// the caller accepts, JSON when nothing says otherwise.
func preferred(accept string) string {
	best, quality := jsonType, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q := 1.0
		if text, given := params["q"]; given {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		var form string
		switch media {
		case "text/csv":
			form = csvType
		case "application/x-ndjson", "application/jsonl", "application/x-jsonlines":
			form = linesType
		case "application/json", "application/*", "*/*":
			form = jsonType
		default:
			continue
		}
		if q > quality {
			best, quality = form, q
		}
	}
	return best
}
