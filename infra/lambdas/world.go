package lambdas

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bindery/infra/lambdas/cloud"
	"bindery/infra/lambdas/gateway"
	"bindery/infra/lambdas/iam"
	"bindery/infra/lambdas/mapping"
	"bindery/infra/lambdas/runtime"
	"bindery/infra/template"
)

// Config says what is deployed.
type Config struct {
	Template   string // path of template.yaml
	Build      string // folder of the binaries: <function>/bootstrap
	Parameters map[string]string
	Engines    Engines
	// Secrets are those outside the template, by name.
	Secrets map[string]string
	// Verify checks callers' tokens; see gateway.Gateway.
	Verify func(token string) (claims map[string]any, err error)
	// Put gets the events that functions put on buses.
	Put func(cloud.Entry)
	// Tick is how often the schedule comes, in place of the template's rate.
	Tick time.Duration
	// Recycling is each function's; all seeds come from this one.
	Recycling map[string]runtime.Recycling
	Seed      uint64
	// Log gets each line that a function writes.
	Log func(function string, line []byte)
}

// World is a stack that runs.
type World struct {
	Handler http.Handler // the HTTP API
	// Secrets are all that have passed by, with those of Watch.
	Secrets *Secrets

	cfg       Config
	stack     *stack
	functions map[string]*function // by folder
	mappings  []*mapping.Mapping
	ticked    []string // folders of the functions that the schedule calls
	cloud     *cloud.Cloud
	server    *http.Server
	mu        sync.Mutex
	samples   samples
	faults    []string // of the world itself
}

// function is one of the template's functions.
type function struct {
	*runtime.Pool
	resource string
	role     *iam.Role
	logs     string // ARN of its log group's streams
	wrote    sync.Once
}

// Open makes the template's resources and everything around the functions.
func Open(ctx context.Context, cfg Config) (*World, error) {
	w := &World{cfg: cfg, Secrets: &Secrets{}, functions: map[string]*function{}, samples: samples{}}
	var err error
	if w.stack, err = makeStack(ctx, cfg.Template, cfg.Parameters, cfg.Engines, w.Secrets.Add); err != nil {
		return nil, err
	}
	for name, value := range cfg.Secrets {
		if _, err := w.stack.keepSecret(ctx, name, value, ""); err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
	}
	if err := w.openCloud(); err != nil {
		return nil, err
	}
	if err := w.openFunctions(); err != nil {
		return nil, errors.Join(err, w.server.Close())
	}
	if err := w.openGateway(); err != nil {
		return nil, errors.Join(err, w.server.Close())
	}
	return w, nil
}

