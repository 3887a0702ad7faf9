package entratest

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/control"
	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/graph"
	"bindery/shared/entra/entratest/identity"
	"bindery/shared/entra/entratest/inprocess"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
	"bindery/shared/platform/loopback"
)

// Options configure a simulator; the zero value is usable.
type Options struct {
	Now     func() time.Time // nil means time.Now; the simulator's clock is this plus what Advance added
	BaseURL string           // empty: absolute links are built from the request's own scheme and host
	Dir     string           // empty: memory only; else the state is durable in this folder
	Quota   Quota            // zero fields mean Microsoft's numbers
	Seed    int64            // 0: random ids; else ids and answers' order are the same each time
	Hosts   []string         // names besides localhost and BaseURL's under which it may be reached over a listener
}

// Server is one simulated Microsoft 365 with all its tenants. It is an
// http.Handler and safe for concurrent use.
type Server struct {
	guard    *loopback.Guard
	state    *state.Store
	faults   *faults.Set
	portal   *portal.Portal
	identity *identity.Platform
	graph    *graph.Service
	control  *control.API
}

// New makes a simulator, or opens the one whose state is in o.Dir.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	kept, err := state.Open(state.Config{Now: o.Now, Dir: o.Dir, Seed: o.Seed})
	if err != nil {
		return nil, err
	}
	s := &Server{
		guard: loopback.New(append(slices.Clone(o.Hosts), hostOf(o.BaseURL))...),
		state: kept, faults: faults.NewSet(), portal: portal.New(kept),
	}
	base := func(r *http.Request) string { return cmp.Or(o.BaseURL, addressOf(r)) }
	if s.identity, err = identity.New(identity.Config{State: kept, Faults: s.faults, BaseURL: base}); err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	s.graph = graph.New(graph.Config{State: kept, Faults: s.faults, Quota: o.Quota, BaseURL: base})
	s.control = control.New(control.Config{State: kept, Faults: s.faults, Portal: s.portal, Identity: s.identity, Graph: s.graph})
	return s, nil
}

// Close ends the simulator and closes its journal file.
func (s *Server) Close() error { return s.state.Close() }

// ServeHTTP routes a request: /v1.0 is Graph, /_control the switches, and all the
// rest the identity platform. Over a listener it answers to its own names only, so
// that no web page can have its own name resolved to it; and since nothing proves who
// calls the switches, no page of another origin may.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refused := s.guard.Host(r); refused != nil {
		control.Refuse(w, http.StatusForbidden, refused.Code, refused.Detail)
		return
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch strings.ToLower(first) {
	case "v1.0", "beta":
		s.graph.ServeHTTP(w, r)
	case "_control":
		if refused := s.guard.Origin(r); refused != nil {
			control.Refuse(w, http.StatusForbidden, refused.Code, refused.Detail)
			return
		}
		s.control.ServeHTTP(w, r)
	default:
		s.identity.ServeHTTP(w, r)
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

// addressOf is the address of a server as the client of a request sees it.
func addressOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	return scheme + "://" + cmp.Or(r.Host, r.URL.Host)
}

// Transport returns a RoundTripper that calls ServeHTTP in process.
func (s *Server) Transport() http.RoundTripper { return inprocess.Transport(s) }

// ErrDropped is what Transport returns for a connection that a fault cut off.
var ErrDropped = inprocess.ErrDropped
