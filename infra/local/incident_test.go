package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/boot/app"
	"bindery/shared/boot/telemetry"
	"bindery/shared/core/audit"
	"bindery/shared/directory"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table"
)

// inside is what an error of AWS may hold that is nobody's business outside.
const inside = `operation error DynamoDB: arn:aws:dynamodb:eu-central-1:123456789012:table/bindery, https response, Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl, of jo@leak.example`

// insiders are what of it must not be found outside; secrets not in the log either.
var (
	insiders = []string{"arn:aws", "123456789012", "jo@leak.example", "eyJhbGciOiJub25lIn0"}
	secrets  = []string{"jo@leak.example", "eyJhbGciOiJub25lIn0"}
)

// faults are failures of calls, now and then, once they are let.
type faults struct{ on atomic.Bool }

func (f *faults) fail() error {
	if f.on.Load() && rand.IntN(12) == 0 {
		return errors.New(inside)
	}
	return nil
}

// failing is a table whose calls fail at times; so are the others a vault, queues and
// the place of heads.
type failing struct {
	store.Table
	*faults
}

type failingVault struct {
	vault.Vault
	*faults
}

func (f *failingVault) Get(ctx context.Context, name string) (directory.Secret, error) {
	if err := f.fail(); err != nil {
		return directory.Secret{}, err
	}
	return f.Vault.Get(ctx, name)
}

func (f *failingVault) Put(ctx context.Context, name string, value directory.Secret) error {
	return errors.Join(f.fail(), f.Vault.Put(ctx, name, value))
}

type failingQueue struct {
	app.Queue
	*faults
}

func (f *failingQueue) Send(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return errors.Join(f.fail(), f.Queue.Send(ctx, w, delay))
}

func (f *failingQueue) SendAll(ctx context.Context, list []directory.WakeUp) error {
	return errors.Join(f.fail(), f.Queue.SendAll(ctx, list))
}

func (f *failingQueue) SendLoad(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return errors.Join(f.fail(), f.Queue.SendLoad(ctx, w, delay))
}

func (f *failingQueue) SendSweep(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return errors.Join(f.fail(), f.Queue.SendSweep(ctx, w, delay))
}

type failingHeads struct {
	audit.Keeper
	*faults
}

func (f *failingHeads) Keep(ctx context.Context, h directory.ChainHead) error {
	return errors.Join(f.fail(), f.Keeper.Keep(ctx, h))
}

func (f *failingHeads) Chains(ctx context.Context) ([]string, error) {
	list, err := f.Keeper.Chains(ctx)
	return list, errors.Join(f.fail(), err)
}

func (f *failingHeads) Kept(ctx context.Context, chain string, after int64, limit int) ([]directory.ChainHead, error) {
	list, err := f.Keeper.Kept(ctx, chain, after, limit)
	return list, errors.Join(f.fail(), err)
}

func (f *failing) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if err := f.fail(); err != nil {
		return table.Item{}, err
	}
	return f.Table.Get(ctx, key)
}

func (f *failing) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Table.GetMany(ctx, keys)
}

func (f *failing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := f.fail(); err != nil {
		return table.Page{}, err
	}
	return f.Table.Query(ctx, q)
}

func (f *failing) Write(ctx context.Context, writes ...table.Write) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Table.Write(ctx, writes...)
}

