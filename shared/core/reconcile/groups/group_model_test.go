package groups

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// groupModel is one exported group with its record and its tenant group.
type groupModel struct {
	export *Export
	record *directory.Binding
	policy directory.ForeignPolicy
	there  *directory.TenantGroup
	bin    *directory.TenantGroup
	made   int // tenant groups
}

func newGroupModel() *groupModel {
	m := &groupModel{policy: directory.ForeignRevert}
	g := &directory.Group{ID: ourGroup}
	g.Name = "Sales"
	m.export = &Export{Group: g, Kind: directory.GroupSecurity}
	m.record = &directory.Binding{Object: directory.GroupRef(ourGroup), Status: directory.BindingPending, Wanted: 1}
	return m
}

func (m *groupModel) subject() groupSubject {
	s := groupSubject{record: m.record, export: m.export, policy: m.policy}
	id := directory.TenantGroupID("")
	if m.record != nil {
		id = boundTo(m.record, m.export)
	}
	if id == "" {
		return s
	}
	s.missing = true
	if m.there != nil && m.there.ID == id {
		g := *m.there
		s.found, s.missing = &g, false
	}
	if m.bin != nil && m.bin.ID == id {
		s.deleted = m.bin
	}
	return s
}

// sync decides about the group and applies what is to be done.
func (m *groupModel) sync(t interface{ Fatalf(string, ...any) }) []directory.Change {
	d := decideGroup(m.subject())
	if (len(d.Changes) > 0) != (d.Status == directory.BindingPending && d.Problem == nil) {
		t.Fatalf("%s with %d changes and %+v", d.Status, len(d.Changes), d.Problem)
	}
	m.record.Status, m.record.Problem, m.record.Base, m.record.Findings = d.Status, d.Problem, d.Base, d.Findings
	for i := range d.Changes {
		m.apply(t, &d.Changes[i])
		m.record.Status = directory.BindingInSync
	}
	return d.Changes
}

func (m *groupModel) apply(t interface{ Fatalf(string, ...any) }, c *directory.Change) {
	c.State = directory.ChangeApplied
	if m.there != nil && c.Effect != directory.EffectGroupAdopt && m.there.ReadOnly() != nil {
		t.Fatalf("%s of a group that is not for us to write", c.Effect)
	}
	switch c.Effect {
	case directory.EffectGroupCreate:
		m.made++
		m.there = &directory.TenantGroup{ID: directory.TenantGroupID(fmt.Sprint("t-", m.made)), Security: true}
		m.write(c)
		m.record.AccountID = directory.AccountID(m.there.ID)
		c.AccountID = m.record.AccountID
	case directory.EffectGroupAdopt:
		if m.record == nil {
			m.record = &directory.Binding{Object: c.Object, Wanted: 1}
		}
		m.record.AccountID = c.AccountID
	case directory.EffectGroupUpdate:
		m.write(c)
	case directory.EffectGroupDelete:
		m.bin, m.there = m.there, nil
	case directory.EffectGroupRestore:
		m.there, m.bin = m.bin, nil
	}
	noteGroup(m.record, c)
}

func (m *groupModel) write(c *directory.Change) {
	for _, p := range c.Properties {
		switch p.Name {
		case propName:
			m.there.DisplayName = p.After.String()
		case propDescription:
			m.there.Description = p.After.String()
		case propNickname:
			m.there.MailNickname = p.After.String()
		}
	}
}

func (m *groupModel) step(t *rapid.T) {
	text := rapid.SampledFrom([]string{"", "A", "B", "C"})
	switch rapid.SampledFrom([]string{"name", "description", "their name", "their description", "delete", "purge", "policy", "renew"}).Draw(t, "step") {
	case "name":
		m.export.Group.Name = "Sales " + text.Draw(t, "name")
	case "description":
		m.export.Group.Description = text.Draw(t, "text")
	case "their name":
		if m.there != nil {
			m.there.DisplayName = "Theirs " + text.Draw(t, "name")
		}
	case "their description":
		if m.there != nil {
			m.there.Description = text.Draw(t, "text")
		}
	case "delete":
		if m.there != nil {
			m.bin, m.there = m.there, nil
		}
	case "purge":
		m.bin = nil
	case "policy":
		m.policy = rapid.SampledFrom([]directory.ForeignPolicy{directory.ForeignRevert, directory.ForeignReport}).Draw(t, "policy")
	case "renew":
		m.export.Renew = !m.export.Renew
	}
}

