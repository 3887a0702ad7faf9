package admin

import (
	"context"
	"net/http"

	"bindery/shared/core/assign"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// Moves moves users from one connection to another; *assign.Moves does.
type Moves interface {
	Plan(ctx context.Context, by directory.Caller, u directory.UserID, req assign.MoveRequest) (*assign.Moving, error)
	Move(ctx context.Context, by directory.Caller, u directory.UserID, req assign.MoveRequest) (assign.Moved, error)
}

// MoveUser is the body of a move.
type MoveUser struct {
	ConnectionID directory.ConnectionID  `json:"connectionId" doc:"Where the user goes."`
	Then         directory.ReleasePolicy `json:"then,omitempty" enum:"keep,block,restore" doc:"What becomes of the old account; without it, as its connection's setting says."`
	Email        string                  `json:"email,omitempty" doc:"The user's new address, set in the same step."`
	DryRun       bool                    `json:"dryRun,omitempty" doc:"Only show what would happen."`
}

// MovePreview is what a move would do.
type MovePreview struct {
	From directory.ConnectionID  `json:"from"`
	To   directory.ConnectionID  `json:"to"`
	Then directory.ReleasePolicy `json:"then"`
	// Release is what would be written to the old account.
	Release []directory.Change `json:"release"`
	Problem *directory.Problem `json:"problem,omitempty" doc:"Why the old account cannot be written to."`
	// Binding is what the first run of the new connection would do.
	Binding reconcile.Explanation `json:"binding"`
}

// MoveResult is what a move did.
type MoveResult struct {
	State string                 `json:"state" enum:"moved,moving"`
	Run   *directory.Run         `json:"run,omitempty" doc:"The run that writes to the old account first."`
	From  directory.ConnectionID `json:"from"`
	To    directory.ConnectionID `json:"to"`
}

func (a *API) moves() {
	register(a, operation{id: "moveUser", method: http.MethodPost, path: "/v1/users/{id}/move", scope: ScopeWrite, status: 200,
		summary: "Move a user from its connection to another one, or show what that would do", body: schema[MoveUser](a),
		also: answers{200: schema[MovePreview](a), 202: schema[MoveResult](a)}}, a.moveUser)
}

func (a *API) moveUser(ctx context.Context, by Caller, in *struct {
	UserPath
	sent[MoveUser]
}) (*accepted, error) {
	user := directory.UserID(in.ID)
	req := assign.MoveRequest{To: in.body.ConnectionID, Then: in.body.Then, Email: in.body.Email}
	if in.body.DryRun {
		preview, err := a.previewMove(ctx, user, req, by)
		return &accepted{Status: http.StatusOK, Body: preview}, err
	}
	done, err := a.Moves.Move(ctx, by.Caller, user, req)
	if err != nil {
		return nil, err
	}
	if done.Done {
		return &accepted{Status: http.StatusOK, Body: MoveResult{State: "moved", From: done.From, To: done.To}}, nil
	}
	return &accepted{http.StatusAccepted, runPath(done.Run.ID), MoveResult{State: "moving", Run: done.Run, From: done.From, To: done.To}}, nil
}

// previewMove says what a move would do.
func (a *API) previewMove(ctx context.Context, user directory.UserID, req assign.MoveRequest, by Caller) (MovePreview, error) {
	m, err := a.Moves.Plan(ctx, by.Caller, user, req)
	if err != nil {
		return MovePreview{}, err
	}
	out := MovePreview{From: m.From.ID, To: m.To.ID, Then: m.Then, Release: []directory.Change{}}
	if !m.AtOnce() {
		d, err := a.Engine.IfReleased(ctx, &m.From, user, m.Then)
		if err != nil {
			return out, err
		}
		out.Release, out.Problem = orEmpty(d.Changes), d.Problem
		for i := range out.Release {
			out.Release[i].Properties = orEmpty(out.Release[i].Properties)
		}
	}
	out.Binding, err = a.Engine.IfBound(ctx, &m.To, &m.User)
	out.Binding.Attributes, out.Binding.Decision.Changes = orEmpty(out.Binding.Attributes), orEmpty(out.Binding.Decision.Changes)
	return out, err
}
