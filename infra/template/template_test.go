package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	lambda "github.com/aws/aws-lambda-go/events"

	"bindery/events"
	"bindery/shared/boot/app"
)

const root = "../.."

func read(t *testing.T) *Template {
	t.Helper()
	tmpl, err := Read(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// folders are the functions that there is source for.
func folders(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(mains))
	for i, m := range mains {
		names[i] = filepath.Base(filepath.Dir(m))
	}
	return names
}

// functions are the template's, by the folder that their code comes from.
func functions(t *testing.T, tmpl *Template) map[string]struct {
	resource   string
	properties map[string]any
} {
	t.Helper()
	found := map[string]struct {
		resource   string
		properties map[string]any
	}{}
	for resource, p := range tmpl.Of("AWS::Serverless::Function") {
		code, _ := p["CodeUri"].(string)
		folder := strings.TrimSuffix(strings.TrimPrefix(code, ".build/"), "/")
		if code != ".build/"+folder+"/" || p["Handler"] != "bootstrap" {
			t.Errorf("%s: CodeUri %q, Handler %v: `make build` writes .build/<function>/bootstrap", resource, code, p["Handler"])
		}
		found[folder] = struct {
			resource   string
			properties map[string]any
		}{resource, p}
	}
	return found
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	got := slices.Sorted(maps.Keys(functions(t, tmpl)))
	if want := folders(t); !slices.Equal(got, want) {
		t.Errorf("functions in template.yaml = %v, folders in functions/ = %v", got, want)
	}
	if got := At(tmpl.Globals, "Function", "Runtime"); got != "provided.al2023" {
		t.Errorf("Runtime = %v, want provided.al2023: the binaries are called bootstrap", got)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"BUILD       := .build\n", "-o $(BUILD)/$$f/bootstrap ./functions/$$f"} {
		if !strings.Contains(string(makefile), want) {
			t.Errorf("the Makefile lacks %q: template.yaml takes the code from there", want)
		}
	}
	for folder, f := range functions(t, tmpl) {
		memory := 256
		switch app.Function(folder) {
		case app.Sync, app.LoadFiles, app.Schedule, app.Console, app.Scim:
			memory = 512
		case app.Admin:
			memory = 1024
		}
		if f.properties["MemorySize"] != memory {
			t.Errorf("%s: MemorySize = %v, want %d", folder, f.properties["MemorySize"], memory)
		}
	}
}

// environment is what the template sets for a function.
func environment(tmpl *Template, properties map[string]any) map[string]any {
	env := map[string]any{}
	for _, from := range []any{tmpl.Globals["Function"], properties} {
		m, _ := At(from, "Environment", "Variables").(map[string]any)
		maps.Copy(env, m)
	}
	return env
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for folder, f := range functions(t, tmpl) {
		set := slices.Sorted(maps.Keys(environment(tmpl, f.properties)))
		if reads := app.Variables(app.Function(folder)); !slices.Equal(set, reads) {
			t.Errorf("%s:\n template.yaml sets %v\n app reads          %v", folder, set, reads)
		}
	}
}

// What the template sets, with values as CloudFormation gives them, passes
// app's checks: once with every parameter's default, once with another Microsoft.
func TestEnvironmentLoads(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	given := Values{
		"ConsoleClientId": "own", "ConsoleClient": "4h57a9sample", "UserPool.ProviderURL": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_sample",
		"EntraClientId": "5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", "EntraClientSecretName": "bindery/entra-client-secret",
		"AWS::StackName": "bindery-prod", "Table": "bindery-prod-Table-1A2B3C4D", "UploadBucket": "bindery-prod-uploadbucket-1a2b3c4d5e",
		"WorkQueue": "https://sqs.eu-central-1.amazonaws.com/123456789012/work", "LoadQueue": "https://sqs.eu-central-1.amazonaws.com/123456789012/load",
		"SweepQueue":  "https://sqs.eu-central-1.amazonaws.com/123456789012/sweep",
		"StateKey":    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bindery/bindery-prod/state-key-AbCdEf",
		"SealKey.Arn": "arn:aws:kms:eu-central-1:123456789012:key/0e2f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", "EventBus": "bindery-prod-notices", "HeadsBucket": "bindery-prod-headsbucket-1a2b3c4d",
		"PasswordKey": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bindery/bindery-prod/password-key-AbCdEf",
		"Key.Arn":     "arn:aws:kms:eu-central-1:123456789012:key/5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", "Api.ApiEndpoint": "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
	}
	for _, custom := range []bool{false, true} {
		if custom {
			maps.Copy(given, Values{"AllowCustomEndpoints": "true", "LoginBaseUrl": "https://login.microsoftonline.us", "GraphBaseUrl": "https://graph.microsoft.us/v1.0"})
		}
		for folder, f := range functions(t, tmpl) {
			env := map[string]string{}
			for name, v := range environment(tmpl, f.properties) {
				value, err := tmpl.Resolve(v, given)
				if err != nil {
					t.Errorf("%s: %s: %v", folder, name, err)
				}
				env[name] = value
			}
			c, err := app.LoadConfig(app.Function(folder), func(name string) string { return env[name] })
			if err != nil {
				t.Errorf("%s, custom endpoints %v: %v", folder, custom, err)
			}
			if custom && c.LoginBaseURL != "" && c.LoginBaseURL != given["LoginBaseUrl"] {
				t.Errorf("%s: LoginBaseURL = %q", folder, c.LoginBaseURL)
			}
		}
	}
}

// triggers are the ways in which the template lets a function be called: a
// route's key, "sqs:" and a queue, or "schedule".
func triggers(tmpl *Template) map[string][]string {
	found := map[string][]string{}
	for resource, p := range tmpl.Of("AWS::Serverless::Function") {
		sources, _ := p["Events"].(map[string]any)
		for _, s := range sources {
			switch At(s, "Type") {
			case "SQS":
				found[resource] = append(found[resource], fmt.Sprint("sqs:", At(s, "Properties", "Queue", "Fn::GetAtt", 0)))
			case "Schedule":
				found[resource] = append(found[resource], "schedule")
			}
		}
	}
	for _, r := range tmpl.Of("AWS::ApiGatewayV2::Route") {
		target, _ := At(r, "Target", "Fn::Sub").(string)
		integration := strings.TrimSuffix(strings.TrimPrefix(target, "integrations/${"), "}")
		uri := At(tmpl.Resources, integration, "Properties", "IntegrationUri")
		if shifted := At(uri, "Fn::If", 2); shifted != nil {
			uri = shifted // TestShift
		}
		resource := fmt.Sprint(At(uri, "Fn::GetAtt", 0))
		found[resource] = append(found[resource], fmt.Sprint(r["RouteKey"]))
	}
	return found
}

// Each sample event reaches its function by a trigger of that function, and
// each trigger has a sample.
func TestEvents(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	declared := triggers(tmpl)
	sampled := map[string]bool{}
	fs := functions(t, tmpl)
	for _, name := range events.Names() {
		f, ok := fs[events.Function(name)]
		if !ok {
			t.Errorf("events/%s.json: there is no function %s", name, events.Function(name))
			continue
		}
		trigger := triggerOf(t, name)
		if !slices.Contains(declared[f.resource], trigger) {
			t.Errorf("events/%s.json comes by %q, and template.yaml lets %s be called by %q", name, trigger, f.resource, declared[f.resource])
		}
		sampled[f.resource+" "+trigger] = true
	}
	for resource, list := range declared {
		for _, trigger := range list {
			if !sampled[resource+" "+trigger] {
				t.Errorf("events/ has no sample for %s called by %q", resource, trigger)
			}
		}
	}
}

func triggerOf(t *testing.T, name string) string {
	t.Helper()
	var e struct {
		RouteKey   string
		Records    []lambda.SQSMessage
		DetailType string `json:"detail-type"`
	}
	if err := json.Unmarshal(events.Get(name), &e); err != nil {
		t.Fatal(err)
	}
	switch {
	case len(e.Records) > 0:
		queue := e.Records[0].EventSourceARN
		queue = queue[strings.LastIndexByte(queue, '-')+1:]
		return "sqs:" + strings.ToUpper(queue[:1]) + queue[1:] + "Queue"
	case e.DetailType == "Scheduled Event":
		return "schedule"
	}
	return e.RouteKey
}

// openRoute reports whether a route is of pages, to which a browser brings no token: those
// around a sign-in, and the console's.
func openRoute(key string) bool {
	return strings.HasPrefix(key, "GET /oauth/") || strings.HasPrefix(key, "GET /console") || key == "ANY /scim/{client}/v2/{proxy+}" || key == "POST /console/{proxy+}"
}

// Every route but those of pages asks for a token; the sample events agree.
func TestAuthorizer(t *testing.T) {
	t.Parallel()
	for name, r := range read(t).Of("AWS::ApiGatewayV2::Route") {
		key := fmt.Sprint(r["RouteKey"])
		guarded := r["AuthorizationType"] == "JWT" && At(r, "AuthorizerId", "Ref") == "Authorizer"
		if open := openRoute(key); guarded == open {
			t.Errorf("%s (%s): guarded = %v, want %v", name, key, guarded, !open)
		}
	}
	for _, name := range events.Names() {
		var e lambda.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(events.Get(name), &e); err != nil || e.Version != "2.0" {
			continue
		}
		if guarded := e.RequestContext.Authorizer != nil; guarded == openRoute(e.RouteKey) {
			t.Errorf("events/%s.json: has claims = %v", name, guarded)
		}
	}
}

// A message must not come back while its function may still work on it, and
// one bad message must not repeat others.
func TestQueues(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	queues := tmpl.Of("AWS::SQS::Queue")
	for folder, f := range functions(t, tmpl) {
		timeout, _ := f.properties["Timeout"].(int)
		sources, _ := f.properties["Events"].(map[string]any)
		for _, s := range sources {
			if At(s, "Type") != "SQS" {
				continue
			}
			name := fmt.Sprint(At(s, "Properties", "Queue", "Fn::GetAtt", 0))
			if visible, _ := queues[name]["VisibilityTimeout"].(int); visible < 6*timeout {
				t.Errorf("%s: VisibilityTimeout = %d, want at least six times the %d s of %s", name, visible, timeout, folder)
			}
			if At(s, "Properties", "BatchSize") != 1 || At(s, "Properties", "FunctionResponseTypes", 0) != "ReportBatchItemFailures" {
				t.Errorf("%s: want BatchSize 1 and ReportBatchItemFailures", folder)
			}
			dead := fmt.Sprint(At(queues[name], "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", 0))
			if queues[dead] == nil {
				t.Errorf("%s: has no dead-letter queue", name)
			}
			if !slices.ContainsFunc(slices.Collect(maps.Values(tmpl.Of("AWS::CloudWatch::Alarm"))), func(a map[string]any) bool {
				return At(a, "Dimensions", 0, "Value", "Fn::GetAtt", 0) == dead
			}) {
				t.Errorf("%s: nothing raises an alarm for it", dead)
			}
		}
		if slices.Contains([]string{"admin", "console", "oauth-callback", "scim"}, folder) && timeout > 29 {
			t.Errorf("%s: Timeout = %d, and API Gateway ends a call after 30 s", folder, timeout)
		}
	}
}

// An alarm on a metric that nobody writes never rings.
func TestAlarms(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	known := metrics(t)
	for name, a := range tmpl.Of("AWS::CloudWatch::Alarm") {
		own := At(a, "Namespace", "Fn::Sub")
		if own == nil {
			continue
		}
		if filtered(tmpl, own, a["MetricName"]) {
			continue
		}
		if own != At(tmpl.Globals, "Function", "Environment", "Variables", "METRICS_NAMESPACE", "Fn::Sub") {
			t.Errorf("%s: Namespace = %v, not the METRICS_NAMESPACE of the functions", name, own)
		}
		if metric := fmt.Sprint(a["MetricName"]); !slices.Contains(known, metric) {
			t.Errorf("%s: telemetry knows no metric %q, it knows %q", name, metric, known)
		}
	}
	for resource := range tmpl.Of("AWS::Serverless::Function") {
		if !strings.Contains(fmt.Sprint(At(tmpl.Resources, "FunctionErrorsAlarm", "Properties", "Metrics")), "map[Ref:"+resource+"]") {
			t.Errorf("FunctionErrorsAlarm does not count the errors of %s", resource)
		}
	}
}

// filtered reports whether a filter of a log counts a metric.
func filtered(tmpl *Template, namespace, name any) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(tmpl.Of("AWS::Logs::MetricFilter"))), func(f map[string]any) bool {
		to := At(f, "MetricTransformations", 0)
		return At(to, "MetricNamespace", "Fn::Sub") == namespace && At(to, "MetricName") == name
	})
}

