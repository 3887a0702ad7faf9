package assign

import (
	"context"
	"slices"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Selection says whom a bulk binding is about; exactly one member is set.
type Selection struct {
	All      bool // every active or suspended user of the directory
	Previous bool // whom the connection had when it was last deactivated
}

// bulkInput is the input of a bulk binding.
type bulkInput struct {
	Previous bool   `json:"previous,omitempty"`
	Epoch    int64  `json:"epoch"`
	Subject  string `json:"subject"` // for workers of an older version; see store.JobRecord.By
}

// bulkPlace is the place of a bulk binding. A binding of the previous
// selection goes through the phases "find" (which epoch had one), "rows" (of
// that epoch, not swept yet) and "former" (swept ones).
type bulkPlace struct {
	Phase string `json:"phase,omitempty"`
	Next  string `json:"next,omitempty"`
	Epoch int64  `json:"epoch,omitempty"`
}

// The phases of a binding of the previous selection.
const (
	phaseFind   = "find"
	phaseRows   = "rows"
	phaseFormer = "former"
)

const (
	// bulkWindow is how many users one step of a bulk binding looks at.
	bulkWindow = 190
	// maxUnswept is how many epochs back rows may still be unswept.
	maxUnswept = 100
)

// StartBind starts a bulk binding.
func (s *Bindings) StartBind(ctx context.Context, by directory.Caller, id directory.ConnectionID, sel Selection) (directory.Job, error) {
	if sel.All == sel.Previous {
		return directory.Job{}, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody,
			"A bulk binding is about all users or about the previous ones.", "Set all or previous to true, not both.")
	}
	c, err := Working(ctx, s.connections, id)
	if err != nil {
		return directory.Job{}, err
	}
	return s.jobs.Start(ctx, jobs.Order{
		Kind: directory.JobBind, ConnectionID: c.ID, By: by, Audit: directory.AuditBind,
		Input: bulkInput{Previous: sel.Previous, Epoch: c.Epoch, Subject: by.Subject},
	})
}

// Bulk is the kind of jobs that StartBind starts.
func (s *Bindings) Bulk(*jobs.Job) jobs.Worker { return &bulkWorker{bindings: s} }

// bulkWorker binds many users, by windows.
type bulkWorker struct{ bindings *Bindings }

// Step binds the next users.
func (w *bulkWorker) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	var in bulkInput
	var at bulkPlace
	if err := j.ReadInput(&in); err != nil {
		return jobs.Result{}, err
	}
	if err := j.ReadPlace(&at); err != nil {
		return jobs.Result{}, err
	}
	c, err := WorkingSince(ctx, w.bindings.connections, j.ConnectionID, in.Epoch)
	if err != nil {
		return jobs.Result{}, err
	}
	if in.Previous && at.Phase == "" {
		return jobs.Result{}, w.findRows(ctx, j, &c)
	}
	if in.Previous && at.Phase == phaseFind {
		return w.findFormer(ctx, j, &c, at)
	}
	list, next, err := w.window(ctx, j, &c, in, at)
	if err != nil {
		return jobs.Result{}, err
	}
	read := len(list)
	list, left, byGroup, err := w.byGroup(ctx, &c, list)
	if err != nil {
		return jobs.Result{}, err
	}
	done, err := w.bindings.BindChoices(ctx, directory.Caller{Subject: j.By()}, &c, list)
	if err != nil {
		return jobs.Result{}, err
	}
	fresh := len(done.Bound) - len(done.Already)
	j.Done += read
	j.Count("bound", fresh)
	j.Count("alreadyBound", len(done.Already))
	if fresh > 0 {
		wake(ctx, w.bindings.waker, w.bindings.log, c.ID)
	}
	if byGroup > 0 {
		j.Count("boundByGroup", byGroup)
	}
	result := jobs.Result{Refused: jobs.Short(append(done.Refused, left...))}
	at.Next = next
	if next == "" {
		if at.Phase == phaseRows {
			at.Phase = phaseFormer
		} else {
			result.Ended = true
			j.Total = j.Done
		}
	}
	return result, j.SetPlace(at)
}

// window reads the next users of a bulk binding.
func (w *bulkWorker) window(ctx context.Context, j *jobs.Job, c *directory.Connection, in bulkInput, at bulkPlace) ([]Choice, string, error) {
	if !in.Previous {
		return w.everybody(ctx, at)
	}
	if at.Phase == phaseRows {
		return w.rows(ctx, c, at)
	}
	return w.former(ctx, j, c, at)
}

func (w *bulkWorker) everybody(ctx context.Context, at bulkPlace) ([]Choice, string, error) {
	page, err := w.bindings.users.ListUsers(ctx, at.Next, bulkWindow, func(u *directory.User) bool {
		return u.State == directory.StateActive || u.State == directory.StateSuspended
	})
	var list []Choice
	for _, u := range page.Users {
		list = append(list, Choice{User: u.ID})
	}
	return list, page.Next, err
}

