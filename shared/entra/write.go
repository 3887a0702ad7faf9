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

// Write sends at most 20 writes, to different accounts, in one request and
// answers each in its place. An error means that nothing is known of any of them:
// they may have taken effect, unless it is directory.ErrNotSent,
// directory.ErrUnauthorized or a *directory.ThrottledError, which say that none
// did. A batch that takes access away goes with high priority.
func (t *Tenant) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if err := checkBatch(writes); err != nil {
		return nil, err
	}
	outcomes := make([]directory.Outcome, len(writes))
	items := make([]batchItem, 0, len(writes))
	places := make([]int, 0, len(writes)) // of the items in outcomes
	priority := priorityLow
	for i := range writes {
		item, problem := newItem(&writes[i])
		if problem != nil {
			outcomes[i] = directory.Outcome{AccountID: writes[i].AccountID, Problem: problem}
			continue
		}
		if e := writes[i].Effect; e == directory.EffectBlock || e == directory.EffectRevoke {
			priority = priorityHigh
		}
		items = append(items, item)
		places = append(places, i)
	}
	if len(items) == 0 {
		return outcomes, nil
	}
	ctx, call, cancel := t.begin(ctx, priority)
	defer cancel()
	answers, err := t.batch(ctx, call, items)
	if err != nil {
		return nil, t.graph.explainWrite(ctx, call, err)
	}
	for n := range answers {
		i := places[n]
		outcomes[i] = t.outcome(&writes[i], &answers[n])
	}
	return outcomes, nil
}

// checkBatch refuses what cannot be one batch: Graph runs its items side by side,
// so that two writes to one account would race.
func checkBatch(writes []directory.Write) error {
	if len(writes) > batchSize {
		return fmt.Errorf("%w: %d writes at once, at most %d: %w", directory.ErrNotSent, len(writes), batchSize, directory.ErrInvalid)
	}
	seen := make(map[directory.AccountID]bool, len(writes))
	for i := range writes {
		id := writes[i].AccountID
		if writes[i].Effect != directory.EffectCreate && seen[id] {
			return fmt.Errorf("%w: two writes at once to account %s: %w", directory.ErrNotSent, id, directory.ErrInvalid)
		}
		seen[id] = true
	}
	return nil
}

// newItem makes the request of one write.
func newItem(w *directory.Write) (batchItem, *directory.Problem) {
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

// outcome says what one answer means for its write.
func (t *Tenant) outcome(w *directory.Write, a *batchAnswer) directory.Outcome {
	o := directory.Outcome{Status: a.status, AccountID: w.AccountID, RequestID: a.header.Get("request-id")}
	if a.status >= 200 && a.status < 300 {
		return applied(o, w, a)
	}
	v := a.classify(askedBy(w))
	if v.missing && w.Effect == directory.EffectDelete {
		return o // gone is what was wanted
	}
	_, o.RetryAfter = a.again(v, t.graph.now())
	o.Problem = v.problem
	o.Retry = v.retry
	o.Unknown = v.unknown
	if v.throttled {
		o.Scope = throttleScope(a.header)
	}
	if o.RequestID == "" {
		o.RequestID = v.problem.RequestID
	}
	return o
}

// applied reads the answer to a write that took effect.
func applied(o directory.Outcome, w *directory.Write, a *batchAnswer) directory.Outcome {
	if w.Effect != directory.EffectCreate && w.Effect != directory.EffectRestore {
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
		o.Problem = &directory.Problem{
			Code: directory.CodeOutcomeUnknown, Message: "Microsoft's answer to a creation has no id.", Next: "It is looked up by itself.",
			RequestID: o.RequestID, MicrosoftStatus: a.status,
		}
	}
	return o
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
