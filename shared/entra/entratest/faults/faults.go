package faults

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bindery/shared/entra/entratest/state"
)

// The kinds of faults; what each does stands in the README of entratest.
const (
	Lag                = "lag"
	Throttle           = "throttle"
	Status             = "status"
	Drop               = "drop"
	Slow               = "slow"
	DearBatch          = "dear-batch"
	Unauthorized       = "unauthorized"
	ProxyConflict      = "proxy-conflict"
	Premium            = "premium"
	AuditLag           = "audit-lag"
	RaceCreate         = "race-create"
	Token              = "token"
	DeltaDuplicate     = "delta-duplicate"
	DeltaReplay        = "delta-replay"
	DeltaSplit         = "delta-split"
	DeltaShuffle       = "delta-shuffle"
	DeltaEmptyPage     = "delta-empty-page"
	DeltaRemoved       = "delta-removed"
	DeltaGone          = "delta-gone"
	DeltaStateNotFound = "delta-state-not-found"
	PageEmpty          = "page-empty"
	PageExpired        = "page-expired"
	PageLoopSame       = "page-loop-same"
	PageLoopCycle      = "page-loop-cycle"
	PageLoopNew        = "page-loop-new"
	PagePartial        = "page-partial"
	MemberLag          = "member-lag"
	DeltaSlice         = "delta-slice"
	DeltaFormerMember  = "delta-former-member"
	DeltaFalseRemoval  = "delta-false-removal"
	KeptOtherwise      = "kept-otherwise"
	ValueDropped       = "value-dropped"
	ValueRefused       = "value-refused"
)

// kinds are the kinds that there are, in the order in which they are listed.
var kinds = []string{
	Lag, Throttle, Status, Drop, Slow, DearBatch, Unauthorized, ProxyConflict, Premium, AuditLag, RaceCreate, Token,
	DeltaDuplicate, DeltaReplay, DeltaSplit, DeltaShuffle, DeltaEmptyPage, DeltaRemoved,
	DeltaGone, DeltaStateNotFound, PageEmpty, PageExpired, PageLoopSame, PageLoopCycle, PageLoopNew, PagePartial,
	MemberLag, DeltaSlice, DeltaFormerMember, DeltaFalseRemoval,
	KeptOtherwise, ValueDropped, ValueRefused,
}

// ofValues are the kinds that befall one property, in the order in which they do.
var ofValues = []string{ValueRefused, ValueDropped, KeptOtherwise}

// Kinds lists the kinds of faults that there are.
func Kinds() []string { return slices.Clone(kinds) }

// Fault makes something go wrong for the calls that it matches.
type Fault struct {
	ID         string         `json:"id,omitempty"`
	Kind       string         `json:"kind"`
	Tenant     string         `json:"tenantId,omitempty"`
	App        string         `json:"appId,omitempty"`
	Method     string         `json:"method,omitempty"`
	Path       string         `json:"path,omitempty"`       // regexp on path and query below the version, any case
	Nth        int            `json:"nth,omitempty"`        // strikes from the nth match on; 0 is 1
	Times      int            `json:"times,omitempty"`      // strikes this often; 0: always
	Status     int            `json:"status,omitempty"`     // of the kinds status and member-lag
	Code       string         `json:"code,omitempty"`       // of the error body
	Message    string         `json:"message,omitempty"`    // of the error body
	When       string         `json:"when,omitempty"`       // before (default) or after the call took effect
	RetryAfter string         `json:"retryAfter,omitempty"` // header as it is; empty: none
	Seconds    float64        `json:"seconds,omitempty"`    // of lag, member-lag, slow, dear-batch and audit-lag
	Size       int            `json:"size,omitempty"`       // of kind delta-slice: members of an item
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

// After tells whether the fault strikes once the call took effect.
func (f *Fault) After() bool { return f.When == "after" }

// Duration is how long a fault of kind lag, member-lag, slow or audit-lag lasts, and how
// long each further item takes with one of kind dear-batch.
func (f *Fault) Duration() time.Duration { return time.Duration(f.Seconds * float64(time.Second)) }

// check refuses a fault that makes no sense, and compiles its path.
func (f *Fault) check() error {
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("there is no kind of fault %q; there are %s", f.Kind, strings.Join(kinds, ", "))
	case f.Kind == Status && (f.Status < 400 || f.Status > 599):
		return errors.New("a fault of kind status needs a status from 400 to 599")
	case f.When != "" && f.When != "before" && f.When != "after":
		return errors.New(`when is "before" or "after"`)
	case f.Kind == MemberLag && f.Status != 0 && f.Status != 400 && f.Status != 404:
		return errors.New("a fault of kind member-lag has the status 404 (default) or 400")
	case slices.Contains([]string{Lag, MemberLag, Slow, DearBatch}, f.Kind) && (f.Seconds <= 0 || f.Seconds > state.MaxLag.Seconds()):
		return fmt.Errorf("a fault of kind %s needs seconds, above 0 and up to %g", f.Kind, state.MaxLag.Seconds())
	case f.Kind == AuditLag && (f.Seconds <= 0 || f.Seconds > 86400):
		return errors.New("a fault of kind audit-lag needs seconds, above 0 and up to 86400")
	case f.Kind == Token && f.AADSTS <= 0:
		return errors.New("a fault of kind token needs the number in aadsts")
	case slices.Contains(ofValues, f.Kind) && !state.Users.Writable(f.Property):
		return fmt.Errorf("a fault of kind %s needs the name of a property that can be written, not %q", f.Kind, f.Property)
	case f.Nth < 0 || f.Times < 0 || f.Size < 0:
		return errors.New("nth, times and size cannot be negative")
	}
	if f.Path == "" {
		return nil
	}
	path, err := regexp.Compile("(?i)" + f.Path)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	f.path = path
	return nil
}

