package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sort"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// accountPlan is deciding about users for one run.
type accountPlan struct {
	a   *accounts
	s   *session
	w   Work
	run *store.RunRecord
	cfg plan.Config
}

func (p *accountPlan) decideEach(ctx context.Context, subjects []plan.Subject, deferred map[directory.UserID]deferral) (Decided, error) {
	var page Decided
	if err := p.awaitGroups(ctx, subjects, deferred); err != nil {
		return page, err
	}
	judged := p.judge(subjects)
	now := p.s.now().UTC()
	for i := range subjects {
		s := &subjects[i]
		page.Looked = append(page.Looked, s.Binding)
		if why, yes := deferred[s.User.ID]; yes {
			if why.problem != nil {
				page.Refused++
			}
			page.Again = lookAgain
			page.Unwritten = append(page.Unwritten, p.postpone(s, why, now))
			continue
		}
		d, still := p.decideOne(s)
		if s.User.Deleted != nil && len(d.Changes) == 0 && d.Problem == nil && !p.run.DryRun {
			if err := p.a.users.ExpireUser(ctx, s.User); err != nil {
				return page, err
			}
		}
		if d.Problem != nil {
			page.Refused++
		}
		if len(d.Changes) == 0 {
			if c := p.keptLeaver(s, &d, now); c != nil {
				page.Changes = append(page.Changes, *c)
			}
			page.Unwritten = append(page.Unwritten, p.acknowledge(s, d, still, now))
			continue
		}
		if len(still) < len(s.Binding.Declined) {
			page.Unwritten = append(page.Unwritten, forgetDeclined(s.Binding.Ref(), still))
		}
		if kept := judged[s.User.ID]; len(kept) > 0 {
			page.Unwritten = append(page.Unwritten, noteKept(s.Binding.Ref(), kept))
		}
		page.Editors = append(page.Editors, editorsOf(s)...)
		page.Changes = append(page.Changes, stamp(d, s, now)...)
	}
	return page, p.boundBefore(ctx, page.Changes)
}

// awaitGroups defers those who have left the last group that selected them while another
// one may still select them: whoever moves between two is not let go in between, also when
// the one could be read and the other could not. Who loses access does not wait.
func (p *accountPlan) awaitGroups(ctx context.Context, subjects []plan.Subject, deferred map[directory.UserID]deferral) error {
	moves := func(s *plan.Subject) bool { return s.Binding.LeftGroup != "" && s.User.Enabled() }
	if !slices.ContainsFunc(subjects, func(s plan.Subject) bool { return moves(&s) }) || p.a.uses == nil || p.run.DryRun || p.run.Kind == directory.KindUndo {
		return nil
	}
	waits, err := p.a.uses.Selects(ctx, &p.s.conn)
	if err != nil || !waits {
		return err
	}
	for i := range subjects {
		if s := &subjects[i]; moves(s) {
			if _, yes := deferred[s.User.ID]; !yes {
				deferred[s.User.ID] = deferral{}
			}
		}
	}
	return nil
}

// current reads everything that deciding about users needs. Those who were served
// as leavers meanwhile are read again.
func (p *accountPlan) current(ctx context.Context, ids []directory.UserID) ([]plan.Subject, map[directory.UserID]deferral, error) {
	served := p.w.lane.served()
	list, deferred, err := p.a.observe.subjects(ctx, p.w.lane, p.cfg, ids)
	if err != nil {
		return nil, nil, err
	}
	p.forgetRefusals(list)
	if !p.run.Urgent {
		err = p.a.actors.whoChanged(ctx, p.w.lane, list)
	}
	stale := p.w.lane.servedSince(ids, served)
	if err != nil || len(stale) == 0 {
		return list, deferred, err
	}
	for _, id := range stale {
		delete(deferred, id)
	}
	again, deferredAgain, err := p.current(ctx, stale)
	maps.Copy(deferred, deferredAgain)
	list = append(slices.DeleteFunc(list, func(s plan.Subject) bool { return slices.Contains(stale, s.User.ID) }), again...)
	sort.Slice(list, func(i, j int) bool { return list[i].User.ID < list[j].User.ID })
	return list, deferred, err
}

