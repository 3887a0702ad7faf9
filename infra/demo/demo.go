package demo

import (
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"bindery/infra/stack"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/platform/notify"
	"bindery/shared/store"
)

// object is a JSON object of the API.
type object = stack.Object

//go:embed people.csv
var people string

// The demo's tenant and the numbers of the main job.
const (
	demoDomain  = "corp.example"
	demoAdmin   = "ada@corp.example"
	matching    = 600 // people of the file who have an account already
	strangers   = 400 // accounts of nobody in the file
	imported    = 200
	boundOfFile = 750
)

// Run does the whole job once, on a fresh folder, and checks both sides
// against each other. It talks to the API as an admin would.
func Run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "bindery-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return newDemonstration(out, 50*time.Second).run(ctx, dir, nil)
}

// run performs the story over a stack in dir and shows what was checked. Without
// drivers the stack has a laptop's.
func (d *demonstration) run(ctx context.Context, dir string, drivers *stack.Drivers) error {
	started := time.Now()
	s, err := stack.Open(ctx, stack.Config{Dir: dir, Drivers: drivers, Look: d.mail.look})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := d.over(stage{api: s.Client(), sim: s.Sim, tokens: s.Tokens, notices: s.Notices, table: s.Drivers.Table}); err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Work(runCtx) }()
	err = d.perform(ctx)
	stop()
	if workErr := <-done; err == nil {
		err = workErr
	}
	if err != nil {
		return err
	}
	return d.show.finish(time.Since(started))
}

// stage is what the story is played on: Bindery's API, and all that is seen of it
// from outside.
type stage struct {
	api     *stack.Client
	sim     *entratest.Server
	tokens  *stack.Issuer
	notices *notify.Log
	table   store.Table
}

// demonstration is one run of the demo.
type demonstration struct {
	stage
	show   *show
	tenant string
	rows   []map[string]string // people.csv
	conn   string
	bound  []string // IDs of the users that are bound
	mail   mailRecords
	extra  int // users made on the way, all of them active

	sister, sisterTenant string // the second connection and its tenant
	daughter             daughter
	branch               branch

	patience time.Duration // how long anything is waited for
}

func newDemonstration(out io.Writer, patience time.Duration) *demonstration {
	return &demonstration{show: newShow(out), rows: readPeople(), patience: patience, mail: mailRecords{mx: map[string]string{}}}
}

