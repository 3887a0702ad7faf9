package entra

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
)

// Bounds of a wait that Microsoft asks for, and the wait when it asks for none.
const (
	minWait     = time.Second
	defaultWait = 5 * time.Second
	maxWait     = time.Hour
)

// retryAfter reads Retry-After, which is a number of seconds, perhaps with a
// fraction, or a date. asked is false when it is absent or unreadable; the wait
// is then the default one.
func retryAfter(h http.Header, now time.Time) (wait time.Duration, asked bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return defaultWait, false
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(s) {
		// Clamped before the conversion: the product may not fit a Duration.
		s = min(max(s, minWait.Seconds()), maxWait.Seconds())
		return time.Duration(s * float64(time.Second)), true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return defaultWait, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date // both by the service's clock
	}
	return min(max(at.Sub(now), minWait), maxWait), true
}

// throttleScope reads x-ms-throttle-scope, "Tenant_Application/Write/<app>/<tenant>".
func throttleScope(h http.Header) directory.ThrottleScope {
	who, _, _ := strings.Cut(h.Get("x-ms-throttle-scope"), "/")
	switch strings.ToLower(strings.TrimSpace(who)) {
	case "tenant_application":
		return directory.ThrottledTenantApp
	case "application":
		return directory.ThrottledApp
	case "tenant":
		return directory.ThrottledTenant
	}
	return ""
}
