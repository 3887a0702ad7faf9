package scim

import (
	"testing"
	"time"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// Whom a client suspends and deletes is counted, once each, and nothing else is.
func TestEndsAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	ann, ben := w.make("ann@x.example"), w.make("ben@x.example")
	w.want(201, "POST", "/Users", `{"userName":"cy@x.example","active":false}`) // was never active
	off := patchOf(`{"op":"replace","path":"active","value":false}`)
	w.want(200, "PATCH", "/Users/"+ann, off)
	w.want(200, "PATCH", "/Users/"+ann, off) // is it already
	w.want(200, "PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"title","value":"CTO"}`))
	w.want(204, "DELETE", "/Users/"+ben, nil)
	w.want(404, "DELETE", "/Users/"+ben, nil)
	for range 4 {
		w.want(200, "PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"active","value":true}`))
		w.want(200, "PATCH", "/Users/"+ann, off)
	}
	tally, err := w.Store.ScimClients.ScimTally(t.Context(), w.client.ID)
	w.Must(err)
	if tally.Suspended != 1 || tally.Deleted != 1 {
		t.Errorf("%+v", tally)
	}
}

// That somebody came without a valid token is noted, to the minute, of clients that are
// there; however often they come it is written once.
func TestWrongTokensAreNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	at := func() time.Time {
		c, err := w.clients.Get(t.Context(), w.client.ID)
		w.Must(err)
		return c.WrongToken
	}
	w.want(200, "GET", "/Users", nil)
	if !at().IsZero() {
		t.Error("a good token was noted")
	}
	w.token = "bsc_mistyped"
	for range wrongPerMinute + 5 {
		w.send("GET", "/Users", nil)
	}
	first := at()
	if want := w.Now().Truncate(time.Minute); !first.Equal(want) {
		t.Errorf("%v, want %v", first, want)
	}
	w.Advance(time.Hour)
	w.send("GET", "/Users", nil)
	if !at().After(first) {
		t.Error("an hour later it is not noted again")
	}
	there := w.client
	for range 3 {
		w.client.ID = directory.NewScimClientID(w.Now())
		w.want(401, "GET", "/Users", nil)
		if _, err := w.clients.Get(t.Context(), w.client.ID); err == nil {
			t.Error("a stranger has made a client")
		}
	}
	w.client = there
}

// However many clients strangers make up, a wrong token of one that is there is noted.
func TestMadeUpClientsHideNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	there := w.client
	for range wrongPerMinute - 1 {
		for range 3 { // from other addresses
			w.handler.Clients.WrongToken(t.Context(), directory.NewScimClientID(w.Now()))
		}
		w.client.ID = directory.NewScimClientID(w.Now())
		w.want(401, "GET", "/Users", nil)
	}
	w.client, w.token = there, "bsc_mistyped"
	w.want(401, "GET", "/Users", nil)
	c, err := w.clients.Get(t.Context(), there.ID)
	if w.Must(err); c.WrongToken.IsZero() {
		t.Error("it is not noted")
	}
}
