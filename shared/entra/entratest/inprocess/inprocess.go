// Package inprocess carries HTTP requests from a client to a handler without a socket
// and without a goroutine, so that both work in a testing/synctest bubble. A handler
// that panics with [http.ErrAbortHandler] cuts the connection off.
package inprocess

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
)

// ErrDropped is what a Transport returns for a connection that a fault cut off.
var ErrDropped = errors.New("connection reset by the simulated server")

// Transport returns a RoundTripper that calls a handler in the goroutine of its
// caller.
func Transport(handler http.Handler) http.RoundTripper { return transport{handler} }

type transport struct{ handler http.Handler }

// RoundTrip runs the handler in the caller's goroutine, on a copy of the body.
func (t transport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	ctx := r.Context()
	in, err := incoming(r)
	if err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			resp, err = nil, cmp.Or(context.Cause(ctx), ErrDropped)
		default:
			panic(p)
		}
	}()
	rec := &recorder{header: http.Header{}}
	t.handler.ServeHTTP(rec, in)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return rec.response(r), nil
}

// incoming is a client's request as a server sees it.
func incoming(r *http.Request) (*http.Request, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	in := r.Clone(r.Context())
	in.Header = maps.Clone(r.Header)
	if in.Header == nil {
		in.Header = http.Header{}
	}
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.ContentLength = int64(len(body))
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	return in, nil
}

// recorder keeps what a handler answers.
type recorder struct {
	header http.Header
	sent   http.Header // the header as it was when the status was written
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.sent = w.header.Clone()
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// response is the recorded answer to a request.
func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Request: r,
		Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()),
	}
}
