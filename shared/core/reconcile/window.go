package reconcile

import (
	"context"
	"maps"
	"slices"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// window is the chunks of a run that the next flights are picked from, those that
// follow each other in the plan. A flight reaches past the end of a chunk, so that
// nothing waits for the last few changes of one.
type window struct {
	a      *applier
	t      *task
	chunks []*chunk // that are at hand; the first is Progress.Chunk
	left   int      // changes that the run still has to send, as last read
}

// mostChunks is how many chunks are at hand at most: as many as the largest flight
// may need when their last changes are left.
const mostChunks = 3

// pick is what a flight takes of a chunk: the places of changes.
type pick struct {
	k      *chunk
	places []int
}

// choice is what is being picked, and what stands in its way.
type choice struct {
	phase int
	room  int            // for so many changes more
	kind  directory.Kind // of what has been picked; "" so far none
	// requests is how many bundles may be begun, and bundles are those that are, see
	// Bundler. They take no room: several changes are one request.
	requests int
	bundles  map[string]*bundle
	// busy are objects of which a change is on its way, picked, or open further
	// ahead: an object's changes follow each other.
	busy map[directory.Ref]bool
	// given are names that open changes give up: who takes one of them waits.
	given map[string]bool
	// tried are changes that Microsoft has not decided about so far: they go when
	// there is room, so that none of them keeps others waiting.
	tried []pick
}

// bundle is changes that go in one request.
type bundle struct {
	k      *chunk // that all of them are of
	effect directory.Effect
	room   int // for so many more
}

// full reports whether nothing more is to be picked.
func (c *choice) full() bool {
	if len(c.bundles) == 0 {
		return c.room == 0
	}
	if c.room == 0 || len(c.bundles) < c.requests {
		return c.room == 0
	}
	for _, b := range c.bundles {
		if b.room > 0 {
			return false
		}
	}
	return true
}

// take makes room for a change; false: there is none.
func (c *choice) take(k *chunk, change *directory.Change) bool {
	name, most := k.bundle(change)
	if name == "" {
		c.room--
		return true
	}
	b := c.bundles[name]
	if b == nil && len(c.bundles) < c.requests {
		b = &bundle{k, change.Effect, most}
		c.bundles[name] = b
	}
	if b == nil || b.k != k || b.effect != change.Effect || b.room == 0 {
		return false
	}
	b.room--
	return true
}

// bundle is the change's, see Bundler; "" when it goes by itself.
func (k *chunk) bundle(c *directory.Change) (name string, most int) {
	if of, bundles := k.a.kinds.of(c.Ref().Kind).(Bundler); bundles && !k.a.alone[c.ID] {
		return of.Bundle(c)
	}
	return "", 0
}

// pick chooses the next flight, all of one kind and at most one change of an object;
// none when nothing of the phase can be sent any more. A change that takes a name
// which another one gives up, of its chunk or one before, waits for that one. Where
// all wait for each other they are sent as they are, and Microsoft's refusals say who
// has which name. While a flight is on its way nothing is picked that it touches.
func (w *window) pick(ctx context.Context, air *flight) ([]pick, error) {
	for {
		picked, err := w.pickAmong(ctx, air, w.choice(air))
		if err != nil || len(picked) > 0 || air != nil {
			return picked, err
		}
		for _, k := range w.chunks { // all that is left waits for each other
			c := w.choice(nil)
			c.given = nil
			if picked := c.fill(k.pick(c)); len(picked) > 0 {
				return picked, nil
			}
		}
		w.t.at.Chunk += len(w.chunks)
		w.chunks = nil
		if w.t.at.Chunk >= w.t.run.Chunks {
			return nil, nil
		}
	}
}

// choice is an empty one, past what is on its way.
func (w *window) choice(air *flight) *choice {
	waiting := w.left
	if air != nil {
		waiting = max(1, waiting-len(air.sent()))
	}
	flow := w.a.flow(w.a.s.quota(), waiting)
	c := &choice{phase: w.t.at.Phase, room: flow.Width * flow.Size, requests: flow.Width, busy: map[directory.Ref]bool{}, given: map[string]bool{}, bundles: map[string]*bundle{}}
	if directory.SerialPhase(c.phase) {
		c.room = 1
		if air != nil {
			c.room = 0 // one at a time
		}
		return c
	}
	if air != nil {
		maps.Copy(c.busy, air.refs())
		// The next one may be wider; what there is no room for then goes later.
		c.requests += (flow.Width + 1) / 2
		c.room = min(waiting, c.requests*flow.Size)
	}
	return c
}

// pickAmong picks from the chunks at hand and, while there is room, from those after
// them.
func (w *window) pickAmong(ctx context.Context, air *flight, c *choice) ([]pick, error) {
	w.slide()
	var picked []pick
	for n := 0; n < mostChunks && !c.full(); n++ {
		if n == len(w.chunks) {
			more, err := w.load(ctx)
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
		}
		k := w.chunks[n]
		k.addGiven(c.given)
		picked = append(picked, k.pick(c)...)
	}
	return c.fill(picked), nil
}

// slide lets go the chunks at the front of which everything has been sent.
func (w *window) slide() {
	for len(w.chunks) > 0 && !w.chunks[0].due(w.t.at.Phase) {
		w.chunks = w.chunks[1:]
		w.t.at.Chunk++
	}
}

// load reads the chunk after those at hand; false: there is none.
func (w *window) load(ctx context.Context) (bool, error) {
	number := w.t.at.Chunk + len(w.chunks)
	if number >= w.t.run.Chunks {
		return false, nil
	}
	k, err := w.a.load(ctx, w.t, number)
	if err != nil {
		return false, err
	}
	if w.t.at.WavesToCome() {
		k.places = w.t.tally.places(k.number, k.changes)
	}
	w.chunks = append(w.chunks, k)
	return true, nil
}

// due reports whether a change of the chunk may still go in a phase.
func (k *chunk) due(phase int) bool {
	for i := range k.changes {
		if k.inTurn(i, phase) {
			return true
		}
	}
	return false
}

// inTurn reports whether a change is open, and its phase and wave have come.
func (k *chunk) inTurn(i, phase int) bool {
	c := &k.changes[i]
	return open(c) && c.Effect.Row().Phase <= phase && !k.waits(i)
}

// addGiven adds the names that the chunk's open changes give up.
func (k *chunk) addGiven(given map[string]bool) {
	if given == nil {
		return
	}
	for i := range k.changes {
		c := &k.changes[i]
		if !open(c) {
			continue
		}
		if gives, _ := k.names(c); gives != "" {
			given[gives] = true
		}
	}
}

// pick chooses open changes of the chunk, each object's in their order.
func (k *chunk) pick(c *choice) []pick {
	p := pick{k: k}
	for i := range k.changes {
		change := &k.changes[i]
		ref := change.Ref()
		if c.full() {
			break
		}
		if !open(change) || c.busy[ref] {
			continue
		}
		// An open change keeps the later ones of its object waiting.
		c.busy[ref] = true
		if _, takes := k.names(change); c.given[takes] || c.kind != "" && c.kind != ref.Kind {
			continue
		}
		switch {
		case !k.inTurn(i, c.phase):
		case k.a.outcomes[change.ID].Tries > 0:
			c.tried = append(c.tried, pick{k, []int{i}})
		case c.take(k, change):
			p.places = append(p.places, i)
			c.kind = ref.Kind
		}
	}
	if len(p.places) == 0 {
		return nil
	}
	return []pick{p}
}

// fill adds changes that have been tried before, while there is room.
func (c *choice) fill(picked []pick) []pick {
	for _, p := range c.tried {
		kind := p.k.changes[p.places[0]].Ref().Kind
		if c.room == 0 || c.kind != "" && c.kind != kind {
			continue
		}
		c.kind = kind
		c.room--
		at := slices.IndexFunc(picked, func(other pick) bool { return other.k == p.k })
		if at < 0 {
			picked = append(picked, p)
			continue
		}
		picked[at].places = append(picked[at].places, p.places...)
	}
	return picked
}

// names are the names that a change gives up and takes, apart by kind.
func (k *chunk) names(c *directory.Change) (gives, takes string) {
	kind := c.Ref().Kind
	objects := k.a.kinds.of(kind)
	if objects == nil {
		return "", ""
	}
	gives, takes = objects.Names(c)
	if gives == takes {
		return "", ""
	}
	return nameIn(kind, gives), nameIn(kind, takes)
}

// nameIn is a name apart from those of other kinds; of no name it is none.
func nameIn(kind directory.Kind, name string) string {
	if name == "" {
		return ""
	}
	return string(kind) + "/" + name
}

// waits reports whether a change may not go yet: the run is held, and it is not
// of those that go all the same, or its wave has not come.
func (k *chunk) waits(i int) bool {
	if k.t.at.Exempt && !plan.Exempt(k.t.run.Held, &k.changes[i]) {
		return true
	}
	at, in := k.places[i]
	if !in {
		return false
	}
	ws, gated := k.t.at.Waves[at.class]
	return gated && at.ordinal >= ws.Allowed
}