// openCloud opens the one address at which functions find AWS.
func (w *World) openCloud() error {
	w.cloud = &cloud.Cloud{
		Account: Account, Region: Region, Engines: map[string]*url.URL{}, Principals: map[string]*cloud.Principal{},
		Tables: w.stack.tables, Buckets: w.stack.buckets, Describe: w.stack.describe, Secret: w.Secrets.Add,
		Put: func(entries []cloud.Entry) {
			for _, e := range entries {
				w.cfg.Put(e)
			}
		},
	}
	for service, address := range map[string]string{"dynamodb": w.cfg.Engines.DynamoDB, "sqs": w.cfg.Engines.SQS, "": w.cfg.Engines.Others} {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		w.cloud.Engines[service] = u
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.server = &http.Server{Addr: l.Addr().String(), Handler: w.cloud}
	go func() { _ = w.server.Serve(l) }() // ends by Close
	return nil
}

// openFunctions makes each function's pool with its role, and what calls it.
func (w *World) openFunctions() error {
	made, err := w.stack.Made("AWS::Serverless::Function")
	if err != nil {
		return err
	}
	roles, err := w.stack.Made("AWS::IAM::Role")
	if err != nil {
		return err
	}
	for _, resource := range slices.Sorted(maps.Keys(made)) {
		if err := w.openFunction(resource, made[resource], roles); err != nil {
			return fmt.Errorf("%s: %w", resource, err)
		}
	}
	return nil
}

func (w *World) openFunction(resource string, p map[string]any, roles map[string]map[string]any) error {
	raw := w.stack.Of("AWS::Serverless::Function")[resource]
	folder := filepath.Base(fmt.Sprint(p["CodeUri"]))
	env, err := w.stack.Environment(raw)
	if err != nil {
		return err
	}
	roleName := fmt.Sprint(template.At(raw, "Role", "Fn::GetAtt", 0))
	role, err := roleOf(roles[roleName])
	if err != nil {
		return err
	}
	timeout, memory := number(p["Timeout"]), number(p["MemorySize"])
	if timeout <= 0 || memory <= 0 || p["Handler"] != "bootstrap" {
		return fmt.Errorf("timeout %v, memory %v, handler %v", p["Timeout"], p["MemorySize"], p["Handler"])
	}
	group := fmt.Sprint(template.At(p, "LoggingConfig", "LogGroup"))
	f := &function{resource: resource, role: role, logs: "arn:aws:logs:" + Region + ":" + Account + ":log-group:" + group + ":log-stream:" + time.Now().UTC().Format("2006/01/02") + "/[$LATEST]1"}
	name, arn := w.stack.name(resource), "arn:aws:lambda:"+Region+":"+Account+":function:"+w.stack.name(resource)
	who := &cloud.Principal{Name: "assumed-role/" + roleName + "/" + name, Token: rand.Text() + rand.Text(), Role: role}
	key, secret := "ASIA"+rand.Text()[:16], rand.Text()+rand.Text()
	w.cloud.Principals[key] = who
	w.Secrets.Add(who.Token)
	w.Secrets.Add(secret)
	all := []string{
		"AWS_REGION=" + Region, "AWS_DEFAULT_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_SESSION_TOKEN=" + who.Token,
		"AWS_LAMBDA_FUNCTION_NAME=" + name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(memory),
		"AWS_LAMBDA_LOG_GROUP_NAME=" + group, "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"_HANDLER=bootstrap", "LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime", "TZ=:UTC", "LANG=en_US.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin",
		"AWS_ENDPOINT_URL=http://" + w.server.Addr, // the one that Lambda does not set
	}
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	recycling := w.cfg.Recycling[folder]
	recycling.Seed = w.cfg.Seed + uint64(len(w.functions))
	f.Pool = runtime.NewPool(runtime.Function{
		Name: name, Binary: filepath.Join(w.cfg.Build, folder, "bootstrap"), Env: all,
		Timeout: time.Duration(timeout) * time.Second, Memory: memory, Concurrency: number(p["ReservedConcurrentExecutions"]),
	}, arn, recycling, func(line []byte) { w.line(folder, line) })
	w.functions[folder] = f
	sources, _ := p["Events"].(map[string]any)
	for name, source := range sources {
		switch kind := template.At(source, "Type"); kind {
		case "SQS":
			if err := w.addMapping(folder, f, template.At(source, "Properties"), key, secret, who.Token, p["RecursiveLoop"] == "Allow"); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		case "Schedule", "ScheduleV2":
			w.ticked = append(w.ticked, folder)
		default:
			return fmt.Errorf("%s: nothing here calls a function by %v", name, kind)
		}
	}
	return nil
}

// number is a number of the template; 0 when there is none.
func number(v any) int {
	n, err := strconv.Atoi(fmt.Sprint(v))
	if err != nil {
		return 0
	}
	return n
}

// roleOf reads a role's policies.
func roleOf(p map[string]any) (*iam.Role, error) {
	if p == nil || p["ManagedPolicyArns"] != nil || p["PermissionsBoundary"] != nil {
		return nil, errors.New("the role is not there, or has policies that are not written in it")
	}
	var statements []any
	policies, _ := p["Policies"].([]any)
	for _, policy := range policies {
		statements = append(statements, template.At(policy, "PolicyDocument", "Statement"))
	}
	return iam.NewRole(statements...)
}

// addMapping joins a queue to a function. It polls as the function's role.
func (w *World) addMapping(folder string, f *function, p any, key, secret, token string, loops bool) error {
	arn := fmt.Sprint(template.At(p, "Queue"))
	queue := ""
	for name := range w.stack.Of("AWS::SQS::Queue") {
		if itsARN, _ := w.stack.physical(name, "Arn"); itsARN == arn {
			queue = name
		}
	}
	if queue == "" {
		return fmt.Errorf("no queue is called %s", arn)
	}
	address, _ := w.stack.physical(queue, "")
	properties, err := w.stack.Value(map[string]any(w.stack.Of("AWS::SQS::Queue")[queue]))
	if err != nil {
		return err
	}
	dead := fmt.Sprint(template.At(properties, "RedrivePolicy", "deadLetterTargetArn"))
	dead = w.stack.address + "/" + Account + "/" + dead[strings.LastIndexByte(dead, ':')+1:]
	partial := false
	if types, ok := template.At(p, "FunctionResponseTypes").([]any); ok {
		partial = slices.Contains(types, any("ReportBatchItemFailures"))
	}
	concurrency := number(template.At(p, "ScalingConfig", "MaximumConcurrency"))
	if concurrency == 0 {
		concurrency = 5 // with what Lambda begins
	}
	w.mappings = append(w.mappings, &mapping.Mapping{
		Client: sqs.New(sqs.Options{Region: Region, BaseEndpoint: aws.String("http://" + w.server.Addr), Credentials: credentials.NewStaticCredentialsProvider(key, secret, token)}),
		URL:    address, ARN: arn, Region: Region, Function: folder, BatchSize: max(1, number(template.At(p, "BatchSize"))),
		Concurrency: concurrency, Partial: partial, Loops: loops,
		Invoke: func(payload []byte, trace string) ([]byte, error) {
			return w.invoke(folder, runtime.Event{Payload: payload, Trace: trace, MayDie: true})
		},
		Stop: func(ctx context.Context, m sqstypes.Message) error {
			_, err := w.stack.aws.queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &dead, MessageBody: m.Body})
			return err
		},
		Fault: func(err error) { w.fault("the queue of %s: %v", folder, err) },
	})
	return nil
}

