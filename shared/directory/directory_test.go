package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIDsSortByTime(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a, b, later := NewRunID(now), NewRunID(now), NewRunID(now.Add(time.Millisecond))
	if a == b {
		t.Error("two IDs of one moment are equal")
	}
	if soon := NewRunID(now.Add(1)); soon <= a || soon <= b || soon >= later {
		t.Errorf("%s of a later nanosecond does not sort behind %s and %s", soon, a, b)
	}
	if later <= a || later <= b {
		t.Errorf("%s of a later millisecond does not sort behind %s and %s", later, a, b)
	}
	if !strings.HasPrefix(string(a), "run_") || len(a) != len("run_")+26 {
		t.Errorf("NewRunID = %q", a)
	}
}

func TestValueKeepsKindsThroughJSON(t *testing.T) {
	for text, want := range map[string]Value{
		`null`: Null, `""`: Null, `[]`: Null, `"a b"`: StringValue("a b"), `true`: BoolValue(true), `false`: BoolValue(false),
		`["a","b"]`: ListValue("a", "b"),
	} {
		var v Value
		if err := json.Unmarshal([]byte(text), &v); err != nil || !v.Equal(want) {
			t.Errorf("Unmarshal(%s) = %v, %v, want %v", text, v, err, want)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var again Value
		if err := json.Unmarshal(raw, &again); err != nil || !again.Equal(v) {
			t.Errorf("%s came back as %v, %v", raw, again, err)
		}
	}
	for _, text := range []string{`1`, `{}`, `[1]`, `nul`} {
		var v Value
		if err := json.Unmarshal([]byte(text), &v); err == nil {
			t.Errorf("Unmarshal(%s) = %v, want an error", text, v)
		}
	}
	if BoolValue(false).Equal(Null) || StringValue("true").Equal(BoolValue(true)) {
		t.Error("values of two kinds are equal")
	}
}

func TestSettingsAreStrict(t *testing.T) {
	good := `{"attributes":{"jobTitle":{"export":true,"clear":true},"extensionAttribute15":{"export":true,"from":"badge"}},
		"domainMap":{"corp.example":"m365.corp.example"},"interval":"5m","mode":"approve","foreignChange":{"default":"report","jobTitle":"revert"},
		"onRelease":"restore","onDelete":"delete","onSoftDeleted":"restore","initialAccess":"temporary-password",
		"import":{"attributes":["jobTitle"],"state":"staged"},"guard":{"block":{"count":3,"share":0.1,"by":["department","domain"]},"update-to-empty":{"count24h":1,"share7d":1}},
		"breaker":{"over":50,"failures":0.1,"mismatches":0},"protected":["a@b.example"]}`
	s, err := ParseSettings([]byte(good))
	if err != nil || time.Duration(s.Interval) != 5*time.Minute || s.Foreign("jobTitle") != ForeignRevert || s.Foreign("city") != ForeignReport {
		t.Fatalf("ParseSettings = %+v, %v", s, err)
	}
	for text, want := range map[string]string{
		`{"intervall":"5m"}`:                                         "intervall",
		`{"interval":"1m"}`:                                          "between 5m and 24h",
		`{"interval":"25h"}`:                                         "between 5m and 24h",
		`{"interval":5}`:                                             "interval",
		`{"mode":"maybe"}`:                                           "automatic or approve",
		`{"attributes":{"shoeSize":{"export":true}}}`:                "shoeSize",
		`{"attributes":{"accountEnabled":{"export":false}}}`:         "always exported",
		`{"attributes":{"extensionAttribute16":{}}}`:                 "extensionAttribute16",
		`{"attributes":{"usageLocation":{"export":true,"clear":1}}}`: "clear",
		`{"attributes":{"usageLocation":{"clear":true}}}`:            "does not let usageLocation",
		`{"domainMap":{"corp":"x.example"}}`:                         `"corp" is not a domain`,
		`{"guard":{"grant":{"count":1}}}`:                            "no such limit",
		`{"guard":{"block":{"share":1.5}}}`:                          "between 0 and 1",
		`{"guard":{"block":{"count":-1}}}`:                           "negative",
		`{"guard":{"block":{"count24h":-1}}}`:                        "guard.block.count24h",
		`{"guard":{"block":{"share7d":2}}}`:                          "guard.block.share7d",
		`{"guard":{"block":{"by":["floor"]}}}`:                       `"floor"`,
		`{"guard":{"block":{"by":["domain","domain"]}}}`:             "twice",
		`{"breaker":{"over":-1}}`:                                    "breaker.over",
		`{"breaker":{"failures":1.1}}`:                               "breaker.failures",
		`{"breaker":{"mismatches":-0.1}}`:                            "breaker.mismatches",
		`{"protected":[" "]}`:                                        "empty entry",
		`{"protected":["ann.corp.example"]}`:                         "neither the ID",
		`{"protected":["ann @b.example"]}`:                           "neither the ID",
		`{} {}`:                                                      "behind",
		`[]`:                                                         "settings",
	} {
		_, err := ParseSettings([]byte(text))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSettings(%s) = %v, want a refusal that says %q", text, err, want)
		}
	}
	// All faults at once.
	_, err = ParseSettings([]byte(`{"mode":"x","interval":"1s","onDelete":"y"}`))
	if r, ok := errors.AsType[*Refusal](err); !ok || len(r.Fields) != 3 {
		t.Errorf("three faults give %v", err)
	}
}

