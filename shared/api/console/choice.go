package console

import (
	"slices"
	"strconv"
	"strings"

	"bindery/shared/directory"
)

// choice is which changes of a run somebody has ticked. It goes along in addresses, so
// that a page with it can be sent, come back to, and signed in for: as places in the plan,
// "0.3-9.14_1.2" for the places 3 to 9 and 14 of the first chunk and 2 of the second.
// What a change is called is its run's ID and its place.
type choice map[place]bool

// place is where a change stands in its run's plan.
type place struct{ chunk, at int }

// mostChosen is how many changes may be ticked one by one; more are chosen by a filter.
const mostChosen = 500

// placeOf reads a change's place off its ID; false for an ID of another form.
func placeOf(run directory.RunID, id directory.ChangeID) (place, bool) {
	rest, ok := strings.CutPrefix(string(id), string(run)+".")
	if !ok {
		return place{}, false
	}
	return parsePlace(rest)
}

func parsePlace(text string) (place, bool) {
	a, b, ok := strings.Cut(text, ".")
	chunk, err1 := strconv.Atoi(a)
	at, err2 := strconv.Atoi(b)
	p := place{chunk, at}
	return p, ok && err1 == nil && err2 == nil && chunk >= 0 && at >= 0 && p.String() == text
}

func (p place) String() string { return strconv.Itoa(p.chunk) + "." + strconv.Itoa(p.at) }

func (p place) compare(q place) int {
	if p.chunk != q.chunk {
		return p.chunk - q.chunk
	}
	return p.at - q.at
}

// places are the chosen ones, in order.
func (c choice) places() []place {
	list := make([]place, 0, len(c))
	for p := range c {
		list = append(list, p)
	}
	slices.SortFunc(list, place.compare)
	return list
}

// asked is the choice as /v1 takes it: a place, or several in a row, between commas.
func (c choice) asked() string {
	var list []string
	for chunk := range strings.SplitSeq(c.String(), "_") {
		number, places, ok := strings.Cut(chunk, ".")
		if !ok {
			break // nothing is chosen
		}
		for at := range strings.SplitSeq(places, ".") {
			list = append(list, number+"."+at)
		}
	}
	return strings.Join(list, ",")
}

func (c choice) String() string {
	var b strings.Builder
	list := c.places()
	for i := 0; i < len(list); {
		p := list[i]
		if i == 0 || list[i-1].chunk != p.chunk {
			if i > 0 {
				b.WriteByte('_')
			}
			b.WriteString(strconv.Itoa(p.chunk))
		}
		last := i
		for last+1 < len(list) && list[last+1].chunk == p.chunk && list[last+1].at == list[last].at+1 {
			last++
		}
		b.WriteString("." + strconv.Itoa(p.at))
		if last > i {
			b.WriteString("-" + strconv.Itoa(list[last].at))
		}
		i = last + 1
	}
	return b.String()
}

// parseChoice reads what String writes. false when a text is none, or chooses more than
// may be ticked.
func parseChoice(text string) (choice, bool) {
	c := choice{}
	if text == "" {
		return c, true
	}
	for group := range strings.SplitSeq(text, "_") {
		fields := strings.Split(group, ".")
		chunk, err := strconv.Atoi(fields[0])
		if err != nil || chunk < 0 || len(fields) < 2 {
			return nil, false
		}
		for _, f := range fields[1:] {
			a, b, ranged := strings.Cut(f, "-")
			from, err := strconv.Atoi(a)
			to := from
			if ranged && err == nil {
				to, err = strconv.Atoi(b)
			}
			if err != nil || from < 0 || to < from || to-from >= mostChosen {
				return nil, false
			}
			for at := from; at <= to; at++ {
				if c[place{chunk, at}] = true; len(c) > mostChosen {
					return nil, false
				}
			}
		}
	}
	return c, true
}
