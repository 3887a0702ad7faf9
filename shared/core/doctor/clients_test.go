package doctor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// TestJudgeClient: what is told of a client, and what is not.
func TestJudgeClient(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	days := func(n float64) time.Time { return now.Add(time.Duration(n * 24 * float64(time.Hour))) }
	lives := func(used, expires float64) directory.ScimToken {
		return directory.ScimToken{ID: "sct_a", Created: days(-300), LastUsed: days(used), Expires: days(expires)}
	}
	revoked := lives(-1, 100)
	revoked.Revoked = &now
	unused := directory.ScimToken{ID: "sct_b", Created: now, Expires: days(365)}
	asked := func(n int, method string, status int, kind, detail string) (list []directory.ScimRequest) {
		for i := range n {
			list = append(list, directory.ScimRequest{At: now.Add(-time.Duration(i+1) * time.Minute), TokenID: "sct_a", Method: method, Status: status, ScimType: kind, Detail: detail, UserID: directory.UserID(fmt.Sprint("usr_", i%3))})
		}
		return list
	}
	good := asked(5, "GET", 200, "", "")
	for name, test := range map[string]struct {
		change func(f *ClientFacts)
		want   string // "severity code", one after the other
		says   string
	}{
		"all is well": {func(*ClientFacts) {}, "", ""},
		"new, before its first request": {func(f *ClientFacts) {
			f.Client.Created, f.Client.LastSeen, f.Requests = days(-0.9), time.Time{}, nil
		}, "", ""},
		"set up, and nothing came": {func(f *ClientFacts) {
			f.Client.Created, f.Client.LastSeen, f.Requests = days(-1.1), time.Time{}, nil
		}, "warning scim-client-waiting", "nothing yet"},
		"silent for longer than is usual": {func(f *ClientFacts) { f.Client.LastSeen, f.Requests = days(-7), nil }, "warning scim-client-silent", "since 2026-11-22"},
		"silent for a shorter while":      {func(f *ClientFacts) { f.Client.LastSeen, f.Requests = days(-6.9), nil }, "", ""},
		"may be silent":                   {func(f *ClientFacts) { f.Client.SilentDays, f.Client.LastSeen, f.Requests = 0, days(-60), nil }, "", ""},
		"paused": {func(f *ClientFacts) {
			f.Client.Paused, f.Requests = true, asked(9, "POST", 503, "", "paused")
			f.Tokens = nil
		}, "warning scim-client-paused", "2026-11-29"},
		"a token ends within the month":  {func(f *ClientFacts) { f.Tokens[0] = lives(0, 30) }, "warning scim-token-ending", "ends on 2026-12-29"},
		"a token ends within the week":   {func(f *ClientFacts) { f.Tokens[0] = lives(0, 7) }, "critical scim-token-ending", "Make another token"},
		"the next one is not put to use": {func(f *ClientFacts) { f.Tokens = []directory.ScimToken{unused, lives(0, 7)} }, "critical scim-token-ending", "not used yet"},
		"the next one is in use": {func(f *ClientFacts) {
			unused := unused
			unused.LastUsed = now
			f.Tokens = []directory.ScimToken{lives(-1, 7), unused}
		}, "", ""},
		"its tokens have ended":           {func(f *ClientFacts) { f.Tokens = []directory.ScimToken{lives(-1, 0), revoked} }, "critical scim-token-ended", "2026-11-29"},
		"comes with tokens of the issuer": {func(f *ClientFacts) { f.Tokens = nil }, "", ""},
		"and had tokens of its own": {func(f *ClientFacts) {
			f.Tokens[0] = revoked
			f.Requests = append(slices.Clone(good), directory.ScimRequest{At: now, Status: 200})
		}, "", ""},
		"some are refused": {func(f *ClientFacts) {
			f.Requests = append(asked(4, "POST", 400, "invalidValue", "emails is missing"), good...)
		}, "warning scim-requests-refused", "4 of 9 requests of the last 24 hours were refused, most often with 400 invalidValue: emails is missing"},
		"all are refused":                  {func(f *ClientFacts) { f.Requests = asked(3, "PATCH", 404, "", "no such user") }, "critical scim-requests-refused", "3 of 3"},
		"a single one, and it is refused":  {func(f *ClientFacts) { f.Requests = asked(1, "POST", 409, "uniqueness", "taken") }, "warning scim-requests-refused", "1 of 1"},
		"what is looked for and not there": {func(f *ClientFacts) { f.Requests = asked(9, "GET", 404, "", "no such user") }, "", ""},
		"what passes by itself": {func(f *ClientFacts) {
			f.Requests = slices.Concat(asked(3, "PATCH", 429, "", "x"), asked(3, "PATCH", 412, "", "x"), asked(3, "PATCH", 503, "", "x"))
		}, "", ""},
		"the commonest reason is named": {func(f *ClientFacts) {
			f.Requests = slices.Concat(asked(2, "POST", 409, "uniqueness", "taken"), asked(3, "POST", 400, "", ""), good)
		}, "warning scim-requests-refused", "with 400: no reason"},
		"the gravest of several comes first": {func(f *ClientFacts) {
			f.Tokens[0] = lives(0, 1)
			f.Requests = append(asked(1, "POST", 400, "", "x"), good...)
		}, "critical scim-token-ending warning scim-requests-refused", "x"},
	} {
		f := &ClientFacts{Now: now, Client: directory.ScimClient{ID: "scm_a", Name: "Okta", Created: days(-300), Updated: now, SilentDays: 7, LastSeen: now.Truncate(time.Hour)}, Tokens: []directory.ScimToken{lives(0, 100)}, Requests: good}
		test.change(f)
		var got, said []string
		for _, is := range JudgeClient(f) {
			got, said = append(got, string(is.Severity)+" "+is.Code), append(said, is.Evidence+is.Consequence+is.Next)
			if is.Since.IsZero() || is.Consequence == "" || is.Next == "" {
				t.Errorf("%s: %+v does not say all", name, is)
			}
		}
		if strings.Join(got, " ") != test.want || !strings.Contains(strings.Join(said, " "), test.says) {
			t.Errorf("%s: found %q, want %q, saying %q: %q", name, got, test.want, test.says, said)
		}
	}
}

