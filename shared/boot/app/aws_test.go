package app

import (
	"io"
	"strings"
	"testing"
)

func TestStart(t *testing.T) {
	t.Parallel()
	for _, f := range every {
		a, err := Start(f, with(), io.Discard)
		if err != nil {
			t.Fatalf("Start(%s) = %v", f, err)
		}
		if a.Parts.Store == nil || a.Parts.Vault == nil || (a.queue.Work == nil) != (f == Deactivate || f == Console) || (a.queue.Loads == nil) != (f == Deactivate || f == OAuthCallback || f == Console || f == Scim) || (a.queue.Sweeps == nil) != (f == OAuthCallback || f == Sync || f == LoadFiles || f == Console || f == Scim) {
			t.Errorf("Start(%s): store %v, vault %v, work %v, loads %v, sweep %v", f, a.Parts.Store != nil, a.Parts.Vault != nil, a.queue.Work != nil, a.queue.Loads != nil, a.queue.Sweeps != nil)
		}
	}
	if _, err := Start(Sync, with("TABLE_NAME", ""), io.Discard); err == nil || !strings.Contains(err.Error(), "TABLE_NAME: is not set") {
		t.Errorf("Start without a table = %v", err)
	}
}
