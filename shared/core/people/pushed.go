package people

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Pushes keeps the users and groups that identity providers push, beside what these sent
// of them. It may be used by many goroutines.
//
// Whoever a client finds, it may edit: that adopts users of other sources. What it creates
// is found again by its externalId, which is the client's own: a user who was suspended,
// or deleted and can still be restored, comes back by it, since their account still holds
// the address. A user who is made anew under the address of a tombstone is somebody else.
//
// What another source owns stays as it is, and so does what was no value at all of an
// attribute that a user can do without: both are told, and refuse nothing, since a client
// would send it again for weeks. Only the state is refused, with everything else of the
// request: a leaver who silently stays is worse than an error.
type Pushes struct {
	users     *Users
	groups    *Groups
	documents documentStore
	find      userFinder
	write     pushedWriter
	writeTo   pushedGroupWriter
}

// documentStore reads and writes what clients have pushed.
type documentStore interface {
	Document(ctx context.Context, c directory.ScimClientID, of directory.MemberRef) (store.Document, error)
	UsersPushed(ctx context.Context, c directory.ScimClientID, ids []directory.UserID) (map[directory.UserID]directory.User, map[directory.UserID]store.Document, error)
	DocumentsAmong(ctx context.Context, c directory.ScimClientID, of []directory.MemberRef) (map[directory.MemberRef]store.Document, error)
	ByExternalID(ctx context.Context, c directory.ScimClientID, t directory.MemberType, id string) (directory.MemberRef, bool, error)
	ByAddress(ctx context.Context, c directory.ScimClientID, address string, most int) (users []directory.UserID, more bool, err error)
	Pushed(ctx context.Context, c directory.ScimClientID, t directory.MemberType, cursor string, limit int) ([]store.Document, string, error)
	CountPushed(ctx context.Context, c directory.ScimClientID, t directory.MemberType) (int, error)
	SaveDocument(ctx context.Context, version int64, e *store.DocumentEdit) error
	orphans
	NoteMaking(ctx context.Context, doc *store.Document, unfinished string, working time.Time) error
}

// pushedWriter writes users with what was pushed of them.
type pushedWriter interface {
	CreatePushed(ctx context.Context, act directory.AuditEvent, u *directory.User, e *store.DocumentEdit) error
	UpdatePushed(ctx context.Context, act directory.AuditEvent, old *store.Subject, u *directory.User, e *store.DocumentEdit) (directory.ConnectionID, error)
}

// NewPushes returns Pushes.
func NewPushes(cfg UsersConfig) *Pushes {
	return &Pushes{users: NewUsers(cfg), groups: NewGroups(cfg), documents: cfg.Stores.Documents, find: cfg.Stores.Find, write: cfg.Stores.Pushed, writeTo: cfg.Stores.PushedGroups}
}

// PushedUser is a user as a client comes upon it.
type PushedUser struct {
	User     directory.User
	Document store.Document // of version 0 when the client has not pushed the user
}

// UserPush is what a client wants of a user.
type UserPush struct {
	Edit       map[string]string // texts by path, "" to clear
	ExternalID string
	Body       []byte // the document; nil leaves it
	// Addresses are the e-mail addresses in it beside the user's own, at most
	// store.MostAddresses.
	Addresses []string
}

// PushResult is what became of it.
type PushResult struct {
	PushedUser
	Changed []string // paths
	Notes   []string // what was not taken, and why
}

// CleanText is the form in which a user's text is kept.
func CleanText(path, text string) string { return userShape.clean(path, text).text }

