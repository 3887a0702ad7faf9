package scim

import (
	"errors"
	"slices"
	"strings"
)

const schemaPatch = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// operation is one of a PATCH. Without a path, the value's keys are paths.
type operation struct {
	op    string // add, replace or remove
	path  string
	value any
	has   bool // there is a value, be it null
}

// maxOperations bounds how many operations one PATCH has: of one without a path each
// attribute that it names is one.
const maxOperations = 1000

func tooManyOperations() *Problem {
	return badRequest(typeTooMany, "There are more than %d operations; of one without a path, each attribute of its value counts. Send fewer at once.", maxOperations)
}

// readOperations reads the body of a PATCH.
func readOperations(body *object, n *notes) ([]operation, error) {
	list, is := body.get("schemas").([]any)
	if !is || !slices.ContainsFunc(list, func(s any) bool { return strings.EqualFold(plain(s), schemaPatch) }) {
		if err := n.bend(typeInvalidSyntax, "the schemas do not name %s", schemaPatch); err != nil {
			return nil, err
		}
	}
	raw, is := body.get("Operations").([]any)
	switch {
	case body.index("Operations") < 0 || !is:
		return nil, badRequest(typeInvalidSyntax, "The body has no list of Operations. Send what is to be done in one (RFC 7644, 3.5.2).")
	case len(raw) == 0:
		return nil, n.bend(typeInvalidSyntax, "there are no Operations")
	case len(raw) > maxOperations:
		return nil, tooManyOperations()
	}
	ops := make([]operation, 0, len(raw))
	for _, r := range raw {
		o, is := r.(*object)
		if !is {
			return nil, badRequest(typeInvalidSyntax, "An element of Operations is no object. Send each as one with op, path and value.")
		}
		op := operation{op: strings.ToLower(o.text("op")), path: o.text("path"), value: o.get("value"), has: o.index("value") >= 0}
		if _, isText := o.get("path").(string); !isText && o.get("path") != nil {
			return nil, badRequest(typeInvalidPath, "A path must be a text, such as name.givenName.")
		}
		switch op.op {
		case "add", "replace", "remove":
		default:
			return nil, badRequest(typeInvalidSyntax, "The operation %q is none of add, replace and remove. Send one of them.", shortened(o.text("op")))
		}
		for _, m := range o.members {
			if !slices.ContainsFunc([]string{"op", "path", "value"}, func(known string) bool { return strings.EqualFold(m.name, known) }) {
				if err := n.bend(typeInvalidSyntax, "the member %s of an operation is not known and was ignored", attributeText(m.name)); err != nil {
					return nil, err
				}
			}
		}
		some, err := op.split(n)
		if err != nil {
			return nil, err
		}
		if ops = append(ops, some...); len(ops) > maxOperations {
			return nil, tooManyOperations()
		}
	}
	return ops, nil
}

// split makes an operation without a path one for each object of its value.
func (op operation) split(n *notes) ([]operation, error) {
	if op.path != "" || op.op == "remove" {
		return []operation{op}, nil
	}
	if isNone(op.value) {
		return nil, withoutObject()
	}
	list, err := n.objects("an operation without a path", op.value)
	ops := make([]operation, len(list))
	for i, o := range list {
		ops[i] = operation{op: op.op, value: o, has: true}
	}
	return ops, err
}

func withoutObject() *Problem {
	return badRequest(typeInvalidValue, "An operation without a path needs an object as its value.")
}

// withoutID are operations without what only repeats the id of the resource, as authentik does
// in each: that writes nothing.
func withoutID(ops []operation, id string) []operation {
	var kept []operation
	for _, op := range ops {
		if strings.EqualFold(op.path, "id") && op.op != "remove" && op.value == id {
			continue
		}
		if o, is := op.value.(*object); is && op.path == "" && o.get("id") == id {
			o = o.clone()
			o.set("id", nil)
			op.value = o
		}
		kept = append(kept, op)
	}
	return kept
}

// ofItself takes a path that names the resource itself, by the URN of its schema, for none.
func (t *resourceType) ofItself(ops []operation, n *notes) ([]operation, error) {
	var all []operation
	for _, op := range ops {
		if s, rest := t.schemaAt(strings.TrimSpace(op.path)); s == t.core && rest == "" {
			if err := n.bend(typeInvalidPath, "the path %s names the resource itself and was ignored", s.urn); err != nil {
				return nil, err
			}
			op.path = ""
		}
		some, err := op.split(n)
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(all) > maxOperations {
			return nil, tooManyOperations()
		}
	}
	return all, nil
}

// step is what one operation does at one place; an operation without a path has several.
type step struct {
	op string
	place
	value any
	has   bool
}

