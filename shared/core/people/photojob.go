package people

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"bindery/shared/clock"
	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/core/picture"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Read is the kind of jobs that read pictures.
func (s *Photos) Read(*jobs.Job) jobs.Worker { return &photoWorker{photos: s} }

// photoWorker is one slice of a job that reads pictures.
type photoWorker struct {
	photos *Photos
	// asked counts the pictures that Microsoft let us ask for, forbidden those in
	// a row that it did not.
	asked, forbidden int
}

// Step reads the next pictures: those that an import made due, then those whose turn
// it is.
func (w *photoWorker) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	var in photoInput
	var next string // place in the listing of members
	if err := j.ReadInput(&in); err != nil {
		return jobs.Result{}, err
	}
	if err := j.ReadPlace(&next); err != nil {
		return jobs.Result{}, err
	}
	c, err := assign.WorkingSince(ctx, w.photos.connections, j.ConnectionID, in.Epoch)
	if err != nil {
		return jobs.Result{}, err
	}
	if !c.Settings.Import.Photos {
		return jobs.Result{Ended: true}, nil // switched off meanwhile
	}
	due, err := w.photos.pending.PhotosDue(ctx, c.ID, c.Epoch, photoWindow)
	if err != nil {
		return jobs.Result{}, err
	}
	if len(due) > 0 {
		result, err := w.read(ctx, j, &c, due)
		if err == nil {
			err = w.photos.pending.RemovePhotosDue(ctx, c.ID, c.Epoch, due)
		}
		return result, err
	}
	turn, next, err := w.turns(ctx, &c, in, next)
	if err != nil {
		return jobs.Result{}, err
	}
	result, err := w.read(ctx, j, &c, turn)
	if err != nil {
		return jobs.Result{}, err
	}
	if next == "" {
		result.Ended = true
		j.Total = j.Done
		err = w.dayDone(ctx, j, &c, in)
	}
	return result, errors.Join(err, j.SetPlace(next))
}

// turns lists the next members whose turn it is.
func (w *photoWorker) turns(ctx context.Context, c *directory.Connection, in photoInput, next string) ([]store.PhotoDue, string, error) {
	var turn []store.PhotoDue
	if in.From >= in.To {
		return nil, "", nil
	}
	for range photoPages {
		list, after, err := w.photos.bindings.ListBindings(ctx, directory.KindAccount, c.ID, c.Epoch, next, photoWindow)
		if err != nil {
			return nil, "", err
		}
		for _, b := range list {
			// The first day after From that is the user's.
			wait := ((store.PhotoTurn(b.UserID)-in.From-1)%store.PhotoDays + store.PhotoDays) % store.PhotoDays
			if b.AccountID != "" && in.From+1+wait <= in.To {
				turn = append(turn, store.PhotoDue{UserID: b.UserID, AccountID: b.AccountID})
			}
		}
		next = after
		if next == "" || len(turn) >= photoWindow {
			break
		}
	}
	return turn, next, nil
}

// dayDone notes in the plan until which day pictures were read.
func (w *photoWorker) dayDone(ctx context.Context, j *jobs.Job, c *directory.Connection, in photoInput) error {
	plan, err := w.photos.plans.PhotoPlan(ctx, c.ID)
	if err != nil || plan.Epoch != in.Epoch || plan.Job != j.ID {
		return err // another job counts now
	}
	plan.Day = in.To
	return w.photos.plans.SavePhotoPlan(ctx, c.ID, &plan)
}

// The outcomes of one picture, by which jobs count them.
const (
	photoNone      = "none"
	photoKnown     = "known" // looked at lately
	photoUnchanged = "unchanged"
	photoStored    = "stored"
	photoUnusable  = "unusable"
	photoGone      = "gone" // the user was deleted
)

