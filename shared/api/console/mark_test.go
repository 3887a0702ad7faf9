package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
)

const askedForMark = "/v1/attention?urgency=decide"

// marks counts how often pages ask for what stands in the frame.
func asks(w *world) (n int) {
	for _, call := range w.read() {
		if call == askedForMark {
			n++
		}
	}
	return n
}

// What needs somebody stands on every page, is asked for once in a while, and anew after an
// act.
func TestMark(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	w.tell(map[string]any{"POST /v1/runs/run_1/cancel": aRun(w.now, directory.RunCancelled)})
	shown := func(path, want string, calls int) {
		t.Helper()
		w.read()
		a := w.get(path)
		if want != "" {
			a.has(`<a href="/console" class="needs">` + want + "</a>")
		} else if strings.Contains(a.body, `class="needs"`) {
			t.Errorf("%s has a mark", path)
		}
		if n := asks(w); n != calls {
			t.Errorf("%s asks %d times, want %d", path, n, calls)
		}
	}
	shown("/console/runs/run_1", "", 0) // makes four calls, and nothing is known yet
	shown("/console/users", "1 needs you", 1)
	shown("/console/groups", "1 needs you", 0)
	shown("/console/runs/run_1", "1 needs you", 0)
	w.post("/console/runs/run_1/cancel")
	w.tell(map[string]any{"GET /v1/attention": attention{Counts: map[string]int{urgencyDecide: 3}, Next: "on"}})
	shown("/console/users", "3 and maybe more need you", 1)
	w.pass(markFor)
	w.tell(map[string]any{"GET /v1/attention": attention{Counts: map[string]int{urgencyDecide: 0}}})
	shown("/console/users", "", 1)
	shown("/console/users", "", 0)
	w.tell(map[string]any{"GET /v1/attention": needs(w.now, directory.RunHeld)})
	shown("/console", "", 0) // says more, and what it has read the others know
	shown("/console/jobs", "1 needs you", 0)
	w.pass(markFor)
	w.tell(map[string]any{"GET /v1/attention": problem{Status: 503}})
	shown("/console/users", "", 1)
	shown("/console/sign-in", "", 0)
	if a := w.send(http.MethodGet, "/console/users", nil, "If-None-Match", `"x"`); a.code != http.StatusOK || asks(w) > 0 {
		t.Errorf("looking again asks for the mark: %d", a.code)
	}
	// What one session was told is not what another is.
	w.tell(map[string]any{"GET /v1/attention": needs(w.now, directory.RunHeld)})
	shown("/console/users", "1 needs you", 1)
	w.signIn("/console")
	shown("/console/users", "1 needs you", 1)
}

// Sessions that are forgotten ask again; there are never more than a process keeps.
func TestMarksAreBounded(t *testing.T) {
	t.Parallel()
	var m marks
	now := time.Now()
	for i := range 3 * mostMarks {
		m.keep(itoa(i), mark{decide: i, at: now}, m.asking())
		if one, known := m.of(itoa(i), now); !known || one.decide != i || len(m.list) > mostMarks {
			t.Fatalf("%d: %v %v, %d kept", i, one, known, len(m.list))
		}
	}
	if _, known := m.of("0", now); known {
		t.Error("the first is still known")
	}
}

// What a page asked for before an act, or during it, is not kept when it comes after the act.
func TestMarkOfBeforeAnAct(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"a page": "/console/users", "home": "/console"} {
		w := runWorld(t, directory.RunHeld)
		begun, acted := make(chan bool), make(chan bool)
		first := true // of the calls, which come one after the other
		w.tell(map[string]any{"POST /v1/runs/run_1/cancel": aRun(w.now, directory.RunCancelled), "GET /v1/attention": func(*http.Request) any {
			if !first {
				return attention{}
			}
			first = false
			close(begun)
			<-acted
			return needs(w.now, directory.RunHeld)
		}})
		page := make(chan bool)
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, publicURL+path, nil)
		for name, value := range w.jar {
			request.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		go func() {
			defer close(page)
			w.c.ServeHTTP(httptest.NewRecorder(), request)
		}()
		<-begun
		w.post("/console/runs/run_1/cancel")
		close(acted)
		<-page
		if a := w.get("/console/groups"); strings.Contains(a.body, `class="needs"`) {
			t.Errorf("%s: what was so before the act is shown after it", name)
		}
	}
}

