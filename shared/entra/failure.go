package entra

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// Bounds of what is kept of an error.
const (
	maxMessage = 1000
	maxName    = 128
)

// detail tells more than an error's code.
type detail struct{ Code, Message, Target string }

// failure is an error as Graph describes it.
type failure struct {
	status    int
	code      string
	message   string
	target    string
	details   []detail
	codes     []string // all of them, in lower case
	words     string   // all messages, in lower case, without the values in them
	challenge string   // WWW-Authenticate, in lower case
	scope     directory.ThrottleScope
	waits     bool // there is a Retry-After
	requestID string
	foreign   bool // there is a body, and it is not of Graph
	telling   bool // a detail says exactly which rule a value breaks
	asked     asked
}

// readError reads an error, whatever shape it has: each member is taken that is
// what it should be, and the others do not matter.
func readError(status int, header http.Header, body []byte) failure {
	f := failure{
		status: status, requestID: clip(header.Get("request-id"), maxName), scope: throttleScope(header),
		waits: header.Get("Retry-After") != "", challenge: strings.ToLower(strings.Join(header.Values("WWW-Authenticate"), "\n")),
	}
	var envelope struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &envelope) != nil || len(envelope.Error) == 0 {
		text := strings.TrimSpace(string(body))
		f.foreign = text != "" && text != "null" && text != "{}" && text != `""`
		return f
	}
	var e struct {
		Code, Message, Target, Details json.RawMessage
		Inner                          json.RawMessage `json:"innerError"` // innererror too: names match in any case
	}
	if json.Unmarshal(envelope.Error, &e) != nil {
		f.code = jsonText(envelope.Error)
	}
	f.code = clip(cmp.Or(jsonText(e.Code), f.code), maxName)
	f.message, f.target = clip(jsonText(e.Message), maxMessage), clip(jsonText(e.Target), maxName)
	f.note(f.code, f.message)
	var list []json.RawMessage
	if json.Unmarshal(e.Details, &list) != nil {
		list = nil
	}
	for _, raw := range list[:min(len(list), 50)] {
		var d struct{ Code, Message, Target json.RawMessage }
		if json.Unmarshal(raw, &d) != nil {
			continue
		}
		one := detail{clip(jsonText(d.Code), maxName), clip(jsonText(d.Message), maxMessage), clip(jsonText(d.Target), maxName)}
		f.details = append(f.details, one)
		f.note(one.Code, one.Message)
		f.telling = f.telling || slices.Contains([]string{"objectconflict", "invalidvalue", "invalidlength"}, strings.ToLower(one.Code))
	}
	f.readInner(e.Inner)
	return f
}

// readInner reads innerError, which may hold others.
func (f *failure) readInner(raw json.RawMessage) {
	for range 8 {
		var in struct {
			Code      json.RawMessage `json:"code"`
			RequestID json.RawMessage `json:"request-id"`
			Inner     json.RawMessage `json:"innerError"`
		}
		if json.Unmarshal(raw, &in) != nil {
			return
		}
		f.note(clip(jsonText(in.Code), maxName), "")
		f.requestID = cmp.Or(f.requestID, clip(jsonText(in.RequestID), maxName))
		raw = in.Inner
	}
}

// note takes a code and a message for comparison.
func (f *failure) note(code, message string) {
	if code != "" {
		f.codes = append(f.codes, strings.ToLower(code))
	}
	f.words += strings.ToLower(bare(message)) + "\n"
}

// jsonText reads a string; an older directory wraps it as {"lang", "value"}.
func jsonText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var wrapped struct{ Value string }
	if json.Unmarshal(raw, &wrapped) == nil {
		return wrapped.Value
	}
	return ""
}

var (
	identifierRE = directory.Pattern(`^[A-Za-z][A-Za-z0-9_.@/]*$`)
	propertyRE   = directory.Pattern(`(?i)\b(?:of the ([a-z0-9_.]+) property\b|propert(?:y|ies)(?: with name)? '?([a-z][a-z0-9_.]*)'?)`)
	holderRE     = directory.Pattern(`(?i)(?:([A-Za-z]+)_)?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})`)
	guidRE       = directory.Pattern(`(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}`)
)

// bare takes the quoted values out of a message, so that a person who is called
// "insufficient privileges" does not decide what it means. Names of properties
// and types stay. From the first value on, everything up to the last quotation
// mark goes: the value may hold some itself.
func bare(message string) string {
	for _, mark := range []byte{'\'', '"'} {
		message = strip(message, mark)
	}
	return message
}

