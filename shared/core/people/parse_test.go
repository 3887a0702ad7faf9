package people

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"bindery/shared/directory"
)

// readLines reads a file by windows that grow from piece bytes until they hold
// an element; 0 reads it in one.
func readLines(data []byte, format Format, piece int) ([]loadLine, error) {
	l, err := readLayout(data, true, LoadOptions{Format: format})
	if err != nil {
		return nil, err
	}
	var lines []loadLine
	var rows rowReader
	at, size := l.first, piece
	for at.Offset < int64(len(data)) {
		end := int64(len(data))
		if piece > 0 {
			end = min(end, at.Offset+int64(size))
		}
		next := l.scan(data[at.Offset:end], end == int64(len(data)), at, 3, func(line int, element []byte) {
			lines = append(lines, l.parse(&rows, line, element))
		})
		size *= 2
		if next != at {
			size = piece
		} else if end == int64(len(data)) {
			return nil, fmt.Errorf("scan stays at %+v of %d", at, len(data))
		}
		at = next
	}
	return lines, nil
}

// readFile reads a file as a load does, from a source that gives it by pieces.
func readFile(t *testing.T, data string, as LoadOptions, piece int) ([]loadLine, error) {
	t.Helper()
	f := &file{size: int64(len(data)), read: func(_ context.Context, offset int64) ([]byte, error) {
		return []byte(data[offset:min(offset+int64(piece), int64(len(data)))]), nil
	}}
	l, err := f.layout(t.Context(), as)
	if err != nil {
		return nil, err
	}
	var seen evidence
	n, _, err := f.count(t.Context(), &l, l.first, f.size, &seen)
	if err == nil {
		err = f.chooseEncoding(t.Context(), &l, as, seen)
	}
	if err != nil {
		return nil, err
	}
	f.as(l.encoding)
	var lines []loadLine
	var rows rowReader
	for at := l.first; at.Offset < f.size; {
		window, whole, err := f.from(t.Context(), at.Offset)
		if err != nil {
			t.Fatal(err)
		}
		next := l.scan(window, whole, at, 3, func(line int, element []byte) {
			lines = append(lines, l.parse(&rows, line, element))
		})
		if next == at {
			t.Fatalf("%q: scan stays at %+v of %d", data, at, len(data))
		}
		at = next
	}
	if len(lines) != n {
		t.Fatalf("%q: %d lines, %d counted", data, len(lines), n)
	}
	return lines, nil
}

// A quote that is not closed is a fault of its own line: those behind it are read.
func TestParseCSVUnclosedQuote(t *testing.T) {
	for name, row := range map[string]struct{ csv, want string }{
		"to the end":        {"email,familyName\na@x.example,A\nb@x.example,\"B\nc@x.example,C\nd@x.example,D\n", "2:a 3:fault 4:c 5:d"},
		"to the next quote": {"email,familyName\na@x.example,\"A\nb@x.example,\"B\"\nc@x.example,C\n", "2:fault 3:b 4:c"},
		"twice":             {"email,familyName\na@x.example,\"A\nb@x.example,B\nc@x.example,\"C\nd@x.example,D\n", "2:fault 3:b 4:fault 5:d"},
		"in the last line":  {"email,familyName\na@x.example,A\nb@x.example,\"B", "2:a 3:fault"},
		"closed, two lines": {"email,displayName\na@x.example,A\nb@x.example,B\n", "2:a 3:b"},
		"semicolons":        {"email;familyName\na@x.example;\"A\nb@x.example;B\n", "2:fault 3:b"},
		"blank lines":       {"\n\r\nemail,familyName\n\n\r\na@x.example,A\n\nb@x.example,B", "6:a 8:b"},
		"quote in a word":   {"email,familyName\na@x.example,A\"A\nb@x.example,B\n", "2:fault 3:b"},
		"at the very end":   {"email,familyName\na@x.example,\"A\"", "2:a"},
		"with a return":     {"email,familyName\r\na@x.example,\"A\"\r\nb@x.example,\"B\"\r", "2:a 3:b"},
		"escaped, not shut": {"email,familyName\na@x.example,\"A\"\"", "2:fault"},
		"an empty cell":     {"email,familyName\na@x.example,\nb@x.example,\"\"\n", "2:a 3:b"},
		"long, not closed":  {"email,familyName\na@x.example,\"A\n" + strings.Repeat("b@x.example,B\n", maxLine/14+2) + "c@x.example,C\n", "2:fault 3:b …"},
	} {
		for piece := range 3 {
			lines, err := readLines([]byte(row.csv), FormatCSV, piece)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var got []string
			for _, l := range lines {
				what := "fault"
				if l.Code == "" {
					what, _, _ = strings.Cut(l.Edit["email"], "@")
				}
				got = append(got, fmt.Sprintf("%d:%s", l.Line, what))
			}
			if s := strings.Join(got, " "); s != row.want && !(strings.HasSuffix(row.want, "…") && strings.HasPrefix(s, strings.TrimSuffix(row.want, "…")) && strings.Count(s, "fault") == 1) {
				t.Errorf("%s by %d: %.200s, want %s", name, piece, s, row.want)
			}
		}
	}
}

