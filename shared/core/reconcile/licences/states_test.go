package licences

import (
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// TestRefusedServices: a licence that Microsoft refuses for its services says which, by
// their names, what to do, and what Microsoft called it.
func TestRefusedServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann")
	w.license(users[0], w.rule(partE5, "TEAMS1", "MCOSTANDARD"))
	w.sync()
	w.wants(users[0], "", directory.CodeLicenseDependency)
	p := w.record(users[0]).Problem
	for _, part := range []string{directory.ProductName(partE5), "MCOMEETADV", "TEAMS1"} {
		if p == nil || !strings.Contains(p.Message, part) {
			t.Errorf("told %+v, without %s", p, part)
		}
	}
	if p.Next == "" || p.Holder == "" || p.MicrosoftCode == "" || p.MicrosoftMessage == "" {
		t.Errorf("told %+v", p)
	}
}

// TestLicenceStates: what Microsoft says of a product is told whatever way it came by,
// with what it is about, what to do and Microsoft's word for it; of products that are no
// matter of ours nothing is.
func TestLicenceStates(t *testing.T) {
	t.Parallel()
	const mine, theirs = directory.SKUID("11111111-1111-4111-8111-111111111111"), directory.SKUID("22222222-2222-4222-8222-222222222222")
	skus := []directory.LicenceSKU{{ID: mine, PartNumber: partE3, Status: "Enabled", AppliesTo: "User", Units: directory.LicenceUnits{Enabled: 5}}}
	state := func(sku directory.SKUID, group directory.TenantGroupID, state, word string) directory.LicenceState {
		return directory.LicenceState{AssignedLicence: directory.AssignedLicence{SKU: sku}, AssignedByGroup: group, State: state, Error: word}
	}
	for name, test := range map[string]struct {
		states  []directory.LicenceState
		status  directory.BindingStatus
		problem string
		finding string
		text    string // of what is told
	}{
		"fine":              {[]directory.LicenceState{state(mine, "", "Active", "")}, directory.BindingInSync, "", "", ""},
		"fine, by its name": {[]directory.LicenceState{state(mine, "", "Active", "None")}, directory.BindingInSync, "", "", ""},
		"conflict":          {[]directory.LicenceState{state(mine, "", "Error", "MutuallyExclusiveViolation")}, directory.BindingRefused, directory.CodeLicenseExclusive, "", "given to the account itself, is not in force"},
		"dependency":        {[]directory.LicenceState{state(mine, "", "ActiveWithError", "DependencyViolation")}, directory.BindingInSync, "", directory.CodeLicenseDependency, "is in force, and a change of it was not made"},
		"count":             {[]directory.LicenceState{state(mine, "", "Error", "CountViolation")}, directory.BindingRefused, directory.CodeLicenseNoneLeft, "", "All seats"},
		"place":             {[]directory.LicenceState{state(mine, "", "Error", "ProhibitedInUsageLocationViolation")}, directory.BindingRefused, directory.CodeLicenseLocationProhibited, "", "usageLocation"},
		"address":           {[]directory.LicenceState{state(mine, "", "Error", "UniquenessViolation")}, directory.BindingRefused, directory.CodeLicenseAddressTaken, "", "address"},
		"unknown word":      {[]directory.LicenceState{state(mine, "", "Error", "Else")}, directory.BindingRefused, directory.CodeLicenseOther, "", ""},
		"another product":   {[]directory.LicenceState{state(mine, "", "Active", ""), state(theirs, "g", "Error", "CountViolation")}, directory.BindingInSync, "", "", ""},
		"by a group besides": {[]directory.LicenceState{state(mine, "", "Active", ""), state(mine, "some-group", "Error", "CountViolation")},
			directory.BindingInSync, "", directory.CodeLicenseNoneLeft, "by the group some-group"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &holding{
				record: &directory.Binding{Object: directory.LicenceOf("usr_1"), Base: directory.Properties{propAccount: directory.StringValue("acc"), directory.LicenceProperty(mine): directory.BoolValue(true)}},
				person: person{user: &directory.User{ID: "usr_1"}, account: &directory.Binding{UserID: "usr_1", AccountID: "acc"}, there: true},
				rules:  []Rule{{SKU: partE3}},
				held:   &directory.AccountLicences{AccountID: "acc", UsageLocation: "CH", States: test.states},
			}
			h.prepare(&directory.Settings{Licences: true}, &directory.Connection{}, skus, &sources{})
			decide(&directory.Settings{Licences: true}, skus, []*holding{h}, &sources{}, nil, time.Now())
			d := h.decision
			var told *directory.Problem
			if d.problem != nil {
				told = d.problem
			}
			if len(d.findings) > 0 {
				told = &d.findings[0]
			}
			code := test.problem + test.finding
			if d.status != test.status || (d.problem != nil) != (test.problem != "") || (len(d.findings) > 0) != (test.finding != "") || len(d.changes) > 0 || (told != nil) != (code != "") {
				t.Fatalf("decided %+v", d)
			}
			if told == nil {
				return
			}
			if told.Code != code || !strings.Contains(told.Message, test.text) || told.Holder == "" || told.Next == "" || told.MicrosoftCode == "" || told.Property == "" {
				t.Errorf("told %+v", told)
			}
		})
	}
}

