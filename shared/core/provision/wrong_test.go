package provision

import (
	"fmt"
	"testing"

	"bindery/shared/directory"
)

// However many clients strangers name, and however often, a process notes few in a minute.
func TestWrongTokensAreBounded(t *testing.T) {
	t.Parallel()
	var w wrongTokens
	for minute := range int64(3) {
		noted := 0
		for i := range 10 * mostWrong {
			if w.first(directory.ScimClientID(fmt.Sprint(i/2)), minute) {
				noted++
			}
		}
		if noted != mostWrong {
			t.Errorf("minute %d: %d noted, want %d", minute, noted, mostWrong)
		}
	}
}
