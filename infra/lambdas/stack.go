package lambdas

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bindery/infra/lambdas/cloud"
	"bindery/infra/template"
	"bindery/shared/table/dynamodb"
)

// Where everything is.
const (
	Account   = "123456789012"
	Region    = "eu-central-1"
	StackName = "bindery"
)

// Engines are the addresses of AWS's engines.
type Engines struct {
	DynamoDB, SQS, Others string
}

// clients talk to the engines as AWS itself: no role is asked.
type clients struct {
	tables  *ddb.Client
	queues  *sqs.Client
	secrets *secretsmanager.Client
	keys    *kms.Client
	buses   *eventbridge.Client
	objects *s3.Client
}

func newClients(e Engines) clients {
	cfg := aws.Config{Region: Region, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
	return clients{
		tables:  ddb.NewFromConfig(cfg, func(o *ddb.Options) { o.BaseEndpoint = &e.DynamoDB }),
		queues:  sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = &e.SQS }),
		secrets: secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) { o.BaseEndpoint = &e.Others }),
		keys:    kms.NewFromConfig(cfg, func(o *kms.Options) { o.BaseEndpoint = &e.Others }),
		buses:   eventbridge.NewFromConfig(cfg, func(o *eventbridge.Options) { o.BaseEndpoint = &e.Others }),
		objects: s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint = &e.Others }),
	}
}

// stack is the template with its resources made.
type stack struct {
	*template.Stack
	aws     clients
	suffix  string            // of names, so that one engine can hold several stacks
	address string            // of ElasticMQ
	ids     map[string]string // what an engine chose: keys' IDs, secrets' ARNs
	apiID   string
	tables  map[string]cloud.Table
	buckets map[string]cloud.Bucket
	secret  func(text string) // gets the values of the secrets that are made
}

