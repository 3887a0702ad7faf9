package roster

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"bindery/shared/directory"
)

// Format is how a file of users is written.
type Format string

// The formats of a load.
const (
	FormatJSONLines Format = "jsonl" // one JSON object a line
	FormatCSV       Format = "csv"   // a header row of attribute paths; RFC 4180
)

// loadLine is one element of a file: what it asks for, or what is wrong with it.
type loadLine struct {
	Line   int    `json:"n"`
	Edit   edit   `json:"e,omitempty"`
	Code   string `json:"c,omitempty"`
	Detail string `json:"d,omitempty"`
}

func (l *loadLine) fault(err error) {
	l.Edit, l.Code, l.Detail = nil, "invalid-line", err.Error()
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
	format  Format
	comma   byte     // of CSV
	columns []string // of CSV, by their paths
	first   filePlace
}

// headBytes of a file are enough to learn its layout.
const headBytes = maxLine + 4<<10

// readLayout learns how to read a file from its first bytes; whole says that
// they are all of it. format "" lets the file speak for itself. The separator of
// CSV is a comma, or a semicolon when the header has one and no comma, as some
// spreadsheets write.
func readLayout(head []byte, whole bool, format Format) (layout, error) {
	rest := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	l := layout{format: format, first: filePlace{Offset: int64(len(head) - len(rest)), Line: 1}}
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
	for len(rest) > 0 {
		n, what := l.element(rest, whole) // blank lines end alike for any separator
		if what != elementWhole || !l.blank(rest[:n]) {
			break
		}
		l.first.pass(rest[:n])
		rest = rest[n:]
	}
	switch {
	case len(rest) == 0 && !whole:
		return l, badFile(fmt.Sprintf("The file begins with more than %d bytes of blank lines.", maxLine))
	case len(rest) == 0:
		return l, nil
	}
	row, _, _ := bytes.Cut(rest, []byte("\n"))
	l.comma = ','
	if bytes.ContainsRune(row, ';') && !bytes.ContainsRune(row, ',') {
		l.comma = ';'
	}
	n, what := l.element(rest, whole)
	if what != elementWhole {
		return l, badFile(fmt.Sprintf("The header row is longer than %d bytes, or a quotation mark in it is not closed.", maxLine))
	}
	columns, err := (&rowReader{}).read(rest[:n], l.comma)
	if err != nil {
		return l, badFile("The header row cannot be read: " + csvFault(err, l.first.Line) + ".")
	}
	l.columns = columns
	l.first.pass(rest[:n])
	return l, checkHeader(columns)
}

// pass moves a place behind whole lines.
func (p *filePlace) pass(lines []byte) {
	p.Offset += int64(len(lines))
	p.Line += bytes.Count(lines, []byte("\n"))
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
	if l.format == FormatJSONLines {
		n, closed = lineEnd(window, whole)
	} else {
		n, closed = rowEnd(window, l.comma, whole)
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
func lineEnd(b []byte, whole bool) (int, bool) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1, true
	}
	return len(b), whole
}

// rowEnd is where the row of CSV that begins b ends, behind its line break, as
// encoding/csv sees it; false when b ends before it does. A row with a quotation
// mark at a wrong place, or one that is not closed, ends with its first line: it
// is a fault of its own and takes no row behind it along.
func rowEnd(b []byte, comma byte, whole bool) (int, bool) {
	for i := 0; i < len(b); i++ { // at the start of a field
		if b[i] == '"' {
			closed := false
			for i++; !closed; i++ {
				q := bytes.IndexByte(b[i:], '"')
				if q < 0 {
					if !whole {
						return 0, false
					}
					return lineEnd(b, true)
				}
				i += q
				if i+1 == len(b) {
					return len(b), whole
				}
				if closed = b[i+1] != '"'; !closed {
					i++
				}
			}
			rest := b[i:]
			if b[i] != comma && b[i] != '\n' && !bytes.HasPrefix(rest, []byte("\r\n")) {
				if len(rest) == 1 && b[i] == '\r' {
					return len(b), whole
				}
				return lineEnd(b, whole)
			}
		}
		for i < len(b) && b[i] != comma && b[i] != '\n' {
			if b[i] == '"' {
				return lineEnd(b, whole)
			}
			i++
		}
		if i < len(b) && b[i] == '\n' {
			return i + 1, true
		}
	}
	return len(b), whole
}

// blank reports whether a line holds no element.
func (l *layout) blank(line []byte) bool {
	if l.format == FormatJSONLines {
		return len(bytes.TrimSpace(line)) == 0
	}
	return len(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))) == 0
}

// scan finds the elements of a window of a file, at most most of them, and
// returns the place behind the last one. The window begins at the place at;
// whole says that it ends with the file. An element that the window ends within
// is left for the next window, which must be larger than an element may be.
// found gets each element, and nil for one that is too long.
func (l *layout) scan(window []byte, whole bool, at filePlace, most int, found func(line int, element []byte)) filePlace {
	for n := 0; len(window) > 0; window = window[n:] {
		if at.Skip {
			end, closed := lineEnd(window, whole)
			n, at.Skip = end, !closed
			at.pass(window[:n])
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
		at.pass(window[:n])
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
		return parseRow(line, l.columns, row)
	}
	e, err := parseEdit(bytes.TrimSpace(element))
	if err != nil {
		return faulty(line, err)
	}
	return loadLine{Line: line, Edit: e}
}

func faulty(line int, err error) loadLine {
	l := loadLine{Line: line}
	l.fault(err)
	return l
}

func parseRow(n int, columns, row []string) loadLine {
	l := loadLine{Line: n}
	if len(row) != len(columns) {
		l.fault(fmt.Errorf("the row has %d cells, the header has %d", len(row), len(columns)))
		return l
	}
	l.Edit = edit{}
	var faults []directory.FieldError
	for i, path := range columns {
		text, fault := clean(path, strings.Clone(row[i]))
		if fault != "" {
			faults = append(faults, directory.FieldError{Field: path, Detail: fault})
		} else if text != "" {
			l.Edit[path] = text
		}
	}
	if err := invalid(faults); err != nil {
		l.fault(err)
	}
	return l
}

// checkHeader brings the names of columns to their paths and reports every one
// that is none.
func checkHeader(columns []string) error {
	var faults []directory.FieldError
	seen := map[string]bool{}
	for i, name := range columns {
		name = strings.TrimSpace(name)
		columns[i] = name
		key, custom := strings.CutPrefix(name, customPrefix)
		_, known := find(name)
		detail := ""
		switch {
		case !utf8.ValidString(name):
			name, detail = fmt.Sprintf("column %d", i+1), "is not valid UTF-8"
		case seen[name]:
			detail = "is there twice"
		case custom:
			detail = checkKey(key)
		case slices.Contains(readOnly, name):
			detail = "is read-only; leave the column out"
		case !known:
			detail = "is not an attribute of a user"
		}
		if detail != "" {
			faults = append(faults, directory.FieldError{Field: name, Detail: detail})
		}
		seen[name] = true
	}
	if !seen["email"] {
		faults = append(faults, directory.FieldError{Field: "email", Detail: "is a column that the file needs"})
	}
	if faults == nil {
		return nil
	}
	r := directory.Refuse(directory.ErrInvalid, "invalid-header", "The header row was not accepted and nothing was loaded.",
		"Name the columns as the members of a user, such as email, phones.work, customAttributes.badge.")
	r.Fields = faults
	return r
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
	return directory.Refuse(directory.ErrInvalid, "invalid-file", detail, "Send JSON lines or CSV (RFC 4180) in UTF-8.")
}
