package crashtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bindery/shared/table"
)

// Place is what a call goes to.
type Place string

// The places outside of a process.
const (
	TableRead  Place = "table read"
	TableWrite Place = "table write"
	Graph      Place = "graph"
	Batch      Place = "batch" // many requests to Graph in one
	Login      Place = "login" // the identity platform
	Vault      Place = "vault"
	Queue      Place = "queue"
)

// Call is one call to the outside.
type Call struct {
	N     int // from 1
	Place Place
	What  string
}

func (c Call) String() string { return fmt.Sprintf("call %d (%s: %s)", c.N, c.Place, c.What) }

// Mode is how a call goes wrong.
type Mode string

// The modes. A kill ends the process: the call and all after it fail.
const (
	KillBefore     Mode = "killed before"
	KillAfter      Mode = "killed after"
	Lost           Mode = "lost"            // an error or a 503, and nothing happened
	Late           Mode = "late"            // a timeout, though it took effect
	Throttled      Mode = "throttled"       // 429
	ItemsLate      Mode = "items late"      // a batch answers 503 for each item, though all took effect
	ItemsThrottled Mode = "items throttled" // every other item of a batch answers 429
)

// Modes lists what can go wrong with a call to a place.
func (p Place) Modes() []Mode {
	switch p {
	case TableRead:
		return []Mode{Lost, Late}
	case Graph, Login:
		return []Mode{KillBefore, KillAfter, Lost, Late, Throttled}
	case Batch:
		return []Mode{KillBefore, KillAfter, Lost, Late, Throttled, ItemsLate, ItemsThrottled}
	}
	return []Mode{KillBefore, KillAfter, Lost, Late}
}

// Kills reports whether a mode ends the process.
func (m Mode) Kills() bool { return m == KillBefore || m == KillAfter }

// befalls reports whether a call to a place can go wrong in a mode.
func (m Mode) befalls(p Place) bool { return m.Kills() || slices.Contains(p.Modes(), m) }

// Fault is one call that goes wrong: the one of that number, or the first after it that
// can go wrong in that mode. The zero Fault is none.
type Fault struct {
	Call int
	Mode Mode
}

var (
	errDead    = errors.New("crashtest: no answer")
	errUnknown = fmt.Errorf("crashtest: no answer in time: %w", context.DeadlineExceeded)
)

// line counts the calls of a world's processes and makes one of them go wrong.
type line struct {
	fault Fault
	// also says how a call goes wrong besides the fault; nil: none does.
	also func(c Call) Mode
	// delay is how long a call takes until it reaches anybody; nil: no time.
	delay func(c Call) time.Duration

	mu     sync.Mutex
	calls  []Call
	dead   bool // the process at work was killed
	struck bool
}

// enter counts a call; the mode that it returns is how it goes wrong.
func (l *line) enter(p Place, what string) (Mode, error) {
	if l.delay != nil {
		time.Sleep(l.delay(Call{0, p, what}))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := Call{len(l.calls) + 1, p, what}
	l.calls = append(l.calls, c)
	if l.dead {
		return "", errDead
	}
	if l.also != nil {
		if m := l.also(c); m != "" {
			l.dead = m.Kills()
			if m == KillBefore {
				return m, errDead
			}
			return m, nil
		}
	}
	// Calls beside each other change places: a fault waits for one that it can befall.
	if l.fault.Call == 0 || l.struck || len(l.calls) < l.fault.Call || !l.fault.Mode.befalls(p) {
		return "", nil
	}
	l.struck = true
	l.dead = l.fault.Mode.Kills()
	if l.fault.Mode == KillBefore {
		return l.fault.Mode, errDead
	}
	return l.fault.Mode, nil
}

// revive makes the next process a living one and reports whether this one died.
func (l *line) revive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	died := l.dead
	l.dead = false
	return died
}

// through makes a call that is no HTTP request.
func (l *line) through(p Place, what string, busy error, effect func() error) error {
	mode, err := l.enter(p, what)
	if err != nil {
		return err
	}
	if mode == Lost {
		return busy
	}
	if err := effect(); err != nil {
		return err
	}
	switch mode {
	case KillAfter:
		return errDead
	case Late:
		return errUnknown
	}
	return nil
}

// wiredTable is the table as a process reaches it.
type wiredTable struct {
	next table.Table
	line *line
}

func (t wiredTable) Get(ctx context.Context, key table.Key) (item table.Item, err error) {
	err = t.line.through(TableRead, "Get "+key.Partition+" "+key.Sort, table.ErrBusy, func() (err error) {
		item, err = t.next.Get(ctx, key)
		return err
	})
	return item, err
}

func (t wiredTable) GetMany(ctx context.Context, keys []table.Key) (items []table.Item, err error) {
	err = t.line.through(TableRead, "GetMany", table.ErrBusy, func() (err error) {
		items, err = t.next.GetMany(ctx, keys)
		return err
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

func (t wiredTable) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	err = t.line.through(TableRead, "Query "+q.Partition, table.ErrBusy, func() (err error) {
		page, err = t.next.Query(ctx, q)
		return err
	})
	if err != nil {
		return table.Page{}, err
	}
	return page, nil
}

func (t wiredTable) Write(ctx context.Context, writes ...table.Write) error {
	what := fmt.Sprintf("%d of %s %s", len(writes), writes[0].Key().Partition, writes[0].Key().Sort)
	return t.line.through(TableWrite, what, table.ErrBusy, func() error { return t.next.Write(ctx, writes...) })
}

// Cases are all the ways in which the calls of the scenario can go wrong. A
// process that is killed at a reading of the table is killed between two calls
// that matter, so that only failures are of interest there, one kind for each.
func (r *Reference) Cases() []Fault {
	var list []Fault
	for _, c := range r.Calls {
		modes := c.Place.Modes()
		if c.Place == TableRead {
			modes = modes[c.N%2 : c.N%2+1]
		}
		for _, m := range modes {
			list = append(list, Fault{c.N, m})
		}
	}
	return list
}
