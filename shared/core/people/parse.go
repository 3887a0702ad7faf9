package people

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"strings"

	"bindery/shared/directory"
)

// Format is how a file is written.
type Format string

// The formats of a load.
const (
	FormatJSONLines Format = "jsonl" // one JSON object a line
	FormatCSV       Format = "csv"   // a header row that names the columns; RFC 4180, with any separator
	FormatXLSX      Format = "xlsx"  // a workbook, of which one sheet is read
)

// loadLine is one element of a file: what it asks for, or what is wrong with it.
type loadLine struct {
	Line int  `json:"n"`
	Edit edit `json:"e,omitempty"`
	// ID is of the one user who may be meant by the address; "" when it is whoever has that.
	ID directory.UserID `json:"i,omitempty"`
	// Status is the state that another system's column says; the file itself says
	// none.
	Status directory.UserState `json:"s,omitempty"`
	Code   string              `json:"c,omitempty"`
	Detail string              `json:"d,omitempty"`
	// Warnings are what a person should know about what was taken of it.
	Warnings []directory.Warning `json:"w,omitempty"`
}

// wanted is the edit of whoever is there. Beside an ID the address only says who is meant.
func (l *loadLine) wanted() edit {
	if l.ID == "" {
		return l.Edit
	}
	e := maps.Clone(l.Edit)
	delete(e, "email")
	return e
}

// withStatus is the edit with the state that another system's column says.
func (l *loadLine) withStatus() edit {
	e := maps.Clone(l.Edit)
	if e["state"] == "" {
		e["state"] = string(l.Status)
	}
	return e
}

func (l *loadLine) fault(err error) {
	l.Edit, l.Warnings, l.Code, l.Detail = nil, nil, directory.CodeInvalidLine, err.Error()
	if r, ok := errors.AsType[*directory.Refusal](err); ok {
		l.Code = r.Code
		l.Detail = faultText(r)
	}
}

// faultText is a refusal of one line as one text: its faults by name, else
// what it says.
func faultText(r *directory.Refusal) string {
	if len(r.Fields) == 0 {
		return r.Detail
	}
	list := make([]string, len(r.Fields))
	for i, f := range r.Fields {
		list[i] = f.Field + " " + f.Detail
	}
	return strings.Join(list, "; ") + "."
}

const (
	// maxLine is how long one element of a file may be, in bytes: twice what a
	// user may have, since CSV writes a quotation mark twice.
	maxLine = 2 * maxProfileBytes
	// maxLines is how many elements a file may have.
	maxLines = 1_000_000
)

// filePlace is a place in a file: where a line begins, and which one it is.
type filePlace struct {
	Offset int64 `json:"offset"`
	Line   int   `json:"line"` // from 1
	// Skip says that the place lies in a line that is too long and was reported:
	// what is left of it is passed over.
	Skip bool `json:"skip,omitempty"`
}

// layout is how a file is to be read.
type layout struct {
	shape    *shape
	format   Format
	encoding Encoding
	certain  bool    // whether the encoding is no guess
	end      byte    // of a line: \n, or \r in files of old programs
	comma    byte    // of CSV
	columns  columns // of CSV
	first    filePlace
	header   int    // the line of the header row
	sheet    string // of a workbook
}

// headBytes of a file are enough to learn its layout.
const headBytes = maxLine + 4<<10

// separators of CSV, the likeliest first.
const separators = ",;\t|"

// readLayout learns how to read a file from the beginning of its text; whole
// says that it is all of it.
func readLayout(head []byte, whole bool, as LoadOptions) (layout, error) {
	rest := bytes.TrimPrefix(head, []byte(bom))
	l := layout{shape: as.shape(), format: as.Format, encoding: as.Encoding, comma: ',', first: filePlace{Line: 1}}
	if l.encoding == "" {
		l.encoding = EncodingUTF8
	}
	l.first.Offset = l.encoding.markSize(len(head) > len(rest))
	l.end = endOfLines(rest)
	begin := bytes.TrimLeft(rest, " \t\r\n")
	if len(begin) > 0 && begin[0] == '[' {
		return l, badFile("The file is a JSON array, which is no list of lines.")
	}
	if l.format == "" {
		l.format = FormatCSV
		if len(begin) > 0 && begin[0] == '{' {
			l.format = FormatJSONLines
		}
	}
	if l.format == FormatJSONLines {
		return l, nil
	}
	said, fixed := byte(0), false
	for len(rest) > 0 {
		n, what := l.element(rest, whole)
		if what != elementWhole {
			break
		}
		if comma, ok := saidSeparator(rest[:n]); ok && !fixed {
			said, fixed = comma, true
		} else if !onlySeparators(rest[:n]) && !isVersion(rest[:n]) {
			break
		}
		l.pass(&l.first, rest[:n])
		rest = rest[n:]
	}
	switch {
	case len(rest) == 0 && !whole:
		return l, badFile(fmt.Sprintf("The file begins with more than %d bytes of blank lines.", maxLine))
	case len(rest) == 0:
		return l, nil
	}
	return l, l.readHeader(rest, whole, said, as.Unknown)
}

