package people

import (
	"context"
	"errors"

	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// newUser is a user that an import makes of a candidate.
type newUser struct {
	candidate *assign.Candidate
	user      *directory.User
}

// take makes users of accounts and binds them, as far as their verdicts allow.
func (w *importWorker) take(ctx context.Context, j *jobs.Job, c *directory.Connection, list []assign.Candidate, bind bool) ([]directory.RefusedItem, error) {
	var refused []directory.RefusedItem
	var fresh []newUser
	for i := range list {
		cand := &list[i]
		switch cand.Verdict {
		case assign.VerdictBound:
			j.Count("boundBefore", 1)
		case assign.VerdictExcluded, assign.VerdictExternal:
			j.Count(string(cand.Verdict), 1)
			refused = append(refused, cand.Refuse(cand.Reason, cand.Detail))
		case assign.VerdictInDirectory:
			j.Count("existing", 1)
		case assign.VerdictNew:
			u, err := w.imports.compose(c, cand, j.By())
			if err != nil {
				refused = append(refused, cand.Refuse(directory.CodeInvalidUser, err.Error()))
				cand.Verdict = assign.VerdictExcluded
				continue
			}
			fresh = append(fresh, newUser{cand, u})
		}
	}
	more, err := w.create(ctx, j, fresh)
	if err != nil {
		return nil, err
	}
	refused = append(refused, more...)
	if !bind {
		return refused, nil
	}
	more, err = w.bind(ctx, j, c, list)
	return append(refused, more...), err
}

// bind binds the users of candidates to their accounts.
func (w *importWorker) bind(ctx context.Context, j *jobs.Job, c *directory.Connection, list []assign.Candidate) ([]directory.RefusedItem, error) {
	var choices []assign.Choice
	for i := range list {
		cand := &list[i]
		if cand.Verdict != assign.VerdictInDirectory && cand.Verdict != assign.VerdictNew {
			continue
		}
		choices = append(choices, cand.Choice())
		if cand.BoundAs != "" && cand.BoundAs != cand.UserPrincipalName {
			j.Count("renamedByBinding", 1)
		}
	}
	done, err := w.imports.bindings.BindChoices(ctx, directory.Caller{Subject: j.By()}, c, choices)
	if err != nil {
		return nil, err
	}
	j.Count("bound", len(done.Bound)-len(done.Already))
	if len(done.Bound) > 0 {
		w.imports.users.wake(ctx, c.ID)
	}
	return done.Refused, nil
}

// compose makes a user of an account, without storing it.
func (s *Imports) compose(c *directory.Connection, cand *assign.Candidate, by string) (*directory.User, error) {
	e := edit{}
	var faults []directory.FieldError
	cand.Profile.State = c.Settings.Defaulted().Import.State
	for _, path := range paths(&cand.Profile) {
		text := userShape.clean(path, value(&cand.Profile, path))
		if text.fault == "" {
			e[path] = text.text
			continue
		}
		if warning, ok := userShape.spared(path, text.fault); ok {
			cand.Warnings = append(cand.Warnings, warning)
		} else {
			faults = append(faults, directory.FieldError{Field: path, Detail: text.fault})
		}
	}
	if err := userShape.invalid(faults); err != nil {
		return nil, err
	}
	u, err := s.users.compose(e, directory.SourceM365)
	u.ImportedFrom = &directory.AccountRef{TenantID: c.Tenant.ID, AccountID: cand.ID, UserPrincipalName: cand.UserPrincipalName}
	u.EditedBy(by, s.now())
	return &u, err
}

// create stores new users, many at a time, and notes who has which account.
func (w *importWorker) create(ctx context.Context, j *jobs.Job, list []newUser) ([]directory.RefusedItem, error) {
	var refused []directory.RefusedItem
	for len(list) > 0 {
		users := make([]*directory.User, len(list))
		for i := range list {
			users[i] = list[i].user
		}
		n := distinct(users)
		err := w.imports.write.CreateUsers(ctx, j.AuditEvent(directory.AuditImport), users[:n]...)
		if err == nil {
			for _, made := range list[:n] {
				w.created(j, made)
			}
		} else if _, taken := errors.AsType[*store.AddressTaken](err); taken {
			for _, one := range list[:n] {
				item, err := w.createOne(ctx, j, one)
				if err != nil {
					return nil, err
				}
				if item != nil {
					refused = append(refused, *item)
				}
			}
		} else {
			return nil, err
		}
		list = list[n:]
	}
	return refused, nil
}

// createOne stores one user. Somebody who has the address already is taken to
// be the account's user; a user name in use gives way to the address.
func (w *importWorker) createOne(ctx context.Context, j *jobs.Job, one newUser) (*directory.RefusedItem, error) {
	u := one.user
	act := j.AuditEvent(directory.AuditImport)
	err := w.imports.write.CreateUsers(ctx, act, u)
	taken, ok := errors.AsType[*store.AddressTaken](err)
	if ok && taken.Field == "userName" && directory.FoldAddress(u.UserName) != directory.FoldAddress(u.Email) {
		u.UserName = u.Email
		err = w.imports.write.CreateUsers(ctx, act, u)
		taken, ok = errors.AsType[*store.AddressTaken](err)
	}
	if err == nil {
		w.created(j, one)
		return nil, nil
	}
	if !ok {
		return nil, err
	}
	if taken.Field == "email" {
		one.candidate.UserID = taken.Owner
		one.candidate.Verdict = assign.VerdictInDirectory
		j.Count("existing", 1)
		return nil, nil
	}
	one.candidate.Verdict = assign.VerdictExcluded
	item := one.candidate.Refuse(directory.CodeUserNameTaken, w.imports.users.Taken(ctx, err).Error())
	return &item, nil
}

// created notes a user that was stored, and what a person should know about it.
func (w *importWorker) created(j *jobs.Job, made newUser) {
	c := made.candidate
	c.UserID = made.user.ID
	j.Count("created", 1)
	for _, warning := range c.Warnings {
		j.Note(directory.JobNote{AccountID: c.ID, Name: c.UserPrincipalName, Warning: warning})
	}
}
