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

// Explanation is the whole decision about one object: what the next run would do,
// and why. It is made by the very code that plans, and writes nothing.
type Explanation struct {
	UserID directory.UserID `json:"userId,omitempty"`
	// Object is what it is about when that is no user's account.
	Object       directory.Ref          `json:"object,omitzero"`
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

// Explain says what the next run would do about an object, and why: about a user's account,
// or about what is kept of the user, or of a group, besides. What the tenant has of it is
// read directly. ErrUnauthorized and the errors of the tenant's reads when it cannot be;
// ErrBusy when it can be read in a moment; ErrNotFound of a user whom the directory has not.
func (e *Engine) Explain(ctx context.Context, c *directory.Connection, ref directory.Ref) (Explanation, error) {
	out := Explanation{UserID: ref.User(), ConnectionID: c.ID}
	if out.UserID == "" {
		out.Object = ref
	}
	err := e.explainNow(ctx, &out, ref)
	if pause, ok := pauseOf(err); ok {
		err = directory.Refuse(directory.ErrBusy, directory.CodeExplainLater, "The account cannot be read at this moment: "+pause.why+".",
			fmt.Sprintf("Ask again in %.0f seconds.", max(1, math.Ceil(pause.after.Seconds()))))
	}
	return out, err
}

func (e *Engine) explainNow(ctx context.Context, out *Explanation, ref directory.Ref) error {
	w, err := e.explainer(ctx, out.ConnectionID)
	if err != nil {
		return err
	}
	conn := &w.s.conn
	out.Guard.Mode = string(conn.Settings.Defaulted().Mode)
	b, elsewhere, err := e.boundThrough(ctx, conn, ref)
	if err != nil {
		return err
	}
	if b == nil {
		out.Summary = notKept(ref)
		if elsewhere != "" {
			out.Summary = "The user is bound through another connection, " + string(elsewhere) + ", so nothing is done through this one."
		}
		return nil
	}
	out.Bound = true
	out.Binding = &ExplainedBinding{AccountID: b.AccountID, Status: b.Status, Problem: b.Problem, Release: b.Release,
		Wanted: b.Wanted, Applied: b.Applied, LastWrite: b.LastWrite, Declined: len(b.Declined)}
	if !conn.Authorized() {
		out.Summary = "The connection is " + string(conn.Status) + ", so nothing is done."
		return nil
	}
	tools, err := w.openProtected(ctx)
	if err != nil {
		return err
	}
	objects := tools.planner.kinds.of(ref.Kind)
	if objects == nil {
		return fmt.Errorf("object %s: %w", ref, directory.ErrNotFound)
	}
	work := w.s.work(explaining(ref), closed{w.s})
	told, err := objects.Explain(ctx, work, ref)
	if err != nil {
		return err
	}
	return tools.planner.explain(ctx, out, work.Run, told)
}

// notKept is why nothing is done about an object that there is no record of.
func notKept(ref directory.Ref) string {
	switch ref.Kind {
	case directory.KindAccount:
		return "The user is not bound through this connection, so nothing is done."
	case directory.KindGroup:
		return "The group is not exported through this connection, so nothing is done."
	case directory.KindMember:
		return "Nobody asks for the membership through this connection, and Bindery has not given it, so nothing is done."
	}
	return "Nobody asks for it through this connection, and Bindery has not given it, so nothing is done."
}

// boundThrough reads the binding of an object through a connection; nil: it has
// none. elsewhere is the connection that a user is bound through instead.
func (e *Engine) boundThrough(ctx context.Context, c *directory.Connection, ref directory.Ref) (b *directory.Binding, elsewhere directory.ConnectionID, err error) {
	id := ref.User()
	if id == "" {
		found, err := e.config.Stores.Bindings.BindingsOf(ctx, c.ID, []directory.Ref{ref})
		if one, bound := found[ref]; err == nil && bound && one.Epoch == c.Epoch {
			b = &one
		}
		return b, "", err
	}
	rows, err := e.config.Stores.Bindings.Subjects(ctx, []directory.UserID{id})
	if err != nil {
		return nil, "", err
	}
	row := rows[id]
	if row.User == nil {
		return nil, "", fmt.Errorf("user %s: %w", id, directory.ErrNotFound)
	}
	switch b := row.Binding; {
	case b == nil:
		return nil, "", nil
	case b.ConnectionID != c.ID:
		return nil, b.ConnectionID, nil
	case b.Epoch != c.Epoch:
		return nil, "", nil
	}
	return row.Binding, "", nil
}

// explaining is a run that an object would be decided in by itself.
func explaining(ref directory.Ref) *store.RunRecord {
	r := &store.RunRecord{Run: directory.Run{Kind: directory.KindSync}}
	if u := ref.User(); u != "" {
		r.UserIDs = []directory.UserID{u}
	} else {
		r.Objects = []directory.Ref{ref}
	}
	return r
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

// explain says what a run would do that has what was decided.
func (p *planner) explain(ctx context.Context, out *Explanation, run *store.RunRecord, d Explained) error {
	out.Trace = d.Trace
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
	accounts := tools.accounts
	look := &look{cfg: accounts.cfg, lane: closed{w.s}, strict: true,
		list: []plan.Subject{{User: u, Binding: &directory.Binding{UserID: u.ID, ConnectionID: c.ID, Epoch: w.s.conn.Epoch, Status: directory.BindingPending, Wanted: u.Version}}}}
	if err := tools.observe.findMatches(ctx, look); err != nil {
		return out, err
	}
	work := w.s.work(explaining(directory.AccountOf(u.ID)), closed{w.s})
	return out, tools.planner.explain(ctx, &out, work.Run, accounts.explain(work, &look.list[0]))
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
	subjects, err := tools.observe.subjectsNow(ctx, tools.accounts.cfg, []directory.UserID{id})
	if err != nil || len(subjects) == 0 {
		return plan.Decision{}, err
	}
	return plan.Release(tools.accounts.cfg, subjects[0], then), nil
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