// Create makes a user, or brings the one back whom the client has pushed under the same
// externalId and who is not active. back says what becomes of that one.
func (s *Pushes) Create(ctx context.Context, by directory.Caller, c *directory.ScimClient, fresh UserPush, back func(now *PushedUser) (UserPush, error)) (PushResult, error) {
	of, known, err := s.documents.ByExternalID(ctx, c.ID, directory.MemberUser, fresh.ExternalID)
	if err != nil {
		return PushResult{}, err
	}
	if !known {
		return s.create(ctx, by, c, fresh, directory.MemberRef{})
	}
	r, err := s.edit(ctx, by, c, of.User(), func(now *PushedUser) (UserPush, error) {
		if now.User.Enabled() {
			return UserPush{}, externalIDTaken()
		}
		if err := mayDecide(&now.User, by.WritesAs()); err != nil {
			return UserPush{}, stateElsewhere(err)
		}
		p, err := back(now)
		now.User.Deleted = nil
		return p, err
	})
	if errors.Is(err, directory.ErrNotFound) { // a tombstone whose days are over
		return s.create(ctx, by, c, fresh, of)
	}
	return r, err
}

func (s *Pushes) create(ctx context.Context, by directory.Caller, c *directory.ScimClient, p UserPush, freed directory.MemberRef) (PushResult, error) {
	var u directory.User
	want := maps.Clone(p.Edit)
	want["externalId"] = p.ExternalID
	taken, err := s.take(ctx, c, &u, want, by.WritesAs())
	if err != nil {
		return PushResult{}, err
	}
	if u, err = s.users.compose(taken.edit, by.WritesAs()); err != nil {
		return PushResult{}, err
	}
	u.EditedBy(by.Subject, s.users.now())
	e := &store.DocumentEdit{Old: &store.Document{}, New: newDocument(c, directory.UserMember(u.ID), p.ExternalID, p.Body, taken.kept), Freed: freed}
	e.New.Addresses = p.Addresses
	if err := s.write.CreatePushed(ctx, by.AuditEvent(directory.AuditCreateUser), &u, e); err != nil {
		return PushResult{}, pushTaken(err)
	}
	return PushResult{PushedUser{u, *e.New}, paths(&u.Profile), taken.notes}, nil
}

func newDocument(c *directory.ScimClient, of directory.MemberRef, externalID string, body []byte, kept []string) *store.Document {
	return &store.Document{Client: c.ID, Of: of, ExternalID: externalID, Body: body, Kept: kept}
}

// Edit lets change say what a client wants of a living user whom it sees. change is asked
// again when somebody else was faster.
func (s *Pushes) Edit(ctx context.Context, by directory.Caller, c *directory.ScimClient, id directory.UserID, change func(now *PushedUser) (UserPush, error)) (PushResult, error) {
	return s.edit(ctx, by, c, id, func(now *PushedUser) (UserPush, error) {
		if !sees(c, now.User.Deleted != nil, &now.Document) {
			return UserPush{}, noUser(id)
		}
		return change(now)
	})
}

// sees reports whether a client comes upon somebody at all.
func sees(c *directory.ScimClient, deleted bool, d *store.Document) bool {
	return !deleted && (!c.OwnOnly || d.Version > 0)
}

// edit is Edit of any user, a tombstone too: what change does to the user itself, who is
// a copy then, counts as well.
func (s *Pushes) edit(ctx context.Context, by directory.Caller, c *directory.ScimClient, id directory.UserID, change func(now *PushedUser) (UserPush, error)) (PushResult, error) {
	without := false // the manager, who would be above themselves
	for try := 0; ; try++ {
		read, err := s.users.write.UserToEdit(ctx, id)
		if errors.Is(err, directory.ErrNotFound) {
			return PushResult{}, noUser(id)
		}
		if err != nil {
			return PushResult{}, err
		}
		doc, err := s.documents.Document(ctx, c.ID, directory.UserMember(id))
		if err != nil {
			return PushResult{}, err
		}
		now := PushedUser{*read.User, doc}
		p, err := change(&now)
		if err != nil {
			return PushResult{}, err
		}
		r, err := s.push(ctx, by, c, &read, &now, p, without)
		_, circle := errors.AsType[*store.ManagerCycle](err)
		switch {
		case circle && !without:
			without = true
		case !errors.Is(err, directory.ErrStale) || try == maxTries:
			return r, pushTaken(err)
		}
	}
}

