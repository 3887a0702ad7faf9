package doctor

import (
	"cmp"
	"fmt"
	"sort"
	"time"

	"bindery/shared/directory"
)

// Severity says how much a finding matters.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // people are, or will be, cut off or not synced
	Warning  Severity = "warning"  // something will go wrong, or does for some
	Info     Severity = "info"     // worth knowing before acting
)

// Finding is one thing that is wrong, or will be.
type Finding struct {
	Code        string   `json:"code"`
	Severity    Severity `json:"severity"`
	Subject     string   `json:"subject,omitempty"` // the domain, or whom it concerns
	Evidence    string   `json:"evidence"`
	Consequence string   `json:"consequence"`
	Next        string   `json:"next"`
	// Variant and Values are what a program needs to say the sentences above in words of
	// its own: directory.FindingForms has them. Values are texts and numbers, times in the
	// form of RFC 3339; there are none in reports of an earlier version.
	Variant string         `json:"variant,omitempty" doc:"Which form of the code it is; left out of the usual one."`
	Values  map[string]any `json:"values,omitempty" doc:"What the sentences are about, by name: texts, numbers, days and times. Which ones a code has stands in PROBLEMS.md."`
	// Since is since when, where that is known.
	Since time.Time `json:"since,omitzero"`
	// Users or Groups that it concerns: how many, and some of them.
	Users    int      `json:"users,omitempty"`
	Groups   int      `json:"groups,omitempty"`
	Examples []Person `json:"examples,omitempty"`
}

// Report is what a check came to.
type Report struct {
	ConnectionID directory.ConnectionID `json:"connectionId"`
	// Epoch is the connection's when it was looked at: the report says nothing of
	// another authorisation. 0 in reports of an earlier version.
	Epoch     int64     `json:"epoch,omitempty"`
	CheckedAt time.Time `json:"checkedAt"`
	Findings  []Finding `json:"findings"`
	// Authorization and Domains are the facts that most findings are about.
	Authorization *AuthorizationHealth `json:"authorization,omitempty"`
	Domains       []DomainIs           `json:"domains,omitempty"`
	// Unread says what could not be looked at, and why: no finding of that kind
	// does not mean that all is well.
	Unread map[string]string `json:"unread,omitempty"`
}

// Healthy says that everything was looked at and nothing worse than information was
// found. It is nil when that is not known: what was found is no more than
// information, and something could not be looked at.
func (r *Report) Healthy() *bool {
	healthy := true
	for i := range r.Findings {
		healthy = healthy && r.Findings[i].Severity == Info
	}
	if healthy && len(r.Unread) > 0 {
		return nil
	}
	return &healthy
}

// Judge turns facts into findings, the gravest first, in a stable order.
func Judge(f *Facts) Report {
	r := Report{CheckedAt: f.Now, Findings: []Finding{}, Authorization: authorizationOf(f), Domains: f.Domains, Unread: f.Unread}
	if f.Connection != nil {
		r.ConnectionID, r.Epoch = f.Connection.ID, f.Connection.Epoch
	}
	for _, rule := range []func(*Facts) []Finding{ofConnection, ofGoDaddy, ofDomains, ofMail, ofPeople, ofGroups, ofLicences} {
		r.Findings = append(r.Findings, rule(f)...)
	}
	sortFindings(r.Findings)
	return r
}

// sortFindings puts the gravest first.
func sortFindings(list []Finding) {
	rank := map[Severity]int{Critical: 0, Warning: 1, Info: 2}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Subject, b.Subject)) < 0
	})
}

// values are those of a finding, a name before each; a text that is not known is left out.
func values(pairs ...any) map[string]any {
	out := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		v := pairs[i+1]
		if at, is := v.(time.Time); is {
			v = at.UTC().Format(time.RFC3339)
		}
		if v != "" {
			out[pairs[i].(string)] = v
		}
	}
	return out
}

// mostExamples is how many users a finding names.
const mostExamples = 20

// about makes a finding of the users, or the groups, that it concerns; none without any.
func about(list []Person, f Finding) []Finding {
	if len(list) == 0 {
		return nil
	}
	what := "users"
	f.Users, f.Examples = len(list), list[:min(len(list), mostExamples)]
	if list[0].GroupID != "" {
		what, f.Users, f.Groups = "groups", 0, len(list)
	}
	if f.Values == nil {
		f.Values = values(what, len(list), "example", list[0].Name, "detail", list[0].Detail)
	}
	if f.Evidence == "" {
		f.Evidence = fmt.Sprintf("%d %s, for example %s", len(list), what, list[0].Name)
		if list[0].Detail != "" {
			f.Evidence += " (" + list[0].Detail + ")"
		}
	}
	return []Finding{f}
}
