package graph

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"bindery/shared/entra/entratest/odata"
)

// A tenant makes one change of licences at a time, of users and groups alike (GG 9.3).
// A call that comes while another one is on its way is refused, and so is one in a batch
// that does not wait for the one before by dependsOn. A call is on its way from when it
// came until it is answered, the time that faults make it wait included.

// licenceLock knows which tenants have a licence call on its way.
type licenceLock struct {
	mu   sync.Mutex
	held map[string]bool
}

// take holds the lock of a tenant; false when somebody holds it.
func (l *licenceLock) take(tenant string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[tenant] {
		return false
	}
	if l.held == nil {
		l.held = map[string]bool{}
	}
	l.held[tenant] = true
	return true
}

func (l *licenceLock) release(tenant string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, tenant)
}

// changesLicences tells whether a call is one of those of which there is one at a time.
func (c *call) changesLicences() bool {
	n := len(c.path.Names)
	return c.method == http.MethodPost && n == 3 && slices.Contains([]string{"assignlicense", "reprocesslicenseassignment"}, c.path.Names[n-1])
}

// enter notes that a call is on its way; leave must follow.
func (s *Service) enter(c *call) (leave func()) {
	if !c.changesLicences() || c.contended {
		return func() {}
	}
	if !s.licensing.take(c.t.ID) {
		c.contended = true
		return func() {}
	}
	return func() { s.licensing.release(c.t.ID) }
}

// oneAtATime refuses a licence call beside another one. [K]: 409, where 400 was seen
// too, and the code Request_BadRequest (GG 22 row 43).
func (c *call) oneAtATime() *odata.Error {
	if !c.contended && !c.now().Before(c.t.Licensing.BusyUntil) {
		return nil
	}
	return &odata.Error{
		Status: http.StatusConflict, Code: "Directory_ConcurrencyViolation",
		Message: "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.",
	}
}

// order follows the licence calls of a batch.
type order struct {
	after   map[string][]string // by lower-case id: all items that it waits for, by way of others too
	changes []string            // ids of those that change licences
}

// add notes the next item and tells whether it runs beside an earlier one that changes
// licences.
func (r *order) add(it odata.Item, changesLicences bool) (beside bool) {
	id := strings.ToLower(it.ID)
	var after []string
	for _, on := range it.DependsOn {
		on = strings.ToLower(on)
		after = append(append(after, on), r.after[on]...)
	}
	if r.after == nil {
		r.after = map[string][]string{}
	}
	r.after[id] = after
	if !changesLicences {
		return false
	}
	beside = slices.ContainsFunc(r.changes, func(earlier string) bool { return !slices.Contains(after, earlier) })
	r.changes = append(r.changes, id)
	return beside
}
