package reconcile

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/protect"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// accountBatch is what accounts are sent with.
type accountBatch struct {
	a       *accounts
	s       *session
	w       Work
	rows    map[directory.UserID]store.Subject
	befores map[directory.AccountID]store.BeforeImage // of earlier bindings of the same users
	// passwordKey is that of temporary passwords, when creations need it.
	passwordKey directory.Secret
}

// Records reads the users and bindings of changes.
func (b *accountBatch) Records(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	var err error
	if b.rows, err = b.a.bindings.Subjects(ctx, directory.UsersOf(refs)); err != nil {
		return nil, err
	}
	out := make(map[directory.Ref]*directory.Binding, len(refs))
	for id, row := range b.rows {
		if row.Binding != nil {
			out[directory.AccountOf(id)] = row.Binding
		}
	}
	return out, nil
}

// Confirm looks at changes right before they are sent.
func (b *accountBatch) Confirm(ctx context.Context, changes []*directory.Change) ([]Verdict, error) {
	if err := b.readPasswordKey(ctx, changes); err != nil {
		return nil, err
	}
	verdicts := make([]Verdict, len(changes))
	var adoptions, creations []int
	for n, c := range changes {
		row := b.rows[c.UserID]
		switch c.Effect {
		case directory.EffectAdopt:
			if row.Binding == nil && (row.User == nil || row.User.Version != c.UserVersion) {
				verdicts[n] = Verdict{State: directory.ChangeOutdated, Problem: releasedMeanwhile()}
				continue
			}
			adoptions = append(adoptions, n)
		case directory.EffectCreate:
			verdicts[n] = b.mayCreate(c, row)
			if verdicts[n].State == "" && (b.maySent(c) || !b.a.observe.justAbsent(addressOf(c))) {
				creations = append(creations, n)
			}
		default:
			verdicts[n] = b.refuseProtected(c)
		}
	}
	if err := b.adopt(ctx, changes, adoptions, verdicts); err != nil {
		return nil, err
	}
	if err := b.confirmCreations(ctx, changes, creations, verdicts); err != nil {
		return nil, err
	}
	b.holdBack(changes, verdicts)
	return verdicts, nil
}

// holdBack has creations wait whose answers have become too old meanwhile: they are
// asked about anew.
func (b *accountBatch) holdBack(changes []*directory.Change, verdicts []Verdict) {
	for n, c := range changes {
		passed := verdicts[n] == Verdict{}
		if c.Effect == directory.EffectCreate && passed && !b.a.observe.justAbsent(addressOf(c)) {
			verdicts[n] = Verdict{Wait: time.Second}
		}
	}
}

// mayCreate says what becomes of a creation before its address is looked at.
func (b *accountBatch) mayCreate(c *directory.Change, row store.Subject) Verdict {
	if row.Binding.AccountID != "" {
		return Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated, Message: "The user has got an account meanwhile."}}
	}
	return b.refuseProtected(c)
}

// refuseProtected refuses a change of an account that is protected.
func (b *accountBatch) refuseProtected(c *directory.Change) Verdict {
	reason, yes := b.a.shield.now().Of(b.account(c), c.UserPrincipalName)
	if !yes {
		return Verdict{}
	}
	b.alarmLeaver(c)
	return Verdict{State: directory.ChangeRefused, Problem: protect.Problem(reason)}
}

// addressOf is the address that a creation or a rename gives; empty: none.
func addressOf(c *directory.Change) string {
	return c.After()[directory.PropUserPrincipalName].String()
}

// maySent reports whether a creation may have been sent already.
func (b *accountBatch) maySent(c *directory.Change) bool {
	return b.a.observe.answers.maySent(b.w.Run.ID, c)
}

