package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// errLines says that an export cannot be read.
var errLines = errors.New("not JSON lines of an export")

// eachLine calls each with every line of JSON lines that is not empty.
func eachLine(r io.Reader, each func([]byte) error) error {
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = each(raw)
		}
		if err != nil {
			return fmt.Errorf("%w: value %d: %w", errLines, n, err)
		}
	}
}
