package odata

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// thing is what the tests filter, search and sort.
var thing = map[string]any{
	"name": "Zoë O'Neill", "enabled": true, "size": 3.0, "made": "2026-01-02T03:04:05Z", "none": nil,
	"aliases": []any{"SMTP:zoe@contoso.example", "smtp:z@contoso.example"},
	"record":  map[string]any{"inner": "x"},
	"targets": []any{map[string]any{"id": "1"}, map[string]any{"id": "2"}},
}

func get(path string) any {
	name, rest, nested := strings.Cut(path, "/")
	if record, ok := thing[name].(map[string]any); ok && nested {
		return record[rest]
	}
	return thing[name]
}

func anything(string, string, any) *Error { return nil }

func TestFilter(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]bool{
		"name eq 'zoë o''neill'":                           true,
		"name eq 'Zoë'":                                    false,
		"name ne 'Zoë'":                                    true,
		"startswith(name,'ZOË')":                           true,
		"endsWith(name,'neill') and enabled eq true":       true,
		"enabled eq false or size eq 3":                    true,
		"enabled eq false and size eq 3 or name eq 'x'":    false,
		"enabled eq false and (size eq 3 or name eq 'x')":  false,
		"not(enabled eq false)":                            true,
		"not enabled eq true":                              false,
		"made ge 2026-01-02T03:04:05Z":                     true,
		"made le 2026-01-02T04:04:05+01:00":                true,
		"made lt 2026-01-02T03:04:05Z":                     false,
		"none eq null":                                     true,
		"name eq null":                                     false,
		"name ne null":                                     true,
		"size in (1, 2, 3)":                                true,
		"name in ('a', 'b')":                               false,
		"aliases/any(a:a eq 'smtp:ZOE@contoso.example')":   true,
		"aliases/any(a: startsWith(a, 'x'))":               false,
		"targets/any(t: t/id eq '2')":                      true,
		"targets/any(t: t/id eq '2' and enabled eq false)": false,
		"aliases/$count eq 2":                              true,
		"aliases/$count ne 2":                              false,
		"record/inner eq 'X'":                              true,
		"size eq 3.5":                                      false, "size lt 3.5": true,
		"size gt 2": true,
		"name eq 33333333-aaaa-4bbb-8ccc-000000000001 or true eq true": false,
	} {
		f, e := ParseFilter(filter, anything)
		if e != nil {
			t.Errorf("ParseFilter(%q) = %s", filter, e.Message)
			continue
		}
		if got := f.Match(get); got != want {
			t.Errorf("%q holds: %v, want %v", filter, got, want)
		}
	}
}

func TestFilterIsRefused(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{
		"", "and", "name", "name eq", "name eq 'x", "name like 'x'", "contains(name,'x')", "(name eq 'x'", "name eq 'x' name", "name eq x",
		"aliases/any(a)", "aliases/any(a:a eq 'x'", "name in ('x'", "name in 'x'", "startswith(name)", "startswith(name,1)", "aliases/$count gt 1",
		strings.Repeat("(", 200) + "name eq 'x'" + strings.Repeat(")", 200), strings.Repeat("not ", 200) + "name eq 'x'",
	} {
		if _, e := ParseFilter(filter, anything); e == nil {
			t.Errorf("%q is parsed", filter)
		} else if e.Status != 400 {
			t.Errorf("%q is refused with %d", filter, e.Status)
		}
	}
}

// The caller hears of each comparison, in an any() by the name of the collection.
func TestFilterIsChecked(t *testing.T) {
	t.Parallel()
	var seen []string
	_, e := ParseFilter("startswith(name,'x') and aliases/any(a:a eq 'y') or targets/any(t:t/id in ('1','2')) and aliases/$count eq 0", func(path, op string, literal any) *Error {
		seen = append(seen, fmt.Sprint(path, " ", op, " ", literal))
		return nil
	})
	want := []string{"name startswith x", "aliases eq y", "targets/id in 1", "targets/id in 2", "aliases $count 0"}
	if e != nil || !slices.Equal(seen, want) {
		t.Errorf("checked %q, %v, want %q", seen, e, want)
	}
	refused := BadRequest("no")
	if _, e := ParseFilter("name eq 'x'", func(string, string, any) *Error { return refused }); e != refused {
		t.Errorf("a refusal of the caller's is %v", e)
	}
}

