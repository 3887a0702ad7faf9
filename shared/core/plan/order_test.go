package plan_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func ptr[T any](v T) *T { return &v }

func TestTallyCountsEffects(t *testing.T) {
	off := []directory.PropertyChange{{Name: onOff, Before: yes, After: no}}
	got := plan.TallyOf([]directory.Change{
		{Effect: directory.EffectUpdate}, {Effect: directory.EffectBlock, Properties: off}, {Effect: directory.EffectRevoke},
		{Effect: directory.EffectUpdate, Properties: off}, {Effect: directory.EffectAdopt, Properties: off},
	}).Effects()
	want := map[directory.Effect]int{directory.EffectUpdate: 2, directory.EffectBlock: 2, directory.EffectRevoke: 1, directory.EffectAdopt: 1}
	for e, n := range want {
		if got[e] != n {
			t.Errorf("Effects: %s = %d, want %d", e, got[e], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("Effects = %v, want %v", got, want)
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
