package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/entra/entratest"
)

// The demo's third tenant: a daughter company, whose departments become groups.
const (
	daughterDomain = "daughter.example"
	daughterAdmin  = "dora@daughter.example"
	researchers    = 12 // more of a group than the guard lets go at once
)

// daughter is the third connection, and the groups and users of its chapters by name.
type daughter struct {
	conn, tenant  string
	groups, users map[string]string // names to IDs
	adopted       string            // ID of the group that was there before
}

// staff are the daughter's people by department, whose head comes first.
func staff() map[string][]string {
	people := map[string][]string{"Sales": {"sam", "sue", "sid"}, "Marketing": {"max", "mia"}}
	for i := range researchers {
		people["Research"] = append(people["Research"], fmt.Sprintf("rob%02d", i+1))
	}
	return people
}

// departments connects the daughter's tenant and has its departments select, license and
// be groups; one of these was there before, made by hand.
func (d *demonstration) departments(ctx context.Context) error {
	if err := d.openDaughter(ctx); err != nil {
		return err
	}
	if err := d.loadDaughter(ctx); err != nil {
		return err
	}
	security := object{"kind": "security", "onRelease": "delete"}
	for name, rules := range map[string]object{
		"Sales":     {"select": object{}, "export": security, "licences": []object{{"sku": "SPE_E3"}}},
		"Research":  {"select": object{}, "export": security, "licences": []object{{"sku": "SPE_E5"}}},
		"Marketing": {"select": object{}, "export": object{"kind": "security", "adopt": d.daughter.adopted, "onRelease": "empty"}},
	} {
		if err := d.use(ctx, name, rules); err != nil {
			return err
		}
	}
	// Marketing keeps the stranger whom somebody put there by hand.
	if err := d.membersAgree(ctx, "Marketing", "gus"); err != nil {
		return err
	}
	d.show.check("the group that was there before is the one that is kept", true, d.tenantGroup("Marketing")["id"] == d.daughter.adopted)
	// There are seats for two of the three in Sales.
	const given = "E3 2 of 2, E5 12 of 14"
	if err := d.until(ctx, "licences of the daughter's tenant", given, d.seats); err != nil {
		return err
	}
	d.show.check("licences given, with two seats for the three of Sales", given, d.seats())
	waiting, err := d.waitsForSeat(ctx)
	if err != nil {
		return err
	}
	d.show.check("users who wait for a seat, as the connection's problems say", 1, len(waiting))
	d.show.check("the manager of somebody in Research, in Microsoft 365", "rob01@"+daughterDomain, d.managerOf("rob05"))
	return nil
}

// openDaughter makes the tenant and connects it.
func (d *demonstration) openDaughter(ctx context.Context) error {
	t, err := d.sim.CreateTenant(entratest.TenantSpec{
		Name: "Daughter (simulated)", Domains: []entratest.DomainSpec{{Name: daughterDomain, IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: daughterAdmin, Roles: []string{"Global Administrator"}}},
		Accounts: []map[string]any{
			{"userPrincipalName": "gus@" + daughterDomain, "displayName": "Gus Guest", "mailNickname": "gus", "accountEnabled": true},
		},
	})
	if err != nil {
		return err
	}
	d.daughter = daughter{tenant: t.ID, groups: map[string]string{}, users: map[string]string{}}
	for sku, seats := range map[string]int{"SPE_E3": 2, "SPE_E5": 14} {
		if err := d.sim.SetLicence(t.ID, entratest.LicenceSpec{SKUPartNumber: sku, Enabled: seats}); err != nil {
			return err
		}
	}
	d.daughter.adopted, err = d.sim.AddGroup(t.ID, daughterAdmin, entratest.GroupSpec{Kind: entratest.SecurityGroup, DisplayName: "Marketing", Members: []string{"gus@" + daughterDomain}})
	if err != nil {
		return err
	}
	c, err := d.api.PostJSON(ctx, "/v1/connections", object{"name": "Daughter", "settings": object{
		"groups": true, "licences": true, "manager": object{"export": true}, "defaultUsageLocation": "DE",
	}})
	if err != nil {
		return err
	}
	d.daughter.conn = c.Text("id")
	if status, page, err := d.callback(ctx, c.Text("authorizationUrl"), daughterAdmin); err != nil || status != http.StatusOK {
		return fmt.Errorf("the callback answered %d: %s, %w", status, page, err)
	}
	_, err = d.api.Confirm(ctx, "/v1/connections/"+d.daughter.conn)
	return err
}

