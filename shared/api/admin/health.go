package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"bindery/shared/core/doctor"
	"bindery/shared/directory"
)

// Doctor finds out what is wrong with connections; *doctor.Doctor does.
type Doctor interface {
	Report(ctx context.Context, id directory.ConnectionID) (doctor.Report, error)
	Request(ctx context.Context, id directory.ConnectionID) error
}

// Health is what the last check of a connection came to.
type Health struct {
	ConnectionID directory.ConnectionID `json:"connectionId"`
	CheckedAt    *time.Time             `json:"checkedAt" doc:"Null before the first check."`
	Healthy      *bool                  `json:"healthy" doc:"Everything was looked at, and nothing worse than information was found. Null while that is not known: before the first check, and when something could not be looked at and nothing worse was found; note says which."`
	Findings     []doctor.Finding       `json:"findings" doc:"The gravest first. Before the first check there are none, and that says nothing."`
	Note         string                 `json:"note,omitempty" doc:"Why healthy is not known."`
	Next         string                 `json:"next,omitempty" doc:"What to do, so that it is."`
	Unread       map[string]string      `json:"unread,omitempty" doc:"What could not be looked at, and why."`

	Authorization *doctor.AuthorizationHealth `json:"authorization,omitempty"`
	Domains       []doctor.DomainIs           `json:"domains,omitempty" doc:"The tenant's domains, with what DNS says of their mail."`
}

func (a *API) health() {
	register(a, operation{id: "getHealth", method: http.MethodGet, path: "/v1/connections/{id}/health", scope: ScopeRead,
		summary: "Read what the doctor found the last time"}, a.getHealth)
	register(a, operation{id: "checkHealth", method: http.MethodPost, path: "/v1/connections/{id}/health", scope: ScopeWrite, status: 202,
		summary: "Have the doctor look at a connection, its tenant and its domains", also: later(schema[Health](a))}, a.checkHealth)
}

func (a *API) readHealth(ctx context.Context, in *ConnectionPath) (Health, error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return Health{}, err
	}
	r, err := a.Doctor.Report(ctx, c.ID)
	if errors.Is(err, directory.ErrNotFound) {
		return Health{ConnectionID: c.ID, Findings: []doctor.Finding{}, Note: "The doctor has not looked at this connection yet; whether all is well is not known.",
			Next: "Ask for a check by POST " + healthPath(c.ID) + ", and read this again in a moment."}, nil
	}
	if err != nil {
		return Health{}, err
	}
	if r.Epoch != 0 && r.Epoch != c.Epoch {
		return Health{ConnectionID: c.ID, Findings: []doctor.Finding{}, Note: "The doctor has not looked at this connection since it was let go; whether all is well is not known.",
			Next: "Ask for a check by POST " + healthPath(c.ID) + ", and read this again in a moment."}, nil
	}
	h := Health{ConnectionID: c.ID, CheckedAt: &r.CheckedAt, Healthy: r.Healthy(), Findings: orEmpty(r.Findings), Unread: r.Unread,
		Authorization: r.Authorization, Domains: r.Domains}
	if h.Healthy == nil {
		h.Note = "Nothing worse than information was found, but not everything could be looked at; whether all is well is not known."
		h.Next = "See unread for what is missing and why; mend that, and ask for a check by POST " + healthPath(c.ID) + "."
	}
	return h, nil
}

func healthPath(id directory.ConnectionID) string { return "/v1/connections/" + string(id) + "/health" }

func (a *API) getHealth(ctx context.Context, _ Caller, in *ConnectionPath) (*output[Health], error) {
	h, err := a.readHealth(ctx, in)
	return &output[Health]{h}, err
}

func (a *API) checkHealth(ctx context.Context, _ Caller, in *ConnectionPath) (*accepted, error) {
	h, err := a.readHealth(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := a.Doctor.Request(ctx, h.ConnectionID); err != nil {
		return nil, err
	}
	return &accepted{http.StatusAccepted, healthPath(h.ConnectionID), h}, nil
}
