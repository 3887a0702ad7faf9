package scim

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/people"
	"bindery/shared/directory"
)

// groupCall is a request that is about groups.
type groupCall struct{ *call }

// pushedGroup is a group as a resource.
type pushedGroup struct{ people.PushedGroup }

func (g *pushedGroup) id() string { return string(g.Group.ID) }

func (g *pushedGroup) tag() string {
	return tagOf(g.Group.Version, g.Group.MembersVersion, g.Document.Version)
}

const (
	// maxAnswered is up to how many members a PATCH is answered with the group, unless it
	// asks for some attributes: of a large one that is pushed in portions, each would be
	// answered with all before it.
	maxAnswered = 100
	// maxListed is how many members the groups of one page have together, at least of one
	// group.
	maxListed = 10_000
)

// lookedBeside is by how many a group counts more that is looked at for a filter which asks
// who is in it, and a user for one that asks who the manager is: that is a read of its own.
const lookedBeside = 9

// memberEdit is what a request wants of the members of a group.
type memberEdit struct {
	all         bool // whoever is not added leaves
	add, remove []directory.UserID
	made        bool // the group is made with those who are added

	// stay are those whom a request names who stay if they are in, though they are not added.
	stay []directory.UserID

	// said is of whom a PATCH says last that they are in, or are not; order is in which
	// order it has named them. Once all is read they are added and removed (settle).
	said  map[directory.UserID]bool
	order []directory.UserID

	// now are the members before the request, once they were read.
	now   []directory.UserID
	shown []*object // as a filter looks at them
	read  bool
	// left are those whom a strict client takes out, who must be among them.
	left []directory.UserID
}

func (e *memberEdit) empty() bool { return !e.all && len(e.add) == 0 && len(e.remove) == 0 }

// say notes of some that they are to be in, or out, whatever was said of them before.
func (e *memberEdit) say(in bool, ids []directory.UserID) {
	if e.said == nil {
		e.said = make(map[directory.UserID]bool, len(ids))
	}
	for _, id := range ids {
		if _, named := e.said[id]; !named {
			e.order = append(e.order, id)
		}
		e.said[id] = in
	}
}

// settle makes of what a PATCH says who is added and who is removed.
func (e *memberEdit) settle() {
	for _, id := range e.order {
		if e.said[id] {
			e.add = append(e.add, id)
		} else {
			e.remove = append(e.remove, id)
		}
	}
}

