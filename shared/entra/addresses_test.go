package entra

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// asked are the requests that w sends, batches and what is in them apart.
type overheard struct {
	batches int
	calls   []string
}

// listen notes what is sent from now on.
func (w *world) listen() *overheard {
	var n overheard
	w.round = func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "/$batch") {
			n.calls = append(n.calls, r.URL.RequestURI())
			return nil, nil
		}
		n.batches++
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		var batch struct{ Requests []batchItem }
		if err := json.NewDecoder(body).Decode(&batch); err != nil {
			return nil, err
		}
		for _, i := range batch.Requests {
			n.calls = append(n.calls, i.URL)
		}
		return nil, nil
	}
	return &n
}

func idsFound(f directory.Found) string {
	var ids []string
	for _, a := range f.Accounts {
		ids = append(ids, string(a.ID))
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	if err := w.sim.EditAccount(simTenant, plainID, map[string]any{"mail": "shared@fabrikam.example"}); err != nil {
		t.Fatal(err)
	}
	addresses := []string{"BOX@fabrikam.example", "o'box@fabrikam.example", "nobody@fabrikam.example", "shared@fabrikam.example", " ", "box", "Plain@FABRIKAM.example"}
	heard := w.listen()
	got, err := w.tenant.Search(t.Context(), addresses, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{boxID, boxID, "", plainID, "", "", plainID}
	for i := range addresses {
		if ids := idsFound(got[i]); ids != want[i] || (got[i].Problem != nil) != (strings.TrimSpace(addresses[i]) == "") {
			t.Errorf("Search(%q) = %q, %v; want %q", addresses[i], ids, got[i].Problem, want[i])
		}
	}
	if heard.batches != 1 || len(heard.calls) != 2 {
		t.Errorf("%d batches with %d questions were sent for six addresses, want 1 with 2", heard.batches, len(heard.calls))
	}
	w.fault(entratest.Fault{Kind: "page-empty", Times: 1, Path: "/users"})
	if got, err = w.tenant.Search(t.Context(), addresses[:1], nil); err != nil || len(got[0].Accounts) != 1 {
		t.Errorf("Search over an empty page = %v, %v; want the account on the next", got, err)
	}
	w.fault(entratest.Fault{Kind: "throttle", Path: "^/users", RetryAfter: "7", Times: 1})
	got, err = w.tenant.Search(t.Context(), addresses, nil)
	for i := range addresses[:4] {
		if err != nil || !got[i].Retry || got[i].RetryAfter != 7*time.Second {
			t.Errorf("Search when a question is throttled: %q = %+v, %v", addresses[i], got[i], err)
		}
	}
	if got[6].Retry || len(got[6].Accounts) != 1 {
		t.Errorf("Search when another question is throttled = %+v", got[6])
	}
}

// TestSearchFindsEachHolder makes a tenant of accounts that have addresses in every
// way and spelling, and asks about them in any number, in any spelling: whoever has an
// address is found, once, and nobody else. The filter that is sent is never one that
// Graph refuses. One by one the answers are the same.
func TestSearchFindsEachHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	r := rand.New(rand.NewPCG(13, 2))
	spell := func(address string) string {
		switch r.IntN(3) {
		case 0:
			return strings.ToUpper(address)
		case 1:
			return " " + address
		}
		return address
	}
	holders := map[string][]string{} // by address, the IDs
	var addresses []string
	for n := range 60 {
		id := fmt.Sprintf("77777777-aaaa-4bbb-8ccc-%012d", n)
		name := fmt.Sprintf("o'n%d", n)
		if n%7 == 0 {
			name += strings.Repeat("x", 58-len(name)) // one that makes an address long
		}
		a := map[string]any{"id": id, "displayName": name, "userPrincipalName": name + "@fabrikam.example"}
		var has []string
		switch n % 5 {
		case 0: // its name, and a mail that another one has as well
			has = []string{name + "@fabrikam.example", fmt.Sprintf("both%d@fabrikam.example", n)}
			a["mail"] = has[1]
		case 1:
			has = []string{name + "@fabrikam.example", fmt.Sprintf("both%d@fabrikam.example", n-1)}
			a["proxyAddresses"] = []string{fmt.Sprintf("x500:%d", n)}
		case 2: // in capitals
			has = []string{name + "@fabrikam.example", fmt.Sprintf("first%d@fabrikam.example", n), fmt.Sprintf("second%d@fabrikam.example", n)}
			a["proxyAddresses"] = []string{"SMTP:" + strings.ToUpper(has[1]), "smtp:" + has[2]}
		case 3: // in a domain with other letters
			has = []string{name + "@fabrikam.example", fmt.Sprintf("n%d@xn--bcher-kva.example", n)}
			a["mail"] = has[1]
		default:
			has = []string{name + "@fabrikam.example"}
		}
		if _, err := w.sim.AddAccount(simTenant, a); err != nil {
			t.Fatal(err)
		}
		if n%5 == 1 {
			if err := w.sim.EditAccount(simTenant, id, map[string]any{"mail": has[1]}); err != nil {
				t.Fatal(err)
			}
		}
		if n%11 == 10 { // who is deleted has no address any more
			if err := w.sim.DeleteAccount(simTenant, id); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for _, address := range has {
			holders[address] = append(holders[address], id)
			addresses = append(addresses, address)
		}
	}
	for n := range 40 {
		addresses = append(addresses, fmt.Sprintf("nobody%d@fabrikam.example", n))
	}
	singly := w.graph.Tenant(w.tokens)
	singly.singly.Store(true)
	for range 12 {
		r.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
		some := addresses[:r.IntN(len(addresses)+1)]
		spelled := make([]string, len(some))
		for i, a := range some {
			spelled[i] = strings.Replace(spell(a), "xn--bcher-kva", "bücher", 1)
		}
		heard := w.listen()
		for name, tenant := range map[string]*Tenant{"together": w.tenant, "singly": singly} {
			got, err := tenant.Search(t.Context(), spelled, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range some {
				want := slices.Compact(slices.Sorted(slices.Values(holders[a])))
				if ids := idsFound(got[i]); got[i].Err() != nil || ids != strings.Join(want, " ") {
					t.Errorf("%s: Search(%q) = %q, %v; want %q", name, spelled[i], ids, got[i].Err(), want)
				}
			}
			if name == "together" && tenant.singly.Load() {
				t.Error("a filter for several addresses was refused")
			}
		}
		for _, call := range heard.calls {
			if len(call) > 2048-len(simBase+"/v1.0") {
				t.Errorf("a question of %d characters was sent", len(call))
			}
		}
	}
}

// TestSearchRefused: where Graph refuses a filter for several addresses, they are
// asked about one by one, and no other way is tried again.
func TestSearchRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.fault(entratest.Fault{Kind: "status", Status: 400, Code: "Request_UnsupportedQuery", Path: "^/users.*filter=userPrincipalName"})
	addresses := []string{"plain@fabrikam.example", "o'box@fabrikam.example", "nobody@fabrikam.example"}
	for round, want := range []int{7, 6} { // the filter and two for each; two for each
		heard := w.listen()
		got, err := w.tenant.Search(t.Context(), addresses, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, ids := range []string{plainID, boxID, ""} {
			if got[i].Err() != nil || idsFound(got[i]) != ids {
				t.Errorf("round %d: Search(%q) = %q, %v; want %q", round, addresses[i], idsFound(got[i]), got[i].Err(), ids)
			}
		}
		if len(heard.calls) != want {
			t.Errorf("round %d: %d questions were sent, want %d", round, len(heard.calls), want)
		}
	}
	if !strings.Contains(w.log.String(), "a filter for several addresses was refused") {
		t.Error("the log does not say that a filter was refused")
	}
}

// TestExternalsTogether: who has an address at home is asked about several in one
// filter as well.
func TestExternalsTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	var addresses, ids []string
	for n := range 7 {
		addresses = append(addresses, fmt.Sprintf("o'n%d@sister.example", n))
		id, err := w.sim.AddExternal(simTenant, entratest.ExternalSpec{Mail: addresses[n], UserType: "Member"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	heard := w.listen()
	got, err := w.tenant.Externals(t.Context(), addresses, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range addresses {
		if idsFound(got[i]) != ids[i] {
			t.Errorf("Externals(%q) = %q, %v; want %q", addresses[i], idsFound(got[i]), got[i].Err(), ids[i])
		}
	}
	if len(heard.calls) != 3 {
		t.Errorf("%d questions were sent about seven addresses, want 3", len(heard.calls))
	}
}

// TestMostClauses: the simulator refuses one clause more, and takes it in an advanced
// query.
func TestMostClauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	clauses := slices.Repeat([]string{"mail eq 'a@b.example'"}, mostClauses)
	for n, filter := range map[string]string{
		"or":       strings.Join(clauses, " or "),
		"one more": strings.Join(append(clauses, "mail eq 'c@b.example'"), " or "),
		"in":       "mail in (" + strings.Join(slices.Repeat([]string{"'a@b.example'"}, mostClauses+1), ",") + ")",
	} {
		for _, advanced := range []bool{false, true} {
			item := batchItem{Method: http.MethodGet, URL: "/users?$filter=" + url.QueryEscape(filter)}
			if advanced {
				item.URL += "&$count=true"
				item.Headers = map[string]string{"ConsistencyLevel": "eventual"}
			}
			answers, err := w.tenant.readAll(t.Context(), []batchItem{item})
			if err != nil {
				t.Fatal(err)
			}
			if refused := answers[0].status == http.StatusBadRequest; refused != (n != "or" && !advanced) {
				t.Errorf("%s, advanced %t: answered with %d: %s", n, advanced, answers[0].status, answers[0].body)
			}
		}
	}
}
