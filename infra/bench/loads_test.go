package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bindery/infra/apigateway"
	"bindery/infra/stack"
	"bindery/shared/api/admin"
	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
	"bindery/shared/boot/web"
	"bindery/shared/directory"
	"bindery/shared/platform/upload"
	"bindery/shared/table"
	"bindery/shared/table/bolt"
	"bindery/shared/table/memory"
)

// door is the admin function in one process: requests pass as events, jobs are
// worked on when the part says so.
type door struct {
	*testing.T
	core   *app.Core
	files  *upload.Folder
	handle http.Handler
	jobs   []directory.WakeUp
}

func newDoor(t *testing.T, tab table.Table) *door {
	t.Helper()
	d := &door{T: t}
	key := stack.OneKey(directory.NewSecret("a-key-of-nobody"))
	var err error
	d.files, err = upload.NewFolder(upload.FolderConfig{Path: t.TempDir(), BaseURL: "http://files.local", Key: key("uploads")})
	if err != nil {
		t.Fatal(err)
	}
	d.core, err = stack.Process{Drivers: stack.Drivers{Table: tab, Queue: d, Files: d.files}, Key: key}.Start()
	if err != nil {
		t.Fatal(err)
	}
	api, err := web.API(d.core, lambda.Gateway{})
	if err != nil {
		t.Fatal(err)
	}
	answer := lambda.Answer(api)
	claims := map[string]string{"sub": "admin", "scope": "bindery/read bindery/write"}
	d.handle = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		apigateway.Route{Key: r.Method + " /v1/{proxy+}", Claims: claims, Invoke: answer}.Serve(w, r)
	})
	return d
}

func (d *door) Send(_ context.Context, w directory.WakeUp, _ time.Duration) error {
	d.jobs = append(d.jobs, w)
	return nil
}

func (d *door) SendAll(_ context.Context, list []directory.WakeUp) error {
	d.jobs = append(d.jobs, list...)
	return nil
}

func (d *door) SendLoad(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return d.Send(ctx, w, delay)
}

func (d *door) SendSweep(context.Context, directory.WakeUp, time.Duration) error { return nil }

