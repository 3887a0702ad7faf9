package audit

import (
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// requestGroup is Microsoft's account of one request about one object: its events have
// one correlation id.
type requestGroup struct {
	target     string
	upn        string // the target's sign-in name, in small letters
	group      string // of a membership, the ID of the group
	at         time.Time
	events     []directory.DirectoryAudit
	failed     bool
	names      map[string]bool // of the properties
	candidates []int           // entries that it may be of
}

// groupByRequest puts events together. They are in the order of their times, newest first.
func groupByRequest(events []directory.DirectoryAudit) []*requestGroup {
	var list []*requestGroup
	known := map[string]*requestGroup{}
	for _, e := range events {
		target := ""
		if len(e.Targets) > 0 {
			target = strings.ToLower(e.Targets[0].ID)
		}
		key := e.CorrelationID + "\x00" + target
		if len(e.Targets) > 1 && ofMembership(&e) {
			key += "\x00" + strings.ToLower(e.Targets[1].ID) // a person may enter two groups by one batch
		}
		g := known[key]
		if g == nil || e.CorrelationID == "" || g.at.Sub(e.At).Abs() > matchWindow {
			g = &requestGroup{target: target, at: e.At, names: map[string]bool{}, failed: true}
			if len(e.Targets) > 0 {
				g.upn = strings.ToLower(e.Targets[0].UserPrincipalName)
			}
			if len(e.Targets) > 1 {
				g.group = strings.ToLower(e.Targets[1].ID)
			}
			known[key], list = g, append(list, g)
		}
		g.events = append(g.events, e)
		g.failed = g.failed && e.Result != "" && !strings.EqualFold(e.Result, "success")
		for _, t := range e.Targets {
			for _, p := range t.Properties {
				g.names[foldProperty(p.Name)] = true
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *requestGroup) int { return b.at.Compare(a.at) })
	return list
}

// ofMembership reports whether an event is of a member who entered or left a group: its
// second target is the group.
func ofMembership(e *directory.DirectoryAudit) bool {
	is := func(a string) bool { return strings.EqualFold(e.Activity, a) }
	return slices.ContainsFunc(activities[directory.EffectMemberAdd], is) || slices.ContainsFunc(activities[directory.EffectMemberRemove], is)
}

func (g *requestGroup) is(activities ...string) bool {
	return slices.ContainsFunc(g.events, func(e directory.DirectoryAudit) bool {
		return slices.ContainsFunc(activities, func(a string) bool { return strings.EqualFold(e.Activity, a) })
	})
}

// logPropertyNames are the audit log's names of properties, where they are not Graph's.
var logPropertyNames = map[string]string{
	"telephonenumber": "businessphones", "mobile": "mobilephone", "physicaldeliveryofficename": "officelocation",
	"othermail": "othermails", "alternatemail": "othermails", "sourceanchor": "onpremisesimmutableid", "company": "companyname",
	"stsrefreshtokensvalidfrom": "signinsessionsvalidfromdatetime", "mail nickname": "mailnickname",
}

// foldProperty is a property's name in the one form that both sides' names have.
func foldProperty(name string) string {
	name = strings.ToLower(name)
	if graph := logPropertyNames[name]; graph != "" {
		return graph
	}
	return name
}

// activities are what Microsoft's log calls the writes of effects that it does not tell by
// the properties which we name. [K] that these are all.
var activities = map[directory.Effect][]string{
	directory.EffectGroupCreate: {"Add group"}, directory.EffectGroupUpdate: {"Update group"},
	directory.EffectGroupDelete: {"Delete group"}, directory.EffectGroupRestore: {"Restore group"},
	directory.EffectMemberAdd: {"Add member to group"}, directory.EffectMemberRemove: {"Remove member from group"},
	directory.EffectLicenceAdd: licensed, directory.EffectLicenceRemove: licensed, directory.EffectLicenceSwap: licensed, directory.EffectLicencePlans: licensed,
}

var licensed = []string{"Change user license", "Set group license"}

// isAbout reports whether it is of the object of an entry. Of a membership that was planned
// before its account, or its group, was there these are told by what is known of them.
func (g *requestGroup) isAbout(e *Entry) bool {
	if e.Object.Kind == directory.KindMember && g.group != "" {
		for _, p := range e.Properties {
			if of := strings.ToLower(p.After.String()); p.Name == "group" && of != "" && of != g.group {
				return false
			}
		}
	}
	if e.AccountID == "" {
		return e.Object.Kind == directory.KindMember && g.upn != "" && g.upn == strings.ToLower(e.UserPrincipalName)
	}
	return g.target == strings.ToLower(string(e.AccountID))
}

// mayBe reports whether a group can be Microsoft's account of an entry: the same
// object, about the same time, and a property or an activity in common.
func (g *requestGroup) mayBe(e *Entry) bool {
	if g.target == "" || !g.isAbout(e) || g.at.Sub(e.At).Abs() > matchWindow {
		return false
	}
	if g.failed != (e.State == directory.ChangeFailed) {
		return false
	}
	if names := activities[e.Effect]; names != nil {
		return g.is(names...)
	}
	switch e.Effect {
	case directory.EffectCreate:
		return g.is("Add user")
	case directory.EffectDelete:
		return g.is("Delete user")
	case directory.EffectRestore:
		return g.is("Restore user")
	case directory.EffectRevoke:
		return g.names["signinsessionsvalidfromdatetime"] || g.is("Update StsRefreshTokenValidFrom Timestamp")
	case directory.EffectBlock:
		if g.is("Disable account") {
			return true
		}
	case directory.EffectUnblock:
		if g.is("Enable account") {
			return true
		}
	}
	if g.is("Add user", "Delete user", "Restore user") {
		return false
	}
	return slices.ContainsFunc(e.Properties, func(p directory.PropertyChange) bool { return g.names[foldProperty(p.Name)] })
}

// names reports whether an event names a request-id, so that there is no doubt.
func (g *requestGroup) mentions(requestID string) bool {
	return requestID != "" && slices.ContainsFunc(g.events, func(e directory.DirectoryAudit) bool {
		return strings.EqualFold(e.CorrelationID, requestID) || slices.ContainsFunc(e.Details, func(d directory.AdditionalDetail) bool { return strings.EqualFold(d.Value, requestID) })
	})
}

// matching is the comparison of entries with groups: for each entry the groups
// that it may be.
type matching struct {
	entries    []Entry
	groups     []*requestGroup
	candidates [][]*requestGroup // by entry
}

func matchEntries(entries []Entry, events []directory.DirectoryAudit) *matching {
	j := &matching{groups: groupByRequest(events), candidates: make([][]*requestGroup, 0, len(entries))}
	byTarget, byName := map[string][]*requestGroup{}, map[string][]*requestGroup{}
	for _, g := range j.groups {
		byTarget[g.target] = append(byTarget[g.target], g)
		byName[g.upn] = append(byName[g.upn], g)
	}
	for i := range entries {
		e := &entries[i]
		if !isComparable(e) && (e.Kind != KindChange || e.State != directory.ChangeFailed) {
			continue
		}
		at := len(j.entries)
		j.entries = append(j.entries, *e)
		var edges []*requestGroup
		of := byTarget[strings.ToLower(string(e.AccountID))]
		if e.AccountID == "" {
			of = byName[strings.ToLower(e.UserPrincipalName)]
		}
		for _, g := range of {
			if g.mayBe(e) {
				edges = append(edges, g)
			}
		}
		for _, g := range edges {
			g.candidates = append(g.candidates, at)
		}
		j.candidates = append(j.candidates, edges)
	}
	j.decideByRequestID()
	return j
}

// decideByRequestID lets a request-id decide, where both sides have it.
func (j *matching) decideByRequestID() {
	for i := range j.entries {
		for _, g := range j.candidates[i] {
			if !g.mentions(j.entries[i].RequestID) {
				continue
			}
			for _, other := range j.candidates[i] {
				if other != g {
					other.candidates = slices.DeleteFunc(other.candidates, func(n int) bool { return n == i })
				}
			}
			for _, n := range g.candidates {
				if n != i {
					j.candidates[n] = slices.DeleteFunc(j.candidates[n], func(o *requestGroup) bool { return o == g })
				}
			}
			j.candidates[i], g.candidates = []*requestGroup{g}, []int{i}
			break
		}
	}
}

// item says who knows of an entry.
func (j *matching) item(i int) AuditItem {
	item := AuditItem{Match: MatchOurs, At: j.entries[i].At, Entry: &j.entries[i]}
	for _, g := range j.candidates[i] {
		item.Events = append(item.Events, g.events...)
	}
	switch edges := j.candidates[i]; {
	case len(edges) == 1 && len(edges[0].candidates) == 1:
		item.Match = MatchBoth
	case len(edges) > 0:
		item.Match = MatchPossibly
	}
	return item
}