// without is a list without some.
func without(list, ids []directory.UserID) []directory.UserID {
	if len(list) == 0 || len(ids) == 0 {
		return list
	}
	gone := make(map[directory.UserID]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	return slices.DeleteFunc(list, func(id directory.UserID) bool { return gone[id] })
}

// clear has everybody leave who is not put in from here on.
func (e *memberEdit) clear() {
	e.all, e.said, e.order = true, nil, nil
}

// likeID is what is told of a member as it was sent: of anything else, such as an address,
// only that it was there.
var likeID = directory.Pattern(`^[A-Za-z0-9_-]{1,64}$`)

// members reads the members that a value names; one says that it may be an object, since it
// stands for what a filter has chosen. Groups in groups are left out.
func (c groupCall) members(v any, one bool) ([]directory.UserID, error) {
	list, is := v.([]any)
	if !is && v != nil && v != "" {
		if !one {
			if err := c.notes.bend(typeInvalidValue, "members was not sent as a list"); err != nil {
				return nil, err
			}
		}
		list = []any{v}
	}
	a := c.groups.core.attributes[slices.IndexFunc(c.groups.core.attributes, func(a *attribute) bool { return a.name == "members" })]
	ids := make([]directory.UserID, 0, len(list))
	for _, v := range list {
		if v == nil || v == "" {
			continue
		}
		if o, is := v.(*object); is {
			v = o.clone()
			v.(*object).set("display", nil) // Okta's name of the user, who has one
		}
		e, err := c.notes.complex("members", a, v)
		if err != nil {
			return nil, err
		}
		o, _ := e.(*object)
		if err := c.byReference(o); err != nil {
			return nil, err
		}
		switch id := o.text("value"); {
		case id == "":
			return nil, badRequest(typeInvalidValue, "A member has no value. Send the id of a user as one.")
		case strings.EqualFold(o.text("type"), "Group"):
			if err := c.notes.bend(typeInvalidValue, "a member is a group, and groups in groups are not taken"); err != nil {
				return nil, err
			}
		case !c.notes.strict && !likeID().MatchString(id):
			c.notes.strangers++
		default:
			ids = append(ids, directory.UserID(id))
		}
	}
	return ids, nil
}

// byReference gives a member without a value that of its address (RFC 7643, 4.2: both are
// its id).
func (c groupCall) byReference(o *object) error {
	ref := o.text("$ref")
	kind, id := path.Split(ref)
	if o.text("value") != "" || id == "" {
		return nil
	}
	o.set("value", id)
	if strings.HasSuffix(strings.ToLower(kind), "/groups/") {
		o.set("type", "Group")
	}
	return c.notes.bend(typeInvalidValue, "a member was sent by $ref alone")
}

// known has a strict client told of members who are not there; others are left out of
// an edit anyway.
func (c groupCall) known(ctx context.Context, ids []directory.UserID) error {
	if !c.notes.strict {
		return nil
	}
	valid := slices.DeleteFunc(slices.Clone(ids), func(id directory.UserID) bool { return !id.Valid() })
	names, err := c.Pushes.Names(ctx, &c.client, valid)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, there := names[id]; !there {
			return badRequest(typeInvalidValue, "The member %q is no user. Send the user first, or leave the member out.", shortened(string(id)))
		}
	}
	return nil
}

// seen leaves out of those who are added, or removed, whom the client does not see, as if they
// were not there.
func (c groupCall) seen(ctx context.Context, edit *memberEdit) error {
	removed, err := c.Pushes.Seen(ctx, &c.client, edit.remove)
	if err != nil {
		return err
	}
	c.notes.strangers += len(edit.remove) - len(removed)
	edit.remove = removed
	if !c.client.OwnOnly || len(edit.add) == 0 {
		return nil
	}
	names, err := c.Pushes.Names(ctx, &c.client, edit.add)
	if err != nil {
		return err
	}
	named := edit.add
	edit.add = slices.DeleteFunc(slices.Clone(named), func(id directory.UserID) bool { _, there := names[id]; return !there })
	edit.stay = without(slices.Clone(named), edit.add)
	c.notes.strangers += len(edit.stay)
	return nil
}

func (c groupCall) create(ctx context.Context, body *object) (resource, error) {
	doc, edit, _, err := c.groupBody(ctx, body)
	if err != nil {
		return nil, err
	}
	r, err := c.Pushes.CreateGroup(ctx, c.by, &c.client, people.GroupPush{Name: doc.text("displayName"), ExternalID: doc.text("externalId"), Members: slices.Concat(edit.add, edit.stay)})
	if making, is := errors.AsType[*people.GroupInMaking](err); is {
		return nil, &Problem{Status: http.StatusServiceUnavailable, RetryAfter: int(making.Until.Sub(c.Now())/time.Second) + 1, Cause: err,
			Detail: "Another request makes this very group at this moment, or was cut off at it. Nothing was changed; send the same request again then: it is refused if the group is whole, and else makes the rest of it."}
	}
	if err != nil {
		return nil, err
	}
	if r.Resumed {
		c.notes.tell("the group was there, made by a request that was cut off before all members were in it; this one goes on with it")
	}
	edit.made = !r.Resumed
	g, err := c.changed(ctx, r, edit)
	if err != nil {
		if err := c.Pushes.LeaveGroup(ctx, &r.PushedGroup); err != nil { // then the same request is told to come later
			c.Log.WarnContext(ctx, "it was not noted that a group is no longer made", "groupId", r.Group.ID, "error", masked(err.Error()))
		}
	}
	return g, err
}

