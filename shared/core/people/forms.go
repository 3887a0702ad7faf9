package people

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// formsWait is how long a new version waits before it brings the addresses of
// earlier ones to the present form: until none of those that take turns with it
// while it is deployed stores any more.
const formsWait = time.Hour

// FormsConfig is what Forms stand on.
type FormsConfig struct {
	Stores Stores
	Jobs   *jobs.Service
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means silence
}

// Forms brings addresses that earlier versions stored to the present form, once.
type Forms struct {
	addresses addressForms
	jobs      *jobs.Service
	now       func() time.Time
	log       *slog.Logger
}

// NewForms returns Forms.
func NewForms(cfg FormsConfig) *Forms {
	return &Forms{addresses: cfg.Stores.Addresses, jobs: cfg.Jobs, now: orNow(cfg.Now), log: orSilent(cfg.Log)}
}

// Tend starts the job that brings addresses to the present form. Once it has ended,
// this costs a read. One that failed is started again the next day.
func (s *Forms) Tend(ctx context.Context) error {
	since, err := s.addresses.AddressFormsSince(ctx)
	if err != nil || since.IsZero() || s.now().Sub(since) < formsWait {
		return err
	}
	id := directory.JobID("job_addresses_" + s.now().UTC().Format("20060102")) // one a day, whoever else looks
	_, err = s.jobs.Find(ctx, id)
	if !errors.Is(err, directory.ErrNotFound) {
		return err
	}
	_, err = s.jobs.Start(ctx, jobs.Order{ID: id, Kind: directory.JobAddresses})
	return err
}

// Renew is the kind of jobs that bring addresses to the present form.
func (s *Forms) Renew(*jobs.Job) jobs.Worker { return formWorker{s} }

type formWorker struct{ forms *Forms }

// formPlace is the place in the list of users.
type formPlace struct {
	Next string `json:"next,omitempty"`
}

// Step does a page of users. Of two who are one by the present form, the job tells.
func (w formWorker) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	var at formPlace
	if err := j.ReadPlace(&at); err != nil {
		return jobs.Result{}, err
	}
	twins, next, err := w.forms.addresses.RenewAddressForms(ctx, at.Next)
	if err != nil {
		return jobs.Result{}, err
	}
	for i := range twins {
		u := &twins[i]
		j.Count("twins", 1)
		j.Note(directory.JobNote{Name: directory.TidyAddress(u.Email), Warning: directory.Warning{Field: "email", Code: directory.WarnTwin, Detail: fmt.Sprintf(
			"The address or user name of the user %s is that of another user but for characters that nobody sees, or special forms of characters: correct one of the two, or delete it", u.ID)}})
		w.forms.log.Warn("two users have one address but for characters that nobody sees", "userId", u.ID)
	}
	at.Next = next
	return jobs.Result{Ended: next == ""}, j.SetPlace(at)
}
