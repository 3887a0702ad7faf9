package plan_test

import (
	"strings"
	"testing"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

var (
	text  = directory.StringValue
	yes   = directory.BoolValue(true)
	no    = directory.BoolValue(false)
	null  = directory.Null
	upn   = directory.PropUserPrincipalName
	onOff = directory.PropAccountEnabled
)

const (
	annID     = directory.UserID("usr_ann")
	accountID = directory.AccountID("acc-ann")
	address   = "ann@corp.example"
)

// exported are the optional properties that the tests switch on, with clear.
var exported = []string{"department", "jobTitle", "mobilePhone", "otherMails", "businessPhones", "streetAddress", "usageLocation", "preferredLanguage", "extensionAttribute1"}

func config(edit func(*directory.Settings)) plan.Config {
	s := directory.Settings{Attributes: map[string]directory.AttributeRule{}}
	for _, n := range exported {
		s.Attributes[n] = directory.AttributeRule{Export: true, Clear: n != directory.PropUsageLocation}
	}
	if edit != nil {
		edit(&s)
	}
	s = s.Defaulted()
	return plan.Config{Settings: s, Mapper: mapping.New(s, []directory.Domain{{Name: "corp.example"}})}
}

func report(s *directory.Settings) {
	s.ForeignChange = map[string]directory.ForeignPolicy{"default": directory.ForeignReport}
}

func ann(edit func(*directory.User)) *directory.User {
	u := &directory.User{ID: annID, Version: 7, Profile: directory.Profile{
		Email: address, GivenName: "Ann", FamilyName: "Smith", Department: "Sales", State: directory.StateActive}}
	if edit != nil {
		edit(u)
	}
	return u
}

func suspended(u *directory.User) { u.State = directory.StateSuspended }

func deleted(u *directory.User) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	u.Deleted = &at
}

// lately says that we wrote every property a moment ago.
var lately = directory.Recent{All: true}

// inSync is a subject of which both sides agree.
func inSync(c plan.Config, u *directory.User) plan.Subject {
	want, problems := c.Mapper.Desired(u)
	if len(problems) > 0 {
		panic(problems[0].Message)
	}
	a := directory.Account{ID: accountID, UserType: "Member", Properties: directory.Properties{}}
	base := directory.Properties{}
	for _, n := range c.Mapper.Managed() {
		a.Properties[n] = want[n]
	}
	for n, v := range want {
		base[n] = v
	}
	return plan.Subject{User: u, Account: &a,
		Binding: &directory.Binding{UserID: u.ID, AccountID: accountID, Base: base, Before: directory.Properties{}, Status: directory.BindingInSync}}
}

// unbound is a subject whose binding has no account yet.
func unbound(u *directory.User) plan.Subject {
	return plan.Subject{User: u, Binding: &directory.Binding{UserID: u.ID, Status: directory.BindingPending}}
}

// candidate is an account that could be adopted.
func candidate(edit func(*directory.Account)) *directory.Account {
	a := &directory.Account{ID: accountID, UserType: "Member", Properties: directory.Properties{
		upn: text("Ann@Corp.example"), onOff: yes, "displayName": text("Ann Smith"), "givenName": text("Ann"), "surname": text("Smith"),
		"mailNickname": text("ann"), "department": text("Sales")}}
	if edit != nil {
		edit(a)
	}
	return a
}

// summary is a decision in one line: its effects with the properties they
// write, its status, problem and findings.
func summary(d plan.Decision) string {
	var parts []string
	for _, c := range d.Changes {
		s := string(c.Effect)
		for _, p := range c.Properties {
			if c.Effect != directory.EffectCreate {
				s += " " + p.Name + "=" + p.After.String()
			}
		}
		parts = append(parts, s)
	}
	parts = append(parts, string(d.Status))
	if d.Problem != nil {
		parts = append(parts, "!"+d.Problem.Code)
	}
	for _, f := range d.Findings {
		parts = append(parts, "?"+f.Code)
	}
	return strings.Join(parts, "; ")
}

// wellFormed holds a decision against what every decision must keep to.
func wellFormed(t testing.TB, s plan.Subject, d plan.Decision) {
	t.Helper()
	for i, c := range d.Changes {
		if c.UserID != s.User.ID || c.Reason == "" || c.Properties == nil || c.ID != "" || c.State != "" || c.UserVersion != s.User.Version {
			t.Errorf("change %d is not complete, or has what it must not: %+v", i, c)
		}
		if c.Effect != directory.EffectCreate && c.AccountID == "" {
			t.Errorf("change %d (%s) names no account", i, c.Effect)
		}
		for _, p := range c.Properties {
			if directory.Sensitive(p.Name) != (c.Effect == sensitive) && c.Effect != directory.EffectCreate && c.Effect != directory.EffectAdopt {
				t.Errorf("change %d (%s) writes %s", i, c.Effect, p.Name)
			}
			// A block may be sent to be sure, see differ.enabled.
			if c.Effect != directory.EffectCreate && c.Effect != directory.EffectBlock && c.Effect != directory.EffectDeselect && mapping.Same(p.Name, p.Before, p.After) {
				t.Errorf("change %d writes %s, which is the same before and after", i, p.Name)
			}
		}
	}
	if (d.Status == directory.BindingPending) != (len(d.Changes) > 0) && s.Binding.AccountID != "" && s.Account != nil {
		t.Errorf("status %s with %d changes", d.Status, len(d.Changes))
	}
	for _, p := range append([]directory.Problem{}, d.Findings...) {
		if p.Code == "" || p.Message == "" {
			t.Errorf("finding %+v lacks code or message", p)
		}
	}
	if p := d.Problem; p != nil && (p.Code == "" || p.Message == "" || p.Next == "") {
		t.Errorf("problem %+v lacks code, message or next step", p)
	}
}
