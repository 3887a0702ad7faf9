package safety

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// proposalLife is how long somebody else has to decide: over a weekend.
const proposalLife = 72 * time.Hour

// maxProposals is how many may wait on one connection, so that its record stays
// small.
const maxProposals = 20

// propose puts a proposal onto a connection, in place of those that are void. One
// that asks for the same as before is the one from before.
func (s *Service) propose(c *directory.Connection, p directory.Proposal) (*directory.Proposal, error) {
	var open []directory.Proposal
	for _, o := range c.Open(s.now()) {
		if !c.Stale(&o) {
			open = append(open, o)
		}
	}
	for i := range open {
		o := &open[i]
		if o.Kind != p.Kind || o.Lift != nil && o.Lift.AccountID != p.Lift.AccountID {
			continue
		}
		if o.By == p.By && sameWish(o, &p) {
			return o, nil
		}
		return nil, directory.Refuse(directory.ErrConflict, directory.CodeProposalPending,
			fmt.Sprintf("The proposal %s of %s about the same waits for a decision; nothing was changed.", o.ID, o.By),
			"Have it approved or declined first: POST /v1/connections/"+string(c.ID)+"/proposals/"+o.ID+"/decline.")
	}
	if len(open) >= maxProposals {
		return nil, directory.Refuse(directory.ErrConflict, directory.CodeTooManyProposals,
			fmt.Sprintf("%d proposals wait for a decision at this connection; nothing was changed.", len(open)), "Have some approved or declined first.")
	}
	now := s.now()
	p.ID, p.At, p.Expires = directory.NewProposalID(now), now, now.Add(proposalLife)
	c.Proposals = append(open, p)
	return &p, nil
}

// sameWish reports whether two proposals of one kind ask for the same.
func sameWish(a, b *directory.Proposal) bool {
	if a.Lift != nil {
		return *a.Lift == *b.Lift
	}
	return a.Base == b.Base && directory.SettingsMark(*a.Settings) == directory.SettingsMark(*b.Settings)
}

// Decided is what came of an approval.
type Decided struct {
	Connection directory.Connection
	Proposal   directory.Proposal
	// Lift is what was lifted, by a proposal about a protection.
	Lift *store.ProtectionOverride
}

// Approve does what a proposal says, as decided by somebody other than who made
// it. Errors: ErrNotFound, ErrForbidden for the one who made it, ErrConflict when
// it has expired, or is about settings that are not there any more.
func (s *Service) Approve(ctx context.Context, by directory.Caller, id directory.ConnectionID, proposal string) (Decided, error) {
	var out Decided
	var err error
	out.Connection, err = s.Store.ModifyConnection(ctx, by.AuditEvent(directory.AuditApproveProposal), id, func(c *directory.Connection) error {
		p, err := s.open(c, proposal)
		if err != nil {
			return err
		}
		if err := c.Settings.OtherEyes(by.Subject, p.By); err != nil {
			return err
		}
		switch {
		case c.Stale(p):
			return directory.Refuse(directory.ErrConflict, directory.CodeProposalStale, "The connection's settings have changed since this was proposed; nothing was changed.",
				"Decline it, and have it proposed again from the settings as they are.")
		case p.Settings != nil:
			if err := p.Settings.Validate(); err != nil {
				return err
			}
			c.Set(*p.Settings, p.By, s.now())
		}
		out.Proposal = *p
		c.Drop(p.ID)
		return nil
	})
	if err != nil || out.Proposal.Lift == nil {
		return out, err
	}
	// The proposal is used up first: should the process end here, nothing is lifted.
	wish := out.Proposal.Lift
	for range maxTries {
		lift, err := s.Lifts.Lift(ctx, by, "", &out.Connection, wish.AccountID, forMinutes(wish.Minutes), wish.Reason, out.Proposal.By)
		if out.Lift = &lift; !errors.Is(err, directory.ErrStale) {
			return out, err
		}
		if out.Connection, err = s.Store.Connection(ctx, id); err != nil {
			return out, err
		}
	}
	return out, fmt.Errorf("lift: %w", directory.ErrBusy)
}

// Decline takes a proposal away, undone. Whoever made it may do that too.
func (s *Service) Decline(ctx context.Context, by directory.Caller, id directory.ConnectionID, proposal string) error {
	_, err := s.Store.ModifyConnection(ctx, by.AuditEvent(directory.AuditDeclineProposal), id, func(c *directory.Connection) error {
		p, err := s.open(c, proposal)
		if err == nil {
			c.Drop(p.ID)
		}
		return err
	})
	return err
}

// Proposals returns what waits for a decision at a connection.
func (s *Service) Proposals(ctx context.Context, id directory.ConnectionID) (directory.Connection, []directory.Proposal, error) {
	c, err := s.Store.Connection(ctx, id)
	return c, c.Open(s.now()), err
}

// open finds a proposal that may still be decided about.
func (s *Service) open(c *directory.Connection, id string) (*directory.Proposal, error) {
	for i := range c.Proposals {
		p := &c.Proposals[i]
		switch {
		case p.ID != id:
		case !p.Expires.After(s.now()):
			return nil, directory.Refuse(directory.ErrConflict, directory.CodeProposalExpired, "Nobody decided about the proposal in time.", "Have it proposed again.")
		default:
			return p, nil
		}
	}
	return nil, directory.Refuse(directory.ErrNotFound, directory.CodeNoSuchProposal, fmt.Sprintf("There is no proposal %q at this connection: it was decided about, or never made.", id),
		"GET /v1/connections/"+string(c.ID)+"/proposals lists those that wait.")
}
