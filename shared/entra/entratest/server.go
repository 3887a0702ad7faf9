package entratest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bindery/shared/platform/loopback"
)

// Options configure a simulator; the zero value is usable.
type Options struct {
	Now     func() time.Time // nil means time.Now; the simulator's clock is this plus what Advance added
	BaseURL string           // empty: absolute links are built from the request's own scheme and host
	Dir     string           // empty: memory only; else the state is durable in this folder
	Log     *slog.Logger     // nil: silent
	Quota   Quota            // zero fields mean Microsoft's numbers
	Seed    int64            // 0: random ids; else ids and answers' order are the same each time
	Hosts   []string         // names besides localhost and BaseURL's under which it may be reached over a listener
}

// Server is one simulated Microsoft 365 with all its tenants. It is an
// http.Handler and safe for concurrent use.
type Server struct {
	o        Options
	guard    *loopback.Guard
	identity identityState
	offset   atomic.Int64 // of the clock, in nanoseconds
	idMu     sync.Mutex
	rnd      *rand.Rand // nil: crypto randomness; guarded by idMu

	mu        sync.Mutex // guards everything below
	journal   *journal   // nil without Options.Dir
	pending   []entry    // of the commit under way
	version   int64
	tenants   map[string]*tenant
	apps      map[string]App // by lower-case id
	tokens    map[string]accessToken
	blobs     map[string]map[string][]byte
	faults    []*Fault
	faultSeq  int
	requests  []Request
	forgotten int // requests that are no longer in the list
	buckets   map[string]*bucket
}

// New makes a simulator, or opens the one whose state is in o.Dir.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Quota = o.Quota.filled()
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	s := &Server{
		o: o, guard: loopback.New(append(slices.Clone(o.Hosts), hostOf(o.BaseURL))...), tenants: map[string]*tenant{}, apps: map[string]App{}, tokens: map[string]accessToken{},
		blobs: map[string]map[string][]byte{}, buckets: map[string]*bucket{},
	}
	if o.Dir != "" {
		j, err := openJournal(o.Dir, s)
		if err != nil {
			return nil, err
		}
		s.journal = j
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start counts the starts, so that a seeded simulator does not hand out the same
// ids again after a restart, and gives the identity half its records back.
func (s *Server) start() error {
	var starts uint64
	if b, ok := s.blobs["start"]["n"]; ok {
		if _, err := fmt.Sscan(string(b), &starts); err != nil {
			return fmt.Errorf("read the number of starts: %w", err)
		}
	}
	if s.o.Seed != 0 {
		s.rnd = rand.New(rand.NewPCG(uint64(s.o.Seed), starts))
	}
	if err := s.persist("start", "n", starts+1); err != nil {
		return err
	}
	return s.loadIdentity()
}

// Close ends the simulator and closes its journal file.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return nil
	}
	err := s.journal.close()
	s.journal = nil
	return err
}

// ServeHTTP routes a request: /v1.0 is Graph, /_control the switches, and all the
// rest the identity platform. Over a listener it answers to its own names only, so
// that no web page can have its own name resolved to it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refused := s.guard.Host(r); refused != nil {
		writeControl(w, http.StatusForbidden, map[string]string{"error": refused.Code, "detail": refused.Detail})
		return
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch strings.ToLower(first) {
	case "v1.0", "beta":
		s.serveGraph(w, r)
	case "_control":
		s.serveControl(w, r)
	default:
		s.serveIdentity(w, r)
	}
}

// hostOf is the host of an address, or "".
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Transport returns a RoundTripper that calls ServeHTTP in process.
func (s *Server) Transport() http.RoundTripper { return inProcess{s} }

// ErrDropped is what Transport returns for a connection that a fault cut off.
var ErrDropped = errors.New("connection reset by the simulated server")

type inProcess struct{ handler http.Handler }

// RoundTrip runs the handler in the caller's goroutine, on a copy of the body.
func (t inProcess) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	ctx := r.Context()
	var body []byte
	if r.Body != nil {
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	in := r.Clone(ctx)
	in.Header = maps.Clone(r.Header)
	if in.Header == nil {
		in.Header = http.Header{}
	}
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.ContentLength = int64(len(body))
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			resp, err = nil, cmp.Or(context.Cause(ctx), ErrDropped)
		default:
			panic(p)
		}
	}()
	rec := &recorder{header: http.Header{}}
	t.handler.ServeHTTP(rec, in)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return rec.response(r), nil
}

// recorder keeps what a handler answers.
type recorder struct {
	header http.Header
	sent   http.Header // the header as it was when the status was written
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// response is the recorded answer to a request.
func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Request: r,
		Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()),
	}
}

// now is the simulator's clock.
func (s *Server) now() time.Time { return s.o.Now().Add(time.Duration(s.offset.Load())).UTC() }

// Advance moves the simulator's clock forward, for expiries; nothing waits for it.
func (s *Server) Advance(d time.Duration) error {
	if d < 0 {
		return errors.New("the clock only moves forward")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save(entry{Kind: "blob", Tenant: "clock", ID: "offset"}, s.offset.Load()+int64(d))
}

// base is the address of the simulator as the client sees it.
func (s *Server) base(r *http.Request) string {
	if s.o.BaseURL != "" {
		return s.o.BaseURL
	}
	scheme := "http"
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	return scheme + "://" + host
}

// newID makes a version 4 GUID.
func (s *Server) newID() string {
	b := s.random(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