// loadDaughter puts the people into the directory, and their departments as groups, by a
// file.
func (d *demonstration) loadDaughter(ctx context.Context) error {
	file, lines := "name,member\n", 0
	for department, names := range staff() {
		for _, name := range names {
			body := object{"email": name + "@" + daughterDomain, "givenName": strings.ToUpper(name[:1]) + name[1:], "familyName": "Daughter", "department": department}
			if head := d.daughter.users[names[0]]; head != "" {
				body["managerId"] = head
			}
			u, err := d.api.PostJSON(ctx, "/v1/users", body)
			if err != nil {
				return err
			}
			d.extra++
			d.daughter.users[name] = u.Text("id")
			file += department + "," + name + "@" + daughterDomain + "\n"
			lines++
		}
	}
	job, err := d.api.Post(ctx, "/v1/groups:load", "text/csv", file)
	if err != nil {
		return err
	}
	ended, err := d.await(ctx, "/v1/jobs/"+job.Text("id"), lines)
	if err != nil {
		return err
	}
	d.show.check("members that the file of groups added", lines, ended.Object("counts").Number("membersAdded"))
	groups, err := d.api.All(ctx, "/v1/groups")
	for _, g := range groups {
		d.daughter.groups[g.Text("name")] = g.Text("id")
	}
	return err
}

// moved takes a person from Sales to Research: the licence is swapped without a gap, and
// whoever waited gets the seat.
func (d *demonstration) moved(ctx context.Context) error {
	waiting, err := d.waitsForSeat(ctx)
	if err != nil || len(waiting) != 1 {
		return fmt.Errorf("%d users wait for a seat, %w", len(waiting), err)
	}
	var mover string
	for _, name := range staff()["Sales"][1:] { // its head stays
		if d.daughter.users[name] != waiting[0] {
			mover = name
		}
	}
	before := len(d.sim.Mutations(d.daughter.tenant))
	if err := d.editMembers(ctx, http.MethodPost, "Research", mover); err != nil {
		return err
	}
	if err := d.editMembers(ctx, http.MethodDelete, "Sales", mover); err != nil {
		return err
	}
	for _, name := range []string{"Sales", "Research"} {
		if err := d.membersAgree(ctx, name); err != nil {
			return err
		}
	}
	const swapped = "E3 2 of 2, E5 13 of 14"
	if err := d.until(ctx, "licences after the move", swapped, d.seats); err != nil {
		return err
	}
	d.show.check("licences after the move: the seat went to who had waited", swapped, d.seats())
	gaps, writes := 0, 0
	for _, m := range d.sim.Mutations(d.daughter.tenant)[before:] {
		if m.Kind != "license" || m.UPN != mover+"@"+daughterDomain {
			continue
		}
		writes++
		if held, _ := m.After["assignedLicenses"].([]any); len(held) == 0 {
			gaps++
		}
	}
	d.show.check("times at which whoever moved had no licence", 0, gaps)
	d.show.check("writes of the licences of whoever moved, at most two", true, writes == 1 || writes == 2)
	// The licence is there a moment before it is noted that nobody waits any more.
	nobody := func() string {
		if waiting, err = d.waitsForSeat(ctx); err != nil {
			return err.Error()
		}
		return strconv.Itoa(len(waiting))
	}
	if err := d.until(ctx, "users who wait for a seat", "0", nobody); err != nil {
		return err
	}
	d.show.check("users who wait for a seat then", "0", nobody())
	return nil
}

// reorganised empties Research by mistake. The guard holds that, and names the group; an
// admin declines, and the members come back.
func (d *demonstration) reorganised(ctx context.Context) error {
	before := len(d.sim.Mutations(d.daughter.tenant))
	all := staff()["Research"]
	if err := d.editMembers(ctx, http.MethodDelete, "Research", all...); err != nil {
		return err
	}
	held, err := d.heldOf(ctx, "member-remove")
	if err != nil {
		return err
	}
	d.show.check("members whom the run would take out of groups", researchers, held.Object("counts").Number("member-remove"))
	reasons, _ := held.Object("held")["reasons"].([]any)
	d.show.check("the guard holds it, and names the group", true, strings.Contains(fmt.Sprint(reasons...), "Research"))
	if len(reasons) > 0 {
		d.show.note(fmt.Sprint(reasons[0]))
	}
	if err := d.editMembers(ctx, http.MethodPost, "Research", all...); err != nil {
		return err
	}
	if err := d.answerAll(ctx, "decline"); err != nil {
		return err
	}
	if err := d.quiet(ctx); err != nil {
		return err
	}
	d.show.check("writes that reached Microsoft", 0, len(d.sim.Mutations(d.daughter.tenant))-before)
	return d.membersAgree(ctx, "Research")
}

