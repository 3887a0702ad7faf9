package state

import (
	"slices"
	"time"
)

// Licensing is how the tenant's licence service behaves.
type Licensing struct {
	ProcessingSeconds float64   `json:"processingSeconds,omitempty"` // until a group's licences reach its members; 0: the usual time
	BusyUntil         time.Time `json:"busyUntil,omitzero"`          // it is at work for somebody else, and refuses every licence call
	TakenAddresses    []string  `json:"takenAddresses,omitempty"`    // of recipients that only Exchange knows: no mailbox can have them
}

// usualProcessing is how long Microsoft takes for a small group. [K]: seconds to
// minutes (GG 9.4).
const usualProcessing = 30 * time.Second

// Processing is how long the licences of a group take to reach its members.
func (l Licensing) Processing() time.Duration {
	if l.ProcessingSeconds > 0 {
		return time.Duration(l.ProcessingSeconds * float64(time.Second))
	}
	return usualProcessing
}

// UsageLocation is what counts for those who have none of their own when a group gives
// them a licence (GG 9.2).
func (o *Organization) UsageLocation() string { return tenantCountry }

// tenantCountry is where every organisation here is.
const tenantCountry = "CH"

// GroupLicensing is what is known of the work on a group's licences.
type GroupLicensing struct {
	Asked time.Time `json:"asked,omitzero"` // when the work that waits was asked for
	Due   time.Time `json:"due,omitzero"`   // when it will be done; zero: none waits
	Done  int64     `json:"done,omitempty"` // version up to which members have what the group gives
}

// Waits tells whether there is work that is not done yet.
func (l *GroupLicensing) Waits() bool { return l != nil && !l.Due.IsZero() }

// State is the licenseProcessingState at a time; empty before the first use. The first
// half of the time the work waits in the queue.
func (l *GroupLicensing) State(now time.Time) string {
	switch {
	case l == nil:
		return ""
	case !l.Waits():
		return "ProcessingComplete"
	case now.Before(l.Asked.Add(l.Due.Sub(l.Asked) / 2)):
		return "QueuedForProcessing"
	}
	return "ProcessingInProgress"
}

// DueGroups are the groups whose licences are to reach their members by now, in the
// order in which they are due.
func (t *Tenant) DueGroups(now time.Time) []*Object {
	var out []*Object
	for id := range t.waiting {
		if g := t.objects[id]; !g.Licensing.Due.After(now) {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b *Object) int { return a.Licensing.Due.Compare(b.Licensing.Due) })
	return out
}

// noteWaiting keeps the list of groups with work that waits.
func (t *Tenant) noteWaiting(o *Object) {
	if o.Licensing.Waits() {
		t.waiting[o.ID] = true
	} else {
		delete(t.waiting, o.ID)
	}
}

// licensing completes a change by what it means for licences: a group that has some
// and whose members changed gets work, and an account that is deleted loses what came
// by groups and gets it anew when it is restored.
func (c *Change) licensing() {
	for _, o := range slices.Clone(c.objects) {
		switch o.Kind {
		case Group:
			c.queue(o)
		case User:
			old := c.t.objects[o.ID]
			switch {
			case old == nil || old.Active() == o.Active():
			case o.Active():
				c.restored(o)
			default:
				c.deleted(o)
			}
		}
	}
}

// queue gives a changed copy of a group work, when its licences or members changed.
func (c *Change) queue(g *Object) {
	if g.Licensing == nil && len(LicencesOf(g)) == 0 {
		return
	}
	var before GroupLicensing
	if g.Licensing != nil {
		before = *g.Licensing
	}
	changed := g.Touched["assignedLicenses"]
	if len(LicencesOf(g)) > 0 {
		changed = max(changed, g.Touched["members"], g.StateVersion)
	}
	if before.Waits() || changed <= before.Done {
		return
	}
	c.wait(g, before)
}

func (c *Change) wait(g *Object, before GroupLicensing) {
	now := c.s.Now()
	g.Licensing = &GroupLicensing{Asked: now, Due: now.Add(c.t.Licensing.Processing()), Done: before.Done}
}

// deleted takes from an account what came by groups (GG 5).
func (c *Change) deleted(o *Object) {
	rows := slices.DeleteFunc(Assignments(o), func(r Assignment) bool { return r.Group != "" })
	c.t.SetAssignments(o, rows, c.s.Now())
}

// restored gives work to the groups of an account that is back. [K]: what it had
// directly it has again as long as there are seats.
func (c *Change) restored(o *Object) {
	rows := slices.DeleteFunc(Assignments(o), func(r Assignment) bool {
		s, known := c.t.SKU(r.SKUID)
		return known && c.t.Consumed(r.SKUID) >= s.Seats()
	})
	c.t.SetAssignments(o, rows, c.s.Now())
	for _, g := range c.t.DirectGroupsOf(o.ID) {
		if g.Licensing == nil || g.Licensing.Waits() || slices.ContainsFunc(c.objects, func(p *Object) bool { return p.ID == g.ID }) {
			continue
		}
		next := g.Clone()
		c.wait(next, *g.Licensing)
		c.PutSilent(next)
	}
}
