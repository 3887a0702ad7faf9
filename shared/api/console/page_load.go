package console

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// maxFile is how large a file may be that is loaded by a form: in base64 it has to fit into
// an event of Lambda's, with what the form has around it. Larger ones go by POST
// /v1/uploads.
const maxFile = 4_200_000

// loadPage asks for a file of users or of groups.
func loadPage(v *visit) (answer, error) { return v.loadView(nil), nil }

func (v *visit) loadView(p *problem) answer {
	status := 0
	if p != nil {
		status = p.Status
	}
	return view{status: status, title: v.lang.say(textLoadFile), section: "/console/users", crumbs: []crumb{{"/console/users", v.say(textUsers)}}, body: []g.Node{
		g.Iff(p != nil, func() g.Node { return v.problem(p) }), h.P(h.Class("lead"), v.say(textLoadLead)), h.P(h.Class("faint"), v.say(textLoadLimits)),
		h.Form(h.Method("post"), h.Action("/console/users/load"), h.EncType("multipart/form-data"), h.Class("stack"), h.Data("busy", ""),
			h.FieldSet(h.Legend(v.say(textLoadWhat)), h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("of"), h.Value("users"), h.Checked()), h.Span(v.say(textUsers))), h.Label(h.Class("pick"), h.Input(h.Type("radio"), h.Name("of"), h.Value("groups")), h.Span(v.say(textGroups)))),
			h.Label(v.say(textFile), h.Input(h.Type("file"), h.Name("file"), h.Required(), h.Accept(".csv,.tsv,.txt,.xlsx,.jsonl,.ndjson,text/csv,application/x-ndjson"))),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Name("check"), h.Value("1"), h.Class("primary"), v.say(textCheckOnly)), h.Button(h.Type("submit"), v.say(textLoadNow)), link("/console/users", h.Class("button"), v.say(textNotYet))))}}
}

// multipart reports whether a request brings a file.
func multipart(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "multipart/form-data"
}

// load hands a file on to the API, to be checked or loaded.
func load(v *visit) (answer, error) {
	file, _, err := v.r.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) {
		return v.done("/console/users/load", v.lang.say(textChooseFile)), nil
	}
	if err != nil {
		return v.refusal(http.StatusBadRequest, textBadForm), nil
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return v.refusal(http.StatusBadRequest, textBadForm), nil
	case len(data) > maxFile:
		return v.refusal(http.StatusRequestEntityTooLarge, textFileTooLarge), nil
	}
	check := ""
	if v.r.FormValue("check") == "1" {
		check = "true"
	}
	var j job
	_, err = v.call(v.ctx, http.MethodPost, query("/v1/"+asked(v.r.FormValue("of"), "users", "groups")+":load", "check", check), raw(data), &j)
	if p, ours := asProblem(err); ours && p.Status < 500 && p.Status != http.StatusUnauthorized {
		return v.loadView(p), nil
	}
	if err != nil {
		return nil, err
	}
	return redirect{here("jobs", string(j.ID))}, nil
}

// audited is one act, as both logs have it.
type audited struct {
	Match  string                     `json:"match"`
	At     time.Time                  `json:"at"`
	Entry  *entry                     `json:"entry"`
	Events []directory.DirectoryAudit `json:"events"`
}

type auditReport struct {
	Available bool               `json:"available"`
	Problem   *directory.Problem `json:"problem"`
	Items     []audited          `json:"items"`
	Counts    map[string]int     `json:"counts"`
	Advice    []string           `json:"advice"`
	Next      string             `json:"next"`
}

// matchWord is who saw an act.
func matchWord(s string) (tone, text) {
	switch s {
	case "both":
		return toneGood, textMatchBoth
	case "possibly":
		return tonePlain, textMatchPossibly
	case "ours":
		return toneInfo, textMatchOurs
	case "microsoft":
		return toneWarn, textMatchTheirs
	}
	return tonePlain, textMatchUnchecked
}

// auditPage compares what Bindery did with what Microsoft's log says.
func auditPage(v *visit) (answer, error) {
	id := v.id()
	cons, list := ask[connection](v, apiPath("connections", id)), ask[auditReport](v, query(apiPath("connections", id, "audit"), "limit", "50", "next", v.r.URL.Query().Get("next")))
	c, err := cons.get()
	if err != nil {
		return nil, err
	}
	when, match, ours, theirs := column{head: textWhen}, column{head: textSeenBy}, column{head: textOurLog}, column{head: textTheirLog}
	return v.ofConnection(&c, "/audit", h.P(h.Class("faint"), v.say(textAuditLead)), partly(v, list, func(x auditReport) g.Node {
		var chips []g.Node
		for _, name := range sortedNames(x.Counts) {
			t, word := matchWord(name)
			chips = append(chips, h.Li(h.Span(h.Class("chip "+string(t)), h.Strong(v.number(x.Counts[name])), g.Text(" "), v.say(word))))
		}
		rows := g.Map(x.Items, func(a audited) g.Node {
			t, word := matchWord(a.Match)
			mine := dash()
			if a.Entry != nil {
				mine = code(a.Entry.Kind)
				if word, known := kindWord(directory.AuditKind(a.Entry.Kind)); known {
					mine = v.say(word)
				}
				if a.Entry.Effect != "" {
					mine = g.Group([]g.Node{v.effectBadge(a.Entry.Effect), g.Text(" "), data(orID(a.Entry.UserPrincipalName, string(a.Entry.UserID)))})
				}
			}
			their := g.Map(a.Events, func(e directory.DirectoryAudit) g.Node {
				who := ""
				if e.ByUser != nil {
					who = e.ByUser.UserPrincipalName
				}
				return h.Li(data(e.Activity), h.Small(g.Text(" "), data(who), g.Text(" "), data(e.Result)))
			})
			return h.Tr(v.cell(when, v.moment(a.At)), v.cell(match, v.badge(t, word)), v.cell(ours, mine), v.cell(theirs, h.Ul(h.Class("bare"), g.Group(their))))
		})
		body := g.Node(h.Div(v.table(textAudit, []column{when, match, ours, theirs}, rows), v.pager(x.Next)))
		if len(x.Items) == 0 {
			body = v.empty(textNothingWasDone)
		}
		return h.Div(g.Iff(x.Problem != nil, func() g.Node { return v.box(toneWarn, v.say(textNoTheirLog), v.trouble(x.Problem)) }), h.Ul(h.Class("chips"), v.label(textSeenBy), g.Group(chips)), body,
			g.If(len(x.Advice) > 0, h.Ul(g.Map(x.Advice, func(s string) g.Node { return h.Li(v.sentence(s)) })...)))
	}), v.asCall("GET", apiPath("connections", id, "audit"))), nil
}

// raw is a body that is a file: its first bytes tell what kind.
type raw []byte

func (b raw) kind() string {
	if strings.HasPrefix(string(b), "PK\x03\x04") {
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	return "application/octet-stream"
}
