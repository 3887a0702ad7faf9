package groups

import (
	"context"
	"maps"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// groupBatch is what groups are sent with.
type groupBatch struct {
	o       *tenantGroups
	w       reconcile.Work
	records map[directory.Ref]*directory.Binding
	exports map[directory.GroupID]Export
	befores map[directory.AccountID]store.BeforeImage
}

// Records reads the records of groups.
func (b *groupBatch) Records(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	var err error
	b.records, err = b.o.bound(ctx, refs)
	return b.records, err
}

// Confirm looks at changes right before they are sent. A group that has the uniqueName
// of a creation was made by it, or by one of an earlier time.
func (b *groupBatch) Confirm(ctx context.Context, changes []*directory.Change) ([]reconcile.Verdict, error) {
	verdicts := make([]reconcile.Verdict, len(changes))
	var ids []directory.GroupID
	var creations, adoptions, deletions, returns []int
	for n, c := range changes {
		ids = append(ids, directory.GroupID(c.Object.ID))
		switch c.Effect {
		case directory.EffectGroupCreate:
			creations = append(creations, n)
		case directory.EffectGroupAdopt:
			adoptions = append(adoptions, n)
		case directory.EffectGroupDelete:
			deletions = append(deletions, n)
		case directory.EffectGroupRestore:
			returns = append(returns, n)
		}
	}
	if err := b.confirmDeletions(ctx, changes, deletions, verdicts); err != nil {
		return nil, err
	}
	var err error
	if b.exports, err = b.o.Source.Exports(ctx, b.o.s.Connection(), ids); err != nil {
		return nil, err
	}
	for _, n := range returns {
		r := b.records[changes[n].Object]
		if _, exported := b.exports[directory.GroupID(changes[n].Object.ID)]; !exported && r != nil && r.AccountID == "" && b.w.Run.Kind != directory.KindUndo {
			verdicts[n] = exportEnded()
		}
	}
	if err := b.adopt(ctx, changes, adoptions, verdicts); err != nil {
		return nil, err
	}
	return verdicts, b.confirmCreations(ctx, changes, creations, verdicts)
}

// confirmDeletions has a deletion wait for the memberships that are to be taken away
// before: those of the same run have come to a result by now.
func (b *groupBatch) confirmDeletions(ctx context.Context, changes []*directory.Change, list []int, verdicts []reconcile.Verdict) error {
	for _, i := range list {
		c := changes[i]
		left, _, err := b.o.leftIn(ctx, directory.GroupID(c.Object.ID))
		if err != nil {
			return err
		}
		refs := make([]directory.Ref, len(left))
		for n := range left {
			refs[n] = left[n].Ref()
		}
		there, err := b.o.bound(ctx, refs) // the listing may be behind
		if err != nil {
			return err
		}
		maps.DeleteFunc(there, func(_ directory.Ref, m *directory.Binding) bool { return m.Release == directory.ReleaseKeep })
		if n := len(there); n > 0 {
			verdicts[i] = reconcile.Verdict{Later: time.Minute, Problem: membersLeft(n, quoted(directory.StringValue(c.UserPrincipalName)), string(c.AccountID))}
		}
	}
	return nil
}

// adopt takes tenant groups without a request of their own; the records get them in the
// journal's transaction.
func (b *groupBatch) adopt(ctx context.Context, changes []*directory.Change, list []int, verdicts []reconcile.Verdict) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]directory.AccountID, len(list))
	refs := make([]directory.Ref, len(list))
	for n, i := range list {
		ids[n], refs[n] = changes[i].AccountID, changes[i].Object
	}
	owners, err := b.o.Owners.ObjectOwners(ctx, directory.KindGroup, b.o.s.Connection(), ids)
	if err != nil {
		return err
	}
	if b.befores, err = b.o.Befores.BeforeImages(ctx, b.o.s.Connection().Tenant.ID, ids, refs); err != nil {
		return err
	}
	for _, i := range list {
		c := changes[i]
		verdicts[i] = reconcile.Verdict{State: directory.ChangeApplied}
		if owner, is := owners[c.AccountID]; is && owner != c.Object {
			verdicts[i] = reconcile.Verdict{State: directory.ChangeFailed, Problem: taken(owner)}
		}
	}
	return nil
}

func (b *groupBatch) confirmCreations(ctx context.Context, changes []*directory.Change, list []int, verdicts []reconcile.Verdict) error {
	if len(list) == 0 {
		return nil
	}
	names := make([]string, len(list))
	for n, i := range list {
		names[n] = b.uniqueName(changes[i])
	}
	found, err := b.o.reads.named(ctx, b.w, names)
	if err != nil {
		return err
	}
	for n, i := range list {
		_, exported := b.exports[directory.GroupID(changes[i].Object.ID)]
		switch err := found[n].Err(); {
		case !exported:
			verdicts[i] = exportEnded()
		case err != nil && found[n].Retry:
			verdicts[i] = reconcile.Verdict{Unsure: &directory.Outcome{Problem: found[n].Problem, RetryAfter: found[n].RetryAfter}}
		case err != nil:
			p, err := unread(&found[n])
			if err != nil {
				return err
			}
			verdicts[i] = reconcile.Verdict{State: directory.ChangeFailed, Problem: p}
		case found[n].Value != nil:
			verdicts[i] = made(found[n].Value)
		}
	}
	return nil
}

