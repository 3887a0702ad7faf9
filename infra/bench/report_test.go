package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// better says which direction is the good one.
type better string

const (
	lower  better = "lower"
	higher better = "higher"
)

// row is one number.
type row struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Better better  `json:"better"`

	part    string
	meaning string
}

// must is what a row has to reach.
type must struct {
	limit  float64
	better better
}

func (m must) met(v float64) bool {
	if m.better == lower {
		return v <= m.limit
	}
	return v >= m.limit
}

func (m must) String() string {
	sign := "≤"
	if m.better == higher {
		sign = "≥"
	}
	return fmt.Sprintf("%s %g", sign, m.limit)
}

// musts are the bounds that the bench holds Bindery to.
var musts = map[string]must{
	"idle.graph_requests":      {2, lower},
	"idle.table_units":         {5, lower},
	"one_edit.graph_requests":  {3, lower},
	"one_edit.latency_s":       {0.3, lower},
	"one_edit.table_units":     {40, lower},
	"reconcile.table_units":    {60_000, lower},
	"first.1000_s":             {4, lower},
	"first.200_ratio":          {1.7, lower},
	"first.1000_ratio":         {1.7, lower},
	"first.calls_per_user":     {1.2, lower},
	"first.calls_per_user_20k": {1.1, lower},
	"first.dear_batch_ratio":   {1.1, lower},
	"few.requests":             {4, lower},
	"few.calls":                {6, lower},
	"export.quota_ratio":       {0.98, higher},
	"export.throttled":         {0, lower},
	"export.dead_letters":      {0, lower},
	"export.killed_ratio":      {0.95, higher},
	"export.surprise_ratio":    {0.90, higher},
	"leaver.latency_s":         {3, lower},
	"leaver.burst_s":           {8, lower},
	"leaver.window_s":          {3, lower},
	"fleet.quota_ratio":        {0.95, higher},
	"fleet.small_delay_s":      {5, lower},
	"reconcile.cpu_ratio":      {4, lower},
	"reconcile.heap_mb":        {64, lower},
	"plan.cpu_ratio":           {2.5, lower},
	"whatif.cpu_ratio":         {4, lower},
	"build.zip_mb":             {8, lower},
	"coldstart.ratio":          {2.2, lower},
	"load.heap_mb":             {32, lower},
	"load.calls_per_user":      {0.2, lower},

	"members.quota_ratio":     {0.95, higher},
	"members.throttled":       {0, lower},
	"members.leaver_s":        {3, lower},
	"groups.idle_requests":    {4, lower},
	"one_member.requests":     {4, lower},
	"licences.calls_per_user": {1.02, lower},
	"licences.at_once":        {1, lower},
	"deactivate.ratio":        {1, lower},
	"regroup.heap_mb":         {64, lower},
	"large.quota_ratio":       {0.95, higher},
	"large.edit_requests":     {4, lower},
	"large.edit_latency_s":    {1.5, lower},
	"large.edit_table_units":  {200, lower},
	"large.compare_heap_mb":   {64, lower},
	"crowd.load_heap_mb":      {32, lower},
	"crowd.list_heap_mb":      {32, lower},
	"crowd.import_heap_mb":    {32, lower},
	"many.edit_s":             {1.5, lower},
	"many.leaver_s":           {3, lower},
	"licences.leaver_s":       {3, lower},
	"one_member.latency_s":    {1.5, lower},

	"console.calls_max":   {4, lower},
	"console.cpu_ms_max":  {150, lower},
	"console.html_kb_max": {60, lower},

	"scim.cpu_ms_p99":            {40, lower},
	"scim.lookup_calls":          {4, lower},
	"scim.lookup_grown":          {0, lower},
	"scim.page_calls_startIndex": {12, lower},
	"scim.page_calls_cursor":     {12, lower},
	"scim.page_grown_startIndex": {1.05, lower},
	"scim.page_grown_cursor":     {1.05, lower},

	"schedule.connections_per_minute": {5_000, higher},
	"schedule.calls_per_idle":         {3, lower},
}

// report collects rows.
type report struct {
	mu   sync.Mutex
	part string
	rows []row
}

func (r *report) add(name string, value float64, unit string, b better, meaning string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, row{name, value, unit, b, r.part, meaning})
	fmt.Printf("  %-34s %12s %s\n", name, number(value), unit)
}

func number(v float64) string {
	switch {
	case v == float64(int64(v)):
		return fmt.Sprintf("%d", int64(v))
	case v < 10:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// print writes the table and returns the names of the rows that miss their must,
// and of those that should be there and are not.
func (r *report) print(want []string) (missed, absent []string) {
	t := table.NewWriter()
	t.SetOutputMirror(os.Stdout)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"name", "value", "unit", "must", "", "what it is"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}, {Number: 6, WidthMax: 70}})
	there := map[string]bool{}
	part := ""
	for _, w := range r.rows {
		if w.part != part && part != "" {
			t.AppendSeparator()
		}
		part = w.part
		there[w.Name] = true
		m, bound := musts[w.Name]
		limit, mark := "", ""
		if bound {
			limit, mark = m.String(), "ok"
			if !m.met(w.Value) {
				mark = "MISSED"
				missed = append(missed, w.Name)
			}
		}
		t.AppendRow(table.Row{w.Name, number(w.Value), w.Unit, limit, mark, w.meaning})
	}
	for _, name := range want {
		if !there[name] {
			absent = append(absent, name)
			limit := ""
			if m, bound := musts[name]; bound {
				limit = m.String()
			}
			t.AppendRow(table.Row{name, "-", "", limit, "MISSED", "not measured: its part failed, see above"})
		}
	}
	fmt.Printf("\n%s/%s, GOMAXPROCS %d, %s. Times in seconds are virtual but for reconcile, coldstart and build.\n",
		runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version())
	t.Render()
	return missed, absent
}

// save writes the rows as JSON.
func (r *report) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r.rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o600)
}
