package demo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/miekg/dns"

	"bindery/infra/lambdas"
	"bindery/infra/lambdas/cloud"
	"bindery/infra/lambdas/runtime"
	"bindery/infra/stack"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/notify"
	"bindery/shared/table/dynamodb"
)

// Names of the secrets and the ID that the stack of this test is given.
const clientSecretName = "bindery/entra-client-secret"

// lambdaWorld is the demo's world with the real binaries in it: template.yaml,
// deployed by package lambdas, over a simulated Microsoft 365 at a port.
type lambdaWorld struct {
	*lambdas.World
	*demonstration
	seed uint64
	dir  string // of the logs
	site *httptest.Server

	mu   sync.Mutex
	logs map[string]*bytes.Buffer // by function
}

// TestLambdas plays the demo's whole story over the eight real binaries, as
// they run on AWS, and then looks at what nobody may see in a story: rights,
// logs, dead letters, alarms.
func TestLambdas(t *testing.T) {
	engines := lambdas.Engines{DynamoDB: os.Getenv("BINDERY_DYNAMODB_ENDPOINT"), SQS: os.Getenv("BINDERY_SQS_ENDPOINT"), Others: os.Getenv("BINDERY_AWS_ENDPOINT")}
	build := os.Getenv("BINDERY_LAMBDAS")
	if build == "" || engines.DynamoDB == "" || engines.SQS == "" || engines.Others == "" {
		t.Skip("needs the binaries and AWS's engines: make test-lambda")
	}
	w := newLambdaWorld(t, build, engines)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	begun := time.Now()
	err := w.perform(t.Context())
	if err == nil {
		err = w.afterwards(t.Context())
	}
	stop()
	<-done
	if err == nil {
		err = w.show.finish(time.Since(begun))
	}
	if err != nil {
		t.Errorf("the story: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	report, err := w.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report.Write(os.Stdout)
	w.checkReport(t, report)
	w.checkLogs(t)
	w.checkWrites(t)
}

func newLambdaWorld(t *testing.T, build string, engines lambdas.Engines) *lambdaWorld {
	t.Helper()
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("BINDERY_SEED"), strconv.Itoa(rand.IntN(1_000_000))), 10, 64)
	if err != nil {
		t.Fatalf("BINDERY_SEED: %v", err)
	}
	fmt.Printf("seed %d (BINDERY_SEED=%d has the same processes end)\n", seed, seed)
	w := &lambdaWorld{seed: seed, dir: filepath.Join(build, "lambda"), logs: map[string]*bytes.Buffer{}}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.demonstration = newDemonstration(os.Stdout, 5*time.Minute)
	s := stage{notices: notify.NewLog(notify.LogConfig{})}
	if s.tokens, err = stack.OpenIssuer(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	admin, err := s.tokens.Issue("admin@local", stack.AdminScopes...)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m365, secret := "http://"+l.Addr().String(), "k3y"+strings.Repeat("ThatMustNeverShow", 3)
	if s.sim, err = entratest.New(entratest.Options{BaseURL: m365}); err != nil {
		t.Fatal(err)
	}
	certificate := w.open(t, s.tokens)
	w.World, err = lambdas.Open(t.Context(), lambdas.Config{
		Template: "../../template.yaml", Build: build, Engines: engines, Seed: seed, Tick: stack.TickEvery,
		Secrets:     map[string]string{clientSecretName: secret, consoleSecretName: consoleSecret},
		Environment: map[string]string{"SSL_CERT_FILE": certificate},
		Parameters: map[string]string{
			"JwtIssuer": w.site.URL + stack.ProviderPath, "JwtAudience": stack.Audience, "PublicBaseUrl": w.site.URL,
			"ConsoleClientId": stack.ConsoleClient, "ConsoleClientSecretName": consoleSecretName, "EntraClientId": stack.ClientID, "EntraClientSecretName": clientSecretName,
			"AllowCustomEndpoints": "true", "LoginBaseUrl": m365, "GraphBaseUrl": m365 + "/v1.0", "DnsServer": mailServer(t, &w.mail),
		},
		Verify: s.tokens.Verify,
		Put: func(e cloud.Entry) {
			var n directory.Notification
			if err := json.Unmarshal([]byte(e.Detail), &n); err != nil {
				t.Errorf("an event that is no notice: %s: %v", e.Detail, err)
				return
			}
			if err := s.notices.Publish(t.Context(), n); err != nil {
				t.Error(err)
			}
		},
		// Each function's processes end now and then; some in the middle of what
		// they do: of sync one, since a minute passes until another takes over.
		Recycling: map[string]runtime.Recycling{
			"console":        {After: 4},
			"admin":          {After: 60, Middle: 200, MostMiddle: 6},
			"oauth-callback": {After: 2},
			"deactivate":     {After: 1},
			"schedule":       {After: 4, Middle: 8, MostMiddle: 2},
			"load":           {After: 1},
			"scim":           {After: 20},
			"sync":           {After: 6, Middle: 20, MostMiddle: 1},
		},
		Log: w.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Simulated(s.sim, m365, directory.NewSecret(secret), w.URL()); err != nil {
		t.Fatal(err)
	}
	served := &http.Server{Handler: w.Secrets.Watch(s.sim)}
	go func() { _ = served.Serve(l) }() // ends by Close
	t.Cleanup(func() { served.Close() })
	tables := ddb.NewFromConfig(aws.Config{Region: lambdas.Region, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}, func(o *ddb.Options) { o.BaseEndpoint = &engines.DynamoDB })
	s.table, s.api = dynamodb.New(tables, w.Physical("Table")), &stack.Client{Handler: w.Handler, Token: admin}
	if err := w.over(s); err != nil {
		t.Fatal(err)
	}
	return w
}

// afterwards is what happens on AWS in a longer time than the story's: access
// tokens end, and a new colleague asks for a first password.
func (w *lambdaWorld) afterwards(ctx context.Context) error {
	w.show.chapter("two hours later: tokens have ended, a new colleague gets a password, a file comes by S3, and an admin by the console")
	for _, step := range []func(context.Context) error{w.freshTokens, w.firstPassword, w.upload, w.allActivity, w.console} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// freshTokens has sync and admin come with tokens that Microsoft takes no more,
// each for another connection: the one that comes first stores the new tokens.
func (w *lambdaWorld) freshTokens(ctx context.Context) error {
	if err := w.sim.Advance(2 * time.Hour); err != nil {
		return err
	}
	if _, err := w.demonstration.api.Get(ctx, "/v1/connections/"+w.sister+"/accounts?limit=1"); err != nil {
		return err
	}
	return w.nothing(ctx)
}

func (w *lambdaWorld) firstPassword(ctx context.Context) error {
	api := w.demonstration.api
	if _, err := api.Patch(ctx, "/v1/connections/"+w.conn, object{"settings": object{"initialAccess": "temporary-password"}}); err != nil {
		return err
	}
	u, err := api.PostJSON(ctx, "/v1/users", object{"email": "nora@" + demoDomain, "givenName": "Nora", "familyName": "New"})
	if err != nil {
		return err
	}
	if _, err := api.PostJSON(ctx, "/v1/connections/"+w.conn+"/bindings", object{"userIds": []string{u.Text("id")}}); err != nil {
		return err
	}
	if _, err := w.binding(ctx, w.conn, u.Text("id"), "in-sync"); err != nil {
		return err
	}
	shown, err := api.PostJSON(ctx, "/v1/users/"+u.Text("id")+"/temporary-password", nil)
	w.show.check("a first password was shown, once", true, shown.Text("password") != "")
	return err
}

// upload loads users from a file that does not pass the API.
func (w *lambdaWorld) upload(ctx context.Context) error {
	api, file := w.demonstration.api, "email,givenName,familyName\numa@corp.example,Uma,Upload\nudo@corp.example,Udo,Upload\n"
	signed, err := api.PostJSON(ctx, "/v1/uploads", object{"bytes": len(file), "contentType": "text/csv"})
	if err != nil {
		return err
	}
	load := "/v1/users:load?upload=" + signed.Text("id")
	status, _, err := api.Raw(ctx, http.MethodPost, load, "", "")
	if err != nil {
		return err
	}
	w.show.check("loading a file that is not there yet", http.StatusConflict, status)
	r, err := http.NewRequestWithContext(ctx, signed.Text("method"), signed.Text("url"), strings.NewReader(file))
	if err != nil {
		return err
	}
	for name, value := range signed.Object("headers") {
		r.Header.Set(name, fmt.Sprint(value))
	}
	stored, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	stored.Body.Close()
	w.show.check("storing the file by the signed request", http.StatusOK, stored.StatusCode)
	job, err := api.Post(ctx, load, "", "")
	if err != nil {
		return err
	}
	ended, err := w.await(ctx, "/v1/jobs/"+job.Text("id"), 2)
	w.show.check("users loaded from the uploaded file", 2, ended.Number("done"))
	return err
}

func (w *lambdaWorld) allActivity(ctx context.Context) error {
	list, err := w.demonstration.api.Get(ctx, "/v1/activity?limit=10")
	w.show.check("entries in the activity of everything", 10, len(list.List("items")))
	return err
}

func (w *lambdaWorld) log(function string, line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.logs[function] == nil {
		w.logs[function] = &bytes.Buffer{}
	}
	w.logs[function].Write(line)
	w.logs[function].WriteByte('\n')
}

// unusedRights are the rights that the story does not use, with reasons.
var unusedRights = map[string]string{
	"deactivate: Receive: sqs:ChangeMessageVisibility on ${SweepQueue.Arn}": pollers,
	"sync: Receive: sqs:ChangeMessageVisibility on ${WorkQueue.Arn}":        pollers,
	"schedule: Send: sqs:SendMessage on ${SweepQueue.Arn}":                  "asks again for a sweep that was lost, and none is",
	"load: Receive: sqs:ChangeMessageVisibility on ${LoadQueue.Arn}":        pollers,
	"sync: Send: sqs:SendMessage on ${LoadQueue.Arn}":                       "passes on what a version with one queue for all jobs sent",
	"load: UploadsThatAreGone: s3:ListBucket on ${UploadBucket.Arn}":        "hears that a file has gone while its job waited, and not that it is forbidden",
}

// rareRights are used in one play and not in another, depending on what comes
// first and which process ends when.
var rareRights = map[string]string{
	"schedule: ClientSecret: secretsmanager:GetSecretValue on " + clientSecretARN: idle,
	"schedule: KeyOfTokens: kms:GenerateDataKey on ${Key.Arn}":                    idle,
	"schedule: Tokens: secretsmanager:DeleteSecret on " + connectionSecrets:       "deletes what a sign-in left behind, unless the sweep was there first",
	"schedule: Tokens: secretsmanager:GetSecretValue on " + connectionSecrets:     idle,
	"schedule: Tokens: secretsmanager:PutSecretValue on " + connectionSecrets:     idle,
	"schedule: Send: sqs:SendMessage on ${WorkQueue.Arn}":                         "wakes who is due, and whose wake-up was lost",
	"schedule: Send: sqs:SendMessage on ${LoadQueue.Arn}":                         "wakes a load whose wake-up was lost",
	"load: Send: sqs:SendMessage on ${LoadQueue.Arn}":                             "queues the next slice of a load that takes longer than one",
	"load: Send: sqs:SendMessage on ${WorkQueue.Arn}":                             "wakes the connections of users whom a file changes",
	"load: Records: dynamodb:ConditionCheckItem on ${Table.Arn}":                  "changes a user whom nobody has bound by a file, and most files of the story bring new ones",
	"load: Nesting: dynamodb:Query on ${Table.Arn}":                               "looks which groups are above one that a file edits, and nothing uses or contains those of the story yet",
	"schedule: Seal: kms:VerifyMac on ${SealKey.Arn}":                             "looks at a link that another process began",
}

const (
	pollers = "SAM's policy for pollers has it: Lambda gives back by it what it received and could not hand on"
	idle    = "renews the tokens of a connection that nothing has used for weeks"

	clientSecretARN   = "arn:aws:secretsmanager:" + lambdas.Region + ":" + lambdas.Account + ":secret:" + clientSecretName + "-??????"
	connectionSecrets = "arn:aws:secretsmanager:" + lambdas.Region + ":" + lambdas.Account + ":secret:bindery/" + lambdas.StackName + "/connections/*"
)

// explainedAlarms are those that ring in the story, with reasons.
var explainedAlarms = map[string]string{
	"HeldRunsAlarm": "the story has runs held by the guard",
}

func (w *lambdaWorld) checkReport(t *testing.T, r *lambdas.Report) {
	for title, lines := range map[string][]string{"denied": r.Denied, "unknown calls": r.Unknown, "went wrong": r.Faults} {
		if len(lines) > 0 {
			t.Errorf("%s:\n  %s", title, strings.Join(lines, "\n  "))
		}
	}
	for queue, n := range r.DeadLetters {
		if n != 0 {
			t.Errorf("%s holds %d dead letters", queue, n)
		}
	}
	for function, q := range r.Queues {
		if q.Stopped > 0 {
			t.Errorf("%s was stopped as a loop %d times", function, q.Stopped)
		}
		if killed := r.Functions[function].KilledMidway; q.Failed > killed {
			t.Errorf("%d messages of %s failed, and %d of its processes were killed", q.Failed, function, killed)
		}
	}
	for _, right := range r.Unused {
		if unusedRights[right] == "" && rareRights[right] == "" {
			t.Errorf("a right that no call used: %s; take it from template.yaml, or say why it is needed", right)
		}
	}
	for right := range unusedRights {
		if !slices.Contains(r.Unused, right) {
			t.Errorf("%q is said to be a right that nothing uses, and it is used or gone", right)
		}
	}
	for _, alarm := range r.Alarms {
		name, _, _ := strings.Cut(alarm, " ")
		if explainedAlarms[name] == "" {
			t.Errorf("a false alarm: %s", alarm)
		}
	}
	for name, f := range r.Functions {
		if f.PeakMB > r.Memory[name] {
			t.Errorf("%s took %d MB of its %d", name, f.PeakMB, r.Memory[name])
		}
		if f.ColdStarts < 2 {
			t.Errorf("%s started %d times: nothing was recycled", name, f.ColdStarts)
		}
	}
}

// explainedLines are the warnings and errors that the story causes, with reasons.
var explainedLines = []struct {
	line *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`"msg":"run held"`), "the story makes mistakes that the guard holds"},
	{regexp.MustCompile(`"msg":"a callback from a browser that did not begin the authorisation"`), "a chapter follows another's link"},
	{regexp.MustCompile(`"msg":"a SCIM request without a valid token"`), "an admin's token is tried at the address of the identity provider"},
}

// checkLogs: every line is JSON, no line holds a secret, and every warning and
// error has an explanation.
func (w *lambdaWorld) checkLogs(t *testing.T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := 0
	for function, log := range w.logs {
		if err := os.WriteFile(filepath.Join(w.dir, function+".jsonl"), log.Bytes(), 0o600); err != nil {
			t.Error(err)
		}
		for _, place := range w.Secrets.Found(log.Bytes()) {
			t.Errorf("the log of %s holds %s", function, place)
		}
		for line := range strings.Lines(log.String()) {
			lines++
			var l struct{ Level, Msg string }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Errorf("%s wrote what is no line of JSON: %s", function, line)
			}
			if l.Level != "WARN" && l.Level != "ERROR" {
				continue
			}
			if !slices.ContainsFunc(explainedLines, func(e struct {
				line *regexp.Regexp
				why  string
			}) bool {
				return e.line.MatchString(line)
			}) {
				t.Errorf("%s wrote, and nobody knows why: %s", function, line)
			}
		}
	}
	fmt.Printf("%d lines of log, %d secrets looked for in them\n", lines, w.Secrets.Len())
	if lines < 1000 || w.Secrets.Len() < 20 {
		t.Error("so few that something is not seen")
	}
}

// checkWrites: nothing reached Microsoft twice, although processes died.
func (w *lambdaWorld) checkWrites(t *testing.T) {
	for _, tenant := range []string{w.tenant, w.sisterTenant} {
		created := map[string]int{}
		for _, m := range w.sim.Mutations(tenant) {
			if m.AppID == "" {
				continue
			}
			if m.Kind == "create" {
				created[m.UPN]++
			}
			if m.Kind == "noop" {
				t.Errorf("%s %s of %s changed nothing", m.Method, m.Path, m.UPN)
			}
		}
		for upn, n := range created {
			if n > 1 {
				t.Errorf("%s was created %d times", upn, n)
			}
		}
	}
}

// mailServer serves the demo's mail records, and returns its address.
func mailServer(t *testing.T, records *mailRecords) string {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg).SetReply(q)
		name := strings.TrimSuffix(q.Question[0].Name, ".")
		facts := records.look(context.Background(), strings.TrimPrefix(name, "autodiscover."))
		head := dns.RR_Header{Name: q.Question[0].Name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET, Ttl: 60}
		switch {
		case strings.HasSuffix(name, "outlook.com"): // Microsoft's own: no more of it is asked
		case head.Rrtype == dns.TypeMX:
			answer.Answer = append(answer.Answer, &dns.MX{Hdr: head, Mx: facts.MX[0] + "."})
		case head.Rrtype == dns.TypeTXT:
			answer.Answer = append(answer.Answer, &dns.TXT{Hdr: head, Txt: facts.TXT})
		case head.Rrtype == dns.TypeCNAME && strings.HasPrefix(name, "autodiscover."):
			answer.Answer = append(answer.Answer, &dns.CNAME{Hdr: head, Target: facts.Autodiscover + "."})
		}
		_ = w.WriteMsg(answer) // who asked may have gone
	})}
	go func() { _ = server.ActivateAndServe() }() // ends by Shutdown
	t.Cleanup(func() { _ = server.Shutdown() })
	return packets.LocalAddr().String()
}