// A mark that is late is left out: the page does not wait for it.
func TestMarkIsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := runWorld(t, directory.RunHeld)
		w.c.patience.mark = markWait
		w.tell(map[string]any{"GET /v1/attention": func(r *http.Request) any {
			<-r.Context().Done()
			return nil
		}})
		began := time.Now()
		a := w.get("/console/users")
		if took := time.Since(began); took != markWait || a.code != http.StatusOK || strings.Contains(a.body, `class="needs"`) {
			t.Errorf("%d after %v", a.code, took)
		}
		synctest.Wait()
		if _, known := w.c.marks.of("", w.now); known || len(w.c.marks.list) > 0 {
			t.Error("a call that was given up is remembered")
		}
	})
}

// A page that looks again is answered without a body while nothing has changed: of a run
// that costs one call, which has no body either.
func TestLookAgain(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunApplying)
	const path = "/console/runs/run_1"
	a := w.get(path)
	tag := a.header.Get("ETag")
	if a.code != http.StatusOK || tag == "" {
		t.Fatalf("%d, ETag %q", a.code, tag)
	}
	again := func(path, tag string, header ...string) answered {
		t.Helper()
		w.read()
		return w.send(http.MethodGet, path, nil, append([]string{"If-None-Match", tag}, header...)...)
	}
	if b := again(path, tag); b.code != http.StatusNotModified || b.body != "" || b.header.Get("ETag") != tag {
		t.Errorf("unchanged: %d, %d bytes, ETag %q", b.code, len(b.body), b.header.Get("ETag"))
	}
	if reads := w.read(); !slices.Equal(reads, []string{"/v1/runs/run_1"}) {
		t.Errorf("it costs %v", reads)
	}
	for name, b := range map[string]answered{
		"in German":        again(path, tag, "Accept-Language", "de"),
		"another page":     again(path+"?effect=block", tag),
		"another tag":      again(path, `"x.y"`),
		"a weak one":       again(path, "W/"+tag[1:]),
		"no tag":           again(path, "*"),
		"half a tag":       again(path, strings.TrimSuffix(tag, `"`)),
		"a broken one":     again(path, "\"\x01."+tag[strings.Index(tag, ".")+1:]),
		"one that is long": again(path, `"`+strings.Repeat("x", 3000)+tag[strings.Index(tag, "."):]),
	} {
		if b.code != http.StatusOK || b.header.Get("ETag") == "" {
			t.Errorf("%s: %d", name, b.code)
		}
	}
	r := aRun(w.now, directory.RunApplying)
	r.Applied++
	w.tell(map[string]any{"GET /v1/runs/run_1": r})
	b := again(path, tag)
	if b.code != http.StatusOK || b.header.Get("ETag") == tag || !strings.Contains(b.body, "Writing: 10 of 16") {
		t.Errorf("changed: %d, ETag %q", b.code, b.header.Get("ETag"))
	}
	if reads := w.read(); len(reads) != mostCalls {
		t.Errorf("it costs %v", reads)
	}
	// A run that has ended looks no more.
	w.tell(map[string]any{"GET /v1/runs/run_1": aRun(w.now, directory.RunDone)})
	if b := again(path, tag); b.code != http.StatusOK || b.header.Get("ETag") != "" || strings.Contains(b.body, "data-poll") {
		t.Errorf("ended: %d, ETag %q", b.code, b.header.Get("ETag"))
	}
	w.tell(map[string]any{"GET /v1/runs/run_1": problem{Status: 503}})
	if b := again(path, tag); b.code != http.StatusServiceUnavailable || b.header.Get("ETag") != "" {
		t.Errorf("refused: %d, ETag %q", b.code, b.header.Get("ETag"))
	}
	// Home is told by what it says.
	home := w.get("/console")
	if b := again("/console", home.header.Get("ETag")); b.code != http.StatusNotModified || b.body != "" {
		t.Errorf("home: %d", b.code)
	}
	w.tell(map[string]any{"GET /v1/attention": attention{}})
	if b := again("/console", home.header.Get("ETag")); b.code != http.StatusOK {
		t.Errorf("home, changed: %d", b.code)
	}
	delete(w.jar, "__Host-bindery")
	if b := again(path, tag); b.code != http.StatusSeeOther {
		t.Errorf("signed out: %d", b.code)
	}
}

