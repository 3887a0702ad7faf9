package graph

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// A reference is an object that becomes a member or an owner of a group, or is none
// any more.
type reference struct {
	relation state.Relation
	object   *state.Object
}

type references []reference

// has tells whether an object is among the references of a relation.
func (b references) has(r state.Relation, id string) bool {
	return slices.ContainsFunc(b, func(ref reference) bool { return ref.relation == r && ref.object.ID == id })
}

// relations are those that the references change.
func (b references) relations() []string {
	var out []string
	for _, r := range state.Relations {
		if slices.ContainsFunc(b, func(ref reference) bool { return ref.relation == r }) {
			out = append(out, string(r))
		}
	}
	return out
}

// maxBound is how many members and owners one request can add.
const maxBound = 20

// bound reads the addresses in a body of those who become members and owners of a
// group: all of them can, or none does.
func (c *call) bound(group *state.Object, body map[string]any) (references, *odata.Error) {
	var b references
	n := 0
	for i, name := range binds {
		list, ok := body[name].([]any)
		if !ok && body[name] != nil {
			return nil, wrongType(name, "Collection(Edm.String)")
		}
		if n += len(list); n > maxBound { // [K]: the words
			return nil, badRequest("The number of references in the request, %d, exceeds maximum of %d.", n, maxBound)
		}
		for _, v := range list {
			o, e := c.linked(state.Text(v))
			if e != nil {
				return nil, e
			}
			r := state.Relations[i]
			if b.has(r, o.ID) {
				return nil, badRequest("Object '[ResourceType=%s,ObjectId=%s]' referenced from '[ResourceType=Group,ObjectId=%s]' can only be present once as an add/remove change.", resourceName(o.Kind), o.ID, group.ID)
			}
			b = append(b, reference{r, o})
		}
	}
	return b, c.addable(group, b)
}

