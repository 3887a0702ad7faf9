package roster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"bindery/shared/core/picture"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Pictures are read by a job of their own, apart from runs and their lease: it
// writes nothing to the tenant, and Microsoft throttles the service that keeps
// photos apart, so that it may wait for hours while accounts are synced. An
// import makes the pictures of its users due at once. After that each bound
// user has a turn on one day of thirty, chosen by a hash of its ID: the tenant
// is asked for the media etag, and for the picture when that is another one. So
// "no picture" is remembered for thirty days, and an idle run knows nothing of
// all this: the schedule looks at one record of the connection. A day that was
// missed is made up for. Each connection's day begins at a time of its own, so
// that they do not all begin at midnight.
const (
	// photoWindow is about how many pictures one step reads.
	photoWindow = 10
	// photoPages bounds the pages of members that one step looks at.
	photoPages = 40
	// photoPause lies between two requests.
	photoPause = 200 * time.Millisecond
	// photoMaking is how long a job may be named in the plan and not be there:
	// after that whoever named it is dead.
	photoMaking = time.Minute
	// photoRest is how long the schedule waits after a job that failed.
	photoRest = time.Hour
	day       = 24 * time.Hour
)

// PhotoReader reads pictures of one tenant: the media etag and the file; "" and
// nil when an account has none. An account that is not there is a
// *directory.Problem with the code account-not-found.
type PhotoReader interface {
	PhotoETag(ctx context.Context, id directory.AccountID) (string, error)
	PhotoFile(ctx context.Context, id directory.AccountID) ([]byte, error)
}

type photoStore interface {
	Photo(ctx context.Context, u directory.UserID) (directory.Photo, error)
	SavePhoto(ctx context.Context, epoch int64, p *directory.Photo) error
	AddPhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, list []store.PhotoDue) error
	PhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, limit int) ([]store.PhotoDue, error)
	RemovePhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, list []store.PhotoDue) error
	PhotoPlan(ctx context.Context, c directory.ConnectionID) (store.PhotoPlan, error)
	SavePhotoPlan(ctx context.Context, c directory.ConnectionID, p *store.PhotoPlan) error
}

// Photo returns a user's picture.
func (s *Service) Photo(ctx context.Context, id directory.UserID) (directory.Photo, error) {
	u, err := s.Get(ctx, id)
	if err != nil {
		return directory.Photo{}, err
	}
	p, err := s.Store.Photo(ctx, id)
	if err == nil && p.Type != "" && u.Deleted == nil {
		return p, nil
	}
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return directory.Photo{}, err
	}
	detail, next := "There is no picture of the user.", "Pictures come from Microsoft 365 when import.photos is true in the connection's settings."
	if p.Refused != "" {
		detail, next = "The user's picture in Microsoft 365 was not kept: "+p.Refused+".", "Set another one in Microsoft 365."
	}
	return directory.Photo{}, directory.Refuse(directory.ErrNotFound, "photo-not-found", detail, next)
}

