package protect

import (
	"cmp"
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

// Tenant is what is asked of a tenant to find out who is protected. Both may take
// many requests.
type Tenant interface {
	RoleHolders(ctx context.Context) (directory.Privileged, error)
	// Lookup reads accounts by ID or userPrincipalName and answers each in its place.
	Lookup(ctx context.Context, refs []string) ([]directory.Found, error)
}

// Store keeps what admins decided about protections, and which accounts the names
// of the settings stood for.
type Store interface {
	ProtectionOverrides(ctx context.Context, c directory.ConnectionID) ([]store.ProtectionOverride, error)
	Named(ctx context.Context, c directory.ConnectionID) (map[string]directory.AccountID, error)
	SaveNamed(ctx context.Context, c directory.ConnectionID, names map[string]directory.AccountID) error
}

// Reader reads who is protected, and remembers of each connection's tenant what
// was read from Microsoft, unless some of it could not be read.
type Reader struct {
	store  Store
	now    func() time.Time
	memory recall.Memory[directory.ConnectionID, privileged]
}

// NewReader returns a Reader. now is the clock.
func NewReader(s Store, now func() time.Time) *Reader {
	r := &Reader{store: s, now: now}
	r.memory.For, r.memory.Now = directory.RolesLife, now
	r.memory.Keep = func(p privileged) bool { return p.unread == "" }
	return r
}

// privileged is what of a tenant's protection is read from Microsoft.
type privileged struct {
	holders map[string]bool // of directory roles, by folded ID
	globals []directory.AccountID
	named   map[string]bool // accounts that the settings name, by folded ID
	unread  string          // why some holders may be missing
	at      time.Time       // when the answer was there
}

// Read returns who is protected in a connection's tenant. What is read from
// Microsoft may be as old as age; the lifts are those of now, and not asked for where it
// is known that there are none. What Microsoft does
// not let us read is no error: see Protection.Unread.
func (r *Reader) Read(ctx context.Context, c *directory.Connection, t Tenant, age time.Duration, lifted bool) (*Protection, error) {
	read := func(ctx context.Context) (privileged, error) { return r.privileged(ctx, c, t) }
	known, err := r.memory.Within(ctx, c.ID, versionOf(c), age, read)
	if err == nil && r.now().Sub(known.at) > age { // the answer was there before it was asked for
		r.memory.Forget(c.ID)
		known, err = r.memory.Within(ctx, c.ID, versionOf(c), age, read)
	}
	if err != nil {
		return nil, err
	}
	var lifts []store.ProtectionOverride
	if lifted {
		if lifts, err = r.store.ProtectionOverrides(ctx, c.ID); err != nil {
			return nil, err
		}
	}
	p := Known(c, r.now)
	p.privileged = known
	p.lifts = make(map[string]store.ProtectionOverride, len(lifts))
	for _, l := range lifts {
		p.lifts[fold(l.AccountID)] = l
	}
	p.lastGlobals, err = lastGlobals(ctx, t, p)
	return p, err
}

// versionOf is what ends what is remembered of a connection's tenant.
func versionOf(c *directory.Connection) string {
	return c.Authorization() + "\n" + strings.Join(c.Settings.Protected, "\n")
}

// Remembers reports whether a Read for a connection will ask Microsoft nothing about
// role holders.
func (r *Reader) Remembers(c *directory.Connection, age time.Duration) bool {
	return r.memory.Has(c.ID, versionOf(c), age)
}

// Forget has the next Read ask Microsoft.
func (r *Reader) Forget(c directory.ConnectionID) { r.memory.Forget(c) }

func (r *Reader) privileged(ctx context.Context, c *directory.Connection, t Tenant) (privileged, error) {
	out := privileged{holders: map[string]bool{}, named: map[string]bool{}}
	list, err := t.RoleHolders(ctx)
	// Counted from the answer: a reading that takes long would be too old when it
	// ends, for every batch anew.
	out.at = cmp.Or(list.At, r.now())
	if p, refused := refusal(err); refused {
		out.unread = p.Message
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.unread, out.globals = list.Unread, list.GlobalAdministrators
	for _, id := range list.Holders {
		out.holders[fold(id)] = true
	}
	return out, r.readNamed(ctx, c, t, &out)
}

// refusal is why Microsoft does not tell who holds roles, if it refuses that and
// nothing else: not for a time, and not the connection as a whole.
func refusal(err error) (*directory.Problem, bool) {
	if p, loops := directory.PagingLoop(err); loops {
		return p, true
	}
	p, ok := errors.AsType[*directory.Problem](err)
	return p, ok && p.Kind != directory.ProblemTransient && p.Kind != directory.ProblemAuthorization &&
		!directory.Transient(err) && !errors.Is(err, directory.ErrUnauthorized)
}

// lookupPage is how many accounts are asked for together.
const lookupPage = 200

// readNamed finds the accounts that the settings name by their userPrincipalName
// and remembers them, so that a rename does not end the protection.
func (r *Reader) readNamed(ctx context.Context, c *directory.Connection, t Tenant, out *privileged) error {
	var refs []string
	for _, p := range c.Settings.Protected {
		p = directory.FoldAddress(strings.TrimSpace(p))
		if strings.Contains(p, "@") && !slices.Contains(refs, p) {
			refs = append(refs, p)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	before, err := r.store.Named(ctx, c.ID)
	if err != nil {
		return err
	}
	now := map[string]directory.AccountID{}
	for part := range slices.Chunk(refs, lookupPage) {
		found, err := t.Lookup(ctx, part)
		if err != nil {
			return err
		}
		for n, f := range found {
			if err := f.Err(); err != nil {
				if f.Retry || f.ConcernsAll() {
					return err
				}
				out.unread = fmt.Sprintf("The protected account %s cannot be read: %s", part[n], f.Problem.Message)
			}
			if id, known := before[part[n]]; known {
				now[part[n]] = id
				out.named[fold(id)] = true
			}
			if f.Account != nil { // perhaps another one by now: both stay protected this hour
				now[part[n]] = f.Account.ID
				out.named[fold(f.Account.ID)] = true
			}
		}
	}
	if maps.Equal(before, now) {
		return nil
	}
	return r.store.SaveNamed(ctx, c.ID, now)
}

// lastGlobals finds out whether lifts leave no enabled Global Administrator
// protected, and returns all of them then: one batch could block them together.
func lastGlobals(ctx context.Context, t Tenant, p *Protection) (map[string]bool, error) {
	lifted := slices.ContainsFunc(p.globals, func(id directory.AccountID) bool {
		_, yes := p.lifts[fold(id)]
		return yes
	})
	if !lifted {
		return nil, nil
	}
	refs := make([]string, len(p.globals))
	for i, id := range p.globals {
		refs[i] = string(id)
	}
	last := map[string]bool{}
	for part := range slices.Chunk(refs, lookupPage) {
		found, err := t.Lookup(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			// Who cannot be read is not known to remain: the others stay protected.
			if err := f.Err(); err != nil && (f.Retry || f.ConcernsAll()) {
				return nil, err
			}
			if f.Account != nil && f.Account.Enabled() {
				last[fold(f.Account.ID)] = true
			}
		}
	}
	for id := range last {
		if _, yes := p.lifts[id]; !yes {
			return nil, nil // this one remains
		}
	}
	return last, nil
}
