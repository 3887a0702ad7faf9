package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"bindery/infra/apigateway"
	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/api/console"
	"bindery/shared/boot/lambda"
	"bindery/shared/core/mapping"
	"bindery/shared/core/people"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/inprocess"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// officeSizes says how much there is of what the console shows.
type officeSizes struct {
	users   int // of the directory, bound through one connection
	held    int // changes of a run that waits for a decision
	done    int // and of one that is done
	groups  int // of the directory, of groupSize members each
	crowd   int // members of one more
	ofOne   int // of the groups, those that one user is in
	uses    int // of the groups, those that the connection uses
	others  int // connections that wait for their admin
	failed  int // users with a problem
	fresh   int // users who have no account yet: their creation is held as well
	repeats int // how often each page is measured
}

// large is what issue 15 names, and some more.
var largeOffice = officeSizes{users: 100_000, held: 5_000, done: 2_000, groups: 1_000, crowd: 10_000, ofOne: 500, uses: 100, others: 30, failed: 2_000, fresh: 60, repeats: 5}

// office is the whole of Bindery over a table in memory, and an admin with a browser at
// its console.
type office struct {
	*world
	o       *stacktest.World
	sizes   officeSizes
	conn    string
	browser *http.Client
	tenant  http.RoundTripper
	tells   atomic.Pointer[record] // nil: the tenant itself does
	looked  int                    // pages

	mu    sync.Mutex
	asked []*url.URL // of /v1, by the console
	names map[string]string
}

// consolePages measures what the console's pages ask the API for, what they and the API
// take of a CPU together, and how large they are.
func consolePages(t *testing.T, r *report) {
	f := openOffice(t, largeOffice)
	visits := f.tour()
	for _, v := range visits {
		fmt.Printf("    %2d calls, %3d with those that search on, %6.1f ms, %5.1f KB, %7.1f units in %3d calls of the table: %s\n", v.calls, v.all, 1000*v.cpu.Seconds(), float64(v.bytes)/1000, v.used.ReadUnits, v.used.Calls, v.page)
	}
	// A comparison with Microsoft's log reads all that was done around what it shows: when
	// thousands of users are edited within minutes, that is thousands of records.
	pages, audits := split(visits, func(v visited) bool { return strings.Contains(v.page, "/audit") })
	pages, _ = split(pages, func(v visited) bool { return v.bytes == 0 || v.part }) // files, pages of a part of one, which have read it, and pictures
	most := func(of func(visited) float64) visited {
		return slices.MaxFunc(pages, func(a, b visited) int { return cmp.Compare(of(a), of(b)) })
	}
	calls := most(func(v visited) float64 { return float64(v.calls) })
	cpu := most(func(v visited) float64 { return v.cpu.Seconds() })
	size := most(func(v visited) float64 { return float64(v.bytes) })
	units := most(func(v visited) float64 { return v.used.ReadUnits })
	all := fmt.Sprintf("of %d pages at %d users, a run of %d changes, %d groups", len(visits), f.sizes.users, f.sizes.held, f.sizes.groups)
	r.add("console.calls_max", float64(calls.calls), "calls", lower, fmt.Sprintf("calls of the API for one page, the most %s: %s", all, calls.page))
	r.add("console.cpu_ms_max", 1000*cpu.cpu.Seconds(), "ms", lower, fmt.Sprintf("CPU time of the console and the API together for a page, the most likewise: %s", cpu.page))
	r.add("console.audit_cpu_ms", 1000*slices.MaxFunc(audits, func(a, b visited) int { return cmp.Compare(a.cpu, b.cpu) }).cpu.Seconds(), "ms", lower, fmt.Sprintf("the comparison with Microsoft's log alone, right after %d edits and a run of %d changes: %.0f read units", f.sizes.held, f.sizes.done, audits[0].used.ReadUnits))
	r.add("console.html_kb_max", float64(size.bytes)/1000, "KB", lower, fmt.Sprintf("HTML of a page, the largest likewise: %s", size.page))
	r.add("console.table_units_max", units.used.ReadUnits, "units", lower, fmt.Sprintf("read units of a page, the most likewise, in %d calls of the table: %s", units.used.Calls, units.page))
}

// split parts a list: those that are not so, and those that are.
func split(list []visited, is func(visited) bool) (others, those []visited) {
	for _, v := range list {
		if is(v) {
			those = append(those, v)
		} else {
			others = append(others, v)
		}
	}
	return others, those
}

