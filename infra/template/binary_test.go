package template

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"bindery/events"
	"bindery/shared/boot/app"
)

// outcome is what a sample event must come to: a status of the HTTP API, or
// that the messages were done. An empty table knows no connection and no user.
type outcome struct {
	status int    // 0: no HTTP answer
	code   string // of the problem, where there is one
}

var outcomes = map[string]outcome{
	"admin.openapi":            {200, ""},
	"admin.list-connections":   {200, ""},
	"admin.get-connection":     {404, "not-found"},
	"admin.create-connection":  {201, ""},
	"admin.patch-connection":   {404, "not-found"},
	"admin.use-group":          {404, "not-found"},
	"admin.confirm-connection": {404, "not-found"},
	"admin.delete-connection":  {404, "not-found"},
	"admin.approve-proposal":   {404, "not-found"},
	"admin.bind":               {404, "not-found"},
	"admin.release":            {404, "not-found"},
	"admin.start-run":          {404, "not-found"},
	"admin.get-run":            {404, "not-found"},
	"admin.create-user":        {201, ""},
	"admin.list-users":         {200, ""},
	"admin.load-users":         {202, ""},
	"admin.create-upload":      {201, ""},
	"admin.no-scope":           {403, "scope-missing"},
	"console.home":             {303, ""},
	"console.sign-in":          {200, ""},
	"console.login":            {403, ""},
	"console.foreign-form":     {403, ""},
	"scim.list-users":          {401, ""},
	"scim.create-user":         {401, ""},
	"scim.suspend-user":        {401, ""},
	"scim.create-group":        {401, ""},
	"scim.add-members":         {401, ""},
	"scim.other-path":          {404, ""},
	"scim.by-claims":           {200, ""},
	"console.preferences":      {303, ""},
	"oauth-callback.code":      {400, ""},
	"oauth-callback.denied":    {400, ""},
	"oauth-callback.start":     {400, ""},
	"deactivate.request":       {404, "not-found"},
	"deactivate.sweep":         {},
	"schedule.tick":            {},
	"load.job":                 {},
	"sync.connection":          {},
	"sync.job":                 {},
}

// Each real binary is built as `make build` builds it and run under a fake
// Lambda runtime, with the environment that the template gives it and every
// sample event of its own.
func TestBinaries(t *testing.T) {
	tmpl := read(t)
	world := someAWS(t)
	for _, name := range events.Names() {
		if _, ok := outcomes[name]; !ok {
			t.Errorf("events/%s.json: say in outcomes what must come of it", name)
		}
	}
	for _, function := range folders(t) {
		binary := build(t, function)
		t.Run(function, func(t *testing.T) {
			env := variables(t, tmpl, function, world)
			p := start(t, binary, env)
			for _, name := range events.Names() {
				if events.Function(name) != function {
					continue
				}
				a := p.invoke(t, events.Get(name))
				if a.kind != "response" {
					t.Fatalf("%s: %s: %s\nlog:\n%s", name, a.kind, a.body, p.log())
				}
				check(t, name, a.body, p)
			}
			p.stop()
			checkLog(t, function, p.log())
		})
		t.Run(function+", foreign event", func(t *testing.T) {
			p := start(t, binary, variables(t, tmpl, function, world))
			if a := p.invoke(t, []byte(`{"Records":[{"eventSource":"aws:s3"}]}`)); a.kind != "error" || !strings.Contains(a.body, "this function is called") {
				t.Errorf("an event of another kind: %s: %s, want an error that names the kinds", a.kind, a.body)
			}
		})
		t.Run(function+", package variables", func(t *testing.T) { checkInits(t, function, binary) })
		t.Run(function+", no environment", func(t *testing.T) {
			p := start(t, binary, []string{"AWS_REGION=eu-central-1"})
			if a := p.invoke(t, []byte("{}")); a.kind != "exit" {
				t.Errorf("without environment: %s: %s", a.kind, a.body)
			}
			for _, v := range []string{"TABLE_NAME: is not set", "cannot start"} {
				if !strings.Contains(p.log(), v) {
					t.Errorf("without environment it wrote %q, want %q in it", p.log(), v)
				}
			}
		})
	}
}

// mostAtStart is how much our own packages may allocate before main: a hundred patterns
// or tables made at the start of each process are a third of it.
const mostAtStart = 96 << 10

// checkInits holds what the variables of our packages cost at a function's start. Bytes
// are counted, which are the same at each start; the time is not.
func checkInits(t *testing.T, function, binary string) {
	cmd := exec.Command(binary)
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	trace, _ := cmd.CombinedOutput() // it ends with a fault: there is no environment
	total, packages := 0, 0
	for line := range strings.Lines(string(trace)) {
		var name string
		var at, took float64
		var bytes int
		if n, _ := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes,", &name, &at, &took, &bytes); n == 4 && strings.HasPrefix(name, "bindery/") {
			total += bytes
			packages++
		}
	}
	if packages == 0 || total > mostAtStart {
		t.Errorf("the variables of %d packages of ours take %d bytes before main of %s, want at most %d: patterns by directory.Pattern, tables by sync.OnceValue\n%s",
			packages, total, function, mostAtStart, trace)
	}
}

