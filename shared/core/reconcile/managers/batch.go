package managers

import (
	"context"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// batch is what is done with changes of managers on their way.
type batch struct {
	o       *objects
	w       reconcile.Work
	records map[directory.Ref]*directory.Binding
	persons map[directory.UserID]person
	owners  map[directory.AccountID]directory.UserID // of accounts that were let go
}

// Records reads the records of managers.
func (b *batch) Records(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	var err error
	b.records, err = b.o.records.of(ctx, refs)
	return b.records, err
}

// waits is after which time somebody is looked at again who had no account when a
// manager was to be written.
const waits = 5 * time.Minute

// Confirm looks at the accounts of changes as they are bound now: what was planned
// before they were made is written once they are there.
func (b *batch) Confirm(ctx context.Context, changes []*directory.Change) ([]reconcile.Verdict, error) {
	persons, err := b.o.records.persons(ctx, named(changes))
	if err != nil {
		return nil, err
	}
	var bosses []directory.UserID
	for _, c := range changes {
		if u := persons[user(c.Object)].user; u != nil && u.ManagerID.Valid() {
			bosses = append(bosses, u.ManagerID)
		}
	}
	managers, err := b.o.records.persons(ctx, bosses)
	if err != nil {
		return nil, err
	}
	for id, p := range managers {
		persons[id] = p
	}
	b.persons = persons
	var ids []directory.AccountID
	for _, c := range changes {
		if c.AccountID != "" && c.Release != "" && persons[user(c.Object)].account == nil {
			ids = append(ids, c.AccountID)
		}
	}
	if b.owners, err = b.o.records.store.AccountOwners(ctx, b.o.records.conn, ids); err != nil {
		return nil, err
	}
	verdicts := make([]reconcile.Verdict, len(changes))
	for n, c := range changes {
		verdicts[n] = b.confirm(c)
	}
	return verdicts, nil
}

func (b *batch) confirm(c *directory.Change) reconcile.Verdict {
	p := b.persons[user(c.Object)]
	undo := b.w.Run.Kind == directory.KindUndo
	switch {
	case b.givesBack(c):
		return reconcile.Verdict{}
	case c.Release != "" && p.account != nil && p.account.Release == "":
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated,
			Message: "The user is bound again by now.", Next: "The next run plans it anew."}}
	case p.user == nil || p.account == nil || p.account.Release != "" || p.account.Resting() && !undo:
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeReleased,
			Message: "The user's account was released or paused before this change was sent."}}
	case p.account.AccountID == "":
		return later("The user has no account yet.")
	case c.AccountID != "" && c.AccountID != p.account.AccountID:
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated,
			Message: "The user has another account by now.", Next: "The next run plans it anew."}}
	case undo || c.Effect == directory.EffectManagerClear:
		return reconcile.Verdict{}
	}
	return b.confirmManager(c, p.user)
}

// givesBack reports whether a change gives an account that is let go, or was, the manager
// from before.
func (b *batch) givesBack(c *directory.Change) bool {
	if c.Release != directory.ReleaseRestore || c.AccountID == "" || b.w.Run.Kind == directory.KindUndo {
		return false
	}
	a := b.persons[user(c.Object)].account
	if a == nil {
		_, taken := b.owners[c.AccountID]
		return !taken
	}
	return a.Release != "" && !a.Resting() && a.AccountID == c.AccountID
}

// confirmManager looks at the one who is to be the manager, who may have been
// released or suspended since this was planned.
func (b *batch) confirmManager(c *directory.Change, u *directory.User) reconcile.Verdict {
	m := b.persons[u.ManagerID]
	switch {
	case m.user == nil || !m.user.Enabled() || m.account == nil || m.account.Release != "":
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated,
			Message: "The manager was released or suspended after this was planned.", Next: "The next run plans it anew."}}
	case m.account.AccountID == "":
		return later(m.named() + ", the manager, has no account yet.")
	case !same(resolve(after(c), b.persons), directory.StringValue(string(m.account.AccountID))):
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated,
			Message: "The user has another manager by now, or the manager another account.", Next: "The next run plans it anew."}}
	}
	return reconcile.Verdict{}
}

