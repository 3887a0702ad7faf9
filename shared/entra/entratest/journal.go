package entratest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
func openJournal(dir string, s *Server) (*journal, error) {
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
func compact(path string, s *Server) (*journal, error) {
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

// apply makes one entry part of the state. The mutex is held, or nobody else has
// the server yet.
func (s *Server) apply(e entry) error {
	switch e.Kind {
	case "blob":
		return s.applyBlob(e)
	case "app":
		var app App
		if err := json.Unmarshal(e.Value, &app); err != nil {
			return err
		}
		s.apps[e.ID] = app
	case "token":
		var t accessToken
		if err := json.Unmarshal(e.Value, &t); err != nil {
			return err
		}
		s.tokens[e.ID] = t
	case "tenant":
		var r tenantRecord
		if err := json.Unmarshal(e.Value, &r); err != nil {
			return err
		}
		if t := s.tenants[e.ID]; t != nil {
			t.take(r)
		} else {
			s.tenants[e.ID] = newTenant(r)
		}
	case "object", "mutation":
		return s.applyToTenant(e)
	default:
		return fmt.Errorf("there is no kind %q", e.Kind)
	}
	return nil
}

func (s *Server) applyBlob(e entry) error {
	if e.Tenant == "clock" && e.Value != nil {
		var n int64
		if err := json.Unmarshal(e.Value, &n); err != nil {
			return err
		}
		s.offset.Store(n)
	}
	if s.blobs[e.Tenant] == nil {
		s.blobs[e.Tenant] = map[string][]byte{}
	}
	if e.Value == nil {
		delete(s.blobs[e.Tenant], e.ID)
	} else {
		s.blobs[e.Tenant][e.ID] = e.Value
	}
	return nil
}

func (s *Server) applyToTenant(e entry) error {
	t := s.tenants[strings.ToLower(e.Tenant)]
	if t == nil {
		return fmt.Errorf("%s %s: %w", e.Kind, e.ID, errUnknownTenant)
	}
	if e.Kind == "mutation" {
		var m Mutation
		if err := json.Unmarshal(e.Value, &m); err != nil {
			return err
		}
		t.mutated = append(t.mutated, m)
		return nil
	}
	o := new(object)
	if err := json.Unmarshal(e.Value, o); err != nil {
		return err
	}
	if o.ID == "" || o.Props == nil {
		return fmt.Errorf("object %q has no id or no properties", e.ID)
	}
	t.put(o)
	s.version = max(s.version, o.Version)
	return nil
}

// size is about how many entries everything yields.
func (s *Server) size() int {
	n := len(s.apps) + len(s.tokens) + len(s.tenants)
	for _, values := range s.blobs {
		n += len(values)
	}
	for _, t := range s.tenants {
		n += len(t.ids) + len(t.mutated)
	}
	return n
}

// everything yields the whole state as entries.
func (s *Server) everything(yield func(entry) error) error {
	emit := func(e entry, v any) error {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		e.Value = raw
		return yield(e)
	}
	for kind, values := range s.blobs {
		for key, v := range values {
			if err := yield(entry{Kind: "blob", Tenant: kind, ID: key, Value: v}); err != nil {
				return err
			}
		}
	}
	for id, app := range s.apps {
		if err := emit(entry{Kind: "app", ID: id}, app); err != nil {
			return err
		}
	}
	now := s.now()
	for id, t := range s.tokens {
		if now.Sub(t.Expires) > expiredTokens {
			continue
		}
		if err := emit(entry{Kind: "token", ID: id}, t); err != nil {
			return err
		}
	}
	for _, t := range s.tenants {
		if err := emit(entry{Kind: "tenant", ID: t.id}, t.record()); err != nil {
			return err
		}
		for _, id := range t.ids {
			if err := emit(entry{Kind: "object", Tenant: t.id, ID: id}, t.objects[id]); err != nil {
				return err
			}
		}
		for _, m := range t.mutated {
			if err := emit(entry{Kind: "mutation", Tenant: t.id, ID: m.ID}, m); err != nil {
				return err
			}
		}
	}
	return nil
}
