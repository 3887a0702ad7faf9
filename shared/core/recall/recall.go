package recall

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Memory keeps values that were read elsewhere, by key. The zero value but for
// For is ready. Its methods may be called by many goroutines.
type Memory[K comparable, V any] struct {
	For    time.Duration // how long a value counts, from before it was read
	Errors time.Duration // how long a failure counts; 0: the next one asks again
	// Keep says whether a value may be kept; nil keeps all.
	Keep func(V) bool
	Most int              // keys that are kept, the newest; 0 means 100
	Now  func() time.Time // nil means time.Now

	mu    sync.Mutex // never held across a read
	known map[K]kept[V]
	reads map[K]*reading[V]
}

// kept is one value, or a failure.
type kept[V any] struct {
	value   V
	err     error
	version string
	at      time.Time // before it was read
}

// reading is a read under way, for whoever asks meanwhile.
type reading[V any] struct {
	kept[V]

	done chan struct{}
}

const most = 100

// Get returns the value of a key, read at most For ago and for the same version;
// else it reads it, once for all who ask meanwhile. version is what is stored
// elsewhere and tells at once that a value does not count any more, such as an
// epoch; "" when there is nothing of the kind. The error is that of read, or of
// ctx. Who waited for a read that failed reads for himself: another's lease or
// deadline is no reason for his failure.
func (m *Memory[K, V]) Get(ctx context.Context, key K, version string, read func(ctx context.Context) (V, error)) (V, error) {
	return m.Within(ctx, key, version, m.For, read)
}

// Within is Get for who needs a value that was read at most age ago.
func (m *Memory[K, V]) Within(ctx context.Context, key K, version string, age time.Duration, read func(ctx context.Context) (V, error)) (V, error) {
	for alone := false; ; {
		m.mu.Lock()
		if k, ok := m.known[key]; ok && k.version == version && m.counts(k, age) {
			m.mu.Unlock()
			return k.value, k.err
		}
		r := m.reads[key]
		if r == nil || r.version != version || m.now().Sub(r.at) > age || alone {
			r = m.begin(key, version)
			m.mu.Unlock()
			return m.read(ctx, key, r, read)
		}
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		case <-r.done:
		}
		if r.err == nil {
			return r.value, nil
		}
		// One who gave up says nothing about the value: one of the others reads.
		alone = !ended(r.err)
	}
}

// Has reports whether Within would return what is kept, without a read.
func (m *Memory[K, V]) Has(key K, version string, age time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.known[key]
	return ok && k.version == version && m.counts(k, age)
}

// Forget ends what is kept of a key, and what is being read of it now.
func (m *Memory[K, V]) Forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, key)
	delete(m.reads, key)
}

// begin notes a read under way, which takes the place of an older one.
func (m *Memory[K, V]) begin(key K, version string) *reading[V] {
	r := &reading[V]{kept: kept[V]{version: version, at: m.now()}, done: make(chan struct{})}
	if m.reads == nil {
		m.reads, m.known = map[K]*reading[V]{}, map[K]kept[V]{}
	}
	m.reads[key] = r
	return r
}

// errPanicked is what those get who waited for a read that panicked.
var errPanicked = errors.New("recall: the read did not come to its end")

func (m *Memory[K, V]) read(ctx context.Context, key K, r *reading[V], read func(ctx context.Context) (V, error)) (V, error) {
	r.err = errPanicked
	defer func() {
		m.mu.Lock()
		if m.reads[key] == r { // neither forgotten nor replaced meanwhile
			delete(m.reads, key)
			if m.keeps(r.kept) {
				m.known[key] = r.kept
				m.bound()
			} else if r.err == nil {
				delete(m.known, key)
			}
		}
		m.mu.Unlock()
		close(r.done)
	}()
	value, err := read(ctx)
	r.value, r.err = value, err
	return value, err
}

// ended reports whether an error is that of a context.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (m *Memory[K, V]) keeps(k kept[V]) bool {
	if k.err != nil {
		return m.Errors > 0 && !ended(k.err) && !errors.Is(k.err, errPanicked)
	}
	return m.Keep == nil || m.Keep(k.value)
}

func (m *Memory[K, V]) counts(k kept[V], most time.Duration) bool {
	life := min(m.For, most)
	if k.err != nil {
		life = m.Errors
	}
	age := m.now().Sub(k.at)
	return age >= 0 && age < life
}

// bound drops the oldest keys when there are too many.
func (m *Memory[K, V]) bound() {
	limit := m.Most
	if limit == 0 {
		limit = most
	}
	for len(m.known) > limit {
		var oldest K
		var at time.Time
		for key, k := range m.known {
			if at.IsZero() || k.at.Before(at) {
				oldest, at = key, k.at
			}
		}
		delete(m.known, oldest)
	}
}

func (m *Memory[K, V]) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}