// push stores what a client wants of a user who was read. now is the user as it is to be
// but for that.
func (s *Pushes) push(ctx context.Context, by directory.Caller, c *directory.ScimClient, read *store.Subject, now *PushedUser, p UserPush, without bool) (PushResult, error) {
	u, want := now.User, maps.Clone(p.Edit)
	if p.ExternalID != now.Document.ExternalID && (u.ExternalID == "" || u.ExternalID == now.Document.ExternalID) {
		want["externalId"] = p.ExternalID
	}
	taken, err := s.take(ctx, c, &u, want, by.WritesAs())
	if err != nil {
		return PushResult{}, err
	}
	if without && taken.edit["managerId"] != "" {
		delete(taken.edit, "managerId")
		taken.leave("managerId", "managerId: not taken, since the user would be among their own managers")
	}
	if _, err := taken.edit.apply(&u, by.WritesAs()); err != nil {
		return PushResult{}, err
	}
	if _, said := want["userName"]; !said {
		u.UserName = now.User.UserName // which is the client's to say: it does not follow the address
	}
	for _, path := range now.Document.Kept {
		if _, said := want[path]; !said && !slices.Contains(taken.kept, path) {
			taken.kept = append(taken.kept, path)
		}
	}
	slices.Sort(taken.kept)
	if _, owned := read.User.Owners["state"]; !owned && read.User.State == directory.StateSuspended && u.State == directory.StateActive {
		taken.notes = append(taken.notes, "state: the user is active again, whom no source had suspended: it was done by hand, or by an import")
	}
	changed := changedPaths(&read.User.Profile, &u.Profile)
	e := &store.DocumentEdit{Old: &now.Document, New: newDocument(c, directory.UserMember(u.ID), p.ExternalID, p.Body, taken.kept)}
	e.New.Addresses = p.Addresses
	if p.Body == nil || sameDocument(e) {
		e = nil
	}
	out := PushResult{PushedUser{u, now.Document}, changed, taken.notes}
	if len(changed) == 0 && maps.Equal(read.User.Owners, u.Owners) && read.User.Deleted == u.Deleted {
		if e == nil {
			return out, nil
		}
		if err := s.documents.SaveDocument(ctx, u.Version, e); err != nil {
			return PushResult{}, err
		}
		out.Document = *e.New
		return out, nil
	}
	old := *read.User
	u.EditedBy(by.Subject, s.users.now())
	conn, err := s.write.UpdatePushed(ctx, by.AuditEvent(pushKind(&old, &u)), read, &u, e)
	if err != nil {
		return PushResult{}, err
	}
	s.users.wakeEdited(ctx, conn, u.ID)
	if store.MembershipCounts(&old, &u) {
		s.users.teller.tell(ctx, directory.UserMember(u.ID))
	}
	if out.User = u; e != nil {
		out.Document = *e.New
	}
	return out, nil
}

func sameDocument(e *store.DocumentEdit) bool {
	return e.Old.Version > 0 && e.Old.ExternalID == e.New.ExternalID && string(e.Old.Body) == string(e.New.Body) && slices.Equal(e.Old.Kept, e.New.Kept) && e.Old.Unfinished == e.New.Unfinished
}

// pushKind is what an edit was, for people.
func pushKind(old, u *directory.User) directory.AuditKind {
	switch {
	case old.Deleted != nil && u.Deleted == nil:
		return directory.AuditRestoreUser
	case old.State != u.State && u.State == directory.StateActive:
		return directory.AuditActivateUser
	case old.State != u.State && u.State == directory.StateSuspended:
		return directory.AuditSuspendUser
	}
	return directory.AuditEditUser
}

func changedPaths(old, next *directory.Profile) []string {
	all := append(paths(old), paths(next)...)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(path string) bool { return value(old, path) == value(next, path) })
}

// taking is what of a client's texts is taken.
type taking struct {
	edit  edit
	kept  []string // those that are no values, and do without
	notes []string
}

func (t *taking) leave(path, note string) {
	t.kept, t.notes = append(t.kept, path), append(t.notes, note)
}