// visited is what one page took.
type visited struct {
	page  string // its address, with names instead of IDs
	calls int    // of the API that it is made of
	all   int    // with those that search on
	cpu   time.Duration
	bytes int // of HTML
	part  bool
	used  usage
}

// openOffice makes the world and signs the admin in. Nobody works in it any more then.
func openOffice(t *testing.T, sizes officeSizes) *office {
	t.Helper()
	drivers, err := stack.Laptop(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	mem := memory.New()
	// What the bench itself stores was done long ago: pages look at what was done lately.
	old := store.Options{Now: func() time.Time { return time.Now().Add(-officeAge) }}
	w := &world{T: t, mem: mem, raw: store.New(mem, old), ledger: &ledger{}}
	drivers.Table = &meter{mem: mem, to: w.ledger}
	f := &office{world: w, sizes: sizes, names: map[string]string{}}
	f.o = stacktest.Open(t, stack.Config{Drivers: drivers, Simulator: stack.Simulator{Wrap: f.recorded}})
	f.furnish()
	f.tells.Store(&record{next: f.tenant, answers: map[string]recorded{}})
	f.signIn()
	return f
}

// officeAge is how long an office has stood.
const officeAge = 20 * 24 * time.Hour

// recorded is the way to the tenant. What a page asks it for is kept for the next time: it
// is ours to read the answer, and not to make it.
func (f *office) recorded(next http.RoundTripper) http.RoundTripper {
	f.tenant = next
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if known := f.tells.Load(); known != nil {
			return known.RoundTrip(r)
		}
		return next.RoundTrip(r)
	})
}

// furnish fills the office: a tenant with everybody, in which some were edited, and some
// wait for a decision.
func (f *office) furnish() {
	f.Helper()
	s := &site{people: rich, domain: "corp.example"}
	domains := []directory.Domain{{Name: s.domain, AuthenticationType: "Managed", IsDefault: true}}
	settings := rich.settings()
	settings.Groups, settings.Licences = false, false
	m := mapping.New(settings, domains)
	accounts := make([]map[string]any, f.sizes.users)
	for n := range accounts {
		u := rich.person(s.domain, n)
		wanted, _ := m.Desired(&u)
		accounts[n] = account(accountID(n), wanted)
	}
	tenant, err := f.o.Stack.Sim.CreateTenant(entratest.TenantSpec{Name: s.domain, Accounts: accounts,
		Domains: []entratest.DomainSpec{{Name: s.domain, AuthenticationType: "Managed", IsDefault: true}},
		Admins:  []entratest.AdminSpec{{UserPrincipalName: "admin@" + s.domain, Roles: []string{"Global Administrator"}}}})
	f.do(err)
	f.conn = f.o.Connect(s.domain, tenant.ID, stack.Object{"attributes": settings.Attributes, "defaultUsageLocation": settings.DefaultUsageLocation})
	s.conn, err = f.raw.Connections.Connection(f.Context(), directory.ConnectionID(f.conn))
	f.do(err)
	fill(f.T, f.raw, s, f.sizes.users)
	f.sites = []*site{s}
	f.fillOfficeGroups(s)
	for n := range f.sizes.others {
		f.o.Post("/v1/connections", stack.Object{"name": fmt.Sprintf("Subsidiary %d", n)})
	}
	job := f.o.Must(f.o.API.Post(f.Context(), "/v1/users:load?check=true", "text/csv", "email\nrare@corp.example\n"))
	f.names["job"] = job.Text("id")
	f.addSource(s)

	f.o.Work()
	run := f.o.Post("/v1/connections/"+f.conn+"/runs", stack.Object{"full": true}).Text("id")
	f.until("read at first", officePatience, officeLook, func() bool { return f.o.Get("/v1/runs/"+run).Text("state") == "done" })
	f.o.Rest()
	f.edit(s.users[:f.sizes.done], "Controlling")
	f.sync()
	f.names["done"] = f.await("done", f.sizes.done)
	f.o.Rest()

	f.o.Must(f.o.API.Patch(f.Context(), "/v1/connections/"+f.conn, stack.Object{"settings": stack.Object{"mode": "approve"}}))
	waiting := s.users[f.sizes.done:][:f.sizes.held]
	f.fail(s, s.users[f.sizes.done+f.sizes.held:][:f.sizes.failed])
	newcomers(f.T, f.raw, s, f.sizes.fresh)
	f.edit(waiting, "Treasury")
	f.sync()
	f.names["held"] = f.await("held", f.sizes.held)
	f.o.Rest()
}

