package admin

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// usersCSV writes users as RFC 4180 has it, with a line of names first: those of attributes,
// and behind them what only Bindery writes. Each page has the same columns, so custom
// attributes, of which each user may have others, are one: a JSON object.
func usersCSV(list []directory.User) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	head := []string{"id"}
	for _, a := range directory.Attributes() {
		if a.Path != "" {
			head = append(head, a.Path)
		}
	}
	_ = w.Write(append(head, "customAttributes", "source", "created", "updated", "deleted")) // a bytes.Buffer takes everything
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
		for i := range row {
			row[i] = plan.Inert(row[i])
		}
		_ = w.Write(row)
	}
	w.Flush()
	return b.Bytes()
}

// usersLines writes users as JSON lines, each as it is read by itself.
func usersLines(list []directory.User) []byte {
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
