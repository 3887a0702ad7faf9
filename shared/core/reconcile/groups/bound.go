package groups

import (
	"context"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

const (
	// justMade is for how long Microsoft may not know something everywhere that was made
	// lately (GG 8).
	justMade = 10 * time.Minute
	// waitVisible is after which time it is asked again.
	waitVisible = 5 * time.Second
	// lookLater is when something is looked at again that waits for another object,
	// whoever tells of it sooner.
	lookLater = 15 * time.Minute
)

// opened is what both kinds have of a connection at work.
type opened struct {
	Config
	s     reconcile.Slice
	reads *reads
	// planned are the objects that this slice has planned, by run; sent is how often it
	// has sent a change of which it is not known that it did not take effect.
	planned map[planned]bool
	sent    map[directory.ChangeID]int
	// unheard says of changes whether, before this slice sent them, they may have been sent
	// already: by another slice, or for another change of the same membership.
	unheard map[directory.ChangeID]bool
	// waits says of groups, by run, whether strangers are not to be told yet from who is
	// wanted (unsettled).
	waits map[planned]bool
}

// planned is an object of a run.
type planned struct {
	run directory.RunID
	ref directory.Ref
}

func open(c Config, s reconcile.Slice, t reconcile.Tenant) opened {
	tenant, able := t.(Tenant)
	if !able {
		panic("groups: the tenant's API knows no groups") // a mistake of whoever put the program together
	}
	return opened{Config: c, s: s, reads: readsOf(s, tenant), planned: map[planned]bool{}, sent: map[directory.ChangeID]int{}, unheard: map[directory.ChangeID]bool{}, waits: map[planned]bool{}}
}

// bound reads the records that count.
func (o *opened) bound(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	found, err := o.Records.BindingsOf(ctx, o.s.Connection().ID, refs)
	out := make(map[directory.Ref]*directory.Binding, len(found))
	for ref, b := range found {
		if b.Epoch == o.s.Epoch() && b.ConnectionID == o.s.Connection().ID {
			out[ref] = &b
		}
	}
	return out, err
}

// intend notes on records what is about to be sent.
func (o *opened) intend(ctx context.Context, list []store.BindingChange) error {
	for part := range slices.Chunk(list, reconcile.BatchSize) {
		if err := o.Journal.Journal(ctx, o.s.Lease(), o.s.Connection(), store.Journal{Bindings: part}); err != nil {
			return err
		}
	}
	return nil
}

// fresh says which properties were written so lately that a read may be older.
func (o *opened) fresh(b *directory.Binding) directory.Recent {
	return b.Recent(o.s.Now().Add(-reconcile.Grace))
}

// decided takes in what was decided about a record: its changes, completed, or what it
// means for the record that there are none.
func (o *opened) decided(out *reconcile.Decided, w reconcile.Work, b *directory.Binding, d plan.Decision, gone bool, later time.Duration) {
	var still []string
	o.permit(&d)
	if b.Release == "" { // whose removal was declined stays, until it is let go once more
		d, still = plan.Withhold(d, b.Declined)
	}
	if len(still) > 0 && len(d.Changes) == 0 && d.Problem == nil {
		d.Base, d.Status = b.Base, directory.BindingInSync
	}
	out.Looked = append(out.Looked, b)
	if d.Problem != nil {
		out.Refused++
	}
	if len(d.Changes) == 0 {
		out.Unwritten = append(out.Unwritten, o.acknowledged(w, b, d, still, gone, later))
		return
	}
	d.Changes[len(d.Changes)-1].Findings = d.Findings
	for i := range d.Changes {
		reconcile.Stamp(&d.Changes[i], b, w.Now().UTC())
	}
	out.Changes = append(out.Changes, d.Changes...)
	o.planned[planned{w.Run.ID, b.Ref()}] = true
	if b.Agreed == 0 {
		out.Editors = append(out.Editors, b.SelectedBy)
	}
	if b.Release != "" {
		out.Editors = append(out.Editors, b.ReleasedBy)
	}
	if b.Release != "" || b.Agreed == 0 {
		out.Editors = append(out.Editors, b.AskedBy...)
	}
	out.Editors = append(out.Editors, b.ResumedBy)
}

// permit holds changes back that the connection has no permission for.
func (o *opened) permit(d *plan.Decision) {
	if len(d.Changes) == 0 || o.s.Connection().HasScope(directory.ScopeGroups) {
		return
	}
	d.Changes, d.Status = nil, directory.BindingFailed
	d.Problem = &directory.Problem{
		Code: directory.CodeScopeMissing, Kind: directory.ProblemTenant,
		Message: "The connection lacks the permission " + directory.ScopeGroups + ", so no group of the tenant is written to.",
		Next:    "Authorise the connection again: Microsoft asks for that permission. The group goes on by itself then.",
	}
}

// acknowledged is what a decision without changes means for the record; gone has it go. A
// problem has it looked at again, but one that only an edit mends.
func (o *opened) acknowledged(w reconcile.Work, read *directory.Binding, d plan.Decision, still []string, gone bool, later time.Duration) store.BindingChange {
	if d.Problem != nil && later == 0 && d.Status != directory.BindingRefused && d.Status != directory.BindingPaused {
		later = reconcile.Rest(read)
	}
	bc := reconcile.Unwritten(w.Run.ID, read, d, still, later, w.Now().UTC())
	bc.Remove = gone
	return bc
}
