package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/recall"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// privileged is what of a tenant's protection is read from Microsoft.
type privileged struct {
	holders map[string]bool // of directory roles, by folded ID
	globals []directory.AccountID
	named   map[string]bool // accounts that the settings name, by folded ID
	unread  string          // why some holders may be missing
	at      time.Time       // when the answer was there
}

// protections remembers what was read of each connection's tenant, unless some of
// it could not be read.
func (e *Engine) protections() *recall.Memory[directory.ConnectionID, privileged] {
	e.once.Do(func() {
		e.protection.For, e.protection.Now = directory.RolesLife, e.now
		e.protection.Keep = func(p privileged) bool { return p.unread == "" }
	})
	return &e.protection
}

// protection is what a slice knows of its tenant's protected accounts.
type protection struct {
	privileged
	loaded bool
	lifts  map[string]store.ProtectionOverride // by folded ID
	// lastGlobals are the enabled Global Administrators, by folded ID, when the
	// protection of every one of them is lifted.
	lastGlobals map[string]bool
}

// loadProtection reads who is protected: from Microsoft when what is known is
// older than directory.RolesLife, and once a slice which protections are lifted. It
// is asked for before anything is planned that may write. What Microsoft does not
// let us read is no error: the guard holds what would be written.
func (w *worker) loadProtection(ctx context.Context) error {
	if w.protection.loaded {
		return nil
	}
	return w.protectionWithin(ctx, directory.RolesLife)
}

// rolesTime is how long reading who is protected may take: where roles are held
// through groups, it asks for the members and owners of each.
const rolesTime = 90 * time.Second

// errRolesUnread says that it could not be read who is protected, right before
// something was to be sent.
var errRolesUnread = errors.New("who is protected cannot be read")

// byRoles reports whether Microsoft guards what a change writes by the roles of
// its account: the state, the name, sensitive properties, and whether it exists.
func byRoles(c *directory.Change) bool {
	switch c.Effect {
	case directory.EffectBlock, directory.EffectUnblock, directory.EffectRevoke, directory.EffectDelete, directory.EffectRestore,
		directory.EffectRename, directory.EffectUpdateSensitive:
		return true
	}
	return false
}

// freshProtection reads again who is protected when changes of that kind are still
// to be sent in the batch's chunk, unless it was read a moment ago: an account's
// other changes may go first, and are refused as well then. The moment is counted
// from the answer, since a reading that takes long would be too old when it ends,
// for every batch anew. errRolesUnread when Microsoft does not let us: then
// nothing of the batch may be sent.
func (b *sending) freshProtection(ctx context.Context) error {
	if b.now().Sub(b.protection.at) <= directory.RolesFresh ||
		!slices.ContainsFunc(b.changes, func(c directory.Change) bool { return open(&c) && byRoles(&c) }) {
		return nil
	}
	if err := b.protectionWithin(ctx, directory.RolesFresh); err != nil {
		return err
	}
	if b.protection.unread != "" {
		b.protections().Forget(b.conn.ID)
		return errRolesUnread
	}
	return nil
}

// protectionWithin is loadProtection for who needs what was read at most age ago.
func (w *worker) protectionWithin(ctx context.Context, age time.Duration) error {
	version := w.conn.Authorization() + "\n" + strings.Join(w.conn.Settings.Protected, "\n")
	known, err := w.protections().Within(ctx, w.conn.ID, version, age, w.readPrivileged)
	if err != nil {
		return err
	}
	w.protection = protection{privileged: known}
	lifts, err := w.Store.ProtectionOverrides(ctx, w.conn.ID)
	if err != nil {
		return err
	}
	w.protection.lifts = make(map[string]store.ProtectionOverride, len(lifts))
	for _, l := range lifts {
		w.protection.lifts[foldID(l.AccountID)] = l
	}
	if err := w.findLastGlobal(ctx); err != nil {
		return err
	}
	w.protection.loaded = true
	return nil
}

func foldID(id directory.AccountID) string { return strings.ToLower(string(id)) }

