package people

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/assign/assigntest"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// fakePhotos is the service that keeps photos.
type fakePhotos struct {
	files map[directory.AccountID][]byte
	etags map[directory.AccountID]string
	asked []string
	fail  func(n int) error // of every request
}

func (f *fakePhotos) call(what string, id directory.AccountID) error {
	f.asked = append(f.asked, what+" "+string(id))
	if f.fail == nil {
		return nil
	}
	return f.fail(len(f.asked))
}

func (f *fakePhotos) PhotoETag(_ context.Context, id directory.AccountID) (string, error) {
	if err := f.call("etag", id); err != nil {
		return "", err
	}
	return f.etags[id], nil
}

func (f *fakePhotos) PhotoFile(_ context.Context, id directory.AccountID) ([]byte, error) {
	if err := f.call("file", id); err != nil {
		return nil, err
	}
	return f.files[id], nil
}

func (f *fakePhotos) set(id string, etag string, data []byte) {
	f.etags[directory.AccountID(id)], f.files[directory.AccountID(id)] = etag, data
}

func portrait(side int) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// photoWorld has n accounts, a000 and on, and the setting on.
func photoWorld(t *testing.T, n int) (*world, *fakePhotos) {
	t.Helper()
	w := newWorld(t)
	f := &fakePhotos{files: map[directory.AccountID][]byte{}, etags: map[directory.AccountID]string{}}
	w.pictures = f
	w.settings(func(s *directory.Settings) { s.Import.Photos = true })
	for i := range n {
		id := fmt.Sprintf("a%03d", i)
		w.tenant.Accounts = append(w.tenant.Accounts, assigntest.Account(id, id+"@corp.example"))
	}
	return w, f
}

// photoJobs runs the photo jobs that were started.
func (w *world) photoJobs() []store.JobRecord {
	w.t.Helper()
	var list []store.JobRecord
	for len(w.jobs) > 0 {
		id := w.jobs[0]
		w.jobs = w.jobs[1:]
		if j, err := w.store.Jobs.Job(w.t.Context(), id); err == nil && j.Kind == directory.JobPhotos {
			list = append(list, w.run(id))
		}
	}
	return list
}

// importAll imports and binds all accounts and reads the pictures due. It returns users by account.
func (w *world) importAll() map[string]directory.UserID {
	w.t.Helper()
	j, err := w.StartImport(w.t.Context(), admin, w.conn.ID, ImportRequest{All: true, Bind: true})
	w.must(err)
	if r := w.run(j.ID); r.State != directory.JobDone {
		w.t.Fatalf("the import is %s: %v", r.State, r.Error)
	}
	users := map[string]directory.UserID{}
	for _, u := range w.all() {
		users[u.Email[:4]] = u.ID
	}
	return users
}

func TestPhotosAtImport(t *testing.T) {
	w, f := photoWorld(t, 25)
	f.set("a000", `W/"1"`, portrait(240))
	f.set("a001", `W/"2"`, portrait(500))
	f.set("a002", `W/"3"`, []byte("<svg/>"))
	users := w.importAll()
	jobs := w.photoJobs()
	if len(jobs) != 1 || jobs[0].State != directory.JobDone {
		t.Fatalf("photo jobs = %+v", jobs)
	}
	if c := jobs[0].Counts; c["stored"] != 2 || c["unusable"] != 1 || c["none"] != 22 {
		t.Errorf("counts = %v, want 2 stored, 1 unusable, 22 none", c)
	}
	for id, want := range map[string]string{"a000": "image/png", "a001": "image/jpeg"} {
		if p, err := w.photos.Get(t.Context(), users[id]); err != nil || p.Type != want || p.Width != 240 || p.Digest == "" {
			t.Errorf("Photo(%s) = %s %d, %v", id, p.Type, p.Width, err)
		}
	}
	for _, id := range []string{"a002", "a003"} {
		if _, err := w.photos.Get(t.Context(), users[id]); codeOf(err) != "photo-not-found" {
			t.Errorf("Photo(%s) = %v", id, err)
		}
	}
	// A deletion takes the picture along; a restored user has none.
	w.must(w.Delete(t.Context(), admin, users["a000"], 0))
	if _, err := w.store.Photos.Photo(t.Context(), users["a000"]); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("the deleted user's picture is still there: %v", err)
	}
}

// turn waits until the connection's next day of pictures begins.
func (w *world) turn() {
	w.Advance(directory.LastTurn(string(w.conn.ID)+"/photos", day, w.Now()).Add(day).Sub(w.Now()))
}

func TestPhotosOffByDefault(t *testing.T) {
	w, f := photoWorld(t, 3)
	w.settings(func(s *directory.Settings) { s.Import.Photos = false })
	w.importAll()
	w.must(w.photos.Start(t.Context(), &w.conn))
	if jobs := w.photoJobs(); len(jobs) > 0 || len(f.asked) > 0 {
		t.Errorf("%d jobs, %d requests without the setting", len(jobs), len(f.asked))
	}
}