// endOfLines is the byte that ends most lines of a text. What stands within
// quotation marks is no end of a line: programs of old Macs end lines with \r, and
// write \n where somebody broke the line within a cell.
func endOfLines(text []byte) byte {
	quoted, feeds, returns := false, 0, 0
	for i, b := range text {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '\n':
			feeds++
		case b == '\r' && (i+1 == len(text) || text[i+1] != '\n'):
			returns++
		}
	}
	if returns > feeds || feeds == 0 && bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') >= 0 {
		return '\r'
	}
	return '\n'
}

// readHeader reads the header row that begins rest, with the separator that was
// said, or else the one by which most of its cells are known.
func (l *layout) readHeader(rest []byte, whole bool, said byte, unknown UnknownColumns) error {
	candidates := separators
	if said != 0 {
		candidates = string(said)
	}
	var row []string
	length, best, cells := 0, -1, 0
	var fault error
	for _, comma := range []byte(candidates) {
		try := *l
		try.comma = comma
		n, what := try.element(rest, whole)
		if what != elementWhole {
			continue
		}
		names, err := (&rowReader{}).read(rest[:n], comma)
		if err != nil {
			fault = cmp.Or(fault, badFile("The header row cannot be read: "+csvFault(err, l.first.Line)+"."))
			continue
		}
		if known := l.shape.known(l.shape, names); known > best || known == best && len(names) > cells {
			row, length, best, cells, l.comma = names, n, known, len(names), comma
		}
	}
	if best < 0 {
		return cmp.Or(fault, badFile(fmt.Sprintf("The header row is longer than %d bytes, or a quotation mark in it is not closed.", maxLine)))
	}
	l.header = l.first.Line
	l.pass(&l.first, rest[:length])
	var err error
	l.columns, err = l.shape.columns(l.shape, row, unknown)
	return err
}

// saidSeparator is the separator that the first line of a file says, as
// Microsoft Excel writes and reads it: sep=;
func saidSeparator(line []byte) (byte, bool) {
	text := strings.Trim(strings.TrimRight(string(line), "\r\n"), `"`)
	if len(text) < 5 || !strings.EqualFold(text[:4], "sep=") || !strings.Contains(separators, text[4:5]) {
		return 0, false
	}
	return text[4], strings.Trim(text[5:], separators) == ""
}

// isVersion reports whether a line is the first one of the CSV files of the
// Entra admin centre's bulk operations, or the one that Windows PowerShell's
// Export-Csv begins with (#TYPE).
func isVersion(line []byte) bool {
	text := strings.ToLower(strings.Trim(string(line), "\r\n \""+separators))
	return (strings.HasPrefix(text, "version:v") || strings.HasPrefix(text, "#type ")) && !strings.ContainsAny(text, separators)
}

// onlySeparators reports whether a line has no cell that holds something,
// whatever separates them.
func onlySeparators(line []byte) bool {
	return len(bytes.Trim(line, " \r\n"+separators)) == 0
}

// pass moves a place behind whole lines.
func (l *layout) pass(p *filePlace, lines []byte) {
	p.Offset += l.encoding.size(lines)
	p.Line += bytes.Count(lines, []byte{l.end})
}

// elementKind says what begins a window of a file.
type elementKind int

const (
	elementWhole elementKind = iota // an element whose length is known
	elementCut                      // one that the window ends before
	elementLong                     // one that is longer than maxLine
)

// element is the length of the element that begins rest, with its line break.
// whole says that rest reaches to the file's end.
func (l *layout) element(rest []byte, whole bool) (int, elementKind) {
	window := rest[:min(len(rest), maxLine+len("\r\n"))]
	whole = whole && len(window) == len(rest)
	var n int
	var closed bool
	if l.format != FormatCSV {
		n, closed = lineEnd(window, l.end, whole)
	} else {
		n, closed = rowEnd(window, l.comma, l.end, whole)
	}
	switch {
	case closed && len(bytes.TrimRight(window[:n], "\r\n")) <= maxLine:
		return n, elementWhole
	case closed || len(window) > maxLine+1:
		return 0, elementLong
	}
	return 0, elementCut
}

// lineEnd is where the line that begins b ends, behind its line break; false
// when b ends before it does.
func lineEnd(b []byte, end byte, whole bool) (int, bool) {
	if i := bytes.IndexByte(b, end); i >= 0 {
		return i + 1, true
	}
	return len(b), whole
}