func exportEnded() reconcile.Verdict {
	return outdated("The export of the group has ended since this was planned.")
}

// made is what a creation came to whose group is there.
func made(g *directory.TenantGroup) reconcile.Verdict {
	if p := g.ReadOnly(); p != nil {
		return reconcile.Verdict{State: directory.ChangeFailed, Problem: about(p, string(g.ID))}
	}
	return reconcile.Verdict{State: directory.ChangeApplied, Object: directory.AccountID(g.ID)}
}

func outdated(message string) reconcile.Verdict {
	return reconcile.Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated, Message: message, Next: "The next run plans it anew."}}
}

// uniqueName is the one that the group of a change is created with.
func (b *groupBatch) uniqueName(c *directory.Change) string {
	return directory.UniqueNameOf(b.o.s.Connection().ID, c.Object.ID)
}

// Intend notes which groups may have been made: when nobody hears of it, and the export
// ends by a policy that has its group deleted, the group is looked for by its uniqueName.
func (b *groupBatch) Intend(ctx context.Context, changes []*directory.Change) error {
	var list []store.BindingChange
	for _, c := range changes {
		if c.Effect == directory.EffectGroupCreate {
			list = append(list, store.BindingChange{Ref: c.Object, Mutate: func(bd *directory.Binding) bool {
				if sent, _ := bd.Base[propSent].Bool(); sent {
					return false
				}
				bd.Base = cloned(bd.Base)
				bd.Base[propSent] = directory.BoolValue(true)
				return true
			}})
		}
	}
	return b.o.intend(ctx, list)
}

// Write is the request of a change.
func (b *groupBatch) Write(c *directory.Change) protect.Write {
	var w protect.Write
	w.Object, w.Effect, w.GroupID = c.Object, c.Effect, directory.TenantGroupID(c.AccountID)
	switch c.Effect {
	case directory.EffectGroupCreate:
		w.GroupID, w.Properties = "", c.After()
		w.NewGroup = directory.NewTenantGroup{UniqueName: b.uniqueName(c), Quiet: true}
		if e := b.exports[directory.GroupID(c.Object.ID)]; e.Kind == directory.GroupMicrosoft365 {
			w.NewGroup.Microsoft365, w.NewGroup.SecurityEnabled = true, true
			w.NewGroup.Quiet = !e.Welcome
		}
	case directory.EffectGroupUpdate:
		w.Properties = c.After()
	}
	return w
}

// Sort says what an answer means that is no success and asks for no other try.
func (b *groupBatch) Sort(c *directory.Change, out directory.Outcome) reconcile.Verdict {
	switch {
	case c.Effect == directory.EffectGroupCreate && (out.Problem.Code == directory.CodeUniqueNameTaken || out.Problem.Code == directory.CodeObjectConflict):
		return reconcile.Verdict{Find: true} // perhaps the answer to our own creation was lost
	case c.Effect == directory.EffectGroupRestore && (out.NotVisible || out.Problem.Code == directory.CodeDeletedGroupGone):
		return reconcile.Verdict{Find: true} // or that to our own restoration: the group is not in the bin any more
	case out.NotVisible && b.justMade(c):
		return reconcile.Verdict{Wait: waitVisible}
	case out.NotVisible:
		return outdated("The tenant group is not there any more.")
	}
	return forbidden(out)
}

// forbidden is the verdict about what the connection may not do with groups: it may go
// on with all else.
func forbidden(out directory.Outcome) reconcile.Verdict {
	if out.Problem.Code != directory.CodeScopeMissing && out.Problem.Code != directory.CodeGroupForbidden {
		return reconcile.Verdict{}
	}
	return reconcile.Verdict{State: directory.ChangeFailed, Problem: ofGroups(out.Problem)}
}

// justMade reports whether the group is so new that it may not be known everywhere.
func (b *groupBatch) justMade(c *directory.Change) bool {
	r := b.records[c.Object]
	return r != nil && r.AccountSince.Add(justMade).After(b.o.s.Now())
}

