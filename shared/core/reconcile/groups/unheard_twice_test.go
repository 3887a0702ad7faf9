package groups_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// adding reports whether a request, or one of its batch, adds a member, and keeps its body.
func (w *world) adding(r *http.Request) bool {
	w.Helper()
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		w.must(err)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	text := string(body) + r.URL.Path
	return r.Method != http.MethodGet && !strings.Contains(text, `"DELETE"`) &&
		(strings.Contains(text, "members@odata.bind") || strings.Contains(text, "/members/$ref"))
}

// forbidden answers a request, or the only one of its batch, with 403.
func (w *world) forbidden(r *http.Request) *http.Response {
	w.Helper()
	status, text := http.StatusForbidden, `{"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges to complete the operation."}}`
	if strings.HasSuffix(r.URL.Path, "$batch") {
		var asked struct{ Requests []struct{ ID string } }
		w.must(json.NewDecoder(r.Body).Decode(&asked))
		status, text = http.StatusOK, `{"responses": [{"id": "`+asked.Requests[0].ID+`", "status": 403, "headers": {"Content-Type": "application/json"}, "body": `+text+`}]}`
	}
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text))}
}

// until runs slices until something has happened.
func (w *world) until(done *bool) {
	w.Helper()
	for range 20 {
		_, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		if *done {
			return
		}
		w.must(err)
		w.wait(time.Second)
	}
	w.Fatal("it has not happened")
}

// TestRefusedAfterUnheard: that an addition is refused says nothing of an earlier sending
// of which nobody heard: what that has given is taken back in the end.
func TestRefusedAfterUnheard(t *testing.T) {
	t.Parallel()
	for _, another := range []bool{false, true} {
		w, users := bound(t, 1)
		sales := w.export("Sales")
		w.sync()
		w.calm()
		rt, lost, refused := w.rt, false, false
		w.rt = roundTripper(func(r *http.Request) (*http.Response, error) {
			switch {
			case !w.adding(r) || refused:
				return rt.RoundTrip(r)
			case lost:
				refused = true
				return w.forbidden(r), nil
			}
			lost = true
			if _, err := rt.RoundTrip(r); err != nil {
				return nil, err
			}
			return nil, context.DeadlineExceeded
		})
		ref := w.add(sales, users...)[0]
		w.until(&lost)
		if another {
			w.renew()
			w.wait(time.Minute)
		}
		w.until(&refused)
		w.calm()
		w.wait(time.Hour)
		w.sync()
		w.wantMembers(sales, "user000")
		if b := w.record(ref); b.Status != directory.BindingInSync || !b.Created {
			t.Errorf("another worker %v: the record is %s, ours %v: %+v", another, b.Status, b.Created, b.Problem)
		}
		w.release(directory.ReleaseRemove, ref)
		w.sync()
		w.wantMembers(sales)
	}
}

// TestAlreadyAfterUnheard: a membership that is there already when it is given may be
// there by an earlier sending of which nobody heard, and is ours.
func TestAlreadyAfterUnheard(t *testing.T) {
	t.Parallel()
	w, users := bound(t, 1)
	sales := w.export("Sales")
	w.sync()
	w.calm()
	rt, lost, late := w.rt, false, false
	w.rt = roundTripper(func(r *http.Request) (*http.Response, error) {
		switch {
		case !w.adding(r) || late:
			return rt.RoundTrip(r)
		case lost:
			late = true
			w.byHand(sales, users[0].Email, true) // the first sending takes effect only now
			return rt.RoundTrip(r)
		}
		lost = true
		return nil, context.DeadlineExceeded
	})
	ref := w.add(sales, users...)[0]
	w.until(&lost)
	run, _ := w.lastRun()
	if !run.State.Ended() {
		_, err := w.runs().Cancel(w.Context(), directory.Caller{Subject: "boss"}, run.ID)
		w.must(err)
	}
	w.renew()
	w.wait(time.Minute)
	w.mark(ref)
	w.until(&late)
	w.sync()
	if b := w.record(ref); b.Status != directory.BindingInSync || !b.Created {
		t.Errorf("the record is %s, ours %v: %+v", b.Status, b.Created, b.Problem)
	}
}
