package scim

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// What no client means well by is refused for what it is, and changes nothing.
func TestHostile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("a@x.example", `,"title":"T"`)
	g := w.group("G", id)
	before := w.want(200, "GET", "/Users/"+id, nil).Body.String() + w.want(200, "GET", "/Groups/"+g, nil).Body.String()
	long := strings.Repeat("x", 3000)
	name := `{"userName":"h@x.example"`
	for what, tt := range map[string]struct {
		status             int
		method, path, body string
		keyword            string
	}{
		"a byte too many":              {413, "POST", "/Users", strings.Repeat(" ", MaxBody-len(name)) + name + "}", ""},
		"a large document":             {400, "POST", "/Users", name + `,"nickName":"` + strings.Repeat("n", maxDocument) + `"}`, typeInvalidValue},
		"deep objects":                 {400, "POST", "/Users", strings.Repeat(`{"a":`, 100_000), typeInvalidSyntax},
		"deep lists":                   {400, "PATCH", "/Users/" + id, strings.Repeat(`[`, 1_000_000), typeInvalidSyntax},
		"deep in an unknown attribute": {400, "POST", "/Users", name + `,"x":` + strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40) + "}", typeInvalidSyntax},
		"a key twice":                  {400, "POST", "/Users", `{"userName":"a","USERNAME":"b"}`, typeInvalidSyntax},
		"a key twice within":           {400, "PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"title","Path":"userName","value":"x"}`), typeInvalidSyntax},
		"no UTF-8":                     {400, "POST", "/Users", "{\"userName\":\"z\xff@x.example\"}", typeInvalidSyntax},
		"no UTF-8 in a filter":         {400, "GET", "/Users?filter=userName+eq+%22%ff%22", "", typeInvalidFilter},
		"no UTF-8 in a path":           {404, "GET", "/Users/%ff%fe", "", ""},
		"a path within a path":         {404, "GET", "/Users/" + id + "/groups", "", ""},
		"a path out":                   {404, "GET", "/Users/..%2f..%2fGroups", "", ""},
		"many operations":              {400, "PATCH", "/Users/" + id, patchOf(strings.Repeat(`{"op":"add","path":"title","value":"x"},`, maxOperations) + `{"op":"add","path":"title","value":"x"}`), typeTooMany},
		"many values":                  {400, "PATCH", "/Users/" + id, patchOf(strings.Repeat(`{"op":"add","path":"ims[value eq \"x\"].display","value":"x"},`, 1) + `{"op":"add","path":"roles","value":[` + strings.Repeat(`{"value":"x"},`, maxValues) + `{"value":"y"}]}`), typeInvalidValue},
		"a long filter":                {400, "GET", "/Users?filter=" + url.QueryEscape(`userName eq "`+strings.Repeat("a", 10_000)+`"`), "", typeInvalidFilter},
		"a deep filter":                {400, "GET", "/Users?filter=" + strings.Repeat("(", 4000), "", typeInvalidFilter},
		"a deep path":                  {400, "PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"emails[` + strings.Repeat("(", 500) + `","value":"x"}`), typeInvalidPath},
		"a long externalId":            {400, "PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"externalId","value":"` + long + `"}`), typeInvalidValue},
		"a control character":          {400, "PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"externalId","value":"a\u0000b"}`), typeInvalidValue},
		"a long name of a group":       {400, "PUT", "/Groups/" + g, `{"displayName":"` + long + `"}`, typeInvalidValue},
		"a number beyond numbers":      {400, "GET", "/Users?startIndex=99999999999999999999", "", typeInvalidValue},
		"a query that is none":         {400, "GET", "/Users?filter=%zz", "", typeInvalidSyntax},
		"an object where a text is":    {400, "PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"title","value":{"value":{"value":"x"}}}`), typeInvalidValue},
		"a method that is none":        {405, "TRACE", "/Users", "", ""},
	} {
		r := w.want(tt.status, tt.method, tt.path, tt.body)
		if r.body.text("scimType") != tt.keyword {
			t.Errorf("%s: %s, want %q", what, r.Body, tt.keyword)
		}
		if r.Body.Len() > 2000 {
			t.Errorf("%s is answered with %d bytes", what, r.Body.Len())
		}
	}
	for _, a := range []string{"/Users?filter=externalId", "/Users?filter=userName", "/Users?filter=emails.value", "/Users?filter=id", "/Groups?filter=externalId", "/Groups?filter=displayName", "/Groups?filter=members.value"} {
		if total, _ := results(w.want(200, "GET", a+"+eq+%22"+long+"%22", nil)); total != "0" { // longer than a key of the table may be
			t.Errorf("%s: %s found", a, total)
		}
	}
	if now := w.want(200, "GET", "/Users/"+id, nil).Body.String() + w.want(200, "GET", "/Groups/"+g, nil).Body.String(); now != before {
		t.Errorf("%s\nwas\n%s", now, before)
	}
}

// A cursor that somebody has written leads nowhere, and into no other client's people.
func TestForgedCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{OwnOnly: ptr(true)})
	for i := range 12 {
		w.make(fmt.Sprintf("own%d@x.example", i))
	}
	all, err := w.users.Create(t.Context(), ada, []byte(`{"email":"other@x.example"}`))
	w.Must(err)
	good := w.want(200, "GET", "/Users?cursor&count=3", nil).body.text("nextCursor")
	data, err := decoded(good)
	w.Must(err)
	try := func(cursor string) {
		r := w.send("GET", "/Users?cursor="+url.QueryEscape(cursor), nil)
		if r.Code != 200 && (r.Code != 400 || r.body.text("scimType") != typeInvalidCursor && r.body.text("scimType") != typeExpiredCursor) {
			t.Errorf("%q: %d %s", cursor, r.Code, r.Body)
		}
		if strings.Contains(r.Body.String(), string(all.ID)) {
			t.Errorf("%q shows who is not the client's: %s", cursor, r.Body)
		}
	}
	for i := range data { // each byte another
		forged := slices.Clone(data)
		forged[i] ^= 1
		try(encoded(forged))
	}
	for _, place := range []string{"x", "end", string(all.ID), "\x00", strings.Repeat("a", 5000), "eyJhIjoxfQ", "0#" + string(all.ID)} {
		for _, question := range []string{"users", "groups", ""} {
			try(base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"p":%q,"q":%q,"u":99999999999}`, place, question)))
		}
	}
	try(good[:len(good)/2])
	try(strings.Repeat("A", 10_000))
}

// Of two edits that name the version they have seen, one is done, though the other has
// looked before: of a user, of a group's name, and of its members.
func TestIfMatchAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id, g, empty := w.make("a@x.example"), w.group("G"), w.group("E")
	one, two := w.make("m1@x.example"), w.make("m2@x.example")
	w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`))
	member := func(op, id string) string {
		return `{"op":"` + op + `","path":"members","value":[{"value":"` + id + `"}]}`
	}
	for _, tt := range []struct{ what, path, first, second string }{
		{"a user", "/Users/" + id, `{"op":"add","path":"title","value":"1"}`, `{"op":"add","path":"title","value":"2"}`},
		{"a document", "/Users/" + id, `{"op":"add","path":"nickName","value":"1"}`, `{"op":"add","path":"nickName","value":"2"}`},
		{"a group", "/Groups/" + g, `{"op":"replace","path":"displayName","value":"G1"}`, `{"op":"replace","path":"displayName","value":"G2"}`},
		{"members", "/Groups/" + g, member("add", one), member("add", two)},
		{"members of nobody", "/Groups/" + empty, member("add", one), member("add", two)},
		{"all members", "/Groups/" + g, member("replace", two), member("replace", one)},
	} {
		before := w.want(200, "GET", tt.path, nil)
		tag, between := before.Header().Get("ETag"), 0
		hook := func() { between = w.post("PATCH", tt.path, patchOf(tt.second), "If-Match", tag) }
		w.counted.once.Store(&hook)
		w.want(412, "PATCH", tt.path, patchOf(tt.first), "If-Match", tag)
		if between != 200 {
			t.Errorf("%s: between the look and the write: %d", tt.what, between)
		}
		if now := w.want(200, "GET", tt.path, nil); now.Header().Get("ETag") == tag {
			t.Errorf("%s: %s", tt.what, now.Body)
		}
	}
}

// A version that is named holds to the last write: of a deletion, and of members behind a
// name that was edited.
func TestIfMatchToTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	one, two := w.make("m1@x.example"), w.make("m2@x.example")
	add := func(id string) string {
		return `{"op":"add","path":"members","value":[{"value":"` + id + `"}]}`
	}
	rename := `{"op":"replace","path":"displayName","value":"Else"}`
	for what, edit := range map[string]string{"renamed": rename, "a member more": add(one)} {
		path := "/Groups/" + w.group("G")
		tag := w.want(200, "GET", path, nil).Header().Get("ETag")
		hook := func() { w.post("PATCH", path, patchOf(edit)) }
		w.counted.once.Store(&hook)
		w.want(412, "DELETE", path, nil, "If-Match", tag)
		w.want(200, "GET", path, nil)
		hook = func() { w.post("PATCH", path, patchOf(add(two))) }
		w.counted.once.Store(&hook)
		w.want(204, "DELETE", path, nil)
		if t.Failed() {
			t.Fatal(what)
		}
	}
	id := w.group("H")
	path := "/Groups/" + id
	tag := w.want(200, "GET", path, nil).Header().Get("ETag")
	between := func() { w.post("PATCH", path, patchOf(add(one))) }
	behind := func() { w.counted.once.Store(&between) } // the name
	w.counted.once.Store(&behind)
	r := w.want(412, "PATCH", path, patchOf(`{"op":"replace","path":"displayName","value":"I"},{"op":"replace","path":"members","value":[{"value":"`+two+`"}]}`), "If-Match", tag)
	if got := w.in(id); len(got) != 1 || got[0] != one || !strings.Contains(r.body.text("detail"), "is done") {
		t.Errorf("members %v: %s", got, r.Body)
	}
}

// Two clients edit one user and one group at once: nothing of either is lost.
func TestTwoClientsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id, g := w.make("a@x.example", `,"externalId":"okta1"`), w.group("G")
	var ids []string
	for i := range 8 {
		ids = append(ids, w.make(fmt.Sprintf("m%d@x.example", i)))
	}
	entra := *w
	entra.client, entra.token = w.newClient(provision.ClientEdit{Name: ptr("Entra")})
	sides := []*world{w, &entra}
	attributes := []string{"title", "displayName", "userType", "costCenter", "division", "department", "employeeNumber", "organization"}
	codes := atOnce(len(attributes), func(i int) int {
		return sides[i%2].post("PATCH", "/Users/"+id, patchOf(fmt.Sprintf(`{"op":"add","path":"%s","value":"v%d"}`, attributes[i], i)))
	})
	members := atOnce(len(ids), func(i int) int {
		return sides[i%2].post("PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[{"value":"`+ids[i]+`"}]}`))
	})
	for _, side := range sides {
		body := side.want(200, "GET", "/Users/"+id, nil).Body.String()
		for i, a := range attributes {
			if !strings.Contains(body, fmt.Sprintf(`"%s":"v%d"`, a, i)) {
				t.Errorf("%v: %s has no %s", codes, body, a)
			}
		}
	}
	if got := w.in(g); len(got) != len(ids) {
		t.Errorf("%v: %d members", members, len(got))
	}
	if strings.Contains(entra.want(200, "GET", "/Users/"+id, nil).Body.String(), "okta1") {
		t.Error("a client sees another's externalId")
	}
}

// Many operations at the members of a group read them once, and lists of many cost what
// they have.
func TestManyMemberOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("a@x.example")
	g := w.group("G", id)
	cost := func(ops int) int64 {
		calls := w.counted.calls.Load()
		w.want(200, "PATCH", "/Groups/"+g, patchOf(strings.Repeat(`{"op":"remove","path":"members[value ne \"`+id+`\"]"},`, ops)+`{"op":"replace","path":"displayName","value":"G"}`))
		return w.counted.calls.Load() - calls
	}
	if few, many := cost(1), cost(maxOperations-1); many > few {
		t.Errorf("one operation costs %d calls, %d cost %d", few, maxOperations-1, many)
	}
	var e memberEdit
	for range 500 {
		e.say(true, []directory.UserID{"x", "y"})
		e.say(false, []directory.UserID{"x"})
	}
	if e.settle(); !slices.Equal(e.remove, []directory.UserID{"x"}) || !slices.Equal(e.add, []directory.UserID{"y"}) {
		t.Errorf("%v in, %v out", e.add, e.remove)
	}
}