// Programs of old Macs end lines with a return, and write a feed where somebody
// broke the line within a cell; others write one or the other within cells, too.
func TestBreaksWithinCells(t *testing.T) {
	oneLine := strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")
	for _, end := range []string{"\n", "\r\n", "\r"} {
		for _, within := range []string{"\n", "\r\n", "\r"} {
			for _, encoded := range []func(string) string{func(s string) string { return s }, func(s string) string { return "\ufeff" + s }} {
				file := strings.Join([]string{`email;"workAddress.streetAddress"`, `a@x.example;"Elm` + within + `1; ""B"""`, "b@x.example;C", ""}, end)
				lines, err := readFile(t, encoded(file), LoadOptions{}, 7)
				if err != nil || len(lines) != 2 || lines[1].Edit["email"] != "b@x.example" || oneLine.Replace(lines[0].Edit["workAddress.streetAddress"]) != `Elm 1; "B"` {
					t.Errorf("lines by %q, in cells %q: %+v, %v", end, within, lines, err)
				}
			}
		}
	}
}

// An element may have maxLine bytes, whatever breaks the line behind it; what is
// longer is one fault, however long it is, and the next element is read.
func TestLongLines(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", ""} {
		for _, over := range []int{0, 1, 2, 3, 1000, 5 * headBytes} {
			long := strings.Repeat("x", maxLine+over)
			object := `{"email":"a@x.example","givenName":"` + strings.Repeat("x", maxLine+over-38) + `"}`
			for format, data := range map[Format]string{FormatCSV: "email\n" + long + end, FormatJSONLines: "\n" + object + end} {
				behind := ""
				if end != "" {
					if behind = "b@x.example\n"; format == FormatJSONLines {
						behind = `{"email":"b@x.example"}`
					}
				}
				f := &file{size: int64(len(data + behind))}
				f.read = func(_ context.Context, offset int64) ([]byte, error) {
					return []byte((data + behind)[offset:min(f.size, offset+70_000)]), nil
				}
				l, err := f.layout(t.Context(), LoadOptions{Format: format})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for at := l.first; at.Offset < f.size; {
					window, whole, err := f.from(t.Context(), at.Offset)
					if err != nil {
						t.Fatal(err)
					}
					at = l.scan(window, whole, at, 1, func(line int, element []byte) {
						what := "long"
						if element != nil {
							what = "whole"
						}
						got = append(got, fmt.Sprintf("%d %s", line, what))
					})
				}
				want := "2 whole"
				if over > 0 {
					want = "2 long"
				}
				if behind != "" {
					want += " 3 whole"
				}
				if s := strings.Join(got, " "); s != want {
					t.Errorf("%s of %d bytes before %q: %s, want %s", format, maxLine+over, end, s, want)
				}
			}
		}
	}
}

func TestFileEndsEarly(t *testing.T) {
	f := &file{size: 10, read: func(context.Context, int64) ([]byte, error) { return nil, nil }}
	if _, err := f.layout(t.Context(), LoadOptions{Format: FormatCSV}); err == nil {
		t.Error("a file that is shorter than it should be was read")
	}
}

