package console

import (
	"encoding/json"
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// proposal is what waits for somebody else to approve it.
type proposal struct {
	directory.Proposal
	Stale bool `json:"stale"`
}

// proposalBoxes are the decisions that a connection waits for by the rule of four eyes.
func (v *visit) proposalBoxes(c *connection) g.Node {
	return g.Group(g.Map(c.Proposals, func(p proposal) g.Node {
		at := below(here("connections", string(c.ID), "proposals"), p.ID)
		approve := v.act(scopeApprove, at+"/approve", textApproveProposal, "primary")
		if p.Lift != nil { // has a page of its own
			approve = v.linkButton(scopeApprove, at, textApproveProposalDots, "primary")
		}
		return v.proposalBox(c, &p, approve)
	}))
}

// proposalBox is what somebody asked for, with what decides about it. Of settings it shows what
// each is and would become: the key alone does not say how much looser.
func (v *visit) proposalBox(c *connection, p *proposal, approve g.Node) g.Node {
	var what g.Node
	switch {
	case p.Lift != nil:
		what = h.P(v.say(textWouldLift, v.lang.count(textMinutes, p.Lift.Minutes)), g.Text(" "), code(string(p.Lift.AccountID)), g.If(p.Lift.Reason != "", g.Group([]g.Node{g.Text(" – "), data(p.Lift.Reason)})))
	default:
		what = h.P(v.say(textLoosens), g.Text(" "), g.Group(g.Map(p.Loosens, func(s string) g.Node { return g.Group([]g.Node{code(s), g.Text(" ")}) })))
		if p.Settings != nil && !p.Stale {
			what = g.Group([]g.Node{what, v.changedSettings(settingChanges(treeOf(&c.Settings), treeOf(p.Settings), true), textIsNow, textWouldBe)})
		}
	}
	switch {
	case p.Stale:
		approve = h.P(v.say(textProposalStale))
	case p.By == v.s.Subject:
		approve = h.P(v.say(textFourEyesOwn))
	}
	return v.box(toneWarn, v.say(textProposal), what, h.P(h.Class("faint"), v.say(textAskedBy), g.Text(" "), data(p.By), g.Text(" · "), v.ago(p.At), g.Text(" · "), v.say(textUntil), g.Text(" "), v.moment(p.Expires)),
		h.Div(h.Class("row"), approve, v.act(scopeApprove, below(here("connections", string(c.ID), "proposals"), p.ID, "decline"), textDeclineProposal, "")))
}

// treeOf is settings as the JSON that they are.
func treeOf(s *directory.Settings) (t tree) {
	raw, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	if err != nil {
		panic(err) // our own type always marshals
	}
	return t
}

// proposalPage is one proposal with what approving it comes to. A lift asks as much of who
// approves it as of who lifts a protection alone.
func proposalPage(v *visit) (answer, error) { return v.proposalView(nil) }

func (v *visit) proposalView(refused *problem) (answer, error) {
	cons, one := ask[connection](v, apiPath("connections", v.id())), ask[proposal](v, apiPath("connections", v.id(), "proposals", v.r.PathValue("proposal")))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	p, err := one.get()
	if err != nil {
		return nil, err
	}
	at := below(here("connections", v.id(), "proposals"), p.ID)
	approve, means := v.act(scopeApprove, at+"/approve", textApproveProposal, "primary"), g.Node(nil)
	if p.Lift != nil {
		means = h.P(h.Class("lead"), v.say(textLiftMeans))
		approve = h.Form(h.Class("decide"), h.Method("get"), h.Action("/console/login"), hidden("fresh", "1"), hidden("to", at), h.P(v.say(textWantsFreshMore)), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSignInAgain)))
		if v.s.fresh(v.now()) {
			approve = h.Form(h.Class("stack"), h.Method("post"), h.Action(at+"/approve"), h.Data("busy", ""), v.field("typed", textTypeAccount, textTypeAccountHelp, "", refused, h.Required()), h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("danger"), v.say(textApproveProposal))))
		}
	}
	page := v.ofConnection(&c, "", v.refused(refused), means, v.proposalBox(&c, &p, approve))
	if refused != nil {
		page.status = refused.Status
	}
	return page, nil
}

// approveProposal does what somebody else has asked for.
func approveProposal(v *visit) (answer, error) {
	path := apiPath("connections", v.id(), "proposals", v.r.PathValue("proposal"))
	var p proposal
	if _, err := v.call(v.ctx, http.MethodGet, path, nil, &p); err != nil {
		return nil, err
	}
	if p.Lift != nil {
		if !v.s.fresh(v.now()) {
			return v.refusal(http.StatusForbidden, textWantsFresh), nil
		}
		if !typedOf(string(p.Lift.AccountID), v.r.PostForm.Get("typed")) {
			return v.proposalView(v.unfitFor("typed", textTypedAccountWrong))
		}
	}
	if _, err := v.call(v.ctx, http.MethodPost, path+"/approve", nil, nil); err != nil {
		return nil, err
	}
	return v.done(here("connections", v.id()), v.lang.say(textProposalApproved)), nil
}

