package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Run runs the suite; open gives each test an empty table of its own, whose
// indexes do not lag.
func Run(t *testing.T, open func(t *testing.T) store.Table) {
	for _, test := range []struct {
		name string
		run  func(s *suite)
	}{
		{"UsersHaveAddressesAlone", testAddresses},
		{"UsersAreListedOnce", testUserList},
		{"EditsMarkBindings", testEditsMark},
		{"UsersHaveOneBinding", testOneBinding},
		{"UsersMove", testMove},
		{"KindsAreApart", testKinds},
		{"KindsAreJournalled", testKindJournal},
		{"KindsCountWhatIsInTheTenant", testKindShares},
		{"GroupsDeletedWithTheirExportAreFoundAgain", testDeletedWithExport},
		{"ManagersHaveRecords", testManagerRecords},
		{"LicencesAreMarkedByTheirCountry", testLicencesMarked},
		{"WhoStaysIsLookedAtAnew", testStaysBeside},
		{"ManagersHaveReports", testReports},
		{"EpochsAreSwept", testSweep},
		{"OlderRecordsAreRead", testOlderRecords},
		{"BindingsArePacked", testBindingsPacked},
		{"ConnectionsCountAllEdits", testConcurrentEdits},
		{"ConnectionsEndTheirEpoch", testEpoch},
		{"ClaimsHaveOneHolder", testClaims},
		{"StatesAreTakenOnce", testStates},
		{"SessionsEndByThemselves", testSessions},
		{"LeasesHaveOneHolder", testLeases},
		{"LeasesMoveToTheirItem", testLeaseMoves},
		{"LeasesOfBothFormsExclude", testLeaseMixed},
		{"LeasesAreRolledBack", testLeaseRolledBack},
		{"LeasesMirrorTheConnection", testLeaseMirrors},
		{"LeasesSurviveCuts", testLeaseCuts},
		{"LeasesAreRepaired", testLeaseRepaired},
		{"LeasesKnowTheLastSuccess", testLastSuccess},
		{"LeasesKnowThatNoRunIsOpen", testNoneOpen},
		{"LeasesTellWhatWasNoted", testLeaseNoted},
		{"RunsAreSavedAsRead", testRuns},
		{"PlansAreChunked", testChunks},
		{"JournalsAreWrittenOnce", testJournal},
		{"RunsComeWithTheirPlan", testDrafts},
		{"RunsEndWithTheirResults", testEndWithResults},
		{"RunOnTheLease", testRunOnTheLease},
		{"DaysAreCountedOnTheLease", testDaysOnTheLease},
		{"RunsAreOvertakenByOlderVersions", testOvertaken},
		{"LeasesAreGivenBackOnce", testGivenBackOnce},
		{"CountsOfTheLateAreKept", testCountedBetween},
		{"DaysAreReadWhileCountsMove", testDaysWhileCountsMove},
		{"JobsAreWorkedOnByOne", testJobs},
		{"ActsGoWithWhatTheyDo", testActs},
		{"ActsAreWalked", testActsWalked},
		{"ChainsAreAppendedTo", testChains},
		{"QuotasAreShared", testQuotas},
		{"SmallRecordsAreReplacedAsRead", testReplaced},
		{"UsersAreFound", testUsersFound},
		{"AddressesAreBroughtToThePresentForm", testAddressForms},
		{"BindingsAreEditedAsRead", testBindingsEdited},
		{"UsersMoveLaterAndStay", testMoveLater},
		{"MarksHaveAnAge", testMarksByAge},
		{"ConnectionsAreListedInOrder", testConnectionsListed},
		{"ConnectionsAreNoted", testConnectionNoted},
		{"AccountsAreCountedOnce", testAccountsCounted},
		{"ProtectionIsLiftedForATime", testProtection},
		{"PhotosGoWithTheirUsers", testPhotos},
		{"RunsAreFound", testRunsFound},
		{"JournalsAreReadWhole", testRunJournalRead},
		{"EndedRunsWaitForTheirLink", testPendingLinks},
		{"ChainsAreRead", testChainsRead},
		{"EventsAreRecorded", testAuditSealed},
		{"JobsKeepPartsAndPages", testJobParts},
		{"JobsAreListed", testJobList},
		{"ProblemsAreSummedUp", testProblemCauses},
		{"UploadsAreLoadedOnce", testUploads},
		{"TokensAreRefreshedByOne", testTokenLease},
		{"GroupsAreFound", testGroups},
		{"GroupsMayHaveLongNames", testLongGroupName},
		{"GroupsAreCounted", testGroupCount},
		{"MembersAreListed", testMembers},
		{"MembersAreEditedAtOnce", testMembersAtOnce},
		{"MembersHaveAVersionAndATime", testMembersVersion},
		{"MembersThatAreGoneArePurged", testMembersPurged},
		{"NoGroupIsInItself", testNoCycle},
		{"UsersOfGroupsAreTold", testUsedGroups},
		{"UsesAreEditedAsRead", testUses},
		{"UsesAdvanceUnderTheLease", testUsesAdvance},
		{"UsesAreSwept", testUsesSwept},
		{"DocumentsGoWithTheirUsers", testDocuments},
		{"DocumentsGoWithTheirGroups", testPushedGroups},
		{"ScimClientsHaveTokens", testScimClients},
		{"ScimRequestsAreCounted", testScimRate},
		{"ScimTally", testScimTally},
		{"NestedMembersAreListedOnce", testNestedMembers},
		{"NoUserIsAmongTheirManagers", testManagers},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &clock{now: time.Now().UTC().Truncate(time.Millisecond)}
			table := open(t)
			test.run(&suite{T: t, clock: c, table: table, Store: store.New(table, store.Options{Now: c.Now})})
		})
	}
}

