package reconcile

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// planPage is how many users are read and decided together, as long as their
// changes fit into one chunk.
const planPage = 200

// planner makes the plans of runs.
type planner struct {
	s        *session
	cfg      plan.Config
	digester mapping.Digester
	observe  *observer
	actors   *actorFinder
	rounds   *rounds
	queue    *runQueue
	guard    *guard
	shield   *shield
	cadence  *cadence
	moves    moves
	send     Send
	runs     runStore
	chunks   chunkStore
	journal  journalStore
	marks    markStore
	bindings bindingStore
	accounts accountStore
	users    userStore
}

// plan reads what a run needs, decides every user of it, records the changes and
// puts them before the guard.
func (p *planner) plan(ctx context.Context, t *task) error {
	t.run.State = directory.RunPlanning
	t.run.Remapped = t.run.Remapped || p.s.remapped(t.run)
	cfg := p.cfg
	if t.run.Settings != nil {
		cfg = p.shield.config(*t.run.Settings)
	}
	decide := &runPlan{planner: p, s: p.s, t: t, cfg: cfg, page: cmp.Or(t.at.Page, planPage)}
	if t.run.Kind == directory.KindUndo {
		return decide.undo(ctx)
	}
	return decide.sync(ctx)
}

// submit puts a plan before the guard. A run that has nothing to write ends.
func (p *planner) submit(ctx context.Context, t *task) error {
	done, err := p.guard.check(ctx, t)
	if err != nil || !done {
		return err
	}
	if err := p.queue.finish(ctx, t.run, t.at); err != nil {
		return err
	}
	return p.cadence.follow(ctx, t.run)
}

// runPlan is the plan of one run under way: it collects decisions into chunks.
type runPlan struct {
	planner *planner
	s       *session
	t       *task
	cfg     plan.Config
	page    int    // how many users to take next
	from    string // the place in the marks before the users that are being decided
	half    bool   // these are the second half of a page whose first half is recorded
}

// sync plans a run that brings accounts to what the directory says.
func (p *runPlan) sync(ctx context.Context) error {
	r, at := p.t.run, p.t.at
	p.noteSettings()
	if !at.Read {
		read, err := p.planner.rounds.readForRun(ctx, p.t)
		if err != nil {
			return err
		}
		at.Read = true
		if read {
			r.Attempts = 0
			if err := p.planner.queue.save(ctx, r, at); err != nil {
				return err
			}
		}
	}
	for !at.Planned {
		if err := p.s.inTime(ctx); err != nil {
			return err
		}
		if err := p.t.lane.serve(ctx); err != nil {
			return err
		}
		ids, err := p.nextUsers(ctx)
		if err != nil {
			return err
		}
		if at.Page > 0 {
			at.Page = min(planPage, 2*at.Page) // saved with what is decided
		}
		if err := p.decide(ctx, ids); err != nil {
			return err
		}
		p.page = max(p.page, at.Page)
	}
	return p.planner.submit(ctx, p.t)
}

// tooSlow has fewer users taken at a time, from where these began, when their
// accounts could not be read before the slice was over: with a slow Microsoft the
// next slice would come no further.
func (p *runPlan) tooSlow(ctx context.Context, n int, err error) error {
	if _, over := pauseOf(err); !over || n < 2 || p.s.now().Before(p.s.until) {
		return err
	}
	p.t.at.Page = max(1, n/4)
	switch {
	case p.t.run.Kind == directory.KindUndo:
	case len(p.t.run.UserIDs) > 0:
		p.t.at.Index, p.t.at.Planned = p.t.at.Index-n, false
	case !p.half: // else the next run plans these: their marks stay
		p.t.at.Marks, p.t.at.Planned = p.from, false
	}
	return errors.Join(p.planner.queue.save(ctx, p.t.run, p.t.at), err)
}

// nextUsers returns the next users to decide and moves the cursor behind them;
// the cursor is stored together with what was decided.
func (p *runPlan) nextUsers(ctx context.Context) ([]directory.UserID, error) {
	p.from, p.half = p.t.at.Marks, false
	if len(p.t.run.UserIDs) > 0 {
		end := min(p.t.at.Index+p.page, len(p.t.run.UserIDs))
		ids := p.t.run.UserIDs[p.t.at.Index:end]
		p.t.at.Index, p.t.at.Planned = end, end == len(p.t.run.UserIDs)
		return ids, nil
	}
	if p.t.run.DryRun && (p.t.run.Full || p.t.run.Settings != nil || p.t.run.Release != "") {
		return p.everyone(ctx)
	}
	marks, next, err := p.planner.marks.ListMarks(ctx, p.s.conn.ID, p.s.lease.Epoch, p.t.at.Marks, p.page)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.UserID, 0, len(marks))
	for _, m := range marks {
		if !slices.Contains(ids, m.Ref.User()) {
			ids = append(ids, m.Ref.User())
		}
	}
	p.t.at.Marks, p.t.at.Planned = next, next == ""
	return ids, nil
}

