package contract

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
)

type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

// Wrap puts the Checker around a server.
func (c *Checker) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := relative(r.URL.EscapedPath()); !ok || !c.Active() {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "reading the request", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		c.check(message{
			method: r.Method, url: r.URL, header: r.Header, body: unzip(r.Header, body),
			status: rec.status, answerHeader: w.Header(), answer: rec.body.Bytes(),
		}, false)
	})
}

// recorder keeps a copy of the answer while it passes.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
	body    bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.written = true
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Transport puts the Checker around a client.
func (c *Checker) Transport(next http.RoundTripper) http.RoundTripper {
	return transport{c, next}
}

type transport struct {
	c    *Checker
	next http.RoundTripper
}

// RoundTrip sends a request and validates it together with its answer.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, ok := relative(r.URL.EscapedPath()); !ok || !t.c.Active() {
		return t.next.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	if err != nil { // broken off half-way: the client sees the same
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(answer), failing{err}))
		return resp, nil
	}
	t.c.check(message{
		method: r.Method, url: r.URL, header: r.Header, body: unzip(r.Header, body),
		status: resp.StatusCode, answerHeader: resp.Header, answer: unzip(resp.Header, answer),
	}, true)
	return resp, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// unzip undoes the compression of a body; what cannot be undone stays.
func unzip(h http.Header, body []byte) []byte {
	if h.Get("Content-Encoding") != "gzip" {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	out, err := io.ReadAll(z)
	if err != nil {
		return body
	}
	return out
}
