package roster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

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
	return directory.Refuse(directory.ErrInvalid, "invalid-file", detail, "Save it as an Excel workbook (.xlsx) without a password, or as CSV in UTF-8.")
}

func checkWorkbookSize(size int64) error {
	if size <= MaxWorkbook {
		return nil
	}
	return directory.Refuse(directory.ErrTooLarge, "workbook-too-large", fmt.Sprintf("The workbook has %d bytes; at most %d are read.", size, MaxWorkbook),
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
	l := sheetLayout()
	row, names, err := b.header()
	if err != nil {
		return l, err
	}
	if names == nil {
		return l, emptyFile()
	}
	l.sheet, l.header = b.Name(), row
	if l.columns, err = readColumns(names, as.Unknown); err != nil {
		return l, err
	}
	if line, err := sheetLine(row, l.columns.names()); err != nil || len(line) > maxLine {
		return l, cmp.Or(err, badWorkbook(fmt.Sprintf("The header row is longer than %d bytes.", maxLine)))
	}
	return l, nil
}

func sheetLayout() layout {
	return layout{format: FormatXLSX, encoding: EncodingUTF8, certain: true, end: '\n', first: filePlace{Line: 1}}
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
		return l, cmp.Or(err, emptyFile())
	}
	return l, nil
}

// readSheetHeader reads the layout of the text that a sheet became, whose first
// line is the header row.
func (f *file) readSheetHeader(ctx context.Context, as LoadOptions, sheet string) (layout, error) {
	l := sheetLayout()
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
	l.columns, err = readColumns(row.Cells, as.Unknown)
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

// unpackStep keeps one more part of a sheet's rows as text. The header row is
// its first line.
func (w *jobWorker) unpackStep(ctx context.Context, in loadInput, cur loadCursor) (outcome, error) {
	if err := w.openSheet(ctx, in, cur); err != nil {
		return outcome{}, err
	}
	var part []byte
	if cur.Row == 0 {
		l, err := w.book.layout(in.LoadOptions)
		if err != nil {
			return outcome{}, err
		}
		w.job.File, cur.Row = l.told(), l.header
		if part, err = sheetLine(l.header, l.columns.names()); err != nil {
			return outcome{}, err
		}
	}
	for {
		row, cells, err := w.book.next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return outcome{}, err
		}
		if cells == nil {
			return w.unpacked(ctx, in, cur, part)
		}
		line, err := sheetLine(row, cells)
		if err != nil {
			return outcome{}, err
		}
		if len(part)+len(line) > maxPart {
			w.book.unread(row, cells)
			break
		}
		part = append(part, line...)
		cur.Row = row
		if cur.Counted++; cur.Counted > maxLines {
			return outcome{}, tooManyLines()
		}
	}
	part = append(part, bytes.Repeat([]byte("\n"), maxPart-len(part))...)
	n := in.parts() + int(cur.Text/maxPart)
	if cur.Text += maxPart; cur.Text > maxSheetText {
		return outcome{}, directory.Refuse(directory.ErrTooLarge, "workbook-too-large", fmt.Sprintf("The sheet holds more than %d MB of text.", maxSheetText>>20),
			"Save the sheet as CSV in UTF-8, or split it.")
	}
	return outcome{}, w.addPart(ctx, cur, n, part)
}

// unpacked ends the unpacking with the last part.
func (w *jobWorker) unpacked(ctx context.Context, in loadInput, cur loadCursor, part []byte) (outcome, error) {
	if cur.Counted == 0 {
		return outcome{}, emptyFile()
	}
	w.job.Total = cur.Counted
	n := in.parts() + int(cur.Text/maxPart)
	cur.Phase, cur.Text = phaseLoad, cur.Text+int64(len(part))
	return outcome{}, w.addPart(ctx, cur, n, part)
}

func (w *jobWorker) addPart(ctx context.Context, cur loadCursor, n int, part []byte) error {
	if err := w.saveCursor(cur); err != nil || len(part) == 0 {
		return err
	}
	return w.Store.AddJobInput(ctx, w.lease, w.job, n, part, jobLease)
}

// openSheet opens the sheet of a load behind the row that was kept last, once a
// slice.
func (w *jobWorker) openSheet(ctx context.Context, in loadInput, cur loadCursor) error {
	if w.book != nil {
		return nil
	}
	f, err := w.source(in)
	if err != nil {
		return err
	}
	data, err := f.all(ctx)
	if err != nil {
		return err
	}
	if w.book, err = w.OpenSheet.book(data, in.Sheet); err != nil {
		return err
	}
	return w.book.Skip(ctx, cur.Row)
}

// closeSheet closes what openSheet has opened.
func (w *jobWorker) closeSheet() {
	if w.book == nil {
		return
	}
	if err := w.book.Close(); err != nil {
		w.log().Warn("workbook not closed; its unpacked files may lie in the folder of temporary files", "job", w.job.ID, "error", err)
	}
	w.book = nil
}

// sheetLine is a row as a line of text; of one that is too long, only that it is.
func sheetLine(row int, cells []string) ([]byte, error) {
	line, err := json.Marshal(sheetRow{Row: row, Cells: cells})
	if err == nil && len(line) > maxLine {
		line, err = json.Marshal(sheetRow{Row: row, Long: true})
	}
	return append(line, '\n'), err
}