// TestGroupPlanApplyPlan: whatever happened on both sides, a plan brings the group to
// what is wanted, or says why not, and the next one is empty. There is never a second
// tenant group while the first is there, or can be restored.
func TestGroupPlanApplyPlan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newGroupModel()
		if rapid.Bool().Draw(t, "adopt") {
			m.export.Adopt = "t-theirs"
			m.there = &directory.TenantGroup{ID: "t-theirs", DisplayName: "Theirs", Description: "Old", Security: true}
		}
		for range rapid.IntRange(0, 10).Draw(t, "steps") {
			m.step(t)
			if rapid.Bool().Draw(t, "sync") {
				before := m.made
				lost := m.there == nil && m.bin == nil
				m.sync(t)
				if m.made > before && !lost {
					t.Fatalf("another tenant group was made")
				}
			}
		}
		m.sync(t)
		m.sync(t) // a restored group is compared once it is there
		if again := m.sync(t); len(again) > 0 {
			t.Fatalf("a third plan has %+v", again)
		}
		if m.there == nil || m.record.Problem != nil {
			if m.record.Problem == nil {
				t.Fatalf("there is no group, and nobody says why: %+v", m.record)
			}
			return
		}
		if m.policy == directory.ForeignRevert && m.there.DisplayName != strings.TrimSpace(m.export.Group.Name) {
			t.Fatalf("the tenant group is called %q, want %q", m.there.DisplayName, m.export.Group.Name)
		}
	})
}

// TestGroupUndo: what a run did to a group is taken back where nobody changed it since.
func TestGroupUndo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newGroupModel()
		m.sync(t)
		for range rapid.IntRange(0, 4).Draw(t, "steps") {
			m.export.Group.Name = "Sales " + rapid.SampledFrom([]string{"A", "B"}).Draw(t, "name")
			m.export.Group.Description = rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, "text")
			m.sync(t)
		}
		before := *m.there
		m.export.Group.Name = "Sales " + rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "name")
		m.export.Group.Description = rapid.SampledFrom([]string{"", "A", "C"}).Draw(t, "text")
		if rapid.Bool().Draw(t, "released") {
			m.record.Release = directory.ReleaseDelete
		}
		run := m.sync(t)
		if m.record.Release != "" {
			m.record = nil
		}
		if len(run) == 0 {
			return
		}
		s := m.subject()
		if s.record == nil {
			s.missing, s.deleted = m.there == nil, m.bin
		}
		out := undoGroup(s, "run_x", run)
		if len(out.Left) > 0 {
			t.Fatalf("the undo leaves %+v", out.Left)
		}
		for i := range out.Changes {
			m.apply(t, &out.Changes[i])
		}
		if m.there == nil || m.there.DisplayName != before.DisplayName || m.there.Description != before.Description {
			t.Fatalf("after the undo the group is %+v, before the run it was %+v", m.there, before)
		}
		if m.record == nil || m.record.AccountID == "" || !m.record.Created {
			t.Fatalf("after the undo the record is %+v", m.record)
		}
	})
}