// metrics are the names of the metrics that telemetry declares.
func metrics(t *testing.T) []string {
	t.Helper()
	return slices.Collect(maps.Values(declared(t)))
}

// inSource finds a pattern in source files, by a glob from the repository's root:
// each match with its groups.
func inSource(t *testing.T, glob, pattern string) [][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, glob))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no such source (%v)", glob, err)
	}
	var found [][]string
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1)...)
	}
	return found
}

// declared are telemetry's metrics, by the names of their constants.
func declared(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, m := range inSource(t, "shared/boot/telemetry/metrics.go", `(?m)^\s*(\w+)\s+Metric = "(\w+)"`) {
		names[m[1]] = m[2]
	}
	if len(names) == 0 {
		t.Fatal("shared/boot/telemetry/metrics.go declares no metric that could be found")
	}
	return names
}

// What is the only copy outlives the stack; what is bound to it does not.
func TestKept(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for name, want := range map[string]string{"Table": "Retain", "Key": "Retain", "SealKey": "Retain", "HeadsBucket": "Retain"} {
		if got := At(tmpl.Resources, name, "DeletionPolicy"); got != want {
			t.Errorf("%s: DeletionPolicy = %v, want %s", name, got, want)
		}
	}
	table := tmpl.Of("AWS::DynamoDB::Table")["Table"]
	if table["DeletionProtectionEnabled"] != true || At(table, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true || At(table, "SSESpecification", "SSEEnabled") != true {
		t.Error("Table: want deletion protection, point-in-time recovery and encryption")
	}
	if key := tmpl.Of("AWS::KMS::Key")["Key"]; key["EnableKeyRotation"] != true {
		t.Error("Key: want rotation")
	}
}

// Files of users are nobody else's business, and are forgotten.
func TestUploadBucket(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	bucket := tmpl.Of("AWS::S3::Bucket")["UploadBucket"]
	for _, name := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if At(bucket, "PublicAccessBlockConfiguration", name) != true {
			t.Errorf("UploadBucket: %s is not set", name)
		}
	}
	encryption := At(bucket, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault")
	if At(encryption, "SSEAlgorithm") != "aws:kms" || At(encryption, "KMSMasterKeyID", "Fn::GetAtt", 0) != "Key" {
		t.Errorf("UploadBucket: encrypted by %v, want the stack's key", encryption)
	}
	rule := At(bucket, "LifecycleConfiguration", "Rules", 0)
	if At(rule, "Status") != "Enabled" || At(rule, "ExpirationInDays") != 1 || At(rule, "Prefix") != nil || At(rule, "Filter") != nil {
		t.Errorf("UploadBucket: lifecycle %v, want every file to go after a day", rule)
	}
	if bucket["VersioningConfiguration"] != nil || bucket["CorsConfiguration"] != nil {
		t.Error("UploadBucket: versions would outlive their deletion, and no browser has business there")
	}
	policy := At(tmpl.Of("AWS::S3::BucketPolicy")["UploadBucketPolicy"], "PolicyDocument", "Statement")
	if list := list(policy); len(list) != 1 || At(list[0], "Effect") != "Deny" || At(list[0], "Condition", "Bool", "aws:SecureTransport") != "false" {
		t.Errorf("UploadBucketPolicy: %v, want to refuse what comes without TLS, and to let nobody in", policy)
	}
}
