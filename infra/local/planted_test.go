package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/core/doctor"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/resolver"
	"bindery/shared/store"
)

// planted is one kind of trouble and its near-miss: two merge patches (RFC 7396)
// of the healthy world, with the codes of all that the doctor must find, no
// more and no less.
type planted struct {
	About     string          `json:"about"`
	Fault     json.RawMessage `json:"fault"`
	Finds     []string        `json:"finds"`
	Says      string          `json:"says"` // a part of the first one's evidence, next step or examples
	Near      json.RawMessage `json:"near"`
	NearAbout string          `json:"nearAbout"`
	NearFinds []string        `json:"nearFinds"`
}

// sick is a world to look at.
type sick struct {
	Tenant   entratest.TenantSpec `json:"tenant"`
	Settings object               `json:"settings"`
	Users    []object             `json:"users"` // bound to the connection, unless unbound
	// Zones are zone files, by their origin; Failing are names that the server
	// fails for.
	Zones   map[string][]string `json:"zones"`
	Failing []string            `json:"failing"`
	// Groups of the directory are used as they say, once the users are in sync. Problem
	// is one that the connection then comes to have.
	Groups  []usedGroup `json:"groups"`
	Problem string      `json:"problem"`
	// Bound is the status that the users come to; in-sync when empty.
	Bound string `json:"bound"`
	// Stopped: nobody works on queues and schedule from then on.
	Stopped bool `json:"stopped"`
	// After the connection stands and its users are in sync: calls of the
	// simulator's control API and of ours, a domain that another connection has
	// got, a patch of the settings.
	Control []controlCall `json:"control"`
	API     []controlCall `json:"api"`
	Claimed string        `json:"claimed"`
	// Until is the status that the connection must have reached, Run that of a
	// run; Later is how
	// much later the doctor comes, as Go writes durations.
	Until string `json:"until"`
	Run   string `json:"run"`
	Later string `json:"later"`
}

// usedGroup is a group of our directory; members are the names before the @.
type usedGroup struct {
	Name    string   `json:"name"`
	Members []string `json:"members"`
	Use     object   `json:"use"`
}

// use has a connection use groups, and waits until nothing is left to do about them.
func use(o *stacktest.World, conn string, groups []usedGroup, users map[string]string) {
	o.Helper()
	for _, g := range groups {
		id := o.Post("/v1/groups", object{"name": g.Name}).Text("id")
		var members []string
		for _, name := range g.Members {
			members = append(members, users[name])
		}
		o.Post("/v1/groups/"+id+"/members", object{"userIds": members})
		o.Must(o.API.Put(o.Context(), "/v1/connections/"+conn+"/groups/"+id, g.Use))
		o.Wait("the use of "+g.Name+" is not followed", func() bool {
			return o.Get("/v1/connections/" + conn + "/groups/" + id)["upToDate"] != nil
		})
	}
	o.Wait("what follows from the groups is not done", func() bool {
		dry := o.Post("/v1/connections/"+conn+"/runs", object{"dryRun": true, "full": true}).Text("id")
		var run object
		o.Wait("the dry run does not end", func() bool {
			run = o.Get("/v1/runs/" + dry)
			return run["endedAt"] != nil
		})
		counts, _ := run["counts"].(map[string]any)
		return len(counts) == 0
	})
}

type controlCall struct {
	Method string          `json:"method"`
	Path   string          `json:"path"` // {tenant}, {connection}, and {ann} for a user are filled in
	Body   json.RawMessage `json:"body"`
}

// nameServer serves zones by UDP and TCP.
func nameServer(t *testing.T, zones map[string][]string, failing []string) *resolver.DNS {
	t.Helper()
	records := map[string][]dns.RR{}
	for origin, lines := range zones {
		p := dns.NewZoneParser(strings.NewReader("$ORIGIN "+dns.Fqdn(origin)+"\n$TTL 300\n"+strings.Join(lines, "\n")+"\n"), "", "")
		for rr, ok := p.Next(); ok; rr, ok = p.Next() {
			name := strings.ToLower(rr.Header().Name)
			records[name] = append(records[name], rr)
		}
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
	}
	answer := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		name := strings.ToLower(q.Question[0].Name)
		of, there := records[name]
		switch {
		case slices.Contains(failing, strings.TrimSuffix(name, ".")):
			m.Rcode = dns.RcodeServerFailure
		case !there:
			m.Rcode = dns.RcodeNameError
		}
		for _, rr := range of {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		if err := w.WriteMsg(m); err != nil {
			t.Error(err)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: answer}, {PacketConn: packets, Handler: answer}} {
		go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return resolver.NewDNS(resolver.DNSConfig{Server: l.Addr().String()})
}

// merged is the healthy world with a patch.
func merged(t *testing.T, patch json.RawMessage) sick {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "doctor", "healthy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var base, over any
	if err := json.Unmarshal(raw, &base); err != nil {
		t.Fatal(err)
	}
	if len(patch) > 0 {
		if err := json.Unmarshal(patch, &over); err != nil {
			t.Fatal(err)
		}
		base = mergePatch(base, over)
	}
	if raw, err = json.Marshal(base); err != nil {
		t.Fatal(err)
	}
	var s sick
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out, ok := target.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = mergePatch(out[k], v)
		}
	}
	return out
}