// take brings a client's texts to an edit of a user.
func (s *Pushes) take(ctx context.Context, client *directory.ScimClient, u *directory.User, want map[string]string, src directory.Source) (taking, error) {
	t := taking{edit: edit{}}
	var faults []directory.FieldError
	for _, path := range slices.Sorted(maps.Keys(want)) {
		c := userShape.clean(path, want[path])
		owner, owned := u.Owners[path]
		switch {
		case c.fault != "":
			if w, spared := userShape.spared(path, c.fault); spared {
				t.leave(path, path+": "+w.Detail)
				continue
			}
			faults = append(faults, directory.FieldError{Field: path, Detail: c.fault})
			continue
		case owned && owner != src && value(&u.Profile, path) != c.text:
			if path == "state" {
				return t, stateElsewhere(mayDecide(u, src))
			}
			t.notes = append(t.notes, fmt.Sprintf("%s: not taken, owned by %s", path, owner))
			continue
		case path != "state" && c.text != "" && value(&u.Profile, path) == c.text:
			continue // it is no change, and makes nobody its owner; a state is decided even so
		case path == "managerId" && c.text != "":
			there, err := s.living(ctx, client, directory.UserID(c.text))
			if err != nil {
				return t, err
			}
			if !there || directory.UserID(c.text) == u.ID {
				t.leave(path, fmt.Sprintf("managerId: %q is no other user here; it is kept, and looked at again with the next edit", c.text))
				c.text = ""
			}
		}
		t.edit[path] = c.text
		for _, w := range c.warnings {
			t.notes = append(t.notes, path+": "+w.Detail)
		}
	}
	return t, userShape.invalid(faults)
}

// living reports whether there is a user whom a client may name.
func (s *Pushes) living(ctx context.Context, c *directory.ScimClient, id directory.UserID) (bool, error) {
	if !id.Valid() {
		return false, nil
	}
	if c.OwnOnly {
		found, err := s.byID(ctx, c, []directory.UserID{id})
		return len(found) > 0, err
	}
	u, err := s.users.read.User(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil
	}
	return err == nil && u.Deleted == nil, err
}

// Delete makes a living user whom a client sees a tombstone, once check lets it.
func (s *Pushes) Delete(ctx context.Context, by directory.Caller, c *directory.ScimClient, id directory.UserID, check func(*PushedUser) error) error {
	for try := 0; ; try++ {
		now, err := s.Get(ctx, c, id)
		if err != nil {
			return err
		}
		if err := check(&now); err != nil {
			return err
		}
		err = s.users.Delete(ctx, by, id, now.User.Version)
		if errors.Is(err, directory.ErrStale) && try < maxTries {
			continue // edited in between: it is looked at again
		}
		if r, is := errors.AsType[*directory.Refusal](err); is && r.Code == directory.CodeOwnedElsewhere {
			return stateElsewhere(err)
		}
		return err
	}
}

// Get reads a living user whom a client sees.
func (s *Pushes) Get(ctx context.Context, c *directory.ScimClient, id directory.UserID) (PushedUser, error) {
	found, err := s.byID(ctx, c, []directory.UserID{id})
	if err != nil {
		return PushedUser{}, err
	}
	if len(found) == 0 {
		return PushedUser{}, noUser(id)
	}
	return found[0], nil
}

// byID reads those of some users whom a client sees, in the order of ids.
func (s *Pushes) byID(ctx context.Context, c *directory.ScimClient, ids []directory.UserID) ([]PushedUser, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id directory.UserID) bool { return !id.Valid() })
	users, docs, err := s.documents.UsersPushed(ctx, c.ID, ids)
	if err != nil {
		return nil, err
	}
	var list []PushedUser
	for _, u := range inOrder(ids, users) {
		if d := docs[u.ID]; sees(c, u.Deleted != nil, &d) {
			list = append(list, PushedUser{u, d})
		}
	}
	return list, nil
}

