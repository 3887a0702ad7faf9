package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// journal makes the batch's results durable, with what they mean for the
// bindings: in one transaction, or in several when that would be too large.
func (b *batch) journal(ctx context.Context) error {
	b.oneEach()
	err := inParts(slices.Sorted(maps.Keys(b.results)), func(part []int) error { return b.journalPart(ctx, part) })
	if err != nil || len(b.results) == 0 {
		return err
	}
	b.wakeTargets(ctx)
	return b.expireLeavers(ctx)
}

// wakeTargets wakes the connections that the batch's users have moved to.
func (b *batch) wakeTargets(ctx context.Context) {
	list := make([]*directory.Binding, 0, len(b.results))
	for i := range b.results {
		list = append(list, b.rows[b.k.changes[i].UserID].Binding)
	}
	b.a.moves.wake(ctx, list)
}

// moves wakes the connections that users move to. The mark of each stands in the
// table: a lost wake-up costs minutes.
type moves struct {
	s    *session
	send Send
}

func (m moves) wake(ctx context.Context, list []*directory.Binding) {
	woken := map[directory.ConnectionID]bool{}
	for _, b := range list {
		if b == nil || b.MoveTo == nil || woken[b.MoveTo.ConnectionID] {
			continue
		}
		woken[b.MoveTo.ConnectionID] = true
		if err := m.send(ctx, directory.WakeUp{ConnectionID: b.MoveTo.ConnectionID}, 0); err != nil {
			m.s.log.Warn("the connection that users moved to was not woken", "connectionId", b.MoveTo.ConnectionID, "error", err)
		}
	}
}

// inParts does something with a list, in halves when the whole is too large.
// Without the lease the other half is still told, as what was in flight.
func inParts[T any](list []T, do func([]T) error) error {
	if len(list) == 0 {
		return nil
	}
	err := do(list)
	if half := len(list) / 2; half > 0 && errors.Is(err, directory.ErrTooLarge) {
		if err = inParts(list[:half], do); err == nil || errors.Is(err, directory.ErrLeaseLost) {
			err = errors.Join(err, inParts(list[half:], do))
		}
	}
	return err
}

func (b *batch) journalPart(ctx context.Context, part []int) error {
	for {
		j := store.Journal{Run: b.k.t.run, Chunk: b.k.number, Seq: b.k.results, Counts: b.counts(part)}
		for _, i := range part {
			j.Results = append(j.Results, b.results[i])
			j.Bindings = append(j.Bindings, b.consequenceOf(i).bindingChange())
		}
		b.k.describe(&j)
		err := b.a.journal.Journal(ctx, &b.s.lease, &b.s.conn, j)
		if claimed, ok := errors.AsType[*directory.Claimed](err); ok && b.loseClaim(claimed) {
			continue
		}
		if errors.Is(err, directory.ErrLeaseLost) {
			b.k.results++
			return b.k.journalLost(ctx, j, err)
		}
		if err != nil {
			return err
		}
		b.k.results++
		for _, r := range j.Results {
			b.count(r)
		}
		return nil
	}
}

// counts is what was applied, as the guard remembers it.
func (b *batch) counts(part []int) map[string]int64 {
	var list []directory.Change
	for _, i := range part {
		if b.results[i].State == directory.ChangeApplied {
			list = append(list, b.k.changes[i])
		}
	}
	sum := plan.TallyOf(list).Counter()
	if n := b.touched(part); n > 0 {
		sum[numRemapped+b.s.settingsDigest()] = int64(n)
	}
	return sum
}

// touched is to how many users has been written, of a plan from before all marks
// had been planned with the settings as they are. Each counts with the last of
// their changes.
func (b *batch) touched(part []int) int {
	if !b.k.t.run.Remapped {
		return 0
	}
	n, seen := 0, map[directory.UserID]bool{}
	for _, i := range part {
		if last, _ := b.lastOf(i); !last || seen[b.k.changes[i].UserID] {
			continue
		}
		seen[b.k.changes[i].UserID] = true
		var applied []directory.Change
		for j := range b.k.changes {
			c := &b.k.changes[j]
			if c.UserID == b.k.changes[i].UserID && b.state(j) == directory.ChangeApplied {
				applied = append(applied, *c)
			}
		}
		n += plan.TouchedBy(applied)
	}
	return n
}