func (w *bulkWorker) rows(ctx context.Context, c *directory.Connection, at bulkPlace) ([]Choice, string, error) {
	rows, next, err := w.bindings.selections.ListBindings(ctx, directory.KindAccount, c.ID, at.Epoch, at.Next, bulkWindow)
	var list []Choice
	for _, b := range rows {
		if b.Release == "" { // an admin was letting the others go already
			list = append(list, formerly(b.UserID, b.Groups, b.Indirect))
		}
	}
	return list, next, err
}

func (w *bulkWorker) former(ctx context.Context, j *jobs.Job, c *directory.Connection, at bulkPlace) ([]Choice, string, error) {
	former, next, err := w.bindings.selections.Former(ctx, c.ID, at.Next, bulkWindow)
	if err != nil {
		return nil, "", err
	}
	ids := make([]directory.UserID, len(former))
	for i, f := range former {
		ids[i] = f.UserID
	}
	subjects, err := w.bindings.subjects.Subjects(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	var list []Choice
	for _, f := range former {
		if f.Epoch == at.Epoch && f.UserID != "" && !overwritten(j, c, &f, subjects[f.UserID]) {
			list = append(list, formerly(f.UserID, f.Groups, f.Indirect))
		}
	}
	return list, next, nil
}

// formerly is the choice of somebody who was bound before. Groups are told only of who was
// bound by these alone.
func formerly(u directory.UserID, groups []directory.GroupID, indirect bool) Choice {
	if !indirect {
		return Choice{User: u}
	}
	return Choice{User: u, byGroups: groups}
}

// byGroup takes those out of a window who were bound by groups alone: they come back by the
// uses of these, so that their bindings end with them, as they did. selected is how many they
// are of whom such a use is there; the others are left, and told why.
func (w *bulkWorker) byGroup(ctx context.Context, c *directory.Connection, list []Choice) (direct []Choice, left []directory.RefusedItem, selected int, err error) {
	var groups []directory.GroupID
	for _, ch := range list {
		groups = append(groups, ch.byGroups...)
	}
	if len(groups) == 0 {
		return list, nil, 0, nil
	}
	slices.Sort(groups)
	uses, err := w.bindings.uses.UsesAmong(ctx, c, slices.Compact(groups))
	if err != nil {
		return nil, nil, 0, err
	}
	selects := func(g directory.GroupID) bool { u, used := uses[g]; return used && !u.Ending && u.Select != nil }
	for _, ch := range list {
		switch {
		case len(ch.byGroups) == 0:
			direct = append(direct, ch)
		case slices.ContainsFunc(ch.byGroups, selects):
			selected++
		default:
			left = append(left, directory.RefusedItem{UserID: ch.User, GroupID: ch.byGroups[0], Code: directory.CodeGroupNotUsed,
				Detail: "The user was bound as a member of " + groupNames(ch.byGroups) + ", which the connection does not select by now. Say so again with PUT, or bind the user."})
		}
	}
	return direct, left, selected, nil
}

// overwritten reports whether a former row is one that this job made itself,
// when it bound the user anew.
func overwritten(j *jobs.Job, c *directory.Connection, f *directory.Former, sub store.Subject) bool {
	return sub.Binding != nil && sub.Binding.ConnectionID == c.ID && sub.Binding.Epoch == c.Epoch && !f.At.Before(j.Created)
}

// findRows looks for the newest epoch with rows that were not swept yet: an admin
// who let somebody go in it, or did not take somebody over, is not overruled by an
// older one.
func (w *bulkWorker) findRows(ctx context.Context, j *jobs.Job, c *directory.Connection) error {
	for e := c.Epoch - 1; e >= 0 && e > c.Epoch-maxUnswept; e-- {
		rows, _, err := w.bindings.selections.ListBindings(ctx, directory.KindAccount, c.ID, e, "", 1)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			return j.SetPlace(bulkPlace{Phase: phaseRows, Epoch: e})
		}
	}
	return j.SetPlace(bulkPlace{Phase: phaseFind, Epoch: -1})
}

// findFormer looks for the newest epoch among swept rows, and counts its users.
func (w *bulkWorker) findFormer(ctx context.Context, j *jobs.Job, c *directory.Connection, at bulkPlace) (jobs.Result, error) {
	former, next, err := w.bindings.selections.Former(ctx, c.ID, at.Next, bulkWindow)
	if err != nil {
		return jobs.Result{}, err
	}
	for _, f := range former {
		if f.UserID == "" { // of another kind than accounts
			continue
		}
		if f.Epoch > at.Epoch {
			at.Epoch = f.Epoch
			j.Total = 1
		} else if f.Epoch == at.Epoch {
			j.Total++
		}
	}
	at.Next = next
	ended := false
	if next == "" {
		at.Phase = phaseFormer
		ended = at.Epoch < 0 // nobody was ever selected
	}
	return jobs.Result{Ended: ended}, j.SetPlace(at)
}
