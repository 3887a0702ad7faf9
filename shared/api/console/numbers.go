package console

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Numbers that people type. A mark between digits parts thousands or begins the fraction: which
// is which differs from language to language, and a page writes its numbers as its language has
// them. So a number is read as the page would write it, and otherwise where it can be nothing
// else: "1,000" on an English page and "1.000" on a German one are a thousand, "0,2" and "0.2"
// are a fifth on both. "1.000" on an English page may be either, and is none.

// Why something typed is not taken for a number.
var (
	errNoNumber  = errors.New("console: no number")
	errNotWhole  = errors.New("console: no whole number")
	errAmbiguous = errors.New("console: a number that can be read in two ways")
)

// decimals are what begins the fraction of a number.
var decimals = [tongues]string{".", ","}

// readNumber reads a number that somebody has typed.
func (l tongue) readNumber(typed string) (float64, error) {
	n, _, err := l.read(typed)
	return n, err
}

// readWhole reads a whole number that somebody has typed. One with a fraction, be it of nothing
// but zeros, is none: "1,00" may want to be a hundred or a thousand.
func (l tongue) readWhole(typed string) (int, error) {
	n, whole, err := l.read(typed)
	switch {
	case err == nil && (!whole || math.Abs(n) > 1<<53):
		return 0, errNotWhole
	case err == nil:
		return int(n), nil
	}
	return 0, err
}

func (l tongue) read(typed string) (n float64, whole bool, err error) {
	s, negative := strings.CutPrefix(strings.ReplaceAll(strings.TrimSpace(typed), "−", "-"), "-")
	digits, whole := ungrouped(s)
	fraction := ""
	if at := strings.LastIndexAny(s, ".,"); at >= 0 && strings.Count(s, s[at:at+1]) == 1 {
		switch {
		case whole && s[at:at+1] == decimals[l]:
			return 0, false, errAmbiguous
		case !whole:
			before, ok := ungrouped(s[:at])
			if !ok && at > 0 || !decimal(s[at+1:]) {
				return 0, false, errNoNumber
			}
			digits, fraction = before, s[at+1:]
		}
	}
	if digits+fraction == "" {
		return 0, false, errNoNumber
	}
	if n, err = strconv.ParseFloat("0"+digits+"."+fraction+"0", 64); err != nil { // there is none that large
		return 0, false, errNoNumber
	}
	if negative {
		n = -n
	}
	return n, whole, nil
}

// ungrouped are the digits of a whole number without the marks that part its thousands, which
// stand between groups of three and are all the same.
func ungrouped(s string) (digits string, ok bool) {
	at := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if at < 0 {
		return s, s != ""
	}
	mark, size := utf8.DecodeRuneInString(s[at:])
	if !strings.ContainsRune(".,'’ \u00a0\u202f", mark) || at == 0 || at > 3 || s[0] == '0' {
		return "", false
	}
	for group := range strings.SplitSeq(s[at+size:], string(mark)) {
		if len(group) != 3 || !decimal(group) {
			return "", false
		}
	}
	return strings.ReplaceAll(s, string(mark), ""), true
}

// decimal reports whether a text is of digits, and of one at least.
func decimal(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// noNumber says why what was typed is not taken for a number.
func (l tongue) noNumber(err error, typed string) string {
	why := textNoNumber
	switch {
	case errors.Is(err, errAmbiguous):
		why = textAmbiguousNumber
	case errors.Is(err, errNotWhole):
		why = textNoWholeNumber
	}
	return l.say(why, clean(typed))
}
