package groups

import (
	"fmt"
	"testing"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// TestOneWriteToAGroup: a group is written to by one request of a flight, whatever chunks
// its changes are of, those that go alone among them.
func TestOneWriteToAGroup(t *testing.T) {
	t.Parallel()
	b, ok := (&memberships{}).Batch(reconcile.Work{}).(*memberBatch)
	if !ok {
		t.Fatal("memberships are sent by something else")
	}
	chunk := func(of ...string) []*directory.Change {
		var list []*directory.Change
		for _, group := range of {
			c := &directory.Change{ID: directory.ChangeID(fmt.Sprintf("chg_%d", len(b.pairs))), Effect: directory.EffectMemberAdd}
			b.pairs[c.ID] = pair{directory.TenantGroupID(group), directory.AccountID(c.ID)}
			list = append(list, c)
		}
		return list
	}
	if got := fmt.Sprint(b.Combine(chunk("sales", "staff", "sales"))); got != "[[0 2] [1]]" {
		t.Errorf("of the first chunk go %s", got)
	}
	if got := fmt.Sprint(b.Combine(chunk("staff", "others", "sales", "others"))); got != "[[1 3]]" {
		t.Errorf("of the second chunk go %s", got)
	}
	if got := b.Combine(chunk("sales")); len(got) != 0 {
		t.Errorf("of the third chunk go %v", got)
	}
}
