package reconcile

import (
	"context"
	"errors"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/mapping"
	"bindery/shared/store"
)

// sending is one batch under way.
type sending struct {
	*applier
	rows     map[directory.UserID]store.Subject
	send     []int // indexes of changes that go out
	results  map[int]store.Result
	outcomes map[int]directory.Outcome
	doubts   []int // creations of which nobody knows whether they took effect
	wait     time.Duration
}

func (b *sending) result(i int, state directory.ChangeState, p *directory.Problem) {
	r := store.Result{Index: i, State: state, Error: p, At: b.now().UTC()}
	if p != nil {
		r.RequestID = p.RequestID
	}
	b.results[i] = r
}

// check is the lowest place before a write: it refuses what must not be sent,
// whatever has planned it, and drops what has been overtaken.
func (b *sending) check(ctx context.Context, batch []int) error {
	var doubtful []int
	for _, i := range batch {
		c := &b.changes[i]
		row := b.rows[c.UserID]
		switch {
		case row.Binding == nil || row.Binding.Epoch != b.lease.Epoch || row.Binding.ConnectionID != b.conn.ID:
			b.result(i, directory.ChangeOutdated, &directory.Problem{Code: "released", Message: "The binding was released before this change was sent."})
		case row.Binding.Wanted != c.UserVersion || row.Binding.Release != c.Release:
			b.result(i, directory.ChangeOutdated, &directory.Problem{Code: "outdated", Message: "The user was edited after this change was planned.",
				Next: "The next run plans it anew."})
		case row.Binding.Status == directory.BindingPaused:
			b.result(i, directory.ChangeOutdated, &directory.Problem{Code: "paused", Message: "The binding was paused."})
		case b.dependsOnFailed(i):
			b.result(i, directory.ChangeRefused, &directory.Problem{Code: "earlier-change-failed", Message: "An earlier change of this user failed."})
		case c.Effect == directory.EffectCreate && row.Binding.AccountID != "":
			b.result(i, directory.ChangeOutdated, &directory.Problem{Code: "outdated", Message: "The user has got an account meanwhile."})
		case c.Effect == directory.EffectAdopt:
			if err := b.adopt(ctx, i); err != nil {
				return err
			}
		default:
			if reason, yes := b.protectedChange(c, row.Binding); yes {
				b.result(i, directory.ChangeRefused, &directory.Problem{Code: "account-protected", Message: "The account is protected: " + reason + ".",
					Next: "Change the account by hand, or lift its protection."})
				continue
			}
			if _, known := b.doubtful[c.ID]; c.Effect == directory.EffectCreate && (b.doubt || known) {
				doubtful = append(doubtful, i)
				continue
			}
			b.send = append(b.send, i)
		}
	}
	return b.resolve(ctx, doubtful, true)
}

func (b *sending) dependsOnFailed(i int) bool {
	c := &b.changes[i]
	for j := range i {
		e := &b.changes[j]
		if e.UserID != c.UserID || open(e) || e.State == directory.ChangeApplied {
			continue
		}
		switch e.Effect {
		case directory.EffectAdopt, directory.EffectCreate, directory.EffectRestore:
			return true
		case directory.EffectBlock:
			return c.Effect == directory.EffectRevoke
		}
	}
	return false
}

// protectedChange asks the protection for the account that a change would
// write to, known by the change or by the binding.
func (b *sending) protectedChange(c *directory.Change, binding *directory.Binding) (string, bool) {
	id := c.AccountID
	if id == "" {
		id = binding.AccountID
	}
	return b.protected(id, c.UserPrincipalName)
}

// adopt takes an account without a request of its own; the binding gets it in
// the journal's transaction.
func (b *sending) adopt(ctx context.Context, i int) error {
	c := &b.changes[i]
	owners, err := b.Store.AccountOwners(ctx, &b.conn, []directory.AccountID{c.AccountID})
	if err != nil {
		return err
	}
	if owner, taken := owners[c.AccountID]; taken && owner != c.UserID {
		b.result(i, directory.ChangeFailed, &directory.Problem{Code: "account-bound", Message: "The account is bound to another user.",
			Next: "Release one of the two users.", Holder: string(owner)})
		return nil
	}
	b.result(i, directory.ChangeApplied, nil)
	return nil
}

// write turns a change into the tenant's write.
func (b *sending) write(ctx context.Context, i int) (directory.AccountWrite, error) {
	c := &b.changes[i]
	w := directory.AccountWrite{Effect: c.Effect, AccountID: c.AccountID, Properties: c.After()}
	if w.AccountID == "" {
		w.AccountID = b.rows[c.UserID].Binding.AccountID
	}
	if c.Effect != directory.EffectCreate {
		return w, nil
	}
	var err error
	w.Password, w.ForceChangePassword, err = b.initialPassword(ctx, c)
	upn := c.After()[directory.PropUserPrincipalName].String()
	for _, d := range b.conn.Tenant.Domains {
		if directory.FoldAddress(d.Name) == directory.DomainOf(upn) && d.AuthenticationType == "Federated" {
			// Without the prefix: Microsoft takes no "_" there (G 2.5).
			w.OnPremisesImmutableID = strings.TrimPrefix(string(c.UserID), "usr_")
		}
	}
	return w, err
}

