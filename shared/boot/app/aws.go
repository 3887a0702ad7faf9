package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"

	"bindery/shared/boot/telemetry"
	"bindery/shared/core/connect"
	"bindery/shared/directory"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/notify"
	"bindery/shared/platform/queue"
	"bindery/shared/platform/signer"
	"bindery/shared/platform/upload"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table/dynamodb"
)

// AWS is what a function works with, wired for AWS.
type AWS struct {
	Config  Config
	Log     *slog.Logger
	Metrics *telemetry.EMF

	// Parts are those of AWS. Mains that talk to Microsoft, ask name servers or read
	// workbooks add what does so.
	Parts Parts
	// ConsoleSecret reads the console's client secret; nil for a public client, and in
	// the other functions.
	ConsoleSecret func(ctx context.Context) (directory.Secret, error)
	queue         queue.WakeUps
}

// Start reads and checks the environment and wires what the function uses. It
// calls nobody: AWS's addresses and credentials are used first by the first event.
func Start(f Function, getenv func(string) string, out io.Writer) (*AWS, error) {
	c, err := LoadConfig(f, getenv)
	if err != nil {
		return nil, err
	}
	log := telemetry.NewLogger(out, c.LogLevel)
	clients := awsConfig(getenv, sdkLogger(log))
	a := &AWS{
		Config: c, Log: log,
		Metrics: telemetry.NewEMF(telemetry.EMFConfig{Writer: out, Namespace: c.MetricsNamespace}),
		queue:   queues(c, awssqs.NewFromConfig(clients)),
	}
	secrets := secretsmanager.NewFromConfig(clients)
	a.Parts = Parts{
		Retention: c.Retention,
		Vault:     vault.NewSecretsManager(vault.SecretsManagerConfig{Client: secrets, Prefix: c.SecretPrefix, KMSKeyID: c.KMSKeyID}),
		Queue:     a.queue, Log: log,
	}
	a.nameSecrets(secrets)
	a.addOptional(clients)
	records := store.Options{Retention: c.Retention}
	if c.SealKeyID != "" {
		s := signer.NewKMS(signer.KMSConfig{Client: kms.NewFromConfig(clients), KeyID: c.SealKeyID})
		a.Parts.Signer, records.Sealer = s, signer.NewSessions(s)
	}
	a.Parts.Store = store.New(dynamodb.New(ddb.NewFromConfig(clients), c.TableName), records)
	return a, nil
}

// queues are those of the functions that this one may wake.
func queues(c Config, client *awssqs.Client) queue.WakeUps {
	var q queue.WakeUps
	if c.QueueURL != "" {
		q.Work = queue.NewSQS(queue.SQSConfig{Client: client, URL: c.QueueURL})
	}
	if c.LoadQueueURL != "" {
		q.Loads = queue.NewSQS(queue.SQSConfig{Client: client, URL: c.LoadQueueURL})
	}
	if c.SweepQueueURL != "" {
		q.Sweeps = queue.NewSQS(queue.SQSConfig{Client: client, URL: c.SweepQueueURL})
	}
	return q
}

// nameSecrets wires what lies in secrets that the environment names.
func (a *AWS) nameSecrets(client secretReader) {
	c, p := a.Config, &a.Parts
	p.Connect = connect.Config{LoginBaseURL: c.LoginBaseURL, ClientID: c.ClientID, RedirectURL: c.RedirectURI(), Log: a.Log}
	if c.StateKeySecret != "" {
		p.Connect.StateKey = newSecret(client, c.StateKeySecret, nil).Read
	}
	if c.ClientSecretName != "" {
		stored := newSecret(client, c.ClientSecretName, nil)
		p.ClientSecret = &connect.ClientSecret{Stored: stored.Read}
		p.Connect.ClientSecret, p.Connect.ForgetClientSecret = p.ClientSecret.Read, stored.Forget
	}
	if c.ConsoleClientSecretName != "" {
		a.ConsoleSecret = newSecret(client, c.ConsoleClientSecretName, nil).Read
	}
	if c.PasswordKeySecret != "" {
		key := newSecret(client, c.PasswordKeySecret, nil)
		p.PasswordKey, p.ShowingKey = key.Read, key.ReadNow
	}
}

// addOptional adds what not every function has: published history, and uploaded
// files.
func (a *AWS) addOptional(clients aws.Config) {
	c, p := a.Config, &a.Parts
	if c.HeadsBucket != "" {
		p.Heads = heads.NewS3(heads.S3Config{Client: s3.NewFromConfig(clients), Bucket: c.HeadsBucket})
	}
	if c.EventBusName != "" {
		p.Publisher = notify.NewEventBridge(notify.EventBridgeConfig{Client: eventbridge.NewFromConfig(clients), Bus: c.EventBusName})
	}
	if c.UploadBucket != "" {
		p.Files = upload.NewS3(upload.S3Config{Client: s3.NewFromConfig(clients, upload.ClientOptions), Bucket: c.UploadBucket})
	}
}

// sdkLogger lets AWS's SDK speak in our lines. What it has to say is about
// connections and retries; it never logs a body unless told to.
func sdkLogger(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		log.Debug("aws sdk", "says", fmt.Sprintf(format, v...))
	})
}

// Own is the queue that wakes this function, where early messages go back to.
func (a *AWS) Own() queue.Queue {
	switch a.Config.Function {
	case Deactivate:
		return a.queue.Sweeps
	case LoadFiles:
		return a.queue.Loads
	}
	return a.queue.Work
}