// ask sends a request and returns the answer's body.
func (d *door) ask(status int, method, path, kind, body string) []byte {
	d.Helper()
	r := httptest.NewRequestWithContext(d.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	d.handle.ServeHTTP(w, r)
	if w.Code != status {
		d.Fatalf("%s %s = %d %.300s", method, path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// work does the queued wake-ups to their end and returns how many slices it took.
func (d *door) work() int {
	d.Helper()
	for n := 0; ; n++ {
		if len(d.jobs) == 0 {
			return n
		}
		w := d.jobs[0]
		d.jobs = d.jobs[1:]
		ctx, cancel := context.WithTimeout(d.Context(), 3*time.Minute)
		err := d.core.Load(ctx, w.Encode())
		cancel()
		if err != nil {
			d.Fatal(err)
		}
	}
}

// calls counts the calls of a table that a load makes, and samples live memory.
type calls struct {
	sampler
	n int
}

func (c *calls) Get(ctx context.Context, key table.Key) (table.Item, error) {
	c.n++
	return c.sampler.Get(ctx, key)
}

func (c *calls) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	c.n++
	return c.sampler.GetMany(ctx, keys)
}

func (c *calls) Write(ctx context.Context, writes ...table.Write) error {
	c.n++
	return c.sampler.Write(ctx, writes...)
}

const directorySize = 100_000

// loads measures, on the wall's clock, a directory of 100,000 people that is loaded in one call, from
// an upload; and what the largest requests take of a CPU.
func loads(t *testing.T, r *report) {
	tab, err := bolt.Open(filepath.Join(t.TempDir(), "table.db"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	c := &calls{sampler: sampler{Table: tab, each: 500}}
	d := newDoor(t, c)
	var b strings.Builder
	b.WriteString("email,givenName,familyName,department,jobTitle,location,company,phones.work,workAddress.streetAddress\n")
	for i := range directorySize {
		fmt.Fprintf(&b, "person.%06d@corp.example,Given %d,\"Family, %d\",Department %d,Engineer,Building %d,Corp Incorporated,+49 30 %07d,\"%d, Long Street\"\n", i, i, i, i%400, i%20, i, i%200)
	}
	file := b.String()
	var up struct {
		ID, Method, URL string
		Headers         map[string]string
	}
	if err := json.Unmarshal(d.ask(201, "POST", "/v1/uploads", "application/json", fmt.Sprintf(`{"bytes":%d,"contentType":"text/csv"}`, len(file))), &up); err != nil {
		t.Fatal(err)
	}
	put := httptest.NewRequest(up.Method, up.URL, strings.NewReader(file))
	for name, value := range up.Headers {
		put.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	d.files.ServeHTTP(w, put)
	if w.Code != http.StatusOK {
		t.Fatalf("storing the file = %d %s", w.Code, w.Body)
	}
	size := len(file)
	floor := cpuOf(t, readLines(t, file))()
	file, put = "", nil
	b.Reset()
	base := liveHeap()
	begun, cpu := time.Now(), cpuTime(t)
	var job directory.Job
	if err := json.Unmarshal(d.ask(202, "POST", "/v1/users:load?upload="+up.ID, "", ""), &job); err != nil {
		t.Fatal(err)
	}
	slices := d.work()
	took, spent := time.Since(begun), cpuTime(t)-cpu
	if err := json.Unmarshal(d.ask(200, "GET", "/v1/jobs/"+string(job.ID), "", ""), &job); err != nil || job.State != directory.JobDone || job.Counts["created"] != directorySize {
		t.Fatalf("job = %+v, %v", job, err)
	}
	r.add("load.heap_mb", math.Max(0, float64(c.peak)-float64(base))/1e6, "MB", lower, fmt.Sprintf("100,000 people loaded by an upload of %d MB: live memory at most, beyond what was there before", size/1e6))
	r.add("load.calls_per_user", float64(c.n)/directorySize, "calls", lower, "that load: calls of the table for each user")
	load := cost{spent, floor}
	r.add("load.cpu_ratio", load.ratio(), "ratio", lower, fmt.Sprintf("that load: CPU time, with the writing of the laptop's table ÷ to read the file's lines and encode them as JSON; %s", load))
	r.add("load.100000_s", took.Seconds(), "s", lower, fmt.Sprintf("that load on the laptop's table, in %d slices", slices))

	rows := "email,familyName\n"
	rows += strings.Repeat("x\n", (admin.MaxBody-len(rows))/8) + strings.Repeat("\"quoted\"\n", (admin.MaxBody-len(rows))/18)
	rows = rows[:min(len(rows), admin.MaxBody)]
	rows = rows[:strings.LastIndex(rows, "\n")+1]
	lines := againstFloor(tries, cpuOf(t, readLines(t, rows)), cpuOf(t, func() {
		d.ask(202, "POST", "/v1/users:load", "application/octet-stream", rows)
	}))
	r.add("admin.load_cpu_ratio", lines.ratio(), "ratio", lower, fmt.Sprintf("a load of the largest body, of short lines: CPU time until 202 ÷ to read its lines and encode them as JSON; %s", lines))

	d = newDoor(t, memory.New())
	custom := map[string]string{}
	for i := range 40 {
		custom[fmt.Sprintf("attribute%02d", i)] = strings.Repeat(`<"é\`, 200)
	}
	for i := range 150 {
		body, err := json.Marshal(map[string]any{"email": fmt.Sprintf("big%d@corp.example", i), "customAttributes": custom})
		if err != nil {
			t.Fatal(err)
		}
		d.ask(201, "POST", "/v1/users", "application/json", string(body))
	}
	got := d.ask(200, "GET", "/v1/users?limit=500", "", "")
	page := againstFloor(tries, cpuOf(t, decodeAll(t, [][]byte{got})), cpuOf(t, func() { d.ask(200, "GET", "/v1/users?limit=500", "", "") }))
	r.add("admin.page_cpu_ratio", page.ratio(), "ratio", lower, fmt.Sprintf("a page of users that is too large at first (%d bytes in the end): CPU time ÷ to decode it from JSON; %s", len(got), page))
}
