package browser

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
)

var linkPattern = regexp.MustCompile(`<a [^>]*id="continue"[^>]*href="([^"]*)"`)

// App is an application's own site in a browser of its own: it keeps the site's
// cookies.
type App struct {
	site    http.RoundTripper
	cookies map[string]string
}

// Open opens a browser that reaches the application's site over rt.
func Open(rt http.RoundTripper) *App { return &App{rt, map[string]string{}} }

// Serve is the transport to a site that is served in process.
func Serve(h http.Handler) http.RoundTripper { return served{h} }

type served struct{ http.Handler }

// RoundTrip calls the handler with the request as a server has it.
func (s served) RoundTrip(r *http.Request) (*http.Response, error) {
	w, in := httptest.NewRecorder(), r.Clone(r.Context())
	if in.RequestURI = r.URL.RequestURI(); in.Body == nil {
		in.Body = http.NoBody
	}
	s.ServeHTTP(w, in)
	return w.Result(), r.Context().Err()
}

// get opens a page of the site; location is where it sends the browser.
func (a *App) get(ctx context.Context, u string) (status int, page, location string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return 0, "", "", err
	}
	for name, value := range a.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := a.site.RoundTrip(r)
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		if a.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(a.cookies, c.Name)
		}
	}
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), resp.Header.Get("Location"), err
}

// Depart opens the page that an authorisation begins with and presses its link.
// It returns that page and the address to which the site sends the browser: the
// authorize URL. A page without a link is an error with the page.
func (a *App) Depart(ctx context.Context, start string) (page, authorizeURL string, err error) {
	status, page, _, err := a.get(ctx, start)
	if err != nil {
		return "", "", err
	}
	link := linkPattern.FindStringSubmatch(page)
	if link == nil {
		return page, "", fmt.Errorf("browser: the start page answered %d and has no way on: %s", status, page)
	}
	status, next, location, err := a.get(ctx, html.UnescapeString(link[1]))
	if err == nil && location == "" {
		err = fmt.Errorf("browser: the link of the start page answered %d: %s", status, next)
	}
	return page, location, err
}

// SignIn goes through a whole authorisation: the site's start page, Microsoft's
// pages over rt, where login signs in and accepts, and back to the site. It
// returns the page at which that ends.
func (a *App) SignIn(ctx context.Context, rt http.RoundTripper, start, login string) (status int, page string, err error) {
	_, authorizeURL, err := a.Depart(ctx, start)
	if err != nil {
		return 0, "", err
	}
	back, err := Authorize(ctx, rt, authorizeURL, login)
	if err != nil {
		return 0, "", err
	}
	return a.Return(ctx, back)
}

// Return comes back to the site from Microsoft's pages.
func (a *App) Return(ctx context.Context, back *url.URL) (status int, page string, err error) {
	status, page, location, err := a.get(ctx, back.String())
	if err == nil && location != "" {
		err = errors.New("browser: the callback sends the browser on")
	}
	return status, page, err
}