// addSource adds a client that pushes by SCIM, with more requests than a page looks at.
func (f *office) addSource(s *site) {
	f.Helper()
	client := f.o.Post("/v1/scim-clients", stack.Object{"name": "Okta", "provider": "okta"}).Text("id")
	f.names["source"], f.names["token"] = client, f.o.Post("/v1/scim-clients/"+client+"/tokens", stack.Object{}).Text("id")
	for n := range 300 {
		r := directory.ScimRequest{At: time.Now().Add(-time.Duration(n) * time.Minute), TokenID: directory.ScimTokenID(f.names["token"]), Method: http.MethodPatch, Status: http.StatusOK,
			UserID: s.users[n%len(s.users)], Path: "/Users/" + string(s.users[n%len(s.users)]), Changed: []string{"department"}}
		f.do(f.raw.ScimClients.LogScimRequest(f.Context(), directory.ScimClientID(client), &r, directory.ScimCount{}))
	}
}

// How long an office waits for what is under way, and how often it looks.
const (
	officePatience = 10 * time.Minute
	officeLook     = 500 * time.Millisecond
)

// edit gives users another department, while nobody works, and wakes nobody: all of them
// are in one run, which sync begins.
func (f *office) edit(users []directory.UserID, department string) {
	f.Helper()
	quiet := people.NewUsers(people.UsersConfig{Stores: people.StoresOf(f.o.Stack.Core.Parts().Store), Wake: asleep{}})
	for _, u := range users {
		_, err := quiet.Patch(f.Context(), directory.Caller{Subject: "bench", Source: directory.SourceAD}, u, []byte(`{"department":"`+department+`"}`), 0)
		f.do(err)
	}
}

// asleep wakes nobody.
type asleep struct{}

func (asleep) Wake(context.Context, directory.ConnectionID, time.Duration) error { return nil }

func (asleep) WakeEdited(context.Context, directory.ConnectionID, directory.UserID) error { return nil }

// sync begins a run of all that waits, and begins the work.
func (f *office) sync() {
	f.Helper()
	f.o.Post("/v1/connections/"+f.conn+"/runs", stack.Object{})
	f.o.Work()
}

// await is the run that gets to a state with so many changes.
func (f *office) await(state string, changes int) (id string) {
	f.Helper()
	f.until(fmt.Sprintf("%s: a run of %d changes", state, changes), officePatience, officeLook, func() bool {
		for _, r := range f.o.Get("/v1/connections/" + f.conn + "/runs?limit=20").List("items") {
			if r.Text("state") == state && r.Object("counts").Number("update") == changes {
				id = r.Text("id")
			}
		}
		return id != ""
	})
	return id
}

// fillOfficeGroups makes the groups: many small ones, of which the last user is in some,
// and one of a crowd.
func (f *office) fillOfficeGroups(s *site) {
	f.Helper()
	groups := f.fillGroups(s, 0, f.sizes.groups, groupSize)
	joiner := s.users[len(s.users)-1]
	for _, id := range groups[:f.sizes.ofOne] {
		g, err := f.raw.Groups.Group(f.Context(), id)
		f.do(err)
		f.fillMembers(&g, []directory.UserID{joiner})
	}
	crowd := f.fillGroup("Everybody in the office", s.users[:f.sizes.crowd])
	f.use(s, append(slices.Clone(groups[:f.sizes.uses]), crowd), directory.UseRules{Select: &directory.SelectRule{}})
	f.names["user"], f.names["group"] = string(joiner), string(crowd)
}

// fail gives users' bindings a problem each, of a cause that is everybody's.
func (f *office) fail(s *site, users []directory.UserID) {
	f.Helper()
	l, c, err := f.raw.Leases.AcquireLease(f.Context(), s.conn.ID, "fail", time.Minute)
	f.do(err)
	for part := range slices.Chunk(users, 30) {
		j := store.Journal{}
		for _, u := range part {
			j.Bindings = append(j.Bindings, store.BindingChange{Ref: directory.AccountOf(u), Mutate: func(b *directory.Binding) bool {
				b.Status = directory.BindingFailed
				b.Problem = &directory.Problem{Code: officeProblem, Message: "Another object of the tenant has the address.", Next: "Take the address from it, then retry.", MicrosoftCode: "Request_BadRequest", Since: time.Now().UTC()}
				return true
			}})
		}
		f.do(f.raw.Runs.Journal(f.Context(), &l, &c, j))
	}
	f.do(f.raw.Leases.ReleaseLease(f.Context(), &l, store.RunEnd{}, true))
}

