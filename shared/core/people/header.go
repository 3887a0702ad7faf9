package people

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"bindery/shared/directory"
)

// A header row is in our own names ("email", "phones.work"), in any letter case
// and with or without blanks, dots and underscores, or it is that of another
// system's export, whose names are in foreign.go. In a file with our own names
// alone, a name that nobody knows is a misspelling and refuses the file. In an
// export it is a column that is not loaded, and the job says so. Whoever wants
// it otherwise says so (UnknownColumns).
//
// Several columns may give one attribute: the first of them in the order of
// preference that is not empty in a row counts for that row.

// UnknownColumns says what becomes of columns that nobody knows.
type UnknownColumns string

// What becomes of unknown columns; "" refuses them in a file with our own names
// and ignores them in another system's export, but for what looks like a
// misspelling where nobody can tell which system wrote the file.
const (
	UnknownRefuse UnknownColumns = "refuse"
	UnknownIgnore UnknownColumns = "ignore"
)

// maxColumns bounds what a job says of its file.
const maxColumns = 500

// lostCharacter is what is wrong with a text that somebody has read in a wrong
// encoding, as API Gateway does with a body that it takes for text: the sign for
// a lost character stands where one was.
const lostCharacter = "has lost characters: the file was sent as text, or saved, in another encoding than it says; send it as application/octet-stream, or upload it"

// shortened is what Microsoft Excel writes into CSV in place of a number with
// more than eleven digits, such as an employee's number or a phone's.
var shortened = directory.Pattern(`^\d([.,]\d+)?E\+\d\d$`)

// column is a column of a file of CSV or of a workbook.
type column struct {
	name    string
	path    string   // "" when the column is ignored
	also    string   // a second attribute, for rows in which no other column gives it
	ignored string   // why
	note    string   // what else is to be known
	rank    int      // among the columns of one attribute; the lowest comes first
	status  statuses // of a column that says who is active
	read    func(cell string) string
}

// columns are those of a file, in its order.
type columns struct {
	shape  *shape
	list   []column
	order  []int // the columns by rank
	export string
}

// entraName is a name of the Entra admin centre's templates: what a person
// reads, the property, and whether it must be there.
var entraName = directory.Pattern(`^.*\[\s*([A-Za-z]+)\s*\]\s*\*?\s*(?i:required)?\s*$`)

// foldName brings the name of a column to the form in which names are compared.
func foldName(name string) string {
	if m := entraName().FindStringSubmatch(name); m != nil {
		name = m[1]
	}
	name = strings.ReplaceAll(name, "#", "number")
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// tidyName takes away what no person sees in the name of a column.
func tidyName(name string) string {
	return directory.TidyText(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, name))
}

// ownPath is the attribute of a column that has one of our own names.
func ownPath(name string) string {
	if _, ok := directory.AttributeAt(name); ok {
		return name
	}
	if strings.HasPrefix(name, customPrefix) {
		return name
	}
	folded := foldName(name)
	for _, a := range directory.Attributes() {
		if a.Path != "" && foldName(a.Path) == folded {
			return a.Path
		}
	}
	return ""
}

// knownNames counts the names of a row that are known as columns.
func knownNames(s *shape, names []string) int {
	n := 0
	for _, name := range names {
		name = tidyName(name)
		_, foreign := foreignNames[foldName(name)]
		if ownPath(name) != "" || foreign || slices.Contains(s.readOnly, name) {
			n++
		}
	}
	return n
}

// headerRow is what the names of a header row say together.
type headerRow struct {
	shape    *shape
	foreign  bool // some are another system's
	province bool // a column "state" stands among those of an address
	private  bool // it is the list of an HR system, whose addresses are those of homes
	folded   map[string]bool
}

func readHeaderRow(s *shape, names []string) headerRow {
	h := headerRow{shape: s, folded: map[string]bool{}}
	address := false
	for _, name := range names {
		folded := foldName(name)
		h.folded[folded] = true
		_, foreign := foreignNames[folded]
		h.foreign = h.foreign || foreign && ownPath(name) == ""
		address = address || slices.Contains(addressNames, folded)
		h.private = h.private || slices.Contains(privateNames, folded)
	}
	h.province = h.foreign && address
	return h
}

