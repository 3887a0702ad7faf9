package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// create makes something, and returns its ID.
func (w *world) create(path, body string) string {
	w.t.Helper()
	a := w.do("POST", path, body)
	var made struct{ ID string }
	if a.status != 201 || json.Unmarshal([]byte(a.raw), &made) != nil {
		w.t.Fatalf("POST %s %s = %d %s", path, body, a.status, a.raw)
	}
	return made.ID
}

// items are the values of a member of the items of a list.
func (w *world) items(path, member string) []string {
	w.t.Helper()
	var all []string
	for next := ""; ; {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		a := w.do("GET", path+sep+"limit=2&next="+next, "")
		var page struct {
			Items []map[string]any
			Next  string
		}
		if a.status != 200 || json.Unmarshal([]byte(a.raw), &page) != nil {
			w.t.Fatalf("GET %s = %d %s", path, a.status, a.raw)
		}
		for _, it := range page.Items {
			all = append(all, fmt.Sprint(it[member]))
		}
		if next = page.Next; next == "" {
			return all
		}
	}
}

func TestGroupsOfTheDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("/v1/groups", `{"name":"Sales","description":"Sells"}`)
	path := "/v1/groups/" + id
	a := w.do("GET", path, "")
	if a.status != 200 || a.header.Get("ETag") != `"1"` || !strings.Contains(a.raw, `"members":0`) {
		t.Errorf("GET = %d %v %s", a.status, a.header, a.raw)
	}
	for body, code := range map[string]string{`{"name":"SALES"}`: "group-name-taken", `{}`: "invalid-group", `{"name":"x","usedBy":[]}`: "invalid-group", `[`: "invalid-body"} {
		if a := w.do("POST", "/v1/groups", body); a.text("code") != code {
			t.Errorf("POST %s = %d %s, want %s", body, a.status, a.raw, code)
		}
	}
	a = w.do("PATCH", path, `{"mailNickname":"sales"}`, "If-Match", `"1"`)
	if a.status != 200 || a.header.Get("ETag") != `"2"` {
		t.Errorf("PATCH = %d %s", a.status, a.raw)
	}
	if a := w.do("PATCH", path, `{"mailNickname":"s"}`, "If-Match", `"1"`); a.status != 412 || a.text("code") != "version-mismatch" {
		t.Errorf("PATCH of another version = %d %s", a.status, a.raw)
	}
	if a := w.do("DELETE", path, "", "If-Match", `"1"`); a.status != 412 {
		t.Errorf("DELETE of another version = %d %s", a.status, a.raw)
	}
	w.create("/v1/groups", `{"name":"IT"}`)
	w.create("/v1/groups", `{"name":"HR"}`)
	if a := w.do("DELETE", path, ""); a.status != 204 {
		t.Errorf("DELETE = %d %s", a.status, a.raw)
	}
	names := w.items("/v1/groups", "name")
	if slices.Sort(names); !slices.Equal(names, []string{"HR", "IT"}) {
		t.Errorf("living: %v", names)
	}
	if got := w.items("/v1/groups?deleted=true", "name"); !slices.Equal(got, []string{"Sales"}) {
		t.Errorf("deleted: %v", got)
	}
	if got := w.items("/v1/groups?name=it", "name"); !slices.Equal(got, []string{"IT"}) {
		t.Errorf("by name: %v", got)
	}
	if a := w.do("POST", path+"/restore", ""); a.status != 200 || a.header.Get("ETag") != `"4"` {
		t.Errorf("restore = %d %v %s", a.status, a.header, a.raw)
	}
	if a := w.do("GET", "/v1/groups/grp_none", ""); a.status != 404 || a.text("code") != "group-not-found" {
		t.Errorf("a group that there is not = %d %s", a.status, a.raw)
	}
}

func TestGroupMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all, sub := w.create("/v1/groups", `{"name":"All"}`), w.create("/v1/groups", `{"name":"Sub"}`)
	ann, bob := w.create("/v1/users", `{"email":"ann@corp.example"}`), w.create("/v1/users", `{"email":"bob@corp.example"}`)
	path := "/v1/groups/" + all + "/members"
	a := w.do("POST", path, fmt.Sprintf(`{"userIds":[%q,"usr_none"],"groupIds":[%q]}`, ann, sub))
	var result MembersResult
	if json.Unmarshal([]byte(a.raw), &result) != nil || a.status != 200 || a.header.Get("ETag") != `"1"` || len(result.Done) != 2 || len(result.Refused) != 1 || result.Refused[0].Code != directory.CodeUserNotFound {
		t.Fatalf("POST members = %d %s", a.status, a.raw)
	}
	if a := w.do("POST", "/v1/groups/"+sub+"/members", fmt.Sprintf(`{"userIds":[%q,%q]}`, ann, bob)); a.status != 200 {
		t.Fatalf("POST members = %d %s", a.status, a.raw)
	}
	a = w.do("POST", "/v1/groups/"+sub+"/members", fmt.Sprintf(`{"groupIds":[%q]}`, all))
	if !strings.Contains(a.raw, `"code":"group-cycle"`) || !strings.Contains(a.raw, `\"All\" has \"Sub\"`) {
		t.Errorf("a circle = %d %s", a.status, a.raw)
	}
	if got := w.items(path, "name"); !slices.Equal(got, []string{"Sub", "ann@corp.example"}) {
		t.Errorf("members: %v", got)
	}
	if got := w.items(path+"?type=user", "email"); !slices.Equal(got, []string{"ann@corp.example"}) {
		t.Errorf("users: %v", got)
	}
	nested := w.items(path+"?nested=true", "email")
	if slices.Sort(nested); !slices.Equal(nested, []string{"ann@corp.example", "bob@corp.example"}) {
		t.Errorf("nested: %v", nested)
	}
	if a := w.do("GET", path+"?nested=true&type=group", ""); a.text("code") != "invalid-filter" {
		t.Errorf("nested groups = %d %s", a.status, a.raw)
	}
	names := w.items("/v1/users/"+bob+"/groups", "name")
	if slices.Sort(names); !slices.Equal(names, []string{"All", "Sub"}) {
		t.Errorf("groups of bob: %v", names)
	}
	if a := w.do("GET", "/v1/users/"+bob+"/groups", ""); !strings.Contains(a.raw, `"direct":false,"path":[{"id":"`+sub) {
		t.Errorf("groups of bob = %s", a.raw)
	}
	if a := w.do("GET", "/v1/users/usr_none/groups", ""); a.status != 404 || a.text("code") != "user-not-found" {
		t.Errorf("groups of nobody = %d %s", a.status, a.raw)
	}
	if a := w.do("DELETE", path, fmt.Sprintf(`{"userIds":[%q]}`, ann), "If-Match", `"7"`); a.status != 412 {
		t.Errorf("DELETE of another version = %d %s", a.status, a.raw)
	}
	etag := w.do("GET", path, "").header.Get("ETag")
	a = w.do("DELETE", path, fmt.Sprintf(`{"userIds":[%q,%q]}`, ann, bob), "If-Match", etag)
	if json.Unmarshal([]byte(a.raw), &result) != nil || len(result.Done) != 1 || len(result.Unchanged) != 1 {
		t.Errorf("DELETE members = %d %s", a.status, a.raw)
	}
	for body, code := range map[string]string{`{}`: "invalid-members", `{"users":[]}`: "invalid-body", ``: "invalid-body", `{"userIds":[" "]}`: "invalid-body"} {
		if a := w.do("POST", path, body); a.text("code") != code {
			t.Errorf("POST %s = %d %s, want %s", body, a.status, a.raw, code)
		}
	}
	// What was done concerns the group, and those who were added.
	if got := slices.Sorted(slices.Values(w.items("/v1/activity?groupId="+all, "kind"))); !slices.Equal(got, []string{"add-members", "add-members", "create-group", "remove-members"}) {
		t.Errorf("activity of the group: %v", got)
	}
	if got := slices.Sorted(slices.Values(w.items("/v1/activity?userId="+bob, "kind"))); !slices.Equal(got, []string{"add-members", "create-user"}) {
		t.Errorf("activity of bob: %v", got)
	}
}

func TestLoadGroupsRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, want := range map[string]string{"name,member\nA,a@b.example\n": `"kind":"load-groups"`, "name,nick\nA,x\n": `"code":"invalid-header"`} {
		if a := w.do("POST", "/v1/groups:load", body, "Content-Type", "text/csv"); !strings.Contains(a.raw, want) {
			t.Errorf("load %q = %d %s, want %s", body, a.status, a.raw, want)
		}
	}
	if a := w.do("POST", "/v1/groups:load?check=true", "name\nA\n", "Content-Type", "text/csv"); a.status != 202 || !strings.Contains(a.raw, `"kind":"check-groups"`) {
		t.Errorf("check = %d %s", a.status, a.raw)
	}
	if a := w.do("POST", "/v1/groups:load?applyStatus=true", "name\nA\n"); a.text("code") != "invalid-parameter" {
		t.Errorf("applyStatus = %d %s", a.status, a.raw)
	}
}

func TestManagerGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.create("/v1/users", `{"email":"boss@corp.example"}`)
	ann := w.create("/v1/users", fmt.Sprintf(`{"email":"ann@corp.example","managerId":%q}`, boss))
	if a := w.do("PATCH", "/v1/users/"+boss, fmt.Sprintf(`{"managerId":%q}`, ann)); a.status != 409 || a.text("code") != "manager-cycle" {
		t.Errorf("a circle of managers = %d %s", a.status, a.raw)
	}
	if a := w.do("GET", "/v1/users/"+ann, ""); strings.Contains(a.raw, "managerGone") || a.text("managerName") != "boss@corp.example" {
		t.Errorf("with a manager: %s", a.raw)
	}
	w.do("DELETE", "/v1/users/"+boss, "")
	if got := w.items("/v1/users?deleted=true", "email"); !slices.Equal(got, []string{"boss@corp.example"}) {
		t.Errorf("deleted users: %v", got)
	}
	if a := w.do("GET", "/v1/users/"+ann, ""); !strings.Contains(a.raw, `"managerGone":true`) || strings.Contains(a.raw, "managerName") || !strings.Contains(a.raw, boss) {
		t.Errorf("with a manager who is deleted: %s", a.raw)
	}
}
