package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/infra/stack"
	"bindery/shared/entra/entratest"
)

// The demo's fourth tenant: a branch office, whose people an identity provider pushes.
const (
	branchDomain = "branch.example"
	branchAdmin  = "bea@branch.example"
	joiners      = 25
	providerName = "Okta"

	branchStaff, branchRenamed = "Branch staff", "Everybody at the branch" // the group that the provider pushes
)

// branch is the fourth connection, its identity provider, and what that has pushed.
type branch struct {
	conn, tenant string
	client       string // ID of the SCIM client
	okta         provider
	people       []string // names before the @; the first was in the directory before
	ids          map[string]string
	group        string
}

// provider pushes people and groups by SCIM, in the requests that Okta makes: it looks
// for everybody before it makes them, replaces whom it finds, edits by PUT, and ends and
// brings back by a PATCH of active.
type provider struct {
	api  *stack.Client // with the token that an admin has put into it
	base string
}

// send sends a request below the client's base address and returns status and answer.
func (p *provider) send(ctx context.Context, method, path, body string) (int, object, error) {
	status, answer, err := p.api.Raw(ctx, method, p.base+path, "application/scim+json", body)
	if err != nil {
		return 0, nil, err
	}
	var o object
	if answer != "" {
		err = json.Unmarshal([]byte(answer), &o)
	}
	return status, o, err
}

// call is send of what must be done.
func (p *provider) call(ctx context.Context, method, path, body string) (object, error) {
	status, answer, err := p.send(ctx, method, path, body)
	if err == nil && status >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s answered %d: %v", method, path, status, answer)
	}
	return answer, err
}

// find looks for a resource by an attribute; "": there is none.
func (p *provider) find(ctx context.Context, kind, attribute, value string) (string, error) {
	filter := url.QueryEscape(fmt.Sprintf("%s eq %q", attribute, value))
	found, err := p.call(ctx, http.MethodGet, kind+"?filter="+filter+"&startIndex=1&count=100", "")
	if err != nil {
		return "", err
	}
	for _, r := range found.List("Resources") {
		return r.Text("id"), nil
	}
	return "", nil
}

