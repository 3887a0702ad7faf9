package roster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// formsWait is how long a new version waits before it brings the addresses of
// earlier ones to the present form: until none of those that take turns with it
// while it is deployed stores any more.
const formsWait = time.Hour

// TendForms starts the job that brings addresses that earlier versions stored
// to the present form (store.RenewForms). Once it has ended, this costs a read.
// One that failed is started again the next day.
func (s *Service) TendForms(ctx context.Context) error {
	since, err := s.Store.AddressFormsSince(ctx)
	if err != nil || since.IsZero() || s.now().Sub(since) < formsWait {
		return err
	}
	now := s.now().UTC()
	id := directory.JobID("job_addresses_" + now.Format("20060102")) // one a day, whoever else looks
	_, err = s.Store.Job(ctx, id)
	if !errors.Is(err, directory.ErrNotFound) {
		return err
	}
	j := store.JobRecord{Job: directory.Job{ID: id, Kind: directory.JobAddresses, State: directory.JobQueued, Created: now, Updated: now}}
	_, err = s.startJob(ctx, j, nil)
	return err
}

// addressCursor is the place in the list of users.
type addressCursor struct {
	Next string `json:"next,omitempty"`
}

// addressStep does a page of users. Of two who are one by the present form, the
// job tells.
func (w *jobWorker) addressStep(ctx context.Context) (outcome, error) {
	var cur addressCursor
	if err := w.cursor(&cur); err != nil {
		return outcome{}, fmt.Errorf("job cursor: %w", err)
	}
	twins, next, err := w.Store.RenewAddressForms(ctx, cur.Next)
	if err != nil {
		return outcome{}, err
	}
	for i := range twins {
		u := &twins[i]
		w.count("twins", 1)
		w.tell(directory.JobNote{Name: directory.TidyAddress(u.Email), Warning: directory.Warning{Field: "email", Code: directory.WarnTwin, Detail: fmt.Sprintf(
			"The address or user name of the user %s is that of another user but for characters that nobody sees, or special forms of characters: correct one of the two, or delete it", u.ID)}})
		w.log().Warn("two users have one address but for characters that nobody sees", "userId", u.ID)
	}
	cur.Next = next
	return outcome{ended: next == ""}, w.saveCursor(cur)
}
