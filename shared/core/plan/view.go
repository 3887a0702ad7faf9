package plan

import (
	"encoding/csv"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// Filter selects changes; each list that is not empty must name the change.
type Filter struct {
	Effects     []directory.Effect // any that a change counts as
	Users       []directory.UserID
	Properties  []string // written by the change
	Departments []string
	Domains     []string
	Groups      []directory.GroupID // see GroupOf
	States      []directory.ChangeState
	IDs         map[directory.ChangeID]bool // these changes; nil: whatever they are called
}

// Empty reports whether the filter selects every change.
func (f *Filter) Empty() bool {
	return len(f.Effects)+len(f.Users)+len(f.Properties)+len(f.Departments)+len(f.Domains)+len(f.Groups)+len(f.States)+len(f.IDs) == 0
}

// GroupOf is the group of the directory that a change is about: the group itself, one of
// its memberships, its licences, or the end of a binding that came by it. "" of any other.
func GroupOf(c *directory.Change) directory.GroupID {
	if c.Scope != "" {
		return directory.GroupID(c.Scope)
	}
	if g, _, ok := c.Object.Member(); ok {
		return g
	}
	if g, _, ok := c.Object.Nested(); ok {
		return g
	}
	if c.Object.Kind == directory.KindGroup || c.Object.Kind == directory.KindGroupLicence {
		return directory.GroupID(c.Object.ID)
	}
	return ""
}

// Match reports whether a change is selected.
func (f *Filter) Match(c *directory.Change) bool {
	named := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return foldName(s) == foldName(name) })
	}
	switch {
	case len(f.Effects) > 0 && !slices.ContainsFunc(f.Effects, func(e directory.Effect) bool { return is(c, e) }),
		f.IDs != nil && !f.IDs[c.ID],
		len(f.Users) > 0 && !slices.Contains(f.Users, c.UserID),
		len(f.States) > 0 && !slices.Contains(f.States, c.State),
		len(f.Groups) > 0 && !slices.Contains(f.Groups, GroupOf(c)),
		len(f.Departments) > 0 && !named(f.Departments, c.Department),
		len(f.Domains) > 0 && !named(f.Domains, c.Domain):
		return false
	}
	return len(f.Properties) == 0 || writes(c.Effect) &&
		slices.ContainsFunc(c.Properties, func(p directory.PropertyChange) bool { return slices.Contains(f.Properties, p.Name) })
}

// CSVHeader names the columns that WriteCSV writes.
var CSVHeader = []string{"change", "user", "account", "userPrincipalName", "department", "domain", "effect", "state",
	"property", "before", "after", "reason", "irreversible"}

// WriteCSV writes changes as CSV without the header: one line for each property
// that a change writes, or one for the change. The caller flushes.
func WriteCSV(w *csv.Writer, changes []directory.Change) error {
	for i := range changes {
		c := &changes[i]
		line := func(p directory.PropertyChange) []string {
			return []string{string(c.ID), string(c.UserID), string(c.AccountID), c.UserPrincipalName, c.Department, c.Domain,
				string(c.Effect), string(c.State), p.Name, p.Before.String(), p.After.String(), c.Reason, join(c.Irreversible, p.Irreversible)}
		}
		lines := [][]string{line(directory.PropertyChange{})}
		if writes(c.Effect) && len(c.Properties) > 0 {
			lines = lines[:0]
			for _, p := range c.Properties {
				lines = append(lines, line(p))
			}
		}
		for _, l := range lines {
			for i := range l {
				l[i] = Inert(l[i])
			}
			if err := w.Write(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

// Inert keeps a spreadsheet from taking a cell for a formula: a user's data may
// be written by anybody. A number with a sign stays as it is.
func Inert(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r\n|%", rune(s[0])) {
		return s
	}
	if (s[0] == '+' || s[0] == '-') && strings.Trim(s[1:], "0123456789 ()./-") == "" {
		return s
	}
	return "'" + s
}

// effectList names effects once each, in order.
func effectList(list []directory.Effect) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(list)))
	names := make([]string, len(sorted))
	for i, e := range sorted {
		names[i] = string(e)
	}
	return strings.Join(names, ", ")
}
