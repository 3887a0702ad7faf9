package directory

import "time"

// RunState is where a run stands:
//
//	planning → (held →) applying ⇄ waiting → done | failed | cancelled | superseded
//
// A dry run ends in planned.
type RunState string

// The states of a run.
const (
	RunPlanning   RunState = "planning"
	RunHeld       RunState = "held"
	RunApplying   RunState = "applying"
	RunWaiting    RunState = "waiting"
	RunPlanned    RunState = "planned"
	RunDone       RunState = "done"
	RunFailed     RunState = "failed"
	RunCancelled  RunState = "cancelled"
	RunSuperseded RunState = "superseded"
)

// Ended reports whether nothing more will happen in the run.
func (s RunState) Ended() bool {
	switch s {
	case RunPlanned, RunDone, RunFailed, RunCancelled, RunSuperseded:
		return true
	}
	return false
}

// RunKind says what a run is for.
type RunKind string

// The kinds of runs.
const (
	KindSync    RunKind = "sync"
	KindRelease RunKind = "release" // writes what releasing bindings asks for
	KindUndo    RunKind = "undo"
)

// Trigger says who or what asked for a run.
type Trigger string

// The triggers of runs.
const (
	TriggerSchedule Trigger = "schedule"
	TriggerEdit     Trigger = "edit"
	TriggerAdmin    Trigger = "admin"
	TriggerBinding  Trigger = "binding"
)

// Run is one synchronisation of one connection, or of some of its users.
type Run struct {
	ID           RunID        `json:"id"`
	ConnectionID ConnectionID `json:"connectionId"`
	Epoch        int64        `json:"-"`
	Kind         RunKind      `json:"kind"`
	State        RunState     `json:"state"`
	Waiting      *Waiting     `json:"waiting,omitempty"`
	DryRun       bool         `json:"dryRun"`
	Full         bool         `json:"full,omitempty"` // every bound account is read and compared
	UserIDs      []UserID     `json:"userIds,omitempty"`
	// Settings of a what-if dry run; nil for the connection's own.
	Settings  *Settings `json:"settings,omitempty"`
	Trigger   Trigger   `json:"trigger"`
	AskedBy   string    `json:"askedBy,omitempty"`
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	// Counts has the number of changes by effect; the other numbers say what
	// became of them.
	Counts  map[Effect]int `json:"counts"`
	Applied int            `json:"applied"`
	Failed  int            `json:"failed"`
	Refused int            `json:"refused"`
	Held    *Held          `json:"held,omitempty"`
	// ApprovedBy is the subject of the admin who let a held run go on.
	ApprovedBy string    `json:"approvedBy,omitempty"`
	ApprovedAt time.Time `json:"approvedAt,omitzero"`
	Error      *Problem  `json:"error,omitempty"` // why a run failed
}

// Waiting says until when and why a run does nothing.
type Waiting struct {
	Until time.Time `json:"until,omitzero"`
	Why   string    `json:"why"`
}

// Held says why the guard stopped a run before its first write.
type Held struct {
	Reasons []string `json:"reasons"`
}

// Effect is what a change does to an account.
type Effect string

// The effects. Those of groups and licences exist as names only, so far. A
// block is whatever sets accountEnabled to false, wherever it comes from.
const (
	EffectCreate       Effect = "create"
	EffectAdopt        Effect = "adopt" // makes an existing account ours; writes nothing by itself
	EffectUpdate       Effect = "update"
	EffectRename       Effect = "rename"
	EffectBlock        Effect = "block"
	EffectUnblock      Effect = "unblock"
	EffectDelete       Effect = "delete"
	EffectRevoke       Effect = "revoke"  // ends the account's sessions
	EffectRestore      Effect = "restore" // brings back a soft-deleted account
	EffectGrant        Effect = "grant"
	EffectMemberAdd    Effect = "member-add"
	EffectMemberRemove Effect = "member-remove"
)

// ChangeState is what became of a change.
type ChangeState string

// The states of a change.
const (
	ChangePlanned  ChangeState = "planned"
	ChangeApproved ChangeState = "approved"
	ChangeDeclined ChangeState = "declined"
	ChangeApplied  ChangeState = "applied"
	ChangeFailed   ChangeState = "failed"
	ChangeOutdated ChangeState = "outdated" // the user or account had moved on; planned anew
	ChangeRefused  ChangeState = "refused"  // by a rule, before any request
)

// Change is one intended write to Microsoft 365.
type Change struct {
	ID        ChangeID  `json:"id"`
	UserID    UserID    `json:"userId"`
	AccountID AccountID `json:"accountId,omitempty"` // empty before a create
	// UserPrincipalName names the account for people.
	UserPrincipalName string           `json:"userPrincipalName,omitempty"`
	Effect            Effect           `json:"effect"`
	Properties        []PropertyChange `json:"properties"`
	Reason            string           `json:"reason"`
	State             ChangeState      `json:"state"`
	Error             *Problem         `json:"error,omitempty"`
	RequestID         string           `json:"requestId,omitempty"`
	At                time.Time        `json:"at,omitzero"` // when State was reached
	// UserVersion is the version of the user that the change was planned from.
	UserVersion int64 `json:"userVersion,omitempty"`
	// Findings are what was found out about the user besides, and only
	// reported; they stand on the last of its changes.
	Findings []Problem `json:"findings,omitempty"`
	// Release is the policy that the binding was being let go by when the
	// change was planned.
	Release ReleasePolicy `json:"release,omitempty"`
}

// PropertyChange is one property of a change.
type PropertyChange struct {
	Name   string `json:"name"`
	Before Value  `json:"before"`
	After  Value  `json:"after"`
}

// After returns the values that the change wants.
func (c *Change) After() Properties {
	p := make(Properties, len(c.Properties))
	for _, pc := range c.Properties {
		p[pc.Name] = pc.After
	}
	return p
}

// JobKind says what a job does.
type JobKind string

// The kinds of jobs.
const (
	JobImport   JobKind = "import"
	JobBind     JobKind = "bind"
	JobLoad     JobKind = "load"
	JobAccounts JobKind = "accounts"
	JobSweep    JobKind = "sweep"
)

// JobState is where a job stands.
type JobState string

// The states of a job.
const (
	JobQueued  JobState = "queued"
	JobRunning JobState = "running"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed"
)

// Job is a bulk act that is done in slices: an import, a bulk binding, a load.
type Job struct {
	ID           JobID        `json:"id"`
	Kind         JobKind      `json:"kind"`
	ConnectionID ConnectionID `json:"connectionId,omitempty"`
	State        JobState     `json:"state"`
	// Done counts the elements dealt with, refused ones among them; Total is 0
	// while it is not known.
	Done  int `json:"done"`
	Total int `json:"total"`
	// Counts by outcome ("created", "bound", …).
	Counts       map[string]int `json:"counts,omitempty"`
	RefusedCount int            `json:"refusedCount"`
	AskedBy      string         `json:"askedBy,omitempty"`
	Error        *Problem       `json:"error,omitempty"`
	Created      time.Time      `json:"created"`
	Updated      time.Time      `json:"updated"`
	Ended        time.Time      `json:"ended,omitzero"`
}

// RefusedItem is one element that a job or a bulk call did not do, and why.
type RefusedItem struct {
	Line      int       `json:"line,omitempty"` // of a loaded file, from 1
	UserID    UserID    `json:"userId,omitempty"`
	AccountID AccountID `json:"accountId,omitempty"`
	Name      string    `json:"name,omitempty"`
	Code      string    `json:"code"`
	Detail    string    `json:"detail"`
}
