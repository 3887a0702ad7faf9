package plan

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// Cell is what a Tally counts by.
type Cell struct {
	Kind       directory.Kind // of the changed objects; empty for accounts
	Effect     directory.Effect
	Department string
	Domain     string
	// FirstLoad marks what no limit of the guard counts: see directory.Change.
	FirstLoad bool
	// Scope is what the change counts for by itself, of an effect with such a limit.
	Scope Scope
}

// Scope is a part that changes name by themselves, as a group whose members change.
type Scope struct {
	ID   string
	Name string
	Size int // of how many a limit's share is
}

// scopeOf is the scope in which a change counts as an effect.
func scopeOf(c *directory.Change, e directory.Effect) Scope {
	if c.Scope == "" || e.Row().Scoped == nil {
		return Scope{}
	}
	return Scope{c.Scope, c.ScopeName, c.ScopeSize}
}

// Tally counts changes by effect, department and domain. A change counts once, or as
// often as it is about people, for its own effect, and besides as a block if it disables an account, as
// update-sensitive if it writes a sensitive property to an account that was
// there, and as update-to-empty if it empties a value.
type Tally map[Cell]int

// TallyOf counts changes.
func TallyOf(changes []directory.Change) Tally {
	t := Tally{}
	t.Add(changes)
	return t
}

// Add counts changes on top.
func (t Tally) Add(changes []directory.Change) {
	for i := range changes {
		c := &changes[i]
		for e := range effectsOf(c) {
			t[Cell{c.Object.Kind.CountsAs(), e, c.Department, c.Domain, c.FirstLoad && e == directory.EffectUpdateSensitive, scopeOf(c, e)}] += max(1, c.People)
		}
	}
}

// Merge adds another tally.
func (t Tally) Merge(other Tally) {
	for cell, n := range other {
		t[cell] += n
	}
}

// guarded is the part of a tally that the guard's limits count.
func (t Tally) guarded() Tally {
	g := maps.Clone(t)
	maps.DeleteFunc(g, func(cell Cell, _ int) bool { return cell.FirstLoad })
	return g
}

// Kinds are those of the counted objects, accounts first, as the empty kind.
func (t Tally) Kinds() []directory.Kind {
	kinds := map[directory.Kind]bool{}
	for cell := range t {
		kinds[cell.Kind] = true
	}
	return slices.Sorted(maps.Keys(kinds))
}

// Of is the part of a tally that is about objects of a kind, which is empty for
// accounts.
func (t Tally) Of(kind directory.Kind) Tally {
	part := maps.Clone(t)
	maps.DeleteFunc(part, func(cell Cell, _ int) bool { return cell.Kind != kind })
	return part
}

// Total is the number of an effect.
func (t Tally) Total(e directory.Effect) int {
	n := 0
	for cell, k := range t {
		if cell.Effect == e {
			n += k
		}
	}
	return n
}

// Effects counts by effect.
func (t Tally) Effects() map[directory.Effect]int {
	m := map[directory.Effect]int{}
	for cell, n := range t {
		m[cell.Effect] += n
	}
	return m
}

// Part is one department or domain of a tally with its numbers by effect.
type Part struct {
	Name   string                   `json:"name"` // empty for users without one
	Counts map[directory.Effect]int `json:"counts"`
}

// By counts by effect in each department or domain, ordered by name.
func (t Tally) By(d directory.Dimension) []Part {
	byKey := map[string]*Part{}
	for cell, n := range t {
		name := cell.name(d)
		p := byKey[foldName(name)]
		if p == nil {
			p = &Part{Name: name, Counts: map[directory.Effect]int{}}
			byKey[foldName(name)] = p
		}
		p.Name = min(p.Name, name) // of several spellings always the same one
		p.Counts[cell.Effect] += n
	}
	parts := make([]Part, 0, len(byKey))
	for _, p := range byKey {
		parts = append(parts, *p)
	}
	sort.Slice(parts, func(i, j int) bool {
		a, b := &parts[i], &parts[j]
		return cmp.Or(cmp.Compare(foldName(a.Name), foldName(b.Name)), cmp.Compare(a.Name, b.Name)) < 0
	})
	return parts
}