// steps are those of all operations, in order: every path is read before anything is
// done.
func (t *resourceType) steps(ops []operation, n *notes) ([]step, error) {
	r := stepReader{resourceType: t, n: n}
	for _, op := range ops {
		if err := r.operation(op); err != nil {
			return nil, err
		}
	}
	return r.steps, nil
}

// stepReader makes steps of operations.
type stepReader struct {
	*resourceType
	n     *notes
	steps []step
	read  int // how many there were, with those that are none
}

func (r *stepReader) operation(op operation) error {
	if op.path != "" {
		if !wellFormed(op.path) {
			return badRequest(typeInvalidPath, "The path %q is none. Send one such as emails[type eq \"work\"].value.", shortened(op.path))
		}
		return r.step(op.op, op.path, op.value, op.has)
	}
	if op.op == "remove" {
		return badRequest(typeNoTarget, "A remove needs a path. Send that of the attribute which is to go.")
	}
	o, is := op.value.(*object)
	if !is {
		return withoutObject()
	}
	return r.members(op.op, "", o)
}

// members reads each member of an object as a step at the path that it names.
func (r *stepReader) members(op, before string, o *object) error {
	if r.read+len(o.members) > maxOperations {
		return tooManyOperations()
	}
	for _, m := range o.members {
		if strings.EqualFold(m.name, "schemas") || ignored(m.name, r.n) {
			continue
		}
		if err := r.step(op, before+m.name, m.value, true); err != nil {
			return err
		}
	}
	return nil
}

// step reads a path; what is not known, or not the client's to write, is no step.
func (r *stepReader) step(op, path string, value any, has bool) error {
	if r.read++; r.read > maxOperations {
		return tooManyOperations()
	}
	p, err := r.parsePath(path)
	if unknown, is := errors.AsType[*errUnknown](err); is {
		if ignored(path, r.n) {
			return nil
		}
		return r.n.bend(typeInvalidPath, "the attribute %s is not known and was ignored", attributeText(unknown.name))
	}
	if err != nil {
		return badRequest(typeInvalidPath, "The path %q cannot be followed: %v. Send one such as emails[type eq \"work\"].value.", shortened(path), err)
	}
	if p.whole != nil && op != "remove" {
		return r.extension(op, p, value)
	}
	if p.whole == nil && (p.attr.readOnly() || p.sub != nil && p.sub.readOnly()) {
		return r.n.bend(typeMutability, "%s is not the client's to write and was ignored", p)
	}
	if p.whole == nil && p.attr.name == "schemas" {
		return nil
	}
	if !has && op != "remove" && p.where == nil {
		return badRequest(typeInvalidValue, "The operation %s of %s has no value. Send one, or remove.", op, p)
	}
	r.steps = append(r.steps, step{op, p, value, has})
	return nil
}

// extension reads what is to be of an extension: replaced by nothing it goes.
func (r *stepReader) extension(op string, p place, value any) error {
	if isNone(value) {
		if op == "replace" {
			r.steps = append(r.steps, step{op: "remove", place: p})
		}
		return nil
	}
	list, err := r.n.objects(p.whole.urn, value)
	if err != nil {
		return err
	}
	for _, o := range list {
		if err := r.members(op, p.whole.urn+":", o); err != nil {
			return err
		}
	}
	return nil
}

// patch does the steps on a document, which is as it was after an error only for whoever
// kept a copy. A value that says nothing is thrown away behind them all: a later step may give
// it what the values of its attribute are for.
func (t *resourceType) patch(doc *object, steps []step, n *notes) error {
	p := patching{resourceType: t, doc: doc, n: n, emptied: map[*object]bool{}, loans: map[target]loan{}}
	for _, s := range steps {
		if err := p.do(s); err != nil {
			return err
		}
	}
	var done []target
	for _, s := range steps {
		all := target{extension: s.extension, attr: s.attr}
		if s.whole != nil || !s.attr.multi || slices.Contains(done, all) {
			continue
		}
		done = append(done, all)
		if err := p.finish(all); err != nil {
			return err
		}
	}
	return nil
}

// patching is a PATCH of a document under way.
type patching struct {
	*resourceType
	doc *object
	n   *notes
	// emptied are values that a step has taken away what they said: who does so means it.
	emptied map[*object]bool
	// loans are, by attribute, of a value that became the primary one and said nothing yet.
	loans map[target]loan
}

// loan is which value has lost to which that it is the primary one: where the other is not
// there at the end, it gets that back.
type loan struct{ from, to *object }