// makeStack makes the template's resources at the engines.
func makeStack(ctx context.Context, file string, parameters map[string]string, e Engines, secret func(string)) (*stack, error) {
	tmpl, err := template.Read(file)
	if err != nil {
		return nil, err
	}
	s := &stack{
		aws: newClients(e), suffix: rand.Text()[:8], address: e.SQS, apiID: strings.ToLower(rand.Text()[:10]), secret: secret,
		ids: map[string]string{}, tables: map[string]cloud.Table{}, buckets: map[string]cloud.Bucket{},
	}
	s.Stack = &template.Stack{Template: tmpl, Given: pseudo(parameters), Physical: s.physical}
	for _, step := range []struct {
		kind string
		make func(ctx context.Context, name string, properties map[string]any) error
	}{
		{"AWS::KMS::Key", s.makeKey},
		{"AWS::SecretsManager::Secret", s.makeSecret},
		{"AWS::DynamoDB::Table", s.makeTable},
		{"AWS::SQS::Queue", s.makeQueue},
		{"AWS::Events::EventBus", s.makeBus},
		{"AWS::S3::Bucket", s.makeBucket},
	} {
		// Keys first: others name them while they are resolved. Queues for dead
		// letters before those that redrive to them.
		resources := s.Of(step.kind)
		names := slices.SortedFunc(maps.Keys(resources), func(a, b string) int {
			redrives := func(name string) bool { return resources[name]["RedrivePolicy"] != nil }
			if redrives(a) != redrives(b) {
				return map[bool]int{false: -1, true: 1}[redrives(a)]
			}
			return strings.Compare(a, b)
		})
		for _, name := range names {
			exists, err := s.Exists(name)
			if err != nil {
				return nil, err
			}
			if !exists {
				continue
			}
			properties, err := s.Value(map[string]any(resources[name]))
			if err == nil {
				err = step.make(ctx, name, properties.(map[string]any))
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return s, nil
}

func (s *stack) makeKey(ctx context.Context, name string, p map[string]any) error {
	in := &kms.CreateKeyInput{}
	if spec, ok := p["KeySpec"].(string); ok {
		in.KeySpec = kmstypes.KeySpec(spec)
	}
	if usage, ok := p["KeyUsage"].(string); ok {
		in.KeyUsage = kmstypes.KeyUsageType(usage)
	}
	out, err := s.aws.keys.CreateKey(ctx, in)
	if err == nil {
		s.ids[name] = *out.KeyMetadata.KeyId
	}
	return err
}

func (s *stack) makeSecret(ctx context.Context, name string, p map[string]any) error {
	length, _ := strconv.Atoi(fmt.Sprint(template.At(p, "GenerateSecretString", "PasswordLength")))
	value := rand.Text() + rand.Text() + rand.Text()
	if length > 0 && length < len(value) {
		value = value[:length]
	}
	arn, err := s.keepSecret(ctx, s.name(name), value, fmt.Sprint(p["KmsKeyId"]))
	s.ids[name] = arn
	return err
}

// keepSecret keeps a secret under a name; key "" is the account's default one.
func (s *stack) keepSecret(ctx context.Context, name, value, key string) (string, error) {
	s.secret(value)
	in := &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value}
	if key != "" && key != "<nil>" {
		in.KmsKeyId = &key
	}
	out, err := s.aws.secrets.CreateSecret(ctx, in)
	if err != nil {
		return "", err
	}
	return *out.ARN, nil
}

func (s *stack) makeTable(ctx context.Context, name string, p map[string]any) error {
	arn, _ := s.physical(name, "Arn")
	key, _ := template.At(p, "SSESpecification", "KMSMasterKeyId").(string)
	t := cloud.Table{ARN: arn, Key: key, Hash: hash(p["KeySchema"]), Indexes: map[string]string{}}
	indexes, _ := p["GlobalSecondaryIndexes"].([]any)
	for _, i := range indexes {
		t.Indexes[fmt.Sprint(template.At(i, "IndexName"))] = hash(template.At(i, "KeySchema"))
	}
	s.tables[s.name(name)] = t
	// The driver makes the table that the template describes: infra/template
	// holds the two together.
	_, err := dynamodb.Create(ctx, s.aws.tables, s.name(name))
	return err
}

// hash is the attribute of a schema's partition key.
func hash(schema any) string {
	list, _ := schema.([]any)
	for _, k := range list {
		if template.At(k, "KeyType") == "HASH" {
			return fmt.Sprint(template.At(k, "AttributeName"))
		}
	}
	return ""
}

func (s *stack) makeQueue(ctx context.Context, name string, p map[string]any) error {
	attributes := map[string]string{}
	for _, member := range []string{"VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds"} {
		if p[member] != nil {
			attributes[member] = fmt.Sprint(p[member])
		}
	}
	if policy := p["RedrivePolicy"]; policy != nil {
		text, err := json.Marshal(policy)
		if err != nil {
			return err
		}
		attributes["RedrivePolicy"] = string(text)
	}
	_, err := s.aws.queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(s.name(name)), Attributes: attributes})
	return err
}

func (s *stack) makeBus(ctx context.Context, name string, _ map[string]any) error {
	_, err := s.aws.buses.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String(s.name(name))})
	return err
}

func (s *stack) makeBucket(ctx context.Context, name string, p map[string]any) error {
	in := &s3.CreateBucketInput{
		Bucket: aws.String(s.name(name)), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: Region},
	}
	if p["ObjectLockEnabled"] == true {
		in.ObjectLockEnabledForBucket = aws.Bool(true)
	}
	b := cloud.Bucket{}
	rule := template.At(p, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault")
	if template.At(rule, "SSEAlgorithm") == "aws:kms" {
		b.Key, _ = template.At(rule, "KMSMasterKeyID").(string)
	}
	s.buckets[s.name(name)] = b
	_, err := s.aws.objects.CreateBucket(ctx, in)
	return err
}

// describe returns a secret's ARN and its key.
func (s *stack) describe(ctx context.Context, id string) (arn, key string, err error) {
	out, err := s.aws.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if isNotFound(err) {
		return "", "", cloud.ErrNoSecret
	}
	if err != nil {
		return "", "", err
	}
	return *out.ARN, aws.ToString(out.KmsKeyId), nil
}

// waiting counts the messages of a queue, seen or not.
func (s *stack) waiting(ctx context.Context, resource string) (int, error) {
	url, _ := s.physical(resource, "")
	out, err := s.aws.queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
		count, err := strconv.Atoi(out.Attributes[name])
		if err != nil {
			return 0, fmt.Errorf("%s of %s: %w", name, resource, err)
		}
		n += count
	}
	return n, nil
}
