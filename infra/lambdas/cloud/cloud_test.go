package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"bindery/infra/lambdas/iam"
)

const (
	key      = "AKIAFUNCTION"
	token    = "session-token"
	table    = "arn:aws:dynamodb:eu-central-1:123456789012:table/things"
	tableKey = "arn:aws:kms:eu-central-1:123456789012:key/table"
	secret   = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app-XyZ123"
)

// world is a cloud over an engine that says what it is told to, and a role that
// may do anything: what was asked of it is in asked.
type world struct {
	*Cloud
	cfg     aws.Config
	engine  string // its answer
	status  int
	reached []string // bodies
	texts   []string
	put     []Entry
}

func newWorld(t *testing.T, statements ...any) *world {
	t.Helper()
	w := &world{engine: "{}", status: http.StatusOK}
	engine := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.reached = append(w.reached, string(body))
		if strings.Contains(r.Header.Get("Authorization"), key) {
			t.Error("the engine sees the function's access key")
		}
		rw.WriteHeader(w.status)
		io.WriteString(rw, w.engine)
	}))
	t.Cleanup(engine.Close)
	address, err := url.Parse(engine.URL)
	if err != nil {
		t.Fatal(err)
	}
	if statements == nil {
		statements = []any{map[string]any{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}}
	}
	role, err := iam.NewRole(statements)
	if err != nil {
		t.Fatal(err)
	}
	w.Cloud = &Cloud{
		Account: "123456789012", Region: "eu-central-1", Engines: map[string]*url.URL{"": address},
		Principals: map[string]*Principal{key: {Name: "assumed-role/Role/function", Token: token, Role: role}},
		Tables:     map[string]Table{"things": {ARN: table, Key: tableKey, Hash: "pk", Indexes: map[string]string{"index1": "i1p"}}},
		Buckets:    map[string]Bucket{"heads": {Key: tableKey}, "plain": {}},
		Describe: func(_ context.Context, id string) (string, string, error) {
			if id == "app" || id == secret {
				return secret, tableKey, nil
			}
			return "", "", ErrNoSecret
		},
		Secret: func(s string) { w.texts = append(w.texts, s) },
		Put:    func(e []Entry) { w.put = append(w.put, e...) },
	}
	server := httptest.NewServer(w.Cloud)
	t.Cleanup(server.Close)
	w.cfg = aws.Config{
		Region: "eu-central-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", token),
	}
	return w
}

func text(s string) ddb.AttributeValue { return &ddb.AttributeValueMemberS{Value: s} }

