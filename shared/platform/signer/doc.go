// Package signer puts seals on messages that only its key can make: who can write
// to the table cannot make one, and nobody can who may only verify. Seals are made
// on what the links of the audit's chains say, and on records when they are written.
//
//	aws.go       KMS       HMAC-SHA-256 by a key of AWS KMS that never leaves it
//	local.go     Local     HMAC-SHA-256 by a secret of a laptop
//	sessions.go  Sessions  seals of many records by one call of a Signer
//
// # Contract
//
// Signing keeps no state, so a crash leaves nothing and each call may be repeated;
// the same message has the same seal. Verify says false of every seal that is not
// the key's, whatever is wrong with it: an error means that it could not be found
// out. All may be called at once by many. The suite signertest holds every driver
// to this.
package signer

import (
	"context"
	"errors"
	"fmt"
)

// Signer is what each driver does.
type Signer interface {
	// Sign makes a seal of 32 bytes, and names the key that it was made with;
	// ErrTooLong.
	Sign(ctx context.Context, message []byte) (mac []byte, key string, err error)
	// Verify reports whether a seal is one of this very key. A key that a message
	// names is not asked: it could be anybody's.
	Verify(ctx context.Context, message, mac []byte) (bool, error)
}

// MaxMessage is how long a message may be: KMS takes no more.
const MaxMessage = 4096

// ErrTooLong says that a message is longer than MaxMessage, or empty.
var ErrTooLong = errors.New("signer: message too long")

func check(message []byte) error {
	if len(message) == 0 || len(message) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrTooLong, len(message), MaxMessage)
	}
	return nil
}
