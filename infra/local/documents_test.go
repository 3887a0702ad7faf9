package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mvdan.cc/sh/v3/interp"

	"bindery/infra/docs"
	"bindery/infra/stack"
	"bindery/shared/directory"
)

// runDocuments are the documents whose commands are run, one after another in
// one shell: each may use what the ones before it made.
var runDocuments = []string{"shared/api/admin/WALK.md", "shared/core/audit/README.md", "shared/api/scim/README.md"}

// documentedAPI is where the documents say that the local stack is.
const documentedAPI = "http://localhost:8080"

// TestDocuments runs the commands of the documents as they stand there, against
// a local stack: with a shell, curl and jq in Go, and where the machine has
// bash, curl and jq, with those.
func TestDocuments(t *testing.T) {
	blocks := blocksToRun(t)
	t.Run("in Go", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, documentedAPI)
		shell := docs.Shell{Dir: s.dir, Handler: s, Commands: map[string]docs.Command{
			"sleep": func(ctx context.Context, _ interp.HandlerContext, _ []string) error { return s.rest(ctx) },
			"go":    s.goRun,
		}}
		for i := range blocks {
			b := &blocks[i]
			if b.Language == docs.ByHand {
				if err := s.byHand(t.Context(), b.Text); err != nil {
					t.Fatalf("%s: %v", b.Where(), err)
				}
				continue
			}
			s.begin()
			out, err := shell.Run(t.Context(), b)
			if err != nil {
				t.Fatalf("%s: %v; it printed\n%s", b.Where(), err, out)
			}
			s.check(t, b, out)
		}
	})
	t.Run("in bash", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"bash", "curl", "jq"} {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not there", name)
			}
		}
		runInBash(t, blocks)
	})
}

// blocksToRun reads the documents and returns what is run of them.
func blocksToRun(t *testing.T) []docs.Block {
	t.Helper()
	documents, err := docs.Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	run := map[string][]docs.Block{}
	for i := range documents {
		blocks, err := documents[i].Blocks()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if b.NotRun == "" && (b.Language == "sh" || b.Language == docs.ByHand) {
				run[b.Document] = append(run[b.Document], b)
			}
		}
	}
	var list []docs.Block
	for _, name := range runDocuments {
		if len(run[name]) == 0 {
			t.Errorf("%s has nothing to run: take it out of runDocuments", name)
		}
		list = append(list, run[name]...)
		delete(run, name)
	}
	for name := range run {
		t.Errorf("%s has commands that nobody runs: add it to runDocuments, or say why not", name)
	}
	return list
}

// scene is a local stack in a folder of its own, and what the documents'
// commands asked of it so far.
type scene struct {
	dir   string // holds .local
	base  string // of the API
	stack *stack.Stack
	api   *stack.Client

	mu          sync.Mutex
	authorize   string // the last authorizationUrl
	jobs        map[string]bool
	connections map[string]bool
	health      map[string]time.Time // when a connection's doctor was asked for
	refused     []string             // since the block began: status and code
}