// Each row is a call through AWS's SDK and the rights that it takes.
func TestNeeds(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	db, q, sm, k := dynamodb.NewFromConfig(w.cfg), sqs.NewFromConfig(w.cfg), secretsmanager.NewFromConfig(w.cfg), kms.NewFromConfig(w.cfg)
	objects, bus := s3.NewFromConfig(w.cfg), eventbridge.NewFromConfig(w.cfg)
	things, heads, plain := aws.String("things"), aws.String("heads"), aws.String("plain")
	id := func(pk string) map[string]ddb.AttributeValue {
		return map[string]ddb.AttributeValue{"pk": text(pk), "sk": text("s")}
	}
	const decrypt = "kms:Decrypt on " + tableKey + " [kms:CallerAccount=123456789012 kms:ViaService=dynamodb.eu-central-1.amazonaws.com]"
	via := func(action, service string) string {
		return strings.Replace(strings.Replace(decrypt, "Decrypt", action, 1), "dynamodb", service, 1)
	}
	for _, tt := range []struct {
		name string
		call func() error
		want []string
	}{
		{"get", func() error {
			_, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: things, Key: id("a")})
			return err
		}, []string{"dynamodb:GetItem on " + table + " [dynamodb:LeadingKeys=a]", decrypt}},
		{"put", func() error {
			_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(table), Item: id("a")})
			return err
		}, []string{"dynamodb:PutItem on " + table + " [dynamodb:LeadingKeys=a]", decrypt}},
		{"query", func() error {
			_, err := db.Query(ctx, &dynamodb.QueryInput{TableName: things, KeyConditionExpression: aws.String("#a = :a AND begins_with(#b, :b)"),
				ExpressionAttributeNames: map[string]string{"#a": "pk", "#b": "sk"}, ExpressionAttributeValues: map[string]ddb.AttributeValue{":a": text("p"), ":b": text("q")}})
			return err
		}, []string{"dynamodb:Query on " + table + " [dynamodb:LeadingKeys=p]", decrypt}},
		{"query an index", func() error {
			_, err := db.Query(ctx, &dynamodb.QueryInput{TableName: things, IndexName: aws.String("index1"), KeyConditionExpression: aws.String("i1p = :a"),
				ExpressionAttributeValues: map[string]ddb.AttributeValue{":a": text("p")}})
			return err
		}, []string{"dynamodb:Query on " + table + "/index/index1 [dynamodb:LeadingKeys=p]", decrypt}},
		{"batch", func() error {
			_, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]ddb.KeysAndAttributes{"things": {Keys: []map[string]ddb.AttributeValue{id("a"), id("b")}}}})
			return err
		}, []string{"dynamodb:BatchGetItem on " + table + " [dynamodb:LeadingKeys=a,b]", decrypt}},
		{"batch to write", func() error {
			_, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]ddb.WriteRequest{"things": {{PutRequest: &ddb.PutRequest{Item: id("a")}}, {DeleteRequest: &ddb.DeleteRequest{Key: id("b")}}}}})
			return err
		}, []string{"dynamodb:BatchWriteItem on " + table + " [dynamodb:LeadingKeys=a,b]", decrypt}},
		{"transaction", func() error {
			_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("t"), TransactItems: []ddb.TransactWriteItem{
				{Put: &ddb.Put{TableName: things, Item: id("a")}}, {Delete: &ddb.Delete{TableName: things, Key: id("b")}},
				{Update: &ddb.Update{TableName: things, Key: id("c"), UpdateExpression: aws.String("REMOVE x")}},
				{ConditionCheck: &ddb.ConditionCheck{TableName: things, Key: id("d"), ConditionExpression: aws.String("attribute_exists(pk)")}},
			}})
			return err
		}, []string{
			"dynamodb:PutItem on " + table + " [dynamodb:EnclosingOperation=TransactWriteItems dynamodb:LeadingKeys=a]",
			"dynamodb:DeleteItem on " + table + " [dynamodb:EnclosingOperation=TransactWriteItems dynamodb:LeadingKeys=b]",
			"dynamodb:UpdateItem on " + table + " [dynamodb:EnclosingOperation=TransactWriteItems dynamodb:LeadingKeys=c]",
			"dynamodb:ConditionCheckItem on " + table + " [dynamodb:EnclosingOperation=TransactWriteItems dynamodb:LeadingKeys=d]", decrypt,
		}},
		{"send", func() error {
			_, err := q.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String("http://127.0.0.1/123456789012/work"), Entries: []sqstypes.SendMessageBatchRequestEntry{{Id: aws.String("1"), MessageBody: aws.String("b")}}})
			return err
		}, []string{"sqs:SendMessage on arn:aws:sqs:eu-central-1:123456789012:work []"}},
		{"read a secret", func() error {
			_, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("app")})
			return err
		}, []string{"secretsmanager:GetSecretValue on " + secret + " [secretsmanager:SecretId=" + secret + "]", via("Decrypt", "secretsmanager")}},
		{"read a secret that is not there", func() error {
			_, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("none")})
			return err
		}, []string{"secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf [secretsmanager:SecretId=arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf]"}},
		{"write a secret", func() error {
			_, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String(secret), SecretString: aws.String("v")})
			return err
		}, []string{"secretsmanager:PutSecretValue on " + secret + " [secretsmanager:SecretId=" + secret + "]", via("GenerateDataKey", "secretsmanager"), via("Decrypt", "secretsmanager")}},
		{"make a secret", func() error {
			_, err := sm.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("new"), SecretString: aws.String("v"), KmsKeyId: aws.String(tableKey)})
			return err
		}, []string{"secretsmanager:CreateSecret on arn:aws:secretsmanager:eu-central-1:123456789012:secret:new-AbCdEf [secretsmanager:Name=new]", via("GenerateDataKey", "secretsmanager"), via("Decrypt", "secretsmanager")}},
		{"seal", func() error {
			_, err := k.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: aws.String("seal"), Message: []byte("m"), MacAlgorithm: "HMAC_SHA_256"})
			return err
		}, []string{"kms:GenerateMac on arn:aws:kms:eu-central-1:123456789012:key/seal []"}},
		{"tell", func() error {
			_, err := bus.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []events.PutEventsRequestEntry{{EventBusName: aws.String("notices"), Source: aws.String("bindery"), DetailType: aws.String("t"), Detail: aws.String("{}")}}})
			return err
		}, []string{"events:PutEvents on arn:aws:events:eu-central-1:123456789012:event-bus/notices [events:detail-type=t events:source=bindery]"}},
		{"store an object for good", func() error {
			_, err := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: heads, Key: aws.String("a/b"), Body: strings.NewReader("x"), ObjectLockMode: "COMPLIANCE"})
			return err
		}, []string{"s3:PutObject on arn:aws:s3:::heads/a/b [s3:object-lock-mode=COMPLIANCE]", "s3:PutObjectRetention on arn:aws:s3:::heads/a/b [s3:object-lock-mode=COMPLIANCE]", via("GenerateDataKey", "s3")}},
		{"read an object", func() error {
			_, err := objects.GetObject(ctx, &s3.GetObjectInput{Bucket: plain, Key: aws.String("a")})
			return err
		}, []string{"s3:GetObject on arn:aws:s3:::plain/a []"}},
		{"list", func() error {
			_, err := objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: plain, Prefix: aws.String("a/")})
			return err
		}, []string{"s3:ListBucket on arn:aws:s3:::plain [s3:prefix=a/]"}},
		{"list versions", func() error {
			_, err := objects.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: heads, Prefix: aws.String("a/")})
			return err
		}, []string{"s3:ListBucketVersions on arn:aws:s3:::heads [s3:prefix=a/]"}},
	} {
		var asked []string
		w.Cloud.Principals[key].Role = spy(t, &asked)
		_ = tt.call() // the engine's answers are not the services'
		if !slices.Equal(asked, tt.want) {
			t.Errorf("%s:\n asked %q\n want  %q", tt.name, asked, tt.want)
		}
	}
	if got := w.Unknown(); len(got) > 0 {
		t.Errorf("unknown calls: %v", got)
	}
	if !slices.Equal(w.texts, []string{"", "", "v", "v"}) || len(w.put) != 1 || w.put[0].DetailType != "t" {
		t.Errorf("secrets seen %q, events %v", w.texts, w.put)
	}
}

