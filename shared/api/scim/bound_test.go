package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// lambdaMost is how large an answer of AWS Lambda may be.
const lambdaMost = 6_291_556

// inEnvelope is how large an answer is as the text of a JSON member.
func inEnvelope(t *testing.T, r reply) int {
	t.Helper()
	data, err := json.Marshal(map[string]any{"body": r.Body.String()})
	if err != nil {
		t.Fatal(err)
	}
	return len(data)
}

// Whatever a document holds, a page of them is no larger than an answer may be, and who
// reads on comes upon everybody once.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	for name, big := range map[string]string{"plain": strings.Repeat("A", 60_000), "escaped": strings.Repeat(`<\"`, 15_000), "wide": strings.Repeat("ü", 30_000)} {
		for _, filter := range []string{"", "&filter=active%20eq%20true"} {
			t.Run(name+filter, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, provision.ClientEdit{})
				const n = 100
				var made []string
				for i := range n {
					made = append(made, w.make(fmt.Sprintf("u%d@x.example", i), `,"active":true,"profileUrl":"`+big+`"`))
				}
				slices.Sort(made)
				for _, paging := range []string{"index", "cursor"} {
					var got []string
					pages, next := 0, ""
					for start := 1; len(got) < n && pages < n; pages++ {
						query := fmt.Sprintf("?count=500&startIndex=%d", start)
						if paging == "cursor" {
							query = "?count=500&cursor=" + next
						}
						r := w.want(200, "GET", "/Users"+query+filter, nil)
						total, list := results(r)
						if size := inEnvelope(t, r); size > lambdaMost {
							t.Fatalf("an answer of %d bytes", size)
						}
						if len(list) == 0 || filter == "" && total != fmt.Sprint(n) {
							t.Fatalf("page %d has %d of %s", pages, len(list), total)
						}
						for _, o := range list {
							got = append(got, o.text("id"))
						}
						start, next = start+len(list), r.body.text("nextCursor")
						if paging == "cursor" && next == "" {
							break
						}
					}
					slices.Sort(got)
					if pages < 1 || !slices.Equal(got, made) {
						t.Errorf("by %s: %d in %d pages, want %d", paging, len(got), pages, n)
					}
				}
			})
		}
	}
}

// A value never weighs less than it does in an answer.
func TestWeight(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`{}`, `{"a":[1,true,null,"x",{"b":"\"\\\n\u0000<>&ü€😀\u2028"}],"é\"":1.5e10}`, `{"a":[[],[[]]],"b":false}`} {
		o := document(t, s)
		var b bytes.Buffer
		err := writeValue(&b, o)
		data, fault := json.Marshal(b.String())
		if err != nil || fault != nil {
			t.Fatal(err, fault)
		}
		if got := weight(o); got < len(data)-2 {
			t.Errorf("%s: %d, of %d", s, got, len(data)-2)
		}
	}
}

