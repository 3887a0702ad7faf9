package reconcile

import (
	"bindery/shared/directory"
	"bindery/shared/store"
)

// describe says of a journal's results what their changes alone know: whom they
// concern, and how many of which effect came to what.
func (a *applier) describe(j *store.Journal) {
	j.Refs, j.Tally = make([]directory.Ref, len(j.Results)), map[string]int{}
	for i, r := range j.Results {
		c := &a.changes[r.Index]
		j.Refs[i] = c.Ref()
		j.Tally[string(r.State)+"/"+string(c.Effect)]++
	}
}
