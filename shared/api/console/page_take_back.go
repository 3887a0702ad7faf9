package console

import (
	"net/http"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// takeBackCounts are what a take-back counts, in the order in which it is told, and whether
// it is something that changes.
var takeBackCounts = []struct {
	name    string
	word    text
	changes bool
}{
	{"edited", textBackEdited, true}, {"restored", textBackRestored, true}, {"deleted", textBackDeleted, true},
	{"groupsEdited", textBackGroupsEdited, true}, {"groupsRestored", textBackGroupsRestored, true}, {"groupsDeleted", textBackGroupsDeleted, true},
	{"membersAdded", textBackMembersAdded, true}, {"membersRemoved", textBackMembersRemoved, true},
	{"kept", textBackKept, false}, {"unchanged", textBackUnchanged, false},
}

// refusedFew is how many of those that stay a preview names; its job has all.
const refusedFew = 20

// localTime is the form of a time in a field, without its zone: it is in UTC.
const localTime = "2006-01-02T15:04"

// sinceAsked reads a time of an address or a field; false for none.
func sinceAsked(s string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339Nano, localTime, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(form, strings.TrimSpace(s)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// takeBackPage asks since when, shows what a take-back would come to, and then has it done.
func takeBackPage(v *visit) (answer, error) { return v.takeBackView(nil) }

func (v *visit) takeBackView(p *problem) (answer, error) {
	id, q := v.id(), v.values()
	clients := ask[scimClient](v, apiPath("scim-clients", id))
	since, ok := sinceAsked(q.Get("since"))
	counted := q.Get("job")
	var asked later[job]
	if ok && counted != "" {
		asked = ask[job](v, apiPath("jobs", counted))
	}
	c, err := clients.get()
	if err != nil {
		return nil, err
	}
	at := here("sources", id, "take-back")
	if !ok || counted == "" {
		if !ok {
			since = v.now().UTC().Truncate(24 * time.Hour)
		}
		page := v.ofSource(&c, "/take-back", v.refused(p), h.P(h.Class("lead"), v.say(textTakeBackLead)), h.P(v.say(textTakeBackFollows)), v.takeBackForm(at, since, p), v.asCall(http.MethodPost, apiPath("scim-clients", id, "take-back")))
		if p != nil {
			page.status = p.Status
		}
		return page, nil
	}
	j, err := asked.get()
	if err != nil {
		return nil, err
	}
	if j.Kind != directory.JobCheckTakeBack {
		return notFound(v)
	}
	t, word := jobWord(j.State)
	counts, sum := v.tookBack(&j)
	what, why := column{head: textWhat}, column{head: textWhy}
	few := j.Refused[:min(len(j.Refused), refusedFew)]
	var then g.Node
	switch {
	case j.Ended.IsZero() || j.State == directory.JobFailed:
	case sum == 0:
		then = v.empty(textNothingToTakeBack)
	default:
		then = v.takeBackNow(&c, at, since, counted, sum, p)
	}
	page := v.ofSource(&c, "/take-back", v.refused(p),
		h.Section(h.Class("status dry"), h.P(h.Class("first"), v.say(textTakeBackCounted)), facts(v.fact(textTakeBackSince, v.moment(since)), v.fact(textStatus, v.badge(t, word)), v.fact(textAskedBy, data(j.AskedBy)), g.Group(counts)), h.P(link(here("jobs", counted), v.say(textTheJobItself)))),
		v.jobTrouble(&j),
		g.If(len(few) > 0, h.Section(h.H2(v.count(countStays, j.RefusedCount)), h.P(h.Class("faint"), v.say(textStaysThen)), v.table(textStays, []column{what, why}, g.Map(few, func(r directory.RefusedItem) g.Node {
			return h.Tr(v.cell(what, v.refusedName(r)), v.cell(why, v.sentence(r.Detail), h.Small(code(r.Code))))
		})), g.If(j.RefusedCount > len(few), h.P(h.Class("faint"), v.say(textAndMore))))),
		then, h.Details(h.Summary(v.say(textTakeBackOther)), v.takeBackForm(at, since, nil)), v.asCall(http.MethodGet, apiPath("jobs", counted)))
	if j.Ended.IsZero() {
		page.poll = 2000
	}
	if p != nil {
		page.status = p.Status
	}
	return page, nil
}

// tookBack are the counts of a take-back in words, and how many of them are changes.
func (v *visit) tookBack(j *job) (counts []g.Node, sum int) {
	for _, n := range takeBackCounts {
		if j.Counts[n.name] > 0 {
			counts = append(counts, v.fact(n.word, v.number(j.Counts[n.name])))
		}
		if n.changes {
			sum += j.Counts[n.name]
		}
	}
	return counts, sum
}

// takeBackForm asks since when, and counts. It needs both scopes that a take-back needs.
func (v *visit) takeBackForm(at string, since time.Time, p *problem) g.Node {
	for _, scope := range []string{scopeAdmin, scopeWrite} {
		if !v.s.has(scope) {
			return v.lacking(scope, textTakeBackCount)
		}
	}
	f := p.at("since", v.say(textTakeBackSinceUTC), "since")
	return h.Form(h.Class("row search"), h.Method("post"), h.Action(at), h.Data("busy", ""),
		h.Label(v.say(textTakeBackSinceUTC), h.Input(h.ID(f.id), h.Type("datetime-local"), h.Name("since"), h.Value(since.Format(localTime)), h.Required(), f.mark(""))), v.told(f),
		h.Button(h.Type("submit"), h.Class("primary"), v.say(textTakeBackCount)))
}

// takeBackNow is the form of the act itself, after a fresh sign-in, with the name typed.
func (v *visit) takeBackNow(c *scimClient, at string, since time.Time, counted string, sum int, p *problem) g.Node {
	exact := since.Format(time.RFC3339Nano)
	switch {
	case !v.s.has(scopeAdmin):
		return v.lacking(scopeAdmin, countTakeBack.of(sum))
	case !v.s.has(scopeWrite):
		return v.lacking(scopeWrite, countTakeBack.of(sum))
	case !v.s.fresh(v.now()):
		return v.signInFirst(query(at, "since", exact, "job", counted))
	}
	return h.Form(h.Class("decide"), h.Method("post"), h.Action(at+"/now"), h.Data("busy", ""), hidden("since", exact), hidden("job", counted),
		g.If(!c.Paused, h.P(v.say(textTakeBackPauses))), v.typeTheName(c.Name, p),
		h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Class("danger"), v.count(countTakeBack, sum)), link(here("sources", string(c.ID)), h.Class("button"), v.say(textNotYet))))
}

// takeBackBody is what /v1 is told of a take-back.
type takeBackBody struct {
	Since  time.Time `json:"since"`
	DryRun bool      `json:"dryRun,omitempty"`
	Pause  bool      `json:"pause,omitempty"`
}

// countTakeBackNow has counted what a take-back would do, and leads to the counts.
func countTakeBackNow(v *visit) (answer, error) {
	if !v.s.has(scopeWrite) {
		return v.notAllowed(scopeWrite), nil
	}
	since, ok := sinceAsked(v.r.PostForm.Get("since"))
	if !ok {
		return v.refusal(http.StatusBadRequest, textNoSince), nil
	}
	var j job
	_, err := v.call(v.ctx, http.MethodPost, apiPath("scim-clients", v.id(), "take-back"), takeBackBody{Since: since, DryRun: true}, &j)
	if p, ours := asProblem(err); ours && (p.Status == http.StatusUnprocessableEntity || p.Status == http.StatusBadRequest) {
		v.r.Form.Del("job")
		return v.takeBackView(p)
	}
	if err != nil {
		return nil, err
	}
	return redirect{query(here("sources", v.id(), "take-back"), "since", since.Format(time.RFC3339Nano), "job", string(j.ID))}, nil
}

// takeBack takes back what a client has changed, once its name was typed. The client is
// paused with it: it would push the same again.
func takeBack(v *visit) (answer, error) {
	if !v.s.has(scopeWrite) {
		return v.notAllowed(scopeWrite), nil
	}
	since, ok := sinceAsked(v.r.PostForm.Get("since"))
	if !ok {
		return v.refusal(http.StatusBadRequest, textNoSince), nil
	}
	var c scimClient
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("scim-clients", v.id()), nil, &c); err != nil {
		return nil, err
	}
	if strings.TrimSpace(v.r.PostForm.Get("typed")) != c.Name {
		return v.takeBackView(v.unfitFor("typed", textTypedNameWrong))
	}
	var j job
	if _, err := v.call(v.ctx, http.MethodPost, apiPath("scim-clients", v.id(), "take-back"), takeBackBody{Since: since, Pause: true}, &j); err != nil {
		return nil, err
	}
	return v.done(here("jobs", string(j.ID)), v.lang.say(textTakeBackStarted)), nil
}

// jobTrouble says why a job has failed, or what one that goes on waits for.
func (v *visit) jobTrouble(j *job) g.Node {
	switch {
	case j.Error == nil:
		return nil
	case j.Ended.IsZero():
		return v.box(toneInfo, v.say(textWaitsFor), v.trouble(j.Error))
	}
	return v.box(toneBad, v.say(textWhyFailed), v.trouble(j.Error))
}
