package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"bindery/shared/directory"
	"bindery/shared/platform/ownfile"
)

const (
	keyFile    = "vault.key"
	keySize    = 32
	suffix     = ".secret"
	fileFormat = 1 // first byte of a secret's file; then nonce and ciphertext
)

// FolderConfig is what a Folder works with.
type FolderConfig struct {
	Path string // the folder, of which this process is the only user
}

// Folder keeps each secret in a file of its own, encrypted with AES-256-GCM
// under a key in the same folder. The name of a file is the hash of the
// secret's name, so no name can lead out of the folder; the secret's name is
// bound to the ciphertext, so files cannot be exchanged. It protects from a
// glance and from stray copies of single files, not from who can read the
// whole folder.
type Folder struct {
	dir  string
	seal cipher.AEAD
	mu   sync.Mutex // between Put and Delete of this process, which has the folder to itself
}

var _ Vault = (*Folder)(nil)

// NewFolder opens the vault in a folder, and makes folder and key when there
// are none, readable by their owner only.
func NewFolder(cfg FolderConfig) (*Folder, error) {
	dir := cfg.Path
	if err := ownfile.Tighten(dir); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	key, err := loadKey(dir)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return &Folder{dir: dir, seal: seal}, nil
}

// loadKey reads the key, or makes one for a vault that holds nothing yet.
func loadKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, keyFile)
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if held, _ := filepath.Glob(filepath.Join(dir, "*"+suffix)); len(held) > 0 {
			return nil, fmt.Errorf("vault: the key %s is missing, so its secrets cannot be read; restore it, or remove the folder and authorise again", path)
		}
		if err := makeKey(path); err != nil {
			return nil, fmt.Errorf("vault: make key: %w", err)
		}
		key, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("vault: the key %s is damaged; restore it, or remove the folder and authorise again", path)
	}
	return key, nil
}

// makeKey lets the first of several processes win.
func makeKey(path string) error {
	key := make([]byte, keySize)
	rand.Read(key)
	if err := ownfile.Create(path, key); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Get returns a secret's value.
func (v *Folder) Get(ctx context.Context, name string) (directory.Secret, error) {
	if err := v.check(ctx, name); err != nil {
		return directory.Secret{}, err
	}
	b, err := os.ReadFile(v.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return directory.Secret{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return directory.Secret{}, fmt.Errorf("vault: get %s: %w", name, err)
	}
	n := 1 + v.seal.NonceSize()
	if len(b) < n || b[0] != fileFormat {
		return directory.Secret{}, damaged(name)
	}
	value, err := v.seal.Open(nil, b[1:n], b[n:], bound(name))
	if err != nil {
		return directory.Secret{}, damaged(name)
	}
	return directory.NewSecret(string(value)), nil
}

// Create makes a secret; ErrExists when there is one of that name. After a crash
// there is a whole one, or none.
func (v *Folder) Create(ctx context.Context, name string, value directory.Secret) error {
	sealed, err := v.prepare(ctx, name, value)
	if err != nil {
		return err
	}
	err = ownfile.Create(v.path(name), sealed)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	if err != nil {
		return fmt.Errorf("vault: create %s: %w", name, err)
	}
	return nil
}

// Put gives a secret a new value; ErrNotFound when there is none. After a crash
// it has the old one or the new one, whole.
func (v *Folder) Put(ctx context.Context, name string, value directory.Secret) error {
	sealed, err := v.prepare(ctx, name, value)
	if err != nil {
		return err
	}
	temp, err := ownfile.Draft(v.dir, sealed)
	if err != nil {
		return fmt.Errorf("vault: write %s: %w", name, err)
	}
	v.mu.Lock() // a Delete between the look and the rename would be undone by it
	_, err = os.Stat(v.path(name))
	if err == nil {
		err = os.Rename(temp, v.path(name))
	}
	v.mu.Unlock()
	if err != nil {
		os.Remove(temp) // best effort: the fault worth telling is the other
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	case err == nil:
		err = ownfile.Sync(v.dir)
	}
	if err != nil {
		return fmt.Errorf("vault: put %s: %w", name, err)
	}
	return nil
}

// prepare returns a secret's file.
func (v *Folder) prepare(ctx context.Context, name string, value directory.Secret) ([]byte, error) {
	if err := errors.Join(v.check(ctx, name), checkValue(name, value)); err != nil {
		return nil, err
	}
	b := make([]byte, 1+v.seal.NonceSize())
	b[0] = fileFormat
	rand.Read(b[1:])
	return v.seal.Seal(b, b[1:], []byte(value.Reveal()), bound(name)), nil
}

// Delete removes a secret; none is no error.
func (v *Folder) Delete(ctx context.Context, name string) error {
	if err := v.check(ctx, name); err != nil {
		return err
	}
	v.mu.Lock()
	err := os.Remove(v.path(name))
	v.mu.Unlock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("vault: delete %s: %w", name, err)
	}
	if err := ownfile.Sync(v.dir); err != nil {
		return fmt.Errorf("vault: delete %s: %w", name, err)
	}
	return nil
}

func (v *Folder) check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return checkName(name)
}

func (v *Folder) path(name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(v.dir, hex.EncodeToString(sum[:])+suffix)
}

// bound is what a secret's file is authenticated with.
func bound(name string) []byte { return []byte("bindery vault 1\x00" + name) }

func damaged(name string) error {
	return fmt.Errorf("vault: the file of %s is damaged or of another key; authorise again", name)
}
