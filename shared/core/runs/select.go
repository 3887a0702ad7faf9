package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// selected makes of an approval with a filter one that names changes by their places:
// those that it names already, and those that the filter selects. The plan is the one
// that the admin was shown, since a plan is never changed. An approval that takes all
// that is open is one of all. What may be sent is by that written down change by change,
// under the seal of the decision, and no worker has to understand filters. goes is how many
// changes are written by it at most, as of letGo.
func (s *Service) selected(ctx context.Context, r *store.RunRecord, a plan.Approval, named map[int][]int) (made plan.Approval, places map[int][]int, goes *int, err error) {
	places = maps.Clone(named)
	others := plan.Approval{ChangeIDs: a.ChangeIDs, Effects: a.Effects}
	part := goesOn{n: r.Applied + r.Failed, chooses: func(c *directory.Change) bool { return undecided(c) && a.Where.Match(c) || others.Chooses(c) }}
	ids := slices.Clone(a.ChangeIDs)
	open, taken, matched := 0, 0, 0
	err = s.eachChange(ctx, r, nil, func(c *directory.Change) error {
		part.add(c)
		if !undecided(c) {
			return nil
		}
		open++
		if a.Chooses(c) {
			taken++
		}
		if !a.Where.Match(c) {
			return nil
		}
		matched++
		_, chunk, index, ok := store.Place(c.ID)
		if !ok {
			return fmt.Errorf("run %s: %q is no change's ID", r.ID, string(c.ID))
		}
		if !slices.Contains(places[chunk], index) {
			places[chunk], ids = append(slices.Clip(places[chunk]), index), append(ids, c.ID)
		}
		return nil
	})
	switch {
	case err != nil:
		return a, nil, nil, err
	case matched == 0:
		return a, nil, nil, directory.Refuse(directory.ErrInvalid, directory.CodeNothingChosen, "None of the run's open changes is one that the filter selects, so nothing would be approved.",
			"GET /v1/runs/{id}/changes takes the same filter, and shows what it selects.")
	case taken == open:
		return plan.Approval{All: true}, nil, nil, nil
	case len(ids) > MaxSelected:
		return a, nil, nil, directory.Refuse(directory.ErrTooLarge, directory.CodeTooManyChanges,
			fmt.Sprintf("The filter selects %d of %d changes; an approval of a part may have %d at most.", matched, open, MaxSelected), "Narrow the filter, or approve by effects, or all of the run.")
	}
	return plan.Approval{ChangeIDs: ids, Effects: a.Effects}, places, new(part.all()), nil
}

