package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	"bindery/shared/directory"
)

// LogConfig is what a Log works with.
type LogConfig struct {
	Writer io.Writer // takes the lines; nil: notices are only remembered
}

// Log writes notices as JSON lines, each as EventBridge would hand it to a
// target, and remembers the last of them.
type Log struct {
	cfg LogConfig

	mu   sync.Mutex
	last []directory.Notification
}

// NewLog returns a Log.
func NewLog(cfg LogConfig) *Log { return &Log{cfg: cfg} }

var _ Publisher = (*Log)(nil)

// remembered is how many notices a Log keeps in memory.
const remembered = 1000

// Publish writes the notices.
func (l *Log) Publish(_ context.Context, notices ...directory.Notification) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range notices {
		n := &notices[i]
		detail, err := detailOf(n)
		if err != nil {
			return err
		}
		line, err := json.Marshal(map[string]any{"source": Source, "detail-type": n.Type, "time": n.At, "detail": json.RawMessage(detail)})
		if err != nil {
			return fmt.Errorf("notify: notice %s: %w", n.Type, err)
		}
		if l.cfg.Writer != nil {
			if _, err := l.cfg.Writer.Write(append(line, '\n')); err != nil {
				return fmt.Errorf("%w: %w", ErrNotPublished, err)
			}
		}
		l.last = append(l.last, *n)
		l.last = slices.Delete(l.last, 0, max(0, len(l.last)-remembered))
	}
	return nil
}

// Last returns the notices that were published last, oldest first.
func (l *Log) Last() []directory.Notification {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.last)
}
