package people

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// An import that brings managers goes through its accounts a second time, once all of them
// are users: who is whose manager is taken over where both are in the directory and the
// user has none yet. A manager that somebody has set stays, as all else of a user does that
// is in the directory already.

// managerPage is a page of a tenant's accounts with their managers.
type managerPage struct {
	link string
	directory.ManagerPage
}

// managers takes over who are the managers of the next accounts.
func (w *importWorker) managers(ctx context.Context, j *jobs.Job, c *directory.Connection, judge *assign.Judge, in importInput, at importPlace) (jobs.Result, error) {
	tenant, err := w.imports.managers(ctx, c)
	if err != nil {
		return jobs.Result{}, err
	}
	var list []directory.AccountManager
	next, ended := at, false
	if in.All {
		list, next, ended, err = w.listManagers(ctx, tenant, at)
	} else {
		list, next, ended, err = w.namedManagers(ctx, j, tenant, judge, at)
	}
	if err != nil {
		return jobs.Result{}, err
	}
	refused, err := w.takeManagers(ctx, j, c, judge, list)
	return jobs.Result{Refused: jobs.Short(refused), Ended: ended}, errors.Join(err, j.SetPlace(next))
}

// listManagers reads the next accounts of the tenant's list.
func (w *importWorker) listManagers(ctx context.Context, tenant ManagerReader, at importPlace) (list []directory.AccountManager, next importPlace, ended bool, err error) {
	if w.managed == nil || w.managed.link != at.Link {
		page, err := tenant.ListManagers(ctx, at.Link)
		if errors.Is(err, directory.ErrResync) && at.Link != "" {
			first, err := at.ListPlace.Restart()
			return nil, importPlace{Managers: true, ListPlace: first}, false, err
		}
		if err != nil {
			return nil, at, false, err
		}
		w.managed = &managerPage{at.Link, page}
	}
	all := w.managed.Managers
	from := min(at.Offset, len(all))
	end := min(from+importWindow, len(all))
	next = at
	switch {
	case end < len(all):
		next.Offset = end
	case w.managed.Next != "":
		ids := make([]string, len(all))
		for i := range all {
			ids[i] = string(all[i].AccountID)
		}
		next.ListPlace, err = at.Next(assign.Accounts, ids, w.managed.Next)
	default:
		ended = true
	}
	return all[from:end], next, ended, err
}

// namedManagers reads the next accounts that the caller named.
func (w *importWorker) namedManagers(ctx context.Context, j *jobs.Job, tenant ManagerReader, judge *assign.Judge, at importPlace) (list []directory.AccountManager, next importPlace, ended bool, err error) {
	read, err := w.readNamed(ctx, j, judge, at) // by name, perhaps
	if err != nil {
		return nil, at, false, err
	}
	ids := make([]directory.AccountID, len(read.accounts))
	for i := range read.accounts {
		ids[i] = read.accounts[i].ID
	}
	found, err := tenant.Managers(ctx, ids)
	if err != nil {
		return nil, at, false, err
	}
	if wait := retryOf(found); wait > 0 {
		return nil, at, false, &directory.ThrottledError{RetryAfter: wait}
	}
	for i := range found {
		if m := found[i].Value; m != nil {
			list = append(list, directory.AccountManager{AccountID: ids[i], ManagerID: *m})
		}
	}
	return list, read.next, read.ended, nil
}

// takeManagers gives users their managers, as far as both are in the directory and the
// user has none.
func (w *importWorker) takeManagers(ctx context.Context, j *jobs.Job, c *directory.Connection, judge *assign.Judge, list []directory.AccountManager) ([]directory.RefusedItem, error) {
	var ids []directory.AccountID
	for _, m := range list {
		if m.ManagerID != "" {
			ids = append(ids, m.AccountID, m.ManagerID)
		}
	}
	opened := func(context.Context, *directory.Connection) (*assign.Judge, error) { return judge, nil }
	users, err := w.imports.whose(ctx, c, opened, distinctAccounts(ids))
	if err != nil {
		return nil, err
	}
	by := directory.Caller{Subject: j.By(), Source: directory.SourceM365}
	var refused []directory.RefusedItem
	for _, m := range list {
		user, manager := users[m.AccountID], users[m.ManagerID]
		switch {
		case m.ManagerID == "" || user == "":
			continue
		case manager == "":
			j.Count("managersNotInDirectory", 1)
			continue
		}
		did := "managersKept"
		_, err := w.imports.users.edit(ctx, by, user, 0, directory.AuditImport, func(u *directory.User) (bool, error) {
			if u.Deleted != nil || u.ManagerID != "" || u.Owners["managerId"] != "" {
				return false, nil
			}
			did = "managersSet"
			u.ManagerID = manager
			return true, w.imports.users.checkManager(ctx, u)
		})
		if r, is := errors.AsType[*directory.Refusal](err); is {
			refused = append(refused, directory.RefusedItem{AccountID: m.AccountID, UserID: user, Code: r.Code,
				Detail: fmt.Sprintf("The manager was not taken over: %s", faultText(r))})
			continue
		}
		if err != nil {
			return nil, err
		}
		j.Count(did, 1)
	}
	return refused, nil
}
