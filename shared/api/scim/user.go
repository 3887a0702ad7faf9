package scim

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/people"
	"bindery/shared/directory"
)

// userCall is a request that is about users.
type userCall struct{ *call }

// pushedUser is a user as a resource.
type pushedUser struct{ people.PushedUser }

func (u *pushedUser) id() string { return string(u.User.ID) }

func (u *pushedUser) tag() string { return tagOf(u.User.Version, u.Document.Version) }

// documentOf is what the client has sent of a user.
func documentOf(u *people.PushedUser) (*object, error) {
	if u.Document.Version == 0 {
		return &object{}, nil
	}
	return readObject(u.Document.Body)
}

// asShown is the document that the client sees: what it has sent, and what the user has.
func (c *call) asShown(u *people.PushedUser) (*object, error) {
	doc, err := documentOf(u)
	if err != nil {
		return nil, err
	}
	if unassigned(doc) && !c.client.Strict {
		doc.drop("active") // of a client that was strict then
	}
	doc = overlay(c.mapping, doc, &u.User.Profile, keptOf(u), people.CleanText)
	if u.Document.ExternalID != "" {
		doc.set("externalId", u.Document.ExternalID)
	}
	return doc, nil
}

// pushOf is what a document means as an edit, without the edit. By more than
// people.MostAddresses of its addresses, as the proxy addresses that Entra ID sends, nobody is
// found; the document has them.
func (c *call) pushOf(doc *object) (people.UserPush, error) {
	doc = doc.clone()
	p := people.UserPush{ExternalID: doc.text("externalId"), Edit: map[string]string{}}
	doc.set("externalId", nil)
	emails := elements(doc.get("emails"))
	for _, o := range emails {
		if address := o.text("value"); address != "" && o != mainEmail(emails) {
			p.Addresses = append(p.Addresses, address)
		}
	}
	if n := len(p.Addresses); n > people.MostAddresses {
		c.notes.tell("of %d e-mail addresses beside the first all are kept, and the user is found by %d of them", n, people.MostAddresses)
		p.Addresses = p.Addresses[:people.MostAddresses]
	}
	var b bytes.Buffer
	if err := writeValue(&b, doc); err != nil {
		return p, err
	}
	if p.Body = b.Bytes(); len(p.Body) > maxDocument {
		return p, badRequest(typeInvalidValue, "The user has %d bytes; at most %d are kept. Send fewer attributes, or shorter ones.", len(p.Body), maxDocument)
	}
	return p, nil
}

func (c userCall) create(ctx context.Context, body *object) (resource, error) {
	doc, err := c.users.normalise(body, &c.notes)
	if err != nil {
		return nil, err
	}
	if err := requireName(doc); err != nil {
		return nil, err
	}
	if c.notes.strict && doc.get("emails") == nil {
		return nil, badRequest(typeInvalidValue, "emails is required, and the request has none: send the user's address as that of work.")
	}
	p, err := c.pushOf(doc)
	if err != nil {
		return nil, err
	}
	p.Edit = texts(c.mapping, doc)
	c.tried.user = p
	r, err := c.Pushes.Create(ctx, c.by, &c.client, p, func(now *people.PushedUser) (people.UserPush, error) {
		c.notes.tell("the user was there, and came back")
		back, err := c.replaced(now, doc)
		if _, said := p.Edit["state"]; !said {
			back.Edit["state"] = string(directory.StateActive)
		}
		return back, err
	})
	return c.pushed(r, err)
}

// requireName refuses a user without a name (RFC 7643, 4.1.1). The e-mail address does not
// stand in for it: a PUT that forgets the name would change it.
func requireName(doc *object) error {
	if doc.text("userName") == "" {
		return badRequest(typeInvalidValue, "userName is required. Send the name that the user signs in with.")
	}
	return nil
}