// exact has Marketing have the directory's members and nobody else: the stranger goes
// after an admin has approved, and an undo brings him back.
func (d *demonstration) exact(ctx context.Context) error {
	path := "/v1/connections/" + d.daughter.conn
	if _, err := d.api.Patch(ctx, path, object{"settings": object{"guard": object{"member-remove": object{"count": 0}}}}); err != nil {
		return err
	}
	rules := func(members string) object {
		return object{"select": object{}, "export": object{"kind": "security", "adopt": d.daughter.adopted, "onRelease": "empty", "members": members}}
	}
	if err := d.use(ctx, "Marketing", rules("exact")); err != nil {
		return err
	}
	held, err := d.heldOf(ctx, "member-remove")
	if err != nil {
		return err
	}
	d.show.check("strangers in a group that is to be exact, held", 1, held.Object("counts").Number("member-remove"))
	if done, err := d.answer(ctx, held, "approve", nil); err != nil || !done {
		return fmt.Errorf("the run was not approved: %w", err)
	}
	if err := d.membersAgree(ctx, "Marketing"); err != nil {
		return err
	}
	// Back to how it was: first what is wanted, then what was done.
	if err := d.use(ctx, "Marketing", rules("add")); err != nil {
		return err
	}
	if _, err := d.api.PostJSON(ctx, "/v1/runs/"+held.Text("id")+"/undo", object{}); err != nil {
		return err
	}
	return d.membersAgree(ctx, "Marketing", "gus")
}

// undone ends what the connection does with the groups: what was given is taken back,
// what was there before stays. The guard holds the greater parts of that as well.
func (d *demonstration) undone(ctx context.Context) error {
	for _, name := range []string{"Sales", "Research"} { // who is let go keeps what he has by then
		if err := d.use(ctx, name, object{"select": object{}, "export": object{"kind": "security", "onRelease": "delete"}}); err != nil {
			return err
		}
	}
	const none = "E3 0 of 2, E5 0 of 14"
	if err := d.approving(ctx, "licences of the daughter's tenant", none, d.seats); err != nil {
		return err
	}
	d.show.check("licences once no rule wants them", none, d.seats())
	for name := range staff() {
		if _, err := d.api.Delete(ctx, "/v1/connections/"+d.daughter.conn+"/groups/"+d.daughter.groups[name], nil); err != nil {
			return err
		}
	}
	left := func() string {
		var names []string
		for name := range staff() {
			if d.tenantGroup(name) != nil {
				names = append(names, name+": "+strings.Join(d.tenantMembers(name), " "))
			}
		}
		slices.Sort(names)
		return strings.Join(names, ", ")
	}
	if err := d.approving(ctx, "groups of the daughter's tenant", "Marketing: gus", left); err != nil {
		return err
	}
	d.show.check("groups in Microsoft 365 at the end, and who is in them", "Marketing: gus", left())
	return nil
}

// use says what the daughter's connection does with a group.
func (d *demonstration) use(ctx context.Context, group string, rules object) error {
	_, err := d.api.Put(ctx, "/v1/connections/"+d.daughter.conn+"/groups/"+d.daughter.groups[group], rules)
	return err
}

// editMembers makes people members of a group (POST), or takes them out of it (DELETE).
func (d *demonstration) editMembers(ctx context.Context, method, group string, names ...string) error {
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = d.daughter.users[name]
	}
	path, body := "/v1/groups/"+d.daughter.groups[group]+"/members", object{"userIds": ids}
	call := d.api.PostJSON
	if method == http.MethodDelete {
		call = d.api.Delete
	}
	answer, err := call(ctx, path, body)
	if done := answer.List("done"); err == nil && len(done) != len(names) {
		return fmt.Errorf("%d of %d members of %s were edited: %v", len(done), len(names), group, answer)
	}
	return err
}

// tenantGroup is a group on Microsoft's side; nil: there is none of the name.
func (d *demonstration) tenantGroup(name string) map[string]any {
	g, _ := d.sim.Group(d.daughter.tenant, name)
	return g
}

// tenantMembers are the names before the @ of who is in a group on Microsoft's side.
func (d *demonstration) tenantMembers(name string) []string {
	ids, _ := d.tenantGroup(name)["members"].([]string)
	return d.namesOf(ids...)
}

