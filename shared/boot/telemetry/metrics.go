package telemetry

// Metric names a number that CloudWatch keeps. The names follow the stages of
// a run.
type Metric string

// The metrics. Alarms in template.yaml use no other name.
const (
	Planned    Metric = "ChangesPlanned"
	Applied    Metric = "ChangesApplied"
	Failed     Metric = "ChangesFailed"
	Refused    Metric = "ChangesRefused"
	RunsDone   Metric = "RunsDone"
	RunsFailed Metric = "RunsFailed" // given up after five attempts
	RunsHeld   Metric = "RunsHeld"   // the guard wants an approval
	// ProtectedLeavers should lose access and do not: their accounts are
	// protected, synced from on-premises or guests', or their bindings paused.
	ProtectedLeavers Metric = "ProtectedLeavers"

	ConnectionsActive            Metric = "ConnectionsActive"
	ConnectionsLate              Metric = "ConnectionsLate" // no successful run for too long
	ConnectionsNeedAuthorization Metric = "ConnectionsNeedAuthorization"
	WakeUps                      Metric = "WakeUps"
	RowsSwept                    Metric = "RowsSwept"

	// What Lambda does not count as an error of a function: a message that
	// failed is an item of an answer that succeeded, and a slice that failed has
	// put itself off.
	SyncFailures     Metric = "SyncFailures"     // messages and slices
	LoadFailures     Metric = "LoadFailures"     // messages
	SweepFailures    Metric = "SweepFailures"    // messages
	ScheduleFailures Metric = "ScheduleFailures" // connections and other things in a tick
	ScheduleTicks    Metric = "ScheduleTicks"    // that came to their end
	ScheduleCut      Metric = "ScheduleCut"      // whose time was over before all had their turn
	JobsFailed       Metric = "JobsFailed"       // given up, or of those that nobody asked for
	WakeUpsFailed    Metric = "WakeUpsFailed"    // that a queue did not take
	// ScimFailures are requests of identity providers that were answered 5xx without saying
	// when to come again: a client that an admin has paused is told that, for hours.
	ScimFailures  Metric = "ScimFailures"
	TokensUnsaved Metric = "TokensUnsaved" // times that the vault did not take fresh tokens
	// ClientSecretRefused counts the answers of Microsoft that refuse the app's
	// client secret, and the times that it could not be read.
	ClientSecretRefused Metric = "ClientSecretRefused"
	// ClientSecretDays is how many days are left of it, when that is known.
	ClientSecretDays Metric = "ClientSecretDaysLeft"
)

// Unalarmed are the metrics that no alarm in template.yaml looks at, each with
// the reason. All others have one.
var Unalarmed = map[Metric]string{
	Planned:           "what is planned is the admins' business; the guard holds what is too much of it",
	Applied:           "the same",
	Failed:            "one account that fails is set aside and shows under /problems; the others go on",
	Refused:           "what may not be written is refused on purpose; leavers among them are ProtectedLeavers",
	RunsDone:          "that none is done any more is ConnectionsLate",
	ConnectionsActive: "a number to look at",
	WakeUps:           "a number to look at",
	RowsSwept:         "a number to look at",
}
