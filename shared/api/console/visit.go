package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// maxForm is how large a form may be.
const maxForm = 1 << 20

// visit is one request.
type visit struct {
	c     *Console
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context
	route route
	s     *session // nil: nobody is signed in
	// bearer is the session's token. It stays while reads are under way, also when one of
	// them finds that the session has ended.
	bearer directory.Secret
	lang   tongue
	ended  bool // there is a cookie, and its session has ended
	calls  calls
	lines  int       // of properties, that the page has beyond the few of each change
	flash  string    // told by an act, on the page that it leads to
	mark   chan mark // what needs somebody, for the frame; nil: not asked
}

// answer is what a request comes to: a view, a redirect, a file.
type answer interface{ write(v *visit) }

// serve answers the requests of a route.
func (c *Console) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		most := c.patience.page
		if rt.file || rt.long {
			most = c.patience.file
		}
		ctx, cancel := context.WithTimeout(r.Context(), most)
		defer cancel()
		v := &visit{c: c, w: w, r: r, ctx: ctx, route: rt, lang: c.languageOf(r)}
		a, err := v.answer()
		if err != nil {
			a = v.failed(err)
		}
		a.write(v)
	}
}

// answer holds a request to its route, and answers it.
func (v *visit) answer() (answer, error) {
	rt := v.route
	var err error
	if v.s, err = v.c.signedIn(v.ctx, v.r); errors.Is(err, errNoSession) {
		v.ended = v.c.cookie(v.r, sessionCookie) != ""
		err = nil
	}
	if err != nil && !rt.open {
		return nil, err
	}
	if v.s != nil {
		v.bearer = v.s.AccessToken
	}
	if v.r.Method == http.MethodPost {
		parse, most := v.r.ParseForm, int64(maxForm)
		if rt.file && v.s != nil && multipart(v.r) {
			parse, most = func() error { return v.r.ParseMultipartForm(maxFile) }, maxFile+maxForm
		}
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, most)
		if err := parse(); err != nil {
			if _, large := errors.AsType[*http.MaxBytesError](err); large {
				return v.refusal(http.StatusRequestEntityTooLarge, textFileTooLarge), nil
			}
			return v.refusal(http.StatusBadRequest, textBadForm), nil
		}
	}
	switch {
	case rt.open:
	case v.s == nil:
		return v.askSignIn(), nil
	case rt.scope != "" && !v.s.has(rt.scope):
		return v.notAllowed(rt.scope), nil
	case rt.fresh && v.r.Method == http.MethodPost && !v.s.fresh(v.now()):
		return v.refusal(http.StatusForbidden, textWantsFresh), nil
	case rt.onto && v.r.Method == http.MethodPost && v.r.PostForm.Get("version") == "": // it would go onto whatever there is
		return v.refusal(http.StatusBadRequest, textFormLacks), nil
	}
	v.askMark()
	if v.s != nil && rt.scope != "" && v.r.Method == http.MethodPost {
		defer v.c.marks.drop(v.s.row()) // behind the act: what is asked for before its end is not kept
	}
	return v.once(rt.do)
}

func (v *visit) now() time.Time { return v.c.cfg.Now() }

// id is the part of the path that names what the page is about.
func (v *visit) id() string { return v.r.PathValue("id") }

// address is the page's own, to come back to.
func (v *visit) address() string { return v.r.URL.RequestURI() }

// with is the page's address with parameters set; an empty value takes one out.
func (v *visit) with(pairs ...string) string {
	q := v.r.URL.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	u := url.URL{Path: v.r.URL.Path, RawQuery: q.Encode()}
	return u.String()
}

// view is a page.
type view struct {
	status  int // 0 means 200
	title   string
	section string // of the navigation
	crumbs  []crumb
	// head stands beside the title: a state, buttons.
	head []g.Node
	body []g.Node
	// poll is after how many milliseconds the page looks again whether anything has
	// changed; 0: it does not.
	poll int
	// tag is the ETag of a page that looks again, when it has a better one than what it
	// says to the letter.
	tag  string
	bare bool // without navigation
}

// crumb is a page above.
type crumb struct {
	to   string
	name g.Node
}

func (p view) write(v *visit) {
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Language", v.lang.String())
	page := v.frame(p)
	if p.poll > 0 && p.status == 0 {
		v.again(p.tag, page)
		return
	}
	if p.status != 0 {
		v.w.WriteHeader(p.status)
	}
	if v.r.Method != http.MethodHead {
		_ = page.Render(v.w) // the client is gone
	}
}

