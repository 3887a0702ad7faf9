package directory

import "time"

// Notification is something that admins may want to hear of without asking: in mail,
// in a chat. It holds IDs, names of connections, SCIM clients and domains, and counts;
// no personal data.
type Notification struct {
	// ID is the same each time that one thing is told: a notification may come twice.
	ID   string           `json:"id"`
	Type NotificationType `json:"type"`
	At   time.Time        `json:"at"`
	// ConnectionID and Connection name what it is about; empty for all.
	ConnectionID ConnectionID `json:"connectionId,omitempty"`
	Connection   string       `json:"connection,omitempty"`
	RunID        RunID        `json:"runId,omitempty"`
	// Text is the notification for people: what happened, and what to do.
	Text string `json:"text"`
	// Facts are what it is made of, for programs; each type has its own.
	Facts any `json:"facts,omitempty"`
}

// NotificationType names a kind of notification; it is the detail-type of the event.
type NotificationType string

// The types of notifications.
const (
	NotificationRunHeld            NotificationType = "bindery.run.held"
	NotificationRunFailed          NotificationType = "bindery.run.failed"
	NotificationNeedsAuthorization NotificationType = "bindery.connection.needs-authorization"
	NotificationAuthorized         NotificationType = "bindery.connection.authorized" // again, after it needed to be
	NotificationStale              NotificationType = "bindery.connection.stale"
	NotificationLoosened           NotificationType = "bindery.connection.loosened" // settings became looser
	NotificationProposal           NotificationType = "bindery.connection.proposal" // something waits for somebody else
	NotificationDomains            NotificationType = "bindery.connection.domains"  // the tenant has lost domains, or verified others
	NotificationTokenEnding        NotificationType = "bindery.scim-client.token-ending"
	NotificationWeekly             NotificationType = "bindery.summary.weekly"
	NotificationHead               NotificationType = "bindery.activity.head"
	NotificationTampered           NotificationType = "bindery.activity.tampered"
	NotificationTest               NotificationType = "bindery.test" // of make smoke: do notifications arrive?
)

// ChainHead is a link of a chain of the activity, as others are told of it: its
// hash covers the link and all before it.
type ChainHead struct {
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"`
	Hash  string    `json:"hash"` // SHA-256, in hexadecimal
	At    time.Time `json:"at,omitzero"`
}
