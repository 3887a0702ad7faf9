package store

import (
	"context"
	"fmt"
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

// Notes calls each with the notes of a run whose names begin with a prefix and
// come after a name, in order, until each returns false.
func (s *Runs) Notes(ctx context.Context, id directory.RunID, prefix, after string, each func(name string, body []byte) bool) error {
	for it, err := range s.db.list(ctx, table.Query{Partition: runKey(id).Partition, Prefix: "n#" + prefix}) {
		if err != nil {
			return fail("notes", err)
		}
		name := strings.TrimPrefix(it.Sort, "n#")
		if name > after && !each(name, it.Body) {
			break
		}
	}
	return nil
}
