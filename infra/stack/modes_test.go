package stack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestStateIsItsOwners: whatever modes the state folder, and every file in it, had
// before, the stack leaves nothing that others may read, and under no umask.
func TestStateIsItsOwners(t *testing.T) {
	before := syscall.Umask(0)
	t.Cleanup(func() { syscall.Umask(before) })
	dir := filepath.Join(t.TempDir(), "state")
	once := func() {
		t.Helper()
		s, err := Open(t.Context(), Config{Dir: dir, Simulator: Simulator{URL: "http://localhost:8365", Served: true, Dir: filepath.Join(dir, "m365")}, PublicURL: "http://localhost:8080"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	each := func(do func(path string, d fs.DirEntry) error) {
		t.Helper()
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			return errors.Join(err, do(path, d))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	once()
	var seen int
	each(func(path string, d fs.DirEntry) error {
		seen++
		return os.Chmod(path, map[bool]fs.FileMode{true: 0o777, false: 0o666}[d.IsDir()])
	})
	if seen < 12 {
		t.Fatalf("the state has %d files and folders", seen)
	}
	once()
	each(func(path string, d fs.DirEntry) error {
		info, err := d.Info()
		if err == nil && info.Mode()&0o077 != 0 {
			t.Errorf("%s: others may %v", path, info.Mode())
		}
		return err
	})
}
