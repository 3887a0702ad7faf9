package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
)

// WeekFacts are the facts of a weekly summary.
type WeekFacts struct {
	From string `json:"from"` // Monday
	To   string `json:"to"`   // Sunday
	// Part and Parts number the notifications of one week: there is one for so many
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

// connectionsInPart is how many connections one weekly notification sums up.
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
