package directory

import "time"

// ScopeAuditLog is the optional permission to read Microsoft's audit log; it is
// asked for only when a connection's settings want it.
const ScopeAuditLog = "AuditLog.Read.All"

// AuditQuery selects events of Microsoft's directory audit log, newest first.
type AuditQuery struct {
	Since       time.Time // inclusive
	Until       time.Time // inclusive
	InitiatedBy AccountID // only of this account; "" of anybody
	Target      AccountID // only about this object; "" about any
}

// AuditPage is one page of events. Next is empty on the last one; a page may be
// empty and have one.
type AuditPage struct {
	Events []AuditEvent
	Next   string
}

// IDs are those of the page's events.
func (p *AuditPage) IDs() []string {
	ids := make([]string, len(p.Events))
	for i := range p.Events {
		ids[i] = p.Events[i].ID
	}
	return ids
}

// AuditEvent is one event of Microsoft's directory audit log.
type AuditEvent struct {
	ID            string        `json:"id"`
	At            time.Time     `json:"at"`
	Activity      string        `json:"activity"` // "Update user", …
	Operation     string        `json:"operation,omitempty"`
	Category      string        `json:"category,omitempty"`
	CorrelationID string        `json:"correlationId,omitempty"`
	Result        string        `json:"result,omitempty"`
	ByUser        *AuditUser    `json:"byUser,omitempty"`
	ByApp         *AuditApp     `json:"byApp,omitempty"`
	Targets       []AuditTarget `json:"targets,omitempty"`
	Details       []AuditDetail `json:"details,omitempty"`
}

// AuditUser is an account that did something.
type AuditUser struct {
	ID                AccountID `json:"id,omitempty"`
	UserPrincipalName string    `json:"userPrincipalName,omitempty"`
	DisplayName       string    `json:"displayName,omitempty"`
	IPAddress         string    `json:"ipAddress,omitempty"`
}

// AuditApp is an application that did something by itself.
type AuditApp struct {
	AppID       string `json:"appId,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
}

// AuditTarget is an object that something was done to.
type AuditTarget struct {
	ID                string          `json:"id,omitempty"`
	Type              string          `json:"type,omitempty"`
	DisplayName       string          `json:"displayName,omitempty"`
	UserPrincipalName string          `json:"userPrincipalName,omitempty"`
	Properties        []AuditProperty `json:"properties,omitempty"`
}

// AuditProperty is a property by the audit log's name, with values as the log
// has them: JSON in a text.
type AuditProperty struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// AuditDetail is one of an event's further details.
type AuditDetail struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}
