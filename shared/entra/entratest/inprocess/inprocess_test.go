package inprocess

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestTransport(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Host", r.Host)
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "yes")
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+string(body))
	}))}
	resp, err := client.Post("https://m365.example/a?b=c", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "POST /a?b=c hello" || resp.StatusCode != http.StatusTeapot {
		t.Errorf("the answer is %d %q, %v", resp.StatusCode, body, err)
	}
	if resp.Header.Get("X-Host") != "m365.example" || resp.Header.Get("X-Late") != "" {
		t.Errorf("headers = %v", resp.Header)
	}
}

func TestTransportEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	try := func(h http.HandlerFunc) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://m365.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := Transport(h).RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := try(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }); !errors.Is(err, ErrDropped) {
		t.Errorf("a connection that is cut off = %v, want %v", err, ErrDropped)
	}
	if err := try(func(http.ResponseWriter, *http.Request) { cancel(gone) }); !errors.Is(err, gone) {
		t.Errorf("a client that goes away = %v, want %v", err, gone)
	}
	if err := try(func(http.ResponseWriter, *http.Request) { t.Error("the handler runs for nobody") }); !errors.Is(err, gone) {
		t.Errorf("a request of a client that went away = %v, want %v", err, gone)
	}
}