// read reads pictures, one at a time. What was read is stored at once: a step
// that is done again goes on behind it.
func (w *photoWorker) read(ctx context.Context, j *jobs.Job, c *directory.Connection, list []store.PhotoDue) (jobs.Result, error) {
	var result jobs.Result
	if len(list) == 0 {
		return result, nil
	}
	reader, err := w.photos.open(ctx, c)
	if err != nil {
		return result, err
	}
	for _, d := range list {
		what, err := w.photo(ctx, j, c, reader, d)
		switch {
		case err == nil:
			j.Count(what, 1)
			if what != photoKnown {
				w.asked++
				w.forbidden = 0
			}
		case errors.Is(err, directory.ErrNotFound):
			j.Count(photoGone, 1)
		default:
			refused, err := w.refused(d, err)
			if err != nil {
				return result, err
			}
			result.Refused = append(result.Refused, refused)
		}
		j.Done++
	}
	result.Refused = jobs.Short(result.Refused)
	return result, nil
}

// refused is a picture that cannot be read, as the job reports it. Its error is one
// that concerns more than this picture, and ends the step.
func (w *photoWorker) refused(d store.PhotoDue, err error) (directory.RefusedItem, error) {
	p, ok := errors.AsType[*directory.Problem](err)
	if !ok {
		return directory.RefusedItem{}, err
	}
	if p.MicrosoftStatus == http.StatusForbidden && w.allForbidden() {
		return directory.RefusedItem{}, directory.Refuse(directory.ErrForbidden, p.Code, p.Message, p.Next)
	}
	_, throttled := errors.AsType[*directory.ThrottledError](err)
	if throttled || errors.Is(err, directory.ErrUnavailable) || errors.Is(err, directory.ErrUnauthorized) {
		return directory.RefusedItem{}, err
	}
	return directory.RefusedItem{UserID: d.UserID, AccountID: d.AccountID, Code: p.Code, Detail: p.Advice()}, nil
}

// allForbidden counts an account whose picture may not be read, and reports whether
// it is the connection that may not: another one was refused as well, and none was
// read. A single one is that account's matter.
func (w *photoWorker) allForbidden() bool {
	w.forbidden++
	return w.forbidden > 1 && w.asked == 0
}

// photo reads one picture as far as it has changed, and says what came of it.
func (w *photoWorker) photo(ctx context.Context, j *jobs.Job, c *directory.Connection, reader PhotoReader, d store.PhotoDue) (string, error) {
	have, err := w.photos.records.Photo(ctx, d.UserID)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return "", err
	}
	same := err == nil && have.ConnectionID == c.ID && have.AccountID == d.AccountID
	now := w.photos.now().UTC()
	if same && (!have.Checked.Before(j.Created) || have.MediaETag == "" && unixDay(now)-unixDay(have.Checked) < store.PhotoDays) {
		return photoKnown, nil
	}
	if err := w.pace(ctx); err != nil {
		return "", err
	}
	etag, err := reader.PhotoETag(ctx, d.AccountID)
	if err != nil {
		return "", err
	}
	if same && etag != "" && etag == have.MediaETag {
		have.Checked = now
		return photoUnchanged, w.photos.records.SavePhoto(ctx, c.Epoch, &have)
	}
	next := directory.Photo{UserID: d.UserID, ConnectionID: c.ID, AccountID: d.AccountID, Checked: now, MediaETag: etag}
	what := photoNone
	if etag != "" {
		if what, err = w.fetch(ctx, reader, &next); err != nil {
			return "", err
		}
	}
	return what, w.photos.records.SavePhoto(ctx, c.Epoch, &next)
}

// fetch reads a picture and checks it.
func (w *photoWorker) fetch(ctx context.Context, reader PhotoReader, p *directory.Photo) (string, error) {
	if err := w.pace(ctx); err != nil {
		return "", err
	}
	data, err := reader.PhotoFile(ctx, p.AccountID)
	if err == nil && data == nil { // taken away since
		p.MediaETag = ""
		return photoNone, nil
	}
	var pic picture.Picture
	if err == nil {
		pic, err = picture.Prepare(data)
	}
	if errors.Is(err, picture.ErrRefused) || errors.Is(err, directory.ErrTooLarge) {
		p.Refused = err.Error()
		return photoUnusable, nil
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(pic.Data)
	p.Type = pic.Type
	p.Width = pic.Width
	p.Height = pic.Height
	p.Data = pic.Data
	p.Digest = hex.EncodeToString(sum[:16])
	return photoStored, nil
}

// pace waits until the next request may be sent.
func (w *photoWorker) pace(ctx context.Context) error {
	return clock.Sleep(ctx, w.photos.pause)
}
