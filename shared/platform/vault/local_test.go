package vault_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/platform/vault"
	"bindery/shared/platform/vault/vaulttest"
)

func openFolder(t *testing.T, dir string) *vault.Folder {
	t.Helper()
	v, err := vault.NewFolder(vault.FolderConfig{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFolder(t *testing.T) {
	t.Parallel()
	vaulttest.Run(t, func(t *testing.T) vault.Vault { return openFolder(t, t.TempDir()) })
}

func TestFolderOnDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "vault")
	v := openFolder(t, dir)
	for _, name := range []string{"a/1", "a/2"} {
		if err := v.Create(t.Context(), name, directory.NewSecret("hush "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := openFolder(t, dir).Get(t.Context(), "a/1"); err != nil || got.Reveal() != "hush a/1" {
		t.Errorf("Get after opening again: %v", err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder has mode %v, %v, want 0700", info.Mode(), err)
	}
	files := glob(t, dir, "*")
	if len(files) != 3 {
		t.Errorf("files = %d, want the key and two secrets", len(files))
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", filepath.Base(f), info.Mode(), err)
		}
		if b := read(t, f); bytes.Contains(b, []byte("hush")) {
			t.Errorf("%s holds a value in the clear", filepath.Base(f))
		}
	}
}

// TestFolderDamage exchanges, cuts and changes files: no wrong value comes out.
func TestFolderDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := openFolder(t, dir)
	put := func(name string) string {
		t.Helper()
		before := glob(t, dir, "*.secret")
		if err := v.Create(t.Context(), name, directory.NewSecret("hush "+name)); err != nil {
			t.Fatal(err)
		}
		for _, f := range glob(t, dir, "*.secret") {
			if !strings.Contains(strings.Join(before, " "), f) {
				return f
			}
		}
		return ""
	}
	a, b := put("a"), put("b")
	good := read(t, a)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	for what, content := range map[string][]byte{
		"another's": read(t, b), "empty": {}, "cut": good[:10], "cut in the text": good[:len(good)-1],
		"flipped": flipped, "another format": append([]byte{9}, good[1:]...),
	} {
		if err := os.WriteFile(a, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := v.Get(t.Context(), "a")
		if err == nil || errors.Is(err, vault.ErrNotFound) || got.Reveal() != "" || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: Get = %v, want an error about damage", what, err)
		}
	}
	// A new value mends it.
	if err := v.Put(t.Context(), "a", directory.NewSecret("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := v.Get(t.Context(), "a"); err != nil || got.Reveal() != "new" {
		t.Errorf("Get after a new Put: %v", err)
	}
}

func TestFolderKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := openFolder(t, dir).Create(t.Context(), "a", directory.NewSecret("x")); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "vault.key")
	if err := os.WriteFile(key, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.NewFolder(vault.FolderConfig{Path: dir}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("NewFolder with a short key = %v, want an error that says so", err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.NewFolder(vault.FolderConfig{Path: dir}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("NewFolder of secrets without a key = %v, want an error that says so", err)
	}
	if len(glob(t, dir, "vault.key")) != 0 {
		t.Error("a new key was made for old secrets")
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