func readPeople() []map[string]string {
	records, err := csv.NewReader(strings.NewReader(people)).ReadAll()
	if err != nil {
		panic("people.csv: " + err.Error()) // embedded, and read by a test
	}
	rows := make([]map[string]string, 0, len(records)-1)
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = r[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// over sets the story's tenant up on a stage.
func (d *demonstration) over(s stage) error {
	d.stage = s
	t, err := d.sim.CreateTenant(d.tenantSpec())
	if err != nil {
		return err
	}
	d.tenant = t.ID
	return nil
}

// tenantSpec is a tenant of 1,000 accounts: most of the file's people, with
// values that have drifted, and others.
func (d *demonstration) tenantSpec() entratest.TenantSpec {
	var accounts []map[string]any
	for i, r := range d.rows[:matching] {
		a := map[string]any{
			"userPrincipalName": r["email"], "mailNickname": r["userName"], "accountEnabled": true,
			"givenName": r["givenName"], "surname": r["familyName"], "displayName": r["givenName"] + " " + r["familyName"],
			"jobTitle": r["jobTitle"], "employeeId": r["employeeId"],
		}
		if i%3 == 0 {
			a["department"] = "To be decided"
		} else {
			a["department"] = r["department"]
		}
		accounts = append(accounts, a)
	}
	for i := range strangers {
		name := fmt.Sprintf("contractor%03d", i)
		a := map[string]any{
			"userPrincipalName": name + "@" + demoDomain, "mailNickname": name, "accountEnabled": i%40 != 39,
			"displayName": fmt.Sprintf("Contractor %03d", i), "givenName": "Contractor", "surname": fmt.Sprintf("No%03d", i),
		}
		accounts = append(accounts, a)
	}
	return entratest.TenantSpec{
		Name: "Corp (simulated)", Accounts: accounts,
		Domains: []entratest.DomainSpec{{Name: demoDomain, AuthenticationType: "Managed", IsDefault: true}},
		Admins:  []entratest.AdminSpec{{UserPrincipalName: demoAdmin, DisplayName: "Ada Admin", Roles: []string{"Global Administrator"}}},
	}
}

// perform is the story, chapter by chapter.
func (d *demonstration) perform(ctx context.Context) error {
	for _, chapter := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"load 1,000 users into the directory", d.load},
		{"authorise the connection as " + demoAdmin, d.authorize},
		{"confirm the tenant", d.confirm},
		{"import 200 accounts and bind them", d.importAccounts},
		{"import the pictures of ten of them", d.pictures},
		{"bind 750 users of the file", d.bind},
		{"sync: create, adopt, update, block", d.firstSync},
		{"edit 20 users, suspend one, sync again", d.edits},
		{"run once more: nothing to do", d.nothing},
		{"suspend 300 users by mistake: held, and declined", d.bulkEdit},
		{"edit 50 users, their phones too: only the phones wait", d.phones},
		{"write a mistake into 50 accounts, and undo it", d.mistake},
		{"report what was done, and prove it", d.report},
		{"look after the connection and its mail: the doctor", d.health},
		{"a second tenant, beside Google and Active Directory", d.beside},
		{"move a person from one tenant to the other", d.move},
		{"departments become groups: members, managers, licences", d.departments},
		{"move a person between departments: the licence follows", d.moved},
		{"a re-organisation by mistake: held, and declined", d.reorganised},
		{"a group that is to be exact loses a stranger, and gets him back", d.exact},
		{"end what was done with the groups", d.undone},
		{"an identity provider pushes joiners, a mover and a leaver", d.pushed},
		{"it deactivates everybody: held, with its name, paused and taken back", d.deactivatedBySource},
		{"deactivate", d.deactivate},
		{"authorise again and bind the previous selection", d.again},
	} {
		d.show.chapter(chapter.title)
		if err := chapter.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", chapter.title, err)
		}
	}
	return nil
}

func (d *demonstration) load(ctx context.Context) error {
	job, err := d.api.Post(ctx, "/v1/users:load", "text/csv", people)
	if err != nil {
		return err
	}
	ended, err := d.await(ctx, "/v1/jobs/"+job.Text("id"), 1000)
	if err != nil {
		return err
	}
	d.show.check("users loaded from the file", 1000, ended.Number("done"))
	d.show.check("lines refused", 0, len(ended.List("refused")))
	return nil
}

// authorize goes through our own page, the simulated sign-in pages and our
// callback, as the tenant's admin in his browser.
func (d *demonstration) authorize(ctx context.Context) error {
	c, err := d.api.PostJSON(ctx, "/v1/connections", object{"name": "Corp"})
	if err != nil {
		return err
	}
	d.conn = c.Text("id")
	admins, strangers := browser.Open(browser.Serve(d.api.Handler)), browser.Open(browser.Serve(d.api.Handler))
	asks, microsoft, err := admins.Depart(ctx, c.Text("authorizationUrl"))
	if err != nil {
		return err
	}
	d.show.check("the page before Microsoft's says who asks", true, strings.Contains(asks, "admin@local"))
	back, err := browser.Authorize(ctx, d.sim.Transport(), microsoft, demoAdmin)
	if err != nil {
		return err
	}
	status, _, err := strangers.Return(ctx, back)
	if err != nil {
		return err
	}
	d.show.check("a browser that did not begin it cannot end it", http.StatusForbidden, status)
	if status, page, err := admins.Return(ctx, back); err != nil || status != http.StatusOK {
		return fmt.Errorf("the callback answered %d: %s, %w", status, page, err)
	}
	if c, err = d.api.Get(ctx, "/v1/connections/"+d.conn); err != nil {
		return err
	}
	d.show.check("status after signing in", "awaiting-confirmation", c.Text("status"))
	d.show.check("who signed in, and is not in effect yet", demoAdmin, c.Object("waiting").Object("authorizedBy").Text("userPrincipalName")+c.Object("authorizedBy").Text("userPrincipalName"))
	return nil
}

