package licences

import (
	"context"
	"slices"
	"strings"
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
	records map[directory.Ref]*directory.Binding
	persons map[directory.UserID]person
	formers map[directory.UserID]directory.AccountID
}

// Records reads the records of licences.
func (b *batch) Records(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	var err error
	b.records, err = b.o.records.of(ctx, refs)
	return b.records, err
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
	if b.formers, err = b.o.records.formers(ctx, b.records, b.persons); err != nil {
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
	case b.takesBack(c):
		return reconcile.Verdict{}
	case c.Release != "" && p.account != nil && p.account.Release == "":
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated,
			Message: "The user is bound again by now.", Next: "The next run plans it anew."}}
	case !p.there || p.account == nil || p.account.Release != "" || p.account.Resting() && b.w.Run.Kind != directory.KindUndo:
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeReleased,
			Message: "The user's account was released or paused before this change was sent."}}
	case p.account.AccountID == "" && b.o.records.groups:
		return reconcile.Verdict{Later: waitsForAccount, Problem: groupWaits()}
	case p.account.AccountID == "":
		return reconcile.Verdict{Later: waitsForAccount, Problem: accountWaits()}
	case c.AccountID != "" && c.AccountID != p.account.AccountID:
		return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated,
			Message: "The user has another account by now.", Next: "The next run plans it anew."}}
	}
	return reconcile.Verdict{}
}

// takesBack reports whether a change takes from the account of somebody who leaves, or has
// left, what we gave to it.
func (b *batch) takesBack(c *directory.Change) bool {
	if c.Effect != directory.EffectLicenceRemove || c.AccountID == "" || b.w.Run.Kind == directory.KindUndo {
		return false
	}
	a := b.persons[user(c.Object)].account
	if a == nil {
		return b.formers[user(c.Object)] == c.AccountID
	}
	return a.Release != "" && !a.Resting() && a.AccountID == c.AccountID
}

