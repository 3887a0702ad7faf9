package mapping

import (
	"strings"

	"bindery/shared/directory"
)

// DisplayName is the user's own, else the names, else the address's local part.
func DisplayName(u *directory.User) string {
	if d := Text(u.DisplayName); d != "" {
		return d
	}
	if d := Text(Text(u.GivenName) + " " + Text(u.FamilyName)); d != "" {
		return d
	}
	local, _, _ := strings.Cut(directory.TidyAddress(u.Email), "@")
	return Text(local)
}

// Nameless reports whether a user has no name: the address's local part stands
// in for it.
func Nameless(u *directory.User) bool {
	return Text(u.DisplayName) == "" && Text(u.GivenName) == "" && Text(u.FamilyName) == ""
}

// source is the value of an optional property, in the form in which it is sent.
// Microsoft takes one business phone and any number of other addresses; a user
// has one of each.
func source(u *directory.User, name string, rule directory.AttributeRule) directory.Value {
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
	case "streetAddress":
		return directory.StringValue(clean(u.WorkAddress.StreetAddress, true))
	case directory.PropUsageLocation:
		return directory.StringValue(code(u.UsageLocation, UsageLocation))
	case "preferredLanguage":
		return directory.StringValue(code(u.PreferredLanguage, PreferredLanguage))
	}
	if directory.IsExtensionAttribute(name) {
		if rule.From == "" {
			rule.From = name
		}
		return directory.StringValue(Text(u.CustomAttributes[rule.From]))
	}
	return directory.StringValue(Text(line(u, name)))
}

// line is the user's attribute behind a property of one line.
func line(u *directory.User, name string) string {
	switch name {
	case directory.PropMobilePhone:
		return u.Phones.Mobile
	case "city":
		return u.WorkAddress.City
	case "state":
		return u.WorkAddress.State
	case "postalCode":
		return u.WorkAddress.PostalCode
	case "country":
		return u.WorkAddress.Country
	case "department":
		return u.Department
	case "jobTitle":
		return u.JobTitle
	case "officeLocation":
		return u.Location
	case "companyName":
		return u.Company
	case directory.PropEmployeeID:
		return u.EmployeeID
	case "employeeType":
		return u.EmployeeType
	}
	return ""
}

// code is what a text means, or the text itself when nobody knows: then check
// says so.
func code(text string, mean func(string) (string, bool)) string {
	if c, ok := mean(text); ok {
		return c
	}
	return Text(text)
}
