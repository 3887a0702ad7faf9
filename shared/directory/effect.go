package directory

import "slices"

// Effect is what a change does to an object.
type Effect string

// The effects on accounts. A block is whatever sets accountEnabled to false,
// wherever it comes from.
const (
	EffectCreate Effect = "create"
	EffectAdopt  Effect = "adopt" // makes an existing account ours; writes nothing by itself
	EffectUpdate Effect = "update"
	// EffectUpdateSensitive writes SensitiveProperties of an account that is
	// there, and nothing else. A creation carries them like all others.
	EffectUpdateSensitive Effect = "update-sensitive"
	EffectRename          Effect = "rename"
	EffectBlock           Effect = "block"
	EffectUnblock         Effect = "unblock"
	EffectDelete          Effect = "delete"
	EffectRevoke          Effect = "revoke"  // ends the account's sessions
	EffectRestore         Effect = "restore" // brings back a soft-deleted account
	// EffectRelease gives an account back: it is not ours any more. Like adopt
	// it writes nothing by itself, and its properties are the values before the
	// binding.
	EffectRelease Effect = "release"
	// EffectUpdateToEmpty is what the guard counts a change as that empties a
	// value; no change carries it.
	EffectUpdateToEmpty Effect = "update-to-empty"
)

// The effects on tenant groups, memberships, managers and licences. Those of
// licences are an account's, or a tenant group's that licenses its members.
const (
	EffectGroupCreate  Effect = "group-create"
	EffectGroupAdopt   Effect = "group-adopt" // makes an existing group ours; writes nothing by itself
	EffectGroupUpdate  Effect = "group-update"
	EffectGroupDelete  Effect = "group-delete"
	EffectGroupRestore Effect = "group-restore" // brings back a soft-deleted group
	EffectMemberAdd    Effect = "member-add"
	EffectMemberRemove Effect = "member-remove"
	EffectManagerSet   Effect = "manager-set"
	EffectManagerClear Effect = "manager-clear"
	EffectLicenceAdd   Effect = "licence-add"
	// EffectLicenceRemove takes products away and gives none.
	EffectLicenceRemove Effect = "licence-remove"
	// EffectLicenceSwap takes products away and gives others in the same call, so
	// that what both have stays in force.
	EffectLicenceSwap Effect = "licence-swap"
	// EffectLicencePlans changes which services of a product are off.
	EffectLicencePlans Effect = "licence-plans"
	// EffectLicenceReprocess has Microsoft give an account once more what its groups
	// license it for.
	EffectLicenceReprocess Effect = "licence-reprocess"
)

// The phases of applying, in their order.
const (
	PhaseTake    = 0 // takes access away
	PhaseChange  = 1 // concerns accounts that are there
	PhaseCreate  = 2 // makes new ones
	PhaseGroup   = 3 // concerns tenant groups
	PhaseRelate  = 4 // relates what is there by then: members, managers
	PhaseLicence = 5 // gives licences, one call at a time
	LastPhase    = PhaseLicence
)

// UndoRule is how an applied change is taken back.
type UndoRule string

// The rules. The zero rule is that of what no change carries, or none yet.
const (
	UndoValues    UndoRule = "values"     // the values before, where the object still has ours; access by a block of ours only
	UndoGiveUp    UndoRule = "give-up"    // block, end the sessions, release; never deleted
	UndoGiveBack  UndoRule = "give-back"  // the values from before the binding, then release
	UndoTakeAgain UndoRule = "take-again" // adopt, and the values that were ours
	UndoRestore   UndoRule = "restore"    // restore, as long as Microsoft keeps the object
	UndoBlock     UndoRule = "block"      // block, end the sessions
	UndoNothing   UndoRule = "nothing"    // it stays; the undo lists it
)

