package demo

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"bindery/shared/core/audit"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// report shows who did what: entries, sums, Microsoft's own log, and the proof
// that nothing was changed afterwards.
func (d *demonstration) report(ctx context.Context) error {
	for _, part := range []func(context.Context) error{d.reportEntries, d.reportSums, d.reportAudit, d.reportProof} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demonstration) reportEntries(ctx context.Context) error {
	leaver, err := d.userByEmail(ctx, d.rows[50]["email"])
	if err != nil {
		return err
	}
	list, err := d.api.All(ctx, "/v1/activity?userId="+leaver.Text("id"))
	if err != nil {
		return err
	}
	var told []string
	for _, e := range list {
		what := e.Text("kind")
		if what == "change" {
			what = e.Text("effect")
		}
		told = append(told, what)
	}
	d.show.note("the suspended user, newest first: " + strings.Join(told, ", "))
	d.show.check("the report on a user tells binding, suspension and block", true,
		has(told, "bind") && has(told, "suspend-user") && has(told, "block"))
	runs, err := d.countEffects(ctx)
	if err != nil {
		return err
	}
	counted := 0
	for _, n := range runs {
		counted += n
	}
	entries, err := d.api.All(ctx, "/v1/activity?connectionId="+d.conn)
	applied, named := 0, 0
	for _, e := range entries {
		if e.Text("state") == "applied" {
			applied++
			if e.Text("requestId") != "" {
				named++
			}
		}
	}
	d.show.check("applied changes in the report, as in the runs", counted, applied)
	d.show.check("Microsoft's request-id stands beside what was sent", true, named > 0)
	return err
}

func has(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func (d *demonstration) reportSums(ctx context.Context) error {
	sum, err := d.api.Get(ctx, "/v1/activity/summary?connectionId="+d.conn)
	if err != nil {
		return err
	}
	created := 0
	for _, day := range sum.List("items") {
		counts, _ := day["counts"].(map[string]any)
		create, _ := counts["create"].(map[string]any)
		created += object(create).Number("applied")
	}
	d.show.check("accounts created, by the summary of days", 200, created)
	return nil
}

// reportAudit compares with Microsoft's log: first without the permission, then
// with it, when somebody has used the admin's account for something else.
func (d *demonstration) reportAudit(ctx context.Context) error {
	r, err := d.api.Get(ctx, "/v1/connections/"+d.conn+"/audit?limit=1")
	if err != nil {
		return err
	}
	problem, _ := r["problem"].(map[string]any)
	d.show.check("the audit log, before the setting wants it", "audit-not-wanted", object(problem).Text("code"))
	if _, err := d.api.Patch(ctx, "/v1/connections/"+d.conn, object{"settings": object{"auditLog": true}}); err != nil {
		return err
	}
	c, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/authorize", nil)
	if err != nil {
		return err
	}
	if err := d.signIn(ctx, c.Text("authorizationUrl")); err != nil {
		return err
	}
	if err := d.adminsOwnWork(); err != nil {
		return err
	}
	if r, err = d.api.Get(ctx, "/v1/connections/"+d.conn+"/audit?limit=500"); err != nil {
		return err
	}
	page, _ := r["counts"].(map[string]any)
	counts := map[string]int{}
	for match := range page {
		counts[match] = object(page).Number(match)
	}
	if advice := asList(r["advice"]); len(advice) > 0 {
		d.show.note("advice: " + advice[0])
	}
	d.show.note(fmt.Sprintf("of the last 500: seen by both %d, possibly %d, only by us %d, only by Microsoft %d", counts["both"], counts["possibly"], counts["ours"], counts["microsoft"]))
	d.show.check("our writes that Microsoft's log does not have", 0, counts["ours"]+counts["unchecked"])
	d.show.check("other uses of the admin's account that were found", 1, counts["microsoft"])
	return nil
}

// adminsOwnWork is the admin using the connection's account by hand, for an
// account that Bindery has nothing to do with.
func (d *demonstration) adminsOwnWork() error {
	return d.sim.EditAccountAs(d.tenant, demoAdmin, "contractor399@"+demoDomain, map[string]any{"jobTitle": "By hand"})
}

func asList(v any) []string {
	raw, _ := v.([]any)
	var list []string
	for _, x := range raw {
		list = append(list, fmt.Sprint(x))
	}
	return list
}

// reportProof verifies in the table and offline, then changes a record behind
// Bindery's back and verifies again.
func (d *demonstration) reportProof(ctx context.Context) error {
	until := time.Now().Add(d.patience)
	for { // runs are linked right after they end
		marks, err := store.New(d.table, store.Options{}).Chains.PendingLinks(ctx, directory.ConnectionID(d.conn), nil, 100)
		if err != nil {
			return err
		}
		finished := 0
		for _, m := range marks {
			if r, err := store.New(d.table, store.Options{}).Runs.Run(ctx, m.RunID); err == nil && r.State == directory.RunDone {
				finished++
			}
		}
		if finished == 0 || time.Now().After(until) {
			break
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	job, err := d.verify(ctx)
	if err != nil {
		return err
	}
	counts, _ := job["counts"].(map[string]any)
	d.show.note(fmt.Sprintf("%d links with %d entries verified", object(counts).Number("links"), object(counts).Number("entries")))
	d.show.check("differences that a verification finds", 0, job.Number("refusedCount"))
	d.show.check("notices of the run that was held", true, d.told(directory.NotificationRunHeld) > 0)
	d.show.check("heads of the chain that were told elsewhere", true, d.told(directory.NotificationHead) > 0)
	entries, err := d.api.Export(ctx, "/v1/activity?connectionId="+d.conn)
	if err != nil {
		return err
	}
	links, err := d.api.Export(ctx, "/v1/activity/links?chain="+d.conn)
	if err != nil {
		return err
	}
	verdict, err := audit.VerifyExport(bytes.NewReader(entries), bytes.NewReader(links), audit.ExportCheck{Now: time.Now()})
	if err != nil {
		return err
	}
	d.show.note(fmt.Sprintf("%d entries exported, %d of them too young to be proved", verdict.Entries, verdict.Unproved))
	d.show.check("differences in an export, verified offline", 0, len(verdict.Differences))
	forged := bytes.Replace(entries, []byte(`"after":"Special Projects"`), []byte(`"after":"Nothing at all"`), 1)
	if verdict, err = audit.VerifyExport(bytes.NewReader(forged), bytes.NewReader(links), audit.ExportCheck{Now: time.Now()}); err != nil {
		return err
	}
	d.show.check("one forged value is found", 1, len(verdict.Differences))
	return nil
}

func (d *demonstration) verify(ctx context.Context) (object, error) {
	job, err := d.api.PostJSON(ctx, "/v1/activity:verify", object{"connectionId": d.conn})
	if err != nil {
		return nil, err
	}
	return d.await(ctx, "/v1/jobs/"+job.Text("id"), 0)
}

func (d *demonstration) told(t directory.NotificationType) int {
	n := 0
	for _, notice := range d.notices.Last() {
		if notice.Type == t {
			n++
		}
	}
	return n
}