// everyone goes through all bindings, for a dry run that asks what would become
// of each of them.
func (p *runPlan) everyone(ctx context.Context) ([]directory.UserID, error) {
	list, next, err := p.planner.bindings.ListBindings(ctx, directory.KindAccount, p.s.conn.ID, p.s.lease.Epoch, p.t.at.Marks, p.page)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.UserID, len(list))
	for i := range list {
		ids[i] = list[i].UserID
	}
	p.t.at.Marks, p.t.at.Planned = next, next == ""
	return ids, nil
}

// decide plans users and records the outcome: changes in chunks, and what
// needs no write on the binding at once.
func (p *runPlan) decide(ctx context.Context, ids []directory.UserID) error {
	subjects, deferred, err := p.current(ctx, ids)
	if err != nil {
		return p.tooSlow(ctx, len(ids), err)
	}
	for _, d := range deferred {
		if p.t.run.DryRun && d.problem == nil {
			return d.cause // nobody looks again later for a dry run: it waits for all
		}
	}
	page, err := p.decideEach(ctx, subjects, deferred)
	if err != nil {
		return err
	}
	if page.tooLarge() && len(ids) > 1 {
		return p.decideHalves(ctx, ids)
	}
	p.t.run.PlanRefused += page.refused
	p.s.sum.Refused += page.refused
	if err := p.acknowledgeAll(ctx, page.unwritten); err != nil {
		return err
	}
	if !p.t.run.DryRun {
		if len(deferred) > 0 {
			if err := p.planner.send(ctx, directory.WakeUp{ConnectionID: p.s.conn.ID}, lookAgain); err != nil {
				return err
			}
		}
		moving := make([]*directory.Binding, len(subjects))
		for i := range subjects {
			moving[i] = subjects[i].Binding
		}
		p.planner.moves.wake(ctx, moving)
	}
	p.s.sum.Planned += len(page.changes)
	p.t.run.Attempts = 0
	if len(page.changes) == 0 {
		return p.planner.queue.save(ctx, p.t.run, p.t.at)
	}
	for e, n := range page.counts {
		p.t.run.Counts[e] += n
	}
	if err := p.boundBefore(ctx, page.changes); err != nil {
		return err
	}
	return p.append(ctx, page.changes)
}

// decided is what was decided about a page of users.
type decided struct {
	changes   []directory.Change
	size      int // of their JSON
	counts    map[directory.Effect]int
	unwritten []store.BindingChange // what needs no write to the tenant
	refused   int                   // users for whom nothing can be written
}

func (d *decided) tooLarge() bool {
	return d.size > store.MaxChunkBytes || len(d.changes) > store.ChunkSize
}

func (p *runPlan) decideEach(ctx context.Context, subjects []plan.Subject, deferred map[directory.UserID]deferral) (*decided, error) {
	page := &decided{counts: map[directory.Effect]int{}}
	judged := p.judge(subjects)
	now := p.s.now().UTC()
	for i := range subjects {
		s := &subjects[i]
		if why, yes := deferred[s.User.ID]; yes {
			if why.problem != nil {
				page.refused++
			}
			page.unwritten = append(page.unwritten, p.postpone(s, why, now))
			continue
		}
		d, still := p.decideOne(s)
		if s.User.Deleted != nil && len(d.Changes) == 0 && d.Problem == nil && !p.t.run.DryRun {
			if err := p.planner.users.ExpireUser(ctx, s.User); err != nil {
				return nil, err
			}
		}
		if d.Problem != nil {
			page.refused++
		}
		if len(d.Changes) == 0 {
			if c := p.keptLeaver(s, &d, now); c != nil {
				page.changes = append(page.changes, *c)
				page.size += store.SizeOf(c)
			}
			page.unwritten = append(page.unwritten, p.acknowledge(s, d, still, now))
			continue
		}
		if len(still) < len(s.Binding.Declined) {
			page.unwritten = append(page.unwritten, forgetDeclined(s.Binding.UserID, still))
		}
		if kept := judged[s.User.ID]; len(kept) > 0 {
			page.unwritten = append(page.unwritten, noteKept(s.Binding.UserID, kept))
		}
		group := stamp(d, s, now)
		p.noteEditors(s)
		for j := range group {
			page.size += store.SizeOf(&group[j])
			page.counts[group[j].Effect]++
		}
		page.changes = append(page.changes, group...)
	}
	return page, nil
}

