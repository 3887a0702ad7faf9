package entra

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// errJSON says that an answer is not the JSON that it should be.
var errJSON = errors.New("the answer is not JSON as it should be")

// maxDepth bounds nesting; Graph's answers have four levels.
const maxDepth = 64

// scanner walks over JSON without building anything but what is asked for. It
// accepts what encoding/json accepts and gives the same strings; the first error
// sticks.
type scanner struct {
	data  []byte
	pos   int
	depth int
	err   error
}

func (s *scanner) fail() {
	if s.err == nil {
		s.err = errJSON
	}
}

// next skips blanks and returns the next byte without taking it; 0 at the end
// and after an error.
func (s *scanner) next() byte {
	if s.err != nil {
		return 0
	}
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.next() != c || s.err != nil {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) want(c byte) {
	if !s.take(c) {
		s.fail()
	}
}

// end expects that nothing follows.
func (s *scanner) end() error {
	if s.next() != 0 || s.pos < len(s.data) {
		s.fail()
	}
	return s.err
}

// object calls member for each member; member must take the value.
func (s *scanner) object(member func(key []byte)) {
	s.members('{', '}', func() {
		key := s.text()
		s.want(':')
		if s.err == nil {
			member(key)
		}
	})
}

// array calls element for each element; element must take it.
func (s *scanner) array(element func()) { s.members('[', ']', element) }

func (s *scanner) members(open, end byte, one func()) {
	s.want(open)
	s.depth++
	if s.depth > maxDepth {
		s.fail()
	}
	defer func() { s.depth-- }()
	if s.take(end) {
		return
	}
	for s.err == nil {
		one()
		if s.take(end) {
			return
		}
		s.want(',')
	}
}

// text takes a string. The bytes are valid until the data changes.
func (s *scanner) text() []byte {
	s.want('"')
	if s.err != nil {
		return nil
	}
	start, plain := s.pos, true
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			raw := s.data[start:s.pos]
			s.pos++
			if plain || utf8.Valid(raw) && bytes.IndexByte(raw, '\\') < 0 {
				return raw
			}
			return s.unescape(s.data[start-1 : s.pos])
		case c == '\\':
			plain = false
			s.pos++ // whatever follows is not the end
		case c >= utf8.RuneSelf:
			plain = false
		case c < ' ':
			s.fail()
			return nil
		}
	}
	s.fail()
	return nil
}

func (s *scanner) unescape(quoted []byte) []byte {
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		s.fail()
	}
	return []byte(text)
}

// skip takes any value.
func (s *scanner) skip() {
	switch s.next() {
	case '{':
		s.object(func([]byte) { s.skip() })
	case '[':
		s.array(s.skip)
	case '"':
		s.text()
	default:
		s.literal()
	}
}

// literal takes true, false, null or a number and returns its first byte.
func (s *scanner) literal() byte {
	first := s.next()
	start := s.pos
	for s.pos < len(s.data) && !delimiter(s.data[s.pos]) {
		s.pos++
	}
	switch word := s.data[start:s.pos]; string(word) {
	case "true", "false", "null":
	default:
		if s.err != nil || !json.Valid(word) {
			s.fail()
		}
	}
	return first
}

func delimiter(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', ',', ':', '[', ']', '{', '}', '"':
		return true
	}
	return false
}
