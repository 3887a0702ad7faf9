package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/entra/entratest"
)

// The rows of GG 22, each as an admin meets it: somebody brings the tenant into the row's
// situation, the admin does what admins do over the API, and what is looked at is what
// the API tells of it and what was written to the tenant. Beside each row stands the
// near miss: the same, but for the one fact that makes the row.

// row is a row of GG 22.
type row struct {
	name  string // begins with the row's number
	scene func(w *rowWorld)
	// fact is what the near miss does not have.
	fact func(w *rowWorld)
	act  func(w *rowWorld) // the admin
	want rowEnd
	miss rowEnd
}

// rowEnd is what is to come of a row, or of its near miss.
type rowEnd struct {
	// told is what the API tells: of each change its effect and state, and of each
	// record with a problem its kind and status; both with the code.
	told []string
	// raw is what is kept of Microsoft's error, its code and the beginning of its
	// message; empty: what is told is not told by Microsoft.
	raw string
	// wrote is what Microsoft noted of us.
	wrote []string
	// nothing says that there is nothing to tell and nothing is written, once the uses
	// of groups are up to date.
	nothing bool
}

// rowWorld is a connection of the stack that all rows share, to a tenant of its own.
type rowWorld struct {
	*stacktest.World
	between    *between
	tag        string // makes names unique
	tenant     string
	domain     string
	conn       string
	ids        map[string]string // of users and groups of ours, and of groups of the tenant ("tenant:Sales")
	before     int               // mutations of the scene
	known      map[string]bool   // runs of the scene
	faults     []string
	interrupts []*interrupt
	refused    []object // answers of our API to who asked for what cannot be
}

// between stands between the stack and the simulated Microsoft 365: it has somebody do
// something in the very moment before a request arrives.
type between struct {
	next http.RoundTripper
	mu   sync.Mutex
	list []*interrupt
}

// interrupt happens once, before the first request with all of some texts.
type interrupt struct {
	texts []string
	do    func()
	done  bool
}

func (b *between) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	all := r.Method + " " + r.URL.String() + "\n" + string(body)
	b.meet(all)
	return b.next.RoundTrip(r)
}

func (b *between) meet(request string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.list {
		if !i.done && !slices.ContainsFunc(i.texts, func(text string) bool { return !strings.Contains(request, text) }) {
			i.done = true
			i.do()
		}
	}
}

// TestGraphRows: every row of GG 22 that an admin can meet, with its near miss.
func TestGraphRows(t *testing.T) {
	t.Parallel()
	b := &between{}
	all := stacktest.With(t, stack.Config{Simulator: stack.Simulator{Wrap: func(next http.RoundTripper) http.RoundTripper {
		b.next = next
		return b
	}}})
	var group sync.WaitGroup
	var ends []func()
	var mu sync.Mutex
	tickets := make(chan struct{}, 12) // rows wait more than they work
	for n, r := range graphRows() {
		for _, miss := range []bool{false, true} {
			name, end := r.name, r.want
			if miss {
				name, end = name+" (near miss)", r.miss
			}
			group.Go(func() {
				tickets <- struct{}{}
				defer func() { <-tickets }()
				t.Run(name, func(t *testing.T) {
					w := newRowWorld(t, all, b, n, miss)
					w.play(&r, miss, &end)
					mu.Lock()
					defer mu.Unlock()
					ends = append(ends, func() {
						if got := w.wrote(); !slices.Equal(got, sorted(end.wrote)) {
							all.Errorf("%s: once everything rested, %q had been written, want %q", name, got, end.wrote)
						}
					})
				})
			})
		}
	}
	group.Wait()
	all.Rest()
	for _, end := range ends {
		end()
	}
	neverSent(t, all.Stack.Sim)
}