// person is the whole of a user, as Okta sends it with POST and PUT; manager is an ID, or "".
func person(name, department, title, manager string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"%[1]s@%[2]s","externalId":"00u-%[1]s","active":true,"name":{"givenName":"%[3]s","familyName":"Branch"},"displayName":"%[3]s Branch",
		"emails":[{"primary":true,"value":"%[1]s@%[2]s","type":"work"}],"title":"%[5]s","locale":"en-US","groups":[],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"%[4]s","manager":{"value":"%[6]s"}}}`,
		name, branchDomain, strings.ToUpper(name[:1])+name[1:], department, title, manager)
}

// push looks for somebody and replaces, or makes, who that is. found: somebody was there.
func (p *provider) push(ctx context.Context, name string) (id string, found bool, err error) {
	if id, err = p.find(ctx, "/Users", "userName", name+"@"+branchDomain); err != nil {
		return "", false, err
	}
	method, path := http.MethodPost, "/Users"
	if found = id != ""; found {
		method, path = http.MethodPut, "/Users/"+id
	}
	u, err := p.call(ctx, method, path, person(name, "Service", "Clerk", ""))
	return u.Text("id"), found, err
}

// activate makes somebody active, or inactive.
func (p *provider) activate(ctx context.Context, id string, active bool) error {
	_, err := p.call(ctx, http.MethodPatch, "/Users/"+id, patchOf(fmt.Sprintf(`{"op":"replace","value":{"active":%t}}`, active)))
	return err
}

func patchOf(operation string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operation + `]}`
}

// pushed has an identity provider push joiners and their group: whoever is in it gets an
// account. A person whom somebody made by hand before is found, and not made twice.
func (d *demonstration) pushed(ctx context.Context) error {
	if err := d.openBranch(ctx); err != nil {
		return err
	}
	if err := d.openProvider(ctx); err != nil {
		return err
	}
	byHand, err := d.api.PostJSON(ctx, "/v1/users", object{"email": d.branch.people[0] + "@" + branchDomain, "givenName": "Vera", "familyName": "Before"})
	if err != nil {
		return err
	}
	made, found := 0, 0
	for _, name := range d.branch.people {
		id, there, err := d.branch.okta.push(ctx, name)
		if err != nil {
			return err
		}
		if d.branch.ids[name] = id; there {
			found++
		} else {
			made++
		}
		d.show.progress(made+found, joiners)
	}
	d.extra += joiners
	d.show.check("joiners whom the identity provider made, and found", fmt.Sprint(joiners-1, 1), fmt.Sprint(made, found))
	d.show.check("who was there before is the same user still", true, byHand.Text("id") == d.branch.ids[d.branch.people[0]])
	if err := d.pushGroup(ctx); err != nil {
		return err
	}
	if _, err := d.api.Put(ctx, "/v1/connections/"+d.branch.conn+"/groups/"+d.branch.group, object{"select": object{}, "export": object{"kind": "security"}}); err != nil {
		return err
	}
	if err := d.untilNumber(ctx, "accounts of the joiners", joiners, func() int { return d.branchCount("accountEnabled", true) }); err != nil {
		return err
	}
	if err := d.untilNumber(ctx, "members of the pushed group", joiners, func() int { return d.branchMembers(branchStaff) }); err != nil {
		return err
	}
	d.show.check("accounts of the joiners in Microsoft 365", joiners, d.branchCount("accountEnabled", true))
	d.show.check("members of the pushed group in Microsoft 365", joiners, d.branchMembers(branchStaff))
	return d.comeAndGo(ctx)
}

// openBranch makes the tenant and connects it.
func (d *demonstration) openBranch(ctx context.Context) error {
	t, err := d.sim.CreateTenant(entratest.TenantSpec{
		Name: "Branch (simulated)", Domains: []entratest.DomainSpec{{Name: branchDomain, IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: branchAdmin, Roles: []string{"Global Administrator"}}},
	})
	if err != nil {
		return err
	}
	d.branch = branch{tenant: t.ID, people: []string{"vera"}, ids: map[string]string{}}
	for i := range joiners - 1 {
		d.branch.people = append(d.branch.people, fmt.Sprintf("joe%02d", i+1))
	}
	exported := object{"export": true}
	c, err := d.api.PostJSON(ctx, "/v1/connections", object{"name": "Branch", "settings": object{
		"groups": true, "manager": exported, "attributes": object{"department": exported, "jobTitle": exported}, "guard": object{"block": object{"count": 5}},
	}})
	if err != nil {
		return err
	}
	d.branch.conn = c.Text("id")
	if status, page, err := d.callback(ctx, c.Text("authorizationUrl"), branchAdmin); err != nil || status != http.StatusOK {
		return fmt.Errorf("the callback answered %d: %s, %w", status, page, err)
	}
	_, err = d.api.Confirm(ctx, "/v1/connections/"+d.branch.conn)
	return err
}

// openProvider sets the SCIM client up, as an admin, and puts address and token into the
// identity provider.
func (d *demonstration) openProvider(ctx context.Context) error {
	c, err := d.api.PostJSON(ctx, "/v1/scim-clients", object{"name": providerName})
	if err != nil {
		return err
	}
	d.branch.client = c.Text("id")
	token, err := d.api.PostJSON(ctx, "/v1/scim-clients/"+d.branch.client+"/tokens", nil)
	if err != nil {
		return err
	}
	d.branch.okta = provider{&stack.Client{Handler: d.api.Handler, Token: token.Text("token")}, c.Text("basePath")}
	admins := provider{d.api, c.Text("basePath")}
	status, _, err := admins.send(ctx, http.MethodGet, "/Users?count=1", "")
	if err != nil {
		return err
	}
	d.show.check("an admin's token at the address of the identity provider", http.StatusUnauthorized, status)
	status, _, err = d.branch.okta.send(ctx, http.MethodGet, "/Users?startIndex=1&count=2", "")
	d.show.check("the identity provider tests address and token", http.StatusOK, status)
	return err
}

// pushGroup pushes the group: it is made empty, and filled by a PATCH.
func (d *demonstration) pushGroup(ctx context.Context) error {
	okta := &d.branch.okta
	id, err := okta.find(ctx, "/Groups", "displayName", branchStaff)
	if err != nil {
		return err
	}
	if id == "" {
		g, err := okta.call(ctx, http.MethodPost, "/Groups", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":%q,"members":[]}`, branchStaff))
		if err != nil {
			return err
		}
		id = g.Text("id")
	}
	d.branch.group = id
	members := make([]string, len(d.branch.people))
	for i, name := range d.branch.people {
		members[i] = fmt.Sprintf(`{"value":%q,"display":"%s@%s"}`, d.branch.ids[name], name, branchDomain)
	}
	_, err = okta.call(ctx, http.MethodPatch, "/Groups/"+id, patchOf(`{"op":"add","path":"members","value":[`+strings.Join(members, ",")+`]}`))
	return err
}

