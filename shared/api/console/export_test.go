package console

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// paged is a list of /v1 as CSV or JSON lines, of pages by what begins them.
type paged map[string]struct{ body, next string }

func (p paged) serve(t *testing.T, path string, asked func(q url.Values) bool) transport {
	return transport{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != path || !asked(q) {
			t.Errorf("asked for %s", r.URL)
		}
		one := p[q.Get("next")]
		if one.next != "" {
			q.Set("next", one.next)
			rw.Header().Set("Link", "<"+path+"?"+q.Encode()+`>; rel="next"`)
		}
		_, _ = io.WriteString(rw, one.body)
	})}
}

func (a answered) fileName() string {
	_, name, _ := strings.Cut(a.header.Get("Content-Disposition"), "filename=")
	return strings.Trim(name, `"`)
}

// hrefs are the links of a page whose address has something in it.
func (a answered) hrefs(with string) (list []string) {
	for _, m := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
		if to := strings.ReplaceAll(m[1], "&amp;", "&"); strings.Contains(to, with) {
			list = append(list, to)
		}
	}
	return list
}

// An export has all pages of what the filter selects, with one header row.
func TestActivityFile(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	pages := paged{"": {"at,kind\na,1\n", "two"}, "two": {"at,kind\nb,2\n", ""}}
	w.c.api.Transport = pages.serve(t, "/v1/activity", func(q url.Values) bool {
		return q.Get("userId") == "usr_1" && q.Get("limit") == "500" && q.Get("until") == "2026-11-28T10:42:00Z"
	})
	if a := w.get("/console/activity.csv?userId=usr_1"); a.body != "at,kind\na,1\nb,2\n" || a.fileName() != "activity.csv" {
		t.Errorf("%d %q", a.code, a.body)
	}
	if a := w.get("/console/activity.jsonl?userId=usr_1"); a.body != "at,kind\na,1\nat,kind\nb,2\n" || a.fileName() != "activity.jsonl" {
		t.Errorf("%d %q", a.code, a.body)
	}
}

// What one file does not take comes in parts: a page of each tells how much it is and that
// there is more, and the files of all parts are the whole list, each row once.
func TestExportInParts(t *testing.T) {
	t.Parallel()
	large := func(name string) string { // three of them are more than a file takes
		return "id,note\r\n" + strings.Repeat(name+",\""+strings.Repeat("x", 1000)+"\n, and a \"\"quoted\"\" line\"\r\n", 1900)
	}
	for what, of := range map[string]struct{ path, at, name string }{
		"users by their size":     {"/console/users.csv?state=active", "/v1/users", "users"},
		"users by calls":          {"/console/users.csv?state=active", "/v1/users", "users"},
		"activity by its size":    {"/console/activity.csv?userId=usr_1", "/v1/activity", "activity"},
		"a run's changes by size": {"/console/runs/run_1/changes.csv?effect=block", "/v1/runs/run_1/changes", "changes"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunDone)
			pages, want, pagesOfPart := paged{}, []string{}, 2
			for i := range 6 {
				body := large(fmt.Sprintf("r%d", i))
				if strings.HasSuffix(what, "by calls") {
					body, pagesOfPart = fmt.Sprintf("id,note\r\nr%d,x\r\n", i), userCalls
				}
				at, next := fmt.Sprintf("at%d", i), fmt.Sprintf("at%d", i+1)
				if i == 0 {
					at = ""
				}
				if i == 5 {
					next = ""
				}
				pages[at] = struct{ body, next string }{body, next}
				_, rows, _ := strings.Cut(body, "\n")
				want = append(want, rows)
			}
			calls := 0
			w.c.api.Transport = pages.serve(t, of.at, func(q url.Values) bool {
				calls++
				return of.name != "audit" || q.Get("until") == "2026-11-28T10:42:00Z"
			})
			var got []string
			at, part := of.path, 0
			for at != "" {
				part++
				calls = 0
				a := w.get(at)
				w.pass(time.Second) // and the list's end does not move
				if a.code != http.StatusOK || !strings.Contains(a.header.Get("Content-Type"), "text/html") || calls > pagesOfPart+1 {
					t.Fatalf("%s = %d after %d calls", at, a.code, calls)
				}
				last := part == (6+pagesOfPart-1)/pagesOfPart
				if last {
					a.has("This is the last part.")
				} else {
					a.has("There is more than this part has.")
				}
				rows := "2 rows"
				switch {
				case !strings.HasSuffix(what, "by calls"):
					rows = "3,800 rows"
				case !last:
					rows = "4 rows"
				}
				a.has(rows, fmt.Sprintf("Part %d", part))
				a.sound(at)
				if what == "users by calls" {
					a.golden(fmt.Sprintf("users-part-%d", part))
					if german := w.send(http.MethodGet, at, nil, "Accept-Language", "de"); !strings.Contains(german.body, fmt.Sprintf("Teil %d herunterladen", part)) {
						t.Error("not in German")
					}
				}
				files := a.hrefs("upto=")
				if len(files) != 1 {
					t.Fatalf("files of the part: %q", files)
				}
				f := w.get(files[0])
				name := fmt.Sprintf("%s-part-%d.csv", of.name, part)
				if last {
					name = fmt.Sprintf("%s-part-%d-last.csv", of.name, part)
				}
				head, rest, _ := strings.Cut(f.body, "\n")
				if f.code != http.StatusOK || f.fileName() != name || head != "id,note\r" || len(f.body) > largestExport {
					t.Fatalf("%s = %d as %q, %d bytes, want %q", files[0], f.code, f.fileName(), len(f.body), name)
				}
				got = append(got, rest)
				at = ""
				if next := a.hrefs(fmt.Sprintf("part=%d", part+1)); len(next) == 1 {
					at = next[0]
				}
			}
			if strings.Join(got, "") != strings.Join(want, "") {
				t.Error("the parts together are not the list")
			}
		})
	}
}