// neverSent looks at all requests of all rows: for what is our own mistake in GG 22,
// whatever the tenant is like.
func neverSent(t *testing.T, sim *entratest.Server) {
	for _, q := range sim.Requests() {
		path := strings.ToLower(q.Path)
		switch members := strings.Contains(path, "/members/") || strings.Contains(path, "/owners/"); {
		case q.Method == http.MethodDelete && members && !strings.HasSuffix(path, "/$ref"):
			t.Errorf("%s %s deletes the member itself (GG 3.3)", q.Method, q.Path)
		case q.Method == http.MethodPost && strings.HasSuffix(path, "/members"), q.Method == http.MethodPatch && strings.HasSuffix(path, "/$ref"):
			t.Errorf("%s %s is a request of rows 6 and 7", q.Method, q.Path)
		case strings.Contains(path, "allowexternalsenders"), strings.Contains(path, "hidefrom"), strings.Contains(path, "autosubscribe"):
			t.Errorf("%s %s asks for what a tenant without Exchange does not have (row 29)", q.Method, q.Path)
		case q.Method != http.MethodGet && strings.Contains(path, "/owners"):
			t.Errorf("%s %s writes owners, which are not ours (rows 10, 11 and 23)", q.Method, q.Path)
		}
	}
}

func newRowWorld(t *testing.T, all *stacktest.World, b *between, n int, miss bool) *rowWorld {
	t.Helper()
	one := *all
	one.T = t
	w := &rowWorld{World: &one, between: b, tag: fmt.Sprintf("r%d", 2*n), ids: map[string]string{}, known: map[string]bool{}}
	if miss {
		w.tag = fmt.Sprintf("r%d", 2*n+1)
	}
	w.domain = w.tag + ".example"
	w.tenant = w.Tenant(w.domain)
	w.conn = w.Connect(w.domain, w.tenant, object{"groups": true, "licences": true, "manager": object{"export": true, "clear": true}, "defaultUsageLocation": "DE"})
	return w
}

// play plays a row to its end.
func (w *rowWorld) play(r *row, miss bool, end *rowEnd) {
	w.Helper()
	if r.scene != nil {
		r.scene(w)
	}
	w.before = len(w.Stack.Sim.Mutations(w.tenant))
	for _, r := range w.Get("/v1/connections/" + w.conn + "/runs").List("items") {
		w.known[r.Text("id")] = true
	}
	if !miss && r.fact != nil {
		r.fact(w)
	}
	r.act(w)
	if !miss { // a row may begin as it ends: a change that is planned, and planned again
		w.met()
	}
	w.ends(end)
}

// met waits until the row's faults have struck, and its interrupts have come between.
func (w *rowWorld) met() {
	w.Helper()
	var missed []string
	defer func() {
		if w.Failed() {
			w.Logf("missed: %q\n%s", missed, w.runs())
		}
	}()
	w.Wait("not all that the row does to us has met us", func() bool {
		missed = nil
		for _, f := range w.Stack.Sim.Faults() {
			if slices.Contains(w.faults, f.ID) && f.Struck == 0 {
				missed = append(missed, "the fault "+f.ID)
			}
		}
		w.between.mu.Lock()
		defer w.between.mu.Unlock()
		for _, i := range w.interrupts {
			if !i.done {
				missed = append(missed, fmt.Sprintf("a request with %q", i.texts))
			}
		}
		return len(missed) == 0
	})
}

// ends waits until the end is as wanted, and looks at what was kept of Microsoft's words.
func (w *rowWorld) ends(end *rowEnd) {
	w.Helper()
	var told []string
	var problems []object
	defer func() {
		if w.Failed() {
			w.Logf("told %q, want %q\nwrote %q, want %q\n%s", told, end.told, w.wrote(), end.wrote, w.runs())
		}
	}()
	if end.nothing == (len(end.told) > 0) {
		w.Fatal("the row does not say what is told in the end")
	}
	if end.nothing {
		w.upToDate()
	}
	w.Wait("what is told does not become what it should", func() bool {
		told, problems = w.told()
		return slices.Equal(told, sorted(end.told)) && slices.Equal(w.wrote(), sorted(end.wrote))
	})
	kept := false
	for _, p := range problems {
		if p.Text("message") == "" || p.Text("next") == "" && p.Text("code") != "outdated" {
			w.Errorf("the problem %s has not both a cause and a next step: %v", p.Text("code"), p)
		}
		raw := p.Text("microsoftCode") + " " + p.Text("microsoftMessage")
		kept = kept || end.raw != "" && strings.HasPrefix(raw, end.raw)
	}
	if end.raw != "" && !kept {
		w.Errorf("nothing is kept of what Microsoft said, which is %q: %v", end.raw, problems)
	}
}