// examine builds a world and has the doctor look at it.
func examine(t *testing.T, s sick) doctor.Report {
	t.Helper()
	o := stacktest.With(t, stack.Config{Look: nameServer(t, s.Zones, s.Failing).Look})
	made, err := o.Stack.Sim.CreateTenant(s.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	id := o.Connect(s.Tenant.Domains[0].Name, made.ID, s.Settings)
	fill := []string{"{tenant}", made.ID, "{connection}", id}
	var bound []string
	users := map[string]string{}
	for _, u := range s.Users {
		unbound := u["unbound"]
		delete(u, "unbound")
		name, _, _ := strings.Cut(u.Text("email"), "@")
		user := o.User(u.Text("email"), u)
		users[name] = user
		if fill = append(fill, "{"+name+"}", user); unbound == nil {
			bound = append(bound, user)
		}
	}
	if len(bound) > 0 {
		o.Bind(id, bound...)
		for _, u := range bound {
			o.Binding(id, u, cmp.Or(s.Bound, "in-sync"))
		}
	}
	if len(s.Groups) > 0 {
		use(o, id, s.Groups, users)
	}
	if s.Stopped {
		o.Rest()
	}
	for _, list := range []struct {
		calls []controlCall
		send  func(controlCall) (int, string, error)
	}{
		{s.Control, func(c controlCall) (int, string, error) { return control(o, c.Method, c.Path, c.Body) }},
		{s.API, func(c controlCall) (int, string, error) {
			return o.API.Raw(t.Context(), c.Method, c.Path, "application/json", string(c.Body))
		}},
	} {
		for _, c := range list.calls {
			c.Path = strings.NewReplacer(fill...).Replace(c.Path)
			if status, answer, err := list.send(c); err != nil || status >= 300 {
				t.Fatalf("%s %s answered %d %s, %v", c.Method, c.Path, status, answer, err)
			}
		}
	}
	if s.Problem != "" {
		o.Post("/v1/connections/"+id+"/runs", object{"full": true})
		o.Wait("there is no problem "+s.Problem, func() bool {
			return slices.ContainsFunc(o.Get("/v1/connections/"+id+"/problems").List("items"), func(p object) bool { return p.Text("code") == s.Problem })
		})
	}
	if s.Claimed != "" {
		claim(o, s.Claimed)
	}
	if s.Run != "" {
		o.Wait("no run is "+s.Run, func() bool {
			return slices.ContainsFunc(o.Get("/v1/connections/"+id+"/runs").List("items"), func(r object) bool { return r.Text("state") == s.Run })
		})
	}
	if s.Until != "" {
		o.Wait("the connection is not "+s.Until, func() bool { return o.Get("/v1/connections/"+id).Text("status") == s.Until })
	}
	if s.Later != "" {
		later, err := time.ParseDuration(s.Later)
		if err != nil {
			t.Fatal(err)
		}
		o.Stack.Core.Doctor.Now = func() time.Time { return time.Now().Add(later) }
	}
	r, err := o.Stack.Core.Doctor.Check(t.Context(), directory.ConnectionID(id))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// control calls the simulator's control API.
func control(o *stacktest.World, method, path string, body []byte) (int, string, error) {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), method, "https://m365.invalid"+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := o.Stack.Sim.Transport().RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	_, err = answer.ReadFrom(resp.Body)
	return resp.StatusCode, answer.String(), err
}

// claim makes another connection that has claimed a domain.
func claim(o *stacktest.World, domain string) {
	o.Helper()
	other := o.Post("/v1/connections", object{"name": "Other"})
	s := store.New(o.Stack.Drivers.Table, store.Options{})
	c, err := s.Connections.Connection(o.Context(), directory.ConnectionID(other.Text("id")))
	if err == nil {
		err = s.Claims.ClaimDomains(o.Context(), &c, []string{domain})
	}
	if err != nil {
		o.Fatal(err)
	}
}

func codes(r doctor.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, f.Code)
	}
	slices.Sort(out)
	return out
}

