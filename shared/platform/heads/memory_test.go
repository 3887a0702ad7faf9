package heads_test

import (
	"testing"

	"bindery/shared/platform/heads"
	"bindery/shared/platform/heads/headstest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	headstest.Run(t, func(t *testing.T) heads.Keeper { return &heads.Memory{} })
}
