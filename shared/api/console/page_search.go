package console

import (
	"net/http"
	"slices"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

const (
	longestSearch = 200 // as /v1 takes
	mostFound     = 10  // of each kind; the lists go on
)

// searchPage looks for a text in all places: users, groups, connections. An ID of a run
// or of a job leads to its page.
func searchPage(v *visit) (answer, error) {
	text := strings.TrimSpace(clean(v.r.URL.Query().Get("text")))
	switch {
	case text == "":
		return view{title: v.lang.say(textSearch), body: []g.Node{v.empty(textNothingSearched)}}, nil
	case len(text) > longestSearch:
		return v.refusal(http.StatusBadRequest, textSearchTooLong), nil
	case strings.HasPrefix(text, "run_"):
		return redirect{here("runs", text)}, nil
	case strings.HasPrefix(text, "job_"):
		return redirect{here("jobs", text)}, nil
	}
	users := ask[page[directory.User]](v, query("/v1/users", "text", text, "limit", "10"))
	groups := ask[page[directory.Group]](v, query("/v1/groups", "text", text, "limit", "10"))
	conns := ask[page[connection]](v, "/v1/connections?limit=100")
	// Looking for a part of a text reads so many users a call; a whole address is found
	// in any directory.
	exact := later[page[directory.User]]{}
	if strings.Contains(text, "@") {
		exact = ask[page[directory.User]](v, query("/v1/users", "email", text))
	}
	return view{title: v.lang.say(textFoundFor, text), body: []g.Node{
		v.found(textUsers, partly(v, users, func(list page[directory.User]) g.Node { return v.foundUsers(list, exact, text) })),
		v.found(textGroups, partly(v, groups, func(list page[directory.Group]) g.Node {
			items := g.Map(list.Items, func(x directory.Group) g.Node {
				return h.Li(link(here("groups", string(x.ID)), data(x.Name)), g.If(x.Description != "", h.Small(data(x.Description))))
			})
			return v.foundList(items, textNoGroupsMatch, list.Next != "", query("/console/groups", "text", text))
		})),
		v.found(textConnections, partly(v, conns, func(list page[connection]) g.Node {
			var items []g.Node
			for i := range list.Items {
				if c := &list.Items[i]; c.matches(text) {
					items = append(items, h.Li(link(here("connections", string(c.ID)), data(c.Name)), g.Text(" "), v.connectionBadge(c)))
				}
			}
			return v.foundList(items, textNoConnectionMatches, list.Next != "", "/console/connections")
		})),
	}}, nil
}

func (v *visit) found(of text, what g.Node) g.Node {
	return h.Section(h.H2(v.say(of)), what)
}

// foundUsers are those of the list, and before them who has the whole address.
func (v *visit) foundUsers(list page[directory.User], exact later[page[directory.User]], text string) g.Node {
	all := list.Items
	if exact.done != nil {
		if whole, err := exact.get(); err == nil {
			all = append(whole.Items, all...)
		}
	}
	seen := map[directory.UserID]bool{}
	var items []g.Node
	for i := range all {
		u := &all[i]
		if seen[u.ID] || len(items) == mostFound {
			continue
		}
		seen[u.ID] = true
		t, word := stateWord(u.State)
		items = append(items, h.Li(link(here("users", string(u.ID)), data(u.Label())), g.Text(" "), v.badge(t, word), h.Small(data(u.Email))))
	}
	return v.foundList(items, textNoUsersMatch, list.Next != "", query("/console/users", "text", text))
}

// foundList is what was found of one kind; of what was not looked at it says so.
func (v *visit) foundList(items []g.Node, none text, more bool, to string) g.Node {
	on := g.If(more, h.P(link(to, v.say(textSearchOn))))
	switch {
	case len(items) > 0:
		return h.Div(h.Ul(h.Class("found"), g.Group(items)), on)
	case more:
		return h.Div(h.P(h.Class("faint"), v.say(textNothingYetSearchOn)), on)
	}
	return h.P(h.Class("faint"), v.say(none))
}

// matches reports whether a text is in what names a connection.
func (c *connection) matches(text string) bool {
	names := []string{c.Name, string(c.ID), c.ExpectedDomain}
	if c.Tenant != nil {
		names = append(names, c.Tenant.DisplayName, string(c.Tenant.ID))
		for _, d := range c.Tenant.Domains {
			names = append(names, d.Name)
		}
	}
	text = strings.ToLower(text)
	return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(strings.ToLower(name), text) })
}
