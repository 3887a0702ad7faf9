package store

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// ManagerCycle says that a user cannot have a manager, since the user would be among
// their own managers then. Users are those on the way: the user, the manager, and the
// managers of each, the last of whom has the user as manager.
type ManagerCycle struct{ Users []directory.User }

func (e *ManagerCycle) Error() string {
	return fmt.Sprintf("user %s would be among their own managers", e.Users[0].ID)
}

// Unwrap makes it a conflict.
func (e *ManagerCycle) Unwrap() error { return directory.ErrConflict }

// mostManagers is how many managers may be above each other. Each takes one write of the
// transaction that gives a user a manager.
const mostManagers = 50

// managerWrites hold the managers above a user as they were read, while the user gets
// one: of several edits that would make a circle together, each but the first finds
// another one's user changed. *ManagerCycle when the user is among them. A manager who
// is deleted still counts, since they may be restored.
func (d *db) managerWrites(ctx context.Context, u *directory.User) ([]table.Write, error) {
	way := []directory.User{*u}
	seen := map[directory.UserID]bool{}
	var writes []table.Write
	for at := u.ManagerID; at != "" && !seen[at]; {
		if at == u.ID {
			return nil, &ManagerCycle{Users: way}
		}
		if len(writes) == mostManagers {
			return nil, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidUser, fmt.Sprintf("There would be more than %d managers above the user %s.", mostManagers, u.ID),
				"Choose a manager who is nearer to the top.")
		}
		seen[at] = true
		m, err := d.user(ctx, at)
		if errors.Is(err, directory.ErrNotFound) {
			break // who is gone has no manager, and cannot return
		}
		if err != nil {
			return nil, err
		}
		key := profileKey(at)
		writes = append(writes, table.Write{Check: &key, If: table.When(table.VersionIs(m.Version))})
		way = append(way, m)
		at = m.ManagerID
	}
	return writes, nil
}
