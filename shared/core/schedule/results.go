package schedule

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"bindery/shared/directory"
)

// results is what a tick has done so far. Its methods may be called at once.
type results struct {
	mu     sync.Mutex
	ticked Ticked
	gauges map[string]int // of the round so far
	errs   []error
}

// maxErrors is how many errors one tick tells of.
const maxErrors = 5

func newResults() *results { return &results{gauges: map[string]int{}} }

// failed notes what failed, and tells of the first few.
func (r *results) failed(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ticked.Failed++
	if r.ticked.Failed <= maxErrors {
		r.errs = append(r.errs, err)
	}
}

// visited counts a connection that had its turn.
func (r *results) visited() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ticked.Connections++
}

// sent counts wake-ups that the queue took.
func (r *results) sent(list []directory.WakeUp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range list {
		if w.JobID != "" {
			r.ticked.Jobs++
		} else {
			r.ticked.Woken++
		}
	}
}

// resume takes the gauges over to which the round had added up when it was left.
func (r *results) resume(gauges map[string]int) {
	if gauges != nil {
		r.gauges = gauges
	}
}

// gaugesSoFar is what the round's gauges add up to so far.
func (r *results) gaugesSoFar() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.gauges)
}

// setGauges notes the gauges to tell of, and whether the round was cut.
func (r *results) setGauges(gauges map[string]int, cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ticked.Gauges, r.ticked.Cut = gauges, cut
}

// end returns all of it. Nothing may be added any more.
func (r *results) end() (Ticked, error) {
	if r.ticked.Failed > len(r.errs) {
		r.errs = append(r.errs, fmt.Errorf("%d failures in all", r.ticked.Failed))
	}
	return r.ticked, errors.Join(r.errs...)
}
