package reconcile

import (
	"context"

	"bindery/shared/directory"
)

// writer is the one way from Bindery to a tenant's accounts: whatever has planned
// a write, a run, an undo or a release, it passes here, and none to a protected
// account gets through. A test of the source holds that nobody else calls the
// tenant's Write.
type writer struct{ w *worker }

func newWriter(w *worker) writer { return writer{w} }

// send sends writes and answers each in its place; those to protected accounts
// are answered without being sent. upns name the accounts of the writes. The
// errors are those of Tenant.Write.
func (x writer) send(ctx context.Context, writes []directory.AccountWrite, upns []string) ([]directory.Outcome, error) {
	outs := make([]directory.Outcome, len(writes))
	var free []directory.AccountWrite
	var at []int
	for i := range writes {
		if p := x.refuse(&writes[i], upns[i]); p != nil {
			outs[i] = directory.Outcome{AccountID: writes[i].AccountID, Problem: p}
			continue
		}
		free, at = append(free, writes[i]), append(at, i)
	}
	if len(free) == 0 {
		return outs, nil
	}
	got, err := x.w.tenant.Write(ctx, free)
	if err != nil || len(got) != len(free) {
		return nil, err
	}
	for n, i := range at {
		outs[i] = got[n]
	}
	return outs, nil
}

func (x writer) refuse(a *directory.AccountWrite, upn string) *directory.Problem {
	if a.Effect == directory.EffectCreate {
		return nil // there is no account yet
	}
	reason, yes := x.w.protected(a.AccountID, upn)
	if !yes {
		return nil
	}
	return protectedProblem(reason)
}

func protectedProblem(reason string) *directory.Problem {
	return &directory.Problem{Code: CodeProtected, Kind: directory.ProblemReadOnly, Message: "The account is protected: " + reason + ".",
		Next: "Change the account by hand, or lift its protection."}
}
