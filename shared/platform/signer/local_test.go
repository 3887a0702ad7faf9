package signer_test

import (
	"context"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/platform/signer"
	"bindery/shared/platform/signer/signertest"
)

func local(key string) signer.Signer {
	return signer.NewLocal(signer.LocalConfig{Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret(key), nil }})
}

func TestLocal(t *testing.T) {
	t.Parallel()
	signertest.Run(t, func(*testing.T) (one, another signer.Signer) { return local("one"), local("another") })
}
