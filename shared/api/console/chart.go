package console

import (
	"maps"
	"slices"
	"strconv"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// itoa is a number as programs write it.
func itoa(n int) string { return strconv.Itoa(n) }

// sortedNames are the keys of a map, in order.
func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// factNamed is a fact whose name others gave.
func (v *visit) factNamed(name string, value ...g.Node) g.Node {
	return h.Div(h.Dt(code(name)), h.Dd(value...))
}

// day is what was done on one day.
type day struct {
	Day    string                                             `json:"day"`
	Counts map[directory.Effect]map[directory.ChangeState]int `json:"counts"`
}

func (d day) sums() (written, failed int) {
	for _, states := range d.Counts {
		written += states[directory.ChangeApplied]
		failed += states[directory.ChangeFailed] + states[directory.ChangeRefused]
	}
	return written, failed
}

// The size of a chart, in units of its own.
const (
	chartHeight = 120
	columnWide  = 18
	columnGap   = 4
	chartDays   = 31 // today at the right
)

// dayChart are columns, one a day: what was written and what failed; with the same as a
// table beneath, for those who do not see it. Days on which nothing was done have no column.
func (v *visit) dayChart(days []day) g.Node {
	most := 0
	days = days[max(0, len(days)-chartDays):]
	for _, d := range days {
		w, f := d.sums()
		most = max(most, w+f)
	}
	if most == 0 {
		return nil
	}
	svg := func(name string, at ...g.Node) g.Node { return g.El(name, at...) }
	var columns, rows []g.Node
	when, written, failed := column{head: textDay}, column{head: textChangeApplied, num: true}, column{head: textChangeFailed, num: true}
	last, _ := time.Parse(time.DateOnly, days[len(days)-1].Day)
	for _, d := range days {
		w, f := d.sums()
		at, err := time.Parse(time.DateOnly, d.Day)
		i := chartDays - 1 - int(last.Sub(at)/(24*time.Hour))
		if err != nil || i < 0 {
			continue
		}
		x := i * (columnWide + columnGap)
		high, low := w*chartHeight/most, f*chartHeight/most
		if f > 0 && low == 0 {
			low = 1
		}
		columns = append(columns, svg("g", svg("title", g.Text(clean(d.Day)+": "+v.lang.number(w)+" / "+v.lang.number(f))),
			svg("rect", h.Class("written"), g.Attr("x", itoa(x)), g.Attr("y", itoa(chartHeight-high)), h.Width(itoa(columnWide)), h.Height(itoa(high))),
			svg("rect", h.Class("failed"), g.Attr("x", itoa(x)), g.Attr("y", itoa(chartHeight-high-low)), h.Width(itoa(columnWide)), h.Height(itoa(low)))))
		if w+f > 0 {
			rows = append(rows, h.Tr(v.cell(when, data(d.Day)), v.cell(written, v.number(w)), v.cell(failed, v.number(f))))
		}
	}
	width := chartDays * (columnWide + columnGap)
	return h.Section(h.H2(v.say(textByDay)), h.SVG(h.Class("chart"), h.Role("img"), v.label(textByDay), g.Attr("viewBox", "0 -4 "+itoa(width)+" "+itoa(chartHeight+8)), g.Attr("preserveAspectRatio", "none"), g.Group(columns)),
		h.P(h.Class("axis"), h.Span(data(last.AddDate(0, 0, 1-chartDays).Format(time.DateOnly))), h.Span(v.say(textChartMost, v.lang.number(most))), h.Span(data(last.Format(time.DateOnly)))), h.P(h.Class("legend faint"), v.say(textChartLegend)),
		h.Details(h.Summary(v.say(textAsTable)), v.table(textByDay, []column{when, written, failed}, rows)))
}
