package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Users and groups are read by their IDs, deleted ones as well, in the order asked for.
func TestNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for what, make := range map[string]func(i int) string{
		"/v1/users":  func(i int) string { return fmt.Sprintf(`{"email":"u%d@corp.example"}`, i) },
		"/v1/groups": func(i int) string { return fmt.Sprintf(`{"name":"G %d"}`, i) },
	} {
		var ids []string
		for i := range 4 {
			ids = append(ids, w.create(what, make(i)))
		}
		w.want(204, "", "DELETE", what+"/"+ids[2], "")
		asked := what + "?id=" + strings.Join([]string{ids[3], "none", ids[2], ids[0], ids[3]}, ",")
		want := []string{ids[3], ids[2], ids[0]}
		if a := w.want(200, "", "GET", asked, ""); !slices.Equal(w.ids(a), want) || a.text("next") != "" {
			t.Errorf("%s lists %s, want %v", asked, a.raw, want)
		}
		var paged []string
		for next := ""; ; {
			a := w.want(200, "", "GET", asked+"&limit=2&next="+next, "")
			paged = append(paged, w.ids(a)...)
			if next = a.text("next"); next == "" {
				break
			}
		}
		if !slices.Equal(paged, []string{ids[3], ids[2], ids[0], ids[3]}) { // an ID that is asked for twice is told on each page
			t.Errorf("by pages: %v", paged)
		}
		for _, other := range []string{"text=x", "source=manual", "deleted=true"} {
			w.want(422, "invalid-filter", "GET", asked+"&"+other, "")
		}
		w.want(422, "invalid-parameter", "GET", what+"?id="+strings.Repeat("x,", 100)+"x", "")
	}
	if a := w.want(200, "", "GET", "/v1/users:count", ""); a.body["users"] != float64(3) {
		t.Errorf("count %s, want the three who live", a.raw)
	}
}

func (w *world) ids(a answer) (ids []string) {
	for _, item := range a.body["items"].([]any) {
		ids = append(ids, item.(map[string]any)["id"].(string))
	}
	return ids
}

// What stands above a group, and who uses it, is told with the group.
func TestAroundGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.permit()
	group := func(name string) string { return w.create("/v1/groups", `{"name":"`+name+`"}`) }
	staff, sales, east := group("Staff"), group("Sales"), group("East")
	w.want(200, "", "POST", "/v1/groups/"+staff+"/members", `{"groupIds":["`+sales+`"]}`)
	w.want(200, "", "POST", "/v1/groups/"+sales+"/members", `{"groupIds":["`+east+`"]}`)
	if got, want := w.items("/v1/groups/"+east+"/groups", "id"), []string{staff, sales}; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("above East: %v, want %v", got, want)
	}
	if a := w.want(200, "", "GET", "/v1/groups/"+east+"/groups?limit=500", ""); !strings.Contains(a.raw, `"direct":false,"path":[{"id":"`+sales) {
		t.Errorf("above East: %s", a.raw)
	}
	if got := w.items("/v1/groups/"+staff+"/groups", "id"); got != nil {
		t.Errorf("above Staff: %v", got)
	}
	w.want(404, "group-not-found", "GET", "/v1/groups/grp_none/groups", "")

	conn := "/v1/connections/" + string(w.conn.ID)
	w.want(200, "", "PUT", conn+"/groups/"+sales, `{"select":{}}`)
	if got := w.usedBy(sales); !slices.Equal(got, []string{string(w.conn.ID)}) {
		t.Errorf("uses of Sales: %v", got)
	}
	if got := w.usedBy(east); got != nil {
		t.Errorf("uses of East: %v", got)
	}
	w.want(404, "group-not-found", "GET", "/v1/groups/grp_none/uses", "")
	w.want(200, "", "POST", conn+"/deactivate", "")
	if got := w.usedBy(sales); got != nil {
		t.Errorf("uses of Sales after the deactivation: %v", got)
	}
}

// usedBy are the connections that use a group.
func (w *world) usedBy(group string) (ids []string) {
	w.t.Helper()
	for _, item := range w.want(200, "", "GET", "/v1/groups/"+group+"/uses", "").body["items"].([]any) {
		ids = append(ids, item.(map[string]any)["connectionId"].(string))
	}
	return ids
}
