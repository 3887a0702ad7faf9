package console

import (
	"strings"
	"unicode"
)

// A piece of a text that was changed: both sides have it, or one.
type piece struct {
	op   pieceOp
	text string
}

type pieceOp int

const (
	kept pieceOp = iota
	removed
	added
)

// mostWords is how many words a text may have to be compared word by word: the table that
// compares two of them has the square of it.
const mostWords = 120

// wordDiff compares two texts word by word. Its kept and removed pieces are the first
// text, its kept and added pieces the second. nil when that would show no more than the
// two texts do: one is too long, or they have less in common than not.
func wordDiff(before, after string) []piece {
	a, b := wordsOf(before), wordsOf(after)
	if len(a) > mostWords || len(b) > mostWords || len(a) == 0 || len(b) == 0 {
		return nil
	}
	// common[i][j] is how many bytes a from i on and b from j on have in common at most.
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = max(common[i][j], common[i+1][j+1]+len(a[i]))
			}
		}
	}
	if 2*common[0][0] < max(len(before), len(after)) {
		return nil
	}
	var list []piece
	add := func(op pieceOp, text string) {
		if n := len(list); n > 0 && list[n-1].op == op {
			list[n-1].text += text
			return
		}
		list = append(list, piece{op, text})
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j] && common[i][j] == common[i+1][j+1]+len(a[i]):
			add(kept, a[i])
			i, j = i+1, j+1
		case i < len(a) && common[i][j] == common[i+1][j]:
			add(removed, a[i])
			i++
		default:
			add(added, b[j])
			j++
		}
	}
	return list
}

// wordsOf parts a text into words and what stands between them; together they are the
// text.
func wordsOf(s string) []string {
	var list []string
	from, last := 0, -1
	for at, r := range s {
		kind := 0
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		case unicode.IsSpace(r):
			kind = 1
		default:
			kind = 2 // each sign is by itself
		}
		if at > 0 && (kind != last || kind == 2) {
			list, from = append(list, s[from:at]), at
		}
		last = kind
	}
	if s != "" {
		list = append(list, s[from:])
	}
	return list
}

// longText is from how many bytes on a text is compared word by word.
const longText = 30

// worthComparing reports whether two texts are long enough to be compared by their words.
func worthComparing(before, after string) bool {
	return len(before) >= longText && len(after) >= longText && strings.ContainsFunc(before, unicode.IsSpace)
}
