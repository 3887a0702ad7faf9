package entra

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// anything takes a value as encoding/json would give it to an interface, with
// numbers left out.
func (s *scanner) anything() any {
	switch s.next() {
	case '{':
		m := map[string]any{}
		s.object(func(key []byte) { k := string(key); m[k] = s.anything() })
		return m
	case '[':
		l := []any{}
		s.array(func() { l = append(l, s.anything()) })
		return l
	case '"':
		return string(s.text())
	}
	switch s.literal() {
	case 't':
		return true
	case 'f':
		return false
	}
	return nil
}

func withoutNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = withoutNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = withoutNumbers(v[i])
		}
	case float64, json.Number:
		return nil
	}
	return v
}

func compareScan(t *testing.T, data []byte) {
	t.Helper()
	if strings.Count(string(data), "[")+strings.Count(string(data), "{") >= maxDepth {
		return // bounded on purpose
	}
	var want any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	valid := json.Valid(data)
	if valid {
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
	}
	s := scanner{data: data}
	got := s.anything()
	if err := s.end(); (err == nil) != valid {
		t.Errorf("scan(%q) = %v, but encoding/json says valid: %v", data, err, valid)
	} else if valid && !reflect.DeepEqual(got, withoutNumbers(want)) {
		t.Errorf("scan(%q) = %#v, want %#v", data, got, want)
	}
	s = scanner{data: data}
	s.skip()
	if err := s.end(); (err == nil) != valid {
		t.Errorf("skip(%q) = %v, but encoding/json says valid: %v", data, err, valid)
	}
}

var scanSeeds = []string{
	`{}`, `[]`, `{"a":[1,2.5e3,-0],"b":{"c":null,"d":true,"e":false}}`, ` [ "x" , "\u00e9\n\"\\\/" , "\ud83d\ude00" , "\ud800" ] `,
	`"ü"`, "\"\xff\"", "\"\x01\"", `{"a":1,}`, `[1,]`, `{"a" 1}`, `{a:1}`, `[tru]`, `[truex]`, `[01]`, `[1 2]`, `"`, `"\`, `"\x"`, `{"a":1}{`,
	``, ` `, "\x00", `nul`, `[[[[]]]]`, `-`, `{"":""}`, "\t\r\n1", "[\u00a01]",
}

func TestScanAgreesWithEncodingJSON(t *testing.T) {
	for _, s := range scanSeeds {
		compareScan(t, []byte(s))
	}
	if err := (&scanner{data: []byte(strings.Repeat("[", 100000))}).run(); err == nil {
		t.Error("a scan of 100,000 nested lists succeeded")
	}
}

func (s *scanner) run() error { s.skip(); return s.end() }

func FuzzScan(f *testing.F) {
	for _, s := range scanSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		compareScan(t, data)
		// Whatever comes, a page is decoded or refused.
		if page, err := decodePage(data, newSelection(nil), false); err == nil && !json.Valid(data) {
			t.Errorf("decodePage(%q) = %v of what is not JSON", data, page)
		}
	})
}

// bigPage is a page of 999 accounts with all properties.
func bigPage() ([]byte, []string) {
	selected := append([]string{"displayName", "givenName", "surname", "mailNickname"}, directory.OptionalProperties...)
	var b strings.Builder
	b.WriteString(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users","@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=x","value":[`)
	for i := range 999 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"55555555-aaaa-4bbb-8ccc-%012d","userType":"Member","onPremisesSyncEnabled":null,"createdDateTime":"2026-01-02T03:04:05Z",`+
			`"proxyAddresses":["SMTP:user%d@fabrikam.example"],"mail":"user%d@fabrikam.example","userPrincipalName":"user%d@fabrikam.example","accountEnabled":true,`+
			`"employeeId":"E%d","displayName":"Üser Number %d","givenName":"User","surname":"Number %d","mailNickname":"user%d","otherMails":[],`+
			`"businessPhones":["+41 44 000 %04d"],"mobilePhone":null,"streetAddress":"Street %d","city":"Zürich","state":"ZH","postalCode":"8000","country":"Switzerland",`+
			`"department":"Department %d","jobTitle":"Clerk","officeLocation":"B%d","companyName":"Fabrikam","employeeType":"Employee","usageLocation":"CH","preferredLanguage":"de-CH"}`,
			i, i, i, i, i, i, i, i, i, i, i%20, i%7)
	}
	b.WriteString("]}")
	return []byte(b.String()), selected
}

func BenchmarkDecodePage(b *testing.B) {
	body, selected := bigPage()
	sel := newSelection(selected)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if page, err := decodePage(body, sel, false); err != nil || len(page.Accounts) != 999 {
			b.Fatal(err)
		}
	}
}

// TestGarbageOfAPage holds what is allocated besides the result below a megabyte.
func TestGarbageOfAPage(t *testing.T) {
	body, selected := bigPage()
	sel := newSelection(selected)
	var before, after, kept runtime.MemStats
	for range 3 { // what tests before this one left in pools goes with the second, what waits for finalizers with the third
		runtime.GC()
	}
	runtime.ReadMemStats(&before)
	page, err := decodePage(body, sel, false)
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&kept)
	if err != nil || len(page.Accounts) != 999 {
		t.Fatal(len(page.Accounts), err)
	}
	allocated, result := after.TotalAlloc-before.TotalAlloc, int64(kept.HeapAlloc)-int64(before.HeapAlloc)
	if garbage := int64(allocated) - result; garbage > 1<<20 {
		t.Errorf("decoding a page left %d bytes of garbage beside a result of %d", garbage, result)
	} else {
		t.Logf("%d bytes of garbage beside a result of %d", garbage, result)
	}
	runtime.KeepAlive(page)
}