// replaced is what a whole document means for a user who is there (RFC 7644, 3.5.1). What
// it leaves out is cleared only where the client has set it.
func (c *call) replaced(now *people.PushedUser, doc *object) (people.UserPush, error) {
	var p people.UserPush
	stored, err := documentOf(now)
	if err != nil {
		return p, err
	}
	shown, err := c.asShown(now)
	if err != nil {
		return p, err
	}
	if doc, err = c.keepAddress(now, shown, doc.clone(), typeInvalidValue); err != nil {
		return p, err
	}
	if p, err = c.pushOf(doc); err != nil {
		return p, err
	}
	before, sent, after := c.textsOf(now, shown), texts(c.mapping, stored), texts(c.mapping, doc)
	for path, text := range differences(before, after) {
		if text != "" || sent[path] != "" && now.User.Owners[path] == directory.SourceSCIM && path != "email" {
			p.Edit[path] = text
		}
	}
	c.tried.user = p
	again(p.Edit, after, now)
	if _, said := p.Edit["state"]; !said && now.User.State == directory.StateStaged && after["state"] != "" {
		c.notes.tell("active: the user has not started yet, which is shown as false; sent back as it is shown it suspends nobody, a PATCH of active does")
	}
	return p, nil
}

// keepAddress puts the user's own e-mail address back into a document that an edit has left
// without it. A user needs one, and what only moves up because the first one is gone, a
// private address or the user name, was never said to be it: Bindery would give the account
// that address. Another address takes its place when the request says so: one that is new,
// or sent anew, as the primary one, as that of work or as the kind that the own one was.
func (c *call) keepAddress(now *people.PushedUser, before, after *object, keyword string) (*object, error) {
	was, is := mainEmail(elements(before.get("emails"))), mainEmail(elements(after.get("emails")))
	living := now.User.Email
	switch {
	case living == "" || is != nil && directory.FoldAddress(is.text("value")) == directory.FoldAddress(living):
		return after, nil
	case is == nil && was == nil && directory.FoldAddress(living) == directory.FoldAddress(before.text("userName")) && strings.Contains(after.text("userName"), "@"):
		return after, nil // no address was ever sent: it is the user name, and follows it
	case is != nil:
		i := slices.IndexFunc(elements(before.get("emails")), func(o *object) bool { return o != was && sameAddress(o, is) })
		if meansOwn(was, is) && (i < 0 || !sameKind(elements(before.get("emails"))[i], is)) {
			return after, nil
		}
	}
	if successor(was, before, after) {
		return after, nil
	}
	if err := c.notes.bend(keyword, "emails would be without the user's own address, which stays, since a user needs one: send another one as that of work, or as the primary one"); err != nil {
		return nil, err
	}
	own := &object{members: []member{{"value", living}, {"type", "work"}}}
	if was != nil {
		own = was.clone()
		own.set("value", living)
	}
	list := []any{own}
	for _, o := range elements(after.get("emails")) {
		if !sameAddress(o, own) {
			list = append(list, o)
		}
	}
	if primary(elements(list)) == nil {
		own.set("primary", true)
	}
	if isPrimary(own) {
		list = clone(list).([]any)
		onePrimary(list, list[0].(*object))
	}
	after.set("emails", list)
	return after, nil
}

// oneForOne reports whether a PATCH has replaced the list itself of a user who has one e-mail
// address by another one, of whatever kind: it is the user's own then (RFC 7644, 3.5.2.3). A
// PUT says no such thing, since an address may be left out there that is only empty where it
// comes from.
func oneForOne(steps []step, before, after *object) bool {
	was, is := elements(before.get("emails")), elements(after.get("emails"))
	return len(was) == 1 && len(is) == 1 && is[0].text("value") != "" && slices.ContainsFunc(steps, func(s step) bool {
		return s.op == "replace" && s.whole == nil && s.attr.name == "emails" && s.sub == nil && s.where == nil
	})
}

// successor makes a new address the primary one that is sent as the user's own, where one that
// was there beside it stands before it, and none is primary: what replaces the own address by
// a filter may have no type any more. It reports whether there is one.
func successor(was, before, after *object) bool {
	emails, _ := clone(after.get("emails")).([]any)
	if was == nil || primary(elements(emails)) != nil {
		return false
	}
	for _, o := range elements(emails) {
		known := slices.ContainsFunc(elements(before.get("emails")), func(b *object) bool { return sameAddress(o, b) })
		if !known && o.text("value") != "" && meansOwn(was, o) {
			o.set("primary", true)
			after.set("emails", emails)
			return true
		}
	}
	return false
}

// meansOwn reports whether an address is sent as the user's own one, where that was another
// one: of a kind of its own it is one beside it.
func meansOwn(was, is *object) bool {
	t := is.text("type")
	return isPrimary(is) || t == "" || strings.EqualFold(t, "work") || was != nil && strings.EqualFold(t, was.text("type"))
}