// In thirty days each member has one turn; a day that was missed is made up
// for; what has not changed is not read again.
func TestPhotosInTurn(t *testing.T) {
	w, f := photoWorld(t, 90)
	for i := range 45 {
		f.set(fmt.Sprintf("a%03d", i), `W/"1"`, portrait(48))
	}
	users := w.importAll()
	w.photoJobs()
	f.asked = nil
	f.set("a007", `W/"2"`, portrait(64))
	most, files := 0, 0
	for d := range 60 {
		if d == 29 {
			for i := 45; i < 90; i++ { // "no picture" is remembered
				if id := fmt.Sprintf("etag a%03d", i); slices.Contains(f.asked, id) {
					t.Errorf("%s within 30 days of none", id)
				}
			}
		}
		w.turn()
		if d == 11 || d == 12 {
			continue // the schedule stood still
		}
		before := len(f.asked)
		w.must(w.photos.Start(t.Context(), &w.conn))
		w.must(w.photos.Start(t.Context(), &w.conn)) // the next tick
		w.photoJobs()
		w.must(w.photos.Start(t.Context(), &w.conn))
		if len(w.jobs) > 0 {
			t.Fatalf("day %d has a second job", d)
		}
		most = max(most, len(f.asked)-before)
	}
	seen := map[string]int{}
	for _, a := range f.asked {
		seen[a]++
		if a[:4] == "file" {
			files++
		}
	}
	for i := range 90 {
		if n := seen[fmt.Sprintf("etag a%03d", i)]; i < 45 && n != 2 || n < 1 || n > 2 {
			t.Errorf("a%03d was asked for %d times in 60 days", i, n)
		}
	}
	if files != 1 || most > 30 {
		t.Errorf("%d files read, %d requests on one day; want 1 and a thirtieth", files, most)
	}
	if p, err := w.photos.Get(t.Context(), users["a007"]); err != nil || p.Width != 64 {
		t.Errorf("the changed picture = %d, %v", p.Width, err)
	}
}

// A picture that was taken away at Microsoft goes here as well; an account that
// is not there, or an error, takes nothing away.
func TestPhotosTakenAway(t *testing.T) {
	w, f := photoWorld(t, 2)
	f.set("a000", `W/"1"`, portrait(48))
	f.set("a001", `W/"1"`, portrait(48))
	users := w.importAll()
	w.photoJobs()
	f.set("a000", "", nil)
	for range 31 {
		w.turn()
		w.must(w.photos.Start(t.Context(), &w.conn))
		f.fail = func(n int) error {
			if f.asked[n-1] == "etag a001" {
				return &directory.Problem{Code: "account-not-found", MicrosoftStatus: 404, Message: "There is no such object."}
			}
			return nil
		}
		w.photoJobs()
	}
	if _, err := w.photos.Get(t.Context(), users["a000"]); codeOf(err) != "photo-not-found" {
		t.Errorf("the picture that was taken away: %v", err)
	}
	if p, err := w.photos.Get(t.Context(), users["a001"]); err != nil || p.Type == "" {
		t.Errorf("the picture of an account that is not there: %v", err)
	}
}

// A throttled job waits as long as it is told, and goes on where it was.
func TestPhotosThrottled(t *testing.T) {
	w, f := photoWorld(t, 30)
	w.importAll()
	f.fail = func(n int) error {
		if n%4 == 0 {
			return &directory.ThrottledError{RetryAfter: 7 * time.Minute}
		}
		return nil
	}
	start := w.Now()
	jobs := w.photoJobs()
	if len(jobs) != 1 || jobs[0].State != directory.JobDone {
		t.Fatalf("photo jobs = %+v", jobs)
	}
	if waited := w.Now().Sub(start); waited < 63*time.Minute || waited > 77*time.Minute {
		t.Errorf("waited %s", waited)
	}
	if n := len(f.asked); n > 41 {
		t.Errorf("%d requests for 30 accounts, want no picture read twice", n)
	}
}

// A missing right ends the job, and the schedule rests before it tries again.
func TestPhotosForbidden(t *testing.T) {
	w, f := photoWorld(t, 3)
	f.fail = func(int) error {
		return &directory.Problem{Code: "rights-missing", MicrosoftStatus: http.StatusForbidden, Message: "No."}
	}
	w.importAll()
	jobs := w.photoJobs()
	if len(jobs) != 1 || jobs[0].State != directory.JobFailed || jobs[0].Error.Code != "rights-missing" || len(f.asked) != 2 {
		t.Fatalf("photo jobs = %+v after %d requests", jobs, len(f.asked))
	}
	w.must(w.photos.Start(t.Context(), &w.conn))
	if len(w.jobs) > 0 {
		t.Error("begun again at once")
	}
	w.Advance(photoRest)
	w.must(w.photos.Start(t.Context(), &w.conn))
	if len(w.jobs) != 1 {
		t.Error("not begun again after the rest")
	}
}

