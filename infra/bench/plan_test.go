package bench

import (
	"encoding/json"
	"fmt"
	"testing"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

const planned = 100_000

// planCPU measures what deciding costs a processor: every user is mapped and
// held against base and account, the changes are counted and put to the guard.
// Users, bindings and accounts are in memory.
func planCPU(t *testing.T, r *report) {
	s := directory.Settings{Attributes: map[string]directory.AttributeRule{}}
	for _, name := range directory.OptionalProperties {
		s.Attributes[name] = directory.AttributeRule{Export: true}
	}
	s.Attributes["extensionAttribute1"] = directory.AttributeRule{Export: true, From: "badge"}
	s = s.Defaulted()
	domains := []directory.Domain{{Name: "corp.example"}, {Name: "m365.example"}}
	cfg := plan.Config{Settings: s, Mapper: mapping.New(s, domains)}
	subjects := subjectsInSync(t, cfg)

	users := make([][]byte, len(subjects))
	for i := range subjects {
		var err error
		if users[i], err = json.Marshal(subjects[i].User); err != nil {
			t.Fatal(err)
		}
	}
	decode := cpuOf(t, decodeAll(t, users))

	n := 0
	c := againstFloor(tries, decode, cpuOf(t, func() { n = decideAll(cfg, subjects) }))
	if n != planned/100 {
		t.Fatalf("%d changes are planned, want %d", n, planned/100)
	}
	r.add("plan.cpu_ratio", c.ratio(), "ratio", lower, fmt.Sprintf("100,000 users with %d properties, 1 %% of whom change: CPU time to decide, count and put to the guard ÷ to decode the same users from JSON; %s", len(cfg.Mapper.Managed()), c))

	other := s
	other.DomainMap = map[string]string{"corp.example": "m365.example"}
	what := plan.Config{Settings: other, Mapper: mapping.New(other, domains)}
	c = againstFloor(tries, decode, cpuOf(t, func() { n = decideAll(what, subjects) }))
	if n < planned {
		t.Fatalf("%d changes are planned, want a rename of everybody", n)
	}
	r.add("whatif.cpu_ratio", c.ratio(), "ratio", lower, fmt.Sprintf("another domainMap for the same users, everybody is renamed ÷ to decode them; %s", c))
}

// subjectsInSync makes bound users whose accounts are as they want them, but for
// one in a hundred who has moved.
func subjectsInSync(t *testing.T, cfg plan.Config) []plan.Subject {
	t.Helper()
	list := make([]plan.Subject, planned)
	for i := range list {
		u := &directory.User{ID: directory.UserID(fmt.Sprintf("usr_%06d", i)), Version: 3, Profile: directory.Profile{
			UserName: fmt.Sprintf("user%06d", i), Email: fmt.Sprintf("Ünal.%06d@corp.example", i), State: directory.StateActive,
			GivenName: "Jürgen", FamilyName: fmt.Sprintf("Ünal %d", i), AlternateEmail: fmt.Sprintf("u%d@home.example", i),
			Phones:      directory.Phones{Work: fmt.Sprintf("+49 (30) 1234-%06d", i), Mobile: "+49 171 1234567"},
			WorkAddress: directory.WorkAddress{StreetAddress: "Main Street 1", City: "Berlin", State: "BE", PostalCode: "10115", Country: "Germany"},
			Department:  fmt.Sprintf("Department %d", i%300), JobTitle: "Engineer", Location: "Floor 3", Company: "Corp",
			EmployeeID: fmt.Sprint(i), EmployeeType: "Employee", UsageLocation: "DE", PreferredLanguage: "de-DE",
			CustomAttributes: map[string]string{"badge": fmt.Sprint("B", i)},
		}}
		u.Email = fmt.Sprintf("user.%06d@corp.example", i)
		want, problems := cfg.Mapper.Desired(u)
		if len(problems) > 0 {
			t.Fatal(problems[0].Message)
		}
		id := directory.AccountID(u.ID)
		a := &directory.Account{ID: id, UserType: "Member", Properties: directory.Properties{}}
		base := directory.Properties{}
		for name, v := range want {
			a.Properties[name], base[name] = v, v
		}
		list[i] = plan.Subject{User: u, Account: a, Binding: &directory.Binding{
			UserID: u.ID, AccountID: id, Base: base, Before: directory.Properties{}, Status: directory.BindingInSync}}
		if i%100 == 0 {
			u.Department = "Moved"
		}
	}
	return list
}

func decideAll(cfg plan.Config, subjects []plan.Subject) int {
	tally, n := plan.Tally{}, 0
	var bound plan.Bound
	for i := range subjects {
		d := plan.Decide(cfg, subjects[i])
		n += len(d.Changes)
		tally.Add(d.Changes)
		bound.Add(subjects[i].User, subjects[i].Binding.UserPrincipalName)
	}
	plan.Guard(nil, plan.Facts{Run: tally, Bound: bound})
	return n
}
