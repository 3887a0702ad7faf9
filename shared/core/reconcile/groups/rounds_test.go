package groups_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"bindery/shared/core/reconcile/groups"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// quiet is a world with an exported group whose changes are read.
func quiet(t *testing.T, n int, edit ...func(*groups.Export)) (*world, directory.GroupID, []directory.User) {
	w, sales, users := exported(t, n, edit...)
	w.round()
	w.round()
	return w, sales, users
}

// TestOddChanges: whatever Microsoft's changes of groups tell, that a member is gone who
// is there, that one is there who is gone, everything twice or in slices, nothing is
// written that a direct read does not show; and what was changed is found.
func TestOddChanges(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"delta-false-removal", "delta-former-member", "delta-slice", "delta-duplicate", "delta-replay", "delta-split", "delta-shuffle", "delta-empty-page", "delta-gone", "delta-state-not-found"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w, sales, users := quiet(t, 4)
			before := len(w.sim.Mutations(simTenant))
			w.fault(entratest.Fault{Kind: kind, Path: `^/groups/delta`, Times: 3, Size: 1})
			w.round()
			w.round()
			if n := len(w.sim.Mutations(simTenant)) - before; n != 0 {
				t.Fatalf("%d writes although nobody changed anything", n)
			}
			w.byHand(sales, users[0].Email, false)
			w.byHand(sales, users[1].Email, false)
			w.round()
			w.round()
			w.wantMembers(sales, "user000", "user001", "user002", "user003")
			if n := len(w.sim.Mutations(simTenant)) - before; n != 4 {
				t.Errorf("%d writes, want two by hand and two of ours", n)
			}
		})
	}
}

// TestStrangerIsSeen: who is added to an exact group is removed once the changes tell of
// it, without anything of ours being edited.
func TestStrangerIsSeen(t *testing.T) {
	t.Parallel()
	w, sales, _ := quiet(t, 2, func(e *groups.Export) { e.Exact = true })
	stranger, err := w.sim.AddAccount(simTenant, map[string]any{"userPrincipalName": "stranger@" + simDomain, "displayName": "Stranger"})
	w.must(err)
	w.byHand(sales, stranger, true)
	w.round()
	w.round()
	w.wantMembers(sales, "user000", "user001")
}

// TestRenamedThere: the name of a group that somebody at Microsoft changes is set back.
func TestRenamedThere(t *testing.T) {
	t.Parallel()
	w, sales, _ := quiet(t, 1)
	id := string(w.record(directory.GroupRef(sales)).AccountID)
	w.must(w.sim.EditGroup(simTenant, "", id, map[string]any{"displayName": "Theirs"}))
	w.round()
	w.wantGroup(id, "Sales", "")
}

// TestIdleRounds: reading that nothing has changed takes few requests, however many
// groups are exported.
func TestIdleRounds(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, groups.MostStreamed + 5} {
		w, users := bound(t, 2)
		for range n {
			g := w.export("Group")
			w.add(g, users...)
		}
		w.sync()
		w.round()
		w.round()
		w.sim.ResetRequests()
		w.round()
		if got := len(w.sim.Requests()); got > 4 {
			t.Errorf("an idle round of %d groups took %d requests", n, got)
		}
	}
}

// TestLostChanges: what no change told of is found by the comparison of each full round.
func TestLostChanges(t *testing.T) {
	t.Parallel()
	w, sales, users := quiet(t, 3)
	w.byHand(sales, users[0].Email, false)
	w.rt = silent{w.rt}
	w.round()
	w.wantMembers(sales, "user001", "user002")
	_, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{Full: true})
	w.must(err)
	w.sync()
	w.wantMembers(sales, "user000", "user001", "user002")
}

// silent is a tenant whose changes of groups tell nothing.
type silent struct{ rt http.RoundTripper }

var changesOf = regexp.MustCompile(`"value":\[.*\]`)

func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.rt.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/groups/delta") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	body = changesOf.ReplaceAll(body, []byte(`"value":[]`))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, err
}
