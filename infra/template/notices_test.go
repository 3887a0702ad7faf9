package template

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"bindery/shared/directory"
	"bindery/shared/platform/notify"
)

// noticeTypes are the types that package directory names.
func noticeTypes(t *testing.T) []string {
	t.Helper()
	var types []string
	for _, m := range inSource(t, "shared/directory/notification.go", `NotificationType = "([^"]+)"`) {
		types = append(types, m[1])
	}
	if len(types) < 8 {
		t.Fatalf("notification.go names %d types", len(types))
	}
	return types
}

// Every type of notice that there is goes to people, but for the heads of
// chains; and events/README.md says what each means.
func TestNotices(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "events/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	tmpl := read(t)
	rule := tmpl.Of("AWS::Events::Rule")["NoticeRule"]
	var routed []string
	for _, v := range list(At(rule, "EventPattern", "detail-type")) {
		routed = append(routed, v.(string))
	}
	known := noticeTypes(t)
	for _, name := range known {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("events/README.md does not tell %s", name)
		}
		if got, want := slices.Contains(routed, name), name != "bindery.activity.head"; got != want {
			t.Errorf("NoticeRule takes %s: %v, want %v", name, got, want)
		}
	}
	if len(routed) != len(known)-1 {
		t.Errorf("NoticeRule takes %q, and there are %q", routed, known)
	}
	if At(rule, "EventPattern", "source", 0) != "bindery" || At(rule, "Targets", 0, "Arn", "Ref") != "NoticeTopic" {
		t.Error("NoticeRule does not bring the notices to the topic")
	}
}

// The rule publishes by a role of its own, which nobody else may take and which
// may do nothing else; the topic's policy knows nobody but that role and has no
// condition, since EventBridge's deliveries to topics do not pass one.
func TestNoticeRole(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	target := At(tmpl.Of("AWS::Events::Rule")["NoticeRule"], "Targets", 0)
	role := fmt.Sprint(At(target, "RoleArn", "Fn::GetAtt", 0))
	p := tmpl.Of("AWS::IAM::Role")[role]
	trust := list(At(p, "AssumeRolePolicyDocument", "Statement"))
	if len(trust) != 1 || At(trust, 0, "Principal", "Service") != "events.amazonaws.com" || At(trust, 0, "Condition", "StringEquals", "aws:SourceAccount", "Ref") != "AWS::AccountId" {
		t.Errorf("%s may be taken by %v", role, trust)
	}
	if got := rightsOf(t, tmpl, role, ""); len(got) != 1 || !got[right{"sns:Publish", "NoticeTopic"}] {
		t.Errorf("%s may %v", role, got)
	}
	for name, policy := range tmpl.Of("AWS::SNS::TopicPolicy") {
		if At(policy, "Topics", 0, "Ref") != "NoticeTopic" {
			continue
		}
		statements := list(At(policy, "PolicyDocument", "Statement"))
		if len(statements) != 1 || At(statements, 0, "Principal", "AWS", "Fn::GetAtt", 0) != role || At(statements, 0, "Action") != "sns:Publish" {
			t.Errorf("%s lets in others than %s: %v", name, role, statements)
		}
		if c := At(statements, 0, "Condition"); c != nil {
			t.Errorf("%s has the condition %v", name, c)
		}
	}
}

// A notice that does not get through is kept, and an alarm tells.
func TestUndeliveredNotices(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for name, rule := range tmpl.Of("AWS::Events::Rule") {
		for _, target := range list(rule["Targets"]) {
			dead := fmt.Sprint(At(target, "DeadLetterConfig", "Arn", "Fn::GetAtt", 0))
			if tmpl.Of("AWS::SQS::Queue")[dead] == nil {
				t.Errorf("%s: its target has no dead-letter queue", name)
				continue
			}
			may := false
			for _, p := range tmpl.Of("AWS::SQS::QueuePolicy") {
				for _, s := range list(At(p, "PolicyDocument", "Statement")) {
					may = may || At(p, "Queues", 0, "Ref") == dead && At(s, "Principal", "Service") == "events.amazonaws.com" && At(s, "Action") == "sqs:SendMessage" &&
						At(s, "Condition", "ArnEquals", "aws:SourceArn", "Fn::GetAtt", 0) == name
				}
			}
			if !may {
				t.Errorf("%s: EventBridge may not send to %s", name, dead)
			}
			if !alarmed(tmpl, func(a map[string]any) bool { return At(a, "Dimensions", 0, "Value", "Fn::GetAtt", 0) == dead }) {
				t.Errorf("%s: nothing raises an alarm for it", dead)
			}
		}
		// With RuleName alone it would be a rule of the default bus, which has none
		// of ours: the alarm would never ring.
		if !alarmed(tmpl, func(a map[string]any) bool {
			dims := map[any]any{}
			for _, d := range list(a["Dimensions"]) {
				dims[At(d, "Name")] = At(d, "Value")
			}
			return a["Namespace"] == "AWS/Events" && a["MetricName"] == "FailedInvocations" && At(dims["EventBusName"], "Ref") == At(rule, "EventBusName", "Ref") &&
				At(dims["RuleName"], "Fn::Select", 0) == 2 && At(dims["RuleName"], "Fn::Select", 1, "Fn::Split", 0) == "/" && At(dims["RuleName"], "Fn::Select", 1, "Fn::Split", 1, "Fn::GetAtt", 0) == name
		}) {
			t.Errorf("%s: nothing raises an alarm for its failed invocations", name)
		}
	}
}

