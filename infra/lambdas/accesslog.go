package lambdas

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bindery/infra/template"
)

// accessLog is what the HTTP API writes of each request, with the metric filters of that
// log.
type accessLog struct {
	format  string
	filters []metricFilter
}

// metricFilter counts the lines of a log that meet all of its terms.
type metricFilter struct {
	namespace, metric string
	value             float64
	terms             []term
}

// term is one comparison of a filter's pattern, as $.route != "ANY /scim/*".
type term struct {
	name  string
	is    bool // or is to be something else
	value *regexp.Regexp
}

func (w *World) openAccessLog() (*accessLog, error) {
	stages, err := w.stack.Made("AWS::ApiGatewayV2::Stage")
	if err != nil {
		return nil, err
	}
	filters, err := w.stack.Made("AWS::Logs::MetricFilter")
	if err != nil {
		return nil, err
	}
	logs := w.stack.name("ApiLogs")
	l := &accessLog{format: fmt.Sprint(template.At(stages["Stage"], "AccessLogSettings", "Format"))}
	for name, f := range filters {
		if f["LogGroupName"] != logs {
			return nil, fmt.Errorf("%s: only the API's log is written here, not %v", name, f["LogGroupName"])
		}
		terms, err := termsOf(fmt.Sprint(f["FilterPattern"]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		to := template.At(f, "MetricTransformations", 0)
		value, err := strconv.ParseFloat(fmt.Sprint(template.At(to, "MetricValue")), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		l.filters = append(l.filters, metricFilter{fmt.Sprint(template.At(to, "MetricNamespace")), fmt.Sprint(template.At(to, "MetricName")), value, terms})
	}
	return l, nil
}

var comparison = regexp.MustCompile(`^\$\.(\w+) (=|!=) "([^"]*)"$`)

// termsOf reads a pattern for lines of JSON, in as much of CloudWatch's language as the
// template uses: texts, with * for anything, joined by &&.
func termsOf(pattern string) ([]term, error) {
	inner, opened := strings.CutPrefix(pattern, "{ ")
	inner, closed := strings.CutSuffix(inner, " }")
	var terms []term
	for _, part := range strings.Split(inner, " && ") {
		m := comparison.FindStringSubmatch(part)
		if m == nil || !opened || !closed {
			return nil, fmt.Errorf("the pattern %s is more than is understood here", pattern)
		}
		value := "^" + strings.ReplaceAll(regexp.QuoteMeta(m[3]), `\*`, ".*") + "$"
		terms = append(terms, term{m[1], m[2] == "=", regexp.MustCompile(value)})
	}
	return terms, nil
}

var contextVariable = regexp.MustCompile(`\$context[.\w]+`)

// write counts the line of a request, if there is one that can be read.
func (l *accessLog) write(w *World, route string, status int) {
	text := contextVariable.ReplaceAllStringFunc(l.format, func(name string) string {
		switch name {
		case "$context.routeKey":
			return route
		case "$context.status":
			return strconv.Itoa(status)
		}
		return "-"
	})
	var line map[string]string
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		w.fault("a line of the access log is no JSON: %s", text)
		return
	}
	for _, f := range l.filters {
		if !slices.ContainsFunc(f.terms, func(t term) bool { return t.value.MatchString(line[t.name]) != t.is }) {
			w.sample(f.namespace, f.metric, "", f.value)
		}
	}
}
