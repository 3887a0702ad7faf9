package lambdas

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"bindery/infra/lambdas/cloud"
	"bindery/infra/lambdas/iam"
	"bindery/infra/lambdas/mapping"
	"bindery/infra/lambdas/runtime"
	"bindery/shared/clock"
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
	// Environment is set for every function beside what Lambda and the template set: what
	// this machine needs, as where certificates are.
	Environment map[string]string
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
				_ = clock.Sleep(ctx, w.cfg.Tick) // an error: the loop ends
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

// URL is the API's address, as the functions know it: that of the parameter
// PublicBaseUrl, if there is one.
func (w *World) URL() string {
	return cmp.Or(w.cfg.Parameters["PublicBaseUrl"], "https://"+w.stack.domain())
}

// Close ends all processes and the address of AWS; the resources stay.
func (w *World) Close() error {
	for _, f := range w.functions {
		f.Pool.Close()
	}
	return w.server.Close()
}