func (w *worker) readPrivileged(ctx context.Context) (privileged, error) {
	out := privileged{holders: map[string]bool{}, named: map[string]bool{}}
	list, err := longRead(ctx, w, rolesTime, w.tenant.RoleHolders)
	out.at = w.now()
	if p, loops := loopOf(err); loops {
		out.unread = p.Message
		return out, nil
	}
	if p, ok := errors.AsType[*directory.Problem](err); ok && p.Kind != directory.ProblemTransient && p.Kind != directory.ProblemAuthorization &&
		!transient(err) && !errors.Is(err, directory.ErrUnauthorized) {
		out.unread = p.Message
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.unread, out.globals = list.Unread, list.GlobalAdministrators
	for _, id := range list.Holders {
		out.holders[foldID(id)] = true
	}
	return out, w.readNamed(ctx, &out)
}

// readNamed finds the accounts that the settings name by their userPrincipalName
// and remembers them, so that a rename does not end the protection.
func (w *worker) readNamed(ctx context.Context, out *privileged) error {
	var refs []string
	for _, p := range w.conn.Settings.Protected {
		if p = directory.FoldAddress(strings.TrimSpace(p)); strings.Contains(p, "@") && !slices.Contains(refs, p) {
			refs = append(refs, p)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	before, err := w.Store.Named(ctx, w.conn.ID)
	if err != nil {
		return err
	}
	now := map[string]directory.AccountID{}
	for part := range slices.Chunk(refs, planPage) {
		found, err := w.lookupEach(ctx, part, w.cfg.Mapper.Selected())
		if err != nil {
			return err
		}
		for n, f := range found {
			if err := unread(f); err != nil && (f.Retry || concernsAll(f)) {
				return err
			} else if err != nil {
				out.unread = fmt.Sprintf("The protected account %s cannot be read: %s", part[n], f.Problem.Message)
			}
			if id, known := before[part[n]]; known {
				now[part[n]] = id
				out.named[foldID(id)] = true
			}
			if f.Account != nil { // perhaps another one by now: both stay protected this hour
				now[part[n]] = f.Account.ID
				out.named[foldID(f.Account.ID)] = true
			}
		}
	}
	if maps.Equal(before, now) {
		return nil
	}
	return w.Store.SaveNamed(ctx, w.conn.ID, now)
}

// findLastGlobal finds out whether lifts leave no enabled Global Administrator
// protected. Then all of them stay so: one batch could block them together.
func (w *worker) findLastGlobal(ctx context.Context) error {
	lifted := slices.ContainsFunc(w.protection.globals, func(id directory.AccountID) bool {
		_, yes := w.protection.lifts[foldID(id)]
		return yes
	})
	if !lifted {
		return nil
	}
	refs := make([]string, len(w.protection.globals))
	for i, id := range w.protection.globals {
		refs[i] = string(id)
	}
	var enabled []string
	for part := range slices.Chunk(refs, planPage) {
		found, err := w.lookupEach(ctx, part, w.cfg.Mapper.Selected())
		if err != nil {
			return err
		}
		for _, f := range found {
			// Who cannot be read is not known to remain: the others stay protected.
			if err := unread(f); err != nil && (f.Retry || concernsAll(f)) {
				return err
			}
			if f.Account != nil && f.Account.Enabled() {
				enabled = append(enabled, foldID(f.Account.ID))
			}
		}
	}
	last := make(map[string]bool, len(enabled))
	for _, id := range enabled {
		if _, yes := w.protection.lifts[id]; !yes {
			return nil // this one remains
		}
		last[id] = true
	}
	w.protection.lastGlobals = last
	return nil
}

// protected says whether an account must never be written to, and why: holders
// of a directory role, members of groups that can be given roles, the admin who
// authorised us, and the accounts that the settings name. An admin may lift it
// for some hours, but for the one who authorised us and for the last enabled
// Global Administrator.
func (w *worker) protected(id directory.AccountID, upn string) (string, bool) {
	return w.protectedWith(w.conn.Settings.Protected, id, upn)
}

// protectedWith is protected with the accounts that other settings name.
func (w *worker) protectedWith(names []string, id directory.AccountID, upn string) (string, bool) {
	reason, fixed := w.protectedBy(names, id, upn)
	if reason == "" {
		return "", false
	}
	if l, lifted := w.protection.lifts[foldID(id)]; lifted && !fixed && id != "" && l.Until.After(w.now()) {
		return "", false
	}
	return reason, true
}

// protectedBy gives the reason regardless of lifts; fixed says that none counts.
func (w *worker) protectedBy(names []string, id directory.AccountID, upn string) (reason string, fixed bool) {
	switch {
	case id != "" && w.conn.AuthorizedBy != nil && strings.EqualFold(string(id), string(w.conn.AuthorizedBy.ObjectID)):
		return "it authorised this connection", true
	case id != "" && w.protection.lastGlobals[foldID(id)]:
		return "it is the last enabled Global Administrator, or the protection of all of them is lifted", true
	case id != "" && w.protection.holders[foldID(id)]:
		return "it holds a directory role, or is in a group that can be given one", false
	case id != "" && w.protection.named[foldID(id)]:
		return "the settings name it", false
	}
	for _, p := range names {
		if p = strings.TrimSpace(p); p != "" && (strings.EqualFold(p, string(id)) || directory.FoldAddress(p) == directory.FoldAddress(upn)) {
			return "the settings name it", false
		}
	}
	return "", false
}

// Protected is one account that is never written to.
type Protected struct {
	AccountID directory.AccountID `json:"accountId"`
	Reason    string              `json:"reason"`
	// Lifted says until when, by whom and why the protection is lifted.
	Lifted *store.ProtectionOverride `json:"lifted,omitempty"`
}

// Protection is who is protected in a tenant.
type Protection struct {
	Accounts []Protected `json:"accounts"`
	// Unread says why it is not known of all: runs are held meanwhile.
	Unread string `json:"unread,omitempty"`
}

// Protection reads who is protected in a connection's tenant, besides accounts
// that are synced from on-premises and guests, who are found when they are read.
func (e *Engine) Protection(ctx context.Context, c *directory.Connection) (Protection, error) {
	w, err := e.reader(ctx, c.ID)
	if err != nil {
		return Protection{}, err
	}
	if err := w.prepare(ctx); err != nil {
		return Protection{}, err
	}
	if err := w.loadProtection(ctx); err != nil {
		return Protection{}, err
	}
	p := w.protection
	out := Protection{Unread: p.unread, Accounts: []Protected{}}
	all := maps.Clone(p.holders)
	maps.Copy(all, p.named)
	if a := w.conn.AuthorizedBy; a != nil && a.ObjectID != "" {
		all[foldID(a.ObjectID)] = true
	}
	for _, s := range w.conn.Settings.Protected {
		if s = strings.TrimSpace(s); !strings.Contains(s, "@") {
			all[strings.ToLower(s)] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		one := Protected{AccountID: directory.AccountID(id)}
		one.Reason, _ = w.protectedBy(w.conn.Settings.Protected, one.AccountID, "")
		if l, lifted := p.lifts[id]; lifted {
			one.Lifted = &l
		}
		out.Accounts = append(out.Accounts, one)
	}
	return out, nil
}

// The bounds of a lift.
const (
	MaxLift = 24 * time.Hour
	MinLift = time.Minute
)

// Lifter takes protections away for some hours.
type Lifter struct {
	Store interface {
		PutProtectionOverride(ctx context.Context, act directory.Act, c *directory.Connection, l *store.ProtectionOverride) error
		DeleteProtectionOverride(ctx context.Context, act directory.Act, c directory.ConnectionID, a directory.AccountID) error
	}
	Now func() time.Time // nil means time.Now
}

// Check refuses a lift that cannot be: the protection of one account is taken
// away for a time of at most MaxLift, and that of the admin who authorised the
// connection never is.
func (l *Lifter) Check(c *directory.Connection, id directory.AccountID, d time.Duration) error {
	switch {
	case d < MinLift || d > MaxLift:
		return directory.Refuse(directory.ErrInvalid, "invalid-lift", fmt.Sprintf("A protection is lifted for 1 minute to %d hours, not %s.", int(MaxLift.Hours()), d), "Give minutes between 1 and 1440.")
	case c.AuthorizedBy != nil && strings.EqualFold(string(c.AuthorizedBy.ObjectID), string(id)):
		return directory.Refuse(directory.ErrConflict, "cannot-be-lifted", "The account authorised this connection; its protection cannot be lifted.",
			"Let another admin authorise the connection first.")
	}
	return nil
}

// Lift takes the protection of one account away for a time, as Check allows.
// askedBy is who proposed it, if that was somebody else than by, who decides.
// ErrStale when the connection has changed since it was read.
func (l *Lifter) Lift(ctx context.Context, c *directory.Connection, id directory.AccountID, d time.Duration, reason, by, askedBy string) (store.ProtectionOverride, error) {
	if err := l.Check(c, id, d); err != nil {
		return store.ProtectionOverride{}, err
	}
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	lift := store.ProtectionOverride{AccountID: id, Until: now().Add(d).UTC(), At: now().UTC(), By: by, AskedBy: askedBy, Reason: reason}
	return lift, l.Store.PutProtectionOverride(ctx, directory.Act{}, c, &lift)
}

// End gives the protection back before its time.
func (l *Lifter) End(ctx context.Context, c *directory.Connection, id directory.AccountID) error {
	return l.Store.DeleteProtectionOverride(ctx, directory.Act{}, c.ID, id)
}
