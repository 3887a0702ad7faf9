package directory

import "slices"

// Effect is what a change does to an object.
type Effect string

// The effects. A block is whatever sets accountEnabled to false, wherever it comes
// from.
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
	// EffectRelease gives an object back: it is not ours any more. Like adopt
	// it writes nothing by itself, and its properties are the values before the
	// binding.
	EffectRelease Effect = "release"
	// EffectDeselect gives an object back as a release does, since no group selects it any
	// more: nobody asked for it by itself, so that the guard counts it.
	EffectDeselect Effect = "deselect"
	// EffectUpdateToEmpty is what the guard counts a change as that empties a
	// value; no change carries it.
	EffectUpdateToEmpty Effect = "update-to-empty"

	// Of tenant groups.
	EffectGroupCreate  Effect = "group-create"
	EffectGroupAdopt   Effect = "group-adopt" // writes nothing by itself
	EffectGroupUpdate  Effect = "group-update"
	EffectGroupDelete  Effect = "group-delete"
	EffectGroupRestore Effect = "group-restore"
	// Of their members.
	EffectMemberAdd    Effect = "member-add"
	EffectMemberRemove Effect = "member-remove"
	// Of who is whose manager.
	EffectManagerSet   Effect = "manager-set"
	EffectManagerClear Effect = "manager-clear"
	// Of licences: an account's, or a tenant group's that licenses its members.
	EffectLicenceAdd Effect = "licence-add"
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

// The phases of applying, in their order: what needs something else comes after it.
// Of licences those that give seats back come before those that take them.
const (
	PhaseTake   = 0 // takes access away
	PhaseChange = 1 // concerns accounts that are there
	PhaseCreate = 2 // makes new ones
	PhaseGroup  = 3 // groups
	PhaseRelate = 4 // what holds between accounts, and between accounts and groups
	PhaseFree   = 5 // gives seats of licences back
	PhaseSeat   = 6 // takes seats
	LastPhase   = PhaseSeat
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
	UndoReverse   UndoRule = "reverse"    // the opposite, where the tenant still has what we gave, or not what we took
	UndoNothing   UndoRule = "nothing"    // it stays; the undo lists it
)

