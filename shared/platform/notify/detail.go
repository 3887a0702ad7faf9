package notify

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"bindery/shared/directory"
)

// maxDetail is how large a detail may be: of 256 KB for a whole call, in which an
// entry goes alone when it is large.
const maxDetail = 200 << 10

// detailOf is a notice as an event's detail. Facts that are too long are left
// out; the text says what to ask for.
func detailOf(n *directory.Notification) ([]byte, error) {
	detail, err := json.Marshal(n)
	if err == nil && len(detail) > maxDetail {
		short := *n
		short.Facts, short.Text = nil, cut(short.Text, 2000)
		detail, err = json.Marshal(&short)
	}
	if err != nil {
		return nil, fmt.Errorf("notify: notice %s: %w", n.Type, err)
	}
	return detail, nil
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
