package people

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Waker asks for a slice of a connection's work. It stands in the table: a wake-up
// that is lost costs minutes, until the schedule comes by.
type Waker interface {
	Wake(ctx context.Context, id directory.ConnectionID, delay time.Duration) error
	// WakeEdited asks for it at once, after the edit of a user who is bound through the
	// connection.
	WakeEdited(ctx context.Context, id directory.ConnectionID, u directory.UserID) error
}

// UsersConfig is what Users stand on.
type UsersConfig struct {
	Stores Stores
	Wake   Waker
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means silence
}

// Users keeps the users of the directory. It may be used by many goroutines.
type Users struct {
	read    userReader
	write   userWriter
	orphans orphans
	teller  teller
	waker   Waker
	now     func() time.Time
	log     *slog.Logger
}

// NewUsers returns Users.
func NewUsers(cfg UsersConfig) *Users {
	return &Users{read: cfg.Stores.Read, write: cfg.Stores.Write, orphans: cfg.Stores.Documents, teller: teller{cfg.Stores.Groups, cfg.Wake, orSilent(cfg.Log)}, waker: cfg.Wake, now: orNow(cfg.Now), log: orSilent(cfg.Log)}
}

// wake asks for a slice of a connection; "" is none.
func (s *Users) wake(ctx context.Context, id directory.ConnectionID) {
	if id == "" {
		return
	}
	s.notSent(id, s.waker.Wake(ctx, id, 0))
}

// wakeEdited asks for a slice of a connection for an edited user; "" is none.
func (s *Users) wakeEdited(ctx context.Context, id directory.ConnectionID, u directory.UserID) {
	if id == "" {
		return
	}
	s.notSent(id, s.waker.WakeEdited(ctx, id, u))
}

func (s *Users) notSent(id directory.ConnectionID, err error) {
	if err != nil {
		s.log.Warn("wake-up not sent; the schedule makes up for it", "connectionId", id, "error", err)
	}
}

