package people

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"bindery/shared/directory"
)

// readBytes is how much of an uploaded file is read at once.
const readBytes = 1 << 20

// file is a file of which only a window is in memory, as text in UTF-8. Offsets
// are those of the file's own bytes, in whatever encoding.
type file struct {
	size int64
	// read returns some bytes from an offset that lies within the file.
	read     func(ctx context.Context, offset int64) ([]byte, error)
	sheets   OpenSheet // reads it when it is a workbook
	encoding Encoding
	window   []byte
	at, end  int64  // what part of the file the window is
	rest     []byte // read behind it already: the beginning of a character
}

// memoryFile is a file that is in memory already.
func memoryFile(data []byte) *file {
	return &file{size: int64(len(data)), window: data, end: int64(len(data)), read: func(_ context.Context, offset int64) ([]byte, error) {
		return data[offset:min(offset+readBytes, int64(len(data)))], nil
	}}
}

// as has the file read in an encoding from now on.
func (f *file) as(e Encoding) {
	if f.encoding == "" {
		f.encoding = EncodingUTF8 // as it was read so far
	}
	if e != f.encoding {
		f.window, f.at, f.end, f.rest = nil, 0, 0, nil
	}
	f.encoding = e
}

// from moves the window to an offset, makes it at least as large as scan needs
// it, and returns it and whether it reaches to the file's end.
func (f *file) from(ctx context.Context, offset int64) (window []byte, whole bool, err error) {
	cut := -1
	if offset >= f.at && offset <= f.end {
		cut = f.encoding.cut(f.window, offset-f.at)
	}
	if cut < 0 {
		f.window, f.at, f.end, f.rest = nil, offset, offset, nil
	} else {
		f.window, f.at = f.window[cut:], offset
	}
	for len(f.window) < headBytes && f.end < f.size {
		next := f.end + int64(len(f.rest))
		more, err := f.read(ctx, next)
		if err == nil && len(more) == 0 {
			err = fmt.Errorf("file of %d bytes ends at %d: %w", f.size, next, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, false, err
		}
		raw, n := more, 0
		if len(f.rest) > 0 {
			raw = append(f.rest, more...)
		}
		f.window, n = f.encoding.decode(f.window, raw, next+int64(len(more)) == f.size)
		f.rest, f.end = raw[n:], f.end+int64(n)
	}
	return f.window, f.end == f.size, nil
}

// layout reads how the file is to be read.
func (f *file) layout(ctx context.Context, as LoadOptions) (layout, error) {
	f.as(EncodingUTF8)
	head, whole, err := f.from(ctx, 0)
	if err != nil {
		return layout{}, err
	}
	switch {
	case isWorkbook(head):
		return f.workbookLayout(ctx, as)
	case isOldWorkbook(head):
		return layout{}, badWorkbook("The file is an Excel workbook of the kind before 2007 (.xls), or one with a password.")
	case as.Sheet != "":
		return layout{}, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFile, fmt.Sprintf("The sheet %q is asked for, and the file is no Excel workbook.", as.Sheet), "Leave sheet out, or send the workbook (.xlsx).")
	case as.Format == FormatXLSX: // what some programs say of every table
		as.Format = ""
	}
	marked := markedEncoding(head)
	encoding, certain := marked, true
	switch {
	case marked != "":
	case as.Encoding != "":
		encoding = as.Encoding
	case as.Format == FormatJSONLines: // which is UTF-8 and nothing else
		encoding = EncodingUTF8
	default:
		encoding, certain = headEvidence(head, whole).encoding(), false
	}
	if encoding == EncodingUTF16LE || encoding == EncodingUTF16BE {
		if f.size%2 != 0 {
			return layout{}, oddFile()
		}
	} else if bytes.IndexByte(head, 0) >= 0 {
		return layout{}, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFile, "The file holds NUL bytes: it is no text, or one in UTF-16 whose first bytes do not say so, or was sent as one in UTF-8.",
			"Save it in UTF-8; or send it as application/octet-stream, or with its charset in an upload.")
	}
	if encoding != EncodingUTF8 {
		f.as(encoding)
		if head, whole, err = f.from(ctx, 0); err != nil {
			return layout{}, err
		}
	}
	as.Encoding = encoding
	l, err := readLayout(head, whole, as)
	if l.format == FormatJSONLines && !certain {
		f.as(EncodingUTF8)
		l.encoding, certain = EncodingUTF8, true
	}
	l.certain = certain
	return l, err
}

// count counts elements from a place on, at most so many bytes of the file, and
// returns the place behind them.
// For a file whose encoding is a guess, seen gets what speaks for it; lines end
// alike in UTF-8 and Windows-1252.
func (f *file) count(ctx context.Context, l *layout, at filePlace, most int64, seen *evidence) (int, filePlace, error) {
	n := 0
	counted := *l
	if !l.certain {
		counted.encoding = EncodingUTF8
		f.as(EncodingUTF8)
	}
	for end := at.Offset + most; at.Offset < min(end, f.size); {
		window, whole, err := f.from(ctx, at.Offset)
		if err != nil {
			return n, at, err
		}
		next := counted.scan(window, whole, at, maxLines+1-n, func(int, []byte) { n++ })
		if !l.certain {
			seen.add(window[:next.Offset-at.Offset])
		}
		at = next
		if n > maxLines {
			return n, at, l.shape.tooManyLines()
		}
	}
	return n, at, nil
}

// countAll counts all elements of a file, at least one, and settles which encoding
// it is in.
func (f *file) countAll(ctx context.Context, l *layout, as LoadOptions) (int, error) {
	var seen evidence
	n, _, err := f.count(ctx, l, l.first, f.size, &seen)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, l.shape.emptyFile()
	}
	return n, f.chooseEncoding(ctx, l, as, seen)
}

// chooseEncoding reads the layout again when all of the file shows another encoding
// than its beginning did.
func (f *file) chooseEncoding(ctx context.Context, l *layout, as LoadOptions, seen evidence) error {
	if l.certain {
		return nil
	}
	as.Encoding = seen.encoding()
	if as.Encoding == l.encoding {
		return nil
	}
	again, err := f.layout(ctx, as)
	*l = again
	return err
}

func (s *shape) tooManyLines() error {
	return directory.Refuse(directory.ErrTooLarge, directory.CodeTooManyLines, fmt.Sprintf("The file has more than %d lines with a %s.", maxLines, s.noun),
		"Split it into several files, each with its own header row if it is CSV.")
}

func (s *shape) emptyFile() error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeEmptyFile, "The file holds no "+s.noun+".", "Send JSON lines, or CSV with a header row of attribute names.")
}