// comeAndGo is one who moves to another department, and one who leaves.
func (d *demonstration) comeAndGo(ctx context.Context) error {
	head, mover, leaver := d.branch.people[0], d.branch.people[1], d.branch.people[2]
	if _, err := d.branch.okta.call(ctx, http.MethodPut, "/Users/"+d.branch.ids[mover], person(mover, "Accounts", "Head", d.branch.ids[head])); err != nil {
		return err
	}
	if err := d.branch.okta.activate(ctx, d.branch.ids[leaver], false); err != nil {
		return err
	}
	rename := patchOf(fmt.Sprintf(`{"op":"replace","value":{"id":%q,"displayName":%q}}`, d.branch.group, branchRenamed))
	if _, err := d.branch.okta.call(ctx, http.MethodPatch, "/Groups/"+d.branch.group, rename); err != nil {
		return err
	}
	d.extra--
	for _, wait := range []struct {
		what, want string
		is         func() string
	}{
		{"department and title of who moved, in Microsoft 365", "Accounts, Head", func() string {
			a := d.branchAccount(mover)
			return fmt.Sprintf("%v, %v", a["department"], a["jobTitle"])
		}},
		{"the manager of who moved, in Microsoft 365", head + "@" + branchDomain, func() string {
			id, _ := d.branchAccount(mover)["manager"].(string)
			m, _ := d.sim.Account(d.branch.tenant, id)
			return fmt.Sprint(m["userPrincipalName"])
		}},
		{"members of the group under its new name", strconv.Itoa(joiners), func() string { return strconv.Itoa(d.branchMembers(branchRenamed)) }},
		{"the account of who left is enabled", "false", func() string { return fmt.Sprint(d.branchAccount(leaver)["accountEnabled"]) }},
	} {
		if err := d.until(ctx, wait.what, wait.want, wait.is); err != nil {
			return err
		}
		d.show.check(wait.what, wait.want, wait.is())
	}
	return nil
}

