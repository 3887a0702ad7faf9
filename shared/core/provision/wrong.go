package provision

import (
	"context"
	"errors"
	"sync"

	"bindery/shared/directory"
)

// mostWrong is for how many clients a process notes in one minute that somebody came
// without a token. Strangers write nothing else, whatever they send.
const mostWrong = MaxClients

// wrongTokens are the clients of which this process has noted it in this minute.
type wrongTokens struct {
	mu     sync.Mutex
	minute int64
	of     map[directory.ScimClientID]bool
}

// due reports whether a client is to be noted in a minute: it is not yet, and not too many
// others are. first says so once.
func (w *wrongTokens) due(id directory.ScimClientID, minute int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open(id, minute)
}

func (w *wrongTokens) first(id directory.ScimClientID, minute int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open(id, minute) {
		return false
	}
	w.of[id] = true
	return true
}

func (w *wrongTokens) open(id directory.ScimClientID, minute int64) bool {
	if w.of == nil || w.minute != minute {
		w.minute, w.of = minute, map[directory.ScimClientID]bool{}
	}
	return !w.of[id] && len(w.of) < mostWrong
}

// WrongToken notes that somebody came to a client's address without a token that opens it:
// an admin who has mistyped one sees no other trace. A process writes it once a minute for
// a client that is there, and for mostWrong clients at most: those that strangers make up are
// not counted, so that they hide none.
func (s *Clients) WrongToken(ctx context.Context, id directory.ScimClientID) {
	minute := s.now().Unix() / 60
	if !s.wrong.due(id, minute) {
		return
	}
	_, err := s.records.ScimClient(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return
	}
	if err == nil && s.wrong.first(id, minute) {
		err = s.records.NoteWrongToken(ctx, id)
	}
	if err != nil {
		s.log.Warn("a wrong token was not noted", "scimClientId", id, "error", err)
	}
}
