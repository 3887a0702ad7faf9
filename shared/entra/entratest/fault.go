package entratest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault makes something go wrong for the calls that it matches. The kinds stand in
// the README of this folder.
type Fault struct {
	ID         string         `json:"id,omitempty"`
	Kind       string         `json:"kind"`
	Tenant     string         `json:"tenantId,omitempty"`
	App        string         `json:"appId,omitempty"`
	Method     string         `json:"method,omitempty"`
	Path       string         `json:"path,omitempty"`       // regexp on path and query below the version, any case
	Nth        int            `json:"nth,omitempty"`        // strikes from the nth match on; 0 is 1
	Times      int            `json:"times,omitempty"`      // strikes this often; 0: always
	Status     int            `json:"status,omitempty"`     // of kind status
	Code       string         `json:"code,omitempty"`       // of the error body
	Message    string         `json:"message,omitempty"`    // of the error body
	When       string         `json:"when,omitempty"`       // before (default) or after the call took effect
	RetryAfter string         `json:"retryAfter,omitempty"` // header as it is; empty: none
	Seconds    float64        `json:"seconds,omitempty"`    // of lag, slow and audit-lag
	Grant      string         `json:"grant,omitempty"`      // of kind token: the step that fails
	AADSTS     int            `json:"aadsts,omitempty"`     // of kind token
	SubError   string         `json:"suberror,omitempty"`   // of kind token
	Account    map[string]any `json:"account,omitempty"`    // of kind race-create: further properties
	Property   string         `json:"property,omitempty"`   // of the kinds kept-otherwise, value-dropped and value-refused
	Value      any            `json:"value,omitempty"`      // of kind kept-otherwise: what is kept; of value-refused: only this one is refused
	User       string         `json:"user,omitempty"`       // of these kinds: id or userPrincipalName; empty: everybody's
	Matched    int            `json:"matched"`              // calls that matched so far
	Struck     int            `json:"struck"`               // times that it struck so far

	path *regexp.Regexp
}

// faultKinds are the kinds that there are.
var faultKinds = []string{
	"lag", "throttle", "status", "drop", "slow", "unauthorized", "proxy-conflict", "premium", "audit-lag", "race-create", "token",
	"delta-duplicate", "delta-replay", "delta-split", "delta-shuffle", "delta-empty-page", "delta-removed",
	"delta-gone", "delta-state-not-found", "page-empty", "page-expired", "page-loop-same", "page-loop-cycle", "page-loop-new",
	"kept-otherwise", "value-dropped", "value-refused",
}

// ofValues are the kinds that befall one property, in the order in which they do.
var ofValues = []string{"value-refused", "value-dropped", "kept-otherwise"}

// FaultKinds lists the kinds of faults that there are.
func FaultKinds() []string { return slices.Clone(faultKinds) }

// SetFault adds a fault and returns its id.
func (s *Server) SetFault(f Fault) (string, error) {
	if !slices.Contains(faultKinds, f.Kind) {
		return "", fmt.Errorf("there is no kind of fault %q; there are %s", f.Kind, strings.Join(faultKinds, ", "))
	}
	switch {
	case f.Kind == "status" && (f.Status < 400 || f.Status > 599):
		return "", errors.New("a fault of kind status needs a status from 400 to 599")
	case f.When != "" && f.When != "before" && f.When != "after":
		return "", errors.New(`when is "before" or "after"`)
	case (f.Kind == "lag" || f.Kind == "slow") && (f.Seconds <= 0 || f.Seconds > keepPast.Seconds()):
		return "", fmt.Errorf("a fault of kind %s needs seconds, above 0 and up to %g", f.Kind, keepPast.Seconds())
	case f.Kind == "audit-lag" && (f.Seconds <= 0 || f.Seconds > 86400):
		return "", errors.New("a fault of kind audit-lag needs seconds, above 0 and up to 86400")
	case f.Kind == "token" && f.AADSTS <= 0:
		return "", errors.New("a fault of kind token needs the number in aadsts")
	case slices.Contains(ofValues, f.Kind) && !settable(f.Property):
		return "", fmt.Errorf("a fault of kind %s needs the name of a property that can be written, not %q", f.Kind, f.Property)
	case f.Nth < 0 || f.Times < 0:
		return "", errors.New("nth and times cannot be negative")
	}
	if f.Path != "" {
		re, err := regexp.Compile("(?i)" + f.Path)
		if err != nil {
			return "", fmt.Errorf("path: %w", err)
		}
		f.path = re
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ID == "" {
		s.faultSeq++
		f.ID = "fault-" + strconv.Itoa(s.faultSeq)
	}
	f.Matched, f.Struck = 0, 0
	s.faults = slices.DeleteFunc(s.faults, func(old *Fault) bool { return old.ID == f.ID })
	s.faults = append(s.faults, &f)
	return f.ID, nil
}

// Faults returns the faults that are set, with how often they struck.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}

// ClearFaults removes the faults with these ids, or all without ids.
func (s *Server) ClearFaults(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return len(ids) == 0 || slices.Contains(ids, f.ID) })
}

// circumstances are what a fault is matched against.
type circumstances struct{ tenant, app, method, path, grant string }

// strike counts a call for the first fault of a kind that it matches and returns
// it when it strikes now, else nil. It takes the mutex.
func (s *Server) strike(kind string, at circumstances) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strikeLocked(kind, at)
}

func (s *Server) strikeLocked(kind string, at circumstances) *Fault {
	for _, f := range s.faults {
		if f.Kind != kind || !f.matches(at) {
			continue
		}
		f.Matched++
		if f.Matched >= f.Nth && (f.Times == 0 || f.Struck < f.Times) {
			f.Struck++
			c := *f
			return &c
		}
	}
	return nil
}

// strikeAll counts a call for every fault of some kinds that it matches and that
// applies to it, up to the first that refuses it, and returns those that strike
// now, in the order of kinds. The mutex is held.
func (s *Server) strikeAll(kinds []string, at circumstances, applies func(*Fault) bool) []Fault {
	var out []Fault
	for _, kind := range kinds {
		for _, f := range s.faults {
			if f.Kind != kind || !f.matches(at) || !applies(f) {
				continue
			}
			f.Matched++
			if f.Matched >= f.Nth && (f.Times == 0 || f.Struck < f.Times) {
				f.Struck++
				if out = append(out, *f); kind == "value-refused" {
					return out
				}
			}
		}
	}
	return out
}

// settable reports whether a property, by its flat name, can be written.
func settable(name string) bool {
	return userProperties[name].write && userProperties[name].kind != aRecord || recordOf(name) != ""
}

func (f *Fault) matches(at circumstances) bool {
	return (f.Tenant == "" || strings.EqualFold(f.Tenant, at.tenant)) &&
		(f.App == "" || strings.EqualFold(f.App, at.app)) &&
		(f.Method == "" || strings.EqualFold(f.Method, at.method)) &&
		(f.Grant == "" || strings.EqualFold(f.Grant, at.grant)) &&
		(f.path == nil || f.path.MatchString(at.path))
}

func (f *Fault) after() bool { return f.When == "after" }

func (f *Fault) duration() time.Duration { return time.Duration(f.Seconds * float64(time.Second)) }