const officeProblem = "address-in-use"

// signIn opens the console in a browser of its own, as the admin with every scope. It is
// the function's: each request to it and each of its calls passes as an event.
func (f *office) signIn() {
	f.Helper()
	const at = "https://bindery.invalid"
	inside := inprocess.Transport(f.o.Stack.Handler())
	pages, err := console.New(console.Config{PublicURL: at, Issuer: at + stack.ProviderPath, ClientID: stack.ConsoleClient, Scopes: stack.AdminScopes,
		Login: inside, API: roundTripper(func(r *http.Request) (*http.Response, error) {
			f.mu.Lock()
			f.asked = append(f.asked, r.URL)
			f.mu.Unlock()
			return inside.RoundTrip(r)
		}), Sessions: f.o.Stack.Core.Parts().Store.Sessions})
	f.do(err)
	answer := lambda.Answer(pages)
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/console" || strings.HasPrefix(r.URL.Path, "/console/") {
			apigateway.Route{Key: r.Method + " /console/{proxy+}", Invoke: answer}.Serve(w, r)
			return
		}
		f.o.Stack.Handler().ServeHTTP(w, r)
	})
	jar, err := cookiejar.New(nil)
	f.do(err)
	f.browser = &http.Client{Jar: jar, Transport: inprocess.Transport(site)}
	_, body := f.get("/console/login?to=/console")
	form := url.Values{"part": {stack.Parts[0]}}
	for _, field := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	res, err := f.browser.PostForm(at+stack.ProviderPath+"/authorize", form)
	f.do(err)
	res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/console" {
		f.Fatalf("the sign-in ended with %d at %s", res.StatusCode, res.Request.URL.Path)
	}
	f.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (f *office) get(path string) (*http.Response, string) {
	f.Helper()
	res, err := f.browser.Get("https://bindery.invalid" + path)
	f.do(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	f.do(err)
	return res, string(body)
}

// addresses are all pages: each address of the table once, then those whose parameters
// make them dearer.
func (f *office) addresses() []string {
	f.Helper()
	explain := "/explain?connection=" + f.conn
	things := map[string]string{"connections": f.conn, "runs": f.names["held"], "users": f.names["user"], "groups": f.names["group"], "jobs": f.names["job"], "sources": f.names["source"], "tokens": f.names["token"],
		"members": f.names["user"], "problems": officeProblem, "protection": string(accountID(0))}
	var list []string
	for _, r := range console.Routes() {
		if r.Method != http.MethodGet || r.Path == "/console/login" || r.Path == "/console/callback" {
			continue
		}
		if strings.Contains(r.Path, "{proposal}") { // there is one only where four eyes are wanted; the golden pages count its calls
			continue
		}
		parts := strings.Split(strings.TrimSuffix(r.Path, "{$}"), "/")
		for i, p := range parts {
			if !strings.HasPrefix(p, "{") {
				continue
			}
			if parts[i] = things[parts[i-1]]; parts[i] == "" {
				f.Errorf("%s: the office has nothing for %s", r.Path, p)
			}
		}
		at := strings.Join(parts, "/")
		if before, is := strings.CutSuffix(at, "/explain"); is {
			at = before + explain // it explains by one connection
		}
		list = append(list, at)
	}
	con, held, done, users, groups := "/console/connections/"+f.conn, "/console/runs/"+f.names["held"], "/console/runs/"+f.names["done"], "/console/users", "/console/groups"
	ticked := f.ticked(500)
	return append(list,
		con+"/members?status=failed", con+"/members?status=in-sync", con+"/accounts?filter=new", con+"/accounts?filter=bound", con+"/tenant-groups?name=Nobody",
		held+"?effect=update&department=Treasury", held+"?department=Nowhere", held+"?domain=corp.example&property=department", held+"?s="+ticked,
		held+"/approve?what=all", held+"/approve?what=filter&department=Treasury", held+"/approve?s="+ticked, held+"/decline?what=all",
		done, done+"?state=applied", done+"/undo",
		users+"?text=user099999", users+"?text=nobodyatall", users+"?state=suspended", users+"?source=ad", users+"?deleted=true",
		users+"/"+string(f.sites[0].users[0]),
		groups+"?text="+url.QueryEscape("everybody in"), groups+"?text=nothinglikethis", groups+"/"+f.names["group"]+"?nested=true",
		"/console/activity?effect=update", "/console/activity?connectionId="+f.conn, "/console/activity?userId="+string(f.sites[0].users[0]), "/console/activity?until=2020-01-01")
}

// ticked are the first so many changes of the run that waits, as the console's addresses
// name them.
func (f *office) ticked(n int) string {
	f.Helper()
	var list []string
	chunk := ""
	for _, c := range f.o.Get(fmt.Sprintf("/v1/runs/%s/changes?limit=%d", f.names["held"], min(n, f.sizes.held))).List("items") {
		place := strings.Split(strings.TrimPrefix(c.Text("id"), f.names["held"]+"."), ".")
		if place[0] != chunk {
			chunk = place[0]
			list = append(list, chunk)
		}
		list[len(list)-1] += "." + place[1]
	}
	return strings.Join(list, "_")
}

// tour looks at every page, at the second page of each that has one too, and returns what
// they took.
func (f *office) tour() (list []visited) {
	f.Helper()
	todo := f.addresses()
	seen := map[string]bool{}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		v, body := f.measure(at)
		list = append(list, v)
		if next := regexp.MustCompile(`href="(/console/[^"]*[?&;]next=[^"]+)"`).FindStringSubmatch(body); next != nil && !strings.Contains(at, "next=") {
			todo = append(todo, html.UnescapeString(next[1]))
		}
	}
	return list
}