// declineProposal drops what somebody has asked for.
func declineProposal(v *visit) (answer, error) {
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("connections", v.id(), "proposals", v.r.PathValue("proposal"), "decline"), nil, nil); err != nil {
		return nil, err
	}
	return v.done(here("connections", v.id()), v.lang.say(textProposalDeclined)), nil
}

// tenantGroup is a group of a tenant with its verdict.
type tenantGroup struct {
	ID          string            `json:"id"`
	DisplayName string            `json:"displayName"`
	Description string            `json:"description"`
	Mail        string            `json:"mail"`
	Kind        string            `json:"kind"`
	Verdict     string            `json:"verdict"`
	Adoptable   bool              `json:"adoptable"`
	Detail      string            `json:"detail"`
	GroupID     directory.GroupID `json:"groupId"`
	GroupName   string            `json:"groupName"`
}

// tenantGroupsPage lists the groups of a tenant: which of them an export may take over, and
// why not the others.
func tenantGroupsPage(v *visit) (answer, error) {
	id := v.id()
	name, err := parameter(v.r.URL.Query(), "name")
	if err != nil {
		return nil, err
	}
	cons := ask[connection](v, apiPath("connections", id))
	list := ask[page[tenantGroup]](v, query(apiPath("connections", id, "tenant-groups"), "limit", "50", "name", name, "next", v.r.URL.Query().Get("next")))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	group, kind, verdict := column{head: textGroup}, column{head: textKind}, column{head: textVerdict}
	at := here("connections", id)
	return v.ofConnection(&c, "/groups", h.H2(v.say(textTenantGroups)), h.P(h.Class("faint"), v.say(textTenantGroupsLead)),
		h.Form(h.Method("get"), h.Action(at+"/tenant-groups"), h.Class("row search"), h.Role("search"), h.Label(v.say(textNameBegins), h.Input(h.Type("search"), h.Name("name"), h.Value(name), h.MaxLength("100"))), h.Button(h.Type("submit"), v.say(textSearch))),
		partly(v, list, func(p page[tenantGroup]) g.Node {
			if len(p.Items) == 0 && p.Next == "" {
				return v.empty(textNoTenantGroups)
			}
			return h.Div(v.table(textTenantGroups, []column{group, kind, verdict}, g.Map(p.Items, func(x tenantGroup) g.Node {
				t := toneWarn
				word := textNeverWritten
				switch {
				case x.Verdict == "ours":
					t, word = toneGood, textExportedHere
				case x.Adoptable:
					t, word = toneInfo, textAdoptable
				}
				ours := g.Node(nil)
				if x.GroupID != "" {
					ours = h.Small(link(below(at, "groups", string(x.GroupID)), data(orID(x.GroupName, string(x.GroupID)))))
				}
				return h.Tr(v.cell(group, h.Span(h.Class("who"), data(x.DisplayName)), g.If(x.Description != "", h.Small(data(x.Description))), h.Small(code(x.ID))), v.cell(kind, code(x.Kind)), v.cell(verdict, v.badge(t, word), h.Small(v.sentence(x.Detail)), ours))
			})), v.pager(p.Next))
		}), v.asCall("GET", query(apiPath("connections", id, "tenant-groups"), "name", name))), nil
}

// passwordPage says what showing a temporary password comes to.
func passwordPage(v *visit) (answer, error) {
	var u directory.User
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("users", v.id()), nil, &u); err != nil {
		return nil, err
	}
	at := here("users", v.id())
	form := g.Node(h.Form(h.Class("decide"), h.Method("get"), h.Action("/console/login"), hidden("fresh", "1"), hidden("to", at+"/password"), h.P(v.say(textWantsFreshMore)), h.Button(h.Type("submit"), h.Class("primary"), v.say(textSignInAgain))))
	if v.s.fresh(v.now()) {
		form = h.Form(h.Method("post"), h.Action(at+"/password"), h.Class("decide"), h.Data("busy", ""), h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textShowPassword)), link(at, h.Class("button"), v.say(textNotYet))))
	}
	return view{title: v.lang.say(textPasswordTitle, clean(u.Label())), section: "/console/users", crumbs: []crumb{{"/console/users", v.say(textUsers)}, {at, data(u.Label())}}, body: []g.Node{h.P(h.Class("lead"), v.say(textPasswordMeans)), form}}, nil
}

// showPassword shows a temporary password, once: it is on no other page, in no address and
// in no log, and gone when the page is left.
func showPassword(v *visit) (answer, error) {
	var out struct {
		Password string `json:"password"`
	}
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("users", v.id(), "temporary-password"), nil, &out); err != nil {
		return nil, err
	}
	return view{title: v.lang.say(textPasswordShown), section: "/console/users", crumbs: []crumb{{here("users", v.id()), v.say(textBack)}}, body: []g.Node{
		v.box(toneGood, v.say(textPasswordShown), h.Pre(h.Code(g.Text(out.Password))), h.P(h.Button(h.Type("button"), h.Class("scripted-only"), h.Data("copy", out.Password), v.say(textCopy))), h.P(v.say(textPasswordOnce)))}}, nil
}