func (s *Pushes) withDocuments(ctx context.Context, c *directory.ScimClient, users []directory.User) ([]PushedUser, error) {
	refs := make([]directory.MemberRef, len(users))
	for i := range users {
		refs[i] = directory.UserMember(users[i].ID)
	}
	docs, err := s.documents.DocumentsAmong(ctx, c.ID, refs)
	if err != nil {
		return nil, err
	}
	var list []PushedUser
	for i := range users {
		if d := docs[refs[i]]; sees(c, users[i].Deleted != nil, &d) {
			list = append(list, PushedUser{users[i], d})
		}
	}
	return list, nil
}

// UserKey is what one user at most has.
type UserKey struct {
	ID                          directory.UserID
	ExternalID, UserName, Email string // one of them
}

// Find finds the user of a key whom a client sees: one or none.
func (s *Pushes) Find(ctx context.Context, c *directory.ScimClient, k UserKey) ([]PushedUser, error) {
	id := k.ID
	owners, folded := map[string]directory.UserID(nil), ""
	var err error
	switch {
	case k.ExternalID != "":
		of, _, err := s.documents.ByExternalID(ctx, c.ID, directory.MemberUser, k.ExternalID)
		if err != nil {
			return nil, err
		}
		id = of.User()
	case k.UserName != "":
		folded = directory.FoldAddress(k.UserName)
		owners, err = s.find.UserIDsByName(ctx, []string{k.UserName})
	case k.Email != "":
		folded = directory.FoldAddress(k.Email)
		owners, err = s.find.UserIDsByEmail(ctx, []string{k.Email})
	}
	if err != nil {
		return nil, err
	}
	if id = cmp.Or(owners[folded], id); id == "" {
		return nil, nil
	}
	return s.byID(ctx, c, []directory.UserID{id})
}

// FindByAddress finds the users whom a client has pushed with an e-mail address beside
// their own, unless there are more than most.
func (s *Pushes) FindByAddress(ctx context.Context, c *directory.ScimClient, address string, most int) (found []PushedUser, more bool, err error) {
	ids, more, err := s.documents.ByAddress(ctx, c.ID, address, most)
	if err != nil || more || len(ids) == 0 {
		return nil, more, err
	}
	found, err = s.byID(ctx, c, ids)
	return found, false, err
}

// MostAddresses is how many e-mail addresses a user may be pushed with beside the own one.
const MostAddresses = store.MostAddresses

const (
	// maxLooked is how many pages one call of List looks at, and lookedAtOnce how large
	// they are once the first has not been enough.
	maxLooked    = 8
	lookedAtOnce = 200
)

// List lists the users whom a client sees and whom keep accepts, from a cursor on, in a
// stable order. A page may hold fewer than limit and still have a next.
func (s *Pushes) List(ctx context.Context, c *directory.ScimClient, cursor string, limit int, keep func(*PushedUser) (bool, error)) (list []PushedUser, next string, err error) {
	return accepted(cursor, limit, keep, func(u *PushedUser) string { return string(u.User.ID) }, func(cursor string, limit int) ([]PushedUser, string, error) {
		return s.page(ctx, c, cursor, limit)
	})
}

// accepted reads pages from a cursor on until limit users or groups are found that keep
// accepts, or maxLooked pages were looked at.
func accepted[T any](cursor string, limit int, keep func(*T) (bool, error), id func(*T) string, read func(cursor string, limit int) ([]T, string, error)) (list []T, next string, err error) {
	for n := range maxLooked {
		page, behind, err := read(cursor, pageSize(n, limit))
		if err != nil {
			return nil, "", err
		}
		for i := range page {
			ok, err := keep(&page[i])
			if err != nil {
				return nil, "", err
			}
			if !ok {
				continue
			}
			if list = append(list, page[i]); len(list) == limit && (i < len(page)-1 || behind != "") {
				return list, store.CursorBehind(id(&page[i])), nil
			}
		}
		if cursor = behind; cursor == "" || len(list) >= limit {
			break
		}
	}
	return list, cursor, nil
}

