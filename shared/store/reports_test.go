package store

import (
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
)

func TestReportsWithinTenSeconds(t *testing.T) {
	s, c := newStore(t)
	take := func(tenant directory.TenantID) time.Duration {
		t.Helper()
		wait, err := s.Quotas.TakeReport(t.Context(), tenant)
		must(t, err)
		return wait
	}
	for i := range 5 {
		if wait := take("a"); wait != 0 {
			t.Fatalf("call %d waits %s", i+1, wait)
		}
		c.Advance(time.Second)
	}
	wait := take("a")
	if wait <= 4*time.Second || wait > 6*time.Second {
		t.Errorf("the sixth call waits %s, want until the first is ten seconds old", wait)
	}
	if wait := take("b"); wait != 0 {
		t.Errorf("another tenant waits %s", wait)
	}
	c.Advance(wait)
	if wait := take("a"); wait != 0 {
		t.Errorf("after the wait it waits %s more", wait)
	}
}

func TestReportsOfAllTenants(t *testing.T) {
	s, c := newStore(t)
	taken := 0
	for i := range 200 {
		wait, err := s.Quotas.TakeReport(t.Context(), directory.TenantID(string(rune('a'+i%26))+string(rune('a'+i/26))))
		must(t, err)
		if wait == 0 {
			taken++
		}
	}
	if taken != appReports {
		t.Errorf("calls = %d, want %d", taken, appReports)
	}
	c.Advance(11 * time.Second)
	if wait, err := s.Quotas.TakeReport(t.Context(), "zz"); err != nil || wait != 0 {
		t.Errorf("ten seconds later = %s, %v", wait, err)
	}
}

func TestReportsOfManyWorkers(t *testing.T) {
	s, _ := newStore(t)
	var mu sync.Mutex
	var group sync.WaitGroup
	taken := 0
	for range 30 {
		group.Go(func() {
			wait, err := s.Quotas.TakeReport(t.Context(), "a")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			} else if wait == 0 {
				taken++
			}
		})
	}
	group.Wait()
	if taken != tenantReports {
		t.Errorf("calls = %d, want %d", taken, tenantReports)
	}
}
