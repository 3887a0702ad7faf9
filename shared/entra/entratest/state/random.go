package state

import (
	crand "crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
)

// Random makes ids and secrets: from the system, or from a seed the same ones each
// time. It may be used by several goroutines at once.
type Random struct {
	mu  sync.Mutex
	rnd *rand.Rand // nil: the system's
}

func newRandom(seed int64, starts uint64) *Random {
	if seed == 0 {
		return &Random{}
	}
	return &Random{rnd: rand.New(rand.NewPCG(uint64(seed), starts))}
}

// Bytes returns n bytes.
func (r *Random) Bytes(n int) []byte {
	b := make([]byte, n)
	if r.rnd == nil {
		crand.Read(b)
		return b
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 0; i < n; i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], r.rnd.Uint64())
		copy(b[i:], word[:])
	}
	return b
}

// ID makes a version 4 GUID.
func (r *Random) ID() string {
	b := r.Bytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Secret makes n random bytes as text, for codes and tokens.
func (r *Random) Secret(n int) string { return base64.RawURLEncoding.EncodeToString(r.Bytes(n)) }

// N is a number from 0 to n-1.
func (r *Random) N(n int) int { return int(binary.LittleEndian.Uint32(r.Bytes(4)) % uint32(n)) }

// Shuffle permutes n things.
func (r *Random) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, r.N(i+1))
	}
}
