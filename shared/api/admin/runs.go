package admin

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"bindery/shared/api/endpoint"
	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Runs starts, cancels and shows runs; *runs.Service does.
type Runs interface {
	Start(ctx context.Context, by directory.Caller, c *directory.Connection, req runs.Request) (directory.Run, error)
	Run(ctx context.Context, id directory.RunID) (directory.Run, error)
	List(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]directory.Run, string, error)
	ChangesWhere(ctx context.Context, id directory.RunID, f plan.Filter, cursor string, limit int) ([]directory.Change, string, error)
	Count(ctx context.Context, id directory.RunID, f plan.Filter) (runs.Selection, error)
	Parts(ctx context.Context, id directory.RunID) (runs.Parts, error)
	Left(ctx context.Context, id directory.RunID, cursor string) ([]plan.Left, string, error)
	Cancel(ctx context.Context, by directory.Caller, id directory.RunID) (directory.Run, error)
	Approve(ctx context.Context, by directory.Caller, id directory.RunID, a plan.Approval) (directory.Run, error)
	Undo(ctx context.Context, by directory.Caller, c *directory.Connection, of directory.Run, req runs.UndoRequest) (directory.Run, error)
	Forecast(ctx context.Context, c *directory.Connection) (runs.Forecast, error)
	ProblemGroups(ctx context.Context, c *directory.Connection) ([]runs.ProblemGroup, bool, error)
	Affected(ctx context.Context, c *directory.Connection, code, cursor string, limit int) ([]store.ProblemRecord, string, error)
	Retry(ctx context.Context, by directory.Caller, c *directory.Connection, code, cursor string) ([]directory.Run, string, error)
	RetryOne(ctx context.Context, by directory.Caller, c *directory.Connection, u directory.UserID) (directory.Run, error)
	Pause(ctx context.Context, by directory.Caller, c *directory.Connection, u directory.UserID, reason string) (directory.Binding, error)
	Adopt(ctx context.Context, by directory.Caller, c *directory.Connection, u directory.UserID, account directory.AccountID) (directory.Binding, error)
	Resume(ctx context.Context, by directory.Caller, c *directory.Connection, u directory.UserID) (directory.Binding, error)
}

// NewRun is the body of a run; left out, it is "sync now".
type NewRun struct {
	DryRun  bool               `json:"dryRun,omitempty" doc:"Only plan."`
	UserIDs []directory.UserID `json:"userIds,omitempty" nullable:"false" doc:"Only these users."`
	Objects []directory.Ref    `json:"objects,omitempty" nullable:"false" doc:"Only these objects of other kinds than accounts, beside the users."`
	Full    bool               `json:"full,omitempty" doc:"Read and compare every bound account."`
	// Settings are merged into the connection's, for this plan only.
	Settings SettingsPatch `json:"settings,omitempty" doc:"What if; only with dryRun."`
	// Release asks what letting the users go by this policy would do.
	Release directory.ReleasePolicy `json:"release,omitempty" enum:"keep,block,restore" doc:"What if they were released; only with dryRun."`
}

// newRunBody is a NewRun as it is read: its settings are merged into the
// connection's.
type newRunBody struct {
	DryRun   bool                    `json:"dryRun"`
	UserIDs  []directory.UserID      `json:"userIds"`
	Objects  []directory.Ref         `json:"objects"`
	Full     bool                    `json:"full"`
	Release  directory.ReleasePolicy `json:"release"`
	Settings json.RawMessage         `json:"settings"`
}

func runPath(id directory.RunID) string { return "/v1/runs/" + string(id) }

// viewRun is a run as the API shows it. While it is planned, and nothing is counted
// yet, its counts are not known, which is not the same as none.
func viewRun(r directory.Run) directory.Run {
	if r.State == directory.RunPlanning && len(r.Counts) == 0 {
		r.Counts = nil
	} else if r.Counts == nil {
		r.Counts = map[directory.Effect]int{}
	}
	return r
}

// RunPath names a run in a path.
type RunPath struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the run"`
}

