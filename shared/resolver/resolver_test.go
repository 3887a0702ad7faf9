package resolver

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// serve answers by do, over UDP and TCP on one port.
func serve(t *testing.T, do func(q *dns.Msg, tcp bool) *dns.Msg) Resolver {
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
	return Resolver{Server: l.Addr().String()}
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