// becomesPrimary leaves one of an attribute's values primary.
func (p *patching) becomesPrimary(all target, list []any, o *object) {
	l, lent := p.loans[all]
	for _, v := range list {
		now, is := v.(*object)
		switch {
		case !is || now == o || !isPrimary(now) || all.attr.says(o):
		case lent && now == l.to:
			p.loans[all] = loan{l.from, o}
		default:
			p.loans[all] = loan{now, o}
		}
	}
	if all.attr.says(o) && o != l.to {
		delete(p.loans, all)
	}
	onePrimary(list, o)
}

// finish throws away what of an attribute's values says nothing behind all steps, and all but
// one of those that have become the same.
func (p *patching) finish(all target) error {
	list, _ := p.at(p.doc, all).([]any)
	if err := p.n.test(len(list) * len(list) / 2); err != nil {
		return err
	}
	var kept []any
	l, lent := p.loans[all]
	for _, v := range list {
		o, is := v.(*object)
		if !is || !all.attr.says(o) {
			if is && !p.emptied[o] {
				if err := p.n.saysNothing(all.String(), all.attr); err != nil {
					return err
				}
			}
			continue
		}
		if i := slices.IndexFunc(kept, func(w any) bool { return sameTwice(all.attr, w, v) }); i >= 0 {
			if isPrimary(o) || lent && o == l.from {
				kept[i] = o
			}
			continue
		}
		kept = append(kept, o)
	}
	in := func(o *object) bool { return slices.ContainsFunc(kept, func(v any) bool { return v == any(o) }) }
	if lent && !in(l.to) && in(l.from) && !slices.ContainsFunc(kept, isPrimary) {
		l.from.set("primary", true)
	}
	p.storeMany(all, kept)
	return nil
}

func (p *patching) storeMany(all target, list []any) {
	if len(list) == 0 {
		p.store(p.doc, all, nil)
		return
	}
	p.store(p.doc, all, list)
}

func (p *patching) do(s step) error {
	if s.whole != nil { // which goes: what stands in one is a step for each attribute
		p.doc.set(s.whole.urn, nil)
		return nil
	}
	if s.attr.multi {
		return p.doMany(s)
	}
	if s.where != nil {
		return p.doChosen(s)
	}
	if s.op == "remove" {
		p.store(p.doc, s.target, nil)
		return nil
	}
	of := s.attr
	if s.sub != nil {
		of = s.sub
	}
	v, err := p.n.value(s.String(), of, s.value)
	if err != nil {
		return err
	}
	now, _ := p.at(p.doc, s.target).(*object)
	if o, is := v.(*object); is && now != nil && s.attr.name != "manager" {
		merge(now, o, s.value) // of a complex attribute, what is not named stays (RFC 7644, 3.5.2.3)
		tidy(p.doc, s.target)
		return nil
	}
	p.store(p.doc, s.target, v)
	return nil
}

// merge stores the members of an object in another one; those that were sent and say
// nothing are taken away.
func merge(into, o *object, sent any) {
	if s, is := sent.(*object); is {
		for _, m := range s.members {
			if o.index(m.name) < 0 && !strings.EqualFold(m.name, "$ref") {
				into.set(m.name, nil)
			}
		}
	}
	for _, m := range o.members {
		into.set(m.name, m.value)
	}
}

// at is the value of an attribute in a document, without regard to its parts.
func (t *resourceType) at(doc *object, of target) any {
	if of.extension != "" {
		doc, _ = doc.get(of.extension).(*object)
	}
	if of.sub != nil {
		doc, _ = doc.get(of.attr.name).(*object)
		return doc.get(of.sub.name)
	}
	return doc.get(of.attr.name)
}

// doChosen is a step at a single complex attribute that a filter must hold of:
// manager[value eq "…"].
func (p *patching) doChosen(s step) error {
	now, _ := p.at(p.doc, target{extension: s.extension, attr: s.attr}).(*object)
	if s.op == "remove" && (now == nil || !s.where.holds(now)) {
		return p.n.bend(typeNoTarget, "nothing was at %s", s)
	}
	s.where = nil
	if s.op != "remove" && !s.has {
		return noValue(s)
	}
	return p.do(s)
}

func noValue(s step) *Problem {
	return badRequest(typeInvalidValue, "The operation %s of %s has no value. Send one, or remove.", s.op, s.place)
}

