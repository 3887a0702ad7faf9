package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// loadInput is the input of a load; the lines are in its parts.
type loadInput struct {
	Source  directory.Source `json:"source"`
	Subject string           `json:"subject"`
}

// loadWindow is how many lines one step deals with.
const loadWindow = 90

// StartLoad starts the load of a file of users; format "" guesses by its first
// character. A file that cannot be read at all is refused at once; faults of
// single lines are reported by the job.
func (s *Service) StartLoad(ctx context.Context, data []byte, format Format, by Caller) (directory.Job, error) {
	if len(data) > MaxBody {
		return directory.Job{}, directory.Refuse(directory.ErrTooLarge, "body-too-large",
			fmt.Sprintf("The file has %d bytes; at most %d are allowed.", len(data), MaxBody),
			"Split it into files of at most 5 MB, each with its own header row if it is CSV, and load them one after the other.")
	}
	lines, err := parseFile(data, format)
	if err != nil {
		return directory.Job{}, err
	}
	parts, err := slicer(lines)
	if err != nil {
		return directory.Job{}, err
	}
	return s.newJob(ctx, directory.JobLoad, "", by, loadInput{by.source(), by.Subject}, len(lines), parts)
}

func (w *jobWorker) loadStep(ctx context.Context) (outcome, error) {
	var in loadInput
	var at place
	if err := json.Unmarshal(w.job.Input, &in); err != nil {
		return outcome{}, fmt.Errorf("job input: %w", err)
	}
	if err := w.cursor(&at); err != nil {
		return outcome{}, fmt.Errorf("job cursor: %w", err)
	}
	lines, next, err := window[loadLine](ctx, w, at, loadWindow)
	if err != nil || len(lines) == 0 {
		return outcome{ended: err == nil}, err
	}
	l := loader{jobWorker: w, source: in.Source, woken: map[directory.ConnectionID]bool{}}
	if err := l.load(ctx, lines); err != nil {
		return outcome{}, err
	}
	for id := range l.woken {
		w.wake(ctx, id)
	}
	w.job.Done += len(lines)
	return outcome{refused: short(l.refused)}, w.saveCursor(next)
}

// loader writes some lines of a file.
type loader struct {
	*jobWorker
	source  directory.Source
	users   map[string]directory.User // those that were there, by folded address
	new     []*directory.User         // not stored yet
	newLine []loadLine
	refused []directory.RefusedItem
	woken   map[directory.ConnectionID]bool
}

func (l *loader) load(ctx context.Context, lines []loadLine) error {
	if err := l.read(ctx, lines); err != nil {
		return err
	}
	for _, line := range lines {
		if err := l.line(ctx, line); err != nil {
			return err
		}
	}
	return l.flush(ctx)
}

// read looks up the users that the lines are about.
func (l *loader) read(ctx context.Context, lines []loadLine) error {
	addresses := make([]string, 0, len(lines))
	for _, line := range lines {
		addresses = append(addresses, line.Edit["email"])
	}
	owners, err := l.Store.UserIDsByEmail(ctx, addresses)
	if err != nil {
		return err
	}
	ids := make([]directory.UserID, 0, len(owners))
	for _, id := range owners {
		ids = append(ids, id)
	}
	users, err := l.Store.Users(ctx, ids)
	if err != nil {
		return err
	}
	l.users = make(map[string]directory.User, len(users))
	for address, id := range owners {
		if u, ok := users[id]; ok && u.Deleted == nil {
			l.users[address] = u
		}
	}
	return nil
}

func (l *loader) line(ctx context.Context, line loadLine) error {
	address := directory.FoldAddress(line.Edit["email"])
	if line.Code != "" {
		l.refuse(line, &directory.Refusal{Code: line.Code, Detail: line.Detail})
		return nil
	}
	if address == "" {
		l.refuse(line, &directory.Refusal{Code: "invalid-user", Detail: "email is required."})
		return nil
	}
	for _, u := range l.new {
		if directory.FoldAddress(u.Email) == address { // the same person again: an edit
			if err := l.flush(ctx); err != nil {
				return err
			}
			break
		}
	}
	if u, ok := l.users[address]; ok {
		return l.update(ctx, line, u.ID)
	}
	u, err := l.compose(line.Edit, l.source)
	u.EditedBy(l.job.AskedBy, l.now())
	if err == nil {
		err = l.checkManager(ctx, &u)
	}
	if err != nil {
		return l.sort(line, err)
	}
	l.new, l.newLine = append(l.new, &u), append(l.newLine, line)
	if distinct(l.new) < len(l.new) || len(l.new) == createBatch {
		return l.flush(ctx)
	}
	return nil
}

// update edits a user that is there.
func (l *loader) update(ctx context.Context, line loadLine, id directory.UserID) error {
	for range maxTries {
		old, err := l.Get(ctx, id)
		if err != nil {
			return l.sort(line, err)
		}
		if old.Deleted != nil {
			return l.sort(line, deleted(&old))
		}
		u := old
		changed, err := line.Edit.apply(&u, l.source)
		if err != nil {
			return l.sort(line, err)
		}
		if !changed {
			l.count("unchanged", 1)
			return nil
		}
		if u.ManagerID != old.ManagerID {
			if err := l.checkManager(ctx, &u); err != nil {
				return l.sort(line, err)
			}
		}
		u.EditedBy(l.job.AskedBy, l.now())
		conn, err := l.Store.UpdateUser(ctx, &old, &u)
		if errors.Is(err, directory.ErrStale) {
			continue
		}
		if err != nil {
			return l.sort(line, l.taken(ctx, err))
		}
		if conn != "" {
			l.woken[conn] = true
		}
		l.count("updated", 1)
		return nil
	}
	return fmt.Errorf("user %s is being edited all the time: %w", id, directory.ErrBusy)
}

// flush stores the new users: all in one transaction, or, when one of them
// cannot be stored, each by itself.
func (l *loader) flush(ctx context.Context) error {
	users, lines := l.new, l.newLine
	l.new, l.newLine = nil, nil
	if len(users) == 0 {
		return nil
	}
	err := error(&store.AddressTaken{})
	if distinct(users) == len(users) {
		err = l.Store.CreateUsers(ctx, users...)
	}
	if err == nil {
		for _, u := range users {
			l.users[directory.FoldAddress(u.Email)] = *u
		}
		l.count("created", len(users))
		return nil
	}
	if !errors.Is(err, directory.ErrConflict) {
		return err
	}
	for i, u := range users {
		err := l.Store.CreateUsers(ctx, u)
		taken, ok := errors.AsType[*store.AddressTaken](err)
		switch {
		case err == nil:
			l.users[directory.FoldAddress(u.Email)] = *u
			l.count("created", 1)
		case ok && taken.Field == "email": // somebody was faster: it is an edit now
			err = l.update(ctx, lines[i], taken.Owner)
		default:
			err = l.sort(lines[i], l.taken(ctx, err))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sort reports a fault of the line itself and returns any other error.
func (l *loader) sort(line loadLine, err error) error {
	r, ok := errors.AsType[*directory.Refusal](err)
	if !ok {
		return err
	}
	l.refuse(line, r)
	return nil
}

func (l *loader) refuse(line loadLine, r *directory.Refusal) {
	l.refused = append(l.refused, directory.RefusedItem{
		Line: line.Line, Name: line.Edit["email"], Code: r.Code, Detail: faultText(r),
	})
}
