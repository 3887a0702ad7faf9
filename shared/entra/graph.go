package entra

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	khttp "github.com/microsoft/kiota-http-go"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"

	"bindery/shared/directory"
)

// DefaultBaseURL is Microsoft Graph of the global cloud.
const DefaultBaseURL = "https://graph.microsoft.com/v1.0"

// Config is what New is told; the zero value talks to Microsoft.
type Config struct {
	BaseURL   string            // with the version; empty: DefaultBaseURL
	Transport http.RoundTripper // nil: one of our own with timeouts
	Now       func() time.Time  // nil: time.Now
	Log       *slog.Logger      // nil: silent
}

// TokenSource gives access tokens. Its errors are passed on as they are, so that
// errors.Is sees through.
type TokenSource interface {
	// Token returns an access token that lives for a while yet.
	Token(ctx context.Context) (directory.Secret, error)
	// Renew returns another token than the one that Graph has just refused.
	Renew(ctx context.Context, rejected directory.Secret) (directory.Secret, error)
}

// accountant is a TokenSource that keeps account of which of its tokens Graph has
// accepted. It can tell what it means that Graph refuses a renewed one as well.
type accountant interface {
	// Accepted says that Graph has answered a request with this token.
	Accepted(ctx context.Context, token directory.Secret)
}

// Graph is a way to Microsoft Graph, shared by all tenants. It is safe for
// concurrent use.
type Graph struct {
	base    *url.URL
	now     func() time.Time
	log     *slog.Logger
	adapter *graphcore.GraphRequestAdapterBase
}

// Tenant is Graph as one connection's administrator sees it. It is cheap to make
// and safe for concurrent use.
type Tenant struct {
	graph  *Graph
	tokens TokenSource
	singly atomic.Bool // addresses are asked about one by one, since Graph refused a filter for several
}

// New checks the configuration and returns a Graph.
func New(cfg Config) (*Graph, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	g := &Graph{base: base, now: cfg.Now, log: cfg.Log}
	if g.now == nil {
		g.now = time.Now
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	transport := cfg.Transport
	if transport == nil {
		transport = defaultTransport()
	}
	client := &http.Client{
		Transport: khttp.NewCustomTransportWithParentTransport(transport, courier{g}),
		// Never followed: a redirect would carry the token and a write elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	g.adapter, err = graphcore.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		authorizer{g}, graphcore.GraphClientOptions{}, jsonserialization.NewJsonParseNodeFactory(), nil, client)
	if err != nil {
		return nil, fmt.Errorf("entra: %w", err)
	}
	g.adapter.SetBaseUrl(base.String())
	return g, nil
}

// Tenant returns the tenant that the tokens are for.
func (g *Graph) Tenant(ts TokenSource) *Tenant { return &Tenant{graph: g, tokens: ts} }

// defaultTransport gives up on a silent peer long before a lease ends. A Lambda
// freezes between invocations, so idle connections are often dead: HTTP/2 pings
// find out.
func defaultTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       60 * time.Second,
		MaxIdleConnsPerHost:   4,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// parseBase checks the base address: https, or http to this machine only, and
// with a version, since links are held against it.
func parseBase(text string) (*url.URL, error) {
	wrong := func(why string) (*url.URL, error) {
		return nil, fmt.Errorf("entra: the base address of Microsoft Graph %s; it must look like %s: %w", why, DefaultBaseURL, directory.ErrInvalid)
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Hostname() == "":
		return wrong("is not a URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return wrong("has a user, a query or a fragment")
	case strings.Trim(u.Path, "/") == "":
		return wrong("has no version")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return wrong("uses http to another machine")
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong("is neither https nor http")
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// own reports whether an address lies below the base: same scheme, host, port
// and version, with nothing that could be read in two ways.
func (g *Graph) own(u *url.URL) bool {
	if u.Opaque != "" || u.User != nil || u.Fragment != "" || !strings.EqualFold(u.Scheme, g.base.Scheme) {
		return false
	}
	if !strings.EqualFold(u.Hostname(), g.base.Hostname()) || port(u) != port(g.base) {
		return false
	}
	rest, ok := strings.CutPrefix(u.Path, g.base.Path+"/")
	if !ok || rest == "" {
		return false
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if segment == "." || segment == ".." || strings.ContainsRune(segment, '\\') {
			return false
		}
	}
	return true
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if strings.EqualFold(u.Scheme, "http") {
		return "80"
	}
	return "443"
}

// follow parses a link that Microsoft handed out.
func (g *Graph) follow(link string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a URL", directory.ErrForeignLink)
	}
	if !g.own(u) {
		g.log.Warn("a link of Microsoft Graph leads elsewhere and was not followed", "host", u.Hostname())
		return nil, fmt.Errorf("%w: %q is not below %s", directory.ErrForeignLink, u.Hostname(), g.base)
	}
	return u, nil
}

// at is the address of a path, which is escaped, below the base.
func (g *Graph) at(path string) (*url.URL, error) {
	u, err := url.Parse(g.base.String() + path)
	if err != nil {
		return nil, fmt.Errorf("entra: a path of our own is malformed: %w", directory.ErrNotSent)
	}
	return u, nil
}
