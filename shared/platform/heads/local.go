package heads

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/platform/ownfile"
)

// FolderConfig is what a Folder works with.
type FolderConfig struct {
	Path string // need not exist
}

// Folder keeps heads as files that are only ever added, and that nobody may
// write to: one folder a chain, one file a head. That is what a laptop has. It
// keeps out whoever reaches only the table's file, not the owner of the files.
type Folder struct{ cfg FolderConfig }

// NewFolder returns the heads that are kept below a folder.
func NewFolder(cfg FolderConfig) *Folder { return &Folder{cfg} }

var _ Keeper = (*Folder)(nil)

// file is the name of a head's file within its chain's folder.
func file(h directory.ChainHead) string {
	return strings.ReplaceAll(strings.TrimPrefix(nameOf(h), prefix+h.Chain+"/"), "/", "-")
}

// Keep keeps a head.
func (f *Folder) Keep(ctx context.Context, h directory.ChainHead) error {
	if err := check(h); err != nil {
		return err
	}
	there, err := f.Kept(ctx, h.Chain, h.Seq-1, 1)
	if err != nil {
		return err
	}
	if len(there) > 0 && there[0].Seq == h.Seq {
		if there[0].Hash == h.Hash {
			return nil
		}
		return conflict(h)
	}
	dir := filepath.Join(f.cfg.Path, h.Chain)
	for _, folder := range []string{f.cfg.Path, dir} {
		if err := ownfile.Folder(folder); err != nil {
			return fmt.Errorf("heads: %w", err)
		}
	}
	// Written beside and then linked to its name: a file of that name is whole,
	// and is never written over.
	draft, err := ownfile.Draft(dir, body(h))
	if err != nil {
		return fmt.Errorf("heads: %w", err)
	}
	defer os.Remove(draft)
	if err := os.Chmod(draft, 0o400); err != nil {
		return fmt.Errorf("heads: %w", err)
	}
	if err := os.Link(draft, filepath.Join(dir, file(h))); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("heads: %w", err)
	}
	if err := ownfile.Sync(dir); err != nil {
		return fmt.Errorf("heads: %w", err)
	}
	return nil
}

// Chains lists the chains of which heads are kept.
func (f *Folder) Chains(context.Context) ([]string, error) {
	entries, err := os.ReadDir(f.cfg.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("heads: %w", err)
	}
	var list []string
	for _, e := range entries {
		if e.IsDir() && checkChain(e.Name()) == nil {
			list = append(list, e.Name())
		}
	}
	slices.Sort(list)
	return list, nil
}

// Kept lists heads of a chain from the one after a number on, at most limit.
func (f *Folder) Kept(_ context.Context, chain string, after int64, limit int) ([]directory.ChainHead, error) {
	if err := checkChain(chain); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(f.cfg.Path, chain))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("heads: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = prefix + chain + "/" + strings.Replace(e.Name(), "-", "/", 1)
	}
	return some(names, chain, after, limit), nil
}
