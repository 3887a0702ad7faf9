package template

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every type of notice that there is goes to people, but for the heads of
// chains; and events/README.md says what each means.
func TestNotices(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "shared/directory/notice.go"))
	if err != nil {
		t.Fatal(err)
	}
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
	known := regexp.MustCompile(`NoticeType = "([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(known) < 8 {
		t.Fatalf("notice.go names %d types", len(known))
	}
	for _, m := range known {
		name := m[1]
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
	policy := tmpl.Of("AWS::SNS::TopicPolicy")["NoticeTopicPolicy"]
	if At(policy, "PolicyDocument", "Statement", 0, "Condition", "ArnEquals", "aws:SourceArn", "Fn::GetAtt", 0) != "NoticeRule" {
		t.Error("others than the rule may publish on the topic")
	}
}

// Seals are made by a key that can do nothing else.
func TestSealKey(t *testing.T) {
	key := read(t).Of("AWS::KMS::Key")["SealKey"]
	if key["KeySpec"] != "HMAC_256" || key["KeyUsage"] != "GENERATE_VERIFY_MAC" {
		t.Errorf("SealKey = %v", key)
	}
}
