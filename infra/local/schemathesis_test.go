package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
)

// TestSchemathesis has Schemathesis hold the API to its own description: every
// operation, by its parameters and bodies as described and not, and by sequences of
// calls. It runs where BINDERY_SCHEMATHESIS names the program (make test-api).
func TestSchemathesis(t *testing.T) {
	program := os.Getenv("BINDERY_SCHEMATHESIS")
	if program == "" {
		t.Skip("BINDERY_SCHEMATHESIS names no program")
	}
	seconds := cmp.Or(os.Getenv("BINDERY_SCHEMATHESIS_SECONDS"), "180")
	// What it makes up is the same each time, so that a change's checks tell of the
	// change; with another seed it makes up other requests.
	seed := cmp.Or(os.Getenv("BINDERY_SCHEMATHESIS_SEED"), "11")
	config, err := filepath.Abs("testdata/schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	o := stacktest.With(t, stack.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	f := &fuzz{T: t, o: o}
	f.furnish()
	server := httptest.NewServer(o.Stack.Handler())
	defer server.Close()
	log.Reset()

	dir := t.TempDir() // it writes files of its own
	report, events := filepath.Join(dir, "report.json"), filepath.Join(dir, "events.ndjson")
	cmd := exec.CommandContext(t.Context(), program, "--config-file", config, "run", "--seed", seed, "--max-time", seconds,
		"--report-json-path", report, "--report-ndjson-path", events, server.URL+"/v1/openapi.json")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "API_TOKEN="+o.Stack.AdminToken(), "CONNECTION="+f.known["connection"][0], "USER_ID="+f.known["user"][0],
		"RUN="+f.known["run"][0], "JOB="+f.known["job"][0], "NO_COLOR=1")
	out, failed := cmd.CombinedOutput()
	t.Logf("%s", out)
	verdict, err := readVerdict(report, events)
	if err != nil {
		t.Errorf("schemathesis: %v; its reports: %v", failed, err)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, `"request failed"`) || strings.Contains(line, "panic") {
			t.Errorf("the stack's log: %s", line)
		}
	}
	// Last, so that they are seen where only the end of a log is kept.
	for _, e := range verdict.errors {
		t.Logf("an error of Schemathesis: %s", e)
	}
	if verdict.failed() {
		t.Errorf("schemathesis: %v: %s", failed, verdict)
	}
}

// verdict is what Schemathesis has found. Its exit status does not tell the API's faults
// from its own: it is 1 as well when it did not succeed in making up a request.
type verdict struct {
	Cases struct {
		Generated    int `json:"generated"`
		WithFailures int `json:"with_failures"`
		Errored      int `json:"errored"`
	} `json:"test_cases"`
	Operations struct {
		Selected int `json:"selected"`
		Tested   int `json:"tested"`
	} `json:"operations"`
	Exit     int `json:"exit_code"`
	Failures []struct {
		Title string `json:"title"`
		Count int    `json:"count"`
	} `json:"failures"`

	errors []toolError
}

