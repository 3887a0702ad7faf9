package console

import "testing"

// Of two edits at once nothing is lost unseen: what one alone has changed is taken, and what
// both have is to be decided.
func TestBothEdits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		typed, was, now string
		unknown         bool // the form does not tell what it was made of
		want            string
		conflict        bool
	}{
		"nobody":                {"a", "a", "a", false, "a", false},
		"mine":                  {"b", "a", "a", false, "b", false},
		"mine, emptied":         {"", "a", "a", false, "", false},
		"theirs":                {"a", "a", "b", false, "b", false},
		"theirs, emptied":       {"a", "a", "", false, "", false},
		"both, the same":        {"b", "a", "b", false, "b", false},
		"both":                  {"b", "a", "c", false, "b", true},
		"mine, theirs emptied":  {"b", "a", "", false, "b", true},
		"unknown, the same":     {"a", "", "a", true, "a", false},
		"unknown, and differs":  {"b", "", "a", true, "b", true},
		"unknown, mine emptied": {"", "", "a", true, "", true},
	} {
		was := map[string]string{"f": tt.was}
		if tt.unknown {
			was = nil
		}
		merged, theirs := bothEdits(map[string]string{"f": tt.typed}, was, map[string]string{"f": tt.now})
		other, conflict := theirs["f"]
		if merged["f"] != tt.want || conflict != tt.conflict || conflict && other != tt.now {
			t.Errorf("%s: %q, %v %q", name, merged["f"], conflict, other)
		}
	}
}