// oneEach sees to it that no account is gained twice in one batch: of two users
// with one address the first gets it.
func (b *batch) oneEach() {
	gained := map[directory.AccountID]directory.UserID{}
	for _, i := range slices.Sorted(maps.Keys(b.results)) {
		c, r := &b.k.changes[i], b.results[i]
		if r.State != directory.ChangeApplied || c.Effect != directory.EffectAdopt && c.Effect != directory.EffectCreate {
			continue
		}
		id := r.AccountID
		if id == "" {
			id = c.AccountID
		}
		id = directory.AccountID(strings.ToLower(string(id)))
		if first, taken := gained[id]; taken {
			b.result(i, directory.ChangeFailed, boundTo(first))
			continue
		}
		gained[id] = c.UserID
	}
}

// boundTo is what is wrong when an account belongs to somebody else.
func boundTo(u directory.UserID) *directory.Problem {
	return &directory.Problem{Code: directory.CodeAccountBound, Message: "The account is bound to another user.",
		Next: "Release one of the two users, or give one of them another address.", Holder: string(u)}
}

// count brings the chunk in memory and the slice's summary up to date.
func (b *batch) count(r store.Result) {
	c := &b.k.changes[r.Index]
	c.State, c.Error, c.RequestID = r.State, r.Error, r.RequestID
	if r.AccountID != "" {
		c.AccountID = r.AccountID
	}
	switch r.State {
	case directory.ChangeApplied:
		b.s.sum.Applied++
	case directory.ChangeFailed:
		b.s.sum.Failed++
	case directory.ChangeRefused:
		b.s.sum.Refused++
	}
}

// loseClaim turns an adoption whose account somebody else got in the meantime
// into a failed change.
func (b *batch) loseClaim(claimed *directory.Claimed) bool {
	for i, r := range b.results {
		c := &b.k.changes[i]
		id := r.AccountID
		if id == "" {
			id = c.AccountID
		}
		if r.State == directory.ChangeApplied && strings.EqualFold(string(id), claimed.Name) &&
			(c.Effect == directory.EffectAdopt || c.Effect == directory.EffectCreate) {
			b.result(i, directory.ChangeFailed, boundTo(claimed.User))
			return true
		}
	}
	return false
}

// findingsOf returns what planning found out about a user besides its changes.
func (b *batch) findingsOf(u directory.UserID) []directory.Problem {
	for i := range b.k.changes {
		if c := &b.k.changes[i]; c.UserID == u && len(c.Findings) > 0 {
			return c.Findings
		}
	}
	return nil
}

// lastOf reports whether a change is the last open one of its user in the
// chunk, and the first failure among that user's changes.
func (b *batch) lastOf(i int) (last bool, failure *directory.Problem) {
	last = true
	for j := range b.k.changes {
		c := &b.k.changes[j]
		if c.UserID != b.k.changes[i].UserID {
			continue
		}
		state, problem := c.State, c.Error
		if r, now := b.results[j]; now {
			state, problem = r.State, r.Error
		} else if open(c) {
			last = false
		}
		if failure == nil && (state == directory.ChangeFailed || state == directory.ChangeRefused) {
			failure = problem
		}
	}
	return last, failure
}

// state is that of a change, after the batch if that came to a result with it.
func (b *batch) state(j int) directory.ChangeState {
	if r, now := b.results[j]; now {
		return r.State
	}
	return b.k.changes[j].State
}

// movedOrDeclined reports whether some change of the same user was outdated, or
// declined by an admin.
func (b *batch) movedOrDeclined(i int) (moved, declined bool) {
	for j := range b.k.changes {
		c := &b.k.changes[j]
		if c.UserID != b.k.changes[i].UserID {
			continue
		}
		state := b.state(j)
		moved = moved || state == directory.ChangeOutdated
		declined = declined || state == directory.ChangeDeclined
	}
	return moved, declined
}

func (b *batch) declinedEffects(i int) []directory.Effect {
	var list []directory.Effect
	for j := range b.k.changes {
		if c := &b.k.changes[j]; c.UserID == b.k.changes[i].UserID && c.State == directory.ChangeDeclined {
			list = append(list, c.Effect)
		}
	}
	return list
}

// applied brings a binding to what an applied change made of the account.
func applied(bd *directory.Binding, c *directory.Change, account directory.AccountID) {
	if account != "" {
		bd.AccountID = account
	}
	if c.UserPrincipalName != "" {
		bd.UserPrincipalName = c.UserPrincipalName
	}
	if bd.Base == nil {
		bd.Base = directory.Properties{}
	}
	if bd.Before == nil && c.Effect == directory.EffectAdopt {
		bd.Before = directory.Properties{}
	}
	_, agreedName := bd.Base[directory.PropUserPrincipalName]
	for _, p := range c.Properties {
		if _, kept := bd.Before[p.Name]; !kept && !bd.Created && bd.Before != nil {
			bd.Before[p.Name] = p.Before
		}
		bd.Base[p.Name] = p.After
		if p.Name == directory.PropUserPrincipalName && c.Effect == directory.EffectRename {
			switch {
			case !agreedName:
				bd.OwnName = p.Before.String()
			case bd.OwnName != "" && mapping.Same(p.Name, p.After, directory.StringValue(bd.OwnName)):
				delete(bd.Base, p.Name)
			}
		}
	}
	switch c.Effect {
	case directory.EffectAdopt:
		bd.Adopt = ""
	case directory.EffectCreate:
		bd.Created, bd.Adopt = true, ""
		bd.UserPrincipalName = c.After()[directory.PropUserPrincipalName].String()
	case directory.EffectRename:
		bd.UserPrincipalName = c.After()[directory.PropUserPrincipalName].String()
	case directory.EffectBlock:
		bd.Blocked = bd.Blocked || tookAccess(c)
	case directory.EffectUnblock:
		bd.Blocked = false
	}
}