func strip(message string, mark byte) string {
	for from := 0; from < len(message); {
		open := opening(message, from, mark)
		if open < 0 {
			break
		}
		end := closing(message, open+1, mark)
		if end < 0 {
			return message[:open]
		}
		if identifierRE().MatchString(message[open+1 : end]) {
			from = end + 1
			continue
		}
		return message[:open] + message[strings.LastIndexByte(message, mark)+1:]
	}
	return message
}

// opening finds a quotation mark that does not stand within a word.
func opening(s string, from int, mark byte) int {
	for i := from; i < len(s); i++ {
		if s[i] == mark && (i == 0 || strings.IndexByte(" ([,:=", s[i-1]) >= 0) {
			return i
		}
	}
	return -1
}

// closing finds a quotation mark that ends a word.
func closing(s string, from int, mark byte) int {
	for i := from; i < len(s); i++ {
		if s[i] == mark && (i+1 == len(s) || strings.IndexByte(" .,;:)]", s[i+1]) >= 0) {
			return i
		}
	}
	return -1
}

// property names the property that an error is about, in a sentence: as the error
// says, or as the request had only one.
func (f *failure) property() string {
	if name := f.named(); name != "" {
		return name
	}
	names := f.asked.properties.Names()
	switch {
	case f.asked.act == actCreate || len(names) == 0:
		return "a property that Microsoft does not name"
	case len(names) == 1:
		return names[0]
	}
	return "one of " + strings.Join(names, ", ")
}

// culprit is the property of the request that an error is about, spelled as the
// request has it; "" when that cannot be told, or when it is none of those that
// the request writes. accountEnabled is never: a block is not put aside.
func (f *failure) culprit() string {
	names := f.asked.properties.Names()
	if f.asked.act == actRestore || len(names) == 0 {
		return ""
	}
	find := func(is func(string) bool) string {
		if i := slices.IndexFunc(names, is); i >= 0 && names[i] != directory.PropAccountEnabled {
			return names[i]
		}
		return ""
	}
	named := f.named()
	if name := find(func(n string) bool { return strings.EqualFold(n, named) }); name != "" {
		return name
	}
	exchange := named == "" && containsAny(f.words, "originated within an external service")
	switch {
	case strings.EqualFold(named, extensions), exchange && f.writes("extensionattribute"):
		return find(directory.IsExtensionAttribute) // one of them, or all: they go one after the other
	case exchange, strings.EqualFold(named, "proxyAddresses") && f.asked.act != actCreate:
		// A new account brings its name as an address too: there it may be either.
		return find(func(n string) bool { return n == directory.PropMail })
	case named == "" && f.asked.act == actGroup && containsAny(f.words, conflictingObject):
		return find(func(n string) bool { return n == directory.PropMailNickname }) // the one value that others may have
	case named == "" && len(names) == 1:
		return find(func(string) bool { return true })
	}
	return ""
}

// named is the property that an error names, if it names one.
func (f *failure) named() string {
	targets := make([]string, 0, len(f.details)+1)
	for _, d := range f.details {
		targets = append(targets, d.Target)
	}
	for _, t := range append(targets, f.target) {
		// The target of ConflictingObjects is an object.
		if name := t[strings.LastIndexByte(t, '/')+1:]; identifierRE().MatchString(name) && !guidRE().MatchString(t) {
			return name
		}
	}
	vague := []string{"value", "values", "specified", "for", "is", "are", "of", "contains", "in", "with", "name"}
	for _, m := range propertyRE().FindAllStringSubmatch(bare(f.message), -1) {
		name := strings.TrimRight(m[1]+m[2], ".")
		if !slices.Contains(vague, strings.ToLower(name)) {
			return name
		}
	}
	return ""
}

// holder is the object that has a contested value, by its id. Graph names it in
// the target of a detail, "User_<id>", and older ones in its message.
func (f *failure) holder() (string, directory.HolderKind) {
	for _, d := range f.details {
		if !strings.EqualFold(d.Code, "ConflictingObjects") {
			continue
		}
		m := holderRE().FindStringSubmatch(d.Target)
		if m == nil {
			m = holderRE().FindStringSubmatch(d.Message)
		}
		if m == nil {
			continue
		}
		switch strings.ToLower(m[1]) {
		case "":
			return m[2], ""
		case "user":
			return m[2], directory.HolderUser
		case "group":
			return m[1] + " " + m[2], directory.HolderGroup
		case "contact", "orgcontact":
			return m[1] + " " + m[2], directory.HolderContact
		}
		return m[1] + " " + m[2], ""
	}
	return "", ""
}
