package roster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
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
	// Read is how many pages of the list are dealt with, whatever had to be read
	// again; their accounts are stored, so that none of them counts twice.
	Read int `json:"read,omitempty"`
	// Loops is how often in a row the list turned in a circle; nothing is read
	// before Rest then.
	Loops int       `json:"loops,omitempty"`
	Rest  time.Time `json:"rest,omitzero"`
}

// importWindow is how many accounts one step deals with.
const importWindow = 200

// accountPage is the tenant's page that a slice works on.
type accountPage struct {
	link string
	ids  []string // of all its accounts, also of those that former pages had
	directory.AccountPage
}

// StartImport starts an import.
func (s *Service) StartImport(ctx context.Context, id directory.ConnectionID, req ImportRequest, by Caller) (directory.Job, error) {
	if req.All == (len(req.AccountIDs) > 0) {
		return directory.Job{}, directory.Refuse(directory.ErrInvalid, "invalid-body",
			"An import is of the accounts in accountIds, or of all.", "Name accounts, or set all to true, not both.")
	}
	for i, a := range req.AccountIDs {
		if directory.TidyAddress(string(a)) == "" || len(a) > 320 {
			r := directory.Refuse(directory.ErrInvalid, "invalid-body", "The import was not started.", "Correct the members named in errors.")
			r.Fields = []directory.FieldError{{Field: fmt.Sprintf("accountIds[%d]", i), Detail: "is not the ID of an account"}}
			return directory.Job{}, r
		}
	}
	c, err := s.working(ctx, id)
	if err != nil {
		return directory.Job{}, err
	}
	seen := make(map[string]bool, len(req.AccountIDs))
	var ids []directory.AccountID
	for _, a := range req.AccountIDs {
		a = directory.AccountID(directory.TidyAddress(string(a)))
		if folded := directory.FoldAddress(string(a)); !seen[folded] {
			seen[folded], ids = true, append(ids, a)
		}
	}
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
	if rest := cur.Rest.Sub(w.now()); rest > 0 {
		return outcome{}, &directory.ThrottledError{RetryAfter: rest} // somebody woke it too early
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
			if err := cur.Paging.Restart("the tenant's accounts", "a link was not known any more"); err != nil {
				return nil, outcome{}, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
			}
			*cur = importCursor{accountCursor: accountCursor{Paging: cur.Paging}, Read: cur.Read, Loops: cur.Loops}
			w.page = nil // it may be the first one, whose accounts are dealt with by now
			return nil, outcome{}, nil
		}
		if err != nil {
			return nil, outcome{}, err
		}
		ids := page.IDs()
		if page.Accounts, err = w.unread(ctx, page.Accounts, cur.Read); err != nil {
			return nil, outcome{}, err
		}
		w.page = &accountPage{cur.Link, ids, page}
	}
	from := min(cur.Offset, len(w.page.Accounts))
	end := min(from+importWindow, len(w.page.Accounts))
	accounts := w.page.Accounts[from:end]
	var out outcome
	switch {
	case end < len(w.page.Accounts):
		cur.Offset = end
	case w.page.Next != "":
		var err error
		if cur.accountCursor, err = cur.next(w.page.ids, w.page.Next); err != nil {
			return nil, outcome{}, err
		}
		if err := w.Store.SavePage(ctx, w.job.ID, cur.Read, encodeIDs(w.page.ids)); err != nil {
			return nil, outcome{}, err
		}
		w.dealtWith(w.page.ids)
		cur.Read++
	default:
		cur.Offset, out.ended = end, true
	}
	return accounts, out, nil
}

