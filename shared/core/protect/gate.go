package protect

import (
	"context"

	"bindery/shared/directory"
)

// Writer writes up to 20 changes in one request and answers each. An error
// means that nothing is known of any of them, unless it is
// directory.ErrNotSent, *directory.ThrottledError or directory.ErrUnauthorized:
// then none was applied.
type Writer interface {
	Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error)
}

// Gate is the one way from Bindery to a tenant's accounts: whatever has planned
// a write, a run, an undo or a release, it passes here, and none to a protected
// account gets through.
type Gate struct {
	tenant     Writer
	protection *Protection
}

// NewGate returns the gate to a tenant whose protected accounts are known.
func NewGate(tenant Writer, p *Protection) *Gate { return &Gate{tenant, p} }

// Write is a write with the name that its account has.
type Write struct {
	directory.Write
	UserPrincipalName string
}

// Write sends writes and answers each in its place; those to protected accounts
// are answered without being sent. The errors are those of Writer.
func (g *Gate) Write(ctx context.Context, writes []Write) ([]directory.Outcome, error) {
	outs := make([]directory.Outcome, len(writes))
	var sent []directory.Write
	var places []int
	for i := range writes {
		if p := g.refuse(&writes[i]); p != nil {
			outs[i] = directory.Outcome{AccountID: writes[i].AccountID, Problem: p}
			continue
		}
		sent, places = append(sent, writes[i].Write), append(places, i)
	}
	if len(sent) == 0 {
		return outs, nil
	}
	got, err := g.tenant.Write(ctx, sent)
	if err != nil || len(got) != len(sent) {
		return nil, err
	}
	for n, i := range places {
		outs[i] = got[n]
	}
	return outs, nil
}

func (g *Gate) refuse(w *Write) *directory.Problem {
	if w.Effect == directory.EffectCreate {
		return nil // there is no account yet
	}
	reason, yes := g.protection.Of(w.AccountID, w.UserPrincipalName)
	if !yes {
		return nil
	}
	return Problem(reason)
}

// Problem is that of a write to an account that is protected for a reason.
func Problem(reason string) *directory.Problem {
	return &directory.Problem{Code: directory.CodeAccountProtected, Kind: directory.ProblemReadOnly, Message: "The account is protected: " + reason + ".",
		Next: "Change the account by hand, or lift its protection."}
}