// What is shown to be typed into a shell has the address in quotation marks that nothing in
// it ends, and no token.
func TestAsCalls(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	a := w.get("/console/runs/run_1?department=" + "a%27%3B%20rm%20-rf%20%2F%3B%27%20%24%28x%29%60y%60")
	a.has("/v1/runs/run_1/changes?department=a%27%3B+rm+-rf+%2F%3B%27+%24%28x%29%60y%60&#39;")
	for _, path := range []string{"/console", "/console/users", "/console/runs/run_1", "/console/runs/run_1/approve?what=all", "/console/connections/con_1/settings"} {
		a := w.get(path)
		a.has("curl -H &#34;Authorization: Bearer $TOKEN&#34;", "https://bindery.example/v1/")
		for _, token := range w.tokens {
			if strings.Contains(a.body, token) {
				t.Errorf("%s has the token", path)
			}
		}
	}
}

// A decision by a filter sends the filter that the list has, and asks for numbers with it.
func TestWhereIsTheFilter(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunHeld)
	w.read()
	w.get("/console/runs/run_1/approve?what=filter&effect=rename&property=mail&department=A%2CB&domain=x.example&user=usr_1&state=declined")
	reads := w.read()
	const filter = "department=A%2CB&domain=x.example&effect=rename&"
	for _, want := range []string{"/v1/runs/run_1/changes?" + filter + "limit=500&property=mail&state=planned%2Capproved&userId=usr_1", "/v1/runs/run_1/counts?" + filter + "property=mail&state=planned%2Capproved&userId=usr_1"} {
		if !slices.Contains(reads, want) {
			t.Errorf("%s is not among %v", want, reads)
		}
	}
	got, err := json.Marshal(runFilter{effect: "rename", property: "mail", department: "A,B", domain: "x.example", user: "usr_1", state: "declined"}.where())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"department":["A","B"],"domain":["x.example"],"effect":["rename"],"property":["mail"],"userId":["usr_1"]}`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The number that is typed is that of /v1, also where not all changes were listed; blocks
// want it beyond fifty.
func TestGrave(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		effects map[directory.Effect]int
		lost    map[directory.Effect]int
		grave   bool
		fresh   bool
	}{
		"blocks, with their sessions": {map[directory.Effect]int{directory.EffectBlock: 50, directory.EffectRevoke: 50}, map[directory.Effect]int{directory.EffectRevoke: 50}, false, false},
		"more blocks":                 {map[directory.Effect]int{directory.EffectBlock: 51}, nil, true, false},
		"a delete":                    {map[directory.Effect]int{directory.EffectDelete: 1}, nil, true, true},
		"a group's delete":            {map[directory.Effect]int{directory.EffectGroupDelete: 1}, nil, true, true},
		"updates":                     {map[directory.Effect]int{directory.EffectUpdate: 9000}, nil, false, false},
		"one that stays":              {map[directory.Effect]int{directory.EffectUpdate: 9000}, map[directory.Effect]int{directory.EffectUpdate: 1}, true, true},
	} {
		d := &decision{}
		d.counted(selection{Effects: tt.effects, Irreversible: tt.lost})
		if d.grave() != tt.grave || d.wantsFresh() != tt.fresh {
			t.Errorf("%s: %v, %v", name, d.grave(), d.wantsFresh())
		}
	}
	w := runWorld(t, directory.RunHeld)
	w.tell(map[string]any{"GET /v1/runs/run_1/counts": selection{Effects: map[directory.Effect]int{directory.EffectUpdate: 120_000}, Partial: true}})
	if a := w.get("/console/runs/run_1/approve?what=filter&effect=update"); a.code != http.StatusUnprocessableEntity {
		t.Errorf("a filter over more than is counted: %d", a.code)
	}
	w.get("/console/runs/run_1/approve?what=all").has(">Block 14 accounts, rename 2 accounts</button>")
}
