package directory

import (
	"errors"
	"testing"
)

func TestOtherEyes(t *testing.T) {
	for _, tt := range []struct {
		on    bool
		by    string
		asked []string
		want  bool
	}{
		{false, "ann", []string{"ann"}, true},
		{true, "ann", []string{"ann"}, false},
		{true, "ann", []string{"ben", "ann"}, false},
		{true, "ann", []string{"ben"}, true},
		{true, "ann", []string{""}, true}, // the schedule
		{true, "ann", nil, true},
		{true, "Ann", []string{"ann"}, true}, // subjects are compared as they are
		{true, "", []string{"ann"}, false},   // nobody is not somebody else
	} {
		s := Settings{FourEyes: tt.on}
		if err := s.OtherEyes(tt.by, tt.asked...); (err == nil) != tt.want || err != nil && !errors.Is(err, ErrForbidden) {
			t.Errorf("OtherEyes(on %v, %q, %q) = %v", tt.on, tt.by, tt.asked, err)
		}
	}
}
