package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// LoadOptions say how a file is to be read and loaded. What is not said of the
// file, it says itself.
type LoadOptions struct {
	Format   Format   `json:"format,omitempty"`
	Encoding Encoding `json:"encoding,omitempty"`
	// Sheet of a workbook, by its name; "" is the first one that is shown.
	Sheet   string         `json:"sheet,omitempty"`
	Unknown UnknownColumns `json:"unknownColumns,omitempty"`
	// ApplyStatus lets another system's column of who is active change the state of
	// users who are here; else it counts for new ones only.
	ApplyStatus bool `json:"applyStatus,omitempty"`
	// CheckOnly reads, matches and counts, and writes no user.
	CheckOnly bool `json:"checkOnly,omitempty"`
}

func (o LoadOptions) kind() directory.JobKind {
	if o.CheckOnly {
		return directory.JobCheck // which an older version leaves alone
	}
	return directory.JobLoad
}

// loadInput is the input of a load: of a file that came with the request, which
// is in the job's parts, or of one that was uploaded.
type loadInput struct {
	Source  directory.Source `json:"source"`
	Subject string           `json:"subject"`
	LoadOptions
	// Size of the file; 0 in a job of an older version, whose parts hold the
	// elements, read already.
	Size   int64              `json:"size,omitempty"`
	Upload directory.UploadID `json:"upload,omitempty"`
	// Version of the uploaded file that is loaded, and no other.
	Version string `json:"version,omitempty"`
}

// loadCursor is the place of a load. An uploaded file is counted first, so that
// one with too many lines changes nothing; then it is loaded, then deleted.
type loadCursor struct {
	Phase   string `json:"phase,omitempty"`
	Counted int    `json:"counted,omitempty"`
	filePlace
	// Seen is what was counted of a file whose encoding is a guess.
	Seen evidence `json:"seen,omitzero"`
	// Row of a sheet that was unpacked last, and Text, how many bytes of text all
	// of them are.
	Row  int   `json:"row,omitempty"`
	Text int64 `json:"text,omitempty"`
}

// The phases of a load.
const (
	phaseCount  = "count"
	phaseUnpack = "unpack"
	phaseLoad   = "load"
	phaseClean  = "clean"
)

const (
	// loadWindow is how many lines one step deals with.
	loadWindow = 90
	// countBytes is how much of a file one step counts.
	countBytes = 16 << 20
	// maxReported is how many faulty lines a load reports; more are counted.
	maxReported = 10_000
)

// StartLoad starts the load of a file of users, or the check of one. A file that
// cannot be read at all is refused at once; faults of single lines are reported
// by the job.
func (s *Service) StartLoad(ctx context.Context, data []byte, as LoadOptions, by Caller) (directory.Job, error) {
	if len(data) > MaxBody {
		return directory.Job{}, directory.Refuse(directory.ErrTooLarge, "body-too-large",
			fmt.Sprintf("The file has %d bytes; at most %d are taken in a request.", len(data), MaxBody), UploadInstead)
	}
	f := memoryFile(data)
	f.sheets = s.OpenSheet
	l, err := f.layout(ctx, as)
	if err != nil {
		return directory.Job{}, err
	}
	n := 0
	if l.format != FormatXLSX { // whose rows are counted when it is unpacked
		var seen evidence
		n, _, err = f.count(ctx, &l, l.first, f.size, &seen)
		if err == nil && n == 0 {
			err = emptyFile()
		}
		if err == nil {
			err = f.settle(ctx, &l, as, seen)
		}
		if err != nil {
			return directory.Job{}, err
		}
	}
	in := loadInput{Source: by.source(), Subject: by.Subject, LoadOptions: as, Size: f.size}
	in.Format = l.format
	j, err := s.jobRecord(as.kind(), "", by, in, n)
	if err != nil {
		return directory.Job{}, err
	}
	j.File = l.told()
	return s.startJob(ctx, j, slices.Collect(slices.Chunk(data, maxPart)))
}

// settle reads the layout again when all of the file shows another encoding than
// its beginning did.
func (f *file) settle(ctx context.Context, l *layout, as LoadOptions, seen evidence) error {
	if l.certain {
		return nil
	}
	var err error
	if as.Encoding = seen.encoding(); as.Encoding != l.encoding {
		*l, err = f.layout(ctx, as)
	}
	return err
}

