package protect

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// The bounds of a lift.
const (
	MaxLift = 24 * time.Hour
	MinLift = time.Minute
)

// Overrides takes protections away for some hours.
type Overrides struct {
	Store LiftStore
	Now   func() time.Time // nil means time.Now
}

// LiftStore stores lifts.
type LiftStore interface {
	PutProtectionOverride(ctx context.Context, act directory.AuditEvent, c *directory.Connection, l *store.ProtectionOverride) error
	DeleteProtectionOverride(ctx context.Context, act directory.AuditEvent, c directory.ConnectionID, a directory.AccountID) error
}

// Check refuses a lift that cannot be: the protection of one account is taken
// away for a time of at most MaxLift, and that of the admin who authorised the
// connection never is.
func (l *Overrides) Check(c *directory.Connection, id directory.AccountID, d time.Duration) error {
	switch {
	case d < MinLift || d > MaxLift:
		return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidLift, fmt.Sprintf("A protection is lifted for 1 minute to %d hours, not %s.", int(MaxLift.Hours()), d), "Give minutes between 1 and 1440.")
	case c.AuthorizedBy != nil && strings.EqualFold(string(c.AuthorizedBy.ObjectID), string(id)):
		return directory.Refuse(directory.ErrConflict, directory.CodeCannotBeLifted, "The account authorised this connection; its protection cannot be lifted.",
			"Let another admin authorise the connection first.")
	}
	return nil
}

// Lift takes the protection of one account away for a time, as Check allows.
// audit is the kind of the act that it is; "" when something else is it. askedBy is
// who proposed it, if that was somebody else than by, who decides.
// ErrStale when the connection has changed since it was read.
func (l *Overrides) Lift(ctx context.Context, by directory.Caller, audit directory.AuditKind, c *directory.Connection, id directory.AccountID, d time.Duration, reason, askedBy string) (store.ProtectionOverride, error) {
	if err := l.Check(c, id, d); err != nil {
		return store.ProtectionOverride{}, err
	}
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	lift := store.ProtectionOverride{AccountID: id, Until: now().Add(d).UTC(), At: now().UTC(), By: by.Subject, AskedBy: askedBy, Reason: reason}
	return lift, l.Store.PutProtectionOverride(ctx, by.AuditEvent(audit), c, &lift)
}

// End gives the protection back before its time.
func (l *Overrides) End(ctx context.Context, by directory.Caller, c *directory.Connection, id directory.AccountID) error {
	return l.Store.DeleteProtectionOverride(ctx, by.AuditEvent(directory.AuditEndLift), c.ID, id)
}
