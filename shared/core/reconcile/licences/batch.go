package licences

import (
	"context"
	"slices"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// batch is what is done with changes of licences on their way.
type batch struct {
	o       *objects
	w       reconcile.Work
	persons map[directory.UserID]person
}

// Records reads the records of licences.
func (b *batch) Records(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	return b.o.records.of(ctx, refs)
}

// waitsForAccount is after which time somebody is looked at again who had no account
// when licences were to be given.
const waitsForAccount = 5 * time.Minute

// Confirm looks at the accounts of changes as they are bound now: what was planned before
// they were made is written once they are there.
func (b *batch) Confirm(ctx context.Context, changes []*directory.Change) ([]reconcile.Verdict, error) {
	ids := make([]directory.UserID, len(changes))
	for n, c := range changes {
		ids[n] = user(c.Object)
	}
	var err error
	if b.persons, err = b.o.records.persons(ctx, ids); err != nil {
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
	switch {
	case p.user == nil || p.account == nil || p.account.Release != "" || p.account.Resting() && b.w.Run.Kind != directory.KindUndo:
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeReleased,
			Message: "The user's account was released or paused before this change was sent."}}
	case p.account.AccountID == "":
		return reconcile.Verdict{Later: waitsForAccount, Problem: &directory.Problem{Code: directory.CodeLicenseWaits,
			Message: "The user has no account yet.", Next: directory.ProblemTypeOf(directory.CodeLicenseWaits).Next}}
	case c.AccountID != "" && c.AccountID != p.account.AccountID:
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated,
			Message: "The user has another account by now.", Next: "The next run plans it anew."}}
	}
	return reconcile.Verdict{}
}

// Intend notes which products accounts may have from now on by our doing. When nobody
// hears of it, and the change is not sent again since something else is wanted by then,
// the product would count as given by others.
func (b *batch) Intend(ctx context.Context, changes []*directory.Change) error {
	var list []store.BindingChange
	for _, c := range changes {
		var gives []directory.SKUID
		for _, p := range c.Properties {
			if sku, _ := directory.LicenceOfProperty(p.Name); p.Before.IsNull() && !p.After.IsNull() {
				gives = append(gives, sku)
			}
		}
		if of := b.accountID(c); len(gives) > 0 {
			list = append(list, store.BindingChange{Ref: c.Object, Mutate: func(bd *directory.Binding) bool { return intend(bd, of, gives) }})
		}
	}
	for part := range slices.Chunk(list, reconcile.BatchSize) {
		if err := b.o.records.store.Journal(ctx, b.o.s.Lease(), b.o.s.Connection(), store.Journal{Bindings: part}); err != nil {
			return err
		}
	}
	return nil
}

// intend notes products in a record; false: it says so already.
func intend(bd *directory.Binding, of directory.AccountID, gives []directory.SKUID) bool {
	sent := sentOf(bd.Base, of)
	before := len(sent)
	for _, sku := range gives {
		if !slices.Contains(sent, sku) {
			sent = append(sent, sku)
		}
	}
	if len(sent) == before {
		return false
	}
	bd.Base = base(ledger(bd.Base, of), of, sent...)
	return true
}

// accountID is the account that a change is written to: the one that was there when it
// was confirmed, which it may have been planned before.
func (b *batch) accountID(c *directory.Change) directory.AccountID {
	if p := b.persons[user(c.Object)]; p.account != nil {
		return p.account.AccountID
	}
	return c.AccountID
}

// Write is the request of a change.
func (b *batch) Write(c *directory.Change) protect.Write {
	w := protect.Write{UserPrincipalName: c.UserPrincipalName}
	w.Object, w.Effect, w.AccountID = c.Object, c.Effect, c.AccountID
	if p := b.persons[user(c.Object)]; p.account != nil {
		w.AccountID, w.UserPrincipalName = p.account.AccountID, p.account.UserPrincipalName
	}
	for _, p := range c.Properties {
		sku, _ := directory.LicenceOfProperty(p.Name)
		if off, has := directory.LicencePlansOff(p.After); has {
			w.Licences.Add = append(w.Licences.Add, directory.AssignedLicence{SKU: sku, DisabledPlans: off})
		} else if !p.Before.IsNull() {
			w.Licences.Remove = append(w.Licences.Remove, sku)
		}
	}
	return w
}

