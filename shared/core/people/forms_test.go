package people

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"bindery/shared/directory"
)

// inUTF16 is a text in UTF-16 with its mark.
func inUTF16(text string, little bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		if little {
			b.Write([]byte{byte(u), byte(u >> 8)})
		} else {
			b.Write([]byte{byte(u >> 8), byte(u)})
		}
	}
	return b.String()
}

func inWindows1252(t *testing.T, text string) string {
	t.Helper()
	s, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// saw is what became of a file: who is in the directory, and which lines were
// refused.
func (w *world) saw(id directory.JobID) string {
	w.t.Helper()
	var list []string
	for _, u := range w.all() {
		list = append(list, u.Email+"="+u.FamilyName)
	}
	slices.Sort(list) // users of one millisecond are listed in any order
	for _, r := range w.refusals(id) {
		list = append(list, fmt.Sprintf("%d:%s", r.Line, r.Code))
	}
	return strings.Join(list, " ")
}

// Files as people's spreadsheets write them are read alike, as the body of a
// request and as an upload, and the job tells how.
func TestForms(t *testing.T) {
	both := "a@x.example=Ärger b@x.example=Li"
	for _, test := range []struct {
		name, file, want, told string
	}{
		{"commas", "email,familyName\na@x.example,Ärger\nb@x.example,Li\n", both, "csv utf-8 , 1"},
		{"short and long by empty cells", "email,familyName,department\na@x.example,Ärger\nb@x.example,Li,,,, ,\n", both, "csv utf-8 , 1"},
		{"a value without a name", "email,familyName\na@x.example,Ärger\nb@x.example,Li\nc@x.example,Li,,x\n", both + " 4:invalid-line", "csv utf-8 , 1"},
		{"a header that goes on", "email,familyName,,\na@x.example,Ärger,,\nb@x.example,Li\n", both, "csv utf-8 , 1"},
		{"an empty name in between", "email,,familyName\na@x.example,,Ärger\nb@x.example,,Li\nc@x.example,x,Li\n", both + " 4:invalid-line", "csv utf-8 , 1"},
		{"rows of separators", ",,\n;;\nemail;familyName\na@x.example;Ärger\n;;;\n;\"\"\n ; \t;\nb@x.example;Li\n;;\n", both, "csv utf-8 ; 3"},
		{"sep=;", "sep=;\r\nemail;familyName\r\na@x.example;Ärger\r\nb@x.example;Li\r\n", both, "csv utf-8 ; 2"},
		{"sep=| against appearances", "\"SEP=|\"\nemail|familyName,x\na@x.example|Ärger\n", "", "familyName,x"},
		{"returns alone", "email,familyName\ra@x.example,Ärger\rb@x.example,\"Li\"\rc,x\r", both + " 4:invalid-user", "csv utf-8 , 1"},
		{"returns and line breaks", "email,familyName\r\na@x.example,Ärger\r\nb@x.example,Li\r\n", both, "csv utf-8 , 1"},
		{"tabs", "email\tfamilyName\na@x.example\tÄrger\nb@x.example\tLi\n", both, "csv utf-8 \t 1"},
		{"bars", "email|familyName\na@x.example|Ärger\nb@x.example|Li\n", both, "csv utf-8 | 1"},
		{"a quoted name with a comma", "\"email\";\"familyName\";\"customAttributes.a,b\"\na@x.example;Ärger;1\nb@x.example;Li;2\n", both, "csv utf-8 ; 1"},
		{"UTF-8 with its mark", "\ufeffemail,familyName\na@x.example,Ärger\nb@x.example,Li\n", both, "csv utf-8 , 1"},
		{"UTF-16, little end first", inUTF16("email\tfamilyName\r\na@x.example\tÄrger\r\nb@x.example\tLi\r\nc@x.example\t\U0001f600\u0007\r\n", true), both + " 4:invalid-user", "csv utf-16le \t 1"},
		{"UTF-16, big end first", inUTF16("email;familyName\r\na@x.example;Ärger\r\nb@x.example;Li\r\nx\r\n", false), both + " 4:invalid-user", "csv utf-16be ; 1"},
		{"Windows-1252", inWindows1252(t, "email;familyName\r\na@x.example;Ärger\r\nb@x.example;Li\r\n"), both, "csv windows-1252 ; 1"},
		{"UTF-8 with a broken line", "email,familyName\na@x.example,Ärger\nb@x.example,Li\nc@x.example,\xc4\n", both + " 4:invalid-user", "csv utf-8 , 1"},
		{"sent as text", "email,familyName\na@x.example,Ärger\nb@x.example,Li\nc@x.example,M\ufffdller\n", both + " 4:invalid-user", "csv utf-8 , 1"},
		{"a shortened number", "email,familyName,employeeId\na@x.example,Ärger,1E5\nb@x.example,Li,\nc@x.example,Li,1.23457E+11\n", both + " 4:invalid-user", "csv utf-8 , 1"},
		{"JSON lines in UTF-16", inUTF16("{\"email\":\"a@x.example\",\"familyName\":\"Ärger\"}\n{\"email\":\"b@x.example\",\"familyName\":\"Li\"}\n", true), both, "jsonl utf-16le  0"},
		{"JSON lines with returns", "{\"email\":\"a@x.example\",\"familyName\":\"Ärger\"}\r{\"email\":\"b@x.example\",\"familyName\":\"Li\"}", both, "jsonl utf-8  0"},
		{"names in any case", "E-Mail,FAMILY_NAME\na@x.example,Ärger\nb@x.example,Li\n", both, "csv utf-8 , 1"},
		{"Entra's version", "version:v1.0,,\n\"Last name [surname]\",\"User name [userPrincipalName] Required\"\nÄrger,a@x.example\nLi,b@x.example\n", both, "csv utf-8 , 2"},
	} {
		for _, way := range []string{"body", "upload"} {
			w := newWorld(t)
			var j directory.Job
			var err error
			if way == "body" {
				j, err = w.StartLoad(t.Context(), admin, []byte(test.file), LoadOptions{})
			} else {
				j, err = w.LoadUpload(t.Context(), admin, w.upload(test.file, admin), LoadOptions{})
			}
			if test.want == "" {
				if codeOf(err) != "invalid-header" || fieldsOf(err) != test.told {
					t.Errorf("%s as %s: %v, %s", test.name, way, err, fieldsOf(err))
				}
				continue
			}
			if err != nil {
				t.Errorf("%s as %s: %v %s", test.name, way, err, fieldsOf(err))
				continue
			}
			done := w.run(j.ID)
			f := done.File
			if got := fmt.Sprintf("%s %s %s %d", f.Format, f.Encoding, f.Separator, f.HeaderLine); w.saw(j.ID) != test.want || got != test.told || done.Done != done.Total {
				t.Errorf("%s as %s: %s, told %q, %d of %d done; want %s, %q", test.name, way, w.saw(j.ID), got, done.Done, done.Total, test.want, test.told)
			}
		}
	}
}

// A file whose beginning is the same in both encodings is known for Windows-1252
// when its last line is counted, before any is loaded.
func TestEncodingShowsLate(t *testing.T) {
	w := newWorld(t)
	var b strings.Builder
	b.WriteString("email,familyName\n")
	n := 0
	for ; b.Len() < countBytes+headBytes; n++ { // more than one step counts
		fmt.Fprintf(&b, "nobody%s,x\n", strings.Repeat("-", 9000))
	}
	b.WriteString(inWindows1252(t, "a@x.example,Ärger\nb@x.example,Ömer\n"))
	j, err := w.LoadUpload(t.Context(), admin, w.upload(b.String(), admin), LoadOptions{})
	w.must(err)
	if j.File.Encoding != "utf-8" {
		t.Errorf("of the beginning, the encoding is %s", j.File.Encoding)
	}
	failed := false // once, so that another slice goes on behind the count
	w.files.(*fakeFiles).before = func(call string) error {
		if now, err := w.store.Jobs.Job(t.Context(), j.ID); err == nil && now.Total > 0 && call == "read" && !failed {
			failed = true
			return errors.New("away")
		}
		return nil
	}
	done := w.run(j.ID)
	if !failed {
		t.Error("no other slice goes on behind the count")
	}
	if p := w.all(); len(p) != 2 || !strings.Contains("Ärger Ömer", p[0].FamilyName) || done.File.Encoding != "windows-1252" || done.RefusedCount != n {
		t.Errorf("%+v loaded, encoding %s, %d refused", p, done.File.Encoding, done.RefusedCount)
	}
}
