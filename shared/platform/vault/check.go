package vault

import (
	"fmt"
	"strings"

	"bindery/shared/directory"
)

// Limits of Secrets Manager, which all drivers keep.
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