// spy is a role that may do anything and writes down what it is asked.
func spy(t *testing.T, asked *[]string) *iam.Role {
	t.Helper()
	r, err := iam.NewRole([]any{map[string]any{"Effect": "Allow", "Action": "*", "Resource": "*"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Asked = func(q iam.Request) {
		var context []string
		for name, values := range q.Context {
			if len(values) > 0 {
				context = append(context, name+"="+strings.Join(values, ","))
			}
		}
		slices.Sort(context)
		*asked = append(*asked, fmt.Sprintf("%v %v", q, context))
	}
	return r
}

// A caller sees AWS's own error, and the engine nothing.
func TestDenied(t *testing.T) {
	w := newWorld(t, map[string]any{"Sid": "S", "Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"})
	ctx := t.Context()
	calls := map[string]func(aws.Config) error{
		"dynamodb": func(cfg aws.Config) error {
			_, err := dynamodb.NewFromConfig(cfg).GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("things"), Key: map[string]ddb.AttributeValue{"pk": text("a")}})
			return err
		},
		"a table that nobody knows": func(cfg aws.Config) error {
			_, err := dynamodb.NewFromConfig(cfg).GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("others"), Key: map[string]ddb.AttributeValue{"pk": text("a")}})
			return err
		},
		"sqs": func(cfg aws.Config) error {
			_, err := sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String("http://x/1/work"), MessageBody: aws.String("b")})
			return err
		},
		"secretsmanager": func(cfg aws.Config) error {
			_, err := secretsmanager.NewFromConfig(cfg).DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: aws.String("app")})
			return err
		},
		"s3": func(cfg aws.Config) error {
			_, err := s3.NewFromConfig(cfg).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("plain"), Key: aws.String("a")})
			return err
		},
	}
	for name, call := range calls {
		err := call(w.cfg)
		if !denied(err) {
			t.Errorf("%s: %v, want access denied", name, err)
		}
		stranger := w.cfg
		stranger.Credentials = credentials.NewStaticCredentialsProvider(key, "secret", "another-token")
		if err := call(stranger); err == nil {
			t.Errorf("%s: another's token was taken", name)
		}
	}
	if len(w.reached) > 0 {
		t.Errorf("the engine was asked: %q", w.reached)
	}
	if got := w.Unknown(); len(got) != 1 {
		t.Errorf("unknown calls: %v, want one", got)
	}
}