// told is what a job says of its file.
func (l *layout) told() *directory.LoadedFile {
	f := &directory.LoadedFile{Format: string(l.format), Sheet: l.sheet, HeaderLine: l.header, Export: l.columns.export}
	if l.format != FormatXLSX {
		f.Encoding = string(l.encoding)
	}
	if l.format == FormatCSV {
		f.Separator = string(l.comma)
	}
	for _, c := range l.columns.list {
		told := directory.FileColumn{Name: c.name, Attribute: c.path, Ignored: c.ignored, Note: c.note}
		if r := []rune(told.Name); len(r) > 100 {
			told.Name = string(r[:100]) + "…"
		}
		f.Columns = append(f.Columns, told)
	}
	return f
}

func (w *jobWorker) loadStep(ctx context.Context) (outcome, error) {
	var in loadInput
	if err := json.Unmarshal(w.job.Input, &in); err != nil {
		return outcome{}, fmt.Errorf("job input: %w", err)
	}
	if in.Size == 0 {
		return w.loadReadStep(ctx, in)
	}
	cur := loadCursor{Phase: phaseLoad}
	switch {
	case in.Format == FormatXLSX:
		cur.Phase = phaseUnpack
	case in.Upload != "":
		cur.Phase = phaseCount
	}
	if err := w.cursor(&cur); err != nil {
		return outcome{}, fmt.Errorf("job cursor: %w", err)
	}
	if cur.Phase == phaseClean {
		return outcome{ended: true}, w.Files.Delete(ctx, in.Upload)
	}
	if cur.Phase == phaseUnpack {
		return w.unpackStep(ctx, in, cur)
	}
	if err := w.openLoad(ctx, in, cur); err != nil {
		return outcome{}, err
	}
	if cur.Line == 0 {
		cur.filePlace = w.layout.first
	}
	if cur.Phase == phaseCount {
		return w.countStep(ctx, in, cur)
	}
	return w.linesStep(ctx, in, cur)
}

// openLoad opens the file of a load and reads how it is to be read, once a slice.
func (w *jobWorker) openLoad(ctx context.Context, in loadInput, cur loadCursor) error {
	if w.file != nil {
		return nil
	}
	as := in.LoadOptions
	var f *file
	var err error
	if in.Format == FormatXLSX {
		f = w.partsFile(in.parts(), cur.Text)
		w.layout, err = f.readSheetHeader(ctx, as, w.job.File.Sheet)
	} else if f, err = w.source(in); err == nil {
		switch {
		case cur.Phase != phaseLoad:
		case w.job.File != nil:
			as.Encoding = Encoding(w.job.File.Encoding)
		default: // a job of an older version, which knew no other
			as.Encoding = EncodingUTF8
		}
		w.layout, err = f.layout(ctx, as)
	}
	if err == nil {
		w.file = f
	}
	return err
}

// parts is in how many parts of the job's input the file came.
func (in *loadInput) parts() int {
	if in.Upload != "" {
		return 0
	}
	return int((in.Size + maxPart - 1) / maxPart)
}

// source is the file that is loaded, as it came.
func (w *jobWorker) source(in loadInput) (*file, error) {
	switch {
	case in.Upload == "":
		return w.partsFile(0, in.Size), nil
	case w.Files == nil:
		return nil, errors.New("this process has no uploaded files")
	}
	return w.uploaded(in.Upload, directory.StoredFile{Size: in.Size, Version: in.Version}), nil
}

// partsFile is the file that lies in the parts of the job's input from one on.
func (w *jobWorker) partsFile(first int, size int64) *file {
	return &file{size: size, read: func(ctx context.Context, offset int64) ([]byte, error) {
		part, err := w.Store.JobInput(ctx, w.job, first+int(offset/maxPart))
		return part[min(int64(len(part)), offset%maxPart):], err
	}}
}

