package plan_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

const benchUsers = 100_000

// population are bound users that are in sync, one in a hundred of them edited.
func population(cfg plan.Config) []plan.Subject {
	list := make([]plan.Subject, benchUsers)
	for i := range list {
		u := &directory.User{ID: directory.UserID(fmt.Sprintf("usr_%06d", i)), Version: 3, Updated: time.Unix(1.8e9, 0), Profile: directory.Profile{
			Email: fmt.Sprintf("User.%06d@corp.example", i), GivenName: "Änne", FamilyName: fmt.Sprintf("Müller %d", i), DisplayName: fmt.Sprintf("Änne Müller %d", i),
			Department: fmt.Sprintf("Department %d", i%300), JobTitle: "Head of something", Phones: directory.Phones{Work: "+49 (30) 12345-" + fmt.Sprint(i), Mobile: "+49 171 12345"},
			WorkAddress: directory.WorkAddress{StreetAddress: "Some Street 12\n3rd floor"}, UsageLocation: "DE", PreferredLanguage: "de-DE", State: directory.StateActive,
			CustomAttributes: map[string]string{"extensionAttribute1": fmt.Sprint("badge", i)}}}
		list[i] = inSync(cfg, u)
		list[i].Account.ID, list[i].Binding.AccountID = directory.AccountID(u.ID), directory.AccountID(u.ID)
		if i%100 == 0 {
			u.Department = "Moved"
		}
	}
	return list
}

func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// whole plans everybody, as a run does, and gives the changes to the guard.
func whole(cfg plan.Config, list []plan.Subject) (int, *directory.Held) {
	tally, n := plan.Tally{}, 0
	var bound plan.Bound
	for i := range list {
		d := plan.Decide(cfg, list[i])
		n += len(d.Changes)
		tally.Add(d.Changes)
		bound.Add(list[i].User, list[i].Binding.UserPrincipalName)
	}
	return n, plan.Guard(nil, plan.Facts{Run: tally, Bound: bound})
}

func benchmark(b *testing.B, cfg plan.Config, list []plan.Subject, want int) {
	b.ReportAllocs()
	for b.Loop() {
		began := cpu()
		n, held := whole(cfg, list)
		if n != want || held != nil {
			b.Fatalf("%d changes, held %+v, want %d and none", n, held, want)
		}
		b.ReportMetric((cpu() - began).Seconds(), "cpu-s/plan")
	}
}

// BenchmarkPlan is a full round over 100,000 users of whom 1 % change.
func BenchmarkPlan(b *testing.B) {
	cfg := config(nil)
	benchmark(b, cfg, population(cfg), benchUsers/100)
}

// BenchmarkWhatIf asks what another domain map and one attribute fewer would do
// to 100,000 users.
func BenchmarkWhatIf(b *testing.B) {
	cfg := config(nil)
	list := population(cfg)
	s := cfg.Settings
	s.DomainMap = map[string]string{"corp.example": "m365.example"}
	s.Guard = nil
	other := plan.Config{Settings: s, Mapper: mapping.New(s, []directory.Domain{{Name: "corp.example"}, {Name: "m365.example"}})}
	b.ReportAllocs()
	for b.Loop() {
		began := cpu()
		n, held := whole(other, list)
		if n < benchUsers || held == nil {
			b.Fatalf("%d changes, held %v, want a rename of everybody to be held", n, held)
		}
		b.ReportMetric((cpu() - began).Seconds(), "cpu-s/plan")
	}
}