// orSilent is a logger that is never nil.
func orSilent(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

func orNow(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

// maxTries bounds how often an edit is made again because others were faster.
const maxTries = 20

// Edited is a user as an edit left it.
type Edited struct {
	directory.User
	// Warnings are what a person should know about the values that were taken.
	Warnings []directory.Warning `json:"warnings,omitempty" doc:"What of the values was changed, or will be on its way to Microsoft"`
}

// Create makes a user of a JSON object with profile members. Without userName
// it gets the e-mail address as that, without state it is active.
func (s *Users) Create(ctx context.Context, by directory.Caller, body []byte) (Edited, error) {
	e, warnings, err := userShape.parseEdit(body)
	if err != nil {
		return Edited{}, err
	}
	u, err := s.compose(e, by.WritesAs())
	if err != nil {
		return Edited{User: u}, err
	}
	if err := s.checkManager(ctx, &u); err != nil {
		return Edited{}, err
	}
	u.EditedBy(by.Subject, s.now())
	if err := s.write.CreateUsers(ctx, by.AuditEvent(directory.AuditCreateUser), &u); err != nil {
		return Edited{}, s.Taken(ctx, err)
	}
	return Edited{u, warnings}, nil
}

// compose makes a new user of an edit, without storing it.
func (s *Users) compose(e edit, src directory.Source) (directory.User, error) {
	now := s.now().UTC()
	u := directory.User{ID: directory.NewUserID(now), Source: src, Created: now, Updated: now}
	u.State = directory.StateActive
	if _, err := e.apply(&u, src); err != nil {
		return directory.User{}, err
	}
	return u, nil
}

// Get returns a user, also a deleted one as long as it can be restored.
func (s *Users) Get(ctx context.Context, id directory.UserID) (directory.User, error) {
	u, err := s.read.User(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return u, noUser(id)
	}
	return u, err
}

// Patch applies a JSON merge patch to a user's profile. version, when not 0,
// is the version that the caller saw.
func (s *Users) Patch(ctx context.Context, by directory.Caller, id directory.UserID, body []byte, version int64) (Edited, error) {
	e, warnings, err := userShape.parseEdit(body)
	if err != nil {
		return Edited{}, err
	}
	u, err := s.edit(ctx, by, id, version, directory.AuditEditUser, func(u *directory.User) (bool, error) {
		if u.Deleted != nil {
			return false, deleted(u)
		}
		manager := u.ManagerID
		changed, err := e.apply(u, by.WritesAs())
		if err == nil && u.ManagerID != manager {
			err = s.checkManager(ctx, u)
		}
		return changed, err
	})
	return Edited{u, warnings}, err
}

// SetState suspends or activates a user. That somebody who has the state by another source
// is to have it is on record as well: the take-back of that source's edits leaves it then.
func (s *Users) SetState(ctx context.Context, by directory.Caller, id directory.UserID, state directory.UserState, version int64) (directory.User, error) {
	if fault := checkState(string(state)); fault != "" {
		return directory.User{}, userShape.invalid([]directory.FieldError{{Field: "state", Detail: fault}})
	}
	kind := directory.AuditActivateUser
	if state == directory.StateSuspended {
		kind = directory.AuditSuspendUser
	}
	return s.edit(ctx, by, id, version, kind, func(u *directory.User) (bool, error) {
		if u.Deleted != nil {
			return false, deleted(u)
		}
		src := by.WritesAs()
		changed, err := edit{"state": string(state)}.apply(u, src)
		owner, owned := u.Owners["state"]
		return changed || owned && owner != src, err
	})
}

// Delete makes a user a tombstone: its address is free at once, its account
// is blocked by the next sync, and it can be restored for 30 days from then.
// Deleting a deleted user is no error.
func (s *Users) Delete(ctx context.Context, by directory.Caller, id directory.UserID, version int64) error {
	_, err := s.edit(ctx, by, id, version, directory.AuditDeleteUser, func(u *directory.User) (bool, error) {
		if u.Deleted != nil {
			return false, nil
		}
		if err := mayDecide(u, by.WritesAs()); err != nil {
			return false, err
		}
		now := s.now().UTC()
		u.Deleted = &now
		return true, nil
	})
	return err
}

// Restore brings a deleted user back as it was. It is refused when somebody
// else has its address or user name meanwhile.
func (s *Users) Restore(ctx context.Context, by directory.Caller, id directory.UserID, version int64) (directory.User, error) {
	return s.edit(ctx, by, id, version, directory.AuditRestoreUser, func(u *directory.User) (bool, error) {
		if u.Deleted == nil {
			return false, nil
		}
		if err := mayDecide(u, by.WritesAs()); err != nil {
			return false, err
		}
		u.Deleted = nil
		return true, nil
	})
}

// edit reads a user, lets change edit it, and stores it when that says so;
// again when somebody else was faster, unless the caller named a version.
func (s *Users) edit(ctx context.Context, by directory.Caller, id directory.UserID, version int64, kind directory.AuditKind, change func(*directory.User) (bool, error)) (directory.User, error) {
	for try := 0; ; try++ {
		read, err := s.write.UserToEdit(ctx, id)
		if errors.Is(err, directory.ErrNotFound) {
			return directory.User{}, noUser(id)
		}
		if err != nil {
			return directory.User{}, err
		}
		old := *read.User
		if version != 0 && version != old.Version {
			return old, directory.Refuse(directory.ErrStale, directory.CodeVersionMismatch,
				fmt.Sprintf("The user has version %d, not %d.", old.Version, version), "Read the user again and repeat the edit.")
		}
		u := old
		changed, err := change(&u)
		if err != nil {
			u = old
			changed, err = s.retry(ctx, &u, err, change)
		}
		if err != nil || !changed {
			return old, err
		}
		u.EditedBy(by.Subject, s.now())
		conn, err := s.write.UpdateRead(ctx, by.AuditEvent(kind), &read, &u)
		if errors.Is(err, directory.ErrStale) && try < maxTries {
			continue
		}
		if err != nil {
			return old, s.Taken(ctx, err)
		}
		s.wakeEdited(ctx, conn, u.ID)
		if store.MembershipCounts(&old, &u) {
			s.teller.tell(ctx, directory.UserMember(u.ID))
		}
		return u, nil
	}
}

// mayDecide refuses a caller to decide about a user whose state is another source's.
func mayDecide(u *directory.User, src directory.Source) error {
	if owner, owned := u.Owners["state"]; owned && owner != src {
		return ownedElsewhere([]directory.FieldError{{Field: "state", Detail: fmt.Sprintf("is owned by the source %q", owner)}})
	}
	return nil
}

// checkManager refuses a manager who is not there, or is the user itself.
func (s *Users) checkManager(ctx context.Context, u *directory.User) error {
	if u.ManagerID == "" {
		return nil
	}
	fault := "names no living user"
	if u.ManagerID == u.ID {
		fault = "names the user itself"
	} else {
		m, err := s.read.User(ctx, u.ManagerID)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		if err == nil && m.Deleted == nil {
			return nil
		}
	}
	return userShape.invalid([]directory.FieldError{{Field: "managerId", Detail: fault}})
}

// Manager is what a user's manager is called. gone: the user names one who is deleted, or no
// longer there. Without a manager it is neither.
func (s *Users) Manager(ctx context.Context, u *directory.User) (name string, gone bool, err error) {
	if u.ManagerID == "" {
		return "", false, nil
	}
	m, err := s.read.User(ctx, u.ManagerID)
	if errors.Is(err, directory.ErrNotFound) {
		return "", true, nil
	}
	if err != nil || m.Deleted != nil {
		return "", err == nil, err
	}
	return m.Label(), false, nil
}

// ChangeAddress edits a user's e-mail address, as far as the caller may. Nothing is
// stored.
func (s *Users) ChangeAddress(u *directory.User, email string, by directory.Caller) error {
	c := userShape.clean("email", email)
	if c.fault != "" {
		return userShape.invalid([]directory.FieldError{{Field: "email", Detail: c.fault}})
	}
	_, err := edit{"email": c.text}.apply(u, by.WritesAs())
	return err
}

// Taken turns the store's answer about an address in use, or a manager who would be
// above themselves, into one for people; any other error is returned as it is.
func (s *Users) Taken(ctx context.Context, err error) error {
	if cycle, ok := errors.AsType[*store.ManagerCycle](err); ok {
		return managerCycle(cycle.Users)
	}
	t, ok := errors.AsType[*store.AddressTaken](err)
	if !ok {
		return err
	}
	holder := string(t.Owner)
	if u, err := s.read.User(ctx, t.Owner); err == nil {
		if name := u.DisplayName; name != "" {
			holder += " (" + name + ")"
		}
	}
	code, what := directory.CodeEmailTaken, "e-mail address"
	if t.Field == "userName" {
		code, what = directory.CodeUserNameTaken, "user name"
	}
	return directory.Refuse(directory.ErrConflict, code, fmt.Sprintf("The %s %q belongs to the user %s.", what, t.Value, holder),
		"Choose another one, or change that user first.")
}

// managerCycle says whose manager would be whose.
func managerCycle(way []directory.User) error {
	names := make([]string, 0, len(way)+1)
	for i := range way {
		names = append(names, cmp.Or(way[i].DisplayName, way[i].Email))
	}
	names = append(names, names[0])
	detail := fmt.Sprintf("would be in a circle: %s", strings.Join(names, " reports to "))
	r := directory.Refuse(directory.ErrConflict, directory.CodeManagerCycle, fmt.Sprintf("The user %s would be among their own managers.", way[0].ID),
		"Choose another manager, or change one of those on the way first.")
	r.Fields = []directory.FieldError{{Field: "managerId", Detail: detail}}
	return r
}

func noUser(id directory.UserID) error {
	return directory.Refuse(directory.ErrNotFound, directory.CodeUserNotFound, fmt.Sprintf("There is no user %q.", id), "")
}

func deleted(u *directory.User) error {
	return directory.Refuse(directory.ErrConflict, directory.CodeUserDeleted, fmt.Sprintf("The user %s is deleted.", u.ID), "Restore the user first.")
}
