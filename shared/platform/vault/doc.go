// Package vault keeps secrets: the tokens of connections and keys of our own.
//
//	aws.go     SecretsManager  AWS Secrets Manager, under a key of KMS
//	local.go   Folder          a laptop: encrypted files
//	memory.go  Memory          tests, with hooks before and after each call
//
// # Contract
//
// A secret is a name and a value. Put never makes one: who comes late with a value
// cannot bring a deleted secret back. Names are paths of letters, digits and
// _+=.@- with slashes between; a name that is given up is never used again (it
// holds the sign-in's ID), since Secrets Manager needs a while to let one go.
//
// An error other than those below leaves it open whether a call took effect; each
// call may be repeated. After a crash a secret has its former value or the new
// one, whole, or is not there. All may be called at once by many: of several
// values that are put at once one stays, whole.
//
// No error and no log of this package holds a value. The suite vaulttest holds
// every driver to this.
package vault

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/directory"
)

// Vault is what each driver does.
type Vault interface {
	// Get returns a secret's newest value; ErrNotFound.
	Get(ctx context.Context, name string) (directory.Secret, error)
	// Create makes a secret; ErrExists, ErrPending.
	Create(ctx context.Context, name string, value directory.Secret) error
	// Put gives a secret a new value; ErrNotFound, ErrPending, ErrTooOften.
	Put(ctx context.Context, name string, value directory.Secret) error
	// Delete removes a secret without recovery; none is no error. ErrPending when
	// it is being deleted already.
	Delete(ctx context.Context, name string) error
}

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
