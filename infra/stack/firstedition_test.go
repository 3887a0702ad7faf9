package stack_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/core/doctor"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/dynamodb"
)

// edition is what is known of the state in testdata/first-edition: see its README.
type edition struct {
	At          time.Time // when the process was killed
	Tenants     map[string]string
	Connections map[string]string
	Users       map[string]string // by the name before the @
	Runs        map[string]string
	Jobs        map[string]string
	Messages    []string // "work" or "sweep", a blank, the body
	Answers     []struct {
		Path   string
		Status int
		Body   json.RawMessage
		Text   string
	}
}

// unpacked is a file of the first edition.
func unpacked(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "first-edition", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func readEdition(t *testing.T) *edition {
	t.Helper()
	e := &edition{}
	if err := json.Unmarshal(unpacked(t, "about.json.gz"), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// stateFolder is a copy of the first edition's state folder.
func stateFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := tar.NewReader(bytes.NewReader(unpacked(t, "local.tar.gz")))
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(name, 0o700)
		} else {
			var raw []byte
			if raw, err = io.ReadAll(files); err == nil {
				err = os.WriteFile(name, raw, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFirstEditionOnBolt reads and carries on what the first edition left in the state
// folder of a laptop.
func TestFirstEditionOnBolt(t *testing.T) {
	t.Parallel()
	e, dir := readEdition(t), stateFolder(t)
	synctest.Test(t, func(t *testing.T) { e.carryOn(t, dir, nil) })
}

// TestFirstEditionOnAWS is the same with the table in DynamoDB.
func TestFirstEditionOnAWS(t *testing.T) {
	engines := stacktest.AWS(t)
	var items []map[string]types.AttributeValue
	for line := range bytes.Lines(unpacked(t, "items.jsonl.gz")) {
		items = append(items, attributes(t, line))
	}
	name := engines.Name + "-first-edition"
	engines.Load(t, name, items)
	outside := newOutside(dynamodb.New(engines.Tables, name))
	defer outside.close()
	e, dir := readEdition(t), stateFolder(t)
	if err := os.Remove(filepath.Join(dir, "table.db")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { e.carryOn(t, dir, outside) })
}

// attributes reads an item in DynamoDB's JSON.
func attributes(t *testing.T, line []byte) map[string]types.AttributeValue {
	t.Helper()
	var raw map[string]struct{ S, N, B *string }
	if err := json.Unmarshal(line, &raw); err != nil {
		t.Fatal(err)
	}
	item := map[string]types.AttributeValue{}
	for name, v := range raw {
		switch {
		case v.S != nil:
			item[name] = &types.AttributeValueMemberS{Value: *v.S}
		case v.N != nil:
			item[name] = &types.AttributeValueMemberN{Value: *v.N}
		case v.B != nil:
			body, err := base64.StdEncoding.DecodeString(*v.B)
			if err != nil {
				t.Fatal(err)
			}
			item[name] = &types.AttributeValueMemberB{Value: body}
		default:
			t.Fatalf("an attribute of another type: %s", line)
		}
	}
	return item
}

// carryOn opens the state at the time at which the process was killed, compares what
// the API answers with what the first edition answered, and goes on to the end. A nil
// table is that of the folder. It must be called in a bubble.
func (e *edition) carryOn(t *testing.T, dir string, other store.Table) {
	time.Sleep(time.Until(e.At))
	token, err := os.ReadFile(filepath.Join(dir, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	const m365 = "http://localhost:8365"
	cfg := stack.Config{
		Dir: dir, PublicURL: "http://localhost:8080", Look: mailAtMicrosoft,
		Simulator: stack.Simulator{URL: m365, Dir: filepath.Join(dir, "m365")},
	}
	if other != nil {
		if cfg.Drivers, err = stack.Laptop(dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		cfg.Drivers.Table = other
	}
	w := stacktest.Open(t, cfg)
	w.API.Token = strings.TrimSpace(string(token)) // of the first edition, and still good
	e.compare(w)
	e.deliver(w)
	w.Work()
	e.ends(w)
	e.decides(w)
	e.reauthorizes(w)
	e.nothingIsLeft(w)
}

func mailAtMicrosoft(_ context.Context, domain string) *doctor.DNS {
	return &doctor.DNS{MX: []string{strings.ReplaceAll(domain, ".", "-") + ".mail.protection.outlook.com"},
		TXT: []string{"v=spf1 include:spf.protection.outlook.com -all"}, Autodiscover: "autodiscover.outlook.com"}
}

// compare demands that all that could be read can be read, and says what it said.
// Answers may say more by now.
func (e *edition) compare(w *stacktest.World) {
	w.Helper()
	for _, a := range e.Answers {
		status, body, err := w.API.Raw(w.Context(), http.MethodGet, a.Path, "", "")
		if err != nil || status != a.Status {
			w.Errorf("GET %s = %d %.300s, %v, want %d", a.Path, status, body, err, a.Status)
			continue
		}
		if a.Body == nil {
			if got := fmt.Sprintf("%d bytes", len(body)); got != a.Text {
				w.Errorf("GET %s = %s, want %s", a.Path, got, a.Text)
			}
			continue
		}
		var got, want any
		if err := errors.Join(json.Unmarshal([]byte(body), &got), json.Unmarshal(a.Body, &want)); err != nil {
			w.Fatal(err)
		}
		if odd := lacks(got, want, ""); odd != "" {
			w.Errorf("GET %s: %s", a.Path, odd)
		}
	}
}

// lacks names the first place at which a value does not have all that another has.
func lacks(got, want any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		has, ok := got.(map[string]any)
		if !ok {
			break
		}
		for name, v := range want {
			if odd := lacks(has[name], v, at+"."+name); odd != "" {
				return odd
			}
		}
		return ""
	case []any:
		has, ok := got.([]any)
		if !ok || len(has) != len(want) {
			break
		}
		for i := range want {
			if odd := lacks(has[i], want[i], fmt.Sprintf("%s[%d]", at, i)); odd != "" {
				return odd
			}
		}
		return ""
	default:
		if got == want {
			return ""
		}
	}
	return fmt.Sprintf("%s is %.300s, was %.300s", at, fmt.Sprint(got), fmt.Sprint(want))
}

// deliver hands over the messages of the first edition, which may still have been in
// the queues.
func (e *edition) deliver(w *stacktest.World) {
	w.Helper()
	for _, m := range e.Messages {
		kind, body, _ := strings.Cut(m, " ")
		handle := w.Stack.Core.Work
		if kind == "sweep" {
			handle = w.Stack.Core.Sweep
		}
		ctx, cancel := context.WithTimeout(w.Context(), stack.FunctionTime)
		if err := handle(ctx, []byte(body)); err != nil {
			w.Errorf("the message %s: %v", m, err)
		}
		cancel()
	}
}

// wait looks again and again whether something is done.
func wait(w *stacktest.World, what string, done func() bool) {
	w.Helper()
	for until := time.Now().Add(3 * time.Hour); !done(); time.Sleep(10 * time.Second) {
		if time.Now().After(until) {
			w.Fatalf("still not: %s", what)
		}
	}
}

func (e *edition) run(w *stacktest.World, id, state string) {
	w.Helper()
	wait(w, "the run "+id+" is "+state, func() bool { return w.Get("/v1/runs/"+id).Text("state") == state })
}

func (e *edition) job(w *stacktest.World, id string) stack.Object {
	w.Helper()
	wait(w, "the job "+id+" is done", func() bool { return w.Get("/v1/jobs/"+id).Text("state") == "done" })
	return w.Get("/v1/jobs/" + id)
}

func (e *edition) inSync(w *stacktest.World, connection, user string) {
	w.Helper()
	wait(w, user+" is in sync", func() bool {
		for _, b := range w.Must(w.API.Get(w.Context(), "/v1/connections/"+e.Connections[connection]+"/bindings?limit=500")).List("items") {
			if b.Text("userId") == e.Users[user] {
				return b.Text("status") == "in-sync"
			}
		}
		return false
	})
}

// ends: the killed run creates whom it had not, and nobody twice; the load of users
// goes on where it was.
func (e *edition) ends(w *stacktest.World) {
	w.Helper()
	created := map[string]int{}
	wait(w, "45 accounts are there", func() bool {
		clear(created)
		for _, m := range w.Stack.Sim.Mutations(e.Tenants["third"]) {
			if m.Kind == "create" && m.AppID != "" {
				created[m.UPN]++
			}
		}
		return len(created) >= 45
	})
	for i := range 45 {
		name := fmt.Sprintf("new%02d", i)
		e.inSync(w, "third", name)
		if n := created[name+"@third.example"]; n != 1 {
			w.Errorf("the account of %s was created %d times", name, n)
		}
	}
	if j := e.job(w, e.Jobs["load"]); j.Number("done") != 300 || j.Number("refusedCount") != 0 {
		w.Errorf("the load ended with %v", j)
	}
	loaded := map[string]int{}
	users, err := w.API.All(w.Context(), "/v1/users")
	if err != nil {
		w.Fatal(err)
	}
	for _, u := range users {
		if email := u.Text("email"); strings.HasPrefix(email, "load") {
			loaded[email]++
		}
	}
	if len(loaded) != 300 {
		w.Errorf("%d of 300 users were loaded", len(loaded))
	}
	for email, n := range loaded {
		if n != 1 {
			w.Errorf("%s was loaded %d times", email, n)
		}
	}
}

// decides: what waited for an admin, in the way in which it was to be decided.
func (e *edition) decides(w *stacktest.World) {
	w.Helper()
	corp := "/v1/connections/" + e.Connections["corp"]
	enabled := func(name string) any { return w.Account(e.Tenants["corp"], name+"@corp.example")["accountEnabled"] }

	// The held run goes on when it is approved.
	left := []string{"abe", "bea", "cal", "dan", "eva"}
	w.Post("/v1/runs/"+e.Runs["held"]+"/approve", nil)
	e.run(w, e.Runs["held"], "done")
	for _, name := range left {
		if enabled(name) != false {
			w.Errorf("the account of %s is not blocked", name)
		}
	}

	// An old run is taken back.
	title := func(name string) any { return w.Account(e.Tenants["corp"], name)["jobTitle"] }
	undo := w.Post("/v1/runs/"+e.Runs["edit"]+"/undo", nil).Text("id")
	e.run(w, undo, "done")
	if got := title("kim@corp.example"); got != "Clerk" {
		w.Errorf("after the undo the title is %v", got)
	}
	w.Must(w.API.Patch(w.Context(), "/v1/users/"+e.Users["kim"], stack.Object{"jobTitle": "Clerk", "department": "Sales"}))
	w.Post(corp+"/bindings/"+e.Users["kim"]+"/resume", nil)
	e.inSync(w, "corp", "kim")

	// A release gives an account the values that it had before the binding.
	status, body, err := w.API.Raw(w.Context(), http.MethodDelete, corp+"/bindings/"+e.Users["emil"]+"?then=restore", "", "")
	if err != nil || status != http.StatusAccepted {
		w.Errorf("the release answered %d %s, %v", status, body, err)
	}
	wait(w, "the department of before is there again", func() bool {
		return w.Account(e.Tenants["corp"], "emil@corp.example")["department"] == "Old"
	})

	// A paused binding, a refused value, a password that nobody has seen, another that
	// somebody has.
	w.Post(corp+"/bindings/"+e.Users["hal"]+"/resume", nil)
	e.inSync(w, "corp", "hal")
	if got := w.Account(e.Tenants["corp"], "hal@corp.example")["department"]; got != "Later" {
		w.Errorf("the department of a binding that is no longer paused is %v", got)
	}
	w.Post(corp+"/bindings/"+e.Users["gus"]+"/retry", nil)
	e.inSync(w, "corp", "gus")
	if got := title("gus@corp.example"); got != "Refused" {
		w.Errorf("the title that was refused is %v", got)
	}
	if w.Post("/v1/users/"+e.Users["olga"]+"/temporary-password", nil).Text("password") == "" {
		w.Error("there is no password to show")
	}
	if answer := w.Refused(w.API, http.MethodPost, "/v1/users/"+e.Users["nils"]+"/temporary-password", nil, http.StatusConflict); !strings.Contains(answer.Text("answer"), "password-shown") {
		w.Errorf("a password that was shown before: %v", answer)
	}

	// A proposal is approved by somebody else.
	third := "/v1/connections/" + e.Connections["third"]
	proposal := w.Get(third + "/proposals").List("items")[0].Text("id")
	if _, err := w.As("somebody-else", "bindery/read", "bindery/approve").PostJSON(w.Context(), third+"/proposals/"+proposal+"/approve", nil); err != nil {
		w.Error(err)
	}
	if got := w.Get(third).Object("settings").Object("guard").Object("block").Number("count"); got != 50 {
		w.Errorf("after the approval of the proposal the guard lets %d blocks go", got)
	}
}

// reauthorizes: the deactivated connection is authorised again, with whom it had.
func (e *edition) reauthorizes(w *stacktest.World) {
	w.Helper()
	id := e.Connections["sister"]
	written := func() (n int) {
		for _, m := range w.Stack.Sim.Mutations(e.Tenants["sister"]) {
			if m.Target != "oauth2PermissionGrant" { // the admin's consent, which has a permission more by now
				n++
			}
		}
		return n
	}
	before := written()
	again := w.Post("/v1/connections/"+id+"/authorize", nil)
	if status, page, err := w.Stack.SignIn(w.Context(), again.Text("authorizationUrl"), "admin@sister.example"); err != nil || status != http.StatusOK {
		w.Fatalf("the callback answered %d: %s, %v", status, page, err)
	}
	if got := w.Confirm(id).Text("status"); got != "active" {
		w.Errorf("after the confirmation the connection is %s", got)
	}
	e.job(w, w.Post("/v1/connections/"+id+"/bindings", stack.Object{"previous": true}).Text("id"))
	e.inSync(w, "sister", "vera")
	e.inSync(w, "sister", "walt")
	if n := written() - before; n != 0 {
		w.Errorf("%d writes reached the tenant although nothing had changed", n)
	}
}

// nothingIsLeft: a full run plans nothing, nothing waits, and history can be proved,
// that of the first edition and that of today.
func (e *edition) nothingIsLeft(w *stacktest.World) {
	w.Helper()
	for name, id := range e.Connections {
		run := w.Post("/v1/connections/"+id+"/runs", stack.Object{"full": true}).Text("id")
		e.run(w, run, "done")
		if changes := w.Get("/v1/runs/" + run + "/changes").List("items"); len(changes) > 0 {
			w.Errorf("a full run of %s after all would still change %v", name, changes)
		}
	}
	time.Sleep(3 * time.Hour) // until today's acts are linked too
	job := e.job(w, w.Post("/v1/activity:verify", nil).Text("id"))
	counts := job.Object("counts")
	if job.Number("refusedCount") != 0 || counts.Number("oldForm") != 0 || counts.Number("entries") < 300 {
		w.Errorf("the verification of all that was done: %v", job)
	}
}

// outside makes calls of a table outside of the bubble: within it, time would stand
// still for a connection that waits for its next use.
type outside struct {
	next store.Table
	one  sync.Mutex // held by the call under way
	call chan func()
	done chan struct{}
}

func newOutside(next store.Table) *outside {
	o := &outside{next: next, call: make(chan func()), done: make(chan struct{})}
	go func() {
		for call := range o.call {
			call()
			o.done <- struct{}{}
		}
	}()
	return o
}

func (o *outside) close() { close(o.call) }

func (o *outside) do(call func()) {
	o.one.Lock()
	defer o.one.Unlock()
	o.call <- call
	<-o.done
}

func (o *outside) Get(_ context.Context, key table.Key) (item table.Item, err error) {
	o.do(func() { item, err = o.next.Get(context.Background(), key) })
	return item, err
}

func (o *outside) GetMany(_ context.Context, keys []table.Key) (items []table.Item, err error) {
	o.do(func() { items, err = o.next.GetMany(context.Background(), keys) })
	return items, err
}

func (o *outside) Query(_ context.Context, q table.Query) (page table.Page, err error) {
	o.do(func() { page, err = o.next.Query(context.Background(), q) })
	return page, err
}

func (o *outside) Write(_ context.Context, writes ...table.Write) (err error) {
	o.do(func() { err = o.next.Write(context.Background(), slices.Clone(writes)...) })
	return err
}
