package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/audit"
	"bindery/shared/core/people"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// hostile is a text of n characters that JSON, CSV and Lambda escape.
func hostile(n int) string {
	const unit = "<\"\\\n\u2028é🐎\x01&"
	return strings.Repeat(unit, n/9+1)[:len(unit)*(n/9)]
}

// The large… answer every list of the API with items of which some fill a page
// that may have smallAnswer bytes. An item is named mark0000, mark0001, …
type (
	largeUsers       struct{ Users }
	largeAccounts    struct{ Accounts }
	largeRuns        struct{ Runs }
	largeActivity    struct{ Activity }
	largeConnections struct{ connectionReader }
	largeBindings    struct{ Bindings }
)

const (
	largeItems  = 25
	smallAnswer = MaxAnswer / 100
)

var text, longText = hostile(100), hostile(1000)

func mark(i int) string { return fmt.Sprintf("mark%04d", i) }

// some makes the items of a page; the cursor is the number of the first.
func some[T any](cursor string, limit int, one func(i int) T) ([]T, string, error) {
	from := 0
	if cursor != "" {
		var err error
		if from, err = strconv.Atoi(cursor); err != nil {
			return nil, "", err
		}
	}
	var list []T
	for i := from; i < largeItems && len(list) < limit; i++ {
		list = append(list, one(i))
	}
	if from+len(list) == largeItems {
		return list, "", nil
	}
	return list, strconv.Itoa(from + len(list)), nil
}

func largeUser(i int) directory.User {
	u := directory.User{ID: directory.UserID(mark(i)), Profile: directory.Profile{Email: "a@corp.example", CustomAttributes: map[string]string{}}}
	for k := range 10 {
		u.CustomAttributes[fmt.Sprintf("attribute%d", k)] = text
	}
	return u
}

var properties = slices.Repeat([]directory.PropertyChange{{Name: "department", Before: directory.StringValue(text), After: directory.StringValue(text)}}, 4)

func (largeUsers) List(_ context.Context, _ people.Filter, cursor string, limit int) (store.UserPage, error) {
	users, next, err := some(cursor, limit, largeUser)
	return store.UserPage{Users: users, Next: next}, err
}

func (largeAccounts) List(_ context.Context, _ directory.ConnectionID, _ assign.AccountFilter, cursor string, limit int) ([]assign.Candidate, string, error) {
	return some(cursor, limit, func(i int) assign.Candidate {
		return assign.Candidate{ID: directory.AccountID(mark(i)), DisplayName: longText}
	})
}

func (largeRuns) ChangesWhere(_ context.Context, _ directory.RunID, _ plan.Filter, cursor string, limit int) ([]directory.Change, string, error) {
	return some(cursor, limit, func(i int) directory.Change {
		return directory.Change{UserID: "usr_1", UserPrincipalName: mark(i), Properties: properties, Reason: text}
	})
}

func (largeRuns) Affected(_ context.Context, _ *directory.Connection, _, cursor string, limit int) ([]store.ProblemRecord, string, error) {
	return some(cursor, limit, func(i int) store.ProblemRecord {
		return store.ProblemRecord{UserID: directory.UserID(mark(i)), Problem: directory.Problem{Message: longText}}
	})
}

func (largeRuns) List(_ context.Context, _ directory.ConnectionID, cursor string, limit int) ([]directory.Run, string, error) {
	return some(cursor, limit, func(i int) directory.Run {
		return directory.Run{ID: directory.RunID(mark(i)), Error: &directory.Problem{Message: longText}}
	})
}

func largeEntry(i int) audit.Entry {
	return audit.Entry{ID: "x", UserPrincipalName: mark(i), Properties: properties, Reason: text}
}

func (largeActivity) List(_ context.Context, _ audit.Query, cursor string, limit int) ([]audit.Entry, string, error) {
	return some(cursor, limit, largeEntry)
}

func (largeActivity) Links(_ context.Context, _, cursor string, limit int) ([]audit.ExportedLink, string, error) {
	return some(cursor, limit, func(i int) audit.ExportedLink {
		return audit.ExportedLink{ChainLink: directory.ChainLink{ChainStatement: directory.ChainStatement{Chain: mark(i)}}, Leaves: slices.Repeat([]directory.ChainLeaf{{ID: "change", Sum: strings.Repeat("a", 64)}}, 30)}
	})
}

func (largeActivity) Audit(_ context.Context, _ directory.ConnectionID, _, _ time.Time, cursor string, limit int) (audit.AuditReport, error) {
	items, next, err := some(cursor, limit, func(i int) audit.AuditItem {
		e := largeEntry(i)
		return audit.AuditItem{Match: audit.MatchOurs, Entry: &e}
	})
	return audit.AuditReport{Items: items, Next: next}, err
}

