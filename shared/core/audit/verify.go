package audit

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// VerifyRequest says what is to be verified. The zero request is everything.
type VerifyRequest struct {
	ConnectionID directory.ConnectionID `json:"connectionId,omitempty"` // only its chain
	// Since leaves out links that were made before; the chain is still followed
	// from the first one that is looked at.
	Since time.Time `json:"since,omitzero"`
	// Heads are links as the events told them; a chain that does not have them
	// is not the one that was told of.
	Heads []KnownHead `json:"heads,omitempty"`
}

// KnownHead is a link of a chain as it was told in an event.
type KnownHead struct {
	Chain string `json:"chain"`
	Seq   int64  `json:"seq"`
	Hash  string `json:"hash"`
}

// maxKnownHeads is how many heads a request may name.
const maxKnownHeads = 1000

func (r *VerifyRequest) check() error {
	var f []directory.FieldError
	if len(r.Heads) > maxKnownHeads {
		f = append(f, directory.FieldError{Field: "heads", Detail: fmt.Sprintf("must hold at most %d heads", maxKnownHeads)})
	}
	for i, h := range r.Heads {
		if h.Chain == "" || h.Seq < 1 || len(h.Hash) != 64 {
			f = append(f, directory.FieldError{Field: fmt.Sprintf("heads[%d]", i), Detail: "must have chain, seq (from 1) and hash (64 hexadecimal digits), as the event bindery.activity.head has them"})
		}
	}
	if f == nil {
		return nil
	}
	refusal := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody, "The verification was not begun.", "Correct the members named in errors.")
	refusal.Fields = f
	return refusal
}

// jobStarter starts jobs; *jobs.Service does.
type jobStarter interface {
	Start(ctx context.Context, o jobs.Order) (directory.Job, error)
}

// Verifier holds what stands in the table against the chains. It does so as a
// job, of steps of a few links.
type Verifier struct {
	Chains  ChainStores
	Stores  VerifyStores
	Signer  Signer
	Publish Publisher
	// Keep has the heads that are kept outside of the table; nil: only those that
	// the request names are known.
	Keep Keeper
	Jobs jobStarter
	Now  func() time.Time // nil means time.Now
	Log  *slog.Logger     // nil means silence
}

// Sizes of a verification.
const (
	linksInStep = 25
	runsInStep  = 100
	// recordsInStep is how many records of the listing one step looks at.
	recordsInStep = 200
	// keptInStep is how many kept heads are held against their chain in a step.
	keptInStep = 500
	// linksReadAtOnce is how many links are read at once.
	linksReadAtOnce = 100
	// maxLinksSearched is how many links are searched for the one of a run whose
	// pointer is gone.
	maxLinksSearched = 2000
	// maxNamedInLink is how many entries of one link are named; the rest is counted.
	maxNamedInLink = 200
)

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

// Start records a verification and asks for its first slice.
func (v *Verifier) Start(ctx context.Context, by directory.Caller, req VerifyRequest) (directory.Job, error) {
	if err := req.check(); err != nil {
		return directory.Job{}, err
	}
	if req.ConnectionID != "" {
		if _, err := v.Stores.Connections.Connection(ctx, req.ConnectionID); err != nil {
			return directory.Job{}, err
		}
	}
	return v.Jobs.Start(ctx, jobs.Order{
		Kind: directory.JobVerify, ConnectionID: req.ConnectionID, By: by, Audit: directory.AuditVerifyActivity, Input: req,
	})
}
