package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/api/scim/scimtest"
)

// postmanRewrites are what is changed in the requests of Microsoft's collection before it
// is run. It was written against a server that keeps whatever it is sent; here a person has
// an e-mail address, and nobody else's. What a request asks for and what its answer must
// say are never changed.
var postmanRewrites = []struct{ item, from, to, why string }{
	{"", "${__UUID}", "{{$guid}}", "a variable of another tool: to newman it is a text, the same for all, and an externalId is one user's"},
	{"Create user 4 for group 2", "testing@bob2.com", "testing@bob4.com", "the address of user 3, who is there"},
	{"create user1", "emailName357", "emailName357@bob.com", "no address"},
	{"Post emp1 with string \"True\"", "anna33@gmail.com", "emp1@gmail.com", "one address for all"},
	{"Post emp2", "anna33@gmail.com", "emp2@gmail.com", "one address for all"},
	{"Post emp3", "anna33@gmail.com", "emp3@gmail.com", "one address for all"},
	{"Post enterprise user", "anna33@gmail.com", "enterprise@gmail.com", "one address for all"},
	{"Post emp1 with string \"True\"", "22fbc523-6032-4c5f-939d-5d4850cf3e52", "emp1", "one externalId for all"},
	{"Post emp2", "22fbc523-6032-4c5f-939d-5d4850cf3e52", "emp2", "one externalId for all"},
	{"Post emp3", "22fbc523-6032-4c5f-939d-5d4850cf3e52", "emp3", "one externalId for all"},
	{"Post enterprise user", "22fbc523-6032-4c5f-939d-5d4850cf3e52", "enterprise", "one externalId for all"},
}

// postmanDeviations are the assertions of the collection that do not hold, by request and
// assertion, with the reason and the section that leaves it to the server. A request that
// is there several times has its number behind it. None is a MUST or SHALL of RFC 7643 or
// RFC 7644.
var postmanDeviations = map[string]string{
	"Patch user omalley new username: Status code is 204":        "200 with the user: one or the other (RFC 7644, 3.5.2)",
	"patch user omalley active with boolean: Status code is 204": "200 with the user: one or the other (RFC 7644, 3.5.2)",
	"Group patch add member: Status code is 204":                 "200 with the group: one or the other (RFC 7644, 3.5.2)",
	"Group patch add member2: Status code is 204":                "200 with the group: one or the other (RFC 7644, 3.5.2)",
	"Get group by id: Body contians user":                        "displayName is nothing that a member has (RFC 7643, 4.2), and the name is the user's own",
}

// postmanStrictly are those that do not hold for a strict client, or for another reason.
var postmanStrictly = map[string]string{
	"Group patch add member: Status code is 204":          "members are no text (RFC 7643, 4.2)",
	"Group patch add member2: Status code is 204":         "members are no text (RFC 7643, 4.2)",
	"Post emp1 with string \"True\": Status code is 201":  "a boolean is no text (RFC 7643, 2.3.2)",
	"Post emp1 with string \"True\": Active properly set": "a boolean is no text (RFC 7643, 2.3.2)",
	"Get all users: Results have 2 users":                 "emp1 was refused",
	"Paginate: Total results":                             "emp1 was refused",
	"get user attributes: Total results":                  "emp1 was refused",
	"filter eq and (val or val): Total results":           "emp1 was refused",
	"filter greater than: Total results":                  "emp1 was refused",
	"Delete user 2: Status code is 204":                   "emp1 was refused",
	"Put a user misspelled attribute: Status code is 200": "an attribute that no schema has (RFC 7644, 3.12, invalidSyntax)",
}

// item is a request of a collection, or a folder of them.
type item map[string]any

