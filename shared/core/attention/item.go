package attention

import (
	"time"

	"bindery/shared/directory"
)

// Urgency says what an item asks of people.
type Urgency string

// The urgencies, the most urgent first.
const (
	Decide  Urgency = "decide"  // nothing goes on before somebody has decided
	Broken  Urgency = "broken"  // something does not work
	Soon    Urgency = "soon"    // something will not work, or does not for some
	Waiting Urgency = "waiting" // somebody waits: for a seat, for what was stopped to go on, for what passes by itself
)

// Urgencies are all of them, the most urgent first.
var Urgencies = []Urgency{Decide, Broken, Soon, Waiting}

// Kind says what an item is about.
type Kind string

// The kinds of items.
const (
	HeldRun            Kind = "held-run"
	Confirmation       Kind = "confirmation" // a sign-in that takes effect when it is confirmed
	Proposal           Kind = "proposal"     // what loosens safety and waits for somebody else
	NeedsAuthorization Kind = directory.CodeNeedsAuthorization
	RunFailed          Kind = "run-failed" // the last run
	Overdue            Kind = "overdue"    // no run has ended well for twice the interval and an hour
	Problem            Kind = "problem"    // one cause, with those who have it
	Finding            Kind = "finding"    // of the doctor
	LackingPermission  Kind = "lacking-permission"
)

// Item is one thing that needs somebody.
type Item struct {
	Kind           Kind                   `json:"kind" enum:"held-run,confirmation,proposal,needs-authorization,run-failed,overdue,problem,finding,lacking-permission"`
	Urgency        Urgency                `json:"urgency" enum:"decide,broken,soon,waiting"`
	ConnectionID   directory.ConnectionID `json:"connectionId,omitempty" doc:"The connection that it is about."`
	ConnectionName string                 `json:"connectionName,omitempty"`
	ScimClientID   directory.ScimClientID `json:"scimClientId,omitempty" doc:"Or the SCIM client, of a finding about one that pushes people and groups."`
	ScimClientName string                 `json:"scimClientName,omitempty"`
	Message        string                 `json:"message" doc:"What it is, in a sentence or some."`
	Next           string                 `json:"next,omitempty" doc:"What to do, a sentence."`
	Since          time.Time              `json:"since,omitzero"`
	Until          time.Time              `json:"until,omitzero" doc:"When it is past deciding, or ends by itself."`
	// RunID, ProposalID and Code name it where GET shows more of it.
	RunID      directory.RunID `json:"runId,omitempty" doc:"Of held-run and run-failed."`
	ProposalID string          `json:"proposalId,omitempty"`
	Code       string          `json:"code,omitempty" doc:"Of a problem, a finding, or why the connection needs authorisation."`
	Variant    string          `json:"variant,omitempty" doc:"Of a finding: which form of its code it is."`
	Values     map[string]any  `json:"values,omitempty" doc:"Of a finding: what its sentences are about, as in GET /v1/connections/{id}/health."`
	Subject    string          `json:"subject,omitempty" doc:"Whom a finding concerns, as a domain; the permission that is lacking; the account that waits for its confirmation."`
	AskedBy    string          `json:"askedBy,omitempty" doc:"Who asked for what waits: with fourEyes somebody else decides."`
	Count      int             `json:"count,omitempty" doc:"How many users, or objects of other kinds, a problem or finding concerns."`
	More       bool            `json:"more,omitempty" doc:"There are more than count."`
	// Held is why a held run is, for programs; message has its reasons as sentences.
	Held *directory.Held `json:"held,omitempty" doc:"Of a held run: why, as GET /v1/runs/{id} has it."`
	// Counts are those of a held run.
	Counts map[directory.Effect]int `json:"counts,omitempty" doc:"Of a held run: its changes by what they do."`
}
