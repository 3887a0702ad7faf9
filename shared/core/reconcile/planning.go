package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// planPage is how many users are read and decided together, as long as their
// changes fit into one chunk.
const planPage = 200

// planRun reads what the run needs, decides every user of it, records the
// changes and puts them before the guard.
func (w *worker) planRun(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	if r.Settings != nil {
		w.cfg = w.config(*r.Settings)
		defer func() { w.cfg = w.config(w.conn.Settings) }()
	}
	if r.State, r.Remapped = directory.RunPlanning, r.Remapped || w.remapped(r); r.Kind == directory.KindUndo {
		return w.planUndo(ctx, r, cur)
	}
	w.noteSettings(r)
	if !cur.Read {
		read, err := w.readForRun(ctx, r)
		if err != nil {
			return err
		}
		if cur.Read = true; read {
			r.Attempts = 0
			if err := w.saveRun(ctx, r, cur); err != nil {
				return err
			}
		}
	}
	p := &planner{worker: w, run: r, cur: cur, page: cmp.Or(cur.Page, planPage)}
	for !cur.Planned {
		if err := w.inTime(ctx); err != nil {
			return err
		}
		if err := w.overtake(ctx, r); err != nil {
			return err
		}
		ids, err := p.nextUsers(ctx)
		if err != nil {
			return err
		}
		if cur.Page > 0 {
			cur.Page = min(planPage, 2*cur.Page) // saved with what is decided
		}
		if err := p.decide(ctx, ids); err != nil {
			return err
		}
		p.page = max(p.page, cur.Page)
	}
	return w.checkGuard(ctx, r, cur)
}

// readForRun brings the marks up to date for runs that ask for it: an admin's
// "sync now" and a full reconcile. Other runs work from the marks there are.
func (w *worker) readForRun(ctx context.Context, r *store.RunRecord) (read bool, err error) {
	if len(r.UserIDs) > 0 || r.DryRun && (r.Full || r.Settings != nil || r.Release != "") || !r.Full && r.Trigger != directory.TriggerAdmin {
		return false, nil
	}
	link := w.lease.Link
	if r.Full && link.Demand != r.ID {
		link = store.ReadLink{Demand: r.ID, Since: link.Since}
	} else if r.Full && !link.Full && link.Link != "" {
		return true, nil // this run's full round has been read
	}
	w.read = true
	return true, w.attending(r, func() error { return w.readRound(ctx, link) })
}

// planner collects decisions into chunks.
type planner struct {
	*worker
	run  *store.RunRecord
	cur  *runs.Progress
	page int    // how many users to take next
	from string // the place in the marks before the users that are being decided
	half bool   // these are the second half of a page whose first half is recorded
}

// tooSlow has fewer users taken at a time, from where these began, when their
// accounts could not be read before the slice was over: with a slow Microsoft the
// next slice would come no further.
func (p *planner) tooSlow(ctx context.Context, n int, err error) error {
	if _, over := errors.AsType[*errPause](err); !over || n < 2 || p.now().Before(p.until) {
		return err
	}
	p.cur.Page = max(1, n/4)
	switch {
	case p.run.Kind == directory.KindUndo:
	case len(p.run.UserIDs) > 0:
		p.cur.Index, p.cur.Planned = p.cur.Index-n, false
	case !p.half: // else the next run plans these: their marks stay
		p.cur.Marks, p.cur.Planned = p.from, false
	}
	return errors.Join(p.saveRun(ctx, p.run, p.cur), err)
}

// nextUsers returns the next users to decide and moves the cursor behind them;
// the cursor is stored together with what was decided.
func (p *planner) nextUsers(ctx context.Context) ([]directory.UserID, error) {
	p.from, p.half = p.cur.Marks, false
	if len(p.run.UserIDs) > 0 {
		end := min(p.cur.Index+p.page, len(p.run.UserIDs))
		ids := p.run.UserIDs[p.cur.Index:end]
		p.cur.Index, p.cur.Planned = end, end == len(p.run.UserIDs)
		return ids, nil
	}
	if p.run.DryRun && (p.run.Full || p.run.Settings != nil || p.run.Release != "") {
		return p.everyone(ctx)
	}
	marks, next, err := p.Store.ListMarks(ctx, p.conn.ID, p.lease.Epoch, p.cur.Marks, p.page)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.UserID, 0, len(marks))
	for _, m := range marks {
		if !slices.Contains(ids, m.Ref.User()) {
			ids = append(ids, m.Ref.User())
		}
	}
	p.cur.Marks, p.cur.Planned = next, next == ""
	return ids, nil
}

