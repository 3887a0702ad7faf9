// Package vault keeps secrets: the tokens of connections and keys of our own.
// It has three keepers with the same methods and the same errors: AWS (Secrets
// Manager), File (a laptop: encrypted files) and Memory (tests).
//
// A secret is a name and a value. Create makes it, Put gives it a new value, Get
// reads the newest, Delete removes it without recovery. Put never makes one: who
// comes late with a value cannot bring a deleted secret back. Names are paths of
// letters, digits and _+=.@- with slashes between; a name that is given up is
// never used again (it holds the sign-in's ID), since Secrets Manager needs a
// while to let one go.
//
// No error and no log of this package holds a value.
package vault

import (
	"errors"
	"fmt"
	"strings"

	"bindery/shared/directory"
)

// Errors that callers branch on.
var (
	// ErrNotFound: there is no such secret, or it is being deleted. It is a
	// directory.ErrNotFound.
	ErrNotFound = fmt.Errorf("vault: no such secret: %w", directory.ErrNotFound)
	// ErrExists: Create found a secret of that name. It is a directory.ErrConflict.
	ErrExists = fmt.Errorf("vault: there is such a secret already: %w", directory.ErrConflict)
	// ErrPending: the secret is being deleted; neither Create, Put nor Delete can
	// do anything until it is gone.
	ErrPending = errors.New("vault: the secret is being deleted")
	// ErrTooOften: Secrets Manager keeps at most 100 values younger than a day
	// and takes no more of this secret for now.
	ErrTooOften = errors.New("vault: too many values of this secret within a day")
	// ErrInvalid: a name or value that no vault can keep.
	ErrInvalid = errors.New("vault: invalid call")
)

// Limits of Secrets Manager, which all keepers share.
const (
	maxName  = 400   // of 512, to leave room for a prefix
	maxValue = 65536 // bytes
)

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%w: name of %d bytes, want 1 to %d", ErrInvalid, len(name), maxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("%w: name %q has an empty, . or .. part", ErrInvalid, name)
		}
	}
	odd := strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/_+=.@-", r)
	})
	if odd >= 0 {
		return fmt.Errorf("%w: name %q holds more than letters, digits and /_+=.@-", ErrInvalid, name)
	}
	return nil
}

func checkValue(name string, value directory.Secret) error {
	if n := len(value.Reveal()); n == 0 || n > maxValue {
		return fmt.Errorf("%w: value of %q has %d bytes, want 1 to %d", ErrInvalid, name, n, maxValue)
	}
	return nil
}
