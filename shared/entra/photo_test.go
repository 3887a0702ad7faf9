package entra

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

func portrait(side int) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestPhoto(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for id, data := range map[string][]byte{plainID: portrait(648), boxID: portrait(96), memberID: []byte("<svg/>")} {
		if err := w.sim.SetPhoto(simTenant, id, data); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		id   string
		side int // of the file; 0: it is no picture
		none bool
	}{{plainID, 240, false}, {boxID, 96, false}, {memberID, 0, false}, {ownerID, 0, true}} {
		id := directory.AccountID(row.id)
		etag, err := w.tenant.PhotoETag(t.Context(), id)
		if err != nil || (etag == "") != row.none {
			t.Errorf("PhotoETag = %q, %v", etag, err)
		}
		data, err := w.tenant.PhotoFile(t.Context(), id)
		if err != nil || (data == nil) != row.none {
			t.Errorf("PhotoFile = %d bytes, %v", len(data), err)
		}
		if cfg, _, err := image.DecodeConfig(bytes.NewReader(data)); cfg.Width != row.side || (err == nil) != (row.side > 0) {
			t.Errorf("the file is %d wide, %v, want %d", cfg.Width, err, row.side)
		}
	}
	before, err := w.tenant.PhotoETag(t.Context(), plainID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SetPhoto(simTenant, plainID, portrait(300)); err != nil {
		t.Fatal(err)
	}
	if after, err := w.tenant.PhotoETag(t.Context(), plainID); err != nil || after == before {
		t.Errorf("the etag of another photo = %q, %v", after, err)
	}
	_, err = w.tenant.PhotoETag(t.Context(), nobodyID)
	if p, ok := errors.AsType[*directory.Problem](err); !ok || p.Code != directory.CodeAccountNotFound {
		t.Errorf("PhotoETag of nobody = %v, want %s", err, directory.CodeAccountNotFound)
	}
	if _, err := w.tenant.PhotoETag(t.Context(), "../me"); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("PhotoETag of a path = %v", err)
	}
}

func TestPhotoFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	graph, err := New(Config{BaseURL: simBase + "/v1.0", Transport: &detour{w, w.sim.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	tenant := graph.Tenant(w.tokens)
	var resp func() *http.Response
	w.round = func(*http.Request) (*http.Response, error) { return resp(), nil }
	body := func(status int, text string, h ...string) func() *http.Response {
		return func() *http.Response { return answer(status, text, h...) }
	}
	for name, row := range map[string]struct {
		resp func() *http.Response
		want error
	}{
		"4 MB and a byte":     {body(200, strings.Repeat("x", maxPhoto+1), "Content-Type", "image/jpeg"), directory.ErrTooLarge},
		"64 MB":               {body(200, strings.Repeat("x", 64<<20), "Content-Type", "image/jpeg"), directory.ErrTooLarge},
		"nothing":             {body(200, ""), directory.ErrUnavailable},
		"a gateway's 404":     {body(404, "<html>"), directory.ErrUnavailable},
		"a 404 without words": {body(404, ""), directory.ErrUnavailable},
		"503":                 {body(503, ""), directory.ErrUnavailable},
	} {
		resp = row.resp
		if data, err := tenant.PhotoFile(t.Context(), plainID); !errors.Is(err, row.want) {
			t.Errorf("%s: PhotoFile = %d bytes, %v, want %v", name, len(data), err, row.want)
		}
	}
	for _, code := range []string{"ImageNotFound", "ErrorItemNotFound", "MailboxNotEnabledForRESTAPI"} {
		resp = body(404, `{"error":{"code":"`+code+`","message":"x"}}`)
		if etag, err := tenant.PhotoETag(t.Context(), plainID); err != nil || etag != "" {
			t.Errorf("%s: PhotoETag = %q, %v, want none", code, etag, err)
		}
	}
}

// Photos have a bucket of their own: when it is empty, accounts are still read.
func TestPhotoThrottledApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.fault(entratest.Fault{Kind: "throttle", Path: "photo", RetryAfter: "9"})
	_, err := w.tenant.PhotoETag(t.Context(), plainID)
	if th, ok := errors.AsType[*directory.ThrottledError](err); !ok || th.RetryAfter != 9*time.Second {
		t.Errorf("PhotoETag = %v, want a wait of 9 s", err)
	}
	if _, err := w.tenant.List(t.Context(), nil, ""); err != nil {
		t.Errorf("List = %v", err)
	}
}
