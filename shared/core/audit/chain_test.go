package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

// testSeal seals with a key that the tests know.
type testSeal struct{ key string }

func (s testSeal) Sign(_ context.Context, message []byte) ([]byte, string, error) {
	m := hmac.New(sha256.New, []byte(s.key))
	m.Write(message)
	return m.Sum(nil), "test", nil
}

func (s testSeal) Verify(ctx context.Context, message, mac []byte) (bool, error) {
	want, _, err := s.Sign(ctx, message)
	return hmac.Equal(want, mac), err
}

// ear hears notices; fail says how often it does not.
type ear struct {
	mu    sync.Mutex
	heard []directory.Notification
	fail  int
}

var errDeaf = errors.New("nobody listens")

func (e *ear) Publish(_ context.Context, list ...directory.Notification) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail > 0 {
		e.fail--
		return errDeaf
	}
	e.heard = append(e.heard, list...)
	return nil
}

func (e *ear) of(t directory.NotificationType) []directory.Notification {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.heard), func(n directory.Notification) bool { return n.Type != t })
}

// headsOf are the heads that were told of a chain.
func (e *ear) headsOf(chain string) (n int) {
	for _, h := range e.of(directory.NotificationHead) {
		if h.Facts.(HeadFacts).Chain == chain {
			n++
		}
	}
	return n
}

func (w *world) chain() (*Chain, *ear) {
	e := &ear{}
	return &Chain{Stores: ChainStoresOf(w.store), Signer: testSeal{"k"}, Publish: e, Keep: w.keep, Now: w.Now}, e
}

// noWaker loses every wake-up.
type noWaker struct{}

func (noWaker) WakeJob(context.Context, *directory.Job, time.Duration) error {
	return nil
}

// verifier returns a verifier over a store, and who does its jobs.
func (w *world) verifier(s *store.Store, publish Publisher) (*Verifier, *jobs.Runner) {
	v := &Verifier{Chains: ChainStoresOf(s), Stores: VerifyStoresOf(s), Signer: testSeal{"k"}, Publish: publish, Now: w.Now,
		Jobs: jobs.New(jobs.Config{Store: s.Jobs, Wake: noWaker{}, Now: w.Now})}
	return v, jobs.NewRunner(jobs.RunnerConfig{Store: s.Jobs, Now: w.Now, Kinds: map[directory.JobKind]jobs.Kind{directory.JobVerify: v.Verify}})
}

// oneStep is a deadline that is so near that a slice does one step.
func (w *world) oneStep() time.Time { return w.Now().Add(verifyMargin / 2) }

