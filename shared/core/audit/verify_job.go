package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// verifyMargin is what a further step may take: with less left of its time, the
// slice ends.
const verifyMargin = 20 * time.Second

// Verify is the kind of jobs that verify.
func (v *Verifier) Verify(*jobs.Job) jobs.Worker { return verifyWorker{v} }

type verifyWorker struct{ verifier *Verifier }

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

// ended reports whether nothing is left to be verified.
func (p *verifyPlace) ended() bool { return p.At >= len(p.Chains) && p.Walked }

// progress is how many links were verified, and how many there are.
func (p *verifyPlace) progress() (done, total int) {
	for i := range p.Chains {
		done += int(p.Chains[i].Seq)
		total += int(p.Chains[i].Last)
	}
	return done, total
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

// Step verifies a few links, or looks through a few runs or hours. Before it says
// that the job is done, it tells others of what was found: a step that cannot tell
// it is done again.
func (w verifyWorker) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	var req VerifyRequest
	if err := j.ReadInput(&req); err != nil {
		return jobs.Result{}, err
	}
	at := verifyPlace{Began: w.verifier.now().UTC()}
	if err := j.ReadPlace(&at); err != nil {
		return jobs.Result{}, err
	}
	step := &verifyStep{verifier: w.verifier, req: &req, at: &at, counts: map[string]int{}, linked: map[string]bool{}}
	if err := step.do(ctx, j.Cursor == nil); err != nil {
		return jobs.Result{}, err
	}
	if err := j.SetPlace(at); err != nil {
		return jobs.Result{}, err
	}
	for name, n := range step.counts {
		j.Count(name, n)
	}
	j.Done, j.Total = at.progress()
	result := jobs.Result{Refused: refusals(step.found), Ended: at.ended(), Next: verifyMargin}
	if result.Ended {
		if err := w.verifier.alarm(ctx, j, result.Refused); err != nil {
			return jobs.Result{}, err
		}
	}
	return result, nil
}

// alarm tells others when anything was found, now or before.
func (v *Verifier) alarm(ctx context.Context, j *jobs.Job, last []directory.RefusedItem) error {
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
