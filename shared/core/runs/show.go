package runs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Run returns a run.
func (s *Service) Run(ctx context.Context, id directory.RunID) (directory.Run, error) {
	r, err := s.runs.Run(ctx, id)
	if err != nil {
		return directory.Run{}, err
	}
	return shown(&r), nil
}

// shown is a run as it is read: one of which a part was approved with how much that is, and one
// that goes in waves, while it writes, with how far they
// have come. Waves of a held run are laid out anew once it goes on, and Held tells of the last.
// Where the engine's place in the run does not decode, it is shown without waves: what else it
// tells is as true, and the other runs of a list are.
func shown(r *store.RunRecord) directory.Run {
	run := r.Run
	if a := r.Approval; a != nil && !a.All && run.Approved == nil { // decided by an earlier version, or too many to count
		n, all := a.Before+a.Chosen, 0
		for _, e := range a.Effects {
			n += run.Counts[e]
		}
		for _, k := range run.Counts {
			all += k
		}
		run.Approved = new(min(n, all))
	}
	if run.State != directory.RunApplying && run.State != directory.RunWaiting {
		return run
	}
	at, err := ProgressOf(r)
	if err != nil {
		return run
	}
	for _, class := range slices.Sorted(maps.Keys(at.Waves)) {
		run.Waves = append(run.Waves, at.Waves[class].view(class))
	}
	return run
}

// view is a wave as people see it. How many there are follows from the number of changes
// alone: whatever the settings say by now, these have been parted.
func (w *Wave) view(class directory.Effect) directory.RunWave {
	v := directory.RunWave{Class: class, Wave: w.Number, Waves: w.Number, Allowed: w.Allowed, Changes: w.Total}
	if !w.Last() {
		v.Waves, v.LookAt = max(w.Number+1, len(plan.Waves(w.Total, directory.BreakerSettings{Over: new(0)}))), w.Look
	}
	return v
}

// List returns a connection's runs, newest first.
func (s *Service) List(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]directory.Run, string, error) {
	records, next, err := s.runs.ListRuns(ctx, c, cursor, limit)
	list := make([]directory.Run, len(records))
	for i := range records {
		list[i] = shown(&records[i])
	}
	return list, next, err
}

// Parts is a run's plan counted by department and domain, for people: of each
// no more than the largest.
type Parts struct {
	Departments []plan.Part `json:"departments"`
	Domains     []plan.Part `json:"domains"`
}

// mostParts is how many departments and domains Parts has.
const mostParts = 200

// PartsOf counts a plan by department and domain.
func PartsOf(t plan.Tally) Parts {
	largest := func(d directory.Dimension) []plan.Part {
		list := t.By(d)
		sum := func(p plan.Part) (n int) {
			for _, k := range p.Counts {
				n += k
			}
			return n
		}
		sort.SliceStable(list, func(i, j int) bool { return sum(list[i]) > sum(list[j]) })
		return list[:min(len(list), mostParts)]
	}
	return Parts{Departments: largest(directory.ByDepartment), Domains: largest(directory.ByDomain)}
}

// Effects counts by effect. whole says that no part was left out for being small.
func (p *Parts) Effects() (counts map[directory.Effect]int, whole bool) {
	counts = map[directory.Effect]int{}
	for _, part := range p.Domains {
		for e, n := range part.Counts {
			counts[e] += n
		}
	}
	return counts, len(p.Domains) < mostParts
}

// Parts returns a run's counts by department and domain; none before it has
// been planned. A plan of few changes that nobody has to decide about has no note of
// them: they are counted here.
func (s *Service) Parts(ctx context.Context, id directory.RunID) (Parts, error) {
	var p Parts
	err := s.notes.Note(ctx, id, store.NoteParts, &p)
	if !errors.Is(err, directory.ErrNotFound) {
		return p, err
	}
	r, err := s.runs.Run(ctx, id)
	if err != nil || r.Chunks != 1 {
		return p, err
	}
	changes, err := s.changes.PlannedChunk(ctx, id, 0)
	if err != nil {
		return p, err
	}
	changes = slices.DeleteFunc(changes, func(c directory.Change) bool { return c.State == directory.ChangeRefused })
	if len(changes) == 0 {
		return p, nil
	}
	return PartsOf(plan.TallyOf(changes).Of("")), nil
}

