package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/protect"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// A second kind, which the engine does not know: lamps with one property, their
// colour. All of it is in this file.

const lampKind directory.Kind = "lamp"

const (
	propColour = "colour"
	lampBase   = "https://lamps.example/lamps"
)

func lampRef(n int) directory.Ref { return directory.Ref{Kind: lampKind, ID: fmt.Sprintf("l%03d", n)} }

// bulb is a lamp in the tenant.
type bulb struct {
	ID     directory.AccountID `json:"id"`
	Name   string              `json:"name"`
	Colour string              `json:"colour"`
}

// hall is the tenant's lamps, behind HTTP.
type hall struct {
	http.RoundTripper                   // for everything else
	mu                sync.Mutex        // of what follows, for requests beside each other
	bulbs             map[string]*bulb  // by name
	writes            []string          // what took effect
	flicker           map[string]string // by name: the colour that it takes instead of what is written
}

func (h *hall) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "lamps.example" {
		return h.RoundTripper.RoundTrip(r)
	}
	var answer any
	if r.Method == http.MethodGet {
		answer = h.all()
	} else {
		var list []bulb
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			return nil, err
		}
		for i := range list {
			h.put(&list[i])
		}
		answer = list
	}
	raw, err := json.Marshal(answer)
	return &http.Response{StatusCode: http.StatusOK, Request: r, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(raw))}, err
}

func (h *hall) all() []bulb {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []bulb{}
	for _, b := range h.bulbs {
		list = append(list, *b)
	}
	return list
}

// put makes a bulb that has no ID yet, or colours one.
func (h *hall) put(b *bulb) {
	h.mu.Lock()
	defer h.mu.Unlock()
	colour := b.Colour
	if f, flickers := h.flicker[b.Name]; flickers {
		colour = f
	}
	if b.ID == "" {
		b.ID = directory.AccountID("bulb-" + b.Name)
		if h.bulbs[b.Name] != nil {
			h.writes = append(h.writes, "made again "+b.Name)
		}
		h.bulbs[b.Name] = &bulb{ID: b.ID, Name: b.Name}
	}
	h.bulbs[b.Name].Colour = colour
	h.writes = append(h.writes, b.Name+" "+b.Colour)
}

// hallPort is the tenant's API with the lamps.
type hallPort struct{ *port }

func (p hallPort) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if writes[0].Object.Kind != lampKind {
		return p.port.Write(ctx, writes)
	}
	list := make([]bulb, len(writes))
	for i, w := range writes {
		list[i] = bulb{ID: w.AccountID, Name: w.Object.ID, Colour: w.Properties[propColour].String()}
	}
	status, h, raw, err := p.do(ctx, http.MethodPost, lampBase, list)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusTooManyRequests:
		return nil, &directory.ThrottledError{RetryAfter: retryAfter(h, time.Second)}
	case status != http.StatusOK:
		return nil, directory.ErrUnavailable
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	out := make([]directory.Outcome, len(list))
	for i := range list {
		out[i] = directory.Outcome{Status: status, AccountID: list[i].ID}
	}
	return out, nil
}

func (p hallPort) lamps(ctx context.Context) (map[string]bulb, error) {
	status, h, raw, err := p.do(ctx, http.MethodGet, lampBase, nil)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusTooManyRequests:
		return nil, &directory.ThrottledError{RetryAfter: retryAfter(h, time.Second)}
	case status != http.StatusOK:
		return nil, directory.ErrUnavailable
	}
	var list []bulb
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	byName := make(map[string]bulb, len(list))
	for _, b := range list {
		byName[b.Name] = b
	}
	return byName, nil
}

// lampStore is what lamps need of package store.
type lampStore interface {
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
}

// lamps are the kind.
type lamps struct {
	store  lampStore
	colour map[string]string // what our directory wants
}

func (k *lamps) Name() directory.Kind { return lampKind }

func (k *lamps) Open(s Slice, tenant Tenant) Objects {
	return &openLamps{kind: k, s: s, port: tenant.(hallPort)}
}

type openLamps struct {
	kind *lamps
	s    Slice
	port hallPort
}

