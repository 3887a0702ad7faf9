package audit

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"strings"
	"time"

	"bindery/shared/directory"
)

// matchUnread is, in a file of a comparison, the line that says why Microsoft's log was not
// read, or not to the end: what only Microsoft knows of that time is not in the file.
const matchUnread Match = "unread"

// auditLine is a line of a comparison as JSON lines.
type auditLine struct {
	AuditItem
	Problem *directory.Problem `json:"problem,omitempty"` // of matchUnread
}

// lines are what a file has of a page: its items, and what it lacks.
func (r *AuditReport) lines() []auditLine {
	var list []auditLine
	if r.Problem != nil {
		list = append(list, auditLine{AuditItem{Match: matchUnread, At: r.Until}, r.Problem})
	}
	for _, item := range r.Items {
		list = append(list, auditLine{AuditItem: item})
	}
	return list
}

// Lines writes a page of the comparison as JSON lines, an item each.
func (r *AuditReport) Lines() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, line := range r.lines() {
		if err := enc.Encode(line); err != nil {
			panic("audit: " + err.Error()) // texts, times and values always marshal
		}
	}
	return b.Bytes()
}

// auditColumns are those of the CSV form: who knows of it, ours, Microsoft's.
var auditColumns = []string{
	"match", "at", "effect", "runId", "userId", "userPrincipalName", "accountId", "properties", "reason", "by", "requestId", "id",
	"eventAt", "activity", "category", "result", "byUser", "ipAddress", "byApp", "targets", "correlationId", "eventId",
}

// CSV writes a page of the comparison, with a line of names first, as CSV does entries. An
// item with several of Microsoft's events has a line for each.
func (r *AuditReport) CSV() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	w.Write(auditColumns) // a bytes.Buffer takes everything
	for _, line := range r.lines() {
		events := line.Events
		if len(events) == 0 {
			events = []directory.DirectoryAudit{{}}
		}
		for i := range events {
			row := append(line.ours(), eventCells(&events[i])...)
			for i := range row {
				row[i] = escapeFormula(row[i])
			}
			w.Write(row)
		}
	}
	w.Flush()
	return b.Bytes()
}

// ours are the cells of who knows of it, and of what we say that we did.
func (l *auditLine) ours() []string {
	var e Entry
	if l.Entry != nil {
		e = *l.Entry
	}
	if l.Problem != nil {
		e.Reason = strings.TrimSpace(l.Problem.Message + " " + l.Problem.Next)
	}
	names := make([]string, len(e.Properties))
	for i, p := range e.Properties {
		names[i] = p.Name
	}
	return []string{string(l.Match), l.At.Format(time.RFC3339Nano), string(e.Effect), string(e.RunID), string(e.UserID), e.UserPrincipalName, string(e.AccountID),
		strings.Join(names, " "), e.Reason, e.By, e.RequestID, e.ID}
}

// eventCells are those of one event of Microsoft's; empty ones where there is none.
func eventCells(e *directory.DirectoryAudit) []string {
	at, byUser, address, byApp := "", "", "", ""
	if !e.At.IsZero() {
		at = e.At.UTC().Format(time.RFC3339Nano)
	}
	if e.ByUser != nil {
		byUser, address = e.ByUser.UserPrincipalName, e.ByUser.IPAddress
	}
	if e.ByApp != nil {
		byApp = e.ByApp.DisplayName
	}
	targets := make([]string, len(e.Targets))
	for i, t := range e.Targets {
		targets[i] = cmp.Or(t.UserPrincipalName, t.DisplayName, t.ID)
	}
	return []string{at, e.Activity, e.Category, e.Result, byUser, address, byApp, strings.Join(targets, " "), e.CorrelationID, e.ID}
}
