package uses

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Service is what admins ask about the uses of groups. It may be used by many
// goroutines.
type Service struct {
	connections connectionStore
	groups      groupReader
	told        userTeller
	uses        useEditor
	licences    licenceEditor
	bindings    bindingReader
	counters    recordCounter
	nesting     forecastGroups
	candidates  Candidates
	products    Products
	wake        func(ctx context.Context, id directory.ConnectionID) error
	now         func() time.Time
	log         *slog.Logger
}

// Candidates gives groups of a tenant their verdicts; *assign.GroupCandidates does.
type Candidates interface {
	Tenant(ctx context.Context, c *directory.Connection) (assign.GroupTenant, error)
	Judge(ctx context.Context, c *directory.Connection, groups []directory.TenantGroup) ([]assign.GroupCandidate, error)
}

// Products lists the products that a connection's tenant has licences of.
type Products func(ctx context.Context, c *directory.Connection) ([]directory.LicenceSKU, error)

type connectionStore interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	// ModifyConnection lets change edit a connection and stores it, again when somebody
	// else was faster.
	ModifyConnection(ctx context.Context, act directory.AuditEvent, id directory.ConnectionID, change func(*directory.Connection) error) (directory.Connection, error)
}

// groupReader reads groups; directory.ErrNotFound.
type groupReader interface {
	Group(ctx context.Context, id directory.GroupID) (directory.Group, error)
	// Nested are the groups in a group; store.ErrNested: they are too many.
	Nested(ctx context.Context, id directory.GroupID, keep func(directory.GroupID) bool) (all, kept []directory.GroupID, err error)
}

// userTeller makes the uses due that an edit of a group is about.
type userTeller interface {
	TellUsers(ctx context.Context, m directory.MemberRef) ([]directory.ConnectionID, error)
}

// useEditor stores and reads uses.
type useEditor interface {
	Use(ctx context.Context, c *directory.Connection, g directory.GroupID) (directory.GroupUse, error)
	UseState(ctx context.Context, c *directory.Connection, g directory.GroupID) (store.UseState, error)
	ListUses(ctx context.Context, c *directory.Connection, after directory.GroupID, limit int) ([]directory.GroupUse, directory.GroupID, error)
	UseMembers(ctx context.Context, u *directory.GroupUse, after directory.MemberRef, limit int) ([]store.UseMember, directory.MemberRef, error)
	PutUse(ctx context.Context, act directory.AuditEvent, c *directory.Connection, g *directory.Group, u *directory.GroupUse) error
}

// Config is what a Service stands on.
type Config struct {
	Store *store.Store
	// Wake asks for a slice of a connection; a wake-up that is lost costs minutes.
	Wake func(ctx context.Context, id directory.ConnectionID) error
	// Candidates and Products look at the tenant, for what an admin is told beforehand; nil:
	// nobody does.
	Candidates Candidates
	Products   Products
	Now        func() time.Time // nil means time.Now
	Log        *slog.Logger     // nil means silence
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{connections: cfg.Store.Connections, groups: cfg.Store.Groups, told: cfg.Store.Groups, uses: cfg.Store.Uses, licences: cfg.Store.Uses, bindings: cfg.Store.Bindings, counters: cfg.Store.Counters,
		nesting: cfg.Store.Groups, candidates: cfg.Candidates, products: cfg.Products, wake: cfg.Wake, now: cfg.Now, log: cfg.Log}
}

// maxTries bounds how often something is tried again because others were faster.
const maxTries = 20

// Used is a use as an admin sees it.
type Used struct {
	directory.GroupUse
	State store.UseState
	// Lacking are the permissions that it needs and the connection was not granted:
	// nothing that needs them is written until it is.
	Lacking []directory.Permission
}

// Get reads what a connection does with a group. Errors: directory.ErrNotFound.
func (s *Service) Get(ctx context.Context, id directory.ConnectionID, g directory.GroupID) (Used, error) {
	c, err := s.connections.Connection(ctx, id)
	if err != nil {
		return Used{}, err
	}
	return s.used(ctx, &c, g)
}

func (s *Service) used(ctx context.Context, c *directory.Connection, g directory.GroupID) (Used, error) {
	u, err := s.uses.Use(ctx, c, g)
	if errors.Is(err, directory.ErrNotFound) {
		return Used{}, directory.Refuse(directory.ErrNotFound, directory.CodeGroupNotUsed,
			fmt.Sprintf("The connection \"%s\" does nothing with the group %q.", c.Name, g), "PUT says what it is to do.")
	}
	if err != nil {
		return Used{}, err
	}
	state, err := s.uses.UseState(ctx, c, g)
	if errors.Is(err, directory.ErrNotFound) { // it has just ended
		err = nil
	}
	return Used{u, state, lacking(c, &u)}, err
}

