package roster

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
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

// maxLine is how long one line of JSON may be.
const maxLine = maxProfileBytes

// parseFile reads a file of users. Faults of single lines are kept in their
// lines; the error is about the file as a whole.
func parseFile(data []byte, format Format) ([]loadLine, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if format == "" {
		format = FormatCSV
		if first := bytes.TrimLeft(data, " \t\r\n"); len(first) > 0 && first[0] == '{' {
			format = FormatJSONLines
		}
	}
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) > 0 && first[0] == '[' {
		return nil, badFile("The file is a JSON array, which is no list of lines.")
	}
	var lines []loadLine
	var err error
	if format == FormatCSV {
		lines, err = parseCSV(data)
	} else {
		lines = parseJSONLines(data)
	}
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, directory.Refuse(directory.ErrInvalid, "empty-file", "The file holds no user.",
			"Send JSON lines, or CSV with a header row of attribute names.")
	}
	return lines, nil
}

func parseJSONLines(data []byte) []loadLine {
	var lines []loadLine
	n := 0
	for raw := range bytes.SplitSeq(data, []byte("\n")) {
		n++
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			continue
		}
		l := loadLine{Line: n}
		if len(raw) > maxLine {
			l.fault(fmt.Errorf("the line has %d bytes; at most %d are allowed", len(raw), maxLine))
		} else if e, err := parseEdit(raw); err != nil {
			l.fault(err)
		} else {
			l.Edit = e
		}
		lines = append(lines, l)
	}
	return lines
}

// parseCSV reads rows under a header of paths. The separator is a comma, or a
// semicolon when the header has one and no comma, as some spreadsheets write.
// An empty cell says nothing.
func parseCSV(data []byte) ([]loadLine, error) {
	head, _, _ := bytes.Cut(data, []byte("\n"))
	comma := ','
	if bytes.ContainsRune(head, ';') && !bytes.ContainsRune(head, ',') {
		comma = ';'
	}
	reader := func(data []byte) *csv.Reader {
		r := csv.NewReader(bytes.NewReader(data))
		r.FieldsPerRecord, r.ReuseRecord, r.Comma = -1, true, comma
		return r
	}
	before := 0 // lines that the present reader does not count
	r := reader(data)
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, badFile("The header row cannot be read: " + csvFault(err, 0) + ".")
	}
	columns := slices.Clone(header)
	if err := checkHeader(columns); err != nil {
		return nil, err
	}
	var lines []loadLine
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			l := loadLine{Line: parse.StartLine + before}
			l.fault(errors.New(csvFault(err, before)))
			lines = append(lines, l)
			if !errors.Is(parse.Err, csv.ErrQuote) || parse.Line == parse.StartLine {
				continue
			}
			// A quote that was not closed has taken the lines behind it along,
			// up to the next quote or the end: go on behind its own line.
			before += parse.StartLine
			data = behind(data, parse.StartLine)
			r = reader(data)
			continue
		}
		if err != nil {
			return nil, badFile("The file cannot be read: " + err.Error() + ".")
		}
		n, _ := r.FieldPos(0)
		lines = append(lines, parseRow(n+before, columns, row))
	}
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

// behind is what follows the first n lines.
func behind(data []byte, n int) []byte {
	for range n {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return data
}

func csvFault(err error, before int) string {
	parse, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err.Error()
	}
	return fmt.Sprintf("%v in line %d", parse.Err, parse.Line+before)
}

func badFile(detail string) error {
	return directory.Refuse(directory.ErrInvalid, "invalid-file", detail, "Send JSON lines or CSV (RFC 4180) in UTF-8.")
}
