package reconcile

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/protect"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Explanation is the whole decision about one user: what the next run would do,
// and why. It is made by the very code that plans, and writes nothing.
type Explanation struct {
	UserID       directory.UserID       `json:"userId"`
	ConnectionID directory.ConnectionID `json:"connectionId"`
	Bound        bool                   `json:"bound"`
	// Binding as it stands, and what deciding makes of it.
	Binding *ExplainedBinding `json:"binding,omitempty"`
	plan.Trace
	Guard ExplainedGuard `json:"guard"`
	// Summary is a sentence for people.
	Summary string `json:"summary"`
}

// ExplainedBinding is what of a binding matters to a decision.
type ExplainedBinding struct {
	AccountID directory.AccountID     `json:"accountId,omitempty"`
	Status    directory.BindingStatus `json:"status"`
	Problem   *directory.Problem      `json:"problem,omitempty"`
	Release   directory.ReleasePolicy `json:"release,omitempty"`
	Wanted    int64                   `json:"wanted"`  // the user's version that is to reach the account
	Applied   int64                   `json:"applied"` // the one that did
	LastWrite time.Time               `json:"lastWrite,omitzero"`
	Declined  int                     `json:"declined,omitempty"` // changes that an admin declined
}

// ExplainedGuard is how the guard would look at a run of these changes alone,
// on top of what was applied lately.
type ExplainedGuard struct {
	Mode string          `json:"mode"`
	Held *directory.Held `json:"held,omitempty"`
}

// Explain says what the next run would do about a user, and why. The account is
// read directly. ErrUnauthorized and the errors of the tenant's reads when it
// cannot be; ErrBusy when it can be read in a moment.
func (e *Engine) Explain(ctx context.Context, c *directory.Connection, id directory.UserID) (Explanation, error) {
	out, err := e.explainNow(ctx, c, id)
	if pause, ok := pauseOf(err); ok {
		err = directory.Refuse(directory.ErrBusy, directory.CodeExplainLater, "The account cannot be read at this moment: "+pause.why+".",
			fmt.Sprintf("Ask again in %.0f seconds.", max(1, math.Ceil(pause.after.Seconds()))))
	}
	return out, err
}

func (e *Engine) explainNow(ctx context.Context, c *directory.Connection, id directory.UserID) (Explanation, error) {
	out := Explanation{UserID: id, ConnectionID: c.ID}
	w, err := e.explainer(ctx, c.ID)
	if err != nil {
		return out, err
	}
	conn := &w.s.conn
	out.Guard.Mode = string(conn.Settings.Defaulted().Mode)
	rows, err := e.config.Stores.Bindings.Subjects(ctx, []directory.UserID{id})
	if err != nil {
		return out, err
	}
	row := rows[id]
	if row.User == nil {
		return out, fmt.Errorf("user %s: %w", id, directory.ErrNotFound)
	}
	if row.Binding == nil || row.Binding.ConnectionID != conn.ID || row.Binding.Epoch != conn.Epoch {
		out.Summary = "The user is not bound through this connection, so nothing is done."
		if row.Binding != nil && row.Binding.ConnectionID != conn.ID {
			out.Summary = "The user is bound through another connection, " + string(row.Binding.ConnectionID) + ", so nothing is done through this one."
		}
		return out, nil
	}
	b := row.Binding
	out.Bound = true
	out.Binding = &ExplainedBinding{AccountID: b.AccountID, Status: b.Status, Problem: b.Problem, Release: b.Release,
		Wanted: b.Wanted, Applied: b.Applied, LastWrite: b.LastWrite, Declined: len(b.Declined)}
	if !conn.Authorized() {
		out.Summary = "The connection is " + string(conn.Status) + ", so nothing is done."
		return out, nil
	}
	tools, err := w.openProtected(ctx)
	if err != nil {
		return out, err
	}
	subjects, err := tools.observe.subjectsNow(ctx, tools.planner.cfg, []directory.UserID{id})
	if err != nil {
		return out, err
	}
	if len(subjects) == 0 {
		return out, fmt.Errorf("user %s: %w", id, directory.ErrBusy) // released a moment ago
	}
	if err := tools.planner.actors.whoChanged(ctx, closed{w.s}, subjects); err != nil {
		return out, err
	}
	return out, tools.planner.explain(ctx, &out, &subjects[0])
}

// explainTime is how long explaining may take.
const explainTime = 25 * time.Second

