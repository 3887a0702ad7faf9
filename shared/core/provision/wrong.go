package provision

import (
	"context"
	"sync"

	"bindery/shared/directory"
)

// mostWrong is for how many clients a process notes in one minute that somebody came
// without a token. Strangers write nothing else, whatever they send.
const mostWrong = 20

// wrongTokens are the clients of which this process has noted it in this minute.
type wrongTokens struct {
	mu     sync.Mutex
	minute int64
	of     map[directory.ScimClientID]bool
}

// first reports whether a client is to be noted in a minute: it is not yet, and not too
// many others are.
func (w *wrongTokens) first(id directory.ScimClientID, minute int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil || w.minute != minute {
		w.minute, w.of = minute, map[directory.ScimClientID]bool{}
	}
	if w.of[id] || len(w.of) >= mostWrong {
		return false
	}
	w.of[id] = true
	return true
}

// WrongToken notes that somebody came to a client's address without a token that opens it:
// an admin who has mistyped one sees no other trace. A process writes it once a minute for
// a client, and for mostWrong clients at most.
func (s *Clients) WrongToken(ctx context.Context, id directory.ScimClientID) {
	if !s.wrong.first(id, s.now().Unix()/60) {
		return
	}
	if err := s.records.NoteWrongToken(ctx, id); err != nil {
		s.log.Warn("a wrong token was not noted", "scimClientId", id, "error", err)
	}
}
