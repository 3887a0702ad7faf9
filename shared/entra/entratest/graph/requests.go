package graph

import (
	"slices"
	"sync"
	"time"
)

// Request is one request to Graph that was seen. Items of a batch follow their
// batch and carry its request id in Batch.
type Request struct {
	Time          time.Time `json:"time"`
	Method        string    `json:"method"`
	Path          string    `json:"path"` // below the version, with the query
	Tenant        string    `json:"tenantId,omitempty"`
	App           string    `json:"appId,omitempty"`
	User          string    `json:"userId,omitempty"`
	Status        int       `json:"status"`
	ResourceUnits float64   `json:"resourceUnits"`
	Writes        int       `json:"writes"`
	Item          int       `json:"item,omitempty"` // in a batch, from 1
	Batch         string    `json:"batch,omitempty"`
	Throttled     bool      `json:"throttled,omitempty"`
	Dropped       bool      `json:"dropped,omitempty"` // the client saw no answer
	Fault         string    `json:"fault,omitempty"`
	RequestID     string    `json:"requestId"`
	ClientID      string    `json:"clientRequestId,omitempty"`
	Priority      string    `json:"priority,omitempty"`
}

// maxRequests bounds the list; the older half goes first.
const maxRequests = 400_000

// requestLog is the list of the requests seen.
type requestLog struct {
	mu        sync.Mutex
	list      []Request
	forgotten int // requests that are no longer in the list
}

// reserve notes a request that begins and returns its number; complete says how it
// ended. The place is taken first, so that a batch stands before its items.
func (l *requestLog) reserve(r Request) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= maxRequests {
		l.list = slices.Clone(l.list[maxRequests/2:])
		l.forgotten += maxRequests / 2
	}
	l.list = append(l.list, r)
	return l.forgotten + len(l.list) - 1
}

func (l *requestLog) complete(number int, r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := number - l.forgotten; i >= 0 && i < len(l.list) {
		l.list[i] = r
	}
}

// Requests returns the requests to Graph that were seen, oldest first.
func (s *Service) Requests() []Request {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	return slices.Clone(s.requests.list)
}

// ResetRequests forgets the requests that were seen.
func (s *Service) ResetRequests() {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	s.requests.forgotten += len(s.requests.list)
	s.requests.list = nil
}
