// Package signertest holds what every signer must do.
package signertest

import (
	"bytes"
	"errors"
	"testing"

	"bindery/shared/platform/signer"
)

// Run runs the suite; open gives signers with two keys. A seal fits its message
// and no other.
func Run(t *testing.T, open func(t *testing.T) (one, another signer.Signer)) {
	ctx := t.Context()
	s, other := open(t)
	message := []byte(`{"chain":"acts","seq":1}`)
	mac, key, err := s.Sign(ctx, message)
	if err != nil || len(mac) != 32 || key == "" {
		t.Fatalf("Sign = %x, %q, %v", mac, key, err)
	}
	changed := append([]byte(nil), mac...)
	changed[0] ^= 1
	for _, c := range []struct {
		what         string
		by           signer.Signer
		message, mac []byte
		want         bool
	}{
		{"its own", s, message, mac, true},
		{"another message", s, []byte(`{"chain":"acts","seq":2}`), mac, false},
		{"a changed seal", s, message, changed, false},
		{"no seal", s, message, nil, false},
		{"half a seal", s, message, mac[:16], false},
		{"no message", s, nil, mac, false},
		{"another key's", other, message, mac, false},
	} {
		if got, err := c.by.Verify(ctx, c.message, c.mac); got != c.want || err != nil {
			t.Errorf("Verify(%s) = %v, %v, want %v", c.what, got, err, c.want)
		}
	}
	if again, _, err := s.Sign(ctx, message); err != nil || !bytes.Equal(again, mac) {
		t.Errorf("Sign once more = %x, %v, want the same seal", again, err)
	}
	for _, n := range []int{0, signer.MaxMessage + 1} {
		if _, _, err := s.Sign(ctx, bytes.Repeat([]byte("x"), n)); !errors.Is(err, signer.ErrTooLong) {
			t.Errorf("Sign of %d bytes = %v, want ErrTooLong", n, err)
		}
	}
	if _, _, err := s.Sign(ctx, bytes.Repeat([]byte("x"), signer.MaxMessage)); err != nil {
		t.Errorf("Sign of the longest = %v", err)
	}
}
