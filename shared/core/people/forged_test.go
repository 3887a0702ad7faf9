package people

import (
	"bytes"
	"context"
	"testing"

	"bindery/shared/core/assign"
	"bindery/shared/directory"
	"bindery/shared/platform/signer"
	"bindery/shared/store"
	"bindery/shared/table"
)

// macs has a key that the table's writer does not have.
var macs = signer.NewLocal(signer.LocalConfig{Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret("k"), nil }})

// TestForgedJobs: whoever can write to the table, and not sign, has no job do in
// somebody's name what that one did not ask for.
func TestForgedJobs(t *testing.T) {
	ctx := t.Context()
	key := func(j directory.Job, sort string) table.Key {
		return table.Key{Partition: "J#" + string(j.ID), Sort: sort}
	}
	begin := func() (*world, func(table.Key, string, string)) {
		w := newWorld(t)
		w.store = w.Seal(signer.NewSessions(macs))
		w.join()
		return w, func(at table.Key, old, with string) {
			t.Helper()
			it, err := w.table.Get(ctx, at)
			w.must(err)
			if !bytes.Contains(it.Body, []byte(old)) {
				t.Fatalf("%s does not hold %s", it.Body, old)
			}
			it.Body = bytes.ReplaceAll(it.Body, []byte(old), []byte(with))
			w.must(w.table.Write(ctx, table.Write{Put: &it}))
		}
	}
	acts := func(w *world, by string) (n int) {
		t.Helper()
		list, _, err := w.store.Audit.Activity(ctx, store.ActivityQuery{Limit: 100})
		w.must(err)
		for _, rec := range list {
			if rec.AuditEvent != nil && rec.AuditEvent.By == by {
				n++
			}
		}
		return n
	}

	w, forge := begin()
	users := w.people(2)
	j, err := w.bindings.StartBind(ctx, directory.Caller{Subject: "ada"}, w.conn.ID, assign.Selection{All: true})
	w.must(err)
	forge(key(j, "job"), `"subject":"ada"`, `"subject":"boss"`)
	w.run(j.ID)
	for _, id := range users {
		if b, err := w.store.Bindings.Binding(ctx, id); err == nil && b.SelectedBy != directory.BySystem {
			t.Errorf("%s was bound by %s", id, b.SelectedBy)
		}
	}
	if n := acts(w, "boss"); n > 0 {
		t.Errorf("%d acts are of somebody who did nothing", n)
	}

	w, forge = begin()
	j, err = w.StartLoad(ctx, directory.Caller{Subject: "ada"}, []byte(`{"email":"a@corp.example","phones":{"mobile":"+1 555"}}`), LoadOptions{Format: FormatJSONLines})
	w.must(err)
	forge(key(j, "in#000000"), "+1 555", "+1 666")
	w.run(j.ID)
	if n, err := w.store.Users.CountUsers(ctx); err != nil || n > 0 {
		t.Errorf("a changed load has made %d users, %v", n, err)
	}
	if got, err := w.store.Jobs.Job(ctx, j.ID); err != nil || got.State != directory.JobFailed {
		t.Errorf("its job is %s, %v", got.State, err)
	}

	w, _ = begin()
	j, err = w.StartLoad(ctx, directory.Caller{Subject: "ada"}, []byte(`{"email":"a@corp.example"}`), LoadOptions{Format: FormatJSONLines})
	w.must(err)
	w.run(j.ID)
	if got, err := w.store.Jobs.Job(ctx, j.ID); err != nil || got.State != directory.JobDone || acts(w, "ada") == 0 {
		t.Errorf("an honest load is %s with %d acts, %v", got.State, acts(w, "ada"), err)
	}
}
