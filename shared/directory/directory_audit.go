package directory

import "time"

// ScopeAuditLog is the optional permission to read Microsoft's audit log; it is
// asked for only when a connection's settings want it.
const ScopeAuditLog = "AuditLog.Read.All"

// DirectoryAuditQuery selects events of Microsoft's directory audit log, newest first.
type DirectoryAuditQuery struct {
	Since       time.Time // inclusive
	Until       time.Time // inclusive
	InitiatedBy AccountID // only of this account; "" of anybody
	Target      AccountID // only about this object; "" about any
}

// DirectoryAuditPage is one page of events. Next is empty on the last one; a page may be
// empty and have one.
type DirectoryAuditPage struct {
	Events []DirectoryAudit
	Next   string
}

// IDs are those of the page's events.
func (p *DirectoryAuditPage) IDs() []string {
	ids := make([]string, len(p.Events))
	for i := range p.Events {
		ids[i] = p.Events[i].ID
	}
	return ids
}

// DirectoryAudit is one event of Microsoft's directory audit log.
type DirectoryAudit struct {
	ID            string             `json:"id"`
	At            time.Time          `json:"at"`
	Activity      string             `json:"activity"` // "Update user", …
	Operation     string             `json:"operation,omitempty"`
	Category      string             `json:"category,omitempty"`
	CorrelationID string             `json:"correlationId,omitempty"`
	Result        string             `json:"result,omitempty"`
	ByUser        *UserIdentity      `json:"byUser,omitempty"`
	ByApp         *AppIdentity       `json:"byApp,omitempty"`
	Targets       []TargetResource   `json:"targets,omitempty"`
	Details       []AdditionalDetail `json:"details,omitempty"`
}

// UserIdentity is an account that did something.
type UserIdentity struct {
	ID                AccountID `json:"id,omitempty"`
	UserPrincipalName string    `json:"userPrincipalName,omitempty"`
	DisplayName       string    `json:"displayName,omitempty"`
	IPAddress         string    `json:"ipAddress,omitempty"`
}

// AppIdentity is an application that did something by itself.
type AppIdentity struct {
	AppID       string `json:"appId,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
}

// TargetResource is an object that something was done to.
type TargetResource struct {
	ID                string             `json:"id,omitempty"`
	Type              string             `json:"type,omitempty"`
	DisplayName       string             `json:"displayName,omitempty"`
	UserPrincipalName string             `json:"userPrincipalName,omitempty"`
	Properties        []ModifiedProperty `json:"properties,omitempty"`
}

// ModifiedProperty is a property by the audit log's name, with values as the log
// has them: JSON in a text.
type ModifiedProperty struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// AdditionalDetail is one of an event's further details.
type AdditionalDetail struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}
