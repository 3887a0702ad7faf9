package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// cadence is when a connection's tenant is read, and what a slice has done of it.
type cadence struct {
	s     *session
	send  Send
	back  directory.RunID // a run of which this slice sees what became of it
	read  bool            // the tenant has been read in this slice
	wrote bool            // a run that wrote has ended in this slice
	alone bool            // the slice is about a user whom its wake-up names
	// stirred says that this slice has marked others besides, or is to.
	stirred func() bool
}

// nothingElse reports whether nobody can be marked whom no other wake-up is for: the
// slice was about a named user, the tenant has not been read, and a run that there was
// has left nothing to do.
func (c *cadence) nothingElse() bool {
	return c.alone && !c.stirred() && !c.read && (c.s.end.State == "" || c.s.end.Wrote.RunID == c.s.end.RunID)
}

// SettingsDigest stands for what a connection's settings, domains and rules make of a
// user: another one makes every account worth a look.
func SettingsDigest(c *directory.Connection) string {
	domains := []directory.Domain{}
	if c.Tenant != nil {
		domains = c.Tenant.Domains
	}
	raw, err := json.Marshal(struct {
		S directory.Settings
		D []directory.Domain
		// L: rules want licences, and no setting does. Then rounds show them besides.
		L bool `json:",omitempty"`
	}{c.Settings.Planned(), domains, !c.Settings.Licences && c.Wants(directory.ScopeLicences)})
	if err != nil {
		panic("reconcile: settings: " + err.Error()) // our own type always marshals
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// outdated reports whether a full round is needed since the one that a link goes
// on from was made with other settings. When an admin has changed them that is so
// at once. When the connection is the same and another version of Bindery reads
// more, or something else, out of it, then it is so for all connections: each
// waits for its turn.
func (c *cadence) outdated(link store.ReadLink) bool {
	if link.Settings == c.s.settingsDigest() {
		return false
	}
	return link.Version != c.s.conn.Version || directory.FullReadDue(c.s.conn.ID, time.Time{}, c.s.now())
}

// madeWith notes on a link the version of the connection that its settings are of.
func (c *cadence) madeWith(link *store.ReadLink) {
	if link.Settings == c.s.settingsDigest() {
		link.Version = c.s.conn.Version
	}
}

// due reports whether the tenant is to be read now, and from where.
func (c *cadence) due() (bool, store.ReadLink) {
	if c.read {
		return false, store.ReadLink{}
	}
	link := c.s.lease.Link
	switch {
	case link.Rest.After(c.s.now()) && !c.outdated(link):
		return false, link
	case link.Full, link.Link == "", c.outdated(link):
		return true, link
	case directory.FullReadDue(c.s.conn.ID, c.s.lease.FullAt, c.s.now()):
		return true, store.ReadLink{Settings: link.Settings, Since: link.Since, Loop: link.Loop}
	}
	return c.pageDue(link), link
}

// pageDue reports whether an incremental round from a link is due.
func (c *cadence) pageDue(link store.ReadLink) bool {
	interval := time.Duration(c.s.conn.Settings.Defaulted().Interval)
	switch {
	case link.Link == "" || link.Full || c.outdated(link):
		return false
	case (c.wrote || c.lookComes()) && c.s.now().Sub(link.At) < 2*interval:
		// It is too early to see what became of it, and a wake-up for that is on its
		// way. But where every slice writes something the tenant is read all the same.
		return false
	}
	return c.back != "" || directory.ReadDue(interval, link.At, c.s.now())
}

// lookComes reports whether the look after a run that wrote is still to come, by
// this slice or another one's wake-up. A round in between would show an account
// that was written to before anybody looks what it does not show.
func (c *cadence) lookComes() bool {
	return c.back == "" && c.s.now().Sub(c.s.lease.Pace.Wrote) < readBackAfter+lookLate
}

// lookedAfter is of how many of a run's changes the look after it sees what they have
// written.
func lookedAfter(r *store.RunRecord) (n, all int) {
	for effect, k := range r.Counts {
		if all += k; effect.Row().ReadBack {
			n += k
		}
	}
	return n, all
}

// over is what the lease is given back with as a run ends after which the slice has
// nothing to do; nil: there may be something. It changes nothing: the run may not end.
func (c *cadence) over(r *store.RunRecord) *store.RunEnd {
	end, after := c.s.end, *c
	after.wrote = true
	n, all := lookedAfter(r)
	if n != all || !c.alone || c.read {
		return nil
	}
	if due, _ := after.due(); due {
		return nil
	}
	end.RunID, end.State, end.At, end.Wrote = r.ID, r.State, c.s.now(), c.s.wrote.of(r.ID, n)
	if end.Wrote.RunID != r.ID {
		return nil // something is left to do about its users
	}
	if settings, planned := c.s.allPlanned(); planned && ofMarks(r) {
		end.Settled = settings
	}
	return &end
}

// follow asks for the look after a run that wrote values. A wake-up that is
// lost costs time: the schedule looks too.
func (c *cadence) follow(ctx context.Context, r *store.RunRecord) error {
	n, all := lookedAfter(r)
	if r.DryRun || n == 0 {
		return nil
	}
	c.wrote = true
	if r.Kind == directory.KindSync && n == all {
		c.s.end.Wrote = c.s.wrote.of(r.ID, n)
	}
	return c.send(ctx, directory.WakeUp{ConnectionID: c.s.conn.ID, ReadBack: r.ID, Only: c.nothingElse()}, readBackAfter)
}
