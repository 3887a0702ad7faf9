// Package mapping turns a user of our directory into the properties that its
// account in Microsoft 365 should have. It is pure: no I/O, no clock.
//
//	user ──Address──> userPrincipalName (domainMap, defaultDomain, claimed domains)
//	     ──Desired──> values by Graph's property names, and the Microsoft rules they break
//	account ──Profile──> what an import brings
//
// Values are sent in the user's own spelling (directory.TidyText; addresses as
// directory.FoldAddress has them) and compared in a canonical form (Canonical),
// so that what Microsoft stores a little differently does not look like a change,
// and what people type a little differently does not become one. Files:
// mapping.go what is wanted, source.go where it comes from, limits.go Microsoft's
// rules, locale.go codes of countries and languages, canonical.go the form that
// is compared, profile.go the other direction.
package mapping

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"bindery/shared/directory"
)

// Mapper maps users for one connection. It may be used by many goroutines.
type Mapper struct {
	settings directory.Settings
	claimed  map[string]bool
	lost     map[string]time.Time // claimed ones that are not the tenant's any more
	listed   []string             // claimed domains, sorted
	domains  map[string]string
	managed  []*directory.Attribute // by the property's name
	names    []string               // of the managed properties, sorted
	optional []export               // those of them that the settings switch on, by name
}

// New returns the mapper for a connection's settings, which must be valid, and
// the domains that it has claimed.
func New(s directory.Settings, domains []directory.Domain) *Mapper {
	m := &Mapper{settings: s.Defaulted(), claimed: map[string]bool{}, lost: map[string]time.Time{}, domains: map[string]string{}}
	for _, d := range domains {
		if d.Lost() {
			m.lost[directory.FoldDomain(d.Name)] = d.LostSince
		} else {
			m.claimed[directory.FoldDomain(d.Name)] = true
		}
	}
	m.listed = slices.Sorted(maps.Keys(m.claimed))
	for from, to := range s.DomainMap {
		m.domains[directory.FoldDomain(from)] = directory.FoldDomain(to)
	}
	for _, a := range directory.Attributes() {
		rule := m.settings.Attributes[a.Property]
		switch {
		case a.Export == directory.UseAlways:
			m.managed = append(m.managed, a)
		case a.Export == directory.UseBySetting && (rule.Export || a.Property == directory.PropUsageLocation && s.DefaultUsageLocation != ""):
			m.managed = append(m.managed, a)
			m.optional = append(m.optional, newExport(a, rule))
		}
	}
	slices.SortFunc(m.managed, func(a, b *directory.Attribute) int { return strings.Compare(a.Property, b.Property) })
	sort.Slice(m.optional, func(i, j int) bool { return m.optional[i].Property < m.optional[j].Property })
	for _, a := range m.managed {
		m.names = append(m.names, a.Property)
	}
	return m
}

// Managed returns the names of all properties that may be exported, sorted:
// what a read must select.
func (m *Mapper) Managed() []string { return slices.Clone(m.names) }

// EachManaged goes through Managed without a copy.
func (m *Mapper) EachManaged() iter.Seq[string] { return slices.Values(m.names) }

// Selected returns what a read of a candidate for adoption must select: the
// managed properties, and employeeId, which tells persons apart whether or not
// it is exported.
func (m *Mapper) Selected() []string {
	names := m.Managed()
	if !slices.Contains(names, directory.PropEmployeeID) {
		names = append(names, directory.PropEmployeeID)
		slices.Sort(names)
	}
	return names
}