func pageSize(n, limit int) int {
	if n == 0 {
		return limit
	}
	return max(limit, lookedAtOnce)
}

// page is one page of users whom a client sees.
func (s *Pushes) page(ctx context.Context, c *directory.ScimClient, cursor string, limit int) ([]PushedUser, string, error) {
	if !c.OwnOnly {
		p, err := s.users.read.ListUsers(ctx, cursor, limit, nil)
		if err != nil {
			return nil, "", err
		}
		list, err := s.withDocuments(ctx, c, p.Users)
		return list, p.Next, err
	}
	docs, next, err := s.documents.Pushed(ctx, c.ID, directory.MemberUser, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	ids := make([]directory.UserID, len(docs))
	for i := range docs {
		ids[i] = docs[i].Of.User()
	}
	list, err := s.byID(ctx, c, ids)
	return list, next, err
}

// Count is how many users a client sees.
func (s *Pushes) Count(ctx context.Context, c *directory.ScimClient) (int, error) {
	if c.OwnOnly {
		return s.documents.CountPushed(ctx, c.ID, directory.MemberUser)
	}
	return s.users.read.CountUsers(ctx)
}

// Names are those of some users whom a client sees, as people see them: of managers and
// members. Who is deleted is not there.
func (s *Pushes) Names(ctx context.Context, c *directory.ScimClient, ids []directory.UserID) (map[directory.UserID]string, error) {
	users, err := map[directory.UserID]directory.User(nil), error(nil)
	if c.OwnOnly {
		var docs map[directory.UserID]store.Document
		users, docs, err = s.documents.UsersPushed(ctx, c.ID, ids)
		maps.DeleteFunc(users, func(id directory.UserID, u directory.User) bool {
			d := docs[id]
			return !sees(c, u.Deleted != nil, &d)
		})
	} else {
		users, err = s.users.read.UsersByID(ctx, ids)
		maps.DeleteFunc(users, func(_ directory.UserID, u directory.User) bool { return u.Deleted != nil })
	}
	names := make(map[directory.UserID]string, len(users))
	for id := range users {
		u := users[id]
		names[id] = cmp.Or(u.DisplayName, u.Email)
	}
	return names, err
}

// CursorBehind is the place in a listing behind a user, or a group.
func CursorBehind(id string) string { return store.CursorBehind(id) }

// CompareCursors is the order of two such places.
func CompareCursors(a, b string) int { return store.CompareCursors(a, b) }

// pushTaken turns the store's answer about a value in use into one for a client, which is
// never told of whom it is.
func pushTaken(err error) error {
	if _, is := errors.AsType[*store.ExternalIDTaken](err); is {
		return externalIDTaken()
	}
	if t, is := errors.AsType[*store.AddressTaken](err); is {
		code, what := directory.CodeEmailTaken, "e-mail address"
		if t.Field == "userName" {
			code, what = directory.CodeUserNameTaken, "userName"
		}
		return directory.Refuse(directory.ErrConflict, code, fmt.Sprintf("Another user has the %s.", what), "Look the user up by it and edit that one, or send another one.")
	}
	if t, is := errors.AsType[*store.GroupNameTaken](err); is {
		return directory.Refuse(directory.ErrConflict, directory.CodeGroupNameTaken, fmt.Sprintf("Another group has the name %q.", t.Name), "Look the group up by it and edit that one, or send another one.")
	}
	return err
}

func externalIDTaken() error {
	return directory.Refuse(directory.ErrConflict, directory.CodeExternalIDTaken, "The externalId is that of a user or group whom this source has pushed already.", "Look it up by the externalId and edit that one.")
}

// stateElsewhere refuses a client what another source decides about.
func stateElsewhere(err error) error {
	if _, is := errors.AsType[*directory.Refusal](err); !is {
		return err
	}
	return directory.Refuse(directory.ErrForbidden, directory.CodeOwnedElsewhere, "Whether the user is active is decided by another source.", "Suspend, activate or delete the user there.")
}
