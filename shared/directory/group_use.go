package directory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// GroupUse says what a connection does with a group of our directory: it may bind the
// group's members, export it as a group of the tenant, and license its members. It
// counts only while Epoch is the connection's.
type GroupUse struct {
	ConnectionID ConnectionID `json:"connectionId"`
	GroupID      GroupID      `json:"groupId"`
	Epoch        int64        `json:"-"`
	UseRules
	// FormerSelect is the rule by which members were bound until it was taken out of the
	// rules: whom that lets go is let go as it said.
	FormerSelect *SelectRule `json:"formerSelect,omitempty"`
	// FormerExport is the rule by which the group was exported until it was taken out of
	// the rules: it may not have ended yet.
	FormerExport *ExportRule `json:"formerExport,omitempty"`
	// By is the subject of the caller who asked for it as it is.
	By      string    `json:"by,omitempty"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Version int64     `json:"-"` // of the record; what an ETag stands for
	// Editors are who changed the rules lately. It is for Bindery's own use, like
	// User.Editors.
	Editors []Edit `json:"-"`
	// Ending says that the use has been withdrawn, and that what it gave is being
	// taken back, or kept, as its rules say. Nothing new comes of it.
	Ending bool `json:"ending,omitempty"`
}

// UseRules is what an admin says of a group's use.
type UseRules struct {
	Select   *SelectRule   `json:"select,omitempty"`
	Export   *ExportRule   `json:"export,omitempty"`
	Licences []LicenceRule `json:"licences,omitempty"`
}

// SelectRule has the members of a group bound.
type SelectRule struct {
	// OnRelease says what becomes of the accounts of those who leave the group, if it
	// was their last path; empty: what the connection's settings say.
	OnRelease ReleasePolicy `json:"onRelease,omitempty"`
}

// ExportRule has a group kept in the tenant.
type ExportRule struct {
	Kind ExportKind `json:"kind"`
	// Members says whether members that others added are left alone; the default is
	// MembersAdd.
	Members MemberPolicy `json:"members,omitempty"`
	// Nested says what becomes of groups that are members; the default is
	// NestedFlatten.
	Nested NestedPolicy `json:"nested,omitempty"`
	// Adopt is the group of the tenant that is taken over, as an admin decided; empty:
	// a new one is made.
	Adopt AccountID `json:"adopt,omitempty"`
	// OnRelease says what becomes of the tenant's group when the export ends; the
	// default is ExportKeep.
	OnRelease ExportRelease `json:"onRelease,omitempty"`
	// WelcomeMail has Microsoft greet the members of a Microsoft 365 group by mail.
	WelcomeMail bool `json:"welcomeMail,omitempty"`
}

// ExportKind is what kind of group a group becomes in the tenant.
type ExportKind string

// The kinds. Microsoft cannot make one of the other (GG 2.3), so neither can an edit.
const (
	ExportSecurity     ExportKind = "security"
	ExportMicrosoft365 ExportKind = "microsoft365"
)

// MemberPolicy says which members of the tenant's group are ours to remove.
type MemberPolicy string

// The policies.
const (
	MembersAdd   MemberPolicy = "add"   // only those that we added
	MembersExact MemberPolicy = "exact" // all that the directory does not have
)

// NestedPolicy says what becomes of groups that are members of a group.
type NestedPolicy string

// The policies.
const (
	NestedFlatten NestedPolicy = "flatten" // their members become members
	NestedKeep    NestedPolicy = "keep"    // they are members themselves where they are exported too, else flattened
)

// ExportRelease says what becomes of the tenant's group when its export ends.
type ExportRelease string

// The policies.
const (
	ExportKeep   ExportRelease = "keep"   // it stays as it is, no longer ours
	ExportEmpty  ExportRelease = "empty"  // the members that we added are removed, then it is no longer ours
	ExportDelete ExportRelease = "delete" // it is deleted; Microsoft keeps it for 30 days
	// ExportRestore is as ExportEmpty; besides, whom an exact export took out is a member
	// again, and a group that was there before us has its name and description from then.
	ExportRestore ExportRelease = "restore"
)

// LicenceRule gives members of a group, or one user, a licence.
type LicenceRule struct {
	// SKU is the part number ("SPE_E3") or the ID of what the tenant subscribed to.
	SKU string `json:"sku"`
	// DisabledPlans are the service plans left out, by name or ID.
	DisabledPlans []string   `json:"disabledPlans,omitempty"`
	Via           LicenceVia `json:"via,omitempty"` // the default is LicenceViaUser
	// Priority orders rules when seats are short: the higher one goes first.
	Priority int `json:"priority,omitempty"`
}

// LicenceVia is the way in which a licence is given.
type LicenceVia string

// The ways.
const (
	LicenceViaUser  LicenceVia = "user"  // to each account, remembered by us
	LicenceViaGroup LicenceVia = "group" // to the exported group, by Microsoft's group-based licensing
)

// Limits of a use.
const (
	MaxLicenceRules  = 20
	MaxDisabledPlans = 50
	MaxRulePriority  = 1000
)

// ParseUseRules reads the rules of a use strictly: an unknown key is refused by name.
// The error is a *Refusal.
func ParseUseRules(data []byte) (UseRules, error) {
	var r UseRules
	if err := parseRules(data, &r, "What is to be done with the group", `Send an object such as {"select": {}, "export": {"kind": "security"}}.`); err != nil {
		return r, err
	}
	for i := range r.Licences {
		r.Licences[i].tidy()
	}
	return r, r.Validate()
}

// parseRules reads a JSON object strictly into rules. what names it in a sentence.
func parseRules(data []byte, rules any, what, next string) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(rules); err != nil {
		detail := strings.TrimPrefix(err.Error(), "json: ")
		if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			kind, _, _ := strings.Cut(typ.Value, " ") // a number's value may follow
			detail = fmt.Sprintf("%s must not be of type %s", jsonPath(data, typ.Offset), kind)
		}
		return Refuse(ErrInvalid, CodeInvalidUse, what+" cannot be read: "+detail+".", next)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Refuse(ErrInvalid, CodeInvalidUse, "There is something behind the closing brace.", "Send one JSON object.")
	}
	return nil
}

func (r *LicenceRule) tidy() {
	r.SKU = strings.TrimSpace(r.SKU)
	for i, p := range r.DisabledPlans {
		r.DisabledPlans[i] = strings.TrimSpace(p)
	}
	slices.Sort(r.DisabledPlans)
	r.DisabledPlans = slices.Compact(r.DisabledPlans)
}

// Validate reports every fault at once as a *Refusal, or nil.
func (r *UseRules) Validate() error {
	var f []FieldError
	bad := func(field, format string, args ...any) {
		f = append(f, FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	if r.Select == nil && r.Export == nil && len(r.Licences) == 0 {
		bad("select", "or export, or licences must be there: a use without any does nothing. DELETE ends a use")
	}
	if r.Select != nil {
		oneOf(bad, "select.onRelease", string(r.Select.OnRelease), "keep", "block", "restore")
	}
	if r.Export != nil {
		r.Export.validate(bad)
	}
	r.validateLicences(bad)
	if len(f) == 0 {
		return nil
	}
	refusal := Refuse(ErrInvalid, CodeInvalidUse, "What is to be done with the group was not accepted and nothing was changed.", "")
	refusal.Fields = f
	return refusal
}

func (e *ExportRule) validate(bad func(field, format string, args ...any)) {
	if e.Kind == "" {
		bad("export.kind", "is missing: security or microsoft365")
	}
	oneOf(bad, "export.kind", string(e.Kind), "security", "microsoft365")
	oneOf(bad, "export.members", string(e.Members), "add", "exact")
	oneOf(bad, "export.nested", string(e.Nested), "flatten", "keep")
	oneOf(bad, "export.onRelease", string(e.OnRelease), "keep", "empty", "delete", "restore")
	switch {
	case e.Adopt != "" && !guid().MatchString(string(e.Adopt)):
		bad("export.adopt", "%q is not the ID of a group: GET …/tenant-groups lists them", e.Adopt)
	case e.Adopt != "" && e.WelcomeMail:
		bad("export.welcomeMail", "can be said only of a group that is made")
	}
	if e.WelcomeMail && e.Kind == ExportSecurity {
		bad("export.welcomeMail", "is for Microsoft 365 groups only")
	}
	if e.Nested == NestedKeep && e.Kind == ExportMicrosoft365 {
		bad("export.nested", "Microsoft 365 groups have no groups as members: they are flattened")
	}
}

// guid is what an ID of Microsoft's looks like.
var guid = Pattern(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// skuName is a part number: letters, digits and underscores (GG 9.1).
var skuName = Pattern(`^[A-Za-z0-9_.-]{1,100}$`)

func (r *UseRules) validateLicences(bad func(field, format string, args ...any)) {
	validateRules(r.Licences, bad)
	for i := range r.Licences {
		if r.Licences[i].Via == LicenceViaGroup && r.Export == nil {
			bad(fmt.Sprintf("licences[%d].via", i), "only a group that is exported gives licences itself: add export, or use \"user\"")
		}
	}
}

// validateRules reports what is wrong with rules of licences.
func validateRules(rules []LicenceRule, bad func(field, format string, args ...any)) {
	if len(rules) > MaxLicenceRules {
		bad("licences", "has %d rules; there may be %d", len(rules), MaxLicenceRules)
	}
	seen := map[string]bool{}
	for i := range rules {
		rule, at := &rules[i], fmt.Sprintf("licences[%d]", i)
		rule.validate(at, bad)
		if key := strings.ToLower(rule.SKU); seen[key] {
			bad(at+".sku", "%q has two rules", rule.SKU)
		} else {
			seen[key] = true
		}
	}
}

// validate reports what is wrong with one rule.
func (r *LicenceRule) validate(at string, bad func(field, format string, args ...any)) {
	if !skuName().MatchString(r.SKU) {
		bad(at+".sku", "%q is neither a part number such as SPE_E3 nor an ID", r.SKU)
	}
	oneOf(bad, at+".via", string(r.Via), "user", "group")
	if len(r.DisabledPlans) > MaxDisabledPlans {
		bad(at+".disabledPlans", "has %d plans; there may be %d", len(r.DisabledPlans), MaxDisabledPlans)
	}
	for _, p := range r.DisabledPlans {
		if !skuName().MatchString(p) {
			bad(at+".disabledPlans", "%q is neither a service plan's name nor an ID", p)
		}
	}
	if r.Priority < 0 || r.Priority > MaxRulePriority {
		bad(at+".priority", "must lie between 0 and %d", MaxRulePriority)
	}
}

// Defaulted returns the rules with every default filled in.
func (r UseRules) Defaulted() UseRules {
	if r.Export != nil {
		e := *r.Export
		e.Members = cmp.Or(e.Members, MembersAdd)
		e.Nested = cmp.Or(e.Nested, NestedFlatten)
		e.OnRelease = cmp.Or(e.OnRelease, ExportKeep)
		r.Export = &e
	}
	r.Licences = slices.Clone(r.Licences)
	for i := range r.Licences {
		r.Licences[i].Via = cmp.Or(r.Licences[i].Via, LicenceViaUser)
	}
	return r
}

// SafetyOfUse says what an edit of a use does to safety, by key. The zero rules stand
// for no use. What gives nobody access to what others have made, and takes nothing of
// others away, needs no decision: the guard counts what follows from it.
func SafetyOfUse(old, next UseRules) Safety {
	old, next = old.Defaulted(), next.Defaulted()
	var s Safety
	judge := func(key string, was, is bool) {
		switch {
		case is && !was:
			s.Loosened = append(s.Loosened, key)
		case was && !is:
			s.Tightened = append(s.Tightened, key)
		}
	}
	export := func(r UseRules, loose func(*ExportRule) bool) bool { return r.Export != nil && loose(r.Export) }
	// Whose members a group of others gets is who has what the group gives access to.
	judge("export.adopt", false, export(next, func(e *ExportRule) bool {
		return e.Adopt != "" && !(old.Export != nil && old.Export.Adopt == e.Adopt)
	}))
	exact := func(e *ExportRule) bool { return e.Members == MembersExact }
	judge("export.members", export(old, exact), export(next, exact))
	deletes := func(e *ExportRule) bool { return e.OnRelease == ExportDelete }
	judge("export.onRelease", export(old, deletes), export(next, deletes))
	blocks := func(r UseRules) bool {
		return r.Select != nil && r.Select.OnRelease != "" && r.Select.OnRelease != ReleaseKeep
	}
	judge("select.onRelease", blocks(old), blocks(next))
	return s
}

// Scopes are the permissions that what the rules ask for needs, besides those that every
// connection has.
func (r *UseRules) Scopes() []string {
	var list []string
	if r.Export != nil {
		list = append(list, ScopeGroups)
	}
	if len(r.Licences) > 0 {
		list = append(list, ScopeLicences)
	}
	return list
}

// EditedBy notes that the rules are, from the next version on, as a caller wants them.
func (u *GroupUse) EditedBy(subject string, now time.Time) {
	u.By = subject
	u.Editors = edited(u.Editors, Edit{By: subject, Version: u.Version + 1, At: now.UTC()})
}

// Set gives the use other rules.
func (u *GroupUse) Set(next UseRules) {
	switch {
	case next.Select != nil:
		u.FormerSelect = nil
	case u.Select != nil:
		u.FormerSelect = u.Select
	}
	switch {
	case next.Export != nil:
		u.FormerExport = nil
	case u.Export != nil:
		u.FormerExport = u.Export
	}
	u.UseRules, u.Ending = next, false
}

// OnRelease is the policy by which those are let go whom the use binds no longer; "":
// what the connection's settings say.
func (u *GroupUse) OnRelease() ReleasePolicy {
	for _, rule := range []*SelectRule{u.Select, u.FormerSelect} {
		if rule != nil {
			return rule.OnRelease
		}
	}
	return ""
}

// ExportRelease says what becomes of the tenant's group once the use does not export it any
// more, also when the rule was taken out while the use goes on. Without any rule it is
// kept.
func (u *GroupUse) ExportRelease() ExportRelease {
	for _, rule := range []*ExportRule{u.Export, u.FormerExport} {
		if rule != nil {
			return cmp.Or(rule.OnRelease, ExportKeep)
		}
	}
	return ExportKeep
}
