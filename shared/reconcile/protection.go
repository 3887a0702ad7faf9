package reconcile

import (
	"context"
	"strings"
	"sync"
	"time"

	"bindery/shared/directory"
)

// protectionLife is how long a list of role holders is used.
const protectionLife = time.Hour

// protectionCache keeps the role holders of tenants in memory of the process.
type protectionCache struct {
	mu      sync.Mutex
	tenants map[string]roleHolders
}

type roleHolders struct {
	at  time.Time
	ids map[string]bool
}

func (p *protectionCache) get(key string, now time.Time) (map[string]bool, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.tenants[key]
	return h.ids, ok && now.Sub(h.at) < protectionLife
}

func (p *protectionCache) put(key string, h roleHolders) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tenants == nil {
		p.tenants = map[string]roleHolders{}
	}
	p.tenants[key] = h
}

// loadProtection reads who holds a directory role, when what is known is older
// than an hour. It is asked for before anything is planned that may write.
func (w *worker) loadProtection(ctx context.Context) error {
	key := string(w.conn.ID) + "#" + string(w.conn.Tenant.ID)
	ids, ok := w.protection.get(key, w.now())
	if !ok {
		rctx, cancel := w.request(ctx)
		defer cancel()
		list, err := w.tenant.RoleHolders(rctx)
		if err != nil {
			return err
		}
		ids = make(map[string]bool, len(list))
		for _, id := range list {
			ids[strings.ToLower(string(id))] = true
		}
		w.protection.put(key, roleHolders{at: w.now(), ids: ids})
	}
	w.holders = ids
	return nil
}

// protected says whether an account must never be written to, and why: holders
// of a directory role, the admin who authorised us, and the accounts that the
// settings name.
func (w *worker) protected(id directory.AccountID, upn string) (string, bool) {
	switch {
	case id != "" && w.holders[strings.ToLower(string(id))]:
		return "it holds a directory role", true
	case id != "" && w.conn.AuthorizedBy != nil && strings.EqualFold(string(id), string(w.conn.AuthorizedBy.ObjectID)):
		return "it authorised this connection", true
	}
	for _, p := range w.conn.Settings.Protected {
		if p = strings.TrimSpace(p); p != "" && (strings.EqualFold(p, string(id)) || strings.EqualFold(p, upn)) {
			return "the settings name it", true
		}
	}
	return "", false
}