// current reads everything that deciding about users needs. Those who were served
// as leavers meanwhile are read again.
func (p *runPlan) current(ctx context.Context, ids []directory.UserID) ([]plan.Subject, map[directory.UserID]deferral, error) {
	served := p.t.lane.served()
	list, deferred, err := p.planner.observe.subjects(ctx, p.t.lane, p.cfg, ids)
	if err != nil {
		return nil, nil, err
	}
	p.forgetRefusals(list)
	if !p.t.run.Urgent {
		err = p.planner.actors.whoChanged(ctx, p.t.lane, list)
	}
	stale := p.t.lane.servedSince(ids, served)
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
func (p *runPlan) boundBefore(ctx context.Context, chunk []directory.Change) error {
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
	earlier, err := p.planner.accounts.BeforeImages(ctx, p.s.conn.Tenant.ID, accounts, refs)
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
func (p *runPlan) append(ctx context.Context, chunk []directory.Change, notes ...store.Note) error {
	p.t.run.Cursor = p.t.at.Encode()
	if err := p.planner.chunks.AppendChunk(ctx, &p.s.lease, p.t.run, chunk, notes...); err != nil {
		return err
	}
	if p.t.tally.chunks == p.t.run.Chunks-1 {
		p.t.tally.add(chunk)
	}
	return nil
}

// decideHalves plans a page whose changes do not fit one chunk in two parts.
// The cursor of a run with its own list of users stops in between; that of
// marks need not, since a mark that a crash leaves out is planned by the next run.
func (p *runPlan) decideHalves(ctx context.Context, ids []directory.UserID) error {
	half := len(ids) / 2
	p.page = max(1, min(p.page, half))
	index, planned := p.t.at.Index, p.t.at.Planned
	if len(p.t.run.UserIDs) > 0 { // see nextUsers
		p.t.at.Index, p.t.at.Planned = index-(len(ids)-half), false
	}
	if err := p.decide(ctx, ids[:half]); err != nil {
		return err
	}
	p.t.at.Index, p.t.at.Planned = index, planned
	p.half = true
	return p.decide(ctx, ids[half:])
}

// acknowledgeAll records on bindings what planning found out without a write to the
// tenant. A dry run leaves no trace.
func (p *runPlan) acknowledgeAll(ctx context.Context, list []store.BindingChange) error {
	if p.t.run.DryRun {
		return nil
	}
	for part := range slices.Chunk(list, 30) {
		err := inParts(part, func(part []store.BindingChange) error {
			return p.planner.journal.Journal(ctx, &p.s.lease, &p.s.conn, store.Journal{Bindings: part})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// decideOne decides about one user. What an admin declined is left out; still
// are the declined changes that would be proposed again.
func (p *runPlan) decideOne(s *plan.Subject) (d plan.Decision, still []string) {
	switch {
	case p.t.run.Release != "":
		return plan.Release(p.cfg, *s, p.t.run.Release), s.Binding.Declined
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
func (p *runPlan) keptLeaver(s *plan.Subject, d *plan.Decision, now time.Time) *directory.Change {
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
	if cause == nil || s.User.Enabled() || p.t.run.DryRun {
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
	p.s.log.Error("a leaver's account stays enabled", "why", why, "code", cause.Code, "connectionId", p.s.conn.ID, "runId", p.t.run.ID,
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

// acknowledge is what a decision without changes means for the binding.
func (p *runPlan) acknowledge(s *plan.Subject, d plan.Decision, still []string, now time.Time) store.BindingChange {
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
		digest = p.planner.digester.Of(s.Account.Properties)
	}
	bc.Mutate = func(b *directory.Binding) bool {
		if b.Resting() != s.Binding.Resting() {
			return false // paused or resumed while this was decided: it is planned anew
		}
		if b.Resting() && s.Binding.Release == "" {
			b.Applied, b.Recheck, b.RunID, b.Digest = max(b.Applied, wanted), false, p.t.run.ID, 0
			b.Findings = d.Findings
			return true
		}
		b.Status, b.Applied, b.Recheck, b.RunID, b.Digest = d.Status, max(b.Applied, wanted), false, p.t.run.ID, digest
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
func (p *runPlan) postpone(s *plan.Subject, why deferral, now time.Time) store.BindingChange {
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
