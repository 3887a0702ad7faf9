package people

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/platform/signer"
	"bindery/shared/platform/workbook"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// sheets reads the workbooks of these tests.
var sheets = Sheets(workbook.Open)

// inWorkbook makes a workbook with a sheet "People" of some rows; change edits it
// before it is written.
func inWorkbook(t *testing.T, rows [][]any, change func(x *excelize.File)) string {
	t.Helper()
	x := excelize.NewFile()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(x.SetSheetName("Sheet1", "People"))
	for i, row := range rows {
		if row == nil {
			continue // a row that is not there
		}
		must(x.SetSheetRow("People", fmt.Sprintf("A%d", i+1), &row))
	}
	if change != nil {
		change(x)
	}
	var b bytes.Buffer
	must(x.Write(&b))
	must(x.Close())
	return b.String()
}

func styled(t *testing.T, x *excelize.File, cell string, value any, format string) {
	t.Helper()
	style, err := x.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err == nil {
		err = x.SetCellValue("People", cell, value)
	}
	if err == nil {
		err = x.SetCellStyle("People", cell, cell, style)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Cells are loaded as they are shown, but for numbers with an exponent, which
// have all their digits; the lines that are told are the sheet's rows.
func TestWorkbook(t *testing.T) {
	file := inWorkbook(t, [][]any{
		nil,
		{"E-Mail", "Last name", "Employee number", "customAttributes.a", "customAttributes.b", "", ""},
		{"a@x.example", "Ärger", 123456789012, "007", 0.5},
		nil,
		{"", "", "  "},
		{"b@x.example", "Li", int64(1234567890123456), true},
		{"c@x.example", "Li", "", "", "", "", "more"},
		{"d@x.example", "#N/A"},
		{"bad", "x"},
	}, func(x *excelize.File) {
		styled(t, x, "C3", 123456789012, "0.00E+00")
		styled(t, x, "D3", 7, "000")
		styled(t, x, "E3", time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), "yyyy-mm-dd")
		if _, err := x.NewSheet("Notes"); err != nil {
			t.Fatal(err)
		}
	})
	for _, way := range []string{"body", "upload"} {
		w := newWorld(t)
		var j directory.Job
		var err error
		if way == "body" {
			j, err = w.StartLoad(t.Context(), admin, []byte(file), LoadOptions{Format: FormatCSV}) // whatever somebody says
		} else {
			j, err = w.LoadUpload(t.Context(), admin, w.upload(file, admin), LoadOptions{})
		}
		w.must(err)
		done := w.run(j.ID)
		if got, want := w.saw(j.ID), "a@x.example=Ärger b@x.example=Li 7:invalid-line 8:invalid-user 9:invalid-user"; got != want || done.Done != 5 || done.Total != 5 {
			t.Errorf("%s: %s, want %s; %+v %+v", way, got, want, done.Job, done.Error)
		}
		if f := done.File; f.Format != "xlsx" || f.Sheet != "People" || f.HeaderLine != 2 || len(f.Columns) != 5 || f.Encoding != "" {
			t.Errorf("%s: told %+v", way, f)
		}
		for _, u := range w.all() {
			got := fmt.Sprint(u.EmployeeID, " ", u.CustomAttributes["a"], " ", u.CustomAttributes["b"])
			if want := map[string]string{"a@x.example": "123456789012 007 2026-03-02", "b@x.example": "1234567890123456 TRUE "}[u.Email]; got != want {
				t.Errorf("%s: %s is %q, want %q", way, u.Email, got, want)
			}
		}
		if len(w.refusals(j.ID)) > 1 && !strings.Contains(w.refusals(j.ID)[0].Detail, "cell 7 (column G)") {
			t.Errorf("%s: %s", way, w.refusals(j.ID)[0].Detail)
		}
		if f, ok := w.files.(*fakeFiles); ok && len(f.content) != 0 {
			t.Error("the upload is still there")
		}
	}
}

func TestWorkbookSheets(t *testing.T) {
	file := inWorkbook(t, [][]any{{"email"}, {"a@x.example"}}, func(x *excelize.File) {
		_, err := x.NewSheet("Second")
		err = errors.Join(err, x.SetSheetRow("Second", "A1", &[]string{"email"}), x.SetSheetRow("Second", "A2", &[]string{"b@x.example"}))
		x.SetActiveSheet(1)
		if err = errors.Join(err, x.SetSheetVisible("People", false)); err != nil {
			t.Fatal(err)
		}
	})
	for sheet, want := range map[string]string{"": "b@x.example=", "people": "a@x.example=", "Second": "b@x.example=", "Third": "no-such-sheet"} {
		w := newWorld(t)
		j, err := w.StartLoad(t.Context(), admin, []byte(file), LoadOptions{Sheet: sheet})
		if err != nil {
			if codeOf(err) != want {
				t.Errorf("sheet %q: %v, want %s", sheet, err, want)
			}
			continue
		}
		w.run(j.ID)
		if got := w.saw(j.ID); got != want {
			t.Errorf("sheet %q: %s, want %s", sheet, got, want)
		}
	}
}

// zipped makes an archive of files.
func zipped(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is no workbook, or one that grows beyond measure, is refused at once and
// says why.
func TestWorkbookRefusals(t *testing.T) {
	good := inWorkbook(t, [][]any{{"email"}, {"a@x.example"}}, nil)
	const unpacked, beside = 128 << 20, 16 << 20 // which package workbook allows
	big := strings.Repeat("0", unpacked/2+1)
	for name, test := range map[string]struct{ file, code, says string }{
		"cut off":         {good[:len(good)/2], "invalid-file", "damaged"},
		"an archive":      {zipped(t, map[string]string{"a.txt": "x"}), "invalid-file", "no Excel workbook"},
		"an empty one":    {zipped(t, map[string]string{"xl/workbook.xml": "x"}), "invalid-file", "damaged"},
		"before 2007":     {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 500), "invalid-file", "2007"},
		"a bomb":          {zipped(t, map[string]string{"xl/workbook.xml": "x", "xl/worksheets/sheet1.xml": big, "xl/worksheets/sheet2.xml": big}), "workbook-too-large", "unpacked"},
		"a bomb beside":   {zipped(t, map[string]string{"xl/workbook.xml": "x", "xl/styles.xml": big[:beside+1]}), "workbook-too-large", "beside"},
		"nobody":          {inWorkbook(t, [][]any{{"email"}, {""}}, nil), "empty-file", ""},
		"nothing":         {inWorkbook(t, nil, nil), "empty-file", ""},
		"another header":  {inWorkbook(t, [][]any{{"nick"}, {"x"}}, nil), "invalid-header", ""},
		"a text with NUL": {"email\na\x00@x.example\n", "invalid-file", "NUL"},
		"UTF-16, cut off": {inUTF16("email\n", true)[:9], "invalid-file", "odd number"},
	} {
		w := newWorld(t)
		_, err := w.StartLoad(t.Context(), admin, []byte(test.file), LoadOptions{})
		if codeOf(err) != test.code || test.says != "" && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	w := newWorld(t)
	if _, err := w.StartLoad(t.Context(), admin, []byte("email\na@x.example\n"), LoadOptions{Sheet: "People"}); codeOf(err) != "invalid-file" {
		t.Errorf("a sheet of CSV: %v", err)
	}
	if _, err := w.LoadUpload(t.Context(), admin, w.upload("PK\x03\x04"+strings.Repeat("x", MaxWorkbook), admin), LoadOptions{}); codeOf(err) != "workbook-too-large" {
		t.Errorf("a workbook that is too large: %v", err)
	}
}

// manyRows is a workbook whose rows fill several parts.
func manyRows(t *testing.T, n int) string {
	t.Helper()
	rows := [][]any{{"email", "familyName", "notes"}}
	for i := range n {
		rows = append(rows, []any{fmt.Sprintf("p%d@x.example", i), fmt.Sprintf("P%d", i), strings.Repeat("x", 6000)})
	}
	return inWorkbook(t, rows, nil)
}

// textParts counts the parts that a workbook of one part was unpacked to.
func textParts(w *world, id directory.JobID) int {
	n := 0
	for {
		if _, err := w.store.Jobs.JobInput(w.t.Context(), &store.JobRecord{Job: directory.Job{ID: id}}, n+1); err != nil {
			return n
		}
		n++
	}
}

// A workbook of several parts is unpacked and loaded once, wherever its worker
// dies.
func TestWorkbookCrashes(t *testing.T) {
	const n = 120
	file := manyRows(t, n)
	killed := errors.New("killed")
	for _, at := range []int{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 40} { // among the calls that unpack, mostly
		for _, after := range []bool{false, true} {
			w := newWorld(t)
			j, err := w.StartLoad(t.Context(), admin, []byte(file), LoadOptions{Unknown: UnknownIgnore})
			w.must(err)
			seen, dead := 0, false
			hook := func(isAfter bool) error {
				if dead {
					return killed
				}
				if isAfter == after {
					if seen++; seen == at+1 {
						dead = true
						return killed
					}
				}
				return nil
			}
			w.table.Before = func(context.Context, memory.Call) error { return hook(false) }
			w.table.After = func(context.Context, memory.Call) error { return hook(true) }
			_, _, _ = w.runner.Work(t.Context(), j.ID, w.Now().Add(time.Minute)) // it may die
			w.table.Before, w.table.After = nil, nil
			w.Advance(jobs.LeaseTime + time.Second)
			done := w.run(j.ID)
			if done.State != directory.JobDone || done.Done != n || done.Total != n || done.Inputs != 1 || textParts(w, j.ID) < 3 || done.RefusedCount != 0 || done.Counts["created"]+done.Counts["unchanged"] != n {
				t.Fatalf("killed at call %d (after it: %v): job = %+v, %+v, %d inputs", at, after, done.Job, done.Error, done.Inputs)
			}
		}
	}
}

// The text that a workbook was unpacked to bears seals: whoever changes it in the
// table has nothing loaded, and the job keeps the name of whoever asked for it.
func TestForgedWorkbook(t *testing.T) {
	for _, forged := range []bool{false, true} {
		w := newWorld(t)
		w.store = w.Seal(signer.NewSessions(macs))
		w.join()
		j, err := w.StartLoad(t.Context(), directory.Caller{Subject: "ada"}, []byte(inWorkbook(t, [][]any{{"email", "phones.work"}, {"a@x.example", "1555"}}, nil)), LoadOptions{})
		w.must(err)
		stop := errors.New("unpacked")
		w.table.After = func(_ context.Context, c memory.Call) error { // the slice ends with the part
			if c.Method == "Write" && textParts(w, j.ID) > 0 {
				return stop
			}
			return nil
		}
		_, _, _ = w.runner.Work(t.Context(), j.ID, w.Now().Add(time.Minute)) // it is stopped
		w.table.After = nil
		if forged {
			it, err := w.table.Get(t.Context(), table.Key{Partition: "J#" + string(j.ID), Sort: "in#000001"})
			w.must(err)
			it.Body = bytes.ReplaceAll(it.Body, []byte("1555"), []byte("1666"))
			w.must(w.table.Write(t.Context(), table.Write{Put: &it}))
		}
		w.Advance(jobs.LeaseTime + time.Second)
		done := w.run(j.ID)
		if users := w.all(); forged != (len(users) == 0) || forged != (done.State == directory.JobFailed) || !forged && (users[0].Phones.Work != "1555" || users[0].Editors[0].By != "ada") {
			t.Errorf("forged %v: %+v, %+v; %+v", forged, done.Job, done.Error, users)
		}
	}
}

// FuzzWorkbook checks that what is inside of a workbook's sheet is refused or
// read, whatever it is, and that a row keeps its number.
func FuzzWorkbook(f *testing.F) {
	const sheet = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>`
	for _, rows := range []string{
		`<row r="1"><c r="A1" t="inlineStr"><is><t>email</t></is></c></row><row r="7"><c r="A7" t="inlineStr"><is><t>a@b.example</t></is></c></row>`,
		`<row><c t="str"><v>email</v></c><c r="C1" t="str"><v>x</v></c></row><row r="1048577"><c><v>1E+20</v></c></row>`,
		`<row r="1"><c r="A1" t="str"><v>email</v></c></row><row r="2"><c r="XFE2" t="s"><v>99999999999</v></c></row>`,
		`<row r="1"><c r="A1" t="str"><v>email</v></c></row><row r="1"><c r="A1" s="7"><v>1.5E300</v></c></row><row`,
	} {
		f.Add(rows)
	}
	var frame bytes.Buffer
	x := excelize.NewFile()
	if err := errors.Join(x.Write(&frame), x.Close()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, rows string) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		from, err := zip.NewReader(bytes.NewReader(frame.Bytes()), int64(frame.Len()))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range from.File {
			if part.Name != "xl/worksheets/sheet1.xml" {
				err = errors.Join(err, z.Copy(part))
			}
		}
		w, createErr := z.Create("xl/worksheets/sheet1.xml")
		if createErr == nil {
			_, createErr = fmt.Fprintf(w, sheet, rows)
		}
		if err = errors.Join(err, createErr, z.Close()); err != nil {
			t.Fatal(err)
		}
		book, err := sheets.book(b.Bytes(), "")
		if err != nil {
			if codeOf(err) != "invalid-file" {
				t.Fatalf("%q = %v", rows, err)
			}
			return
		}
		defer func() {
			if err := book.Close(); err != nil {
				t.Error(err)
			}
		}()
		l, err := book.layout(LoadOptions{Unknown: UnknownIgnore})
		for last := l.header; err == nil; {
			var row int
			var cells []string
			if row, cells, err = book.next(); cells == nil {
				break
			}
			line, lineErr := sheetLine(row, cells)
			if lineErr != nil || row <= last {
				t.Fatalf("%q: row %d behind %d, %v", rows, row, last, lineErr)
			}
			if got := l.parse(&rowReader{}, 1, line); got.Line != row || (got.Edit == nil) == (got.Code == "") {
				t.Fatalf("%q: row %d is %+v", rows, row, got)
			}
			last = row
		}
		if err != nil && !errors.Is(err, directory.ErrInvalid) {
			t.Fatalf("%q = %v, no refusal", rows, err)
		}
	})
}

// A workbook is unpacked row by row, with a bounded heap.
func TestWorkbookMemory(t *testing.T) {
	const most = 64 << 20
	rows := [][]any{{"email", "familyName", "department", "jobTitle"}}
	for i := range 12_000 {
		rows = append(rows, []any{fmt.Sprintf("nobody %d", i), fmt.Sprintf("Family name %d", i), "Sales", fmt.Sprintf("Title %x", i*7919)})
	}
	data := []byte(inWorkbook(t, rows, nil))
	rows = nil
	base := live()
	b, err := sheets.book(data, "")
	if err != nil {
		t.Fatal(err)
	}
	n, peak := 0, live()-base
	for {
		_, cells, err := b.next()
		if err != nil {
			t.Fatal(err)
		}
		if cells == nil {
			break
		}
		if n++; n%3000 == 0 {
			peak = max(peak, live()-base)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if n != 12_001 || peak > most {
		t.Errorf("%d rows of %d KB held %d MB at most, want %d", n, len(data)>>10, peak>>20, most>>20)
	}
}

// withPart is a workbook in which one part is edited.
func withPart(t *testing.T, book, name string, edit func(string) string) string {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		w, err := out.Create(f.Name)
		if err == nil && f.Name == name {
			_, err = io.WriteString(w, edit(string(text)))
		} else if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A sheet whose XML breaks off, or is none, is no sheet that ends there.
func TestWorkbookWithABrokenSheet(t *testing.T) {
	rows := [][]any{{"email", "familyName"}}
	for i := range 20 {
		rows = append(rows, []any{fmt.Sprintf("p%d@x.example", i), "P"})
	}
	whole := inWorkbook(t, rows, nil)
	const tenth = `<row r="10"`
	for name, edit := range map[string]func(string) string{
		"a quotation mark is missing": func(s string) string { return strings.Replace(s, tenth, `<row r="10`, 1) },
		"it breaks off in a tag":      func(s string) string { return s[:strings.Index(s, tenth)] + "<row" },
		"it breaks off behind a row":  func(s string) string { return s[:strings.Index(s, tenth)] },
	} {
		w := newWorld(t)
		_, err := w.StartLoad(t.Context(), admin, []byte(withPart(t, whole, "xl/worksheets/sheet1.xml", edit)), LoadOptions{})
		if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != "invalid-file" || !strings.Contains(r.Detail, "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A formula is loaded as what it came to. One without a result, as programs write it
// that do not compute, is no empty cell; on another sheet it is nobody's business.
func TestWorkbookFormulas(t *testing.T) {
	book := inWorkbook(t, [][]any{{"email", "familyName"}, {"a@x.example", "P"}}, func(x *excelize.File) {
		if _, err := x.NewSheet("Notes"); err != nil {
			t.Fatal(err)
		}
	})
	row := func(cells string) func(string) string {
		return func(s string) string {
			from, to := strings.Index(s, `<row r="2"`), strings.Index(s, "</sheetData>")
			return s[:from] + `<row r="2"><c r="A2" t="inlineStr"><is><t>a@x.example</t></is></c>` + cells + "</row>" + s[to:]
		}
	}
	for name, test := range map[string]struct{ file, want string }{
		"a text":          {withPart(t, book, "xl/worksheets/sheet1.xml", row(`<c r="B2" t="str"><f>"A"&amp;"B"</f><v>AB</v></c>`)), "AB"},
		"a number":        {withPart(t, book, "xl/worksheets/sheet1.xml", row(`<c r="B2"><f>3+4</f><v>7</v></c>`)), "7"},
		"an empty text":   {withPart(t, book, "xl/worksheets/sheet1.xml", row(`<c r="B2" t="str"><f>""</f><v></v></c>`)), ""},
		"no result":       {withPart(t, book, "xl/worksheets/sheet1.xml", row(`<c r="B2"><f>"A"&amp;"B"</f></c>`)), "cell B2"},
		"an empty result": {withPart(t, book, "xl/worksheets/sheet1.xml", row(`<c r="B2"><f>"A"&amp;"B"</f><v></v></c>`)), "cell B2"},
		"of another sheet": {withPart(t, book, "xl/worksheets/sheet2.xml", func(s string) string {
			return strings.Replace(s, "<sheetData/>", `<sheetData><row r="1"><c r="A1"><f>1</f></c></row></sheetData>`, 1)
		}), "P"},
	} {
		w := newWorld(t)
		j, err := w.StartLoad(t.Context(), admin, []byte(test.file), LoadOptions{})
		if err != nil {
			if !strings.HasPrefix(test.want, "cell") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		w.run(j.ID)
		if all := w.all(); len(all) != 1 || all[0].FamilyName != test.want {
			t.Errorf("%s: %+v, want %q", name, all, test.want)
		}
	}
}

// A workbook of some KB that would take the memory of a whole function, or its
// time, is refused before the library reads it.
func TestWorkbookBeyondMeasure(t *testing.T) {
	book := inWorkbook(t, [][]any{{"email", "familyName"}, {"a@x.example", "P"}}, nil)
	before := func(end, more string, n int) func(string) string {
		return func(s string) string {
			at := strings.Index(s, end)
			return s[:at] + strings.Repeat(more, n) + s[at:]
		}
	}
	for name, file := range map[string]string{
		"formats":         withPart(t, book, "xl/styles.xml", before("</cellXfs>", "<xf/>", maxOf("<xf/>", 10<<20))),
		"texts":           withPart(t, book, "xl/sharedStrings.xml", before("</sst>", "<si/>", maxOf("<si/>", 100<<20))),
		"open elements":   withPart(t, book, "xl/worksheets/sheet1.xml", before("</sheetData>", "<a>", 1<<20)),
		"text of a cell":  withPart(t, book, "xl/worksheets/sheet1.xml", before("</sheetData>", "a", 10<<20)),
		"of another name": withPart(t, book, "xl/theme/theme1.xml", before("</", "<a/>", 1<<20)),
	} {
		w := newWorld(t)
		_, err := w.StartLoad(t.Context(), admin, []byte(file), LoadOptions{})
		if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != "workbook-too-large" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// maxOf is how often a text fits into size bytes.
func maxOf(text string, size int) int { return size / len(text) }
