package scim

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"bindery/shared/core/provision"
)

// A page by cursor has one resource at least, or it could not say how to go on (RFC 9865, 2
// and 2.1); and who pages by cursor does not by number. A tolerant client hears how many
// there are, as without a cursor, and the log tells.
func TestCursorsOfNothing(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: &strict})
		for i := range 3 {
			w.make(fmt.Sprintf("u%d@x.example", i), fmt.Sprintf(`,"emails":[{"value":"u%d@x.example"}]`, i))
		}
		for query, keyword := range map[string]string{"cursor&count=0": typeInvalidCount, "cursor&count=-1": typeInvalidCount, "cursor&startIndex=2": typeInvalidValue} {
			for _, filter := range []string{"", "&filter=" + url.QueryEscape("userName pr"), "&filter=" + url.QueryEscape(`userName eq "u1@x.example"`)} {
				if strict {
					if r := w.want(400, "GET", "/Users?"+query+filter, nil); r.body.text("scimType") != keyword {
						t.Errorf("%s: %s", query+filter, r.Body)
					}
					continue
				}
				want := "3"
				if filter != "" && filter[len(filter)-1] == '2' {
					want = "1"
				}
				total, list := results(w.want(200, "GET", "/Users?"+query+filter, nil))
				if notes := w.lastRequest().Notes; total != want || len(notes) != 1 || keyword == typeInvalidValue && fmt.Sprint(len(list)) != want {
					t.Errorf("%s: %d of %s, %q", query+filter, len(list), total, notes)
				}
			}
		}
		w.want(200, "GET", "/Users?cursor&startIndex=1&count=500000", nil)
		search := w.send("POST", "/Users/.search", `{"schemas":["`+schemaSearch+`"],"cursor":"","count":0}`)
		if (search.Code == 400) != strict {
			t.Errorf("strict %v, search: %d %s", strict, search.Code, search.Body)
		}
	}
}

// What keys find is paged by cursor as all other lists are: each once, and whoever has gone
// meanwhile moves nobody.
func TestCursorsOfWhatKeysFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	var users, groups []string
	var any string
	for i := range 5 {
		name := fmt.Sprintf("u%d@x.example", i)
		users = append(users, w.make(name))
		any += fmt.Sprintf(` or userName eq %q`, name)
	}
	for i := range 5 {
		groups = append(groups, w.group(fmt.Sprintf("G%d", i), users[0]))
	}
	slices.Sort(users)
	slices.Sort(groups)
	for path, want := range map[string][]string{
		"/Users?filter=" + url.QueryEscape(any[len(" or "):]):                  users,
		"/Groups?filter=" + url.QueryEscape(`members.value eq "`+users[0]+`"`): groups,
	} {
		var got []string
		next := ""
		for pages := 0; pages == 0 || next != "" && pages < 9; pages++ {
			r := w.want(200, "GET", path+"&count=2&cursor="+next, nil)
			total, list := results(r)
			if total != "5" {
				t.Errorf("%s: a total of %s", path, total)
			}
			for _, o := range list {
				got = append(got, o.text("id"))
			}
			next = r.body.text("nextCursor")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
		for _, cursor := range []string{"x!", w.want(200, "GET", "/Users?count=1&cursor", nil).body.text("nextCursor")} {
			if r := w.want(400, "GET", path+"&cursor="+cursor, nil); r.body.text("scimType") != typeInvalidCursor {
				t.Errorf("%s by %q: %s", path, cursor, r.Body)
			}
		}
	}
	path := "/Groups?filter=" + url.QueryEscape(`members.value eq "`+users[0]+`"`) + "&count=2&cursor="
	next := w.want(200, "GET", path, nil).body.text("nextCursor")
	w.want(204, "DELETE", "/Groups/"+groups[0], nil)
	if _, list := results(w.want(200, "GET", path+next, nil)); len(list) != 2 || list[0].text("id") != groups[2] {
		t.Errorf("behind %v: %v", groups[:2], list)
	}
}
