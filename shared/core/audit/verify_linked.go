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
	// Without the pointer the links are searched, from when the run began or the
	// hour ended.
	since, ok := x.earliestLinkTime(ctx, chain, subject)
	if !ok {
		return false, nil
	}
	low, high := int64(1), int64(1)
	if at >= 0 {
		high = x.at.Chains[at].Last + 1
	}
	for low < high {
		mid := (low + high) / 2
		l, err := x.verifier.Chains.Links.Link(ctx, chain, mid)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return false, err
		}
		if err == nil && l.At.Before(since) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for after, read := low-1, 0; read < maxLinksSearched; {
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

// earliestLinkTime is when a subject's link can have been made at the earliest.
func (x *verifyStep) earliestLinkTime(ctx context.Context, chain, subject string) (time.Time, bool) {
	if hour, ok := subjectHour(subject); ok && chain == directory.AuditChain {
		return time.Unix((hour+1)*3600, 0), true
	}
	r, err := x.verifier.Chains.Runs.Run(ctx, directory.RunID(subject))
	return r.StartedAt.Add(-clockSkew), err == nil && r.State.Ended()
}