// A part whose end has moved since its page was made is no file: it would have a gap to the
// next part, or rows of it.
func TestPartThatMoved(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	pages := paged{}
	for i := range 5 {
		pages[fmt.Sprintf("at%d", i)] = struct{ body, next string }{"id\nr\n", fmt.Sprintf("at%d", i+1)}
	}
	pages[""] = pages["at0"]
	w.c.api.Transport = pages.serve(t, "/v1/users", func(url.Values) bool { return true })
	page := w.get("/console/users.csv?state=active")
	to := page.hrefs("upto=at4")
	if len(to) != 1 {
		t.Fatal(page.body)
	}
	for where, moved := range map[string]string{"at3": "elsewhere", "": ""} { // beyond the end, and the list has ended before it
		was := pages[where]
		pages[where] = struct{ body, next string }{was.body, moved}
		a := w.get(to[0])
		a.sound(where)
		if where != "" {
			a.golden("users-part-moved")
		}
		if a.has("The list has changed"); a.code != http.StatusConflict || a.fileName() != "" {
			t.Errorf("%d as %q", a.code, a.fileName())
		}
		if again := a.hrefs("part=1"); len(again) != 1 || strings.Contains(again[0], "upto") || !strings.Contains(again[0], "state=active") {
			t.Errorf("leads to %q", again)
		}
		pages[where] = was
	}
	if a := w.get(to[0]); a.code != http.StatusOK || a.fileName() != "users-part-1.csv" {
		t.Errorf("unmoved: %d as %q", a.code, a.fileName())
	}
}

// Users are exported by the filter of their page, or those who are ticked there; where the
// page stands in its list does not matter.
func TestUsersFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, asked, file string }{
		"all":            {"/console/users.csv", "include=binding&limit=2500", "users.csv"},
		"filter":         {"/console/users.jsonl?text=ann&state=active", "include=binding&limit=2500&state=active&text=ann", "users.jsonl"},
		"deleted":        {"/console/users.csv?deleted=true", "deleted=true&include=binding&limit=2500", "users.csv"},
		"form, filter":   {"/console/users.csv?s=1.2&c=usr_3&whom=filter&text=ann&from=51&next=there", "include=binding&limit=2500&text=ann", "users.csv"},
		"form, chosen":   {"/console/users.csv?s=1.2&c=usr_3&whom=chosen&text=ann&from=51&next=there", "id=usr_1%2Cusr_2%2Cusr_3&include=binding&limit=100", "users-chosen-2-of-3.csv"},
		"two of two":     {"/console/users.csv?s=1.2&whom=chosen", "id=usr_1%2Cusr_2&include=binding&limit=100", "users-chosen.csv"},
		"chosen as JSON": {"/console/users.jsonl?s=1&whom=chosen", "id=usr_1&include=binding&limit=100", "users-chosen.jsonl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := runWorld(t, directory.RunDone, scopeRead) // an export writes nothing
			asked, accept := []string{}, "text/csv"
			if strings.Contains(c.path, "jsonl") {
				accept = "application/x-ndjson"
			}
			w.c.api.Transport = transport{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if asked = append(asked, r.URL.Path+"?"+r.URL.RawQuery); r.Header.Get("Accept") != accept {
					t.Errorf("Accept %q", r.Header.Get("Accept"))
				}
				_, _ = io.WriteString(rw, map[string]string{"text/csv": "id\nusr_1\nusr_2\n", "application/x-ndjson": "{}\n"}[accept])
			})}
			a := w.get(c.path)
			if a.code != http.StatusOK || a.fileName() != c.file || !strings.HasPrefix(a.header.Get("Content-Type"), accept) {
				t.Errorf("%d as %q %q: %s", a.code, a.fileName(), a.header.Get("Content-Type"), a.body)
			}
			if !slices.Equal(asked, []string{"/v1/users?" + c.asked}) {
				t.Errorf("asked %q", asked)
			}
		})
	}
	reader := runWorld(t, directory.RunDone, scopeRead).get("/console/users?s=1.x7")
	reader.sound("who may read")
	reader.golden("users-reader")
	w := runWorld(t, directory.RunDone)
	w.read()
	if a := w.get("/console/users.csv?whom=chosen&text=ann"); a.to != "/console/users?text=ann" || len(w.read()) > 0 {
		t.Errorf("nobody ticked: %d to %q", a.code, a.to)
	}
	if a := w.get("/console/users?text=ann"); !strings.Contains(a.body, "Nobody is ticked") {
		t.Error("is not told that nobody is ticked")
	}
}