// A page of groups ends where they have very many members together; a group that is too
// large for an answer is answered without them.
func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PublicURL = "https://" + strings.Repeat("long.", 110) + "example" // so that few members are many bytes
	groups := map[string]int{"A": 5200, "B": 5200, "C": 3, "D": 8000}
	var users []directory.UserID
	for i := range 8000 {
		id := directory.NewUserID(w.Now())
		users = append(users, id)
		u := directory.User{ID: id, Profile: directory.Profile{State: directory.StateActive, Email: fmt.Sprintf("many%d@x.example", i), UserName: fmt.Sprintf("many%d", i)}}
		w.Must(w.Store.Users.CreateUsers(t.Context(), directory.AuditEvent{}, &u))
	}
	made := map[string]string{}
	for name, n := range groups {
		made[name] = w.group(name)
		_, _, err := w.pushes.ChangeMembers(t.Context(), directory.Caller{Subject: string(w.client.ID), Source: directory.SourceSCIM}, directory.GroupID(made[name]), users[:n], nil, nil)
		w.Must(err)
	}
	r := w.want(200, "GET", "/Groups/"+made["D"], nil)
	if notes := w.lastRequest().Notes; r.body.get("members") != nil || len(notes) != 1 || !strings.Contains(notes[0], "8000 members") {
		t.Errorf("%d bytes, notes %q", r.Body.Len(), notes)
	}
	got := map[string]int{}
	for start := 1; start <= len(groups); {
		r := w.want(200, "GET", fmt.Sprintf("/Groups?startIndex=%d", start), nil)
		if size := inEnvelope(t, r); size > lambdaMost {
			t.Fatalf("%d bytes", size)
		}
		_, list := results(r)
		if len(list) == 0 {
			t.Fatalf("nothing from %d on", start)
		}
		for _, o := range list {
			got[o.text("displayName")] = len(elements(o.get("members")))
		}
		start += len(list)
	}
	if groups["D"] = 0; fmt.Sprint(got) != fmt.Sprint(groups) {
		t.Errorf("%v, want %v", got, groups)
	}
	if _, list := results(w.want(200, "GET", "/Groups?excludedAttributes=members", nil)); len(list) != len(groups) {
		t.Errorf("%d groups", len(list))
	}
	// Very many operations with a filter that looks at every member are refused.
	ops := make([]string, maxOperations)
	for i := range ops {
		ops[i] = `{"op":"remove","path":"members[value sw \"zz\" or value ew \"qq\"]"}`
	}
	if r := w.want(http.StatusBadRequest, "PATCH", "/Groups/"+made["A"], patchOf(strings.Join(ops, ","))); r.body.text("scimType") != typeTooMany {
		t.Errorf("%s", r.Body)
	}
	w.want(204, "PATCH", "/Groups/"+made["A"], patchOf(strings.Join(ops[:10], ",")))
}

// A client that sees only its own learns nothing of others: neither who is in a group, nor
// the name of a user, nor that there is one.
func TestOwnOnlyLearnsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	in, out := w.make("in@x.example", `,"displayName":"Secret Person"`), w.make("out@x.example")
	g := w.group("Secret", in)
	for _, strict := range []bool{true, false} {
		w.client, w.token = w.newClient(provision.ClientEdit{Name: ptr(fmt.Sprint("strict ", strict)), OwnOnly: ptr(true), Strict: ptr(strict)})
		for _, op := range []string{`{"op":"remove","path":"members[value eq \"%s\"]"}`, `{"op":"remove","path":"members[value sw \"%s\"]"}`, `{"op":"remove","path":"members","value":[{"value":"%s"}]}`} {
			a := w.want(404, "PATCH", "/Groups/"+g, patchOf(fmt.Sprintf(op, in))).Body.String()
			if b := w.want(404, "PATCH", "/Groups/"+g, patchOf(fmt.Sprintf(op, out))).Body.String(); a != b {
				t.Errorf("%s and %s", a, b)
			}
		}
		name := fmt.Sprintf("me%v@x.example", strict)
		me := w.make(name, `,"emails":[{"value":"`+name+`","type":"work"}]`)
		nobody := string(directory.NewUserID(w.Now()))
		for _, boss := range []string{in, nobody} {
			r := w.want(200, "PATCH", "/Users/"+me, patchOf(`{"op":"replace","path":"`+schemaEnterprise+`:manager","value":{"value":"`+boss+`"}}`))
			if m := managerOf(r.body); m.text("value") != boss || m.get("displayName") != nil || w.user(me).ManagerID != "" {
				t.Errorf("manager %s: %s", boss, r.Body)
			}
		}
		for _, who := range []string{in, nobody} {
			body := map[string]any{"schemas": []string{schemaGroup}, "displayName": fmt.Sprint("Mine ", strict, who), "members": []any{map[string]any{"value": who}, map[string]any{"value": me}}}
			if strict {
				w.want(400, "POST", "/Groups", body)
				continue
			}
			mine := w.want(201, "POST", "/Groups", body).body.text("id")
			if got := w.in(mine); !slices.Equal(got, []string{me}) {
				t.Errorf("members %v", got)
			}
			w.want(200, "PATCH", "/Groups/"+mine, patchOf(`{"op":"add","path":"members","value":[{"value":"`+who+`"}]}`))
			if got := w.in(mine); !slices.Equal(got, []string{me}) {
				t.Errorf("members %v", got)
			}
		}
	}
}
