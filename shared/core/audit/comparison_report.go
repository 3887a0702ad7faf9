package audit

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"bindery/shared/directory"
)

// report makes the page's report.
func (p *comparison) report(problem *directory.Problem) AuditReport {
	out := AuditReport{Available: p.read, Problem: problem, Admin: p.conn.AuthorizedBy, Until: p.high, Items: []AuditItem{}, Counts: map[Match]int{}}
	// What was not read to the end is looked at by the next page, unless there
	// would be nothing left for this one.
	if shorter := p.readTo.Add(matchWindow); p.read && shorter.After(p.low) && shorter.Before(p.high) {
		p.low = shorter
	}
	out.Since = p.low
	inside := func(t time.Time) bool { return !t.Before(p.low) && t.Before(p.high) }
	j := matchEntries(p.entries, p.events)
	for i := range j.entries {
		e := &j.entries[i]
		if !inside(e.At) || !isComparable(e) {
			continue
		}
		item := j.item(i)
		if (!p.read || e.At.Add(-matchWindow).Before(p.readTo)) && item.Match != MatchBoth {
			item.Match = MatchUnchecked
		}
		out.Items = append(out.Items, item)
	}
	for _, g := range j.groups {
		if len(g.candidates) == 0 && inside(g.at) && !g.at.Before(p.readTo) {
			out.Items = append(out.Items, p.unmatchedItem(g))
		}
	}
	sort.SliceStable(out.Items, func(i, j int) bool { return out.Items[i].At.After(out.Items[j].At) })
	for i := range out.Items {
		out.Counts[out.Items[i].Match]++
	}
	if p.low.After(p.since) {
		out.Next = p.low.Format(time.RFC3339Nano)
	}
	out.Advice = p.advice(&out)
	return out
}

// unmatchedItem is what only Microsoft knows of, or what a sign-in at our own app left.
func (p *comparison) unmatchedItem(g *requestGroup) AuditItem {
	item := AuditItem{Match: MatchMicrosoft, At: g.at, Events: g.events}
	consent := slices.ContainsFunc(g.events, func(e directory.DirectoryAudit) bool { return strings.EqualFold(e.Category, "ApplicationManagement") })
	for i := range p.entries {
		e := &p.entries[i]
		if consent && e.Kind == "sign-in" && e.At.Sub(g.at).Abs() <= consentWindow {
			item.Match, item.Entry = MatchBoth, e
		}
	}
	if a := p.conn.AuthorizedBy; consent && item.Entry == nil && a != nil && a.At.Sub(g.at).Abs() <= consentWindow {
		item.Match = MatchBoth
	}
	return item
}

func (p *comparison) advice(r *AuditReport) []string {
	var list []string
	admin := p.conn.AuthorizedBy
	if n := r.Counts[MatchMicrosoft]; n > 0 && admin != nil {
		list = append(list, fmt.Sprintf("The account %s was used for other things in this time (%d found). Let an account of its own authorise the connection, one that nobody signs in with, so that its log holds nothing but Bindery's writes.", admin.UserPrincipalName, n))
		if slices.Contains(admin.Roles, "Global Administrator") {
			list = append(list, "Such an account needs the role User Administrator, and Reports Reader for this report; Global Administrator only to accept the permissions once.")
		}
	}
	if admin != nil && admin.At.After(p.low) && r.Counts[MatchOurs] > 0 {
		list = append(list, fmt.Sprintf("The connection was authorised on %s; what was written before may have been written in the name of another account, whose log is not asked for.", admin.At.UTC().Format(time.RFC3339)))
	}
	return list
}
