package identity

import (
	"sync"
	"time"
)

// memory is what the identity platform remembers by itself. Pages and codes live
// here only, since they die after ten minutes anyway; refresh tokens and signing
// keys are kept in the state as well. Its mutex is never held across a call to the
// rest.
type memory struct {
	mu     sync.Mutex
	flows  map[string]*flow
	codes  map[string]*authCode
	tokens map[string]*refreshToken
	jtis   map[string]time.Time
	keys   []*signingKey // the last one signs
}

func (m *memory) keepFlow(f *flow, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flows == nil {
		m.flows = map[string]*flow{}
	}
	for id, old := range m.flows {
		if now.Sub(old.Created) >= flowLife || len(m.flows) >= maxFlows {
			delete(m.flows, id)
		}
	}
	m.flows[f.ID] = f
}

// flow returns a copy of a flow, so that a page that is sent twice at once
// cannot mix two accounts; keepFlow stores what became of it.
func (m *memory) flow(id string, now time.Time) (*flow, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.flows[id]
	if !ok || now.Sub(f.Created) >= flowLife {
		delete(m.flows, id)
		return nil, false
	}
	c := *f
	return &c, true
}

// dropFlow ends a flow; only one caller is told that it did.
func (m *memory) dropFlow(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.flows[id]
	delete(m.flows, id)
	return ok
}

func (m *memory) keepCode(c *authCode, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.codes == nil {
		m.codes = map[string]*authCode{}
	}
	for id, old := range m.codes { // kept for a day to tell a reused one from an unknown
		if now.Sub(old.Created) > 24*time.Hour {
			delete(m.codes, id)
		}
	}
	m.codes[c.Code] = c
}

func (m *memory) code(text string) (authCode, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.codes[text]
	if !ok {
		return authCode{}, false
	}
	return *c, true
}

// redeem marks a code as used; only one caller is told that it was free.
func (m *memory) redeem(text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.codes[text]
	if !ok || c.Redeemed {
		return false
	}
	c.Redeemed = true
	return true
}

// firstUse remembers the id of a client assertion.
func (m *memory) firstUse(jti string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.jtis == nil {
		m.jtis = map[string]time.Time{}
	}
	for k, at := range m.jtis {
		if now.Sub(at) > time.Hour {
			delete(m.jtis, k)
		}
	}
	_, seen := m.jtis[jti]
	m.jtis[jti] = now
	return !seen
}

func (m *memory) refreshToken(text string) (refreshToken, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[text]
	if !ok {
		return refreshToken{}, false
	}
	return *t, true
}

// putRefresh keeps a refresh token and returns those it forgot on the way: an
// expired one is told from an unknown one for as long as it lived.
func (m *memory) putRefresh(t refreshToken, now time.Time) (dead []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokens == nil {
		m.tokens = map[string]*refreshToken{}
	}
	for id, old := range m.tokens {
		if now.Sub(old.LastUsed) > 2*refreshLife {
			delete(m.tokens, id)
			dead = append(dead, id)
		}
	}
	m.tokens[t.Token] = &t
	return dead
}
