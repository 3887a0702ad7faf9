package directory

import (
	"testing"
)

func TestContainsFolded(t *testing.T) {
	for _, row := range []struct {
		text, in string
		want     bool
	}{
		{"zoe\u0308", "Zo\u00eb Muster", true}, {"ZO\u00cb", "zoe\u0308", true}, {"strasse", "Hauptstra\u00dfe", true},
		{"\uff21nn", "ann", true}, {" ann ", "Joanna", true}, {"anna", "ann", false},
	} {
		if got := ContainsFolded(row.text, row.in); got != row.want {
			t.Errorf("ContainsFolded(%q, %q) = %t, want %t", row.text, row.in, got, row.want)
		}
	}
}
