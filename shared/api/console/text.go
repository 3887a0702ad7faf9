package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// A tongue is a language that the console speaks.
type tongue int

// The languages, in the order in which words.go has their texts.
const (
	english tongue = iota
	german
	tongues
)

// tags are the languages' names on the web.
var tags = [tongues]string{"en", "de"}

func (l tongue) String() string { return tags[l] }

// text is one text in every language; what stands in for %s is put in formatted.
type text [tongues]string

// number is a text about a number, for one and for any other.
type number struct{ one, more text }

// languageOf is the language that somebody chose, or the browser's.
func (c *Console) languageOf(r *http.Request) tongue {
	chosen := c.cookie(r, langCookie)
	for l, tag := range tags {
		if chosen == tag {
			return tongue(l)
		}
	}
	wanted := r.Header.Get("Accept-Language")
	if len(wanted) > 200 {
		return english
	}
	list, _, err := language.ParseAcceptLanguage(wanted)
	if err != nil {
		return english
	}
	for _, tag := range list {
		base, _ := tag.Base()
		for l, ours := range tags {
			if base.String() == ours {
				return tongue(l)
			}
		}
	}
	return english
}

// say is a text in a language, with what it speaks of.
func (l tongue) say(t text, with ...any) string {
	if len(with) == 0 {
		return t[l]
	}
	return fmt.Sprintf(t[l], with...)
}

// count is a text about a number. The number is the first that the text speaks of.
func (l tongue) count(t number, n int, with ...any) string {
	form := t.more
	if n == 1 {
		form = t.one
	}
	return fmt.Sprintf(form[l], append([]any{l.number(n)}, with...)...)
}

// of is a text about a number as a text of its own.
func (t number) of(n int) text {
	var said text
	for l := range tongues {
		said[l] = l.count(t, n)
	}
	return said
}

// number is a number as people write it.
func (l tongue) number(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	mark := ","
	if l == german {
		mark = "."
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(mark)
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// months are short names of months.
var months = [12]text{
	{"Jan", "Jan."}, {"Feb", "Feb."}, {"Mar", "März"}, {"Apr", "Apr."}, {"May", "Mai"}, {"Jun", "Juni"},
	{"Jul", "Juli"}, {"Aug", "Aug."}, {"Sep", "Sept."}, {"Oct", "Okt."}, {"Nov", "Nov."}, {"Dec", "Dez."},
}

// moment is a time to the minute, in UTC.
func (l tongue) moment(t time.Time) string {
	t = t.UTC()
	return fmt.Sprintf("%s, %02d:%02d UTC", l.day(t), t.Hour(), t.Minute())
}

// day is the day of a time.
func (l tongue) day(t time.Time) string {
	month := l.say(months[t.Month()-1])
	if l == german {
		return fmt.Sprintf("%d. %s %d", t.Day(), month, t.Year())
	}
	return fmt.Sprintf("%d %s %d", t.Day(), month, t.Year())
}

// length is a duration in its largest unit.
func (l tongue) length(d time.Duration) string {
	d = max(d, -d)
	switch {
	case d < time.Minute:
		return l.count(textSeconds, int(d/time.Second))
	case d < time.Hour:
		return l.count(textMinutes, int(d/time.Minute))
	case d < 48*time.Hour:
		return l.count(textHours, int(d/time.Hour))
	}
	return l.count(textDays, int(d/(24*time.Hour)))
}

// ago tells how long a time is past.
func (l tongue) ago(t, now time.Time) string {
	if now.Sub(t) < 5*time.Second {
		return l.say(textJustNow)
	}
	return l.say(textAgo, l.lengthDative(now.Sub(t)))
}

// lengthDative is length behind a preposition, which German declines.
func (l tongue) lengthDative(d time.Duration) string {
	s := l.length(d)
	if l == german && strings.HasSuffix(s, "Tage") {
		s += "n"
	}
	return s
}
