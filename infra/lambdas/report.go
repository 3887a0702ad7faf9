package lambdas

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"bindery/infra/lambdas/mapping"
	"bindery/infra/lambdas/runtime"
	"bindery/infra/template"
)

// Report is what a world has to tell when it is over.
type Report struct {
	Functions map[string]runtime.Stats
	Memory    map[string]int // MB that each function has
	Queues    map[string]mapping.Stats
	// DeadLetters counts what lies in the queues for it, by resource.
	DeadLetters map[string]int
	Denied      []string                  // calls that a role did not allow
	Unknown     []string                  // calls that package cloud does not know
	Unused      []string                  // rights that no call used: "function: statement: action on resource"
	Faults      []string                  // what went wrong: functions that failed, answers of 500
	Alarms      []string                  // of the template that would have rung
	Calls       map[string]map[string]int // by function and action
}

// Report tells what has happened; call it when Run has returned.
func (w *World) Report(ctx context.Context) (*Report, error) {
	r := &Report{
		Functions: map[string]runtime.Stats{}, Memory: map[string]int{}, Queues: map[string]mapping.Stats{}, DeadLetters: map[string]int{},
		Unknown: told(w.cloud.Unknown()), Calls: map[string]map[string]int{},
	}
	for folder, f := range w.functions {
		r.Functions[folder], r.Memory[folder] = f.Stats(), f.Memory
		r.Calls[folder] = f.role.Calls()
		for _, d := range told(f.role.Denied()) {
			r.Denied = append(r.Denied, folder+": "+w.stack.abstract(d))
		}
		for _, right := range f.role.Unused() {
			r.Unused = append(r.Unused, folder+": "+w.stack.abstract(right.String()))
		}
	}
	slices.Sort(r.Denied)
	slices.Sort(r.Unused)
	for _, m := range w.mappings {
		r.Queues[m.Function] = m.Stats()
	}
	for name := range w.stack.Of("AWS::SQS::Queue") {
		n, err := w.stack.waiting(ctx, name)
		if err != nil {
			return nil, err
		}
		if strings.Contains(name, "DeadLetters") {
			if n > 0 {
				r.DeadLetters[name] = n
			}
			w.sample("AWS/SQS", "ApproximateNumberOfMessagesVisible", w.stack.name(name), float64(n))
		}
	}
	var err error
	if r.Alarms, err = w.alarms(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Faults = slices.Clone(w.faults)
	return r, nil
}

// counted lists what was counted, the most first.
func counted(counts map[string]int) []string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return names
}

// told lists what was counted.
func told(counts map[string]int) []string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s (%d times)", what, counts[what]))
	}
	return out
}

// alarms are those whose threshold was passed, at any time and however briefly:
// an alarm that waits for a second period is held to the first.
func (w *World) alarms() ([]string, error) {
	made, err := w.stack.Made("AWS::CloudWatch::Alarm")
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var rings []string
	for _, name := range slices.Sorted(maps.Keys(made)) {
		a := made[name]
		value, there := w.measured(a)
		threshold := float64(number(a["Threshold"]))
		over := false
		switch a["ComparisonOperator"] {
		case "GreaterThanThreshold":
			over = value > threshold
		case "GreaterThanOrEqualToThreshold":
			over = value >= threshold
		case "LessThanThreshold":
			over = there && value < threshold
		default:
			return nil, fmt.Errorf("%s: the comparison %v is not known here", name, a["ComparisonOperator"])
		}
		if over || !there && a["TreatMissingData"] == "breaching" {
			rings = append(rings, fmt.Sprintf("%s (%g)", name, value))
		}
	}
	return rings, nil
}

// measured is what an alarm looks at, and whether there was anything: its
// metric, or the sum of its metrics.
func (w *World) measured(a map[string]any) (float64, bool) {
	if a["MetricName"] != nil {
		return w.metric(a, fmt.Sprint(a["Statistic"]))
	}
	sum, some := 0.0, false
	list, _ := a["Metrics"].([]any)
	for _, m := range list {
		if metric, ok := template.At(m, "MetricStat", "Metric").(map[string]any); ok {
			v, there := w.metric(metric, fmt.Sprint(template.At(m, "MetricStat", "Stat")))
			sum, some = sum+v, some || there
		}
	}
	return sum, some
}

func (w *World) metric(m map[string]any, stat string) (float64, bool) {
	dimension := ""
	if v := template.At(m, "Dimensions", 0, "Value"); v != nil {
		dimension = fmt.Sprint(v)
	}
	values := w.samples[[3]string{fmt.Sprint(m["Namespace"]), fmt.Sprint(m["MetricName"]), dimension}]
	return statistic(stat, values), len(values) > 0
}

// Write writes the report for people.
func (r *Report) Write(out io.Writer) {
	fmt.Fprintf(out, "%-16s %8s %6s %9s %7s %9s %12s %12s %10s\n", "function", "events", "colds", "recycled", "killed", "peak MB", "event bytes", "answer bytes", "slowest")
	for _, name := range slices.Sorted(maps.Keys(r.Functions)) {
		f := r.Functions[name]
		fmt.Fprintf(out, "%-16s %8d %6d %9d %7d %4d/%4d %12d %12d %10s\n", name, f.Invocations, f.ColdStarts, f.Recycled, f.KilledMidway,
			f.PeakMB, r.Memory[name], f.BiggestEvent, f.BiggestAnswer, f.Slowest.Round(1e6))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Queues)) {
		q := r.Queues[name]
		fmt.Fprintf(out, "queue of %-11s %d done, %d failed, at most %d times through the function, %d stopped as loops\n", name, q.Done, q.Failed, q.MostHops, q.Stopped)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Calls)) {
		fmt.Fprintf(out, "%-16s %s\n", name, strings.Join(counted(r.Calls[name]), ", "))
	}
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"dead letters", told(r.DeadLetters)}, {"denied", r.Denied}, {"calls that nobody has looked up", r.Unknown}, {"rights that no call used", r.Unused},
		{"went wrong", r.Faults}, {"alarms", r.Alarms},
	} {
		fmt.Fprintf(out, "%s: %d\n", part.title, len(part.lines))
		for _, line := range part.lines {
			fmt.Fprintf(out, "  %s\n", line)
		}
	}
}

// isNotFound reports whether Secrets Manager knows no such secret.
func isNotFound(err error) bool {
	_, is := errors.AsType[*types.ResourceNotFoundException](err)
	return is
}
