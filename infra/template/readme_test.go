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

// The documents of those who deploy and operate a stack.
const (
	deployingFile = "infra/deploy/README.md"
	operatingFile = "infra/OPERATIONS.md"
)

// document is what a file says.
func document(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// section is what a document says under a heading.
func section(t *testing.T, name, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut("\n"+document(t, name), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", name, heading)
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

// Who deploys and operates finds each parameter, output and alarm in the
// documents of that, and nothing else.
func TestReadme(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	deploying := rows(document(t, deployingFile))
	for name, p := range tmpl.Parameters {
		row, ok := deploying[name]
		if !ok {
			t.Errorf(deployingFile+": does not tell the parameter %s", name)
			continue
		}
		if d := fmt.Sprint(At(p, "Default")); At(p, "Default") != nil && d != "" && !strings.Contains(row, d) {
			t.Errorf(deployingFile+": the parameter %s defaults to %s, and its row says %q", name, d, row)
		}
	}
	for name := range tmpl.Outputs {
		if _, ok := deploying[name]; !ok {
			t.Errorf(deployingFile+": does not tell the output %s", name)
		}
	}
	for name := range deploying {
		if tmpl.Parameters[name] == nil && tmpl.Outputs[name] == nil {
			t.Errorf(deployingFile+": tells %s, which template.yaml does not have", name)
		}
	}
	alarms := rows(section(t, operatingFile, "## Alarms"))
	metrics := 0
	for name, a := range tmpl.Of("AWS::CloudWatch::Alarm") {
		if _, ok := alarms[name]; !ok {
			t.Errorf(operatingFile+": does not tell what %s means", name)
		}
		if At(tmpl.Resources, name, "Condition") != nil {
			continue // costs nothing until it is asked for
		}
		read := slices.DeleteFunc(list(a["Metrics"]), func(m any) bool { return At(m, "MetricStat") == nil })
		metrics += max(1, len(read)) // an alarm costs by the metrics that it reads
	}
	for name := range alarms {
		if strings.HasSuffix(name, "Alarm") && tmpl.Resources[name] == nil {
			t.Errorf(operatingFile+": tells %s, which template.yaml does not have", name)
		}
	}
	for what, n := range map[string]int{"CloudWatch alarms": metrics, "KMS": len(tmpl.Of("AWS::KMS::Key"))} {
		line := regexp.MustCompile(`(?m)^\| ` + what + ` \|.*$`).FindString(section(t, deployingFile, "## What it costs"))
		if !slices.Contains(regexp.MustCompile(`\d+`).FindAllString(line, -1), strconv.Itoa(n)) {
			t.Errorf(deployingFile+": What it costs counts other %s than the %d of the template: %s", what, n, line)
		}
	}
}
