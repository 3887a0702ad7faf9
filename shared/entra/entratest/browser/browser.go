// Package browser is an admin at the simulated sign-in pages: it submits the
// forms that a person would, over HTTP and nothing else, so that tests and the
// demo go through the real pages. App is the same with the application's own
// pages around them, and its cookies.
package browser

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var (
	formPattern   = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	errorPattern  = regexp.MustCompile(`(?s)<p[^>]*id="error"[^>]*>(.*?)</p>`)
)

// Authorize signs login in at an authorize URL and accepts what is asked for.
// It returns the URL that the browser is then sent to: the application's
// redirect URI with the answer. An error page is an error with the page's text.
func Authorize(ctx context.Context, rt http.RoundTripper, authorizeURL, login string) (*url.URL, error) {
	return Answer(ctx, rt, authorizeURL, login, "accept")
}

// Answer is Authorize with the button that is pressed on the consent page:
// "accept" or "cancel".
func Answer(ctx context.Context, rt http.RoundTripper, authorizeURL, login, button string) (*url.URL, error) {
	start, err := url.Parse(authorizeURL)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(start.Query().Get("redirect_uri"))
	if err != nil || target.Host == "" {
		return nil, errors.New("browser: the authorize URL has no redirect_uri")
	}
	client := &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, authorizeURL, nil)
	if err != nil {
		return nil, err
	}
	for range 10 {
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		if loc := resp.Header.Get("Location"); loc != "" {
			next, err := req.URL.Parse(loc)
			if err != nil {
				return nil, err
			}
			if next.Host == target.Host && next.Path == target.Path {
				return next, nil
			}
			if req, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil); err != nil {
				return nil, err
			}
			continue
		}
		if req, err = submit(ctx, req.URL, string(body), login, button); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("browser: sent in circles")
}

// submit fills in the form of a page.
func submit(ctx context.Context, at *url.URL, page, login, button string) (*http.Request, error) {
	form := formPattern.FindStringSubmatch(page)
	said := errorPattern.FindStringSubmatch(page)
	if form == nil || said != nil && strings.Contains(form[2], `name="login"`) {
		text := "no form and no message"
		if said != nil {
			text = html.UnescapeString(said[1])
		}
		return nil, fmt.Errorf("browser: the page says: %s", text)
	}
	values := url.Values{}
	for _, h := range hiddenPattern.FindAllStringSubmatch(form[2], -1) {
		values.Set(html.UnescapeString(h[1]), html.UnescapeString(h[2]))
	}
	if strings.Contains(form[2], `name="login"`) {
		values.Set("login", login)
	} else if strings.Contains(form[2], `name="accept"`) && button == "accept" {
		values.Set("accept", "accept")
	} else if strings.Contains(form[2], `name="cancel"`) {
		values.Set("cancel", "cancel")
	}
	action, err := at.Parse(html.UnescapeString(form[1]))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}