func sameAddress(o, p *object) bool {
	return directory.FoldAddress(o.text("value")) == directory.FoldAddress(p.text("value"))
}

func sameKind(o, p *object) bool {
	return strings.EqualFold(o.text("type"), p.text("type")) && isPrimary(o) == isPrimary(p)
}

// textsOf are what the mapping reads of a document that shows a user, but for what it would
// only derive and the user has not: a client for whom that is switched on later gives it
// with its next push.
func (c *call) textsOf(u *people.PushedUser, shown *object) map[string]string {
	all := texts(c.mapping, shown)
	for i := range c.mapping {
		if m := &c.mapping[i]; m.derives() && textOf(&u.User.Profile, m.path) == "" {
			delete(all, m.path)
		}
	}
	return all
}

// again offers what was not taken before once more: a manager may be there by now.
func again(edit, after map[string]string, now *people.PushedUser) {
	for _, path := range now.Document.Kept {
		if _, said := edit[path]; !said && after[path] != "" {
			edit[path] = after[path]
		}
	}
}

func (c *call) pushed(r people.PushResult, err error) (resource, error) {
	for _, note := range r.Notes {
		c.notes.tell("%s", note)
	}
	if err != nil {
		return nil, err
	}
	c.log.UserID, c.log.Changed = r.User.ID, r.Changed
	if at := r.User.WorkAddress.Country; c.client.CountryAsUsageLocation && at != "" && r.User.UsageLocation == "" && slices.Contains(r.Changed, "workAddress.country") {
		c.notes.tell("usageLocation: not taken of the country, which is no code of two letters as DE: without one nobody is given a licence")
	}
	c.log.Suspended = c.log.Method != http.MethodPost && r.User.State == directory.StateSuspended && slices.Contains(r.Changed, "state")
	return &pushedUser{r.PushedUser}, nil
}

func (c userCall) read(ctx context.Context, id string) (resource, error) {
	c.log.UserID = loggedID(directory.UserID(id))
	u, err := c.Pushes.Get(ctx, &c.client, directory.UserID(id))
	return &pushedUser{u}, err
}

func loggedID(id directory.UserID) directory.UserID {
	if id.Valid() && masked(string(id)) == string(id) {
		return id
	}
	return ""
}

func (c userCall) replace(ctx context.Context, id string, body *object, fits fits) (resource, error) {
	c.log.UserID = loggedID(directory.UserID(id))
	doc, err := c.users.normalise(body, &c.notes)
	if err != nil {
		return nil, err
	}
	if err := requireName(doc); err != nil {
		return nil, err
	}
	return c.pushed(c.Pushes.Edit(ctx, c.by, &c.client, directory.UserID(id), func(now *people.PushedUser) (people.UserPush, error) {
		if err := fits((&pushedUser{*now}).tag()); err != nil {
			return people.UserPush{}, err
		}
		return c.replaced(now, doc)
	}))
}

func (c userCall) patch(ctx context.Context, id string, ops []operation, fits fits) (resource, error) {
	c.log.UserID = loggedID(directory.UserID(id))
	c.sent = c.users.nameSent(nil, ops)
	steps, err := c.users.steps(ops, &c.notes)
	if err != nil {
		return nil, err
	}
	return c.pushed(c.Pushes.Edit(ctx, c.by, &c.client, directory.UserID(id), func(now *people.PushedUser) (people.UserPush, error) {
		if err := fits((&pushedUser{*now}).tag()); err != nil {
			return people.UserPush{}, err
		}
		before, err := c.asShown(now)
		if err != nil {
			return people.UserPush{}, err
		}
		after := before.clone()
		if err := c.users.patch(after, steps, &c.notes); err != nil {
			return people.UserPush{}, err
		}
		if before.index("active") >= 0 && after.get("active") == nil {
			c.unassignActive(after)
		}
		if after.text("userName") == "" {
			return people.UserPush{}, badRequest(typeMutability, "userName is required and cannot be removed. Send another one instead.")
		}
		if !oneForOne(steps, before, after) {
			if after, err = c.keepAddress(now, before, after, typeMutability); err != nil {
				return people.UserPush{}, err
			}
		}
		p, err := c.pushOf(after)
		if err != nil {
			return p, err
		}
		meant := texts(c.mapping, after)
		p.Edit = differences(c.textsOf(now, before), meant)
		if meant["state"] != "" && now.User.State == directory.StateStaged && slices.ContainsFunc(steps, func(s step) bool { return s.whole == nil && s.attr.name == "active" }) {
			p.Edit["state"] = meant["state"] // which is shown as not active already; else whoever starts the day's newcomers would start this one
		}
		again(p.Edit, meant, now)
		c.tried.user = p
		if equal(before, after) {
			p.Body, p.Addresses = now.Document.Body, now.Document.Addresses // nothing was asked: what others have set is not the client's by that
		}
		return p, nil
	}))
}

