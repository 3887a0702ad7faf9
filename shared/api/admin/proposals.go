package admin

import (
	"context"
	"net/http"

	"bindery/shared/core/safety"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Safety edits connections and lifts protections; *safety.Service does.
type Safety interface {
	Edit(ctx context.Context, by directory.Caller, id directory.ConnectionID, e safety.Edit) (safety.Edited, error)
	Lift(ctx context.Context, by directory.Caller, id directory.ConnectionID, account directory.AccountID, minutes int, reason string) (safety.Lifted, error)
	Proposals(ctx context.Context, id directory.ConnectionID) (directory.Connection, []directory.Proposal, error)
	Approve(ctx context.Context, by directory.Caller, id directory.ConnectionID, proposal string) (safety.Decided, error)
	Decline(ctx context.Context, by directory.Caller, id directory.ConnectionID, proposal string) error
}

// Proposal is what waits for somebody else by fourEyes, as the API shows it.
type Proposal struct {
	directory.Proposal
	Stale bool   `json:"stale" doc:"The settings have changed since: it cannot be approved any more."`
	Href  string `json:"href" doc:"Where it is read; /approve and /decline below it decide."`
}

func viewProposal(c *directory.Connection, p directory.Proposal) Proposal {
	return Proposal{p, c.Stale(&p), proposalPath(c.ID, p.ID)}
}

func proposalPath(c directory.ConnectionID, id string) string {
	return "/v1/connections/" + string(c) + "/proposals/" + id
}

// ProposalPath names a proposal in a path.
type ProposalPath struct {
	ConnectionPath
	ProposalID string `path:"proposalId" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the proposal"`
}

// ApprovedProposal is the answer to the approval of a proposal.
type ApprovedProposal struct {
	Connection Connection                `json:"connection"`
	Lift       *store.ProtectionOverride `json:"lift,omitempty" doc:"What was lifted, when the proposal was about a protection."`
}

func (a *API) proposals() {
	register(a, operation{id: "listProposals", method: http.MethodGet, path: "/v1/connections/{id}/proposals", scope: ScopeRead,
		summary: "List what waits for somebody else to approve it (fourEyes)"}, a.listProposals)
	register(a, operation{id: "getProposal", method: http.MethodGet, path: "/v1/connections/{id}/proposals/{proposalId}", scope: ScopeRead,
		summary: "Read a proposal"}, a.getProposal)
	register(a, operation{id: "approveProposal", method: http.MethodPost, path: "/v1/connections/{id}/proposals/{proposalId}/approve", scope: ScopeApprove,
		more:    "Not for whoever made the proposal (403 four-eyes), nor once the settings that it was made from have changed (409 proposal-stale).",
		summary: "Do what a proposal says", body: schema[WithReason](a), core: []string{"reason"}, optional: true}, a.approveProposal)
	register(a, operation{id: "declineProposal", method: http.MethodPost, path: "/v1/connections/{id}/proposals/{proposalId}/decline", scope: ScopeApprove, status: 204,
		summary: "Drop a proposal; whoever made it may do that too", body: schema[WithReason](a), core: []string{"reason"}, optional: true}, a.declineProposal)
}

func (a *API) listProposals(ctx context.Context, _ Caller, in *ConnectionPath) (*listOutput[Proposal], error) {
	c, open, err := a.Safety.Proposals(ctx, directory.ConnectionID(in.ID))
	if err != nil {
		return nil, err
	}
	views := make([]Proposal, len(open))
	for i, p := range open {
		views[i] = viewProposal(&c, p)
	}
	return &listOutput[Proposal]{list[Proposal]{Items: views}}, nil
}

func (a *API) getProposal(ctx context.Context, _ Caller, in *ProposalPath) (*output[Proposal], error) {
	c, open, err := a.Safety.Proposals(ctx, directory.ConnectionID(in.ID))
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		if p.ID == in.ProposalID {
			return &output[Proposal]{viewProposal(&c, p)}, nil
		}
	}
	return nil, directory.Refuse(directory.ErrNotFound, directory.CodeNoSuchProposal, "There is no such proposal at this connection: it was decided about, has expired, or was never made.", "")
}

// proposalDecision is a proposal with the reason for what is decided about it.
type proposalDecision struct {
	ProposalPath
	sent[WithReason]
}

func (a *API) approveProposal(ctx context.Context, by Caller, in *proposalDecision) (*output[ApprovedProposal], error) {
	why, err := in.body.explained(by)
	if err != nil {
		return nil, err
	}
	done, err := a.Safety.Approve(ctx, why, directory.ConnectionID(in.ID), in.ProposalID)
	if err != nil {
		return nil, err
	}
	if done.Proposal.Kind == directory.ProposalSettings {
		a.wake(ctx, &done.Connection)
	}
	v, err := a.view(ctx, &done.Connection)
	return &output[ApprovedProposal]{ApprovedProposal{v, done.Lift}}, err
}

func (a *API) declineProposal(ctx context.Context, by Caller, in *proposalDecision) (*struct{}, error) {
	why, err := in.body.explained(by)
	if err != nil {
		return nil, err
	}
	return nil, a.Safety.Decline(ctx, why, directory.ConnectionID(in.ID), in.ProposalID)
}

// proposed is the answer to what waits for somebody else.
func proposed(c *directory.Connection, p *directory.Proposal) *accepted {
	return &accepted{http.StatusAccepted, proposalPath(c.ID, p.ID), viewProposal(c, *p)}
}

// wake asks for a slice of a connection whose settings changed.
func (a *API) wake(ctx context.Context, c *directory.Connection) {
	if a.Wake == nil || c.Status != directory.StatusActive {
		return
	}
	if err := a.Wake(ctx, c.ID); err != nil {
		a.Log.WarnContext(ctx, "wake-up not sent; the schedule makes up for it", "connectionId", c.ID, "error", err)
	}
}
