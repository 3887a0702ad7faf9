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
		ops = append(ops, op)
	}
	return ops, nil
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
	for i := range ops {
		if s, rest := t.schemaAt(strings.TrimSpace(ops[i].path)); s == t.core && rest == "" {
			if err := n.bend(typeInvalidPath, "the path %s names the resource itself and was ignored", s.urn); err != nil {
				return nil, err
			}
			ops[i].path = ""
		}
	}
	return ops, nil
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
	o, is := op.value.(*object)
	if op.op == "remove" {
		return badRequest(typeNoTarget, "A remove needs a path. Send that of the attribute which is to go.")
	}
	if !is {
		return badRequest(typeInvalidValue, "An operation without a path needs an object as its value.")
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
		o, is := value.(*object)
		if !is {
			return badRequest(typeInvalidValue, "The value of %s must be an object.", p.whole.urn)
		}
		return r.members(op, p.whole.urn+":", o)
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

// patch does the steps on a document, which is as it was after an error only for whoever
// kept a copy.
func (t *resourceType) patch(doc *object, steps []step, n *notes) error {
	for _, s := range steps {
		if err := t.do(doc, s, n); err != nil {
			return err
		}
	}
	return nil
}

func (t *resourceType) do(doc *object, s step, n *notes) error {
	if s.whole != nil { // which goes: what stands in one is a step for each attribute
		doc.set(s.whole.urn, nil)
		return nil
	}
	if s.attr.multi {
		return t.doMany(doc, s, n)
	}
	if s.where != nil {
		return t.doChosen(doc, s, n)
	}
	if s.op == "remove" {
		t.store(doc, s.target, nil)
		return nil
	}
	of := s.attr
	if s.sub != nil {
		of = s.sub
	}
	v, err := n.value(s.String(), of, s.value)
	if err != nil {
		return err
	}
	now, _ := t.at(doc, s.target).(*object)
	if o, is := v.(*object); is && now != nil && s.attr.name != "manager" {
		merge(now, o, s.value) // of a complex attribute, what is not named stays (RFC 7644, 3.5.2.3)
		tidy(doc, s.target)
		return nil
	}
	t.store(doc, s.target, v)
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
func (t *resourceType) doChosen(doc *object, s step, n *notes) error {
	now, _ := t.at(doc, target{extension: s.extension, attr: s.attr}).(*object)
	if s.op == "remove" && (now == nil || !s.where.holds(now)) {
		return n.bend(typeNoTarget, "nothing was at %s", s)
	}
	s.where = nil
	if s.op != "remove" && !s.has {
		return badRequest(typeInvalidValue, "The operation %s of %s has no value. Send one, or remove.", s.op, s.place)
	}
	return t.do(doc, s, n)
}

// doMany is a step at a multi-valued attribute.
func (t *resourceType) doMany(doc *object, s step, n *notes) error {
	all := target{extension: s.extension, attr: s.attr}
	list, _ := t.at(doc, all).([]any)
	list = slices.Clone(list)
	var err error
	switch {
	case s.where == nil && s.sub == nil:
		list, err = manyWhole(list, s, n)
	default:
		list, err = manyChosen(list, s, n)
	}
	if err != nil {
		return err
	}
	if len(list) > maxValues {
		return badRequest(typeInvalidValue, "%s would have %d values; at most %d are kept. Remove some first.", s.attr.name, len(list), maxValues)
	}
	if len(list) == 0 {
		t.store(doc, all, nil)
	} else {
		t.store(doc, all, list)
	}
	return nil
}

// manyWhole is a step at all values of an attribute.
func manyWhole(list []any, s step, n *notes) ([]any, error) {
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
			list[i], v = next, next
		}
	}
	if i := slices.IndexFunc(sent, isPrimary); i >= 0 {
		newest := slices.IndexFunc(list, func(w any) bool { return sameValue(s.attr, sent[i], w) })
		list = clone(list).([]any)
		onePrimary(list, list[newest].(*object))
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
func manyChosen(list []any, s step, n *notes) ([]any, error) {
	if err := n.test(len(list) * (1 + comparisons(s.where))); err != nil {
		return nil, err
	}
	var chosen []int
	for i, v := range list {
		if o, is := v.(*object); is && (s.where == nil || s.where.holds(o)) {
			chosen = append(chosen, i)
		}
	}
	if s.op == "remove" {
		return removeChosen(list, chosen, s, n)
	}
	if len(chosen) == 0 {
		if s.op == "replace" && s.where != nil {
			if err := n.bend(typeNoTarget, "nothing was at %s, so it was added", s); err != nil {
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
		o, err := chosenValue(list[i].(*object).clone(), s, n)
		if err != nil {
			return nil, err
		}
		if list[i], last = o, o; !says(o) {
			list = slices.Delete(list, i, i+1)
		}
	}
	if says(last) {
		list = oneOfAKind(list, last, s.attr)
	}
	if isPrimary(last) && says(last) {
		list = clone(list).([]any)
		i := slices.IndexFunc(list, func(v any) bool { return equal(v, last) })
		onePrimary(list, list[i].(*object))
	}
	return list, nil
}

// oneOfAKind leaves a value once that has become what another one is.
func oneOfAKind(list []any, v *object, a *attribute) []any {
	return slices.DeleteFunc(list, func(w any) bool {
		other, is := w.(*object)
		if !is || other == v || !sameTwice(a, w, v) {
			return false
		}
		if isPrimary(other) {
			v.set("primary", true)
		}
		return true
	})
}

// removeChosen takes values away, or a part of each; what says nothing then goes as well.
func removeChosen(list []any, chosen []int, s step, n *notes) ([]any, error) {
	if len(chosen) == 0 {
		return list, n.bend(typeNoTarget, "nothing was at %s", s)
	}
	for _, i := range slices.Backward(chosen) {
		o := list[i].(*object).clone()
		if s.sub != nil {
			o.set(s.sub.name, nil)
		}
		if list[i] = o; s.sub == nil || !says(o) {
			list = slices.Delete(list, i, i+1)
		}
	}
	return list, nil
}

// chosenValue is one value of a multi-valued attribute as a step leaves it.
func chosenValue(o *object, s step, n *notes) (*object, error) {
	if s.sub != nil {
		if !s.has {
			return nil, badRequest(typeInvalidValue, "The operation %s of %s has no value. Send one, or remove.", s.op, s.place)
		}
		v, err := n.value(s.String(), s.sub, s.value)
		o.set(s.sub.name, v)
		return o, err
	}
	if !s.has {
		return o, nil // members[value eq "…"] says all that there is to say
	}
	value := s.value
	if list, is := value.([]any); is && len(list) == 1 {
		if err := n.bend(typeInvalidValue, "%s was sent as a list", s); err != nil {
			return nil, err
		}
		value = list[0]
	}
	if value == nil || value == "" {
		return &object{}, nil // which says nothing, and goes
	}
	v, err := n.element(s.String(), s.attr, value)
	if err != nil {
		return nil, err
	}
	sent, is := v.(*object)
	if !is {
		return &object{}, nil
	}
	if s.op == "replace" {
		o = &object{}
		fill(o, s.where)
	}
	merge(o, sent, nil)
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
