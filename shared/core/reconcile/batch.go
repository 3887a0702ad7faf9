package reconcile

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/protect"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// batch is up to BatchSize changes of a chunk on their way: checked, confirmed,
// sent, sorted and journalled.
type batch struct {
	a        *applier
	k        *chunk
	s        *session
	rows     map[directory.UserID]store.Subject
	send     []int // indexes of changes that go out
	results  map[int]store.Result
	outcomes map[int]directory.Outcome
	befores  map[directory.AccountID]store.BeforeImage // of earlier bindings of the same users
	unknown  []int                                     // creations and restorations of which nobody knows whether they took effect
	unsure   []int                                     // changes that Microsoft did not decide about, without asking to wait
	stuck    error                                     // nothing of the batch comes through, again and again
	wait     time.Duration
	whole    bool               // the wait is for the tenant's quota
	lost     *directory.Problem // Microsoft refuses the connection as a whole
	// passwordKey is that of temporary passwords, when creations need it.
	passwordKey directory.Secret
}

func (b *batch) result(i int, state directory.ChangeState, p *directory.Problem) {
	r := store.Result{Index: i, State: state, Error: p, At: b.s.now().UTC()}
	if p != nil {
		r.RequestID = p.RequestID
		b.a.domains.doubted = b.a.domains.doubted || speaksOfDomains[p.Code]
	}
	b.results[i] = r
}

// readRows reads the users and bindings of changes.
func (b *batch) readRows(ctx context.Context, picked []int) (err error) {
	ids := make([]directory.UserID, len(picked))
	for n, i := range picked {
		ids[n] = b.k.changes[i].UserID
	}
	b.rows, err = b.a.bindings.Subjects(ctx, ids)
	return err
}

// check is the lowest place before a write: it refuses what must not be sent,
// whatever has planned it, and drops what has been overtaken.
func (b *batch) check(ctx context.Context, picked []int) error {
	if err := b.readPasswordKey(ctx, picked); err != nil {
		return err
	}
	var adoptions, creations []int
	for _, i := range picked {
		c := &b.k.changes[i]
		row := b.rows[c.UserID]
		if b.takesAgain(c, row) {
			adoptions = append(adoptions, i)
			continue
		}
		if p := b.movedOn(c, row.Binding); p != nil {
			b.result(i, directory.ChangeOutdated, p)
			continue
		}
		if b.dependsOnFailed(i) {
			b.result(i, directory.ChangeRefused, &directory.Problem{Code: directory.CodeEarlierChangeFailed, Message: "An earlier change of this user failed."})
			continue
		}
		switch c.Effect {
		case directory.EffectRelease:
			b.result(i, directory.ChangeApplied, nil)
		case directory.EffectAdopt:
			adoptions = append(adoptions, i)
		case directory.EffectCreate:
			switch {
			case row.Binding.AccountID != "":
				b.result(i, directory.ChangeOutdated, &directory.Problem{Code: directory.CodeOutdated, Message: "The user has got an account meanwhile."})
			case b.refuseProtected(i):
			case b.a.observe.justAbsent(c.UserID):
				b.send = append(b.send, i)
			default:
				creations = append(creations, i)
			}
		default:
			if !b.refuseProtected(i) {
				b.send = append(b.send, i)
			}
		}
	}
	if err := b.adopt(ctx, adoptions); err != nil {
		return err
	}
	return b.confirm(ctx, creations)
}

// takesAgain reports whether a change is the undo of a release: it makes an account
// ours again whose user has no binding.
func (b *batch) takesAgain(c *directory.Change, row store.Subject) bool {
	return b.undo() && c.Effect == directory.EffectAdopt && row.Binding == nil && row.User != nil && row.User.Version == c.UserVersion
}

func (b *batch) undo() bool { return b.k.t.run.Kind == directory.KindUndo }

