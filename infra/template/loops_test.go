package template

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// arrowsOfQueues says which queues a function may send to, and which function a
// queue feeds, by resource. A queue that a variable names and no right does, or
// the other way round, fails.
func arrowsOfQueues(t *testing.T, tmpl *Template) (sends, feeds map[string][]string) {
	t.Helper()
	sends, feeds = map[string][]string{}, map[string][]string{}
	queues := tmpl.Of("AWS::SQS::Queue")
	for _, f := range functions(t, tmpl) {
		named := map[string]bool{}
		for _, v := range environment(tmpl, f.properties) {
			if queue, _ := At(v, "Ref").(string); queues[queue] != nil {
				named[queue] = true
			}
		}
		may := map[string]bool{}
		for r := range rightsOf(t, tmpl, fmt.Sprint(At(f.properties, "Role", "Fn::GetAtt", 0)), "") {
			if r.action == "sqs:SendMessage" {
				may[r.resource] = true
			}
		}
		if !maps.Equal(named, may) {
			t.Errorf("%s: its variables name the queues %v, and it may send to %v", f.resource, slices.Sorted(maps.Keys(named)), slices.Sorted(maps.Keys(may)))
		}
		sends[f.resource] = slices.Sorted(maps.Keys(may))
		sources, _ := f.properties["Events"].(map[string]any)
		for name, s := range sources {
			switch kind := At(s, "Type"); kind {
			case "SQS":
				queue := fmt.Sprint(At(s, "Properties", "Queue", "Fn::GetAtt", 0))
				feeds[queue] = append(feeds[queue], f.resource)
			case "Schedule": // begins a chain
			default:
				t.Errorf("%s: the event %s comes by %v; say here whether Lambda counts it as a hop of a chain", f.resource, name, kind)
			}
		}
	}
	return sends, feeds
}

// Lambda stops a chain of messages after 16 invocations of one function unless
// the function says that it is meant. Those say so that a queue feeds to which
// they send, directly or through others, and no other.
func TestLoops(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	sends, feeds := arrowsOfQueues(t, tmpl)
	looping := 0
	for resource, p := range tmpl.Of("AWS::Serverless::Function") {
		want := any(nil)
		if comesBack(resource, sends, feeds) {
			want = "Allow"
			looping++
		}
		if p["RecursiveLoop"] != want {
			t.Errorf("%s: RecursiveLoop = %v, want %v: it sends to %v", resource, p["RecursiveLoop"], want, sends[resource])
		}
	}
	if looping == 0 {
		t.Error("no function is in a loop, and sync queues its own next slice: this test no longer sees it")
	}
	if At(tmpl.Globals, "Function", "RecursiveLoop") != nil {
		t.Error("RecursiveLoop is set for all functions: a mistake in one that should not loop would run for ever")
	}
}

// comesBack tells whether what a function sends can reach it again.
func comesBack(function string, sends, feeds map[string][]string) bool {
	seen := map[string]bool{}
	for next := []string{function}; len(next) > 0; next = next[1:] {
		for _, queue := range sends[next[0]] {
			for _, f := range feeds[queue] {
				if f == function {
					return true
				}
				if !seen[f] {
					seen[f] = true
					next = append(next, f)
				}
			}
		}
	}
	return false
}

func TestComesBack(t *testing.T) {
	t.Parallel()
	sends := map[string][]string{"a": {"q1"}, "b": {"q2"}, "c": {"q1"}, "d": {"q4"}}
	feeds := map[string][]string{"q1": {"b"}, "q2": {"a", "d"}, "q4": {"d"}}
	for function, want := range map[string]bool{"a": true, "b": true, "c": false, "d": true} {
		if got := comesBack(function, sends, feeds); got != want {
			t.Errorf("comesBack(%s) = %v, want %v", function, got, want)
		}
	}
}
