package console

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"bindery/shared/directory"
)

// pictures is where TestBrowserNarrow leaves pictures of the narrow pages, to be looked at.
const pictures = "../../../.build/screens/narrow"

// narrowest is how wide a window is that has no need to scroll sideways (WCAG 2.2, 1.4.10).
const narrowest = 320

// TestBrowserNarrow shows each page in each state, in every language, in the narrowest window:
// nothing is wider than it.
func TestBrowserNarrow(t *testing.T) {
	path := os.Getenv("BINDERY_BROWSER")
	if path == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	bodies := map[string]string{}
	for name, p := range goldenPages() {
		for _, lang := range tags {
			bodies["/"+lang+"/"+name] = p.world(t).send(http.MethodGet, p.path, nil, "Accept-Language", lang).body
		}
	}
	for name, f := range refusedForms() {
		for _, lang := range tags {
			bodies["/"+lang+"/"+name] = f.page(t, lang).body
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/assets/{hash}/{name}", serveAsset)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(bodies[r.URL.Path])) // the browser is gone
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)

	ctx := browser(t, path)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(narrowest, 640)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, at := range slices.Sorted(maps.Keys(bodies)) {
		if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+at)); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		wide, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](widest))
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if len(wide) == 0 {
			continue
		}
		t.Errorf("%s: in a window of %d pixels there is something to scroll to sideways: %q", at, narrowest, wide)
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if err := os.WriteFile(filepath.Join(pictures, fmt.Sprintf("%s-%s.png", filepath.Base(at), at[1:3])), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// browser is one that a test has for itself.
func browser(t *testing.T, path string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// widest names the elements that make a page wider than its window.
const widest = `(() => {
  const room = document.documentElement.clientWidth
  if (document.documentElement.scrollWidth <= room) return []
  return [...document.querySelectorAll('body *')].filter(e => !e.closest('thead') && e.getBoundingClientRect().right > room + .5)
    .map(e => e.outerHTML.slice(0, 120) + ' … to ' + Math.round(e.getBoundingClientRect().right)).slice(0, 6)
})()`

// TestBrowserStays shows a page that looks again: what an act told stays on it, and the way to
// its content neither fetches it anew nor takes what was typed.
func TestBrowserStays(t *testing.T) {
	path := os.Getenv("BINDERY_BROWSER")
	if path == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	w := runWorld(t, directory.RunApplying)
	w.tell(map[string]any{"POST /v1/runs/run_1/cancel": aRun(w.now, directory.RunApplying)})
	to := w.post("/console/runs/run_1/cancel").to
	first := w.get(to).body
	run := aRun(w.now, directory.RunApplying)
	run.Applied = 11 // something has changed, so that the page is taken over
	w.tell(map[string]any{"GET /v1/runs/run_1": run})
	again := w.send(http.MethodGet, to, nil, lookHeader, "1").body
	var fetched atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/assets/{hash}/{name}", serveAsset)
	mux.HandleFunc(to, func(rw http.ResponseWriter, r *http.Request) {
		body := again
		if r.Header.Get(lookHeader) == "" {
			fetched.Add(1)
			body = first
		}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(rw, body)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	ctx := browser(t, path)
	if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+to), chromedp.WaitVisible(".flash")); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.querySelector('#main progress').value === 12`)); err != nil {
		t.Fatal(err)
	}
	told, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector('.flash')?.textContent || ''`))
	if err != nil || told == "" {
		t.Errorf("after the page has looked again the message is %q, %v", told, err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.querySelector('.find input').value = 'typed', document.querySelector('a.skip').focus(), true`)); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`location.hash === '#main' && document.readyState === 'complete'`)); err != nil {
		t.Fatal(err)
	}
	left, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector('.find input').value + ' ' + document.activeElement.id`))
	if err != nil || left != "typed main" || fetched.Load() != 1 {
		t.Errorf("the field and the focus are %q, %v, and the page was fetched %d times", left, err, fetched.Load())
	}
}