func denied(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && strings.HasPrefix(api.ErrorCode(), "AccessDenied")
}

// What is not there is denied to whoever may not list the bucket.
func TestMissingObject(t *testing.T) {
	read := map[string]any{"Sid": "R", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::plain/*"}
	list := map[string]any{"Sid": "L", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::plain"}
	for want, statements := range map[string][]any{"AccessDenied": {read}, "NoSuchKey": {read, list}} {
		w := newWorld(t, statements...)
		w.status, w.engine = http.StatusNotFound, `<Error><Code>NoSuchKey</Code></Error>`
		_, err := s3.NewFromConfig(w.cfg).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("plain"), Key: aws.String("a")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d rights: %v, want %s", len(statements), err, want)
		}
	}
}

// A message carries the trace of who sent it.
func TestTrace(t *testing.T) {
	w := newWorld(t)
	for _, op := range []string{"SendMessage", "SendMessageBatch", "DeleteMessage"} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(`{"QueueUrl":"http://x/1/work","MessageBody":"b","Entries":[{"Id":"1"}]}`))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260101/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
		r.Header.Set("X-Amz-Security-Token", token)
		r.Header.Set("X-Amz-Target", "AmazonSQS."+op)
		r.Header.Set("X-Amzn-Trace-Id", "Root=1-a-b;Lineage=c:1")
		w.reached = nil
		w.Cloud.ServeHTTP(httptest.NewRecorder(), r)
		var in struct {
			MessageSystemAttributes map[string]struct{ StringValue string }
			Entries                 []struct {
				MessageSystemAttributes map[string]struct{ StringValue string }
			}
		}
		if len(w.reached) != 1 {
			t.Fatalf("%s: %d calls", op, len(w.reached))
		}
		if err := json.Unmarshal([]byte(w.reached[0]), &in); err != nil {
			t.Fatal(err)
		}
		got := in.MessageSystemAttributes["AWSTraceHeader"].StringValue + "|" + in.Entries[0].MessageSystemAttributes["AWSTraceHeader"].StringValue
		want := map[string]string{"SendMessage": "Root=1-a-b;Lineage=c:1|", "SendMessageBatch": "|Root=1-a-b;Lineage=c:1", "DeleteMessage": "|"}[op]
		if got != want {
			t.Errorf("%s: %q, want %q", op, got, want)
		}
	}
}
