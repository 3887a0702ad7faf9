package lambdas

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bindery/infra/lambdas/cloud"
	"bindery/infra/lambdas/iam"
	"bindery/infra/lambdas/mapping"
	"bindery/infra/lambdas/runtime"
	"bindery/infra/template"
)

// keys are a function's credentials.
type keys struct{ id, secret, token string }

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
	folder, name := filepath.Base(fmt.Sprint(p["CodeUri"])), w.stack.name(resource)
	timeout, memory := number(p["Timeout"]), number(p["MemorySize"])
	if timeout <= 0 || memory <= 0 || p["Handler"] != "bootstrap" {
		return fmt.Errorf("timeout %v, memory %v, handler %v", p["Timeout"], p["MemorySize"], p["Handler"])
	}
	roleName := fmt.Sprint(template.At(raw, "Role", "Fn::GetAtt", 0))
	role, err := roleOf(roles[roleName])
	if err != nil {
		return err
	}
	set, err := w.stack.Environment(raw)
	if err != nil {
		return err
	}
	k := w.admit("assumed-role/"+roleName+"/"+name, role)
	group := fmt.Sprint(template.At(p, "LoggingConfig", "LogGroup"))
	env := append(lambdaEnvironment(name, group, memory, k), "AWS_ENDPOINT_URL=http://"+w.server.Addr) // the one that Lambda does not set
	for _, more := range []map[string]string{set, w.cfg.Environment} {
		for name, value := range more {
			env = append(env, name+"="+value)
		}
	}
	recycling := w.cfg.Recycling[folder]
	recycling.Seed = w.cfg.Seed + uint64(len(w.functions))
	w.functions[folder] = &function{
		resource: resource, role: role,
		logs: "arn:aws:logs:" + Region + ":" + Account + ":log-group:" + group + ":log-stream:" + time.Now().UTC().Format("2006/01/02") + "/[$LATEST]1",
		Pool: runtime.NewPool(runtime.Function{
			Name: name, Binary: filepath.Join(w.cfg.Build, folder, "bootstrap"), Env: env,
			Timeout: time.Duration(timeout) * time.Second, Memory: memory, Concurrency: number(p["ReservedConcurrentExecutions"]),
		}, "arn:aws:lambda:"+Region+":"+Account+":function:"+name, recycling, func(line []byte) { w.line(folder, line) }),
	}
	return w.openSources(folder, p, k)
}

// admit makes a function's credentials and tells the cloud whose they are.
func (w *World) admit(name string, role *iam.Role) keys {
	k := keys{id: "ASIA" + rand.Text()[:16], secret: rand.Text() + rand.Text(), token: rand.Text() + rand.Text()}
	w.Secrets.Add(k.secret)
	w.Secrets.Add(k.token)
	w.cloud.Principals[k.id] = &cloud.Principal{Name: name, Token: k.token, Role: role}
	return k
}

// lambdaEnvironment is what Lambda sets for every function.
func lambdaEnvironment(name, logGroup string, memory int, k keys) []string {
	return []string{
		"AWS_REGION=" + Region, "AWS_DEFAULT_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + k.id, "AWS_SECRET_ACCESS_KEY=" + k.secret, "AWS_SESSION_TOKEN=" + k.token,
		"AWS_LAMBDA_FUNCTION_NAME=" + name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(memory),
		"AWS_LAMBDA_LOG_GROUP_NAME=" + logGroup, "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"_HANDLER=bootstrap", "LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime", "TZ=:UTC", "LANG=en_US.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin",
	}
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

// openSources joins a function to what calls it by the template's Events.
func (w *World) openSources(folder string, p map[string]any, k keys) error {
	sources, _ := p["Events"].(map[string]any)
	for name, source := range sources {
		switch kind := template.At(source, "Type"); kind {
		case "SQS":
			if err := w.addMapping(folder, template.At(source, "Properties"), k, p["RecursiveLoop"] == "Allow"); err != nil {
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

// addMapping joins a queue to a function. It polls as the function's role.
func (w *World) addMapping(folder string, p any, k keys, loops bool) error {
	arn := fmt.Sprint(template.At(p, "Queue"))
	queues, err := w.stack.Made("AWS::SQS::Queue")
	if err != nil {
		return err
	}
	queue := ""
	for name := range queues {
		if itsARN, _ := w.stack.physical(name, "Arn"); itsARN == arn {
			queue = name
		}
	}
	dead, redrives := template.At(queues[queue], "RedrivePolicy", "deadLetterTargetArn").(string)
	if queue == "" || !redrives {
		return fmt.Errorf("no queue with dead letters is called %s", arn)
	}
	dead = w.stack.queueURL(dead[strings.LastIndexByte(dead, ':')+1:])
	partial := false
	if types, ok := template.At(p, "FunctionResponseTypes").([]any); ok {
		partial = slices.Contains(types, any("ReportBatchItemFailures"))
	}
	concurrency := number(template.At(p, "ScalingConfig", "MaximumConcurrency"))
	if concurrency == 0 {
		concurrency = 5 // with what Lambda begins
	}
	w.mappings = append(w.mappings, &mapping.Mapping{
		Client: sqs.New(sqs.Options{Region: Region, BaseEndpoint: aws.String("http://" + w.server.Addr), Credentials: credentials.NewStaticCredentialsProvider(k.id, k.secret, k.token)}),
		URL:    w.stack.queueURL(w.stack.name(queue)), ARN: arn, Region: Region, Function: folder, BatchSize: max(1, number(template.At(p, "BatchSize"))),
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

// number is a number of the template; 0 when there is none.
func number(v any) int {
	n, err := strconv.Atoi(fmt.Sprint(v))
	if err != nil {
		return 0
	}
	return n
}