// unread leaves the accounts out that former pages had: a list that begins anew,
// or that turns in a circle, has them again. pages is how many those are.
func (w *jobWorker) unread(ctx context.Context, accounts []directory.Account, pages int) ([]directory.Account, error) {
	if w.seen == nil {
		seen := map[uint64]struct{}{}
		err := w.Store.Pages(ctx, w.job.ID, pages, func(data []byte) {
			for ; len(data) >= 8; data = data[8:] {
				seen[binary.LittleEndian.Uint64(data)] = struct{}{}
			}
		})
		if err != nil {
			return nil, err
		}
		w.seen = seen
	}
	here := map[directory.AccountID]bool{}
	return slices.DeleteFunc(accounts, func(a directory.Account) bool {
		_, before := w.seen[hashOf(string(a.ID))]
		twice := before || here[a.ID]
		here[a.ID] = true
		return twice
	}), nil
}

func (w *jobWorker) dealtWith(ids []string) {
	for _, id := range ids {
		w.seen[hashOf(id)] = struct{}{}
	}
}

// encodeIDs keeps eight bytes of each ID: among 100,000 accounts two are taken for
// one with a chance of 1 in 10^9.
func encodeIDs(ids []string) []byte {
	data := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		data = binary.LittleEndian.AppendUint64(data, hashOf(id))
	}
	return data
}

func hashOf(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(id)))
	return h.Sum64()
}

// longestRest is the longest time between two tries of an import whose list turns
// in a circle.
const longestRest = 2 * time.Hour

// rest puts an import off whose list turns in a circle; then it reads from the
// start. After a day it fails.
func (w *jobWorker) rest(ctx context.Context, p *directory.Problem) (bool, time.Duration, error) {
	var cur importCursor
	if err := w.cursor(&cur); err != nil {
		return w.end(ctx, p)
	}
	cur = importCursor{Read: cur.Read, Loops: cur.Loops + 1}
	delay := min(longestRest, 5*time.Minute<<min(cur.Loops-1, 10))
	cur.Rest = w.now().Add(delay)
	since := w.now().UTC()
	if old := w.job.Error; old != nil && old.Code == p.Code {
		since = old.Since
	}
	p.Since, p.Attempts, w.job.Error = since, cur.Loops, p
	if cur.Rest.Sub(w.job.Created) > patience {
		p.Next = "Start the import again later: what is done already is not done twice. If it stays so, open a case with Microsoft's support."
		return w.end(ctx, p)
	}
	w.job.Attempts--
	w.log().Error("the tenant's pages do not come to an end; the job rests", "job", w.job.ID, "rounds", cur.Loops)
	if err := w.saveCursor(cur); err != nil {
		return w.end(ctx, p)
	}
	return w.pause(ctx, delay)
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
			choices = append(choices, choice{list[i].UserID, list[i].ID, list[i].UserPrincipalName, list[i].employee})
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
		c := clean(path, value(&cand.profile, path))
		if c.fault != "" {
			if left, ok := spared(path, c.fault); ok {
				cand.Warnings = append(cand.Warnings, left)
			} else {
				faults = append(faults, directory.FieldError{Field: path, Detail: c.fault})
			}
			continue
		}
		e[path] = c.text
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
		err := w.Store.CreateUsers(ctx, directory.Act{}, users[at:at+n]...)
		_, taken := errors.AsType[*store.AddressTaken](err)
		switch {
		case err == nil:
			for i := at; i < at+n; i++ {
				cands[i].UserID = users[i].ID
				w.note(cands[i])
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
	err := w.Store.CreateUsers(ctx, directory.Act{}, u)
	taken, ok := errors.AsType[*store.AddressTaken](err)
	if ok && taken.Field == "userName" && directory.FoldAddress(u.UserName) != directory.FoldAddress(u.Email) {
		u.UserName = u.Email
		err = w.Store.CreateUsers(ctx, directory.Act{}, u)
		taken, ok = errors.AsType[*store.AddressTaken](err)
	}
	switch {
	case err == nil:
		cand.UserID = u.ID
		w.count("created", 1)
		w.note(cand)
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

// note tells what a person should know about an account that was imported.
func (w *jobWorker) note(c *Candidate) {
	for _, warning := range c.Warnings {
		w.tell(directory.JobNote{AccountID: c.ID, Name: c.UserPrincipalName, Warning: warning})
	}
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
