package admin

import (
	"context"
	"net/http"
	"time"

	"bindery/shared/api/endpoint"
	"bindery/shared/core/audit"
	"bindery/shared/directory"
)

// Activity reports what was done; *audit.Service does.
type Activity interface {
	List(ctx context.Context, q audit.Query, cursor string, limit int) ([]audit.Entry, string, error)
	Days(ctx context.Context, id directory.ConnectionID, since, until time.Time) ([]audit.Day, error)
	DaysByConnection(ctx context.Context, since, until time.Time) ([]audit.Day, error)
	Links(ctx context.Context, chain, cursor string, limit int) ([]audit.ExportedLink, string, error)
	Audit(ctx context.Context, id directory.ConnectionID, since, until time.Time, cursor string, limit int) (audit.AuditReport, error)
	StartVerify(ctx context.Context, by directory.Caller, req audit.VerifyRequest) (directory.Job, error)
}

func (a *API) activity() {
	register(a, operation{id: "listActivity", method: http.MethodGet, path: "/v1/activity", scope: ScopeRead,
		summary: "List what was done, newest first: changes to accounts and acts of admins; JSON, CSV (text/csv) or JSON lines (application/x-ndjson) by Accept",
		also:    answers{200: schema[list[audit.Entry]](a)}}, a.listActivity)
	register(a, operation{id: "sumActivity", method: http.MethodGet, path: "/v1/activity/summary", scope: ScopeRead,
		summary: "Count changes by day (UTC), effect and what became of them, newest day first; JSON or CSV by Accept",
		also:    answers{200: schema[list[audit.Day]](a)}}, a.sumActivity)
	register(a, operation{id: "listLinks", method: http.MethodGet, path: "/v1/activity/links", scope: ScopeRead,
		summary: "List a chain of digests with its seals, oldest first, to verify an export with; JSON or JSON lines by Accept",
		also:    answers{200: schema[list[audit.ExportedLink]](a)}}, a.listLinks)
	register(a, operation{id: "readAudit", method: http.MethodGet, path: "/v1/connections/{id}/audit", scope: ScopeRead,
		summary: "Compare what was done with Microsoft's own audit log of the authorising account, newest first; JSON, CSV (text/csv) or JSON lines (application/x-ndjson) by Accept",
		also:    answers{200: schema[audit.AuditReport](a)}}, a.readAudit)
	register(a, operation{id: "verifyActivity", method: http.MethodPost, path: "/v1/activity:verify", scope: ScopeWrite, status: 202,
		summary: "Verify that nothing of the activity was changed, taken away or put in, and that the chains are those whose heads are kept outside: a job", body: schema[Verification](a), optional: true,
		also: later(schema[Job](a))}, a.verifyActivity)
}

// Verification is the body of a verification; left out, everything is verified.
type Verification struct {
	ConnectionID directory.ConnectionID `json:"connectionId,omitempty" doc:"Only the chain of this connection."`
	Since        string                 `json:"since,omitempty" doc:"Leave out links that were made before: a time or a date."`
	Heads        []audit.KnownHead      `json:"heads,omitempty" doc:"Further links, as the events bindery.activity.head told them: the chains must have them, beside those that are kept in the bucket of the heads."`
}

func (a *API) verifyActivity(ctx context.Context, by Caller, in *sent[Verification]) (*accepted, error) {
	req := audit.VerifyRequest{ConnectionID: in.body.ConnectionID, Heads: in.body.Heads}
	var err error
	if req.Since, err = timeParameter("since", in.body.Since); err != nil {
		return nil, err
	}
	return acceptedJob(a.Activity.StartVerify(ctx, by.Caller, req))
}

type auditInput struct {
	ConnectionPath
	Since string `query:"since" maxLength:"40" pattern:"^[!-~]*$" doc:"RFC 3339 time, or a date; without it seven days ago"`
	Until string `query:"until" maxLength:"40" pattern:"^[!-~]*$" doc:"RFC 3339 time, or a date; without it now"`
	From
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many of our changes at most; Microsoft's events of the same time come on top"`
	Accept string `header:"Accept" maxLength:"1000" doc:"text/csv or application/x-ndjson for another form than JSON; the next page is then in the header Link"`
}

func (a *API) readAudit(ctx context.Context, _ Caller, in *auditInput) (*document, error) {
	since, err := timeParameter("since", in.Since)
	if err != nil {
		return nil, err
	}
	until, err := timeParameter("until", in.Until)
	if err != nil {
		return nil, err
	}
	doc, next := &document{ContentType: formOf(in.Accept), Vary: "Accept"}, ""
	doc.Body, err = a.shorten(in.Limit, func(limit int) (int, []byte, error) {
		report, err := a.Activity.Audit(ctx, directory.ConnectionID(in.ID), since, until, in.Next, limit)
		if err != nil {
			return 0, nil, err
		}
		if next, err = listingOf(ctx).seal(report.Next); err != nil {
			return 0, nil, err
		}
		report.Next = next
		var data []byte
		switch doc.ContentType {
		case csvType:
			data = report.CSV()
		case linesType:
			data = report.Lines()
		default:
			data, err = endpoint.JSON(report)
		}
		return min(limit, len(report.Items)), data, err
	})
	if next != "" && doc.ContentType != jsonType {
		doc.Link = listingOf(ctx).link(next)
	}
	return doc, err
}