// movePage asks where a user moves to.
func movePage(v *visit) (answer, error) { return v.moveView(nil, nil) }

// movePreview is what a move would do.
type movePreview struct {
	Release []directory.Change `json:"release"`
	Problem *directory.Problem `json:"problem"`
	Binding explanation        `json:"binding"`
}

func (v *visit) moveView(preview *movePreview, p *problem) (answer, error) {
	id := v.id()
	users, cons := ask[directory.User](v, apiPath("users", id)), ask[page[connection]](v, "/v1/connections?limit=100")
	u, err := users.get()
	if err != nil {
		return nil, err
	}
	list, err := cons.get()
	if err != nil {
		return nil, err
	}
	f := v.r.PostForm
	var options []g.Node
	for _, c := range list.Items {
		if c.Status == directory.StatusActive {
			options = append(options, h.Option(h.Value(string(c.ID)), g.If(f.Get("to") == string(c.ID), h.Selected()), g.Text(clean(c.Name))))
		}
	}
	at := here("users", id)
	var picks []g.Node
	for _, o := range []struct {
		policy directory.ReleasePolicy
		means  text
	}{{directory.ReleaseKeep, textReleaseKeep}, {directory.ReleaseBlock, textReleaseBlock}, {directory.ReleaseRestore, textReleaseRestore}} {
		picks = append(picks, h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("then"), h.Value(string(o.policy)), g.If(f.Get("then") == string(o.policy) || f.Get("then") == "" && o.policy == directory.ReleaseBlock, h.Checked())), h.Span(v.say(o.means))))
	}
	var shown g.Node
	buttons := h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Name("preview"), h.Value("1"), h.Class("primary"), v.say(textTryFirst)), link(at, h.Class("button"), v.say(textNotYet)))
	if preview != nil {
		shown = h.Div(v.box(toneInfo, v.say(textOldAccount), g.Iff(preview.Problem != nil, func() g.Node { return v.trouble(preview.Problem) }), g.If(len(preview.Release) == 0, h.P(v.say(textNothingToWrite))),
			g.Group(g.Map(preview.Release, func(c directory.Change) g.Node {
				return h.Div(h.Class("line"), v.effectBadge(c.Effect), g.Text(" "), v.sentence(c.Reason), v.diff(&c))
			}))), v.box(toneInfo, v.say(textNewAccount), h.P(v.sentence(preview.Binding.Summary)), v.decisionOf(&preview.Binding)))
		buttons = h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("primary"), v.say(textMoveNow)), h.Button(h.Type("submit"), h.Name("preview"), h.Value("1"), v.say(textTryFirst)), link(at, h.Class("button"), v.say(textNotYet)))
	}
	status := 0
	if p != nil {
		status = p.Status
	}
	to := p.at("to", v.say(textMoveTo), "connectionId")
	return view{status: status, title: v.lang.say(textMoveTitle, clean(u.Label())), section: "/console/users", crumbs: []crumb{{"/console/users", v.say(textUsers)}, {at, data(u.Label())}}, body: []g.Node{
		v.refused(p), h.P(h.Class("lead"), v.say(textMoveMeans)), shown,
		h.Form(h.Method("post"), h.Action(at+"/move"), h.Class("stack"), h.Data("busy", ""), h.Label(v.say(textMoveTo), h.Select(h.ID(to.id), h.Name("to"), to.mark(""), g.Group(options))), v.told(to),
			v.field("email", textNewEmail, textNewEmailHelp, f.Get("email"), p), h.FieldSet(h.Legend(v.say(textOldAccount)), g.Group(picks)), buttons)}}, nil
}

// move moves a user to another connection, or shows what that would do.
func move(v *visit) (answer, error) {
	f := v.r.PostForm
	body := map[string]any{"connectionId": f.Get("to"), "then": asked(f.Get("then"), string(directory.ReleaseBlock), string(directory.ReleaseKeep), string(directory.ReleaseRestore))}
	if email := strings.TrimSpace(f.Get("email")); email != "" {
		body["email"] = email
	}
	preview := f.Get("preview") == "1"
	if preview {
		body["dryRun"] = true
	}
	var out movePreview
	_, err := v.call(v.ctx, http.MethodPost, apiPath("users", v.id(), "move"), body, &out)
	if p, ours := asProblem(err); ours && p.Status < 500 && p.Status != http.StatusUnauthorized && p.Status != http.StatusNotFound {
		return v.moveView(nil, p)
	}
	if err != nil {
		return nil, err
	}
	if preview {
		return v.moveView(&out, nil)
	}
	return v.done(here("users", v.id()), v.lang.say(textMoved)), nil
}
