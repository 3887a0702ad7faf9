package directory

import "time"

// TenantQuota is what is left of Microsoft's quotas for an app in one tenant, as
// far as we know. The zero TenantQuota says that nothing has been used. Package
// quota does the arithmetic; the store keeps it with the connection's lease.
type TenantQuota struct {
	// Writes and Units are tokens of two buckets at the moment At; At may lie
	// ahead when Microsoft asked to wait until then.
	Writes float64   `json:"w"`
	Units  float64   `json:"u"`
	At     time.Time `json:"at"`
	// Rate is the refill of the bucket of writes, a second, as measured at
	// RateAt; 0 while it is as documented.
	Rate   float64   `json:"r,omitempty"`
	RateAt time.Time `json:"ra,omitzero"`
	// DryAt is when Microsoft last refused a write, Since how many it has
	// taken after that.
	DryAt time.Time `json:"da,omitzero"`
	Since int       `json:"n,omitempty"`
	// Ticket is our place in the line for the app's quota, Portion how many
	// writes it is good for, until PortionEnd.
	Ticket     float64   `json:"t,omitempty"`
	Portion    float64   `json:"p,omitempty"`
	PortionEnd time.Time `json:"pe,omitzero"`
	// Sent is what was taken of the quota of writes in the last minutes, as package
	// quota writes it, Open how much of the last that was taken is not known to be
	// accepted.
	Sent string `json:"s,omitempty"`
	Open int    `json:"o,omitempty"`
	// Counts is how the tenant counts writes, as it showed at CountsAt, in Unix
	// seconds.
	Counts   Counting `json:"c,omitempty"`
	CountsAt int64    `json:"ca,omitempty"`
	// Flow is how the tenant takes requests.
	Flow TenantFlow `json:"f,omitzero"`
}

// Counting is how a quota is counted.
type Counting string

// The ways of counting a quota.
const (
	CountsUnknown Counting = ""
	CountsBucket  Counting = "bucket" // a token bucket
	CountsWindow  Counting = "window" // a sliding window
)

// TenantFlow is what the last requests of writes have shown of a tenant. The zero
// TenantFlow is that of which nothing is known.
type TenantFlow struct {
	At      int64 `json:"at"`          // when the last ones were answered, Unix seconds
	Width   int   `json:"w"`           // how many it takes at once
	Size    int   `json:"s"`           // how many writes it takes in each, at most
	Careful bool  `json:"c,omitempty"` // it has refused
	// N is the weight of the requests that are remembered, X and Y the means of
	// their writes and of the milliseconds that they took; XX and XY are the sums of
	// the weighted products of the deviations from them.
	N  float64 `json:"n"`
	X  float64 `json:"x"`
	Y  float64 `json:"y"`
	XX float64 `json:"xx"`
	XY float64 `json:"xy"`
}

// AppQuota is the app's quota of writes over all tenants. All workers share
// it, a portion at a time.
type AppQuota struct {
	// Supply is how many writes Microsoft has allowed since the beginning,
	// less what could not be kept because the bucket was full, and less what
	// went to the small ones; Promised is how many of them have been given
	// out, the last in line included.
	Supply   float64
	Promised float64
	// Small is what is left for those who need only a few.
	Small float64
	At    time.Time // of Supply and Small
	// Sent is what was given out in the last minutes, Counts how Microsoft counts the
	// app's writes, as in TenantQuota.
	Sent     string
	Counts   Counting
	CountsAt int64
}
