package directory

import "time"

// Notice is something that admins may want to hear of without asking: in mail,
// in a chat. It holds IDs, names of connections and domains, and counts; no
// personal data.
type Notice struct {
	// ID is the same each time that one thing is told: a notice may come twice.
	ID   string     `json:"id"`
	Type NoticeType `json:"type"`
	At   time.Time  `json:"at"`
	// ConnectionID and Connection name what it is about; empty for all.
	ConnectionID ConnectionID `json:"connectionId,omitempty"`
	Connection   string       `json:"connection,omitempty"`
	RunID        RunID        `json:"runId,omitempty"`
	// Text is the notice for people: what happened, and what to do.
	Text string `json:"text"`
	// Facts are what it is made of, for programs; each type has its own.
	Facts any `json:"facts,omitempty"`
}

// NoticeType names a kind of notice; it is the detail-type of the event.
type NoticeType string

// The types of notices.
const (
	NoticeRunHeld            NoticeType = "bindery.run.held"
	NoticeRunFailed          NoticeType = "bindery.run.failed"
	NoticeNeedsAuthorization NoticeType = "bindery.connection.needs-authorization"
	NoticeAuthorized         NoticeType = "bindery.connection.authorized" // again, after it needed to be
	NoticeStale              NoticeType = "bindery.connection.stale"
	NoticeLoosened           NoticeType = "bindery.connection.loosened" // settings became looser
	NoticeProposal           NoticeType = "bindery.connection.proposal" // something waits for somebody else
	NoticeDomains            NoticeType = "bindery.connection.domains"  // the tenant has lost domains, or verified others
	NoticeWeekly             NoticeType = "bindery.summary.weekly"
	NoticeHead               NoticeType = "bindery.activity.head"
	NoticeTampered           NoticeType = "bindery.activity.tampered"
	NoticeTest               NoticeType = "bindery.test" // of make smoke: do notices arrive?
)

// ChainHead is a link of a chain of the activity, as others are told of it: its
// hash covers the link and all before it.
type ChainHead struct {
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"`
	Hash  string    `json:"hash"` // SHA-256, in hexadecimal
	At    time.Time `json:"at,omitzero"`
}
