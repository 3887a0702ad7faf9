package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bindery/infra/stack"
	"bindery/shared/boot/app"
	"bindery/shared/core/connect"
	"bindery/shared/core/people"
	"bindery/shared/directory"
	"bindery/shared/entra"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table/bolt"
)

// inOneGroup measures, on the wall's clock and over a table on disk, so that memory is that of
// the process, a group of 100,000 members: loaded from a file, listed, and imported from a
// tenant that has it.
func inOneGroup(t *testing.T, r *report) {
	tab, err := bolt.Open(filepath.Join(t.TempDir(), "table.db"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	w := &world{T: t, ledger: &ledger{}, raw: store.New(tab, store.Options{}), tokens: map[directory.ConnectionID]*tokens{}}
	w.sim, err = entratest.New(entratest.Options{BaseURL: simBase, Seed: 3})
	w.do(err)
	t.Cleanup(func() { w.sim.Close() })
	microsoft, err := stack.Simulated(w.sim, simBase, directory.NewSecret(simSecret), publicURL)
	w.do(err)
	w.wire = &wire{next: microsoft.Transport, to: w.ledger}
	s := w.make(&site{people: slim, everybody: true}, 0, everybody)

	look := &sampler{Table: tab, each: 200}
	counted := &meter{mem: look, units: true, to: w.ledger}
	d := &desk{T: t}
	graph, err := entra.New(entra.Config{BaseURL: simBase + "/v1.0", Transport: w.wire})
	w.do(err)
	d.core = app.NewCore(app.Parts{
		Store: store.New(counted, store.Options{}), Vault: &vault.Memory{}, Queue: d,
		Connect: connect.Config{LoginBaseURL: simBase, ClientID: stack.ClientID, RedirectURL: simBack},
		Tenant:  func(connect.TokenSource) app.Tenant { return graph.Tenant(s.tokens) },
	})
	// spent is what something took of everything, and its live memory at most.
	spent := func(do func()) (used usage, took time.Duration, heap float64) {
		t.Helper()
		look.peak = 0
		before, base, begun := w.ledger.read(), liveHeap(), time.Now()
		do()
		return w.ledger.read().minus(before), time.Since(begun), float64(max(look.peak, base)-base) / 1e6
	}

	var file strings.Builder
	file.WriteString("name,member\n")
	for n := range everybody {
		fmt.Fprintf(&file, "Everybody,user%06d@%s\n", n, s.domain)
	}
	lines := []byte(file.String())
	file.Reset()
	used, took, heap := spent(func() {
		job, err := d.core.Loads.StartLoad(t.Context(), owner, lines, people.LoadOptions{Of: people.OfGroups, Format: people.FormatCSV})
		w.do(err)
		d.work()
		d.done(job.ID, "membersAdded")
	})
	r.add("crowd.load_calls_per_member", float64(used.Calls)/everybody, "calls", lower, fmt.Sprintf("a group of %d members loaded from a file: calls of the table for each; %.1f read and %.1f write units; %.0f s on the laptop's table", everybody, used.ReadUnits/everybody, used.WriteUnits/everybody, took.Seconds()))
	r.add("crowd.load_heap_mb", heap, "MB", lower, "that load: live memory at most, beyond what was there before")

	var group directory.GroupID
	found, err := d.core.Groups.List(t.Context(), people.GroupFilter{}, "", 10)
	w.do(err)
	for i := range found.Groups {
		group = found.Groups[i].ID
	}
	pages, listed := 0, 0
	used, took, heap = spent(func() {
		for cursor := ""; pages == 0 || cursor != ""; pages++ {
			page, err := d.core.Groups.Members(t.Context(), group, people.MemberFilter{}, cursor, 500)
			w.do(err)
			listed, cursor = listed+len(page.Members), page.Next
		}
	})
	if listed != everybody {
		t.Errorf("%d members were listed", listed)
	}
	r.add("crowd.page_units", used.ReadUnits/float64(pages), "units", lower, fmt.Sprintf("a page of 500 of its members, with their names: read units, in %d calls of the table; all %d pages in %.1f s", used.Calls/pages, pages, took.Seconds()))
	nested := 0
	below, _, _ := spent(func() {
		page, err := d.core.Groups.Members(t.Context(), group, people.MemberFilter{Nested: true}, string(s.users[everybody/2]), 500)
		w.do(err)
		nested = len(page.Members)
	})
	r.add("crowd.nested_page_units", below.ReadUnits, "units", lower, fmt.Sprintf("a page of %d of its members with those of groups in it, from the middle on: read units", nested))
	r.add("crowd.list_heap_mb", heap, "MB", lower, "all pages, one after the other: live memory at most")

	used, took, heap = spent(func() {
		job, err := d.core.Imports.StartImport(t.Context(), owner, s.conn.ID, people.ImportRequest{GroupIDs: []directory.TenantGroupID{everybodyID}})
		w.do(err)
		d.work()
		d.done(job.ID, "membersAdded")
	})
	r.add("crowd.import_requests", float64(used.Requests), "requests", lower, fmt.Sprintf("a tenant's group of %d members imported: requests to Graph; %.2f calls of the table, %.1f read and %.1f write units for each; %.0f s on the laptop's table", everybody, float64(used.Calls)/everybody, used.ReadUnits/everybody, used.WriteUnits/everybody, took.Seconds()))
	r.add("crowd.import_heap_mb", heap, "MB", lower, "that import: live memory at most, beyond what was there before")
}

// desk is the queue of a core whose jobs are worked on when the part says so.
type desk struct {
	*testing.T
	core *app.Core
	jobs []directory.WakeUp
}

func (d *desk) Send(_ context.Context, w directory.WakeUp, _ time.Duration) error {
	if w.JobID != "" {
		d.jobs = append(d.jobs, w)
	}
	return nil
}

func (d *desk) SendAll(ctx context.Context, list []directory.WakeUp) error {
	for _, w := range list {
		_ = d.Send(ctx, w, 0)
	}
	return nil
}

func (d *desk) SendLoad(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return d.Send(ctx, w, delay)
}

func (*desk) SendSweep(context.Context, directory.WakeUp, time.Duration) error { return nil }

// work does the jobs that wait to their end, whichever function they are of.
func (d *desk) work() {
	d.Helper()
	for len(d.jobs) > 0 {
		w := d.jobs[0]
		d.jobs = d.jobs[1:]
		ctx, cancel := context.WithTimeout(d.Context(), 3*time.Minute)
		job, err := d.core.Parts().Store.Jobs.Job(ctx, w.JobID)
		if err == nil && job.Kind.ReadsFile() {
			err = d.core.Load(ctx, w.Encode())
		} else if err == nil {
			err = d.core.Work(ctx, w.Encode())
		}
		cancel()
		if err != nil {
			d.Fatal(err)
		}
	}
}

// done fails the test unless a job has added everybody.
func (d *desk) done(id directory.JobID, count string) {
	d.Helper()
	job, err := d.core.Parts().Store.Jobs.Job(d.Context(), id)
	if err != nil || job.State != directory.JobDone || job.Counts[count] != everybody {
		d.Fatalf("job %+v, %v", job, err)
	}
}
