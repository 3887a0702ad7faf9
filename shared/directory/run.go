package directory

import (
	"slices"
	"time"
)

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

// Known reports whether this version of Bindery knows what the run is for, where
// it stands and what its changes do. One that it does not know was made by a
// newer version, and is left to it.
func (r *Run) Known() bool {
	switch r.State {
	case RunPlanning, RunHeld, RunApplying, RunWaiting:
	default:
		if !r.State.Ended() {
			return false
		}
	}
	for effect := range r.Counts {
		if !effect.Known() {
			return false
		}
	}
	return r.Kind == KindSync || r.Kind == KindRelease || r.Kind == KindUndo
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
	// UserIDs and Objects are whom and what the run is about: users, and objects of
	// other kinds than accounts, each in order; both empty: everything.
	UserIDs []UserID `json:"userIds,omitempty"`
	Objects []Ref    `json:"objects,omitempty"`
	// Settings of a what-if dry run; nil for the connection's own.
	Settings *Settings `json:"settings,omitempty"`
	// Release of a dry run asks what letting the users go by that policy would do.
	Release ReleasePolicy `json:"release,omitempty"`
	// UndoOf is the run that this one takes back: all of it, or what concerns
	// UserIDs, Objects and Properties. Left counts what it leaves as it is.
	UndoOf RunID `json:"undoOf,omitempty"`
	// Resumes says that what is undone was an undo itself: the bindings that
	// it paused go on.
	Resumes    bool     `json:"resumes,omitempty"`
	Properties []string `json:"properties,omitempty"`
	Left       int      `json:"left,omitempty"`
	Trigger    Trigger  `json:"trigger"`
	AskedBy    string   `json:"askedBy,omitempty"`
	// Reason is why AskedBy asked for it, in their own words.
	Reason    string    `json:"reason,omitempty"`
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	// Counts has the number of changes by effect; the other numbers say what
	// became of them. The API shows null while a run is planned and has counted
	// nothing yet.
	Counts  map[Effect]int `json:"counts" nullable:"true"`
	Applied int            `json:"applied"`
	Failed  int            `json:"failed"`
	Refused int            `json:"refused"`
	Held    *Held          `json:"held,omitempty"`
	// Approved is how many of the changes are written at most, those before the decision
	// among them, where an admin has let a part of them go on, or none. It is counted as that
	// is decided; of a decision without it whoever reads the run is told a bound.
	Approved *int `json:"approved,omitempty"`
	// Waves say how far a run has come while it writes, in the effects that go in waves. No
	// record has them: whoever reads a run is told by its progress.
	Waves []RunWave `json:"waves,omitempty"`
	// EditedBy are the subjects of those whose edits (of users, bindings,
	// settings) the plan comes from: while the settings want four eyes, none of
	// them approves it.
	EditedBy []string `json:"editedBy,omitempty"`
	// ApprovedBy is the subject of the admin who decided about a held run, and
	// let all of it go on, or a part.
	ApprovedBy string    `json:"approvedBy,omitempty"`
	ApprovedAt time.Time `json:"approvedAt,omitzero"`
	// Decisions are the latest MaxDecisions that people took about it, oldest first. The
	// acts of the activity prove them.
	Decisions []RunDecision `json:"decisions,omitempty"`
	Error     *Problem      `json:"error,omitempty"` // why a run failed
	// Findings are what the plan lacks as a whole: permissions that settings and rules
	// want, and the connection was not granted when it was made.
	Findings []Problem `json:"findings,omitempty"`
}

// MaxDecisions is how many decisions a run lists.
const MaxDecisions = 10

// RunDecision is what somebody decided about a run, and why.
type RunDecision struct {
	Kind   AuditKind `json:"kind" enum:"approve-run,decline-run,cancel-run"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"` // in their own words
}

// NoteDecision notes what a caller decided.
func (r *Run) NoteDecision(kind AuditKind, by Caller, at time.Time) {
	list := append(slices.Clone(r.Decisions), RunDecision{Kind: kind, By: by.Subject, At: at.UTC(), Reason: by.Reason})
	r.Decisions = list[max(0, len(list)-MaxDecisions):]
}

// Chosen reports whether the run is about chosen users and objects only.
func (r *Run) Chosen() bool { return len(r.UserIDs)+len(r.Objects) > 0 }

