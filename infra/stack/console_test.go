package stack

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Somebody signs in to the console under whatever name the stack may be reached by, and
// stays under it; under another name there is nothing.
func TestConsoleHosts(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), PublicURL: "http://localhost:" + port, Hosts: []string{"devbox.example"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	server.Config.Handler = s.Handler()
	server.Start()
	t.Cleanup(server.Close)
	for host, want := range map[string]int{"localhost": 200, "127.0.0.1": 200, "devbox.example": 200, "DevBox.Example": 200, "evil.example": 403} {
		base := "http://" + host + ":" + port
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		var hosts []string
		client := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error { hosts = append(hosts, r.URL.Hostname()); return nil },
			Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
			}}}
		status, page := read(t, client, base+"/console/login?to=/console/me")
		if status != want {
			t.Errorf("%s: %d, want %d", host, status, want)
		}
		if want != 200 {
			continue
		}
		form := url.Values{"part": {"admin"}}
		for _, m := range regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if m[1] != "part" {
				form.Set(m[1], strings.ReplaceAll(strings.ReplaceAll(m[2], "&#43;", "+"), "&amp;", "&"))
			}
		}
		res, err := client.PostForm(base+ProviderPath+"/authorize", form)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || res.Request.URL.Path != "/console/me" || !strings.Contains(string(body), "admin@local") {
			t.Errorf("%s: signing in ended with %d at %s", host, res.StatusCode, res.Request.URL)
		}
		for _, h := range hosts {
			if !strings.EqualFold(h, host) {
				t.Errorf("%s: led to %s", host, h)
			}
		}
		if status, _ := read(t, client, base+"/console"); status != 200 {
			t.Errorf("%s: home is %d", host, status)
		}
		// A file that is checked goes past the API, by a request that it signs.
		var body2 bytes.Buffer
		file := multipart.NewWriter(&body2)
		_ = file.WriteField("check", "1")
		part, err := file.CreateFormFile("file", "people.csv.gz")
		if err != nil {
			t.Fatal(err)
		}
		packed := gzip.NewWriter(part)
		_, _ = io.WriteString(packed, "email,givenName\n"+strings.Repeat("ann@corp.example,Ann\n", 250_000))
		packed.Close()
		file.Close()
		if res, err = client.Post(base+"/console/users/load", file.FormDataContentType(), &body2); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 || !strings.HasPrefix(res.Request.URL.Path, "/console/jobs/job_") || !strings.Contains(res.Request.URL.RawQuery, "upload=upl_") {
			t.Errorf("%s: a file ended with %d at %s", host, res.StatusCode, res.Request.URL)
		}
	}
}

func read(t *testing.T, c *http.Client, address string) (int, string) {
	t.Helper()
	res, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Whoever asks under many ports makes no more than some fronts.
func TestFronts(t *testing.T) {
	t.Parallel()
	own, made := &front{}, 0
	f := &fronts{scheme: "http", own: own, byHost: map[string]*front{}, make: func(string) (*front, error) { made++; return &front{}, nil }}
	for i := range 3 * mostFronts {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil)
		r.Host = "localhost:" + string(rune('a'+i))
		if one := f.of(r); i >= mostFronts && one != own || i < mostFronts && (one == own || one != f.of(r)) {
			t.Errorf("host %d", i)
		}
	}
	if made != mostFronts {
		t.Errorf("%d fronts", made)
	}
}
