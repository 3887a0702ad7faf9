package connect

import (
	"context"
	"crypto/hmac"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bindery/shared/directory"
)

// The way of a browser through an authorisation, which no other can take in its
// stead:
//
//	GET /oauth/start?state=…      shows who asks; cookie "seen", bound to state and browser
//	GET /oauth/start?state=…&go=… the page's own link, which nobody else can make, since it
//	                              is bound to the cookie; cookie "went"; on to Microsoft
//	GET /oauth/callback?state=…   demands "went"
//
// So whoever arrives at the callback has been shown, and has left by hand, the
// page that says who asked for the authorisation: to send somebody straight to
// Microsoft's page, or through ours without a stop, leads nowhere. Nothing is
// stored for it; all of it is derived from the key of the states.
const (
	phaseSeen = "seen"
	phaseLeft = "went"

	cookiePrefix = "__Host-bindery-" // of this host alone, over TLS (or on the machine itself), for all paths
	// cookieSpare is how much longer than its state a cookie lives, so that who
	// comes late is told that, and not that he is in the wrong browser.
	cookieSpare = time.Hour
)

// cookieName lets several authorisations go on at once in one browser.
func cookieName(state string) string { return cookiePrefix + hashState(state)[:16] }

// visitor is a browser as one of our cookies shows it.
type visitor struct {
	id    string // random; "" for a browser without a cookie of ours
	phase string
}

// visitorOf reads a browser's cookie for a state. Cookies that we did not make
// count for nothing.
func visitorOf(key directory.Secret, state string, cookies []*http.Cookie) visitor {
	for _, c := range cookies {
		id, mac, ok := strings.Cut(c.Value, ".")
		if c.Name != cookieName(state) || !ok {
			continue
		}
		for _, phase := range []string{phaseLeft, phaseSeen} {
			if hmac.Equal([]byte(mac), []byte(visitorMAC(key, phase, state, id))) {
				return visitor{id, phase}
			}
		}
	}
	return visitor{}
}

func visitorMAC(key directory.Secret, what, state, id string) string {
	return derive(key, "browser "+what, state+"||"+id)
}

// cookie is the cookie of a browser, for as long as its state is of use.
func (v visitor) cookie(key directory.Secret, state string, until time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(state), Value: v.id + "." + visitorMAC(key, v.phase, state, v.id),
		Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int((until + cookieSpare).Seconds()),
	}
}

// noCookie takes a browser's cookie away.
func noCookie(state string) *http.Cookie {
	return &http.Cookie{Name: cookieName(state), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1}
}

// Start is the page that an authorisation begins with, and the way from there to
// Microsoft. It uses nothing up and writes nothing: a preview of the link does no
// harm.
func (s *Service) Start(ctx context.Context, q url.Values, cookies []*http.Cookie) Page {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	id, page := s.start(ctx, q, cookies)
	s.cfg.Log.Info("authorisation begun", "connectionId", string(id), "outcome", page.Code, "status", page.Status)
	return page
}

func (s *Service) start(ctx context.Context, q url.Values, cookies []*http.Cookie) (directory.ConnectionID, Page) {
	if len(q["state"]) > 1 || len(q["go"]) > 1 {
		return "", pageAmbiguous
	}
	state := q.Get("state")
	if state == "" {
		return "", pageNoState
	}
	st, refused := s.validState(ctx, state)
	if refused != nil {
		return st.ConnectionID, *refused
	}
	c, err := s.stores.Connections.Connection(ctx, st.ConnectionID)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return st.ConnectionID, pageDeleted
	case err != nil:
		return st.ConnectionID, *s.ourFault(ctx, pageBusy, "a connection could not be read", st.ConnectionID, err)
	case c.Epoch != st.Epoch:
		return c.ID, pageOutdated
	}
	key, err := s.stateKey(ctx)
	if err != nil {
		return c.ID, *s.tokensFailed(ctx, c.ID, err)
	}
	v := visitorOf(key, state, cookies)
	left := st.Expires.Sub(s.now())
	if q.Has("go") {
		if v.id == "" || !hmac.Equal([]byte(q.Get("go")), []byte(visitorMAC(key, "go", state, v.id))) {
			return c.ID, pageWrongBrowser
		}
		v.phase = phaseLeft
		return c.ID, Page{Status: http.StatusSeeOther, Code: directory.CodeToMicrosoft, Title: "On to Microsoft",
			Location: s.microsoftURL(key, state, &st), Cookie: v.cookie(key, state, left)}
	}
	if v.id == "" {
		v = visitor{randomText(), phaseSeen}
	}
	page := s.pageStart(&c, &st)
	page.Link = &Link{"Go on to Microsoft", s.startPageURL() + "?" + url.Values{"state": {state}, "go": {visitorMAC(key, "go", state, v.id)}}.Encode()}
	page.Cookie = v.cookie(key, state, left)
	return c.ID, page
}

// validState reads a state that is still good, and uses nothing up.
func (s *Service) validState(ctx context.Context, state string) (directory.OAuthState, *Page) {
	st, err := s.peekState(ctx, state)
	if err == nil || errors.Is(err, errExpired) {
		key, keyErr := s.stateKey(ctx)
		if keyErr != nil {
			return st, s.tokensFailed(ctx, st.ConnectionID, keyErr)
		}
		if !hmac.Equal([]byte(st.Seal), []byte(sealState(key, state, st))) {
			s.cfg.Log.Error("a state that Bindery did not write, or that was changed since, is refused", "connectionId", string(st.ConnectionID))
			return directory.OAuthState{}, &pageUnknownState
		}
	}
	switch {
	case err == nil:
		return st, nil
	case errors.Is(err, directory.ErrNotFound):
		return st, &pageUnknownState
	case errors.Is(err, errExpired):
		return st, &pageExpiredState
	}
	return st, s.ourFault(ctx, pageBusy, "a state could not be read", st.ConnectionID, err)
}