// movedOn says why a change is not any more what its binding asks for. An undo is
// of bindings as they are: none that is being let go, and paused ones.
func (b *batch) movedOn(c *directory.Change, bound *directory.Binding) *directory.Problem {
	if bound == nil || bound.Epoch != b.s.lease.Epoch || bound.ConnectionID != b.s.conn.ID {
		return &directory.Problem{Code: directory.CodeReleased, Message: "The binding was released before this change was sent."}
	}
	release := c.Release
	if b.undo() {
		release = ""
	}
	if bound.Wanted != c.UserVersion || bound.Release != release {
		return &directory.Problem{Code: directory.CodeOutdated, Message: "The user was edited after this change was planned.", Next: "The next run plans it anew."}
	}
	if bound.Resting() && !b.undo() {
		return &directory.Problem{Code: directory.CodePaused, Message: "The binding was paused."}
	}
	return nil
}

// refuseProtected refuses a change of an account that is protected.
func (b *batch) refuseProtected(i int) bool {
	c := &b.k.changes[i]
	reason, yes := b.protectedChange(c)
	if yes {
		b.alarmLeaver(c)
		b.result(i, directory.ChangeRefused, protect.Problem(reason))
	}
	return yes
}

// confirm reads the addresses of creations right before they are sent: only
// what Microsoft itself says is not there is created. An account that is there
// is our own, when an earlier sending of this very creation took effect unseen,
// and otherwise somebody else's: then the next run decides.
func (b *batch) confirm(ctx context.Context, list []int) error {
	if len(list) == 0 {
		return nil
	}
	refs := make([]string, len(list))
	for n, i := range list {
		refs[n] = b.k.changes[i].After()[directory.PropUserPrincipalName].String()
	}
	found, err := b.a.observe.addressHolders(ctx, b.k.t.lane, refs, b.a.cfg.Mapper.Selected())
	if err != nil {
		return err
	}
	for n, i := range list {
		c := &b.k.changes[i]
		if err := found[n].Err(); err != nil {
			if found[n].ConcernsAll() {
				return err
			}
			b.unconfirmed(i, found[n])
			continue
		}
		other := found[n].Account
		if other == nil && len(found[n].Accounts) > 0 {
			other = &found[n].Accounts[0]
		}
		switch {
		case other == nil:
			b.a.observe.absent[c.UserID] = b.s.now()
			// A name can be given once, so a creation that did take effect and
			// is not visible yet makes this one fail, not double.
			b.send = append(b.send, i)
		case found[n].Account != nil && ours(c, other):
			b.result(i, directory.ChangeApplied, nil)
			r := b.results[i]
			r.AccountID = other.ID
			b.results[i] = r
			delete(b.a.outcomes, c.ID)
		default:
			b.result(i, directory.ChangeOutdated, &directory.Problem{Code: directory.CodeAddressTakenMeanwhile,
				Message: "After this was planned, another account got the address " + refs[n] + ".", Holder: string(other.ID),
				Next: "The next run decides whether the account can be adopted."})
		}
	}
	return nil
}

// unconfirmed puts off a creation of which Microsoft does not say whether its
// name is free. When it refuses to, the next plan makes that a problem of the
// binding.
func (b *batch) unconfirmed(i int, f directory.Found) {
	if !f.Retry {
		b.result(i, directory.ChangeOutdated, f.Problem)
		return
	}
	b.outcomes[i] = directory.Outcome{Problem: f.Problem}
	b.unsure = append(b.unsure, i)
	b.delay(time.Second)
}

func (b *batch) dependsOnFailed(i int) bool {
	c := &b.k.changes[i]
	for j := range i {
		e := &b.k.changes[j]
		if e.UserID != c.UserID || open(e) || e.State == directory.ChangeApplied {
			continue
		}
		switch e.Effect {
		case directory.EffectAdopt, directory.EffectCreate, directory.EffectRestore:
			return true
		case directory.EffectBlock:
			if c.Effect == directory.EffectRevoke {
				return true
			}
		}
		if c.Effect == directory.EffectRelease {
			return true // an account that is given up half restored would stay so
		}
	}
	return false
}

