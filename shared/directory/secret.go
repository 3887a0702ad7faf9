package directory

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// hidden is what a Secret says of itself wherever it is printed.
const hidden = "REDACTED"

// Secret is a token, password or client secret. It prints as REDACTED in fmt,
// slog, JSON and errors; only Reveal gives the value.
//
// The value stands in a closure and not in a field: fmt calls no method of what an
// unexported field of another struct holds, and prints what it finds there by
// reflection. Of a func it finds an address. For the same reason a Secret cannot be
// compared with ==, and no struct that holds one can; see Equal.
type Secret struct{ reveal func() string }

// NewSecret wraps a value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{func() string { return value }}
}

// Reveal returns the value itself, for the one place that sends it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal reports whether both have the same value. How long it takes tells nothing
// but their lengths.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String hides the value.
func (s Secret) String() string { return hidden }

// GoString hides the value from %#v.
func (s Secret) GoString() string { return "directory.Secret(" + hidden + ")" }

// Format hides the value from all verbs: fmt asks String for those of texts only.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text) // a Formatter has nobody to tell of it
}

// MarshalText hides the value from encoding/json and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
