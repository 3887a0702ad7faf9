package demo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/term"
)

// ErrChecksFailed ends the demo with exit code 1.
var ErrChecksFailed = errors.New("some checks failed")

// show prints the demo's progress: a moving line on a terminal, plain lines
// elsewhere, and the table of checks at the end.
type show struct {
	out      io.Writer
	moving   bool
	chapters int
	checks   []check
	last     int // the last progress printed
}

type check struct {
	what      string
	want, got string
}

func newShow(out io.Writer) *show {
	f, ok := out.(*os.File)
	return &show{out: out, moving: ok && term.IsTerminal(int(f.Fd()))}
}

func (s *show) clear() {
	if s.moving {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

func (s *show) chapter(title string) {
	s.clear()
	s.chapters++
	s.last = -1
	fmt.Fprintf(s.out, "%2d. %s\n", s.chapters, title)
}

// progress shows how far a chapter is: on a terminal all the time, elsewhere
// when half and all of it is done.
func (s *show) progress(done, total int) {
	if total == 0 || done == s.last {
		return
	}
	if s.moving {
		s.last = done
		const width = 30
		n := min(width, done*width/total)
		fmt.Fprintf(s.out, "\r    [%-*s] %d of %d", width, "##############################"[:n], done, total)
		return
	}
	if done == total || s.last < total/2 && done >= total/2 {
		s.last = done
		fmt.Fprintf(s.out, "    %d of %d\n", done, total)
	}
}

func (s *show) note(text string) {
	s.clear()
	fmt.Fprintf(s.out, "    %s\n", text)
}

func (s *show) check(what string, want, got any) {
	s.checks = append(s.checks, check{what, fmt.Sprint(want), fmt.Sprint(got)})
}

// finish prints the table and the closing line; ErrChecksFailed when a check
// does not hold.
func (s *show) finish(took time.Duration) error {
	s.clear()
	t := table.NewWriter()
	t.SetOutputMirror(s.out)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"checked against both sides", "expected", "found", ""})
	passed, failed := 0, 0
	for _, c := range s.checks {
		verdict := "ok"
		if c.want != c.got {
			verdict = "FAILED"
			failed++
		} else {
			passed++
		}
		t.AppendRow(table.Row{c.what, c.want, c.got, verdict})
	}
	t.Render()
	fmt.Fprintf(s.out, "took %.1f s\ndemo: %d passed, %d failed\n", took.Seconds(), passed, failed)
	if failed > 0 {
		return ErrChecksFailed
	}
	return nil
}