func (a *API) runs() {
	register(a, operation{id: "startRun", method: http.MethodPost, path: "/v1/connections/{id}/runs", scope: ScopeWrite, status: 202,
		summary: "Sync now, or plan only", body: schema[NewRun](a), core: []string{"settings", "release"}, optional: true, also: later(schema[directory.Run](a))}, a.startRun)
	register(a, operation{id: "listRuns", method: http.MethodGet, path: "/v1/connections/{id}/runs", scope: ScopeRead,
		summary: "List a connection's runs, newest first", also: answers{http.StatusNotModified: nil}}, a.listRuns)
	register(a, operation{id: "getRun", method: http.MethodGet, path: "/v1/runs/{id}", scope: ScopeRead,
		summary: "Read a run", more: unchangedText, also: answers{http.StatusNotModified: nil}}, a.getRun)
	register(a, operation{id: "listChanges", method: http.MethodGet, path: "/v1/runs/{id}/changes", scope: ScopeRead,
		summary: "List a run's changes: its plan and its journal. As text/csv or text/plain by Accept",
		also:    answers{http.StatusOK: schema[list[directory.Change]](a)}}, a.listChanges)
	register(a, operation{id: "countChanges", method: http.MethodGet, path: "/v1/runs/{id}/counts", scope: ScopeRead,
		summary: "Count those of a run's changes that a filter selects, by what they do",
		more:    "The filter is that of GET /v1/runs/{id}/changes, and of where in an approval; place names changes as changeIds do. While the run is held, written is what an approval of them would write."}, a.countChanges)
	register(a, operation{id: "getParts", method: http.MethodGet, path: "/v1/runs/{id}/parts", scope: ScopeRead,
		summary: "Count a run's changes by department and domain"}, a.runParts)
	register(a, operation{id: "listLeft", method: http.MethodGet, path: "/v1/runs/{id}/left", scope: ScopeRead,
		summary: "List what an undo leaves as it is"}, a.listLeft)
	register(a, operation{id: "cancelRun", method: http.MethodPost, path: "/v1/runs/{id}/cancel", scope: ScopeWrite,
		summary: "End a run before its next batch. A run of few changes that has just begun may send them all", body: schema[WithReason](a), core: []string{"reason"}, optional: true}, a.cancelRun)
	register(a, operation{id: "approveRun", method: http.MethodPost, path: "/v1/runs/{id}/approve", scope: ScopeApprove,
		summary: "Let a held run go on, with all of its changes or some; the others are declined", more: approvalText, body: schema[Approval](a), core: []string{"reason"}, optional: true}, a.approveRun)
	register(a, operation{id: "declineRun", method: http.MethodPost, path: "/v1/runs/{id}/decline", scope: ScopeApprove,
		summary: "Decline all changes of a held run", body: schema[WithReason](a), core: []string{"reason"}, optional: true}, a.declineRun)
	register(a, operation{id: "undoRun", method: http.MethodPost, path: "/v1/runs/{id}/undo", scope: ScopeWrite, status: 202,
		summary: "Take back what a run wrote", body: schema[NewUndo](a), core: []string{"reason"}, optional: true, also: later(schema[directory.Run](a))}, a.undoRun)
}

// Approval is the body of an approval; left out, it takes every change. A list that is null
// is no list that was left out: it comes of a program that has none yet, and must not be
// taken for everything. So it is of undos, runs and filters.
type Approval struct {
	ChangeIDs []directory.ChangeID `json:"changeIds,omitempty" nullable:"false" doc:"Only these changes, and those of the effects."`
	Effects   []directory.Effect   `json:"effects,omitempty" nullable:"false" doc:"Only changes of these effects, and those named."`
	Where     *ChangesWhere        `json:"where,omitempty" doc:"Only changes that this selects, and those named."`
	WithReason
}

// ChangesWhere selects changes of a run as the parameters of GET …/changes do: of several
// lists each must name the change, and the values of one are alternatives.
type ChangesWhere struct {
	Effects     []directory.Effect  `json:"effect,omitempty" nullable:"false" maxItems:"100" doc:"Of these effects."`
	Users       []directory.UserID  `json:"userId,omitempty" nullable:"false" maxItems:"500" doc:"About these users."`
	Properties  []string            `json:"property,omitempty" nullable:"false" maxItems:"100" doc:"That write one of these properties."`
	Departments []string            `json:"department,omitempty" nullable:"false" maxItems:"100" doc:"Of users of these departments."`
	Domains     []string            `json:"domain,omitempty" nullable:"false" maxItems:"100" doc:"Of users of these domains."`
	Groups      []directory.GroupID `json:"groupId,omitempty" nullable:"false" maxItems:"100" doc:"About these groups of the directory, their memberships or licences, and bindings that end with the membership."`
}