// However a body of one megabyte is made up, it is refused once it would cost more than what
// clients send, and changes nothing.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	listOf := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(format, "%", fmt.Sprintf("%x", i)))
		}
		return b.String()
	}
	id := w.make("ann@x.example", `,"phoneNumbers":[`+listOf(maxValues, `{"value":"a%","type":"t%"}`)+`]`)
	g := w.group("G", id)
	crowd := w.group("Crowd", id, w.make("b1@x.example"), w.make("b2@x.example"), w.make("b3@x.example"), w.make("b4@x.example"), w.make("b5@x.example"))
	filter := `members[value sw \"a\"` + strings.Repeat(` or value co \"z\"`, 120) + `]`
	for what, tt := range map[string]struct{ method, path, body string }{
		"unknown attributes":        {"POST", "/Users", `{"userName":"b@x.example",` + listOf(80_000, `"%":1`) + `}`},
		"unknown in a PATCH":        {"PATCH", "/Users/" + id, patchOf(`{"op":"add","value":{` + listOf(80_000, `"%":1`) + `}}`)},
		"an extension":              {"PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"` + schemaEnterprise + `","value":{` + listOf(maxMembers, `"%":1`) + `}},{"op":"add","path":"title","value":"x"}`)},
		"one operation, many paths": {"PATCH", "/Users/" + id, patchOf(`{"op":"add","value":{` + listOf(16_000, `"phoneNumbers[value co \"%\"].display":"x"`) + `}}`)},
		"some, each with many":      {"PATCH", "/Users/" + id, patchOf(listOf(3, `{"op":"add","value":{`+listOf(400, `"phoneNumbers[value co \"%\"].display":"x"`)+`}}`))},
		"long filters":              {"PATCH", "/Users/" + id, patchOf(listOf(500, `{"op":"add","path":"phoneNumbers[value sw \"a\"`+strings.Repeat(` or value co \"z\"`, 60)+`].display","value":"x"}`))},
		"many values":               {"PATCH", "/Users/" + id, patchOf(listOf(900, `{"op":"add","path":"phoneNumbers","value":[`+listOf(60, `"a%"`)+`]}`))},
		"values replaced":           {"PATCH", "/Users/" + id, patchOf(listOf(900, `{"op":"replace","path":"phoneNumbers","value":[`+listOf(90, `"a%"`)+`]}`))},
		"paths of a group":          {"PATCH", "/Groups/" + g, patchOf(`{"op":"add","value":{` + listOf(maxOperations, `"members[value eq \"%\"]":"x"`) + `}},{"op":"replace","path":"displayName","value":"H"}`)},
		"members by long filters":   {"PATCH", "/Groups/" + crowd, patchOf(strings.TrimSuffix(strings.Repeat(`{"op":"remove","path":"`+filter+`"},`, 300), ","))},
	} {
		r := w.send(tt.method, tt.path, tt.body)
		if r.Code != 400 || r.body.text("scimType") != typeTooMany || !strings.Contains(r.body.text("detail"), "fewer") {
			t.Errorf("%s: %d bytes: %d %.300s", what, len(tt.body), r.Code, r.Body)
		}
	}
	if u := w.user(id); u.Version != 1 || len(w.in(crowd)) != 6 || len(w.in(g)) != 1 {
		t.Errorf("%+v", u)
	}
}

