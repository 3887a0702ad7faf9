// Package mapping turns a user of our directory into the properties that its
// account in Microsoft 365 should have. It is pure: no I/O, no clock.
//
//	user ──Address──> userPrincipalName (domainMap, defaultDomain, claimed domains)
//	     ──Desired──> values by Graph's property names, or the Microsoft rules they break
//	account ──Profile──> what an import brings
//
// Values are sent in the user's own spelling (trimmed, Unicode NFC; addresses
// in lower case) and compared in a canonical form (Canonical), so that what
// Microsoft stores a little differently does not look like a change.
package mapping

import (
	"maps"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// Mapper maps users for one connection. It may be used by many goroutines.
type Mapper struct {
	settings directory.Settings
	claimed  map[string]directory.Domain
	names    []string // claimed domains, sorted
	domains  map[string]string
}

// New returns the mapper for a connection's settings, which must be valid, and
// the domains that it has claimed.
func New(s directory.Settings, domains []directory.Domain) *Mapper {
	m := &Mapper{settings: s.Defaulted(), claimed: map[string]directory.Domain{}, domains: map[string]string{}}
	for _, d := range domains {
		m.claimed[directory.FoldAddress(d.Name)] = d
	}
	m.names = slices.Sorted(maps.Keys(m.claimed))
	for from, to := range s.DomainMap {
		m.domains[directory.FoldAddress(from)] = directory.FoldAddress(to)
	}
	return m
}

// always are the properties that every binding manages.
var always = []string{
	directory.PropAccountEnabled, directory.PropDisplayName, directory.PropGivenName,
	directory.PropMailNickname, directory.PropSurname, directory.PropUserPrincipalName,
}

// Managed returns the names of all properties that may be exported, sorted:
// what a read must select.
func (m *Mapper) Managed() []string {
	names := slices.Clone(always)
	for name, rule := range m.settings.Attributes {
		if rule.Export {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Address returns the userPrincipalName that a user's account should have: the
// local part of the e-mail address at the mapped domain. A domain that is
// neither mapped nor claimed gives way to defaultDomain. The problem says why
// there is no such address.
func (m *Mapper) Address(u *directory.User) (string, *directory.Problem) {
	email := Text(u.Email)
	at := strings.LastIndexByte(email, '@')
	if email == "" {
		return "", refuse("address-missing", "The user has no e-mail address.", "Give the user an address.")
	}
	if at <= 0 || at == len(email)-1 {
		return "", refuse("address-invalid", "The e-mail address has no local part or no domain.", "Correct the user's address.")
	}
	local, domain := strings.ToLower(email[:at]), directory.FoldAddress(email[at+1:])
	if to, ok := m.domains[domain]; ok {
		domain = to
	} else if _, ok := m.claimed[domain]; !ok && m.settings.DefaultDomain != "" {
		domain = directory.FoldAddress(m.settings.DefaultDomain)
	}
	if _, ok := m.claimed[domain]; !ok {
		return "", refuse("domain-not-claimed",
			"The address would lie in "+domain+", which is not a verified domain of this connection.",
			"Change the address, or map its domain by domainMap or defaultDomain to one of: "+strings.Join(m.names, ", ")+".")
	}
	address := local + "@" + domain
	if p := checkUserPrincipalName(local, domain); p != nil {
		return "", p
	}
	return address, nil
}

// Domain returns the claimed domain that an address lies in.
func (m *Mapper) Domain(address string) (directory.Domain, bool) {
	d, ok := m.claimed[directory.DomainOf(address)]
	return d, ok
}

// Desired returns the values that the directory wants the user's account to
// have. A name that is not there is not managed for this user: its export is
// off, or the user has no value and the setting does not clear. The problems
// are every rule of Microsoft's that the user breaks; accountEnabled is always
// among the values, so that a block goes through in any case.
func (m *Mapper) Desired(u *directory.User) (directory.Properties, []directory.Problem) {
	want := directory.Properties{directory.PropAccountEnabled: directory.BoolValue(u.Enabled())}
	var problems []directory.Problem
	address, p := m.Address(u)
	if p != nil {
		problems = append(problems, *p)
	} else {
		want[directory.PropUserPrincipalName] = directory.StringValue(address)
		want[directory.PropMailNickname] = directory.StringValue(nickname(address))
	}
	for name, text := range map[string]string{
		directory.PropGivenName: Text(u.GivenName), directory.PropSurname: Text(u.FamilyName), directory.PropDisplayName: DisplayName(u),
	} {
		if text != "" {
			want[name] = directory.StringValue(text)
		}
	}
	for name, rule := range m.settings.Attributes {
		if !rule.Export {
			continue
		}
		v := source(u, name, rule)
		if !v.IsNull() || rule.Clear && Clearable(name) {
			want[name] = v
		}
	}
	for _, name := range want.Names() {
		if p := check(name, want[name]); p != nil {
			problems = append(problems, *p)
			delete(want, name)
		}
	}
	return want, problems
}

// notClearable lists what Microsoft does not let be set to null (G 2.4).
var notClearable = []string{
	directory.PropDisplayName, directory.PropUserPrincipalName, directory.PropMailNickname,
	directory.PropAccountEnabled, directory.PropUsageLocation, directory.PropMail,
}

// Clearable reports whether Microsoft lets a property be emptied.
func Clearable(name string) bool { return !slices.Contains(notClearable, name) }

// DisplayName is the user's own, else the names, else the address's local part.
func DisplayName(u *directory.User) string {
	if d := Text(u.DisplayName); d != "" {
		return d
	}
	if d := Text(u.GivenName + " " + u.FamilyName); d != "" {
		return d
	}
	local, _, _ := strings.Cut(Text(u.Email), "@")
	return local
}

// source is where an optional property comes from.
func source(u *directory.User, name string, rule directory.AttributeRule) directory.Value {
	text := ""
	switch name {
	case directory.PropOtherMails:
		if mail := directory.FoldAddress(u.AlternateEmail); mail != "" {
			return directory.ListValue(mail)
		}
		return directory.Null
	case directory.PropBusinessPhones:
		if phone := Text(u.Phones.Work); phone != "" {
			return directory.ListValue(phone)
		}
		return directory.Null
	case directory.PropMobilePhone:
		text = u.Phones.Mobile
	case "streetAddress":
		text = u.WorkAddress.StreetAddress
	case "city":
		text = u.WorkAddress.City
	case "state":
		text = u.WorkAddress.State
	case "postalCode":
		text = u.WorkAddress.PostalCode
	case "country":
		text = u.WorkAddress.Country
	case "department":
		text = u.Department
	case "jobTitle":
		text = u.JobTitle
	case "officeLocation":
		text = u.Location
	case "companyName":
		text = u.Company
	case directory.PropEmployeeID:
		text = u.EmployeeID
	case "employeeType":
		text = u.EmployeeType
	case directory.PropUsageLocation:
		text = strings.ToUpper(u.UsageLocation)
	case "preferredLanguage":
		text = u.PreferredLanguage
	default: // extensionAttribute1..15
		key := rule.From
		if key == "" {
			key = name
		}
		text = u.CustomAttributes[key]
	}
	return directory.StringValue(Text(text))
}

func refuse(code, message, next string) *directory.Problem {
	return &directory.Problem{Code: code, Message: message, Next: next}
}
