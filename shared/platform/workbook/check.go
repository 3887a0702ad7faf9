package workbook

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"bindery/shared/directory"
)

const (
	// maxUnpacked is how much the files in a workbook may have together, unpacked,
	// and maxBeside those of them that are neither a sheet nor the texts of one.
	maxUnpacked = 128 << 20
	maxBeside   = 16 << 20
	// maxEntries is how many files a workbook may have.
	maxEntries = 2000
	// spillBytes is from which size on a sheet is unpacked to a file.
	spillBytes = 4 << 20
)

func refuse(detail string) error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFile, detail, "Save it as an Excel workbook (.xlsx) without a password, or as CSV in UTF-8.")
}

// check refuses what would grow beyond all measure when it is unpacked.
// What an archive says of the size of its files, zip.Reader holds it to. uncomputed
// are the first cells, by the part of their sheet, with a formula and no result.
func check(data []byte) (z *zip.Reader, uncomputed map[string]string, err error) {
	z, err = zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, refuse("The file begins as a workbook and is none: it is damaged, or its end is missing.")
	}
	var all, beside uint64
	found := false
	for _, f := range z.File {
		name := strings.ToLower(f.Name)
		found = found || name == "xl/workbook.xml"
		if all += f.UncompressedSize64; f.UncompressedSize64 > maxUnpacked {
			all = maxUnpacked + 1
			break
		}
		if !strings.HasPrefix(name, "xl/worksheets/") && name != "xl/sharedstrings.xml" {
			beside += f.UncompressedSize64
		}
	}
	switch {
	case all > maxUnpacked || beside > maxBeside || len(z.File) > maxEntries:
		return nil, nil, directory.Refuse(directory.ErrTooLarge, directory.CodeWorkbookTooLarge,
			fmt.Sprintf("The workbook has more than %d MB when it is unpacked, more than %d MB of them beside its sheets, or more than %d files.", maxUnpacked>>20, maxBeside>>20, maxEntries),
			"Save the sheet as CSV in UTF-8, or leave pictures and other sheets out.")
	case !found:
		return nil, nil, refuse("The file is a ZIP archive, and no Excel workbook.")
	}
	uncomputed, err = checkParts(z)
	return z, uncomputed, err
}

// What of the XML in a workbook costs memory beyond its size, and how much of that
// is taken: a workbook of some KB may else take the memory of a whole function.
const (
	// maxBesideElements is for the elements of all that is neither a sheet nor the
	// texts of one: Excel keeps at most 65,490 formats of cells, of three each.
	maxBesideElements = 500_000
	// maxTexts is for the elements of the texts: some two million of them.
	maxTexts = 5_000_000
	maxDepth = 100
	// maxRun is how many bytes there may be from one tag to the next. A cell has at
	// most 32,767 characters.
	maxRun = 1 << 20
)

var (
	errHuge = errors.New("workbook: more than is read of one")
	// errCharset: no program that is known writes a workbook in another encoding.
	errCharset = errors.New("workbook: another encoding than UTF-8")
)

// checkParts refuses a workbook whose XML is beyond measure, and one with a sheet
// that cannot be read to its end: the library takes that for the end of the sheet,
// and people would be missing.
func checkParts(z *zip.Reader) (uncomputed map[string]string, err error) {
	uncomputed = map[string]string{}
	beside, texts := maxBesideElements, maxTexts
	for _, f := range z.File {
		name := partName(f.Name)
		sheet := strings.HasPrefix(name, "xl/worksheets/") && strings.HasSuffix(name, ".xml")
		var left *int
		switch {
		case sheet:
		case name == "xl/sharedstrings.xml":
			left = &texts
		case strings.HasSuffix(name, ".xml"), strings.HasSuffix(name, ".rels"):
			left = &beside
		default:
			continue
		}
		cell, err := checkPart(f, left)
		switch {
		case errors.Is(err, errHuge):
			return nil, directory.Refuse(directory.ErrTooLarge, directory.CodeWorkbookTooLarge, fmt.Sprintf("The part %s of the workbook has more elements, or a longer text, than a workbook of people has.", f.Name),
				"Save the sheet as CSV in UTF-8, or copy its cells into a new workbook, without their formats.")
		case errors.Is(err, errCharset):
			return nil, refuse(fmt.Sprintf("The part %s of the workbook is in another encoding than UTF-8.", f.Name))
		case err != nil && sheet:
			return nil, refuse(fmt.Sprintf("The workbook is damaged: its part %s cannot be read to its end.", f.Name))
		case sheet:
			uncomputed[name] = cell
		}
	}
	return uncomputed, nil
}

