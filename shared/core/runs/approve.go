package runs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

const (
	// MaxChosen is how many changes an approval may name.
	MaxChosen = 20000
	// MaxSelected is how many a filter may select, of a run that has others besides:
	// their places go into one item.
	MaxSelected = 75000
)

// Approve lets a held run go on: with all of its changes, with chosen ones, with
// chosen effects, or with what a filter selects. The others are declined, and not
// proposed again while they would be the same. The zero Approval declines everything.
// It says who decided, and why if they said; a change whose user or account has moved on since is dropped as
// outdated by itself. Under fourEyes nobody approves their own request, by the
// run or by an edit that its plan comes from; declining is free.
func (s *Service) Approve(ctx context.Context, by directory.Caller, id directory.RunID, asked plan.Approval) (directory.Run, error) {
	named, err := chosen(id, asked.ChangeIDs)
	if err != nil {
		return directory.Run{}, err
	}
	kind := directory.AuditApproveRun
	if asked.Declines() {
		kind = directory.AuditDeclineRun
	}
	run, err := s.move(ctx, by.AuditEvent(kind), id, func(r *store.RunRecord, now time.Time) ([]store.Note, error) {
		if r.State != directory.RunHeld {
			next := ""
			if r.State == directory.RunSuperseded {
				next = "A later run of the connection plans its changes anew: decide that one."
			}
			return nil, directory.Refuse(directory.ErrConflict, directory.CodeRunNotHeld, "The run is "+string(r.State)+", so there is nothing to decide.", next)
		}
		if !asked.Declines() {
			if err := s.otherEyes(ctx, by, r); err != nil {
				return nil, err
			}
		}
		for chunk := range named {
			if chunk >= r.Chunks {
				return nil, noSuchChange(directory.ChangeID(fmt.Sprintf("%s.%d.%d", id, chunk, named[chunk][0])))
			}
		}
		a, places, goes, err := s.taken(ctx, r, asked, named)
		if err != nil {
			return nil, err
		}
		progress, err := ProgressOf(r)
		if err != nil {
			return nil, err
		}
		switch {
		case r.Held == nil || r.Held.Wave == nil:
			progress.Restart()
		case a.All:
			progress.GoOn()
		default:
			progress.Choose()
		}
		r.Cursor, r.Attempts = progress.Encode(), 0
		r.State, r.ApprovedBy, r.ApprovedAt = directory.RunApplying, by.Subject, now.UTC()
		r.Decided = true // here, where the admin is known, the approval is sealed
		r.Approval = &store.Approval{All: a.All, Effects: a.Effects, Chosen: len(a.ChangeIDs), Before: r.Applied + r.Failed}
		r.Approved = goes
		r.NoteDecision(kind, by, now)
		if len(places) == 0 {
			return nil, nil
		}
		return []store.Note{{Name: store.NoteApproved, Body: places}}, nil
	})
	if err == nil {
		_ = s.wake(ctx, run.ConnectionID, 0) // the run stands in the table; the schedule wakes it otherwise
	}
	return run, err
}

// taken is what an approval takes of a run, with the places of the changes that it names, and how
// many of the run's changes are written by it at most, those before it among them; nil of an
// approval of all.
func (s *Service) taken(ctx context.Context, r *store.RunRecord, a plan.Approval, named map[int][]int) (made plan.Approval, places map[int][]int, goes *int, err error) {
	if a.Where != nil {
		return s.selected(ctx, r, a, named)
	}
	goes, err = s.letGo(ctx, r, a, named)
	return a, named, goes, err
}

// letGo is how many changes of a held run are written at most by an approval without a filter,
// those before it among them. nil of one of all, and where more than mostCounted would have to be looked at.
func (s *Service) letGo(ctx context.Context, r *store.RunRecord, a plan.Approval, named map[int][]int) (*int, error) {
	switch {
	case a.All:
		return nil, nil
	case a.Declines():
		return new(r.Applied + r.Failed), nil
	}
	var of chunks // all, where effects are chosen
	if len(a.Effects) == 0 {
		of = slices.Sorted(maps.Keys(named))
	}
	ids := make(map[directory.ChangeID]bool, len(a.ChangeIDs))
	for _, id := range a.ChangeIDs {
		ids[id] = true
	}
	effects := plan.Approval{Effects: a.Effects}
	goes, looked := goesOn{n: r.Applied + r.Failed, chooses: func(c *directory.Change) bool { return ids[c.ID] || effects.Chooses(c) }}, 0
	err := s.eachChange(ctx, r, of, func(c *directory.Change) error {
		if looked++; looked > mostCounted {
			return errEnough
		}
		goes.add(c)
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return new(goes.all()), nil
}

// goesOn counts to n the open changes that an approval of a part lets go on. It selects as the engine
// does, chunk by chunk: all changes of an object stand in one.
type goesOn struct {
	chooses func(*directory.Change) bool
	chunk   int
	changes []directory.Change // of the chunk
	n       int
}

// add takes the next change.
func (g *goesOn) add(c *directory.Change) {
	if _, chunk, _, ok := store.Place(c.ID); ok && chunk != g.chunk {
		g.endChunk()
		g.chunk = chunk
	}
	g.changes = append(g.changes, *c)
}

func (g *goesOn) endChunk() {
	for i, yes := range plan.SelectFunc(g.changes, g.chooses) {
		if yes && undecided(&g.changes[i]) {
			g.n++
		}
	}
	g.changes = g.changes[:0]
}

// all is n when all changes have been added.
func (g *goesOn) all() int {
	g.endChunk()
	return g.n
}

// chosen turns the IDs of a run's changes into their places.
func chosen(id directory.RunID, list []directory.ChangeID) (map[int][]int, error) {
	if len(list) > MaxChosen {
		return nil, directory.Refuse(directory.ErrTooLarge, directory.CodeTooManyChanges,
			fmt.Sprintf("An approval may name at most %d changes.", MaxChosen), "Approve by effects, or all of the run.")
	}
	places := map[int][]int{}
	for _, c := range list {
		run, chunk, index, ok := store.Place(c)
		if !ok || run != id || chunk < 0 || index < 0 || index >= store.ChunkSize {
			return nil, noSuchChange(c)
		}
		places[chunk] = append(places[chunk], index)
	}
	return places, nil
}

func noSuchChange(c directory.ChangeID) error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeNoSuchChange, fmt.Sprintf("%q is not a change of this run.", string(c)),
		"IDs are those that GET /v1/runs/{id}/changes gives.")
}

// otherEyes refuses the approval of a held run by those who asked for it: for the
// run itself, or by the edits that its plan comes from.
func (s *Service) otherEyes(ctx context.Context, by directory.Caller, r *store.RunRecord) error {
	_, c, err := s.leases.PeekLease(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	return c.Settings.OtherEyes(by.Subject, append(slices.Clone(r.EditedBy), r.AskedBy)...)
}