// callback clicks through our page and the sign-in as an admin and returns the
// page after it.
func (d *demonstration) callback(ctx context.Context, authorizeURL, admin string) (status int, page string, err error) {
	return browser.Open(browser.Serve(d.api.Handler)).SignIn(ctx, d.sim.Transport(), authorizeURL, admin)
}

func (d *demonstration) signIn(ctx context.Context, authorizeURL string) error {
	status, page, err := d.callback(ctx, authorizeURL, demoAdmin)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("the callback answered %d: %s", status, page)
	}
	return nil
}

func (d *demonstration) confirm(ctx context.Context) error {
	c, err := d.api.Confirm(ctx, "/v1/connections/"+d.conn)
	if err != nil {
		return err
	}
	d.show.check("status after confirming", "active", c.Text("status"))
	d.show.check("the tenant in effect is the one that was confirmed", true, c.Object("tenant").Text("id") == d.tenant)
	_, err = d.api.Patch(ctx, "/v1/connections/"+d.conn, object{"settings": object{
		"attributes": object{
			"department": object{"export": true, "clear": true}, "jobTitle": object{"export": true},
			"businessPhones": object{"export": true}, "officeLocation": object{"export": true}, "employeeId": object{"export": true},
		},
		"guard": object{"block": object{"count": 5}, "update-sensitive": object{"count": 0}},
	}})
	return err
}

func (d *demonstration) importAccounts(ctx context.Context) error {
	var ids []string
	for next := ""; len(ids) < imported; {
		page, err := d.api.Get(ctx, "/v1/connections/"+d.conn+"/accounts?limit=500&next="+url.QueryEscape(next))
		if err != nil {
			return err
		}
		for _, a := range page.List("items") {
			if a.Text("verdict") == "new" && len(ids) < imported {
				ids = append(ids, a.Text("id"))
			}
		}
		if next = page.Text("next"); next == "" {
			break
		}
	}
	d.show.check("accounts chosen for the import", imported, len(ids))
	job, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/imports", object{"accountIds": ids, "bind": true})
	if err != nil {
		return err
	}
	ended, err := d.await(ctx, "/v1/jobs/"+job.Text("id"), imported)
	if err != nil {
		return err
	}
	d.show.check("accounts imported", imported, ended.Number("done")-len(ended.List("refused")))
	return nil
}

func (d *demonstration) bind(ctx context.Context) error {
	users, err := d.users(ctx)
	if err != nil {
		return err
	}
	byEmail := map[string]string{}
	for _, u := range users {
		byEmail[u.Text("email")] = u.Text("id")
	}
	// 550 people with an account and 200 without one.
	var ids []string
	for _, r := range append(d.rows[:550:550], d.rows[matching:matching+200]...) {
		ids = append(ids, byEmail[r["email"]])
	}
	for len(ids) > 0 {
		n := min(500, len(ids))
		answer, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/bindings", object{"userIds": ids[:n]})
		if err != nil {
			return err
		}
		if refused := answer.List("refused"); len(refused) > 0 {
			return fmt.Errorf("binding refused %d users, the first: %v", len(refused), refused[0])
		}
		ids = ids[n:]
	}
	bindings, err := d.api.All(ctx, "/v1/connections/"+d.conn+"/bindings")
	for _, b := range bindings {
		d.bound = append(d.bound, b.Text("userId"))
	}
	d.show.check("users bound", imported+boundOfFile, len(bindings))
	return err
}

func (d *demonstration) firstSync(ctx context.Context) error {
	if err := d.settled(ctx); err != nil {
		return err
	}
	counts, err := d.countEffects(ctx)
	if err != nil {
		return err
	}
	d.show.check("accounts created", 200, counts["create"])
	d.show.check("accounts adopted", imported+550, counts["adopt"])
	d.show.check("accounts blocked (suspended in the file)", 1, counts["block"])
	d.show.check("phones filled in by the first load, as was decided", 550, counts["update-sensitive"])
	d.show.check("accounts updated, at least", true, counts["update"] >= 183)
	return d.agree(ctx)
}