// bound reads the bindings that count.
func (o *openLamps) bound(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	found, err := o.kind.store.BindingsOf(ctx, o.s.Connection().ID, refs)
	out := map[directory.Ref]*directory.Binding{}
	for ref, b := range found {
		if b.Epoch == o.s.Epoch() {
			out[ref] = &b
		}
	}
	return out, err
}

func (o *openLamps) read(ctx context.Context, w Work) (found map[string]bulb, err error) {
	err = w.Read(ctx, 1, func(ctx context.Context) error {
		found, err = o.port.lamps(ctx)
		return err
	})
	return found, err
}

func (o *openLamps) Decide(ctx context.Context, w Work, refs []directory.Ref) (Decided, error) {
	var out Decided
	bound, err := o.bound(ctx, refs)
	if err != nil {
		return out, err
	}
	found, err := o.read(ctx, w)
	if err != nil {
		return out, err
	}
	for _, ref := range refs {
		b := bound[ref]
		if b == nil {
			continue
		}
		d, still := plan.Withhold(plan.Decision{Changes: o.decide(w, b, found)}, b.Declined)
		for _, c := range d.Changes {
			Stamp(&c, b, w.Now().UTC())
			out.Changes = append(out.Changes, c)
		}
		if len(d.Changes) > 0 && b.Agreed == 0 {
			out.Editors = append(out.Editors, b.SelectedBy)
		}
		if len(d.Changes) == 0 {
			out.Unwritten = append(out.Unwritten, agreedLamp(b, still, d.Findings))
		}
	}
	return out, nil
}

// agreedLamp is what it means for a binding that nothing is to be written.
func agreedLamp(b *directory.Binding, still []string, findings []directory.Problem) store.BindingChange {
	wanted := b.Wanted
	return store.BindingChange{Ref: b.Ref(), Mutate: func(b *directory.Binding) bool {
		b.Applied, b.Recheck = max(b.Applied, wanted), false
		if !b.Resting() {
			b.Status, b.Problem, b.Declined, b.Findings = directory.BindingInSync, nil, still, findings
		}
		return true
	}}
}

func (o *openLamps) decide(w Work, b *directory.Binding, found map[string]bulb) []directory.Change {
	ref := b.Ref()
	c := directory.Change{Object: ref, AccountID: b.AccountID, UserPrincipalName: ref.ID, Department: "Hall"}
	is, there := found[ref.ID]
	wanted := directory.StringValue(o.kind.colour[ref.ID])
	switch {
	case b.Resting():
		return nil
	case b.Release != "":
		c.Effect, c.Reason = directory.EffectRelease, "the lamp is let go"
	case b.AccountID == "":
		c.Effect, c.Reason = directory.EffectCreate, "there is no such lamp"
		c.Properties = []directory.PropertyChange{{Name: propColour, After: wanted}}
	case there && is.Colour != wanted.String():
		c.Effect, c.Reason = directory.EffectUpdateSensitive, "the lamp has another colour"
		c.Properties = []directory.PropertyChange{{Name: propColour, Before: directory.StringValue(is.Colour), After: wanted}}
	default:
		return nil
	}
	return []directory.Change{c}
}

func (o *openLamps) Explain(ctx context.Context, w Work, ref directory.Ref) (Explained, error) {
	d, err := o.Decide(ctx, w, []directory.Ref{ref})
	return Explained{Changes: d.Changes}, err
}

func (o *openLamps) Undo(ctx context.Context, w Work, changes []directory.Change) (plan.Undone, error) {
	var out plan.Undone
	var refs []directory.Ref
	for i := range changes {
		refs = append(refs, changes[i].Object)
	}
	bound, err := o.bound(ctx, refs)
	if err != nil {
		return out, err
	}
	found, err := o.read(ctx, w)
	if err != nil {
		return out, err
	}
	for _, c := range changes {
		b, is := bound[c.Object], found[c.Object.ID]
		back := directory.Change{Object: c.Object, AccountID: is.ID, UserPrincipalName: c.UserPrincipalName, Effect: c.Effect, Reason: "undo"}
		left := func(code string) { out.Left = append(out.Left, plan.Left{Object: c.Object, Code: code}) }
		switch {
		case b == nil:
			left(plan.LeftReleased)
			continue
		case c.Effect == directory.EffectCreate:
			back.Effect, back.Created = directory.EffectRelease, true
		case is.Colour != c.After()[propColour].String():
			left(plan.LeftChanged)
			continue
		default:
			p := c.Properties[0]
			back.Properties = []directory.PropertyChange{{Name: propColour, Before: p.After, After: p.Before}}
		}
		back.UserVersion = b.Wanted
		out.Changes = append(out.Changes, back)
	}
	return out, nil
}