type summaryInput struct {
	ConnectionID string `query:"connectionId" maxLength:"64" pattern:"^[!-~]*$" doc:"Only this connection; without it all are summed up"`
	Since        string `query:"since" maxLength:"40" pattern:"^[!-~]*$" doc:"RFC 3339 time, or a date; without it 30 days before until, or ago"`
	Until        string `query:"until" maxLength:"40" pattern:"^[!-~]*$" doc:"RFC 3339 time, or a date; days that begin before"`
	By           string `query:"by" enum:"connection" doc:"Tell the days of each connection by itself"`
	Accept       string `header:"Accept" maxLength:"1000" doc:"text/csv for CSV"`
}

func (a *API) sumActivity(ctx context.Context, _ Caller, in *summaryInput) (*document, error) {
	since, err := timeParameter("since", in.Since)
	if err != nil {
		return nil, err
	}
	until, err := timeParameter("until", in.Until)
	if err != nil {
		return nil, err
	}
	days, err := a.days(ctx, in, since, until)
	if err != nil {
		return nil, err
	}
	doc := &document{ContentType: jsonType, Vary: "Accept"}
	if formOf(in.Accept) == csvType {
		doc.ContentType, doc.Body = csvType, audit.DaysCSV(days, in.By != "")
		return doc, nil
	}
	doc.Body, err = endpoint.JSON(list[audit.Day]{Items: orEmpty(days)})
	return doc, err
}

func (a *API) days(ctx context.Context, in *summaryInput, since, until time.Time) ([]audit.Day, error) {
	if in.By == "" {
		return a.Activity.Days(ctx, directory.ConnectionID(in.ConnectionID), since, until)
	}
	if in.ConnectionID != "" {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFilter, "The days of one connection need not be told by connection.", "Leave out by, or connectionId.")
		r.Fields = []directory.FieldError{{Field: "by", Detail: "goes with no connectionId"}}
		return nil, r
	}
	return a.Activity.DaysByConnection(ctx, since, until)
}

type linksInput struct {
	Paging
	Chain  string `query:"chain" maxLength:"64" pattern:"^[!-~]*$" default:"acts" doc:"ID of a connection, for its runs; or acts, for the acts of admins"`
	Accept string `header:"Accept" maxLength:"1000" doc:"application/x-ndjson for JSON lines; the next page is then in the header Link"`
}

func (a *API) listLinks(ctx context.Context, _ Caller, in *linksInput) (*document, error) {
	return listIn(ctx, a, in.Accept, in.Limit, forms[audit.ExportedLink]{lines: audit.LinkLines}, func(limit int) ([]audit.ExportedLink, string, error) {
		return a.Activity.Links(ctx, in.Chain, in.Next, limit)
	})
}

// ActivityFilter says which entries are wanted.
type ActivityFilter struct {
	ConnectionID string `query:"connectionId" maxLength:"64" pattern:"^[!-~]*$" doc:"Only what concerns this connection"`
	UserID       string `query:"userId" maxLength:"64" pattern:"^[!-~]*$" doc:"Only what concerns this user"`
	GroupID      string `query:"groupId" maxLength:"64" pattern:"^[!-~]*$" doc:"Only what concerns this group of the directory"`
	RunID        string `query:"runId" maxLength:"64" pattern:"^[!-~]*$" doc:"Only what this run did"`
	Effect       string `query:"effect" maxLength:"64" pattern:"^[!-~]*$" doc:"Only changes with this effect (update, block, …), or acts of this kind (bind, edit-connection, sign-in, …)"`
	ByHand       bool   `query:"byHand" doc:"Only edits of users, groups and their members, and moves of users, that somebody has made by hand: not by a source, a file or another job. However much sources push, the newest is found at once."`
	Since        string `query:"since" maxLength:"40" pattern:"^[!-~]*$" doc:"RFC 3339 time, or a date; only what was done then or later"`
	Until        string `query:"until" maxLength:"40" pattern:"^[!-~]*$" doc:"RFC 3339 time, or a date; only what was done before"`
}

func (f *ActivityFilter) query() (audit.Query, error) {
	q := audit.Query{
		ConnectionID: directory.ConnectionID(f.ConnectionID), UserID: directory.UserID(f.UserID), Object: directory.GroupRef(directory.GroupID(f.GroupID)), RunID: directory.RunID(f.RunID), Effect: f.Effect, ByHand: f.ByHand,
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
		// In UTC a time may be of the year 10000, which no JSON holds.
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() >= 1970 && t.UTC().Year() <= 9999 {
			return t.UTC(), nil
		}
	}
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidParameter, "A parameter is not valid.", "Correct the parameters named in errors.")
	r.Fields = []directory.FieldError{{Field: name, Detail: "must be a time as 2026-03-01T09:00:00Z, or a date as 2026-03-01"}}
	return time.Time{}, r
}

type activityInput struct {
	ActivityFilter
	Paging
	Accept string `header:"Accept" maxLength:"1000" doc:"text/csv or application/x-ndjson for another form than JSON; the next page is then in the header Link"`
}

func (a *API) listActivity(ctx context.Context, _ Caller, in *activityInput) (*document, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	return listIn(ctx, a, in.Accept, in.Limit, forms[audit.Entry]{audit.CSV, audit.Lines}, func(limit int) ([]audit.Entry, string, error) {
		return a.Activity.List(ctx, q, in.Next, limit)
	})
}
