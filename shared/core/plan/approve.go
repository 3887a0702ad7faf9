package plan

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"bindery/shared/directory"
)

// Approval is what an admin lets go of a held run: all of it, chosen changes,
// chosen effects, or what a filter selects. Effects may be any that a change counts as.
type Approval struct {
	All       bool
	ChangeIDs []directory.ChangeID
	Effects   []directory.Effect
	Where     *Filter
}

// Declines reports whether the approval takes nothing.
func (a *Approval) Declines() bool {
	return !a.All && len(a.ChangeIDs)+len(a.Effects) == 0 && a.Where == nil
}

// Select says of each change whether it is approved. What follows from a
// declined change is declined with it: a user's changes are in their order, and
// whoever is not adopted is not updated either. What has been applied already, by the
// waves before, is not declined by not being chosen anew.
func Select(changes []directory.Change, a Approval) []bool {
	return SelectFunc(changes, a.Chooses)
}

// SelectFunc is Select of what a function chooses.
func SelectFunc(changes []directory.Change, chooses func(*directory.Change) bool) []bool {
	approved := make([]bool, len(changes))
	declined := map[directory.Ref][]directory.Effect{}
	for i := range changes {
		c := &changes[i]
		approved[i] = chooses(c) && !slices.ContainsFunc(declined[c.Ref()], func(e directory.Effect) bool { return follows(c.Effect, e) })
		if !approved[i] && c.State != directory.ChangeApplied {
			declined[c.Ref()] = append(declined[c.Ref()], c.Effect)
		}
	}
	return approved
}

// Chooses reports whether the approval names a change, whatever it follows from.
func (a *Approval) Chooses(c *directory.Change) bool {
	return a.All || slices.Contains(a.ChangeIDs, c.ID) || slices.ContainsFunc(a.Effects, func(e directory.Effect) bool { return is(c, e) }) ||
		a.Where != nil && a.Where.Match(c)
}

// follows reports whether a user's later change makes no sense without an
// earlier one.
func follows(later, earlier directory.Effect) bool {
	switch {
	case earlier.Row().Opens:
		return true // without it there is no object, or it is not ours
	case earlier == directory.EffectBlock && later == directory.EffectRevoke:
		return true
	}
	// An object that is given up half restored would stay so.
	return later.Row().Ends && earlier != directory.EffectRevoke
}

// Fingerprint names what a change would do, whenever it is planned: the user,
// the account, the effect and the values before and after; of a block or delete
// also why. A declined change is not proposed again under the same name.
func Fingerprint(c *directory.Change) string {
	// Suspended and then deleted is no longer what was declined. A membership is the same,
	// whatever its group is called and whoever is known to have given it.
	return fingerprint(c, c.Effect.Row().Phase == directory.PhaseTake && c.Object.Kind != directory.KindMember)
}

// formerFingerprint is the name under which an earlier version declined the removal of a
// membership: with the reason; "" where that version named a change as this one does.
func formerFingerprint(c *directory.Change) string {
	if c.Effect.Row().Phase != directory.PhaseTake || c.Object.Kind != directory.KindMember {
		return ""
	}
	return fingerprint(c, true)
}

func fingerprint(c *directory.Change, reasoned bool) string {
	var b []byte
	add := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	if c.Object.IsZero() {
		add(string(c.UserID))
	} else {
		add(c.Object.String())
	}
	add(string(c.AccountID))
	if c.Effect == directory.EffectUpdateSensitive {
		add(string(directory.EffectUpdate)) // as before the effect had a name: what was declined then stays so
	} else {
		add(string(c.Effect))
	}
	if reasoned {
		add(c.Reason)
	}
	if writes(c.Effect) { // the others only remember values
		for _, p := range c.Properties {
			add(p.Name)
			for _, v := range []directory.Value{p.Before, p.After} {
				raw, err := v.MarshalJSON()
				if err != nil {
					panic("plan: " + err.Error()) // a value of ours always marshals
				}
				add(string(raw))
			}
		}
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

// Withhold drops from a decision what was declined before, and what follows
// from it. still are the fingerprints that go on standing: one that is no
// longer proposed is forgotten, so that the same change may come again later. What
// an earlier version declined stands on under the name that it has by now.
func Withhold(d Decision, declined []string) (out Decision, still []string) {
	if len(declined) == 0 || len(d.Changes) == 0 {
		return d, nil
	}
	var kept []directory.Change
	var gone []directory.Effect
	for i := range d.Changes {
		c := &d.Changes[i]
		name := Fingerprint(c)
		former := formerFingerprint(c)
		known := slices.Contains(declined, name) || former != "" && slices.Contains(declined, former)
		if known {
			still = append(still, name)
		}
		if known || slices.ContainsFunc(gone, func(e directory.Effect) bool { return follows(c.Effect, e) }) {
			gone = append(gone, c.Effect)
			continue
		}
		kept = append(kept, *c)
	}
	if len(gone) == 0 {
		return d, nil
	}
	d.Changes = kept
	d.Findings = append(slices.Clone(d.Findings), Declined(gone))
	return d, still
}

// Declined is what is found out about a user whose changes an admin declined.
func Declined(effects []directory.Effect) directory.Problem {
	return *problem("declined",
		fmt.Sprintf("An admin declined %d of the changes of this user (%s); they are proposed again once something about them changes.", len(effects), effectList(effects)),
		"Change the user, or the account.", "")
}
