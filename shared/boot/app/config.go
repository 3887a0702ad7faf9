package app

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
)

// Function names one of Bindery's Lambda functions, as its folder in functions/.
type Function string

// The functions.
const (
	OAuthCallback Function = "oauth-callback"
	Schedule      Function = "schedule"
	Sync          Function = "sync"
	LoadFiles     Function = "load"
	Deactivate    Function = "deactivate"
	Admin         Function = "admin"
	Console       Function = "console"
	Scim          Function = "scim"
)

// Microsoft's own addresses, used unless others are allowed and set.
const (
	DefaultLoginBaseURL = "https://login.microsoftonline.com"
	DefaultGraphBaseURL = "https://graph.microsoft.com/v1.0"
)

// Config is what a function is told by its environment. Members that the
// function does not use are zero.
type Config struct {
	Function Function

	TableName     string
	QueueURL      string // wake-ups for sync
	LoadQueueURL  string // wake-ups for load
	SweepQueueURL string // sweeps for deactivate

	SecretPrefix      string // names of the connections' secrets start so; ends in a slash
	KMSKeyID          string // encrypts them
	StateKeySecret    string // name or ARN of the secret with the HMAC key of states
	PasswordKeySecret string // name or ARN of the secret with the HMAC key of temporary passwords
	SealKeyID         string // HMAC key of KMS that seals what was done
	HeadsBucket       string // where the heads of the chains are kept
	EventBusName      string // where notices are published
	UploadBucket      string // where files of users and groups are uploaded to
	ClientSecretName  string // name or ARN of the secret with the Entra app's client secret

	ClientID      string // of the Entra app
	PublicBaseURL string // the API's address without a slash at its end
	LoginBaseURL  string
	GraphBaseURL  string
	// AllowCustomEndpoints lets the two base URLs name another Microsoft 365
	// than the real one.
	AllowCustomEndpoints bool

	// Of the console: who signs people in to it, what it is called there, what it asks
	// for, and the name of the installation that its pages show.
	ConsoleIssuer           string
	ConsoleClientID         string
	ConsoleClientSecretName string // name or ARN of a secret; empty for a public client
	ConsoleScopes           []string
	ConsoleAuthParams       url.Values
	ConsoleEnvironment      string

	DNSServer string // host:port of the name server that the doctor asks

	Retention        time.Duration // of runs, changes and acts
	LogLevel         slog.Level
	MetricsNamespace string
}

// RedirectURI is the address that Microsoft sends the admin back to.
func (c Config) RedirectURI() string { return c.PublicBaseURL + "/oauth/callback" }

// ConfigError lists everything that is wrong with an environment.
type ConfigError struct {
	Function Function
	Faults   []string // "NAME: what is wrong and what it should be"
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("configuration of %s: %s", e.Function, strings.Join(e.Faults, "; "))
}

// LoadConfig reads and checks the environment of one function. The error is a
// *ConfigError with all faults. It never repeats the value of a variable.
func LoadConfig(function Function, getenv func(string) string) (Config, error) {
	c := Config{Function: function}
	var faults []string
	known := false
	for _, v := range variables {
		if !v.usedBy(function) {
			continue
		}
		known = true
		value := strings.TrimSpace(getenv(v.name))
		if value == "" {
			value = v.fallback
		}
		if value == "" {
			if !v.optional {
				faults = append(faults, v.name+": is not set; "+v.hint)
			}
			continue
		}
		if !v.set(&c, value) {
			faults = append(faults, v.name+": "+v.hint)
		}
	}
	if !known {
		faults = append(faults, "no such function")
	}
	if !c.AllowCustomEndpoints {
		for _, custom := range []struct{ name, got, want string }{
			{"LOGIN_BASE_URL", c.LoginBaseURL, DefaultLoginBaseURL},
			{"GRAPH_BASE_URL", c.GraphBaseURL, DefaultGraphBaseURL},
		} {
			if custom.got != "" && custom.got != custom.want {
				faults = append(faults, custom.name+": names another Microsoft 365 than the real one; set ALLOW_CUSTOM_ENDPOINTS to true if that is meant, else leave it empty")
			}
		}
	}
	if faults != nil {
		return Config{}, &ConfigError{Function: function, Faults: faults}
	}
	return c, nil
}

// Variables returns the names of the variables that a function reads, sorted.
func Variables(function Function) []string {
	var names []string
	for _, v := range variables {
		if v.usedBy(function) {
			names = append(names, v.name)
		}
	}
	slices.Sort(names)
	return names
}

// variable is one row of the table below.
type variable struct {
	name     string
	by       []Function // nil means every function
	optional bool       // may be empty, and then stays so
	fallback string
	hint     string // what it should be
	set      func(c *Config, value string) bool
}

