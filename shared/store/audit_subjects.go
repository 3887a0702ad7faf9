package store

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// connectionSubject is what an edit of a connection changed.
func connectionSubject(old, next *directory.Connection) subject {
	return subject{connection: next.ID, properties: settingsChanges(old, next), detail: safetyDetail(old, next)}
}

// settingsChanges lists what of a connection an edit changed, setting by setting.
func settingsChanges(old, next *directory.Connection) []directory.PropertyChange {
	var list []directory.PropertyChange
	add := func(name, before, after string) {
		if before != after {
			list = append(list, directory.PropertyChange{Name: name, Before: textOrNull(before), After: textOrNull(after)})
		}
	}
	add("name", old.Name, next.Name)
	add("status", string(old.Status), string(next.Status))
	add("authorizedBy", adminText(old.Tenant, old.AuthorizedBy), adminText(next.Tenant, next.AuthorizedBy))
	a, b := reflect.ValueOf(old.Settings), reflect.ValueOf(next.Settings)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		add("settings."+name, settingText(a.Field(i)), settingText(b.Field(i)))
	}
	return list
}

// adminText names an account as a confirmation does, with its name for people.
func adminText(t *directory.Tenant, a *directory.Administrator) string {
	if t == nil || a == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s) of the tenant %s", a.UserPrincipalName, a.ObjectID, t.ID)
}

// safetyDetail says what an edit of a connection loosened, what it proposes to
// loosen, and which proposal it decided about.
func safetyDetail(old, next *directory.Connection) string {
	var parts []string
	for _, p := range old.Proposals {
		if !slices.ContainsFunc(next.Proposals, func(q directory.Proposal) bool { return q.ID == p.ID }) {
			parts = append(parts, fmt.Sprintf("Of the proposal of %s, made at %s: %s.", p.By, p.At.UTC().Format(time.RFC3339), proposed(&p)))
		}
	}
	for _, p := range next.Proposals {
		if !slices.ContainsFunc(old.Proposals, func(q directory.Proposal) bool { return q.ID == p.ID }) {
			parts = append(parts, fmt.Sprintf("Proposed, and done only when somebody else approves it: %s.", proposed(&p)))
		}
	}
	if keys := directory.SafetyOf(old.Settings, next.Settings).Loosened; len(keys) > 0 {
		parts = append(parts, "Loosens "+strings.Join(keys, ", ")+".")
	}
	return strings.Join(parts, " ")
}

func proposed(p *directory.Proposal) string {
	if p.Lift != nil {
		return fmt.Sprintf("to lift the protection of the account %s for %d minutes", p.Lift.AccountID, p.Lift.Minutes)
	}
	return "to loosen " + strings.Join(p.Loosens, ", ")
}

func settingText(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	return string(encode(v.Interface()))
}

func textOrNull(s string) directory.Value {
	if s == "" {
		return directory.Value{}
	}
	return directory.StringValue(s)
}

func runSubject(r *directory.Run) subject {
	return subject{connection: r.ConnectionID, run: r.ID, detail: "The run is " + string(r.State) + "."}
}

func bindingSubject(b *directory.Binding) subject {
	sub := subject{connection: b.ConnectionID}
	if b.UserID != "" {
		sub.users = []directory.UserID{b.UserID}
	}
	if b.Release != "" {
		sub.detail = "The account is to be let go by " + string(b.Release) + "."
	}
	if b.MoveTo != nil {
		sub.detail = strings.TrimSpace(sub.detail + " The user moves to the connection " + string(b.MoveTo.ConnectionID) + ".")
	}
	return sub
}

// endOfJob is the act of a job that has ended, with what came of it.
func endOfJob(j *JobRecord) directory.AuditEvent {
	act := directory.AuditEvent{Kind: j.Kind.EndKind(), By: j.By(), ConnectionID: j.ConnectionID, JobID: j.ID}
	parts := []string{fmt.Sprintf("refused %d", j.RefusedCount)}
	for _, name := range slices.Sorted(maps.Keys(j.Counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, j.Counts[name]))
	}
	act.Detail = "The job is " + string(j.State) + ": " + strings.Join(parts, ", ") + "."
	if j.Error != nil {
		act.Detail += " " + j.Error.Message
	}
	return act
}

func usersSubject(users ...*directory.User) subject {
	var sub subject
	for _, u := range users {
		sub.users = append(sub.users, u.ID)
	}
	return sub
}

func groupsSubject(groups ...*directory.Group) subject {
	var sub subject
	for _, g := range groups {
		sub.groups = append(sub.groups, g.ID)
	}
	if len(groups) == 1 {
		sub.detail = fmt.Sprintf("The group %q.", groups[0].Name)
	}
	return sub
}

// member adds somebody who became a member of the group, or no longer is: which of the
// two, the kind of the act says.
func (s *subject) member(m directory.MemberRef) {
	if u := m.User(); u != "" {
		s.users = append(s.users, u)
	} else {
		s.groups = append(s.groups, m.Group())
	}
}

// userChanges lists what of a user an edit changed, attribute by attribute.
func userChanges(old, next *directory.User) []directory.PropertyChange {
	return append(profileChanges(old.Profile, next.Profile), ownersChange(old.Owners, next.Owners)...)
}

// OwnersChanged is the name under which an act tells which attributes became whose: JSON
// objects of sources by path, of those attributes alone.
const OwnersChanged = "owners"

// ownersChange lists whose attributes became another source's, or nobody's.
func ownersChange(old, next map[string]directory.Source) []directory.PropertyChange {
	before, after := map[string]directory.Source{}, map[string]directory.Source{}
	for path, source := range old {
		if next[path] != source {
			before[path] = source
		}
	}
	for path, source := range next {
		if old[path] != source {
			after[path] = source
		}
	}
	if len(before) == 0 && len(after) == 0 {
		return nil
	}
	return []directory.PropertyChange{{Name: OwnersChanged, Before: ownersText(before), After: ownersText(after)}}
}

func ownersText(m map[string]directory.Source) directory.Value {
	if len(m) == 0 {
		return directory.Value{}
	}
	return directory.StringValue(string(encode(m)))
}

// groupChanges lists what of a group an edit changed, attribute by attribute.
func groupChanges(old, next *directory.Group) []directory.PropertyChange {
	return append(profileChanges(old.GroupProfile, next.GroupProfile), ownersChange(old.Owners, next.Owners)...)
}

// profileChanges compares two structs of one type, member by member.
func profileChanges(old, next any) []directory.PropertyChange {
	var list []directory.PropertyChange
	a, b := reflect.ValueOf(old), reflect.ValueOf(next)
	for i := range a.NumField() {
		if before, after := attributeText(a.Field(i)), attributeText(b.Field(i)); before != after {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			list = append(list, directory.PropertyChange{Name: name, Before: textOrNull(before), After: textOrNull(after)})
		}
	}
	return list
}

func attributeText(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return v.String()
	}
	return settingText(v)
}