// everyone goes through all bindings, for a dry run that asks what would become
// of each of them.
func (p *planner) everyone(ctx context.Context) ([]directory.UserID, error) {
	list, next, err := p.Store.ListBindings(ctx, directory.KindAccount, p.conn.ID, p.lease.Epoch, p.cur.Marks, p.page)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.UserID, len(list))
	for i := range list {
		ids[i] = list[i].UserID
	}
	p.cur.Marks, p.cur.Planned = next, next == ""
	return ids, nil
}

// decide plans users and records the outcome: changes in chunks, and what
// needs no write on the binding at once.
func (p *planner) decide(ctx context.Context, ids []directory.UserID) error {
	p.aside = map[directory.UserID]aside{}
	var subjects []plan.Subject
	err := p.attending(p.run, func() (err error) {
		subjects, err = p.current(ctx, ids)
		return err
	})
	unread := p.aside
	if p.aside = nil; err != nil {
		return p.tooSlow(ctx, len(ids), err)
	}
	for _, a := range unread {
		if p.run.DryRun && a.problem == nil {
			return a.cause // nobody looks again later for a dry run: it waits for all
		}
	}
	judged := p.judge(subjects)
	now := p.now().UTC()
	var settled []store.BindingChange
	var chunk []directory.Change
	size, refused := 0, 0
	counts := map[directory.Effect]int{}
	for i := range subjects {
		s := &subjects[i]
		if a, yes := unread[s.User.ID]; yes {
			if a.problem != nil {
				refused++
			}
			settled = append(settled, p.putOff(s, a, now))
			continue
		}
		d, still := p.decideOne(s)
		if s.User.Deleted != nil && len(d.Changes) == 0 && d.Problem == nil && !p.run.DryRun {
			if err := p.Store.ExpireUser(ctx, s.User); err != nil {
				return err
			}
		}
		if d.Problem != nil {
			refused++
		}
		if len(d.Changes) == 0 {
			if c := p.keptLeaver(s, &d, now); c != nil {
				chunk = append(chunk, *c)
				size += store.SizeOf(c)
			}
			settled = append(settled, p.settle(s, d, still, now))
			continue
		}
		if len(still) < len(s.Binding.Declined) {
			settled = append(settled, forgetDeclined(s.Binding.UserID, still))
		}
		if kept := judged[s.User.ID]; len(kept) > 0 {
			settled = append(settled, noteKept(s.Binding.UserID, kept))
		}
		group := stamp(d, s, now)
		p.noteEditors(s)
		for j := range group {
			size += store.SizeOf(&group[j])
			counts[group[j].Effect]++
		}
		chunk = append(chunk, group...)
	}
	if (size > store.MaxChunkBytes || len(chunk) > store.ChunkSize) && len(ids) > 1 {
		return p.decideHalves(ctx, ids)
	}
	p.run.PlanRefused += refused
	p.sum.Refused += refused
	if err := p.settleAll(ctx, settled); err != nil {
		return err
	}
	if len(unread) > 0 && !p.run.DryRun {
		if err := p.Send(ctx, directory.WakeUp{ConnectionID: p.conn.ID}, lookAgain); err != nil {
			return err
		}
	}
	if !p.run.DryRun {
		moving := make([]*directory.Binding, len(subjects))
		for i := range subjects {
			moving[i] = subjects[i].Binding
		}
		p.wakeTargetsOf(ctx, moving)
	}
	p.sum.Planned += len(chunk)
	p.run.Attempts = 0
	if len(chunk) == 0 {
		return p.saveRun(ctx, p.run, p.cur)
	}
	for e, n := range counts {
		p.run.Counts[e] += n
	}
	if err := p.boundBefore(ctx, chunk); err != nil {
		return err
	}
	return p.append(ctx, chunk)
}