// List lists what a connection does with groups, by group, from a cursor on, up to
// limit; next is "" at the end.
func (s *Service) List(ctx context.Context, id directory.ConnectionID, after string, limit int) (list []directory.GroupUse, next string, err error) {
	c, err := s.connections.Connection(ctx, id)
	if err != nil {
		return nil, "", err
	}
	list, more, err := s.uses.ListUses(ctx, &c, directory.GroupID(after), limit)
	return list, string(more), err
}

// Members lists the members of a used group with what has come of the use for each,
// from a cursor on, up to limit; next is "" at the end.
func (s *Service) Members(ctx context.Context, id directory.ConnectionID, g directory.GroupID, cursor string, limit int) (list []store.UseMember, next string, err error) {
	c, err := s.connections.Connection(ctx, id)
	if err != nil {
		return nil, "", err
	}
	u, err := s.used(ctx, &c, g)
	if err != nil {
		return nil, "", err
	}
	var after directory.MemberRef
	if kind, id, parted := strings.Cut(cursor, "/"); parted {
		after = directory.MemberRef{Type: directory.MemberType(kind), ID: id}
	}
	list, more, err := s.uses.UseMembers(ctx, &u.GroupUse, after, limit)
	if more != (directory.MemberRef{}) {
		next = more.String()
	}
	return list, next, err
}

// Put says what a connection does with a group from now on. version is that of the use
// that the caller has read; 0: of whatever there is. What follows from it is made by the
// connection's next slice. Errors: directory.ErrNotFound, ErrStale, and refusals by
// ErrInvalid, ErrForbidden and ErrConflict; then nothing was changed.
func (s *Service) Put(ctx context.Context, by directory.Caller, id directory.ConnectionID, g directory.GroupID, rules directory.UseRules, version int64) (Used, error) {
	if err := rules.Validate(); err != nil {
		return Used{}, err
	}
	return s.edit(ctx, by, id, g, version, directory.AuditUseGroup, func(ctx context.Context, c *directory.Connection, u *directory.GroupUse) (string, error) {
		adopted, err := s.may(ctx, by, c, u, rules)
		if err != nil {
			return "", err
		}
		u.Set(rules)
		return describe(u, adopted), nil
	})
}

// tooManyNested is what is wrong with a use of a group with more groups in it than it goes
// through.
var tooManyNested = fmt.Sprintf("More than %d groups are in the group, at any depth, which is more than a connection goes through.", store.MaxNested)

// Try says whether Put would take the rules, and changes nothing. Errors as those of Put.
func (s *Service) Try(ctx context.Context, by directory.Caller, id directory.ConnectionID, g directory.GroupID, rules directory.UseRules, version int64) error {
	if err := rules.Validate(); err != nil {
		return err
	}
	c, _, u, err := s.read(ctx, id, g, version)
	if err != nil {
		return err
	}
	_, err = s.may(ctx, by, &c, &u, rules)
	return err
}

// may refuses rules that a use, as it is, cannot have, or that are not the caller's to ask
// for. adopted is what people call the tenant group that is to be taken over, "" when that
// is not known.
func (s *Service) may(ctx context.Context, by directory.Caller, c *directory.Connection, u *directory.GroupUse, rules directory.UseRules) (adopted string, err error) {
	old := u.UseRules
	if u.Ending {
		old = directory.UseRules{}
	}
	if err := mayUse(c, old, rules, by); err != nil {
		return "", err
	}
	if err := s.keepsExport(ctx, c, u, rules); err != nil {
		return "", err
	}
	if _, _, err := s.groups.Nested(ctx, u.GroupID, nil); errors.Is(err, store.ErrNested) {
		return "", directory.Refuse(directory.ErrConflict, directory.CodeGroupNesting, tooManyNested+" Nothing was changed.", "Take groups out of it, or use those in it by themselves.")
	} else if err != nil {
		return "", err
	}
	if old.Export != nil && rules.Export != nil && old.Export.Adopt == rules.Export.Adopt {
		return s.exportedAs(ctx, c, u.GroupID, old.Export.Adopt) // what is being exported already is looked at by each run
	}
	return s.mayAdopt(ctx, c, u.GroupID, rules.Export)
}

// exportedAs is what people call the tenant group that an export has taken over, "" when
// that is not known.
func (s *Service) exportedAs(ctx context.Context, c *directory.Connection, g directory.GroupID, adopted directory.AccountID) (string, error) {
	if adopted == "" {
		return "", nil
	}
	ref := directory.GroupRef(g)
	found, err := s.bindings.BindingsOf(ctx, c.ID, []directory.Ref{ref})
	return found[ref].UserPrincipalName, err
}