// boundLinks is how many members and owners the body of a call adds to a group.
func (c *call) boundLinks() int {
	if c.path.Names[0] != "groups" || c.method != http.MethodPatch && c.method != http.MethodPost {
		return 0
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(c.body, &body) != nil {
		return 0
	}
	n := 0
	for _, name := range binds {
		var list []any
		if json.Unmarshal(body[name], &list) == nil {
			n += len(list)
		}
	}
	return n
}

// resourceName is what the directory calls a kind of objects.
func resourceName(kind string) string {
	if table := state.TableOf(kind); table != nil {
		return table.Resource
	}
	return "ServicePrincipal"
}

// addable refuses references that a group cannot take.
func (c *call) addable(group *state.Object, b references) *odata.Error {
	owners := 0
	for _, ref := range b {
		if ref.relation == state.Owners {
			owners++
		}
	}
	// The quota is looked at first: it refuses those who are owners already, too.
	if n := len(c.t.Links(state.Owners, group.ID)) + owners; owners > 0 && n > maxOwners {
		return overQuota(fmt.Sprintf("Unable to perform operation as '%d' would exceed the maximum quota count '%d' for forward-link 'owners'.", n, maxOwners))
	}
	for _, ref := range b {
		if c.t.Linked(ref.relation, group.ID, ref.object.ID) {
			return badRequest("One or more added object references already exist for the following modified properties: '%s'.", ref.relation)
		}
		if e := c.holdable(group, ref); e != nil {
			return e
		}
	}
	return nil
}

// holdable refuses an object that this kind of group cannot hold (GG 4).
func (c *call) holdable(group *state.Object, ref reference) *odata.Error {
	o := ref.object
	if o.Kind == servicePrincipalKind && !c.has("Application.ReadWrite.All") {
		return denied()
	}
	switch {
	case ref.relation == state.Owners && o.Kind == state.Group:
		return invalidValue("Group", "owners") // [K]: the words
	case ref.relation == state.Owners:
		return nil
	case o.Kind == state.Group && (group.Flag("isAssignableToRole") || o.Flag("isAssignableToRole")):
		return badRequest("Nesting is currently not supported for groups that can be assigned to a role.")
	case group.Unified() && o.Kind != state.User, o.Unified(): // [K]: that the words are the same in all these cases
		return badRequest("Unified Groups cannot be added to Unified Groups. paramName: Members, paramValue: , objectType: Microsoft.Online.DirectoryServices.Group").
			With(odata.Detail{Code: "InvalidValue", Target: "membersWithLicenseErrors.members", Message: "Unified Groups cannot be added to Unified Groups."})
	}
	return nil
}

// checkFresh is the fault member-lag: a group or an object that was made lately has not
// come to where references are written. stale is the refusal with status 400.
func (c *call) checkFresh(group *state.Object, b references, stale *odata.Error) *odata.Error {
	if len(b) == 0 {
		return nil
	}
	f := c.s.faults.StrikeIf(faults.MemberLag, c.circumstances(), func(f *faults.Fault) bool {
		fresh := func(o *state.Object) bool { return c.now().Sub(o.Created) < f.Duration() }
		existing := c.t.Object(group.ID) != nil
		return existing && fresh(group) || slices.ContainsFunc(b, func(ref reference) bool { return fresh(ref.object) })
	})
	if f == nil {
		return nil
	}
	c.fault = f.ID
	switch {
	case f.Status == http.StatusBadRequest && group.Flag("isAssignableToRole"):
		return invalidReference()
	case f.Status == http.StatusBadRequest:
		return stale
	}
	return notThere(group.ID)
}

// notReplicated refuses a reference to or from what a replica does not have yet.
func notReplicated() *odata.Error {
	return badRequest("The source resource object or one of the objects being referenced do not exist.")
}

// invalidReference is the same of who comes by the reference into a role (GG 22 row 31).
// [K]: that it is said of groups that can be given roles, as of roles themselves, which
// cannot be given here.
func invalidReference() *odata.Error { return badRequest("Not a valid reference update.") }

// bindNotReplicated is the same in the request that makes the group.
func bindNotReplicated() *odata.Error {
	return badRequest("One or more property values specified are invalid.")
}

// linked finds the object that an absolute address names. Host and version of the
// address are not looked at. [K]
func (c *call) linked(link string) (*state.Object, *odata.Error) {
	bad := badRequest("Invalid URL format specified in @odata.id: '%s'.", link)
	u, err := url.Parse(link)
	if err != nil || !u.IsAbs() {
		return nil, bad
	}
	path, e := odata.ParsePath(c.method, u.Path, operations)
	n := len(path.Names)
	if e != nil || n < 2 {
		return nil, bad
	}
	set := path.Names[n-2]
	id := path.Raw[n-1]
	if !slices.Contains([]string{"users", "directoryobjects", "groups", "serviceprincipals"}, set) {
		return nil, bad
	}
	if set != "users" && !state.IsGUID(id) {
		return nil, invalidID(id)
	}
	o := c.known(id)
	if o == nil && set == "users" {
		o, _ = c.lookup(state.User, id)
	}
	if o == nil || !o.Active() {
		return nil, notThere(id)
	}
	if stored := c.t.Object(o.ID); stored != nil {
		return stored, nil
	}
	return o, nil
}

// setLinks adds references to a change in which the group was put, or takes them away,
// and tells of each.
func (c *call) setLinks(ch *state.Change, group *state.Object, b references, is bool) {
	for _, ref := range b {
		ch.Link(group, ref.relation, ref.object.ID, is)
		m := c.mutation(strings.TrimSuffix(string(ref.relation), "s")+map[bool]string{true: "-add", false: "-remove"}[is], group)
		m.Linked = &state.Linked{
			Kind: ref.object.Kind, ID: ref.object.ID, Name: ref.object.Text("displayName"), UPN: ref.object.Text("userPrincipalName"),
			Welcomed: is && ref.relation == state.Members && group.WelcomesMembers(),
		}
		ch.Log(m)
	}
}

// referencesOf are all that a relation of a group leads to.
func (c *call) referencesOf(group *state.Object, r state.Relation) references {
	var b references
	for _, id := range c.t.Links(r, group.ID) {
		b = append(b, reference{r, cmp.Or(c.known(id), &state.Object{ID: id})})
	}
	return b
}

// relink commits one reference of a group, or its end.
func (c *call) relink(o *state.Object, ref reference, is bool) (*reply, *odata.Error) {
	next := o.Clone()
	ch := c.tx.Change(c.t)
	ch.Put(next, string(ref.relation))
	c.setLinks(ch, next, references{ref}, is)
	return commit(ch)
}

// addLink is POST /groups/{id}/members/$ref, and the same of owners.
func addLink(c *call) (*reply, *odata.Error) {
	if len(strings.TrimSpace(string(c.body))) == 0 {
		return nil, badRequest("An unexpected 'EndOfInput' node was found when reading from the JSON reader. A 'StartObject' node was expected.")
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	o, e := c.linkTarget()
	if e != nil {
		return nil, e
	}
	m, e := c.linked(state.Text(body["@odata.id"]))
	if e != nil {
		return nil, e
	}
	b := references{{c.relation(), m}}
	if e := c.checkFresh(o, b, notReplicated()); e != nil {
		return nil, e
	}
	if e := c.addable(o, b); e != nil {
		return nil, e
	}
	return c.relink(o, b[0], true)
}

// linkTarget finds the group of a path, whose members or owners may be changed.
func (c *call) linkTarget() (*state.Object, *odata.Error) {
	r := c.relation()
	scopes := writeMembers
	if r == state.Owners {
		scopes = writeGroups
	}
	if !c.has(scopes...) {
		return nil, denied()
	}
	o, e := c.targetGroup()
	if e != nil {
		return nil, e
	}
	may := c.mayEditMembers
	if r == state.Owners {
		may = func(o *state.Object) *odata.Error { return c.mayEdit(o, groupCreators) }
	}
	if e := may(o); e != nil {
		return nil, e
	}
	return o, memberable(o, r)
}

// removeLink is DELETE /groups/{id}/members/{id}/$ref, and the same of owners.
func removeLink(c *call) (*reply, *odata.Error) {
	o, e := c.linkTarget()
	if e != nil {
		return nil, e
	}
	id := strings.ToLower(c.path.Raw[3])
	if !state.IsGUID(id) {
		return nil, invalidID(id)
	}
	m := c.known(id)
	switch {
	case m == nil || !m.Active():
		return nil, notThere(id)
	case !c.t.Linked(c.relation(), o.ID, id):
		return nil, badRequest("One or more removed object references do not exist for the following modified properties: '%s'.", c.relation())
	case c.relation() == state.Owners && m.Kind == state.User && c.lastOwner(o, id):
		return nil, badRequest("The group must have at least one owner, hence this owner cannot be removed.")
	}
	return c.relink(o, reference{c.relation(), m}, false)
}

// lastOwner tells whether no other user owns a group; applications do not count.
func (c *call) lastOwner(o *state.Object, id string) bool {
	return !slices.ContainsFunc(c.t.Links(state.Owners, o.ID), func(other string) bool {
		m := c.t.Object(other)
		return other != id && m != nil && m.Kind == state.User && m.Active()
	})
}
