package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

const (
	// mostAsked is of how many accounts a slice asks who changed them: Microsoft
	// answers few such questions, and the answer is a comfort only.
	mostAsked = 20
	// askTime is how long one question may take.
	askTime = 5 * time.Second
	// auditLife is how far back Microsoft's log goes at most.
	auditLife = 30 * 24 * time.Hour
)

// actorFinder finds out who did what at Microsoft.
type actorFinder struct {
	s     *session
	who   Attribution
	asked int // accounts of which Microsoft's log was asked
}

// whoChanged finds out who at Microsoft changed what is not any more as it was
// agreed. What is not found out stays unsaid, and nothing waits for it; an error is
// one of serving leavers meanwhile.
func (o *actorFinder) whoChanged(ctx context.Context, l lane, list []plan.Subject) error {
	if o.who == nil {
		return nil
	}
	for i := range list {
		s := &list[i]
		names := foreign(s)
		if len(names) == 0 {
			continue
		}
		if o.asked >= mostAsked || o.s.inTime(ctx) != nil {
			return nil
		}
		o.asked++
		since := s.Binding.LastWrite
		for _, name := range names {
			at := lastWritten(s.Binding, name)
			if at.IsZero() {
				at = s.Binding.LastWrite.Add(-writesLife) // it may have been changed before we wrote others
			}
			if at.Before(since) {
				since = at
			}
		}
		if oldest := o.s.now().Add(-auditLife); since.Before(oldest) {
			since = oldest
		}
		found, err := awaited(ctx, o.s, l, func(ctx context.Context) (map[string]directory.Actor, error) {
			ctx, cancel := context.WithTimeout(ctx, askTime)
			defer cancel()
			return o.who(ctx, &o.s.conn, s.Account.ID, names, since)
		})
		if _, yes := errors.AsType[interrupted](err); yes {
			return err
		}
		if err != nil {
			o.asked = mostAsked // the others would hear the same
			o.s.log.Debug("who changed an account was not found out", "connectionId", o.s.conn.ID, "error", err)
			return nil
		}
		for name, a := range found {
			// The log comes late: what the authorising account did right after a
			// write of ours may be that write.
			written := lastWritten(s.Binding, name)
			if written.IsZero() {
				written = s.Binding.LastWrite
			}
			if a.Name == "" || a.Admin && a.At.Before(written.Add(Grace)) {
				continue
			}
			if s.Changed == nil {
				s.Changed = map[string]directory.Actor{}
			}
			s.Changed[name] = a
		}
	}
	return nil
}

// foreign lists the properties of an account that somebody else has changed.
func foreign(s *plan.Subject) []string {
	if s.Account == nil || s.Binding.Resting() || s.Binding.Release != "" {
		return nil
	}
	var names []string
	for name, base := range s.Binding.Base {
		observed, read := s.Account.Properties[name]
		if name == directory.PropAccountEnabled {
			observed, read = directory.BoolValue(s.Account.Enabled()), true
		}
		if read && !s.Fresh.Has(name) && !mapping.Same(name, base, observed) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
