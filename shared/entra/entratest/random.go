package entratest

import (
	crand "crypto/rand"
	"encoding/binary"
)

// random returns n bytes: of the seeded generator, else of the system.
func (s *Server) random(n int) []byte {
	b := make([]byte, n)
	if s.rnd == nil {
		crand.Read(b)
		return b
	}
	s.idMu.Lock()
	defer s.idMu.Unlock()
	for i := 0; i < n; i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], s.rnd.Uint64())
		copy(b[i:], word[:])
	}
	return b
}

// shuffle permutes n things by the seed.
func (s *Server) shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, int(binary.LittleEndian.Uint32(s.random(4))%uint32(i+1)))
	}
}