// openGateway makes the HTTP API.
func (w *World) openGateway() error {
	g := &gateway.Gateway{Verify: w.cfg.Verify, Domain: w.stack.domain(), Invoke: func(folder string, payload []byte, trace string) ([]byte, error) {
		trace, _ = mapping.Lineage(trace, folder)
		// Only what asks and changes nothing is asked again by a caller.
		var e struct {
			RequestContext struct{ HTTP struct{ Method string } }
		}
		if err := json.Unmarshal(payload, &e); err != nil {
			return nil, err
		}
		event := runtime.Event{Payload: payload, Trace: trace, MayDie: e.RequestContext.HTTP.Method == http.MethodGet && folder != "oauth-callback"}
		answer, err := w.invoke(folder, event)
		for killed(err) { // the caller saw 500, and asks again
			answer, err = w.invoke(folder, event)
		}
		return answer, err
	}}
	routes, err := w.stack.Made("AWS::ApiGatewayV2::Route")
	if err != nil {
		return err
	}
	integrations, err := w.stack.Made("AWS::ApiGatewayV2::Integration")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(routes)) {
		r := routes[name]
		_, target, _ := strings.Cut(fmt.Sprint(r["Target"]), "/")
		var integration map[string]any
		for resource, p := range integrations {
			if w.stack.name(resource) == target {
				integration = p
			}
		}
		folder := w.folder(fmt.Sprint(integration["IntegrationUri"]))
		key := fmt.Sprint(r["RouteKey"])
		if integration["PayloadFormatVersion"] != "2.0" || integration["IntegrationType"] != "AWS_PROXY" || folder == "" {
			return fmt.Errorf("%s: the integration %v is none of a function, payload format 2.0", name, integration)
		}
		if err := w.permitted(folder, key); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		route := gateway.Route{Key: key, Function: folder, Authorized: r["AuthorizationType"] == "JWT"}
		scopes, _ := r["AuthorizationScopes"].([]any)
		for _, s := range scopes {
			route.Scopes = append(route.Scopes, fmt.Sprint(s))
		}
		g.Routes = append(g.Routes, route)
	}
	w.Handler = w.Secrets.Watch(w.counted(g))
	return nil
}

// folder is the function of an ARN.
func (w *World) folder(arn string) string {
	for folder, f := range w.functions {
		if own, _ := w.stack.physical(f.resource, "Arn"); own == arn {
			return folder
		}
	}
	return ""
}