// redirect leads to a page of ours.
type redirect struct{ to string }

func (a redirect) write(v *visit) {
	if !local(a.to) {
		a.to = "/console"
	}
	v.w.Header().Set("Location", a.to)
	v.w.WriteHeader(http.StatusSeeOther)
}

// redirectOut leads to the issuer.
type redirectOut struct{ to string }

func (a redirectOut) write(v *visit) {
	v.w.Header().Set("Location", a.to)
	v.w.WriteHeader(http.StatusSeeOther)
}

// file is something to keep.
type file struct{ kind, name, body string }

func (f file) write(v *visit) {
	v.w.Header().Set("Content-Type", f.kind)
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	_, _ = v.w.Write([]byte(f.body)) // the client is gone
}

// picture is a picture of the API's, which a page shows.
type picture struct{ kind, body string }

func (p picture) write(v *visit) {
	v.w.Header().Set("Content-Type", p.kind)
	v.w.Header().Set("Cache-Control", "private, max-age=300")
	_, _ = v.w.Write([]byte(p.body)) // the client is gone
}

// flash is what an act tells on the page after it.
type flash struct {
	Text string   `json:"t"`
	Link string   `json:"l,omitempty"` // where to take it back, or to look
	Word string   `json:"w,omitempty"`
	Undo *wayBack `json:"u,omitempty"` // what takes it back at once
}

// done leads to a page that says what was done.
func (v *visit) done(to, what string, more ...string) answer {
	f := flash{Text: clean(what)}
	if len(more) == 2 {
		f.Link, f.Word = more[0], more[1]
	}
	return v.tell(to, f)
}

// tell leads to a page that tells something.
func (v *visit) tell(to string, f flash) answer {
	v.flash = f.Text
	raw, err := json.Marshal(f)
	if err == nil {
		v.c.setCookie(v.w, flashCookie, base64.RawURLEncoding.EncodeToString(raw), time.Minute)
	}
	return redirect{to}
}

// flashed takes what the act before this page told. A look of the script's own leaves it to
// the page that somebody is led to: it may be of another tab.
func (v *visit) flashed() *flash {
	value := v.c.cookie(v.r, flashCookie)
	if value == "" || v.r.Header.Get(lookHeader) != "" {
		return nil
	}
	v.c.dropCookie(v.w, flashCookie)
	raw, err := base64.RawURLEncoding.DecodeString(value)
	var f flash
	if err != nil || json.Unmarshal(raw, &f) != nil || f.Text == "" {
		return nil
	}
	return &f
}

// failed is the page of an error: what /v1 said, or that we are at fault.
func (v *visit) failed(err error) answer {
	if e, is := errors.AsType[*unfit](err); is {
		if e.long {
			return v.refusal(http.StatusBadRequest, textFilterTooLong, e.name, v.lang.number(longestParameter))
		}
		return v.refusal(http.StatusBadRequest, textUnseen, e.name)
	}
	p, ours := errors.AsType[*problem](err)
	switch {
	case !ours:
		v.c.cfg.Log.ErrorContext(v.ctx, "console: request failed", "route", v.route.path, "error", err)
		return v.refusal(http.StatusInternalServerError, textOurFault)
	case p.Status == http.StatusUnauthorized: // the token is not good any more, whatever its time says
		if v.s != nil {
			if err := v.c.end(v.ctx, v.s.secret); err != nil {
				v.c.cfg.Log.WarnContext(v.ctx, "console: a session cannot be ended", "error", err)
			}
		}
		v.s, v.ended = nil, true
		return v.askSignIn()
	case p.Status == http.StatusNotFound && v.r.Method != http.MethodPost && (p.Code == "" || p.Code == directory.CodeNotFound):
		a, _ := notFound(v) // it fails never
		return a
	}
	status := p.Status
	if status < 400 {
		status = http.StatusBadGateway
	}
	return view{status: status, title: v.lang.say(v.failure(p)), body: []g.Node{v.problem(p), v.tryAgain(), v.sendAgain(), v.backLink()}}
}

