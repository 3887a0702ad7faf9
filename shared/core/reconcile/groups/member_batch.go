package groups

import (
	"context"
	"time"

	"bindery/shared/core/protect"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// memberBatch is what memberships are sent with.
type memberBatch struct {
	o       *memberships
	w       reconcile.Work
	records map[directory.Ref]*directory.Binding
	around  *surroundings
	pairs   map[directory.ChangeID]pair // of the changes that may go
	met     map[directory.ChangeID]bool // of those whose membership was there before them
	// written are the groups that a request of the flight writes to.
	written map[directory.TenantGroupID]bool
}

// Records reads the records of memberships.
func (b *memberBatch) Records(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	var err error
	b.records, err = b.o.bound(ctx, refs)
	return b.records, err
}

// Confirm finds the group and the account of each change: one that was planned before
// they were there is for those that its run has made since.
func (b *memberBatch) Confirm(ctx context.Context, changes []*directory.Change) ([]reconcile.Verdict, error) {
	list := make([]memberRecord, len(changes))
	for n, c := range changes {
		list[n] = memberRecord{c.Object, b.records[c.Object]}
	}
	var err error
	if b.around, err = b.o.around(ctx, b.w, list); err != nil {
		return nil, err
	}
	verdicts := make([]reconcile.Verdict, len(changes))
	for n, c := range changes {
		s := b.o.subject(b.around, list[n])
		verdicts[n] = b.confirm(c, &s)
		b.noteUnheard(c)
	}
	return verdicts, b.find(ctx, changes, verdicts)
}

// find looks for members who are to be added and were there before us: of a group, or an
// account, that was not ours when the change was planned nobody has looked at that. What
// we have made since then had no memberships. Whom we may have added ourselves is not
// looked for.
func (b *memberBatch) find(ctx context.Context, changes []*directory.Change, verdicts []reconcile.Verdict) error {
	var places []int
	var list []*directory.Change
	for n, c := range changes {
		_, may := b.pairs[c.ID]
		if may && c.Effect == directory.EffectMemberAdd && !pairOf(c, nil).known() && b.o.sent[c.ID] == 0 && !b.o.unheard[c.ID] && !b.madeByUs(c) {
			places, list = append(places, n), append(list, c)
		}
	}
	if len(places) == 0 {
		return nil
	}
	rolls, err := b.o.membersAmong(ctx, b.w, list, func(c *directory.Change) pair { return b.pairs[c.ID] })
	if err != nil {
		return err
	}
	for _, n := range places {
		c := changes[n]
		switch in := rolls[b.pairs[c.ID].group]; {
		case in.problem != nil:
			verdicts[n] = reconcile.Verdict{State: directory.ChangeFailed, Problem: in.problem}
		case in.known() && in.has(b.pairs[c.ID].member):
			verdicts[n], b.met[c.ID] = reconcile.Verdict{State: directory.ChangeApplied}, true
		}
	}
	return nil
}

// noteUnheard notes of a change whether its membership may have been given before this
// slice sends it. It is asked once: what the slice notes itself is counted by sent.
func (b *memberBatch) noteUnheard(c *directory.Change) {
	p, may := b.pairs[c.ID]
	if _, known := b.o.unheard[c.ID]; known || !may {
		return
	}
	r := b.records[c.Object]
	b.o.unheard[c.ID] = r != nil && sentPair(r) == p
}

// madeByUs reports whether we have made the group of a change, or its member, since the
// change was planned. What is older others had the time to give memberships to.
func (b *memberBatch) madeByUs(c *directory.Change) bool {
	g, member, _ := memberOf(c.Object)
	made := func(r *directory.Binding) bool {
		return r != nil && r.Created && r.Base[propReturned].IsNull() && !r.AccountSince.Before(c.At)
	}
	return made(b.around.groups[g]) || made(b.around.users[member.User()].Binding) || member.Group() != "" && made(b.around.groups[member.Group()])
}

func (b *memberBatch) confirm(c *directory.Change, s *memberSubject) reconcile.Verdict {
	p := pairOf(c, nil)
	if c.Effect == directory.EffectAdopt {
		return reconcile.Verdict{State: directory.ChangeApplied} // nothing is sent: the record is made by it
	}
	if c.Effect == directory.EffectMemberRemove {
		others := s.stranger() || s.record != nil && !s.record.Created
		if others && s.member.protected != "" {
			return reconcile.Verdict{State: directory.ChangeRefused, Problem: protect.Problem(s.member.protected)}
		}
		if s.stranger() && s.owned {
			return outdated("The directory wants this member by now.")
		}
		if s.stranger() && s.group.unsettled && b.w.Run.Kind != directory.KindUndo {
			return outdated("The account may be that of a member whom the directory wants by now.")
		}
		b.pairs[c.ID] = p
		return reconcile.Verdict{}
	}
	g, _, _ := memberOf(c.Object)
	if r := b.around.groups[g]; p.group == "" {
		p.group = directory.TenantGroupID(idOfRecord(r))
	} else if r != nil && r.AccountID == "" && r.Release == "" {
		p.group = "" // it is still to be adopted
	}
	if p.member == "" {
		p.member = s.member.id
	}
	switch {
	case p.group == "":
		return reconcile.Verdict{Later: lookLater, Problem: problem(directory.CodeGroupWaits, "The tenant group of "+s.groupName()+" is not there yet.", "The membership follows once it is.", s.ref.ID)}
	case p.member == "":
		return reconcile.Verdict{Later: lookLater, Problem: problem(directory.CodeMemberWaits, "The account of "+s.member.name+" is not there yet.", "The membership follows once it is.", s.ref.ID)}
	}
	b.pairs[c.ID] = p
	return reconcile.Verdict{}
}

// Intend notes which memberships may be there from now on by our doing. When nobody hears
// of it, and the change is not sent again since something else is wanted by then, the
// membership would count as given by others, and stay for ever.
func (b *memberBatch) Intend(ctx context.Context, changes []*directory.Change) error {
	var list []store.BindingChange
	for _, c := range changes {
		p, r := b.pairs[c.ID], b.records[c.Object]
		if c.Effect != directory.EffectMemberAdd || strangerOf(c.Object) != "" || r == nil {
			continue
		}
		if given, yes := givenPair(r); yes && given == p {
			continue
		}
		list = append(list, store.BindingChange{Ref: c.Object, Mutate: func(bd *directory.Binding) bool { return noteSent(bd, p) }})
	}
	return b.o.intend(ctx, list)
}

// Combine has the additions to one group go in one request, and so some removals, which
// follow each other in it. A group is in one request of a flight only, whatever chunks its
// changes are of, since Microsoft does not take two writes to it side by side (GG 3.4). No
// other kind can write to it meanwhile: a flight is of one kind, and the next one leaves
// once all of its requests have been answered.
func (b *memberBatch) Combine(changes []*directory.Change) [][]int {
	var list [][]int
	open := map[directory.TenantGroupID]int{} // its request
	for i, c := range changes {
		p := b.pairs[c.ID]
		n, begun := open[p.group]
		switch {
		case !begun && b.written[p.group]: // by a request of another chunk
		case !begun:
			open[p.group] = len(list)
			list = append(list, []int{i})
		case changes[list[n][0]].Effect == c.Effect && len(list[n]) < mostTogether(c.Effect):
			list[n] = append(list[n], i)
		}
	}
	for g := range open {
		b.written[g] = true
	}
	return list
}

// mostTogether is how many changes of one group go in one request.
func mostTogether(e directory.Effect) int {
	if e == directory.EffectMemberAdd {
		return directory.MostMembersAtOnce
	}
	return directory.MostRemovedInTurn
}

// Weigh is how many writes Microsoft counts for n members who are added at once
// (GG 3.2), or taken out one by one.
func (b *memberBatch) Weigh(e directory.Effect, n int) int {
	if e == directory.EffectMemberAdd {
		return directory.MemberWrites(n)
	}
	return n
}

// InTurn reports whether changes of one group that go together follow each other: removals
// do, and a request that follows an order does so as a whole.
func (b *memberBatch) InTurn(e directory.Effect) bool { return e == directory.EffectMemberRemove }

// Write is the request of a change.
func (b *memberBatch) Write(c *directory.Change) protect.Write {
	b.o.sent[c.ID]++
	p := b.pairs[c.ID]
	w := protect.Write{UserPrincipalName: c.UserPrincipalName}
	w.Object, w.Effect, w.GroupID, w.AccountID = c.Object, c.Effect, p.group, p.member
	w.Young = c.Effect == directory.EffectMemberRemove && b.givenLately(c)
	return w
}

// Sort says what an answer means that is no success and asks for no other try.
func (b *memberBatch) Sort(c *directory.Change, out directory.Outcome) reconcile.Verdict {
	b.o.sent[c.ID]-- // it certainly did not take effect
	switch {
	case out.Shared:
		return reconcile.Verdict{Alone: true}
	case out.NotVisible && c.Effect == directory.EffectMemberRemove && b.givenLately(c):
		return reconcile.Verdict{Later: time.Minute, Problem: problem(directory.CodeMemberWaits,
			"Microsoft does not know of the membership yet, which was given moments ago.", "It is taken away once it is to be seen.", c.Object.ID)}
	case out.NotVisible && b.justMade(c):
		return reconcile.Verdict{Wait: waitVisible}
	case out.NotVisible && c.Effect == directory.EffectMemberAdd:
		return reconcile.Verdict{Later: lookLater, Problem: problem(directory.CodeMemberWaits,
			"Microsoft does not know the tenant group, or the member.", "It is looked at again by itself.", c.Object.ID)}
	case out.NotVisible:
		return reconcile.Verdict{Later: time.Minute, Problem: problem(directory.CodeGroupGone,
			"Microsoft does not know the tenant group, or the member.", "It is looked at again by itself.", c.Object.ID)}
	}
	return forbidden(out)
}

// Recall counts sendings as none.
func (b *memberBatch) Recall(changes []*directory.Change) {
	for _, c := range changes {
		b.o.sent[c.ID]--
	}
}

// givenLately reports whether we gave a membership so lately that it may not be known
// everywhere.
func (b *memberBatch) givenLately(c *directory.Change) bool {
	r := b.records[c.Object]
	return r != nil && r.Created && r.LastWrite.Add(justMade).After(b.o.s.Now())
}

// justMade reports whether the group or the member is so new that it may not be known
// everywhere.
func (b *memberBatch) justMade(c *directory.Change) bool {
	g, member, _ := memberOf(c.Object)
	young := func(r *directory.Binding) bool {
		return r != nil && r.AccountSince.Add(justMade).After(b.o.s.Now())
	}
	return young(b.around.groups[g]) || young(b.around.users[member.User()].Binding) || member.Group() != "" && young(b.around.groups[member.Group()])
}

// Find has changes sent again of which the answers do not tell: they take effect once.
func (b *memberBatch) Find(_ context.Context, list []reconcile.Unanswered) ([]reconcile.Verdict, error) {
	return make([]reconcile.Verdict, len(list)), nil
}

// Clarify has nothing to add.
func (b *memberBatch) Clarify(context.Context, []directory.Change, map[int]store.Result) {}

// Consequence is what a result means for the record of a membership. One that was there
// before we gave it is not ours to take back, unless an earlier sending may have given it.
func (b *memberBatch) Consequence(f *reconcile.Fate) reconcile.Consequence {
	c := f.Change
	if failed(f) && c.Effect == directory.EffectMemberAdd {
		if b.o.unheard[c.ID] || b.o.sent[c.ID] > 0 {
			return reconcile.Consequence{} // a sending that was not refused may have given it
		}
		p := b.pairs[c.ID]
		return reconcile.Consequence{Written: func(r *directory.Binding) { forgetSent(r, p) }}
	}
	if !f.Applied || c.Effect == directory.EffectRelease {
		return reconcile.Consequence{}
	}
	out := reconcile.Consequence{}
	if r := b.records[c.Object]; c.Effect == directory.EffectMemberRemove && strangerOf(c.Object) == "" && r != nil && r.Release == "" && b.w.Run.Kind != directory.KindUndo {
		out.Later = time.Second // another account of the user comes in its place
	}
	p, sent := b.pairs[c.ID]
	already := b.met[c.ID] || f.Outcome != nil && f.Outcome.Already && b.o.planned[planned{b.w.Run.ID, c.Object}] && b.o.sent[c.ID] == 1 && !b.o.unheard[c.ID]
	out.Written = func(r *directory.Binding) {
		if !sent {
			return
		}
		noteMember(r, c.Effect, p, already)
		r.LastWrite, r.Writes = f.Now, nil
		if c.UserPrincipalName != "" {
			r.UserPrincipalName = c.UserPrincipalName
		}
	}
	return out
}

// failed reports whether Microsoft has refused a change, for certain.
func failed(f *reconcile.Fate) bool {
	out := f.Outcome
	return f.Result.State == directory.ChangeFailed && out != nil && !out.Unknown && !out.Retry && out.Problem != nil && out.Problem.Kind != directory.ProblemTransient
}

// Journalled forgets what was read: it is not so any more.
func (b *memberBatch) Journalled(_ context.Context, all []directory.Change, results map[int]store.Result) error {
	for i := range results {
		delete(b.o.sent, all[i].ID)
		delete(b.o.unheard, all[i].ID)
	}
	b.o.reads.forget()
	return nil
}