// told is what the API tells of the connection's runs since the scene, and of what has a
// problem now.
func (w *rowWorld) told() (list []string, problems []object) {
	w.Helper()
	say := func(what string, p object) {
		if p != nil {
			what += " " + p.Text("code")
			problems = append(problems, p)
		}
		if !slices.Contains(list, what) {
			list = append(list, what)
		}
	}
	for _, p := range w.refused {
		say("PUT refused", p)
	}
	for _, r := range w.Get("/v1/connections/" + w.conn + "/runs?limit=100").List("items") {
		if w.known[r.Text("id")] || r["dryRun"] == true {
			continue
		}
		if r.Text("state") == "held" {
			say("run held", nil)
		}
		for _, c := range w.Get("/v1/runs/" + r.Text("id") + "/changes?limit=100").List("items") {
			say(c.Text("effect")+" "+c.Text("state"), c.Object("error"))
			for _, f := range c.List("findings") {
				say(c.Text("effect")+" finding", f)
			}
		}
	}
	for _, cause := range w.Get("/v1/connections/" + w.conn + "/problems").List("items") {
		for _, p := range w.Get("/v1/connections/" + w.conn + "/problems/" + cause.Text("code")).List("items") {
			kind := p.Object("object").Text("kind")
			if kind == "" {
				kind = "account"
			} else if len(cause.List("objects")) == 0 {
				w.Errorf("the cause %s names none of the objects that have it", cause.Text("code"))
			}
			say(kind+" "+p.Text("status"), p.Object("problem"))
		}
	}
	slices.Sort(list)
	return list, problems
}

