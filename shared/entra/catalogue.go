package entra

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// verdict is what an error of Graph means.
type verdict struct {
	problem   *directory.Problem
	throttled bool // not applied: too many requests
	retry     bool // not applied, and may be tried again
	unknown   bool // a write may or may not have taken effect
	expired   bool // a link has expired
	missing   bool // Graph itself says that there is no such object
}

// Classify says what an error of Graph means: a stable code of ours, the cause
// and the next step as sentences, and the original code, message and request id.
// The body may be empty, or not of Graph at all.
func Classify(status int, header http.Header, body []byte) *directory.Problem {
	return classify(status, header, body).problem
}

func classify(status int, header http.Header, body []byte) verdict {
	f := readError(status, header, body)
	r := f.rule()
	property := f.property()
	say := strings.NewReplacer("{property}", property).Replace
	v := verdict{
		problem: &directory.Problem{
			Code: r.name, Message: say(r.cause), Next: say(r.next), RequestID: f.requestID,
			MicrosoftCode: f.code, MicrosoftMessage: f.message, MicrosoftStatus: status,
		},
		throttled: r.does == throttled, retry: r.does == again || r.does == throttled,
		unknown: r.does == inDoubt, expired: r.does == restart, missing: r.name == CodeGone,
	}
	if r.name == CodeAddressTaken || r.name == CodeConflict || r.name == CodeNameTaken {
		v.problem.Holder = f.holder()
	}
	return v
}

// details are the members of an error that tell more than its code.
type details []struct{ Code, Message, Target string }

// inner is innerError; encoding/json finds innererror too.
type inner struct {
	Code      string `json:"code"`
	RequestID string `json:"request-id"`
	Inner     *inner `json:"innerError"`
}

// failure is an error as Graph describes it.
type failure struct {
	status    int
	code      string
	message   string
	target    string
	details   details
	codes     []string // all of them, in lower case
	words     string   // all messages, in lower case
	requestID string
}

func readError(status int, header http.Header, body []byte) failure {
	var envelope struct {
		Error struct {
			Code    string  `json:"code"`
			Message string  `json:"message"`
			Target  string  `json:"target"`
			Details details `json:"details"`
			Inner   *inner  `json:"innerError"`
		} `json:"error"`
	}
	f := failure{status: status, requestID: header.Get("request-id")}
	if json.Unmarshal(body, &envelope) != nil {
		// Not of Graph, or of a shape that nobody knows: the status must do.
		return f
	}
	e := envelope.Error
	f.code, f.message, f.target, f.details = e.Code, e.Message, e.Target, e.Details
	f.codes = append(f.codes, strings.ToLower(e.Code))
	f.words = strings.ToLower(e.Message)
	for _, d := range e.Details {
		f.codes = append(f.codes, strings.ToLower(d.Code))
		f.words += "\n" + strings.ToLower(d.Message)
	}
	for in := e.Inner; in != nil; in = in.Inner {
		f.codes = append(f.codes, strings.ToLower(in.Code))
		if f.requestID == "" {
			f.requestID = in.RequestID
		}
	}
	return f
}

// rule finds the first rule that fits; the last one fits everything.
func (f *failure) rule() *rule {
	for i := range rules {
		if rules[i].fits(f) {
			return &rules[i]
		}
	}
	return &rules[len(rules)-1]
}

func (r *rule) fits(f *failure) bool {
	if len(r.status) > 0 && !slices.ContainsFunc(r.status, func(s int) bool { return s == f.status || s < 10 && s == f.status/100 }) {
		return false
	}
	if r.code == "" && r.target == "" && r.words == "" {
		return true
	}
	if r.target != "" || r.code != "" {
		if f.names(r.code, r.target) {
			return true
		}
	}
	return r.words != "" && containsAny(f.words, r.words)
}

// names reports whether the error or one of its details has the code, and, when a
// target is given, that detail's own target: the target of another detail says
// nothing.
func (f *failure) names(code, target string) bool {
	list := strings.Split(code, "|")
	is := func(c string) bool { return code == "" || slices.Contains(list, strings.ToLower(c)) }
	if target == "" {
		return slices.ContainsFunc(f.codes, func(c string) bool { return c != "" && is(c) })
	}
	on := func(t string) bool { return slices.Contains(strings.Split(target, "|"), strings.ToLower(t)) }
	if is(f.code) && on(f.target) {
		return true
	}
	return slices.ContainsFunc(f.details, func(d struct{ Code, Message, Target string }) bool { return is(d.Code) && on(d.Target) })
}

func containsAny(text, list string) bool {
	for part := range strings.SplitSeq(list, "|") {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

var (
	propertyRE = regexp.MustCompile(`(?i)propert(?:y|ies)(?: with name)? '?([A-Za-z][A-Za-z0-9_.]*)'?`)
	holderRE   = regexp.MustCompile(`(?i)(?:([A-Za-z]+)_)?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})`)
)

// property names the property that an error is about, as well as it says so.
func (f *failure) property() string {
	for _, d := range f.details {
		if d.Target != "" {
			return d.Target
		}
	}
	if f.target != "" {
		return f.target
	}
	if m := propertyRE.FindStringSubmatch(f.message); m != nil && !slices.Contains([]string{"value", "values", "specified", "for"}, strings.ToLower(m[1])) {
		return m[1]
	}
	return "that Microsoft does not name"
}

// holder is the object that has a contested value: the id of an account, or the
// kind and id of anything else.
func (f *failure) holder() string {
	for _, d := range f.details {
		if !strings.EqualFold(d.Code, "ConflictingObjects") {
			continue
		}
		m := holderRE.FindStringSubmatch(d.Message)
		switch {
		case m == nil:
		case m[1] == "" || strings.EqualFold(m[1], "user"):
			return m[2]
		default:
			return m[1] + " " + m[2]
		}
	}
	return ""
}
