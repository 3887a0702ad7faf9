package people

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// fakeFiles are uploaded files in memory.
type fakeFiles struct {
	content map[directory.UploadID]string
	version map[directory.UploadID]int
	// before is called before each read and deletion; its error is the call's.
	before func(call string) error
	reads  int
}

func (f *fakeFiles) put(id directory.UploadID, content string) {
	if f.content == nil {
		f.content, f.version = map[directory.UploadID]string{}, map[directory.UploadID]int{}
	}
	f.content[id] = content
	f.version[id]++
}

func (f *fakeFiles) hook(call string) error {
	if f.before == nil {
		return nil
	}
	return f.before(call)
}

func (f *fakeFiles) Sign(_ context.Context, id directory.UploadID, size int64, _ string, expires time.Time) (directory.SignedRequest, error) {
	return directory.SignedRequest{Method: "PUT", URL: fmt.Sprintf("https://files.example/%s?%d", id, size), Expires: expires}, nil
}

func (f *fakeFiles) Stat(_ context.Context, id directory.UploadID) (directory.StoredFile, error) {
	content, ok := f.content[id]
	if !ok {
		return directory.StoredFile{}, fmt.Errorf("stat: %w", directory.ErrNotFound)
	}
	return directory.StoredFile{Size: int64(len(content)), Version: fmt.Sprint(f.version[id])}, nil
}

func (f *fakeFiles) Read(_ context.Context, id directory.UploadID, version string, offset int64, n int) ([]byte, error) {
	f.reads++
	if err := f.hook("read"); err != nil {
		return nil, err
	}
	content, ok := f.content[id]
	switch {
	case !ok:
		return nil, fmt.Errorf("read: %w", directory.ErrNotFound)
	case version != fmt.Sprint(f.version[id]):
		return nil, fmt.Errorf("read: %w", directory.ErrStale)
	}
	return []byte(content[min(offset, int64(len(content))):min(offset+int64(n), int64(len(content)))]), nil
}

func (f *fakeFiles) Delete(_ context.Context, id directory.UploadID) error {
	if err := f.hook("delete"); err != nil {
		return err
	}
	delete(f.content, id)
	return nil
}

// upload asks for an upload and stores its file.
func (w *world) upload(content string, by directory.Caller) directory.UploadID {
	w.t.Helper()
	u, _, err := w.uploads.Start(w.t.Context(), by, jobs.FileClaim{Bytes: int64(len(content))})
	w.must(err)
	w.files.(*fakeFiles).put(u.ID, content)
	return u.ID
}

func TestUpload(t *testing.T) {
	w := newWorld(t)
	var b strings.Builder
	b.WriteString("email,familyName\n")
	const n = 1000
	for i := range n {
		fmt.Fprintf(&b, "p%d@corp.example,\"P, %d\"\nbad line %d\n\n", i, i, i)
	}
	id := w.upload(b.String(), scim)
	j, err := w.LoadUpload(t.Context(), scim, id, LoadOptions{})
	w.must(err)
	if len(w.jobs) != 1 || w.jobs[0] != j.ID {
		t.Errorf("woken for %v, want the job %s", w.jobs, j.ID)
	}
	done := w.run(j.ID)
	if done.State != directory.JobDone || done.Total != 2*n || done.Done != 2*n || done.Counts["created"] != n || done.RefusedCount != n || done.RefusedUnlisted != 0 {
		t.Errorf("job = %+v", done.Job)
	}
	if refused := w.refusals(j.ID); len(refused) != n || refused[0].Line != 3 || refused[n-1].Line != 3*n {
		t.Errorf("%d refused, from line %d to %d", len(refused), refused[0].Line, refused[len(refused)-1].Line)
	}
	u := w.all()[0]
	if u.Source != directory.SourceSCIM || u.Owners["familyName"] != directory.SourceSCIM {
		t.Errorf("the load wrote as %s: %+v", u.Source, u.Owners)
	}
	if len(w.files.(*fakeFiles).content) != 0 {
		t.Error("the file is still there")
	}
	if _, err := w.LoadUpload(t.Context(), scim, id, LoadOptions{}); codeOf(err) != "upload-used" || !strings.Contains(err.Error(), string(j.ID)) {
		t.Errorf("the second load = %v", err)
	}
}

