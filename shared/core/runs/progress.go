package runs

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Progress is the place that the work on a run has come to. It is stored with
// the run's record.
type Progress struct {
	// Planning. Read says that the tenant has been read for this run.
	Read    bool   `json:"read,omitempty"`
	Marks   string `json:"marks,omitempty"` // place in the marks
	Index   int    `json:"index,omitempty"` // place in the run's own list of users, or among the chunks that are undone
	Planned bool   `json:"planned,omitempty"`
	Page    int    `json:"page,omitempty"` // users to take at a time; 0: as many as usual
	// Part is the place within a chunk of the run that is undone, Lefts how many
	// notes say what stays as it is.
	Part  int `json:"part,omitempty"`
	Lefts int `json:"lefts,omitempty"`
	// Before applying: how many chunks have been made ready, and whether waves
	// have been laid out. Looked is of how many changes of the next chunk the
	// accounts have been looked at.
	Ready  int                        `json:"ready,omitempty"`
	Looked int                        `json:"looked,omitempty"`
	Laid   bool                       `json:"laid,omitempty"`
	Waves  map[directory.Effect]*Wave `json:"waves,omitempty"`
	// Exempt says that the run is held but for what takes access away.
	Exempt bool `json:"free,omitempty"`
	// Waited says that the run was held and goes on without an admin: accounts
	// that have moved on meanwhile are left out.
	Waited bool `json:"waited,omitempty"`
	// Applying: phase, and chunk within it.
	Phase int `json:"phase,omitempty"`
	Chunk int `json:"chunk,omitempty"`
	// Serial says that all that is left to send goes one change at a time, and that
	// whatever else there is to do goes in between.
	Serial bool `json:"serial,omitempty"`
	// Clean says that nothing of the run is unseen: nothing has been sent of it, or the
	// outcome of each creation that has is journalled, or among UnknownOutcomes. A slice
	// takes it back, durably, before it sends anything, and says it again when it ends in
	// order. Its name in the table is that of the version that said it only while nothing
	// had been sent. That one takes it back in time too, and others drop it.
	Clean bool `json:"unsent,omitempty"`
	// Resume is the state to go back to after waiting.
	Resume    string             `json:"resume,omitempty"`
	LastError *directory.Problem `json:"lastError,omitempty"`
	// UnknownOutcomes are the changes of which Microsoft did not tell whether it
	// made them.
	UnknownOutcomes map[directory.ChangeID]UnknownOutcome `json:"doubts,omitempty"`
	// Single says that the run waits for single accounts, and not for the tenant.
	Single bool `json:"single,omitempty"`
}

// Wave is how far one kind of changes has come that goes in waves.
type Wave struct {
	Number  int       `json:"number"`  // of the wave that may be sent now, from 1
	Start   int       `json:"start"`   // its first ordinal
	Allowed int       `json:"allowed"` // the first ordinal of the next one
	Total   int       `json:"total"`
	Look    time.Time `json:"look"` // when it is read back next
}

// Last reports whether no wave comes after this one.
func (w *Wave) Last() bool { return w.Allowed >= w.Total }

// UnknownOutcome is what is known of a change whose outcome Microsoft did not tell.
type UnknownOutcome struct {
	Since time.Time `json:"since"`
	Tries int       `json:"tries,omitempty"`
	// Works says that Microsoft answered other changes of the same batches: the
	// trouble is with this one.
	Works bool `json:"works,omitempty"`
}

// ProgressOf reads the progress of a run.
func ProgressOf(r *store.RunRecord) (*Progress, error) {
	p := &Progress{}
	if len(r.Cursor) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(r.Cursor, p); err != nil {
		return nil, fmt.Errorf("run %s: cursor: %w", r.ID, err)
	}
	return p, nil
}

// Encode is the form in which a run's record keeps it.
func (p *Progress) Encode() json.RawMessage {
	b, err := json.Marshal(p)
	if err != nil {
		panic("runs: progress: " + err.Error()) // our own type always marshals
	}
	return b
}

// Restart begins from the front with a run that was held: waves that are not
// through are laid out anew.
func (p *Progress) Restart() {
	p.Ready, p.Looked = 0, 0
	p.Exempt, p.Laid = false, false
	p.FromFront()
	maps.DeleteFunc(p.Waves, func(_ directory.Effect, w *Wave) bool { return !w.Last() })
}

// Recheck puts a run before the guard again that was held, as it was planned.
func (p *Progress) Recheck() {
	p.Restart()
	p.Waited, p.Planned = true, true
}

// GoOn goes on with a run that was stopped between two waves: with the next wave.
func (p *Progress) GoOn() {
	p.Ready, p.Looked = 0, 0
	p.Exempt = false
	p.FromFront()
}

// Choose goes on with chosen changes of a run that was stopped between two waves:
// whoever picks them has looked at them, so that they go in no more waves.
func (p *Progress) Choose() {
	p.Restart()
	p.Laid, p.Waves = true, nil
}

// HoldRest holds what waits of a run, now that what was exempt is through.
func (p *Progress) HoldRest() {
	p.Exempt = false
	p.FromFront()
}

// FromFront has the changes gone through from the first phase on.
func (p *Progress) FromFront() { p.Phase, p.Chunk, p.Serial = 0, 0, false }

// NextPhase goes on with the next phase.
func (p *Progress) NextPhase() { p.Phase, p.Chunk = p.Phase+1, 0 }

// WaitFrom notes what to go back to when a run in a state starts to wait. single
// says that it waits for single accounts.
func (p *Progress) WaitFrom(state directory.RunState, single bool) {
	p.Resume, p.Single = string(p.StateBehind(state)), single
}

// Resumed is the state that a run goes back to that has waited.
func (p *Progress) Resumed() directory.RunState {
	if p.Resume == string(directory.RunApplying) {
		return directory.RunApplying
	}
	return directory.RunPlanning
}

// StateBehind is the state of a run, or the one that it waits in.
func (p *Progress) StateBehind(s directory.RunState) directory.RunState {
	if s == directory.RunWaiting {
		return p.Resumed()
	}
	return s
}

// WavesToCome reports whether a wave is still to come.
func (p *Progress) WavesToCome() bool {
	for _, w := range p.Waves {
		if !w.Last() {
			return true
		}
	}
	return false
}

// NextLook is when the next wave is read back.
func (p *Progress) NextLook() time.Time {
	var first time.Time
	for _, w := range p.Waves {
		if !w.Last() && (first.IsZero() || w.Look.Before(first)) {
			first = w.Look
		}
	}
	return first
}
