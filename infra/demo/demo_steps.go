package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"bindery/shared/clock"
)

func (d *demonstration) users(ctx context.Context) ([]object, error) {
	return d.api.All(ctx, "/v1/users")
}

func (d *demonstration) userByEmail(ctx context.Context, email string) (object, error) {
	list, err := d.api.All(ctx, "/v1/users?email="+url.QueryEscape(email))
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%d users have the address %s", len(list), email)
	}
	return list[0], nil
}

// await follows a job to its end.
func (d *demonstration) await(ctx context.Context, path string, total int) (object, error) {
	until := time.Now().Add(d.patience)
	for time.Now().Before(until) {
		job, err := d.api.Get(ctx, path)
		if err != nil {
			return nil, err
		}
		d.show.progress(job.Number("done"), total)
		switch job.Text("state") {
		case "done":
			return job, nil
		case "failed":
			return nil, fmt.Errorf("job failed: %v", job["error"])
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the job does not end")
}

func (d *demonstration) awaitState(ctx context.Context, path, state string) (object, error) {
	until := time.Now().Add(d.patience)
	for {
		run, err := d.api.Get(ctx, path)
		if err != nil {
			return nil, err
		}
		switch got := run.Text("state"); {
		case got == state:
			return run, nil
		case got == "failed" || got == "held" || got == "cancelled" || time.Now().After(until):
			return nil, fmt.Errorf("the run is %s: %v %v", got, run["error"], run["held"])
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// settled waits until every binding is in sync.
func (d *demonstration) settled(ctx context.Context) error {
	until := time.Now().Add(d.patience)
	total := imported + boundOfFile
	for {
		list, err := d.api.All(ctx, "/v1/connections/"+d.conn+"/bindings")
		if err != nil {
			return err
		}
		n := 0
		for _, b := range list {
			switch b.Text("status") {
			case "in-sync":
				n++
			case "conflict", "failed", "refused", "read-only":
				return fmt.Errorf("a binding is %s: %v", b.Text("status"), b["problem"])
			}
		}
		d.show.progress(n, total)
		if n == len(list) && n == total {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("only %d of %d bindings are in sync", n, total)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits between two looks at what the demo waits for.
func pause(ctx context.Context) error { return clock.Sleep(ctx, 200*time.Millisecond) }

// countEffects counts the applied changes of all runs of the connection.
func (d *demonstration) countEffects(ctx context.Context) (map[string]int, error) {
	runs, err := d.api.All(ctx, "/v1/connections/"+d.conn+"/runs")
	if err != nil {
		return nil, err
	}
	n := map[string]int{}
	for _, r := range runs {
		if dry, _ := r["dryRun"].(bool); dry {
			continue
		}
		changes, err := d.api.All(ctx, "/v1/runs/"+r.Text("id")+"/changes")
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			if c.Text("state") == "applied" {
				n[c.Text("effect")]++
			}
		}
	}
	return n, nil
}

func (d *demonstration) enabledAccounts() int {
	n := 0
	for _, r := range d.rows {
		if a, ok := d.sim.Account(d.tenant, r["email"]); ok && a["accountEnabled"] == true {
			n++
		}
	}
	return n
}

// agree compares every bound user with its account, property by property.
func (d *demonstration) agree(ctx context.Context) error {
	users, err := d.users(ctx)
	if err != nil {
		return err
	}
	byID := map[string]object{}
	for _, u := range users {
		byID[u.Text("id")] = u
	}
	equal := 0
	var first string
	for _, id := range d.bound {
		u := byID[id]
		a, _ := d.sim.Account(d.tenant, u.Text("email"))
		if odd := difference(u, a); odd == "" {
			equal++
		} else if first == "" {
			first = u.Text("email") + ": " + odd
		}
	}
	d.show.check("bound users whose account is as the directory says", len(d.bound), equal)
	if first != "" {
		d.show.note("the first that differs: " + first)
	}
	return nil
}

// difference names what of an account is not as its user says. It knows
// nothing of the mapping's code: these are the demo's own expectations.
func difference(u object, a map[string]any) string {
	if a == nil {
		return "there is no account"
	}
	expect := map[string]any{
		"userPrincipalName": u.Text("email"), "givenName": u.Text("givenName"), "surname": u.Text("familyName"),
		"accountEnabled": u.Text("state") == "active",
	}
	for ours, theirs := range map[string]string{"department": "department", "jobTitle": "jobTitle", "location": "officeLocation", "employeeId": "employeeId"} {
		if v := u.Text(ours); v != "" {
			expect[theirs] = v
		}
	}
	for name, want := range expect {
		if got := a[name]; fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("%s is %v, not %v", name, got, want)
		}
	}
	return ""
}