// transmit sends the batch and sorts the answers.
func (b *sending) transmit(ctx context.Context) error {
	writes := make([]directory.AccountWrite, len(b.send))
	for n, i := range b.send {
		var err error
		if writes[n], err = b.write(ctx, i); err != nil {
			return err
		}
	}
	rctx, cancel := b.request(ctx)
	defer cancel()
	b.sum.Sent += len(writes)
	outs, err := b.tenant.Write(rctx, writes)
	if t, ok := errors.AsType[*directory.ThrottledError](err); ok {
		b.throttled(t.RetryAfter)
		return nil
	}
	if errors.Is(err, directory.ErrUnauthorized) || errors.Is(err, directory.ErrNotSent) {
		return err
	}
	if err != nil || len(outs) != len(writes) {
		// Nothing is known: equal updates can be sent again, creations are
		// looked up first.
		b.doubtAll(b.send)
		if err != nil {
			return errors.Join(directory.ErrUnavailable, err)
		}
		return directory.ErrUnavailable
	}
	for n, i := range b.send {
		b.sort(i, outs[n])
	}
	return nil
}

// sort decides what one answer means for its change.
func (b *sending) sort(i int, out directory.Outcome) {
	c := &b.changes[i]
	b.outcomes[i] = out
	switch {
	case out.Problem == nil && !out.Unknown && !out.Retry:
		b.result(i, directory.ChangeApplied, nil)
		r := b.results[i]
		r.AccountID, r.RequestID = out.AccountID, out.RequestID
		b.results[i] = r
	case out.Unknown:
		b.doubtAll([]int{i})
		if c.Effect == directory.EffectCreate {
			b.doubts = append(b.doubts, i)
		} else {
			b.delay(max(out.RetryAfter, time.Second))
		}
	case out.Retry:
		if out.Status == 429 {
			b.throttled(out.RetryAfter)
		} else {
			b.delay(max(out.RetryAfter, time.Second))
		}
	case c.Effect == directory.EffectCreate && conflictOfName(out.Problem):
		// Perhaps the answer to our own creation was lost.
		b.doubts = append(b.doubts, i)
	case out.Problem.MicrosoftStatus == 404 && b.justWritten(c):
		b.delay(5 * time.Second)
	default:
		b.result(i, directory.ChangeFailed, out.Problem)
	}
}

// justWritten reports whether the account is so new that a 404 may come from a
// replica that has not heard of it (G 9).
func (b *sending) justWritten(c *directory.Change) bool {
	row := b.rows[c.UserID]
	return row.Binding != nil && row.Binding.LastWrite.Add(Grace).After(b.now())
}

func conflictOfName(p *directory.Problem) bool { return p.Code == CodeNameTaken }

// CodeNameTaken is the catalogue's code for a userPrincipalName that another
// object has.
const CodeNameTaken = "user-principal-name-taken"

func (b *sending) delay(d time.Duration) { b.wait = max(b.wait, d) }

// throttled learns from a 429: the quota is lower than believed.
func (b *sending) throttled(after time.Duration) {
	b.lease.Pace = store.Pace{Tokens: 0, At: b.now().Add(after)}
	b.delay(max(after, time.Second))
}

// doubtAll notes creations whose outcome is unknown, so that this slice never
// sends them again without a look.
func (b *sending) doubtAll(list []int) {
	for _, i := range list {
		c := &b.changes[i]
		if _, known := b.doubtful[c.ID]; c.Effect == directory.EffectCreate && !known {
			b.doubtful[c.ID] = b.now()
		}
	}
}

// settleDoubts looks up the creations that may have taken effect.
func (b *sending) settleDoubts(ctx context.Context) error {
	return b.resolve(ctx, b.doubts, false)
}

// resolve finds out by userPrincipalName whether creations took effect. before
// says that they have not been sent in this batch: those of which there is no
// trace go out then.
func (b *sending) resolve(ctx context.Context, list []int, before bool) error {
	if len(list) == 0 {
		return nil
	}
	refs := make([]string, len(list))
	for n, i := range list {
		refs[n] = b.changes[i].After()[directory.PropUserPrincipalName].String()
	}
	found, err := b.lookup(ctx, refs)
	if err != nil {
		if before {
			return err
		}
		// The answers that are known are journalled; these stay open.
		b.delay(5 * time.Second)
		return nil
	}
	for n, i := range list {
		a, c := found[n].Account, &b.changes[i]
		switch {
		case a != nil && ours(c, a):
			b.result(i, directory.ChangeApplied, nil)
			r := b.results[i]
			r.AccountID = a.ID
			b.results[i] = r
			delete(b.doubtful, c.ID)
		case a != nil:
			p := b.outcomes[i].Problem
			if p == nil {
				p = &directory.Problem{Code: CodeNameTaken, Message: "Another account has the userPrincipalName " + refs[n] + "."}
			}
			p.Holder = string(a.ID)
			p.Next = "The next run decides whether the account can be adopted."
			b.result(i, directory.ChangeFailed, p)
		case before:
			// A name can be given once, so a creation that did take effect and
			// is not visible yet makes this one fail, not double.
			b.send = append(b.send, i)
		case b.stillHidden(c):
			b.delay(10 * time.Second)
		default:
			b.result(i, directory.ChangeFailed, b.outcomes[i].Problem)
		}
	}
	return nil
}

// stillHidden reports whether an account that should be there may not be
// visible yet. It starts the clock on the first call.
func (b *sending) stillHidden(c *directory.Change) bool {
	since, known := b.doubtful[c.ID]
	if !known {
		since = b.now()
		b.doubtful[c.ID] = since
	}
	return b.now().Sub(since) < 2*Grace
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