// Address returns the userPrincipalName that a user's account should have: the
// local part of the e-mail address at the mapped domain. A domain that is
// neither mapped nor claimed gives way to defaultDomain. The problem says why
// there is no such address.
func (m *Mapper) Address(u *directory.User) (string, *directory.Problem) {
	email := directory.FoldAddress(u.Email)
	at := strings.LastIndexByte(email, '@')
	if email == "" {
		return "", refuse(directory.CodeAddressMissing, "The user has no e-mail address, from which userPrincipalName is made.", "Give the user an address.")
	}
	if at <= 0 || at == len(email)-1 {
		return "", refuse(directory.CodeAddressInvalid, "The e-mail address has no local part or no domain.", "Correct the user's address.")
	}
	local, domain := email[:at], email[at+1:]
	if to, ok := m.domains[domain]; ok {
		domain = to
	} else if _, lost := m.lost[domain]; !lost && !m.claimed[domain] && m.settings.DefaultDomain != "" {
		domain = directory.FoldDomain(m.settings.DefaultDomain)
	}
	if since, lost := m.lost[domain]; lost {
		return "", refuse(directory.CodeDomainLost,
			"The address would lie in "+domain+", which is not a verified domain of the tenant any more; it was found so on "+since.Format(time.DateOnly)+".",
			"Verify the domain in Microsoft 365 again. If it is gone for good, change the address, or map its domain by domainMap.")
	}
	if !m.claimed[domain] {
		return "", refuse(directory.CodeDomainNotClaimed,
			"The address would lie in "+domain+", which is not a verified domain of this connection.",
			m.claimedNext())
	}
	address := local + "@" + domain
	if p := checkUserPrincipalName(local, domain); p != nil {
		return "", p
	}
	return address, nil
}

// listedDomains is how many domains a problem names; a tenant may have hundreds,
// and the problem is kept with every user that has it.
const listedDomains = 50

func (m *Mapper) claimedNext() string {
	if len(m.listed) == 0 {
		return "Verify a domain in Microsoft 365, then claim it for the connection."
	}
	names, more := m.listed, ""
	if n := len(names) - listedDomains; n > 0 {
		names, more = names[:listedDomains], fmt.Sprintf(" and %d more", n)
	}
	return "Change the address, or map its domain by domainMap or defaultDomain to one of: " + strings.Join(names, ", ") + more + "."
}

// Desired returns the values that the directory wants the user's account to
// have. A name that is not there is not managed for this user: its export is
// off, or the user has no value and the setting does not clear, or the value
// breaks a rule of Microsoft's. The problems are all such rules, each with its
// property; accountEnabled is always among the values, so that a block goes
// through in any case.
func (m *Mapper) Desired(u *directory.User) (directory.Properties, []directory.Problem) {
	want := make(directory.Properties, len(m.managed))
	want[directory.PropAccountEnabled] = directory.BoolValue(u.Enabled())
	var problems []directory.Problem
	address, p := m.Address(u)
	if p != nil {
		problems = append(problems, of(directory.PropUserPrincipalName, p))
	} else {
		want[directory.PropUserPrincipalName] = directory.StringValue(address)
		want[directory.PropMailNickname] = directory.StringValue(nickname(address))
	}
	fill := func(name, text string) {
		if text != "" {
			want[name] = directory.StringValue(text)
		}
	}
	display := DisplayName(u)
	fill(directory.PropGivenName, Text(u.GivenName))
	fill(directory.PropSurname, Text(u.FamilyName))
	fill(directory.PropDisplayName, display)
	if display == "" {
		problems = append(problems, of(directory.PropDisplayName, refuse(directory.CodeDisplayNameMissing, "displayName is empty; Microsoft requires one.",
			"Give the user a displayName, a name or an e-mail address.")))
	}
	for i := range m.optional {
		e := &m.optional[i]
		v := e.value(u)
		if v.IsNull() && e.Property == directory.PropUsageLocation {
			v = directory.StringValue(m.settings.DefaultUsageLocation)
		}
		if !v.IsNull() || e.clear {
			want[e.Property] = v
		}
	}
	for _, a := range m.managed {
		if p := check(a, want[a.Property]); p != nil {
			problems = append(problems, of(a.Property, p))
			delete(want, a.Property)
		}
	}
	return want, problems
}

// of is a problem of one property: the others have nothing to do with it.
func of(name string, p *directory.Problem) directory.Problem {
	q := *p
	q.Property = name
	return q
}
