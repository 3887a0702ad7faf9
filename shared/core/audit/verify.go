package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"bindery/shared/core/incident"
	"bindery/shared/directory"
	"bindery/shared/store"
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

// Verifier holds what stands in the table against the chains. It does so as a
// job: in slices, of steps of a few links, each of which is saved.
type Verifier struct {
	Chains  ChainStores
	Stores  VerifyStores
	Signer  Signer
	Publish Publisher
	// Keep has the heads that are kept outside of the table; nil: only those that
	// the request names are known.
	Keep    Keeper
	WakeJob func(ctx context.Context, id directory.JobID) error
	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means silence
}

// Times and sizes of a verification.
const (
	verifyLease  = 90 * time.Second
	verifyStep   = 60 * time.Second
	verifyMargin = 20 * time.Second // before the deadline no further step is begun
	verifyTries  = 5
	linksInStep  = 25
	runsInStep   = 100
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
func (v *Verifier) Start(ctx context.Context, req VerifyRequest, by directory.Caller) (directory.Job, error) {
	if err := req.check(); err != nil {
		return directory.Job{}, err
	}
	if req.ConnectionID != "" {
		if _, err := v.Stores.Connections.Connection(ctx, req.ConnectionID); err != nil {
			return directory.Job{}, err
		}
	}
	input, err := json.Marshal(req)
	if err != nil {
		return directory.Job{}, err
	}
	now := v.now().UTC()
	j := store.JobRecord{Job: directory.Job{ID: directory.NewJobID(now), Kind: directory.JobVerify, ConnectionID: req.ConnectionID,
		State: directory.JobQueued, AskedBy: by.Subject, Created: now, Updated: now}, Input: input}
	if err := v.Stores.Jobs.CreateJob(ctx, by.AuditEvent(directory.AuditVerifyActivity), &j); err != nil {
		return directory.Job{}, err
	}
	if v.WakeJob != nil {
		_ = v.WakeJob(ctx, j.ID) // the job stands in the table; the schedule wakes it otherwise
	}
	return j.Job, nil
}

// verifyPlace is where a verification stands.
type verifyPlace struct {
	Began  time.Time    `json:"began"` // when it did
	Chains []chainPlace `json:"chains"`
	At     int          `json:"at"` // in Chains
	// Unbegun says that there is no chain of the sealed form yet.
	Unbegun bool   `json:"unbegun,omitempty"`
	Record  string `json:"record,omitempty"` // in the listing of what was done
	Walked  bool   `json:"walked,omitempty"` // all of that
}

// chainPlace is where the verification of one chain stands: links first, then
// the heads that are kept of it, then its runs.
type chainPlace struct {
	Chain    string `json:"chain"`
	Last     int64  `json:"last"`               // link when the verification began
	Hash     string `json:"hash"`               // of that link, as the head says
	Through  int64  `json:"through,omitempty"`  // hour, of the chain of acts
	Sealed   bool   `json:"sealed,omitempty"`   // that is, the head is
	From     int64  `json:"from,omitempty"`     // links up to here are left out
	Seq      int64  `json:"seq"`                // link verified last
	Previous string `json:"previous,omitempty"` // its hash
	Known    bool   `json:"known,omitempty"`    // that Previous is known
	Passed   int64  `json:"passed,omitempty"`   // hour, as the link verified last says
	Crossed  int64  `json:"crossed,omitempty"`  // link of the acts that was held against last
	Linked   bool   `json:"linked,omitempty"`   // all links are verified
	Kept     int64  `json:"kept,omitempty"`     // head held against last
	Held     bool   `json:"held,omitempty"`     // all heads are
	Cursor   string `json:"cursor,omitempty"`   // in the connection's runs
	Done     bool   `json:"done,omitempty"`
}

// Work does a slice of a verification; again says that another is needed.
func (v *Verifier) Work(ctx context.Context, id directory.JobID, deadline time.Time) (again bool, delay time.Duration, err error) {
	lease, j, err := v.Stores.Jobs.AcquireJob(ctx, id, verifyLease)
	switch {
	case errors.Is(err, store.ErrLeaseHeld), errors.Is(err, directory.ErrNotFound):
		return false, 0, nil
	case err != nil:
		return false, 0, err
	case j.State == directory.JobDone || j.State == directory.JobFailed:
		return false, 0, nil
	}
	j.State = directory.JobRunning
	if j.Attempts++; j.Attempts > verifyTries {
		j.State, j.Ended = directory.JobFailed, v.now().UTC()
		return false, 0, lost(v.Stores.Jobs.SaveJob(ctx, lease, &j, nil, 0))
	}
	if err := v.Stores.Jobs.SaveJob(ctx, lease, &j, nil, verifyLease); err != nil {
		return false, 0, lost(err)
	}
	for {
		kept := j
		kept.Counts = maps.Clone(j.Counts)
		found, ended, err := v.step(ctx, &j)
		if err != nil {
			return v.failed(ctx, lease, &j, err)
		}
		j.Attempts, j.Error = 0, nil
		ttl := verifyLease
		if ended {
			j.State, j.Ended, ttl = directory.JobDone, v.now().UTC(), 0
			if err := v.alarm(ctx, &j, found); err != nil {
				kept.Version, kept.Attempts = j.Version, 1
				return v.failed(ctx, lease, &kept, err)
			}
		}
		pause := !ended && !deadline.IsZero() && v.now().Add(verifyMargin).After(deadline)
		if pause {
			ttl = 0
		}
		if err := v.Stores.Jobs.SaveJob(ctx, lease, &j, found, ttl); err != nil {
			return false, 0, lost(err)
		}
		if ended || pause {
			return pause, 0, nil
		}
	}
}

// lost makes nothing of a lease that somebody else has now.
func lost(err error) error {
	if errors.Is(err, directory.ErrLeaseLost) {
		return nil
	}
	return err
}

// failed puts a verification off whose step failed; what it found is found again.
func (v *Verifier) failed(ctx context.Context, lease store.JobLease, j *store.JobRecord, err error) (bool, time.Duration, error) {
	j.Attempts = max(j.Attempts, 1)
	j.State, j.Ended = directory.JobRunning, time.Time{}
	shown := *incident.ProblemOf(ctx, v.Log, slog.LevelWarn, "try of a verification failed", err, directory.Problem{Message: "It was an error of Bindery's own."}, "jobId", j.ID, "attempt", j.Attempts)
	shown.Code, shown.Message, shown.Attempts = directory.CodeTryFailed, "The last try did not succeed. "+shown.Message, j.Attempts
	shown.Next, shown.Steps = "Nothing; it is tried again.", nil
	j.Error = &shown
	saved := v.Stores.Jobs.SaveJob(context.WithoutCancel(ctx), lease, j, nil, 0)
	return true, 5 * time.Second << (j.Attempts - 1), lost(saved)
}

// step verifies a few links, or looks through a few runs or hours. The job's
// place, counts and progress are edited when it went well.
func (v *Verifier) step(ctx context.Context, j *store.JobRecord) ([]directory.RefusedItem, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyStep)
	defer cancel()
	var req VerifyRequest
	if err := json.Unmarshal(j.Input, &req); err != nil {
		return nil, false, err
	}
	at := verifyPlace{Began: v.now().UTC()}
	x := &examination{Verifier: v, req: &req, at: &at, counts: map[string]int{}, linked: map[string]bool{}}
	if j.Cursor != nil {
		if err := json.Unmarshal(j.Cursor, &at); err != nil {
			return nil, false, err
		}
	} else if err := x.listChains(ctx); err != nil {
		return nil, false, err
	}
	switch {
	case at.At < len(at.Chains):
		if err := x.verifyChain(ctx, &at.Chains[at.At]); err != nil {
			return nil, false, err
		}
		if at.Chains[at.At].Done {
			at.At++
		}
	case !at.Walked:
		if err := x.verifyListing(ctx); err != nil {
			return nil, false, err
		}
	}
	cursor, err := json.Marshal(at)
	if err != nil {
		return nil, false, err
	}
	j.Cursor = cursor
	if j.Counts == nil {
		j.Counts = map[string]int{}
	}
	for name, n := range x.counts {
		j.Counts[name] += n
	}
	j.Total, j.Done = 0, 0
	for i := range at.Chains {
		j.Total, j.Done = j.Total+int(at.Chains[i].Last), j.Done+int(at.Chains[i].Seq)
	}
	return refusals(x.found), at.At >= len(at.Chains) && at.Walked, nil
}

// alarm tells others when anything was found, now or before.
func (v *Verifier) alarm(ctx context.Context, j *store.JobRecord, last []directory.RefusedItem) error {
	n := j.RefusedCount + len(last)
	if n == 0 {
		return nil
	}
	return v.Publish.Publish(ctx, directory.Notification{
		ID: "tampered:" + string(j.ID), Type: directory.NotificationTampered, At: v.now().UTC(), ConnectionID: j.ConnectionID,
		Text:  fmt.Sprintf("A verification of the activity has found %d differences. GET /v1/jobs/%s names them.", n, j.ID),
		Facts: j.Counts,
	})
}

// refusals are differences as a job lists them.
func refusals(list []Difference) []directory.RefusedItem {
	out := make([]directory.RefusedItem, len(list))
	for i, d := range list {
		name := d.Entry
		where := fmt.Sprintf(" (chain %s, link %d)", d.Chain, d.Seq)
		if name == "" {
			name = fmt.Sprintf("%s#%d", d.Chain, d.Seq)
		}
		out[i] = directory.RefusedItem{Name: name, Code: d.Code, Detail: strings.TrimSuffix(d.Text, ".") + where + "."}
	}
	return out
}