// TestClientsAreLookedAt: the records of each client, and no older requests than a day's.
func TestClientsAreLookedAt(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s := store.New(memory.New(), store.Options{Now: clock})
	d := ClientsOf(s, clock)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []directory.ScimClientID{"scm_a", "scm_b"} {
		c := directory.ScimClient{ID: id, Name: string(id), Created: now, SilentDays: 7}
		must(s.ScimClients.SaveScimClient(ctx, directory.AuditEvent{}, &c))
	}
	must(s.ScimClients.LogScimRequest(ctx, "scm_a", &directory.ScimRequest{At: now, Method: "POST", Status: 400, ScimType: "invalidValue", Detail: "x"}, directory.ScimCount{}))
	must(s.ScimClients.LogScimRequest(ctx, "scm_b", &directory.ScimRequest{At: now.Add(-25 * time.Hour), Method: "POST", Status: 400, Detail: "x"}, directory.ScimCount{}))
	a, err := s.ScimClients.ScimClient(ctx, "scm_a")
	must(err)
	must(s.ScimClients.TouchScimClient(ctx, &a))
	found := func() (codes []string) {
		t.Helper()
		all, err := d.All(ctx)
		must(err)
		for _, r := range all {
			for _, f := range r.Findings {
				codes = append(codes, r.Name+" "+f.Code)
			}
		}
		return codes
	}
	if got, want := found(), []string{"scm_a scim-requests-refused"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	now = now.Add(8 * 24 * time.Hour)
	if got, want := found(), []string{"scm_a scim-client-silent", "scm_b scim-client-waiting"}; !slices.Equal(got, want) {
		t.Errorf("a week later: %q, want %q", got, want)
	}
}