// groupBody reads the body of a POST or PUT; said reports that it names members.
func (c groupCall) groupBody(ctx context.Context, body *object) (doc *object, edit memberEdit, said bool, err error) {
	members := body.get("members")
	said = body.index("members") >= 0
	body = body.clone()
	body.set("members", nil)
	if doc, err = c.groups.normalise(body, &c.notes); err != nil {
		return nil, edit, said, err
	}
	if doc.text("displayName") == "" {
		return nil, edit, said, badRequest(typeInvalidValue, "displayName is required. Send the name of the group.")
	}
	c.tried.group = people.GroupPush{Name: doc.text("displayName"), ExternalID: doc.text("externalId")}
	if edit.add, err = c.members(members, false); err == nil {
		err = c.known(ctx, edit.add)
	}
	if err == nil {
		err = c.seen(ctx, &edit)
	}
	return doc, edit, said, err
}

// changed does what is wanted of the members of a group that was read or edited. They are
// written in portions, behind the group: what can be refused is refused by then, and what
// is cut off is finished by the same request.
func (c groupCall) changed(ctx context.Context, r people.GroupResult, edit memberEdit) (resource, error) {
	id := r.Group.ID
	c.log.GroupID, c.log.Changed = id, r.Changed
	for _, note := range r.Notes {
		c.notes.tell("%s", note)
	}
	g := &pushedGroup{r.PushedGroup}
	if !edit.empty() {
		if err := c.changeMembers(ctx, &r.Group, edit); err != nil {
			return nil, c.cutOff(ctx, err)
		}
		var err error
		if g.PushedGroup, err = c.Pushes.GetGroup(ctx, &c.client, id); err != nil {
			return nil, c.cutOff(ctx, err)
		}
		if n := r.Group.Members; n > 0 && g.Group.Members == 0 { // it may have been meant
			c.notes.tell("all %d members were taken out", n)
		}
	}
	// All is done that the client asked for: that this could not be noted is nothing to it.
	if err := c.Pushes.FinishGroup(ctx, &c.client, &g.PushedGroup); err != nil {
		c.Log.WarnContext(ctx, "it was not noted that a group has all members that it was made with", "groupId", id, "error", masked(err.Error()))
	}
	return g, nil
}

// cutOff is the error of a request of which a part may be done already.
func (c groupCall) cutOff(ctx context.Context, err error) error {
	busy := errors.Is(err, directory.ErrBusy) || errors.Is(err, directory.ErrStale)
	if len(c.log.Changed) == 0 || !busy {
		return err
	}
	c.Log.WarnContext(ctx, "a SCIM request was cut off", "groupId", c.log.GroupID, "error", masked(err.Error()))
	next := "send the same request again, which does the rest."
	if c.namesVersion() {
		next = "read the group again, and send the request with its new version (ETag), which does the rest."
	}
	return &Problem{Status: http.StatusServiceUnavailable, RetryAfter: 5, Cause: err,
		Detail: "Others edit the same at this moment. A part of the request is done, and not all of it: " + next}
}

// namesVersion reports whether the request is one of the version that it names alone.
func (c groupCall) namesVersion() bool {
	match := strings.TrimSpace(c.request.Header.Get("If-Match"))
	return match != "" && match != "*"
}