func newScene(t *testing.T, base string) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir(), base: base, jobs: map[string]bool{}, connections: map[string]bool{}, health: map[string]time.Time{}}
	var err error
	if s.stack, err = stack.Open(t.Context(), stack.Config{Dir: filepath.Join(s.dir, ".local"), PublicURL: base}); err != nil {
		t.Fatal(err)
	}
	s.api = s.stack.Client()
	if err := sampleTenant(s.stack.Sim); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.stack.Work(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, s.stack.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

var (
	authorizationURL = regexp.MustCompile(`"authorizationUrl":\s*("[^"]*")`)
	jobID            = regexp.MustCompile(`"id":\s*"(job_[^"]+)"`)
	connectionID     = regexp.MustCompile(`"id":\s*"(con_[^"]+)"`)
	askedForHealth   = regexp.MustCompile(`^/v1/connections/([^/]+)/health$`)
)

// ServeHTTP passes a call on to the stack and remembers what came of it.
func (s *scene) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := time.Now()
	rec := httptest.NewRecorder()
	s.stack.Handler().ServeHTTP(rec, r)
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	body := rec.Body.Bytes()
	_, _ = w.Write(body) // a client that is gone sees nothing
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec.Code >= 400 {
		var problem struct{ Code string }
		_ = json.Unmarshal(body, &problem) // one without a code is told by its status
		s.refused = append(s.refused, strings.TrimSpace(strconv.Itoa(rec.Code)+" "+problem.Code))
	}
	if m := authorizationURL.FindSubmatch(body); m != nil {
		_ = json.Unmarshal(m[1], &s.authorize) // it is a JSON string
	}
	for _, m := range jobID.FindAllSubmatch(body, -1) {
		s.jobs[string(m[1])] = true
	}
	for _, m := range connectionID.FindAllSubmatch(body, -1) {
		s.connections[string(m[1])] = true
	}
	if m := askedForHealth.FindStringSubmatch(r.URL.Path); m != nil && r.Method == http.MethodPost {
		s.health[m[1]] = asked
	}
}

// begin starts a block: what was refused before does not concern it.
func (s *scene) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = nil
}

// check holds what a block printed and what its calls were answered against its marks.
func (s *scene) check(t *testing.T, b *docs.Block, out string) {
	t.Helper()
	s.mu.Lock()
	refused := slices.Clone(s.refused)
	s.mu.Unlock()
	if !slices.Equal(refused, b.Answers) {
		t.Errorf("%s: its calls were refused with %q, and its mark says %q; it printed\n%s", b.Where(), refused, b.Answers, out)
	}
	for _, want := range b.Says {
		if !strings.Contains(out, want) {
			t.Errorf("%s: does not say %s, but\n%s", b.Where(), want, out)
		}
	}
}

var signInAs = regexp.MustCompile(`^sign in as (\S+)$`)

// byHand does what a person does in a browser.
func (s *scene) byHand(ctx context.Context, what string) error {
	m := signInAs.FindStringSubmatch(what)
	if m == nil {
		return fmt.Errorf("nobody knows how to %s", what)
	}
	s.mu.Lock()
	address := s.authorize
	s.mu.Unlock()
	status, page, err := s.stack.SignIn(ctx, address, m[1])
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the callback answered %d: %s", status, page)
	}
	return err
}

