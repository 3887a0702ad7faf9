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

func (n *notificationRound) authorization() {
	c := n.conn
	switch {
	case c.Status == directory.StatusNeedsAuthorization:
		if n.next.Needs = needsAuthorizationSince(c); n.next.Needs != n.last.Needs {
			n.add("needs-authorization:"+string(c.ID)+":"+n.next.Needs, directory.NotificationNeedsAuthorization, needsAuthorizationText(c), needsAuthorizationFacts(c))
		}
	case c.Status == directory.StatusActive && n.last.Needs != "":
		n.add("authorized:"+string(c.ID)+":"+n.last.Needs, directory.NotificationAuthorized,
			fmt.Sprintf("The connection %q is authorised again and goes on.", c.Name), nil)
	}
}

// DomainsFacts are the facts of a notice of a tenant's domains: what is new of them.
type DomainsFacts struct {
	Lost    []string `json:"lost,omitempty"`    // claimed, and not verified any more
	Offered []string `json:"offered,omitempty"` // verified, and not claimed
}

// maxNamedDomains is how many domains the text of a notice names of a kind.
const maxNamedDomains = 10

// domains tells of claimed domains that the tenant has lost, and of verified ones
// that are not claimed, each once.
func (n *notificationRound) domains() {
	c := n.conn
	if c.Tenant == nil || !c.InEffect() {
		return
	}
	var fresh DomainsFacts
	note := func(list *[]string, name, key string) {
		if n.next.Domains = append(n.next.Domains, key); !slices.Contains(n.last.Domains, key) {
			*list = append(*list, name)
		}
	}
	for _, d := range c.Tenant.Domains {
		if d.Lost() {
			note(&fresh.Lost, d.Name, "lost "+d.Name+" "+d.LostSince.UTC().Format(time.RFC3339))
		}
	}
	for _, d := range c.Tenant.Offered {
		note(&fresh.Offered, d.Name, "offered "+d.Name)
	}
	var text []string
	if len(fresh.Lost) > 0 {
		text = append(text, fmt.Sprintf("The tenant of the connection %q has not verified any more: %s. No account is made, or named, in them. Verify them again, or give them up: DELETE /v1/connections/%s/domains/{domain}.",
			c.Name, firstNames(fresh.Lost), c.ID))
	}
	if len(fresh.Offered) > 0 {
		text = append(text, fmt.Sprintf("The tenant of the connection %q has verified: %s. To have accounts there, claim them: POST /v1/connections/%s/domains.", c.Name, firstNames(fresh.Offered), c.ID))
	}
	if len(text) > 0 {
		n.add(fmt.Sprintf("domains:%s:%d", c.ID, c.Version), directory.NotificationDomains, strings.Join(text, " "), fresh)
	}
}