// Intend notes which products accounts may have from now on by our doing. When nobody
// hears of it, and the change is not sent again since something else is wanted by then,
// the product would count as given by others.
func (b *batch) Intend(ctx context.Context, changes []*directory.Change) error {
	var list []store.BindingChange
	for _, c := range changes {
		var gives []directory.SKUID
		for _, p := range c.Properties {
			if sku, is := directory.LicenceOfProperty(p.Name); is && p.Before.IsNull() && !p.After.IsNull() {
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
	turn(bd, of)
	bd.Base = base(bd.Base, ledger(bd.Base, of), of, sent...)
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
	if b.o.records.groups {
		w.GroupID, w.AccountID, w.UserPrincipalName = directory.TenantGroupID(w.AccountID), "", ""
	}
	for _, p := range c.Properties {
		sku, is := directory.LicenceOfProperty(p.Name)
		if !is {
			continue
		}
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
	case c.Effect == directory.EffectLicenceReprocess && strings.HasPrefix(out.Problem.Code, "license-") && !out.Retry && !out.Unknown:
		return reconcile.Verdict{State: directory.ChangeFailed, Problem: out.Problem} // why it cannot be given (GG 9.4)
	case out.Problem.Code == directory.CodeLicenseNotHeld, out.Problem.Code == directory.CodeLicenseFromGroup:
		return reconcile.Verdict{Find: true}
	case out.Problem.Code == directory.CodeLicenseNoneLeft:
		p := *out.Problem
		p.Code, p.Next = directory.CodeWaitingForSeat, directory.ProblemTypeOf(directory.CodeWaitingForSeat).Next
		p.Message = "Somebody else took the last seat before this licence was given."
		return reconcile.Verdict{Later: looksForSeat, Problem: &p}
	case out.Problem.Code == directory.CodeLicenseUsageLocation && a != nil && a.LastWrite.Add(reconcile.Grace).After(b.w.Now()):
		return reconcile.Verdict{Later: settles, Problem: out.Problem}
	case slices.Contains([]string{directory.CodeScopeMissing, directory.CodeLicenseForbidden, directory.CodeGroupLicenseForbidden}, out.Problem.Code):
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

// Clarify says of which products and services a refusal is, by the names that people
// know: Microsoft names them by IDs.
func (b *batch) Clarify(ctx context.Context, all []directory.Change, results map[int]store.Result) {
	for i, r := range results {
		if r.Error == nil || !strings.HasPrefix(r.Error.Code, "license-") {
			continue
		}
		skus, err := b.o.products(ctx, b.w)
		if err != nil {
			return // what Microsoft said stays as it is
		}
		r.Error = clarified(r.Error, &all[i], skus)
		results[i] = r
	}
}

// clarified is a problem with the names of what it is about.
func clarified(p *directory.Problem, c *directory.Change, skus []directory.LicenceSKU) *directory.Problem {
	q := *p
	var products, services []string
	add := func(list *[]string, name string) {
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	for _, pc := range c.Properties {
		if sku, is := directory.LicenceOfProperty(pc.Name); is {
			add(&products, directory.ProductNameOf(skus, sku))
			if len(c.Properties) == 1 {
				q.Property = pc.Name
			}
		}
	}
	said := strings.ToLower(p.MicrosoftMessage)
	for i := range skus {
		for _, s := range skus[i].Plans {
			if strings.Contains(said, strings.ToLower(string(s.ID))) {
				add(&services, s.Name)
			}
		}
	}
	if len(products) > 0 {
		q.Message += " Products: " + strings.Join(products, ", ") + "."
		if one := directory.SKUID(q.Holder); one != "" { // the one of several that Microsoft named
			q.Holder = directory.ProductNameOf(skus, one)
		} else {
			q.Holder = strings.Join(products, ", ")
		}
	}
	if len(services) > 0 {
		q.Message += " Services: " + strings.Join(services, ", ") + "."
		q.Holder = strings.Join(services, ", ")
	}
	return &q
}

// Consequence notes in the ledger what was given and taken. Whoever waits for more is
// looked at again, and so gets a place in line; so is whoever has nothing of ours any
// more, of whom no record need stay.
func (b *batch) Consequence(f *reconcile.Fate) reconcile.Consequence {
	if f.Change.Effect == directory.EffectLicenceReprocess {
		of := b.accountID(f.Change)
		return reconcile.Consequence{Later: looksAfterTry, Written: func(bd *directory.Binding) { noteTry(bd, f, of) }}
	}
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
	of := b.accountID(f.Change)
	turn(bd, of)
	reconcile.NoteWrite(bd, f.Change, f.Now)
	next, sent := ledger(bd.Base, of), sentOf(bd.Base, of)
	for _, p := range f.Change.Properties {
		sku, is := directory.LicenceOfProperty(p.Name)
		if !is {
			continue
		}
		if off, has := directory.LicencePlansOff(p.After); has {
			next[sku] = off
		} else {
			delete(next, sku)
		}
		sent = slices.DeleteFunc(sent, func(s directory.SKUID) bool { return s == sku })
	}
	bd.Base = base(bd.Base, next, of, sent...)
	if p := b.persons[user(f.Change.Object)]; p.account != nil {
		bd.UserPrincipalName = p.account.UserPrincipalName
	}
}

// looksAfterTry is after which time it is looked what came of asking Microsoft again.
const looksAfterTry = time.Minute

// Journalled has a group looked at whose licences were taken: it may wait for that to be
// deleted. Who waits for a seat that was given back is in the plan.
func (b *batch) Journalled(ctx context.Context, all []directory.Change, results map[int]store.Result) error {
	if !b.o.records.groups {
		return nil
	}
	var refs []directory.Ref
	for i, r := range results {
		if c := &all[i]; r.State == directory.ChangeApplied && c.Effect == directory.EffectLicenceRemove {
			refs = append(refs, directory.GroupRef(directory.GroupID(c.Object.ID)))
		}
	}
	return b.o.records.store.MarkRecheck(ctx, b.o.s.Lease(), refs, b.o.s.Now())
}
