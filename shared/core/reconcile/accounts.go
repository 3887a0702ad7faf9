package reconcile

import (
	"context"
	"fmt"
	"slices"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// accounts are the Objects of the kind of accounts: users of the directory, and
// their accounts in the tenant.
type accounts struct {
	s           *session
	cfg         plan.Config
	digester    mapping.Digester
	tenant      Tenant
	observe     *observer
	actors      *actorFinder
	shield      *shield
	domains     *domainReader
	send        Send
	passwordKey func(ctx context.Context) (directory.Secret, error) // nil: there are no temporary passwords
	uses        Uses                                                // nil: nobody is selected by groups

	journal  journalStore
	marks    markStore
	bindings bindingStore
	owners   accountStore
	users    userStore
}

// planOf is deciding for a run, by its own settings if it has some.
func (a *accounts) planOf(w Work) *accountPlan {
	p := &accountPlan{a: a, s: a.s, w: w, run: w.Run, cfg: a.cfg}
	if w.Run.Settings != nil {
		p.cfg = a.shield.config(*w.Run.Settings)
	}
	return p
}

// Decide reads and decides users.
func (a *accounts) Decide(ctx context.Context, w Work, refs []directory.Ref) (Decided, error) {
	p := a.planOf(w)
	subjects, deferred, err := p.current(ctx, directory.UsersOf(refs))
	if err != nil {
		return Decided{}, err
	}
	for _, d := range deferred {
		if w.Run.DryRun && d.problem == nil {
			return Decided{}, d.cause // nobody looks again later for a dry run: it waits for all
		}
	}
	if err := a.shield.load(ctx); err != nil {
		return Decided{}, err
	}
	return p.decideEach(ctx, subjects, deferred)
}

// Explain decides about one user.
func (a *accounts) Explain(ctx context.Context, w Work, ref directory.Ref) (Explained, error) {
	subjects, err := a.observe.subjectsNow(ctx, a.cfg, []directory.UserID{ref.User()})
	if err != nil {
		return Explained{}, err
	}
	if len(subjects) == 0 {
		return Explained{}, fmt.Errorf("user %s: %w", ref.User(), directory.ErrBusy) // released a moment ago
	}
	if err := a.actors.whoChanged(ctx, w.lane, subjects); err != nil {
		return Explained{}, err
	}
	return a.explain(w, &subjects[0]), nil
}

func (a *accounts) explain(w Work, s *plan.Subject) Explained {
	d, _ := a.planOf(w).decideOne(s)
	return Explained{Trace: plan.Explain(a.cfg, *s, d), Changes: d.Changes, Problem: d.Problem, Findings: d.Findings}
}

// Undo plans the inverse of changes. Those of users who were served as leavers
// meanwhile are planned again: what was read of them is not true any more.
func (a *accounts) Undo(ctx context.Context, w Work, changes []directory.Change) (plan.Undone, error) {
	var users []directory.UserID
	for i := range changes {
		users = append(users, changes[i].UserID)
	}
	slices.Sort(users)
	users = slices.Compact(users)
	for {
		served := w.lane.served()
		out, err := a.planOf(w).undo(ctx, changes, users)
		if err != nil || len(w.lane.servedSince(users, served)) == 0 {
			return out, err
		}
	}
}

// Drifted reads the accounts of changes: exactly what was approved is written, or
// nothing. Whoever has become a guest, or is synced by now, is refused.
func (a *accounts) Drifted(ctx context.Context, w Work, all []directory.Change, places []int) (map[int]Verdict, error) {
	var refs []string
	var at []int
	var list []*directory.Change
	for _, i := range places {
		c := &all[i]
		if c.AccountID == "" || c.Effect == directory.EffectRestore || c.Effect.Row().Ends {
			continue
		}
		refs, at, list = append(refs, string(c.AccountID)), append(at, i), append(list, c)
	}
	if len(refs) == 0 {
		return nil, nil
	}
	found, err := a.observe.lookupFor(ctx, w.lane, a.cfg.Mapper, refs, list)
	if err != nil {
		return nil, err
	}
	out := map[int]Verdict{}
	for n, f := range found {
		p := &directory.Problem{Code: directory.CodeOutdated, Next: "The next run plans it anew."}
		v := Verdict{State: directory.ChangeOutdated, Problem: p}
		if err := f.Err(); err != nil {
			p.Message = "Whether the account is still as it was could not be read: " + f.Problem.Message
		} else if foreign := foreignNow(f.Account); foreign != nil {
			v = Verdict{State: directory.ChangeRefused, Problem: foreign}
		} else if what := differs(list[n], f.Account); what != "" && !restoredFirst(all, at[n]) {
			p.Message = "The account changed after this was planned: " + what + "."
		} else {
			continue
		}
		out[at[n]] = v
	}
	return out, nil
}

// restoredFirst reports whether an earlier change of the same user makes the
// account another one first, so that what is read now says nothing about this one.
func restoredFirst(all []directory.Change, i int) bool {
	for j := range i {
		e := &all[j]
		if e.UserID == all[i].UserID && open(e) && e.Effect == directory.EffectRestore {
			return true
		}
	}
	return false
}

// foreignNow is why an account is not ours to write to any more.
func foreignNow(account *directory.Account) *directory.Problem {
	if account == nil {
		return nil
	}
	return plan.Foreign(account)
}

// differs says which value of an account is not any more as a change found it.
func differs(c *directory.Change, account *directory.Account) string {
	if account == nil {
		return "it is not there any more"
	}
	for _, p := range c.Properties {
		if observed, read := account.Properties[p.Name]; read && !mapping.Same(p.Name, p.Before, observed) {
			return p.Name + " is not what it was"
		}
	}
	return ""
}

// ReadBack reads accounts that were written to.
func (a *accounts) ReadBack(ctx context.Context, w Work, changes []*directory.Change) ([]plan.ReadBack, error) {
	refs := make([]string, len(changes))
	for n, c := range changes {
		refs[n] = string(c.AccountID)
	}
	found, err := a.observe.lookupFor(ctx, w.lane, a.cfg.Mapper, refs, changes)
	if err != nil {
		return nil, err
	}
	verdicts := make([]plan.ReadBack, len(changes))
	for n, c := range changes {
		age := a.s.now().Sub(c.At)
		verdicts[n] = plan.Compare(c, found[n].Account, age)
		if found[n].Err() != nil {
			verdicts[n] = plan.Unread(age)
		}
	}
	return verdicts, nil
}

// Names are the addresses of a rename.
func (a *accounts) Names(c *directory.Change) (gives, takes string) {
	if c.Effect != directory.EffectRename {
		return "", ""
	}
	return renamed(c)
}

// renamed returns the addresses of a rename, folded.
func renamed(c *directory.Change) (before, after string) {
	for _, p := range c.Properties {
		if p.Name == directory.PropUserPrincipalName {
			return directory.FoldAddress(p.Before.String()), directory.FoldAddress(p.After.String())
		}
	}
	return "", ""
}

// Taken is what is wrong when an account belongs to somebody else.
func (a *accounts) Taken(by directory.Ref) *directory.Problem { return boundTo(by.User()) }

func boundTo(u directory.UserID) *directory.Problem {
	return &directory.Problem{Code: directory.CodeAccountBound, Message: "The account is bound to another user.",
		Next: "Release one of the two users, or give one of them another address.", Holder: string(u)}
}

// Batch sends changes of accounts.
func (a *accounts) Batch(w Work) Batch { return &accountBatch{a: a, s: a.s, w: w} }
