package boot

import (
	"encoding/json"
	"io"
	"slices"
	"sync"
	"time"
)

// Metric names a number that CloudWatch keeps. The names follow the stages of
// a run.
type Metric string

// The metrics. Alarms in template.yaml use no other name.
const (
	Planned    Metric = "ChangesPlanned"
	Applied    Metric = "ChangesApplied"
	Failed     Metric = "ChangesFailed"
	Refused    Metric = "ChangesRefused"
	RunsDone   Metric = "RunsDone"
	RunsFailed Metric = "RunsFailed" // given up after five attempts
	RunsHeld   Metric = "RunsHeld"   // the guard wants an approval
	// ProtectedLeavers should lose access and do not: their accounts are
	// protected, synced from on-premises or guests', or their bindings paused.
	ProtectedLeavers Metric = "ProtectedLeavers"

	ConnectionsActive            Metric = "ConnectionsActive"
	ConnectionsLate              Metric = "ConnectionsLate" // no successful run for too long
	ConnectionsNeedAuthorization Metric = "ConnectionsNeedAuthorization"
	WakeUps                      Metric = "WakeUps"
	RowsSwept                    Metric = "RowsSwept"

	// What Lambda does not count as an error of a function: a message that
	// failed is an item of an answer that succeeded, and a slice that failed has
	// put itself off.
	SyncFailures     Metric = "SyncFailures"     // messages and slices
	SweepFailures    Metric = "SweepFailures"    // messages
	ScheduleFailures Metric = "ScheduleFailures" // connections and other things in a tick
	ScheduleTicks    Metric = "ScheduleTicks"    // that came to their end
	ScheduleCut      Metric = "ScheduleCut"      // whose time was over before all had their turn
	JobsFailed       Metric = "JobsFailed"       // given up, or of those that nobody asked for
	WakeUpsFailed    Metric = "WakeUpsFailed"    // that a queue did not take
	TokensUnsaved    Metric = "TokensUnsaved"    // times that the vault did not take fresh tokens
	// ClientSecretRefused counts the answers of Microsoft that refuse the app's
	// client secret, and the times that it could not be read.
	ClientSecretRefused Metric = "ClientSecretRefused"
	// ClientSecretDays is how many days are left of it, when that is known.
	ClientSecretDays Metric = "ClientSecretDaysLeft"
)

// Unalarmed are the metrics that no alarm in template.yaml looks at, each with
// the reason. All others have one.
var Unalarmed = map[Metric]string{
	Planned:           "what is planned is the admins' business; the guard holds what is too much of it",
	Applied:           "the same",
	Failed:            "one account that fails is set aside and shows under /problems; the others go on",
	Refused:           "what may not be written is refused on purpose; leavers among them are ProtectedLeavers",
	RunsDone:          "that none is done any more is ConnectionsLate",
	ConnectionsActive: "a number to look at",
	WakeUps:           "a number to look at",
	RowsSwept:         "a number to look at",
}

// Metrics writes counts in CloudWatch's embedded metric format: a line of JSON
// on standard output, which CloudWatch Logs turns into metrics. There are no
// dimensions, so a stack costs one metric a name however many connections it
// has; IDs go along as properties, which can be searched in the log.
type Metrics struct {
	Writer    io.Writer
	Namespace string
	Now       func() time.Time // nil means time.Now

	mu sync.Mutex // a line is written whole
}

// Emit writes one line with the values, and with properties as plain members.
// Nothing is written when there are no values. A line that cannot be written
// is given up: metrics never fail the work they count.
func (m *Metrics) Emit(values map[Metric]float64, properties map[string]string) {
	if m == nil || m.Writer == nil || len(values) == 0 {
		return
	}
	type definition struct {
		Name string
		Unit string
	}
	var defined []definition
	line := map[string]any{}
	for name, value := range properties {
		line[name] = Scrub(value)
	}
	for name, value := range values {
		defined = append(defined, definition{string(name), "Count"})
		line[string(name)] = value
	}
	slices.SortFunc(defined, func(a, b definition) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	now := m.Now
	if now == nil {
		now = time.Now
	}
	line["_aws"] = map[string]any{
		"Timestamp": now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  m.Namespace,
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
	m.Writer.Write(append(data, '\n'))
}
