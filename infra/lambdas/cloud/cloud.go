// Package cloud stands between functions and AWS's engines (DynamoDB Local,
// ElasticMQ, moto): it knows each caller by its access key, works out which
// actions on which resources a call is, the calls that a service makes on the
// caller's behalf among them, and asks the caller's role. What the role does
// not allow is refused in the service's own form and reaches no engine.
//
//	cloud.go      a call's way: who, what, may it, hand it on
//	needs.go      the actions of DynamoDB, SQS, KMS and EventBridge
//	secrets.go    those of Secrets Manager
//	s3.go         those of S3
//
// A call that this package does not know is refused and told of as one: what
// nobody has looked up is not allowed.
package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"bindery/infra/lambdas/iam"
)

// Principal is a function as AWS knows it.
type Principal struct {
	Name  string // "assumed-role/Role/function"
	Token string // the session token that goes with the access key
	Role  *iam.Role
}

// Table is what the cloud must know of a table.
type Table struct {
	ARN     string
	Key     string            // ARN of the KMS key that it is encrypted with
	Hash    string            // attribute of its partition key
	Indexes map[string]string // the same of its indexes
}

// Bucket is what the cloud must know of a bucket.
type Bucket struct {
	Key string // ARN of the KMS key that objects are encrypted with; "" for S3's own
}

// Entry is an event on its way to a bus.
type Entry struct {
	EventBusName, Source, DetailType, Detail string
}

// Cloud is the http.Handler of all of AWS's addresses. Its members are set
// before the first call.
type Cloud struct {
	Account, Region string
	// Engines by service as signatures name it ("dynamodb"); "" is the one for
	// the rest.
	Engines    map[string]*url.URL
	Principals map[string]*Principal // by access key
	Tables     map[string]Table      // by name
	Buckets    map[string]Bucket     // by name
	// Describe returns a secret's ARN and the key that it is encrypted with ("":
	// the account's default one); an error that is ErrNoSecret when there is none.
	Describe func(ctx context.Context, id string) (arn, key string, err error)
	// Secret gets every text that goes into a secret or comes out of one.
	Secret func(text string)
	// Put gets the events that reached a bus.
	Put func(entries []Entry)

	mu      sync.Mutex
	unknown map[string]int
	secrets map[string]described
}

// ErrNoSecret: there is no such secret.
var ErrNoSecret = errors.New("cloud: no such secret")

// errUnknown: a call of which this package does not know what it needs.
var errUnknown = errors.New("is not known here")

// call is one request to a service.
type call struct {
	*http.Request
	service string
	op      string         // of the services that speak JSON
	in      map[string]any // its input
	body    []byte
}

// credential finds an access key and a service in a signature.
var credential = regexp.MustCompile(`^([A-Z0-9]+)/\d{8}/[a-z0-9-]+/([a-z0-9-]+)/aws4_request$`)

func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body ends early", http.StatusBadRequest)
		return
	}
	scope, token := signature(r)
	m := credential.FindStringSubmatch(scope)
	if m == nil {
		deny(w, "", http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
		return
	}
	who := c.Principals[m[1]]
	if who == nil || token != who.Token {
		deny(w, m[2], http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid.")
		return
	}
	q := &call{Request: r, service: m[2], body: body}
	if _, q.op, _ = strings.Cut(r.Header.Get("X-Amz-Target"), "."); q.op != "" {
		if err := json.Unmarshal(body, &q.in); err != nil {
			deny(w, q.service, http.StatusBadRequest, "SerializationException", err.Error())
			return
		}
	}
	needs, err := c.needs(q)
	if err != nil {
		c.tell(who, q, err)
		deny(w, q.service, http.StatusBadRequest, "AccessDeniedException", q.service+" "+q.op+": "+err.Error())
		return
	}
	for _, need := range needs {
		if err := who.Role.Allow(need); err != nil {
			deny(w, q.service, http.StatusBadRequest, "AccessDeniedException", fmt.Sprintf("User: arn:aws:sts::%s:%s %v", c.Account, who.Name, err))
			return
		}
	}
	c.pass(w, q, m[1], who)
}

// signature returns the credential's scope and the session token, from the
// headers or from a presigned address.
func signature(r *http.Request) (scope, token string) {
	if scope := r.URL.Query().Get("X-Amz-Credential"); scope != "" {
		return scope, r.URL.Query().Get("X-Amz-Security-Token")
	}
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope, _, _ = strings.Cut(rest, ",")
	return scope, r.Header.Get("X-Amz-Security-Token")
}

// needs are the rights that a call takes.
func (c *Cloud) needs(q *call) ([]iam.Request, error) {
	switch q.service {
	case "dynamodb":
		return c.dynamodb(q)
	case "sqs":
		return c.sqs(q)
	case "kms":
		return c.kms(q)
	case "events":
		return c.events(q)
	case "secretsmanager":
		return c.secretsmanager(q)
	case "s3":
		return c.s3(q)
	}
	return nil, errUnknown
}

// pass hands a call to its engine, all callers as one: DynamoDB Local keeps a
// table for each access key.
func (c *Cloud) pass(w http.ResponseWriter, q *call, key string, who *Principal) {
	engine := c.Engines[q.service]
	if engine == nil {
		engine = c.Engines[""]
	}
	out := q.Request.Clone(q.Context())
	body := q.body
	if q.service == "sqs" {
		body = traced(q)
	}
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.Header.Set("Content-Length", strconv.Itoa(len(body)))
	if signed := out.Header.Get("Authorization"); signed != "" {
		out.Header.Set("Authorization", strings.Replace(signed, "Credential="+key+"/", "Credential=local/", 1))
	}
	out.Host = engine.Host
	proxy := httputil.NewSingleHostReverseProxy(engine)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the caller is answered 502
	proxy.ModifyResponse = func(got *http.Response) error { return c.answered(q, who, got) }
	proxy.ServeHTTP(w, out)
}

// answered sees what an engine says.
func (c *Cloud) answered(q *call, who *Principal, got *http.Response) error {
	switch {
	case q.service == "s3" && got.StatusCode == http.StatusNotFound:
		return c.hide(q, who, got)
	case q.service == "secretsmanager" && q.op == "GetSecretValue" && got.StatusCode == http.StatusOK:
		body, err := io.ReadAll(got.Body)
		if err != nil {
			return err
		}
		got.Body = io.NopCloser(bytes.NewReader(body))
		var out struct{ SecretString string }
		if err := json.Unmarshal(body, &out); err != nil {
			return err
		}
		c.Secret(out.SecretString)
	case q.service == "secretsmanager":
		c.forget(q)
	case q.service == "events" && got.StatusCode == http.StatusOK:
		var in struct{ Entries []Entry }
		if err := json.Unmarshal(q.body, &in); err != nil {
			return err
		}
		c.Put(in.Entries)
	}
	return nil
}

// deny answers in a service's form.
func deny(w http.ResponseWriter, service string, status int, code, message string) {
	switch service {
	case "s3":
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>%s</Message></Error>`, strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(message))
		return
	case "dynamodb", "sqs":
		code = "com.amazon.coral.service#" + code
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message}) // the caller is gone
}

func (c *Cloud) tell(who *Principal, q *call, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unknown == nil {
		c.unknown = map[string]int{}
	}
	c.unknown[fmt.Sprintf("%s: %s %s %s %s: %v", who.Name, q.service, q.op, q.Method, q.URL.Path, err)]++
}

// Unknown counts the calls that were refused because nobody knows what they need.
func (c *Cloud) Unknown() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.unknown)
}