// suite is a store over an empty table, and a clock that the test moves.
type suite struct {
	*testing.T
	*clock
	*store.Store
	table store.Table
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// by is who asks for what the suite does.
var by = directory.Caller{Subject: "ada"}

// quiet is no act: nothing is recorded of what is done.
var quiet directory.AuditEvent

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// want demands an error.
func (s *suite) want(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("%v, want %v", err, want)
	}
}

func (s *suite) connection(name string) directory.Connection {
	s.Helper()
	c := directory.Connection{
		ID: directory.NewConnectionID(s.Now()), Name: name, Status: directory.StatusActive, Epoch: 1,
		Tenant: &directory.Tenant{ID: directory.TenantID("tenant-" + name), Domains: []directory.Domain{{Name: name + ".example"}}},
	}
	s.must(s.Connections.CreateConnection(s.Context(), quiet, &c))
	return c
}

func (s *suite) user(address string) directory.User {
	s.Helper()
	u := directory.User{ID: directory.NewUserID(s.Now()), Source: directory.SourceManual}
	u.Email, u.UserName, u.State = address, address, directory.StateActive
	s.must(s.Users.CreateUsers(s.Context(), quiet, &u))
	return u
}

func (s *suite) bind(c *directory.Connection, users ...directory.User) {
	s.Helper()
	list := make([]store.Selection, len(users))
	for i := range users {
		list[i].User = &users[i]
	}
	s.must(s.Bindings.Bind(s.Context(), quiet, c, by.Subject, list))
}

func (s *suite) lease(c *directory.Connection) store.Lease {
	s.Helper()
	l, _, err := s.Leases.AcquireLease(s.Context(), c.ID, "suite", time.Minute)
	s.must(err)
	return l
}

func (s *suite) run(c *directory.Connection) store.RunRecord {
	s.Helper()
	r := store.RunRecord{Run: directory.Run{ID: directory.NewRunID(s.Now()), ConnectionID: c.ID, Epoch: c.Epoch, Kind: directory.KindSync,
		State: directory.RunPlanning, StartedAt: s.Now(), Counts: map[directory.Effect]int{}}}
	s.must(s.Runs.CreateRun(s.Context(), quiet, &r))
	return r
}

// atOnce calls do from many goroutines, and returns how many of them went well.
// Those that did not must have failed with want.
func (s *suite) atOnce(n int, want error, do func(i int) error) int {
	s.Helper()
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = do(i) })
	}
	group.Wait()
	well := 0
	for _, err := range errs {
		switch {
		case err == nil:
			well++
		case want == nil || !errors.Is(err, want):
			s.Errorf("at once: %v, want %v", err, want)
		}
	}
	return well
}