// TestWakeUps are read by older and newer versions of Bindery: what a reader
// does not know is passed over, or kept for who does.
func TestWakeUps(t *testing.T) {
	w := WakeUp{ConnectionID: "con_1", JobID: "job_1", Second: true}
	if got, err := ParseWakeUp(w.Encode()); err != nil || got != w {
		t.Errorf("ParseWakeUp(Encode) = %+v, %v", got, err)
	}
	for text, want := range map[string]WakeUp{
		`{"connectionId":"c","groups":["g"],"priority":3}`: {ConnectionID: "c"},
		`{"connectionId":"c","needs":1,"kept":2}`:          {ConnectionID: "c", Needs: 1, Kept: 2},
	} {
		if got, err := ParseWakeUp([]byte(text)); err != nil || got != want {
			t.Errorf("ParseWakeUp(%s) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{``, `{}`, `{"evil":1}`, `{"connectionId":"c"}{}`, `[]`, `{"connectionId":5}`} {
		if w, err := ParseWakeUp([]byte(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseWakeUp(%s) = %+v, %v, want ErrInvalid", text, w, err)
		}
	}
}

func TestWakeUpOfANewerVersionIsKept(t *testing.T) {
	body := []byte(`{"needs":2,"groups":{"id":"g"},"connectionId":7}`)
	times := 0
	for {
		w, err := ParseWakeUp(body)
		if !errors.Is(err, ErrNewer) {
			t.Fatalf("ParseWakeUp(%s) = %v, want ErrNewer", body, err)
		}
		next, ok := w.Keep()
		if !ok {
			break
		}
		times++
		body = next.Encode()
	}
	if times != maxKept {
		t.Errorf("kept %d times, want %d", times, maxKept)
	}
	if want := `{"connectionId":7,"groups":{"id":"g"},"kept":30,"needs":2}`; string(body) != want {
		t.Errorf("sent on as %s, want %s", body, want)
	}
}

// TestKnown: what an older version writes that a newer one does not know, or
// the other way round.
func TestKnown(t *testing.T) {
	run := func(edit func(*Run)) *Run {
		r := &Run{Kind: KindSync, State: RunApplying, Counts: map[Effect]int{EffectUpdate: 1, EffectUpdateToEmpty: 1}}
		edit(r)
		return r
	}
	for what, c := range map[string]struct{ got, want bool }{
		"a run":                        {run(func(*Run) {}).Known(), true},
		"a run of another kind":        {run(func(r *Run) { r.Kind = "sync-groups" }).Known(), false},
		"a run in another state":       {run(func(r *Run) { r.State = "scanning" }).Known(), false},
		"a run with another effect":    {run(func(r *Run) { r.Counts["group-merge"] = 1 }).Known(), false},
		"a job":                        {(&Job{Kind: JobLoad, State: JobQueued}).Known(), true},
		"a job that has ended":         {(&Job{Kind: JobLoad, State: JobDone}).Known(), true},
		"a job of another kind":        {(&Job{Kind: "merge", State: JobQueued}).Known(), false},
		"a job in another state":       {(&Job{Kind: JobLoad, State: "paused"}).Known(), false},
		"a job that nobody does today": {(&Job{Kind: "sweep", State: JobQueued}).Known(), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: Known = %v, want %v", what, c.got, c.want)
		}
	}
}

func TestDirtyAndEnabled(t *testing.T) {
	for _, c := range []struct {
		b    Binding
		want bool
	}{
		{Binding{Wanted: 2, Applied: 2}, false}, {Binding{Wanted: 3, Applied: 2}, true},
		{Binding{Recheck: true}, true}, {Binding{Release: ReleaseBlock}, true},
	} {
		if got := c.b.Dirty(); got != c.want {
			t.Errorf("%+v Dirty = %v, want %v", c.b, got, c.want)
		}
	}
	now := time.Now()
	u := User{Profile: Profile{State: StateActive}}
	if !u.Enabled() {
		t.Error("an active user is not enabled")
	}
	if u.Deleted = &now; u.Enabled() {
		t.Error("a deleted user is enabled")
	}
	if d := DomainOf(" Ann@Corp.EXAMPLE "); d != "corp.example" {
		t.Errorf("DomainOf = %q", d)
	}
}

func TestExtensionAttributesAreFifteen(t *testing.T) {
	n := 0
	for i := range 100 {
		if IsExtensionAttribute(fmt.Sprint("extensionAttribute", i)) {
			n++
		}
	}
	if n != 15 || !IsExtensionAttribute("extensionAttribute1") || !IsExtensionAttribute("extensionAttribute15") {
		t.Errorf("%d names count", n)
	}
	for _, name := range []string{"extensionAttribute", "extensionAttribute01", "extensionAttribute+1", "extensionAttribute 1", "extensionattribute1", "1", ""} {
		if IsExtensionAttribute(name) {
			t.Errorf("%q counts", name)
		}
	}
}

func TestSensitivePropertiesAreAmongThoseThatCanBeSwitched(t *testing.T) {
	for _, name := range SensitiveProperties {
		if !Sensitive(name) || !slices.Contains(OptionalProperties, name) {
			t.Errorf("%s cannot be switched off, and its export needs a decision", name)
		}
	}
	for _, name := range []string{PropDisplayName, PropAccountEnabled, PropUserPrincipalName, "department", "extensionAttribute1", "MobilePhone", ""} {
		if Sensitive(name) {
			t.Errorf("%q counts as sensitive", name)
		}
	}
}

func TestSensitivePropertiesAreExportedSinceTheyWereSwitchedOn(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	var c Connection
	set := func(at time.Time, names ...string) {
		s := Settings{Attributes: map[string]AttributeRule{"department": {Export: true}, PropOtherMails: {Clear: true}}}
		for _, n := range names {
			s.Attributes[n] = AttributeRule{Export: true}
		}
		c.ExportedSince = c.ExportedSinceWith(s, at)
		c.Settings = s
	}
	for i, step := range []struct {
		on   []string
		want map[string]time.Time
	}{
		{nil, nil},
		{[]string{PropMobilePhone}, map[string]time.Time{PropMobilePhone: day(2)}},
		{[]string{PropMobilePhone, PropOtherMails}, map[string]time.Time{PropMobilePhone: day(2), PropOtherMails: day(3)}},
		{[]string{PropOtherMails}, map[string]time.Time{PropOtherMails: day(3)}},
		{[]string{PropMobilePhone}, map[string]time.Time{PropMobilePhone: day(5)}},
		{nil, nil},
	} {
		if set(day(i+1), step.on...); fmt.Sprint(c.ExportedSince) != fmt.Sprint(step.want) {
			t.Errorf("after step %d: since %v, want %v", i, c.ExportedSince, step.want)
		}
	}
	// What was exported before the time was kept has none, whatever else is set.
	c = Connection{Settings: Settings{Attributes: map[string]AttributeRule{PropMobilePhone: {Export: true}}}}
	if set(day(9), PropMobilePhone, PropOtherMails); fmt.Sprint(c.ExportedSince) != fmt.Sprint(map[string]time.Time{PropOtherMails: day(9)}) {
		t.Errorf("since %v, want the new one only", c.ExportedSince)
	}
}
