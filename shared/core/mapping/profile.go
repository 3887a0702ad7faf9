package mapping

import (
	"slices"

	"bindery/shared/directory"
)

// Profile returns what an import brings of an account: address, names, user
// name, and the chosen optional properties. The problem says why the account
// cannot be imported.
func Profile(a *directory.Account, optional []string) (directory.Profile, *directory.Problem) {
	text := func(name string) string { return Text(a.Properties[name].String()) }
	var p directory.Profile
	p.Email = directory.FoldAddress(text(directory.PropMail))
	if !mailAddressLike.MatchString(p.Email) {
		p.Email = directory.FoldAddress(text(directory.PropUserPrincipalName))
	}
	p.UserName = directory.FoldAddress(text(directory.PropUserPrincipalName))
	p.GivenName, p.FamilyName, p.DisplayName = text(directory.PropGivenName), text(directory.PropSurname), text(directory.PropDisplayName)
	switch {
	case !mailAddressLike.MatchString(p.Email):
		return p, refuse("no-address", "The account has no usable e-mail address.", "Give the account an address in Microsoft 365.")
	case p.FamilyName == "":
		return p, refuse("no-last-name", "The account has no last name.", "Give the account a surname in Microsoft 365, or create the user by hand.")
	}
	first := func(name string) string {
		if list, ok := a.Properties[name].List(); ok && len(list) > 0 {
			return Text(list[0])
		}
		return ""
	}
	fill := map[string]func(){
		directory.PropOtherMails:     func() { p.AlternateEmail = first(directory.PropOtherMails) },
		directory.PropBusinessPhones: func() { p.Phones.Work = first(directory.PropBusinessPhones) },
		directory.PropMobilePhone:    func() { p.Phones.Mobile = text(directory.PropMobilePhone) },
		"streetAddress":              func() { p.WorkAddress.StreetAddress = clean(a.Properties["streetAddress"].String(), true) },
		"city":                       func() { p.WorkAddress.City = text("city") },
		"state":                      func() { p.WorkAddress.State = text("state") },
		"postalCode":                 func() { p.WorkAddress.PostalCode = text("postalCode") },
		"country":                    func() { p.WorkAddress.Country = text("country") },
		"department":                 func() { p.Department = text("department") },
		"jobTitle":                   func() { p.JobTitle = text("jobTitle") },
		"officeLocation":             func() { p.Location = text("officeLocation") },
		"companyName":                func() { p.Company = text("companyName") },
		directory.PropEmployeeID:     func() { p.EmployeeID = text(directory.PropEmployeeID) },
		"employeeType":               func() { p.EmployeeType = text("employeeType") },
		directory.PropUsageLocation:  func() { p.UsageLocation = text(directory.PropUsageLocation) },
		"preferredLanguage":          func() { p.PreferredLanguage = text("preferredLanguage") },
	}
	for _, name := range slices.Sorted(slices.Values(optional)) {
		if f, ok := fill[name]; ok {
			f()
		} else if v := text(name); directory.IsExtensionAttribute(name) && v != "" {
			if p.CustomAttributes == nil {
				p.CustomAttributes = map[string]string{}
			}
			p.CustomAttributes[name] = v
		}
	}
	return p, nil
}