// boundBefore takes the mark of a first load from changes of accounts that the
// same user was bound to before: whoever may bind could release everybody and
// bind them again otherwise, and what the guard held would count for no limit.
func (p *accountPlan) boundBefore(ctx context.Context, chunk []directory.Change) error {
	var accounts []directory.AccountID
	var refs []directory.Ref
	for i := range chunk {
		if chunk[i].FirstLoad {
			accounts = append(accounts, chunk[i].AccountID)
			refs = append(refs, chunk[i].Ref())
		}
	}
	if len(accounts) == 0 {
		return nil
	}
	earlier, err := p.a.owners.BeforeImages(ctx, p.s.conn.Tenant.ID, accounts, refs)
	if err != nil {
		return err
	}
	for i := range chunk {
		if _, was := earlier[chunk[i].AccountID]; was {
			chunk[i].FirstLoad = false
		}
	}
	return nil
}

// decideOne decides about one user. What an admin declined is left out; still
// are the declined changes that would be proposed again.
func (p *accountPlan) decideOne(s *plan.Subject) (d plan.Decision, still []string) {
	switch {
	case p.run.Release != "":
		return plan.Release(p.cfg, *s, p.run.Release), s.Binding.Declined
	case s.Binding.Release != "":
		return plan.Release(p.cfg, *s, s.Binding.Release), nil
	}
	d = plan.Decide(p.cfg, *s)
	if len(s.Binding.Declined) == 0 {
		return d, nil
	}
	kept, still := plan.Withhold(d, s.Binding.Declined)
	if len(still) > 0 && len(kept.Changes) == 0 {
		kept.Base, kept.Status = s.Binding.Base, directory.BindingInSync
	}
	return kept, still
}

// keptLeaver puts into the journal that somebody's access should be taken away
// and is not, since the account must not or cannot be written to or the binding
// is paused, and raises an alarm. It does so once, not at each look.
func (p *accountPlan) keptLeaver(s *plan.Subject, d *plan.Decision, now time.Time) *directory.Change {
	var cause *directory.Problem
	if a := cmp.Or(s.Account, s.ByUPN); d.Status == directory.BindingReadOnly && a != nil && a.Enabled() {
		cause = d.Problem
	}
	if i := slices.IndexFunc(d.Findings, pausedLeaver); i >= 0 {
		if d.Findings[i].Since.IsZero() {
			d.Findings[i].Since = now
		}
		cause = &d.Findings[i]
	}
	if cause == nil || s.User.Enabled() || p.run.DryRun {
		return nil
	}
	if old := s.Binding.Problem; old != nil && old.Code == cause.Code && s.Binding.Applied >= s.Binding.Wanted ||
		pausedLeaver(*cause) && slices.ContainsFunc(s.Binding.Findings, pausedLeaver) {
		return nil
	}
	why := map[string]string{
		directory.CodeAccountProtected: "the account is protected", directory.CodeSyncedOnPremises: "the account is synced from on-premises",
		directory.CodeAccountGuest: "the account is a guest's", directory.CodeAccountExternal: "the account is an external member's", directory.CodePausedLeaver: "the binding is paused",
	}[cause.Code]
	p.s.sum.ProtectedLeavers++
	p.s.log.Error("a leaver's account stays enabled", "why", why, "code", cause.Code, "connectionId", p.s.conn.ID, "runId", p.run.ID,
		"userId", s.User.ID, "accountId", s.Binding.AccountID)
	return &directory.Change{
		UserID: s.User.ID, AccountID: s.Binding.AccountID, UserPrincipalName: s.Binding.UserPrincipalName, Effect: directory.EffectBlock,
		Properties: []directory.PropertyChange{{Name: directory.PropAccountEnabled, Before: directory.BoolValue(true), After: directory.BoolValue(false)}},
		Reason:     "the user is not active any more, and " + why, State: directory.ChangeRefused, Error: cause,
		At: now, UserVersion: s.Binding.Wanted,
	}
}

