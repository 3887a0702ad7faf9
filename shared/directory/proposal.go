package directory

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"
)

// Proposal is something that loosens safety and waits for somebody else: by
// fourEyes nobody does it alone.
type Proposal struct {
	ID   string       `json:"id"`
	Kind ProposalKind `json:"kind"`
	// By is the subject of the caller who asked for it.
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`
	// Settings are those that the connection would have, and Loosens the keys
	// that would be looser by them. Base stands for the settings that they were
	// made from: the proposal is about these, and void once they have changed.
	Settings *Settings `json:"settings,omitempty"`
	Loosens  []string  `json:"loosens,omitempty"`
	Base     string    `json:"base,omitempty"`
	// Lift is the protection that would be lifted.
	Lift *ProposedLift `json:"lift,omitempty"`
}

// ProposalKind says what a proposal is about.
type ProposalKind string

// The kinds of proposals.
const (
	ProposalSettings ProposalKind = "settings"
	ProposalLift     ProposalKind = "lift"
)

// ProposedLift is a lift of protection that waits.
type ProposedLift struct {
	AccountID AccountID `json:"accountId"`
	Minutes   int       `json:"minutes"` // from when it is approved
	Reason    string    `json:"reason,omitempty"`
}

// NewProposalID returns a fresh ID.
func NewProposalID(now time.Time) string { return newID("prp_", now) }

// SettingsMark stands for settings: others have another one.
func SettingsMark(s Settings) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic("directory: settings: " + err.Error()) // our own type always marshals
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Stale reports whether a proposal is about settings that the connection does
// not have any more.
func (c *Connection) Stale(p *Proposal) bool {
	return p.Kind == ProposalSettings && p.Base != SettingsMark(c.Settings)
}

// Open returns the proposals that somebody may still decide about.
func (c *Connection) Open(now time.Time) []Proposal {
	var list []Proposal
	for _, p := range c.Proposals {
		if p.Expires.After(now) {
			list = append(list, p)
		}
	}
	return list
}

// Drop takes a proposal away.
func (c *Connection) Drop(id string) {
	c.Proposals = slices.DeleteFunc(slices.Clone(c.Proposals), func(p Proposal) bool { return p.ID == id })
}
