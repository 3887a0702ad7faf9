package reconcile

import (
	"context"
	"testing"

	"bindery/shared/directory"
)

// failing is a tenant that refuses the writes to one account, except those that
// take access away.
type failing struct {
	*port
	account directory.AccountID
	outcome directory.Outcome
	before  func()
}

func (f *failing) Write(ctx context.Context, writes []directory.AccountWrite) ([]directory.Outcome, error) {
	if do := f.before; do != nil {
		f.before = nil
		do()
	}
	out := make([]directory.Outcome, len(writes))
	var some []directory.AccountWrite
	var at []int
	for i, w := range writes {
		if w.AccountID == f.account && w.Effect != directory.EffectBlock && w.Effect != directory.EffectRevoke {
			out[i] = f.outcome
			continue
		}
		some, at = append(some, w), append(at, i)
	}
	if len(some) == 0 {
		return out, nil
	}
	got, err := f.port.Write(ctx, some)
	if err != nil {
		return nil, err
	}
	for n, i := range at {
		out[i] = got[n]
	}
	return out, nil
}

func (w *world) failing(account directory.AccountID, o directory.Outcome) *failing {
	f := &failing{port: w.port, account: account, outcome: o}
	w.engine.Open = func(context.Context, *directory.Connection) (Tenant, error) { return f, nil }
	return f
}

// TestLeaverDuringAFailingWrite: what fails for a user is tried again after a
// rest, but a suspension that came meanwhile does not rest with it.
func TestLeaverDuringAFailingWrite(t *testing.T) {
	w := newWorld(t)
	ann := w.people(1)[0]
	w.skew += 2 * Grace
	f := w.failing(w.binding(ann).AccountID, directory.Outcome{Status: 400, Problem: &directory.Problem{Code: "x", Kind: directory.ProblemTenant, Message: "No."}})
	f.before = func() { w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended }) }
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Boss" })
	began := w.skew
	w.sync()
	if w.account(ann.Email)["accountEnabled"] != false {
		t.Errorf("the leaver is still enabled after %v", w.skew-began)
	}
}

