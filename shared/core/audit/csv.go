package audit

import (
	"bytes"
	"encoding/csv"
	"strings"
	"time"

	"bindery/shared/directory"
)

// columns are those of the CSV form. An entry with several properties has a
// line for each.
var columns = []string{
	"at", "kind", "effect", "state", "connectionId", "runId", "jobId", "userId", "userPrincipalName", "accountId",
	"property", "before", "after", "reason", "by", "source", "trigger", "approvedBy", "requestId", "errorCode", "error", "id", "apiRequestId",
	"objectKind", "objectId", "groupIds",
}

// CSV writes entries as RFC 4180 has it, with a line of names first. A value
// that a spreadsheet would take for a formula gets an apostrophe before it.
func CSV(list []Entry) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	w.Write(columns) // a bytes.Buffer takes everything
	for i := range list {
		e := &list[i]
		properties := e.Properties
		if len(properties) == 0 {
			properties = []directory.PropertyChange{{}}
		}
		for _, p := range properties {
			row := []string{
				e.At.Format(time.RFC3339Nano), e.Kind, string(e.Effect), string(e.State), string(e.ConnectionID), string(e.RunID), string(e.JobID),
				string(e.UserID), e.UserPrincipalName, string(e.AccountID), p.Name, valueText(p.Before), valueText(p.After), e.Reason, e.By,
				string(e.Source), string(e.Trigger), e.ApprovedBy, e.RequestID, e.ErrorCode, e.Error, e.ID, e.APIRequestID,
				string(e.Object.Kind), e.Object.ID, groupsText(e.GroupIDs),
			}
			for i := range row {
				row[i] = escapeFormula(row[i])
			}
			w.Write(row)
		}
	}
	w.Flush()
	return b.Bytes()
}

func groupsText(ids []directory.GroupID) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return strings.Join(list, " ")
}

// escapeFormula keeps a spreadsheet from reading a text as a formula.
func escapeFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Lines writes entries as JSON lines: each the very bytes that digests are of.
func Lines(list []Entry) []byte {
	var b bytes.Buffer
	for i := range list {
		b.Write(list[i].line())
		b.WriteByte('\n')
	}
	return b.Bytes()
}
