package connect

import (
	"errors"
	"testing"

	"bindery/shared/directory"
)

func TestCheckNewName(t *testing.T) {
	for name, good := range map[string]bool{"HQ": true, "Z\u00fcrich": true, "": false, "A\x00B": false, "A\nB": false, "A\x1b[31m": false} {
		if err := checkNew(name, "", directory.Caller{Subject: "admin"}); (err == nil) != good || err != nil && !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("checkNew(%q) = %v", name, err)
		}
	}
}

// Nobody names two connections the same but for what people cannot see.
func TestNameIsTidy(t *testing.T) {
	w := newWorld(t)
	c, _, err := w.Create(t.Context(), directory.Caller{Subject: "admin"}, " H\u200bQ\u202e ", "Corp\u200b.example", directory.Settings{})
	if err != nil || c.Name != "HQ" || c.ExpectedDomain != "corp.example" {
		t.Errorf("%+q, %+q, %v", c.Name, c.ExpectedDomain, err)
	}
}
