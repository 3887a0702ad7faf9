package doctor

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Lately is what a client has done to people lately, and what waits because of it: what a
// wrong scope at its identity provider looks like.
type Lately struct {
	directory.ScimTally
	Held []HeldRun
}

// HeldRun is a run that is held and comes from what a client has pushed. None of its changes
// is written until somebody decides about them.
type HeldRun struct {
	RunID          directory.RunID        `json:"runId"`
	ConnectionID   directory.ConnectionID `json:"connectionId"`
	ConnectionName string                 `json:"connectionName"`
}

// everyConnection lists connections; *store.Connections does.
type everyConnection interface {
	ListConnections(ctx context.Context, cursor string, limit int) ([]directory.Connection, string, error)
}

// heldRuns are the runs that have not ended; *store.Runs has them.
type heldRuns interface {
	OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error)
	RunsByID(ctx context.Context, ids []directory.RunID) (map[directory.RunID]store.RunRecord, error)
}

// mostConnections is at how many connections runs are looked for.
const mostConnections = 500

// Lately looks at what a client has done in the last 24 hours, and at the runs that are held
// and name it, however old they are.
func (c *Clients) Lately(ctx context.Context, id directory.ScimClientID) (Lately, error) {
	tally, err := c.Records.ScimTally(ctx, id)
	if err != nil {
		return Lately{}, err
	}
	list, _, err := c.Connections.ListConnections(ctx, "", mostConnections)
	if err != nil {
		return Lately{}, err
	}
	found := Lately{ScimTally: tally}
	var mu sync.Mutex
	looks, ctx := errgroup.WithContext(ctx)
	looks.SetLimit(clientsAtOnce)
	for i := range list {
		if s := list[i].Status; s != directory.StatusActive && s != directory.StatusNeedsAuthorization {
			continue // it has no runs
		}
		looks.Go(func() error {
			held, err := c.held(ctx, &list[i], id)
			mu.Lock()
			defer mu.Unlock()
			found.Held = append(found.Held, held...)
			return err
		})
	}
	err = looks.Wait()
	slices.SortFunc(found.Held, func(a, b HeldRun) int { return cmp.Compare(b.RunID, a.RunID) }) // the newest first
	return found, err
}

// held are the runs of a connection that are held and name a client.
func (c *Clients) held(ctx context.Context, conn *directory.Connection, id directory.ScimClientID) ([]HeldRun, error) {
	ids, err := c.Runs.OpenRuns(ctx, conn.ID)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	runs, err := c.Runs.RunsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	var list []HeldRun
	for _, r := range runs {
		if r.State != directory.RunHeld || r.Held == nil || r.Epoch != conn.Epoch {
			continue
		}
		if slices.ContainsFunc(r.Held.Facts, func(f directory.HeldFact) bool { return f.Code == directory.HeldPushed && f.ScimClientID == id }) {
			list = append(list, HeldRun{r.ID, conn.ID, conn.Name})
		}
	}
	return list, nil
}