func (v variable) usedBy(f Function) bool {
	return slices.Contains(every, f) && (v.by == nil || slices.Contains(v.by, f))
}

// Who uses what. A function gets no variable, and in template.yaml no right,
// that it has no use for.
var (
	every      = []Function{Admin, Console, Deactivate, LoadFiles, OAuthCallback, Schedule, Scim, Sync}
	seals      = []Function{Admin, Deactivate, LoadFiles, OAuthCallback, Schedule, Scim, Sync} // what they do
	showsPages = []Function{Console}
	hasAddress = []Function{Admin, Console, OAuthCallback, Scim}
	graph      = []Function{Admin, OAuthCallback, Sync}                       // call Microsoft Graph
	logsIn     = []Function{Admin, OAuthCallback, Schedule, Sync}             // call the identity platform
	tokens     = []Function{Admin, Deactivate, OAuthCallback, Schedule, Sync} // deactivate only deletes them
	authorises = []Function{Admin, OAuthCallback}
	writesRuns = []Function{Admin, Sync}
	wakesSync  = []Function{Admin, LoadFiles, OAuthCallback, Schedule, Scim, Sync}
	wakesLoad  = []Function{Admin, LoadFiles, Schedule, Sync}
	// tellsAdmins link what was done and tell admins.
	tellsAdmins = []Function{Schedule, Sync}
	// loads sign uploads or read them.
	loads  = []Function{Admin, LoadFiles}
	sweeps = []Function{Admin, Deactivate, Schedule}
)

var variables = []variable{
	{name: "TABLE_NAME", hint: "must be the name of the DynamoDB table", set: text(tableName, func(c *Config) *string { return &c.TableName })},
	{name: "QUEUE_URL", by: wakesSync, hint: "must be the https address of the queue that wakes sync", set: address(func(c *Config) *string { return &c.QueueURL })},
	{name: "LOAD_QUEUE_URL", by: wakesLoad, hint: "must be the https address of the queue that wakes load", set: address(func(c *Config) *string { return &c.LoadQueueURL })},
	{name: "SWEEP_QUEUE_URL", by: sweeps, hint: "must be the https address of the queue that wakes deactivate", set: address(func(c *Config) *string { return &c.SweepQueueURL })},
	{name: "SECRET_PREFIX", by: tokens, hint: "must be the start of the secrets' names, ending in a slash, as bindery/prod/", set: text(secretPrefix, func(c *Config) *string { return &c.SecretPrefix })},
	{name: "KMS_KEY_ID", by: tokens, hint: "must be the ARN, ID or alias of the key that encrypts the secrets", set: text(plain, func(c *Config) *string { return &c.KMSKeyID })},
	{name: "STATE_KEY_SECRET", by: authorises, hint: "must name the secret that holds the key of the states, not hold the key", set: text(secretName, func(c *Config) *string { return &c.StateKeySecret })},
	{name: "PASSWORD_KEY_SECRET", by: writesRuns, hint: "must name the secret that holds the key of temporary passwords, not hold the key", set: text(secretName, func(c *Config) *string { return &c.PasswordKeySecret })},
	{name: "SEAL_KEY_ID", by: seals, hint: "must be the ARN, ID or alias of the HMAC key that seals what was done", set: text(plain, func(c *Config) *string { return &c.SealKeyID })},
	{name: "HEADS_BUCKET", by: tellsAdmins, hint: "must be the name of the bucket that keeps the heads of the chains", set: text(bucketName, func(c *Config) *string { return &c.HeadsBucket })},
	{name: "EVENT_BUS_NAME", by: tellsAdmins, hint: "must be the name or ARN of the event bus that notices go to", set: text(plain, func(c *Config) *string { return &c.EventBusName })},
	{name: "UPLOAD_BUCKET", by: loads, hint: "must be the name of the bucket for uploaded files", set: text(bucketName, func(c *Config) *string { return &c.UploadBucket })},
	{name: "M365_CLIENT_ID", by: tokens, hint: "must be the application (client) ID of the Entra app", set: text(plain, func(c *Config) *string { return &c.ClientID })},
	{name: "M365_CLIENT_SECRET_NAME", by: logsIn, hint: "must name the secret that holds the Entra app's client secret, not hold the secret", set: text(secretName, func(c *Config) *string { return &c.ClientSecretName })},
	{name: "PUBLIC_BASE_URL", by: hasAddress, hint: "must be the https address of the API", set: address(func(c *Config) *string { return &c.PublicBaseURL })},
	{name: "LOGIN_BASE_URL", by: logsIn, fallback: DefaultLoginBaseURL, hint: "must be an https address", set: address(func(c *Config) *string { return &c.LoginBaseURL })},
	{name: "GRAPH_BASE_URL", by: graph, fallback: DefaultGraphBaseURL, hint: "must be an https address with the version, as " + DefaultGraphBaseURL, set: address(func(c *Config) *string { return &c.GraphBaseURL })},
	{name: "ALLOW_CUSTOM_ENDPOINTS", by: logsIn, fallback: "false", hint: "must be true or false", set: func(c *Config, v string) bool {
		c.AllowCustomEndpoints = v == "true"
		return v == "true" || v == "false"
	}},
	{name: "CONSOLE_ISSUER", by: showsPages, hint: "must be the https address of the OpenID provider that signs admins in", set: address(func(c *Config) *string { return &c.ConsoleIssuer })},
	{name: "CONSOLE_CLIENT_ID", by: showsPages, hint: "must be what the console is called there", set: text(plain, func(c *Config) *string { return &c.ConsoleClientID })},
	{name: "CONSOLE_CLIENT_SECRET_NAME", by: showsPages, optional: true, hint: "must name the secret that holds the console's client secret, not hold the secret", set: text(secretName, func(c *Config) *string { return &c.ConsoleClientSecretName })},
	{name: "CONSOLE_SCOPES", by: showsPages, hint: "must be scopes with spaces between", set: func(c *Config, v string) bool {
		c.ConsoleScopes = strings.Fields(v)
		return len(c.ConsoleScopes) > 0
	}},
	{name: "CONSOLE_AUTH_PARAMS", by: showsPages, optional: true, hint: "must be parameters of an address, as audience=bindery", set: func(c *Config, v string) bool {
		params, err := url.ParseQuery(v)
		c.ConsoleAuthParams = params
		return err == nil
	}},
	{name: "CONSOLE_ENVIRONMENT", by: showsPages, optional: true, hint: "must be the installation's name", set: text(plain, func(c *Config) *string { return &c.ConsoleEnvironment })},
	{name: "RETENTION_DAYS", fallback: "400", hint: "must be a whole number of days from 30 to 3650", set: func(c *Config, v string) bool {
		days, err := strconv.Atoi(v)
		c.Retention = time.Duration(days) * 24 * time.Hour
		return err == nil && days >= 30 && days <= 3650
	}},
	{name: "DNS_SERVER", by: []Function{Sync}, fallback: "1.1.1.1:53", hint: "must be a name server as host:port", set: func(c *Config, v string) bool {
		c.DNSServer = v
		host, port, err := net.SplitHostPort(v)
		return err == nil && host != "" && port != ""
	}},
	{name: "LOG_LEVEL", fallback: "info", hint: "must be debug, info, warn or error", set: func(c *Config, v string) bool {
		return slices.Contains([]string{"debug", "info", "warn", "error"}, v) && c.LogLevel.UnmarshalText([]byte(v)) == nil
	}},
	{name: "METRICS_NAMESPACE", fallback: "bindery", hint: "must be a CloudWatch namespace: up to 255 of A-Z a-z 0-9 . - _ / # :", set: text(namespace, func(c *Config) *string { return &c.MetricsNamespace })},
}