// EffectRow is what holds for every change of an effect, whoever has planned it:
// a sync, a release or an undo.
type EffectRow struct {
	Effect Effect
	Words  string // for people: what it does, as a phrase that follows "it"
	Phase  int
	// OneAtATime says that Microsoft takes one such request at a time in a tenant,
	// whatever object it is about (GG 9.3).
	OneAtATime bool
	// Once says that sending it twice may do it twice: while its outcome is not
	// known it is looked for, and not sent again.
	Once bool
	// Remembers says that its properties are not written, but remembered.
	Remembers bool
	// Guarded says that the guard can have a limit for it, and Default is the one
	// that holds without any setting; nil: none. Letter stands for a guarded effect
	// in what the table sums up. It is stored: never change one.
	Guarded bool
	Default *GuardDefault
	Letter  byte
	// Waves says that many changes of it go in waves.
	Waves bool
	// ByRoles says that Microsoft guards it by the roles of the account.
	ByRoles bool
	// ReadBack says that a round of reading shows what became of it.
	ReadBack bool
	// Undo is how it is taken back, and Irreversible what of it cannot be.
	Undo         UndoRule
	Irreversible string
}

// GuardDefault is a limit that holds without any setting; the day's number is
// never below DayCount.
type GuardDefault struct {
	Allowance
	DayCount int
}