// Refs are the chosen users and objects from a place up to another one, users first.
func (r *Run) Refs(from, to int) []Ref {
	users := len(r.UserIDs)
	refs := AccountsOf(r.UserIDs[min(from, users):min(to, users)])
	return append(refs, r.Objects[max(0, from-users):max(0, to-users)]...)
}

// Names reports whether the run has chosen an object.
func (r *Run) Names(ref Ref) bool {
	if u := ref.User(); u != "" {
		_, in := slices.BinarySearch(r.UserIDs, u)
		return in
	}
	_, in := slices.BinarySearchFunc(r.Objects, ref, Ref.Compare)
	return in
}

// Waiting says until when and why a run does nothing.
type Waiting struct {
	Until time.Time `json:"until,omitzero"`
	Why   string    `json:"why"`
}

// Held says why a run was stopped: by the guard before its first write, or by
// the breaker between two waves.
type Held struct {
	Reasons []string `json:"reasons"` // sentences for people
	// Limits, Facts and Wave are the evidence for them, for programs.
	Limits []Exceeded   `json:"limits,omitempty"`
	Facts  []HeldFact   `json:"facts,omitempty"`
	Wave   *WaveOutcome `json:"wave,omitempty"`
	// All says that nothing goes through. Otherwise changes that take access
	// away do, as long as their own number is within the limits.
	All bool `json:"all,omitempty"`
}

// Period is the time over which a limit of the guard counts.
type Period string

// The periods. The longer ones end with the run and include it.
const (
	PeriodRun  Period = "run"
	PeriodDay  Period = "24h"
	PeriodWeek Period = "7d"
)

// Exceeded is one limit of the guard that was exceeded.
type Exceeded struct {
	// Kind is that of the objects; empty for accounts.
	Kind   Kind   `json:"kind,omitempty"`
	Effect Effect `json:"effect"`
	Period Period `json:"period"`
	// Slice names the part whose own limit it was, as in "department Sales" of the
	// bound users or "group Sales"; empty for the limit of the whole connection.
	Slice string `json:"slice,omitempty"`
	// Scope is the ID of a group whose own limit it was.
	Scope string `json:"scope,omitempty"`
	Count int    `json:"count"`
	Limit int    `json:"limit"`
	// Worst is the part with the most of the run's changes of that effect.
	Worst      string `json:"worst,omitempty"`
	WorstCount int    `json:"worstCount,omitempty"`
}

// HeldFact is one fact other than a limit that held a run, with the numbers
// that it is about.
type HeldFact struct {
	Code  string `json:"code"`
	Then  int    `json:"then,omitempty"`
	Now   int    `json:"now,omitempty"`
	Limit int    `json:"limit,omitempty"`
	Name  string `json:"name,omitempty"` // of whom it is about
	// ScimClientID is the client that HeldPushed is about.
	ScimClientID ScimClientID `json:"scimClientId,omitempty"`
}

// The codes of HeldFact.
const (
	HeldApproveMode     = "approve-mode"     // every run of the connection waits for an admin
	HeldSourceEmpty     = "source-empty"     // no living user is left
	HeldSourceShrank    = "source-shrank"    // fewer living users than at the last run
	HeldReadIncomplete  = "read-incomplete"  // the tenant was not read to the end
	HeldSettingsChanged = "settings-changed" // the first plan since then touches many users
	HeldGuardLoosened   = "guard-loosened"   // by the guard as it was before it was loosened
	HeldRolesUnreadable = "roles-unreadable" // who is protected is not known
	HeldPushed          = "pushed"           // a client of SCIM has made edits that the run comes from; holds nothing by itself
)

// WaveOutcome is what became of one wave of a run.
type WaveOutcome struct {
	Class      Effect   `json:"class"` // what the wave's changes do
	Wave       int      `json:"wave"`  // from 1
	Sent       int      `json:"sent"`
	Failed     int      `json:"failed"`
	Mismatched int      `json:"mismatched"`         // read back otherwise than written
	Examples   []string `json:"examples,omitempty"` // a few of them, for people
}