// What clients push at once is far within the bounds: thousands of members by one operation,
// or each by an operation of its own.
func TestLargePushes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	var ids []string
	for i := range 1500 {
		u := directory.User{ID: directory.NewUserID(w.Now()), Profile: directory.Profile{State: directory.StateActive, Email: fmt.Sprintf("p%d@x.example", i), UserName: fmt.Sprintf("p%d", i)}}
		w.Must(w.Store.Users.CreateUsers(t.Context(), directory.AuditEvent{}, &u))
		ids = append(ids, string(u.ID))
	}
	g := w.group("G")
	values := func(ids []string) string { return `[{"value":"` + strings.Join(ids, `"},{"value":"`) + `"}]` }
	in := func(n int) {
		t.Helper()
		if got := len(w.in(g)); got != n {
			t.Errorf("%d members, want %d", got, n)
		}
	}
	w.want(204, "PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":`+values(ids)+`}`))
	in(1500)
	var each []string
	for _, id := range ids[:500] {
		each = append(each, `{"op":"remove","path":"members[value eq \"`+id+`\" and type eq \"User\"]"}`)
	}
	w.want(204, "PATCH", "/Groups/"+g, patchOf(strings.Join(each, ",")))
	in(1000)
	w.want(204, "PATCH", "/Groups/"+g, patchOf(`{"op":"remove","path":"members[type eq \"User\"]"},{"op":"add","path":"members","value":`+values(ids[:1200])+`},{"op":"remove","path":"members","value":`+values(ids[:500])+`}`))
	in(700)
	w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"replace","path":"members","value":[]}`))
	in(0)
}

