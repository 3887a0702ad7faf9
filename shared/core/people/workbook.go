package people

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// A workbook cannot be read from its middle, as a text can. A load reads it once
// from front to end and keeps the rows of its sheet as lines of JSON in parts of
// the job's input, behind those of the workbook itself, if it came in a request;
// then the lines are loaded like those of any file.
//
//	unpack ─part by part─> load ─> clean
//
// A part is stored together with the place in the sheet, under the job's lease.
// All parts but the last are filled up with line breaks to one length, so that a
// place in the text leads to its part.

const (
	// MaxWorkbook is how large a workbook may be, in bytes: reading ten times as
	// many, unpacked, takes more than a minute of a small Lambda.
	MaxWorkbook = 10_000_000
	// maxSheetText is how much text the rows of a sheet may become.
	maxSheetText = 64 << 20
)

// sheetRow is a row of a sheet, as a line of JSON.
type sheetRow struct {
	Row   int      `json:"n"`
	Cells []string `json:"c,omitempty"`
	Long  bool     `json:"l,omitempty"` // longer than maxLine
}

// Sheet is a sheet of a workbook that is read row by row; package workbook has it.
type Sheet interface {
	// Name is the sheet's.
	Name() string
	// Skip passes over the rows up to row.
	Skip(ctx context.Context, row int) error
	// Next reads the next row that holds something: its number, from 1 on, and its
	// cells as texts. There are no cells at the end of the sheet.
	Next() (row int, cells []string, err error)
	// Close gives back what the sheet holds, files on the disk too.
	Close() error
}

// OpenSheet opens the sheet of a name of a workbook, "" for the first that is
// shown. What is wrong with the file is a *directory.Refusal.
type OpenSheet func(data []byte, name string) (Sheet, error)

// Sheets is an OpenSheet by a function that returns a type of its own.
func Sheets[S Sheet](open func(data []byte, name string) (S, error)) OpenSheet {
	return func(data []byte, name string) (Sheet, error) {
		s, err := open(data, name)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// book is a sheet whose last row can be read once more.
type book struct {
	Sheet
	row  int      // that was read last
	held []string // that row, to be read once more
}

// book opens a sheet of a workbook, within what is read of one.
func (open OpenSheet) book(data []byte, name string) (*book, error) {
	if err := checkWorkbookSize(int64(len(data))); err != nil {
		return nil, err
	}
	if open == nil {
		return nil, errors.New("this process reads no workbooks")
	}
	s, err := open(data, name)
	if err != nil {
		return nil, err
	}
	return &book{Sheet: s}, nil
}

// next is Next, or the row that was read last.
func (b *book) next() (row int, cells []string, err error) {
	if held := b.held; held != nil {
		b.held = nil
		return b.row, held, nil
	}
	b.row, cells, err = b.Next()
	return b.row, cells, err
}

// unread has next return the row that was read last once more.
func (b *book) unread(row int, cells []string) { b.row, b.held = row, cells }

// isWorkbook reports whether a file that begins so is a ZIP archive, as XLSX is.
func isWorkbook(head []byte) bool { return bytes.HasPrefix(head, []byte("PK\x03\x04")) }

// isOldWorkbook reports whether a file is of the kind that Excel wrote before
// 2007, and in which it wraps workbooks with a password.
func isOldWorkbook(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
}

func badWorkbook(detail string) error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFile, detail, "Save it as an Excel workbook (.xlsx) without a password, or as CSV in UTF-8.")
}

func checkWorkbookSize(size int64) error {
	if size <= MaxWorkbook {
		return nil
	}
	return directory.Refuse(directory.ErrTooLarge, directory.CodeWorkbookTooLarge, fmt.Sprintf("The workbook has %d bytes; at most %d are read.", size, MaxWorkbook),
		"Save the sheet as CSV in UTF-8, which may have 100,000,000 bytes, or split it.")
}

// header reads up to the header row.
func (b *book) header() (row int, names []string, err error) {
	for {
		row, names, err = b.next()
		if err != nil || names == nil || !isVersion([]byte(strings.Join(names, ","))) {
			return row, names, err
		}
	}
}

// layout is how the sheet's rows are read once they are lines of text.
func (b *book) layout(as LoadOptions) (layout, error) {
	l := sheetLayout(as.shape())
	row, names, err := b.header()
	if err != nil {
		return l, err
	}
	if names == nil {
		return l, l.shape.emptyFile()
	}
	l.sheet, l.header = b.Name(), row
	if l.columns, err = l.shape.columns(l.shape, names, as.Unknown); err != nil {
		return l, err
	}
	if line, err := sheetLine(row, l.columns.names()); err != nil || len(line) > maxLine {
		return l, cmp.Or(err, badWorkbook(fmt.Sprintf("The header row is longer than %d bytes.", maxLine)))
	}
	return l, nil
}

func sheetLayout(s *shape) layout {
	return layout{shape: s, format: FormatXLSX, encoding: EncodingUTF8, certain: true, end: '\n', first: filePlace{Line: 1}}
}

