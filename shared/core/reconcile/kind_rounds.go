package reconcile

import (
	"context"
	"errors"
	"maps"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Other kinds than accounts are read after these, each from a link of its own, by the
// same rules: what a page reports becomes marks, which are durable before the link
// moves on; a link that has expired, or that leads away from Microsoft, leads to a
// round from the start; a round that does not come to its end is given up, and rests.

// readKinds reads the rounds of kinds that have some.
func (rd *rounds) readKinds(ctx context.Context, l lane) error {
	for _, name := range rd.kinds.names {
		of, reads := rd.kinds.of(name).(Rounds)
		if !reads {
			continue
		}
		err := rd.readKind(ctx, l, name, of)
		if _, loops := directory.PagingLoop(err); loops {
			continue // it is noted, and whatever else is to be done goes on
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beginKinds reads the first rounds of kinds that have something to be read since a run
// of this slice.
func (rd *rounds) beginKinds(ctx context.Context, l lane) error {
	for _, name := range rd.kinds.names {
		of, reads := rd.kinds.of(name).(Rounds)
		if !reads || rd.s.lease.Link.Kinds[name].Link != "" {
			continue
		}
		err := rd.readKind(ctx, l, name, of)
		if _, loops := directory.PagingLoop(err); !loops && err != nil {
			return err
		}
	}
	return nil
}

// readKind reads the pages of a kind until the end of the round that its link is in.
func (rd *rounds) readKind(ctx context.Context, l lane, name directory.Kind, of Rounds) error {
	link := rd.s.lease.Link.Kinds[name]
	if link.Rest.After(rd.s.now()) {
		return nil
	}
	work := rd.s.work(&store.RunRecord{}, l)
	if link.Link == "" {
		if begins, err := of.Begins(ctx, work); err != nil || !begins {
			return err
		}
	}
	for {
		if err := l.attend(ctx); err != nil {
			return err
		}
		page, err := of.Round(ctx, work, link.Link)
		switch {
		case errors.Is(err, directory.ErrResync):
			if loop := restartKind(&link, name, "a link was not known any more"); loop != nil {
				return rd.abandonKind(ctx, name, link, loop)
			}
			if err := rd.pages.SaveKindLink(ctx, &rd.s.lease, name, link); err != nil {
				return err
			}
			continue
		case errors.Is(err, directory.ErrForeignLink): // not followed (invariant 12)
			if loop := restartKind(&link, name, "a link led away from Microsoft Graph"); loop != nil {
				return rd.abandonKind(ctx, name, link, loop)
			}
			return errors.Join(directory.ErrUnavailable, err, rd.pages.SaveKindLink(ctx, &rd.s.lease, name, link))
		case err != nil:
			return err
		}
		rd.s.sum.Pages++
		done, err := rd.markPage(ctx, name, &link, &page)
		if err != nil || done {
			return err
		}
	}
}

// markPage marks what a page reports, and moves the link on. done says that it was the
// last one.
func (rd *rounds) markPage(ctx context.Context, name directory.Kind, link *store.KindLink, page *RoundPage) (done bool, err error) {
	if _, err := link.Paging.Add(whatOfKind(name), page.names(), page.Next); err != nil {
		return false, rd.abandonKind(ctx, name, *link, err)
	}
	if err := rd.marks.MarkRecheck(ctx, &rd.s.lease, page.Marks, rd.s.now()); err != nil {
		return false, err
	}
	done = page.Next == ""
	if done && page.DeltaLink == "" {
		return false, directory.ErrUnavailable // the round cannot be said to be complete
	}
	link.Link, link.At = page.Next, rd.s.now().UTC()
	if done {
		endRound(link, page)
	}
	return done, rd.pages.SaveKindLink(ctx, &rd.s.lease, name, *link)
}

// endRound has a link begin the next round.
func endRound(link *store.KindLink, page *RoundPage) {
	link.Link, link.Paging, link.Loop, link.Rest = page.DeltaLink, directory.Paging{}, nil, time.Time{}
}

// restartKind has a round begin anew; an error says that this goes on and on.
func restartKind(link *store.KindLink, name directory.Kind, why string) error {
	if loop := link.Paging.Restart(whatOfKind(name), why); loop != nil {
		return loop
	}
	link.Link = ""
	return nil
}

// abandonKind gives a round up that does not come to its end, for a while.
func (rd *rounds) abandonKind(ctx context.Context, name directory.Kind, link store.KindLink, err error) error {
	p, loops := directory.PagingLoop(err)
	if !loops {
		return err
	}
	p.Since, p.Attempts = rd.s.now().UTC(), 1
	if before := link.Loop; before != nil {
		p.Since, p.Attempts = before.Since, before.Attempts+1
	}
	rd.s.log.Error("the pages of a kind do not come to an end", "connectionId", rd.s.conn.ID, "kind", name, "pages", link.Paging.Pages, "rounds", p.Attempts)
	rest := store.KindLink{Loop: p, Rest: rd.s.now().Add(backoff(p.Attempts)).UTC(), At: rd.s.now().UTC(), Expand: link.Expand}
	return errors.Join(p, rd.pages.SaveKindLink(ctx, &rd.s.lease, name, rest))
}

// whatOfKind is what a round reads, in a sentence.
func whatOfKind(name directory.Kind) string {
	return "the tenant's changed objects of the kind " + string(name)
}

func (p *RoundPage) names() []string {
	names := make([]string, len(p.IDs))
	for i, id := range p.IDs {
		names[i] = string(id)
	}
	return names
}

// expandKinds makes the records that are missing of kinds whose records follow from
// users and settings. It belongs to each full round, and begins again where it was cut
// off.
func (rd *rounds) expandKinds(ctx context.Context, l lane) error {
	work := rd.s.work(&store.RunRecord{}, l)
	for _, name := range rd.kinds.names {
		of, expands := rd.kinds.of(name).(Expander)
		for more := expands; more; {
			if err := l.attend(ctx); err != nil {
				return err
			}
			link := rd.s.lease.Link.Kinds[name]
			next, err := of.Expand(ctx, work, link.Expand)
			if err != nil {
				return err
			}
			more = next != ""
			if next == link.Expand {
				continue
			}
			link.Expand = next
			if err := rd.pages.SaveKindLink(ctx, &rd.s.lease, name, link); err != nil {
				return err
			}
		}
	}
	return nil
}

// kindsUnchanged reads a page of each kind that is read in rounds, and returns where the
// next ones begin, when none of them shows anything; false: a slice is to read them. It
// marks nothing, and needs no lease.
func (rd *rounds) kindsUnchanged(ctx context.Context, link *store.ReadLink) (next map[directory.Kind]store.KindLink, unchanged bool, err error) {
	if len(link.Kinds) == 0 {
		return nil, true, nil
	}
	keep, until := rd.s.keep, rd.s.lease.Until
	rd.s.keep, rd.s.lease.Until = noLease{}, rd.s.now().Add(noOpTime+requestMargin) // it bounds the requests
	defer func() { rd.s.keep, rd.s.lease.Until = keep, until }()
	next = maps.Clone(link.Kinds)
	work := rd.s.work(&store.RunRecord{}, closed{rd.s})
	for _, name := range rd.kinds.names {
		of, reads := rd.kinds.of(name).(Rounds)
		k, known := link.Kinds[name]
		switch {
		case !reads || !known || k.Rest.After(rd.s.now()):
			continue
		case k.Link == "" && k.Loop == nil && k.Paging.Restarts == 0:
			continue // nothing has begun
		case k.Link == "":
			return nil, false, nil
		}
		page, err := of.Round(ctx, work, k.Link)
		if errors.Is(err, directory.ErrResync) || errors.Is(err, directory.ErrForeignLink) {
			return nil, false, nil // the slice meets it again, and has what it takes
		}
		if err != nil {
			return nil, false, err
		}
		rd.s.sum.Pages++
		if len(page.Marks) > 0 || page.Next != "" || page.DeltaLink == "" {
			return nil, false, nil
		}
		k.At = rd.s.now().UTC()
		endRound(&k, &page)
		next[name] = k
	}
	return next, true, nil
}
