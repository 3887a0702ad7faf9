// Package loopback keeps web pages away from servers that listen on a person's own
// machine. Such a server trusts whoever reaches it, and any page that the person
// visits reaches it through their browser: by requests across origins, and by a name
// of the page's own that is suddenly resolved to 127.0.0.1 (DNS rebinding), for which
// the browser takes both for one site and lets the page read the answers.
package loopback

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Guard tells requests of this machine's programs and pages from those of others.
type Guard struct {
	hosts []string
	cross *http.CrossOriginProtection
}

// Refusal is why a request is not served.
type Refusal struct {
	Code   string // foreign-host, foreign-origin
	Detail string // what was wrong and what to do
}

func (r *Refusal) Error() string { return r.Detail }

// New returns a Guard. Requests may name the machine as localhost, by the address
// of the connection that they come over, and by hosts: names without a port, under
// which the server is reached as well.
func New(hosts ...string) *Guard {
	return &Guard{hosts: hosts, cross: http.NewCrossOriginProtection()}
}

// Host refuses a request whose Host is a name that this server does not have. One
// that came over no connection was made in this process, by no browser.
func (g *Guard) Host(r *http.Request) *Refusal {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || g.ours(hostname(r.Host), local) {
		return nil
	}
	return &Refusal{"foreign-host", fmt.Sprintf("This server is not called %q. Use localhost and its port; another name must be configured.", r.Host)}
}

// Origin refuses a request that may change something and that a page of another
// origin sent. Programs send neither Origin nor Sec-Fetch-Site, and pass.
func (g *Guard) Origin(r *http.Request) *Refusal {
	if g.cross.Check(r) == nil {
		return nil
	}
	return &Refusal{"foreign-origin", "A page of another origin sent this request. Send it from a program, or from a page of this server."}
}

// Check is Host and Origin.
func (g *Guard) Check(r *http.Request) *Refusal {
	if refused := g.Host(r); refused != nil {
		return refused
	}
	return g.Origin(r)
}

func (g *Guard) ours(name string, local net.Addr) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	for _, h := range g.hosts {
		if h != "" && strings.EqualFold(name, h) {
			return true
		}
	}
	// An address cannot be resolved to another one, so that a page under it is this
	// server's own.
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return ip.Unmap().IsLoopback() || err == nil && ip.Unmap() == at.Addr().Unmap().WithZone("")
}

// hostname is the Host of a request without its port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
