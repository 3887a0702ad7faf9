package people

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// importPlace is the place of an import: in the tenant's list of accounts, or
// in the named ones.
type importPlace struct {
	assign.ListPlace
	Place jobs.Place `json:"place"`
	// Read is how many pages of the list are dealt with, whatever had to be read
	// again; their accounts are stored, so that none of them counts twice.
	Read int `json:"read,omitempty"`
	// Loops is how often in a row the list turned in a circle; nothing is read
	// before Rest then.
	Loops int       `json:"loops,omitempty"`
	Rest  time.Time `json:"rest,omitzero"`
	// Managers says that users are made, and that who is whose manager is read.
	Managers bool `json:"managers,omitempty"`
}

const (
	// importWindow is how many accounts one step deals with.
	importWindow = 200
	// longestRest is the longest time between two tries of an import whose list turns
	// in a circle.
	longestRest = 2 * time.Hour
)

// Import is the kind of jobs that StartImport starts.
func (s *Imports) Import(*jobs.Job) jobs.Worker { return &importWorker{imports: s} }

// importWorker is one slice of an import.
type importWorker struct {
	imports *Imports
	page    *accountPage // of the tenant, that the slice works on
	seen    seenAccounts
	named   jobs.List[directory.AccountID]
	managed *managerPage // of the tenant, that the slice works on
}

// accountPage is a page of a tenant's accounts, without those that former pages had.
type accountPage struct {
	link string
	ids  []string // of all its accounts
	directory.AccountPage
}

// window is what an import reads in one step.
type window struct {
	accounts []directory.Account
	refused  []directory.RefusedItem // named, and not to be had
	next     importPlace             // behind them
	ended    bool
}

// Step imports the next accounts. A list that turns in a circle is put off.
func (w *importWorker) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	var in importInput
	var at importPlace
	if err := j.ReadInput(&in); err != nil {
		return jobs.Result{}, err
	}
	if err := j.ReadPlace(&at); err != nil {
		return jobs.Result{}, err
	}
	if rest := at.Rest.Sub(w.imports.now()); rest > 0 {
		return jobs.Result{}, &directory.ThrottledError{RetryAfter: rest} // somebody woke it too early
	}
	result, err := w.step(ctx, j, in, at)
	if p, ok := errors.AsType[*directory.Problem](err); ok && p.Code == directory.CodePagingLoop {
		return jobs.Result{}, w.rest(j, at, p)
	}
	return result, err
}

func (w *importWorker) step(ctx context.Context, j *jobs.Job, in importInput, at importPlace) (jobs.Result, error) {
	c, err := assign.WorkingSince(ctx, w.imports.connections, j.ConnectionID, in.Epoch)
	if err != nil {
		return jobs.Result{}, err
	}
	judge, err := w.imports.accounts.Judge(ctx, &c)
	if err != nil {
		return jobs.Result{}, err
	}
	if at.Managers {
		return w.managers(ctx, j, &c, judge, in, at)
	}
	read, err := w.read(ctx, j, judge, in, at)
	if err != nil {
		return jobs.Result{}, err
	}
	j.Done += len(read.accounts) + len(read.refused)
	candidates, err := judge.Accounts(ctx, read.accounts)
	if err != nil {
		return jobs.Result{}, err
	}
	refused, err := w.take(ctx, j, &c, candidates, in.Bind)
	if err != nil {
		return jobs.Result{}, err
	}
	if err := w.imports.photos.due(ctx, &c, candidates); err != nil {
		return jobs.Result{}, err
	}
	if read.ended {
		j.Total = j.Done
		if err := w.imports.photos.Start(ctx, &c); err != nil {
			w.imports.log.Warn("pictures not begun; the schedule makes up for it", "connectionId", c.ID, "error", err)
		}
	}
	if read.ended && in.Managers {
		read.ended, read.next = false, importPlace{Managers: true}
	}
	return jobs.Result{Refused: jobs.Short(append(read.refused, refused...)), Ended: read.ended}, j.SetPlace(read.next)
}

func (w *importWorker) read(ctx context.Context, j *jobs.Job, judge *assign.Judge, in importInput, at importPlace) (window, error) {
	if in.All {
		return w.readListed(ctx, j, judge, at)
	}
	return w.readNamed(ctx, j, judge, at)
}

