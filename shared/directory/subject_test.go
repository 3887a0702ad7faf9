package directory

import (
	"strings"
	"testing"
)

func TestSubjectFault(t *testing.T) {
	for _, ok := range []string{"alice", "[alice]", "a,b", `"alice"`, "admin@local", "auth0|5f7c8ec7c33c6c004bbafe82",
		"b3f1c2d4-0000-4444-8888-1234567890ab", "zoë", "00u1a/b+c=", "bindery-admin", strings.Repeat("x", 255)} {
		if why := SubjectFault(ok); why != "" {
			t.Errorf("the subject %q %s", ok, why)
		}
	}
	for _, bad := range []string{"", " ", "alice ", " alice", "a b", "a\tb", "a\nb", "a\u00a0b", "a\u2003b", "a\x00b", "a\x7fb", "a\u0085b",
		"a\xffb", "a\ufffdb", "ali\u200bce", "\u202ealice", "alice\u00ad", "\ufeffalice", "alice\u034f", "alice\ufe0f", "\u3164", strings.Repeat("x", 256),
		BySystem, "Bindery", "BINDERY", "system", "schedule", "Schedule", ByMicrosoft("admin@corp.example")} {
		if SubjectFault(bad) == "" {
			t.Errorf("the subject %q is let pass", bad)
		}
	}
}
