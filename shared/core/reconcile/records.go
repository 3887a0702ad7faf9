package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// What kinds outside this package need of how accounts do it: reading in pieces, and
// what a decision or a write means for a record.

// ReadEach asks the tenant about accounts, as many at a time as one request answers,
// each in its place. units is what one of them costs of the quota for reading. What is
// not known of single ones is in the answer; an error is one that concerns all.
func ReadEach[T any](ctx context.Context, w Work, ids []directory.AccountID, units int, ask func(ctx context.Context, ids []directory.AccountID) ([]directory.Read[T], error)) ([]directory.Read[T], error) {
	found := make([]directory.Read[T], 0, len(ids))
	for piece := range slices.Chunk(ids, BatchSize) {
		var some []directory.Read[T]
		err := w.Read(ctx, units*len(piece), func(ctx context.Context) (err error) {
			some, err = ask(ctx, piece)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(some) != len(piece) {
			return nil, fmt.Errorf("%d answers to %d reads: %w", len(some), len(piece), directory.ErrUnavailable)
		}
		for i := range some {
			r := &some[i]
			f := directory.Found{Problem: r.Problem, Retry: r.Retry, RetryAfter: r.RetryAfter, Scope: r.Scope}
			if err := f.Err(); err != nil && f.ConcernsAll() {
				return nil, err
			}
		}
		found = append(found, some...)
	}
	return found, nil
}

// Fresh says what of a record's object may be read older than we wrote it.
func (s Slice) Fresh(b *directory.Binding) directory.Recent { return s.s.recent(b) }

// NoteWrite notes on a record what was written.
func NoteWrite(b *directory.Binding, c *directory.Change, now time.Time) { noteWrite(b, c, now) }

// Rest is how long a record rests after so many failed tries.
func Rest(b *directory.Binding) time.Duration { return backoff(attemptsOf(b) + 1) }

// AccountNames are what people call accounts, by ID: their userPrincipalNames. Who is no
// account is not among them. Those in unread could not be read.
func AccountNames(ctx context.Context, w Work, lookup func(ctx context.Context, refs, selected []string) ([]directory.Found, error), ids []directory.AccountID) (names map[directory.AccountID]string, unread map[directory.AccountID]*directory.Problem, err error) {
	names, unread = map[directory.AccountID]string{}, map[directory.AccountID]*directory.Problem{}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	found, err := ReadEach(ctx, w, ids, 1, func(ctx context.Context, ids []directory.AccountID) ([]directory.Read[string], error) {
		refs := make([]string, len(ids))
		for i, id := range ids {
			refs[i] = string(id)
		}
		list, err := lookup(ctx, refs, []string{directory.PropUserPrincipalName})
		reads := make([]directory.Read[string], len(list))
		for i := range list {
			f := &list[i]
			reads[i] = directory.Read[string]{Problem: f.Problem, Retry: f.Retry, RetryAfter: f.RetryAfter, Scope: f.Scope}
			if f.Account != nil {
				name := f.Account.UserPrincipalName()
				reads[i].Value = &name
			}
		}
		return reads, err
	})
	for i := range found {
		switch r := &found[i]; {
		case r.Value != nil:
			names[ids[i]] = *r.Value
		case r.Problem != nil:
			unread[ids[i]] = r.Problem
		case r.Retry:
			unread[ids[i]] = &directory.Problem{Code: directory.CodeGraphError, Kind: directory.ProblemTransient, Message: "Microsoft did not say who the account is.", Next: "It is asked again by itself."}
		}
	}
	return names, unread, err
}

// Unwritten is what it means for a record that nothing is to be written: still are
// the declined changes that would be proposed again. later has it looked at again
// after that time; 0: it need not be.
func Unwritten(run directory.RunID, read *directory.Binding, d plan.Decision, still []string, later time.Duration, now time.Time) store.BindingChange {
	wanted := read.Wanted
	return store.BindingChange{Ref: read.Ref(), Later: later, Mutate: func(b *directory.Binding) bool {
		if b.Resting() != read.Resting() || b.Release != read.Release {
			return false // paused, resumed or let go while this was decided: it is planned anew
		}
		b.Applied, b.Recheck, b.RunID = max(b.Applied, wanted), false, run
		if b.Resting() {
			return true
		}
		b.Status, b.Base, b.Findings, b.Declined = d.Status, d.Base, d.Findings, still
		if d.Status == directory.BindingInSync && d.Problem == nil {
			b.Agree(wanted)
		}
		b.Problem = keepSince(b.Problem, d.Problem, now)
		return true
	}}
}

// Ended is what it means for a record that what it is about is not kept in step any
// more: it goes, and nothing is written to the tenant.
func Ended(read *directory.Binding) store.BindingChange {
	return store.BindingChange{Ref: read.Ref(), Remove: true, Mutate: func(*directory.Binding) bool { return true }}
}

// Resumed is what it means for a record that was being let go with its user's account that
// the user is bound again: it goes on, and is looked at anew.
func Resumed(read *directory.Binding) store.BindingChange {
	return store.BindingChange{Ref: read.Ref(), Later: time.Second, Mutate: func(b *directory.Binding) bool {
		if b.Release == "" {
			return false
		}
		b.Release, b.ReleasedBy, b.Status = "", "", directory.BindingPending
		b.Applied = max(b.Applied, read.Wanted)
		return true
	}}
}

// EditorsOf are those whose edits of a user a record's changes come from; some may
// be empty.
func EditorsOf(u *directory.User, b *directory.Binding) []string {
	return editorsOf(&plan.Subject{User: u, Binding: b})
}
