package bench

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// A user in many groups.
const (
	manyGroups   = 500
	manySize     = 20
	manyListPage = 100

	manyLeave = 300 // one group, at once
)

// many measures what is done about a user who is in 500 exported groups: an edit of the
// user, and one that matters to each of the groups; the list of the groups; leaving.
func many(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		l := &load{world: newWorld(t, entratest.Quota{})}
		defer l.cloud.stop()
		l.sites = append(l.sites, l.site(0, 1000, slim))
		l.to = l.sites[0]
		s := l.to
		l.settle(s)
		groups := l.fillGroups(s, 0, manyGroups, manySize)
		department := l.fillGroup("Department", s.users[:manyLeave+100])
		l.use(s, []directory.GroupID{department}, asSecurityGroup)
		who := s.users[len(s.users)-1]
		for _, g := range groups {
			group, err := l.raw.Groups.Group(t.Context(), g)
			l.do(err)
			in, err := l.raw.Groups.MembershipsAmong(t.Context(), g, []directory.MemberRef{directory.UserMember(who)})
			l.do(err)
			if len(in) == 0 {
				l.fillMembers(&group, []directory.UserID{who})
			}
		}
		l.use(s, groups, asSecurityGroup)
		l.bring(s)
		l.cloud.rest()
		l.meter.units = true
		time.Sleep(2 * time.Hour)
		l.wakeUp(s)
		l.cloud.rest()
		time.Sleep(time.Minute)
		last := len(s.users) - 1
		l.edit(s, last, `{"displayName":"First"}`) // the process is warm then
		l.cloud.rest()
		time.Sleep(time.Hour)

		var latency time.Duration
		used := l.measured(func() { latency = l.edit(s, last, `{"displayName":"Second"}`) })
		r.add("many.edit_requests", float64(used.Requests), "requests", lower, fmt.Sprintf("an edit of a user in %d exported groups: requests to Graph, with the look afterwards; %g table units in %d calls", manyGroups, used.ReadUnits+used.WriteUnits, used.Calls))
		r.add("many.edit_s", latency.Seconds(), "s", lower, "from the call to the tenant")
		time.Sleep(time.Hour)
		used = l.measured(func() { latency = l.edit(s, last, fmt.Sprintf(`{"email":"other@%s"}`, s.domain)) })
		r.add("many.address_requests", float64(used.Requests), "requests", lower, fmt.Sprintf("another address of that user, which each of the groups is looked at for: requests to Graph; %g table units in %d calls, %.2f s until it is in the tenant", used.ReadUnits+used.WriteUnits, used.Calls, latency.Seconds()))

		listed, pages := 0, 0
		begun := time.Now()
		used = l.measured(func() {
			for cursor := ""; pages == 0 || cursor != ""; pages++ {
				list, next, err := l.groups.GroupsOfUser(t.Context(), who, cursor, manyListPage)
				l.do(err)
				listed, cursor = listed+len(list), next
			}
		})
		if listed != manyGroups {
			t.Errorf("%d groups were listed", listed)
		}
		r.add("many.groups_s", time.Since(begun).Seconds()/float64(pages), "s", lower, fmt.Sprintf("a page of %d of those groups with their paths: %.0f read units in %d calls", manyListPage, used.ReadUnits/float64(pages), used.Calls/pages))

		time.Sleep(time.Hour)
		asked := time.Now()
		used = l.measured(func() {
			_, err := l.users.SetState(t.Context(), owner, who, directory.StateSuspended, 0)
			l.do(err)
		})
		took := time.Duration(0)
		for _, m := range l.sim.Mutations(string(s.conn.Tenant.ID)) {
			if m.TargetID == string(accountID(last)) && (m.Kind == "revoke" || m.After["accountEnabled"] == false) {
				took = m.Time.Sub(asked)
			}
		}
		r.add("many.leaver_s", took.Seconds(), "s", lower, fmt.Sprintf("that user is suspended: until block and end of sessions; %d requests, %g table units in %d calls", used.Requests, used.ReadUnits+used.WriteUnits, used.Calls))

		// Each group loses a member by itself: no two of them wait for each other.
		before := l.ledger.read()
		begun = time.Now()
		for _, g := range groups {
			_, err := l.groups.RemoveMembers(t.Context(), owner, g, []directory.MemberRef{directory.UserMember(who)}, 0)
			l.do(err)
		}
		l.until("out of all groups", 2*time.Hour, time.Second, func() bool { return l.brought(s) })
		l.cloud.rest()
		used = l.ledger.read().minus(before)
		r.add("many.out_requests", float64(used.Requests), "requests", lower, fmt.Sprintf("that user is taken out of all %d groups, by as many calls: requests to Graph; %g table units in %d calls; %.0f s", manyGroups, used.ReadUnits+used.WriteUnits, used.Calls, time.Since(begun).Seconds()))

		// And one loses many. Microsoft takes one write to a group at a time (GG 3.4).
		time.Sleep(25 * time.Hour)
		l.cloud.rest()
		before = l.ledger.read()
		begun = time.Now()
		var all []directory.MemberRef
		for _, u := range s.users[:manyLeave] {
			all = append(all, directory.UserMember(u))
		}
		_, err := l.groups.RemoveMembers(t.Context(), owner, department, all, 0)
		l.do(err)
		l.until("out of one group", 2*time.Hour, 50*time.Millisecond, func() bool { return l.brought(s) })
		took = time.Since(begun)
		used = l.ledger.read().minus(before)
		r.add("many.removal_requests", float64(used.Requests), "requests", lower, fmt.Sprintf("%d members of one group are taken out at once, up to %d in a request, in turn: requests to Graph; %.0f s, of which the waves wait 90; %g table units in %d calls", manyLeave, directory.MostRemovedInTurn, took.Seconds(), used.ReadUnits+used.WriteUnits, used.Calls))
	})
}
