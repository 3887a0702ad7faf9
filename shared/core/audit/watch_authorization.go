package audit

import (
	"fmt"
	"time"

	"bindery/shared/directory"
)

func (n *notificationRound) authorization() {
	c := n.conn
	switch {
	case c.Status == directory.StatusNeedsAuthorization:
		if n.next.Needs = needsAuthorizationSince(c); n.next.Needs != n.last.Needs {
			n.add("needs-authorization:"+string(c.ID)+":"+n.next.Needs, directory.NotificationNeedsAuthorization, needsAuthorizationText(c), needsAuthorizationFacts(c))
		}
	case c.Status == directory.StatusActive && n.last.Needs != "":
		n.add("authorized:"+string(c.ID)+":"+n.last.Needs, directory.NotificationAuthorized,
			fmt.Sprintf("The connection %q is authorised again and goes on.", c.Name), nil)
	}
}

func needsAuthorizationSince(c *directory.Connection) string {
	if c.Problem != nil && !c.Problem.Since.IsZero() {
		return c.Problem.Since.UTC().Format(time.RFC3339)
	}
	return c.Updated.UTC().Format(time.RFC3339)
}

// NeedsFacts are the facts of a notification of a lost authorisation. Microsoft's own
// words are not among them: they may name people.
type NeedsFacts struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Next    string    `json:"next,omitempty"`
	Since   time.Time `json:"since"`
	// What Microsoft's support asks for, where Microsoft answered; else Incident,
	// under which Bindery's log says more.
	MicrosoftCode string `json:"microsoftCode,omitempty"`
	RequestID     string `json:"requestId,omitempty"`
	CorrelationID string `json:"correlationId,omitempty"`
	Incident      string `json:"incident,omitempty"`
}

func needsAuthorizationFacts(c *directory.Connection) any {
	if c.Problem == nil {
		return nil
	}
	t := c.Problem
	return NeedsFacts{t.Code, directory.Impersonal(t.Message), directory.Impersonal(t.Next), t.Since.UTC(), t.MicrosoftCode, t.RequestID, t.CorrelationID, t.Incident}
}

func needsAuthorizationText(c *directory.Connection) string {
	text := fmt.Sprintf("The connection %q has lost its authorisation and waits.", c.Name)
	if c.Problem != nil {
		text += " " + c.Problem.Message
	}
	return text + fmt.Sprintf(" An admin must authorise it again: its page in the console, or POST /v1/connections/%s/authorize, gives the address. Nothing is lost.", c.ID)
}