// TestPlantedFaults: each kind of trouble is found, its near-miss is not, and
// nothing else is either.
func TestPlantedFaults(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "doctor", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if name == "healthy" {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p planted
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			t.Fatal(file, err)
		}
		kinds[p.Finds[0]] = true
		check := func(t *testing.T, about string, patch json.RawMessage, want []string, says string) {
			t.Parallel()
			r := examine(t, merged(t, patch))
			slices.Sort(want)
			if got := codes(r); !slices.Equal(got, append([]string{}, want...)) {
				t.Errorf("%s: found %v, want %v\n%s", about, got, want, pretty(r))
			}
			if text := pretty(r); !strings.Contains(text, says) {
				t.Errorf("%s: nothing says %q:\n%s", about, says, text)
			}
			for _, f := range r.Findings {
				if f.Evidence == "" || f.Consequence == "" || f.Next == "" {
					t.Errorf("%s lacks evidence, consequence or next step: %+v", f.Code, f)
				}
				if missing := valuesMissing(&f); len(missing) > 0 {
					t.Errorf("%s lacks the values %v: %+v", f.Code, missing, f)
				}
			}
		}
		t.Run(name, func(t *testing.T) { check(t, p.About, p.Fault, p.Finds, p.Says) })
		t.Run(name+"/near", func(t *testing.T) { check(t, p.NearAbout, p.Near, p.NearFinds, "") })
	}
	if len(kinds) < 36 {
		t.Errorf("%d kinds of trouble are planted, want at least 36", len(kinds))
	}
}

// valuesMissing are the values that a finding of its form has to have, and this one has not.
func valuesMissing(f *doctor.Finding) []string {
	for _, form := range directory.FindingForms() {
		if form.Code == f.Code && form.Variant == f.Variant {
			return slices.DeleteFunc(form.Values, func(name string) bool { return f.Values[name] != nil })
		}
	}
	return []string{"of a form that there is"}
}

func pretty(r doctor.Report) string {
	raw, err := json.MarshalIndent(struct {
		Findings []doctor.Finding
		Unread   map[string]string
	}{r.Findings, r.Unread}, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// TestHealthyTenant: nothing is found in a tenant of 2,000 where all is well.
func TestHealthyTenant(t *testing.T) {
	t.Parallel()
	s := merged(t, nil)
	s.Users = nil
	for i := range 2000 {
		email := fmt.Sprintf("person%04d@corp.example", i)
		s.Tenant.Accounts = append(s.Tenant.Accounts, map[string]any{
			"userPrincipalName": email, "displayName": fmt.Sprintf("Person %d", i), "givenName": "Person", "surname": fmt.Sprint(i),
			"mailNickname": fmt.Sprintf("person%04d", i), "accountEnabled": true, "mail": email, "proxyAddresses": []any{"SMTP:" + email},
		})
	}
	o := stacktest.With(t, stack.Config{Look: nameServer(t, s.Zones, nil).Look})
	made, err := o.Stack.Sim.CreateTenant(s.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	id := o.Connect("corp.example", made.ID, s.Settings)
	var csv strings.Builder
	csv.WriteString("email,givenName,familyName\n")
	for i := range 2000 {
		fmt.Fprintf(&csv, "person%04d@corp.example,Person,%d\n", i, i)
	}
	load := o.Must(o.API.Post(t.Context(), "/v1/users:load", "text/csv", csv.String()))
	o.Wait("the users are not loaded", func() bool { return o.Get("/v1/jobs/"+load.Text("id")).Text("state") == "done" })
	for some := range slices.Chunk(everybody(o), 500) {
		o.Bind(id, some...)
	}
	for _, when := range []string{"before the first sync", "in sync"} {
		if when == "in sync" {
			o.Wait("the users are not in sync", func() bool {
				return len(o.Get("/v1/connections/"+id+"/bindings?status=in-sync&limit=1").List("items")) == 1 &&
					len(o.Get("/v1/connections/"+id+"/bindings?status=pending&limit=1").List("items")) == 0
			})
		}
		r, err := o.Stack.Core.Doctor.Check(context.Background(), directory.ConnectionID(id))
		if healthy := r.Healthy(); err != nil || len(r.Findings) > 0 || len(r.Unread) > 0 || healthy == nil || !*healthy {
			t.Errorf("%s: %s, %v", when, pretty(r), err)
		}
	}
}

// everybody is all users of the directory.
func everybody(o *stacktest.World) (ids []string) {
	o.Helper()
	for next := ""; ; {
		page := o.Get("/v1/users?limit=500&next=" + next)
		for _, u := range page.List("items") {
			ids = append(ids, u.Text("id"))
		}
		if next = page.Text("next"); next == "" {
			return ids
		}
	}
}
