package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// pagesOf reads pages until the last one, an error or the bound, and begins in
// another process after every so many pages.
func pagesOf(t *testing.T, restart, bound int, page func(n int) (ids []string, next string)) (int, error) {
	t.Helper()
	var p Paging
	for n := range bound {
		ids, next := page(n)
		if _, err := p.Add("accounts", ids, next); err != nil || next == "" {
			return n + 1, err
		}
		if restart > 0 && n%restart == restart-1 {
			raw, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			p = Paging{}
			if err := json.Unmarshal(raw, &p); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bound, nil
}

func people(from, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("id-", from+i)
	}
	return ids
}

// A reading that turns in a circle ends, also when each page, or every few, is
// read by another process.
func TestPagingLoops(t *testing.T) {
	for _, restart := range []int{0, 1, 7, 30} {
		for _, before := range []int{0, 1, 40} { // good pages before the circle
			for _, length := range []int{1, 2, 5, 60} {
				for _, kind := range []string{"links", "objects", "empty"} {
					if kind == "empty" && length > 1 {
						continue
					}
					n, err := pagesOf(t, restart, 5000, func(n int) ([]string, string) {
						if n < before {
							return people(n*10, 10), fmt.Sprint("good ", n)
						}
						at := (n - before) % length
						switch kind {
						case "links":
							return people(10_000+at*10, 10), fmt.Sprint("circle ", at)
						case "objects":
							return people(10_000+at*10, 10), fmt.Sprint("ever new ", n)
						}
						return nil, fmt.Sprint("ever new ", n)
					})
					var p *Problem
					if !errors.As(err, &p) || p.Code != CodePagingLoop {
						t.Fatalf("%s, circle of %d behind %d pages, restarted every %d: %d pages read, %v", kind, length, before, restart, n, err)
					}
					if most := map[string]int{"links": 4 * (before + length + 2), "objects": before + 200 + 32*length, "empty": before + mostEmpty + 1}[kind]; n > most {
						t.Errorf("%s, circle of %d behind %d pages, restarted every %d: ended after %d pages, want at most %d", kind, length, before, restart, n, most)
					}
				}
			}
		}
	}
}

// What Microsoft may legally do goes on.
func TestPagingGoesOn(t *testing.T) {
	for what, page := range map[string]func(n int) []string{
		"a large tenant":               func(n int) []string { return people(n*999, 999) },
		"empty pages between":          func(n int) []string { return people(n/100, min(1, (n+1)%100/99)) },
		"one account on each page":     func(n int) []string { return append(people(n*10+1, 9), "hot") },
		"a page that is sent twice":    func(n int) []string { return people(n/2*10, 10) },
		"many pages of changes, again": func(n int) []string { return people(n%90*10, 10) },
	} {
		const last = 180
		n, err := pagesOf(t, 30, last, func(n int) ([]string, string) {
			if n == last-1 {
				return page(n), ""
			}
			return page(n), fmt.Sprint("link ", n)
		})
		if err != nil || n != last {
			t.Errorf("%s: %d pages, %v", what, n, err)
		}
	}
}

func TestPagingTellsWhatIsNew(t *testing.T) {
	var p Paging
	for _, step := range []struct{ ids, want string }{
		{`["a","b"]`, "[0 1]"}, {`["B","c","c"]`, "[1]"}, {`["a"]`, "[]"},
	} {
		var ids []string
		if err := json.Unmarshal([]byte(step.ids), &ids); err != nil {
			t.Fatal(err)
		}
		if fresh, err := p.Add("accounts", ids, "more "+step.ids); err != nil || fmt.Sprint(fresh) != step.want {
			t.Errorf("Add(%s) = %v, %v, want %s", step.ids, fresh, err, step.want)
		}
	}
}

// A reading whose links die on the way again and again ends too.
func TestPagingRestarts(t *testing.T) {
	var p Paging
	for n := 1; ; n++ {
		for page := range 3 {
			if _, err := p.Add("accounts", people(page*10, 10), fmt.Sprint("link ", n, page)); err != nil {
				t.Fatalf("page %d of reading %d: %v", page, n, err)
			}
		}
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		p = Paging{}
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		err = p.Restart("accounts", "a link was not known any more")
		if problem, loops := errors.AsType[*Problem](err); loops {
			if n < 4 || problem.Code != CodePagingLoop || !strings.Contains(problem.Message, "18 pages") {
				t.Errorf("after %d readings: %+v", n, problem)
			}
			return
		}
		if err != nil || n > 10 {
			t.Fatalf("after %d readings: %v", n, err)
		}
	}
}