// verify runs a verification to its end and returns what it found, as codes.
func (w *world) verify(req VerifyRequest) (directory.Job, []string) {
	w.Helper()
	e := &ear{}
	v, runner := w.verifier(w.store, e)
	if w.keep != nil {
		v.Keep = w.keep
	}
	j, err := v.Start(w.Context(), directory.Caller{Subject: "admin"}, req)
	w.must(err)
	for i := 0; ; i++ {
		again, _, err := runner.Work(w.Context(), j.ID, w.oneStep())
		w.must(err)
		if !again {
			break
		}
		if i > 1000 {
			w.Fatal("the verification does not end")
		}
	}
	rec, err := w.store.Jobs.Job(w.Context(), j.ID)
	w.must(err)
	if rec.State != directory.JobDone {
		w.Fatalf("the verification is %s: %v", rec.State, rec.Error)
	}
	var codes []string
	for cursor := ""; ; {
		list, next, err := w.store.Jobs.Refused(w.Context(), j.ID, cursor)
		w.must(err)
		for _, r := range list {
			codes = append(codes, r.Code+" "+r.Name)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	slices.Sort(codes)
	if told := len(e.of(directory.NotificationTampered)); (told > 0) != (len(codes) > 0) {
		w.Errorf("%d alarms for %d differences", told, len(codes))
	}
	return rec.Job, codes
}

func (w *world) tamper(key table.Key, change func(*table.Item)) {
	w.Helper()
	it, err := w.table.Get(w.Context(), key)
	w.must(err)
	if change == nil {
		w.must(w.table.Write(w.Context(), table.Write{Delete: &key}))
		return
	}
	change(&it)
	w.must(w.table.Write(w.Context(), table.Write{Put: &it}))
}

func replaceBody(old, with string) func(*table.Item) {
	return func(it *table.Item) { it.Body = bytes.Replace(it.Body, []byte(old), []byte(with), 1) }
}

// linkedWorld has three linked runs and two linked hours of acts.
func linkedWorld(t *testing.T) (*world, []store.RunRecord) {
	t.Helper()
	w := newWorld(t)
	c, heard := w.chain()
	w.must(w.store.Audit.RecordAuditEvent(w.Context(), directory.AuditEvent{Kind: "sign-in", By: "ada", ConnectionID: w.conn.ID}))
	var runs []store.RunRecord
	for i := range 3 {
		runs = append(runs, w.run(4, edits(10+i, func(n int) string { return fmt.Sprintf("usr_%d_%d", i, n) })...))
		w.must(c.LinkRuns(w.Context(), w.conn.ID))
		w.Advance(time.Hour)
	}
	w.must(w.store.Audit.RecordAuditEvent(w.Context(), directory.AuditEvent{Kind: "bind", By: "eve", ConnectionID: w.conn.ID, UserIDs: []directory.UserID{"usr_1", "usr_2"}}))
	w.Advance(2 * time.Hour)
	w.must(c.Tend(w.Context()))
	// Three runs; of the acts two hours, and how the sealed form began.
	if got := len(heard.of(directory.NotificationHead)); got != 6 {
		t.Fatalf("heads told = %d, want 7", got)
	}
	return w, runs
}

// A worker may die, or nobody may listen, between any two steps: the next look
// makes up for it, and no link is made twice.
func TestLinksAreMadeUpFor(t *testing.T) {
	w := newWorld(t)
	c, heard := w.chain()
	r := w.run(4, edits(6, func(i int) string { return fmt.Sprintf("usr_%d", i) })...)
	heard.fail = 1
	if err := c.LinkRuns(w.Context(), w.conn.ID); !errors.Is(err, errDeaf) {
		t.Fatalf("LinkRuns = %v, want that nobody listens", err)
	}
	w.Advance(2 * time.Minute)
	w.must(c.Tend(w.Context()))
	w.must(c.Tend(w.Context()))
	if h, _ := w.store.Chains.Head(w.Context(), string(w.conn.ID)); h.Seq != 1 || h.Published != 1 {
		t.Errorf("head = %+v", h)
	}
	if got := heard.headsOf(string(w.conn.ID)); got != 1 {
		t.Errorf("heads told = %d, want 1", got)
	}
	if seq, _ := w.store.Chains.LinkOf(w.Context(), string(w.conn.ID), string(r.ID)); seq != 1 {
		t.Errorf("link of the run = %d", seq)
	}
}

func TestLateResultsGetALinkOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	c, _ := w.chain()
	changes := edits(6, func(i int) string { return fmt.Sprintf("usr_%d", i) })
	r := w.begin(changes...)
	w.apply(&r, 0, 0, 3, changes[:3])
	w.end(&r, directory.RunCancelled)
	w.must(c.LinkRuns(w.Context(), w.conn.ID))
	if h, _ := w.store.Chains.Head(w.Context(), string(w.conn.ID)); h.Seq != 0 {
		t.Errorf("a stopped run was linked while results may come in")
	}
	w.Advance(graceAfterEnd)
	w.must(c.Tend(w.Context()))
	late := store.Journal{Run: &r, Chunk: 0, Seq: 1, Results: []store.Result{{Index: 3, State: directory.ChangeApplied, At: w.Now()}}, Refs: []directory.Ref{directory.AccountOf("usr_3")}}
	w.must(w.store.Runs.JournalLate(w.Context(), late))
	if _, codes := w.verify(VerifyRequest{}); len(codes) != 0 {
		t.Errorf("late results are reported before their link is due: %v", codes)
	}
	w.Advance(graceAfterEnd)
	w.must(c.Tend(w.Context()))
	h, _ := w.store.Chains.Head(w.Context(), string(w.conn.ID))
	if _, codes := w.verify(VerifyRequest{}); h.Seq != 2 || len(codes) != 0 {
		t.Errorf("links %d, verify = %v", h.Seq, codes)
	}
}

// slowSeal does something else while it seals.
type slowSeal struct {
	testSeal
	once func()
}

func (s *slowSeal) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	if do := s.once; do != nil {
		s.once = nil
		do()
	}
	return s.testSeal.Sign(ctx, message)
}

