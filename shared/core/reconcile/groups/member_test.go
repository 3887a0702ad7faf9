package groups

import (
	"testing"

	"bindery/shared/directory"
)

// TestMemberDecisions goes through the table of decideMember, and what holds a
// membership back.
func TestMemberDecisions(t *testing.T) {
	t.Parallel()
	ann := pair{theirs, "acc-ann"}
	subject := func(edit func(*memberSubject)) memberSubject {
		ref := directory.MemberOf(ourGroup, "usr_ann")
		m := newModel()
		s := memberSubject{ref: ref, record: &directory.Binding{Object: ref, Status: directory.BindingPending, Wanted: 1}, policy: directory.ForeignRevert, in: map[pair]bool{}}
		s.group = groupFacts{export: &m.export, id: theirs}
		s.member = memberFacts{name: "ann@corp.example", id: "acc-ann"}
		edit(&s)
		return s
	}
	given := func(s *memberSubject) { s.record.Base, s.record.Created = agreedOn(ann, true), true }
	found := func(s *memberSubject) { s.record.Base = agreedOn(ann, true) }
	there := func(s *memberSubject) { s.in[ann] = true }
	unheard := func(s *memberSubject) {
		noteSent(s.record, ann)
	}
	unread := func(s *memberSubject) { s.group.unread = &directory.Problem{Code: directory.CodeGroupNotRead} }
	left := func(s *memberSubject) { s.record.Release = directory.ReleaseRemove }
	exact := func(s *memberSubject) { s.group.export.Exact = true }
	stranger := func(s *memberSubject) {
		s.ref = directory.StrangerOf(ourGroup, "acc-ann")
		s.record.Object = s.ref
		exact(s)
		there(s)
	}
	type edits []func(*memberSubject)
	for _, tt := range []struct {
		name string
		of   edits
		want string
	}{
		{"wanted, not there", edits{}, "pending member-add"},
		{"wanted, there", edits{there}, "in-sync"},
		{"given, there", edits{given, there}, "in-sync"},
		{"given, taken by others", edits{given}, "pending member-add"},
		{"given, taken by others, only reported", edits{given, func(s *memberSubject) { s.policy = directory.ForeignReport }}, "in-sync ?foreign-change"},
		{"given just now, not to be seen yet", edits{given, func(s *memberSubject) { s.fresh = true }}, "in-sync"},
		{"given to another account of the user", edits{given, there, func(s *memberSubject) { s.member.id = "acc-new" }}, "pending member-remove"},
		{"given to another account of the user, not to be seen", edits{given, func(s *memberSubject) { s.member.id, s.in[ann] = "acc-new", false }}, "pending member-remove"},
		{"taken from another account of the user", edits{func(s *memberSubject) { s.record.Base, s.member.id = agreedOn(ann, false), "acc-new" }}, "pending member-add"},
		{"there by others, another account of the user", edits{found, there, func(s *memberSubject) { s.member.id = "acc-new" }}, "pending member-add"},
		{"the group is about to be made", edits{func(s *memberSubject) { s.group.id, s.group.coming = "", true }}, "pending member-add"},
		{"the group is not there", edits{func(s *memberSubject) { s.group.id = "" }}, "in-sync ?group-waits"},
		{"the group is for others to write", edits{func(s *memberSubject) { s.group.problem = &directory.Problem{Code: directory.CodeGroupSynced} }}, "read-only group-synced"},
		{"the account is about to be made", edits{func(s *memberSubject) { s.member.id, s.member.coming = "", true }}, "pending member-add"},
		{"not bound", edits{func(s *memberSubject) { s.member.missing = &directory.Problem{Code: directory.CodeMemberNotBound} }}, "in-sync ?member-not-bound"},
		{"a leaver, given", edits{given, there, func(s *memberSubject) { s.member.deleted = true }}, "in-sync"},
		{"a leaver, taken by others", edits{given, func(s *memberSubject) { s.member.deleted = true }}, "in-sync"},
		{"protected, wanted", edits{func(s *memberSubject) { s.member.protected = "x" }}, "pending member-add"},
		{"paused", edits{given, func(s *memberSubject) {
			s.record.Applied = 1
			s.record.Status, s.record.Problem = directory.BindingPaused, &directory.Problem{Code: directory.CodeUndone}
		}}, "paused undone"},

		{"let go, given", edits{given, there, left}, "pending member-remove"},
		{"let go, given, not to be seen", edits{given, left}, "pending member-remove"},
		{"let go, there by others, gone", edits{found, left, exact}, "in-sync gone"},
		{"let go, given just now, not to be seen yet", edits{given, left, func(s *memberSubject) { s.fresh = true }}, "pending member-remove"},
		{"let go, there by others", edits{found, there, left}, "in-sync gone"},
		{"let go, there by others, exact", edits{found, there, left, exact}, "pending member-remove"},
		{"let go, there by others, exact and protected", edits{found, there, left, exact, func(s *memberSubject) { s.member.protected = "x" }}, "read-only account-protected"},
		{"let go, given and protected", edits{given, there, left, func(s *memberSubject) { s.member.protected = "x" }}, "pending member-remove"},
		{"let go before it was given", edits{left}, "in-sync gone"},
		{"let go, sent without an answer, there", edits{there, left, unheard}, "pending member-remove"},
		{"let go, sent without an answer, not to be seen", edits{left, unheard}, "pending member-remove"},
		{"let go, sent without an answer, not read", edits{left, unheard, unread}, "failed group-not-read"},
		{"let go, put back without an answer, there", edits{found, there, left, unheard}, "pending member-remove"},
		{"let go with keep, sent without an answer", edits{there, unheard, func(s *memberSubject) { s.record.Release = directory.ReleaseKeep }}, "in-sync gone"},
		{"wanted, sent without an answer, there", edits{there, unheard}, "in-sync"},
		{"wanted, sent without an answer, not there", edits{unheard}, "pending member-add"},
		{"sent without an answer for another account of the user", edits{there, unheard, func(s *memberSubject) { s.member.id = "acc-new" }}, "pending member-remove"},
		{"sent without an answer for another account of the user, not to be seen", edits{unheard, func(s *memberSubject) { s.member.id, s.in[ann] = "acc-new", false }}, "pending member-remove"},
		{"let go, given, not read", edits{given, left, unread}, "failed group-not-read"},
		{"wanted, not read", edits{unread}, "failed group-not-read"},
		{"let go with keep", edits{given, there, func(s *memberSubject) { s.record.Release = directory.ReleaseKeep }}, "in-sync gone"},
		{"let go, the export has ended", edits{given, there, left, func(s *memberSubject) { s.group.export = nil }}, "pending member-remove"},
		{"let go, the group is in the bin", edits{given, left, func(s *memberSubject) { s.group.deleted = true }}, "failed group-soft-deleted"},
		{"let go, the group is in the bin, its export has ended", edits{given, left, func(s *memberSubject) { s.group.deleted, s.group.export = true, nil }}, "failed group-soft-deleted"},
		{"let go, the group is in the bin, its record has gone", edits{given, left, func(s *memberSubject) { s.group.deleted, s.group.ended, s.group.export = true, true, nil }}, "in-sync gone"},
		{"let go, the group is in the bin, is to be exported again", edits{given, left, func(s *memberSubject) { s.group.deleted, s.group.ended = true, true }}, "failed group-soft-deleted"},
		{"let go, the group is gone", edits{given, left, func(s *memberSubject) { s.group.gone = true }}, "in-sync gone"},
		{"let go, the group is for others to write", edits{given, there, left, func(s *memberSubject) { s.group.problem = &directory.Problem{Code: directory.CodeGroupDynamic} }}, "read-only group-dynamic"},
		{"let go, paused", edits{given, there, left, func(s *memberSubject) { s.record.Status = directory.BindingPaused }}, "paused binding-paused"},

		{"a stranger", edits{stranger}, "pending member-remove"},
		{"a stranger who has left", edits{stranger, func(s *memberSubject) { s.in = nil }}, "in-sync gone"},
		{"a stranger who is removed", edits{stranger, func(s *memberSubject) { s.in = nil; s.record.Base = agreedOn(ann, false) }}, "in-sync"},
		{"a stranger who has come again", edits{stranger, func(s *memberSubject) { s.record.Base = agreedOn(ann, false) }}, "pending member-remove"},
		{"a stranger removed just now", edits{stranger, func(s *memberSubject) { s.record.Base, s.fresh = agreedOn(ann, false), true }}, "in-sync"},
		{"a protected stranger", edits{stranger, func(s *memberSubject) { s.member.protected = "x" }}, "read-only account-protected"},
		{"a stranger who is wanted by now", edits{stranger, func(s *memberSubject) { s.owned = true }}, "in-sync gone"},
		{"a stranger, exact no more", edits{stranger, func(s *memberSubject) { s.group.export.Exact = false }}, "in-sync gone"},
		{"a removed stranger is given back", edits{stranger, func(s *memberSubject) {
			s.in, s.record.Base, s.record.Release = nil, agreedOn(ann, false), directory.ReleaseRestore
		}}, "pending member-add"},
		{"a stranger who was never removed is let go", edits{stranger, func(s *memberSubject) { s.record.Release = directory.ReleaseRestore }}, "in-sync gone"},
	} {
		s := subject(func(s *memberSubject) {
			for _, edit := range tt.of {
				edit(s)
			}
		})
		d := decideMember(s)
		got := summary(d.Decision)
		if d.gone {
			got += " gone"
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestNotOursByAnother: what we gave an account, or in a group, that is another one by
// now makes a membership that others gave not ours; nor does what we gave once somebody
// has taken it and put it back.
func TestNotOursByAnother(t *testing.T) {
	t.Parallel()
	m := newModel()
	ref := directory.MemberOf(ourGroup, "usr_ann")
	taken := []directory.Problem{{Code: directory.CodeForeignChange}}
	sent := func(p directory.Properties) directory.Properties {
		b := directory.Binding{Base: p}
		noteSent(&b, pair{theirs, "acc-new"})
		return b.Base
	}
	for _, tt := range []struct {
		name         string
		record       directory.Binding
		others, ours bool
	}{
		{"as agreed", directory.Binding{Created: true, Base: agreedOn(pair{theirs, "acc-new"}, true)}, false, false},
		{"another account", directory.Binding{Created: true, Base: agreedOn(pair{theirs, "acc-old"}, true)}, true, false},
		{"another group", directory.Binding{Created: true, Base: agreedOn(pair{"t-old", "acc-new"}, true)}, true, false},
		{"taken, and there again", directory.Binding{Created: true, Base: agreedOn(pair{theirs, "acc-new"}, true), Findings: taken}, true, false},
		{"never agreed", directory.Binding{}, true, false},
		{"never agreed, sent without an answer", directory.Binding{Base: sent(nil)}, false, true},
		{"others', taken, and sent without an answer since", directory.Binding{Base: sent(agreedOn(pair{theirs, "acc-new"}, true))}, false, true},
	} {
		tt.record.Object, tt.record.Wanted = ref, 1
		d := decideMember(memberSubject{
			ref: ref, record: &tt.record, policy: directory.ForeignRevert, in: map[pair]bool{{theirs, "acc-new"}: true},
			group: groupFacts{export: &m.export, id: theirs}, member: memberFacts{name: "ann", id: "acc-new"},
		})
		if len(d.Changes) != 0 || d.others != tt.others || d.ours != tt.ours {
			t.Errorf("%s: %d changes, others %v, ours %v", tt.name, len(d.Changes), d.others, d.ours)
		}
	}
}
