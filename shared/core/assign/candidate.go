package assign

import (
	"bindery/shared/directory"
)

// Verdict says what an import would do with an account.
type Verdict string

// The verdicts.
const (
	VerdictNew         Verdict = "new"
	VerdictInDirectory Verdict = "in-directory" // a user was imported from it, or has its address
	VerdictBound       Verdict = "bound"        // through this connection
	VerdictExternal    Verdict = "external"     // its person signs in at another tenant or provider
	VerdictExcluded    Verdict = "excluded"     // Reason says why
)

// Candidate is an account of a tenant with its verdict.
type Candidate struct {
	ID                directory.AccountID `json:"id"`
	UserPrincipalName string              `json:"userPrincipalName"`
	Mail              string              `json:"mail,omitempty"`
	DisplayName       string              `json:"displayName,omitempty"`
	GivenName         string              `json:"givenName,omitempty"`
	Surname           string              `json:"surname,omitempty"`
	Enabled           bool                `json:"enabled"`
	Verdict           Verdict             `json:"verdict"`
	// Reason of an exclusion: external-member, guest, synced-on-premises, protected, blocked,
	// no-last-name or no-address; of an account in the directory adopt-other-employee.
	// Detail is the same as a sentence.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	// UserID is the user that is bound to the account, was imported from it or has
	// its address.
	UserID directory.UserID `json:"userId,omitempty"`
	// Warnings are what of the account's values would be changed on their way into
	// the directory, by Graph's names.
	Warnings []directory.Warning `json:"warnings,omitempty"`
	// Writes is what the first sync would write to the account if its user were
	// bound as it is, or as the import makes it.
	Writes []directory.PropertyChange `json:"writes,omitempty"`
	// BoundAs is the userPrincipalName that the account has once the user is
	// bound: another one than now when the binding renames it. It is empty for an
	// account that is bound or cannot be.
	BoundAs string `json:"boundAs,omitempty"`

	// Profile is what a user is made of by an import, of an account that is new.
	Profile directory.Profile `json:"-"`
	// EmployeeID is the account's.
	EmployeeID directory.Value `json:"-"`
}

// newCandidate is an account without its verdict: new.
func newCandidate(a *directory.Account) Candidate {
	return Candidate{
		ID: a.ID, UserPrincipalName: a.UserPrincipalName(), Mail: a.Properties[directory.PropMail].String(),
		DisplayName: a.Properties[directory.PropDisplayName].String(), GivenName: a.Properties[directory.PropGivenName].String(),
		Surname: a.Properties[directory.PropSurname].String(), Enabled: a.Enabled(), Verdict: VerdictNew,
		EmployeeID: a.Properties[directory.PropEmployeeID],
	}
}

// Choice is the binding of the candidate's user to its account.
func (c *Candidate) Choice() Choice {
	return Choice{User: c.UserID, Account: c.ID, UserPrincipalName: c.UserPrincipalName, EmployeeID: c.EmployeeID}
}

// Refuse is the candidate as a job lists what it did not do.
func (c *Candidate) Refuse(code, detail string) directory.RefusedItem {
	return directory.RefusedItem{AccountID: c.ID, Name: c.UserPrincipalName, UserID: c.UserID, Code: code, Detail: detail}
}

// AccountFilter chooses accounts; the zero filter chooses all.
type AccountFilter struct {
	Text  string // a verdict, or a part of a name or address, case-folded
	Bound *bool
}

func (f *AccountFilter) keeps(c *Candidate) bool {
	if f.Bound != nil && *f.Bound != (c.Verdict == VerdictBound) {
		return false
	}
	switch v := Verdict(f.Text); v {
	case "":
		return true
	case VerdictNew, VerdictInDirectory, VerdictBound, VerdictExternal, VerdictExcluded:
		return c.Verdict == v
	}
	return directory.ContainsFolded(f.Text, string(c.ID), c.UserPrincipalName, c.Mail, c.DisplayName, c.GivenName+" "+c.Surname)
}