// doMany is a step at a multi-valued attribute.
func (p *patching) doMany(s step) error {
	all := target{extension: s.extension, attr: s.attr}
	list, _ := p.at(p.doc, all).([]any)
	list = slices.Clone(list)
	var err error
	switch {
	case s.where == nil && s.sub == nil:
		list, err = p.manyWhole(list, s)
	default:
		list, err = p.manyChosen(list, s)
	}
	if err != nil {
		return err
	}
	if len(list) > maxValues {
		return badRequest(typeInvalidValue, "%s would have %d values; at most %d are kept. Remove some first.", s.attr.name, len(list), maxValues)
	}
	p.storeMany(all, list)
	return nil
}

// manyWhole is a step at all values of an attribute.
func (p *patching) manyWhole(list []any, s step) ([]any, error) {
	n := p.n
	if s.op == "remove" && !s.has {
		return nil, nil
	}
	v, err := n.value(s.String(), s.attr, s.value)
	if err != nil {
		return nil, err
	}
	sent, _ := v.([]any)
	if s.op != "replace" {
		if err := n.test(len(list) * len(sent)); err != nil {
			return nil, err
		}
	}
	switch s.op {
	case "replace":
		return sent, nil
	case "remove": // Entra names those that go in the value: it may be none
		if v == nil {
			n.tell("the value of the operation remove names none of %s, and none was taken away", s.attr.name)
		}
		return slices.DeleteFunc(list, func(v any) bool {
			return slices.ContainsFunc(sent, func(w any) bool { return sameValue(s.attr, v, w) })
		}), nil
	}
	for _, v := range sent {
		i := slices.IndexFunc(list, func(w any) bool { return sameValue(s.attr, v, w) })
		if i < 0 {
			list = append(list, v)
			continue
		}
		if o, is := list[i].(*object); is {
			next := o.clone()
			merge(next, v.(*object), nil)
			p.carry(o, next, s, v)
			list[i] = next
		}
	}
	if i := slices.IndexFunc(sent, isPrimary); i >= 0 {
		newest := slices.IndexFunc(list, func(w any) bool { return sameValue(s.attr, sent[i], w) })
		p.becomesPrimary(target{extension: s.extension, attr: s.attr}, list, list[newest].(*object))
	}
	return list, nil
}

func isPrimary(v any) bool {
	o, is := v.(*object)
	return is && o.get("primary") == true
}

// sameValue reports whether two values of an attribute are one: the same value, of the
// same type where both have one.
func sameValue(a *attribute, v, w any) bool {
	vo, is := v.(*object)
	wo, both := w.(*object)
	if !is || !both {
		return equal(v, w)
	}
	value := a.child("value")
	if value == nil || vo.get("value") == nil {
		return equal(v, w)
	}
	if t, u := vo.text("type"), wo.text("type"); t != "" && u != "" && !strings.EqualFold(t, u) {
		return false
	}
	return matches(value, "eq", vo.get("value"), wo.get("value"))
}

// manyChosen is a step at those values that a filter holds of, or at a part of all. Where
// it holds of none, one is made that it holds of: replace is add where nothing is.
func (p *patching) manyChosen(list []any, s step) ([]any, error) {
	if err := p.n.test(len(list) * (1 + comparisons(s.where))); err != nil {
		return nil, err
	}
	var chosen []int
	for i, v := range list {
		if o, is := v.(*object); is && (s.where == nil || s.where.holds(o)) {
			chosen = append(chosen, i)
		}
	}
	if s.op == "remove" {
		return p.removeChosen(list, chosen, s)
	}
	if len(chosen) == 0 {
		if s.op == "replace" && s.where != nil {
			if err := p.n.bend(typeNoTarget, "nothing was at %s, so it was added", s); err != nil {
				return nil, err
			}
		}
		made := &object{}
		if s.where != nil {
			fill(made, s.where)
		}
		chosen, list = []int{len(list)}, append(list, made)
	}
	if s.op == "replace" && s.sub == nil && s.has { // all that are chosen become the one that is sent
		for _, i := range slices.Backward(chosen[1:]) {
			list = slices.Delete(list, i, i+1)
		}
		chosen = chosen[:1]
	}
	var last *object
	for _, i := range slices.Backward(chosen) {
		old := list[i].(*object)
		o, err := p.chosenValue(old.clone(), s)
		if err != nil {
			return nil, err
		}
		p.follow(old, o, s)
		if list[i], last = o, o; len(o.members) == 0 {
			list = slices.Delete(list, i, i+1)
		}
	}
	if s.attr.says(last) {
		list = p.oneOfAKind(list, last, s)
	}
	if isPrimary(last) {
		p.becomesPrimary(target{extension: s.extension, attr: s.attr}, list, last)
	}
	return list, nil
}

// follow keeps in mind whether a value that a step has changed was emptied, by that or by one
// before, and which it was.
func (p *patching) follow(old, o *object, s step) {
	p.carry(old, o, s, s.value)
	if p.emptied[old] || s.empties(o) && !s.attr.says(o) {
		p.emptied[o] = true
	}
}