// End has a connection do nothing with a group any more: what it gave is taken back, or
// kept, as the use says.
func (s *Service) End(ctx context.Context, by directory.Caller, id directory.ConnectionID, g directory.GroupID, version int64) (Used, error) {
	return s.edit(ctx, by, id, g, version, directory.AuditEndGroupUse, func(_ context.Context, c *directory.Connection, u *directory.GroupUse) (string, error) {
		if u.Version == 0 || u.Ending {
			return "", directory.Refuse(directory.ErrNotFound, directory.CodeGroupNotUsed,
				fmt.Sprintf("The connection \"%s\" does nothing with the group %q.", c.Name, g), "")
		}
		u.Ending = true
		return describe(u, ""), nil
	})
}

// useChange changes a use, and says in a line what it is then.
type useChange = func(context.Context, *directory.Connection, *directory.GroupUse) (detail string, err error)

func (s *Service) edit(ctx context.Context, by directory.Caller, id directory.ConnectionID, g directory.GroupID, version int64, kind directory.AuditKind, change useChange) (Used, error) {
	for range maxTries {
		u, c, err := s.editOnce(ctx, by, id, g, version, kind, change)
		if errors.Is(err, directory.ErrStale) && !isRefusal(err) {
			continue
		}
		if err != nil {
			return Used{}, err
		}
		if _, err := s.told.TellUsers(ctx, directory.GroupMember(g)); err != nil { // of what contains the group
			s.log.Warn("those who use groups above were not told; the schedule makes up for it", "groupId", g, "error", err)
		}
		if err := s.wake(ctx, id); err != nil {
			s.log.Warn("wake-up not sent; the schedule makes up for it", "connectionId", id, "error", err)
		}
		return Used{GroupUse: u, Lacking: lacking(&c, &u)}, nil
	}
	return Used{}, fmt.Errorf("use of a group: %w", directory.ErrBusy)
}

func isRefusal(err error) bool {
	_, is := errors.AsType[*directory.Refusal](err)
	return is
}

func (s *Service) editOnce(ctx context.Context, by directory.Caller, id directory.ConnectionID, g directory.GroupID, version int64, kind directory.AuditKind, change useChange) (directory.GroupUse, directory.Connection, error) {
	c, group, u, err := s.read(ctx, id, g, version)
	if err != nil {
		return u, c, err
	}
	detail, err := change(ctx, &c, &u)
	if err != nil {
		return u, c, err
	}
	if c, err = s.noteUse(ctx, &c, u.Scopes()...); err != nil {
		return u, c, err
	}
	u.EditedBy(by.Subject, s.now())
	u.Updated = s.now().UTC()
	act := by.AuditEvent(kind)
	act.Detail = detail
	if err := s.uses.PutUse(ctx, act, &c, &group, &u); err != nil {
		return u, c, err
	}
	return u, c, s.keepScopes(ctx, id, u.Scopes())
}

// read reads what an edit of a use begins with: the connection, the group, and the use as
// it is, of version 0 when there is none.
func (s *Service) read(ctx context.Context, id directory.ConnectionID, g directory.GroupID, version int64) (c directory.Connection, group directory.Group, u directory.GroupUse, err error) {
	c, err = assign.Working(ctx, s.connections, id)
	if err != nil {
		return c, group, u, err
	}
	group, err = s.groups.Group(ctx, g)
	if errors.Is(err, directory.ErrNotFound) {
		return c, group, u, directory.Refuse(directory.ErrNotFound, directory.CodeGroupNotFound, fmt.Sprintf("There is no group %q.", g), "")
	}
	if err != nil {
		return c, group, u, err
	}
	u, err = s.uses.Use(ctx, &c, g)
	if errors.Is(err, directory.ErrNotFound) {
		u, err = directory.GroupUse{ConnectionID: id, GroupID: g, Created: s.now().UTC()}, nil
	}
	if err != nil {
		return c, group, u, err
	}
	if version != 0 && version != u.Version {
		return c, group, u, directory.Refuse(directory.ErrStale, directory.CodeVersionMismatch, "What the connection does with the group has changed since it was read.",
			"Read it again and send its ETag.")
	}
	if group.Deleted != nil && u.Version == 0 {
		return c, group, u, directory.Refuse(directory.ErrConflict, directory.CodeGroupDeleted, "The group is deleted.", "Restore it first.")
	}
	return c, group, u, nil
}