func (w *jobWorker) countStep(ctx context.Context, in loadInput, cur loadCursor) (outcome, error) {
	n, at, err := w.file.count(ctx, &w.layout, cur.filePlace, countBytes, &cur.Seen)
	if err != nil {
		return outcome{}, err
	}
	cur.Counted += n
	switch cur.filePlace = at; {
	case cur.Counted > maxLines:
		return outcome{}, tooManyLines()
	case at.Offset < w.file.size:
	case cur.Counted == 0:
		return outcome{}, emptyFile()
	default:
		if err := w.file.settle(ctx, &w.layout, in.LoadOptions, cur.Seen); err != nil {
			return outcome{}, err
		}
		w.file.as(w.layout.encoding)
		w.job.Total, w.job.File = cur.Counted, w.layout.told()
		cur = loadCursor{Phase: phaseLoad, filePlace: w.layout.first}
	}
	return outcome{}, w.saveCursor(cur)
}

func (w *jobWorker) linesStep(ctx context.Context, in loadInput, cur loadCursor) (outcome, error) {
	if in.CheckOnly && w.repeats == nil {
		if err := w.readRepeats(ctx, in, cur.filePlace); err != nil {
			return outcome{}, err
		}
	}
	window, whole, err := w.file.from(ctx, cur.Offset)
	if err != nil {
		return outcome{}, err
	}
	var lines []loadLine
	cur.filePlace = w.layout.scan(window, whole, cur.filePlace, loadWindow, func(line int, element []byte) {
		lines = append(lines, w.layout.parse(&w.rows, line, element))
	})
	out, err := w.loadLines(ctx, in, lines)
	if err != nil {
		return outcome{}, err
	}
	if cur.Offset == w.file.size {
		cur.Phase, out.ended = phaseClean, in.Upload == "" || in.CheckOnly
	}
	return out, w.saveCursor(cur)
}

// loadReadStep does a step of a job whose elements an older version read before
// it stored them.
func (w *jobWorker) loadReadStep(ctx context.Context, in loadInput) (outcome, error) {
	var at place
	if err := w.cursor(&at); err != nil {
		return outcome{}, fmt.Errorf("job cursor: %w", err)
	}
	lines, next, err := window[loadLine](ctx, w, at, loadWindow)
	if err != nil || len(lines) == 0 {
		return outcome{ended: err == nil}, err
	}
	out, err := w.loadLines(ctx, in, lines)
	if err != nil {
		return outcome{}, err
	}
	return out, w.saveCursor(next)
}

// loadLines loads the elements of one step.
func (w *jobWorker) loadLines(ctx context.Context, in loadInput, lines []loadLine) (outcome, error) {
	l := w.loader(in)
	if err := l.load(ctx, lines); err != nil {
		return outcome{}, err
	}
	for id := range l.woken {
		w.wake(ctx, id)
	}
	w.job.Done += len(lines)
	reported := min(len(l.refused), max(0, maxReported-w.job.RefusedCount))
	unlisted := len(l.refused) - reported
	w.job.RefusedCount += unlisted
	w.job.RefusedUnlisted += unlisted
	return outcome{refused: short(l.refused[:reported])}, nil
}

func (w *jobWorker) loader(in loadInput) *loader {
	return &loader{jobWorker: w, source: in.Source, options: in.LoadOptions, woken: map[directory.ConnectionID]bool{}}
}

// abandon deletes the uploaded file of a job that has failed. When that fails
// too, the file goes by its age.
func (w *jobWorker) abandon(ctx context.Context) {
	var in loadInput
	if w.job.Kind != directory.JobLoad || json.Unmarshal(w.job.Input, &in) != nil || in.Upload == "" || w.Files == nil {
		return
	}
	if err := w.Files.Delete(ctx, in.Upload); err != nil {
		w.log().Warn("uploaded file not deleted; it goes by its age", "job", w.job.ID, "error", err)
	}
}