// TestGroupAndPlace: a product that a group could not give for the account's place is
// asked for again once when that is another one, and not before.
func TestGroupAndPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const plan = "77777777-aaaa-4bbb-8ccc-0000000000e1"
	_ = w.sim.SetLicence(simTenant, entratest.LicenceSpec{SKUPartNumber: "LOCAL", SKUID: "77777777-aaaa-4bbb-8ccc-0000000000e0", Enabled: 5,
		Plans: []entratest.LicencePlan{{ID: plan, Name: "LOCAL_ONE", ProhibitedIn: []string{"CH"}}}})
	users := w.people("ann")
	ann := users[0]
	g := w.export("Staff", ann)
	w.uses(g, true, w.rule("LOCAL"))
	w.later(time.Hour)
	w.wants(ann, "", directory.CodeLicenseLocationProhibited)
	if p := w.record(ann).Problem; p == nil || p.Holder != "group Staff" || p.MicrosoftCode != "ProhibitedInUsageLocationViolation" || !strings.Contains(p.Message, "LOCAL") {
		t.Errorf("told %+v", p)
	}
	w.later(3 * time.Hour)
	if n := len(w.reprocessed()); n != 0 {
		t.Fatalf("Microsoft was asked %d times, although nothing is otherwise", n)
	}
	w.edit(ann.ID, func(u *directory.User) { u.UsageLocation = "DE" })
	w.later(time.Hour)
	w.wants(ann, "")
	if n := len(w.reprocessed()); n != 1 || w.any(ann.Email) != "LOCAL" {
		t.Errorf("Microsoft was asked %d times, ann has %q", n, w.any(ann.Email))
	}
}

// TestAskedNowAndThen: about a cause that is not seen from here Microsoft is asked a few
// times, days apart, and then no more.
func TestAskedNowAndThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann")
	ann := users[0]
	w.do(w.sim.SetLicenceService(simTenant, entratest.LicenceService{TakenAddresses: []string{ann.Email}}))
	g := w.export("Staff", ann)
	w.uses(g, true, w.rule(partE3))
	w.later(time.Hour)
	w.wants(ann, "", directory.CodeLicenseAddressTaken)
	for range 40 {
		w.pass(6 * time.Hour)
		w.sync()
	}
	if n := len(w.reprocessed()); n != blindTries {
		t.Errorf("Microsoft was asked %d times in ten days: %v", n, w.reprocessed())
	}
	w.wants(ann, "", directory.CodeLicenseAddressTaken)
}
