package state

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"bindery/shared/platform/ownfile"
)

// entry is one upsert of the journal file; without a value it is a deletion.
type entry struct {
	Kind   string          `json:"k"`
	Tenant string          `json:"t,omitempty"`
	ID     string          `json:"id"`
	Value  json.RawMessage `json:"v,omitempty"`
}

// journal is an append-only file of JSON lines; each line is one commit, an array
// of entries, and is written at once. It survives the death of the process, not of
// the machine.
type journal struct {
	file *os.File
	end  int64 // length of the whole lines
}

const journalName = "m365.jsonl"

// openJournal reads the file in dir into apply. A last line that was cut off is
// dropped: its commit was never answered. When the file holds much that was
// overwritten since, what everything yields is written in its place.
func openJournal(dir string, s *Store) (*journal, error) {
	if err := ownfile.Tighten(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, journalName)
	f, err := ownfile.Open(path, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	entries, end, err := readJournal(f, path, s.apply)
	if err == nil {
		err = errors.Join(f.Truncate(end), seek(f, end))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if entries <= 2*s.size()+1000 {
		return &journal{file: f, end: end}, nil
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return compact(path, s)
}

// compact writes the state anew beside the file and puts it in its place.
func compact(path string, s *Store) (*journal, error) {
	f, err := ownfile.Open(path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = s.everything(func(e entry) error {
		line, err := json.Marshal([]entry{e})
		if err != nil {
			return err
		}
		w.Write(line)
		return w.WriteByte('\n')
	})
	if err = errors.Join(err, w.Flush()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &journal{file: f, end: end}, nil
}

// readJournal applies all whole lines and tells how many entries they had and
// where the last one ends.
func readJournal(f io.Reader, path string, apply func(entry) error) (entries int, end int64, err error) {
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return entries, end, nil // whatever is left has no end: torn
		}
		if err != nil {
			return 0, 0, err
		}
		var batch []entry
		err = json.Unmarshal(line, &batch)
		for i := 0; err == nil && i < len(batch); i++ {
			err = apply(batch[i])
		}
		if err != nil {
			return 0, 0, fmt.Errorf("%s line %d is damaged: %w; restore the file or remove its folder to start anew", path, n, err)
		}
		entries += len(batch)
		end += int64(len(line))
	}
}

// append writes one commit. A write that fails half-way is cut off again, so that
// the next one does not continue a torn line.
func (j *journal) append(batch []entry) error {
	if len(batch) == 0 {
		return nil
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(batch); err != nil {
		return err
	}
	n, err := j.file.Write(b.Bytes())
	if err != nil {
		return errors.Join(fmt.Errorf("write the state: %w", err), j.file.Truncate(j.end), seek(j.file, j.end))
	}
	j.end += int64(n)
	return nil
}

func seek(f *os.File, to int64) error {
	_, err := f.Seek(to, io.SeekStart)
	return err
}

func (j *journal) close() error { return j.file.Close() }