// Left returns a page of what an undo leaves as it is. The cursor is opaque.
func (s *Service) Left(ctx context.Context, id directory.RunID, cursor string) ([]plan.Left, string, error) {
	if _, err := s.runs.Run(ctx, id); err != nil {
		return nil, "", err
	}
	var list []plan.Left
	size := 0
	for note, err := range s.notes.Notes(ctx, id, store.NoteLeft, cursor) {
		if err != nil {
			return nil, "", err
		}
		var part []plan.Left
		if err := json.Unmarshal(note.Body, &part); err != nil {
			return nil, "", err
		}
		list = append(list, part...)
		size += len(note.Body)
		if len(list) >= 1000 || size >= 1<<20 { // with the values of both sides, some are large
			return list, note.Name, nil
		}
	}
	return list, "", nil
}

// ChangesWhere returns a page of those changes of a run that a filter selects.
// A call looks at a bounded number of changes: a page may hold fewer than
// limit, or none, and still have a next one. Of changes that are named only their chunks
// are read.
func (s *Service) ChangesWhere(ctx context.Context, id directory.RunID, f plan.Filter, cursor string, limit int) ([]directory.Change, string, error) {
	r, err := s.runs.Run(ctx, id)
	if err != nil {
		return nil, "", err
	}
	progress, err := ProgressOf(&r)
	if err != nil {
		return nil, "", err
	}
	var list []directory.Change
	chunks := chunksOf(&f)
	for looked := 0; looked < mostLooked; {
		var more bool
		if cursor, more = chunks.next(cursor); !more {
			return list, "", nil
		}
		page, next, err := s.changes.Changes(ctx, &r, cursor, store.ChunkSize)
		if err != nil {
			return nil, "", err
		}
		looked += len(page)
		for i := range page {
			page[i].State = progress.stateOf(&r, &page[i])
			if !f.Match(&page[i]) {
				continue
			}
			if len(list) == limit {
				return list, strings.TrimPrefix(string(page[i].ID), string(id)+"."), nil
			}
			list = append(list, page[i])
		}
		cursor = next
		if cursor == "" {
			return list, "", nil
		}
	}
	return list, cursor, nil
}

// stateOf is the state of a change as it is shown: of a run that was approved, what has
// been made ready and not put away is approved.
func (p *Progress) stateOf(r *store.RunRecord, c *directory.Change) directory.ChangeState {
	if _, chunk, _, ok := store.Place(c.ID); ok && r.ApprovedBy != "" && chunk < p.Ready && c.State == directory.ChangePlanned {
		return directory.ChangeApproved
	}
	return c.State
}

// mostLooked is how many changes a filtered page looks at.
const mostLooked = 20000

// chunks are the parts of a plan that are looked at, in order; nil: all of them.
type chunks []int

// chunksOf are the chunks in which a filter can select anything.
func chunksOf(f *plan.Filter) chunks {
	if f.IDs == nil {
		return nil
	}
	list := chunks{}
	for id := range f.IDs {
		if _, chunk, _, ok := store.Place(id); ok {
			list = append(list, chunk)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// next is where reading goes on from a cursor: there, or at the beginning of the next chunk
// that is looked at; false when there is none.
func (list chunks) next(cursor string) (string, bool) {
	if list == nil {
		return cursor, true
	}
	chunk := 0
	if at, _, ok := strings.Cut(cursor, "."); ok {
		n, err := strconv.Atoi(at)
		if err != nil {
			return cursor, true // the store says what is wrong with it
		}
		chunk = n
	}
	i, found := slices.BinarySearch(list, chunk)
	switch {
	case i == len(list):
		return "", false
	case found && cursor != "":
		return cursor, true
	}
	return strconv.Itoa(list[i]) + ".0", true
}
