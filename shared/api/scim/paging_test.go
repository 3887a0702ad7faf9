package scim

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/people"
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
	ofFirst := "/Groups?filter=" + url.QueryEscape(`members.value eq "`+users[0]+`"`)
	listed := func(a, b string) int {
		return people.CompareCursors(people.CursorBehind(a), people.CursorBehind(b))
	}
	slices.SortFunc(users, listed)
	slices.SortFunc(groups, listed)
	for path, want := range map[string][]string{
		"/Users?filter=" + url.QueryEscape(any[len(" or "):]): users,
		ofFirst: groups,
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
	path := ofFirst + "&count=2&cursor="
	next := w.want(200, "GET", path, nil).body.text("nextCursor")
	w.want(204, "DELETE", "/Groups/"+groups[0], nil)
	if _, list := results(w.want(200, "GET", path+next, nil)); len(list) != 2 || list[0].text("id") != groups[2] {
		t.Errorf("behind %v: %v", groups[:2], list)
	}
}

// A page that is asked for by itself is that of the list as it is now (RFC 7644, 3.4.2.4),
// though others have led there before somebody came who stands before it. Where somebody has
// gone it may begin before that, and never behind: who pages misses nobody.
func TestJumps(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		for _, kind := range []string{"/Users?", "/Users?filter=" + esc(`userName pr`) + "&", "/Groups?", "/Groups?filter=" + esc(`displayName pr`) + "&"} {
			t.Run(fmt.Sprint(kind, own), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, provision.ClientEdit{OwnOnly: &own})
				w.handler.PerSecond = 1e9
				groups := strings.HasPrefix(kind, "/Groups")
				n := 0
				add := func() string {
					n++
					if groups {
						return w.group(fmt.Sprintf("G%d", n))
					}
					return w.make(fmt.Sprintf("u%d@x.example", n))
				}
				ids := func(query string) (ids []string) {
					_, list := results(w.want(200, "GET", kind+"attributes=id&"+query, nil))
					for _, o := range list {
						ids = append(ids, o.text("id"))
					}
					return ids
				}
				for range 8 {
					add()
				}
				for round := range 6 {
					last := add()
					full := ids("")
					for start := range len(full) { // each page leads to the next
						if got := ids(fmt.Sprintf("startIndex=%d&count=1", start+1)); !slices.Equal(got, full[start:start+1]) {
							t.Errorf("round %d: the page at %d is %v of %v", round, start+1, got, full)
						}
					}
					add()
					full = ids("")
					for _, start := range []int{3, 2, 7, 5, len(full)} {
						if got := ids(fmt.Sprintf("startIndex=%d&count=2", start)); !slices.Equal(got, full[start-1:min(start+1, len(full))]) {
							t.Errorf("round %d, when one has come: the page at %d is %v of %v", round, start, got, full)
						}
					}
					w.want(204, "DELETE", kind[:strings.Index(kind, "?")]+"/"+last, nil)
					full = ids("")
					for _, start := range []int{4, 2, 6, len(full)} {
						got := ids(fmt.Sprintf("startIndex=%d&count=2", start))
						if at := slices.Index(full, append(got, "")[0]); at < start-2 || at > start-1 {
							t.Errorf("round %d, when one has gone: the page at %d begins at %d", round, start, at+1)
						}
					}
				}
			})
		}
	}
}

// Whoever pages by numbers comes upon everybody who stays, whoever comes and goes meanwhile,
// once at least.
func TestPagingAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		for _, filter := range []string{"", "&filter=" + esc("userName pr")} {
			t.Run(fmt.Sprint(seed, filter), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(seed, 8))
				w := newWorld(t, provision.ClientEdit{OwnOnly: ptr(seed%2 == 0)})
				w.handler.PerSecond = 1e9
				stays, goes := map[string]bool{}, []string{}
				for i := range 40 {
					id := w.make(fmt.Sprintf("u%d@x.example", i))
					if i%2 == 0 {
						goes = append(goes, id)
					} else {
						stays[id] = true
					}
				}
				seen := map[string]bool{}
				for start := 1; ; {
					_, list := results(w.want(200, "GET", fmt.Sprintf("/Users?attributes=id&count=%d&startIndex=%d%s", 1+r.IntN(6), start, filter), nil))
					if len(list) == 0 {
						break
					}
					for _, o := range list {
						seen[o.text("id")] = true
					}
					start += len(list)
					for range r.IntN(3) {
						if r.IntN(2) == 0 && len(goes) > 0 {
							w.want(204, "DELETE", "/Users/"+goes[0], nil)
							goes = goes[1:]
						} else if start < 60 {
							w.make(fmt.Sprintf("new%d-%d@x.example", start, r.IntN(1e9)))
						}
					}
				}
				for id := range stays {
					if !seen[id] {
						t.Errorf("%s stays and was not seen", id)
					}
				}
			})
		}
	}
}