// Results that come in while their run is being linked are not lost.
func TestResultsThatComeInWhileLinking(t *testing.T) {
	w := newWorld(t)
	c, _ := w.chain()
	changes := edits(6, func(i int) string { return fmt.Sprintf("usr_%d", i) })
	r := w.begin(changes...)
	w.apply(&r, 0, 0, 3, changes[:3])
	w.end(&r, directory.RunCancelled)
	w.Advance(graceAfterEnd)
	c.Signer = &slowSeal{testSeal{"k"}, func() {
		w.must(w.store.Runs.JournalLate(w.Context(), store.Journal{Run: &r, Chunk: 0, Seq: 1, Refs: []directory.Ref{directory.AccountOf("usr_3")},
			Results: []store.Result{{Index: 3, State: directory.ChangeApplied, At: w.Now()}}}))
	}}
	w.must(c.LinkRuns(w.Context(), ""))
	w.Advance(graceAfterEnd)
	w.must(c.LinkRuns(w.Context(), ""))
	w.Advance(graceAfterEnd)
	job, codes := w.verify(VerifyRequest{})
	l, err := w.store.Chains.Link(w.Context(), string(w.conn.ID), 1)
	if err != nil || l.Entries != 4 || len(codes) != 0 || job.Counts["links"] != 1 {
		t.Errorf("link = %+v, %v; verify = %v, %v", l.ChainStatement, err, codes, job.Counts)
	}
}

// A verification that cannot tell what it found tells it at its next try.
func TestAlarmIsMadeUpFor(t *testing.T) {
	w, _ := linkedWorld(t)
	w.run(1, edit("usr_x", "acc-x", "city", "a", "b")) // made up: nobody links it. It is found last
	marks, err := w.store.Chains.PendingLinks(w.Context(), w.conn.ID, nil, 10)
	w.must(err)
	w.must(w.store.Chains.DropPendingLink(w.Context(), &marks[0]))
	w.Advance(time.Hour)
	heard := &ear{}
	v, runner := w.verifier(w.store, heard)
	j, err := v.Start(w.Context(), directory.Caller{Subject: "admin"}, VerifyRequest{})
	w.must(err)
	heard.fail = 2
	for range 20 {
		w.Advance(time.Minute)
		if again, _, err := runner.Work(w.Context(), j.ID, time.Time{}); err == nil && !again {
			break
		}
	}
	rec, err := w.store.Jobs.Job(w.Context(), j.ID)
	w.must(err)
	if rec.State != directory.JobDone || rec.RefusedCount != 1 || rec.Counts["links"] != 6 || len(heard.of(directory.NotificationTampered)) != 1 {
		t.Errorf("job = %+v, told %v", rec.Job, heard.heard)
	}
}

func TestManyLinkAtOnce(t *testing.T) {
	w := newWorld(t)
	var runs []store.RunRecord
	for i := range 6 {
		runs = append(runs, w.run(4, edits(3, func(n int) string { return fmt.Sprintf("usr_%d_%d", i, n) })...))
	}
	c, heard := w.chain()
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			for range 5 {
				_ = c.LinkRuns(w.Context(), w.conn.ID) // who loses a race tries again
			}
		})
	}
	group.Wait()
	w.must(c.LinkRuns(w.Context(), w.conn.ID))
	h, err := w.store.Chains.Head(w.Context(), string(w.conn.ID))
	w.must(err)
	if h.Seq != int64(len(runs)) || len(heard.of(directory.NotificationHead)) != len(runs) {
		t.Errorf("links = %d, heads told %d, want %d", h.Seq, len(heard.of(directory.NotificationHead)), len(runs))
	}
	if _, codes := w.verify(VerifyRequest{}); len(codes) != 0 {
		t.Errorf("verify = %v", codes)
	}
}

func TestAFailedRunIsTold(t *testing.T) {
	w := newWorld(t)
	c, heard := w.chain()
	changes := edits(2, func(i int) string { return fmt.Sprintf("usr_%d", i) })
	r := w.begin(changes...)
	r.Error = &directory.Problem{Code: "no-progress", Message: "Nothing went on."}
	w.must(w.store.Runs.SaveRun(w.Context(), &w.lease, &r))
	w.end(&r, directory.RunFailed)
	heard.fail = 1
	if err := c.LinkRuns(w.Context(), ""); err == nil {
		t.Fatal("LinkRuns = nil, want that nobody listens")
	}
	w.must(c.LinkRuns(w.Context(), ""))
	w.must(c.LinkRuns(w.Context(), ""))
	got := heard.of(directory.NotificationRunFailed)
	if len(got) != 1 || got[0].RunID != r.ID || got[0].Facts.(RunFacts).Code != "no-progress" {
		t.Errorf("told = %+v", got)
	}
}