// build compiles a function into a folder of the test's.
func build(t *testing.T, function string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, "./functions/"+function)
	cmd.Dir, cmd.Env = root, buildEnv(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", function, err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if mb := info.Size() / 1_000_000; mb > 26 {
		t.Errorf("%s has %d MB, want at most 26", function, mb)
	}
	return binary
}

// variables is the environment of a function: the template's, with this
// world's resources in it, and no more.
func variables(t *testing.T, tmpl *Template, function string, w awsWorld) []string {
	t.Helper()
	given := Values{
		"ConsoleClientId": "own", "ConsoleClient": "4h57a9sample", "UserPool.ProviderURL": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_sample",
		"EntraClientId": "5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", "EntraClientSecretName": w.client, "AWS::StackName": "test",
		"Table": w.table, "WorkQueue": w.workURL, "LoadQueue": w.loadURL, "SweepQueue": w.sweepURL, "StateKey": w.stateKey, "PasswordKey": w.passwordKey,
		"SealKey.Arn": w.sealKey, "EventBus": w.bus, "HeadsBucket": w.heads, "UploadBucket": "bindery-test-uploads",
		"Key.Arn": "alias/aws/secretsmanager", "Api.ApiEndpoint": "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
		// Nobody listens there: what would go to Microsoft fails at once.
		"AllowCustomEndpoints": "true", "LoginBaseUrl": "http://127.0.0.1:9", "GraphBaseUrl": "http://127.0.0.1:9/v1.0",
	}
	env := slices.Clone(w.env)
	for name, v := range environment(tmpl, functions(t, tmpl)[function].properties) {
		value, err := tmpl.Resolve(v, given)
		if err != nil {
			t.Fatalf("%s: %s: %v", function, name, err)
		}
		env = append(env, name+"="+value)
	}
	return env
}

// check compares an answer with what must come of the event.
func check(t *testing.T, name, body string, p *process) {
	t.Helper()
	want := outcomes[name]
	if strings.Contains(body, sampleSecret) {
		t.Errorf("%s: the answer holds a secret", name)
	}
	if want.status == 0 {
		if body != "null" && body != `{"batchItemFailures":[]}` {
			t.Errorf("%s: answered %s, want no failure\nlog:\n%s", name, body, p.log())
		}
		return
	}
	var got lambdaevents.APIGatewayV2HTTPResponse
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%s: answered %s: %v", name, body, err)
	}
	var problem struct{ Code string }
	json.Unmarshal([]byte(got.Body), &problem) // a page is no JSON
	if got.StatusCode != want.status || problem.Code != want.code && want.code != "" {
		t.Errorf("%s: answered %d %s, want %d %s\nbody: %s\nlog:\n%s", name, got.StatusCode, problem.Code, want.status, want.code, got.Body, p.log())
	}
	if kind := got.Headers["content-type"]; got.StatusCode >= 400 && want.code != "" && kind != "application/problem+json" {
		t.Errorf("%s: content type %q, want a problem", name, kind)
	}
	if name == "console.preferences" && len(got.Cookies) != 2 {
		t.Errorf("%s: sets %q, want two cookies", name, got.Cookies)
	}
	if events.Function(name) == string(app.OAuthCallback) && (!strings.HasPrefix(got.Headers["content-type"], "text/html") || got.Headers["cache-control"] != "no-store") {
		t.Errorf("%s: headers %v, want a page that is not kept", name, got.Headers)
	}
}

// checkLog: every line is JSON, one of them says "invocation" for each event,
// and none holds a secret, a name or an address.
func checkLog(t *testing.T, function, log string) {
	t.Helper()
	said, want := 0, 0
	for line := range strings.Lines(log) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("%s: not a line of JSON: %s", function, line)
		}
		if m["msg"] == "invocation" {
			said++
			if m["function"] != function || m["durationMs"] == nil || m["requestId"] == nil {
				t.Errorf("%s: the line lacks function, requestId or durationMs: %s", function, line)
			}
		}
	}
	for _, name := range events.Names() {
		if events.Function(name) == function {
			want++
		}
	}
	if said != want {
		t.Errorf("%s: %d lines say \"invocation\" for %d events:\n%s", function, said, want, log)
	}
	for _, bad := range []string{sampleSecret, "ada.lindqvist", "Lindqvist", "zoë", "sample-code", "c2FtcGxlLXN0YXRl", fmt.Sprintf("%x", sampleSecret)} {
		if strings.Contains(log, bad) {
			t.Errorf("%s: the log holds %q:\n%s", function, bad, log)
		}
	}
}