// FuzzFile checks that a file is refused or read whatever it holds, that it does
// not matter where the windows end that it is read by, and that what encoding/csv
// reads without a fault is read alike.
func FuzzFile(f *testing.F) {
	for _, s := range []string{
		"email,familyName\na@b.example,x\n", "email\n\"a\nb", "{\"email\":\"a@b.example\"}\n{", "email;x\n", "\xef\xbb\xbfemail\r\n\"\"\"\r\n",
		"email,\"customAttributes.x\"\n,\n", "email,familyName\na@x.example,\"A\nb@x.example,\"B\"\n\"\n", "email\r\n\"a\r\n\r\n\"\"", "sep=;\nemail;x\n;\na@b.example;\U0001f600\n", "version:v1.0,\n\"Last name [surname]\"|mail\nÄ|a@b.example\n",
		"email,familyName,,\ra@x.example,\xc4,,\r", inUTF16("email\tx\r\na@b.example\t\U0001f600", true), inUTF16("email", false) + "\xd8", "mail,Status,State,City\na@b.example,no,x,y,,,\n",
		"\"email\"\n\n\"a\"\"\n\"\r",
	} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		for _, format := range []Format{"", FormatCSV, FormatJSONLines} {
			lines, err := readLines(data, format, 0)
			if err != nil {
				if !errors.Is(err, directory.ErrInvalid) {
					t.Fatalf("%q = %v, no refusal", data, err)
				}
				continue
			}
			last := 0
			for _, l := range lines {
				if l.Line <= last || (l.Edit == nil) == (l.Code == "") {
					t.Fatalf("%q has the line %+v behind line %d", data, l, last)
				}
				last = l.Line
			}
			if again, err := readLines(data, format, 1+(piece&31)); err != nil || !reflect.DeepEqual(again, lines) {
				t.Fatalf("%q by %d is %+v, %v; whole it is %+v", data, 1+(piece&31), again, err, lines)
			}
		}
		sameAsCSV(t, data)
		sameInUTF16(t, string(data), 1+(piece&31))
	})
}

// sameInUTF16 compares what is read of a text with what is read of it in UTF-16,
// and has a file of any bytes read in each encoding.
func sameInUTF16(t *testing.T, text string, piece int) {
	if isWorkbook([]byte(text)) {
		return // FuzzWorkbook
	}
	lines, err := readFile(t, text, LoadOptions{}, piece)
	if err != nil && !errors.Is(err, directory.ErrInvalid) {
		t.Fatalf("%q = %v, no refusal", text, err)
	}
	for _, e := range []Encoding{EncodingUTF8, EncodingWindows1252, EncodingUTF16LE, EncodingUTF16BE} {
		if _, err := readFile(t, text, LoadOptions{Encoding: e}, piece); err != nil && !errors.Is(err, directory.ErrInvalid) {
			t.Fatalf("%q as %s = %v, no refusal", text, e, err)
		}
	}
	if err != nil || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\ufeff") {
		return
	}
	for _, little := range []bool{false, true} {
		again, err := readFile(t, inUTF16(text, little), LoadOptions{}, piece)
		if err != nil || !reflect.DeepEqual(again, lines) {
			t.Fatalf("%q in UTF-16 is %+v, %v; in UTF-8 it is %+v", text, again, err, lines)
		}
	}
}

// sameAsCSV compares rows with those of encoding/csv, when it finds no fault.
func sameAsCSV(t *testing.T, data []byte) {
	all := csv.NewReader(strings.NewReader(string(data)))
	all.FieldsPerRecord = -1
	want, err := all.ReadAll()
	if err != nil {
		return
	}
	want = slices.DeleteFunc(want, func(row []string) bool { return strings.Trim(strings.Join(row, ""), " \t\r\n") == "" })
	l := layout{format: FormatCSV, comma: ',', end: '\n', first: filePlace{Line: 1}}
	var rows rowReader
	var got [][]string
	l.scan(data, true, l.first, len(data)+1, func(_ int, element []byte) {
		row, err := rows.read(element, ',')
		if err != nil {
			t.Fatalf("%q of %q: %v", element, data, err)
		}
		got = append(got, row)
	})
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Fatalf("%q is %q, encoding/csv reads %q", data, got, want)
	}
}
