package reconcile

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// cursor is the engine's place in a run.
type cursor struct {
	// Planning.
	Read    bool   `json:"read,omitempty"`  // the tenant has been read for this run
	Marks   string `json:"marks,omitempty"` // place in the marks
	Index   int    `json:"index,omitempty"` // place in the run's own list of users
	Planned bool   `json:"planned,omitempty"`
	Page    int    `json:"page,omitempty"` // users to take at a time; 0: planPage
	// Before applying: how many chunks have been made ready, and whether waves
	// have been laid out. Looked is of how many changes of the next chunk the
	// accounts have been looked at.
	Ready  int                        `json:"ready,omitempty"`
	Looked int                        `json:"looked,omitempty"`
	Laid   bool                       `json:"laid,omitempty"`
	Waves  map[directory.Effect]*wave `json:"waves,omitempty"`
	// Free says that the run is held but for what takes access away.
	Free bool `json:"free,omitempty"`
	// Waited says that the run was held and goes on without an admin: accounts
	// that have moved on meanwhile are left out.
	Waited bool `json:"waited,omitempty"`
	// Part is the place within a chunk of the run that is undone, Lefts how many
	// notes say what stays as it is.
	Part  int `json:"part,omitempty"`
	Lefts int `json:"lefts,omitempty"`
	// Applying: phase, and chunk within it.
	Phase int `json:"phase,omitempty"`
	Chunk int `json:"chunk,omitempty"`
	// Resume is the state to go back to after waiting.
	Resume    string             `json:"resume,omitempty"`
	LastError *directory.Problem `json:"lastError,omitempty"`
	// Doubts are the changes whose outcome nobody knows yet.
	Doubts map[directory.ChangeID]doubt `json:"doubts,omitempty"`
	// Single says that the run waits for single accounts, and not for the tenant.
	Single bool `json:"single,omitempty"`
	// Settled counts bindings that planning found in need of nothing.
	Settled int `json:"settled,omitempty"`
}

// doubt is what is known of a change whose outcome Microsoft did not tell.
type doubt struct {
	Since time.Time `json:"since"`
	Tries int       `json:"tries,omitempty"`
	// Works says that Microsoft answered other changes of the same batches: the
	// trouble is with this one.
	Works bool `json:"works,omitempty"`
}

func decodeCursor(r *store.RunRecord) (*cursor, error) {
	cur := &cursor{}
	if len(r.Cursor) == 0 {
		return cur, nil
	}
	if err := json.Unmarshal(r.Cursor, cur); err != nil {
		return nil, fmt.Errorf("run %s: cursor: %w", r.ID, err)
	}
	return cur, nil
}

// again begins from the front with a run that was held: waves that are not
// through are laid out anew.
func (c *cursor) again() {
	c.Ready, c.Looked, c.Phase, c.Chunk, c.Free, c.Laid = 0, 0, 0, 0, false, false
	maps.DeleteFunc(c.Waves, func(_ directory.Effect, ws *wave) bool { return ws.Allowed < ws.Total })
}

func (c *cursor) encode() json.RawMessage {
	b, err := json.Marshal(c)
	if err != nil {
		panic("reconcile: cursor: " + err.Error()) // our own type always marshals
	}
	return b
}

// resume is the state that a waiting run goes back to.
func (c *cursor) resume() directory.RunState {
	if c.Resume == string(directory.RunApplying) {
		return directory.RunApplying
	}
	return directory.RunPlanning
}

// stateFor is what to go back to when a run in state s starts to wait.
func (c *cursor) stateFor(s directory.RunState) directory.RunState {
	if s == directory.RunWaiting {
		return c.resume()
	}
	return s
}
