package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/directory"
)

// hasLink reports whether a run or an hour has a link, or had one that is
// reported as gone. The pointer to it is no proof: the link itself must name the
// subject, and be one that is verified, or is genuine.
func (x *verifyStep) hasLink(ctx context.Context, chain, subject string) (bool, error) {
	key := chain + " " + subject
	if covered, known := x.linked[key]; known {
		return covered, nil
	}
	covered, err := x.findLink(ctx, chain, subject)
	if err == nil {
		x.linked[key] = covered
	}
	return covered, err
}

func (x *verifyStep) findLink(ctx context.Context, chain, subject string) (bool, error) {
	at := slices.IndexFunc(x.at.Chains, func(c chainPlace) bool { return c.Chain == chain })
	seq, err := x.verifier.Chains.Links.LinkOf(ctx, chain, subject)
	if err != nil {
		return false, err
	}
	if seq > 0 {
		l, err := x.verifier.Chains.Links.Link(ctx, chain, seq)
		verified := at >= 0 && seq > x.at.Chains[at].From && seq <= x.at.Chains[at].Last
		switch {
		case errors.Is(err, directory.ErrNotFound):
			if verified {
				return true, nil // reported as gone
			}
		case err != nil:
			return false, err
		case l.Subject == subject:
			if verified {
				return true, nil
			}
			chain := Chain{Stores: x.verifier.Chains, Signer: x.verifier.Signer}
			if ours, err := chain.isGenuine(ctx, &l, string(l.Chain), seq); err != nil || ours {
				return ours, err
			}
		}
	}
	high := int64(1)
	if at >= 0 {
		high = x.at.Chains[at].Last + 1
	}
	return x.searchLink(ctx, chain, subject, high)
}

// searchLink looks for the link of a subject without a pointer to it: among those
// from when the run began or the hour ended. high is one more than the last link
// that is verified.
func (x *verifyStep) searchLink(ctx context.Context, chain, subject string, high int64) (bool, error) {
	since, ok := x.earliestLinkTime(ctx, chain, subject)
	if !ok {
		return false, nil
	}
	first, err := x.firstSince(ctx, chain, since, high)
	if err != nil {
		return false, err
	}
	for after, read := first-1, 0; read < maxLinksSearched; {
		list, err := x.verifier.Stores.Links.Links(ctx, chain, after, linksInStep)
		if err != nil || len(list) == 0 {
			return false, err
		}
		for i := range list {
			if list[i].Subject == subject {
				return true, nil // its own verification has found the pointer wrong
			}
		}
		after, read = list[len(list)-1].Seq, read+len(list)
	}
	return false, nil
}

// firstSince is the number of the first link below high that was not made before a
// time; high when there is none.
func (x *verifyStep) firstSince(ctx context.Context, chain string, since time.Time, high int64) (int64, error) {
	low := int64(1)
	for low < high {
		mid := (low + high) / 2
		l, err := x.verifier.Chains.Links.Link(ctx, chain, mid)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return 0, err
		}
		if err == nil && l.At.Before(since) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// earliestLinkTime is when a subject's link can have been made at the earliest.
func (x *verifyStep) earliestLinkTime(ctx context.Context, chain, subject string) (time.Time, bool) {
	if hour, ok := subjectHour(subject); ok && chain == directory.AuditChain {
		return time.Unix((hour+1)*3600, 0), true
	}
	r, err := x.verifier.Chains.Runs.Run(ctx, directory.RunID(subject))
	return r.StartedAt.Add(-clockSkew), err == nil && r.State.Ended()
}