// A picture that may not be read keeps no other one, and is told.
func TestOnePhotoForbidden(t *testing.T) {
	for first := range 3 {
		w, f := photoWorld(t, 3)
		f.fail = func(n int) error {
			if n == first+1 {
				return &directory.Problem{Code: "forbidden", MicrosoftStatus: http.StatusForbidden, Message: "No."}
			}
			return nil
		}
		w.importAll()
		jobs := w.photoJobs()
		// Whose turn it is on this day anyway is looked at once more.
		if len(jobs) != 1 || jobs[0].State != directory.JobDone || jobs[0].RefusedCount != 1 || jobs[0].Done < 3 {
			t.Errorf("photo jobs = %+v after %d requests", jobs, len(f.asked))
		}
	}
}

// A connection that was let go gets no further request and no picture.
func TestPhotosDeactivated(t *testing.T) {
	w, f := photoWorld(t, 12)
	for i := range 12 {
		f.set(fmt.Sprintf("a%03d", i), `W/"1"`, portrait(48))
	}
	users := w.importAll()
	f.fail = func(n int) error {
		if n == 4 {
			_, _, err := w.store.Connections.DeactivateConnection(t.Context(), directory.AuditEvent{}, w.conn.ID)
			return err
		}
		return nil
	}
	jobs := w.photoJobs()
	if len(f.asked) != 4 || len(jobs) != 1 {
		t.Errorf("%d requests, want none after the 4th", len(f.asked))
	}
	kept := 0
	for _, id := range users {
		if _, err := w.photos.Get(t.Context(), id); err == nil {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d pictures kept, want the one read before", kept)
	}
}

// Two that start a job at once make one.
func TestPhotosStartedOnce(t *testing.T) {
	w, _ := photoWorld(t, 1)
	w.turn()
	done := make(chan error, 8)
	for range cap(done) {
		go func() { done <- w.photos.Start(t.Context(), &w.conn) }()
	}
	for range cap(done) {
		w.must(<-done)
	}
	open, err := w.store.Jobs.OpenJobs(t.Context())
	w.must(err)
	if len(open) != 1 {
		t.Errorf("%d jobs were made, want 1", len(open))
	}
}

// A job that is named in the plan and not there is being made; when it still is
// not after a while, whoever named it is dead, and another one is made.
func TestPhotosStartedByTheDead(t *testing.T) {
	w, _ := photoWorld(t, 1)
	w.turn()
	plan := store.PhotoPlan{Epoch: w.conn.Epoch, Job: directory.NewJobID(w.Now()), At: w.Now()}
	w.must(w.store.Photos.SavePhotoPlan(t.Context(), w.conn.ID, &plan))
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, 0}, {photoMaking - 1, 0}, {1, 1}} {
		w.Advance(step.pass)
		w.must(w.photos.Start(t.Context(), &w.conn))
		open, err := w.store.Jobs.OpenJobs(t.Context())
		w.must(err)
		if len(open) != step.want {
			t.Errorf("%s later %d jobs are there, want %d", step.pass, len(open), step.want)
		}
	}
}

// Pictures of many connections do not all begin at midnight.
func TestPhotosSpread(t *testing.T) {
	w, _ := photoWorld(t, 1)
	started := map[int]int{} // by five minutes
	const n = 200
	plans := map[directory.ConnectionID]*store.PhotoPlan{}
	for i := range n {
		c := w.conn
		c.ID, c.Version = directory.ConnectionID(fmt.Sprintf("con_%03d", i)), 0
		w.must(w.store.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c))
		plans[c.ID] = &store.PhotoPlan{Epoch: c.Epoch, Day: unixDay(w.Now()) - 9} // a table restored
	}
	for tick := range 24 * 12 {
		for id := range plans {
			if plans[id] == nil {
				continue
			}
			c, err := w.store.Connections.Connection(t.Context(), id)
			w.must(err)
			w.must(w.photos.startDue(t.Context(), &c, *plans[id], false))
			if p, err := w.store.Photos.PhotoPlan(t.Context(), id); err == nil && p.Job != "" {
				plans[id] = nil
				started[tick]++
			}
		}
		w.Advance(5 * time.Minute)
	}
	all := 0
	for tick, k := range started {
		if all += k; k > n/6 {
			t.Errorf("%d of %d jobs began in tick %d", k, n, tick)
		}
	}
	if all != n {
		t.Errorf("%d of %d jobs began within a day", all, n)
	}
}
