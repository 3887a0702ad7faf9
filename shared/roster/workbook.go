package roster

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

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
	// maxUnpacked is how much the files in a workbook may have together, unpacked,
	// and maxBeside those of them that are neither a sheet nor the texts of one.
	maxUnpacked = 128 << 20
	maxBeside   = 16 << 20
	// maxEntries is how many files a workbook may have.
	maxEntries = 2000
	// maxSheetText is how much text the rows of a sheet may become.
	maxSheetText = 64 << 20
	// spillBytes is from which size on a sheet is unpacked to a file.
	spillBytes = 4 << 20
)

// sheetRow is a row of a sheet, as a line of JSON.
type sheetRow struct {
	Row   int      `json:"n"`
	Cells []string `json:"c,omitempty"`
	Long  bool     `json:"l,omitempty"` // longer than maxLine
}

// workbook is a sheet of a workbook that is read row by row.
type workbook struct {
	book    *excelize.File
	sheet   string
	rows    *excelize.Rows
	row     int            // that was read last
	held    []string       // that row, to be read once more
	numbers *excelize.Rows // the same rows without the formats of numbers, read where they are needed
	number  int
}

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

// openWorkbook opens a workbook's sheet of a name, or the first that is shown.
func openWorkbook(data []byte, sheet string) (*workbook, error) {
	if err := checkWorkbookSize(int64(len(data))); err != nil {
		return nil, err
	}
	if err := checkArchive(data); err != nil {
		return nil, err
	}
	book, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{
		UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: spillBytes, ShortDatePattern: "yyyy-mm-dd",
	})
	if err != nil {
		return nil, badWorkbook("The workbook cannot be read: it is damaged, or has a password.")
	}
	b := &workbook{book: book}
	if b.sheet, err = findSheet(book, sheet); err == nil {
		b.rows, err = book.Rows(b.sheet)
		if err != nil {
			err = badWorkbook(fmt.Sprintf("The sheet %q cannot be read.", b.sheet))
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// checkArchive refuses what would grow beyond all measure when it is unpacked.
// What an archive says of the size of its files, zip.Reader holds it to.
func checkArchive(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return badWorkbook("The file begins as a workbook and is none: it is damaged, or its end is missing.")
	}
	var all, beside uint64
	found := false
	for _, f := range z.File {
		name := strings.ToLower(f.Name)
		found = found || name == "xl/workbook.xml"
		if all += f.UncompressedSize64; f.UncompressedSize64 > maxUnpacked {
			all = maxUnpacked + 1
			break
		}
		if !strings.HasPrefix(name, "xl/worksheets/") && name != "xl/sharedstrings.xml" {
			beside += f.UncompressedSize64
		}
	}
	switch {
	case all > maxUnpacked || beside > maxBeside || len(z.File) > maxEntries:
		return directory.Refuse(directory.ErrTooLarge, "workbook-too-large",
			fmt.Sprintf("The workbook has more than %d MB when it is unpacked, more than %d MB of them beside its sheets, or more than %d files.", maxUnpacked>>20, maxBeside>>20, maxEntries),
			"Save the sheet as CSV in UTF-8, or leave pictures and other sheets out.")
	case !found:
		return badWorkbook("The file is a ZIP archive, and no Excel workbook.")
	}
	return nil
}

// findSheet is the name of the sheet to be read.
func findSheet(book *excelize.File, name string) (string, error) {
	list := book.GetSheetList()
	if name != "" {
		if i := slices.IndexFunc(list, func(s string) bool { return strings.EqualFold(s, name) }); i >= 0 {
			return list[i], nil
		}
		names := "“" + strings.Join(list[:min(len(list), 20)], "”, “") + "”"
		return "", directory.Refuse(directory.ErrInvalid, "no-such-sheet", fmt.Sprintf("The workbook has no sheet %q.", name), "Its sheets are "+names+".")
	}
	for _, s := range list {
		if shown, err := book.GetSheetVisible(s); err == nil && shown {
			return s, nil
		}
	}
	return "", badWorkbook("The workbook shows no sheet.")
}

func (b *workbook) close() error {
	var errs []error
	for _, rows := range []*excelize.Rows{b.rows, b.numbers} {
		if rows == nil {
			continue
		}
		if err := rows.Close(); err != nil && !errors.Is(err, rows.Error()) { // which next has told
			errs = append(errs, err)
		}
	}
	if err := errors.Join(append(errs, b.book.Close())...); err != nil {
		return fmt.Errorf("workbook: %w", err)
	}
	return nil
}

// skip passes over the rows before the one behind row.
func (b *workbook) skip(ctx context.Context, row int) error {
	for b.row < row && b.rows.Next() {
		if b.row++; b.row%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return b.fault(b.rows)
}

func (b *workbook) fault(rows *excelize.Rows) error {
	if err := rows.Error(); err != nil {
		return badWorkbook(fmt.Sprintf("The sheet %q cannot be read behind row %d.", b.sheet, b.row))
	}
	return nil
}

// next reads the next row that holds something; none at the end of the sheet.
// Cells are texts as they are shown; a number that is shown with an exponent has
// all its digits.
func (b *workbook) next() (row int, cells []string, err error) {
	if held := b.held; held != nil {
		b.held = nil
		return b.row, held, nil
	}
	for b.rows.Next() {
		b.row++
		cells, err := b.rows.Columns()
		if err != nil {
			return b.row, nil, badWorkbook(fmt.Sprintf("Row %d of the sheet %q cannot be read.", b.row, b.sheet))
		}
		if strings.TrimSpace(strings.Join(cells, "")) == "" {
			continue
		}
		if slices.ContainsFunc(cells, exponent.MatchString) {
			if err := b.digits(cells); err != nil {
				return b.row, nil, err
			}
		}
		return b.row, cells, nil
	}
	return 0, nil, b.fault(b.rows)
}

// unread has next return the row that was read last once more.
func (b *workbook) unread(row int, cells []string) { b.row, b.held = row, cells }

// exponent is a number that is shown with one.
var exponent = regexp.MustCompile(`^-?\d+([.,]\d+)?E[+-]?\d+$`)

// digits writes numbers of the row that was read last without an exponent.
func (b *workbook) digits(cells []string) error {
	var err error
	if b.numbers == nil {
		if b.numbers, err = b.book.Rows(b.sheet); err != nil {
			return badWorkbook(fmt.Sprintf("The sheet %q cannot be read.", b.sheet))
		}
	}
	for b.number < b.row && b.numbers.Next() {
		b.number++
	}
	values, err := b.numbers.Columns(excelize.Options{RawCellValue: true})
	if err != nil {
		return badWorkbook(fmt.Sprintf("Row %d of the sheet %q cannot be read.", b.row, b.sheet))
	}
	for i, text := range cells {
		if i >= len(values) || !exponent.MatchString(text) {
			continue
		}
		cells[i] = values[i]
		if n, ok := new(big.Float).SetPrec(64).SetString(values[i]); ok && exponent.MatchString(values[i]) && n.IsInt() && n.MantExp(nil) < 128 {
			cells[i] = n.Text('f', 0)
		}
	}
	return nil
}

// header reads up to the header row.
func (b *workbook) header() (row int, names []string, err error) {
	for {
		row, names, err = b.next()
		if err != nil || names == nil || !isVersion([]byte(strings.Join(names, ","))) {
			return row, names, err
		}
	}
}

// layout is how the sheet's rows are read once they are lines of text.
func (b *workbook) layout(as LoadOptions) (layout, error) {
	l := sheetLayout()
	row, names, err := b.header()
	if err != nil {
		return l, err
	}
	if names == nil {
		return l, emptyFile()
	}
	l.sheet, l.header = b.sheet, row
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
	b, err := openWorkbook(data, as.Sheet)
	if err != nil {
		return layout{}, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
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
	var faults []directory.FieldError
	for i, text := range row.Cells {
		if slices.Contains(cellErrors, text) {
			faults = append(faults, directory.FieldError{Field: fmt.Sprintf("cell %s%d", columnLetters(i), row.Row), Detail: "holds the error " + text})
		}
	}
	if faults != nil {
		return faulty(row.Row, misplaced(faults))
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
	if w.book, err = openWorkbook(data, in.Sheet); err != nil {
		return err
	}
	return w.book.skip(ctx, cur.Row)
}

// closeSheet closes what openSheet has opened.
func (w *jobWorker) closeSheet() {
	if w.book == nil {
		return
	}
	if err := w.book.close(); err != nil {
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
