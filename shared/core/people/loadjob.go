package people

import (
	"context"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// loadPlace is the place of a load. An uploaded file is counted first, so that
// one with too many lines changes nothing; then it is loaded, then deleted.
type loadPlace struct {
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

// Load is the kind of jobs that StartLoad and LoadUpload start, loads and checks.
func (s *Loads) Load(*jobs.Job) jobs.Worker { return &loadWorker{loads: s} }

// loadWorker is one slice of a load.
type loadWorker struct {
	loads *Loads

	file     *file  // nil until it is opened
	layout   layout // of file
	rows     rowReader
	repeats  *repeats       // of a check
	planned  *plannedGroups // of a check of groups
	sheet    sheetWorker
	elements jobs.List[loadLine] // of a job of an older version
}

// Close closes the workbook that is being unpacked.
func (w *loadWorker) Close() error { return w.sheet.close() }

// Step does the next step of the phase that the load is in.
func (w *loadWorker) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	var in loadInput
	if err := j.ReadInput(&in); err != nil {
		return jobs.Result{}, err
	}
	if in.Size == 0 {
		return w.readElements(ctx, j, in)
	}
	at := loadPlace{Phase: firstPhase(&in)}
	if err := j.ReadPlace(&at); err != nil {
		return jobs.Result{}, err
	}
	if at.Phase == phaseClean {
		return jobs.Result{Ended: true}, w.loads.uploads.Delete(ctx, in.Upload)
	}
	if at.Phase == phaseUnpack {
		return jobs.Result{}, w.unpack(ctx, j, in, at)
	}
	if err := w.open(ctx, j, in, at); err != nil {
		return jobs.Result{}, err
	}
	if at.Line == 0 {
		at.filePlace = w.layout.first
	}
	if at.Phase == phaseCount {
		return jobs.Result{}, w.count(ctx, j, in, at)
	}
	return w.load(ctx, j, in, at)
}

// firstPhase is the phase that a load begins with.
func firstPhase(in *loadInput) string {
	if in.Format == FormatXLSX {
		return phaseUnpack
	}
	if in.Upload != "" {
		return phaseCount
	}
	return phaseLoad
}

// open opens the file of a load and reads how it is to be read, once a slice.
func (w *loadWorker) open(ctx context.Context, j *jobs.Job, in loadInput, at loadPlace) error {
	if w.file != nil {
		return nil
	}
	f, l, err := w.opened(ctx, j, in, at)
	if err != nil {
		return err
	}
	w.file = f
	w.layout = l
	return nil
}

func (w *loadWorker) opened(ctx context.Context, j *jobs.Job, in loadInput, at loadPlace) (*file, layout, error) {
	as := in.LoadOptions
	if in.Format == FormatXLSX {
		f := partsFile(j, in.parts(), at.Text)
		l, err := f.readSheetHeader(ctx, as, j.File.Sheet)
		return f, l, err
	}
	if at.Phase == phaseLoad {
		as.Encoding = EncodingUTF8 // of a job of an older version, which knew no other
		if j.File != nil {
			as.Encoding = Encoding(j.File.Encoding)
		}
	}
	f := w.source(j, in)
	l, err := f.layout(ctx, as)
	return f, l, err
}

// source is the file that is loaded, as it came.
func (w *loadWorker) source(j *jobs.Job, in loadInput) *file {
	if in.Upload == "" {
		return partsFile(j, 0, in.Size)
	}
	return w.loads.uploaded(in.Upload, directory.StoredFile{Size: in.Size, Version: in.Version})
}

// partsFile is the file that lies in the parts of a job's input from one on.
func partsFile(j *jobs.Job, first int, size int64) *file {
	return &file{size: size, read: func(ctx context.Context, offset int64) ([]byte, error) {
		part, err := j.Part(ctx, first+int(offset/jobs.MaxPart))
		return part[min(int64(len(part)), offset%jobs.MaxPart):], err
	}}
}

// count counts the next lines of an uploaded file; behind the last one, the load
// begins.
func (w *loadWorker) count(ctx context.Context, j *jobs.Job, in loadInput, at loadPlace) error {
	n, behind, err := w.file.count(ctx, &w.layout, at.filePlace, countBytes, &at.Seen)
	if err != nil {
		return err
	}
	at.Counted += n
	at.filePlace = behind
	if at.Counted > maxLines {
		return w.layout.shape.tooManyLines()
	}
	if at.Offset < w.file.size {
		return j.SetPlace(at)
	}
	if at.Counted == 0 {
		return w.layout.shape.emptyFile()
	}
	if err := w.file.chooseEncoding(ctx, &w.layout, in.LoadOptions, at.Seen); err != nil {
		return err
	}
	w.file.as(w.layout.encoding)
	j.Total = at.Counted
	j.File = w.layout.describe()
	return j.SetPlace(loadPlace{Phase: phaseLoad, filePlace: w.layout.first})
}

// load loads the next lines.
func (w *loadWorker) load(ctx context.Context, j *jobs.Job, in loadInput, at loadPlace) (jobs.Result, error) {
	if in.CheckOnly {
		if err := w.remember(ctx, j, in, at.filePlace); err != nil {
			return jobs.Result{}, err
		}
	}
	window, whole, err := w.file.from(ctx, at.Offset)
	if err != nil {
		return jobs.Result{}, err
	}
	var lines []loadLine
	at.filePlace = w.layout.scan(window, whole, at.filePlace, loadWindow, func(line int, element []byte) {
		lines = append(lines, w.layout.parse(&w.rows, line, element))
	})
	result, err := w.loadLines(ctx, j, in, lines)
	if err != nil {
		return jobs.Result{}, err
	}
	if at.Offset == w.file.size {
		at.Phase = phaseClean
		result.Ended = in.Upload == "" || in.CheckOnly
	}
	return result, j.SetPlace(at)
}

// readElements does a step of a job whose elements an older version read before
// it stored them.
func (w *loadWorker) readElements(ctx context.Context, j *jobs.Job, in loadInput) (jobs.Result, error) {
	var at jobs.Place
	if err := j.ReadPlace(&at); err != nil {
		return jobs.Result{}, err
	}
	lines, next, err := w.elements.Window(ctx, j, at, loadWindow)
	if err != nil || len(lines) == 0 {
		return jobs.Result{Ended: err == nil}, err
	}
	result, err := w.loadLines(ctx, j, in, lines)
	if err != nil {
		return jobs.Result{}, err
	}
	return result, j.SetPlace(next)
}

// remember reads, once a slice, what a check is to know of the lines before a place.
func (w *loadWorker) remember(ctx context.Context, j *jobs.Job, in loadInput, until filePlace) error {
	if in.Of == OfGroups {
		return w.planAgain(ctx, j, in, until)
	}
	if w.repeats != nil {
		return nil
	}
	r, err := w.readRepeats(ctx, j, in, until)
	w.repeats = r
	return err
}

// planAgain has the lines before a place checked once more, for what they would have
// made of groups; the rest of what comes of it counted before.
func (w *loadWorker) planAgain(ctx context.Context, j *jobs.Job, in loadInput, until filePlace) error {
	if w.planned != nil {
		return nil
	}
	p := newPlannedGroups()
	var lines []loadLine
	check := func() error {
		_, err := w.loads.groupLoader(j, in, p).load(ctx, lines)
		lines = nil
		return err
	}
	err := w.eachLine(ctx, until.Offset, func(l loadLine) error {
		if lines = append(lines, l); len(lines) < loadWindow {
			return nil
		}
		return check()
	})
	if err == nil && len(lines) > 0 {
		err = check()
	}
	if err == nil {
		w.planned = p
	}
	return err
}

// write writes lines, or says what would become of them.
func (w *loadWorker) write(ctx context.Context, j *jobs.Job, in loadInput, lines []loadLine) (loaded, error) {
	if in.Of == OfGroups {
		return w.loads.groupLoader(j, in, w.planned).load(ctx, lines)
	}
	return w.loads.loader(j, in, w.repeats).load(ctx, lines)
}

// loadLines loads the elements of one step, and notes on the job what came of them.
func (w *loadWorker) loadLines(ctx context.Context, j *jobs.Job, in loadInput, lines []loadLine) (jobs.Result, error) {
	done, err := w.write(ctx, j, in, lines)
	if err != nil {
		return jobs.Result{}, err
	}
	for id := range done.woken {
		w.loads.users.wake(ctx, id)
	}
	for what, n := range done.counts {
		j.Count(what, n)
	}
	for _, n := range done.notes {
		j.Note(n)
	}
	j.Done += len(lines)
	reported := min(len(done.refused), max(0, maxReported-j.RefusedCount))
	unlisted := len(done.refused) - reported
	j.RefusedCount += unlisted
	j.RefusedUnlisted += unlisted
	return jobs.Result{Refused: jobs.Short(done.refused[:reported])}, nil
}

// Abandon deletes the uploaded file of a load that has failed. When that fails
// too, the file goes by its age.
func (w *loadWorker) Abandon(ctx context.Context, j *jobs.Job) {
	var in loadInput
	loads := j.Kind == directory.JobLoad || j.Kind == directory.JobLoadGroups
	if !loads || j.ReadInput(&in) != nil || in.Upload == "" {
		return
	}
	if err := w.loads.uploads.Delete(ctx, in.Upload); err != nil {
		w.loads.log.Warn("uploaded file not deleted; it goes by its age", "jobId", j.ID, "error", err)
	}
}
