package plan_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/plan"
)

func ptr[T any](v T) *T { return &v }

func TestGuard(t *testing.T) {
	type counts = map[directory.Effect]int
	type limits = map[directory.Effect]directory.Limit
	const block, del, rename = directory.EffectBlock, directory.EffectDelete, directory.EffectRename
	for _, tt := range []struct {
		name   string
		limits limits
		counts counts
		bound  int
		empty  bool
		held   []string // what each reason must say
	}{
		{"nothing", nil, counts{}, 0, false, nil},
		{"five of few", nil, counts{block: 5, directory.EffectRevoke: 5}, 6, false, nil},
		{"six of few", nil, counts{block: 6}, 6, false, []string{"6 changes of the effect block are more than the 5 allowed"}},
		{"5 % of 100", nil, counts{block: 5}, 100, false, nil},
		{"5 % of 950", nil, counts{block: 47}, 950, false, nil},
		{"more than 5 % of 950", nil, counts{block: 48}, 950, false, []string{"47 allowed (the larger of 5 and 5 % of 950 bound users)"}},
		{"deletions likewise", nil, counts{del: 6}, 10, false, []string{"effect delete"}},
		{"other effects are free", nil, counts{directory.EffectUpdate: 9999, rename: 9999, directory.EffectCreate: 9999}, 10, false, nil},
		{"empty directory", nil, counts{}, 10, true, []string{"no users at all"}},
		{"empty directory and blocks", nil, counts{block: 10}, 10, true, []string{"no users at all", "effect block"}},
		{"a zero limit is the default", limits{block: {}}, counts{block: 6}, 10, false, []string{"5 allowed"}},
		{"none allowed", limits{block: {Count: ptr(0)}}, counts{block: 1}, 1000, false, []string{"0 allowed"}},
		{"a count alone", limits{block: {Count: ptr(3)}}, counts{block: 4}, 1000, false, []string{"3 allowed"}},
		{"a larger count", limits{block: {Count: ptr(100)}}, counts{block: 100}, 10, false, nil},
		{"a share alone", limits{block: {Share: ptr(0.1)}}, counts{block: 3}, 20, false, []string{"2 allowed"}},
		{"count and share", limits{block: {Count: ptr(3), Share: ptr(0.1)}}, counts{block: 10}, 100, false, nil},
		{"a share that binary cannot hold", limits{block: {Share: ptr(0.29)}}, counts{block: 29}, 100, false, nil},
		{"a share beyond it", limits{block: {Share: ptr(0.29)}}, counts{block: 30}, 100, false, []string{"29 % of 100"}},
		{"a limit of another effect", limits{rename: {Count: ptr(1)}}, counts{rename: 2, block: 1}, 10, false, []string{"effect rename"}},
		{"only spans are set", limits{rename: {Count24h: ptr(1)}}, counts{rename: 2}, 10, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			held := plan.Guard(tt.limits, tt.counts, tt.bound, tt.empty)
			var reasons []string
			if held != nil {
				reasons = held.Reasons
			}
			if len(reasons) != len(tt.held) {
				t.Fatalf("Guard = %q, want %q", reasons, tt.held)
			}
			for i, want := range tt.held {
				if !strings.Contains(reasons[i], want) {
					t.Errorf("reason %q does not say %q", reasons[i], want)
				}
			}
		})
	}
}

func TestCounts(t *testing.T) {
	off := []directory.PropertyChange{{Name: onOff, Before: yes, After: no}}
	got := plan.Counts([]directory.Change{
		{Effect: directory.EffectUpdate}, {Effect: directory.EffectBlock, Properties: off}, {Effect: directory.EffectRevoke},
		{Effect: directory.EffectUpdate, Properties: off}, {Effect: directory.EffectAdopt, Properties: off},
	})
	want := map[directory.Effect]int{directory.EffectUpdate: 2, directory.EffectBlock: 2, directory.EffectRevoke: 1, directory.EffectAdopt: 1}
	for e, n := range want {
		if got[e] != n {
			t.Errorf("Counts: %s = %d, want %d", e, got[e], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("Counts = %v, want %v", got, want)
	}
}

func TestOrder(t *testing.T) {
	var changes []directory.Change
	for _, u := range []directory.UserID{"usr_b", "usr_a", "usr_c"} {
		for _, e := range []directory.Effect{directory.EffectBlock, directory.EffectRevoke, directory.EffectAdopt, directory.EffectUpdate,
			directory.EffectRename, directory.EffectUnblock, directory.EffectCreate} {
			changes = append(changes, directory.Change{UserID: u, Effect: e})
		}
	}
	line := func() string {
		var parts []string
		for _, c := range changes {
			parts = append(parts, strings.TrimPrefix(string(c.UserID), "usr_")+":"+string(c.Effect))
		}
		return strings.Join(parts, " ")
	}
	plan.Order(changes)
	want := "a:block a:revoke b:block b:revoke c:block c:revoke " +
		"a:adopt a:update a:rename a:unblock b:adopt b:update b:rename b:unblock c:adopt c:update c:rename c:unblock " +
		"a:create b:create c:create"
	if got := line(); got != want {
		t.Fatalf("Order = %s\nwant %s", got, want)
	}
	// Whatever the order of users before.
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		groups := slices.Collect(slices.Chunk(slices.Clone(changes), 1))
		slices.SortStableFunc(groups, func(a, b []directory.Change) int { return strings.Compare(string(a[0].UserID), string(b[0].UserID)) })
		users := slices.Collect(slices.Chunk(groups, 7))
		r.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
		changes = changes[:0]
		for _, u := range users {
			for _, g := range u {
				changes = append(changes, g...)
			}
		}
		if plan.Order(changes); line() != want {
			t.Fatalf("Order = %s\nwant %s", line(), want)
		}
	}
}

func TestText(t *testing.T) {
	cfg := config(nil)
	s := inSync(cfg, ann(func(u *directory.User) { u.Department = "Market\ning" }))
	s.Account.Properties["department"], s.Binding.Base["department"] = text("Sales"), text("Sales")
	if got, want := plan.Text(plan.Decide(cfg, s).Changes[0]),
		`update   ann@corp.example: department: "Sales" → "Market ing", because the directory changed it`; got != want {
		t.Errorf("Text = %s\nwant %s", got, want)
	}
	created := plan.Decide(cfg, unbound(ann(nil))).Changes[0]
	if got := plan.Text(created); !strings.HasPrefix(got, "create   ann@corp.example: created because no account has the address ann@corp.example, with accountEnabled \"true\", ") ||
		strings.Contains(got, "\n") {
		t.Errorf("Text = %s", got)
	}
	if got := plan.Text(directory.Change{UserID: annID, Effect: directory.EffectRevoke, Reason: "because"}); got != "revoke   usr_ann: because" {
		t.Errorf("Text = %s", got)
	}
}