// protectedChange asks the protection for the account that a change would
// write to.
func (b *batch) protectedChange(c *directory.Change) (string, bool) {
	return b.a.shield.now().Of(b.account(c), c.UserPrincipalName)
}

// adopt takes accounts without a request of their own; the bindings get them in
// the journal's transaction.
func (b *batch) adopt(ctx context.Context, list []int) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]directory.AccountID, len(list))
	for n, i := range list {
		ids[n] = b.k.changes[i].AccountID
	}
	owners, err := b.a.accounts.AccountOwners(ctx, &b.s.conn, ids)
	if err != nil {
		return err
	}
	refs := make([]directory.Ref, len(list))
	for n, i := range list {
		refs[n] = b.k.changes[i].Ref()
	}
	if b.befores, err = b.a.accounts.BeforeImages(ctx, b.s.conn.Tenant.ID, ids, refs); err != nil {
		return err
	}
	for _, i := range list {
		c := &b.k.changes[i]
		if owner, taken := owners[c.AccountID]; taken && owner != c.UserID {
			b.result(i, directory.ChangeFailed, boundTo(owner))
			continue
		}
		b.result(i, directory.ChangeApplied, nil)
	}
	return nil
}

// account is the one that a change writes to: a change that follows a creation
// knows it by the binding only.
func (b *batch) account(c *directory.Change) directory.AccountID {
	if c.AccountID == "" {
		return b.rows[c.UserID].Binding.AccountID
	}
	return c.AccountID
}

// write turns a change into the tenant's write.
func (b *batch) write(i int) directory.AccountWrite {
	c := &b.k.changes[i]
	w := directory.AccountWrite{Effect: c.Effect, AccountID: b.account(c), Properties: c.After()}
	if c.Effect != directory.EffectCreate {
		return w
	}
	w.Password, w.ForceChangePassword = b.initialPassword(c)
	upn := c.After()[directory.PropUserPrincipalName].String()
	for _, d := range b.s.conn.Tenant.Domains {
		if directory.FoldDomain(d.Name) == directory.DomainOf(upn) && d.AuthenticationType == "Federated" {
			// Without the prefix: Microsoft takes no "_" there (G 2.5).
			w.OnPremisesImmutableID = strings.TrimPrefix(string(c.UserID), "usr_")
		}
	}
	return w
}

// transmit sends the batch and sorts the answers.
func (b *batch) transmit(ctx context.Context) error {
	writes := make([]protect.Write, len(b.send))
	for n, i := range b.send {
		writes[n] = protect.Write{AccountWrite: b.write(i), UserPrincipalName: b.k.changes[i].UserPrincipalName}
		delete(b.a.observe.absent, b.k.changes[i].UserID) // it may be there from now on
	}
	rctx, cancel := b.s.request(ctx)
	defer cancel()
	b.s.sum.Sent += len(writes)
	outs, err := protect.NewGate(b.a.tenant, b.a.shield.now()).Write(rctx, writes)
	if t, ok := errors.AsType[*directory.ThrottledError](err); ok {
		return b.throttled(ctx, t.RetryAfter, t.Scope)
	}
	if errors.Is(err, directory.ErrUnauthorized) || errors.Is(err, directory.ErrNotSent) {
		return err
	}
	if err != nil || len(outs) != len(writes) {
		// Nothing is known: equal updates can be sent again, creations are
		// looked up first.
		b.noteUnknown(b.send)
		if err != nil {
			return errors.Join(directory.ErrUnavailable, err)
		}
		return directory.ErrUnavailable
	}
	taken, refused := 0, -1
	for n, i := range b.send {
		b.sort(i, outs[n])
		if outs[n].Status != http.StatusTooManyRequests {
			taken++
		} else if refused < 0 || outs[n].RetryAfter > outs[refused].RetryAfter {
			refused = n
		}
	}
	b.s.quota().Accepted(taken)
	if refused < 0 {
		return nil
	}
	return b.throttled(ctx, outs[refused].RetryAfter, outs[refused].Scope)
}