// column reads one name. fault says why the file cannot have it, unknown that
// nobody knows it.
func (h *headerRow) column(name string) (c column, fault string, unknown bool) {
	c.name = name
	folded := foldName(name)
	other, known := foreignNames[folded]
	path := ownPath(name)
	if h.foreign {
		switch {
		case slices.Contains(addressNames, folded) && h.private:
			path, other, known = "", foreignName{ignored: "is taken for a private address, as HR systems export it; name the column workAddress.… to load it"}, true
		case folded == "state" && h.province:
			path, other, known = "", foreignName{path: "workAddress.state", rank: 2}, true
		case folded == "state" && name != "state":
			path, other, known = "", foreignName{status: saysActive}, true
		case folded == "managerid":
			path, other, known = "", foreignName{ignored: "names a manager by another system's ID; managerId is the ID of a user here"}, true
		}
	}
	key, custom := strings.CutPrefix(path, customPrefix)
	switch {
	case strings.ContainsRune(name, utf8.RuneError):
		return c, lostCharacter, false
	case path != "":
		c.path = path
		if custom {
			fault = checkKey(key)
		}
	case !known && slices.Contains(h.shape.readOnly, name):
		if !h.foreign {
			return c, "is read-only; leave the column out", false
		}
		c.ignored = "is written by Bindery alone"
	case !known:
		return c, "is not an attribute of a user" + suggestion(folded), true
	default:
		c.path, c.also, c.rank, c.status, c.ignored, c.read = other.path, other.also, 1+other.rank, other.status, other.ignored, other.read
		if c.status != nil && strings.Contains(strings.ToLower(name), "block") {
			c.status = saysBlocked
		}
		if c.status != nil {
			c.note = "says who may sign in there: a new user who may not is created suspended; the state of one who is here is not changed, and counted in statusDiffers when it is another"
		}
	}
	return c, fault, false
}

// readColumns reads a header row and reports every name that is wrong.
func readColumns(s *shape, names []string, unknown UnknownColumns) (columns, error) {
	names = tidyHeader(names)
	if err := checkColumns(s, names); err != nil {
		return columns{}, err
	}
	h := readHeaderRow(s, names)
	c := columns{shape: s}
	var faults []directory.FieldError
	if h.foreign {
		c.export = exportOf(h.folded)
	}
	for i, name := range names {
		if name == "" {
			c.list = append(c.list, column{ignored: "has no name: a value in it is a fault of its line"})
			continue
		}
		col, fault, nobody := h.column(name)
		switch {
		case nobody && (unknown == UnknownIgnore || unknown == "" && (c.export != "" && c.export != anySystem || h.foreign && suggestion(foldName(name)) == "")):
			col.ignored, fault = fault, ""
		case fault == "" && unknown == UnknownRefuse && col.path == "" && col.status == nil:
			fault = col.ignored
		case fault == "" && col.path != "" && slices.ContainsFunc(c.list, func(o column) bool {
			return o.path == col.path && o.rank == col.rank && (col.rank == 0 || foldName(o.name) == foldName(name))
		}):
			fault = "is there twice"
		}
		if fault != "" {
			faults = append(faults, columnFault(i, name, fault))
		}
		c.list = append(c.list, col)
	}
	c.findAddress(h.foreign)
	if !c.gives("email") && !slices.ContainsFunc(faults, func(f directory.FieldError) bool { return f.Field == "email" }) {
		faults = append(faults, directory.FieldError{Field: "email", Detail: "is a column that the file needs"})
	}
	if faults != nil {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidHeader, "The header row was not accepted and nothing was loaded.",
			"Name the columns as the members of a user, such as email, phones.work, customAttributes.badge; or load with unknownColumns=ignore what is to be left out.")
		r.Fields = faults
		return c, r
	}
	c.sort()
	return c, nil
}

// tidyHeader are the names of a header row in their tidy form, without empty ones at the
// end.
func tidyHeader(names []string) []string {
	names = slices.Clone(names)
	for i, name := range names {
		names[i] = tidyName(name)
	}
	for len(names) > 0 && names[len(names)-1] == "" {
		names = names[:len(names)-1]
	}
	return names
}

func checkColumns(s *shape, names []string) error {
	if len(names) <= maxColumns {
		return nil
	}
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidHeader, fmt.Sprintf("The header row has %d names; at most %d are taken.", len(names), maxColumns),
		"Leave out the columns that are no attribute of a "+s.noun+".")
}

// columnFault is what is wrong with column i.
func columnFault(i int, name, fault string) directory.FieldError {
	if !utf8.ValidString(name) {
		name = fmt.Sprintf("column %d", i+1)
	}
	return directory.FieldError{Field: name, Detail: fault}
}

// names are the names of the columns.
func (c *columns) names() []string {
	var list []string
	for _, col := range c.list {
		list = append(list, col.name)
	}
	return list
}

// gives reports whether some column gives an attribute.
func (c *columns) gives(path string) bool {
	return slices.ContainsFunc(c.list, func(col column) bool { return col.path == path || col.also == path })
}

// findAddress lets the sign-in name stand for the address in an export that has
// no column for that.
func (c *columns) findAddress(foreign bool) {
	if !foreign || c.gives("email") {
		return
	}
	for i := range c.list {
		if c.list[i].path == "userName" {
			c.list[i].also = "email"
		}
	}
}

// sort puts the columns in the order of preference and says where several give
// one attribute.
func (c *columns) sort() {
	for i := range c.list {
		c.order = append(c.order, i)
	}
	sort.SliceStable(c.order, func(i, j int) bool { return c.list[c.order[i]].rank < c.list[c.order[j]].rank })
	first := map[string]string{}
	for _, i := range c.order {
		col := &c.list[i]
		if col.path == "" {
			continue
		}
		if better, there := first[col.path]; there {
			col.note = fmt.Sprintf("counts in rows in which %q is empty", better)
		} else {
			first[col.path] = col.name
		}
	}
	for i := range c.list {
		if col := &c.list[i]; col.also != "" {
			if better, there := first[col.also]; there {
				col.note = fmt.Sprintf("gives %s as well, in rows in which %q is empty", col.also, better)
			} else {
				col.note = "gives " + col.also + " as well"
			}
		}
	}
}

