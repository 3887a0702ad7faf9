package bench

import (
	"fmt"
	"testing"
	"time"

	"bindery/infra/template"
)

// limits are what AWS holds sync to, as template.yaml says.
type limits struct {
	concurrency int           // invocations at once
	loops       bool          // a chain of messages may go on for ever
	timeout     time.Duration // of one invocation
	visibility  time.Duration // until a message that failed comes back
	receives    int           // how often it does before it is a dead letter
	schedule    time.Duration
}

// lineage is how often one chain of messages may invoke a function that does not
// say that it means to.
const lineage = 16

// templateLimits reads the limits with every parameter's default.
func templateLimits(t *testing.T) limits {
	t.Helper()
	tmpl, err := template.Read("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	value := func(v any) any {
		if name, ok := template.At(v, "Ref").(string); ok {
			return template.At(tmpl.Parameters, name, "Default")
		}
		return v
	}
	number := func(v any) int {
		n, ok := value(v).(int)
		if !ok || n <= 0 {
			t.Fatalf("template.yaml: %v is no number", v)
		}
		return n
	}
	sync := tmpl.Of("AWS::Serverless::Function")["SyncFunction"]
	work := template.At(sync, "Events", "Work", "Properties")
	queue := tmpl.Of("AWS::SQS::Queue")[fmt.Sprint(template.At(work, "Queue", "Fn::GetAtt", 0))]
	l := limits{
		concurrency: number(template.At(work, "ScalingConfig", "MaximumConcurrency")),
		loops:       sync["RecursiveLoop"] == "Allow",
		timeout:     time.Duration(number(sync["Timeout"])) * time.Second,
		visibility:  time.Duration(number(queue["VisibilityTimeout"])) * time.Second,
		receives:    number(template.At(queue, "RedrivePolicy", "maxReceiveCount")),
	}
	var every int
	tick := template.At(tmpl.Of("AWS::Serverless::Function")["ScheduleFunction"], "Events", "Tick", "Properties", "Schedule")
	if _, err := fmt.Sscanf(fmt.Sprint(value(tick)), "rate(%d minutes)", &every); err != nil {
		t.Fatalf("template.yaml: the schedule %v is no rate in minutes", value(tick))
	}
	l.schedule = time.Duration(every) * time.Minute
	return l
}