// wrote is what Microsoft noted of us since the scene: what was done, to what, and who
// came or went.
func (w *rowWorld) wrote() []string {
	var list []string
	for _, m := range w.Stack.Sim.Mutations(w.tenant)[w.before:] {
		if m.AppID == "" || m.Method == "" {
			continue
		}
		name := func(text string) string {
			text, _, _ = strings.Cut(text, "@")
			return strings.TrimSuffix(text, " "+w.tag)
		}
		what := m.Kind + " " + name(m.Name)
		if m.UPN != "" {
			what = m.Kind + " " + name(m.UPN)
		}
		if m.Linked != nil {
			linked := m.Linked.Name
			if upn, is := w.Account(w.tenant, m.Linked.ID)["userPrincipalName"].(string); is {
				linked = upn
			}
			what += " " + name(linked)
		}
		list = append(list, what)
	}
	slices.Sort(list)
	return list
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// runs tells what the runs of the connection did, as an admin reads it.
func (w *rowWorld) runs() string {
	return (&groupWorld{World: w.World, tenant: w.tenant, conn: w.conn}).runs()
}

// people makes users who have their accounts.
func (w *rowWorld) people(names ...string) {
	w.Helper()
	for _, name := range names {
		w.ids[name] = w.User(name+"@"+w.domain, nil)
		w.Bind(w.conn, w.ids[name])
	}
	for _, name := range names {
		w.Binding(w.conn, w.ids[name], "in-sync")
	}
}

// group makes a group of ours with members, users or groups.
func (w *rowWorld) group(name string, members ...string) {
	w.Helper()
	w.ids[name] = w.Post("/v1/groups", object{"name": name + " " + w.tag}).Text("id")
	w.join(name, members...)
}

func (w *rowWorld) members(members []string) object {
	users, groups := []string{}, []string{}
	for _, m := range members {
		if id := w.ids[m]; strings.HasPrefix(id, "grp_") {
			groups = append(groups, id)
		} else {
			users = append(users, id)
		}
	}
	return object{"userIds": users, "groupIds": groups}
}

func (w *rowWorld) join(group string, members ...string) {
	w.Helper()
	if len(members) > 0 {
		w.Post("/v1/groups/"+w.ids[group]+"/members", w.members(members))
	}
}

func (w *rowWorld) leave(group string, members ...string) {
	w.Helper()
	w.Must(w.API.Delete(w.Context(), "/v1/groups/"+w.ids[group]+"/members", w.members(members)))
}

// rename gives a group of ours another name.
func (w *rowWorld) rename(group, name string) {
	w.Helper()
	w.Must(w.API.Patch(w.Context(), "/v1/groups/"+w.ids[group], object{"name": name + " " + w.tag}))
}

func (w *rowWorld) use(group string, rules object) {
	w.Helper()
	w.Must(w.API.Put(w.Context(), "/v1/connections/"+w.conn+"/groups/"+w.ids[group], rules))
}

func (w *rowWorld) export(group string, rules object) {
	w.Helper()
	if rules["kind"] == nil {
		rules["kind"] = "security"
	}
	w.use(group, object{"export": rules})
}

// adopt asks for the export of a group as one that the tenant has; that it is refused is
// told.
func (w *rowWorld) adopt(group, theirs string) {
	w.Helper()
	_, err := w.API.Put(w.Context(), "/v1/connections/"+w.conn+"/groups/"+w.ids[group], object{"export": object{"kind": "security", "adopt": w.ids["tenant:"+theirs]}})
	if err == nil {
		return
	}
	_, answer, _ := strings.Cut(err.Error(), " answered 409: ")
	var p object
	if json.Unmarshal([]byte(answer), &p) != nil {
		w.Fatal(err)
	}
	w.refused = append(w.refused, object{"code": p["code"], "message": p["detail"], "next": p["nextStep"]})
}

// exported makes a group whose export stands.
func (w *rowWorld) exported(group string, rules object, members ...string) {
	w.Helper()
	w.group(group, members...)
	w.export(group, rules)
	w.Wait("the export of "+group+" does not stand", func() bool {
		g, is := w.Stack.Sim.Group(w.tenant, group+" "+w.tag)
		if is {
			w.ids["tenant:"+group], _ = g["id"].(string)
		}
		return is && len(g["members"].([]string)) == len(members)
	})
	w.quiet()
}

// theirs makes a group of the tenant.
func (w *rowWorld) theirs(kind entratest.GroupKind, name string, members ...string) string {
	w.Helper()
	id, err := w.Stack.Sim.AddGroup(w.tenant, "", entratest.GroupSpec{Kind: kind, DisplayName: name + " " + w.tag, MailNickname: strings.ToLower(name)})
	if err != nil {
		w.Fatal(err)
	}
	w.ids["tenant:"+name] = id
	for _, m := range members {
		w.put(name, m, true)
	}
	return id
}

// put has somebody put somebody into a group of the tenant, or take them out.
func (w *rowWorld) put(group, member string, is bool) {
	w.Helper()
	if err := w.Stack.Sim.SetMember(w.tenant, "", w.ids["tenant:"+group], w.account(member), is); err != nil {
		w.Fatal(err)
	}
}

// account names somebody's account, or a group, in the tenant.
func (w *rowWorld) account(name string) string {
	if id := w.ids["tenant:"+name]; id != "" {
		return id
	}
	return name + "@" + w.domain
}

// edit has somebody change a group of the tenant.
func (w *rowWorld) edit(group string, edit map[string]any) {
	w.Helper()
	if err := w.Stack.Sim.EditGroup(w.tenant, "", w.ids["tenant:"+group], edit); err != nil {
		w.Fatal(err)
	}
}

// buy has the tenant buy seats.
func (w *rowWorld) buy(sku string, seats int) {
	w.Helper()
	if err := w.Stack.Sim.SetLicence(w.tenant, entratest.LicenceSpec{SKUPartNumber: sku, Enabled: seats}); err != nil {
		w.Fatal(err)
	}
}

// fault has something go wrong in the tenant.
func (w *rowWorld) fault(f entratest.Fault) {
	w.Helper()
	f.Tenant = w.tenant
	id, err := w.Stack.Sim.SetFault(f)
	if err != nil {
		w.Fatal(err)
	}
	w.faults = append(w.faults, id)
}

// says has Microsoft answer the next request of a kind with an error.
func (w *rowWorld) says(method, path string, status int, code, message string) {
	w.Helper()
	w.fault(entratest.Fault{Kind: "status", Method: method, Path: path, Times: 1, Status: status, Code: code, Message: message})
}

// meanwhile has somebody do something right before a request with all of some texts.
func (w *rowWorld) meanwhile(do func(), texts ...string) {
	i := &interrupt{texts: texts, do: do}
	w.interrupts = append(w.interrupts, i)
	w.between.mu.Lock()
	defer w.between.mu.Unlock()
	w.between.list = append(w.between.list, i)
}

// look has the connection look at records again.
func (w *rowWorld) look(kind string, names ...string) {
	w.Helper()
	list := []object{}
	for _, name := range names {
		id := w.ids[name]
		if group, user, both := strings.Cut(name, "."); both {
			id = w.ids[group] + "." + w.ids[user]
		}
		list = append(list, object{"kind": kind, "id": id})
	}
	w.Post("/v1/connections/"+w.conn+"/runs", object{"objects": list})
}

// quiet waits until no run is on its way and nothing is due.
func (w *rowWorld) quiet() {
	w.Helper()
	w.Wait("the connection's runs do not end", func() bool {
		for _, r := range w.Get("/v1/connections/" + w.conn + "/runs").List("items") {
			if r["endedAt"] == nil {
				return false
			}
		}
		return true
	})
}

// upToDate waits until all that follows from the uses of groups is done.
func (w *rowWorld) upToDate() {
	w.Helper()
	w.Wait("the uses of groups do not become up to date", func() bool {
		for _, u := range w.Get("/v1/connections/" + w.conn + "/groups").List("items") {
			use := w.Get("/v1/connections/" + w.conn + "/groups/" + u.Text("groupId"))
			if at := use.Object("upToDate").Text("at"); at == "" || at < use.Text("updated") {
				return false
			}
		}
		return true
	})
	w.quiet()
}

// elsewhere are the rows of GG 22 that no admin can meet here, and what holds them, or why
// nothing has to.
var elsewhere = map[int]string{
	26: "graph.TestGroupErrors: we write no classification",
	28: "graph.TestGroupErrors: we make no dynamic groups",
	29: "neverSent, and graph.TestGroupErrors",
	46: "graph.TestGroupLicenceRefusals",
	48: "the API cloudLicensing is not called",
	49: "entra.TestCauses: of first passwords, which are made anew",
	50: "entra.TestCauses: no password is written but a new account's", 51: "as 50",
	52: "temporary access passes are not made", 53: "as 52", 54: "as 52", 55: "as 52", 56: "as 52",
	58: "tokens are delegated, never an application's", 59: "as 58", 60: "as 58", 61: "as 58", 62: "as 58",
	63: "entra.TestPhoto: pictures are read, not written", 64: "as 63", 65: "as 63",
	66: "no notifications are subscribed to", 67: "as 66", 68: "as 66", 69: "as 66", 70: "as 66",
	72: "entra.TestCauses: each query of ours is held against the description",
}

// TestEveryRowIsHeld: each row of GG 22 is in the table here, or is said to be elsewhere.
func TestEveryRowIsHeld(t *testing.T) {
	t.Parallel()
	const last = 75
	here := map[int]bool{}
	for _, r := range graphRows() {
		number, _, _ := strings.Cut(r.name, " ")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > last {
			t.Errorf("%q does not begin with the number of a row", r.name)
		}
		here[n] = true
	}
	for n := 1; n <= last; n++ {
		if why, is := elsewhere[n]; here[n] == is || is && why == "" {
			t.Errorf("row %d of GG 22 is in the table: %t; elsewhere: %q", n, here[n], why)
		}
	}
	if len(here) < 40 {
		t.Errorf("the table has %d rows, want 40 at least", len(here))
	}
}
