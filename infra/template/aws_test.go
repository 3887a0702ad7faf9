package template

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/dynamodb"
	"bindery/shared/table/memory"
)

// awsWorld is where the binaries find AWS.
type awsWorld struct {
	env                        []string // endpoints and the credentials that they take
	table                      string
	workURL, loadURL, sweepURL string
	stateKey, client           string // names of secrets
	passwordKey                string
	sealKey, heads             string // a key of KMS, a bucket
	bus                        string
	real                       bool // engines that keep what they are told
}

// sampleScimClient is the client of SCIM that the samples of events are of. Its own app is
// the one of their JWT.
func sampleScimClient() directory.ScimClient {
	return directory.ScimClient{ID: "scl_06eavhmtg000007ravc6yw10yc", Name: "Sample", OAuthClientID: "3j8p0sample"}
}

// someAWS is DynamoDB Local, ElasticMQ and moto when their addresses are in the
// environment (make test-aws), else a stub that knows the protocol and a table with
// nothing but the client of SCIM.
func someAWS(t *testing.T) awsWorld {
	t.Helper()
	w := awsWorld{table: "bindery-test", stateKey: "bindery/test/state-key", passwordKey: "bindery/test/password-key", client: "bindery-client-secret",
		sealKey: "alias/seal", heads: "bindery-heads", bus: "notices"}
	tables, queues, others := os.Getenv("BINDERY_DYNAMODB_ENDPOINT"), os.Getenv("BINDERY_SQS_ENDPOINT"), os.Getenv("BINDERY_AWS_ENDPOINT")
	w.real = tables != "" && queues != "" && others != ""
	if !w.real {
		stub := httptest.NewServer(stubAWS(storedScimClient(t)))
		t.Cleanup(stub.Close)
		tables, queues, others = stub.URL, stub.URL, stub.URL
		w.workURL, w.loadURL, w.sweepURL = stub.URL+"/123456789012/work", stub.URL+"/123456789012/load", stub.URL+"/123456789012/sweep"
	}
	w.env = []string{
		"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_ENDPOINT_URL=" + others, "AWS_ENDPOINT_URL_DYNAMODB=" + tables, "AWS_ENDPOINT_URL_SQS=" + queues,
	}
	if w.real {
		w.fill(t, tables, queues, others)
	}
	return w
}

// fill makes what the template makes.
func (w *awsWorld) fill(t *testing.T, tables, queues, others string) {
	t.Helper()
	ctx := context.Background()
	w.table += "-" + strings.ToLower(strings.NewReplacer("/", "-", ".", "-").Replace(t.Name())) + "-" + hex.EncodeToString(randomBytes(4))
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion("eu-central-1"), config.WithBaseEndpoint(others),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
	if err != nil {
		t.Fatal(err)
	}
	engine := ddb.NewFromConfig(cfg, func(o *ddb.Options) { o.BaseEndpoint = aws.String(tables) })
	if _, err := dynamodb.Create(ctx, engine, w.table); err != nil {
		t.Fatal(err)
	}
	client := sampleScimClient()
	if err := store.New(dynamodb.New(engine, w.table), store.Options{}).ScimClients.SaveScimClient(ctx, directory.AuditEvent{}, &client); err != nil {
		t.Fatal(err)
	}
	messages := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = &queues })
	for name, url := range map[string]*string{"work": &w.workURL, "load": &w.loadURL, "sweep": &w.sweepURL} {
		made, err := messages.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(w.table + "-" + name)})
		if err != nil {
			t.Fatal(err)
		}
		*url = *made.QueueUrl
	}
	secrets := secretsmanager.NewFromConfig(cfg)
	for _, name := range []string{w.stateKey, w.passwordKey, w.client} {
		_, err := secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(sampleSecret)})
		if _, exists := errors.AsType[*types.ResourceExistsException](err); err != nil && !exists {
			t.Fatal(err)
		}
	}
	made, err := kms.NewFromConfig(cfg).CreateKey(ctx, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})
	if err != nil {
		t.Fatal(err)
	}
	w.sealKey, w.heads, w.bus = *made.KeyMetadata.KeyId, w.table+"-heads", w.table
	_, err = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &w.heads, ObjectLockEnabledForBucket: aws.Bool(true),
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraintEuCentral1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eventbridge.NewFromConfig(cfg).CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &w.bus}); err != nil {
		t.Fatal(err)
	}
}

// sampleSecret is what every secret of the stub holds; no answer and no log
// may repeat it.
const sampleSecret = "k3yThatMustNeverShowUpInALogOrAnAnswer0123456789abcdefghijklmnop"

// storedScimClient is the client of SCIM as a table keeps it.
func storedScimClient(t *testing.T) table.Item {
	t.Helper()
	kept := memory.New()
	client := sampleScimClient()
	if err := store.New(kept, store.Options{}).ScimClients.SaveScimClient(t.Context(), directory.AuditEvent{}, &client); err != nil {
		t.Fatal(err)
	}
	it, err := kept.Get(t.Context(), table.Key{Partition: "SC#" + string(client.ID), Sort: "client"})
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// stubAWS answers the JSON protocols of DynamoDB, SQS and Secrets Manager over
// a table that has one item, which is read in batches, and forgets what is written.
func stubAWS(has table.Item) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { answerAWS(w, r, has) }
}

func answerAWS(w http.ResponseWriter, r *http.Request, has table.Item) {
	var in map[string]any
	json.NewDecoder(r.Body).Decode(&in)
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	out := map[string]any{}
	switch operation {
	case "Query":
		out = map[string]any{"Items": []any{}, "Count": 0, "ScannedCount": 0}
	case "BatchGetItem":
		found := map[string]any{}
		asked, _ := in["RequestItems"].(map[string]any)
		for name, of := range asked {
			for _, key := range list(At(of, "Keys")) {
				if At(key, "pk", "S") == has.Partition && At(key, "sk", "S") == has.Sort {
					found[name] = []any{map[string]any{"pk": At(key, "pk"), "sk": At(key, "sk"), "ver": map[string]any{"N": strconv.FormatInt(has.Version, 10)}, "B": map[string]any{"B": has.Body}}}
				}
			}
		}
		out = map[string]any{"Responses": found, "UnprocessedKeys": map[string]any{}}
	case "SendMessage":
		body, _ := in["MessageBody"].(string)
		sum := md5.Sum([]byte(body))
		out = map[string]any{"MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:])}
	case "SendMessageBatch":
		var sent []any
		entries, _ := in["Entries"].([]any)
		for _, e := range entries {
			body, _ := At(e, "MessageBody").(string)
			sum := md5.Sum([]byte(body))
			sent = append(sent, map[string]any{"Id": At(e, "Id"), "MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
		}
		out = map[string]any{"Successful": sent, "Failed": []any{}}
	case "GetSecretValue":
		name, _ := in["SecretId"].(string)
		if strings.Contains(name, "/connections/") {
			w.WriteHeader(http.StatusBadRequest)
			out = map[string]any{"__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find the specified secret."}
		} else {
			out = map[string]any{"Name": name, "SecretString": sampleSecret, "VersionId": "1"}
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	json.NewEncoder(w).Encode(out)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