// toolError is what Schemathesis calls an error: no answer was found wanting, and
// something could not be done.
type toolError struct {
	Label string `json:"label"` // the operation that it was about
	Phase string `json:"phase"`
	Value struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"value"`
}

func (e toolError) String() string {
	return fmt.Sprintf("%s, %s: %s: %s", e.Label, e.Phase, e.Value.Type, e.Value.Message)
}

// generation are errors of Hypothesis, which makes the requests up: it threw too many
// of them away, found none in its time, or could not make one up again. What the API
// answers has no part in it. An operation of which no request can be made up at all is
// one that was not tested.
var generation = []string{"FailedHealthCheck", "Unsatisfiable", "Flaky", "FlakyFailure", "FlakyReplay", "FlakyStrategyDefinition", "FlakyBackendFailure"}

// ofAPI reports whether the error tells of the API or its description: a request that
// got no answer, a server that went away, a schema that makes no sense. So does
// whatever is not known to be of the making up.
func (e toolError) ofAPI() bool {
	return !slices.Contains(generation, e.Value.Type) && !(e.Value.Type == "SystemError" && strings.HasPrefix(e.Value.Message, astDepth))
}

// astDepth begins what CPython says when its own count of how deep it is in a syntax tree
// is wrong, as it is now and then while Hypothesis looks at the source of a strategy.
const astDepth = "AST constructor recursion depth mismatch"

// failed reports whether something is wrong with the API or its description, or
// nothing was tested.
func (v *verdict) failed() bool {
	switch {
	case v.Cases.Generated == 0, v.Cases.WithFailures > 0, v.Cases.Errored > 0, len(v.Failures) > 0:
		return true
	case len(v.errors) == 0:
		return v.Exit != 0
	}
	// With errors the exit status is 1 for their sake.
	return v.Exit > 1 || slices.ContainsFunc(v.errors, toolError.ofAPI) || v.Operations.Tested < v.Operations.Selected
}

func (v *verdict) String() string {
	return fmt.Sprintf("%d requests to %d of %d operations: %d with failures %v, %d without an answer, %d errors", v.Cases.Generated, v.Operations.Tested,
		v.Operations.Selected, v.Cases.WithFailures, v.Failures, v.Cases.Errored, len(v.errors))
}

// readVerdict reads the two reports of a run: its sums, and what happened.
func readVerdict(report, events string) (*verdict, error) {
	v := &verdict{}
	raw, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return v, err
	}
	file, err := os.Open(events)
	if err != nil {
		return v, err
	}
	defer file.Close()
	v.errors, err = errorsAmong(file)
	return v, err
}

// errorsAmong are the errors among the events of a run, one a line.
func errorsAmong(events io.Reader) (list []toolError, err error) {
	lines := json.NewDecoder(events)
	for {
		var event struct {
			NonFatal *toolError `json:"NonFatalError"`
			Fatal    *struct {
				Value json.RawMessage `json:"exception"`
			} `json:"FatalError"`
		}
		switch err := lines.Decode(&event); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return list, err
		case event.NonFatal != nil:
			list = append(list, *event.NonFatal)
		case event.Fatal != nil:
			fatal := toolError{Label: "the run"}
			if err := json.Unmarshal(event.Fatal.Value, &fatal.Value); err != nil {
				return list, err
			}
			fatal.Value.Type = "fatal " + fatal.Value.Type
			list = append(list, fatal)
		}
	}
}

// lockedBuffer is a log that many write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// TestVerdict: what Schemathesis did not succeed in making up fails nothing; whatever
// tells of the API does, and so does a run that tested nothing.
func TestVerdict(t *testing.T) {
	const (
		ran       = `"test_cases":{"generated":7273,"with_failures":0,"errored":0},"failures":[],"operations":{"selected":61,"tested":61}`
		health    = `{"NonFatalError":{"value":{"type":"FailedHealthCheck","message":"Too many generated examples are filtered out"},"phase":"Fuzzing","label":"POST /v1/users"}}`
		depth     = `{"NonFatalError":{"value":{"type":"SystemError","message":"AST constructor recursion depth mismatch (before=66, after=101)"},"phase":"coverage","label":"POST /v1/users"}}`
		system    = `{"NonFatalError":{"value":{"type":"SystemError","message":"error return without exception set"},"phase":"coverage","label":"POST /v1/users"}}`
		timeout   = `{"NonFatalError":{"value":{"type":"ReadTimeout","message":"Read timed out."},"phase":"Stateful","label":"GET /v1/users"}}`
		scenario  = `{"ScenarioFinished":{"label":"NonFatalError"}}`
		exhausted = `{"FatalError":{"exception":{"type":"MemoryError","message":"out of it"}}}`
	)
	for name, tt := range map[string]struct {
		report string
		events []string
		failed bool
	}{
		"all passed":                        {report: `{"exit_code":0,` + ran + `}`, events: []string{scenario}},
		"a request could not be made up":    {report: `{"exit_code":1,` + ran + `}`, events: []string{scenario, health}},
		"Python lost count of its depth":    {report: `{"exit_code":1,` + ran + `}`, events: []string{depth}},
		"Python failed otherwise":           {report: `{"exit_code":1,` + ran + `}`, events: []string{system}, failed: true},
		"none of an operation could be":     {report: `{"exit_code":1,"test_cases":{"generated":9},"operations":{"selected":61,"tested":60}}`, events: []string{health}, failed: true},
		"a check failed":                    {report: `{"exit_code":1,"test_cases":{"generated":9,"with_failures":1},"failures":[{"title":"Server error","count":1}],"operations":{"selected":61,"tested":61}}`, failed: true},
		"a check failed beside an error":    {report: `{"exit_code":1,"test_cases":{"generated":9,"with_failures":1},"operations":{"selected":61,"tested":61}}`, events: []string{health}, failed: true},
		"a check of the whole run failed":   {report: `{"exit_code":1,"test_cases":{"generated":9},"failures":[{"title":"x","count":1}],"operations":{"selected":61,"tested":61}}`, events: []string{health}, failed: true},
		"a request got no answer":           {report: `{"exit_code":1,"test_cases":{"generated":9,"errored":1},"operations":{"selected":61,"tested":61}}`, events: []string{timeout}, failed: true},
		"one got none that was not counted": {report: `{"exit_code":1,` + ran + `}`, events: []string{health, timeout}, failed: true},
		"an exit status that nothing tells": {report: `{"exit_code":1,` + ran + `}`, failed: true},
		"its configuration is wrong":        {report: `{"exit_code":2,` + ran + `}`, events: []string{health}, failed: true},
		"it died":                           {report: `{"exit_code":1,` + ran + `}`, events: []string{exhausted}, failed: true},
		"nothing was tested":                {report: `{"exit_code":0,"test_cases":{"generated":0},"operations":{"selected":61,"tested":0}}`, failed: true},
	} {
		v := &verdict{}
		if err := json.Unmarshal([]byte(tt.report), v); err != nil {
			t.Fatal(err)
		}
		list, err := errorsAmong(strings.NewReader(strings.Join(tt.events, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		v.errors = list
		if v.failed() != tt.failed {
			t.Errorf("%s: failed is %v (%s, %v)", name, v.failed(), v, v.errors)
		}
	}
	if _, err := errorsAmong(strings.NewReader(health + "\n" + `{"NonFatal`)); err == nil {
		t.Error("events that were cut off are no error")
	}
}
