package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/api/scim"
	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// pushSizes says how much an identity provider pushes.
type pushSizes struct {
	users, groups int
	members       int // of each group, in PATCHes of portion members
	portion       int
	small, large  int // users of the directories in which is looked up
	page          int // resources of a page
}

// issue16 is what issue 16 names.
var issue16 = pushSizes{users: 10_000, groups: 200, members: 200, portion: 100, small: 1_000, large: 100_000, page: 100}

// pushed measures what the requests of an identity provider take: of our CPU while one
// pushes people and groups in the way Okta does, and of the table when it looks up and
// lists in directories of different sizes.
func pushed(t *testing.T, r *report) {
	s := issue16
	p := newPusher(t)
	p.pushAll(s)
	all := p.took("")
	r.add("scim.cpu_ms_p99", ms(percentile(all, 99)), "ms", lower, fmt.Sprintf("%d users and %d groups pushed as Okta does: our CPU time of a request, on the table in memory, at the 99th percentile of %d; %.2f ms in the middle", s.users, s.groups, len(all), ms(percentile(all, 50))))
	member := p.took("members")
	r.add("scim.members_cpu_ms", ms(percentile(member, 50)), "ms", lower, fmt.Sprintf("among them a PATCH of %d members, in the middle of %d; %.2f ms at the 99th percentile, in %d calls of the table", s.portion, len(member), ms(percentile(member, 99)), p.kinds["members"].used.Calls))
	for _, name := range []string{"lookup", "create", "replace", "edit"} {
		took := p.took(name)
		r.add("scim."+name+"_cpu_ms", ms(percentile(took, 50)), "ms", lower, fmt.Sprintf("likewise; %.2f ms at the 99th percentile, in %d calls of the table", ms(percentile(took, 99)), p.kinds[name].used.Calls))
	}
	small, large := lookUps(t, s.small, s.page), lookUps(t, s.large, s.page)
	calls, grown := 0, 0
	for _, name := range []string{"userName", "externalId", "emails.value", `emails[type eq "work"].value`} {
		calls = max(calls, large[name].Calls)
		if large[name] != small[name] {
			grown++
		}
	}
	r.add("scim.lookup_calls", float64(calls), "calls", lower, fmt.Sprintf("a look-up by userName, externalId or e-mail among %d users: calls of the table, of which one asks whose the token is and one writes the log; %g read units", s.large, large["userName"].ReadUnits))
	r.add("scim.lookup_grown", float64(grown), "kinds", lower, fmt.Sprintf("of these kinds of look-up, those that cost another number of calls or units among %d users", s.small))
	for _, way := range []string{"startIndex", "cursor"} {
		r.add("scim.page_calls_"+way, float64(large[way].Calls), "calls", lower, fmt.Sprintf("a page of %d of %d users by %s: calls of the table, the most of all pages; %g read units", s.page, s.large, way, large[way].ReadUnits))
		r.add("scim.page_grown_"+way, large[way].ReadUnits/small[way].ReadUnits, "ratio", lower, fmt.Sprintf("the dearest of these pages ÷ that among %d users, in read units", s.small))
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

// asked is what requests of one kind took.
type asked struct {
	times []time.Duration
	used  usage // of the dearest
}

// pusher is an identity provider, and Bindery before it: the handler of scim over a table
// in memory.
type pusher struct {
	*testing.T
	raw     *store.Store
	ledger  *ledger
	handler http.Handler
	client  directory.ScimClient
	base    string
	token   string
	kinds   map[string]*asked
	sent    int
}

type unwoken struct{ people.Waker }

func newPusher(t *testing.T) *pusher {
	t.Helper()
	mem := memory.New()
	p := &pusher{T: t, raw: store.New(mem, store.Options{}), ledger: &ledger{}, kinds: map[string]*asked{}}
	st := store.New(&meter{mem: mem, to: p.ledger}, store.Options{})
	clients := provision.New(provision.Config{Records: st.ScimClients})
	name := "Okta"
	c, err := clients.Create(t.Context(), owner, provision.ClientEdit{Name: &name})
	p.must(err)
	_, token, err := clients.NewToken(t.Context(), owner, c.ID, 0)
	p.must(err)
	p.client, p.token, p.base = c, token.Reveal(), scim.Prefix+string(c.ID)+"/v2"
	// Nobody is bound, so that nobody is woken.
	pushes := people.NewPushes(people.UsersConfig{Stores: people.StoresOf(st), Wake: unwoken{}})
	p.handler = scim.New(scim.Config{Pushes: pushes, Clients: clients, PublicURL: "https://bindery.example", PerSecond: 1 << 30})
	return p
}

func (p *pusher) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// each is after how many requests garbage is collected, while nothing is measured: most of
// it would be the table's.
const each = 500

// send sends a request of some kind, and returns what it was answered.
func (p *pusher) send(kind, method, path, body string) map[string]any {
	p.Helper()
	if p.sent++; p.sent%each == 0 {
		runtime.GC()
	}
	r := httptest.NewRequestWithContext(p.Context(), method, p.base+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+p.token)
	w := httptest.NewRecorder()
	before, begun := p.ledger.read(), cpuTime(p.T)
	p.handler.ServeHTTP(w, r)
	took := cpuTime(p.T) - begun
	if w.Code >= http.StatusBadRequest {
		p.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	k := p.kinds[kind]
	if k == nil {
		k = &asked{}
		p.kinds[kind] = k
	}
	k.times = append(k.times, took)
	if used := p.ledger.read().minus(before); used.Calls > k.used.Calls || used.ReadUnits > k.used.ReadUnits {
		k.used.Calls, k.used.ReadUnits = max(k.used.Calls, used.Calls), max(k.used.ReadUnits, used.ReadUnits)
	}
	var o map[string]any
	if w.Body.Len() > 0 {
		p.must(json.Unmarshal(w.Body.Bytes(), &o))
	}
	return o
}

// took are the times of the requests of a kind, "" for all, shortest first.
func (p *pusher) took(kind string) []time.Duration {
	var list []time.Duration
	for name, k := range p.kinds {
		if kind == "" || name == kind {
			list = append(list, k.times...)
		}
	}
	slices.SortFunc(list, cmp.Compare[time.Duration])
	return list
}

// pushedPerson is a user as Okta sends it.
func pushedPerson(n int, title string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"u%[1]d@corp.example","externalId":"00u%[1]d","active":true,"name":{"givenName":"U","familyName":"No %[1]d"},"displayName":"U No %[1]d",
		"emails":[{"primary":true,"value":"u%[1]d@corp.example","type":"work"}],"phoneNumbers":[{"primary":true,"type":"work","value":"+41 44 555 %[1]d"}],
		"title":%[2]q,"locale":"en-US","groups":[],"password":"thrown away",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"%[1]d","department":"D%[3]d"}}`, n, title, n%40)
}

func patchOf(operation string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operation + `]}`
}

func equals(attribute string, value any) string {
	return "?filter=" + url.QueryEscape(fmt.Sprintf("%s eq %q", attribute, fmt.Sprint(value))) + "&startIndex=1&count=100"
}

// pushAll pushes users and groups: everybody is looked for and made, one in ten is read
// and replaced, one in twenty made inactive; a group is looked for and made, and filled in
// portions.
func (p *pusher) pushAll(s pushSizes) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	ids := make([]string, s.users)
	for i := range ids {
		p.send("lookup", http.MethodGet, "/Users"+equals("userName", fmt.Sprintf("u%d@corp.example", i)), "")
		ids[i], _ = p.send("create", http.MethodPost, "/Users", pushedPerson(i, "Clerk"))["id"].(string)
		if i%10 == 0 {
			p.send("read", http.MethodGet, "/Users/"+ids[i], "")
			p.send("replace", http.MethodPut, "/Users/"+ids[i], pushedPerson(i, "Head"))
		}
		if i%20 == 0 {
			p.send("edit", http.MethodPatch, "/Users/"+ids[i], patchOf(`{"op":"replace","value":{"active":false}}`))
		}
	}
	for g := range s.groups {
		name := fmt.Sprintf("Group %d", g)
		p.send("lookup", http.MethodGet, "/Groups"+equals("displayName", name), "")
		id, _ := p.send("group", http.MethodPost, "/Groups", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":%q,"members":[]}`, name))["id"].(string)
		var members []string
		for m := range s.members {
			members = append(members, fmt.Sprintf(`{"value":%q,"display":"U"}`, ids[(g*s.members/4+m)%len(ids)]))
		}
		for some := range slices.Chunk(members, s.portion) {
			p.send("members", http.MethodPatch, "/Groups/"+id, patchOf(`{"op":"add","path":"members","value":[`+strings.Join(some, ",")+`]}`))
		}
	}
}

