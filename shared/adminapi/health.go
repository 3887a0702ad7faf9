package adminapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"bindery/shared/directory"
	"bindery/shared/doctor"
)

// Doctor finds out what is wrong with connections; *doctor.Doctor does.
type Doctor interface {
	Report(ctx context.Context, id directory.ConnectionID) (doctor.Report, error)
	Request(ctx context.Context, id directory.ConnectionID) error
}

// Health is what the last check of a connection came to.
type Health struct {
	ConnectionID directory.ConnectionID `json:"connectionId"`
	CheckedAt    *time.Time             `json:"checkedAt,omitempty" doc:"Not there before the first check."`
	Healthy      bool                   `json:"healthy" doc:"Nothing worse than information was found."`
	Findings     []doctor.Finding       `json:"findings"`
	Unread       map[string]string      `json:"unread,omitempty" doc:"What could not be looked at, and why."`

	Authorization *doctor.Standing  `json:"authorization,omitempty"`
	Domains       []doctor.DomainIs `json:"domains,omitempty" doc:"The tenant's domains, with what DNS says of their mail."`
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
		return Health{ConnectionID: c.ID, Findings: []doctor.Finding{}}, nil
	}
	return Health{ConnectionID: c.ID, CheckedAt: &r.CheckedAt, Healthy: r.Healthy, Findings: orEmpty(r.Findings), Unread: r.Unread,
		Authorization: r.Authorization, Domains: r.Domains}, err
}

func (a *API) getHealth(ctx context.Context, _ Caller, in *ConnectionPath) (*struct{ Body Health }, error) {
	h, err := a.readHealth(ctx, in)
	return &struct{ Body Health }{h}, err
}

func (a *API) checkHealth(ctx context.Context, _ Caller, in *ConnectionPath) (*accepted, error) {
	h, err := a.readHealth(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := a.Doctor.Request(ctx, h.ConnectionID); err != nil {
		return nil, err
	}
	return &accepted{http.StatusAccepted, "/v1/connections/" + string(h.ConnectionID) + "/health", h}, nil
}