// An index can answer a choice of equal texts and nothing else.
func TestChoice(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string][]Equality{
		"name eq 'a'":                             {{"name", "a"}},
		"name eq 'a' or aliases/any(x:x eq 'b')":  {{"name", "a"}, {"aliases", "b"}},
		"(name eq 'a' or name eq 'b')":            {{"name", "a"}, {"name", "b"}},
		"name eq 'a' and mail eq 'b'":             nil,
		"not(name eq 'a')":                        nil,
		"name eq 'a' or startswith(name,'b')":     nil,
		"name eq 'a' or size eq 3":                nil,
		"name eq 'a' or name in ('b')":            nil,
		"name eq 'a' or aliases/$count eq 0":      nil,
		"aliases/any(x:x eq 'b' and name eq 'a')": nil,
	} {
		f, e := ParseFilter(filter, anything)
		if e != nil {
			t.Fatalf("%q: %s", filter, e.Message)
		}
		if got := f.Choice(); !slices.Equal(got, want) {
			t.Errorf("%q is the choice %v, want %v", filter, got, want)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	values := func(property string) []string {
		if property == "aliases" {
			return []string{"smtp:z@contoso.example", "smtp:q@elsewhere.example"}
		}
		return []string{"Zoë O'Neill-Smith"}
	}
	resolve := func(name string) (string, bool) { return strings.ToLower(name), name != "size" }
	for search, want := range map[string]bool{
		`"name:zo"`: true, `"name:nei"`: true, `"name:smi"`: true, `"name:mith"`: false, `"Aliases:elsewhere"`: true,
		`"name:zo" AND "aliases:contoso"`: true, `"name:zo" AND "aliases:nowhere"`: false, `"name:x" OR "name:zo"`: true,
		`"name:x" AND "name:zo" OR "aliases:q"`: false, `"name:x" AND "name:zo" OR "aliases:contoso"`: true,
	} {
		s, e := ParseSearch(search, resolve)
		if e != nil {
			t.Errorf("%s is refused: %s", search, e.Message)
		} else if got := s.Match(values); got != want {
			t.Errorf("%s finds: %v, want %v", search, got, want)
		}
	}
	for _, search := range []string{`name:zo`, `"name:zo`, `"zo"`, `"size:3"`, `"name:a" "name:b"`, `"name:a" XOR "name:b"`} {
		if _, e := ParseSearch(search, resolve); e == nil {
			t.Errorf("%s is parsed", search)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	resolve := func(name string) (string, *Error) {
		if name == "size" {
			return "", Unsupported("no")
		}
		return name, nil
	}
	keys, e := ParseOrder("name desc, mail", resolve)
	if e != nil || !slices.Equal(keys, []SortKey{{"name", true}, {"mail", false}}) {
		t.Errorf("ParseOrder = %v, %v", keys, e)
	}
	of := func(name, mail string) func(string) string {
		return func(p string) string { return map[string]string{"name": name, "mail": mail}[p] }
	}
	if Compare(keys, of("a", "x"), of("b", "x")) <= 0 || Compare(keys, of("a", "x"), of("a", "y")) >= 0 || Compare(keys, of("a", "x"), of("a", "x")) != 0 {
		t.Error("the order is wrong")
	}
	for _, order := range []string{"", "name up", "name desc mail", "size", "name,,mail"} {
		if _, e := ParseOrder(order, resolve); e == nil {
			t.Errorf("$orderby=%s is parsed", order)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	operations := map[string]bool{"delta": true, "restore": true}
	for path, want := range map[string]string{
		"/users": "users",
		"/Users/Ann@contoso.example/Manager/$ref":           "users ann@contoso.example manager $ref",
		"/users('o''neill@contoso.example')/photo":          "users o'neill@contoso.example photo",
		"/users/o%27neill@contoso.example":                  "users o'neill@contoso.example",
		"/users/delta()":                                    "users delta",
		"/users/microsoft.graph.delta()":                    "users delta",
		"/users/graph.delta":                                "users delta",
		"/me/memberOf/graph.group":                          "me memberof microsoft.graph.group",
		"/me/memberOf/microsoft.graph.directoryRole":        "me memberof microsoft.graph.directoryrole",
		"/servicePrincipals(appId='X')":                     "serviceprincipals (appid)x",
		"/directory/deletedItems/1/microsoft.graph.restore": "directory deleteditems 1 restore",
		"/users/a(b": "users a(b",
	} {
		p, e := ParsePath("GET", path, operations)
		if e != nil || strings.Join(p.Names, " ") != want {
			t.Errorf("ParsePath(%q) = %q, %v, want %q", path, p.Names, e, want)
		}
	}
	for _, path := range []string{"", "/", "/users//x", "/users/%zz"} {
		if p, e := ParsePath("GET", path, operations); e == nil {
			t.Errorf("ParsePath(%q) = %q", path, p.Names)
		}
	}
	if p, _ := ParsePath("GET", "/Users/Ann", operations); !slices.Equal(p.Raw, []string{"Users", "Ann"}) {
		t.Errorf("as sent it is %q", p.Raw)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	o, e := ParseOptions("$Select=id,%20name&$TOP=5&$count=TRUE&$expand=manager($select=id,displayName)&x=1")
	if e != nil {
		t.Fatal(e.Message)
	}
	if got := o.Select(); !slices.Equal(got, []string{"id", "name"}) {
		t.Errorf("Select = %q", got)
	}
	if n, e := o.Top(100, 999); n != 5 || e != nil {
		t.Errorf("Top = %d, %v", n, e)
	}
	if !o.Count() {
		t.Error("Count = false")
	}
	if got, e := o.Expand(); e != nil || !reflect.DeepEqual(got, Expansion{"manager", []string{"id", "displayName"}, 1}) {
		t.Errorf("Expand = %+v, %v", got, e)
	}
	if got := o.Without("$top", "$expand", "$select").Encode(); got != "%24count=TRUE&x=1" || o["$top"] != "5" {
		t.Errorf("Without = %s", got)
	}
	for _, query := range []string{"$top=1&$top=2", "$top=1&$TOP=2", "$apply=x", "a=%zz"} {
		if _, e := ParseOptions(query); e == nil {
			t.Errorf("%s is parsed", query)
		}
	}
	for _, top := range []string{"0", "-1", "1000", "x", ""} {
		if _, e := (Options{"$top": top}).Top(100, 999); e == nil {
			t.Errorf("$top=%s is taken", top)
		}
	}
	for text, levels := range map[string]int{"manager($levels=max;$select=id)": AllLevels, "manager($select=id;$levels=3)": 3, "manager($levels=0)": 0, "manager($levels=-1)": 0, "manager($levels=all)": 0} {
		got, e := Options{"$expand": text}.Expand()
		if got.Levels != levels || (e == nil) != (levels != 0) {
			t.Errorf("Expand of %s = %+v, %v", text, got, e)
		}
	}
	if o, e := ParseOptions("$expand=manager($levels=max;$select=id)&$count=true"); e != nil || o["$expand"] != "manager($levels=max;$select=id)" || !o.Count() {
		t.Errorf("a bare semicolon: %v, %v", o, e)
	}
	if _, e := (Options{"$expand": "manager($filter=x)"}).Expand(); e == nil {
		t.Error("an expansion with a filter is taken")
	}
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	for prefer, want := range map[string]int{"": 200, "odata.maxpagesize=7": 7, "return=minimal, OData.MaxPageSize=5000": 999, "odata.maxpagesize=x": 200, "odata.maxpagesize=0": 200} {
		if got := PageSize(prefer, 200, 999); got != want {
			t.Errorf("PageSize(%q) = %d, want %d", prefer, got, want)
		}
	}
	if !Minimal("odata.maxpagesize=7, Return=Minimal") || Minimal("return=representation") {
		t.Error("return=minimal is not told apart")
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := PageToken{After: "x", Made: made, Query: 7}
	if got, ok := OpenPage(p.Seal()); !ok || got != p {
		t.Errorf("OpenPage = %+v, %v", got, ok)
	}
	d := DeltaToken{Kind: "user", Tenant: "t", Since: 3, Names: []string{"city"}, IDs: []string{"x"}, Made: made}
	if got, ok := OpenDelta(d.Seal()); !ok || !reflect.DeepEqual(got, d) {
		t.Errorf("OpenDelta = %+v, %v", got, ok)
	}
	for _, text := range []string{"", "xyz", p.Seal()[:20]} {
		if _, ok := OpenPage(text); ok {
			t.Errorf("OpenPage(%q) opens", text)
		}
	}
}

func TestParseIDs(t *testing.T) {
	t.Parallel()
	const one, two = "33333333-AAAA-4bbb-8ccc-000000000001", "33333333-aaaa-4bbb-8ccc-000000000002"
	got, e := ParseIDs("id eq '" + one + "' or ID eq " + two)
	if want := []string{strings.ToLower(one), two}; e != nil || !slices.Equal(got, want) {
		t.Errorf("ParseIDs = %q, %v, want %q", got, e, want)
	}
	if got, e := ParseIDs(" "); got != nil || e != nil {
		t.Errorf("ParseIDs of nothing = %q, %v", got, e)
	}
	for _, filter := range []string{"id ne '" + one + "'", "name eq 'x'", "id eq 'x'", strings.Repeat("id eq '"+one+"' or ", 51)} {
		if got, e := ParseIDs(filter); e == nil {
			t.Errorf("ParseIDs(%.40q) = %q", filter, got)
		}
	}
}

func TestParseBatch(t *testing.T) {
	t.Parallel()
	items, e := ParseBatch([]byte(`{"requests":[{"id":"1","method":"get","url":"users/x?$select=id"},{"id":"2","method":"PATCH","url":"/me","headers":{"Content-Type":"application/json"},"body":{"a":1},"dependsOn":["1"]},{"id":"3","method":"GET","url":"/me","body":null}]}`))
	if e != nil || len(items) != 3 {
		t.Fatalf("ParseBatch = %v, %v", items, e)
	}
	if path, query, e := items[0].Address(); path != "/users/x" || query != "$select=id" || e != nil || items[0].Method != "GET" {
		t.Errorf("the first is %s %s?%s, %v", items[0].Method, path, query, e)
	}
	if string(items[1].Body) != `{"a":1}` || items[1].Headers["Content-Type"] != "application/json" || items[2].Body != nil {
		t.Errorf("the others are %+v", items[1:])
	}
	if _, _, e := (Item{URL: "https://graph.microsoft.com/v1.0/me"}).Address(); e == nil {
		t.Error("an absolute address is taken")
	}
	for name, body := range map[string]string{
		"nothing": "", "no list": `{}`, "empty": `{"requests":[]}`, "no id": `{"requests":[{"method":"GET","url":"/me"}]}`,
		"same id": `{"requests":[{"id":"a","method":"GET","url":"/me"},{"id":"A","method":"GET","url":"/me"}]}`,
		"no url":  `{"requests":[{"id":"1","method":"GET"}]}`, "later": `{"requests":[{"id":"1","method":"GET","url":"/me","dependsOn":["2"]},{"id":"2","method":"GET","url":"/me"}]}`,
		"21": `{"requests":[` + strings.Repeat(`{"id":"x","method":"GET","url":"/me"},`, 20) + `{"id":"x","method":"GET","url":"/me"}]}`,
	} {
		if _, e := ParseBatch([]byte(body)); e == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, want := range map[string]string{"X-Ms-Resource-Unit": "x-ms-resource-unit", "Request-Id": "request-id", "Client-Request-Id": "client-request-id", "Odata-Version": "OData-Version", "Retry-After": "Retry-After"} {
		if got := ItemHeader(name); got != want {
			t.Errorf("ItemHeader(%s) = %s, want %s", name, got, want)
		}
	}
}

func TestErrorBody(t *testing.T) {
	t.Parallel()
	e := Refuse("Request_BadRequest", "no %s", "way").With(Detail{Code: "InvalidValue", Message: "no way", Target: "city"})
	body := e.Body(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "r", "")["error"].(map[string]any)
	inner := body["innerError"].(map[string]any)
	if e.Status != 400 || body["code"] != "Request_BadRequest" || body["message"] != "no way" || len(body["details"].([]Detail)) != 1 {
		t.Errorf("the error is %v", body)
	}
	if inner["date"] != "2026-01-02T03:04:05" || inner["request-id"] != "r" || inner["client-request-id"] != "r" {
		t.Errorf("the inner error is %v", inner)
	}
}

// FuzzFilter: whatever stands in a $filter, it is parsed or refused with 400, and
// what was parsed can be evaluated over anything.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"name eq 'x'", "startswith(name,'x') and not(size in (1,2))", "aliases/any(a:a eq 'x' or a eq 'y')", "aliases/$count ne 0",
		"made ge 2026-01-02T03:04:05Z", "((", "name eq 'O''Neill'", "not not x eq null", "a/any(b:b/c/any(d:d eq b))", "x in ('\x00', 1e309)", "é eq 'é'", "\xef\xe1\xf9/AnY(a:a eq 'x')",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, e := ParseFilter(text, anything)
		if e != nil {
			if e.Status != 400 || e.Code == "" || e.Message == "" {
				t.Errorf("%q is refused with %+v", text, e)
			}
			return
		}
		filter.Match(get)
		filter.Match(func(string) any { return nil })
		if filter.Choice() != nil && filter.Negated() {
			t.Errorf("%q is a choice and negated", text)
		}
	})
}

// FuzzRequest: whatever path, query, search, order and batch a client sends is taken
// apart or refused.
func FuzzRequest(f *testing.F) {
	f.Add("/users('x')/delta()", "$select=id&$top=5&$expand=manager($select=id)", `"name:x" AND "name:y"`, `{"requests":[{"id":"1","method":"GET","url":"/me"}]}`)
	f.Add("/%2f/(a='b')", "$skiptoken=RFNwdAIAAQAAABe30&$filter=", `""`, `{"requests":[null]}`)
	f.Fuzz(func(t *testing.T, path, query, text, batch string) {
		if p, e := ParsePath("GET", path, map[string]bool{"delta": true}); e == nil && (len(p.Names) == 0 || len(p.Names) != len(p.Raw)) {
			t.Errorf("ParsePath(%q) = %q of %q", path, p.Names, p.Raw)
		}
		if o, e := ParseOptions(query); e == nil {
			o.Select()
			o.Count()
			if n, e := o.Top(100, 999); e == nil && (n < 1 || n > 999) {
				t.Errorf("%q: $top = %d", query, n)
			}
			o.Expand()
			again, e := ParseOptions(o.Encode())
			if e != nil || !reflect.DeepEqual(again, o) {
				t.Errorf("%q read again is %q, %v", query, again, e)
			}
			OpenPage(o["$skiptoken"])
			OpenDelta(o["$deltatoken"])
			ParseIDs(o["$filter"])
		}
		if s, e := ParseSearch(text, func(name string) (string, bool) { return name, true }); e == nil {
			s.Match(func(string) []string { return []string{text, ""} })
		}
		ParseOrder(text, func(name string) (string, *Error) { return name, nil })
		PageSize(text, 200, 999)
		if items, e := ParseBatch([]byte(batch)); e == nil {
			for _, it := range items {
				it.Address()
			}
		}
	})
}
