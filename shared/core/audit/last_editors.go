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
	actors := map[string]directory.Actor{}
	err := a.lastEvents(ctx, c, account, since, func(e *directory.DirectoryAudit) {
		for _, name := range properties {
			if _, known := actors[name]; !known && changesProperty(e, account, name) {
				actors[name] = actorOf(e, c)
			}
		}
	})
	return actors, err
}

// LastMemberEditors finds out, as LastEditors does, who last added members to a tenant
// group or removed them, by member.
func (a *Audit) LastMemberEditors(ctx context.Context, c *directory.Connection, group directory.TenantGroupID, members []directory.AccountID, since time.Time) (map[directory.AccountID]directory.Actor, error) {
	actors := map[directory.AccountID]directory.Actor{}
	err := a.lastEvents(ctx, c, directory.AccountID(group), since, func(e *directory.DirectoryAudit) {
		for _, m := range members {
			// An event of a membership has both as its targets (docs of directoryAudit).
			if _, known := actors[m]; !known && isAbout(e, m) && isAbout(e, directory.AccountID(group)) {
				actors[m] = actorOf(e, c)
			}
		}
	})
	return actors, err
}

// LastLicensor finds out, as LastEditors does, who last changed the licences of an account
// or of a tenant group; nil: the log does not say.
func (a *Audit) LastLicensor(ctx context.Context, c *directory.Connection, of directory.AccountID, since time.Time) (*directory.Actor, error) {
	var actor *directory.Actor
	err := a.lastEvents(ctx, c, of, since, func(e *directory.DirectoryAudit) {
		if actor == nil && isAbout(e, of) && ofLicences(e) {
			by := actorOf(e, c)
			actor = &by
		}
	})
	return actor, err
}

// ofLicences reports whether an event is about licences, by what Microsoft calls it:
// "Change user license", "Set group license" (GG 9.4; [K] that these are all).
func ofLicences(e *directory.DirectoryAudit) bool {
	return strings.Contains(strings.ToLower(e.Activity), "license")
}

// isAbout reports whether an object is among the targets of an event.
func isAbout(e *directory.DirectoryAudit, id directory.AccountID) bool {
	return slices.ContainsFunc(e.Targets, func(t directory.TargetResource) bool { return strings.EqualFold(t.ID, string(id)) })
}

// lastEvents calls do with what the log says was done to an object since a time, the
// last of it first.
func (a *Audit) lastEvents(ctx context.Context, c *directory.Connection, target directory.AccountID, since time.Time, do func(*directory.DirectoryAudit)) error {
	if problem := mayRead(c); problem != nil {
		return problem
	}
	wait, err := a.Stores.Pace.TakeReport(ctx, c.Tenant.ID)
	if err != nil {
		return err
	}
	if wait > 0 {
		return &directory.ThrottledError{RetryAfter: wait, Scope: directory.ThrottledTenantApp}
	}
	tenant, err := a.Open(ctx, c)
	if err != nil {
		return readProblem(err)
	}
	page, err := tenant.Audits(ctx, directory.DirectoryAuditQuery{Since: since, Until: a.now(), Target: target}, "")
	if throttled, ok := errors.AsType[*directory.ThrottledError](err); ok {
		return throttled
	}
	if err != nil {
		return readProblem(err)
	}
	sort.SliceStable(page.Events, func(i, j int) bool { return page.Events[i].At.After(page.Events[j].At) })
	for i := range page.Events {
		if e := &page.Events[i]; e.Result == "" || strings.EqualFold(e.Result, "success") {
			do(e)
		}
	}
	return nil
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
