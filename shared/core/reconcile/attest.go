package reconcile

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Attest finds out whether a run, with who asked for it and who approved it, is
// as one of ours wrote it. old says that it may be from before records were
// sealed; a run that is neither is not ours.
type Attest func(ctx context.Context, r *store.RunRecord) (ours, old bool, err error)

// errNotOurs ends a run whose record, plan or approval was not written by us.
var errNotOurs = errors.New("reconcile: the run is not as it was written")

// notOurs is what an admin reads of such a run.
func notOurs(what string) error {
	return errors.Join(errNotOurs, &directory.Problem{Code: directory.CodeRunNotOurs,
		Message: fmt.Sprintf("%s does not bear the seal of one of Bindery's functions: it was written, or changed, in the table by somebody else. Nothing of it is carried out.", what),
		Next:    "Begin a verification (POST /v1/activity:verify) and find out who can write to the table. What is still to be done is planned anew."})
}

// attest refuses a run that is not ours, before anything is planned or sent for it.
// old says that it may be from before records were sealed.
func (w *invocation) attest(ctx context.Context, r *store.RunRecord) (old bool, err error) {
	if w.config.Attest == nil {
		return false, nil
	}
	ours, old, err := w.config.Attest(ctx, r)
	if err == nil && !ours && !old {
		err = notOurs("The run, or its approval,")
	}
	return old, err
}

// attestPlan refuses a plan that was changed after it was recorded, and perhaps
// approved.
func attestPlan(t *task, state store.SealState) error {
	if state == store.SealGood || state == store.SealNone && t.unsealed {
		return nil
	}
	return notOurs("The run's plan")
}
