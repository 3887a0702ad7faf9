package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// TestMain makes this test's binary a function when a pool starts it: AWS's
// own runtime client then speaks to the API of this package.
func TestMain(m *testing.M) {
	switch os.Getenv("BE") {
	case "function":
		lambda.Start(handle)
	case "broken":
		fmt.Println("cannot start")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

type order struct {
	Do   string
	Text string
}

type told struct {
	Text, Trace, Request, ARN, Env string
	Left                           float64 // seconds to the deadline
	Process                        int
}

func handle(ctx context.Context, o order) (any, error) {
	switch o.Do {
	case "fail":
		return nil, errors.New(o.Text)
	case "exit":
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "answer":
		return strings.Repeat("x", MaxPayload-2), nil
	case "answer too much":
		return strings.Repeat("x", MaxPayload-1), nil
	}
	fmt.Println("a line")
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return told{
		Text: o.Text, Trace: os.Getenv("_X_AMZN_TRACE_ID"), Request: lc.AwsRequestID, ARN: lc.InvokedFunctionArn,
		Env: strings.Join(os.Environ(), " "), Left: time.Until(deadline).Seconds(), Process: os.Getpid(),
	}, nil
}

func pool(t *testing.T, f Function, recycle Recycling) (*Pool, func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f.Name, f.Binary = "test", self
	if f.Env == nil {
		f.Env = []string{"BE=function"}
	}
	if f.Timeout == 0 {
		f.Timeout = time.Minute
	}
	var mu sync.Mutex
	var log strings.Builder
	p := NewPool(f, "arn:aws:lambda:eu-central-1:123456789012:function:test", recycle, func(line []byte) {
		mu.Lock()
		defer mu.Unlock()
		log.Write(line)
		log.WriteString("|")
	})
	t.Cleanup(p.Close)
	return p, func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
}

func call(t *testing.T, p *Pool, o order) (told, error) {
	t.Helper()
	payload, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Invoke(Event{Payload: payload, Trace: "Root=1-2-3", MayDie: true})
	var out told
	if err == nil && o.Do == "" {
		err = json.Unmarshal(got, &out)
	}
	return out, err
}

func TestInvoke(t *testing.T) {
	p, log := pool(t, Function{Timeout: 20 * time.Second}, Recycling{})
	got, err := call(t, p, order{Text: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Text != "hello" || got.Trace != "Root=1-2-3" || got.Request == "" || !strings.HasSuffix(got.ARN, ":function:test") || got.Left <= 0 || got.Left > 20 {
		t.Errorf("the function was told %+v", got)
	}
	for _, name := range []string{"HOME=", "PATH="} {
		if strings.Contains(got.Env, name) {
			t.Errorf("the function has the environment of the test: %s", name)
		}
	}
	p.Close()
	if log() != "a line|" {
		t.Errorf("log = %q", log())
	}
}

func TestFaults(t *testing.T) {
	p, _ := pool(t, Function{Timeout: time.Minute}, Recycling{})
	short, _ := pool(t, Function{Timeout: time.Second}, Recycling{})
	if _, err := call(t, short, order{Do: "hang"}); err == nil || err.Error() != "Sandbox.Timedout: Task timed out after 1.00 seconds" {
		t.Errorf("a function that takes too long: %v", err)
	}
	for _, tt := range []struct {
		order order
		want  string
	}{
		{order{Do: "fail", Text: "no such thing"}, "errorString: no such thing"},
		{order{Do: "exit"}, "Runtime.ExitError: the process ended: exit status 3"},
		{order{Do: "answer too much"}, "Function.ResponseSizeTooLarge"},
		{order{Do: "answer"}, ""},
		{order{}, ""}, // after all that, another process answers
	} {
		_, err := call(t, p, tt.order)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v, want %q", tt.order, err, tt.want)
		}
	}
	if _, err := p.Invoke(Event{Payload: make([]byte, MaxPayload+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large event: %v", err)
	}
	broken, _ := pool(t, Function{Env: []string{"BE=broken"}}, Recycling{})
	if _, err := call(t, broken, order{}); err == nil || !strings.Contains(err.Error(), "before its first event") {
		t.Errorf("a process that does not begin: %v", err)
	}
}

// Two warm processes take turns at random and are frozen between events; the
// same seed has the same processes end.
func TestPool(t *testing.T) {
	p, _ := pool(t, Function{Concurrency: 2}, Recycling{})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, err := call(t, p, order{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	seen := map[int]int{}
	for range 20 {
		p.group.Wait() // until both are idle
		got, err := call(t, p, order{})
		if err != nil {
			t.Fatal(err)
		}
		seen[got.Process]++
	}
	if len(seen) > 2 {
		t.Errorf("%d processes worked, want at most two", len(seen))
	}
	p.group.Wait()
	for pid := range seen {
		for !frozen(pid) { // or the test never ends
			time.Sleep(time.Millisecond)
		}
	}
}

// frozen reports whether a process is stopped; true where the system does not tell.
func frozen(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(status), ") T ")
}

func TestRecycling(t *testing.T) {
	run := func(seed uint64) Stats {
		p, _ := pool(t, Function{}, Recycling{Seed: seed, After: 3})
		for range 12 {
			if _, err := call(t, p, order{}); err != nil {
				t.Fatal(err)
			}
			p.group.Wait()
		}
		return p.Stats()
	}
	one, two := run(7), run(7)
	if one.Recycled == 0 || one.Recycled != two.Recycled || one.ColdStarts != two.ColdStarts || one.ColdStarts != one.Recycled+1 && one.ColdStarts != one.Recycled {
		t.Errorf("seed 7: %+v, then %+v", one, two)
	}
	p, _ := pool(t, Function{}, Recycling{Seed: 1, Middle: 1, MostMiddle: 1})
	_, err := call(t, p, order{Do: "hang"})
	if fault, ok := errors.AsType[*FunctionError](err); !ok || !fault.Killed {
		t.Errorf("an event that may die: %v", err)
	}
	if _, err := call(t, p, order{}); err != nil {
		t.Errorf("after as many as may: %v", err)
	}
	if s := p.Stats(); s.KilledMidway != 1 || len(s.Errors) != 0 {
		t.Errorf("stats %+v", s)
	}
}