// RunWave is how far the changes of one kind have come that go in waves.
type RunWave struct {
	Class   Effect `json:"class"`   // what they do
	Wave    int    `json:"wave"`    // which may be sent now, from 1
	Waves   int    `json:"waves"`   // in all
	Allowed int    `json:"allowed"` // how many changes are in this wave and those before it
	Changes int    `json:"changes"` // in all
	// LookAt is when the wave is read back next; behind the last one nothing waits for it.
	LookAt time.Time `json:"lookAt,omitzero"`
}

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
	ID     ChangeID `json:"id"`
	UserID UserID   `json:"userId"`
	// Object is what is changed when it is no user's account; UserID is empty
	// then. See Ref.
	Object    Ref       `json:"object,omitzero"`
	AccountID AccountID `json:"accountId,omitempty"` // empty before a create
	// UserPrincipalName names the account for people.
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
	// Department and Domain of the user say which part of the bound users the
	// change counts for.
	Department string `json:"department,omitempty"`
	Domain     string `json:"domain,omitempty"`
	// Scope is the group that the change counts for by itself (EffectRow.Scoped), by
	// its ID, with its name for people and how many members it has: a limit's share is
	// of these.
	Scope     string `json:"scope,omitempty"`
	ScopeName string `json:"scopeName,omitempty"`
	ScopeSize int    `json:"scopeSize,omitempty"`
	// People is how many people the change is about when that may be more than one, as
	// of a group's licences: the guard counts it as so many.
	People     int              `json:"people,omitempty"`
	Effect     Effect           `json:"effect"`
	Properties []PropertyChange `json:"properties"`
	Reason     string           `json:"reason"`
	// Irreversible says what of the change cannot be taken back; empty when
	// all of it can, but for what the properties say.
	Irreversible string      `json:"irreversible,omitempty"`
	State        ChangeState `json:"state"`
	Error        *Problem    `json:"error,omitempty"`
	RequestID    string      `json:"requestId,omitempty"`
	At           time.Time   `json:"at,omitzero"` // when State was reached
	// UserVersion is the version of the user that the change was planned from.
	UserVersion int64 `json:"userVersion,omitempty"`
	// Agreed is the Agreed of the binding when the change was planned: where it
	// goes back to when the change is undone. That of an undo is that of the
	// change that it undoes.
	Agreed int64 `json:"agreed,omitempty"`
	// Findings are what was found out about the user besides, and only
	// reported; they stand on the last of its changes.
	Findings []Problem `json:"findings,omitempty"`
	// Release is the policy that the binding was being let go by when the
	// change was planned.
	Release ReleasePolicy `json:"release,omitempty"`
	// FirstLoad says of an update-sensitive that its plan adopts the account, and
	// that it only fills what is empty there with what the user had when the
	// export was decided: no limit of the guard counts it, and it goes in no wave.
	FirstLoad bool `json:"firstLoad,omitempty"`
	// Created says of an adoption or a release that the account was made by us,
	// and so has no values from before the binding.
	Created bool `json:"created,omitempty"`
}

// Ref names what is changed.
func (c *Change) Ref() Ref { return refOf(c.Object, c.UserID) }

// PropertyChange is one property of a change.
type PropertyChange struct {
	Name   string `json:"name"`
	Before Value  `json:"before"`
	After  Value  `json:"after"`
	// Irreversible says why Before cannot be set back; empty when it can.
	Irreversible string `json:"irreversible,omitempty"`
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
	JobImport JobKind = "import"
	JobBind   JobKind = "bind"
	JobLoad   JobKind = "load"
	JobCheck  JobKind = "check" // a load that writes nothing: what it would do is counted
	// JobLoadGroups and JobCheckGroups are the same of groups and their members.
	JobLoadGroups  JobKind = "load-groups"
	JobCheckGroups JobKind = "check-groups"
	JobPhotos      JobKind = "photos"
	// JobImportGroups makes groups of those of a tenant.
	JobImportGroups JobKind = "import-groups"
	JobVerify       JobKind = "verify-activity"
	// JobAddresses brings addresses that earlier versions stored to the present
	// form, once.
	JobAddresses JobKind = "renew-addresses"
	// JobLicences counts who of a tenant has which product.
	JobLicences JobKind = "count-licences"
	// JobTakeBack puts back what a client of SCIM changed; JobCheckTakeBack counts what
	// that would do.
	JobTakeBack      JobKind = "take-back"
	JobCheckTakeBack JobKind = "check-take-back"
)