// lookUps are what look-ups and pages cost in a directory of n users, by name: the dearest
// of each.
func lookUps(t *testing.T, n, page int) map[string]usage {
	t.Helper()
	p := newPusher(t)
	p.fill(n)
	p.send("first", http.MethodGet, "/ServiceProviderConfig", "") // of the hour: it notes the use of the token
	for i := 0; i < n; i += n/20 + 1 {
		address := fmt.Sprintf("user%06d@corp.example", i)
		for name, value := range map[string]string{"userName": address, "externalId": fmt.Sprintf("00u%d", i), "emails.value": address, `emails[type eq "work"].value`: address} {
			if found := p.send(name, http.MethodGet, "/Users"+equals(name, value), ""); found["totalResults"] != 1.0 {
				t.Fatalf("%s eq %s finds %v", name, value, found)
			}
		}
	}
	listed := 0
	for start := 1; start <= n; start += page {
		got := p.send("startIndex", http.MethodGet, fmt.Sprintf("/Users?startIndex=%d&count=%d", start, page), "")
		listed += len(got["Resources"].([]any))
	}
	cursor := ""
	for first := true; first || cursor != ""; first = false {
		got := p.send("cursor", http.MethodGet, fmt.Sprintf("/Users?count=%d&cursor=%s", page, url.QueryEscape(cursor)), "")
		listed += len(got["Resources"].([]any))
		cursor, _ = got["nextCursor"].(string)
	}
	if listed != 2*n {
		t.Errorf("of %d users %d were listed, by both ways", n, listed)
	}
	used := map[string]usage{}
	for name, k := range p.kinds {
		used[name] = k.used
	}
	return used
}