// EffectRow is what holds for every change of an effect, whoever has planned it:
// a sync, a release or an undo.
type EffectRow struct {
	Effect Effect
	Words  string // for people: what it does, as a phrase that follows "it"
	Phase  int
	// Once says that sending it twice may do it twice: while its outcome is not
	// known it is looked for, and not sent again.
	Once bool
	// Remembers says that its properties are not written, but remembered.
	Remembers bool
	// Gains says that the object gets its counterpart in the tenant by it, which is
	// claimed for it.
	Gains bool
	// Opens says that the object's later changes make no sense without it: they are
	// refused when it fails, and declined with it.
	Opens bool
	// Ends says that the object is not ours any more after it. It makes no sense after
	// a change that failed or was declined.
	Ends bool
	// Renews says that an undo makes the object ours again by it when its record has
	// gone meanwhile.
	Renews bool
	// Adds says that nothing that was there is changed by it: first loads are of these.
	Adds bool
	// Serial says that the tenant takes one request with one such change at a time.
	// They go last, and what comes meanwhile goes between two of them.
	Serial bool
	// Guarded says that the guard can have a limit for it, and Default is the one
	// that holds without any setting; nil: none. Letter stands for a guarded effect
	// in what the table sums up. It is stored: never change one.
	Guarded bool
	Default *GuardDefault
	Letter  byte
	// Scoped, when not nil, is besides what the guard lets pass in each part that
	// changes name by themselves (Change.Scope), of the number of what that has.
	Scoped *Allowance
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
// An effect whose Serial is set has a phase with others like it only.
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
	{Effect: EffectCreate, Words: "makes a new account", Phase: PhaseCreate, Once: true, Gains: true, Opens: true, Adds: true,
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

	{Effect: EffectAdopt, Words: "makes an existing account ours, and writes nothing by itself", Phase: PhaseChange,
		Remembers: true, Gains: true, Opens: true, Renews: true, Adds: true, Undo: UndoGiveBack},
	{Effect: EffectUpdate, Words: "writes ordinary properties", Phase: PhaseChange, ReadBack: true, Undo: UndoValues},
	{Effect: EffectRestore, Words: "brings a deleted account back", Phase: PhaseChange, Opens: true, ByRoles: true,
		Undo: UndoBlock, Irreversible: "The account stays: an undo blocks it, and never deletes it."},
	{Effect: EffectRelease, Words: "gives the account back, and writes nothing by itself", Phase: PhaseChange, Remembers: true, Ends: true, Undo: UndoTakeAgain},
	{Effect: EffectDeselect, Words: "lets the account go, whose user no group selects any more", Phase: PhaseChange, Remembers: true, Ends: true,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.1}, 40}, Letter: 'v', Undo: UndoTakeAgain},

	{Effect: EffectGroupCreate, Words: "makes a new group", Phase: PhaseGroup, Gains: true, Opens: true, Adds: true,
		Guarded: true, Letter: 'g', Undo: UndoGiveUp, Irreversible: "The group stays: an undo lets it go, and never deletes it."},
	{Effect: EffectGroupAdopt, Words: "makes an existing group ours, and writes nothing by itself", Phase: PhaseGroup,
		Remembers: true, Gains: true, Opens: true, Renews: true, Adds: true, Undo: UndoGiveBack},
	{Effect: EffectGroupUpdate, Words: "writes a group's name and description", Phase: PhaseGroup, Undo: UndoValues},
	{Effect: EffectGroupDelete, Words: "deletes the group; Microsoft keeps it for 30 days", Phase: PhaseGroup,
		Guarded: true, Default: &GuardDefault{Allowance{2, 0.05}, 4}, Letter: 'h', Waves: true,
		Undo: UndoRestore, Irreversible: "Microsoft keeps a deleted group for 30 days; after that it cannot be restored."},
	{Effect: EffectGroupRestore, Words: "brings a deleted group back", Phase: PhaseGroup, Gains: true, Opens: true, Renews: true,
		Undo: UndoNothing, Irreversible: "The group stays: an undo never deletes one."},
	{Effect: EffectMemberAdd, Words: "adds a member to the group", Phase: PhaseRelate, Renews: true, Adds: true,
		Guarded: true, Letter: 'm', Undo: UndoReverse},
	{Effect: EffectMemberRemove, Words: "removes a member from the group", Phase: PhaseTake,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.1}, 40}, Letter: 'o', Scoped: &Allowance{10, 0.25}, Waves: true, Undo: UndoReverse},
	{Effect: EffectManagerSet, Words: "names the person's manager", Phase: PhaseRelate, Renews: true,
		Guarded: true, Letter: 'p', Undo: UndoReverse},
	{Effect: EffectManagerClear, Words: "leaves the person without a manager", Phase: PhaseRelate,
		Guarded: true, Default: &GuardDefault{Allowance{20, 0.1}, 40}, Letter: 'q', Undo: UndoReverse},
	{Effect: EffectLicenceAdd, Words: "gives a licence", Phase: PhaseSeat, Renews: true, Adds: true, Serial: true,
		Guarded: true, Letter: 'l', Undo: UndoReverse},
	{Effect: EffectLicenceRemove, Words: "takes a licence away", Phase: PhaseFree, Serial: true,
		Guarded: true, Default: &GuardDefault{Allowance{5, 0.05}, 10}, Letter: 'k', Waves: true, Undo: UndoReverse},
	{Effect: EffectLicenceSwap, Words: "gives one licence for another, in one step", Phase: PhaseSeat, Renews: true, Serial: true,
		Guarded: true, Letter: 'w', Undo: UndoReverse},
	{Effect: EffectLicencePlans, Words: "switches services of a licence on or off", Phase: PhaseSeat, Renews: true, Serial: true,
		Guarded: true, Letter: 'i', Undo: UndoReverse},
	{Effect: EffectLicenceReprocess, Words: "has Microsoft give once more what the account's groups license", Phase: PhaseSeat, Serial: true, Undo: UndoNothing},
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

// SerialPhase reports whether the changes of a phase go one at a time.
func SerialPhase(phase int) bool {
	return slices.ContainsFunc(Effects, func(r EffectRow) bool { return r.Phase == phase && r.Serial })
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