// rowEnd is where the row of CSV that begins b ends, behind its line break, as
// encoding/csv sees it; false when b ends before it does. A row with a quotation
// mark at a wrong place, or one that is not closed, ends with its first line: it
// is a fault of its own and takes no row behind it along.
func rowEnd(b []byte, comma, end byte, whole bool) (int, bool) {
	for i := 0; i < len(b); i++ { // at the start of a field
		if b[i] == '"' {
			behind, closed := closingQuote(b, i+1)
			switch {
			case !closed && !whole:
				return 0, false
			case !closed:
				return lineEnd(b, end, true)
			case behind == len(b):
				return len(b), whole
			}
			i = behind
			rest := b[i:]
			if b[i] != comma && b[i] != end && !bytes.HasPrefix(rest, []byte("\r\n")) {
				if len(rest) == 1 && b[i] == '\r' {
					return len(b), whole
				}
				return lineEnd(b, end, whole)
			}
		}
		for i < len(b) && b[i] != comma && b[i] != end {
			if b[i] == '"' {
				return lineEnd(b, end, whole)
			}
			i++
		}
		if i < len(b) && b[i] == end {
			return i + 1, true
		}
	}
	return len(b), whole
}

// closingQuote is the place behind the quotation mark that ends a field of CSV, of
// which b[from:] is the rest. Two marks are one of the field's text.
func closingQuote(b []byte, from int) (behind int, closed bool) {
	for i := from; ; i += 2 {
		q := bytes.IndexByte(b[i:], '"')
		if q < 0 {
			return 0, false
		}
		i += q
		if i+1 == len(b) || b[i+1] != '"' {
			return i + 1, true
		}
	}
}

// blank reports whether a line holds no element: nothing, or nothing but
// separators.
func (l *layout) blank(line []byte) bool {
	if l.format != FormatCSV {
		return len(bytes.TrimSpace(line)) == 0
	}
	quoted := false
	for _, b := range line {
		switch b {
		case l.comma, ' ', '\t', '\r', '\n':
		case '"':
			quoted = true
		default:
			return false
		}
	}
	if quoted { // an empty cell may be written as ""
		cells, err := (&rowReader{}).read(line, l.comma)
		return err == nil && strings.Trim(strings.Join(cells, ""), " \t\r\n") == ""
	}
	return true
}

// scan finds the elements of a window of a file, at most most of them, and
// returns the place behind the last one. The window begins at the place at;
// whole says that it ends with the file. An element that the window ends within
// is left for the next window, which must be larger than an element may be.
// found gets each element, and nil for one that is too long.
func (l *layout) scan(window []byte, whole bool, at filePlace, most int, found func(line int, element []byte)) filePlace {
	for n := 0; len(window) > 0; window = window[n:] {
		if at.Skip {
			end, closed := lineEnd(window, l.end, whole)
			n, at.Skip = end, !closed
			l.pass(&at, window[:n])
			continue
		}
		if most == 0 {
			break
		}
		var what elementKind
		n, what = l.element(window, whole)
		switch {
		case what == elementCut:
			return at
		case what == elementLong:
			found(at.Line, nil)
			most--
			n, at.Skip = 0, true
			continue
		case !l.blank(window[:n]):
			found(at.Line, window[:n])
			most--
		}
		l.pass(&at, window[:n])
	}
	return at
}

// rowReader reads single rows of CSV.
type rowReader struct {
	bytes  bytes.Reader
	buffer *bufio.Reader
}

func (r *rowReader) read(row []byte, comma byte) ([]string, error) {
	r.bytes.Reset(row)
	if r.buffer == nil {
		r.buffer = bufio.NewReader(&r.bytes)
	}
	r.buffer.Reset(&r.bytes)
	c := csv.NewReader(r.buffer) // which takes such a buffer as its own
	c.FieldsPerRecord, c.Comma = -1, rune(comma)
	return c.Read()
}

// parse reads an element that scan found.
func (l *layout) parse(rows *rowReader, line int, element []byte) loadLine {
	switch {
	case element == nil && l.format == FormatCSV:
		return faulty(line, fmt.Errorf("the row is longer than %d bytes, or a quotation mark in it is not closed", maxLine))
	case element == nil:
		return faulty(line, fmt.Errorf("the line is longer than %d bytes", maxLine))
	case l.format == FormatCSV:
		row, err := rows.read(element, l.comma)
		if err != nil {
			return faulty(line, errors.New(csvFault(err, line)))
		}
		return l.columns.parse(line, row)
	case l.format == FormatXLSX:
		return l.parseSheetRow(line, element)
	}
	out := loadLine{Line: line}
	r := &editReader{shape: l.shape, edit: edit{}, spare: true}
	if l.shape == userShape {
		r.about = &out.ID
	}
	var err error
	if out.Edit, out.Warnings, err = r.read(bytes.TrimSpace(element)); err != nil {
		return faulty(line, err)
	}
	return out
}

func faulty(line int, err error) loadLine {
	l := loadLine{Line: line}
	l.fault(err)
	return l
}

// csvFault says what is wrong with a row that begins in a line.
func csvFault(err error, line int) string {
	parse, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err.Error()
	}
	return fmt.Sprintf("%v in line %d", parse.Err, parse.Line+line-1)
}

func badFile(detail string) error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFile, detail, "Send JSON lines, CSV or an Excel workbook (.xlsx).")
}