// deactivatedBySource has the identity provider deactivate everybody, as a wrong rule in
// it does. The directory takes it; the accounts stay, since the guard holds the run and
// names the provider. An admin pauses that, and takes back what it has done.
func (d *demonstration) deactivatedBySource(ctx context.Context) error {
	okta, since := &d.branch.okta, time.Now()                     // the leaver has left before
	victims := slices.Delete(slices.Clone(d.branch.people), 2, 3) // the third has left
	for _, name := range victims {
		if err := okta.activate(ctx, d.branch.ids[name], false); err != nil {
			return err
		}
	}
	blocked := func() int { return len(victims) - d.branchCount("accountEnabled", true) }
	var held object
	for until := time.Now().Add(d.patience); held.Object("counts").Number("block")+blocked() < len(victims); {
		if time.Now().After(until) {
			return fmt.Errorf("the mass deactivation is not held: %v", held)
		}
		if err := pause(ctx); err != nil {
			return err
		}
		var err error
		if held, err = d.branchHeld(ctx); err != nil {
			return err
		}
	}
	d.show.check("accounts blocked of the 24 that it deactivates, at most 5", true, blocked() <= 5)
	d.show.check("blocks that wait for an admin, with these", len(victims), held.Object("counts").Number("block")+blocked())
	reasons, _ := held.Object("held")["reasons"].([]any)
	named := slices.IndexFunc(reasons, func(r any) bool { return strings.Contains(fmt.Sprint(r), providerName) })
	d.show.check("the guard holds them, and names the identity provider", true, named >= 0)
	if named >= 0 {
		d.show.note(fmt.Sprint(reasons[named]))
	}

	if _, err := d.api.Patch(ctx, "/v1/scim-clients/"+d.branch.client, object{"paused": true}); err != nil {
		return err
	}
	status, _, err := okta.send(ctx, http.MethodPatch, "/Users/"+d.branch.ids[victims[0]], patchOf(`{"op":"replace","value":{"title":"Nobody"}}`))
	if err != nil {
		return err
	}
	d.show.check("what it is answered once an admin has paused it", http.StatusServiceUnavailable, status)
	return d.takenBack(ctx, since, victims)
}

// branchHeld is the held run of the branch's connection; nil: there is none.
func (d *demonstration) branchHeld(ctx context.Context) (object, error) {
	runs, err := d.api.Get(ctx, "/v1/connections/"+d.branch.conn+"/runs?limit=20")
	if err != nil {
		return nil, err
	}
	for _, r := range runs.List("items") {
		if r.Text("state") == "held" {
			return r, nil
		}
	}
	return nil, nil
}

// takenBack puts back, as one act, what the identity provider has done since a time, and
// lets it go on.
func (d *demonstration) takenBack(ctx context.Context, since time.Time, victims []string) error {
	client := "/v1/scim-clients/" + d.branch.client
	job, err := d.api.PostJSON(ctx, client+"/take-back", object{"since": since.UTC().Format(time.RFC3339Nano)})
	if err != nil {
		return err
	}
	ended, err := d.await(ctx, "/v1/jobs/"+job.Text("id"), len(victims))
	if err != nil {
		return err
	}
	d.show.check("users put back as they were, by one call", len(victims), ended.Object("counts").Number("edited"))
	if err := d.untilNumber(ctx, "accounts after that", len(victims), func() int { return d.branchCount("accountEnabled", true) }); err != nil {
		return err
	}
	d.show.check("accounts enabled then, without the one of who had left", len(victims), d.branchCount("accountEnabled", true))
	if _, err := d.api.Patch(ctx, client, object{"paused": false}); err != nil {
		return err
	}
	status, _, err := d.branch.okta.send(ctx, http.MethodGet, "/Users/"+d.branch.ids[victims[0]], "")
	d.show.check("what it is answered once it may go on", http.StatusOK, status)
	return err
}

// branchAccount is somebody's account on Microsoft's side.
func (d *demonstration) branchAccount(name string) map[string]any {
	a, _ := d.sim.Account(d.branch.tenant, name+"@"+branchDomain)
	return a
}

// branchCount is how many of the branch's people have a value in a property.
func (d *demonstration) branchCount(property string, value any) int {
	n := 0
	for _, name := range d.branch.people {
		if d.branchAccount(name)[property] == value {
			n++
		}
	}
	return n
}

// branchMembers is how many members a group of a name has on Microsoft's side.
func (d *demonstration) branchMembers(name string) int {
	g, _ := d.sim.Group(d.branch.tenant, name)
	members, _ := g["members"].([]string)
	return len(members)
}
