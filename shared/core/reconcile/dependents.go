package reconcile

import (
	"context"
	"errors"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Dependents names the objects that may have waited for some others, see
// Config.Dependents.
type Dependents func(ctx context.Context, c *directory.Connection, refs []directory.Ref) ([]directory.Ref, error)

// EachDependents are Dependents of one object after the other.
func EachDependents(of func(ctx context.Context, c *directory.Connection, ref directory.Ref) ([]directory.Ref, error)) Dependents {
	return func(ctx context.Context, c *directory.Connection, refs []directory.Ref) ([]directory.Ref, error) {
		var all []directory.Ref
		for _, ref := range refs {
			list, err := of(ctx, c, ref)
			if err != nil {
				return nil, err
			}
			all = append(all, list...)
		}
		return all, nil
	}
}

// dependents have looked at what may have waited for an object (Verdict.Later), when
// the journal says that this has got its counterpart in the tenant, or lost it, or can
// be written to again. Nothing follows from it but marks: it is done once nothing is
// under way, and what is forgotten when a slice dies is looked at when its time has
// come.
type dependents struct {
	s     *session
	of    Dependents
	marks markStore
	send  Send

	stirred []directory.Ref // whose dependents are to be looked at
	writing []directory.Ref // likewise, once the journal is written
	marked  bool            // in this slice, whoever its wake-up was about
}

// watch has noted what the changes of a journal mean for others.
func (d *dependents) watch(list []store.BindingChange) []store.BindingChange {
	d.writing = nil
	if d.of == nil {
		return list
	}
	list = slices.Clone(list)
	for i := range list {
		bc := &list[i]
		mutate, ref, ends := bc.Mutate, bc.Ref, bc.Remove
		if mutate == nil {
			continue
		}
		renewed := bc.Create
		bc.Mutate = func(b *directory.Binding) bool {
			before := stateOf(b)
			if renewed != nil && b.Version == 0 {
				before.account = ""
			}
			changed := mutate(b)
			if changed && stateOf(b).stirs(before, ends) && !slices.Contains(d.writing, ref) {
				d.writing = append(d.writing, ref)
			}
			return changed
		}
	}
	return list
}

// written notes that the journal is durable.
func (d *dependents) written() {
	for _, ref := range d.writing {
		if !slices.Contains(d.stirred, ref) {
			d.stirred = append(d.stirred, ref)
		}
	}
	d.writing = nil
}

// any reports whether there is something to be looked at, also when the journal that
// is being written is.
func (d *dependents) any() bool { return len(d.stirred)+len(d.writing) > 0 }

// stir marks the dependents, while leavers are served. That they cannot be found out is no
// reason to stop.
func (d *dependents) stir(ctx context.Context, l lane) error {
	marked := false
	for len(d.stirred) > 0 {
		if err := l.attend(ctx); err != nil {
			return err
		}
		some := d.stirred[:min(stirredPart, len(d.stirred))]
		d.stirred = d.stirred[len(some):]
		if len(some) == 0 {
			break // a run of leavers has ended with it
		}
		refs, err := d.of(ctx, &d.s.conn, some)
		if err != nil {
			d.s.log.Warn("what depends on objects was not found out", "connectionId", d.s.conn.ID, "kind", some[0].Kind, "error", err)
			continue
		}
		for part := range slices.Chunk(refs, dependentsPart) {
			if err := d.s.inTime(ctx); err != nil {
				return err
			}
			err := d.marks.MarkRecheck(ctx, &d.s.lease, part, d.s.now())
			if errors.Is(err, directory.ErrLeaseLost) {
				return err
			}
			if err != nil {
				d.s.log.Warn("what depends on objects was not marked", "connectionId", d.s.conn.ID, "kind", some[0].Kind, "error", err)
				break
			}
			marked = true
		}
	}
	if !marked || d.marked {
		return nil
	}
	d.marked = true
	// The index that marks are found through may lag behind this slice.
	return d.send(ctx, directory.WakeUp{ConnectionID: d.s.conn.ID}, d.s.secondLook)
}

// How many objects have their dependents looked for, and how many of these are marked,
// before leavers and the lease are looked at again.
const (
	stirredPart    = 25
	dependentsPart = 1000
)

// objectState is what of a binding others depend on.
type objectState struct {
	account directory.AccountID
	status  directory.BindingStatus
	blocked bool
	leaves  bool
	agreed  bool // the object is, or was once, as it is to be
}

func stateOf(b *directory.Binding) objectState {
	return objectState{b.AccountID, b.Status, b.Blocked, b.Release != "", b.Agreed > 0}
}

// stirs reports whether others may go on, or may not, since an object is not as before. An
// account that was named when the user was bound is on the binding from the start: that the
// two agree for the first time is all that tells of it.
func (o objectState) stirs(before objectState, ends bool) bool {
	if ends {
		return before.account != ""
	}
	stuck := false
	switch before.status {
	case directory.BindingRefused, directory.BindingConflict, directory.BindingReadOnly, directory.BindingFailed, directory.BindingPaused:
		stuck = true
	}
	return o.account != before.account || o.agreed && !before.agreed || o.blocked != before.blocked || before.leaves && !o.leaves || stuck && o.status == directory.BindingInSync
}