// empties reports whether a step takes away what a value says, or says that it is none,
// whatever is there. o is what the value has become.
func (s *step) empties(o *object) bool {
	if s.sub != nil {
		return isSaid(s.sub.name) && (s.op == "remove" || isNone(s.value))
	}
	v := s.value
	if list, is := v.([]any); is && len(list) == 1 {
		v = list[0]
	}
	sent, _ := v.(*object)
	return s.has && (isNone(v) || isEmptied(sent) && !more(o))
}

// carry keeps in mind what has become of a value that takes part in a loan. That it is not
// the primary one is then so, where a step says it of that which has lost it.
func (p *patching) carry(old, o *object, s step, sent any) {
	all := target{extension: s.extension, attr: s.attr}
	l, lent := p.loans[all]
	switch {
	case !lent:
	case old == l.to:
		p.loans[all] = loan{l.from, o}
	case old == l.from && !saysPrimary(s, sent):
		p.loans[all] = loan{o, l.to}
	case old == l.from:
		delete(p.loans, all)
	}
}

// saysPrimary reports whether a step says of a value whether it is the primary one: one that
// replaces the whole of it does.
func saysPrimary(s step, sent any) bool {
	if s.sub != nil {
		return s.sub.name == "primary"
	}
	o, _ := sent.(*object)
	return s.op == "replace" && s.has || o.get("primary") != nil
}

// isNone reports whether what was sent is no value: null, "" and [] all say so.
func isNone(v any) bool {
	list, is := v.([]any)
	return v == nil || v == "" || is && len(list) == 0
}

// oneOfAKind leaves a value once that has become what another one is.
func (p *patching) oneOfAKind(list []any, v *object, s step) []any {
	return slices.DeleteFunc(list, func(w any) bool {
		other, is := w.(*object)
		if !is || other == v || !sameTwice(s.attr, w, v) {
			return false
		}
		if isPrimary(other) {
			v.set("primary", true)
		}
		all := target{extension: s.extension, attr: s.attr}
		if l, lent := p.loans[all]; lent && other == l.from {
			p.loans[all] = loan{v, l.to}
		}
		return true
	})
}

// removeChosen takes values away, or a part of each.
func (p *patching) removeChosen(list []any, chosen []int, s step) ([]any, error) {
	if len(chosen) == 0 {
		return list, p.n.bend(typeNoTarget, "nothing was at %s", s)
	}
	for _, i := range slices.Backward(chosen) {
		if s.sub == nil {
			list = slices.Delete(list, i, i+1)
			continue
		}
		old := list[i].(*object)
		o := old.clone()
		o.set(s.sub.name, nil)
		p.follow(old, o, s)
		if list[i] = o; len(o.members) == 0 {
			list = slices.Delete(list, i, i+1)
		}
	}
	return list, nil
}

// chosenValue is one value of a multi-valued attribute as a step leaves it; without members it
// goes.
func (p *patching) chosenValue(o *object, s step) (*object, error) {
	if s.sub != nil {
		if !s.has {
			return nil, noValue(s)
		}
		v, err := p.n.value(s.String(), s.sub, s.value)
		switch {
		case err == nil:
			o.set(s.sub.name, v)
		case errors.Is(err, errLeftOut):
			err = nil
		}
		return o, err
	}
	if !s.has {
		return o, nil // members[value eq "…"] says all that there is to say
	}
	value := s.value
	if list, is := value.([]any); is && len(list) == 1 {
		if err := p.n.bend(typeInvalidValue, "%s was sent as a list", s); err != nil {
			return nil, err
		}
		value = list[0]
	}
	if isNone(value) {
		return &object{}, nil
	}
	v, err := p.n.complex(s.String(), s.attr, value)
	if err != nil {
		return nil, err
	}
	if s.op == "replace" {
		o = &object{}
		fill(o, s.where)
	}
	if sent, is := v.(*object); is {
		merge(o, sent, nil)
	}
	return o, nil
}

// fill gives an object what a filter says that it must have.
func fill(o *object, e expr) {
	switch e := e.(type) {
	case both:
		fill(o, e.a)
		fill(o, e.b)
	case compare:
		if e.op != "eq" || e.value == nil || e.value == "" || e.of.attr.readOnly() {
			return
		}
		v := any(plain(e.value))
		if e.of.attr.kind == kindBoolean {
			yes, ok := truth(plain(e.value))
			if !ok {
				return
			}
			v = yes
		}
		o.set(e.of.attr.name, v)
	}
}
