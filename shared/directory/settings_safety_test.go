package directory

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// safetySample is two settings that differ in one key. testdata/safety.json has
// some for every key; the tests of the API go through them as well.
type safetySample struct {
	Key          string // as the table of safety names it
	Named        string // as an edit of it is named
	Neutral      bool
	Tight, Loose json.RawMessage
}

func safetySamples(t *testing.T) []safetySample {
	t.Helper()
	raw, err := os.ReadFile("testdata/safety.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []safetySample
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// keysOf are the keys of settings, as their JSON has them.
func keysOf(typ reflect.Type, prefix string) []string {
	switch typ.Kind() {
	case reflect.Map:
		return keysOf(typ.Elem(), prefix+".*")
	case reflect.Struct:
		var list []string
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			list = append(list, keysOf(typ.Field(i).Type, strings.TrimPrefix(prefix+"."+name, "."))...)
		}
		return list
	}
	return []string{prefix}
}

// Whoever adds a key says what editing it does to safety.
func TestEveryKeyOfSettingsIsJudged(t *testing.T) {
	rows, judged := map[string]int{}, map[string]bool{}
	for _, row := range settingsSafety {
		for _, key := range row.keys {
			rows[key]++
			judged[key] = row.judge != nil
		}
	}
	samples, shifts := map[string]int{}, map[string]bool{}
	for _, s := range safetySamples(t) {
		samples[s.Key]++
		shifts[s.Key] = shifts[s.Key] || !s.Neutral
	}
	keys := keysOf(reflect.TypeFor[Settings](), "")
	if len(keys) < 30 {
		t.Fatalf("Settings has the keys %q, which cannot be all", keys)
	}
	for _, key := range keys {
		if rows[key] != 1 || samples[key] == 0 {
			t.Errorf("settings.%s stands in %d rows of settingsSafety and has %d samples; want 1, and some", key, rows[key], samples[key])
		}
		if judged[key] != shifts[key] {
			t.Errorf("settings.%s is judged (%v) otherwise than its samples say (%v)", key, judged[key], shifts[key])
		}
	}
	for key := range rows {
		if !slices.Contains(keys, key) {
			t.Errorf("settingsSafety judges %s, which is no key of Settings", key)
		}
	}
}

func TestSafetyOf(t *testing.T) {
	for _, s := range safetySamples(t) {
		tight, err := ParseSettings(s.Tight)
		if err != nil {
			t.Fatalf("%s: %v", s.Tight, err)
		}
		loose, err := ParseSettings(s.Loose)
		if err != nil {
			t.Fatalf("%s: %v", s.Loose, err)
		}
		var want []string
		if !s.Neutral {
			want = []string{s.Named}
		}
		if got := SafetyOf(tight, loose); !slices.Equal(got.Loosened, want) || len(got.Tightened) > 0 {
			t.Errorf("SafetyOf(%s → %s) = %+v, want loosened %q", s.Tight, s.Loose, got, want)
		}
		if got := SafetyOf(loose, tight); !slices.Equal(got.Tightened, want) || len(got.Loosened) > 0 {
			t.Errorf("SafetyOf(%s → %s) = %+v, want tightened %q", s.Loose, s.Tight, got, want)
		}
		if got := SafetyOf(loose, loose); got.Loosened != nil || got.Tightened != nil {
			t.Errorf("SafetyOf(%s → the same) = %+v", s.Loose, got)
		}
	}
}

// What loosens in one way and tightens in another needs the decision all the same.
func TestSafetyOfMixedEdits(t *testing.T) {
	for _, tt := range []struct {
		old, next string
		loosened  []string
	}{
		{`{"guard":{"block":{"count":100}}}`, `{"guard":{"block":{"share":0.01}}}`, []string{"guard.block"}},
		{`{"guard":{"block":{"count":0}}}`, `{"guard":{}}`, []string{"guard.block"}},
		{`{"guard":{"block":{"count":100}}}`, `{"guard":{}}`, []string{"guard.block"}}, // the share comes back
		{`{"guard":{"block":{"count":100,"share":0.5}}}`, `{}`, nil},
		{`{"guard":{"create":{"count":0}}}`, `{"guard":{"create":{"count24h":5}}}`, []string{"guard.create"}},
		{`{"guard":{"block":{"by":["domain"]}}}`, `{"guard":{"block":{"by":["department"]}}}`, []string{"guard.block.by"}},
		{`{"protected":["a@corp.example"]}`, `{"protected":["b@corp.example"]}`, []string{"protected"}},
		{`{"onRelease":"block"}`, `{"onRelease":"restore"}`, []string{"onRelease"}},
		{`{"onRelease":"restore"}`, `{"onRelease":"block"}`, []string{"onRelease"}},
		{`{"foreignChange":{"default":"report"}}`, `{"foreignChange":{"department":"report"}}`, []string{"foreignChange.default"}},
		{`{"fourEyes":true,"mode":"approve"}`, `{"interval":"1h"}`, []string{"fourEyes", "mode"}},
		{`{"attributes":{"mobilePhone":{"export":true}}}`, `{"attributes":{"otherMails":{"export":true,"clear":true}}}`,
			[]string{"attributes.otherMails.clear", "attributes.otherMails.export"}},
	} {
		old, err := ParseSettings([]byte(tt.old))
		if err != nil {
			t.Fatal(err)
		}
		next, err := ParseSettings([]byte(tt.next))
		if err != nil {
			t.Fatal(err)
		}
		if got := SafetyOf(old, next).Loosened; !slices.Equal(got, tt.loosened) {
			t.Errorf("SafetyOf(%s → %s) loosens %q, want %q", tt.old, tt.next, got, tt.loosened)
		}
	}
}