// permitted checks that the function lets the API call it on a route.
func (w *World) permitted(folder, route string) error {
	permissions, err := w.stack.Made("AWS::Lambda::Permission")
	if err != nil {
		return err
	}
	var statements []any
	for _, p := range permissions {
		if p["Principal"] == "apigateway.amazonaws.com" && fmt.Sprint(p["FunctionName"]) == w.stack.name(w.functions[folder].resource) {
			statements = append(statements, map[string]any{"Effect": "Allow", "Action": p["Action"], "Resource": p["SourceArn"]})
		}
	}
	policy, err := iam.NewRole(statements)
	if err != nil {
		return err
	}
	method, path, _ := strings.Cut(route, " ")
	source := "arn:aws:execute-api:" + Region + ":" + Account + ":" + w.stack.apiID + "/$default/" + method + path
	if err := policy.Allow(iam.Request{Action: "lambda:InvokeFunction", Resource: source}); err != nil {
		return fmt.Errorf("the API may not call %s: %w", folder, err)
	}
	return nil
}

// counted counts what the API answered, as CloudWatch does.
func (w *World) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: rw}
		next.ServeHTTP(seen, r)
		if seen.status >= 500 {
			w.sample("AWS/ApiGateway", "5xx", w.stack.apiID, 1)
			w.fault("the API answered %d to %s %s", seen.status, r.Method, r.URL.Path)
		}
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// invoke calls a function. What AWS writes to its log with the function's role
// is asked for as well.
func (w *World) invoke(folder string, e runtime.Event) ([]byte, error) {
	f := w.functions[folder]
	f.wrote.Do(func() { // and at each cold start, which no role tells apart
		for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
			if err := f.role.Allow(iam.Request{Action: action, Resource: f.logs}); err != nil {
				w.fault("%s may not write its log: %v", folder, err)
			}
		}
	})
	answer, err := f.Invoke(e)
	if fault, ok := errors.AsType[*runtime.FunctionError](err); ok && !fault.Killed {
		w.sample("AWS/Lambda", "Errors", f.Name, 1)
		w.fault("%s: %v", folder, fault)
	}
	return answer, err
}

// killed reports whether a call failed because its process was ended on purpose.
func killed(err error) bool {
	fault, ok := errors.AsType[*runtime.FunctionError](err)
	return ok && fault.Killed
}

// Run runs queues and schedule until ctx ends and nothing is under way.
func (w *World) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, m := range w.mappings {
		group.Go(func() { m.Run(ctx) })
	}
	for _, folder := range w.ticked {
		group.Go(func() {
			for ctx.Err() == nil {
				w.tick(folder)
				select {
				case <-ctx.Done():
				case <-time.After(w.cfg.Tick):
				}
			}
		})
	}
	group.Wait()
}

// tick calls a function as EventBridge's schedule does. One that fails is told
// of by invoke; the next tick does its work.
func (w *World) tick(folder string) {
	payload, err := json.Marshal(map[string]any{
		"version": "0", "id": rand.Text(), "detail-type": "Scheduled Event", "source": "aws.events", "account": Account,
		"time": time.Now().UTC().Format(time.RFC3339), "region": Region, "resources": []string{"arn:aws:events:" + Region + ":" + Account + ":rule/tick"}, "detail": map[string]any{},
	})
	if err == nil {
		trace, _ := mapping.Lineage("", folder)
		_, err = w.invoke(folder, runtime.Event{Payload: payload, Trace: trace, MayDie: true})
	}
	if _, told := errors.AsType[*runtime.FunctionError](err); err != nil && !told {
		w.fault("the schedule: %v", err)
	}
}

// line takes a line of a function's log.
func (w *World) line(folder string, line []byte) {
	w.mu.Lock()
	w.samples.read(line)
	w.mu.Unlock()
	w.cfg.Log(folder, line)
}

func (w *World) sample(namespace, metric, dimension string, value float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := [3]string{namespace, metric, dimension}
	w.samples[key] = append(w.samples[key], value)
}

func (w *World) fault(format string, v ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, v...))
}

// Physical is what a resource of the template is called: TABLE_NAME for Table.
func (w *World) Physical(resource string) string {
	name, _ := w.stack.physical(resource, "")
	return name
}

// URL is the API's address, as the functions know it.
func (w *World) URL() string { return "https://" + w.stack.domain() }

// Close ends all processes and the address of AWS; the resources stay.
func (w *World) Close() error {
	for _, f := range w.functions {
		f.Pool.Close()
	}
	return w.server.Close()
}