// loader writes some lines of a file.
type loader struct {
	*jobWorker
	source  directory.Source
	options LoadOptions
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
	users, err := l.Store.UsersByID(ctx, ids)
	if err != nil {
		return err
	}
	l.users = make(map[string]directory.User, len(users))
	for address, id := range owners {
		if u, ok := users[id]; ok && u.Deleted == nil {
			l.users[address] = u
		}
	}
	if l.options.CheckOnly {
		l.repeats.begin(l.users, lines)
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
	wanted := line.Edit
	if line.Status != "" && line.Status != directory.StateActive {
		wanted = line.withStatus()
	}
	u, err := l.compose(wanted, l.source)
	u.EditedBy(l.job.By(), l.now())
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
		old, err := l.user(ctx, id, line)
		if err != nil {
			return l.sort(line, err)
		}
		if old.Deleted != nil {
			return l.sort(line, deleted(&old))
		}
		u, wanted := old, line.Edit
		differs := line.Status != "" && line.Edit["state"] == "" && line.Status != old.State
		if differs && l.options.ApplyStatus {
			wanted, differs = line.withStatus(), false
		}
		changed, err := wanted.apply(&u, l.source)
		if err != nil {
			return l.sort(line, err)
		}
		if !changed {
			l.did("unchanged", differs)
			l.note(line)
			return nil
		}
		if u.ManagerID != old.ManagerID {
			if err := l.checkManager(ctx, &u); err != nil {
				return l.sort(line, err)
			}
		}
		if directory.FoldAddress(u.UserName) != directory.FoldAddress(old.UserName) {
			// Of two lines that want one user name, the first gets it.
			if err := l.flush(ctx); err != nil {
				return err
			}
		}
		if l.options.CheckOnly {
			return l.would(ctx, "updated", differs, []loadLine{line}, &u)
		}
		u.EditedBy(l.job.By(), l.now())
		conn, err := l.Store.UpdateUser(ctx, directory.Act{}, &old, &u)
		if errors.Is(err, directory.ErrStale) {
			continue
		}
		if err != nil {
			return l.sort(line, l.taken(ctx, err))
		}
		if conn != "" {
			l.woken[conn] = true
		}
		l.did("updated", differs)
		l.note(line)
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
	if l.options.CheckOnly {
		return l.would(ctx, "created", false, lines, users...)
	}
	err := error(&store.AddressTaken{})
	if distinct(users) == len(users) {
		err = l.Store.CreateUsers(ctx, directory.Act{}, users...)
	}
	if err == nil {
		for _, u := range users {
			l.users[directory.FoldAddress(u.Email)] = *u
		}
		l.count("created", len(users))
		for _, line := range lines {
			l.note(line)
		}
		return nil
	}
	if !errors.Is(err, directory.ErrConflict) {
		return err
	}
	for i, u := range users {
		err := l.Store.CreateUsers(ctx, directory.Act{}, u)
		taken, ok := errors.AsType[*store.AddressTaken](err)
		switch {
		case err == nil:
			l.users[directory.FoldAddress(u.Email)] = *u
			l.count("created", 1)
			l.note(lines[i])
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

// user is one that a line is about, as it is, or as the lines before would have
// left it.
func (l *loader) user(ctx context.Context, id directory.UserID, line loadLine) (directory.User, error) {
	if u, ok := l.users[directory.FoldAddress(line.Edit["email"])]; ok && l.options.CheckOnly {
		return u, nil
	}
	return l.Get(ctx, id)
}

// note tells what a person should know about a line that was taken.
func (l *loader) note(line loadLine) {
	for _, warning := range line.Warnings {
		l.tell(directory.JobNote{Line: line.Line, Name: line.Edit["email"], Warning: warning})
	}
}

// did counts what became of a user, and that another system's status is another
// than the user's state, which stays.
func (l *loader) did(what string, differs bool) {
	l.count(what, 1)
	if differs {
		l.count("statusDiffers", 1)
	}
}

// would counts what a load would do with users, and does not do it.
func (l *loader) would(ctx context.Context, what string, differs bool, lines []loadLine, users ...*directory.User) error {
	var names []string
	for _, u := range users {
		names = append(names, u.UserName)
	}
	owners, err := l.Store.UserIDsByName(ctx, names)
	if err != nil {
		return err
	}
	for i, u := range users {
		name := directory.FoldAddress(u.UserName)
		holder, known := l.repeats.holders[name]
		if !known {
			holder = owners[name]
		}
		if holder != "" && holder != u.ID {
			if err := l.sort(lines[i], l.taken(ctx, &store.AddressTaken{Field: "userName", Value: u.UserName, Owner: holder})); err != nil {
				return err
			}
			continue
		}
		address := directory.FoldAddress(u.Email)
		if old, was := l.users[address]; was {
			l.repeats.keep(&old, u)
		} else {
			l.repeats.keep(nil, u)
		}
		l.users[address] = *u
		l.did(what, differs)
		l.note(lines[i])
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