// totalResults is how many there are, wherever a page begins, and however few are asked for.
func TestTotalOfFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	for i := range 7 {
		w.make(fmt.Sprintf("u%d@x.example", i), `,"title":"T"`)
	}
	w.make("none@x.example")
	w.group("G")
	for query, want := range map[string]string{
		"/Users?filter=title+pr&startIndex=1000":                "7",
		"/Users?filter=title+pr&startIndex=7":                   "7",
		"/Users?filter=title+pr&startIndex=8":                   "7",
		"/Users?filter=title+pr&count=0":                        "7",
		"/Users?filter=title+eq+%22none%22&count=0":             "0",
		"/Users?filter=userName+eq+%22u1@x.example%22&count=0":  "1",
		"/Users?filter=title+pr&count=1":                        "7",
		"/Users?filter=title+pr&count=2":                        "7",
		"/Users?filter=title+pr&count=1&startIndex=3":           "7",
		"/Users?filter=title+pr&startIndex=9223372036854775807": "7",
		"/Users?filter=title+eq+%22none%22&count=1":             "0",
		"/Users?filter=title+pr&count=2&cursor":                 "7",
		"/Users?filter=title+pr&count=0&cursor":                 "7",
		"/Users?startIndex=9223372036854775807":                 "8",
		"/Users?startIndex=99999&count=5":                       "8",
		"/Users?startIndex=9":                                   "8",
		"/Groups?startIndex=99999":                              "1",
		"/Groups?filter=displayName+pr&startIndex=99999":        "1",
		"/Groups?filter=displayName+pr&count=1":                 "1",
		"/Users?startIndex=1000":                                "8",
		"/Users?count=0":                                        "8",
		"/Groups?filter=displayName+sw+%22G%22&startIndex=1000": "1",
		"/Groups?filter=displayName+sw+%22G%22&count=0":         "1",
	} {
		if total, _ := results(w.want(200, "GET", query, nil)); total != want {
			t.Errorf("%s: %s, want %s", query, total, want)
		}
	}
}

