package console

import (
	"strings"

	g "maragu.dev/gomponents"

	"bindery/shared/directory"
)

// mostNamed is how many names one call of /v1 gives, mostConnectionsNamed how many of
// them may be of connections, and how many of SCIM clients.
const (
	mostNamed            = 100
	mostConnectionsNamed = 10
)

// naming is what people call some users, groups and connections, on its way.
type naming struct{ asked *later[named] }

type named struct {
	Names names `json:"names"`
}

// nameThem asks for the names of users, groups and connections by their IDs, each once, by
// one call, and by none where there are none. Objects of other kinds are named by the users
// and groups that they are about.
func (v *visit) nameThem(refs []directory.Ref) naming {
	var ids []string
	seen, connections, clients := map[string]bool{}, 0, 0
	for _, r := range refs {
		for id := range strings.SplitSeq(r.ID, ".") { // a membership has the IDs of both
			kind, rest, _ := strings.Cut(id, "_")
			if seen[id] || len(ids) == mostNamed || rest == "" || strings.Contains(id, ",") {
				continue
			}
			switch kind {
			case "con":
				if connections++; connections > mostConnectionsNamed {
					continue
				}
			case "scl":
				if clients++; clients > mostConnectionsNamed {
					continue
				}
			case "usr", "grp":
			default:
				continue
			}
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return naming{}
	}
	asked := ask[named](v, query("/v1/names", "id", strings.Join(ids, ",")))
	return naming{&asked}
}

// get waits for the names. Where they do not come, IDs stand for them.
func (n naming) get() names {
	known := names{}
	if n.asked != nil {
		if answer, err := n.asked.get(); err == nil && answer.Names != nil {
			known = answer.Names
		}
	}
	return known
}

// names are what people call users, groups and connections, by their IDs.
type names map[string]string

// of names a user or a group; its ID, when it has no name.
func (n names) of(id string) string { return orID(n[id], id) }

// namesOf are the names of some users and groups, and of the clients that push.
func (v *visit) namesOf(users []directory.UserID, groups []directory.GroupID, clients ...directory.ScimClientID) names {
	refs := directory.AccountsOf(users)
	for _, id := range clients {
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
