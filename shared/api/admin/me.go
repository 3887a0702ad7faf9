package admin

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
)

// Me is who a token speaks for, and what it may.
type Me struct {
	Subject string           `json:"subject" doc:"The claim sub: what is done with the token is on record under it."`
	Client  string           `json:"client,omitempty" doc:"The application that the token was given to."`
	Source  directory.Source `json:"source" enum:"manual,ad,scim" doc:"What edits of users and groups are of. A token of ad or scim may edit these and nothing else."`
	Scopes  []string         `json:"scopes" doc:"Those of Bindery's that the token has. None implies another."`
	May     Rights           `json:"may" doc:"What the operations ask for."`
	Expires *time.Time       `json:"expires,omitempty" doc:"When the token ends; missing when it does not say."`
}

// Rights are the scopes as questions, with what a source's token is kept from.
type Rights struct {
	Read    bool `json:"read"`
	Write   bool `json:"write" doc:"Users, groups, bindings, imports, runs, undo. Of a source's token: users and groups."`
	Admin   bool `json:"admin" doc:"Connections."`
	Approve bool `json:"approve" doc:"Decide. Where a connection has fourEyes, not about one's own requests."`
}

func (a *API) me() {
	register(a, operation{id: "getMe", method: http.MethodGet, path: "/v1/me", sources: true,
		summary: "Say who the token speaks for, what it may, and when it ends"}, a.getMe)
}

func (a *API) getMe(ctx context.Context, by Caller, _ *struct{}) (*output[Me], error) {
	m := Me{Subject: by.Subject, Client: by.Client, Source: by.WritesAs(), Scopes: []string{}}
	for _, scope := range by.Scopes {
		if strings.HasPrefix(scope, scopePrefix) {
			m.Scopes = append(m.Scopes, scope)
		}
	}
	m.May = Rights{Read: by.has(ScopeRead), Write: by.has(ScopeWrite), Admin: by.has(ScopeAdmin) && !by.Feeds(), Approve: by.has(ScopeApprove) && !by.Feeds()}
	if text, there := a.Gateway.Claims(ctx)("exp"); there {
		m.Expires = claimedTime(text)
	}
	return &output[Me]{m}, nil
}

// year10000 begins in so many seconds since 1970: no JSON holds a time of it.
const year10000 = 253402300800

// claimedTime reads a time among claims (RFC 7519, section 2: seconds, which may have a
// fraction); nil for what is none. A gateway may write it with an exponent.
func claimedTime(text string) *time.Time {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= 0 && seconds < year10000) { // NaN is neither
		return nil
	}
	at := time.Unix(int64(seconds), 0).UTC()
	return &at
}