// Where a filter finds more than one request may look at, the total is one more than was
// found, whatever number is asked for, and the pages end with the one that is right.
func TestTotalBeyondTheBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	const n = 450
	for i := range n {
		w.group(fmt.Sprintf("G%d", i))
	}
	ask := "/Groups?filter=" + esc(`not (members eq "nobody")`) + "&" // a read for each, which counts as ten
	bound := fmt.Sprint(maxLooked/(1+lookedBeside) + 1)
	for _, query := range []string{"count=0", "count=1", "count=2", "count=40", "count=0&cursor", "count=1&cursor"} {
		if total, _ := results(w.want(200, "GET", ask+query, nil)); total != bound {
			t.Errorf("%s: %s, want %s", query, total, bound)
		}
	}
	for _, how := range []string{"startIndex=1", "cursor"} {
		seen, query, total := map[string]bool{}, how, ""
		for len(seen) < n && query != "" {
			r := w.want(200, "GET", ask+"count=60&"+query, nil)
			var list []*object
			if total, list = results(r); len(list) == 0 {
				t.Fatalf("%d of %d by %s", len(seen), n, query)
			}
			for _, o := range list {
				seen[o.text("id")] = true
			}
			query = fmt.Sprintf("startIndex=%d", len(seen)+1)
			if how == "cursor" {
				if query = r.body.text("nextCursor"); query != "" {
					query = "cursor=" + query
				}
			}
		}
		if total != fmt.Sprint(n) || len(seen) != n {
			t.Errorf("by %s: %d, and a total of %s", how, len(seen), total)
		}
	}
}

