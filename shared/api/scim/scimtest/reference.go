package scimtest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Reference reads a file of material that is not the project's to hand on, from the folder
// shared/reference beside the module's, or beside one above it. Where it is not, the test
// is skipped.
func Reference(t testing.TB, name string) []byte {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for outside := false; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if outside {
			data, err := os.ReadFile(filepath.Join(dir, "shared", "reference", name))
			if err == nil {
				return data
			}
			if !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			outside = true
		}
	}
	t.Skipf("shared/reference/%s is not beside the project", name)
	return nil
}