func (c groupCall) changeMembers(ctx context.Context, g *directory.Group, edit memberEdit) error {
	if edit.all { // whoever is deleted, too, or they would be in again once they return
		now, err := c.enrolled(ctx, g.ID)
		if err != nil {
			return err
		}
		edit.remove = without(slices.Clone(now), slices.Concat(edit.add, edit.stay))
	}
	var seen *int64
	if c.namesVersion() {
		seen = &g.MembersVersion // as fits has seen it: nobody came between that and what is edited by now
	}
	var moved bool
	var notes []string
	var err error
	if edit.made {
		moved, notes, err = c.Pushes.FillGroup(ctx, c.by, g.ID, edit.add, seen)
	} else {
		moved, notes, err = c.Pushes.ChangeMembers(ctx, c.by, g.ID, edit.add, edit.remove, seen)
	}
	if refusal, is := errors.AsType[*directory.Refusal](err); is && seen != nil && refusal.Code == directory.CodeVersionMismatch {
		p := changedSince()
		if len(c.log.Changed) > 0 {
			p.Detail = "The members have changed since they were read, and stay; what else the request names is done. Read the group again and repeat the request."
		}
		return p
	}
	for _, note := range notes {
		c.notes.tell("%s", note)
	}
	if moved {
		c.log.Changed = append(c.log.Changed, "members")
	}
	return err
}

func (c groupCall) read(ctx context.Context, id string) (resource, error) {
	c.log.GroupID = loggedGroup(id)
	g, err := c.Pushes.GetGroup(ctx, &c.client, directory.GroupID(id))
	return &pushedGroup{g}, err
}

func loggedGroup(id string) directory.GroupID {
	if g := directory.GroupID(id); g.Valid() && masked(id) == id {
		return g
	}
	return ""
}

func (c groupCall) replace(ctx context.Context, id string, body *object, fits fits) (resource, error) {
	c.log.GroupID = loggedGroup(id)
	doc, edit, said, err := c.groupBody(ctx, body)
	if err != nil {
		return nil, err
	}
	if !said {
		c.notes.tell("members was left out, and stays as it is")
	}
	edit.all = said
	r, err := c.Pushes.EditGroup(ctx, c.by, &c.client, directory.GroupID(id), func(now *people.PushedGroup) (people.GroupPush, error) {
		return people.GroupPush{Name: doc.text("displayName"), ExternalID: doc.text("externalId")}, fits((&pushedGroup{*now}).tag())
	})
	if err != nil {
		return nil, err
	}
	return c.changed(ctx, r, edit)
}

func (c groupCall) patch(ctx context.Context, id string, ops []operation, fits fits) (resource, error) {
	c.log.GroupID = loggedGroup(id)
	c.sent = c.groups.nameSent(nil, ops)
	steps, err := c.groups.steps(ops, &c.notes)
	if err != nil {
		return nil, err
	}
	g, err := c.Pushes.GetGroup(ctx, &c.client, directory.GroupID(id))
	if err != nil {
		return nil, err // of a group that the client does not see it learns nothing by its members
	}
	if err := c.tests(&g.Group, steps); err != nil {
		return nil, err
	}
	var edit memberEdit
	var others []step
	for _, s := range steps {
		if s.whole != nil || s.attr.name != "members" {
			others = append(others, s)
			continue
		}
		if err := c.memberStep(ctx, directory.GroupID(id), &edit, s); err != nil {
			return nil, err
		}
	}
	edit.settle()
	if err := c.areIn(ctx, directory.GroupID(id), edit.left); err != nil {
		return nil, err
	}
	if err := c.known(ctx, edit.add); err != nil {
		return nil, err
	}
	if err := c.seen(ctx, &edit); err != nil {
		return nil, err
	}
	r, err := c.Pushes.EditGroup(ctx, c.by, &c.client, directory.GroupID(id), func(now *people.PushedGroup) (people.GroupPush, error) {
		if err := fits((&pushedGroup{*now}).tag()); err != nil {
			return people.GroupPush{}, err
		}
		doc := obj("displayName", now.Group.Name)
		if now.Document.ExternalID != "" {
			doc.set("externalId", now.Document.ExternalID)
		}
		if err := c.groups.patch(doc, others, &c.notes); err != nil {
			return people.GroupPush{}, err
		}
		if doc.text("displayName") == "" {
			return people.GroupPush{}, badRequest(typeMutability, "displayName is required and cannot be removed. Send another one instead.")
		}
		c.tried.group = people.GroupPush{Name: doc.text("displayName"), ExternalID: doc.text("externalId")}
		return c.tried.group, nil
	})
	if err != nil {
		return nil, err
	}
	return c.changed(ctx, r, edit)
}

