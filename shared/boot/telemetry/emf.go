package telemetry

import (
	"encoding/json"
	"io"
	"sort"
	"sync"
	"time"

	"bindery/shared/directory"
)

// EMFConfig is what an EMF works with.
type EMFConfig struct {
	Writer    io.Writer
	Namespace string
	Now       func() time.Time // nil means time.Now
}

// EMF writes counts in CloudWatch's embedded metric format: a line of JSON
// on standard output, which CloudWatch Logs turns into metrics. There are no
// dimensions, so a stack costs one metric a name however many connections it
// has; IDs go along as properties, which can be searched in the log.
type EMF struct {
	cfg EMFConfig
	mu  sync.Mutex // a line is written whole
}

// NewEMF returns what writes metrics.
func NewEMF(cfg EMFConfig) *EMF {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &EMF{cfg: cfg}
}

// Emit writes one line with the values, and with properties as plain members.
// Nothing is written when there are no values. A line that cannot be written
// is given up: metrics never fail the work they count.
func (m *EMF) Emit(values map[Metric]float64, properties map[string]string) {
	if len(values) == 0 {
		return
	}
	type definition struct {
		Name string
		Unit string
	}
	var defined []definition
	line := map[string]any{}
	for name, value := range properties {
		line[name] = directory.Scrub(value)
	}
	for name, value := range values {
		defined = append(defined, definition{string(name), "Count"})
		line[string(name)] = value
	}
	sort.Slice(defined, func(i, j int) bool { return defined[i].Name < defined[j].Name })
	line["_aws"] = map[string]any{
		"Timestamp": m.cfg.Now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  m.cfg.Namespace,
			"Dimensions": [][]string{{}},
			"Metrics":    defined,
		}},
	}
	data, err := json.Marshal(line)
	if err != nil { // NaN or an infinity: not a count
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cfg.Writer.Write(append(data, '\n'))
}
