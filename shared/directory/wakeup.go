package directory

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// WakeUp is the body of a queue message: look at this connection, or at this
// job. What the work is stands in the table; a lost, late or doubled wake-up
// costs time, never work.
//
// While a new version of Bindery is deployed, both versions send and receive for
// some minutes. So a reader passes over members that it does not know: what is
// left is a wake-up for the same connection or job. A message that this would
// not do for says so by Needs; a reader of an older version keeps it for the
// newer one.
type WakeUp struct {
	// Needs is the WakeUpVersion that a reader must have at least; 0 is any.
	Needs        int          `json:"needs,omitempty"`
	ConnectionID ConnectionID `json:"connectionId,omitempty"`
	JobID        JobID        `json:"jobId,omitempty"`
	// UserID is whose edit sent it, and marked the binding: whoever reads that by its
	// key need not look for it among the marks. It is a hint: the binding may have been
	// dealt with, or be of another connection by now.
	UserID UserID `json:"userId,omitempty"`
	// Second says that an earlier look found nothing and this one is the last:
	// marks are found through an index that lags.
	Second bool `json:"second,omitempty"`
	// Scheduled says that the schedule sent it, and nobody's edit.
	Scheduled bool `json:"scheduled,omitempty"`
	// Watch says that the sender may have died since: a wake-up that finds the
	// connection taken comes again when the lease must have run out.
	Watch bool `json:"watch,omitempty"`
	// ReadBack is a run that has ended and wrote: the tenant is to be looked at, to
	// see what became of it.
	ReadBack RunID `json:"readBack,omitempty"`
	// Only says of ReadBack that there is nothing else to look for: the run was of a
	// user whom its wake-up named, so that no other mark was looked for, or missed.
	Only bool `json:"only,omitempty"`
	// Check asks for the doctor.
	Check bool `json:"check,omitempty"`
	// Sweep asks for the rows and secrets of epochs that have passed to be
	// cleared away.
	Sweep bool `json:"sweep,omitempty"`
	// Kept counts how often a reader of an older version has put it back.
	Kept int `json:"kept,omitempty"`

	whole string // the message as it came, when it is a newer version's
}

// WakeUpVersion rises when a message comes to mean what a reader that passes
// over its new members would get wrong.
const WakeUpVersion = 1

// KeepFor is after how long a kept wake-up comes again; maxKept times it is
// longer than a deployment takes.
const (
	KeepFor = time.Minute
	maxKept = 30
)

// Encode returns the message's body. A newer version's goes on with all its
// members.
func (w WakeUp) Encode() []byte {
	var b []byte
	var err error
	if w.whole == "" {
		b, err = json.Marshal(w)
	} else {
		all := map[string]json.RawMessage{}
		if err = json.Unmarshal([]byte(w.whole), &all); err == nil {
			all = maps.Clone(all)
			all["kept"] = json.RawMessage(fmt.Sprint(w.Kept))
			b, err = json.Marshal(all)
		}
	}
	if err != nil {
		panic("directory: wake-up: " + err.Error()) // strings, numbers and what was read as JSON always marshal
	}
	return b
}

// ParseWakeUp reads a message's body. ErrNewer, with a wake-up that can only be
// kept or sent on, when a newer version of Bindery must read it; ErrInvalid
// when it is no wake-up.
func ParseWakeUp(body []byte) (WakeUp, error) {
	var version struct {
		Needs int `json:"needs"`
		Kept  int `json:"kept"`
	}
	if json.Unmarshal(body, &version) == nil && version.Needs > WakeUpVersion {
		return WakeUp{Needs: version.Needs, Kept: version.Kept, whole: string(body)},
			fmt.Errorf("wake-up: it needs version %d, and this is %d: %w", version.Needs, WakeUpVersion, ErrNewer)
	}
	var w WakeUp
	if err := json.Unmarshal(body, &w); err != nil {
		return w, fmt.Errorf("wake-up: %w: %w", ErrInvalid, err)
	}
	if w.ConnectionID == "" && w.JobID == "" {
		return w, fmt.Errorf("wake-up: it names neither a connection nor a job: %w", ErrInvalid)
	}
	if w.ConnectionID != "" && !validID(string(w.ConnectionID)) || w.JobID != "" && !validID(string(w.JobID)) {
		return w, fmt.Errorf("wake-up: it names what can be neither a connection nor a job: %w", ErrInvalid)
	}
	if w.UserID != "" && !w.UserID.Valid() {
		return w, fmt.Errorf("wake-up: it names what can be no user: %w", ErrInvalid)
	}
	return w, nil
}

// Keep returns a newer version's wake-up as it is to be sent once more, after
// KeepFor; false when it was kept for longer than a deployment takes.
func (w WakeUp) Keep() (WakeUp, bool) {
	w.Kept++
	return w, w.Kept <= maxKept
}