// sort decides what one answer means for its change.
func (b *batch) sort(i int, out directory.Outcome) {
	c := &b.k.changes[i]
	b.outcomes[i] = out
	switch {
	case out.Problem == nil && !out.Unknown && !out.Retry:
		b.result(i, directory.ChangeApplied, nil)
		r := b.results[i]
		r.AccountID, r.RequestID = out.AccountID, out.RequestID
		b.results[i] = r
		delete(b.a.outcomes, c.ID)
	case out.Unknown:
		b.noteUnknown([]int{i})
		if c.Effect == directory.EffectCreate {
			b.unknown = append(b.unknown, i)
		} else {
			b.unsure = append(b.unsure, i)
			b.delay(max(out.RetryAfter, time.Second))
		}
	case out.Retry:
		if out.Status != http.StatusTooManyRequests {
			b.unsure = append(b.unsure, i)
			b.delay(max(out.RetryAfter, time.Second))
		}
	case c.Effect == directory.EffectCreate && conflictOfName(out.Problem):
		// Perhaps the answer to our own creation was lost.
		b.unknown = append(b.unknown, i)
	case c.Effect == directory.EffectRestore && out.Problem.MicrosoftStatus == http.StatusNotFound:
		// Or that to our own restoration: the account is not in the bin any more.
		b.unknown = append(b.unknown, i)
	case out.Problem.MicrosoftStatus == 404 && b.justWritten(c):
		b.delay(5 * time.Second)
	case out.Problem.Code == directory.CodeAccountProtected:
		b.result(i, directory.ChangeRefused, out.Problem)
	case out.Problem.Code == directory.CodeTargetProtected:
		b.targetProtected(c)
		b.result(i, directory.ChangeFailed, out.Problem)
	case out.Problem.Kind == directory.ProblemAuthorization && !out.Problem.InDoubt():
		b.lost = out.Problem // it concerns the connection, not this change
	default:
		b.result(i, directory.ChangeFailed, out.Problem)
	}
}

// maxTries is how often a change is sent that Microsoft never decides about.
const maxTries = 5

// abandon ends what has been tried often enough, so that one account at which
// Microsoft fails does not keep all others waiting: it rests, and a later run
// tries it again. When Microsoft answers nothing else either, the run ends by
// the rule of attempts.
func (b *batch) abandon() {
	works := len(b.results) > 0
	for _, i := range b.unsure {
		id, out := b.k.changes[i].ID, b.outcomes[i]
		d := b.a.outcomes[id]
		if d.Since.IsZero() {
			d.Since = b.s.now().UTC()
		}
		d.Tries, d.Works = d.Tries+1, d.Works || works
		b.a.outcomes[id] = d
		if d.Tries < maxTries {
			continue
		}
		p := undecided(out)
		switch {
		case d.Works:
			b.result(i, directory.ChangeFailed, p)
			delete(b.a.outcomes, id)
		case out.RetryAfter == 0:
			b.stuck = errors.Join(directory.ErrUnavailable, p)
		}
	}
}

// undecided is the problem with a change that Microsoft never decided about.
func undecided(out directory.Outcome) *directory.Problem {
	if out.Problem != nil {
		return out.Problem
	}
	return &directory.Problem{Code: directory.CodeOutcomeUnknown, Kind: directory.ProblemTransient, Message: "Microsoft did not say whether it made the change.",
		Next: "It is tried again by itself.", RequestID: out.RequestID, MicrosoftStatus: out.Status}
}

// justWritten reports whether the account is so new that a 404 may come from a
// replica that has not heard of it (G 9).
func (b *batch) justWritten(c *directory.Change) bool {
	row := b.rows[c.UserID]
	return row.Binding != nil && row.Binding.LastWrite.Add(Grace).After(b.s.now())
}

