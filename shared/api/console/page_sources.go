package console

import (
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// lastJobs is how many loads and imports the page of sources shows.
const lastJobs = 5

// sourcesPage tells what feeds the directory: the identity providers that push, then all
// else.
func sourcesPage(v *visit) (answer, error) {
	jobs := ask[page[job]](v, "/v1/jobs?limit=100")
	edits := ask[page[entry]](v, query("/v1/activity", "byHand", "true", "limit", "1"))
	ad := ask[page[directory.User]](v, query("/v1/users", "source", string(directory.SourceAD), "limit", "100"))
	clients := ask[page[scimClient]](v, query("/v1/scim-clients", "limit", "50", "next", v.r.URL.Query().Get("next")))
	list, err := jobs.get()
	of := func(none text, kinds ...directory.JobKind) g.Node {
		if err != nil {
			return v.missing(err)
		}
		some := slices.DeleteFunc(slices.Clone(list.Items), func(j job) bool { return !slices.Contains(kinds, j.Kind) })
		if len(some) == 0 {
			return v.empty(none)
		}
		return v.jobTable(some[:min(len(some), lastJobs)])
	}
	return view{title: v.lang.say(textSources), section: "/console/sources", head: []g.Node{v.linkButton(scopeAdmin, "/console/sources/new", textAddSource, "")}, body: []g.Node{
		h.P(h.Class("lead"), v.say(textSourcesLead)),
		h.Section(h.H2(v.say(textProviders)), partly(v, clients, v.scimClients), h.P(link(query("/console/users", "source", string(directory.SourceSCIM)), v.say(textLookAtSCIM)))),
		h.Section(h.H2(v.say(textSourceHand)), h.P(v.say(textSourceHandMeans)), partly(v, edits, func(p page[entry]) g.Node {
			if len(p.Items) == 0 {
				return v.empty(textNoEdits)
			}
			return v.lastByHand(&p.Items[0])
		}), h.P(link(query("/console/activity", "byHand", "true"), v.say(textSeeAll)))),
		h.Section(h.H2(v.say(textSourceFiles)), of(textNoLoads, directory.JobLoad, directory.JobLoadGroups, directory.JobCheck, directory.JobCheckGroups), h.Div(h.Class("row"), v.linkButton(scopeWrite, "/console/users/load", textLoadFile, ""))),
		h.Section(h.H2(v.say(textSourceImports)), h.P(v.say(textSourceImportsMeans)), of(textNoImports, directory.JobImport, directory.JobImportGroups), h.P(link("/console/connections", v.say(textConnections)))),
		h.Section(h.H2(v.say(textSourceAD)), h.P(v.say(textSourceADMeans)), partly(v, ad, func(p page[directory.User]) g.Node {
			return v.bringsUsers(p, directory.SourceAD, textNoADUsers)
		})),
		v.asCall("GET", "/v1/scim-clients"), v.asCall("GET", "/v1/jobs")}}, nil
}

// lastByHand is the newest edit of a user, or a group, that somebody has made by hand.
func (v *visit) lastByHand(e *entry) g.Node {
	what := code(e.Kind)
	if word, known := kindWord(directory.AuditKind(e.Kind)); known {
		what = v.say(word)
	}
	did := []g.Node{v.ago(e.At), what}
	if e.By != "" {
		did = append(did, data(e.By))
	}
	to := ""
	switch {
	case len(e.GroupIDs) > 0: // its members are beside it
		to = here("groups", string(e.GroupIDs[0]))
	case e.UserID != "":
		to = here("users", string(e.UserID))
	}
	return facts(v.fact(textLastEdit, dotted(did), g.If(to != "", h.Small(link(to, v.say(textLook))))))
}

// bringsUsers says whether a source has brought anybody, and leads to them. A call of /v1
// looks at a bounded number of users: where it found nobody among those, this says so.
func (v *visit) bringsUsers(p page[directory.User], s directory.Source, none text) g.Node {
	to := query("/console/users", "source", string(s))
	switch {
	case len(p.Items) > 0:
		return h.P(v.badge(toneGood, textBringsUsers), g.Text(" "), link(to, v.say(textLookAtThem)))
	case p.Next != "":
		return v.empty(textNothingYetSearchOn, h.P(link(to, v.say(textSearchOn))))
	}
	return v.empty(none)
}
