package entratest

import (
	"slices"
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

// reserve notes a request that begins and returns its number; settle completes it.
// The place is taken first, so that a batch stands before its items.
func (s *Server) reserve(r Request) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= maxRequests {
		s.requests = slices.Clone(s.requests[maxRequests/2:])
		s.forgotten += maxRequests / 2
	}
	s.requests = append(s.requests, r)
	return s.forgotten + len(s.requests) - 1
}

func (s *Server) settle(number int, r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := number - s.forgotten; i >= 0 && i < len(s.requests) {
		s.requests[i] = r
	}
}

// Requests returns the requests to Graph that were seen, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ResetRequests forgets the requests that were seen.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten += len(s.requests)
	s.requests = nil
}
