package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// ImportRequest says which accounts become users: those named, or all.
type ImportRequest struct {
	AccountIDs []directory.AccountID
	All        bool
	Bind       bool // also make them members of the connection
}

// importInput is the input of an import; named accounts are in its parts.
type importInput struct {
	All    bool   `json:"all,omitempty"`
	Bind   bool   `json:"bind,omitempty"`
	Epoch  int64  `json:"epoch"`
	Caller string `json:"caller"` // for workers of an older version; see JobRecord.By
}

// importCursor is the place of an import: in the tenant's list of accounts, or
// in the named ones.
type importCursor struct {
	accountCursor
	Place place `json:"place"`
}

// importWindow is how many accounts one step deals with.
const importWindow = 200

// accountPage is the tenant's page that a slice works on.
type accountPage struct {
	link string
	directory.AccountPage
}

// StartImport starts an import.
func (s *Service) StartImport(ctx context.Context, id directory.ConnectionID, req ImportRequest, by Caller) (directory.Job, error) {
	if req.All == (len(req.AccountIDs) > 0) {
		return directory.Job{}, directory.Refuse(directory.ErrInvalid, "invalid-body",
			"An import is of the accounts in accountIds, or of all.", "Name accounts, or set all to true, not both.")
	}
	for i, a := range req.AccountIDs {
		if a == "" || len(a) > 320 {
			r := directory.Refuse(directory.ErrInvalid, "invalid-body", "The import was not started.", "Correct the members named in errors.")
			r.Fields = []directory.FieldError{{Field: fmt.Sprintf("accountIds[%d]", i), Detail: "is not the ID of an account"}}
			return directory.Job{}, r
		}
	}
	c, err := s.working(ctx, id)
	if err != nil {
		return directory.Job{}, err
	}
	seen := make(map[directory.AccountID]bool, len(req.AccountIDs))
	ids := slices.DeleteFunc(slices.Clone(req.AccountIDs), func(a directory.AccountID) bool {
		twice := seen[a]
		seen[a] = true
		return twice
	})
	parts, err := slicer(ids)
	if err != nil {
		return directory.Job{}, err
	}
	return s.newJob(ctx, directory.JobImport, c.ID, by, importInput{req.All, req.Bind, c.Epoch, by.Subject}, len(ids), parts)
}

func (w *jobWorker) importStep(ctx context.Context) (outcome, error) {
	var in importInput
	var cur importCursor
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
	reader, err := w.Open(ctx, &c)
	if err != nil {
		return outcome{}, err
	}
	j := w.judge(&c, reader)
	read := w.named
	if in.All {
		read = w.listed
	}
	accounts, out, err := read(ctx, j, &cur)
	if err != nil {
		return outcome{}, err
	}
	w.job.Done += len(accounts) + len(out.refused)
	candidates, err := j.judge(ctx, accounts)
	if err != nil {
		return outcome{}, err
	}
	refused, err := w.take(ctx, &c, candidates, in)
	if err != nil {
		return outcome{}, err
	}
	if err := w.photosOf(ctx, &c, candidates); err != nil {
		return outcome{}, err
	}
	out.refused = short(append(out.refused, refused...))
	if out.ended {
		w.job.Total = w.job.Done
		if err := w.StartPhotos(ctx, &c); err != nil {
			w.log().Warn("pictures not begun; the schedule makes up for it", "connection", c.ID, "error", err)
		}
	}
	return out, w.saveCursor(cur)
}