// form is what a value looks like. Lengths are counted beside the pattern: a counted
// repetition is compiled into so many steps, which a function's start would wait for.
type form struct {
	pattern     func() *regexp.Regexp // its last group is the name, without what stands before it in an ARN
	least, most int                   // characters of the name
}

func (f form) fits(value string) bool {
	m := f.pattern().FindStringSubmatch(value)
	if m == nil {
		return false
	}
	n := len(m[len(m)-1])
	return n >= f.least && n <= f.most
}

var (
	tableName    = form{directory.Pattern(`^(arn:[a-z-]+:dynamodb:[a-z0-9-]+:\d+:table/)?([A-Za-z0-9_.-]+)$`), 3, 255}
	secretPrefix = form{directory.Pattern(`^([A-Za-z0-9/_+=.@-]+)/$`), 1, 255}
	secretName   = form{directory.Pattern(`^(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d+:secret:)?([A-Za-z0-9/_+=.@-]+)$`), 1, 512}
	bucketName   = form{directory.Pattern(`^([a-z0-9][a-z0-9.-]*[a-z0-9])$`), 3, 63}
	plain        = form{directory.Pattern(`^([!-~]+)$`), 1, math.MaxInt}
	namespace    = form{directory.Pattern(`^([A-Za-z0-9._/#:-]+)$`), 1, 255}
)

// text sets a string of a form.
func text(want form, member func(*Config) *string) func(*Config, string) bool {
	return func(c *Config, value string) bool {
		*member(c) = value
		return want.fits(value)
	}
}

// address sets a base URL: https, or http on this very machine; no slash at
// its end.
func address(member func(*Config) *string) func(*Config, string) bool {
	return func(c *Config, value string) bool {
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return false
		}
		*member(c) = strings.TrimRight(value, "/")
		return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