// memberStep is a step of a PATCH at the members. Whoever is replaced by a filter leaves, and
// those of the value take their place (RFC 7644, 3.5.2.3). A remove with a value takes out
// whom that names, be it nobody: all go only by one without a value.
func (c groupCall) memberStep(ctx context.Context, id directory.GroupID, edit *memberEdit, s step) error {
	everybody := s.op == "remove" && s.where == nil && !s.has
	if s.sub != nil && (s.sub.name != "value" || everybody || c.notes.strict) { // what a member is made of is immutable (RFC 7643, 4.2)
		return c.notes.bend(typeMutability, "%s is not the client's to write and was ignored", s)
	}
	var named []directory.UserID
	if s.where != nil {
		var err error
		if named, err = c.chosen(ctx, id, edit, s.where); err != nil {
			return err
		}
	}
	sent, err := c.members(s.value, s.where != nil)
	switch {
	case err != nil:
		return err
	case everybody:
		edit.clear()
	case s.op == "remove" && s.where != nil:
		c.take(edit, named)
	case s.op == "remove":
		if len(sent) == 0 {
			c.notes.tell("the value of the operation remove names no member, and nobody was taken out")
		}
		c.take(edit, sent)
	case s.op == "replace" && s.where == nil:
		edit.clear()
		edit.say(true, sent)
	case s.op == "replace" && s.has:
		if len(named) == 0 {
			if err := c.notes.bend(typeNoTarget, "nothing was at %s, so it was added", s); err != nil {
				return err
			}
		}
		c.take(edit, named)
		edit.say(true, sent)
	default:
		edit.say(true, append(named, sent...))
	}
	return nil
}

// take takes members out. Of one who is none a strict client is told, by members.
func (c groupCall) take(edit *memberEdit, ids []directory.UserID) {
	if c.notes.strict {
		for _, id := range ids {
			if !edit.said[id] {
				edit.left = append(edit.left, id)
			}
		}
	}
	edit.say(false, ids)
}

// tests refuses filters that would look at the members too often, before anything is read.
func (c groupCall) tests(g *directory.Group, steps []step) error {
	total := 0
	for _, s := range steps {
		if s.whole == nil && s.attr.name == "members" && s.where != nil {
			if _, few := usersNamed(s.where); !few {
				total += g.Members * comparisons(s.where)
			}
		}
	}
	if total > maxTested {
		return tooMuch()
	}
	return nil
}

// usersNamed are those of whom alone a filter of members can hold, where it says so.
func usersNamed(e expr) (ids []directory.UserID, few bool) {
	switch e := e.(type) {
	case both:
		if ids, few = usersNamed(e.a); !few {
			ids, few = usersNamed(e.b)
		}
		return ids, few
	case either:
		a, few := usersNamed(e.a)
		b, too := usersNamed(e.b)
		return append(a, b...), few && too
	case compare:
		if id := directory.UserID(plain(e.value)); e.op == "eq" && e.of.attr.name == "value" && id != "" {
			return []directory.UserID{id}, true
		}
	}
	return nil, false
}

// areIn refuses to take out of a group who is not in it.
func (c groupCall) areIn(ctx context.Context, id directory.GroupID, ids []directory.UserID) error {
	if len(ids) == 0 {
		return nil
	}
	seen, err := c.Pushes.Seen(ctx, &c.client, ids)
	if err != nil {
		return err
	}
	in, err := c.Pushes.AreMembers(ctx, id, seen)
	if err != nil {
		return err
	}
	for _, u := range ids {
		if !in[u] {
			return badRequest(typeNoTarget, "%q is no member. Read the group again, and leave out who is not in it.", shortened(string(u)))
		}
	}
	return nil
}