// filter is the core's; a refusal when it selects nothing, or everything: whoever leaves
// a filter empty by mistake must not approve all of a run.
func (w *ChangesWhere) filter() (*plan.Filter, error) {
	if w == nil {
		return nil, nil
	}
	if err := checkEffects(w.Effects); err != nil {
		return nil, err
	}
	f := &plan.Filter{Effects: w.Effects, Users: w.Users, Properties: w.Properties, Departments: w.Departments, Domains: w.Domains, Groups: w.Groups}
	given := []bool{w.Effects != nil, w.Users != nil, w.Properties != nil, w.Departments != nil, w.Domains != nil, w.Groups != nil}
	empty := []bool{len(w.Effects) == 0, len(w.Users) == 0, len(w.Properties) == 0, len(w.Departments) == 0, len(w.Domains) == 0, len(w.Groups) == 0}
	for i := range given {
		if given[i] && empty[i] || f.Empty() {
			return nil, directory.Refuse(directory.ErrInvalid, directory.CodeNothingChosen, "The filter where is empty, or a list of it is.",
				"Name values, leave the list out, or send no body to approve everything.")
		}
	}
	return f, nil
}

const approvalText = "What where selects is decided at that moment, change by change: a plan is not changed after it was held. " +
	"Where changeIds, effects and where are given, what one of them names is approved. What follows from a declined change is declined with it."

// WithReason is the reason for a decision.
type WithReason struct {
	Reason string `json:"reason,omitempty" maxLength:"1000" doc:"Why, in one line; it stands in the activity, and where the decision is shown."`
}

// explained is the caller with the reason that the body gives.
func (r *WithReason) explained(by Caller) (directory.Caller, error) {
	reason, err := oneLine(r.Reason)
	by.Reason = reason
	return by.Caller, err
}

// NewUndo is the body of an undo; left out, it takes back all of the run.
type NewUndo struct {
	DryRun     bool               `json:"dryRun,omitempty" doc:"Only plan."`
	UserIDs    []directory.UserID `json:"userIds,omitempty" nullable:"false" doc:"Only what concerns these users."`
	Objects    []directory.Ref    `json:"objects,omitempty" nullable:"false" doc:"Only what concerns these objects of other kinds than accounts, beside the users."`
	Properties []string           `json:"properties,omitempty" nullable:"false" doc:"Only these properties; nothing is given back or restored."`
	WithReason
}

func (a *API) startRun(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	sent[newRunBody]
}) (*accepted, error) {
	body := &in.body
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if (body.UserIDs != nil || body.Objects != nil) && len(body.UserIDs)+len(body.Objects) == 0 {
		return nil, directory.Refuse(directory.ErrInvalid, directory.CodeNoUsers, "The list userIds is empty, so the run would concern nobody.",
			"Name users, or leave userIds out to sync everybody.")
	}
	if r := body.Release; r != "" && r != directory.ReleaseKeep && r != directory.ReleaseBlock && r != directory.ReleaseRestore {
		return nil, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidRelease, fmt.Sprintf("%q is not a way to release.", string(r)), "There are keep, block and restore.")
	}
	req := runs.Request{DryRun: body.DryRun, Full: body.Full, UserIDs: body.UserIDs, Objects: body.Objects, Release: body.Release, Audit: directory.AuditStartRun}
	if body.Settings != nil && string(body.Settings) != "null" {
		s, err := mergeSettings(c.Settings, body.Settings)
		if err != nil {
			return nil, err
		}
		req.Settings = &s
	}
	return acceptedRun(a.Runs.Start(ctx, by.Caller, &c, req))
}

func (a *API) listRuns(ctx context.Context, _ Caller, in *struct {
	ConnectionPath
	Paging
	IfNone
}) (*conditional[list[directory.Run]], error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	page, err := listOf(ctx, a, in.Limit, func(limit int) ([]directory.Run, string, error) {
		list, next, err := a.Runs.List(ctx, c.ID, in.Next, limit)
		for i := range list {
			list[i] = viewRun(list[i])
		}
		return list, next, err
	})
	if err != nil {
		return nil, err
	}
	return conditionally(in.IfNone, page.Body)
}

func (a *API) getRun(ctx context.Context, _ Caller, in *struct {
	RunPath
	IfNone
}) (*conditional[directory.Run], error) {
	r, err := a.Runs.Run(ctx, directory.RunID(in.ID))
	if err != nil {
		return nil, err
	}
	return conditionally(in.IfNone, viewRun(r))
}

// changesInput asks for a page of a run's changes.
type changesInput struct {
	RunPath
	Paging
	changesFilter
	Accept string `header:"Accept" maxLength:"1000" doc:"text/csv or text/plain for another form than JSON; the next page is then in the header Link"`
}