// TestErrorsStayInside fails calls of table, vault, queues and the place of heads with an error that holds what no
// admin, mail or browser may see, while everything that Bindery does goes on. Then it
// looks for that in all that can be read from outside, and for the incidents in the
// log.
func TestErrorsStayInside(t *testing.T) {
	var log lockedBuffer
	logger := telemetry.NewLogger(&log, slog.LevelDebug)
	dir := t.TempDir()
	drivers, err := stack.Laptop(dir, logger)
	if err != nil {
		t.Fatal(err)
	}
	var broken faults
	drivers.Table, drivers.Vault, drivers.Queue = &failing{drivers.Table, &broken}, &failingVault{drivers.Vault, &broken}, &failingQueue{drivers.Queue, &broken}
	drivers.Heads = &failingHeads{heads.NewFolder(heads.FolderConfig{Path: filepath.Join(dir, "heads")}), &broken}
	o := stacktest.With(t, stack.Config{Drivers: drivers, Log: logger})
	f := &fuzz{T: t, o: o}
	f.furnish()
	conn, user := "/v1/connections/"+f.known["connection"][0], "/v1/users/"+f.known["user"][0]

	var outside strings.Builder
	answered := 0
	ask := func(method, target, body string) object {
		kind := ""
		if body != "" {
			kind = "application/json"
		}
		status, text, err := o.API.Raw(t.Context(), method, target, kind, body)
		if err != nil {
			t.Fatal(err)
		}
		if status >= 500 {
			answered++
		}
		outside.WriteString(method + " " + target + " " + text + "\n")
		var got object
		_ = json.Unmarshal([]byte(text), &got) // not all is JSON
		return got
	}
	broken.on.Store(true)
	var kept []string
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
		for _, made := range []object{
			ask("POST", conn+"/runs", `{}`), ask("POST", conn+"/runs", `{"dryRun":true}`), ask("POST", conn+"/imports", `{"all":true}`),
			ask("POST", "/v1/activity:verify", ""), ask("POST", conn+"/bindings", `{"all":true}`), ask("POST", conn+"/health", ""),
			ask("POST", "/v1/users:load?check=true", `{"email":"made@corp.example"}`), ask("POST", "/v1/users:load", `{"email":"made@corp.example"}`),
		} {
			if id := made.Text("id"); strings.HasPrefix(id, "run_") {
				kept = append(kept, "/v1/runs/"+id)
			} else if strings.HasPrefix(id, "job_") {
				kept = append(kept, "/v1/jobs/"+id)
			}
		}
		ask("PATCH", user, `{"department":"Research"}`)
		ask("GET", user+"/explain?connectionId="+f.known["connection"][0], "")
		begun, err := url.Parse(ask("POST", conn+"/authorize", "").Text("authorizationUrl"))
		if err != nil {
			t.Fatal(err)
		}
		ask("GET", "/oauth/start?"+begun.RawQuery, "")
		ask("GET", "/oauth/callback?code=y&"+begun.RawQuery, "")
		ask("POST", user+"/temporary-password", "")
		for _, path := range []string{conn, conn + "/health", conn + "/runs", conn + "/problems", conn + "/bindings", conn + "/audit", conn + "/protection", "/v1/activity", "/v1/users",
			"/oauth/start?state=" + strings.Repeat("x", 40), "/oauth/callback?state=" + strings.Repeat("x", 40) + "&code=y"} {
			ask("GET", path, "")
		}
		for _, path := range kept {
			ask("GET", path, "")
		}
		time.Sleep(20 * time.Millisecond)
	}
	broken.on.Store(false)
	for _, path := range append(kept, conn, conn+"/health", conn+"/runs", "/v1/activity") {
		ask("GET", path, "")
	}
	o.Rest()
	notices, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	told, logged := outside.String()+string(notices), log.String()
	if answered == 0 || !strings.Contains(told, `"try-failed"`) && !strings.Contains(told, `"slice-failed"`) {
		t.Fatalf("%d answers were 5xx, and no run or job failed: nothing was tested", answered)
	}
	for _, what := range insiders {
		for line := range strings.Lines(told) {
			if strings.Contains(line, what) {
				t.Errorf("outside is %q: %.600s", what, line)
				break
			}
		}
	}
	for _, what := range secrets {
		if at := strings.Index(logged, what); at >= 0 {
			t.Errorf("the log has %q: …%.300s", what, logged[max(0, at-150):])
		}
	}
	shown := map[string]bool{}
	for _, id := range regexp.MustCompile(`inc_[0-9a-z]{12}`).FindAllString(told, -1) {
		if !shown[id] {
			shown[id] = true
			if !strings.Contains(logged, `"incident":"`+id+`"`) {
				t.Errorf("the log does not have the incident %s", id)
			}
		}
	}
	if len(shown) < 10 || !strings.Contains(logged, "123456789012") {
		t.Errorf("%d incidents are shown, and the log has their cause: %t", len(shown), strings.Contains(logged, "123456789012"))
	}
	t.Logf("%d incidents shown, %d answers 5xx", len(shown), answered)
}
