package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"bindery/shared/directory"
)

// Write sends at most 20 writes, to different objects, in one request and
// answers each in its place; additions of members to one group go out as one item
// (directory.WriteRequests). An error means that nothing is known of any of them:
// they may have taken effect, unless it is directory.ErrNotSent,
// directory.ErrUnauthorized or a *directory.ThrottledError, which say that none
// did. A batch that takes access away goes with high priority.
func (t *Tenant) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if err := checkBatch(writes); err != nil {
		return nil, err
	}
	outcomes := make([]directory.Outcome, len(writes))
	requests := directory.WriteRequests(writes)
	items := make([]batchItem, 0, len(requests))
	sent := make([]directory.WriteRequest, 0, len(requests))
	priority := priorityLow
	for _, r := range requests {
		item, problem := t.newItem(writes, r.Places)
		if problem != nil {
			for _, i := range r.Places {
				outcomes[i] = directory.Outcome{AccountID: writes[i].AccountID, Problem: problem}
			}
			continue
		}
		if e := writes[r.Places[0]].Effect; e == directory.EffectBlock || e == directory.EffectRevoke {
			priority = priorityHigh
		}
		items, sent = append(items, item), append(sent, r)
	}
	if len(items) == 0 {
		return outcomes, nil
	}
	if turns := inTurn(writes); turns { // a batch is all in turn or all side by side
		for n := range items {
			items[n].inTurn = true
		}
	}
	ctx, call, cancel := t.begin(ctx, priority)
	defer cancel()
	answers, err := t.batch(ctx, call, items)
	if err != nil {
		return nil, t.graph.explainWrite(ctx, call, err)
	}
	for n := range answers {
		shared := len(sent[n].Places) > 1
		for _, i := range sent[n].Places {
			outcomes[i] = t.outcome(&writes[i], &answers[n], shared)
			outcomes[i].Behind = items[n].inTurn && n > 0 && answers[n].status == http.StatusFailedDependency
		}
	}
	t.lookAfter(ctx, writes, outcomes)
	return outcomes, nil
}

// inTurn reports whether writes must be done one after the other: Microsoft does not take
// two to one group side by side (GG 3.4), and removals go one by one.
func inTurn(writes []directory.Write) bool {
	of := map[directory.TenantGroupID]bool{}
	for i := range writes {
		w := &writes[i]
		if w.Effect != directory.EffectMemberRemove {
			continue
		}
		if of[w.GroupID] {
			return true
		}
		of[w.GroupID] = true
	}
	return false
}

// checkBatch refuses what cannot be one batch: Graph runs its items side by side,
// so that two writes to one object would race. (Members of one group go in turn.)
func checkBatch(writes []directory.Write) error {
	if len(writes) > batchSize {
		return fmt.Errorf("%w: %d writes at once, at most %d: %w", directory.ErrNotSent, len(writes), batchSize, directory.ErrInvalid)
	}
	seen, serial := make(map[string]bool, len(writes)), 0
	for i := range writes {
		w := &writes[i]
		if w.Effect.Row().Serial {
			serial++
		}
		what := writtenTo(w)
		if what != "" && seen[what] {
			return fmt.Errorf("%w: two writes at once to %s: %w", directory.ErrNotSent, what, directory.ErrInvalid)
		}
		seen[what] = true
	}
	if serial > 1 {
		return fmt.Errorf("%w: %d changes of licences at once, of which a tenant takes one at a time: %w", directory.ErrNotSent, serial, directory.ErrInvalid)
	}
	return nil
}

// writtenTo names what a write changes; "" when it makes an account.
func writtenTo(w *directory.Write) string {
	switch {
	case w.Effect == directory.EffectCreate:
		return ""
	case w.Effect == directory.EffectGroupCreate:
		return "the new group " + w.NewGroup.UniqueName
	case w.Effect == directory.EffectMemberAdd, w.Effect == directory.EffectMemberRemove:
		return "the membership of " + string(w.AccountID) + " in group " + string(w.GroupID)
	case w.GroupID != "":
		return "group " + string(w.GroupID)
	}
	return "account " + string(w.AccountID)
}

// newItem makes the request of some writes that go out together.
func (t *Tenant) newItem(writes []directory.Write, places []int) (batchItem, *directory.Problem) {
	w := &writes[places[0]]
	if build, known := newItems[w.Effect]; known {
		if len(places) > 1 {
			return t.membersItem(writes, places)
		}
		return build(t, w)
	}
	return accountItem(w)
}

// accountItem makes the request of a write to an account.
func accountItem(w *directory.Write) (batchItem, *directory.Problem) {
	if !w.Object.IsZero() {
		return batchItem{}, unfit("There is no request for objects of the kind " + string(w.Object.Kind))
	}
	if w.Effect == directory.EffectCreate {
		return createItem(w)
	}
	if !validID(string(w.AccountID)) {
		return batchItem{}, unfit("A write needs the id of an account")
	}
	account := "/users/" + url.PathEscape(string(w.AccountID))
	switch w.Effect {
	case directory.EffectUpdate, directory.EffectUpdateSensitive, directory.EffectRename, directory.EffectBlock, directory.EffectUnblock:
		if len(w.Properties) == 0 {
			return batchItem{}, unfit("An update needs at least one property")
		}
		return withBody(http.MethodPatch, account, body(w.Properties, false))
	case directory.EffectRevoke:
		return batchItem{Method: http.MethodPost, URL: account + "/revokeSignInSessions"}, nil
	case directory.EffectDelete:
		return batchItem{Method: http.MethodDelete, URL: account}, nil
	case directory.EffectRestore:
		return batchItem{Method: http.MethodPost, URL: "/directory/deletedItems/" + url.PathEscape(string(w.AccountID)) + "/restore"}, nil
	}
	return batchItem{}, unfit("There is no request for the effect " + string(w.Effect))
}