func pausedLeaver(p directory.Problem) bool { return p.Code == directory.CodePausedLeaver }

// forgetDeclined drops what an admin declined and nobody proposes any more.
func forgetDeclined(ref directory.Ref, still []string) store.BindingChange {
	return store.BindingChange{Ref: ref, Mutate: func(b *directory.Binding) bool {
		b.Declined = still
		return true
	}}
}

// noteKept counts as agreed what Microsoft keeps, of a user of whom other values
// are yet to be written.
func noteKept(ref directory.Ref, kept map[string]directory.KeptValue) store.BindingChange {
	return store.BindingChange{Ref: ref, Mutate: func(b *directory.Binding) bool {
		plan.Keep(b, kept)
		return true
	}}
}

// stamp completes the changes of one user: when they were recorded, and the
// before-image of an adoption.
func stamp(d plan.Decision, s *plan.Subject, now time.Time) []directory.Change {
	for i := range d.Changes {
		c := &d.Changes[i]
		if c.Effect == directory.EffectAdopt && len(c.Properties) == 0 {
			for _, name := range d.Before.Names() {
				c.Properties = append(c.Properties, directory.PropertyChange{Name: name, Before: d.Before[name], After: d.Before[name]})
			}
		}
		Stamp(c, s.Binding, now)
	}
	if n := len(d.Changes); n > 0 {
		d.Changes[n-1].Findings = d.Findings
	}
	return d.Changes
}

// acknowledge is what a decision without changes means for the binding.
func (p *accountPlan) acknowledge(s *plan.Subject, d plan.Decision, still []string, now time.Time) store.BindingChange {
	// A binding without an account of a deleted user has nothing left to do.
	done := s.User.Deleted != nil && s.Binding.AccountID == ""
	wanted, gone := s.Binding.Wanted, (s.Binding.Release != "" || done) && d.Problem == nil
	bc := store.BindingChange{Ref: s.Binding.Ref(), Remove: gone}
	if d.Problem != nil && retried(d.Status) {
		bc.Later = backoff(attemptsOf(s.Binding) + 1)
	}
	if s.Account != nil && disputed(s) {
		// The read may be older than our own write; looked at again afterwards.
		bc.Later = Grace
	}
	kept, refused := plan.Standing(p.cfg, *s)
	if retry := nextRetry(refused, now); retry > 0 && (bc.Later == 0 || retry < bc.Later) {
		bc.Later = retry
	}
	digest := int64(0)
	if d.Status == directory.BindingInSync && plan.OnlyKept(d.Findings) && s.Account != nil && bc.Later == 0 {
		digest = p.a.digester.Of(s.Account.Properties)
	}
	bc.Mutate = func(b *directory.Binding) bool {
		if b.Resting() != s.Binding.Resting() {
			return false // paused or resumed while this was decided: it is planned anew
		}
		if b.Resting() && s.Binding.Release == "" {
			b.Applied, b.Recheck, b.RunID, b.Digest = max(b.Applied, wanted), false, p.run.ID, 0
			b.Findings = d.Findings
			return true
		}
		b.Status, b.Applied, b.Recheck, b.RunID, b.Digest = d.Status, max(b.Applied, wanted), false, p.run.ID, digest
		if d.Base != nil {
			b.Base = d.Base
		}
		if d.Status == directory.BindingInSync || d.Status == directory.BindingRefused {
			b.Kept, b.Refused = kept, refused
			if s.Account != nil {
				name := kept[directory.PropUserPrincipalName].Kept.String()
				if _, agreed := b.Base[directory.PropUserPrincipalName]; !agreed {
					name = s.Account.UserPrincipalName() // one of its own
				}
				b.UserPrincipalName = cmp.Or(name, b.UserPrincipalName)
				b.Writes = slices.DeleteFunc(b.Writes, func(w directory.PropertyWrites) bool { return !w.At.After(now.Add(-writesLife)) })
			}
		}
		b.Findings, b.Declined = d.Findings, still
		if d.Status == directory.BindingInSync && d.Problem == nil {
			b.Agree(wanted)
		}
		b.Problem = keepSince(b.Problem, d.Problem, now)
		return true
	}
	return bc
}

