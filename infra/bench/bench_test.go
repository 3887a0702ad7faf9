package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// part is a group of measurements that can be asked for by name.
type part struct {
	name string
	rows []string // that it owes, beside others
	run  func(t *testing.T, r *report)
}

var parts = []part{
	{"growth", []string{"idle.graph_requests", "idle.table_units", "one_edit.graph_requests", "one_edit.latency_s", "one_edit.table_units", "reconcile.table_units"}, growth},
	{"first", []string{"first.1000_s", "first.200_ratio", "first.1000_ratio", "first.calls_per_user", "first.dear_batch_ratio"}, first},
	{"few", []string{"few.requests", "few.calls"}, few},
	{"export", []string{"export.quota_ratio", "export.throttled", "export.dead_letters", "first.calls_per_user_20k"}, export},
	{"looping", []string{"export.stopped_dead_letters"}, looping},
	{"killed", []string{"export.killed_ratio"}, killed},
	{"surprise", []string{"export.surprise_ratio"}, surprise},
	{"leaver", []string{"leaver.latency_s", "leaver.burst_s"}, leaver},
	{"window", []string{"leaver.window_s"}, window},
	{"naive", []string{"naive.requests_ratio", "naive.items_ratio", "naive.units_ratio", "naive.time_ratio", "naive.best_requests_ratio", "naive.best_time_ratio"}, naive},
	{"coldstart", []string{"coldstart.ratio", "build.zip_mb"}, coldstart},
	{"reconcile", []string{"reconcile.cpu_ratio", "reconcile.heap_mb"}, reconcileCPU},
	{"plan", []string{"plan.cpu_ratio", "whatif.cpu_ratio"}, planCPU},
	{"fleet", []string{"fleet.quota_ratio"}, fleet},
	{"loads", []string{"load.heap_mb", "load.calls_per_user", "load.cpu_ratio", "admin.load_cpu_ratio", "admin.page_cpu_ratio"}, loads},
	{"schedule", []string{"schedule.connections_per_minute", "schedule.calls_per_idle"}, scheduler},
	{"groups", []string{"members.quota_ratio", "members.throttled", "members.leaver_s", "groups.idle_requests", "one_member.requests", "one_member.latency_s", "deactivate.ratio"}, grouped},
	{"regroup", []string{"regroup.requests", "regroup.cpu_ratio", "regroup.heap_mb"}, regroup},
	{"large", []string{"large.edit_requests", "large.quota_ratio", "large.removal_requests", "large.compare_requests", "large.compare_heap_mb"}, large},
	{"many", []string{"many.edit_requests", "many.edit_s", "many.address_requests", "many.groups_s", "many.leaver_s", "many.out_requests", "many.removal_requests"}, many},
	{"crowd", []string{"crowd.load_calls_per_member", "crowd.load_heap_mb", "crowd.page_units", "crowd.list_heap_mb", "crowd.import_requests", "crowd.import_heap_mb"}, inOneGroup},
	{"licences", []string{"licences.calls_per_user", "licences.at_once", "licences.leaver_s"}, licences},
	{"console", []string{"console.calls_max", "console.cpu_ms_max", "console.html_kb_max"}, consolePages},
	{"scim", []string{"scim.cpu_ms_p99", "scim.members_cpu_ms", "scim.lookup_calls", "scim.lookup_grown", "scim.page_calls_startIndex", "scim.page_calls_cursor", "scim.page_grown_startIndex", "scim.page_grown_cursor"}, pushed},
	{"small", []string{"fleet.small_delay_s"}, small},
}

// TestBench measures what BINDERY_BENCH names: "all", or parts with commas or
// blanks between them.
func TestBench(t *testing.T) {
	asked := os.Getenv("BINDERY_BENCH")
	if asked == "" {
		t.Skip("make bench runs this")
	}
	chosen := choose(t, asked)
	r := &report{}
	var want []string
	for _, p := range chosen {
		r.part = p.name
		begun := time.Now()
		fmt.Printf("%s …\n", p.name)
		t.Run(p.name, func(t *testing.T) { p.run(t, r) })
		fmt.Printf("  %s took %.0f s\n", p.name, time.Since(begun).Seconds())
		want = append(want, p.rows...)
	}
	missed, absent := r.print(want)
	if err := r.save(env("BINDERY_BENCH_OUT", "bench.json")); err != nil {
		t.Error(err)
	}
	if len(missed)+len(absent) > 0 {
		t.Errorf("missed: %s", strings.Join(append(missed, absent...), ", "))
	}
}

func choose(t *testing.T, asked string) []part {
	t.Helper()
	names := strings.FieldsFunc(asked, func(r rune) bool { return r == ',' || r == ' ' })
	if slices.Contains(names, "all") {
		return parts
	}
	var chosen []part
	for _, name := range names {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			var all []string
			for _, p := range parts {
				all = append(all, p.name)
			}
			t.Fatalf("there is no part %q; there are: %s", name, strings.Join(all, ", "))
		}
		chosen = append(chosen, parts[i])
	}
	return chosen
}

func env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
