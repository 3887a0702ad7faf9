package boot

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"

	"bindery/shared/core/connect"
	"bindery/shared/core/recall"
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

// App is what a function works with, wired for AWS. Members that the function
// does not use are nil.
type App struct {
	Config  Config
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time // nil means time.Now

	Store *store.Store
	Vault *vault.SecretsManager
	Queue queue.WakeUps // to those functions that this one may wake

	// Seal and Bulletin are for what was done: links and notices.
	Seal     *signer.KMS
	Bulletin *notify.EventBridge
	Heads    *heads.S3 // where the heads of the chains are kept

	// Files are the uploaded files.
	Files *upload.S3

	secrets secretReader
}

// Main is what a function's main calls: it reads the environment, wires,
// and serves events until Lambda ends the process. A fault before the first
// event is one log line and exit code 1.
func Main(f Function, wire func(ctx context.Context, app *App) (Handler, error)) {
	ctx := context.Background()
	app, err := Start(ctx, f, os.Getenv, os.Stdout)
	if err != nil {
		NewLogger(os.Stdout, slog.LevelInfo).Error("cannot start", "function", string(f), "error", err)
		os.Exit(1)
	}
	h, err := wire(ctx, app)
	if err != nil {
		app.Log.Error("cannot start", "function", string(f), "error", err)
		os.Exit(1)
	}
	h.app = app
	lambda.Start(h)
}

// Start reads and checks the environment and wires what the function uses. It
// calls nobody: AWS's addresses and credentials are used first by the first event.
func Start(ctx context.Context, f Function, getenv func(string) string, out io.Writer) (*App, error) {
	c, err := Load(f, getenv)
	if err != nil {
		return nil, err
	}
	log := NewLogger(out, c.LogLevel)
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(sdkLogger(log)))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	app := &App{
		Config:  c,
		Log:     log,
		Metrics: &Metrics{Writer: out, Namespace: c.MetricsNamespace},
	}
	records := store.Options{Retention: c.Retention}
	client := secretsmanager.NewFromConfig(cfg)
	app.Vault = vault.NewSecretsManager(vault.SecretsManagerConfig{Client: client, Prefix: c.SecretPrefix, KMSKeyID: c.KMSKeyID})
	app.secrets = client
	queues := awssqs.NewFromConfig(cfg)
	if c.QueueURL != "" {
		app.Queue.Work = queue.NewSQS(queue.SQSConfig{Client: queues, URL: c.QueueURL})
	}
	if c.SweepQueueURL != "" {
		app.Queue.Sweeps = queue.NewSQS(queue.SQSConfig{Client: queues, URL: c.SweepQueueURL})
	}
	if c.UploadBucket != "" {
		app.Files = upload.NewS3(upload.S3Config{Client: s3.NewFromConfig(cfg, upload.ClientOptions), Bucket: c.UploadBucket})
	}
	if c.SealKeyID != "" {
		app.Seal = signer.NewKMS(signer.KMSConfig{Client: kms.NewFromConfig(cfg), KeyID: c.SealKeyID})
		records.Sealer = signer.NewSessions(app.Seal)
	}
	app.Store = store.New(dynamodb.New(ddb.NewFromConfig(cfg), c.TableName), records)
	if c.HeadsBucket != "" {
		app.Heads = heads.NewS3(heads.S3Config{Client: s3.NewFromConfig(cfg), Bucket: c.HeadsBucket})
	}
	if c.EventBusName != "" {
		app.Bulletin = notify.NewEventBridge(notify.EventBridgeConfig{Client: eventbridge.NewFromConfig(cfg), Bus: c.EventBusName})
	}
	return app, nil
}

// sdkLogger lets AWS's SDK speak in our lines. What it has to say is about
// connections and retries; it never logs a body unless told to.
func sdkLogger(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		log.Debug("aws sdk", "says", fmt.Sprintf(format, v...))
	})
}

// Core joins the core to the App. tenant opens a tenant's API; nil in a
// function that never reaches Microsoft Graph.
func (a *App) Core(tenant func(connect.TokenSource) Tenant) *Core {
	c := a.Config
	var secret func(context.Context) (directory.Secret, error)
	var forget func()
	if c.ClientSecretName != "" {
		kept := a.Secret(c.ClientSecretName)
		secret, forget = kept.Read, kept.Forget
	}
	parts := Parts{
		Store: a.Store, Retention: c.Retention, Vault: a.Vault, Queue: a.Queue, Tenant: tenant, Now: a.Now, Log: a.Log,
		Connect: connect.Config{
			LoginBaseURL: c.LoginBaseURL, ClientID: c.ClientID, RedirectURL: c.RedirectURI(), Now: a.Now, Log: a.Log,
			ClientSecret: clientSecret(secret), ForgetClientSecret: forget, StateKey: a.secretIf(c.StateKeySecret),
		},
		ClientSecretEnds: clientSecretEnds(secret),
		PasswordKey:      a.secretIf(c.PasswordKeySecret),
		ShowingKey:       func(ctx context.Context) (directory.Secret, error) { return a.readSecret(ctx, c.PasswordKeySecret) },
	}
	if a.Files != nil {
		parts.Files = a.Files
	}
	if a.Seal != nil { // a nil pointer in an interface would not be nil
		parts.Seal = a.Seal
	}
	if a.Bulletin != nil {
		parts.Publish = a.Bulletin
	}
	if a.Heads != nil {
		parts.Keep = a.Heads
	}
	return NewCore(parts)
}

// secretIf is Secret for a name that the function is given, else nil.
func (a *App) secretIf(name string) func(context.Context) (directory.Secret, error) {
	if name == "" {
		return nil
	}
	return a.Secret(name).Read
}

// secretFor is how long a secret that people rotate is used before it is read again.
const secretFor = 5 * time.Minute

// secretReader is what Secret uses of *secretsmanager.Client.
type secretReader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Secret is a secret that the environment names, as it is remembered for five
// minutes, so that a rotated one is soon used and a burst of calls reads once.
type Secret struct {
	app  *App
	name string
	kept recall.Memory[string, directory.Secret]
}

// Secret returns a secret by name or ARN: one of those that the environment
// names, which lie outside the vault's prefix.
func (a *App) Secret(name string) *Secret {
	return &Secret{app: a, name: name, kept: recall.Memory[string, directory.Secret]{For: secretFor, Now: a.now}}
}

// Read returns the value.
func (s *Secret) Read(ctx context.Context) (directory.Secret, error) {
	return s.kept.Get(ctx, s.name, "", func(ctx context.Context) (directory.Secret, error) { return s.app.readSecret(ctx, s.name) })
}

// Forget has the value read anew: the one that is remembered was refused.
func (s *Secret) Forget() { s.kept.Forget(s.name) }

// readSecret reads a secret as it is now.
func (a *App) readSecret(ctx context.Context, name string) (directory.Secret, error) {
	out, err := a.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return directory.Secret{}, fmt.Errorf("read secret %s: %w", name, err)
	}
	if out.SecretString == nil || strings.TrimSpace(*out.SecretString) == "" {
		return directory.Secret{}, fmt.Errorf("read secret %s: it holds no text", name)
	}
	return directory.NewSecret(strings.TrimSpace(*out.SecretString)), nil // a pasted secret often ends in a line break
}

// now is the App's clock.
func (a *App) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// own is the queue that wakes this function, where early messages go back to.
func (a *App) own() queue.Queue {
	if a.Config.Function == Deactivate {
		return a.Queue.Sweeps
	}
	return a.Queue.Work
}
