package template

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// section is what the README says under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut("\n"+string(readme), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no heading %q", heading)
	}
	level := strings.Count(strings.Fields(heading)[0], "#")
	end := regexp.MustCompile(fmt.Sprintf(`(?m)^#{1,%d} `, level)).FindStringIndex(after)
	if end == nil {
		return after
	}
	return after[:end[0]]
}

// rows are the lines of the tables in a text, by the names in backquotes of the
// first column.
func rows(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 2 {
			continue
		}
		for _, m := range regexp.MustCompile("`([A-Za-z]+)`").FindAllStringSubmatch(cells[0], -1) {
			found[m[1]] = strings.Join(cells[1:], " | ")
		}
	}
	return found
}

// Who deploys and operates finds each parameter, output and alarm in the README,
// and nothing else.
func TestReadme(t *testing.T) {
	tmpl := read(t)
	deploying := rows(section(t, "## Deploying it"))
	for name, p := range tmpl.Parameters {
		row, ok := deploying[name]
		if !ok {
			t.Errorf("README.md: Deploying it does not tell the parameter %s", name)
			continue
		}
		if d := fmt.Sprint(At(p, "Default")); At(p, "Default") != nil && d != "" && !strings.Contains(row, d) {
			t.Errorf("README.md: the parameter %s defaults to %s, and its row says %q", name, d, row)
		}
	}
	for name := range tmpl.Outputs {
		if _, ok := deploying[name]; !ok {
			t.Errorf("README.md: Deploying it does not tell the output %s", name)
		}
	}
	for name := range deploying {
		if tmpl.Parameters[name] == nil && tmpl.Outputs[name] == nil {
			t.Errorf("README.md: Deploying it tells %s, which template.yaml does not have", name)
		}
	}
	alarms := rows(section(t, "## Operating it"))
	metrics := 0
	for name, a := range tmpl.Of("AWS::CloudWatch::Alarm") {
		if _, ok := alarms[name]; !ok {
			t.Errorf("README.md: Operating it does not tell what %s means", name)
		}
		if At(tmpl.Resources, name, "Condition") != nil {
			continue // costs nothing until it is asked for
		}
		read := slices.DeleteFunc(list(a["Metrics"]), func(m any) bool { return At(m, "MetricStat") == nil })
		metrics += max(1, len(read)) // an alarm costs by the metrics that it reads
	}
	for name := range alarms {
		if strings.HasSuffix(name, "Alarm") && tmpl.Resources[name] == nil {
			t.Errorf("README.md: Operating it tells %s, which template.yaml does not have", name)
		}
	}
	for what, n := range map[string]int{"CloudWatch alarms": metrics, "KMS": len(tmpl.Of("AWS::KMS::Key"))} {
		line := regexp.MustCompile(`(?m)^\| ` + what + ` \|.*$`).FindString(section(t, "## What it costs"))
		if !slices.Contains(regexp.MustCompile(`\d+`).FindAllString(line, -1), strconv.Itoa(n)) {
			t.Errorf("README.md: What it costs counts other %s than the %d of the template: %s", what, n, line)
		}
	}
}