// unassignActive is what becomes of a document without active: whether the user may sign in
// stays as it is, which is told. It is shown all the same, but to a strict client, to whom it
// is unassigned until it sends it again (RFC 7644, 3.5.2.2).
func (c userCall) unassignActive(doc *object) {
	c.notes.tell("active was sent without a value: whether the user is active stays as it is")
	if c.client.Strict && !unassigned(doc) {
		doc.members = append(doc.members, member{"active", nil})
	}
}

func (c userCall) remove(ctx context.Context, id string, fits fits) error {
	c.log.UserID = loggedID(directory.UserID(id))
	err := c.Pushes.Delete(ctx, c.by, &c.client, directory.UserID(id), func(u *people.PushedUser) error { return fits((&pushedUser{*u}).tag()) })
	c.log.Deleted = err == nil
	return err
}

// shown is a user as it is answered.
func (c userCall) shown(ctx context.Context, r resource, p *projection) (*object, error) {
	list, err := c.shownAll(ctx, []*people.PushedUser{&r.(*pushedUser).PushedUser}, p)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func (c *call) shownAll(ctx context.Context, users []*people.PushedUser, p *projection) ([]*object, error) {
	list := make([]*object, len(users))
	groups := map[directory.UserID][]people.PushedGroup{}
	if p.asks("groups") {
		ids := make([]directory.UserID, len(users))
		for i, u := range users {
			ids[i] = u.User.ID
		}
		var err error
		if groups, err = c.Pushes.GroupsOfUsers(ctx, &c.client, ids); err != nil {
			return nil, err
		}
	}
	for i, u := range users {
		o, err := c.whole(u)
		if err != nil {
			return nil, err
		}
		list[i] = o
		c.addGroups(o, groups[u.User.ID])
	}
	if p.wants("manager") {
		_, err := c.addManagers(ctx, list, managers{})
		return list, err
	}
	return list, nil
}

// managers are whom users have as managers, as far as they were looked for: by their names,
// or nil who is not there, or not for the client to see.
type managers map[directory.UserID]*string

// addManagers shows of the managers of some users what they have themselves. It reads those
// who are not known, and tells how many these were.
func (c *call) addManagers(ctx context.Context, users []*object, known managers) (read int, err error) {
	var ids []directory.UserID
	for _, o := range users {
		id := directory.UserID(managerOf(o).text("value"))
		if _, looked := known[id]; !looked && id.Valid() {
			known[id], ids = nil, append(ids, id)
		}
	}
	if len(ids) > 0 {
		names, err := c.Pushes.Names(ctx, &c.client, ids)
		if err != nil {
			return 0, err
		}
		for id, name := range names {
			known[id] = &name
		}
	}
	for _, o := range users {
		m := managerOf(o)
		if name := known[directory.UserID(m.text("value"))]; name != nil { // else the client has named them too early
			m.set("$ref", c.base+"/Users/"+m.text("value"))
			m.set("displayName", *name)
		}
	}
	return len(ids), nil
}

// ofManagers reports whether a filter asks for what managers have themselves.
func ofManagers(e expr) bool {
	switch e := e.(type) {
	case both:
		return ofManagers(e.a) || ofManagers(e.b)
	case either:
		return ofManagers(e.a) || ofManagers(e.b)
	case not:
		return ofManagers(e.of)
	case compare:
		return e.of.attr.name == "manager" && (e.of.where != nil || e.of.sub != nil && e.of.sub.name != "value")
	}
	return false
}

func managerOf(o *object) *object {
	extension, _ := o.get(schemaEnterprise).(*object)
	m, _ := extension.get("manager").(*object)
	return m
}

// whole is a user with everything but what others have of it.
func (c *call) whole(u *people.PushedUser) (*object, error) {
	doc, err := c.asShown(u)
	if err != nil {
		return nil, err
	}
	if doc.get("emails") == nil { // a client that sends none is shown the address all the same
		for i := range c.mapping {
			if m := &c.mapping[i]; m.path == "email" {
				m.write(doc, u.User.Email)
			}
		}
	}
	schemas := []any{schemaUser}
	for _, s := range c.users.extensions {
		if doc.get(s.urn) != nil {
			schemas = append(schemas, s.urn)
		}
	}
	o := obj("schemas", schemas, "id", string(u.User.ID), "externalId", doc.get("externalId"))
	for _, m := range doc.members {
		o.set(m.name, m.value)
	}
	o.set("meta", c.meta(c.users, string(u.User.ID), u.User.Created, (&pushedUser{*u}).tag(), u.User.Updated, u.Document.Updated))
	return o, nil
}

// meta is that of a resource which was updated at some times, the last of which counts.
func (c *call) meta(t *resourceType, id string, created time.Time, tag string, updated ...time.Time) *object {
	last := slices.MaxFunc(updated, time.Time.Compare)
	return obj("resourceType", t.name, "created", stamp(created), "lastModified", stamp(last), "location", c.base+t.endpoint+"/"+id, "version", tag)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (c *call) addGroups(o *object, groups []people.PushedGroup) {
	if len(groups) == 0 {
		return
	}
	list := make([]any, len(groups))
	for i := range groups {
		g := &groups[i].Group
		list[i] = obj("value", string(g.ID), "$ref", c.base+"/Groups/"+string(g.ID), "display", g.Name, "type", "direct")
	}
	o.set("groups", list)
}

// list lists users. A filter that must equal what one user at most has is a look-up; what
// stands beside it is looked at of whom that finds.
func (c userCall) list(ctx context.Context, q *question) (page, error) {
	if slices.ContainsFunc(q.names, func(n string) bool {
		return n == "groups" || n == "groups.value" || n == "groups.display" || n == "groups.$ref" || n == "groups.type"
	}) {
		return page{}, badRequest(typeInvalidFilter, "Users cannot be found by their groups. Ask for groups by members.value.")
	}
	known, named := managers{}, ofManagers(q.filter)
	holds := func(u *people.PushedUser) (bool, error) {
		if q.filter == nil {
			return true, nil
		}
		q.looked += 1 + len(u.Document.Body)/lookedBytes
		o, err := c.whole(u)
		if err == nil && named {
			read := 0
			read, err = c.addManagers(ctx, []*object{o}, known)
			q.looked += read * lookedBeside
		}
		return err == nil && q.filter.holds(o), err
	}
	if err := c.openCursor("users", q); err != nil {
		return page{}, err
	}
	if q.leads == "users" {
		return c.listed(ctx, q, holds)
	}
	found, elsewhere, ok, err := c.keyed(ctx, q, holds)
	if err == nil && elsewhere && q.leads == "" {
		ok, err = c.tooMany(ctx, q)
	}
	if err != nil {
		return page{}, err
	}
	if !ok {
		return c.listed(ctx, q, holds)
	}
	list, p, err := c.keyedPage("users", q, found)
	if err != nil {
		return page{}, err
	}
	p.resources, err = c.shownUsers(ctx, list, &q.projection)
	return p, err
}

func (c *call) shownUsers(ctx context.Context, list []resource, p *projection) ([]*object, error) {
	users := make([]*people.PushedUser, len(list))
	for i, r := range list {
		users[i] = &r.(*pushedUser).PushedUser
	}
	return c.shownAll(ctx, users, p)
}

// mostOfAddress is how many users are looked at who share the second addresses of a filter.
const mostOfAddress = 500

// keyed finds users by keys, where a filter, or each of those that it joins by or, has one.
// elsewhere says that it asks for an address which others may have set as a second one. Users
// of an address that more than mostOfAddress share are not found by it, but by a cursor.
func (c userCall) keyed(ctx context.Context, q *question, holds func(*people.PushedUser) (bool, error)) (list []resource, elsewhere, ok bool, err error) {
	seen := map[string]bool{}
	left := mostOfAddress
	for _, e := range alternatives(q.filter, nil) {
		one := &question{filter: e, eq: conjuncts(e, nil)}
		k, exact, ok := userKey(one)
		if !ok {
			return nil, false, false, nil
		}
		found, err := c.Pushes.Find(ctx, &c.client, k)
		if err != nil {
			return nil, false, true, err
		}
		some, err := those(found, exact, holds)
		if err == nil && len(some) == 0 && k.Email != "" {
			elsewhere = elsewhere || !one.onlyFirst()
			var more bool
			found, more, err = c.Pushes.FindByAddress(ctx, &c.client, k.Email, left)
			switch {
			case more && q.byCursor:
				return nil, false, false, nil
			case more:
				return nil, false, true, badRequest(typeTooMany, "More than %d users share the e-mail addresses that the filter names. Ask by userName or externalId, or page by cursor.", mostOfAddress)
			case err == nil:
				left -= len(found)
				some, err = those(found, false, holds)
			}
		}
		if err != nil {
			return nil, false, true, err
		}
		for _, u := range some {
			if !seen[u.id()] {
				seen[u.id()] = true
				list = append(list, u)
			}
		}
	}
	return list, elsewhere, true, nil
}

// those are whom a filter holds for, of those whom a key has found.
func those(found []people.PushedUser, exact bool, holds func(*people.PushedUser) (bool, error)) ([]resource, error) {
	var list []resource
	for i := range found {
		fits, err := holds(&found[i])
		if err != nil {
			return nil, err
		}
		if fits || exact {
			list = append(list, &pushedUser{found[i]})
		}
	}
	return list, nil
}

// lookedBytes is by how many bytes of what a client has sent of a user it counts once more
// that they are looked at for a filter.
const lookedBytes = 2 << 10

// mostLookedThrough is how many users a directory may have whose further addresses are
// looked through for one that no key has.
const mostLookedThrough = 1000

// tooMany reports whether a directory is too large to be looked through for a user by an
// address that is nobody's own, and that the client has pushed of nobody: others may have set
// it as a second one, which no key has. Nobody is found by it there, which the log tells. Who
// asks for an address looks for somebody to be made if there is nobody, and a refusal would
// keep every newcomer out; the address may then be one person's first and another's second,
// as it may without SCIM. Of what kind the address is asked for makes no difference: what
// others have set is shown as one of type other, and of another type only where the client
// has pushed one of it.
func (c userCall) tooMany(ctx context.Context, q *question) (bool, error) {
	n, err := c.Pushes.Count(ctx, &c.client)
	if err != nil || n <= mostLookedThrough || q.byCursor {
		return false, err
	}
	c.notes.tell("second e-mail addresses that others have set were not looked at")
	return true, nil
}

// listed pages through the users for whom a filter holds.
func (c userCall) listed(ctx context.Context, q *question, holds func(*people.PushedUser) (bool, error)) (page, error) {
	list, p, err := c.walk(ctx, "users", q, func(cursor string, limit int) ([]resource, string, error) {
		if cursor == beyond {
			return nil, "", nil
		}
		found, next, err := c.Pushes.List(ctx, &c.client, cursor, limit, holds)
		list := make([]resource, len(found))
		for i := range found {
			list[i] = &pushedUser{found[i]}
		}
		return list, next, err
	}, func() (int, error) { return c.Pushes.Count(ctx, &c.client) })
	if err != nil {
		return p, err
	}
	p.found = len(list)
	p.resources, err = c.shownUsers(ctx, list, &q.projection)
	return p, err
}

// userKey is the key by which a question finds one user at most. exact says that it asks
// for nothing else, so that whom the key finds is meant, in whatever spelling.
func userKey(q *question) (k people.UserKey, exact, ok bool) {
	_, alone := q.filter.(compare)
	if v, is := q.wanted("", "id", ""); is {
		return people.UserKey{ID: directory.UserID(v)}, false, true
	}
	if v, is := q.wanted("", "externalId", ""); is {
		return people.UserKey{ExternalID: v}, false, true
	}
	if v, is := q.wanted("", "userName", ""); is {
		return people.UserKey{UserName: v}, alone, true
	}
	if v, is := q.wanted("", "emails", "value"); is {
		return people.UserKey{Email: v}, false, true
	}
	return k, false, false
}
