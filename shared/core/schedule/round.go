package schedule

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// round is the part of a round that one tick does.
type round struct {
	cfg     Config
	turn    int             // of turns
	over    <-chan struct{} // closed when no turn is to begin any more
	slots   chan struct{}   // one for each worker
	workers sync.WaitGroup
	results *results
	wakeUps *outbox
}

// wakeJobs wakes the jobs that nobody works on. They come first: connections may
// use up the tick's time.
func (r *round) wakeJobs(ctx context.Context) {
	open, err := r.stalledJobs(ctx)
	r.results.failed(err)
	for _, j := range open {
		w := directory.WakeUp{ConnectionID: j.ConnectionID, JobID: j.ID}
		if j.Kind.ReadsFile() {
			r.wakeLoad(ctx, w)
		} else {
			r.wakeUps.add(ctx, w)
		}
	}
}

// wakeLoad wakes a job that reads a file. There are few of them: each is sent by
// itself.
func (r *round) wakeLoad(ctx context.Context, w directory.WakeUp) {
	ctx, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	if err := r.cfg.Queue.SendLoad(ctx, w, 0); err != nil {
		r.results.failed(err)
		return // it is woken at the next tick
	}
	r.results.sent([]directory.WakeUp{w})
}

func (r *round) stalledJobs(ctx context.Context) ([]store.OpenJob, error) {
	short, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	open, err := r.cfg.Stores.Jobs.OpenJobs(short)
	if err != nil {
		return nil, err
	}
	return r.cfg.Stores.Jobs.StalledJobs(short, open)
}

// visitAll goes on with the round that the last tick left, or begins one.
func (r *round) visitAll(ctx context.Context) {
	stored, err := r.cfg.Stores.Rounds.Round(ctx)
	if err != nil {
		r.results.failed(err)
		return
	}
	r.results.resume(stored.Sum)
	p := &roundPlace{rounds: r.cfg.Stores.Rounds, round: stored, worth: stored.After != ""}
	whole := r.visitPages(ctx, p)
	r.workers.Wait()
	gauges := r.results.gaugesSoFar()
	switch {
	case whole:
		p.round.Last = gauges
		r.results.failed(p.move(ctx, "", nil))
	case p.round.Last != nil:
		gauges = p.round.Last
	}
	r.results.setGauges(gauges, !whole && p.cut)
}

// visitPages begins the turns of the connections that are left in the round; false
// when it did not come to its end.
func (r *round) visitPages(ctx context.Context, p *roundPlace) bool {
	for after := p.round.After; ; {
		page, more, err := r.cfg.Stores.Connections.ScheduledConnections(ctx, after, 0)
		if err != nil {
			r.results.failed(err)
			return false
		}
		if more || p.worth {
			p.worth = true // not for the one page of a small installation
			behind := directory.ConnectionID("")
			if more {
				behind = page[len(page)-1].ID
			}
			r.results.failed(p.move(ctx, behind, r.results.gaugesSoFar()))
		}
		for i := range page {
			if !r.begin(ctx, &page[i]) {
				p.cut, p.worth = true, true
				r.workers.Wait()
				r.results.failed(p.move(ctx, after, r.results.gaugesSoFar()))
				return false
			}
			after = page[i].ID
		}
		if !more {
			return true
		}
	}
}

// roundPlace is where the round stands, as it is stored.
type roundPlace struct {
	rounds Rounds
	round  store.Round
	worth  bool // it is worth a write
	shared bool // another schedule has moved it meanwhile, and goes on doing so
	cut    bool // the time was over here
}

// move stores that the round stands behind a connection, "" for its end, and what
// its gauges add up to there.
func (p *roundPlace) move(ctx context.Context, behind directory.ConnectionID, gauges map[string]int) error {
	if !p.worth || p.shared {
		return nil
	}
	p.round.After, p.round.Sum = behind, gauges
	err := p.rounds.SaveRound(ctx, &p.round)
	if errors.Is(err, directory.ErrStale) {
		p.shared = true
		return nil
	}
	return err
}

// begin gives a connection its turn as soon as a worker is free; false when the
// time is over before that.
func (r *round) begin(ctx context.Context, l *store.ScheduledConnection) bool {
	select {
	case <-r.over:
		return false
	default:
	}
	select {
	case <-r.over:
		return false
	case r.slots <- struct{}{}:
	}
	r.workers.Go(func() {
		defer func() { <-r.slots }()
		if err := r.visit(ctx, l); err != nil {
			r.results.failed(fmt.Errorf("connection %s: %w", l.ID, err))
		}
		r.results.visited()
	})
	return true
}

// visit is the turn of one connection. It is woken before it is tended: what
// fails or hangs there keeps nobody from syncing.
func (r *round) visit(ctx context.Context, l *store.ScheduledConnection) (err error) {
	ctx, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	if l.Err != nil {
		return l.Err
	}
	b, err := r.cfg.Stores.Connections.Beside(ctx, l.ID)
	if err != nil {
		return err
	}
	now := r.cfg.Now()
	r.results.gauge(l, b.Runs, now)
	work, err := r.hasWork(ctx, l, b.Runs, now)
	if err == nil && work {
		r.wakeUps.add(ctx, directory.WakeUp{ConnectionID: l.ID, Scheduled: true})
	}
	errs := []error{err}
	for _, t := range r.cfg.Tenders {
		errs = append(errs, t.Tend(ctx, l, &b, r.turn == turns-1))
	}
	return errors.Join(errs...)
}