// listed reads the next accounts of the tenant's list.
func (w *jobWorker) listed(ctx context.Context, j *judge, cur *importCursor) ([]directory.Account, outcome, error) {
	if w.page == nil || w.page.link != cur.Link {
		page, err := j.reader.List(ctx, j.selected, cur.Link)
		if errors.Is(err, directory.ErrResync) && cur.Link != "" {
			// The link has expired: from the start, which creates nothing twice.
			*cur = importCursor{}
			return nil, outcome{}, nil
		}
		if err != nil {
			return nil, outcome{}, err
		}
		w.page = &accountPage{cur.Link, page}
	}
	from := min(cur.Offset, len(w.page.Accounts))
	end := min(from+importWindow, len(w.page.Accounts))
	accounts := w.page.Accounts[from:end]
	var out outcome
	switch {
	case end < len(w.page.Accounts):
		cur.Offset = end
	case w.page.Next != "":
		cur.accountCursor = accountCursor{Link: w.page.Next}
	default:
		cur.Offset, out.ended = end, true
	}
	return accounts, out, nil
}

// named reads the next accounts that the caller named.
func (w *jobWorker) named(ctx context.Context, j *judge, cur *importCursor) ([]directory.Account, outcome, error) {
	ids, next, err := window[directory.AccountID](ctx, w, cur.Place, importWindow)
	if err != nil || len(ids) == 0 {
		return nil, outcome{ended: err == nil}, err
	}
	refs := make([]string, len(ids))
	for i, id := range ids {
		refs[i] = string(id)
	}
	found, err := j.reader.Lookup(ctx, refs, j.selected)
	if err != nil {
		return nil, outcome{}, err
	}
	if len(found) != len(refs) {
		return nil, outcome{}, fmt.Errorf("lookup of %d accounts answered %d", len(refs), len(found))
	}
	var accounts []directory.Account
	var out outcome
	wait := time.Duration(0)
	for i, f := range found {
		switch {
		case f.Account != nil:
			accounts = append(accounts, *f.Account)
		case f.Retry:
			// All of the window is read again: nothing was done for it yet.
			wait = max(wait, f.RetryAfter, time.Second)
		case f.Problem != nil:
			out.refused = append(out.refused, directory.RefusedItem{AccountID: ids[i], Code: f.Problem.Code, Detail: sentence(f.Problem)})
		default:
			out.refused = append(out.refused, directory.RefusedItem{AccountID: ids[i], Code: "account-not-found",
				Detail: "There is no such account in the tenant."})
		}
	}
	if wait > 0 {
		return nil, outcome{}, &directory.ThrottledError{RetryAfter: wait}
	}
	cur.Place = next
	return accounts, out, nil
}

// take makes users of accounts and binds them, as far as their verdicts allow.
func (w *jobWorker) take(ctx context.Context, c *directory.Connection, list []Candidate, in importInput) ([]directory.RefusedItem, error) {
	var refused []directory.RefusedItem
	var fresh []*Candidate
	var users []*directory.User
	for i := range list {
		cand := &list[i]
		switch cand.Verdict {
		case VerdictBound:
			w.count("boundBefore", 1)
		case VerdictExcluded, VerdictExternal:
			w.count(string(cand.Verdict), 1)
			refused = append(refused, cand.refuse(cand.Reason, cand.Detail))
		case VerdictInDirectory:
			w.count("existing", 1)
		case VerdictNew:
			u, err := w.imported(c, cand)
			if err != nil {
				refused = append(refused, cand.refuse("invalid-user", err.Error()))
				cand.Verdict = VerdictExcluded
				continue
			}
			fresh, users = append(fresh, cand), append(users, u)
		}
	}
	more, err := w.create(ctx, fresh, users)
	if err != nil {
		return nil, err
	}
	refused = append(refused, more...)
	if !in.Bind {
		return refused, nil
	}
	var choices []choice
	for i := range list {
		if v := list[i].Verdict; v == VerdictInDirectory || v == VerdictNew {
			choices = append(choices, choice{list[i].UserID, list[i].ID, list[i].UserPrincipalName})
			if as := list[i].BoundAs; as != "" && as != list[i].UserPrincipalName {
				w.count("renamedByBinding", 1)
			}
		}
	}
	b := w.binder(c, w.job.By())
	if err := b.bind(ctx, choices); err != nil {
		return nil, err
	}
	w.count("bound", len(b.bound)-len(b.already))
	if len(b.bound) > 0 {
		w.wake(ctx, c.ID)
	}
	return append(refused, b.refused...), nil
}

