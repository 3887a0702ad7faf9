package console

import (
	"compress/gzip"
	"encoding/csv"
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

const (
	// maxFile is how much of a file one form brings: in base64 it has to fit into an event of
	// Lambda's, with what the form has around it.
	maxFile = 4_200_000
	// maxUpload is how large a file is that /v1 takes by an upload.
	maxUpload = 100_000_000
	// fileTime is how long a form with a file may take: API Gateway waits for 30 seconds.
	fileTime = 25 * time.Second
)

// Files that are larger than a form takes.
//
// /v1 takes them by a request that is signed for S3. A browser could send it itself, but then
// the bucket would have to be open to browsers (CORS), and the policy of content to the
// bucket; and both are closed to everybody. So the file comes packed by gzip, through the
// same form: lists of people shrink to a tenth or a fifth, so that 4.2 MB are some 100,000
// users. The script packs what is too large; without it one packs the file oneself. The
// console unpacks it, and sends it by the signed request as any client does. It never lies in
// memory whole: it is unpacked twice, to be counted and to be sent.

// sentFile is the file of a form: as it is, or packed.
type sentFile struct {
	io.ReadSeeker
	packed bool
	size   int64 // unpacked; more than maxUpload when it is larger than that
}

var errNotUnpacked = errors.New("console: a packed file cannot be unpacked")

// openSent looks at the file of a form.
func openSent(f io.ReadSeeker) (*sentFile, error) {
	var magic [2]byte
	n, err := io.ReadFull(f, magic[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	s := &sentFile{ReadSeeker: f, packed: n == 2 && magic == [2]byte{0x1f, 0x8b}}
	content, err := s.open()
	if err != nil {
		return nil, err
	}
	s.size, err = io.Copy(io.Discard, io.LimitReader(content, maxUpload+1))
	if err != nil && s.packed {
		err = errNotUnpacked
	}
	return s, err
}

// open gives what is in the file, from its beginning.
func (s *sentFile) open() (io.Reader, error) {
	if _, err := s.Seek(0, io.SeekStart); err != nil || !s.packed {
		return s, err
	}
	content, err := gzip.NewReader(s)
	if err != nil {
		return nil, errNotUnpacked
	}
	return content, nil
}

// loadOptions are how a file is to be read.
type loadOptions struct{ of, unknown, status, sheet string }

func (v *visit) loadOptions() (loadOptions, error) {
	sheet, err := parameter(v.values(), "sheet")
	o := loadOptions{of: asked(v.r.FormValue("of"), "users", "groups"), unknown: asked(v.r.FormValue("unknown"), "", "ignore"), sheet: sheet}
	if o.of == "users" {
		o.status = asked(v.r.FormValue("status"), "", "true")
	}
	return o, err
}

// at is the address at /v1 that loads, or checks, a file.
func (o loadOptions) at(check, upload string) string {
	return query("/v1/"+o.of+":load", "check", check, "upload", upload, "unknownColumns", o.unknown, "applyStatus", o.status, "sheet", o.sheet)
}

// loadPage asks for a file of users or of groups.
func loadPage(v *visit) (answer, error) { return v.loadView(nil) }

func (v *visit) loadView(p *problem) (answer, error) {
	status := 0
	if p != nil {
		status = p.Status
	}
	o, err := v.loadOptions()
	if err != nil {
		return nil, err
	}
	pick := func(kind, name, value string, on bool, caption text) g.Node {
		return h.Label(h.Class("pick"), h.Input(h.Type(kind), h.Name(name), h.Value(value), g.If(on, h.Checked())), h.Span(v.say(caption)))
	}
	f := p.at("file", nil, "*") // whatever is wrong is in the file
	return view{status: status, title: v.lang.say(textLoadFile), section: "/console/users", crumbs: []crumb{{"/console/users", v.say(textUsers)}}, body: []g.Node{
		v.refused(p), h.P(h.Class("lead"), v.say(textLoadLead)), h.P(h.Class("faint"), v.say(textLoadLimits)),
		h.Form(h.Method("post"), h.Action("/console/users/load"), h.EncType("multipart/form-data"), h.Class("stack"), h.Data("busy", ""), h.Data("most", itoa(maxFile)), h.Data("toolarge", v.lang.say(textTooLargePacked)),
			h.FieldSet(h.Legend(v.say(textLoadWhat)), pick("radio", "of", "users", o.of == "users", textUsers), pick("radio", "of", "groups", o.of == "groups", textGroups)),
			h.Label(v.say(textFile), h.Input(h.ID(f.id), h.Type("file"), h.Name("file"), h.Required(), f.mark("load-fault"), h.Accept(".csv,.tsv,.txt,.xlsx,.jsonl,.ndjson,.gz,text/csv,application/x-ndjson"))),
			h.P(h.ID("load-fault"), h.Class("fault"), h.Role("alert")), v.told(f),
			h.Details(h.Class("filter"), g.If(p != nil, g.Attr("open")), h.Summary(v.say(textHowToRead)), pick("checkbox", "unknown", "ignore", o.unknown != "", textIgnoreUnknown), pick("checkbox", "status", "true", o.status != "", textApplyStatus),
				h.Label(v.say(textSheet), h.Input(h.Type("text"), h.Name("sheet"), h.Value(o.sheet), h.MaxLength("31"), h.AutoComplete("off")))),
			h.Div(h.Class("row"), h.Button(h.Type("submit"), h.Name("check"), h.Value("1"), h.Class("primary"), v.say(textCheckOnly)), h.Button(h.Type("submit"), v.say(textLoadNow)), link("/console/users", h.Class("button"), v.say(textNotYet)))),
		h.Section(h.H2(v.say(textFileExample)), h.Pre(h.Code(g.Text(fileExample))), h.P(h.Class("faint"), v.say(textFileKey)))}}, nil
}

// fileExample is a file of users that can be loaded.
const fileExample = "email,givenName,familyName,department,phones.work\nann@contoso.example,Ann,Example,Sales,+49 30 1234"

// multipart reports whether a request brings a file.
func multipart(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "multipart/form-data"
}

// load hands a file on to the API, to be checked or loaded; or has one loaded that was
// uploaded to be checked.
func load(v *visit) (answer, error) {
	o, err := v.loadOptions()
	if err != nil {
		return nil, err
	}
	if upload, err := parameter(v.values(), "upload"); err != nil {
		return nil, err
	} else if upload != "" && !multipart(v.r) {
		return v.startLoad(o.at("", upload), nil, "")
	}
	file, _, err := v.r.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return v.done("/console/users/load", v.lang.say(textChooseFile)), nil
	}
	if err != nil {
		return v.refusal(http.StatusBadRequest, textBadForm), nil
	}
	defer file.Close()
	sent, err := openSent(file)
	switch {
	case errors.Is(err, errNotUnpacked):
		return v.refusal(http.StatusBadRequest, textNotUnpacked), nil
	case err != nil:
		return nil, err
	case sent.size > maxUpload:
		return v.refusal(http.StatusRequestEntityTooLarge, textFileTooLarge), nil
	}
	check := v.r.FormValue("check") == "1"
	if sent.size == 0 || sent.size <= maxFile && !check {
		content, err := sent.open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(content)
		if err != nil {
			return nil, err
		}
		if check {
			return v.startLoad(o.at("true", ""), raw(data), "")
		}
		return v.startLoad(o.at("", ""), raw(data), "")
	}
	upload, err := v.upload(sent)
	if p, ours := asProblem(err); ours && p.Status < 500 && p.Status != http.StatusUnauthorized {
		return v.loadView(p)
	}
	if err != nil {
		return nil, err
	}
	if check { // what was checked can be loaded, without being sent again
		return v.startLoad(o.at("true", upload), nil, query("", "upload", upload, "of", o.of, "unknown", o.unknown, "status", o.status, "sheet", o.sheet))
	}
	return v.startLoad(o.at("", upload), nil, "")
}

// startLoad has the API load or check a file, and leads to the job. What it refuses at once is
// told where the file was chosen.
func (v *visit) startLoad(at string, body any, more string) (answer, error) {
	var j job
	_, err := v.call(v.ctx, http.MethodPost, at, body, &j)
	if p, ours := asProblem(err); ours && p.Status < 500 && p.Status != http.StatusUnauthorized {
		return v.loadView(p)
	}
	if err != nil {
		return nil, err
	}
	return redirect{here("jobs", string(j.ID)) + more}, nil
}

// upload stores a file by the request that /v1 signs for it, which goes past /v1 and bears no
// token.
func (v *visit) upload(f *sentFile) (id string, err error) {
	var signed struct {
		ID      string            `json:"id"`
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
	}
	if _, err := v.call(v.ctx, http.MethodPost, "/v1/uploads", map[string]int64{"bytes": f.size}, &signed); err != nil {
		return "", err
	}
	content, err := f.open()
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(v.ctx, signed.Method, signed.URL, io.LimitReader(content, f.size))
	if err != nil {
		return "", errors.New("console: the request for an upload is none")
	}
	req.ContentLength = f.size
	for name, value := range signed.Headers {
		req.Header.Set(name, value)
	}
	res, err := v.c.files.Do(req)
	if err != nil { // the error names the address, which is nobody's business
		v.c.cfg.Log.WarnContext(v.ctx, "console: a file cannot be uploaded", "error", plainError(err))
		return "", &problem{Status: http.StatusGatewayTimeout, late: true}
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxForm)) // so that the connection is used again
	if res.StatusCode >= 300 {
		v.c.cfg.Log.WarnContext(v.ctx, "console: a file cannot be uploaded", "status", res.StatusCode)
		return "", &problem{Status: http.StatusBadGateway, Code: directory.CodeInternal, Detail: "The file could not be stored. Nothing was loaded."}
	}
	return signed.ID, nil
}

// fileRead says how a job reads its file: what was recognised, and what each column gives.
func (v *visit) fileRead(j *job) g.Node {
	f := j.File
	if f == nil {
		return nil
	}
	known := func(name text, value string) g.Node {
		return g.If(value != "", v.fact(name, data(value)))
	}
	separator := f.Separator
	if separator == "\t" {
		separator = v.lang.say(textTab)
	}
	column1, gives := column{head: textColumn}, column{head: textGives}
	lost := 0
	rows := g.Map(f.Columns, func(c directory.FileColumn) g.Node {
		what := v.badge(toneWarn, textNotLoaded)
		if c.Attribute != "" {
			what = v.attribute(c.Attribute)
		} else {
			lost++
		}
		return h.Tr(v.cell(column1, data(c.Name)), v.cell(gives, what, g.If(c.Ignored != "", h.Small(v.sentence(c.Ignored))), g.If(c.Note != "", h.Small(v.sentence(c.Note)))))
	})
	return h.Section(h.H2(v.say(textFileRead)), facts(known(textFormat, f.Format), known(textEncoding, f.Encoding), known(textSeparator, separator), known(textSheet, f.Sheet), known(textExportOf, f.Export), g.If(f.HeaderLine > 0, v.fact(textHeaderLine, v.number(f.HeaderLine)))),
		g.If(lost > 0, h.P(v.count(countColumnsLost, lost))), g.If(len(rows) > 0, v.table(textFileRead, []column{column1, gives}, rows)))
}

// loadChecked offers to load what was checked, while its file is still there.
func (v *visit) loadChecked(j *job) g.Node {
	p, err := parameters(v.r.URL.Query(), "upload", "of", "unknown", "status", "sheet")
	if err != nil || p["upload"] == "" || j.State != directory.JobDone || j.Kind != directory.JobCheck && j.Kind != directory.JobCheckGroups {
		return nil
	}
	var fields []g.Node
	for _, name := range []string{"upload", "of", "unknown", "status", "sheet"} {
		if value := p[name]; value != "" {
			fields = append(fields, hidden(name, value))
		}
	}
	return v.box(toneInfo, v.say(textCheckedOnly), h.P(v.say(textCheckedMeans)), h.Div(h.Class("row"), v.act(scopeWrite, "/console/users/load", textLoadThis, "primary", fields...), link("/console/users/load", h.Class("button"), v.say(textChooseOther))))
}

// refusedPages is how many pages of what a job refused one file has: a load lists 10,000.
const refusedPages = 120

// refusedCSV is what a job refused, or left as it was: the line in the file that was loaded,
// whom it is about, and why. What else stood in the line nobody has kept.
func refusedCSV(v *visit) (answer, error) {
	var b strings.Builder
	out := csv.NewWriter(&b)
	_ = out.Write([]string{"line", "what", "code", "why"}) // into memory
	next, name := "", "refused.csv"
	for range refusedPages {
		var j job
		if _, err := v.call(v.ctx, http.MethodGet, query(apiPath("jobs", v.id()), "next", next), nil, &j); err != nil {
			return nil, err
		}
		if j.Kind == directory.JobTakeBack || j.Kind == directory.JobCheckTakeBack {
			name = "stays.csv"
		}
		for _, r := range j.Refused {
			line := ""
			if r.Line > 0 {
				line = itoa(r.Line)
			}
			_ = out.Write([]string{line, noFormula(refusedAs(r)), noFormula(r.Code), noFormula(r.Detail)})
		}
		if next = j.Next; next == "" {
			break
		}
	}
	out.Flush()
	return file{"text/csv; charset=utf-8", name, b.String()}, nil
}

// noFormula keeps a spreadsheet from computing what others wrote.
func noFormula(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
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
