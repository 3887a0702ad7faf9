package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Document is a file in Markdown.
type Document struct {
	Path  string // relative to the root, with slashes
	lines []string
}

// Block is a fenced block of a document, or what a person does between two of them.
type Block struct {
	Document string
	Line     int    // of its first line of text, from 1
	Language string // behind the fence; "by hand" for what a person does
	Text     string
	NotRun   string   // why it is not run; empty: it is
	Answers  []string // refusals that its calls may meet: a status and a code
	Says     []string // what its output must contain
}

// Where says where a block stands.
func (b *Block) Where() string { return fmt.Sprintf("%s:%d", b.Document, b.Line) }

// Where says where a line of a document stands, counted from 1.
func (d *Document) Where(line int) string { return fmt.Sprintf("%s:%d", d.Path, line) }

// ByHand is the language of what a person does between two blocks.
const ByHand = "by hand"

// Read reads all documents below a folder, in the order of their paths. Folders
// that hold what was built or stored are left out.
func Read(root string) ([]Document, error) {
	var list []Document
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".build", ".local", "node_modules", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".md" {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		list = append(list, Document{Path: filepath.ToSlash(rel), lines: strings.Split(string(data), "\n")})
		return nil
	})
	return list, err
}

var mark = regexp.MustCompile(`^<!-- (not run|answers|says|by hand): (.+) -->$`)

// Blocks returns the fenced blocks of a document, and what is done by hand, in
// their order. A mark that belongs to no block is an error.
func (d *Document) Blocks() ([]Block, error) {
	var blocks []Block
	next := Block{Document: d.Path} // what the marks said of the block to come
	waits := 0                      // the line of such a mark; 0: there is none
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if m := mark.FindStringSubmatch(line); m != nil {
			switch m[1] {
			case "not run":
				next.NotRun, waits = m[2], i+1
			case "answers":
				next.Answers, waits = strings.Split(m[2], ", "), i+1
			case "by hand":
				blocks = append(blocks, Block{Document: d.Path, Line: i + 1, Language: ByHand, Text: m[2]})
			case "says":
				if len(blocks) == 0 {
					return nil, fmt.Errorf("%s:%d: no block stands before it", d.Path, i+1)
				}
				last := &blocks[len(blocks)-1]
				last.Says = append(last.Says, m[2])
			}
			continue
		}
		language, fenced := strings.CutPrefix(line, "```")
		if !fenced {
			if waits > 0 && strings.TrimSpace(line) != "" {
				return nil, fmt.Errorf("%s:%d: no block follows this mark", d.Path, waits)
			}
			continue
		}
		end := slices.Index(d.lines[i+1:], "```")
		if end < 0 {
			return nil, fmt.Errorf("%s:%d: the block does not end", d.Path, i+1)
		}
		next.Line, next.Language = i+2, language
		next.Text = strings.Join(d.lines[i+1:i+1+end], "\n")
		blocks = append(blocks, next)
		next, waits = Block{Document: d.Path}, 0
		i += end + 1
	}
	if waits > 0 {
		return nil, fmt.Errorf("%s:%d: no block follows this mark", d.Path, waits)
	}
	return blocks, nil
}

// Prose is the document without its fenced blocks, line by line: an empty line
// stands for each line of theirs.
func (d *Document) Prose() []string {
	prose := make([]string, len(d.lines))
	fenced := false
	for i, line := range d.lines {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		} else if !fenced {
			prose[i] = line
		}
	}
	return prose
}

// Link is a link within the repository.
type Link struct {
	Line   int
	Path   string // relative to the root; the document's own for an anchor alone
	Anchor string // without #
}

var (
	linkTo     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	codeSpan   = regexp.MustCompile("`[^`]*`")
	notInAName = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// Links returns the links of a document that stay within the repository.
func (d *Document) Links() []Link {
	var links []Link
	for i, line := range d.Prose() {
		for _, m := range linkTo.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			to, anchor, _ := strings.Cut(m[1], "#")
			if to == "" {
				to = d.Path
			} else {
				to = path.Join(path.Dir(d.Path), to)
			}
			links = append(links, Link{Line: i + 1, Path: to, Anchor: anchor})
		}
	}
	return links
}

// Anchors returns the names of the document's headings, as links call them.
func (d *Document) Anchors() []string {
	var names []string
	for _, line := range d.Prose() {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		name := strings.ToLower(strings.TrimSpace(heading))
		names = append(names, strings.ReplaceAll(notInAName.ReplaceAllString(name, ""), " ", "-"))
	}
	return names
}
