package directory

import (
	"strings"
	"testing"
)

func TestProductName(t *testing.T) {
	t.Parallel()
	for part, want := range map[string]string{"SPE_E3": "Microsoft 365 E3", "Microsoft_365_Copilot": "Microsoft 365 Copilot", "NOBODY_KNOWS": "NOBODY_KNOWS", "": ""} {
		if got := ProductName(part); got != want {
			t.Errorf("%s is called %q, want %q", part, got, want)
		}
	}
	for part, name := range productNames {
		if part != strings.ToUpper(part) || name != strings.TrimSpace(name) || name == "" {
			t.Errorf("%q: %q", part, name)
		}
	}
}
