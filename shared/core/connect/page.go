package connect

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"strings"

	"bindery/shared/directory"
)

// Page is what the admin's browser shows before a sign-in and after it. Its texts
// are plain; HTML escapes every one of them.
type Page struct {
	Status  int    // of HTTP
	Code    string // kebab-case, for logs and tests
	Title   string
	Message string
	Next    string
	Facts   []Fact
	Warn    string // what to beware of
	Link    *Link
	// Location is where the browser is sent, with a status of 3xx.
	Location string
	Cookie   *http.Cookie // nil for none
}

// Link is the way on from a page; it works without scripts.
type Link struct{ Text, Address string }

// Fact is one line of a page's table.
type Fact struct{ Name, Value string }

const pageStyle = `body{font:1.05rem/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1d2430}
main{max-width:34rem;margin:0 auto;padding:1.5rem;overflow-wrap:anywhere}
h1{font-size:1.4rem;line-height:1.25}
section{background:#fff;border-left:.3rem solid #5a6b85;padding:.6rem 1rem;margin:1rem 0}
section.warn{border-color:#b3261e}
dt{color:#5a6b85;font-size:.9rem}dd{margin:0 0 .6rem}
a.go{display:inline-block;background:#1f4e9c;color:#fff;padding:.6rem 1.2rem;border-radius:.3rem;text-decoration:none}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e8ebf0}section{background:#1e242e}dt{color:#9fb0c9}}`

// Header returns the page's headers: nothing may be loaded, run, framed, cached
// or told to others.
func (p Page) Header() http.Header {
	sum := sha256.Sum256([]byte(pageStyle))
	h := http.Header{}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	if p.Location != "" {
		h.Set("Location", p.Location)
	}
	if p.Cookie != nil {
		h.Set("Set-Cookie", p.Cookie.String())
	}
	return h
}

// HTML returns the page's body.
func (p Page) HTML() string {
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>`)
	b.WriteString(html.EscapeString(p.Title) + "</title><style>" + pageStyle + "</style></head><body><main><h1>" + html.EscapeString(p.Title) + "</h1>")
	if p.Message != "" {
		b.WriteString("<p>" + html.EscapeString(p.Message) + "</p>")
	}
	if len(p.Facts) > 0 {
		b.WriteString("<dl>")
		for _, f := range p.Facts {
			b.WriteString("<dt>" + html.EscapeString(f.Name) + "</dt><dd>" + html.EscapeString(f.Value) + "</dd>")
		}
		b.WriteString("</dl>")
	}
	if p.Warn != "" {
		b.WriteString("<section class=\"warn\"><strong>Beware</strong><br>" + html.EscapeString(p.Warn) + "</section>")
	}
	if p.Link != nil {
		b.WriteString("<p><a class=\"go\" id=\"continue\" rel=\"noreferrer\" href=\"" + html.EscapeString(p.Link.Address) + "\">" + html.EscapeString(p.Link.Text) + "</a></p>")
	}
	if p.Next != "" {
		b.WriteString("<section><strong>What to do next</strong><br>" + html.EscapeString(p.Next) + "</section>")
	}
	b.WriteString("</main></body></html>\n")
	return b.String()
}

// Write answers a request with the page.
func (p Page) Write(w http.ResponseWriter) {
	for name, values := range p.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(p.Status)
	// An error means that the browser is gone; there is nobody to tell.
	_, _ = w.Write([]byte(p.HTML()))
}

// ServeSignIn is GET /oauth/start and GET /oauth/callback. Other methods, and HEAD,
// with which scanners look at links, lead nowhere. Were its name ServeHTTP, Service
// would be an http.Handler, and each function that has one would link all of this.
func (s *Service) ServeSignIn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		Page{Status: http.StatusMethodNotAllowed, Code: directory.CodeMethodNotAllowed, Title: "This address only takes GET",
			Message: "It is for browsers of admins who sign in at Microsoft.", Next: "Start the authorisation in Bindery."}.Write(w)
	case strings.HasSuffix(r.URL.Path, "/start") && q.Has("go") && isPrefetch(r):
		// A browser that fetches ahead of the click has not left the page yet.
		Page{Status: http.StatusServiceUnavailable, Code: directory.CodeFetchedAhead, Title: "Not fetched ahead",
			Message: "This address is for a click.", Next: "Click on the link."}.Write(w)
	case strings.HasSuffix(r.URL.Path, "/start"):
		s.Start(r.Context(), q, r.Cookies()).Write(w)
	default:
		s.Callback(r.Context(), q, r.Cookies()).Write(w)
	}
}

// isPrefetch reports whether a browser says that it fetches before anybody clicked.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if v := r.Header.Get(name); strings.Contains(v, "prefetch") || strings.Contains(v, "prerender") || strings.Contains(v, "preview") {
			return true
		}
	}
	return false
}
