package scim

import (
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// A token without the word Bearer, or with it twice, is taken of a client that is not strict.
// Whatever is refused is answered alike.
func TestTokenAsAdminsEnterIt(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: &strict})
		refused := w.want(401, "GET", "/Users", nil, "Authorization", "Bearer x").Body.String()
		if strict { // no use of the token is noted of what is refused for its form alone
			for _, header := range []string{w.token, "Bearer Bearer " + w.token} {
				w.want(401, "GET", "/Users", nil, "Authorization", header)
			}
			list, err := w.clients.Tokens(w.Context(), w.client.ID)
			if w.Must(err); len(list) != 1 || !list[0].LastUsed.IsZero() {
				t.Errorf("%+v", list)
			}
		}
		for header, note := range map[string]string{
			"Bearer " + w.token: "", "bearer  " + w.token + " ": "",
			w.token: "without the word Bearer", " " + w.token: "without the word Bearer", "Bearer Bearer " + w.token: "more than once", "Bearer bearer BEARER " + w.token: "more than once",
		} {
			if strict && note != "" {
				if r := w.want(401, "GET", "/Users", nil, "Authorization", header); r.Body.String() != refused || r.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%s", r.Body)
				}
				continue
			}
			w.want(200, "GET", "/Users", nil, "Authorization", header)
			if notes := w.lastRequest().Notes; (len(notes) > 0) != (note != "") || note != "" && !strings.Contains(notes[0], note) || slices.ContainsFunc(notes, func(s string) bool { return strings.Contains(s, "bsc_") }) {
				t.Errorf("%q: %q", note, notes)
			}
		}
		for _, header := range []string{"", "Bearer", "Bearer Bearer", "Basic " + w.token, "Token " + w.token, w.token + " " + w.token, "Bearer " + w.token[:len(w.token)-1], w.token[1:], "Bearer" + w.token} {
			if r := w.want(401, "GET", "/Users", nil, "Authorization", header); r.Body.String() != refused {
				t.Errorf("%s", r.Body)
			}
		}
	}
}
