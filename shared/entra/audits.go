package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
)

// auditPage is how many events a page of the audit log holds: the calls are few
// (5 in 10 s), so a page is as long as Graph gives.
const auditPage = 999

// auditEvent is a directoryAudit of Graph.
type auditEvent struct {
	ID            string    `json:"id"`
	At            time.Time `json:"activityDateTime"`
	Activity      string    `json:"activityDisplayName"`
	Operation     string    `json:"operationType"`
	Category      string    `json:"category"`
	CorrelationID string    `json:"correlationId"`
	Result        string    `json:"result"`
	InitiatedBy   struct {
		User *struct {
			ID                string `json:"id"`
			UserPrincipalName string `json:"userPrincipalName"`
			DisplayName       string `json:"displayName"`
			IPAddress         string `json:"ipAddress"`
		} `json:"user"`
		App *struct {
			AppID       string `json:"appId"`
			DisplayName string `json:"displayName"`
		} `json:"app"`
	} `json:"initiatedBy"`
	Targets []struct {
		ID                string `json:"id"`
		Type              string `json:"type"`
		DisplayName       string `json:"displayName"`
		UserPrincipalName string `json:"userPrincipalName"`
		Modified          []struct {
			Name string `json:"displayName"`
			Old  string `json:"oldValue"`
			New  string `json:"newValue"`
		} `json:"modifiedProperties"`
	} `json:"targetResources"`
	Details []directory.AdditionalDetail `json:"additionalDetails"`
}

// Audits reads one page of the directory audit log, newest first; link "" begins.
// Without a premium licence, the scope or a role that may read it, the error is a
// *directory.Problem with the status 403. Who calls keeps to five calls in ten
// seconds. Other errors as those of List.
func (t *Tenant) Audits(ctx context.Context, q directory.DirectoryAuditQuery, link string) (directory.DirectoryAuditPage, error) {
	var none directory.DirectoryAuditPage
	u, err := t.graph.at(fmt.Sprintf("/auditLogs/directoryAudits?$filter=%s&$orderby=%s&$top=%d", escapeQuery(auditFilter(q)), escapeQuery("activityDateTime desc"), auditPage))
	if link != "" {
		u, err = t.graph.follow(link)
	}
	if err != nil {
		return none, err
	}
	body, err := t.get(ctx, request{url: u}, priorityHigh, link != "")
	if err != nil {
		return none, err
	}
	var page struct {
		Value []auditEvent `json:"value"`
		Next  string       `json:"@odata.nextLink"`
	}
	if err := json.Unmarshal(body, &page); err != nil || page.Value == nil {
		return none, fmt.Errorf("%w: %w", directory.ErrUnavailable, errJSON)
	}
	if page.Next != "" {
		if _, err := t.graph.follow(page.Next); err != nil {
			return none, err
		}
	}
	out := directory.DirectoryAuditPage{Next: page.Next}
	for i := range page.Value {
		if e := &page.Value[i]; e.ID != "" && !e.At.IsZero() {
			out.Events = append(out.Events, e.event())
		}
	}
	return out, nil
}

func auditFilter(q directory.DirectoryAuditQuery) string {
	const layout = "2006-01-02T15:04:05.000Z"
	parts := []string{"activityDateTime ge " + q.Since.UTC().Format(layout), "activityDateTime le " + q.Until.UTC().Format(layout)}
	if q.InitiatedBy != "" {
		parts = append(parts, "initiatedBy/user/id eq "+quoted(string(q.InitiatedBy)))
	}
	if q.Target != "" {
		parts = append(parts, "targetResources/any(t: t/id eq "+quoted(string(q.Target))+")")
	}
	return strings.Join(parts, " and ")
}

// quoted is a text as OData writes it.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (e *auditEvent) event() directory.DirectoryAudit {
	out := directory.DirectoryAudit{
		ID: e.ID, At: e.At.UTC(), Activity: e.Activity, Operation: e.Operation, Category: e.Category,
		CorrelationID: e.CorrelationID, Result: e.Result, Details: e.Details,
	}
	if u := e.InitiatedBy.User; u != nil {
		out.ByUser = &directory.UserIdentity{ID: directory.AccountID(u.ID), UserPrincipalName: u.UserPrincipalName, DisplayName: u.DisplayName, IPAddress: u.IPAddress}
	}
	if a := e.InitiatedBy.App; a != nil {
		out.ByApp = &directory.AppIdentity{AppID: a.AppID, DisplayName: a.DisplayName}
	}
	for _, t := range e.Targets {
		target := directory.TargetResource{ID: t.ID, Type: t.Type, DisplayName: t.DisplayName, UserPrincipalName: t.UserPrincipalName}
		for _, m := range t.Modified {
			target.Properties = append(target.Properties, directory.ModifiedProperty{Name: m.Name, Before: m.Old, After: m.New})
		}
		out.Targets = append(out.Targets, target)
	}
	return out
}