// eachChange hands on the changes of some chunks of a run in their order, with what has
// become of them.
func (s *Service) eachChange(ctx context.Context, r *store.RunRecord, of chunks, take func(*directory.Change) error) error {
	for cursor := ""; ; {
		var more bool
		if cursor, more = of.next(cursor); !more {
			return nil
		}
		page, next, err := s.changes.Changes(ctx, r, cursor, store.ChunkSize)
		if err != nil {
			return err
		}
		for i := range page {
			if err := take(&page[i]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// Selection is how many of a run's changes a filter selects.
type Selection struct {
	Changes int                           `json:"changes" doc:"How many changes the filter selects."`
	Of      int                           `json:"of" doc:"Of how many changes; with place, of how many that were looked at."`
	Effects map[directory.Effect]int      `json:"effects" doc:"The selected ones by what they do."`
	States  map[directory.ChangeState]int `json:"states" doc:"The selected ones by what has become of them."`
	People  map[directory.Effect]int      `json:"people,omitempty" doc:"Where changes are about several people each, as of a group's licences: about how many."`
	// Irreversible counts those of which something cannot be taken back.
	Irreversible map[directory.Effect]int `json:"irreversible" doc:"Those of which something cannot be taken back, by what they do."`
	// Written is what an approval of the selected changes would write.
	Written *Written `json:"written,omitempty" doc:"While the run is held: what an approval of the selected ones would write. What follows from a change that it declines is declined with it."`
	// Groups are those that the selected changes are about (plan.GroupOf).
	Groups  []GroupSelection `json:"groups,omitempty" doc:"Groups of the directory that the selected ones are about: of many, the 200 with the most."`
	Partial bool             `json:"partial,omitempty" doc:"The run has more changes than were looked at (100,000): all numbers are of these."`
}

// Written is what an approval would write.
type Written struct {
	Changes int                      `json:"changes"`
	Effects map[directory.Effect]int `json:"effects"`
	// Irreversible counts those of which something cannot be taken back.
	Irreversible map[directory.Effect]int `json:"irreversible"`
}

func newWritten() *Written {
	return &Written{Effects: map[directory.Effect]int{}, Irreversible: map[directory.Effect]int{}}
}

func (w *Written) add(c *directory.Change) {
	w.Changes++
	w.Effects[c.Effect]++
	if lasting(c) {
		w.Irreversible[c.Effect]++
	}
}

// lasting reports whether something of a change cannot be taken back.
func lasting(c *directory.Change) bool {
	return c.Irreversible != "" || slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool { return p.Irreversible != "" })
}

// approvals finds out what an approval of what a filter selects would write. As the engine
// does, it looks at each chunk by itself: all changes of an object stand in one.
type approvals struct {
	filter         *plan.Filter
	chunk          int
	changes        []directory.Change // of the chunk
	open           int                // how many of all may still be decided about
	chosen, partly *Written           // all that is selected, and without what is declined with another
}

func newApprovals(f *plan.Filter) *approvals {
	return &approvals{filter: f, chosen: newWritten(), partly: newWritten()}
}

// add takes the next change.
func (a *approvals) add(c *directory.Change) {
	if _, chunk, _, ok := store.Place(c.ID); ok && chunk != a.chunk {
		a.endChunk()
		a.chunk = chunk
	}
	a.changes = append(a.changes, *c)
}

func (a *approvals) endChunk() {
	for i, yes := range plan.SelectFunc(a.changes, func(c *directory.Change) bool { return undecided(c) && a.filter.Match(c) }) {
		c := &a.changes[i]
		if undecided(c) {
			a.open++
			if a.filter.Match(c) {
				a.chosen.add(c)
			}
		}
		if yes {
			a.partly.add(c)
		}
	}
	a.changes = a.changes[:0]
}

// written is what would be. Who approves all that is open by a filter approves the run,
// and nothing is declined.
func (a *approvals) written() *Written {
	a.endChunk()
	if a.filter.IDs == nil && a.chosen.Changes == a.open {
		return a.chosen
	}
	return a.partly
}

// undecided reports whether a change may still be written.
func undecided(c *directory.Change) bool {
	return c.State == directory.ChangePlanned || c.State == directory.ChangeApproved
}

// GroupSelection is how many of the selected changes are about a group.
type GroupSelection struct {
	GroupID directory.GroupID        `json:"groupId"`
	Changes int                      `json:"changes"`
	Effects map[directory.Effect]int `json:"effects"`
}

// mostCounted is how many changes one Count looks at.
const mostCounted = 100_000

var errEnough = errors.New("runs: enough")

// Count counts those of a run's changes that a filter selects. It reads the plan: where
// nothing is filtered by, the run's own counts say as much.
func (s *Service) Count(ctx context.Context, id directory.RunID, f plan.Filter) (Selection, error) {
	sel := Selection{Effects: map[directory.Effect]int{}, States: map[directory.ChangeState]int{}, Irreversible: map[directory.Effect]int{}}
	r, err := s.runs.Run(ctx, id)
	if err != nil {
		return sel, err
	}
	progress, err := ProgressOf(&r)
	if err != nil {
		return sel, err
	}
	groups := map[directory.GroupID]*GroupSelection{}
	approvals := newApprovals(&f)
	err = s.eachChange(ctx, &r, chunksOf(&f), func(c *directory.Change) error {
		if sel.Of == mostCounted {
			sel.Partial = true
			return errEnough
		}
		sel.Of++
		c.State = progress.stateOf(&r, c)
		if r.State == directory.RunHeld {
			approvals.add(c)
		}
		if f.Match(c) {
			sel.add(c, groups)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if r.State == directory.RunHeld {
		sel.Written = approvals.written()
	}
	for _, g := range groups {
		sel.Groups = append(sel.Groups, *g)
	}
	slices.SortFunc(sel.Groups, func(a, b GroupSelection) int {
		return cmp.Or(cmp.Compare(b.Changes, a.Changes), cmp.Compare(a.GroupID, b.GroupID))
	})
	sel.Groups = sel.Groups[:min(len(sel.Groups), mostParts)]
	return sel, err
}

// add counts one change, and for its group as well.
func (s *Selection) add(c *directory.Change, groups map[directory.GroupID]*GroupSelection) {
	if g := plan.GroupOf(c); g != "" {
		if groups[g] == nil {
			groups[g] = &GroupSelection{GroupID: g, Effects: map[directory.Effect]int{}}
		}
		groups[g].Changes++
		groups[g].Effects[c.Effect]++
	}
	s.Changes++
	s.Effects[c.Effect]++
	s.States[c.State]++
	if c.People > 1 {
		if s.People == nil {
			s.People = map[directory.Effect]int{}
		}
		s.People[c.Effect] += c.People
	}
	if lasting(c) {
		s.Irreversible[c.Effect]++
	}
}