// postmanCollection is the collection as it is run: with the rewrites, and a token.
func postmanCollection(t *testing.T) []byte {
	t.Helper()
	var c struct {
		Info any    `json:"info"`
		Auth any    `json:"auth"`
		Item []item `json:"item"`
	}
	if err := json.Unmarshal(scimtest.Reference(t, "ms-scim-postman.json"), &c); err != nil {
		t.Fatal(err)
	}
	c.Auth = map[string]any{"type": "bearer", "bearer": []any{map[string]any{"key": "token", "value": "{{token}}", "type": "string"}}}
	c.Item = c.Item[1:] // the first folder asks the server for a token
	used := make([]bool, len(postmanRewrites))
	var walk func(items []item)
	walk = func(items []item) {
		for _, it := range items {
			if inner, is := it["item"].([]any); is {
				for _, one := range inner {
					walk([]item{one.(map[string]any)})
				}
				continue
			}
			request := it["request"].(map[string]any)
			body, is := request["body"].(map[string]any)
			if !is {
				continue
			}
			raw, _ := body["raw"].(string)
			for i, r := range postmanRewrites {
				if (r.item == "" || r.item == it["name"]) && strings.Contains(raw, r.from) {
					raw, used[i] = strings.ReplaceAll(raw, r.from, r.to), true
				}
			}
			body["raw"] = raw
		}
	}
	walk(c.Item)
	for i, was := range used {
		if !was {
			t.Errorf("nothing was rewritten by %+v", postmanRewrites[i])
		}
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// runPostman has newman run the collection for a client of a stack, and returns which
// assertions held, by request and assertion.
func runPostman(t *testing.T, newman string, collection []byte, base, token string) map[string]bool {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	scheme, rest, _ := strings.Cut(base, "://")
	host, path, _ := strings.Cut(rest, "/")
	server, port, _ := strings.Cut(host, ":")
	var values []any
	for key, value := range map[string]string{"Protocol": scheme, "Server": server, "Port": ":" + port, "Api": path, "token": token} {
		values = append(values, map[string]any{"key": key, "value": value, "enabled": true})
	}
	environment, err := json.Marshal(map[string]any{"name": "stack", "values": values})
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(dir, "report.json")
	cmd := exec.CommandContext(t.Context(), newman, "run", write("collection.json", collection), "--environment", write("environment.json", environment),
		"--reporters", "json", "--reporter-json-export", report, "--suppress-exit-code", "--disable-unicode", "--color", "off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("newman: %v: %s", err, strings.ReplaceAll(string(out), token, "(token)"))
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Run struct {
			Executions []struct {
				Item     struct{ Name string }
				Response struct {
					Code   int
					Stream struct{ Data []int } // the bytes of the body
				}
				Assertions []struct {
					Assertion string
					Error     *struct{ Message string }
				}
			}
		}
	}
	if err := json.Unmarshal(data, &said); err != nil {
		t.Fatal(err)
	}
	held, times := map[string]bool{}, map[string]int{}
	for _, e := range said.Run.Executions {
		name := e.Item.Name
		if times[name]++; times[name] > 1 {
			name = fmt.Sprintf("%s %d", name, times[name])
		}
		if e.Response.Code == 0 {
			t.Errorf("%s: no answer", name)
		}
		for _, a := range e.Assertions {
			key := name + ": " + a.Assertion
			if held[key] = a.Error == nil; a.Error != nil {
				body := make([]byte, 0, len(e.Response.Stream.Data))
				for _, b := range e.Response.Stream.Data {
					body = append(body, byte(b))
				}
				t.Logf("%s: %s: answered %d %s", key, a.Error.Message, e.Response.Code, body)
			}
		}
	}
	return held
}

// TestScimPostman: Microsoft's own collection of requests holds against the real stack,
// but for what is told above, for a tolerant and for a strict client, where BINDERY_NEWMAN
// names the program that runs it (make test-scim).
func TestScimPostman(t *testing.T) {
	t.Run("tolerant", func(t *testing.T) { postman(t, stack.Config{}, false) })
	t.Run("strict", func(t *testing.T) { postman(t, stack.Config{}, true) })
}

// TestScimPostmanAWS is the same over DynamoDB.
func TestScimPostmanAWS(t *testing.T) {
	if os.Getenv("BINDERY_NEWMAN") == "" {
		t.Skip("BINDERY_NEWMAN names no program")
	}
	e := stacktest.AWS(t)
	postman(t, stack.Config{Drivers: e.Drivers(e.Name)}, false)
}

func postman(t *testing.T, cfg stack.Config, strict bool) {
	newman := os.Getenv("BINDERY_NEWMAN")
	if newman == "" {
		t.Skip("BINDERY_NEWMAN names no program")
	}
	collection := postmanCollection(t)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	cfg.PublicURL = server.URL
	o := stacktest.Open(t, cfg)
	handler = o.Stack.Handler()
	p := newPusher(o, "Entra ID")
	o.Must(o.API.Patch(t.Context(), "/v1/scim-clients/"+p.id, stack.Object{"strict": strict}))
	told := maps.Clone(postmanDeviations)
	if strict {
		maps.Copy(told, postmanStrictly)
	}
	held := runPostman(t, newman, collection, server.URL+p.base, p.token)
	if len(held) < 107 {
		t.Errorf("%d assertions were made, want 107", len(held))
	}
	good := 0
	for key, holds := range held {
		switch why, is := told[key]; {
		case holds && is:
			t.Errorf("%q holds, and is listed as a deviation: %s", key, why)
		case !holds && !is:
			t.Errorf("%q does not hold", key)
		case holds:
			good++
		}
	}
	for key := range told {
		if _, asked := held[key]; !asked {
			t.Errorf("nothing asserts %q", key)
		}
	}
	t.Logf("%d of %d assertions hold, %d deviations are told", good, len(held), len(told))
}
