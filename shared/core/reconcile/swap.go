package reconcile

import (
	"context"
	"fmt"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// explainSwaps gives renames that were refused, since each wants the address
// that another one of them has, a cause and a way out. Microsoft cannot exchange
// addresses in one step, and an address in between would leave traces (it stays
// as a proxy address), so that an admin decides.
func explainSwaps(all []directory.Change, results map[int]store.Result) {
	holders := map[string]*directory.Change{} // by the address that a rename gives up
	for i := range all {
		c := &all[i]
		if !c.Object.IsZero() {
			continue // names of another kind stand in no rename's way
		}
		if r, now := results[i]; c.Effect != directory.EffectRename || c.State == directory.ChangeApplied || now && r.State == directory.ChangeApplied {
			continue
		}
		before, _ := renamed(c)
		holders[before] = c
	}
	for i, r := range results {
		c := &all[i]
		if c.Effect != directory.EffectRename || r.State != directory.ChangeFailed || r.Error == nil || !conflictOfName(r.Error) {
			continue
		}
		own, wanted := renamed(c)
		if own == wanted {
			continue
		}
		other, circle := holders[wanted], false
		for next, steps := other, 0; next != nil && steps < len(all) && !circle; steps++ {
			_, after := renamed(next)
			next, circle = holders[after], after == own
		}
		if !circle {
			continue
		}
		p := *r.Error
		p.Code, p.Kind, p.Holder, p.HolderKind = directory.CodeAddressesExchanged, directory.ProblemConflict, string(other.AccountID), directory.HolderUser
		p.Message = fmt.Sprintf("The address %s belongs to another user's account, which is to be renamed as well and in the end needs the address of this one, %s. Microsoft cannot exchange addresses in one step.", wanted, own)
		p.Next = "Give one of the users a third address until the other is in sync; the others follow by themselves."
		p.Steps = []directory.Step{{Text: "Give the user another address for a while.", Call: "PATCH /v1/users/{userId}"}}
		r.Error = &p
		results[i] = r
	}
}

func foldID(id directory.AccountID) string { return strings.ToLower(string(id)) }

// mostWaiting is how many conflicts are looked through for users who wait for an
// address; others are tried again in their time.
const mostWaiting = 200

// wakeWaiting has users planned again who wait for an address that a rename has
// just given up.
func (b *accountBatch) wakeWaiting(ctx context.Context, all []directory.Change, results map[int]store.Result) error {
	freed := map[string]bool{}
	for i, r := range results {
		if c := &all[i]; c.Effect == directory.EffectRename && r.State == directory.ChangeApplied {
			freed[foldID(c.AccountID)] = true
		}
	}
	if len(freed) == 0 {
		return nil
	}
	var waiting []directory.UserID
	for _, code := range []string{directory.CodeAddressesExchanged, directory.CodeUserPrincipalNameTaken} {
		list, _, err := b.a.bindings.ListProblems(ctx, b.s.conn.ID, b.s.lease.Epoch, code, "", mostWaiting)
		if err != nil {
			return err
		}
		for i := range list {
			if freed[foldID(directory.AccountID(list[i].Problem.HolderID()))] {
				waiting = append(waiting, list[i].UserID)
			}
		}
	}
	return b.a.marks.MarkRecheck(ctx, &b.s.lease, directory.AccountsOf(waiting), b.s.now())
}