// asRead are the values of an account that is as agreed.
func asRead(bd *directory.Binding) directory.Properties {
	if _, agreed := bd.Base[directory.PropUserPrincipalName]; agreed {
		return bd.Base
	}
	whole := maps.Clone(bd.Base)
	whole[directory.PropUserPrincipalName] = directory.StringValue(bd.UserPrincipalName)
	return whole
}

// tookAccess reports whether a block found the account enabled. One that found
// it blocked already is somebody else's, and is never lifted (invariant 11).
func tookAccess(c *directory.Change) bool {
	for _, p := range c.Properties {
		if p.Name == directory.PropAccountEnabled {
			return !p.Before.Equal(directory.BoolValue(false))
		}
	}
	return true
}

// agree makes the base what the directory wants, once everything has been
// written: values that were equal already count as agreed as well. A value that
// is only reported when it differs keeps the base that it differs from.
func agree(bd *directory.Binding, desired directory.Properties, s directory.Settings) {
	for name, v := range desired {
		_, known := bd.Base[name]
		if known && s.Foreign(name) == directory.ForeignReport {
			continue
		}
		if k, otherwise := bd.Kept[name]; otherwise && mapping.Same(name, k.Wanted, v) {
			continue // what Microsoft keeps of it is agreed
		}
		if name == directory.PropUserPrincipalName && !known {
			continue // the account has a name of its own
		}
		bd.Base[name] = v
	}
}

// tellsOf reports whether one of some problems is about a property.
func tellsOf(problems []directory.Problem, name string) bool {
	return slices.ContainsFunc(problems, func(p directory.Problem) bool { return p.Property == name })
}

// leftOut are the refused values of properties that problems are about.
func leftOut(problems []directory.Problem, refused map[string]directory.RefusedValue) map[string]directory.RefusedValue {
	var out map[string]directory.RefusedValue
	for name, r := range refused {
		if tellsOf(problems, name) {
			if out == nil {
				out = map[string]directory.RefusedValue{}
			}
			out[name] = r
		}
	}
	return out
}

// otherNickname says of a creation that it gave another mailNickname than the
// directory wants, since another object has that one.
func (b *batch) otherNickname(c *directory.Change, row store.Subject) (directory.KeptValue, bool) {
	given, named := c.After()[directory.PropMailNickname]
	if c.Effect != directory.EffectCreate || !named || row.User == nil || row.Binding == nil || len(row.Binding.Refused) == 0 {
		return directory.KeptValue{}, false
	}
	values, _ := b.a.cfg.Mapper.Desired(row.User)
	wish, wanted := values[directory.PropMailNickname]
	if !wanted || mapping.Same(directory.PropMailNickname, wish, given) {
		return directory.KeptValue{}, false
	}
	return directory.KeptValue{Wanted: wish, Kept: given, Code: directory.CodeSuffixed, Since: b.s.now().UTC()}, true
}

// expireLeavers starts the last thirty days of deleted users whose block has
// been applied.
func (b *batch) expireLeavers(ctx context.Context) error {
	for i, r := range b.results {
		row := b.rows[b.k.changes[i].UserID]
		if r.State == directory.ChangeApplied && row.User != nil && row.User.Deleted != nil && b.k.changes[i].Effect == directory.EffectBlock {
			if err := b.a.users.ExpireUser(ctx, row.User); err != nil {
				return err
			}
		}
	}
	return nil
}

// describe says of a journal's results what their changes alone know: whom they
// concern, and how many of which effect came to what.
func (k *chunk) describe(j *store.Journal) {
	j.Refs, j.Tally = make([]directory.Ref, len(j.Results)), map[string]int{}
	for i, r := range j.Results {
		c := &k.changes[r.Index]
		j.Refs[i] = c.Ref()
		j.Tally[string(r.State)+"/"+string(c.Effect)]++
	}
}