// explainer is a slice that only reads, for an answer to an admin. It takes no
// lease.
func (e *Engine) explainer(ctx context.Context, id directory.ConnectionID) (*invocation, error) {
	lease, conn, err := e.config.Stores.Leases.PeekLease(ctx, id)
	if err != nil {
		return nil, err
	}
	if conn.Tenant == nil {
		return nil, directory.Refuse(directory.ErrConflict, directory.CodeConnectionNotActive, fmt.Sprintf("The connection %q has no tenant yet.", conn.Name), "Authorise and confirm the connection first.")
	}
	w := e.newInvocation(directory.WakeUp{ConnectionID: id}, time.Time{})
	w.s.keep = noLease{}
	w.s.lease, w.s.conn = lease, conn
	w.s.until = e.config.Now().Add(explainTime)
	w.s.lease.Until = w.s.until.Add(requestMargin) // it bounds the requests
	return w, nil
}

// openProtected opens the tenant and reads who is protected in it.
func (w *invocation) openProtected(ctx context.Context) (*tools, error) {
	tools, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	return tools, tools.shield.load(ctx)
}

// explain says what a run of one user alone would do.
func (p *planner) explain(ctx context.Context, out *Explanation, s *plan.Subject) error {
	run := &store.RunRecord{Run: directory.Run{Kind: directory.KindSync, UserIDs: []directory.UserID{s.User.ID}}}
	one := &runPlan{planner: p, s: p.s, t: &task{run: run}, cfg: p.cfg}
	d, _ := one.decideOne(s)
	out.Trace = plan.Explain(p.cfg, *s, d)
	if len(d.Changes) > 0 {
		held, err := p.guard.look(ctx, run, &tally{run: run, counts: plan.TallyOf(d.Changes), touched: plan.TouchedBy(d.Changes)})
		if err != nil {
			return err
		}
		out.Guard.Held = held
	}
	switch {
	case d.Problem != nil:
		out.Summary = "Nothing is written: " + d.Problem.Message
		if i := slices.IndexFunc(d.Findings, pausedLeaver); i >= 0 {
			out.Summary += " " + d.Findings[i].Message
		}
	case len(d.Changes) == 0:
		out.Summary = "Nothing is to be written."
	case out.Guard.Held != nil:
		out.Summary = "The next run plans " + counted(len(d.Changes)) + ", to wait for an admin: " + out.Guard.Held.Reasons[0] + "."
	default:
		out.Summary = "The next run makes " + counted(len(d.Changes)) + "."
	}
	return nil
}

func counted(changes int) string {
	if changes == 1 {
		return "1 change"
	}
	return fmt.Sprintf("%d changes", changes)
}

// IfBound says what the first run would do about a user if it were bound through
// a connection. It reads, and writes nothing.
func (e *Engine) IfBound(ctx context.Context, c *directory.Connection, u *directory.User) (Explanation, error) {
	w, err := e.explainer(ctx, c.ID)
	if err != nil {
		return Explanation{}, err
	}
	out := Explanation{UserID: u.ID, ConnectionID: c.ID}
	out.Guard.Mode = string(w.s.conn.Settings.Defaulted().Mode)
	tools, err := w.openProtected(ctx)
	if err != nil {
		return out, err
	}
	look := &look{cfg: tools.planner.cfg, lane: closed{w.s}, strict: true,
		list: []plan.Subject{{User: u, Binding: &directory.Binding{UserID: u.ID, ConnectionID: c.ID, Epoch: w.s.conn.Epoch, Status: directory.BindingPending, Wanted: u.Version}}}}
	if err := tools.observe.findMatches(ctx, look); err != nil {
		return out, err
	}
	return out, tools.planner.explain(ctx, &out, &look.list[0])
}

// IfReleased says what letting a bound user go would do to its account. It
// reads, and writes nothing.
func (e *Engine) IfReleased(ctx context.Context, c *directory.Connection, id directory.UserID, then directory.ReleasePolicy) (plan.Decision, error) {
	w, err := e.explainer(ctx, c.ID)
	if err != nil {
		return plan.Decision{}, err
	}
	tools, err := w.openProtected(ctx)
	if err != nil {
		return plan.Decision{}, err
	}
	subjects, err := tools.observe.subjectsNow(ctx, tools.planner.cfg, []directory.UserID{id})
	if err != nil || len(subjects) == 0 {
		return plan.Decision{}, err
	}
	return plan.Release(tools.planner.cfg, subjects[0], then), nil
}

// Protection reads who is protected in a connection's tenant, besides accounts
// that are synced from on-premises and guests, who are found when they are read.
func (e *Engine) Protection(ctx context.Context, c *directory.Connection) (*protect.Protection, error) {
	w, err := e.explainer(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	tools, err := w.openProtected(ctx)
	if err != nil {
		return nil, err
	}
	return tools.shield.now(), nil
}