func alarmed(tmpl *Template, is func(map[string]any) bool) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(tmpl.Of("AWS::CloudWatch::Alarm"))), is)
}

// hostile are names and texts that break what is put together carelessly.
var hostile = []string{
	"Contoso", `Contoso "North"`, `"`, `\`, `\"`, "a\nb\r\n\tc", "<x>", "<text>", "<type> <time>", "Zoë 東京 \U0001f980", "\u2028\u2029\x00\x7f", "'; --", "${AWS::StackName} {{x}}", strings.Repeat(`"\`, 1000),
}

// Every notice becomes a message that is JSON and says the same, whatever the
// names in it are.
func TestNoticeTransformer(t *testing.T) {
	t.Parallel()
	target := At(read(t).Of("AWS::Events::Rule")["NoticeRule"], "Targets", 0)
	paths, _ := At(target, "InputTransformer", "InputPathsMap").(map[string]any)
	template, _ := At(target, "InputTransformer", "InputTemplate").(string)
	for _, kind := range noticeTypes(t) {
		for _, name := range hostile {
			bus := &recordedBus{}
			at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
			text := fmt.Sprintf("The run of the connection %q is held: %s", name, name)
			if err := notify.NewEventBridge(notify.EventBridgeConfig{Client: bus, Bus: "bus"}).Publish(t.Context(), directory.Notification{ID: "1", Type: directory.NotificationType(kind), At: at, Connection: name, Text: text, Facts: []string{name}}); err != nil {
				t.Fatal(err)
			}
			message := transform(t, bus.event(t), paths, template)
			var got struct{ Text, Type, Time string }
			if err := json.Unmarshal([]byte(message), &got); err != nil {
				t.Errorf("%s with the name %.20q: %v in %.200s", kind, name, err, message)
				continue
			}
			if got.Text != text || got.Type != kind || got.Time != "2026-03-04T05:06:07Z" {
				t.Errorf("%s with the name %.20q: the message says %.200q", kind, name, got)
			}
		}
	}
}

// recordedBus is EventBridge as far as PutEvents.
type recordedBus struct{ entry types.PutEventsRequestEntry }

func (b *recordedBus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	b.entry = in.Entries[0]
	return &eventbridge.PutEventsOutput{}, nil
}

// event is the entry as the event that rules see.
func (b *recordedBus) event(t *testing.T) any {
	t.Helper()
	var detail any
	if err := json.Unmarshal([]byte(*b.entry.Detail), &detail); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"source": *b.entry.Source, "detail-type": *b.entry.DetailType, "time": b.entry.Time.UTC().Format(time.RFC3339), "detail": detail}
}

// transform does what EventBridge's guide says of input transformers: a
// placeholder stands for its value as JSON; inside a string of the template it
// stands for the text alone, in which nothing is escaped.
func transform(t *testing.T, event any, paths map[string]any, template string) string {
	t.Helper()
	var out strings.Builder
	inString := false
	for i := 0; i < len(template); i++ {
		switch c := template[i]; {
		case c == '\\' && inString:
			out.WriteByte(c)
			i++
			out.WriteByte(template[i])
			continue
		case c == '"':
			inString = !inString
		case c == '<':
			name, _, ok := strings.Cut(template[i+1:], ">")
			path, known := paths[name].(string)
			if !ok || !known {
				t.Fatalf("the template has the placeholder <%s>, which no path fills", name)
			}
			value := event
			for _, step := range strings.Split(strings.TrimPrefix(path, "$."), ".") {
				value = At(value, step)
			}
			i += len(name) + 1
			if s, isText := value.(string); isText && inString {
				out.WriteString(s)
				continue
			}
			var raw bytes.Buffer
			e := json.NewEncoder(&raw)
			e.SetEscapeHTML(false)
			if err := e.Encode(value); err != nil {
				t.Fatal(err)
			}
			out.WriteString(strings.TrimSuffix(raw.String(), "\n"))
			continue
		}
		out.WriteByte(template[i])
	}
	return out.String()
}

// Seals are made by a key that can do nothing else.
func TestSealKey(t *testing.T) {
	t.Parallel()
	key := read(t).Of("AWS::KMS::Key")["SealKey"]
	if key["KeySpec"] != "HMAC_256" || key["KeyUsage"] != "GENERATE_VERIFY_MAC" {
		t.Errorf("SealKey = %v", key)
	}
}
