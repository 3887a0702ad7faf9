package template

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bindery/shared/boot/telemetry"
)

// counted are the metrics that the code counts, by their names in package telemetry:
// those that stand in it, or in a function's main, elsewhere than where they are
// declared.
func counted(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root, "shared", "boot"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "metrics.go" {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				found[id.Name] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestMetricsAreAlarmed: whatever the code counts has an alarm or a reason why
// not, and whatever an alarm looks at is counted.
func TestMetricsAreAlarmed(t *testing.T) {
	t.Parallel()
	alarmed := map[string][]string{}
	for name, a := range read(t).Of("AWS::CloudWatch::Alarm") {
		if At(a, "Namespace", "Fn::Sub") != nil {
			metric := fmt.Sprint(a["MetricName"])
			alarmed[metric] = append(alarmed[metric], name)
		}
	}
	used := counted(t)
	for constant, metric := range declared(t) {
		if !used[constant] {
			t.Errorf("nothing counts %s (%s)", constant, metric)
		}
		reason := telemetry.Unalarmed[telemetry.Metric(metric)]
		switch names := alarmed[metric]; {
		case len(names) == 0 && reason == "":
			t.Errorf("%s: no alarm looks at it, and telemetry.Unalarmed has no reason why", metric)
		case len(names) > 0 && reason != "":
			t.Errorf("%s: %v look at it, and telemetry.Unalarmed says that none needs to: %s", metric, names, reason)
		}
	}
	for metric := range telemetry.Unalarmed {
		if !slices.Contains(metrics(t), string(metric)) {
			t.Errorf("telemetry.Unalarmed has %s, which is no metric", metric)
		}
	}
}

// TestFirstDeployment: in a stack's first minutes nothing has reported yet, and no
// alarm may take that for a fault. The one that listens for silence does so by the
// state that an alarm begins in, and tells of it when that comes back.
func TestFirstDeployment(t *testing.T) {
	t.Parallel()
	silence := 0
	for name, a := range read(t).Of("AWS::CloudWatch::Alarm") {
		switch a["TreatMissingData"] {
		case "notBreaching":
			if a["InsufficientDataActions"] != nil {
				t.Errorf("%s: has InsufficientDataActions, and never that state", name)
			}
		case "missing":
			silence++
			if a["InsufficientDataActions"] == nil || fmt.Sprint(a["InsufficientDataActions"]) != fmt.Sprint(a["AlarmActions"]) {
				t.Errorf("%s: its InsufficientDataActions are not its AlarmActions", name)
			}
			if a["MetricName"] != string(telemetry.ScheduleTicks) {
				t.Errorf("%s: only the schedule's ticks come whatever happens", name)
			}
			// CloudWatch goes by the last report for as long as it sees one in its
			// "evaluation range", which is longer than what is evaluated; its page says
			// to use short periods against that.
			if a["Period"] != 300 || a["EvaluationPeriods"] != 6 || a["DatapointsToAlarm"] != nil {
				t.Errorf("%s: %v periods of %v s, want half an hour in short ones", name, a["EvaluationPeriods"], a["Period"])
			}
		default:
			t.Errorf("%s: TreatMissingData = %v: it would ring before the first report", name, a["TreatMissingData"])
		}
	}
	if silence != 1 {
		t.Errorf("%d alarms listen for a schedule that has stopped, want 1", silence)
	}
}
