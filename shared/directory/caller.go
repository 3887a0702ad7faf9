package directory

// Caller is who asks for something to be done. It is handed on as an argument,
// by value, to whatever writes: who acts is never taken from a context.
type Caller struct {
	// Subject is that of the caller's token.
	Subject string
	// Client is the application that the token was given to.
	Client string
	// Source is what the caller writes to the directory as; a person is
	// SourceManual.
	Source Source
	// RequestID is that of the request to our API, which the log has as apiRequestId.
	RequestID string
	// Approve says that the caller may decide (has the scope bindery/approve).
	Approve bool
	// Reason is why the caller asks, in their own words; it goes with the audit event.
	Reason string
}

// WritesAs is the source that the caller's edits are of; SourceManual unless it
// names another.
func (c Caller) WritesAs() Source {
	if c.Source == "" {
		return SourceManual
	}
	return c.Source
}

// Feeds reports whether the caller is a source that feeds the directory.
func (c Caller) Feeds() bool { return c.WritesAs() != SourceManual }

// AuditEvent is the audit event of what the caller does. The store fills in the
// rest, in the transaction that writes what was done.
func (c Caller) AuditEvent(kind AuditKind) AuditEvent {
	event := AuditEvent{Kind: kind, By: c.Subject, RequestID: c.RequestID, Reason: c.Reason}
	if c.Feeds() {
		event.Source = c.Source
	}
	return event
}

// SystemAuditEvent is the audit event of what Bindery does by itself.
func SystemAuditEvent(kind AuditKind, detail string) AuditEvent {
	return AuditEvent{Kind: kind, By: BySystem, Detail: detail}
}