// confirmCreations asks about the addresses of creations right before they are sent:
// only what Microsoft says is not there is created. An account that is there is our
// own, when an earlier sending of this very creation took effect unseen, and
// otherwise somebody else's: then the next run decides.
func (b *accountBatch) confirmCreations(ctx context.Context, changes []*directory.Change, list []int, verdicts []Verdict) error {
	if len(list) == 0 {
		return nil
	}
	observe := b.a.observe
	if err := observe.listAgain(ctx, b.w.lane, b.w.Run.Counts[directory.EffectCreate]); err != nil {
		return err
	}
	questions := make([]addressQuestion, len(list))
	for n, i := range list {
		questions[n] = addressQuestion{address: addressOf(changes[i]), direct: b.maySent(changes[i])}
	}
	questions, list = observe.dropUnlisted(questions, list)
	found, err := observe.addressHolders(ctx, b.w.lane, questions, b.a.cfg.Mapper.Selected())
	if err != nil {
		return err
	}
	for n, i := range list {
		if err := found[n].Err(); err != nil && found[n].ConcernsAll() {
			return err
		}
		verdicts[i] = confirmed(changes[i], questions[n].address, found[n])
	}
	return nil
}

func confirmed(c *directory.Change, address string, found directory.Found) Verdict {
	other := found.Account
	if other == nil && len(found.Accounts) > 0 {
		other = &found.Accounts[0]
	}
	switch {
	case found.Err() != nil && found.Retry:
		return Verdict{Unsure: &directory.Outcome{Problem: found.Problem}}
	case found.Err() != nil:
		// The next plan makes it a problem of the binding.
		return Verdict{State: directory.ChangeOutdated, Problem: found.Problem}
	case other == nil:
		// A name can be given once, so a creation that did take effect and
		// is not visible yet makes this one fail, not double.
		return Verdict{}
	case found.Account != nil && ours(c, other):
		return Verdict{State: directory.ChangeApplied, Object: other.ID}
	}
	return Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeAddressTakenMeanwhile,
		Message: "After this was planned, another account got the address " + address + ".", Holder: string(other.ID),
		Next: "The next run decides whether the account can be adopted."}}
}

// adopt takes accounts without a request of their own; the bindings get them in
// the journal's transaction.
func (b *accountBatch) adopt(ctx context.Context, changes []*directory.Change, list []int, verdicts []Verdict) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]directory.AccountID, len(list))
	refs := make([]directory.Ref, len(list))
	for n, i := range list {
		ids[n], refs[n] = changes[i].AccountID, changes[i].Ref()
	}
	owners, err := b.a.owners.AccountOwners(ctx, &b.s.conn, ids)
	if err != nil {
		return err
	}
	if b.befores, err = b.a.owners.BeforeImages(ctx, b.s.conn.Tenant.ID, ids, refs); err != nil {
		return err
	}
	for _, i := range list {
		c := changes[i]
		verdicts[i] = Verdict{State: directory.ChangeApplied}
		if owner, taken := owners[c.AccountID]; taken && owner != c.UserID {
			verdicts[i] = Verdict{State: directory.ChangeFailed, Problem: boundTo(owner)}
		}
	}
	return nil
}

// account is the one that a change writes to: a change that follows a creation
// knows it by the binding only.
func (b *accountBatch) account(c *directory.Change) directory.AccountID {
	if c.AccountID == "" {
		return b.rows[c.UserID].Binding.AccountID
	}
	return c.AccountID
}

