package plan

import (
	"maps"
	"slices"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// undoing is the undo of one user's changes.
type undoing struct {
	*differ
	pick    Pick
	id      directory.AccountID
	bound   bool
	why     string
	net     map[string]net
	images  map[directory.UndoRule]directory.Change // the last applied change of each rule
	release directory.ReleasePolicy                 // by which the run let the binding go
	first   []directory.Change
	last    []directory.Change
	left    []Left
}

// net is what a run made of one value: from the one before its first change to
// the one after its last.
type net struct{ was, wrote directory.Value }

func newUndoing(c Config, run directory.RunID, changes []directory.Change, s Subject, pick Pick) *undoing {
	u := &undoing{pick: pick, why: ", as before " + string(run), net: map[string]net{}, images: map[directory.UndoRule]directory.Change{}}
	for _, c := range changes {
		u.images[c.Effect.Row().Undo] = c
		if c.AccountID != "" {
			u.id = c.AccountID
		}
		if c.Release != "" {
			u.release = c.Release
		}
		for _, p := range c.Properties {
			if !writes(c.Effect) || c.Effect == directory.EffectCreate {
				continue
			}
			n, again := u.net[p.Name]
			if !again {
				n.was = p.Before
			}
			n.wrote = p.After
			u.net[p.Name] = n
		}
	}
	if s.User == nil {
		s.User = &directory.User{ID: changes[0].UserID}
	}
	if u.bound = s.Binding != nil; !u.bound {
		// What the run left behind stands for the binding that it ended.
		s.Binding = &directory.Binding{UserID: s.User.ID, AccountID: u.id, Blocked: true, Base: directory.Properties{}}
		for name, n := range u.net {
			s.Binding.Base[name] = n.wrote
		}
	}
	account := s.Account
	if account == nil {
		account = &directory.Account{ID: u.id}
	}
	if s.Fresh.Any() {
		account, s.Fresh = u.refreshed(s.Binding, account, s.Fresh), directory.Recent{}
	}
	u.differ = newDiffer(c, s, account)
	return u
}

// refreshed is an account that may have been read from a replica that has not
// heard of our last write: a value from before it counts as the one that we
// wrote. Any other value is somebody else's.
func (u *undoing) refreshed(b *directory.Binding, a *directory.Account, recent directory.Recent) *directory.Account {
	fresh := *a
	fresh.Properties = maps.Clone(a.Properties)
	for name, base := range b.Base {
		v, read := fresh.Properties[name]
		n, wrote := u.net[name]
		before, kept := b.Before[name]
		if read && recent.Has(name) && !mapping.Same(name, base, v) && (wrote && mapping.Same(name, n.was, v) || kept && mapping.Same(name, before, v)) {
			fresh.Properties[name] = base
		}
	}
	return &fresh
}

// has reports whether the run did something that is taken back by a rule.
func (u *undoing) has(rule directory.UndoRule) bool {
	_, yes := u.images[rule]
	return yes
}

func (u *undoing) leave(property, code string, wrote, found directory.Value) {
	u.left = append(u.left, Left{UserID: u.User.ID, AccountID: u.id, Property: property, Code: code, Message: leftMessages[code], Wrote: wrote, Found: found})
}

func (u *undoing) plan() {
	if !u.reachable() {
		return
	}
	whole := len(u.pick.Properties) == 0
	made := u.has(directory.UndoGiveUp) || u.has(directory.UndoGiveBack) && u.Binding.Created
	switch {
	case made && !whole:
		u.leave("", LeftCreated, directory.Null, directory.Null)
		return
	case made:
		u.takeAccess("blocked because the creation of the account is undone")
		u.giveUp(directory.ReleaseBlock)
	case u.has(directory.UndoGiveBack) && whole:
		u.giveBack()
		u.giveUp(directory.ReleaseRestore)
	case u.has(directory.UndoBlock) && whole:
		u.takeAccess("blocked because the restoration of the account is undone")
		u.leave("", LeftRestored, directory.Null, directory.Null)
	default:
		if !u.bound {
			u.takeAgain()
		}
		u.values()
	}
	if u.has(directory.UndoNothing) && u.pick.property(directory.PropAccountEnabled) {
		u.leave("", LeftSessions, directory.Null, directory.Null)
	}
	for _, c := range u.after {
		if c.Effect == directory.EffectRename {
			u.leave("proxyAddresses", LeftAddress, directory.Null, c.Properties[0].Before)
		}
	}
}

// reachable reports whether the account is there, ours, and may be written to.
// A deleted one is restored.
func (u *undoing) reachable() bool {
	owner, taken := u.TakenBy[u.id]
	ours := u.bound || u.released() && len(u.pick.Properties) == 0 || u.has(directory.UndoRestore) || u.has(directory.UndoBlock)
	switch {
	case u.id == "":
		return false // nothing was written to any account
	case taken && owner != u.User.ID, u.Binding.AccountID != u.id:
		u.leave("", LeftOther, directory.Null, directory.Null)
	case !ours:
		u.leave("", LeftReleased, directory.Null, directory.Null)
	case u.Missing:
		u.revive()
	case u.Account == nil:
		u.leave("", LeftNotRead, directory.Null, directory.Null)
	default:
		if _, p := locked(u.Config, u.Account); p != nil {
			u.left = append(u.left, Left{UserID: u.User.ID, AccountID: u.id, Code: p.Code, Message: p.Message})
			return false
		}
		return true
	}
	return false
}

// revive restores an account that the run deleted.
func (u *undoing) revive() {
	if !u.has(directory.UndoRestore) || len(u.pick.Properties) > 0 || u.Deleted == nil {
		u.leave("", LeftGone, directory.Null, directory.Null)
		return
	}
	if _, p := locked(u.Config, u.Deleted); p != nil {
		u.left = append(u.left, Left{UserID: u.User.ID, AccountID: u.id, Code: p.Code, Message: p.Message})
		return
	}
	u.first = append(u.first, u.change(directory.EffectRestore, "restored because its deletion is undone"))
}

// takeAccess blocks an account that is enabled.
func (u *undoing) takeAccess(reason string) {
	if on, _ := u.observed(directory.PropAccountEnabled); on.Equal(directory.BoolValue(true)) {
		u.before = append(u.before, u.block(on, reason)...)
	}
}

// giveUp ends the binding. The change remembers the values from before it.
func (u *undoing) giveUp(policy directory.ReleasePolicy) {
	c := u.change(directory.EffectRelease, "released because the user's binding to the account is undone")
	c.Release, c.Created = policy, u.Binding.Created
	for _, name := range u.Binding.Before.Names() {
		was := u.Binding.Before[name]
		c.Properties = append(c.Properties, directory.PropertyChange{Name: name, Before: was, After: was})
	}
	u.last = append(u.last, c)
}

// giveBack sets an adopted account back to what it was before the binding.
func (u *undoing) giveBack() {
	for _, name := range u.Binding.Before.Names() {
		was, wrote := u.Binding.Before[name], u.base[name]
		observed, ok := u.found(name, wrote)
		if !ok {
			continue
		}
		code := u.restore(name, was)
		if code == LeftChanged && mapping.Same(name, wrote, was) {
			continue // we never changed it
		}
		u.leaveUnless(name, code, wrote, observed)
	}
}

// found is the value in the tenant; one that was not read is left alone.
func (u *undoing) found(name string, wrote directory.Value) (directory.Value, bool) {
	if _, read := u.Account.Properties[name]; !read {
		u.leave(name, LeftNotRead, wrote, directory.Null)
		return directory.Null, false
	}
	observed, _ := u.observed(name)
	return observed, true
}

func (u *undoing) leaveUnless(name, code string, wrote, observed directory.Value) {
	if code != "" {
		u.leave(name, code, wrote, observed)
	}
}

// released reports whether the run let the binding go.
func (u *undoing) released() bool { return u.release != "" || u.has(directory.UndoTakeAgain) }

// takeAgain makes an account ours again that the run gave up.
func (u *undoing) takeAgain() {
	if !u.released() {
		return
	}
	given := u.images[directory.UndoTakeAgain]
	c := u.change(directory.EffectAdopt, "adopted again because its release is undone")
	c.Created, c.Properties = given.Created, append(c.Properties, given.Properties...)
	u.first = append(u.first, c)
}

// values sets back what the run wrote.
func (u *undoing) values() {
	for _, name := range slices.Sorted(maps.Keys(u.net)) {
		if !u.pick.property(name) {
			continue
		}
		n := u.net[name]
		observed, ok := u.found(name, n.wrote)
		switch {
		case !ok:
		case name == directory.PropAccountEnabled:
			u.leaveUnless(name, u.access(n.was, observed), n.wrote, observed)
		default:
			u.leaveUnless(name, u.back(name, n.was, n.wrote, true, u.why), n.wrote, observed)
		}
	}
}

// access gives access back that a block took, or takes it again. A block that
// is not ours stays.
func (u *undoing) access(was, observed directory.Value) (left string) {
	on, _ := was.Bool()
	switch {
	case was.Equal(observed):
	case !on:
		u.takeAccess("blocked because its unblocking is undone")
	case !u.ourBlock():
		return LeftBlocked
	default:
		u.after = append(u.after, u.switched(directory.EffectUnblock, observed, was, "unblocked because its block is undone"))
	}
	return ""
}

// changes returns the plan in order: access goes first, and the binding last.
func (u *undoing) changes() []directory.Change {
	return slices.Concat(u.before, u.first, u.updates(), u.after, u.last)
}
