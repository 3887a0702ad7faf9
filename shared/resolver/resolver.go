// Package resolver asks name servers about domains for the doctor. It stands by
// itself so that only functions that do so carry a DNS client.
package resolver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"bindery/shared/directory"
)

// Resolver asks a name server. The zero value asks 1.1.1.1.
type Resolver struct {
	Server string // host:port
}

const (
	publicServer = "1.1.1.1:53"
	dnsTimeout   = 3 * time.Second
	dnsTries     = 2
)

// Look asks for a domain's mail: MX, TXT and where autodiscover leads. A failure
// is a fact, not an error; a name that is not there is an empty answer.
func (r Resolver) Look(ctx context.Context, domain string) *directory.DomainMail {
	out := &directory.DomainMail{Failed: map[string]string{}}
	mx, err := r.ask(ctx, domain, dns.TypeMX)
	fail(out, "MX", err)
	var list []*dns.MX
	for _, rr := range mx {
		if m, ok := rr.(*dns.MX); ok && m.Mx != "." { // RFC 7505: "." takes no mail
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(a, b *dns.MX) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(a.Mx, b.Mx))
	})
	for _, m := range list {
		out.MX = append(out.MX, fold(m.Mx))
	}
	txt, err := r.ask(ctx, domain, dns.TypeTXT)
	fail(out, "TXT", err)
	for _, rr := range txt {
		if t, ok := rr.(*dns.TXT); ok {
			out.TXT = append(out.TXT, strings.Join(t.Txt, ""))
		}
	}
	cname, err := r.ask(ctx, "autodiscover."+domain, dns.TypeCNAME)
	fail(out, "CNAME", err)
	for _, rr := range cname {
		if c, ok := rr.(*dns.CNAME); ok {
			out.Autodiscover = fold(c.Target)
		}
	}
	return out
}

func fail(d *directory.DomainMail, what string, err error) {
	if err != nil {
		d.Failed[what] = err.Error()
	}
}

func (r Resolver) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, fmt.Errorf("%q is no domain name", name)
	}
	server := cmp.Or(r.Server, publicServer)
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "53")
	}
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	q.SetEdns0(1232, false)
	var last error
	for try := range dnsTries {
		client := &dns.Client{Timeout: dnsTimeout}
		if try > 0 {
			client.Net = "tcp" // a datagram may have been lost, or too large
		}
		answer, _, err := client.ExchangeContext(ctx, q, server)
		switch {
		case err != nil:
			last = errors.New("the name server does not answer")
		case answer.Truncated && client.Net != "tcp":
			last = errors.New("the answer is too large")
		case answer.Rcode == dns.RcodeSuccess:
			return answer.Answer, nil
		case answer.Rcode == dns.RcodeNameError:
			return nil, nil
		default:
			last = fmt.Errorf("the name server answers %s", dns.RcodeToString[answer.Rcode])
		}
	}
	return nil, last
}

func fold(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }
