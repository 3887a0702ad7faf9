package roster

import (
	"fmt"
	"strings"
	"testing"
)

// A quote that is not closed is a fault of its own line: those behind it are read.
func TestParseCSVUnclosedQuote(t *testing.T) {
	for name, row := range map[string]struct{ csv, want string }{
		"to the end":        {"email,familyName\na@x.example,A\nb@x.example,\"B\nc@x.example,C\nd@x.example,D\n", "2:a 3:fault 4:c 5:d"},
		"to the next quote": {"email,familyName\na@x.example,\"A\nb@x.example,\"B\"\nc@x.example,C\n", "2:fault 3:b 4:c"},
		"twice":             {"email,familyName\na@x.example,\"A\nb@x.example,B\nc@x.example,\"C\nd@x.example,D\n", "2:fault 3:b 4:fault 5:d"},
		"in the last line":  {"email,familyName\na@x.example,A\nb@x.example,\"B", "2:a 3:fault"},
		"closed, two lines": {"email,displayName\na@x.example,A\nb@x.example,B\n", "2:a 3:b"},
		"semicolons":        {"email;familyName\na@x.example;\"A\nb@x.example;B\n", "2:fault 3:b"},
	} {
		lines, err := parseCSV([]byte(row.csv))
		if err != nil {
			t.Errorf("%s: parseCSV = %v", name, err)
		}
		var got []string
		for _, l := range lines {
			what := "fault"
			if l.Code == "" {
				what, _, _ = strings.Cut(l.Edit["email"], "@")
			}
			got = append(got, fmt.Sprintf("%d:%s", l.Line, what))
		}
		if s := strings.Join(got, " "); s != row.want {
			t.Errorf("%s: parseCSV = %s, want %s", name, s, row.want)
		}
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte("email,familyName\na@x.example,\"A\nb@x.example,\"B\"\n\"\n"))
	f.Add([]byte("email\r\n\"a\r\n\r\n\"\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := parseCSV(data)
		for i := 1; err == nil && i < len(lines); i++ {
			if lines[i].Line <= lines[i-1].Line {
				t.Fatalf("line %d comes behind line %d", lines[i].Line, lines[i-1].Line)
			}
		}
	})
}