// Effects has one row for each effect. Where a change counts as several, the
// first of them that goes in waves is the kind of its waves.
//
// Of the guard's defaults taking access away is the gravest; giving it back, new
// names, emptied values and sensitive ones follow. First loads meet none:
// creations, adoptions and new values are free, and sessions end only with a
// block.
//
// Sensitive values are limited as names are: whoever chooses somebody's phone
// can reset that person's password. A creation carries them freely, since
// nobody's account changes hands by it. An adoption may fill what is empty, with
// what the user had when somebody with the right to decide it switched the
// export on (Change.FirstLoad). What it replaces counts, and so does what the
// user got later: otherwise whoever may edit, release and bind users could give
// every account a phone unseen.
var Effects = []EffectRow{
	{Effect: EffectBlock, Words: "keeps the person from signing in", Phase: PhaseTake,
		Guarded: true, Default: &GuardDefault{Allowance{5, 0.05}, 10}, Letter: 'b', Waves: true, ByRoles: true, ReadBack: true, Undo: UndoValues},
	{Effect: EffectCreate, Words: "makes a new account", Phase: PhaseCreate, Once: true,
		Guarded: true, Letter: 'c', ReadBack: true,
		Undo: UndoGiveUp, Irreversible: "The account stays: an undo blocks it and lets it go, and never deletes it."},
	{Effect: EffectDelete, Words: "deletes the account; Microsoft keeps it for 30 days", Phase: PhaseTake,
		Guarded: true, Default: &GuardDefault{Allowance{5, 0.05}, 10}, Letter: 'd', Waves: true, ByRoles: true,
		Undo: UndoRestore, Irreversible: "Microsoft keeps a deleted account for 30 days; after that it cannot be restored."},
	{Effect: EffectRename, Words: "gives the account another sign-in name", Phase: PhaseChange,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.1}, 40}, Letter: 'n', Waves: true, ByRoles: true, ReadBack: true, Undo: UndoValues},
	{Effect: EffectRevoke, Words: "ends the account's sessions", Phase: PhaseTake,
		Guarded: true, Letter: 'r', ByRoles: true,
		Undo: UndoNothing, Irreversible: "Ended sessions stay ended: people sign in again."},
	{Effect: EffectUnblock, Words: "lets the person sign in again", Phase: PhaseChange,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.2}, 40}, Letter: 'u', ByRoles: true, ReadBack: true, Undo: UndoValues},
	{Effect: EffectUpdateSensitive, Words: "writes properties that Microsoft guards by roles, such as phones", Phase: PhaseChange,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.1}, 40}, Letter: 's', Waves: true, ByRoles: true, ReadBack: true, Undo: UndoValues},
	{Effect: EffectUpdateToEmpty, Words: "empties a value; what a change counts as besides", Phase: PhaseChange,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.1}, 40}, Letter: 'e', Waves: true},

	{Effect: EffectAdopt, Words: "makes an existing account ours, and writes nothing by itself", Phase: PhaseChange, Remembers: true, Undo: UndoGiveBack},
	{Effect: EffectUpdate, Words: "writes ordinary properties", Phase: PhaseChange, ReadBack: true, Undo: UndoValues},
	{Effect: EffectRestore, Words: "brings a deleted account back", Phase: PhaseChange, ByRoles: true,
		Undo: UndoBlock, Irreversible: "The account stays: an undo blocks it, and never deletes it."},
	{Effect: EffectRelease, Words: "gives the account back, and writes nothing by itself", Phase: PhaseChange, Remembers: true, Undo: UndoTakeAgain},

	{Effect: EffectGroupCreate, Words: "makes a new group", Phase: PhaseGroup,
		Guarded: true, Letter: 'g',
		Undo: UndoGiveUp, Irreversible: "The group stays: an undo takes from it what we gave and lets it go, and never deletes it."},
	{Effect: EffectGroupAdopt, Words: "makes an existing group ours, and writes nothing by itself", Phase: PhaseGroup, Remembers: true, Undo: UndoGiveBack},
	{Effect: EffectGroupUpdate, Words: "writes properties of a group", Phase: PhaseGroup, Undo: UndoValues},
	{Effect: EffectGroupDelete, Words: "deletes the group; Microsoft keeps it for 30 days", Phase: PhaseGroup,
		Guarded: true, Default: &GuardDefault{Allowance{5, 0.05}, 10}, Letter: 'h', Waves: true,
		Undo: UndoRestore, Irreversible: "Microsoft keeps a deleted group for 30 days; after that it cannot be restored."},
	{Effect: EffectGroupRestore, Words: "brings a deleted group back, with its members", Phase: PhaseGroup,
		Undo: UndoNothing, Irreversible: "The group stays: an undo never deletes it."},
	{Effect: EffectMemberAdd, Words: "adds a member to a group", Phase: PhaseRelate, Guarded: true, Letter: 'm', Undo: UndoValues},
	{Effect: EffectMemberRemove, Words: "removes a member from a group", Phase: PhaseTake,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.1}, 40}, Letter: 'o', Waves: true, Undo: UndoValues},
	{Effect: EffectManagerSet, Words: "sets the account's manager", Phase: PhaseRelate, Guarded: true, Letter: 'p', Undo: UndoValues},
	{Effect: EffectManagerClear, Words: "leaves the account without a manager", Phase: PhaseRelate, Guarded: true, Letter: 'q', Undo: UndoValues},
	{Effect: EffectLicenceAdd, Words: "gives licences", Phase: PhaseLicence, OneAtATime: true, Guarded: true, Letter: 'l', Undo: UndoValues},
	{Effect: EffectLicenceRemove, Words: "takes licences away", Phase: PhaseTake, OneAtATime: true,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.1}, 40}, Letter: 'k', Waves: true, Undo: UndoValues},
	{Effect: EffectLicenceSwap, Words: "gives licences in the place of others, without a gap", Phase: PhaseLicence, OneAtATime: true, Guarded: true, Letter: 'w', Undo: UndoValues},
	{Effect: EffectLicencePlans, Words: "changes which services of a licence are off", Phase: PhaseLicence, OneAtATime: true, Guarded: true, Letter: 'i', Undo: UndoValues},
	{Effect: EffectLicenceReprocess, Words: "has Microsoft give once more what the account's groups license", Phase: PhaseLicence, OneAtATime: true, Undo: UndoNothing},
}

var (
	// GuardedEffects are the effects that the guard has limits for, in order.
	GuardedEffects = guardedEffects()

	effectRows = rowsByEffect()
)

func guardedEffects() []Effect {
	var list []Effect
	for i := range Effects {
		if Effects[i].Guarded {
			list = append(list, Effects[i].Effect)
		}
	}
	slices.Sort(list)
	return list
}

func rowsByEffect() map[Effect]*EffectRow {
	rows := make(map[Effect]*EffectRow, len(Effects))
	for i := range Effects {
		rows[Effects[i].Effect] = &Effects[i]
	}
	return rows
}

// Known reports whether this version of Bindery knows an effect.
func (e Effect) Known() bool {
	_, known := effectRows[e]
	return known
}

// noEffect is the row of what only a newer version knows.
var noEffect = &EffectRow{Phase: PhaseChange}

// Row returns the row of an effect; of one that is not known, one that says
// nothing.
func (e Effect) Row() *EffectRow {
	if row, known := effectRows[e]; known {
		return row
	}
	return noEffect
}
