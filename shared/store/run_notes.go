package store

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Note is a record that stands beside a run, written together with it.
type Note struct {
	Name string
	Body any
}

// The names of notes; those with a # are followed by a number.
const (
	NoteApproved = "approved" // map[int][]int: indexes of approved changes by chunk
	NoteParts    = "parts"    // counts by department and domain
	NoteLeft     = "left#"    // what an undo leaves as it is
)

// Left names the note with what an undo leaves of the n-th chunk of the run
// that it undoes.
func Left(n int) string { return fmt.Sprintf("%s%06d", NoteLeft, n) }

func noteWrites(id directory.RunID, notes []Note, expires time.Time) []table.Write {
	writes := make([]table.Write, len(notes))
	for i, n := range notes {
		writes[i].Put = &table.Item{Key: noteKey(id, n.Name), Body: encode(n.Body), Expires: expires}
	}
	return writes
}

// Note reads a note of a run into v. ErrNotFound.
func (s *Runs) Note(ctx context.Context, id directory.RunID, name string, v any) error {
	it, err := s.db.table.Get(ctx, noteKey(id, name))
	if err != nil {
		return fail("note "+name+" of run "+string(id), err)
	}
	return decode(it, v)
}

// StoredNote is a note of a run as it is kept.
type StoredNote struct {
	Name string
	Body []byte // JSON
}

// Notes are the notes of a run whose names begin with a prefix and come after a
// name, in order.
func (s *Runs) Notes(ctx context.Context, id directory.RunID, prefix, after string) iter.Seq2[StoredNote, error] {
	return func(yield func(StoredNote, error) bool) {
		for it, err := range s.db.list(ctx, table.Query{Partition: runKey(id).Partition, Prefix: "n#" + prefix}) {
			if err != nil {
				yield(StoredNote{}, fail("notes", err))
				return
			}
			note := StoredNote{Name: strings.TrimPrefix(it.Sort, "n#"), Body: it.Body}
			if note.Name > after && !yield(note, nil) {
				return
			}
		}
	}
}
