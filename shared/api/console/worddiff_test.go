package console

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func both(list []piece) (before, after string) {
	for _, p := range list {
		if p.op != added {
			before += p.text
		}
		if p.op != removed {
			after += p.text
		}
	}
	return before, after
}

func shown(list []piece) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString([]string{"", "[-", "[+"}[p.op] + p.text + []string{"", "]", "]"}[p.op])
	}
	return b.String()
}

func TestWordDiff(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"Head of Sales, EMEA and Africa", "Head of Marketing, EMEA and Africa", "Head of [-Sales][+Marketing], EMEA and Africa"},
		{"12 Long Street, 10115 Berlin", "12 Long Street, Rear Building, 10115 Berlin", "12 Long Street, [+Rear Building, ]10115 Berlin"},
		{"one two three", "one three", "one [-two ]three"},
		{"same", "same", "same"},
		{"alpha beta", "gamma delta epsilon", ""},
		{"aaaa bbbb cccc", "aaaa xxxx yyyyyy", ""}, // less in common than not
		{"", "x", ""},
		{strings.Repeat("a ", mostWords), "a a", ""},
		{"größer als früher, ja", "größer als vorher, ja", "größer als [-früher][+vorher], ja"},
	} {
		if got := shown(wordDiff(tt[0], tt[1])); got != tt[2] {
			t.Errorf("%q to %q: %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}

// Whatever two texts are, the pieces are both of them, and no two of one kind follow each
// other.
func TestWordDiffIsBoth(t *testing.T) {
	t.Parallel()
	vocabulary := []string{"a", "bb", "ccc", " ", "  ", ",", ".", "ü", "\n", "日本", "\xff"}
	r := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var b strings.Builder
		for range r.IntN(30) {
			b.WriteString(vocabulary[r.IntN(len(vocabulary))])
		}
		return b.String()
	}
	compared := 0
	for range 20_000 {
		a := text()
		b := a
		if r.IntN(3) > 0 {
			at := r.IntN(len(a) + 1)
			b = a[:at] + text() + a[at:]
		} else {
			b = text()
		}
		compared += checkPieces(t, a, b)
	}
	if compared < 5000 {
		t.Errorf("only %d were compared", compared)
	}
}

func checkPieces(t *testing.T, a, b string) int {
	t.Helper()
	list := wordDiff(a, b)
	if list == nil {
		return 0
	}
	if before, after := both(list); before != a || after != b {
		t.Fatalf("%q to %q is %q", a, b, shown(list))
	}
	for i := 1; i < len(list); i++ {
		if list[i].op == list[i-1].op || list[i].text == "" {
			t.Fatalf("%q to %q has pieces %q", a, b, shown(list))
		}
	}
	return 1
}

func FuzzWordDiff(f *testing.F) {
	f.Add("Head of Sales", "Head of Marketing")
	f.Add("\xff \x00a", "a\u202e b")
	f.Fuzz(func(t *testing.T, a, b string) { checkPieces(t, a, b) })
}
