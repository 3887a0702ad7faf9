package activity

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// Actor is who changed something at Microsoft, as its audit log says.
type Actor struct {
	// User or App did it; one of them is set.
	User *directory.AuditUser `json:"user,omitempty"`
	App  *directory.AuditApp  `json:"app,omitempty"`
	// Admin says that it was the account that authorised the connection: we, or
	// somebody who uses it for other things.
	Admin    bool      `json:"admin,omitempty"`
	At       time.Time `json:"at"`
	Activity string    `json:"activity"`
	EventID  string    `json:"eventId"`
}

// String names the actor for people.
func (a Actor) String() string {
	switch {
	case a.User != nil && a.User.UserPrincipalName != "":
		return a.User.UserPrincipalName
	case a.User != nil:
		return string(a.User.ID)
	case a.App != nil && a.App.DisplayName != "":
		return a.App.DisplayName
	case a.App != nil:
		return a.App.AppID
	}
	return "somebody unknown"
}

// Who finds out who last changed properties of an account, by Graph's names,
// since a time: one call of Microsoft's log, whatever the number of properties.
// What the log does not say, or not yet, is not in the map. It never waits: a
// *directory.ThrottledError says when there is quota again. A *directory.Problem
// says what is missing to read the log (the codes above); nothing else depends
// on it, so a caller goes on without the answer.
func (a *Audit) Who(ctx context.Context, c *directory.Connection, account directory.AccountID, properties []string, since time.Time) (map[string]Actor, error) {
	if problem := mayRead(c); problem != nil {
		return nil, problem
	}
	wait, err := a.Store.TakeReport(ctx, c.Tenant.ID)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		return nil, &directory.ThrottledError{RetryAfter: wait, Scope: directory.ThrottledTenantApp}
	}
	tenant, err := a.Open(ctx, c)
	if err != nil {
		return nil, readProblem(err)
	}
	page, err := tenant.Audits(ctx, directory.AuditQuery{Since: since, Until: a.now(), Target: account}, "")
	if throttled, ok := errors.AsType[*directory.ThrottledError](err); ok {
		return nil, throttled
	}
	if err != nil {
		return nil, readProblem(err)
	}
	slices.SortStableFunc(page.Events, func(a, b directory.AuditEvent) int { return b.At.Compare(a.At) })
	actors := map[string]Actor{}
	for i := range page.Events {
		e := &page.Events[i]
		if e.Result != "" && !strings.EqualFold(e.Result, "success") {
			continue
		}
		for _, name := range properties {
			if _, known := actors[name]; !known && touches(e, account, name) {
				actors[name] = actorOf(e, c)
			}
		}
	}
	return actors, nil
}

// touches reports whether an event changed a property of an account.
func touches(e *directory.AuditEvent, account directory.AccountID, name string) bool {
	return slices.ContainsFunc(e.Targets, func(t directory.AuditTarget) bool {
		return strings.EqualFold(t.ID, string(account)) &&
			slices.ContainsFunc(t.Properties, func(p directory.AuditProperty) bool { return folded(p.Name) == folded(name) })
	})
}

func actorOf(e *directory.AuditEvent, c *directory.Connection) Actor {
	a := Actor{User: e.ByUser, App: e.ByApp, At: e.At, Activity: e.Activity, EventID: e.ID}
	a.Admin = e.ByUser != nil && c.AuthorizedBy != nil && strings.EqualFold(string(e.ByUser.ID), string(c.AuthorizedBy.ObjectID))
	return a
}