func (o *openLamps) Drifted(ctx context.Context, w Work, all []directory.Change, places []int) (map[int]Verdict, error) {
	found, err := o.read(ctx, w)
	out := map[int]Verdict{}
	for _, i := range places {
		c := &all[i]
		if c.Effect == directory.EffectUpdateSensitive && found[c.Object.ID].Colour != c.Properties[0].Before.String() {
			out[i] = Verdict{State: directory.ChangeOutdated, Problem: &directory.Problem{Code: directory.CodeOutdated, Message: "The lamp has another colour by now."}}
		}
	}
	return out, err
}

func (o *openLamps) Names(*directory.Change) (gives, takes string) { return "", "" }

func (o *openLamps) ReadBack(ctx context.Context, w Work, changes []*directory.Change) ([]plan.ReadBack, error) {
	found, err := o.read(ctx, w)
	out := make([]plan.ReadBack, len(changes))
	for n, c := range changes {
		out[n] = plan.ReadAgrees
		if found[c.Object.ID].Colour != c.After()[propColour].String() {
			out[n] = plan.Unread(w.Now().Sub(c.At))
		}
	}
	return out, err
}

func (o *openLamps) Taken(by directory.Ref) *directory.Problem {
	return &directory.Problem{Code: directory.CodeAccountBound, Message: "The lamp is another one's.", Holder: by.ID}
}

func (o *openLamps) Batch(w Work) Batch { return &lampBatch{o: o, w: w} }

type lampBatch struct {
	o     *openLamps
	w     Work
	bound map[directory.Ref]*directory.Binding
}

func (b *lampBatch) Records(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	var err error
	b.bound, err = b.o.bound(ctx, refs)
	return b.bound, err
}

// Confirm looks whether a creation has taken effect already.
func (b *lampBatch) Confirm(ctx context.Context, changes []*directory.Change) ([]Verdict, error) {
	verdicts := make([]Verdict, len(changes))
	found, err := b.o.read(ctx, b.w)
	for n, c := range changes {
		if is, there := found[c.Object.ID]; c.Effect == directory.EffectCreate && there {
			verdicts[n] = Verdict{State: directory.ChangeApplied, Object: is.ID}
		}
	}
	return verdicts, err
}

func (b *lampBatch) Intend(context.Context, []*directory.Change) error { return nil }

func (b *lampBatch) Write(c *directory.Change) protect.Write {
	w := protect.Write{UserPrincipalName: c.UserPrincipalName}
	w.Object, w.Effect, w.AccountID, w.Properties = c.Object, c.Effect, c.AccountID, c.After()
	return w
}

func (b *lampBatch) Sort(*directory.Change, directory.Outcome) Verdict { return Verdict{} }

func (b *lampBatch) Find(ctx context.Context, list []Unanswered) ([]Verdict, error) {
	found, err := b.o.read(ctx, b.w)
	verdicts := make([]Verdict, len(list))
	for n, u := range list {
		is, there := found[u.Change.Object.ID]
		verdicts[n] = Verdict{Hidden: !there}
		if there {
			verdicts[n] = Verdict{State: directory.ChangeApplied, Object: is.ID}
		}
	}
	return verdicts, err
}

func (b *lampBatch) Clarify(context.Context, []directory.Change, map[int]store.Result) {}

func (b *lampBatch) Consequence(f *Fate) Consequence {
	return Consequence{Written: func(bd *directory.Binding) {
		if !f.Applied || f.Change.Effect == directory.EffectRelease {
			return
		}
		bd.LastWrite, bd.UserPrincipalName = f.Now, f.Change.UserPrincipalName
		if bd.Base == nil {
			bd.Base = directory.Properties{}
		}
		if f.Change.Effect == directory.EffectCreate {
			bd.Created = true
		}
		for _, p := range f.Change.Properties {
			bd.Base[p.Name] = p.After
		}
	}}
}

func (b *lampBatch) Journalled(context.Context, []directory.Change, map[int]store.Result) error {
	return nil
}