func unixDay(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// photoInput is the input of a job that reads pictures: the days, after From up
// to To, whose turns it reads.
type photoInput struct {
	Epoch int64 `json:"epoch"`
	From  int64 `json:"from"`
	To    int64 `json:"to"`
}

// StartPhotos starts a job that reads pictures when some are due, the setting
// asks for them, and no such job is open.
func (s *Service) StartPhotos(ctx context.Context, c *directory.Connection) error {
	if !c.Settings.Import.Photos || !c.Authorized() {
		return nil
	}
	plan, err := s.Store.PhotoPlan(ctx, c.ID)
	if err != nil {
		return err
	}
	return s.TendPhotos(ctx, c, plan, true)
}

// Tend is TendPhotos for the schedule, which calls it for each connection.
func (s *Service) Tend(ctx context.Context, l *store.ScheduledConnection, b *store.Beside, seldom bool) error {
	return s.TendPhotos(ctx, &l.Connection, b.Photos, seldom)
}

// TendPhotos is StartPhotos for one who has read the plan. Unless seldom is true
// it looks for no pictures that an import made due: the import starts their job
// itself, and that is only for one that died before.
func (s *Service) TendPhotos(ctx context.Context, c *directory.Connection, plan store.PhotoPlan, seldom bool) error {
	if !c.Settings.Import.Photos || !c.Authorized() {
		return nil
	}
	// Each connection's day begins at a time of its own.
	turn := string(c.ID) + "/photos"
	today := unixDay(directory.LastTurn(turn, day, s.now()))
	if plan.Epoch != c.Epoch {
		plan = store.PhotoPlan{Epoch: c.Epoch, Day: today - 1, Version: plan.Version}
	}
	if plan.Job != "" {
		j, err := s.Store.Job(ctx, plan.Job)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		age, missing := s.now().Sub(plan.At), err != nil
		switch {
		case missing && age < photoMaking: // whoever named it is about to make it
			return nil
		case !missing && j.State != directory.JobDone && j.State != directory.JobFailed:
			return nil
		case j.State == directory.JobFailed && age < photoRest:
			return nil
		}
	}
	if plan.Day >= today || !directory.TurnDue(turn, day, time.Time{}, s.now()) {
		if !seldom {
			return nil
		}
		due, err := s.Store.PhotosDue(ctx, c.ID, c.Epoch, 1)
		if err != nil || len(due) == 0 {
			return err
		}
	}
	return s.newPhotoJob(ctx, c, plan, today)
}

// newPhotoJob names the job in the plan before it makes it: of two that start
// one at once, one does.
func (s *Service) newPhotoJob(ctx context.Context, c *directory.Connection, plan store.PhotoPlan, today int64) error {
	raw, err := json.Marshal(photoInput{Epoch: c.Epoch, From: plan.Day, To: today})
	if err != nil {
		return fmt.Errorf("job input: %w", err)
	}
	now := s.now().UTC()
	plan.Job, plan.At = directory.NewJobID(now), now
	err = s.Store.SavePhotoPlan(ctx, c.ID, &plan)
	if errors.Is(err, directory.ErrStale) {
		return nil
	}
	if err != nil {
		return err
	}
	j := store.JobRecord{Job: directory.Job{ID: plan.Job, Kind: directory.JobPhotos, ConnectionID: c.ID,
		State: directory.JobQueued, Created: now, Updated: now}, Input: raw}
	if err := s.Store.CreateJob(ctx, directory.Act{}, &j); err != nil {
		return err
	}
	s.wakeJob(ctx, &j)
	return nil
}

func (w *jobWorker) photoStep(ctx context.Context) (outcome, error) {
	var in photoInput
	var next string // place in the listing of members
	if err := json.Unmarshal(w.job.Input, &in); err != nil {
		return outcome{}, fmt.Errorf("job input: %w", err)
	}
	if err := w.cursor(&next); err != nil {
		return outcome{}, fmt.Errorf("job cursor: %w", err)
	}
	c, err := w.connection(ctx, in.Epoch)
	if err != nil {
		return outcome{}, err
	}
	if !c.Settings.Import.Photos {
		return outcome{ended: true}, nil // switched off meanwhile
	}
	due, err := w.Store.PhotosDue(ctx, c.ID, c.Epoch, photoWindow)
	if err != nil {
		return outcome{}, err
	}
	if len(due) > 0 {
		out, err := w.photos(ctx, &c, due)
		if err == nil {
			err = w.Store.RemovePhotosDue(ctx, c.ID, c.Epoch, due)
		}
		return out, err
	}
	turn, next, err := w.photoTurns(ctx, &c, in, next)
	if err != nil {
		return outcome{}, err
	}
	out, err := w.photos(ctx, &c, turn)
	if err != nil {
		return outcome{}, err
	}
	if next == "" {
		out.ended, w.job.Total = true, w.job.Done
		err = w.photoDayDone(ctx, &c, in)
	}
	return out, errors.Join(err, w.saveCursor(next))
}

// photoTurns lists the next members whose turn it is.
func (w *jobWorker) photoTurns(ctx context.Context, c *directory.Connection, in photoInput, next string) ([]store.PhotoDue, string, error) {
	var turn []store.PhotoDue
	if in.From >= in.To {
		return nil, "", nil
	}
	for range photoPages {
		list, after, err := w.Store.ListBindings(ctx, directory.KindAccount, c.ID, c.Epoch, next, photoWindow)
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
		if next = after; next == "" || len(turn) >= photoWindow {
			break
		}
	}
	return turn, next, nil
}

func (w *jobWorker) photoDayDone(ctx context.Context, c *directory.Connection, in photoInput) error {
	plan, err := w.Store.PhotoPlan(ctx, c.ID)
	if err != nil || plan.Epoch != in.Epoch || plan.Job != w.job.ID {
		return err // another job counts now
	}
	plan.Day = in.To
	return w.Store.SavePhotoPlan(ctx, c.ID, &plan)
}

// photos reads pictures, one at a time. What was read is stored at once: a step
// that is done again goes on behind it.
func (w *jobWorker) photos(ctx context.Context, c *directory.Connection, list []store.PhotoDue) (outcome, error) {
	var out outcome
	if len(list) == 0 {
		return out, nil
	}
	reader, err := w.OpenPhotos(ctx, c)
	if err != nil {
		return out, err
	}
	for _, d := range list {
		what, err := w.photo(ctx, c, reader, d)
		p, told := errors.AsType[*directory.Problem](err)
		switch {
		case err == nil:
			w.count(what, 1)
			if what != "known" { // Microsoft was asked
				w.pictured, w.forbidden = w.pictured+1, 0
			}
		case errors.Is(err, directory.ErrNotFound):
			w.count("gone", 1) // the user was deleted
		case told && p.MicrosoftStatus == http.StatusForbidden && w.allForbidden():
			return out, directory.Refuse(directory.ErrForbidden, p.Code, p.Message, p.Next)
		case told && !errors.Is(err, directory.ErrUnavailable) && !errors.Is(err, directory.ErrUnauthorized) && !isThrottled(err):
			out.refused = append(out.refused, directory.RefusedItem{UserID: d.UserID, AccountID: d.AccountID, Code: p.Code, Detail: sentence(p)})
		default:
			return out, err
		}
		w.job.Done++
	}
	out.refused = short(out.refused)
	return out, nil
}

// allForbidden counts an account whose picture may not be read, and reports whether
// it is the connection that may not: another one was refused as well, and none was
// read. A single one is that account's matter.
func (w *jobWorker) allForbidden() bool {
	w.forbidden++
	return w.forbidden > 1 && w.pictured == 0
}

func isThrottled(err error) bool {
	_, ok := errors.AsType[*directory.ThrottledError](err)
	return ok
}

// photo reads one picture as far as it has changed, and says what came of it.
func (w *jobWorker) photo(ctx context.Context, c *directory.Connection, reader PhotoReader, d store.PhotoDue) (string, error) {
	have, err := w.Store.Photo(ctx, d.UserID)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return "", err
	}
	same := err == nil && have.ConnectionID == c.ID && have.AccountID == d.AccountID
	now := w.now().UTC()
	if same && (!have.Checked.Before(w.job.Created) || have.MediaETag == "" && unixDay(now)-unixDay(have.Checked) < store.PhotoDays) {
		return "known", nil
	}
	next := directory.Photo{UserID: d.UserID, ConnectionID: c.ID, AccountID: d.AccountID, Checked: now}
	if err := w.photoPace(ctx); err != nil {
		return "", err
	}
	if next.MediaETag, err = reader.PhotoETag(ctx, d.AccountID); err != nil {
		return "", err
	}
	what := "none"
	switch {
	case next.MediaETag == "":
	case same && next.MediaETag == have.MediaETag:
		have.Checked, next, what = now, have, "unchanged"
	default:
		if what, err = w.fetchPhoto(ctx, reader, &next); err != nil {
			return "", err
		}
	}
	return what, w.Store.SavePhoto(ctx, c.Epoch, &next)
}

