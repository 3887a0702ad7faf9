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
	if !mailAddressLike().MatchString(p.Email) {
		p.Email = directory.FoldAddress(text(directory.PropUserPrincipalName))
	}
	p.UserName = directory.FoldAddress(text(directory.PropUserPrincipalName))
	p.GivenName, p.FamilyName, p.DisplayName = text(directory.PropGivenName), text(directory.PropSurname), text(directory.PropDisplayName)
	switch {
	case !mailAddressLike().MatchString(p.Email):
		return p, refuse(directory.CodeNoAddress, "The account has no usable e-mail address.", "Give the account an address in Microsoft 365.")
	case p.FamilyName == "":
		return p, refuse(directory.CodeNoLastName, "The account has no last name.", "Give the account a surname in Microsoft 365, or create the user by hand.")
	}
	for _, name := range slices.Sorted(slices.Values(optional)) {
		attribute, known := directory.AttributeOf(name)
		if !known || attribute.Import != directory.UseBySetting {
			continue
		}
		value := imported(attribute, a.Properties[name])
		switch {
		case attribute.Custom == "":
			attribute.SetText(&p, value)
		case value != "":
			if p.CustomAttributes == nil {
				p.CustomAttributes = map[string]string{}
			}
			p.CustomAttributes[name] = value
		}
	}
	return p, nil
}

// imported is the text that an import takes of a property: of a list, its first
// element.
func imported(a *directory.Attribute, v directory.Value) string {
	if a.Type == directory.TypeList {
		list, _ := v.List()
		if len(list) == 0 {
			return ""
		}
		return Text(list[0])
	}
	return clean(v.String(), a.Form == directory.FormLines)
}
