package resolver

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// serve answers by do, over UDP and TCP on one port.
func serve(t *testing.T, do func(q *dns.Msg, tcp bool) *dns.Msg) *DNS {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	handler := func(tcp bool) dns.Handler {
		return dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			if m := do(q, tcp); m != nil {
				if err := w.WriteMsg(m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: handler(true)}, {PacketConn: packets, Handler: handler(false)}} {
		go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return NewDNS(DNSConfig{Server: l.Addr().String()})
}

func answer(t *testing.T, q *dns.Msg, lines ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetReply(q)
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		if rr.Header().Rrtype == q.Question[0].Qtype && strings.EqualFold(rr.Header().Name, q.Question[0].Name) {
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}

func TestLook(t *testing.T) {
	t.Parallel()
	r := serve(t, func(q *dns.Msg, _ bool) *dns.Msg {
		return answer(t, q, "corp.example. 60 MX 20 Second.Example.", "corp.example. 60 MX 10 first.example.", "corp.example. 60 MX 0 .",
			`corp.example. 60 TXT "v=spf1 " "-all"`, "autodiscover.corp.example. 60 CNAME Autodiscover.Outlook.com.")
	})
	got := r.Look(t.Context(), "corp.example")
	if !slices.Equal(got.MX, []string{"first.example", "second.example"}) || !slices.Equal(got.TXT, []string{"v=spf1 -all"}) || got.Autodiscover != "autodiscover.outlook.com" || len(got.Failed) != 0 {
		t.Errorf("Look = %+v", got)
	}
}

// TestNothingThere: a name without records, and one that is not there, are no
// failures.
func TestNothingThere(t *testing.T) {
	t.Parallel()
	r := serve(t, func(q *dns.Msg, _ bool) *dns.Msg {
		if strings.HasPrefix(q.Question[0].Name, "autodiscover.") {
			return new(dns.Msg).SetRcode(q, dns.RcodeNameError)
		}
		return new(dns.Msg).SetReply(q)
	})
	if got := r.Look(t.Context(), "corp.example"); len(got.MX)+len(got.TXT)+len(got.Failed) != 0 || got.Autodiscover != "" {
		t.Errorf("Look = %+v", got)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	r := serve(t, func(q *dns.Msg, _ bool) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure) })
	for what, why := range r.Look(t.Context(), "corp.example").Failed {
		if !strings.Contains(why, "SERVFAIL") {
			t.Errorf("%s: %q", what, why)
		}
	}
	if got := r.Look(t.Context(), "corp.example").Failed; len(got) != 3 {
		t.Errorf("failed: %v, want MX, TXT and CNAME", got)
	}
	if got := r.Look(t.Context(), strings.Repeat("x", 64)+".example").Failed; len(got) != 3 {
		t.Errorf("a name that is none: %v", got)
	}
}

// TestTruncated: an answer that does not fit a datagram is fetched by TCP.
func TestTruncated(t *testing.T) {
	t.Parallel()
	r := serve(t, func(q *dns.Msg, tcp bool) *dns.Msg {
		if !tcp {
			m := new(dns.Msg).SetReply(q)
			m.Truncated = true
			return m
		}
		return answer(t, q, "corp.example. 60 MX 10 first.example.")
	})
	if got := r.Look(t.Context(), "corp.example"); !slices.Equal(got.MX, []string{"first.example"}) || len(got.Failed) != 0 {
		t.Errorf("Look = %+v", got)
	}
}

// TestAliases: autodiscover often leads to Microsoft by the name of a sister
// company, whose own leads on.
func TestAliases(t *testing.T) {
	t.Parallel()
	zone := []string{
		"autodiscover.brand.example. 60 CNAME Autodiscover.Corp.Example.", "autodiscover.corp.example. 60 CNAME autodiscover.outlook.com.",
		"autodiscover.outlook.com. 60 CNAME autod.ha-autod.office.com.", "autodiscover.old.example. 60 CNAME mail.old.example.",
		"mail.old.example. 60 CNAME rack7.host.example.", "autodiscover.loop.example. 60 CNAME autodiscover.loop.example.",
	}
	r := serve(t, func(q *dns.Msg, _ bool) *dns.Msg { return answer(t, q, zone...) })
	for domain, want := range map[string]string{
		"brand.example": "autodiscover.outlook.com", "corp.example": "autodiscover.outlook.com",
		"old.example": "mail.old.example", "loop.example": "autodiscover.loop.example", "none.example": "",
	} {
		if got := r.Look(t.Context(), domain); got.Autodiscover != want || len(got.Failed) != 0 {
			t.Errorf("%s leads to %q (failed: %v), want %q", domain, got.Autodiscover, got.Failed, want)
		}
	}
}

// TestIncludes: many an SPF record names Microsoft only through others.
func TestIncludes(t *testing.T) {
	t.Parallel()
	zone := []string{
		`corp.example. 60 TXT "v=spf1 mx +include:_SPF.corp.example -all"`, `_spf.corp.example. 60 TXT "v=spf1 include:a.corp.example. include:spf.protection.outlook.com -all"`,
		`a.corp.example. 60 TXT "v=spf1 include:corp.example include:_spf.corp.example ?all"`, `a.corp.example. 60 TXT "include:nothing.example"`,
		`macro.example. 60 TXT "v=spf1 include:%{i}._spf.corp.example -all"`, `broken.example. 60 TXT "v=spf1 include:gone.example -all"`,
	}
	r := serve(t, func(q *dns.Msg, _ bool) *dns.Msg {
		if strings.HasPrefix(q.Question[0].Name, "gone.") {
			return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		}
		return answer(t, q, zone...)
	})
	for domain, want := range map[string][]string{
		"corp.example":   {"_spf.corp.example", "a.corp.example", "spf.protection.outlook.com", "corp.example"},
		"macro.example":  {"%{i}._spf.corp.example"},
		"broken.example": {"gone.example"},
	} {
		if got := r.Look(t.Context(), domain); !slices.Equal(got.SPFIncludes, want) || (got.Failed["SPF"] != "") != (domain == "broken.example") {
			t.Errorf("%s includes %q (failed: %v), want %q", domain, got.SPFIncludes, got.Failed, want)
		}
	}
}

// TestLettersBeyondASCII: such a domain is asked for by the name that name servers
// have for it.
func TestLettersBeyondASCII(t *testing.T) {
	t.Parallel()
	r := serve(t, func(q *dns.Msg, _ bool) *dns.Msg { return answer(t, q, "xn--bcher-kva.example. 60 MX 0 mx.example.") })
	for _, domain := range []string{"bücher.example", "BÜCHER.example", "xn--bcher-kva.example"} {
		if got := r.Look(t.Context(), domain); !slices.Equal(got.MX, []string{"mx.example"}) || len(got.Failed) != 0 {
			t.Errorf("Look(%s) = %+v", domain, got)
		}
	}
}
