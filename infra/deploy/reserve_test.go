package main

import (
	"strings"
	"testing"
)

// A new account has 10 invocations at once, and a deployment that reserves some fails: the
// stack is made without, and says so. What is said of it, now or by the stack, stands.
func TestReserve(t *testing.T) {
	for name, tt := range map[string]struct {
		free             int
		has, given, want string
		said             bool
	}{
		"a new account":                 {10, "", "", "0", true},
		"not quite enough":              {119, "", "", "0", true},
		"enough":                        {120, "", "", "", false},
		"asked for all the same":        {10, "", "20", "20", false},
		"a stack that has decided":      {10, "0", "", "", false},
		"a stack that has, and another": {10, "5", "7", "7", false},
	} {
		s := newShell(t)
		s.aws = func(string, map[string]any) (any, error) {
			return map[string]any{"AccountLimit": map[string]any{"UnreservedConcurrentExecutions": tt.free}}, nil
		}
		given := map[string]string{}
		if tt.given != "" {
			given["ScimReservedConcurrency"] = tt.given
		}
		err := s.reserve(t.Context(), stackState{parameters: map[string]string{"ScimReservedConcurrency": tt.has}}, given)
		if got := given["ScimReservedConcurrency"]; err != nil || got != tt.want || strings.Contains(s.said.String(), "none are kept") != tt.said {
			t.Errorf("%s: %q, %v, said %q", name, got, err, s.said.String())
		}
	}
}
