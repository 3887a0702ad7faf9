package directory

import "time"

// AuditChain is the chain of audit events; every connection has one of its
// own, named by its ID, for its runs.
const AuditChain = "acts"

// ChainStatement is what a link of a chain says: these entries, with these digests,
// stood there at that time.
type ChainStatement struct {
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"` // from 1
	At    time.Time `json:"at"`
	// Subject is the run, or the hour ("2026-03-02T09Z"), that the entries are of.
	Subject string `json:"subject"`
	Entries int    `json:"entries"`
	// Digest is of the leaves, in hexadecimal; Parts is how many items they fill.
	Digest string `json:"digest"`
	Parts  int    `json:"parts"`
	// Expires is when the first of the entries expires; from then on those that
	// are missing prove nothing.
	Expires time.Time `json:"expires"`
	// Previous is the hash of the link before; empty in the first.
	Previous string `json:"previous,omitempty"`

	// The members from here on are those of the second form. A link without them
	// was made before records were sealed when they were written.

	Form int `json:"form,omitempty"` // ChainFormSealed, or 0
	// Reason says why the link was made; a subject has a further link only for
	// ChainLate, and Earlier is the number of the one before.
	Reason  ChainReason `json:"reason,omitempty"`
	Earlier int64       `json:"earlier,omitempty"`
	// Due is since when the link could have been made: when the run ended, or the
	// hour did.
	Due time.Time `json:"due,omitzero"`
	// Run is what the run is that the link is of.
	Run *RunFacts `json:"run,omitempty"`
	// Unsealed counts entries from before records were sealed; Refused those that
	// bore no seal of ours, or a broken one, and were left out.
	Unsealed int `json:"unsealed,omitempty"`
	Refused  int `json:"refused,omitempty"`
	// AuditHead is where the chain of audit events ended when a link of another chain was made.
	AuditHead *ChainLinkRef `json:"acts,omitempty"`
	// Through is the last hour that the chain of acts has dealt with, and Begun the
	// number of the link with which its second form began.
	Through int64 `json:"through,omitempty"`
	Begun   int64 `json:"begun,omitempty"`
}

// ChainFormSealed is the form of links whose entries were sealed when they were written.
const ChainFormSealed = 2

// ChainReason is why a link was made.
type ChainReason string

// The reasons.
const (
	ChainEnded ChainReason = "ended" // a run has ended
	ChainLate  ChainReason = "late"  // results of an ended run came in
	ChainHour  ChainReason = "hour"  // the acts of an hour
	ChainHeads ChainReason = "heads" // where the other chains end
	ChainBegin ChainReason = "begin" // from here on records are sealed; what is older
)

// RunFacts is what a run is, of what its entries do not say.
type RunFacts struct {
	Kind       RunKind   `json:"kind"`
	State      RunState  `json:"state"`
	Trigger    Trigger   `json:"trigger"`
	StartedAt  time.Time `json:"startedAt"`
	EndedAt    time.Time `json:"endedAt,omitzero"`
	AskedBy    string    `json:"askedBy,omitempty"`
	ApprovedBy string    `json:"approvedBy,omitempty"`
	ApprovedAt time.Time `json:"approvedAt,omitzero"`
	UndoOf     RunID     `json:"undoOf,omitempty"`
}

// FactsOf are the facts of a run.
func FactsOf(r *Run) RunFacts {
	return RunFacts{Kind: r.Kind, State: r.State, Trigger: r.Trigger, StartedAt: r.StartedAt.UTC(), EndedAt: r.EndedAt.UTC(),
		AskedBy: r.AskedBy, ApprovedBy: r.ApprovedBy, ApprovedAt: r.ApprovedAt.UTC(), UndoOf: r.UndoOf}
}

// ChainLinkRef names a link.
type ChainLinkRef struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// ChainLink is a statement with its hash and the seal on it.
type ChainLink struct {
	ChainStatement
	Hash string `json:"hash"`
	Key  string `json:"key"` // that the seal was made with
	MAC  []byte `json:"mac"`
}

// ChainLeaf is the digest of one entry.
type ChainLeaf struct {
	ID  string `json:"id"`
	Sum string `json:"sum"` // SHA-256 of the entry's JSON, in hexadecimal
}
