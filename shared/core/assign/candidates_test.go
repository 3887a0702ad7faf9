package assign

import (
	"errors"
	"strings"
	"testing"

	"bindery/shared/core/assign/assigntest"
	"bindery/shared/directory"
)

func TestAccounts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.zoo()
	w.tenant.Size = 4
	known := w.user(`{"email":"KNOWN@corp.example"}`)
	mapped := w.user(`{"email":"mapped@sub.example"}`)
	w.user(`{"email":"yan@sister.example"}`) // an external member is nobody of ours
	b := w.user(`{"email":"bound@corp.example"}`)
	if err := w.Bindings.binder(w.conn, admin).bind(ctx, []Choice{{User: b.ID, Account: "bound", UserPrincipalName: "bound@corp.example"}}); err != nil {
		t.Fatal(err)
	}
	want := map[directory.AccountID]struct {
		v      Verdict
		reason string
		user   directory.UserID
	}{
		"new": {VerdictNew, "", ""}, "known": {VerdictInDirectory, "", known.ID}, "mapped": {VerdictInDirectory, "", mapped.ID},
		"bound": {VerdictBound, "", b.ID}, "guest": {VerdictExcluded, "guest", ""}, "external": {VerdictExternal, "external-member", ""}, "synced": {VerdictExcluded, "synced-on-premises", ""},
		"blocked": {VerdictExcluded, "blocked", ""}, "nameless": {VerdictExcluded, "no-last-name", ""},
		"role": {VerdictExcluded, "protected", ""}, "listed": {VerdictExcluded, "protected", ""},
	}
	list := func(f AccountFilter, limit int) map[directory.AccountID]Candidate {
		t.Helper()
		got := map[directory.AccountID]Candidate{}
		next := ""
		for range 50 {
			page, more, err := w.accounts.List(ctx, w.conn.ID, f, next, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("Accounts = %d of %d, %v", len(page), limit, err)
			}
			for _, c := range page {
				if _, twice := got[c.ID]; twice {
					t.Errorf("%s is listed twice", c.ID)
				}
				got[c.ID] = c
			}
			if next = more; next == "" {
				return got
			}
		}
		t.Fatal("the listing does not end")
		return nil
	}
	for _, limit := range []int{1, 3, 500} {
		got := list(AccountFilter{}, limit)
		if len(got) != len(want) {
			t.Errorf("limit %d: %d accounts, want %d", limit, len(got), len(want))
		}
		for id, x := range want {
			if c := got[id]; c.Verdict != x.v || c.Reason != x.reason || c.UserID != x.user {
				t.Errorf("%s = %s %s %s, want %+v", id, c.Verdict, c.Reason, c.UserID, x)
			}
		}
	}
	yes, no := true, false
	for _, test := range []struct {
		f    AccountFilter
		want int
	}{{AccountFilter{Bound: &yes}, 1}, {AccountFilter{Bound: &no}, 10}, {AccountFilter{Text: "external"}, 1}, {AccountFilter{Text: "excluded"}, 6}, {AccountFilter{Text: "mApp"}, 1}, {AccountFilter{Text: "nobody"}, 0}} {
		if got := list(test.f, 2); len(got) != test.want {
			t.Errorf("Accounts(%+v) = %d, want %d", test.f, len(got), test.want)
		}
	}
}

func TestAccountCursors(t *testing.T) {
	w := newWorld(t)
	for _, link := range []string{
		"https://graph.example/v1.0/me/messages", "https://graph.example/v1.0/users?$expand=manager", "https://x@graph.example/v1.0/users",
		"https://graph.example/v1.0/../users", "https://graph.example/v1.0/users?$filter=x", "other://x/users?$skiptoken=1",
	} {
		if _, _, err := w.accounts.List(t.Context(), w.conn.ID, AccountFilter{}, ListPlace{Link: link}.String(), 10); codeOf(err) != "invalid-cursor" {
			t.Errorf("a cursor to %s = %v, want invalid-cursor", link, err)
		}
	}
	for _, cursor := range []string{"!", "bm90IGpzb24", "eyJvZmZzZXQiOi0xfQ"} {
		if _, _, err := w.accounts.List(t.Context(), w.conn.ID, AccountFilter{}, cursor, 10); codeOf(err) != "invalid-cursor" {
			t.Errorf("the cursor %q = %v, want invalid-cursor", cursor, err)
		}
	}
	w.tenant.Fail = func(int) error { return directory.ErrUnavailable }
	if _, _, err := w.accounts.List(t.Context(), w.conn.ID, AccountFilter{}, "", 10); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Accounts of a failing tenant = %v", err)
	}
}