// enrolled are those who are in a group and whom the client sees, also those who are deleted.
func (c groupCall) enrolled(ctx context.Context, id directory.GroupID) ([]directory.UserID, error) {
	all, err := c.Pushes.Enrolled(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.Pushes.Seen(ctx, &c.client, all)
}

// chosen are the members that a filter within brackets names, of those before the request.
func (c groupCall) chosen(ctx context.Context, id directory.GroupID, edit *memberEdit, e expr) ([]directory.UserID, error) {
	if named, few := usersNamed(e); few {
		return slices.DeleteFunc(named, func(id directory.UserID) bool { return !e.holds(c.userMember(id)) }), nil
	}
	if !edit.read {
		var err error
		if edit.now, err = c.enrolled(ctx, id); err != nil {
			return nil, err
		}
		edit.shown, edit.read = make([]*object, len(edit.now)), true
		for i := range edit.now {
			edit.shown[i] = c.userMember(edit.now[i])
		}
	}
	if err := c.notes.test(len(edit.now) * comparisons(e)); err != nil {
		return nil, err
	}
	var ids []directory.UserID
	for i := range edit.now {
		if e.holds(edit.shown[i]) {
			ids = append(ids, edit.now[i])
		}
	}
	return ids, nil
}

func (c groupCall) remove(ctx context.Context, id string, fits fits) error {
	c.log.GroupID = loggedGroup(id)
	return c.Pushes.DeleteGroup(ctx, c.by, &c.client, directory.GroupID(id), func(g *people.PushedGroup) error { return fits((&pushedGroup{*g}).tag()) })
}

func (c groupCall) member(m *people.Member) *object {
	return obj("value", m.ID, "$ref", c.base+"/Users/"+m.ID, "type", "User")
}

func (c groupCall) userMember(id directory.UserID) *object {
	return c.member(&people.Member{MemberRef: directory.UserMember(id)})
}

// bare is a group without its members.
func (c groupCall) bare(g *people.PushedGroup) *object {
	o := obj("schemas", []any{schemaGroup}, "id", string(g.Group.ID))
	if g.Document.ExternalID != "" {
		o.set("externalId", g.Document.ExternalID)
	}
	o.set("displayName", g.Group.Name)
	o.set("meta", c.meta(c.groups, string(g.Group.ID), g.Group.Created, (&pushedGroup{*g}).tag(), g.Group.Updated, g.Group.MembersUpdated, g.Document.Updated))
	return o
}

func (c groupCall) shown(ctx context.Context, r resource, p *projection) (*object, error) {
	g := r.(*pushedGroup)
	o := c.bare(&g.PushedGroup)
	if !p.wants("members") || g.Group.Members == 0 {
		return o, nil
	}
	if g.Group.Members*(weight(c.member(&people.Member{MemberRef: directory.GroupMember(g.Group.ID)}))+1) > maxAnswer {
		c.notes.tell("the group has %d members, which were left out of the answer", g.Group.Members)
		return o, nil
	}
	members, err := c.Pushes.Members(ctx, g.Group.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.UserID, len(members))
	for i := range members {
		ids[i] = members[i].User()
	}
	if ids, err = c.Pushes.Seen(ctx, &c.client, ids); err != nil || len(ids) == 0 {
		return o, err
	}
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = c.userMember(id)
	}
	o.set("members", list)
	return o, nil
}

// memberValues are the users whose membership a filter asks for.
func memberValues(e expr, ids []directory.UserID) ([]directory.UserID, error) {
	switch e := e.(type) {
	case both:
		ids, err := memberValues(e.a, ids)
		if err != nil {
			return nil, err
		}
		return memberValues(e.b, ids)
	case either:
		return memberValues(both(e), ids)
	case not:
		return memberValues(e.of, ids)
	case compare:
		if e.of.attr.name != "members" {
			return ids, nil
		}
		if named, few := usersNamed(e.of.where); few {
			return append(ids, named...), nil
		}
		if e.op != "eq" || e.of.leaf().name != "value" || e.value == nil {
			return nil, badRequest(typeInvalidFilter, "Of members a filter takes only members eq, or members[value eq …], with the id of a user.")
		}
		ids = append(ids, directory.UserID(plain(e.value)))
	}
	return ids, nil
}