// changesFilter selects changes; several values of one parameter are
// alternatives, given as a list with commas.
type changesFilter struct {
	Effects     []directory.Effect      `query:"effect" doc:"Only these effects."`
	Users       []directory.UserID      `query:"userId" doc:"Only these users."`
	Properties  []string                `query:"property" doc:"Only changes that write one of these properties."`
	Departments []string                `query:"department" doc:"Only users of these departments."`
	Domains     []string                `query:"domain" doc:"Only users of these domains."`
	Groups      []directory.GroupID     `query:"groupId" doc:"Only what is about these groups of the directory: their memberships and licences, and bindings that end with the membership."`
	States      []directory.ChangeState `query:"state" enum:"planned,approved,declined,applied,failed,outdated,refused" doc:"Only changes in these states."`
	Places      []string                `query:"place" maxItems:"1000" doc:"Only these changes, by what their IDs have behind the run's: 0.3, or 0.3-9 for several in a row."`
}

func (in *changesFilter) filter(id directory.RunID) (plan.Filter, error) {
	f := plan.Filter{Effects: in.Effects, Users: in.Users, Properties: in.Properties, Departments: in.Departments, Domains: in.Domains, Groups: in.Groups, States: in.States}
	if len(in.Places) > 0 {
		f.IDs = map[directory.ChangeID]bool{}
		for _, p := range in.Places {
			if !namePlaces(id, p, f.IDs) {
				return f, directory.Refuse(directory.ErrInvalid, directory.CodeNoSuchChange, fmt.Sprintf("%q is no place of a change.", p),
					"A place is what a change's ID has behind its run's, as 0.3; 0.3-9 are several in a row.")
			}
			if len(f.IDs) > runs.MaxChosen {
				return f, directory.Refuse(directory.ErrTooLarge, directory.CodeTooManyChanges, fmt.Sprintf("At most %d changes can be named by their places.", runs.MaxChosen), "Ask for a part of them at a time.")
			}
		}
	}
	return f, checkEffects(in.Effects)
}

// namePlaces adds the IDs of the changes at some places of a run's plan, as "0.3" or
// "0.3-9"; false when a text is neither.
func namePlaces(id directory.RunID, places string, ids map[directory.ChangeID]bool) bool {
	number := func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && n >= 0 && strconv.Itoa(n) == s
	}
	chunkText, at, ok := strings.Cut(places, ".")
	first, last, several := strings.Cut(at, "-")
	if !several {
		last = first
	}
	chunk, ok1 := number(chunkText)
	from, ok2 := number(first)
	to, ok3 := number(last)
	if !ok || !ok1 || !ok2 || !ok3 || to < from || to >= store.ChunkSize {
		return false
	}
	for i := from; i <= to; i++ {
		ids[directory.ChangeID(fmt.Sprintf("%s.%d.%d", id, chunk, i))] = true
	}
	return true
}

func (a *API) countChanges(ctx context.Context, _ Caller, in *struct {
	RunPath
	changesFilter
}) (*output[runs.Selection], error) {
	f, err := in.filter(directory.RunID(in.ID))
	if err != nil {
		return nil, err
	}
	n, err := a.Runs.Count(ctx, directory.RunID(in.ID), f)
	return &output[runs.Selection]{n}, err
}

func (a *API) listChanges(ctx context.Context, _ Caller, in *changesInput) (*document, error) {
	f, err := in.filter(directory.RunID(in.ID))
	if err != nil {
		return nil, err
	}
	doc, next := &document{ContentType: preferred(in.Accept), Vary: "Accept"}, ""
	doc.Body, err = a.shorten(in.Limit, func(limit int) (int, []byte, error) {
		changes, more, err := a.Runs.ChangesWhere(ctx, directory.RunID(in.ID), f, in.Next, limit)
		if err != nil {
			return 0, nil, err
		}
		for i := range changes {
			changes[i].Properties = orEmpty(changes[i].Properties)
		}
		if next, err = listingOf(ctx).seal(more); err != nil {
			return 0, nil, err
		}
		data, err := writeChanges(changes, next, doc.ContentType)
		return len(changes), data, err
	})
	if next != "" {
		doc.Link = listingOf(ctx).link(next)
	}
	return doc, err
}

// writeChanges writes a page of changes in a form that preferred returned.
func writeChanges(changes []directory.Change, next, form string) ([]byte, error) {
	var b bytes.Buffer
	switch form {
	case csvType:
		w := csv.NewWriter(&b)
		err := errors.Join(w.Write(plan.CSVHeader), plan.WriteCSV(w, changes))
		w.Flush()
		return b.Bytes(), errors.Join(err, w.Error())
	case plainType:
		for i := range changes {
			fmt.Fprintln(&b, plan.Text(changes[i]))
		}
		return b.Bytes(), nil
	}
	return endpoint.JSON(list[directory.Change]{Items: orEmpty(changes), Next: next})
}

