package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// openly lets new files be as open as they ask for, as umask 0 does.
func openly(t *testing.T) {
	old := syscall.Umask(0)
	t.Cleanup(func() { syscall.Umask(old) })
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// old makes a file that others may read, as an earlier version or a copy left it.
func old(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func TestOldModesAreTakenAway(t *testing.T) {
	openly(t)
	for _, tt := range []struct {
		name string
		do   func(path string) error
		want string
	}{
		{"write", func(p string) error { return Write(p, []byte("new")) }, "new"},
		{"open", func(p string) error {
			f, err := Open(p, os.O_CREATE|os.O_RDWR)
			return errors.Join(err, f.Close())
		}, "before"},
		{"append", func(p string) error {
			f, err := Open(p, os.O_CREATE|os.O_APPEND|os.O_WRONLY)
			if err != nil {
				return err
			}
			_, err = f.WriteString(" and after")
			return errors.Join(err, f.Close())
		}, "before and after"},
		{"read", func(p string) error { _, err := Read(p); return err }, "before"},
		{"tighten", func(p string) error { return Tighten(filepath.Dir(p)) }, "before"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "token")
			old(t, path, "before", 0o666)
			if err := tt.do(path); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil || string(data) != tt.want || mode(t, path) != 0o600 {
				t.Errorf("%q, %v, mode %o, want %q and 600", data, err, mode(t, path), tt.want)
			}
		})
	}
}

func TestNewFiles(t *testing.T) {
	openly(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "token")
	if err := Create(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a file = %v, want ErrExist", err)
	}
	data, err := Read(path)
	if err != nil || string(data) != "one" || mode(t, path) != 0o600 || mode(t, dir) != 0o700 || mode(t, filepath.Dir(dir)) != 0o700 {
		t.Errorf("%q, %v, modes %o, %o", data, err, mode(t, path), mode(t, dir))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("drafts are left: %v, %v", entries, err)
	}
	if _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of nothing = %v", err)
	}
}

func TestFolder(t *testing.T) {
	openly(t)
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := errors.Join(os.Mkdir(in, 0o777), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "of-others")
	old(t, outside, "", 0o644)
	old(t, filepath.Join(in, "head"), "", 0o444)
	if err := os.Symlink(outside, filepath.Join(in, "link")); err != nil {
		t.Fatal(err)
	}
	if err := Folder(dir); err != nil || mode(t, dir) != 0o700 || mode(t, in) != 0o777 {
		t.Errorf("Folder: %v, modes %o, %o", err, mode(t, dir), mode(t, in))
	}
	if err := Tighten(dir); err != nil || mode(t, in) != 0o700 || mode(t, filepath.Join(in, "head")) != 0o400 || mode(t, outside) != 0o644 {
		t.Errorf("Tighten: %v, modes %o, %o, %o", err, mode(t, in), mode(t, filepath.Join(in, "head")), mode(t, outside))
	}
	if err := os.Chmod(in, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := Folder(in); err == nil || !strings.Contains(err.Error(), "shared") || mode(t, in) != 0o777 {
		t.Errorf("a shared folder: %v, mode %o", err, mode(t, in))
	}
	if err := Folder(outside); err == nil {
		t.Error("a file is taken for a folder")
	}
}
