package crashtest

import (
	"sync"
	"time"

	"bindery/shared/directory"
)

const (
	// visibility is how long a message is hidden that somebody works on, and
	// maxReceives how often it is tried: as in template.yaml.
	visibility  = 18 * time.Minute
	maxReceives = 5
)

// mailbox holds the messages of all queues. It outlives every process.
type mailbox struct {
	mu      sync.Mutex
	waiting []*message
	dead    int // messages that were tried too often
}

// A function that a queue wakes.
type function int

const (
	toSync function = iota
	toLoad
	toDeactivate
)

type message struct {
	to       function
	body     []byte
	due      time.Time
	receives int
}

func (m *mailbox) put(to function, w directory.WakeUp, delay time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = append(m.waiting, &message{to: to, body: w.Encode(), due: time.Now().Add(max(0, delay))})
}

// next is when the first message is due; zero: there is none.
func (m *mailbox) next() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if first := m.first(); first != nil {
		return first.due
	}
	return time.Time{}
}

func (m *mailbox) first() *message {
	var first *message
	for _, msg := range m.waiting {
		if first == nil || msg.due.Before(first.due) {
			first = msg
		}
	}
	return first
}

// take hides the first message and returns it.
func (m *mailbox) take() *message {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.first()
	first.receives++
	first.due = time.Now().Add(visibility)
	return first
}

// settle removes a message that was worked on. One that failed stays.
func (m *mailbox) settle(msg *message, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !done && msg.receives < maxReceives {
		return
	}
	if !done {
		m.dead++
	}
	for i := range m.waiting {
		if m.waiting[i] == msg {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			return
		}
	}
}
