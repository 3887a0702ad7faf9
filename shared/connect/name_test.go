package connect

import (
	"errors"
	"testing"

	"bindery/shared/directory"
)

func TestCheckNewName(t *testing.T) {
	for name, good := range map[string]bool{"HQ": true, "Z\u00fcrich": true, "": false, "A\x00B": false, "A\nB": false, "A\x1b[31m": false} {
		if err := checkNew(name, "", Caller{Subject: "admin"}); (err == nil) != good || err != nil && !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("checkNew(%q) = %v", name, err)
		}
	}
}