// parse reads a row. A row may be shorter or longer than the header by empty
// cells; a value that has no name is a fault.
func (c *columns) parse(n int, row []string) loadLine {
	l := loadLine{Line: n}
	var faults []directory.FieldError
	for i, cell := range row {
		if (i >= len(c.list) || c.list[i].name == "") && strings.TrimSpace(cell) != "" {
			faults = append(faults, directory.FieldError{Field: fmt.Sprintf("cell %d (column %s)", i+1, columnLetters(i)), Detail: "holds a value, and the header has no name for it"})
		}
	}
	if faults != nil {
		l.fault(misplaced(faults))
		return l
	}
	l.Edit = edit{}
	put := func(path, cell string) {
		if fault := c.take(&l, path, cell); fault != "" {
			faults = append(faults, directory.FieldError{Field: path, Detail: fault})
		}
	}
	for _, i := range c.order {
		if i >= len(row) {
			continue
		}
		col := &c.list[i]
		cell := row[i]
		if col.read != nil {
			cell = col.read(cell)
		}
		put(col.path, cell)
		if text := strings.TrimSpace(row[i]); col.status != nil && text != "" {
			state, known := col.status[foldName(text)]
			if !known {
				faults = append(faults, directory.FieldError{Field: col.name, Detail: "holds a status that is not known; leave the column out, or name it state and write staged, active or suspended"})
			}
			l.Status = worse(l.Status, state)
		}
	}
	for _, i := range c.order { // what a column gives besides, behind all that give it themselves
		if i < len(row) {
			put(c.list[i].also, row[i])
		}
	}
	if err := c.shape.invalid(faults); err != nil {
		l.fault(err)
	}
	return l
}

// take gives an attribute of a line what stands in a cell, unless a column before
// has given it. It says what is wrong with the cell, or "".
func (c *columns) take(l *loadLine, path, cell string) (fault string) {
	if path == "" || l.Edit[path] != "" {
		return ""
	}
	read := c.shape.clean(path, strings.Clone(cell))
	if noList(read.text) {
		l.Warnings = append(l.Warnings, directory.Warning{Field: path, Code: directory.WarnLeftOut, Detail: "is " + read.text + ", which PowerShell writes in place of a list; it was left out, and the rest taken"})
		return ""
	}
	lost := strings.ContainsRune(read.text, utf8.RuneError)
	fault = read.fault
	if slices.Contains(cellErrors, read.text) {
		fault = "holds the error " + read.text + ", which a spreadsheet shows in place of a value"
	}
	if w, ok := c.shape.spared(path, fault); ok && fault != "" && !lost {
		l.Warnings = append(l.Warnings, w)
		return ""
	}
	switch {
	case fault != "":
		return fault
	case lost:
		return lostCharacter
	case shortened().MatchString(read.text):
		return "is a number that a spreadsheet has shortened; give its column the format Text, write the number again and save the file anew"
	case c.export != "" && isAddress(path) && strings.Contains(strings.ToUpper(read.text), "#EXT#"):
		return "is that of a guest, an account of another tenant, which is not loaded"
	case read.text != "":
		l.Edit[path] = read.text
		l.Warnings = append(l.Warnings, read.warnings...)
	}
	return ""
}

// noList reports whether a text is what PowerShell's Export-Csv writes in place of
// a list of values: the name of its type.
func noList(text string) bool {
	return text == "System.String[]" || text == "System.Object[]" || strings.HasPrefix(text, "System.Collections.Generic.")
}

// misplaced is the refusal of a row with values that have no name.
func misplaced(faults []directory.FieldError) error {
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidLine, "The row holds values without a name.", "")
	r.Fields = faults
	return r
}

// columnLetters are what spreadsheets call a column: A for 0, AA for 26.
func columnLetters(i int) string {
	s := ""
	for i++; i > 0; i = (i - 1) / 26 {
		s = string(rune('A'+(i-1)%26)) + s
	}
	return s
}

// suggestion names the attribute that a name may be a misspelling of.
func suggestion(folded string) string {
	best, found := 3, ""
	try := func(name, path string) {
		if d := distance(folded, name); d < best && 3*d < len(name) {
			best, found = d, path
		}
	}
	for _, a := range directory.Attributes() {
		if a.Path == "" {
			continue
		}
		try(foldName(a.Path), a.Path)
		if i := strings.LastIndexByte(a.Path, '.'); i >= 0 {
			try(foldName(a.Path[i+1:]), a.Path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(foreignNames)) {
		try(name, foreignNames[name].path)
	}
	if found == "" {
		return ""
	}
	return "; did you mean " + found + "?"
}

// distance is how many letters lie between two words (Levenshtein).
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	if len(from) > 40 {
		return len(from)
	}
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, q := range to {
			cost := 1
			if r == q {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(to)]
}
