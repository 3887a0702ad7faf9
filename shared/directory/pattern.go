package directory

import (
	"regexp"
	"sync"
)

// Pattern returns a regular expression that is compiled when it is first asked for.
// Most processes use few of those that are linked, and compiling all of them took a
// third of a function's start.
func Pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