// Whoever is about to import or bind sees what the first sync will write.
func TestAccountsShowWhatBindingWrites(t *testing.T) {
	w := newWorld(t)
	w.settings(func(s *directory.Settings) {
		s.Attributes = map[string]directory.AttributeRule{"department": {Export: true, Clear: true}, "jobTitle": {Export: true}}
		s.Import.Attributes = []string{"jobTitle"}
	})
	w.user(`{"email":"known@corp.example","givenName":"Kim","familyName":"Li","displayName":"Kim Li","jobTitle":"Head"}`)
	w.user(`{"email":"staged@corp.example","state":"staged","displayName":"Other"}`)
	w.user(`{"email":"abroad@other.example","displayName":"Other"}`) // who cannot be bound here
	w.tenant.Accounts = []directory.Account{
		assigntest.Account("known", "known@corp.example", "department", "Sales", "mailNickname", "kim.li"), assigntest.Account("new", "new@corp.example", "department", "Sales", "jobTitle", "Boss", "mailNickname", "n"),
		assigntest.Account("staged", "staged@corp.example", "mailNickname", "s"), assigntest.Account("plain", "plain@corp.example", "mailNickname", "p"),
		assigntest.Account("abroad", "abroad@corp.example", "mail", "abroad@other.example", "mailNickname", "a"),
	}
	list, _, err := w.accounts.List(t.Context(), w.conn.ID, AccountFilter{}, "", 10)
	w.must(err)
	want := []string{"department=Sales> displayName=Name known>Kim Li givenName=Given>Kim jobTitle=>Head surname=Surknown>Li", "department=Sales>", "", "", ""}
	for i, c := range list {
		var got []string
		for _, p := range c.Writes {
			got = append(got, p.Name+"="+p.Before.String()+">"+p.After.String())
		}
		if s := strings.Join(got, " "); s != want[i] {
			t.Errorf("%s (%s): %s, want %s", c.ID, c.Verdict, s, want[i])
		}
	}
}

// The listing of accounts over the API ends too, though its place is with the
// caller.
func TestAccountsInACircle(t *testing.T) {
	for what, onward := range assigntest.Circles {
		w := newWorld(t)
		w.tenant.Accounts = assigntest.Many(120)
		w.tenant.Onward = onward
		next, calls := "", 0
		var err error
		for ; calls < 100; calls++ {
			if _, next, err = w.accounts.List(t.Context(), w.conn.ID, AccountFilter{}, next, 100); err != nil || next == "" {
				break
			}
		}
		p, ok := errors.AsType[*directory.Problem](err)
		if !ok || p.Code != directory.CodePagingLoop || !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("%s: after %d calls %v", what, calls, err)
		}
	}
}

// A role that is given while a process remembers who holds one counts after ten
// minutes there, and at once under another authorisation.
func TestRoleHoldersInAnotherProcess(t *testing.T) {
	w := newWorld(t)
	w.zoo()
	w.tenant.Holders = nil
	verdict := func(s *Candidates) Verdict {
		t.Helper()
		list, _, err := s.List(t.Context(), w.conn.ID, AccountFilter{}, "", 100)
		w.must(err)
		for _, c := range list {
			if c.ID == "role" {
				return c.Verdict
			}
		}
		return ""
	}
	warm := w.accounts
	if v := verdict(warm); v != VerdictNew {
		t.Fatalf("before: %s", v)
	}
	w.tenant.Holders = []directory.AccountID{"role"}
	fresh := w.candidates()
	if v := verdict(fresh); v != VerdictExcluded {
		t.Errorf("another process: %s", v)
	}
	if v := verdict(warm); v != VerdictNew {
		t.Errorf("what is remembered: %s", v)
	}
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.AuthorizedAt = w.Now()
		return nil
	})
	w.must(err)
	if v := verdict(warm); v != VerdictExcluded {
		t.Errorf("under another authorisation: %s", v)
	}
	w.tenant.Holders = nil
	w.Advance(directory.RolesLife)
	if v := verdict(warm); v != VerdictNew {
		t.Errorf("when its time is over: %s", v)
	}
}