func (d *demonstration) namesOf(accounts ...string) []string {
	names := []string{}
	for _, id := range accounts {
		a, _ := d.sim.Account(d.daughter.tenant, id)
		upn, _ := a["userPrincipalName"].(string)
		name, _, _ := strings.Cut(upn, "@")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// membersAgree waits until a group on Microsoft's side has the members of the
// directory's, and others whom somebody else put there.
func (d *demonstration) membersAgree(ctx context.Context, group string, others ...string) error {
	list, err := d.api.All(ctx, "/v1/groups/"+d.daughter.groups[group]+"/members?nested=true")
	if err != nil {
		return err
	}
	want := slices.Clone(others)
	for _, m := range list {
		name, _, _ := strings.Cut(m.Text("email"), "@")
		want = append(want, name)
	}
	slices.Sort(want)
	names := strings.Join(want, " ")
	got := func() string { return strings.Join(d.tenantMembers(group), " ") }
	if err := d.until(ctx, "members of "+group, names, got); err != nil {
		return err
	}
	what := "members of " + group + " on both sides"
	if len(others) > 0 {
		what += ", and whom others added"
	}
	d.show.check(what, len(want), len(d.tenantMembers(group)))
	return nil
}

// managerOf is the address of somebody's manager on Microsoft's side.
func (d *demonstration) managerOf(name string) string {
	a, _ := d.sim.Account(d.daughter.tenant, name+"@"+daughterDomain)
	id, _ := a["manager"].(string)
	m, _ := d.sim.Account(d.daughter.tenant, id)
	upn, _ := m["userPrincipalName"].(string)
	return upn
}

// seats tells how many seats of each product are taken.
func (d *demonstration) seats() string {
	list, err := d.sim.Licences(d.daughter.tenant)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%s %d of %d", strings.TrimPrefix(s.SKUPartNumber, "SPE_"), s.Consumed, s.Enabled))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// waitsForSeat are the IDs of the users who wait for a seat.
func (d *demonstration) waitsForSeat(ctx context.Context) ([]string, error) {
	list, err := d.api.All(ctx, "/v1/connections/"+d.daughter.conn+"/problems/waiting-for-seat")
	var ids []string
	for _, p := range list {
		ids = append(ids, p.Object("object").Text("id"))
	}
	return ids, err
}

// heldOf waits for a held run of the daughter's connection that has changes of an effect.
func (d *demonstration) heldOf(ctx context.Context, effect string) (object, error) {
	for until := time.Now().Add(d.patience); time.Now().Before(until); {
		runs, err := d.api.Get(ctx, "/v1/connections/"+d.daughter.conn+"/runs?limit=20")
		if err != nil {
			return nil, err
		}
		for _, r := range runs.List("items") {
			if r.Text("state") == "held" && r.Object("counts").Number(effect) > 0 {
				return r, nil
			}
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("no run is held with changes %s", effect)
}

// answerAll approves or declines whatever is held of the daughter's connection.
func (d *demonstration) answerAll(ctx context.Context, answer string) error {
	runs, err := d.api.Get(ctx, "/v1/connections/"+d.daughter.conn+"/runs?limit=20")
	if err != nil {
		return err
	}
	for _, r := range runs.List("items") {
		if r.Text("state") == "held" {
			if _, err := d.answer(ctx, r, answer, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// quiet waits until no run of the daughter's connection is on its way, and has everything
// compared once more.
func (d *demonstration) quiet(ctx context.Context) error {
	run, err := d.api.PostJSON(ctx, "/v1/connections/"+d.daughter.conn+"/runs", object{"full": true})
	if err != nil {
		return err
	}
	_, err = d.awaitState(ctx, "/v1/runs/"+run.Text("id"), "done")
	return err
}

// approving is until, by an admin who approves whatever is held on the way.
func (d *demonstration) approving(ctx context.Context, what, want string, is func() string) error {
	for until := time.Now().Add(d.patience); is() != want && time.Now().Before(until); {
		if err := d.answerAll(ctx, "approve"); err != nil {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return d.until(ctx, what, want, is)
}

// until waits until something is as it is to be.
func (d *demonstration) until(ctx context.Context, what, want string, is func() string) error {
	for until := time.Now().Add(d.patience); time.Now().Before(until); {
		if is() == want {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return errors.New(what + ": " + is() + ", not " + want)
}

// untilNumber is until for a number, whose progress it shows.
func (d *demonstration) untilNumber(ctx context.Context, what string, want int, is func() int) error {
	return d.until(ctx, what, strconv.Itoa(want), func() string {
		n := is()
		d.show.progress(n, want)
		return strconv.Itoa(n)
	})
}