// later is the verdict about a change that waits for somebody's account.
func later(what string) reconcile.Verdict {
	return reconcile.Verdict{Later: waits, Problem: &directory.Problem{Code: directory.CodeManagerWaits, Message: what,
		Next: "It is written by itself once both have their accounts."}}
}

// accountID is the account that a change is written to.
func (b *batch) accountID(c *directory.Change) directory.AccountID {
	if p := b.persons[user(c.Object)]; p.account != nil {
		return p.account.AccountID
	}
	return c.AccountID
}

func after(c *directory.Change) directory.Value { return c.After()[directory.PropManager] }

// Intend has nothing to note: to set a manager twice does it once.
func (b *batch) Intend(context.Context, []*directory.Change) error { return nil }

// Write is the request of a change.
func (b *batch) Write(c *directory.Change) protect.Write {
	w := protect.Write{UserPrincipalName: c.UserPrincipalName}
	w.Object, w.Effect, w.AccountID = c.Object, c.Effect, c.AccountID
	if p := b.persons[user(c.Object)]; p.account != nil {
		w.AccountID, w.UserPrincipalName = p.account.AccountID, p.account.UserPrincipalName
	}
	w.ManagerID = directory.AccountID(resolve(after(c), b.persons).String())
	return w
}

// Sort waits for accounts that are so new that a 404 may come from a replica that
// has not heard of them (G 9, GG 8).
func (b *batch) Sort(c *directory.Change, out directory.Outcome) reconcile.Verdict {
	if out.Problem.Code == directory.CodeScopeMissing {
		p := *out.Problem
		p.Kind = directory.ProblemTenant // accounts go on without managers
		return reconcile.Verdict{State: directory.ChangeFailed, Problem: &p}
	}
	if !out.NotVisible {
		return reconcile.Verdict{}
	}
	for _, id := range []directory.UserID{user(c.Object), b.managerOf(c)} {
		if a := b.persons[id].account; a != nil && a.AccountSince.Add(reconcile.Grace).After(b.w.Now()) {
			return reconcile.Verdict{Wait: 5 * time.Second}
		}
	}
	return reconcile.Verdict{}
}

// managerOf is the manager by our directory of the one whom a change is about.
func (b *batch) managerOf(c *directory.Change) directory.UserID {
	if u := b.persons[user(c.Object)].user; u != nil {
		return u.ManagerID
	}
	return ""
}

// Find has changes sent again of which the answers do not tell: to set a manager
// twice does it once.
func (b *batch) Find(_ context.Context, list []reconcile.Unanswered) ([]reconcile.Verdict, error) {
	return make([]reconcile.Verdict, len(list)), nil
}

// Clarify has nothing to add.
func (b *batch) Clarify(context.Context, []directory.Change, map[int]store.Result) {}

// Consequence notes the manager that was written.
func (b *batch) Consequence(f *reconcile.Fate) reconcile.Consequence {
	return reconcile.Consequence{Written: func(bd *directory.Binding) {
		if !f.Applied {
			return
		}
		before, wrote := f.Change.Properties[0].Before, resolve(after(f.Change), b.persons)
		reconcile.NoteWrite(bd, f.Change, f.Now)
		if of := b.accountID(f.Change); bd.AccountID != of {
			bd.AccountID, bd.Before = of, nil // what the account before had is nothing of this one's
		}
		if _, kept := bd.Before[directory.PropManager]; !kept {
			bd.Before = directory.Properties{directory.PropManager: before}
		}
		bd.Base = directory.Properties{directory.PropManager: wrote}
		if p := b.persons[user(f.Change.Object)]; p.account != nil {
			bd.UserPrincipalName = p.account.UserPrincipalName
		}
	}}
}

// Journalled has nothing to do: nobody waits for a manager.
func (b *batch) Journalled(context.Context, []directory.Change, map[int]store.Result) error {
	return nil
}
