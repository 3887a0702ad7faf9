package admin

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bindery/shared/core/protect"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Overrides ends lifts of protections; *protect.Overrides does.
type Overrides interface {
	End(ctx context.Context, by directory.Caller, c *directory.Connection, id directory.AccountID) error
}

// Protection is who is protected in a tenant.
type Protection struct {
	Accounts []protect.Protected `json:"accounts"`
	// Unread says why it is not known of all: runs are held meanwhile.
	Unread string `json:"unread,omitempty"`
}

// LiftRequest is the body of a lift.
type LiftRequest struct {
	Minutes int    `json:"minutes" minimum:"1" maximum:"1440" doc:"For how long."`
	Reason  string `json:"reason,omitempty" maxLength:"1000" doc:"Why, for whoever reads about it."`
}

// AccountPath names an account in a path.
type AccountPath struct {
	ConnectionPath
	AccountID string `path:"accountId" maxLength:"36" pattern:"^[0-9A-Fa-f-]{36}$" doc:"ID of the account"`
}

func (a *API) protection() {
	register(a, operation{id: "getProtection", method: http.MethodGet, path: "/v1/connections/{id}/protection", scope: ScopeRead,
		summary: "List the accounts that are never written to, and why"}, a.getProtection)
	register(a, operation{id: "liftProtection", method: http.MethodPost, path: "/v1/connections/{id}/protection/{accountId}/lift", scope: ScopeApprove,
		more:    "With fourEyes it waits as a proposal (202) until somebody else approves it.",
		summary: "Let one protected account be written to, for some hours", body: schema[LiftRequest](a), core: []string{"minutes", "reason"}, status: 200,
		also: answers{200: schema[store.ProtectionOverride](a), 202: schema[Proposal](a)}}, a.liftProtection)
	register(a, operation{id: "endLift", method: http.MethodDelete, path: "/v1/connections/{id}/protection/{accountId}/lift", scope: ScopeApprove, status: 204,
		summary: "Protect an account again before the time"}, a.endLift)
}

// namesWithin is how long the names of protected accounts are waited for. Microsoft answers a
// batch within some tenths of a second; where it is slow, or has us wait, the list is not to end
// with the call: who is protected is known without it.
const namesWithin = 2 * time.Second

func (a *API) getProtection(ctx context.Context, _ Caller, in *ConnectionPath) (*output[Protection], error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	p, err := a.Engine.Protection(ctx, &c)
	if err != nil {
		return nil, err
	}
	list := p.List()
	ids := make([]directory.AccountID, len(list))
	for i := range list {
		ids[i] = list[i].AccountID
	}
	// Without their names the accounts are protected all the same, and are told.
	within, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	if names, err := a.Accounts.Names(within, &c, ids); err == nil {
		for i := range list {
			list[i].UserPrincipalName = names[list[i].AccountID]
		}
	}
	return &output[Protection]{Protection{Accounts: list, Unread: p.Unread()}}, nil
}

func (a *API) liftProtection(ctx context.Context, by Caller, in *struct {
	AccountPath
	sent[LiftRequest]
}) (*accepted, error) {
	reason, err := oneLine(in.body.Reason)
	if err != nil {
		return nil, err
	}
	id := directory.ConnectionID(in.ID)
	done, err := a.Safety.Lift(ctx, by.Caller, id, directory.AccountID(strings.ToLower(in.AccountID)), in.body.Minutes, reason)
	if err != nil {
		return nil, err
	}
	if done.Proposal != nil {
		return proposed(&directory.Connection{ID: id}, done.Proposal), nil
	}
	return &accepted{Status: http.StatusOK, Body: done.Lift}, nil
}

func (a *API) endLift(ctx context.Context, by Caller, in *AccountPath) (*struct{}, error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return nil, a.Lifts.End(ctx, by.Caller, &c, directory.AccountID(strings.ToLower(in.AccountID)))
}

// maxReason is how many characters a reason has at most.
const maxReason = 1000

// oneLine checks a reason that a person gives.
func oneLine(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if utf8.RuneCountInString(reason) > maxReason || strings.ContainsFunc(reason, unicode.IsControl) {
		return "", directory.Refuse(directory.ErrInvalid, directory.CodeInvalidReason, "The reason is longer than 1,000 characters or has control characters.", "Shorten it to a line.")
	}
	return reason, nil
}
