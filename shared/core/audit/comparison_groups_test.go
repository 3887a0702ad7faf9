package audit

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// changeOf is an entry of a change, with the group of a membership.
func changeOf(e directory.Effect, of directory.Ref, account, upn, group string, at time.Time) Entry {
	entry := Entry{ID: string(e), At: at, Kind: KindChange, Object: of, AccountID: directory.AccountID(account), UserPrincipalName: upn, Effect: e, State: directory.ChangeApplied}
	if of.Kind == directory.KindMember {
		entry.Properties = []directory.PropertyChange{{Name: directory.PropMember, After: directory.BoolValue(true)}, {Name: "group", Before: directory.StringValue(group), After: directory.StringValue(group)}}
	}
	return entry
}

// TestGroupsInMicrosoftsLog: what was done to groups, members and licences is found in
// Microsoft's log by what that calls it, each membership by its member and its group.
func TestGroupsInMicrosoftsLog(t *testing.T) {
	t.Parallel()
	now := time.Now()
	group, staff, member := directory.GroupRef("grp_1"), directory.GroupRef("grp_2"), directory.MemberOf("grp_1", "usr_1")
	entries := []Entry{
		changeOf(directory.EffectGroupCreate, group, "g1", "Sales", "", now),
		changeOf(directory.EffectGroupUpdate, group, "g1", "Sales", "", now),
		changeOf(directory.EffectGroupRestore, staff, "g2", "Staff", "", now),
		changeOf(directory.EffectGroupDelete, staff, "g2", "Staff", "", now),
		changeOf(directory.EffectMemberAdd, member, "a1", "ann@corp.example", "g1", now),
		changeOf(directory.EffectMemberAdd, directory.MemberOf("grp_2", "usr_1"), "a1", "ann@corp.example", "g2", now),
		changeOf(directory.EffectMemberAdd, directory.MemberOf("grp_1", "usr_2"), "", "Ben@corp.example", "", now), // planned before the account was there
		changeOf(directory.EffectMemberRemove, member, "a1", "ann@corp.example", "g1", now),
		changeOf(directory.EffectLicenceSwap, directory.LicenceOf("usr_1"), "a1", "ann@corp.example", "", now),
		changeOf(directory.EffectLicenceAdd, directory.GroupLicenceOf("grp_1"), "g1", "Sales", "", now),
		changeOf(directory.EffectMemberAdd, directory.MemberOf("grp_1", "usr_3"), "a3", "cem@corp.example", "g1", now), // which Microsoft does not tell
	}
	of := func(id, activity, account, upn, group string) directory.DirectoryAudit {
		e := event(id, account, activity, now.Add(time.Second))
		e.Targets[0].UserPrincipalName = upn
		if group != "" {
			e.Targets = append(e.Targets, directory.TargetResource{ID: group, Type: "Group"})
		}
		return e
	}
	events := []directory.DirectoryAudit{
		of("made", "Add group", "G1", "", ""), of("renamed", "Update group", "G1", "", ""), of("back", "Restore Group", "g2", "", ""), of("gone", "Delete group", "g2", "", ""),
		of("ann", "Add member to group", "a1", "ann@corp.example", "g1"), of("ann too", "Add member to group", "a1", "ann@corp.example", "g2"),
		of("ben", "Add member to group", "a2", "ben@corp.example", "g1"), of("out", "Remove member from group", "a1", "ann@corp.example", "g1"),
		of("swap", "Change user license", "a1", "ann@corp.example", ""), of("given", "Set group license", "g1", "", ""),
		of("theirs", "Add member to group", "a9", "eve@corp.example", "g1"),
	}
	for i := range events {
		if strings.HasPrefix(events[i].ID, "ann") {
			events[i].CorrelationID = "one" // they went in one batch
		}
	}
	j := matchEntries(entries, events)
	got := make([]string, len(j.entries))
	for i := range j.entries {
		var ids []string
		for _, g := range j.candidates[i] {
			ids = append(ids, g.events[0].ID)
		}
		got[i] = strings.Join(ids, "+")
	}
	if want := "[made renamed back gone ann ann too ben out swap given ]"; fmt.Sprint(got) != want {
		t.Errorf("found are %v, want %s", got, want)
	}
	for _, g := range j.groups {
		if alone := len(g.candidates) == 0; alone != (g.events[0].ID == "theirs") {
			t.Errorf("%s is ours: %v", g.events[0].ID, !alone)
		}
	}
}

// TestMembersAsCSV: a line of a membership names the object that it is about, and one of an
// edit of a group that group.
func TestMembersAsCSV(t *testing.T) {
	t.Parallel()
	list := []Entry{changeOf(directory.EffectMemberAdd, directory.MemberOf("grp_1", "usr_1"), "a1", "ann@corp.example", "g1", time.Now()), {Kind: "use-group", GroupIDs: []directory.GroupID{"grp_1", "grp_2"}}}
	rows, err := csv.NewReader(strings.NewReader(string(CSV(list)))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	for row, want := range map[int][]string{1: {"member-add", "ann@corp.example", "member", "true", "member", directory.MemberOf("grp_1", "usr_1").ID, ""}, 2: {"member-add", "ann@corp.example", "group", "g1", "member", directory.MemberOf("grp_1", "usr_1").ID, ""}, 3: {"", "", "", "", "", "", "grp_1 grp_2"}} {
		for i, name := range []string{"effect", "userPrincipalName", "property", "after", "objectKind", "objectId", "groupIds"} {
			if got := rows[row][at[name]]; got != want[i] {
				t.Errorf("row %d: %s is %q, want %q", row, name, got, want[i])
			}
		}
	}
}
