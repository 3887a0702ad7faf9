package audit

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"time"

	"bindery/shared/directory"
)

// LastEditors finds out who last changed properties of an account, by Graph's names,
// since a time: one call of Microsoft's log, whatever the number of properties.
// What the log does not say, or not yet, is not in the map. It never waits: a
// *directory.ThrottledError says when there is quota again. A *directory.Problem
// says what is missing to read the log (the codes above); nothing else depends
// on it, so a caller goes on without the answer.
func (a *Audit) LastEditors(ctx context.Context, c *directory.Connection, account directory.AccountID, properties []string, since time.Time) (map[string]directory.Actor, error) {
	if problem := mayRead(c); problem != nil {
		return nil, problem
	}
	wait, err := a.Stores.Pace.TakeReport(ctx, c.Tenant.ID)
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
	page, err := tenant.Audits(ctx, directory.DirectoryAuditQuery{Since: since, Until: a.now(), Target: account}, "")
	if throttled, ok := errors.AsType[*directory.ThrottledError](err); ok {
		return nil, throttled
	}
	if err != nil {
		return nil, readProblem(err)
	}
	sort.SliceStable(page.Events, func(i, j int) bool { return page.Events[i].At.After(page.Events[j].At) })
	actors := map[string]directory.Actor{}
	for i := range page.Events {
		e := &page.Events[i]
		if e.Result != "" && !strings.EqualFold(e.Result, "success") {
			continue
		}
		for _, name := range properties {
			if _, known := actors[name]; !known && changesProperty(e, account, name) {
				actors[name] = actorOf(e, c)
			}
		}
	}
	return actors, nil
}

// changesProperty reports whether an event changed a property of an account.
func changesProperty(e *directory.DirectoryAudit, account directory.AccountID, name string) bool {
	return slices.ContainsFunc(e.Targets, func(t directory.TargetResource) bool {
		return strings.EqualFold(t.ID, string(account)) &&
			slices.ContainsFunc(t.Properties, func(p directory.ModifiedProperty) bool { return foldProperty(p.Name) == foldProperty(name) })
	})
}

func actorOf(e *directory.DirectoryAudit, c *directory.Connection) directory.Actor {
	a := directory.Actor{At: e.At}
	switch u, app := e.ByUser, e.ByApp; {
	case u != nil:
		a.Name = u.UserPrincipalName
		if a.Name == "" {
			a.Name = string(u.ID)
		}
		a.Admin = c.AuthorizedBy != nil && strings.EqualFold(string(u.ID), string(c.AuthorizedBy.ObjectID))
	case app != nil && app.DisplayName != "":
		a.Name = app.DisplayName
	case app != nil:
		a.Name = app.AppID
	}
	return a
}
