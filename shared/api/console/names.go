package console

import (
	"strings"

	g "maragu.dev/gomponents"

	"bindery/shared/directory"
)

// mostNamed is how many names one call of /v1 gives.
const mostNamed = 100

// naming is what people call some users and groups, on its way.
type naming struct {
	users  *later[page[directory.User]]
	groups *later[page[directory.Group]]
}

// nameThem asks for the names of users and groups by their IDs, each once: one call for
// users, one for groups, none where there are none. Objects of other kinds are named by
// the users and groups that they are about.
func (v *visit) nameThem(refs []directory.Ref) naming {
	var users, groups []string
	seen := map[string]bool{}
	for _, r := range refs {
		for id := range strings.SplitSeq(r.ID, ".") { // a membership has the IDs of both
			switch {
			case seen[id]:
			case strings.HasPrefix(id, "usr_") && len(users) < mostNamed:
				users = append(users, id)
			case strings.HasPrefix(id, "grp_") && len(groups) < mostNamed:
				groups = append(groups, id)
			}
			seen[id] = true
		}
	}
	var n naming
	if len(users) > 0 {
		asked := ask[page[directory.User]](v, query("/v1/users", "id", strings.Join(users, ",")))
		n.users = &asked
	}
	if len(groups) > 0 {
		asked := ask[page[directory.Group]](v, query("/v1/groups", "id", strings.Join(groups, ",")))
		n.groups = &asked
	}
	return n
}

// get waits for the names. Where they do not come, IDs stand for them.
func (n naming) get() names {
	known := names{}
	if n.users != nil {
		list, _ := n.users.get()
		for i := range list.Items {
			known[string(list.Items[i].ID)] = displayName(&list.Items[i])
		}
	}
	if n.groups != nil {
		list, _ := n.groups.get()
		for i := range list.Items {
			known[string(list.Items[i].ID)] = list.Items[i].Name
		}
	}
	return known
}

// names are what people call users and groups, by their IDs.
type names map[string]string

// of names a user or a group; its ID, when it has no name.
func (n names) of(id string) string { return orID(n[id], id) }

// namesOf are the names of some users and groups.
func (v *visit) namesOf(users []directory.UserID, groups []directory.GroupID) names {
	var refs []directory.Ref
	for _, id := range users {
		refs = append(refs, directory.Ref{ID: string(id)})
	}
	for _, id := range groups {
		refs = append(refs, directory.Ref{ID: string(id)})
	}
	return v.nameThem(refs).get()
}

// show shows the name of a user, a group or a connection; its ID as such, when it has none.
func (n names) show(id string) g.Node {
	if name := n[id]; name != "" {
		return data(name)
	}
	return code(id)
}
