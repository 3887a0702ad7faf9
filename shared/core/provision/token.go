package provision

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"bindery/shared/directory"
)

// The parts of a token: bsc_<ID without sct_>_<secret><checksum>.
const (
	tokenPrefix   = "bsc_"
	idPrefix      = "sct_"
	secretBytes   = 32
	secretLength  = 52 // of 256 bits, five in a letter
	checkLength   = 7  // of 32 bits
	maxTokenBytes = 200
)

var letters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newToken makes a token of an ID, and the hash that is kept of it.
func newToken(id directory.ScimTokenID) (token directory.Secret, hash []byte) {
	var raw [secretBytes]byte
	rand.Read(raw[:])
	secret := letters.EncodeToString(raw[:])
	text := tokenPrefix + strings.TrimPrefix(string(id), idPrefix) + "_" + secret
	return directory.NewSecret(text + checksum(text)), hashOf(secret)
}

func checksum(text string) string {
	return letters.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))))
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// readToken takes a token apart; ok is false for what none is made like, as one that was
// copied wrong.
func readToken(token string) (id directory.ScimTokenID, secret string, ok bool) {
	rest, is := strings.CutPrefix(token, tokenPrefix)
	name, rest, cut := strings.Cut(rest, "_")
	if !is || !cut || len(token) > maxTokenBytes || name == "" || len(rest) != secretLength+checkLength {
		return "", "", false
	}
	body := token[:len(token)-checkLength]
	if checksum(body) != token[len(token)-checkLength:] {
		return "", "", false
	}
	return directory.ScimTokenID(idPrefix + name), rest[:secretLength], true
}

// opens reports, in constant time, whether a secret is the one of a hash.
func opens(secret string, hash []byte) bool {
	return subtle.ConstantTimeCompare(hashOf(secret), hash) == 1
}