// ReadsFile reports whether jobs of a kind read files of users or groups: the function load
// does these, and sync all others.
func (k JobKind) ReadsFile() bool {
	switch k {
	case JobLoad, JobCheck, JobLoadGroups, JobCheckGroups:
		return true
	}
	return false
}

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
	ScimClientID ScimClientID `json:"scimClientId,omitempty" doc:"Of a take-back, and of its count: the client whose changes it is about."`
	State        JobState     `json:"state"`
	// Done counts the elements dealt with, refused ones among them; Total is 0
	// while it is not known.
	Done  int `json:"done"`
	Total int `json:"total"`
	// Counts by outcome ("created", "bound", …).
	Counts       map[string]int `json:"counts,omitempty"`
	RefusedCount int            `json:"refusedCount"`
	// RefusedUnlisted counts those of the refused elements that are not listed:
	// a load lists the first 10,000.
	RefusedUnlisted int `json:"refusedUnlisted,omitempty"`

	// Notes are what a person should know about elements that were taken, the first
	// MaxNotes of NotesCount.
	Notes      []JobNote `json:"notes,omitempty" doc:"What a person should know about elements that were taken: what was changed of their values or left out. The first 100 of them"`
	NotesCount int       `json:"notesCount,omitempty" doc:"How many notes there are, listed or not"`

	// File is how a load reads its file.
	File *LoadedFile `json:"file,omitempty" doc:"How a load or check reads its file"`

	AskedBy string    `json:"askedBy,omitempty"`
	Error   *Problem  `json:"error,omitempty"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Ended   time.Time `json:"ended,omitzero"`
}

// MaxNotes is how many notes a job lists; it counts all.
const MaxNotes = 100

// JobNote is what a person should know about an element that was taken.
type JobNote struct {
	Line      int       `json:"line,omitempty" doc:"Of a loaded file, from 1"`
	AccountID AccountID `json:"accountId,omitempty"`
	Name      string    `json:"name,omitempty" doc:"The address of the user, or the userPrincipalName of the account"`
	Warning
}

// Note adds to a job's notes; of those that are too many, it counts only.
func (j *Job) Note(n JobNote) {
	j.NotesCount++
	if len(j.Notes) < MaxNotes {
		j.Notes = append(j.Notes[:len(j.Notes):len(j.Notes)], n)
	}
}

// LoadedFile is how a load reads its file: what was said of it, or recognised.
type LoadedFile struct {
	Format     string       `json:"format" doc:"csv, jsonl or xlsx"`
	Encoding   string       `json:"encoding,omitempty" doc:"utf-8, utf-16le, utf-16be or windows-1252; of a text"`
	Separator  string       `json:"separator,omitempty" doc:"Of CSV: a comma, a semicolon, a tab or a vertical bar"`
	Sheet      string       `json:"sheet,omitempty" doc:"Of a workbook: the sheet that is read"`
	HeaderLine int          `json:"headerLine,omitempty" doc:"The line, or row of the sheet, that names the columns"`
	Export     string       `json:"export,omitempty" doc:"Whose export the names of the columns are, if they are not our own"`
	Columns    []FileColumn `json:"columns,omitempty" doc:"In the order of the file"`
}

// FileColumn is what becomes of one column of a file.
type FileColumn struct {
	Name      string `json:"name" doc:"As the header row has it"`
	Attribute string `json:"attribute,omitempty" doc:"What it gives; without it, the column is not loaded"`
	Ignored   string `json:"ignored,omitempty" doc:"Why it is not loaded"`
	Note      string `json:"note,omitempty" doc:"When it counts, or for what else"`
}

// Known reports whether this version of Bindery does jobs of that kind and knows
// where it stands. One that it does not know is left to a newer version.
func (j *Job) Known() bool {
	switch j.State {
	case JobQueued, JobRunning, JobDone, JobFailed:
	default:
		return false
	}
	switch j.Kind {
	case JobImport, JobBind, JobLoad, JobCheck, JobLoadGroups, JobCheckGroups, JobPhotos, JobVerify, JobAddresses, JobLicences, JobImportGroups, JobTakeBack, JobCheckTakeBack:
		return true
	}
	return false
}

// RefusedItem is one element that a job or a bulk call did not do, and why.
type RefusedItem struct {
	Line      int       `json:"line,omitempty"` // of a loaded file, from 1
	UserID    UserID    `json:"userId,omitempty"`
	GroupID   GroupID   `json:"groupId,omitempty"` // a group of our directory
	AccountID AccountID `json:"accountId,omitempty"`
	Name      string    `json:"name,omitempty"`
	Code      string    `json:"code"`
	Detail    string    `json:"detail"`
}
