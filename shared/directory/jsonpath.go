package directory

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// jsonPath is the path ("guard.block.count", "protected[2]") of the value that
// ends at, or begins before, an offset of a JSON text. Errors of encoding/json
// leave the keys of maps out.
func jsonPath(data []byte, offset int64) string {
	type level struct {
		array bool
		key   string
		n     int
		value bool // of an object: the next token is a value
	}
	var stack []level
	dec := json.NewDecoder(bytes.NewReader(data))
	path := func() string {
		var b strings.Builder
		for _, l := range stack {
			switch {
			case l.array:
				b.WriteString("[" + strconv.Itoa(l.n) + "]")
			case b.Len() > 0:
				b.WriteString("." + l.key)
			default:
				b.WriteString(l.key)
			}
		}
		return b.String()
	}
	for {
		tok, err := dec.Token()
		if err != nil {
			return path()
		}
		top := len(stack) - 1
		if d, ok := tok.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:top]
			top--
		} else if top >= 0 && !stack[top].array && !stack[top].value {
			stack[top].key, _ = tok.(string)
			stack[top].value = true
			continue
		} else if dec.InputOffset() >= offset {
			return path()
		} else if ok {
			stack = append(stack, level{array: d == '['})
			continue
		}
		if top >= 0 {
			stack[top].n, stack[top].value = stack[top].n+1, false
		}
	}
}