// readListed reads the next accounts of the tenant's list.
func (w *importWorker) readListed(ctx context.Context, j *jobs.Job, judge *assign.Judge, at importPlace) (window, error) {
	page, err := w.open(ctx, j, judge, at)
	if errors.Is(err, directory.ErrResync) && at.Link != "" {
		return w.restart(at)
	}
	if err != nil {
		return window{}, err
	}
	from := min(at.Offset, len(page.Accounts))
	end := min(from+importWindow, len(page.Accounts))
	read := window{accounts: page.Accounts[from:end], next: at}
	switch {
	case end < len(page.Accounts):
		read.next.Offset = end
	case page.Next != "":
		if read.next.ListPlace, err = at.Next(assign.Accounts, page.ids, page.Next); err != nil {
			return window{}, err
		}
		if err := w.imports.pages.SavePage(ctx, j.ID, at.Read, encodeIDs(page.ids)); err != nil {
			return window{}, err
		}
		w.seen.add(page.ids)
		read.next.Read++
	default:
		read.next.Offset = end
		read.ended = true
	}
	return read, nil
}

// open reads the page at a place, unless the slice has it already.
func (w *importWorker) open(ctx context.Context, j *jobs.Job, judge *assign.Judge, at importPlace) (*accountPage, error) {
	if w.page != nil && w.page.link == at.Link {
		return w.page, nil
	}
	page, err := judge.Page(ctx, at.Link)
	if err != nil {
		return nil, err
	}
	if err := w.seen.load(ctx, w.imports.pages, j.ID, at.Read); err != nil {
		return nil, err
	}
	ids := page.IDs()
	page.Accounts = w.seen.leaveOut(page.Accounts)
	w.page = &accountPage{link: at.Link, ids: ids, AccountPage: page}
	return w.page, nil
}

// restart begins the list anew after a link that has expired, which creates nothing
// twice.
func (w *importWorker) restart(at importPlace) (window, error) {
	first, err := at.ListPlace.Restart()
	if err != nil {
		return window{}, err
	}
	w.page = nil // it may be the first one, whose accounts are dealt with by now
	return window{next: importPlace{ListPlace: first, Read: at.Read, Loops: at.Loops}}, nil
}

// rest puts an import off whose list turns in a circle; then it reads from the
// start. After a day it fails.
func (w *importWorker) rest(j *jobs.Job, at importPlace, p *directory.Problem) error {
	now := w.imports.now()
	next := importPlace{Read: at.Read, Loops: at.Loops + 1}
	delay := min(longestRest, 5*time.Minute<<min(at.Loops, 10))
	next.Rest = now.Add(delay)
	p.Since = now.UTC()
	if old := j.Error; old != nil && old.Code == p.Code {
		p.Since = old.Since
	}
	p.Attempts = next.Loops
	if next.Rest.Sub(j.Created) > jobs.Patience {
		p.Next = "Start the import again later: what is done already is not done twice. If it stays so, open a case with Microsoft's support."
		return &jobs.Failure{Problem: p}
	}
	w.imports.log.Error("the tenant's pages do not come to an end; the job rests", "jobId", j.ID, "rounds", next.Loops)
	return &jobs.Rest{Problem: p, For: delay, Place: next}
}

// readNamed reads the next accounts that the caller named.
func (w *importWorker) readNamed(ctx context.Context, j *jobs.Job, judge *assign.Judge, at importPlace) (window, error) {
	ids, behind, err := w.named.Window(ctx, j, at.Place, importWindow)
	if err != nil {
		return window{}, err
	}
	if len(ids) == 0 {
		return window{next: at, ended: true}, nil
	}
	refs := make([]string, len(ids))
	for i, id := range ids {
		refs[i] = string(id)
	}
	found, err := judge.Lookup(ctx, refs)
	if err != nil {
		return window{}, err
	}
	if len(found) != len(refs) {
		return window{}, fmt.Errorf("lookup of %d accounts answered %d", len(refs), len(found))
	}
	read := window{next: at}
	read.next.Place = behind
	wait := time.Duration(0)
	for i, f := range found {
		switch {
		case f.Account != nil:
			read.accounts = append(read.accounts, *f.Account)
		case f.Retry:
			// All of the window is read again: nothing was done for it yet.
			wait = max(wait, f.RetryAfter, time.Second)
		case f.Problem != nil:
			read.refused = append(read.refused, directory.RefusedItem{AccountID: ids[i], Code: f.Problem.Code, Detail: f.Problem.Advice()})
		default:
			read.refused = append(read.refused, directory.RefusedItem{AccountID: ids[i], Code: directory.CodeAccountNotFound,
				Detail: "There is no such account in the tenant."})
		}
	}
	if wait > 0 {
		return window{}, &directory.ThrottledError{RetryAfter: wait}
	}
	return read, nil
}