func conflictOfName(p *directory.Problem) bool { return p.Code == directory.CodeUserPrincipalNameTaken }

func (b *batch) delay(d time.Duration) { b.wait = max(b.wait, d) }

// throttled waits as Microsoft asks, and learns that the quota is lower than
// believed.
func (b *batch) throttled(ctx context.Context, after time.Duration, scope directory.ThrottleScope) error {
	after = max(after, time.Second)
	b.delay(after)
	b.whole = true
	return b.s.quota().Refused(ctx, b.a.quota, after, scope)
}

// noteUnknown notes creations whose outcome is unknown, so that this slice never
// sends them again without a look.
func (b *batch) noteUnknown(list []int) {
	for _, i := range list {
		c := &b.k.changes[i]
		if _, known := b.a.outcomes[c.ID]; c.Effect == directory.EffectCreate && !known {
			b.a.outcomes[c.ID] = runs.UnknownOutcome{Since: b.s.now().UTC()}
		}
	}
}

// findOutcomes finds out by userPrincipalName whether creations took effect of
// which the answer does not tell, and by id whether restorations did. What it
// cannot find out stays open: the answers that are known are journalled.
func (b *batch) findOutcomes(ctx context.Context) {
	if len(b.unknown) == 0 {
		return
	}
	refs := make([]string, len(b.unknown))
	for n, i := range b.unknown {
		refs[n] = string(b.account(&b.k.changes[i]))
		if b.k.changes[i].Effect == directory.EffectCreate {
			refs[n] = b.k.changes[i].After()[directory.PropUserPrincipalName].String()
		}
	}
	found, err := b.a.observe.lookup(ctx, closed{b.s}, refs, b.a.cfg.Mapper.Selected())
	if err != nil {
		b.delay(5 * time.Second)
		return
	}
	for n, i := range b.unknown {
		a, c := found[n].Account, &b.k.changes[i]
		switch {
		case found[n].Err() != nil && found[n].ConcernsAll():
			b.delay(5 * time.Second)
		case a != nil && (c.Effect == directory.EffectRestore || ours(c, a)):
			b.result(i, directory.ChangeApplied, nil)
			r := b.results[i]
			r.AccountID = a.ID
			b.results[i] = r
			delete(b.a.outcomes, c.ID)
		case a != nil:
			p := b.outcomes[i].Problem
			if p == nil || !conflictOfName(p) {
				p = &directory.Problem{Code: directory.CodeUserPrincipalNameTaken, Kind: directory.ProblemConflict, Message: "Another account has the userPrincipalName " + refs[n] + "."}
			}
			p.Holder = string(a.ID)
			p.Next = "The next run decides whether the account can be adopted."
			b.result(i, directory.ChangeFailed, p)
		case b.stillHidden(c):
			b.delay(10 * time.Second)
		default:
			b.result(i, directory.ChangeFailed, undecided(b.outcomes[i]))
			delete(b.a.outcomes, c.ID)
		}
	}
}

// stillHidden reports whether an account that should be there may not be
// visible yet. It starts the clock on the first call.
func (b *batch) stillHidden(c *directory.Change) bool {
	d, known := b.a.outcomes[c.ID]
	if !known {
		d = runs.UnknownOutcome{Since: b.s.now().UTC()}
		b.a.outcomes[c.ID] = d
	}
	return b.s.now().Sub(d.Since) < 2*Grace
}

// ours reports whether an account is the one that a creation made: created not
// earlier than 5 minutes before the change was recorded (clocks differ), with
// the other values as sent.
func ours(c *directory.Change, a *directory.Account) bool {
	if a.Created.Before(c.At.Add(-5 * time.Minute)) {
		return false
	}
	for _, p := range c.Properties {
		if !mapping.Same(p.Name, p.After, a.Properties[p.Name]) {
			return false
		}
	}
	return true
}
