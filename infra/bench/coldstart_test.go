package bench

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// starts is how often each function is started; the middle one counts.
const starts = 15

// coldstart measures how long sync takes from the start of its process to its
// first question for an event, beside a function that does nothing; and the size
// of what is uploaded of each function. `make bench` has built them, and names the
// folder; else they are built here.
func coldstart(t *testing.T, r *report) {
	mains, err := filepath.Glob("../../functions/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no functions: %v", err)
	}
	var names []string
	for _, main := range mains {
		names = append(names, filepath.Base(filepath.Dir(main)))
	}
	folder := os.Getenv("BINDERY_BENCH_BUILD")
	if folder == "" {
		folder = t.TempDir()
		for _, name := range names {
			goBuild(t, filepath.Join(folder, name, "bootstrap"), "../../functions/"+name)
		}
	}
	ours, empty := filepath.Join(folder, "sync", "bootstrap"), filepath.Join(folder, "empty", "bootstrap")
	goBuild(t, empty, "./empty")
	var times [2][]time.Duration
	for n := range starts + 1 {
		for i, binary := range []string{ours, empty} {
			took := startTime(t, binary)
			if n > 0 { // the first one reads the file from the disk
				times[i] = append(times[i], took)
			}
		}
	}
	a, b := median(times[0]), median(times[1])
	r.add("coldstart.ratio", a.Seconds()/b.Seconds(), "ratio", lower, "sync ÷ an empty Go Lambda: from the start of the process to the first poll of the runtime API")
	r.add("coldstart.sync_ms", float64(a.Microseconds())/1000, "ms", lower, fmt.Sprintf("sync, the median of %d starts; the empty one takes %.1f ms", starts, float64(b.Microseconds())/1000))
	largest, sizes := int64(0), []string{}
	for _, name := range names {
		size := zipped(t, filepath.Join(folder, name, "bootstrap"))
		largest = max(largest, size)
		sizes = append(sizes, fmt.Sprintf("%s %.1f", name, float64(size)/1e6))
	}
	r.add("build.zip_mb", float64(largest)/1e6, "MB", lower, "the largest function, deflated, as it is uploaded: "+strings.Join(sizes, ", "))
}

// goBuild builds a function as the Makefile does, whatever the environment says.
func goBuild(t *testing.T, to, from string) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags=lambda.norpc", "-buildvcs=false", "-ldflags", "-s -w", "-o", to, from)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", from, err, out)
	}
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// startTime starts a function under a runtime API that has no event for it.
func startTime(t *testing.T, binary string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	polled := make(chan time.Time, 1)
	said := make(chan string, 1)
	runtime := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/invocation/next") {
			select {
			case polled <- time.Now():
			default:
			}
			<-req.Context().Done()
			return
		}
		body, _ := io.ReadAll(req.Body) // what is lost is only the reason of a failure
		select {
		case said <- string(body):
		default:
		}
	}))
	defer runtime.Close()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(runtime.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=bench",
		"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none",
		"TABLE_NAME=bench", "QUEUE_URL=https://sqs.example/1/work", "LOAD_QUEUE_URL=https://sqs.example/1/load", "SECRET_PREFIX=bench/", "KMS_KEY_ID=alias/bench",
		"SEAL_KEY_ID=alias/seal", "HEADS_BUCKET=bench-heads", "EVENT_BUS_NAME=bench", "PASSWORD_KEY_SECRET=bench/password", "STATE_KEY_SECRET=bench/state", "PUBLIC_BASE_URL=https://bench.example",
		"M365_CLIENT_ID=5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", "M365_CLIENT_SECRET_NAME=bench-client",
	}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v (make build makes it)", binary, err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // killed below, or too early: then the poll is missing
		close(ended)
	}()
	var took time.Duration
	select {
	case at := <-polled:
		took = at.Sub(begun)
	case why := <-said:
		t.Errorf("%s does not start: %s", binary, why)
	case <-ended:
		t.Errorf("%s ended without asking for an event: %s", binary, output.String())
	}
	cancel()
	<-ended
	return took
}

// zipped is the size of a file in an archive.
func zipped(t *testing.T, path string) int64 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var size counter
	z := zip.NewWriter(&size)
	w, err := z.Create("bootstrap")
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return int64(size)
}

type counter int64

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
