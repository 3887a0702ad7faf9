package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// TestLargeLoad is what `make scenario` runs: 20,000 users are loaded and bound
// in the local stack; while their accounts are made, people are suspended and the
// process is killed three times. It takes as long as Microsoft's quota, about
// fifteen minutes, so it is no part of `make test`.
func TestLargeLoad(t *testing.T) {
	if os.Getenv("BINDERY_SCENARIO") == "" {
		t.Skip("make scenario runs this")
	}
	const users, leavers, kills = 20_000, 6, 3
	r := &remote{T: t, state: t.TempDir()}
	conn, tenant := r.connected("Large")

	// Some people have accounts already: those who will leave.
	var going []string
	for i := range leavers {
		u := r.call("POST", "/v1/users", object{"email": fmt.Sprintf("leaver%d@contoso.example", i), "givenName": "Leaver", "familyName": fmt.Sprint(i)})
		going = append(going, u.Text("id"))
	}
	r.call("POST", conn+"/bindings", object{"userIds": going})
	inSync := func(status string) int {
		n := 0
		for next := ""; ; {
			page := r.call("GET", conn+"/bindings?status="+status+"&limit=500&next="+url.QueryEscape(next), nil)
			n += len(page.List("items"))
			if next, _ = page["next"].(string); next == "" {
				return n
			}
		}
	}
	for inSync("in-sync") < leavers {
		time.Sleep(200 * time.Millisecond)
	}
	for from := 0; from < users; from += 5000 {
		var csv strings.Builder
		csv.WriteString("email,givenName,familyName,department\n")
		for i := from; i < from+5000; i++ {
			fmt.Fprintf(&csv, "new%05d@contoso.example,New,Person%05d,Department %d\n", i, i, i%40)
		}
		job := r.load(csv.String())
		for r.call("GET", "/v1/jobs/"+job.Text("id"), nil).Text("state") != "done" {
			time.Sleep(200 * time.Millisecond)
		}
	}
	begun := time.Now()
	r.call("POST", conn+"/bindings", object{"all": true})
	made := func() int {
		var body struct {
			Mutations []struct{ Kind, TargetUserPrincipalName string }
		}
		r.control("/tenants/"+tenant+"/mutations", &body)
		seen := map[string]int{}
		for _, m := range body.Mutations {
			if m.Kind == "create" && strings.HasPrefix(m.TargetUserPrincipalName, "new") {
				if seen[m.TargetUserPrincipalName]++; seen[m.TargetUserPrincipalName] > 1 {
					t.Errorf("%s was created twice", m.TargetUserPrincipalName)
				}
			}
		}
		return len(seen)
	}
	worst := time.Duration(0)
	for i, id := range going {
		for want := 1500 * (i + 1); made() < want; {
			time.Sleep(time.Second)
		}
		if i%2 == 1 {
			r.kill()
			r.start()
		}
		asked := time.Now()
		r.call("POST", "/v1/users/"+id+"/suspend", nil)
		for {
			var account struct{ AccountEnabled *bool }
			r.control("/tenants/"+tenant+"/accounts/"+fmt.Sprintf("leaver%d@contoso.example", i), &account)
			if account.AccountEnabled != nil && !*account.AccountEnabled {
				break
			}
			if time.Since(asked) > time.Minute {
				t.Fatalf("the block of leaver %d does not arrive", i)
			}
			time.Sleep(50 * time.Millisecond)
		}
		took := time.Since(asked)
		worst = max(worst, took)
		fmt.Printf("after %.0f s and %d accounts: suspended, blocked after %.1f s (killed just before: %v)\n", time.Since(begun).Seconds(), made(), took.Seconds(), i%2 == 1)
	}
	for inSync("in-sync") < users+leavers {
		if time.Since(begun) > 40*time.Minute {
			t.Fatalf("only %d of %d are in sync\n%.2000s", inSync("in-sync"), users+leavers, r.out)
		}
		time.Sleep(5 * time.Second)
	}
	fmt.Printf("%d accounts in %.0f s, %d kills, the slowest block %.1f s\n", made(), time.Since(begun).Seconds(), kills, worst.Seconds())
	r.kill()
}

func (r *remote) load(csv string) object {
	r.Helper()
	token, err := os.ReadFile(r.state + "/admin-token")
	if err != nil {
		r.Fatal(err)
	}
	req, err := http.NewRequest("POST", fmt.Sprintf("http://127.0.0.1:%d/v1/users:load", r.api), strings.NewReader(csv))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Content-Type", "text/csv")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	return r.answer(resp)
}