// fill stores n users whom the client has pushed.
func (p *pusher) fill(n int) {
	p.Helper()
	body := []byte(`{"locale":"en-US"}`)
	for i := range n {
		u := slim.person("corp.example", i)
		e := &store.DocumentEdit{Old: &store.Document{}, New: &store.Document{Client: p.client.ID, Of: directory.UserMember(u.ID), ExternalID: fmt.Sprintf("00u%d", i), Body: body}}
		p.must(p.raw.Users.CreatePushed(p.Context(), directory.AuditEvent{}, &u, e))
	}
}

// TestPushed: what a look-up costs of the table, and a page of a list, is the same among
// few users and among many. A page by startIndex that begins among the first hundred reads
// those before it as well.
func TestPushed(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	p.pushAll(pushSizes{users: 40, groups: 2, members: 40, portion: 20})
	if n := p.sent; n != 40*2+4*2+2+2*2+2*2 {
		t.Errorf("%d requests were sent", n)
	}
	small, large := lookUps(t, 200, 20), lookUps(t, 2000, 20)
	for name, most := range map[string]int{"userName": 4, "externalId": 4, "emails.value": 4, `emails[type eq "work"].value`: 4, "startIndex": 30, "cursor": 20} {
		if small[name].Calls > most || large[name].Calls > most || most == 4 && small[name] != large[name] {
			t.Errorf("%s: %+v among few users, %+v among many, want at most %d calls", name, small[name], large[name], most)
		}
	}
}