// scopes counts an effect in each scope, ordered by ID. Of several sizes of one, as of
// plans of different times, the largest counts.
func (t Tally) scopes(e directory.Effect) (list []Scope, counts map[string]int) {
	byID := map[string]Scope{}
	counts = map[string]int{}
	for cell, n := range t {
		if cell.Effect != e || cell.Scope.ID == "" {
			continue
		}
		s := byID[cell.Scope.ID]
		byID[cell.Scope.ID] = Scope{cell.Scope.ID, max(s.Name, cell.Scope.Name), max(s.Size, cell.Scope.Size)}
		counts[cell.Scope.ID] += n
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		list = append(list, byID[id])
	}
	return list, counts
}

func (c Cell) name(d directory.Dimension) string {
	if d == directory.ByDomain {
		return c.Domain
	}
	return c.Department
}

// foldName is the form in which departments and domains are told apart.
func foldName(s string) string {
	if strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || strings.Contains(s, "  ") || strings.ContainsAny(s, "\t\n\u00a0") {
		s = strings.Join(strings.Fields(s), " ")
	}
	return strings.ToLower(s)
}

// effectsOf yields what a change counts as.
func effectsOf(c *directory.Change) func(yield func(directory.Effect) bool) {
	return func(yield func(directory.Effect) bool) {
		if !yield(c.Effect) || !writes(c.Effect) {
			return
		}
		if c.Effect != directory.EffectBlock && disables(c) && !yield(directory.EffectBlock) {
			return
		}
		if touchesSensitive(c) && !yield(directory.EffectUpdateSensitive) {
			return
		}
		if empties(c) {
			yield(directory.EffectUpdateToEmpty)
		}
	}
}

// writes reports whether a change of the effect writes its properties; those of
// the others only remember what there was.
func writes(e directory.Effect) bool { return !e.Row().Remembers }

// is reports whether a change counts as an effect.
func is(c *directory.Change, e directory.Effect) bool {
	for f := range effectsOf(c) {
		if f == e {
			return true
		}
	}
	return false
}

// touchesSensitive reports whether a change writes a sensitive property without
// bearing the effect's name: changes that were planned before it had one do.
func touchesSensitive(c *directory.Change) bool {
	return !c.Effect.Row().Gains && c.Effect != directory.EffectUpdateSensitive &&
		slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool { return directory.Sensitive(p.Name) })
}

// empties reports whether a change writes nothing over a value. What takes away
// something else than values has effects of its own.
func empties(c *directory.Change) bool {
	return c.Effect.Row().Undo == directory.UndoValues && slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool { return p.After.IsNull() && !p.Before.IsNull() })
}

// maxName is how much of a department's name a change carries.
const maxName = 64

// PartOf says which department and domain a user's changes count for. The
// domain is that of the user's address, or else of the account's name.
func PartOf(u *directory.User, userPrincipalName string) (department, domain string) {
	department, domain = mapping.Text(u.Department), directory.DomainOf(u.Email)
	if r := []rune(department); len(r) > maxName {
		department = string(r[:maxName])
	}
	if domain == "" {
		domain = directory.DomainOf(userPrincipalName)
	}
	return department, domain
}

// Bound counts the bound users whose binding has had its account for a day, in
// all and by part. Whom somebody binds to raise an allowance is not among them
// when it is used, and whoever has no account never is.
type Bound struct {
	All         int
	Departments map[string]int // by folded name; filled by Add
	Domains     map[string]int
}

// Add counts one more such user.
func (b *Bound) Add(u *directory.User, userPrincipalName string) {
	if b.Departments == nil {
		b.Departments, b.Domains = map[string]int{}, map[string]int{}
	}
	department, domain := PartOf(u, userPrincipalName)
	b.All++
	b.Departments[foldName(department)]++
	b.Domains[foldName(domain)]++
}

func (b *Bound) of(d directory.Dimension, name string) int {
	if d == directory.ByDomain {
		return b.Domains[foldName(name)]
	}
	return b.Departments[foldName(name)]
}

// Counter is a Tally in the form in which the table sums it up: numbers by
// short names of fixed length, one for each guarded effect, department and
// domain that occurs; before those of other objects than accounts stands their
// kind. A name holds hashes instead of the texts, which may be
// long; the guard knows the texts from the run that it looks at.
type Counter map[string]int64

const hashLength = 8

// scopeMark stands in a name in the place of the domain when it is about a scope, which
// stands in that of the department. It is no hash.
const scopeMark = "zzzzzzzz"

// Counter returns the numbers of the guarded effects.
func (t Tally) Counter() Counter {
	c := Counter{}
	for cell, n := range t.guarded() {
		row := cell.Effect.Row()
		if !row.Guarded || n == 0 {
			continue
		}
		c[kindPrefix(cell.Kind)+string(row.Letter)+hashName(cell.Department)+hashName(cell.Domain)] += int64(n)
		if cell.Scope.ID != "" {
			c[kindPrefix(cell.Kind)+string(row.Letter)+hashName(cell.Scope.ID)+scopeMark] += int64(n)
		}
	}
	return c
}

// kindPrefix stands before a name that is about objects of a kind.
func kindPrefix(kind directory.Kind) string {
	if kind == "" {
		return ""
	}
	return "kind:" + string(kind) + ":"
}

// isCount reports whether a name is one of a counter's.
func isCount(name string) bool {
	if rest, other := strings.CutPrefix(name, "kind:"); other {
		_, name, _ = strings.Cut(rest, ":")
	}
	return len(name) == 1+2*hashLength && !strings.ContainsAny(name, "#:")
}

// of is the part of a counter that is about objects of a kind, as if these were
// accounts.
func (c Counter) of(kind directory.Kind) Counter {
	part, prefix := Counter{}, kindPrefix(kind)
	for name, n := range c {
		if rest, in := strings.CutPrefix(name, prefix); in && len(rest) == 1+2*hashLength {
			part[rest] = n
		}
	}
	return part
}

// hashName is 40 bits of a name's FNV-1a hash in base 32. It is stored for
// a week.
func hashName(name string) string {
	h := fnv.New64a()
	h.Write([]byte(foldName(name)))
	text := strconv.FormatUint(h.Sum64()>>24, 32)
	return strings.Repeat("0", hashLength-len(text)) + text
}

// Merge adds another counter. Names that are not a counter's are left out.
func (c Counter) Merge(other map[string]int64) {
	for name, n := range other {
		if isCount(name) {
			c[name] += n
		}
	}
}

// history is a Counter by effect alone, and by effect and part.
type history map[string]int64

const (
	inDepartment = ".p"
	inDomain     = ".m"
	inScope      = ".s"
)

func (c Counter) history() history {
	h := history{}
	for name, n := range c {
		if len(name) != 1+2*hashLength {
			continue
		}
		letter := name[:1]
		if name[1+hashLength:] == scopeMark {
			h[letter+inScope+name[1:1+hashLength]] += n
			continue
		}
		h[letter] += n
		h[letter+inDepartment+name[1:1+hashLength]] += n
		h[letter+inDomain+name[1+hashLength:]] += n
	}
	return h
}

func (h history) total(e directory.Effect) int { return int(h[string(e.Row().Letter)]) }

func (h history) part(e directory.Effect, d directory.Dimension, name string) int {
	in := inDepartment
	if d == directory.ByDomain {
		in = inDomain
	}
	return int(h[string(e.Row().Letter)+in+hashName(name)])
}

func (h history) scope(e directory.Effect, id string) int {
	return int(h[string(e.Row().Letter)+inScope+hashName(id)])
}

// Hour is the bucket in which what is applied at a time is counted.
func Hour(t time.Time) int64 { return floorDiv(t.Unix(), 3600) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// The spans of the guard's longer limits.
const (
	Day  = 24 * time.Hour
	Week = 7 * Day
)

// Sums adds up hour buckets over the day and the week that end now. An hour
// that lies in a span by a part counts whole: rather held once too often.
func Sums(hours map[int64]Counter, now time.Time) (day, week Counter) {
	day, week = Counter{}, Counter{}
	last, firstOfDay, firstOfWeek := Hour(now), Hour(now.Add(-Day)), Hour(now.Add(-Week))
	for _, h := range slices.Sorted(maps.Keys(hours)) {
		if h >= firstOfWeek && h <= last {
			week.Merge(hours[h])
		}
		if h >= firstOfDay && h <= last {
			day.Merge(hours[h])
		}
	}
	return day, week
}