// all reads the whole file, which is a workbook.
func (f *file) all(ctx context.Context) ([]byte, error) {
	if err := checkWorkbookSize(f.size); err != nil {
		return nil, err
	}
	data := make([]byte, 0, f.size)
	for int64(len(data)) < f.size {
		more, err := f.read(ctx, int64(len(data)))
		if err == nil && len(more) == 0 {
			err = fmt.Errorf("file of %d bytes ends at %d: %w", f.size, len(data), io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, err
		}
		data = append(data, more...)
	}
	return data, nil
}

// workbookLayout reads the header row of the file, which is a workbook, and that
// there is a row behind it.
func (f *file) workbookLayout(ctx context.Context, as LoadOptions) (l layout, err error) {
	data, err := f.all(ctx)
	if err != nil {
		return layout{}, err
	}
	b, err := f.sheets.book(data, as.Sheet)
	if err != nil {
		return layout{}, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if l, err = b.layout(as); err != nil {
		return l, err
	}
	if _, cells, err := b.next(); err != nil || cells == nil {
		return l, cmp.Or(err, l.shape.emptyFile())
	}
	return l, nil
}

// readSheetHeader reads the layout of the text that a sheet became, whose first
// line is the header row.
func (f *file) readSheetHeader(ctx context.Context, as LoadOptions, sheet string) (layout, error) {
	l := sheetLayout(as.shape())
	l.sheet = sheet
	head, whole, err := f.from(ctx, 0)
	if err != nil {
		return l, err
	}
	n, what := l.element(head, whole)
	var row sheetRow
	if what != elementWhole || json.Unmarshal(head[:n], &row) != nil {
		return l, errors.New("job input: the header row of a sheet is not there")
	}
	l.header = row.Row
	l.pass(&l.first, head[:n])
	l.columns, err = l.shape.columns(l.shape, row.Cells, as.Unknown)
	return l, err
}

// cellErrors are what a spreadsheet shows in place of a value that it could not
// compute.
var cellErrors = []string{"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA"}

// parseSheetRow reads a row of a sheet.
func (l *layout) parseSheetRow(line int, element []byte) loadLine {
	var row sheetRow
	if err := json.Unmarshal(element, &row); err != nil {
		return faulty(line, errors.New("the row cannot be read"))
	}
	if row.Long {
		return faulty(row.Row, fmt.Errorf("the row is longer than %d bytes", maxLine))
	}
	return l.columns.parse(row.Row, row.Cells)
}

// sheetWorker is the sheet of a load that is being unpacked; the zero value has
// none open.
type sheetWorker struct{ book *book }

// openSheet opens the sheet of a load behind the row that was kept last, once a slice.
func (w *loadWorker) openSheet(ctx context.Context, j *jobs.Job, in loadInput, at loadPlace) (*book, error) {
	if w.sheet.book != nil {
		return w.sheet.book, nil
	}
	data, err := w.source(j, in).all(ctx)
	if err != nil {
		return nil, err
	}
	b, err := w.loads.sheets.book(data, in.Sheet)
	if err != nil {
		return nil, err
	}
	w.sheet.book = b
	return b, b.Skip(ctx, at.Row)
}

// close closes what openSheet has opened.
func (s *sheetWorker) close() error {
	if s.book == nil {
		return nil
	}
	err := s.book.Close()
	s.book = nil
	if err != nil {
		return fmt.Errorf("workbook; its unpacked files may lie in the folder of temporary files: %w", err)
	}
	return nil
}

// unpack keeps one more part of a sheet's rows as text. The header row is
// its first line.
func (w *loadWorker) unpack(ctx context.Context, j *jobs.Job, in loadInput, at loadPlace) error {
	b, err := w.openSheet(ctx, j, in, at)
	if err != nil {
		return err
	}
	var part []byte
	if at.Row == 0 {
		l, err := b.layout(in.LoadOptions)
		if err != nil {
			return err
		}
		j.File = l.describe()
		at.Row = l.header
		if part, err = sheetLine(l.header, l.columns.names()); err != nil {
			return err
		}
	}
	n := in.parts() + int(at.Text/jobs.MaxPart)
	part, ended, err := b.fillPart(ctx, in.shape(), part, &at)
	if err != nil {
		return err
	}
	if ended {
		if at.Counted == 0 {
			return in.shape().emptyFile()
		}
		j.Total = at.Counted
		at.Phase = phaseLoad
		at.Text += int64(len(part))
		return addPart(ctx, j, at, n, part)
	}
	part = append(part, bytes.Repeat([]byte("\n"), jobs.MaxPart-len(part))...)
	at.Text += jobs.MaxPart
	if at.Text > maxSheetText {
		return directory.Refuse(directory.ErrTooLarge, directory.CodeWorkbookTooLarge, fmt.Sprintf("The sheet holds more than %d MB of text.", maxSheetText>>20),
			"Save the sheet as CSV in UTF-8, or split it.")
	}
	return addPart(ctx, j, at, n, part)
}

// fillPart adds the next rows to a part, as many as fit into it, and moves the
// place on. ended says that there are no more.
func (b *book) fillPart(ctx context.Context, of *shape, part []byte, at *loadPlace) (filled []byte, ended bool, err error) {
	for {
		row, cells, err := b.next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, false, err
		}
		if cells == nil {
			return part, true, nil
		}
		line, err := sheetLine(row, cells)
		if err != nil {
			return nil, false, err
		}
		if len(part)+len(line) > jobs.MaxPart {
			b.unread(row, cells)
			return part, false, nil
		}
		part = append(part, line...)
		at.Row = row
		at.Counted++
		if at.Counted > maxLines {
			return nil, false, of.tooManyLines()
		}
	}
}

// addPart stores a part of the sheet's text, and where the load stands then.
func addPart(ctx context.Context, j *jobs.Job, at loadPlace, n int, part []byte) error {
	if err := j.SetPlace(at); err != nil || len(part) == 0 {
		return err
	}
	return j.AddPart(ctx, n, part)
}

// sheetLine is a row as a line of text; of one that is too long, only that it is.
func sheetLine(row int, cells []string) ([]byte, error) {
	line, err := json.Marshal(sheetRow{Row: row, Cells: cells})
	if err == nil && len(line) > maxLine {
		line, err = json.Marshal(sheetRow{Row: row, Long: true})
	}
	return append(line, '\n'), err
}
