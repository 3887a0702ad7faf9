package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// LoosenedFacts are the facts of a notification of settings that became looser.
type LoosenedFacts struct {
	Keys []string  `json:"keys"`
	At   time.Time `json:"at"`
}

// ProposalFacts are the facts of a notification of a proposal.
type ProposalFacts struct {
	Proposal string                 `json:"proposal"`
	Kind     directory.ProposalKind `json:"kind"`
	Keys     []string               `json:"keys,omitempty"` // settings that would be looser
	Expires  time.Time              `json:"expires"`
}

// safety tells of settings that became looser, so that whoever did not mean it
// hears of it, and of proposals, so that somebody decides.
func (n *notificationRound) safety() {
	c := n.conn
	n.next.Loosened = n.last.Loosened
	if l := c.LastLoosening; l != nil {
		if n.next.Loosened = l.At.UTC().Format(time.RFC3339Nano); n.next.Loosened != n.last.Loosened {
			n.add("loosened:"+string(c.ID)+":"+n.next.Loosened, directory.NotificationLoosened,
				fmt.Sprintf("Settings of the connection %q became looser: %s. If that was not meant, set them back: PATCH /v1/connections/%s. GET /v1/activity?connectionId=%s says who did it.",
					c.Name, strings.Join(l.Keys, ", "), c.ID, c.ID), LoosenedFacts{l.Keys, l.At.UTC()})
		}
	}
	for _, p := range c.Open(n.at) {
		if n.next.Proposals = append(n.next.Proposals, p.ID); slices.Contains(n.last.Proposals, p.ID) {
			continue
		}
		what := "to lift the protection of an account"
		if p.Kind == directory.ProposalSettings {
			what = "to make settings looser (" + strings.Join(p.Loosens, ", ") + ")"
		}
		n.add("proposal:"+p.ID, directory.NotificationProposal,
			fmt.Sprintf("At the connection %q somebody proposes %s. Somebody else decides until %s: GET /v1/connections/%s/proposals/%s, then POST …/approve or …/decline.",
				c.Name, what, p.Expires.UTC().Format(time.RFC3339), c.ID, p.ID), ProposalFacts{p.ID, p.Kind, p.Loosens, p.Expires.UTC()})
	}
}