func TestVerifyExport(t *testing.T) {
	w, runs := linkedWorld(t)
	v := &Verifier{Chains: ChainStoresOf(w.store), Stores: VerifyStoresOf(w.store), Signer: testSeal{"k"}}
	var links []byte
	for _, chain := range []string{directory.AuditChain, string(w.conn.ID)} {
		for next := ""; ; {
			list, more, err := v.Links(w.Context(), chain, next, 1)
			w.must(err)
			links = append(links, LinkLines(list)...)
			if next = more; next == "" {
				break
			}
		}
	}
	entries := Lines(w.all(&Report{Stores: ReportStoresOf(w.store)}, Query{}, 100))
	h, err := w.store.Chains.Head(w.Context(), string(w.conn.ID))
	w.must(err)
	known := []KnownHead{{h.Chain, h.Seq, h.Hash}}
	check := func(statement, mac []byte) (bool, error) { return testSeal{"k"}.Verify(w.Context(), statement, mac) }
	examine := func(entries, links []byte) []string {
		t.Helper()
		out, err := VerifyExport(bytes.NewReader(entries), bytes.NewReader(links), ExportCheck{Heads: known, Seal: check, Now: w.Now()})
		w.must(err)
		var codes []string
		for _, d := range out.Differences {
			codes = append(codes, d.Code+" "+d.Entry)
		}
		return codes
	}
	if got := examine(entries, links); len(got) != 0 {
		t.Errorf("VerifyExport = %v", got)
	}
	id := string(runs[1].ID) + ".0.3"
	if got := examine(bytes.Replace(entries, []byte("new 3"), []byte("new 9"), 1), links); len(got) != 1 || !strings.HasPrefix(got[0], "changed ") {
		t.Errorf("with a value changed = %v", got)
	}
	var less []byte
	for _, line := range bytes.SplitAfter(entries, []byte("\n")) {
		if !bytes.Contains(line, []byte(id)) {
			less = append(less, line...)
		}
	}
	if got := examine(less, links); !slices.Equal(got, []string{"missing " + id}) {
		t.Errorf("with an entry left out = %v", got)
	}
	if got := examine(append(slices.Clone(entries), []byte(`{"id":"act_x","at":"2026-03-02T09:00:00Z","kind":"bind"}`)...), links); !slices.Equal(got, []string{"inserted act_x"}) {
		t.Errorf("with an entry put in = %v", got)
	}
	young := fmt.Appendf(slices.Clone(entries), `{"id":"act_y","at":%q,"kind":"bind"}`, w.Now().Format(time.RFC3339))
	out, err := VerifyExport(bytes.NewReader(young), bytes.NewReader(links), ExportCheck{Now: w.Now()})
	if err != nil || len(out.Differences) != 0 || out.Unproved != 1 {
		t.Errorf("with an act of this hour = %+v, %v", out, err)
	}
	if out, err = VerifyExport(bytes.NewReader(less), bytes.NewReader(links), ExportCheck{Partial: true}); err != nil || len(out.Differences) != 0 {
		t.Errorf("of a part = %+v, %v", out, err)
	}
	if out, err = VerifyExport(bytes.NewReader(nil), bytes.NewReader(links), ExportCheck{Now: w.Now().Add(401 * 24 * time.Hour)}); err != nil || len(out.Differences) != 0 || out.Expired != 36 {
		t.Errorf("when all have expired = %+v, %v", out, err)
	}
	lines := bytes.SplitAfter(links, []byte("\n"))
	if got := examine(entries, bytes.Join(lines[:len(lines)-2], nil)); len(got) == 0 || !strings.HasPrefix(got[0], DiffHead) {
		t.Errorf("with the last link left out = %v", got)
	}
	twice := slices.Concat(links, lines[len(lines)-3], lines[len(lines)-2])
	if got := examine(append(slices.Clone(entries), entries...), twice); len(got) != 0 {
		t.Errorf("with pages that were fetched twice = %v", got)
	}
	if _, err := VerifyExport(strings.NewReader("no JSON"), bytes.NewReader(links), ExportCheck{}); !errors.Is(err, errLines) {
		t.Errorf("of something else = %v", err)
	}
}