// fetchPhoto reads a picture and checks it.
func (w *jobWorker) fetchPhoto(ctx context.Context, reader PhotoReader, p *directory.Photo) (string, error) {
	if err := w.photoPace(ctx); err != nil {
		return "", err
	}
	data, err := reader.PhotoFile(ctx, p.AccountID)
	if err == nil && data == nil { // taken away since
		p.MediaETag = ""
		return "none", nil
	}
	var pic picture.Picture
	if err == nil {
		pic, err = picture.Prepare(data)
	}
	if errors.Is(err, picture.ErrRefused) || errors.Is(err, directory.ErrTooLarge) {
		p.Refused = err.Error()
		return "unusable", nil
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(pic.Data)
	p.Type, p.Width, p.Height, p.Data, p.Digest = pic.Type, pic.Width, pic.Height, pic.Data, hex.EncodeToString(sum[:16])
	return "stored", nil
}

// photoPace waits until the next request may be sent.
func (w *jobWorker) photoPace(ctx context.Context) error {
	wait := w.PhotoPause
	if wait == 0 {
		wait = photoPause
	}
	t := time.NewTimer(max(0, wait))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// photosOf makes the pictures of an import's users due.
func (w *jobWorker) photosOf(ctx context.Context, c *directory.Connection, list []Candidate) error {
	if !c.Settings.Import.Photos {
		return nil
	}
	var due []store.PhotoDue
	for i := range list {
		if v := list[i].Verdict; (v == VerdictNew || v == VerdictInDirectory || v == VerdictBound) && list[i].UserID != "" {
			due = append(due, store.PhotoDue{UserID: list[i].UserID, AccountID: list[i].ID})
		}
	}
	return w.Store.AddPhotosDue(ctx, c.ID, c.Epoch, due)
}
