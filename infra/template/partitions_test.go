package template

import (
	"slices"
	"strings"
	"testing"
)

// apart are the partitions of the table that a function has no business with, on
// top of its rights: whoever gets hold of it gets no further. The callback has a
// list of those that it may touch instead (callback_test.go). That each function
// can do its work all the same is what `make test-lambda` shows.
var apart = map[string]map[string][]string{
	"ScheduleRole": {
		"Read":  {"E#*", "N#*", "GN#*", "A#*", "P#*", "F#*", "S#*"}, // of users the bindings that wait
		"Write": {"U#*", "E#*", "N#*", "GN#*", "A#*", "P#*", "F#*", "S#*"},
	},
	"DeactivateRole": {
		"Read":  {"E#*", "N#*", "P#*", "S#*", "J#*", "CHAIN*"},
		"Write": {"E#*", "N#*", "P#*", "S#*", "J#*", "CHAIN*"},
	},
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for role, parts := range apart {
		held := 0
		statements, _ := At(tmpl.Resources, role, "Properties", "Policies", 0, "PolicyDocument", "Statement").([]any)
		for _, s := range statements {
			if !slices.ContainsFunc(list(At(s, "Resource")), func(r any) bool { return resourceName(r, "") == "Table" }) {
				continue
			}
			var got []string
			for _, k := range list(At(s, "Condition", "ForAllValues:StringNotLike", "dynamodb:LeadingKeys")) {
				name, _ := k.(string)
				got = append(got, name)
			}
			sid, _ := At(s, "Sid").(string)
			if want := parts[sid]; want == nil || !slices.Equal(got, want) {
				t.Errorf("%s may %v on all partitions but %q, want %q", role, At(s, "Action"), got, want)
			}
			held++
		}
		if held != len(parts) {
			t.Errorf("%s has %d statements about the table, want %d", role, held, len(parts))
		}
		for _, pattern := range slices.Concat(parts["Read"], parts["Write"]) {
			if !slices.ContainsFunc(partitions(t), func(p string) bool { return strings.HasPrefix(p, strings.TrimSuffix(pattern, "*")) }) {
				t.Errorf("%s: no partition of package store is like %s", role, pattern)
			}
		}
	}
}

// partitions are the beginnings of partitions that package store names.
func partitions(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, m := range inSource(t, "shared/store/*.go", `Partition: "([^"]+)"`) {
		found = append(found, m[1])
	}
	if len(found) < 20 {
		t.Fatalf("package store names %d partitions", len(found))
	}
	return found
}