// rest stands for the documents' sleep: until all that was asked for is done.
func (s *scene) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for calm := 0; calm < 3; {
		busy, err := s.busy(ctx)
		if err != nil {
			return err
		}
		calm++
		if busy != "" {
			calm = 0
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still at work: %s", busy)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// busy says what is not done yet; "" when everything is.
func (s *scene) busy(ctx context.Context) (string, error) {
	s.mu.Lock()
	jobs, connections, health := slices.Sorted(maps.Keys(s.jobs)), slices.Sorted(maps.Keys(s.connections)), maps.Clone(s.health)
	s.mu.Unlock()
	for _, id := range jobs {
		job, err := s.api.Get(ctx, s.base+"/v1/jobs/"+id)
		if err != nil {
			return "", err
		}
		if state := job.Text("state"); state != string(directory.JobDone) && state != string(directory.JobFailed) {
			return id + " is " + state, nil
		}
	}
	for _, id := range connections {
		conn := s.base + "/v1/connections/" + id
		runs, err := s.api.Get(ctx, conn+"/runs?limit=10")
		if err != nil {
			return "", err
		}
		held := false
		for _, r := range runs.List("items") {
			held = held || r.Text("state") == string(directory.RunHeld)
			if state := directory.RunState(r.Text("state")); slices.Contains([]directory.RunState{directory.RunPlanning, directory.RunApplying, directory.RunWaiting}, state) {
				return r.Text("id") + " is " + string(state), nil
			}
		}
		pending, err := s.api.Get(ctx, conn+"/bindings?status=pending&limit=1")
		if err != nil {
			return "", err
		}
		if len(pending.List("items")) > 0 && !held { // what is held waits for a person
			return "a binding is pending", nil
		}
		if asked, ok := health[id]; ok {
			report, err := s.api.Get(ctx, conn+"/health")
			if err != nil {
				return "", err
			}
			if at, err := time.Parse(time.RFC3339, report.Text("checkedAt")); err != nil || at.Before(asked.Truncate(time.Second)) {
				return "the doctor is on the way", nil
			}
		}
	}
	return "", nil
}

// goRun stands for go run ./infra/local verify: the same code, without building it.
func (s *scene) goRun(ctx context.Context, shell interp.HandlerContext, args []string) error {
	files, ok := strings.CutPrefix(strings.Join(args, " "), "run ./infra/local verify ")
	if !ok {
		return fmt.Errorf("the documents' go knows no %q", args)
	}
	names := strings.Fields(files)
	for i, name := range names {
		if !strings.HasPrefix(name, "-") {
			names[i] = filepath.Join(shell.Dir, name)
		}
	}
	return verify(ctx, names, shell.Stdout)
}

// blockBegins separates the output of blocks, which has no such character.
const blockBegins = "\x1e"

// runInBash runs the blocks as one script. What stands for a person, for time
// and for what is built from source is asked of the scene by calls beside the API.
func runInBash(t *testing.T, blocks []docs.Block) {
	srv := httptest.NewUnstartedServer(nil)
	base := "http://" + srv.Listener.Addr().String()
	s := newScene(t, base)
	outs := map[int]string{}
	refusals := map[int][]string{}
	current := -1
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("/scene/begin", func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		refusals[current], s.refused = s.refused, nil
		current, _ = strconv.Atoi(r.URL.Query().Get("block")) // we wrote the number
	})
	answer := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	mux.HandleFunc("/scene/rest", func(w http.ResponseWriter, r *http.Request) { answer(w, s.rest(r.Context())) })
	mux.HandleFunc("/scene/by-hand", func(w http.ResponseWriter, r *http.Request) {
		answer(w, s.byHand(r.Context(), r.URL.Query().Get("what")))
	})
	srv.Config.Handler = mux
	srv.Start()
	defer srv.Close()

	var script strings.Builder
	fmt.Fprintf(&script, `set -eu # no pipefail: head leaves before curl has written all
scene() { command curl -sS --fail-with-body "%s/scene/$1" "${@:2}"; }
sleep() { scene rest; }
go() { :; } # the same command was run in Go
`, base)
	for i, b := range blocks {
		if b.Language == docs.ByHand {
			fmt.Fprintf(&script, "scene by-hand -G --data-urlencode 'what=%s'\n", b.Text)
			continue
		}
		fmt.Fprintf(&script, "printf '%%s%d\\n' $'\\x1e'; scene 'begin?block=%d'\n%s\n", i, i, strings.ReplaceAll(b.Text, documentedAPI, base))
	}
	fmt.Fprintln(&script, "scene 'begin?block=-1'")
	cmd := exec.CommandContext(t.Context(), "bash", "-s")
	cmd.Dir, cmd.Stdin = s.dir, strings.NewReader(script.String())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("bash: %v; it printed\n%s", err, out.String())
	}
	for part := range strings.SplitSeq(out.String(), blockBegins) {
		number, text, _ := strings.Cut(part, "\n")
		if i, err := strconv.Atoi(number); err == nil {
			outs[i] = text
		}
	}
	for i := range blocks {
		if blocks[i].Language == docs.ByHand {
			continue
		}
		s.mu.Lock()
		s.refused = refusals[i]
		s.mu.Unlock()
		text := outs[i]
		if strings.Contains(blocks[i].Text, "go run ") {
			text += strings.Join(blocks[i].Says, " ") // what go would print
		}
		s.check(t, &blocks[i], text)
	}
}