func createItem(w *directory.Write) (batchItem, *directory.Problem) {
	if w.Password.IsZero() {
		return batchItem{}, unfit("A new account needs a password")
	}
	b := body(w.Properties, true)
	b["passwordProfile"] = map[string]any{
		"password": w.Password.Reveal(), "forceChangePasswordNextSignIn": w.ForceChangePassword,
	}
	if w.OnPremisesImmutableID != "" {
		b["onPremisesImmutableId"] = w.OnPremisesImmutableID
	}
	return withBody(http.MethodPost, "/users", b)
}

func withBody(method, path string, body map[string]any) (batchItem, *directory.Problem) {
	raw, err := json.Marshal(body)
	if err != nil {
		return batchItem{}, unfit("A property's value cannot be encoded")
	}
	return batchItem{Method: method, URL: path, Headers: map[string]string{"Content-Type": "application/json"}, Body: raw}, nil
}

// body spells properties as Graph does: extension attributes in an object of
// their own, null to clear a value and [] to clear a list. A new account has
// nothing to clear.
func body(p directory.Properties, fresh bool) map[string]any {
	out := make(map[string]any, len(p)+1)
	nested := map[string]any{}
	for name, v := range p {
		var value any = v
		switch {
		case v.IsNull() && fresh:
			continue
		case v.IsNull() && isList(name):
			value = []string{}
		}
		if directory.IsExtensionAttribute(name) {
			nested[name] = value
			continue
		}
		out[name] = value
	}
	if len(nested) > 0 {
		out[extensions] = nested
	}
	return out
}

func isList(property string) bool {
	a, known := directory.AttributeOf(property)
	return known && a.Type == directory.TypeList
}

// outcome says what one answer means for its write, which may have shared the request
// with others.
func (t *Tenant) outcome(w *directory.Write, a *batchAnswer, shared bool) directory.Outcome {
	o := directory.Outcome{Status: a.status, AccountID: w.AccountID, RequestID: a.header.Get("request-id")}
	if a.status >= 200 && a.status < 300 {
		return applied(o, w, a)
	}
	v := a.classify(askedBy(w))
	if !shared && soAlready(w, v) {
		o.Already = true
		return o // what was wanted is so
	}
	_, o.RetryAfter = a.again(v, t.graph.now())
	o.Problem = v.problem
	o.Retry = v.retry
	o.Unknown = v.unknown
	o.Shared = shared && !v.retry && !v.unknown
	o.NotVisible = notVisible(w, v)
	if v.throttled {
		o.Scope = throttleScope(a.header)
	}
	if v.problem.Code == directory.CodeLicenseBusy {
		o.RetryAfter = max(o.RetryAfter, tenantBusy)
	}
	if o.RequestID == "" {
		o.RequestID = v.problem.RequestID
	}
	return o
}

// applied reads the answer to a write that took effect.
func applied(o directory.Outcome, w *directory.Write, a *batchAnswer) directory.Outcome {
	switch w.Effect {
	case directory.EffectCreate, directory.EffectRestore:
	case directory.EffectGroupCreate, directory.EffectGroupRestore:
		return appliedGroup(o, w, a)
	default:
		return o
	}
	account, err := decodeAccount(a.body, selection{})
	switch {
	case err == nil:
		o.AccountID = account.ID
		o.UserPrincipalName = account.UserPrincipalName()
		o.Properties = account.Properties
	case w.Effect == directory.EffectCreate:
		// Made, but we do not know its id: it has to be looked up.
		o.Unknown = true
		o.Problem = unnamed(&o)
	}
	return o
}

// unnamed is the problem of a creation whose answer has no ID.
func unnamed(o *directory.Outcome) *directory.Problem {
	return &directory.Problem{
		Code: directory.CodeOutcomeUnknown, Message: "Microsoft's answer to a creation has no id.", Next: "It is looked up by itself.",
		RequestID: o.RequestID, MicrosoftStatus: o.Status,
	}
}

// explainWrite turns the failure of a whole batch into an error that says whether
// it may have taken effect.
func (g *Graph) explainWrite(ctx context.Context, call *call, err error) error {
	r, refused := errors.AsType[*refusal](err)
	if !refused {
		explained := g.explain(ctx, err, false)
		if call.sent {
			return fmt.Errorf("%w: %w", directory.ErrUnverified, explained)
		}
		return fmt.Errorf("%w: %w", directory.ErrNotSent, explained)
	}
	v := classify(r.status, r.header, r.body, asked{})
	switch {
	case r.status == http.StatusUnauthorized, v.throttled, r.status < 400:
		return g.explainRefusal(r, asked{}, false)
	case v.unknown && r.status != http.StatusNotFound:
		return fmt.Errorf("%w: %w: %w", directory.ErrUnverified, directory.ErrUnavailable, v.problem)
	}
	// The batch was refused as it was, before any of its items.
	return fmt.Errorf("%w: %w", directory.ErrNotSent, v.problem)
}
