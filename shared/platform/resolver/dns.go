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
	"golang.org/x/net/idna"

	"bindery/shared/directory"
)

// DNSConfig is what a DNS works with.
type DNSConfig struct {
	Server string // host:port, or a host; 1.1.1.1 when empty
}

// DNS asks a name server.
type DNS struct{ cfg DNSConfig }

// NewDNS returns what asks a name server.
func NewDNS(cfg DNSConfig) *DNS {
	cfg.Server = cmp.Or(cfg.Server, publicServer)
	if _, _, err := net.SplitHostPort(cfg.Server); err != nil {
		cfg.Server = net.JoinHostPort(cfg.Server, "53")
	}
	return &DNS{cfg}
}

var _ Resolver = (*DNS)(nil)

const (
	publicServer = "1.1.1.1:53"
	dnsTimeout   = 3 * time.Second
	dnsTries     = 2
	spfLookups   = 10 // more make a record invalid
	aliases      = 5  // that are followed
)

// Look asks for a domain's mail: MX, TXT and where autodiscover leads. A failure
// is a fact, not an error; a name that is not there is an empty answer.
func (r *DNS) Look(ctx context.Context, domain string) *directory.DomainMail {
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
	out.TXT = textsOf(txt)
	out.SPFIncludes, err = r.includes(ctx, out.TXT)
	fail(out, "SPF", err)
	out.Autodiscover, err = r.leads(ctx, "autodiscover."+domain)
	fail(out, "CNAME", err)
	return out
}

// includes lists what SPF records include, at any depth, as far as a receiver of
// mail would look (RFC 7208, 4.6.4). Names with macros stay as they are.
func (r *DNS) includes(ctx context.Context, texts []string) ([]string, error) {
	found := included(texts)
	for i := 0; i < len(found) && i < spfLookups; i++ {
		if strings.Contains(found[i], "%") {
			continue
		}
		rrs, err := r.ask(ctx, found[i], dns.TypeTXT)
		if err != nil {
			return found, err
		}
		for _, name := range included(textsOf(rrs)) {
			if !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found, nil
}

// included are the names that the SPF records among texts include or redirect to.
func included(texts []string) []string {
	var names []string
	for _, text := range texts {
		terms := strings.Fields(strings.ToLower(text))
		if len(terms) == 0 || terms[0] != "v=spf1" {
			continue
		}
		for _, term := range terms[1:] {
			name, ok := strings.CutPrefix(strings.TrimPrefix(term, "+"), "include:")
			if !ok {
				name, ok = strings.CutPrefix(term, "redirect=")
			}
			if ok && name != "" && !slices.Contains(names, fold(name)) {
				names = append(names, fold(name))
			}
		}
	}
	return names
}

// leads follows a name's aliases up to one of Microsoft's; without one, the name
// leads to the first. Beyond Microsoft's there are others, which change.
func (r *DNS) leads(ctx context.Context, name string) (string, error) {
	first := ""
	for range aliases {
		rrs, err := r.ask(ctx, name, dns.TypeCNAME)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(rrs, func(rr dns.RR) bool { _, ok := rr.(*dns.CNAME); return ok })
		if i < 0 {
			break
		}
		name = fold(rrs[i].(*dns.CNAME).Target)
		if directory.MicrosoftAutodiscover(name) {
			return name, nil
		}
		first = cmp.Or(first, name)
	}
	return first, nil
}

func textsOf(rrs []dns.RR) []string {
	var out []string
	for _, rr := range rrs {
		if t, ok := rr.(*dns.TXT); ok {
			out = append(out, strings.Join(t.Txt, ""))
		}
	}
	return out
}

func fail(d *directory.DomainMail, what string, err error) {
	if err != nil {
		d.Failed[what] = err.Error()
	}
}

func (r *DNS) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	// Name servers know a name with letters beyond ASCII by its encoded form; a
	// name that cannot be encoded is none.
	ascii, err := idna.Punycode.ToASCII(strings.ToLower(name))
	if _, ok := dns.IsDomainName(ascii); !ok || err != nil {
		return nil, fmt.Errorf("%q is no domain name", name)
	}
	q := new(dns.Msg).SetQuestion(dns.Fqdn(ascii), kind)
	q.SetEdns0(1232, false)
	var last error
	for try := range dnsTries {
		client := &dns.Client{Timeout: dnsTimeout}
		if try > 0 {
			client.Net = "tcp" // a datagram may have been lost, or too large
		}
		answer, _, err := client.ExchangeContext(ctx, q, r.cfg.Server)
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
