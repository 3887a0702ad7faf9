package admin

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// usersCSV writes users as CSV; bound says that it was asked what they are bound by.
func usersCSV(bound bool) func([]ListedUser) []byte {
	return func(list []ListedUser) []byte { return writeUsers(list, bound) }
}

// writeUsers writes users as RFC 4180 has it, with a line of names first: those of attributes,
// and behind them what only Bindery writes. Each page has the same columns, so custom
// attributes, of which each user may have others, are one: a JSON object.
func writeUsers(list []ListedUser, bound bool) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	head := []string{"id"}
	for _, a := range directory.Attributes() {
		if a.Path != "" {
			head = append(head, a.Path)
		}
	}
	head = append(head, "customAttributes", "source", "created", "updated", "deleted")
	if bound {
		head = append(head, "connectionId", "connectionName", "bindingStatus")
	}
	_ = w.Write(head) // a bytes.Buffer takes everything
	for i := range list {
		u := &list[i]
		row := []string{string(u.ID)}
		for _, a := range directory.Attributes() {
			if a.Path != "" {
				row = append(row, a.Text(&u.Profile))
			}
		}
		custom, deleted := "", ""
		if len(u.CustomAttributes) > 0 {
			custom = string(lineOf(u.CustomAttributes))
		}
		if u.Deleted != nil {
			deleted = u.Deleted.Format(time.RFC3339)
		}
		row = append(row, custom, string(u.Source), u.Created.Format(time.RFC3339), u.Updated.Format(time.RFC3339), deleted)
		if bound {
			var b BoundUser
			if u.Binding != nil {
				b = *u.Binding
			}
			row = append(row, string(b.ConnectionID), b.ConnectionName, string(b.Status))
		}
		for i := range row {
			row[i] = plan.Inert(row[i])
		}
		_ = w.Write(row)
	}
	w.Flush()
	return b.Bytes()
}

// usersLines writes users as JSON lines, each as the list has it.
func usersLines(list []ListedUser) []byte {
	var b bytes.Buffer
	for i := range list {
		b.Write(lineOf(list[i]))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// lineOf is a value as JSON in one line.
func lineOf(value any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic("a line of an export: " + err.Error()) // texts, times and maps of texts always marshal
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
