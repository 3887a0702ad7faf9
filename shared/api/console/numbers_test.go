package console

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

// A number is read as the page writes it, or where it can be nothing else; what can be read in
// two ways is none.
func TestReadNumber(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string][tongues]any{
		"5":                    {5.0, 5.0},
		" 12 ":                 {12.0, 12.0},
		"1000":                 {1000.0, 1000.0},
		"1,000":                {1000.0, errAmbiguous},
		"1.000":                {errAmbiguous, 1000.0},
		"999,999":              {999999.0, errAmbiguous},
		"1,000,000":            {1e6, 1e6},
		"1.000.000":            {1e6, 1e6},
		"1 000":                {1000.0, 1000.0},
		"12\u00a0000\u00a0000": {12e6, 12e6},
		"1\u202f000":           {1000.0, 1000.0},
		"1'000":                {1000.0, 1000.0},
		"1’000":                {1000.0, 1000.0},
		"1,000.5":              {1000.5, 1000.5},
		"1.000,5":              {1000.5, 1000.5},
		"0.2":                  {0.2, 0.2},
		"0,2":                  {0.2, 0.2},
		"0.125":                {0.125, 0.125},
		"0,125":                {0.125, 0.125},
		",5":                   {0.5, 0.5},
		".125":                 {0.125, 0.125},
		"1,5":                  {1.5, 1.5},
		"1.00":                 {1.0, 1.0},
		"-3":                   {-3.0, -3.0},
		"−1,000":               {-1000.0, errAmbiguous},
		"":                     {errNoNumber, errNoNumber},
		"-":                    {errNoNumber, errNoNumber},
		",":                    {errNoNumber, errNoNumber},
		"5,":                   {errNoNumber, errNoNumber},
		"1,00,000":             {errNoNumber, errNoNumber},
		"1,0000,000":           {errNoNumber, errNoNumber},
		"1000,000,000":         {errNoNumber, errNoNumber},
		"0,000,001":            {errNoNumber, errNoNumber},
		"1,000 000":            {errNoNumber, errNoNumber},
		"1.000,000.000":        {errNoNumber, errNoNumber},
		"1 00":                 {errNoNumber, errNoNumber},
		"NaN":                  {errNoNumber, errNoNumber},
		"Inf":                  {errNoNumber, errNoNumber},
		"0x10":                 {errNoNumber, errNoNumber},
		"1e3":                  {errNoNumber, errNoNumber},
		"1_000":                {errNoNumber, errNoNumber},
		"--1":                  {errNoNumber, errNoNumber},
		"many":                 {errNoNumber, errNoNumber},
		"٣":                    {errNoNumber, errNoNumber},
	} {
		for l := range tongues {
			n, err := l.readNumber(typed)
			if wanted, refused := want[l].(error); refused && !errors.Is(err, wanted) || !refused && (err != nil || n != want[l]) {
				t.Errorf("%v: %q is %v, %v; want %v", l, typed, n, err, want[l])
			}
		}
	}
	for typed, fails := range map[string]error{"1,000": nil, "7": nil, "-7": nil, "1.5": errNotWhole, "1,00": errNotWhole, "5.0": errNotWhole, "1" + strings.Repeat("0", 18): errNotWhole, "1.000": errAmbiguous} {
		if n, err := english.readWhole(typed); !errors.Is(err, fails) {
			t.Errorf("whole: %q is %d, %v; want %v", typed, n, err, fails)
		}
	}
}

// What the console writes, it reads.
func FuzzReadNumber(f *testing.F) {
	f.Add(1000, "1,000")
	f.Add(-7, "0.2")
	f.Fuzz(func(t *testing.T, n int, typed string) {
		for l := range tongues {
			if n > -1<<53 && n < 1<<53 {
				if got, err := l.readWhole(l.number(n)); err != nil || got != n {
					t.Errorf("%v: %d is written %q and read %d, %v", l, n, l.number(n), got, err)
				}
			}
			of, err := l.readNumber(typed)
			if err != nil {
				continue
			}
			if again, err := l.readNumber(strconv.FormatFloat(of, 'f', -1, 64)); err == nil && again != of {
				t.Errorf("%v: %q is %v, and that is %v", l, typed, of, again)
			}
		}
	})
}
