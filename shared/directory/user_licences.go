package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// UserLicences says which licences one bound user is to have through a connection,
// whatever groups say. It counts only while Epoch is the connection's, and as long as the
// user is bound.
type UserLicences struct {
	ConnectionID ConnectionID  `json:"connectionId"`
	UserID       UserID        `json:"userId"`
	Epoch        int64         `json:"-"`
	Licences     []LicenceRule `json:"licences"`
	// Since says since when each product has been wished, by the name that its rule has,
	// folded: who has waited longer goes first when seats are short.
	Since map[string]time.Time `json:"since,omitempty"`
	// By is the subject of the caller who asked for it as it is.
	By      string    `json:"by,omitempty"`
	Updated time.Time `json:"updated"`
	Version int64     `json:"-"` // of the record; what an ETag stands for
	// Editors are who changed the rules lately, for Bindery's own use.
	Editors []Edit `json:"-"`
}

// LicenceRules is a list of rules by itself, as callers send it.
type LicenceRules struct {
	Licences []LicenceRule `json:"licences"`
}

// ParseLicenceRules reads the rules of one user strictly: an unknown key is refused by
// name. The error is a *Refusal.
func ParseLicenceRules(data []byte) ([]LicenceRule, error) {
	var r LicenceRules
	if err := parseRules(data, &r, "The user's licences", `Send an object such as {"licences": [{"sku": "SPE_E3"}]}.`); err != nil {
		return nil, err
	}
	var f []FieldError
	bad := func(field, format string, args ...any) {
		f = append(f, FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	if r.Licences == nil {
		bad("licences", "is missing; an empty list takes the user's rules away")
	}
	for i := range r.Licences {
		r.Licences[i].tidy()
	}
	validateRules(r.Licences, bad)
	for i := range r.Licences {
		if r.Licences[i].Via == LicenceViaGroup {
			bad(fmt.Sprintf("licences[%d].via", i), "a rule of one user is given to the account itself: leave via out")
		}
	}
	if len(f) == 0 {
		return r.Licences, nil
	}
	refusal := Refuse(ErrInvalid, CodeInvalidUse, "The user's licences were not accepted and nothing was changed.", "")
	refusal.Fields = f
	return nil, refusal
}

// Set gives the user other rules, at a time: a product that was wished before keeps its
// age.
func (u *UserLicences) Set(rules []LicenceRule, by string, now time.Time) {
	since := make(map[string]time.Time, len(rules))
	for i := range rules {
		name := strings.ToLower(rules[i].SKU)
		since[name] = now.UTC()
		if was, wished := u.Since[name]; wished {
			since[name] = was
		}
	}
	u.Licences, u.Since, u.By, u.Updated = slices.Clone(rules), since, by, now.UTC()
	u.Editors = edited(u.Editors, Edit{By: by, Version: u.Version + 1, At: now.UTC()})
}

// SinceOf is since when a rule has been there.
func (u *UserLicences) SinceOf(r *LicenceRule) time.Time { return u.Since[strings.ToLower(r.SKU)] }

// Products are the products that the rules name, in order.
func (u *UserLicences) Products() []string { return slices.Sorted(maps.Keys(u.Since)) }