// Sort has a change wait whose seat somebody else took, or whose account is not yet
// known to all of Microsoft's services. That what was to be taken is not there, or comes
// by a group alone, may be the answer to a change that was made before, of which nobody
// heard.
func (b *batch) Sort(c *directory.Change, out directory.Outcome) reconcile.Verdict {
	a := b.persons[user(c.Object)].account
	switch {
	case out.NotVisible && a != nil && a.AccountSince.Add(reconcile.Grace).After(b.w.Now()):
		return reconcile.Verdict{Wait: 5 * time.Second}
	case out.Problem.Code == directory.CodeLicenseNotHeld, out.Problem.Code == directory.CodeLicenseFromGroup:
		return reconcile.Verdict{Find: true}
	case out.Problem.Code == directory.CodeLicenseNoneLeft:
		p := *out.Problem
		p.Code, p.Next = directory.CodeWaitingForSeat, directory.ProblemTypeOf(directory.CodeWaitingForSeat).Next
		p.Message = "Somebody else took the last seat before this licence was given."
		return reconcile.Verdict{Later: looksForSeat, Problem: &p}
	case out.Problem.Code == directory.CodeLicenseUsageLocation && a != nil && a.LastWrite.Add(reconcile.Grace).After(b.w.Now()):
		return reconcile.Verdict{Later: settles, Problem: out.Problem}
	case out.Problem.Code == directory.CodeScopeMissing || out.Problem.Code == directory.CodeLicenseForbidden:
		p := *out.Problem
		return reconcile.Verdict{State: directory.ChangeFailed, Problem: &p} // only licences need that permission
	}
	return reconcile.Verdict{}
}

// Find finds out whether accounts have what changes were to give them. To give a licence
// twice gives it once, so only what was refused as not held, or as a group's, is looked for.
func (b *batch) Find(ctx context.Context, list []reconcile.Unanswered) ([]reconcile.Verdict, error) {
	changes := make([]*directory.Change, len(list))
	for n := range list {
		changes[n] = list[n].Change
	}
	found, err := b.o.found(ctx, b.w, changes)
	if err != nil {
		return nil, err
	}
	verdicts := make([]reconcile.Verdict, len(list))
	for n, h := range found {
		h.holder.Held = h.read // the ledger does not know of it yet
		switch {
		case h.held == nil:
			verdicts[n] = reconcile.Verdict{Wait: 5 * time.Second}
		case h.stillHas(changes[n]):
			verdicts[n] = reconcile.Verdict{Hidden: true} // read older than Microsoft's own answer
		case h.differs(changes[n], afterwards):
			verdicts[n] = reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated,
				Message: "Somebody else took a licence from the account after this was planned.", Next: "The next run plans it anew."}}
		default:
			verdicts[n] = reconcile.Verdict{State: directory.ChangeApplied}
		}
	}
	return verdicts, nil
}

// Clarify has nothing to add.
func (b *batch) Clarify(context.Context, []directory.Change, map[int]store.Result) {}

// Consequence notes in the ledger what was given and taken. Whoever waits for more is
// looked at again, and so gets a place in line; so is whoever has nothing of ours any
// more, of whom no record need stay.
func (b *batch) Consequence(f *reconcile.Fate) reconcile.Consequence {
	q := reconcile.Consequence{Written: func(bd *directory.Binding) {
		if f.Applied {
			b.note(bd, f)
		}
	}}
	for _, p := range f.Findings {
		if p.Code == directory.CodeWaitingForSeat && f.Well() {
			q.Later = time.Second
		}
	}
	if f.Change.Effect == directory.EffectLicenceRemove && f.Applied && f.Well() && f.Run.Kind != directory.KindUndo {
		q.Later = time.Second
	}
	return q
}

// note notes what was written, of the account that it was written to.
func (b *batch) note(bd *directory.Binding, f *reconcile.Fate) {
	reconcile.NoteWrite(bd, f.Change, f.Now)
	of := b.accountID(f.Change)
	next, sent := ledger(bd.Base, of), sentOf(bd.Base, of)
	for _, p := range f.Change.Properties {
		sku, _ := directory.LicenceOfProperty(p.Name)
		if off, has := directory.LicencePlansOff(p.After); has {
			next[sku] = off
		} else {
			delete(next, sku)
		}
		sent = slices.DeleteFunc(sent, func(s directory.SKUID) bool { return s == sku })
	}
	bd.Base = base(next, of, sent...)
	if p := b.persons[user(f.Change.Object)]; p.account != nil {
		bd.UserPrincipalName = p.account.UserPrincipalName
	}
}

// Journalled has nothing to do: who waits for a seat that was given back is in the plan.
func (b *batch) Journalled(context.Context, []directory.Change, map[int]store.Result) error {
	return nil
}