// preferred is the form that a client wants changes in: JSON unless it names
// one of the others first.
func preferred(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		form, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(form)) {
		case "text/csv":
			return csvType
		case "text/plain":
			return plainType
		case "application/json", "*/*", "application/*":
			return jsonType
		}
	}
	return jsonType
}

// checkEffects refuses the first effect that is none.
func checkEffects(effects []directory.Effect) error {
	for _, e := range effects {
		if !e.Known() {
			return directory.Refuse(directory.ErrInvalid, directory.CodeUnknownEffect, fmt.Sprintf("%q is not an effect.", string(e)),
				"Effects are those that the counts of a run name, and update-to-empty.")
		}
	}
	return nil
}

func (a *API) runParts(ctx context.Context, _ Caller, in *RunPath) (*output[runs.Parts], error) {
	p, err := a.Runs.Parts(ctx, directory.RunID(in.ID))
	p.Departments, p.Domains = orEmpty(p.Departments), orEmpty(p.Domains)
	return &output[runs.Parts]{p}, err
}

func (a *API) listLeft(ctx context.Context, _ Caller, in *struct {
	RunPath
	From
}) (*listOutput[plan.Left], error) {
	left, place, err := a.Runs.Left(ctx, directory.RunID(in.ID), in.Next)
	if err != nil {
		return nil, err
	}
	next, err := listingOf(ctx).seal(place)
	return &listOutput[plan.Left]{list[plan.Left]{Items: orEmpty(left), Next: next}}, err
}

// decideInput is a run with the reason for what is decided about it.
type decideInput struct {
	RunPath
	sent[WithReason]
}

func (a *API) cancelRun(ctx context.Context, by Caller, in *decideInput) (*output[directory.Run], error) {
	why, err := in.body.explained(by)
	if err != nil {
		return nil, err
	}
	r, err := a.Runs.Cancel(ctx, why, directory.RunID(in.ID))
	return &output[directory.Run]{viewRun(r)}, err
}

func (a *API) approveRun(ctx context.Context, by Caller, in *struct {
	RunPath
	sent[Approval]
}) (*output[directory.Run], error) {
	if err := checkEffects(in.body.Effects); err != nil {
		return nil, err
	}
	where, err := in.body.Where.filter()
	if err != nil {
		return nil, err
	}
	why, err := in.body.explained(by)
	if err != nil {
		return nil, err
	}
	empty := len(in.body.ChangeIDs)+len(in.body.Effects) == 0 && where == nil
	if empty && (in.body.ChangeIDs != nil || in.body.Effects != nil) {
		return nil, directory.Refuse(directory.ErrInvalid, directory.CodeNothingChosen, "The lists are empty, so nothing would be approved.",
			"Name changes or effects, send no body to approve everything, or decline the run.")
	}
	r, err := a.Runs.Approve(ctx, why, directory.RunID(in.ID), plan.Approval{All: empty, ChangeIDs: in.body.ChangeIDs, Effects: in.body.Effects, Where: where})
	return &output[directory.Run]{viewRun(r)}, err
}

func (a *API) declineRun(ctx context.Context, by Caller, in *decideInput) (*output[directory.Run], error) {
	why, err := in.body.explained(by)
	if err != nil {
		return nil, err
	}
	r, err := a.Runs.Approve(ctx, why, directory.RunID(in.ID), plan.Approval{})
	return &output[directory.Run]{viewRun(r)}, err
}

func (a *API) undoRun(ctx context.Context, by Caller, in *struct {
	RunPath
	sent[NewUndo]
}) (*accepted, error) {
	of, err := a.Runs.Run(ctx, directory.RunID(in.ID))
	if err != nil {
		return nil, err
	}
	c, err := a.connection(ctx, string(of.ConnectionID))
	if err != nil {
		return nil, err
	}
	if (in.body.UserIDs != nil || in.body.Objects != nil) && len(in.body.UserIDs)+len(in.body.Objects) == 0 || in.body.Properties != nil && len(in.body.Properties) == 0 {
		return nil, directory.Refuse(directory.ErrInvalid, directory.CodeNothingChosen, "A list is empty, so nothing would be undone.",
			"Name users or properties, or leave the list out.")
	}
	why, err := in.body.explained(by)
	if err != nil {
		return nil, err
	}
	return acceptedRun(a.Runs.Undo(ctx, why, &c, of, runs.UndoRequest{DryRun: in.body.DryRun, UserIDs: in.body.UserIDs, Objects: in.body.Objects, Properties: in.body.Properties}))
}
