package people

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"bindery/shared/directory"
)

// Encoding is how the text of a file is written.
type Encoding string

// The encodings of a load.
const (
	EncodingUTF8        Encoding = "utf-8"
	EncodingUTF16LE     Encoding = "utf-16le"
	EncodingUTF16BE     Encoding = "utf-16be"
	EncodingWindows1252 Encoding = "windows-1252"
)

// lost stands for what an encoding has no character for. It is a control
// character, which no attribute takes, so that the line is refused and nothing
// wrong is stored.
const lost = '\u0080'

// bom marks the beginning of a text, in UTF-8.
const bom = "\ufeff"

// markedEncoding is the encoding that the first bytes of a file say by a byte
// order mark; "" when they say none.
func markedEncoding(head []byte) Encoding {
	switch {
	case len(head) >= 3 && string(head[:3]) == bom:
		return EncodingUTF8
	case len(head) >= 2 && head[0] == 0xff && head[1] == 0xfe:
		return EncodingUTF16LE
	case len(head) >= 2 && head[0] == 0xfe && head[1] == 0xff:
		return EncodingUTF16BE
	}
	return ""
}

// decode appends the text of raw bytes, in UTF-8, and says how many of them it
// took: all, or all but a character that goes on behind them, unless whole says
// that nothing follows. UTF-8 is left as it is, right or wrong.
func (e Encoding) decode(text, raw []byte, whole bool) ([]byte, int) {
	switch e {
	case EncodingWindows1252:
		for _, b := range raw {
			r := charmap.Windows1252.DecodeByte(b)
			if r == utf8.RuneError {
				r = lost
			}
			text = utf8.AppendRune(text, r)
		}
		return text, len(raw)
	case EncodingUTF16LE, EncodingUTF16BE:
		unit := func(i int) rune {
			if e == EncodingUTF16LE {
				return rune(raw[i]) | rune(raw[i+1])<<8
			}
			return rune(raw[i])<<8 | rune(raw[i+1])
		}
		i := 0
		for ; i+1 < len(raw); i += 2 {
			r := unit(i)
			if utf16.IsSurrogate(r) {
				if i+3 >= len(raw) && !whole && r < 0xdc00 {
					break
				}
				pair := rune(utf8.RuneError)
				if i+3 < len(raw) {
					pair = utf16.DecodeRune(r, unit(i+2))
				}
				if r = lost; pair != utf8.RuneError {
					r = pair
					i += 2
				}
			}
			text = utf8.AppendRune(text, r)
		}
		return text, i
	}
	return append(text, raw...), len(raw)
}

// size is how many bytes of the file a text came from.
func (e Encoding) size(text []byte) int64 {
	switch e {
	case EncodingWindows1252:
		return int64(utf8.RuneCount(text))
	case EncodingUTF16LE, EncodingUTF16BE:
		return int64(2 * units(text))
	}
	return int64(len(text))
}

// markSize is how long the byte order mark of a file is that has one.
func (e Encoding) markSize(marked bool) int64 {
	if !marked {
		return 0
	}
	return e.size([]byte(bom))
}

func units(text []byte) int {
	n := 0
	for len(text) > 0 {
		_, size := utf8.DecodeRune(text)
		n += 1 + size/4 // a character of four bytes is a pair in UTF-16
		text = text[size:]
	}
	return n
}

// cut is how long the beginning of a text is that came from size bytes of the
// file; -1 when it does not reach so far, or no character ends there.
func (e Encoding) cut(text []byte, size int64) int {
	if e != EncodingWindows1252 && e != EncodingUTF16LE && e != EncodingUTF16BE {
		if size > int64(len(text)) {
			return -1
		}
		return int(size)
	}
	i := 0
	for size > 0 && i < len(text) {
		_, n := utf8.DecodeRune(text[i:])
		size -= e.size(text[i : i+n])
		i += n
	}
	if size != 0 {
		return -1
	}
	return i
}

// evidence is what speaks for and against a text being UTF-8.
type evidence struct {
	Valid   int `json:"valid,omitempty"`   // characters of several bytes
	Invalid int `json:"invalid,omitempty"` // bytes that are none of UTF-8
}

func (v *evidence) add(text []byte) {
	for len(text) > 0 {
		if text[0] < utf8.RuneSelf {
			text = text[1:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			v.Invalid++
		} else {
			v.Valid++
		}
		text = text[n:]
	}
}

// encoding of a text without a mark. Windows-1252 has next to nothing that is
// UTF-8 by accident. A text in UTF-8 with some broken lines stays one, and those
// lines are refused: taken for Windows-1252, all its names would be garbled.
func (v evidence) encoding() Encoding {
	if v.Invalid > 10*v.Valid {
		return EncodingWindows1252
	}
	return EncodingUTF8
}

// headEvidence is the evidence of the beginning of a file, which may end within
// a character.
func headEvidence(head []byte, whole bool) evidence {
	if !whole {
		for n := 1; n < utf8.UTFMax && n <= len(head); n++ {
			if last := head[len(head)-n:]; utf8.RuneStart(last[0]) {
				if !utf8.FullRune(last) {
					head = head[:len(head)-n]
				}
				break
			}
		}
	}
	var v evidence
	v.add(head)
	return v
}

func oddFile() error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFile, "The file is in UTF-16 by its first bytes and has an odd number of bytes: its end is missing.",
		"Save it again, as CSV in UTF-8 if you can.")
}