func (largeConnections) ListConnections(_ context.Context, cursor string, limit int) ([]directory.Connection, string, error) {
	return some(cursor, limit, func(i int) directory.Connection {
		return directory.Connection{ID: directory.ConnectionID(mark(i)), Epoch: 1, Name: longText}
	})
}

func (largeBindings) List(_ context.Context, _ *directory.Connection, _ directory.BindingStatus, cursor string, limit int) ([]directory.Binding, string, error) {
	return some(cursor, limit, func(i int) directory.Binding {
		return directory.Binding{UserID: directory.UserID(mark(i)), Status: directory.BindingFailed, Problem: &directory.Problem{Message: longText}}
	})
}

// A page that is too large for Lambda is given in several, whatever it holds:
// every item comes once, in order, and no page is larger than an answer may be.
func TestLargePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.Users, w.api.Accounts = largeUsers{w.api.Users}, largeAccounts{w.api.Accounts}
	w.api.Runs, w.api.Activity = largeRuns{w.api.Runs}, largeActivity{w.api.Activity}
	w.api.Stores.Connections, w.api.Bindings = largeConnections{w.api.Stores.Connections}, largeBindings{w.api.Bindings}
	w.api.most = smallAnswer
	conn := "/v1/connections/" + string(w.conn.ID)
	for _, test := range []struct{ path, accept string }{
		{"/v1/users", ""},
		{"/v1/connections", ""},
		{conn + "/accounts", ""},
		{conn + "/bindings", ""},
		{conn + "/bindings?status=failed", ""},
		{conn + "/runs", ""},
		{conn + "/problems/other", ""},
		{conn + "/audit", ""},
		{conn + "/audit", "application/x-ndjson"},
		{"/v1/runs/run_1/changes", ""},
		{"/v1/runs/run_1/changes", "text/csv"},
		{"/v1/runs/run_1/changes", "text/plain"},
		{"/v1/activity", ""},
		{"/v1/activity", "text/csv"},
		{"/v1/users", "text/csv"},
		{"/v1/activity", "application/x-ndjson"},
		{"/v1/activity/links?chain=acts", ""},
		{"/v1/activity/links?chain=acts", "application/x-ndjson"},
	} {
		var got []string
		pages := 0
		sep := "?"
		if strings.Contains(test.path, "?") {
			sep = "&"
		}
		for path := test.path + sep + "limit=500"; path != "" && pages < 2*largeItems; pages++ {
			a := w.form(path, test.accept)
			body := a.Body.String()
			if a.Code != 200 || len(body) > smallAnswer {
				t.Fatalf("GET %s as %q = %d with %d bytes: %.200s", path, test.accept, a.Code, len(body), body)
			}
			got = append(got, slices.Compact(regexp.MustCompile(`mark\d{4}`).FindAllString(body, -1))...)
			path = ""
			if link := a.Header().Get("Link"); link != "" {
				path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
			} else if test.accept == "" {
				var page struct{ Next string }
				if err := json.Unmarshal([]byte(body), &page); err != nil {
					t.Fatal(err)
				}
				if page.Next != "" {
					path = test.path + sep + "limit=500&next=" + page.Next
				}
			}
		}
		var want []string
		for i := range largeItems {
			want = append(want, mark(i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s as %q: %d items in %d pages, want each of %d once: %.100v", test.path, test.accept, len(got), pages, len(want), got)
		}
		if pages < 2 && test.accept != "text/plain" { // which shows no long values
			t.Errorf("%s as %q: one page: the items are too small for this test", test.path, test.accept)
		}
	}
}

// The first guess may still be too large; a single item, and what does not get
// smaller, is given as it is.
func TestShorten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		limit int
		sizes func(i int) int
		n     int  // items there are
		deaf  bool // the page has all of them whatever the limit
		want  int
	}{
		{"small", 500, func(int) int { return 10 }, 500, false, 500},
		{"even", 500, func(int) int { return 100_000 }, 500, false, 39},
		{"large ones first", 500, func(i int) int { return max(10, 2_000_000-i*100_000) }, 500, false, 2},
		{"one too large", 500, func(int) int { return 2 * MaxAnswer }, 3, false, 1},
		{"nothing", 500, nil, 0, false, 0},
		{"deaf", 500, func(int) int { return MaxAnswer }, 700, true, 700},
	} {
		calls := 0
		got := -1
		data, err := (&API{most: MaxAnswer}).shorten(test.limit, func(limit int) (int, []byte, error) {
			if calls++; calls > 20 {
				t.Fatalf("%s: no end", test.name)
			}
			got = min(limit, test.n)
			if test.deaf {
				got = test.n
			}
			size := 0
			for i := range got {
				size += test.sizes(i)
			}
			return got, make([]byte, size/1000*1000), nil
		})
		if err != nil || got != test.want || len(data) > MaxAnswer && got > 1 && !test.deaf {
			t.Errorf("%s: a page of %d items, %d bytes, %v; want %d", test.name, got, len(data), err, test.want)
		}
	}
}