// failure is the heading of a page of an error: of an act of which no answer came it is not known
// whether it was done, and a page that did not come is no act.
func (v *visit) failure(p *problem) text {
	switch {
	case v.r.Method != http.MethodPost:
		return textNotShown
	case p.unknown():
		return textUnknownDone
	}
	return textNotDone
}

// unknown reports whether what was asked for may have been done all the same.
func (p *problem) unknown() bool {
	return p.late || p.Status == http.StatusBadGateway || p.Status == http.StatusGatewayTimeout
}

// tryAgain leads to the same page, where that has failed.
func (v *visit) tryAgain() g.Node {
	if v.r.Method == http.MethodPost {
		return nil
	}
	return h.P(link(v.address(), h.Class("button primary"), v.say(textTryAgain)))
}

// problem tells what /v1 said.
func (v *visit) problem(p *problem) g.Node {
	if p.late {
		return v.box(toneBad, v.say(textNoAnswer), h.P(v.say(textNoAnswerMore)))
	}
	return v.box(toneBad, v.say(textRefused), v.reasons(p))
}

// reasons are why /v1 has refused something, and what to do about it.
func (v *visit) reasons(p *problem) g.Node {
	detail := h.P(v.say(textNoReason))
	switch {
	case p.Detail != "":
		detail = h.P(v.sentence(p.Detail))
	case p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable: // of the host's, which has no words
		detail = h.P(v.say(textBusy, v.lang.lengthDative(p.pause())))
	case len(p.Errors) > 0:
		detail = nil
	}
	fields := v.faultLines(p)
	known := []g.Node{}
	for _, pair := range []struct {
		name  text
		value string
	}{{textCode, p.Code}, {textMicrosoftCode, p.MicrosoftCode}, {textIncident, p.Incident}, {textRequestID, p.requestID}} {
		if pair.value != "" {
			known = append(known, v.fact(pair.name, code(pair.value)))
		}
	}
	return g.Group([]g.Node{detail, g.If(len(fields) > 0, h.Ul(fields...)),
		g.If(p.NextStep != "", h.P(h.Strong(v.say(textWhatNow)), g.Text(" "), v.sentence(p.NextStep))), g.If(len(known) > 0, facts(known...))})
}

// partly shows what came, or that it did not: the rest of the page stands.
func partly[T any](v *visit, l later[T], show func(T) g.Node) g.Node {
	value, err := l.get()
	if err == nil {
		return show(value)
	}
	return v.missing(err)
}

// missing is a part of a page that did not come.
func (v *visit) missing(err error) g.Node {
	p, ours := errors.AsType[*problem](err)
	switch {
	case ours && p.Status == http.StatusForbidden:
		return h.P(h.Class("faint"), v.say(textPartForbidden))
	case ours && !p.late && p.Status < 500:
		return v.problem(p)
	}
	var known []g.Node
	if ours {
		for _, value := range []string{p.Code, p.requestID} {
			if value != "" {
				known = append(known, g.Text(" "), code(value))
			}
		}
	}
	return h.P(h.Class("late"), v.say(textLate), g.Text(" "), link(v.address(), v.say(textTryAgain)), g.Group(known))
}

// backLink leads to where the request came from, when that is a page of ours.
func (v *visit) backLink() g.Node {
	from, err := url.Parse(v.r.Referer())
	if err != nil || !local(from.RequestURI()) || from.Host != v.r.Host {
		return h.P(link("/console", v.say(textToHome)))
	}
	return h.P(link(from.RequestURI(), v.say(textBack)))
}

// refusal is a page that says in one sentence why nothing was done.
func (v *visit) refusal(status int, why text, with ...any) answer {
	return view{status: status, title: v.lang.say(textNotDone), body: []g.Node{v.box(toneBad, v.say(textRefused), h.P(v.say(why, with...))), v.sendAgain(), v.backLink()}}
}

// notAllowed is the page of what the token has no scope for. Nothing was called.
func (v *visit) notAllowed(scope string) answer {
	return view{status: http.StatusForbidden, title: v.lang.say(textNotAllowed), body: []g.Node{
		v.box(toneWarn, v.say(textNotAllowed), h.P(v.say(textNeeds), g.Text(" "), code(scope)), h.P(v.say(textNeedsMore)),
			h.P(link("/console/me", v.say(textWhatMayI)))), v.backLink()}}
}

