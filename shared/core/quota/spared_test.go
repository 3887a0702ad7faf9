package quota

import (
	"testing"
	"time"

	"bindery/shared/directory"
)

// TestSpared: writes that Microsoft did not look at are there again for others, in the
// bucket and in the window, and no more than there were.
func TestSpared(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)
	q := directory.TenantQuota{}
	tenant := At(&q, now)
	tenant.takeOfWindow(10)
	q.Writes -= 10
	tenant.Spared(4)
	sent := tenant.sent()
	if q.Writes != tenantWrites-6 || sent.total() != 6 || q.Open != 6 {
		t.Errorf("%v writes are left, %d are noted as sent, %d of them open", q.Writes, sent.total(), q.Open)
	}
	tenant.Spared(0)
	tenant.Spared(100)
	if sent = tenant.sent(); q.Writes != tenantWrites || sent.total() != 0 || q.Open != 0 {
		t.Errorf("%v writes are left, %d are noted as sent, %d of them open", q.Writes, sent.total(), q.Open)
	}
}