// TestGroupDecisions goes through the single decisions.
func TestGroupDecisions(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)
	there := &directory.TenantGroup{ID: "t-1", DisplayName: "Sales", Security: true}
	mine := func(edit func(*groupSubject)) groupSubject {
		m := newGroupModel()
		s := groupSubject{record: m.record, export: m.export, policy: directory.ForeignRevert, now: at}
		s.record.AccountID, s.record.Created = "t-1", true
		s.record.Base = directory.Properties{propName: directory.StringValue("Sales")}
		g := *there
		s.found = &g
		edit(&s)
		return s
	}
	for _, tt := range []struct {
		name string
		edit func(*groupSubject)
		want string
	}{
		{"as it is", func(*groupSubject) {}, "in-sync"},
		{"not read", func(s *groupSubject) { s.found = nil }, "failed group-not-read"},
		{"no export", func(s *groupSubject) { s.export = nil }, "in-sync"},
		{"renamed there", func(s *groupSubject) { s.found.DisplayName = "Theirs" }, "pending group-update"},
		{"renamed there, only reported", func(s *groupSubject) { s.found.DisplayName, s.policy = "Theirs", directory.ForeignReport }, "in-sync ?foreign-change"},
		{"renamed there just after us", func(s *groupSubject) { s.found.DisplayName, s.fresh = "Old", directory.Recent{All: true} }, "in-sync"},
		{"renamed on both sides", func(s *groupSubject) { s.found.DisplayName, s.export.Group.Name = "Theirs", "Ours" }, "pending group-update ?both-changed"},
		{"a description there of its own", func(s *groupSubject) { s.found.Description = "Theirs" }, "in-sync"},
		{"a description was ours", func(s *groupSubject) {
			s.found.Description = "Ours"
			s.record.Base[propDescription] = directory.StringValue("Ours")
		}, "pending group-update"},
		{"refused before", func(s *groupSubject) {
			s.export.Group.Name = "Forbidden"
			s.record.Refused = map[string]directory.RefusedValue{propName: {Value: directory.StringValue("Forbidden"), Problem: directory.Problem{Code: "naming"}}}
		}, "refused naming"},
		{"role-assignable", func(s *groupSubject) { s.found.RoleAssignable, s.found.DisplayName = true, "Theirs" }, "read-only group-role-assignable"},
		{"deleted there", func(s *groupSubject) { s.found, s.missing, s.deleted = nil, true, there }, "conflict group-soft-deleted"},
		{"deleted there, restored", func(s *groupSubject) { s.found, s.missing, s.deleted, s.export.Renew = nil, true, there, true }, "pending group-restore"},
		{"gone", func(s *groupSubject) { s.found, s.missing = nil, true }, "conflict group-gone"},
		{"gone, made anew", func(s *groupSubject) { s.found, s.missing, s.export.Renew = nil, true, true }, "pending group-create"},
		{"paused by an undo", func(s *groupSubject) {
			s.record.Status, s.record.Problem, s.found.DisplayName = directory.BindingPaused, &directory.Problem{Code: directory.CodeUndone}, "Theirs"
			s.record.Applied = s.record.Wanted
		}, "paused undone"},
		{"edited after an undo", func(s *groupSubject) {
			s.record.Status, s.record.Problem, s.found.DisplayName = directory.BindingPaused, &directory.Problem{Code: directory.CodeUndone}, "Theirs"
			s.record.Wanted = s.record.Applied + 1
		}, "pending group-update"},
		// Admins pause users alone (directory.Binding.Resting).
		{"said to be paused by an admin", func(s *groupSubject) {
			s.record.Status, s.record.Problem, s.found.DisplayName = directory.BindingPaused, &directory.Problem{Code: directory.CodePausedByAdmin}, "Theirs"
		}, "pending group-update"},

		{"adopt", func(s *groupSubject) { unbound(s); s.export.Adopt = "t-1" }, "pending group-adopt"},
		{"adopt another one's", func(s *groupSubject) {
			unbound(s)
			s.export.Adopt, s.owner = "t-1", directory.GroupRef("grp_other")
		}, "conflict group-taken"},
		{"adopt what is not there", func(s *groupSubject) { unbound(s); s.export.Adopt, s.found, s.missing = "t-1", nil, true }, "conflict group-gone"},
		{"adopt another kind", func(s *groupSubject) { unbound(s); s.export.Adopt, s.found.GroupTypes = "t-1", []string{"Unified"} }, "conflict group-other-kind"},
		{"adopt a synced one", func(s *groupSubject) { unbound(s); s.export.Adopt, s.found.OnPremisesSync = "t-1", true }, "read-only group-synced"},

		{"keep", func(s *groupSubject) { s.record.Release = directory.ReleaseKeep }, "in-sync"},
		{"empty, with members", func(s *groupSubject) { s.record.Release, s.members = directory.ReleaseEmpty, 3 }, "pending group-members-left"},
		{"empty", func(s *groupSubject) { s.record.Release = directory.ReleaseEmpty }, "in-sync"},
		{"delete", func(s *groupSubject) { s.record.Release = directory.ReleaseDelete }, "pending group-delete"},
		{"delete what was there", func(s *groupSubject) { s.record.Release, s.record.Created = directory.ReleaseDelete, false }, "in-sync"},
		{"delete what licenses", func(s *groupSubject) {
			s.record.Release, s.found.Licences = directory.ReleaseDelete, []directory.AssignedLicence{{SKU: "s"}}
		}, "failed group-has-licenses"},
		{"delete what is gone", func(s *groupSubject) { s.record.Release, s.found, s.missing = directory.ReleaseDelete, nil, true }, "in-sync"},
		{"delete a paused one", func(s *groupSubject) {
			s.record.Release, s.record.Status = directory.ReleaseDelete, directory.BindingPaused
		}, "paused binding-paused"},
		{"restore", func(s *groupSubject) {
			s.record.Release, s.record.Created = directory.ReleaseRestore, false
			s.record.Before = directory.Properties{propName: directory.StringValue("Old")}
		}, "pending group-update"},
		{"restore what was renamed there", func(s *groupSubject) {
			s.record.Release, s.record.Created, s.found.DisplayName = directory.ReleaseRestore, false, "Theirs"
			s.record.Before = directory.Properties{propName: directory.StringValue("Old")}
		}, "in-sync"},
	} {
		if got := summary(decideGroup(mine(tt.edit))); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func unbound(s *groupSubject) {
	s.record.AccountID, s.record.Base, s.record.Created = "", nil, false
}

func summary(d plan.Decision) string {
	text := string(d.Status)
	for _, c := range d.Changes {
		text += " " + string(c.Effect)
	}
	if d.Problem != nil {
		text += " " + d.Problem.Code
	}
	for _, f := range d.Findings {
		text += " ?" + f.Code
	}
	return text
}

// TestNicknames: a mailNickname has what Microsoft takes, and another one when that is
// taken.
func TestNicknames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Sales": "Sales", "Sales & Marketing": "Sales-&-Marketing", "Bücher": "Bucher", "(a@b)": "ab", "営業": "grp_sales", "A. B.": "A--B",
	} {
		g := &directory.Group{ID: ourGroup}
		g.Name = name
		b := &directory.Binding{}
		got, p := nickname(b, g)
		if got.String() != want || p != nil {
			t.Errorf("the nickname of %q is %q, %v, want %q", name, got, p, want)
		}
		for n := 2; ; n++ {
			b.Refused = map[string]directory.RefusedValue{propNickname: {Value: got, Problem: directory.Problem{Code: "taken"}}}
			next, p := nickname(b, g)
			if p != nil {
				break
			}
			if next.Equal(got) || n > 5 || len(next.String()) > longestNickname {
				t.Fatalf("after %q comes %q", got, next)
			}
			got = next
		}
	}
}