// Find finds out by uniqueName whether creations took effect, and by ID whether
// restorations did. Anything else takes effect once, however often it is sent.
func (b *groupBatch) Find(ctx context.Context, list []reconcile.Unanswered) ([]reconcile.Verdict, error) {
	verdicts := make([]reconcile.Verdict, len(list))
	var names []string
	var at, restored []int
	for n, u := range list {
		switch u.Change.Effect {
		case directory.EffectGroupCreate:
			names, at = append(names, b.uniqueName(u.Change)), append(at, n)
		case directory.EffectGroupRestore:
			restored = append(restored, n)
		}
	}
	if err := b.findRestored(ctx, list, restored, verdicts); err != nil {
		return nil, err
	}
	found, err := b.o.reads.named(ctx, b.w, names)
	if err != nil {
		return nil, err
	}
	for k, n := range at {
		p, err := unread(&found[k])
		switch {
		case err != nil:
			return nil, err
		case p != nil: // it is sent again, which makes no second group
		case found[k].Value != nil:
			verdicts[n] = made(found[k].Value)
		case list[n].Outcome.Problem != nil && !list[n].Outcome.Unknown:
			// The name is another object's, perhaps one in the recycle bin (GG 22 row 20).
			verdicts[n] = reconcile.Verdict{State: directory.ChangeFailed, Problem: list[n].Outcome.Problem}
		default:
			verdicts[n] = reconcile.Verdict{Hidden: true}
		}
	}
	return verdicts, nil
}

func (b *groupBatch) findRestored(ctx context.Context, list []reconcile.Unanswered, places []int, verdicts []reconcile.Verdict) error {
	if len(places) == 0 {
		return nil
	}
	ids := make([]directory.TenantGroupID, len(places))
	for k, n := range places {
		ids[k] = directory.TenantGroupID(list[n].Change.AccountID)
	}
	b.o.reads.forget()
	found, err := b.o.reads.groupsNow(ctx, b.w, ids)
	if err != nil {
		return err
	}
	for k, n := range places {
		see := found[ids[k]]
		if see.group != nil {
			verdicts[n] = made(see.group)
		} else if see.deleted == nil && see.problem == nil {
			verdicts[n] = reconcile.Verdict{State: directory.ChangeFailed, Problem: list[n].Outcome.Problem}
		}
	}
	return nil
}

// Clarify has nothing to add.
func (b *groupBatch) Clarify(context.Context, []directory.Change, map[int]store.Result) {}

// Consequence is what a result means for the record of a group.
func (b *groupBatch) Consequence(f *reconcile.Fate) reconcile.Consequence {
	out := reconcile.Consequence{Written: func(r *directory.Binding) {
		switch {
		case f.Applied && f.Change.Effect != directory.EffectRelease:
			if before, kept := b.befores[f.Change.AccountID]; kept && r.Before == nil {
				r.Before, r.Created = before.Before, before.Created
			}
			noteGroup(r, f.Change)
			if !f.Change.Effect.Row().Remembers {
				r.LastWrite, r.Writes = f.Now, nil
			}
		case f.Result.State == directory.ChangeFailed && refusedValue(f.Change, f.Result.Error):
			noteRefusal(r, f.Change, f.Result.Error, f.Now)
		}
	}}
	if f.Last && f.Failure != nil && f.Result.State == directory.ChangeFailed && refusedValue(f.Change, f.Result.Error) {
		out.Status, out.Later = directory.BindingRefused, time.Second // the rest is planned again without the value
	}
	if f.Applied && (f.Change.Effect == directory.EffectGroupCreate && f.Outcome == nil || f.Change.Effect == directory.EffectGroupRestore) {
		out.Later = time.Second // found, not made now: it may have other values, and members of its own
	}
	if f.Applied && f.Change.Effect == directory.EffectGroupDelete {
		out.Deleted = f.Change.AccountID
	}
	if f.Well() && f.Change.AccountID != "" && b.exports[directory.GroupID(f.Change.Object.ID)].Exact && !b.compared(f.Change) {
		out.Later = time.Second // adopted now: strangers are looked for in what is ours
	}
	return out
}

// compared reports whether strangers have been looked for in the group of a change.
func (b *groupBatch) compared(c *directory.Change) bool {
	r := b.records[c.Object]
	if r == nil {
		return false
	}
	yes, _ := r.Base[propExact].Bool()
	return yes
}

// refusedValue reports whether a change failed for one value, so that it is not sent
// again.
func refusedValue(c *directory.Change, p *directory.Problem) bool {
	if p == nil || p.Property == "" {
		return false
	}
	_, wrote := c.After()[p.Property]
	return wrote && (p.Kind == directory.ProblemData || p.Kind == directory.ProblemConflict)
}

// noteRefusal remembers a value that Microsoft refused.
func noteRefusal(r *directory.Binding, c *directory.Change, p *directory.Problem, now time.Time) {
	refused := directory.RefusedValue{Value: c.After()[p.Property], Problem: *p}
	refused.Problem.Since, refused.Problem.Attempts = now, 1
	kept := map[string]directory.RefusedValue{}
	for name, v := range r.Refused {
		kept[name] = v
	}
	kept[p.Property] = refused
	r.Refused = kept
}

// Journalled has nothing to do: what waits for a group is told by Dependents.
func (b *groupBatch) Journalled(context.Context, []directory.Change, map[int]store.Result) error {
	b.o.reads.forget()
	return nil
}
