package signer

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
)

// Opener is what Sessions uses of a Signer.
type Opener interface {
	Sign(ctx context.Context, message []byte) (mac []byte, key string, err error)
}

// Sessions seals records when they are written: many, at no cost, where a call
// of KMS for each would be too slow and too dear. A process opens a session
// once: it draws a nonce and has the Signer seal "bindery session 1" and the
// nonce. What comes back is the session's key, which never leaves the process;
// each record then has an HMAC by it, and the nonce beside. Whoever checks asks
// the Signer for the same seal of the same nonce, once a session.
//
// The nonce is no secret: without the Signer's key nobody finds the session's.
// No other message that the Signer is given begins as a session's does (links
// are JSON), so that no seal that is stored anywhere is a session's key.
type Sessions struct {
	signer Opener

	mu    sync.Mutex
	own   string            // the nonce of this process's session
	keys  map[string][]byte // of sessions, by nonce
	calls int
}

const (
	sessionMessage = "bindery session 1\n"
	sessionForm    = "1." // what begins every seal
	// macBytes is how much of an HMAC-SHA-256 a seal keeps: 128 bits.
	macBytes = 16
	// mostKeys bounds what is remembered of the sessions of others.
	mostKeys = 4096
)

// NewSessions returns sessions whose keys a Signer makes.
func NewSessions(s Opener) *Sessions { return &Sessions{signer: s, keys: map[string][]byte{}} }

// Seal makes a seal of a message. The first one calls the Signer.
func (s *Sessions) Seal(ctx context.Context, message []byte) (string, error) {
	s.mu.Lock()
	nonce := s.own
	s.mu.Unlock()
	fresh := nonce == ""
	if fresh {
		nonce = rand.Text()
	}
	key, err := s.key(ctx, nonce)
	if err != nil {
		return "", err
	}
	if fresh { // of two that open one at once, the later stays: both are good
		s.mu.Lock()
		s.own = nonce
		s.mu.Unlock()
	}
	return sessionForm + nonce + "." + base64.RawURLEncoding.EncodeToString(mac(key, message)), nil
}

// Sealed reports whether a seal is one that a process of ours made of the
// message. It calls the Signer when the session is one that it has not met.
func (s *Sessions) Sealed(ctx context.Context, message []byte, seal string) (bool, error) {
	nonce, sum, ok := strings.Cut(strings.TrimPrefix(seal, sessionForm), ".")
	got, err := base64.RawURLEncoding.DecodeString(sum)
	if !strings.HasPrefix(seal, sessionForm) || !ok || err != nil || len(got) != macBytes || !isNonce(nonce) {
		return false, nil
	}
	key, err := s.key(ctx, nonce)
	if err != nil {
		return false, err
	}
	return hmac.Equal(got, mac(key, message)), nil
}

// isNonce reports whether a text can be a nonce: 26 characters of base 32.
func isNonce(s string) bool {
	return len(s) == 26 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

func (s *Sessions) key(ctx context.Context, nonce string) ([]byte, error) {
	s.mu.Lock()
	key, known := s.keys[nonce]
	s.mu.Unlock()
	if known {
		return key, nil
	}
	key, _, err := s.signer.Sign(ctx, []byte(sessionMessage+nonce))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if len(s.keys) >= mostKeys {
		own := s.keys[s.own]
		clear(s.keys)
		if own != nil {
			s.keys[s.own] = own
		}
	}
	s.keys[nonce] = key
	return key, nil
}

// Calls is how often the Signer was called, for what is measured.
func (s *Sessions) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func mac(key, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(message)
	return m.Sum(nil)[:macBytes]
}