// partName is the name of a part as it is compared.
func partName(name string) string {
	return strings.TrimPrefix(strings.ToLower(strings.ReplaceAll(name, `\`, "/")), "/")
}

// partOf is the part that holds a sheet; "" when the workbook does not say it.
func partOf(z *zip.Reader, sheet string) string {
	var book struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
			ID   string `xml:"id,attr"`
		} `xml:"sheets>sheet"`
	}
	var links struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	for _, f := range z.File {
		var into any
		switch partName(f.Name) {
		case "xl/workbook.xml":
			into = &book
		case "xl/_rels/workbook.xml.rels":
			into = &links
		default:
			continue
		}
		in, err := f.Open()
		if err != nil {
			return ""
		}
		err = xml.NewDecoder(in).Decode(into)
		if errors.Join(err, in.Close()) != nil {
			return ""
		}
	}
	for _, s := range book.Sheets {
		for _, l := range links.List {
			if s.Name == sheet && s.ID == l.ID {
				if strings.HasPrefix(l.Target, "/") {
					return partName(l.Target)
				}
				return partName(path.Join("xl", l.Target))
			}
		}
	}
	return ""
}

// checkPart reads a part to its end. left is how many elements it may have; nil for
// as many as it has. Of a sheet it returns the first cell with a formula and without
// a result; a result may be an empty text.
func checkPart(f *zip.File, left *int) (uncomputed string, err error) {
	in, err := f.Open()
	if err != nil {
		return "", err
	}
	defer in.Close() // it was only read
	d := xml.NewDecoder(&runs{in: in})
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errCharset }
	var c cell
	for depth := 0; ; {
		token, err := d.RawToken() // Token would keep each element that is open
		switch {
		case errors.Is(err, io.EOF) && depth > 0:
			return "", io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return uncomputed, nil
		case err != nil:
			return "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			if left != nil {
				*left--
			}
			if depth > maxDepth || left != nil && *left < 0 {
				return "", errHuge
			}
			c.start(token)
		case xml.CharData:
			c.text(token)
		case xml.EndElement:
			depth--
			if c.end(token) && uncomputed == "" {
				uncomputed = cmp.Or(c.name, "without a name")
			}
		}
	}
}

// cell is the cell of a sheet that is being read.
type cell struct {
	name            string
	formula, result bool
	open            string // the element that is open
}

func (c *cell) start(e xml.StartElement) {
	c.open = e.Name.Local
	switch c.open {
	case "c":
		c.name, c.formula, c.result = "", false, false
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "r":
				c.name = a.Value
			case "t":
				c.result = a.Value == "str"
			}
		}
	case "f":
		c.formula = true
	}
}

func (c *cell) text(t xml.CharData) {
	if c.open == "v" && len(bytes.TrimSpace(t)) > 0 {
		c.result = true
	}
}

// end reports whether a cell has ended that has a formula and no result.
func (c *cell) end(e xml.EndElement) bool {
	c.open = ""
	if e.Name.Local != "c" {
		return false
	}
	uncomputed := c.formula && !c.result
	c.formula = false
	return uncomputed
}

// runs reads XML and refuses what is too long between two tags.
type runs struct {
	in  io.Reader
	run int
}

func (r *runs) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			i = len(rest)
		}
		if r.run += i; r.run > maxRun {
			return 0, errHuge
		}
		if i == len(rest) {
			break
		}
		r.run, rest = 0, rest[i+1:]
	}
	return n, err
}