// current reads everything that deciding about users needs. Those who were served
// as leavers meanwhile are read again.
func (p *planner) current(ctx context.Context, ids []directory.UserID) ([]plan.Subject, error) {
	served := p.lane.served
	list, err := p.subjects(ctx, ids)
	if err != nil {
		return nil, err
	}
	p.forgetRefusals(list)
	if !p.run.Urgent {
		err = p.whoChanged(ctx, list)
	}
	stale := p.servedSince(ids, served)
	if err != nil || len(stale) == 0 {
		return list, err
	}
	for _, id := range stale {
		delete(p.aside, id)
	}
	again, err := p.current(ctx, stale)
	list = append(slices.DeleteFunc(list, func(s plan.Subject) bool { return slices.Contains(stale, s.User.ID) }), again...)
	slices.SortFunc(list, func(a, b plan.Subject) int { return cmp.Compare(a.User.ID, b.User.ID) })
	return list, err
}

// boundBefore takes the mark of a first load from changes of accounts that the
// same user was bound to before: whoever may bind could release everybody and
// bind them again otherwise, and what the guard held would count for no limit.
func (p *planner) boundBefore(ctx context.Context, chunk []directory.Change) error {
	var accounts []directory.AccountID
	var refs []directory.Ref
	for i := range chunk {
		if chunk[i].FirstLoad {
			accounts, refs = append(accounts, chunk[i].AccountID), append(refs, chunk[i].Ref())
		}
	}
	if len(accounts) == 0 {
		return nil
	}
	earlier, err := p.Store.BeforeImages(ctx, p.conn.Tenant.ID, accounts, refs)
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

// append records a chunk together with the place that planning has come to.
func (p *planner) append(ctx context.Context, chunk []directory.Change, notes ...store.Note) error {
	p.run.Cursor = p.cur.Encode()
	if err := p.Store.AppendChunk(ctx, &p.lease, p.run, chunk, notes...); err != nil {
		return err
	}
	if p.tallied.run != p.run.ID {
		p.tallied = tallied{run: p.run.ID, counts: plan.Tally{}, remapped: p.run.Remapped}
	}
	if p.tallied.chunks == p.run.Chunks-1 {
		p.tallied.add(chunk)
	}
	return nil
}

// decideHalves plans a page whose changes do not fit one chunk in two parts.
// The cursor of a run with its own list of users stops in between; that of
// marks need not, since a mark that a crash leaves out is planned by the next run.
func (p *planner) decideHalves(ctx context.Context, ids []directory.UserID) error {
	half := len(ids) / 2
	p.page = max(1, min(p.page, half))
	index, planned := p.cur.Index, p.cur.Planned
	if len(p.run.UserIDs) > 0 { // see nextUsers
		p.cur.Index, p.cur.Planned = index-(len(ids)-half), false
	}
	if err := p.decide(ctx, ids[:half]); err != nil {
		return err
	}
	p.cur.Index, p.cur.Planned = index, planned
	p.half = true
	return p.decide(ctx, ids[half:])
}

// settleAll records on bindings what planning found out without a write to the
// tenant. A dry run leaves no trace.
func (p *planner) settleAll(ctx context.Context, list []store.BindingChange) error {
	if p.run.DryRun {
		return nil
	}
	for part := range slices.Chunk(list, 30) {
		err := inParts(part, func(part []store.BindingChange) error {
			return p.Store.Journal(ctx, &p.lease, &p.conn, store.Journal{Bindings: part})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// decideOne decides about one user. What an admin declined is left out; still
// are the declined changes that would be proposed again.
func (p *planner) decideOne(s *plan.Subject) (d plan.Decision, still []string) {
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
func (p *planner) keptLeaver(s *plan.Subject, d *plan.Decision, now time.Time) *directory.Change {
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
		directory.CodeAccountProtected: "the account is protected", "synced-on-premises": "the account is synced from on-premises",
		"account-guest": "the account is a guest's", "account-external": "the account is an external member's", directory.CodePausedLeaver: "the binding is paused",
	}[cause.Code]
	p.sum.ProtectedLeavers++
	p.log().Error("a leaver's account stays enabled, since "+why, "code", cause.Code, "connectionId", p.conn.ID, "runId", p.run.ID,
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
func forgetDeclined(id directory.UserID, still []string) store.BindingChange {
	return store.BindingChange{Ref: directory.AccountOf(id), Mutate: func(b *directory.Binding) bool {
		b.Declined = still
		return true
	}}
}

// noteKept counts as agreed what Microsoft keeps, of a user of whom other values
// are yet to be written.
func noteKept(id directory.UserID, kept map[string]directory.KeptValue) store.BindingChange {
	return store.BindingChange{Ref: directory.AccountOf(id), Mutate: func(b *directory.Binding) bool {
		plan.Keep(b, kept)
		return true
	}}
}

// stamp completes the changes of one user: when they were recorded, and the
// before-image of an adoption.
func stamp(d plan.Decision, s *plan.Subject, now time.Time) []directory.Change {
	for i := range d.Changes {
		c := &d.Changes[i]
		c.At, c.State = now, directory.ChangePlanned
		c.UserVersion, c.Agreed, c.Release = s.Binding.Wanted, s.Binding.Agreed, s.Binding.Release
		if c.Effect == directory.EffectAdopt && len(c.Properties) == 0 {
			for _, name := range d.Before.Names() {
				c.Properties = append(c.Properties, directory.PropertyChange{Name: name, Before: d.Before[name], After: d.Before[name]})
			}
		}
		if c.Properties == nil {
			c.Properties = []directory.PropertyChange{}
		}
	}
	if n := len(d.Changes); n > 0 {
		d.Changes[n-1].Findings = d.Findings
	}
	return d.Changes
}

// settle is what a decision without changes means for the binding.
func (p *planner) settle(s *plan.Subject, d plan.Decision, still []string, now time.Time) store.BindingChange {
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
		digest = p.digester.Of(s.Account.Properties)
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

// aside is why an account cannot be read now: a problem, or nothing but time.
type aside struct {
	problem *directory.Problem
	cause   error
}

// lookAgain is when an account is read again that could not be read.
const lookAgain = 10 * time.Second

// putOff is what it means for a binding that its account cannot be read while
// others can: it is left as it is and looked at again, and nobody waits for it.
func (p *planner) putOff(s *plan.Subject, a aside, now time.Time) store.BindingChange {
	if a.problem != nil {
		return p.settle(s, plan.Decision{Status: directory.BindingFailed, Problem: a.problem}, s.Binding.Declined, now)
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

// retried reports whether a binding in this state may mend without an edit of
// its user, so that it is looked at again by itself.
func retried(s directory.BindingStatus) bool {
	return s == directory.BindingConflict || s == directory.BindingFailed || s == directory.BindingReadOnly
}

func attemptsOf(b *directory.Binding) int {
	if b.Problem == nil {
		return 0
	}
	return b.Problem.Attempts
}

// backoff is how long a binding rests after so many failed tries: 5 minutes,
// doubling up to a day.
func backoff(attempts int) time.Duration {
	d := 5 * time.Minute
	for range attempts - 1 {
		if d *= 2; d >= 24*time.Hour {
			return 24 * time.Hour
		}
	}
	return d
}

// keepSince carries the time and the count of a problem that has not changed.
func keepSince(old, p *directory.Problem, now time.Time) *directory.Problem {
	if p == nil {
		return nil
	}
	q := *p
	q.Since, q.Attempts = now, 1
	if old != nil && old.Code == q.Code {
		q.Since, q.Attempts = old.Since, old.Attempts+1
	}
	return &q
}

// subjects reads users, bindings and accounts, everything that deciding needs.
// Users without a binding that counts are left out.
func (w *worker) subjects(ctx context.Context, ids []directory.UserID) ([]plan.Subject, error) {
	rows, err := w.Store.Subjects(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := make([]plan.Subject, 0, len(ids))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		row := rows[id]
		if row.Binding == nil || row.Binding.Epoch != w.lease.Epoch || row.Binding.ConnectionID != w.conn.ID {
			continue
		}
		if row.User == nil {
			// Expired as a tombstone: whatever the account was, it is let go.
			row.User = &directory.User{ID: id, Deleted: &row.Binding.SelectedAt}
			row.Binding.Release = directory.ReleaseKeep
		}
		list = append(list, plan.Subject{User: row.User, Binding: row.Binding})
	}
	if err := w.readAccounts(ctx, list); err != nil {
		return nil, err
	}
	if err := w.findMatches(ctx, list); err != nil {
		return nil, err
	}
	return list, nil
}

// readAccounts reads the accounts of bound users directly. Only a 404, and a
// look into the deleted items, make an account missing (invariant 10).
func (w *worker) readAccounts(ctx context.Context, list []plan.Subject) error {
	var refs []string
	var at []int
	for i := range list {
		if id := list[i].Binding.AccountID; id != "" {
			refs, at = append(refs, string(id)), append(at, i)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := w.lookupEach(ctx, refs, w.cfg.Mapper.Selected())
	if err != nil {
		return err
	}
	err = w.setAside(list, at, found, func(s *plan.Subject, f directory.Found) error {
		if err := f.Err(); err != nil || f.Account != nil || !s.Binding.LastWrite.Add(Grace).After(w.now()) {
			return err
		}
		// A replica may not have it yet: not gone, and not decided now.
		return &errPause{after: lookAgain, why: "an account just written is not visible yet"}
	})
	if err != nil {
		return err
	}
	var missing []directory.AccountID
	var missingAt []int
	for n, f := range found {
		s := &list[at[n]]
		if _, yes := w.aside[s.User.ID]; yes {
			continue
		}
		s.Account = f.Account
		s.Fresh = w.recent(s.Binding)
		if f.Account != nil {
			continue
		}
		s.Missing = true
		missing, missingAt = append(missing, s.Binding.AccountID), append(missingAt, at[n])
	}
	if len(missing) == 0 {
		return nil
	}
	selected := w.cfg.Mapper.Selected()
	deleted, err := awaited(ctx, w, func(ctx context.Context) ([]directory.Found, error) {
		return w.tenant.Deleted(ctx, missing, selected)
	})
	if err != nil {
		return err
	}
	for n, f := range deleted {
		list[missingAt[n]].Deleted = f.Account
	}
	return w.setAside(list, missingAt, deleted, readable)
}

func readable(_ *plan.Subject, f directory.Found) error { return f.Err() }

// setAside sorts out those of whom could not be read now what was asked for; why
// not is what trouble says. When that is so of all, or nobody is to be set aside,
// it is an error; but what is refused about a single one is that one's matter.
func (w *worker) setAside(list []plan.Subject, at []int, found []directory.Found, trouble func(*plan.Subject, directory.Found) error) error {
	var first error
	none := true
	for n, f := range found {
		s := &list[at[n]]
		err := trouble(s, f)
		if err == nil {
			none = false
			continue
		}
		if f.ConcernsAll() {
			return err
		}
		if first == nil {
			first = err
		}
		if w.aside != nil {
			a := aside{cause: err}
			if !f.Retry {
				a.problem = ofAccount(f.Problem)
			}
			w.aside[s.User.ID] = a
		}
	}
	single := len(found) == 1 && !found[0].Retry && found[0].Problem != nil
	if none && !single && len(found) == len(list) || w.aside == nil {
		return first
	}
	return nil
}

// unreadAll is the error of reads that all went without an answer, or of which
// an answer concerns more than its account. What is not known of single accounts
// is no error: nothing is decided about these.
func unreadAll(found []directory.Found) error {
	var first error
	none := len(found) > 1
	for _, f := range found {
		err := f.Err()
		if err != nil && f.ConcernsAll() {
			return err
		}
		if none = none && err != nil; first == nil {
			first = err
		}
	}
	if none {
		return first
	}
	return nil
}

// lookupEach reads accounts and answers each in its place.
func (w *worker) lookupEach(ctx context.Context, refs, selected []string) ([]directory.Found, error) {
	return w.inPieces(ctx, refs, func(ctx context.Context, refs []string) ([]directory.Found, error) {
		return w.tenant.Lookup(ctx, refs, selected)
	})
}

// inPieces reads accounts, a batch at a time, so that each of the requests has a
// deadline of its own and the lease is kept fresh between them.
func (w *worker) inPieces(ctx context.Context, refs []string, ask func(ctx context.Context, refs []string) ([]directory.Found, error)) ([]directory.Found, error) {
	found := make([]directory.Found, 0, len(refs))
	for piece := range slices.Chunk(refs, BatchSize) {
		if len(found) > 0 {
			if err := w.attend(ctx); err != nil {
				return nil, err
			}
		}
		if err := w.units(ctx, len(piece)); err != nil {
			return nil, err
		}
		some, err := awaited(ctx, w, func(ctx context.Context) ([]directory.Found, error) { return ask(ctx, piece) })
		if err != nil {
			return nil, err
		}
		if len(some) != len(piece) {
			return nil, fmt.Errorf("%d answers to %d reads: %w", len(some), len(piece), directory.ErrUnavailable)
		}
		found = append(found, some...)
	}
	return found, nil
}

// findMatches looks for accounts that bindings without one could adopt.
func (w *worker) findMatches(ctx context.Context, list []plan.Subject) error {
	var addresses []string
	var at []int
	for i := range list {
		s := &list[i]
		if s.Binding.AccountID != "" || s.Binding.Release != "" || s.User.Deleted != nil {
			continue
		}
		if address, problem := w.cfg.Mapper.Address(s.User); problem == nil {
			addresses, at = append(addresses, address), append(at, i)
		}
	}
	everybody := at
	linked, err := w.findLinked(ctx, list)
	if err != nil {
		return err
	}
	addresses, at, err = w.known(ctx, addresses, at)
	if err != nil {
		return err
	}
	if err := w.takenBy(ctx, list, linked); err != nil {
		return err
	}
	if err := w.findExternals(ctx, list, everybody); err != nil || len(addresses) == 0 {
		return err
	}
	found, err := w.whoHas(ctx, addresses)
	if err != nil {
		return err
	}
	if err := w.setAside(list, at, found, readable); err != nil {
		return err
	}
	var candidates []directory.AccountID
	for n := range addresses {
		s := &list[at[n]]
		if _, yes := w.aside[s.User.ID]; yes {
			continue
		}
		if s.Linked != nil {
			candidates = append(candidates, s.Linked.ID)
		}
		s.ByUPN = found[n].Account
		if s.ByUPN != nil {
			candidates = append(candidates, s.ByUPN.ID)
		} else if len(found[n].Accounts) == 0 {
			w.absent[s.User.ID] = w.now()
		}
		for _, a := range found[n].Accounts {
			if mapping.Same(directory.PropUserPrincipalName, a.Properties[directory.PropUserPrincipalName], directory.StringValue(addresses[n])) {
				if s.ByUPN == nil {
					s.ByUPN = &a
					candidates = append(candidates, a.ID)
				}
				continue
			}
			s.ByAddress = append(s.ByAddress, a)
			candidates = append(candidates, a.ID)
		}
	}
	owners, err := w.Store.AccountOwners(ctx, &w.conn, candidates)
	if err != nil {
		return err
	}
	imported, err := w.Store.ImportedUsers(ctx, w.conn.TenantID(), candidates)
	if err != nil {
		return err
	}
	made := make(map[directory.AccountID]directory.UserID, len(imported))
	for id, u := range imported {
		made[id] = u.ID
	}
	for _, i := range at {
		list[i].TakenBy, list[i].MadeOf = owners, made
	}
	return nil
}

// findLinked reads the accounts that users without one are known to have, and
// returns whose are there. What Microsoft has deleted for good links nobody.
func (w *worker) findLinked(ctx context.Context, list []plan.Subject) ([]int, error) {
	var users []*directory.User
	at := map[directory.UserID]int{}
	for i := range list {
		if s := &list[i]; s.Binding.AccountID == "" && s.Binding.Release == "" && s.User.Deleted == nil {
			users, at[s.User.ID] = append(users, s.User), i
		}
	}
	if len(users) == 0 {
		return nil, nil
	}
	links, err := w.Store.KnownAccounts(ctx, &w.conn, users)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	var refs []string
	var where []int
	for _, u := range users {
		if link, known := links[u.ID]; known {
			refs, where = append(refs, string(link.AccountID)), append(where, at[u.ID])
		}
	}
	found, err := w.lookupEach(ctx, refs, w.cfg.Mapper.Selected())
	if err != nil {
		return nil, err
	}
	if err := w.setAside(list, where, found, readable); err != nil {
		return nil, err
	}
	var there, missingAt []int
	var missing []directory.AccountID
	for n, f := range found {
		s := &list[where[n]]
		if _, yes := w.aside[s.User.ID]; yes {
			continue
		}
		if s.Linked = f.Account; s.Linked != nil {
			there = append(there, where[n])
			continue
		}
		missing, missingAt = append(missing, directory.AccountID(refs[n])), append(missingAt, where[n])
	}
	if len(missing) == 0 {
		return there, nil
	}
	selected := w.cfg.Mapper.Selected()
	deleted, err := awaited(ctx, w, func(ctx context.Context) ([]directory.Found, error) {
		return w.tenant.Deleted(ctx, missing, selected)
	})
	if err != nil {
		return nil, err
	}
	for n, f := range deleted {
		list[missingAt[n]].LinkedDeleted = f.Account
	}
	return there, w.setAside(list, missingAt, deleted, readable)
}

// takenBy finds out to whom the accounts that users are known to have are bound.
func (w *worker) takenBy(ctx context.Context, list []plan.Subject, linked []int) error {
	if len(linked) == 0 {
		return nil
	}
	ids := make([]directory.AccountID, len(linked))
	for n, i := range linked {
		ids[n] = list[i].Linked.ID
	}
	owners, err := w.Store.AccountOwners(ctx, &w.conn, ids)
	for _, i := range linked {
		list[i].TakenBy = owners
	}
	return err
}

// findExternals looks for users who are in the tenant already as somebody from
// outside. Only whose address lies in a domain that is not the tenant's can be:
// who has another one there is found by it.
func (w *worker) findExternals(ctx context.Context, list []plan.Subject, at []int) error {
	var addresses []string
	var abroad []int
	for _, i := range at {
		email := directory.FoldAddress(list[i].User.Email)
		if !w.conn.ClaimsDomain(directory.DomainOf(email)) && w.mayBeExternal(email) {
			addresses, abroad = append(addresses, email), append(abroad, i)
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	selected := w.cfg.Mapper.Selected()
	found, err := w.inPieces(ctx, addresses, func(ctx context.Context, addresses []string) ([]directory.Found, error) {
		return w.tenant.Externals(ctx, addresses, selected)
	})
	if err != nil {
		return err
	}
	for n := range found {
		list[abroad[n]].ByAddress = append(list[abroad[n]].ByAddress, found[n].Accounts...)
	}
	return w.setAside(list, abroad, found, readable)
}

// whoHas reads directly which accounts have addresses: one as userPrincipalName,
// and others as mail or proxy address.
func (w *worker) whoHas(ctx context.Context, addresses []string) ([]directory.Found, error) {
	found, err := w.lookupEach(ctx, addresses, w.cfg.Mapper.Selected())
	if err != nil {
		return nil, err
	}
	selected := w.cfg.Mapper.Selected()
	holders, err := w.inPieces(ctx, addresses, func(ctx context.Context, addresses []string) ([]directory.Found, error) {
		return w.tenant.Search(ctx, addresses, selected)
	})
	if err != nil {
		return nil, err
	}
	for n := range found {
		switch {
		case found[n].Err() != nil && !holders[n].ConcernsAll():
		case holders[n].Err() != nil:
			found[n] = holders[n]
		default:
			found[n].Accounts = holders[n].Accounts
		}
	}
	return found, nil
}

// endRun closes a run. A run that found nothing to write leaves no more than
// its record.
func (w *worker) endRun(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	r.State, r.EndedAt, r.Waiting = directory.RunDone, w.now().UTC(), nil
	w.end.RunID, w.end.State, w.end.At = r.ID, r.State, w.now()
	if ofMarks(r) {
		w.settle()
	}
	if err := w.saveRun(ctx, r, cur); err != nil {
		return err
	}
	return w.askReadBack(ctx, r)
}