// mayUse refuses, key by key, what would loosen safety when the caller may not decide
// about it.
func mayUse(c *directory.Connection, old, next directory.UseRules, by directory.Caller) error {
	keys := directory.SafetyOfUse(old, next).Loosened
	if len(keys) == 0 || by.Approve {
		return nil
	}
	r := directory.Refuse(directory.ErrForbidden, directory.CodeNeedsApprove,
		"This gives Bindery more say over what others have made ("+strings.Join(keys, ", ")+"), which needs the scope bindery/approve; nothing was changed.",
		"Use a token with that scope, besides bindery/admin, or leave these members out.")
	for _, key := range keys {
		r.Fields = append(r.Fields, directory.FieldError{Field: key, Detail: "needs a decision"})
	}
	return r
}

// noteUse notes on a connection that it does something with groups or licences, and which
// permissions that needs: they are asked for when it is authorised again.
func (s *Service) noteUse(ctx context.Context, c *directory.Connection, scopes ...string) (directory.Connection, error) {
	if known := *c; !wants(&known, scopes) {
		return *c, nil
	}
	return s.connections.ModifyConnection(ctx, directory.AuditEvent{}, c.ID, func(c *directory.Connection) error {
		wants(c, scopes)
		return nil
	})
}

// keepScopes notes the permissions of rules that were stored once more: they may have been
// forgotten just before (ForgetScopes).
func (s *Service) keepScopes(ctx context.Context, id directory.ConnectionID, scopes []string) error {
	if len(scopes) == 0 {
		return nil
	}
	c, err := s.connections.Connection(ctx, id)
	if err == nil {
		_, err = s.noteUse(ctx, &c, scopes...)
	}
	return err
}

// wants is noteUse for a copy, and reports whether any of it is news.
func wants(c *directory.Connection, scopes []string) bool {
	news := !c.UsesGroups
	c.UsesGroups = true
	for _, scope := range scopes {
		news = c.Want(scope) || news
	}
	return news
}

// lacking are the permissions that a use needs and the connection was not granted.
func lacking(c *directory.Connection, u *directory.GroupUse) []directory.Permission {
	return lackingOf(c, u.Scopes()...)
}

func lackingOf(c *directory.Connection, scopes ...string) []directory.Permission {
	return slices.DeleteFunc(c.Lacking(), func(p directory.Permission) bool { return !slices.Contains(scopes, p.Scope) })
}

// keepsExport refuses an edit that would make another group of the tenant of an export:
// that is the end of one use and the begin of another. An export that was taken out of the
// rules, or whose use has ended, is one until its record has gone.
func (s *Service) keepsExport(ctx context.Context, c *directory.Connection, u *directory.GroupUse, next directory.UseRules) error {
	if next.Export == nil {
		return nil
	}
	was := u.Export
	if was == nil {
		ref := directory.GroupRef(u.GroupID)
		found, err := s.bindings.BindingsOf(ctx, c.ID, []directory.Ref{ref})
		if err != nil {
			return err
		}
		b, there := found[ref]
		if !there || b.Epoch != c.Epoch {
			return nil
		}
		if was = u.FormerExport; was == nil { // of a use that has ended
			was = &directory.ExportRule{Kind: next.Export.Kind}
			if !b.Created {
				was.Adopt = b.AccountID
			}
		}
	}
	if was.Kind == next.Export.Kind && strings.EqualFold(string(was.Adopt), string(next.Export.Adopt)) {
		return nil
	}
	return directory.Refuse(directory.ErrConflict, directory.CodeExportFixed,
		"The group is exported already, or its export has not ended yet; which kind of group it is in the tenant, and which one, cannot be changed.",
		"End the use with DELETE, wait until it is gone, and PUT it anew.")
}

// describe says in a line what a use is, for the report of what admins did. adopted is what
// people call the tenant group that it takes over, "" when that is not known.
func describe(u *directory.GroupUse, adopted string) string {
	if u.Ending {
		return "The use ends."
	}
	var parts []string
	if u.Select != nil {
		parts = append(parts, "members are bound")
	}
	if e := u.Defaulted().Export; e != nil {
		parts = append(parts, fmt.Sprintf("exported as %s, members %s", e.Kind, e.Members))
		if e.Adopt != "" {
			name := string(e.Adopt)
			if adopted != "" {
				name = fmt.Sprintf("%q (%s)", adopted, e.Adopt)
			}
			parts = append(parts, "takes over the group "+name)
		}
	}
	for _, r := range u.Licences {
		if r.Via == directory.LicenceViaGroup {
			parts = append(parts, "licence "+r.SKU+" by the group")
		} else {
			parts = append(parts, "licence "+r.SKU)
		}
	}
	return strings.Join(parts, "; ") + "."
}
