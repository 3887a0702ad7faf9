package managers

import (
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// net is what a run made of one manager: from the one before its first change to the
// one after its last.
type net struct{ was, wrote directory.Value }

// netsOf adds the changes of a run up, by whose manager they are of.
func netsOf(changes []directory.Change) map[directory.Ref]net {
	nets := map[directory.Ref]net{}
	for i := range changes {
		for _, p := range changes[i].Properties {
			n, again := nets[changes[i].Object]
			if !again {
				n.was = p.Before
			}
			n.wrote = p.After
			nets[changes[i].Object] = n
		}
	}
	return nets
}

// back is the change that takes back what a run made of one manager; a code says why
// it is left as it is. x is nil when the manager is not kept in step any more.
func back(run directory.RunID, n net, x *subject, unread bool) (c *directory.Change, code string) {
	switch {
	case x == nil || x.user == nil || x.account == nil || x.account.AccountID == "":
		return nil, plan.LeftReleased
	case unread:
		return nil, plan.LeftNotRead
	}
	observed := x.observed
	if base, known := x.record.Base[directory.PropManager]; known && x.fresh && same(n.was, observed) {
		observed = base // what was read is older than what we wrote
	}
	switch {
	case same(n.was, observed):
		return nil, ""
	case !same(n.wrote, observed):
		return nil, plan.LeftChanged
	}
	c = changeOf(x, observed, n.was, "it was so before "+string(run))
	if !n.was.IsNull() {
		c.Reason = "has the manager from before " + string(run) + " again"
	}
	c.UserVersion = x.record.Wanted
	return c, ""
}
