package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// A mark says how many things wait for a decision. It stands in the frame of every page.
type mark struct {
	decide int
	more   bool // there are connections that were not looked at
	at     time.Time
}

// marks are what sessions were last told, by the names of their rows: for markFor, the
// pages of one session do not ask again. Asked with urgency=decide, /v1 reads the table
// twice for each connection, so that with 100 connections a page would cost 200 reads for
// a number that seldom changes. Each process remembers by itself, and what one remembers
// another does not know: the number may be older than what its admin did elsewhere, by
// markFor at most, and one who decides here sees it anew. Home asks each time.
type marks struct {
	mu   sync.Mutex
	list map[string]mark
	acts int // how many acts had sessions forget what they were told
}

const (
	// markFor is how long a mark is shown before it is asked for again.
	markFor = 30 * time.Second
	// markWait is how long a page that is made already waits for its mark.
	markWait = 200 * time.Millisecond
	// mostMarks is how many sessions' marks a process keeps.
	mostMarks = 1000
)

func (m *marks) of(session string, now time.Time) (mark, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one, known := m.list[session]
	return one, known && now.Sub(one.at) < markFor
}

// asking is to be handed to keep with the answer of what is asked from here on.
func (m *marks) asking() (acts int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acts
}

// keep keeps what a session was told, unless somebody has acted since it was asked for: then
// it may be from before the act, and whoever needs it asks again.
func (m *marks) keep(session string, one mark, acts int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if acts != m.acts {
		return
	}
	if m.list == nil || len(m.list) >= mostMarks {
		m.list = map[string]mark{} // whoever loses theirs asks again
	}
	m.list[session] = one
}

// drop forgets what a session was told: it has acted.
func (m *marks) drop(session string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acts++
	delete(m.list, session)
}

// row is the name of the session's row.
func (s *session) row() string {
	name, _, _ := rowOf(s.secret) // the name is there whatever comes of the rest
	return name
}

// askMark asks what needs somebody, beside what the page asks. The script, when it looks
// again, takes over no frame.
func (v *visit) askMark() {
	switch {
	case v.s == nil || v.route.scope == "" || v.r.Method == http.MethodPost:
		return
	case v.r.Header.Get("If-None-Match") != "":
		return
	}
	row := v.s.row()
	v.mark = make(chan mark, 1)
	if known, ok := v.c.marks.of(row, v.now()); ok {
		v.mark <- known
		return
	}
	if v.route.full {
		v.mark = nil
		return
	}
	acts := v.c.marks.asking()
	go func() {
		var needs attention
		if _, err := v.send(v.ctx, http.MethodGet, "/v1/attention?urgency=decide", nil, &needs); err != nil {
			close(v.mark) // the page stands without it, and whoever looks at home is told
			return
		}
		one := needs.mark(v.now())
		v.c.marks.keep(row, one, acts)
		v.mark <- one
	}()
}

func (a *attention) mark(now time.Time) mark {
	return mark{decide: a.Counts[urgencyDecide], more: a.Next != "", at: now}
}

// needsYou is the mark in the frame: nothing, unless something waits. A page does not
// wait for it longer than markWait.
func (v *visit) needsYou() g.Node {
	if v.mark == nil {
		return nil
	}
	late := time.NewTimer(v.c.patience.mark)
	defer late.Stop()
	var one mark
	select {
	case one = <-v.mark:
	case <-late.C:
	}
	if one.decide == 0 {
		return nil
	}
	told := countNeedYou
	if one.more {
		told = countMoreNeedYou
	}
	return link("/console", h.Class("needs"), v.count(told, one.decide))
}

// again answers with a page that looks again by itself: without it, when the browser has
// it as it is. Its ETag is that of the page to the letter, unless it has one that costs
// less to compare.
func (v *visit) again(tag string, page g.Node) {
	var body bytes.Buffer
	if err := page.Render(&body); err != nil {
		v.c.cfg.Log.ErrorContext(v.ctx, "console: a page cannot be written", "error", err)
	}
	if tag == "" {
		sum := sha256.Sum256(body.Bytes())
		tag = `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
	}
	v.w.Header().Set("ETag", tag)
	if v.r.Header.Get("If-None-Match") == tag {
		unchanged{tag}.write(v)
		return
	}
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(body.Bytes()) // the client is gone
	}
}

// unchanged says that the browser has the page as it is.
type unchanged struct{ tag string }

func (a unchanged) write(v *visit) {
	v.w.Header().Del("Content-Type")
	v.w.Header().Set("ETag", a.tag)
	v.w.WriteHeader(http.StatusNotModified)
}

// A page of which one answer of /v1 says all that may change has that answer's ETag, with
// what else the page depends on behind it: who looks, in which language, and by which
// version. So looking again costs one call without a body.

// pageTag is the ETag of such a page.
func (v *visit) pageTag(of string) string {
	of, strong := strings.CutSuffix(of, `"`)
	if !strong {
		return ""
	}
	return of + "." + v.pageKey() + `"`
}

// seenTag is the ETag of /v1 in that of the page that the browser has; "" when it is not of
// this page.
func (v *visit) seenTag() string {
	of, ours := strings.CutSuffix(v.r.Header.Get("If-None-Match"), "."+v.pageKey()+`"`)
	if !ours || len(of) > longestParameter || clean(of) != of {
		return ""
	}
	return of + `"`
}

func (v *visit) pageKey() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{v.lang.String(), v.s.row(), strings.Join(v.s.Scopes, " "), assetPath("style.css"), assetPath("enhance.js"), v.address()}, "\n")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// seen reads what the page is about, unless the browser has the page with it as it is.
func (v *visit) seen(path string, out any) (tag string, same bool, err error) {
	var headers []string
	if of := v.seenTag(); of != "" {
		headers = []string{"If-None-Match", of}
	}
	header, err := v.call(v.ctx, http.MethodGet, path, nil, out, headers...)
	if errors.Is(err, errUnchanged) {
		return "", true, nil
	}
	return header.Get("ETag"), false, err
}