func (d *demonstration) edits(ctx context.Context) error {
	for i, r := range d.rows[20:40] {
		u, err := d.userByEmail(ctx, r["email"])
		if err != nil {
			return err
		}
		if _, err := d.api.Patch(ctx, "/v1/users/"+u.Text("id"), object{"department": "Special Projects", "jobTitle": fmt.Sprintf("Lead %d", i)}); err != nil {
			return err
		}
	}
	leaver, err := d.userByEmail(ctx, d.rows[50]["email"])
	if err != nil {
		return err
	}
	if _, err := d.api.PostJSON(ctx, "/v1/users/"+leaver.Text("id")+"/suspend", nil); err != nil {
		return err
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	a, _ := d.sim.Account(d.tenant, d.rows[50]["email"])
	d.show.check("the suspended user's account is enabled", false, a["accountEnabled"])
	a, _ = d.sim.Account(d.tenant, d.rows[20]["email"])
	d.show.check("department of an edited user in Microsoft 365", "Special Projects", a["department"])
	return d.agree(ctx)
}

func (d *demonstration) nothing(ctx context.Context) error {
	before := len(d.sim.Mutations(d.tenant))
	ended, err := d.fullRun(ctx)
	if err != nil {
		return err
	}
	changes, err := d.api.All(ctx, "/v1/runs/"+ended.Text("id")+"/changes")
	d.show.check("changes planned by a full run after a successful one", 0, len(changes))
	d.show.check("writes that reached Microsoft", 0, len(d.sim.Mutations(d.tenant))-before)
	return err
}

// fullRun plans for everybody and waits for its end: nobody is marked then.
func (d *demonstration) fullRun(ctx context.Context) (object, error) {
	run, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/runs", object{"full": true})
	if err != nil {
		return nil, err
	}
	return d.awaitState(ctx, "/v1/runs/"+run.Text("id"), "done")
}

func (d *demonstration) deactivate(ctx context.Context) error {
	enabled := d.enabledAccounts()
	answer, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/deactivate", nil)
	if err != nil {
		return err
	}
	d.show.check("members un-selected", imported+boundOfFile, answer.Number("released"))
	d.show.check("status", "deactivated", answer.Text("status"))
	d.show.check("enabled accounts in Microsoft 365, before and after", enabled, d.enabledAccounts())
	active, err := d.users(ctx)
	n := 0
	for _, u := range active {
		if u.Text("state") == "active" {
			n++
		}
	}
	d.show.check("active users in the directory", 1000+imported-2+d.extra, n)
	return err
}

func (d *demonstration) again(ctx context.Context) error {
	c, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/authorize", nil)
	if err != nil {
		return err
	}
	if err := d.signIn(ctx, c.Text("authorizationUrl")); err != nil {
		return err
	}
	if err := d.confirm(ctx); err != nil {
		return err
	}
	bindings, err := d.api.All(ctx, "/v1/connections/"+d.conn+"/bindings")
	if err != nil {
		return err
	}
	d.show.check("users bound before anybody asks for it", 0, len(bindings))
	before := len(d.sim.Mutations(d.tenant))
	job, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/bindings", object{"previous": true})
	if err != nil {
		return err
	}
	if _, err := d.await(ctx, "/v1/jobs/"+job.Text("id"), imported+boundOfFile); err != nil {
		return err
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	bindings, err = d.api.All(ctx, "/v1/connections/"+d.conn+"/bindings?status=in-sync")
	d.show.check("writes to protected accounts, over all chapters", 0, protectedWrites(d.sim.Mutations(d.tenant), demoAdmin))
	d.show.check("users bound again and in sync", imported+boundOfFile, len(bindings))
	d.show.check("writes that reached Microsoft meanwhile", 0, len(d.sim.Mutations(d.tenant))-before)
	if err != nil {
		return err
	}
	return d.agree(ctx)
}