func (c groupCall) list(ctx context.Context, q *question) (page, error) {
	asked, err := memberValues(q.filter, nil)
	if err != nil {
		return page{}, err
	}
	if asked, err = c.Pushes.Seen(ctx, &c.client, asked); err != nil {
		return page{}, err
	}
	holds := func(g *people.PushedGroup) (bool, error) {
		if q.filter == nil {
			return true, nil
		}
		q.looked++
		o := c.bare(g)
		if len(asked) > 0 {
			q.looked += lookedBeside
			in, err := c.Pushes.AreMembers(ctx, g.Group.ID, asked)
			if err != nil {
				return false, err
			}
			var members []any
			for id := range in {
				members = append(members, c.userMember(id))
			}
			o.set("members", members)
		}
		return q.filter.holds(o), nil
	}
	if err := c.openCursor("groups", q); err != nil {
		return page{}, err
	}
	if k, exact, ok := groupKey(q); ok {
		found, err := c.Pushes.FindGroups(ctx, &c.client, k)
		if err != nil {
			return page{}, err
		}
		var list []resource
		for i := range found {
			if fits, err := holds(&found[i]); err != nil {
				return page{}, err
			} else if fits || exact {
				list = append(list, &pushedGroup{found[i]})
			}
		}
		list, p, err := c.keyedPage("groups", q, list)
		if err != nil {
			return page{}, err
		}
		p.resources, err = c.shownAll(ctx, list, &q.projection)
		return p, err
	}
	list, p, err := c.walk(ctx, "groups", q, func(cursor string, limit int) ([]resource, string, error) {
		return c.some(ctx, q, cursor, limit, holds)
	}, func() (int, error) { return c.Pushes.CountGroups(ctx, &c.client) })
	if err != nil {
		return p, err
	}
	p.found = len(list)
	p.resources, err = c.shownAll(ctx, list, &q.projection)
	return p, err
}

// some reads on in the list of groups.
func (c groupCall) some(ctx context.Context, q *question, cursor string, limit int, holds func(*people.PushedGroup) (bool, error)) ([]resource, string, error) {
	if cursor == beyond {
		return nil, "", nil
	}
	found, next, err := c.Pushes.ListGroups(ctx, &c.client, cursor, limit, holds)
	list := make([]resource, len(found))
	for i := range found {
		list[i] = &pushedGroup{found[i]}
	}
	return list, next, err
}

// groupKey is the key by which a question finds few groups at most; see userKey.
func groupKey(q *question) (k people.GroupKey, exact, ok bool) {
	_, alone := q.filter.(compare)
	if v, is := q.wanted("", "id", ""); is {
		return people.GroupKey{ID: directory.GroupID(v)}, false, true
	}
	if v, is := q.wanted("", "externalId", ""); is {
		return people.GroupKey{ExternalID: v}, false, true
	}
	if v, is := q.wanted("", "displayName", ""); is {
		return people.GroupKey{Name: v}, alone, true
	}
	if v, is := q.wanted("", "members", "value"); is {
		return people.GroupKey{Member: directory.UserID(v)}, false, true
	}
	return k, false, false
}

// shownAll are the groups of a page. Where they have very many members together, and
// members are asked for, it is only those before.
func (c groupCall) shownAll(ctx context.Context, groups []resource, p *projection) ([]*object, error) {
	members := 0
	list := make([]*object, len(groups))
	for i, r := range groups {
		if p.wants("members") {
			members += r.(*pushedGroup).Group.Members
		}
		if members > maxListed && i > 0 {
			return list[:i], nil
		}
		o, err := c.shown(ctx, r, p)
		if err != nil {
			return nil, err
		}
		list[i] = o
	}
	return list, nil
}
