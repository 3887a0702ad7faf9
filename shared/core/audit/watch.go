package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Watch tells others when something needs a human. It looks at how things stand
// and not at what happens, and keeps what it has told: a worker that died before
// it could tell costs minutes, and nothing is told twice but after a crash.
type Watch struct {
	Stores  WatchStores
	Publish Publisher
	Now     func() time.Time // nil means time.Now
}

func (w *Watch) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

// NotifyConnection tells what of a connection is new: runs that are held, settings that
// became looser, what waits for somebody else, a lost authorisation or a new one,
// domains that the tenant has lost or verified, that nothing has succeeded for too
// long.
func (w *Watch) NotifyConnection(ctx context.Context, c *directory.Connection) error {
	told, err := w.Stores.Notifications.NotificationState(ctx, c.ID)
	if err != nil {
		return err
	}
	var open []store.RunRecord
	if c.Status == directory.StatusActive || c.Status == directory.StatusNeedsAuthorization {
		if open, err = w.open(ctx, c.ID); err != nil {
			return err
		}
	}
	return w.Notify(ctx, c, told, open)
}

// open reads the runs of a connection that have not ended.
func (w *Watch) open(ctx context.Context, id directory.ConnectionID) ([]store.RunRecord, error) {
	ids, err := w.Stores.Runs.OpenRuns(ctx, id)
	if err != nil {
		return nil, err
	}
	var list []store.RunRecord
	for _, id := range ids {
		r, err := w.Stores.Runs.Run(ctx, id)
		if errors.Is(err, directory.ErrNotFound) {
			continue // it has ended and expired
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// Tend is Tell for the schedule, which calls it for each connection.
func (w *Watch) Tend(ctx context.Context, l *store.ScheduledConnection, b *store.Beside, _ bool) error {
	return w.Notify(ctx, &l.Connection, b.Notification, b.Runs)
}

// Notify is Connection for one who has read what has been told already, and which
// runs are open.
func (w *Watch) Notify(ctx context.Context, c *directory.Connection, told store.NotificationState, open []store.RunRecord) error {
	n := notificationRound{at: w.now().UTC(), conn: c, last: told, next: store.NotificationState{Version: told.Version}}
	n.authorization()
	n.safety()
	n.domains()
	if c.Overdue(w.now()) {
		n.stale(c.LastSuccess())
	}
	if c.Status == directory.StatusActive || c.Status == directory.StatusNeedsAuthorization {
		n.held(open)
	}
	if len(n.notices) > 0 {
		if err := w.Publish.Publish(ctx, n.notices...); err != nil {
			return err
		}
	} else if n.next.Needs == told.Needs && n.next.Stale == told.Stale && n.next.Loosened == told.Loosened &&
		slices.Equal(n.next.Held, told.Held) && slices.Equal(n.next.Proposals, told.Proposals) && slices.Equal(n.next.Domains, told.Domains) {
		return nil
	}
	if err := w.Stores.Notifications.SaveNotificationState(ctx, c.ID, &n.next); !errors.Is(err, directory.ErrStale) {
		return err
	}
	return nil // another has looked at the same time
}

// notificationRound is what of a connection has not been told yet.
type notificationRound struct {
	at      time.Time
	conn    *directory.Connection
	last    store.NotificationState
	next    store.NotificationState // what has been told afterwards
	notices []directory.Notification
}

func (n *notificationRound) add(id string, t directory.NotificationType, text string, facts any) *directory.Notification {
	n.notices = append(n.notices, directory.Notification{
		ID: id, Type: t, At: n.at, ConnectionID: n.conn.ID, Connection: n.conn.Name, Text: directory.Impersonal(text), Facts: facts})
	return &n.notices[len(n.notices)-1]
}

func (n *notificationRound) held(open []store.RunRecord) {
	for i := range open {
		r := &open[i].Run
		if r.State != directory.RunHeld {
			continue
		}
		if n.next.Held = append(n.next.Held, r.ID); !slices.Contains(n.last.Held, r.ID) {
			n.add("run.held:"+string(r.ID), directory.NotificationRunHeld, heldText(n.conn, r), runFactsOf(r)).RunID = r.ID
		}
	}
}

func heldText(c *directory.Connection, r *directory.Run) string {
	text := fmt.Sprintf("A run of the connection %q is held.", c.Name)
	if r.Held != nil && len(r.Held.Reasons) > 0 {
		text += " " + strings.Join(r.Held.Reasons, " ")
	}
	return text + fmt.Sprintf(" Look at GET /v1/runs/%s/changes, then approve or cancel it.", r.ID)
}

func (n *notificationRound) stale(good time.Time) {
	if n.next.Stale = good.UTC().Format(time.RFC3339); n.next.Stale != n.last.Stale {
		n.add("stale:"+string(n.conn.ID)+":"+n.next.Stale, directory.NotificationStale,
			fmt.Sprintf("The connection %q has had no successful run since %s.", n.conn.Name, n.next.Stale), StaleFacts{good.UTC()})
	}
}

// StaleFacts are the facts of a notification of a stale connection.
type StaleFacts struct {
	LastSuccess time.Time `json:"lastSuccess"`
}