func TestUploadRefusals(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, size := range []int64{-1, 0, jobs.MaxUpload + 1} {
		if _, _, err := w.uploads.Start(ctx, admin, jobs.FileClaim{Bytes: size}); codeOf(err) != "invalid-upload" || fieldsOf(err) != "bytes" {
			t.Errorf("an upload of %d bytes = %v", size, err)
		}
	}
	good := w.upload("email\na@corp.example\n", admin)
	for name, by := range map[string]directory.Caller{"somebody else": {Subject: "other"}, "another source": {Subject: "admin", Source: directory.SourceAD}} {
		if _, err := w.LoadUpload(ctx, by, good, LoadOptions{}); codeOf(err) != "upload-not-found" || !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.LoadUpload(ctx, admin, "upl_none", LoadOptions{}); codeOf(err) != "upload-not-found" {
		t.Errorf("an upload that nobody asked for: %v", err)
	}
	missing, _, err := w.uploads.Start(ctx, admin, jobs.FileClaim{Bytes: 5})
	w.must(err)
	if _, err := w.LoadUpload(ctx, admin, missing.ID, LoadOptions{}); codeOf(err) != "upload-missing" || !strings.Contains(err.Error(), "Send the file") {
		t.Errorf("a file that was not sent: %v", err)
	}
	w.files.(*fakeFiles).put(missing.ID, "other size")
	if _, err := w.LoadUpload(ctx, admin, missing.ID, LoadOptions{}); codeOf(err) != "upload-size" {
		t.Errorf("a file of another size: %v", err)
	}
	for content, code := range map[string]string{"nick\nx\n": "invalid-header", "[]": "invalid-file", "\"email\n": "invalid-file"} {
		if _, err := w.LoadUpload(ctx, admin, w.upload(content, admin), LoadOptions{}); codeOf(err) != code {
			t.Errorf("%q: %v, want %s", content, err, code)
		}
	}
	// What only shows behind the header fails the job, before anything is loaded.
	for content, code := range map[string]string{
		"email\n\n\r\n": "empty-file",
		"email\n" + strings.Repeat("x\n", maxLines+1): "too-many-lines",
	} {
		id := w.upload(content, admin)
		j, err := w.LoadUpload(ctx, admin, id, LoadOptions{})
		w.must(err)
		done := w.run(j.ID)
		if done.State != directory.JobFailed || done.Error.Code != code || done.Done != 0 {
			t.Errorf("%.20q: job = %+v, %+v; want %s", content, done.Job, done.Error, code)
		}
		if _, there := w.files.(*fakeFiles).content[id]; there {
			t.Errorf("%s: the file of the failed job is still there", code)
		}
	}
	w.Advance(2 * time.Hour)
	late, _, err := w.uploads.Start(ctx, admin, jobs.FileClaim{Bytes: 5})
	w.must(err)
	w.Advance(time.Hour)
	if _, err := w.LoadUpload(ctx, admin, late.ID, LoadOptions{}); codeOf(err) != "upload-missing" || !strings.Contains(err.Error(), "another upload") {
		t.Errorf("a file that was not sent in time: %v", err)
	}
	w.Advance(24 * time.Hour)
	if _, err := w.LoadUpload(ctx, admin, good, LoadOptions{}); codeOf(err) != "upload-not-found" {
		t.Errorf("an upload of yesterday: %v", err)
	}
}

// Two calls at once load an upload once.
func TestUploadOnce(t *testing.T) {
	w := newWorld(t)
	id := w.upload("email\na@corp.example\n", admin)
	var second error
	w.table.Before = func(ctx context.Context, c memory.Call) error {
		if c.Method == "Write" && second == nil {
			w.table.Before = nil
			second = errors.New("not called")
			_, second = w.LoadUpload(ctx, admin, id, LoadOptions{})
		}
		return nil
	}
	_, err := w.LoadUpload(t.Context(), admin, id, LoadOptions{})
	if second != nil || codeOf(err) != "upload-used" || len(w.jobs) != 1 {
		t.Errorf("two at once: %v and %v, jobs %v", err, second, w.jobs)
	}
}

// A file that is replaced, or deleted, while it is loaded stops the job with a
// code; what was loaded stays.
func TestUploadReplaced(t *testing.T) {
	for _, test := range []struct {
		code   string
		change func(f *fakeFiles, id directory.UploadID)
	}{
		{"upload-changed", func(f *fakeFiles, id directory.UploadID) { f.put(id, f.content[id]) }},
		{"upload-gone", func(f *fakeFiles, id directory.UploadID) { delete(f.content, id) }},
	} {
		w := newWorld(t)
		var b strings.Builder
		b.WriteString("email,jobTitle,department,location,company\n")
		for i := range 2000 { // several windows
			fmt.Fprintf(&b, "p%d@corp.example%s\n", i, strings.Repeat(","+strings.Repeat("x", 250), 4))
		}
		id := w.upload(b.String(), admin)
		j, err := w.LoadUpload(t.Context(), admin, id, LoadOptions{})
		w.must(err)
		f := w.files.(*fakeFiles)
		f.before = func(call string) error {
			if n, _ := w.store.Jobs.Job(t.Context(), j.ID); n.Done > 100 && call == "read" {
				test.change(f, id)
			}
			return nil
		}
		done := w.run(j.ID)
		if done.State != directory.JobFailed || done.Error == nil || done.Error.Code != test.code || done.Done == 0 || done.Done == done.Total {
			t.Errorf("%s: job = %+v, %+v", test.code, done.Job, done.Error)
		}
		if users := len(w.all()); users != done.Counts["created"] {
			t.Errorf("%s: %d users, counted %v", test.code, users, done.Counts)
		}
	}
}

// A load that is killed before or after any of its calls goes on where it was:
// every line takes effect once, none is lost, and the counts of lines are right.
func TestUploadCrashes(t *testing.T) {
	var b strings.Builder
	b.WriteString("email,familyName\n")
	const n = 260 // three steps
	for i := range n {
		fmt.Fprintf(&b, "p%d@corp.example,\"P, %d\"\n", i, i)
		if i%50 == 0 {
			b.WriteString("x,\"not closed\n")
		}
	}
	killed := errors.New("killed")
	calls := 1 << 20
	for at := -1; at < calls; at++ { // at -1 nothing is killed
		for _, after := range []bool{false, true} {
			w := newWorld(t)
			id := w.upload(b.String(), admin)
			j, err := w.LoadUpload(t.Context(), admin, id, LoadOptions{})
			w.must(err)
			seen, dead := 0, false
			// Behind the fatal call nothing reaches table and files any more.
			hook := func(isAfter bool) error {
				if dead {
					return killed
				}
				if isAfter == after {
					if seen++; seen == at+1 {
						dead = true
						return killed
					}
				}
				return nil
			}
			w.table.Before = func(context.Context, memory.Call) error { return hook(false) }
			w.table.After = func(context.Context, memory.Call) error { return hook(true) }
			f := w.files.(*fakeFiles)
			f.before = func(string) error { return errors.Join(hook(false), hook(true)) }
			_, _, _ = w.runner.Work(t.Context(), j.ID, w.Now().Add(time.Minute)) // it may die
			if at < 0 {
				calls = min(calls, seen)
			}
			w.table.Before, w.table.After, f.before = nil, nil, nil
			w.Advance(jobs.LeaseTime + time.Second)
			done := w.run(j.ID)
			if done.State != directory.JobDone || done.Done != n+6 || done.Total != n+6 || done.RefusedCount != 6 {
				t.Fatalf("killed at call %d (after it: %v): job = %+v, %+v", at, after, done.Job, done.Error)
			}
			if got := done.Counts["created"] + done.Counts["unchanged"]; got != n {
				t.Errorf("killed at call %d (after it: %v): counts %v, want %d together", at, after, done.Counts, n)
			}
			names := map[string]bool{}
			for _, u := range w.all() {
				names[u.FamilyName] = true
				if u.Version != 1 {
					t.Errorf("killed at call %d: %s has version %d", at, u.Email, u.Version)
				}
			}
			if refused := w.refusals(j.ID); len(names) != n || len(refused) != 6 || len(f.content) != 0 {
				t.Errorf("killed at call %d (after it: %v): %d users, %d refused, %d files left", at, after, len(names), len(refused), len(f.content))
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d calls were killed", calls)
	}
}

// Of many faults the first 10,000 are listed and all are counted.
func TestManyFaults(t *testing.T) {
	w := newWorld(t)
	j, err := w.StartLoad(t.Context(), admin, []byte("email\n"+strings.Repeat("x\n", maxReported+500)), LoadOptions{})
	w.must(err)
	done := w.run(j.ID)
	refused := w.refusals(j.ID)
	if done.RefusedCount != maxReported+500 || done.RefusedUnlisted != 500 || len(refused) != maxReported || refused[maxReported-1].Line != maxReported+1 {
		t.Errorf("job = %+v, %d listed", done.Job, len(refused))
	}
}

// A job whose lines an older version has read and stored is done to its end.
func TestLoadOfOlderVersion(t *testing.T) {
	w := newWorld(t)
	var lines []loadLine
	for i := range 200 {
		lines = append(lines, loadLine{Line: i + 2, Edit: edit{"email": fmt.Sprintf("p%d@corp.example", i)}})
	}
	lines = append(lines, loadLine{Line: 202, Code: "invalid-line", Detail: "x"})
	parts, err := jobs.Parts(lines)
	w.must(err)
	now := w.Now()
	j := store.JobRecord{Job: directory.Job{ID: directory.NewJobID(now), Kind: directory.JobLoad, State: directory.JobQueued, Total: 201, Created: now},
		Input: []byte(`{"source":"ad","subject":"bridge"}`)}
	w.must(w.store.Jobs.CreateJob(t.Context(), directory.AuditEvent{}, &j, parts...))
	done := w.run(j.ID)
	if done.State != directory.JobDone || !maps.Equal(done.Counts, map[string]int{"created": 200}) || done.RefusedCount != 1 || w.all()[0].Source != directory.SourceAD {
		t.Errorf("job = %+v, %+v", done.Job, done.Error)
	}
}

// A load that an older version has begun goes on where it stands, and reads its
// file as that version did: in UTF-8, whatever its broken lines look like.
func TestLoadBegunByOlderVersion(t *testing.T) {
	file := "email;familyName\na@corp.example;A\n\"b@corp.example\";B\nc@corp.example;\xc4\n;;;\nd@corp.example;D\n"
	for _, upload := range []bool{false, true} {
		w := newWorld(t)
		now := w.Now()
		j := store.JobRecord{Job: directory.Job{ID: directory.NewJobID(now), Kind: directory.JobLoad, State: directory.JobRunning, Done: 1, Total: 4, Created: now},
			Input: fmt.Appendf(nil, `{"source":"ad","subject":"bridge","format":"csv","size":%d}`, len(file)), Cursor: []byte(`{"phase":"load","offset":34,"line":3}`)}
		if upload {
			id := w.upload(file, ad)
			j.Input = fmt.Appendf(nil, `{"source":"ad","subject":"bridge","format":"csv","size":%d,"upload":%q,"version":"1"}`, len(file), id)
			w.must(w.store.Jobs.CreateLoad(t.Context(), directory.AuditEvent{}, &j, id))
		} else {
			w.must(w.store.Jobs.CreateJob(t.Context(), directory.AuditEvent{}, &j, []byte(file)))
		}
		done := w.run(j.ID)
		if got, want := w.saw(j.ID), "b@corp.example=B d@corp.example=D 4:invalid-user"; got != want || done.State != directory.JobDone || done.Done != 4 {
			t.Errorf("upload %v: %s, want %s; %+v %+v", upload, got, want, done.Job, done.Error)
		}
	}
}

// endless is an uploaded file of lines that are made when they are read.
type endless struct {
	fakeFiles
	line  string
	size  int64
	probe func()
}

func (e *endless) Stat(context.Context, directory.UploadID) (directory.StoredFile, error) {
	return directory.StoredFile{Size: e.size, Version: "1"}, nil
}

func (e *endless) Read(_ context.Context, _ directory.UploadID, _ string, offset int64, n int) ([]byte, error) {
	e.probe()
	if offset == 0 {
		return []byte("email,familyName" + strings.Repeat(" ", len(e.line)-17) + "\n"), nil // as long as a line
	}
	lines := strings.Repeat(e.line, n/len(e.line)+2)
	return []byte(lines[offset%int64(len(e.line)):][:min(int64(n), e.size-offset)]), nil
}

func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a load holds in memory does not depend on how large its file is, nor on
// how short its lines are: a few windows of it.
func TestLoadMemory(t *testing.T) {
	// No line has an address: nothing is stored.
	loadMemory(t, "nobody,"+strings.Repeat("x", 992)+"\n", jobs.MaxUpload)
	loadMemory(t, "nobody,"+strings.Repeat("\xc4", 992)+"\n", jobs.MaxUpload/4) // in Windows-1252
}

func loadMemory(t *testing.T, line string, size int64) {
	t.Helper()
	const most = 8 << 20
	w := newWorld(t)
	e := &endless{line: line, size: size}
	w.files = e
	w.join()
	u, _, err := w.uploads.Start(t.Context(), admin, jobs.FileClaim{Bytes: e.size})
	w.must(err)
	base, peak, reads := live(), int64(0), 0
	e.probe = func() {
		if reads++; reads%8 == 0 {
			peak = max(peak, live()-base)
		}
	}
	j, err := w.LoadUpload(t.Context(), admin, u.ID, LoadOptions{})
	w.must(err)
	done := w.run(j.ID)
	if lines := int(size/1000 - 1); done.State != directory.JobDone || done.Total != lines || done.RefusedCount != lines || done.RefusedUnlisted != lines-maxReported {
		t.Errorf("job = %+v, %+v", done.Job, done.Error)
	}
	if int64(reads) < 3*size>>21 || peak > most {
		t.Errorf("%d reads of %d MB, counted and loaded, held %d KB at most, want %d", reads, size>>20, peak>>10, most>>10)
	}
}

// A request's file of as many lines as there may be is counted without a trace in
// memory: 5 MB of short lines took 675 MB once.
func TestStartLoadMemory(t *testing.T) {
	w := newWorld(t)
	var b strings.Builder
	b.WriteString("email\n")
	for i := 0; i < maxLines && b.Len() < MaxBody-5; i++ {
		b.WriteString("a@b\n")
		if i%3 == 0 && b.Len() < MaxBody-5-4*(maxLines-i) {
			b.WriteString("\n")
		}
	}
	data := []byte(b.String())
	var before, behind runtime.MemStats
	runtime.ReadMemStats(&before)
	j, err := w.StartLoad(t.Context(), admin, data, LoadOptions{})
	w.must(err)
	runtime.ReadMemStats(&behind)
	// Table and request hold the file itself; everything that was ever allocated counts here.
	if got := int64(behind.TotalAlloc - before.TotalAlloc); got > 4*MaxBody {
		t.Errorf("a file of %d bytes with %d lines allocated %d bytes", len(data), j.Total, got)
	}
	if j.Total < 900_000 {
		t.Errorf("%d lines", j.Total)
	}
}
