// Package ownfile writes and opens files that only their owner may read: what a
// laptop keeps of tokens, keys and people. The mode that os.WriteFile and
// os.OpenFile take counts for new files alone, and the umask cannot be relied on;
// so files are written anew beside the old ones, and those that stay have what
// others may do taken away when they are opened.
package ownfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// draftPrefix begins the names of files that are not whole yet.
const draftPrefix = ".draft-"

// others is what group and others may do.
const others = 0o077

// Folder makes a folder, with those above it, or takes from an existing one what
// others may do. One that is made to be shared, as /tmp is, is refused and stays
// as it is.
func Folder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder; name one, or remove the file", dir)
	}
	if info.Mode()&fs.ModeSticky != 0 {
		return fmt.Errorf("%s is shared with others, and what is secret cannot be kept in it; name a folder of your own, for instance one within it", dir)
	}
	if info.Mode()&others == 0 {
		return nil
	}
	return os.Chmod(dir, info.Mode().Perm()&^others)
}

// Tighten is Folder, and takes what others may do from all that is in it. It is
// for folders whose whole content is the caller's. Links are left alone.
func Tighten(dir string) error {
	if err := Folder(dir); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil // another process of the same owner works here
		}
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode()&others != 0 {
			err = os.Chmod(path, info.Mode().Perm()&^others)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// Write gives a file a new content. After a crash it has the old one or the new
// one, whole, and never a mode that lets others read it. Its folder is made when
// there is none.
func Write(path string, data []byte) error {
	return place(path, data, os.Rename)
}

// Create is Write for a file that must not exist; fs.ErrExist when it does.
func Create(path string, data []byte) error {
	return place(path, data, os.Link) // unlike a rename, a link replaces nothing
}

func place(path string, data []byte, put func(draft, path string) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	draft, err := Draft(filepath.Dir(path), data)
	if err != nil {
		return err
	}
	err = put(draft, path)
	_ = os.Remove(draft) // after a rename there is none
	if err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}

// Draft writes a file of any name into a folder and returns its path, for a caller
// that puts it in its place by itself. It is on the disk, and only its owner may
// read it.
func Draft(dir string, data []byte) (path string, err error) {
	f, err := os.CreateTemp(dir, draftPrefix+"*") // 0600 whatever the umask
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(f.Name()) // the fault worth telling is the other
		return "", err
	}
	return f.Name(), nil
}

// Sync puts a folder's entries on the disk.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open is os.OpenFile for a file that only its owner may read and write; others
// lose what they may do with one that exists.
func Open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() && info.Mode()&others != 0 {
		err = f.Chmod(info.Mode().Perm() &^ others)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Read returns a file's content, and takes from it what others may do.
func Read(path string) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}