// lookAgain is when an account is read again that could not be read.
const lookAgain = 10 * time.Second

// postpone is what it means for a binding that its account cannot be read while
// others can: it is left as it is and looked at again, and nobody waits for it.
func (p *accountPlan) postpone(s *plan.Subject, why deferral, now time.Time) store.BindingChange {
	if why.problem != nil {
		return p.acknowledge(s, plan.Decision{Status: directory.BindingFailed, Problem: why.problem}, s.Binding.Declined, now)
	}
	wanted := s.Binding.Wanted
	return store.BindingChange{Ref: s.Binding.Ref(), Later: lookAgain, Urgent: true, Mutate: func(b *directory.Binding) bool {
		b.Applied, b.Digest = max(b.Applied, wanted), 0
		return true
	}}
}

// disputed reports whether a value that we have just written is not as agreed.
func disputed(s *plan.Subject) bool {
	for name := range changedValues(s.Binding, s.Account, nil) {
		if s.Fresh.Has(name) {
			return true
		}
	}
	return false
}

// forgetRefusals takes from subjects the refusals that are to be tried again: by
// time, or all of them because an admin asks for these users.
func (p *accountPlan) forgetRefusals(list []plan.Subject) {
	asked := len(p.run.UserIDs) > 0 && p.run.Trigger == directory.TriggerAdmin && p.run.Kind == directory.KindSync
	for i := range list {
		b := list[i].Binding
		due := func(_ string, r directory.RefusedValue) bool {
			return asked || !r.RetryAt.IsZero() && !r.RetryAt.After(p.s.now())
		}
		if len(b.Refused) > 0 {
			b.Refused = maps.Clone(b.Refused)
			maps.DeleteFunc(b.Refused, due)
		}
	}
}

// judge finds out what Microsoft keeps of what we wrote (see plan.Judge) and
// counts it as agreed.
func (p *accountPlan) judge(list []plan.Subject) map[directory.UserID]map[string]directory.KeptValue {
	judged := map[directory.UserID]map[string]directory.KeptValue{}
	for i := range list {
		s := &list[i]
		if s.Binding.Resting() {
			continue
		}
		if kept := plan.Judge(s, p.s.now().UTC()); len(kept) > 0 {
			judged[s.User.ID] = kept
			plan.Keep(s.Binding, kept)
			p.s.log.Info("values are kept otherwise than written", "connectionId", p.s.conn.ID, "userId", s.User.ID,
				"accountId", s.Binding.AccountID, "properties", slices.Sorted(maps.Keys(kept)))
		}
	}
	return judged
}

// editorsOf are those whose edits the changes for a user come from; some may be
// empty. Whether that matters is asked when somebody decides: the settings may want
// four eyes by then.
func editorsOf(s *plan.Subject) []string {
	b := s.Binding
	var editors []string
	since := time.Time{}
	if b.Agreed == 0 { // what the user was before, whoever bound it has seen
		since = b.SelectedAt
		editors = append(editors, b.SelectedBy)
	}
	if b.Release != "" {
		editors = append(editors, b.ReleasedBy)
	}
	if b.Release != "" || b.Agreed == 0 {
		editors = append(editors, b.AskedBy...)
	}
	editors = append(editors, b.ResumedBy)
	return append(editors, s.User.EditorsSince(b.Agreed, since)...)
}