func (c *Candidate) refuse(code, detail string) directory.RefusedItem {
	return directory.RefusedItem{AccountID: c.ID, Name: c.UserPrincipalName, UserID: c.UserID, Code: code, Detail: detail}
}

// imported makes a user of an account, without storing it.
func (w *jobWorker) imported(c *directory.Connection, cand *Candidate) (*directory.User, error) {
	e := edit{}
	var faults []directory.FieldError
	cand.profile.State = c.Settings.Defaulted().Import.State
	for _, path := range paths(&cand.profile) {
		text, fault := clean(path, value(&cand.profile, path))
		if fault != "" {
			faults = append(faults, directory.FieldError{Field: path, Detail: fault})
			continue
		}
		e[path] = text
	}
	if err := invalid(faults); err != nil {
		return nil, err
	}
	u, err := w.compose(e, directory.SourceM365)
	u.ImportedFrom = &directory.AccountRef{TenantID: c.Tenant.ID, AccountID: cand.ID, UserPrincipalName: cand.UserPrincipalName}
	u.EditedBy(w.job.By(), w.now())
	return &u, err
}

// create stores new users, many at a time, and notes who has which account.
func (w *jobWorker) create(ctx context.Context, cands []*Candidate, users []*directory.User) ([]directory.RefusedItem, error) {
	var refused []directory.RefusedItem
	for at := 0; at < len(users); {
		n := distinct(users[at:])
		err := w.Store.CreateUsers(ctx, users[at:at+n]...)
		_, taken := errors.AsType[*store.AddressTaken](err)
		switch {
		case err == nil:
			for i := at; i < at+n; i++ {
				cands[i].UserID = users[i].ID
			}
			w.count("created", n)
		case taken:
			for i := at; i < at+n; i++ {
				item, err := w.createOne(ctx, cands[i], users[i])
				if err != nil {
					return nil, err
				}
				if item != nil {
					refused = append(refused, *item)
				}
			}
		default:
			return nil, err
		}
		at += n
	}
	return refused, nil
}

// createOne stores one user. Somebody who has the address already is taken to
// be the account's user; a user name in use gives way to the address.
func (w *jobWorker) createOne(ctx context.Context, cand *Candidate, u *directory.User) (*directory.RefusedItem, error) {
	err := w.Store.CreateUsers(ctx, u)
	taken, ok := errors.AsType[*store.AddressTaken](err)
	if ok && taken.Field == "userName" && directory.FoldAddress(u.UserName) != directory.FoldAddress(u.Email) {
		u.UserName = u.Email
		err = w.Store.CreateUsers(ctx, u)
		taken, ok = errors.AsType[*store.AddressTaken](err)
	}
	switch {
	case err == nil:
		cand.UserID = u.ID
		w.count("created", 1)
		return nil, nil
	case ok && taken.Field == "email":
		cand.UserID, cand.Verdict = taken.Owner, VerdictInDirectory
		w.count("existing", 1)
		return nil, nil
	case ok:
		cand.Verdict = VerdictExcluded
		item := cand.refuse("user-name-taken", w.taken(ctx, err).Error())
		return &item, nil
	}
	return nil, err
}

// createBatch is how many users one transaction makes.
const createBatch = 19

// distinct returns how many users from the start can be made in one
// transaction: none of them shares an address or a name with another.
func distinct(users []*directory.User) int {
	emails, names := map[string]bool{}, map[string]bool{}
	for i, u := range users {
		email, name := directory.FoldAddress(u.Email), directory.FoldAddress(u.UserName)
		if i == createBatch || emails[email] || names[name] {
			return i
		}
		emails[email], names[name] = true, true
	}
	return len(users)
}