// firstNames are the first of a list, as text.
func firstNames(list []string) string {
	if more := len(list) - maxNamedDomains; more > 0 {
		return strings.Join(list[:maxNamedDomains], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, ", ")
}

func (n *notificationRound) stale(good time.Time) {
	if n.next.Stale = good.UTC().Format(time.RFC3339); n.next.Stale != n.last.Stale {
		n.add("stale:"+string(n.conn.ID)+":"+n.next.Stale, directory.NotificationStale,
			fmt.Sprintf("The connection %q has had no successful run since %s.", n.conn.Name, n.next.Stale), StaleFacts{good.UTC()})
	}
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

// StaleFacts are the facts of a notice of a stale connection.
type StaleFacts struct {
	LastSuccess time.Time `json:"lastSuccess"`
}

func needsAuthorizationSince(c *directory.Connection) string {
	if c.Problem != nil && !c.Problem.Since.IsZero() {
		return c.Problem.Since.UTC().Format(time.RFC3339)
	}
	return c.Updated.UTC().Format(time.RFC3339)
}

// NeedsFacts are the facts of a notice of a lost authorisation. Microsoft's own
// words are not among them: they may name people.
type NeedsFacts struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Next    string    `json:"next,omitempty"`
	Since   time.Time `json:"since"`
	// What Microsoft's support asks for, where Microsoft answered; else Incident,
	// under which Bindery's log says more.
	MicrosoftCode string `json:"microsoftCode,omitempty"`
	RequestID     string `json:"requestId,omitempty"`
	CorrelationID string `json:"correlationId,omitempty"`
	Incident      string `json:"incident,omitempty"`
}

func needsAuthorizationFacts(c *directory.Connection) any {
	if c.Problem == nil {
		return nil
	}
	t := c.Problem
	return NeedsFacts{t.Code, directory.Impersonal(t.Message), directory.Impersonal(t.Next), t.Since.UTC(), t.MicrosoftCode, t.RequestID, t.CorrelationID, t.Incident}
}

func needsAuthorizationText(c *directory.Connection) string {
	text := fmt.Sprintf("The connection %q has lost its authorisation and waits.", c.Name)
	if c.Problem != nil {
		text += " " + c.Problem.Message
	}
	return text + fmt.Sprintf(" An admin must authorise it again: POST /v1/connections/%s/authorize gives the address. Nothing is lost.", c.ID)
}

func heldText(c *directory.Connection, r *directory.Run) string {
	text := fmt.Sprintf("A run of the connection %q is held.", c.Name)
	if r.Held != nil && len(r.Held.Reasons) > 0 {
		text += " " + strings.Join(r.Held.Reasons, " ")
	}
	return text + fmt.Sprintf(" Look at GET /v1/runs/%s/changes, then approve or cancel it.", r.ID)
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

// WeekFacts are the facts of a weekly summary.
type WeekFacts struct {
	From string `json:"from"` // Monday
	To   string `json:"to"`   // Sunday
	// Part and Parts number the notices of one week: there is one for so many
	// connections.
	Part        int              `json:"part"`
	Parts       int              `json:"parts"`
	Connections []WeekConnection `json:"connections"`
}

// WeekConnection is the week of one connection.
type WeekConnection struct {
	ID     directory.ConnectionID                             `json:"id"`
	Name   string                                             `json:"name"`
	Status directory.ConnectionStatus                         `json:"status"`
	Bound  int                                                `json:"bound"`
	Counts map[directory.Effect]map[directory.ChangeState]int `json:"counts"`
}

// connectionsInPart is how many connections one weekly notice sums up.
const connectionsInPart = 100

// NotifyWeek tells the summary of the last week (Monday to Sunday, UTC), once, in the
// week after. A stack that is new tells its first one after its first Sunday.
func (w *Watch) NotifyWeek(ctx context.Context) error {
	now := w.now().UTC().Add(-graceAfterEnd) // results of Sunday night are in by then
	monday := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC).AddDate(0, 0, -(int(now.Weekday())+6)%7)
	week := monday.Format(time.DateOnly)
	told, err := w.Stores.Notifications.NotificationState(ctx, "")
	if err != nil || told.Week == week {
		return err
	}
	if told.Week != "" {
		if err := w.publishWeek(ctx, monday.AddDate(0, 0, -7), monday); err != nil {
			return err
		}
	}
	told.Week = week
	if err := w.Stores.Notifications.SaveNotificationState(ctx, "", &told); !errors.Is(err, directory.ErrStale) {
		return err
	}
	return nil
}

// week sums up the week of each connection.
func (w *Watch) week(ctx context.Context, from, until time.Time) ([]WeekConnection, error) {
	weeks, err := readEach(ctx, w.Stores.Connections, func(ctx context.Context, c *directory.Connection) (WeekConnection, error) {
		return w.weekOf(ctx, c, from, until)
	})
	all := make([]WeekConnection, len(weeks))
	for i := range weeks {
		all[i] = weeks[i].value
	}
	return all, err
}

func (w *Watch) weekOf(ctx context.Context, c *directory.Connection, from, until time.Time) (WeekConnection, error) {
	wc := WeekConnection{ID: c.ID, Name: c.Name, Status: c.Status, Counts: map[directory.Effect]map[directory.ChangeState]int{}}
	days, err := w.Stores.Days.Days(ctx, c.ID, from, until)
	if err != nil {
		return wc, err
	}
	for _, d := range days {
		addCounts(wc.Counts, d.Counts)
	}
	wc.Bound, err = w.Stores.Counts.BoundCount(ctx, c.ID, c.Epoch)
	return wc, err
}

func (w *Watch) publishWeek(ctx context.Context, from, until time.Time) error {
	all, err := w.week(ctx, from, until)
	if err != nil || len(all) == 0 {
		return err
	}
	changes, failed := 0, 0
	for i := range all {
		for _, states := range all[i].Counts {
			changes += states[directory.ChangeApplied]
			failed += states[directory.ChangeFailed]
		}
	}
	parts := slices.Collect(slices.Chunk(all, connectionsInPart))
	for i, part := range parts {
		facts := WeekFacts{From: from.Format(time.DateOnly), To: until.AddDate(0, 0, -1).Format(time.DateOnly), Part: i + 1, Parts: len(parts), Connections: part}
		err := w.Publish.Publish(ctx, directory.Notification{
			ID: fmt.Sprintf("weekly:%s:%d", facts.From, i+1), Type: directory.NotificationWeekly, At: w.now().UTC(), Facts: facts,
			Text: fmt.Sprintf("From %s to %s: %d changes were made to accounts and %d failed, through %d connections.", facts.From, facts.To, changes, failed, len(all)),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