// Whoever pages is led on by their pages also where those who were before them have gone, so
// that there are fewer than the page's number.
func TestPagingWhileUsersGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	for i := range 12 {
		w.make(fmt.Sprintf("u%d@x.example", i))
	}
	_, first := results(w.want(200, "GET", "/Users?count=8", nil))
	for _, o := range first {
		w.want(204, "DELETE", "/Users/"+o.text("id"), nil)
	}
	if total, rest := results(w.want(200, "GET", "/Users?count=8&startIndex=9", nil)); total != "4" || len(rest) != 4 {
		t.Errorf("%d of %s", len(rest), total)
	}
}

// Whoever pages while users come and go sees everybody who stays: once by cursor, once at
// least by numbers.
func TestPagingWhileUsersChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	stays := map[string]bool{}
	var goes []string
	for i := range 40 {
		id := w.make(fmt.Sprintf("u%d@x.example", i))
		if i%4 == 0 {
			goes = append(goes, id)
		} else {
			stays[id] = true
		}
	}
	for _, how := range []string{"startIndex=1", "cursor"} {
		seen, query := map[string]int{}, how
		for page := 0; query != ""; page++ {
			r := w.want(200, "GET", "/Users?count=5&"+query, nil)
			_, list := results(r)
			for _, o := range list {
				seen[o.text("id")]++
			}
			if page < len(goes)/2 {
				w.want(204, "DELETE", "/Users/"+goes[0], nil)
				goes = goes[1:]
				w.make(fmt.Sprintf("new-%s-%d@x.example", how[:3], page))
			}
			switch next := r.body.text("nextCursor"); {
			case next != "":
				query = "cursor=" + url.QueryEscape(next)
			case how == "cursor" || len(list) == 0:
				query = ""
			default:
				query = fmt.Sprintf("startIndex=%d", 5*(page+1)+1)
			}
		}
		for id := range stays {
			if seen[id] < 1 || seen[id] > 1 && how == "cursor" {
				t.Errorf("by %s somebody who stays was seen %d times", how, seen[id])
			}
		}
	}
}