// measure looks at a page some times. What collecting garbage takes is left out: most of
// it would be to go through the table, which is in memory here and nowhere else.
func (f *office) measure(at string) (visited, string) {
	f.Helper()
	if f.sizes.repeats > 1 {
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	if f.looked++; f.looked%20 == 0 {
		runtime.GC()
	}
	f.get(at) // what is read once by a process has been read
	v := visited{page: f.plain(at), part: strings.Contains(at, ".csv") || strings.Contains(at, ".jsonl")}
	times := make([]time.Duration, f.sizes.repeats)
	var page string
	for i := range times {
		f.calls()
		before := f.ledger.read()
		begun := cpuTime(f.T)
		res, body := f.get(at)
		times[i] = cpuTime(f.T) - begun
		v.used = f.ledger.read().minus(before)
		v.calls, v.all = f.calls()
		if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			v.bytes = len(body)
		}
		if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusSeeOther && !strings.HasSuffix(at, "/photo") {
			f.Errorf("%s: %d", at, res.StatusCode)
		}
		page = body
	}
	slices.Sort(times)
	v.cpu = times[len(times)/2]
	return v, page
}

// calls are how many calls the console has made since it was asked last: those that a
// page is made of, and all of them. A search that goes on by itself makes the same call
// again with another next.
func (f *office) calls() (made, all int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	different := map[string]bool{}
	for _, u := range f.asked {
		q := u.Query()
		q.Del("next")
		different[u.Path+"?"+q.Encode()] = true
	}
	all = len(f.asked)
	f.asked = nil
	return len(different), all
}

// plain is an address that reads the same in every bench.
func (f *office) plain(at string) string {
	u, err := url.Parse(at)
	f.do(err)
	for name, id := range f.names {
		u.Path = strings.ReplaceAll(u.Path, id, "{"+name+"}")
	}
	u.Path = strings.ReplaceAll(u.Path, f.conn, "{connection}")
	var asked []string
	for name, values := range u.Query() {
		if asked = append(asked, name+"="+values[0]); len(values[0]) > 40 {
			asked[len(asked)-1] = name + "=…"
		}
	}
	slices.Sort(asked)
	if len(asked) == 0 {
		return u.Path
	}
	return u.Path + "?" + strings.Join(asked, "&")
}

// mostCalls is of how many calls of the API a page is made: each is a hop of its own.
const mostCalls = 4

// TestConsoleCalls looks at every page of the console, over a small office: none asks the
// API for more than it may.
func TestConsoleCalls(t *testing.T) {
	f := openOffice(t, officeSizes{users: 260, held: 60, done: 20, groups: 70, crowd: 120, ofOne: 60, uses: 60, others: 30, failed: 60, fresh: 60, repeats: 1})
	for _, v := range f.tour() {
		if v.bytes > 0 && v.calls > mostCalls {
			t.Errorf("%s is made of %d calls of the API, at most %d are allowed", v.page, v.calls, mostCalls)
		}
	}
}