// Write turns a change into the tenant's write.
func (b *accountBatch) Write(c *directory.Change) protect.Write {
	w := protect.Write{UserPrincipalName: c.UserPrincipalName}
	w.Effect, w.AccountID, w.Properties = c.Effect, b.account(c), c.After()
	b.a.observe.answers.noteSent(c)
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

// Sort says what a refusal means that is not the change's own failure.
func (b *accountBatch) Sort(c *directory.Change, out directory.Outcome) Verdict {
	p := out.Problem
	b.a.domains.doubted = b.a.domains.doubted || speaksOfDomains[p.Code]
	switch {
	case c.Effect == directory.EffectCreate && conflictOfName(p):
		return Verdict{Find: true} // perhaps the answer to our own creation was lost
	case c.Effect == directory.EffectRestore && p.MicrosoftStatus == http.StatusNotFound:
		return Verdict{Find: true} // or that to our own restoration: the account is not in the bin any more
	case p.MicrosoftStatus == http.StatusNotFound && b.justWritten(c):
		return Verdict{Wait: 5 * time.Second}
	case p.Code == directory.CodeTargetProtected:
		b.targetProtected(c)
		return Verdict{State: directory.ChangeFailed}
	}
	return Verdict{}
}

// justWritten reports whether the account is so new that a 404 may come from a
// replica that has not heard of it (G 9).
func (b *accountBatch) justWritten(c *directory.Change) bool {
	row := b.rows[c.UserID]
	return row.Binding != nil && row.Binding.LastWrite.Add(Grace).After(b.s.now())
}

func conflictOfName(p *directory.Problem) bool { return p.Code == directory.CodeUserPrincipalNameTaken }

// Find finds out by userPrincipalName whether creations took effect, and by id
// whether restorations did.
func (b *accountBatch) Find(ctx context.Context, list []Unanswered) ([]Verdict, error) {
	refs := make([]string, len(list))
	for n, u := range list {
		refs[n] = string(b.account(u.Change))
		if u.Change.Effect == directory.EffectCreate {
			refs[n] = u.Change.After()[directory.PropUserPrincipalName].String()
		}
	}
	found, err := b.a.observe.lookup(ctx, closed{b.s}, refs, b.a.cfg.Mapper.Selected())
	if err != nil {
		return nil, err
	}
	verdicts := make([]Verdict, len(list))
	for n, u := range list {
		verdicts[n] = becameOf(u, refs[n], found[n])
	}
	return verdicts, nil
}

func becameOf(u Unanswered, name string, found directory.Found) Verdict {
	a := found.Account
	switch {
	case found.Err() != nil && found.ConcernsAll():
		return Verdict{Wait: 5 * time.Second}
	case a == nil:
		return Verdict{Hidden: true}
	case u.Change.Effect == directory.EffectRestore || ours(u.Change, a):
		return Verdict{State: directory.ChangeApplied, Object: a.ID}
	}
	p := u.Outcome.Problem
	if p == nil || !conflictOfName(p) {
		p = &directory.Problem{Code: directory.CodeUserPrincipalNameTaken, Kind: directory.ProblemConflict, Message: "Another account has the userPrincipalName " + name + "."}
	}
	p.Holder = string(a.ID)
	p.Next = "The next run decides whether the account can be adopted."
	return Verdict{State: directory.ChangeFailed, Problem: p}
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

// Clarify finds out who has the addresses that were refused, and which renames
// wait for each other.
func (b *accountBatch) Clarify(ctx context.Context, all []directory.Change, results map[int]store.Result) {
	b.nameHolders(ctx, all, results)
	explainSwaps(all, results)
}

// Journalled starts the last thirty days of deleted users whose block has been
// applied, and has planned again who waits for an address that is free by now.
func (b *accountBatch) Journalled(ctx context.Context, all []directory.Change, results map[int]store.Result) error {
	for _, i := range slices.Sorted(maps.Keys(results)) {
		c, row := &all[i], b.rows[all[i].UserID]
		delete(b.a.observe.answers.sent, c.ID)
		if results[i].State == directory.ChangeApplied && row.User != nil && row.User.Deleted != nil && c.Effect == directory.EffectBlock {
			if err := b.a.users.ExpireUser(ctx, row.User); err != nil {
				return err
			}
		}
	}
	return b.wakeWaiting(ctx, all, results)
}

// otherNickname says of a creation that it gave another mailNickname than the
// directory wants, since another object has that one.
func (b *accountBatch) otherNickname(c *directory.Change, row store.Subject) (directory.KeptValue, bool) {
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