// askSignIn leads to the sign-in, and back from there to a page; what was sent is not
// done.
func (v *visit) askSignIn() answer {
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead {
		to := query("/console/sign-in", "to", target(v.address()))
		if v.ended {
			to = query("/console/sign-in", "to", target(v.address()), "ended", "1")
		}
		return redirect{to}
	}
	back := "/console"
	if from, err := url.Parse(v.r.Referer()); err == nil && from.Host == v.r.Host {
		back = target(from.RequestURI())
	}
	return view{status: http.StatusUnauthorized, bare: true, title: v.lang.say(textSessionEnded), body: []g.Node{
		v.box(toneWarn, v.say(textSessionEnded), h.P(v.say(textNothingDone)),
			h.P(link(query("/console/login", "to", back), h.Class("button primary"), h.Target("_blank"), v.say(textSignInAgain)))), v.sendAgain()}}
}

// unseenFields are fields of forms that nobody fills in.
var unseenFields = []string{"version", "what", "s", "shown", "count", "c", "preview", "part", "switch", "list", "to", "all", "previous", "next", "from", "sku", "tenantId", "objectId", "form", "after", "was", "both", "job", "do", "dry", "bind", "whom", "claim", "these", "release", "properties", "objects", "fresh", undoing}

// unseen reports whether a field is one of those, or what a form was made of.
func unseen(name string) bool {
	return slices.Contains(unseenFields, name) || strings.HasPrefix(name, madeOf)
}

// mostToMend is how many fields of what was sent are shown to be mended.
const mostToMend = 30

// whatWasSent is what somebody has filled in, where it cannot be sent once more as it is.
func (v *visit) whatWasSent() g.Node {
	var list []g.Node
	for _, name := range sortedNames(v.r.PostForm) {
		for _, value := range v.r.PostForm[name] {
			if value != "" && !unseen(name) {
				list = append(list, h.Div(h.Dt(code(name)), h.Dd(g.El("bdi", g.Text(cleanTo(value, longestSentence))))))
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	return h.Section(h.H2(v.say(textWhatWasSent)), facts(list...))
}

// sendAgain is what was sent with a form that nothing came of, to be sent once more: the page
// of the form has it no longer. What somebody has filled in may be mended. A file is not kept.
func (v *visit) sendAgain() g.Node {
	if v.r.Method != http.MethodPost || v.route.open || multipart(v.r) {
		return nil
	}
	seen := 0
	for name, values := range v.r.PostForm {
		if !unseen(name) {
			seen += len(values)
		}
	}
	var kept, shown []g.Node
	for _, name := range sortedNames(v.r.PostForm) {
		for _, value := range v.r.PostForm[name] {
			switch {
			case seen > mostToMend || value == "" || unseen(name):
				kept = append(kept, hidden(name, value))
			case len(value) > 60 || strings.ContainsAny(value, "\r\n"):
				shown = append(shown, h.Label(code(name), h.Textarea(h.Name(name), h.Rows("4"), g.Text("\n"+value))))
			default:
				shown = append(shown, h.Label(code(name), h.Input(h.Type("text"), h.Name(name), h.Value(value), h.AutoComplete("off"))))
			}
		}
	}
	if len(kept)+len(shown) == 0 && v.s != nil {
		return nil // the button that was pressed is a step back
	}
	return h.Section(h.Class("again"), h.H2(v.say(textWhatWasSent)), h.P(h.Class("faint"), v.say(textWhatWasSentIs)),
		h.Form(h.Method("post"), h.Action(v.address()), h.Class("stack"), h.Data("busy", ""), g.Group(kept), g.Group(shown),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), v.say(textSendAgain)))))
}

func notFound(v *visit) (answer, error) {
	return view{status: http.StatusNotFound, title: v.lang.say(textNotFound), bare: v.s == nil, body: []g.Node{
		v.empty(textNotFoundMore, h.P(link("/console", v.say(textToHome))))}}, nil
}

func crossSite(v *visit) (answer, error) {
	return view{status: http.StatusForbidden, bare: true, title: v.lang.say(textNotDone), body: []g.Node{
		v.box(toneBad, v.say(textRefused), h.P(v.say(textCrossSite))), h.P(link("/console", v.say(textToHome)))}}, nil
}

// asked reads a parameter as one of some words; the first of them is its default.
func asked(value string, words ...string) string {
	for _, w := range words {
		if value == w {
			return value
		}
	}
	return words[0]
}

// listed splits a parameter that is a list.
func listed(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' })
}
