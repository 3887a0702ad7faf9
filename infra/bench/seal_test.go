package bench

import (
	"context"
	"time"

	"bindery/shared/core/audit"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/signer"
	"bindery/shared/store"
)

// kmsCall is how long a call of KMS takes.
const kmsCall = 10 * time.Millisecond

// hmacKey is KMS with one key: each call takes its time and is counted.
type hmacKey struct{ to *ledger }

var bareKey = signer.NewLocal(signer.LocalConfig{Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret(simSecret), nil }})

func (k hmacKey) call() {
	time.Sleep(kmsCall)
	k.to.add(func(u *usage) { u.Seals++ })
}

func (k hmacKey) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	k.call()
	return bareKey.Sign(ctx, message)
}

func (k hmacKey) Verify(ctx context.Context, message, mac []byte) (bool, error) {
	k.call()
	return bareKey.Verify(ctx, message, mac)
}

// records is the store of a process: its session of seals is its own.
func (w *world) records() *store.Store {
	return store.New(w.meter, store.Options{Sealer: signer.NewSessions(hmacKey{w.ledger})})
}

// chain links what a process did, and looks whether runs are ours.
func (w *world) chain(s *store.Store) *audit.Chain {
	return &audit.Chain{Stores: audit.ChainStoresOf(s), Signer: hmacKey{w.ledger}, Publish: nobody{}, Keep: &heads.Memory{}}
}

// nobody hears notices.
type nobody struct{}

func (nobody) Publish(context.Context, ...directory.Notification) error { return nil }

var _ reconcile.Attest = (&audit.Chain{}).Attest
