package roster

import (
	"context"
	"encoding/json"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Selection says whom a bulk binding is about; exactly one member is set.
type Selection struct {
	All      bool // every active or suspended user of the directory
	Previous bool // whom the connection had when it was last deactivated
}

// bindInput is the input of a bulk binding.
type bindInput struct {
	Previous bool   `json:"previous,omitempty"`
	Epoch    int64  `json:"epoch"`
	Subject  string `json:"subject"` // for workers of an older version; see JobRecord.By
}

// bindCursor is the place of a bulk binding. A binding of the previous
// selection goes through the phases "find" (which epoch had one), "rows" (of
// that epoch, not swept yet) and "former" (swept ones).
type bindCursor struct {
	Phase string `json:"phase,omitempty"`
	Next  string `json:"next,omitempty"`
	Epoch int64  `json:"epoch,omitempty"`
}

// bindWindow is how many users one step of a bulk binding looks at.
const bindWindow = 190

// StartBind starts a bulk binding.
func (s *Service) StartBind(ctx context.Context, id directory.ConnectionID, sel Selection, by Caller) (directory.Job, error) {
	if sel.All == sel.Previous {
		return directory.Job{}, directory.Refuse(directory.ErrInvalid, "invalid-body",
			"A bulk binding is about all users or about the previous ones.", "Set all or previous to true, not both.")
	}
	c, err := s.working(ctx, id)
	if err != nil {
		return directory.Job{}, err
	}
	return s.newJob(ctx, directory.JobBind, c.ID, by, bindInput{sel.Previous, c.Epoch, by.Subject}, 0, nil)
}

// connection reads the connection of a job, which must be as it was when the
// job was started.
func (w *jobWorker) connection(ctx context.Context, epoch int64) (directory.Connection, error) {
	c, err := w.Store.Connection(ctx, w.job.ConnectionID)
	if err != nil {
		return c, err
	}
	if c.Epoch != epoch {
		return c, passed(&c)
	}
	return c, checkWorking(&c)
}

func (w *jobWorker) bindStep(ctx context.Context) (outcome, error) {
	var in bindInput
	var cur bindCursor
	if err := json.Unmarshal(w.job.Input, &in); err != nil {
		return outcome{}, fmt.Errorf("job input: %w", err)
	}
	if err := w.cursor(&cur); err != nil {
		return outcome{}, fmt.Errorf("job cursor: %w", err)
	}
	c, err := w.connection(ctx, in.Epoch)
	if err != nil {
		return outcome{}, err
	}
	if in.Previous && (cur.Phase == "" || cur.Phase == "find") {
		return w.findPrevious(ctx, &c, cur)
	}
	list, next, err := w.candidates(ctx, &c, in, cur)
	if err != nil {
		return outcome{}, err
	}
	b := w.binder(&c, w.job.By())
	if err := b.bind(ctx, list); err != nil {
		return outcome{}, err
	}
	w.job.Done += len(list)
	w.count("bound", len(b.bound)-len(b.already))
	w.count("alreadyBound", len(b.already))
	if len(b.bound) > len(b.already) {
		w.wake(ctx, c.ID)
	}
	out := outcome{refused: short(b.refused)}
	cur.Next = next
	switch {
	case next != "":
	case cur.Phase == "rows":
		cur.Phase = "former"
	default:
		out.ended = true
		w.job.Total = w.job.Done
	}
	return out, w.saveCursor(cur)
}

// candidates reads the next users of a bulk binding.
func (w *jobWorker) candidates(ctx context.Context, c *directory.Connection, in bindInput, cur bindCursor) ([]choice, string, error) {
	var list []choice
	switch {
	case !in.Previous:
		page, err := w.Store.ListUsers(ctx, cur.Next, bindWindow, func(u *directory.User) bool {
			return u.State == directory.StateActive || u.State == directory.StateSuspended
		})
		for _, u := range page.Users {
			list = append(list, choice{user: u.ID})
		}
		return list, page.Next, err
	case cur.Phase == "rows":
		rows, next, err := w.Store.ListBindings(ctx, directory.KindAccount, c.ID, cur.Epoch, cur.Next, bindWindow)
		for _, b := range rows {
			if b.Release == "" { // an admin was letting the others go already
				list = append(list, choice{user: b.UserID})
			}
		}
		return list, next, err
	}
	former, next, err := w.Store.Former(ctx, c.ID, cur.Next, bindWindow)
	if err != nil {
		return nil, "", err
	}
	ids := make([]directory.UserID, len(former))
	for i, f := range former {
		ids[i] = f.UserID
	}
	subjects, err := w.Store.Subjects(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	for _, f := range former {
		if f.Epoch == cur.Epoch && !w.overwritten(c, &f, subjects[f.UserID]) {
			list = append(list, choice{user: f.UserID})
		}
	}
	return list, next, nil
}

// overwritten reports whether a former row is one that this job made itself,
// when it bound the user anew.
func (w *jobWorker) overwritten(c *directory.Connection, f *directory.Former, sub store.Subject) bool {
	return sub.Binding != nil && sub.Binding.ConnectionID == c.ID && sub.Binding.Epoch == c.Epoch && !f.At.Before(w.job.Created)
}

// findPrevious looks for the newest epoch with a selection: an admin who let
// somebody go in it, or did not take somebody over, is not overruled by an
// older one.
func (w *jobWorker) findPrevious(ctx context.Context, c *directory.Connection, cur bindCursor) (outcome, error) {
	if cur.Phase == "" {
		for e := c.Epoch - 1; e >= 0 && e > c.Epoch-maxUnswept; e-- {
			rows, _, err := w.Store.ListBindings(ctx, directory.KindAccount, c.ID, e, "", 1)
			if err != nil {
				return outcome{}, err
			}
			if len(rows) > 0 {
				return outcome{}, w.saveCursor(bindCursor{Phase: "rows", Epoch: e})
			}
		}
		return outcome{}, w.saveCursor(bindCursor{Phase: "find", Epoch: -1})
	}
	former, next, err := w.Store.Former(ctx, c.ID, cur.Next, bindWindow)
	if err != nil {
		return outcome{}, err
	}
	for _, f := range former {
		switch {
		case f.Epoch > cur.Epoch:
			cur.Epoch, w.job.Total = f.Epoch, 1
		case f.Epoch == cur.Epoch:
			w.job.Total++
		}
	}
	if cur.Next = next; next == "" {
		cur.Phase = "former"
		if cur.Epoch < 0 { // nobody was ever selected
			return outcome{ended: true}, w.saveCursor(cur)
		}
	}
	return outcome{}, w.saveCursor(cur)
}

// maxUnswept is how many epochs back rows may still be unswept.
const maxUnswept = 100