// Call is what a fault is matched against; the fields that a call does not have are
// empty.
type Call struct{ Tenant, App, Method, Path, Grant string }

func (f *Fault) matches(c Call) bool {
	return (f.Tenant == "" || strings.EqualFold(f.Tenant, c.Tenant)) &&
		(f.App == "" || strings.EqualFold(f.App, c.App)) &&
		(f.Method == "" || strings.EqualFold(f.Method, c.Method)) &&
		(f.Grant == "" || strings.EqualFold(f.Grant, c.Grant)) &&
		(f.path == nil || f.path.MatchString(c.Path))
}

// count counts a call that the fault matches, and tells whether it strikes now.
func (f *Fault) count() bool {
	f.Matched++
	if f.Matched < f.Nth || f.Times > 0 && f.Struck >= f.Times {
		return false
	}
	f.Struck++
	return true
}

// Set holds the faults that are set. It may be used by several goroutines at once.
type Set struct {
	mu     sync.Mutex
	faults []*Fault
	made   int
}

// NewSet makes a Set without faults.
func NewSet() *Set { return &Set{} }

// Add sets a fault, or puts it in the place of the one with its id, and returns the
// id.
func (s *Set) Add(f Fault) (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ID == "" {
		s.made++
		f.ID = "fault-" + strconv.Itoa(s.made)
	}
	f.Matched, f.Struck = 0, 0
	s.faults = slices.DeleteFunc(s.faults, func(old *Fault) bool { return old.ID == f.ID })
	s.faults = append(s.faults, &f)
	return f.ID, nil
}

// List returns the faults that are set, with how often they struck.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}

// Clear removes the faults with these ids, or all without ids.
func (s *Set) Clear(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return len(ids) == 0 || slices.Contains(ids, f.ID) })
}

// Strike counts a call for the faults of a kind that it matches, up to the first that
// strikes now, and returns that one; nil when none does.
func (s *Set) Strike(kind string, c Call) *Fault {
	return s.StrikeIf(kind, c, func(*Fault) bool { return true })
}

// StrikeIf is Strike for the faults that also pass a test of the caller's.
func (s *Set) StrikeIf(kind string, c Call, applies func(*Fault) bool) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Kind == kind && applies(f) && f.matches(c) && f.count() {
			struck := *f
			return &struck
		}
	}
	return nil
}

// StrikeValues counts a call for every fault of a value that it matches and that
// applies to it, up to the first that refuses it, and returns those that strike now,
// in the order in which they befall the value.
func (s *Set) StrikeValues(c Call, applies func(*Fault) bool) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, kind := range ofValues {
		for _, f := range s.faults {
			if f.Kind != kind || !f.matches(c) || !applies(f) || !f.count() {
				continue
			}
			out = append(out, *f)
			if kind == ValueRefused {
				return out
			}
		}
	}
	return out
}
